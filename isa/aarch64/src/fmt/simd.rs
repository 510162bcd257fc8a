//! Formatters of Advanced SIMD operands. q: 0 for 64 bits, 1 for 128, 2 for a
//! scalar; size: log2 of a lane's bytes.

use core::fmt::{Formatter, Result};

use super::{Ctx, N, dec, r, scientific, vsz, x, xsp};
use crate::bits;
use crate::decode::args;
use crate::pred::copy_size;

const LETTER: [char; 5] = ['b', 'h', 's', 'd', 'q'];

fn letter(size: N) -> char {
    LETTER[size as usize % 5]
}
/// Register with arrangement, or a scalar.
pub fn va(f: &mut Formatter<'_>, n: N, q: N, size: N, c: &Ctx) -> Result {
    if q == 2 {
        return vsz(f, n, size, c);
    }
    write!(f, "v{n}.{}{}", (8 << q) >> size, letter(size))
}
/// Whole register of the lanes twice as wide, or a scalar.
pub fn vw(f: &mut Formatter<'_>, n: N, q: N, size: N, c: &Ctx) -> Result {
    va(f, n, if q == 2 { 2 } else { 1 }, size + 1, c)
}
/// Register of the same width with lanes twice as wide.
pub fn vpair(f: &mut Formatter<'_>, n: N, q: N, size: N, c: &Ctx) -> Result {
    va(f, n, q, size + 1, c)
}
/// Scalar twice as wide as a lane.
pub fn vs_wide(f: &mut Formatter<'_>, n: N, size: N, c: &Ctx) -> Result {
    vsz(f, n, size + 1, c)
}
/// Two lanes.
pub fn vpair_s(f: &mut Formatter<'_>, n: N, size: N, _: &Ctx) -> Result {
    write!(f, "v{n}.2{}", letter(size))
}
/// The halves that FMLAL takes.
pub fn vhalf(f: &mut Formatter<'_>, n: N, q: N, c: &Ctx) -> Result {
    if q == 1 { va(f, n, 0, 1, c) } else { write!(f, "v{n}.2h") }
}
/// `2` for the upper half.
pub fn two(f: &mut Formatter<'_>, q: N, _: &Ctx) -> Result {
    f.write_str(if q == 1 { "2" } else { "" })
}
/// Bottom or top.
pub fn bt(f: &mut Formatter<'_>, q: N, _: &Ctx) -> Result {
    f.write_str(if q == 1 { "t" } else { "b" })
}
/// Bits of a lane.
pub fn esize(f: &mut Formatter<'_>, size: N, c: &Ctx) -> Result {
    dec(f, 8 << size, c)
}
/// Rotation in quarters.
pub fn rot(f: &mut Formatter<'_>, n: N, c: &Ctx) -> Result {
    dec(f, 90 * n, c)
}
/// Rotation by 90 or 270.
pub fn rot_odd(f: &mut Formatter<'_>, n: N, c: &Ctx) -> Result {
    dec(f, 90 + 180 * n, c)
}
/// An element.
pub fn vel(f: &mut Formatter<'_>, n: N, size: N, index: N, _: &Ctx) -> Result {
    write!(f, "v{n}.{}[{index}]", letter(size))
}
/// Four bytes.
pub fn v4b(f: &mut Formatter<'_>, n: N, index: N, _: &Ctx) -> Result {
    write!(f, "v{n}.4b[{index}]")
}
/// Two halves.
pub fn v2h(f: &mut Formatter<'_>, n: N, index: N, _: &Ctx) -> Result {
    write!(f, "v{n}.2h[{index}]")
}
/// Scalar of the size a copy's immediate gives.
pub fn vimm(f: &mut Formatter<'_>, n: N, imm: N, c: &Ctx) -> Result {
    vsz(f, n, copy_size(imm), c)
}
/// Register with the arrangement a copy's immediate gives.
pub fn vaimm(f: &mut Formatter<'_>, n: N, q: N, imm: N, c: &Ctx) -> Result {
    va(f, n, q, copy_size(imm), c)
}
/// Element a copy's immediate gives.
pub fn velem(f: &mut Formatter<'_>, n: N, imm: N, c: &Ctx) -> Result {
    let size = copy_size(imm);
    vel(f, n, size, imm >> (size + 1), c)
}
/// Source element of INS.
pub fn velem4(f: &mut Formatter<'_>, n: N, imm: N, imm4: N, c: &Ctx) -> Result {
    let size = copy_size(imm);
    vel(f, n, size, imm4 >> size, c)
}
/// General register of the width a copy's immediate gives.
pub fn rimm(f: &mut Formatter<'_>, n: N, imm: N, c: &Ctx) -> Result {
    r(f, n, N::from(copy_size(imm) == 3), c)
}
/// Lane size of a shift's immh:immb.
fn shift_size(imm: N) -> N {
    N::from((imm as u64).checked_ilog2().unwrap_or(3)) - 3
}
/// Register with the arrangement a shift's immediate gives.
pub fn vash(f: &mut Formatter<'_>, n: N, q: N, imm: N, c: &Ctx) -> Result {
    va(f, n, q, shift_size(imm), c)
}
/// The same with lanes twice as wide.
pub fn vwsh(f: &mut Formatter<'_>, n: N, q: N, imm: N, c: &Ctx) -> Result {
    vw(f, n, q, shift_size(imm), c)
}
/// Amount of a left shift.
pub fn shl(f: &mut Formatter<'_>, imm: N, c: &Ctx) -> Result {
    dec(f, imm - (8 << shift_size(imm)), c)
}
/// Amount of a right shift.
pub fn shr(f: &mut Formatter<'_>, imm: N, c: &Ctx) -> Result {
    dec(f, (16 << shift_size(imm)) - imm, c)
}

/// `count` registers from `n` with a suffix, as objdump abbreviates lists.
fn list(f: &mut Formatter<'_>, n: N, count: N, suffix: &str) -> Result {
    let last = (n + count - 1) & 31;
    if count > 2 && last > n {
        return write!(f, "{{v{n}.{suffix}-v{last}.{suffix}}}");
    }
    f.write_str("{")?;
    for i in 0..count {
        write!(f, "{}v{}.{suffix}", if i > 0 { ", " } else { "" }, (n + i) & 31)?;
    }
    f.write_str("}")
}
/// Table registers of TBL.
pub fn vlist16b(f: &mut Formatter<'_>, n: N, len: N, _: &Ctx) -> Result {
    list(f, n, len + 1, "16b")
}
/// Address of a structure access: `bytes` is the immediate post-index.
fn structure_address(f: &mut Formatter<'_>, rn: u8, rm: u8, bytes: u32, c: &Ctx) -> Result {
    f.write_str(", [")?;
    xsp(f, rn.into(), c)?;
    f.write_str("]")?;
    match rm {
        32 => Ok(()),
        31 => write!(f, ", #{bytes}"),
        n => {
            f.write_str(", ")?;
            x(f, n.into(), c)
        }
    }
}
/// LD1 to LD4, ST1 to ST4 of multiple structures.
pub fn multi(f: &mut Formatter<'_>, a: &args::Multi, c: &Ctx) -> Result {
    write!(f, "{}{} ", if a.load == 1 { "ld" } else { "st" }, a.selem)?;
    let lanes = format!("{}{}", (8u32 << a.q) >> a.size, letter(a.size.into()));
    list(f, a.rt.into(), a.regs.into(), &lanes)?;
    structure_address(f, a.rn, a.rm, u32::from(a.regs) * (8 << a.q), c)
}
/// LD1 to LD4, ST1 to ST4 of one lane.
pub fn single(f: &mut Formatter<'_>, a: &args::Single, c: &Ctx) -> Result {
    write!(f, "{}{} ", if a.load == 1 { "ld" } else { "st" }, a.selem)?;
    list(f, a.rt.into(), a.selem.into(), &letter(a.size.into()).to_string())?;
    write!(f, "[{}]", a.index)?;
    structure_address(f, a.rn, a.rm, u32::from(a.selem) << a.size, c)
}
/// LD1R to LD4R.
pub fn repl(f: &mut Formatter<'_>, a: &args::Repl, c: &Ctx) -> Result {
    write!(f, "ld{}r ", a.selem)?;
    let lanes = format!("{}{}", (8u32 << a.q) >> a.size, letter(a.size.into()));
    list(f, a.rt.into(), a.selem.into(), &lanes)?;
    structure_address(f, a.rn, a.rm, u32::from(a.selem) << a.size, c)
}
/// MOVI, MVNI, ORR, BIC, FMOV with a modified immediate.
pub fn modimm(f: &mut Formatter<'_>, a: &args::Modimm, c: &Ctx) -> Result {
    let (rd, q, imm) = (N::from(a.rd), N::from(a.q), a.abcdefgh);
    let name = match (a.cmode, a.op) {
        (15, _) => "fmov",
        (14, _) => "movi",
        (m, op) if m & 1 == 1 && m < 12 => ["orr", "bic"][usize::from(op)],
        (_, op) => ["movi", "mvni"][usize::from(op)],
    };
    write!(f, "{name} ")?;
    match (a.cmode, a.op) {
        (15, op) => {
            va(f, rd, q, if op == 1 { 3 } else { 2 }, c)?;
            write!(f, ", #{}", scientific(f64::from_bits(bits::expand_f64(imm))))
        }
        (14, 1) => {
            if a.q == 1 {
                va(f, rd, 1, 3, c)?;
            } else {
                vsz(f, rd, 3, c)?;
            }
            write!(f, ", #{:#x}", bits::modified(1, 14, imm))
        }
        (14, _) => {
            va(f, rd, q, 0, c)?;
            write!(f, ", #{imm:#x}")
        }
        (m @ 12..=13, _) => {
            va(f, rd, q, 2, c)?;
            write!(f, ", #{imm:#x}, msl #{}", if m == 12 { 8 } else { 16 })
        }
        (m, _) => {
            let (size, shift) = if m < 8 { (2, m >> 1 & 3) } else { (1, m >> 1 & 1) };
            va(f, rd, q, size, c)?;
            write!(f, ", #{imm:#x}")?;
            if shift == 0 { Ok(()) } else { write!(f, ", lsl #{}", shift * 8) }
        }
    }
}
