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

/// All TLBs of a processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlbs<'a>(pub(crate) &'a [Entry]);

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

    fn entry(&self, tlb: u8, va: u64) -> (&Entry, u64) {
        let n = SoftMmu::entry_of(va);
        let tlb = usize::from(tlb) % SoftMmu::TLBS;
        (&self.0[tlb * SoftMmu::ENTRIES + n], SoftMmu::nothing(n))
    }
    pub(crate) fn fill(&self, tlb: u8, va: u64, to: Target) {
        let (e, nothing) = self.entry(tlb, va);
        let page = va & !PAGE_MASK;
        let word = |granted| if granted { page } else { nothing };
        e[HOST].store(to.host, Ordering::Relaxed);
        e[PHYS].store(to.pa & !PAGE_MASK, Ordering::Relaxed);
        e[READ].store(word(to.read), Ordering::Relaxed);
        e[WRITE].store(word(to.write), Ordering::Release);
    }
    pub(crate) fn empty(&self) {
        for (n, e) in self.0.iter().enumerate() {
            let nothing = SoftMmu::nothing(n % SoftMmu::ENTRIES);
            e[READ].store(nothing, Ordering::Relaxed);
            e[WRITE].store(nothing, Ordering::Relaxed);
        }
    }
    /// Forgets one guest page.
    pub(crate) fn forget(&self, va: u64) {
        for tlb in 0..SoftMmu::TLBS as u8 {
            let (e, nothing) = self.entry(tlb, va);
            for word in [READ, WRITE] {
                if e[word].load(Ordering::Relaxed) == va & !PAGE_MASK {
                    e[word].store(nothing, Ordering::Relaxed);
                }
            }
        }
    }
    /// Takes the right to write a physical page away; whether there was any.
    pub(crate) fn protect(&self, pa: u64) -> bool {
        let mut any = false;
        for (n, e) in self.0.iter().enumerate() {
            let nothing = SoftMmu::nothing(n % SoftMmu::ENTRIES);
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
