//! Registers of a redistributor: those of its own, and from 64 KiB on those of private interrupts. Arm IHI 0069,
//! sections 12.10 and 12.11.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x0_0000 Ctlr       rw "Nothing that is here" = 0;
    0x0_0004 Iidr       ro "Implementer" = 0x43b;
    0x0_0008 Typer      ro "Which processor's it is" x 1 by 8 { LAST: 4, NUMBER: 8..=23 };
    0x0_0010 Statusr    rw "Errors, of which none are kept" = 0;
    0x0_0014 Waker      rw "Power" = 6 { PROCESSOR_SLEEP: 1, CHILDREN_ASLEEP: 2 };
    0x0_ffd0 Pidr4      ro "Identification" = 0x04;
    0x0_ffd4 Pidr5      ro "Identification" x 3 by 4 = 0;
    0x0_ffe0 Pidr0      ro "Identification, as of a GIC-500" = 0x93;
    0x0_ffe4 Pidr1      ro "Identification" = 0xb4;
    0x0_ffe8 Pidr2      ro "Identification; version 3 of the architecture" = 0x3b;
    0x0_ffec Pidr3      ro "Identification" = 0;
    0x0_fff0 Cidr0      ro "Identification" = 0x0d;
    0x0_fff4 Cidr1      ro "Identification" = 0xf0;
    0x0_fff8 Cidr2      ro "Identification" = 0x05;
    0x0_fffc Cidr3      ro "Identification" = 0xb1;
    0x1_0080 Igroupr0   rw "Groups of private interrupts" = 0;
    0x1_0100 Isenabler0 rw "Enables" = 0;
    0x1_0180 Icenabler0 rw "Disables" = 0;
    0x1_0200 Ispendr0   rw "Makes pending" = 0;
    0x1_0280 Icpendr0   rw "Makes not pending" = 0;
    0x1_0300 Isactiver0 rw "Makes active" = 0;
    0x1_0380 Icactiver0 rw "Makes inactive" = 0;
    0x1_0400 Ipriorityr rw "Priorities of 4 interrupts" x 8 by 4 = 0;
    0x1_0c00 Icfgr      rw "Triggers of 16 interrupts" x 2 by 4;
    0x1_0d00 Igrpmodr0  rw "Of the Security Extensions" = 0;
    0x1_0e00 Nsacr      rw "Of the Security Extensions" = 0;
}
