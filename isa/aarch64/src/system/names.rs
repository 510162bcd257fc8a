//! A processor as text, for `info registers`.

use std::fmt::Write;

use super::regs::{Regs, STATE};
use super::sysregs::shown;

/// Registers in rows of four, as QEMU writes them.
pub(crate) fn dump(r: &Regs<'_>) -> String {
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = writeln!(text, " PC={:016x} PSTATE={:08x} EL{}", r.pc(), r.pstate(), r.el());
    for four in STATE.regs[..32].chunks(4) {
        for reg in four {
            let _ = write!(text, " {:<3} {:016x}", reg.name, r.get(reg.slot));
        }
        text.push('\n');
    }
    for (name, v) in shown(r) {
        let _ = writeln!(text, " {name:<14} {v:016x}");
    }
    text
}
