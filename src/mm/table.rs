//! Which guest pages are mapped, and with which protection.

use std::collections::BTreeMap;

use super::shown::Writer;

/// A run of pages with one protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// `PROT_*` bits as the guest sees them, execution included.
    pub prot: u8,
}

impl Area {
    /// The guest may execute here.
    pub fn executable(&self) -> bool {
        self.prot & libc::PROT_EXEC as u8 != 0
    }
}

/// Disjoint areas by address; neighbours of equal protection are one area.
#[derive(Debug, Default)]
pub struct Table {
    areas: BTreeMap<u64, Entry>,
    writer: Writer,
}

/// An area by its start.
#[derive(Clone, Copy, Debug)]
struct Entry {
    end: u64,
    prot: u8,
    /// Where other processes see it.
    slot: u32,
}

impl Table {
    /// Shows the areas to other processes.
    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Enters an area, or changes the one that starts there.
    fn put(&mut self, start: u64, end: u64, prot: u8) {
        let slot = match self.areas.get(&start) {
            Some(entry) => entry.slot,
            None => self.writer.take(),
        };
        self.writer.put(slot, Area { start, end, prot });
        self.areas.insert(start, Entry { end, prot, slot });
    }

    fn forget(&mut self, start: u64) {
        if let Some(entry) = self.areas.remove(&start) {
            self.writer.give(entry.slot);
        }
    }

    /// Forgets `[start, end)`.
    pub fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        self.writer.turn();
        self.cut(start, end);
        self.writer.turn();
    }

    fn cut(&mut self, start: u64, end: u64) {
        if let Some((&s, &Entry { end: e, prot, .. })) = self.areas.range(..start).next_back()
            && e > start
        {
            self.put(s, start, prot);
            if e > end {
                self.put(end, e, prot);
            }
        }
        while let Some((&s, &Entry { end: e, prot, .. })) = self.areas.range(start..end).next() {
            self.forget(s);
            if e > end {
                self.put(end, e, prot);
            }
        }
    }

    /// Enters `[start, end)` with a protection, over what was there.
    pub fn insert(&mut self, start: u64, end: u64, prot: u8) {
        if start >= end {
            return;
        }
        self.writer.turn();
        self.cut(start, end);
        let (mut start, mut end) = (start, end);
        if let Some((&s, entry)) = self.areas.range(..start).next_back()
            && entry.end == start
            && entry.prot == prot
        {
            start = s;
        }
        if let Some(&Entry { end: e, prot: p, .. }) = self.areas.get(&end)
            && p == prot
        {
            self.forget(end);
            end = e;
        }
        self.put(start, end, prot);
        self.writer.turn();
    }

    /// The parts of areas inside `[start, end)`, in order.
    pub fn within(&self, start: u64, end: u64) -> Vec<Area> {
        let first = self.areas.range(..=start).next_back().map_or(start, |(&s, _)| s);
        self.areas
            .range(first..end.max(first))
            .filter(|(_, entry)| entry.end > start)
            .map(|(&s, entry)| Area {
                start: s.max(start),
                end: entry.end.min(end),
                prot: entry.prot,
            })
            .collect()
    }

    /// The parts of `[start, end)` where nothing is mapped, in order.
    pub fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut out = Vec::new();
        let mut at = start;
        for a in self.within(start, end) {
            if a.start > at {
                out.push((at, a.start));
            }
            at = a.end;
        }
        if at < end {
            out.push((at, end));
        }
        out
    }

    /// Where the unbroken run of areas that begins at `start` ends, at most `end`.
    pub fn run(&self, start: u64, end: u64) -> u64 {
        self.gaps(start, end).first().map_or(end, |g| g.0)
    }

    /// The whole area around an address.
    pub fn at(&self, addr: u64) -> Option<Area> {
        let (&start, &Entry { end, prot, .. }) = self.areas.range(..=addr).next_back()?;
        (addr < end).then_some(Area { start, end, prot })
    }

    /// True when some page in `[start, end)` is executable.
    pub fn any_executable(&self, start: u64, end: u64) -> bool {
        self.within(start, end).iter().any(Area::executable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(t: &Table) -> Vec<(u64, u64, u8)> {
        t.within(0, u64::MAX).iter().map(|a| (a.start, a.end, a.prot)).collect()
    }

    #[test]
    fn insert_over_the_middle_splits_and_equal_neighbours_join() {
        let mut t = Table::default();
        t.insert(0x1000, 0x5000, 1);
        t.insert(0x2000, 0x3000, 5);
        assert_eq!(areas(&t), [(0x1000, 0x2000, 1), (0x2000, 0x3000, 5), (0x3000, 0x5000, 1)]);
        t.insert(0x2000, 0x3000, 1);
        assert_eq!(areas(&t), [(0x1000, 0x5000, 1)]);
    }

    #[test]
    fn remove_leaves_both_ends() {
        let mut t = Table::default();
        t.insert(0x1000, 0x9000, 3);
        t.remove(0x3000, 0x4000);
        assert_eq!(areas(&t), [(0x1000, 0x3000, 3), (0x4000, 0x9000, 3)]);
        assert_eq!(t.gaps(0, 0xa000), [(0, 0x1000), (0x3000, 0x4000), (0x9000, 0xa000)]);
        assert_eq!(t.run(0x1000, 0x9000), 0x3000);
        assert_eq!(t.run(0x3000, 0x9000), 0x3000);
        t.remove(0, u64::MAX);
        assert_eq!(areas(&t), []);
    }

    #[test]
    fn at_finds_the_area_and_execution() {
        let mut t = Table::default();
        t.insert(0x1000, 0x2000, 5);
        assert_eq!(t.at(0x1fff), Some(Area { start: 0x1000, end: 0x2000, prot: 5 }));
        assert_eq!(t.at(0x2000), None);
        assert!(t.any_executable(0, 0x1001));
        assert!(!t.any_executable(0x2000, 0x3000));
    }
}
