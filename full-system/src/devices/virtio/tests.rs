//! Each device driven as a driver drives it.

use std::sync::{Arc, Mutex};

use super::driver::{Driver, FREE};
use super::fuzz::{Wire, image};
use super::*;
use crate::block::{Done, Image, Request};
use crate::chardev::memory;
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Kind as LoopKind};

const HEADER: (u64, u32, bool) = (FREE, 16, false);
const STATUS: (u64, u32, bool) = (FREE + 0x100, 1, true);
const DATA: u64 = FREE + 0x1000;

fn header(kind: u32, sector: u64) -> Vec<u8> {
    [u64::from(kind).to_le_bytes(), sector.to_le_bytes()].concat()
}

fn events() -> EventLoop {
    EventLoop::new(Arc::new(Clock::new()), LoopKind::Auto).expect("a loop")
}

/// Sends a block request and waits for its end: status and bytes written.
fn request(
    d: &mut Driver,
    events: &EventLoop,
    head: &[u8],
    data: &[(u64, u32, bool)],
) -> (u8, u32) {
    d.put(FREE, head);
    d.put(STATUS.0, &[0xff]);
    let chain: Vec<_> = [&[HEADER], data, &[STATUS]].concat();
    d.send(0, 0, &chain);
    let (_, len) = loop {
        match d.used(0) {
            Some(used) => break used,
            None => events.turn().expect("a turn"),
        }
    };
    assert_eq!(d.take_interrupt(), 1);
    (d.bytes(STATUS.0, 1)[0], len)
}

#[test]
fn a_disk_reads_writes_and_names_itself() {
    let events = events();
    let disk = image(&events, 8192);
    let mut d = Driver::new(|_| block::Block::new(disk, "serial number that is too long"));
    assert_eq!(d.get(8), 2);
    assert_eq!((d.get(0x100), d.get(0x104)), (16, 0), "capacity in sectors");
    d.put(DATA, &[0x5a; 1024]);
    // Written in two pieces, read in three.
    let wrote =
        request(&mut d, &events, &header(1, 3), &[(DATA, 100, false), (DATA + 100, 924, false)]);
    assert_eq!(wrote, (0, 1));
    let room = [(DATA + 0x2000, 512, true), (DATA + 0x3000, 1000, true), (DATA + 0x4000, 24, true)];
    assert_eq!(request(&mut d, &events, &header(0, 2), &room), (0, 1537));
    assert_eq!(d.bytes(DATA + 0x2000, 512), [0; 512]);
    assert_eq!(d.bytes(DATA + 0x3000, 1000), [0x5a; 1000]);
    assert_eq!(request(&mut d, &events, &header(4, 0), &[]), (0, 1));
    assert_eq!(request(&mut d, &events, &header(8, 0), &[(DATA, 20, true)]), (0, 21));
    assert_eq!(d.bytes(DATA, 20), b"serial number that i");
    // Dropping sectors 3 and 4.
    d.put(DATA, &[3u64.to_le_bytes(), 2u64.to_le_bytes()].concat());
    assert_eq!(request(&mut d, &events, &header(11, 0), &[(DATA, 16, false)]).0, 0);
    assert_eq!(request(&mut d, &events, &header(0, 3), &[(DATA, 512, true)]), (0, 513));
    assert_eq!(d.bytes(DATA, 512), [0; 512]);
}

#[test]
fn bad_disk_requests_fail_alone() {
    let events = events();
    let disk = image(&events, 8192);
    let mut d = Driver::new(|_| block::Block::new(disk, ""));
    let data = [(DATA, 512, true)];
    assert_eq!(request(&mut d, &events, &header(0, 16), &data), (1, 1), "past the end");
    assert_eq!(request(&mut d, &events, &header(0, u64::MAX / 512), &data), (1, 1));
    assert_eq!(request(&mut d, &events, &header(0, u64::MAX), &data), (1, 1));
    assert_eq!(request(&mut d, &events, &header(0, 0), &[(DATA, 100, true)]), (1, 1), "no sector");
    assert_eq!(request(&mut d, &events, &header(0, 0), &[(8, 512, true)]), (1, 1), "no memory");
    assert_eq!(request(&mut d, &events, &header(99, 0), &[]), (2, 1), "no such request");
    assert_eq!(request(&mut d, &events, &header(0, 0), &data), (0, 513));
}

/// An image whose requests end when the test says so.
#[derive(Default)]
struct Slow(Mutex<Vec<(Request, Done)>>);

impl Image for Slow {
    fn size(&self) -> u64 {
        8192
    }
    fn read_only(&self) -> bool {
        false
    }
    fn submit(&self, request: Request, done: Done) {
        self.0.lock().expect("not poisoned").push((request, done));
    }
}

#[test]
fn a_reset_waits_for_requests_and_forgets_them() {
    let slow = Arc::new(Slow::default());
    let disk = slow.clone();
    let mut d = Driver::new(|_| block::Block::new(disk, ""));
    d.put(FREE, &header(4, 0));
    d.send(0, 0, &[HEADER, STATUS]);
    d.set(0x70, 0);
    assert_ne!(d.get(0x70), 0, "one is under way");
    let (_, done) = slow.0.lock().expect("not poisoned").pop().expect("submitted");
    done(Ok(()));
    assert_eq!(d.get(0x70), 0);
    d.start();
    assert_eq!(d.used(0), None, "it belonged to the time before");
    assert!(!d.wire.level());
}

#[test]
fn random_bytes_fill_every_buffer() {
    let mut d = Driver::new(|_| rng::Rng::new().expect("random"));
    d.send(0, 2, &[(DATA, 32, true), (DATA + 0x100, 32, true)]);
    assert_eq!(d.used(0), Some((2, 64)));
    assert_ne!(d.bytes(DATA, 32), [0; 32]);
    assert_ne!(d.bytes(DATA + 0x100, 32), d.bytes(DATA, 32));
    assert_eq!(d.take_interrupt(), 1);
}

#[test]
fn a_console_talks_and_listens() {
    let (port, end) = memory::port();
    let mut d = Driver::new(|_| console::Console::new(port));
    d.put(DATA, b"hello");
    d.send(1, 0, &[(DATA, 2, false), (DATA + 2, 3, false)]);
    assert_eq!(end.written(), b"hello");
    assert_eq!(d.used(1), Some((0, 0)));
    end.type_in(b"keys");
    assert_eq!(d.used(0), None, "no buffer yet");
    d.send(0, 0, &[(DATA, 3, true)]);
    d.send(0, 1, &[(DATA + 8, 3, true)]);
    end.deliver();
    assert_eq!((d.used(0), d.used(0)), (Some((0, 3)), Some((1, 1))));
    assert_eq!((d.bytes(DATA, 3), d.bytes(DATA + 8, 1)), (b"key".to_vec(), b"s".to_vec()));
}

#[test]
fn a_network_card_moves_frames() {
    let wire = Arc::new(Wire::default());
    let link = wire.clone();
    let mut d = Driver::new(|_| net::Net::new([0x52, 0x54, 0, 0x12, 0x34, 0x56], link));
    assert_eq!(d.get(0x100), 0x1200_5452);
    d.put(DATA, &[0xee; 12]);
    d.put(DATA + 12, b"frame");
    d.send(1, 0, &[(DATA, 12, false), (DATA + 12, 5, false)]);
    assert_eq!(*wire.sent.lock().expect("not poisoned"), [b"frame".to_vec()]);
    assert!(!wire.deliver(b"answer"), "no buffer");
    d.send(0, 0, &[(DATA, 100, true)]);
    assert!(wire.deliver(b"answer"));
    assert_eq!(d.used(0), Some((0, 18)));
    assert_eq!(d.bytes(DATA, 18), b"\0\0\0\0\0\0\0\0\0\0\x01\0answer");
    d.send(0, 1, &[(DATA, 14, true)]);
    assert!(wire.deliver(b"answer"), "taken, and lost for want of room");
    assert_eq!(d.used(0), Some((1, 0)));
}

#[test]
fn an_empty_place_says_so() {
    let mut map = crate::bus::Bus::builder();
    map.ram("ram", 0, 0x1000);
    let ram = map.build().expect("a map").ram().clone();
    let slot = Slot::new(Line::unconnected(), ram, None);
    assert_eq!((slot.read(0, 4), slot.read(4, 4), slot.read(8, 4)), (0x7472_6976, 2, 0));
    slot.write(0x70, 4, 1);
    assert_eq!(slot.read(0x70, 4), 0);
}

#[test]
fn features_that_were_not_offered_are_refused() {
    let d = Driver::new(|_| rng::Rng::new().expect("random"));
    d.set(0x70, 0);
    d.set(0x70, 3);
    d.set(0x24, 1);
    d.set(0x20, 3);
    d.set(0x70, 11);
    assert_eq!(d.get(0x70), 3);
}
