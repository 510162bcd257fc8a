//! "A", Atomic Instructions.

use remu_ir::{Addr, Cond, MemOp, Order, RmwOp, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::state::{NO_RESERVATION, slots};

/// Aligned accesses of 32 bits, sign-extended, and of 64 bits.
const W: MemOp = MemOp::S32.align();
const D: MemOp = MemOp::U64.align();

// A reservation is the address and the value that was read: the store succeeds
// if memory still holds the value, as one compare-and-swap. Whoever wrote the
// same value in between goes unnoticed, which no program can tell from the
// store having come first.

fn lr(l: &Lift<'_>, a: args::Lr, m: MemOp) {
    if a.rl != 0 {
        l.fence(Order::SeqCst);
    }
    let addr = l.x(a.rs1);
    let v = l.load(addr, Type::I64, Addr { order: Order::Acquire, ..Addr::at(m) });
    l.set(slots::reserved(0), addr);
    l.set(slots::reserved_value(0), v);
    l.set_x(a.rd, v);
}
fn sc(l: &Lift<'_>, a: args::Amo, m: MemOp) {
    let (addr, new) = (l.x(a.rs1), l.x(a.rs2));
    let (reserved, expect) = (l.get(slots::reserved(0)), l.get(slots::reserved_value(0)));
    // Whether memory no longer held `expect`, compared at the access's size.
    let lost = |expect: Val, new: Val| {
        let narrow = |v| if m.size == 2 { l.trunc(v) } else { v };
        let expect = narrow(expect);
        l.icmp(l.cas(addr, expect, narrow(new), m), expect, Cond::Ne)
    };
    let failed = if reserved == addr {
        // Paired in this block: the usual loop.
        lost(expect, new)
    } else {
        // Without the reservation, exchange zero for zero: that writes nothing
        // new, and faults as the store would.
        let held = l.icmp(reserved, addr, Cond::Eq);
        let zero = l.c64(0);
        let lost = lost(l.movcond(held, expect, zero), l.movcond(held, new, zero));
        l.bor(l.bnot(held), lost)
    };
    l.set(slots::reserved(0), l.c64(NO_RESERVATION));
    l.set_x(a.rd, l.boolint(failed, Type::I64));
}

/// Atomic operation; the old value is extended as the access says.
pub(super) fn amo(l: &Lift<'_>, a: args::Amo, op: RmwOp, m: MemOp) {
    l.set_x(a.rd, l.rmw(op, l.x(a.rs1), l.x(a.rs2), m));
}

pub fn lr_w(l: &Lift<'_>, a: args::Lr) {
    lr(l, a, W);
}
pub fn sc_w(l: &Lift<'_>, a: args::Amo) {
    sc(l, a, W);
}
pub fn lr_d(l: &Lift<'_>, a: args::Lr) {
    lr(l, a, D);
}
pub fn sc_d(l: &Lift<'_>, a: args::Amo) {
    sc(l, a, D);
}

/// One function per row `amoOP_SIZE`.
macro_rules! amos {
    ($($name:ident = $op:ident, $m:expr;)*) => {
        $(pub fn $name(l: &Lift<'_>, a: args::Amo) {
            amo(l, a, RmwOp::$op, $m);
        })*
    };
}
amos! {
    amoswap_w = Xchg, W;
    amoadd_w = Add, W;
    amoxor_w = Xor, W;
    amoand_w = And, W;
    amoor_w = Or, W;
    amomin_w = Smin, W;
    amomax_w = Smax, W;
    amominu_w = Umin, W;
    amomaxu_w = Umax, W;
    amoswap_d = Xchg, D;
    amoadd_d = Add, D;
    amoxor_d = Xor, D;
    amoand_d = And, D;
    amoor_d = Or, D;
    amomin_d = Smin, D;
    amomax_d = Smax, D;
    amominu_d = Umin, D;
    amomaxu_d = Umax, D;
}
