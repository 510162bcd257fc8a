//! Registers of the PL061. Arm DDI 0190, chapter 3.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x000 Data  rw "Levels of the lines that the address picks" x 256 by 4 = 0;
    0x400 Dir   rw "Which lines are outputs" = 0;
    0x404 Is    rw "Which interrupt by level" = 0;
    0x408 Ibe   rw "Which interrupt at both edges" = 0;
    0x40c Iev   rw "Which interrupt by the high level or the rising edge" = 0;
    0x410 Ie    rw "Which interrupts pass" = 0;
    0x414 Ris   ro "Interrupts" = 0;
    0x418 Mis   ro "Interrupts that pass" = 0;
    0x41c Ic    wo "Clears interrupts of edges";
    0x420 Afsel rw "Which lines are somebody else's" = 0;
    0xfe0 PeriphId0 ro "Identification" = 0x61;
    0xfe4 PeriphId1 ro "Identification" = 0x10;
    0xfe8 PeriphId2 ro "Identification" = 0x04;
    0xfec PeriphId3 ro "Identification" = 0x00;
    0xff0 PCellId0  ro "Identification" = 0x0d;
    0xff4 PCellId1  ro "Identification" = 0xf0;
    0xff8 PCellId2  ro "Identification" = 0x05;
    0xffc PCellId3  ro "Identification" = 0xb1;
}
