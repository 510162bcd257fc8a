//! What accesses write, where they do not reach memory in one step.

use remu_engine::{Access, AccessKind};
use remu_ir::RmwOp;

/// The value that an access leaves in memory where `old` was, little-endian; `None` if it writes none.
pub(super) fn new_value(access: Access, old: u128, operands: [u128; 2]) -> Option<u128> {
    let bits = 8 * access.mem.bytes();
    let mask = u128::MAX >> (128 - bits);
    let swap = |v: u128| if access.mem.big { v.swap_bytes() >> (128 - bits) } else { v };
    let [a, b] = operands.map(|v| v & mask);
    let new = match access.kind {
        AccessKind::Load => return None,
        AccessKind::Store => swap(a),
        AccessKind::Rmw(op) => swap(modify(op, swap(old), a, bits) & mask),
        AccessKind::Cas if swap(old) == a => swap(b),
        AccessKind::Cas => return None,
    };
    Some(new)
}

fn modify(op: RmwOp, old: u128, operand: u128, bits: u32) -> u128 {
    let signed = |v: u128| ((v << (128 - bits)) as i128) >> (128 - bits);
    match op {
        RmwOp::Xchg => operand,
        RmwOp::Add => old.wrapping_add(operand),
        RmwOp::And => old & operand,
        RmwOp::Andc => old & !operand,
        RmwOp::Or => old | operand,
        RmwOp::Xor => old ^ operand,
        RmwOp::Smin => signed(old).min(signed(operand)) as u128,
        RmwOp::Smax => signed(old).max(signed(operand)) as u128,
        RmwOp::Umin => old.min(operand),
        RmwOp::Umax => old.max(operand),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remu_ir::MemOp;

    #[test]
    fn values_at_the_size_of_the_access() {
        let of = |kind, mem, old, a, b| new_value(Access { mem, kind, tlb: 0 }, old, [a, b]);
        assert_eq!(of(AccessKind::Load, MemOp::U8, 1, 2, 3), None);
        assert_eq!(of(AccessKind::Store, MemOp::U16, 0, 0x1_2345, 0), Some(0x2345));
        let big = MemOp { big: true, ..MemOp::U32 };
        assert_eq!(of(AccessKind::Store, big, 0, 0x1122_3344, 0), Some(0x4433_2211));
        assert_eq!(of(AccessKind::Rmw(RmwOp::Add), big, 0xff00_0000, 1, 0), Some(0x0001_0000));
        assert_eq!(of(AccessKind::Rmw(RmwOp::Add), MemOp::U8, 0xff, 2, 0), Some(1));
        assert_eq!(of(AccessKind::Rmw(RmwOp::Smin), MemOp::U8, 0x80, 1, 0), Some(0x80));
        assert_eq!(of(AccessKind::Rmw(RmwOp::Umin), MemOp::U8, 0x80, 1, 0), Some(1));
        assert_eq!(
            of(AccessKind::Rmw(RmwOp::Smax), MemOp::U64, u128::from(u64::MAX), 0, 0),
            Some(0)
        );
        assert_eq!(of(AccessKind::Cas, MemOp::U32, 5, 5, 6), Some(6));
        assert_eq!(of(AccessKind::Cas, MemOp::U32, 5, 4, 6), None);
    }
}
