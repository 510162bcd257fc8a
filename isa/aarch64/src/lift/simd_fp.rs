//! Advanced SIMD floating point. One function per row of `simd_fp.decode`.
//!
//! Scalars use the scalar ops and 64-bit vectors see their lanes twice, so that
//! no lane raises flags that is not the instruction's.

use remu_isa::ir::{Cond, FCond, FpInt, Lane, Rm, Type, Val};

use super::flush::flushed;
use super::lanes::{
    count, filled, finish, flane, from_floats, ftype, half, lane, pairs, repeat, set, set_narrow,
};
use super::{Lift, Regs, rmode};
use crate::decode::args;
use crate::helpers::estimate;
use crate::isa::KEY_FZ16;

/// Bits of 1.0 shifted up by `n` exponents: 2^n.
fn power(size: u8, n: u64) -> u64 {
    match size {
        1 => (15 + n) << 10,
        2 => (127 + n) << 23,
        _ => (1023 + n) << 52,
    }
}

/// Rows of three registers: the op on scalars and the op on vectors.
macro_rules! three {
    ($($name:ident $scalar:ident $vector:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Vvv) {
            let v = binary(l, a.q, a.size, l.v(a.rn), l.v(a.rm), &|x, y| l.$scalar(x, y, l.fp()),
                &|x, y| l.$vector(x, y, l.fp().lanes(lane(a.size))));
            l.set_v(a.rd, v);
        })*
    };
}
type Binary<'a> = &'a dyn Fn(Val, Val) -> Val;
fn binary(
    l: &Lift,
    q: u8,
    size: u8,
    x: Val,
    y: Val,
    scalar: Binary<'_>,
    vector: Binary<'_>,
) -> Val {
    if q == 2 {
        let t = ftype(size);
        return l.vfromf(scalar(l.vtof(x, t), l.vtof(y, t)));
    }
    finish(l, q, size, vector(filled(l, q, x), filled(l, q, y)))
}
three! {
    fadd_v fadd vfadd;
    fsub_v fsub vfsub;
    fmul_v fmul vfmul;
    fdiv_v fdiv vfdiv;
    fmax_v fmax vfmax;
    fmin_v fmin vfmin;
    fmaxnm_v fmaxnm vfmaxnm;
    fminnm_v fminnm vfminnm;
}
/// FABD.
pub fn fabd(l: &Lift, a: args::Vvv) {
    let v = binary(
        l,
        a.q,
        a.size,
        l.v(a.rn),
        l.v(a.rm),
        &|x, y| l.fabs(l.fsub(x, y, l.fp())),
        &|x, y| l.vfabs(l.vfsub(x, y, l.fp().lanes(lane(a.size))), lane(a.size)),
    );
    l.set_v(a.rd, v);
}

/// What FMUL and its kin do with the product.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Multiply {
    /// FMUL.
    Plain,
    /// FMULX: infinity times zero is two.
    Extended,
    /// FMLA.
    Add,
    /// FMLS.
    Sub,
}
/// Infinity in every lane.
fn infinity(l: &Lift, size: u8) -> Val {
    repeat(l, size, [0, 0x7c00, 0x7f80_0000, 0x7ff0_0000_0000_0000][usize::from(size & 3)])
}
/// Lanes in which one operand is infinite and the other zero.
fn infinity_by_zero(l: &Lift, x: Val, y: Val, size: u8) -> Val {
    let (e, eq) = (lane(size), Cond::Eq as i32);
    let infinity = infinity(l, size);
    let (x, y) = (l.vfabs(x, e), l.vfabs(y, e));
    let zero = l.vconst(0);
    l.vor(
        l.vand(l.vcmp(x, infinity, e, eq), l.vcmp(y, zero, e, eq)),
        l.vand(l.vcmp(y, infinity, e, eq), l.vcmp(x, zero, e, eq)),
    )
}
/// A product of lanes, plain or fused with the destination.
pub(crate) fn multiply(l: &Lift, q: u8, size: u8, rd: u8, x: Val, y: Val, how: Multiply) {
    let (e, t) = (lane(size), ftype(size));
    let p = l.fp().lanes(e);
    let v = match (how, q) {
        (Multiply::Extended, _) => {
            let (x, y) = (flushed(l, q, size, x), flushed(l, q, size, y));
            let special = infinity_by_zero(l, x, y, size);
            let sign = repeat(l, size, 1 << ((8 << size) - 1));
            let two = l.vor(l.vand(l.vxor(x, y), sign), repeat(l, size, power(size, 1)));
            let (x, y) = (l.vandc(x, special), l.vandc(y, special));
            let r =
                binary(l, q, size, x, y, &|x, y| l.fmul(x, y, l.fp()), &|x, y| l.vfmul(x, y, p));
            finish(l, q, size, l.vbitsel(special, two, r))
        }
        (Multiply::Plain, _) => {
            binary(l, q, size, x, y, &|x, y| l.fmul(x, y, l.fp()), &|x, y| l.vfmul(x, y, p))
        }
        (_, 2) => {
            let x = l.vtof(x, t);
            let x = if how == Multiply::Sub { l.fneg(x) } else { x };
            l.vfromf(l.fma(x, l.vtof(y, t), l.f(rd, t), l.fp()))
        }
        _ => {
            let x = if how == Multiply::Sub { l.vfneg(x, e) } else { x };
            let (x, y, d) = (filled(l, q, x), filled(l, q, y), filled(l, q, l.v(rd)));
            finish(l, q, size, l.vfma(x, y, d, p))
        }
    };
    l.set_v(rd, v);
}
/// FMULX.
pub fn fmulx(l: &Lift, a: args::Vvv) {
    multiply(l, a.q, a.size, a.rd, l.v(a.rn), l.v(a.rm), Multiply::Extended);
}
/// FMLA.
pub fn fmla(l: &Lift, a: args::Vvv) {
    multiply(l, a.q, a.size, a.rd, l.v(a.rn), l.v(a.rm), Multiply::Add);
}
/// FMLS.
pub fn fmls(l: &Lift, a: args::Vvv) {
    multiply(l, a.q, a.size, a.rd, l.v(a.rn), l.v(a.rm), Multiply::Sub);
}

/// Newton-Raphson steps: `base - x * y` with infinity times zero as zero.
fn step(l: &Lift, a: args::Vvv, x: Val, y: Val, base: f64) -> Val {
    let e = lane(a.size);
    let (x, y) = (flushed(l, a.q, a.size, x), flushed(l, a.q, a.size, y));
    let special = infinity_by_zero(l, x, y, a.size);
    let (x, y) = (l.vfneg(l.vandc(x, special), e), l.vandc(y, special));
    let base = repeat(l, a.size, constant(a.size, base));
    if a.q == 2 {
        let t = ftype(a.size);
        return l.vfromf(l.fma(l.vtof(x, t), l.vtof(y, t), l.vtof(base, t), l.fp()));
    }
    let (x, y) = (filled(l, a.q, x), filled(l, a.q, y));
    l.vfma(x, y, base, l.fp().lanes(e))
}
/// Bits of 0.5, 1.5, 2 or 3.
fn constant(size: u8, v: f64) -> u64 {
    match size {
        // These constants have at most one fraction bit.
        1 => {
            let bits = v.to_bits();
            ((bits >> 52) - 1008) << 10 | bits >> 42 & 0x3ff
        }
        2 => (v as f32).to_bits().into(),
        _ => v.to_bits(),
    }
}
/// One in the exponent.
fn unit(size: u8) -> u64 {
    1 << [0, 10, 23, 52][usize::from(size & 3)]
}
/// FRECPS.
pub fn frecps(l: &Lift, a: args::Vvv) {
    set(l, a.q, a.size, a.rd, step(l, a, l.v(a.rn), l.v(a.rm), 2.0));
}
/// FRSQRTS: `(3 - x * y) / 2`, rounded once. Where an operand is at least one,
/// that is `1.5 - x / 2 * y`, which overflows only if the result does; else the
/// halving at the end is exact.
pub fn frsqrts(l: &Lift, a: args::Vvv) {
    let (x, y, e) = (l.v(a.rn), l.v(a.rm), lane(a.size));
    let (one, unit) = (repeat(l, a.size, power(a.size, 0)), repeat(l, a.size, unit(a.size)));
    let large = |v: Val| {
        let magnitude = l.vfabs(v, e);
        let finite = l.vcmp(magnitude, infinity(l, a.size), e, Cond::Ltu as i32);
        l.vand(finite, l.vcmp(magnitude, one, e, Cond::Geu as i32))
    };
    let by_x = large(x);
    let by_y = l.vandc(large(y), by_x);
    let halved = l.vor(by_x, by_y);
    let (x2, y2) = (l.vsub(x, l.vand(by_x, unit), e), l.vsub(y, l.vand(by_y, unit), e));
    let first = step(l, a, l.vand(x2, halved), l.vand(y2, halved), 1.5);
    let second = step(l, a, l.vandc(x, halved), l.vandc(y, halved), 3.0);
    let half = repeat(l, a.size, constant(a.size, 0.5));
    let p = l.fp().lanes(e);
    let second = binary(l, a.q, a.size, second, half, &|x, y| l.fmul(x, y, l.fp()), &|x, y| {
        l.vfmul(x, y, p)
    });
    set(l, a.q, a.size, a.rd, l.vbitsel(halved, first, second));
}

/// All ones where a comparison holds.
fn compare(l: &Lift, q: u8, size: u8, rd: u8, x: Val, y: Val, c: FCond) {
    if q == 2 {
        let t = ftype(size);
        let holds = l.fcmp(l.vtof(x, t), l.vtof(y, t), c);
        let ones = l.vconst(u128::MAX >> (128 - (8u32 << size)));
        return l.set_v(rd, l.movcond(holds, ones, l.vconst(0)));
    }
    let v = l.vfcmp(filled(l, q, x), filled(l, q, y), lane(size), c as i32);
    l.set_v(rd, finish(l, q, size, v));
}
/// FCMEQ.
pub fn fcmeq(l: &Lift, a: args::Vvv) {
    compare(l, a.q, a.size, a.rd, l.v(a.rn), l.v(a.rm), FCond::Eq);
}
/// FCMGE.
pub fn fcmge(l: &Lift, a: args::Vvv) {
    compare(l, a.q, a.size, a.rd, l.v(a.rm), l.v(a.rn), FCond::Le);
}
/// FCMGT.
pub fn fcmgt(l: &Lift, a: args::Vvv) {
    compare(l, a.q, a.size, a.rd, l.v(a.rm), l.v(a.rn), FCond::Lt);
}
fn absolute(l: &Lift, a: args::Vvv) -> (Val, Val) {
    (l.vfabs(l.v(a.rn), lane(a.size)), l.vfabs(l.v(a.rm), lane(a.size)))
}
/// FACGE.
pub fn facge(l: &Lift, a: args::Vvv) {
    let (x, y) = absolute(l, a);
    compare(l, a.q, a.size, a.rd, y, x, FCond::Le);
}
/// FACGT.
pub fn facgt(l: &Lift, a: args::Vvv) {
    let (x, y) = absolute(l, a);
    compare(l, a.q, a.size, a.rd, y, x, FCond::Lt);
}
/// FCMEQ with zero.
pub fn fcmeq0(l: &Lift, a: args::Vv) {
    compare(l, a.q, a.size, a.rd, l.v(a.rn), l.vconst(0), FCond::Eq);
}
/// FCMGE with zero.
pub fn fcmge0(l: &Lift, a: args::Vv) {
    compare(l, a.q, a.size, a.rd, l.vconst(0), l.v(a.rn), FCond::Le);
}
/// FCMGT with zero.
pub fn fcmgt0(l: &Lift, a: args::Vv) {
    compare(l, a.q, a.size, a.rd, l.vconst(0), l.v(a.rn), FCond::Lt);
}
/// FCMLE with zero.
pub fn fcmle0(l: &Lift, a: args::Vv) {
    compare(l, a.q, a.size, a.rd, l.v(a.rn), l.vconst(0), FCond::Le);
}
/// FCMLT with zero.
pub fn fcmlt0(l: &Lift, a: args::Vv) {
    compare(l, a.q, a.size, a.rd, l.v(a.rn), l.vconst(0), FCond::Lt);
}

/// Pairwise rows, their scalar forms and reductions.
macro_rules! pairwise {
    ($($name:ident $scalar:ident $reduce:ident $op:ident;)*) => {
        $(
        #[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Vvv) {
            let (x, y) = pairs(l, a.q, a.size, l.v(a.rn), l.v(a.rm));
            set(l, a.q, a.size, a.rd, l.$op(x, y, l.fp().lanes(lane(a.size))));
        }
        #[doc = concat!("`", stringify!($scalar), "`.")]
        pub fn $scalar(l: &Lift, a: args::Vv) {
            let v = l.v(a.rn);
            let v = l.vduppair(v, a.size);
            let (x, y) = (l.vuzp1(v, v, lane(a.size)), l.vuzp2(v, v, lane(a.size)));
            set(l, 2, a.size, a.rd, l.$op(x, y, l.fp().lanes(lane(a.size))));
        }
        pairwise!(@reduce $reduce $op);
        )*
    };
    (@reduce none $op:ident) => {};
    (@reduce $reduce:ident $op:ident) => {
        #[doc = concat!("`", stringify!($reduce), "`.")]
        pub fn $reduce(l: &Lift, a: args::Vv) {
            let mut v = filled(l, a.q, l.v(a.rn));
            let mut lanes = count(a.q, a.size);
            while lanes > 1 {
                let (x, y) = (l.vuzp1(v, v, lane(a.size)), l.vuzp2(v, v, lane(a.size)));
                v = l.$op(x, y, l.fp().lanes(lane(a.size)));
                lanes /= 2;
            }
            set(l, 2, a.size, a.rd, v);
        }
    };
}
/// The lowest pair of lanes repeated, so that no other lane raises flags.
trait Pairs {
    fn vduppair(&self, v: Val, size: u8) -> Val;
}
impl Pairs for Lift<'_> {
    fn vduppair(&self, v: Val, size: u8) -> Val {
        if size == 3 { v } else { self.vduplane(v, lane(size + 1), 0) }
    }
}
pairwise! {
    faddp faddp_s none vfadd;
    fmaxp fmaxp_s fmaxv vfmax;
    fminp fminp_s fminv vfmin;
    fmaxnmp fmaxnmp_s fmaxnmv vfmaxnm;
    fminnmp fminnmp_s fminnmv vfminnm;
}

fn unary(l: &Lift, a: args::Vv, scalar: impl Fn(Val) -> Val, vector: impl Fn(Val) -> Val) {
    let x = l.v(a.rn);
    let v = match a.q {
        2 => l.vfromf(scalar(l.vtof(x, ftype(a.size)))),
        q => finish(l, q, a.size, vector(filled(l, q, x))),
    };
    l.set_v(a.rd, v);
}
/// FABS (vector).
pub fn fabs_v(l: &Lift, a: args::Vv) {
    set(l, a.q, a.size, a.rd, l.vfabs(l.v(a.rn), lane(a.size)));
}
/// FNEG (vector).
pub fn fneg_v(l: &Lift, a: args::Vv) {
    set(l, a.q, a.size, a.rd, l.vfneg(l.v(a.rn), lane(a.size)));
}
/// FSQRT (vector).
pub fn fsqrt_v(l: &Lift, a: args::Vv) {
    unary(l, a, |x| l.fsqrt(x, l.fp()), |x| l.vfsqrt(x, l.fp().lanes(lane(a.size))));
}
fn round(l: &Lift, a: args::Vv, rm: Rm) {
    let p = l.fp().rounding(rm);
    unary(l, a, |x| l.fround(x, p), |x| l.vfround(x, p.lanes(lane(a.size))));
}
/// FRINTN (vector).
pub fn frintn_v(l: &Lift, a: args::Vv) {
    round(l, a, Rm::Ne);
}
/// FRINTP (vector).
pub fn frintp_v(l: &Lift, a: args::Vv) {
    round(l, a, Rm::Up);
}
/// FRINTM (vector).
pub fn frintm_v(l: &Lift, a: args::Vv) {
    round(l, a, Rm::Dn);
}
/// FRINTZ (vector).
pub fn frintz_v(l: &Lift, a: args::Vv) {
    round(l, a, Rm::Tz);
}
/// FRINTA (vector).
pub fn frinta_v(l: &Lift, a: args::Vv) {
    round(l, a, Rm::Na);
}
/// FRINTI (vector).
pub fn frinti_v(l: &Lift, a: args::Vv) {
    round(l, a, Rm::Dyn);
}
/// FRINTX (vector).
pub fn frintx_v(l: &Lift, a: args::Vv) {
    unary(l, a, |x| l.froundx(x, l.fp()), |x| l.vfroundx(x, l.fp().lanes(lane(a.size))));
}
fn sized(l: &Lift, a: args::Vv, bits: i32, rm: Rm) {
    let (x, p) = (l.v(a.rn), l.fp().rounding(rm));
    let floats: Vec<Val> = (0..count(a.q, a.size))
        .map(|i| super::fp_scalar::round_to_size(l, flane(l, x, a.size, i), bits, p))
        .collect();
    l.set_v(a.rd, from_floats(l, a.size, &floats));
}
/// FRINT32Z (vector).
pub fn frint32z_v(l: &Lift, a: args::Vv) {
    sized(l, a, 32, Rm::Tz);
}
/// FRINT32X (vector).
pub fn frint32x_v(l: &Lift, a: args::Vv) {
    sized(l, a, 32, Rm::Dyn);
}
/// FRINT64Z (vector).
pub fn frint64z_v(l: &Lift, a: args::Vv) {
    sized(l, a, 64, Rm::Tz);
}
/// FRINT64X (vector).
pub fn frint64x_v(l: &Lift, a: args::Vv) {
    sized(l, a, 64, Rm::Dyn);
}

/// Limits an integer that a half became to 16 bits. Halves reach 65504 and
/// infinity: what does not fit raises invalid instead of inexact.
pub(crate) fn limit_half(l: &Lift, r: Val, _x: Val, _i: u32, signed: bool) -> Val {
    let (min, max) = if signed { (-32768i64, 32767) } else { (0, 65535) };
    let clamped = if signed {
        l.smax(l.smin(r, l.c32(max as u32)), l.c32(min as u32))
    } else {
        l.umin(r, l.c32(max as u32))
    };
    let fits = l.icmp(clamped, r, Cond::Eq);
    l.or_fpstat(l.movcond(fits, l.c32(0), l.c32(1)));
    clamped
}
fn to_int(l: &Lift, a: args::Vv, rm: Rm, signed: bool) {
    let p = FpInt { fp: l.fp().rounding(rm), signed, nan_max: false };
    let x = l.v(a.rn);
    if a.q == 2 {
        let t = if a.size == 3 { Type::I64 } else { Type::I32 };
        let r = l.fcvt_int(l.vtof(x, ftype(a.size)), t, p);
        let r = if a.size == 1 { limit_half(l, r, x, 0, signed) } else { r };
        return l.set_v(a.rd, l.vinsert(l.vconst(0), r, lane(a.size), 0));
    }
    let p = FpInt { fp: p.fp.lanes(lane(a.size)), ..p };
    set(l, a.q, a.size, a.rd, l.vfcvt_int(filled(l, a.q, x), p));
}
macro_rules! to_int {
    ($($name:ident $rm:expr, $signed:literal;)*) => {
        $(#[doc = concat!("`", stringify!($name), "` (vector).")]
        pub fn $name(l: &Lift, a: args::Vv) { to_int(l, a, $rm, $signed); })*
    };
}
to_int! {
    fcvtns rmode(0), true; fcvtnu rmode(0), false; fcvtps rmode(1), true; fcvtpu rmode(1), false;
    fcvtms rmode(2), true; fcvtmu rmode(2), false; fcvtzs rmode(3), true; fcvtzu rmode(3), false;
    fcvtas Rm::Na, true; fcvtau Rm::Na, false;
}
/// SCVTF (vector, integer).
pub fn scvtf(l: &Lift, a: args::Vv) {
    if a.q == 2 {
        let t = if a.size == 3 { Type::I64 } else { Type::I32 };
        let x = l.vextract_s(l.v(a.rn), l.c32(0), t, lane(a.size));
        return l.set_f(a.rd, l.fcvt_s(x, ftype(a.size), l.fp()));
    }
    let x = filled(l, a.q, l.v(a.rn));
    set(l, a.q, a.size, a.rd, l.vfcvt_s(x, l.fp().lanes(lane(a.size))));
}
/// UCVTF (vector, integer).
pub fn ucvtf(l: &Lift, a: args::Vv) {
    if a.q == 2 {
        let x = l.lane(l.v(a.rn), lane(a.size), 0);
        return l.set_f(a.rd, l.fcvt_u(x, ftype(a.size), l.fp()));
    }
    let x = filled(l, a.q, l.v(a.rn));
    set(l, a.q, a.size, a.rd, l.vfcvt_u(x, l.fp().lanes(lane(a.size))));
}

/// Lanes to twice the width.
fn lengthen(l: &Lift, v: Val, size: u8, lanes: u32) -> Val {
    let wide: Vec<Val> =
        (0..lanes).map(|i| l.fcvt(flane(l, v, size, i), ftype(size + 1), l.fp())).collect();
    from_floats(l, size + 1, &wide)
}
/// FCVTL.
pub fn fcvtl(l: &Lift, a: args::Vv) {
    let x = half(l, a.q, l.v(a.rn));
    l.set_v(a.rd, lengthen(l, x, a.size, count(0, a.size)));
}
fn shorten(l: &Lift, a: args::Vv, rm: Rm) {
    let (x, p) = (l.v(a.rn), l.fp().rounding(rm));
    let lanes = if a.q == 2 { 1 } else { count(1, a.size + 1) };
    let narrow: Vec<Val> =
        (0..lanes).map(|i| l.fcvt(flane(l, x, a.size + 1, i), ftype(a.size), p)).collect();
    set_narrow(l, a.q, a.size, a.rd, from_floats(l, a.size, &narrow));
}
/// FCVTN.
pub fn fcvtn(l: &Lift, a: args::Vv) {
    shorten(l, a, Rm::Dyn);
}
/// FCVTXN.
pub fn fcvtxn(l: &Lift, a: args::Vv) {
    shorten(l, a, Rm::Odd);
}

/// Estimates: each lane by a helper that also gives the flags.
fn estimated(l: &Lift, a: args::Vv, kind: u64) {
    let x = l.v(a.rn);
    let fpcr = l.zext(l.get(crate::state::slots::fpcr(0)));
    let r = (0..count(a.q, a.size)).fold(l.vconst(0), |v, i| {
        let bits = l.lane(x, lane(a.size), i);
        let bits = if a.size == 3 { bits } else { l.zext(bits) };
        let which = l.c64(kind << 2 | u64::from(a.size));
        let r = l.helper(estimate::VALUE, &[bits, which, fpcr]);
        l.or_fpstat(l.trunc(l.helper(estimate::FLAGS, &[bits, which, fpcr])));
        l.vinsert(v, if a.size == 3 { r } else { l.trunc(r) }, lane(a.size), i as i32)
    });
    l.set_v(a.rd, r);
}
/// FRECPE.
pub fn frecpe(l: &Lift, a: args::Vv) {
    estimated(l, a, estimate::RECIPROCAL);
}
/// FRSQRTE.
pub fn frsqrte(l: &Lift, a: args::Vv) {
    estimated(l, a, estimate::ROOT);
}
/// FRECPX.
pub fn frecpx(l: &Lift, a: args::Vv) {
    estimated(l, a, estimate::EXPONENT);
}
/// URECPE.
pub fn urecpe(l: &Lift, a: args::Vv) {
    estimated(l, a, estimate::UNSIGNED_RECIPROCAL);
}
/// URSQRTE.
pub fn ursqrte(l: &Lift, a: args::Vv) {
    estimated(l, a, estimate::UNSIGNED_ROOT);
}

/// A half as a single, as `FPMulAddH` unpacks it: a NaN stays signalling, and
/// FPCR.FZ16, which conversions ignore, flushes denormals.
fn single(l: &Lift, h: Val) -> Val {
    let h = if l.key().0 & KEY_FZ16 != 0 {
        let tiny = l.icmp(h, l.c32(0x7c00), Cond::TstEq);
        l.movcond(tiny, l.and(h, l.c32(0x8000)), h)
    } else {
        h
    };
    let nan = l.icmp(l.and(h, l.c32(0x7fff)), l.c32(0x7c00), Cond::Gtu);
    let number = l.bitcast(l.movcond(nan, l.c32(0), h), Type::F16);
    let sign = l.shl_imm(l.and(h, l.c32(0x8000)), 16);
    let fraction = l.shl_imm(l.and(h, l.c32(0x3ff)), 13);
    let bits = l.or(l.or(sign, fraction), l.c32(0x7f80_0000));
    l.movcond(nan, l.bitcast(bits, Type::F32), l.fcvt(number, Type::F32, l.fp()))
}
/// Widening multiply-add of halves; `top` takes the upper lanes of the source.
pub(crate) fn fmlal_with(l: &Lift, q: u8, top: u8, rd: u8, x: Val, y: Val, subtract: bool) {
    let lanes = count(q, 2);
    let first = if top == 1 { lanes } else { 0 };
    let d = l.v(rd);
    let sums: Vec<Val> = (0..lanes)
        .map(|i| {
            let at = |v| single(l, l.lane(v, Lane::H, first + i));
            let n = at(x);
            let n = if subtract { l.fneg(n) } else { n };
            l.fma(n, at(y), flane(l, d, 2, i), l.fp())
        })
        .collect();
    l.set_v(rd, from_floats(l, 2, &sums));
}
/// FMLAL, FMLAL2.
pub fn fmlal(l: &Lift, a: args::Fmlal) {
    fmlal_with(l, a.q, a.top, a.rd, l.v(a.rn), l.v(a.rm), false);
}
/// FMLSL, FMLSL2.
pub fn fmlsl(l: &Lift, a: args::Fmlal) {
    fmlal_with(l, a.q, a.top, a.rd, l.v(a.rn), l.v(a.rm), true);
}

/// The sign bit in every second lane, from lane `odd`.
fn alternate_signs(l: &Lift, size: u8, odd: bool) -> Val {
    let bits = 8u32 << size;
    let sign = 1u128 << (bits - 1 + if odd { bits } else { 0 });
    let mut c = sign;
    let mut have = 2 * bits;
    while have < 128 {
        c |= c << have;
        have *= 2;
    }
    l.vconst(c)
}
fn swap_pairs(l: &Lift, v: Val, size: u8) -> Val {
    if size == 3 { l.vext(v, v, 8) } else { l.vrev(v, lane(size), i32::from(size) + 1) }
}
/// FCMLA: part of a complex product.
pub(crate) fn complex(l: &Lift, q: u8, size: u8, rot: u8, rd: u8, x: Val, y: Val) {
    let e = lane(size);
    let x = if rot & 1 == 0 { l.vtrn1(x, x, e) } else { l.vtrn2(x, x, e) };
    let y = if rot & 1 == 0 { y } else { swap_pairs(l, y, size) };
    let y = match rot {
        0 => y,
        1 => l.vxor(y, alternate_signs(l, size, false)),
        2 => l.vfneg(y, e),
        _ => l.vxor(y, alternate_signs(l, size, true)),
    };
    let (x, y, d) = (filled(l, q, x), filled(l, q, y), filled(l, q, l.v(rd)));
    set(l, q, size, rd, l.vfma(x, y, d, l.fp().lanes(e)));
}
/// FCMLA.
pub fn fcmla(l: &Lift, a: args::Fcmla) {
    complex(l, a.q, a.size, a.rot, a.rd, l.v(a.rn), l.v(a.rm));
}
/// FCADD.
pub fn fcadd(l: &Lift, a: args::Fcmla) {
    let y = swap_pairs(l, l.v(a.rm), a.size);
    let y = l.vxor(y, alternate_signs(l, a.size, a.rot == 1));
    let (x, y) = (filled(l, a.q, l.v(a.rn)), filled(l, a.q, y));
    set(l, a.q, a.size, a.rd, l.vfadd(x, y, l.fp().lanes(lane(a.size))));
}

/// Sums of two bfloat16 products.
pub(crate) fn bfdot_with(l: &Lift, q: u8, rd: u8, x: Val, y: Val) {
    set(l, q, 2, rd, l.vhelper(estimate::BFDOT, l.v(rd), x, y, 0));
}
/// BFDOT.
pub fn bfdot(l: &Lift, a: args::Vlog) {
    bfdot_with(l, a.q, a.rd, l.v(a.rn), l.v(a.rm));
}
/// BFMMLA.
pub fn bfmmla(l: &Lift, a: args::Vlog) {
    l.set_v(a.rd, l.vhelper(estimate::BFMMLA, l.v(a.rd), l.v(a.rn), l.v(a.rm), 0));
}
/// Even (q = 0) or odd bfloat16 lanes as singles, multiplied and added.
pub(crate) fn bfmlal_with(l: &Lift, q: u8, rd: u8, x: Val, y: Val) {
    let part = |v: Val| {
        if q == 0 { l.vshl(v, Lane::S, 16) } else { l.vand(v, repeat(l, 2, 0xffff_0000)) }
    };
    l.set_v(rd, l.vfma(part(x), part(y), l.v(rd), l.fp().lanes(Lane::S)));
}
/// BFMLALB, BFMLALT.
pub fn bfmlal(l: &Lift, a: args::Vlog) {
    bfmlal_with(l, a.q, a.rd, l.v(a.rn), l.v(a.rm));
}
/// BFCVTN.
pub fn bfcvtn(l: &Lift, a: args::Vv) {
    let x = l.v(a.rn);
    let v = (0..4).fold(l.vconst(0), |v, i| {
        let r = super::fp_scalar::to_bf16(l, l.lane(x, Lane::S, i));
        l.vinsert(v, r, Lane::H, i as i32)
    });
    set_narrow(l, a.q, 1, a.rd, v);
}
