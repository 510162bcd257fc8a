//! Where a core dump goes: `/proc/sys/kernel/core_pattern` (core(5)).

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::signal::host;
use crate::task::{self, Task};

/// The kernel's pattern where that is no name of a file: a program or socket that takes the dump,
/// which the runner cannot hand it the guest's.
const OWN: &str = "core.%p";

/// A dump's file.
pub(super) struct Name {
    pub(super) path: PathBuf,
}

impl Name {
    /// The file for a process that dies of a signal.
    pub(super) fn find(task: &Task, signal: i32) -> Name {
        let read = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}"));
            text.unwrap_or_default().trim_end_matches('\n').to_owned()
        };
        let mut pattern = read("core_pattern");
        if pattern.starts_with(['|', '@']) || pattern.is_empty() {
            pattern = OWN.into();
        }
        let facts = Facts::of(task, signal);
        let bytes = expand(&pattern, &facts, read("core_uses_pid") == "1");
        Name { path: std::ffi::OsString::from_vec(bytes).into() }
    }

    /// Makes the file as the kernel does: a plain file of the process's own user, no link.
    pub(super) fn create(&self) -> io::Result<File> {
        let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).mode(0o600).custom_flags(flags).open(&self.path)?;
        let m = file.metadata()?;
        let uid = nix::unistd::geteuid().as_raw();
        if !m.is_file() || m.nlink() != 1 || m.uid() != uid {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        file.set_len(0)?;
        Ok(file)
    }

    /// Has the kernel's dump of the runner written where nobody sees it. That there was one shows in
    /// the wait status, as it should.
    pub(super) fn lead_away(&self) -> bool {
        let pattern = std::fs::read("/proc/sys/kernel/core_pattern").unwrap_or_default();
        if pattern.is_empty() || b"/|@\n".contains(&pattern[0]) || pattern.contains(&b'/') {
            return false;
        }
        let folder = std::env::temp_dir().join(format!("remu-core-{}", host::pid()));
        if std::fs::create_dir(&folder).is_err() || std::env::set_current_dir(&folder).is_err() {
            return false;
        }
        super::shrink();
        let c = |path: &std::path::Path| CString::new(path.as_os_str().as_bytes());
        let (Ok(dir), Ok(file)) = (c(&folder), c(&folder.join(&self.path))) else { return false };
        if task::remove_after_end(&dir, &file).is_err() {
            let _ = std::fs::remove_dir(&folder);
            return false;
        }
        true
    }
}

/// What a pattern may ask for.
struct Facts {
    pid: i32,
    tid: i32,
    uid: u32,
    gid: u32,
    signal: i32,
    time: u64,
    host: Vec<u8>,
    comm: Vec<u8>,
    exe: Vec<u8>,
    limit: u64,
}

impl Facts {
    fn of(task: &Task, signal: i32) -> Facts {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE);
        Facts {
            pid: host::pid(),
            tid: host::tid(),
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            signal,
            time: now.map_or(0, |t| t.as_secs()),
            host: first_line("/proc/sys/kernel/hostname"),
            comm: first_line("/proc/self/comm"),
            exe: task.shared.config.exe.as_bytes().to_vec(),
            limit: limit.map_or(0, |l| l.0),
        }
    }
}

fn first_line(file: &str) -> Vec<u8> {
    let mut text = std::fs::read(file).unwrap_or_default();
    text.truncate(text.iter().position(|&b| b == b'\n').unwrap_or(text.len()));
    text
}

/// Fills a pattern in. A slash in a name that is filled in becomes an exclamation mark.
fn expand(pattern: &str, f: &Facts, uses_pid: bool) -> Vec<u8> {
    let number = |n: u64| n.to_string().into_bytes();
    let name = |bytes: &[u8]| bytes.iter().map(|&b| if b == b'/' { b'!' } else { b }).collect();
    let mut out = Vec::new();
    let mut has_pid = false;
    let mut bytes = pattern.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let filled: Vec<u8> = match bytes.next() {
            Some(b'%') => vec![b'%'],
            Some(b'p' | b'P') => {
                has_pid = true;
                number(f.pid as u64)
            }
            Some(b'i' | b'I') => number(f.tid as u64),
            Some(b'u') => number(f.uid.into()),
            Some(b'g') => number(f.gid.into()),
            // Only a process that may be dumped as its user is dumped.
            Some(b'd') => number(1),
            Some(b's') => number(f.signal as u64),
            Some(b't') => number(f.time),
            Some(b'h') => name(&f.host),
            Some(b'e') => name(&f.comm),
            Some(b'f') => name(f.exe.rsplit(|&b| b == b'/').next().unwrap_or_default()),
            Some(b'E') => name(&f.exe),
            Some(b'c') => number(f.limit),
            _ => Vec::new(),
        };
        out.extend(filled);
    }
    if uses_pid && !has_pid {
        out.push(b'.');
        out.extend(number(f.pid as u64));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_filled_in() {
        let f = Facts {
            pid: 12,
            tid: 13,
            uid: 1,
            gid: 2,
            signal: 11,
            time: 99,
            host: b"box".to_vec(),
            comm: b"a/b".to_vec(),
            exe: b"/bin/prog".to_vec(),
            limit: 7,
        };
        let name = |p: &str, pid| String::from_utf8(expand(p, &f, pid)).unwrap();
        assert_eq!(name("core", false), "core");
        assert_eq!(name("core", true), "core.12");
        assert_eq!(name("%e-%p-%i", true), "a!b-12-13");
        assert_eq!(
            name("/x/%E.%f%%%s.%t.%h.%u%g%d%c%z%", false),
            "/x/!bin!prog.prog%11.99.box.1217"
        );
    }
}
