//! Registers of the PL011. Arm DDI 0183, chapter 3.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x000 Dr       rw "Data, with what went wrong with it" { DATA: 0..=7, FE: 8, PE: 9, BE: 10, OE: 11 };
    0x004 RsrEcr   rw "What went wrong with the data last read; a write clears it" = 0;
    0x018 Fr       ro "Flags" = 0x90 { CTS: 0, BUSY: 3, RXFE: 4, TXFF: 5, RXFF: 6, TXFE: 7 };
    0x020 Ilpr     rw "Divisor of infrared" = 0;
    0x024 Ibrd     rw "Divisor, whole part" = 0;
    0x028 Fbrd     rw "Divisor, fraction" = 0;
    0x02c LcrH     rw "Line control" = 0 { BRK: 0, FEN: 4 };
    0x030 Cr       rw "Control" = 0x300 { UARTEN: 0, LBE: 7, TXE: 8, RXE: 9 };
    0x034 Ifls     rw "Fill levels that interrupt" = 0x12 { TX: 0..=2, RX: 3..=5 };
    0x038 Imsc     rw "Which interrupts pass" = 0;
    0x03c Ris      ro "Interrupts" = 0 { RX: 4, TX: 5, RT: 6, BE: 9, OE: 10 };
    0x040 Mis      ro "Interrupts that pass" = 0;
    0x044 Icr      wo "Clears interrupts";
    0x048 Dmacr    rw "DMA control" = 0;
    0xfe0 PeriphId0 ro "Identification" = 0x11;
    0xfe4 PeriphId1 ro "Identification" = 0x10;
    0xfe8 PeriphId2 ro "Identification; revision 1" = 0x14;
    0xfec PeriphId3 ro "Identification" = 0x00;
    0xff0 PCellId0  ro "Identification" = 0x0d;
    0xff4 PCellId1  ro "Identification" = 0xf0;
    0xff8 PCellId2  ro "Identification" = 0x05;
    0xffc PCellId3  ro "Identification" = 0xb1;
}
