//! Memory copy and set (FEAT_MOPS). One function per row of `mops.decode`.
//!
//! Option B of the manual: registers hold what is left to do, and the flags
//! (C set, N for a copy from the end) say so. The prologue chooses the
//! direction, the main part moves 16 bytes and branches to itself, and the
//! epilogue does so with single bytes. Faults and signals between steps need
//! nothing special.

use remu_isa::ir::{Addr, Cond, FlagCond, Lane, MemOp, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::state::slots;

/// Flags of option B: forwards, backwards.
const FORWARD: u32 = 1 << 29;
const BACKWARD: u32 = 1 << 29 | 1 << 31;

fn limit(l: &Lift, n: Val, most: u64) -> Val {
    l.movcond(l.icmp(n, l.c64(most), Cond::Gtu), l.c64(most), n)
}

/// CPYFP.
pub fn cpyfp(l: &Lift, a: args::Cpy) {
    l.set_r(a.rn, limit(l, l.x(a.rn), i64::MAX as u64));
    l.set_flags(l.fl_pack(l.c32(FORWARD)));
}
/// CPYP: from the end where the destination overlaps the source's tail.
pub fn cpyp(l: &Lift, a: args::Cpy) {
    let (d, s) = (l.x(a.rd), l.x(a.rs));
    let n = limit(l, l.x(a.rn), (1 << 55) - 1);
    let address = |x| l.extract(x, (0, 56));
    let below = l.icmp(address(s), address(d), Cond::Ltu);
    let reaches = l.icmp(address(l.add(s, n)), address(d), Cond::Gtu);
    let back = l.band(below, reaches);
    let skip = l.movcond(back, n, l.c64(0));
    l.set_r(a.rd, l.add(d, skip));
    l.set_r(a.rs, l.add(s, skip));
    l.set_r(a.rn, n);
    l.set_flags(l.fl_pack(l.movcond(back, l.c32(BACKWARD), l.c32(FORWARD))));
}

/// One step of `2^sz` bytes, then the same instruction again; the next one
/// when fewer are left.
fn copy(l: &Lift, a: args::Cpy, sz: u8, both_ways: bool) {
    let (step, t) = (1i64 << sz, if sz == 4 { Type::V128 } else { Type::I32 });
    let (d, s, n) = (l.x(a.rd), l.x(a.rs), l.x(a.rn));
    l.brcond(l.icmp(n, l.c64(step as u64), Cond::Ltu), l.next_pc());
    let (mut d0, mut s0) = (d, s);
    let (mut d1, mut s1) = (l.add_imm(d, step), l.add_imm(s, step));
    if both_ways {
        let back = l.fl_cond(l.get(slots::nzcv(0)), FlagCond::Mi);
        let (dm, sm) = (l.add_imm(d, -step), l.add_imm(s, -step));
        (d0, s0) = (l.movcond(back, dm, d0), l.movcond(back, sm, s0));
        (d1, s1) = (l.movcond(back, dm, d1), l.movcond(back, sm, s1));
    }
    let at = Addr::at(MemOp::unsigned(sz));
    l.store(d0, l.load(s0, t, at), at);
    l.set_r(a.rd, d1);
    l.set_r(a.rs, s1);
    l.set_r(a.rn, l.add_imm(n, -step));
    l.goto(l.pc());
}
/// CPYFM.
pub fn cpyfm(l: &Lift, a: args::Cpy) {
    copy(l, a, 4, false);
}
/// CPYFE.
pub fn cpyfe(l: &Lift, a: args::Cpy) {
    copy(l, a, 0, false);
}
/// CPYM.
pub fn cpym(l: &Lift, a: args::Cpy) {
    copy(l, a, 4, true);
}
/// CPYE.
pub fn cpye(l: &Lift, a: args::Cpy) {
    copy(l, a, 0, true);
}

/// SETP.
pub fn setp(l: &Lift, a: args::Cpy) {
    l.set_r(a.rn, limit(l, l.x(a.rn), i64::MAX as u64));
    l.set_flags(l.fl_pack(l.c32(FORWARD)));
}
fn fill(l: &Lift, a: args::Cpy, sz: u8) {
    let step = 1i64 << sz;
    let (d, n) = (l.x(a.rd), l.x(a.rn));
    l.brcond(l.icmp(n, l.c64(step as u64), Cond::Ltu), l.next_pc());
    let v = if sz == 4 { l.vdup(l.w(a.rs), Lane::B) } else { l.w(a.rs) };
    l.store(d, v, Addr::at(MemOp::unsigned(sz)));
    l.set_r(a.rd, l.add_imm(d, step));
    l.set_r(a.rn, l.add_imm(n, -step));
    l.goto(l.pc());
}
/// SETM.
pub fn setm(l: &Lift, a: args::Cpy) {
    fill(l, a, 4);
}
/// SETE.
pub fn sete(l: &Lift, a: args::Cpy) {
    fill(l, a, 0);
}
