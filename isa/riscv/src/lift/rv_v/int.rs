//! "Vector Integer Arithmetic Instructions" of one width, "Vector Fixed-Point
//! Arithmetic Instructions".

use remu_ir::{Cond, Lane, Val};

use super::{
    From1, Parts, by_helper, checked, equal, helped, lane, masked, reg, rows, write, write_mask,
};
use crate::helpers::vector::VOp;
use crate::lift::Lift;
use crate::vector::VLENB;

/// One register's worth of an operation on elements.
pub(in crate::lift) struct Elements {
    eew: u8,
    /// Of vs2, of vs1 or the scalar, of vd.
    a: Val,
    b: Val,
    d: Val,
    /// The scalar, if it is known.
    known: Option<u64>,
}

impl Elements {
    fn lane(&self) -> Lane {
        lane(self.eew)
    }
}

/// An operation on elements of one width, by IR ops.
pub(in crate::lift) fn same(l: &Lift<'_>, op: VOp, p: Parts, f: fn(&Lift<'_>, &Elements) -> Val) {
    let Some(u) = checked(l, op, p) else { return };
    let known = match p.from {
        From1::X(x) => l.as_const(x),
        _ => None,
    };
    if !u.inline() {
        by_helper(l, u, op, p);
        return;
    }
    let eew = u.c.sew;
    let scalar = scalar(l, p, eew);
    for k in 0..1 << u.c.lmul.max(0) {
        let b = operand(l, p, k, scalar);
        let e = Elements { eew, a: reg(l, p.vs2 + k), b, d: reg(l, p.vd + k), known };
        write(l, u, k, eew, p, f(l, &e));
    }
}

/// The mask chooses between the operands.
fn merge(l: &Lift<'_>, op: VOp, p: Parts) {
    let Some(u) = checked(l, op, p) else { return };
    if !u.inline() {
        by_helper(l, u, op, p);
        return;
    }
    let eew = u.c.sew;
    let scalar = scalar(l, p, eew);
    for k in 0..1 << u.c.lmul.max(0) {
        let b = operand(l, p, k, scalar);
        let chosen = l.vbitsel(masked(l, k, eew), b, reg(l, p.vs2 + k));
        write(l, u, k, eew, Parts { vm: true, ..p }, chosen);
    }
}

/// A comparison, whose result is a mask.
fn compare(l: &Lift<'_>, op: VOp, p: Parts, c: Cond) {
    let Some(u) = super::mask::short(l, op, p) else { return };
    let eew = u.c.sew;
    let scalar = scalar(l, p, eew);
    let mut bits = l.c64(0);
    for k in 0..1 << u.c.lmul.max(0) {
        let b = operand(l, p, k, scalar);
        let holds = l.vcmp(reg(l, p.vs2 + k), b, lane(eew), c as i32);
        let holds = l.zext(l.vmovmask(holds, lane(eew)));
        bits = l.or(bits, l.shl_imm(holds, u32::from(k) * (VLENB >> eew) as u32));
    }
    write_mask(l, u, p.vd, p.vm, bits);
}

/// The scalar in every element of 2^eew bytes.
pub(super) fn scalar(l: &Lift<'_>, p: Parts, eew: u8) -> Val {
    match p.from {
        From1::X(x) => match l.as_const(x) {
            Some(n) => equal(l, eew, n),
            None => l.vdup(x, lane(eew)),
        },
        _ => l.vconst(0),
    }
}
/// Register `k` of the first operand, or the scalar.
fn operand(l: &Lift<'_>, p: Parts, k: u8, scalar: Val) -> Val {
    match p.from {
        From1::V(n) => reg(l, n + k),
        _ => scalar,
    }
}

macro_rules! ops {
    ($($name:ident: |$l:ident, $e:ident| $value:expr;)*) => {
        $(pub(in crate::lift) fn $name($l: &Lift<'_>, $e: &Elements) -> Val {
            $value
        })*
    };
}
ops! {
    add: |l, e| l.vadd(e.a, e.b, e.lane());
    sub: |l, e| l.vsub(e.a, e.b, e.lane());
    rsub: |l, e| l.vsub(e.b, e.a, e.lane());
    and: |l, e| l.vand(e.a, e.b);
    or: |l, e| l.vor(e.a, e.b);
    xor: |l, e| l.vxor(e.a, e.b);
    andn: |l, e| l.vandc(e.a, e.b);
    umin: |l, e| l.vumin(e.a, e.b, e.lane());
    smin: |l, e| l.vsmin(e.a, e.b, e.lane());
    umax: |l, e| l.vumax(e.a, e.b, e.lane());
    smax: |l, e| l.vsmax(e.a, e.b, e.lane());
    mul: |l, e| l.vmul(e.a, e.b, e.lane());
    macc: |l, e| l.vadd(e.d, l.vmul(e.a, e.b, e.lane()), e.lane());
    nmsac: |l, e| l.vsub(e.d, l.vmul(e.a, e.b, e.lane()), e.lane());
    madd: |l, e| l.vadd(e.a, l.vmul(e.d, e.b, e.lane()), e.lane());
    nmsub: |l, e| l.vsub(e.a, l.vmul(e.d, e.b, e.lane()), e.lane());
    second: |_l, e| e.b;
    sll: |l, e| shift(l, e, e.a, Way::Left);
    srl: |l, e| shift(l, e, e.a, Way::Right);
    sra: |l, e| shift(l, e, e.a, Way::Arithmetic);
    rol: |l, e| rotate(l, e, Way::Left);
    ror: |l, e| rotate(l, e, Way::Right);
    brev8: |l, e| l.vbitrev(e.a);
    rev8: |l, e| reverse(l, e, e.a);
    brev: |l, e| reverse(l, e, l.vbitrev(e.a));
}

/// Bytes of every element reversed.
fn reverse(l: &Lift<'_>, e: &Elements, v: Val) -> Val {
    if e.eew == 0 { v } else { l.vrev(v, Lane::B, e.eew.into()) }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Left,
    Right,
    Arithmetic,
}

fn bits(e: &Elements) -> u64 {
    8 << e.eew
}

fn shift(l: &Lift<'_>, e: &Elements, v: Val, way: Way) -> Val {
    let n = e.lane();
    if let Some(by) = e.known {
        let by = (by & (bits(e) - 1)) as i32;
        return match way {
            _ if by == 0 => v,
            Way::Left => l.vshl(v, n, by),
            Way::Right => l.vshr(v, n, by),
            Way::Arithmetic => l.vsar(v, n, by),
        };
    }
    let by = l.vand(e.b, equal(l, e.eew, bits(e) - 1));
    match way {
        Way::Left => l.vushl(v, by, n),
        Way::Right => l.vushl(v, l.vneg(by, n), n),
        Way::Arithmetic => l.vsshl(v, l.vneg(by, n), n),
    }
}

fn rotate(l: &Lift<'_>, e: &Elements, way: Way) -> Val {
    let n = e.lane();
    if let Some(by) = e.known {
        let by = (by & (bits(e) - 1)) as i32;
        let left = if way == Way::Left { by } else { bits(e) as i32 - by };
        if by == 0 {
            return e.a;
        }
        return l.vor(l.vshl(e.a, n, left), l.vshr(e.a, n, bits(e) as i32 - left));
    }
    let by = l.vand(e.b, equal(l, e.eew, bits(e) - 1));
    let width = equal(l, e.eew, bits(e));
    // Shifts by the width and more leave nothing.
    let (left, right) = match way {
        Way::Left => (by, l.vsub(by, width, n)),
        _ => (l.vsub(width, by, n), l.vneg(by, n)),
    };
    l.vor(l.vushl(e.a, left, n), l.vushl(e.a, right, n))
}

rows! {
    same(Add, add): vadd_vv(Vv) vadd_vx(Vx) vadd_vi(Vi);
    same(Sub, sub): vsub_vv(Vv) vsub_vx(Vx);
    same(Rsub, rsub): vrsub_vx(Vx) vrsub_vi(Vi);
    helped(Adc): vadc_vvm(Vv) vadc_vxm(Vx) vadc_vim(Vi);
    helped(Madc): vmadc_vvm(Vv) vmadc_vxm(Vx) vmadc_vim(Vi) vmadc_vv(Vv) vmadc_vx(Vx) vmadc_vi(Vi);
    helped(Sbc): vsbc_vvm(Vv) vsbc_vxm(Vx);
    helped(Msbc): vmsbc_vvm(Vv) vmsbc_vxm(Vx) vmsbc_vv(Vv) vmsbc_vx(Vx);
    same(And, and): vand_vv(Vv) vand_vx(Vx) vand_vi(Vi);
    same(Or, or): vor_vv(Vv) vor_vx(Vx) vor_vi(Vi);
    same(Xor, xor): vxor_vv(Vv) vxor_vx(Vx) vxor_vi(Vi);
    same(Sll, sll): vsll_vv(Vv) vsll_vx(Vx) vsll_vi(Vu);
    same(Srl, srl): vsrl_vv(Vv) vsrl_vx(Vx) vsrl_vi(Vu);
    same(Sra, sra): vsra_vv(Vv) vsra_vx(Vx) vsra_vi(Vu);
    compare(Mseq, Cond::Eq): vmseq_vv(Vv) vmseq_vx(Vx) vmseq_vi(Vi);
    compare(Msne, Cond::Ne): vmsne_vv(Vv) vmsne_vx(Vx) vmsne_vi(Vi);
    compare(Msltu, Cond::Ltu): vmsltu_vv(Vv) vmsltu_vx(Vx);
    compare(Mslt, Cond::Lt): vmslt_vv(Vv) vmslt_vx(Vx);
    compare(Msleu, Cond::Leu): vmsleu_vv(Vv) vmsleu_vx(Vx) vmsleu_vi(Vi);
    compare(Msle, Cond::Le): vmsle_vv(Vv) vmsle_vx(Vx) vmsle_vi(Vi);
    compare(Msgtu, Cond::Gtu): vmsgtu_vx(Vx) vmsgtu_vi(Vi);
    compare(Msgt, Cond::Gt): vmsgt_vx(Vx) vmsgt_vi(Vi);
    same(Minu, umin): vminu_vv(Vv) vminu_vx(Vx);
    same(Min, smin): vmin_vv(Vv) vmin_vx(Vx);
    same(Maxu, umax): vmaxu_vv(Vv) vmaxu_vx(Vx);
    same(Max, smax): vmax_vv(Vv) vmax_vx(Vx);
    same(Mul, mul): vmul_vv(Vv) vmul_vx(Vx);
    helped(Mulh): vmulh_vv(Vv) vmulh_vx(Vx);
    helped(Mulhu): vmulhu_vv(Vv) vmulhu_vx(Vx);
    helped(Mulhsu): vmulhsu_vv(Vv) vmulhsu_vx(Vx);
    helped(Divu): vdivu_vv(Vv) vdivu_vx(Vx);
    helped(Div): vdiv_vv(Vv) vdiv_vx(Vx);
    helped(Remu): vremu_vv(Vv) vremu_vx(Vx);
    helped(Rem): vrem_vv(Vv) vrem_vx(Vx);
    same(Macc, macc): vmacc_vv(Vv) vmacc_vx(Vx);
    same(Nmsac, nmsac): vnmsac_vv(Vv) vnmsac_vx(Vx);
    same(Madd, madd): vmadd_vv(Vv) vmadd_vx(Vx);
    same(Nmsub, nmsub): vnmsub_vv(Vv) vnmsub_vx(Vx);
    merge(Merge): vmerge_vvm(Vv) vmerge_vxm(Vx) vmerge_vim(Vi);
    same(Mv, second): vmv_v_v(Vv) vmv_v_x(Vx) vmv_v_i(Vi);
    helped(Saddu): vsaddu_vv(Vv) vsaddu_vx(Vx) vsaddu_vi(Vi);
    helped(Sadd): vsadd_vv(Vv) vsadd_vx(Vx) vsadd_vi(Vi);
    helped(Ssubu): vssubu_vv(Vv) vssubu_vx(Vx);
    helped(Ssub): vssub_vv(Vv) vssub_vx(Vx);
    helped(Aaddu): vaaddu_vv(Vv) vaaddu_vx(Vx);
    helped(Aadd): vaadd_vv(Vv) vaadd_vx(Vx);
    helped(Asubu): vasubu_vv(Vv) vasubu_vx(Vx);
    helped(Asub): vasub_vv(Vv) vasub_vx(Vx);
    helped(Smul): vsmul_vv(Vv) vsmul_vx(Vx);
    helped(Ssrl): vssrl_vv(Vv) vssrl_vx(Vx) vssrl_vi(Vu);
    helped(Ssra): vssra_vv(Vv) vssra_vx(Vx) vssra_vi(Vu);
    helped(Nclipu): vnclipu_wv(Vv) vnclipu_wx(Vx) vnclipu_wi(Vu);
    helped(Nclip): vnclip_wv(Vv) vnclip_wx(Vx) vnclip_wi(Vu);
}
