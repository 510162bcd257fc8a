//! System instructions: maintenance of caches and TLBs, address translation. "A64 system
//! instructions for cache maintenance", "TLB maintenance instructions".

use remu_isa::{Flush, Intent, Surroundings};

use super::mmu::{self, Who};
use super::regs::{Regs, spsr};
use crate::decode::args;
use crate::features::{self, Features};

/// What a SYS instruction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// DC ZVA.
    Zero,
    /// DC by an address that EL0 may give.
    CleanByAddress,
    /// Other DC.
    Clean,
    /// IC IVAU.
    InvalidateCodeByAddress,
    /// IC IALLU, IC IALLUIS.
    InvalidateCode,
    /// AT.
    Translate {
        /// For a write.
        write: bool,
        /// For whom; `None`: for EL1 with PSTATE.PAN as it is.
        who: Option<Who>,
    },
    /// TLBI.
    Forget {
        what: What,
        /// On all processors.
        everywhere: bool,
    },
}

/// What a TLBI makes void.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// More than is worth telling apart.
    All,
    /// A page of any granule.
    Page,
    /// As many pages as the operand says.
    Pages,
}

/// The lowest exception level that may execute it.
pub(crate) fn least_el(a: args::Sys) -> u64 {
    match a.op1 {
        3 => 0,
        4 => 2,
        6 => 3,
        _ => 1,
    }
}

/// The instruction of given fields, if it exists.
pub(crate) fn decode(f: &Features, a: args::Sys) -> Option<Op> {
    let at = |write, who| Some(Op::Translate { write, who });
    match (a.op1, a.crn, a.crm, a.op2) {
        (0, 7, 1 | 5, 0) => Some(Op::InvalidateCode),
        (3, 7, 5, 1) => Some(Op::InvalidateCodeByAddress),
        // IVAC, ISW, CSW, CISW.
        (0, 7, 6, 1 | 2) | (0, 7, 10 | 14, 2) => Some(Op::Clean),
        (3, 7, 4, 1) => Some(Op::Zero),
        (3, 7, 10 | 11 | 14, 1) => Some(Op::CleanByAddress),
        (3, 7, 12, 1) if f.has(features::DPB) => Some(Op::CleanByAddress),
        (3, 7, 13, 1) if f.has(features::DPB2) => Some(Op::CleanByAddress),
        (0, 7, 8, n @ (0 | 1)) => at(n == 1, Some(Who::Privileged(false))),
        (0, 7, 8, n @ (2 | 3)) => at(n == 3, Some(Who::User)),
        (0, 7, 9, n @ (0 | 1)) if f.has(features::PAN) => at(n == 1, None),
        (0, 8, crm, op2) => {
            let range = f.has(features::TLBIRANGE);
            let what = match (crm, op2) {
                // VMALLE1, ASIDE1.
                (1 | 3 | 7, 0 | 2) => What::All,
                // VAE1, VAAE1, VALE1, VAALE1.
                (1 | 3 | 7, 1 | 3 | 5 | 7) => What::Page,
                (2 | 5 | 6, 1 | 3 | 5 | 7) if range => What::Pages,
                _ => return None,
            };
            // Outer shareable ones came with those of ranges.
            if matches!(crm, 1 | 5) && !range {
                return None;
            }
            Some(Op::Forget { what, everywhere: !matches!(crm, 6 | 7) })
        }
        _ => None,
    }
}

/// An address of which the upper bits repeat number `bits - 1`.
fn extended(va: u64, bits: u32) -> u64 {
    ((va << (64 - bits)) as i64 >> (64 - bits)) as u64
}

/// Translations that a TLBI with this operand makes void, in all address spaces.
pub(crate) fn forgotten(what: What, operand: u64) -> Flush {
    match what {
        What::All => Flush::All,
        // A page of 16 or 64 KiB is known to be more than one of ours where it was looked up.
        What::Page => Flush::Page(extended(operand << 12, 56)),
        What::Pages => {
            let grain = match operand >> 46 & 3 {
                1 => 12,
                2 => 14,
                3 => 16,
                // Reserved.
                _ => return Flush::All,
            };
            let (number, scale) = (operand >> 39 & 0x1f, operand >> 44 & 3);
            let pages = (number + 1) << (5 * scale + 1);
            let from = extended((operand & ((1 << 37) - 1)) << grain, 37 + grain);
            Flush::Range(from, pages << grain)
        }
    }
}

/// AT: PAR_EL1.
pub(crate) fn translate(
    r: &Regs<'_>,
    f: &Features,
    va: u64,
    write: bool,
    who: Option<Who>,
    around: &dyn Surroundings,
) -> u64 {
    let intent = if write { Intent::Write } else { Intent::Read };
    let who = who.unwrap_or(Who::Privileged(r.pan() & spsr::PAN != 0));
    match mmu::address(r, f, around.memory(), va, intent, who) {
        // Normal memory, write-back, inner shareable; bit 11 is 1.
        Ok(pa) => 0xff << 56 | pa & 0xf_ffff_ffff_f000 | 1 << 11 | 3 << 7,
        Err(status) => 1 << 11 | status << 1 | 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_name_pages() {
        let high = 0xffff_8000_1234_5000;
        assert_eq!(
            forgotten(What::Page, 7 << 48 | high >> 12 & ((1 << 44) - 1)),
            Flush::Page(high)
        );
        // One unit of scale 1: 64 pages of 4 KiB.
        let operand = 1 << 46 | 1 << 44 | high >> 12 & ((1 << 37) - 1);
        assert_eq!(forgotten(What::Pages, operand), Flush::Range(high, 64 << 12));
        let operand = 3 << 46 | 2 << 39 | 5;
        assert_eq!(forgotten(What::Pages, operand), Flush::Range(5 << 16, 6 << 16));
        assert_eq!(forgotten(What::Pages, 5), Flush::All);
    }
}
