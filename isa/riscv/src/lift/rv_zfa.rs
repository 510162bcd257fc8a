//! "Zfa", Additional Floating-Point Instructions.

use remu_ir::{Builder, FCond, Type};

use super::float::rows;
use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::FCVTMOD;
use crate::state::slots;

rows! { F32;
    fli_s(Fli) = fli;
    fminm_s(R) = pick(Builder::fmin);
    fmaxm_s(R) = pick(Builder::fmax);
    fround_s(F2) = unary(Builder::fround);
    froundnx_s(F2) = unary(Builder::froundx);
    fleq_s(R) = compare(FCond::LeQ);
    fltq_s(R) = compare(FCond::LtQ);
}
rows! { F64;
    fli_d(Fli) = fli;
    fminm_d(R) = pick(Builder::fmin);
    fmaxm_d(R) = pick(Builder::fmax);
    fround_d(F2) = unary(Builder::fround);
    froundnx_d(F2) = unary(Builder::froundx);
    fleq_d(R) = compare(FCond::LeQ);
    fltq_d(R) = compare(FCond::LtQ);
}
rows! { F16;
    fli_h(Fli) = fli;
    fminm_h(R) = pick(Builder::fmin);
    fmaxm_h(R) = pick(Builder::fmax);
    fround_h(F2) = unary(Builder::fround);
    froundnx_h(F2) = unary(Builder::froundx);
    fleq_h(R) = compare(FCond::LeQ);
    fltq_h(R) = compare(FCond::LtQ);
}

/// To a 32-bit integer modulo 2^32, as ECMAScript's ToInt32 wants it.
pub fn fcvtmod_w_d(l: &Lift<'_>, a: args::Fu) {
    let bits = l.bitcast(l.get(slots::f(a.rs1.into())), Type::I64);
    let v = l.helper(FCVTMOD, &[bits]);
    l.or_fpstat(l.trunc(l.shr_imm(v, 32)));
    l.set_w(a.rd, l.trunc(v));
}
