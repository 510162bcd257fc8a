//! Which translations are still those of the code in memory.
//!
//! Code in a read-only mapping of a file changes only by calls the engine is told
//! of. Any other code may be written at any time, through this mapping or another
//! one, and some guests then say no more than "code has changed". The bytes that a
//! translation was made from are kept as a hash and compared with memory then, page
//! by page first.

use std::collections::HashMap;

use crate::Engine;
use crate::cache::hash;
use crate::translate::{CodeSource, Inner};

const PAGE: u64 = 4096;
/// In place of a hash: compare region by region.
const UNKNOWN: u64 = 0;

/// Translations of code that may change without notice.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// By page number: hash of what it held when all translations of it were right.
    pages: HashMap<u64, u64>,
    /// By number of a region: hash of the guest bytes it was made from.
    content: HashMap<u32, u64>,
}

/// The bytes a translation is being made from.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<(u64, Vec<u8>)>);

impl Seen {
    pub(crate) fn add(&mut self, addr: u64, bytes: &[u8]) {
        self.0.push((addr, bytes.to_vec()));
    }
    /// Hash of `[start, end)`, if all of it was seen.
    fn hash(&self, start: u64, end: u64) -> u64 {
        let mut bytes = vec![0; (end - start) as usize];
        let mut have = 0;
        for (addr, part) in &self.0 {
            let (from, to) = (start.max(*addr), end.min(addr + part.len() as u64));
            if from < to {
                let of = |a: u64, base: u64| (a - base) as usize;
                bytes[of(from, start)..of(to, start)]
                    .copy_from_slice(&part[of(from, *addr)..of(to, *addr)]);
                have += to - from;
            }
        }
        if have == end - start { hash(&bytes) } else { UNKNOWN }
    }
}

/// Hash of what is at `[start, end)` now.
fn now(source: &dyn CodeSource, start: u64, end: u64) -> u64 {
    let mut bytes = vec![0; (end - start) as usize];
    let have = source.fetch(start, &mut bytes);
    if have as u64 == end - start { hash(&bytes) } else { UNKNOWN }
}

impl Watched {
    /// Watches a region, which was made from `seen`.
    pub(crate) fn add(&mut self, region: u32, guest: (u64, u64), seen: &Seen) {
        // Nothing lies at the end of the address space, where such a range may wrap.
        if guest.1 <= guest.0 {
            return;
        }
        self.content.insert(region, seen.hash(guest.0, guest.1));
        for page in guest.0 / PAGE..=(guest.1 - 1) / PAGE {
            self.pages.insert(page, UNKNOWN);
        }
    }
    /// The region is gone.
    pub(crate) fn remove(&mut self, region: u32) {
        self.content.remove(&region);
    }
}

impl Engine {
    /// The guest says that code in `[start, end)` may have changed, perhaps without
    /// knowing where: forgets the translations that are no longer right. Of an empty
    /// range, none.
    pub fn code_changed(&self, start: u64, end: u64) {
        if end <= start {
            return;
        }
        let mut guard = self.lock();
        let s = &mut *guard;
        let mut doomed = Vec::new();
        let Inner { watched: Watched { pages, content }, regions, .. } = s;
        let range = start / PAGE..=(end - 1) / PAGE;
        pages.retain(|&page, known| {
            if !range.contains(&page) {
                return true;
            }
            let list = regions.on_page(page);
            if list.is_empty() {
                return false;
            }
            let at = page * PAGE;
            let found = now(self.source(), at, at + PAGE);
            if found != UNKNOWN && found == *known {
                return true;
            }
            *known = found;
            for n in list {
                let (Some(c), Some(r)) = (content.get(&n), regions.get(n)) else { continue };
                if *c == UNKNOWN || *c != now(self.source(), r.guest.0, r.guest.1) {
                    doomed.push(n);
                }
            }
            true
        });
        // A range of a few pages is meant: there may be code in it that was changed
        // past the page tables, as a debugger does.
        if range.end() - range.start() < 64 {
            let all = regions.covering(start, end).into_iter();
            doomed.extend(all.filter(|n| !content.contains_key(n)));
        }
        doomed.sort_unstable();
        doomed.dedup();
        s.stats.fences += 1;
        self.retire(s, doomed);
    }
}
