//! "Vector Permutation Instructions".

use remu_ir::Type;

use super::{From1, Parts, by_helper, checked, helped, lane, reg, rows, unit};
use crate::decode::args;
use crate::helpers::vector::VOp;
use crate::lift::{Lift, Regs};
use crate::state::slots;

rows! {
    helped(Slideup): vslideup_vx(Vx) vslideup_vi(Vu);
    helped(Slidedown): vslidedown_vx(Vx) vslidedown_vi(Vu);
    helped(Slide1up): vslide1up_vx(Vx);
    helped(Slide1down): vslide1down_vx(Vx);
    helped(Gather): vrgather_vv(Vv) vrgather_vx(Vx) vrgather_vi(Vu);
    helped(Gatherei16): vrgatherei16_vv(Vv);
    helped(Compress): vcompress_vm(Vv);
    helped(Fslide1up): vfslide1up_vf(Vf);
    helped(Fslide1down): vfslide1down_vf(Vf);
    helped(FmvSf): vfmv_s_f(Vf);
}

/// Whole registers.
fn registers(l: &Lift<'_>, a: args::V1, count: u8) {
    if (a.vd | a.vs2) & (count - 1) != 0 {
        return l.illegal();
    }
    let from = From1::X(l.c64(count.into()));
    let p = Parts { vd: a.vd, vs2: a.vs2, from, vm: true };
    let Some(u) = checked(l, VOp::MvR, p) else { return };
    if !u.inline() {
        by_helper(l, u, VOp::MvR, p);
        return;
    }
    let values: Vec<_> = (0..count).map(|k| reg(l, a.vs2 + k)).collect();
    for (k, v) in values.into_iter().enumerate() {
        l.set(slots::v(usize::from(a.vd) + k), v);
    }
}
pub fn vmv1r_v(l: &Lift<'_>, a: args::V1) {
    registers(l, a, 1);
}
pub fn vmv2r_v(l: &Lift<'_>, a: args::V1) {
    registers(l, a, 2);
}
pub fn vmv4r_v(l: &Lift<'_>, a: args::V1) {
    registers(l, a, 4);
}
pub fn vmv8r_v(l: &Lift<'_>, a: args::V1) {
    registers(l, a, 8);
}

/// Element 0, whatever `vl` and `vstart` say.
pub fn vmv_x_s(l: &Lift<'_>, a: args::Rv) {
    let Some(u) = unit(l) else { return };
    let v = l.vextract_s(reg(l, a.vs2), l.c32(0), Type::I64, lane(u.c.sew));
    l.set_x(a.rd, v);
    l.set(slots::vstart(0), l.c64(0));
    super::over(l, u);
}
pub fn vfmv_f_s(l: &Lift<'_>, a: args::Rv) {
    let from = From1::X(l.c64(0));
    let p = Parts { vd: 0, vs2: a.vs2, from, vm: true };
    let Some(u) = checked(l, VOp::FmvSf, p) else { return };
    let t = match u.c.sew {
        1 => Type::F16,
        2 => Type::F32,
        _ => Type::F64,
    };
    let v = l.vtof(reg(l, a.vs2), t);
    crate::lift::float::set_f(l, a.rd, v);
    l.set(slots::vstart(0), l.c64(0));
    super::over(l, u);
}
