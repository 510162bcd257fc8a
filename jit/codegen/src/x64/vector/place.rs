//! Vector operands where they are: the last operand of most instructions may be
//! in memory, which saves a scratch register and the load into it.

use remu_ir::Op;

use super::super::alloc::Loc;
use super::super::enc::{Label, Rm};
use super::super::lower::Compiler;

/// Last operand of an instruction.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Place {
    /// A register, or state or spill memory.
    At(Rm),
    /// A constant in the region's data.
    Data(Label),
}

impl Compiler<'_> {
    /// Where a whole vector can be read; locked until the op ends.
    pub(in super::super) fn vec_place(&mut self, id: u16) -> Place {
        let root = self.root(id);
        let i = self.inst(root);
        match self.vals[usize::from(root)].loc {
            Loc::None if i.op == Op::vconst => {
                let bits = self.r.vconsts[i.imm as usize];
                Place::Data(self.constant(bits))
            }
            // Memory behind a narrower slot is another's.
            Loc::Home(_) if i.ty.bytes() < self.inst(id).ty.bytes() => {
                Place::At(Rm::R(self.reg(id)))
            }
            _ => Place::At(self.rm(id)),
        }
    }
    /// Whether reading the operand takes a register that it is not in.
    pub(in super::super) fn in_memory(&self, id: u16) -> bool {
        !matches!(self.vals[usize::from(self.root(id))].loc, Loc::Reg(_))
    }
    /// VEX instruction with such an operand.
    pub(in super::super) fn vex_place(&mut self, op: u32, reg: u8, v: u8, p: Place) {
        match p {
            Place::At(rm) => self.a.vex(op, reg, v, rm),
            Place::Data(l) => self.a.vex_rip(op, reg, v, l),
        }
    }
    /// The same with an immediate.
    pub(in super::super) fn vex_place_imm(&mut self, op: u32, reg: u8, v: u8, p: Place, imm: u8) {
        match p {
            Place::At(rm) => self.a.vex_imm(op, reg, v, rm, imm),
            Place::Data(l) => self.a.vex_rip_imm(op, reg, v, l, imm),
        }
    }
}
