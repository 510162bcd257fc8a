//! Arithmetic of integer lanes that takes more than one instruction.

use remu_ir::{Inst, Lane, Op};

use super::super::enc::Rm;
use super::super::lower::Compiler;
use super::super::{X, XT};
use super::shift::Way;
use super::{PADD, PAND, PANDN, POR, PSHUFB, PSUB, PXOR, by_lane, lanes};

const PMULLW: u32 = 0x11d5;
const PMULLD: u32 = 0x2140;
const PMULUDQ: u32 = 0x11f4;
const PMULDQ: u32 = 0x2128;
const PMADDUBSW: u32 = 0x2104;
const PACKUSWB: u32 = 0x1167;
const PSHUFD: u32 = 0x1170;
const GF2P8AFFINE: u32 = 0xb1ce;

/// Bits set in each value of four bits.
const COUNTS: u128 = 0x0403_0302_0302_0201_0302_0201_0201_0100;
/// Leading zeros of each value of four bits.
const ZEROS: u128 = 0x0000_0000_0000_0000_0101_0101_0202_0304;
/// Matrix of eight rows that reverses the bits of a byte.
const REVERSING: u64 = 0x8040_2010_0804_0201;
/// Each value of four bits reversed.
const REVERSED: u128 = 0x0f07_0b03_0d05_0901_0e06_0a02_0c04_0800;

impl Compiler<'_> {
    /// Lowers integer lane arithmetic; false if it has no rule here.
    pub(super) fn lane_op(&mut self, id: u16, i: &Inst) -> bool {
        let l = Lane::from_u8(i.aux);
        match i.op {
            Op::vmul => return self.multiply(id, i, l),
            Op::vumull | Op::vsmull => return self.widening_multiply(id, i, l),
            Op::vuhadd | Op::vshadd | Op::vuhsub | Op::vshsub | Op::vurhadd | Op::vsrhadd => {
                self.halve(id, i, l);
            }
            Op::vuabd | Op::vsabd => {
                let (min, max) = if i.op == Op::vuabd {
                    ([0x11da, 0x213a, 0x213b, 0], [0x11de, 0x213e, 0x213f, 0])
                } else {
                    ([0x2138, 0x11ea, 0x2139, 0], [0x213c, 0x11ee, 0x213d, 0])
                };
                let (Some(min), Some(max)) = (by_lane(l, min), by_lane(l, max)) else {
                    return false;
                };
                self.vec2(id, i, |c, d, x, y| {
                    c.a.vex(min, XT, x, Rm::R(y));
                    c.a.vex(max, d, x, Rm::R(y));
                    c.a.vex(PSUB[l as usize], d, d, Rm::R(XT));
                });
            }
            Op::vpadd => self.add_pairs(id, i, l),
            Op::vuaddlp | Op::vsaddlp => self.add_pairs_wide(id, i, l),
            Op::vctpop if l == Lane::B => self.vec1_temp(id, i, |c, d, x, t| {
                c.nibbles(x, t);
                // Two lookups share the table, which takes the result's place.
                let table = c.scratch(true) - X;
                c.vector_constant(table, COUNTS);
                c.a.vex(PSHUFB, XT, table, Rm::R(XT));
                c.a.vex(PSHUFB, t, table, Rm::R(t));
                c.a.vex(PADD[0], d, t, Rm::R(XT));
            }),
            Op::vclz if l == Lane::B => self.vec1_temp(id, i, |c, d, x, t| {
                c.nibbles(x, t);
                let table = c.scratch(true) - X;
                c.vector_constant(table, ZEROS);
                c.a.vex(PSHUFB, t, table, Rm::R(t));
                c.a.vex(PSHUFB, table, table, Rm::R(XT));
                // The low half counts where the high half is zero.
                c.a.vex(PXOR, d, d, Rm::R(d));
                c.a.vex(0x1174, XT, XT, Rm::R(d));
                c.a.vex(PAND, t, t, Rm::R(XT));
                c.a.vex(PADD[0], d, t, Rm::R(table));
            }),
            Op::vbitrev if self.lay.host.gfni => {
                let x = self.reg(i.args[0]);
                let matrix = self.constant(lanes(Lane::D, REVERSING));
                self.done_all(i);
                let d = self.dest(id, None);
                self.a.vex_rip_imm(GF2P8AFFINE, d - X, x, matrix, 0);
                self.finish(id, d);
            }
            Op::vbitrev => self.vec1_temp(id, i, |c, d, x, t| {
                c.nibbles(x, t);
                let table = c.scratch(true) - X;
                c.vector_constant(table, REVERSED);
                c.a.vex(PSHUFB, t, table, Rm::R(t));
                c.a.vex(PSHUFB, XT, table, Rm::R(XT));
                c.a.vex_imm(0x1171, 6, t, Rm::R(t), 4);
                c.a.vex(POR, d, t, Rm::R(XT));
            }),
            _ => return false,
        }
        true
    }

    /// High halves of the bytes of `x` into the temporary, low ones into `t`.
    fn nibbles(&mut self, x: u8, t: u8) {
        self.vector_constant(t, lanes(Lane::B, 0x0f));
        self.a.vex_imm(0x1171, 2, XT, Rm::R(x), 4);
        self.a.vex(PAND, XT, XT, Rm::R(t));
        self.a.vex(PAND, t, t, Rm::R(x));
    }

    fn multiply(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        match l {
            Lane::B => self.vec2_temp(id, i, |c, d, x, y, t| {
                c.a.vex_imm(0x1171, 2, XT, Rm::R(x), 8);
                c.a.vex_imm(0x1171, 2, t, Rm::R(y), 8);
                c.a.vex(PMULLW, t, t, Rm::R(XT));
                c.a.vex_imm(0x1171, 6, t, Rm::R(t), 8);
                c.a.vex(PMULLW, XT, x, Rm::R(y));
                c.a.vex_imm(0x1171, 6, XT, Rm::R(XT), 8);
                c.a.vex_imm(0x1171, 2, XT, Rm::R(XT), 8);
                c.a.vex(POR, d, t, Rm::R(XT));
            }),
            Lane::D => self.vec2_temp(id, i, |c, d, x, y, t| {
                // The two mixed products of 32 bits, their sum in the high half.
                c.a.vex_imm(PSHUFD, XT, 0, Rm::R(y), 0xb1);
                c.a.vex(PMULLD, XT, XT, Rm::R(x));
                c.a.vex_imm(0x1173, 2, t, Rm::R(XT), 32);
                c.a.vex(PADD[2], XT, XT, Rm::R(t));
                c.a.vex_imm(0x1173, 6, XT, Rm::R(XT), 32);
                c.a.vex(PMULUDQ, t, x, Rm::R(y));
                c.a.vex(PADD[3], d, t, Rm::R(XT));
            }),
            _ => return false,
        }
        true
    }

    fn widening_multiply(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let signed = i.op == Op::vsmull;
        match l {
            Lane::B => {
                let widen = if signed { 0x2120 } else { 0x2130 };
                self.vec2_temp(id, i, |c, d, x, y, t| {
                    c.a.vex(widen, XT, 0, Rm::R(x));
                    c.a.vex(widen, t, 0, Rm::R(y));
                    c.a.vex(PMULLW, d, t, Rm::R(XT));
                });
            }
            Lane::H => {
                let high = if signed { 0x11e5 } else { 0x11e4 };
                self.vec2(id, i, |c, d, x, y| {
                    c.a.vex(PMULLW, XT, x, Rm::R(y));
                    c.a.vex(high, d, x, Rm::R(y));
                    c.a.vex(0x1161, d, XT, Rm::R(d));
                });
            }
            Lane::S => self.vec2_temp(id, i, |c, d, x, y, t| {
                c.a.vex_imm(PSHUFD, XT, 0, Rm::R(x), 0x10);
                c.a.vex_imm(PSHUFD, t, 0, Rm::R(y), 0x10);
                c.a.vex(if signed { PMULDQ } else { PMULUDQ }, d, t, Rm::R(XT));
            }),
            _ => return false,
        }
        true
    }

    /// Half the sum or difference without the bit that a lane lacks:
    /// `(x & y) + ((x ^ y) >> 1)`, `(x | y) - ((x ^ y) >> 1)` rounded,
    /// `((x ^ y) >> 1) - (!x & y)`.
    fn halve(&mut self, id: u16, i: &Inst, l: Lane) {
        let way = match i.op {
            Op::vshadd | Op::vshsub | Op::vsrhadd => Way::Arithmetic,
            _ => Way::Right,
        };
        let n = l as usize;
        self.vec2_temp(id, i, |c, d, x, y, t| {
            c.a.vex(PXOR, t, x, Rm::R(y));
            c.shift_lanes(l, way, t, t, 1, XT);
            match i.op {
                Op::vuhadd | Op::vshadd => {
                    c.a.vex(PAND, XT, x, Rm::R(y));
                    c.a.vex(PADD[n], d, t, Rm::R(XT));
                }
                Op::vuhsub | Op::vshsub => {
                    c.a.vex(PANDN, XT, x, Rm::R(y));
                    c.a.vex(PSUB[n], d, t, Rm::R(XT));
                }
                _ => {
                    c.a.vex(POR, XT, x, Rm::R(y));
                    c.a.vex(PSUB[n], d, XT, Rm::R(t));
                }
            }
        });
    }

    fn add_pairs(&mut self, id: u16, i: &Inst, l: Lane) {
        match l {
            Lane::H => self.vec2(id, i, |c, d, x, y| c.a.vex(0x2101, d, x, Rm::R(y))),
            Lane::S => self.vec2(id, i, |c, d, x, y| c.a.vex(0x2102, d, x, Rm::R(y))),
            Lane::B => self.vec2_temp(id, i, |c, d, x, y, t| {
                // In the even bytes; the odd ones are cleared by two shifts.
                c.a.vex_imm(0x1171, 2, XT, Rm::R(x), 8);
                c.a.vex(PADD[0], XT, XT, Rm::R(x));
                c.a.vex_imm(0x1171, 6, XT, Rm::R(XT), 8);
                c.a.vex_imm(0x1171, 2, XT, Rm::R(XT), 8);
                c.a.vex_imm(0x1171, 2, t, Rm::R(y), 8);
                c.a.vex(PADD[0], t, t, Rm::R(y));
                c.a.vex_imm(0x1171, 6, t, Rm::R(t), 8);
                c.a.vex_imm(0x1171, 2, t, Rm::R(t), 8);
                c.a.vex(PACKUSWB, d, XT, Rm::R(t));
            }),
            Lane::D | Lane::Q => self.vec2(id, i, |c, d, x, y| {
                c.a.vex(0x116c, XT, x, Rm::R(y));
                c.a.vex(0x116d, d, x, Rm::R(y));
                c.a.vex(PADD[3], d, d, Rm::R(XT));
            }),
        }
    }

    fn add_pairs_wide(&mut self, id: u16, i: &Inst, l: Lane) {
        let signed = i.op == Op::vsaddlp;
        match (l, signed) {
            (Lane::B, false) => self.vec1(id, i, |c, d, x| {
                c.vector_constant(XT, lanes(Lane::B, 1));
                c.a.vex(PMADDUBSW, d, x, Rm::R(XT));
            }),
            (Lane::B, true) => self.vec1(id, i, |c, d, x| {
                c.vector_constant(XT, lanes(Lane::B, 1));
                c.a.vex(PMADDUBSW, d, XT, Rm::R(x));
            }),
            (Lane::H, true) => self.vec1(id, i, |c, d, x| {
                c.vector_constant(XT, lanes(Lane::H, 1));
                c.a.vex(0x11f5, d, x, Rm::R(XT));
            }),
            (Lane::S, true) => self.vec1_temp(id, i, |c, d, x, t| {
                // Times one extends the sign of the even lanes.
                c.vector_constant(t, lanes(Lane::S, 1));
                c.a.vex_imm(0x1173, 2, XT, Rm::R(x), 32);
                c.a.vex(PMULDQ, XT, XT, Rm::R(t));
                c.a.vex(PMULDQ, t, t, Rm::R(x));
                c.a.vex(PADD[3], d, t, Rm::R(XT));
            }),
            _ => {
                let (wide, bits) = if l == Lane::H { (Lane::S, 16) } else { (Lane::D, 32) };
                self.vec1(id, i, |c, d, x| {
                    c.shift_lanes(wide, Way::Right, XT, x, bits, XT);
                    c.shift_lanes(wide, Way::Left, d, x, bits, XT);
                    c.shift_lanes(wide, Way::Right, d, d, bits, XT);
                    c.a.vex(PADD[wide as usize], d, d, Rm::R(XT));
                });
            }
        }
    }
}
