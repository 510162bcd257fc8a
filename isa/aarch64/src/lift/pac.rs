//! Pointer authentication (FEAT_PAuth2) with an implementation-defined
//! algorithm: the code is the top of the product of the key with pointer and modifier.
//! Addresses have 48 bits and the top byte is a tag, so the code is exclusive-or'd
//! with bits 54:48; what does not authenticate keeps bits there that fault.

use remu_isa::ir::{CrcAttr, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::isa::KEY_UNSIGNED;
use crate::state::slots;
use crate::system::MachineKey;

/// Position and length of the code.
const FIELD: (u8, u8) = (48, 7);
const CRC: CrcAttr = CrcAttr { castagnoli: true, size: 3 };

/// The pointer without its code: bits 54:48 equal bit 55.
pub(crate) fn strip(l: &Lift, ptr: Val) -> Val {
    l.deposit(ptr, l.sextract(ptr, (55, 1)), FIELD)
}

/// `AddPAC` and `Auth`: a second time takes away what the first time put in. The
/// code says nothing of the pointer's bits 63:48, so one that was not canonical
/// never authenticates.
pub(crate) fn sign(l: &Lift, ptr: Val, modifier: Val, key: u8) -> Val {
    let signs = match MachineKey::of_key(l.key()) {
        Some(machine) => machine.signs(key),
        None => l.key().0 & KEY_UNSIGNED == 0,
    };
    if !signs {
        return ptr;
    }
    let address = l.shl_imm(ptr, 64 - u32::from(FIELD.0));
    // Keys are random: they spread every bit to the top of a product.
    let product = l.mul(l.add(address, modifier), l.get(slots::pac_key(key.into())));
    let code = l.shr_imm(product, 64 - u32::from(FIELD.1));
    l.xor(ptr, l.shl_imm(code, FIELD.0.into()))
}

/// The same of numbers.
pub(crate) fn signed(ptr: u64, modifier: u64, key: u64) -> u64 {
    let address = ptr << (64 - u32::from(FIELD.0));
    let product = address.wrapping_add(modifier).wrapping_mul(key);
    let code = product >> (64 - u32::from(FIELD.1));
    ptr ^ code << FIELD.0
}

/// Modifier: a register, or zero.
fn modifier(l: &Lift, rn: u8) -> Val {
    if rn == 32 { l.c64(0) } else { l.xsp(rn) }
}
fn pac(l: &Lift, a: args::Pac) {
    l.set_r(a.rd, sign(l, l.x(a.rd), modifier(l, a.rn), a.key));
}

macro_rules! rows {
    ($($name:ident)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Pac) { pac(l, a); })*
    };
}
rows! {
    pacia pacib pacda pacdb paciza pacizb pacdza pacdzb
    autia autib autda autdb autiza autizb autdza autdzb
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
