//! Advanced SIMD, three registers of different widths. One function per row of
//! `simd_long.decode`.

use remu_isa::ir::{Lane, Val};

use super::lanes::{half, lane, repeat, saturated, set_narrow, sqadd, sqsub};
use super::{Lift, Regs};
use crate::decode::args;

/// Both operands' half that `q` chooses.
fn halves(l: &Lift, a: args::Vvv) -> (Val, Val) {
    (half(l, a.q, l.v(a.rn)), half(l, a.q, l.v(a.rm)))
}
/// Signed or unsigned widening.
fn widen(l: &Lift, v: Val, size: u8, signed: bool) -> Val {
    if signed { l.vswiden(v, lane(size)) } else { l.vuwiden(v, lane(size)) }
}
/// Widening product.
pub(crate) fn product(l: &Lift, x: Val, y: Val, size: u8, signed: bool) -> Val {
    if signed { l.vsmull(x, y, lane(size)) } else { l.vumull(x, y, lane(size)) }
}

/// Rows: wide result of wide lanes `w`, from the narrow operands' halves.
macro_rules! long {
    ($($name:ident $signed:literal |$l:ident, $d:ident, $x:ident, $y:ident, $w:ident| $body:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name($l: &Lift, a: args::Vvv) {
            let (x, y) = halves($l, a);
            let ($x, $y) = (widen($l, x, a.size, $signed), widen($l, y, a.size, $signed));
            let ($d, $w) = (a.rd, lane(a.size + 1));
            $l.set_v(a.rd, $body);
        })*
    };
}
long! {
    saddl true |l, _d, x, y, w| l.vadd(x, y, w);
    uaddl false |l, _d, x, y, w| l.vadd(x, y, w);
    ssubl true |l, _d, x, y, w| l.vsub(x, y, w);
    usubl false |l, _d, x, y, w| l.vsub(x, y, w);
    sabdl true |l, _d, x, y, w| l.vsabd(x, y, w);
    uabdl false |l, _d, x, y, w| l.vuabd(x, y, w);
    sabal true |l, d, x, y, w| l.vadd(l.v(d), l.vsabd(x, y, w), w);
    uabal false |l, d, x, y, w| l.vadd(l.v(d), l.vuabd(x, y, w), w);
}
fn wide(l: &Lift, a: args::Vvv, signed: bool) -> Val {
    widen(l, half(l, a.q, l.v(a.rm)), a.size, signed)
}
/// SADDW.
pub fn saddw(l: &Lift, a: args::Vvv) {
    l.set_v(a.rd, l.vadd(l.v(a.rn), wide(l, a, true), lane(a.size + 1)));
}
/// UADDW.
pub fn uaddw(l: &Lift, a: args::Vvv) {
    l.set_v(a.rd, l.vadd(l.v(a.rn), wide(l, a, false), lane(a.size + 1)));
}
/// SSUBW.
pub fn ssubw(l: &Lift, a: args::Vvv) {
    l.set_v(a.rd, l.vsub(l.v(a.rn), wide(l, a, true), lane(a.size + 1)));
}
/// USUBW.
pub fn usubw(l: &Lift, a: args::Vvv) {
    l.set_v(a.rd, l.vsub(l.v(a.rn), wide(l, a, false), lane(a.size + 1)));
}

/// High halves of wide lanes, rounded or not.
fn high(l: &Lift, a: args::Vvv, v: Val, round: bool) {
    let (w, bits) = (lane(a.size + 1), 8 << a.size);
    let v = if round { l.vadd(v, repeat(l, a.size + 1, 1 << (bits - 1)), w) } else { v };
    set_narrow(l, a.q, a.size, a.rd, l.vnarrow(l.vshr(v, w, bits), lane(a.size)));
}
/// ADDHN.
pub fn addhn(l: &Lift, a: args::Vvv) {
    high(l, a, l.vadd(l.v(a.rn), l.v(a.rm), lane(a.size + 1)), false);
}
/// RADDHN.
pub fn raddhn(l: &Lift, a: args::Vvv) {
    high(l, a, l.vadd(l.v(a.rn), l.v(a.rm), lane(a.size + 1)), true);
}
/// SUBHN.
pub fn subhn(l: &Lift, a: args::Vvv) {
    high(l, a, l.vsub(l.v(a.rn), l.v(a.rm), lane(a.size + 1)), false);
}
/// RSUBHN.
pub fn rsubhn(l: &Lift, a: args::Vvv) {
    high(l, a, l.vsub(l.v(a.rn), l.v(a.rm), lane(a.size + 1)), true);
}

/// What a widening product does with the destination.
#[derive(Clone, Copy)]
pub(crate) enum Into {
    /// Replaces it.
    Set,
    /// Is added.
    Add,
    /// Is subtracted.
    Sub,
}
/// A widening product of operands already halved.
pub(crate) fn mull(l: &Lift, rd: u8, size: u8, x: Val, y: Val, signed: bool, into: Into) {
    let (p, w) = (product(l, x, y, size, signed), lane(size + 1));
    l.set_v(
        rd,
        match into {
            Into::Set => p,
            Into::Add => l.vadd(l.v(rd), p, w),
            Into::Sub => l.vsub(l.v(rd), p, w),
        },
    );
}
/// A doubled and saturated widening product of operands already halved.
pub(crate) fn qdmull(l: &Lift, q: u8, rd: u8, size: u8, x: Val, y: Val, into: Into) {
    // The result is wide: 128 bits, or a scalar.
    let q = if q == 2 { 2 } else { 1 };
    let (p, over) = super::lanes::sqdmull(l, x, y, size);
    saturated(l, q, size + 1, over);
    let v = match into {
        Into::Set => p,
        _ => {
            let d = l.v(rd);
            let (v, over) = match into {
                Into::Sub => sqsub(l, d, p, size + 1),
                _ => sqadd(l, d, p, size + 1),
            };
            saturated(l, q, size + 1, over);
            v
        }
    };
    super::lanes::set(l, q, size + 1, rd, v);
}
macro_rules! products {
    ($($name:ident $signed:literal $into:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Vvv) {
            let (x, y) = halves(l, a);
            mull(l, a.rd, a.size, x, y, $signed, Into::$into);
        })*
    };
}
products! {
    smull_v true Set; umull_v false Set; smlal true Add; umlal false Add; smlsl true Sub;
    umlsl false Sub;
}
macro_rules! doubled {
    ($($name:ident $into:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Vvv) {
            let (x, y) = halves(l, a);
            qdmull(l, a.q, a.rd, a.size, x, y, Into::$into);
        })*
    };
}
doubled! { sqdmull Set; sqdmlal Add; sqdmlsl Sub; }
/// PMULL.
pub fn pmull(l: &Lift, a: args::Vvv) {
    let (x, y) = halves(l, a);
    l.set_v(a.rd, l.vpmull(x, y, if a.size == 3 { Lane::D } else { Lane::B }));
}
