//! SHA-512, SM3 and SM4 steps. DDI 0487, chapter C7 and shared pseudocode.

use super::vector_helper;

type W4 = [u32; 4];

fn words(v: u128) -> W4 {
    [v as u32, (v >> 32) as u32, (v >> 64) as u32, (v >> 96) as u32]
}
fn vector(w: W4) -> u128 {
    w.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x))
}
fn choose(x: u32, y: u32, z: u32) -> u32 {
    ((y ^ z) & x) ^ z
}
fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & y) | ((x | y) & z)
}
fn halves(v: u128) -> (u64, u64) {
    (v as u64, (v >> 64) as u64)
}
fn joined(lo: u64, hi: u64) -> u128 {
    u128::from(hi) << 64 | u128::from(lo)
}
fn sha512h(v: [u128; 3], _: u16) -> u128 {
    let ((wl, wh), (xl, xh), (yl, yh)) = (halves(v[0]), halves(v[1]), halves(v[2]));
    let sigma = |x: u64| x.rotate_right(14) ^ x.rotate_right(18) ^ x.rotate_right(41);
    let hi = ((yh & xl) ^ (!yh & xh)).wrapping_add(sigma(yh)).wrapping_add(wh);
    let t = hi.wrapping_add(yl);
    let lo = ((t & yh) ^ (!t & xl)).wrapping_add(sigma(t)).wrapping_add(wl);
    joined(lo, hi)
}
fn sha512h2(v: [u128; 3], _: u16) -> u128 {
    let ((wl, wh), (xl, _), (yl, yh)) = (halves(v[0]), halves(v[1]), halves(v[2]));
    let sigma = |x: u64| x.rotate_right(28) ^ x.rotate_right(34) ^ x.rotate_right(39);
    let majority = |x: u64| (x & yh) ^ (x & yl) ^ (yh & yl);
    let hi = majority(xl).wrapping_add(sigma(yl)).wrapping_add(wh);
    let lo = majority(hi).wrapping_add(sigma(hi)).wrapping_add(wl);
    joined(lo, hi)
}
fn sha512su0(v: [u128; 3], _: u16) -> u128 {
    let ((wl, wh), (xl, _)) = (halves(v[0]), halves(v[1]));
    let sigma = |x: u64| x.rotate_right(1) ^ x.rotate_right(8) ^ x >> 7;
    joined(wl.wrapping_add(sigma(wh)), wh.wrapping_add(sigma(xl)))
}
fn sha512su1(v: [u128; 3], _: u16) -> u128 {
    let ((wl, wh), (xl, xh), (yl, yh)) = (halves(v[0]), halves(v[1]), halves(v[2]));
    let sigma = |x: u64| x.rotate_right(19) ^ x.rotate_right(61) ^ x >> 6;
    let step = |w: u64, x, y| w.wrapping_add(sigma(x)).wrapping_add(y);
    joined(step(wl, xl, yl), step(wh, xh, yh))
}

fn sm3partw1(v: [u128; 3], _: u16) -> u128 {
    let (dn, m) = (words(v[0] ^ v[1]), words(v[2]));
    let spread = |x: u32| x ^ x.rotate_left(15) ^ x.rotate_left(23);
    let mut r = [0; 4];
    for i in 0..4 {
        let other = if i < 3 { m[i + 1] } else { r[0] };
        r[i] = spread(dn[i] ^ u32::rotate_left(other, 15));
    }
    vector(r)
}
fn sm3partw2(v: [u128; 3], _: u16) -> u128 {
    let (d, n, m) = (words(v[0]), words(v[1]), words(v[2]));
    let mut r = [0; 4];
    for i in 0..4 {
        r[i] = d[i] ^ n[i] ^ m[i].rotate_left(7);
    }
    let t = (n[0] ^ m[0].rotate_left(7)).rotate_left(15);
    r[3] ^= t ^ t.rotate_left(15) ^ t.rotate_left(23);
    vector(r)
}
/// Vectors n, m, a.
fn sm3ss1(v: [u128; 3], _: u16) -> u128 {
    let top = |v| words(v)[3];
    let sum = top(v[0]).rotate_left(12).wrapping_add(top(v[1])).wrapping_add(top(v[2]));
    vector([0, 0, 0, sum.rotate_left(7)])
}
/// Which of the four, in bits 3:2; the element of the third vector below.
fn sm3tt(v: [u128; 3], n: u16) -> u128 {
    let (d, n3, w) = (words(v[0]), words(v[1])[3], words(v[2])[usize::from(n & 3)]);
    let mix = match n >> 2 {
        1 => majority(d[3], d[2], d[1]),
        3 => choose(d[3], d[2], d[1]),
        _ => d[1] ^ d[2] ^ d[3],
    };
    let sum = mix.wrapping_add(d[0]).wrapping_add(w);
    if n >> 2 < 2 {
        let t = sum.wrapping_add(n3 ^ d[3].rotate_left(12));
        vector([d[1], d[2].rotate_left(9), d[3], t])
    } else {
        let t = sum.wrapping_add(n3);
        vector([d[1], d[2].rotate_left(19), d[3], t ^ t.rotate_left(9) ^ t.rotate_left(17)])
    }
}

/// S-box of SM4 (GB/T 32907-2016, 6.2).
#[rustfmt::skip]
static SM4: [u8; 256] = [
    0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05,
    0x2b, 0x67, 0x9a, 0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99,
    0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef, 0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed, 0xcf, 0xac, 0x62,
    0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80, 0xdf, 0x94, 0xfa, 0x75, 0x8f, 0x3f, 0xa6,
    0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c, 0x19, 0xe6, 0x85, 0x4f, 0xa8,
    0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb, 0x0f, 0x4b, 0x70, 0x56, 0x9d, 0x35,
    0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25, 0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87,
    0xd4, 0x00, 0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52, 0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e,
    0xea, 0xbf, 0x8a, 0xd2, 0x40, 0xc7, 0x38, 0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1,
    0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34, 0x1a, 0x55, 0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3,
    0x1d, 0xf6, 0xe2, 0x2e, 0x82, 0x66, 0xca, 0x60, 0xc0, 0x29, 0x23, 0xab, 0x0d, 0x53, 0x4e, 0x6f,
    0xd5, 0xdb, 0x37, 0x45, 0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c, 0x5b, 0x51,
    0x8d, 0x1b, 0xaf, 0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8,
    0x0a, 0xc1, 0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0,
    0x89, 0x69, 0x97, 0x4a, 0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84,
    0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48,
];

fn sm4(state: u128, keys: u128, linear: impl Fn(u32) -> u32) -> u128 {
    let mut s = words(state);
    for key in words(keys) {
        let x = (s[3] ^ s[2] ^ s[1] ^ key).to_le_bytes().map(|b| SM4[usize::from(b)]);
        s = [s[1], s[2], s[3], s[0] ^ linear(u32::from_le_bytes(x))];
    }
    vector(s)
}
fn sm4e(v: [u128; 3], _: u16) -> u128 {
    sm4(v[0], v[1], |x| {
        x ^ x.rotate_left(2) ^ x.rotate_left(10) ^ x.rotate_left(18) ^ x.rotate_left(24)
    })
}
fn sm4ekey(v: [u128; 3], _: u16) -> u128 {
    sm4(v[0], v[1], |x| x ^ x.rotate_left(13) ^ x.rotate_left(23))
}

vector_helper! {
    SHA512H "a64_sha512h" sha512h;
    SHA512H2 "a64_sha512h2" sha512h2;
    SHA512SU0 "a64_sha512su0" sha512su0;
    SHA512SU1 "a64_sha512su1" sha512su1;
    SM3PARTW1 "a64_sm3partw1" sm3partw1;
    SM3PARTW2 "a64_sm3partw2" sm3partw2;
    SM3SS1 "a64_sm3ss1" sm3ss1;
    SM3TT "a64_sm3tt" sm3tt;
    SM4E "a64_sm4e" sm4e;
    SM4EKEY "a64_sm4ekey" sm4ekey;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm4_encrypts_the_standards_example() {
        // GB/T 32907-2016, A.1: key and plaintext 0123456789abcdeffedcba9876543210.
        let text = vector([0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, 0x7654_3210]);
        let fk = vector([0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc]);
        let mut key = text ^ fk;
        let mut state = text;
        for round in 0..8u32 {
            let ck = |i: u32| (0..4).fold(0u32, |v, j| v << 8 | (((4 * i + j) * 7) & 0xff));
            let constants = vector([0, 1, 2, 3].map(|i| ck(4 * round + i)));
            key = sm4ekey([key, constants, 0], 0);
            state = sm4e([state, key, 0], 0);
        }
        let [a, b, c, d] = words(state);
        assert_eq!([d, c, b, a], [0x681e_df34, 0xd206_965e, 0x86b3_e94f, 0x536e_4246]);
    }
}
