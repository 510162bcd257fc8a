//! Flags tokens: N, Z, C, V in bits 31 to 28.

use core::cmp::Ordering;

use super::{low, signed};
use crate::FlagCond;

const N: u128 = 1 << 31;
const Z: u128 = 1 << 30;
const C: u128 = 1 << 29;
const V: u128 = 1 << 28;

/// N and Z of a result of `w` bits.
pub(super) fn logic(x: u128, w: u32) -> u128 {
    (if x >> (w - 1) & 1 != 0 { N } else { 0 }) | if x == 0 { Z } else { 0 }
}

/// Flags of `x + y + carry` (DDI 0487, AddWithCarry).
pub(super) fn add(x: u128, y: u128, carry: u128, w: u32) -> u128 {
    let sum = x + y + carry;
    let exact = signed(x, w) + signed(y, w) + carry as i128;
    let result = low(sum, w);
    let c = if sum >> w != 0 { C } else { 0 };
    let v = if signed(result, w) != exact { V } else { 0 };
    logic(result, w) | c | v
}

/// Flags of `x + !y + carry`.
pub(super) fn sub(x: u128, y: u128, carry: u128, w: u32) -> u128 {
    add(x, low(!y, w), carry, w)
}

/// Flags of a floating-point comparison.
pub(super) fn order(o: Option<Ordering>) -> u128 {
    match o {
        Some(Ordering::Less) => N,
        Some(Ordering::Equal) => Z | C,
        Some(Ordering::Greater) => C,
        None => C | V,
    }
}

/// Whether a condition holds.
pub(super) fn holds(f: u128, c: FlagCond) -> bool {
    let [n, z, carry, v] = [N, Z, C, V].map(|bit| f & bit != 0);
    match c {
        FlagCond::Eq => z,
        FlagCond::Ne => !z,
        FlagCond::Cs => carry,
        FlagCond::Cc => !carry,
        FlagCond::Mi => n,
        FlagCond::Pl => !n,
        FlagCond::Vs => v,
        FlagCond::Vc => !v,
        FlagCond::Hi => carry && !z,
        FlagCond::Ls => !carry || z,
        FlagCond::Ge => n == v,
        FlagCond::Lt => n != v,
        FlagCond::Gt => !z && n == v,
        FlagCond::Le => z || n != v,
    }
}
