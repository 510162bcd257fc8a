//! An instruction that can be evaluated away from its region.

use crate::{Inst, Op, Region, Type};

/// An instruction whose operands are given apart. Its first operand field
/// holds the type of operand 0, which many ops cannot be understood without.
/// The same 16 bytes as an [`Inst`], so that back ends can put one into code.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Packed(Inst);

impl Packed {
    /// Instruction `id` of a region.
    pub fn new(r: &Region, id: u16) -> Packed {
        let i = r.insts[usize::from(id)];
        let ty = if i.op.arity() == 0 { Type::Void } else { operand_type(r, i.args[0]) };
        Packed::with_type(i, ty)
    }
    /// An instruction whose operand 0 has type `ty`.
    pub fn with_type(mut i: Inst, ty: Type) -> Packed {
        // Constants keep their bits where operands would be.
        if i.op.arity() != 0 {
            i.args[0] = ty as u16;
        }
        Packed(i)
    }
    /// The instruction; its first operand is not one.
    pub fn inst(&self) -> &Inst {
        &self.0
    }
    /// Operation.
    pub fn op(&self) -> Op {
        self.0.op
    }
    /// Type of operand 0; void if there is none.
    pub fn operand_type(&self) -> Type {
        if self.0.op.arity() == 0 {
            return Type::Void;
        }
        Type::ALL.get(usize::from(self.0.args[0])).copied().unwrap_or(Type::Void)
    }
}

/// Type of the value an operand field names.
fn operand_type(r: &Region, id: u16) -> Type {
    r.insts.get(usize::from(id)).map_or(Type::Void, |i| i.ty)
}
