//! Registers of the core-local interruptor. RISC-V ACLINT specification 1.0, chapters 2 and 3, at SiFive's offsets.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 8;
    0x0000 Msip     rw "Machine software interrupt of a hart" x 4095 by 4;
    0x4000 Mtimecmp rw "Time of the machine timer interrupt of a hart" x 4095 by 8;
    0xbff8 Mtime    ro "The time";
}
