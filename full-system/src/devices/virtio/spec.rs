//! Registers of the memory-mapped transport. Virtio 1.2, section 4.2.2.

use crate::devices::registers::registers;

registers! {
    /// A register.
    bytes 4;
    0x000 Magic            ro "The letters 'virt'" = 0x7472_6976;
    0x004 Version          ro "Version of this layout" = 2;
    0x008 DeviceId         ro "Kind of device; 0 for none";
    0x00c VendorId         ro "Vendor, as QEMU's devices say" = 0x554d_4551;
    0x010 DeviceFeatures   ro "32 of the features the device offers";
    0x014 DeviceSelect     wo "Which 32";
    0x020 DriverFeatures   wo "32 of the features the driver accepts";
    0x024 DriverSelect     wo "Which 32";
    0x030 QueueSelect      wo "The queue that the next registers mean";
    0x034 QueueMax         ro "Its greatest size; 0 if there is none";
    0x038 QueueSize        wo "Its size";
    0x044 QueueReady       rw "It may be used" = 0;
    0x050 QueueNotify      wo "There are new buffers in a queue";
    0x060 InterruptStatus  ro "Why the line is high" = 0 { USED: 0, CONFIG: 1 };
    0x064 InterruptAck     wo "Takes bits of it back";
    0x070 Status           rw "How far the driver is" = 0 { DRIVER_OK: 2, FEATURES_OK: 3, NEEDS_RESET: 6 };
    0x080 DescLow          wo "Address of the descriptors, low";
    0x084 DescHigh         wo "High";
    0x090 DriverLow        wo "Address of the available ring, low";
    0x094 DriverHigh       wo "High";
    0x0a0 DeviceLow        wo "Address of the used ring, low";
    0x0a4 DeviceHigh       wo "High";
    0x0b0 SharedMemory     ro "Length and base of shared memory: there is none" x 4 by 4 = 0xffff_ffff;
    0x0fc ConfigGeneration ro "Changes with the configuration";
    0x100 Config           rw "The kind's own configuration" x 960 by 4;
}
