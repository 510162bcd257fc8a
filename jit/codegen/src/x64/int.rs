//! Integer ops.

use remu_ir::{DivZero, Effects, Inst, MemOp, Op, Type};

use super::Host;
use super::alloc::{Loc, NO_HOST, wide};
use super::enc::{Alu, Mem, RAX, RCX, RDX, Rm, W, at, cc};
use super::lower::Compiler;

// VEX opcodes: see `CodeBuf::vex`.
pub(super) const SHLX_D: u32 = 0x21f7;
pub(super) const SARX_D: u32 = 0x22f7;
pub(super) const SHRX_D: u32 = 0x23f7;
pub(super) const ANDN_D: u32 = 0x20f2;
pub(super) const PEXT_D: u32 = 0x22f5;
pub(super) const PDEP_D: u32 = 0x23f5;
const MULX_D: u32 = 0x23f6;
const RORX_D: u32 = 0x33f0;
/// Added to a 32-bit VEX opcode for its 64-bit form.
pub(super) const VEX_Q: u32 = 0x8000;

pub(super) fn vex_w(op: u32, w: W) -> u32 {
    if w == W::Q { op | VEX_Q } else { op }
}

impl Compiler<'_> {
    /// Lowers an integer op; false if it has no rule here.
    pub(super) fn int_op(&mut self, id: u16, i: &Inst) -> bool {
        match i.op {
            Op::add => self.add(id, i),
            Op::mul | Op::mulhu if self.whole_product(id, i) => {}
            Op::sub | Op::not | Op::mul | Op::shl | Op::shr | Op::sar if self.flags_pending() => {
                self.keeping_flags(id, i);
            }
            Op::sub => self.two(id, i, Alu::Sub),
            Op::and => self.two(id, i, Alu::And),
            Op::or => self.two(id, i, Alu::Or),
            Op::xor => self.two(id, i, Alu::Xor),
            Op::andc => self.andc(id, i),
            Op::orc | Op::eqv => self.inverted(id, i),
            Op::mul => self.mul(id, i),
            Op::mulhu => self.mulx(id, i, true),
            Op::mulhs | Op::mulhsu => self.mulh(id, i),
            Op::divu | Op::divs | Op::remu | Op::rems => self.divide(id, i),
            Op::neg | Op::not => {
                self.one(id, i, |c, w, d| c.a.f7(if i.op == Op::neg { 3 } else { 2 }, w, Rm::R(d)))
            }
            Op::bswap => self.one(id, i, |c, w, d| c.a.bswap(w, d)),
            Op::shl | Op::shr | Op::sar | Op::rotr | Op::rotl => self.shift(id, i),
            Op::extract | Op::sextract => self.extract(id, i),
            Op::extract2 => self.extract2(id, i),
            Op::deposit => self.deposit(id, i),
            Op::sext => {
                let s = self.rm(i.args[0]);
                self.unary(id, i, |c, d| c.a.movsxd(d, s));
            }
            Op::zext => self.zext(id, i),
            Op::trunc => self.alias(id, i.args[0]),
            Op::clz => self.count(id, i, 0xf300_00bd),
            Op::ctz => self.count(id, i, 0xf300_00bc),
            Op::bswap16 => self.swap_halves(id, i),
            Op::bitrev => self.bitrev(id, i),
            Op::clmul | Op::clmulh => self.carry_less(id, i),
            Op::crc32 => self.crc32(id, i),
            Op::ctpop => self.count(id, i, 0xf300_00b8),
            Op::smin | Op::smax | Op::umin | Op::umax => self.min_max(id, i),
            Op::adc => self.alu_with_carry(Alu::Adc, id, i, None),
            Op::sbc => self.alu_with_carry(Alu::Sbb, id, i, None),
            Op::boolint | Op::fl_unpack => self.boolint(id),
            _ => return false,
        }
        true
    }

    /// The result is in `d`, made by an operation of its type's width.
    pub(super) fn computed(&mut self, id: u16, d: Host) {
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
    }
    /// The result is in the temporary, the operands are not needed any more.
    pub(super) fn result_from_temp(&mut self, id: u16, i: &Inst) {
        self.unlock_all();
        self.done_all(i);
        let d = self.dest(id, None);
        self.a.mov(wide(i.ty), d, RAX);
        self.computed(id, d);
    }
    /// One operand in place or copied, then changed.
    fn one(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, W, Host)) {
        let w = wide(i.ty);
        let s = self.rm(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, reg_of(s));
        self.move_in(w, d, s);
        f(self, w, d);
        self.computed(id, d);
    }
    /// One operand, result by an instruction with its own destination.
    fn unary(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, Host)) {
        self.done_all(i);
        let d = self.dest(id, None);
        f(self, d);
        self.computed(id, d);
    }
    pub(super) fn move_in(&mut self, w: W, d: Host, s: Rm) {
        if s != Rm::R(d) {
            self.a.mov_rm(w, d, s);
        }
    }

    fn add(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let [x, y, ..] = i.args;
        if let Some(v) = self.imm(y) {
            let s = self.rm(x);
            self.done_all(i);
            let d = self.dest(id, reg_of(s));
            match s {
                Rm::R(r) if r != d || self.flags_pending() => self.a.lea(w, d, at(r, v)),
                _ if self.flags_pending() => {
                    self.move_in(w, d, s);
                    self.a.lea(w, d, at(d, v));
                }
                _ => {
                    self.move_in(w, d, s);
                    self.a.alu_imm(Alu::Add, w, Rm::R(d), v);
                    self.hold_result(id);
                }
            }
            self.computed(id, d);
            return;
        }
        let pending = self.flags_pending();
        let (a, mut b) = (self.rm(x), self.rm(y));
        self.done_all(i);
        let d = self.dest(id, reg_of(a).or(reg_of(b)));
        if pending {
            if matches!(b, Rm::M(_)) {
                self.move_in(w, RAX, b);
                b = Rm::R(RAX);
            }
            let (a, b) = if b == Rm::R(d) { (b, a) } else { (a, b) };
            self.move_in(w, RAX, b);
            self.move_in(w, d, a);
            self.a.lea(w, d, Mem { base: d, index: Some(RAX), scale: 0, disp: 0 });
            self.computed(id, d);
            return;
        }
        match (a, b) {
            (Rm::R(r), Rm::R(s)) if r != d && s != d && !self.carry_is_wanted(id, i) => {
                self.a.lea(w, d, Mem { base: r, index: Some(s), scale: 0, disp: 0 });
            }
            _ => {
                let (a, b) = if b == Rm::R(d) { (b, a) } else { (a, b) };
                self.move_in(w, d, a);
                self.a.alu(Alu::Add, w, d, b);
                self.hold_result(id);
            }
        }
        self.computed(id, d);
    }

    /// `d = x op y` with the two-operand instruction.
    fn two(&mut self, id: u16, i: &Inst, a: Alu) {
        let w = wide(i.ty);
        let [x, y, ..] = i.args;
        let xs = self.rm(x);
        if let Some(v) = self.imm(y) {
            self.done_all(i);
            let d = self.dest(id, reg_of(xs));
            if a == Alu::And && v == 0xff && i.ty == Type::I64 {
                self.a.movzx(1, d, xs);
            } else {
                self.move_in(w, d, xs);
                self.a.alu_imm(a, w, Rm::R(d), v);
                self.hold_result(id);
            }
            self.computed(id, d);
            return;
        }
        let ys = self.rm(y);
        self.done_all(i);
        let d = self.dest(id, reg_of(xs));
        if ys == Rm::R(d) && xs != Rm::R(d) {
            if a == Alu::Sub {
                self.a.f7(3, w, Rm::R(d));
                self.a.alu(Alu::Add, w, d, xs);
            } else {
                self.a.alu(a, w, d, xs);
                self.hold_result(id);
            }
        } else {
            self.move_in(w, d, xs);
            self.a.alu(a, w, d, ys);
            self.hold_result(id);
        }
        self.computed(id, d);
    }

    fn andc(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let (x, y) = (self.rm(i.args[0]), self.reg(i.args[1]));
        self.done_all(i);
        let d = self.dest(id, reg_of(x));
        self.a.vex(vex_w(ANDN_D, w), d, y, x);
        self.computed(id, d);
    }
    /// x | !y and !(x ^ y), by way of the temporary.
    fn inverted(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let x = self.rm(i.args[0]);
        self.load_into(i.args[1], RAX);
        self.a.f7(2, w, Rm::R(RAX));
        self.a.alu(if i.op == Op::orc { Alu::Or } else { Alu::Xor }, w, RAX, x);
        self.result_from_temp(id, i);
    }

    fn mul(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let [x, y, ..] = i.args;
        let xs = self.rm(x);
        if let Some(v) = self.imm(y) {
            self.done_all(i);
            let d = self.dest(id, reg_of(xs));
            self.a.imul_imm(w, d, xs, v);
            self.computed(id, d);
            return;
        }
        let ys = self.rm(y);
        self.done_all(i);
        let d = self.dest(id, reg_of(xs));
        if ys == Rm::R(d) {
            self.a.imul(w, d, xs);
        } else {
            self.move_in(w, d, xs);
            self.a.imul(w, d, ys);
        }
        self.computed(id, d);
    }

    /// Computes both halves of an unsigned product where the first of them stands, if a block
    /// asks for both: one multiplication fewer. The other half waits in a register or spilled.
    fn whole_product(&mut self, id: u16, i: &Inst) -> bool {
        if self.vals[usize::from(id)].loc != Loc::None {
            // Computed with the half before.
            return true;
        }
        let Some(other) = self.other_half(id, i) else { return false };
        // First, so that a factor in memory is not fetched for it.
        self.done_all(&self.inst(other));
        let ys = self.factors(id, i.args);
        self.done_all(i);
        let d = self.dest(id, None);
        let target = self.vals[usize::from(other)].target;
        let o = if target != NO_HOST && target != d && self.untouched(target, id, other) {
            self.dest(other, None)
        } else {
            self.free_scratch(false).unwrap_or(RAX)
        };
        let (hi, lo) = if i.op == Op::mulhu { (d, o) } else { (o, d) };
        self.a.vex(vex_w(MULX_D, wide(i.ty)), hi, lo, ys);
        self.vals[usize::from(other)].zero_high = true;
        if o == RAX {
            self.spill(other, RAX);
        } else {
            self.place(other, o);
        }
        self.computed(id, d);
        true
    }
    /// Whether nobody looks at a pinned register between two instructions.
    fn untouched(&self, h: Host, from: u16, to: u16) -> bool {
        self.r.insts[usize::from(from) + 1..usize::from(to)].iter().all(|i| match i.op {
            Op::insn | Op::iconst | Op::pcconst => true,
            Op::get | Op::set => self.pin(i.imm as u16).is_some_and(|pin| pin != h),
            _ => false,
        })
    }
    /// The instruction close behind that wants the other half of a product.
    fn other_half(&self, id: u16, i: &Inst) -> Option<u16> {
        const NEAR: usize = 96;
        let wanted = if i.op == Op::mul { Op::mulhu } else { Op::mul };
        let factors = [self.root(i.args[0]), self.root(i.args[1])];
        let behind = self.r.insts.iter().enumerate().skip(usize::from(id) + 1).take(NEAR);
        let same = |n: &Inst| {
            let f = [n.args[0], n.args[1]];
            n.op == wanted
                && n.ty == i.ty
                && (f == i.args[..2] || f.map(|v| self.root(v)) == factors)
        };
        let (n, _) = behind
            .take_while(|(_, n)| !n.op.effects().has(Effects::ENDS_BLOCK))
            .find(|(_, n)| same(n))?;
        let v = &self.vals[n];
        // One product may be asked for twice.
        (self.live.is_live(n as u16) && v.uses > 0 && v.loc == Loc::None).then_some(n as u16)
    }

    /// One half of the unsigned product; keeps the flags.
    pub(super) fn mulx(&mut self, id: u16, i: &Inst, high: bool) {
        let ys = self.factors(id, i.args);
        self.done_all(i);
        let d = self.dest(id, None);
        let (hi, lo) = if high { (d, RAX) } else { (RAX, d) };
        self.a.vex(vex_w(MULX_D, wide(i.ty)), hi, lo, ys);
        self.computed(id, d);
    }
    /// One factor into rdx; where the other is. The factor in rdx stays there:
    /// multiplications in a row often have one in common.
    fn factors(&mut self, id: u16, args: [u16; 4]) -> Rm {
        let [mut x, mut y, ..] = args;
        let (xv, yv) = (*self.val(x), *self.val(y));
        let there = Loc::Reg(RDX);
        if xv.loc != there && (yv.loc == there || self.is_next_factor(id, y, x)) {
            core::mem::swap(&mut x, &mut y);
        }
        let v = *self.val(x);
        if v.loc == there {
            self.lock(RDX);
        } else {
            self.take(RDX);
            self.load_into(x, RDX);
            if matches!(v.loc, Loc::Home(_) | Loc::Spill(_)) {
                self.moved_to(self.root(x), RDX);
            }
        }
        self.rm(y)
    }

    /// Whether the next other product has `y` as a factor and not `x`.
    fn is_next_factor(&self, id: u16, y: u16, x: u16) -> bool {
        const NEAR: usize = 12;
        let behind = self.r.insts.iter().skip(usize::from(id) + 1).take(NEAR);
        let mut products = behind.filter(|n| matches!(n.op, Op::mul | Op::mulhu));
        let has = |n: &Inst, v: u16| n.args[..2].contains(&v);
        products.find(|n| has(n, x) != has(n, y)).is_some_and(|n| has(n, y))
    }

    fn mulh(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let [x, y, ..] = i.args;
        // rdx is an operand or result of every form.
        let (mut xs, mut ys) = (self.reg(x), self.reg(y));
        if xs != RDX && ys != RDX {
            self.take(RDX);
        }
        if ys == RDX && i.op != Op::mulhsu {
            core::mem::swap(&mut xs, &mut ys);
        }
        if i.op == Op::mulhs {
            self.keep_operand(RDX);
            self.a.mov(w, RAX, xs);
            self.a.f7(5, w, Rm::R(ys));
            self.a.mov(w, RAX, RDX);
        } else {
            // The unsigned product counts a negative x as 2^width too much.
            let m = at(super::enc::RBP, self.lay.fallback());
            self.a.mov(w, RAX, xs);
            self.a.shift_imm(7, w, RAX, if w == W::Q { 63 } else { 31 });
            self.a.alu(Alu::And, w, RAX, Rm::R(ys));
            self.a.st(W::Q, m, RAX);
            self.keep_operand(RDX);
            let (a, b) = if ys == RDX { (ys, xs) } else { (xs, ys) };
            self.a.mov(w, RDX, a);
            self.a.vex(vex_w(MULX_D, w), RAX, RAX, Rm::R(b));
            self.a.alu(Alu::Sub, w, RAX, Rm::M(m));
        }
        self.result_from_temp(id, i);
    }
    /// `h` holds an operand that the op destroys: its value moves elsewhere if
    /// it is needed after this op.
    fn keep_operand(&mut self, h: Host) {
        let id = self.owner[usize::from(h)];
        if id != super::alloc::NOBODY {
            let uses = self.vals[usize::from(id)].uses;
            if uses > 1 {
                self.vacate(h);
            }
        }
    }

    fn divide(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let [x, y, ..] = i.args;
        let signed = matches!(i.op, Op::divs | Op::rems);
        let rem = matches!(i.op, Op::remu | Op::rems);
        // The divisor must be in neither rax nor rdx.
        let mut ys = self.reg(y);
        if ys == RDX {
            let h = self.scratch(false);
            self.a.mov(W::Q, h, RDX);
            ys = h;
        }
        self.load_into(x, RAX);
        if self.locked >> RDX & 1 == 0 {
            self.take(RDX);
        } else {
            self.keep_operand(RDX);
        }
        let (zero, minus, end) = (self.a.label(), self.a.label(), self.a.label());
        self.a.test(w, ys, Rm::R(ys));
        self.a.jcc(cc::E, zero);
        if signed {
            self.a.alu_imm(Alu::Cmp, w, Rm::R(ys), -1);
            self.a.jcc(cc::E, minus);
            if w == W::Q {
                self.a.b(0x48);
            }
            self.a.b(0x99); // cdq, cqo
            self.a.f7(7, w, Rm::R(ys));
        } else {
            self.a.zero(RDX);
            self.a.f7(6, w, Rm::R(ys));
        }
        if rem {
            self.a.mov(w, RAX, RDX);
        }
        self.a.jmp(end);
        if signed {
            self.a.bind(minus);
            if rem {
                self.a.zero(RAX);
            } else {
                self.a.f7(3, w, Rm::R(RAX));
            }
            self.a.jmp(end);
        }
        self.a.bind(zero);
        if !rem {
            let ones = DivZero::from_u8(i.aux) == DivZero::Ones;
            self.a.movi(
                RAX,
                if !ones {
                    0
                } else if w == W::Q {
                    u64::MAX
                } else {
                    0xffff_ffff
                },
            );
        }
        self.a.bind(end);
        self.result_from_temp(id, i);
    }

    fn shift(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let [x, n, ..] = i.args;
        let bits = if w == W::Q { 64 } else { 32 };
        let xs = self.rm(x);
        if let Some(c) = self.const_of(n) {
            let c = (c % bits) as u8;
            self.done_all(i);
            let d = self.dest(id, reg_of(xs));
            match i.op {
                Op::rotr | Op::rotl => {
                    let c = if i.op == Op::rotl { (bits as u8 - c) % bits as u8 } else { c };
                    self.a.vex_imm(vex_w(RORX_D, w), d, 0, xs, c);
                }
                // Also where nothing moves: bits 63:32 become zero.
                _ if c == 0 => self.a.mov_rm(w, d, xs),
                Op::shl if c <= 3 && matches!(xs, Rm::R(r) if r != d) => {
                    let Rm::R(r) = xs else { return };
                    if c == 1 {
                        self.a.lea(w, d, Mem { base: r, index: Some(r), scale: 0, disp: 0 });
                    } else {
                        self.move_in(w, d, xs);
                        self.a.shift_imm(4, w, d, c);
                    }
                }
                _ => {
                    self.move_in(w, d, xs);
                    let ext = match i.op {
                        Op::shl => 4,
                        Op::shr => 5,
                        _ => 7,
                    };
                    self.a.shift_imm(ext, w, d, c);
                }
            }
            self.computed(id, d);
            return;
        }
        if matches!(i.op, Op::rotr | Op::rotl) {
            // The count is in cl.
            let ns = self.reg(n);
            self.load_into(x, RAX);
            if ns != RCX {
                self.take(RCX);
                self.a.mov(W::D, RCX, ns);
            }
            self.a.op(w, 0xd3, u8::from(i.op == Op::rotr), Rm::R(RAX), false);
            self.result_from_temp(id, i);
            return;
        }
        let ns = self.reg(n);
        self.done_all(i);
        let d = self.dest(id, reg_of(xs));
        let op = match i.op {
            Op::shl => SHLX_D,
            Op::shr => SHRX_D,
            _ => SARX_D,
        };
        self.a.vex(vex_w(op, w), d, ns, xs);
        self.computed(id, d);
    }

    fn extract(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let (pos, len) = ((i.imm & 0xff) as u8, (i.imm >> 8) as u8);
        let signed = i.op == Op::sextract;
        let of = self.inst(self.root(i.args[0]));
        if of.op == Op::load_joint
            && pos == 0
            && !signed
            && MemOp::from_u8(of.aux).bytes() == u32::from(len / 8)
        {
            return self.alias(id, i.args[0]);
        }
        let width = if w == W::Q { 64 } else { 32 };
        let s = self.rm(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, reg_of(s));
        match (pos, len, signed) {
            (0, 8, false) => self.a.movzx(1, d, s),
            (0, 16, false) => self.a.movzx(2, d, s),
            (0, 8, true) => self.a.movsx(w, 1, d, s),
            (0, 16, true) => self.a.movsx(w, 2, d, s),
            (0, 32, false) => self.a.mov_rm(W::D, d, s),
            (0, 32, true) if w == W::Q => self.a.movsxd(d, s),
            (0, _, _) if len == width => self.a.mov_rm(w, d, s),
            (0, _, false) if len < 31 => {
                self.move_in(W::D, d, s);
                self.a.alu_imm(Alu::And, W::D, Rm::R(d), (1i32 << len) - 1);
            }
            _ => {
                self.move_in(w, d, s);
                let left = width - pos - len;
                if left > 0 && (signed || pos == 0 || len > 31) {
                    self.a.shift_imm(4, w, d, left);
                    self.a.shift_imm(if signed { 7 } else { 5 }, w, d, width - len);
                } else {
                    if pos > 0 {
                        self.a.shift_imm(if signed { 7 } else { 5 }, w, d, pos);
                    }
                    match len {
                        _ if left == 0 => {}
                        8 | 16 => self.a.movzx(u32::from(len / 8), d, Rm::R(d)),
                        _ => self.a.alu_imm(Alu::And, W::D, Rm::R(d), ((1u32 << len) - 1) as i32),
                    }
                }
            }
        }
        self.computed(id, d);
    }

    fn extract2(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        // shrd lo, hi, n
        let hi = self.reg(i.args[1]);
        self.load_into(i.args[0], RAX);
        if i.imm != 0 {
            self.a.op(w, 0x0fac, hi, Rm::R(RAX), false);
            self.a.b(i.imm as u8);
        }
        self.result_from_temp(id, i);
    }

    fn deposit(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let (pos, len) = ((i.imm & 0xff) as u8, (i.imm >> 8) as u8);
        let width: u8 = if w == W::Q { 64 } else { 32 };
        let x = self.rm(i.args[0]);
        let ones = u64::MAX >> (64 - len.min(64));
        let mask = ones << pos;
        // rax = y's bits in place
        self.load_into(i.args[1], RAX);
        self.a.shift_imm(4, w, RAX, width - len);
        if width - len - pos > 0 {
            self.a.shift_imm(5, w, RAX, width - len - pos);
        }
        // The mask is applied to x in the scratch memory if it fits no immediate.
        let keep = !mask & if w == W::Q { u64::MAX } else { 0xffff_ffff };
        let m = at(super::enc::RBP, self.lay.fallback());
        self.a.st(W::Q, m, RAX);
        self.move_in(w, RAX, x);
        let imm =
            if w == W::D { Some(keep as u32 as i32) } else { i32::try_from(keep as i64).ok() };
        if let Some(v) = imm {
            self.a.alu_imm(Alu::And, w, Rm::R(RAX), v);
        } else {
            // Rotate the field to the bottom, clear it by shifts, rotate back.
            self.a.shift_imm(1, w, RAX, pos);
            if len == width {
                self.a.zero(RAX);
            } else {
                self.a.shift_imm(5, w, RAX, len);
                self.a.shift_imm(4, w, RAX, len);
            }
            self.a.shift_imm(0, w, RAX, pos);
        }
        self.a.alu(Alu::Or, w, RAX, Rm::M(m));
        self.result_from_temp(id, i);
    }

    /// Bytes reversed in each halfword.
    fn swap_halves(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let s = self.rm(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, reg_of(s));
        self.move_in(w, d, s);
        let low: u64 = 0x00ff_00ff_00ff_00ff;
        self.a.movi(RAX, if w == W::Q { low } else { low & 0xffff_ffff });
        // The low bytes go up, what is left goes down.
        self.a.alu(Alu::And, w, RAX, Rm::R(d));
        self.a.alu(Alu::Xor, w, d, Rm::R(RAX));
        self.a.shift_imm(4, w, RAX, 8);
        self.a.shift_imm(5, w, d, 8);
        self.a.alu(Alu::Or, w, d, Rm::R(RAX));
        self.computed(id, d);
    }

    fn zext(&mut self, id: u16, i: &Inst) {
        let s = self.root(i.args[0]);
        let v = self.vals[usize::from(s)];
        if v.zero_high && self.inst(s).ty == Type::I32 {
            self.zext_alias(id, i.args[0]);
            return;
        }
        let s = self.rm(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, None);
        self.a.mov_rm(W::D, d, s);
        self.finish(id, d);
    }
    /// The operand's register already is the 64-bit value: it changes hands if
    /// this is its last use, so that the wider type is what is spilled.
    fn zext_alias(&mut self, id: u16, of: u16) {
        let root = self.root(of);
        let v = self.vals[usize::from(root)];
        let target = self.vals[usize::from(id)].target;
        if let Loc::Reg(h) = v.loc
            && (target == super::alloc::NO_HOST || target == h)
            && v.uses == 1
        {
            self.done(of);
            self.finish(id, h);
            return;
        }
        let s = self.rm(of);
        self.done(of);
        let d = self.dest(id, reg_of(s));
        match s {
            Rm::R(r) => self.a.mov(W::D, d, r),
            m => self.a.mov_rm(W::D, d, m),
        }
        self.finish(id, d);
    }

    /// lzcnt, tzcnt, popcnt. The destination is a false dependency on some
    /// hosts; it is broken where it is not an operand.
    fn count(&mut self, id: u16, i: &Inst, op: u32) {
        let s = self.rm(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, reg_of(s));
        self.a.op(wide(i.ty), op | 0x0f00, d, s, false);
        self.computed(id, d);
    }

    fn min_max(&mut self, id: u16, i: &Inst) {
        let w = wide(i.ty);
        let (x, y) = (self.reg(i.args[0]), self.reg(i.args[1]));
        self.a.alu(Alu::Cmp, w, x, Rm::R(y));
        // Take y where x is on the wrong side.
        let c = match i.op {
            Op::smin => cc::G,
            Op::smax => cc::L,
            Op::umin => cc::A,
            _ => cc::B,
        };
        self.a.mov(w, RAX, x);
        self.a.cmov(c, w, RAX, Rm::R(y));
        self.result_from_temp(id, i);
    }
}

/// The integer register of an operand.
pub(super) fn reg_of(s: Rm) -> Option<Host> {
    match s {
        Rm::R(r) => Some(r),
        Rm::M(_) => None,
    }
}
