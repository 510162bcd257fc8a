//! Steps of hashes and ciphers that hosts have no instruction for: SHA-512,
//! SM3, SM4, and the S-box of AES.

use remu_ir::interp::{Packed, eval};
use remu_ir::{Inst, Op, Type, Val};
use remu_isa::sm4_sub;

/// AES SubBytes of one byte.
pub(crate) fn aes_sub(x: u8) -> u8 {
    let i = Inst { op: Op::aesenclast, ty: Type::V128, aux: 0, args: [Val::NONE.id; 4], imm: 0 };
    // In a state of equal bytes ShiftRows changes nothing.
    let state = u128::from_le_bytes([x; 16]);
    eval(&Packed::with_type(i, Type::V128), [state, 0, 0], &mut 0, 0) as u8
}

// ---- SHA-512

fn sum0(x: u64) -> u64 {
    x.rotate_right(28) ^ x.rotate_right(34) ^ x.rotate_right(39)
}
fn sum1(x: u64) -> u64 {
    x.rotate_right(14) ^ x.rotate_right(18) ^ x.rotate_right(41)
}
fn sig0(x: u64) -> u64 {
    x.rotate_right(1) ^ x.rotate_right(8) ^ x >> 7
}
fn sig1(x: u64) -> u64 {
    x.rotate_right(19) ^ x.rotate_right(61) ^ x >> 6
}

/// `vsha2ms.vv`: words 16 to 19 from words 0 to 3, 4 and 9 to 11, 12 to 15.
pub(crate) fn sha512_schedule(w: [u64; 4], v2: [u64; 4], v1: [u64; 4]) -> [u64; 4] {
    let sum = |a: u64, b: u64, c: u64, d: u64| {
        sig1(a).wrapping_add(b).wrapping_add(sig0(c)).wrapping_add(d)
    };
    let w16 = sum(v1[2], v2[1], w[1], w[0]);
    let w17 = sum(v1[3], v2[2], w[2], w[1]);
    let w18 = sum(w16, v2[3], w[3], w[2]);
    let w19 = sum(w17, v1[0], v2[0], w[3]);
    [w16, w17, w18, w19]
}

/// `vsha2ch.vv`, `vsha2cl.vv`: two rounds from h, g, d, c and f, e, b, a.
pub(crate) fn sha512_rounds(hgdc: [u64; 4], feba: [u64; 4], words: [u64; 2]) -> [u64; 4] {
    let [mut h, mut g, mut d, mut c] = hgdc;
    let [mut f, mut e, mut b, mut a] = feba;
    for w in words {
        let t1 = h.wrapping_add(sum1(e)).wrapping_add((e & f) ^ (!e & g)).wrapping_add(w);
        let t2 = sum0(a).wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
        (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
    }
    [f, e, b, a]
}

// ---- SM3 (GB/T 32905-2016)

fn p0(x: u32) -> u32 {
    x ^ x.rotate_left(9) ^ x.rotate_left(17)
}
fn p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}

/// `vsm3me.vv`: words 16 to 23 from words 0 to 7 and 8 to 15.
pub(crate) fn sm3_schedule(low: [u32; 8], high: [u32; 8]) -> [u32; 8] {
    let mut w = [0; 24];
    w[..8].copy_from_slice(&low);
    w[8..16].copy_from_slice(&high);
    for j in 16..24 {
        let x = w[j - 16] ^ w[j - 9] ^ w[j - 3].rotate_left(15);
        w[j] = p1(x) ^ w[j - 13].rotate_left(7) ^ w[j - 6];
    }
    std::array::from_fn(|i| w[16 + i])
}

/// `vsm3c.vi`: two rounds, 2 * n and the next, on a to h.
pub(crate) fn sm3_rounds(state: [u32; 8], w: [u32; 8], n: u32) -> [u32; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    for (i, word) in (0..2).zip(w) {
        let j = 2 * n + i;
        let early = j < 16;
        let t = if early { 0x79cc_4519_u32 } else { 0x7a87_9d8a };
        let ss1 =
            a.rotate_left(12).wrapping_add(e).wrapping_add(t.rotate_left(j % 32)).rotate_left(7);
        let ss2 = ss1 ^ a.rotate_left(12);
        let ff = if early { a ^ b ^ c } else { (a & b) | (a & c) | (b & c) };
        let gg = if early { e ^ f ^ g } else { (e & f) | (!e & g) };
        let tt1 = ff.wrapping_add(d).wrapping_add(ss2).wrapping_add(word ^ w[4 + i as usize]);
        let tt2 = gg.wrapping_add(h).wrapping_add(ss1).wrapping_add(word);
        (d, c, b, a) = (c, b.rotate_left(9), a, tt1);
        (h, g, f, e) = (g, f.rotate_left(19), e, p0(tt2));
    }
    [a, b, c, d, e, f, g, h]
}

// ---- SM4 (GB/T 32907-2016)

fn four(state: u128, key: impl Fn(usize) -> u32, linear: impl Fn(u32) -> u32) -> u128 {
    let mut s = [0, 32, 64, 96].map(|n| (state >> n) as u32);
    for n in 0..4 {
        s = [s[1], s[2], s[3], s[0] ^ linear(sm4_sub(s[1] ^ s[2] ^ s[3] ^ key(n)))];
    }
    s.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x))
}

/// `vsm4r`: four rounds.
pub(crate) fn sm4_rounds(state: u128, keys: u128) -> u128 {
    four(
        state,
        |n| (keys >> (32 * n)) as u32,
        |x| x ^ x.rotate_left(2) ^ x.rotate_left(10) ^ x.rotate_left(18) ^ x.rotate_left(24),
    )
}

/// `vsm4k.vi`: four keys of the schedule.
pub(crate) fn sm4_keys(keys: u128, rounds: u32) -> u128 {
    let constant = |n: usize| {
        let i = 4 * (rounds & 7) + n as u32;
        (0..4).fold(0, |v, j| v << 8 | (4 * i + j) * 7 & 0xff)
    };
    four(keys, constant, |x| x ^ x.rotate_left(13) ^ x.rotate_left(23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm4_encrypts_the_standards_example() {
        // GB/T 32907-2016, A.1: key and plaintext 0123456789abcdeffedcba9876543210.
        let vector = |w: [u32; 4]| w.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x));
        let text = vector([0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, 0x7654_3210]);
        let fk = vector([0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc]);
        let (mut key, mut state) = (text ^ fk, text);
        for rounds in 0..8 {
            key = sm4_keys(key, rounds);
            state = sm4_rounds(state, key);
        }
        let want = vector([0x536e_4246, 0x86b3_e94f, 0xd206_965e, 0x681e_df34]);
        assert_eq!(state, want);
    }

    #[test]
    fn aes_substitutes() {
        // FIPS 197, figure 7.
        assert_eq!([0x00, 0x53, 0xff].map(aes_sub), [0x63, 0xed, 0x16]);
    }
}
