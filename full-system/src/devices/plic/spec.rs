//! Registers of the platform-level interrupt controller. RISC-V PLIC specification 1.0.0, chapter 3.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x00_0000 Priority  rw "Priority of a source" x 1024 by 4 = 0;
    0x00_1000 Pending   ro "Pending bits of 32 sources" x 32 by 4 = 0;
    0x00_2000 Enable    rw "Enable bits of 32 sources for a context" x 507904 by 4;
    0x20_0000 Context   rw "Threshold, then claim and complete, of a context" x 15872 by 4096;
}

/// Words of enable bits that each context has.
pub(super) const ENABLE_WORDS: usize = 32;
/// Offset of the claim and complete register in a context's page; the threshold is at 0.
pub(super) const CLAIM: u64 = 4;
