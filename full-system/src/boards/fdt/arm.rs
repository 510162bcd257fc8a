//! Arm.

use vm_fdt::FdtWriter;

use super::super::{Row, Setup, What};
use super::{Chosen, Cpu, Error, list, memory, reg, write_chosen};
use crate::devices::pl061;

/// Numbers by which nodes refer to each other.
mod phandle {
    pub(super) const GIC: u32 = 1;
    pub(super) const CLOCK: u32 = 2;
    pub(super) const GPIO: u32 = 3;
}

/// First cell of an interrupt: a shared or a private one.
const SHARED: u32 = 0;
const PRIVATE: u32 = 1;
/// Last cell of an interrupt: active while high.
const LEVEL: u32 = 4;
/// Private interrupts of the timers, from 16 on: secure and not secure physical, virtual, of EL2.
const TIMERS: [u32; 4] = [13, 14, 11, 10];

/// The tree of an Arm board.
pub fn arm(setup: &Setup, cpu: &Cpu, chosen: &Chosen) -> Result<Vec<u8>, Error> {
    let mut f = FdtWriter::new()?;
    let root = f.begin_node("")?;
    f.property_u32("#address-cells", 2)?;
    f.property_u32("#size-cells", 2)?;
    f.property_string("compatible", "linux,dummy-virt")?;
    f.property_string("model", "linux,dummy-virt")?;
    f.property_u32("interrupt-parent", phandle::GIC)?;
    f.property_null("dma-coherent")?;
    write_chosen(&mut f, setup, chosen, |row| format!("/pl011@{:x}", row.base))?;
    memory(&mut f, setup)?;
    psci(&mut f)?;
    write_cpus(&mut f, setup.cpus, cpu)?;
    timer(&mut f, setup)?;
    clock(&mut f)?;
    gic(&mut f, setup)?;
    flash(&mut f, setup)?;
    for row in setup.rows() {
        for n in 0..row.count {
            if !row.what.is_serial() || chosen.serial {
                device(&mut f, row, n)?;
            }
        }
    }
    if setup.rows().any(|r| r.what == What::Pl061) {
        button(&mut f)?;
    }
    f.end_node(root)?;
    f.finish()
}

fn psci(f: &mut FdtWriter) -> Result<(), Error> {
    let node = f.begin_node("psci")?;
    f.property_string_list("compatible", list(&["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]))?;
    f.property_string("method", "hvc")?;
    f.end_node(node)
}

fn write_cpus(f: &mut FdtWriter, cpus: u32, cpu: &Cpu) -> Result<(), Error> {
    let node = f.begin_node("cpus")?;
    // The highest affinity field would need a second cell.
    f.property_u32("#address-cells", 1)?;
    f.property_u32("#size-cells", 0)?;
    for n in 0..cpus {
        let number = cpu.numbers.get(n as usize).map_or(n, |&number| number as u32);
        let one = f.begin_node(&format!("cpu@{number:x}"))?;
        f.property_string("device_type", "cpu")?;
        f.property_u32("reg", number)?;
        f.property_string("compatible", &cpu.compatible)?;
        if cpus > 1 {
            f.property_string("enable-method", "psci")?;
        }
        f.end_node(one)?;
    }
    f.end_node(node)
}

fn timer(f: &mut FdtWriter, setup: &Setup) -> Result<(), Error> {
    let node = f.begin_node("timer")?;
    f.property_string_list("compatible", list(&["arm,armv8-timer", "arm,armv7-timer"]))?;
    f.property_null("always-on")?;
    // Version 2 says which processors an interrupt belongs to.
    let processors = if setup.gic == 2 { ((1 << setup.cpus) - 1) << 8 } else { 0 };
    let cells = TIMERS.iter().flat_map(|&n| [PRIVATE, n, LEVEL | processors]);
    f.property_array_u32("interrupts", &cells.collect::<Vec<_>>())?;
    f.end_node(node)
}

fn clock(f: &mut FdtWriter) -> Result<(), Error> {
    let node = f.begin_node("apb-pclk")?;
    f.property_string("compatible", "fixed-clock")?;
    f.property_u32("#clock-cells", 0)?;
    f.property_u32("clock-frequency", 24_000_000)?;
    f.property_string("clock-output-names", "clk24mhz")?;
    f.property_phandle(phandle::CLOCK)?;
    f.end_node(node)
}

fn gic(f: &mut FdtWriter, setup: &Setup) -> Result<(), Error> {
    let part = |r: &&Row| {
        use What::{GicDistributor, GicInterfaces, GicRedistributors};
        matches!(r.what, GicDistributor { .. } | GicInterfaces | GicRedistributors)
    };
    let parts: Vec<_> = setup.rows().filter(part).collect();
    let Some(first) = parts.first() else { return Ok(()) };
    let node = f.begin_node(&format!("intc@{:x}", first.base))?;
    let compatible = if setup.gic == 2 { "arm,cortex-a15-gic" } else { "arm,gic-v3" };
    f.property_string("compatible", compatible)?;
    f.property_null("interrupt-controller")?;
    f.property_u32("#interrupt-cells", 3)?;
    f.property_u32("#address-cells", 2)?;
    f.property_u32("#size-cells", 2)?;
    f.property_null("ranges")?;
    if setup.gic == 3 {
        f.property_u32("#redistributor-regions", 1)?;
    }
    let regions = parts.iter().flat_map(|r| match r.what {
        What::GicRedistributors => reg(r.base, r.size.min(setup.redistributors())),
        _ => reg(r.base, r.size),
    });
    f.property_array_u32("reg", &regions.collect::<Vec<_>>())?;
    f.property_phandle(phandle::GIC)?;
    f.end_node(node)
}

/// One node for both, as on QEMU's board.
fn flash(f: &mut FdtWriter, setup: &Setup) -> Result<(), Error> {
    let flash = |r: &&Row| matches!(r.what, What::FirmwareFlash | What::Flash);
    let rows: Vec<_> = setup.rows().filter(flash).collect();
    let Some(first) = rows.first() else { return Ok(()) };
    let node = f.begin_node(&format!("flash@{:x}", first.base))?;
    f.property_string("compatible", "cfi-flash")?;
    let regions = rows.iter().flat_map(|r| reg(r.base, r.size));
    f.property_array_u32("reg", &regions.collect::<Vec<_>>())?;
    f.property_u32("bank-width", 4)?;
    f.end_node(node)
}

/// The power button at its line, which is high while it is pressed.
fn button(f: &mut FdtWriter) -> Result<(), Error> {
    /// `KEY_POWER` of `linux/input-event-codes.h`.
    const KEY_POWER: u32 = 116;
    let keys = f.begin_node("gpio-keys")?;
    f.property_string("compatible", "gpio-keys")?;
    let power = f.begin_node("poweroff")?;
    f.property_string("label", "GPIO Key Poweroff")?;
    f.property_u32("linux,code", KEY_POWER)?;
    f.property_array_u32("gpios", &[phandle::GPIO, pl061::BUTTON, 0])?;
    f.end_node(power)?;
    f.end_node(keys)
}

fn device(f: &mut FdtWriter, row: &Row, n: u32) -> Result<(), Error> {
    let (name, compatible, clocks): (&str, &[&str], &[&str]) = match row.what {
        What::Pl011 => ("pl011", &["arm,pl011", "arm,primecell"], &["uartclk", "apb_pclk"]),
        What::Pl031 => ("pl031", &["arm,pl031", "arm,primecell"], &["apb_pclk"]),
        What::Pl061 => ("pl061", &["arm,pl061", "arm,primecell"], &["apb_pclk"]),
        What::Virtio => ("virtio_mmio", &["virtio,mmio"], &[]),
        What::FwCfg => ("fw-cfg", &["qemu,fw-cfg-mmio"], &[]),
        _ => return Ok(()),
    };
    let base = row.base + u64::from(n) * row.size;
    let node = f.begin_node(&format!("{name}@{base:x}"))?;
    f.property_string_list("compatible", list(compatible))?;
    f.property_array_u32("reg", &reg(base, row.size))?;
    if row.irq != 0 {
        // Those of virtio are edges on QEMU's board, but levels here, and Linux asks for what it is told.
        f.property_array_u32("interrupts", &[SHARED, row.irq + n, LEVEL])?;
    }
    if matches!(row.what, What::Virtio | What::FwCfg) {
        f.property_null("dma-coherent")?;
    }
    if row.what == What::Pl061 {
        f.property_u32("#gpio-cells", 2)?;
        f.property_null("gpio-controller")?;
        f.property_u32("#interrupt-cells", 2)?;
        f.property_null("interrupt-controller")?;
        f.property_phandle(phandle::GPIO)?;
    }
    if !clocks.is_empty() {
        f.property_array_u32("clocks", &vec![phandle::CLOCK; clocks.len()])?;
        f.property_string_list("clock-names", list(clocks))?;
    }
    f.end_node(node)
}
