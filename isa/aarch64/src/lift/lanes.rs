//! What the Advanced SIMD lifters share: lanes, halves, saturation.
//!
//! `q` is 0 for 64 bits, 1 for 128, 2 for a scalar in the lowest lane; `size`
//! is log2 of a lane's bytes.

use remu_isa::ir::{Cond, Lane, Type, Val};

use super::{Lift, Regs};
use crate::state::slots;

/// Lane of 2^size bytes.
pub(crate) fn lane(size: u8) -> Lane {
    Lane::from_u8(size)
}
/// Floating-point type of a lane: 1 half, 2 single, 3 double.
pub(crate) fn ftype(size: u8) -> Type {
    [Type::F16, Type::F16, Type::F32, Type::F64][usize::from(size & 3)]
}
/// A value in every lane.
pub(crate) fn repeat(l: &Lift, size: u8, v: u64) -> Val {
    let bits = 8u32 << size;
    let mut c = u128::from(v) & (u128::MAX >> (128 - bits));
    let mut have = bits;
    while have < 128 {
        c |= c << have;
        have *= 2;
    }
    l.vconst(c)
}
/// The result with what lies above it cleared.
pub(crate) fn finish(l: &Lift, q: u8, size: u8, v: Val) -> Val {
    match (q, size) {
        (1, _) => v,
        (0, _) | (2, 3) => l.vlow(v),
        _ => l.vand(v, l.vconst(u128::MAX >> (128 - (8u32 << size)))),
    }
}
/// Writes a result of `q` and `size`.
pub(crate) fn set(l: &Lift, q: u8, size: u8, rd: u8, v: Val) {
    l.set_v(rd, finish(l, q, size, v));
}
/// Raises FPSR.QC if a bit of `over` is set in the result's lanes.
pub(crate) fn saturated(l: &Lift, q: u8, size: u8, over: Val) {
    let qc = l.get(slots::qc(0));
    l.set(slots::qc(0), l.vor(qc, finish(l, q, size, over)));
}
/// The half that the forms with a `2` take.
pub(crate) fn half(l: &Lift, q: u8, v: Val) -> Val {
    if q == 1 { l.vhigh(v) } else { v }
}
/// Writes narrow lanes, which are in the low half: to the upper half for q = 1.
pub(crate) fn set_narrow(l: &Lift, q: u8, size: u8, rd: u8, v: Val) {
    let v = match q {
        1 => l.vconcat(l.v(rd), v),
        _ => finish(l, q, size, v),
    };
    l.set_v(rd, v);
}
/// Both operands of a pairwise operation, as one vector for q = 0.
pub(crate) fn pairs(l: &Lift, q: u8, size: u8, x: Val, y: Val) -> (Val, Val) {
    let (x, y) = if q == 1 {
        (x, y)
    } else {
        let both = l.vconcat(x, y);
        (both, both)
    };
    (l.vuzp1(x, y, lane(size)), l.vuzp2(x, y, lane(size)))
}
/// The low half twice for q = 0, so that no operation sees foreign lanes.
pub(crate) fn filled(l: &Lift, q: u8, v: Val) -> Val {
    if q == 0 { l.vconcat(v, v) } else { v }
}
/// Lane `i` as a float.
pub(crate) fn flane(l: &Lift, v: Val, size: u8, i: u32) -> Val {
    l.bitcast(l.lane(v, lane(size), i), ftype(size))
}
/// Vector of floats from its lanes.
pub(crate) fn from_floats(l: &Lift, size: u8, floats: &[Val]) -> Val {
    let t = if size == 3 { Type::I64 } else { Type::I32 };
    floats
        .iter()
        .enumerate()
        .fold(l.vconst(0), |v, (i, &f)| l.vinsert(v, l.bitcast(f, t), lane(size), i as i32))
}
/// Lanes of a register, or one for a scalar.
pub(crate) fn count(q: u8, size: u8) -> u32 {
    if q == 2 { 1 } else { (8 << q) >> size }
}

/// Saturated `x` as lanes of half the width, in the low 64 bits, and where it
/// saturated. From and to: signedness of `x` and of the result.
pub(crate) fn saturating_narrow(l: &Lift, size: u8, x: Val, from: bool, to: bool) -> (Val, Val) {
    let (wide, narrow, bits) = (lane(size + 1), lane(size), 8u32 << size);
    let max = if to { (1u64 << (bits - 1)) - 1 } else { u64::MAX >> (64 - bits) };
    let max = repeat(l, size + 1, max);
    let clamped = match (from, to) {
        (true, true) => {
            let min = repeat(l, size + 1, (-(1i64 << (bits - 1))) as u64);
            l.vsmin(l.vsmax(x, min, wide), max, wide)
        }
        (true, false) => l.vsmin(l.vsmax(x, l.vconst(0), wide), max, wide),
        _ => l.vumin(x, max, wide),
    };
    let over = l.vcmp(clamped, x, wide, Cond::Ne as i32);
    (l.vnarrow(clamped, narrow), l.vnarrow(over, narrow))
}

/// Sum with signed saturation, and where it saturated.
pub(crate) fn sqadd(l: &Lift, x: Val, y: Val, size: u8) -> (Val, Val) {
    let s = l.vadd(x, y, lane(size));
    signed_limit(l, x, s, l.vand(l.vxor(x, s), l.vxor(y, s)), size)
}
/// Difference with signed saturation, and where it saturated.
pub(crate) fn sqsub(l: &Lift, x: Val, y: Val, size: u8) -> (Val, Val) {
    let s = l.vsub(x, y, lane(size));
    signed_limit(l, x, s, l.vand(l.vxor(x, y), l.vxor(x, s)), size)
}
/// Replaces `s` by the limit on x's side where the sign of `over` is set.
fn signed_limit(l: &Lift, x: Val, s: Val, over: Val, size: u8) -> (Val, Val) {
    let top = (8i32 << size) - 1;
    let over = l.vsar(over, lane(size), top);
    let limit = l.vxor(l.vsar(x, lane(size), top), repeat(l, size, (1 << top) - 1));
    (l.vbitsel(over, limit, s), over)
}
/// Sum with unsigned saturation, and where it saturated.
pub(crate) fn uqadd(l: &Lift, x: Val, y: Val, size: u8) -> (Val, Val) {
    let s = l.vadd(x, y, lane(size));
    let over = l.vcmp(s, x, lane(size), Cond::Ltu as i32);
    (l.vor(s, over), over)
}
/// Difference with unsigned saturation, and where it saturated.
pub(crate) fn uqsub(l: &Lift, x: Val, y: Val, size: u8) -> (Val, Val) {
    let over = l.vcmp(x, y, lane(size), Cond::Ltu as i32);
    (l.vandc(l.vsub(x, y, lane(size)), over), over)
}
/// Doubled product of the low half's lanes at double width, and where it
/// saturated.
pub(crate) fn sqdmull(l: &Lift, x: Val, y: Val, size: u8) -> (Val, Val) {
    let p = l.vsmull(x, y, lane(size));
    sqadd(l, p, p, size + 1)
}
/// High half of the doubled product, rounded or not, and where it saturated.
pub(crate) fn sqdmulh(l: &Lift, x: Val, y: Val, size: u8, round: bool) -> (Val, Val) {
    let n = (8i32 << size) - 1;
    let part = |x, y| {
        let p = l.vsmull(x, y, lane(size));
        let p = if round { l.vrsar(p, lane(size + 1), n) } else { l.vsar(p, lane(size + 1), n) };
        l.vnarrow(p, lane(size))
    };
    let r = l.vconcat(part(x, y), part(l.vhigh(x), l.vhigh(y)));
    // Only the smallest value squared does not fit; it comes out as itself.
    let min = repeat(l, size, 1 << n);
    let over = l.vand(
        l.vcmp(x, min, lane(size), Cond::Eq as i32),
        l.vcmp(y, min, lane(size), Cond::Eq as i32),
    );
    (l.vxor(r, over), over)
}
