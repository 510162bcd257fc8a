//! Functions that translated code calls for rare semantics.

mod call;
pub(crate) mod hash;
pub(crate) mod vector;

use std::sync::OnceLock;
use std::time::Instant;

use remu_ir::Helper;

/// Counter of the time since the process began, in nanoseconds. It also
/// stands for the cycles and instructions that nobody counts.
pub(crate) const TIME: Helper = Helper { name: "time", func: time, writes_state: false };

extern "C" fn time(_: *mut u8, _: u64, _: u64, _: u64) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// `fcvtmod.w.d` of a double's bits: the integer modulo 2^32 in the low half,
/// flags as the `fpstat` op numbers them in the high half ("Zfa").
pub(crate) const FCVTMOD: Helper = Helper { name: "fcvtmod", func: fcvtmod, writes_state: false };

extern "C" fn fcvtmod(_: *mut u8, bits: u64, _: u64, _: u64) -> u64 {
    const NX: u64 = 32 << 32;
    const NV: u64 = 1 << 32;
    let (exp, frac) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    match exp {
        0 if frac == 0 => return 0,
        0x7ff => return NV,
        _ => {}
    }
    let significand = frac | 1 << 52;
    // The value is significand * 2^shift; a denormal is below one all the same.
    let shift = exp - 1075;
    let (magnitude, inexact) = match shift {
        // Only multiples of 2^32 are left.
        32.. => (0, false),
        0..32 => (significand << shift, false),
        -52..0 => (significand >> -shift, significand << (64 + shift) != 0),
        _ => (0, true),
    };
    let negative = bits >> 63 != 0;
    let low = if negative { magnitude.wrapping_neg() } else { magnitude } & 0xffff_ffff;
    // In range: truncated to what a signed 32-bit integer holds.
    let limit = if negative { 1 << 31 } else { (1 << 31) - 1 };
    let fits = shift < 0 && magnitude <= limit;
    low | if !fits {
        NV
    } else if inexact {
        NX
    } else {
        0
    }
}

/// One byte through the S-box of SM4.
pub(crate) const SM4_SUB: Helper = Helper { name: "rv_sm4", func: sm4_sub, writes_state: false };

extern "C" fn sm4_sub(_: *mut u8, x: u64, _: u64, _: u64) -> u64 {
    (remu_isa::sm4_sub(x as u32) & 0xff).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modular_conversion() {
        let f = |x: f64| {
            let r = fcvtmod(core::ptr::null_mut(), x.to_bits(), 0, 0);
            (r as u32 as i32, (r >> 32) as u32)
        };
        assert_eq!(f(0.0), (0, 0));
        assert_eq!(f(-1.5), (-1, 32));
        assert_eq!(f(2_147_483_647.0), (i32::MAX, 0));
        assert_eq!(f(-2_147_483_648.0), (i32::MIN, 0));
        assert_eq!(f(2_147_483_648.0), (i32::MIN, 1));
        assert_eq!(f(4_294_967_297.5), (1, 1));
        assert_eq!(f(-4_294_967_297.0), (-1, 1));
        assert_eq!(
            f(9_007_199_254_740_993.0 * 4.0),
            (((9_007_199_254_740_993.0_f64 * 4.0) as i64) as i32, 1)
        );
        assert_eq!(f(1e300), (0, 1));
        assert_eq!(f(5e-324), (0, 32));
        assert_eq!(f(f64::NAN), (0, 1));
        assert_eq!(f(f64::INFINITY), (0, 1));
    }

    #[test]
    fn time_goes_on() {
        let now = || time(core::ptr::null_mut(), 0, 0, 0);
        let before = now();
        assert!(now() >= before);
    }
}
