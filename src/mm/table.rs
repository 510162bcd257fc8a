//! Which guest pages are mapped, and with which protection.

use std::collections::BTreeMap;

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
#[derive(Clone, Debug, Default)]
pub struct Table {
    areas: BTreeMap<u64, (u64, u8)>,
}

impl Table {
    /// Forgets `[start, end)`.
    pub fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if let Some((&s, &(e, prot))) = self.areas.range(..start).next_back()
            && e > start
        {
            self.areas.insert(s, (start, prot));
            if e > end {
                self.areas.insert(end, (e, prot));
            }
        }
        while let Some((&s, &(e, prot))) = self.areas.range(start..end).next() {
            self.areas.remove(&s);
            if e > end {
                self.areas.insert(end, (e, prot));
            }
        }
    }

    /// Enters `[start, end)` with a protection, over what was there.
    pub fn insert(&mut self, start: u64, end: u64, prot: u8) {
        if start >= end {
            return;
        }
        self.remove(start, end);
        let (mut start, mut end) = (start, end);
        if let Some((&s, &(e, p))) = self.areas.range(..start).next_back()
            && e == start
            && p == prot
        {
            self.areas.remove(&s);
            start = s;
        }
        if let Some(&(e, p)) = self.areas.get(&end)
            && p == prot
        {
            self.areas.remove(&end);
            end = e;
        }
        self.areas.insert(start, (end, prot));
    }

    /// The parts of areas inside `[start, end)`, in order.
    pub fn within(&self, start: u64, end: u64) -> Vec<Area> {
        let first = self.areas.range(..=start).next_back().map_or(start, |(&s, _)| s);
        self.areas
            .range(first..end.max(first))
            .filter(|(_, (e, _))| *e > start)
            .map(|(&s, &(e, prot))| Area { start: s.max(start), end: e.min(end), prot })
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
        let (&start, &(end, prot)) = self.areas.range(..=addr).next_back()?;
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
