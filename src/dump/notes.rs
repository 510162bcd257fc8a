//! The notes of a core dump (`linux/elfcore.h`, `fs/binfmt_elf.c`).

use nix::unistd::{getgid, getpgrp, getppid, getsid, getuid};
use remu_syscalls::ProcFile;

use super::layout::Area;
use super::{Thread, signal_number};
use crate::signal::host::{self, Info};
use crate::task::Task;

const NT_PRSTATUS: u32 = 1;
const NT_PRFPREG: u32 = 2;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;

/// All notes, the dying thread's first.
pub(super) fn all(task: &Task, signal: i32, threads: &[Thread], areas: &[Area]) -> Vec<u8> {
    let info = task.signals.fatal();
    let ids = Ids::own();
    let mut out = Vec::new();
    for (n, t) in threads.iter().enumerate() {
        let mut sets = t.sets.iter();
        if let Some((_, general)) = sets.next() {
            note(&mut out, "CORE", NT_PRSTATUS, &status(t, signal, &info, &ids, general));
        }
        if n == 0 {
            note(&mut out, "CORE", NT_PRPSINFO, &process(task, &ids));
            note(&mut out, "CORE", NT_SIGINFO, &info);
            note(&mut out, "CORE", NT_AUXV, &task.shared.config.stack.auxv);
            note(&mut out, "CORE", NT_FILE, &files(areas));
        }
        for (kind, bytes) in sets {
            let kind = *kind as u32;
            note(&mut out, if kind == NT_PRFPREG { "CORE" } else { "LINUX" }, kind, bytes);
        }
    }
    out
}

fn note(out: &mut Vec<u8>, owner: &str, kind: u32, content: &[u8]) {
    for word in [owner.len() as u32 + 1, content.len() as u32, kind] {
        out.extend(word.to_le_bytes());
    }
    out.extend(owner.as_bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(content);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The processes around this one.
struct Ids {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
}

impl Ids {
    fn own() -> Ids {
        Ids {
            pid: host::pid(),
            parent: getppid().as_raw(),
            group: getpgrp().as_raw(),
            session: getsid(None).map_or(0, |s| s.as_raw()),
        }
    }
}

/// `struct elf_prstatus` of 64-bit processors.
fn status(t: &Thread, signal: i32, info: &Info, ids: &Ids, registers: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // Number, code and error of the signal; the kernel fills in the number alone.
    for word in [signal_number(info, 0), 0, 0] {
        out.extend(word.to_le_bytes());
    }
    out.extend((signal as u16).to_le_bytes());
    out.extend([0; 2]);
    out.extend([0; 8]);
    out.extend(t.mask.to_le_bytes());
    for id in [t.tid, ids.parent, ids.group, ids.session] {
        out.extend(id.to_le_bytes());
    }
    // Times: user, system, and those of children.
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok();
    let times = usage.map(|u| [u.user_time(), u.system_time()]);
    for time in times.iter().flatten().filter(|_| t.tid == host::tid()) {
        out.extend(time.tv_sec().to_le_bytes());
        out.extend(time.tv_usec().to_le_bytes());
    }
    out.resize(112, 0);
    out.extend(registers);
    // Floating-point registers follow in a note of their own.
    out.extend(1u32.to_le_bytes());
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

/// `struct elf_prpsinfo` of 64-bit processors.
fn process(task: &Task, ids: &Ids) -> Vec<u8> {
    let mut out = vec![0, b'R', 0, 0, 0, 0, 0, 0];
    out.extend([0; 8]);
    for id in [getuid().as_raw(), getgid().as_raw()] {
        out.extend(id.to_le_bytes());
    }
    for id in [ids.pid, ids.parent, ids.group, ids.session] {
        out.extend(id.to_le_bytes());
    }
    let mut name = std::fs::read("/proc/self/comm").unwrap_or_default();
    name.truncate(name.iter().position(|&b| b == b'\n').unwrap_or(name.len()).min(15));
    name.resize(16, 0);
    out.extend(name);
    let mut args = crate::procfs::content(task, ProcFile::Cmdline).unwrap_or_default();
    args.iter_mut().filter(|b| **b == 0).for_each(|b| *b = b' ');
    args.truncate(79);
    args.resize(80, 0);
    out.extend(args);
    out
}

/// `NT_FILE`: count, page size, ranges with offsets in pages, names.
fn files(areas: &[Area]) -> Vec<u8> {
    let mapped: Vec<&Area> = areas.iter().filter(|a| !a.file.is_empty()).collect();
    let mut out = Vec::new();
    for word in [mapped.len() as u64, 4096] {
        out.extend(word.to_le_bytes());
    }
    for a in &mapped {
        for word in [a.start, a.end, a.offset / 4096] {
            out.extend(word.to_le_bytes());
        }
    }
    for a in &mapped {
        out.extend(a.file.as_bytes());
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_sizes() {
        let t = Thread { tid: 1, mask: 0, sets: Vec::new() };
        let ids = Ids::own();
        let len = |registers: usize| status(&t, 11, &[0; 128], &ids, &vec![0; registers]).len();
        assert_eq!((len(32 * 8), len(34 * 8)), (376, 392));
        let mut out = Vec::new();
        note(&mut out, "CORE", 5, &[1, 2, 3]);
        assert_eq!(out.len(), 12 + 8 + 4);
    }
}
