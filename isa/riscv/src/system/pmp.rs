//! "Physical Memory Protection": 16 entries, with a granule of 4 bytes.

use remu_isa::Intent;

use super::regs::{M, Regs, slots};

/// Entries.
pub(crate) const COUNT: usize = 16;
const PAGE: u64 = 4096;

const R: u8 = 1;
const W: u8 = 2;
const X: u8 = 4;
const LOCKED: u8 = 1 << 7;
/// Bits of a configuration that are registers.
pub(crate) const CFG: u8 = R | W | X | 3 << 3 | LOCKED;

/// What is allowed of some physical bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Allowed {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
    /// The same holds for the whole page.
    pub(crate) whole: bool,
}

impl Allowed {
    pub(crate) fn allows(self, intent: Intent) -> bool {
        match intent {
            Intent::Read => self.read,
            Intent::Write => self.write,
            Intent::Execute => self.execute,
        }
    }
    fn by(cfg: u8, whole: bool) -> Allowed {
        let bit = |b| cfg & b != 0;
        Allowed { read: bit(R), write: bit(W), execute: bit(X), whole }
    }
}

pub(crate) fn cfg(r: &Regs<'_>, n: usize) -> u8 {
    (r.get(slots::pmpcfg(n / 8)) >> (8 * (n % 8))) as u8
}

/// Whether an entry's address is locked: by itself, or as the bottom of a locked range.
pub(crate) fn addr_locked(r: &Regs<'_>, n: usize) -> bool {
    let top_of_range = |n: usize| n < COUNT && cfg(r, n) & LOCKED != 0 && cfg(r, n) >> 3 & 3 == 1;
    cfg(r, n) & LOCKED != 0 || top_of_range(n + 1)
}

/// The configuration that a write of `new` to entry `n` leaves.
pub(crate) fn written(old: u8, new: u8) -> u8 {
    let new = new & CFG;
    // Writable without readable is reserved.
    if old & LOCKED != 0 || new & (R | W) == W { old } else { new }
}

/// First byte and the last one of an entry; `None` if it is off or empty.
fn range(r: &Regs<'_>, n: usize) -> Option<(u64, u64)> {
    let addr = r.get(slots::pmpaddr(n));
    match cfg(r, n) >> 3 & 3 {
        1 => {
            let from = if n == 0 { 0 } else { r.get(slots::pmpaddr(n - 1)) << 2 };
            (from < addr << 2).then(|| (from, (addr << 2) - 1))
        }
        2 => Some((addr << 2, (addr << 2) + 3)),
        3 => {
            let ones = addr.trailing_ones();
            if ones >= 60 {
                return Some((0, u64::MAX));
            }
            let size = 8u64 << ones;
            let from = (addr & !((1 << (ones + 1)) - 1)) << 2;
            Some((from, from + (size - 1)))
        }
        _ => None,
    }
}

/// What a mode may do with `bytes` bytes at `pa`.
pub(crate) fn check(r: &Regs<'_>, pa: u64, bytes: u64, mode: u64) -> Allowed {
    let (first, last) = (pa, pa.saturating_add(bytes - 1));
    let page = (pa & !(PAGE - 1), pa | (PAGE - 1));
    let mut whole = true;
    for n in 0..COUNT {
        let Some((from, to)) = range(r, n) else { continue };
        if to < page.0 || page.1 < from {
            continue;
        }
        whole &= from <= page.0 && page.1 <= to;
        if last < from || to < first {
            continue;
        }
        let cfg = cfg(r, n);
        if first < from || to < last {
            // Only part of the access matches: it fails.
            return Allowed::by(0, false);
        }
        if mode == M && cfg & LOCKED == 0 {
            return Allowed::by(R | W | X, whole);
        }
        return Allowed::by(cfg, whole);
    }
    Allowed::by(if mode == M { R | W | X } else { 0 }, whole)
}
