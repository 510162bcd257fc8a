//! Pointer authentication (FEAT_PAuth) with an implementation-defined
//! algorithm: the code is the top of a CRC-32C over key, pointer and modifier.
//! Addresses have 48 bits and the top byte is a tag, so the code is bits 54:48;
//! a pointer that does not authenticate gets an error code in bits 54:53.

use remu_isa::ir::{Cond, CrcAttr, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::state::slots;

/// Position and length of the code.
const FIELD: (u8, u8) = (48, 7);
const CRC: CrcAttr = CrcAttr { castagnoli: true, size: 3 };

/// The pointer without its code: bits 54:48 equal bit 55.
pub(crate) fn strip(l: &Lift, ptr: Val) -> Val {
    l.deposit(ptr, l.sextract(ptr, (55, 1)), FIELD)
}

/// The canonical pointer with the code put in.
fn insert(l: &Lift, ptr: Val, modifier: Val, key: u8) -> Val {
    let key = l.trunc(l.get(slots::pac_key(key.into())));
    let hash = l.crc32(l.crc32(key, ptr, CRC), modifier, CRC);
    l.deposit(ptr, l.zext(l.shr_imm(hash, 25)), FIELD)
}

/// `AddPAC`. A pointer that was not canonical gets a code that cannot match.
pub(crate) fn sign(l: &Lift, ptr: Val, modifier: Val, key: u8) -> Val {
    let canonical = strip(l, ptr);
    let signed = insert(l, canonical, modifier, key);
    let broken = l.xor(signed, l.c64(1 << 54));
    l.movcond(l.icmp(canonical, ptr, Cond::Eq), signed, broken)
}

/// `Auth`.
pub(crate) fn authenticate(l: &Lift, ptr: Val, modifier: Val, key: u8) -> Val {
    let canonical = strip(l, ptr);
    let expected = insert(l, canonical, modifier, key);
    let error = l.deposit(canonical, l.c64(1 + u64::from(key & 1)), (53, 2));
    l.movcond(l.icmp(expected, ptr, Cond::Eq), canonical, error)
}

/// Modifier: a register, or zero.
fn modifier(l: &Lift, rn: u8) -> Val {
    if rn == 32 { l.c64(0) } else { l.xsp(rn) }
}
fn pac(l: &Lift, a: args::Pac) {
    l.set_r(a.rd, sign(l, l.x(a.rd), modifier(l, a.rn), a.key));
}
fn aut(l: &Lift, a: args::Pac) {
    l.set_r(a.rd, authenticate(l, l.x(a.rd), modifier(l, a.rn), a.key));
}

macro_rules! rows {
    ($($name:ident $how:ident;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Pac) { $how(l, a); })*
    };
}
rows! {
    pacia pac; pacib pac; pacda pac; pacdb pac;
    paciza pac; pacizb pac; pacdza pac; pacdzb pac;
    autia aut; autib aut; autda aut; autdb aut;
    autiza aut; autizb aut; autdza aut; autdzb aut;
}
/// XPACI.
pub fn xpaci(l: &Lift, a: args::Rd) {
    l.set_r(a.rd, strip(l, l.x(a.rd)));
}
/// XPACD.
pub fn xpacd(l: &Lift, a: args::Rd) {
    l.set_r(a.rd, strip(l, l.x(a.rd)));
}
/// PACGA.
pub fn pacga(l: &Lift, a: args::Rrr) {
    let key = l.trunc(l.get(slots::pac_key(4)));
    let hash = l.crc32(l.crc32(key, l.x(a.rn), CRC), l.xsp(a.rm), CRC);
    l.set_r(a.rd, l.shl_imm(l.zext(hash), 32));
}
