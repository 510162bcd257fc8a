//! Drives the lowering of a region.

use remu_ir::passes::{Kept, Liveness};
use remu_ir::{Effects, ExitKind, Inst, Op, Region, Type};

use super::alloc::{NO_HOST, NOBODY, Value};
use super::enc::{CodeBuf, Jumps, Label};
use super::flags::{EdgeFlags, HostFlags};
use super::kept::KeptSlot;
use super::settle::Check;
use super::{Host, PIN_INT, PIN_VEC, Thunks};
use crate::{Compiled, Layout};

/// The code memory offered was too small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfSpace;

impl core::fmt::Display for OutOfSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("code memory is full")
    }
}

impl core::error::Error for OutOfSpace {}

/// Code emitted behind the region's main path.
#[derive(Debug)]
pub(super) enum Cold {
    Exit {
        label: Label,
        kind: ExitKind,
        pc: u64,
    },
    Goto {
        label: Label,
        pc: u64,
        poll: bool,
        flags: Option<EdgeFlags>,
    },
    /// A branch inside the region that writes flags on the way.
    Edge {
        label: Label,
        flags: EdgeFlags,
        to: Label,
    },
    LinkStub {
        label: Label,
        site: u32,
        target: u64,
    },
    ReturnMiss {
        label: Label,
        reg: u8,
    },
    CallMiss {
        label: Label,
        back: Label,
    },
    /// A NaN result under the default-NaN rule.
    Nan {
        label: Label,
        back: Label,
        value: u64,
        to: u8,
    },
    /// A result that may be the least normal number or a NaN.
    Tiny {
        label: Label,
        back: Label,
        inst: Inst,
        operands: [Host; 3],
        result: u8,
    },
    /// Results some of which are NaNs: see `settle.rs`.
    Checks {
        label: Label,
        back: Label,
        checks: (u32, u32),
    },
    /// A comparison is undone: the sticky flags were those in a register.
    Status {
        label: Label,
        back: Label,
        flags: u8,
    },
    /// An access that the TLB does not help with.
    Access(super::softmmu::Slow),
    /// A load of part of a vector whose bytes are in two pages.
    Part(super::partial::Split),
    /// A result that only the evaluator gets right.
    Eval {
        label: Label,
        back: Label,
        inst: Inst,
        operands: [Host; 3],
        to: Host,
    },
}

/// Tables that are kept from region to region, so that compiling one does not
/// allocate.
#[derive(Debug, Default)]
pub struct Scratch {
    vals: Vec<Value>,
    pins: Vec<Host>,
    homes: Vec<u16>,
    freed: Vec<u8>,
    cold: Vec<Cold>,
    open: Vec<Check>,
    checks: Vec<Check>,
    inst_data: Vec<(Label, Inst)>,
    const_data: Vec<(Label, u128)>,
    block_labels: Vec<Label>,
    jumps: Jumps,
}

/// State of one compilation.
pub struct Compiler<'a> {
    pub(super) r: &'a Region,
    pub(super) lay: &'a Layout,
    pub(super) thunks: &'a Thunks,
    pub(super) a: CodeBuf<'a>,
    pub(super) out: &'a mut Compiled,
    pub(super) vals: Vec<Value>,
    pub(super) owner: [u16; 32],
    pub(super) locked: u32,
    /// By integer register that a slot is pinned to: the guest address constant that it
    /// holds, or 0.
    pub(super) pc_held: [u64; 16],
    pub(super) pins: Vec<Host>,
    /// Value whose home is this word of state memory.
    pub(super) homes: Vec<u16>,
    pub(super) spilled: [bool; Layout::SPILLS],
    /// Spill slots to free when the current op is over.
    pub(super) freed: Vec<u8>,
    pub(super) cold: Vec<Cold>,
    /// Checks that wait, and all that were made.
    pub(super) open: Vec<Check>,
    pub(super) checks: Vec<Check>,
    /// The registers that those which wait need, as a bit set.
    pub(super) held: u32,
    pub(super) inst_data: Vec<(Label, Inst)>,
    pub(super) const_data: Vec<(Label, u128)>,
    pub(super) block_labels: Vec<Label>,
    /// Label of the block that follows the current one in memory.
    pub(super) next_block: Option<Label>,
    pub(super) current_pc: u64,
    /// What the host's flags are, as long as the buffer has them.
    pub(super) host_flags: HostFlags,
    /// A flags slot to be written where branches are taken, with the flags.
    pub(super) at_edges: Option<(u16, u16)>,
    pub(super) live: &'a Liveness,
    /// Slots that this region keeps in scratch registers.
    pub(super) kept: Vec<KeptSlot>,
    /// The registers of those that are valid now, as a bit set.
    pub(super) kept_mask: u32,
}

/// A vector of `n` times `v` in the memory of another.
fn filled<T: Clone>(mut old: Vec<T>, n: usize, v: T) -> Vec<T> {
    old.clear();
    old.resize(n, v);
    old
}

/// An empty vector in the memory of another.
fn emptied<T>(mut old: Vec<T>) -> Vec<T> {
    old.clear();
    old
}

impl<'a> Compiler<'a> {
    /// Lowers a region into `buf`, and describes the code in `out`.
    ///
    /// # Errors
    /// The buffer was too small; nothing in it or in `out` may be used.
    pub fn compile(
        r: &'a Region,
        live: &'a Liveness,
        lay: &'a Layout,
        thunks: &'a Thunks,
        scratch: &mut Scratch,
        out: &'a mut Compiled,
        buf: &'a mut [u8],
    ) -> Result<(), OutOfSpace> {
        out.clear();
        let old = core::mem::take(scratch);
        let mut pins = filled(old.pins, lay.size / 8, NO_HOST);
        for (slots, hosts) in [(&lay.pinned_int, &PIN_INT), (&lay.pinned_vec, &PIN_VEC)] {
            for (s, h) in slots.iter().zip(hosts) {
                pins[usize::from(s.offset / 8)] = *h;
            }
        }
        let relocs = core::mem::take(&mut out.relocs);
        let mut vals = emptied(old.vals);
        vals.extend(live.uses.iter().enumerate().map(|(id, u)| Value {
            uses: u.count,
            last: u.last,
            root: id as u16,
            ..Value::EMPTY
        }));
        let mut c = Compiler {
            r,
            lay,
            thunks,
            a: CodeBuf::reusing(buf, old.jumps, relocs),
            out,
            vals,
            owner: [NOBODY; 32],
            locked: 0,
            pc_held: [0; 16],
            pins,
            homes: filled(old.homes, lay.size / 4, NOBODY),
            spilled: [false; Layout::SPILLS],
            freed: emptied(old.freed),
            cold: emptied(old.cold),
            open: emptied(old.open),
            checks: emptied(old.checks),
            held: 0,
            inst_data: emptied(old.inst_data),
            const_data: emptied(old.const_data),
            block_labels: emptied(old.block_labels),
            next_block: None,
            current_pc: 0,
            host_flags: HostFlags::NONE,
            at_edges: None,
            live,
            kept: Vec::new(),
            kept_mask: 0,
        };
        c.choose_kept();
        c.prepare(live);
        c.run(live);
        let (overflow, fixed) = (c.a.overflow, c.a.fixed.get());
        c.out.len = c.a.pos();
        c.out.fixed = fixed;
        let (jumps, relocs) = c.a.into_tables();
        c.out.relocs = relocs;
        *scratch = Scratch {
            vals: c.vals,
            pins: c.pins,
            homes: c.homes,
            freed: c.freed,
            cold: c.cold,
            open: c.open,
            checks: c.checks,
            inst_data: c.inst_data,
            const_data: c.const_data,
            block_labels: c.block_labels,
            jumps,
        };
        if overflow { Err(OutOfSpace) } else { Ok(()) }
    }

    /// Finds the registers results should go to.
    fn prepare(&mut self, live: &Liveness) {
        for b in &self.r.blocks {
            // By host register: the value it holds, and where it was last set.
            let mut current = [NOBODY; 32];
            let mut changed = [b.start; 32];
            let mut barrier = b.start;
            for id in b.start..b.end {
                let i = &self.r.insts[usize::from(id)];
                // A `set` that nobody sees says where its value may be computed all the
                // same: the register is overwritten before anyone looks.
                let dead = live.kept[usize::from(id)] == Kept::No;
                if dead && (i.op != Op::set || live.kept[usize::from(i.args[0])] == Kept::No) {
                    continue;
                }
                if i.op.effects().has(Effects(
                    Effects::MAY_FAULT.0 | Effects::SIDE_EXIT.0 | Effects::ENDS_BLOCK.0,
                )) {
                    barrier = id;
                }
                if !matches!(i.op, Op::get | Op::set) {
                    continue;
                }
                let Some(h) = self.pin(i.imm as u16) else { continue };
                let key = usize::from(h & 31);
                if i.op == Op::get {
                    current[key] = id;
                    continue;
                }
                let v = i.args[0];
                let def = &self.r.insts[usize::from(v)];
                let old = current[key];
                // Computed with its flags, one instruction later.
                let after = |v| v + u16::from(live.kept[usize::from(v)] == Kept::WithNext);
                let old_free =
                    old == NOBODY || old == v || self.vals[usize::from(old)].last <= after(v);
                let computed = !matches!(
                    def.op,
                    Op::get | Op::trunc | Op::vtof | Op::iconst | Op::pcconst | Op::vconst
                );
                if computed
                    && v >= b.start
                    && v >= barrier
                    && v >= changed[key]
                    && old_free
                    && self.vals[usize::from(v)].target == NO_HOST
                    && def.ty == i.ty
                    && !matches!(def.ty, Type::Bool | Type::Flags)
                {
                    self.vals[usize::from(v)].target = h;
                    // A float becomes the slot's vector where it is, and a 32-bit value
                    // the slot's 64 bits.
                    let of = def.args[0];
                    if matches!(def.op, Op::vfromf | Op::zext)
                        && of >= b.start
                        && of >= barrier
                        && of >= changed[key]
                        && (old == NOBODY || self.vals[usize::from(old)].last <= after(of))
                        && live.uses_of(of) == 1
                        && !matches!(
                            self.r.insts[usize::from(of)].op,
                            Op::get | Op::vtof | Op::trunc | Op::iconst
                        )
                    {
                        self.vals[usize::from(of)].target = h;
                    }
                } else if dead {
                    continue;
                }
                current[key] = v;
                changed[key] = id;
            }
        }
    }

    fn run(&mut self, live: &Liveness) {
        let blocks = &self.r.blocks;
        for _ in blocks {
            let l = self.a.label();
            self.block_labels.push(l);
        }
        for (n, b) in blocks.iter().enumerate() {
            self.forget();
            self.a.bind(self.block_labels[n]);
            self.next_block = self.block_labels.get(n + 1).copied();
            self.all_kept();
            self.out.entries.push(self.a.pos() as u32);
            self.current_pc = b.pc;
            if b.poll {
                self.poll(b.pc);
            }
            // A `set` of flags that is lowered behind the next branch.
            let mut waiting = None;
            for id in b.start..b.end {
                match live.kept[usize::from(id)] {
                    Kept::No => continue,
                    Kept::Yes if self.waits_for_branch(id, b.end) => waiting = Some(id),
                    Kept::Yes => {
                        self.lower(id);
                        if self.r.insts[usize::from(id)].op == Op::brcond
                            && let Some(set) = waiting.take()
                        {
                            self.lower(set);
                        }
                    }
                    Kept::WithNext => {}
                    Kept::AtEdges => self.set_at_edges(id),
                    k @ (Kept::AtOnce | Kept::Saved) => {
                        self.settle();
                        let value = (id > b.start
                            && live.kept[usize::from(id - 1)] == Kept::WithNext)
                            .then(|| id - 1);
                        self.place_flags(id, value, k == Kept::Saved);
                    }
                    Kept::Rarely => self.done(self.r.insts[usize::from(id)].args[0]),
                }
                if self.a.overflow {
                    return;
                }
            }
            self.settle();
        }
        self.outer_entries();
        self.cold_paths();
        if !self.a.overflow {
            self.a.fix();
        }
    }

    fn lower(&mut self, id: u16) {
        let i = self.r.insts[usize::from(id)];
        self.settle_for(id, &i);
        match i.op {
            Op::iconst | Op::pcconst | Op::vconst => {}
            Op::get => self.get(id, &i),
            Op::set => self.set(&i),
            Op::insn => self.current_pc = self.r.pcs[i.imm as usize],
            Op::load | Op::load_joint => self.load(id, &i),
            Op::store => self.store(&i),
            Op::rmw => self.rmw(id, &i),
            Op::cas => self.cas(id, &i),
            Op::vload_part => self.load_part(id, &i),
            Op::vstore_part => self.store_part(&i),
            Op::prefetch => self.prefetch(&i),
            Op::fence => self.fence(&i),
            Op::movcond => self.movcond(id),
            Op::helper | Op::helper_end => self.helper(id, &i),
            Op::vhelper => self.vhelper(id, &i),
            Op::brcond
            | Op::goto
            | Op::goto_ptr
            | Op::call
            | Op::call_ptr
            | Op::ret_ptr
            | Op::exit
            | Op::exit_if => self.control(&i),
            _ if self.is_deferred(id) => self.lower_deferred(id),
            _ if self.r.soft_float && i.op.effects().has(Effects::FP_FLAGS) => {
                self.fallback(id, &i);
            }
            _ => {
                let ok = self.int_op(id, &i) || self.float_op(id, &i) || self.vector_op(id, &i);
                if !ok {
                    self.unlock_all();
                    self.fallback(id, &i);
                }
            }
        }
    }
}
