//! Registers of the distributor. Arm IHI 0069, section 12.9.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x0000 Ctlr       rw "Which groups are forwarded" = 0x50 { ENABLE_GROUP0: 0, ENABLE_GROUP1: 1, ARE: 4, DS: 6 };
    0x0004 Typer      ro "How many interrupts there are" { LINES: 0..=4, ID_BITS: 19..=23, A3V: 24, NO_1N: 25 };
    0x0008 Iidr       ro "Implementer" = 0x43b;
    0x000c Typer2     ro "Further features" = 0;
    0x0010 Statusr    rw "Errors, of which none are kept" = 0;
    0x0080 Igroupr    rw "Groups of 32 interrupts" x 32 by 4 = 0;
    0x0100 Isenabler  rw "Enables" x 32 by 4 = 0;
    0x0180 Icenabler  rw "Disables" x 32 by 4 = 0;
    0x0200 Ispendr    rw "Makes pending" x 32 by 4 = 0;
    0x0280 Icpendr    rw "Makes not pending" x 32 by 4 = 0;
    0x0300 Isactiver  rw "Makes active" x 32 by 4 = 0;
    0x0380 Icactiver  rw "Makes inactive" x 32 by 4 = 0;
    0x0400 Ipriorityr rw "Priorities of 4 interrupts" x 255 by 4 = 0;
    0x0800 Itargetsr  rw "Of older versions" x 255 by 4 = 0;
    0x0c00 Icfgr      rw "Triggers of 16 interrupts" x 64 by 4;
    0x0d00 Igrpmodr   rw "Of the Security Extensions" x 32 by 4 = 0;
    0x0e00 Nsacr      rw "Of the Security Extensions" x 64 by 4 = 0;
    0x0f00 Sgir       wo "Of older versions";
    0x6000 Irouter    rw "Affinity of the processor that gets an interrupt" x 1020 by 8 = 0;
    0xffd0 Pidr4      ro "Identification" = 0x04;
    0xffd4 Pidr5      ro "Identification" x 3 by 4 = 0;
    0xffe0 Pidr0      ro "Identification, as of a GIC-500" = 0x92;
    0xffe4 Pidr1      ro "Identification" = 0xb4;
    0xffe8 Pidr2      ro "Identification; version 3 of the architecture" = 0x3b;
    0xffec Pidr3      ro "Identification" = 0;
    0xfff0 Cidr0      ro "Identification" = 0x0d;
    0xfff4 Cidr1      ro "Identification" = 0xf0;
    0xfff8 Cidr2      ro "Identification" = 0x05;
    0xfffc Cidr3      ro "Identification" = 0xb1;
}
