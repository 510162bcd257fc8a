//! Images through the event loop, against a model in memory.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Kind};

const SIZE: usize = 300 * 1024;
const RAM: u64 = 0x10_0000;

struct Bench {
    events: EventLoop,
    bus: Bus,
    path: PathBuf,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let events = EventLoop::new(Arc::new(Clock::new()), Kind::Auto).expect("a loop");
        let mut map = Bus::builder();
        map.ram("ram", RAM, 0x10_0000);
        let path = std::env::temp_dir().join(format!("remu-block-{}-{name}", std::process::id()));
        fs::write(&path, contents()).expect("an image");
        Bench { events, bus: map.build().expect("a map"), path }
    }

    fn run(&self, image: &dyn Image, request: Request) -> io::Result<()> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        image.submit(request, Box::new(move |r| *slot.lock().expect("not poisoned") = Some(r)));
        loop {
            if let Some(result) = result.lock().expect("not poisoned").take() {
                return result;
            }
            self.events.turn().expect("a turn");
        }
    }

    fn buffers(&self, parts: &[usize]) -> Buffers {
        let mut at = RAM;
        let ranges = parts.iter().map(|&len| {
            at += len as u64 + 16;
            (at - len as u64, len)
        });
        Buffers::new(self.bus.ram(), ranges.collect()).expect("in memory")
    }

    fn read(&self, image: &dyn Image, offset: u64, parts: &[usize]) -> Vec<u8> {
        let buffers = self.buffers(parts);
        let ranges = buffers.ranges().to_vec();
        self.run(image, Request::Read { offset, buffers }).expect("read");
        ranges.iter().flat_map(|&(at, len)| self.bytes(at, len)).collect()
    }

    fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        (at..at + len as u64).map(|a| self.bus.read(a, 1).expect("ram") as u8).collect()
    }

    fn write(&self, image: &dyn Image, offset: u64, parts: &[usize], byte: u8) {
        let buffers = self.buffers(parts);
        for &(at, len) in buffers.ranges() {
            (at..at + len as u64).for_each(|a| self.bus.write(a, 1, byte.into()).expect("ram"));
        }
        self.run(image, Request::Write { offset, buffers }).expect("written");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn contents() -> Vec<u8> {
    (0..SIZE).map(|i| (i / 512) as u8 ^ (i % 251) as u8).collect()
}

/// Writes, reads and discards on an image and on its model.
fn exercise(bench: &Bench, image: &dyn Image) -> Vec<u8> {
    let mut model = contents();
    assert_eq!(image.size(), SIZE as u64);
    for (n, offset) in [512, 65_024, 131_072, 200 * 1024, 0].into_iter().enumerate() {
        let parts = [512, 1024, 70_144];
        let len: usize = parts.iter().sum();
        bench.write(image, offset as u64, &parts, n as u8 + 1);
        model[offset..offset + len].fill(n as u8 + 1);
        assert!(bench.read(image, 0, &[1000, SIZE - 1000]) == model, "after write {n}");
    }
    bench.run(image, Request::Discard { offset: 60 * 1024, len: 20 * 1024 }).expect("discarded");
    model[60 * 1024..80 * 1024].fill(0);
    bench.run(image, Request::Flush).expect("flushed");
    assert!(bench.read(image, 0, &[SIZE]) == model);
    model
}

#[test]
fn raw_images_keep_what_is_written() {
    let bench = Bench::new("raw");
    let image = open(&bench.path, Options::default(), bench.events.handle()).expect("opened");
    let model = exercise(&bench, &*image);
    assert!(fs::read(&bench.path).expect("the file") == model);
    // Someone cuts the file: the rest reads as zeros.
    let file = fs::OpenOptions::new().write(true).open(&bench.path).expect("the file");
    file.set_len(1000).expect("cut");
    let tail = bench.read(&*image, 512, &[1024]);
    assert!(tail[..488] == model[512..1000] && tail[488..].iter().all(|&b| b == 0));
}

#[test]
fn snapshots_leave_the_file_alone() {
    let bench = Bench::new("snapshot");
    let options = Options { snapshot: true, ..Options::default() };
    let image = open(&bench.path, options, bench.events.handle()).expect("opened");
    exercise(&bench, &*image);
    assert!(fs::read(&bench.path).expect("the file") == contents());
}

#[test]
fn mistakes_name_the_file() {
    let bench = Bench::new("mistakes");
    let say = |path: &str| match open(Path::new(path), Options::default(), bench.events.handle()) {
        Ok(_) => panic!("{path} opened"),
        Err(text) => text,
    };
    assert!(say("/no/such").starts_with("cannot open the image '/no/such': No such file"));
    assert!(say("/tmp").contains("directory"));
    let options = Options { read_only: true, ..Options::default() };
    let image = open(&bench.path, options, bench.events.handle()).expect("opened");
    assert!(image.read_only());
    let buffers = bench.buffers(&[512]);
    assert!(bench.run(&*image, Request::Write { offset: 0, buffers }).is_err());
}
