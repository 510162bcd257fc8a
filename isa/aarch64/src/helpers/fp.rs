//! Floating-point helpers. They return the result in the low 32 bits and
//! sticky flags above, numbered as the `fpstat` op numbers them.

const INVALID: u64 = 1;
const INPUT_DENORMAL: u64 = 2;
const OVERFLOW: u64 = 8;
const UNDERFLOW: u64 = 16;
const INEXACT: u64 = 32;

/// BFCVT: `a` holds the single's bits, `b` FPCR. Bits 15:0 of the result are
/// the bfloat16, bits 63:32 the flags. DDI 0487, `FPConvertBF`.
pub(crate) extern "C" fn bfcvt(_: *mut u8, a: u64, b: u64, _: u64) -> u64 {
    let (x, fpcr) = (a as u32, b as u32);
    let sign = x & 0x8000_0000;
    let magnitude = x & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        let signalling = if x & 0x0040_0000 == 0 { INVALID } else { 0 };
        let nan = if fpcr >> 25 & 1 == 1 { 0x7fc0 } else { x >> 16 | 0x40 };
        return u64::from(nan) | signalling << 32;
    }
    let flush = fpcr >> 24 & 1 == 1;
    if flush && magnitude != 0 && magnitude < 0x0080_0000 {
        return u64::from(sign >> 16) | INPUT_DENORMAL << 32;
    }
    let (kept, lost) = (magnitude >> 16, magnitude & 0xffff);
    let up = match fpcr >> 22 & 3 {
        0 => lost > 0x8000 || (lost == 0x8000 && kept & 1 == 1),
        1 => sign == 0 && lost != 0,
        2 => sign != 0 && lost != 0,
        _ => false,
    };
    let r = kept + u32::from(up);
    let mut flags = 0;
    if lost != 0 {
        flags |= INEXACT;
        if magnitude < 0x0080_0000 {
            flags |= UNDERFLOW;
        }
        if r >= 0x7f80 {
            flags |= OVERFLOW;
        }
    }
    u64::from(sign >> 16 | r) | flags << 32
}

/// FJCVTZS: `a` holds the double's bits, `b` FPCR. Bit 32 of the result: the conversion
/// was exact (and not of -0); from bit 33: the flags. DDI 0487, `FPToFixedJS`.
pub(crate) extern "C" fn fjcvtzs(_: *mut u8, a: u64, b: u64, _: u64) -> u64 {
    if b >> 24 & 1 == 1 && f64::from_bits(a).is_subnormal() {
        return INPUT_DENORMAL << 33;
    }
    let x = f64::from_bits(a);
    let truncated = x.trunc();
    // The low 32 bits of the integer, for any exponent.
    let exponent = (a >> 52 & 0x7ff) as i32 - 1075;
    let mantissa = a & ((1 << 52) - 1) | 1 << 52;
    let magnitude = match exponent {
        _ if !x.is_finite() => 0,
        e if e >= 32 => 0,
        e if e >= 0 => (mantissa << e) as u32,
        e if e > -64 => (mantissa >> -e) as u32,
        _ => 0,
    };
    let value = if a >> 63 == 1 { magnitude.wrapping_neg() } else { magnitude };
    let fits = (-2147483648.0..=2147483647.0).contains(&truncated);
    let flags = match fits {
        false => INVALID,
        true if truncated != x => INEXACT,
        true => 0,
    };
    let exact = fits && truncated == x && a != 1 << 63;
    u64::from(value) | u64::from(exact) << 32 | flags << 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn js(x: f64) -> (i32, bool, u64) {
        js_with(x, 0)
    }
    fn js_with(x: f64, fpcr: u64) -> (i32, bool, u64) {
        let r = fjcvtzs(core::ptr::null_mut(), x.to_bits(), fpcr, 0);
        (r as i32, r >> 32 & 1 == 1, r >> 33)
    }

    #[test]
    fn javascript_conversion_wraps() {
        assert_eq!(js(1.0), (1, true, 0));
        assert_eq!(js(-1.5), (-1, false, INEXACT));
        assert_eq!(js(-0.0), (0, false, 0));
        assert_eq!(js(4294967297.0), (1, false, INVALID));
        assert_eq!(js(-2147483648.0), (i32::MIN, true, 0));
        assert_eq!(js(2147483648.0), (i32::MIN, false, INVALID));
        assert_eq!(js(f64::NAN), (0, false, INVALID));
        assert_eq!(js(1e300), (0, false, INVALID));
        assert_eq!(js(5e-324), (0, false, INEXACT));
        assert_eq!(js_with(5e-324, 1 << 24), (0, false, INPUT_DENORMAL));
        assert_eq!(js_with(-0.5, 1 << 24), (0, false, INEXACT));
    }

    #[test]
    fn bfloat_rounds_to_even() {
        let bf = |x: u32, fpcr| bfcvt(core::ptr::null_mut(), x.into(), fpcr, 0);
        assert_eq!(bf(0x3f80_0000, 0), 0x3f80);
        assert_eq!(bf(0x3f80_8000, 0), 0x3f80 | INEXACT << 32);
        assert_eq!(bf(0x3f81_8000, 0), 0x3f82 | INEXACT << 32);
        assert_eq!(bf(0x3f80_8000, 1 << 22), 0x3f81 | INEXACT << 32);
        assert_eq!(bf(0x7f80_0001, 0), 0x7fc0 | INVALID << 32);
        assert_eq!(bf(0x7f7f_ffff, 0), 0x7f80 | (INEXACT | OVERFLOW) << 32);
    }
}
