//! Both back ends, by the same tests.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::bus::Bus;

/// Runs a test on each back end that the kernel allows; a container may refuse io_uring, and then says so.
fn both(test: impl Fn(&EventLoop)) {
    for kind in [Kind::Uring, Kind::Epoll] {
        match EventLoop::new(Arc::new(Clock::new()), kind) {
            Ok(events) => test(&events),
            Err(error) if kind == Kind::Uring && std::env::var_os("CI").is_none() => {
                eprintln!("io_uring is not tested: {error}");
            }
            Err(error) => panic!("{kind:?}: {error}"),
        }
    }
}

fn until(events: &EventLoop, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{}: nothing comes",
            events.handle().backend()
        );
        events.turn().expect("a turn");
    }
}

#[test]
fn timers_ring_in_order_and_not_early() {
    both(|events| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let clock = events.handle().clock().clone();
        let make = |name: u32| {
            let (log, clock) = (log.clone(), clock.clone());
            events.handle().timer(Box::new(move || lock(&log).push((name, clock.now_ns()))))
        };
        let (a, b, c) = (make(1), make(2), make(3));
        let now = clock.now_ns();
        a.set(Some(now + 20_000_000));
        b.set(Some(now + 10_000_000));
        c.set(Some(now + 1_000_000));
        c.set(None);
        // A far deadline that another thread makes near while the loop sleeps.
        let handle = events.handle().clone();
        until(events, || lock(&log).len() == 2);
        let at: Vec<_> = lock(&log).clone();
        assert_eq!((at[0].0, at[1].0), (2, 1));
        assert!(at[0].1 >= now + 10_000_000 && at[1].1 >= now + 20_000_000);
        let c = Arc::new(c);
        c.set(Some(clock.now_ns() + 3_600_000_000_000));
        let near = c.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            near.set(Some(handle.clock().now_ns()));
        });
        until(events, || lock(&log).len() == 3);
        thread.join().expect("set");
    });
}

#[test]
fn a_paused_clock_holds_timers_back() {
    both(|events| {
        let rung = Arc::new(AtomicUsize::new(0));
        let count = rung.clone();
        let timer = events.handle().timer(Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let clock = events.handle().clock().clone();
        clock.pause();
        timer.set(Some(clock.now_ns()));
        let handle = events.handle().clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            handle.wake();
        });
        events.turn().expect("a turn");
        thread.join().expect("woken");
        assert_eq!(rung.load(Ordering::SeqCst), 0);
        clock.resume();
        until(events, || rung.load(Ordering::SeqCst) == 1);
    });
}

#[test]
fn descriptors_are_reported_while_armed() {
    both(|events| {
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        let got = Arc::new(Mutex::new(Vec::<u8>::new()));
        let bytes = got.clone();
        let fd = reader.try_clone().expect("a copy");
        let watch = events.handle().watch(fd, Interest::Read, move || {
            let mut byte = [0];
            let n = reader.read(&mut byte).expect("readable");
            lock(&bytes).extend(&byte[..n]);
            if byte == *b"!" || n == 0 { Next::Wait } else { Next::Again }
        });
        let watch = watch.expect("watched");
        writer.write_all(b"ab!c").expect("written");
        watch.arm();
        until(events, || lock(&got).len() == 3);
        events.handle().post(|| {});
        events.turn().expect("a turn");
        assert_eq!(*lock(&got), b"ab!", "not armed any more");
        watch.arm();
        until(events, || lock(&got).len() == 4);
        drop(watch);
        let (_, end) = std::io::pipe().expect("a pipe");
        let closed = Arc::new(AtomicUsize::new(0));
        let count = closed.clone();
        let watch = events.handle().watch(&end, Interest::Write, move || {
            count.fetch_add(1, Ordering::SeqCst);
            Next::Wait
        });
        watch.as_ref().expect("watched").arm();
        until(events, || closed.load(Ordering::SeqCst) == 1);
    });
}

#[test]
fn disk_requests_move_guest_memory() {
    both(|events| {
        let mut map = Bus::builder();
        map.ram("ram", 0x1000, 0x4000);
        let bus = map.build().expect("a map");
        let mut file = tempfile();
        bus.ram().write_slice(&[7; 0x1000], GuestAddress(0x1000)).expect("ram");
        bus.ram().write_slice(&[8; 0x1000], GuestAddress(0x2000)).expect("ram");
        let image = Arc::new(file.try_clone().expect("a copy"));
        let buffers =
            |list: &[(u64, usize)]| Buffers::new(bus.ram(), list.to_vec()).expect("in memory");
        let run = |what: What, offset: u64| {
            let result = Arc::new(Mutex::new(None));
            let slot = result.clone();
            let disk = Disk { file: image.clone(), what, offset };
            events.handle().disk(disk, Box::new(move |r| *lock(&slot) = Some(r)));
            until(events, || lock(&result).is_some());
            lock(&result).take().expect("done")
        };
        let written = run(What::Write(buffers(&[(0x1800, 0x10), (0x2000, 0x20)])), 0x100);
        assert_eq!(written.expect("written"), 0x30);
        assert_eq!(run(What::Flush, 0).expect("flushed"), 0);
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0x100)).expect("seek");
        file.read_to_end(&mut text).expect("read");
        assert_eq!(text, [[7; 0x10].as_slice(), &[8; 0x20]].concat());
        let reported = Arc::new(Mutex::new(Vec::new()));
        let pages = reported.clone();
        bus.set_code_hook(Box::new(move |r| lock(&pages).push(r.start)));
        bus.watch_code(0x3000);
        let short = run(What::Read(buffers(&[(0x3ff0, 0x10), (0x3000, 0x100)])), 0x108);
        assert_eq!(short.expect("read"), 0x28, "the file ends");
        assert_eq!(bus.read(0x3ff0, 8), Ok(0x0707_0707_0707_0707));
        assert_eq!(bus.read(0x3000, 8), Ok(0x0808_0808_0808_0808));
        assert_eq!(*lock(&reported), [0x3000]);
        let closed = run(What::Read(buffers(&[(0x1000, 1)])), u64::MAX >> 1);
        assert!(closed.is_err() || closed.is_ok_and(|n| n == 0));
        assert!(Buffers::new(bus.ram(), vec![(0x4ff0, 0x20)]).is_none());
    });
}

#[test]
fn many_requests_from_many_threads_all_come_back() {
    both(|events| {
        let mut map = Bus::builder();
        map.ram("ram", 0, 0x10_0000);
        let bus = map.build().expect("a map");
        let image = Arc::new(tempfile());
        image.set_len(1 << 20).expect("a file");
        let count = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4u64)
            .map(|t| {
                let (handle, ram) = (events.handle().clone(), bus.ram().clone());
                let (image, count) = (image.clone(), count.clone());
                std::thread::spawn(move || {
                    for n in 0..500 {
                        let at = (t * 500 + n) * 512;
                        let what = What::Read(Buffers::new(&ram, vec![(at, 512)]).expect("ram"));
                        let count = count.clone();
                        let disk = Disk { file: image.clone(), what, offset: at };
                        handle.disk(
                            disk,
                            Box::new(move |r| {
                                assert_eq!(r.expect("read"), 512);
                                count.fetch_add(1, Ordering::SeqCst);
                            }),
                        );
                    }
                })
            })
            .collect();
        until(events, || count.load(Ordering::SeqCst) == 2000);
        threads.into_iter().for_each(|t| t.join().expect("no panic"));
    });
}

#[test]
fn quitting_from_another_thread_ends_the_run() {
    both(|events| {
        let handle = events.handle().clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            handle.post(|| {});
            handle.quit(7);
            handle.quit(8);
        });
        assert_eq!(events.run().expect("a run"), 7);
        thread.join().expect("asked");
    });
}

fn tempfile() -> File {
    let path = std::env::temp_dir().join(format!(
        "remu-loop-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    std::fs::remove_file(&path).expect("removed");
    file.expect("a file")
}
