//! Lanes shifted.

use remu_ir::{Inst, Lane, Op};

use super::super::XT;
use super::super::enc::Rm;
use super::super::lower::Compiler;
use super::{PAND, PBLENDVPS, PCMPGTQ, POR, PSUB, PXOR, by_lane, lanes};

/// Direction of a shift by a constant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Left,
    Right,
    /// Right, copies of the sign coming in.
    Arithmetic,
}

impl Compiler<'_> {
    /// `d = x` shifted by `n` in every lane, `n` at most the lane's bits. `t`
    /// is a register besides `x` and `d` to work in, if not the temporary;
    /// `d` may be `x`.
    pub(super) fn shift_lanes(&mut self, l: Lane, way: Way, d: u8, x: u8, n: u8, t: u8) {
        let bits = 8 * l.bytes() as u8;
        let ext = match way {
            Way::Left => 6,
            Way::Right => 2,
            Way::Arithmetic => 4,
        };
        match (l, way) {
            (Lane::B, Way::Left) => {
                self.a.vex_imm(0x1171, ext, d, Rm::R(x), n);
                self.vector_constant(
                    t,
                    lanes(l, u64::from(0xffu8.checked_shl(n.into()).unwrap_or(0))),
                );
                self.a.vex(PAND, d, d, Rm::R(t));
            }
            (Lane::B, Way::Right) => {
                self.a.vex_imm(0x1171, ext, d, Rm::R(x), n);
                self.vector_constant(
                    t,
                    lanes(l, u64::from(0xffu8.checked_shr(n.into()).unwrap_or(0))),
                );
                self.a.vex(PAND, d, d, Rm::R(t));
            }
            (Lane::B, Way::Arithmetic) => {
                // The sign is extended from where it lands.
                let n = n.min(7);
                self.a.vex_imm(0x1171, 2, d, Rm::R(x), n);
                self.vector_constant(t, lanes(l, 0xff >> n));
                self.a.vex(PAND, d, d, Rm::R(t));
                self.vector_constant(t, lanes(l, 0x80 >> n));
                self.a.vex(PXOR, d, d, Rm::R(t));
                self.a.vex(PSUB[0], d, d, Rm::R(t));
            }
            (Lane::D | Lane::Q, Way::Arithmetic) => {
                self.a.vex(PXOR, t, t, Rm::R(t));
                self.a.vex(PCMPGTQ, t, t, Rm::R(x));
                if n >= 64 {
                    self.a.vex(POR, d, t, Rm::R(t));
                } else {
                    self.a.vex_imm(0x1173, 2, d, Rm::R(x), n);
                    self.a.vex_imm(0x1173, 6, t, Rm::R(t), bits - n);
                    self.a.vex(POR, d, d, Rm::R(t));
                }
            }
            (Lane::H, _) => self.a.vex_imm(0x1171, ext, d, Rm::R(x), n),
            (Lane::S, _) => self.a.vex_imm(0x1172, ext, d, Rm::R(x), n),
            _ => self.a.vex_imm(0x1173, ext, d, Rm::R(x), n),
        }
    }

    /// Lowers a shift; false if it has no rule here.
    pub(super) fn shift_op(&mut self, id: u16, i: &Inst) -> bool {
        let l = Lane::from_u8(i.aux);
        let n = i.imm as u8;
        match i.op {
            Op::vshl => self.vec1(id, i, |c, d, x| c.shift_lanes(l, Way::Left, d, x, n, XT)),
            Op::vshr => self.vec1(id, i, |c, d, x| c.shift_lanes(l, Way::Right, d, x, n, XT)),
            Op::vsar => self.vec1(id, i, |c, d, x| c.shift_lanes(l, Way::Arithmetic, d, x, n, XT)),
            Op::vrshr | Op::vrsar => return self.rounding_shift(id, i, l, n),
            Op::vushl | Op::vsshl => return self.shift_by_lanes(id, i, l),
            _ => return false,
        }
        true
    }

    /// The bit shifted out last is added.
    fn rounding_shift(&mut self, id: u16, i: &Inst, l: Lane, n: u8) -> bool {
        let Some(add) = by_lane(l, [0x11fc, 0x11fd, 0x11fe, 0x11d4]) else { return false };
        let way = if i.op == Op::vrshr { Way::Right } else { Way::Arithmetic };
        let bits = 8 * l.bytes() as u8;
        self.vec1_temp(id, i, |c, d, x, t| {
            if l == Lane::B {
                c.a.vex_imm(0x1171, 2, t, Rm::R(x), n - 1);
                c.vector_constant(XT, lanes(l, 1));
                c.a.vex(PAND, t, t, Rm::R(XT));
            } else {
                c.shift_lanes(l, Way::Right, t, x, n - 1, XT);
                c.shift_lanes(l, Way::Left, t, t, bits - 1, XT);
                c.shift_lanes(l, Way::Right, t, t, bits - 1, XT);
            }
            c.shift_lanes(l, way, d, x, n, XT);
            c.a.vex(add, d, d, Rm::R(t));
        });
        true
    }

    /// By the signed low byte of each lane, right where it is negative.
    fn shift_by_lanes(&mut self, id: u16, i: &Inst, l: Lane) -> bool {
        if !matches!(l, Lane::S | Lane::D) {
            return false;
        }
        let w = if l == Lane::D { 0x8000 } else { 0 };
        let (left, right) = (0x2147 | w, 0x2145 | w);
        let sub = PSUB[l as usize];
        let signed = i.op == Op::vsshl;
        let (x, y) = (self.reg(i.args[0]), self.reg(i.args[1]));
        let (n, t) = (self.scratch(true) & 15, self.scratch(true) & 15);
        self.done_all(i);
        let d = self.dest(id, None);
        // n = the low byte, sign-extended.
        if l == Lane::S {
            self.a.vex_imm(0x1172, 6, n, Rm::R(y), 24);
            self.a.vex_imm(0x1172, 4, n, Rm::R(n), 24);
        } else {
            self.a.vex_imm(0x1173, 6, n, Rm::R(y), 56);
            self.a.vex_imm(0x1172, 4, n, Rm::R(n), 24);
            self.a.vex_imm(0x1170, n, 0, Rm::R(n), 0xf5);
            self.a.vex_imm(0x1172, 4, t, Rm::R(n), 31);
            self.a.vex_imm(0x3102, n, n, Rm::R(t), 0b1010);
        }
        // t = x << n, zero where n is negative; XT = x >> -n, zero where n is positive.
        if signed {
            // A negative lane is shifted as its complement, so that zeros come in.
            self.a.vex(PXOR, XT, XT, Rm::R(XT));
            self.a.vex(if l == Lane::D { PCMPGTQ } else { 0x1166 }, t, XT, Rm::R(x));
            self.a.vex(sub, XT, XT, Rm::R(n));
            let r = d & 15;
            // `d` may be `x`, which the left shift still reads: keep that in a slot of its own.
            let keep = if r == x || r == y { self.scratch(true) & 15 } else { r };
            self.a.vex(PXOR, keep, x, Rm::R(t));
            self.a.vex(right, keep, keep, Rm::R(XT));
            self.a.vex(PXOR, keep, keep, Rm::R(t));
            self.a.vex(left, t, x, Rm::R(n));
            let blend = if l == Lane::D { PBLENDVPS + 1 } else { PBLENDVPS };
            self.a.vex_imm(blend, r, t, Rm::R(keep), n << 4);
        } else {
            self.a.vex(left, t, x, Rm::R(n));
            self.a.vex(PXOR, XT, XT, Rm::R(XT));
            self.a.vex(sub, XT, XT, Rm::R(n));
            self.a.vex(right, XT, x, Rm::R(XT));
            self.a.vex(POR, d & 15, t, Rm::R(XT));
        }
        self.finish(id, d);
        true
    }
}
