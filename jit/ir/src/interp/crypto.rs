//! AES rounds (FIPS 197). Byte `4 c + r` of a vector is row `r`, column `c`.

/// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
const fn gf_mul(mut x: u8, mut y: u8) -> u8 {
    let mut r = 0;
    while y != 0 {
        if y & 1 != 0 {
            r ^= x;
        }
        x = x << 1 ^ if x & 0x80 != 0 { 0x1b } else { 0 };
        y >>= 1;
    }
    r
}

/// FIPS 197, 5.1.1: inverse, then the affine transformation.
const fn sub_byte(x: u8) -> u8 {
    // x^254 is the inverse, and 0 for 0.
    let (mut inverse, mut n) = (1, 0);
    while n < 254 {
        inverse = gf_mul(inverse, x);
        n += 1;
    }
    let b = inverse;
    b ^ b.rotate_left(1) ^ b.rotate_left(2) ^ b.rotate_left(3) ^ b.rotate_left(4) ^ 0x63
}

const SBOX: [u8; 256] = {
    let mut t = [0; 256];
    let mut n = 0;
    while n < 256 {
        t[n] = sub_byte(n as u8);
        n += 1;
    }
    t
};
const INVERSE: [u8; 256] = {
    let mut t = [0; 256];
    let mut n = 0;
    while n < 256 {
        t[SBOX[n] as usize] = n as u8;
        n += 1;
    }
    t
};

/// ShiftRows and SubBytes, then the key.
pub(super) fn encrypt_last(s: u128, k: u128) -> u128 {
    let s = s.to_le_bytes();
    u128::from_le_bytes(core::array::from_fn(|n| SBOX[usize::from(s[n * 5 % 16])])) ^ k
}
/// Inverse ShiftRows and inverse SubBytes, then the key.
pub(super) fn decrypt_last(s: u128, k: u128) -> u128 {
    let s = s.to_le_bytes();
    u128::from_le_bytes(core::array::from_fn(|n| INVERSE[usize::from(s[n * 13 % 16])])) ^ k
}
fn mix(s: u128, row: [u8; 4]) -> u128 {
    let s = s.to_le_bytes();
    u128::from_le_bytes(core::array::from_fn(|n| {
        let column = n & !3;
        (0..4).fold(0, |sum, k| sum ^ gf_mul(s[column + (n + k) % 4], row[k]))
    }))
}
/// MixColumns.
pub(super) fn mix_columns(s: u128) -> u128 {
    mix(s, [2, 3, 1, 1])
}
/// Inverse MixColumns.
pub(super) fn inverse_mix_columns(s: u128) -> u128 {
    mix(s, [14, 11, 13, 9])
}
