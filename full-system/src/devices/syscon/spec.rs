//! The one register of the test finisher. SiFive test device, as the device tree's `sifive,test0`.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x0 Finish wo "What becomes of the machine" { WHAT: 0..=15, CODE: 16..=31 };
}

/// Values of `Finish::WHAT`.
pub(super) mod what {
    pub(in super::super) const FAIL: u32 = 0x3333;
    pub(in super::super) const PASS: u32 = 0x5555;
    pub(in super::super) const RESET: u32 = 0x7777;
}
