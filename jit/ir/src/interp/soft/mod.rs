//! Floating point in integers: IEEE 754-2019 with every rounding mode, flag
//! and NaN rule the IR knows, for every format it knows.
//!
//! A number is taken apart into `sig * 2^exp` with a 128-bit significand,
//! computed with exactly or with a sticky lowest bit far below the result's
//! precision, and put together again by one rounding function.

mod arith;
mod compare;
mod convert;
#[cfg(test)]
mod host;
mod round;
#[cfg(test)]
mod tables;

use crate::{Fp, Lane, NanRule, Rm, Type};

/// Bits of the sticky flags, as the `fpstat` op numbers them.
pub mod flag {
    /// Invalid operation.
    pub const INVALID: u32 = 1;
    /// A denormal operand was taken as zero.
    pub const DENORMAL: u32 = 2;
    /// Division by zero.
    pub const DIV_ZERO: u32 = 4;
    /// Overflow.
    pub const OVERFLOW: u32 = 8;
    /// Underflow.
    pub const UNDERFLOW: u32 = 16;
    /// Inexact.
    pub const INEXACT: u32 = 32;
}

/// Bits of the mode, as the `set_fpmode` op numbers them; bits 2:0 are a [`Rm`].
pub mod mode {
    /// F32 and F64 results that are denormal become zero.
    pub const FLUSH_RESULTS: u32 = 8;
    /// F32 and F64 operands that are denormal count as zero.
    pub const FLUSH_INPUTS: u32 = 16;
    /// Both, for F16.
    pub const FLUSH_F16: u32 = 32;
}

/// A binary interchange format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Format {
    exp_bits: u32,
    frac_bits: u32,
}

impl Format {
    pub(crate) const F16: Format = Format { exp_bits: 5, frac_bits: 10 };
    pub(crate) const F32: Format = Format { exp_bits: 8, frac_bits: 23 };
    pub(crate) const F64: Format = Format { exp_bits: 11, frac_bits: 52 };

    /// Format of a type; F64 for what is no floating-point type.
    pub(crate) fn of(t: Type) -> Format {
        match t {
            Type::F16 => Self::F16,
            Type::F32 => Self::F32,
            Type::F64
            | Type::Void
            | Type::Bool
            | Type::I32
            | Type::I64
            | Type::V128
            | Type::Flags => Self::F64,
        }
    }
    /// Format of a lane; F64 for the widths that have none.
    pub(crate) fn lane(l: Lane) -> Format {
        match l {
            Lane::H => Self::F16,
            Lane::S => Self::F32,
            Lane::B | Lane::D | Lane::Q => Self::F64,
        }
    }
    pub(crate) fn bits(self) -> u32 {
        1 + self.exp_bits + self.frac_bits
    }
    /// Exponent of the smallest normal number.
    fn emin(self) -> i32 {
        2 - (1 << (self.exp_bits - 1))
    }
    fn frac_mask(self) -> u64 {
        (1 << self.frac_bits) - 1
    }
    fn exp_max(self) -> u64 {
        (1 << self.exp_bits) - 1
    }
    pub(crate) fn sign_bit(self) -> u64 {
        1 << (self.bits() - 1)
    }
    fn quiet_bit(self) -> u64 {
        1 << (self.frac_bits - 1)
    }
    fn signed(self, sign: bool, magnitude: u64) -> u64 {
        if sign { magnitude | self.sign_bit() } else { magnitude }
    }
    fn inf(self, sign: bool) -> u64 {
        self.signed(sign, self.exp_max() << self.frac_bits)
    }
    fn zero(self, sign: bool) -> u64 {
        self.signed(sign, 0)
    }
    fn largest(self, sign: bool) -> u64 {
        self.inf(sign) - 1
    }
    /// The positive default NaN.
    pub(crate) fn default_nan(self) -> u64 {
        self.inf(false) | self.quiet_bit()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Zero,
    Finite,
    Inf,
    Quiet,
    Signalling,
}

/// A number taken apart: `(-1)^sign * sig * 2^exp` where it is finite.
#[derive(Clone, Copy, Debug)]
struct Num {
    class: Class,
    sign: bool,
    exp: i32,
    sig: u128,
    /// The encoding, after a denormal operand was flushed.
    bits: u64,
}

impl Num {
    fn is_nan(self) -> bool {
        matches!(self.class, Class::Quiet | Class::Signalling)
    }
    fn is_inf(self) -> bool {
        self.class == Class::Inf
    }
    fn is_zero(self) -> bool {
        self.class == Class::Zero
    }
}

/// How to compute, and the flags raised so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env {
    /// Flags raised, as [`flag`] numbers them.
    pub(crate) flags: u32,
    mode: u32,
    rm: Rm,
    nan: NanRule,
    /// Conversions between formats never flush F16.
    keep_f16: bool,
}

impl Env {
    /// For an op with policy `p` in mode `mode` (see [`mode`]).
    pub(crate) fn new(p: Fp, mode: u32) -> Env {
        let dynamic = match Rm::from_u8(mode as u8 & 7) {
            Rm::Dyn => Rm::Ne,
            rm => rm,
        };
        let rm = if p.rm == Rm::Dyn { dynamic } else { p.rm };
        Env { flags: 0, mode, rm, nan: p.nan, keep_f16: false }
    }

    fn is_arm(&self) -> bool {
        matches!(self.nan, NanRule::Arm | NanRule::ArmDefault)
    }
    fn raise(&mut self, flags: u32) {
        self.flags |= flags;
    }
    fn flushes(&self, f: Format, bit: u32) -> bool {
        let bit = if f == Format::F16 { mode::FLUSH_F16 } else { bit };
        self.mode & bit != 0 && !(f == Format::F16 && self.keep_f16)
    }

    fn unpack(&mut self, f: Format, bits: u64) -> Num {
        let sign = bits & f.sign_bit() != 0;
        let field = bits >> f.frac_bits & f.exp_max();
        let frac = bits & f.frac_mask();
        let quantum = f.emin() - f.frac_bits as i32;
        let num = |class, exp, sig: u64| Num { class, sign, exp, sig: u128::from(sig), bits };
        if field == f.exp_max() {
            return match frac {
                0 => num(Class::Inf, 0, 0),
                _ if frac & f.quiet_bit() != 0 => num(Class::Quiet, 0, frac),
                _ => num(Class::Signalling, 0, frac),
            };
        }
        if field != 0 {
            let sig = frac | 1 << f.frac_bits;
            return num(Class::Finite, quantum + field as i32 - 1, sig);
        }
        if frac == 0 {
            return num(Class::Zero, 0, 0);
        }
        if self.flushes(f, mode::FLUSH_INPUTS) {
            // Arm tells of it, except for F16 (DDI 0487, FPUnpackBase).
            if self.is_arm() && f != Format::F16 {
                self.raise(flag::DENORMAL);
            }
            return Num { bits: f.zero(sign), ..num(Class::Zero, 0, 0) };
        }
        num(Class::Finite, quantum, frac)
    }

    /// The NaN of an operation without a NaN operand.
    fn invalid(&mut self, f: Format) -> u64 {
        self.raise(flag::INVALID);
        self.default_nan(f)
    }
    fn default_nan(&self, f: Format) -> u64 {
        f.signed(self.nan == NanRule::X86, f.default_nan())
    }

    /// The result if an operand is NaN; `ops` in the order of preference.
    fn nan_of(&mut self, f: Format, ops: &[Num]) -> Option<u64> {
        let signalling = ops.iter().find(|o| o.class == Class::Signalling);
        let first = ops.iter().find(|o| o.is_nan())?;
        if signalling.is_some() {
            self.raise(flag::INVALID);
        }
        Some(match self.nan {
            NanRule::Default | NanRule::ArmDefault => f.default_nan(),
            NanRule::Arm => signalling.unwrap_or(first).bits | f.quiet_bit(),
            NanRule::X86 => first.bits | f.quiet_bit(),
        })
    }
}
