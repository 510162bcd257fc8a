//! What translated code asks for where the TLB does not help.

use remu_ir::{MemOp, RmwOp};

/// A guest memory access. Addresses and operands come beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Size, byte order, alignment.
    pub mem: MemOp,
    /// What is done.
    pub kind: AccessKind,
    /// Number of the TLB.
    pub tlb: u8,
}

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessKind {
    /// Reads.
    Load,
    /// Writes operand 0.
    Store,
    /// Reads, and writes what this makes of that and of operand 0.
    Rmw(RmwOp),
    /// Reads, and writes operand 1 if that was operand 0.
    Cas,
}

impl AccessKind {
    /// Whether the page must be writable.
    pub const fn writes(self) -> bool {
        !matches!(self, AccessKind::Load)
    }
}

impl Access {
    /// As a number, for code.
    pub const fn to_u32(self) -> u32 {
        let (kind, op) = match self.kind {
            AccessKind::Load => (0, 0),
            AccessKind::Store => (1, 0),
            AccessKind::Rmw(op) => (2, op as u32),
            AccessKind::Cas => (3, 0),
        };
        self.mem.to_u8() as u32 | kind << 8 | op << 10 | (self.tlb as u32) << 16
    }
    /// From such a number.
    pub const fn from_u32(n: u32) -> Access {
        let kind = match n >> 8 & 3 {
            0 => AccessKind::Load,
            1 => AccessKind::Store,
            2 => AccessKind::Rmw(RmwOp::from_u8((n >> 10 & 15) as u8)),
            _ => AccessKind::Cas,
        };
        Access { mem: MemOp::from_u8(n as u8), kind, tlb: (n >> 16) as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_everything() {
        let ops = RmwOp::ALL.iter().map(|&op| AccessKind::Rmw(op));
        for kind in [AccessKind::Load, AccessKind::Store, AccessKind::Cas].into_iter().chain(ops) {
            for mem in
                [MemOp::U8, MemOp::S16.align(), MemOp { big: true, user: true, ..MemOp::U128 }]
            {
                let a = Access { mem, kind, tlb: 3 };
                assert_eq!(Access::from_u32(a.to_u32()), a);
            }
        }
    }
}
