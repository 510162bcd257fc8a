//! Loads that stand for several narrower ones.
//!
//! Compilers for processors that may lack unaligned accesses read a number byte by byte and
//! put it together with shifts and `or`. While such code is written, the loads of a block are
//! noted, and which values are bytes of memory in a row. Once two, four or eight are together,
//! the first of the loads makes room for one of them all, and the others become parts of its
//! value. The block must not write memory, leave, or wait for other threads in between.
//!
//! The joint load may fault where the guest's first load would not. Whoever runs the code then
//! has to make it again with that load kept apart: see [`Builder::keep_apart`].

use std::collections::BTreeSet;

use super::Builder;
use crate::{Addr, Attr, Effects, Inst, MemOp, Op, Order, Type, Val};

/// More loads than this are not remembered.
const MOST: usize = 64;
/// Values looked at for a part, the last ones.
const RECENT: usize = 24;

/// A value made of bytes of memory in a row, with zero bytes around.
#[derive(Clone, Copy, Debug)]
struct Part {
    id: u16,
    base: u16,
    /// Of the first byte in memory.
    disp: i32,
    /// Bytes.
    len: u8,
    /// Zero bytes below.
    shift: u8,
    /// The first byte in memory is the highest.
    big: bool,
    /// The bytes above are those of a sign.
    signed: bool,
}

impl Part {
    /// What `or` makes of two parts without a gap between.
    fn with(self, other: Part) -> Option<Part> {
        let (low, high) = if self.shift < other.shift { (self, other) } else { (other, self) };
        if low.base != high.base || low.shift + low.len != high.shift || low.signed {
            return None;
        }
        let follows = |a: Part, b: Part| a.disp.checked_add(a.len.into()) == Some(b.disp);
        let may_be = |big: bool| [low, high].iter().all(|p| p.big == big || p.len == 1);
        let big = if may_be(false) && follows(low, high) {
            false
        } else if may_be(true) && follows(high, low) {
            true
        } else {
            return None;
        };
        let disp = if big { high.disp } else { low.disp };
        Some(Part { disp, len: low.len + high.len, big, signed: high.signed, ..low })
    }
    /// Whether it is all of a number that one load can read.
    fn is_whole(self) -> bool {
        let bytes: &[u8] = match (self.signed, self.big) {
            (true, _) => &[4],
            (false, true) => &[4, 8],
            (false, false) => &[2, 4, 8],
        };
        self.shift == 0 && bytes.contains(&self.len)
    }
    fn covers(self, base: u16, disp: i32, len: u8) -> bool {
        let end = |disp: i32, len: u8| i64::from(disp) + i64::from(len);
        self.base == base && self.disp <= disp && end(disp, len) <= end(self.disp, self.len)
    }
}

/// An instruction whose value is bytes of memory, and nothing else: a load, or what became of it.
#[derive(Clone, Copy, Debug)]
struct View {
    id: u16,
    base: u16,
    disp: i32,
    len: u8,
    /// Where a joint load can be, for a load.
    room: Option<u16>,
    /// First byte and bytes of the joint load that is there.
    joint: Option<(i32, u8)>,
}

/// What a builder knows of the loads of a block.
#[derive(Debug, Default)]
pub(super) struct Join {
    on: bool,
    apart: BTreeSet<u64>,
    parts: Vec<Part>,
    views: Vec<View>,
}

impl Join {
    /// Forgets the loads.
    pub(super) fn forget(&mut self) {
        self.parts.clear();
        self.views.clear();
    }
    /// An instruction is written: loads before it cannot be joined with later ones if it writes
    /// memory, leaves, orders other accesses, or has an effect that nobody here knows.
    #[inline]
    pub(super) fn pass(&mut self, i: &Inst) {
        const ENDS: Effects = Effects(
            Effects::WRITES_MEM.0 | Effects::SIDE.0 | Effects::SIDE_EXIT.0 | Effects::ENDS_BLOCK.0,
        );
        if self.views.is_empty() {
            return;
        }
        let orders = i.op == Op::load && Addr::of(i).order != Order::Relaxed;
        if orders || i.op.effects().has(ENDS) && i.op != Op::insn {
            self.forget();
        }
    }
    fn part(&self, id: u16) -> Option<Part> {
        self.parts.iter().rev().take(RECENT).find(|p| p.id == id).copied()
    }
}

impl Builder {
    /// Whether [`Builder::load_part`] may be joined with others.
    pub fn join_loads(&self, on: bool) {
        self.0.borrow_mut().join.on = on;
    }
    /// From now on no joint load is made for the guest instruction at an address: one has
    /// faulted, and only the instruction's own load can say whether it does.
    pub fn keep_apart(&self, pc: u64) {
        self.0.borrow_mut().join.apart.insert(pc);
    }
    /// Other code is in `[start, end)` now.
    pub fn forget_apart(&self, start: u64, end: u64) {
        let mut s = self.0.borrow_mut();
        if !s.join.apart.is_empty() {
            s.join.apart.retain(|pc| !(start..end).contains(pc));
        }
    }
    /// Whether an address in `[start, end)` was given to [`Builder::keep_apart`].
    pub fn keeps_apart(&self, start: u64, end: u64) -> bool {
        start < end && self.0.borrow_mut().join.apart.range(start..end).next().is_some()
    }

    /// An unsigned load, extended to 64 bits, that is all its guest instruction does but for
    /// writing the value to a slot: it may be joined with others behind it.
    pub fn load_part(&self, base: Val, a: Addr) -> Val {
        debug_assert!(!a.mem.signed && !a.mem.big && a.mem.size < 3);
        let joins = {
            let s = self.0.borrow_mut();
            s.join.on && !s.plain && !s.join.apart.contains(&s.pc)
        };
        if !joins {
            return self.load(base, Type::I64, a);
        }
        let room = self.raw(NOTHING).id;
        let v = self.load(base, Type::I64, a);
        let mut s = self.0.borrow_mut();
        let i = s.region.insts[usize::from(v.id)];
        let (id, base, disp, len) = (v.id, i.args[0], i.imm, a.mem.bytes() as u8);
        if s.join.views.len() == MOST {
            s.join.forget();
        }
        s.join.views.push(View { id, base, disp, len, room: Some(room), joint: None });
        s.join.parts.push(Part { id, base, disp, len, shift: 0, big: false, signed: false });
        v
    }
    /// Notes that `v` is `x`, maybe a part, shifted to the left.
    pub(super) fn moved_part(&self, v: Val, x: Val, bits: u32) {
        let mut s = self.0.borrow_mut();
        let j = &mut s.join;
        if j.parts.is_empty() || !bits.is_multiple_of(8) {
            return;
        }
        if let Some(p) = j.part(x.id).filter(|p| !p.signed)
            && u32::from(p.shift + p.len) + bits / 8 <= 8
        {
            j.parts.push(Part { id: v.id, shift: p.shift + (bits / 8) as u8, ..p });
        }
    }
    /// Notes that `v` is `x`, maybe a part of 32 bits with the highest, sign-extended.
    pub(super) fn extended_part(&self, v: Val, x: Val) {
        if self.0.borrow_mut().join.parts.is_empty() {
            return;
        }
        let i = self.inst(x);
        let Some(bits) = self.as_const(Val { id: i.args[1], ty: Type::I32 }) else { return };
        let of = self.inst(Val { id: i.args[0], ty: Type::I32 });
        if i.op != Op::shl || of.op != Op::trunc || !bits.is_multiple_of(8) {
            return;
        }
        let mut s = self.0.borrow_mut();
        if let Some(p) = s.join.part(of.args[0]).filter(|p| !p.signed && p.shift == 0)
            && u64::from(p.len) + bits / 8 == 4
        {
            let shift = (bits / 8) as u8;
            s.join.parts.push(Part { id: v.id, shift, signed: true, ..p });
        }
    }
    /// x | y if both are parts of something.
    pub(super) fn joined(&self, x: Val, y: Val) -> Option<Val> {
        let part = {
            let s = self.0.borrow_mut();
            if s.join.parts.is_empty() || x.ty != Type::I64 {
                return None;
            }
            s.join.part(x.id)?.with(s.join.part(y.id)?)?
        };
        let v = if part.is_whole() { self.join(part)? } else { self.or_values(x, y) };
        self.0.borrow_mut().join.parts.push(Part { id: v.id, ..part });
        Some(v)
    }
    /// The value of a part by a joint load.
    fn join(&self, part: Part) -> Option<Val> {
        let joint = self.make_joint(part)?;
        let n = part.len * 8;
        if n == 64 {
            return Some(if part.big { self.bswap(joint) } else { joint });
        }
        // Not the load itself: that may be widened once more.
        let v = self.extract(joint, (0, n));
        let mut s = self.0.borrow_mut();
        let Part { base, disp, len, .. } = part;
        s.join.views.push(View { id: v.id, base, disp, len, room: None, joint: None });
        drop(s);
        if !part.big && !part.signed {
            return Some(v);
        }
        let w = self.trunc(v);
        let w = if part.big { self.bswap(w) } else { w };
        Some(if part.signed { self.sext(w) } else { self.zext(w) })
    }
    /// Makes the first load of a part read all of it.
    fn make_joint(&self, part: Part) -> Option<Val> {
        let mut s = self.0.borrow_mut();
        let s = &mut *s;
        let views = &mut s.join.views;
        let inside = |v: &View| part.covers(v.base, v.disp, v.len);
        let first = views.iter().filter(|v| inside(v)).filter_map(|v| v.room).min()?;
        let whole = |v: &View| v.joint.is_none_or(|(disp, len)| part.covers(v.base, disp, len));
        // Another load is there that this one does not replace.
        if !views.iter().filter(|v| v.room == Some(first)).all(whole) {
            return None;
        }
        for v in views.iter_mut().filter(|v| inside(v)) {
            let at = v.disp - part.disp;
            if let Some(room) = v.room
                && whole(v)
            {
                v.joint = (room == first).then_some((part.disp, part.len));
                s.region.insts[usize::from(room)] = NOTHING;
            }
            let mut i = of(Op::extract, first);
            (at as u8 * 8, v.len * 8).put(&mut i);
            s.region.insts[usize::from(v.id)] = i;
        }
        let mut i = of(Op::load_joint, part.base);
        let mem = MemOp::unsigned(part.len.trailing_zeros() as u8);
        Addr { disp: part.disp, ..Addr::at(mem) }.put(&mut i);
        s.region.insts[usize::from(first)] = i;
        Some(Val { id: first, ty: Type::I64 })
    }
}

/// A constant that nobody uses.
const NOTHING: Inst = Inst { op: Op::iconst, ty: Type::I64, aux: 0, args: [0; 4], imm: 0 };

/// An op on one value.
fn of(op: Op, x: u16) -> Inst {
    let args = [x, Val::NONE_ID, Val::NONE_ID, Val::NONE_ID];
    Inst { op, ty: Type::I64, aux: 0, args, imm: 0 }
}
