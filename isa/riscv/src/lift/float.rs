//! What the floating-point extensions share, by format.

use remu_ir::{Addr, Builder, FCond, Fp, FpInt, MemOp, NanRule, Rm, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::isa::Mode;
use crate::state::slots;

/// One function per row: `name(ArgumentSet) = function(further arguments);`.
macro_rules! rows {
    ($t:ident; $($name:ident($a:ident) = $f:ident $(($($x:expr),*))?;)*) => {
        $(pub fn $name(l: &super::Lift<'_>, a: crate::decode::args::$a) {
            super::float::$f(l, a, remu_ir::Type::$t $(, $($x),*)?);
        })*
    };
}
pub(super) use rows;

// ---- registers

/// Number of a format in `f[n]`: "NaN Boxing of Narrower Values".
fn f(l: &Lift<'_>, n: u8, t: Type) -> Val {
    let v = l.get(slots::f(n.into()));
    if t == Type::F64 { v } else { l.funbox(v, t) }
}
pub(super) fn set_f(l: &Lift<'_>, n: u8, v: Val) {
    let v = if v.ty == Type::F64 { v } else { l.fbox(v, Type::F64) };
    l.set(slots::f(n.into()), v);
}

/// Encoding of the number of 2^eew bytes in `f[n]`, as vector instructions take it.
pub(super) fn bits_of(l: &Lift<'_>, n: u8, eew: u8) -> Val {
    match eew {
        3 => l.bitcast(f(l, n, Type::F64), Type::I64),
        2 => l.zext(l.bitcast(f(l, n, Type::F32), Type::I32)),
        _ => l.zext(l.bitcast(f(l, n, Type::F16), Type::I32)),
    }
}

fn size(t: Type) -> MemOp {
    match t {
        Type::F16 => MemOp::U16,
        Type::F32 => MemOp::U32,
        _ => MemOp::U64,
    }
}
fn bits(t: Type) -> u8 {
    8 * size(t).bytes() as u8
}
/// Integer type that holds a format's encoding.
fn int(t: Type) -> Type {
    if t == Type::F64 { Type::I64 } else { Type::I32 }
}
/// Bits of a format's fraction.
fn fraction(t: Type) -> u32 {
    match t {
        Type::F16 => 10,
        Type::F32 => 23,
        _ => 52,
    }
}
/// Largest biased exponent of a format.
fn exponent_max(t: Type) -> u64 {
    (1 << (u32::from(bits(t)) - fraction(t) - 1)) - 1
}

// ---- rounding

/// Every result that is NaN is the canonical one.
const RULE: NanRule = NanRule::Default;
/// For ops that round as `fcsr` says, or not at all.
const DYN: Fp = Fp::dynamic(RULE);

/// Policy of an instruction's `rm` field; `None` if that is reserved, and then
/// the instruction has become an illegal one.
fn policy(l: &Lift<'_>, rm: u8) -> Option<Fp> {
    let mode = Mode::of_key(l.key());
    let rm = match rm {
        0 if mode == Mode::Nearest => Rm::Dyn,
        0 => Rm::Ne,
        1 => Rm::Tz,
        2 => Rm::Dn,
        3 => Rm::Up,
        4 => Rm::Na,
        7 if mode == Mode::Away => Rm::Na,
        7 if mode != Mode::Reserved => Rm::Dyn,
        _ => {
            l.illegal();
            return None;
        }
    };
    Some(DYN.rounding(rm))
}

// ---- loads, stores and moves

pub(super) fn load(l: &Lift<'_>, a: args::I, t: Type) {
    set_f(l, a.rd, l.load(l.x(a.rs1), t, Addr { disp: a.imm, ..Addr::at(size(t)) }));
}
/// Stores the low bits, boxed or not.
pub(super) fn store(l: &Lift<'_>, a: args::S, t: Type) {
    let v = l.get(slots::f(a.rs2.into()));
    l.store(l.x(a.rs1), v, Addr { disp: a.imm, ..Addr::at(size(t)) });
}
/// Low bits of a register, boxed or not, sign-extended.
pub(super) fn to_x(l: &Lift<'_>, a: args::Fu, t: Type) {
    let v = l.bitcast(l.get(slots::f(a.rs1.into())), Type::I64);
    l.set_x(a.rd, if t == Type::F32 { l.sext(l.trunc(v)) } else { l.sextract(v, (0, bits(t))) });
}
pub(super) fn from_x(l: &Lift<'_>, a: args::Fu, t: Type) {
    let v = if t == Type::F64 { l.x(a.rs1) } else { l.w(a.rs1) };
    set_f(l, a.rd, l.bitcast(v, t));
}

/// The sign that an injection gives.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sign {
    /// That of the second operand.
    Copy,
    /// The other one.
    Negate,
    /// The product's.
    Xor,
}

pub(super) fn sign(l: &Lift<'_>, a: args::R, t: Type, s: Sign) {
    let x = f(l, a.rs1, t);
    if a.rs1 == a.rs2 {
        let v = match s {
            Sign::Copy => x,
            Sign::Negate => l.fneg(x),
            Sign::Xor => l.fabs(x),
        };
        return set_f(l, a.rd, v);
    }
    let mask = l.vconst(1 << (bits(t) - 1));
    let (x, y) = (l.vfromf(x), l.vfromf(f(l, a.rs2, t)));
    let v = match s {
        Sign::Copy => l.vbitsel(mask, y, x),
        Sign::Negate => l.vbitsel(mask, l.vxor(y, mask), x),
        Sign::Xor => l.vxor(x, l.vand(y, mask)),
    };
    set_f(l, a.rd, l.vtof(v, t));
}

/// Constant number `imm` of "Load-Immediate Instructions".
pub(super) fn fli(l: &Lift<'_>, a: args::Fli, t: Type) {
    let v = l.iconst(constant(a.imm, t), int(t));
    set_f(l, a.rd, l.bitcast(v, t));
}

/// Exponent and quarters above one of the constants 2 to 29.
const CONSTANTS: [(i32, u64); 28] = [
    (-16, 0),
    (-15, 0),
    (-8, 0),
    (-7, 0),
    (-4, 0),
    (-3, 0),
    (-2, 0),
    (-2, 1),
    (-2, 2),
    (-2, 3),
    (-1, 0),
    (-1, 1),
    (-1, 2),
    (-1, 3),
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (1, 0),
    (1, 1),
    (1, 2),
    (2, 0),
    (3, 0),
    (4, 0),
    (7, 0),
    (8, 0),
    (15, 0),
    (16, 0),
];

fn constant(n: u8, t: Type) -> u64 {
    let (fraction, inf) = (fraction(t), exponent_max(t) << fraction(t));
    let bias = exponent_max(t) as i32 >> 1;
    match n {
        0 => (bias as u64) << fraction | 1 << (bits(t) - 1),
        1 => 1 << fraction,
        2..=29 => {
            let (exponent, quarters) = CONSTANTS[usize::from(n) - 2];
            let significand = 1 << fraction | quarters << (fraction - 2);
            match exponent + bias {
                e if e > 2 * bias => inf,
                // Denormal in the narrow format.
                e if e < 1 => significand >> (1 - e),
                e => significand + ((e as u64 - 1) << fraction),
            }
        }
        30 => inf,
        _ => inf | 1 << (fraction - 1),
    }
}

// ---- arithmetic

type Binary = fn(&Builder, Val, Val, Fp) -> Val;
type Unary = fn(&Builder, Val, Fp) -> Val;

pub(super) fn arith(l: &Lift<'_>, a: args::Fr, t: Type, op: Binary) {
    let Some(p) = policy(l, a.rm) else { return };
    set_f(l, a.rd, op(l, f(l, a.rs1, t), f(l, a.rs2, t), p));
}
pub(super) fn unary(l: &Lift<'_>, a: args::F2, t: Type, op: Unary) {
    let Some(p) = policy(l, a.rm) else { return };
    set_f(l, a.rd, op(l, f(l, a.rs1, t), p));
}
/// Minimum and maximum, which do not round.
pub(super) fn pick(l: &Lift<'_>, a: args::R, t: Type, op: Binary) {
    set_f(l, a.rd, op(l, f(l, a.rs1, t), f(l, a.rs2, t), DYN));
}
/// Product and sum, with signs of the product and of the addend.
pub(super) fn fma(l: &Lift<'_>, a: args::F4, t: Type, minus: [bool; 2]) {
    let Some(p) = policy(l, a.rm) else { return };
    let signed = |v, minus| if minus { l.fneg(v) } else { v };
    let x = signed(f(l, a.rs1, t), minus[0]);
    let z = signed(f(l, a.rs3, t), minus[1]);
    set_f(l, a.rd, l.fma(x, f(l, a.rs2, t), z, p));
}
pub(super) fn compare(l: &Lift<'_>, a: args::R, t: Type, c: FCond) {
    l.set_x(a.rd, l.boolint(l.fcmp(f(l, a.rs1, t), f(l, a.rs2, t), c), Type::I64));
}

/// One bit of ten, by class.
pub(super) fn class(l: &Lift<'_>, a: args::Fu, t: Type) {
    let v = l.bitcast(f(l, a.rs1, t), int(t));
    let v = if v.ty == Type::I64 { v } else { l.zext(v) };
    let inf = exponent_max(t) << fraction(t);
    let magnitude = l.extract(v, (0, bits(t) - 1));
    let from =
        |least: u64| l.boolint(l.icmp(magnitude, l.c64(least), remu_ir::Cond::Geu), Type::I64);
    // 3 zero, 2 denormal, 1 normal, 0 infinite; 7 minus that if positive.
    let steps = l.add(l.add(from(1), from(1 << fraction(t))), from(inf));
    let rank = l.sub(l.c64(3), steps);
    let negative = l.icmp(l.extract(v, (bits(t) - 1, 1)), l.c64(0), remu_ir::Cond::Ne);
    let number = l.movcond(negative, rank, l.sub(l.c64(7), rank));
    let nan = l.add_imm(from(inf | 1 << (fraction(t) - 1)), 8);
    let is_nan = l.icmp(magnitude, l.c64(inf), remu_ir::Cond::Gtu);
    l.set_x(a.rd, l.shl(l.c64(1), l.movcond(is_nan, nan, number)));
}

// ---- conversions

pub(super) fn to_int(l: &Lift<'_>, a: args::F2, t: Type, to: Type, signed: bool) {
    let Some(fp) = policy(l, a.rm) else { return };
    let v = l.fcvt_int(f(l, a.rs1, t), to, FpInt { fp, signed, nan_max: true });
    // Unsigned 32-bit results are sign-extended too.
    if to == Type::I32 { l.set_w(a.rd, v) } else { l.set_x(a.rd, v) }
}
/// From an integer of `wide` bits.
pub(super) fn from_int(l: &Lift<'_>, a: args::F2, t: Type, from: Type, signed: bool) {
    let Some(p) = policy(l, a.rm) else { return };
    let v = if from == Type::I32 { l.w(a.rs1) } else { l.x(a.rs1) };
    // Any 32-bit integer is a double.
    let p = if from == Type::I32 && t == Type::F64 { DYN } else { p };
    let v = if signed { l.fcvt_s(v, t, p) } else { l.fcvt_u(v, t, p) };
    set_f(l, a.rd, v);
}
/// To the row's format from another.
pub(super) fn convert(l: &Lift<'_>, a: args::F2, t: Type, from: Type) {
    let Some(p) = policy(l, a.rm) else { return };
    let p = if bits(from) < bits(t) { DYN } else { p };
    set_f(l, a.rd, l.fcvt(f(l, a.rs1, from), t, p));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_of_fli() {
        let all = |t| (0..32).map(move |n| constant(n, t));
        for (d, s) in all(Type::F64).zip(all(Type::F32)).skip(2).take(29) {
            assert_eq!(f64::from_bits(d) as f32, f32::from_bits(s as u32));
        }
        let doubles: Vec<f64> = all(Type::F64).map(f64::from_bits).collect();
        assert_eq!((doubles[0], doubles[1], doubles[2]), (-1.0, f64::MIN_POSITIVE, 2f64.powi(-16)));
        assert_eq!(doubles[8..16], [0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875]);
        assert_eq!(
            doubles[20..30],
            [2.0, 2.5, 3.0, 4.0, 8.0, 16.0, 128.0, 256.0, 32768.0, 65536.0]
        );
        assert!(doubles[30] == f64::INFINITY && doubles[31].is_nan());
        let halves: Vec<u64> = all(Type::F16).collect();
        assert_eq!(halves[..6], [0xbc00, 0x0400, 0x0100, 0x0200, 0x1c00, 0x2000]);
        assert_eq!(halves[27..], [0x5c00, 0x7800, 0x7c00, 0x7c00, 0x7e00]);
        assert_eq!(constant(1, Type::F32), u64::from(f32::MIN_POSITIVE.to_bits()));
    }
}
