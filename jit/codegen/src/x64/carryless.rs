//! Carry-less products and checksums.

use remu_ir::{CrcAttr, Inst, Op};

use super::enc::{Alu, RAX, Rm, W};
use super::lower::Compiler;
use super::vector::{MOVD_X_R, MOVQ_R_X, MOVQ_X_R, PAND, PEXTRQ};
use super::{X, XT};

const PCLMULQDQ: u32 = 0x3144;
/// `crc32 r, r/m`, with the byte form's opcode.
const CRC32: u32 = 0xf20f_38f0;
/// Barrett reduction by the IEEE 802.3 polynomial, bits reflected:
/// floor(x^64 / P) below, P above.
const REDUCTION: u128 = 0x1_db71_0641_0000_0001_f701_1641;
const LOW_WORD: u128 = 0xffff_ffff;

impl Compiler<'_> {
    pub(super) fn carry_less(&mut self, id: u16, i: &Inst) {
        let (x, y) = (self.reg(i.args[0]), self.reg(i.args[1]));
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        self.a.vex(MOVQ_X_R, XT, 0, Rm::R(x));
        self.a.vex(MOVQ_X_R, t, 0, Rm::R(y));
        self.a.vex_imm(PCLMULQDQ, XT, XT, Rm::R(t), 0);
        if i.op == Op::clmul {
            self.a.vex(MOVQ_R_X, XT, 0, Rm::R(d));
        } else {
            self.a.vex_imm(PEXTRQ, XT, 0, Rm::R(d), 1);
        }
        self.finish(id, d);
    }

    /// A checksum: the host's instruction for one polynomial, a reduction by
    /// carry-less products for the other.
    pub(super) fn crc32(&mut self, id: u16, i: &Inst) {
        let c = CrcAttr::of(i);
        let (acc, x) = (self.reg(i.args[0]), self.reg(i.args[1]));
        if c.castagnoli {
            self.a.mov(W::D, RAX, acc);
            let w = if c.size == 3 { W::Q } else { W::D };
            if c.size == 1 {
                self.a.operand_size();
            }
            self.a.op(w, CRC32 | u32::from(c.size != 0), RAX, Rm::R(x), c.size == 0);
        } else {
            self.crc32_ieee(acc, x, c.size);
        }
        self.result_from_temp(id, i);
    }

    fn crc32_ieee(&mut self, acc: u8, x: u8, size: u8) {
        let t = self.scratch(true) - X;
        self.vector_constant(t, REDUCTION);
        match size {
            3 => {
                self.a.mov(W::D, RAX, acc);
                self.a.alu(Alu::Xor, W::D, RAX, Rm::R(x));
                self.a.vex(MOVD_X_R, XT, 0, Rm::R(RAX));
                self.reduce(t);
                // The result meets the high word.
                self.a.vex(MOVQ_R_X, XT, 0, Rm::R(RAX));
                self.a.alu(Alu::Xor, W::Q, RAX, Rm::R(x));
                self.a.shift_imm(5, W::Q, RAX, 32);
                self.a.vex(MOVD_X_R, XT, 0, Rm::R(RAX));
                self.reduce(t);
                self.a.vex_imm(0x3116, XT, 0, Rm::R(RAX), 1);
            }
            2 => {
                self.a.mov(W::D, RAX, acc);
                self.a.alu(Alu::Xor, W::D, RAX, Rm::R(x));
                self.a.vex(MOVD_X_R, XT, 0, Rm::R(RAX));
                self.reduce(t);
                self.a.vex_imm(0x3116, XT, 0, Rm::R(RAX), 1);
            }
            _ => {
                // Fewer bits count as the last ones of a word.
                let bits = 8 << size;
                self.a.mov(W::D, RAX, acc);
                self.a.alu(Alu::Xor, W::D, RAX, Rm::R(x));
                self.a.shift_imm(4, W::D, RAX, 32 - bits);
                self.a.vex(MOVD_X_R, XT, 0, Rm::R(RAX));
                self.reduce(t);
                let rest = self.scratch(false);
                self.a.mov(W::D, rest, acc);
                self.a.shift_imm(5, W::D, rest, bits);
                self.a.vex_imm(0x3116, XT, 0, Rm::R(RAX), 1);
                self.a.alu(Alu::Xor, W::D, RAX, Rm::R(rest));
            }
        }
    }
    /// Bits 63:32 of the temporary become the remainder of its low word.
    fn reduce(&mut self, t: u8) {
        let low = self.constant(LOW_WORD);
        self.a.vex_imm(PCLMULQDQ, XT, XT, Rm::R(t), 0x00);
        self.a.vex_rip(PAND, XT, XT, low);
        self.a.vex_imm(PCLMULQDQ, XT, XT, Rm::R(t), 0x10);
    }

    /// Bits reversed: neighbours, pairs and halves of bytes change places, then
    /// the bytes.
    pub(super) fn bitrev(&mut self, id: u16, i: &Inst) {
        let w = super::alloc::wide(i.ty);
        let s = self.reg(i.args[0]);
        let t = self.scratch(false);
        self.done_all(i);
        let d = self.dest(id, None);
        self.a.mov(w, t, s);
        for (mask, n) in
            [(0x5555_5555_5555_5555u64, 1), (0x3333_3333_3333_3333, 2), (0x0f0f_0f0f_0f0f_0f0f, 4)]
        {
            self.a.movi(RAX, if w == W::D { mask & 0xffff_ffff } else { mask });
            self.a.mov(w, d, t);
            self.a.shift_imm(5, w, d, n);
            self.a.alu(Alu::And, w, d, Rm::R(RAX));
            self.a.alu(Alu::And, w, t, Rm::R(RAX));
            self.a.shift_imm(4, w, t, n);
            self.a.alu(Alu::Or, w, t, Rm::R(d));
        }
        self.a.bswap(w, t);
        self.a.mov(w, d, t);
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
    }
}
