//! Where values are: a local allocator over one extended block.

use remu_ir::{Inst, Op, Slot, Type, Val};

use super::enc::{RAX, RBP, Reg, Rm, W, at};
use super::lower::Compiler;
use super::{Host, PIN_INT, PIN_VEC, SCRATCH_INT, SCRATCH_VEC, X, XT};
use crate::Layout;

pub(super) const NOBODY: u16 = u16::MAX;
pub(super) const NO_HOST: Host = u8::MAX;
/// Not in a spill slot; the last one is never given out.
pub(super) const NO_SPILL: u8 = u8::MAX;

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Loc {
    /// Not computed (yet, or not at all: constants, deferred conditions).
    #[default]
    None,
    /// In a host register.
    Reg(Host),
    /// In the memory of the state slot at this offset.
    Home(u16),
    /// In a spill slot.
    Spill(u8),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) loc: Loc,
    /// Uses not lowered yet.
    pub(super) uses: u16,
    /// Last instruction that reads it.
    pub(super) last: u16,
    /// The value whose register this one shares, or itself.
    pub(super) root: u16,
    /// State offset whose memory also holds the value, or NOBODY.
    pub(super) home: u16,
    /// Spill slot that also holds the value, or NO_SPILL.
    pub(super) spill: u8,
    /// Pinned register the value should be computed into.
    pub(super) target: Host,
    /// For an I32 in a register: bits 63:32 are known to be zero.
    pub(super) zero_high: bool,
    /// For a vector register: its bytes from this one on are known to be zero.
    pub(super) zero_from: u8,
    /// Flags that were computed where they stand: the host's, or in memory.
    pub(super) placed: bool,
}

impl Value {
    pub(super) const EMPTY: Value = Value {
        loc: Loc::None,
        uses: 0,
        last: 0,
        root: 0,
        home: NOBODY,
        spill: NO_SPILL,
        target: NO_HOST,
        zero_high: false,
        zero_from: 16,
        placed: false,
    };
}

pub(super) fn wide(t: Type) -> W {
    if t == Type::I64 { W::Q } else { W::D }
}

impl Compiler<'_> {
    pub(super) fn inst(&self, id: u16) -> Inst {
        self.r.insts[usize::from(id)]
    }
    pub(super) fn root(&self, id: u16) -> u16 {
        self.vals[usize::from(id)].root
    }
    pub(super) fn val(&mut self, id: u16) -> &mut Value {
        let r = self.vals[usize::from(id)].root;
        &mut self.vals[usize::from(r)]
    }
    /// Guest-address constant, for `movi_pc`.
    pub(super) fn pc_const_of(&self, id: u16) -> Option<u64> {
        let i = self.inst(self.root(id));
        (i.op == Op::pcconst).then(|| i.const_bits())
    }
    /// Plain or guest-address constant, to be used as a plain one: the code is
    /// right only for this guest address then.
    pub(super) fn const_of(&self, id: u16) -> Option<u64> {
        let i = self.inst(self.root(id));
        match (i.op, self.inst(id).ty) {
            (Op::iconst, Type::I32) => Some(i.const_bits() & 0xffff_ffff),
            (Op::iconst, _) => Some(i.const_bits()),
            (Op::pcconst, _) => {
                self.a.fixed.set(true);
                Some(i.const_bits())
            }
            _ => None,
        }
    }
    /// A constant that fits an immediate of an operation of its type.
    pub(super) fn imm(&self, id: u16) -> Option<i32> {
        if self.pc_const_of(id).is_some_and(|c| i32::try_from(c as i64).is_err()) {
            return None;
        }
        let c = self.const_of(id)?;
        if self.inst(id).ty == Type::I32 {
            return Some(c as u32 as i32);
        }
        i32::try_from(c as i64).ok()
    }
    /// Host register a slot is pinned to.
    pub(super) fn pin(&self, offset: u16) -> Option<Host> {
        let h = self.pins.get(usize::from(offset / 8)).copied().filter(|&h| h != NO_HOST)?;
        (!Self::is_scratch(h) || self.kept_mask >> h & 1 != 0).then_some(h)
    }

    // ---- registers

    pub(super) fn is_scratch(h: Host) -> bool {
        SCRATCH_INT.contains(&h) || SCRATCH_VEC.contains(&h)
    }
    pub(super) fn lock(&mut self, h: Host) {
        self.locked |= 1 << h;
    }
    /// The op is over.
    pub(super) fn unlock_all(&mut self) {
        self.locked = 0;
        for n in self.freed.drain(..) {
            self.spilled[usize::from(n)] = false;
        }
    }
    /// Makes a register's content expendable by giving the value it holds, if
    /// that is needed later, another place.
    pub(super) fn vacate(&mut self, h: Host) {
        if self.held >> h & 1 != 0 {
            self.settle();
        }
        if let Some(pc) = self.pc_held.get_mut(usize::from(h)) {
            *pc = 0;
        }
        let id = core::mem::replace(&mut self.owner[usize::from(h)], NOBODY);
        if id == NOBODY {
            return;
        }
        let v = self.vals[usize::from(id)];
        if v.loc != Loc::Reg(h) {
            return;
        }
        if v.uses == 0 {
            self.vals[usize::from(id)].loc = Loc::None;
            return;
        }
        if v.home != NOBODY && !Self::is_pinned(h) {
            self.vals[usize::from(id)].loc = Loc::Home(v.home);
            return;
        }
        if v.spill != NO_SPILL {
            self.vals[usize::from(id)].loc = Loc::Spill(v.spill);
            return;
        }
        let free = self.free_scratch(h >= X);
        if let Some(to) = free {
            self.copy(to, h, self.inst(id).ty);
            self.place(id, to);
        } else {
            self.spill(id, h);
        }
    }
    /// Moves a value from a register to a spill slot.
    pub(super) fn spill(&mut self, id: u16, h: Host) {
        let n = self.spill_slot();
        self.store_spill(n, h);
        self.spilled_to(id, n);
    }
    /// A value is in a spill slot now, which it keeps to the end.
    pub(super) fn spilled_to(&mut self, id: u16, n: u8) {
        let v = &mut self.vals[usize::from(id)];
        (v.loc, v.spill) = (Loc::Spill(n), n);
    }
    fn is_pinned(h: Host) -> bool {
        PIN_INT.contains(&h) || PIN_VEC.contains(&h)
    }
    pub(super) fn free_scratch(&self, vec: bool) -> Option<Host> {
        let list: &[Host] = if vec { &SCRATCH_VEC } else { &SCRATCH_INT };
        list.iter().copied().find(|&h| {
            self.owner[usize::from(h)] == NOBODY
                && (self.locked | self.kept_mask | self.held) >> h & 1 == 0
        })
    }
    pub(super) fn spill_slot(&mut self) -> u8 {
        let n = (0..Layout::SPILLS - 1).find(|&n| !self.spilled[n]).unwrap_or(Layout::SPILLS - 2);
        self.spilled[n] = true;
        n as u8
    }
    fn store_spill(&mut self, n: u8, h: Host) {
        let m = at(RBP, self.lay.spill(usize::from(n)));
        if h >= X {
            self.a.vex(super::vector::MOVAPS_ST, h - X, 0, Rm::M(m));
        } else {
            self.a.st(W::Q, m, h);
        }
    }
    /// A scratch register, emptied.
    pub(super) fn scratch(&mut self, vec: bool) -> Host {
        if let Some(h) = self.free_scratch(vec) {
            self.lock(h);
            return h;
        }
        let list: &[Host] = if vec { &SCRATCH_VEC } else { &SCRATCH_INT };
        if self.held != 0 && vec {
            self.settle();
            if let Some(h) = self.free_scratch(vec) {
                self.lock(h);
                return h;
            }
        }
        if self.kept_mask != 0 && vec {
            self.give_up_kept();
            if let Some(h) = self.free_scratch(vec) {
                self.lock(h);
                return h;
            }
        }
        // Prefer a value that memory holds too, then the one used last.
        let victim = list
            .iter()
            .copied()
            .filter(|&h| (self.locked | self.kept_mask) >> h & 1 == 0)
            .max_by_key(|&h| {
                let v = &self.vals[usize::from(self.owner[usize::from(h)])];
                (v.home != NOBODY || v.spill != NO_SPILL, v.last)
            })
            .unwrap_or(list[0]);
        debug_assert!(self.locked >> victim & 1 == 0, "every scratch register is in use");
        self.lock(victim);
        self.vacate(victim);
        victim
    }
    /// Empties one particular scratch register for an op that needs it.
    pub(super) fn take(&mut self, h: Host) {
        self.lock(h);
        self.vacate(h);
    }
    /// Records that a value is in a register.
    pub(super) fn place(&mut self, id: u16, h: Host) {
        self.owner[usize::from(h)] = id;
        self.vals[usize::from(id)].loc = Loc::Reg(h);
    }
    /// Register to register copy of a whole register.
    pub(super) fn copy(&mut self, to: Host, from: Host, ty: Type) {
        match (to >= X, from >= X) {
            _ if to == from => {}
            (false, false) => self.a.mov(if ty == Type::I32 { W::D } else { W::Q }, to, from),
            (true, true) => self.a.vex(super::vector::MOVAPS, to - X, 0, Rm::R(from - X)),
            (true, false) => self.a.vex(super::vector::MOVQ_X_R, to - X, 0, Rm::R(from)),
            (false, true) => self.a.vex(super::vector::MOVQ_R_X, from - X, 0, Rm::R(to)),
        }
    }

    // ---- operands

    /// The value's memory, if it is in memory.
    fn memory_of(&self, loc: Loc) -> Option<Rm> {
        match loc {
            Loc::Home(off) => Some(Rm::M(at(RBP, Layout::disp(i32::from(off))))),
            Loc::Spill(n) => Some(Rm::M(at(RBP, self.lay.spill(usize::from(n))))),
            _ => None,
        }
    }
    /// Operand as register or memory; constants and vector constants are
    /// loaded. The register is locked until the op ends.
    pub(super) fn rm(&mut self, id: u16) -> Rm {
        let root = self.root(id);
        let v = self.vals[usize::from(root)];
        match v.loc {
            Loc::Reg(h) => {
                self.lock(h);
                Rm::R(h & 15)
            }
            // Used again later: a register saves the next load.
            Loc::Home(_) | Loc::Spill(_) if v.uses > 1 => {
                let vec = self.inst(root).ty.is_vec();
                if self.free_scratch(vec).is_some() {
                    Rm::R(self.reg(id))
                } else {
                    self.memory_of(v.loc).unwrap_or(Rm::R(0))
                }
            }
            loc => match self.memory_of(loc) {
                Some(m) => m,
                None => Rm::R(self.reg(id)),
            },
        }
    }
    /// Operand in a register (numbered 0 to 15 in its class), locked until
    /// the op ends. Never a temporary.
    pub(super) fn reg(&mut self, id: u16) -> Reg {
        let root = self.root(id);
        let v = self.vals[usize::from(root)];
        if let Loc::Reg(h) = v.loc {
            self.lock(h);
            return h & 15;
        }
        let i = self.inst(root);
        let vec = i.ty.is_vec();
        let h = self.scratch(vec);
        self.load_into(root, h);
        // Constants are not kept: they cost as much to copy as to make.
        if v.loc != Loc::None {
            self.moved_to(root, h);
        }
        h & 15
    }
    /// A value that was in memory is in a register now.
    pub(super) fn moved_to(&mut self, root: u16, h: Host) {
        let v = &mut self.vals[usize::from(root)];
        if let Loc::Home(off) = core::mem::replace(&mut v.loc, Loc::Reg(h)) {
            v.home = off;
        }
        self.owner[usize::from(h)] = root;
    }
    /// Loads a value into a register without recording anything.
    pub(super) fn load_into(&mut self, id: u16, h: Host) {
        let root = self.root(id);
        let v = self.vals[usize::from(root)];
        let i = self.inst(root);
        match v.loc {
            Loc::Reg(from) => self.copy(h, from, Type::I64),
            Loc::None => match i.op {
                Op::vconst => self.vector_constant(h - X, self.r.vconsts[i.imm as usize]),
                Op::iconst => self.a.movi(h, self.const_of(root).unwrap_or(0)),
                Op::pcconst => self.pc_into(h, i.const_bits()),
                _ => self.materialize(root, h),
            },
            loc => {
                if let Some(m) = self.memory_of(loc) {
                    if h >= X {
                        let op = if i.ty == Type::V128 || matches!(loc, Loc::Spill(_)) {
                            super::vector::MOVUPS
                        } else {
                            super::vector::MOVSD
                        };
                        self.a.vex(op, h - X, 0, m);
                    } else {
                        self.a.mov_rm(if i.ty == Type::I64 { W::Q } else { W::D }, h, m);
                    }
                }
            }
        }
    }
    /// A register that holds a guest address near another one, and how far that is.
    pub(super) fn near_pc(&self, pc: u64) -> Option<(Reg, i32)> {
        let by = |held: u64| i32::try_from(pc.wrapping_sub(held) as i64).ok();
        let last = self.a.held_pc().and_then(|(held, r)| Some((r, by(held)?)));
        last.or_else(|| {
            PIN_INT.iter().find_map(|&h| match self.pc_held[usize::from(h)] {
                0 => None,
                held => Some((h, by(held)?)),
            })
        })
    }
    /// A guest address into a register.
    fn pc_into(&mut self, h: Host, pc: u64) {
        match self.near_pc(pc) {
            Some((r, 0)) => self.a.mov(W::Q, h, r),
            Some((r, by)) => self.a.lea(W::Q, h, at(r, by)),
            None => return self.a.movi_pc(h, pc),
        }
        self.a.note_pc(h, pc);
    }
    /// Operand copied to the integer temporary.
    pub(super) fn load_temp(&mut self, id: u16) -> Reg {
        self.load_into(id, RAX);
        RAX
    }
    /// Operand in a register, the temporary if it is not in one: valid only
    /// until the next use of the temporary, changes no allocation.
    pub(super) fn reg_or_temp(&mut self, id: u16) -> Reg {
        let v = *self.val(id);
        match v.loc {
            Loc::Reg(h) if h < X => h,
            _ => self.load_temp(id),
        }
    }
    /// The same for vector registers.
    pub(super) fn xmm_or_temp(&mut self, id: u16) -> Reg {
        let v = *self.val(id);
        match v.loc {
            Loc::Reg(h) if h >= X => h - X,
            _ => {
                self.load_into(id, X + XT);
                XT
            }
        }
    }
    /// Counts a use as done; the register is free after the last one.
    pub(super) fn done(&mut self, id: u16) {
        if id == Val::NONE_ID {
            return;
        }
        let root = self.root(id);
        let v = &mut self.vals[usize::from(root)];
        v.uses = v.uses.saturating_sub(1);
        if v.uses == 0 {
            match v.loc {
                Loc::Reg(h) if Self::is_scratch(h) => {
                    v.loc = Loc::None;
                    self.owner[usize::from(h)] = NOBODY;
                }
                Loc::Spill(_) => v.loc = Loc::None,
                _ => {}
            }
            // The op may still read it: free when the op is over.
            let n = core::mem::replace(&mut v.spill, NO_SPILL);
            if n != NO_SPILL {
                self.freed.push(n);
            }
            if self.is_deferred(root) {
                self.release_deferred(root);
            }
        }
    }
    /// Counts a use of every operand as done.
    pub(super) fn done_all(&mut self, i: &Inst) {
        for n in 0..i.op.arity() {
            self.done(i.args[n]);
        }
    }
    /// Register for a result: the pinned one it is bound for, else `prefer` if
    /// that is a scratch register without owner, else any scratch register.
    /// Operands must have been counted as done, and stay locked.
    pub(super) fn dest(&mut self, id: u16, prefer: Option<Host>) -> Host {
        let t = self.vals[usize::from(id)].target;
        if t != NO_HOST {
            self.lock(t);
            self.vacate(t);
            return t;
        }
        let vec = self.inst(id).ty.is_vec();
        if let Some(h) = prefer
            && Self::is_scratch(h)
            && (h >= X) == vec
            && self.owner[usize::from(h)] == NOBODY
            && (self.kept_mask | self.held) >> h & 1 == 0
        {
            self.lock(h);
            return h;
        }
        self.scratch(vec)
    }
    /// The result is in `h`; the op is over.
    pub(super) fn finish(&mut self, id: u16, h: Host) {
        if self.vals[usize::from(id)].uses == 0 && Self::is_scratch(h) {
            self.owner[usize::from(h)] = NOBODY;
        } else {
            self.place(id, h);
        }
        self.unlock_all();
    }
    /// Makes `id` share the place of operand `of`, whose use this was.
    pub(super) fn alias(&mut self, id: u16, of: u16) {
        let root = self.root(of);
        let uses = self.vals[usize::from(id)].uses;
        self.vals[usize::from(id)].root = root;
        let v = &mut self.vals[usize::from(root)];
        v.uses += uses;
        self.done(root);
    }

    // ---- state

    /// Lowers `get`.
    pub(super) fn get(&mut self, id: u16, i: &Inst) {
        let off = i.imm as u16;
        match self.pin(off) {
            Some(h) => {
                if Self::is_scratch(h) {
                    self.lock(h);
                    self.vacate_home(Slot { offset: off, ty: i.ty });
                    self.vacate_if_other(h, id);
                    self.unlock_all();
                    self.vals[usize::from(id)].home = off;
                    self.note_home(off, id);
                } else {
                    self.vacate_if_other(h, id);
                }
                self.place(id, h);
            }
            None => {
                // Another value that relies on the same memory must not be forgotten.
                self.vacate_home(Slot { offset: off, ty: i.ty });
                self.unlock_all();
                self.vals[usize::from(id)].loc = Loc::Home(off);
                self.vals[usize::from(id)].home = off;
                self.note_home(off, id);
            }
        }
    }
    fn vacate_if_other(&mut self, h: Host, id: u16) {
        let o = self.owner[usize::from(h)];
        if o != NOBODY
            && o != id
            && self.vals[usize::from(o)].uses > 0
            && self.vals[usize::from(o)].loc == Loc::Reg(h)
        {
            self.lock(h);
            self.vacate(h);
        }
    }
    pub(super) fn note_home(&mut self, off: u16, id: u16) {
        if let Some(e) = self.homes.get_mut(usize::from(off / 4)) {
            *e = id;
        }
    }
    /// The memory of a slot is about to change: values that are only there
    /// move to registers.
    pub(super) fn vacate_home(&mut self, slot: Slot) {
        for word in 0..slot.ty.bytes().div_ceil(4) as u16 {
            let key = usize::from(slot.offset / 4 + word);
            let Some(&id) = self.homes.get(key) else { return };
            if id == NOBODY {
                continue;
            }
            self.homes[key] = NOBODY;
            let v = self.vals[usize::from(id)];
            if matches!(v.loc, Loc::Home(_)) {
                if v.uses > 0 {
                    let vec = self.inst(id).ty.is_vec();
                    let h = self.scratch(vec);
                    self.load_into(id, h);
                    self.place(id, h);
                } else {
                    self.vals[usize::from(id)].loc = Loc::None;
                }
            }
            self.vals[usize::from(id)].home = NOBODY;
        }
    }
    /// Lowers `set`.
    pub(super) fn set(&mut self, i: &Inst) {
        let slot = Slot { offset: i.imm as u16, ty: i.ty };
        let id = i.args[0];
        if slot.ty == Type::Flags {
            self.forget_edges(slot.offset);
            return self.set_flags(slot, id);
        }
        let root = self.root(id);
        match self.pin(slot.offset) {
            Some(h) if Self::is_scratch(h) => self.set_kept(slot, id, h),
            Some(h) => {
                let v = self.vals[usize::from(root)];
                if v.loc == Loc::Reg(h) && self.inst(root).ty.bytes() <= slot.ty.bytes() {
                    // Computed in place, or already there.
                    self.done(id);
                    self.unlock_all();
                    return;
                }
                let pc = self.pc_const_of(id);
                if pc.is_some_and(|pc| self.pc_held.get(usize::from(h)) == Some(&pc)) {
                    self.done(id);
                    self.unlock_all();
                    return;
                }
                if let Loc::Reg(from) = v.loc {
                    self.lock(from);
                }
                self.lock(h);
                self.vacate(h);
                self.load_into(id, h);
                self.done(id);
                if let (Some(held), Some(pc)) = (self.pc_held.get_mut(usize::from(h)), pc) {
                    *held = pc;
                }
                let v = self.vals[usize::from(root)];
                // The register keeps only the slot's bits over a call.
                let fits = self.inst(root).ty.bytes() <= slot.ty.bytes();
                match v.loc {
                    Loc::Reg(from) if fits && Self::is_scratch(from) => {
                        self.owner[usize::from(from)] = NOBODY;
                        self.place(root, h);
                    }
                    Loc::Spill(_) if fits => self.place(root, h),
                    _ => {}
                }
            }
            None => {
                let m = at(RBP, Layout::disp(i32::from(slot.offset)));
                if let Loc::Reg(h) = self.vals[usize::from(root)].loc {
                    self.lock(h);
                }
                self.vacate_home(slot);
                let v = self.vals[usize::from(root)];
                if slot.ty.is_vec() {
                    let op = match slot.ty {
                        Type::V128 => super::vector::MOVUPS_ST,
                        Type::F64 => super::vector::MOVSD_ST,
                        _ => super::vector::MOVSS_ST,
                    };
                    let x = self.xmm_or_temp(id);
                    self.a.vex(op, x, 0, Rm::M(m));
                } else if let (Loc::None, Some(c)) = (v.loc, self.imm(root)) {
                    self.a.st_imm(wide(slot.ty), m, c);
                } else {
                    let s = self.reg_or_temp(id);
                    self.a.st(wide(slot.ty), m, s);
                }
                if matches!(v.loc, Loc::Reg(_)) && self.inst(root).ty == slot.ty {
                    self.vals[usize::from(root)].home = slot.offset;
                    self.note_home(slot.offset, root);
                }
                self.done(id);
            }
        }
        self.unlock_all();
    }
    /// Forgets everything: the start of a block.
    pub(super) fn forget(&mut self) {
        self.owner = [NOBODY; 32];
        self.pc_held = [0; 16];
        self.homes.fill(NOBODY);
        self.spilled.fill(false);
        self.a.drop_flags();
        self.at_edges = None;
        self.unlock_all();
    }
    /// Gives every value that outlives this op a place that survives a call
    /// which may change all registers and state memory.
    pub(super) fn save_all(&mut self) {
        self.pc_held = [0; 16];
        for h in 0..32 {
            let id = self.owner[usize::from(h)];
            if id == NOBODY {
                continue;
            }
            self.owner[usize::from(h)] = NOBODY;
            let v = self.vals[usize::from(id)];
            if v.loc == Loc::Reg(h) && v.uses > 0 {
                if v.spill == NO_SPILL {
                    self.spill(id, h);
                } else {
                    self.vals[usize::from(id)].loc = Loc::Spill(v.spill);
                }
            }
        }
        for key in 0..self.homes.len() {
            let id = self.homes[key];
            if id != NOBODY {
                self.vals[usize::from(id)].home = NOBODY;
                let v = self.vals[usize::from(id)];
                if let (Loc::Home(_), true) = (v.loc, v.uses > 0) {
                    if v.spill != NO_SPILL {
                        self.vals[usize::from(id)].loc = Loc::Spill(v.spill);
                        self.homes[key] = NOBODY;
                        continue;
                    }
                    let n = self.spill_slot();
                    if self.inst(id).ty.is_vec() {
                        self.load_into(id, X + XT);
                        self.store_spill(n, X + XT);
                    } else {
                        self.load_into(id, RAX);
                        self.store_spill(n, RAX);
                    }
                    self.spilled_to(id, n);
                }
                self.homes[key] = NOBODY;
            }
        }
    }
}
