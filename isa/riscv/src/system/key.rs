//! What lifting depends on in a machine, and which instructions translated code leaves to this
//! module.

use remu_ir::Slot;
use remu_isa::Key;

use super::csr;
use super::regs::{M, S, U, mstatus, slots};

/// Parts of the lift key besides the rounding mode, which is in bits 1:0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MachineKey {
    /// Privilege mode.
    pub(crate) privilege: u64,
    /// Number of the TLB: 0 user, 1 supervisor, 2 supervisor that may touch user pages, 3 machine.
    pub(crate) tlb: u8,
    /// Floating-point state: 0 off, 1 unchanged since it was saved, 2 dirty.
    pub(crate) fs: u8,
}

/// Set in keys of machines.
const MACHINE: u32 = 1 << 2;
const FS: u32 = 3;
const WHO: u32 = 5;

/// Privilege modes with the TLBs they can have, by number.
const MODES: [(u64, u8); 7] = [(U, 0), (S, 1), (S, 2), (M, 3), (M, 0), (M, 1), (M, 2)];

impl MachineKey {
    fn new(privilege: u64, status: u64) -> MachineKey {
        let mpp = (status & mstatus::MPP) >> mstatus::MPP_SHIFT;
        let data = if privilege == M && status & mstatus::MPRV != 0 { mpp } else { privilege };
        let tlb = match data {
            U => 0,
            S => 1 + u8::from(status & mstatus::SUM != 0),
            _ => 3,
        };
        let fs = match (status & mstatus::FS) >> 13 {
            0 => 0,
            3 => 2,
            _ => 1,
        };
        MachineKey { privilege, tlb, fs }
    }
    /// Of a state struct.
    pub(crate) fn of_state(state: &[u8]) -> MachineKey {
        let word = |s: Slot| {
            let at = usize::from(s.offset);
            let bytes = state.get(at..at + 8).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        MachineKey::new(word(slots::privilege(0)), word(slots::mstatus(0)))
    }
    /// Bits to be added to those of the rounding mode.
    pub(crate) fn bits(self) -> u32 {
        let who = MODES.iter().position(|m| *m == (self.privilege, self.tlb)).unwrap_or(0);
        MACHINE | u32::from(self.fs) << FS | (who as u32) << WHO
    }
    /// Where `mstatus` is.
    pub(crate) fn status_slot(self) -> Slot {
        slots::mstatus(0)
    }
    /// Where it is noted that an interrupt is held back.
    pub(crate) fn held_slot(self) -> Slot {
        slots::held(0)
    }
    /// The bits of `mstatus` that `sstatus` shows.
    pub(crate) fn sstatus_mask(self) -> u64 {
        mstatus::SSTATUS
    }
    /// What `sstatus` shows besides, under this key.
    pub(crate) fn sstatus_fixed(self) -> u64 {
        mstatus::UXL | if self.fs == 2 { mstatus::SD } else { 0 }
    }
    /// Of a lift key; `None` if a program is run.
    pub(crate) fn of_key(key: Key) -> Option<MachineKey> {
        if key.0 & MACHINE == 0 {
            return None;
        }
        let (privilege, tlb) = MODES.get((key.0 >> WHO & 7) as usize).copied().unwrap_or((U, 0));
        Some(MachineKey { privilege, tlb, fs: (key.0 >> FS & 3) as u8 })
    }
}

/// Whether an instruction needs floating-point state, told by its encoding.
pub(crate) fn uses_fp(word: u32) -> bool {
    match word & 3 {
        3 => match word & 0x7f {
            // LOAD-FP and STORE-FP of widths 16 to 64.
            0x07 | 0x27 => matches!(word >> 12 & 7, 1..=3),
            0x43 | 0x47 | 0x4b | 0x4f | 0x53 => true,
            0x73 => word >> 12 & 3 != 0 && matches!(word >> 20, 1..=3),
            _ => false,
        },
        // c.fld, c.fsd and their forms with sp.
        0 | 2 => matches!(word >> 13 & 7, 1 | 5),
        _ => false,
    }
}

const SYSTEM: u32 = 0x73;

/// Whether translated code leaves an instruction to [`super::exit`].
pub(crate) fn is_emulated(word: u32, key: MachineKey) -> bool {
    if uses_fp(word) {
        return key.fs != 2;
    }
    if word & 0x7f != SYSTEM {
        return false;
    }
    match word >> 12 & 7 {
        // ecall, ebreak and wrs are user code's too and have exits of their own.
        0 => word >> 28 != 0,
        4 => false,
        // Reading `sstatus`, and changing its lowest bits.
        f @ (2 | 3 | 6 | 7) if word >> 20 == 0x100 && key.privilege >= S => {
            f < 4 && word >> 15 & 31 != 0
        }
        _ => plain((word >> 20) as u16, key).is_none(),
    }
}

/// The slot of a register that code under this key reads and writes as it is, and the bits
/// that can be written.
pub(crate) fn plain(number: u16, key: MachineKey) -> Option<(Slot, u64)> {
    let least = u64::from(number >> 8 & 3);
    let row = csr::row_of(number).filter(|_| key.privilege >= least)?;
    row.inline()
}
