//! The generic interrupt controller, version 3: a distributor, a redistributor for each processor, and the processors'
//! interfaces, which are system registers. Affinity routing always, one security state; no message-signalled
//! interrupts, no interrupts that any of several processors takes.

mod distributor;
mod redistributors;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::distributor::Distributor;
use self::redistributors::Redistributors;
use self::spec::Reg;
use super::gic::{Bits, Candidate, Interface, Interrupts, NONE, PRIORITY_BITS, PRIVATE, signal};
use super::{State, device};
use crate::bus::Mmio;
use crate::irq::{CpuLines, Inputs, PrivateInputs};
use crate::snapshot::{RestoreError, state};

/// Bytes of one redistributor's registers.
pub const REDISTRIBUTOR: u64 = 0x2_0000;
/// Bits of an affinity value, which has the highest field apart.
const AFFINITY: u64 = 0xff_00ff_ffff;
/// A target that is no processor's.
const NOBODY: u32 = u32::MAX;

state! {
    /// All of it.
    pub struct Gic version 1 {
        irqs: Interrupts = Interrupts::new(1, PRIVATE),
        control: u32,
        /// Affinities that shared interrupts are sent to; the processors among them are targets.
        routes: Vec<u64>,
        /// Redistributors asleep.
        asleep: Vec<bool>,
        cpus: Vec<Interface>,
    }
}

/// A processor as the controller knows it.
#[derive(Clone)]
pub struct Target {
    /// Its interrupt lines.
    pub lines: Arc<CpuLines>,
    /// Its affinity fields, as in `MPIDR_EL1`.
    pub affinity: u64,
}

/// The controller.
pub struct Gicv3 {
    state: State<Gic>,
    /// Interrupts, the private ones included.
    count: u32,
    cpus: Vec<Target>,
}

device!(Gicv3, Gic);

impl Gicv3 {
    /// A controller with `shared` interrupts for devices, rounded up to a multiple of 32, for these processors.
    pub fn new(shared: u32, cpus: Vec<Target>) -> Arc<Gicv3> {
        let count = (PRIVATE + shared).next_multiple_of(32).min(1020 / 32 * 32);
        let gic = Gicv3 { state: State::default(), count, cpus };
        *gic.state.lock() = gic.initial();
        Arc::new(gic)
    }

    /// The distributor's registers.
    pub fn distributor(self: &Arc<Self>) -> Arc<dyn Mmio> {
        Arc::new(Distributor(self.clone()))
    }

    /// The redistributors' registers, one after the other.
    pub fn redistributors(self: &Arc<Self>) -> Arc<dyn Mmio> {
        Arc::new(Redistributors(self.clone()))
    }

    fn initial(&self) -> Gic {
        let cpus = self.cpus.len();
        let mut gic = Gic {
            irqs: Interrupts::new(cpus, self.count),
            control: 0,
            routes: vec![0; (self.count - PRIVATE) as usize],
            asleep: vec![true; cpus],
            cpus: vec![Interface::default(); cpus],
        };
        for number in PRIVATE..self.count {
            self.route(&mut gic, number);
        }
        gic
    }

    fn check(&self, s: &Gic) -> Result<(), RestoreError> {
        let initial = self.initial();
        let lengths = |s: &Gic| (s.routes.len(), s.asleep.len(), s.cpus.len());
        let fits = s.irqs.fits(&initial.irqs) && lengths(s) == lengths(&initial);
        if fits { Ok(()) } else { Err(RestoreError::Value) }
    }

    fn settle(&self, s: &mut Gic) {
        for (n, cpu) in self.cpus.iter().enumerate() {
            let urgent = s.urgent(n);
            let group = |group| urgent.is_some_and(|c| c.group == group);
            signal(&cpu.lines, group(1), group(0));
        }
    }

    fn cpu_at(&self, affinity: u64) -> Option<usize> {
        self.cpus.iter().position(|c| c.affinity & AFFINITY == affinity)
    }

    /// Makes the processor at the affinity of a shared interrupt its target.
    fn route(&self, s: &mut Gic, number: u32) {
        let Some(route) = s.routes.get((number - PRIVATE) as usize) else { return };
        let cpu = self.cpu_at(route & AFFINITY);
        if let Some(target) = s.irqs.target(number) {
            *target = cpu.map_or(NOBODY, |cpu| cpu as u32);
        }
    }

    /// Generates an interrupt of a group for other processors, as a write of `ICC_SGIxR_EL1` says.
    fn generate(&self, s: &mut Gic, from: usize, group: usize, value: u64) {
        let number = (value >> 24 & 0xf) as u32;
        let byte = |at: u32| value >> at & 0xff;
        let cluster = byte(48) << 32 | byte(32) << 16 | byte(16) << 8;
        let first = 16 * (value >> 44 & 0xf);
        let everybody = value >> 40 & 1 != 0;
        for (n, cpu) in self.cpus.iter().enumerate() {
            let low = (cpu.affinity & 0xff).wrapping_sub(first);
            let listed =
                cpu.affinity & AFFINITY & !0xff == cluster && low < 16 && value >> low & 1 != 0;
            let sent = if everybody { n != from } else { listed };
            if sent && s.irqs.group(n, number) == group {
                s.irqs.latch(n, number);
            }
        }
    }
}

impl Gic {
    fn best(&self, cpu: usize) -> Option<Candidate> {
        let [forwarded, passing] = [distributor::groups(self.control), self.cpus[cpu].enabled];
        let groups = [forwarded[0] && passing[0], forwarded[1] && passing[1]];
        self.irqs.best(cpu, groups, |target| target as usize == cpu)
    }

    /// What interrupts the processor.
    fn urgent(&self, cpu: usize) -> Option<Candidate> {
        self.best(cpu).filter(|c| self.cpus[cpu].takes(c))
    }

    fn acknowledge(&mut self, cpu: usize, group: usize) -> u32 {
        let Some(c) = self.urgent(cpu).filter(|c| c.group == group) else { return NONE };
        self.cpus[cpu].start(&c);
        self.irqs.acknowledge(cpu, c.number);
        c.number
    }

    fn end(&mut self, cpu: usize, group: usize, number: u32) {
        if number >= self.irqs.count() || self.cpus[cpu].running_group() != Some(group) {
            // Nothing of the group runs, or what a handler that found nothing may write.
            return;
        }
        self.cpus[cpu].drop_priority(group);
        if !self.cpus[cpu].split {
            self.irqs.deactivate(cpu, number);
        }
    }
}

/// `ICC_CTLR_EL1`: what can be written.
mod ctlr {
    /// One binary point for both groups.
    pub(super) const COMMON: u64 = 1;
    /// The end of an interrupt drops its priority only.
    pub(super) const SPLIT: u64 = 1 << 1;
    /// Bits of a priority that exist, less one.
    pub(super) const PRIORITY_BITS: u64 = (super::PRIORITY_BITS as u64 - 1) << 8;
    /// Affinities have four fields.
    pub(super) const A3V: u64 = 1 << 15;
}

impl PrivateInputs for Gicv3 {
    fn set_private(&self, cpu: usize, number: u32, level: bool) {
        let s = &mut *self.state.lock();
        if number < PRIVATE {
            s.irqs.set_level(cpu, number, level);
            self.settle(s);
        }
    }

    fn register(&self, cpu: usize, reg: u16) -> Option<u64> {
        let reg = Reg::find(reg).filter(|r| r.reads())?;
        let s = &mut *self.state.lock();
        let i = s.cpus.get(cpu)?;
        Some(match reg {
            Reg::Pmr => i.mask.into(),
            Reg::Iar(group) => {
                let number = s.acknowledge(cpu, group);
                self.settle(s);
                number.into()
            }
            Reg::Hppir(group) => {
                s.best(cpu).filter(|c| c.group == group).map_or(NONE, |c| c.number).into()
            }
            Reg::Bpr(group) => i.point(group).into(),
            Reg::Apr(group, 0) => i.active[group].into(),
            Reg::Rpr => i.running().into(),
            Reg::Ctlr => {
                let common = if i.common { ctlr::COMMON } else { 0 };
                let split = if i.split { ctlr::SPLIT } else { 0 };
                common | split | ctlr::PRIORITY_BITS | ctlr::A3V
            }
            // System registers, and the lines of older interfaces are not passed by.
            Reg::Sre => 7,
            Reg::Igrpen(group) => i.enabled[group].into(),
            Reg::Apr(..) | Reg::Eoir(_) | Reg::Dir | Reg::Sgir(_) => 0,
        })
    }

    fn set_register(&self, cpu: usize, reg: u16, value: u64) -> bool {
        let Some(reg) = Reg::find(reg).filter(|r| r.writes()) else { return false };
        let s = &mut *self.state.lock();
        let Some(i) = s.cpus.get_mut(cpu) else { return false };
        let number = (value & 0xff_ffff) as u32;
        match reg {
            Reg::Pmr => i.set_mask(value as u8),
            Reg::Eoir(group) => s.end(cpu, group, number),
            Reg::Bpr(group) => i.set_point(group, value as u8),
            Reg::Apr(group, 0) => i.active[group] = value as u32,
            Reg::Dir if i.split => s.irqs.deactivate(cpu, number),
            Reg::Sgir(group) => self.generate(s, cpu, group, value),
            Reg::Ctlr => {
                i.common = value & ctlr::COMMON != 0;
                i.split = value & ctlr::SPLIT != 0;
            }
            Reg::Igrpen(group) => i.enabled[group] = value & 1 != 0,
            Reg::Apr(..) | Reg::Dir | Reg::Sre | Reg::Iar(_) | Reg::Hppir(_) | Reg::Rpr => {}
        }
        self.settle(s);
        true
    }
}

impl Inputs for Gicv3 {
    /// Input `number` is shared interrupt `number`, which the registers count from 32.
    fn set_input(&self, number: u32, level: bool) {
        let s = &mut *self.state.lock();
        s.irqs.set_level(0, number.saturating_add(PRIVATE), level);
        self.settle(s);
    }
}

/// Private interrupts are the redistributors', and do not show in the distributor.
fn shared(word: usize) -> Option<usize> {
    (word > 0).then_some(word)
}

/// Reads 32 bits of those that are shared.
fn shared_bits(s: &Gic, bits: Bits, word: usize) -> u32 {
    shared(word).map_or(0, |word| s.irqs.bits(bits, 0, word))
}
