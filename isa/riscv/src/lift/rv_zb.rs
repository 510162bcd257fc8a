//! "Zba", "Zbb", "Zbc", "Zbs", and "Zicond".

use remu_ir::{Cond, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;

// ---- Zba

/// Low 32 bits of `x[n]`, zero-extended.
fn uw(l: &Lift<'_>, n: u8) -> Val {
    l.zext(l.w(n))
}
fn shadd(l: &Lift<'_>, a: args::R, x: Val, n: u32) {
    l.set_x(a.rd, l.add(l.shl_imm(x, n), l.x(a.rs2)));
}
pub fn add_uw(l: &Lift<'_>, a: args::R) {
    shadd(l, a, uw(l, a.rs1), 0);
}
pub fn sh1add(l: &Lift<'_>, a: args::R) {
    shadd(l, a, l.x(a.rs1), 1);
}
pub fn sh2add(l: &Lift<'_>, a: args::R) {
    shadd(l, a, l.x(a.rs1), 2);
}
pub fn sh3add(l: &Lift<'_>, a: args::R) {
    shadd(l, a, l.x(a.rs1), 3);
}
pub fn sh1add_uw(l: &Lift<'_>, a: args::R) {
    shadd(l, a, uw(l, a.rs1), 1);
}
pub fn sh2add_uw(l: &Lift<'_>, a: args::R) {
    shadd(l, a, uw(l, a.rs1), 2);
}
pub fn sh3add_uw(l: &Lift<'_>, a: args::R) {
    shadd(l, a, uw(l, a.rs1), 3);
}
pub fn slli_uw(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.shl_imm(uw(l, a.rs1), a.shamt.into()));
}

// ---- Zbb

pub fn andn(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.andc(l.x(a.rs1), l.x(a.rs2)));
}
pub fn orn(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.orc(l.x(a.rs1), l.x(a.rs2)));
}
pub fn xnor(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.eqv(l.x(a.rs1), l.x(a.rs2)));
}
pub fn clz(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.clz(l.x(a.rs1)));
}
pub fn ctz(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.ctz(l.x(a.rs1)));
}
pub fn cpop(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.ctpop(l.x(a.rs1)));
}
pub fn clzw(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.zext(l.clz(l.w(a.rs1))));
}
pub fn ctzw(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.zext(l.ctz(l.w(a.rs1))));
}
pub fn cpopw(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.zext(l.ctpop(l.w(a.rs1))));
}
pub fn sext_b(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.sextract(l.x(a.rs1), (0, 8)));
}
pub fn sext_h(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.sextract(l.x(a.rs1), (0, 16)));
}
pub fn zext_h(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.extract(l.x(a.rs1), (0, 16)));
}
pub fn min(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.smin(l.x(a.rs1), l.x(a.rs2)));
}
pub fn minu(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.umin(l.x(a.rs1), l.x(a.rs2)));
}
pub fn max(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.smax(l.x(a.rs1), l.x(a.rs2)));
}
pub fn maxu(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.umax(l.x(a.rs1), l.x(a.rs2)));
}
pub fn rol(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.rotl(l.x(a.rs1), l.x(a.rs2)));
}
pub fn ror(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.rotr(l.x(a.rs1), l.x(a.rs2)));
}
pub fn rolw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.rotl(l.w(a.rs1), l.w(a.rs2)));
}
pub fn rorw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.rotr(l.w(a.rs1), l.w(a.rs2)));
}
pub fn rori(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.rotr(l.x(a.rs1), l.c64(a.shamt.into())));
}
pub fn roriw(l: &Lift<'_>, a: args::Sh) {
    l.set_w(a.rd, l.rotr(l.w(a.rs1), l.c32(a.shamt.into())));
}
pub fn packw(l: &Lift<'_>, a: args::R) {
    l.set_w(a.rd, l.deposit(l.extract(l.w(a.rs1), (0, 16)), l.w(a.rs2), (16, 16)));
}
pub fn orc_b(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.orcb(l.x(a.rs1)));
}
pub fn rev8(l: &Lift<'_>, a: args::Rr) {
    l.set_x(a.rd, l.bswap(l.x(a.rs1)));
}

// ---- Zbc

pub fn clmul(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.clmul(l.x(a.rs1), l.x(a.rs2)));
}
/// Bits 126 to 63 of the product.
pub fn clmulr(l: &Lift<'_>, a: args::R) {
    let (x, y) = (l.x(a.rs1), l.x(a.rs2));
    l.set_x(a.rd, l.extract2(l.clmul(x, y), l.clmulh(x, y), 63));
}
pub fn clmulh(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.clmulh(l.x(a.rs1), l.x(a.rs2)));
}

// ---- Zbs

fn bit(l: &Lift<'_>, n: Val) -> Val {
    l.shl(l.c64(1), n)
}
fn index(l: &Lift<'_>, a: args::Sh) -> Val {
    l.c64(a.shamt.into())
}
pub fn bclr(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.andc(l.x(a.rs1), bit(l, l.x(a.rs2))));
}
pub fn bext(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.and(l.shr(l.x(a.rs1), l.x(a.rs2)), l.c64(1)));
}
pub fn binv(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.xor(l.x(a.rs1), bit(l, l.x(a.rs2))));
}
pub fn bset(l: &Lift<'_>, a: args::R) {
    l.set_x(a.rd, l.or(l.x(a.rs1), bit(l, l.x(a.rs2))));
}
pub fn bclri(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.and(l.x(a.rs1), l.not(bit(l, index(l, a)))));
}
pub fn bexti(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.extract(l.x(a.rs1), (a.shamt, 1)));
}
pub fn binvi(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.xor(l.x(a.rs1), bit(l, index(l, a))));
}
pub fn bseti(l: &Lift<'_>, a: args::Sh) {
    l.set_x(a.rd, l.or(l.x(a.rs1), bit(l, index(l, a))));
}

// ---- Zicond

fn zero_if(l: &Lift<'_>, a: args::R, c: Cond) {
    let zero = l.iconst(0, Type::I64);
    l.set_x(a.rd, l.movcond(l.icmp(l.x(a.rs2), zero, c), zero, l.x(a.rs1)));
}
pub fn czero_eqz(l: &Lift<'_>, a: args::R) {
    zero_if(l, a, Cond::Eq);
}
pub fn czero_nez(l: &Lift<'_>, a: args::R) {
    zero_if(l, a, Cond::Ne);
}
