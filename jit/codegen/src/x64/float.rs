//! Scalar floating point, inline: the host's instructions under the guest's
//! MXCSR; whatever they do not get exactly right goes to a cold path.

use remu_ir::{FCond, FlagCond, Fp, FpInt, Inst, NanRule, Op, Rm as Round, Type};

use super::alloc::{Loc, NO_HOST};
use super::enc::{Alu, Label, RAX, RBP, RCX, Rm, W, at, cc};
use super::lower::{Cold, Compiler};
use super::truth::Truth;
use super::vector::{INSERTPS, MOVAPS, MOVD_R_X, MOVQ_R_X, MOVQ_X, MOVSD, XORPS};
use super::{Host, X, XT};
use crate::Layout;

// pp: 2 for single, 3 for double; added to opcodes below.
fn prefix(t: Type) -> u32 {
    if t == Type::F64 { 0x300 } else { 0x200 }
}
const ORPS: u32 = 0x1056;
const SQRT: u32 = 0x1051;
pub(super) const UCOMIS: u32 = 0x102e;
const COMIS: u32 = 0x102f;
const ROUNDSS: u32 = 0x310a;
const CVTPH2PS: u32 = 0x2113;
const PMOVZXWQ: u32 = 0x2134;
/// Mode bit: denormal halves are zero.
const FLUSH_HALVES: i32 = 32;
/// 2^-14 as a single.
const LEAST_NORMAL_HALF: i32 = 0x3880_0000;
const FMA213: u32 = 0x21a9;
const FMA231: u32 = 0x21b9;

const NAN32: u64 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;

/// Every bit but the sign, in all lanes.
pub(super) fn magnitude(double: bool) -> u128 {
    if double {
        0x7fff_ffff_ffff_ffff_7fff_ffff_ffff_ffff
    } else {
        0x7fff_ffff_7fff_ffff_7fff_ffff_7fff_ffff
    }
}
/// The least normal number, in all lanes.
pub(super) fn least_normal(double: bool) -> u128 {
    if double {
        0x0010_0000_0000_0000_0010_0000_0000_0000
    } else {
        0x0080_0000_0080_0000_0080_0000_0080_0000
    }
}

pub(super) fn default_nan(t: Type) -> u64 {
    if t == Type::F64 { NAN64 } else { NAN32 }
}

/// Whether an op finds underflow otherwise than the host: Arm does before
/// rounding. Sums that are denormal are exact.
pub(super) fn tiny_before_rounding(i: &Inst) -> bool {
    let narrows = i.op == Op::fcvt && i.ty == Type::F32;
    let ops = matches!(i.op, Op::fmul | Op::fdiv | Op::fma | Op::vfmul | Op::vfdiv | Op::vfma);
    matches!(Fp::from_u8(i.aux).nan, NanRule::Arm | NanRule::ArmDefault) && (ops || narrows)
}

impl Compiler<'_> {
    /// Lowers a scalar floating-point op; false if it has no rule here.
    pub(super) fn float_op(&mut self, id: u16, i: &Inst) -> bool {
        let from = if i.op.arity() > 0 { self.inst(i.args[0]).ty } else { Type::Void };
        if from == Type::F16 || i.ty == Type::F16 {
            return false;
        }
        match i.op {
            Op::fadd | Op::fsub | Op::fmul | Op::fdiv => self.arith(id, i),
            Op::fsqrt => self.sqrt(id, i),
            Op::fma => self.fma(id, i),
            Op::fminnm | Op::fmaxnm | Op::fmin | Op::fmax => self.fminmax(id, i),
            Op::fneg | Op::fabs => {
                if !self.fused_sign(id, i) {
                    self.sign(id, i);
                }
                true
            }
            Op::fcvt => self.fcvt(id, i, from),
            Op::fcvt_int => self.float_to_int(id, i, from),
            Op::fcvt_s | Op::fcvt_u => self.int_to_float(id, i, from),
            Op::fscalb_s | Op::fscalb_u => self.scaled_to_float(id, i, from),
            Op::fround | Op::froundx => self.round(id, i),
            Op::bitcast => self.bitcast(id, i),
            Op::fbox if from == Type::F32 => {
                let s = self.reg(i.args[0]);
                self.done_all(i);
                let d = self.dest(id, Some(X + s));
                // vpcmpeqd t, t, t; vpunpckldq d, s, t
                self.a.vex(0x1176, XT, XT, Rm::R(XT));
                self.a.vex(0x1162, d - X, s, Rm::R(XT));
                self.finish(id, d);
                true
            }
            Op::funbox if i.ty == Type::F32 => {
                let s = self.reg(i.args[0]);
                self.done_all(i);
                // vpextrd eax, s, 1
                self.a.vex_imm(0x3116, s, 0, Rm::R(RAX), 1);
                let d = self.dest(id, Some(X + s));
                self.copy(d, X + s, Type::V128);
                self.a.alu_imm(Alu::Cmp, W::D, Rm::R(RAX), -1);
                let (label, back) = self.detour(cc::NE);
                self.cold.push(Cold::Nan { label, back, value: NAN32, to: d - X });
                self.a.bind(back);
                self.finish(id, d);
                true
            }
            Op::vfromf => {
                let bytes = from.bytes() as u8;
                let v = *self.val(i.args[0]);
                if v.zero_from <= bytes && matches!(v.loc, Loc::Reg(_)) {
                    self.alias(id, i.args[0]);
                    return true;
                }
                let s = self.reg(i.args[0]);
                self.done_all(i);
                let d = self.dest(id, Some(X + s));
                self.vals[usize::from(id)].zero_from = bytes;
                if from == Type::F64 {
                    self.a.vex(MOVQ_X, d - X, 0, Rm::R(s));
                } else {
                    self.a.vex_imm(INSERTPS, d - X, s, Rm::R(s), 0x0e);
                }
                self.finish(id, d);
                true
            }
            Op::vtof => {
                self.alias(id, i.args[0]);
                true
            }
            Op::fpstat => {
                self.read_status();
                let d = self.dest(id, None);
                self.a.mov(W::D, d, RAX);
                self.vals[usize::from(id)].zero_high = true;
                self.finish(id, d);
                true
            }
            Op::set_fpstat | Op::or_fpstat => {
                self.write_status(i);
                true
            }
            Op::undo_fcmp => {
                self.undo_compare(i);
                true
            }
            Op::set_fpmode => {
                self.write_mode(i);
                true
            }
            _ => false,
        }
    }

    /// Whether the op rounds as MXCSR says.
    pub(super) fn dynamic(i: &Inst) -> bool {
        Fp::from_u8(i.aux).rm == Round::Dyn
    }
    /// Whether every NaN result is the positive default NaN.
    fn default_rule(i: &Inst) -> bool {
        matches!(Fp::from_u8(i.aux).nan, NanRule::Default | NanRule::ArmDefault)
    }
    fn detour(&mut self, c: u8) -> (Label, Label) {
        let (label, back) = (self.a.label(), self.a.label());
        self.a.jcc(c, label);
        (label, back)
    }
    pub(super) fn ucomis(&mut self, t: Type, x: u8, y: u8) {
        self.a.vex(UCOMIS | if t == Type::F64 { 0x100 } else { 0 }, x, 0, Rm::R(y));
    }
    /// `r` holds a result: a NaN is replaced as the op's rule says. The
    /// operands must still be in their registers.
    fn fix_nan(&mut self, i: &Inst, r: u8, operands: [Host; 3], exact: bool) {
        let rule = Fp::from_u8(i.aux).nan;
        if rule == NanRule::X86 {
            return;
        }
        if tiny_before_rounding(i) {
            // The host calls a number tiny after rounding it: they differ only where the
            // result is the least normal number. One test finds that and NaNs, which are
            // quiet here: of an exponent's upper bits and a fraction's first, all or none
            // are set. The few others of which that is true are told apart behind.
            let likely = match i.ty {
                Type::F64 => 0x7fe8_0000_0000_0000,
                _ => 0x7f40_0000,
            };
            let likely = self.constant(likely);
            self.a.vex_rip(super::vector::PTEST, r, 0, likely);
            let (label, back) = self.detour(cc::BE);
            self.cold.push(Cold::Tiny { label, back, inst: *i, operands, result: r });
            self.a.bind(back);
            return;
        }
        self.check(i, r, operands, exact || !Self::default_rule(i));
    }
    /// The cold path of a result that may be the least normal number or a NaN.
    pub(super) fn tiny_or_nan(&mut self, i: &Inst, operands: &[Host; 3], r: u8, back: Label) {
        let evaluate = self.a.label();
        self.ucomis(i.ty, r, r);
        self.a.jcc(cc::P, evaluate);
        // Without its sign; 64 bits turned so that they are an immediate.
        if i.ty == Type::F64 {
            self.a.vex(MOVQ_R_X, r, 0, Rm::R(RAX));
            self.a.shift_imm(4, W::Q, RAX, 1);
            self.a.shift_imm(0, W::Q, RAX, 11);
            self.a.alu_imm(Alu::Cmp, W::Q, Rm::R(RAX), 1);
        } else {
            self.a.vex(MOVD_R_X, r, 0, Rm::R(RAX));
            self.a.shift_imm(4, W::D, RAX, 1);
            self.a.alu_imm(Alu::Cmp, W::D, Rm::R(RAX), 0x0100_0000);
        }
        self.a.jcc(cc::NE, back);
        self.a.bind(evaluate);
        self.eval_call(i, operands, X + r);
        self.a.jmp(back);
    }
    /// From which byte on an operand's register is known to be zero. What an
    /// operation keeps of its first operand's upper part is its result's.
    fn zero_from(&mut self, id: u16) -> u8 {
        let own = self.inst(id).ty.bytes() as u8;
        self.val(id).zero_from.max(own)
    }
    /// The registers of up to three operands.
    fn operand_regs(&mut self, i: &Inst) -> [Host; 3] {
        let mut regs = [0; 3];
        for (r, &arg) in regs.iter_mut().zip(&i.args).take(i.op.arity()) {
            let vec = self.inst(arg).ty.is_vec();
            *r = self.reg(arg) + if vec { X } else { 0 };
        }
        regs
    }
    /// Where to compute: the destination, unless that is an operand which the
    /// cold path still reads.
    fn target_or_temp(i: &Inst, d: Host, operands: &[Host; 3]) -> u8 {
        let simple = matches!(
            i.op,
            Op::fadd | Op::fsub | Op::fmul | Op::fdiv | Op::fsqrt | Op::fround | Op::froundx
        );
        let replaced = simple && Self::default_rule(i) && !tiny_before_rounding(i);
        if replaced || !operands.contains(&d) { d - X } else { XT }
    }

    /// The registers of the operands, and of the result of an op that may compute it in
    /// the temporary.
    fn places(&mut self, id: u16, i: &Inst) -> ([Host; 3], Host) {
        let regs = self.operand_regs(i);
        self.done_all(i);
        let target = self.vals[usize::from(id)].target;
        let temporary = |d| regs[..i.op.arity()].contains(&d);
        if target != NO_HOST {
            self.make_way(i, &regs, target, temporary(target));
        }
        let d = self.dest(id, None);
        self.make_way(i, &regs, d, temporary(d));
        (regs, d)
    }

    fn arith(&mut self, id: u16, i: &Inst) -> bool {
        if !Self::dynamic(i) {
            return false;
        }
        let op = prefix(i.ty)
            | match i.op {
                Op::fadd => 0x1058,
                Op::fmul => 0x1059,
                Op::fsub => 0x105c,
                _ => 0x105e,
            };
        let commutes = matches!(i.op, Op::fadd | Op::fmul);
        let (x, y) = (self.zero_from(i.args[0]), self.zero_from(i.args[1]));
        let swap = commutes && y < x && Fp::from_u8(i.aux).nan != NanRule::X86;
        self.vals[usize::from(id)].zero_from = if swap { y } else { x };
        let (regs, d) = self.places(id, i);
        let r = Self::target_or_temp(i, d, &regs);
        let (first, second) = if swap { (regs[1], regs[0]) } else { (regs[0], regs[1]) };
        self.a.vex(op, r, first - X, Rm::R(second - X));
        self.fix_nan(i, r, regs, false);
        self.copy(d, X + r, i.ty);
        self.finish(id, d);
        true
    }
    fn sqrt(&mut self, id: u16, i: &Inst) -> bool {
        if !Self::dynamic(i) {
            return false;
        }
        self.vals[usize::from(id)].zero_from = self.zero_from(i.args[0]);
        let (regs, d) = self.places(id, i);
        let r = Self::target_or_temp(i, d, &regs);
        self.a.vex(SQRT | prefix(i.ty), r, regs[0] - X, Rm::R(regs[0] - X));
        self.fix_nan(i, r, regs, false);
        self.copy(d, X + r, i.ty);
        self.finish(id, d);
        true
    }
    /// A negation whose only use is the multiply-add behind it: done by that.
    fn fused_sign(&mut self, id: u16, i: &Inst) -> bool {
        let fused = self.is_fused_sign(id, i);
        if fused {
            self.alias(id, i.args[0]);
        }
        fused
    }
    pub(super) fn is_fused_sign(&self, id: u16, i: &Inst) -> bool {
        let mut behind = self.r.insts.iter().skip(usize::from(id) + 1).take(8);
        i.op == Op::fneg
            && self.vals[usize::from(id)].uses == 1
            && !self.r.soft_float
            && behind.any(|f| f.op == Op::fma && Self::dynamic(f) && f.args[..3].contains(&id))
    }
    fn fma(&mut self, id: u16, i: &Inst) -> bool {
        if !Self::dynamic(i) {
            return false;
        }
        let w = if i.ty == Type::F64 { 0x8000 } else { 0 };
        // Operands that `fused_sign` left to this op.
        let minus = [0, 1, 2].map(|n| {
            let arg = i.args[n];
            self.inst(arg).op == Op::fneg && self.root(arg) != arg
        });
        let zero = [0, 1, 2].map(|n| self.zero_from(i.args[n]));
        let (mut regs, d) = self.places(id, i);
        // The operand that the instruction replaces: the destination if it is one,
        // and then the cold path has a copy of it.
        let at = regs.iter().rposition(|&r| r == d);
        let (replaced, from) = (at.unwrap_or(0), regs[at.unwrap_or(0)]);
        if at.is_some() {
            self.a.vex(MOVAPS, XT, 0, Rm::R(from - X));
        } else {
            self.a.vex(MOVAPS, d - X, 0, Rm::R(from - X));
        }
        // Signs of product and sum.
        let op = FMA213 + if minus[0] != minus[1] { 4 } else { 0 } + if minus[2] { 2 } else { 0 };
        let (op, second, third) = match replaced {
            0 => (op, regs[1], regs[2]),
            1 => (op, regs[0], regs[2]),
            _ => (op + (FMA231 - FMA213), regs[0], regs[1]),
        };
        self.a.vex(op | w, d - X, second - X, Rm::R(third - X));
        self.vals[usize::from(id)].zero_from = zero[replaced];
        for r in &mut regs {
            if *r == d {
                *r = X + XT;
            }
        }
        // The flags of (inf * 0) + NaN differ between hosts: always evaluate.
        let mut cold = *i;
        cold.imm = (0..3).fold(0, |m, n| m | i32::from(minus[n as usize]) << n);
        self.fix_nan(&cold, d - X, regs, true);
        self.finish(id, d);
        true
    }
    /// Ordered, unequal operands: the host's minimum is right. The rest is cold.
    fn fminmax(&mut self, id: u16, i: &Inst) -> bool {
        let min = matches!(i.op, Op::fmin | Op::fminnm);
        self.vals[usize::from(id)].zero_from = self.zero_from(i.args[0]);
        let regs = self.operand_regs(i);
        self.done_all(i);
        let d = self.dest(id, None);
        let r = Self::target_or_temp(i, d, &regs);
        // ucomis raises invalid for signalling NaNs only, as the op does.
        self.ucomis(i.ty, regs[0] - X, regs[1] - X);
        let (label, back) = self.detour(cc::E);
        self.a.vex(
            (if min { 0x105d } else { 0x105f }) | prefix(i.ty),
            r,
            regs[0] - X,
            Rm::R(regs[1] - X),
        );
        self.cold.push(Cold::Eval { label, back, inst: *i, operands: regs, to: X + r });
        self.a.bind(back);
        self.copy(d, X + r, i.ty);
        self.finish(id, d);
        true
    }
    fn sign(&mut self, id: u16, i: &Inst) {
        let own = i.ty.bytes() as u8;
        self.vals[usize::from(id)].zero_from =
            if i.op == Op::fabs { own } else { self.zero_from(i.args[0]) };
        let s = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, Some(X + s));
        let double = i.ty == Type::F64;
        let neg = i.op == Op::fneg;
        let bits: u64 = match (double, neg) {
            (true, true) => 1 << 63,
            (true, false) => !(1 << 63),
            (false, true) => 1 << 31,
            (false, false) => 0x7fff_ffff,
        };
        let mask = self.constant(bits.into());
        self.a.vex_rip(if neg { XORPS } else { super::vector::ANDPS }, d - X, s, mask);
        self.finish(id, d);
    }

    fn fcvt(&mut self, id: u16, i: &Inst, from: Type) -> bool {
        if !Self::dynamic(i) || from == i.ty {
            return false;
        }
        let regs = self.operand_regs(i);
        self.done_all(i);
        let d = self.dest(id, None);
        let r = Self::target_or_temp(i, d, &regs);
        self.vals[usize::from(id)].zero_from = i.ty.bytes() as u8;
        self.a.vex(XORPS, r, r, Rm::R(r));
        self.a.vex(0x105a | prefix(from), r, r, Rm::R(regs[0] - X));
        // Arm keeps a NaN's sign and upper payload, as the host does.
        if Self::default_rule(i) || tiny_before_rounding(i) {
            self.fix_nan(i, r, regs, false);
        }
        self.copy(d, X + r, i.ty);
        self.finish(id, d);
        true
    }

    /// The immediate of ROUNDSD for a mode; `None` where the host has none.
    pub(super) fn round_imm(rm: Round) -> Option<u8> {
        match rm {
            Round::Dyn => Some(4),
            Round::Ne => Some(0),
            Round::Dn => Some(1),
            Round::Up => Some(2),
            Round::Tz => Some(3),
            _ => None,
        }
    }
    fn round(&mut self, id: u16, i: &Inst) -> bool {
        if Fp::from_u8(i.aux).rm == Round::Na && i.op == Op::fround {
            self.round_away(id, i);
            return true;
        }
        let Some(imm) = Self::round_imm(Fp::from_u8(i.aux).rm) else { return false };
        let imm = if i.op == Op::fround { imm | 8 } else { imm };
        self.vals[usize::from(id)].zero_from = self.zero_from(i.args[0]);
        let regs = self.operand_regs(i);
        self.done_all(i);
        let d = self.dest(id, None);
        let r = Self::target_or_temp(i, d, &regs);
        let s = regs[0] - X;
        self.a.vex_imm(ROUNDSS + u32::from(i.ty == Type::F64), r, s, Rm::R(s), imm);
        self.fix_nan(i, r, regs, false);
        self.copy(d, X + r, i.ty);
        self.finish(id, d);
        true
    }

    /// Halves away from zero: what truncation leaves is doubled and truncated
    /// again. Numbers that have no fraction, infinities and NaNs are for the
    /// evaluator; all steps for others are exact.
    fn round_away(&mut self, id: u16, i: &Inst) {
        let double = i.ty == Type::F64;
        let (t, s) = (self.scratch(true) - X, self.reg(i.args[0]));
        self.done_all(i);
        let d = self.dest(id, None);
        let (label, back) = (self.a.label(), self.a.label());
        let pp = if double { 0x300 } else { 0x200 };
        let round = ROUNDSS + u32::from(double);
        let abs = self.constant(magnitude(double));
        let whole = self.constant(if double { 0x4330_0000_0000_0000 } else { 0x4b00_0000 });
        self.a.vex_rip(super::vector::ANDPS, XT, s, abs);
        self.a.vex_rip(MOVSD, t, 0, whole);
        self.ucomis(i.ty, t, XT);
        self.a.jcc(cc::BE, label);
        self.a.vex_imm(round, t, s, Rm::R(s), 11);
        self.a.vex(0x105c | pp, XT, s, Rm::R(t));
        self.a.vex(0x1058 | pp, XT, XT, Rm::R(XT));
        self.a.vex_imm(round, XT, XT, Rm::R(XT), 11);
        self.a.vex(0x1058 | pp, t, t, Rm::R(XT));
        // A zero keeps the operand's sign.
        self.a.vex_rip(super::vector::ANDPS, t, t, abs);
        let sign = self.constant(!magnitude(double));
        self.a.vex_rip(super::vector::ANDPS, XT, s, sign);
        self.a.vex(ORPS, d - X, t, Rm::R(XT));
        self.cold.push(Cold::Eval { label, back, inst: *i, operands: [X + s, 0, 0], to: d });
        self.a.bind(back);
        self.finish(id, d);
    }

    /// To a signed integer, halves away from zero: the truncated one plus the
    /// truncated double of the fraction.
    fn float_to_int_away(&mut self, id: u16, i: &Inst, from: Type) {
        let w = if i.ty == Type::I64 { W::Q } else { W::D };
        let wide = if w == W::Q { 0x8000 } else { 0 };
        let s = self.reg(i.args[0]);
        let t = self.scratch(false);
        self.done_all(i);
        let d = self.dest(id, None);
        let (label, back) = (self.a.label(), self.a.label());
        let pp = prefix(from);
        self.a.vex(0x102c | pp | wide, RAX, 0, Rm::R(s));
        // The host's "indefinite" is the smallest integer.
        self.a.alu_imm(Alu::Cmp, w, Rm::R(RAX), 1);
        self.a.jcc(cc::O, label);
        self.a.vex_imm(ROUNDSS + u32::from(from == Type::F64), XT, s, Rm::R(s), 11);
        self.a.vex(0x105c | pp, XT, s, Rm::R(XT));
        self.a.vex(0x1058 | pp, XT, XT, Rm::R(XT));
        self.a.vex(0x102c | pp | wide, t, 0, Rm::R(XT));
        self.a.alu(Alu::Add, w, RAX, Rm::R(t));
        self.a.jcc(cc::O, label);
        self.cold.push(Cold::Eval { label, back, inst: *i, operands: [X + s, 0, 0], to: RAX });
        self.a.bind(back);
        self.a.mov(w, d, RAX);
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
    }

    /// From a fixed-point number: the integer, then a power of two, which is exact.
    fn scaled_to_float(&mut self, id: u16, i: &Inst, from: Type) -> bool {
        let Some(n) = self.const_of(i.args[1]).filter(|&n| n <= 64) else { return false };
        if !Self::dynamic(i) || (i.op == Op::fscalb_u && from == Type::I64) {
            return false;
        }
        let s = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, None);
        let r = d - X;
        let (mut src, mut wide) = (s, from == Type::I64);
        if i.op == Op::fscalb_u {
            self.a.mov_rm(W::D, RAX, Rm::R(s));
            (src, wide) = (RAX, true);
        }
        let scale = if i.ty == Type::F64 { (1023 - n) << 52 } else { (127 - n) << 23 };
        let scale = self.constant(scale.into());
        self.a.vex(XORPS, r, r, Rm::R(r));
        self.a.vex(0x102a | prefix(i.ty) | if wide { 0x8000 } else { 0 }, r, r, Rm::R(src));
        self.a.vex_rip(0x1059 | prefix(i.ty), r, r, scale);
        self.vals[usize::from(id)].zero_from = i.ty.bytes() as u8;
        self.finish(id, d);
        true
    }

    fn float_to_int(&mut self, id: u16, i: &Inst, from: Type) -> bool {
        let p = FpInt::of(i);
        let w = if i.ty == Type::I64 { W::Q } else { W::D };
        // A double that rounds out of 32 bits would be called inexact.
        if p.fp.rm == Round::Na && p.signed && (w == W::Q || from == Type::F32) {
            self.float_to_int_away(id, i, from);
            return true;
        }
        let direct = matches!(p.fp.rm, Round::Tz | Round::Dyn);
        let imm = Self::round_imm(p.fp.rm);
        // Rounding first is exact only where no value out of range has a fraction.
        if !(direct || (imm.is_some() && w == W::Q && p.signed && from == Type::F64)) {
            return false;
        }
        if !p.signed && p.fp.rm != Round::Tz {
            return false;
        }
        let s = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, None);
        let (label, back) = (self.a.label(), self.a.label());
        let mut src = s;
        if !direct {
            self.a.vex_imm(ROUNDSS + 1, XT, s, Rm::R(s), imm.unwrap_or(4));
            src = XT;
        }
        if !p.signed {
            // Only [0, 2^width) or, for 64 bits, [0, 2^63) is inline.
            let limit: u64 = match (from, w) {
                (Type::F64, W::D) => 0x41f0_0000_0000_0000,
                (Type::F64, W::Q) => 0x43e0_0000_0000_0000,
                (_, W::D) => 0x4f80_0000,
                (_, W::Q) => 0x5f00_0000,
            };
            if from == Type::F64 {
                self.a.vex(MOVQ_R_X, s, 0, Rm::R(RAX));
                self.a.test(W::Q, RAX, Rm::R(RAX));
            } else {
                self.a.vex(MOVD_R_X, s, 0, Rm::R(RAX));
                self.a.test(W::D, RAX, Rm::R(RAX));
            }
            self.a.jcc(cc::S, label);
            // As integers, which raises no flag; NaNs compare as large.
            let bits = self.bits_of(s, from);
            self.a.movi(RAX, limit);
            self.a.alu(Alu::Cmp, W::Q, RAX, Rm::M(bits));
            self.a.jcc(cc::BE, label);
        }
        let op = prefix(from)
            | if p.fp.rm == Round::Tz { 0x102c } else { 0x102d }
            | if w == W::Q || !p.signed { 0x8000 } else { 0 };
        self.a.vex(op, RAX, 0, Rm::R(src));
        if p.signed {
            // The host's "indefinite" is the smallest integer.
            self.a.alu_imm(Alu::Cmp, w, Rm::R(RAX), 1);
            self.a.jcc(cc::O, label);
        }
        self.cold.push(Cold::Eval { label, back, inst: *i, operands: [X + s, 0, 0], to: RAX });
        self.a.bind(back);
        self.a.mov(w, d, RAX);
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
        true
    }
    /// Stores a float's bits, zero-extended, where an integer op can read them.
    fn bits_of(&mut self, s: u8, from: Type) -> super::enc::Mem {
        let m = at(RBP, self.lay.fallback());
        if from == Type::F64 {
            self.a.vex(super::vector::MOVSD_ST, s, 0, Rm::M(m));
        } else {
            self.a.st_imm(W::Q, m, 0);
            self.a.vex(super::vector::MOVSS_ST, s, 0, Rm::M(m));
        }
        m
    }

    fn int_to_float(&mut self, id: u16, i: &Inst, from: Type) -> bool {
        let s = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, None);
        let r = d - X;
        let (label, back) = (self.a.label(), self.a.label());
        let mut src = s;
        let mut wide = from == Type::I64;
        let cold = |c: &mut Self| {
            c.cold.push(Cold::Eval { label, back, inst: *i, operands: [s, 0, 0], to: d });
        };
        if !Self::dynamic(i) && (wide || i.ty == Type::F32) {
            // Numbers that fit the significand are exact, however they would be rounded.
            let w = if wide { W::Q } else { W::D };
            let bits = if i.ty == Type::F64 { 53 } else { 24 };
            self.a.mov(w, RAX, s);
            if i.op == Op::fcvt_u {
                self.a.shift_imm(5, w, RAX, bits);
                self.a.jcc(cc::NE, label);
            } else {
                self.a.shift_imm(7, w, RAX, bits);
                self.a.alu_imm(Alu::Add, w, Rm::R(RAX), 1);
                self.a.alu_imm(Alu::Cmp, w, Rm::R(RAX), 1);
                self.a.jcc(cc::A, label);
            }
            cold(self);
        }
        if i.op == Op::fcvt_u {
            if from == Type::I64 {
                if Self::dynamic(i) {
                    self.a.test(W::Q, s, Rm::R(s));
                    self.a.jcc(cc::S, label);
                    cold(self);
                }
            } else {
                self.a.mov_rm(W::D, RAX, Rm::R(s));
                src = RAX;
                wide = true;
            }
        }
        self.vals[usize::from(id)].zero_from = i.ty.bytes() as u8;
        self.a.vex(XORPS, r, r, Rm::R(r));
        self.a.vex(0x102a | prefix(i.ty) | if wide { 0x8000 } else { 0 }, r, r, Rm::R(src));
        self.a.bind(back);
        self.finish(id, d);
        true
    }

    // ---- comparison

    /// Emits the comparison of an `fcmp` or `fl_fcmp`; `swap` exchanges the
    /// operands. Uses the temporary for an operand in memory.
    pub(super) fn float_compare(&mut self, id: u16, swap: bool) {
        let i = self.inst(id);
        let t = self.inst(i.args[0]).ty;
        if t == Type::F16 {
            return self.half_compare(&i, swap);
        }
        let (x, y) = if swap { (i.args[1], i.args[0]) } else { (i.args[0], i.args[1]) };
        let op = Self::compare_op(&i) | if t == Type::F64 { 0x100 } else { 0 };
        let m = self.float_place(y);
        let xr = self.xmm_or_temp(x);
        let m = match m {
            Some(m) => m,
            // A constant: by way of the scratch memory.
            None => {
                let slot = at(RBP, self.lay.fallback());
                self.a.vex(super::vector::MOVUPS_ST, xr, 0, Rm::M(at(RBP, slot.disp + 16)));
                self.load_into(y, X + XT);
                self.a.vex(super::vector::MOVUPS_ST, XT, 0, Rm::M(slot));
                self.a.vex(super::vector::MOVUPS, XT, 0, Rm::M(at(RBP, slot.disp + 16)));
                self.a.vex(op, XT, 0, Rm::M(slot));
                return;
            }
        };
        self.a.vex(op, xr, 0, m);
    }
    /// The host's comparison for an `fcmp` or `fl_fcmp` of singles: whether a
    /// quiet NaN raises invalid.
    fn compare_op(i: &Inst) -> u32 {
        let c = FCond::from_u8(i.aux);
        let signal = match i.op {
            Op::fcmp => matches!(c, FCond::Lt | FCond::Le | FCond::EqS),
            _ => c == FCond::EqS,
        };
        if signal { COMIS } else { UCOMIS }
    }
    /// Halves compare as the singles they are; widening a signalling NaN
    /// raises invalid as the comparison would.
    fn half_compare(&mut self, i: &Inst, swap: bool) {
        let (x, y) = if swap { (i.args[1], i.args[0]) } else { (i.args[0], i.args[1]) };
        let slot = at(RBP, self.lay.fallback());
        self.load_into(y, X + XT);
        self.widen_half();
        self.a.vex(super::vector::MOVUPS_ST, XT, 0, Rm::M(slot));
        self.load_into(x, X + XT);
        self.widen_half();
        self.a.vex(Self::compare_op(i), XT, 0, Rm::M(slot));
    }
    /// The half in the temporary as a single, zero for a denormal one if the
    /// mode says so. What is above it is cleared first: the conversion looks
    /// at four.
    fn widen_half(&mut self) {
        self.a.vex(PMOVZXWQ, XT, 0, Rm::R(XT));
        self.a.vex(CVTPH2PS, XT, 0, Rm::R(XT));
        let keep = self.a.label();
        self.a.test_imm(W::D, Rm::M(at(RBP, Layout::disp(Layout::FPMODE))), FLUSH_HALVES);
        self.a.jcc(cc::E, keep);
        self.a.vex(MOVD_R_X, XT, 0, Rm::R(RAX));
        self.a.alu_imm(Alu::And, W::D, Rm::R(RAX), i32::MAX);
        self.a.alu_imm(Alu::Cmp, W::D, Rm::R(RAX), LEAST_NORMAL_HALF);
        self.a.jcc(cc::AE, keep);
        self.a.vex(XORPS, XT, XT, Rm::R(XT));
        self.a.bind(keep);
    }
    fn float_place(&mut self, id: u16) -> Option<Rm> {
        match self.val(id).loc {
            Loc::Reg(h) => Some(Rm::R(h & 15)),
            Loc::Home(off) => Some(Rm::M(at(RBP, Layout::disp(i32::from(off))))),
            Loc::Spill(n) => Some(Rm::M(at(RBP, self.lay.spill(usize::from(n))))),
            Loc::None => None,
        }
    }
    pub(super) fn float_truth(&mut self, id: u16) -> Truth {
        let c = FCond::from_u8(self.inst(id).aux);
        // x < y is y > x: unordered then counts as false.
        let swap = matches!(c, FCond::Lt | FCond::Le | FCond::LtQ | FCond::LeQ);
        self.float_compare(id, swap);
        match c {
            FCond::Eq | FCond::EqS => Truth::And(cc::NP, cc::E),
            FCond::Lt | FCond::LtQ => Truth::One(cc::A),
            FCond::Le | FCond::LeQ => Truth::One(cc::AE),
            FCond::Uno => Truth::One(cc::P),
        }
    }
    /// Truth of a condition on the flags of a floating-point comparison.
    pub(super) fn float_flags_truth(&mut self, f: u16, c: FlagCond) -> Truth {
        let swap = matches!(c, FlagCond::Mi | FlagCond::Pl | FlagCond::Cs | FlagCond::Cc);
        self.float_compare(f, swap);
        match c {
            FlagCond::Eq => Truth::And(cc::NP, cc::E),
            FlagCond::Ne => Truth::Or(cc::P, cc::NE),
            FlagCond::Mi | FlagCond::Cc => Truth::One(cc::A),
            FlagCond::Pl | FlagCond::Cs => Truth::One(cc::BE),
            FlagCond::Vs => Truth::One(cc::P),
            FlagCond::Vc => Truth::One(cc::NP),
            FlagCond::Hi => Truth::Or(cc::P, cc::A),
            FlagCond::Ls => Truth::And(cc::NP, cc::BE),
            FlagCond::Ge => Truth::One(cc::AE),
            FlagCond::Lt => Truth::One(cc::B),
            FlagCond::Gt => Truth::One(cc::A),
            FlagCond::Le => Truth::One(cc::BE),
        }
    }
    /// N, Z, C, V of a floating-point comparison into the temporary, in the
    /// order that `form` gives them, who has them in bits 3 to 0.
    pub(super) fn pack_float_flags(&mut self, f: u16, form: fn(u32) -> u32) {
        self.float_compare(f, false);
        let end = self.a.label();
        for (c, v) in [(cc::A, 2), (cc::P, 3), (cc::E, 6)] {
            self.a.movi(RAX, form(v).into());
            self.a.jcc(c, end);
        }
        self.a.movi(RAX, form(8).into());
        self.a.bind(end);
    }

    // ---- status and control

    /// Sticky flags: those of the header and those of MXCSR.
    fn read_status(&mut self) {
        let m = at(RBP, self.lay.fallback());
        self.a.vex(super::vector::STMXCSR, 3, 0, Rm::M(m));
        self.a.ld(W::D, RAX, m);
        self.a.alu_imm(Alu::And, W::D, Rm::R(RAX), 0x3d);
        self.a.alu(Alu::Or, W::D, RAX, Rm::M(at(RBP, Layout::disp(Layout::FPSTAT))));
    }
    fn write_status(&mut self, i: &Inst) {
        let stat = at(RBP, Layout::disp(Layout::FPSTAT));
        self.load_into(i.args[0], RAX);
        if i.op == Op::or_fpstat {
            self.a.alu_mr(Alu::Or, W::D, stat, RAX);
        } else {
            self.replace_status();
        }
        self.done_all(i);
        self.unlock_all();
    }
    /// The temporary is all there is of sticky flags.
    pub(super) fn replace_status(&mut self) {
        self.a.st(W::D, at(RBP, Layout::disp(Layout::FPSTAT)), RAX);
        let m = at(RBP, self.lay.fallback());
        self.a.vex(super::vector::STMXCSR, 3, 0, Rm::M(m));
        // Loading MXCSR is slow, and needless if it says nothing more.
        let back = self.a.label();
        self.a.not(W::D, RAX);
        self.a.alu_imm(Alu::And, W::D, Rm::R(RAX), 0x3d);
        self.a.test(W::D, RAX, Rm::M(m));
        self.a.jcc(cc::E, back);
        self.a.alu_imm(Alu::And, W::D, Rm::M(m), !0x3f);
        self.a.vex(super::vector::STMXCSR, 2, 0, Rm::M(m));
        self.a.bind(back);
    }
    /// Comparing again raises nothing that stays where a NaN is found.
    fn undo_compare(&mut self, i: &Inst) {
        let [flags, x, y, _] = i.args;
        let flags = self.reg(flags);
        let (t, y_reg) = (self.inst(x).ty, self.reg(y));
        if t == Type::F16 {
            let quiet = Inst { op: Op::fl_fcmp, aux: FCond::Eq as u8, args: [x, y, y, y], ..*i };
            self.half_compare(&quiet, false);
        } else {
            let x_reg = self.reg(x);
            self.ucomis(t, x_reg, y_reg);
        }
        let (label, back) = self.detour(cc::P);
        self.cold.push(Cold::Status { label, back, flags });
        self.a.bind(back);
        self.done_all(i);
        self.unlock_all();
    }
    /// Stores the mode and puts its rounding and flushing bits into MXCSR.
    fn write_mode(&mut self, i: &Inst) {
        let m = at(RBP, self.lay.fallback());
        self.take(RCX);
        self.load_into(i.args[0], RAX);
        self.a.st(W::D, at(RBP, Layout::disp(Layout::FPMODE)), RAX);
        self.a.mov(W::D, RCX, RAX);
        // Two bits for each mode, in order of their numbers.
        self.a.st_imm(W::D, m, 0x270);
        self.a.alu_imm(Alu::And, W::D, Rm::R(RCX), 7);
        self.a.shift_imm(4, W::D, RCX, 1);
        self.a.vex(super::int::SHRX_D, RCX, RCX, Rm::M(m));
        self.a.alu_imm(Alu::And, W::D, Rm::R(RCX), 3);
        self.a.shift_imm(4, W::D, RCX, 13);
        self.a.vex(super::vector::STMXCSR, 3, 0, Rm::M(m));
        self.a.alu_imm(Alu::And, W::D, Rm::M(m), 0x1fbf);
        self.a.alu_mr(Alu::Or, W::D, m, RCX);
        for (bit, shift) in [(8, 12), (16, 2)] {
            self.a.mov(W::D, RCX, RAX);
            self.a.alu_imm(Alu::And, W::D, Rm::R(RCX), bit);
            self.a.shift_imm(4, W::D, RCX, shift);
            self.a.alu_mr(Alu::Or, W::D, m, RCX);
        }
        self.a.vex(super::vector::STMXCSR, 2, 0, Rm::M(m));
        self.done_all(i);
        self.unlock_all();
    }
}
