//! Loads and stores of the first bytes of a vector, as many as a register says.

use remu_ir::Inst;

use super::enc::{Alu, Label, Mem, RAX, RBP, Reg, Rm, W, at, cc};
use super::lower::{Cold, Compiler};
use super::vector::{BROADCASTB, MOVAPS, MOVD_X_R, MOVUPS, MOVUPS_ST, PBLENDVB, PCMPGTB};
use super::{X, XT};

/// Operands of a partial access: the bytes from `base + d` on, up to `base + n`.
#[derive(Clone, Copy, Debug)]
struct Part {
    base: Reg,
    n: Reg,
    d: i32,
}

impl Part {
    /// Byte `i` and what follows it.
    fn byte(self, i: i32) -> Mem {
        at(self.base, self.d + i)
    }
    /// Byte `index + i`.
    fn from(self, index: Reg, i: i32) -> Mem {
        Mem { base: self.base, index: Some(index), scale: 0, disp: self.d + i }
    }
}

/// A load of bytes that may be in two pages, of which the second may not be there and
/// may not even be meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    label: Label,
    back: Label,
    part: Part,
    old: Reg,
    to: Reg,
    count: Reg,
    pc: u64,
}

impl Compiler<'_> {
    fn part(&mut self, i: &Inst) -> Part {
        // A machine's addresses are not the host's, and what is behind memory may be a device.
        assert!(self.lay.softmmu.is_none(), "partial accesses are for programs");
        Part { base: self.reg(i.args[0]), n: self.reg(i.args[1]), d: i.imm }
    }
    /// Goes to `all` if there are 16 bytes, to `none` if there is none.
    fn sort_part(&mut self, p: Part, all: Label, none: Label) {
        self.a.alu_imm(Alu::Cmp, W::Q, Rm::R(p.n), p.d + 16);
        self.a.jcc(cc::GE, all);
        self.a.alu_imm(Alu::Cmp, W::Q, Rm::R(p.n), p.d);
        self.a.jcc(cc::LE, none);
    }
    /// Memory of one vector that no value is in.
    fn vector_scratch(&self) -> i32 {
        self.lay.fallback()
    }

    pub(super) fn load_part(&mut self, id: u16, i: &Inst) {
        let p = self.part(i);
        let old = self.reg(i.args[2]);
        let (count, read) = (self.scratch(false), self.scratch(true) - X);
        self.done_all(i);
        let to = self.dest(id, None) - X;
        let [all, split, none, end] = [(); 4].map(|()| self.a.label());
        self.sort_part(p, all, none);
        // Sixteen bytes are there if they are in the page of the first.
        self.a.lea(W::D, RAX, p.byte(0));
        self.a.shift_imm(4, W::D, RAX, 20);
        self.a.alu_imm(Alu::Cmp, W::D, Rm::R(RAX), ((4096 - 16) << 20) as u32 as i32);
        self.a.jcc(cc::A, split);
        self.may_fault();
        self.a.vex(MOVUPS, read, 0, Rm::M(p.byte(0)));
        self.a.lea(W::D, RAX, at(p.n, p.d.wrapping_neg()));
        self.a.vex(MOVD_X_R, XT, 0, Rm::R(RAX));
        self.a.vex(BROADCASTB, XT, 0, Rm::R(XT));
        let index = self.constant(u128::from_le_bytes(core::array::from_fn(|n| n as u8)));
        self.a.vex_rip(PCMPGTB, XT, XT, index);
        self.a.vex_imm(PBLENDVB, to, old, Rm::R(read), XT << 4);
        self.a.jmp(end);
        self.a.bind(all);
        self.a.vex(MOVUPS, to, 0, Rm::M(p.byte(0)));
        if to != old {
            self.a.jmp(end);
        }
        self.a.bind(none);
        if to != old {
            self.a.vex(MOVAPS, to, 0, Rm::R(old));
        }
        self.a.bind(end);
        let pc = self.current_pc;
        self.cold.push(Cold::Part(Split { label: split, back: end, part: p, old, to, count, pc }));
        self.finish(id, to + X);
    }
    /// Byte by byte, so that a fault is that of the first byte that is not there.
    pub(super) fn split_load(&mut self, s: &Split) {
        let scratch = self.vector_scratch();
        self.a.bind(s.label);
        self.a.vex(MOVUPS_ST, s.old, 0, Rm::M(at(RBP, scratch)));
        self.a.movi(s.count, 0);
        let again = self.a.label();
        self.a.bind(again);
        self.out.faults.push((self.a.pos() as u32, s.pc));
        self.a.movzx(1, RAX, Rm::M(s.part.from(s.count, 0)));
        let to = Mem { base: RBP, index: Some(s.count), scale: 0, disp: scratch };
        self.a.st_small(1, to, RAX);
        self.a.lea(W::Q, s.count, at(s.count, 1));
        self.a.lea(W::Q, RAX, at(s.count, s.part.d));
        self.a.alu(Alu::Cmp, W::Q, RAX, Rm::R(s.part.n));
        self.a.jcc(cc::L, again);
        self.a.vex(MOVUPS, s.to, 0, Rm::M(at(RBP, scratch)));
        self.a.jmp(s.back);
    }

    /// Two stores of the largest power of two that fits: the first bytes, and the last.
    pub(super) fn store_part(&mut self, i: &Inst) {
        let p = self.part(i);
        let v = self.reg(i.args[2]);
        let count = self.scratch(false);
        let scratch = self.vector_scratch();
        self.done_all(i);
        let [all, end] = [(); 2].map(|()| self.a.label());
        self.sort_part(p, all, end);
        self.a.vex(MOVUPS_ST, v, 0, Rm::M(at(RBP, scratch)));
        self.a.lea(W::D, count, at(p.n, p.d.wrapping_neg()));
        let last = |n: i32| Mem { base: RBP, index: Some(count), scale: 0, disp: scratch - n };
        self.may_fault();
        for (w, n) in [(W::Q, 8), (W::D, 4)] {
            let less = self.a.label();
            self.a.alu_imm(Alu::Cmp, W::D, Rm::R(count), n);
            self.a.jcc(cc::B, less);
            self.a.ld(w, RAX, at(RBP, scratch));
            self.a.st(w, p.byte(0), RAX);
            self.a.ld(w, RAX, last(n));
            self.a.st(w, p.from(count, -n), RAX);
            self.a.jmp(end);
            self.a.bind(less);
        }
        self.a.movzx(1, RAX, Rm::M(at(RBP, scratch)));
        self.a.st_small(1, p.byte(0), RAX);
        self.a.alu_imm(Alu::Cmp, W::D, Rm::R(count), 1);
        self.a.jcc(cc::E, end);
        self.a.movzx(2, RAX, Rm::M(last(2)));
        self.a.st_small(2, p.from(count, -2), RAX);
        self.a.jmp(end);
        self.a.bind(all);
        self.a.vex(MOVUPS_ST, v, 0, Rm::M(p.byte(0)));
        self.a.bind(end);
        self.unlock_all();
    }
}
