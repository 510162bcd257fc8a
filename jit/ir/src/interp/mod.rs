//! The interpreter: what every op means.
//!
//! [`eval`] gives the value of any op that touches neither state nor memory
//! nor control; [`run`] executes regions. Back ends and passes are judged
//! against both. Values are carried as 128 bits with the unused upper ones
//! zero: truth as 0 or 1, flags with N, Z, C, V in bits 31 to 28,
//! floating-point numbers as their encoding.

mod crypto;
mod eval;
mod flags;
mod float;
mod hash;
mod int;
mod lanes;
mod memory;
mod moves;
mod packed;
mod run;
mod shim;
mod soft;
#[cfg(test)]
mod tests;

pub use eval::eval;
pub use memory::{Fault, FlatMemory, Memory};
pub use packed::Packed;
pub use run::{Outcome, layout, run};
pub use shim::eval_shim;
pub use soft::{flag as fp_flag, mode as fp_mode};

use crate::Type;

/// Bits of a value of a type.
pub(crate) fn width(t: Type) -> u32 {
    match t {
        Type::Void => 0,
        Type::Bool => 1,
        Type::F16 => 16,
        Type::I32 | Type::F32 | Type::Flags => 32,
        Type::I64 | Type::F64 => 64,
        Type::V128 => 128,
    }
}

/// The low `bits` bits.
pub(crate) fn low(x: u128, bits: u32) -> u128 {
    match bits {
        0 => 0,
        1..=127 => x & ((1 << bits) - 1),
        _ => x,
    }
}

/// The low `bits` bits as a signed number.
pub(crate) fn signed(x: u128, bits: u32) -> i128 {
    match bits {
        0 => 0,
        1..=127 => (x << (128 - bits)) as i128 >> (128 - bits),
        _ => x as i128,
    }
}
