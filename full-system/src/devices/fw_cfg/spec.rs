//! Registers and keys of the firmware configuration device. QEMU's "Firmware Configuration (fw_cfg) Device"
//! specification.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 8;
    0x00 Data     rw "The bytes of the item, one after the other";
    0x08 Selector wo "Which item" x 1 by 2;
    0x10 Dma      rw "Where a transfer is described";
}

/// Keys of items.
pub mod key {
    /// Tells that the device is there.
    pub const SIGNATURE: u16 = 0x00;
    /// Which ways to the items there are.
    pub const ID: u16 = 0x01;
    /// Bytes of memory.
    pub const RAM_SIZE: u16 = 0x03;
    /// Processors.
    pub const CPUS: u16 = 0x05;
    /// Bytes of the kernel.
    pub const KERNEL_SIZE: u16 = 0x08;
    /// Bytes of the initial file system.
    pub const INITRD_SIZE: u16 = 0x0b;
    /// The kernel.
    pub const KERNEL_DATA: u16 = 0x11;
    /// The initial file system.
    pub const INITRD_DATA: u16 = 0x12;
    /// Bytes of the kernel's command line, with a zero at the end.
    pub const CMDLINE_SIZE: u16 = 0x14;
    /// The kernel's command line.
    pub const CMDLINE_DATA: u16 = 0x15;
    /// Names of further items.
    pub const DIRECTORY: u16 = 0x19;
}

/// What the item of [`key::ID`] says: both ways, by register and by transfer.
pub(super) const ID: u32 = 3;

/// Bits of a transfer's control word.
pub(super) mod control {
    pub(in super::super) const ERROR: u32 = 1;
    pub(in super::super) const READ: u32 = 2;
    pub(in super::super) const SKIP: u32 = 4;
    pub(in super::super) const SELECT: u32 = 8;
    pub(in super::super) const WRITE: u32 = 16;
}
