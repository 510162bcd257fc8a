//! Data processing, immediate. One function per row of `dp_imm.decode`.

use super::{Lift, Regs};
use crate::bits;
use crate::decode::args;

/// ADR.
pub fn adr(l: &Lift, a: args::Addr) {
    l.set_r(a.rd, l.pcconst(l.pc().wrapping_add_signed(a.imm)));
}
/// ADRP.
pub fn adrp(l: &Lift, a: args::Addr) {
    l.set_r(a.rd, l.pcconst((l.pc() & !0xfff).wrapping_add_signed(a.imm)));
}

fn immediate(a: args::Ai) -> u64 {
    u64::from(a.imm) << (12 * a.sh)
}
/// ADD (immediate).
pub fn add_imm(l: &Lift, a: args::Ai) {
    l.set_rsp(a.rd, l.add_imm(l.rsp(a.rn, a.sf), immediate(a) as i64));
}
/// SUB (immediate).
pub fn sub_imm(l: &Lift, a: args::Ai) {
    l.set_rsp(a.rd, l.add_imm(l.rsp(a.rn, a.sf), -(immediate(a) as i64)));
}
/// ADDS (immediate).
pub fn adds_imm(l: &Lift, a: args::Ai) {
    super::dp_reg::adds(l, a.rd, l.rsp(a.rn, a.sf), l.imm(immediate(a), a.sf));
}
/// SUBS (immediate).
pub fn subs_imm(l: &Lift, a: args::Ai) {
    super::dp_reg::subs(l, a.rd, l.rsp(a.rn, a.sf), l.imm(immediate(a), a.sf));
}

/// SMAX (immediate).
pub fn smax_imm(l: &Lift, a: args::Minmax) {
    l.set_r(a.rd, l.smax(l.r(a.rn, a.sf), l.imm(a.imm as i64 as u64, a.sf)));
}
/// UMAX (immediate).
pub fn umax_imm(l: &Lift, a: args::Minmax) {
    l.set_r(a.rd, l.umax(l.r(a.rn, a.sf), l.imm(a.imm as u64, a.sf)));
}
/// SMIN (immediate).
pub fn smin_imm(l: &Lift, a: args::Minmax) {
    l.set_r(a.rd, l.smin(l.r(a.rn, a.sf), l.imm(a.imm as i64 as u64, a.sf)));
}
/// UMIN (immediate).
pub fn umin_imm(l: &Lift, a: args::Minmax) {
    l.set_r(a.rd, l.umin(l.r(a.rn, a.sf), l.imm(a.imm as u64, a.sf)));
}

fn mask(l: &Lift, a: args::Logimm) -> remu_isa::ir::Val {
    // The row's guard has refused reserved masks.
    l.imm(bits::bitmask(a.sf, a.n, a.imms, a.immr).unwrap_or(0), a.sf)
}
/// AND (immediate).
pub fn and_imm(l: &Lift, a: args::Logimm) {
    l.set_rsp(a.rd, l.and(l.r(a.rn, a.sf), mask(l, a)));
}
/// ORR (immediate).
pub fn orr_imm(l: &Lift, a: args::Logimm) {
    l.set_rsp(a.rd, l.or(l.r(a.rn, a.sf), mask(l, a)));
}
/// EOR (immediate).
pub fn eor_imm(l: &Lift, a: args::Logimm) {
    l.set_rsp(a.rd, l.xor(l.r(a.rn, a.sf), mask(l, a)));
}
/// ANDS (immediate).
pub fn ands_imm(l: &Lift, a: args::Logimm) {
    let v = l.and(l.r(a.rn, a.sf), mask(l, a));
    l.set_flags(l.fl_logic(v));
    l.set_r(a.rd, v);
}

/// MOVN.
pub fn movn(l: &Lift, a: args::Movw) {
    l.set_r(a.rd, l.imm(!(u64::from(a.imm) << (a.hw * 16)), a.sf));
}
/// MOVZ.
pub fn movz(l: &Lift, a: args::Movw) {
    l.set_r(a.rd, l.imm(u64::from(a.imm) << (a.hw * 16), a.sf));
}
/// MOVK.
pub fn movk(l: &Lift, a: args::Movw) {
    let pos = a.hw * 16;
    let x = l.r(a.rd, a.sf);
    let v = match l.as_const(x) {
        Some(c) => l.imm(c & !(0xffff << pos) | u64::from(a.imm) << pos, a.sf),
        None => l.deposit(x, l.imm(a.imm.into(), a.sf), (pos, 16)),
    };
    l.set_r(a.rd, v);
}

/// SBFM.
pub fn sbfm(l: &Lift, a: args::Bitf) {
    let x = l.r(a.rn, a.sf);
    l.set_r(
        a.rd,
        if a.imms >= a.immr {
            l.sextract(x, (a.immr, a.imms - a.immr + 1))
        } else {
            l.shl_imm(l.sextract(x, (0, a.imms + 1)), u32::from((32 << a.sf) - a.immr))
        },
    );
}
/// UBFM.
pub fn ubfm(l: &Lift, a: args::Bitf) {
    let (x, width) = (l.r(a.rn, a.sf), 32 << a.sf);
    l.set_r(
        a.rd,
        if a.imms >= a.immr {
            l.extract(x, (a.immr, a.imms - a.immr + 1))
        } else if a.imms + 1 == a.immr {
            l.shl_imm(x, u32::from(width - a.immr))
        } else {
            l.shl_imm(l.extract(x, (0, a.imms + 1)), u32::from(width - a.immr))
        },
    );
}
/// BFM.
pub fn bfm(l: &Lift, a: args::Bitf) {
    let (x, old) = (l.r(a.rn, a.sf), l.r(a.rd, a.sf));
    l.set_r(
        a.rd,
        if a.imms >= a.immr {
            let len = a.imms - a.immr + 1;
            let x = l.shr_imm(x, a.immr.into());
            if len == 32 << a.sf { x } else { l.deposit(old, x, (0, len)) }
        } else {
            l.deposit(old, x, ((32 << a.sf) - a.immr, a.imms + 1))
        },
    );
}
/// EXTR.
pub fn extr(l: &Lift, a: args::Extr) {
    let (lo, hi) = (l.r(a.rm, a.sf), l.r(a.rn, a.sf));
    l.set_r(
        a.rd,
        match a.imms {
            0 => lo,
            n if a.rn == a.rm => l.rotr(lo, l.imm(n.into(), a.sf)),
            n => l.extract2(lo, hi, n.into()),
        },
    );
}
