//! A processor's interface: which interrupts are urgent enough for it, and which it deals with.

use super::PRIORITY_BITS;
use super::interrupts::Candidate;
use crate::snapshot::state;

/// Least binary point of group 0: all bits of a priority that exist are its group priority.
pub(crate) const LEAST_POINT: u8 = (7 - PRIORITY_BITS) as u8;

state! {
    /// What a processor has set, and the priorities of what it deals with.
    pub(crate) struct Interface version 1 {
        /// Only what is more urgent than this passes.
        pub(crate) mask: u8,
        /// Binary points of the two groups.
        point: [u8; 2] = [LEAST_POINT, LEAST_POINT + 1],
        /// Which groups pass.
        pub(crate) enabled: [bool; 2],
        /// Group 1 uses the binary point of group 0.
        pub(crate) common: bool,
        /// The end of an interrupt drops its priority and leaves it active.
        pub(crate) split: bool,
        /// Priorities that are active, the most urgent as lowest bit, by group.
        pub(crate) active: [u32; 2],
    }
}

impl Interface {
    /// The most urgent active priority as a bit number and its group.
    fn highest(&self) -> Option<(u32, usize)> {
        let [zero, one] = self.active.map(u32::trailing_zeros);
        match zero.min(one) {
            32 => None,
            level => Some((level, usize::from(one < zero))),
        }
    }

    /// The running priority: that of what the processor deals with, 0xff while that is nothing.
    pub(crate) fn running(&self) -> u8 {
        self.highest().map_or(0xff, |(level, _)| (level << (8 - PRIORITY_BITS)) as u8)
    }

    /// The group of the running priority.
    pub(crate) fn running_group(&self) -> Option<usize> {
        self.highest().map(|h| h.1)
    }

    /// The bits of a priority that decide about pre-emption.
    fn decides(&self, group: usize) -> u8 {
        let shift = if group == 1 && !self.common { self.point[1] } else { self.point[0] + 1 };
        u8::MAX.checked_shl(shift.into()).unwrap_or(0)
    }

    /// A binary point as its register shows it.
    pub(crate) fn point(&self, group: usize) -> u8 {
        if group == 1 && self.common { (self.point[0] + 1).min(7) } else { self.point[group] }
    }

    /// Sets a binary point. That of group 1 is not written while it is that of group 0.
    pub(crate) fn set_point(&mut self, group: usize, value: u8) {
        if group == 0 || !self.common {
            self.point[group] = (value & 7).max(LEAST_POINT + group as u8);
        }
    }

    /// Sets the mask.
    pub(crate) fn set_mask(&mut self, value: u8) {
        self.mask = value & (u8::MAX << (8 - PRIORITY_BITS));
    }

    /// Whether the interrupt is urgent enough to interrupt the processor.
    pub(crate) fn takes(&self, c: &Candidate) -> bool {
        // Nothing runs: every priority will do.
        let running = self.highest().map_or(0x100, |_| u16::from(self.running()));
        c.priority < self.mask && u16::from(c.priority & self.decides(c.group)) < running
    }

    /// The processor deals with the interrupt.
    pub(crate) fn start(&mut self, c: &Candidate) {
        let level = (c.priority & self.decides(c.group)) >> (8 - PRIORITY_BITS);
        self.active[c.group] |= 1 << level;
    }

    /// The most urgent active priority of a group is no longer that.
    pub(crate) fn drop_priority(&mut self, group: usize) {
        let active = &mut self.active[group];
        *active &= active.wrapping_sub(1);
    }
}
