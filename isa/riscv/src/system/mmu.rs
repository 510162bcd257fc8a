//! "Sv39", "Sv48", "Sv57": page walks, with Svadu, Svnapot and Svpbmt.

use remu_isa::{Intent, Mapping, PhysMem, Trap};

use super::pmp;
use super::regs::{M, Regs, S, U, menvcfg, mstatus};
use super::trap;
use crate::features::{self, Features};

const PAGE: u64 = 4096;
/// Bits of a physical address.
const PHYSICAL: u32 = 56;

const V: u64 = 1;
const R: u64 = 1 << 1;
const W: u64 = 1 << 2;
const X: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const A: u64 = 1 << 6;
const D: u64 = 1 << 7;
const PPN: u64 = ((1 << 44) - 1) << 10;
const RESERVED: u64 = 0x7f << 54;
const PBMT: u64 = 3 << 61;
const N: u64 = 1 << 63;

/// Levels of page tables for a MODE of `satp`, 0 for none; `None` if it does not exist.
pub(crate) fn levels(satp: u64) -> Option<u32> {
    match satp >> 60 {
        0 => Some(0),
        8 => Some(3),
        9 => Some(4),
        10 => Some(5),
        _ => None,
    }
}

pub(crate) fn access_fault(va: u64, intent: Intent) -> Trap {
    let cause = match intent {
        Intent::Read => trap::LOAD_ACCESS,
        Intent::Write => trap::STORE_ACCESS,
        Intent::Execute => trap::INSN_ACCESS,
    };
    Trap { cause, value: va }
}

fn page_fault(va: u64, intent: Intent) -> Trap {
    let cause = match intent {
        Intent::Read => trap::LOAD_PAGE,
        Intent::Write => trap::STORE_PAGE,
        Intent::Execute => trap::INSN_PAGE,
    };
    Trap { cause, value: va }
}

/// What a leaf of the page tables says.
struct Leaf {
    pa: u64,
    read: bool,
    write: bool,
    span: u64,
}

pub(crate) fn translate(
    r: &mut Regs<'_>,
    features: Features,
    mem: &dyn PhysMem,
    va: u64,
    bytes: u64,
    intent: Intent,
    tlb: u8,
) -> Result<Mapping, Trap> {
    let mode = match (intent, tlb) {
        (Intent::Execute, _) => r.privilege(),
        (_, 0) => U,
        (_, 1 | 2) => S,
        _ => M,
    };
    let levels = if mode == M { 0 } else { levels(r.satp()).unwrap_or(0) };
    let leaf = if levels == 0 {
        if va >> PHYSICAL != 0 {
            return Err(access_fault(va, intent));
        }
        Leaf { pa: va, read: true, write: true, span: PAGE }
    } else {
        walk(r, features, mem, va, intent, mode, tlb == 2, levels)?
    };
    let allowed = pmp::check(r, leaf.pa, bytes, mode);
    if !allowed.allows(intent) {
        return Err(access_fault(va, intent));
    }
    let (read, write) = (leaf.read && allowed.read, leaf.write && allowed.write);
    Ok(Mapping { pa: leaf.pa, read, write, whole: allowed.whole, span: leaf.span })
}

/// "Virtual Address Translation Process".
fn walk(
    r: &Regs<'_>,
    features: Features,
    mem: &dyn PhysMem,
    va: u64,
    intent: Intent,
    mode: u64,
    sum: bool,
    levels: u32,
) -> Result<Leaf, Trap> {
    let refused = || page_fault(va, intent);
    let bits = 12 + 9 * levels;
    // The upper bits repeat the highest one that is translated.
    if (va as i64) << (64 - bits) >> (64 - bits) != va as i64 {
        return Err(refused());
    }
    let (status, config) = (r.mstatus(), r.menvcfg());
    let mut table = (r.satp() & ((1 << 44) - 1)) * PAGE;
    let mut level = levels;
    loop {
        level -= 1;
        let shift = 12 + 9 * level;
        let at = table + (va >> shift & 0x1ff) * 8;
        if !pmp::check(r, at, 8, S).read {
            return Err(access_fault(va, intent));
        }
        let pte = mem.read(at).ok_or_else(|| access_fault(va, intent))?;
        if pte & V == 0 || pte & (R | W) == W || pte & RESERVED != 0 {
            return Err(refused());
        }
        if pte & PBMT != 0 && (config & menvcfg::PBMTE == 0 || pte & PBMT == PBMT) {
            return Err(refused());
        }
        if pte & (R | X) == 0 {
            if pte & (A | D | USER | PBMT | N) != 0 || level == 0 {
                return Err(refused());
            }
            table = (pte & PPN) << 2;
            continue;
        }
        let mut base = (pte & PPN) << 2;
        let mut span = 1 << shift;
        if pte & N != 0 {
            // 64 KiB, told by the lowest bits of the page number.
            if !features.has(features::SVNAPOT) || level != 0 || base & 0xf000 != 0x8000 {
                return Err(refused());
            }
            base &= !0xf000;
            span = 1 << 16;
        }
        if base & (span - 1) != 0 {
            return Err(refused());
        }
        let user = pte & USER != 0;
        let reachable = match (mode, intent) {
            (U, _) => user,
            (_, Intent::Execute) => !user,
            _ => !user || sum,
        };
        let readable = pte & R != 0 || status & mstatus::MXR != 0 && pte & X != 0;
        let allowed = match intent {
            Intent::Read => readable,
            Intent::Write => pte & W != 0,
            Intent::Execute => pte & X != 0,
        };
        if !reachable || !allowed {
            return Err(refused());
        }
        let wanted = pte | A | if intent == Intent::Write { D } else { 0 };
        if wanted != pte {
            if config & menvcfg::ADUE == 0 {
                return Err(refused());
            }
            if !pmp::check(r, at, 8, S).write {
                return Err(access_fault(va, intent));
            }
            match mem.exchange(at, pte, wanted) {
                Some(true) => {}
                // Somebody else has changed the entry: look at it again.
                Some(false) => {
                    level += 1;
                    continue;
                }
                None => return Err(access_fault(va, intent)),
            }
        }
        let write = pte & W != 0 && wanted & D != 0;
        return Ok(Leaf { pa: base | va & (span - 1), read: readable, write, span });
    }
}
