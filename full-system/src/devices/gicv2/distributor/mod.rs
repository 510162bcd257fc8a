//! The distributor's registers.

mod spec;

use std::sync::Arc;

use self::spec::{Ctlr, ROWS, Reg, Sgir};
use super::{GENERATED_BITS, Gicv2};
use crate::bus::Mmio;
use crate::devices::gic::{Bits, Lanes};
use crate::devices::registers;

/// The registers.
pub(super) struct Distributor(pub(super) Arc<Gicv2>);

/// Which groups its control register forwards.
pub(super) fn groups(control: u32) -> [bool; 2] {
    [Ctlr::ENABLE_GROUP0.is_set(control), Ctlr::ENABLE_GROUP1.is_set(control)]
}

impl Mmio for Distributor {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, n, byte)) = registers::access("gicv2", ROWS, offset, false) else {
            return 0;
        };
        let cpu = self.0.accessing();
        let s = &mut *self.0.state.lock();
        let value = match reg {
            Reg::Ctlr => s.control,
            Reg::Typer => (s.irqs.count() / 32 - 1) | (s.cpus.len() as u32 - 1) << 5,
            Reg::Igroupr => s.irqs.bits(Bits::Group, cpu, n),
            Reg::Isenabler | Reg::Icenabler => s.irqs.bits(Bits::Enabled, cpu, n),
            Reg::Ispendr | Reg::Icpendr => s.irqs.bits(Bits::Pending, cpu, n),
            Reg::Isactiver | Reg::Icactiver => s.irqs.bits(Bits::Active, cpu, n),
            Reg::Ipriorityr => s.irqs.priorities(cpu, n),
            // With one processor there is nothing to choose.
            Reg::Itargetsr if s.cpus.len() == 1 => 0,
            Reg::Itargetsr => s.targets(cpu, n),
            Reg::Icfgr => s.irqs.triggers(cpu, n),
            Reg::Cpendsgir | Reg::Spendsgir => s.source_word(cpu, n),
            Reg::Sgir => 0,
            _ => registers::constant(ROWS, offset),
        };
        u64::from(value) >> (8 * (byte & 3))
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let Some((reg, n, byte)) = registers::access("gicv2", ROWS, offset, true) else { return };
        let lanes = Lanes::new(byte, size, value);
        let cpu = self.0.accessing();
        let s = &mut *self.0.state.lock();
        match reg {
            Reg::Ctlr => s.control = lanes.over(s.control) & 3,
            Reg::Igroupr => s.irqs.put(Bits::Group, cpu, n, lanes),
            Reg::Isenabler => s.irqs.set(Bits::Enabled, cpu, n, lanes),
            Reg::Icenabler => {
                s.irqs.clear(Bits::Enabled, cpu, n, lanes);
                s.irqs.set(Bits::Enabled, cpu, 0, GENERATED_BITS);
            }
            // Generated interrupts become pending through their sources alone.
            Reg::Ispendr => s.irqs.set(Bits::Pending, cpu, n, lanes.without_generated(n)),
            Reg::Icpendr => s.irqs.clear(Bits::Pending, cpu, n, lanes.without_generated(n)),
            Reg::Isactiver => s.irqs.set(Bits::Active, cpu, n, lanes),
            Reg::Icactiver => s.irqs.clear(Bits::Active, cpu, n, lanes),
            Reg::Ipriorityr => s.irqs.set_priorities(cpu, n, lanes),
            Reg::Itargetsr => s.set_targets(n, lanes),
            Reg::Icfgr => s.irqs.set_triggers(cpu, n, lanes),
            Reg::Sgir => {
                let all = (1 << s.cpus.len()) - 1;
                let targets = match Sgir::FILTER.get(lanes.value) {
                    0 => Sgir::TARGETS.get(lanes.value) & all,
                    1 => all & !(1 << cpu),
                    2 => 1 << cpu,
                    _ => 0,
                };
                s.generate(cpu, targets, Sgir::INTID.get(lanes.value));
            }
            Reg::Cpendsgir => {
                lanes.bytes().for_each(|(b, v)| s.clear_sources(cpu, (4 * n + b) as u32, v));
            }
            Reg::Spendsgir => {
                lanes.bytes().for_each(|(b, v)| s.set_sources(cpu, (4 * n + b) as u32, v));
            }
            _ => {}
        }
        self.0.settle(s);
    }
}

/// Checks the rows against the registers.
#[cfg(test)]
pub(super) fn check_rows(device: &dyn Mmio) {
    registers::check::rows(device, ROWS, 4);
}
