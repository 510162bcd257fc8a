//! Interrupts by number, as a distributor and redistributors keep them.

use super::{GENERATED, PRIORITY_BITS, PRIVATE};
use crate::snapshot::state;

state! {
    /// Interrupts. Words have 32 of them each: the private ones of each processor in turn, then the shared ones.
    pub(crate) struct Interrupts version 1 {
        cpus: u32,
        group: Vec<u32>,
        enabled: Vec<u32>,
        /// Pending by an edge, or because software said so.
        latched: Vec<u32>,
        level: Vec<u32>,
        active: Vec<u32>,
        /// Edge-triggered, else level-sensitive.
        edge: Vec<u32>,
        priority: Vec<u8>,
        /// Where shared interrupts go, in the controller's own terms.
        target: Vec<u32>,
    }
}

/// Bits that every interrupt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bits {
    /// In group 1.
    Group,
    /// Enabled.
    Enabled,
    /// Pending; what is written is the latch beside the level.
    Pending,
    /// Active.
    Active,
}

/// The part of a register that an access writes: the value where the register has it, and ones there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes {
    /// The value.
    pub(crate) value: u32,
    /// Bits that are written.
    pub(crate) mask: u32,
}

impl Lanes {
    /// `size` bytes of `value` at byte `byte` of a register.
    pub(crate) fn new(byte: u64, size: u8, value: u64) -> Lanes {
        let ones = u32::MAX >> (32 - 8 * u32::from(size.clamp(1, 4)));
        let mask = ones << (8 * (byte & 3));
        Lanes { value: ((value as u32) << (8 * (byte & 3))) & mask, mask }
    }

    /// `old` with what is written.
    pub(crate) fn over(self, old: u32) -> u32 {
        old & !self.mask | self.value
    }

    /// What is written beside the bits of generated interrupts, for word `word` of all.
    pub(crate) fn without_generated(self, word: usize) -> Lanes {
        let keep = if word == 0 { !((1 << GENERATED) - 1) } else { u32::MAX };
        Lanes { value: self.value & keep, mask: self.mask & keep }
    }

    /// The bytes that are written, with their places.
    pub(crate) fn bytes(self) -> impl Iterator<Item = (usize, u8)> {
        let [value, mask] = [self.value.to_le_bytes(), self.mask.to_le_bytes()];
        (0..4).filter(move |&n| mask[n] != 0).map(move |n| (n, value[n]))
    }
}

/// An interrupt that a processor could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its number.
    pub(crate) number: u32,
    /// Its priority; the lowest value is the most urgent.
    pub(crate) priority: u8,
    /// Its group, 0 or 1.
    pub(crate) group: usize,
}

impl Interrupts {
    /// `count` interrupts, a multiple of 32, the private ones included, of `cpus` processors.
    pub(crate) fn new(cpus: usize, count: u32) -> Interrupts {
        let words = cpus + (count / 32) as usize - 1;
        let none = vec![0; words];
        let mut edge = none.clone();
        // Generated ones have no level.
        edge[..cpus].fill((1 << GENERATED) - 1);
        Interrupts {
            cpus: cpus as u32,
            group: none.clone(),
            enabled: none.clone(),
            latched: none.clone(),
            level: none.clone(),
            active: none,
            edge,
            priority: vec![0; 32 * words],
            target: vec![0; 32 * (words - cpus)],
        }
    }

    /// Whether a restored state has the shape of this one.
    pub(crate) fn fits(&self, other: &Interrupts) -> bool {
        let shape = |s: &Interrupts| {
            let words = [&s.group, &s.enabled, &s.latched, &s.level, &s.active, &s.edge];
            (s.cpus, words.map(Vec::len), s.priority.len(), s.target.len())
        };
        shape(self) == shape(other)
    }

    /// How many there are for each processor.
    pub(crate) fn count(&self) -> u32 {
        PRIVATE + self.target.len() as u32
    }

    /// Where word `word` of a processor's view is; `None` past the last.
    fn at(&self, cpu: usize, word: usize) -> Option<usize> {
        if word == 0 {
            return (cpu < self.cpus as usize).then_some(cpu);
        }
        let at = self.cpus as usize + word - 1;
        (at < self.group.len()).then_some(at)
    }

    /// Where interrupt `number` of a processor is: word and bit.
    fn place(&self, cpu: usize, number: u32) -> Option<(usize, u32)> {
        Some((self.at(cpu, number as usize / 32)?, 1 << (number % 32)))
    }

    fn pending(&self, at: usize) -> u32 {
        self.latched[at] | self.level[at] & !self.edge[at]
    }

    /// Reads 32 bits.
    pub(crate) fn bits(&self, bits: Bits, cpu: usize, word: usize) -> u32 {
        let Some(at) = self.at(cpu, word) else { return 0 };
        match bits {
            Bits::Group => self.group[at],
            Bits::Enabled => self.enabled[at],
            Bits::Pending => self.pending(at),
            Bits::Active => self.active[at],
        }
    }

    fn field(&mut self, bits: Bits) -> &mut Vec<u32> {
        match bits {
            Bits::Group => &mut self.group,
            Bits::Enabled => &mut self.enabled,
            Bits::Pending => &mut self.latched,
            Bits::Active => &mut self.active,
        }
    }

    /// Sets those of 32 bits that are ones in what is written.
    pub(crate) fn set(&mut self, bits: Bits, cpu: usize, word: usize, lanes: Lanes) {
        if let Some(at) = self.at(cpu, word) {
            self.field(bits)[at] |= lanes.value;
        }
    }

    /// Clears those of 32 bits that are ones in what is written.
    pub(crate) fn clear(&mut self, bits: Bits, cpu: usize, word: usize, lanes: Lanes) {
        if let Some(at) = self.at(cpu, word) {
            self.field(bits)[at] &= !lanes.value;
        }
    }

    /// Replaces 32 bits.
    pub(crate) fn put(&mut self, bits: Bits, cpu: usize, word: usize, lanes: Lanes) {
        if let Some(at) = self.at(cpu, word) {
            let field = &mut self.field(bits)[at];
            *field = lanes.over(*field);
        }
    }

    /// Four priorities, of interrupt `4 * word` and those that follow.
    pub(crate) fn priorities(&self, cpu: usize, word: usize) -> u32 {
        let Some(at) = self.at(cpu, word / 8) else { return 0 };
        let at = 32 * at + 4 * (word % 8);
        u32::from_le_bytes(std::array::from_fn(|n| self.priority[at + n]))
    }

    /// Writes priorities likewise.
    pub(crate) fn set_priorities(&mut self, cpu: usize, word: usize, lanes: Lanes) {
        let Some(at) = self.at(cpu, word / 8) else { return };
        let at = 32 * at + 4 * (word % 8);
        for (n, value) in lanes.bytes() {
            self.priority[at + n] = value & (u8::MAX << (8 - PRIORITY_BITS));
        }
    }

    /// How 16 interrupts are triggered, two bits each, the upper one set for edges.
    pub(crate) fn triggers(&self, cpu: usize, word: usize) -> u32 {
        let Some(at) = self.at(cpu, word / 2) else { return 0 };
        let half = self.edge[at] >> (16 * (word % 2));
        (0..16).map(|n| (half >> n & 1) << (2 * n + 1)).sum()
    }

    /// Writes that likewise. Generated interrupts stay as they are.
    pub(crate) fn set_triggers(&mut self, cpu: usize, word: usize, lanes: Lanes) {
        let Some(at) = self.at(cpu, word / 2).filter(|_| word > 0) else { return };
        for n in 0..16 {
            let bit = 1 << (16 * (word % 2) + n);
            if lanes.mask >> (2 * n + 1) & 1 != 0 {
                self.edge[at] &= !bit;
                self.edge[at] |= (lanes.value >> (2 * n + 1) & 1) * bit;
            }
        }
    }

    /// Where a shared interrupt goes; `None` for one that does not exist.
    pub(crate) fn target(&mut self, number: u32) -> Option<&mut u32> {
        self.target.get_mut(number.checked_sub(PRIVATE)? as usize)
    }

    /// Sets the level of an interrupt's input.
    pub(crate) fn set_level(&mut self, cpu: usize, number: u32, level: bool) {
        let Some((at, bit)) = self.place(cpu, number) else { return };
        if level {
            self.latched[at] |= bit & self.edge[at] & !self.level[at];
            self.level[at] |= bit;
        } else {
            self.level[at] &= !bit;
        }
    }

    /// The most urgent interrupt that waits for a processor: pending, enabled and not active, of one of the groups
    /// given, and sent to it as `reaches` says of a target. Of equals the lowest number.
    pub(crate) fn best(
        &self,
        cpu: usize,
        groups: [bool; 2],
        reaches: impl Fn(u32) -> bool,
    ) -> Option<Candidate> {
        let mut best: Option<Candidate> = None;
        for word in 0..(self.count() / 32) as usize {
            let at = self.at(cpu, word)?;
            let group = self.group[at];
            let taken = if groups[1] { group } else { 0 } | if groups[0] { !group } else { 0 };
            let mut bits = self.pending(at) & self.enabled[at] & !self.active[at] & taken;
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let number = 32 * word as u32 + bit;
                let priority = self.priority[32 * at + bit as usize];
                let sent = word == 0 || reaches(self.target[(number - PRIVATE) as usize]);
                if sent && best.is_none_or(|b| priority < b.priority) {
                    let group = (group >> bit & 1) as usize;
                    best = Some(Candidate { number, priority, group });
                }
            }
        }
        best
    }

    /// A processor takes an interrupt: it is active, and no longer pending unless its level says so.
    pub(crate) fn acknowledge(&mut self, cpu: usize, number: u32) {
        if let Some((at, bit)) = self.place(cpu, number) {
            self.latched[at] &= !bit;
            self.active[at] |= bit;
        }
    }

    /// A processor is done with an interrupt.
    pub(crate) fn deactivate(&mut self, cpu: usize, number: u32) {
        if let Some((at, bit)) = self.place(cpu, number) {
            self.active[at] &= !bit;
        }
    }

    /// Makes an interrupt pending that has no input.
    pub(crate) fn latch(&mut self, cpu: usize, number: u32) {
        if let Some((at, bit)) = self.place(cpu, number) {
            self.latched[at] |= bit;
        }
    }

    /// The group of an interrupt.
    pub(crate) fn group(&self, cpu: usize, number: u32) -> usize {
        self.place(cpu, number).map_or(0, |(at, bit)| usize::from(self.group[at] & bit != 0))
    }
}
