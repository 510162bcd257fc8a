//! "Vector Reduction Operations" of integers.

use remu_ir::{Cond, Lane, Val};

use super::{From1, Parts, active, by_helper, checked, equal, helped, lane, reg, rows, width_bits};
use crate::helpers::vector::VOp;
use crate::lift::{Lift, Regs};
use crate::state::slots;

/// An operation on all elements, and its neutral element.
struct Fold {
    f: fn(&Lift<'_>, Val, Val, Lane) -> Val,
    neutral: fn(u32) -> u64,
}

const SUM: Fold = Fold { f: |l, a, b, n| l.vadd(a, b, n), neutral: |_| 0 };
const AND: Fold = Fold { f: |l, a, b, _| l.vand(a, b), neutral: |_| u64::MAX };
const OR: Fold = Fold { f: |l, a, b, _| l.vor(a, b), neutral: |_| 0 };
const XOR: Fold = Fold { f: |l, a, b, _| l.vxor(a, b), neutral: |_| 0 };
const UMIN: Fold = Fold { f: |l, a, b, n| l.vumin(a, b, n), neutral: |_| u64::MAX };
const UMAX: Fold = Fold { f: |l, a, b, n| l.vumax(a, b, n), neutral: |_| 0 };
const SMIN: Fold = Fold { f: |l, a, b, n| l.vsmin(a, b, n), neutral: |bits| (1 << (bits - 1)) - 1 };
const SMAX: Fold = Fold { f: |l, a, b, n| l.vsmax(a, b, n), neutral: |bits| 1 << (bits - 1) };

/// Element 0 of vd is that of vs1 and all elements of vs2.
fn reduce(l: &Lift<'_>, op: VOp, p: Parts, fold: &Fold) {
    let Some(u) = checked(l, op, p) else { return };
    let From1::V(vs1) = p.from else { return };
    if !u.inline() {
        by_helper(l, u, op, p);
        return;
    }
    let eew = u.c.sew;
    let neutral = equal(l, eew, (fold.neutral)(width_bits(eew)));
    let mut all = reg(l, vs1);
    let mut rest = None;
    for k in 0..1 << u.c.lmul.max(0) {
        let v = reg(l, p.vs2 + k);
        let v = match active(l, u, k, eew, p.vm) {
            Some(on) => l.vbitsel(on, v, neutral),
            None => v,
        };
        rest = Some(rest.map_or(v, |sum| (fold.f)(l, sum, v, lane(eew))));
    }
    if let Some(mut v) = rest {
        let mut bytes = 8;
        while bytes >= 1 << eew {
            v = (fold.f)(l, v, l.vext(v, v, bytes), lane(eew));
            bytes /= 2;
        }
        all = (fold.f)(l, all, v, lane(eew));
    }
    set_first(l, u, p.vd, all);
}

/// Writes element 0, if there is one.
fn set_first(l: &Lift<'_>, u: super::Vu, vd: u8, v: Val) {
    let old = reg(l, vd);
    let new = l.vmovlane(old, v, lane(u.c.sew), 0);
    let new = if u.full() {
        new
    } else {
        l.movcond(l.icmp(l.get(slots::vl(0)), l.c64(0), Cond::Eq), old, new)
    };
    l.set(slots::v(vd.into()), new);
}

/// `vmv.s.x`
pub fn vmv_s_x(l: &Lift<'_>, a: crate::decode::args::Vx) {
    use super::Form;
    let p = a.parts(l);
    let Some(u) = checked(l, VOp::MvSx, p) else { return };
    if !u.inline() {
        by_helper(l, u, VOp::MvSx, p);
        return;
    }
    set_first(l, u, p.vd, l.vdup(l.x(a.rs1), lane(u.c.sew)));
}

rows! {
    reduce(Redsum, &SUM): vredsum_vs(Vv);
    reduce(Redand, &AND): vredand_vs(Vv);
    reduce(Redor, &OR): vredor_vs(Vv);
    reduce(Redxor, &XOR): vredxor_vs(Vv);
    reduce(Redminu, &UMIN): vredminu_vs(Vv);
    reduce(Redmin, &SMIN): vredmin_vs(Vv);
    reduce(Redmaxu, &UMAX): vredmaxu_vs(Vv);
    reduce(Redmax, &SMAX): vredmax_vs(Vv);
    helped(Wredsumu): vwredsumu_vs(Vv);
    helped(Wredsum): vwredsum_vs(Vv);
}
