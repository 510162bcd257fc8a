//! Scalar cryptography: "Zbkb", "Zbkx", "Zknd", "Zkne", "Zknh", "Zksed", "Zksh".

use remu_ir::{Lane, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::vector::round_constant;

// ---- Zbkb, Zbkx

pub fn pack(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.deposit(l.x(a.rs1), l.x(a.rs2), (32, 32)));
}
pub fn packh(l: &Lift<'_>, a: args::R) {
    let low = l.extract(l.x(a.rs1), (0, 8));
    l.set_x(a.rd, l.or(low, l.shl_imm(l.extract(l.x(a.rs2), (0, 8)), 8)));
}
pub fn brev8(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.bswap(l.bitrev(l.x(a.rs1))));
}
fn low(l: &Lift<'_>, v: Val) -> Val {
    l.vextract(v, l.c32(0), Type::I64, Lane::D)
}
fn vector(l: &Lift<'_>, x: Val) -> Val {
    l.vmake(x, l.c64(0))
}
/// Upper bytes of the table are zero, as is what an index of 16 and more gives.
pub fn xperm8(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, low(l, l.vtbl(vector(l, l.x(a.rs1)), vector(l, l.x(a.rs2)))));
}
pub fn xperm4(l: &Lift<'_>, a: args::R) {
    let nibbles = |x: Val| {
        let v = vector(l, x);
        let mask = l.vconst(u128::from_le_bytes([15; 16]));
        l.vzip1(l.vand(v, mask), l.vand(l.vshr(v, Lane::B, 4), mask), Lane::B)
    };
    let found = l.vtbl(nibbles(l.x(a.rs1)), nibbles(l.x(a.rs2)));
    // Pairs of nibbles to bytes: the odd ones four bits up, the even ones below.
    let pairs = l.vor(found, l.vshr(found, Lane::H, 4));
    l.set_x(a.rd, low(l, l.vnarrow(pairs, Lane::B)));
}

// ---- Zknd, Zkne

/// The state: rs1 holds its lower half.
fn state(l: &Lift<'_>, a: args::R) -> Val {
    l.vmake(l.x(a.rs1), l.x(a.rs2))
}
pub fn aes64es(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, low(l, l.aesenclast(state(l, a), l.vconst(0))));
}
pub fn aes64esm(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, low(l, l.aesenc(state(l, a), l.vconst(0))));
}
pub fn aes64ds(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, low(l, l.aesdeclast(state(l, a), l.vconst(0))));
}
pub fn aes64dsm(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, low(l, l.aesdec(state(l, a), l.vconst(0))));
}
pub fn aes64im(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, low(l, l.aesimc(vector(l, l.x(a.rs1)))));
}
/// AES SubBytes of a word: rows of a state of equal columns do not shift.
fn sub_word(l: &Lift<'_>, w: Val) -> Val {
    let s = l.aesenclast(l.vdup(w, Lane::S), l.vconst(0));
    l.vextract(s, l.c32(0), Type::I32, Lane::S)
}
pub fn aes64ks1i(l: &Lift<'_>, a: args::Rnum) {
    let top = l.trunc(l.shr_imm(l.x(a.rs1), 32));
    // The last number neither rotates nor adds.
    let w = if a.rnum == 10 { top } else { l.rotr(top, l.c32(8)) };
    let constant = if a.rnum == 10 { 0 } else { round_constant(u32::from(a.rnum) + 1) };
    let w = l.xor(sub_word(l, w), l.c32(constant));
    let w = l.zext(w);
    l.set_x(a.rd, l.or(w, l.shl_imm(w, 32)));
}
pub fn aes64ks2(l: &Lift<'_>, a: args::R) {
    let (x, y) = (l.x(a.rs1), l.x(a.rs2));
    let low = l.xor(l.shr_imm(x, 32), l.extract(y, (0, 32)));
    let high = l.xor(low, l.shr_imm(y, 32));
    l.set_x(a.rd, l.or(low, l.shl_imm(high, 32)));
}

// ---- Zknh, Zksh: rotations (or shifts) of a value, added without carries

#[derive(Clone, Copy)]
enum Turn {
    Right(u32),
    Shift(u32),
    Left(u32),
}
use Turn::{Left, Right, Shift};

fn mix(l: &Lift<'_>, x: Val, turns: &[Turn]) -> Val {
    let count = |n: u32| l.iconst(n.into(), x.ty);
    let turned = turns.iter().map(|t| match *t {
        Right(n) => l.rotr(x, count(n)),
        Left(n) => l.rotl(x, count(n)),
        Shift(n) => l.shr_imm(x, n),
    });
    turned.reduce(|a, b| l.xor(a, b)).unwrap_or(x)
}
macro_rules! mixes {
    ($($name:ident $width:ident $($own:ident)?: $($turn:expr),*;)*) => {
        $(pub fn $name(l: &Lift<'_>, a: args::Rr) {
            let x = l.$width(a.rs1);
            let r = mix(l, x, &[$($turn),*]);
            $(let $own = x; let r = l.xor(r, $own);)?
            if r.ty == Type::I32 { l.set_w(a.rd, r) } else { l.set_x(a.rd, r) }
        })*
    };
}
mixes! {
    sha256sum0 w: Right(2), Right(13), Right(22);
    sha256sum1 w: Right(6), Right(11), Right(25);
    sha256sig0 w: Right(7), Right(18), Shift(3);
    sha256sig1 w: Right(17), Right(19), Shift(10);
    sha512sum0 x: Right(28), Right(34), Right(39);
    sha512sum1 x: Right(14), Right(18), Right(41);
    sha512sig0 x: Right(1), Right(8), Shift(7);
    sha512sig1 x: Right(19), Right(61), Shift(6);
    sm3p0 w own: Left(9), Left(17);
    sm3p1 w own: Left(15), Left(23);
}

// ---- Zksed

/// One byte of rs2 through the S-box, spread by shifts of some of its bits,
/// into rs1.
fn sm4(l: &Lift<'_>, a: args::Rbs, spread: &[(u32, u32)]) {
    let byte = l.extract(l.x(a.rs2), (8 * a.bs, 8));
    let s = l.trunc(l.helper(crate::helpers::SM4_SUB, &[byte]));
    let parts = spread.iter().map(|&(mask, n)| l.shl_imm(l.and(s, l.c32(mask)), n));
    let y = parts.fold(s, |y, part| l.xor(y, part));
    let turned = l.rotl(y, l.c32(8 * u32::from(a.bs)));
    l.set_w(a.rd, l.xor(turned, l.w(a.rs1)));
}
pub fn sm4ed(l: &Lift<'_>, a: args::Rbs) {
    sm4(l, a, &[(0xff, 8), (0xff, 2), (0xff, 18), (0x3f, 26), (0xc0, 10)]);
}
pub fn sm4ks(l: &Lift<'_>, a: args::Rbs) {
    sm4(l, a, &[(0x07, 29), (0xfe, 7), (0x01, 23), (0xf8, 13)]);
}
