//! Advanced SIMD integers. One function per row of `simd_int.decode`.

use remu_isa::ir::{Cond, Lane, Type, Val};

use super::lanes::{
    self, finish, lane, pairs, repeat, saturated, saturating_narrow, set, set_narrow,
};
use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::lanes as helper;
use crate::pred::copy_size;

/// Rows of three registers whose lanes are independent.
macro_rules! three {
    ($($name:ident |$l:ident, $d:ident, $x:ident, $y:ident, $e:ident| $body:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name($l: &Lift, a: args::Vvv) {
            let ($x, $y, $e) = ($l.v(a.rn), $l.v(a.rm), lane(a.size));
            let $d = a.rd;
            set($l, a.q, a.size, a.rd, $body);
        })*
    };
}
three! {
    shadd |l, _d, x, y, e| l.vshadd(x, y, e);
    uhadd |l, _d, x, y, e| l.vuhadd(x, y, e);
    srhadd |l, _d, x, y, e| l.vsrhadd(x, y, e);
    urhadd |l, _d, x, y, e| l.vurhadd(x, y, e);
    shsub |l, _d, x, y, e| l.vshsub(x, y, e);
    uhsub |l, _d, x, y, e| l.vuhsub(x, y, e);
    cmgt |l, _d, x, y, e| l.vcmp(x, y, e, Cond::Gt as i32);
    cmhi |l, _d, x, y, e| l.vcmp(x, y, e, Cond::Gtu as i32);
    cmge |l, _d, x, y, e| l.vcmp(x, y, e, Cond::Ge as i32);
    cmhs |l, _d, x, y, e| l.vcmp(x, y, e, Cond::Geu as i32);
    cmtst |l, _d, x, y, e| l.vcmp(x, y, e, Cond::TstNe as i32);
    cmeq |l, _d, x, y, e| l.vcmp(x, y, e, Cond::Eq as i32);
    sshl |l, _d, x, y, e| l.vsshl(x, y, e);
    ushl |l, _d, x, y, e| l.vushl(x, y, e);
    srshl |l, _d, x, y, e| l.vsrshl(x, y, e);
    urshl |l, _d, x, y, e| l.vurshl(x, y, e);
    smax_v |l, _d, x, y, e| l.vsmax(x, y, e);
    umax_v |l, _d, x, y, e| l.vumax(x, y, e);
    smin_v |l, _d, x, y, e| l.vsmin(x, y, e);
    umin_v |l, _d, x, y, e| l.vumin(x, y, e);
    sabd |l, _d, x, y, e| l.vsabd(x, y, e);
    uabd |l, _d, x, y, e| l.vuabd(x, y, e);
    saba |l, d, x, y, e| l.vadd(l.v(d), l.vsabd(x, y, e), e);
    uaba |l, d, x, y, e| l.vadd(l.v(d), l.vuabd(x, y, e), e);
    add_v |l, _d, x, y, e| l.vadd(x, y, e);
    sub_v |l, _d, x, y, e| l.vsub(x, y, e);
    mla |l, d, x, y, e| l.vadd(l.v(d), l.vmul(x, y, e), e);
    mls |l, d, x, y, e| l.vsub(l.v(d), l.vmul(x, y, e), e);
    mul_v |l, _d, x, y, e| l.vmul(x, y, e);
    pmul |l, _d, x, y, _e| l.vpmul(x, y);
}

/// Rows that saturate: value and where it saturated.
macro_rules! saturating {
    ($($name:ident $args:ident |$l:ident, $a:ident| $body:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name($l: &Lift, $a: args::$args) {
            let (v, over) = $body;
            saturated($l, $a.q, $a.size, over);
            set($l, $a.q, $a.size, $a.rd, v);
        })*
    };
}
/// The smallest value is its own negation: make it the largest.
fn not_smallest(l: &Lift, v: Val, size: u8) -> (Val, Val) {
    let min = repeat(l, size, 1 << ((8 << size) - 1));
    let over = l.vcmp(v, min, lane(size), Cond::Eq as i32);
    (l.vxor(v, over), over)
}
saturating! {
    sqadd Vvv |l, a| lanes::sqadd(l, l.v(a.rn), l.v(a.rm), a.size);
    uqadd Vvv |l, a| lanes::uqadd(l, l.v(a.rn), l.v(a.rm), a.size);
    sqsub Vvv |l, a| lanes::sqsub(l, l.v(a.rn), l.v(a.rm), a.size);
    uqsub Vvv |l, a| lanes::uqsub(l, l.v(a.rn), l.v(a.rm), a.size);
    sqdmulh Vvv |l, a| lanes::sqdmulh(l, l.v(a.rn), l.v(a.rm), a.size, false);
    sqrdmulh Vvv |l, a| lanes::sqdmulh(l, l.v(a.rn), l.v(a.rm), a.size, true);
    sqshl Vvv |l, a| helper::shift(l, helper::Shift { signed: true, round: false }, a.size, l.v(a.rn), l.v(a.rm));
    uqshl Vvv |l, a| helper::shift(l, helper::Shift { signed: false, round: false }, a.size, l.v(a.rn), l.v(a.rm));
    sqrshl Vvv |l, a| helper::shift(l, helper::Shift { signed: true, round: true }, a.size, l.v(a.rn), l.v(a.rm));
    uqrshl Vvv |l, a| helper::shift(l, helper::Shift { signed: false, round: true }, a.size, l.v(a.rn), l.v(a.rm));
    sqrdmlah Vvv |l, a| helper::rdmla(l, false, a.size, l.v(a.rd), l.v(a.rn), l.v(a.rm));
    sqrdmlsh Vvv |l, a| helper::rdmla(l, true, a.size, l.v(a.rd), l.v(a.rn), l.v(a.rm));
    sqabs Vv |l, a| not_smallest(l, l.vabs(l.v(a.rn), lane(a.size)), a.size);
    sqneg Vv |l, a| not_smallest(l, l.vneg(l.v(a.rn), lane(a.size)), a.size);
    suqadd Vv |l, a| {
        // Biased by the smallest value the accumulator is unsigned.
        let bias = repeat(l, a.size, 1 << ((8u32 << a.size) - 1));
        let (v, over) = lanes::uqadd(l, l.vxor(l.v(a.rd), bias), l.v(a.rn), a.size);
        (l.vxor(v, bias), over)
    };
    usqadd Vv |l, a| {
        let (x, y, e) = (l.v(a.rd), l.v(a.rn), lane(a.size));
        let negative = l.vcmp(y, l.vconst(0), e, Cond::Lt as i32);
        let (up, up_over) = lanes::uqadd(l, x, y, a.size);
        let (down, down_over) = lanes::uqsub(l, x, l.vneg(y, e), a.size);
        (l.vbitsel(negative, down, up), l.vbitsel(negative, down_over, up_over))
    };
}
/// Rows that combine adjacent lanes of both operands.
macro_rules! pairwise {
    ($($name:ident $op:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Vvv) {
            let (x, y) = pairs(l, a.q, a.size, l.v(a.rn), l.v(a.rm));
            set(l, a.q, a.size, a.rd, l.$op(x, y, lane(a.size)));
        })*
    };
}
pairwise! { smaxp vsmax; umaxp vumax; sminp vsmin; uminp vumin; }
/// ADDP.
pub fn addp(l: &Lift, a: args::Vvv) {
    let (x, y) = (l.v(a.rn), l.v(a.rm));
    let v = if a.q == 1 {
        l.vpadd(x, y, lane(a.size))
    } else {
        let both = l.vconcat(x, y);
        l.vpadd(both, both, lane(a.size))
    };
    set(l, a.q, a.size, a.rd, v);
}
/// ADDP (scalar).
pub fn addp_s(l: &Lift, a: args::Vv) {
    let x = l.v(a.rn);
    l.set_v(a.rd, l.vlow(l.vpadd(x, x, Lane::D)));
}

macro_rules! bitwise {
    ($($name:ident |$l:ident, $d:ident, $x:ident, $y:ident| $body:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name($l: &Lift, a: args::Vlog) {
            let ($x, $y) = ($l.v(a.rn), $l.v(a.rm));
            let $d = a.rd;
            set($l, a.q, 0, a.rd, $body);
        })*
    };
}
bitwise! {
    and_v |l, _d, x, y| l.vand(x, y);
    bic_v |l, _d, x, y| l.vandc(x, y);
    orr_v |l, _d, x, y| if x == y { x } else { l.vor(x, y) };
    orn_v |l, _d, x, y| l.vorc(x, y);
    eor_v |l, _d, x, y| if x == y { l.vconst(0) } else { l.vxor(x, y) };
    bsl |l, d, x, y| l.vbitsel(l.v(d), x, y);
    bit |l, d, x, y| l.vbitsel(y, x, l.v(d));
    bif |l, d, x, y| l.vbitsel(y, l.v(d), x);
    sdot |l, d, x, y| dot(l, l.v(d), x, y, Kind::Signed);
    udot |l, d, x, y| dot(l, l.v(d), x, y, Kind::Unsigned);
    usdot |l, d, x, y| dot(l, l.v(d), x, y, Kind::Mixed);
    smmla |l, d, x, y| mmla(l, l.v(d), x, y, Kind::Signed);
    ummla |l, d, x, y| mmla(l, l.v(d), x, y, Kind::Unsigned);
    usmmla |l, d, x, y| mmla(l, l.v(d), x, y, Kind::Mixed);
}

/// Signs of the bytes of a dot product.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Both signed.
    Signed,
    /// Both unsigned.
    Unsigned,
    /// First unsigned, second signed.
    Mixed,
}
/// Sums of adjacent products of the low half's bytes.
fn products(l: &Lift, x: Val, y: Val, kind: Kind) -> Val {
    match kind {
        Kind::Signed => l.vsaddlp(l.vsmull(x, y, Lane::B), Lane::H),
        Kind::Unsigned => l.vuaddlp(l.vumull(x, y, Lane::B), Lane::H),
        Kind::Mixed => {
            let p = l.vmul(l.vuwiden(x, Lane::B), l.vswiden(y, Lane::B), Lane::H);
            l.vsaddlp(p, Lane::H)
        }
    }
}
/// Each word accumulates the dot product of four bytes.
pub(crate) fn dot(l: &Lift, d: Val, x: Val, y: Val, kind: Kind) -> Val {
    let low = products(l, x, y, kind);
    let high = products(l, l.vhigh(x), l.vhigh(y), kind);
    l.vadd(d, l.vpadd(low, high, Lane::S), Lane::S)
}
/// 2x8 by 8x2 matrices of bytes.
fn mmla(l: &Lift, d: Val, x: Val, y: Val, kind: Kind) -> Val {
    let (x1, y1) = (l.vhigh(x), l.vhigh(y));
    let top = l.vpadd(products(l, x, y, kind), products(l, x, y1, kind), Lane::S);
    let bottom = l.vpadd(products(l, x1, y, kind), products(l, x1, y1, kind), Lane::S);
    l.vadd(d, l.vpadd(top, bottom, Lane::S), Lane::S)
}

/// Rows of two registers.
macro_rules! two {
    ($($name:ident |$l:ident, $d:ident, $x:ident, $e:ident| $body:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name($l: &Lift, a: args::Vv) {
            let ($x, $e) = ($l.v(a.rn), lane(a.size));
            let $d = a.rd;
            set($l, a.q, a.size, a.rd, $body);
        })*
    };
}
two! {
    rev64 |l, _d, x, e| l.vrev(x, e, 3);
    rev32_v |l, _d, x, e| l.vrev(x, e, 2);
    rev16_v |l, _d, x, e| l.vrev(x, e, 1);
    saddlp |l, _d, x, e| l.vsaddlp(x, e);
    uaddlp |l, _d, x, e| l.vuaddlp(x, e);
    sadalp |l, d, x, e| l.vadd(l.v(d), l.vsaddlp(x, e), e.wider());
    uadalp |l, d, x, e| l.vadd(l.v(d), l.vuaddlp(x, e), e.wider());
    cls_v |l, _d, x, e| l.vcls(x, e);
    clz_v |l, _d, x, e| l.vclz(x, e);
    cnt_v |l, _d, x, e| l.vctpop(x, e);
    not_v |l, _d, x, _e| l.vnot(x);
    rbit_v |l, _d, x, _e| l.vbitrev(x);
    cmgt0 |l, _d, x, e| l.vcmp(x, l.vconst(0), e, Cond::Gt as i32);
    cmge0 |l, _d, x, e| l.vcmp(x, l.vconst(0), e, Cond::Ge as i32);
    cmeq0 |l, _d, x, e| l.vcmp(x, l.vconst(0), e, Cond::Eq as i32);
    cmle0 |l, _d, x, e| l.vcmp(x, l.vconst(0), e, Cond::Le as i32);
    cmlt0 |l, _d, x, e| l.vcmp(x, l.vconst(0), e, Cond::Lt as i32);
    abs_v |l, _d, x, e| l.vabs(x, e);
    neg_v |l, _d, x, e| l.vneg(x, e);
}
/// XTN.
pub fn xtn(l: &Lift, a: args::Vv) {
    set_narrow(l, a.q, a.size, a.rd, l.vnarrow(l.v(a.rn), lane(a.size)));
}
/// Saturating narrowing of a value into a register.
pub(crate) fn narrow(l: &Lift, q: u8, size: u8, rd: u8, x: Val, from: bool, to: bool) {
    let (v, over) = saturating_narrow(l, size, x, from, to);
    let over_q = if q == 2 { 2 } else { 0 };
    saturated(l, over_q, size, over);
    set_narrow(l, q, size, rd, v);
}
/// SQXTN.
pub fn sqxtn(l: &Lift, a: args::Vv) {
    narrow(l, a.q, a.size, a.rd, l.v(a.rn), true, true);
}
/// SQXTUN.
pub fn sqxtun(l: &Lift, a: args::Vv) {
    narrow(l, a.q, a.size, a.rd, l.v(a.rn), true, false);
}
/// UQXTN.
pub fn uqxtn(l: &Lift, a: args::Vv) {
    narrow(l, a.q, a.size, a.rd, l.v(a.rn), false, false);
}
/// SHLL.
pub fn shll(l: &Lift, a: args::Vv) {
    let x = l.vuwiden(super::lanes::half(l, a.q, l.v(a.rn)), lane(a.size));
    l.set_v(a.rd, l.vshl(x, lane(a.size + 1), 8 << a.size));
}

/// Folds the lanes of a whole vector, halving it each time.
fn fold(l: &Lift, v: Val, size: u8, mut from: i32, op: impl Fn(Val, Val) -> Val) -> Val {
    let mut v = v;
    while from >= 1 << size {
        v = op(v, l.vext(v, v, from));
        from /= 2;
    }
    v
}
/// Sum of all lanes; for q = 0 the upper half counts as zeros.
fn sum(l: &Lift, q: u8, size: u8, v: Val) -> Val {
    let v = if q == 0 { l.vlow(v) } else { v };
    fold(l, v, size, 8, |x, y| l.vadd(x, y, lane(size)))
}
/// ADDV.
pub fn addv(l: &Lift, a: args::Vv) {
    set(l, 2, a.size, a.rd, sum(l, a.q, a.size, l.v(a.rn)));
}
/// SADDLV.
pub fn saddlv(l: &Lift, a: args::Vv) {
    let v = finish(l, a.q, a.size, l.v(a.rn));
    set(l, 2, a.size + 1, a.rd, sum(l, 1, a.size + 1, l.vsaddlp(v, lane(a.size))));
}
/// UADDLV.
pub fn uaddlv(l: &Lift, a: args::Vv) {
    let v = finish(l, a.q, a.size, l.v(a.rn));
    set(l, 2, a.size + 1, a.rd, sum(l, 1, a.size + 1, l.vuaddlp(v, lane(a.size))));
}
fn extreme(l: &Lift, a: args::Vv, op: impl Fn(Val, Val) -> Val) {
    let v = super::lanes::filled(l, a.q, l.v(a.rn));
    let from = if a.q == 0 { 4 } else { 8 };
    set(l, 2, a.size, a.rd, fold(l, v, a.size, from, op));
}
/// SMAXV.
pub fn smaxv(l: &Lift, a: args::Vv) {
    extreme(l, a, |x, y| l.vsmax(x, y, lane(a.size)));
}
/// UMAXV.
pub fn umaxv(l: &Lift, a: args::Vv) {
    extreme(l, a, |x, y| l.vumax(x, y, lane(a.size)));
}
/// SMINV.
pub fn sminv(l: &Lift, a: args::Vv) {
    extreme(l, a, |x, y| l.vsmin(x, y, lane(a.size)));
}
/// UMINV.
pub fn uminv(l: &Lift, a: args::Vv) {
    extreme(l, a, |x, y| l.vumin(x, y, lane(a.size)));
}

/// Permutes that take alternate lanes of the concatenated operands.
macro_rules! unzip {
    ($($name:ident $op:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Vvv) {
            let (x, y) = (l.v(a.rn), l.v(a.rm));
            let v = if a.q == 1 {
                l.$op(x, y, lane(a.size))
            } else {
                let both = l.vconcat(x, y);
                l.vlow(l.$op(both, both, lane(a.size)))
            };
            l.set_v(a.rd, v);
        })*
    };
}
unzip! { uzp1 vuzp1; uzp2 vuzp2; }
three! {
    trn1 |l, _d, x, y, e| l.vtrn1(x, y, e);
    trn2 |l, _d, x, y, e| l.vtrn2(x, y, e);
    zip1 |l, _d, x, y, e| l.vzip1(x, y, e);
}
/// ZIP2.
pub fn zip2(l: &Lift, a: args::Vvv) {
    let (x, y, e) = (l.v(a.rn), l.v(a.rm), lane(a.size));
    l.set_v(a.rd, if a.q == 1 { l.vzip2(x, y, e) } else { l.vhigh(l.vzip1(x, y, e)) });
}
/// EXT.
pub fn ext(l: &Lift, a: args::Ext) {
    let (x, y) = (l.v(a.rn), l.v(a.rm));
    let n = i32::from(a.imm);
    let v = if a.q == 1 {
        l.vext(x, y, n)
    } else {
        let both = l.vconcat(x, y);
        l.vlow(l.vext(both, both, n))
    };
    l.set_v(a.rd, v);
}
/// Bytes looked up in consecutive registers; `v` holds what stays.
fn lookup(l: &Lift, a: args::Tbl, v: Option<Val>) {
    let index = l.v(a.rm);
    let table = |n: u8| l.v((a.rn + n) & 31);
    let (mut v, first) = match v {
        Some(v) => (v, 0),
        None => (l.vtbl(table(0), index), 1),
    };
    for n in first..=a.len {
        v = l.vtbx(v, table(n), index, n.into());
    }
    set(l, a.q, 0, a.rd, v);
}
/// TBL.
pub fn tbl(l: &Lift, a: args::Tbl) {
    lookup(l, a, None);
}
/// TBX.
pub fn tbx(l: &Lift, a: args::Tbl) {
    lookup(l, a, Some(l.v(a.rd)));
}

/// Lane size and index that a copy's immediate encodes.
fn element(imm: u8) -> (u8, u8) {
    let size = copy_size(imm.into()) as u8;
    (size, imm >> (size + 1))
}
/// DUP (element).
pub fn dup_elem(l: &Lift, a: args::Copy) {
    let (size, index) = element(a.imm);
    if size == 3 && a.q != 1 {
        let v = l.v(a.rn);
        return l.set_v(a.rd, if index == 0 { l.vlow(v) } else { l.vhigh(v) });
    }
    set(l, a.q, size, a.rd, l.vduplane(l.v(a.rn), lane(size), index.into()));
}
/// DUP (general).
pub fn dup_gen(l: &Lift, a: args::Copy) {
    let (size, _) = element(a.imm);
    let x = l.r(a.rn, u8::from(size == 3));
    set(l, a.q, size, a.rd, l.vdup(x, lane(size)));
}
/// SMOV.
pub fn smov(l: &Lift, a: args::Copy) {
    let (size, index) = element(a.imm);
    let t = if a.q == 1 { Type::I64 } else { Type::I32 };
    l.set_r(a.rd, l.vextract_s(l.v(a.rn), l.c32(index.into()), t, lane(size)));
}
/// UMOV.
pub fn umov(l: &Lift, a: args::Copy) {
    let (size, index) = element(a.imm);
    l.set_r(a.rd, l.lane(l.v(a.rn), lane(size), index.into()));
}
/// INS (general).
pub fn ins_gen(l: &Lift, a: args::Copy) {
    let (size, index) = element(a.imm);
    let x = l.r(a.rn, u8::from(size == 3));
    l.set_v(a.rd, l.vinsert(l.v(a.rd), x, lane(size), index.into()));
}
/// INS (element).
pub fn ins_elem(l: &Lift, a: args::Ins) {
    let (size, index) = element(a.imm);
    let from = i32::from(a.imm4 >> size);
    l.set_v(a.rd, l.vmovlane(l.v(a.rd), l.v(a.rn), lane(size), i32::from(index) | from << 8));
}
