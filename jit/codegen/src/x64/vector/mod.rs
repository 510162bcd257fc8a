//! 128-bit vectors on AVX2.

mod float;
mod hash;
mod lanes;
mod permute;
mod place;
mod shift;

use remu_ir::{Cond, Effects, Inst, Lane, Op, Type};

use super::enc::{Label, RAX, RBP, Rm, W, at};
use super::lower::Compiler;
use super::{X, XT};

// VEX opcodes: see `CodeBuf::vex`.
pub(super) const MOVAPS: u32 = 0x1028;
pub(super) const MOVAPS_ST: u32 = 0x1029;
pub(super) const MOVUPS: u32 = 0x1010;
pub(super) const MOVUPS_ST: u32 = 0x1011;
pub(super) const MOVSD: u32 = 0x1310;
pub(super) const MOVSD_ST: u32 = 0x1311;
pub(super) const MOVSS: u32 = 0x1210;
pub(super) const MOVSS_ST: u32 = 0x1211;
pub(super) const MOVQ_X: u32 = 0x127e;
pub(super) const MOVD_X_R: u32 = 0x116e;
pub(super) const MOVQ_X_R: u32 = 0x916e;
pub(super) const MOVD_R_X: u32 = 0x117e;
pub(super) const MOVQ_R_X: u32 = 0x917e;
pub(super) const PINSRQ: u32 = 0xb122;
pub(super) const PEXTRQ: u32 = 0xb116;
pub(super) const XORPS: u32 = 0x1057;
pub(super) const ANDPS: u32 = 0x1054;
pub(super) const INSERTPS: u32 = 0x3121;
pub(super) const STMXCSR: u32 = 0x10ae;

pub(super) const PTEST: u32 = 0x2117;
pub(super) const PAND: u32 = 0x11db;
const PANDN: u32 = 0x11df;
const POR: u32 = 0x11eb;
const PXOR: u32 = 0x11ef;
const PCMPEQD: u32 = 0x1176;
pub(super) const PCMPGTB: u32 = 0x1164;
const PCMPGTQ: u32 = 0x2137;
pub(super) const BROADCASTB: u32 = 0x2178;
const PSHUFB: u32 = 0x2100;
const PACKSSWB: u32 = 0x1163;
const PALIGNR: u32 = 0x310f;
pub(super) const PBLENDVB: u32 = 0x314c;
/// Plus one: doubles.
const PBLENDVPS: u32 = 0x314a;
/// By lane.
const PADD: [u32; 5] = [0x11fc, 0x11fd, 0x11fe, 0x11d4, 0];
const PSUB: [u32; 5] = [0x11f8, 0x11f9, 0x11fa, 0x11fb, 0];

/// The value in every lane.
fn lanes(l: Lane, v: u64) -> u128 {
    let bits = 8 * u32::from(l.bytes() as u8);
    let lane = u128::from(v) & (u128::MAX >> (128 - bits));
    (0..128 / bits).fold(0, |all, n| all | lane << (n * bits))
}
/// Sixteen bytes, each made from its number.
fn bytes(f: impl Fn(u8) -> u8) -> u128 {
    u128::from_le_bytes(core::array::from_fn(|n| f(n as u8)))
}

/// Opcode for each lane B, H, S, D; 0 where the host has none.
fn by_lane(l: Lane, ops: [u32; 4]) -> Option<u32> {
    ops.get(l as usize).copied().filter(|&o| o != 0)
}

/// Two operands, one instruction.
fn simple(i: &Inst) -> Option<u32> {
    let l = Lane::from_u8(i.aux);
    match i.op {
        Op::vand => Some(PAND),
        Op::vor => Some(POR),
        Op::vxor => Some(PXOR),
        Op::vadd => by_lane(l, [0x11fc, 0x11fd, 0x11fe, 0x11d4]),
        Op::vsub => by_lane(l, [0x11f8, 0x11f9, 0x11fa, 0x11fb]),
        Op::vmul => by_lane(l, [0, 0x11d5, 0x2140, 0]),
        Op::vsmin => by_lane(l, [0x2138, 0x11ea, 0x2139, 0]),
        Op::vsmax => by_lane(l, [0x213c, 0x11ee, 0x213d, 0]),
        Op::vumin => by_lane(l, [0x11da, 0x213a, 0x213b, 0]),
        Op::vumax => by_lane(l, [0x11de, 0x213e, 0x213f, 0]),
        Op::vzip1 => by_lane(l, [0x1160, 0x1161, 0x1162, 0x116c]),
        Op::vzip2 => by_lane(l, [0x1168, 0x1169, 0x116a, 0x116d]),
        Op::vconcat => Some(0x116c),
        Op::vurhadd => by_lane(l, [0x11e0, 0x11e3, 0, 0]),
        Op::aesenclast => Some(0x21dd),
        Op::aesdeclast => Some(0x21df),
        Op::aesenc => Some(0x21dc),
        Op::aesdec => Some(0x21de),
        _ => None,
    }
}

impl Compiler<'_> {
    /// A constant from the region's data, or made of nothing.
    pub(super) fn vector_constant(&mut self, x: u8, v: u128) {
        match v {
            0 => self.a.vex(PXOR, x, x, Rm::R(x)),
            u128::MAX => self.a.vex(PCMPEQD, x, x, Rm::R(x)),
            _ => {
                let l = self.constant(v);
                self.a.vex_rip(MOVUPS, x, 0, l);
            }
        }
    }
    /// A constant in the region's data. Shared with one asked for shortly
    /// before, as loops of lane arithmetic have few.
    pub(super) fn constant(&mut self, v: u128) -> Label {
        if let Some(&(l, _)) = self.const_data.iter().rev().take(8).find(|c| c.1 == v) {
            return l;
        }
        let l = self.a.label();
        self.const_data.push((l, v));
        l
    }

    /// Lowers a vector op; false if it has no rule here.
    pub(super) fn vector_op(&mut self, id: u16, i: &Inst) -> bool {
        if let Some(op) = simple(i) {
            let [mut x, mut y, ..] = i.args;
            if i.op.effects().has(Effects::COMMUTES) && self.in_memory(x) && !self.in_memory(y) {
                (x, y) = (y, x);
            }
            let (x, y) = (self.reg(x), self.vec_place(y));
            self.done_all(i);
            let d = self.dest(id, Some(X + x));
            self.vex_place(op, d - X, x, y);
            self.finish(id, d);
            return true;
        }
        let l = Lane::from_u8(i.aux);
        match i.op {
            Op::vandc => self.vec2(id, i, |c, d, x, y| c.a.vex(PANDN, d, y, Rm::R(x))),
            Op::vorc => self.vec2(id, i, |c, d, x, y| {
                c.a.vex(PCMPEQD, XT, XT, Rm::R(XT));
                c.a.vex(PXOR, XT, XT, Rm::R(y));
                c.a.vex(POR, d, x, Rm::R(XT));
            }),
            Op::vnot => self.vec1(id, i, |c, d, x| {
                c.a.vex(PCMPEQD, XT, XT, Rm::R(XT));
                c.a.vex(PXOR, d, XT, Rm::R(x));
            }),
            Op::vbitsel if self.inst(self.root(i.args[0])).op == Op::vconst => {
                let m = self.r.vconsts[self.inst(self.root(i.args[0])).imm as usize];
                let (x, y) = (self.reg(i.args[1]), self.reg(i.args[2]));
                self.done_all(i);
                let d = self.dest(id, None);
                let (chosen, other) = (self.constant(m), self.constant(!m));
                self.a.vex_rip(PAND, XT, x, chosen);
                self.a.vex_rip(PAND, d - X, y, other);
                self.a.vex(POR, d - X, d - X, Rm::R(XT));
                self.finish(id, d);
            }
            Op::vbitsel => {
                let (m, x, y) = (self.reg(i.args[0]), self.reg(i.args[1]), self.reg(i.args[2]));
                let whole_lanes = matches!(self.inst(i.args[0]).op, Op::vcmp | Op::vfcmp);
                self.done_all(i);
                let d = self.dest(id, None);
                if whole_lanes {
                    self.a.vex_imm(PBLENDVB, d - X, y, Rm::R(x), m << 4);
                } else {
                    self.a.vex(PAND, XT, m, Rm::R(x));
                    self.a.vex(PANDN, d - X, m, Rm::R(y));
                    self.a.vex(POR, d - X, d - X, Rm::R(XT));
                }
                self.finish(id, d);
            }
            Op::vneg => {
                let Some(op) = by_lane(l, [0x11f8, 0x11f9, 0x11fa, 0x11fb]) else { return false };
                self.vec1(id, i, |c, d, x| {
                    c.a.vex(PXOR, XT, XT, Rm::R(XT));
                    c.a.vex(op, d, XT, Rm::R(x));
                });
            }
            Op::vabs => {
                let Some(op) = by_lane(l, [0x211c, 0x211d, 0x211e, 0]) else { return false };
                self.vec1(id, i, |c, d, x| c.a.vex(op, d, 0, Rm::R(x)));
            }
            Op::vcmp => return self.vec_compare(id, i, l),
            Op::vext => {
                let (hi, lo) = (self.reg(i.args[1]), self.vec_place(i.args[0]));
                self.done_all(i);
                let d = self.dest(id, Some(X + hi));
                self.vex_place_imm(PALIGNR, d - X, hi, lo, i.imm as u8);
                self.finish(id, d);
            }
            Op::vlow => self.vec1(id, i, |c, d, x| c.a.vex(MOVQ_X, d, 0, Rm::R(x))),
            Op::vhigh if self.fused_high(id, i) => {}
            // vpsrldq
            Op::vhigh => self.vec1(id, i, |c, d, x| c.a.vex_imm(0x1173, 3, d, Rm::R(x), 8)),
            Op::vdup => {
                let Some(op) = by_lane(l, [BROADCASTB, 0x2179, 0x2158, 0x2159]) else {
                    return false;
                };
                let s = self.reg(i.args[0]);
                self.done_all(i);
                let d = self.dest(id, None);
                self.a.vex(if l == Lane::D { MOVQ_X_R } else { MOVD_X_R }, d - X, 0, Rm::R(s));
                self.a.vex(op, d - X, 0, Rm::R(d - X));
                self.finish(id, d);
            }
            Op::vextract | Op::vextract_s => return self.vec_extract(id, i, l),
            Op::vmovmask => return self.vec_top_bits(id, i, l),
            Op::vinsert => {
                let op = match l {
                    Lane::B => 0x3120,
                    Lane::H => 0x11c4,
                    Lane::S => 0x3122,
                    Lane::D => PINSRQ,
                    Lane::Q => return false,
                };
                let (v, s) = (self.reg(i.args[0]), self.reg(i.args[1]));
                self.done_all(i);
                let d = self.dest(id, Some(X + v));
                self.a.vex_imm(op, d - X, v, Rm::R(s), i.imm as u8);
                self.finish(id, d);
            }
            Op::vmake => {
                let (lo, hi) = (self.reg(i.args[0]), self.reg(i.args[1]));
                self.done_all(i);
                let d = self.dest(id, None);
                self.a.vex(MOVQ_X_R, d - X, 0, Rm::R(lo));
                self.a.vex_imm(PINSRQ, d - X, d - X, Rm::R(hi), 1);
                self.finish(id, d);
            }
            Op::vduplane => return self.vec_dup_lane(id, i, l),
            Op::vuwiden | Op::vswiden => {
                let ops = if i.op == Op::vuwiden {
                    [0x2130, 0x2133, 0x2135, 0]
                } else {
                    [0x2120, 0x2123, 0x2125, 0]
                };
                let Some(op) = by_lane(l, ops) else { return false };
                self.vec1(id, i, |c, d, x| c.a.vex(op, d, 0, Rm::R(x)));
            }
            Op::vtbl => self.vec2(id, i, |c, d, t, n| {
                // Indices of 16 and more get bit 7 by saturation.
                let sat = u128::from_ne_bytes([0x70; 16]);
                c.vector_constant(XT, sat);
                c.a.vex(0x11dc, XT, n, Rm::R(XT));
                c.a.vex(PSHUFB, d, t, Rm::R(XT));
            }),
            Op::vfneg | Op::vfabs => {
                let neg = i.op == Op::vfneg;
                let sign: u128 = match l {
                    Lane::D => 0x8000_0000_0000_0000_8000_0000_0000_0000,
                    Lane::S => 0x8000_0000_8000_0000_8000_0000_8000_0000,
                    _ => 0x8000_8000_8000_8000_8000_8000_8000_8000,
                };
                self.vec1(id, i, |c, d, x| {
                    c.vector_constant(XT, sign);
                    c.a.vex(if neg { PXOR } else { PANDN }, d, XT, Rm::R(x));
                });
            }
            Op::aesmc => {
                // A round backwards without its columns, and one forwards with them.
                self.vec1(id, i, |c, d, x| {
                    c.vector_constant(XT, 0);
                    c.a.vex(0x21df, d, x, Rm::R(XT));
                    c.a.vex(0x21dc, d, d, Rm::R(XT));
                });
            }
            Op::aesimc => self.vec1(id, i, |c, d, x| c.a.vex(0x21db, d, 0, Rm::R(x))),
            Op::vpmull if l == Lane::D => self.carryless_lanes(id, i),
            _ => {
                return self.hash_op(id, i)
                    || self.permute(id, i)
                    || self.shift_op(id, i)
                    || self.lane_op(id, i)
                    || self.vec_float(id, i);
            }
        }
        true
    }

    /// The upper half of a vector whose only use is the carry-less product
    /// behind it: that takes it from where it is.
    fn fused_high(&mut self, id: u16, i: &Inst) -> bool {
        let v = self.vals[usize::from(id)];
        let reader = self.inst(v.last);
        let fused = v.uses == 1
            && (reader.op, reader.aux) == (Op::vpmull, Lane::D as u8)
            && reader.args[..2].contains(&id);
        if fused {
            self.alias(id, i.args[0]);
        }
        fused
    }
    fn carryless_lanes(&mut self, id: u16, i: &Inst) {
        // Operands that `fused_high` left to this op.
        let high = [0, 1].map(|n| {
            let arg = i.args[n];
            self.inst(arg).op == Op::vhigh && self.root(arg) != arg
        });
        let (mut first, mut second) = (0, 1);
        if self.in_memory(i.args[0]) && !self.in_memory(i.args[1]) {
            (first, second) = (1, 0);
        }
        let (x, y) = (self.reg(i.args[first]), self.vec_place(i.args[second]));
        self.done_all(i);
        let d = self.dest(id, Some(X + x));
        let halves = u8::from(high[first]) | u8::from(high[second]) << 4;
        self.vex_place_imm(0x3144, d - X, x, y, halves);
        self.finish(id, d);
    }

    fn vec1(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, u8, u8)) {
        let x = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, Some(X + x));
        f(self, d - X, x);
        self.finish(id, d);
    }
    fn vec2(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, u8, u8, u8)) {
        let (x, y) = (self.reg(i.args[0]), self.reg(i.args[1]));
        self.done_all(i);
        let d = self.dest(id, None);
        f(self, d - X, x, y);
        self.finish(id, d);
    }

    fn vec1_temp(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, u8, u8, u8)) {
        let x = self.reg(i.args[0]);
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        f(self, d - X, x, t);
        self.finish(id, d);
    }
    fn vec2_temp(&mut self, id: u16, i: &Inst, f: impl Fn(&mut Self, u8, u8, u8, u8)) {
        let (x, y) = (self.reg(i.args[0]), self.reg(i.args[1]));
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        f(self, d - X, x, y, t);
        self.finish(id, d);
    }

    fn vec_compare(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let eq = by_lane(l, [0x1174, 0x1175, PCMPEQD, 0x2129]);
        let gt = by_lane(l, [PCMPGTB, 0x1165, 0x1166, PCMPGTQ]);
        let umax = by_lane(l, [0x11de, 0x213e, 0x213f, 0]);
        let (Some(eq), Some(gt)) = (eq, gt) else { return false };
        let c = Cond::from_u8(i.imm as u8);
        if matches!(c, Cond::Ltu | Cond::Geu | Cond::Leu | Cond::Gtu) && umax.is_none() {
            return false;
        }
        // The second operand may be in memory.
        let direct = match c {
            Cond::Eq if self.in_memory(i.args[0]) => Some((eq, 1, 0)),
            Cond::Eq => Some((eq, 0, 1)),
            Cond::Gt => Some((gt, 0, 1)),
            Cond::Lt => Some((gt, 1, 0)),
            _ => None,
        };
        if let Some((op, x, y)) = direct {
            let (x, y) = (self.reg(i.args[x]), self.vec_place(i.args[y]));
            self.done_all(i);
            let d = self.dest(id, Some(X + x));
            self.vex_place(op, d - X, x, y);
            self.finish(id, d);
            return true;
        }
        self.vec2(id, i, |s, d, x, y| {
            let invert = |s: &mut Self| {
                s.a.vex(PCMPEQD, XT, XT, Rm::R(XT));
                s.a.vex(PXOR, d, d, Rm::R(XT));
            };
            match c {
                Cond::Eq | Cond::Gt | Cond::Lt => {}
                Cond::Ne => {
                    s.a.vex(eq, d, x, Rm::R(y));
                    invert(s);
                }
                Cond::Le => {
                    s.a.vex(gt, d, x, Rm::R(y));
                    invert(s);
                }
                Cond::Ge => {
                    s.a.vex(gt, d, y, Rm::R(x));
                    invert(s);
                }
                Cond::Geu | Cond::Ltu => {
                    s.a.vex(umax.unwrap_or(0), XT, x, Rm::R(y));
                    s.a.vex(eq, d, XT, Rm::R(x));
                    if c == Cond::Ltu {
                        invert(s);
                    }
                }
                Cond::Leu | Cond::Gtu => {
                    s.a.vex(umax.unwrap_or(0), XT, x, Rm::R(y));
                    s.a.vex(eq, d, XT, Rm::R(y));
                    if c == Cond::Gtu {
                        invert(s);
                    }
                }
                Cond::TstEq | Cond::TstNe => {
                    s.a.vex(PAND, d, x, Rm::R(y));
                    s.a.vex(PXOR, XT, XT, Rm::R(XT));
                    s.a.vex(eq, d, d, Rm::R(XT));
                    if c == Cond::TstNe {
                        invert(s);
                    }
                }
            }
        });
        true
    }

    fn vec_extract(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let Some(n) = self.const_of(i.args[1]) else { return false };
        let op = match l {
            Lane::B => 0x3114,
            Lane::H => 0x3115,
            Lane::S => 0x3116,
            Lane::D => PEXTRQ,
            Lane::Q => return false,
        };
        let v = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, None);
        match (l, n) {
            (Lane::D, 0) => self.a.vex(MOVQ_R_X, v, 0, Rm::R(d)),
            (Lane::S, 0) => self.a.vex(MOVD_R_X, v, 0, Rm::R(d)),
            _ => self.a.vex_imm(op, v, 0, Rm::R(d), n as u8),
        }
        if i.op == Op::vextract_s {
            let w = if i.ty == Type::I64 { W::Q } else { W::D };
            match l {
                Lane::B | Lane::H => self.a.movsx(w, l.bytes(), d, Rm::R(d)),
                Lane::S if i.ty == Type::I64 => self.a.movsxd(d, Rm::R(d)),
                _ => {}
            }
        }
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
        true
    }

    fn vec_top_bits(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        // vpmovmskb (after vpacksswb for halves), vmovmskps, vmovmskpd
        let Some(op) = by_lane(l, [0x11d7, 0x11d7, 0x1050, 0x1150]) else { return false };
        let v = self.reg(i.args[0]);
        self.done_all(i);
        let d = self.dest(id, None);
        let from = if l == Lane::H {
            self.a.vex(PXOR, XT, XT, Rm::R(XT));
            self.a.vex(PACKSSWB, XT, v, Rm::R(XT));
            XT
        } else {
            v
        };
        self.a.vex(op, d, 0, Rm::R(from));
        self.vals[usize::from(id)].zero_high = true;
        self.finish(id, d);
        true
    }

    fn vec_dup_lane(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let n = i.imm as u8;
        match l {
            // vpshufd
            Lane::S => self.vec1(id, i, |c, d, x| c.a.vex_imm(0x1170, d, 0, Rm::R(x), n * 0x55)),
            Lane::D => self.vec1(id, i, |c, d, x| {
                c.a.vex_imm(0x1170, d, 0, Rm::R(x), if n == 0 { 0x44 } else { 0xee })
            }),
            Lane::B | Lane::H => {
                let pattern = if l == Lane::B {
                    u128::from_ne_bytes([n; 16])
                } else {
                    u128::from(u16::from_le_bytes([2 * n, 2 * n + 1]))
                        * 0x0001_0001_0001_0001_0001_0001_0001_0001
                };
                self.vec1(id, i, |c, d, x| {
                    let pattern = c.constant(pattern);
                    c.a.vex_rip(PSHUFB, d, x, pattern);
                });
            }
            Lane::Q => return false,
        }
        true
    }

    /// A pure function of the guest's over vectors in memory.
    pub(super) fn vhelper(&mut self, id: u16, i: &Inst) {
        for n in 0..3 {
            let x = self.xmm_or_temp(i.args[n]);
            let m = at(RBP, self.lay.fallback() + 16 * (n as i32 + 1));
            self.a.vex(MOVUPS_ST, x, 0, Rm::M(m));
        }
        self.done_all(i);
        let func = self.r.helpers[i.imm as usize].func;
        let m = at(RBP, self.lay.fallback());
        // The thunk takes the number from the result's place.
        self.a.st_imm(W::Q, m, i32::from(i.args[3]));
        self.a.movi_host(RAX, func as usize as u64);
        self.a.far(true, self.thunks.vhelper);
        let d = self.dest(id, None);
        self.a.vex(MOVUPS, d - X, 0, Rm::M(m));
        self.finish(id, d);
    }
}
