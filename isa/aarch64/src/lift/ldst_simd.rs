//! Advanced SIMD structure loads and stores. One function per row of
//! `ldst_simd.decode`. Registers are written after the last access.

use remu_isa::ir::{Addr, MemOp, Type, Val};

use super::lanes::lane;
use super::{Lift, Regs, access};
use crate::decode::args;

fn at(size: u8, disp: u32) -> Addr {
    Addr { disp: disp as i32, ..Addr::at(MemOp::unsigned(size)) }
}
/// Post-index by a register, by the bytes accessed, or not at all.
fn write_back(l: &Lift, rn: u8, rm: u8, bytes: u32) {
    match rm {
        32 => {}
        31 => l.set_rsp(rn, l.add_imm(l.xsp(rn), bytes.into())),
        m => l.set_rsp(rn, l.add(l.xsp(rn), l.x(m))),
    }
}
/// Splits `selem` vectors of structures into one vector per element.
fn deinterleave(l: &Lift, parts: &[Val], q: u8, size: u8) -> Vec<Val> {
    let e = lane(size);
    match parts {
        [a, b] => {
            let (a, b) = whole(l, *a, *b, q);
            vec![l.vuzp1(a, b, e), l.vuzp2(a, b, e)]
        }
        [a, b, c, d] => {
            let ((a, b), (c, d)) = (whole(l, *a, *b, q), whole(l, *c, *d, q));
            let (even, odd) = if q == 1 {
                ((l.vuzp1(a, b, e), l.vuzp1(c, d, e)), (l.vuzp2(a, b, e), l.vuzp2(c, d, e)))
            } else {
                let (x, y) = (a, c);
                let (even, odd) = (l.vuzp1(x, y, e), l.vuzp2(x, y, e));
                ((even, even), (odd, odd))
            };
            vec![
                l.vuzp1(even.0, even.1, e),
                l.vuzp1(odd.0, odd.1, e),
                l.vuzp2(even.0, even.1, e),
                l.vuzp2(odd.0, odd.1, e),
            ]
        }
        _ => parts.to_vec(),
    }
}
/// Two 64-bit parts joined, for q = 0.
fn whole(l: &Lift, a: Val, b: Val, q: u8) -> (Val, Val) {
    if q == 1 {
        return (a, b);
    }
    let v = l.vconcat(a, b);
    (v, v)
}

/// LD1 to LD4, ST1 to ST4 (multiple structures).
pub fn multi(l: &Lift, a: args::Multi) {
    let base = l.xsp(a.rn);
    let reg = |n: u8| (a.rt + n) & 31;
    let bytes = 8u32 << a.q;
    // 64-bit accesses go through the low lane.
    let load = |n: u32| {
        if a.q == 1 {
            l.load(base, Type::V128, at(4, n * 16))
        } else {
            l.vfromf(l.load(base, Type::F64, at(3, n * 8)))
        }
    };
    let store = |n: u32, v: Val| {
        if a.q == 1 {
            l.store(base, v, at(4, n * 16));
        } else {
            l.store(base, l.vtof(v, Type::F64), at(3, n * 8));
        }
    };
    let count = u32::from(a.regs);
    if a.selem == 1 || a.selem == 3 {
        if a.selem == 3 {
            three(l, a, base);
        } else if a.load == 1 {
            let parts: Vec<Val> = (0..count).map(load).collect();
            write_back(l, a.rn, a.rm, count * bytes);
            for (n, v) in parts.into_iter().enumerate() {
                l.set_v(reg(n as u8), v);
            }
            return;
        } else {
            (0..count).for_each(|n| store(n, l.v(reg(n as u8))));
        }
        if a.selem == 1 || a.load == 0 {
            write_back(l, a.rn, a.rm, count * bytes);
        }
        return;
    }
    if a.load == 1 {
        let parts: Vec<Val> = (0..count).map(load).collect();
        let fields = deinterleave(l, &parts, a.q, a.size);
        write_back(l, a.rn, a.rm, count * bytes);
        for (n, v) in fields.into_iter().enumerate() {
            l.set_v(reg(n as u8), if a.q == 1 { v } else { l.vlow(v) });
        }
        return;
    }
    let fields: Vec<Val> = (0..a.regs).map(|n| l.v(reg(n))).collect();
    for (n, v) in interleave(l, &fields, a.q, a.size).into_iter().enumerate() {
        store(n as u32, v);
    }
    write_back(l, a.rn, a.rm, count * bytes);
}

/// The reverse of [`deinterleave`].
fn interleave(l: &Lift, f: &[Val], q: u8, size: u8) -> Vec<Val> {
    let e = lane(size);
    let zip = |x: Val, y: Val| (l.vzip1(x, y, e), l.vzip2(x, y, e));
    match (f, q) {
        ([a, b], 1) => {
            let (lo, hi) = zip(*a, *b);
            vec![lo, hi]
        }
        ([a, b], _) => {
            let lo = l.vzip1(*a, *b, e);
            vec![lo, l.vhigh(lo)]
        }
        ([a, b, c, d], 1) => {
            let ((ac, ac2), (bd, bd2)) = (zip(*a, *c), zip(*b, *d));
            let ((w, x), (y, z)) = (zip(ac, bd), zip(ac2, bd2));
            vec![w, x, y, z]
        }
        ([a, b, c, d], _) => {
            let (ac, bd) = (l.vzip1(*a, *c, e), l.vzip1(*b, *d, e));
            let (w, y) = zip(ac, bd);
            vec![w, l.vhigh(w), y, l.vhigh(y)]
        }
        _ => f.to_vec(),
    }
}

/// Structures of three elements, lane by lane.
fn three(l: &Lift, a: args::Multi, base: Val) {
    let lanes = (8u32 << a.q) >> a.size;
    let step = 1u32 << a.size;
    let reg = |n: u32| ((u32::from(a.rt) + n) & 31) as u8;
    if a.load == 0 {
        for i in 0..lanes {
            for n in 0..3 {
                let v = l.lane(l.v(reg(n)), lane(a.size), i);
                l.store(base, v, at(a.size, (i * 3 + n) * step));
            }
        }
        return;
    }
    let mut regs = [l.vconst(0); 3];
    for i in 0..lanes {
        for (n, v) in regs.iter_mut().enumerate() {
            let x = l.load(base, access(a.size), at(a.size, (i * 3 + n as u32) * step));
            *v = l.vinsert(*v, x, lane(a.size), i as i32);
        }
    }
    write_back(l, a.rn, a.rm, 3 * (8 << a.q));
    for (n, v) in regs.into_iter().enumerate() {
        l.set_v(reg(n as u32), v);
    }
}

/// LD1 to LD4, ST1 to ST4 (single structure).
pub fn single(l: &Lift, a: args::Single) {
    let base = l.xsp(a.rn);
    let reg = |n: u32| ((u32::from(a.rt) + n) & 31) as u8;
    let (count, step) = (u32::from(a.selem), 1u32 << a.size);
    if a.load == 0 {
        for n in 0..count {
            let v = l.lane(l.v(reg(n)), lane(a.size), a.index.into());
            l.store(base, v, at(a.size, n * step));
        }
        return write_back(l, a.rn, a.rm, count * step);
    }
    let values: Vec<Val> =
        (0..count).map(|n| l.load(base, access(a.size), at(a.size, n * step))).collect();
    write_back(l, a.rn, a.rm, count * step);
    for (n, v) in (0..count).zip(values) {
        l.set_v(reg(n), l.vinsert(l.v(reg(n)), v, lane(a.size), a.index.into()));
    }
}

/// LD1R to LD4R.
pub fn repl(l: &Lift, a: args::Repl) {
    let base = l.xsp(a.rn);
    let (count, step) = (u32::from(a.selem), 1u32 << a.size);
    let values: Vec<Val> =
        (0..count).map(|n| l.load(base, access(a.size), at(a.size, n * step))).collect();
    write_back(l, a.rn, a.rm, count * step);
    for (n, v) in (0..count).zip(values) {
        let v = l.vdup(v, lane(a.size));
        l.set_v(((u32::from(a.rt) + n) & 31) as u8, if a.q == 1 { v } else { l.vlow(v) });
    }
}
