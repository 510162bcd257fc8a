//! A small driver for tests: it sets a device up through its registers and fills rings in guest memory.

use std::sync::Arc;

use super::super::tests::{Wire, wire};
use super::{Kind, Slot};
use crate::bus::{Bus, Mmio};

/// Guest memory of the tests.
pub(super) const RAM: u64 = 0x8000_0000;
const RAM_SIZE: u64 = 0x20_0000;
/// Entries of each ring.
pub(super) const SIZE: u16 = 8;
/// First byte that the rings do not use.
pub(super) const FREE: u64 = RAM + 0x1_0000;

/// One descriptor: address, length, and whether the device writes.
pub(super) type Piece = (u64, u32, bool);

pub(super) struct Driver {
    pub(super) bus: Bus,
    pub(super) slot: Arc<Slot>,
    pub(super) wire: Wire,
    avail: [u16; 4],
    used: [u16; 4],
}

impl Driver {
    /// Goes through the initialisation of section 3.1.1.
    pub(super) fn new(make: impl FnOnce(&Bus) -> Arc<dyn Kind>) -> Driver {
        let mut map = Bus::builder();
        map.ram("ram", RAM, RAM_SIZE);
        let bus = map.build().expect("a map");
        let (line, wire) = wire();
        let kind = make(&bus);
        let slot = Slot::new(line, bus.ram().clone(), Some(kind));
        let mut driver = Driver { bus, slot, wire, avail: [0; 4], used: [0; 4] };
        driver.start();
        driver
    }

    pub(super) fn get(&self, offset: u64) -> u32 {
        self.slot.read(offset, 4) as u32
    }

    pub(super) fn set(&self, offset: u64, value: u32) {
        self.slot.write(offset, 4, value.into());
    }

    fn rings(queue: u32) -> [u64; 3] {
        let base = RAM + u64::from(queue) * 0x1000;
        [base, base + 0x400, base + 0x800]
    }

    pub(super) fn start(&mut self) {
        (self.avail, self.used) = ([0; 4], [0; 4]);
        for at in (RAM..FREE).step_by(8) {
            self.bus.write(at, 8, 0).expect("ram");
        }
        assert_eq!((self.get(0), self.get(4)), (0x7472_6976, 2));
        self.set(0x70, 0);
        self.set(0x70, 3);
        // Version 1 alone: without event indices every buffer interrupts.
        self.set(0x24, 1);
        self.set(0x20, 1);
        self.set(0x70, 11);
        assert_eq!(self.get(0x70), 11, "features accepted");
        for queue in 0.. {
            self.set(0x30, queue);
            if self.get(0x34) == 0 {
                break;
            }
            self.set(0x38, SIZE.into());
            for (at, ring) in [0x80, 0x90, 0xa0].into_iter().zip(Self::rings(queue)) {
                self.set(at, ring as u32);
                self.set(at + 4, (ring >> 32) as u32);
            }
            self.set(0x44, 1);
            assert_eq!(self.get(0x44), 1, "queue {queue} is ready");
        }
        self.set(0x70, 15);
    }

    /// Makes a chain available, with descriptors from `first` on, and notifies.
    pub(super) fn send(&mut self, queue: u32, first: u16, pieces: &[Piece]) {
        let [desc, avail, _] = Self::rings(queue);
        for (n, &(at, len, write)) in pieces.iter().enumerate() {
            let index = first + n as u16;
            let slot = desc + 16 * u64::from(index);
            let next = if n + 1 < pieces.len() { 1 } else { 0 };
            let flags = next | if write { 2 } else { 0 };
            self.bus.write(slot, 8, at).expect("ram");
            self.bus.write(slot + 8, 4, len.into()).expect("ram");
            self.bus.write(slot + 12, 2, flags).expect("ram");
            self.bus.write(slot + 14, 2, u64::from(index) + 1).expect("ram");
        }
        let index = &mut self.avail[queue as usize];
        let entry = avail + 4 + 2 * u64::from(*index % SIZE);
        *index = index.wrapping_add(1);
        self.bus.write(entry, 2, first.into()).expect("ram");
        self.bus.write(avail + 2, 2, (*index).into()).expect("ram");
        self.set(0x50, queue);
    }

    /// The next used chain: head and bytes written.
    pub(super) fn used(&mut self, queue: u32) -> Option<(u16, u32)> {
        let [.., used] = Self::rings(queue);
        let index = &mut self.used[queue as usize];
        if self.bus.read(used + 2, 2).expect("ram") as u16 == *index {
            return None;
        }
        let entry = used + 4 + 8 * u64::from(*index % SIZE);
        *index = index.wrapping_add(1);
        let head = self.bus.read(entry, 4).expect("ram") as u16;
        Some((head, self.bus.read(entry + 4, 4).expect("ram") as u32))
    }

    /// Takes the interrupt: its reasons.
    pub(super) fn take_interrupt(&self) -> u32 {
        let why = self.get(0x60);
        self.set(0x64, why);
        assert!(!self.wire.level());
        why
    }

    pub(super) fn put(&self, at: u64, bytes: &[u8]) {
        bytes.iter().zip(at..).for_each(|(&b, a)| self.bus.write(a, 1, b.into()).expect("ram"));
    }

    pub(super) fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        (at..at + len as u64).map(|a| self.bus.read(a, 1).expect("ram") as u8).collect()
    }
}
