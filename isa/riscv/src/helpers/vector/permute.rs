//! "Vector Mask Instructions", "Vector Permutation Instructions".

use super::{Config, Src, Step, VOp, Vectors};
use crate::vector::VLENB;

/// Runs an operation that moves elements or works on masks.
pub(super) fn run(u: &mut Vectors<'_>, c: Config, s: Step, scalar: u64) -> u64 {
    use VOp::*;
    match s.op {
        Mandn | Mand | Mor | Mxor | Morn | Mnand | Mnor | Mxnor => masks(u, s),
        Mcpop => {
            return (0..*u.vl).filter(|&i| u.active(s.vm, i) && u.bit(s.vs2, i)).count() as u64;
        }
        Mfirst => {
            let first = (0..*u.vl).find(|&i| u.active(s.vm, i) && u.bit(s.vs2, i));
            // All ones fit: the result of a count is never negative.
            return first.unwrap_or(NONE);
        }
        Msbf | Msof | Msif => before_first(u, s),
        Iota => {
            let mut n = 0;
            for i in 0..*u.vl {
                if u.active(s.vm, i) {
                    u.set(s.vd, c.sew, i, n);
                    n += u64::from(u.bit(s.vs2, i));
                }
            }
        }
        Id => elements(u, c, s, |_, i| Some(i)),
        Slideup => {
            elements(u, c, s, |u, i| i.checked_sub(scalar).map(|from| u.get(s.vs2, c.sew, from)));
        }
        Slidedown => {
            elements(u, c, s, |u, i| Some(up_to_end(u, c, s.vs2, i.saturating_add(scalar))));
        }
        Slide1up | Fslide1up => elements(u, c, s, |u, i| {
            Some(i.checked_sub(1).map_or(scalar, |from| u.get(s.vs2, c.sew, from)))
        }),
        Slide1down | Fslide1down => elements(u, c, s, |u, i| {
            let last = i + 1 == *u.vl;
            Some(if last { scalar } else { up_to_end(u, c, s.vs2, i + 1) })
        }),
        Gather | Gatherei16 => elements(u, c, s, |u, i| {
            let eew = if s.op == Gatherei16 { 1 } else { c.sew };
            let from = match s.src {
                Src::V(n) => u.get(n, eew, i),
                Src::Scalar => scalar,
            };
            Some(up_to_end(u, c, s.vs2, from))
        }),
        Compress => {
            let mut to = 0;
            for i in 0..*u.vl {
                if u.bit(s.vs1(), i) {
                    let x = u.get(s.vs2, c.sew, i);
                    u.set(s.vd, c.sew, to, x);
                    to += 1;
                }
            }
        }
        // Whole registers, as many as the scalar says, by elements.
        MvR => {
            for i in *u.vstart..scalar * VLENB >> c.sew {
                let x = u.get(s.vs2, c.sew, i);
                u.set(s.vd, c.sew, i, x);
            }
        }
        // Element 0 from a scalar.
        _ => {
            if *u.vstart < *u.vl {
                u.set(s.vd, c.sew, 0, scalar);
            }
        }
    }
    0
}

/// What `vfirst.m` gives where no bit is set, but for its sign.
pub(super) const NONE: u64 = u64::MAX >> 1;

fn elements(
    u: &mut Vectors<'_>,
    c: Config,
    s: Step,
    value: impl Fn(&Vectors<'_>, u64) -> Option<u64>,
) {
    for i in *u.vstart..*u.vl {
        if u.active(s.vm, i)
            && let Some(x) = value(u, i)
        {
            u.set(s.vd, c.sew, i, x);
        }
    }
}

/// Element of a group; zero behind its end.
fn up_to_end(u: &Vectors<'_>, c: Config, reg: u8, i: u64) -> u64 {
    if i < c.vlmax() { u.get(reg, c.sew, i) } else { 0 }
}

fn masks(u: &mut Vectors<'_>, s: Step) {
    use VOp::*;
    for i in *u.vstart..*u.vl {
        let (a, b) = (u.bit(s.vs2, i), u.bit(s.vs1(), i));
        let r = match s.op {
            Mandn => a & !b,
            Mand => a & b,
            Mor => a | b,
            Mxor => a ^ b,
            Morn => a | !b,
            Mnand => !(a & b),
            Mnor => !(a | b),
            _ => !(a ^ b),
        };
        u.set_bit(s.vd, i, r);
    }
}

fn before_first(u: &mut Vectors<'_>, s: Step) {
    let mut found = false;
    for i in 0..*u.vl {
        if !u.active(s.vm, i) {
            continue;
        }
        let first = !found && u.bit(s.vs2, i);
        let r = match s.op {
            VOp::Msbf => !found && !first,
            VOp::Msof => first,
            _ => !found,
        };
        found |= first;
        u.set_bit(s.vd, i, r);
    }
}
