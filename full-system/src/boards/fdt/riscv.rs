//! RISC-V.

use vm_fdt::FdtWriter;

use super::super::{Row, Setup, What};
use super::{Chosen, Cpu, Error, list, memory, reg, write_chosen};

/// Numbers by which nodes refer to each other.
mod phandle {
    pub(super) const PLIC: u32 = 1;
    pub(super) const SYSCON: u32 = 2;
    /// The interrupt controller of the first processor.
    pub(super) const CPU: u32 = 16;
}

/// Ticks of the `time` CSR in a second.
const TIMEBASE: u32 = 10_000_000;

/// The tree of a RISC-V board.
pub fn riscv(setup: &Setup, cpu: &Cpu, chosen: &Chosen) -> Result<Vec<u8>, Error> {
    let mut f = FdtWriter::new()?;
    let root = f.begin_node("")?;
    f.property_u32("#address-cells", 2)?;
    f.property_u32("#size-cells", 2)?;
    f.property_string("compatible", "riscv-virtio")?;
    f.property_string("model", "riscv-virtio,remu")?;
    write_chosen(&mut f, setup, chosen, |row| format!("/soc/serial@{:x}", row.base))?;
    memory(&mut f, setup)?;
    write_cpus(&mut f, setup.cpus, cpu)?;
    for row in setup.rows().filter(|r| r.what == What::Syscon) {
        syscon(&mut f, row, "poweroff", 0x5555)?;
        syscon(&mut f, row, "reboot", 0x7777)?;
    }
    let soc = f.begin_node("soc")?;
    f.property_u32("#address-cells", 2)?;
    f.property_u32("#size-cells", 2)?;
    f.property_string("compatible", "simple-bus")?;
    f.property_null("ranges")?;
    for row in setup.rows() {
        // The last of several comes first, as on QEMU's boards: kernels number devices in this order.
        for n in (0..row.count).rev() {
            if !row.what.is_serial() || chosen.serial {
                device(&mut f, row, n, setup.cpus)?;
            }
        }
    }
    f.end_node(soc)?;
    f.end_node(root)?;
    f.finish()
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

fn device(f: &mut FdtWriter, row: &Row, n: u32, cpus: u32) -> Result<(), Error> {
    let (name, compatible): (&str, &[&str]) = match row.what {
        What::ResetRom
        | What::GicDistributor { .. }
        | What::GicInterfaces
        | What::GicRedistributors
        | What::Pl011
        | What::Pl031
        | What::Pl061
        | What::FwCfg
        | What::FirmwareFlash
        | What::Flash => return Ok(()),
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
