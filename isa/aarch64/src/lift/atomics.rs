//! Exclusives, ordered accesses, atomics. One function per row of
//! `atomics.decode`.
//!
//! An exclusive load notes address and value; the exclusive store succeeds by
//! comparing memory with that value and exchanging it, so that it needs no
//! monitor. A value that changed and changed back goes unseen, which the
//! architecture's users cannot rely on either way.

use remu_isa::ir::{Addr, Cond, ExitKind, Lane, MemOp, Order, RmwOp, Type, Val};

use super::{Lift, Regs, access, int, ordered};
use crate::decode::args;
use crate::state::{EXIT_INFO, slots};

fn exclusive(sz: u8, a: args::Ex) -> Addr {
    ordered(sz, if a.rel == 1 { Order::SeqCst } else { Order::Relaxed })
}
fn monitor(l: &Lift, addr: Val, lo: Val, hi: Option<Val>) {
    l.set(slots::excl_addr(0), addr);
    l.set(slots::excl_val(0), lo);
    if let Some(hi) = hi {
        l.set(slots::excl_val(1), hi);
    }
}
/// LDXR, LDAXR and their narrow forms.
pub fn ldxr(l: &Lift, a: args::Ex) {
    let addr = l.xsp(a.rn);
    let v = l.load(addr, Type::I64, exclusive(a.sz, a));
    monitor(l, addr, v, None);
    l.set_r(a.rt, v);
}
/// LDXP, LDAXP.
pub fn ldxp(l: &Lift, a: args::Ex) {
    let addr = l.xsp(a.rn);
    if a.sz == 2 {
        let v = l.load(addr, Type::I64, exclusive(3, a));
        monitor(l, addr, v, None);
        l.set_r(a.rt, l.trunc(v));
        l.set_r(a.rt2, l.shr_imm(v, 32));
        return;
    }
    let v = l.load(addr, Type::V128, exclusive(4, a));
    let (lo, hi) = (l.lane(v, Lane::D, 0), l.lane(v, Lane::D, 1));
    monitor(l, addr, lo, Some(hi));
    l.set_r(a.rt, lo);
    l.set_r(a.rt2, hi);
}

/// Stores `new` if the monitor holds `addr` and memory still has `seen`, by
/// an exchange that rewrites the same value where it must not change it.
fn store_exclusive(l: &Lift, a: args::Ex, seen: Val, new: Val, mem: MemOp) {
    let addr = l.xsp(a.rn);
    let held = l.icmp(addr, l.get(slots::excl_addr(0)), Cond::Eq);
    let old = l.cas(addr, seen, l.movcond(held, new, seen), mem);
    let same = if old.ty == Type::V128 {
        let d = l.vxor(old, seen);
        l.icmp(l.or(l.lane(d, Lane::D, 0), l.lane(d, Lane::D, 1)), l.c64(0), Cond::Eq)
    } else {
        l.icmp(old, seen, Cond::Eq)
    };
    let failed = l.boolint(l.bnot(l.band(held, same)), Type::I32);
    l.set(slots::excl_addr(0), l.c64(u64::MAX));
    l.set_r(a.rs, failed);
}
/// STXR, STLXR and their narrow forms.
pub fn stxr(l: &Lift, a: args::Ex) {
    let seen = l.get(slots::excl_val(0));
    store_exclusive(l, a, seen, l.x(a.rt), MemOp::unsigned(a.sz).align());
}
/// STXP, STLXP.
pub fn stxp(l: &Lift, a: args::Ex) {
    let seen = l.get(slots::excl_val(0));
    if a.sz == 2 {
        let new = l.deposit(l.x(a.rt), l.x(a.rt2), (32, 32));
        return store_exclusive(l, a, seen, new, MemOp::U64.align());
    }
    let seen = l.vmake(seen, l.get(slots::excl_val(1)));
    store_exclusive(l, a, seen, l.vmake(l.x(a.rt), l.x(a.rt2)), MemOp::U128.align());
}

fn load(l: &Lift, a: args::Ord, order: Order) {
    l.set_r(a.rt, l.load(l.xsp(a.rn), access(a.sz), ordered(a.sz, order)));
}
fn store(l: &Lift, a: args::Ord, order: Order) {
    l.store(l.xsp(a.rn), l.r(a.rt, u8::from(a.sz == 3)), ordered(a.sz, order));
}
/// LDAR.
pub fn ldar(l: &Lift, a: args::Ord) {
    load(l, a, Order::SeqCst);
}
/// LDLAR.
pub fn ldlar(l: &Lift, a: args::Ord) {
    load(l, a, Order::Acquire);
}
/// LDAPR.
pub fn ldapr(l: &Lift, a: args::Ord) {
    load(l, a, Order::Acquire);
}
/// STLR.
pub fn stlr(l: &Lift, a: args::Ord) {
    store(l, a, Order::SeqCst);
}
/// STLLR.
pub fn stllr(l: &Lift, a: args::Ord) {
    store(l, a, Order::Release);
}

/// FEAT_LSE2 lets these be unaligned inside 16 bytes; SCTLR_EL1.nAA is 0 under
/// Linux, so that others fault (DDI 0487, B2.2, "Alignment of data accesses").
fn at(l: &Lift, a: args::Ordimm, order: Order) -> Addr {
    if a.sz > 0 {
        let addr = l.add_imm(l.xsp(a.rn), i64::from(a.imm));
        let last = l.c64(16 - (1 << a.sz));
        let crosses = l.icmp(l.and(addr, l.c64(15)), last, Cond::Gtu);
        l.set(EXIT_INFO[0], addr);
        l.exit_if(crosses, ExitKind::Misaligned, l.pc());
    }
    Addr { mem: MemOp::unsigned(a.sz), disp: a.imm, scale: 0, order }
}
/// STLUR.
pub fn stlur(l: &Lift, a: args::Ordimm) {
    l.store(l.xsp(a.rn), l.r(a.rt, u8::from(a.sz == 3)), at(l, a, Order::SeqCst));
}
/// LDAPUR.
pub fn ldapur(l: &Lift, a: args::Ordimm) {
    l.set_r(a.rt, l.load(l.xsp(a.rn), access(a.sz), at(l, a, Order::Acquire)));
}
fn ldapurs(l: &Lift, a: args::Ordimm, t: Type) {
    let p = at(l, a, Order::Acquire);
    l.set_r(a.rt, l.load(l.xsp(a.rn), t, Addr { mem: p.mem.sign(), ..p }));
}
/// LDAPURSB, LDAPURSH, LDAPURSW to 64 bits.
pub fn ldapursx(l: &Lift, a: args::Ordimm) {
    ldapurs(l, a, Type::I64);
}
/// LDAPURSB, LDAPURSH to 32 bits.
pub fn ldapursw(l: &Lift, a: args::Ordimm) {
    ldapurs(l, a, Type::I32);
}
/// STLUR (SIMD&FP).
pub fn stlurv(l: &Lift, a: args::Ordimm) {
    super::ldst::store_simd(l, l.xsp(a.rn), at(l, a, Order::SeqCst), a.rt);
}
/// LDAPUR (SIMD&FP).
pub fn ldapurv(l: &Lift, a: args::Ordimm) {
    l.set_v(a.rt, super::ldst::load_simd(l, l.xsp(a.rn), at(l, a, Order::Acquire)));
}
/// STILP.
pub fn stilp(l: &Lift, a: args::Opair) {
    let back = if a.wb == 0 { -(2 << a.sz) } else { 0 };
    let base = l.add_imm(l.xsp(a.rn), back);
    let sf = u8::from(a.sz == 3);
    let p = Addr { order: Order::SeqCst, ..Addr::at(MemOp::unsigned(a.sz)) };
    l.store(base, l.r(a.rt, sf), p);
    l.store(base, l.r(a.rt2, sf), Addr { disp: 1 << a.sz, ..p });
    l.set_rsp(a.rn, base);
}
/// LDIAPP.
pub fn ldiapp(l: &Lift, a: args::Opair) {
    let base = l.xsp(a.rn);
    let p = Addr { order: Order::Acquire, ..Addr::at(MemOp::unsigned(a.sz)) };
    let first = l.load(base, access(a.sz), p);
    let second = l.load(base, access(a.sz), Addr { disp: 1 << a.sz, ..p });
    if a.wb == 0 {
        l.set_rsp(a.rn, l.add_imm(base, 2 << a.sz));
    }
    l.set_r(a.rt, first);
    l.set_r(a.rt2, second);
}
/// STLR, pre-indexed.
pub fn stlr_pre(l: &Lift, a: args::Wb) {
    let base = l.add_imm(l.xsp(a.rn), -(1 << a.sz));
    l.store(base, l.r(a.rt, u8::from(a.sz == 3)), ordered(a.sz, Order::SeqCst));
    l.set_rsp(a.rn, base);
}
/// LDAPR, post-indexed.
pub fn ldapr_post(l: &Lift, a: args::Wb) {
    let base = l.xsp(a.rn);
    let v = l.load(base, access(a.sz), ordered(a.sz, Order::Acquire));
    l.set_rsp(a.rn, l.add_imm(base, 1 << a.sz));
    l.set_r(a.rt, v);
}
/// STL1 (SIMD&FP).
pub fn stl1(l: &Lift, a: args::Lane1) {
    let v = l.lane(l.v(a.rt), Lane::D, a.index.into());
    l.store(l.xsp(a.rn), v, Addr { order: Order::SeqCst, ..Addr::at(MemOp::U64) });
}
/// LDAP1 (SIMD&FP).
pub fn ldap1(l: &Lift, a: args::Lane1) {
    let p = Addr { order: Order::Acquire, ..Addr::at(MemOp::U64) };
    let v = l.load(l.xsp(a.rn), Type::I64, p);
    l.set_v(a.rt, l.vinsert(l.v(a.rt), v, Lane::D, a.index.into()));
}

/// CAS and its narrow forms.
pub fn cas(l: &Lift, a: args::Cas) {
    let sf = u8::from(a.sz == 3);
    let mem = MemOp::unsigned(a.sz).align();
    l.set_r(a.rs, l.cas(l.xsp(a.rn), l.r(a.rs, sf), l.r(a.rt, sf), mem));
}
/// CASP.
pub fn casp(l: &Lift, a: args::Cas) {
    let addr = l.xsp(a.rn);
    // Register 31 as the second of a pair is the zero register.
    let pair = |n: u8| (l.x(n), l.x(n + 1));
    let ((e0, e1), (n0, n1)) = (pair(a.rs), pair(a.rt));
    if a.sz == 2 {
        let expect = l.deposit(e0, e1, (32, 32));
        let old = l.cas(addr, expect, l.deposit(n0, n1, (32, 32)), MemOp::U64.align());
        l.set_r(a.rs, l.trunc(old));
        l.set_r(a.rs + 1, l.shr_imm(old, 32));
        return;
    }
    let old = l.cas(addr, l.vmake(e0, e1), l.vmake(n0, n1), MemOp::U128.align());
    l.set_r(a.rs, l.lane(old, Lane::D, 0));
    l.set_r(a.rs + 1, l.lane(old, Lane::D, 1));
}

fn rmw(l: &Lift, a: args::Rmw, op: RmwOp) {
    let v = l.r(a.rs, u8::from(a.sz == 3));
    debug_assert_eq!(v.ty, int(u8::from(a.sz == 3)));
    l.set_r(a.rt, l.rmw(op, l.xsp(a.rn), v, MemOp::unsigned(a.sz).align()));
}
macro_rules! rmws {
    ($($name:ident $op:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "` and its narrow forms.")]
        pub fn $name(l: &Lift, a: args::Rmw) { rmw(l, a, RmwOp::$op); })*
    };
}
rmws! {
    ldadd Add; ldclr Andc; ldeor Xor; ldset Or; ldsmax Smax; ldsmin Smin; ldumax Umax; ldumin Umin;
    swp Xchg;
}

/// 128-bit read-modify-write: one attempt, repeated by branching to itself.
fn rmw128(l: &Lift, a: args::Rmwp, new: impl Fn(Val, Val) -> Val) {
    let addr = l.xsp(a.rn);
    let old = l.load(addr, Type::V128, ordered(4, Order::SeqCst));
    let operand = l.vmake(l.x(a.rt), l.x(a.rt2));
    let seen = l.cas(addr, old, new(old, operand), MemOp::U128.align());
    let d = l.vxor(old, seen);
    let d = l.or(l.lane(d, Lane::D, 0), l.lane(d, Lane::D, 1));
    l.brcond(l.icmp(d, l.c64(0), Cond::Ne), l.pc());
    l.set_r(a.rt, l.lane(old, Lane::D, 0));
    l.set_r(a.rt2, l.lane(old, Lane::D, 1));
}
/// LDCLRP.
pub fn ldclrp(l: &Lift, a: args::Rmwp) {
    rmw128(l, a, |old, v| l.vandc(old, v));
}
/// LDSETP.
pub fn ldsetp(l: &Lift, a: args::Rmwp) {
    rmw128(l, a, |old, v| l.vor(old, v));
}
/// SWPP.
pub fn swpp(l: &Lift, a: args::Rmwp) {
    rmw128(l, a, |_, v| v);
}
