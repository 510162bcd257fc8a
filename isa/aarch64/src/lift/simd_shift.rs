//! Advanced SIMD shifts by immediate, modified immediates. One function per
//! row of `simd_shift.decode`.

use remu_isa::ir::{FpInt, Rm, Type, Val};

use super::lanes::{
    count, flane, from_floats, ftype, half, lane, repeat, saturated, set, set_narrow,
};
use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::lanes as helper;
use crate::{bits, decode};

/// Lane size, and amounts of a left and of a right shift.
fn amounts(imm: u8) -> (u8, i32, i32) {
    let size = (imm.max(8).ilog2() - 3) as u8;
    let bits = 8i32 << size;
    (size, i32::from(imm) - bits, 2 * bits - i32::from(imm))
}

/// Rows: `s` is the lane, `n` the amount of a right (or left) shift.
macro_rules! shifts {
    (@amount right $imm:expr) => {{ let (s, _, n) = amounts($imm); (s, n) }};
    (@amount left $imm:expr) => {{ let (s, n, _) = amounts($imm); (s, n) }};
    ($($name:ident $dir:ident |$l:ident, $d:ident, $x:ident, $s:ident, $n:ident| $body:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name($l: &Lift, a: decode::args::Vsh) {
            let ($s, $n) = shifts!(@amount $dir a.imm);
            let ($x, $d) = ($l.v(a.rn), a.rd);
            set($l, a.q, $s, a.rd, $body);
        })*
    };
}
shifts! {
    sshr right |l, _d, x, s, n| l.vsar(x, lane(s), n);
    ushr right |l, _d, x, s, n| l.vshr(x, lane(s), n);
    ssra right |l, d, x, s, n| l.vadd(l.v(d), l.vsar(x, lane(s), n), lane(s));
    usra right |l, d, x, s, n| l.vadd(l.v(d), l.vshr(x, lane(s), n), lane(s));
    srshr right |l, _d, x, s, n| l.vrsar(x, lane(s), n);
    urshr right |l, _d, x, s, n| l.vrshr(x, lane(s), n);
    srsra right |l, d, x, s, n| l.vadd(l.v(d), l.vrsar(x, lane(s), n), lane(s));
    ursra right |l, d, x, s, n| l.vadd(l.v(d), l.vrshr(x, lane(s), n), lane(s));
    sri right |l, d, x, s, n| {
        let bits = 8u32 << s;
        let mask = (u64::MAX >> (64 - bits)).checked_shr(n as u32).unwrap_or(0);
        l.vbitsel(repeat(l, s, mask), l.vshr(x, lane(s), n), l.v(d))
    };
    shl left |l, _d, x, s, n| l.vshl(x, lane(s), n);
    sli left |l, d, x, s, n| l.vbitsel(repeat(l, s, u64::MAX << n), l.vshl(x, lane(s), n), l.v(d));
}

fn qshl(l: &Lift, a: args::Vsh, f: impl Fn(u8, Val, Val) -> (Val, Val)) {
    let (size, n, _) = amounts(a.imm);
    let (v, over) = f(size, l.v(a.rn), repeat(l, size, n as u64));
    saturated(l, a.q, size, over);
    set(l, a.q, size, a.rd, v);
}
/// SQSHL (immediate).
pub fn sqshl_imm(l: &Lift, a: args::Vsh) {
    let kind = helper::Shift { signed: true, round: false };
    qshl(l, a, |size, x, n| helper::shift(l, kind, size, x, n));
}
/// UQSHL (immediate).
pub fn uqshl_imm(l: &Lift, a: args::Vsh) {
    let kind = helper::Shift { signed: false, round: false };
    qshl(l, a, |size, x, n| helper::shift(l, kind, size, x, n));
}
/// SQSHLU.
pub fn sqshlu(l: &Lift, a: args::Vsh) {
    qshl(l, a, |size, x, n| helper::shift_unsigned(l, size, x, n));
}

/// Right shift of the wide lanes.
fn wide_shift(l: &Lift, a: args::Vsh, signed: bool, round: bool) -> (u8, Val) {
    let (size, _, n) = amounts(a.imm);
    let (x, w) = (l.v(a.rn), lane(size + 1));
    let v = match (signed, round) {
        (false, false) => l.vshr(x, w, n),
        (false, true) => l.vrshr(x, w, n),
        (true, false) => l.vsar(x, w, n),
        (true, true) => l.vrsar(x, w, n),
    };
    (size, v)
}
fn narrowing(l: &Lift, a: args::Vsh, round: bool) {
    let (size, v) = wide_shift(l, a, false, round);
    set_narrow(l, a.q, size, a.rd, l.vnarrow(v, lane(size)));
}
/// SHRN.
pub fn shrn(l: &Lift, a: args::Vsh) {
    narrowing(l, a, false);
}
/// RSHRN.
pub fn rshrn(l: &Lift, a: args::Vsh) {
    narrowing(l, a, true);
}
fn saturating(l: &Lift, a: args::Vsh, round: bool, from: bool, to: bool) {
    let (size, v) = wide_shift(l, a, from, round);
    super::simd_int::narrow(l, a.q, size, a.rd, v, from, to);
}
/// SQSHRN.
pub fn sqshrn(l: &Lift, a: args::Vsh) {
    saturating(l, a, false, true, true);
}
/// SQRSHRN.
pub fn sqrshrn(l: &Lift, a: args::Vsh) {
    saturating(l, a, true, true, true);
}
/// SQSHRUN.
pub fn sqshrun(l: &Lift, a: args::Vsh) {
    saturating(l, a, false, true, false);
}
/// SQRSHRUN.
pub fn sqrshrun(l: &Lift, a: args::Vsh) {
    saturating(l, a, true, true, false);
}
/// UQSHRN.
pub fn uqshrn(l: &Lift, a: args::Vsh) {
    saturating(l, a, false, false, false);
}
/// UQRSHRN.
pub fn uqrshrn(l: &Lift, a: args::Vsh) {
    saturating(l, a, true, false, false);
}
fn widening(l: &Lift, a: args::Vsh, signed: bool) {
    let (size, n, _) = amounts(a.imm);
    let x = half(l, a.q, l.v(a.rn));
    let x = if signed { l.vswiden(x, lane(size)) } else { l.vuwiden(x, lane(size)) };
    l.set_v(a.rd, if n == 0 { x } else { l.vshl(x, lane(size + 1), n) });
}
/// SSHLL.
pub fn sshll(l: &Lift, a: args::Vsh) {
    widening(l, a, true);
}
/// USHLL.
pub fn ushll(l: &Lift, a: args::Vsh) {
    widening(l, a, false);
}

/// Conversions with a fixed point, lane by lane.
fn fixed(l: &Lift, a: args::Vsh, f: impl Fn(u8, Val, Val, u32) -> Val) {
    let (size, _, n) = amounts(a.imm);
    let x = l.v(a.rn);
    let n = l.c32(n as u32);
    let floats: Vec<Val> = (0..count(a.q, size)).map(|i| f(size, x, n, i)).collect();
    l.set_v(a.rd, from_floats(l, size, &floats));
}
/// Lane as an integer of I32 or I64, sign-extended.
fn int_lane(l: &Lift, v: Val, size: u8, i: u32) -> Val {
    let t = if size == 3 { Type::I64 } else { Type::I32 };
    l.vextract_s(v, l.c32(i), t, lane(size))
}
/// SCVTF (vector, fixed-point).
pub fn scvtf_vfix(l: &Lift, a: args::Vsh) {
    fixed(l, a, |size, x, n, i| l.fscalb_s(int_lane(l, x, size, i), n, ftype(size), l.fp()));
}
/// UCVTF (vector, fixed-point).
pub fn ucvtf_vfix(l: &Lift, a: args::Vsh) {
    fixed(l, a, |size, x, n, i| l.fscalb_u(l.lane(x, lane(size), i), n, ftype(size), l.fp()));
}
fn to_fixed(l: &Lift, a: args::Vsh, signed: bool) {
    let p = FpInt { fp: l.fp().rounding(Rm::Tz), signed, nan_max: false };
    let (size, _, n) = amounts(a.imm);
    let x = l.v(a.rn);
    let n = l.c32(n as u32);
    let t = if size == 3 { Type::I64 } else { Type::I32 };
    let r = (0..count(a.q, size)).fold(l.vconst(0), |v, i| {
        let r = l.fcvt_fix(flane(l, x, size, i), n, t, p);
        let r = if size == 1 { super::simd_fp::limit_half(l, r, x, i, signed) } else { r };
        l.vinsert(v, r, lane(size), i as i32)
    });
    l.set_v(a.rd, r);
}
/// FCVTZS (vector, fixed-point).
pub fn fcvtzs_vfix(l: &Lift, a: args::Vsh) {
    to_fixed(l, a, true);
}
/// FCVTZU (vector, fixed-point).
pub fn fcvtzu_vfix(l: &Lift, a: args::Vsh) {
    to_fixed(l, a, false);
}

/// MOVI, MVNI, ORR, BIC, FMOV (vector, immediate).
pub fn modimm(l: &Lift, a: args::Modimm) {
    let value = bits::modified(a.op, a.cmode, a.abcdefgh);
    let inverted = a.op == 1 && a.cmode < 14;
    let merges = a.cmode & 1 == 1 && a.cmode < 12;
    let c = repeat(l, 3, if inverted && !merges { !value } else { value });
    let v = match (merges, a.op) {
        (false, _) => c,
        (true, 0) => l.vor(l.v(a.rd), c),
        (true, _) => l.vandc(l.v(a.rd), c),
    };
    if merges || a.q == 1 {
        return set(l, a.q, 3, a.rd, v);
    }
    let value = if inverted { !value } else { value };
    l.set_v(a.rd, l.vconst(value.into()));
}
/// FMOV (vector, immediate, half precision).
pub fn fmov_vh(l: &Lift, a: args::Modimm) {
    let c = u128::from(bits::expand_f16(a.abcdefgh)) * 0x0001_0001_0001_0001;
    l.set_v(a.rd, l.vconst(if a.q == 1 { c << 64 | c } else { c }));
}
