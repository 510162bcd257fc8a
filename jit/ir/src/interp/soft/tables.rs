//! What no host shows: NaN rules, other rounding modes, special cases.

use super::{Env, Format, flag::*, mode};
use crate::{FCond, Fp, NanRule, Rm};

const F: Format = Format::F32;
const ONE: u64 = 0x3f80_0000;
const QNAN: u64 = 0x7fc0_0000;
const Q1: u64 = 0x7fc0_0001;
const Q2: u64 = 0xffc0_0002;
const S1: u64 = 0x7f80_0001;
const S2: u64 = 0xff80_0002;
const INF: u64 = 0x7f80_0000;
const NEG: u64 = 0x8000_0000;

fn env(nan: NanRule, rm: Rm) -> Env {
    Env::new(Fp::dynamic(nan).rounding(rm), 0)
}
/// Result and flags of an op under a NaN rule.
fn op(nan: NanRule, f: impl FnOnce(&mut Env) -> u64) -> (u64, u32) {
    let mut e = env(nan, Rm::Ne);
    (f(&mut e), e.flags)
}

#[test]
fn which_nan() {
    let add = |nan, x, y| op(nan, |e| e.add(F, x, y));
    assert_eq!(add(NanRule::Arm, Q1, Q2), (Q1, 0));
    assert_eq!(add(NanRule::Arm, Q1, S2), (S2 | 0x40_0000, INVALID));
    assert_eq!(add(NanRule::Arm, S1, S2), (S1 | 0x40_0000, INVALID));
    assert_eq!(add(NanRule::Arm, ONE, Q2), (Q2, 0));
    assert_eq!(add(NanRule::X86, Q1, S2), (Q1, INVALID));
    for rule in [NanRule::Default, NanRule::ArmDefault] {
        assert_eq!(add(rule, Q2, ONE), (QNAN, 0));
        assert_eq!(add(rule, ONE, S2), (QNAN, INVALID));
    }
    assert_eq!(add(NanRule::Arm, INF, INF | NEG), (QNAN, INVALID));
    assert_eq!(add(NanRule::X86, INF, INF | NEG), (QNAN | NEG, INVALID));
    // A subtraction does not turn the sign of a NaN.
    assert_eq!(op(NanRule::Arm, |e| e.sub(F, ONE, Q2)), (Q2, 0));
}

#[test]
fn nans_of_fused_ops() {
    let fma = |nan, x, y, z| op(nan, |e| e.fma(F, x, y, z));
    assert_eq!(fma(NanRule::Arm, Q1, ONE, Q2), (Q2, 0), "the addend comes first");
    assert_eq!(fma(NanRule::Arm, S1, ONE, Q2), (S1 | 0x40_0000, INVALID));
    assert_eq!(fma(NanRule::Arm, INF, 0, Q2), (QNAN, INVALID));
    assert_eq!(fma(NanRule::Arm, INF, 0, S2), (S2 | 0x40_0000, INVALID));
    assert_eq!(fma(NanRule::Default, 0, INF, Q2), (QNAN, INVALID));
    assert_eq!(fma(NanRule::Default, 0, INF, ONE), (QNAN, INVALID));
    assert_eq!(fma(NanRule::Default, INF, ONE, INF | NEG), (QNAN, INVALID));
}

#[test]
fn minimum_and_maximum() {
    let min = |nan, x, y| op(nan, |e| e.min_max(F, x, y, false));
    let max = |nan, x, y| op(nan, |e| e.min_max(F, x, y, true));
    let minnm = |nan, x, y| op(nan, |e| e.min_max_num(F, x, y, false));
    let maxnm = |nan, x, y| op(nan, |e| e.min_max_num(F, x, y, true));
    for rule in [NanRule::Arm, NanRule::Default, NanRule::ArmDefault] {
        for (x, y) in [(0, NEG), (NEG, 0)] {
            assert_eq!((min(rule, x, y), max(rule, x, y)), ((NEG, 0), (0, 0)));
            assert_eq!((minnm(rule, x, y), maxnm(rule, x, y)), ((NEG, 0), (0, 0)));
        }
        assert_eq!(minnm(rule, Q1, ONE), (ONE, 0));
        assert_eq!(maxnm(rule, ONE | NEG, Q1), (ONE | NEG, 0));
        assert_eq!(maxnm(rule, INF | NEG, Q1), (INF | NEG, 0));
        assert_eq!(min(rule, ONE, ONE | NEG), (ONE | NEG, 0));
        assert_eq!(max(rule, INF | NEG, ONE | NEG), (ONE | NEG, 0));
    }
    assert_eq!(min(NanRule::Arm, Q1, ONE), (Q1, 0));
    assert_eq!(max(NanRule::Default, Q1, ONE), (QNAN, 0));
    assert_eq!(minnm(NanRule::Arm, S1, ONE), (S1 | 0x40_0000, INVALID));
    assert_eq!(minnm(NanRule::Arm, S1, Q2), (S1 | 0x40_0000, INVALID));
    assert_eq!(minnm(NanRule::Arm, Q1, Q2), (Q1, 0));
    assert_eq!(minnm(NanRule::ArmDefault, S1, ONE), (QNAN, INVALID));
    assert_eq!(minnm(NanRule::Default, S1, ONE), (ONE, INVALID));
    assert_eq!(minnm(NanRule::Default, S1, Q2), (QNAN, INVALID));
    assert_eq!(min(NanRule::X86, 0, NEG), (NEG, 0));
    assert_eq!(min(NanRule::X86, ONE, S2), (S2, INVALID));
}

#[test]
fn comparisons() {
    let holds = |c, x, y| {
        let mut e = env(NanRule::Arm, Rm::Ne);
        (e.holds(F, x, y, c), e.flags)
    };
    assert_eq!(holds(FCond::Eq, 0, NEG), (true, 0));
    assert_eq!(holds(FCond::Lt, NEG, 0), (false, 0));
    assert_eq!(holds(FCond::Le, NEG, 0), (true, 0));
    assert_eq!(holds(FCond::Lt, ONE | NEG, ONE), (true, 0));
    assert_eq!(holds(FCond::LtQ, INF | NEG, ONE | NEG), (true, 0));
    for (c, quiet, signalling) in [
        (FCond::Eq, 0, INVALID),
        (FCond::EqS, INVALID, INVALID),
        (FCond::Lt, INVALID, INVALID),
        (FCond::Le, INVALID, INVALID),
        (FCond::LtQ, 0, INVALID),
        (FCond::LeQ, 0, INVALID),
    ] {
        assert_eq!(holds(c, Q1, ONE), (false, quiet), "{c:?}");
        assert_eq!(holds(c, ONE, S1), (false, signalling), "{c:?}");
    }
    assert_eq!(holds(FCond::Uno, Q1, ONE), (true, 0));
    assert_eq!(holds(FCond::Uno, Q1, S2), (true, INVALID));
    assert_eq!(holds(FCond::Uno, INF, ONE), (false, 0));
}

#[test]
fn tininess() {
    // The largest denormal and a bit: carries to the least normal number.
    let least = 0x0080_0000;
    let nearly_one = ONE - 1;
    let mul = |nan| op(nan, |e| e.mul(F, least, nearly_one));
    assert_eq!(mul(NanRule::Arm), (least, UNDERFLOW | INEXACT));
    assert_eq!(mul(NanRule::ArmDefault), (least, UNDERFLOW | INEXACT));
    // Rounded to 24 bits with an unbounded exponent it stays below.
    assert_eq!(mul(NanRule::Default), (least, UNDERFLOW | INEXACT));
    // 2^-126 - 2^-151 does carry over.
    let fma = |nan| op(nan, |e| e.fma(F, 0x3380_0000 >> 1 & !0x7f_ffff | NEG, 1, least));
    assert_eq!(fma(NanRule::Arm), (least, UNDERFLOW | INEXACT));
    assert_eq!(fma(NanRule::Default), (least, INEXACT));
}

#[test]
fn rounding_modes() {
    // 1 + 2^-24 is a tie; 1 + 3 * 2^-25 is above it.
    let sum = |rm, x: u64, y: u64| {
        let mut e = env(NanRule::Arm, rm);
        (e.add(F, x, y), e.flags)
    };
    let (tie, above) = (0x3380_0000, 0x33c0_0000);
    for (rm, at_tie, over, negative) in [
        (Rm::Ne, ONE, ONE + 1, ONE),
        (Rm::Na, ONE + 1, ONE + 1, ONE + 1),
        (Rm::Tz, ONE, ONE, ONE),
        (Rm::Up, ONE + 1, ONE + 1, ONE),
        (Rm::Dn, ONE, ONE, ONE + 1),
        (Rm::Odd, ONE + 1, ONE + 1, ONE + 1),
    ] {
        assert_eq!(sum(rm, ONE, tie), (at_tie, INEXACT), "{rm:?}");
        assert_eq!(sum(rm, ONE, above), (over, INEXACT), "{rm:?}");
        assert_eq!(sum(rm, ONE | NEG, tie | NEG), (negative | NEG, INEXACT), "{rm:?}");
    }
    let max = 0x7f7f_ffff;
    for (rm, positive, negative) in [
        (Rm::Ne, INF, INF),
        (Rm::Na, INF, INF),
        (Rm::Tz, max, max),
        (Rm::Up, INF, max),
        (Rm::Dn, max, INF),
        (Rm::Odd, max, max),
    ] {
        assert_eq!(sum(rm, max, max), (positive, OVERFLOW | INEXACT), "{rm:?}");
        assert_eq!(sum(rm, max | NEG, max | NEG), (negative | NEG, OVERFLOW | INEXACT), "{rm:?}");
        let zero = if rm == Rm::Dn { NEG } else { 0 };
        assert_eq!(sum(rm, ONE, ONE | NEG), (zero, 0), "{rm:?}");
    }
}

#[test]
fn to_integers() {
    let to = |rm, x: f64, scale, bits, signed| {
        let mut e = env(NanRule::Arm, rm);
        (e.int_of(Format::F64, x.to_bits(), scale, bits, signed, false), e.flags)
    };
    assert_eq!(to(Rm::Tz, -1.5, 0, 32, true), (-1, INEXACT));
    assert_eq!(to(Rm::Na, -1.5, 0, 32, true), (-2, INEXACT));
    assert_eq!(to(Rm::Ne, 2.5, 0, 32, true), (2, INEXACT));
    assert_eq!(to(Rm::Tz, -0.5, 0, 32, false), (0, INEXACT));
    assert_eq!(to(Rm::Dn, -0.5, 0, 32, false), (0, INVALID));
    assert_eq!(to(Rm::Ne, 2147483648.0, 0, 32, true), (i128::from(i32::MAX), INVALID));
    assert_eq!(to(Rm::Ne, -2147483648.0, 0, 32, true), (i128::from(i32::MIN), 0));
    assert_eq!(to(Rm::Ne, 1e30, 0, 64, false), (i128::from(u64::MAX), INVALID));
    assert_eq!(to(Rm::Ne, f64::NEG_INFINITY, 0, 64, true), (i128::from(i64::MIN), INVALID));
    assert_eq!(to(Rm::Tz, 1.75, 1, 32, true), (3, INEXACT), "scaled, then rounded");
    assert_eq!(to(Rm::Tz, 5e-324, 0, 64, true), (0, INEXACT));
    for (nan_max, want) in [(false, 0), (true, i128::from(i32::MAX))] {
        let mut e = env(NanRule::Default, Rm::Ne);
        assert_eq!(e.int_of(F, Q2, 0, 32, true, nan_max), want);
        assert_eq!(e.flags, INVALID);
    }
}

#[test]
fn from_integers() {
    let from = |rm, v, exp| {
        op(NanRule::Arm, |e| {
            e.rm = rm;
            e.of_int(F, v, exp)
        })
    };
    assert_eq!(from(Rm::Dn, 0, 0), (0, 0));
    assert_eq!(from(Rm::Ne, 1, 0), (ONE, 0));
    assert_eq!(from(Rm::Ne, 0x100_0001, 0), (0x4b80_0000, INEXACT));
    assert_eq!(from(Rm::Up, 0x100_0001, 0), (0x4b80_0001, INEXACT));
    assert_eq!(from(Rm::Ne, -3, -1), (0xbfc0_0000, 0));
}

#[test]
fn integral_values() {
    let round = |rm, x: f32, exact| {
        let mut e = env(NanRule::Arm, rm);
        (f32::from_bits(e.round_to_integral(F, x.to_bits().into(), exact) as u32), e.flags)
    };
    assert_eq!(round(Rm::Ne, 2.5, false), (2.0, 0));
    assert_eq!(round(Rm::Na, 2.5, true), (3.0, INEXACT));
    assert_eq!(round(Rm::Up, 1e-40, true), (1.0, INEXACT));
    assert_eq!(round(Rm::Tz, -0.75, false).0.to_bits(), 0x8000_0000);
    assert_eq!(round(Rm::Tz, 16777217.0, true), (16777216.0, 0));
}

#[test]
fn flushing() {
    let with = |nan, bits, f: &dyn Fn(&mut Env) -> u64| {
        let mut e = Env::new(Fp::dynamic(nan), bits);
        (f(&mut e), e.flags)
    };
    let (arm, inputs, results) = (NanRule::Arm, mode::FLUSH_INPUTS, mode::FLUSH_RESULTS);
    assert_eq!(with(arm, inputs, &|e| e.add(F, 1, ONE)), (ONE, DENORMAL));
    assert_eq!(with(arm, inputs, &|e| e.add(F, 1 | NEG, NEG)), (NEG, DENORMAL));
    assert_eq!(with(NanRule::X86, inputs, &|e| e.add(F, 1, ONE)), (ONE, 0));
    let half = 0x3f00_0000;
    assert_eq!(with(arm, results, &|e| e.mul(F, 0x0080_0000, half | NEG)), (NEG, UNDERFLOW));
    assert_eq!(with(arm, results | inputs, &|e| e.add(Format::F16, 1, 0)), (1, 0));
    assert_eq!(with(arm, mode::FLUSH_F16, &|e| e.add(Format::F16, 1, 0)), (0, 0));
    let widen = |e: &mut Env| e.convert(Format::F16, F, 1);
    assert_eq!(with(arm, mode::FLUSH_F16, &widen), (0x3380_0000, 0), "conversions keep them");
}

#[test]
fn nans_between_formats() {
    let convert = |nan, from, to, x| op(nan, |e| e.convert(from, to, x));
    let (single, double) = (Format::F32, Format::F64);
    assert_eq!(convert(NanRule::Arm, single, double, S2), (0xfff8_0000_4000_0000, INVALID));
    assert_eq!(convert(NanRule::Arm, double, single, 0xfff8_0000_4000_0000), (Q2, 0));
    assert_eq!(convert(NanRule::Default, single, double, S2), (0x7ff8_0000_0000_0000, INVALID));
    assert_eq!(
        convert(NanRule::Arm, double, Format::F16, 0x7ff0_0000_0000_0001),
        (0x7e00, INVALID)
    );
    assert_eq!(
        convert(NanRule::Default, double, single, (-f64::INFINITY).to_bits()),
        (INF | NEG, 0)
    );
}

#[test]
fn to_odd_then_narrow_rounds_once() {
    let mut e = env(NanRule::Arm, Rm::Odd);
    // 1 + 2^-24 + 2^-60: above the tie of single precision, below an ulp of double.
    let x = e.add(Format::F64, 0x3ff0_0000_1000_0000, 0x3c30_0000_0000_0000);
    assert_eq!(x & 1, 1);
    let mut e = env(NanRule::Arm, Rm::Ne);
    assert_eq!(e.convert(Format::F64, F, x), ONE + 1);
}
