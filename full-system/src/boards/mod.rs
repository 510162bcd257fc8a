//! Boards: which devices lie where. Addresses and interrupt numbers are those of QEMU's boards of the same name.

mod arm;
mod assemble;
pub mod fdt;
pub mod load;
mod riscv;
mod setup;
#[cfg(test)]
mod tests;

pub use assemble::{AssembleError, Parts, Wiring, assemble};
pub use load::{Boot, Files, FlashImage};
pub use setup::{PROPERTIES, Setup};

/// A board.
#[derive(Debug)]
pub struct Board {
    /// Name that `-M` takes.
    pub name: &'static str,
    /// One line of description.
    pub about: &'static str,
    /// The guest whose processors it has.
    pub guest: &'static str,
    /// Processors at most.
    pub cpus: u32,
    /// Where memory begins.
    pub ram: u64,
    /// Bytes of memory unless `-m` says otherwise.
    pub ram_default: u64,
    /// Everything but memory.
    pub rows: &'static [Row],
    /// Reads what a machine starts from and lays it out.
    pub boot: BootFn,
    /// The machine answers calls of firmware itself (PSCI), and starts with one processor.
    pub firmware: bool,
}

/// Reads what a machine starts from and lays it out in memory, with a device tree.
pub type BootFn = fn(&Setup, &Files, &fdt::Cpu, fdt::Chosen) -> Result<Boot, load::LoadError>;

/// One device of a board, or several of a kind one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// First byte.
    pub base: u64,
    /// Bytes of one.
    pub size: u64,
    /// How many.
    pub count: u32,
    /// What it is.
    pub what: What,
    /// Interrupt of the first; 0 for none.
    pub irq: u32,
}

/// What lies at a row of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Memory with the code that runs after reset.
    ResetRom,
    /// Power off and reset.
    Syscon,
    /// A real-time clock.
    GoldfishRtc,
    /// Software and timer interrupts of RISC-V.
    Clint,
    /// Interrupt controller of RISC-V.
    Plic {
        /// Highest number of a source.
        sources: u32,
    },
    /// A serial port.
    Ns16550 {
        /// Its clock, in Hz.
        clock: u32,
    },
    /// Distributor of Arm's interrupt controller, of either version.
    GicDistributor {
        /// Interrupts for devices.
        shared: u32,
    },
    /// Processors' interfaces of version 2.
    GicInterfaces,
    /// Redistributors of version 3.
    GicRedistributors,
    /// A serial port.
    Pl011,
    /// A real-time clock.
    Pl031,
    /// Lines of general purpose, with the power button.
    Pl061,
    /// What the machine tells its firmware.
    FwCfg,
    /// Flash for firmware, as memory that is only read.
    FirmwareFlash,
    /// Flash that can be programmed.
    Flash,
    /// Places for virtio devices.
    Virtio,
}

impl What {
    /// Whether it is a serial port.
    pub fn is_serial(self) -> bool {
        matches!(self, What::Ns16550 { .. } | What::Pl011)
    }
}

/// `row(base, size, what, irq)` or `row(.., irq; count)`.
macro_rules! rows {
    ($( $base:literal, $size:literal $(x $count:literal)?, $what:expr $(, irq $irq:literal)? ; )*) => {
        &[ $( $crate::boards::Row {
            base: $base,
            size: $size,
            count: $crate::boards::rows!(@or 1 $(, $count)?),
            what: $what,
            irq: $crate::boards::rows!(@or 0 $(, $irq)?),
        } ),* ]
    };
    (@or $default:expr) => { $default };
    (@or $default:expr, $value:expr) => { $value };
}
pub(crate) use rows;

/// Every board.
pub static BOARDS: &[&Board] = &[&riscv::VIRT, &arm::VIRT];

/// The board of this name for a guest.
pub fn by_name(guest: &str, name: &str) -> Option<&'static Board> {
    of(guest).find(|b| b.name == name)
}

/// The boards of a guest.
pub fn of(guest: &str) -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().copied().filter(move |b| b.guest == guest)
}
