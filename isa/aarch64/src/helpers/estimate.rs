//! Reciprocal estimates and bfloat16 dot products. DDI 0487, shared
//! pseudocode: `FPRecipEstimate`, `FPRSqrtEstimate`, `FPRecpX`, `BFDotAdd`.

use remu_isa::ir::Helper;

use super::vector_helper;

/// FRECPE.
pub(crate) const RECIPROCAL: u64 = 0;
/// FRSQRTE.
pub(crate) const ROOT: u64 = 1;
/// FRECPX.
pub(crate) const EXPONENT: u64 = 2;
/// URECPE.
pub(crate) const UNSIGNED_RECIPROCAL: u64 = 3;
/// URSQRTE.
pub(crate) const UNSIGNED_ROOT: u64 = 4;

const INVALID: u64 = 1;
const INPUT_DENORMAL: u64 = 2;
const DIVIDE: u64 = 4;
const OVERFLOW: u64 = 8;
const UNDERFLOW: u64 = 16;
const INEXACT: u64 = 32;

/// The estimate of bits `a`; `b` holds kind and lane size, `c` FPCR.
extern "C" fn value(_: *mut u8, a: u64, b: u64, c: u64) -> u64 {
    estimate(a, b, c).0
}
/// The flags the estimate raises.
extern "C" fn flags(_: *mut u8, a: u64, b: u64, c: u64) -> u64 {
    estimate(a, b, c).1
}
pub(crate) const VALUE: Helper = Helper { name: "a64_estimate", func: value, writes_state: false };
pub(crate) const FLAGS: Helper =
    Helper { name: "a64_estimate_flags", func: flags, writes_state: false };

/// `RecipEstimate` of 256 to 511.
fn reciprocal(a: u64) -> u64 {
    ((1 << 19) / (a * 2 + 1)).div_ceil(2)
}
/// `RecipSqrtEstimate` of 128 to 511.
fn root(a: u64) -> u64 {
    let a = if a < 256 { a * 2 + 1 } else { ((a >> 1 << 1) + 1) * 2 };
    let mut b = 512;
    while a * (b + 1) * (b + 1) < 1 << 28 {
        b += 1;
    }
    b.div_ceil(2)
}

/// A number taken apart: its format, sign, exponent, fraction.
struct Parts {
    fraction_bits: u32,
    max: i64,
    sign: u64,
    exponent: i64,
    fraction: u64,
}

impl Parts {
    fn of(bits: u64, size: u64) -> Parts {
        let (fraction_bits, exponent_bits) = match size {
            1 => (10, 5),
            2 => (23, 8),
            _ => (52, 11),
        };
        Parts {
            fraction_bits,
            max: (1 << exponent_bits) - 1,
            sign: bits >> (fraction_bits + exponent_bits) & 1,
            exponent: (bits >> fraction_bits & ((1 << exponent_bits) - 1)) as i64,
            fraction: bits & ((1 << fraction_bits) - 1),
        }
    }
    fn pack(&self, sign: u64, exponent: i64, fraction: u64) -> u64 {
        let top = (sign * (self.max as u64 + 1)) | exponent as u64;
        top << self.fraction_bits | fraction
    }
    fn default_nan(&self) -> u64 {
        self.pack(0, self.max, 1 << (self.fraction_bits - 1))
    }
    /// Fraction at 52 bits.
    fn wide(&self) -> u64 {
        self.fraction << (52 - self.fraction_bits)
    }
}

const TOP: u64 = 1 << 51;
const MASK: u64 = (1 << 52) - 1;

fn estimate(bits: u64, which: u64, fpcr: u64) -> (u64, u64) {
    let (kind, size) = (which >> 2, which & 3);
    match kind {
        UNSIGNED_RECIPROCAL if bits >> 31 == 0 => return (0xffff_ffff, 0),
        UNSIGNED_RECIPROCAL => return (reciprocal(bits >> 23 & 0x1ff) << 23, 0),
        UNSIGNED_ROOT if bits >> 30 == 0 => return (0xffff_ffff, 0),
        UNSIGNED_ROOT => return (root(bits >> 23 & 0x1ff) << 23, 0),
        _ => {}
    }
    let mut p = Parts::of(bits, size);
    if p.exponent == p.max && p.fraction != 0 {
        let quiet = 1 << (p.fraction_bits - 1);
        let raised = if p.fraction & quiet == 0 { INVALID } else { 0 };
        let nan = if fpcr >> 25 & 1 == 1 { p.default_nan() } else { bits | quiet };
        return (nan, raised);
    }
    let flush = fpcr >> if size == 1 { 19 } else { 24 } & 1 == 1;
    let mut raised = 0;
    if flush && p.exponent == 0 && p.fraction != 0 {
        p.fraction = 0;
        raised = if size == 1 { 0 } else { INPUT_DENORMAL };
    }
    if kind == EXPONENT {
        let e = if p.exponent == 0 { p.max - 1 } else { p.max & !p.exponent };
        return (p.pack(p.sign, e, 0), raised);
    }
    if p.exponent == 0 && p.fraction == 0 {
        return (p.pack(p.sign, p.max, 0), raised | DIVIDE);
    }
    if kind == ROOT {
        return (root_estimate(&p), if p.sign == 1 { INVALID } else { 0 });
    }
    if p.exponent == p.max {
        return (p.pack(p.sign, 0, 0), 0);
    }
    let (mut exponent, mut fraction) = (p.exponent, p.wide());
    // Below 2^-(bias + 1) the reciprocal overflows.
    if exponent == 0 && fraction & (3 << 50) == 0 {
        let infinite = match fpcr >> 22 & 3 {
            0 => true,
            1 => p.sign == 0,
            2 => p.sign == 1,
            _ => false,
        };
        let v = if infinite {
            p.pack(p.sign, p.max, 0)
        } else {
            p.pack(p.sign, p.max - 1, (1 << p.fraction_bits) - 1)
        };
        return (v, OVERFLOW | INEXACT);
    }
    if flush && exponent >= p.max - 2 {
        return (p.pack(p.sign, 0, 0), UNDERFLOW);
    }
    if exponent == 0 {
        let shift = if fraction & TOP == 0 { 2 } else { 1 };
        exponent = 1 - shift;
        fraction = fraction << shift & MASK;
    }
    let estimate = reciprocal(0x100 | fraction >> 44);
    let mut result = p.max - 2 - exponent;
    let mut fraction = (estimate & 0xff) << 44;
    if result == 0 {
        fraction = TOP | fraction >> 1;
    } else if result == -1 {
        fraction = TOP >> 1 | fraction >> 2;
        result = 0;
    }
    (p.pack(p.sign, result, fraction >> (52 - p.fraction_bits)), 0)
}

fn root_estimate(p: &Parts) -> u64 {
    if p.sign == 1 {
        return p.default_nan();
    }
    if p.exponent == p.max {
        return 0;
    }
    let (mut exponent, mut fraction) = (p.exponent, p.wide());
    if exponent == 0 {
        while fraction & TOP == 0 {
            fraction = fraction << 1 & MASK;
            exponent -= 1;
        }
        fraction = fraction << 1 & MASK;
    }
    let scaled = if exponent & 1 == 0 { 0x100 | fraction >> 44 } else { 0x80 | fraction >> 45 };
    // 44, 380 and 3068 are three times the bias, less one.
    let bias = p.max >> 1;
    let result = (3 * bias - 1 - exponent) >> 1;
    p.pack(0, result, (root(scaled) & 0xff) << (p.fraction_bits - 8))
}

/// `f64` to single precision, rounded to odd, without denormals.
fn round_odd(v: f64) -> f32 {
    if v.is_nan() {
        return f32::from_bits(0x7fc0_0000);
    }
    if v.abs() < f64::from(f32::MIN_POSITIVE) {
        return if v.is_sign_negative() { -0.0 } else { 0.0 };
    }
    let bits = v.to_bits();
    let odd = u64::from(bits & 0x1fff_ffff != 0) << 29;
    let t = f64::from_bits((bits & !0x1fff_ffff) | odd);
    // Exact unless it overflows, to infinity.
    t as f32
}
fn flush(v: f32) -> f64 {
    if v.is_subnormal() { f64::from(0.0f32.copysign(v)) } else { v.into() }
}
fn bf_multiply(x: u16, y: u16) -> f32 {
    let wide = |v: u16| flush(f32::from_bits(u32::from(v) << 16));
    round_odd(wide(x) * wide(y))
}
fn bf_add(x: f32, y: f32) -> f32 {
    let (x, y) = (flush(x), flush(y));
    let sum = x + y;
    if !sum.is_finite() || sum == 0.0 {
        return round_odd(sum);
    }
    // What the sum lost, and the sum rounded to odd.
    let back = sum - x;
    let lost = (x - (sum - back)) + (y - back);
    let bits = sum.to_bits();
    round_odd(if lost == 0.0 {
        sum
    } else if (lost > 0.0) == (sum > 0.0) {
        f64::from_bits(bits | 1)
    } else {
        f64::from_bits((bits - 1) | 1)
    })
}
fn half(v: u128, i: u32) -> u16 {
    (v >> (16 * i)) as u16
}
fn single(v: u128, i: u32) -> f32 {
    f32::from_bits((v >> (32 * i)) as u32)
}
/// Adds the products of lanes `i` of x and `j` of y, two each.
fn dot(sum: f32, x: u128, i: u32, y: u128, j: u32) -> f32 {
    let product = |k| bf_multiply(half(x, 2 * i + k), half(y, 2 * j + k));
    bf_add(sum, bf_add(product(0), product(1)))
}
fn collect(f: impl Fn(u32) -> f32) -> u128 {
    (0..4).fold(0, |v, i| v | u128::from(f(i).to_bits()) << (32 * i))
}
fn bfdot(v: [u128; 3], _: u16) -> u128 {
    collect(|i| dot(single(v[0], i), v[1], i, v[2], i))
}
fn bfmmla(v: [u128; 3], _: u16) -> u128 {
    collect(|i| {
        let (row, column) = (i / 2 * 2, i % 2 * 2);
        let first = dot(single(v[0], i), v[1], row, v[2], column);
        dot(first, v[1], row + 1, v[2], column + 1)
    })
}
vector_helper! {
    BFDOT "a64_bfdot" bfdot;
    BFMMLA "a64_bfmmla" bfmmla;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single_estimate(kind: u64, x: f32) -> (f32, u64) {
        let (v, f) = estimate(x.to_bits().into(), kind << 2 | 2, 0);
        (f32::from_bits(v as u32), f)
    }

    #[test]
    fn reciprocals() {
        assert_eq!(single_estimate(RECIPROCAL, 1.0), (0.998_046_9, 0));
        assert_eq!(single_estimate(RECIPROCAL, 0.0), (f32::INFINITY, DIVIDE));
        assert_eq!(single_estimate(RECIPROCAL, f32::NEG_INFINITY), (-0.0, 0));
        assert_eq!(single_estimate(RECIPROCAL, 1e-40), (f32::INFINITY, OVERFLOW | INEXACT));
        assert_eq!(single_estimate(ROOT, 1.0), (0.998_046_9, 0));
        assert_eq!(single_estimate(ROOT, 4.0), (0.499_023_44, 0));
        assert_eq!(single_estimate(ROOT, -1.0).1, INVALID);
        assert_eq!(single_estimate(EXPONENT, 1.0).0, f32::from_bits(0x4000_0000));
        assert_eq!(estimate(0x8000_0000, UNSIGNED_RECIPROCAL << 2 | 2, 0).0, 0xff80_0000);
    }

    #[test]
    fn bfloat_dot_products() {
        let ones = 0x3f80_3f80_3f80_3f80_3f80_3f80_3f80_3f80;
        let two = u128::from(2f32.to_bits());
        assert_eq!(bfdot([0, ones, ones], 0), two << 96 | two << 64 | two << 32 | two);
        assert_eq!(bfmmla([0, ones, ones], 0) as u32, 4f32.to_bits());
        // Rounded to odd, not to nearest.
        assert_eq!(bf_add(1.0, 1e-20).to_bits(), 0x3f80_0001);
        assert_eq!(bf_add(1.0, -1e-20).to_bits(), 0x3f7f_ffff);
    }
}
