//! Dispatch, splitting of accesses, errors, and the report of writes to code.

use std::sync::Mutex;

use super::*;

/// Remembers writes and answers with the offset.
#[derive(Default)]
struct Probe(Mutex<Vec<(u64, u8, u64)>>);

impl Mmio for Probe {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        0xffff_ff00_0000_0000 | offset
    }
    fn write(&self, offset: u64, size: u8, value: u64) {
        self.0.lock().expect("not poisoned").push((offset, size, value));
    }
}

fn bus() -> (Bus, Arc<Probe>) {
    let probe = Arc::new(Probe::default());
    let mut b = Bus::builder();
    b.ram("ram", 0x8000_0000, 0x10000);
    b.rom("rom", 0x1000, 0x1000);
    b.device("probe", 0x2000, 0x10, probe.clone());
    (b.build().expect("no overlap"), probe)
}

#[test]
fn reads_and_writes_reach_what_is_there() {
    let (bus, probe) = bus();
    bus.write(0x8000_0ff9, 8, 0x1122_3344_5566_7788).expect("ram");
    assert_eq!(bus.read(0x8000_0ff9, 4), Ok(0x5566_7788));
    assert_eq!(bus.read(0x8000_1000, 1), Ok(0x11));
    let page = bus.ram_page(0x8000_1234).expect("ram");
    assert!(page.writable);
    assert_eq!(page.host as usize, bus.ram_page(0x8000_0000).expect("ram").host as usize + 0x1000);
    bus.write(0x1000, 4, 1).expect("dropped");
    assert_eq!(bus.read(0x1000, 4), Ok(0));
    assert!(!bus.ram_page(0x1000).expect("rom").writable);
    assert!(bus.ram_page(0x2000).is_none());
    assert_eq!(bus.read(0x2008, 8), Ok(0xc_0000_0008), "two accesses, each cut to its size");
    bus.write(0x2004, 8, 0x1_0000_0002).expect("device");
    assert_eq!(*probe.0.lock().expect("not poisoned"), [(4, 4, 2), (8, 4, 1)]);
}

#[test]
fn bad_accesses_are_errors() {
    let (bus, _) = bus();
    assert_eq!(bus.read(0, 4), Err(BusError::Unmapped(0)));
    assert_eq!(bus.read(0x2010, 1), Err(BusError::Unmapped(0x2010)));
    assert_eq!(bus.read(0x200c, 8), Err(BusError::Size(0x200c, 8)));
    assert_eq!(bus.write(0x8000_0000, 3, 0), Err(BusError::Size(0x8000_0000, 3)));
    assert_eq!(bus.read(u64::MAX, 8), Err(BusError::Unmapped(u64::MAX)));
}

#[test]
fn overlaps_and_shapes_are_refused() {
    let mut b = Bus::builder();
    b.ram("a", 0x1000, 0x2000);
    b.rom("b", 0x2000, 0x1000);
    assert!(
        matches!(b.build(), Err(MapError::Overlap { first, second }) if first == "a" && second == "b")
    );
    let mut b = Bus::builder();
    b.ram("odd", 0x1000, 0x1001);
    assert!(matches!(b.build(), Err(MapError::Shape(_))));
    let mut b = Bus::builder();
    b.device("far", u64::MAX - 1, 16, Arc::new(Probe::default()));
    assert!(matches!(b.build(), Err(MapError::Shape(_))));
}

#[test]
fn writes_to_watched_pages_are_reported_once() {
    let (bus, _) = bus();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    bus.set_code_hook(Box::new(move |r| log.lock().expect("not poisoned").push(r)));
    bus.watch_code(0x8000_1010);
    bus.watch_code(0x8000_2000);
    bus.write(0x8000_0000, 8, 0).expect("ram");
    bus.ram().write_slice(&[0; 0x1800], GuestAddress(0x8000_0900)).expect("ram");
    bus.write(0x8000_1000, 8, 0).expect("ram");
    bus.watch_code(0x8000_1000);
    Bus::written(bus.ram(), 0x8000_1ffc, 8);
    let pages: Vec<u64> = seen.lock().expect("not poisoned").iter().map(|r| r.start).collect();
    assert_eq!(pages, [0x8000_1000, 0x8000_2000, 0x8000_1000]);
}

#[test]
fn the_tree_names_every_range() {
    let (bus, _) = bus();
    let tree = bus.tree();
    assert!(tree.contains("0000000000002000-000000000000200f (prio 0, i/o): probe"), "{tree}");
    assert_eq!(tree.lines().count(), 4);
}
