//! Lanes of floats: the host's instruction; a result it may not get right goes
//! to the evaluator as a whole.

use remu_ir::{FCond, Fp, FpInt, Inst, Lane, NanRule, Op, Rm as Round, Type};

use super::super::enc::{RAX, Rm, W, cc};
use super::super::float::{least_normal, magnitude, tiny_before_rounding};
use super::super::lower::{Cold, Compiler};
use super::super::{Host, X, XT};
use super::{ANDPS, MOVAPS, MOVQ_R_X, MOVQ_X_R, PAND, PCMPEQD, PEXTRQ, POR, PTEST};

const CMPPS: u32 = 0x10c2;
const MOVMSKPS: u32 = 0x1050;
const UNORDERED: u8 = 3;
const EQUAL_OR_UNORDERED: u8 = 8;

impl Compiler<'_> {
    /// Lowers an op on lanes of floats; false if it has no rule here.
    pub(super) fn vec_float(&mut self, id: u16, i: &Inst) -> bool {
        match i.op {
            Op::vfcmp => return self.float_lanes_compare(id, i),
            Op::vfcvt_int => return self.float_lanes_to_int(id, i),
            _ => {}
        }
        let p = Fp::from_u8(i.aux);
        let double = match p.lane {
            Lane::S => false,
            Lane::D => true,
            _ => return false,
        };
        let pp = if double { 0x100 } else { 0 };
        let dynamic = p.rm == Round::Dyn;
        match i.op {
            Op::vfadd | Op::vfsub | Op::vfmul | Op::vfdiv | Op::vfsqrt | Op::vfma if !dynamic => {
                false
            }
            Op::vfadd => self.checked(id, i, |c, r, o| c.a.vex(0x1058 | pp, r, o[0], Rm::R(o[1]))),
            Op::vfmul => self.checked(id, i, |c, r, o| c.a.vex(0x1059 | pp, r, o[0], Rm::R(o[1]))),
            Op::vfsub => self.checked(id, i, |c, r, o| c.a.vex(0x105c | pp, r, o[0], Rm::R(o[1]))),
            Op::vfdiv => self.checked(id, i, |c, r, o| c.a.vex(0x105e | pp, r, o[0], Rm::R(o[1]))),
            Op::vfsqrt => self.checked(id, i, |c, r, o| c.a.vex(0x1051 | pp, r, 0, Rm::R(o[0]))),
            Op::vfma => self.checked(id, i, |c, r, o| {
                c.a.vex(MOVAPS, r, 0, Rm::R(o[0]));
                c.a.vex(if double { 0xa1a8 } else { 0x21a8 }, r, o[1], Rm::R(o[2]));
            }),
            Op::vfround | Op::vfroundx => {
                let Some(imm) = Self::round_imm(p.rm) else { return false };
                let imm = if i.op == Op::vfround { imm | 8 } else { imm };
                let op = 0x3108 + u32::from(double);
                self.checked(id, i, |c, r, o| c.a.vex_imm(op | 0x100, r, 0, Rm::R(o[0]), imm))
            }
            Op::vfmin | Op::vfmax | Op::vfminnm | Op::vfmaxnm => {
                self.float_lanes_minmax(id, i, pp);
                true
            }
            Op::vfcvt_s | Op::vfcvt_u if dynamic => {
                self.int_lanes_to_float(id, i, double);
                true
            }
            _ => false,
        }
    }

    /// Computes into a register that is no operand; a NaN anywhere in the
    /// result sends the whole op to the evaluator.
    fn checked(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, u8, [u8; 3])) -> bool {
        let p = Fp::from_u8(i.aux);
        let mut operands: [Host; 3] = [0; 3];
        for (r, &arg) in operands.iter_mut().zip(&i.args).take(i.op.arity()) {
            *r = self.reg(arg) + X;
        }
        self.done_all(i);
        let d = self.dest(id, None);
        let r = if operands.contains(&d) { self.scratch(true) } else { d } - X;
        f(self, r, operands.map(|o| o & 15));
        if p.nan != NanRule::X86 {
            let pp = if p.lane == Lane::D { 0x100 } else { 0 };
            if tiny_before_rounding(i) {
                // As for scalars.
                let double = p.lane == Lane::D;
                let abs = self.constant(magnitude(double));
                let least = self.constant(least_normal(double));
                self.a.vex_rip(ANDPS, XT, r, abs);
                self.a.vex_rip_imm(CMPPS | pp, XT, XT, least, EQUAL_OR_UNORDERED);
            } else {
                self.a.vex_imm(CMPPS | pp, XT, r, Rm::R(r), UNORDERED);
            }
            self.a.vex(PTEST, XT, 0, Rm::R(XT));
            let (label, back) = (self.a.label(), self.a.label());
            self.a.jcc(cc::NE, label);
            self.cold.push(Cold::Eval { label, back, inst: *i, operands, to: X + r });
            self.a.bind(back);
        }
        self.copy(d, X + r, Type::V128);
        self.finish(id, d);
        true
    }

    fn float_lanes_compare(&mut self, id: u16, i: &Inst) -> bool {
        let pp = match Lane::from_u8(i.aux) {
            Lane::S => 0,
            Lane::D => 0x100,
            _ => return false,
        };
        // Predicates of VCMPPS, quiet and signalling.
        let predicate = match FCond::from_u8(i.imm as u8) {
            FCond::Eq => 0x00,
            FCond::EqS => 0x10,
            FCond::Lt => 0x01,
            FCond::Le => 0x02,
            FCond::LtQ => 0x11,
            FCond::LeQ => 0x12,
            FCond::Uno => UNORDERED,
        };
        self.vec2(id, i, |c, d, x, y| c.a.vex_imm(CMPPS | pp, d, x, Rm::R(y), predicate));
        true
    }

    /// NaNs are looked for first: the host's minimum raises invalid for quiet
    /// ones too. Taken both ways round, zeros of either sign come right.
    fn float_lanes_minmax(&mut self, id: u16, i: &Inst, pp: u32) {
        let min = matches!(i.op, Op::vfmin | Op::vfminnm);
        let op = if min { 0x105d } else { 0x105f } | pp;
        let (x, y) = (self.reg(i.args[0]), self.reg(i.args[1]));
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        let (label, back) = (self.a.label(), self.a.label());
        self.a.vex_imm(CMPPS | pp, XT, x, Rm::R(y), UNORDERED);
        self.a.vex(PTEST, XT, 0, Rm::R(XT));
        self.a.jcc(cc::NE, label);
        self.a.vex(op, XT, x, Rm::R(y));
        self.a.vex(op, t, y, Rm::R(x));
        self.a.vex(if min { POR } else { PAND }, d - X, t, Rm::R(XT));
        self.cold.push(Cold::Eval { label, back, inst: *i, operands: [X + x, X + y, 0], to: d });
        self.a.bind(back);
        self.finish(id, d);
    }

    /// Lanes of the same width; the host's "indefinite" stands for whatever is
    /// out of range.
    fn float_lanes_to_int(&mut self, id: u16, i: &Inst) -> bool {
        let p = FpInt::of(i);
        let imm = Self::round_imm(p.fp.rm);
        let direct = matches!(p.fp.rm, Round::Tz | Round::Dyn);
        // Rounding a single first is inexact where the conversion is invalid.
        let lane = p.fp.lane;
        if !p.signed || !(direct && lane == Lane::S || imm.is_some() && lane == Lane::D) {
            return false;
        }
        let truncate = p.fp.rm == Round::Tz;
        let x = self.reg(i.args[0]);
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        let (label, back) = (self.a.label(), self.a.label());
        if lane == Lane::S {
            // vcvttps2dq or vcvtps2dq; a lane of 0x8000_0000 may be one out of range.
            self.a.vex(if truncate { 0x125b } else { 0x115b }, t, 0, Rm::R(x));
            self.a.vex(PCMPEQD, XT, XT, Rm::R(XT));
            self.a.vex_imm(0x1172, 6, XT, Rm::R(XT), 31);
            self.a.vex(PCMPEQD, XT, XT, Rm::R(t));
            self.a.vex(PTEST, XT, 0, Rm::R(XT));
            self.a.jcc(cc::NE, label);
            self.a.vex(MOVAPS, d - X, 0, Rm::R(t));
        } else {
            let op = if truncate { 0x932c } else { 0x932d };
            let mut src = x;
            if !direct {
                self.a.vex_imm(0x3109, t, 0, Rm::R(x), imm.unwrap_or(4));
                src = t;
            }
            self.a.vex(op, RAX, 0, Rm::R(src));
            self.a.alu_imm(super::super::enc::Alu::Cmp, W::Q, Rm::R(RAX), 1);
            self.a.jcc(cc::O, label);
            self.a.vex(MOVQ_X_R, XT, 0, Rm::R(RAX));
            // vunpckhpd
            self.a.vex(0x1115, t, src, Rm::R(src));
            self.a.vex(op, RAX, 0, Rm::R(t));
            self.a.alu_imm(super::super::enc::Alu::Cmp, W::Q, Rm::R(RAX), 1);
            self.a.jcc(cc::O, label);
            self.a.vex_imm(super::PINSRQ, d - X, XT, Rm::R(RAX), 1);
        }
        self.cold.push(Cold::Eval { label, back, inst: *i, operands: [X + x, 0, 0], to: d });
        self.a.bind(back);
        self.finish(id, d);
        true
    }

    /// Unsigned lanes with the top bit set are for the evaluator.
    fn int_lanes_to_float(&mut self, id: u16, i: &Inst, double: bool) {
        let x = self.reg(i.args[0]);
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        let (label, back) = (self.a.label(), self.a.label());
        if i.op == Op::vfcvt_u {
            self.a.vex(MOVMSKPS | if double { 0x100 } else { 0 }, RAX, 0, Rm::R(x));
            self.a.test(W::D, RAX, Rm::R(RAX));
            self.a.jcc(cc::NE, label);
            self.cold.push(Cold::Eval { label, back, inst: *i, operands: [X + x, 0, 0], to: d });
        }
        if double {
            self.a.vex_imm(PEXTRQ, x, 0, Rm::R(RAX), 1);
            self.a.vex(0x932a, t, x, Rm::R(RAX));
            self.a.vex(MOVQ_R_X, x, 0, Rm::R(RAX));
            self.a.vex(0x932a, XT, x, Rm::R(RAX));
            // vunpcklpd
            self.a.vex(0x1114, d - X, XT, Rm::R(t));
        } else {
            self.a.vex(0x105b, d - X, 0, Rm::R(x));
        }
        self.a.bind(back);
        self.finish(id, d);
    }
}
