//! Every device with hostile registers, rings and chains: whatever a guest does, the host neither panics nor hangs.

use std::sync::{Arc, Mutex, Weak};

use super::driver::{Driver, FREE, RAM, SIZE};
use super::*;
use crate::block::{self as disks, Image};
use crate::chardev::memory;
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Kind as LoopKind};
use crate::net::{Link, LinkReceiver};

/// A network that only counts.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) sent: Mutex<Vec<Vec<u8>>>,
    pub(super) card: Mutex<Option<Weak<dyn LinkReceiver>>>,
}

impl Link for Wire {
    fn send(&self, frame: Vec<u8>) {
        self.sent.lock().expect("not poisoned").push(frame);
    }
    fn connect(&self, receiver: Weak<dyn LinkReceiver>) {
        *self.card.lock().expect("not poisoned") = Some(receiver);
    }
    fn accept_frames(&self) {}
}

impl Wire {
    pub(super) fn deliver(&self, frame: &[u8]) -> bool {
        let card = self.card.lock().expect("not poisoned").clone();
        card.and_then(|c| c.upgrade()).is_some_and(|c| c.receive(frame))
    }
}

/// An image of zeros in a file without a name.
pub(super) fn image(events: &EventLoop, size: u64) -> Arc<dyn Image> {
    let path = std::env::temp_dir().join(format!("remu-virtio-{}-{size}", std::process::id()));
    std::fs::File::create(&path).and_then(|f| f.set_len(size)).expect("a file");
    let image = disks::open(&path, disks::Options::default(), events.handle());
    let _ = std::fs::remove_file(path);
    image.expect("opened")
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// An address that is often in memory, and often just at an end of it.
    fn address(&mut self) -> u64 {
        match self.below(8) {
            0 => self.next(),
            1 => RAM.wrapping_sub(self.below(32)),
            2 => RAM + 0x20_0000 - self.below(32),
            3 => RAM + self.below(0x1000),
            _ => FREE + self.below(0x1000),
        }
    }
    fn length(&mut self) -> u32 {
        match self.below(6) {
            0 => self.next() as u32,
            1 => 0,
            2 => 1,
            3 => 512,
            _ => self.below(4096) as u32,
        }
    }
}

fn storm(mut driver: Driver, events: &EventLoop, seed: u64, outside: impl Fn()) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for round in 0..60 {
        match random.below(10) {
            0 => {
                let offset = random.below(0x200);
                let size = 1 << random.below(4);
                driver.slot.write(offset, size, random.next());
            }
            1 => {
                driver.slot.read(random.below(0x1100), 1 << random.below(4));
            }
            2 => {
                driver.bus.write(RAM + (random.below(0x3000) & !7), 8, random.next()).expect("ram")
            }
            3 if round % 7 == 0 => driver.start(),
            _ => {
                let pieces: Vec<_> = (0..1 + random.below(5))
                    .map(|n| (random.address(), random.length(), n > 0 && random.below(3) > 0))
                    .collect();
                if random.below(2) == 0 {
                    // Something like a block request, so that the depths are reached too.
                    let header = [random.below(15) as u32, 0, random.below(4000) as u32, 0];
                    let bytes: Vec<u8> = header.iter().flat_map(|w| w.to_le_bytes()).collect();
                    driver.put(FREE, &bytes);
                    let data = (FREE + 0x1000, random.length() & !511, random.below(2) == 0);
                    driver.send(
                        0,
                        random.below(4) as u16,
                        &[(FREE, 16, false), data, (FREE + 32, 1, true)],
                    );
                } else {
                    let queue = random.below(2) as u32;
                    driver.send(queue, random.below(u64::from(SIZE) - 5) as u16, &pieces);
                }
            }
        }
        outside();
        events.handle().post(|| {});
        events.turn().expect("a turn");
    }
    // A reset brings the device back, whatever happened.
    for _ in 0..1000 {
        driver.set(0x70, 0);
        if driver.get(0x70) == 0 {
            break;
        }
        events.turn().expect("a turn");
    }
    driver.start();
}

#[test]
fn hostile_guests_do_not_break_the_host() {
    let events = EventLoop::new(Arc::new(Clock::new()), LoopKind::Auto).expect("a loop");
    for seed in 0..300 {
        let disk = image(&events, 1 << 20);
        storm(Driver::new(|_| block::Block::new(disk, "fuzz")), &events, seed, || {});
        storm(Driver::new(|_| rng::Rng::new().expect("random")), &events, seed, || {});
        let (port, end) = memory::port();
        storm(Driver::new(|_| console::Console::new(port)), &events, seed, || end.type_in(b"key"));
        let wire = Arc::new(Wire::default());
        let link = wire.clone();
        storm(Driver::new(|_| net::Net::new([2; 6], link)), &events, seed, || {
            wire.deliver(&[0; 60]);
        });
    }
}
