//! The address space as text, for the monitor's `info mtree`.

use std::fmt::Write;

use super::{Bus, Target};

impl Bus {
    /// One line for each range, lowest first, as QEMU's `info mtree -f` writes them.
    pub fn tree(&self) -> String {
        let mut text = String::from("address-space: memory\n");
        for e in &self.entries {
            let kind = match e.target {
                Target::Ram { writable: true, .. } => "ram",
                Target::Ram { writable: false, .. } => "rom",
                Target::Device(_) => "i/o",
            };
            let last = e.range.end - 1;
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "  {:016x}-{last:016x} (prio 0, {kind}): {}", e.range.start, e.name);
        }
        text
    }
}
