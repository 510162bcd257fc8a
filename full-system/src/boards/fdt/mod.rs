//! The device tree that tells a guest what the board's rows say. Devicetree specification 0.4, and the bindings
//! of Linux for the nodes themselves.

mod arm;
mod riscv;

use vm_fdt::FdtWriter;

use super::{Row, Setup};

pub use arm::arm;
pub use riscv::{isa_string, riscv};

/// Why a tree cannot be written.
pub type Error = vm_fdt::Error;

/// What the tree says of the processors.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// Extensions by their lower-case names, single letters included.
    pub extensions: Vec<String>,
    /// Widest paging mode: `sv39`, `sv48` or `sv57`.
    pub mmu: String,
    /// The model.
    pub compatible: String,
    /// What each processor is called: its number, or its affinity fields.
    pub numbers: Vec<u64>,
}

/// What the tree says beside the board and its processors.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// The kernel's command line.
    pub bootargs: Option<String>,
    /// First and last-plus-one byte of the initial file system.
    pub initrd: Option<(u64, u64)>,
    /// Random bytes for the kernel.
    pub seed: [u32; 8],
    /// Whether there is a serial port to talk to.
    pub serial: bool,
}

fn reg(base: u64, size: u64) -> [u32; 4] {
    [(base >> 32) as u32, base as u32, (size >> 32) as u32, size as u32]
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_string()).collect()
}

fn memory(f: &mut FdtWriter, setup: &Setup) -> Result<(), Error> {
    let node = f.begin_node(&format!("memory@{:x}", setup.board.ram))?;
    f.property_string("device_type", "memory")?;
    f.property_array_u32("reg", &reg(setup.board.ram, setup.ram))?;
    f.end_node(node)
}

/// The command line and what else a boot loader says. `path` is that of the serial port at a row.
fn write_chosen(
    f: &mut FdtWriter,
    setup: &Setup,
    chosen: &Chosen,
    path: impl Fn(&Row) -> String,
) -> Result<(), Error> {
    let node = f.begin_node("chosen")?;
    if let Some(args) = &chosen.bootargs {
        f.property_string("bootargs", args)?;
    }
    if let Some((start, end)) = chosen.initrd {
        f.property_u64("linux,initrd-start", start)?;
        f.property_u64("linux,initrd-end", end)?;
    }
    let serial = setup.rows().find(|r| r.what.is_serial());
    if let Some(row) = serial.filter(|_| chosen.serial) {
        f.property_string("stdout-path", &path(row))?;
    }
    f.property_array_u32("rng-seed", &chosen.seed)?;
    f.end_node(node)
}
