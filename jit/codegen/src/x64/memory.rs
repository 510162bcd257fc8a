//! Loads and stores.

use remu_ir::{Addr, ExitKind, Inst, MemOp, Op, Order, Type, Val};

use super::X;
use super::alloc::wide;
use super::enc::{Alu, Mem, RAX, Rm, W, at, cc};
use super::lower::{Cold, Compiler};
use super::vector::{MOVD_R_X, MOVSD, MOVSD_ST, MOVSS, MOVSS_ST, MOVUPS, MOVUPS_ST};

impl Compiler<'_> {
    /// The host address of a guest access: guest addresses are host addresses.
    /// May use the temporary for a constant base.
    fn guest_mem(&mut self, i: &Inst) -> Mem {
        let a = Addr::of(i);
        let moved = |c: u64| c.wrapping_add(a.disp as i64 as u64);
        let (base, disp) = if let Some(c) = self.pc_const_of(i.args[0]) {
            // Checks of alignment take a temporary for all of the address.
            let near = self.near_pc(moved(c)).filter(|_| !a.mem.aligned);
            let (r, disp) = near.unwrap_or_else(|| {
                self.a.movi_pc(RAX, moved(c));
                (RAX, 0)
            });
            self.lock(r);
            (r, disp)
        } else if let Some(c) = self.const_of(i.args[0]) {
            self.a.movi(RAX, moved(c));
            (RAX, 0)
        } else {
            (self.reg(i.args[0]), a.disp)
        };
        let has_index = matches!(i.op, Op::load | Op::load_joint | Op::store | Op::prefetch)
            && i.args[1] != Val::NONE_ID;
        let index = has_index.then(|| self.reg(i.args[1]));
        Mem { base, index, scale: a.scale, disp }
    }
    /// Leaves with a misalignment exit if the access demands alignment.
    pub(super) fn check_align(&mut self, m: Mem, mem: MemOp) {
        if !mem.aligned || mem.size == 0 || self.lay.softmmu.is_some() {
            return;
        }
        let mask = mem.bytes() as i32 - 1;
        let r = if m.index.is_none() && m.disp & mask == 0 {
            m.base
        } else {
            self.a.lea(W::Q, RAX, m);
            RAX
        };
        self.a.test_imm(W::D, Rm::R(r), mask);
        let l = self.a.label();
        self.a.jcc(cc::NE, l);
        let pc = self.current_pc;
        self.cold.push(Cold::Exit { label: l, kind: ExitKind::Misaligned, pc });
    }
    /// Marks that what follows can fault.
    pub(super) fn may_fault(&mut self) {
        let pc = self.current_pc;
        if self.out.faults.last().is_none_or(|f| f.1 != pc) {
            self.out.faults.push((self.a.pos() as u32, pc));
        }
    }

    pub(super) fn load(&mut self, id: u16, i: &Inst) {
        if self.lay.softmmu.is_some() {
            return self.soft_load(id, i);
        }
        let a = Addr::of(i);
        let m = self.guest_mem(i);
        // The address may be in the temporary, which an alignment check uses too.
        if a.mem.aligned && m.base == RAX {
            self.a.test_imm(W::D, Rm::R(RAX), a.mem.bytes() as i32 - 1);
            let l = self.a.label();
            self.a.jcc(cc::NE, l);
            let pc = self.current_pc;
            self.cold.push(Cold::Exit { label: l, kind: ExitKind::Misaligned, pc });
        } else {
            self.check_align(m, a.mem);
        }
        self.done_all(i);
        if i.op == Op::load_joint {
            // Two entries: `Compiled::faults`.
            self.out.faults.extend([(self.a.pos() as u32, self.current_pc); 2]);
        } else {
            self.may_fault();
        }
        let d = self.dest(id, None);
        self.load_from(i.ty, a.mem, d, m);
        self.vals[usize::from(id)].zero_high = true;
        self.vals[usize::from(id)].zero_from = a.mem.bytes() as u8;
        self.finish(id, d);
    }
    pub(super) fn load_from(&mut self, t: Type, mem: MemOp, d: u8, m: Mem) {
        let src = Rm::M(m);
        match (t, mem.size) {
            (Type::V128, 4) => self.a.vex(MOVUPS, d - X, 0, src),
            (Type::V128 | Type::F64, 3) => self.a.vex(MOVSD, d - X, 0, src),
            (Type::V128 | Type::F32, 2) => self.a.vex(MOVSS, d - X, 0, src),
            (Type::V128 | Type::F16, n) => {
                self.a.movzx(1 << n, RAX, src);
                self.a.vex(super::vector::MOVD_X_R, d - X, 0, Rm::R(RAX));
            }
            (_, 3) => self.a.ld(W::Q, d, m),
            (Type::I64, 2) if mem.signed => self.a.movsxd(d, src),
            (_, 2) => self.a.ld(W::D, d, m),
            (_, n) if mem.signed => self.a.movsx(wide(t), 1 << n, d, src),
            (_, n) => self.a.movzx(1 << n, d, src),
        }
        if mem.big {
            self.swap_bytes(mem, t, d);
        }
    }
    fn swap_bytes(&mut self, mem: MemOp, t: Type, d: u8) {
        match mem.size {
            1 => {
                self.a.bswap(W::D, d);
                self.a.shift_imm(if mem.signed { 7 } else { 5 }, W::D, d, 16);
                if mem.signed && t == Type::I64 {
                    self.a.movsxd(d, Rm::R(d));
                }
            }
            2 => {
                self.a.bswap(W::D, d);
                if mem.signed && t == Type::I64 {
                    self.a.movsxd(d, Rm::R(d));
                }
            }
            3 => self.a.bswap(W::Q, d),
            _ => {}
        }
    }

    pub(super) fn store(&mut self, i: &Inst) {
        if self.lay.softmmu.is_some() {
            return self.soft_store(i);
        }
        let a = Addr::of(i);
        let v = i.args[2];
        let vt = self.inst(self.root(v)).ty;
        let mut m = self.guest_mem(i);
        let vec = vt.is_vec();
        let imm = self.imm(v).filter(|_| !vec && !a.mem.big && a.order != Order::SeqCst);
        // A value that needs the temporary cannot share it with the address.
        if m.base == RAX && (imm.is_none() || a.mem.aligned) {
            let h = self.scratch(false);
            self.a.mov(W::Q, h, RAX);
            m.base = h;
        }
        self.check_align(m, a.mem);
        self.may_fault_after_operands(i, m, a, vec, imm);
        self.done_all(i);
        self.unlock_all();
    }
    fn may_fault_after_operands(&mut self, i: &Inst, m: Mem, a: Addr, vec: bool, imm: Option<i32>) {
        let v = i.args[2];
        if vec {
            let x = self.xmm_or_temp(v);
            self.may_fault();
            self.store_vec(a.mem, m, x);
        } else if let Some(c) = imm {
            self.may_fault();
            self.store_imm(a.mem, m, c);
        } else {
            let s = self.reg_or_temp(v);
            let s = self.in_byte_order(a.mem, s);
            self.may_fault();
            self.store_int(a.mem, m, s);
        }
        if a.order == Order::SeqCst {
            self.full_fence();
        }
    }
    /// Stores a vector register; may use the temporary.
    pub(super) fn store_vec(&mut self, mem: MemOp, m: Mem, x: u8) {
        match mem.size {
            4 => self.a.vex(MOVUPS_ST, x, 0, Rm::M(m)),
            3 => self.a.vex(MOVSD_ST, x, 0, Rm::M(m)),
            2 => self.a.vex(MOVSS_ST, x, 0, Rm::M(m)),
            n => {
                self.a.vex(MOVD_R_X, x, 0, Rm::R(RAX));
                self.a.st_small(1 << n, m, RAX);
            }
        }
    }
    pub(super) fn store_imm(&mut self, mem: MemOp, m: Mem, c: i32) {
        match mem.size {
            3 => self.a.st_imm(W::Q, m, c),
            2 => self.a.st_imm(W::D, m, c),
            n => self.a.st_imm_small(1 << n, m, c),
        }
    }
    pub(super) fn store_int(&mut self, mem: MemOp, m: Mem, s: u8) {
        match mem.size {
            3 => self.a.st(W::Q, m, s),
            2 => self.a.st(W::D, m, s),
            n => self.a.st_small(1 << n, m, s),
        }
    }
    /// The register that holds `s` as memory has it: `s`, or the temporary.
    pub(super) fn in_byte_order(&mut self, mem: MemOp, s: u8) -> u8 {
        if !mem.big {
            return s;
        }
        self.a.mov(W::Q, RAX, s);
        self.a.bswap(if mem.size == 3 { W::Q } else { W::D }, RAX);
        if mem.size == 1 {
            self.a.shift_imm(5, W::D, RAX, 16);
        }
        RAX
    }
    /// `prefetcht0`: whatever the address, nothing happens but in the cache.
    pub(super) fn prefetch(&mut self, i: &Inst) {
        if self.lay.softmmu.is_none() {
            let m = self.guest_mem(i);
            self.a.op(W::D, 0x0f18, 1, Rm::M(m), false);
        }
        self.done_all(i);
        self.unlock_all();
    }
    pub(super) fn fence(&mut self, i: &Inst) {
        if Addr::of(i).order == Order::SeqCst {
            self.full_fence();
        }
    }
    /// `lock or dword [spill], 0`: a full barrier, cheaper than mfence.
    pub(super) fn full_fence(&mut self) {
        let m = at(super::enc::RBP, self.lay.fallback());
        self.a.b(0xf0);
        self.a.alu_imm(Alu::Or, W::D, Rm::M(m), 0);
    }
}
