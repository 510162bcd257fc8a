//! Control and status registers: one row each. "Control and Status Registers (CSRs)".

use remu_ir::Slot;
use remu_isa::{Flush, Surroundings};

use super::exit::Illegal;
use super::mmu;
use super::pmp;
use super::regs::{M, Regs, S, U, menvcfg, mstatus, slots};
use super::trap;
use crate::features::{self, Feature, Features};

/// What a register is.
#[derive(Clone, Copy)]
enum Kind {
    /// A word of state of which these bits can be written. Nothing else depends on it.
    Plain(fn(usize) -> Slot, u64),
    /// The same, where others do.
    Word(fn(usize) -> Slot, u64),
    /// Reads as this; writes are ignored.
    Fixed(u64),
    Misa,
    Mhartid,
    Mstatus,
    Sstatus,
    Mideleg,
    Mie,
    Sie,
    Mip,
    Sip,
    Tvec(fn(usize) -> Slot),
    Satp,
    Stimecmp,
    Menvcfg,
    Pmpcfg,
    Pmpaddr,
    Time,
    Cycle,
    Instret,
    /// A counter as lower modes see it.
    UserCycle,
    UserInstret,
    UserHpm,
}

/// A register.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    first: u16,
    last: u16,
    pub(crate) name: &'static str,
    kind: Kind,
    /// Exists only with this extension.
    needs: Option<Feature>,
}

const fn row(number: u16, name: &'static str, kind: Kind) -> Row {
    Row { first: number, last: number, name, kind, needs: None }
}
const fn rows(first: u16, last: u16, name: &'static str, kind: Kind) -> Row {
    Row { first, last, name, kind, needs: None }
}

const ANY: u64 = u64::MAX;
/// An address of an instruction.
const EPC: u64 = !1;
/// Counters that exist: cycle, time, instret.
const COUNTERS: u64 = 7;
const SENVCFG: u64 = menvcfg::FIOM | menvcfg::CBIE | menvcfg::CBCFE | menvcfg::CBZE;

/// Every register, by number.
static ROWS: &[Row] = &[
    row(0x100, "sstatus", Kind::Sstatus),
    row(0x104, "sie", Kind::Sie),
    row(0x105, "stvec", Kind::Tvec(slots::stvec)),
    row(0x106, "scounteren", Kind::Word(slots::scounteren, COUNTERS)),
    row(0x10a, "senvcfg", Kind::Word(slots::senvcfg, SENVCFG)),
    row(0x140, "sscratch", Kind::Plain(slots::sscratch, ANY)),
    row(0x141, "sepc", Kind::Plain(slots::sepc, EPC)),
    row(0x142, "scause", Kind::Plain(slots::scause, ANY)),
    row(0x143, "stval", Kind::Plain(slots::stval, ANY)),
    row(0x144, "sip", Kind::Sip),
    Row { needs: Some(features::SSTC), ..row(0x14d, "stimecmp", Kind::Stimecmp) },
    row(0x180, "satp", Kind::Satp),
    row(0x300, "mstatus", Kind::Mstatus),
    row(0x301, "misa", Kind::Misa),
    row(0x302, "medeleg", Kind::Word(slots::medeleg, trap::DELEGABLE)),
    row(0x303, "mideleg", Kind::Mideleg),
    row(0x304, "mie", Kind::Mie),
    row(0x305, "mtvec", Kind::Tvec(slots::mtvec)),
    row(0x306, "mcounteren", Kind::Word(slots::mcounteren, COUNTERS)),
    row(0x30a, "menvcfg", Kind::Menvcfg),
    row(0x320, "mcountinhibit", Kind::Word(slots::mcountinhibit, 5)),
    rows(0x323, 0x33f, "mhpmevent", Kind::Fixed(0)),
    row(0x340, "mscratch", Kind::Plain(slots::mscratch, ANY)),
    row(0x341, "mepc", Kind::Plain(slots::mepc, EPC)),
    row(0x342, "mcause", Kind::Plain(slots::mcause, ANY)),
    row(0x343, "mtval", Kind::Plain(slots::mtval, ANY)),
    row(0x344, "mip", Kind::Mip),
    rows(0x3a0, 0x3a3, "pmpcfg", Kind::Pmpcfg),
    rows(0x3b0, 0x3bf, "pmpaddr", Kind::Pmpaddr),
    row(0xb00, "mcycle", Kind::Cycle),
    row(0xb02, "minstret", Kind::Instret),
    rows(0xb03, 0xb1f, "mhpmcounter", Kind::Fixed(0)),
    row(0xc00, "cycle", Kind::UserCycle),
    row(0xc01, "time", Kind::Time),
    row(0xc02, "instret", Kind::UserInstret),
    rows(0xc03, 0xc1f, "hpmcounter", Kind::UserHpm),
    row(0xf11, "mvendorid", Kind::Fixed(0)),
    row(0xf12, "marchid", Kind::Fixed(0)),
    row(0xf13, "mimpid", Kind::Fixed(0)),
    row(0xf14, "mhartid", Kind::Mhartid),
    row(0xf15, "mconfigptr", Kind::Fixed(0)),
];

/// The register of a number.
pub(crate) fn row_of(number: u16) -> Option<&'static Row> {
    let n = ROWS.partition_point(|r| r.last < number);
    ROWS.get(n).filter(|r| r.first <= number)
}

impl Row {
    /// Where translated code finds the register, and the bits it may write.
    pub(crate) fn inline(&self) -> Option<(Slot, u64)> {
        match self.kind {
            Kind::Plain(slot, mask) => Some((slot(0), mask)),
            _ => None,
        }
    }
}

/// A CSR instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) number: u16,
    pub(crate) rd: u8,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// Executes a CSR instruction: `new` makes the new value of the old one and the operand.
pub(crate) fn execute(
    r: &mut Regs<'_>,
    features: Features,
    a: Access,
    around: &dyn Surroundings,
    new: impl Fn(u64, u64) -> u64,
    operand: u64,
) -> Result<Flush, Illegal> {
    let row = row_of(a.number).ok_or(Illegal)?;
    check(r, features, row, a)?;
    let old = read(r, features, row, a.number, around);
    let mut flush = Flush::None;
    if a.write {
        // What is read may hold lines, which must not become what software has set.
        let basis = match row.kind {
            Kind::Mip | Kind::Sip => r.mip(),
            _ => old,
        };
        flush = write(r, features, row, a.number, new(basis, operand), around);
    }
    if a.read {
        r.set_x(a.rd, old);
    }
    Ok(flush)
}

fn check(r: &Regs<'_>, features: Features, row: &Row, a: Access) -> Result<(), Illegal> {
    let mode = r.privilege();
    let read_only = a.number >> 10 == 3;
    let exists = row.needs.is_none_or(|f| features.has(f));
    if !exists || mode < u64::from(a.number >> 8 & 3) || read_only && a.write {
        return Err(Illegal);
    }
    let allowed = match row.kind {
        Kind::Satp => mode == M || r.mstatus() & mstatus::TVM == 0,
        Kind::Stimecmp => mode == M || r.menvcfg() & menvcfg::STCE != 0 && r.mcounteren() & 2 != 0,
        Kind::Time | Kind::UserCycle | Kind::UserInstret | Kind::UserHpm => {
            let bit = 1 << (a.number & 31);
            (mode == M || r.mcounteren() & bit != 0) && (mode != U || r.scounteren() & bit != 0)
        }
        // On RV64 only the even ones exist.
        Kind::Pmpcfg => a.number & 1 == 0,
        _ => true,
    };
    if allowed { Ok(()) } else { Err(Illegal) }
}

/// Letters of the extensions.
fn misa(features: Features) -> u64 {
    let letter = |c: u8| 1u64 << (c - b'a');
    let have = [
        (features::M, b'm'),
        (features::A, b'a'),
        (features::F, b'f'),
        (features::D, b'd'),
        (features::C, b'c'),
    ];
    let all = have.into_iter().filter(|(f, _)| features.has(*f));
    let letters = all.fold(0, |m, (_, c)| m | letter(c));
    2 << 62 | letters | letter(b'i') | letter(b's') | letter(b'u')
}

/// `mstatus` as it is read.
fn status(r: &Regs<'_>) -> u64 {
    let v = r.mstatus() | mstatus::XL;
    if v & mstatus::FS == mstatus::FS { v | mstatus::SD } else { v }
}

/// Cycles and instructions are counted as the time has them.
fn cycles(around: &dyn Surroundings) -> u64 {
    around.time().wrapping_mul(100)
}

fn read(
    r: &Regs<'_>,
    features: Features,
    row: &Row,
    number: u16,
    around: &dyn Surroundings,
) -> u64 {
    match row.kind {
        Kind::Plain(slot, _) | Kind::Word(slot, _) | Kind::Tvec(slot) => r.get(slot(0)),
        Kind::Fixed(v) => v,
        Kind::Misa => misa(features),
        Kind::Mhartid => r.mhartid(),
        Kind::Mstatus => status(r),
        Kind::Sstatus => status(r) & (mstatus::SSTATUS | mstatus::SD | mstatus::UXL),
        Kind::Mideleg => r.mideleg(),
        Kind::Mie => r.mie(),
        Kind::Sie => r.mie() & r.mideleg(),
        Kind::Mip => trap::mip(r, around),
        Kind::Sip => trap::mip(r, around) & r.mideleg(),
        Kind::Satp => r.satp(),
        Kind::Stimecmp => r.stimecmp(),
        Kind::Menvcfg => r.menvcfg(),
        Kind::Pmpcfg => match number & 3 {
            0 => r.get(slots::pmpcfg(0)),
            _ => r.get(slots::pmpcfg(1)),
        },
        Kind::Pmpaddr => r.get(slots::pmpaddr(usize::from(number & 15))),
        Kind::Time => around.time(),
        Kind::Cycle | Kind::UserCycle => cycles(around).wrapping_add(r.mcycle()),
        Kind::Instret | Kind::UserInstret => cycles(around).wrapping_add(r.minstret()),
        Kind::UserHpm => 0,
    }
}

fn write(
    r: &mut Regs<'_>,
    features: Features,
    row: &Row,
    number: u16,
    v: u64,
    around: &dyn Surroundings,
) -> Flush {
    match row.kind {
        Kind::Plain(slot, mask) | Kind::Word(slot, mask) => r.set(slot(0), v & mask),
        // Modes other than direct and vectored do not exist.
        Kind::Tvec(slot) => r.set(slot(0), v & !2),
        Kind::Fixed(_) | Kind::Misa | Kind::Mhartid => {}
        Kind::Mstatus => return write_status(r, v, mstatus::WRITABLE),
        Kind::Sstatus => return write_status(r, v, mstatus::SSTATUS),
        Kind::Mideleg => r.set_mideleg(v & trap::SUPERVISOR),
        Kind::Mie => r.set_mie(v & trap::ALL),
        Kind::Sie => {
            let mask = r.mideleg();
            r.set_mie(r.mie() & !mask | v & mask);
        }
        Kind::Mip => {
            let timer = if r.menvcfg() & menvcfg::STCE != 0 { 0 } else { trap::STI };
            let mask = trap::SSI | trap::SEI | timer;
            r.set_mip(r.mip() & !mask | v & mask);
        }
        Kind::Sip => {
            let mask = trap::SSI & r.mideleg();
            r.set_mip(r.mip() & !mask | v & mask);
        }
        Kind::Satp => {
            // A mode that does not exist leaves the register as it was.
            if mmu::levels(v).is_some() && v != r.satp() {
                r.set_satp(v);
                return Flush::All;
            }
        }
        Kind::Stimecmp => r.set_stimecmp(v),
        Kind::Menvcfg => {
            let mut mask = SENVCFG;
            for (bit, needs) in [
                (menvcfg::STCE, features::SSTC),
                (menvcfg::ADUE, features::SVADU),
                (menvcfg::PBMTE, features::SVPBMT),
            ] {
                mask |= if features.has(needs) { bit } else { 0 };
            }
            r.set_menvcfg(v & mask);
            return Flush::All;
        }
        Kind::Pmpcfg => {
            let half = usize::from(number & 2) / 2;
            let old = r.get(slots::pmpcfg(half));
            let new = old.to_le_bytes().into_iter().zip(v.to_le_bytes());
            let bytes: Vec<u8> = new.map(|(old, new)| pmp::written(old, new)).collect();
            let new = bytes.iter().rev().fold(0, |all, &b| all << 8 | u64::from(b));
            r.set(slots::pmpcfg(half), new);
            return Flush::All;
        }
        Kind::Pmpaddr => {
            let n = usize::from(number & 15);
            if !pmp::addr_locked(r, n) {
                r.set(slots::pmpaddr(n), v & ((1 << 54) - 1));
                return Flush::All;
            }
        }
        Kind::Cycle => r.set_mcycle(v.wrapping_sub(cycles(around))),
        Kind::Instret => r.set_minstret(v.wrapping_sub(cycles(around))),
        // Numbers that cannot be written.
        Kind::Time | Kind::UserCycle | Kind::UserInstret | Kind::UserHpm => {}
    }
    Flush::None
}

fn write_status(r: &mut Regs<'_>, v: u64, mask: u64) -> Flush {
    let old = r.mstatus();
    let mut new = old & !mask | v & mask;
    // There is no mode 2.
    if new & mstatus::MPP == 2 << mstatus::MPP_SHIFT {
        new = new & !mstatus::MPP | old & mstatus::MPP;
    }
    r.set_mstatus(new);
    if (old ^ new) & mstatus::MXR != 0 { Flush::All } else { Flush::None }
}

/// The mode by name.
pub(crate) fn mode_name(mode: u64) -> &'static str {
    match mode {
        U => "user",
        S => "supervisor",
        _ => "machine",
    }
}

/// Number and name of each register that debuggers see.
pub(crate) fn debugged(features: Features) -> Vec<(u16, &'static str)> {
    let kept = ROWS.iter().filter(|row| {
        row.first == row.last
            && row.needs.is_none_or(|f| features.has(f))
            && !(0xb00..0xf00).contains(&row.first)
    });
    kept.map(|row| (row.first, row.name)).collect()
}

/// The value of a register, without a look at who may read it.
pub(crate) fn peek(
    r: &Regs<'_>,
    features: Features,
    number: u16,
    around: &dyn Surroundings,
) -> Option<u64> {
    let row = row_of(number).filter(|row| row.needs.is_none_or(|f| features.has(f)))?;
    Some(read(r, features, row, number, around))
}

/// Registers worth showing, with their values.
pub(crate) fn shown(
    r: &Regs<'_>,
    features: Features,
    around: &dyn Surroundings,
) -> Vec<(&'static str, u64)> {
    let one = |row: &'static Row| (row.name, read(r, features, row, row.first, around));
    let kept = ROWS.iter().filter(|row| {
        row.first == row.last
            && !matches!(row.kind, Kind::Fixed(_) | Kind::Misa)
            && !(0xb00..0xf00).contains(&row.first)
    });
    kept.map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(ROWS.is_sorted_by(|a, b| a.last < b.first));
        assert!(ROWS.iter().all(|r| r.first <= r.last));
        for r in ROWS {
            assert_eq!(row_of(r.last).map(|found| found.name), Some(r.name));
        }
        assert!(row_of(0x101).is_none() && row_of(0xfff).is_none());
    }
}
