//! The regions in a segment of code memory: what is known of each, and how to find them.
//!
//! A segment is filled from one end, so regions lie in a vector in order of
//! host address, and what they own in shared vectors that only grow: nothing
//! is allocated for a region. All of it goes when the segment is emptied.

use core::ops::RangeInclusive;

use remu_codegen::{Link, Reloc};

use crate::cache::Place;
use crate::serve::Unsaved;
use crate::space::Space;
use crate::table::NumberMap;

/// A part of one of the shared vectors.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    start: u32,
    len: u32,
}

impl Part {
    fn of<T>(self, all: &[T]) -> &[T] {
        let start = self.start as usize;
        all.get(start..start + self.len as usize).unwrap_or(&[])
    }
}

/// Appends `more` to a shared vector.
fn add<T: Copy>(all: &mut Vec<T>, more: &[T]) -> Part {
    let part = Part { start: all.len() as u32, len: more.len() as u32 };
    all.extend_from_slice(more);
    part
}

/// What can fault in a region.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Faults<'a> {
    /// (offset, guest pc).
    Own(&'a [(u32, u64)]),
    /// A cache file has the table; most are never looked at.
    Saved(Place),
}

/// A region about to be published: its code is in place.
#[derive(Debug)]
pub(crate) struct NewRegion<'a> {
    pub(crate) host: u64,
    pub(crate) space: Space,
    /// Bytes covered: where they are in guest memory.
    pub(crate) guest: (u64, u64),
    /// (guest pc, offset of the code) of its entries.
    pub(crate) entries: &'a [(u64, u32)],
    pub(crate) faults: Faults<'a>,
    pub(crate) landings: &'a [u32],
    pub(crate) links: &'a [Link],
    /// Kept only if the region is to be saved.
    pub(crate) relocs: &'a [Reloc],
    pub(crate) len: usize,
    pub(crate) unsaved: Option<Unsaved>,
}

/// A translated region.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) space: Space,
    pub(crate) host: u64,
    pub(crate) len: u32,
    /// Guest bytes covered; empty when the region is retired.
    pub(crate) guest: (u64, u64),
    /// The first of them, also of a retired region.
    pub(crate) guest_start: u64,
    entries: Part,
    faults: Part,
    /// Set if the table of faults is in a cache file.
    pub(crate) saved: Option<Place>,
    landings: Part,
    links: Part,
    relocs: Part,
    /// First of the list of jumps that lead here, or [`NONE`].
    incoming: u32,
    /// Set until a cache file has it.
    pub(crate) unsaved: Option<Unsaved>,
}

impl Translated {
    /// Whether guest code has changed and nothing leads here any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.guest == (0, 0)
    }
}

const NONE: u32 = u32::MAX;

/// A jump that was pointed at a region.
#[derive(Clone, Copy, Debug)]
struct Incoming {
    site: u64,
    stub: u64,
    next: u32,
}

/// A jump of a region, with addresses instead of offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingLink {
    pub(crate) target: u64,
    pub(crate) space: Space,
    pub(crate) stub: u64,
}

/// The regions in a segment.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// By ascending host address.
    list: Vec<Translated>,
    entries: Vec<(u64, u32)>,
    faults: Vec<(u32, u64)>,
    landings: Vec<u32>,
    links: Vec<Link>,
    relocs: Vec<Reloc>,
    incoming: Vec<Incoming>,
    /// Guest page to regions that cover it.
    by_page: NumberMap<Vec<u32>>,
    /// Stretch of host addresses to the last region that begins in it or before.
    /// Counted from the stretch of the first region.
    by_host: Vec<u32>,
}

/// log2 of the bytes of a stretch of code memory: about a region.
const STRETCH: u32 = 11;

fn pages(guest: (u64, u64)) -> RangeInclusive<u64> {
    guest.0 >> 12..=guest.1.saturating_sub(1).max(guest.0) >> 12
}

impl Segment {
    /// Adds a region, whose code lies behind that of all others.
    pub(super) fn push(&mut self, new: NewRegion<'_>) {
        debug_assert!(self.list.last().is_none_or(|r| r.host < new.host), "not the last one");
        let n = self.list.len() as u32;
        for page in pages(new.guest).chain(new.space.second()) {
            self.by_page.entry(page).or_default().push(n);
        }
        let first = self.list.first().map_or(new.host, |r| r.host);
        let stretch = ((new.host >> STRETCH) - (first >> STRETCH)) as usize;
        self.by_host.resize(stretch, n.saturating_sub(1));
        self.by_host.push(n);
        let (own, saved) = match new.faults {
            Faults::Own(own) => (own, None),
            Faults::Saved(place) => (&[][..], Some(place)),
        };
        let relocs = if new.unsaved.is_some() { new.relocs } else { &[] };
        self.list.push(Translated {
            space: new.space,
            host: new.host,
            len: new.len as u32,
            guest: new.guest,
            guest_start: new.guest.0,
            entries: add(&mut self.entries, new.entries),
            faults: add(&mut self.faults, own),
            saved,
            landings: add(&mut self.landings, new.landings),
            links: add(&mut self.links, new.links),
            relocs: add(&mut self.relocs, relocs),
            incoming: NONE,
            unsaved: new.unsaved,
        });
    }
    /// Number of the region whose code holds a host address.
    pub(super) fn at(&self, host: u64) -> Option<u32> {
        let stretch = (host >> STRETCH).checked_sub(self.list.first()?.host >> STRETCH)?;
        let last = self.by_host.get(stretch as usize).copied().unwrap_or(u32::MAX);
        let last = (last as usize).min(self.list.len() - 1);
        let n = (0..=last).rev().find(|&n| self.list[n].host <= host)?;
        (host - self.list[n].host < u64::from(self.list[n].len)).then_some(n as u32)
    }
    /// Host address, bytes and first guest address of every region.
    pub(super) fn shown(&self) -> impl DoubleEndedIterator<Item = (u64, usize, u64)> + Clone {
        self.list.iter().map(|r| (r.host, r.len as usize, r.guest_start))
    }
    pub(super) fn get(&self, n: u32) -> Option<&Translated> {
        self.list.get(n as usize)
    }
    pub(super) fn get_mut(&mut self, n: u32) -> Option<&mut Translated> {
        self.list.get_mut(n as usize)
    }
    /// (guest pc, offset) of a region's entries.
    pub(super) fn entries(&self, r: &Translated) -> &[(u64, u32)] {
        r.entries.of(&self.entries)
    }
    /// (offset, guest pc) of what can fault in a region.
    pub(super) fn faults(&self, r: &Translated) -> &[(u32, u64)] {
        r.faults.of(&self.faults)
    }
    /// Where guest returns come back to in a region.
    pub(super) fn landings(&self, r: &Translated) -> &[u32] {
        r.landings.of(&self.landings)
    }
    /// Jumps out of a region.
    pub(super) fn links(&self, r: &Translated) -> &[Link] {
        r.links.of(&self.links)
    }
    /// Addresses in a region's code; only of one that is to be saved.
    pub(super) fn relocs(&self, r: &Translated) -> &[Reloc] {
        r.relocs.of(&self.relocs)
    }
    /// The link whose site ends at a host address.
    pub(super) fn link_ending_at(&self, site_end: u64) -> Option<PendingLink> {
        let r = self.get(self.at(site_end.checked_sub(1)?)?)?;
        let link = self.links(r).iter().find(|l| r.host + u64::from(l.site) + 4 == site_end)?;
        Some(PendingLink {
            target: link.target,
            space: r.space.of_page(),
            stub: r.host + u64::from(link.stub),
        })
    }
    /// Notes that the jump at `site` leads to `to` now, and where its stub is.
    pub(super) fn note_incoming(&mut self, to: u64, site: u64, stub: u64) {
        let Some(n) = self.at(to) else { return };
        let new = self.incoming.len() as u32;
        if let Some(r) = self.list.get_mut(n as usize) {
            self.incoming.push(Incoming { site, stub, next: r.incoming });
            r.incoming = new;
        }
    }
    /// (site, stub) of the jumps that lead to a region.
    pub(super) fn incoming(&self, r: &Translated) -> impl Iterator<Item = (u64, u64)> {
        let at = |n: u32| self.incoming.get(n as usize);
        let all = core::iter::successors(at(r.incoming), move |i| at(i.next));
        all.filter(|i| i.site != 0).map(|i| (i.site, i.stub))
    }
    /// Regions made from guest bytes in a page, by number.
    pub(super) fn on_page(&self, page: u64) -> &[u32] {
        self.by_page.get(&page).map_or(&[], Vec::as_slice)
    }
    /// Live regions with an entry that `wanted` picks by its guest address, told whether the region has code in
    /// two pages.
    pub(super) fn with_entry(&self, wanted: impl Fn(u64, bool) -> bool) -> Vec<u32> {
        let picks = |r: &Translated| {
            let two = r.space.second().is_some();
            !r.is_retired() && self.entries(r).iter().any(|e| wanted(e.0, two))
        };
        (0..).zip(&self.list).filter(|(_, r)| picks(r)).map(|(n, _)| n).collect()
    }
    /// Regions made from guest bytes in `[start, end)`, by number.
    pub(super) fn covering(&self, start: u64, end: u64) -> Vec<u32> {
        let touches = |r: &Translated| {
            let second = r.space.second().map(|page| (page << 12, (page + 1) << 12));
            let meets = |(from, to): (u64, u64)| from < end && start < to;
            !r.is_retired() && (meets(r.guest) || second.is_some_and(meets))
        };
        let range = pages((start, end));
        // By pages, which hold live regions only, and not the list, of which most may be retired.
        let mut found: Vec<u32> = if range.end() - range.start() > self.by_page.len() as u64 {
            let lists = self.by_page.iter().filter(|(page, _)| range.contains(page));
            lists.flat_map(|(_, list)| list).copied().collect()
        } else {
            range.filter_map(|p| self.by_page.get(&p)).flatten().copied().collect()
        };
        found.sort_unstable();
        found.dedup();
        found.retain(|&n| self.get(n).is_some_and(touches));
        found
    }
    /// Forgets how to reach a region. Its code stays, for a thread may be in
    /// it, and so do its faults and links.
    pub(super) fn retire(&mut self, n: u32) {
        let Some(r) = self.list.get_mut(n as usize) else { return };
        let guest = core::mem::take(&mut r.guest);
        r.entries = Part::default();
        r.landings = Part::default();
        r.incoming = NONE;
        for page in pages(guest).chain(r.space.second()) {
            if let Some(list) = self.by_page.get_mut(&page) {
                list.retain(|&x| x != n);
                if list.is_empty() {
                    self.by_page.remove(&page);
                }
            }
        }
    }
    /// Forgets the jumps from `[start, end)`, whose code goes.
    pub(super) fn forget_sites(&mut self, start: u64, end: u64) {
        for i in &mut self.incoming {
            if (start..end).contains(&i.site) {
                i.site = 0;
            }
        }
    }
    /// Every region, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Translated)> {
        (0..).zip(&self.list)
    }
    /// Forgets everything, keeping the memory.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.entries.clear();
        self.faults.clear();
        self.landings.clear();
        self.links.clear();
        self.relocs.clear();
        self.incoming.clear();
        self.by_page.clear();
        self.by_host.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remu_isa::Key;

    fn region(host: u64, guest: (u64, u64), links: &[Link]) -> NewRegion<'_> {
        NewRegion {
            host,
            space: Space::user(Key(3)),
            guest,
            entries: &[(0x1000, 4)],
            faults: Faults::Own(&[]),
            landings: &[8],
            links,
            relocs: &[],
            len: 0x40,
            unsaved: None,
        }
    }

    #[test]
    fn regions_are_found_by_host_by_guest_and_by_link() {
        let mut s = Segment::default();
        let link = Link { site: 12, stub: 32, target: 0x7000 };
        s.push(region(0x100, (0x1000, 0x1010), &[]));
        s.push(region(0x180, (0x1ff0, 0x2010), &[link]));
        assert_eq!(
            [0xff, 0x100, 0x13f, 0x140, 0x180].map(|h| s.at(h)),
            [None, Some(0), Some(0), None, Some(1)]
        );
        let found = s.link_ending_at(0x180 + 16);
        assert_eq!(
            found,
            Some(PendingLink { target: 0x7000, space: Space::user(Key(3)), stub: 0x1a0 })
        );
        assert_eq!(s.link_ending_at(0x180 + 12), None);
        assert_eq!(s.covering(0x1000, 0x2000), [0, 1]);
        assert_eq!(s.covering(0x2000, 0x3000), [1]);
        assert_eq!(s.covering(0, u64::MAX), [0, 1]);
        assert_eq!(s.covering(0x1010, 0x1ff0), [0; 0]);
    }

    #[test]
    fn a_retired_region_is_reached_by_nothing() {
        let mut s = Segment::default();
        s.push(region(0x100, (0x1000, 0x2010), &[]));
        s.note_incoming(0x110, 0x500, 0x510);
        s.note_incoming(0x120, 0x600, 0x610);
        let all: Vec<_> = s.get(0).map(|r| s.incoming(r).collect()).unwrap_or_default();
        assert_eq!(all, [(0x600, 0x610), (0x500, 0x510)]);
        s.retire(0);
        let r = s.get(0).expect("stays");
        assert!(r.is_retired() && s.entries(r).is_empty() && s.landings(r).is_empty());
        assert_eq!((s.incoming(r).count(), s.covering(0, u64::MAX).len()), (0, 0));
        assert_eq!(s.at(0x110), Some(0));
    }
}
