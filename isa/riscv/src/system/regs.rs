//! Privileged registers as rows of the state struct, and their fields.

use remu_ir::{Slot, Type};
use remu_isa::Header;

use crate::state::hart;

hart! {
    /// A hart of a machine: what user code sees first, at the same places.
    pub struct MachineHart {
        /// Privilege mode: 0 user, 1 supervisor, 3 machine.
        privilege[1]: I64 = ["privilege"];
        /// Not 0 if an interrupt is pending that only `mstatus` keeps away. Set before code is
        /// entered; whoever changes what it depends on makes the code leave.
        held[1]: I64 = ["held"];
        /// `mhartid`.
        mhartid[1]: I64 = ["mhartid"];
        /// `mstatus` without what is fixed.
        mstatus[1]: I64 = ["mstatus"];
        /// `medeleg`.
        medeleg[1]: I64 = ["medeleg"];
        /// `mideleg`.
        mideleg[1]: I64 = ["mideleg"];
        /// `mie`.
        mie[1]: I64 = ["mie"];
        /// The bits of `mip` that software writes.
        mip[1]: I64 = ["mip"];
        /// `mtvec`.
        mtvec[1]: I64 = ["mtvec"];
        /// `mcounteren`.
        mcounteren[1]: I64 = ["mcounteren"];
        /// `mcountinhibit`.
        mcountinhibit[1]: I64 = ["mcountinhibit"];
        /// `mscratch`.
        mscratch[1]: I64 = ["mscratch"];
        /// `mepc`.
        mepc[1]: I64 = ["mepc"];
        /// `mcause`.
        mcause[1]: I64 = ["mcause"];
        /// `mtval`.
        mtval[1]: I64 = ["mtval"];
        /// `menvcfg`.
        menvcfg[1]: I64 = ["menvcfg"];
        /// What is added to the time to give `mcycle`.
        mcycle[1]: I64 = ["mcycle"];
        /// The same for `minstret`.
        minstret[1]: I64 = ["minstret"];
        /// `stvec`.
        stvec[1]: I64 = ["stvec"];
        /// `scounteren`.
        scounteren[1]: I64 = ["scounteren"];
        /// `sscratch`.
        sscratch[1]: I64 = ["sscratch"];
        /// `sepc`.
        sepc[1]: I64 = ["sepc"];
        /// `scause`.
        scause[1]: I64 = ["scause"];
        /// `stval`.
        stval[1]: I64 = ["stval"];
        /// `senvcfg`.
        senvcfg[1]: I64 = ["senvcfg"];
        /// `satp`.
        satp[1]: I64 = ["satp"];
        /// `stimecmp`.
        stimecmp[1]: I64 = ["stimecmp"];
        /// `pmpcfg0` and `pmpcfg2`.
        pmpcfg[2]: I64 = ["pmpcfg0", "pmpcfg2"];
        /// `pmpaddr0` to `pmpaddr15`.
        pmpaddr[16]: I64 = [
            "pmpaddr0", "pmpaddr1", "pmpaddr2", "pmpaddr3", "pmpaddr4", "pmpaddr5", "pmpaddr6",
            "pmpaddr7", "pmpaddr8", "pmpaddr9", "pmpaddr10", "pmpaddr11", "pmpaddr12", "pmpaddr13",
            "pmpaddr14", "pmpaddr15",
        ];
    }
}

// Lifters use the slots of a program's hart.
const _: () = {
    use crate::state;
    assert!(slots::x(1).offset == state::slots::x(1).offset);
    assert!(slots::f(31).offset == state::slots::f(31).offset);
    assert!(slots::frm(0).offset == state::slots::frm(0).offset);
};

/// User mode.
pub(crate) const U: u64 = 0;
/// Supervisor mode.
pub(crate) const S: u64 = 1;
/// Machine mode.
pub(crate) const M: u64 = 3;

/// Fields of `mstatus` ("Machine Status Registers").
#[allow(missing_docs, reason = "names of the manual")]
pub(crate) mod mstatus {
    pub(crate) const SIE: u64 = 1 << 1;
    pub(crate) const MIE: u64 = 1 << 3;
    pub(crate) const SPIE: u64 = 1 << 5;
    pub(crate) const MPIE: u64 = 1 << 7;
    pub(crate) const SPP: u64 = 1 << 8;
    pub(crate) const MPP: u64 = 3 << 11;
    pub(crate) const MPP_SHIFT: u32 = 11;
    pub(crate) const FS: u64 = 3 << 13;
    pub(crate) const MPRV: u64 = 1 << 17;
    pub(crate) const SUM: u64 = 1 << 18;
    pub(crate) const MXR: u64 = 1 << 19;
    pub(crate) const TVM: u64 = 1 << 20;
    pub(crate) const TW: u64 = 1 << 21;
    pub(crate) const TSR: u64 = 1 << 22;
    /// UXL and SXL: 64 bits.
    pub(crate) const XL: u64 = 2 << 32 | 2 << 34;
    pub(crate) const UXL: u64 = 2 << 32;
    pub(crate) const SD: u64 = 1 << 63;
    /// What supervisor mode sees.
    pub(crate) const SSTATUS: u64 = SIE | SPIE | SPP | FS | SUM | MXR;
    /// What can be written.
    pub(crate) const WRITABLE: u64 = SSTATUS | MIE | MPIE | MPP | MPRV | TVM | TW | TSR;
}

/// Fields of `menvcfg`.
pub(crate) mod menvcfg {
    pub(crate) const FIOM: u64 = 1;
    pub(crate) const CBIE: u64 = 3 << 4;
    pub(crate) const CBCFE: u64 = 1 << 6;
    pub(crate) const CBZE: u64 = 1 << 7;
    pub(crate) const ADUE: u64 = 1 << 61;
    pub(crate) const PBMTE: u64 = 1 << 62;
    pub(crate) const STCE: u64 = 1 << 63;
}

/// The registers of a hart, in its state struct.
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
    privilege, set_privilege;
    held, set_held;
    mhartid, set_mhartid;
    mstatus, set_mstatus;
    medeleg, set_medeleg;
    mideleg, set_mideleg;
    mie, set_mie;
    mip, set_mip;
    mtvec, set_mtvec;
    mcounteren, set_mcounteren;
    mepc, set_mepc;
    mcause, set_mcause;
    mtval, set_mtval;
    menvcfg, set_menvcfg;
    mcycle, set_mcycle;
    minstret, set_minstret;
    stvec, set_stvec;
    scounteren, set_scounteren;
    sepc, set_sepc;
    scause, set_scause;
    stval, set_stval;
    senvcfg, set_senvcfg;
    satp, set_satp;
    stimecmp, set_stimecmp;
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
    pub(crate) fn x(&self, n: u8) -> u64 {
        if n == 0 { 0 } else { self.get(slots::x(n.into())) }
    }
    pub(crate) fn set_x(&mut self, n: u8, v: u64) {
        if n != 0 {
            self.set(slots::x(n.into()), v);
        }
    }
    pub(crate) fn pc(&self) -> u64 {
        self.get(PC)
    }
    pub(crate) fn set_pc(&mut self, pc: u64) {
        self.set(PC, pc);
    }
    /// Extra word of the last exit.
    pub(crate) fn info(&self) -> u64 {
        self.get(Slot { offset: INFO, ty: Type::I64 })
    }
    /// The mode that a field of `mstatus` names.
    pub(crate) fn mpp(&self) -> u64 {
        (self.mstatus() & mstatus::MPP) >> mstatus::MPP_SHIFT
    }
    /// "Reset".
    pub(crate) fn reset(&mut self, hart: u64, entry: u64) {
        // The header is the engine's but for the pc.
        if let Some(all) = self.0.get_mut(Header::SIZE..) {
            all.fill(0);
        }
        crate::state::set_fcsr(self.0, 0);
        self.set_pc(entry);
        self.set(slots::reserved(0), crate::state::NO_RESERVATION);
        self.set_mhartid(hart);
        self.set_privilege(M);
        self.set_stimecmp(u64::MAX);
    }
}
