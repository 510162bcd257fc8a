//! Vector bit manipulation and cryptography: "Zvbb", "Zvkb", "Zvbc", "Zvkg",
//! "Zvkned", "Zvknh", "Zvksed", "Zvksh".

use remu_ir::{Cond, ExitKind, Lane, Val};

use super::Lift;
use super::rv_v::int::{andn, brev, brev8, rev8, rol, ror, same};
use super::rv_v::{From1, Parts, Vu, by_helper, checked, helped, illegal_if, reg, rows, write};
use crate::helpers::vector::VOp;
use crate::state::slots;

rows! {
    same(Andn, andn): vandn_vv(Vv) vandn_vx(Vx);
    same(Rol, rol): vrol_vv(Vv) vrol_vx(Vx);
    same(Ror, ror): vror_vv(Vv) vror_vx(Vx);
    same(Brev8, brev8): vbrev8_v(V1);
    same(Rev8, rev8): vrev8_v(V1);
    same(Brev, brev): vbrev_v(V1);
    helped(Clz): vclz_v(V1);
    helped(Ctz): vctz_v(V1);
    helped(Cpop): vcpop_v(V1);
    helped(Wsll): vwsll_vv(Vv) vwsll_vx(Vx) vwsll_vi(Vu);
    helped(Clmul): vclmul_vv(Vv) vclmul_vx(Vx);
    helped(Clmulh): vclmulh_vv(Vv) vclmulh_vx(Vx);
    same(Ror, ror): vror_vi(Vu);
}

rows! {
    groups(Ghsh): vghsh_vv(Vv);
    groups(Gmul): vgmul_vv(V1);
    groups(AesdmVv): vaesdm_vv(V1);
    groups(AesdmVs): vaesdm_vs(V1);
    groups(AesdfVv): vaesdf_vv(V1);
    groups(AesdfVs): vaesdf_vs(V1);
    groups(AesemVv): vaesem_vv(V1);
    groups(AesemVs): vaesem_vs(V1);
    groups(AesefVv): vaesef_vv(V1);
    groups(AesefVs): vaesef_vs(V1);
    groups(AeszVs): vaesz_vs(V1);
    groups(Aeskf1): vaeskf1_vi(Vu);
    groups(Aeskf2): vaeskf2_vi(Vu);
    groups(Sha2ms): vsha2ms_vv(Vv);
    groups(Sha2ch): vsha2ch_vv(Vv);
    groups(Sha2cl): vsha2cl_vv(Vv);
    groups(Sm4k): vsm4k_vi(Vu);
    groups(Sm4rVv): vsm4r_vv(V1);
    groups(Sm4rVs): vsm4r_vs(V1);
    groups(Sm3me): vsm3me_vv(Vv);
    groups(Sm3c): vsm3c_vi(Vu);
}

/// An operation on groups of elements, 128 bits each where it has IR ops.
fn groups(l: &Lift<'_>, op: VOp, p: Parts) {
    let Some(u) = checked(l, op, p) else { return };
    if !(u.inline() && inline(l, u, op, p)) {
        let result = by_helper(l, u, op, p);
        if !u.full() {
            illegal_if(l, result);
        }
    }
}

/// Whether the operation was lifted to IR ops.
fn inline(l: &Lift<'_>, u: Vu, op: VOp, p: Parts) -> bool {
    use VOp::*;
    let vs1 = match p.from {
        From1::V(n) => n,
        _ => 0,
    };
    let wide = matches!(op, Sha2ms | Sha2ch | Sha2cl) && u.c.sew == 3;
    let helper = matches!(op, Aeskf2 | Sm4k | Sm4rVv | Sm4rVs | Sm3me | Sm3c);
    if wide || helper {
        return false;
    }
    if !u.full() {
        // Whole groups.
        let rest = l.and(l.get(slots::vl(0)), l.c64(3));
        l.exit_if(l.icmp(rest, l.c64(0), Cond::Ne), ExitKind::Illegal, l.pc());
    }
    for k in 0..1 << u.c.lmul.max(0) {
        let (d, v2, v1) = (reg(l, p.vd + k), reg(l, p.vs2 + k), reg(l, vs1 + k));
        let key = reg(l, p.vs2);
        let v = match op {
            AesdmVv => l.aesimc(l.aesdeclast(d, v2)),
            AesdmVs => l.aesimc(l.aesdeclast(d, key)),
            AesdfVv => l.aesdeclast(d, v2),
            AesdfVs => l.aesdeclast(d, key),
            AesemVv => l.aesenc(d, v2),
            AesemVs => l.aesenc(d, key),
            AesefVv => l.aesenclast(d, v2),
            AesefVs => l.aesenclast(d, key),
            AeszVs => l.vxor(d, key),
            Ghsh => ghash(l, l.vxor(d, v1), v2),
            Gmul => ghash(l, d, v2),
            Sha2ms => l.sha256su1(l.sha256su0(d, v2), v2, v1),
            Sha2ch => l.sha256r2(d, v2, l.vhigh(v1)),
            Sha2cl => l.sha256r2(d, v2, v1),
            _ => return false,
        };
        write(l, u, k, 2, p, v);
    }
    true
}

/// Product in the field of GCM, whose bits are reversed in every byte.
fn ghash(l: &Lift<'_>, x: Val, h: Val) -> Val {
    let (a, b) = (l.vbitrev(x), l.vbitrev(h));
    let product = |x: Val, y: Val| l.vpmull(x, y, Lane::D);
    // Of weight 1, x^64 and x^128. Each half that is taken has one use, which it is part of.
    let low = product(a, b);
    let high = product(l.vhigh(a), l.vhigh(b));
    let middle = l.vxor(product(l.vhigh(a), b), product(a, l.vhigh(b)));
    // x^128 is x^7 + x^2 + x + 1.
    let fold = l.vconst(0x87);
    let middle = l.vxor(middle, product(l.vhigh(high), fold));
    let low = l.vxor(low, product(high, fold));
    let low = l.vxor(low, product(l.vhigh(middle), fold));
    l.vbitrev(l.vxor(low, l.vext(l.vconst(0), middle, 8)))
}
