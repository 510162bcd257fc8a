//! Data processing, register. One function per row of `dp_reg.decode`.

use remu_isa::ir::{Cond, CrcAttr, DivZero, FlagCond, Type, Val};

use super::{Lift, Regs, int};
use crate::decode::args;
use crate::state::slots;

/// `ShiftReg`.
fn shifted(l: &Lift, a: args::Shifted) -> Val {
    let x = l.r(a.rm, a.sf);
    let n = u32::from(a.amount);
    match a.shift {
        0 => l.shl_imm(x, n),
        1 => l.shr_imm(x, n),
        2 => l.sar_imm(x, n),
        _ if n == 0 => x,
        _ => l.rotr(x, l.imm(n.into(), a.sf)),
    }
}

/// AND (shifted register).
pub fn and_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.and(l.r(a.rn, a.sf), shifted(l, a)));
}
/// BIC (shifted register).
pub fn bic_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.andc(l.r(a.rn, a.sf), shifted(l, a)));
}
/// ORR (shifted register).
pub fn orr_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.or(l.r(a.rn, a.sf), shifted(l, a)));
}
/// ORN (shifted register).
pub fn orn_reg(l: &Lift, a: args::Shifted) {
    let y = shifted(l, a);
    l.set_r(a.rd, if a.rn == 31 { l.not(y) } else { l.orc(l.r(a.rn, a.sf), y) });
}
/// EOR (shifted register).
pub fn eor_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.xor(l.r(a.rn, a.sf), shifted(l, a)));
}
/// EON (shifted register).
pub fn eon_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.eqv(l.r(a.rn, a.sf), shifted(l, a)));
}
/// ANDS (shifted register).
pub fn ands_reg(l: &Lift, a: args::Shifted) {
    let v = l.and(l.r(a.rn, a.sf), shifted(l, a));
    l.set_flags(l.fl_logic(v));
    l.set_r(a.rd, v);
}
/// BICS (shifted register).
pub fn bics_reg(l: &Lift, a: args::Shifted) {
    let v = l.andc(l.r(a.rn, a.sf), shifted(l, a));
    l.set_flags(l.fl_logic(v));
    l.set_r(a.rd, v);
}

/// ADDS of values.
pub(super) fn adds(l: &Lift, rd: u8, x: Val, y: Val) {
    // The value first: its operation leaves the flags on the host.
    let v = (rd != 31).then(|| l.add(x, y));
    l.set_flags(l.fl_add(x, y));
    if let Some(v) = v {
        l.set_r(rd, v);
    }
}
/// SUBS of values.
pub(super) fn subs(l: &Lift, rd: u8, x: Val, y: Val) {
    // The value first: its operation leaves the flags on the host.
    let v = (rd != 31).then(|| l.sub(x, y));
    l.set_flags(l.fl_sub(x, y));
    if let Some(v) = v {
        l.set_r(rd, v);
    }
}
/// ADD (shifted register).
pub fn add_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.add(l.r(a.rn, a.sf), shifted(l, a)));
}
/// ADDS (shifted register).
pub fn adds_reg(l: &Lift, a: args::Shifted) {
    adds(l, a.rd, l.r(a.rn, a.sf), shifted(l, a));
}
/// SUB (shifted register).
pub fn sub_reg(l: &Lift, a: args::Shifted) {
    l.set_r(a.rd, l.sub(l.r(a.rn, a.sf), shifted(l, a)));
}
/// SUBS (shifted register).
pub fn subs_reg(l: &Lift, a: args::Shifted) {
    subs(l, a.rd, l.r(a.rn, a.sf), shifted(l, a));
}

/// `ExtendReg`: an option and a left shift.
pub(crate) fn extend_reg(l: &Lift, rm: u8, option: u8, shift: u8, sf: u8) -> Val {
    let x = l.r(rm, sf);
    let bits = (8u8 << (option & 3)).min(32 << sf);
    let v = if option & 4 == 0 { l.extract(x, (0, bits)) } else { l.sextract(x, (0, bits)) };
    l.shl_imm(v, shift.into())
}
fn extended(l: &Lift, a: args::Extend) -> Val {
    extend_reg(l, a.rm, a.option, a.amount, a.sf)
}
/// ADD (extended register).
pub fn add_ext(l: &Lift, a: args::Extend) {
    l.set_rsp(a.rd, l.add(l.rsp(a.rn, a.sf), extended(l, a)));
}
/// ADDS (extended register).
pub fn adds_ext(l: &Lift, a: args::Extend) {
    adds(l, a.rd, l.rsp(a.rn, a.sf), extended(l, a));
}
/// SUB (extended register).
pub fn sub_ext(l: &Lift, a: args::Extend) {
    l.set_rsp(a.rd, l.sub(l.rsp(a.rn, a.sf), extended(l, a)));
}
/// SUBS (extended register).
pub fn subs_ext(l: &Lift, a: args::Extend) {
    subs(l, a.rd, l.rsp(a.rn, a.sf), extended(l, a));
}

fn carry(l: &Lift) -> Val {
    l.fl_cond(l.get(slots::nzcv(0)), FlagCond::Cs)
}
/// ADC.
pub fn adc(l: &Lift, a: args::Rrr) {
    if a.rn == 31 && a.rm == 31 {
        return l.set_r(a.rd, l.boolint(carry(l), int(a.sf)));
    }
    l.set_r(a.rd, l.adc(l.r(a.rn, a.sf), l.r(a.rm, a.sf), carry(l)));
}
/// ADCS.
pub fn adcs(l: &Lift, a: args::Rrr) {
    let (x, y, c) = (l.r(a.rn, a.sf), l.r(a.rm, a.sf), carry(l));
    let v = l.adc(x, y, c);
    l.set_flags(l.fl_adc(x, y, c));
    l.set_r(a.rd, v);
}
/// SBC.
pub fn sbc(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.sbc(l.r(a.rn, a.sf), l.r(a.rm, a.sf), carry(l)));
}
/// SBCS.
pub fn sbcs(l: &Lift, a: args::Rrr) {
    let (x, y, c) = (l.r(a.rn, a.sf), l.r(a.rm, a.sf), carry(l));
    let v = l.sbc(x, y, c);
    l.set_flags(l.fl_sbc(x, y, c));
    l.set_r(a.rd, v);
}

/// The flags as a number, N in bit 31.
pub(crate) fn flags_word(l: &Lift) -> Val {
    l.fl_unpack(l.get(slots::nzcv(0)))
}
/// RMIF.
pub fn rmif(l: &Lift, a: args::Rmif) {
    let x = l.rotr(l.x(a.rn), l.c64(a.imm.into()));
    let new = l.shl_imm(l.trunc(x), 28);
    let mask = l.c32(u32::from(a.mask) << 28);
    let kept = l.andc(flags_word(l), mask);
    l.set_flags(l.fl_pack(l.or(kept, l.and(new, mask))));
}
/// N, Z and V of a value of `bits` bits; C stays.
fn setf(l: &Lift, rn: u8, bits: u8) {
    let x = l.w(rn);
    let n = l.shl_imm(l.extract(x, (bits - 1, 1)), 31);
    let zero = l.icmp(l.extract(x, (0, bits)), l.c32(0), Cond::Eq);
    let z = l.shl_imm(l.boolint(zero, Type::I32), 30);
    let v = l.xor(l.extract(x, (bits, 1)), l.extract(x, (bits - 1, 1)));
    let c = l.and(flags_word(l), l.c32(1 << 29));
    l.set_flags(l.fl_pack(l.or(l.or(n, z), l.or(c, l.shl_imm(v, 28)))));
}
/// SETF8.
pub fn setf8(l: &Lift, a: args::Setf) {
    setf(l, a.rn, 8);
}
/// SETF16.
pub fn setf16(l: &Lift, a: args::Setf) {
    setf(l, a.rn, 16);
}

/// Flags of a conditional comparison.
fn select(l: &Lift, a: args::Ccmp, flags: Val) {
    if a.cond >= 14 {
        return l.set_flags(flags);
    }
    let holds = l.holds(a.cond);
    let other = l.fl_pack(l.c32(u32::from(a.nzcv) << 28));
    l.set_flags(l.fl_select(holds, flags, other));
}
/// CCMN (register).
pub fn ccmn_reg(l: &Lift, a: args::Ccmp) {
    select(l, a, l.fl_add(l.r(a.rn, a.sf), l.r(a.y, a.sf)));
}
/// CCMP (register).
pub fn ccmp_reg(l: &Lift, a: args::Ccmp) {
    select(l, a, l.fl_sub(l.r(a.rn, a.sf), l.r(a.y, a.sf)));
}
/// CCMN (immediate).
pub fn ccmn_imm(l: &Lift, a: args::Ccmp) {
    select(l, a, l.fl_add(l.r(a.rn, a.sf), l.imm(a.y.into(), a.sf)));
}
/// CCMP (immediate).
pub fn ccmp_imm(l: &Lift, a: args::Ccmp) {
    select(l, a, l.fl_sub(l.r(a.rn, a.sf), l.imm(a.y.into(), a.sf)));
}

/// CSEL and its kin: `other` makes the second choice of Rm.
fn conditional(l: &Lift, a: args::Csel, other: impl Fn(Val) -> Val) {
    if a.cond >= 14 {
        return l.set_r(a.rd, l.r(a.rn, a.sf));
    }
    let (x, y) = (l.r(a.rn, a.sf), other(l.r(a.rm, a.sf)));
    l.set_r(a.rd, l.movcond(l.holds(a.cond), x, y));
}
/// CSEL.
pub fn csel(l: &Lift, a: args::Csel) {
    conditional(l, a, |y| y);
}
/// CSINC.
pub fn csinc(l: &Lift, a: args::Csel) {
    if a.rn == 31 && a.rm == 31 && a.cond < 14 {
        return l.set_r(a.rd, l.boolint(l.holds(a.cond ^ 1), int(a.sf)));
    }
    conditional(l, a, |y| l.add_imm(y, 1));
}
/// CSINV.
pub fn csinv(l: &Lift, a: args::Csel) {
    if a.rn == 31 && a.rm == 31 && a.cond < 14 {
        return l.set_r(a.rd, l.neg(l.boolint(l.holds(a.cond ^ 1), int(a.sf))));
    }
    conditional(l, a, |y| l.not(y));
}
/// CSNEG.
pub fn csneg(l: &Lift, a: args::Csel) {
    conditional(l, a, |y| l.neg(y));
}

/// UDIV.
pub fn udiv(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.divu(l.r(a.rn, a.sf), l.r(a.rm, a.sf), DivZero::Zero));
}
/// SDIV.
pub fn sdiv(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.divs(l.r(a.rn, a.sf), l.r(a.rm, a.sf), DivZero::Zero));
}
/// LSLV.
pub fn lslv(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.shl(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// LSRV.
pub fn lsrv(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.shr(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// ASRV.
pub fn asrv(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.sar(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// RORV.
pub fn rorv(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.rotr(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// SMAX (register).
pub fn smax_reg(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.smax(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// UMAX (register).
pub fn umax_reg(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.umax(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// SMIN (register).
pub fn smin_reg(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.smin(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
/// UMIN (register).
pub fn umin_reg(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.umin(l.r(a.rn, a.sf), l.r(a.rm, a.sf)));
}
fn checksum(l: &Lift, a: args::Crc, castagnoli: bool) {
    let attr = CrcAttr { castagnoli, size: a.sz };
    l.set_r(a.rd, l.crc32(l.w(a.rn), l.x(a.rm), attr));
}
/// CRC32.
pub fn crc32(l: &Lift, a: args::Crc) {
    checksum(l, a, false);
}
/// CRC32C.
pub fn crc32c(l: &Lift, a: args::Crc) {
    checksum(l, a, true);
}

/// RBIT.
pub fn rbit(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.bitrev(l.r(a.rn, a.sf)));
}
/// REV16.
pub fn rev16(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.bswap16(l.r(a.rn, a.sf)));
}
/// REV32.
pub fn rev32(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.rotr(l.bswap(l.x(a.rn)), l.c64(32)));
}
/// REV.
pub fn rev(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.bswap(l.r(a.rn, a.sf)));
}
/// CLZ.
pub fn clz(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.clz(l.r(a.rn, a.sf)));
}
/// CLS.
pub fn cls(l: &Lift, a: args::Rr) {
    let x = l.r(a.rn, a.sf);
    l.set_r(a.rd, l.add_imm(l.clz(l.xor(x, l.sar_imm(x, 1))), -1));
}
/// CTZ.
pub fn ctz(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.ctz(l.r(a.rn, a.sf)));
}
/// CNT.
pub fn cnt(l: &Lift, a: args::Rr) {
    l.set_r(a.rd, l.ctpop(l.r(a.rn, a.sf)));
}
/// ABS.
pub fn abs(l: &Lift, a: args::Rr) {
    let x = l.r(a.rn, a.sf);
    l.set_r(a.rd, l.smax(x, l.neg(x)));
}

/// MADD.
pub fn madd(l: &Lift, a: args::Rrrr) {
    let p = l.mul(l.r(a.rn, a.sf), l.r(a.rm, a.sf));
    l.set_r(a.rd, if a.ra == 31 { p } else { l.add(l.r(a.ra, a.sf), p) });
}
/// MSUB.
pub fn msub(l: &Lift, a: args::Rrrr) {
    l.set_r(a.rd, l.sub(l.r(a.ra, a.sf), l.mul(l.r(a.rn, a.sf), l.r(a.rm, a.sf))));
}
fn signed_product(l: &Lift, a: args::Widemul) -> Val {
    l.mul(l.sext(l.w(a.rn)), l.sext(l.w(a.rm)))
}
fn unsigned_product(l: &Lift, a: args::Widemul) -> Val {
    l.mul(l.zext(l.w(a.rn)), l.zext(l.w(a.rm)))
}
/// SMADDL.
pub fn smaddl(l: &Lift, a: args::Widemul) {
    let p = signed_product(l, a);
    l.set_r(a.rd, if a.ra == 31 { p } else { l.add(l.x(a.ra), p) });
}
/// SMSUBL.
pub fn smsubl(l: &Lift, a: args::Widemul) {
    l.set_r(a.rd, l.sub(l.x(a.ra), signed_product(l, a)));
}
/// UMADDL.
pub fn umaddl(l: &Lift, a: args::Widemul) {
    let p = unsigned_product(l, a);
    l.set_r(a.rd, if a.ra == 31 { p } else { l.add(l.x(a.ra), p) });
}
/// UMSUBL.
pub fn umsubl(l: &Lift, a: args::Widemul) {
    l.set_r(a.rd, l.sub(l.x(a.ra), unsigned_product(l, a)));
}
/// SMULH.
pub fn smulh(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.mulhs(l.x(a.rn), l.x(a.rm)));
}
/// UMULH.
pub fn umulh(l: &Lift, a: args::Rrr) {
    l.set_r(a.rd, l.mulhu(l.x(a.rn), l.x(a.rm)));
}

pub use super::pac::{
    autda, autdb, autdza, autdzb, autia, autib, autiza, autizb, pacda, pacdb, pacdza, pacdzb,
    pacga, pacia, pacib, paciza, pacizb, xpacd, xpaci,
};
