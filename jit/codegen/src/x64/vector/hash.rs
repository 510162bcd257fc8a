//! SHA-1 and SHA-256 by the host's extensions, whose operands hold words in
//! other places than the ops have them. Legacy encodings: they change their first
//! operand, and two of them take words from xmm0, which is the temporary.

use remu_ir::{Inst, Op};

use super::super::enc::{Rm, W};
use super::super::lower::Compiler;
use super::super::{X, XT};
use super::MOVAPS;

const SHA1MSG2: u32 = 0x0f_38ca;
const SHA256RNDS2: u32 = 0x0f_38cb;
const SHA256MSG1: u32 = 0x0f_38cc;
const SHA256MSG2: u32 = 0x0f_38cd;
const SHA1RNDS4: u32 = 0x0f_3acc;
const PSHUFD: u32 = 0x1170;
const SHUFPS: u32 = 0x10c6;
const PALIGNR: u32 = 0x310f;
const PADDD: u32 = 0x11fe;
const PSUBD: u32 = 0x11fa;
/// Order of lanes that reverses them.
const REVERSE: u8 = 0x1b;
/// Upper lanes of two vectors, then lower ones, each pair exchanged.
const UPPER: u8 = 0xbb;
const LOWER: u8 = 0x11;

impl Compiler<'_> {
    /// Lowers a hash op; false if the host cannot.
    pub(super) fn hash_op(&mut self, id: u16, i: &Inst) -> bool {
        if !self.lay.host.sha {
            return false;
        }
        match i.op {
            Op::sha256h | Op::sha256h2 => self.sha256_rounds(id, i),
            // The host's own instruction, lane for lane.
            Op::sha256r2 => {
                let [x, y, w, _] = i.args;
                let (x, y, w) = (self.reg(x), self.reg(y), self.reg(w));
                let t = self.scratch(true) - X;
                self.a.vex(MOVAPS, t, 0, Rm::R(x));
                self.a.vex(MOVAPS, XT, 0, Rm::R(w));
                self.sha(SHA256RNDS2, t, y);
                self.done_all(i);
                let d = self.dest(id, Some(X + t));
                self.a.vex(MOVAPS, d - X, 0, Rm::R(t));
                self.finish(id, d);
            }
            Op::sha256su0 => self.vec2(id, i, |c, d, x, y| {
                c.a.vex(MOVAPS, XT, 0, Rm::R(x));
                c.sha(SHA256MSG1, XT, y);
                c.a.vex(MOVAPS, d, 0, Rm::R(XT));
            }),
            Op::sha256su1 => {
                let [x, y, z, _] = i.args;
                let (x, y, z) = (self.reg(x), self.reg(y), self.reg(z));
                self.done_all(i);
                let d = self.dest(id, None);
                self.a.vex_imm(PALIGNR, XT, z, Rm::R(y), 4);
                self.a.vex(PADDD, XT, XT, Rm::R(x));
                self.sha(SHA256MSG2, XT, z);
                self.a.vex(MOVAPS, d - X, 0, Rm::R(XT));
                self.finish(id, d);
            }
            Op::sha1c => self.sha1_rounds(id, i, 0, 0x5a82_7999),
            Op::sha1m => self.sha1_rounds(id, i, 2, 0x8f1b_bcdc),
            // Parity comes with either of two constants: the second.
            Op::sha1p => self.sha1_rounds(id, i, 1, 0x6ed9_eba1),
            Op::sha1su1 => self.vec2_temp(id, i, |c, d, x, y, t| {
                c.a.vex_imm(PSHUFD, t, 0, Rm::R(x), REVERSE);
                c.a.vex_imm(PSHUFD, XT, 0, Rm::R(y), REVERSE);
                c.sha(SHA1MSG2, t, XT);
                c.a.vex_imm(PSHUFD, d, 0, Rm::R(t), REVERSE);
            }),
            _ => return false,
        }
        true
    }
    fn sha(&mut self, op: u32, d: u8, s: u8) {
        self.a.op(W::D, op, d, Rm::R(s), false);
    }
    /// The host wants a, b, e, f from the top in one register and c, d, g, h in
    /// another, does two rounds, and leaves the new a, b, e, f in the latter.
    fn sha256_rounds(&mut self, id: u16, i: &Inst) {
        let [x, y, w, _] = i.args;
        let (x, y) = if i.op == Op::sha256h { (x, y) } else { (y, x) };
        let (x, y, w) = (self.reg(x), self.reg(y), self.reg(w));
        let (t, u) = (self.scratch(true) - X, self.scratch(true) - X);
        self.a.vex_imm(SHUFPS, t, y, Rm::R(x), UPPER);
        self.a.vex_imm(SHUFPS, u, y, Rm::R(x), LOWER);
        self.a.vex(MOVAPS, XT, 0, Rm::R(w));
        self.sha(SHA256RNDS2, t, u);
        self.a.vex_imm(PSHUFD, XT, 0, Rm::R(w), 0x0e);
        self.sha(SHA256RNDS2, u, t);
        self.done_all(i);
        let d = self.dest(id, Some(X + t));
        let halves = if i.op == Op::sha256h { UPPER } else { LOWER };
        self.a.vex_imm(SHUFPS, d - X, u, Rm::R(t), halves);
        self.finish(id, d);
    }
    /// The host adds the constant itself and takes e with the first word.
    fn sha1_rounds(&mut self, id: u16, i: &Inst, function: u8, constant: u32) {
        let [x, e, w, _] = i.args;
        let (x, e, w) = (self.reg(x), self.reg(e), self.reg(w));
        let (t, u) = (self.scratch(true) - X, self.scratch(true) - X);
        let k = u128::from(constant);
        let k = self.constant(k | k << 32 | k << 64 | k << 96);
        self.a.vex_rip(PSUBD, XT, w, k);
        self.a.vex_imm(PSHUFD, XT, 0, Rm::R(XT), REVERSE);
        // vpslldq: e to the top lane.
        self.a.vex_imm(0x1173, 7, u, Rm::R(e), 12);
        self.a.vex(PADDD, XT, XT, Rm::R(u));
        self.a.vex_imm(PSHUFD, t, 0, Rm::R(x), REVERSE);
        self.sha(SHA1RNDS4, t, XT);
        self.a.b(function);
        self.done_all(i);
        let d = self.dest(id, Some(X + t));
        self.a.vex_imm(PSHUFD, d - X, 0, Rm::R(t), REVERSE);
        self.finish(id, d);
    }
}
