//! Rare lane semantics: saturating shifts by a register, rounding doubling
//! multiply-accumulate, estimates, bfloat16 products.

use remu_isa::ir::{Helper, Val};

use super::vector_helper;
use crate::lift::Lift;

/// Kind of a saturating shift.
#[derive(Clone, Copy)]
pub(crate) struct Shift {
    /// Signed lanes.
    pub(crate) signed: bool,
    /// Right shifts round.
    pub(crate) round: bool,
}

/// Applies `f` to each lane; it gives the result and whether it saturated.
fn map(size: u32, mut f: impl FnMut(u32) -> (u64, bool)) -> (u128, u128) {
    let bits = 8u32 << size;
    let mask = u128::MAX >> (128 - bits);
    let (mut value, mut over) = (0, 0);
    for i in 0..16u32 >> size {
        let (v, o) = f(i);
        value |= (u128::from(v) & mask) << (i * bits);
        over |= (if o { mask } else { 0 }) << (i * bits);
    }
    (value, over)
}
fn unsigned(v: u128, size: u32, i: u32) -> u64 {
    let bits = 8u32 << size;
    (v >> (i * bits)) as u64 & (u64::MAX >> (64 - bits))
}
fn signed(v: u128, size: u32, i: u32) -> i64 {
    let drop = 64 - (8u32 << size);
    (unsigned(v, size, i) << drop) as i64 >> drop
}

/// `x` shifted left by `n`, which may be negative, and saturated; with flag
/// that it did. DDI 0487, SQSHL (register) and its kin.
fn shift_lane(x: i128, n: i32, bits: u32, to_signed: bool, round: bool) -> (u64, bool) {
    let shifted = if n >= 0 {
        // What does not fit here saturates in any lane.
        let fits = x.unsigned_abs().leading_zeros() > n as u32 + 1;
        if fits { x << n } else { x.signum() << 100 }
    } else {
        let n = (-n).min(120);
        let rounding = if round { 1i128 << (n - 1) } else { 0 };
        (x + rounding) >> n
    };
    let (min, max) = if to_signed {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    };
    let v = shifted.clamp(min, max);
    (v as u64, v != shifted)
}

/// Bits of the helpers' number: lane size, then options.
const SIGNED: u16 = 4;
const TO_SIGNED: u16 = 8;
const ROUND: u16 = 16;
/// The mask of saturated lanes is wanted, not the value.
const OVER: u16 = 32;
const SUBTRACT: u16 = 4;

fn pick(options: u16, (value, over): (u128, u128)) -> u128 {
    if options & OVER != 0 { over } else { value }
}
fn saturating_shift(v: [u128; 3], options: u16) -> u128 {
    let size = u32::from(options & 3);
    pick(
        options,
        map(size, |i| {
            let x = if options & SIGNED != 0 {
                i128::from(signed(v[0], size, i))
            } else {
                i128::from(unsigned(v[0], size, i))
            };
            let n = unsigned(v[1], size, i) as i8;
            let (to_signed, round) = (options & TO_SIGNED != 0, options & ROUND != 0);
            shift_lane(x, n.into(), 8 << size, to_signed, round)
        }),
    )
}
fn rounding_accumulate(v: [u128; 3], options: u16) -> u128 {
    let size = u32::from(options & 3);
    let bits = 8u32 << size;
    pick(
        options,
        map(size, |i| {
            let at = |v| i128::from(signed(v, size, i));
            let product = 2 * at(v[1]) * at(v[2]);
            let product = if options & SUBTRACT != 0 { -product } else { product };
            let sum = (at(v[0]) << bits) + product + (1 << (bits - 1));
            let max = (1i128 << (bits - 1)) - 1;
            let r = (sum >> bits).clamp(-max - 1, max);
            (r as u64, r != sum >> bits)
        }),
    )
}
vector_helper! {
    SHIFT "a64_saturating_shift" saturating_shift;
    RDMLA "a64_rounding_accumulate" rounding_accumulate;
}

fn both(l: &Lift, h: Helper, v: [Val; 3], options: u16) -> (Val, Val) {
    let at = |options| l.vhelper(h, v[0], v[1], v[2], options);
    (at(options), at(options | OVER))
}
/// Saturating shift by a register: value and where it saturated.
pub(crate) fn shift(l: &Lift, kind: Shift, size: u8, x: Val, n: Val) -> (Val, Val) {
    let signed = if kind.signed { SIGNED | TO_SIGNED } else { 0 };
    let round = if kind.round { ROUND } else { 0 };
    both(l, SHIFT, [x, n, x], u16::from(size) | signed | round)
}
/// Saturating shift of signed lanes to unsigned ones.
pub(crate) fn shift_unsigned(l: &Lift, size: u8, x: Val, n: Val) -> (Val, Val) {
    both(l, SHIFT, [x, n, x], u16::from(size) | SIGNED)
}
/// SQRDMLAH and SQRDMLSH: value and where it saturated.
pub(crate) fn rdmla(l: &Lift, subtract: bool, size: u8, d: Val, x: Val, y: Val) -> (Val, Val) {
    let options = if subtract { SUBTRACT } else { 0 };
    both(l, RDMLA, [d, x, y], u16::from(size) | options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_saturate() {
        assert_eq!(shift_lane(1, 7, 8, true, false), (127, true));
        assert_eq!(shift_lane(-1, 7, 8, true, false), (-128i64 as u64, false));
        assert_eq!(shift_lane(-1, 100, 8, true, false), (-128i64 as u64, true));
        assert_eq!(shift_lane(0, 100, 8, true, false), (0, false));
        assert_eq!(shift_lane(255, -1, 8, false, true), (128, false));
        assert_eq!(shift_lane(-3, -1, 8, true, true), (-1i64 as u64, false));
        assert_eq!(shift_lane(-3, 1, 8, false, false), (0, true));
        assert_eq!(shift_lane(5, -128, 64, true, true), (0, false));
        for n in [63, 64, 65, 127] {
            let all = i128::from(u64::MAX);
            assert_eq!(shift_lane(all, n, 64, false, false), (u64::MAX, true));
            assert_eq!(shift_lane(0, n, 64, false, false), (0, false));
        }
    }

    #[test]
    fn accumulation_rounds() {
        let v = rounding_accumulate([1, 0x4000, 0x4000], 1);
        assert_eq!(v, 0x2001);
        assert_eq!(rounding_accumulate([0x7fff, 0x8000, 0x8000], 1 | OVER), 0xffff);
    }
}
