//! Registers of the distributor. Arm IHI 0048, section 4.3.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x000 Ctlr       rw "Which groups are forwarded" = 0 { ENABLE_GROUP0: 0, ENABLE_GROUP1: 1 };
    0x004 Typer      ro "How many interrupts and processors there are" { LINES: 0..=4, CPUS: 5..=7 };
    0x008 Iidr       ro "Implementer" = 0;
    0x080 Igroupr    rw "Groups of 32 interrupts" x 32 by 4 = 0;
    0x100 Isenabler  rw "Enables" x 32 by 4;
    0x180 Icenabler  rw "Disables" x 32 by 4;
    0x200 Ispendr    rw "Makes pending" x 32 by 4 = 0;
    0x280 Icpendr    rw "Makes not pending" x 32 by 4 = 0;
    0x300 Isactiver  rw "Makes active" x 32 by 4 = 0;
    0x380 Icactiver  rw "Makes inactive" x 32 by 4 = 0;
    0x400 Ipriorityr rw "Priorities of 4 interrupts" x 255 by 4 = 0;
    0x800 Itargetsr  rw "Processors of 4 interrupts" x 255 by 4;
    0xc00 Icfgr      rw "Triggers of 16 interrupts" x 64 by 4;
    0xf00 Sgir       wo "Generates an interrupt" { INTID: 0..=3, TARGETS: 16..=23, FILTER: 24..=25 };
    0xf10 Cpendsgir  rw "Takes generated interrupts back" x 4 by 4 = 0;
    0xf20 Spendsgir  rw "Generates interrupts in the name of others" x 4 by 4 = 0;
    0xfd0 Icpidr4    ro "Identification, as of a GIC-400" = 0x04;
    0xfd4 Icpidr5    ro "Identification" x 3 by 4 = 0;
    0xfe0 Icpidr0    ro "Identification" = 0x90;
    0xfe4 Icpidr1    ro "Identification" = 0xb4;
    0xfe8 Icpidr2    ro "Identification; version 2 of the architecture" = 0x2b;
    0xfec Icpidr3    ro "Identification" = 0;
    0xff0 Iccidr0    ro "Identification" = 0x0d;
    0xff4 Iccidr1    ro "Identification" = 0xf0;
    0xff8 Iccidr2    ro "Identification" = 0x05;
    0xffc Iccidr3    ro "Identification" = 0xb1;
}
