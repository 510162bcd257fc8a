//! Advanced SIMD by element. One function per row of `simd_elem.decode`.

use remu_isa::ir::{Lane, Val};

use super::lanes::{half, lane, saturated, set};
use super::simd_fp::{Multiply, bfdot_with, bfmlal_with, complex, fmlal_with, multiply};
use super::simd_int::{Kind, dot};
use super::simd_long::{Into, mull, qdmull};
use super::{Lift, Regs, lanes};
use crate::decode::args;
use crate::helpers::lanes as helper;

/// The element in every lane.
fn element(l: &Lift, a: args::Elem) -> Val {
    l.vduplane(l.v(a.rm), lane(a.size), a.index.into())
}
/// MUL (by element).
pub fn mul_el(l: &Lift, a: args::Elem) {
    set(l, a.q, a.size, a.rd, l.vmul(l.v(a.rn), element(l, a), lane(a.size)));
}
/// MLA (by element).
pub fn mla_el(l: &Lift, a: args::Elem) {
    let p = l.vmul(l.v(a.rn), element(l, a), lane(a.size));
    set(l, a.q, a.size, a.rd, l.vadd(l.v(a.rd), p, lane(a.size)));
}
/// MLS (by element).
pub fn mls_el(l: &Lift, a: args::Elem) {
    let p = l.vmul(l.v(a.rn), element(l, a), lane(a.size));
    set(l, a.q, a.size, a.rd, l.vsub(l.v(a.rd), p, lane(a.size)));
}
fn high(l: &Lift, a: args::Elem, round: bool) {
    let (v, over) = lanes::sqdmulh(l, l.v(a.rn), element(l, a), a.size, round);
    saturated(l, a.q, a.size, over);
    set(l, a.q, a.size, a.rd, v);
}
/// SQDMULH (by element).
pub fn sqdmulh_el(l: &Lift, a: args::Elem) {
    high(l, a, false);
}
/// SQRDMULH (by element).
pub fn sqrdmulh_el(l: &Lift, a: args::Elem) {
    high(l, a, true);
}
fn accumulate(l: &Lift, a: args::Elem, subtract: bool) {
    let (d, x) = (l.v(a.rd), l.v(a.rn));
    let (v, over) = helper::rdmla(l, subtract, a.size, d, x, element(l, a));
    saturated(l, a.q, a.size, over);
    set(l, a.q, a.size, a.rd, v);
}
/// SQRDMLAH (by element).
pub fn sqrdmlah_el(l: &Lift, a: args::Elem) {
    accumulate(l, a, false);
}
/// SQRDMLSH (by element).
pub fn sqrdmlsh_el(l: &Lift, a: args::Elem) {
    accumulate(l, a, true);
}

macro_rules! products {
    ($($name:ident $signed:literal $into:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Elem) {
            let x = half(l, a.q, l.v(a.rn));
            mull(l, a.rd, a.size, x, element(l, a), $signed, Into::$into);
        })*
    };
}
products! {
    smull_el true Set; umull_el false Set; smlal_el true Add; umlal_el false Add;
    smlsl_el true Sub; umlsl_el false Sub;
}
macro_rules! doubled {
    ($($name:ident $into:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Elem) {
            let x = half(l, a.q, l.v(a.rn));
            qdmull(l, a.q, a.rd, a.size, x, element(l, a), Into::$into);
        })*
    };
}
doubled! { sqdmull_el Set; sqdmlal_el Add; sqdmlsl_el Sub; }

macro_rules! floats {
    ($($name:ident $how:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Elem) {
            multiply(l, a.q, a.size, a.rd, l.v(a.rn), element(l, a), Multiply::$how);
        })*
    };
}
floats! { fmul_el Plain; fmulx_el Extended; fmla_el Add; fmls_el Sub; }

/// A word of the second operand in every word.
fn word(l: &Lift, a: args::Delem) -> Val {
    l.vduplane(l.v(a.rm), Lane::S, a.index.into())
}
/// SDOT (by element).
pub fn sdot_el(l: &Lift, a: args::Delem) {
    set(l, a.q, 2, a.rd, dot(l, l.v(a.rd), l.v(a.rn), word(l, a), Kind::Signed));
}
/// UDOT (by element).
pub fn udot_el(l: &Lift, a: args::Delem) {
    set(l, a.q, 2, a.rd, dot(l, l.v(a.rd), l.v(a.rn), word(l, a), Kind::Unsigned));
}
/// USDOT (by element).
pub fn usdot_el(l: &Lift, a: args::Delem) {
    set(l, a.q, 2, a.rd, dot(l, l.v(a.rd), l.v(a.rn), word(l, a), Kind::Mixed));
}
/// SUDOT (by element).
pub fn sudot_el(l: &Lift, a: args::Delem) {
    set(l, a.q, 2, a.rd, dot(l, l.v(a.rd), word(l, a), l.v(a.rn), Kind::Mixed));
}
/// BFDOT (by element).
pub fn bfdot_el(l: &Lift, a: args::Delem) {
    bfdot_with(l, a.q, a.rd, l.v(a.rn), word(l, a));
}
/// BFMLALB, BFMLALT (by element).
pub fn bfmlal_el(l: &Lift, a: args::Delem) {
    bfmlal_with(l, a.q, a.rd, l.v(a.rn), l.vduplane(l.v(a.rm), Lane::H, a.index.into()));
}
fn half_element(l: &Lift, a: args::Felem) -> Val {
    l.vduplane(l.v(a.rm), Lane::H, a.index.into())
}
/// FMLAL, FMLAL2 (by element).
pub fn fmlal_el(l: &Lift, a: args::Felem) {
    fmlal_with(l, a.q, a.top, a.rd, l.v(a.rn), half_element(l, a), false);
}
/// FMLSL, FMLSL2 (by element).
pub fn fmlsl_el(l: &Lift, a: args::Felem) {
    fmlal_with(l, a.q, a.top, a.rd, l.v(a.rn), half_element(l, a), true);
}
/// FCMLA (by element).
pub fn fcmla_el(l: &Lift, a: args::Celem) {
    let y = l.vduplane(l.v(a.rm), lane(a.size + 1), a.index.into());
    complex(l, a.q, a.size, a.rot, a.rd, l.v(a.rn), y);
}
