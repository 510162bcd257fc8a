//! Integers of `w` bits. Operands have their upper bits zero; results may
//! have any, the caller cuts them off.

use super::{low, signed};
use crate::{Cond, CrcAttr, DivZero};

pub(super) fn mul_high_signed(x: u128, y: u128, w: u32) -> u128 {
    ((signed(x, w) * signed(y, w)) >> w) as u128
}
pub(super) fn mul_high_mixed(x: u128, y: u128, w: u32) -> u128 {
    ((signed(x, w) * y as i128) >> w) as u128
}

pub(super) fn div_unsigned(x: u128, y: u128, z: DivZero) -> u128 {
    x.checked_div(y).unwrap_or_else(|| by_zero(z))
}
pub(super) fn div_signed(x: u128, y: u128, w: u32, z: DivZero) -> u128 {
    match signed(y, w) {
        0 => by_zero(z),
        // One more bit than w holds -MIN; cut off, it is MIN.
        d => (signed(x, w) / d) as u128,
    }
}
fn by_zero(z: DivZero) -> u128 {
    match z {
        DivZero::Zero => 0,
        DivZero::Ones => u128::MAX,
    }
}
pub(super) fn rem_unsigned(x: u128, y: u128) -> u128 {
    x.checked_rem(y).unwrap_or(x)
}
pub(super) fn rem_signed(x: u128, y: u128, w: u32) -> u128 {
    match signed(y, w) {
        0 => x,
        d => (signed(x, w) % d) as u128,
    }
}

pub(super) fn shift_left(x: u128, n: u128, w: u32) -> u128 {
    x << (n as u32 % w)
}
pub(super) fn shift_right(x: u128, n: u128, w: u32) -> u128 {
    x >> (n as u32 % w)
}
pub(super) fn shift_right_signed(x: u128, n: u128, w: u32) -> u128 {
    (signed(x, w) >> (n as u32 % w)) as u128
}
pub(super) fn rotate_right(x: u128, n: u128, w: u32) -> u128 {
    (x | x << w) >> (n as u32 % w)
}
pub(super) fn rotate_left(x: u128, n: u128, w: u32) -> u128 {
    (x | x << w) >> (w - n as u32 % w)
}

/// Bit position and length of a `Bits` attribute.
fn bits(imm: i32) -> (u32, u32) {
    (imm as u32 & 0xff, imm as u32 >> 8 & 0xff)
}
pub(super) fn extract(x: u128, imm: i32) -> u128 {
    let (pos, len) = bits(imm);
    low(x >> pos, len)
}
pub(super) fn extract_signed(x: u128, imm: i32) -> u128 {
    let (pos, len) = bits(imm);
    signed(x >> pos, len) as u128
}
pub(super) fn deposit(x: u128, y: u128, imm: i32) -> u128 {
    let (pos, len) = bits(imm);
    let field = low(u128::MAX, len) << pos;
    x & !field | y << pos & field
}
pub(super) fn funnel(lo: u128, hi: u128, n: i32, w: u32) -> u128 {
    (lo | hi << w) >> (n as u32 % w)
}

pub(super) fn leading_zeros(x: u128, w: u32) -> u128 {
    u128::from(x.leading_zeros() - (128 - w))
}
pub(super) fn trailing_zeros(x: u128, w: u32) -> u128 {
    u128::from(x.trailing_zeros().min(w))
}
pub(super) fn swap_bytes(x: u128, w: u32) -> u128 {
    x.swap_bytes() >> (128 - w)
}
pub(super) fn swap_bytes_16(x: u128) -> u128 {
    let low = u128::MAX / 0xffff * 0xff;
    (x & low) << 8 | x >> 8 & low
}
pub(super) fn reverse_bits(x: u128, w: u32) -> u128 {
    x.reverse_bits() >> (128 - w)
}
pub(super) fn or_bytes(x: u128) -> u128 {
    u128::from_le_bytes(x.to_le_bytes().map(|b| if b == 0 { 0 } else { 0xff }))
}

pub(super) fn holds(c: Cond, x: u128, y: u128, w: u32) -> bool {
    let (sx, sy) = (signed(x, w), signed(y, w));
    match c {
        Cond::Eq => x == y,
        Cond::Ne => x != y,
        Cond::Lt => sx < sy,
        Cond::Ge => sx >= sy,
        Cond::Le => sx <= sy,
        Cond::Gt => sx > sy,
        Cond::Ltu => x < y,
        Cond::Geu => x >= y,
        Cond::Leu => x <= y,
        Cond::Gtu => x > y,
        Cond::TstEq => x & y == 0,
        Cond::TstNe => x & y != 0,
    }
}

pub(super) fn smaller(x: u128, y: u128, w: u32) -> u128 {
    if signed(x, w) < signed(y, w) { x } else { y }
}
pub(super) fn larger(x: u128, y: u128, w: u32) -> u128 {
    if signed(x, w) > signed(y, w) { x } else { y }
}

/// Carry-less product of two numbers of at most 64 bits.
pub(super) fn carryless(x: u128, y: u128) -> u128 {
    (0..64).filter(|n| y >> n & 1 != 0).fold(0, |sum, n| sum ^ x << n)
}

/// Bit-reflected CRC-32 of the low bytes of `x`.
pub(super) fn crc32(acc: u128, x: u128, c: CrcAttr) -> u128 {
    let polynomial = if c.castagnoli { 0x82f6_3b78 } else { 0xedb8_8320 };
    let mut crc = acc ^ low(x, 8 << c.size);
    for _ in 0..8 << c.size {
        crc = crc >> 1 ^ if crc & 1 != 0 { polynomial } else { 0 };
    }
    crc
}
