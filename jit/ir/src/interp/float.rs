//! Floating-point ops on scalars and on lanes, in terms of [`super::soft`].

use super::soft::{Env, Format};
use super::{flags, lanes, low, signed, width};
use crate::{FCond, Fp, FpInt, Inst, NanRule, Type};

/// Flags raised so far and the mode.
pub(super) struct Status<'a> {
    pub(super) flags: &'a mut u32,
    pub(super) mode: u32,
}

impl Status<'_> {
    /// Computes one number and collects the flags it raises.
    fn with<T>(&mut self, p: Fp, f: impl FnOnce(&mut Env) -> T) -> T {
        let mut env = Env::new(p, self.mode);
        let r = f(&mut env);
        *self.flags |= env.flags;
        r
    }

    /// An op on numbers of type `t` with an `Fp` policy.
    pub(super) fn scalar(
        &mut self,
        i: &Inst,
        t: Type,
        f: impl FnOnce(&mut Env, Format) -> u64,
    ) -> u128 {
        u128::from(self.with(Fp::from_u8(i.aux), |e| f(e, Format::of(t))))
    }

    pub(super) fn holds(&mut self, i: &Inst, t: Type, x: u128, y: u128) -> u128 {
        let c = FCond::from_u8(i.aux);
        u128::from(self.with(QUIET, |e| e.holds(Format::of(t), x as u64, y as u64, c)))
    }

    pub(super) fn compare_flags(&mut self, i: &Inst, t: Type, x: u128, y: u128) -> u128 {
        let signalling = FCond::from_u8(i.aux) == FCond::EqS;
        flags::order(self.with(QUIET, |e| e.compare(Format::of(t), x as u64, y as u64, signalling)))
    }

    /// `x * 2^scale` of type `t` to an integer of the result type.
    pub(super) fn int_of(&mut self, i: &Inst, t: Type, x: u128, scale: u128) -> u128 {
        let (p, f) = (FpInt::of(i), Format::of(t));
        let (x, scale, bits) = (x as u64, signed(scale, 32) as i32, width(i.ty));
        self.with(p.fp, |e| e.int_of(f, x, scale, bits, p.signed, p.nan_max)) as u128
    }

    /// Integer times `2^-n` to the result type.
    pub(super) fn of_int(&mut self, i: &Inst, v: i128, n: u128) -> u128 {
        let exp = (signed(n, 32) as i32).saturating_neg();
        self.scalar(i, i.ty, |e, f| e.of_int(f, v, exp))
    }

    /// Each lane by itself; the lane is in the policy.
    pub(super) fn lanes1(
        &mut self,
        i: &Inst,
        x: u128,
        f: impl Fn(&mut Env, Format, u64) -> u64,
    ) -> u128 {
        self.lanes3(i, [x, 0, 0], |e, fmt, [x, _, _]| f(e, fmt, x))
    }
    /// Lane by lane.
    pub(super) fn lanes2(
        &mut self,
        i: &Inst,
        x: u128,
        y: u128,
        f: impl Fn(&mut Env, Format, u64, u64) -> u64,
    ) -> u128 {
        self.lanes3(i, [x, y, 0], |e, fmt, [x, y, _]| f(e, fmt, x, y))
    }
    /// Lane by lane of three vectors.
    pub(super) fn lanes3(
        &mut self,
        i: &Inst,
        v: [u128; 3],
        f: impl Fn(&mut Env, Format, [u64; 3]) -> u64,
    ) -> u128 {
        let p = Fp::from_u8(i.aux);
        lanes::build(p.lane, |n| {
            let ops = v.map(|v| lanes::get(v, p.lane, n) as u64);
            u128::from(self.with(p, |e| f(e, Format::lane(p.lane), ops)))
        })
    }

    /// All ones in each lane where the condition numbered in `imm` holds.
    pub(super) fn lanes_hold(&mut self, i: &Inst, x: u128, y: u128) -> u128 {
        let (l, c) = (crate::Lane::from_u8(i.aux), FCond::from_u8(i.imm as u8));
        lanes::build(l, |n| {
            let (x, y) = (lanes::get(x, l, n) as u64, lanes::get(y, l, n) as u64);
            lanes::truth(self.with(QUIET, |e| e.holds(Format::lane(l), x, y, c)))
        })
    }

    /// Lanes to integers of their width.
    pub(super) fn lanes_to_int(&mut self, i: &Inst, x: u128) -> u128 {
        let p = FpInt::of(i);
        let l = p.fp.lane;
        lanes::build(l, |n| {
            let x = lanes::get(x, l, n) as u64;
            let to = |e: &mut Env| e.int_of(Format::lane(l), x, 0, l.bits(), p.signed, p.nan_max);
            self.with(p.fp, to) as u128
        })
    }
}

/// Comparisons have no policy: their NaNs decide nothing but flags.
const QUIET: Fp = Fp::dynamic(NanRule::Arm);

pub(super) fn negate(x: u128, t: Type) -> u128 {
    x ^ u128::from(Format::of(t).sign_bit())
}
pub(super) fn absolute(x: u128, t: Type) -> u128 {
    x & !u128::from(Format::of(t).sign_bit())
}

/// A narrow number in an F64, upper bits one (RISC-V unprivileged, "NaN
/// Boxing of Narrower Values").
pub(super) fn boxed(x: u128, t: Type) -> u128 {
    low(u128::MAX << width(t) | x, 64)
}
/// The number in the box, or the default NaN.
pub(super) fn unboxed(x: u128, t: Type) -> u128 {
    if low(x, 64) >> width(t) == low(u128::MAX, 64) >> width(t) {
        x
    } else {
        u128::from(Format::of(t).default_nan())
    }
}
