//! Flags in the host's flags register.
//!
//! The analysis says which flags ops are computed where they stand: at once,
//! because nothing changes the host's flags before their last use, or saved,
//! because a carry that they need will be gone. Such an op and the value it
//! belongs to are one instruction, and a chain of additions with carry is one
//! `adc` each. All other flags ops are deferred, see `truth.rs`.
//!
//! In memory - slots and saved flags - flags have the host's order, which is
//! cheap both ways: [`Layout::RAW_NZCV`].

use remu_ir::passes::condition_on;
use remu_ir::{Addr, Cond, FlagCond, Inst, Op, Order, Region, Slot, Type};

use super::alloc::{NO_SPILL, NOBODY, wide};
use super::enc::{Alu, Mem, RAX, RBP, Rm, W, at, cc};
use super::int::{ANDN_D, PDEP_D, PEXT_D, SARX_D, SHLX_D, SHRX_D, reg_of, vex_w};
use super::lower::Compiler;
use super::truth::{Truth, after_add, after_sub, host_cond};
use crate::Layout;

/// Flags that the host's flags hold for as long as they last.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostFlags {
    /// The flags value.
    of: u16,
    /// CF is the inverse of C.
    inverted: bool,
    /// The value whose operation left them, if they are no flags value's.
    result: u16,
}

impl HostFlags {
    pub(super) const NONE: HostFlags = HostFlags { of: NOBODY, inverted: false, result: NOBODY };
}

/// A flags slot to be written with the host's flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdgeFlags {
    slot: u16,
    /// CF is the inverse of C.
    inverted: bool,
}

/// Raw flags from N, Z, C, V in bits 3 to 0.
const fn raw(nzcv: u32) -> u32 {
    (nzcv & 8) << 12 | (nzcv & 4) << 12 | (nzcv & 2) << 7 | (nzcv & 1)
}

impl Compiler<'_> {
    /// Which ops keep the host's flags: `remu_ir::passes::KeepsFlags`. What is
    /// lowered here with the flags pending must use instructions that keep them.
    pub fn keeps_flags(r: &Region, i: &Inst) -> bool {
        let constant = |n: usize| r.insts[usize::from(i.args[n])].op == Op::iconst;
        match i.op {
            Op::insn | Op::iconst | Op::pcconst | Op::vconst | Op::get | Op::set => true,
            Op::trunc | Op::zext | Op::sext | Op::bswap => true,
            Op::add | Op::sub | Op::not | Op::mul | Op::mulhu => true,
            Op::shl | Op::shr | Op::sar => true,
            Op::rotr | Op::rotl => constant(1),
            Op::extract | Op::sextract => (i.imm & 0xff) == 0 && matches!(i.imm >> 8, 8 | 16 | 32),
            Op::load | Op::load_joint | Op::store => {
                let a = Addr::of(i);
                !a.mem.aligned && !a.mem.big && (i.op != Op::store || a.order != Order::SeqCst)
            }
            Op::brcond | Op::exit_if | Op::movcond | Op::boolint => true,
            // Deferred.
            Op::icmp | Op::band | Op::bor | Op::bxor | Op::bnot => true,
            Op::fl_pack | Op::fl_cond | Op::fl_select => true,
            _ => false,
        }
    }
    /// Whether the host's flags are those of a flags value.
    pub(super) fn flags_held(&self, f: u16) -> bool {
        self.host_flags.of == f && self.a.has_flags()
    }
    /// Whether the host's flags hold something that is needed later.
    pub(super) fn flags_pending(&self) -> bool {
        self.a.has_flags()
            && self.vals.get(usize::from(self.host_flags.of)).is_some_and(|v| v.uses > 0)
    }
    fn hold(&mut self, f: u16, inverted: bool) {
        self.host_flags = HostFlags { of: f, inverted, result: NOBODY };
        self.a.note_flags();
    }
    /// The instruction that computed `v` has just left its flags. Nobody may need those before.
    pub(super) fn hold_result(&mut self, v: u16) {
        self.host_flags = HostFlags { result: v, ..HostFlags::NONE };
        self.a.note_flags();
    }
    /// The host condition for a comparison if the flags are there already, left by the operation
    /// that computed one of its operands.
    pub(super) fn known_condition(&self, i: &Inst) -> Option<u8> {
        let v = self.host_flags.result;
        if v == NOBODY || !self.a.has_flags() {
            return None;
        }
        let c = Cond::from_u8(i.aux);
        let [x, y] = [i.args[0], i.args[1]];
        let by = self.inst(v);
        if self.inst(x).ty != by.ty {
            return None;
        }
        let same = |a: u16, b: u16| self.root(a) == self.root(b);
        match c {
            // A sum below one of what was added has carried.
            Cond::Ltu | Cond::Geu
                if by.op == Op::add
                    && same(x, v)
                    && (same(y, by.args[0]) || same(y, by.args[1])) =>
            {
                Some(if c == Cond::Ltu { cc::B } else { cc::AE })
            }
            Cond::TstEq | Cond::TstNe => None,
            _ if by.op == Op::sub && same(x, by.args[0]) && same(y, by.args[1]) => {
                Some(host_cond(c))
            }
            Cond::Eq | Cond::Ne if same(x, v) && self.r.const_of(self.root(y)) == Some(0) => {
                Some(host_cond(c))
            }
            _ => None,
        }
    }
    /// Whether a comparison close behind asks for the carry of a sum.
    pub(super) fn carry_is_wanted(&self, id: u16, i: &Inst) -> bool {
        const NEAR: usize = 12;
        self.vals[usize::from(id)].uses > 1
            && self.r.insts[usize::from(id)..].iter().take(NEAR).any(|n| {
                n.op == Op::icmp
                    && n.args[0] == id
                    && matches!(Cond::from_u8(n.aux), Cond::Ltu | Cond::Geu)
                    && (n.args[1] == i.args[0] || n.args[1] == i.args[1])
            })
    }

    // ---- computing

    /// Computes flags where they stand, with the value that they belong to.
    pub(super) fn place_flags(&mut self, f: u16, value: Option<u16>, save: bool) {
        let i = self.inst(f);
        let inverted = matches!(i.op, Op::fl_sub | Op::fl_sbc);
        match value {
            Some(v) => self.with_flags(v, &i, f),
            None => {
                self.emit_flags(f);
                self.done_all(&i);
                self.unlock_all();
                self.hold(f, inverted);
            }
        }
        self.vals[usize::from(f)].placed = true;
        if save {
            self.raw_of(f);
            let n = self.spill_slot();
            let m = at(RBP, self.lay.spill(usize::from(n)));
            self.a.st(W::D, m, RAX);
            self.spilled_to(f, n);
        }
    }
    /// The value `v` and its flags `f`.
    fn with_flags(&mut self, v: u16, f_inst: &Inst, f: u16) {
        let vi = self.inst(v);
        if f_inst.op != Op::fl_logic {
            // The flags op has the operands as the guest had them.
            let alu = match f_inst.op {
                Op::fl_add => Alu::Add,
                Op::fl_sub => Alu::Sub,
                Op::fl_adc => Alu::Adc,
                _ => Alu::Sbb,
            };
            self.alu_with_carry(alu, v, f_inst, Some((f, vi)));
            return;
        }
        let w = wide(vi.ty);
        if vi.op == Op::and {
            let x = self.rm(vi.args[0]);
            let imm = self.imm(vi.args[1]);
            let y = if imm.is_some() { None } else { Some(self.rm(vi.args[1])) };
            self.done_all(&vi);
            let d = self.dest(v, reg_of(x));
            match (imm, y) {
                (_, Some(y)) if y == Rm::R(d) => self.a.alu(Alu::And, w, d, x),
                (_, Some(y)) => {
                    self.move_in(w, d, x);
                    self.a.alu(Alu::And, w, d, y);
                }
                (c, None) => {
                    self.move_in(w, d, x);
                    self.a.alu_imm(Alu::And, w, Rm::R(d), c.unwrap_or(0));
                }
            }
            self.hold(f, false);
            self.computed(v, d);
        } else {
            let (x, y) = (self.rm(vi.args[0]), self.reg(vi.args[1]));
            self.done_all(&vi);
            let d = self.dest(v, reg_of(x));
            self.a.vex(vex_w(ANDN_D, w), d, y, x);
            self.hold(f, false);
            self.computed(v, d);
        }
        self.done_all(f_inst);
        self.unlock_all();
    }
    /// `v = x op y`, with carry for `adc` and `sbb`; `i` has the operands. `pair`:
    /// the flags op, whose operands these are, and the instruction of `v`.
    pub(super) fn alu_with_carry(&mut self, a: Alu, v: u16, i: &Inst, pair: Option<(u16, Inst)>) {
        let w = wide(self.inst(v).ty);
        let [mut x, mut y, c, _] = i.args;
        let commutes = matches!(a, Alu::Add | Alu::Adc);
        if commutes && self.const_of(x).is_some() {
            (x, y) = (y, x);
        }
        let xs = self.rm(x);
        let imm = self.imm(y);
        let ys = if imm.is_some() { None } else { Some(self.rm(y)) };
        if matches!(a, Alu::Adc | Alu::Sbb) {
            self.carry(c, a == Alu::Sbb);
            // Only moves until it is used.
            self.host_flags = HostFlags::NONE;
        }
        self.done_all(i);
        if let Some((_, vi)) = &pair {
            self.done_all(vi);
        }
        let d = self.dest(v, reg_of(xs));
        let mut from = d;
        match ys {
            None => {
                self.move_in(w, d, xs);
                self.a.alu_imm(a, w, Rm::R(d), imm.unwrap_or(0));
            }
            Some(y) if y == Rm::R(d) && xs != Rm::R(d) => {
                if commutes {
                    self.a.alu(a, w, d, xs);
                } else {
                    self.move_in(w, RAX, xs);
                    self.a.alu(a, w, RAX, y);
                    from = RAX;
                }
            }
            Some(y) => {
                self.move_in(w, d, xs);
                self.a.alu(a, w, d, y);
            }
        }
        if let Some((f, _)) = pair {
            self.hold(f, !commutes);
        }
        self.a.mov(w, d, from);
        self.computed(v, d);
    }
    /// CF = a truth value, or its inverse. Uses the temporary, changes no register else.
    pub(super) fn carry(&mut self, c: u16, mut invert: bool) {
        let mut id = c;
        while self.inst(id).op == Op::bnot {
            (id, invert) = (self.inst(id).args[0], !invert);
        }
        let i = self.inst(id);
        let cond = FlagCond::from_u8(i.aux);
        if i.op != Op::fl_cond || !matches!(cond, FlagCond::Cs | FlagCond::Cc) {
            self.materialize(id, RAX);
            if invert {
                self.a.alu_imm(Alu::Cmp, W::D, Rm::R(RAX), 1);
            } else {
                self.a.alu_imm(Alu::Add, W::D, Rm::R(RAX), -1);
            }
            return;
        }
        let f = i.args[0];
        invert ^= cond == FlagCond::Cc;
        let inverted = if self.flags_held(f) {
            self.host_flags.inverted
        } else if let Some(m) = self.stored(f) {
            self.a.bt(m, Layout::RAW_C);
            false
        } else if matches!(self.inst(f).op, Op::fl_add | Op::fl_sub) {
            self.emit_flags(f);
            self.inst(f).op == Op::fl_sub
        } else {
            self.raw_of(f);
            self.a.bt(Rm::R(RAX), Layout::RAW_C);
            false
        };
        if inverted != invert {
            self.a.cmc();
        }
    }

    /// Ops whose usual code changes flags, while the host's are needed later.
    pub(super) fn keeping_flags(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let [x, y, ..] = i.args;
        match i.op {
            Op::not => {
                let s = self.rm(x);
                self.done_all(i);
                let d = self.dest(id, reg_of(s));
                self.move_in(w, d, s);
                self.a.not(w, d);
                self.computed(id, d);
            }
            Op::sub => {
                // x + !y + 1
                let xs = self.reg(x);
                self.load_temp(y);
                self.a.not(w, RAX);
                self.done_all(i);
                let d = self.dest(id, Some(xs));
                self.a.lea(w, d, Mem { base: xs, index: Some(RAX), scale: 0, disp: 1 });
                self.computed(id, d);
            }
            Op::mul => self.mulx(id, i, false),
            _ => {
                let op = match i.op {
                    Op::shl => SHLX_D,
                    Op::shr => SHRX_D,
                    _ => SARX_D,
                };
                let xs = self.rm(x);
                let n = match self.const_of(y) {
                    Some(c) => {
                        self.a.movi(RAX, c);
                        RAX
                    }
                    None => self.reg(y),
                };
                self.done_all(i);
                let d = self.dest(id, reg_of(xs));
                self.a.vex(vex_w(op, w), d, n, xs);
                self.computed(id, d);
            }
        }
    }

    // ---- in memory

    /// Where flags are that were read from a slot or saved.
    fn stored(&mut self, f: u16) -> Option<Rm> {
        let v = self.vals[usize::from(f)];
        (v.placed || self.inst(f).op == Op::get).then_some(())?;
        self.place_or(f, v.loc)
    }
    /// Flags into the temporary as memory has them.
    pub(super) fn raw_of(&mut self, f: u16) {
        if self.flags_held(f) {
            if self.host_flags.inverted {
                self.a.cmc();
                self.host_flags.inverted = false;
            }
            self.a.lahf_seto();
            return;
        }
        if let Some(m) = self.stored(f) {
            return self.a.mov_rm(W::D, RAX, m);
        }
        let i = self.inst(f);
        match i.op {
            Op::fl_pack => match self.const_of(i.args[0]) {
                Some(c) => self.a.movi(RAX, raw((c >> 28) as u32 & 15).into()),
                None => {
                    self.load_into(i.args[0], RAX);
                    self.scatter();
                }
            },
            Op::fl_select => {
                let (no, end) = (self.a.label(), self.a.label());
                self.branch(i.args[0], false, no);
                self.raw_of(i.args[1]);
                self.a.jmp(end);
                self.a.drop_flags();
                self.a.bind(no);
                self.raw_of(i.args[2]);
                self.a.bind(end);
                self.a.drop_flags();
            }
            Op::fl_fcmp => self.pack_float_flags(f, raw),
            _ => {
                debug_assert!(!self.vals[usize::from(f)].placed, "flags are lost");
                self.emit_flags(f);
                self.hold(f, matches!(i.op, Op::fl_sub | Op::fl_sbc));
                self.raw_of(f);
            }
        }
    }
    /// Packed flags in the temporary to raw ones.
    fn scatter(&mut self) {
        self.a.shift_imm(5, W::D, RAX, 28);
        let mask = at(RBP, self.lay.fallback());
        self.a.st_imm(W::D, mask, Layout::RAW_NZCV);
        self.a.vex(PDEP_D, RAX, RAX, Rm::M(mask));
    }
    /// N, Z, C, V into bits 31 to 28 of the temporary.
    pub(super) fn pack_flags(&mut self, f: u16) {
        let i = self.inst(f);
        match i.op {
            Op::fl_pack => {
                self.load_into(i.args[0], RAX);
                self.a.alu_imm(Alu::And, W::D, Rm::R(RAX), 0xf000_0000u32 as i32);
            }
            Op::fl_fcmp => self.pack_float_flags(f, |nzcv| nzcv << 28),
            _ => {
                self.raw_of(f);
                let mask = at(RBP, self.lay.fallback());
                self.a.st_imm(W::D, mask, Layout::RAW_NZCV);
                self.a.vex(PEXT_D, RAX, RAX, Rm::M(mask));
                self.a.shift_imm(4, W::D, RAX, 28);
            }
        }
    }
    /// Lowers `set` of a flags slot.
    pub(super) fn set_flags(&mut self, slot: Slot, id: u16) {
        self.vacate_home(slot);
        self.raw_of(id);
        self.a.st(W::D, at(RBP, Layout::disp(i32::from(slot.offset))), RAX);
        self.done(id);
        self.unlock_all();
    }

    // ---- on the edges of branches

    /// Lowers a `set` of flags that only taken branches on them show.
    pub(super) fn set_at_edges(&mut self, id: u16) {
        let i = self.inst(id);
        let (slot, f) = (i.imm as u16, i.args[0]);
        self.forget_edges(slot);
        let saved = self.vals[usize::from(f)].spill != NO_SPILL;
        if saved || self.at_edges.is_some() {
            return self.set_flags(Slot { offset: slot, ty: Type::Flags }, f);
        }
        self.at_edges = Some((slot, f));
        self.done(f);
        self.unlock_all();
    }
    /// A flags slot is written.
    pub(super) fn forget_edges(&mut self, slot: u16) {
        if self.at_edges.is_some_and(|(s, _)| s == slot) {
            self.at_edges = None;
        }
    }
    /// The slot that a branch has to write where it is taken, to a block of the
    /// region or out of it.
    pub(super) fn edge_slot(&self, i: &Inst, to: Option<usize>) -> Option<u16> {
        let (slot, f) = self.at_edges?;
        let shown = to.is_none_or(|n| self.live.reads_flags(n, slot));
        (shown && condition_on(self.r, i) == Some(f)).then_some(slot)
    }
    /// What to write there, behind the branch.
    pub(super) fn edge_flags(&self, slot: u16) -> EdgeFlags {
        debug_assert!(self.a.has_flags(), "flags are lost");
        EdgeFlags { slot, inverted: self.host_flags.inverted }
    }
    pub(super) fn write_edge(&mut self, e: EdgeFlags) {
        if e.inverted {
            self.a.cmc();
        }
        self.a.lahf_seto();
        self.a.st(W::D, at(RBP, Layout::disp(i32::from(e.slot))), RAX);
    }

    // ---- conditions

    /// A condition on flags, if the host has one for it.
    pub(super) fn simple_flags(&mut self, f: u16, c: FlagCond) -> Option<Truth> {
        if self.flags_held(f) {
            let logic = self.inst(f).op == Op::fl_logic;
            return Some(match c {
                // C is 0.
                FlagCond::Hi if logic => Truth::One(cc::B),
                FlagCond::Ls if logic => Truth::One(cc::AE),
                _ if self.host_flags.inverted => Truth::One(after_sub(c)),
                _ => after_add(c),
            });
        }
        if let Some(m) = self.stored(f) {
            return Some(self.raw_truth(f, m, c));
        }
        let op = self.inst(f).op;
        match op {
            Op::fl_fcmp => Some(self.float_flags_truth(f, c)),
            Op::fl_select => None,
            Op::fl_sub | Op::fl_add | Op::fl_adc | Op::fl_sbc | Op::fl_logic => {
                debug_assert!(!self.vals[usize::from(f)].placed, "flags are lost");
                self.emit_flags(f);
                self.hold(f, matches!(op, Op::fl_sub | Op::fl_sbc));
                self.simple_flags(f, c)
            }
            _ => {
                self.raw_of(f);
                Some(self.raw_truth(f, Rm::R(RAX), c))
            }
        }
    }
    /// A condition on flags `f`, whose raw form is at `m`.
    fn raw_truth(&mut self, f: u16, m: Rm, c: FlagCond) -> Truth {
        let bit = match FlagCond::from_u8(c as u8 & !1) {
            FlagCond::Mi => 8,
            FlagCond::Eq => 4,
            FlagCond::Cs => 2,
            FlagCond::Vs => 1,
            _ => {
                if m != Rm::R(RAX) {
                    self.a.mov_rm(W::D, RAX, m);
                }
                self.a.sahf_addo();
                self.hold(f, false);
                return after_add(c);
            }
        };
        self.a.test_imm(W::D, m, raw(bit) as i32);
        Truth::One(if c as u8 & 1 == 0 { cc::NE } else { cc::E })
    }
}
