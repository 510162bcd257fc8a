//! "Zacas", Atomic Compare-and-Swap.

use remu_ir::{Lane, MemOp, Type};

use super::{Lift, Regs};
use crate::decode::args;

/// Compares with `rd`, stores `rs2`, loads the old value sign-extended. The
/// access looks at the operands' low bits alone.
fn amocas(l: &Lift<'_>, a: args::Amo, m: MemOp) {
    let old = l.cas(l.x(a.rs1), l.x(a.rd), l.x(a.rs2), m);
    let bits = 8 * m.bytes() as u8;
    l.set_x(a.rd, if bits == 64 { old } else { l.sextract(old, (0, bits)) });
}
pub fn amocas_b(l: &Lift<'_>, a: args::Amo) {
    amocas(l, a, MemOp::U8);
}
pub fn amocas_h(l: &Lift<'_>, a: args::Amo) {
    amocas(l, a, MemOp::U16.align());
}
pub fn amocas_w(l: &Lift<'_>, a: args::Amo) {
    amocas(l, a, MemOp::U32.align());
}
pub fn amocas_d(l: &Lift<'_>, a: args::Amo) {
    amocas(l, a, MemOp::U64.align());
}
/// On register pairs; the pair of `x0` reads as zero and is not written.
pub fn amocas_q(l: &Lift<'_>, a: args::Amo) {
    let pair = |n: u8| l.vmake(l.x(n), if n == 0 { l.c64(0) } else { l.x(n + 1) });
    let old = l.cas(l.x(a.rs1), pair(a.rd), pair(a.rs2), MemOp::U128.align());
    if a.rd != 0 {
        l.set_x(a.rd, l.lane(old, Lane::D, 0));
        l.set_x(a.rd + 1, l.vextract(old, l.c32(1), Type::I64, Lane::D));
    }
}
