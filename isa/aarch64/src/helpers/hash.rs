//! SHA-512, SM3 and SM4 steps. DDI 0487, chapter C7 and shared pseudocode.

use remu_isa::sm4_sub;

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

fn sm4(state: u128, keys: u128, linear: impl Fn(u32) -> u32) -> u128 {
    let mut s = words(state);
    for key in words(keys) {
        let x = sm4_sub(s[3] ^ s[2] ^ s[1] ^ key);
        s = [s[1], s[2], s[3], s[0] ^ linear(x)];
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
