//! Lanes moved about: permutations, insertions, tables.

use super::lanes::{build, get};
use super::low;
use crate::Lane;

/// `v` with lane `n` replaced.
pub(super) fn insert(l: Lane, v: u128, n: u32, x: u128) -> u128 {
    build(l, |k| if k == n { x } else { get(v, l, k) })
}
/// `v` with a lane replaced by one of `w`; `imm` as `vmovlane` has it.
pub(super) fn insert_lane(l: Lane, v: u128, w: u128, imm: i32) -> u128 {
    insert(l, v, imm as u32 & 0xff, get(w, l, imm as u32 >> 8))
}
/// Bytes `n` to `n + 15` of `hi:lo`.
pub(super) fn window(lo: u128, hi: u128, n: i32) -> u128 {
    match n as u32 {
        0 => lo,
        n @ 1..=15 => lo >> (8 * n) | hi << (128 - 8 * n),
        _ => hi,
    }
}
/// Lanes reversed inside each container of `2^c` bytes.
pub(super) fn reverse(l: Lane, v: u128, c: i32) -> u128 {
    let per = (1u32 << c) / l.bytes();
    build(l, |n| get(v, l, n ^ (per - 1)))
}
/// One half of each, interleaved.
pub(super) fn zip(l: Lane, x: u128, y: u128, high: bool) -> u128 {
    let first = if high { l.count() / 2 } else { 0 };
    build(l, |n| get(if n % 2 == 0 { x } else { y }, l, first + n / 2))
}
/// Even or odd lanes of `y:x`.
pub(super) fn unzip(l: Lane, x: u128, y: u128, odd: bool) -> u128 {
    let half = l.count() / 2;
    build(l, |n| {
        let (v, n) = if n < half { (x, n) } else { (y, n - half) };
        get(v, l, 2 * n + u32::from(odd))
    })
}
/// Even or odd lanes of both, interleaved.
pub(super) fn transpose(l: Lane, x: u128, y: u128, odd: bool) -> u128 {
    build(l, |n| get(if n % 2 == 0 { x } else { y }, l, n - n % 2 + u32::from(odd)))
}
/// Byte of `t` at `index - base` where that is in range, else of `d`.
pub(super) fn table(d: u128, t: u128, index: u128, base: u32) -> u128 {
    build(Lane::B, |n| match (get(index, Lane::B, n) as u32).checked_sub(base) {
        Some(k @ 0..=15) => get(t, Lane::B, k),
        _ => get(d, Lane::B, n),
    })
}
/// Low half of `lo`, low half of `hi` above.
pub(super) fn concat(lo: u128, hi: u128) -> u128 {
    low(lo, 64) | hi << 64
}
