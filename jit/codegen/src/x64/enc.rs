//! Instruction encoding: prefixes, ModRM, SIB, displacement.
//!
//! Written by hand because a table-driven lowering needs one function per
//! *form*, with register numbers and opcodes as data, and the shortest
//! encoding of each (Intel SDM volume 2, chapter 2). Fixed sequences (entry,
//! exit, thunks) are written with dynasm in `thunks.rs`, through the same
//! buffer.

use core::cell::Cell;

use crate::{Reloc, RelocKind};

/// A general-purpose or vector register number, 0 to 15.
pub(crate) type Reg = u8;

pub(crate) const RAX: Reg = 0;
pub(crate) const RCX: Reg = 1;
pub(crate) const RDX: Reg = 2;
pub(crate) const RBX: Reg = 3;
pub(crate) const RSP: Reg = 4;
pub(crate) const RBP: Reg = 5;
pub(crate) const RSI: Reg = 6;

/// Memory operand `base + index << scale + disp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mem {
    pub(crate) base: Reg,
    pub(crate) index: Option<Reg>,
    pub(crate) scale: u8,
    pub(crate) disp: i32,
}

/// `base + disp`.
pub(crate) const fn at(base: Reg, disp: i32) -> Mem {
    Mem { base, index: None, scale: 0, disp }
}

/// Register or memory operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rm {
    R(Reg),
    M(Mem),
}

/// Width of an integer operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum W {
    D,
    Q,
}

/// Two-operand arithmetic, numbered as the opcode's bits 5:3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Alu {
    Add = 0,
    Or = 1,
    Adc = 2,
    Sbb = 3,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Condition codes (SDM volume 1, appendix B).
pub(crate) mod cc {
    pub(crate) const O: u8 = 0;
    pub(crate) const NO: u8 = 1;
    pub(crate) const B: u8 = 2;
    pub(crate) const AE: u8 = 3;
    pub(crate) const E: u8 = 4;
    pub(crate) const NE: u8 = 5;
    pub(crate) const BE: u8 = 6;
    pub(crate) const A: u8 = 7;
    pub(crate) const S: u8 = 8;
    pub(crate) const NS: u8 = 9;
    pub(crate) const P: u8 = 10;
    pub(crate) const NP: u8 = 11;
    pub(crate) const L: u8 = 12;
    pub(crate) const GE: u8 = 13;
    pub(crate) const LE: u8 = 14;
    pub(crate) const G: u8 = 15;
}

/// A position that jumps can name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Label(pub(crate) u32);

const UNBOUND: u32 = u32::MAX;

/// Writes code into a slice. Running over the end is remembered in
/// `overflow`, not written.
pub struct CodeBuf<'a> {
    buf: &'a mut [u8],
    pos: usize,
    /// The code did not fit; what was written is not usable.
    pub overflow: bool,
    jumps: Jumps,
    /// See [`crate::Compiled::relocs`].
    pub(crate) relocs: Vec<Reloc>,
    /// See [`crate::Compiled::fixed`].
    pub(crate) fixed: Cell<bool>,
    /// The host's flags are those of the code that ends here; see [`Self::note_flags`].
    flags_at: usize,
    /// Where code ends that has left this guest address in this register.
    held_pc: (usize, u64, Reg),
}

/// Labels and the jumps to them.
#[derive(Debug, Default)]
pub(crate) struct Jumps {
    labels: Vec<u32>,
    /// (position of a rel32, label)
    fixups: Vec<(u32, Label)>,
}

impl<'a> CodeBuf<'a> {
    /// An empty buffer over `buf`.
    pub fn new(buf: &'a mut [u8]) -> CodeBuf<'a> {
        CodeBuf::reusing(buf, Jumps::default(), Vec::new())
    }
    /// An empty buffer over `buf` that uses the memory of tables no longer needed.
    pub(crate) fn reusing(buf: &'a mut [u8], mut jumps: Jumps, mut relocs: Vec<Reloc>) -> Self {
        jumps.labels.clear();
        jumps.fixups.clear();
        relocs.clear();
        CodeBuf {
            buf,
            pos: 0,
            overflow: false,
            jumps,
            relocs,
            fixed: Cell::new(false),
            flags_at: usize::MAX,
            held_pc: (usize::MAX, 0, RAX),
        }
    }
    /// The tables, for the next buffer.
    pub(crate) fn into_tables(self) -> (Jumps, Vec<Reloc>) {
        (self.jumps, self.relocs)
    }
    /// Bytes written.
    pub fn pos(&self) -> usize {
        self.pos
    }
    /// The bytes written.
    pub fn bytes(&self) -> &[u8] {
        &self.buf[..self.pos.min(self.buf.len())]
    }
    /// Host address of a position.
    pub fn address(&self, pos: usize) -> u64 {
        self.buf.as_ptr() as u64 + pos as u64
    }

    pub(crate) fn b(&mut self, v: u8) {
        match self.buf.get_mut(self.pos) {
            Some(p) => {
                *p = v;
                self.pos += 1;
            }
            None => self.overflow = true,
        }
    }
    pub(crate) fn bytes_of(&mut self, v: &[u8]) {
        match self.buf.get_mut(self.pos..self.pos + v.len()) {
            Some(p) => {
                p.copy_from_slice(v);
                self.pos += v.len();
            }
            None => self.overflow = true,
        }
    }
    pub(crate) fn d(&mut self, v: u32) {
        self.bytes_of(&v.to_le_bytes());
    }
    /// Appends the lowest `n` bytes of `v`, up to 8. Writes past them, which no
    /// code is in yet.
    #[inline(always)]
    fn put(&mut self, v: u64, n: u32) {
        match self.buf.get_mut(self.pos..self.pos + 8) {
            Some(p) => {
                p.copy_from_slice(&v.to_le_bytes());
                self.pos += n as usize;
            }
            None => self.overflow = true,
        }
    }
    // ---- the host's flags

    /// The code that ends here has left the host's flags as somebody will want
    /// them. They last while only instructions that keep flags are appended
    /// (moves, `lea`, `setcc`, `cmov`, conditional jumps, BMI2 arithmetic).
    pub(crate) fn note_flags(&mut self) {
        self.flags_at = self.pos;
    }
    /// Whether the flags last noted are still the host's.
    pub(crate) fn has_flags(&self) -> bool {
        self.flags_at == self.pos
    }
    /// Forgets them.
    pub(crate) fn drop_flags(&mut self) {
        self.flags_at = usize::MAX;
    }
    /// Appends code that keeps the flags.
    #[inline(always)]
    fn keeping(&mut self, f: impl FnOnce(&mut Self)) {
        let kept = self.flags_at == self.pos;
        f(self);
        if kept {
            self.flags_at = self.pos;
        }
    }
    /// Whether a VEX instruction changes the flags: `andn`, `bls*`, `bzhi`,
    /// `bextr`; `(u)comis`; `vtestps`, `vtestpd`, `vptest`.
    fn vex_changes_flags(op: u32) -> bool {
        let (code, pp, map) = (op & 0xff, op >> 8 & 3, op >> 12 & 3);
        match map {
            1 => matches!(code, 0x2e | 0x2f),
            2 => (pp == 0 && code >= 0xf0) || matches!(code, 0x0e | 0x0f | 0x17),
            _ => matches!(code, 0x60..=0x63),
        }
    }

    pub(crate) fn patch_at(&mut self, at: usize, v: u32) {
        self.patch32(at, v);
    }
    fn patch32(&mut self, at: usize, v: u32) {
        if let Some(p) = self.buf.get_mut(at..at + 4) {
            p.copy_from_slice(&v.to_le_bytes());
        }
    }

    // ---- labels

    pub(crate) fn label(&mut self) -> Label {
        self.jumps.labels.push(UNBOUND);
        Label(self.jumps.labels.len() as u32 - 1)
    }
    pub(crate) fn bind(&mut self, l: Label) {
        self.jumps.labels[l.0 as usize] = self.pos as u32;
        self.held_pc.0 = usize::MAX;
    }
    pub(crate) fn bound(&self, l: Label) -> Option<u32> {
        Some(self.jumps.labels[l.0 as usize]).filter(|&p| p != UNBOUND)
    }
    fn rel32(&mut self, l: Label) {
        self.rel32_before(l, 0);
    }
    /// The displacement, with `n` more bytes of the instruction behind it.
    fn rel32_before(&mut self, l: Label, n: u32) {
        self.jumps.fixups.push((self.pos as u32, l));
        self.d(0u32.wrapping_sub(n));
    }
    /// Resolves every jump to a label. All labels must be bound.
    pub(crate) fn fix(&mut self) {
        for &(at, l) in &self.jumps.fixups {
            let to = self.jumps.labels[l.0 as usize];
            debug_assert_ne!(to, UNBOUND, "label not bound");
            if let Some(p) = self.buf.get_mut(at as usize..at as usize + 4) {
                let behind = p.as_ref().try_into().map_or(0, u32::from_le_bytes);
                let rel = to.wrapping_sub(at + 4).wrapping_add(behind);
                p.copy_from_slice(&rel.to_le_bytes());
            }
        }
        self.jumps.fixups.clear();
    }

    // ---- general forms

    #[inline]
    fn modrm(&mut self, reg: u8, rm: Rm) {
        let reg = (reg & 7) << 3;
        match rm {
            Rm::R(r) => self.b(0xc0 | reg | (r & 7)),
            Rm::M(m) => {
                let need_sib = m.index.is_some() || m.base & 7 == 4;
                let (mode, more) = if m.disp == 0 && m.base & 7 != 5 {
                    (0, 0)
                } else if i8::try_from(m.disp).is_ok() {
                    (0x40, 1)
                } else {
                    (0x80, 4)
                };
                // Displacement bytes beyond `more` are not kept.
                let disp = u64::from(m.disp as u32);
                if need_sib {
                    let sib = m.scale << 6 | (m.index.unwrap_or(4) & 7) << 3 | (m.base & 7);
                    let head = u64::from(mode | reg | 4) | u64::from(sib) << 8;
                    self.put(head | disp << 16, 2 + more);
                } else {
                    self.put(u64::from(mode | reg | (m.base & 7)) | disp << 8, 1 + more);
                }
            }
        }
    }

    /// REX bits for reg and rm: R, X, B.
    fn rxb(reg: u8, rm: Rm) -> u8 {
        let r = (reg >> 3 & 1) << 2;
        match rm {
            Rm::R(b) => r | (b >> 3 & 1),
            Rm::M(m) => r | (m.index.unwrap_or(0) >> 3 & 1) << 1 | (m.base >> 3 & 1),
        }
    }

    /// Legacy instruction. `op`: bits 7:0 opcode, 0x0f00 / 0x0f38_00 / 0x0f3a_00
    /// escape above, bits 31:24 mandatory prefix. `byte_reg`: `reg` or a
    /// register `rm` is an 8-bit register, for which SPL to DIL need a REX.
    pub(crate) fn op(&mut self, w: W, op: u32, reg: u8, rm: Rm, byte_reg: bool) {
        let (mut code, mut n) = (0u64, 0);
        let mut add = |byte: u8| {
            code |= u64::from(byte) << (8 * n);
            n += 1;
        };
        let prefix = (op >> 24) as u8;
        if prefix != 0 {
            add(prefix);
        }
        let rex = Self::rxb(reg, rm) | if w == W::Q { 8 } else { 0 };
        let low8 = byte_reg && ((4..8).contains(&reg) || matches!(rm, Rm::R(4..8)));
        if rex != 0 || low8 {
            add(0x40 | rex);
        }
        let map = op >> 8 & 0xffff;
        if map > 0xff {
            add((map >> 8) as u8);
        }
        if map != 0 {
            add(map as u8);
        }
        add(op as u8);
        self.put(code, n);
        self.modrm(reg, rm);
    }

    /// Makes the next instruction's operands 16 bits wide.
    pub(crate) fn operand_size(&mut self) {
        self.b(0x66);
    }

    /// VEX instruction, 128-bit or scalar (L = 0) unless `l` is set. `op`: bits
    /// 7:0 opcode, 9:8 pp (0 none, 1 66, 2 F3, 3 F2), 13:12 map (1 0F, 2 0F38,
    /// 3 0F3A), bit 15 W.
    pub(crate) fn vex(&mut self, op: u32, reg: u8, v: u8, rm: Rm) {
        let kept = self.has_flags() && !Self::vex_changes_flags(op);
        let rxb = Self::rxb(reg, rm);
        let (pp, map, w) = (op >> 8 & 3, op >> 12 & 3, op >> 15 & 1);
        let l = op >> 16 & 1;
        let low = ((!v & 15) << 3) | (l << 2) as u8 | pp as u8;
        let op = op & 0xff;
        if map == 1 && w == 0 && rxb & 3 == 0 {
            let second = if rxb & 4 == 0 { 0x80 } else { 0 } | low;
            self.put(u64::from(0xc5 | u32::from(second) << 8 | op << 16), 3);
        } else {
            let second = u32::from(!rxb & 7) << 5 | map;
            let third = w << 7 | u32::from(low);
            self.put(u64::from(0xc4 | second << 8 | third << 16 | op << 24), 4);
        }
        self.modrm(reg, rm);
        if kept {
            self.note_flags();
        }
    }
    /// VEX instruction with the operand `[rip + label]`; no immediate.
    pub(crate) fn vex_rip(&mut self, op: u32, reg: u8, v: u8, l: Label) {
        let kept = self.has_flags() && !Self::vex_changes_flags(op);
        self.vex_rip_head(op, reg, v);
        self.rel32(l);
        if kept {
            self.note_flags();
        }
    }
    /// The same with an immediate.
    pub(crate) fn vex_rip_imm(&mut self, op: u32, reg: u8, v: u8, l: Label, imm: u8) {
        self.vex_rip_head(op, reg, v);
        self.rel32_before(l, 1);
        self.b(imm);
    }
    fn vex_rip_head(&mut self, op: u32, reg: u8, v: u8) {
        let (pp, map, w) = (op >> 8 & 3, op >> 12 & 3, op >> 15 & 1);
        self.b(0xc4);
        self.b((!(reg >> 3) & 1) << 7 | 0x60 | map as u8);
        self.b((w << 7) as u8 | (!v & 15) << 3 | pp as u8);
        self.b(op as u8);
        self.b((reg & 7) << 3 | 5);
    }
    pub(crate) fn vex_imm(&mut self, op: u32, reg: u8, v: u8, rm: Rm, imm: u8) {
        self.vex(op, reg, v, rm);
        self.keeping(|a| a.b(imm));
    }

    // ---- integer instructions

    pub(crate) fn mov(&mut self, w: W, d: Reg, s: Reg) {
        if d != s {
            self.mov_rm(w, d, Rm::R(s));
        }
    }
    /// Move of 4 or 8 bytes, also of a register to itself: bits 63:32 become zero.
    pub(crate) fn mov_rm(&mut self, w: W, d: Reg, s: Rm) {
        self.keeping(|a| a.op(w, 0x8b, d, s, false));
    }
    /// Load of 4 or 8 bytes.
    pub(crate) fn ld(&mut self, w: W, d: Reg, m: Mem) {
        self.mov_rm(w, d, Rm::M(m));
    }
    /// Store of 4 or 8 bytes.
    pub(crate) fn st(&mut self, w: W, m: Mem, s: Reg) {
        let known = self.held_pc.0 == self.pos;
        self.keeping(|a| a.op(w, 0x89, s, Rm::M(m), false));
        if known {
            self.held_pc.0 = self.pos;
        }
    }
    /// Constant into a register, flags kept.
    pub(crate) fn movi(&mut self, d: Reg, v: u64) {
        self.keeping(|a| {
            if v >> 32 == 0 {
                if d >= 8 {
                    a.b(0x41);
                }
                a.b(0xb8 | (d & 7));
                a.d(v as u32);
            } else if v as i64 as i32 as i64 == v as i64 {
                a.op(W::Q, 0xc7, 0, Rm::R(d), false);
                a.d(v as u32);
            } else {
                a.b(0x48 | d >> 3);
                a.b(0xb8 | (d & 7));
                a.bytes_of(&v.to_le_bytes());
            }
        });
    }
    fn reloc(&mut self, kind: RelocKind) {
        self.relocs.push(Reloc { at: self.pos as u32, kind });
    }
    fn movabs(&mut self, d: Reg, v: u64, kind: RelocKind) {
        self.keeping(|a| {
            a.b(0x48 | d >> 3);
            a.b(0xb8 | (d & 7));
            a.reloc(kind);
            a.bytes_of(&v.to_le_bytes());
        });
    }
    /// Guest address into a register, flags kept. Only programs that are linked
    /// for their address have code at low ones: it stays short there.
    pub(crate) fn movi_pc(&mut self, d: Reg, v: u64) {
        if self.held_pc == (self.pos, v, d) {
            return;
        }
        if v >> 32 == 0 {
            self.fixed.set(true);
            self.movi(d, v);
        } else {
            self.movabs(d, v, RelocKind::Guest);
        }
        self.note_pc(d, v);
    }
    /// A register holds a guest address.
    pub(crate) fn note_pc(&mut self, d: Reg, v: u64) {
        self.held_pc = (self.pos, v, d);
    }
    /// The guest address that the last instruction left in a register.
    pub(crate) fn held_pc(&self) -> Option<(u64, Reg)> {
        (self.held_pc.0 == self.pos).then_some((self.held_pc.1, self.held_pc.2))
    }
    /// A register with a guest address: one that holds it already, or rax.
    pub(crate) fn reg_with_pc(&mut self, v: u64) -> Reg {
        if self.held_pc.0 == self.pos && self.held_pc.1 == v {
            return self.held_pc.2;
        }
        self.movi_pc(RAX, v);
        RAX
    }
    /// Address of a function of the host program into a register.
    pub(crate) fn movi_host(&mut self, d: Reg, v: u64) {
        self.movabs(d, v, RelocKind::Host);
    }
    /// Zero a register; changes the flags.
    pub(crate) fn zero(&mut self, d: Reg) {
        self.op(W::D, 0x33, d, Rm::R(d), false);
    }
    pub(crate) fn st_imm(&mut self, w: W, m: Mem, v: i32) {
        self.keeping(|a| {
            a.op(w, 0xc7, 0, Rm::M(m), false);
            a.d(v as u32);
        });
    }
    /// Store of the low 1 or 2 bytes of a constant.
    pub(crate) fn st_imm_small(&mut self, bytes: u32, m: Mem, v: i32) {
        self.keeping(|a| {
            if bytes == 1 {
                a.op(W::D, 0xc6, 0, Rm::M(m), false);
                a.b(v as u8);
            } else {
                a.b(0x66);
                a.op(W::D, 0xc7, 0, Rm::M(m), false);
                a.bytes_of(&(v as u16).to_le_bytes());
            }
        });
    }
    pub(crate) fn alu(&mut self, a: Alu, w: W, d: Reg, s: Rm) {
        self.op(w, (a as u32) << 3 | 3, d, s, false);
    }
    pub(crate) fn alu_mr(&mut self, a: Alu, w: W, m: Mem, s: Reg) {
        self.op(w, (a as u32) << 3 | 1, s, Rm::M(m), false);
    }
    pub(crate) fn alu_imm(&mut self, a: Alu, w: W, d: Rm, v: i32) {
        if let Ok(v8) = i8::try_from(v) {
            self.op(w, 0x83, a as u8, d, false);
            self.b(v8 as u8);
        } else if d == Rm::R(RAX) {
            if w == W::Q {
                self.b(0x48);
            }
            self.b((a as u8) << 3 | 5);
            self.d(v as u32);
        } else {
            self.op(w, 0x81, a as u8, d, false);
            self.d(v as u32);
        }
    }
    pub(crate) fn test(&mut self, w: W, a: Reg, b: Rm) {
        self.op(w, 0x85, a, b, false);
    }
    pub(crate) fn test_imm(&mut self, w: W, a: Rm, v: i32) {
        self.op(w, 0xf7, 0, a, false);
        self.d(v as u32);
    }
    pub(crate) fn lea(&mut self, w: W, d: Reg, m: Mem) {
        self.keeping(|a| a.op(w, 0x8d, d, Rm::M(m), false));
    }
    /// `lea d, [rip + label]`.
    pub(crate) fn lea_label(&mut self, d: Reg, l: Label) {
        self.b(0x48 | (d >> 3) << 2);
        self.b(0x8d);
        self.b((d & 7) << 3 | 5);
        self.rel32(l);
    }
    /// Shift or rotate by a constant: ext 0 rol, 1 ror, 4 shl, 5 shr, 7 sar.
    pub(crate) fn shift_imm(&mut self, ext: u8, w: W, d: Reg, n: u8) {
        if n == 1 {
            self.op(w, 0xd1, ext, Rm::R(d), false);
        } else {
            self.op(w, 0xc1, ext, Rm::R(d), false);
            self.b(n);
        }
    }
    /// Bits inverted, flags kept.
    pub(crate) fn not(&mut self, w: W, d: Reg) {
        self.keeping(|a| a.f7(2, w, Rm::R(d)));
    }
    /// The host's flags into eax: SF, ZF and CF in bits 15, 14 and 8, OF in bit 0.
    pub(crate) fn lahf_seto(&mut self) {
        self.keeping(|a| a.b(0x9f));
        self.setcc(cc::O, RAX);
    }
    /// The host's flags from eax, as `lahf_seto` leaves them.
    pub(crate) fn sahf_addo(&mut self) {
        // 0x7f + 1 overflows.
        self.alu_imm8(Alu::Add, RAX, 0x7f);
        self.b(0x9e);
    }
    /// `alu low byte of d, v`.
    fn alu_imm8(&mut self, a: Alu, d: Reg, v: u8) {
        self.op(W::D, 0x80, a as u8, Rm::R(d), true);
        self.b(v);
    }
    /// CF inverted; flags that were noted stay noted.
    pub(crate) fn cmc(&mut self) {
        self.keeping(|a| a.b(0xf5));
    }
    /// CF = bit `n` of `m`.
    pub(crate) fn bt(&mut self, m: Rm, n: u8) {
        self.op(W::D, 0x0fba, 4, m, false);
        self.b(n);
    }
    /// One-operand group F7: 2 not, 3 neg, 4 mul, 5 imul, 6 div, 7 idiv.
    pub(crate) fn f7(&mut self, ext: u8, w: W, d: Rm) {
        self.op(w, 0xf7, ext, d, false);
    }
    pub(crate) fn imul(&mut self, w: W, d: Reg, s: Rm) {
        self.op(w, 0x0faf, d, s, false);
    }
    pub(crate) fn imul_imm(&mut self, w: W, d: Reg, s: Rm, v: i32) {
        if let Ok(v8) = i8::try_from(v) {
            self.op(w, 0x6b, d, s, false);
            self.b(v8 as u8);
        } else {
            self.op(w, 0x69, d, s, false);
            self.d(v as u32);
        }
    }
    pub(crate) fn movsxd(&mut self, d: Reg, s: Rm) {
        self.keeping(|a| a.op(W::Q, 0x63, d, s, false));
    }
    /// Zero-extend 8 or 16 bits.
    pub(crate) fn movzx(&mut self, bytes: u32, d: Reg, s: Rm) {
        let op = if bytes == 1 { 0x0fb6 } else { 0x0fb7 };
        self.keeping(|a| a.op(W::D, op, d, s, bytes == 1 && matches!(s, Rm::R(_))));
    }
    /// Sign-extend 8 or 16 bits.
    pub(crate) fn movsx(&mut self, w: W, bytes: u32, d: Reg, s: Rm) {
        let op = if bytes == 1 { 0x0fbe } else { 0x0fbf };
        self.keeping(|a| a.op(w, op, d, s, bytes == 1 && matches!(s, Rm::R(_))));
    }
    /// Store of 1 or 2 bytes.
    pub(crate) fn st_small(&mut self, bytes: u32, m: Mem, s: Reg) {
        self.keeping(|a| {
            if bytes == 1 {
                a.op(W::D, 0x88, s, Rm::M(m), true);
            } else {
                a.b(0x66);
                a.op(W::D, 0x89, s, Rm::M(m), false);
            }
        });
    }
    pub(crate) fn setcc(&mut self, c: u8, d: Reg) {
        self.keeping(|a| a.op(W::D, 0x0f90 | u32::from(c), 0, Rm::R(d), true));
    }
    pub(crate) fn cmov(&mut self, c: u8, w: W, d: Reg, s: Rm) {
        self.keeping(|a| a.op(w, 0x0f40 | u32::from(c), d, s, false));
    }
    pub(crate) fn bswap(&mut self, w: W, d: Reg) {
        self.keeping(|a| {
            let rex = if w == W::Q { 8 } else { 0 } | d >> 3;
            if rex != 0 {
                a.b(0x40 | rex);
            }
            a.b(0x0f);
            a.b(0xc8 | (d & 7));
        });
    }

    // ---- control

    /// Where its label is bound the flags are what they are here: who binds one
    /// that is reached with others drops them.
    pub(crate) fn jmp(&mut self, l: Label) {
        self.keeping(|a| {
            if let Some(to) = a.bound(l) {
                let rel = i64::from(to) - (a.pos as i64 + 2);
                if let Ok(r) = i8::try_from(rel) {
                    a.b(0xeb);
                    a.b(r as u8);
                    return;
                }
            }
            a.b(0xe9);
            a.rel32(l);
        });
    }
    pub(crate) fn jcc(&mut self, c: u8, l: Label) {
        self.keeping(|a| {
            if let Some(to) = a.bound(l) {
                let rel = i64::from(to) - (a.pos as i64 + 2);
                if let Ok(r) = i8::try_from(rel) {
                    a.b(0x70 | c);
                    a.b(r as u8);
                    return;
                }
            }
            a.b(0x0f);
            a.b(0x80 | c);
            a.rel32(l);
        });
    }
    /// Short forward jump; `patch_short` sets its target.
    pub(crate) fn jcc_short(&mut self, c: u8) -> usize {
        self.keeping(|a| {
            a.b(0x70 | c);
            a.b(0);
        });
        self.pos
    }
    pub(crate) fn patch_short(&mut self, from: usize) {
        let d = self.pos - from;
        debug_assert!(d < 128, "short jump too long");
        self.held_pc.0 = usize::MAX;
        if let Some(p) = self.buf.get_mut(from - 1) {
            *p = d as u8;
        }
    }
    pub(crate) fn call(&mut self, l: Label) {
        self.b(0xe8);
        self.rel32(l);
    }
    /// `jmp` or `call` rel32 to a host address.
    pub(crate) fn far(&mut self, call: bool, to: u64) {
        self.b(if call { 0xe8 } else { 0xe9 });
        self.reloc(RelocKind::Thunk);
        let next = self.address(self.pos + 4);
        self.d(to.wrapping_sub(next) as u32);
    }
    pub(crate) fn jcc_far(&mut self, c: u8, to: u64) {
        self.b(0x0f);
        self.b(0x80 | c);
        self.reloc(RelocKind::Thunk);
        let next = self.address(self.pos + 4);
        self.d(to.wrapping_sub(next) as u32);
    }
    pub(crate) fn push(&mut self, r: Reg) {
        if r >= 8 {
            self.b(0x41);
        }
        self.b(0x50 | (r & 7));
    }
    /// Pads with no-operations until `pos + ahead` is a multiple of `n`.
    pub(crate) fn align(&mut self, n: usize, ahead: usize) {
        const NOPS: [&[u8]; 8] = [
            &[],
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0],
            &[0x0f, 0x1f, 0x40, 0],
            &[0x0f, 0x1f, 0x44, 0, 0],
            &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
            &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
        ];
        let at = self.address(self.pos + ahead) as usize;
        let mut pad = (n - at % n) % n;
        while pad > 0 {
            let k = pad.min(7);
            self.bytes_of(NOPS[k]);
            pad -= k;
        }
    }
}

impl Extend<u8> for CodeBuf<'_> {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, iter: T) {
        for v in iter {
            self.b(v);
        }
    }
}

impl<'b> Extend<&'b u8> for CodeBuf<'_> {
    fn extend<T: IntoIterator<Item = &'b u8>>(&mut self, iter: T) {
        for v in iter {
            self.b(*v);
        }
    }
}

impl dynasmrt::DynasmApi for CodeBuf<'_> {
    fn offset(&self) -> dynasmrt::AssemblyOffset {
        dynasmrt::AssemblyOffset(self.pos)
    }
    fn push(&mut self, byte: u8) {
        self.b(byte);
    }
    fn align(&mut self, alignment: usize, _with: u8) {
        CodeBuf::align(self, alignment, 0);
    }
}
