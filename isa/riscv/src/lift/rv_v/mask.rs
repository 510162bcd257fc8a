//! "Vector Mask Instructions".

use remu_ir::{Cond, Val};

use super::{
    From1, Parts, Vu, active_bits, by_helper, checked, helped, mask_bits, rows, write_mask,
};
use crate::decode::args;
use crate::helpers::vector::VOp;
use crate::lift::{Lift, Regs};

/// The unit if the instruction is legal, and done here: 64 bits hold its masks. `None` if a helper
/// has done it, or if it became an exit.
pub(super) fn short(l: &Lift<'_>, op: VOp, p: Parts) -> Option<Vu> {
    let u = checked(l, op, p)?;
    if u.inline_mask() {
        return Some(u);
    }
    by_helper(l, u, op, p);
    None
}

/// An operation on the bits of masks.
fn logical(l: &Lift<'_>, op: VOp, p: Parts, f: fn(&Lift<'_>, Val, Val) -> Val) {
    let Some(u) = short(l, op, p) else { return };
    let From1::V(vs1) = p.from else { return };
    let bits = f(l, mask_bits(l, p.vs2), mask_bits(l, vs1));
    write_mask(l, u, p.vd, true, bits);
}

rows! {
    logical(Mandn, |l, a, b| l.andc(a, b)): vmandn_mm(Vv);
    logical(Mand, |l, a, b| l.and(a, b)): vmand_mm(Vv);
    logical(Mor, |l, a, b| l.or(a, b)): vmor_mm(Vv);
    logical(Mxor, |l, a, b| l.xor(a, b)): vmxor_mm(Vv);
    logical(Morn, |l, a, b| l.orc(a, b)): vmorn_mm(Vv);
    logical(Mnand, |l, a, b| l.not(l.and(a, b))): vmnand_mm(Vv);
    logical(Mnor, |l, a, b| l.not(l.or(a, b))): vmnor_mm(Vv);
    logical(Mxnor, |l, a, b| l.eqv(a, b)): vmxnor_mm(Vv);
    helped(Msbf): vmsbf_m(V1);
    helped(Msof): vmsof_m(V1);
    helped(Msif): vmsif_m(V1);
    helped(Iota): viota_m(V1);
}

/// How a mask is counted: in 64 bits, and from a helper's result.
struct Count {
    op: VOp,
    bits: fn(&Lift<'_>, Val) -> Val,
    helped: fn(&Lift<'_>, Val) -> Val,
}

fn counted(l: &Lift<'_>, a: args::Rv, count: &Count) {
    let p = Parts { vd: 0, vs2: a.vs2, from: From1::X(l.c64(0)), vm: a.vm != 0 };
    let Some(u) = checked(l, count.op, p) else { return };
    let n = if u.inline_mask() {
        let bits = mask_bits(l, a.vs2);
        let bits = active_bits(l, u, p.vm).map_or(bits, |on| l.and(bits, on));
        (count.bits)(l, bits)
    } else {
        (count.helped)(l, by_helper(l, u, count.op, p))
    };
    l.set_x(a.rd, n);
}
pub fn vcpop_m(l: &Lift<'_>, a: args::Rv) {
    counted(l, a, &Count { op: VOp::Mcpop, bits: |l, b| l.ctpop(b), helped: |_, n| n });
}
pub fn vfirst_m(l: &Lift<'_>, a: args::Rv) {
    counted(
        l,
        a,
        &Count {
            op: VOp::Mfirst,
            bits: |l, b| l.movcond(l.icmp(b, l.c64(0), Cond::Eq), l.c64(u64::MAX), l.ctz(b)),
            // The helper's number for none has no sign.
            helped: |l, n| l.movcond(l.icmp(n, l.c64(127), Cond::Gtu), l.c64(u64::MAX), n),
        },
    );
}
pub fn vid_v(l: &Lift<'_>, a: args::V1) {
    let p = Parts { vd: a.vd, vs2: 0, from: From1::X(l.c64(0)), vm: a.vm != 0 };
    helped(l, VOp::Id, p);
}
