//! Checks of results for NaN that wait for each other.
//!
//! Where every NaN result is the default one ([`NanRule::Default`]), a result needs a check
//! that the host did not find another. A sum, product, quotient, root or multiply-add of a
//! NaN is a NaN: a chain of them needs one check, that of its end, and one comparison
//! checks two ends. So such a check stays open until somebody could see what it would
//! mend: anything but more such arithmetic, and integers.
//!
//! As long as a check is open its result, and what its cold path evaluates, stay in the
//! registers they are in: [`Compiler::held`].

use remu_ir::{Inst, NanRule, Op, Type};

use super::alloc::Loc;
use super::enc::{Label, RAX, Rm, cc};
use super::float::default_nan;
use super::lower::{Cold, Compiler};
use super::{Host, X, XT};

/// Checks that may be open at a time.
const MOST: usize = 4;

/// A result that was not checked yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    inst: Inst,
    operands: [Host; 3],
    /// Vector register of the result.
    result: u8,
    /// The result must be evaluated, for its flags: otherwise the default NaN is right.
    exact: bool,
    /// A result that is checked is a NaN if this one is.
    covered: bool,
}

impl Compiler<'_> {
    /// Whether the check of an op's result may wait.
    fn may_wait(&self, i: &Inst) -> bool {
        let arithmetic =
            matches!(i.op, Op::fadd | Op::fsub | Op::fmul | Op::fdiv | Op::fsqrt | Op::fma);
        arithmetic
            && matches!(i.ty, Type::F32 | Type::F64)
            && remu_ir::Fp::from_u8(i.aux).nan == NanRule::Default
            && Self::dynamic(i)
            && !self.r.soft_float
    }

    /// Closes open checks before an op is lowered that must not see their results, or might
    /// let others see them.
    pub(super) fn settle_for(&mut self, id: u16, i: &Inst) {
        if self.open.is_empty() {
            return;
        }
        let transparent = match i.op {
            Op::insn | Op::iconst | Op::pcconst | Op::vconst | Op::get => true,
            Op::fneg => self.is_fused_sign(id, i),
            Op::set => {
                let value = self.vals[usize::from(self.root(i.args[0]))].loc;
                let of_open = self.open.iter().any(|c| value == Loc::Reg(X + c.result));
                // The slot's register is where the result is.
                let there = self.pin(i.imm as u16).map(Loc::Reg) == Some(value);
                let kept = matches!(value, Loc::Reg(h) if Self::is_scratch(h));
                // A value that is in no register goes through the temporary.
                let temporary = i.ty.is_vec()
                    && !matches!(value, Loc::Reg(_))
                    && self.held >> (X + XT) & 1 != 0;
                !temporary && (!of_open || there && !kept)
            }
            // Of integers, by instructions that need no vector register.
            Op::add | Op::sub | Op::and | Op::or | Op::xor | Op::not | Op::neg => true,
            Op::shl | Op::shr | Op::sar | Op::sext | Op::zext | Op::trunc | Op::icmp => true,
            _ => self.may_wait(i),
        };
        if !transparent {
            self.settle();
        }
    }

    /// Makes way for an op that may wait and is about to write the register `d`, and the
    /// temporary if it needs that.
    pub(super) fn make_way(&mut self, i: &Inst, operands: &[Host; 3], d: Host, temporary: bool) {
        if self.held >> d & 1 == 0 && !(temporary && self.held >> (X + XT) & 1 != 0) {
            return;
        }
        let uses = |r: u8| operands[..i.op.arity()].contains(&(X + r));
        let waits = self.may_wait(i);
        // A result that is replaced by one made of it needs no check.
        let before = self.open.len();
        let gone = |c: &Check| X + c.result == d && !c.exact && waits && uses(c.result);
        self.open.retain(|c| !gone(c));
        if self.open.len() != before {
            self.hold_registers();
        }
        if self.held >> d & 1 != 0 || (temporary && self.held >> (X + XT) & 1 != 0) {
            self.settle();
        }
    }

    /// The registers that open checks need.
    fn hold_registers(&mut self) {
        self.held = self.open.iter().fold(0, |mask, c| {
            let operands = if c.exact { c.inst.op.arity() } else { 0 };
            let operands = c.operands[..operands].iter().fold(0, |m, &h| m | 1 << h);
            mask | 1 << (X + c.result) | operands
        });
    }

    /// The check of the result of `i` in vector register `result`, now or later.
    pub(super) fn check(&mut self, i: &Inst, result: u8, operands: [Host; 3], exact: bool) {
        if self.open.len() == MOST {
            self.settle();
        }
        for c in &mut self.open {
            let used = operands[..i.op.arity()].contains(&(X + c.result));
            c.covered |= used && c.inst.ty == i.ty;
        }
        self.open.push(Check { inst: *i, operands, result, exact, covered: false });
        self.hold_registers();
        if !self.may_wait(i) {
            self.settle();
        }
    }

    /// Emits the open checks.
    pub(super) fn settle(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (label, back) = (self.a.label(), self.a.label());
        let first = self.checks.len();
        self.checks.append(&mut self.open);
        self.held = 0;
        let mut ends = [(Type::Void, 0); MOST];
        let mut n = 0;
        for c in self.checks[first..].iter().filter(|c| !c.covered) {
            ends[n] = (c.inst.ty, c.result);
            n += 1;
        }
        ends[..n].sort_unstable_by_key(|e| e.0 == Type::F64);
        let mut rest = &ends[..n];
        while let [(t, x), after @ ..] = rest {
            // Unordered if either is a NaN.
            let y = after.first().filter(|e| e.0 == *t).map(|e| e.1);
            rest = if y.is_some() { &after[1..] } else { after };
            self.ucomis(*t, *x, y.unwrap_or(*x));
            self.a.jcc(cc::P, label);
        }
        let last = self.checks.len();
        self.cold.push(Cold::Checks { label, back, checks: (first as u32, last as u32) });
        self.a.bind(back);
    }

    /// The cold path of checks one of which found a NaN: all are made, in order.
    pub(super) fn make_checks(&mut self, label: Label, back: Label, checks: (u32, u32)) {
        self.a.bind(label);
        for n in checks.0..checks.1 {
            let c = self.checks[n as usize];
            let next = self.a.label();
            if checks.1 - checks.0 > 1 {
                self.ucomis(c.inst.ty, c.result, c.result);
                self.a.jcc(cc::NP, next);
            }
            if c.exact {
                self.eval_call(&c.inst, &c.operands, X + c.result);
            } else {
                self.a.movi(RAX, default_nan(c.inst.ty));
                self.a.vex(super::vector::MOVQ_X_R, c.result, 0, Rm::R(RAX));
            }
            self.a.bind(next);
        }
        self.a.jmp(back);
    }
}
