//! Registers of the Goldfish real-time clock. Android's "Goldfish virtual hardware", section "Goldfish timer".

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x00 TimeLow        rw "Low half of the nanoseconds since 1970; reading it fixes the high half";
    0x04 TimeHigh       rw "High half";
    0x08 AlarmLow       rw "Low half of the alarm's time; writing it sets the alarm" = 0;
    0x0c AlarmHigh      rw "High half" = 0;
    0x10 IrqEnabled     rw "The alarm interrupts" = 0;
    0x14 ClearAlarm     wo "Takes the alarm back";
    0x18 AlarmStatus    ro "An alarm is set" = 0;
    0x1c ClearInterrupt wo "Lowers the line";
}
