//! Exceptions and interrupts: "Exception entry terminology", `AArch64.TakeException`,
//! `AArch64.ExceptionReturn`.

use remu_isa::{Entry, Surroundings, Trap};

use super::regs::{DAIF_F, DAIF_I, Regs, sctlr, slots, spsr};
use crate::features::{self, Features};

/// Classes of exceptions: ESR_ELx.EC. Those of aborts have one number more if they do not change
/// the exception level.
pub(crate) mod ec {
    pub(crate) const UNKNOWN: u64 = 0;
    pub(crate) const WFX: u64 = 0x01;
    pub(crate) const FP: u64 = 0x07;
    pub(crate) const ILLEGAL_STATE: u64 = 0x0e;
    pub(crate) const SVC: u64 = 0x15;
    pub(crate) const SYSREG: u64 = 0x18;
    pub(crate) const INSN_ABORT: u64 = 0x20;
    pub(crate) const PC_ALIGNMENT: u64 = 0x22;
    pub(crate) const DATA_ABORT: u64 = 0x24;
    pub(crate) const BRK: u64 = 0x3c;
}

/// ESR_ELx.IL: the instruction has 4 bytes.
pub(crate) const IL: u64 = 1 << 25;

/// Syndrome of a class and its details (ESR_ELx.ISS).
pub(crate) const fn syndrome(class: u64, iss: u64) -> u64 {
    class << 26 | IL | iss
}

/// Offsets in the vector table.
const SYNC: u64 = 0;
const IRQ: u64 = 0x80;
const FIQ: u64 = 0x100;

/// The level that exceptions of a lower one go to.
const TARGET: u64 = 1;

/// Enters the handler of a synchronous exception at the current pc; the cause is a syndrome, the
/// value an address for those that have one.
pub(crate) fn raise(r: &mut Regs<'_>, features: &Features, trap: Trap, around: &dyn Surroundings) {
    let mut esr = trap.cause;
    let class = esr >> 26;
    if matches!(class, ec::INSN_ABORT | ec::DATA_ABORT | ec::PC_ALIGNMENT) {
        r.set(slots::far(TARGET as usize - 1), trap.value);
    }
    if matches!(class, ec::INSN_ABORT | ec::DATA_ABORT) && r.el() == TARGET {
        esr += 1 << 26;
    }
    r.set(slots::esr(TARGET as usize - 1), esr);
    let entry =
        Entry { name: name(class), cause: esr, value: trap.value, ..enter(r, features, SYNC) };
    around.entered(&entry);
}

/// Enters a handler; what there is to tell of it but its name, cause and value.
fn enter(r: &mut Regs<'_>, features: &Features, offset: u64) -> Entry {
    let before = r.el() as u8;
    let n = TARGET as usize - 1;
    let from = match (r.el() < TARGET, r.spsel()) {
        (true, _) => 0x400,
        (false, 0) => 0,
        (false, _) => 0x200,
    };
    let (old, pc) = (r.pstate(), r.pc());
    r.set(slots::spsr(n), old);
    r.set(slots::elr(n), pc);
    let control = r.get(slots::sctlr(n));
    if control & sctlr::SPAN == 0 && features.has(features::PAN) {
        r.set_pan(spsr::PAN);
    }
    let ssbs = if control & sctlr::DSSBS == 0 { 0 } else { spsr::SSBS };
    r.set32(slots::pstate(0), 0);
    r.set32(slots::pstate(1), ssbs);
    r.set_daif(spsr::DAIF);
    r.go(TARGET, 1);
    let handler = r.get(slots::vbar(n)).wrapping_add(from + offset);
    r.set_pc(handler);
    Entry { name: "", cause: 0, value: 0, pc, levels: [before, TARGET as u8], handler }
}

/// What the manual calls a class, in the description of ESR_ELx.
fn name(class: u64) -> &'static str {
    match class {
        ec::UNKNOWN => "undefined instruction",
        ec::WFX => "trapped WFI or WFE",
        ec::FP => "access to floating point",
        ec::ILLEGAL_STATE => "illegal execution state",
        ec::SVC => "SVC",
        ec::SYSREG => "trapped MSR, MRS or system instruction",
        ec::INSN_ABORT => "instruction abort",
        ec::PC_ALIGNMENT => "PC alignment fault",
        ec::DATA_ABORT => "data abort",
        ec::BRK => "BRK",
        _ => "exception",
    }
}

/// ERET.
pub(crate) fn exception_return(
    r: &mut Regs<'_>,
    features: &Features,
    address: u64,
    around: &dyn Surroundings,
) {
    let n = r.el() as usize - 1;
    let state = r.get(slots::spsr(n));
    let to = state >> 2 & 3;
    r.set(slots::excl_addr(0), u64::MAX);
    r.set_pc(address);
    if state & spsr::NOT_A64 != 0 || to > r.el() || to == 0 && state & spsr::SP != 0 {
        // "Illegal return events": all but the level and the stack pointer is taken, and the next
        // instruction has an illegal state.
        let (el, spsel) = (r.el(), r.spsel());
        r.set_pstate(state & !(3 << 2 | spsr::SP) | el << 2 | spsel);
        let trap = Trap { cause: syndrome(ec::ILLEGAL_STATE, 0), value: 0 };
        raise(r, features, trap, around);
        let seen = r.get(slots::spsr(n)) | spsr::IL;
        r.set(slots::spsr(n), seen);
        return;
    }
    r.set_pstate(state);
}

/// Pending interrupts at the bits of DAIF, which are those of ISR_EL1: line 0 is IRQ, line 1 FIQ.
/// Masked or not, they end a wait.
pub(crate) fn pending(around: &dyn Surroundings) -> u64 {
    let lines = around.lines();
    (lines & 1) * DAIF_I | (lines >> 1 & 1) * DAIF_F
}

/// Takes the most urgent interrupt, if one is due.
pub(crate) fn interrupt(r: &mut Regs<'_>, features: &Features, around: &dyn Surroundings) -> bool {
    let pending = pending(around);
    let due = pending & !r.daif();
    if due == 0 {
        r.set_held(pending);
        return false;
    }
    let (name, offset) = if due & DAIF_F != 0 { ("FIQ", FIQ) } else { ("IRQ", IRQ) };
    let entry = Entry { name, ..enter(r, features, offset) };
    around.entered(&entry);
    r.set_held(pending);
    true
}
