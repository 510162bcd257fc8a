//! The soft arithmetic against the host's processor, bit for bit.
#![expect(unsafe_code, reason = "floating-point instructions with a chosen control register")]

use core::arch::asm;

use super::{Env, Format, flag, mode};
use crate::{Fp, NanRule, Rm};

const MASKED: u32 = 0x1f80;

macro_rules! host {
    ($($name:ident: $ty:ty = $insn:literal;)*) => {$(
        fn $name(control: &mut u32, x: u64, y: u64, z: u64) -> u64 {
            let mut r = <$ty>::from_bits(x as _);
            let (y, z) = (<$ty>::from_bits(y as _), <$ty>::from_bits(z as _));
            let usual = MASKED;
            // SAFETY: the control register is the usual one again afterwards.
            unsafe {
                asm!(
                    "ldmxcsr [{m}]", $insn, "stmxcsr [{m}]", "ldmxcsr [{d}]",
                    m = in(reg) control, d = in(reg) &usual,
                    r = inout(xmm_reg) r, y = in(xmm_reg) y, z = in(xmm_reg) z,
                    options(nostack),
                );
            }
            let _ = (y, z);
            r.to_bits().into()
        }
    )*};
}

host! {
    add64: f64 = "addsd {r}, {y} /* {z} */";
    sub64: f64 = "subsd {r}, {y} /* {z} */";
    mul64: f64 = "mulsd {r}, {y} /* {z} */";
    div64: f64 = "divsd {r}, {y} /* {z} */";
    sqrt64: f64 = "sqrtsd {r}, {r} /* {y} {z} */";
    min64: f64 = "minsd {r}, {y} /* {z} */";
    max64: f64 = "maxsd {r}, {y} /* {z} */";
    fma64: f64 = "vfmadd132sd {r}, {z}, {y}";
    add32: f32 = "addss {r}, {y} /* {z} */";
    sub32: f32 = "subss {r}, {y} /* {z} */";
    mul32: f32 = "mulss {r}, {y} /* {z} */";
    div32: f32 = "divss {r}, {y} /* {z} */";
    sqrt32: f32 = "sqrtss {r}, {r} /* {y} {z} */";
    min32: f32 = "minss {r}, {y} /* {z} */";
    max32: f32 = "maxss {r}, {y} /* {z} */";
    fma32: f32 = "vfmadd132ss {r}, {z}, {y}";
    narrow64: f64 = "cvtsd2ss {r}, {r} /* {y} {z} */";
    widen32: f64 = "cvtss2sd {r}, {r} /* {y} {z} */";
    half32: f64 = "vcvtps2ph {r}, {r}, 4 /* {y} {z} */";
    single16: f64 = "vcvtph2ps {r}, {r} /* {y} {z} */";
    integral64: f64 = "roundsd {r}, {r}, 4 /* {y} {z} */";
    integral32: f32 = "roundss {r}, {r}, 4 /* {y} {z} */";
}

/// Rounding modes with the control register's bits for them.
const MODES: [(Rm, u32); 4] = [(Rm::Ne, 0), (Rm::Dn, 1), (Rm::Up, 2), (Rm::Tz, 3)];

/// Numbers from a fixed seed: specials, and random ones near interesting exponents.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn next(&mut self, f: Format) -> u64 {
        let (r, kind) = (self.bits(), self.bits());
        let sign = kind & 64 != 0;
        let special = [
            f.zero(sign),
            f.inf(sign),
            f.largest(sign),
            f.signed(sign, 1),
            f.signed(sign, f.frac_mask()),
            f.signed(sign, f.frac_mask() + 1),
            f.signed(sign, f.inf(false) + 1 + (r & 0xff)),
            f.signed(sign, f.default_nan() + (r & 0xff)),
        ];
        let bias = f.exp_max() / 2;
        let frac = match kind >> 8 & 3 {
            0 => r & f.frac_mask(),
            1 => f.frac_mask() & !(r & 3),
            2 => r & 3,
            _ => r & f.frac_mask() & !0xff,
        };
        let exponent = match kind >> 16 & 7 {
            0 => 0,
            1 => 1 + (r >> 60 & 3),
            2 => bias.wrapping_add(r >> 58 & 63).wrapping_sub(32) & f.exp_max(),
            3 => f.exp_max() - 1 - (r >> 60 & 3),
            4 => bias / 2 + (r >> 60 & 7),
            _ => bias + (r >> 61 & 3) - 1,
        };
        match kind & 15 {
            0 => special[(kind >> 32) as usize % special.len()],
            _ => f.signed(sign, exponent << f.frac_bits | frac),
        }
    }
}

type Soft = fn(&mut Env, [u64; 3]) -> u64;
type Host = fn(&mut u32, u64, u64, u64) -> u64;

/// Compares one op over many numbers, modes and control bits.
fn check(name: &str, f: Format, soft: Soft, host: Host) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for n in 0..60_000 {
        let ops = [(); 3].map(|()| numbers.next(f));
        let (rm, rc) = MODES[n % 4];
        let flush = [(0, 0), (mode::FLUSH_RESULTS, 0x8000), (mode::FLUSH_INPUTS, 0x40)][n / 4 % 3];
        let mut env = Env::new(Fp::dynamic(NanRule::X86), rm as u32 | flush.0);
        let mut control = MASKED | rc << 13 | flush.1;
        let want = host(&mut control, ops[0], ops[1], ops[2]);
        let got = soft(&mut env, ops);
        // The host also tells of denormal operands it computes with.
        let flags = control & 0x3f & !flag::DENORMAL;
        assert_eq!(
            (got, env.flags),
            (want, flags),
            "{name} {ops:x?} {rm:?} {flush:x?}: {got:x} for {want:x}"
        );
    }
}

#[test]
fn arithmetic_is_the_hosts() {
    macro_rules! both {
        ($($name:literal $a:ident $b:ident |$e:ident, $f:ident, $o:ident| $soft:expr;)*) => {$(
            check($name, Format::F64, |$e, $o| { let $f = Format::F64; $soft }, $a);
            check($name, Format::F32, |$e, $o| { let $f = Format::F32; $soft }, $b);
        )*};
    }
    both! {
        "add" add64 add32 |e, f, o| e.add(f, o[0], o[1]);
        "sub" sub64 sub32 |e, f, o| e.sub(f, o[0], o[1]);
        "mul" mul64 mul32 |e, f, o| e.mul(f, o[0], o[1]);
        "div" div64 div32 |e, f, o| e.div(f, o[0], o[1]);
        "sqrt" sqrt64 sqrt32 |e, f, o| e.sqrt(f, o[0]);
        "min" min64 min32 |e, f, o| e.min_max(f, o[0], o[1], false);
        "max" max64 max32 |e, f, o| e.min_max(f, o[0], o[1], true);
        "integral" integral64 integral32 |e, f, o| e.round_to_integral(f, o[0], true);
    }
}

#[test]
fn fused_product_and_sum_is_the_hosts() {
    check("fma", Format::F64, |e, [x, y, z]| e.fma(Format::F64, x, y, z), fma64);
    check("fma", Format::F32, |e, [x, y, z]| e.fma(Format::F32, x, y, z), fma32);
}

#[test]
fn conversions_are_the_hosts() {
    check("narrow", Format::F64, |e, o| e.convert(Format::F64, Format::F32, o[0]), {
        |c, x, y, z| narrow64(c, x, y, z) & 0xffff_ffff
    });
    check("widen", Format::F32, |e, o| e.convert(Format::F32, Format::F64, o[0]), widen32);
    check("single", Format::F16, |e, o| e.convert(Format::F16, Format::F32, o[0]), {
        |c, x, y, z| single16(c, x, y, z) & 0xffff_ffff
    });
    // The host takes flushing of single results for flushing of halves.
    check("half", Format::F32, |e, o| e.convert(Format::F32, Format::F16, o[0]), {
        |c, x, y, z| {
            *c &= !0x8000;
            half32(c, x, y, z) & 0xffff
        }
    });
}

/// F16 against F64: computed there to odd, the narrowing rounds correctly.
#[test]
fn halves_agree_with_doubles() {
    let mut numbers = Numbers(77);
    let ops: [(&str, fn(&mut Env, Format, [u64; 3]) -> u64); 6] = [
        ("add", |e, f, o| e.add(f, o[0], o[1])),
        ("sub", |e, f, o| e.sub(f, o[0], o[1])),
        ("mul", |e, f, o| e.mul(f, o[0], o[1])),
        ("div", |e, f, o| e.div(f, o[0], o[1])),
        ("sqrt", |e, f, o| e.sqrt(f, o[0])),
        ("fma", |e, f, o| e.fma(f, o[0], o[1], o[2])),
    ];
    for n in 0..200_000 {
        let o = [(); 3].map(|()| numbers.next(Format::F16));
        let nan = [NanRule::Arm, NanRule::Default, NanRule::ArmDefault][n % 3];
        let rm = [Rm::Ne, Rm::Tz, Rm::Dn, Rm::Up, Rm::Na, Rm::Odd][n / 3 % 6];
        let (name, op) = ops[n / 18 % 6];
        let p = Fp::dynamic(nan).rounding(rm);
        let mut direct = Env::new(p, 0);
        let got = op(&mut direct, Format::F16, o);
        let mut wide = Env::new(p.rounding(if rm == Rm::Dn { rm } else { Rm::Odd }), 0);
        let w = o.map(|x| wide.convert(Format::F16, Format::F64, x));
        if direct.flags & flag::INVALID != 0 || w.iter().any(|x| x << 1 > 0xffe0 << 48) {
            // NaNs are the tables' business.
            continue;
        }
        // Rounding down twice is rounding down; else go by way of odd.
        let exact = op(&mut wide, Format::F64, w);
        let mut last = Env::new(p, 0);
        let want = last.convert(Format::F64, Format::F16, exact);
        assert_eq!(got, want, "{name} {o:x?} {p:?}");
        let mut flags = last.flags | wide.flags & (flag::INEXACT | flag::DIV_ZERO);
        // What F64 lost may have been all that made a tiny result inexact.
        flags |= direct.flags & flag::UNDERFLOW;
        assert_eq!(direct.flags, flags, "{name} {o:x?} {p:?}");
    }
}
