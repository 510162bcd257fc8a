//! What lifting depends on in a machine, and which instructions translated code leaves to
//! [`super::exit`].

use remu_ir::Slot;
use remu_isa::Key;

use super::regs::{DAIF_F, DAIF_I, MachineState, sctlr, slots};
use super::sysregs;
use crate::features::Features;
use crate::isa::KEY_BITS;

/// Parts of the lift key besides those of FPCR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MachineKey(u32);

/// Set in keys of machines. Above it: the exception level, then the bits below.
const MACHINE: u32 = 1 << KEY_BITS;
const EL: u32 = KEY_BITS + 1;
/// PSTATE.SP.
const SPSEL: u32 = 1 << (KEY_BITS + 3);
/// PSTATE.PAN.
const PAN: u32 = 1 << (KEY_BITS + 4);
/// Floating-point instructions are trapped.
const NO_FP: u32 = 1 << (KEY_BITS + 5);
/// EL0 may zero lines.
const DZE: u32 = 1 << (KEY_BITS + 6);
/// EL0 may maintain caches.
const UCI: u32 = 1 << (KEY_BITS + 7);
/// Four bits: keys of pointer authentication that are enabled.
const PAC: u32 = KEY_BITS + 8;

/// Enable bits by number of a key: IA, IB, DA, DB.
const PAC_BITS: [u64; 4] = [sctlr::ENIA, sctlr::ENIB, sctlr::ENDA, sctlr::ENDB];

/// Whether floating-point instructions are trapped: CPACR_EL1.FPEN.
fn no_fp(el: u64, cpacr: u64) -> bool {
    match cpacr >> 20 & 3 {
        3 => false,
        1 => el == 0,
        _ => el < 2,
    }
}

impl MachineKey {
    /// Of a state struct.
    pub(crate) fn of_state(state: &[u8]) -> MachineKey {
        let word = |s: Slot| {
            let at = usize::from(s.offset);
            let bytes = state.get(at..at + 8).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        let el = word(slots::el(0));
        let control = word(slots::sctlr(0));
        let bit = |on: bool, bit: u32| if on { bit } else { 0 };
        let mut key = MACHINE | (el as u32 & 3) << EL;
        key |= bit(word(slots::spsel(0)) != 0, SPSEL);
        // Which EL0 does not ask for.
        key |= bit(el > 0 && word(slots::pan(0)) != 0, PAN);
        key |= bit(no_fp(el, word(slots::cpacr(0))), NO_FP);
        key |= bit(el > 0 || control & sctlr::DZE != 0, DZE);
        key |= bit(el > 0 || control & sctlr::UCI != 0, UCI);
        for (n, enable) in PAC_BITS.into_iter().enumerate() {
            key |= bit(control & enable != 0, 1 << (PAC + n as u32));
        }
        MachineKey(key)
    }
    /// Bits to be added to those of FPCR.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
    /// Of a lift key; `None` if a program is run.
    pub(crate) fn of_key(key: Key) -> Option<MachineKey> {
        (key.0 & MACHINE != 0).then_some(MachineKey(key.0))
    }
    /// Exception level.
    pub(crate) fn el(self) -> u32 {
        self.0 >> EL & 3
    }
    /// Number of the TLB: 0 EL0, 1 EL1, 2 EL1 that may not touch EL0's pages, 3 above.
    pub(crate) fn tlb(self) -> u8 {
        match self.el() {
            0 => 0,
            1 => 1 + u8::from(self.0 & PAN != 0),
            _ => 3,
        }
    }
    /// Whether a key of pointer authentication (IA, IB, DA, DB) is enabled.
    pub(crate) fn signs(self, key: u8) -> bool {
        key > 3 || self.0 >> (PAC + u32::from(key)) & 1 != 0
    }
    /// Where DAIF is.
    pub(crate) fn daif_slot(self) -> Slot {
        slots::daif(0)
    }
    /// Where interrupts are that only DAIF holds back, at its bits.
    pub(crate) fn held_slot(self) -> Slot {
        slots::held(0)
    }
    /// Where it is noted that other processors have something to forget.
    pub(crate) fn unsettled_slot(self) -> Slot {
        slots::unsettled(0)
    }
    /// The slots of a half of a key of pointer authentication, which code under this key writes: the
    /// half, then the low half, the high half, and what follows from both.
    pub(crate) fn pac_key(self, reg: u16, f: &Features) -> Option<[Slot; 4]> {
        let row = sysregs::row_of(reg).filter(|row| self.el() >= row.least_el())?;
        row.pac_key(f)
    }
    /// The slot of a system register that code under this key reads and writes as it is, and the
    /// bits that can be written.
    pub(crate) fn plain(self, reg: u16) -> Option<(Slot, u64)> {
        let row = sysregs::row_of(reg).filter(|row| self.el() >= row.least_el())?;
        let (slot, mask) = row.inline()?;
        // The selected stack pointer is elsewhere.
        let selected = slot == slots::sp_el(0) && self.0 & SPSEL == 0;
        (!selected).then_some((slot, mask))
    }
}

/// Whether an instruction uses floating-point or SIMD registers, told by its encoding.
fn uses_fp(word: u32) -> bool {
    match word >> 25 & 15 {
        7 | 15 => true,
        // Loads and stores, bit V.
        0b0110 | 0b1110 => true,
        _ => false,
    }
}

/// The same, with the system registers of floating point.
pub(crate) fn needs_fp(word: u32) -> bool {
    let is_move = word >> 20 & !2 == 0xd51;
    uses_fp(word) || is_move && sysregs::is_fp((word >> 5) as u16 & 0x7fff | 0x8000)
}

/// Numbers of instructions' fields: op1, CRn, CRm, op2.
fn fields(word: u32) -> (u32, u32, u32, u32) {
    (word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7)
}

/// Whether translated code leaves an instruction to [`super::exit`].
pub(crate) fn is_emulated(word: u32, f: &Features, key: MachineKey) -> bool {
    if uses_fp(word) {
        return key.0 & NO_FP != 0;
    }
    match word >> 24 {
        // Exception generation.
        0xd4 => true,
        // ERET and its forms.
        0xd6 => word >> 21 & 15 == 4,
        0xd5 => match word >> 19 & 3 {
            0 => match fields(word) {
                // WFI and WFE.
                (3, 2, 0, 2 | 3) => true,
                // DAIFSet, DAIFClr.
                (3, 4, _, 6 | 7) => key.el() == 0,
                // UAO, PAN, SPSel.
                (0, 4, _, 3..=5) => true,
                _ => false,
            },
            // SYSL.
            1 if word >> 21 & 1 != 0 => true,
            // SYS.
            1 => match fields(word) {
                // DC ZVA.
                (3, 7, 4, 1) => key.0 & DZE == 0,
                // IC IVAU, and what cleans lines.
                (3, 7, 5 | 10..=14, 1) => key.0 & UCI == 0,
                _ => true,
            },
            // MSR and MRS.
            _ => {
                let reg = (word >> 5) as u16 & 0x7fff | 0x8000;
                if sysregs::is_user(reg) || word >> 21 & 1 != 0 && reg == sysregs::TPIDRRO {
                    sysregs::is_fp(reg) && key.0 & NO_FP != 0
                } else if reg == sysregs::DAIF {
                    key.el() == 0
                } else {
                    let is_write = word >> 21 & 1 == 0;
                    let pac = is_write && key.pac_key(reg, f).is_some();
                    !pac && key.plain(reg).is_none()
                }
            }
        },
        _ => false,
    }
}

const _: () = {
    // Lifters put immediates of DAIFSet and DAIFClr there.
    assert!(DAIF_I == 1 << 7 && DAIF_F == 1 << 6);
    assert!(size_of::<MachineState>() < u16::MAX as usize);
};
