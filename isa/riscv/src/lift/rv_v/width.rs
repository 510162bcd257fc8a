//! Integer operations whose operands and results differ in width: "Vector Widening Integer
//! Add/Subtract", "Vector Integer Extension", "Vector Narrowing Integer Right Shift
//! Instructions", "Vector Widening Integer Multiply".

use remu_ir::Val;

use super::{From1, Parts, Vu, by_helper, checked, equal, helped, lane, reg, rows, write};
use crate::helpers::vector::VOp;
use crate::lift::Lift;

/// The unit if the instruction is legal, and done here. `None` if a helper has done it, or if it
/// became an exit.
fn here(l: &Lift<'_>, op: VOp, p: Parts) -> Option<Vu> {
    let u = checked(l, op, p)?;
    if u.inline() {
        return Some(u);
    }
    by_helper(l, u, op, p);
    None
}

/// Writes the registers of a group. All are computed before, for the group may be a source, too.
fn write_all(l: &Lift<'_>, u: Vu, eew: u8, p: Parts, f: impl Fn(u8) -> Val) {
    let regs = u.c.regs(eew).unwrap_or(1);
    let values: Vec<_> = (0..regs).map(f).collect();
    for (k, v) in (0..).zip(values) {
        write(l, u, k, eew, p, v);
    }
}

/// Elements of 2^eew bytes made 2^(eew + times) bytes wide: as many as a register has of these,
/// from the `part`th that many on.
fn widened(l: &Lift<'_>, v: Val, eew: u8, times: u8, part: u8, signed: bool) -> Val {
    let start = i32::from(part) * (16 >> times);
    let v = match start {
        0 => v,
        8 => l.vhigh(v),
        _ => l.vext(v, v, start),
    };
    (eew..eew + times)
        .fold(v, |v, eew| if signed { l.vswiden(v, lane(eew)) } else { l.vuwiden(v, lane(eew)) })
}
/// The half of a group that becomes register `k` of one twice as wide.
fn half(l: &Lift<'_>, group: u8, eew: u8, k: u8, signed: bool) -> Val {
    widened(l, reg(l, group + (k >> 1)), eew, 1, k & 1, signed)
}

/// `vzext`, `vsext`: operands are narrower.
fn extend(l: &Lift<'_>, op: VOp, p: Parts, (times, signed): (u8, bool)) {
    let Some(u) = here(l, op, p) else { return };
    let from = u.c.sew - times;
    write_all(l, u, u.c.sew, p, |k| {
        let part = k & ((1 << times) - 1);
        widened(l, reg(l, p.vs2 + (k >> times)), from, times, part, signed)
    });
}

/// A sum or difference twice as wide as its second operand, and as its first one, too, unless
/// that `is_wide`.
#[derive(Clone, Copy)]
struct Sum {
    add: bool,
    signed: bool,
    is_wide: bool,
}
const fn sum(add: bool, signed: bool) -> Sum {
    Sum { add, signed, is_wide: false }
}
const fn wide_sum(add: bool, signed: bool) -> Sum {
    Sum { add, signed, is_wide: true }
}

fn widening(l: &Lift<'_>, op: VOp, p: Parts, s: Sum) {
    let Some(u) = here(l, op, p) else { return };
    let (narrow, wide) = (u.c.sew, u.c.sew + 1);
    let scalar = super::int::scalar(l, p, narrow);
    write_all(l, u, wide, p, |k| {
        let a = if s.is_wide { reg(l, p.vs2 + k) } else { half(l, p.vs2, narrow, k, s.signed) };
        let b = match p.from {
            From1::V(n) => half(l, n, narrow, k, s.signed),
            _ => widened(l, scalar, narrow, 1, 0, s.signed),
        };
        if s.add { l.vadd(a, b, lane(wide)) } else { l.vsub(a, b, lane(wide)) }
    });
}

/// A product twice as wide as its operands; `add`: added to the result's old value.
fn product(l: &Lift<'_>, op: VOp, p: Parts, (signed, add): (bool, bool)) {
    let Some(u) = here(l, op, p) else { return };
    let (narrow, wide) = (u.c.sew, u.c.sew + 1);
    let scalar = super::int::scalar(l, p, narrow);
    let part = |v: Val, k: u8| if k & 1 == 0 { v } else { l.vhigh(v) };
    write_all(l, u, wide, p, |k| {
        let a = part(reg(l, p.vs2 + (k >> 1)), k);
        let b = match p.from {
            From1::V(n) => part(reg(l, n + (k >> 1)), k),
            _ => scalar,
        };
        let n = if signed { l.vsmull(a, b, lane(narrow)) } else { l.vumull(a, b, lane(narrow)) };
        if add { l.vadd(reg(l, p.vd + k), n, lane(wide)) } else { n }
    });
}

/// `vnsrl`, `vnsra`: the operand to be shifted is wider than the result.
fn narrowing(l: &Lift<'_>, op: VOp, p: Parts, signed: bool) {
    let Some(u) = here(l, op, p) else { return };
    let (narrow, wide) = (u.c.sew, u.c.sew + 1);
    let bits = 8u64 << wide;
    let scalar = match p.from {
        From1::X(x) => Some((l.as_const(x), super::int::scalar(l, p, wide))),
        _ => None,
    };
    let shifted = |k: u8| {
        let v = reg(l, p.vs2 + k);
        let by = match (p.from, scalar) {
            (_, Some((Some(by), _))) => {
                let by = (by & (bits - 1)) as i32;
                return match (by, signed) {
                    (0, _) => v,
                    (_, true) => l.vsar(v, lane(wide), by),
                    (_, false) => l.vshr(v, lane(wide), by),
                };
            }
            (From1::V(n), _) => half(l, n, narrow, k, false),
            (_, Some((None, by))) => by,
            (_, None) => l.vconst(0),
        };
        let back = l.vneg(l.vand(by, equal(l, wide, bits - 1)), lane(wide));
        if signed { l.vsshl(v, back, lane(wide)) } else { l.vushl(v, back, lane(wide)) }
    };
    write_all(l, u, narrow, p, |k| {
        let low = l.vnarrow(shifted(2 * k), lane(narrow));
        if u.c.lmul < 0 {
            return low;
        }
        l.vconcat(low, l.vnarrow(shifted(2 * k + 1), lane(narrow)))
    });
}

rows! {
    widening(Waddu, sum(true, false)): vwaddu_vv(Vv) vwaddu_vx(Vx);
    widening(Wadd, sum(true, true)): vwadd_vv(Vv) vwadd_vx(Vx);
    widening(Wsubu, sum(false, false)): vwsubu_vv(Vv) vwsubu_vx(Vx);
    widening(Wsub, sum(false, true)): vwsub_vv(Vv) vwsub_vx(Vx);
    widening(WadduW, wide_sum(true, false)): vwaddu_wv(Vv) vwaddu_wx(Vx);
    widening(WaddW, wide_sum(true, true)): vwadd_wv(Vv) vwadd_wx(Vx);
    widening(WsubuW, wide_sum(false, false)): vwsubu_wv(Vv) vwsubu_wx(Vx);
    widening(WsubW, wide_sum(false, true)): vwsub_wv(Vv) vwsub_wx(Vx);
    extend(ZextF8, (3, false)): vzext_vf8(V1);
    extend(SextF8, (3, true)): vsext_vf8(V1);
    extend(ZextF4, (2, false)): vzext_vf4(V1);
    extend(SextF4, (2, true)): vsext_vf4(V1);
    extend(ZextF2, (1, false)): vzext_vf2(V1);
    extend(SextF2, (1, true)): vsext_vf2(V1);
    narrowing(Nsrl, false): vnsrl_wv(Vv) vnsrl_wx(Vx) vnsrl_wi(Vu);
    narrowing(Nsra, true): vnsra_wv(Vv) vnsra_wx(Vx) vnsra_wi(Vu);
    product(Wmul, (true, false)): vwmul_vv(Vv) vwmul_vx(Vx);
    product(Wmulu, (false, false)): vwmulu_vv(Vv) vwmulu_vx(Vx);
    helped(Wmulsu): vwmulsu_vv(Vv) vwmulsu_vx(Vx);
    product(Wmaccu, (false, true)): vwmaccu_vv(Vv) vwmaccu_vx(Vx);
    product(Wmacc, (true, true)): vwmacc_vv(Vv) vwmacc_vx(Vx);
    helped(Wmaccsu): vwmaccsu_vv(Vv) vwmaccsu_vx(Vx);
    helped(Wmaccus): vwmaccus_vx(Vx);
}
