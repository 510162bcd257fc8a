//! System registers: one row each. DDI 0487, chapter D24.

use remu_ir::Slot;
use remu_isa::{Flush, Surroundings};

use super::exception;
use super::id;
use super::regs::{Regs, sctlr, slots, spsr};
use super::timer::{self, Timer, cntkctl};
use crate::features::{self, Features};

/// What a register is.
#[derive(Clone, Copy)]
enum Kind {
    /// A word of state of which these bits can be written. Nothing else depends on it, so that
    /// translated code reads and writes it itself.
    Plain(Slot, u64),
    /// The same, where others do.
    Word(Slot, u64),
    /// Reads as this; cannot be written.
    Fixed(u64),
    /// Reads as zero; writes are ignored.
    Zero,
    /// Tells what the processor has: see [`id`].
    Id,
    CurrentEl,
    SpSel,
    Pan,
    Daif,
    Sctlr,
    Cpacr,
    Ttbr(usize),
    Tcr,
    Csselr,
    Ccsidr,
    /// Half of a key of pointer authentication, as numbered in the state. Translated code writes
    /// it, and what follows from it, itself.
    PacKey(usize),
    Oslar,
    Oslsr,
    Isr,
    Cntfrq,
    Counter(Timer),
    TimerControl(Timer),
    TimerCompare(Timer),
    TimerValue(Timer),
}

/// A register.
pub(crate) struct Row {
    reg: u16,
    name: &'static str,
    kind: Kind,
    /// Exists only with this feature.
    needs: Option<features::Feature>,
}

/// Number of a register: op0, op1, CRn, CRm, op2 from bit 14 down.
const fn reg(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> u16 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

/// DAIF.
pub(crate) const DAIF: u16 = reg(3, 3, 4, 2, 1);
/// TPIDRRO_EL0, which EL0 reads.
pub(crate) const TPIDRRO: u16 = reg(3, 3, 13, 0, 3);
/// SCXTNUM_EL0.
const SCXTNUM: u16 = reg(3, 3, 13, 0, 7);
/// ICC_SRE_EL1, which says whether the machine's interrupt controller has system registers.
const ICC_SRE: u16 = reg(3, 0, 12, 12, 5);
const FPCR: u16 = reg(3, 3, 4, 4, 0);
const FPSR: u16 = reg(3, 3, 4, 4, 1);

/// Registers that programs use as they are, which lifters know: NZCV, DIT, SSBS, FPCR, FPSR,
/// TPIDR_EL0.
pub(crate) fn is_user(r: u16) -> bool {
    const NZCV: u16 = reg(3, 3, 4, 2, 0);
    const DIT: u16 = reg(3, 3, 4, 2, 5);
    const SSBS: u16 = reg(3, 3, 4, 2, 6);
    const TPIDR: u16 = reg(3, 3, 13, 0, 2);
    matches!(r, NZCV | DIT | SSBS | FPCR | FPSR | TPIDR)
}
/// Registers that belong to floating point.
pub(crate) fn is_fp(r: u16) -> bool {
    matches!(r, FPCR | FPSR)
}

const ANY: u64 = u64::MAX;
const LOW: u64 = 0xffff_ffff;

macro_rules! rows {
    ($($name:literal ($($n:literal),*) $kind:expr $(, if $feature:ident)?;)*) => {
        &[$(Row {
            reg: reg($($n),*),
            name: $name,
            kind: { use Kind::*; $kind },
            needs: rows!(@needs $($feature)?),
        }),*]
    };
    (@needs) => { None };
    (@needs $feature:ident) => { Some(features::$feature) };
}

/// Every register, by number, but the debug registers that come in sixteens and those that the
/// machine's interrupt controller keeps.
#[rustfmt::skip]
static ROWS: &[Row] = rows! {
    "mdccint_el1"      (2, 0, 0, 2, 0) Zero;
    "mdscr_el1"        (2, 0, 0, 2, 2) Word(slots::mdscr(0), LOW);
    "oseccr_el1"       (2, 0, 0, 6, 2) Zero;
    "mdrar_el1"        (2, 0, 1, 0, 0) Fixed(0);
    "oslar_el1"        (2, 0, 1, 0, 4) Oslar;
    "oslsr_el1"        (2, 0, 1, 1, 4) Oslsr;
    "osdlr_el1"        (2, 0, 1, 3, 4) Zero;
    "dbgprcr_el1"      (2, 0, 1, 4, 4) Zero;
    "dbgclaimset_el1"  (2, 0, 7, 8, 6) Zero;
    "dbgclaimclr_el1"  (2, 0, 7, 9, 6) Zero;
    "dbgauthstatus_el1" (2, 0, 7, 14, 6) Fixed(0);
    "mdccsr_el0"       (2, 3, 0, 1, 0) Fixed(0);
    "midr_el1"         (3, 0, 0, 0, 0) Id;
    "mpidr_el1"        (3, 0, 0, 0, 5) Id;
    "revidr_el1"       (3, 0, 0, 0, 6) Id;
    "id_pfr0_el1"      (3, 0, 0, 1, 0) Id;
    "id_pfr1_el1"      (3, 0, 0, 1, 1) Id;
    "id_dfr0_el1"      (3, 0, 0, 1, 2) Id;
    "id_afr0_el1"      (3, 0, 0, 1, 3) Id;
    "id_mmfr0_el1"     (3, 0, 0, 1, 4) Id;
    "id_mmfr1_el1"     (3, 0, 0, 1, 5) Id;
    "id_mmfr2_el1"     (3, 0, 0, 1, 6) Id;
    "id_mmfr3_el1"     (3, 0, 0, 1, 7) Id;
    "id_isar0_el1"     (3, 0, 0, 2, 0) Id;
    "id_isar1_el1"     (3, 0, 0, 2, 1) Id;
    "id_isar2_el1"     (3, 0, 0, 2, 2) Id;
    "id_isar3_el1"     (3, 0, 0, 2, 3) Id;
    "id_isar4_el1"     (3, 0, 0, 2, 4) Id;
    "id_isar5_el1"     (3, 0, 0, 2, 5) Id;
    "id_mmfr4_el1"     (3, 0, 0, 2, 6) Id;
    "id_isar6_el1"     (3, 0, 0, 2, 7) Id;
    "mvfr0_el1"        (3, 0, 0, 3, 0) Id;
    "mvfr1_el1"        (3, 0, 0, 3, 1) Id;
    "mvfr2_el1"        (3, 0, 0, 3, 2) Id;
    "id_reserved"      (3, 0, 0, 3, 3) Id;
    "id_pfr2_el1"      (3, 0, 0, 3, 4) Id;
    "id_dfr1_el1"      (3, 0, 0, 3, 5) Id;
    "id_mmfr5_el1"     (3, 0, 0, 3, 6) Id;
    "id_reserved"      (3, 0, 0, 3, 7) Id;
    "id_aa64pfr0_el1"  (3, 0, 0, 4, 0) Id;
    "id_aa64pfr1_el1"  (3, 0, 0, 4, 1) Id;
    "id_aa64pfr2_el1"  (3, 0, 0, 4, 2) Id;
    "id_reserved"      (3, 0, 0, 4, 3) Id;
    "id_aa64zfr0_el1"  (3, 0, 0, 4, 4) Id;
    "id_aa64smfr0_el1" (3, 0, 0, 4, 5) Id;
    "id_reserved"      (3, 0, 0, 4, 6) Id;
    "id_aa64fpfr0_el1" (3, 0, 0, 4, 7) Id;
    "id_aa64dfr0_el1"  (3, 0, 0, 5, 0) Id;
    "id_aa64dfr1_el1"  (3, 0, 0, 5, 1) Id;
    "id_aa64dfr2_el1"  (3, 0, 0, 5, 2) Id;
    "id_reserved"      (3, 0, 0, 5, 3) Id;
    "id_aa64afr0_el1"  (3, 0, 0, 5, 4) Id;
    "id_aa64afr1_el1"  (3, 0, 0, 5, 5) Id;
    "id_reserved"      (3, 0, 0, 5, 6) Id;
    "id_reserved"      (3, 0, 0, 5, 7) Id;
    "id_aa64isar0_el1" (3, 0, 0, 6, 0) Id;
    "id_aa64isar1_el1" (3, 0, 0, 6, 1) Id;
    "id_aa64isar2_el1" (3, 0, 0, 6, 2) Id;
    "id_aa64isar3_el1" (3, 0, 0, 6, 3) Id;
    "id_reserved"      (3, 0, 0, 6, 4) Id;
    "id_reserved"      (3, 0, 0, 6, 5) Id;
    "id_reserved"      (3, 0, 0, 6, 6) Id;
    "id_reserved"      (3, 0, 0, 6, 7) Id;
    "id_aa64mmfr0_el1" (3, 0, 0, 7, 0) Id;
    "id_aa64mmfr1_el1" (3, 0, 0, 7, 1) Id;
    "id_aa64mmfr2_el1" (3, 0, 0, 7, 2) Id;
    "id_aa64mmfr3_el1" (3, 0, 0, 7, 3) Id;
    "id_aa64mmfr4_el1" (3, 0, 0, 7, 4) Id;
    "id_reserved"      (3, 0, 0, 7, 5) Id;
    "id_reserved"      (3, 0, 0, 7, 6) Id;
    "id_reserved"      (3, 0, 0, 7, 7) Id;
    "sctlr_el1"        (3, 0, 1, 0, 0) Sctlr;
    "actlr_el1"        (3, 0, 1, 0, 1) Zero;
    "cpacr_el1"        (3, 0, 1, 0, 2) Cpacr;
    "ttbr0_el1"        (3, 0, 2, 0, 0) Ttbr(0);
    "ttbr1_el1"        (3, 0, 2, 0, 1) Ttbr(1);
    "tcr_el1"          (3, 0, 2, 0, 2) Tcr;
    "apiakeylo_el1"    (3, 0, 2, 1, 0) PacKey(0), if PAUTH;
    "apiakeyhi_el1"    (3, 0, 2, 1, 1) PacKey(5), if PAUTH;
    "apibkeylo_el1"    (3, 0, 2, 1, 2) PacKey(1), if PAUTH;
    "apibkeyhi_el1"    (3, 0, 2, 1, 3) PacKey(6), if PAUTH;
    "apdakeylo_el1"    (3, 0, 2, 2, 0) PacKey(2), if PAUTH;
    "apdakeyhi_el1"    (3, 0, 2, 2, 1) PacKey(7), if PAUTH;
    "apdbkeylo_el1"    (3, 0, 2, 2, 2) PacKey(3), if PAUTH;
    "apdbkeyhi_el1"    (3, 0, 2, 2, 3) PacKey(8), if PAUTH;
    "apgakeylo_el1"    (3, 0, 2, 3, 0) PacKey(4), if PAUTH;
    "apgakeyhi_el1"    (3, 0, 2, 3, 1) PacKey(9), if PAUTH;
    "spsr_el1"         (3, 0, 4, 0, 0) Plain(slots::spsr(0), ANY);
    "elr_el1"          (3, 0, 4, 0, 1) Plain(slots::elr(0), ANY);
    "sp_el0"           (3, 0, 4, 1, 0) Plain(slots::sp_el(0), ANY);
    "spsel"            (3, 0, 4, 2, 0) SpSel;
    "currentel"        (3, 0, 4, 2, 2) CurrentEl;
    "pan"              (3, 0, 4, 2, 3) Pan, if PAN;
    "afsr0_el1"        (3, 0, 5, 1, 0) Zero;
    "afsr1_el1"        (3, 0, 5, 1, 1) Zero;
    "esr_el1"          (3, 0, 5, 2, 0) Plain(slots::esr(0), ANY);
    "far_el1"          (3, 0, 6, 0, 0) Plain(slots::far(0), ANY);
    "par_el1"          (3, 0, 7, 4, 0) Plain(slots::par(0), ANY);
    "mair_el1"         (3, 0, 10, 2, 0) Plain(slots::mair(0), ANY);
    "amair_el1"        (3, 0, 10, 3, 0) Zero;
    "lorsa_el1"        (3, 0, 10, 4, 0) Zero, if LOR;
    "lorea_el1"        (3, 0, 10, 4, 1) Zero, if LOR;
    "lorn_el1"         (3, 0, 10, 4, 2) Zero, if LOR;
    "lorc_el1"         (3, 0, 10, 4, 3) Zero, if LOR;
    "lorid_el1"        (3, 0, 10, 4, 7) Fixed(0), if LOR;
    "vbar_el1"         (3, 0, 12, 0, 0) Plain(slots::vbar(0), !0x7ff);
    "isr_el1"          (3, 0, 12, 1, 0) Isr;
    "contextidr_el1"   (3, 0, 13, 0, 1) Plain(slots::contextidr(0), LOW);
    "tpidr_el1"        (3, 0, 13, 0, 4) Plain(slots::tpidr_el1(0), ANY);
    "scxtnum_el1"      (3, 0, 13, 0, 7) Plain(slots::scxtnum(1), ANY);
    "cntkctl_el1"      (3, 0, 14, 1, 0) Word(slots::cntkctl(0), cntkctl::ALL);
    "ccsidr_el1"       (3, 1, 0, 0, 0) Ccsidr;
    "clidr_el1"        (3, 1, 0, 0, 1) Fixed(id::CLIDR);
    "aidr_el1"         (3, 1, 0, 0, 7) Fixed(0);
    "csselr_el1"       (3, 2, 0, 0, 0) Csselr;
    "ctr_el0"          (3, 3, 0, 0, 1) Id;
    "dczid_el0"        (3, 3, 0, 0, 7) Id;
    "daif"             (3, 3, 4, 2, 1) Daif;
    "tpidrro_el0"      (3, 3, 13, 0, 3) Plain(slots::tpidrro_el0(0), ANY);
    "scxtnum_el0"      (3, 3, 13, 0, 7) Word(slots::scxtnum(0), ANY);
    "cntfrq_el0"       (3, 3, 14, 0, 0) Cntfrq;
    "cntpct_el0"       (3, 3, 14, 0, 1) Counter(Timer::Physical);
    "cntvct_el0"       (3, 3, 14, 0, 2) Counter(Timer::Virtual);
    "cntp_tval_el0"    (3, 3, 14, 2, 0) TimerValue(Timer::Physical);
    "cntp_ctl_el0"     (3, 3, 14, 2, 1) TimerControl(Timer::Physical);
    "cntp_cval_el0"    (3, 3, 14, 2, 2) TimerCompare(Timer::Physical);
    "cntv_tval_el0"    (3, 3, 14, 3, 0) TimerValue(Timer::Virtual);
    "cntv_ctl_el0"     (3, 3, 14, 3, 1) TimerControl(Timer::Virtual);
    "cntv_cval_el0"    (3, 3, 14, 3, 2) TimerCompare(Timer::Virtual);
};

/// DBGBVR, DBGBCR, DBGWVR and DBGWCR: breakpoints and watchpoints, which never hit.
static DEBUG: Row = Row { reg: 0, name: "dbg", kind: Kind::Zero, needs: None };

/// The register of a number.
pub(crate) fn row_of(reg: u16) -> Option<&'static Row> {
    // op0 2, op1 0, CRn 0, op2 4 to 7.
    if reg & 0xff84 == 0x8004 {
        return Some(&DEBUG);
    }
    ROWS.binary_search_by_key(&reg, |r| r.reg).ok().and_then(|n| ROWS.get(n))
}

/// The lowest exception level that op1 of a register's number lets at it.
fn least_el(reg: u16) -> u32 {
    match reg >> 11 & 7 {
        3 => 0,
        0..=2 => 1,
        4 => 2,
        6 => 3,
        // Aliases of EL1's registers for a host at EL2, and secure EL1.
        _ => 4,
    }
}

impl Row {
    /// Where translated code finds the register, and the bits it may write.
    pub(crate) fn inline(&self) -> Option<(Slot, u64)> {
        match self.kind {
            Kind::Plain(slot, mask) => Some((slot, mask)),
            _ => None,
        }
    }
    /// Where this half of a key of pointer authentication is, then low half, high half and the key.
    pub(crate) fn pac_key(&self, f: &Features) -> Option<[Slot; 4]> {
        match self.kind {
            Kind::PacKey(n) if f.has(features::PAUTH) => {
                let (written, key) = (slots::pac_written, n % 5);
                Some([written(n), written(key), written(key + 5), slots::pac_key(key)])
            }
            _ => None,
        }
    }
    /// Where a register that is a word of state is.
    fn state(&self) -> Option<Slot> {
        match self.kind {
            Kind::Plain(slot, _) | Kind::Word(slot, _) => Some(slot),
            Kind::Sctlr => Some(slots::sctlr(0)),
            Kind::Cpacr => Some(slots::cpacr(0)),
            Kind::Ttbr(n) => Some(slots::ttbr(n)),
            Kind::Tcr => Some(slots::tcr(0)),
            Kind::TimerControl(t) => Some(slots::cnt_ctl(t as usize)),
            Kind::TimerCompare(t) => Some(slots::cnt_cval(t as usize)),
            _ => None,
        }
    }
    /// The lowest exception level that may read and write it.
    pub(crate) fn least_el(&self) -> u32 {
        // EL0 may only read this one, which lifters know.
        if self.reg == TPIDRRO { 1 } else { least_el(self.reg) }
    }
}

/// Why an access to a register is not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The instruction is undefined.
    Undefined,
    /// EL1 wants to know of it.
    Trapped,
}

/// Whether EL0 may access a register that its number lets it.
fn check_user(r: &Regs<'_>, row: &Row, write: bool) -> Result<(), Refusal> {
    let (control, timers) = (r.sctlr(), r.cntkctl());
    let needs = |enabled: bool| if enabled { Ok(()) } else { Err(Refusal::Trapped) };
    match row.kind {
        _ if row.reg == reg(3, 3, 0, 0, 1) => needs(control & sctlr::UCT != 0),
        _ if row.reg == SCXTNUM => needs(control & sctlr::TSCXT == 0),
        Kind::Daif => needs(control & sctlr::UMA != 0),
        Kind::Cntfrq if write => Err(Refusal::Undefined),
        Kind::Cntfrq => needs(timers & (cntkctl::PCTEN | cntkctl::VCTEN) != 0),
        Kind::Counter(Timer::Physical) => needs(timers & cntkctl::PCTEN != 0),
        Kind::Counter(Timer::Virtual) => needs(timers & cntkctl::VCTEN != 0),
        Kind::TimerControl(t) | Kind::TimerCompare(t) | Kind::TimerValue(t) => needs(match t {
            Timer::Physical => timers & cntkctl::PTEN != 0,
            Timer::Virtual => timers & cntkctl::VTEN != 0,
        }),
        _ => Ok(()),
    }
}

fn find(r: &Regs<'_>, f: &Features, reg: u16, write: bool) -> Result<&'static Row, Refusal> {
    let row = row_of(reg).filter(|row| row.needs.is_none_or(|n| f.has(n)));
    let row = row.ok_or(Refusal::Undefined)?;
    if r.el() < least_el(reg).into() {
        return Err(Refusal::Undefined);
    }
    if r.el() == 0 {
        check_user(r, row, write)?;
    }
    Ok(row)
}

/// Registers that the machine keeps: those of op1 0 and CRn 4 and 12 (`ICC_*_EL1`).
fn is_machines(r: &Regs<'_>, reg: u16) -> bool {
    r.el() > 0 && reg >> 11 == 3 << 3 && matches!(reg >> 7 & 15, 4 | 12) && row_of(reg).is_none()
}

/// MRS.
pub(crate) fn read(
    r: &Regs<'_>,
    f: &Features,
    reg: u16,
    around: &dyn Surroundings,
) -> Result<u64, Refusal> {
    if is_machines(r, reg) {
        return around.register(reg).ok_or(Refusal::Undefined);
    }
    let row = find(r, f, reg, false)?;
    Ok(match row.kind {
        Kind::Plain(slot, _) | Kind::Word(slot, _) => {
            // The stack pointer that is selected cannot be named.
            if slot == slots::sp_el(0) && r.spsel() == 0 {
                return Err(Refusal::Undefined);
            }
            r.get(slot)
        }
        Kind::Fixed(v) => v,
        Kind::Zero => 0,
        Kind::Id => {
            let gic = around.register(ICC_SRE).is_some();
            id::value(f, reg, r.number(), gic)
        }
        Kind::Oslar => return Err(Refusal::Undefined),
        Kind::CurrentEl => r.el() << 2,
        Kind::SpSel => r.spsel(),
        Kind::Pan => r.pan(),
        Kind::Daif => r.daif(),
        Kind::Sctlr => r.sctlr(),
        Kind::Cpacr => r.cpacr(),
        Kind::Ttbr(n) => r.get(slots::ttbr(n)),
        Kind::Tcr => r.tcr(),
        Kind::Csselr => r.csselr(),
        Kind::Ccsidr => id::ccsidr(r.csselr()),
        Kind::PacKey(n) => r.get(slots::pac_written(n)),
        // OSLM: the lock is implemented.
        Kind::Oslsr => 1 << 3 | r.oslock() << 1,
        Kind::Isr => exception::pending(around),
        Kind::Cntfrq => r.cntfrq(),
        Kind::Counter(_) => around.time(),
        Kind::TimerControl(t) => timer::control(r, t, around),
        Kind::TimerCompare(t) => r.get(slots::cnt_cval(t as usize)),
        Kind::TimerValue(t) => timer::value(r, t, around),
    })
}

/// MSR (register); what translations become void.
pub(crate) fn write(
    r: &mut Regs<'_>,
    f: &Features,
    reg: u16,
    v: u64,
    around: &dyn Surroundings,
) -> Result<Flush, Refusal> {
    if is_machines(r, reg) {
        return if around.set_register(reg, v) { Ok(Flush::None) } else { Err(Refusal::Undefined) };
    }
    let row = find(r, f, reg, true)?;
    if r.el() < row.least_el().into() {
        return Err(Refusal::Undefined);
    }
    let flush_if = |changed: bool| if changed { Flush::All } else { Flush::None };
    match row.kind {
        Kind::Plain(slot, mask) | Kind::Word(slot, mask) => {
            if slot == slots::sp_el(0) && r.spsel() == 0 {
                return Err(Refusal::Undefined);
            }
            r.set(slot, v & mask);
        }
        Kind::Zero => {}
        Kind::SpSel => {
            let el = r.el();
            r.go(el, v & 1);
        }
        Kind::Pan => r.set_pan(v & spsr::PAN),
        Kind::Daif => r.set_daif(v & spsr::DAIF),
        Kind::Sctlr => {
            // Big-endian data does not exist.
            let old = r.sctlr();
            r.set_sctlr(v & !sctlr::EE);
            return Ok(flush_if((old ^ v) & (sctlr::M | sctlr::WXN) != 0));
        }
        Kind::Cpacr => r.set_cpacr(v & 3 << 20),
        Kind::Ttbr(n) => {
            let old = r.get(slots::ttbr(n));
            r.set(slots::ttbr(n), v);
            return Ok(flush_if(old != v));
        }
        Kind::Tcr => {
            let old = r.tcr();
            r.set_tcr(v);
            return Ok(flush_if(old != v));
        }
        Kind::Csselr => r.set_csselr(v & 0xf),
        Kind::Oslar => r.set_oslock(v & 1),
        Kind::Cntfrq => r.set_cntfrq(v & LOW),
        Kind::TimerControl(t) => timer::set_control(r, t, v),
        Kind::TimerCompare(t) => r.set(slots::cnt_cval(t as usize), v),
        Kind::TimerValue(t) => timer::set_value(r, t, v, around),
        // Translated code has done it.
        Kind::PacKey(_) => {}
        Kind::Fixed(_)
        | Kind::Id
        | Kind::CurrentEl
        | Kind::Ccsidr
        | Kind::Oslsr
        | Kind::Isr
        | Kind::Counter(_) => return Err(Refusal::Undefined),
    }
    Ok(Flush::None)
}

/// Number and name of each register that debuggers see: those that hold state.
pub(crate) fn debugged(f: &Features) -> impl Iterator<Item = (u16, &'static str)> {
    let there =
        ROWS.iter().filter(|row| row.needs.is_none_or(|n| f.has(n)) && row.state().is_some());
    there.map(|row| (row.reg, row.name))
}

/// The value of such a register, without a look at who may read it.
pub(crate) fn peek(r: &Regs<'_>, reg: u16, around: &dyn Surroundings) -> Option<u64> {
    let row = row_of(reg)?;
    match row.kind {
        Kind::TimerControl(t) => Some(timer::control(r, t, around)),
        _ => row.state().map(|slot| r.get(slot)),
    }
}

/// Registers worth showing, with their values.
pub(crate) fn shown<'a>(r: &'a Regs<'_>) -> impl Iterator<Item = (&'static str, u64)> + 'a {
    ROWS.iter().filter_map(|row| Some((row.name, r.get(row.state()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(ROWS.is_sorted_by(|a, b| a.reg < b.reg));
        for row in ROWS {
            assert_eq!(row_of(row.reg).map(|r| r.name), Some(row.name));
        }
        assert!(row_of(reg(2, 0, 0, 15, 7)).is_some() && row_of(reg(2, 0, 0, 15, 3)).is_none());
        assert!(row_of(reg(3, 6, 1, 0, 0)).is_none());
    }
}
