//! Privileged registers as rows of the state struct, and their fields.

use remu_ir::{Slot, Type};
use remu_isa::Header;

use crate::state::processor;

processor! {
    /// A processor of a machine: what EL0 sees first, at the same places. Registers that exist
    /// for several exception levels are arrays from EL1 on.
    pub struct MachineState {
        /// PSTATE.EL.
        el[1]: I64 = ["el"];
        /// PSTATE.SP.
        spsel[1]: I64 = ["spsel"];
        /// PSTATE.D, A, I, F at the bits of DAIF.
        daif[1]: I64 = ["daif"];
        /// PSTATE.PAN at the bit of PAN.
        pan[1]: I64 = ["pan"];
        /// Interrupts that are pending and that only DAIF keeps away, at its bits. Set before code
        /// is entered; whoever changes what it depends on makes the code leave.
        held[1]: I64 = ["held"];
        /// Not 0 if other processors may not yet have forgotten what they were told to.
        unsettled[1]: I64 = ["unsettled"];
        /// Levels of the timers' lines, as they were last looked at.
        timer_levels[1]: I64 = ["timer_levels"];
        /// Number of the processor.
        number[1]: I64 = ["number"];
        /// Stack pointers of EL0 to EL3 that are not selected.
        sp_el[4]: I64 = ["sp_el0", "sp_el1", "sp_el2", "sp_el3"];
        /// SCTLR_ELx.
        sctlr[3]: I64 = ["sctlr_el1", "sctlr_el2", "sctlr_el3"];
        /// ELR_ELx.
        elr[3]: I64 = ["elr_el1", "elr_el2", "elr_el3"];
        /// SPSR_ELx.
        spsr[3]: I64 = ["spsr_el1", "spsr_el2", "spsr_el3"];
        /// ESR_ELx.
        esr[3]: I64 = ["esr_el1", "esr_el2", "esr_el3"];
        /// FAR_ELx.
        far[3]: I64 = ["far_el1", "far_el2", "far_el3"];
        /// VBAR_ELx.
        vbar[3]: I64 = ["vbar_el1", "vbar_el2", "vbar_el3"];
        /// TTBR0_EL1 and TTBR1_EL1.
        ttbr[2]: I64 = ["ttbr0_el1", "ttbr1_el1"];
        /// TCR_EL1.
        tcr[1]: I64 = ["tcr_el1"];
        /// MAIR_EL1.
        mair[1]: I64 = ["mair_el1"];
        /// AMAIR_EL1.
        amair[1]: I64 = ["amair_el1"];
        /// CPACR_EL1.
        cpacr[1]: I64 = ["cpacr_el1"];
        /// PAR_EL1.
        par[1]: I64 = ["par_el1"];
        /// CONTEXTIDR_EL1.
        contextidr[1]: I64 = ["contextidr_el1"];
        /// TPIDR_EL1.
        tpidr_el1[1]: I64 = ["tpidr_el1"];
        /// SCXTNUM_EL0 and SCXTNUM_EL1.
        scxtnum[2]: I64 = ["scxtnum_el0", "scxtnum_el1"];
        /// CSSELR_EL1.
        csselr[1]: I64 = ["csselr_el1"];
        /// MDSCR_EL1.
        mdscr[1]: I64 = ["mdscr_el1"];
        /// OSLSR_EL1.OSLK.
        oslock[1]: I64 = ["oslock"];
        /// Keys of pointer authentication as they were written: IA, IB, DA, DB, GA, low halves
        /// and high ones.
        pac_written[10]: I64 = [
            "apiakeylo", "apibkeylo", "apdakeylo", "apdbkeylo", "apgakeylo", "apiakeyhi",
            "apibkeyhi", "apdakeyhi", "apdbkeyhi", "apgakeyhi",
        ];
        /// CNTKCTL_EL1.
        cntkctl[1]: I64 = ["cntkctl_el1"];
        /// CNTFRQ_EL0.
        cntfrq[1]: I64 = ["cntfrq_el0"];
        /// CNTP_CTL_EL0 and CNTV_CTL_EL0 without ISTATUS.
        cnt_ctl[2]: I64 = ["cntp_ctl_el0", "cntv_ctl_el0"];
        /// CNTP_CVAL_EL0 and CNTV_CVAL_EL0.
        cnt_cval[2]: I64 = ["cntp_cval_el0", "cntv_cval_el0"];
    }
}

// Lifters use the slots of a program's processor.
const _: () = {
    use crate::state;
    assert!(slots::x(1).offset == state::slots::x(1).offset);
    assert!(slots::nzcv(0).offset == state::slots::nzcv(0).offset);
    assert!(slots::pstate(1).offset == state::slots::pstate(1).offset);
};

/// Fields of SCTLR_EL1.
pub(crate) mod sctlr {
    pub(crate) const M: u64 = 1;
    pub(crate) const UMA: u64 = 1 << 9;
    pub(crate) const ENDB: u64 = 1 << 13;
    pub(crate) const DZE: u64 = 1 << 14;
    pub(crate) const UCT: u64 = 1 << 15;
    pub(crate) const NTWI: u64 = 1 << 16;
    pub(crate) const NTWE: u64 = 1 << 18;
    pub(crate) const WXN: u64 = 1 << 19;
    pub(crate) const TSCXT: u64 = 1 << 20;
    pub(crate) const SPAN: u64 = 1 << 23;
    pub(crate) const EE: u64 = 1 << 24 | 1 << 25;
    pub(crate) const UCI: u64 = 1 << 26;
    pub(crate) const ENDA: u64 = 1 << 27;
    pub(crate) const ENIB: u64 = 1 << 30;
    pub(crate) const ENIA: u64 = 1 << 31;
    pub(crate) const DSSBS: u64 = 1 << 44;
    /// What resets to 1.
    pub(crate) const RESET: u64 = 0x30d0_0800;
}

/// Fields of SPSR_ELx.
pub(crate) mod spsr {
    /// SPSel.
    pub(crate) const SP: u64 = 1;
    /// AArch32, or a mode that does not exist.
    pub(crate) const NOT_A64: u64 = 1 << 4 | 1 << 1;
    pub(crate) const DAIF: u64 = 0xf << 6;
    pub(crate) const SSBS: u64 = 1 << 12;
    pub(crate) const IL: u64 = 1 << 20;
    pub(crate) const PAN: u64 = 1 << 22;
    pub(crate) const DIT: u64 = 1 << 24;
    pub(crate) const NZCV: u64 = 0xf << 28;
}

/// PSTATE.I and PSTATE.F at the bits of DAIF.
pub(crate) const DAIF_I: u64 = 1 << 7;
/// See [`DAIF_I`].
pub(crate) const DAIF_F: u64 = 1 << 6;

/// The registers of a processor, in its state struct.
#[derive(Debug)]
pub(crate) struct Regs<'a>(pub(crate) &'a mut [u8]);

const PC: Slot = Slot { offset: core::mem::offset_of!(Header, pc) as u16, ty: Type::I64 };
const INFO: u16 = core::mem::offset_of!(Header, exit_info) as u16;

macro_rules! access {
    ($($name:ident, $set:ident;)*) => {
        #[allow(dead_code, reason = "one reader and one writer for each register")]
        impl Regs<'_> {
            $(
                pub(crate) fn $name(&self) -> u64 {
                    self.get(slots::$name(0))
                }
                pub(crate) fn $set(&mut self, v: u64) {
                    self.set(slots::$name(0), v);
                }
            )*
        }
    };
}

access! {
    el, set_el;
    spsel, set_spsel;
    daif, set_daif;
    pan, set_pan;
    held, set_held;
    unsettled, set_unsettled;
    timer_levels, set_timer_levels;
    number, set_number;
    sctlr, set_sctlr;
    tcr, set_tcr;
    mair, set_mair;
    cpacr, set_cpacr;
    par, set_par;
    csselr, set_csselr;
    oslock, set_oslock;
    cntkctl, set_cntkctl;
    cntfrq, set_cntfrq;
}

impl Regs<'_> {
    /// A register of 64 bits; 0 outside the struct.
    pub(crate) fn get(&self, s: Slot) -> u64 {
        let at = usize::from(s.offset);
        let bytes = self.0.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }
    pub(crate) fn set(&mut self, s: Slot, v: u64) {
        let at = usize::from(s.offset);
        if let Some(to) = self.0.get_mut(at..at + 8) {
            to.copy_from_slice(&v.to_le_bytes());
        }
    }
    /// A register of 32 bits.
    pub(crate) fn get32(&self, s: Slot) -> u64 {
        let at = usize::from(s.offset);
        let bytes = self.0.get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes).into()
    }
    pub(crate) fn set32(&mut self, s: Slot, v: u64) {
        let at = usize::from(s.offset);
        if let Some(to) = self.0.get_mut(at..at + 4) {
            to.copy_from_slice(&(v as u32).to_le_bytes());
        }
    }
    /// X0 to X30; 31 is zero.
    pub(crate) fn x(&self, n: u8) -> u64 {
        if n == 31 { 0 } else { self.get(slots::x(n.into())) }
    }
    pub(crate) fn set_x(&mut self, n: u8, v: u64) {
        if n != 31 {
            self.set(slots::x(n.into()), v);
        }
    }
    pub(crate) fn pc(&self) -> u64 {
        self.get(PC)
    }
    pub(crate) fn set_pc(&mut self, pc: u64) {
        self.set(PC, pc);
    }
    /// First extra word of the last exit.
    pub(crate) fn info(&self) -> u64 {
        self.get(Slot { offset: INFO, ty: Type::I64 })
    }

    fn selected(&self) -> usize {
        if self.spsel() == 0 { 0 } else { self.el() as usize & 3 }
    }
    /// Goes to an exception level, with its stack pointer or that of EL0.
    pub(crate) fn go(&mut self, el: u64, spsel: u64) {
        let current = self.get(slots::x(31));
        self.set(slots::sp_el(self.selected()), current);
        self.set_el(el);
        self.set_spsel(spsel);
        self.set(slots::x(31), self.get(slots::sp_el(self.selected())));
    }
    /// PSTATE as SPSR_ELx has it.
    pub(crate) fn pstate(&self) -> u64 {
        self.get32(slots::nzcv(0)) & spsr::NZCV
            | self.get32(slots::pstate(0)) & spsr::DIT
            | self.get32(slots::pstate(1)) & spsr::SSBS
            | self.pan()
            | self.daif()
            | self.el() << 2
            | self.spsel()
    }
    /// Takes PSTATE from an SPSR_ELx that is legal.
    pub(crate) fn set_pstate(&mut self, v: u64) {
        self.set32(slots::nzcv(0), v & spsr::NZCV);
        self.set32(slots::pstate(0), v & spsr::DIT);
        self.set32(slots::pstate(1), v & spsr::SSBS);
        self.set_pan(v & spsr::PAN);
        self.set_daif(v & spsr::DAIF);
        self.go(v >> 2 & 3, v & spsr::SP);
    }
    /// "Reset into AArch64 state": at the highest exception level, which is EL1.
    pub(crate) fn reset(&mut self, number: u64, entry: u64) {
        // The header is the engine's but for the pc and the floating-point state.
        if let Some(all) = self.0.get_mut(Header::SIZE..) {
            all.fill(0);
        }
        for (at, v) in [
            (core::mem::offset_of!(Header, fpstat), 0),
            (core::mem::offset_of!(Header, fpmode), crate::state::FPMODE_RESET),
        ] {
            self.set32(Slot { offset: at as u16, ty: Type::I32 }, v);
        }
        self.set_pc(entry);
        self.set(slots::excl_addr(0), u64::MAX);
        self.set_number(number);
        self.set_el(1);
        self.set_spsel(1);
        self.set_daif(spsr::DAIF);
        self.set_sctlr(sctlr::RESET);
        self.set_cntfrq(crate::sysreg::COUNTER_HZ);
        self.set_oslock(1);
    }
}
