//! What the runner prints about a run: statistics, and a report of a crash.

mod modules;
mod unwind;

use std::fmt::Write;
use std::sync::OnceLock;

use remu_syscalls::ProcFile;

use crate::task::Task;
use modules::Modules;

/// Frames of a backtrace.
const FRAMES: usize = 64;

static CRASH: OnceLock<bool> = OnceLock::new();

/// Turns the crash report on (`REMU_CRASH=1`).
pub(crate) fn set_crash(on: bool) {
    let _ = CRASH.set(on);
}

/// Saves translations, and prints what `--stats` asks for.
pub(crate) fn at_exit(task: &Task) {
    task.shared.engine.save();
    if task.shared.config.options.stats {
        let missed = remu_syscalls::stats::report();
        let dirty =
            private().map_or(String::new(), |n| format!("private KiB             {n:>12}\n"));
        let text = format!("{}\n{dirty}{missed}", task.shared.engine.stats());
        crate::logging::write(text.as_bytes());
    }
}

/// KiB of memory of this process, guest included, that is no file's (proc_pid_smaps(5)).
fn private() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("Anonymous:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Prints the registers, the callers and the mappings of a guest that dies of a signal.
pub(crate) fn crash(task: &Task, signal: i32) {
    if !CRASH.get().copied().unwrap_or(false) {
        return;
    }
    let info = task.signals.fatal();
    let code = i32::from_le_bytes([info[8], info[9], info[10], info[11]]);
    let addr = u64::from_le_bytes([16, 17, 18, 19, 20, 21, 22, 23].map(|n| info[n]));
    let pc = task.cpu.pc();
    // What others send comes from a process, not from an address.
    let cause = if code > 0 { format!(", address {addr:#x}") } else { String::new() };
    let mut out = format!(
        "{}: signal {signal} (code {code}{cause}) at pc {pc:#x}, process {}, thread {}\n",
        task.shared.config.exe.to_string_lossy(),
        crate::signal::host::pid(),
        crate::signal::host::tid(),
    );
    for (n, reg) in task.shared.regs.desc.regs.iter().enumerate() {
        let value = task.cpu.get(reg.slot);
        let end = if n % 4 == 3 { '\n' } else { ' ' };
        let _ = write!(out, "{:>14} {value:016x}{end}", reg.name);
    }
    let maps = crate::procfs::content(task, ProcFile::Maps).unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    let mut modules = Modules::new(&maps);
    out.push_str("\nBacktrace:\n");
    for (n, frame) in unwind::frames(task, &mut modules, FRAMES).into_iter().enumerate() {
        // A return address belongs to the call before it.
        let place = frame.pc - u64::from(frame.called);
        let _ = writeln!(out, "#{n:<3} {:#018x} {}", frame.pc, modules.name(place, frame.pc));
    }
    out.push_str("Mappings:\n");
    out.push_str(&maps);
    crate::logging::write(out.as_bytes());
}
