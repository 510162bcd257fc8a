//! Lanes moved between places.

use remu_ir::{Inst, Lane, Op};

use super::super::enc::{RAX, Rm};
use super::super::lower::Compiler;
use super::super::{X, XT};
use super::{INSERTPS, PAND, POR, PSHUFB, bytes};

const PUNPCKLQDQ: u32 = 0x116c;
const PUNPCKHQDQ: u32 = 0x116d;
const SHUFPS: u32 = 0x10c6;
const PBLENDW: u32 = 0x310e;
const PBLENDD: u32 = 0x3102;
const PBLENDVB: u32 = 0x314c;

/// A byte of a shuffle that gives zero.
const ZERO: u8 = 0x80;

impl Compiler<'_> {
    /// Lowers an op that only moves lanes; false if it has no rule here.
    pub(super) fn permute(&mut self, id: u16, i: &Inst) -> bool {
        let l = Lane::from_u8(i.aux);
        let size = l.bytes() as u8;
        match i.op {
            Op::vrev => {
                let container = (1u8 << i.imm) - 1;
                // The lane's number is mirrored inside the container, the byte's inside the lane not.
                let mask = bytes(|n| n ^ (container & !(size - 1)));
                self.shuffle(id, i, mask);
            }
            Op::vnarrow => {
                let mask = bytes(|n| if n < 8 { n / size * 2 * size + n % size } else { ZERO });
                self.shuffle(id, i, mask);
            }
            Op::vuzp1 | Op::vuzp2 => return self.unzip(id, i, l),
            Op::vtrn1 | Op::vtrn2 => return self.transpose(id, i, l),
            Op::vmovlane => return self.move_lane(id, i, l),
            Op::vtbx => self.table_or_old(id, i),
            _ => return false,
        }
        true
    }

    /// Bytes of the operand in the order of `mask`.
    fn shuffle(&mut self, id: u16, i: &Inst, mask: u128) {
        self.vec1(id, i, |c, d, x| {
            let mask = c.constant(mask);
            c.a.vex_rip(PSHUFB, d, x, mask);
        });
    }

    fn unzip(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let odd = u8::from(i.op == Op::vuzp2);
        match l {
            Lane::B | Lane::H => {
                let size = l.bytes() as u8;
                let mask =
                    bytes(|n| if n < 8 { (n / size * 2 + odd) * size + n % size } else { ZERO });
                let same = self.root(i.args[0]) == self.root(i.args[1]);
                self.vec2_temp(id, i, |c, d, x, y, t| {
                    c.vector_constant(t, mask);
                    c.a.vex(PSHUFB, XT, x, Rm::R(t));
                    if same {
                        c.a.vex(PUNPCKLQDQ, d, XT, Rm::R(XT));
                    } else {
                        c.a.vex(PSHUFB, t, y, Rm::R(t));
                        c.a.vex(PUNPCKLQDQ, d, XT, Rm::R(t));
                    }
                });
            }
            Lane::S => {
                let order = if odd == 0 { 0x88 } else { 0xdd };
                self.vec2(id, i, |c, d, x, y| c.a.vex_imm(SHUFPS, d, x, Rm::R(y), order));
            }
            Lane::D => {
                let op = if odd == 0 { PUNPCKLQDQ } else { PUNPCKHQDQ };
                self.vec2(id, i, |c, d, x, y| c.a.vex(op, d, x, Rm::R(y)));
            }
            Lane::Q => return false,
        }
        true
    }

    /// Even or odd lanes of both operands, interleaved: one is shifted over
    /// the other's unused lanes.
    fn transpose(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let even = i.op == Op::vtrn1;
        // Shift of the container: left for the even lanes of y, right for the
        // odd ones of x.
        let (shift, ext) = match (l, even) {
            (Lane::B, true) => (0x1171, 6),
            (Lane::B, false) => (0x1171, 2),
            (Lane::H, true) => (0x1172, 6),
            (Lane::H, false) => (0x1172, 2),
            (Lane::S, true) => (0x1173, 6),
            (Lane::S, false) => (0x1173, 2),
            (Lane::D, _) => {
                let op = if even { PUNPCKLQDQ } else { PUNPCKHQDQ };
                self.vec2(id, i, |c, d, x, y| c.a.vex(op, d, x, Rm::R(y)));
                return true;
            }
            (Lane::Q, _) => return false,
        };
        let bits = 8 * l.bytes() as u8;
        self.vec2_temp(id, i, |c, d, x, y, t| {
            c.a.vex_imm(shift, ext, XT, Rm::R(if even { y } else { x }), bits);
            match (l, even) {
                (Lane::B, _) => {
                    let keep = if even { 0x00ff } else { 0xff00 };
                    c.vector_constant(t, keep * 0x0001_0001_0001_0001_0001_0001_0001_0001);
                    c.a.vex(PAND, t, t, Rm::R(if even { x } else { y }));
                    c.a.vex(POR, d, XT, Rm::R(t));
                }
                (Lane::H, true) => c.a.vex_imm(PBLENDW, d, x, Rm::R(XT), 0xaa),
                (Lane::H, false) => c.a.vex_imm(PBLENDW, d, XT, Rm::R(y), 0xaa),
                (_, true) => c.a.vex_imm(PBLENDD, d, x, Rm::R(XT), 0b1010),
                (_, false) => c.a.vex_imm(PBLENDD, d, XT, Rm::R(y), 0b1010),
            }
        });
        true
    }

    fn move_lane(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        let (to, from) = (i.imm as u8, (i.imm >> 8) as u8);
        match l {
            Lane::S => self.vec2(id, i, |c, d, v, w| {
                c.a.vex_imm(INSERTPS, d, v, Rm::R(w), from << 6 | to << 4);
            }),
            Lane::D => self.vec2(id, i, |c, d, v, w| match (to, from) {
                (0, 0) => c.a.vex_imm(PBLENDD, d, v, Rm::R(w), 0b0011),
                (0, _) => {
                    c.a.vex(PUNPCKHQDQ, XT, w, Rm::R(w));
                    c.a.vex_imm(PBLENDD, d, v, Rm::R(XT), 0b0011);
                }
                (_, 0) => c.a.vex(PUNPCKLQDQ, d, v, Rm::R(w)),
                _ => c.a.vex_imm(PBLENDD, d, v, Rm::R(w), 0b1100),
            }),
            Lane::B => self.vec2(id, i, |c, d, v, w| {
                c.a.vex_imm(0x3114, w, 0, Rm::R(RAX), from);
                c.a.vex_imm(0x3120, d, v, Rm::R(RAX), to);
            }),
            Lane::H => self.vec2(id, i, |c, d, v, w| {
                c.a.vex_imm(0x3115, w, 0, Rm::R(RAX), from);
                c.a.vex_imm(0x11c4, d, v, Rm::R(RAX), to);
            }),
            Lane::Q => return false,
        }
        true
    }

    /// Bytes of a table where the index is in it, else the old ones.
    fn table_or_old(&mut self, id: u16, i: &Inst) {
        let (old, table, index) = (self.reg(i.args[0]), self.reg(i.args[1]), self.reg(i.args[2]));
        let t = self.scratch(true) - X;
        self.done_all(i);
        let d = self.dest(id, None);
        let start = u128::from_ne_bytes([(i.imm * 16) as u8; 16]);
        // Less the table's first index; bit 7 by saturation where that is 16 or more.
        if start == 0 {
            self.vector_constant(t, u128::from_ne_bytes([0x70; 16]));
            self.a.vex(0x11dc, XT, index, Rm::R(t));
        } else {
            self.vector_constant(t, start);
            self.a.vex(0x11f8, XT, index, Rm::R(t));
            self.vector_constant(t, u128::from_ne_bytes([0x70; 16]));
            self.a.vex(0x11dc, XT, XT, Rm::R(t));
        }
        self.a.vex(PSHUFB, t, table, Rm::R(XT));
        self.a.vex_imm(PBLENDVB, d - X, t, Rm::R(old), XT << 4);
        self.finish(id, d);
    }
}
