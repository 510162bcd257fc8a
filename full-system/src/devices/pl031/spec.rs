//! Registers of the PL031. Arm DDI 0224, chapter 3.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x000 Dr   ro "Seconds since 1970";
    0x004 Mr   rw "When it interrupts" = 0;
    0x008 Lr   rw "Sets the time" = 0;
    0x00c Cr   rw "It runs, always" = 1;
    0x010 Imsc rw "The interrupt passes" = 0;
    0x014 Ris  ro "The interrupt" = 0;
    0x018 Mis  ro "The interrupt, if it passes" = 0;
    0x01c Icr  wo "Clears the interrupt";
    0xfe0 PeriphId0 ro "Identification" = 0x31;
    0xfe4 PeriphId1 ro "Identification" = 0x10;
    0xfe8 PeriphId2 ro "Identification" = 0x04;
    0xfec PeriphId3 ro "Identification" = 0x00;
    0xff0 PCellId0  ro "Identification" = 0x0d;
    0xff4 PCellId1  ro "Identification" = 0xf0;
    0xff8 PCellId2  ro "Identification" = 0x05;
    0xffc PCellId3  ro "Identification" = 0xb1;
}
