//! Vectors of integer lanes.

use super::{int, low, signed};
use crate::{Cond, Lane};

/// Lane `n`, zero-extended.
pub(super) fn get(v: u128, l: Lane, n: u32) -> u128 {
    low(v >> (n * l.bits()), l.bits())
}
/// Lane `n`, sign-extended.
pub(super) fn get_signed(v: u128, l: Lane, n: u32) -> i128 {
    signed(v >> (n * l.bits()), l.bits())
}
/// The top bits of all lanes, that of lane 0 lowest.
pub(super) fn top_bits(l: Lane, v: u128) -> u128 {
    (0..l.count()).fold(0, |all, n| all | get(v, l, n) >> (l.bits() - 1) << n)
}
/// A vector from its lanes; upper bits of a lane are cut off.
pub(super) fn build(l: Lane, mut f: impl FnMut(u32) -> u128) -> u128 {
    (0..l.count()).fold(0, |v, n| v | low(f(n), l.bits()) << (n * l.bits()))
}
/// All ones or zero.
pub(super) fn truth(b: bool) -> u128 {
    if b { u128::MAX } else { 0 }
}

/// Each lane, zero-extended.
pub(super) fn map(l: Lane, x: u128, f: impl Fn(u128) -> u128) -> u128 {
    build(l, |n| f(get(x, l, n)))
}
/// Each lane, sign-extended.
pub(super) fn map_signed(l: Lane, x: u128, f: impl Fn(i128) -> i128) -> u128 {
    build(l, |n| f(get_signed(x, l, n)) as u128)
}
/// Lane by lane, zero-extended.
pub(super) fn zip(l: Lane, x: u128, y: u128, f: impl Fn(u128, u128) -> u128) -> u128 {
    build(l, |n| f(get(x, l, n), get(y, l, n)))
}
/// Lane by lane, sign-extended.
pub(super) fn zip_signed(l: Lane, x: u128, y: u128, f: impl Fn(i128, i128) -> i128) -> u128 {
    build(l, |n| f(get_signed(x, l, n), get_signed(y, l, n)) as u128)
}

pub(super) fn compare(l: Lane, x: u128, y: u128, c: Cond) -> u128 {
    zip(l, x, y, |x, y| truth(int::holds(c, x, y, l.bits())))
}
/// Leading sign bits, less the sign itself.
pub(super) fn leading_signs(l: Lane, x: u128) -> u128 {
    map_signed(l, x, |x| {
        let zeros = (x ^ x >> 127).leading_zeros();
        i128::from(zeros - (128 - l.bits()) - 1)
    })
}

/// `x >> n`, half of the last place added first if `round`; any `n >= 0`.
fn down(x: i128, n: u32, round: bool) -> i128 {
    match n {
        0 => x,
        // The sum cannot overflow: lanes that shift have at most 64 bits.
        1..=126 => x.wrapping_add(if round { 1 << (n - 1) } else { 0 }) >> n,
        _ if round => 0,
        _ => x >> 127,
    }
}
pub(super) fn shift_right(l: Lane, x: u128, n: i32, round: bool) -> u128 {
    map(l, x, |x| {
        if l == Lane::Q { wide_right(x, n) } else { down(x as i128, n as u32, round) as u128 }
    })
}
fn wide_right(x: u128, n: i32) -> u128 {
    x.checked_shr(n as u32).unwrap_or(0)
}
pub(super) fn shift_right_signed(l: Lane, x: u128, n: i32, round: bool) -> u128 {
    map_signed(l, x, |x| down(x, n as u32, round))
}
/// Shift by the signed low byte of each lane of `n`.
pub(super) fn shift_by(l: Lane, x: u128, n: u128, sign: bool, round: bool) -> u128 {
    build(l, |k| {
        let by = get(n, l, k) as u8 as i8;
        let v = if sign { get_signed(x, l, k) } else { get(x, l, k) as i128 };
        if by < 0 {
            down(v, u32::from(by.unsigned_abs()), round) as u128
        } else {
            (v as u128).checked_shl(by as u32).unwrap_or(0)
        }
    })
}

/// Lanes of the low half (`l` is the narrow lane) to double width.
pub(super) fn widen(l: Lane, x: u128, sign: bool) -> u128 {
    build(l.wider(), |n| if sign { get_signed(x, l, n) as u128 } else { get(x, l, n) })
}
/// Low halves of the lanes (`l` is the narrow lane) in the low 64 bits.
pub(super) fn narrow(l: Lane, x: u128) -> u128 {
    low(build(l, |n| if n < l.count() / 2 { get(x, l.wider(), n) } else { 0 }), 64)
}
/// Products of the low half's lanes, double width.
pub(super) fn mul_wide(l: Lane, x: u128, y: u128, sign: bool) -> u128 {
    build(l.wider(), |n| {
        if sign {
            (get_signed(x, l, n) * get_signed(y, l, n)) as u128
        } else {
            get(x, l, n) * get(y, l, n)
        }
    })
}
/// Carry-less products of the low half's lanes, double width.
pub(super) fn carryless_wide(l: Lane, x: u128, y: u128) -> u128 {
    build(l.wider(), |n| int::carryless(get(x, l, n), get(y, l, n)))
}
/// Sums of adjacent lanes of `y:x`.
pub(super) fn add_pairs(l: Lane, x: u128, y: u128) -> u128 {
    let half = l.count() / 2;
    build(l, |n| {
        let (v, n) = if n < half { (x, n) } else { (y, n - half) };
        get(v, l, 2 * n).wrapping_add(get(v, l, 2 * n + 1))
    })
}
/// Sums of adjacent lanes, double width.
pub(super) fn add_pairs_wide(l: Lane, x: u128, sign: bool) -> u128 {
    build(l.wider(), |n| {
        if sign {
            (get_signed(x, l, 2 * n) + get_signed(x, l, 2 * n + 1)) as u128
        } else {
            get(x, l, 2 * n) + get(x, l, 2 * n + 1)
        }
    })
}
