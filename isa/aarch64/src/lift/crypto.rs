//! Cryptographic extensions. One function per row of `crypto.decode`.

use remu_isa::ir::{Lane, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::hash;

/// AESE.
pub fn aese(l: &Lift, a: args::C2) {
    l.set_v(a.rd, l.aesenclast(l.vxor(l.v(a.rd), l.v(a.rn)), l.vconst(0)));
}
/// AESD.
pub fn aesd(l: &Lift, a: args::C2) {
    l.set_v(a.rd, l.aesdeclast(l.vxor(l.v(a.rd), l.v(a.rn)), l.vconst(0)));
}
/// AESMC.
pub fn aesmc(l: &Lift, a: args::C2) {
    l.set_v(a.rd, l.aesmc(l.v(a.rn)));
}
/// AESIMC.
pub fn aesimc(l: &Lift, a: args::C2) {
    l.set_v(a.rd, l.aesimc(l.v(a.rn)));
}

/// Steps by helpers of the destination and one or two sources.
macro_rules! steps {
    ($($name:ident $set:ident $helper:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::$set) {
            let third = steps!(@third l a $set);
            l.set_v(a.rd, l.vhelper(hash::$helper, l.v(a.rd), l.v(a.rn), third, 0));
        })*
    };
    (@third $l:ident $a:ident C3) => { $l.v($a.rm) };
    (@third $l:ident $a:ident C2) => { $l.v($a.rn) };
}
steps! {
    sha512h C3 SHA512H; sha512h2 C3 SHA512H2; sha512su0 C2 SHA512SU0; sha512su1 C3 SHA512SU1;
    sm3partw1 C3 SM3PARTW1; sm3partw2 C3 SM3PARTW2; sm4e C2 SM4E;
}
/// Steps of the destination and one or two sources that have an op.
macro_rules! ops {
    ($($name:ident $set:ident $($more:ident)*;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::$set) {
            l.set_v(a.rd, l.$name(l.v(a.rd), l.v(a.rn) $(, l.v(a.$more))*));
        })*
    };
}
ops! {
    sha1c C3 rm; sha1p C3 rm; sha1m C3 rm; sha1su1 C2;
    sha256h C3 rm; sha256h2 C3 rm; sha256su0 C2; sha256su1 C3 rm;
}
/// SHA1H.
pub fn sha1h(l: &Lift, a: args::C2) {
    let x = l.v(a.rn);
    let turned = l.vor(l.vshl(x, Lane::S, 30), l.vshr(x, Lane::S, 2));
    l.set_v(a.rd, l.vfromf(l.vtof(turned, Type::F32)));
}
/// SHA1SU0.
pub fn sha1su0(l: &Lift, a: args::C3) {
    let d = l.v(a.rd);
    l.set_v(a.rd, l.vxor(l.vxor(l.vext(d, l.v(a.rn), 8), d), l.v(a.rm)));
}
/// SM4EKEY.
pub fn sm4ekey(l: &Lift, a: args::C3) {
    let (n, m) = (l.v(a.rn), l.v(a.rm));
    l.set_v(a.rd, l.vhelper(hash::SM4EKEY, n, m, m, 0));
}
/// SM3SS1.
pub fn sm3ss1(l: &Lift, a: args::C4) {
    l.set_v(a.rd, l.vhelper(hash::SM3SS1, l.v(a.rn), l.v(a.rm), l.v(a.ra), 0));
}
macro_rules! sm3tt {
    ($($name:ident $which:literal;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Sm3tt) {
            let options = $which << 2 | u16::from(a.index);
            l.set_v(a.rd, l.vhelper(hash::SM3TT, l.v(a.rd), l.v(a.rn), l.v(a.rm), options));
        })*
    };
}
sm3tt! { sm3tt1a 0; sm3tt1b 1; sm3tt2a 2; sm3tt2b 3; }

/// EOR3.
pub fn eor3(l: &Lift, a: args::C4) {
    l.set_v(a.rd, l.vxor(l.vxor(l.v(a.rn), l.v(a.rm)), l.v(a.ra)));
}
/// BCAX.
pub fn bcax(l: &Lift, a: args::C4) {
    l.set_v(a.rd, l.vxor(l.v(a.rn), l.vandc(l.v(a.rm), l.v(a.ra))));
}
/// Doublewords rotated right.
fn rotate(l: &Lift, v: Val, n: i32) -> Val {
    if n == 0 {
        return v;
    }
    l.vor(l.vshr(v, Lane::D, n), l.vshl(v, Lane::D, 64 - n))
}
/// RAX1.
pub fn rax1(l: &Lift, a: args::C3) {
    l.set_v(a.rd, l.vxor(l.v(a.rn), rotate(l, l.v(a.rm), 63)));
}
/// XAR.
pub fn xar(l: &Lift, a: args::Xar) {
    l.set_v(a.rd, rotate(l, l.vxor(l.v(a.rn), l.v(a.rm)), a.imm.into()));
}
