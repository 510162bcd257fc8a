//! Conditions and flags. They are deferred: nothing is emitted where a
//! comparison stands; its user compares and consumes the host's flags at once.

use remu_ir::{Cond, FCond, FlagCond, Op, Type};

use super::alloc::{Loc, wide};
use super::enc::{Alu, Label, Mem, RAX, RBP, Reg, Rm, W, at, cc};
use super::lower::Compiler;
use super::{Host, X};
use crate::Layout;

/// The host conditions that say a truth value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Truth {
    One(u8),
    And(u8, u8),
    Or(u8, u8),
}

impl Truth {
    fn negate(self) -> Truth {
        match self {
            Truth::One(c) => Truth::One(c ^ 1),
            Truth::And(a, b) => Truth::Or(a ^ 1, b ^ 1),
            Truth::Or(a, b) => Truth::And(a ^ 1, b ^ 1),
        }
    }
}

pub(super) fn host_cond(c: Cond) -> u8 {
    match c {
        Cond::Eq | Cond::TstEq => cc::E,
        Cond::Ne | Cond::TstNe => cc::NE,
        Cond::Lt => cc::L,
        Cond::Ge => cc::GE,
        Cond::Le => cc::LE,
        Cond::Gt => cc::G,
        Cond::Ltu => cc::B,
        Cond::Geu => cc::AE,
        Cond::Leu => cc::BE,
        Cond::Gtu => cc::A,
    }
}

/// Host condition after a subtraction (or comparison).
pub(super) fn after_sub(c: FlagCond) -> u8 {
    match c {
        FlagCond::Eq => cc::E,
        FlagCond::Ne => cc::NE,
        FlagCond::Cs => cc::AE,
        FlagCond::Cc => cc::B,
        FlagCond::Mi => cc::S,
        FlagCond::Pl => cc::NS,
        FlagCond::Vs => cc::O,
        FlagCond::Vc => cc::NO,
        FlagCond::Hi => cc::A,
        FlagCond::Ls => cc::BE,
        FlagCond::Ge => cc::GE,
        FlagCond::Lt => cc::L,
        FlagCond::Gt => cc::G,
        FlagCond::Le => cc::LE,
    }
}

/// After an addition the host's carry is the guest's.
pub(super) fn after_add(c: FlagCond) -> Truth {
    match c {
        FlagCond::Cs => Truth::One(cc::B),
        FlagCond::Cc => Truth::One(cc::AE),
        FlagCond::Hi => Truth::And(cc::B, cc::NE),
        FlagCond::Ls => Truth::Or(cc::AE, cc::E),
        c => Truth::One(after_sub(c)),
    }
}

/// Whether a condition holds for packed flags in bits 3 to 0.
fn holds(c: FlagCond, nzcv: u32) -> bool {
    let (n, z, carry, v) = (nzcv & 8 != 0, nzcv & 4 != 0, nzcv & 2 != 0, nzcv & 1 != 0);
    let base = match FlagCond::from_u8(c as u8 & !1) {
        FlagCond::Eq => z,
        FlagCond::Cs => carry,
        FlagCond::Mi => n,
        FlagCond::Vs => v,
        FlagCond::Hi => carry && !z,
        FlagCond::Ge => n == v,
        _ => !z && n == v,
    };
    base ^ (c as u8 & 1 != 0)
}

impl Compiler<'_> {
    /// Whether a value is computed where it is used.
    pub(super) fn is_deferred(&self, id: u16) -> bool {
        let i = self.inst(id);
        matches!(i.ty, Type::Bool | Type::Flags)
            && i.op != Op::get
            && !self.vals[usize::from(id)].placed
    }
    /// The last use of a deferred value is over: so are its own uses.
    pub(super) fn release_deferred(&mut self, id: u16) {
        let i = self.inst(id);
        self.done_all(&i);
    }
    /// A deferred op that nobody uses but whose floating-point flags count.
    pub(super) fn lower_deferred(&mut self, id: u16) {
        let i = self.inst(id);
        let fp = matches!(i.op, Op::fcmp | Op::fl_fcmp);
        let v = self.vals[usize::from(id)];
        let unused = v.uses == 0;
        // The flags are raised here and now unless the one user follows at once:
        // elsewhere it might be skipped, or come behind a look at the flags.
        let next = self.r.insts.get(usize::from(id) + 1);
        let at_once = v.uses == 1
            && next.is_some_and(|n| {
                n.args[0] == id && matches!(n.op, Op::boolint | Op::brcond | Op::movcond)
            });
        if fp && self.r.soft_float {
            self.evaluate_flags(&i);
        } else if fp && !at_once {
            self.float_compare(id, false);
        }
        if unused {
            self.done_all(&i);
        }
        self.unlock_all();
    }

    // ---- comparing

    /// `alu x, y` for flags only; `a` is Cmp, or And for a test. `discard`:
    /// the operation writes its result, so it works on the temporary.
    fn compare(&mut self, a: Alu, w: W, x: u16, y: u16) {
        let (xl, yl) = (self.val(x).loc, self.val(y).loc);
        if let Some(v) = self.imm(y) {
            let xr = self.place_of(x, xl);
            match (a, xr) {
                (Alu::Cmp, Rm::R(r)) if v == 0 => self.a.test(w, r, Rm::R(r)),
                (Alu::Cmp, m) => self.a.alu_imm(a, w, m, v),
                (_, m) => self.a.test_imm(w, m, v),
            }
            return;
        }
        let yr = self.place_or(y, yl);
        match (self.place_or(x, xl), yr) {
            (Some(Rm::R(r)), Some(m)) => self.flags_op(a, w, r, m),
            (Some(Rm::M(m)), Some(Rm::R(r))) => self.flags_op_mem(a, w, m, r),
            (Some(Rm::M(_)) | None, Some(m)) => {
                let r = self.load_temp(x);
                self.flags_op(a, w, r, m);
            }
            (Some(Rm::R(r)), None) => {
                let t = self.load_temp(y);
                self.flags_op(a, w, r, Rm::R(t));
            }
            (Some(Rm::M(m)), None) => {
                let t = self.load_temp(y);
                self.flags_op_mem(a, w, m, t);
            }
            (None, None) => {
                // Two constants that do not fit: through the scratch memory.
                let m = at(RBP, self.lay.fallback());
                let t = self.load_temp(y);
                self.a.st(W::Q, m, t);
                let r = self.load_temp(x);
                self.flags_op(a, w, r, Rm::M(m));
            }
        }
    }
    fn flags_op(&mut self, a: Alu, w: W, r: Reg, m: Rm) {
        if a == Alu::And { self.a.test(w, r, m) } else { self.a.alu(a, w, r, m) }
    }
    fn flags_op_mem(&mut self, a: Alu, w: W, m: Mem, r: Reg) {
        if a == Alu::And { self.a.test(w, r, Rm::M(m)) } else { self.a.alu_mr(a, w, m, r) }
    }
    /// The operand where it is, without allocating; `None` for a constant.
    pub(super) fn place_or(&self, id: u16, loc: Loc) -> Option<Rm> {
        let _ = id;
        match loc {
            Loc::Reg(h) => Some(Rm::R(h & 15)),
            Loc::Home(off) => Some(Rm::M(at(RBP, Layout::disp(i32::from(off))))),
            Loc::Spill(n) => Some(Rm::M(at(RBP, self.lay.spill(usize::from(n))))),
            Loc::None => None,
        }
    }
    /// The same, constants in the temporary.
    fn place_of(&mut self, id: u16, loc: Loc) -> Rm {
        match self.place_or(id, loc) {
            Some(m) => m,
            None => Rm::R(self.load_temp(id)),
        }
    }

    /// Emits the host comparison for a truth value that needs only one.
    fn simple(&mut self, id: u16) -> Option<Truth> {
        let i = self.inst(id);
        match i.op {
            Op::icmp => {
                if let Some(c) = self.known_condition(&i) {
                    return Some(Truth::One(c));
                }
                let c = Cond::from_u8(i.aux);
                let w = wide(self.inst(i.args[0]).ty);
                let a = if matches!(c, Cond::TstEq | Cond::TstNe) { Alu::And } else { Alu::Cmp };
                self.compare(a, w, i.args[0], i.args[1]);
                Some(Truth::One(host_cond(c)))
            }
            Op::bnot => Some(self.simple(i.args[0])?.negate()),
            Op::fcmp => Some(self.float_truth(id)),
            Op::fl_cond => self.simple_flags(i.args[0], FlagCond::from_u8(i.aux)),
            _ => None,
        }
    }

    /// Sets the host's flags as a flags op of integers says.
    pub(super) fn emit_flags(&mut self, f: u16) {
        let i = self.inst(f);
        let w = wide(self.inst(i.args[0]).ty);
        match i.op {
            Op::fl_sub => self.compare(Alu::Cmp, w, i.args[0], i.args[1]),
            Op::fl_logic => {
                let r = self.reg_or_temp(i.args[0]);
                self.a.test(w, r, Rm::R(r));
            }
            Op::fl_add => {
                self.load_temp(i.args[0]);
                self.temp_op(Alu::Add, w, i.args[1]);
            }
            Op::fl_adc | Op::fl_sbc => {
                let sub = i.op == Op::fl_sbc;
                self.carry(i.args[2], sub);
                // Moves keep the carry.
                self.load_temp(i.args[0]);
                self.temp_op(if sub { Alu::Sbb } else { Alu::Adc }, w, i.args[1]);
            }
            _ => {}
        }
    }
    /// `alu rax, y`.
    fn temp_op(&mut self, a: Alu, w: W, y: u16) {
        let loc = self.val(y).loc;
        match (self.imm(y), self.place_or(y, loc)) {
            (Some(v), _) => self.a.alu_imm(a, w, Rm::R(RAX), v),
            (None, Some(m)) => self.a.alu(a, w, RAX, m),
            (None, None) => {
                let m = at(RBP, self.lay.fallback());
                let c = self.const_of(y).unwrap_or(0);
                self.a.st_imm(W::D, m, c as i32);
                self.a.st_imm(W::D, at(RBP, m.disp + 4), (c >> 32) as i32);
                self.a.alu(a, w, RAX, Rm::M(m));
            }
        }
    }
    // ---- using

    fn jump_if(&mut self, t: Truth, l: Label) {
        match t {
            Truth::One(c) => self.a.jcc(c, l),
            Truth::Or(a, b) => {
                self.a.jcc(a, l);
                self.a.jcc(b, l);
            }
            Truth::And(a, b) => {
                let skip = self.a.jcc_short(a ^ 1);
                self.a.jcc(b, l);
                self.a.patch_short(skip);
            }
        }
    }
    /// Jumps to `l` if the truth value is `want`. Uses only the temporaries.
    pub(super) fn branch(&mut self, id: u16, want: bool, l: Label) {
        let i = self.inst(id);
        match i.op {
            Op::bnot => self.branch(i.args[0], !want, l),
            Op::band | Op::bor => {
                // `and` is decided by a false operand, `or` by a true one.
                let decisive = i.op == Op::bor;
                if want == decisive {
                    self.branch(i.args[0], want, l);
                    self.branch(i.args[1], want, l);
                } else {
                    let skip = self.a.label();
                    self.branch(i.args[0], decisive, skip);
                    self.branch(i.args[1], want, l);
                    self.a.bind(skip);
                }
                self.a.drop_flags();
            }
            Op::bxor => {
                let (turned, end) = (self.a.label(), self.a.label());
                self.branch(i.args[0], true, turned);
                self.branch(i.args[1], want, l);
                self.a.jmp(end);
                self.a.drop_flags();
                self.a.bind(turned);
                self.branch(i.args[1], !want, l);
                self.a.bind(end);
                self.a.drop_flags();
            }
            Op::fl_cond => self.branch_flags(i.args[0], FlagCond::from_u8(i.aux), want, l),
            _ => {
                if let Some(t) = self.simple(id) {
                    self.jump_if(if want { t } else { t.negate() }, l);
                }
            }
        }
    }
    fn branch_flags(&mut self, f: u16, c: FlagCond, want: bool, l: Label) {
        let i = self.inst(f);
        match i.op {
            Op::fl_select => {
                let (no, end) = (self.a.label(), self.a.label());
                self.branch(i.args[0], false, no);
                self.branch_flags(i.args[1], c, want, l);
                self.a.jmp(end);
                self.a.drop_flags();
                self.a.bind(no);
                self.branch_flags(i.args[2], c, want, l);
                self.a.bind(end);
                self.a.drop_flags();
            }
            Op::fl_pack if self.const_of(i.args[0]).is_some() => {
                let v = self.const_of(i.args[0]).unwrap_or(0);
                if holds(c, (v >> 28) as u32 & 15) == want {
                    self.a.jmp(l);
                }
            }
            _ => {
                if let Some(t) = self.simple_flags(f, c) {
                    self.jump_if(if want { t } else { t.negate() }, l);
                }
            }
        }
    }
    /// A deferred value into an integer register: 0 or 1 for a truth value,
    /// packed flags. Uses the temporaries.
    pub(super) fn materialize(&mut self, id: u16, h: Host) {
        let i = self.inst(id);
        if i.ty == Type::Flags {
            self.pack_flags(id);
            self.a.mov(W::D, h, RAX);
            return;
        }
        match self.simple(id) {
            Some(t) => self.truth_into(t, h),
            None => {
                let (yes, end) = (self.a.label(), self.a.label());
                self.branch(id, true, yes);
                self.a.movi(RAX, 0);
                self.a.jmp(end);
                self.a.bind(yes);
                self.a.movi(RAX, 1);
                self.a.bind(end);
                self.a.mov(W::D, h, RAX);
            }
        }
    }

    /// A truth value of the host's flags as 0 or 1.
    fn truth_into(&mut self, t: Truth, h: Host) {
        if let Truth::One(c) = t {
            return self.set_if(c, h);
        }
        let yes = self.a.label();
        self.a.movi(RAX, 1);
        self.jump_if(t, yes);
        self.a.movi(RAX, 0);
        self.a.bind(yes);
        self.a.mov(W::D, h, RAX);
    }
    /// The same for one condition. The register is cleared first, or the result would
    /// depend on what was in it.
    fn set_if(&mut self, c: u8, h: Host) {
        self.a.movi(h, 0);
        self.a.setcc(c, h);
    }

    /// Lowers `movcond`.
    pub(super) fn movcond(&mut self, id: u16) {
        let i = self.inst(id);
        let [c, t, f, _] = i.args;
        let vec = i.ty.is_vec();
        let (tr, fr) = (self.reg(t), self.reg(f));
        let simple = if vec || self.branchy(c) { None } else { self.simple(c) };
        let class = if vec { X } else { 0 };
        if let Some(Truth::One(k)) = simple {
            self.done_all(&i);
            let w = wide(i.ty);
            let d = self.dest(id, None);
            if d == tr {
                self.a.cmov(k ^ 1, w, d, Rm::R(fr));
            } else {
                self.a.mov(w, d, fr);
                self.a.cmov(k, w, d, Rm::R(tr));
            }
            self.finish(id, d);
            return;
        }
        // The destination may be an operand of the comparison: choose between
        // copies in the temporary, then move.
        let (yes, end) = (self.a.label(), self.a.label());
        let temp = class;
        match simple {
            Some(k) => self.jump_if(k, yes),
            None => self.branch(c, true, yes),
        }
        self.copy(temp, class + fr, Type::I64);
        self.a.jmp(end);
        self.a.bind(yes);
        self.copy(temp, class + tr, Type::I64);
        self.a.bind(end);
        self.done_all(&i);
        let d = self.dest(id, None);
        self.copy(d, temp, Type::I64);
        self.finish(id, d);
    }
    /// Whether evaluating a condition takes jumps.
    fn branchy(&self, c: u16) -> bool {
        let i = self.inst(c);
        match i.op {
            Op::bnot => self.branchy(i.args[0]),
            Op::band | Op::bor | Op::bxor => true,
            Op::fl_cond => self.inst(i.args[0]).op == Op::fl_select,
            Op::fcmp => FCond::from_u8(i.aux) == FCond::Eq || FCond::from_u8(i.aux) == FCond::EqS,
            _ => false,
        }
    }
    /// Lowers `boolint` and `fl_unpack`.
    pub(super) fn boolint(&mut self, id: u16) {
        let i = self.inst(id);
        let c = i.args[0];
        // The comparison stands before the result's register is chosen, which may
        // be one of its operands'.
        let truth = if self.inst(c).ty == Type::Bool { self.simple(c) } else { None };
        if let Some(Truth::One(k)) = truth {
            self.done_all(&i);
            let d = self.dest(id, None);
            self.set_if(k, d);
            self.vals[usize::from(id)].zero_high = true;
            return self.finish(id, d);
        }
        match truth {
            Some(t) => self.truth_into(t, RAX),
            None => self.materialize(c, RAX),
        }
        self.done_all(&i);
        let d = self.dest(id, None);
        self.a.mov(W::D, d, RAX);
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
    }
}
