//! A board as the command line has it.

use super::{Board, Row, What};
use crate::devices::{gicv2, gicv3};

/// Properties that boards may have.
pub const PROPERTIES: &[&str] =
    &["gic-version", "virtualization", "secure", "mte", "its", "highmem"];

/// A board with as many processors, as much memory and such parts as were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The board.
    pub board: &'static Board,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub ram: u64,
    /// Version of Arm's interrupt controller.
    pub gic: u8,
}

impl Setup {
    /// A board with these properties of `-M`.
    ///
    /// # Errors
    /// A sentence: the board does not have it.
    pub fn new(
        board: &'static Board,
        cpus: u32,
        ram: u64,
        properties: &[(String, String)],
    ) -> Result<Setup, String> {
        let name = board.name;
        if cpus > board.cpus {
            return Err(format!("board '{name}' has at most {} processors", board.cpus));
        }
        let arm = board.rows.iter().any(|r| matches!(r.what, What::GicDistributor { .. }));
        let small = cpus as usize <= gicv2::MOST_CPUS;
        let mut gic = if small { 2 } else { 3 };
        for (key, value) in properties {
            match (key.as_str(), value.as_str()) {
                _ if !arm => return Err(format!("board '{name}' has no property '{key}'")),
                ("gic-version", "2") => gic = 2,
                ("gic-version", "3" | "max") => gic = 3,
                // There is little that these could take away.
                ("highmem", _) | (_, "off") => {}
                _ => return Err(format!("'{key}={value}' is not supported")),
            }
        }
        if gic == 2 && !small {
            return Err(format!("gic-version=2 has at most {} processors", gicv2::MOST_CPUS));
        }
        Ok(Setup { board, cpus, ram, gic })
    }

    /// The rows that this board has.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        let gic = self.gic;
        self.board.rows.iter().filter(move |r| match r.what {
            What::GicInterfaces => gic == 2,
            What::GicRedistributors => gic == 3,
            _ => true,
        })
    }

    /// Bytes of the redistributors that the processors have.
    pub(super) fn redistributors(&self) -> u64 {
        u64::from(self.cpus) * gicv3::REDISTRIBUTOR
    }
}
