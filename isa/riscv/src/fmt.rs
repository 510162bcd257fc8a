//! How operands are printed: as GNU objdump prints them.

use crate::decode::args;
use core::fmt::{Formatter, Result};

/// What the text of an instruction depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ctx {
    /// Address of the instruction.
    pub pc: u64,
}

/// Names of the integer registers in the calling convention.
pub const X: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];
/// Names of the floating-point registers in the calling convention.
pub const F: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

/// Integer register.
pub fn x(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    f.write_str(X[n as usize & 31])
}

/// Floating-point register.
pub fn f(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    f.write_str(F[n as usize & 31])
}

/// Vector register.
pub fn v(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    write!(f, "v{n}")
}

/// Mask operand unless there is none.
pub fn vm(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    f.write_str(if n == 0 { ",v0.t" } else { "" })
}

/// Vector type, as settings name it; a number if it has other bits.
pub fn vtype(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    let (lmul, sew) = (n as usize & 7, n >> 3 & 7);
    if n >> 8 != 0 || lmul == 4 || sew > 3 {
        return write!(f, "{n}");
    }
    let lmul = ["m1", "m2", "m4", "m8", "", "mf8", "mf4", "mf2"][lmul];
    let tail = if n & 64 != 0 { "ta" } else { "tu" };
    let mask = if n & 128 != 0 { "ma" } else { "mu" };
    write!(f, "e{},{lmul},{tail},{mask}", 8 << sew)
}

/// Kinds of vector memory instruction.
struct Name {
    /// Without segments, with: `vle`, `vlseg`.
    plain: &'static str,
    segment: &'static str,
    /// Behind the width.
    tail: &'static str,
}

fn vmem(f: &mut Formatter<'_>, n: &Name, nf: u8, width: u8) -> Result {
    let bits = if width == 0 { 8 } else { 8 << (width - 4) };
    match nf {
        0 => write!(f, "{}{bits}{}.v ", n.plain, n.tail),
        _ => write!(
            f,
            "{}{}e{}{bits}{}.v ",
            n.segment,
            nf + 1,
            if n.plain.contains('x') { "i" } else { "" },
            n.tail
        ),
    }
}
fn unit_stride(f: &mut Formatter<'_>, a: &args::Vmem, c: &Ctx, n: &Name) -> Result {
    vmem(f, n, a.nf, a.width)?;
    write!(f, "v{},({})", a.vd, X[usize::from(a.rs1) & 31])?;
    vm(f, a.vm.into(), c)
}
fn strided(f: &mut Formatter<'_>, a: &args::Vstride, c: &Ctx, n: &Name) -> Result {
    vmem(f, n, a.nf, a.width)?;
    let (base, by) = (X[usize::from(a.rs1) & 31], X[usize::from(a.rs2) & 31]);
    write!(f, "v{},({base}),{by}", a.vd)?;
    vm(f, a.vm.into(), c)
}
fn indexed(f: &mut Formatter<'_>, a: &args::Vindex, c: &Ctx, n: &Name) -> Result {
    vmem(f, n, a.nf, a.width)?;
    write!(f, "v{},({}),v{}", a.vd, X[usize::from(a.rs1) & 31], a.vs2)?;
    vm(f, a.vm.into(), c)
}
macro_rules! vector_memory {
    ($($name:ident $f:ident $set:ident $plain:literal $segment:literal $tail:literal;)*) => {
        $(#[doc = concat!("`", $plain, "` and its segments.")]
        pub fn $name(f: &mut Formatter<'_>, a: &args::$set, c: &Ctx) -> Result {
            $f(f, a, c, &Name { plain: $plain, segment: $segment, tail: $tail })
        })*
    };
}
vector_memory! {
    vload unit_stride Vmem "vle" "vlseg" "";
    vload_first unit_stride Vmem "vle" "vlseg" "ff";
    vload_strided strided Vstride "vlse" "vlsseg" "";
    vload_unordered indexed Vindex "vluxei" "vluxseg" "";
    vload_ordered indexed Vindex "vloxei" "vloxseg" "";
    vstore unit_stride Vmem "vse" "vsseg" "";
    vstore_strided strided Vstride "vsse" "vssseg" "";
    vstore_unordered indexed Vindex "vsuxei" "vsuxseg" "";
    vstore_ordered indexed Vindex "vsoxei" "vsoxseg" "";
}

/// Decimal number.
pub fn dec(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    write!(f, "{n}")
}

/// Hexadecimal number.
pub fn hex(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    write!(f, "{n:#x}")
}

/// The 20 bits of `lui` and `auipc`.
pub fn upper(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    write!(f, "{:#x}", n >> 12 & 0xf_ffff)
}

/// Address of a branch target.
pub fn label(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    write!(f, "{n:x}")
}

/// One side of a fence.
pub fn iorw(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    if n == 0 {
        return f.write_str("unknown");
    }
    for (bit, letter) in [(8, "i"), (4, "o"), (2, "r"), (1, "w")] {
        if n & bit != 0 {
            f.write_str(letter)?;
        }
    }
    Ok(())
}

/// Ordering suffix of an atomic.
pub fn aqrl(f: &mut Formatter<'_>, aq: i64, rl: i64, _: &Ctx) -> Result {
    f.write_str(match (aq, rl) {
        (0, 0) => "",
        (_, 0) => ".aq",
        (0, _) => ".rl",
        _ => ".aqrl",
    })
}

const RM: [&str; 8] = ["rne", "rtz", "rdn", "rup", "rmm", "unknown", "unknown", "dyn"];

/// Rounding mode unless it is the dynamic one.
pub fn rm(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    if n == 7 { Ok(()) } else { write!(f, ",{}", RM[n as usize & 7]) }
}

/// Rounding mode of a conversion that is exact, unless it is zero.
pub fn rm_exact(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    if n == 0 { Ok(()) } else { write!(f, ",{}", RM[n as usize & 7]) }
}

/// Constant of `fli`, as C's `%a` prints it.
pub fn fli(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    f.write_str(
        [
            "-0x1p+0", "min", "0x1p-16", "0x1p-15", "0x1p-8", "0x1p-7", "0x1p-4", "0x1p-3",
            "0x1p-2", "0x1.4p-2", "0x1.8p-2", "0x1.cp-2", "0x1p-1", "0x1.4p-1", "0x1.8p-1",
            "0x1.cp-1", "0x1p+0", "0x1.4p+0", "0x1.8p+0", "0x1.cp+0", "0x1p+1", "0x1.4p+1",
            "0x1.8p+1", "0x1p+2", "0x1p+3", "0x1p+4", "0x1p+7", "0x1p+8", "0x1p+15", "0x1p+16",
            "inf", "nan",
        ][n as usize & 31],
    )
}

/// Control and status registers that user code may meet.
const CSRS: [(u16, &str); 14] = [
    (0x001, "fflags"),
    (0x002, "frm"),
    (0x003, "fcsr"),
    (0x008, "vstart"),
    (0x009, "vxsat"),
    (0x00a, "vxrm"),
    (0x00f, "vcsr"),
    (0x015, "seed"),
    (0xc00, "cycle"),
    (0xc01, "time"),
    (0xc02, "instret"),
    (0xc20, "vl"),
    (0xc21, "vtype"),
    (0xc22, "vlenb"),
];

/// Control and status register.
pub fn csr(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
    match CSRS.iter().find(|(number, _)| i64::from(*number) == n) {
        Some((_, name)) => f.write_str(name),
        None if (0xc03..=0xc1f).contains(&n) => write!(f, "hpmcounter{}", n - 0xc00),
        None => write!(f, "{n:#x}"),
    }
}

/// Reads of a register: floating-point state and counters have names of their own.
pub fn csr_read(f: &mut Formatter<'_>, a: &args::Csr, c: &Ctx) -> Result {
    let rd = X[usize::from(a.rd) & 31];
    match a.csr {
        1 => write!(f, "frflags {rd}"),
        2 => write!(f, "frrm {rd}"),
        3 => write!(f, "frcsr {rd}"),
        0xc00 => write!(f, "rdcycle {rd}"),
        0xc01 => write!(f, "rdtime {rd}"),
        0xc02 => write!(f, "rdinstret {rd}"),
        _ => {
            write!(f, "csrr {rd},")?;
            csr(f, i64::from(a.csr), c)
        }
    }
}

/// `csrrw` of floating-point state.
pub fn csr_write(f: &mut Formatter<'_>, a: &args::Csr, c: &Ctx) -> Result {
    let (rd, rs1) = (X[usize::from(a.rd) & 31], X[usize::from(a.rs1) & 31]);
    let name = match a.csr {
        1 => "fsflags",
        2 => "fsrm",
        3 => "fscsr",
        _ => {
            f.write_str(if a.rd == 0 { "csrw " } else { "csrrw " })?;
            if a.rd != 0 {
                write!(f, "{rd},")?;
            }
            csr(f, i64::from(a.csr), c)?;
            return write!(f, ",{rs1}");
        }
    };
    if a.rd == 0 { write!(f, "{name} {rs1}") } else { write!(f, "{name} {rd},{rs1}") }
}
