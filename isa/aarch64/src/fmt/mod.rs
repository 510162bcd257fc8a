//! Formatters of the tables' templates. The text is what `objdump -d` prints.

use core::fmt::{Formatter, Result};

use crate::bits;
use crate::decode::args;

mod simd;
pub use simd::*;

/// What a formatter knows besides its values.
#[derive(Default, Debug, Clone, Copy)]
pub struct Ctx {
    /// Address of the instruction.
    pub pc: u64,
}

/// Numbers a template hands over.
type N = i64;

const COND: [&str; 16] = [
    "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv",
];

fn gpr(f: &mut Formatter<'_>, class: char, n: N, r31: &str) -> Result {
    if n == 31 { f.write_str(r31) } else { write!(f, "{class}{n}") }
}

/// 64-bit register, 31 is the zero register.
pub fn x(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    gpr(f, 'x', n, "xzr")
}
/// 32-bit register, 31 is the zero register.
pub fn w(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    gpr(f, 'w', n, "wzr")
}
/// 64-bit register, 31 is the stack pointer.
pub fn xsp(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    gpr(f, 'x', n, "sp")
}
/// Register of the width `sf` gives.
pub fn r(f: &mut Formatter<'_>, n: N, sf: N, c: &Ctx) -> Result {
    if sf == 1 { x(f, n, c) } else { w(f, n, c) }
}
/// Register of the width `sf` gives, 31 is the stack pointer.
pub fn rsp(f: &mut Formatter<'_>, n: N, sf: N, c: &Ctx) -> Result {
    if sf == 1 { xsp(f, n, c) } else { gpr(f, 'w', n, "wsp") }
}
/// Register that an access of 2^sz bytes takes.
pub fn rsz(f: &mut Formatter<'_>, n: N, sz: N, c: &Ctx) -> Result {
    r(f, n, N::from(sz == 3), c)
}
/// The register after `n`.
pub fn rnext(f: &mut Formatter<'_>, n: N, sz: N, c: &Ctx) -> Result {
    rsz(f, n + 1, sz, c)
}
/// Register wide enough for a bit number.
pub fn rbit(f: &mut Formatter<'_>, n: N, bit: N, c: &Ctx) -> Result {
    r(f, n, N::from(bit >= 32), c)
}
/// Scalar SIMD register of 2^sz bytes.
pub fn vsz(f: &mut Formatter<'_>, n: N, sz: N, _: &Ctx) -> Result {
    write!(f, "{}{n}", ['b', 'h', 's', 'd', 'q'][sz as usize % 5])
}
/// Scalar floating-point register: 0 single, 1 double, 3 half.
pub fn fs(f: &mut Formatter<'_>, n: N, ty: N, _: &Ctx) -> Result {
    write!(f, "{}{n}", ['s', 'd', 'q', 'h'][ty as usize & 3])
}
/// Vector register with doubleword elements.
pub fn vd(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    write!(f, "v{n}.d")
}
/// Decimal immediate.
pub fn dec(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    write!(f, "#{n}")
}
/// Hexadecimal immediate.
pub fn hex(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    write!(f, "#{n:#x}")
}
/// Branch target.
pub fn label(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    write!(f, "{n:#x}")
}
/// Address of a page.
pub fn page(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    write!(f, "{:#x}", n & !0xfff)
}
/// Optional shift of an immediate by 12.
pub fn lsl12(f: &mut Formatter<'_>, sh: N, _: &Ctx) -> Result {
    f.write_str(if sh == 1 { ", lsl #12" } else { "" })
}
/// Optional shift of a wide immediate.
pub fn lsl_hw(f: &mut Formatter<'_>, hw: N, _: &Ctx) -> Result {
    if hw == 0 { Ok(()) } else { write!(f, ", lsl #{}", hw * 16) }
}
/// Immediate of the logical instructions.
pub fn bitmask(f: &mut Formatter<'_>, a: &args::Logimm, _: &Ctx) -> Result {
    match bits::bitmask(a.sf, a.n, a.imms, a.immr) {
        Some(m) => write!(f, "#{m:#x}"),
        None => f.write_str("#?"),
    }
}
/// Immediate of MOVZ.
pub fn wide(f: &mut Formatter<'_>, a: &args::Movw, _: &Ctx) -> Result {
    write!(f, "#{:#x}", u64::from(a.imm) << (a.hw * 16))
}
/// Immediate of MOVN.
pub fn inverted_wide(f: &mut Formatter<'_>, a: &args::Movw, _: &Ctx) -> Result {
    let v = !(u64::from(a.imm) << (a.hw * 16));
    write!(f, "#{:#x}", if a.sf == 1 { v } else { v & 0xffff_ffff })
}

fn bitfield(f: &mut Formatter<'_>, name: &str, a: &args::Bitf, c: &Ctx, t: &[u8]) -> Result {
    write!(f, "{name} ")?;
    r(f, a.rd.into(), a.sf.into(), c)?;
    if name != "bfc" {
        f.write_str(", ")?;
        let narrow = name.len() == 4 && name.as_bytes()[1] == b'x';
        r(f, a.rn.into(), if narrow { 0 } else { a.sf.into() }, c)?;
    }
    t.iter().try_for_each(|n| write!(f, ", #{n}"))
}
/// SBFM and its aliases.
pub fn sbfm(f: &mut Formatter<'_>, a: &args::Bitf, c: &Ctx) -> Result {
    let width = 32 << a.sf;
    match (a.immr, a.imms) {
        (0, 7) => bitfield(f, "sxtb", a, c, &[]),
        (0, 15) => bitfield(f, "sxth", a, c, &[]),
        (0, 31) if a.sf == 1 => bitfield(f, "sxtw", a, c, &[]),
        (_, s) if s == width - 1 => bitfield(f, "asr", a, c, &[a.immr]),
        (r, s) if s < r => bitfield(f, "sbfiz", a, c, &[width - r, s + 1]),
        (r, s) => bitfield(f, "sbfx", a, c, &[r, s - r + 1]),
    }
}
/// UBFM and its aliases.
pub fn ubfm(f: &mut Formatter<'_>, a: &args::Bitf, c: &Ctx) -> Result {
    let width = 32 << a.sf;
    match (a.immr, a.imms) {
        (0, 7) if a.sf == 0 => bitfield(f, "uxtb", a, c, &[]),
        (0, 15) if a.sf == 0 => bitfield(f, "uxth", a, c, &[]),
        (_, s) if s == width - 1 => bitfield(f, "lsr", a, c, &[a.immr]),
        (r, s) if s + 1 == r => bitfield(f, "lsl", a, c, &[width - r]),
        (r, s) if s < r => bitfield(f, "ubfiz", a, c, &[width - r, s + 1]),
        (r, s) => bitfield(f, "ubfx", a, c, &[r, s - r + 1]),
    }
}
/// BFM and its aliases.
pub fn bfm(f: &mut Formatter<'_>, a: &args::Bitf, c: &Ctx) -> Result {
    let width = 32 << a.sf;
    match (a.immr, a.imms) {
        (r, s) if s < r && a.rn == 31 => bitfield(f, "bfc", a, c, &[(width - r) % width, s + 1]),
        (r, s) if s < r => bitfield(f, "bfi", a, c, &[width - r, s + 1]),
        (r, s) => bitfield(f, "bfxil", a, c, &[r, s - r + 1]),
    }
}

/// Optional shift of a register.
pub fn shifted(f: &mut Formatter<'_>, shift: N, amount: N, _: &Ctx) -> Result {
    if shift == 0 && amount == 0 {
        return Ok(());
    }
    write!(f, ", {} #{amount}", ["lsl", "lsr", "asr", "ror"][shift as usize & 3])
}

const EXTEND: [&str; 8] = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];

fn extended_reg(f: &mut Formatter<'_>, a: &args::Extend, c: &Ctx, lsl: bool) -> Result {
    r(f, a.rm.into(), N::from(a.sf == 1 && a.option & 3 == 3), c)?;
    let name = if lsl { "lsl" } else { EXTEND[usize::from(a.option & 7)] };
    match a.amount {
        0 if lsl => Ok(()),
        0 => write!(f, ", {name}"),
        n => write!(f, ", {name} #{n}"),
    }
}
/// Extended register of an instruction that writes the flags.
pub fn extended(f: &mut Formatter<'_>, a: &args::Extend, c: &Ctx) -> Result {
    extended_reg(f, a, c, a.rn == 31 && a.option == 2 + a.sf)
}
/// Extended register of an instruction that may write the stack pointer.
pub fn extended_sp(f: &mut Formatter<'_>, a: &args::Extend, c: &Ctx) -> Result {
    extended_reg(f, a, c, (a.rn == 31 || a.rd == 31) && a.option == 2 + a.sf)
}
/// Condition.
pub fn cond(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    f.write_str(COND[n as usize & 15])
}
/// The opposite condition.
pub fn inverse_cond(f: &mut Formatter<'_>, n: N, _: &Ctx) -> Result {
    f.write_str(COND[(n as usize & 15) ^ 1])
}
/// Letter of an integer access: b, h or nothing.
pub fn bh(f: &mut Formatter<'_>, sz: N, _: &Ctx) -> Result {
    f.write_str(["b", "h", "", ""][sz as usize & 3])
}
/// Letter of a size.
pub fn bhw(f: &mut Formatter<'_>, sz: N, _: &Ctx) -> Result {
    f.write_str(["b", "h", "w", "x"][sz as usize & 3])
}
/// Letter of a checksum's operand.
pub fn bhwx(f: &mut Formatter<'_>, sz: N, c: &Ctx) -> Result {
    bhw(f, sz, c)
}
/// Key A or B.
pub fn ab(f: &mut Formatter<'_>, key: N, _: &Ctx) -> Result {
    f.write_str(if key == 1 { "b" } else { "a" })
}
/// Acquire.
pub fn a(f: &mut Formatter<'_>, set: N, _: &Ctx) -> Result {
    f.write_str(if set == 1 { "a" } else { "" })
}
/// Release.
pub fn l(f: &mut Formatter<'_>, set: N, _: &Ctx) -> Result {
    f.write_str(if set == 1 { "l" } else { "" })
}
/// Operand of BTI.
pub fn bti(f: &mut Formatter<'_>, op: N, _: &Ctx) -> Result {
    f.write_str(["", " c", " j", " jc"][op as usize & 3])
}
/// Barrier domain and types.
pub fn barrier(f: &mut Formatter<'_>, crm: N, c: &Ctx) -> Result {
    const NAMES: [&str; 16] = [
        "", "oshld", "oshst", "osh", "", "nshld", "nshst", "nsh", "", "ishld", "ishst", "ish", "",
        "ld", "st", "sy",
    ];
    match NAMES[crm as usize & 15] {
        "" => write!(f, "#{crm:#04x}"),
        name => {
            let _ = c;
            f.write_str(name)
        }
    }
}
/// Field of PSTATE that MSR (immediate) writes.
pub fn pstate(f: &mut Formatter<'_>, op1: N, op2: N, _: &Ctx) -> Result {
    f.write_str(match (op1, op2) {
        (0, 3) => "uao",
        (0, 4) => "pan",
        (0, 5) => "spsel",
        (3, 1) => "ssbs",
        (3, 2) => "dit",
        (3, 4) => "tco",
        (3, 6) => "daifset",
        (3, 7) => "daifclr",
        _ => "?",
    })
}
/// System register.
pub fn sysreg(f: &mut Formatter<'_>, reg: N, _: &Ctx) -> Result {
    let r = reg as u16;
    match crate::sysreg::name(r) {
        Some(name) => f.write_str(name),
        None => {
            let (op0, op1, crn) = (2 + (r >> 14), r >> 11 & 7, r >> 7 & 15);
            write!(f, "s{op0}_{op1}_c{crn}_c{}_{}", r >> 3 & 15, r & 7)
        }
    }
}
/// SYS and its aliases.
pub fn sys(f: &mut Formatter<'_>, a: &args::Sys, c: &Ctx) -> Result {
    match crate::sysreg::operation(a.op1, a.crn, a.crm, a.op2) {
        Some((name, true)) => {
            write!(f, "{name}, ")?;
            x(f, a.rt.into(), c)
        }
        Some((name, false)) if a.rt == 31 => f.write_str(name),
        _ => {
            write!(f, "sys #{}, C{}, C{}, #{}", a.op1, a.crn, a.crm, a.op2)?;
            if a.rt == 31 { Ok(()) } else { write!(f, ", x{}", a.rt) }
        }
    }
}
/// Optional offset.
pub fn off(f: &mut Formatter<'_>, imm: N, _: &Ctx) -> Result {
    if imm == 0 { Ok(()) } else { write!(f, ", #{imm}") }
}
/// Optional offset in units of 2^sz bytes.
pub fn uoff(f: &mut Formatter<'_>, imm: N, sz: N, c: &Ctx) -> Result {
    off(f, imm << sz, c)
}
/// Offset in units of 2^sz bytes.
pub fn scaled(f: &mut Formatter<'_>, imm: N, sz: N, _: &Ctx) -> Result {
    write!(f, "#{}", imm << sz)
}
/// Index register of an address.
pub fn index(f: &mut Formatter<'_>, a: &args::Reg, c: &Ctx) -> Result {
    r(f, a.rm.into(), N::from(a.option & 1), c)?;
    let name = if a.option == 3 { "lsl" } else { EXTEND[usize::from(a.option & 7)] };
    match (a.s, a.option) {
        (0, 3) => Ok(()),
        (0, _) => write!(f, ", {name}"),
        (_, _) => write!(f, ", {name} #{}", a.sz),
    }
}
/// Prefetch operation.
pub fn prfop(f: &mut Formatter<'_>, op: N, _: &Ctx) -> Result {
    let (kind, level) = (op >> 3 & 3, op >> 1 & 3);
    if kind == 3 || level == 3 {
        return write!(f, "#{op:#04x}");
    }
    let policy = if op & 1 == 1 { "strm" } else { "keep" };
    write!(f, "{}l{}{policy}", ["pld", "pli", "pst"][kind as usize], level + 1)
}
/// Range prefetch operation.
pub fn rprfop(f: &mut Formatter<'_>, op: N, _: &Ctx) -> Result {
    match op {
        0 => f.write_str("pldkeep"),
        1 => f.write_str("pstkeep"),
        4 => f.write_str("pldstrm"),
        5 => f.write_str("pststrm"),
        _ => write!(f, "#{op}"),
    }
}
/// `#-` one register's bytes.
pub fn minus_one(f: &mut Formatter<'_>, sz: N, _: &Ctx) -> Result {
    write!(f, "#-{}", 1 << sz)
}
/// `#` one register's bytes.
pub fn plus_one(f: &mut Formatter<'_>, sz: N, _: &Ctx) -> Result {
    write!(f, "#{}", 1 << sz)
}
/// `#-` two registers' bytes.
pub fn minus_pair(f: &mut Formatter<'_>, sz: N, _: &Ctx) -> Result {
    write!(f, "#-{}", 2 << sz)
}
/// `#` two registers' bytes.
pub fn plus_pair(f: &mut Formatter<'_>, sz: N, _: &Ctx) -> Result {
    write!(f, "#{}", 2 << sz)
}
/// Options of the copy instructions.
pub fn cpyop(f: &mut Formatter<'_>, op: N, _: &Ctx) -> Result {
    const NAMES: [&str; 16] = [
        "", "wt", "rt", "t", "wn", "wtwn", "rtwn", "twn", "rn", "wtrn", "rtrn", "trn", "n", "wtn",
        "rtn", "tn",
    ];
    f.write_str(NAMES[op as usize & 15])
}
/// Options of the set instructions.
pub fn setop(f: &mut Formatter<'_>, op: N, _: &Ctx) -> Result {
    f.write_str(["", "t", "n", "tn"][op as usize & 3])
}
/// 8-bit floating-point immediate.
pub fn fpimm(f: &mut Formatter<'_>, imm: N, _: &Ctx) -> Result {
    write!(f, "#{}", scientific(f64::from_bits(bits::expand_f64(imm as u8))))
}
/// As C's `%.18e` writes it.
fn scientific(v: f64) -> String {
    let text = format!("{v:.18e}");
    match text.split_once('e') {
        Some((m, e)) => {
            let e: i32 = e.parse().unwrap_or(0);
            format!("{m}e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs())
        }
        None => text,
    }
}
