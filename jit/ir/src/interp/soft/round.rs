//! The one place where results are rounded and put together.

use core::cmp::Ordering;

use super::{Env, Format, flag, mode};
use crate::{NanRule, Rm};

/// `sig * 2^exp` in units of `2^quantum`, rounded by `rm`; whether that was
/// inexact. The result must fit.
pub(super) fn round_at(rm: Rm, sign: bool, exp: i32, sig: u128, quantum: i32) -> (u128, bool) {
    let shift = quantum - exp;
    if shift <= 0 {
        return (sig << -shift, false);
    }
    let (whole, rest, half) = match shift {
        1..=127 => (sig >> shift, sig & ((1 << shift) - 1), 1 << (shift - 1)),
        128 => (0, sig, 1 << 127),
        // Less than half of the unit, however much that is.
        _ => (0, u128::from(sig != 0), 2),
    };
    if rest == 0 {
        return (whole, false);
    }
    let up = match rm {
        Rm::Ne | Rm::Dyn => match rest.cmp(&half) {
            Ordering::Greater => true,
            Ordering::Equal => whole & 1 != 0,
            Ordering::Less => false,
        },
        Rm::Na => rest >= half,
        Rm::Tz => false,
        Rm::Dn => sign,
        Rm::Up => !sign,
        Rm::Odd => whole & 1 == 0,
    };
    (whole + u128::from(up), true)
}

impl Env {
    /// Rounds `(-1)^sign * sig * 2^exp` to a format. The lowest bit of `sig`
    /// may stand for "and a little more" if it is below the result's half.
    pub(super) fn round(&mut self, f: Format, sign: bool, exp: i32, sig: u128) -> u64 {
        if sig == 0 {
            return f.zero(sign);
        }
        let precision = f.frac_bits as i32;
        let top = 127 - sig.leading_zeros() as i32 + exp;
        let mut tiny = top < f.emin();
        if tiny && self.is_arm() && self.flushes(f, mode::FLUSH_RESULTS) {
            // DDI 0487, FPRoundBase: flushed before rounding, not inexact.
            self.raise(flag::UNDERFLOW);
            return f.zero(sign);
        }
        let scale = top.max(f.emin());
        let (m, inexact) = round_at(self.rm, sign, exp, sig, scale - precision);
        if tiny && top == f.emin() - 1 && !self.is_arm() {
            // Tininess after rounding: not if the full precision carries over.
            let (full, _) = round_at(self.rm, sign, exp, sig, top - precision);
            tiny = full >> (precision + 1) == 0;
        }
        if tiny && self.nan == NanRule::X86 && self.flushes(f, mode::FLUSH_RESULTS) {
            self.raise(flag::UNDERFLOW | flag::INEXACT);
            return f.zero(sign);
        }
        // The leading bit of a normal number counts as one in the exponent.
        let magnitude = ((scale - f.emin()) as u64) << f.frac_bits;
        let magnitude = magnitude + m as u64;
        if magnitude >= f.inf(false) {
            self.raise(flag::OVERFLOW | flag::INEXACT);
            let to_inf = match self.rm {
                Rm::Ne | Rm::Na | Rm::Dyn => true,
                Rm::Tz | Rm::Odd => false,
                Rm::Dn => sign,
                Rm::Up => !sign,
            };
            return if to_inf { f.inf(sign) } else { f.largest(sign) };
        }
        if inexact {
            self.raise(flag::INEXACT | if tiny { flag::UNDERFLOW } else { 0 });
        }
        f.signed(sign, magnitude)
    }
}
