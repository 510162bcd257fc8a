//! The platform-level interrupt controller.
//!
//! Sources are levels. The gateway of a source hands on one request, which stays pending until it is claimed, and
//! hands on the next after completion, when the level is still (or again) high.

mod spec;

use std::sync::Arc;

use self::spec::{CLAIM, ENABLE_WORDS, ROWS, Reg};
use super::registers;
use super::{State, device};
use crate::bus::Mmio;
use crate::irq::{CpuLines, Inputs};
use crate::snapshot::{RestoreError, state};

/// Number of the machine external interrupt line.
const MEIP: u32 = 11;
/// Number of the supervisor external interrupt line.
const SEIP: u32 = 9;
/// Bits of a priority that exist.
const PRIORITY: u32 = 7;

state! {
    /// All of it; words of bits have source 0 as lowest bit of the first.
    pub struct Sources version 1 {
        priority: Vec<u32>,
        level: Vec<u32>,
        pending: Vec<u32>,
        claimed: Vec<u32>,
        enable: Vec<Vec<u32>>,
        threshold: Vec<u32>,
    }
}

/// The controller, with a machine and a supervisor context for each hart, in this order.
pub struct Plic {
    state: State<Sources>,
    sources: usize,
    cpus: Vec<Arc<CpuLines>>,
}

device!(Plic, Sources);

impl Plic {
    /// A controller for sources 1 to `sources`.
    pub fn new(sources: u32, cpus: Vec<Arc<CpuLines>>) -> Arc<Plic> {
        let sources = (sources as usize + 1).min(1024);
        let plic = Plic { state: State::default(), sources, cpus };
        *plic.state.lock() = plic.initial();
        Arc::new(plic)
    }

    fn initial(&self) -> Sources {
        let words = vec![0; self.sources.div_ceil(32)];
        let contexts = 2 * self.cpus.len();
        Sources {
            priority: vec![0; self.sources],
            level: words.clone(),
            pending: words.clone(),
            claimed: words.clone(),
            enable: vec![words; contexts],
            threshold: vec![0; contexts],
        }
    }

    fn check(&self, s: &Sources) -> Result<(), RestoreError> {
        let shape = |s: &Sources| {
            let enable: Vec<_> = s.enable.iter().map(Vec::len).collect();
            (
                s.priority.len(),
                s.level.len(),
                s.pending.len(),
                s.claimed.len(),
                enable,
                s.threshold.len(),
            )
        };
        if shape(s) == shape(&self.initial()) { Ok(()) } else { Err(RestoreError::Value) }
    }

    /// Requests pass the gateways, and every context's line shows whether one is there for it.
    fn settle(&self, s: &mut Sources) {
        for ((pending, level), claimed) in s.pending.iter_mut().zip(&s.level).zip(&s.claimed) {
            *pending |= level & !claimed;
        }
        for (hart, cpu) in self.cpus.iter().enumerate() {
            cpu.set(MEIP, s.best(2 * hart).is_some());
            cpu.set(SEIP, s.best(2 * hart + 1).is_some());
        }
    }
}

impl Sources {
    /// The source to claim: of the highest priority above the threshold, the lowest number.
    fn best(&self, context: usize) -> Option<usize> {
        let mut best: Option<(u32, usize)> = None;
        for (word, (pending, enable)) in self.pending.iter().zip(&self.enable[context]).enumerate()
        {
            let mut bits = pending & enable;
            while bits != 0 {
                let source = 32 * word + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let priority = self.priority.get(source).copied().unwrap_or(0);
                if priority > best.map_or(self.threshold[context], |b| b.0) {
                    best = Some((priority, source));
                }
            }
        }
        best.map(|b| b.1)
    }

    fn claim(&mut self, context: usize) -> u32 {
        let Some(source) = self.best(context) else { return 0 };
        self.pending[source / 32] &= !(1 << (source % 32));
        self.claimed[source / 32] |= 1 << (source % 32);
        source as u32
    }

    /// Completion counts only for a source that is enabled for the context.
    fn complete(&mut self, context: usize, source: u32) {
        let (word, bit) = (source as usize / 32, 1 << (source % 32));
        if self.enable[context].get(word).is_some_and(|e| e & bit != 0) {
            self.claimed[word] &= !bit;
        }
    }
}

impl Mmio for Plic {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, index, byte)) = registers::access("plic", ROWS, offset, false) else {
            return 0;
        };
        let s = &mut *self.state.lock();
        let value = match reg {
            Reg::Priority => s.priority.get(index).copied(),
            Reg::Pending => s.pending.get(index).copied(),
            Reg::Enable => s
                .enable
                .get(index / ENABLE_WORDS)
                .and_then(|e| e.get(index % ENABLE_WORDS))
                .copied(),
            Reg::Context if index >= s.threshold.len() => None,
            Reg::Context if byte == 0 => Some(s.threshold[index]),
            Reg::Context if byte == CLAIM => {
                let source = s.claim(index);
                self.settle(s);
                Some(source)
            }
            Reg::Context => None,
        };
        value.unwrap_or(0).into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, index, byte)) = registers::access("plic", ROWS, offset, true) else {
            return;
        };
        let value = value as u32;
        let s = &mut *self.state.lock();
        match reg {
            // Source 0 does not exist.
            Reg::Priority if index > 0 => {
                s.priority.get_mut(index).into_iter().for_each(|p| *p = value & PRIORITY);
            }
            Reg::Enable => {
                let first = if index % ENABLE_WORDS == 0 { !1 } else { !0 };
                let words = s.enable.get_mut(index / ENABLE_WORDS);
                let word = words.and_then(|e| e.get_mut(index % ENABLE_WORDS));
                word.into_iter().for_each(|w| *w = value & first);
            }
            Reg::Context if index >= s.threshold.len() => {}
            Reg::Context if byte == 0 => s.threshold[index] = value & PRIORITY,
            Reg::Context if byte == CLAIM => s.complete(index, value),
            Reg::Priority | Reg::Pending | Reg::Context => {}
        }
        self.settle(s);
    }
}

impl Inputs for Plic {
    fn set_input(&self, number: u32, level: bool) {
        let s = &mut *self.state.lock();
        let number = number as usize;
        if number == 0 || number >= self.sources {
            return;
        }
        let bit = 1 << (number % 32);
        if level {
            s.level[number / 32] |= bit;
        } else {
            s.level[number / 32] &= !bit;
        }
        self.settle(s);
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::check;
    use super::*;

    const CONTEXT: u64 = 0x20_0000;

    fn plic() -> (Arc<Plic>, Vec<Arc<CpuLines>>) {
        let cpus: Vec<_> = (0..2).map(|_| Arc::new(CpuLines::new())).collect();
        (Plic::new(95, cpus.clone()), cpus)
    }

    #[test]
    fn rows_hold() {
        check::rows(&*plic().0, ROWS, 4);
    }

    #[test]
    fn claims_by_priority_and_waits_for_completion() {
        let (p, cpus) = plic();
        p.write(4 * 10, 4, 1);
        p.write(4 * 33, 4, 2);
        p.write(0x2080, 4, 1 << 10);
        p.write(0x2084, 4, 1 << 1);
        p.set_input(10, true);
        p.set_input(33, true);
        assert_eq!((cpus[0].levels(), cpus[1].levels()), (1 << SEIP, 0));
        assert_eq!((p.read(0x1000, 4), p.read(0x1004, 4)), (1 << 10, 2));
        assert_eq!(p.read(CONTEXT + 0x1004, 4), 33, "the higher priority first");
        assert_eq!(p.read(CONTEXT + 0x1004, 4), 10);
        assert_eq!(p.read(CONTEXT + 0x1004, 4), 0);
        assert_eq!(cpus[0].levels(), 0);
        p.set_input(10, false);
        p.write(CONTEXT + 0x1004, 4, 10);
        assert_eq!(cpus[0].levels(), 0, "low at completion: no more requests");
        p.write(CONTEXT + 0x1004, 4, 33);
        assert_eq!(cpus[0].levels(), 1 << SEIP, "still high: requested again");
    }

    #[test]
    fn thresholds_and_disabled_sources_hold_back() {
        let (p, cpus) = plic();
        p.write(4, 4, 3);
        p.write(0x2000 + 0x100, 4, 3);
        p.set_input(1, true);
        assert_eq!(cpus[1].levels(), 1 << MEIP);
        p.write(CONTEXT + 0x2000, 4, 3);
        assert_eq!(cpus[1].levels(), 0);
        p.write(CONTEXT + 0x2000, 4, 2);
        assert_eq!(cpus[1].levels(), 1 << MEIP);
        p.write(0x2000 + 0x100, 4, 1);
        assert_eq!(cpus[1].levels(), 0);
    }
}
