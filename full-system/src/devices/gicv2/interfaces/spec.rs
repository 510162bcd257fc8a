//! Registers of a processor's interface. Arm IHI 0048, section 4.4.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x0000 Ctlr   rw "Which groups are signalled, and how" = 0 {
        ENABLE_GROUP0: 0, ENABLE_GROUP1: 1, ACK_CTL: 2, FIQ: 3, COMMON: 4, BYPASS: 5..=8, SPLIT: 9,
    };
    0x0004 Pmr    rw "Least urgent priority that passes" = 0;
    0x0008 Bpr    rw "Binary point of group 0" = 2;
    0x000c Iar    ro "Acknowledges an interrupt" { INTID: 0..=9, SOURCE: 10..=12 };
    0x0010 Eoir   wo "Ends an interrupt";
    0x0014 Rpr    ro "Running priority" = 0xff;
    0x0018 Hppir  ro "The interrupt to be acknowledged" = 1023;
    0x001c Abpr   rw "Binary point of group 1" = 3;
    0x0020 Aiar   ro "Acknowledges one of group 1";
    0x0024 Aeoir  wo "Ends one of group 1";
    0x0028 Ahppir ro "The one of group 1 to be acknowledged" = 1023;
    0x00d0 Apr    rw "Active priorities of group 0" x 4 by 4 = 0;
    0x00e0 Nsapr  rw "Active priorities of group 1" x 4 by 4 = 0;
    0x00fc Iidr   ro "Implementer and version" = 0x0002_043b;
    0x1000 Dir    wo "Makes an interrupt inactive";
}
