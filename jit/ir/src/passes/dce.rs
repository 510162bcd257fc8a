//! Dead code, dead state writes and dead flags, found in one backward pass.
//!
//! What keeps an instruction: an effect beyond its result, or a live use. What
//! keeps a `set`: someone may see the slot before the next `set` of it. Inside
//! a block everyone who may see it is an op (a read, a fault, a side exit, a
//! helper, the end of the block). `Flags` slots are followed across the blocks
//! of the region as well, because guests set flags far more often than they
//! read them.

use crate::{Effects, Inst, Op, Region, Type};

/// State is tracked in words of 4 bytes below this byte offset; writes above
/// it always stay.
const TRACKED: usize = 4096;
const WORDS: usize = TRACKED / 4 / 64;
/// `Flags` slots followed across blocks; more than that stay live.
const MAX_FLAGS: usize = 4;

/// What [`analyse`] finds out; reused from region to region.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    /// Uses of each value by live instructions.
    pub uses: Vec<Use>,
    /// What each instruction is kept for.
    pub kept: Vec<Kept>,
    /// Offsets of `Flags` slots, in order of discovery; kept between regions.
    flag_slots: Vec<u16>,
    blocks: Vec<Summary>,
}

/// Uses of a value by live instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// How many. A back end that fuses an instruction into its only user looks
    /// for 1.
    pub count: u16,
    /// The last instruction that reads the value. One whose result is only
    /// another view of it, or a condition that may be computed late, reads it as
    /// long as that result is read.
    pub last: u16,
    /// Flags, or a condition, that some other condition or choice is made from:
    /// they are computed where that is.
    pub mixed: bool,
}

/// Whether an instruction must be executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// It need not.
    #[default]
    No,
    /// It must.
    Yes,
    /// A `set` of a `Flags` slot that nothing in the region reads and no
    /// ordinary exit shows: only the fault of a later op or the poll of a later
    /// block would, and nothing behind the fault uses the flags. A back end may
    /// compute it on those cold paths instead.
    Rarely,
    /// A `set` of a `Flags` slot to an integer flags op that only taken
    /// conditional branches show, all of them on these flags: the host's flags
    /// are still there, and the slot is to be written on the way.
    AtEdges,
    /// An integer flags op that must be computed where it stands: nothing from
    /// there to its last use changes the host's flags.
    AtOnce,
    /// An integer flags op that must be computed where it stands and kept in
    /// memory: computing it again needs a carry that may be gone.
    Saved,
    /// It computes the value whose flags the next instruction is, which is
    /// `AtOnce` or `Saved`: the two are one host instruction.
    WithNext,
}

/// Whether the host code of an op leaves the host's flags alone. Asked of ops
/// that use a truth value or flags, it means: if those are the host's flags.
pub type KeepsFlags = fn(&Region, &Inst) -> bool;

impl Liveness {
    /// Whether instruction `i` must be executed.
    #[inline]
    pub fn is_live(&self, i: u16) -> bool {
        self.kept.get(usize::from(i)).is_some_and(|&k| k != Kept::No)
    }
    /// Live uses of value `i`.
    #[inline]
    pub fn uses_of(&self, i: u16) -> u16 {
        self.uses.get(usize::from(i)).map_or(0, |u| u.count)
    }
    /// Whether a block, by its index, needs a `Flags` slot on entry.
    pub fn reads_flags(&self, block: usize, slot: u16) -> bool {
        let bit = self.flag_slots.iter().position(|&s| s == slot).map_or(!0, |n| 1 << n);
        self.blocks.get(block).is_none_or(|b| b.entry.read & bit != 0)
    }
    /// Whether instruction `i` is a `set` of flags that only cold paths need.
    #[inline]
    pub fn is_rare(&self, i: u16) -> bool {
        self.kept.get(usize::from(i)) == Some(&Kept::Rarely)
    }
}

/// How much each `Flags` slot is needed, a bit per slot. `read` implies that
/// `rare` says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Need {
    /// Read, or shown by an ordinary exit.
    read: u8,
    /// Shown by a fault or a poll.
    rare: u8,
    /// Read or shown where conditional branches go that are taken; none of
    /// this crosses blocks.
    edge: u8,
}

impl Need {
    const ALL: Need = Need { read: !0, rare: !0, edge: 0 };
    fn join(self, o: Need) -> Need {
        Need { read: self.read | o.read, rare: self.rare | o.rare, edge: self.edge | o.edge }
    }
    fn without(self, mask: u8) -> Need {
        Need { read: self.read & !mask, rare: self.rare & !mask, edge: self.edge & !mask }
    }
    fn only(self, mask: u8) -> Need {
        Need { read: self.read & mask, rare: self.rare & mask, edge: self.edge & mask }
    }
}

/// A block as the flags see it.
#[derive(Clone, Debug, Default)]
struct Summary {
    /// Need on entry, as far as known.
    entry: Need,
    /// Blocks reached, each with the slots not yet written by then.
    next: Vec<(u16, u8)>,
}

/// Computes what of a region must be executed. A back end that can leave flags
/// in the host's says in `keeps` which ops let them be there. In a machine no
/// access to memory does, which is `None`.
pub fn analyse(r: &Region, keeps: Option<KeepsFlags>, out: &mut Liveness) {
    let n = r.insts.len();
    out.uses.clear();
    out.uses.resize(n, Use::default());
    out.kept.clear();
    out.kept.resize(n, Kept::No);
    flags_across_blocks(r, out);
    for b in 0..r.blocks.len() {
        block(r, b, keeps, out);
    }
}

/// The words of state an access of `ty` at `offset` touches: index of the
/// 64-bit group, and mask in it. `None` beyond what is tracked. Slots are
/// aligned to their size, so an access never straddles two groups.
#[inline]
fn words(i: &Inst) -> Option<(usize, u64)> {
    let (first, bytes) = (i.imm as u32 as usize / 4, i.ty.bytes() as usize);
    let count = bytes.div_ceil(4);
    if (first % 64) + count > 64 || first / 64 >= WORDS {
        return None;
    }
    Some((first / 64, ((1u64 << count) - 1) << (first % 64)))
}

/// Backward pass over one block.
fn block(r: &Region, index: usize, keeps: Option<KeepsFlags>, out: &mut Liveness) {
    let b = r.blocks[index];
    let mut host = HostFlags::new(b.end);
    let mut with_next = false;
    // Words that are written before anyone may see them.
    let mut dead = [0u64; WORDS];
    let mut any_dead = false;
    let mut need = Need::ALL;
    // The flags that the branches of `need.edge` are on.
    let mut edges_on = None;
    // The next op that may fault.
    let mut next_fault = u16::MAX;
    for (n, i) in r.insts[usize::from(b.start)..usize::from(b.end)].iter().enumerate().rev() {
        let id = usize::from(b.start) + n;
        let effects = i.op.effects();
        let mut kept = Kept::Yes;
        let own = out.uses[id];
        match i.op {
            Op::set => {
                if let Some(bit) = flag_bit(out, i) {
                    let was = need.only(bit);
                    need = need.without(bit);
                    if was == Need::default() {
                        continue;
                    }
                    // A guest that repairs what a fault is about goes on from there with what the slot
                    // holds, not with the value that is used behind the op.
                    let goes_on = next_fault < out.uses[usize::from(i.args[0])].last;
                    if was.read == 0 && !goes_on {
                        kept = match was.edge {
                            0 => Kept::Rarely,
                            _ if edges_on == Some(i.args[0]) => Kept::AtEdges,
                            _ => Kept::Yes,
                        };
                    }
                } else if let Some((w, m)) = words(i) {
                    if dead[w] & m == m {
                        continue;
                    }
                    // A 2-byte slot does not cover its word.
                    if i.ty.bytes() >= 4 {
                        dead[w] |= m;
                        any_dead = true;
                    }
                }
            }
            Op::get => {
                if own.count == 0 {
                    continue;
                }
                if let Some((w, m)) = words(i) {
                    dead[w] &= !m;
                }
                need.read |= read_bits(out, i);
            }
            _ if effects.removable() => {
                if own.count == 0 {
                    continue;
                }
            }
            _ => {
                if effects.has(SEES_STATE) {
                    if effects.has(Effects::MAY_FAULT) {
                        next_fault = id as u16;
                    }
                    if any_dead {
                        dead = [0; WORDS];
                        any_dead = false;
                    }
                    let mut seen = seen_by(r, out, i);
                    if i.op == Op::brcond
                        && keeps.is_some()
                        && let Some(f) = condition_on(r, i)
                    {
                        if edges_on.is_some_and(|e| e != f) {
                            need.read |= need.edge;
                            need.edge = 0;
                        }
                        edges_on = Some(f);
                        (seen.edge, seen.read) = (seen.read, 0);
                    }
                    need = need.join(seen);
                    if effects.has(Effects::ENDS_BLOCK) {
                        need = seen_by(r, out, i);
                    }
                }
            }
        }
        let mut is_view = matches!(i.op, Op::trunc | Op::vtof | Op::vfromf)
            || matches!(i.ty, Type::Bool | Type::Flags);
        let mut last = id as u16;
        if let Some(keeps) = keeps {
            if with_next {
                with_next = false;
                kept = Kept::WithNext;
                last += 1;
            } else if is_integer_flags(i.op) {
                kept = host.place(id as u16, i, own);
                is_view = kept == Kept::Yes;
                with_next = !is_view
                    && id > usize::from(b.start)
                    && computes(r, &r.insts[id - 1], i, id - 1)
                    && (out.uses[id - 1].count > 0 || i.op == Op::fl_logic);
            } else if kept != Kept::Rarely {
                host.pass(r, id as u16, i, keeps);
            }
        }
        out.kept[id] = kept;
        if is_view {
            last = own.last.max(last);
        }
        let mixes = matches!(i.op, Op::band | Op::bor | Op::bxor | Op::fl_select)
            || (own.mixed && matches!(i.op, Op::bnot | Op::fl_cond));
        for &a in &i.args[..i.op.arity()] {
            if let Some(u) = out.uses.get_mut(usize::from(a)) {
                u.count = u.count.saturating_add(1);
                u.last = u.last.max(last);
                u.mixed |= mixes;
            }
        }
    }
}

/// The integer flags op that the first operand of an op is, or is a condition on.
pub fn condition_on(r: &Region, i: &Inst) -> Option<u16> {
    let mut by = i.args[0];
    while let Op::bnot | Op::fl_cond = r.insts[usize::from(by)].op {
        by = r.insts[usize::from(by)].args[0];
    }
    is_integer_flags(r.insts[usize::from(by)].op).then_some(by)
}

fn is_integer_flags(op: Op) -> bool {
    matches!(op, Op::fl_add | Op::fl_sub | Op::fl_adc | Op::fl_sbc | Op::fl_logic)
}

/// Whether `v`, the value numbered `id`, is computed by an operation whose flags `f` is.
fn computes(r: &Region, v: &Inst, f: &Inst, id: usize) -> bool {
    let same = |x: u16, y: u16| {
        let (a, b) = (&r.insts[usize::from(x)], &r.insts[usize::from(y)]);
        x == y || (a.op == Op::iconst && b.op == Op::iconst && a.const_bits() == b.const_bits())
    };
    let both = || same(v.args[0], f.args[0]) && same(v.args[1], f.args[1]);
    match (f.op, v.op) {
        (Op::fl_add, Op::add) | (Op::fl_sub, Op::sub) => both(),
        // The builder turns a constant round.
        (Op::fl_sub, Op::add) => {
            let (c, k) = (&r.insts[usize::from(f.args[1])], &r.insts[usize::from(v.args[1])]);
            let sum = c.const_bits().wrapping_add(k.const_bits());
            let zero = if v.ty == Type::I32 { sum as u32 == 0 } else { sum == 0 };
            same(v.args[0], f.args[0]) && c.op == Op::iconst && k.op == Op::iconst && zero
        }
        (Op::fl_adc, Op::adc) | (Op::fl_sbc, Op::sbc) => {
            let condition = |n: u16| {
                let i = &r.insts[usize::from(n)];
                (i.op, i.aux, i.args)
            };
            both() && (v.args[2] == f.args[2] || condition(v.args[2]) == condition(f.args[2]))
        }
        (Op::fl_logic, Op::and | Op::andc) => usize::from(f.args[0]) == id,
        _ => false,
    }
}

/// Follows, backwards, who changes the host's flags.
struct HostFlags {
    /// The next instruction that changes them.
    changed: u16,
    /// The next one before that which changes them unless they are `by`'s.
    depends: Option<(u16, u16)>,
}

impl HostFlags {
    fn new(end: u16) -> HostFlags {
        HostFlags { changed: end, depends: None }
    }
    /// How flags op `id` is to be computed.
    fn place(&mut self, id: u16, i: &Inst, own: Use) -> Kept {
        let limit = match self.depends {
            Some((_, by)) if by == id => self.changed,
            Some((at, _)) => at,
            None => self.changed,
        };
        let kept = if own.last <= limit && !own.mixed {
            Kept::AtOnce
        } else if matches!(i.op, Op::fl_adc | Op::fl_sbc) {
            Kept::Saved
        } else {
            // Computed by its users: those that depended on it change flags.
            if let Some((at, by)) = self.depends
                && by == id
            {
                (self.changed, self.depends) = (at, None);
            }
            return Kept::Yes;
        };
        (self.changed, self.depends) = (id, None);
        kept
    }
    /// Passes another op.
    fn pass(&mut self, r: &Region, id: u16, i: &Inst, keeps: KeepsFlags) {
        if !keeps(r, i) {
            (self.changed, self.depends) = (id, None);
            return;
        }
        let uses = match i.op {
            Op::brcond | Op::exit_if | Op::movcond | Op::boolint => true,
            Op::set => i.ty == Type::Flags,
            _ => false,
        };
        if !uses {
            return;
        }
        let Some(by) = condition_on(r, i) else {
            (self.changed, self.depends) = (id, None);
            return;
        };
        if let Some((at, other)) = self.depends
            && other != by
        {
            self.changed = at;
        }
        self.depends = Some((id, by));
    }
}

/// Effects that let someone else look at the state.
const SEES_STATE: Effects =
    Effects(Effects::MAY_FAULT.0 | Effects::SIDE_EXIT.0 | Effects::ENDS_BLOCK.0);

/// What an op that shows state needs of the flags.
fn seen_by(r: &Region, out: &Liveness, i: &Inst) -> Need {
    match i.op {
        Op::helper => Need::ALL,
        Op::brcond | Op::goto => match target(r, i) {
            Some(t) => out.blocks.get(t).map_or(Need::ALL, |s| s.entry),
            None => Need::ALL,
        },
        op if op.effects().has(Effects(Effects::SIDE_EXIT.0 | Effects::ENDS_BLOCK.0)) => Need::ALL,
        _ => Need { read: 0, rare: !0, edge: 0 },
    }
}

/// The block of this region that a `brcond` or `goto` goes to.
fn target(r: &Region, i: &Inst) -> Option<usize> {
    let pc = r.pcs.get(i.imm as usize)?;
    // Blocks are sorted; were they not, a miss would only mean "leaves".
    r.blocks.binary_search_by_key(pc, |b| b.pc).ok()
}

/// The bit of the `Flags` slot that a `set` of flags writes.
#[inline]
fn flag_bit(out: &Liveness, i: &Inst) -> Option<u8> {
    if i.ty != Type::Flags {
        return None;
    }
    let n = out.flag_slots.iter().position(|&s| i32::from(s) == i.imm)?;
    Some(1 << n)
}

/// The bits of the `Flags` slots that a `get` of any type reads.
#[inline]
fn read_bits(out: &Liveness, i: &Inst) -> u8 {
    let mut bits = 0;
    for (n, &s) in out.flag_slots.iter().enumerate() {
        let (s, end) = (i32::from(s), i32::from(s) + 4);
        if i.imm < end && s < i.imm + i.ty.bytes() as i32 {
            bits |= 1 << n;
        }
    }
    bits
}

/// Fills `out.blocks[..].entry`: what of the flags each block needs on entry.
fn flags_across_blocks(r: &Region, out: &mut Liveness) {
    let written = r.insts.iter().filter(|i| i.op == Op::set && i.ty == Type::Flags);
    let mut any = false;
    for i in written {
        any = true;
        let offset = i.imm as u16;
        if !out.flag_slots.contains(&offset) && out.flag_slots.len() < MAX_FLAGS {
            out.flag_slots.push(offset);
        }
    }
    for s in &mut out.blocks {
        s.entry = Need::ALL;
    }
    if !any {
        return;
    }
    out.blocks.resize_with(r.blocks.len().max(out.blocks.len()), Summary::default);
    for b in 0..r.blocks.len() {
        let mut next = core::mem::take(&mut out.blocks[b].next);
        next.clear();
        let entry = summarise(r, b, out, &mut next);
        out.blocks[b] = Summary { entry, next };
    }
    loop {
        let mut changed = false;
        for b in (0..r.blocks.len()).rev() {
            let mut entry = out.blocks[b].entry;
            for &(t, mask) in &out.blocks[b].next {
                entry = entry.join(out.blocks[usize::from(t)].entry.only(mask));
            }
            changed |= entry != out.blocks[b].entry;
            out.blocks[b].entry = entry;
        }
        if !changed {
            return;
        }
    }
}

/// Need on entry of a block for its own sake, and its ways to other blocks.
fn summarise(r: &Region, index: usize, out: &Liveness, next: &mut Vec<(u16, u8)>) -> Need {
    let b = r.blocks[index];
    // Slots not yet written.
    let mut open = (1u8 << out.flag_slots.len()) - 1;
    let mut need = Need { read: 0, rare: if b.poll { open } else { 0 }, edge: 0 };
    for i in &r.insts[usize::from(b.start)..usize::from(b.end)] {
        match i.op {
            Op::set => {
                if let Some(bit) = flag_bit(out, i) {
                    open &= !bit;
                }
            }
            Op::get => need.read |= read_bits(out, i) & open,
            Op::brcond | Op::goto => match target(r, i) {
                Some(t) => next.push((t as u16, open)),
                None => need.read |= open,
            },
            Op::helper => need.read |= open,
            op => {
                let effects = op.effects();
                if effects.has(Effects(Effects::SIDE_EXIT.0 | Effects::ENDS_BLOCK.0)) {
                    need.read |= open;
                } else if effects.has(Effects::MAY_FAULT) {
                    need.rare |= open;
                }
            }
        }
        if open == 0 {
            break;
        }
    }
    need
}
