//! The regions in code memory, segment by segment.
//!
//! Code memory is a ring of segments: the one that is filled, those filled before it, and the one filled longest ago,
//! which is emptied when the next is needed. Regions have numbers, of which the upper bits name the segment.

mod segment;

use core::ops::Range;

use remu_codegen::{Link, Reloc};
use segment::Segment;
pub(crate) use segment::{Faults, NewRegion, PendingLink, Translated};

/// Bits of a number that count within a segment.
const WITHIN: u32 = 24;

/// All regions in code memory.
#[derive(Debug)]
pub(crate) struct Regions {
    segments: Vec<Segment>,
    /// Where code memory begins.
    base: u64,
    /// Bytes of a segment.
    size: u64,
    /// The one that is filled.
    current: usize,
}

impl Regions {
    /// None yet, in `bytes` of code memory at `base` that is cut into `parts` segments.
    ///
    /// # Panics
    /// If there are no bytes for a segment each, or more than 256 segments.
    pub(crate) fn new(base: u64, bytes: usize, parts: usize) -> Regions {
        assert!((1..=1 << (32 - WITHIN)).contains(&parts) && bytes / parts > 0, "{parts} segments");
        Regions {
            segments: (0..parts).map(|_| Segment::default()).collect(),
            base,
            size: (bytes / parts) as u64,
            current: 0,
        }
    }
    /// Offsets in code memory of a segment.
    fn place(&self, segment: usize) -> Range<usize> {
        let size = self.size as usize;
        segment * size..(segment + 1) * size
    }
    /// Offset in code memory at which the segment ends that is filled.
    pub(crate) fn end(&self) -> usize {
        self.place(self.current).end
    }
    /// The numbers of all regions in the segment that is to be filled next, and its offsets in code memory.
    pub(crate) fn oldest(&self) -> (Vec<u32>, Range<usize>) {
        let next = (self.current + 1) % self.segments.len();
        let numbers = self.segments[next].all().map(|(n, _)| Self::number(next, n)).collect();
        (numbers, self.place(next))
    }
    /// Forgets that segment's regions, which nothing leads to any more, and has it filled.
    pub(crate) fn turn(&mut self) {
        self.current = (self.current + 1) % self.segments.len();
        let place = self.place(self.current);
        self.segments[self.current].clear();
        let at = |offset| self.base + offset as u64;
        for s in &mut self.segments {
            s.forget_sites(at(place.start), at(place.end));
        }
    }
    fn number(segment: usize, n: u32) -> u32 {
        (segment as u32) << WITHIN | n
    }
    /// The segment of a number, and the number in it.
    fn split(n: u32) -> (usize, u32) {
        ((n >> WITHIN) as usize, n & ((1 << WITHIN) - 1))
    }
    /// Number of the segment that holds a host address.
    fn holds(&self, host: u64) -> Option<usize> {
        let n = (host.checked_sub(self.base)? / self.size) as usize;
        (n < self.segments.len()).then_some(n)
    }
    fn of(&self, r: &Translated) -> &Segment {
        &self.segments[self.holds(r.host).unwrap_or(self.current)]
    }

    /// Adds a region, whose code lies behind that of all others in the segment that is filled.
    pub(crate) fn push(&mut self, new: NewRegion<'_>) {
        debug_assert_eq!(self.holds(new.host), Some(self.current), "{:#x}", new.host);
        self.segments[self.current].push(new);
    }
    /// Number of the region whose code holds a host address.
    pub(crate) fn at(&self, host: u64) -> Option<u32> {
        let segment = self.holds(host)?;
        self.segments[segment].at(host).map(|n| Self::number(segment, n))
    }
    /// Host address, bytes and first guest address of every region, the newest last.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = (u64, usize, u64)> + Clone {
        let (newer, older) = self.segments.split_at(self.current + 1);
        older.iter().chain(newer).flat_map(Segment::shown)
    }
    pub(crate) fn get(&self, n: u32) -> Option<&Translated> {
        let (segment, n) = Self::split(n);
        self.segments.get(segment)?.get(n)
    }
    pub(crate) fn get_mut(&mut self, n: u32) -> Option<&mut Translated> {
        let (segment, n) = Self::split(n);
        self.segments.get_mut(segment)?.get_mut(n)
    }
    /// (guest pc, offset) of a region's entries.
    pub(crate) fn entries(&self, r: &Translated) -> &[(u64, u32)] {
        self.of(r).entries(r)
    }
    /// (offset, guest pc) of what can fault in a region.
    pub(crate) fn faults(&self, r: &Translated) -> &[(u32, u64)] {
        self.of(r).faults(r)
    }
    /// Where guest returns come back to in a region.
    pub(crate) fn landings(&self, r: &Translated) -> &[u32] {
        self.of(r).landings(r)
    }
    /// Jumps out of a region.
    pub(crate) fn links(&self, r: &Translated) -> &[Link] {
        self.of(r).links(r)
    }
    /// Addresses in a region's code; only of one that is to be saved.
    pub(crate) fn relocs(&self, r: &Translated) -> &[Reloc] {
        self.of(r).relocs(r)
    }
    /// The link whose site ends at a host address.
    pub(crate) fn link_ending_at(&self, site_end: u64) -> Option<PendingLink> {
        let segment = self.holds(site_end.checked_sub(1)?)?;
        self.segments[segment].link_ending_at(site_end)
    }
    /// Notes that the jump at `site` leads to `to` now, and where its stub is.
    pub(crate) fn note_incoming(&mut self, to: u64, site: u64, stub: u64) {
        if let Some(segment) = self.holds(to) {
            self.segments[segment].note_incoming(to, site, stub);
        }
    }
    /// (site, stub) of the jumps that lead to a region.
    pub(crate) fn incoming(&self, r: &Translated) -> impl Iterator<Item = (u64, u64)> {
        self.of(r).incoming(r)
    }
    /// What `find` finds in each segment, by numbers of all.
    fn in_each(&self, find: impl Fn(&Segment) -> Vec<u32>) -> Vec<u32> {
        let numbered = |(segment, s)| find(s).into_iter().map(move |n| Self::number(segment, n));
        self.segments.iter().enumerate().flat_map(numbered).collect()
    }
    /// Regions made from guest bytes in a page, by number.
    pub(crate) fn on_page(&self, page: u64) -> Vec<u32> {
        self.in_each(|s| s.on_page(page).to_vec())
    }
    /// Live regions with an entry that `wanted` picks by its guest address, told whether the region has code in
    /// two pages.
    pub(crate) fn with_entry(&self, wanted: impl Fn(u64, bool) -> bool) -> Vec<u32> {
        self.in_each(|s| s.with_entry(&wanted))
    }
    /// Regions made from guest bytes in `[start, end)`, by number.
    pub(crate) fn covering(&self, start: u64, end: u64) -> Vec<u32> {
        self.in_each(|s| s.covering(start, end))
    }
    /// Forgets how to reach a region. Its code stays, for a thread may be in
    /// it, and so do its faults and links.
    pub(crate) fn retire(&mut self, n: u32) {
        let (segment, n) = Self::split(n);
        if let Some(s) = self.segments.get_mut(segment) {
            s.retire(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Space;
    use remu_isa::Key;

    fn region(host: u64, guest: u64) -> NewRegion<'static> {
        NewRegion {
            host,
            space: Space::user(Key(0)),
            guest: (guest, guest + 0x10),
            entries: &[],
            faults: Faults::Own(&[]),
            landings: &[],
            links: &[],
            relocs: &[],
            len: 0x40,
            unsaved: None,
        }
    }

    #[test]
    fn segments_are_emptied_in_turn() {
        let mut r = Regions::new(0x1_0000, 0x3000, 3);
        r.push(region(0x1_0100, 0x5000));
        assert_eq!((r.end(), r.oldest()), (0x1000, (vec![], 0x1000..0x2000)));
        r.turn();
        r.push(region(0x1_1000, 0x5000));
        r.push(region(0x1_1100, 0x6000));
        r.turn();
        r.push(region(0x1_2000, 0x7000));
        assert_eq!(r.covering(0x5000, 0x6000).len(), 2);
        let (first, second) = (r.at(0x1_0100), r.at(0x1_1100));
        assert!(first.is_some() && second.is_some() && first != second);
        // A jump of the first segment leads to the second, and one of the third.
        r.note_incoming(0x1_1100, 0x1_0110, 0x1_0120);
        r.note_incoming(0x1_1100, 0x1_2010, 0x1_2020);
        assert_eq!(r.oldest(), (vec![0], 0..0x1000));
        assert_eq!(r.shown().next_back().map(|s| s.0), Some(0x1_2000));
        r.turn();
        assert_eq!((r.at(0x1_0100), r.at(0x1_1100)), (None, second));
        let target = second.and_then(|n| r.get(n)).expect("it is still there");
        assert_eq!(r.incoming(target).collect::<Vec<_>>(), [(0x1_2010, 0x1_2020)]);
        assert_eq!((r.covering(0x5000, 0x6000).len(), r.end()), (1, 0x1000));
    }
}
