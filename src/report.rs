//! What the runner prints about a run: statistics, and a report of a crash.

use std::fmt::Write;
use std::sync::OnceLock;

use crate::task::Task;

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
            private_dirty().map_or(String::new(), |n| format!("private dirty KiB       {n:>12}\n"));
        let text = format!("{}\n{dirty}{missed}", task.shared.engine.stats());
        crate::logging::write(text.as_bytes());
    }
}

/// KiB of memory that this process, guest included, shares with no other (proc_pid_smaps(5)).
fn private_dirty() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("Private_Dirty:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Prints the registers and mappings of a guest that dies of a signal.
pub(crate) fn crash(task: &Task, signal: i32) {
    if !CRASH.get().copied().unwrap_or(false) {
        return;
    }
    let info = task.signals.fatal();
    let code = i32::from_le_bytes([info[8], info[9], info[10], info[11]]);
    let addr = u64::from_le_bytes([16, 17, 18, 19, 20, 21, 22, 23].map(|n| info[n]));
    let pc = task.cpu.pc();
    let mut out = format!("signal {signal} (code {code}, address {addr:#x}) at pc {pc:#x}\n");
    for (n, reg) in task.shared.regs.desc.regs.iter().enumerate() {
        let value = task.cpu.get(reg.slot);
        let end = if n % 4 == 3 { '\n' } else { ' ' };
        let _ = write!(out, "{:>10} {value:016x}{end}", reg.name);
    }
    out.push('\n');
    for a in task.shared.mm.areas(0, u64::MAX) {
        let bit = |flag: i32, c| if a.prot & flag as u8 != 0 { c } else { '-' };
        let (r, w, x) = (bit(1, 'r'), bit(2, 'w'), bit(4, 'x'));
        let here = if (a.start..a.end).contains(&pc) { " <- pc" } else { "" };
        let _ = writeln!(out, "{:012x}-{:012x} {r}{w}{x}{here}", a.start, a.end);
    }
    crate::logging::write(out.as_bytes());
}
