//! Denormal operands that FPCR.FZ or FPCR.FZ16 takes as zero, for instructions
//! that look at an operand's class before they compute with it. DDI 0487,
//! shared pseudocode, `FPUnpackBase`.

use remu_isa::ir::{Cond, Lane, Type, Val};

use super::Lift;
use super::lanes::{finish, lane, repeat};
use crate::isa::{KEY_FZ, KEY_FZ16};

/// Sticky flag of a flushed operand.
const INPUT_DENORMAL: u32 = 2;

/// Lanes of 2^size bytes as FPCR wants them taken; raises FPSR.IDC for those of
/// the instruction's `q`. Halves are flushed silently.
pub(crate) fn flushed(l: &Lift, q: u8, size: u8, v: Val) -> Val {
    let bit = if size == 1 { KEY_FZ16 } else { KEY_FZ };
    if l.key().0 & bit == 0 {
        return v;
    }
    let e = lane(size);
    let fraction_bits = [0, 10, 23, 52][usize::from(size & 3)];
    let magnitude = l.vfabs(v, e);
    let exponent =
        repeat(l, size, u64::MAX >> (64 - (8u32 << size) + 1) >> fraction_bits << fraction_bits);
    let zero = l.vconst(0);
    let small = l.vcmp(l.vand(magnitude, exponent), zero, e, Cond::Eq as i32);
    if size != 1 {
        let lost = finish(l, q, size, l.vand(small, magnitude));
        let half = |n| l.vextract(lost, l.c32(n), Type::I64, Lane::D);
        let any = l.icmp(l.or(half(0), half(1)), l.c64(0), Cond::Ne);
        l.or_fpstat(l.movcond(any, l.c32(INPUT_DENORMAL), l.c32(0)));
    }
    l.vandc(v, l.vand(small, magnitude))
}
