//! The redistributors' registers.

mod spec;

use std::sync::Arc;

use self::spec::{ROWS, Reg, Typer, Waker};
use super::{Gicv3, REDISTRIBUTOR};
use crate::bus::Mmio;
use crate::devices::gic::{Bits, Lanes};
use crate::devices::registers;

/// The registers of all of them.
pub(super) struct Redistributors(pub(super) Arc<Gicv3>);

impl Redistributors {
    /// Which processor's an offset is, and the offset among its own.
    fn find(&self, offset: u64) -> Option<(usize, u64)> {
        let cpu = (offset / REDISTRIBUTOR) as usize;
        let there = cpu < self.0.cpus.len();
        if !there {
            log::debug!(target: "guest_errors", "gicv3: no redistributor at {offset:#x}");
        }
        there.then_some((cpu, offset % REDISTRIBUTOR))
    }

    /// Affinity and number of a processor, and whether it is the last.
    fn typer(&self, cpu: usize) -> u64 {
        let a = self.0.cpus[cpu].affinity;
        let last = if cpu + 1 == self.0.cpus.len() { Typer::LAST.mask() } else { 0 };
        let affinity = a >> 32 << 24 | a & 0xff_ffff;
        affinity << 32 | (cpu as u64) << 8 | u64::from(last)
    }
}

impl Mmio for Redistributors {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((cpu, offset)) = self.find(offset) else { return 0 };
        let Some((reg, n, byte)) = registers::access("gicv3", ROWS, offset, false) else {
            return 0;
        };
        let s = self.0.state.lock();
        let value = match reg {
            Reg::Typer => return self.typer(cpu) >> (8 * byte),
            Reg::Waker => {
                let both = Waker::PROCESSOR_SLEEP.mask() | Waker::CHILDREN_ASLEEP.mask();
                if s.asleep[cpu] { both } else { 0 }
            }
            Reg::Igroupr0 => s.irqs.bits(Bits::Group, cpu, 0),
            Reg::Isenabler0 | Reg::Icenabler0 => s.irqs.bits(Bits::Enabled, cpu, 0),
            Reg::Ispendr0 | Reg::Icpendr0 => s.irqs.bits(Bits::Pending, cpu, 0),
            Reg::Isactiver0 | Reg::Icactiver0 => s.irqs.bits(Bits::Active, cpu, 0),
            Reg::Ipriorityr => s.irqs.priorities(cpu, n),
            Reg::Icfgr => s.irqs.triggers(cpu, n),
            Reg::Ctlr | Reg::Statusr | Reg::Igrpmodr0 | Reg::Nsacr => 0,
            _ => registers::constant(ROWS, offset),
        };
        u64::from(value) >> (8 * (byte & 3))
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let Some((cpu, offset)) = self.find(offset) else { return };
        let Some((reg, n, byte)) = registers::access("gicv3", ROWS, offset, true) else { return };
        let lanes = Lanes::new(byte, size, value);
        let s = &mut *self.0.state.lock();
        match reg {
            Reg::Waker => s.asleep[cpu] = Waker::PROCESSOR_SLEEP.is_set(lanes.value),
            Reg::Igroupr0 => s.irqs.put(Bits::Group, cpu, 0, lanes),
            Reg::Isenabler0 => s.irqs.set(Bits::Enabled, cpu, 0, lanes),
            Reg::Icenabler0 => s.irqs.clear(Bits::Enabled, cpu, 0, lanes),
            Reg::Ispendr0 => s.irqs.set(Bits::Pending, cpu, 0, lanes),
            Reg::Icpendr0 => s.irqs.clear(Bits::Pending, cpu, 0, lanes),
            Reg::Isactiver0 => s.irqs.set(Bits::Active, cpu, 0, lanes),
            Reg::Icactiver0 => s.irqs.clear(Bits::Active, cpu, 0, lanes),
            Reg::Ipriorityr => s.irqs.set_priorities(cpu, n, lanes),
            Reg::Icfgr => s.irqs.set_triggers(cpu, n, lanes),
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
