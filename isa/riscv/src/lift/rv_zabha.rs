//! "Zabha", Byte and Halfword Atomic Memory Operations.

use remu_ir::{MemOp, RmwOp};

use super::Lift;
use super::rv_a::amo;
use crate::decode::args;

const B: MemOp = MemOp::S8;
const H: MemOp = MemOp::S16.align();

/// One function per row `amoOP_SIZE`.
macro_rules! amos {
    ($($name:ident = $op:ident, $m:expr;)*) => {
        $(pub fn $name(l: &Lift<'_>, a: args::Amo) {
            amo(l, a, RmwOp::$op, $m);
        })*
    };
}
amos! {
    amoswap_b = Xchg, B;
    amoadd_b = Add, B;
    amoxor_b = Xor, B;
    amoand_b = And, B;
    amoor_b = Or, B;
    amomin_b = Smin, B;
    amomax_b = Smax, B;
    amominu_b = Umin, B;
    amomaxu_b = Umax, B;
    amoswap_h = Xchg, H;
    amoadd_h = Add, H;
    amoxor_h = Xor, H;
    amoand_h = And, H;
    amoor_h = Or, H;
    amomin_h = Smin, H;
    amomax_h = Smax, H;
    amominu_h = Umin, H;
    amomaxu_h = Umax, H;
}
