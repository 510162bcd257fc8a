//! "CMO" (Zicbom, Zicboz), "Zawrs".

use remu_ir::{Addr, ExitKind, MemOp, Type};

use super::{Lift, Regs};
use crate::decode::args;

/// Bytes of a cache block.
pub const BLOCK: u64 = 64;

/// Caches are coherent: management only checks the access.
fn check(l: &Lift<'_>, a: args::Cbo) {
    l.load(l.x(a.rs1), Type::I64, Addr::at(MemOp::U8));
}
/// As flush: user code may not discard what was written ("CBIE" = 01).
pub fn cbo_inval(l: &Lift<'_>, a: args::Cbo) {
    check(l, a);
}
pub fn cbo_clean(l: &Lift<'_>, a: args::Cbo) {
    check(l, a);
}
pub fn cbo_flush(l: &Lift<'_>, a: args::Cbo) {
    check(l, a);
}
pub fn cbo_zero(l: &Lift<'_>, a: args::Cbo) {
    let (base, zero) = (l.and(l.x(a.rs1), l.c64(!(BLOCK - 1))), l.c64(0));
    for disp in (0..BLOCK as i32).step_by(8) {
        l.store(base, zero, Addr { disp, ..Addr::at(MemOp::U64) });
    }
}

/// The wait may end at any time; other threads get their turn.
pub fn wrs_nto(l: &Lift<'_>, _: args::Empty) {
    l.exit(ExitKind::Wait, l.next_pc());
}
pub fn wrs_sto(l: &Lift<'_>, _: args::Empty) {
    l.exit(ExitKind::Wait, l.next_pc());
}
