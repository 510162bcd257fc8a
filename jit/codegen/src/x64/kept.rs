//! Slots kept in scratch registers while a region with a loop runs.
//!
//! There are more slots than registers to pin them to. A region with loops takes
//! up to three scratch vector registers for the slots that its loops read most.
//! Such a register equals the slot's memory at every edge between blocks: writes
//! go to both, so exits and faults need nothing. Who enters from outside (another
//! region, a return, a helper) loads them first. An op that runs out of scratch
//! registers takes one away; the next edge loads it again.

use remu_ir::{Op, Slot, Type};

use super::alloc::{Loc, NO_HOST, NOBODY};
use super::enc::{RBP, Rm, at};
use super::lower::Compiler;
use super::vector::{MOVSD, MOVSD_ST, MOVUPS, MOVUPS_ST};
use super::{Host, X};
use crate::Layout;

/// A slot and its register.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptSlot {
    slot: Slot,
    host: Host,
}

/// Registers to take, first one first.
const HOSTS: [Host; 3] = [X + 5, X + 4, X + 3];
/// With more slots than these to choose from, none is kept.
const MOST: usize = 2 * HOSTS.len();
/// What a read counts in a loop, and how much more in each loop inside it.
const LOOP: u32 = 8;

impl Compiler<'_> {
    /// Chooses the slots: before targets are.
    pub(super) fn choose_kept(&mut self) {
        let blocks = &self.r.blocks;
        let mut depth = vec![0u8; blocks.len()];
        let mut any = false;
        for (n, b) in blocks.iter().enumerate() {
            for i in &self.r.insts[usize::from(b.start)..usize::from(b.end)] {
                if !matches!(i.op, Op::brcond | Op::goto) {
                    continue;
                }
                let to = self.r.pcs[i.imm as usize];
                if to <= b.pc
                    && let Ok(t) = blocks.binary_search_by_key(&to, |b| b.pc)
                {
                    any = true;
                    depth[t..=n].iter_mut().for_each(|d| *d = (*d + 1).min(4));
                }
            }
        }
        if !any {
            return;
        }
        let mut slots: Vec<(Slot, u32)> = Vec::new();
        for (b, &d) in blocks.iter().zip(&depth) {
            for i in &self.r.insts[usize::from(b.start)..usize::from(b.end)] {
                if !matches!(i.op, Op::get | Op::set) || !i.ty.is_vec() {
                    continue;
                }
                let slot = Slot { offset: i.imm as u16, ty: i.ty };
                if self.pins.get(usize::from(slot.offset / 8)).is_none_or(|&h| h != NO_HOST) {
                    continue;
                }
                let score = if i.op == Op::get && d > 0 { LOOP.pow(d.into()) } else { 0 };
                match slots.iter_mut().find(|s| s.0 == slot) {
                    Some(s) => s.1 = s.1.saturating_add(score),
                    None => slots.push((slot, score)),
                }
            }
        }
        slots.retain(|s| s.1 > 0 && matches!(s.0.ty, Type::F64 | Type::V128));
        // Where many are read, a few kept save little, and the rest need the scratch
        // registers to pass through. (Measured: AES-GCM is 1.4 times as fast with none.)
        if slots.len() > MOST {
            return;
        }
        slots.sort_by_key(|s| core::cmp::Reverse(s.1));
        let alone = slots.iter().map(|s| s.0).filter(|&s| self.seen_one_way(s));
        let chosen: Vec<Slot> = alone.take(HOSTS.len()).collect();
        for (slot, host) in chosen.into_iter().zip(HOSTS) {
            self.pins[usize::from(slot.offset / 8)] = host;
            self.kept.push(KeptSlot { slot, host });
        }
    }
    /// Whether no other slot of the region shares memory with a slot.
    fn seen_one_way(&self, s: Slot) -> bool {
        let range = |s: Slot| (i32::from(s.offset), i32::from(s.offset) + s.ty.bytes() as i32);
        let (start, end) = range(s);
        !self.r.insts.iter().any(|i| {
            matches!(i.op, Op::get | Op::set) && {
                let o = Slot { offset: i.imm as u16, ty: i.ty };
                let (from, to) = range(o);
                o != s && from < end && start < to
            }
        })
    }

    fn move_kept(&mut self, k: KeptSlot, load: bool) {
        let m = Rm::M(at(RBP, Layout::disp(i32::from(k.slot.offset))));
        let op = match (k.slot.ty == Type::V128, load) {
            (true, true) => MOVUPS,
            (false, true) => MOVSD,
            (true, false) => MOVUPS_ST,
            (false, false) => MOVSD_ST,
        };
        self.a.vex(op, k.host - X, 0, m);
    }
    /// Every kept slot is in its register: the start of a block.
    pub(super) fn all_kept(&mut self) {
        self.kept_mask = self.kept.iter().fold(0, |m, k| m | 1 << k.host);
    }
    /// Loads every kept slot: registers hold anything.
    pub(super) fn load_kept(&mut self) {
        for n in 0..self.kept.len() {
            self.move_kept(self.kept[n], true);
        }
        self.all_kept();
    }
    /// Loads what an op took away: an edge to a block of the region.
    pub(super) fn restore_kept(&mut self) {
        for n in 0..self.kept.len() {
            let k = self.kept[n];
            if self.kept_mask >> k.host & 1 == 0 {
                self.lock(k.host);
                self.vacate(k.host);
                self.move_kept(k, true);
                self.kept_mask |= 1 << k.host;
            }
        }
    }
    /// Makes a kept slot's register an ordinary one, if no other is left.
    pub(super) fn give_up_kept(&mut self) {
        let busy = |h: Host| self.locked >> h & 1 != 0;
        if super::SCRATCH_VEC.iter().any(|&h| !busy(h) && self.kept_mask >> h & 1 == 0) {
            return;
        }
        if let Some(k) = self.kept.iter().rev().find(|k| !busy(k.host)) {
            self.kept_mask &= !(1 << k.host);
        }
    }
    /// Lowers `set` of a kept slot.
    pub(super) fn set_kept(&mut self, slot: Slot, id: u16, h: Host) {
        let root = self.root(id);
        if let Loc::Reg(from) = self.vals[usize::from(root)].loc {
            self.lock(from);
        }
        self.lock(h);
        self.vacate_home(slot);
        if self.vals[usize::from(root)].loc != Loc::Reg(h) {
            self.vacate(h);
            self.load_into(id, h);
        }
        self.move_kept(KeptSlot { slot, host: h }, false);
        self.done(id);
        let v = self.vals[usize::from(root)];
        if v.uses > 0 && self.inst(root).ty == slot.ty {
            match v.loc {
                Loc::Reg(from) if from != h && Self::is_scratch(from) => {
                    self.owner[usize::from(from)] = NOBODY;
                    self.place(root, h);
                }
                Loc::Spill(_) => self.place(root, h),
                _ => {}
            }
            if self.vals[usize::from(root)].loc == Loc::Reg(h) {
                self.vals[usize::from(root)].home = slot.offset;
                self.note_home(slot.offset, root);
            }
        }
    }
    /// Entries for who comes from outside the region.
    pub(super) fn outer_entries(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        for n in 0..self.block_labels.len() {
            self.out.entries[n] = self.a.pos() as u32;
            self.load_kept();
            self.a.jmp(self.block_labels[n]);
        }
    }
}
