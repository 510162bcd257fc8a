//! The generic interrupt controller, version 2: a distributor, and for each of up to eight processors an interface
//! among the registers in memory. Whose registers an access means depends on the processor that makes it.

mod distributor;
mod interfaces;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::distributor::Distributor;
use self::interfaces::Interfaces;
use super::gic::{Bits, Candidate, GENERATED, Interface, Interrupts, Lanes, NONE, PRIVATE, signal};
use super::{State, device};
use crate::bus::{self, Mmio};
use crate::irq::{CpuLines, Inputs, PrivateInputs};
use crate::snapshot::{RestoreError, state};

/// Processors at most: as many as target fields have bits.
pub const MOST_CPUS: usize = 8;
/// What is read where the interrupt to take is of the group that the register is not for.
const OTHER_GROUP: u32 = 1022;

state! {
    /// All of it.
    pub struct Gic version 1 {
        irqs: Interrupts = Interrupts::new(1, PRIVATE),
        control: u32,
        /// Processors that have generated an interrupt, a bit each: 16 interrupts of each processor in turn.
        sources: Vec<u8>,
        cpus: Vec<Interface>,
        /// Control registers of the interfaces.
        controls: Vec<u32>,
    }
}

/// The controller.
pub struct Gicv2 {
    state: State<Gic>,
    /// Interrupts, the private ones included.
    count: u32,
    cpus: Vec<Arc<CpuLines>>,
}

device!(Gicv2, Gic);

/// An interrupt that an interface shows.
#[derive(Clone, Copy)]
enum Shown {
    Nothing,
    /// Of the group that the register is not for.
    Other,
    This(Candidate),
}

impl Gicv2 {
    /// A controller with `shared` interrupts for devices, rounded up to a multiple of 32, for these processors: eight
    /// at most.
    pub fn new(shared: u32, cpus: Vec<Arc<CpuLines>>) -> Arc<Gicv2> {
        assert!(cpus.len() <= MOST_CPUS, "the board sees to that");
        let count = (PRIVATE + shared).next_multiple_of(32).min(1020 / 32 * 32);
        let gic = Gicv2 { state: State::default(), count, cpus };
        *gic.state.lock() = gic.initial();
        Arc::new(gic)
    }

    /// The distributor's registers.
    pub fn distributor(self: &Arc<Self>) -> Arc<dyn Mmio> {
        Arc::new(Distributor(self.clone()))
    }

    /// The interfaces' registers.
    pub fn interfaces(self: &Arc<Self>) -> Arc<dyn Mmio> {
        Arc::new(Interfaces(self.clone()))
    }

    fn initial(&self) -> Gic {
        let cpus = self.cpus.len();
        let mut irqs = Interrupts::new(cpus, self.count);
        for cpu in 0..cpus {
            irqs.set(Bits::Enabled, cpu, 0, GENERATED_BITS);
        }
        Gic {
            irqs,
            control: 0,
            sources: vec![0; cpus * GENERATED as usize],
            cpus: vec![Interface::default(); cpus],
            controls: vec![0; cpus],
        }
    }

    fn check(&self, s: &Gic) -> Result<(), RestoreError> {
        let initial = self.initial();
        let lengths = |s: &Gic| (s.sources.len(), s.cpus.len(), s.controls.len());
        let fits = s.irqs.fits(&initial.irqs) && lengths(s) == lengths(&initial);
        if fits { Ok(()) } else { Err(RestoreError::Value) }
    }

    fn settle(&self, s: &mut Gic) {
        for (n, lines) in self.cpus.iter().enumerate() {
            let best = s.urgent(n);
            // Only interrupts of group 0 can be told apart, and only when that is asked for.
            let fast = interfaces::fast(s.controls[n]);
            let fiq = best.is_some_and(|c| c.group == 0 && fast);
            signal(lines, best.is_some() && !fiq, fiq);
        }
    }

    /// The processor whose registers are meant.
    fn accessing(&self) -> usize {
        (bus::initiator() as usize).min(self.cpus.len() - 1)
    }
}

/// The enable bits of generated interrupts, which are always on.
const GENERATED_BITS: Lanes = Lanes { value: 0xffff, mask: 0xffff };

impl Gic {
    fn best(&self, cpu: usize) -> Option<Candidate> {
        let groups = distributor::groups(self.control);
        let enabled = self.cpus[cpu].enabled;
        let groups = [groups[0] && enabled[0], groups[1] && enabled[1]];
        let single = self.cpus.len() == 1;
        self.irqs.best(cpu, groups, |target| single || target >> cpu & 1 != 0)
    }

    /// What interrupts the processor.
    fn urgent(&self, cpu: usize) -> Option<Candidate> {
        self.best(cpu).filter(|c| self.cpus[cpu].takes(c))
    }

    /// What a register for all groups, or for group 1 alone, shows of an interrupt.
    fn shown(&self, cpu: usize, found: Option<Candidate>, only1: bool) -> Shown {
        let both = interfaces::acknowledges_both(self.controls[cpu]);
        match found {
            None => Shown::Nothing,
            Some(c) if only1 && c.group == 0 => Shown::Nothing,
            Some(c) if !only1 && c.group == 1 && !both => Shown::Other,
            Some(c) => Shown::This(c),
        }
    }

    fn source(&mut self, cpu: usize, number: u32) -> Option<&mut u8> {
        (number < GENERATED).then_some(())?;
        self.sources.get_mut(cpu * GENERATED as usize + number as usize)
    }

    /// The number with the lowest processor that generated the interrupt.
    fn with_source(&mut self, cpu: usize, number: u32) -> u32 {
        let from = self.source(cpu, number).map_or(0, |s| s.trailing_zeros() & 7);
        number | from << 10
    }

    fn acknowledge(&mut self, cpu: usize, only1: bool) -> u32 {
        let c = match self.shown(cpu, self.urgent(cpu), only1) {
            Shown::Nothing => return NONE,
            Shown::Other => return OTHER_GROUP,
            Shown::This(c) => c,
        };
        let value = self.with_source(cpu, c.number);
        self.cpus[cpu].start(&c);
        self.irqs.acknowledge(cpu, c.number);
        if let Some(sources) = self.source(cpu, c.number) {
            *sources &= sources.wrapping_sub(1);
            if *sources != 0 {
                self.irqs.latch(cpu, c.number);
            }
        }
        value
    }

    fn highest_pending(&mut self, cpu: usize, only1: bool) -> u32 {
        match self.shown(cpu, self.best(cpu), only1) {
            Shown::Nothing => NONE,
            Shown::Other => OTHER_GROUP,
            Shown::This(c) => self.with_source(cpu, c.number),
        }
    }

    fn end(&mut self, cpu: usize, number: u32) {
        if number >= self.irqs.count() {
            // 1023 is what a handler that found nothing may write.
            return;
        }
        let group = self.irqs.group(cpu, number);
        self.cpus[cpu].drop_priority(group);
        if !self.cpus[cpu].split {
            self.irqs.deactivate(cpu, number);
        }
    }

    fn generate(&mut self, from: usize, targets: u32, number: u32) {
        for cpu in (0..self.cpus.len()).filter(|cpu| targets >> cpu & 1 != 0) {
            self.set_sources(cpu, number, 1 << from);
        }
    }

    fn set_sources(&mut self, cpu: usize, number: u32, add: u8) {
        if let Some(sources) = self.source(cpu, number) {
            *sources |= add;
            if *sources != 0 {
                self.irqs.latch(cpu, number);
            }
        }
    }

    fn clear_sources(&mut self, cpu: usize, number: u32, gone: u8) {
        if let Some(sources) = self.source(cpu, number) {
            *sources &= !gone;
            if *sources == 0 {
                let lanes = Lanes { value: 1 << number, mask: 1 << number };
                self.irqs.clear(Bits::Pending, cpu, 0, lanes);
            }
        }
    }

    fn source_word(&self, cpu: usize, word: usize) -> u32 {
        let at = cpu * GENERATED as usize + 4 * word;
        u32::from_le_bytes(std::array::from_fn(|n| self.sources[at + n]))
    }

    /// Targets of four interrupts. Private ones have the processor that reads.
    fn targets(&mut self, cpu: usize, word: usize) -> u32 {
        let bytes = std::array::from_fn(|n| match 4 * word + n {
            private if private < PRIVATE as usize => 1 << cpu,
            number => self.irqs.target(number as u32).map_or(0, |t| *t as u8),
        });
        u32::from_le_bytes(bytes)
    }

    fn set_targets(&mut self, word: usize, lanes: Lanes) {
        let there = ((1u32 << self.cpus.len()) - 1) as u8;
        for (n, value) in lanes.bytes() {
            if let Some(target) = self.irqs.target((4 * word + n) as u32) {
                *target = u32::from(value & there);
            }
        }
    }
}

impl Inputs for Gicv2 {
    /// Input `number` is shared interrupt `number`, which the registers count from 32.
    fn set_input(&self, number: u32, level: bool) {
        let s = &mut *self.state.lock();
        s.irqs.set_level(0, number.saturating_add(PRIVATE), level);
        self.settle(s);
    }
}

impl PrivateInputs for Gicv2 {
    fn set_private(&self, cpu: usize, number: u32, level: bool) {
        let s = &mut *self.state.lock();
        if number < PRIVATE {
            s.irqs.set_level(cpu, number, level);
            self.settle(s);
        }
    }
}
