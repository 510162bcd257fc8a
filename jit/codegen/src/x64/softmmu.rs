//! Memory accesses of whole machines: an inline look-up in the TLB, and a call where it fails.
//!
//! The look-up uses rax and r15, to which no slot is pinned under this strategy. It leaves the host
//! address in r15. The slow path needs every register as the look-up found it, for it may come back
//! to the start: so whatever an access needs in registers is there before the look-up.

use remu_ir::{Addr, Inst, MemOp, Op, Order, Type, Val};

use super::alloc::NO_HOST;
use super::enc::{Alu, Label, Mem, RAX, RBP, RDX, Reg, Rm, W, at, cc};
use super::lower::{Cold, Compiler};
use super::vector::{MOVSD_ST, MOVUPS_ST};
use super::{Host, X};
use crate::{Access, AccessKind, SoftMmu};

/// Holds first the guest address, then the host's.
const ADDR: Reg = 15;

/// How an address is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Where {
    base: Base,
    index: Option<Reg>,
    scale: u8,
    disp: i32,
}

#[derive(Clone, Copy, Debug)]
enum Base {
    Reg(Reg),
    /// Guest address.
    Pc(u64),
    Const(u64),
}

/// What an access is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    /// A register, which stays as it is during the access.
    Host(Host),
    /// A constant.
    Imm(i32),
}

/// Where the result of a slow access is wanted.
#[derive(Clone, Copy, Debug)]
enum Result {
    None,
    /// Extended, in this register.
    Loaded(Host, Type),
    /// As read, in rax and, if it is wider, in rdx.
    Raw,
}

/// The slow path of an access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    again: Label,
    slow: Label,
    back: Label,
    at: Where,
    access: Access,
    operands: [Option<Operand>; 2],
    result: Result,
    pc: u64,
}

impl Compiler<'_> {
    fn soft_where(&mut self, i: &Inst) -> Where {
        let a = Addr::of(i);
        let base = if let Some(c) = self.pc_const_of(i.args[0]) {
            Base::Pc(c)
        } else if let Some(c) = self.const_of(i.args[0]) {
            Base::Const(c)
        } else {
            Base::Reg(self.reg(i.args[0]))
        };
        let has_index =
            matches!(i.op, Op::load | Op::load_joint | Op::store) && i.args[1] != Val::NONE_ID;
        let index = has_index.then(|| self.reg(i.args[1]));
        Where { base, index, scale: a.scale, disp: a.disp }
    }
    /// Puts the guest address into r15.
    fn soft_address(&mut self, w: &Where) {
        let moved = |c: u64| c.wrapping_add(w.disp as i64 as u64);
        let (base, disp) = match w.base {
            Base::Reg(r) => (r, w.disp),
            Base::Pc(c) => {
                self.a.movi_pc(ADDR, moved(c));
                (ADDR, 0)
            }
            Base::Const(c) => {
                self.a.movi(ADDR, moved(c));
                (ADDR, 0)
            }
        };
        if w.index.is_some() || disp != 0 {
            self.a.lea(W::Q, ADDR, Mem { base, index: w.index, scale: w.scale, disp });
        } else {
            self.a.mov(W::Q, ADDR, base);
        }
    }
    /// Looks an address up: r15 is the host address behind it. Whatever the access does to
    /// registers and memory must come after, at once.
    fn soft_lookup(
        &mut self,
        w: Where,
        mem: MemOp,
        kind: AccessKind,
        operands: &[Operand],
        result: Result,
    ) -> Label {
        let Some(soft) = self.lay.softmmu else { return Label(0) };
        let (again, slow, back) = (self.a.label(), self.a.label(), self.a.label());
        let tlb = if mem.user { 0 } else { self.r.mmu };
        self.a.bind(again);
        self.soft_address(&w);
        let entry_bits = SoftMmu::ENTRY.trailing_zeros() as u8;
        self.a.mov(W::D, RAX, ADDR);
        self.a.shift_imm(5, W::D, RAX, SoftMmu::PAGE_BITS - entry_bits);
        let mask = (SoftMmu::ENTRIES - 1) << entry_bits;
        self.a.alu_imm(Alu::And, W::D, Rm::R(RAX), mask as i32);
        let table = soft.tlb + (usize::from(tlb) * SoftMmu::ENTRIES * SoftMmu::ENTRY) as i32;
        let word = |n: i32| Mem { base: RBP, index: Some(RAX), scale: 0, disp: table + n };
        let page = if kind.writes() { SoftMmu::WRITE } else { SoftMmu::READ };
        // What is left is the offset in the page, or no less than a page.
        self.a.alu(Alu::Xor, W::Q, ADDR, Rm::M(word(page)));
        let bytes = mem.bytes() as i32;
        if mem.aligned && bytes > 1 {
            self.a.test_imm(W::D, Rm::R(ADDR), bytes - 1);
            self.a.jcc(cc::NE, slow);
        }
        self.a.alu_imm(Alu::Cmp, W::Q, Rm::R(ADDR), (1 << SoftMmu::PAGE_BITS) - bytes);
        self.a.jcc(cc::A, slow);
        self.a.alu(Alu::Add, W::Q, ADDR, Rm::M(word(SoftMmu::HOST)));
        let mut given = [None; 2];
        for (to, o) in given.iter_mut().zip(operands) {
            *to = Some(*o);
        }
        let access = Access { mem, kind, tlb };
        let pc = self.current_pc;
        self.cold.push(Cold::Access(Slow {
            again,
            slow,
            back,
            at: w,
            access,
            operands: given,
            result,
            pc,
        }));
        back
    }

    pub(super) fn soft_load(&mut self, id: u16, i: &Inst) {
        let a = Addr::of(i);
        let w = self.soft_where(i);
        self.done_all(i);
        let d = self.dest(id, None);
        let result = Result::Loaded(d, i.ty);
        let back = self.soft_lookup(w, a.mem, AccessKind::Load, &[], result);
        self.load_from(i.ty, a.mem, d, at(ADDR, 0));
        self.a.bind(back);
        self.vals[usize::from(id)].zero_high = true;
        self.vals[usize::from(id)].zero_from = a.mem.bytes() as u8;
        self.finish(id, d);
    }
    pub(super) fn soft_store(&mut self, i: &Inst) {
        let a = Addr::of(i);
        let v = i.args[2];
        let vec = self.inst(self.root(v)).ty.is_vec();
        let w = self.soft_where(i);
        let imm = self.imm(v).filter(|_| !vec && !a.mem.big);
        let operand = match imm {
            Some(c) => Operand::Imm(c),
            None if vec => Operand::Host(self.reg(v) + X),
            None => Operand::Host(self.reg(v)),
        };
        let back = self.soft_lookup(w, a.mem, AccessKind::Store, &[operand], Result::None);
        let m = at(ADDR, 0);
        match operand {
            Operand::Imm(c) => self.store_imm(a.mem, m, c),
            Operand::Host(x) if vec => self.store_vec(a.mem, m, x - X),
            Operand::Host(s) => {
                let s = self.in_byte_order(a.mem, s);
                self.store_int(a.mem, m, s);
            }
        }
        self.a.bind(back);
        if a.order == Order::SeqCst {
            self.full_fence();
        }
        self.done_all(i);
        self.unlock_all();
    }
    /// The look-up of an atomic access, under this strategy: `m` becomes the place on the host.
    /// The label must be bound behind the access, where rax (and rdx) hold what was read.
    pub(super) fn soft_atomic(
        &mut self,
        m: &mut Mem,
        mem: MemOp,
        kind: AccessKind,
        operands: &[Operand],
    ) -> Option<Label> {
        self.lay.softmmu?;
        let w = Where { base: Base::Reg(m.base), index: None, scale: 0, disp: m.disp };
        *m = at(ADDR, 0);
        Some(self.soft_lookup(w, mem, kind, operands, Result::Raw))
    }

    pub(super) fn slow_access(&mut self, s: &Slow) {
        self.a.bind(s.slow);
        for (n, o) in s.operands.iter().enumerate() {
            let m = at(RBP, self.lay.fallback() + 16 * (n as i32 + 1));
            match *o {
                None => {}
                Some(Operand::Imm(c)) => self.a.st_imm(W::Q, m, c),
                Some(Operand::Host(h)) if h >= X => {
                    let op = if s.access.mem.size == 4 { MOVUPS_ST } else { MOVSD_ST };
                    self.a.vex(op, h - X, 0, Rm::M(m));
                }
                Some(Operand::Host(h)) => self.a.st(W::Q, m, h),
            }
        }
        self.soft_address(&s.at);
        self.a.movi(RAX, s.access.to_u32().into());
        self.out.faults.push((self.a.pos() as u32, s.pc));
        self.a.far(true, self.thunks.access);
        self.a.jcc(cc::NE, s.again);
        let m = at(RBP, self.lay.fallback());
        match s.result {
            Result::None => {}
            Result::Loaded(d, t) => {
                debug_assert_ne!(d, NO_HOST);
                self.load_from(t, s.access.mem, d, m);
            }
            Result::Raw => {
                self.a.ld(W::Q, RAX, m);
                if s.access.mem.size == 4 {
                    self.a.ld(W::Q, RDX, at(RBP, m.disp + 8));
                }
            }
        }
        self.a.jmp(s.back);
    }
}
