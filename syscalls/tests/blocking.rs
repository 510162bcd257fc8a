//! Calls that sleep and the signals that end them. One test: the pending flag is shared.

mod common;

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use common::{Guest, Mock, PENDING, gettid, install_signal, send_signal};
use remu_syscalls::{Errno, MaskEnd, Outcome, abi};

/// Makes one call on a new thread; when it sleeps, sends it a signal.
fn interrupt(name: &'static str, args: Vec<u64>) -> (Outcome, Mock) {
    PENDING.store(0, Ordering::SeqCst);
    let (tell, tid) = mpsc::channel();
    let caller = std::thread::spawn(move || {
        tell.send(gettid()).expect("test waits");
        let mut mock = Mock::default();
        let outcome = mock.call(abi("riscv64").expect("known"), name, &args);
        (outcome, mock)
    });
    let tid = tid.recv().expect("thread starts");
    let asleep = |tid: i32| {
        let stat =
            std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
    };
    for _ in 0..2000 {
        if asleep(tid) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    send_signal(tid);
    caller.join().expect("caller ends")
}

#[test]
fn signals_end_sleeping_calls_as_the_kernel_would() {
    let guest = Guest::new(0x10_5000_0000, 1);
    let riscv = abi("riscv64").expect("known");
    let mut mock = Mock::default();
    mock.ok(riscv, "pipe2", &[guest.base, 0]);
    let read_end = u64::from(guest.u32(0));
    let read = vec![read_end, guest.base + 64, 16];
    let eintr = Outcome::Return(Errno::EINTR.to_raw());

    // Without SA_RESTART the kernel reports EINTR; with it, it puts the program counter back on the
    // trap, and the call must be given up there.
    install_signal(false);
    assert_eq!(interrupt("read", read.clone()).0, eintr);
    install_signal(true);
    assert_eq!(interrupt("read", read.clone()).0, Outcome::Restart);
    // poll is never restarted after a handler (signal(7)).
    guest.put(128, &u32::to_le_bytes(read_end as u32));
    guest.put(132, &[1, 0, 0, 0]);
    assert_eq!(interrupt("ppoll", vec![guest.base + 128, 1, 0, 0, 0]).0, eintr);

    // A temporary mask stays in force for the delivery.
    let mask = guest.put(256, &0x800u64.to_le_bytes());
    let (outcome, mock) = interrupt("ppoll", vec![guest.base + 128, 1, 0, mask, 8]);
    assert_eq!((outcome, mock.masks), (eintr, vec![(0x800, Some(MaskEnd::Interrupted))]));
    let (outcome, mock) = interrupt("rt_sigsuspend", vec![mask, 8]);
    assert_eq!((outcome, mock.masks), (eintr, vec![(0x800, Some(MaskEnd::Interrupted))]));

    // A signal that was noticed before the call: the call does not start.
    PENDING.store(1, Ordering::SeqCst);
    let mut mock = Mock::default();
    assert_eq!(mock.call(riscv, "read", &read), Outcome::Restart);
    assert_eq!(mock.call(riscv, "ppoll", &[guest.base + 128, 1, 0, mask, 8]), eintr);
    PENDING.store(0, Ordering::SeqCst);

    // A finished wait gives the old mask back at once.
    let zero = guest.put(320, &[0; 16]);
    assert_eq!(mock.ok(riscv, "ppoll", &[guest.base + 128, 1, zero, mask, 8]), 0);
    assert_eq!(mock.masks.last(), Some(&(0x800, Some(MaskEnd::Done))));
}
