//! Comparisons, minima and maxima.

use core::cmp::Ordering;

use super::{Class, Env, Format, Num, flag};
use crate::{FCond, NanRule};

/// Order of two numbers that are not NaN; the zeros are equal.
fn order(x: Num, y: Num) -> Ordering {
    if x.is_zero() && y.is_zero() {
        return Ordering::Equal;
    }
    // Encodings of one sign order as integers.
    let key = |n: Num| {
        let magnitude = i128::from(if n.sign { n.bits ^ top_bit(n) } else { n.bits });
        if n.sign { -magnitude } else { magnitude }
    };
    key(x).cmp(&key(y))
}

/// The sign bit of a negative number's encoding.
fn top_bit(n: Num) -> u64 {
    1 << (63 - n.bits.leading_zeros())
}

impl Env {
    /// Order of `x` and `y`; `None` if one is NaN. Raises invalid for a
    /// signalling NaN, and for a quiet one too if `signalling`.
    pub(crate) fn compare(
        &mut self,
        f: Format,
        x: u64,
        y: u64,
        signalling: bool,
    ) -> Option<Ordering> {
        let (x, y) = (self.unpack(f, x), self.unpack(f, y));
        if x.is_nan() || y.is_nan() {
            let either = x.class == Class::Signalling || y.class == Class::Signalling;
            if signalling || either {
                self.raise(flag::INVALID);
            }
            return None;
        }
        Some(order(x, y))
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&mut self, f: Format, x: u64, y: u64, c: FCond) -> bool {
        let signalling = match c {
            FCond::Lt | FCond::Le | FCond::EqS => true,
            FCond::Eq | FCond::LtQ | FCond::LeQ | FCond::Uno => false,
        };
        let o = self.compare(f, x, y, signalling);
        match c {
            FCond::Eq | FCond::EqS => o == Some(Ordering::Equal),
            FCond::Lt | FCond::LtQ => o == Some(Ordering::Less),
            FCond::Le | FCond::LeQ => matches!(o, Some(Ordering::Less | Ordering::Equal)),
            FCond::Uno => o.is_none(),
        }
    }

    /// Minimum, or maximum if `max`; NaN if either is.
    pub(crate) fn min_max(&mut self, f: Format, x: u64, y: u64, max: bool) -> u64 {
        let (x, y) = (self.unpack(f, x), self.unpack(f, y));
        self.pick(f, x, y, max)
    }

    fn pick(&mut self, f: Format, x: Num, y: Num, max: bool) -> u64 {
        if self.nan == NanRule::X86 {
            if x.is_nan() || y.is_nan() {
                self.raise(flag::INVALID);
                return y.bits;
            }
            let first = order(x, y) == if max { Ordering::Greater } else { Ordering::Less };
            return if first { x.bits } else { y.bits };
        }
        if let Some(nan) = self.nan_of(f, &[x, y]) {
            return nan;
        }
        let first = match order(x, y) {
            Ordering::Less => !max,
            Ordering::Greater => max,
            // Only the zeros differ: the negative one is less.
            Ordering::Equal => x.sign != max,
        };
        if first { x.bits } else { y.bits }
    }

    /// Minimum or maximum where a number wins against a quiet NaN.
    pub(crate) fn min_max_num(&mut self, f: Format, x: u64, y: u64, max: bool) -> u64 {
        let (a, b) = (self.unpack(f, x), self.unpack(f, y));
        if !self.is_arm() {
            if a.class == Class::Signalling || b.class == Class::Signalling {
                self.raise(flag::INVALID);
            }
            return match (a.is_nan(), b.is_nan()) {
                (true, true) => self.default_nan(f),
                (true, false) => b.bits,
                (false, true) => a.bits,
                (false, false) => self.pick(f, a, b, max),
            };
        }
        // DDI 0487, FPMaxNum: a lone quiet NaN counts as the infinity that loses.
        let loser = self.unpack(f, f.inf(max));
        match (a.class, b.class) {
            (Class::Quiet, Class::Quiet) => self.pick(f, a, b, max),
            (Class::Quiet, _) => self.pick(f, loser, b, max),
            (_, Class::Quiet) => self.pick(f, a, loser, max),
            _ => self.pick(f, a, b, max),
        }
    }
}
