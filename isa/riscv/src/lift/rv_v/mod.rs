//! "V", vectors of 128 bits.
//!
//! Translations know element width and group size, from the instruction that
//! set them or by a guess that is checked ([`unit`]), and go register by
//! register. What they cannot do so is done by a helper on the state in memory.

mod float;
pub(super) mod int;
mod mask;
mod memory;
mod permute;
mod reduce;
mod set;
mod width;

pub use float::*;
pub use int::*;
pub use mask::*;
pub use memory::*;
pub use permute::*;
pub use reduce::*;
pub use set::*;
pub use width::*;

use remu_ir::{Cond, ExitKind, Lane, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::vector::{ILLEGAL, SETTLE, Src, Step, VECTOR, VOp, legal};
use crate::isa::Mode;
use crate::state::slots;
use crate::vector::{ANYTHING, Config, Unit, VLENB};

/// Number of the unit that a lift key guesses.
fn key_guess(l: &Lift<'_>) -> u32 {
    crate::isa::unit_of(l.key().0)
}

/// What an instruction works under.
#[derive(Clone, Copy)]
pub(super) struct Vu {
    pub(super) c: Config,
    pub(super) unit: Unit,
}

impl Vu {
    /// `vl` is the largest, and `vstart` 0.
    pub(super) fn full(self) -> bool {
        matches!(self.unit, Unit::Full(_))
    }
    fn started(self) -> bool {
        matches!(self.unit, Unit::Started(_))
    }
    /// Elements are counted from `vstart` = 0 in registers at hand.
    pub(super) fn inline(self) -> bool {
        !self.started()
    }
    /// The same, and 64 bits hold a mask.
    fn inline_mask(self) -> bool {
        self.inline() && self.c.vlmax() <= 64
    }
}

/// The unit, known from here on. `None` if the instruction became an exit. After an exit for another
/// key, what `vtype`, `vl` and `vstart` say counts ([`crate::vector::follow`]); `vunit` may be behind.
pub(super) fn unit(l: &Lift<'_>) -> Option<Vu> {
    let known = l.fact();
    let code = known.unwrap_or_else(|| crate::isa::unit_of(l.guess()));
    let unit = Unit::of_code(code);
    let is = |code: u32, c| l.icmp(l.get(slots::vunit(0)), l.c64(code.into()), c);
    let (wrong, c) = match unit {
        Unit::Full(c) | Unit::Started(c) => (is(code, Cond::Ne), c),
        // What works for a part works for all.
        Unit::Part(c) if c.lmul >= 0 => {
            let part = is(code, Cond::Ne);
            (l.band(part, is(Unit::Full(c).code(), Cond::Ne)), c)
        }
        Unit::Part(c) => (is(code, Cond::Ne), c),
        Unit::Odd => {
            let illegal = l.helper(SETTLE, &[]);
            l.exit_if(l.icmp(illegal, l.c64(0), Cond::Ne), ExitKind::Illegal, l.pc());
            l.exit(ExitKind::KeyChanged, l.pc());
            return None;
        }
    };
    if known.is_none() {
        l.exit_if(wrong, ExitKind::KeyChanged, l.pc());
        l.know(Some(code));
    }
    Some(Vu { c, unit })
}

/// The instruction is over; `vstart` is 0 now.
pub(super) fn over(l: &Lift<'_>, u: Vu) {
    if u.started() {
        l.set(slots::vunit(0), l.c64(ANYTHING));
        l.know(Some(Unit::ODD));
    }
}

/// First operand of an instruction.
#[derive(Clone, Copy)]
pub(super) enum From1 {
    /// Vector register.
    V(u8),
    /// Integer, sign-extended.
    X(Val),
    /// Floating-point register.
    F(u8),
}

/// The operands of an instruction.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) vd: u8,
    pub(super) vs2: u8,
    pub(super) from: From1,
    pub(super) vm: bool,
}

/// Argument sets as operands.
pub(super) trait Form {
    fn parts(self, l: &Lift<'_>) -> Parts;
}
impl Form for args::Vv {
    fn parts(self, _: &Lift<'_>) -> Parts {
        Parts { vd: self.vd, vs2: self.vs2, from: From1::V(self.vs1), vm: self.vm != 0 }
    }
}
impl Form for args::Vx {
    fn parts(self, l: &Lift<'_>) -> Parts {
        Parts { vd: self.vd, vs2: self.vs2, from: From1::X(l.x(self.rs1)), vm: self.vm != 0 }
    }
}
impl Form for args::Vi {
    fn parts(self, l: &Lift<'_>) -> Parts {
        let imm = l.c64(i64::from(self.imm) as u64);
        Parts { vd: self.vd, vs2: self.vs2, from: From1::X(imm), vm: self.vm != 0 }
    }
}
impl Form for args::Vu {
    fn parts(self, l: &Lift<'_>) -> Parts {
        let from = From1::X(l.c64(self.uimm.into()));
        Parts { vd: self.vd, vs2: self.vs2, from, vm: self.vm != 0 }
    }
}
impl Form for args::V1 {
    fn parts(self, l: &Lift<'_>) -> Parts {
        Parts { vd: self.vd, vs2: self.vs2, from: From1::X(l.c64(0)), vm: self.vm != 0 }
    }
}
/// With a floating-point register in place of an integer one.
pub(super) struct Vf(pub(super) args::Vx);
impl Form for Vf {
    fn parts(self, _: &Lift<'_>) -> Parts {
        let a = self.0;
        Parts { vd: a.vd, vs2: a.vs2, from: From1::F(a.rs1), vm: a.vm != 0 }
    }
}

impl Parts {
    fn step(self, op: VOp) -> Step {
        let src = match self.from {
            From1::V(n) => Src::V(n),
            _ => Src::Scalar,
        };
        Step { op, vd: self.vd, vs2: self.vs2, src, vm: self.vm }
    }
    /// The scalar as helpers take it.
    fn scalar(self, l: &Lift<'_>, c: Config) -> Val {
        match self.from {
            From1::V(_) => l.c64(0),
            From1::X(x) => x,
            From1::F(n) => super::float::bits_of(l, n, c.sew),
        }
    }
}

/// The unit if the instruction is legal under it. `None` if it became an exit.
pub(super) fn checked(l: &Lift<'_>, op: VOp, p: Parts) -> Option<Vu> {
    let u = unit(l)?;
    let frm = if Mode::of_key(l.key()) == Mode::Reserved { 7 } else { 0 };
    if !legal(u.c, p.step(op), u.started(), frm) {
        l.illegal();
        return None;
    }
    Some(u)
}

/// Has a helper execute an instruction that was checked; its result.
pub(super) fn by_helper(l: &Lift<'_>, u: Vu, op: VOp, p: Parts) -> Val {
    let step = l.c64(p.step(op).pack());
    let result = l.helper(VECTOR, &[step, p.scalar(l, u.c)]);
    over(l, u);
    result
}

/// Lane of elements of 2^eew bytes.
pub(super) fn lane(eew: u8) -> Lane {
    Lane::from_u8(eew & 3)
}

/// Bits of an element of 2^eew bytes.
pub(super) fn width_bits(eew: u8) -> u32 {
    8 << eew
}

/// A vector of equal lanes.
pub(super) fn equal(l: &Lift<'_>, eew: u8, x: u64) -> Val {
    let bits = 8u32 << eew;
    let x = u128::from(x) & (u128::MAX >> (128 - bits));
    l.vconst((0..128 / bits).fold(0, |v, n| v | x << (n * bits)))
}

/// A vector whose lane `i` is `f(i)`.
pub(super) fn lanes(l: &Lift<'_>, eew: u8, f: impl Fn(u64) -> u64) -> Val {
    let bits = 8u32 << eew;
    let low = u128::MAX >> (128 - bits);
    l.vconst((0..128 / bits).fold(0, |v, n| v | (u128::from(f(n.into())) & low) << (n * bits)))
}

/// Which elements of register `k` of a group take part, as lanes of ones; none
/// if all do.
pub(super) fn active(l: &Lift<'_>, u: Vu, k: u8, eew: u8, vm: bool) -> Option<Val> {
    let mask = (!vm).then(|| masked(l, k, eew));
    let body = if u.full() { None } else { body(l, k, eew) };
    match (mask, body) {
        (Some(m), Some(b)) => Some(l.vand(m, b)),
        (m, b) => m.or(b),
    }
}

/// The elements below `vl`.
fn body(l: &Lift<'_>, k: u8, eew: u8) -> Option<Val> {
    let first = (u64::from(k) * VLENB) >> eew;
    let vl = l.get(slots::vl(0));
    if let Some(vl) = l.as_const(vl) {
        let all = first + (VLENB >> eew) <= vl;
        return (!all).then(|| lanes(l, eew, |i| if first + i < vl { u64::MAX } else { 0 }));
    }
    // Hosts compare with signs. As bytes, 128 elements need another zero.
    let zero = if eew == 0 { 0x80 } else { 0 };
    let index = lanes(l, eew, |i| (first + i) ^ zero);
    let vl = if eew == 0 { l.xor(vl, l.c64(zero)) } else { vl };
    Some(l.vcmp(l.vdup(vl, lane(eew)), index, lane(eew), Cond::Gt as i32))
}

/// The elements whose bit in `v0` is set.
fn masked(l: &Lift<'_>, k: u8, eew: u8) -> Val {
    let v0 = l.get(slots::v(0));
    let count = VLENB >> eew;
    let first = u64::from(k) * count;
    // The byte that holds an element's bit, in every byte of its lane.
    let bytes = if count == 16 {
        let at = |i: u64| first / 8 + i / 8;
        l.vtbl(v0, lanes(l, 0, at))
    } else {
        l.vduplane(v0, Lane::B, (first / 8) as i32)
    };
    let bit = lanes(l, eew, |i| 1 << ((first + i) % 8));
    l.vcmp(l.vand(bytes, bit), bit, lane(eew), Cond::Eq as i32)
}

/// The elements that take part, as the bits of a mask; none if those are all there are. For at
/// most 64 elements.
pub(super) fn active_bits(l: &Lift<'_>, u: Vu, vm: bool) -> Option<Val> {
    let max = u.c.vlmax();
    let one = l.c64(1);
    let body = if u.full() {
        (max < 64).then(|| l.c64((1 << max) - 1))
    } else {
        let vl = l.get(slots::vl(0));
        let below = l.sub(l.shl(one, vl), one);
        let all = l.icmp(vl, l.c64(64), Cond::Eq);
        Some(if max == 64 { l.movcond(all, l.c64(u64::MAX), below) } else { below })
    };
    let mask = (!vm).then(|| mask_bits(l, 0));
    match (mask, body) {
        (Some(m), Some(b)) => Some(l.and(m, b)),
        (m, b) => m.or(b),
    }
}

/// The lowest 64 bits of a mask.
pub(super) fn mask_bits(l: &Lift<'_>, n: u8) -> Val {
    l.lane(reg(l, n), Lane::D, 0)
}

/// Writes a mask, but for elements that do not take part. For at most 64 elements.
pub(super) fn write_mask(l: &Lift<'_>, u: Vu, vd: u8, vm: bool, bits: Val) {
    let old = reg(l, vd);
    let bits = match active_bits(l, u, vm) {
        Some(m) => {
            let low = mask_bits(l, vd);
            l.xor(low, l.and(l.xor(low, bits), m))
        }
        None => bits,
    };
    l.set(slots::v(vd.into()), l.vinsert(old, bits, Lane::D, 0));
}

/// Writes register `k` of a group, but for elements that do not take part.
/// Elements have 2^eew bytes.
pub(super) fn write(l: &Lift<'_>, u: Vu, k: u8, eew: u8, p: Parts, v: Val) {
    let slot = slots::v(usize::from(p.vd + k) & 31);
    let v = match active(l, u, k, eew, p.vm) {
        Some(m) => l.vbitsel(m, v, l.get(slot)),
        None => v,
    };
    l.set(slot, v);
}

/// Register of a group.
pub(super) fn reg(l: &Lift<'_>, n: u8) -> Val {
    l.get(slots::v(usize::from(n) & 31))
}

/// One function per row: `how(Operation, further): row(ArgumentSet)..;` calls
/// `how(l, VOp::Operation, operands, further)`. `Vf` is `Vx` with a
/// floating-point register.
macro_rules! rows {
    ($($how:ident $call:tt: $($name:ident($set:ident))*;)*) => {
        $($(pub fn $name(l: &crate::lift::Lift<'_>, a: $crate::lift::rv_v::rows!(@set $set)) {
            use $crate::lift::rv_v::Form;
            let p = $crate::lift::rv_v::rows!(@wrap $set a).parts(l);
            $crate::lift::rv_v::rows!(@call $how $call l p);
        })*)*
    };
    (@call $how:ident ($op:ident $(, $more:expr)?) $l:ident $p:ident) => {
        $how($l, crate::helpers::vector::VOp::$op, $p $(, $more)?)
    };
    (@set Vf) => { crate::decode::args::Vx };
    (@set $set:ident) => { crate::decode::args::$set };
    (@wrap Vf $a:ident) => { $crate::lift::rv_v::Vf($a) };
    (@wrap $set:ident $a:ident) => { $a };
}
pub(super) use rows;

/// An operation that a helper does.
pub(super) fn helped(l: &Lift<'_>, op: VOp, p: Parts) {
    if let Some(u) = checked(l, op, p) {
        by_helper(l, u, op, p);
    }
}
/// The same where the result are raised floating-point flags.
pub(super) fn raised(l: &Lift<'_>, op: VOp, p: Parts) {
    if let Some(u) = checked(l, op, p) {
        let flags = by_helper(l, u, op, p);
        l.or_fpstat(l.trunc(flags));
    }
}

/// Ends with an illegal instruction where a helper says so.
pub(super) fn illegal_if(l: &Lift<'_>, result: Val) {
    let illegal = l.icmp(result, l.c64(ILLEGAL), Cond::Eq);
    l.exit_if(illegal, ExitKind::Illegal, l.pc());
}
