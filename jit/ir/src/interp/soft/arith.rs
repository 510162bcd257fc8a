//! Sum, product, quotient, root, fused product and sum.

use super::{Class, Env, Format, Num, flag};
use crate::{NanRule, Rm};

/// A finite value on the way: `(-1)^sign * sig * 2^exp`.
#[derive(Clone, Copy)]
struct Value {
    sign: bool,
    exp: i32,
    sig: u128,
}

impl From<Num> for Value {
    fn from(n: Num) -> Value {
        Value { sign: n.sign, exp: n.exp, sig: n.sig }
    }
}

impl Value {
    /// With the leading bit at bit 125: room for a carry, and so many low
    /// zeros that a sticky lowest bit never meets the rounding position.
    fn normal(self) -> Value {
        let n = self.sig.leading_zeros() as i32 - 2;
        Value { exp: self.exp - n, sig: self.sig << n, ..self }
    }
    fn times(self, o: Value) -> Value {
        Value { sign: self.sign != o.sign, exp: self.exp + o.exp, sig: self.sig * o.sig }
    }
}

/// `x >> n`, the lowest bit set if anything was lost.
fn shift_sticky(x: u128, n: u32) -> u128 {
    match n {
        0 => x,
        1..=127 => x >> n | u128::from(x << (128 - n) != 0),
        _ => u128::from(x != 0),
    }
}

impl Env {
    /// Sum of two values; an exact zero gets the sign the rounding mode says.
    fn sum(&self, a: Value, b: Value) -> Value {
        if a.sig == 0 || b.sig == 0 {
            if a.sig == 0 && b.sig == 0 && a.sign != b.sign {
                return Value { sign: self.rm == Rm::Dn, exp: 0, sig: 0 };
            }
            return if a.sig == 0 { b } else { a };
        }
        let (a, b) = (a.normal(), b.normal());
        let (big, small) = if (a.exp, a.sig) >= (b.exp, b.sig) { (a, b) } else { (b, a) };
        let low = shift_sticky(small.sig, (big.exp - small.exp) as u32);
        if big.sign == small.sign {
            return Value { sig: big.sig + low, ..big };
        }
        match big.sig - low {
            0 => Value { sign: self.rm == Rm::Dn, exp: 0, sig: 0 },
            sig => Value { sig, ..big },
        }
    }
    fn finish(&mut self, f: Format, v: Value) -> u64 {
        self.round(f, v.sign, v.exp, v.sig)
    }

    pub(crate) fn add(&mut self, f: Format, x: u64, y: u64) -> u64 {
        let (x, y) = (self.unpack(f, x), self.unpack(f, y));
        self.add_nums(f, x, y, y.sign)
    }
    pub(crate) fn sub(&mut self, f: Format, x: u64, y: u64) -> u64 {
        let (x, y) = (self.unpack(f, x), self.unpack(f, y));
        self.add_nums(f, x, y, !y.sign)
    }
    /// Sum of `x` and `y`, the sign of `y` given apart: a NaN keeps its own.
    fn add_nums(&mut self, f: Format, x: Num, y: Num, y_sign: bool) -> u64 {
        if let Some(nan) = self.nan_of(f, &[x, y]) {
            return nan;
        }
        match (x.is_inf(), y.is_inf()) {
            (true, true) if x.sign != y_sign => self.invalid(f),
            (true, _) => f.inf(x.sign),
            (_, true) => f.inf(y_sign),
            (false, false) => {
                let v = self.sum(x.into(), Value { sign: y_sign, ..y.into() });
                self.finish(f, v)
            }
        }
    }

    pub(crate) fn mul(&mut self, f: Format, x: u64, y: u64) -> u64 {
        let (x, y) = (self.unpack(f, x), self.unpack(f, y));
        if let Some(nan) = self.nan_of(f, &[x, y]) {
            return nan;
        }
        let sign = x.sign != y.sign;
        match (x.class, y.class) {
            (Class::Inf, Class::Zero) | (Class::Zero, Class::Inf) => self.invalid(f),
            (Class::Inf, _) | (_, Class::Inf) => f.inf(sign),
            _ => self.finish(f, Value::from(x).times(y.into())),
        }
    }

    pub(crate) fn div(&mut self, f: Format, x: u64, y: u64) -> u64 {
        let (x, y) = (self.unpack(f, x), self.unpack(f, y));
        if let Some(nan) = self.nan_of(f, &[x, y]) {
            return nan;
        }
        let sign = x.sign != y.sign;
        match (x.class, y.class) {
            (Class::Inf, Class::Inf) | (Class::Zero, Class::Zero) => self.invalid(f),
            (Class::Inf, _) => f.inf(sign),
            (_, Class::Inf) | (Class::Zero, _) => f.zero(sign),
            (_, Class::Zero) => {
                self.raise(flag::DIV_ZERO);
                f.inf(sign)
            }
            _ => {
                let (a, b) = (Value::from(x).normal(), Value::from(y));
                // At least 125 - 53 bits of quotient.
                let sig = (a.sig / b.sig) | u128::from(a.sig % b.sig != 0);
                self.round(f, sign, a.exp - b.exp, sig)
            }
        }
    }

    pub(crate) fn sqrt(&mut self, f: Format, x: u64) -> u64 {
        let x = self.unpack(f, x);
        if let Some(nan) = self.nan_of(f, &[x]) {
            return nan;
        }
        if x.is_zero() {
            return x.bits;
        }
        if x.sign {
            return self.invalid(f);
        }
        if x.is_inf() {
            return x.bits;
        }
        let mut v = Value::from(x).normal();
        if v.exp % 2 != 0 {
            v = Value { exp: v.exp - 1, sig: v.sig << 1, ..v };
        }
        let root = v.sig.isqrt();
        // One more place for the sticky bit.
        let sig = root << 1 | u128::from(root * root != v.sig);
        self.round(f, false, v.exp / 2 - 1, sig)
    }

    pub(crate) fn fma(&mut self, f: Format, x: u64, y: u64, z: u64) -> u64 {
        let (x, y, z) = (self.unpack(f, x), self.unpack(f, y), self.unpack(f, z));
        let no_product = x.is_inf() && y.is_zero() || x.is_zero() && y.is_inf();
        if no_product && z.class == Class::Quiet && self.nan != NanRule::X86 {
            return self.invalid(f);
        }
        let order = if self.is_arm() { [z, x, y] } else { [x, y, z] };
        if let Some(nan) = self.nan_of(f, &order) {
            return nan;
        }
        if no_product {
            return self.invalid(f);
        }
        let sign = x.sign != y.sign;
        match (x.is_inf() || y.is_inf(), z.is_inf()) {
            (true, true) if sign != z.sign => self.invalid(f),
            (true, _) => f.inf(sign),
            (_, true) => f.inf(z.sign),
            (false, false) => {
                let v = self.sum(Value::from(x).times(y.into()), z.into());
                self.finish(f, v)
            }
        }
    }
}
