//! "Vector Reduction Operations".

use super::float::{self, Fold};
use super::{Config, Step, VOp, Vectors, extend};

/// Folds the active elements of vs2 into element 0 of vs1, which becomes
/// element 0 of vd.
pub(super) fn run(u: &mut Vectors<'_>, c: Config, s: Step, _: u64) -> u64 {
    use VOp::*;
    if *u.vl == 0 {
        return 0;
    }
    let sew = c.sew;
    let wide = matches!(s.op, Wredsumu | Wredsum | Fwredusum | Fwredosum);
    let eew = sew + u8::from(wide);
    let mut sum = u.get(s.vs1(), eew, 0);
    let mut fold = Fold::new(eew, u.frm);
    for i in 0..*u.vl {
        if !u.active(s.vm, i) {
            continue;
        }
        let x = u.get(s.vs2, sew, i);
        let (sx, ss) = (extend(x, sew), extend(sum, eew));
        sum = match s.op {
            Redsum | Wredsumu => sum.wrapping_add(x),
            Wredsum => sum.wrapping_add(sx as u64),
            Redand => sum & x,
            Redor => sum | x,
            Redxor => sum ^ x,
            Redminu => sum.min(x),
            Redmin => ss.min(sx) as u64,
            Redmaxu => sum.max(x),
            Redmax => ss.max(sx) as u64,
            Fwredusum | Fwredosum => {
                let x = float::widened(x, sew, u.frm, &mut fold.flags);
                fold.add(sum, x)
            }
            Fredmin => fold.min(sum, x),
            Fredmax => fold.max(sum, x),
            _ => fold.add(sum, x),
        };
    }
    u.set(s.vd, eew, 0, sum);
    fold.flags.into()
}
