//! Leaving blocks: branches, links, calls, returns, indirect jumps, exits,
//! polls and helper calls.

use remu_ir::passes::{Kept, condition_on};
use remu_ir::{ExitKind, Inst, Op, Type};

use super::enc::{Alu, Label, Mem, RAX, RCX, RDX, RSI, RSP, Rm, W, at, cc};
use super::lower::{Cold, Compiler};
use crate::{Layout, Link};

impl Compiler<'_> {
    fn pc_of(&self, index: i32) -> u64 {
        self.r.pcs[index as usize]
    }
    /// Leaves at the entry of a block if an exit was asked for.
    pub(super) fn poll(&mut self, pc: u64) {
        self.a.alu_imm(
            Alu::Cmp,
            W::D,
            Rm::M(at(super::enc::RBP, Layout::disp(Layout::EXIT_REQUEST))),
            0,
        );
        let l = self.a.label();
        self.a.jcc(cc::NE, l);
        self.cold.push(Cold::Exit { label: l, kind: ExitKind::Poll, pc });
    }
    /// Label of the block at a guest address, if it is in the region.
    fn block_label(&self, pc: u64) -> Option<Label> {
        self.block_number(pc).map(|n| self.block_labels[n])
    }
    fn block_number(&self, pc: u64) -> Option<usize> {
        self.r.blocks.binary_search_by_key(&pc, |b| b.pc).ok()
    }
    /// Jumps to a guest address inside or outside the region.
    fn goto(&mut self, pc: u64, from: u64) {
        if let Some(n) = self.block_number(pc) {
            self.restore_kept();
            if pc <= from && !self.r.blocks[n].poll {
                self.poll(pc);
            }
        }
        match self.block_label(pc) {
            Some(l) if Some(l) == self.next_block => {}
            Some(l) => self.a.jmp(l),
            None => {
                if pc <= from {
                    self.poll(pc);
                }
                self.link_jump(pc);
            }
        }
    }
    /// A jump that the engine will point at the region of `target`.
    pub(super) fn link_jump(&mut self, target: u64) {
        if !self.linkable(target) {
            self.a.movi_pc(RAX, target);
            return self.jump_by_lookup();
        }
        self.a.align(4, 1);
        self.a.b(0xe9);
        self.link(target);
    }
    /// The displacement of a jump or call to link, and its stub.
    fn link(&mut self, target: u64) {
        let site = self.a.pos() as u32;
        let stub = self.a.label();
        self.a.d(0);
        self.cold.push(Cold::LinkStub { label: stub, site, target });
    }

    fn brcond(&mut self, i: &Inst) {
        let pc = self.pc_of(i.imm);
        let to = self.block_number(pc);
        let slot = self.edge_slot(i, to);
        if let Some(n) = to {
            self.restore_kept();
            let to = self.block_labels[n];
            let label = if slot.is_some() { self.a.label() } else { to };
            self.branch(i.args[0], true, label);
            if let Some(slot) = slot {
                let flags = self.edge_flags(slot);
                self.cold.push(Cold::Edge { label, flags, to });
            }
        } else {
            let label = self.a.label();
            self.branch(i.args[0], true, label);
            let flags = slot.map(|s| self.edge_flags(s));
            self.cold.push(Cold::Goto { label, pc, poll: pc <= self.current_pc, flags });
        }
    }
    /// Whether a `set` of flags may wait until a branch behind it has been taken or not:
    /// one on the same flags, to a block that does not read them.
    pub(super) fn waits_for_branch(&self, id: u16, end: u16) -> bool {
        let set = self.inst(id);
        if set.op != Op::set || set.ty != Type::Flags {
            return false;
        }
        for n in id + 1..end {
            let i = self.inst(n);
            match i.op {
                Op::insn | Op::iconst | Op::pcconst | Op::fl_cond | Op::bnot => {}
                Op::brcond => {
                    let to = self.block_number(self.pc_of(i.imm));
                    return condition_on(self.r, &i) == Some(set.args[0])
                        && to.is_some_and(|n| !self.live.reads_flags(n, set.imm as u16));
                }
                _ if self.live.kept[usize::from(n)] == Kept::No => {}
                _ => return false,
            }
        }
        false
    }
    /// Lowers an op that branches or ends the block.
    pub(super) fn control(&mut self, i: &Inst) {
        match i.op {
            Op::brcond => {
                self.brcond(i);
                self.done_all(i);
            }
            Op::goto => self.goto(self.pc_of(i.imm), self.current_pc),
            Op::exit => self.exit(ExitKind::from_u8(i.aux), self.pc_of(i.imm)),
            Op::exit_if => {
                let l = self.a.label();
                self.cold.push(Cold::Exit {
                    label: l,
                    kind: ExitKind::from_u8(i.aux),
                    pc: self.pc_of(i.imm),
                });
                self.branch(i.args[0], true, l);
                self.done_all(i);
            }
            Op::ret_ptr => self.ret(i),
            Op::goto_ptr => {
                self.load_into(i.args[0], RAX);
                self.poll_dynamic();
                self.jump_by_lookup();
            }
            Op::call => self.call(self.pc_of(i.imm), self.pc_of(i32::from(i.args[3]))),
            Op::call_ptr => self.call_ptr(i),
            _ => {}
        }
        self.unlock_all();
    }
    pub(super) fn exit(&mut self, kind: ExitKind, pc: u64) {
        self.a.movi_pc(RAX, pc);
        self.a.st(W::Q, at(super::enc::RBP, Layout::disp(Layout::PC)), RAX);
        if kind == ExitKind::Syscall && self.lay.softmmu.is_none() {
            self.a.far(true, self.thunks.call);
            self.kept_mask = 0;
            return self.goto(pc, 0);
        }
        self.a.movi(RAX, kind as u64);
        self.a.far(false, self.thunks.exit);
    }
    /// The same poll where the guest address is in rax.
    fn poll_dynamic(&mut self) {
        self.a.alu_imm(
            Alu::Cmp,
            W::D,
            Rm::M(at(super::enc::RBP, Layout::disp(Layout::EXIT_REQUEST))),
            0,
        );
        self.a.jcc_far(cc::NE, self.thunks.poll);
    }
    /// Jumps to the guest address in rax; every scratch register is free.
    fn jump_by_lookup(&mut self) {
        let entry = self.probe_at_end();
        self.a.jcc_far(cc::NE, self.thunks.lookup);
        self.a.op(W::D, 0xff, 4, Rm::M(Mem { disp: 8, ..entry }), false);
    }
    /// Whether a jump to a guest address may be patched to lead straight there: as long
    /// as this code is right, so is that one.
    fn linkable(&self, pc: u64) -> bool {
        self.lay.softmmu.is_none_or(|m| m.same_page(self.r.blocks[0].pc, pc))
    }
    /// rcx = cache entry for the guest address in rax; equal if it is there.
    fn probe(&mut self) {
        self.a.mov(W::D, RCX, RAX);
        self.a.shift_imm(4, W::D, RCX, 4 - self.lay.insn_align);
        self.a.alu_imm(Alu::And, W::D, Rm::R(RCX), (Layout::CACHE_ENTRIES as i32 - 1) << 4);
        self.a.alu(Alu::Add, W::Q, RCX, Rm::M(at(super::enc::RBP, Layout::disp(Layout::CACHE))));
        self.a.alu_mr(Alu::Cmp, W::Q, at(RCX, 0), RAX);
    }
    /// The same where every scratch register is free; the entry.
    fn probe_at_end(&mut self) -> Mem {
        let align = self.lay.insn_align;
        if align == 0 {
            self.probe();
            return at(RCX, 0);
        }
        self.a.ld(W::Q, RDX, at(super::enc::RBP, Layout::disp(Layout::CACHE)));
        self.a.mov(W::D, RCX, RAX);
        let mask = (Layout::CACHE_ENTRIES as i32 - 1) << align;
        self.a.alu_imm(Alu::And, W::D, Rm::R(RCX), mask);
        let entry = Mem { base: RDX, index: Some(RCX), scale: 4 - align, disp: 0 };
        self.a.alu_mr(Alu::Cmp, W::Q, entry, RAX);
        entry
    }
    /// A return: to the paired host call if the guest address is the one that
    /// call expects.
    fn ret(&mut self, i: &Inst) {
        let r = self.reg_or_temp(i.args[0]);
        self.a.alu_mr(Alu::Cmp, W::Q, at(RSP, 8), r);
        let l = self.a.label();
        self.a.jcc(cc::NE, l);
        self.a.b(0xc3);
        self.cold.push(Cold::ReturnMiss { label: l, reg: r });
    }
    /// Aligns so that a call of `len` bytes ends at a multiple of 8: the
    /// landing can then be replaced by one store.
    fn align_landing(&mut self, len: usize) {
        self.a.align(8, len);
    }
    fn landing(&mut self, ret: u64) {
        self.out.landings.push(self.a.pos() as u32);
        self.a.lea(W::Q, RSP, at(RSP, 8));
        // Whatever ran in between: load what the region keeps.
        self.kept_mask = 0;
        // Room for the patch that retires a landing.
        self.goto(ret, 0);
    }
    /// Pushes a return address. Often it is in a register: the link register was set to it.
    fn push_return(&mut self, ret: u64) {
        let r = self.a.reg_with_pc(ret);
        self.a.push(r);
    }
    fn call(&mut self, pc: u64, ret: u64) {
        self.push_return(ret);
        if self.block_label(pc).is_some() {
            self.restore_kept();
        } else if !self.linkable(pc) {
            self.a.movi_pc(RAX, pc);
            return self.call_by_lookup(ret);
        }
        self.align_landing(5);
        match self.block_label(pc) {
            Some(l) => self.a.call(l),
            None => {
                self.a.b(0xe8);
                self.link(pc);
            }
        }
        self.landing(ret);
    }
    fn call_ptr(&mut self, i: &Inst) {
        let ret = self.pc_of(i32::from(i.args[3]));
        self.push_return(ret);
        self.load_into(i.args[0], RAX);
        self.call_by_lookup(ret);
    }
    /// Calls the guest address in rax.
    fn call_by_lookup(&mut self, ret: u64) {
        self.probe();
        let (miss, back) = (self.a.label(), self.a.label());
        self.a.jcc(cc::NE, miss);
        self.align_landing(3);
        self.a.bind(back);
        self.a.op(W::D, 0xff, 2, Rm::M(at(RCX, 8)), false);
        self.landing(ret);
        self.cold.push(Cold::CallMiss { label: miss, back });
    }

    /// Calls a helper of the guest's.
    pub(super) fn helper(&mut self, id: u16, i: &Inst) {
        self.save_all();
        for (n, r) in [RSI, RDX, RCX].into_iter().enumerate() {
            self.load_into(i.args[n], r);
        }
        self.may_fault();
        let func = self.r.helpers[i.imm as usize].func;
        self.a.movi_host(RAX, func as usize as u64);
        self.a.far(true, self.thunks.helper);
        if i.op == Op::helper_end {
            self.a.far(false, self.thunks.exit);
            return;
        }
        self.load_kept();
        self.done_all(i);
        let d = self.dest(id, None);
        self.a.mov(W::Q, d, RAX);
        self.finish(id, d);
    }

    /// Emits what was put off: the cold paths behind the region's code.
    pub(super) fn cold_paths(&mut self) {
        while let Some(c) = self.cold.pop() {
            match c {
                Cold::Exit { label, kind, pc } => {
                    self.a.bind(label);
                    self.exit(kind, pc);
                }
                Cold::Edge { label, flags, to } => {
                    self.a.bind(label);
                    self.write_edge(flags);
                    self.a.jmp(to);
                }
                Cold::Goto { label, pc, poll, flags } => {
                    self.a.bind(label);
                    if let Some(f) = flags {
                        self.write_edge(f);
                    }
                    if poll {
                        self.poll(pc);
                    }
                    self.link_jump(pc);
                }
                Cold::LinkStub { label, site, target } => {
                    self.a.bind(label);
                    let stub = self.a.pos() as u32;
                    self.a.patch_rel(site, stub);
                    self.out.links.push(Link { site, stub, target });
                    // rax = end of the displacement to patch
                    self.a.lea_pos(RAX, site + 4);
                    self.a.far(false, self.thunks.link);
                }
                Cold::ReturnMiss { label, reg } => {
                    self.a.bind(label);
                    self.a.mov(W::Q, RAX, reg);
                    self.a.far(false, self.thunks.return_miss);
                }
                Cold::CallMiss { label, back } => {
                    self.a.bind(label);
                    // The entry behind the last one leads to the lookup.
                    self.a.ld(W::Q, RCX, at(super::enc::RBP, Layout::disp(Layout::CACHE)));
                    self.a.alu_imm(Alu::Add, W::Q, Rm::R(RCX), (Layout::CACHE_ENTRIES * 16) as i32);
                    self.a.jmp(back);
                }
                Cold::Part(split) => self.split_load(&split),
                Cold::Access(slow) => self.slow_access(&slow),
                Cold::Nan { label, back, value, to } => {
                    self.a.bind(label);
                    self.a.movi(RAX, value);
                    self.a.vex(super::vector::MOVQ_X_R, to, 0, Rm::R(RAX));
                    self.a.jmp(back);
                }
                Cold::Tiny { label, back, inst, operands, result } => {
                    self.a.bind(label);
                    self.tiny_or_nan(&inst, &operands, result, back);
                }
                Cold::Checks { label, back, checks } => self.make_checks(label, back, checks),
                Cold::Status { label, back, flags } => {
                    self.a.bind(label);
                    self.a.mov(W::D, RAX, flags);
                    self.replace_status();
                    self.a.jmp(back);
                }
                Cold::Eval { label, back, inst, operands, to } => {
                    self.a.bind(label);
                    self.eval_call(&inst, &operands, to);
                    self.a.jmp(back);
                }
            }
        }
        self.out.data = self.a.pos();
        for n in 0..self.inst_data.len() {
            let (label, inst) = self.inst_data[n];
            self.a.align(8, 0);
            self.a.bind(label);
            self.a.bytes_of(&super::fallback::inst_bytes(&inst));
        }
        for n in 0..self.const_data.len() {
            let (label, bits) = self.const_data[n];
            self.a.align(16, 0);
            self.a.bind(label);
            self.a.bytes_of(&bits.to_le_bytes());
        }
    }
}

impl super::enc::CodeBuf<'_> {
    /// Points a displacement at a position.
    fn patch_rel(&mut self, site: u32, to: u32) {
        self.patch_at(site as usize, to.wrapping_sub(site + 4));
    }
    /// `lea d, [rip + x]` with the address of a position.
    fn lea_pos(&mut self, d: u8, pos: u32) {
        self.b(0x48 | (d >> 3) << 2);
        self.b(0x8d);
        self.b((d & 7) << 3 | 5);
        let next = self.pos() as u32 + 4;
        self.d(pos.wrapping_sub(next));
    }
}
