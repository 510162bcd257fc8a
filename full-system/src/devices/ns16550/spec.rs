//! Registers of the 16550. National Semiconductor PC16550D data sheet, table II.

use crate::devices::registers::registers;

registers! {
    /// A register; the first two addresses hold the divisor while `Lcr::DLAB` is set.
    bytes 1;
    0x0 RbrThr rw "Receiver buffer, transmitter holding";
    0x1 Ier    rw "Interrupt enable"  = 0x00 { RX: 0, THRE: 1, LINE: 2, MODEM: 3 };
    0x2 IirFcr rw "Interrupt identification, FIFO control" = 0x01 { FIFO: 0, CLEAR_RX: 1, CLEAR_TX: 2, TRIGGER: 6..=7 };
    0x3 Lcr    rw "Line control"      = 0x00 { BREAK: 6, DLAB: 7 };
    0x4 Mcr    rw "Modem control"     = 0x08 { DTR: 0, RTS: 1, OUT1: 2, OUT2: 3, LOOP: 4 };
    0x5 Lsr    ro "Line status"       = 0x60 { DR: 0, OE: 1, BI: 4, THRE: 5, TEMT: 6 };
    0x6 Msr    ro "Modem status"      = 0xb0 { CTS: 4, DSR: 5, RI: 6, DCD: 7 };
    0x7 Scr    rw "Scratch"           = 0x00;
}

/// Causes in the interrupt identification register, highest priority first.
pub(super) mod cause {
    pub(in super::super) const NONE: u8 = 0x1;
    pub(in super::super) const LINE: u8 = 0x6;
    pub(in super::super) const RX: u8 = 0x4;
    pub(in super::super) const RX_TIMEOUT: u8 = 0xc;
    pub(in super::super) const THRE: u8 = 0x2;
}
