//! The device tree that tells a guest what the board's rows say. Devicetree specification 0.4, and the bindings
//! of Linux for the nodes themselves.

use vm_fdt::FdtWriter;

use super::{Board, Row, What};

/// Why a tree cannot be written.
pub type Error = vm_fdt::Error;

/// What the tree says of the processors.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// Extensions by their lower-case names, single letters included.
    pub extensions: Vec<String>,
    /// Widest paging mode: `sv39`, `sv48` or `sv57`.
    pub mmu: String,
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

/// Numbers by which nodes refer to each other.
mod phandle {
    pub(super) const PLIC: u32 = 1;
    pub(super) const SYSCON: u32 = 2;
    /// The interrupt controller of the first processor.
    pub(super) const CPU: u32 = 16;
}

/// Ticks of the `time` CSR in a second.
const TIMEBASE: u32 = 10_000_000;

fn reg(base: u64, size: u64) -> [u32; 4] {
    [(base >> 32) as u32, base as u32, (size >> 32) as u32, size as u32]
}

/// The tree of a RISC-V board.
pub fn riscv(
    board: &Board,
    cpus: u32,
    ram: u64,
    cpu: &Cpu,
    chosen: &Chosen,
) -> Result<Vec<u8>, Error> {
    let mut f = FdtWriter::new()?;
    let root = f.begin_node("")?;
    f.property_u32("#address-cells", 2)?;
    f.property_u32("#size-cells", 2)?;
    f.property_string("compatible", "riscv-virtio")?;
    f.property_string("model", "riscv-virtio,remu")?;
    write_chosen(&mut f, board, chosen)?;
    let memory = f.begin_node(&format!("memory@{:x}", board.ram))?;
    f.property_string("device_type", "memory")?;
    f.property_array_u32("reg", &reg(board.ram, ram))?;
    f.end_node(memory)?;
    write_cpus(&mut f, cpus, cpu)?;
    for row in board.rows.iter().filter(|r| r.what == What::Syscon) {
        syscon(&mut f, row, "poweroff", 0x5555)?;
        syscon(&mut f, row, "reboot", 0x7777)?;
    }
    let soc = f.begin_node("soc")?;
    f.property_u32("#address-cells", 2)?;
    f.property_u32("#size-cells", 2)?;
    f.property_string("compatible", "simple-bus")?;
    f.property_null("ranges")?;
    for row in board.rows {
        // The last of several comes first, as on QEMU's boards: kernels number devices in this order.
        for n in (0..row.count).rev() {
            let serial = matches!(row.what, What::Ns16550 { .. });
            if !serial || chosen.serial {
                device(&mut f, row, n, cpus)?;
            }
        }
    }
    f.end_node(soc)?;
    f.end_node(root)?;
    f.finish()
}

fn write_chosen(f: &mut FdtWriter, board: &Board, chosen: &Chosen) -> Result<(), Error> {
    let node = f.begin_node("chosen")?;
    if let Some(args) = &chosen.bootargs {
        f.property_string("bootargs", args)?;
    }
    if let Some((start, end)) = chosen.initrd {
        f.property_u64("linux,initrd-start", start)?;
        f.property_u64("linux,initrd-end", end)?;
    }
    let serial = board.rows.iter().find(|r| matches!(r.what, What::Ns16550 { .. }));
    if let Some(row) = serial.filter(|_| chosen.serial) {
        f.property_string("stdout-path", &format!("/soc/serial@{:x}", row.base))?;
    }
    f.property_array_u32("rng-seed", &chosen.seed)?;
    f.end_node(node)
}

/// Extensions as one word, for kernels that know no list: single letters in canonical order, then the others.
pub fn isa_string(extensions: &[String]) -> String {
    let mut text = String::from("rv64");
    let has = |name: &str| extensions.iter().any(|e| e == name);
    "imafdqcbvh".chars().filter(|c| has(&c.to_string())).for_each(|c| text.push(c));
    extensions.iter().filter(|e| e.len() > 1).for_each(|e| {
        text.push('_');
        text.push_str(e);
    });
    text
}

fn write_cpus(f: &mut FdtWriter, cpus: u32, cpu: &Cpu) -> Result<(), Error> {
    let node = f.begin_node("cpus")?;
    f.property_u32("#address-cells", 1)?;
    f.property_u32("#size-cells", 0)?;
    f.property_u32("timebase-frequency", TIMEBASE)?;
    for hart in 0..cpus {
        let one = f.begin_node(&format!("cpu@{hart:x}"))?;
        f.property_string("device_type", "cpu")?;
        f.property_u32("reg", hart)?;
        f.property_string("status", "okay")?;
        f.property_string("compatible", "riscv")?;
        f.property_string("riscv,isa", &isa_string(&cpu.extensions))?;
        f.property_string("riscv,isa-base", "rv64i")?;
        f.property_string_list("riscv,isa-extensions", cpu.extensions.clone())?;
        f.property_string("mmu-type", &format!("riscv,{}", cpu.mmu))?;
        for (extension, property) in [
            ("zicbom", "riscv,cbom-block-size"),
            ("zicboz", "riscv,cboz-block-size"),
            ("zicbop", "riscv,cbop-block-size"),
        ] {
            if cpu.extensions.iter().any(|e| e == extension) {
                f.property_u32(property, 64)?;
            }
        }
        let intc = f.begin_node("interrupt-controller")?;
        f.property_u32("#interrupt-cells", 1)?;
        f.property_null("interrupt-controller")?;
        f.property_string("compatible", "riscv,cpu-intc")?;
        f.property_phandle(phandle::CPU + hart)?;
        f.end_node(intc)?;
        f.end_node(one)?;
    }
    f.end_node(node)
}

fn syscon(f: &mut FdtWriter, row: &Row, name: &str, value: u32) -> Result<(), Error> {
    let node = f.begin_node(name)?;
    f.property_string("compatible", &format!("syscon-{name}"))?;
    f.property_u32("regmap", phandle::SYSCON)?;
    f.property_u32("offset", 0)?;
    f.property_u32("value", value)?;
    f.end_node(node).map(|()| debug_assert_eq!(row.what, What::Syscon))
}

/// Pairs of a processor's interrupt controller and one of its lines, for each processor and line.
fn wires(cpus: u32, lines: [u32; 2]) -> Vec<u32> {
    let of = |hart| lines.into_iter().flat_map(move |line| [phandle::CPU + hart, line]);
    (0..cpus).flat_map(of).collect()
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_string()).collect()
}

fn device(f: &mut FdtWriter, row: &Row, n: u32, cpus: u32) -> Result<(), Error> {
    let (name, compatible): (&str, &[&str]) = match row.what {
        What::ResetRom => return Ok(()),
        What::Syscon => ("test", &["sifive,test1", "sifive,test0", "syscon"]),
        What::GoldfishRtc => ("rtc", &["google,goldfish-rtc"]),
        What::Clint => ("clint", &["sifive,clint0", "riscv,clint0"]),
        What::Plic { .. } => ("plic", &["sifive,plic-1.0.0", "riscv,plic0"]),
        What::Ns16550 { .. } => ("serial", &["ns16550a"]),
        What::Virtio => ("virtio_mmio", &["virtio,mmio"]),
    };
    let base = row.base + u64::from(n) * row.size;
    let node = f.begin_node(&format!("{name}@{base:x}"))?;
    f.property_string_list("compatible", list(compatible))?;
    f.property_array_u32("reg", &reg(base, row.size))?;
    if row.irq != 0 {
        f.property_u32("interrupts", row.irq + n)?;
        f.property_u32("interrupt-parent", phandle::PLIC)?;
    }
    match row.what {
        What::Syscon => f.property_phandle(phandle::SYSCON)?,
        What::Clint => f.property_array_u32("interrupts-extended", &wires(cpus, [3, 7]))?,
        What::Ns16550 { clock } => f.property_u32("clock-frequency", clock)?,
        What::Plic { sources } => {
            f.property_phandle(phandle::PLIC)?;
            f.property_u32("riscv,ndev", sources)?;
            f.property_null("interrupt-controller")?;
            f.property_u32("#interrupt-cells", 1)?;
            f.property_u32("#address-cells", 0)?;
            f.property_array_u32("interrupts-extended", &wires(cpus, [11, 9]))?;
        }
        _ => {}
    }
    f.end_node(node)
}
