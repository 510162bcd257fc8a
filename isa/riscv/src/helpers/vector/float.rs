//! "Vector Floating-Point Instructions", by the meaning of the IR's scalar ops.

use remu_ir::interp::{Packed, eval};
use remu_ir::{Attr, FCond, Fp, FpInt, Inst, NanRule, Op, Rm, Type, Val};

use super::{Config, Shape, Src, Step, VOp, Vectors, extend, mask};
use crate::state::{RMM, fpmode_of};

/// One instruction's arithmetic.
pub(super) struct Fold {
    t: Type,
    frm: u32,
    /// Raised flags, as the `fpstat` op numbers them.
    pub(super) flags: u32,
}

impl Fold {
    /// On numbers of 2^eew bytes, rounded as `fcsr` says.
    pub(super) fn new(eew: u8, frm: u32) -> Fold {
        Fold { t: format(eew), frm, flags: 0 }
    }
    fn policy(&self) -> Fp {
        Fp::dynamic(NanRule::Default).rounding(if self.frm == RMM { Rm::Na } else { Rm::Dyn })
    }
    fn op(&mut self, op: Op, args: [u64; 3]) -> u64 {
        self.with(op, self.t, args, self.policy())
    }
    fn with(&mut self, op: Op, t: Type, args: [u64; 3], attr: impl Attr) -> u64 {
        evaluate(op, t, self.t, args, attr, &mut self.flags, self.frm)
    }
    pub(super) fn add(&mut self, x: u64, y: u64) -> u64 {
        self.op(Op::fadd, [x, y, 0])
    }
    pub(super) fn min(&mut self, x: u64, y: u64) -> u64 {
        self.op(Op::fminnm, [x, y, 0])
    }
    pub(super) fn max(&mut self, x: u64, y: u64) -> u64 {
        self.op(Op::fmaxnm, [x, y, 0])
    }
    fn fma(&mut self, x: u64, y: u64, z: u64) -> u64 {
        self.op(Op::fma, [x, y, z])
    }
    fn compare(&mut self, x: u64, y: u64, c: FCond) -> bool {
        self.with(Op::fcmp, Type::Bool, [x, y, 0], c) != 0
    }
}

/// Value of an op with a result of type `t` and operands of type `from`.
fn evaluate(
    op: Op,
    t: Type,
    from: Type,
    args: [u64; 3],
    attr: impl Attr,
    flags: &mut u32,
    frm: u32,
) -> u64 {
    let mut i = Inst { op, ty: t, aux: 0, args: [Val::NONE.id; 4], imm: 0 };
    attr.put(&mut i);
    eval(&Packed::with_type(i, from), args.map(u128::from), flags, fpmode_of(frm)) as u64
}

fn format(eew: u8) -> Type {
    match eew {
        1 => Type::F16,
        2 => Type::F32,
        _ => Type::F64,
    }
}
/// Bits of a format's fraction.
fn fraction(eew: u8) -> u32 {
    match eew {
        1 => 10,
        2 => 23,
        _ => 52,
    }
}
fn sign(eew: u8) -> u64 {
    1 << ((8 << eew) - 1)
}

/// A number of 2^eew bytes as one twice as wide.
pub(super) fn widened(x: u64, eew: u8, frm: u32, flags: &mut u32) -> u64 {
    let p = Fp::dynamic(NanRule::Default);
    evaluate(Op::fcvt, format(eew + 1), format(eew), [x, 0, 0], p, flags, frm)
}

/// Runs an operation on every active element; the raised flags.
pub(super) fn run(u: &mut Vectors<'_>, c: Config, s: Step, scalar: u64) -> u64 {
    let (sew, shape) = (c.sew, s.op.shape());
    let eew_d = sew + u8::from(matches!(shape, Shape::Wide | Shape::WideWide));
    let eew_2 = sew + u8::from(matches!(shape, Shape::WideWide | Shape::Narrow));
    // Arithmetic that widens does so before it computes.
    let widens = matches!(
        s.op,
        VOp::Fwadd
            | VOp::Fwsub
            | VOp::Fwmul
            | VOp::Fwmacc
            | VOp::Fwnmacc
            | VOp::Fwmsac
            | VOp::Fwnmsac
            | VOp::FwaddW
            | VOp::FwsubW
    );
    let mut fold = Fold::new(if widens { eew_d } else { sew }, u.frm);
    for i in *u.vstart..*u.vl {
        let bit = u.active(s.vm, i);
        if !bit && s.op != VOp::Fmerge {
            continue;
        }
        let mut a = u.get(s.vs2, eew_2, i);
        let mut b = match s.src {
            Src::V(n) => u.get(n, sew, i),
            Src::Scalar => scalar & mask(sew),
        };
        if widens {
            b = widened(b, sew, u.frm, &mut fold.flags);
            if eew_2 == sew {
                a = widened(a, sew, u.frm, &mut fold.flags);
            }
        }
        if shape == Shape::Compare {
            let r = compare(&mut fold, s.op, a, b);
            u.set_bit(s.vd, i, r);
            continue;
        }
        let d = u.get(s.vd, eew_d, i);
        let r = match s.op {
            VOp::Fmerge => {
                if bit {
                    b
                } else {
                    a
                }
            }
            _ => value(&mut fold, s.op, [a, b, d], sew, eew_d),
        };
        u.set(s.vd, eew_d, i, r);
    }
    fold.flags.into()
}

fn compare(f: &mut Fold, op: VOp, a: u64, b: u64) -> bool {
    match op {
        VOp::Mfeq => f.compare(a, b, FCond::Eq),
        VOp::Mfne => !f.compare(a, b, FCond::Eq),
        VOp::Mflt => f.compare(a, b, FCond::Lt),
        VOp::Mfle => f.compare(a, b, FCond::Le),
        VOp::Mfgt => f.compare(b, a, FCond::Lt),
        _ => f.compare(b, a, FCond::Le),
    }
}

/// Elements of vs2, of vs1 or the scalar, of vd.
fn value(f: &mut Fold, op: VOp, [a, b, d]: [u64; 3], sew: u8, eew: u8) -> u64 {
    use VOp::*;
    // The sign of the numbers that are multiplied and added.
    let s = sign(eew);
    match op {
        Fadd | Fwadd | FwaddW => f.add(a, b),
        Fsub | Fwsub | FwsubW => f.op(Op::fsub, [a, b, 0]),
        Frsub => f.op(Op::fsub, [b, a, 0]),
        Fmul | Fwmul => f.op(Op::fmul, [a, b, 0]),
        Fdiv => f.op(Op::fdiv, [a, b, 0]),
        Frdiv => f.op(Op::fdiv, [b, a, 0]),
        Fmin => f.min(a, b),
        Fmax => f.max(a, b),
        Fsgnj => a & !s | b & s,
        Fsgnjn => a & !s | !b & s,
        Fsgnjx => a ^ b & s,
        Fmacc | Fwmacc => f.fma(a, b, d),
        Fnmacc | Fwnmacc => f.fma(a ^ s, b, d ^ s),
        Fmsac | Fwmsac => f.fma(a, b, d ^ s),
        Fnmsac | Fwnmsac => f.fma(a ^ s, b, d),
        Fmadd => f.fma(d, b, a),
        Fnmadd => f.fma(d ^ s, b, a ^ s),
        Fmsub => f.fma(d, b, a ^ s),
        Fnmsub => f.fma(d ^ s, b, a),
        Fmv => b,
        Fsqrt => f.op(Op::fsqrt, [a, 0, 0]),
        Frsqrt7 => estimate_rsqrt(f, a, sew),
        Frec7 => estimate_rec(f, a, sew),
        Fclass => class(a, sew),
        _ => convert(f, op, a, sew, eew),
    }
}

/// Conversions from `a`; single and widening ones read elements of SEW.
fn convert(f: &mut Fold, op: VOp, a: u64, sew: u8, eew: u8) -> u64 {
    use VOp::*;
    let from = sew + u8::from(op.shape() == Shape::Narrow);
    let policy = f.policy();
    let rm = match op {
        CvtRtzXuF | CvtRtzXF | WcvtRtzXuF | WcvtRtzXF | NcvtRtzXuF | NcvtRtzXF => Rm::Tz,
        NcvtRodFF => Rm::Odd,
        _ => policy.rm,
    };
    let p = policy.rounding(rm);
    let (flags, frm) = (&mut f.flags, f.frm);
    let from_int = |op, x: u64, flags: &mut u32| {
        evaluate(op, format(eew), Type::I64, [x, 0, 0], p, flags, frm)
    };
    match op {
        CvtFXu | WcvtFXu | NcvtFXu => from_int(Op::fcvt_u, a, flags),
        CvtFX | WcvtFX | NcvtFX => from_int(Op::fcvt_s, extend(a, from) as u64, flags),
        WcvtFF | NcvtFF | NcvtRodFF => {
            evaluate(Op::fcvt, format(eew), format(from), [a, 0, 0], p, flags, frm)
        }
        _ => {
            let signed = matches!(op, CvtXF | CvtRtzXF | WcvtXF | WcvtRtzXF | NcvtXF | NcvtRtzXF);
            let to = FpInt { fp: p, signed, nan_max: true };
            narrow_int(a, format(from), eew, to, flags, frm)
        }
    }
}

/// To an integer of 2^eew bytes, saturating.
fn narrow_int(a: u64, from: Type, eew: u8, p: FpInt, flags: &mut u32, frm: u32) -> u64 {
    let before = *flags;
    let mut raised = 0;
    let t = if eew == 3 { Type::I64 } else { Type::I32 };
    let r = evaluate(Op::fcvt_int, t, from, [a, 0, 0], p, &mut raised, frm);
    let wide = if t == Type::I64 { r as i64 } else { i64::from(r as i32) };
    let wide = if p.signed || t == Type::I64 { wide } else { i64::from(r as u32) };
    let (least, most) = match (eew, p.signed) {
        (2.., _) => (i64::MIN, i64::MAX),
        (_, true) => (-(1 << ((8 << eew) - 1)), (1 << ((8 << eew) - 1)) - 1),
        (_, false) => (0, (1 << (8 << eew)) - 1),
    };
    let fits = wide.clamp(least, most);
    if fits != wide {
        raised = remu_ir::interp::fp_flag::INVALID;
    }
    *flags = before | raised;
    fits as u64
}

/// "Vector Floating-Point Classify Instruction".
fn class(a: u64, eew: u8) -> u64 {
    let man = fraction(eew);
    let negative = a & sign(eew) != 0;
    let magnitude = a & !sign(eew) & mask(eew);
    let infinity = (sign(eew) - 1) >> man << man;
    let quiet = magnitude >> (man - 1) & 1 != 0;
    let bit = match magnitude {
        m if m > infinity => return if quiet { 1 << 9 } else { 1 << 8 },
        m if m == infinity => 0,
        0 => 3,
        m if m >> man == 0 => 2,
        _ => 1,
    };
    1 << if negative { bit } else { 7 - bit }
}

/// Splits a number into exponent and fraction; a denormal is normalised, with
/// an exponent of 0 or less.
fn split(a: u64, eew: u8) -> (i64, u64) {
    let man = fraction(eew);
    let exp = ((a & !sign(eew) & mask(eew)) >> man) as i64;
    let frac = a & ((1 << man) - 1);
    if exp != 0 || frac == 0 {
        return (exp, frac);
    }
    let up = frac.leading_zeros() - (63 - man);
    (1 - i64::from(up), frac << up & ((1 << man) - 1))
}

/// "Vector Floating-Point Reciprocal Square-Root Estimate Instruction".
fn estimate_rsqrt(f: &mut Fold, a: u64, eew: u8) -> u64 {
    use remu_ir::interp::fp_flag::{DIV_ZERO, INVALID};
    let man = fraction(eew);
    let infinity = (sign(eew) - 1) >> man << man;
    let bias = (infinity >> man >> 1) as i64;
    let nan = infinity | 1 << (man - 1);
    match class(a, eew).trailing_zeros() {
        0..=2 | 8 => {
            f.flags |= INVALID;
            return nan;
        }
        9 => return nan,
        3 | 4 => {
            f.flags |= DIV_ZERO;
            return a & sign(eew) | infinity;
        }
        7 => return 0,
        _ => {}
    }
    let (exp, frac) = split(a, eew);
    let index = (exp as u64 & 1) << 6 | frac >> (man - 6);
    let exp = (3 * bias - 1 - exp) >> 1;
    (exp as u64) << man | u64::from(RSQRT7[index as usize & 127]) << (man - 7)
}

/// "Vector Floating-Point Reciprocal Estimate Instruction".
fn estimate_rec(f: &mut Fold, a: u64, eew: u8) -> u64 {
    use remu_ir::interp::fp_flag::{DIV_ZERO, INEXACT, INVALID, OVERFLOW};
    let man = fraction(eew);
    let negative = a & sign(eew);
    let infinity = (sign(eew) - 1) >> man << man;
    let nan = infinity | 1 << (man - 1);
    let bias = (infinity >> man >> 1) as i64;
    match class(a, eew).trailing_zeros() {
        0 | 7 => return negative,
        3 | 4 => {
            f.flags |= DIV_ZERO;
            return negative | infinity;
        }
        8 => {
            f.flags |= INVALID;
            return nan;
        }
        9 => return nan,
        _ => {}
    }
    let (exp, frac) = split(a, eew);
    // So small that the reciprocal overflows.
    if exp < -1 {
        f.flags |= OVERFLOW | INEXACT;
        let away = match f.frm {
            1 => false,
            2 => negative != 0,
            3 => negative == 0,
            _ => true,
        };
        return negative | if away { infinity } else { infinity - 1 };
    }
    let mut exp = 2 * bias - 1 - exp;
    let mut frac = u64::from(REC7[(frac >> (man - 7)) as usize & 127]) << (man - 7);
    // A result below the normal numbers.
    if exp <= 0 {
        let shift = 1 - exp;
        frac = (frac | 1 << man) >> shift;
        exp = 0;
    }
    negative | (exp as u64) << man | frac & ((1 << man) - 1)
}

/// "vfrsqrt7.v common-case lookup table contents", by exponent and fraction.
#[rustfmt::skip]
static RSQRT7: [u8; 128] = [
    52, 51, 50, 48, 47, 46, 44, 43, 42, 41, 40, 39, 38, 36, 35, 34,
    33, 32, 31, 30, 30, 29, 28, 27, 26, 25, 24, 23, 23, 22, 21, 20,
    19, 19, 18, 17, 16, 16, 15, 14, 14, 13, 12, 12, 11, 10, 10, 9,
    9, 8, 7, 7, 6, 6, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
    127, 125, 123, 121, 119, 118, 116, 114, 113, 111, 109, 108, 106, 105, 103, 102,
    100, 99, 97, 96, 95, 93, 92, 91, 90, 88, 87, 86, 85, 84, 83, 82,
    80, 79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 70, 69, 68, 67, 66,
    65, 64, 63, 63, 62, 61, 60, 59, 59, 58, 57, 56, 56, 55, 54, 53,
];

/// "vfrec7.v common-case lookup table contents", by fraction.
#[rustfmt::skip]
static REC7: [u8; 128] = [
    127, 125, 123, 121, 119, 117, 116, 114, 112, 110, 109, 107, 105, 104, 102, 100,
    99, 97, 96, 94, 93, 91, 90, 88, 87, 85, 84, 83, 81, 80, 79, 77,
    76, 75, 74, 72, 71, 70, 69, 68, 66, 65, 64, 63, 62, 61, 60, 59,
    58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43,
    42, 41, 40, 40, 39, 38, 37, 36, 35, 35, 34, 33, 32, 31, 31, 30,
    29, 28, 28, 27, 26, 25, 25, 24, 23, 23, 22, 21, 21, 20, 19, 19,
    18, 17, 17, 16, 15, 15, 14, 14, 13, 12, 12, 11, 11, 10, 9, 9,
    8, 8, 7, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
];
