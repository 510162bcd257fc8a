//! Ops without a rule: their meaning in the interpreter is called.

use remu_ir::{Inst, Op, Type};

use super::X;
use super::alloc::Loc;
use super::enc::{Alu, RAX, RBP, Rm, W, at};
use super::lower::Compiler;
use super::vector::{MOVQ_R_X, MOVQ_X_R, MOVSD_ST, MOVSS_ST, MOVUPS, MOVUPS_ST};
use super::{Host, XT};

/// An instruction as it lies in the code, for the evaluator to read.
pub(super) fn inst_bytes(i: &Inst) -> [u8; 16] {
    let mut b = [0; 16];
    b[..2].copy_from_slice(&(i.op as u16).to_le_bytes());
    b[2] = i.ty as u8;
    b[3] = i.aux;
    for (n, a) in i.args.iter().enumerate() {
        b[4 + 2 * n..6 + 2 * n].copy_from_slice(&a.to_le_bytes());
    }
    b[12..].copy_from_slice(&i.imm.to_le_bytes());
    b
}

impl Compiler<'_> {
    /// Lowers any pure op by calling the evaluator.
    pub(super) fn fallback(&mut self, id: u16, i: &Inst) {
        self.store_operands(i);
        self.done_all(i);
        // Operand types are not in the instruction: the evaluator takes the
        // first operand's from a spare field.
        self.call_evaluator(&self.with_operand_type(i));
        let d = self.dest(id, None);
        let m = Rm::M(at(RBP, self.lay.fallback()));
        if d >= X {
            self.a.vex(MOVUPS, d - X, 0, m);
        } else {
            self.a.mov_rm(W::Q, d, m);
        }
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
    }
    /// Raises the floating-point flags of a comparison, whose outcome the host
    /// gets right where it is used.
    pub(super) fn evaluate_flags(&mut self, i: &Inst) {
        self.store_operands(i);
        self.call_evaluator(&self.with_operand_type(i));
    }
    fn store_operands(&mut self, i: &Inst) {
        self.out.fallbacks += 1;
        for n in 0..i.op.arity() {
            let root = self.root(i.args[n]);
            let t = self.inst(i.args[n]).ty;
            let m = at(RBP, self.lay.fallback() + 16 * (n as i32 + 1));
            let hi = at(RBP, m.disp + 8);
            if t.is_vec() {
                let v = self.vals[usize::from(root)];
                let x = match v.loc {
                    Loc::Reg(h) if h >= X => h - X,
                    _ => {
                        self.load_into(root, X + XT);
                        XT
                    }
                };
                self.store_operand(t, x, n);
            } else {
                self.load_into(i.args[n], RAX);
                if t == Type::I32 {
                    self.a.mov_rm(W::D, RAX, Rm::R(RAX));
                }
                self.a.st(W::Q, m, RAX);
                self.a.st_imm(W::Q, hi, 0);
            }
        }
    }
    /// The instruction as the evaluator wants it: `args[0]` replaced by the
    /// number of the first operand's type.
    fn with_operand_type(&self, i: &Inst) -> Inst {
        let mut e = *i;
        if i.op.arity() > 0 {
            e.args[0] = self.inst(i.args[0]).ty as u16;
        }
        e
    }
    fn store_operand(&mut self, t: Type, x: u8, n: usize) {
        let m = at(RBP, self.lay.fallback() + 16 * (n as i32 + 1));
        match t {
            Type::V128 => self.a.vex(MOVUPS_ST, x, 0, Rm::M(m)),
            Type::F64 => {
                self.a.st_imm(W::Q, at(RBP, m.disp + 8), 0);
                self.a.vex(MOVSD_ST, x, 0, Rm::M(m));
            }
            _ => {
                self.a.st_imm(W::Q, at(RBP, m.disp + 8), 0);
                self.a.st_imm(W::Q, m, 0);
                self.a.vex(MOVSS_ST, x, 0, Rm::M(m));
            }
        }
    }
    fn call_evaluator(&mut self, i: &Inst) {
        let l = self.a.label();
        self.inst_data.push((l, *i));
        self.a.lea_label(RAX, l);
        self.a.far(true, self.thunks.eval);
    }
    /// Cold path of an inline op: operands are in host registers, the result
    /// goes to `to`; nothing else changes.
    pub(super) fn eval_call(&mut self, i: &Inst, operands: &[Host; 3], to: Host) {
        for (n, &h) in operands.iter().enumerate().take(i.op.arity()) {
            let t = self.inst(i.args[n]).ty;
            if h >= X {
                self.store_operand(t, h - X, n);
                // A negated factor or addend: see `Compiler::fma`.
                if i.op == Op::fma && i.imm >> n & 1 != 0 {
                    let top = self.lay.fallback() + 16 * (n as i32 + 1) + t.bytes() as i32 - 4;
                    self.a.alu_imm(Alu::Xor, W::D, Rm::M(at(RBP, top)), i32::MIN);
                }
            } else {
                let m = at(RBP, self.lay.fallback() + 16 * (n as i32 + 1));
                if t == Type::I32 {
                    // The register's upper half may be anything.
                    self.a.st_imm(W::Q, m, 0);
                    self.a.st(W::D, m, h);
                } else {
                    self.a.st(W::Q, m, h);
                }
                self.a.st_imm(W::Q, at(RBP, m.disp + 8), 0);
            }
        }
        let mut e = self.with_operand_type(i);
        if e.op == Op::fma {
            e.imm = 0;
        }
        self.call_evaluator(&e);
        let m = Rm::M(at(RBP, self.lay.fallback()));
        if to >= X {
            self.a.vex(MOVUPS, to - X, 0, m);
        } else {
            self.a.mov_rm(W::Q, to, m);
        }
    }
    /// Bits of an integer register as a float, and back.
    pub(super) fn bitcast(&mut self, id: u16, i: &Inst) -> bool {
        let from = self.inst(i.args[0]).ty;
        match (from, i.ty) {
            (Type::I32 | Type::I64, Type::F32 | Type::F64) => {
                let s = self.reg(i.args[0]);
                self.done_all(i);
                let d = self.dest(id, None);
                let op = if i.ty == Type::F64 { MOVQ_X_R } else { super::vector::MOVD_X_R };
                self.a.vex(op, d - X, 0, Rm::R(s));
                self.vals[usize::from(id)].zero_from = i.ty.bytes() as u8;
                self.finish(id, d);
            }
            (Type::F32 | Type::F64, Type::I32 | Type::I64) => {
                let s = self.reg(i.args[0]);
                self.done_all(i);
                let d = self.dest(id, None);
                let op = if i.ty == Type::I64 { MOVQ_R_X } else { super::vector::MOVD_R_X };
                self.a.vex(op, s, 0, Rm::R(d));
                self.vals[usize::from(id)].zero_high = true;
                self.finish(id, d);
            }
            _ => return false,
        }
        true
    }
}
