//! Drives the lowering of a region.

use remu_ir::passes::Liveness;
use remu_ir::{Effects, ExitKind, Inst, Op, Region, Type};

use super::alloc::{NO_HOST, NOBODY, Value};
use super::enc::{CodeBuf, Label};
use super::kept::Kept;
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
    /// A comparison is undone: the sticky flags were those in a register.
    Status {
        label: Label,
        back: Label,
        flags: u8,
    },
    /// A result that only the evaluator gets right.
    Eval {
        label: Label,
        back: Label,
        inst: Inst,
        operands: [Host; 3],
        to: Host,
    },
}

/// State of one compilation. Its tables are kept from region to region in a
/// [`Tables`].
pub struct Compiler<'a> {
    pub(super) r: &'a Region,
    pub(super) lay: &'a Layout,
    pub(super) thunks: &'a Thunks,
    pub(super) a: CodeBuf<'a>,
    pub(super) out: Compiled,
    pub(super) vals: Vec<Value>,
    pub(super) owner: [u16; 32],
    pub(super) locked: u32,
    pub(super) pins: Vec<Host>,
    /// Value whose home is this word of state memory.
    pub(super) homes: Vec<u16>,
    pub(super) spilled: [bool; Layout::SPILLS],
    /// Spill slots to free when the current op is over.
    pub(super) freed: Vec<u8>,
    pub(super) cold: Vec<Cold>,
    pub(super) inst_data: Vec<(Label, Inst)>,
    pub(super) const_data: Vec<(Label, u128)>,
    pub(super) block_labels: Vec<Label>,
    /// Label of the block that follows the current one in memory.
    pub(super) next_block: Option<Label>,
    pub(super) current_pc: u64,
    /// A flags value that the host's flags hold, C as the guest has it, as long
    /// as the code ends here.
    pub(super) host_flags: (u16, usize),
    /// Slots that this region keeps in scratch registers.
    pub(super) kept: Vec<Kept>,
    /// The registers of those that are valid now, as a bit set.
    pub(super) kept_mask: u32,
}

impl<'a> Compiler<'a> {
    /// Lowers a region into `buf`.
    ///
    /// # Errors
    /// The buffer was too small; nothing in it may be used.
    pub fn compile(
        r: &'a Region,
        live: &Liveness,
        lay: &'a Layout,
        thunks: &'a Thunks,
        buf: &'a mut [u8],
    ) -> Result<Compiled, OutOfSpace> {
        let mut pins = vec![NO_HOST; lay.size / 8];
        for (slots, hosts) in [(&lay.pinned_int, &PIN_INT), (&lay.pinned_vec, &PIN_VEC)] {
            for (s, h) in slots.iter().zip(hosts) {
                pins[usize::from(s.offset / 8)] = *h;
            }
        }
        let mut c = Compiler {
            r,
            lay,
            thunks,
            a: CodeBuf::new(buf),
            out: Compiled::default(),
            vals: vec![Value::EMPTY; r.insts.len()],
            owner: [NOBODY; 32],
            locked: 0,
            pins,
            homes: vec![NOBODY; lay.size / 4],
            spilled: [false; Layout::SPILLS],
            freed: Vec::new(),
            cold: Vec::new(),
            inst_data: Vec::new(),
            const_data: Vec::new(),
            block_labels: Vec::new(),
            next_block: None,
            current_pc: 0,
            host_flags: (NOBODY, 0),
            kept: Vec::new(),
            kept_mask: 0,
        };
        c.choose_kept();
        c.prepare(live);
        c.run(live);
        if c.a.overflow {
            return Err(OutOfSpace);
        }
        c.out.len = c.a.pos();
        c.out.relocs = core::mem::take(&mut c.a.relocs);
        c.out.fixed = c.a.fixed.get();
        Ok(c.out)
    }

    /// Last uses (backward), then the registers results should go to (forward).
    fn prepare(&mut self, live: &Liveness) {
        for id in (0..self.r.insts.len()).rev() {
            let i = self.r.insts[id];
            self.vals[id].uses = live.uses_of(id as u16);
            self.vals[id].root = id as u16;
            if !live.is_live(id as u16) {
                continue;
            }
            // Uses by a value that shares the register or is computed late
            // last as long as that value.
            let shares = matches!(i.op, Op::trunc | Op::vtof | Op::vfromf)
                || matches!(i.ty, Type::Bool | Type::Flags);
            let reach = if shares { self.vals[id].last.max(id as u16) } else { id as u16 };
            for &a in &i.args[..i.op.arity()] {
                if let Some(v) = self.vals.get_mut(usize::from(a)) {
                    v.last = v.last.max(reach);
                }
            }
        }
        for b in &self.r.blocks {
            let mut current = vec![NOBODY; self.pins.len()];
            let mut changed = vec![b.start; self.pins.len()];
            let mut barrier = b.start;
            for id in b.start..b.end {
                if !live.is_live(id) {
                    continue;
                }
                let i = self.r.insts[usize::from(id)];
                if i.op.effects().has(Effects(
                    Effects::MAY_FAULT.0 | Effects::SIDE_EXIT.0 | Effects::ENDS_BLOCK.0,
                )) {
                    barrier = id;
                }
                if !matches!(i.op, Op::get | Op::set) {
                    continue;
                }
                let key = i.imm as usize / 8;
                let Some(&h) = self.pins.get(key).filter(|&&h| h != NO_HOST) else { continue };
                if i.op == Op::get {
                    current[key] = id;
                    continue;
                }
                let v = i.args[0];
                let def = self.r.insts[usize::from(v)];
                let old = current[key];
                let old_free = old == NOBODY || old == v || self.vals[usize::from(old)].last <= v;
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
                    // A float becomes the slot's vector where it is.
                    let of = def.args[0];
                    if def.op == Op::vfromf
                        && of >= b.start
                        && of >= barrier
                        && of >= changed[key]
                        && (old == NOBODY || self.vals[usize::from(old)].last <= of)
                        && live.uses_of(of) == 1
                        && !matches!(
                            self.r.insts[usize::from(of)].op,
                            Op::get | Op::vtof | Op::trunc
                        )
                    {
                        self.vals[usize::from(of)].target = h;
                    }
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
            for id in b.start..b.end {
                if live.is_rare(id) {
                    self.done(self.r.insts[usize::from(id)].args[0]);
                } else if live.is_live(id) {
                    self.lower(id);
                }
                if self.a.overflow {
                    return;
                }
            }
        }
        self.outer_entries();
        self.cold_paths();
        if !self.a.overflow {
            self.a.fix();
        }
    }

    fn lower(&mut self, id: u16) {
        let i = self.r.insts[usize::from(id)];
        match i.op {
            Op::iconst | Op::pcconst | Op::vconst => {}
            Op::get => self.get(id, &i),
            Op::set => self.set(&i),
            Op::insn => self.current_pc = self.r.pcs[i.imm as usize],
            Op::load => self.load(id, &i),
            Op::store => self.store(&i),
            Op::rmw => self.rmw(id, &i),
            Op::cas => self.cas(id, &i),
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
