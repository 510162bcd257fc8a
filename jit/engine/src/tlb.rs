//! A processor's TLBs, which translated code reads (`remu_codegen::SoftMmu`), and which pages of
//! memory hold code that was translated.
//!
//! Only the processor's thread fills its TLBs. Any thread may take an entry's right to write away,
//! which all words being atomic allows. An access that has passed the look-up goes on meanwhile: whoever
//! relies on the right being gone must allow for that.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashSet;

use remu_codegen::SoftMmu;

/// Words of an entry: as `SoftMmu` says, and the physical page.
type Entry = [AtomicU64; 4];
const READ: usize = SoftMmu::READ as usize / 8;
const WRITE: usize = SoftMmu::WRITE as usize / 8;
const HOST: usize = SoftMmu::HOST as usize / 8;
const PHYS: usize = 3;
const PAGE_MASK: u64 = (1 << SoftMmu::PAGE_BITS) - 1;

const _: () = assert!(size_of::<Entry>() == SoftMmu::ENTRY && HOST == 2);

/// Which entries of a table may hold something, so that emptying it costs what is in it.
#[derive(Debug)]
pub(crate) struct Marks(Vec<AtomicU64>);

impl Marks {
    pub(crate) fn new(entries: usize) -> Marks {
        Marks((0..entries.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }
    /// Marks an entry, after it was written.
    pub(crate) fn set(&self, n: usize) {
        let (word, bit) = (&self.0[n / 64], 1 << (n % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::SeqCst);
        }
    }
    /// Takes every mark away and calls `f` for its entry.
    pub(crate) fn take(&self, mut f: impl FnMut(usize)) {
        for (n, word) in self.0.iter().enumerate() {
            if word.load(Ordering::SeqCst) == 0 {
                continue;
            }
            let mut bits = word.swap(0, Ordering::SeqCst);
            while bits != 0 {
                f(64 * n + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

/// All TLBs of a processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlbs<'a>(pub(crate) &'a [Entry], pub(crate) &'a Marks);

/// Where an entry leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Physical address of the page.
    pub(crate) pa: u64,
    /// The page in the host's memory.
    pub(crate) host: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Tlbs<'_> {
    /// Entries of all TLBs.
    pub(crate) const COUNT: usize = SoftMmu::ENTRIES * SoftMmu::TLBS;

    /// Number of the entry for a guest address.
    fn number(tlb: u8, va: u64) -> usize {
        usize::from(tlb) % SoftMmu::TLBS * SoftMmu::ENTRIES + SoftMmu::entry_of(va)
    }
    fn entry(&self, n: usize) -> (&Entry, u64) {
        (&self.0[n], SoftMmu::nothing(n % SoftMmu::ENTRIES))
    }
    pub(crate) fn fill(&self, tlb: u8, va: u64, to: Target) {
        let n = Self::number(tlb, va);
        let (e, nothing) = self.entry(n);
        let page = va & !PAGE_MASK;
        let word = |granted| if granted { page } else { nothing };
        e[HOST].store(to.host, Ordering::Relaxed);
        e[PHYS].store(to.pa & !PAGE_MASK, Ordering::Relaxed);
        e[READ].store(word(to.read), Ordering::Relaxed);
        e[WRITE].store(word(to.write), Ordering::Release);
        self.1.set(n);
    }
    /// Makes every entry one of nothing.
    pub(crate) fn initialise(&self) {
        (0..self.0.len()).for_each(|n| self.clear(n));
    }
    /// Forgets everything.
    pub(crate) fn empty(&self) {
        self.1.take(|n| self.clear(n));
    }
    fn clear(&self, n: usize) {
        let (e, nothing) = self.entry(n);
        e[READ].store(nothing, Ordering::Relaxed);
        e[WRITE].store(nothing, Ordering::Relaxed);
    }
    /// Forgets one guest page, and those whose addresses differ in the top byte alone: some
    /// processors ignore that.
    pub(crate) fn forget(&self, va: u64) {
        for tlb in 0..SoftMmu::TLBS as u8 {
            let (e, nothing) = self.entry(Self::number(tlb, va));
            for word in [READ, WRITE] {
                if (e[word].load(Ordering::Relaxed) ^ va) << 8 >> 8 & !PAGE_MASK == 0 {
                    e[word].store(nothing, Ordering::Relaxed);
                }
            }
        }
    }
    /// Takes the right to write a physical page away; whether there was any.
    pub(crate) fn protect(&self, pa: u64) -> bool {
        let mut any = false;
        for n in 0..self.0.len() {
            let (e, nothing) = self.entry(n);
            if e[PHYS].load(Ordering::Relaxed) == pa & !PAGE_MASK
                && e[WRITE].load(Ordering::Acquire) != nothing
            {
                e[WRITE].store(nothing, Ordering::SeqCst);
                any = true;
            }
        }
        any
    }
}

/// Pages of physical memory that translations were made from, by number.
#[derive(Debug, Default)]
pub(crate) struct CodePages {
    /// No TLB lets anyone write them.
    pub(crate) watched: HashSet<u64>,
    /// They may have been written since.
    pub(crate) written: HashSet<u64>,
}

impl CodePages {
    /// The page at `pa` is about to be written.
    pub(crate) fn note_write(&mut self, pa: u64) {
        let page = pa >> SoftMmu::PAGE_BITS;
        if self.watched.remove(&page) {
            self.written.insert(page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        (0..Tlbs::COUNT).map(|_| Entry::default()).collect()
    }

    fn word(e: &Entry, n: usize) -> u64 {
        e[n].load(Ordering::Relaxed)
    }

    #[test]
    fn entries_are_found_protected_and_forgotten() {
        let (all, marks) = (entries(), Marks::new(Tlbs::COUNT));
        let t = Tlbs(&all, &marks);
        t.initialise();
        let n = SoftMmu::entry_of(0x1234_5678);
        let to = |pa| Target { pa, host: 0x9000, read: true, write: true };
        t.fill(1, 0x1234_5678, to(0x8000_0678));
        t.fill(2, 0x1234_5678, to(0x8000_1678));
        let (one, two) = (&all[SoftMmu::ENTRIES + n], &all[2 * SoftMmu::ENTRIES + n]);
        assert_eq!([READ, WRITE, HOST].map(|k| word(one, k)), [0x1234_5000, 0x1234_5000, 0x9000]);
        assert!(t.protect(0x8000_0000) && !t.protect(0x8000_0000));
        let nothing = SoftMmu::nothing(n);
        assert_eq!((word(one, READ), word(one, WRITE)), (0x1234_5000, nothing));
        assert_eq!(word(two, WRITE), 0x1234_5000);
        t.forget(0x1234_5fff);
        assert_eq!([word(one, READ), word(two, READ), word(two, WRITE)], [nothing; 3]);
        t.fill(2, 0x4500_0000_1234_5678, to(0x8000_0678));
        t.forget(0x1234_5000);
        assert_eq!([READ, WRITE].map(|k| word(two, k)), [nothing; 2]);
        t.fill(3, 0, to(0));
        t.empty();
        let other = SoftMmu::nothing(0);
        assert_eq!(word(&all[3 * SoftMmu::ENTRIES], READ), other);
        // What nothing looks like is never looked up there.
        assert_ne!(SoftMmu::entry_of(other), 0);
    }

    #[test]
    fn written_code_is_noted_once() {
        let mut pages = CodePages::default();
        pages.watched.insert(0x80);
        pages.note_write(0x81_000);
        assert!(pages.written.is_empty());
        pages.note_write(0x80_ff8);
        assert!(pages.written.contains(&0x80) && pages.watched.is_empty());
    }
}
