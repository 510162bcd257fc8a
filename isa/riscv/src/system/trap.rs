//! Exceptions and interrupts: "Machine Interrupt Registers", "Trap-Return Instructions".

use remu_isa::{Entry, Surroundings, Trap};

use super::regs::{M, Regs, S, U, menvcfg, mstatus};

pub(crate) const INSN_ACCESS: u64 = 1;
pub(crate) const ILLEGAL: u64 = 2;
pub(crate) const BREAKPOINT: u64 = 3;
pub(crate) const LOAD_MISALIGNED: u64 = 4;
pub(crate) const LOAD_ACCESS: u64 = 5;
pub(crate) const STORE_MISALIGNED: u64 = 6;
pub(crate) const STORE_ACCESS: u64 = 7;
pub(crate) const ECALL_U: u64 = 8;
pub(crate) const INSN_PAGE: u64 = 12;
pub(crate) const LOAD_PAGE: u64 = 13;
pub(crate) const STORE_PAGE: u64 = 15;
/// Exceptions that can be delegated: all but calls from machine mode.
pub(crate) const DELEGABLE: u64 = 0xb3ff;

/// Set in the cause of an interrupt.
const INTERRUPT: u64 = 1 << 63;

/// Numbers of interrupts as bits.
pub(crate) const SSI: u64 = 1 << 1;
pub(crate) const MSI: u64 = 1 << 3;
pub(crate) const STI: u64 = 1 << 5;
pub(crate) const MTI: u64 = 1 << 7;
pub(crate) const SEI: u64 = 1 << 9;
pub(crate) const MEI: u64 = 1 << 11;
/// Those of supervisor mode.
pub(crate) const SUPERVISOR: u64 = SSI | STI | SEI;
pub(crate) const ALL: u64 = SUPERVISOR | MSI | MTI | MEI;

/// Most urgent first.
const ORDER: [u64; 6] = [11, 3, 7, 9, 1, 5];

/// `mip`: what software has set, the lines, the timer.
pub(crate) fn mip(r: &Regs<'_>, around: &dyn Surroundings) -> u64 {
    let mut pending = r.mip() | around.lines() & (MSI | MTI | MEI | SEI);
    if r.menvcfg() & menvcfg::STCE != 0 {
        pending &= !STI;
        if around.time() >= r.stimecmp() {
            pending |= STI;
        }
    }
    pending
}

/// Enters the handler of an exception at the current pc.
pub(crate) fn raise(r: &mut Regs<'_>, trap: Trap, around: &dyn Surroundings) {
    let delegated = r.privilege() <= S && r.medeleg() >> (trap.cause & 63) & 1 != 0;
    enter(r, trap.cause, trap.value, delegated, around);
}

fn enter(r: &mut Regs<'_>, cause: u64, value: u64, supervisor: bool, around: &dyn Surroundings) {
    let (status, from, pc) = (r.mstatus(), r.privilege(), r.pc());
    let vector = |base: u64| {
        let vectored = base & 1 != 0 && cause & INTERRUPT != 0;
        (base & !3) + if vectored { 4 * (cause & 0xff) } else { 0 }
    };
    if supervisor {
        let enabled = status & mstatus::SIE != 0;
        let mut new = status & !(mstatus::SIE | mstatus::SPIE | mstatus::SPP);
        new |= if enabled { mstatus::SPIE } else { 0 } | if from == U { 0 } else { mstatus::SPP };
        r.set_mstatus(new);
        r.set_sepc(pc);
        r.set_scause(cause);
        r.set_stval(value);
        r.set_privilege(S);
        r.set_pc(vector(r.stvec()));
    } else {
        let enabled = status & mstatus::MIE != 0;
        let mut new = status & !(mstatus::MIE | mstatus::MPIE | mstatus::MPP);
        new |= if enabled { mstatus::MPIE } else { 0 } | from << mstatus::MPP_SHIFT;
        r.set_mstatus(new);
        r.set_mepc(pc);
        r.set_mcause(cause);
        r.set_mtval(value);
        r.set_privilege(M);
        r.set_pc(vector(r.mtvec()));
    }
    let levels = [from as u8, r.privilege() as u8];
    around.entered(&Entry { name: name(cause), cause, value, pc, levels, handler: r.pc() });
}

/// What the privileged manual calls a cause, in table "Supervisor cause register values" and that of machine mode.
fn name(cause: u64) -> &'static str {
    if cause & INTERRUPT != 0 {
        return match 1u64.checked_shl((cause & 63) as u32).unwrap_or(0) {
            SSI => "supervisor software interrupt",
            MSI => "machine software interrupt",
            STI => "supervisor timer interrupt",
            MTI => "machine timer interrupt",
            SEI => "supervisor external interrupt",
            MEI => "machine external interrupt",
            _ => "interrupt",
        };
    }
    match cause {
        0 => "instruction address misaligned",
        INSN_ACCESS => "instruction access fault",
        ILLEGAL => "illegal instruction",
        BREAKPOINT => "breakpoint",
        LOAD_MISALIGNED => "load address misaligned",
        LOAD_ACCESS => "load access fault",
        STORE_MISALIGNED => "store address misaligned",
        STORE_ACCESS => "store access fault",
        ECALL_U => "environment call from U-mode",
        9 => "environment call from S-mode",
        11 => "environment call from M-mode",
        INSN_PAGE => "instruction page fault",
        LOAD_PAGE => "load page fault",
        STORE_PAGE => "store page fault",
        _ => "exception",
    }
}

/// Takes the most urgent interrupt, if one is due.
pub(crate) fn interrupt(r: &mut Regs<'_>, around: &dyn Surroundings) -> bool {
    let enabled = r.mie();
    let pending = if enabled == 0 { 0 } else { enabled & mip(r, around) };
    r.set_held(pending);
    if pending == 0 {
        return false;
    }
    let (privilege, status) = (r.privilege(), r.mstatus());
    let to_m = pending & !r.mideleg();
    let to_s = pending & r.mideleg();
    let m_on = privilege < M || status & mstatus::MIE != 0;
    let s_on = privilege < S || privilege == S && status & mstatus::SIE != 0;
    let pick = |set: u64| ORDER.into_iter().find(|n| set >> n & 1 != 0);
    let (cause, supervisor) = match (pick(to_m).filter(|_| m_on), pick(to_s).filter(|_| s_on)) {
        (Some(n), _) => (n, false),
        (None, Some(n)) => (n, true),
        (None, None) => return false,
    };
    enter(r, cause | INTERRUPT, 0, supervisor, around);
    true
}

/// `mret`.
pub(crate) fn mret(r: &mut Regs<'_>) {
    let (status, to) = (r.mstatus(), r.mpp());
    let mut new = status & !(mstatus::MIE | mstatus::MPP) | mstatus::MPIE;
    new |= if status & mstatus::MPIE != 0 { mstatus::MIE } else { 0 };
    if to != M {
        new &= !mstatus::MPRV;
    }
    r.set_mstatus(new);
    r.set_privilege(to);
    r.set_pc(r.mepc());
}

/// `sret`.
pub(crate) fn sret(r: &mut Regs<'_>) {
    let status = r.mstatus();
    let mut new = status & !(mstatus::SIE | mstatus::SPP | mstatus::MPRV) | mstatus::SPIE;
    new |= if status & mstatus::SPIE != 0 { mstatus::SIE } else { 0 };
    r.set_mstatus(new);
    r.set_privilege(if status & mstatus::SPP != 0 { S } else { U });
    r.set_pc(r.sepc());
}
