//! Atomic read-modify-write and compare-and-swap.

use remu_ir::{Inst, MemOp, RmwOp, Type};

use super::X;
use super::alloc::wide;
use super::enc::{Alu, Mem, RAX, RBX, RCX, RDX, RSI, Rm, W, at, cc};
use super::lower::Compiler;
use super::softmmu::Operand;
use super::vector::{MOVQ_R_X, MOVQ_X_R, PEXTRQ, PINSRQ};
use crate::AccessKind;

impl Compiler<'_> {
    /// An instruction on 1, 2, 4 or 8 bytes of memory: `op` is the opcode for
    /// 4 and 8 bytes, `op - 1` the one for bytes, as throughout the opcode map.
    fn sized(&mut self, lock: bool, mem: MemOp, op: u32, reg: u8, m: Mem) {
        if lock {
            self.a.b(0xf0);
        }
        if mem.size == 1 {
            self.a.b(0x66);
        }
        let op = if mem.size == 0 { op - 1 } else { op };
        let w = if mem.size == 3 { W::Q } else { W::D };
        self.a.op(w, op, reg, Rm::M(m), mem.size == 0);
    }
    /// Extends the old value in `r` as the access says.
    fn extend(&mut self, mem: MemOp, t: Type, r: u8) {
        match (mem.size, mem.signed) {
            (0 | 1, false) => self.a.movzx(mem.bytes(), r, Rm::R(r)),
            (0 | 1, true) => self.a.movsx(wide(t), mem.bytes(), r, Rm::R(r)),
            (2, true) if t == Type::I64 => self.a.movsxd(r, Rm::R(r)),
            (2, false) if t == Type::I64 => self.a.mov_self(r),
            _ => {}
        }
    }

    pub(super) fn rmw(&mut self, id: u16, i: &Inst) {
        let mem = MemOp::from_u8(i.aux);
        let op = RmwOp::from_u8(i.imm as u8);
        let [addr, v, ..] = i.args;
        let base = self.reg(addr);
        let mut m = at(base, 0);
        self.check_align(m, mem);
        let vs = self.reg(v);
        let unused = self.vals[usize::from(id)].uses == 0;
        self.done_all(i);
        // Before the access: what it emits must not lie between look-up and access.
        let plain = matches!(op, RmwOp::Xchg | RmwOp::Add)
            || unused && matches!(op, RmwOp::Or | RmwOp::And | RmwOp::Xor);
        let temp = if plain { RAX } else { self.scratch(false) };
        let back = self.soft_atomic(&mut m, mem, AccessKind::Rmw(op), &[Operand::Host(vs)]);
        self.may_fault();
        match op {
            RmwOp::Xchg => {
                self.a.mov(W::Q, RAX, vs);
                self.sized(false, mem, 0x87, RAX, m);
            }
            RmwOp::Add if unused => self.sized(true, mem, 0x01, vs, m),
            RmwOp::Or if unused => self.sized(true, mem, 0x09, vs, m),
            RmwOp::And if unused => self.sized(true, mem, 0x21, vs, m),
            RmwOp::Xor if unused => self.sized(true, mem, 0x31, vs, m),
            RmwOp::Add => {
                self.a.mov(W::Q, RAX, vs);
                self.sized(true, mem, 0x0fc1, RAX, m);
            }
            _ => self.rmw_loop(op, mem, m, vs, temp),
        }
        if let Some(l) = back {
            self.a.bind(l);
        }
        if !unused {
            self.unlock_all();
            let d = self.dest(id, None);
            self.a.mov(W::Q, d, RAX);
            self.extend(mem, i.ty, d);
            self.finish(id, d);
        }
        self.unlock_all();
    }
    /// Compare-and-swap loop; leaves the old value in rax.
    fn rmw_loop(&mut self, op: RmwOp, mem: MemOp, m: Mem, vs: u8, t: u8) {
        let w = if mem.size == 3 { W::Q } else { W::D };
        match mem.size {
            0 | 1 => self.a.movzx(mem.bytes(), RAX, Rm::M(m)),
            _ => self.a.ld(w, RAX, m),
        }
        let again = self.a.label();
        self.a.bind(again);
        match op {
            RmwOp::And => {
                self.a.mov(w, t, RAX);
                self.a.alu(Alu::And, w, t, Rm::R(vs));
            }
            RmwOp::Or => {
                self.a.mov(w, t, RAX);
                self.a.alu(Alu::Or, w, t, Rm::R(vs));
            }
            RmwOp::Xor => {
                self.a.mov(w, t, RAX);
                self.a.alu(Alu::Xor, w, t, Rm::R(vs));
            }
            RmwOp::Andc => self.a.vex(super::int::ANDN_D | super::int::VEX_Q, t, vs, Rm::R(RAX)),
            _ => {
                let (signed, c) = match op {
                    RmwOp::Smin => (true, cc::L),
                    RmwOp::Smax => (true, cc::G),
                    RmwOp::Umin => (false, cc::B),
                    _ => (false, cc::A),
                };
                // Compare at the access's size: take v if it wins.
                self.a.mov(w, t, vs);
                if mem.size < 2 {
                    let n = mem.bytes();
                    if signed {
                        self.a.movsx(W::D, n, t, Rm::R(t));
                        self.a.movsx(W::D, n, RAX, Rm::R(RAX));
                    } else {
                        self.a.movzx(n, t, Rm::R(t));
                        self.a.movzx(n, RAX, Rm::R(RAX));
                    }
                }
                self.a.alu(Alu::Cmp, w, t, Rm::R(RAX));
                self.a.cmov(c ^ 1, w, t, Rm::R(RAX));
            }
        }
        self.sized(true, mem, 0x0fb1, t, m);
        self.a.jcc(cc::NE, again);
    }

    pub(super) fn cas(&mut self, id: u16, i: &Inst) {
        let mem = MemOp::from_u8(i.aux);
        if mem.size == 4 {
            return self.cas16(id, i);
        }
        let base = self.reg(i.args[0]);
        let mut m = at(base, 0);
        self.check_align(m, mem);
        let new = self.reg(i.args[2]);
        let mut back = None;
        if self.lay.softmmu.is_some() {
            let expect = self.reg(i.args[1]);
            let operands = [expect, new].map(Operand::Host);
            back = self.soft_atomic(&mut m, mem, AccessKind::Cas, &operands);
        }
        self.load_into(i.args[1], RAX);
        self.done_all(i);
        self.may_fault();
        self.sized(true, mem, 0x0fb1, new, m);
        if let Some(l) = back {
            self.a.bind(l);
            // The operands may have every scratch register, and are not needed any more.
            self.unlock_all();
        }
        let d = self.dest(id, None);
        match mem.size {
            0 | 1 => self.a.movzx(mem.bytes(), d, Rm::R(RAX)),
            _ => self.a.mov(if mem.size == 3 { W::Q } else { W::D }, d, RAX),
        }
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
    }
    /// cmpxchg16b: rdx:rax expected, rcx:rbx new. rbx holds a pinned slot, so
    /// whatever can fault happens before it is borrowed.
    fn cas16(&mut self, id: u16, i: &Inst) {
        let (e, n) = (self.reg(i.args[1]), self.reg(i.args[2]));
        for h in [RSI, RCX, RDX] {
            if self.locked >> h & 1 == 0 {
                self.take(h);
            }
        }
        self.load_into(i.args[0], RAX);
        for h in [RSI, RCX, RDX] {
            let id = self.owner[usize::from(h)];
            if id != super::alloc::NOBODY && self.vals[usize::from(id)].uses > 1 {
                self.vacate(h);
            }
        }
        self.a.mov(W::Q, RSI, RAX);
        let mut m = at(RSI, 0);
        self.check_align(m, mem_aligned(i));
        let operands = [e, n].map(|x| Operand::Host(x + X));
        let back = self.soft_atomic(&mut m, mem_aligned(i), AccessKind::Cas, &operands);
        self.may_fault();
        self.a.b(0xf0);
        self.a.alu_imm(Alu::Or, W::D, Rm::M(m), 0);
        self.a.vex(MOVQ_R_X, e, 0, Rm::R(RAX));
        self.a.vex_imm(PEXTRQ, e, 0, Rm::R(RDX), 1);
        self.a.vex_imm(PEXTRQ, n, 0, Rm::R(RCX), 1);
        let save = at(super::enc::RBP, self.lay.fallback());
        self.a.st(W::Q, save, RBX);
        self.a.vex(MOVQ_R_X, n, 0, Rm::R(RBX));
        self.a.b(0xf0);
        self.a.op(W::Q, 0x0fc7, 1, Rm::M(m), false);
        self.a.ld(W::Q, RBX, save);
        if let Some(l) = back {
            self.a.bind(l);
        }
        self.done_all(i);
        let d = self.dest(id, None);
        self.a.vex(MOVQ_X_R, d - X, 0, Rm::R(RAX));
        self.a.vex_imm(PINSRQ, d - X, d - X, Rm::R(RDX), 1);
        self.finish(id, d);
    }
}

fn mem_aligned(i: &Inst) -> MemOp {
    MemOp::from_u8(i.aux)
}

impl super::enc::CodeBuf<'_> {
    /// `mov r32, r32`: clears bits 63:32.
    fn mov_self(&mut self, r: u8) {
        self.mov_rm(W::D, r, Rm::R(r));
    }
}
