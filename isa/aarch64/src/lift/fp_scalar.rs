//! Scalar floating point. One function per row of `fp_scalar.decode`.

use remu_isa::ir::{Cond, FCond, Fp, FpInt, Helper, Lane, Rm, Type, Val};

use super::{Lift, Regs, float, int, rmode};
use crate::bits;
use crate::decode::args;
use crate::helpers::fp;
use crate::state::slots;

fn unary(l: &Lift, a: args::Ff, f: impl Fn(Val) -> Val) {
    l.set_f(a.rd, f(l.f(a.rn, float(a.ty))));
}
fn binary(l: &Lift, a: args::Fff, f: impl Fn(Val, Val) -> Val) {
    let t = float(a.ty);
    l.set_f(a.rd, f(l.f(a.rn, t), l.f(a.rm, t)));
}
/// Rounding to an integral value.
fn round(l: &Lift, a: args::Ff, rm: Rm) {
    unary(l, a, |x| l.fround(x, l.fp().rounding(rm)));
}

/// FMOV (register).
pub fn fmov_reg(l: &Lift, a: args::Ff) {
    unary(l, a, |x| x);
}
/// FABS.
pub fn fabs(l: &Lift, a: args::Ff) {
    unary(l, a, |x| l.fabs(x));
}
/// FNEG.
pub fn fneg(l: &Lift, a: args::Ff) {
    unary(l, a, |x| l.fneg(x));
}
/// FSQRT.
pub fn fsqrt(l: &Lift, a: args::Ff) {
    unary(l, a, |x| l.fsqrt(x, l.fp()));
}
/// FRINTN.
pub fn frintn(l: &Lift, a: args::Ff) {
    round(l, a, Rm::Ne);
}
/// FRINTP.
pub fn frintp(l: &Lift, a: args::Ff) {
    round(l, a, Rm::Up);
}
/// FRINTM.
pub fn frintm(l: &Lift, a: args::Ff) {
    round(l, a, Rm::Dn);
}
/// FRINTZ.
pub fn frintz(l: &Lift, a: args::Ff) {
    round(l, a, Rm::Tz);
}
/// FRINTA.
pub fn frinta(l: &Lift, a: args::Ff) {
    round(l, a, Rm::Na);
}
/// FRINTX.
pub fn frintx(l: &Lift, a: args::Ff) {
    unary(l, a, |x| l.froundx(x, l.fp()));
}
/// FRINTI.
pub fn frinti(l: &Lift, a: args::Ff) {
    round(l, a, Rm::Dyn);
}

/// A constant of a floating-point type, given as a double.
fn constant(l: &Lift, t: Type, v: f64) -> Val {
    match t {
        Type::F64 => l.bitcast(l.c64(v.to_bits()), t),
        _ => l.bitcast(l.c32((v as f32).to_bits()), Type::F32),
    }
}
/// `FPRoundIntN`: NaN and what does not fit becomes the smallest integer.
pub(crate) fn round_to_size(l: &Lift, x: Val, bits: i32, p: Fp) -> Val {
    let t = x.ty;
    let r = l.fround(x, p);
    let least = constant(l, t, -(2f64.powi(bits - 1)));
    let bound = constant(l, t, 2f64.powi(bits - 1));
    let fits = l.band(l.fcmp(least, r, FCond::LeQ), l.fcmp(r, bound, FCond::LtQ));
    let exact = l.fcmp(r, x, FCond::Eq);
    let inexact = l.movcond(exact, l.c32(0), l.c32(1 << 5));
    l.or_fpstat(l.movcond(fits, inexact, l.c32(1)));
    l.movcond(fits, r, least)
}
/// FRINT32Z.
pub fn frint32z(l: &Lift, a: args::Ff) {
    unary(l, a, |x| round_to_size(l, x, 32, l.fp().rounding(Rm::Tz)));
}
/// FRINT32X.
pub fn frint32x(l: &Lift, a: args::Ff) {
    unary(l, a, |x| round_to_size(l, x, 32, l.fp()));
}
/// FRINT64Z.
pub fn frint64z(l: &Lift, a: args::Ff) {
    unary(l, a, |x| round_to_size(l, x, 64, l.fp().rounding(Rm::Tz)));
}
/// FRINT64X.
pub fn frint64x(l: &Lift, a: args::Ff) {
    unary(l, a, |x| round_to_size(l, x, 64, l.fp()));
}

/// FCVT.
pub fn fcvt(l: &Lift, a: args::Fcvt) {
    l.set_f(a.rd, l.fcvt(l.f(a.rn, float(a.ty)), float(a.to), l.fp()));
}
const BFCVT: Helper = Helper { name: "a64_bfcvt", func: fp::bfcvt, writes_state: false };
/// Narrows the bits of a single to bfloat16 and raises its flags.
pub(crate) fn to_bf16(l: &Lift, x: Val) -> Val {
    let fpcr = l.zext(l.get(slots::fpcr(0)));
    let r = l.helper(BFCVT, &[l.zext(x), fpcr]);
    l.or_fpstat(l.trunc(l.shr_imm(r, 32)));
    l.extract(l.trunc(r), (0, 16))
}
/// BFCVT.
pub fn bfcvt(l: &Lift, a: args::Ff) {
    let r = to_bf16(l, l.lane(l.v(a.rn), Lane::S, 0));
    l.set_f(a.rd, l.bitcast(r, Type::F32));
}

/// FMUL.
pub fn fmul(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fmul(x, y, l.fp()));
}
/// FDIV.
pub fn fdiv(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fdiv(x, y, l.fp()));
}
/// FADD.
pub fn fadd(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fadd(x, y, l.fp()));
}
/// FSUB.
pub fn fsub(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fsub(x, y, l.fp()));
}
/// FMAX.
pub fn fmax(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fmax(x, y, l.fp()));
}
/// FMIN.
pub fn fmin(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fmin(x, y, l.fp()));
}
/// FMAXNM.
pub fn fmaxnm(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fmaxnm(x, y, l.fp()));
}
/// FMINNM.
pub fn fminnm(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fminnm(x, y, l.fp()));
}
/// FNMUL.
pub fn fnmul(l: &Lift, a: args::Fff) {
    binary(l, a, |x, y| l.fneg(l.fmul(x, y, l.fp())));
}

fn zero(l: &Lift, t: Type) -> Val {
    match t {
        Type::F64 => l.bitcast(l.c64(0), t),
        _ => l.bitcast(l.c32(0), t),
    }
}
fn compare(l: &Lift, a: args::Fcmp, with_zero: bool, c: FCond) {
    let t = float(a.ty);
    let y = if with_zero { zero(l, t) } else { l.f(a.rm, t) };
    l.set_flags(l.fl_fcmp(l.f(a.rn, t), y, c));
}
/// FCMP.
pub fn fcmp(l: &Lift, a: args::Fcmp) {
    compare(l, a, false, FCond::Eq);
}
/// FCMPE.
pub fn fcmpe(l: &Lift, a: args::Fcmp) {
    compare(l, a, false, FCond::EqS);
}
/// FCMP with zero.
pub fn fcmp_zero(l: &Lift, a: args::Fcmp) {
    compare(l, a, true, FCond::Eq);
}
/// FCMPE with zero.
pub fn fcmpe_zero(l: &Lift, a: args::Fcmp) {
    compare(l, a, true, FCond::EqS);
}
/// A comparison that must not raise flags when the condition fails compares
/// equal operands instead.
fn conditional_compare(l: &Lift, a: args::Fccmp, c: FCond) {
    let t = float(a.ty);
    if a.cond >= 14 {
        return l.set_flags(l.fl_fcmp(l.f(a.rn, t), l.f(a.rm, t), c));
    }
    let holds = l.holds(a.cond);
    let x = l.movcond(holds, l.f(a.rn, t), zero(l, t));
    let y = l.movcond(holds, l.f(a.rm, t), zero(l, t));
    let other = l.fl_pack(l.c32(u32::from(a.nzcv) << 28));
    l.set_flags(l.fl_select(holds, l.fl_fcmp(x, y, c), other));
}
/// FCCMP.
pub fn fccmp(l: &Lift, a: args::Fccmp) {
    conditional_compare(l, a, FCond::Eq);
}
/// FCCMPE.
pub fn fccmpe(l: &Lift, a: args::Fccmp) {
    conditional_compare(l, a, FCond::EqS);
}
/// FCSEL.
pub fn fcsel(l: &Lift, a: args::Fcsel) {
    let t = float(a.ty);
    let (x, y) = (l.f(a.rn, t), l.f(a.rm, t));
    l.set_f(a.rd, if a.cond >= 14 { x } else { l.movcond(l.holds(a.cond), x, y) });
}
/// FMOV (scalar, immediate).
pub fn fmov_imm(l: &Lift, a: args::Fimm) {
    l.set_v(
        a.rd,
        l.vconst(match a.ty {
            0 => bits::expand_f32(a.imm).into(),
            1 => bits::expand_f64(a.imm).into(),
            _ => bits::expand_f16(a.imm).into(),
        }),
    );
}

fn fused(l: &Lift, a: args::Ffff, negate_product: bool, negate_addend: bool) {
    let t = float(a.ty);
    let x = l.f(a.rn, t);
    let x = if negate_product { l.fneg(x) } else { x };
    let z = l.f(a.ra, t);
    let z = if negate_addend { l.fneg(z) } else { z };
    l.set_f(a.rd, l.fma(x, l.f(a.rm, t), z, l.fp()));
}
/// FMADD.
pub fn fmadd(l: &Lift, a: args::Ffff) {
    fused(l, a, false, false);
}
/// FMSUB.
pub fn fmsub(l: &Lift, a: args::Ffff) {
    fused(l, a, true, false);
}
/// FNMADD.
pub fn fnmadd(l: &Lift, a: args::Ffff) {
    fused(l, a, true, true);
}
/// FNMSUB.
pub fn fnmsub(l: &Lift, a: args::Ffff) {
    fused(l, a, false, true);
}

fn to_int(l: &Lift, a: args::Fi, rm: Rm, signed: bool) {
    let p = FpInt { fp: l.fp().rounding(rm), signed, nan_max: false };
    l.set_r(a.rd, l.fcvt_int(l.f(a.rn, float(a.ty)), int(a.sf), p));
}
macro_rules! to_int {
    ($($name:ident $rm:expr, $signed:literal;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Fi) { to_int(l, a, $rm, $signed); })*
    };
}
to_int! {
    fcvtns_gp rmode(0), true;
    fcvtnu_gp rmode(0), false;
    fcvtps_gp rmode(1), true;
    fcvtpu_gp rmode(1), false;
    fcvtms_gp rmode(2), true;
    fcvtmu_gp rmode(2), false;
    fcvtzs_gp rmode(3), true;
    fcvtzu_gp rmode(3), false;
    fcvtas_gp Rm::Na, true;
    fcvtau_gp Rm::Na, false;
}
/// SCVTF (scalar, integer).
pub fn scvtf_gp(l: &Lift, a: args::Fi) {
    l.set_f(a.rd, l.fcvt_s(l.r(a.rn, a.sf), float(a.ty), l.fp()));
}
/// UCVTF (scalar, integer).
pub fn ucvtf_gp(l: &Lift, a: args::Fi) {
    l.set_f(a.rd, l.fcvt_u(l.r(a.rn, a.sf), float(a.ty), l.fp()));
}
fn to_fixed(l: &Lift, a: args::Fix, signed: bool) {
    let p = FpInt { fp: l.fp().rounding(Rm::Tz), signed, nan_max: false };
    let n = l.c32(u32::from(a.fbits));
    l.set_r(a.rd, l.fcvt_fix(l.f(a.rn, float(a.ty)), n, int(a.sf), p));
}
/// FCVTZS (scalar, fixed-point).
pub fn fcvtzs_fix(l: &Lift, a: args::Fix) {
    to_fixed(l, a, true);
}
/// FCVTZU (scalar, fixed-point).
pub fn fcvtzu_fix(l: &Lift, a: args::Fix) {
    to_fixed(l, a, false);
}
/// SCVTF (scalar, fixed-point).
pub fn scvtf_fix(l: &Lift, a: args::Fix) {
    let n = l.c32(u32::from(a.fbits));
    l.set_f(a.rd, l.fscalb_s(l.r(a.rn, a.sf), n, float(a.ty), l.fp()));
}
/// UCVTF (scalar, fixed-point).
pub fn ucvtf_fix(l: &Lift, a: args::Fix) {
    let n = l.c32(u32::from(a.fbits));
    l.set_f(a.rd, l.fscalb_u(l.r(a.rn, a.sf), n, float(a.ty), l.fp()));
}

const FJCVTZS: Helper = Helper { name: "a64_fjcvtzs", func: fp::fjcvtzs, writes_state: false };
/// FJCVTZS: the low 32 bits of the integer; Z says that nothing was lost.
pub fn fjcvtzs(l: &Lift, a: args::Fi) {
    let fpcr = l.zext(l.get(slots::fpcr(0)));
    let r = l.helper(FJCVTZS, &[l.lane(l.v(a.rn), Lane::D, 0), fpcr]);
    let more = l.trunc(l.shr_imm(r, 32));
    l.or_fpstat(l.shr_imm(more, 1));
    let exact = l.icmp(more, l.c32(1), Cond::TstNe);
    l.set_flags(l.fl_pack(l.movcond(exact, l.c32(1 << 30), l.c32(0))));
    l.set_r(a.rd, l.trunc(r));
}

/// FMOV (general) to a general register.
pub fn fmov_to_gp(l: &Lift, a: args::Fi) {
    let lane = [Lane::S, Lane::D, Lane::S, Lane::H][usize::from(a.ty & 3)];
    l.set_r(a.rd, l.lane(l.v(a.rn), lane, 0));
}
/// FMOV (general) from a general register.
pub fn fmov_from_gp(l: &Lift, a: args::Fi) {
    l.set_f(
        a.rd,
        match a.ty {
            0 => l.bitcast(l.w(a.rn), Type::F32),
            1 => l.bitcast(l.x(a.rn), Type::F64),
            _ => l.bitcast(l.extract(l.w(a.rn), (0, 16)), Type::F32),
        },
    );
}
/// FMOV (general) of the upper half.
pub fn fmov_top_to_gp(l: &Lift, a: args::Vx) {
    l.set_r(a.rd, l.lane(l.v(a.rn), Lane::D, 1));
}
/// FMOV (general) to the upper half.
pub fn fmov_top_from_gp(l: &Lift, a: args::Vx) {
    l.set_v(a.rd, l.vinsert(l.v(a.rd), l.x(a.rn), Lane::D, 1));
}
