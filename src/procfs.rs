//! `/proc` files that would show the runner instead of the guest.

use std::fmt::Write;

use remu_syscalls::{GuestMemory, Peer, ProcFile};

use crate::mm::{Area, View};
use crate::task::Task;

/// The guest's content of a file; `None` lets the host's through.
pub(crate) fn content(task: &Task, file: ProcFile) -> Option<Vec<u8>> {
    let stack = &task.shared.config.stack;
    match file {
        ProcFile::Maps => Some(maps(&task.shared.mm.view(), &host_text("maps")?).into_bytes()),
        ProcFile::Smaps => Some(maps(&task.shared.mm.view(), &host_text("smaps")?).into_bytes()),
        ProcFile::Auxv => Some(stack.auxv.clone()),
        ProcFile::Cmdline => guest_bytes(stack.args),
        ProcFile::Environ => guest_bytes(stack.env),
        ProcFile::Stat => stat(task),
        ProcFile::Status => {
            // To read the host's file over a ring could make the worker that it then counts.
            let workers = remu_syscalls::workers()?.len();
            status(&host_text("status")?, workers)
        }
        ProcFile::Cpuinfo => {
            let count = std::thread::available_parallelism().map_or(1, usize::from);
            let (one, isa) = (task.shared.os.cpuinfo, task.shared.engine.isa());
            Some((0..count).map(|i| one(isa, i)).collect::<String>().into_bytes())
        }
    }
}

/// The same of another emulated process; `None` lets the host's through.
pub(crate) fn content_of(peer: &Peer, file: ProcFile) -> Option<Vec<u8>> {
    let name = match file {
        ProcFile::Maps => c"maps",
        ProcFile::Smaps => c"smaps",
        _ => return None,
    };
    let host = peer.file(name)?;
    Some(maps(&View::of(peer)?, &String::from_utf8_lossy(&host)).into_bytes())
}

fn host_text(name: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/self/{name}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The strings as they are now: a program may have written over them.
fn guest_bytes((start, end): (u64, u64)) -> Option<Vec<u8>> {
    let mut out = vec![0; (end - start) as usize];
    GuestMemory::default().read_bytes(start, &mut out).ok()?;
    Some(out)
}

/// The host's list cut to the guest's areas. Lines that do not begin with a range (details in smaps)
/// follow the range they belong to.
fn maps(view: &View, host: &str) -> String {
    let mut out = String::new();
    let mut shown = false;
    for line in host.lines() {
        let Some(host_line) = Line::parse(line) else {
            if shown {
                let _ = writeln!(out, "{line}");
            }
            continue;
        };
        shown = false;
        for area in view.within(host_line.start, host_line.end) {
            host_line.show(view, &area, &mut out);
            shown = true;
        }
    }
    out
}

/// One line of `/proc/pid/maps` (proc_pid_maps(5)).
struct Line<'a> {
    start: u64,
    end: u64,
    /// `p` or `s`.
    sharing: char,
    offset: u64,
    device: &'a str,
    inode: &'a str,
    name: &'a str,
}

impl Line<'_> {
    fn parse(line: &str) -> Option<Line<'_>> {
        let mut rest = line;
        let mut word = || {
            let (w, r) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
            rest = r;
            w
        };
        let (start, end) = word().split_once('-')?;
        let perms = word();
        let offset = word();
        let (device, inode) = (word(), word());
        Some(Line {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            sharing: perms.chars().nth(3)?,
            offset: u64::from_str_radix(offset, 16).ok()?,
            device,
            inode,
            name: rest.trim_start(),
        })
    }

    fn show(&self, view: &View, area: &Area, out: &mut String) {
        let bit = |flag: i32, c| if area.prot & flag as u8 != 0 { c } else { '-' };
        let perms: String = [
            bit(libc::PROT_READ, 'r'),
            bit(libc::PROT_WRITE, 'w'),
            bit(libc::PROT_EXEC, 'x'),
            self.sharing,
        ]
        .iter()
        .collect();
        let offset = if self.inode == "0" { 0 } else { self.offset + (area.start - self.start) };
        let name = if (view.stack.0..view.stack.1).contains(&area.start) {
            "[stack]"
        } else if area.start == view.heap {
            "[heap]"
        } else if (area.start..area.end).contains(&view.vdso) {
            "[vdso]"
        } else if self.name.starts_with('[') {
            ""
        } else {
            self.name
        };
        let mut line = format!(
            "{:08x}-{:08x} {perms} {offset:08x} {} {} ",
            area.start, area.end, self.device, self.inode
        );
        if !name.is_empty() {
            let _ =
                write!(line, "{:>width$}{name}", "", width = 73_usize.saturating_sub(line.len()));
        }
        let _ = writeln!(out, "{line}");
    }
}

/// `/proc/self/status` without so many of its threads.
fn status(host: &str, workers: usize) -> Option<Vec<u8>> {
    let (head, tail) = host.split_once("\nThreads:\t")?;
    let (count, tail) = tail.split_once('\n')?;
    let count = count.parse::<usize>().ok()?.checked_sub(workers)?;
    Some(format!("{head}\nThreads:\t{count}\n{tail}").into_bytes())
}

/// `/proc/self/stat` with the guest's stack and number of threads.
fn stat(task: &Task) -> Option<Vec<u8>> {
    let text = host_text("stat")?;
    let (head, tail) = text.rsplit_once(") ")?;
    let mut fields: Vec<String> = tail.split_ascii_whitespace().map(str::to_owned).collect();
    // The third field of the file is the first here; startstack is the 28th.
    *fields.get_mut(28 - 3)? = task.shared.config.stack.pointer.to_string();
    // num_threads is the 20th.
    let threads = fields.get_mut(20 - 3)?;
    let workers = remu_syscalls::workers().map_or(0, |w| w.len());
    *threads = threads.parse::<usize>().ok()?.checked_sub(workers)?.to_string();
    Some(format!("{head}) {}\n", fields.join(" ")).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_with_spaces_in_the_name_is_read_whole() {
        let l = Line::parse("7f00-7f10 r-xp 00001000 08:01 42     /a b (deleted)").unwrap();
        assert_eq!((l.start, l.end, l.sharing, l.offset), (0x7f00, 0x7f10, 'p', 0x1000));
        assert_eq!((l.device, l.inode, l.name), ("08:01", "42", "/a b (deleted)"));
        assert!(Line::parse("Rss:                  4 kB").is_none());
        assert!(Line::parse("VmFlags: rd ex mr mw me").is_none());
    }
}
