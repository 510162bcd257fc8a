//! The distributor's registers.

mod spec;

use std::sync::Arc;

use self::spec::{Ctlr, ROWS, Reg, Typer};
use super::{AFFINITY, Gic, Gicv3, shared, shared_bits};
use crate::bus::Mmio;
use crate::devices::gic::{Bits, Lanes, PRIVATE};
use crate::devices::registers;

/// The registers.
pub(super) struct Distributor(pub(super) Arc<Gicv3>);

/// Which groups its control register forwards.
pub(super) fn groups(control: u32) -> [bool; 2] {
    [Ctlr::ENABLE_GROUP0.is_set(control), Ctlr::ENABLE_GROUP1.is_set(control)]
}

/// Where the route of interrupt `n` is kept.
fn route(s: &mut Gic, n: usize) -> Option<&mut u64> {
    s.routes.get_mut(n.checked_sub(PRIVATE as usize)?)
}

impl Mmio for Distributor {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, n, byte)) = registers::access("gicv3", ROWS, offset, false) else {
            return 0;
        };
        let s = &mut *self.0.state.lock();
        let value = match reg {
            Reg::Ctlr => s.control | Ctlr::ARE.mask() | Ctlr::DS.mask(),
            Reg::Typer => {
                // Numbers of interrupts have 10 bits.
                (s.irqs.count() / 32 - 1) | 9 << 19 | Typer::A3V.mask() | Typer::NO_1N.mask()
            }
            Reg::Igroupr => shared_bits(s, Bits::Group, n),
            Reg::Isenabler | Reg::Icenabler => shared_bits(s, Bits::Enabled, n),
            Reg::Ispendr | Reg::Icpendr => shared_bits(s, Bits::Pending, n),
            Reg::Isactiver | Reg::Icactiver => shared_bits(s, Bits::Active, n),
            Reg::Ipriorityr if n >= 8 => s.irqs.priorities(0, n),
            Reg::Icfgr if n >= 2 => s.irqs.triggers(0, n),
            Reg::Irouter => {
                let route = route(s, n).map_or(0, |r| *r);
                return route >> (8 * byte);
            }
            Reg::Statusr
            | Reg::Ipriorityr
            | Reg::Itargetsr
            | Reg::Icfgr
            | Reg::Igrpmodr
            | Reg::Nsacr
            | Reg::Sgir => 0,
            _ => registers::constant(ROWS, offset),
        };
        u64::from(value) >> (8 * (byte & 3))
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let Some((reg, n, byte)) = registers::access("gicv3", ROWS, offset, true) else { return };
        let lanes = Lanes::new(byte, size, value);
        let s = &mut *self.0.state.lock();
        let word = shared(n);
        match (reg, word) {
            (Reg::Ctlr, _) => s.control = lanes.over(s.control) & 3,
            (Reg::Igroupr, Some(n)) => s.irqs.put(Bits::Group, 0, n, lanes),
            (Reg::Isenabler, Some(n)) => s.irqs.set(Bits::Enabled, 0, n, lanes),
            (Reg::Icenabler, Some(n)) => s.irqs.clear(Bits::Enabled, 0, n, lanes),
            (Reg::Ispendr, Some(n)) => s.irqs.set(Bits::Pending, 0, n, lanes),
            (Reg::Icpendr, Some(n)) => s.irqs.clear(Bits::Pending, 0, n, lanes),
            (Reg::Isactiver, Some(n)) => s.irqs.set(Bits::Active, 0, n, lanes),
            (Reg::Icactiver, Some(n)) => s.irqs.clear(Bits::Active, 0, n, lanes),
            (Reg::Ipriorityr, _) if n >= 8 => s.irqs.set_priorities(0, n, lanes),
            (Reg::Icfgr, _) if n >= 2 => s.irqs.set_triggers(0, n, lanes),
            (Reg::Irouter, _) => {
                if let Some(route) = route(s, n) {
                    let shift = 8 * (byte & 4);
                    let mask = u64::from(lanes.mask) << shift;
                    *route = (*route & !mask | u64::from(lanes.value) << shift) & AFFINITY;
                    self.0.route(s, n as u32);
                }
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
