//! What tells translations of the same guest address apart.

use remu_isa::Key;

use crate::CodeSource;

/// log2 of the bytes of a page.
const PAGE_BITS: u32 = 12;
const OFFSET: u64 = (1 << PAGE_BITS) - 1;
/// Set in the key of translations of single instructions, which are linked to nothing. No guest's key has it.
pub(crate) const STEP: u32 = 1 << 31;

/// The lift key and, in a machine, the physical pages that the code lies in: one number more
/// than a page's, 0 for none. The second one is that of an instruction which reaches into it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Space {
    pub(crate) key: Key,
    pub(crate) pages: [u64; 2],
}

impl Space {
    /// Of a program: guest addresses are all there is.
    pub(crate) fn user(key: Key) -> Space {
        Space { key, pages: [0; 2] }
    }
    /// Of code in a machine's physical page.
    pub(crate) fn machine(key: Key, page: u64) -> Space {
        Space { key, pages: [page + 1, 0] }
    }
    /// Whether it is one of single instructions.
    pub(crate) fn is_step(self) -> bool {
        self.key.0 & STEP != 0
    }
    /// The lift key as the guest has it.
    pub(crate) fn lift_key(self) -> Key {
        Key(self.key.0 & !STEP)
    }
    pub(crate) fn is_machine(self) -> bool {
        self.pages[0] != 0
    }
    /// The space of the other code in the page where this code begins.
    pub(crate) fn of_page(self) -> Space {
        Space { pages: [self.pages[0], 0], ..self }
    }
    /// The second page's number.
    pub(crate) fn second(self) -> Option<u64> {
        self.pages[1].checked_sub(1)
    }
    /// Where guest code in `[start, end)`, which begins in the first page, lies in memory:
    /// the part in that page.
    pub(crate) fn place(self, start: u64, end: u64) -> (u64, u64) {
        match self.pages[0].checked_sub(1) {
            None => (start, end),
            Some(page) => {
                let at = page << PAGE_BITS | start & OFFSET;
                (at, (at + (end - start)).min((page + 1) << PAGE_BITS))
            }
        }
    }
    /// Copies code at a guest address. `entry` is an address in the first page.
    pub(crate) fn fetch(
        self,
        source: &dyn CodeSource,
        entry: u64,
        addr: u64,
        buf: &mut [u8],
    ) -> usize {
        if !self.is_machine() {
            return source.fetch(addr, buf);
        }
        let page = match (addr >> PAGE_BITS).wrapping_sub(entry >> PAGE_BITS) {
            0 => self.pages[0] - 1,
            1 if self.pages[1] != 0 => self.pages[1] - 1,
            _ => return 0,
        };
        let in_page = (OFFSET + 1 - (addr & OFFSET)) as usize;
        let len = buf.len().min(in_page);
        let have = source.fetch(page << PAGE_BITS | addr & OFFSET, &mut buf[..len]);
        source.lay_over(addr, &mut buf[..have]);
        have
    }
}

/// Guest code as one space has it.
pub(crate) struct Mapped<'a> {
    pub(crate) source: &'a dyn CodeSource,
    pub(crate) space: Space,
    /// A guest address in the first page.
    pub(crate) entry: u64,
}

impl CodeSource for Mapped<'_> {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        self.space.fetch(self.source, self.entry, addr, buf)
    }
}
