//! "Vector Mask Instructions".

use remu_ir::{Cond, Val};

use super::{From1, Parts, by_helper, checked, helped, rows};
use crate::decode::args;
use crate::helpers::vector::VOp;
use crate::lift::{Lift, Regs};

rows! {
    helped(Mandn): vmandn_mm(Vv);
    helped(Mand): vmand_mm(Vv);
    helped(Mor): vmor_mm(Vv);
    helped(Mxor): vmxor_mm(Vv);
    helped(Morn): vmorn_mm(Vv);
    helped(Mnand): vmnand_mm(Vv);
    helped(Mnor): vmnor_mm(Vv);
    helped(Mxnor): vmxnor_mm(Vv);
    helped(Msbf): vmsbf_m(V1);
    helped(Msof): vmsof_m(V1);
    helped(Msif): vmsif_m(V1);
    helped(Iota): viota_m(V1);
}

fn counted(l: &Lift<'_>, op: VOp, a: args::Rv) -> Option<Val> {
    let p = Parts { vd: 0, vs2: a.vs2, from: From1::X(l.c64(0)), vm: a.vm != 0 };
    let u = checked(l, op, p)?;
    Some(by_helper(l, u, op, p))
}
pub fn vcpop_m(l: &Lift<'_>, a: args::Rv) {
    if let Some(n) = counted(l, VOp::Mcpop, a) {
        l.set_x(a.rd, n);
    }
}
/// The helper's number for none has no sign.
pub fn vfirst_m(l: &Lift<'_>, a: args::Rv) {
    if let Some(n) = counted(l, VOp::Mfirst, a) {
        let none = l.icmp(n, l.c64(127), Cond::Gtu);
        l.set_x(a.rd, l.movcond(none, l.c64(u64::MAX), n));
    }
}
pub fn vid_v(l: &Lift<'_>, a: args::V1) {
    let p = Parts { vd: a.vd, vs2: 0, from: From1::X(l.c64(0)), vm: a.vm != 0 };
    helped(l, VOp::Id, p);
}
