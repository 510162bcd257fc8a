//! Which vector instructions are reserved: "Vector Operands", "Vector
//! Masking", and what single instructions say of overlap.

use super::{Config, Shape, Src, Step, VOp};

/// Registers of a group: the first, log2 of their number, log2 of the bytes of
/// an element; masks and scalars have one register and narrow elements.
#[derive(Clone, Copy)]
struct Group {
    reg: u8,
    emul: i8,
    eew: i8,
}

/// Element width of a mask as [`Group`] counts.
const MASK: i8 = -3;

impl Group {
    fn regs(self) -> u8 {
        1 << self.emul.max(0)
    }
    fn aligned(self) -> bool {
        self.reg & (self.regs() - 1) == 0
    }
    fn end(self) -> u8 {
        self.reg + self.regs()
    }
    fn overlaps(self, o: Group) -> bool {
        self.reg < o.end() && o.reg < self.end()
    }
    /// Whether the result may be where it is, given a source.
    fn allows(self, source: Group) -> bool {
        if !self.overlaps(source) || self.eew == source.eew {
            return true;
        }
        if self.eew < source.eew {
            // The lowest registers of the source.
            return self.reg == source.reg;
        }
        // The highest registers of the result.
        source.emul >= 0 && source.end() == self.end()
    }
}

/// Whether an instruction may be executed under these settings.
pub(crate) fn legal(c: Config, s: Step, started: bool, frm: u32) -> bool {
    let group = |reg: u8, eew: i8| {
        let emul = if eew == MASK { 0 } else { c.emul(eew.try_into().ok()?)? };
        let g = Group { reg, emul, eew };
        g.aligned().then_some(g)
    };
    let Some(rule) = rule(c, s) else { return false };
    if started && rule.from_start || rule.float.is_some_and(|eew| !float(s.op, eew) || frm > 4) {
        return false;
    }
    let Some(vd) = group(s.vd, rule.vd) else { return false };
    // What is read has one width, and a mask has its own; comparisons and carries read v0 besides.
    let mask = Group { reg: 0, emul: 0, eew: MASK };
    let besides = rule.vd == MASK && !rule.scalar || matches!(s.op, VOp::Adc | VOp::Sbc);
    let mut read = [(!s.vm && !besides).then_some(mask), rule.element(s)];
    if let [Some(mask), Some(element)] = read
        && mask.overlaps(element)
    {
        return false;
    }
    let sources = [(rule.vs2, s.vs2), (rule.vs1, s.vs1())];
    for (width, reg) in sources {
        let Some(eew) = width else { continue };
        let Some(source) = group(reg, eew) else { return false };
        let mixed = read.iter().flatten().any(|r| r.overlaps(source) && r.eew != eew);
        if mixed && s.op != VOp::Compress || accumulates(s.op) && vd.overlaps(source) {
            return false;
        }
        read[1] = read[1].or(Some(source));
        let apart = if rule.apart { !vd.overlaps(source) } else { vd.allows(source) };
        if !(apart || rule.scalar) {
            return false;
        }
    }
    // A result that is no mask and no scalar is not where the mask is.
    s.vm || s.vd != 0 || rule.vd == MASK && !rule.apart || rule.scalar
}

#[derive(Clone, Copy)]
struct Rule {
    /// log2 of the bytes of elements.
    vd: i8,
    vs2: Option<i8>,
    vs1: Option<i8>,
    /// The result overlaps no source.
    apart: bool,
    /// The result is one element, or the operation reads one of `vs1`.
    scalar: bool,
    /// log2 of the bytes of the element that is read of `vs1`.
    first: Option<i8>,
    /// Illegal unless `vstart` is 0.
    from_start: bool,
    /// Works on floating-point numbers of this width.
    float: Option<i8>,
}

impl Rule {
    fn element(&self, s: Step) -> Option<Group> {
        self.first.map(|eew| Group { reg: s.vs1(), emul: 0, eew })
    }
}

fn rule(c: Config, s: Step) -> Option<Rule> {
    let sew = c.sew as i8;
    let vs1 = |eew| matches!(s.src, Src::V(_)).then_some(eew);
    let base = Rule {
        vd: sew,
        vs2: Some(sew),
        vs1: vs1(sew),
        apart: false,
        scalar: false,
        first: None,
        from_start: false,
        float: is_float(s.op).then_some(sew),
    };
    let rule = match s.op.shape() {
        Shape::Same if matches!(s.op, VOp::Clmul | VOp::Clmulh) && sew != 3 => return None,
        Shape::Same => base,
        Shape::Wide => Rule { vd: sew + 1, ..base },
        Shape::WideWide => Rule { vd: sew + 1, vs2: Some(sew + 1), ..base },
        Shape::Narrow => Rule { vs2: Some(sew + 1), ..base },
        Shape::Compare => Rule { vd: MASK, ..base },
        Shape::Extend(n) => {
            c.emul(c.sew.checked_sub(n)?)?;
            Rule { vs2: Some(sew - n as i8), ..base }
        }
        Shape::Other => return other(c, s, base),
    };
    // Wide elements exist.
    (rule.vd.max(rule.vs2.unwrap_or(0)) <= 3).then_some(rule)
}

fn other(c: Config, s: Step, base: Rule) -> Option<Rule> {
    use VOp::*;
    let sew = c.sew as i8;
    let masks = Rule { vd: MASK, vs2: Some(MASK), vs1: base.vs1.map(|_| MASK), ..base };
    // One element in vd and vs1, which need no alignment.
    let reduction =
        Rule { vd: MASK, vs1: None, first: Some(sew), scalar: true, from_start: true, ..base };
    let wide = Rule { first: Some(sew + 1), ..reduction };
    Some(match s.op {
        Redsum | Redand | Redor | Redxor | Redminu | Redmin | Redmaxu | Redmax => reduction,
        Fredusum | Fredosum | Fredmin | Fredmax => reduction,
        Wredsumu | Wredsum | Fwredusum | Fwredosum if sew < 3 => wide,
        Wredsumu | Wredsum | Fwredusum | Fwredosum => return None,
        Mandn | Mand | Mor | Mxor | Morn | Mnand | Mnor | Mxnor => masks,
        Mcpop | Mfirst => Rule { scalar: true, from_start: true, ..masks },
        Msbf | Msof | Msif => Rule { apart: true, from_start: true, ..masks },
        Iota => Rule { vs2: Some(MASK), vs1: None, apart: true, from_start: true, ..base },
        Id => Rule { vs2: None, vs1: None, ..base },
        Slideup | Slide1up | Fslide1up | Gather => Rule { apart: true, ..base },
        Slidedown | Slide1down | Fslide1down => base,
        // The lifter looks at the registers.
        MvR => Rule { vd: MASK, vs2: None, vs1: None, scalar: true, ..base },
        Gatherei16 => Rule { vs1: base.vs1.map(|_| 1), apart: true, ..base },
        Compress => Rule { vs1: Some(MASK), apart: true, from_start: true, ..base },
        MvSx | FmvSf => Rule { vd: MASK, vs2: None, vs1: None, scalar: true, ..base },
        _ => return crypto(c, s, base),
    })
}

/// Whether the result is also an operand, and wider than the others.
fn accumulates(op: VOp) -> bool {
    use VOp::*;
    matches!(op, Wmaccu | Wmacc | Wmaccsu | Wmaccus | Fwmacc | Fwnmacc | Fwmsac | Fwnmsac)
}

/// Operations on groups of four elements, of 32 bits but for SHA-512.
fn crypto(c: Config, s: Step, base: Rule) -> Option<Rule> {
    use VOp::*;
    let wide = matches!(s.op, Sha2ms | Sha2ch | Sha2cl) && c.sew == 3;
    let fits = super::crypto::group(s.op) <= c.vlmax();
    if !(wide || c.sew == 2) || !fits {
        return None;
    }
    let inside = s.vs2 >= s.vd && s.vs2 < s.vd + (1 << c.lmul.max(0));
    Some(match s.op {
        // One group of vs2 serves all: a scalar.
        AesdmVs | AesdfVs | AesemVs | AesefVs | AeszVs | Sm4rVs => {
            if inside {
                return None;
            }
            Rule { vs2: None, vs1: None, ..base }
        }
        Sha2ms | Sha2ch | Sha2cl => Rule { apart: true, ..base },
        // The other source may be where the result is.
        Sm3me if inside => return None,
        Sm3c => Rule { vs1: None, apart: true, ..base },
        _ => base,
    })
}

/// Whether the operation works on floating-point numbers.
pub(super) fn is_float(op: VOp) -> bool {
    use VOp::*;
    let reduction = matches!(op, Fredusum | Fredosum | Fredmin | Fredmax | Fwredusum | Fwredosum);
    let moves = matches!(op, FmvSf | Fslide1up | Fslide1down);
    moves || reduction || (Fadd as u8..=Mfge as u8).contains(&(op as u8))
}

/// Whether elements of the width are numbers to the operation.
fn float(op: VOp, eew: i8) -> bool {
    use VOp::*;
    match op {
        // Between integers of SEW and numbers twice as wide.
        WcvtFXu | WcvtFX => (0..=2).contains(&eew),
        NcvtXuF | NcvtXF | NcvtRtzXuF | NcvtRtzXF => (0..=2).contains(&eew),
        _ => match op.shape() {
            Shape::Wide | Shape::WideWide | Shape::Narrow => (1..=2).contains(&eew),
            _ => (1..=3).contains(&eew),
        },
    }
}
