//! Conversions: between formats, from and to integers, to integral values.

use super::round::round_at;
use super::{Class, Env, Format, flag};
use crate::NanRule;

impl Env {
    /// Between formats. F16 denormals are never flushed here (DDI 0487,
    /// FPConvert).
    pub(crate) fn convert(&mut self, from: Format, to: Format, x: u64) -> u64 {
        self.keep_f16 = true;
        let n = self.unpack(from, x);
        match n.class {
            Class::Quiet | Class::Signalling => {
                if n.class == Class::Signalling {
                    self.raise(flag::INVALID);
                }
                if matches!(self.nan, NanRule::Default | NanRule::ArmDefault) {
                    return to.default_nan();
                }
                // The payload keeps its high bits.
                let payload = (n.sig as u64) << (64 - from.frac_bits) >> (64 - to.frac_bits);
                to.signed(n.sign, to.default_nan() | payload)
            }
            Class::Inf => to.inf(n.sign),
            Class::Zero => to.zero(n.sign),
            Class::Finite => self.round(to, n.sign, n.exp, n.sig),
        }
    }

    /// An integer times `2^exp`.
    pub(crate) fn of_int(&mut self, f: Format, v: i128, exp: i32) -> u64 {
        self.round(f, v < 0, exp, v.unsigned_abs())
    }

    /// `x * 2^scale` to an integer of `bits` bits, saturating; NaN gives 0 or,
    /// if `nan_max`, the largest integer.
    pub(crate) fn int_of(
        &mut self,
        f: Format,
        x: u64,
        scale: i32,
        bits: u32,
        signed: bool,
        nan_max: bool,
    ) -> i128 {
        let n = self.unpack(f, x);
        let (min, max) = if signed {
            (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
        } else {
            (0, (1i128 << bits) - 1)
        };
        let limit = if n.sign { min } else { max };
        match n.class {
            Class::Zero => return 0,
            Class::Quiet | Class::Signalling => {
                self.raise(flag::INVALID);
                return if nan_max { max } else { 0 };
            }
            Class::Inf => {
                self.raise(flag::INVALID);
                return limit;
            }
            Class::Finite => {}
        }
        let exp = n.exp.saturating_add(scale);
        if exp > 70 {
            self.raise(flag::INVALID);
            return limit;
        }
        let (m, inexact) = round_at(self.rm, n.sign, exp, n.sig, 0);
        let v = if n.sign { -(m as i128) } else { m as i128 };
        if v < min || v > max {
            self.raise(flag::INVALID);
            return limit;
        }
        if inexact {
            self.raise(flag::INEXACT);
        }
        v
    }

    /// To an integral value of the same format; raises inexact if `exact`.
    pub(crate) fn round_to_integral(&mut self, f: Format, x: u64, exact: bool) -> u64 {
        let n = self.unpack(f, x);
        if let Some(nan) = self.nan_of(f, &[n]) {
            return nan;
        }
        if n.class != Class::Finite || n.exp >= 0 {
            return n.bits;
        }
        let (m, inexact) = round_at(self.rm, n.sign, n.exp, n.sig, 0);
        if inexact && exact {
            self.raise(flag::INEXACT);
        }
        self.round(f, n.sign, 0, m)
    }
}
