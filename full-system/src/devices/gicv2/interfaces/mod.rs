//! The registers of a processor's interface.

mod spec;

use std::sync::Arc;

use self::spec::{Ctlr, ROWS, Reg};
use super::Gicv2;
use crate::bus::Mmio;
use crate::devices::registers;

/// The registers of all of them.
pub(super) struct Interfaces(pub(super) Arc<Gicv2>);

/// Whether a control register tells interrupts of group 0 apart.
pub(super) fn fast(control: u32) -> bool {
    Ctlr::FIQ.is_set(control)
}

/// Whether registers for group 0 show group 1 as well.
pub(super) fn acknowledges_both(control: u32) -> bool {
    Ctlr::ACK_CTL.is_set(control)
}

impl Mmio for Interfaces {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, n, _)) = registers::access("gicv2", ROWS, offset, false) else { return 0 };
        let cpu = self.0.accessing();
        let s = &mut *self.0.state.lock();
        let value = match reg {
            Reg::Ctlr => s.controls[cpu],
            Reg::Pmr => s.cpus[cpu].mask.into(),
            Reg::Bpr => s.cpus[cpu].point(0).into(),
            Reg::Abpr => s.cpus[cpu].point(1).into(),
            Reg::Rpr => s.cpus[cpu].running().into(),
            Reg::Iar | Reg::Aiar => {
                let value = s.acknowledge(cpu, reg == Reg::Aiar);
                self.0.settle(s);
                value
            }
            Reg::Hppir | Reg::Ahppir => s.highest_pending(cpu, reg == Reg::Ahppir),
            Reg::Apr if n == 0 => s.cpus[cpu].active[0],
            Reg::Nsapr if n == 0 => s.cpus[cpu].active[1],
            Reg::Apr | Reg::Nsapr => 0,
            _ => registers::constant(ROWS, offset),
        };
        value.into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, n, _)) = registers::access("gicv2", ROWS, offset, true) else { return };
        let value = value as u32;
        let cpu = self.0.accessing();
        let s = &mut *self.0.state.lock();
        match reg {
            Reg::Ctlr => {
                s.controls[cpu] = value & 0x3ff;
                let i = &mut s.cpus[cpu];
                i.enabled = [Ctlr::ENABLE_GROUP0.is_set(value), Ctlr::ENABLE_GROUP1.is_set(value)];
                i.common = Ctlr::COMMON.is_set(value);
                i.split = Ctlr::SPLIT.is_set(value);
            }
            Reg::Pmr => s.cpus[cpu].set_mask(value as u8),
            Reg::Bpr => s.cpus[cpu].set_point(0, value as u8),
            Reg::Abpr => s.cpus[cpu].set_point(1, value as u8),
            Reg::Eoir | Reg::Aeoir => s.end(cpu, value & 0x3ff),
            Reg::Dir if s.cpus[cpu].split => s.irqs.deactivate(cpu, value & 0x3ff),
            Reg::Apr if n == 0 => s.cpus[cpu].active[0] = value,
            Reg::Nsapr if n == 0 => s.cpus[cpu].active[1] = value,
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
