//! "Vector Integer Arithmetic Instructions", "Vector Fixed-Point Arithmetic
//! Instructions", "Vector Reduction Operations" of integers.

use remu_ir::{Lane, Val};

use super::{From1, Parts, by_helper, checked, equal, helped, lane, masked, reg, rows, write};
use crate::helpers::vector::VOp;
use crate::lift::Lift;

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
    let x = match p.from {
        From1::X(x) => x,
        _ => l.c64(0),
    };
    if !u.inline() {
        by_helper(l, u, op, p);
        return;
    }
    let eew = u.c.sew;
    let known = l.as_const(x).filter(|_| matches!(p.from, From1::X(_)));
    let scalar = match known {
        Some(n) => equal(l, eew, n),
        None => l.vdup(x, lane(eew)),
    };
    for k in 0..1 << u.c.lmul.max(0) {
        let b = match p.from {
            From1::V(n) => reg(l, n + k),
            _ => scalar,
        };
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
    let scalar = match p.from {
        From1::X(x) => l.vdup(x, lane(eew)),
        _ => l.vconst(0),
    };
    for k in 0..1 << u.c.lmul.max(0) {
        let b = match p.from {
            From1::V(n) => reg(l, n + k),
            _ => scalar,
        };
        let chosen = l.vbitsel(masked(l, k, eew), b, reg(l, p.vs2 + k));
        write(l, u, k, eew, Parts { vm: true, ..p }, chosen);
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
    helped(Waddu): vwaddu_vv(Vv) vwaddu_vx(Vx);
    helped(Wadd): vwadd_vv(Vv) vwadd_vx(Vx);
    helped(Wsubu): vwsubu_vv(Vv) vwsubu_vx(Vx);
    helped(Wsub): vwsub_vv(Vv) vwsub_vx(Vx);
    helped(WadduW): vwaddu_wv(Vv) vwaddu_wx(Vx);
    helped(WaddW): vwadd_wv(Vv) vwadd_wx(Vx);
    helped(WsubuW): vwsubu_wv(Vv) vwsubu_wx(Vx);
    helped(WsubW): vwsub_wv(Vv) vwsub_wx(Vx);
    helped(ZextF8): vzext_vf8(V1);
    helped(SextF8): vsext_vf8(V1);
    helped(ZextF4): vzext_vf4(V1);
    helped(SextF4): vsext_vf4(V1);
    helped(ZextF2): vzext_vf2(V1);
    helped(SextF2): vsext_vf2(V1);
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
    helped(Nsrl): vnsrl_wv(Vv) vnsrl_wx(Vx) vnsrl_wi(Vu);
    helped(Nsra): vnsra_wv(Vv) vnsra_wx(Vx) vnsra_wi(Vu);
    helped(Mseq): vmseq_vv(Vv) vmseq_vx(Vx) vmseq_vi(Vi);
    helped(Msne): vmsne_vv(Vv) vmsne_vx(Vx) vmsne_vi(Vi);
    helped(Msltu): vmsltu_vv(Vv) vmsltu_vx(Vx);
    helped(Mslt): vmslt_vv(Vv) vmslt_vx(Vx);
    helped(Msleu): vmsleu_vv(Vv) vmsleu_vx(Vx) vmsleu_vi(Vi);
    helped(Msle): vmsle_vv(Vv) vmsle_vx(Vx) vmsle_vi(Vi);
    helped(Msgtu): vmsgtu_vx(Vx) vmsgtu_vi(Vi);
    helped(Msgt): vmsgt_vx(Vx) vmsgt_vi(Vi);
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
    helped(Wmul): vwmul_vv(Vv) vwmul_vx(Vx);
    helped(Wmulu): vwmulu_vv(Vv) vwmulu_vx(Vx);
    helped(Wmulsu): vwmulsu_vv(Vv) vwmulsu_vx(Vx);
    same(Macc, macc): vmacc_vv(Vv) vmacc_vx(Vx);
    same(Nmsac, nmsac): vnmsac_vv(Vv) vnmsac_vx(Vx);
    same(Madd, madd): vmadd_vv(Vv) vmadd_vx(Vx);
    same(Nmsub, nmsub): vnmsub_vv(Vv) vnmsub_vx(Vx);
    helped(Wmaccu): vwmaccu_vv(Vv) vwmaccu_vx(Vx);
    helped(Wmacc): vwmacc_vv(Vv) vwmacc_vx(Vx);
    helped(Wmaccsu): vwmaccsu_vv(Vv) vwmaccsu_vx(Vx);
    helped(Wmaccus): vwmaccus_vx(Vx);
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
    helped(Redsum): vredsum_vs(Vv);
    helped(Redand): vredand_vs(Vv);
    helped(Redor): vredor_vs(Vv);
    helped(Redxor): vredxor_vs(Vv);
    helped(Redminu): vredminu_vs(Vv);
    helped(Redmin): vredmin_vs(Vv);
    helped(Redmaxu): vredmaxu_vs(Vv);
    helped(Redmax): vredmax_vs(Vv);
    helped(Wredsumu): vwredsumu_vs(Vv);
    helped(Wredsum): vwredsum_vs(Vv);
}
