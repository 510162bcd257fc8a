//! Predicates of the tables' conditions.

use crate::bits;
use crate::decode::args;

/// The move to or from the stack pointer is preferred.
pub fn to_or_from_sp(a: &args::Ai) -> bool {
    a.rd == 31 || a.rn == 31
}
/// The mask is not reserved.
pub fn bitmask_ok(a: &args::Logimm) -> bool {
    bits::bitmask(a.sf, a.n, a.imms, a.immr).is_some()
}
/// See [`bits::move_wide_preferred`].
pub fn move_wide_preferred(a: &args::Logimm) -> bool {
    bits::move_wide_preferred(a.sf, a.n, a.imms, a.immr)
}
/// MOVN is written as MOV.
pub fn movn_is_mov(a: &args::Movw) -> bool {
    (a.imm != 0 || a.hw == 0) && (a.sf == 1 || a.imm != 0xffff)
}
/// The width is encoded consistently.
pub fn bitfield_ok(a: &args::Bitf) -> bool {
    a.n == a.sf && (a.sf == 1 || (a.immr < 32 && a.imms < 32))
}
/// The shift amount is less than the width.
pub fn shift_ok(sf: i64, amount: i64) -> bool {
    sf == 1 || amount < 32
}
/// MSR (immediate) writes something a user program may write.
pub fn pstate_ok(op1: i64, op2: i64) -> bool {
    matches!((op1, op2), (3, 1 | 2 | 4) | (0, 3..=5) | (3, 6 | 7))
}
/// The index is a word or doubleword.
pub fn index_ok<T: HasOption>(a: &T) -> bool {
    a.option() & 2 != 0
}
/// Argument sets with an extend option.
pub trait HasOption {
    /// The option.
    fn option(&self) -> u8;
}
impl HasOption for args::Reg {
    fn option(&self) -> u8 {
        self.option
    }
}
impl HasOption for args::Rprfm {
    fn option(&self) -> u8 {
        self.option
    }
}
/// Even register number.
pub fn even(n: i64) -> bool {
    n & 1 == 0
}
/// Two different registers, neither the zero register.
pub fn distinct(a: i64, b: i64) -> bool {
    a != b && a != 31 && b != 31
}
/// IC IVAU.
pub fn ivau(a: &args::Sys) -> bool {
    (a.op1, a.crn, a.crm, a.op2) == (3, 7, 5, 1)
}
/// Lane size that `imm5` of a copy encodes.
pub(crate) fn copy_size(imm: i64) -> i64 {
    i64::from((imm as u64).trailing_zeros())
}
/// A copy of lanes that fit into the register.
pub fn copy_ok(q: i64, imm: i64) -> bool {
    imm & 15 != 0 && (q != 0 || imm & 7 != 0)
}
/// SMOV: bytes and halves to W, words too to X.
pub fn smov_ok(q: i64, imm: i64) -> bool {
    copy_size(imm) <= 1 + q
}
/// UMOV: bytes to words to W, doublewords to X.
pub fn umov_ok(q: i64, imm: i64) -> bool {
    if q == 1 { copy_size(imm) == 3 } else { copy_size(imm) < 3 }
}
/// UMOV of a word or doubleword is written as MOV.
pub fn wide_elem(imm: i64) -> bool {
    copy_size(imm) >= 2
}
/// A shift immediate whose lanes fit into the register.
pub fn shift_imm(q: i64, imm: i64) -> bool {
    imm >= 8 && (q == 1 || imm < 64)
}
/// A left shift by zero.
pub fn no_shift(imm: i64) -> bool {
    imm & (imm - 1) == 0
}
