//! "Cryptography Extensions: Vector", on groups of four or eight elements.

use remu_ir::interp::{Packed, eval};
use remu_ir::{Inst, Op, Type, Val};

use super::element::carryless;
use super::{Config, ILLEGAL, Step, VOp, Vectors};
use crate::helpers::hash;

/// Elements of a group.
pub(super) fn group(op: VOp) -> u64 {
    if matches!(op, VOp::Sm3me | VOp::Sm3c) { 8 } else { 4 }
}

/// Runs an operation on every group of elements.
pub(super) fn run(u: &mut Vectors<'_>, c: Config, s: Step, scalar: u64) -> u64 {
    use VOp::*;
    let size = group(s.op);
    if !(u.vl.is_multiple_of(size) && u.vstart.is_multiple_of(size)) {
        return ILLEGAL;
    }
    for n in *u.vstart / size..*u.vl / size {
        match s.op {
            Sm3me | Sm3c => eight(u, s, n, scalar),
            Sha2ms | Sha2ch | Sha2cl if c.sew == 3 => sha512(u, s, n),
            _ => {
                let at = |reg: u8| (usize::from(reg) + n as usize) & 31;
                let (d, v2, v1) = (u.v[at(s.vd)], u.v[at(s.vs2)], u.v[at(s.vs1())]);
                // One group for all.
                let key = u.v[usize::from(s.vs2)];
                u.v[at(s.vd)] = match s.op {
                    AesdmVv => decrypt(d, v2),
                    AesdmVs => decrypt(d, key),
                    AesdfVv => vector(Op::aesdeclast, [d, v2, 0]),
                    AesdfVs => vector(Op::aesdeclast, [d, key, 0]),
                    AesemVv => vector(Op::aesenc, [d, v2, 0]),
                    AesemVs => vector(Op::aesenc, [d, key, 0]),
                    AesefVv => vector(Op::aesenclast, [d, v2, 0]),
                    AesefVs => vector(Op::aesenclast, [d, key, 0]),
                    AeszVs => d ^ key,
                    Aeskf1 => forward_key(v2, v2, true, scalar),
                    Aeskf2 => forward_key(v2, d, false, scalar),
                    Ghsh => ghash(d ^ v1, v2),
                    Gmul => ghash(d, v2),
                    Sha2ms => {
                        let half = vector(Op::sha256su0, [d, v2, 0]);
                        vector(Op::sha256su1, [half, v2, v1])
                    }
                    Sha2ch => vector(Op::sha256r2, [d, v2, v1 >> 64]),
                    Sha2cl => vector(Op::sha256r2, [d, v2, v1]),
                    Sm4k => hash::sm4_keys(v2, scalar as u32),
                    Sm4rVs => hash::sm4_rounds(d, key),
                    _ => hash::sm4_rounds(d, v2),
                };
            }
        }
    }
    0
}

fn vector(op: Op, args: [u128; 3]) -> u128 {
    let i = Inst { op, ty: Type::V128, aux: 0, args: [Val::NONE.id; 4], imm: 0 };
    eval(&Packed::with_type(i, Type::V128), args, &mut 0, 0)
}

fn decrypt(state: u128, key: u128) -> u128 {
    vector(Op::aesimc, [vector(Op::aesdeclast, [state, key, 0]), 0, 0])
}

/// The round that an immediate names, where it is out of range too.
fn key_round(uimm: u64, first: bool) -> u32 {
    let r = uimm as u32 & 15;
    let valid = if first { (1..=10).contains(&r) } else { (2..=14).contains(&r) };
    if valid { r } else { r ^ 8 }
}

/// Constant of the key schedule that goes into round `n` of AES-128.
pub(crate) fn round_constant(n: u32) -> u32 {
    [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36, 0][(n.wrapping_sub(1)).min(10) as usize]
}

fn forward_key(current: u128, before: u128, first: bool, uimm: u64) -> u128 {
    let r = key_round(uimm, first);
    let top = (current >> 96) as u32;
    let bytes = top.to_le_bytes().map(hash::aes_sub);
    let sub = u32::from_le_bytes(bytes);
    let mixed = match (first, r & 1) {
        (true, _) => sub.rotate_right(8) ^ round_constant(r),
        (false, 0) => sub.rotate_right(8) ^ round_constant(r >> 1),
        _ => sub,
    };
    let mut w = mixed;
    (0..4).fold(0, |out, n| {
        w ^= (before >> (32 * n)) as u32;
        out | u128::from(w) << (32 * n)
    })
}

/// Product of two elements of GCM's field.
fn ghash(x: u128, h: u128) -> u128 {
    let bits = |v: u128| u128::from_le_bytes(v.to_le_bytes().map(u8::reverse_bits));
    let (a, b) = (bits(x), bits(h));
    let part = |a: u128, b: u128| carryless(a as u64, b as u64);
    let middle = part(a >> 64, b) ^ part(a, b >> 64);
    let low = part(a, b) ^ middle << 64;
    let high = part(a >> 64, b >> 64) ^ middle >> 64;
    let fold = part(high >> 64, 0x87);
    let low = low ^ fold << 64;
    bits(low ^ part(high ^ fold >> 64, 0x87))
}

fn sha512(u: &mut Vectors<'_>, s: Step, n: u64) {
    let at = |reg: u8, half: u64| (u64::from(reg) + 2 * n + half) as usize & 31;
    let read = |u: &Vectors<'_>, reg| {
        let (low, high) = (u.v[at(reg, 0)], u.v[at(reg, 1)]);
        [low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64]
    };
    let (d, v2, v1) = (read(u, s.vd), read(u, s.vs2), read(u, s.vs1()));
    let r = match s.op {
        VOp::Sha2ms => hash::sha512_schedule(d, v2, v1),
        VOp::Sha2ch => hash::sha512_rounds(d, v2, [v1[2], v1[3]]),
        _ => hash::sha512_rounds(d, v2, [v1[0], v1[1]]),
    };
    let pair = |low: u64, high: u64| u128::from(high) << 64 | u128::from(low);
    u.v[at(s.vd, 0)] = pair(r[0], r[1]);
    u.v[at(s.vd, 1)] = pair(r[2], r[3]);
}

fn eight(u: &mut Vectors<'_>, s: Step, n: u64, uimm: u64) {
    let read = |u: &Vectors<'_>, reg| -> [u32; 8] {
        std::array::from_fn(|i| (u.get(reg, 2, 8 * n + i as u64) as u32).swap_bytes())
    };
    let r = if s.op == VOp::Sm3me {
        hash::sm3_schedule(read(u, s.vs1()), read(u, s.vs2))
    } else {
        hash::sm3_rounds(read(u, s.vd), read(u, s.vs2), uimm as u32)
    };
    (0..8).zip(r).for_each(|(i, x)| u.set(s.vd, 2, 8 * n + i, x.swap_bytes().into()));
}
