//! A hart as text, for `info registers`.

use std::fmt::Write;

use remu_isa::Surroundings;

use super::csr::{mode_name, shown};
use super::regs::{Regs, STATE};
use crate::features::Features;

/// Registers in rows of four, as QEMU writes them.
pub(crate) fn dump(r: &Regs<'_>, features: Features, around: &dyn Surroundings) -> String {
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = writeln!(text, " mode     {}", mode_name(r.privilege()));
    let _ = writeln!(text, " {:<8} {:016x}", "pc", r.pc());
    for (name, v) in shown(r, features, around) {
        let _ = writeln!(text, " {name:<8} {v:016x}");
    }
    for four in STATE.regs[..32].chunks(4) {
        for reg in four {
            let _ = write!(text, " {:<8} {:016x}", reg.name, r.get(reg.slot));
        }
        text.push('\n');
    }
    text
}
