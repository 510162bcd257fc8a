//! Commands and query data of the flash. Intel's "Common Flash Interface and Command Sets", application note 646,
//! and JEDEC JESD68.01.

/// Commands, by the low byte of what is written.
pub(super) mod command {
    pub(in super::super) const PROGRAM_OLD: u8 = 0x10;
    pub(in super::super) const ERASE: u8 = 0x20;
    pub(in super::super) const PROGRAM: u8 = 0x40;
    pub(in super::super) const CLEAR_STATUS: u8 = 0x50;
    pub(in super::super) const LOCK: u8 = 0x60;
    pub(in super::super) const READ_STATUS: u8 = 0x70;
    pub(in super::super) const READ_ID: u8 = 0x90;
    pub(in super::super) const QUERY: u8 = 0x98;
    pub(in super::super) const CONFIRM: u8 = 0xd0;
    pub(in super::super) const PROGRAM_BUFFER: u8 = 0xe8;
    pub(in super::super) const READ_ARRAY: u8 = 0xff;
}

/// Bits of the status.
pub(super) mod status {
    /// Done with the last command.
    pub(in super::super) const READY: u8 = 0x80;
    /// An erasure failed.
    pub(in super::super) const ERASE_ERROR: u8 = 0x20;
    /// Programming failed.
    pub(in super::super) const PROGRAM_ERROR: u8 = 0x10;
}

/// Manufacturer and device, as QEMU's boards have them.
pub(super) const ID: [u8; 2] = [0x89, 0x18];
/// Bytes that are erased at once, of both chips together.
pub(super) const SECTOR: usize = 256 << 10;
/// Bytes of the buffer that is programmed at once, of both chips together: two to the power of this.
pub(super) const BUFFER_SHIFT: u8 = 11;

/// What a query finds in each of the two chips, for a flash of so many bytes together.
pub(super) fn query(at: u64, bytes: usize) -> u8 {
    let sectors = (bytes / SECTOR) as u64 - 1;
    // Of one chip, in units of 256 bytes.
    let sector = (SECTOR as u64 / 2) >> 8;
    match at {
        0x10..=0x12 => b"QRY"[at as usize - 0x10],
        // The command set, and where its own table is.
        0x13 => 0x01,
        0x15 => 0x31,
        // Voltages, and times and their limits as powers of two.
        0x1b => 0x45,
        0x1c => 0x55,
        0x1f..=0x21 => [0x07, 0x07, 0x0a][at as usize - 0x1f],
        0x23..=0x25 => 0x04,
        0x27 => (bytes as u64 / 2).trailing_zeros() as u8,
        // 16 bits wide.
        0x28 => 0x01,
        0x2a => BUFFER_SHIFT - 1,
        // One region of equal sectors.
        0x2c => 1,
        0x2d => sectors as u8,
        0x2e => (sectors >> 8) as u8,
        0x2f => sector as u8,
        0x30 => (sector >> 8) as u8,
        0x31..=0x33 => b"PRI"[at as usize - 0x31],
        0x34 | 0x35 => b"10"[at as usize - 0x34],
        _ => 0,
    }
}
