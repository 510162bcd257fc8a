//! Writes IR: one method per op, with constants folded and guest registers
//! resolved to values as they are written.

mod join;

use core::cell::RefCell;

use crate::{
    Addr, Attr, Block, Cond, Effects, ExitKind, Helper, Inst, Lane, MemOp, Op, Order, Region,
    ResultRule, RmwOp, Slot, Type, Val,
};
use join::Join;

/// Slots are tracked by offset / 8 below this offset.
const TRACKED: usize = 1536;

#[derive(Default)]
struct Inner {
    region: Region,
    /// Current value of the slot at offset / 8, if known in this block.
    slots: Vec<Option<(Slot, Val)>>,
    /// Entries of `slots` in use, to empty it quickly.
    used: Vec<u16>,
    /// What a guest saw of the sticky flags in this block, and the flags.
    status: Option<(Val, Val)>,
    /// First instruction of the open block.
    block_start: u16,
    block_pc: u64,
    /// The guest instruction that is being written.
    pc: u64,
    open: bool,
    join: Join,
    /// What the lifters know in this block.
    fact: Option<u32>,
    /// Nothing is folded and every access of a slot is kept.
    plain: bool,
}

/// Builds a [`Region`], block by block.
#[derive(Default)]
pub struct Builder(RefCell<Inner>);

impl Builder {
    /// An empty builder.
    pub fn new() -> Builder {
        let b = Builder::default();
        b.0.borrow_mut().slots.resize(TRACKED / 8, None);
        b
    }

    /// A builder that folds nothing and keeps every access of state: for tests that compare
    /// optimised code with the code as lifted.
    pub fn plain() -> Builder {
        let b = Builder::new();
        b.0.borrow_mut().plain = true;
        b
    }

    /// Empties the builder, keeping its memory.
    pub fn reset(&self) {
        let mut s = self.0.borrow_mut();
        s.region.clear();
        s.forget();
        s.open = false;
        s.block_start = 0;
    }

    /// Exchanges the finished region for an empty (or recycled) one.
    pub fn take(&self, recycled: Region) -> Region {
        let mut s = self.0.borrow_mut();
        s.forget();
        s.open = false;
        s.block_start = 0;
        let mut r = core::mem::replace(&mut s.region, recycled);
        s.region.clear();
        // Constants the builder made for folding only are left for dead-code removal.
        r.insts.shrink_to(usize::MAX);
        r
    }

    /// Number of instructions so far.
    pub fn len(&self) -> usize {
        self.0.borrow().region.insts.len()
    }

    /// Whether nothing was built yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts a block. The block before must have ended.
    pub fn block(&self, pc: u64, poll: bool) {
        let mut s = self.0.borrow_mut();
        debug_assert!(!s.open, "block before has no end");
        s.forget();
        s.fact = None;
        s.open = true;
        s.block_start = s.region.insts.len() as u16;
        s.block_pc = pc;
        let start = s.block_start;
        s.region.blocks.push(Block { pc, start, end: start, poll });
    }

    /// AES MixColumns, as part of the round if it follows the other steps.
    pub fn aesmc(&self, s: Val) -> Val {
        self.mix(s, Op::aesmc, Op::aesenclast, Op::aesenc)
    }
    /// AES inverse MixColumns, likewise.
    pub fn aesimc(&self, s: Val) -> Val {
        self.mix(s, Op::aesimc, Op::aesdeclast, Op::aesdec)
    }
    fn mix(&self, s: Val, alone: Op, steps: Op, round: Op) -> Val {
        match self.keyless(s) {
            Some((op, of, zero)) if op == steps => self.make(round, &[of, zero]),
            _ => self.make(alone, &[s]),
        }
    }
    /// x ^ y, as part of an AES round without a key if one of them is that.
    pub fn vxor(&self, x: Val, y: Val) -> Val {
        for (round, key) in [(x, y), (y, x)] {
            if let Some((op, of, _)) = self.keyless(round) {
                return self.make(op, &[of, key]);
            }
        }
        self.make(Op::vxor, &[x, y])
    }
    /// The op of an AES round whose key is zero, what it works on, and the key.
    fn keyless(&self, v: Val) -> Option<(Op, Val, Val)> {
        let i = self.inst(v);
        if !matches!(i.op, Op::aesenc | Op::aesdec | Op::aesenclast | Op::aesdeclast) {
            return None;
        }
        let value = |n: usize| Val { id: i.args[n], ty: Type::V128 };
        let k = self.inst(value(1));
        let zero = k.op == Op::vconst && self.0.borrow().region.vconsts[k.imm as usize] == 0;
        zero.then(|| (i.op, value(0), value(1)))
    }

    /// Remembers that the guest sees the sticky flags `raw` as `seen`.
    pub fn saw_status(&self, seen: Val, raw: Val) {
        self.0.borrow_mut().status = Some((seen, raw));
    }
    /// For a guest that puts back the sticky flags it saw: whether all that
    /// happened to them since is one comparison, which is then undone.
    pub fn restores_status(&self, seen: Val) -> bool {
        let (raw, compared) = {
            let s = self.0.borrow();
            let Some((_, raw)) = s.status.filter(|s| s.0.id == seen.id) else { return false };
            let since = &s.region.insts[usize::from(raw.id) + 1..];
            let touches = |i: &&Inst| {
                i.op.effects().has(Effects::FP_FLAGS)
                    || matches!(i.op, Op::set_fpstat | Op::or_fpstat | Op::undo_fcmp | Op::helper)
            };
            let mut found = since.iter().filter(touches);
            let (Some(&one), None) = (found.next(), found.next()) else { return false };
            (raw, one)
        };
        if compared.op != Op::fcmp {
            return false;
        }
        let value = |id: u16| Val { id, ty: self.0.borrow().region.insts[usize::from(id)].ty };
        self.undo_fcmp(raw, value(compared.args[0]), value(compared.args[1]));
        true
    }

    /// What [`Builder::know`] was last told in this block.
    pub fn fact(&self) -> Option<u32> {
        self.0.borrow().fact
    }
    /// Remembers, to the end of the block, a fact about the state that the code
    /// so far established. Its meaning is the guest's.
    pub fn know(&self, fact: Option<u32>) {
        self.0.borrow_mut().fact = fact;
    }

    /// Marks the region: see [`Region::soft_float`].
    pub fn soft_float(&self) {
        self.0.borrow_mut().region.soft_float = true;
    }

    /// Whether the current block has not ended yet.
    pub fn is_open(&self) -> bool {
        self.0.borrow().open
    }

    /// Appends an instruction given as data, without folding, and computes its
    /// result type. For generators and parsers; lifters use the op's method.
    #[inline(always)]
    pub fn push_op(&self, mut i: Inst, operands: &[Val]) -> Val {
        for (slot, v) in i.args.iter_mut().zip(operands) {
            *slot = v.id;
        }
        match i.op.info().result {
            ResultRule::SameX => i.ty = operands[0].ty,
            ResultRule::SameY => i.ty = operands[1].ty,
            ResultRule::Is(Type::Void) => {
                if let Some(v) = operands.last() {
                    i.ty = v.ty;
                }
                return Val { ty: Type::Void, ..self.raw(i) };
            }
            ResultRule::Is(t) => i.ty = t,
            ResultRule::Attr => {}
        }
        self.raw(i)
    }

    /// As [`Builder::push_op`], but only what the verifier accepts.
    #[cfg(feature = "testing")]
    pub(crate) fn push_valid(&self, i: Inst, operands: &[Val]) -> Option<Val> {
        let v = self.push_op(i, operands);
        let mut s = self.0.borrow_mut();
        let start = s.region.blocks.last().map_or(0, |b| b.start);
        if crate::verify::instruction(&s.region, start, v.id, usize::MAX).is_ok() {
            return Some(v);
        }
        s.region.insts.pop();
        None
    }

    #[inline(always)]
    fn raw(&self, i: Inst) -> Val {
        let mut s = self.0.borrow_mut();
        let id = s.region.insts.len();
        debug_assert!(id < usize::from(Val::NONE_ID), "region too large");
        s.region.insts.push(i);
        s.join.pass(&i);
        if i.op.effects().has(Effects::ENDS_BLOCK) {
            s.open = false;
            if let Some(b) = s.region.blocks.last_mut() {
                b.end = id as u16 + 1;
            }
        }
        Val { id: id as u16, ty: i.ty }
    }

    #[inline(always)]
    fn make(&self, op: Op, operands: &[Val]) -> Val {
        // Leading zeros of reversed bits: how guests without the other count do it.
        if op == Op::clz {
            let of = self.inst(operands[0]);
            if of.op == Op::bitrev {
                let x = Val { id: of.args[0], ty: of.ty };
                return self.make(Op::ctz, &[x]);
            }
        }
        self.push_op(Inst { op, ty: Type::Void, aux: 0, args: [Val::NONE_ID; 4], imm: 0 }, operands)
    }

    #[inline(always)]
    fn make_with(&self, op: Op, operands: &[Val], attr: impl Attr) -> Val {
        let mut i = Inst { op, ty: Type::Void, aux: 0, args: [Val::NONE_ID; 4], imm: 0 };
        attr.put(&mut i);
        self.push_op(i, operands)
    }

    fn inst(&self, v: Val) -> Inst {
        self.0.borrow().region.insts[usize::from(v.id)]
    }

    fn pc_index(&self, pc: u64) -> i32 {
        let mut s = self.0.borrow_mut();
        if let Some(n) = s.region.pcs.iter().rev().take(4).position(|&p| p == pc) {
            return (s.region.pcs.len() - 1 - n) as i32;
        }
        s.region.pcs.push(pc);
        s.region.pcs.len() as i32 - 1
    }

    /// The constant a value is, if it is one (plain constants only).
    pub fn as_const(&self, v: Val) -> Option<u64> {
        let s = self.0.borrow();
        if v.id == Val::NONE_ID || s.plain {
            return None;
        }
        s.region.const_of(v.id)
    }

    // ---- constants and state

    /// Integer constant of a type; upper bits of an I32 are dropped.
    pub fn iconst(&self, v: u64, t: Type) -> Val {
        let mut i = Inst { op: Op::iconst, ty: t, aux: 0, args: [0; 4], imm: 0 };
        i.set_const_bits(if t == Type::I32 { v & 0xffff_ffff } else { v });
        self.raw(i)
    }
    /// 32-bit constant.
    pub fn c32(&self, v: u32) -> Val {
        self.iconst(u64::from(v), Type::I32)
    }
    /// 64-bit constant.
    pub fn c64(&self, v: u64) -> Val {
        self.iconst(v, Type::I64)
    }
    /// Guest address constant.
    pub fn pcconst(&self, v: u64) -> Val {
        let mut i = Inst { op: Op::pcconst, ty: Type::I64, aux: 0, args: [0; 4], imm: 0 };
        i.set_const_bits(v);
        self.raw(i)
    }
    /// 128-bit constant.
    pub fn vconst(&self, v: u128) -> Val {
        let n = {
            let mut s = self.0.borrow_mut();
            let n = s.region.vconsts.iter().position(|&c| c == v);
            n.unwrap_or_else(|| {
                s.region.vconsts.push(v);
                s.region.vconsts.len() - 1
            })
        };
        self.make_with(Op::vconst, &[], n as i32)
    }

    /// Value of a state slot: the value last written in this block, if any.
    pub fn get(&self, s: Slot) -> Val {
        let key = usize::from(s.offset / 8);
        let known = self.0.borrow().slots.get(key).copied().flatten();
        if let Some((slot, v)) = known
            && slot == s
        {
            return v;
        }
        let i = Inst {
            op: Op::get,
            ty: s.ty,
            aux: 0,
            args: [Val::NONE_ID; 4],
            imm: i32::from(s.offset),
        };
        let v = self.raw(i);
        // A narrower or wider view of a written slot is not remembered.
        if known.is_none() {
            self.0.borrow_mut().remember(s, v);
        }
        v
    }

    /// Writes a state slot.
    pub fn set(&self, s: Slot, v: Val) {
        debug_assert_eq!(s.ty, v.ty, "slot type");
        let i = Inst {
            op: Op::set,
            ty: s.ty,
            aux: 0,
            args: [v.id, Val::NONE_ID, Val::NONE_ID, Val::NONE_ID],
            imm: i32::from(s.offset),
        };
        self.raw(i);
        let mut st = self.0.borrow_mut();
        st.remember(s, v);
        // The upper half of a 16-byte slot is a view of its own.
        if s.ty == Type::V128 {
            st.forget_at(usize::from(s.offset / 8) + 1);
        }
    }

    /// Starts a guest instruction.
    pub fn insn(&self, pc: u64) {
        let n = self.pc_index(pc);
        self.0.borrow_mut().pc = pc;
        self.make_with(Op::insn, &[], n);
    }

    // ---- integers, with folding

    fn fold2(&self, x: Val, y: Val, f: impl Fn(u64, u64) -> u64) -> Option<Val> {
        let (a, b) = (self.as_const(x)?, self.as_const(y)?);
        Some(self.iconst(f(a, b), x.ty))
    }

    /// x + y.
    pub fn add(&self, x: Val, y: Val) -> Val {
        if let Some(v) = self.fold2(x, y, u64::wrapping_add) {
            return v;
        }
        let (x, y) = if self.as_const(x).is_some() { (y, x) } else { (x, y) };
        if let Some(c) = self.as_const(y) {
            return self.add_imm(x, c as i64);
        }
        self.make(Op::add, &[x, y])
    }

    /// x + a constant; folds chains and guest addresses.
    pub fn add_imm(&self, x: Val, c: i64) -> Val {
        if c == 0 {
            return x;
        }
        if let Some(a) = self.as_const(x) {
            return self.iconst(a.wrapping_add(c as u64), x.ty);
        }
        let i = self.inst(x);
        if i.op == Op::pcconst {
            return self.pcconst(i.const_bits().wrapping_add(c as u64));
        }
        let k = self.iconst(c as u64, x.ty);
        self.make(Op::add, &[x, k])
    }

    /// x - y.
    pub fn sub(&self, x: Val, y: Val) -> Val {
        match self.as_const(y) {
            Some(c) if x.ty == Type::I32 => self.add_imm(x, i64::from((c as i32).wrapping_neg())),
            Some(c) => self.add_imm(x, (c as i64).wrapping_neg()),
            None if self.as_const(x) == Some(0) => self.neg(y),
            None => self.make(Op::sub, &[x, y]),
        }
    }

    /// 0 - x.
    pub fn neg(&self, x: Val) -> Val {
        match self.as_const(x) {
            Some(c) => self.iconst(c.wrapping_neg(), x.ty),
            None => self.make(Op::neg, &[x]),
        }
    }

    /// !x.
    pub fn not(&self, x: Val) -> Val {
        match self.as_const(x) {
            Some(c) => self.iconst(!c, x.ty),
            None => self.make(Op::not, &[x]),
        }
    }

    /// x & y.
    pub fn and(&self, x: Val, y: Val) -> Val {
        if let Some(v) = self.fold2(x, y, |a, b| a & b) {
            return v;
        }
        let (x, y) = if self.as_const(x).is_some() { (y, x) } else { (x, y) };
        if x == y {
            return x;
        }
        match self.as_const(y) {
            Some(0) => y,
            Some(c) if c == mask(x.ty) => x,
            _ => self.make(Op::and, &[x, y]),
        }
    }

    /// x | y.
    pub fn or(&self, x: Val, y: Val) -> Val {
        if let Some(v) = self.fold2(x, y, |a, b| a | b) {
            return v;
        }
        let (x, y) = if self.as_const(x).is_some() { (y, x) } else { (x, y) };
        if x == y || self.as_const(y) == Some(0) {
            return x;
        }
        if let Some(v) = self.joined(x, y) {
            return v;
        }
        self.or_values(x, y)
    }
    fn or_values(&self, x: Val, y: Val) -> Val {
        self.rotation(x, y).unwrap_or_else(|| self.make(Op::or, &[x, y]))
    }
    /// x | y or x ^ y if that is a rotation by a constant, written as two shifts
    /// of 64 bits, or of 32 bits each sign-extended.
    fn rotation(&self, x: Val, y: Val) -> Option<Val> {
        let (mut i, mut j) = (self.inst(x), self.inst(y));
        let narrow = i.op == Op::sext && j.op == Op::sext;
        if narrow {
            let arg = |i: Inst| self.inst(Val { id: i.args[0], ty: Type::I32 });
            (i, j) = (arg(i), arg(j));
        }
        if (i.op, j.op) == (Op::shl, Op::shr) {
            core::mem::swap(&mut i, &mut j);
        }
        if (i.op, j.op) != (Op::shr, Op::shl) {
            return None;
        }
        let ty = i.ty;
        let amount = |i: Inst| self.as_const(Val { id: i.args[1], ty });
        let (right, left) = (amount(i)?, amount(j)?);
        let plain = |i: Inst| {
            let v = self.inst(Val { id: i.args[0], ty });
            if v.op == Op::trunc { (v.args[0], true) } else { (i.args[0], false) }
        };
        if plain(i) != plain(j) || right + left != u64::from(ty.bytes()) * 8 {
            return None;
        }
        let v = self.rotr(Val { id: i.args[0], ty }, Val { id: i.args[1], ty });
        Some(if narrow { self.sext(v) } else { v })
    }

    /// x ^ y.
    pub fn xor(&self, x: Val, y: Val) -> Val {
        if let Some(v) = self.fold2(x, y, |a, b| a ^ b) {
            return v;
        }
        let (x, y) = if self.as_const(x).is_some() { (y, x) } else { (x, y) };
        match self.as_const(y) {
            Some(0) => x,
            Some(c) if c == mask(x.ty) => self.not(x),
            Some(_) => self.make(Op::xor, &[x, y]),
            None => self.xor_values(x, y),
        }
    }
    fn xor_values(&self, x: Val, y: Val) -> Val {
        if let Some(v) = self.rotation(x, y) {
            return v;
        }
        let (i, j) = (self.inst(x), self.inst(y));
        if i.op == Op::sext && j.op == Op::sext {
            let arg = |i: Inst| Val { id: i.args[0], ty: Type::I32 };
            return self.sext(self.make(Op::xor, &[arg(i), arg(j)]));
        }
        self.make(Op::xor, &[x, y])
    }

    fn shift(&self, op: Op, x: Val, n: Val) -> Val {
        let width = x.ty.bytes() * 8;
        if let Some(c) = self.as_const(n) {
            let c = (c as u32) % width;
            if c == 0 {
                return x;
            }
            if let Some(a) = self.as_const(x) {
                let r = match (op, x.ty) {
                    (Op::shl, _) => a << c,
                    (Op::shr, _) => a >> c,
                    (_, Type::I32) => (a as i32 >> c) as u64,
                    _ => (a as i64 >> c) as u64,
                };
                return self.iconst(r, x.ty);
            }
            if op != Op::shl
                && let Some(v) = self.extension(op == Op::sar, x, c)
            {
                return v;
            }
            if op == Op::shl {
                let v = self.make(op, &[x, n]);
                self.moved_part(v, x, c);
                return v;
            }
        }
        self.make(op, &[x, n])
    }
    /// x >> right where x is a shift to the left: how guests extend what has no
    /// instruction of its own. One operation if the host has it.
    fn extension(&self, signed: bool, x: Val, right: u32) -> Option<Val> {
        let i = self.inst(x);
        if i.op != Op::shl {
            return None;
        }
        let left = self.as_const(Val { id: i.args[1], ty: x.ty })? as u32;
        let of = Val { id: i.args[0], ty: x.ty };
        // A value that its slot no longer holds costs a register, unless it was
        // overwritten just now.
        let st = self.0.borrow();
        if !st.still_current(of.id) && st.region.insts.len() - usize::from(x.id) > 5 {
            return None;
        }
        drop(st);
        let width = x.ty.bytes() * 8;
        let (wide, len) = (x.ty == Type::I64, width.checked_sub(left)?);
        if right == left {
            return match len {
                32 if wide && signed => Some(self.sext(self.trunc(of))),
                32 if wide => Some(self.zext(self.trunc(of))),
                8 | 16 if signed => Some(self.sextract(of, (0, len as u8))),
                1..=30 if !signed => Some(self.extract(of, (0, len as u8))),
                _ => None,
            };
        }
        // A 32-bit value extended and scaled.
        (wide && left == 32 && right < left).then(|| {
            let v = self.trunc(of);
            let v = if signed { self.sext(v) } else { self.zext(v) };
            self.shl_imm(v, left - right)
        })
    }

    /// x << n, n modulo the width.
    pub fn shl(&self, x: Val, n: Val) -> Val {
        self.shift(Op::shl, x, n)
    }
    /// x >> n unsigned, n modulo the width.
    pub fn shr(&self, x: Val, n: Val) -> Val {
        self.shift(Op::shr, x, n)
    }
    /// x >> n signed, n modulo the width.
    pub fn sar(&self, x: Val, n: Val) -> Val {
        self.shift(Op::sar, x, n)
    }
    /// x << a constant.
    pub fn shl_imm(&self, x: Val, n: u32) -> Val {
        self.shl(x, self.iconst(u64::from(n), x.ty))
    }
    /// x >> a constant, unsigned.
    pub fn shr_imm(&self, x: Val, n: u32) -> Val {
        self.shr(x, self.iconst(u64::from(n), x.ty))
    }
    /// x >> a constant, signed.
    pub fn sar_imm(&self, x: Val, n: u32) -> Val {
        self.sar(x, self.iconst(u64::from(n), x.ty))
    }

    /// Bits [pos, pos+len), zero-extended.
    pub fn extract(&self, x: Val, b: (u8, u8)) -> Val {
        let width = x.ty.bytes() as u8 * 8;
        if b.1 == 0 {
            return self.iconst(0, x.ty);
        }
        if b.0 == 0 && b.1 >= width {
            return x;
        }
        if let Some(a) = self.as_const(x) {
            return self.iconst((a >> b.0) & (u64::MAX >> (64 - b.1)), x.ty);
        }
        if u32::from(b.0) + u32::from(b.1) == u32::from(width) {
            return self.shr_imm(x, u32::from(b.0));
        }
        self.make_with(Op::extract, &[x], b)
    }
    /// Bits [pos, pos+len), sign-extended.
    pub fn sextract(&self, x: Val, b: (u8, u8)) -> Val {
        let width = x.ty.bytes() as u8 * 8;
        if b.0 == 0 && b.1 >= width {
            return x;
        }
        if let Some(a) = self.as_const(x) {
            return self.iconst((((a >> b.0) << (64 - b.1)) as i64 >> (64 - b.1)) as u64, x.ty);
        }
        if u32::from(b.0) + u32::from(b.1) == u32::from(width) {
            return self.sar_imm(x, u32::from(b.0));
        }
        self.make_with(Op::sextract, &[x], b)
    }

    /// Sign-extends 32 to 64 bits.
    pub fn sext(&self, x: Val) -> Val {
        match self.as_const(x) {
            Some(c) => self.c64(c as i32 as i64 as u64),
            None => {
                let v = self.make(Op::sext, &[x]);
                self.extended_part(v, x);
                v
            }
        }
    }
    /// Zero-extends 32 to 64 bits.
    pub fn zext(&self, x: Val) -> Val {
        match self.as_const(x) {
            Some(c) => self.c64(c),
            None => self.make(Op::zext, &[x]),
        }
    }
    /// Low 32 bits.
    pub fn trunc(&self, x: Val) -> Val {
        if let Some(c) = self.as_const(x) {
            return self.c32(c as u32);
        }
        let i = self.inst(x);
        if matches!(i.op, Op::sext | Op::zext) {
            return Val { id: i.args[0], ty: Type::I32 };
        }
        self.make(Op::trunc, &[x])
    }

    /// Integer comparison.
    pub fn icmp(&self, x: Val, y: Val, c: Cond) -> Val {
        let swap = self.as_const(x).is_some() && self.as_const(y).is_none();
        let (x, y, c) = if swap { (y, x, c.swap()) } else { (x, y, c) };
        self.make_with(Op::icmp, &[x, y], c)
    }

    /// Not x; turns comparisons around.
    pub fn bnot(&self, x: Val) -> Val {
        let i = self.inst(x);
        let again = |aux| {
            let id = self.raw(Inst { aux, ..i }).id;
            Val { id, ty: Type::Bool }
        };
        match i.op {
            Op::icmp => again(Cond::from_u8(i.aux).negate() as u8),
            Op::fl_cond => again(crate::FlagCond::from_u8(i.aux).negate() as u8),
            Op::bnot => Val { id: i.args[0], ty: Type::Bool },
            _ => self.make(Op::bnot, &[x]),
        }
    }

    /// c ? t : f.
    pub fn movcond(&self, c: Val, t: Val, f: Val) -> Val {
        if t == f { t } else { self.make(Op::movcond, &[c, t, f]) }
    }

    /// A truth value that is always true or always false.
    pub fn bool_const(&self, v: bool) -> Val {
        let z = self.c32(0);
        self.icmp(z, z, if v { Cond::Eq } else { Cond::Ne })
    }

    // ---- memory

    /// Load from `base + a.disp`, extended to `t`.
    pub fn load(&self, base: Val, t: Type, a: Addr) -> Val {
        self.load_indexed(base, Val::NONE, t, a)
    }
    /// Load from `base + (index << a.scale) + a.disp`.
    pub fn load_indexed(&self, base: Val, index: Val, t: Type, a: Addr) -> Val {
        let mut i = Inst { op: Op::load, ty: t, aux: 0, args: [Val::NONE_ID; 4], imm: 0 };
        let (base, index, a) = self.fold_addr(base, index, a);
        a.put(&mut i);
        self.push_op(i, &[base, index])
    }
    /// Store of the low bytes of `v` to `base + a.disp`.
    pub fn store(&self, base: Val, v: Val, a: Addr) {
        self.store_indexed(base, Val::NONE, v, a);
    }
    /// Store to `base + (index << a.scale) + a.disp`.
    pub fn store_indexed(&self, base: Val, index: Val, v: Val, a: Addr) {
        let (base, index, a) = self.fold_addr(base, index, a);
        self.make_with(Op::store, &[base, index, v], a);
    }
    /// Hint that `base + (index << a.scale) + a.disp` will be read.
    pub fn prefetch(&self, base: Val, index: Val, a: Addr) {
        let (base, index, a) = self.fold_addr(base, index, a);
        self.make_with(Op::prefetch, &[base, index], a);
    }
    /// Folds an address that was computed for this access alone: a sum with a
    /// constant that no slot holds.
    fn fold_addr(&self, base: Val, index: Val, mut a: Addr) -> (Val, Val, Addr) {
        let i = self.inst(base);
        if i.op == Op::add
            && let Some(c) = self.as_const(Val { id: i.args[1], ty: Type::I64 })
            && !self.0.borrow().is_homed(base)
            && let Ok(disp) = i32::try_from((c as i64).wrapping_add(i64::from(a.disp)))
            && self.0.borrow().still_current(i.args[0])
        {
            a.disp = disp;
            return (Val { id: i.args[0], ty: Type::I64 }, index, a);
        }
        (base, index, a)
    }
    /// Atomic read-modify-write, sequentially consistent; the old value.
    pub fn rmw(&self, op: RmwOp, addr: Val, v: Val, m: MemOp) -> Val {
        let i =
            Inst { op: Op::rmw, ty: v.ty, aux: m.to_u8(), args: [Val::NONE_ID; 4], imm: op as i32 };
        self.push_op(i, &[addr, v])
    }
    /// Atomic compare and swap, sequentially consistent; the old value,
    /// zero-extended. 16-byte operands are V128.
    pub fn cas(&self, addr: Val, expect: Val, new: Val, m: MemOp) -> Val {
        self.make_with(Op::cas, &[addr, expect, new], Addr::at(m))
    }
    /// Fence.
    pub fn fence(&self, order: Order) {
        self.make_with(Op::fence, &[], Addr { order, ..Addr::at(MemOp::U8) });
    }

    // ---- helpers and control

    fn helper_index(&self, h: Helper) -> i32 {
        let mut s = self.0.borrow_mut();
        if let Some(n) = s.region.helpers.iter().position(|o| *o == h) {
            return n as i32;
        }
        s.region.helpers.push(h);
        s.region.helpers.len() as i32 - 1
    }
    /// Calls a helper; unused arguments are zero.
    pub fn helper(&self, h: Helper, args: &[Val]) -> Val {
        let n = self.helper_index(h);
        let [a, b, c] = self.helper_args(args);
        let mut i = Inst { op: Op::helper, ty: Type::I64, aux: 0, args: [Val::NONE_ID; 4], imm: 0 };
        n.put(&mut i);
        let v = self.push_op(i, &[a, b, c]);
        if h.writes_state {
            self.0.borrow_mut().forget();
        }
        v
    }
    /// Ends the block with a helper that decides how to leave.
    pub fn helper_end(&self, h: Helper, args: &[Val]) {
        let n = self.helper_index(h);
        let [a, b, c] = self.helper_args(args);
        self.make_with(Op::helper_end, &[a, b, c], n);
    }
    fn helper_args(&self, args: &[Val]) -> [Val; 3] {
        let at = |n: usize| args.get(n).copied().unwrap_or_else(|| self.c64(0));
        [at(0), at(1), at(2)]
    }
    /// Rare lane semantics: `h.func(&mut [u128; 4], i, 0, 0)`, where element 0
    /// receives the result and 1 to 3 hold the operands.
    pub fn vhelper(&self, h: Helper, x: Val, y: Val, z: Val, i: u16) -> Val {
        let n = self.helper_index(h);
        let inst = Inst {
            op: Op::vhelper,
            ty: Type::V128,
            aux: 0,
            args: [Val::NONE_ID, Val::NONE_ID, Val::NONE_ID, i],
            imm: n,
        };
        self.push_op(inst, &[x, y, z])
    }
    /// Goes to `pc` if `c`, else falls through.
    pub fn brcond(&self, c: Val, pc: u64) {
        let n = self.pc_index(pc);
        self.make_with(Op::brcond, &[c], n);
    }
    /// Continues at `pc`.
    pub fn goto(&self, pc: u64) {
        let n = self.pc_index(pc);
        self.make_with(Op::goto, &[], n);
    }
    /// Continues at guest address `a`.
    pub fn goto_ptr(&self, a: Val) {
        self.make(Op::goto_ptr, &[a]);
    }
    /// Continues at `pc`, expecting a return to `ret`.
    pub fn call(&self, pc: u64, ret: u64) {
        let (n, r) = (self.pc_index(pc), self.pc_index(ret));
        let i = Inst {
            op: Op::call,
            ty: Type::Void,
            aux: 0,
            args: [Val::NONE_ID, Val::NONE_ID, Val::NONE_ID, r as u16],
            imm: n,
        };
        self.push_op(i, &[]);
    }
    /// Continues at guest address `a`, expecting a return to `ret`.
    pub fn call_ptr(&self, a: Val, ret: u64) {
        let r = self.pc_index(ret);
        let i = Inst {
            op: Op::call_ptr,
            ty: Type::Void,
            aux: 0,
            args: [Val::NONE_ID, Val::NONE_ID, Val::NONE_ID, r as u16],
            imm: 0,
        };
        self.push_op(i, &[a]);
    }
    /// Returns to guest address `a`.
    pub fn ret_ptr(&self, a: Val) {
        self.make(Op::ret_ptr, &[a]);
    }
    /// Leaves translated code.
    pub fn exit(&self, e: ExitKind, pc: u64) {
        let n = self.pc_index(pc);
        let i =
            Inst { op: Op::exit, ty: Type::Void, aux: e as u8, args: [Val::NONE_ID; 4], imm: n };
        self.push_op(i, &[]);
    }
    /// Leaves translated code if `c`.
    pub fn exit_if(&self, c: Val, e: ExitKind, pc: u64) {
        let n = self.pc_index(pc);
        let i =
            Inst { op: Op::exit_if, ty: Type::Void, aux: e as u8, args: [Val::NONE_ID; 4], imm: n };
        self.push_op(i, &[c]);
    }

    /// Lane `i` of a vector as an integer, zero-extended.
    pub fn lane(&self, v: Val, l: Lane, i: u32) -> Val {
        let t = if l == Lane::D { Type::I64 } else { Type::I32 };
        let k = self.c32(i);
        self.vextract(v, k, t, l)
    }
}

fn mask(t: Type) -> u64 {
    if t == Type::I32 { 0xffff_ffff } else { u64::MAX }
}

impl Inner {
    fn remember(&mut self, s: Slot, v: Val) {
        if self.plain {
            return;
        }
        let key = s.offset / 8;
        if let Some(e) = self.slots.get_mut(usize::from(key)) {
            *e = Some((s, v));
            self.used.push(key);
        }
    }
    fn forget_at(&mut self, key: usize) {
        if let Some(e) = self.slots.get_mut(key) {
            *e = None;
        }
    }
    fn forget(&mut self) {
        self.status = None;
        self.join.forget();
        for key in self.used.drain(..) {
            self.slots[usize::from(key)] = None;
        }
    }
    /// Whether some slot holds the value.
    fn is_homed(&self, v: Val) -> bool {
        self.used.iter().any(|&k| self.slots[usize::from(k)].is_some_and(|(_, w)| w.id == v.id))
    }
    /// Whether a value that was read from a slot is still that slot's value.
    fn still_current(&self, id: u16) -> bool {
        let i = self.region.insts[usize::from(id)];
        i.op != Op::get
            || self
                .slots
                .get(i.imm as usize / 8)
                .is_some_and(|e| e.is_some_and(|(_, w)| w.id == id))
    }
}
