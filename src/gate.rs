//! The runner's allocator, and a gate that a clone(2) closes before it.
//!
//! fork(3) takes the locks of the C library's allocator, so that the child finds them free. A clone
//! with other flags copies them as they are, and one that another thread holds at that moment stays
//! held in the child. So such a clone waits until no thread is inside the allocator, or on its way
//! into or out of the C library's care as a thread, and keeps them out meanwhile.
//!
//! A process of one thread pays a load for this. Others count themselves in and out, on one of
//! several words so that they do not meet.
//!
//! **Invariant**: a thread does not wait for anything but the allocator while it is counted.
#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::signal::host;
use crate::task;

/// The C library's allocator behind the gate.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The process has, or had, more than one thread.
static MANY: AtomicBool = AtomicBool::new(false);
/// 1 while the gate is closed.
static CLOSED: AtomicU32 = AtomicU32::new(0);

/// How many of the threads that share it are inside. A cache line of its own.
#[repr(align(64))]
struct Count(AtomicU32);
const COUNTS: usize = 64;
static INSIDE: [Count; COUNTS] = [const { Count(AtomicU32::new(0)) }; COUNTS];

/// Threads that the C library is taking apart, by number; 0 and those that are gone are free places.
static ENDING: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

/// A thread that is still inside after so long is not waited for: it was killed there as the child of
/// a vfork, or a tracer keeps what is left of it.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// The thread passes without being counted: it is counted already, as one that begins is by who
    /// made it, has closed the gate, or ends.
    static PASSES: Cell<bool> = const { Cell::new(true) };
}

/// Being inside.
struct Inside(Option<&'static AtomicU32>);

/// Goes inside, when the gate is open.
#[inline]
fn inside() -> Inside {
    if MANY.load(Ordering::Relaxed) && !PASSES.get() { counted() } else { Inside(None) }
}

fn counted() -> Inside {
    // Threads differ in the pages of their storage.
    let at = PASSES.with(|p| std::ptr::from_ref(p) as u64 >> 12);
    let count = &INSIDE[(at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % COUNTS].0;
    PASSES.set(true);
    loop {
        // Against `close`, which first closes and then looks at the counts.
        count.fetch_add(1, Ordering::SeqCst);
        if CLOSED.load(Ordering::SeqCst) == 0 {
            return Inside(Some(count));
        }
        count.fetch_sub(1, Ordering::SeqCst);
        wait_until_open();
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Release);
            PASSES.set(false);
        }
    }
}

fn wait_until_open() {
    // A thread that ended had this one's number.
    forget_ended();
    while CLOSED.load(Ordering::Acquire) != 0 {
        task::futex_wait(&CLOSED, 1);
    }
}

/// The gate is closed until this is dropped.
pub(crate) struct Closed(());

/// Closes the gate and waits for those inside. Not to be called by one of them.
pub(crate) fn close() -> Closed {
    while CLOSED.compare_exchange(0, 1, Ordering::SeqCst, Ordering::Relaxed).is_err() {
        wait_until_open();
    }
    PASSES.set(true);
    let start = Instant::now();
    let wait_while = |busy: &dyn Fn() -> bool| {
        while busy() && start.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    };
    for count in &INSIDE {
        wait_while(&|| count.0.load(Ordering::SeqCst) != 0);
    }
    for ending in &ENDING {
        wait_while(&|| task::thread_exists(ending.load(Ordering::SeqCst)));
    }
    Closed(())
}

impl Drop for Closed {
    fn drop(&mut self) {
        PASSES.set(false);
        CLOSED.store(0, Ordering::SeqCst);
        task::futex_wake_all(&CLOSED);
    }
}

/// In a forked child, whose only thread is the calling one: nobody is inside.
pub(crate) fn in_child() {
    MANY.store(false, Ordering::Relaxed);
    INSIDE.iter().for_each(|c| c.0.store(0, Ordering::Relaxed));
    ENDING.iter().for_each(|e| e.store(0, Ordering::Relaxed));
    CLOSED.store(0, Ordering::Release);
}

/// Starts a thread such that a clone finds the C library done with its beginning, or its end.
pub(crate) fn spawn(stack: usize, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    MANY.store(true, Ordering::SeqCst);
    PASSES.set(false);
    let own = counted();
    // The new thread is counted beside this one until it is here.
    let new = own.0.inspect(|count| _ = count.fetch_add(1, Ordering::SeqCst));
    let new = Inside(new);
    let run = move || {
        drop(new);
        forget_ended();
        body();
        end();
    };
    std::thread::Builder::new().stack_size(stack).spawn(run).map(drop)
}

/// Takes back what an ended thread of the calling one's number has said.
fn forget_ended() {
    let own = host::tid();
    for ending in &ENDING {
        let _ = ending.compare_exchange(own, 0, Ordering::SeqCst, Ordering::Relaxed);
    }
}

/// The last that a thread does before the C library frees what it has of it.
fn end() {
    let inside = inside();
    let own = host::tid();
    let take = |place: &AtomicI32| {
        let old = place.load(Ordering::SeqCst);
        !task::thread_exists(old)
            && place.compare_exchange(old, own, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    };
    while !ENDING.iter().any(take) {
        std::thread::yield_now();
    }
    // From here on its number stands for it.
    drop(inside);
    PASSES.set(true);
}

// SAFETY: the C library's allocator, called as this one is.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _inside = inside();
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let _inside = inside();
        // SAFETY: as this function's.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _inside = inside();
        // SAFETY: as this function's.
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        let _inside = inside();
        // SAFETY: as this function's.
        unsafe { System.dealloc(old, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Threads that allocate, and threads that begin and end, meet a gate that opens and closes.
    #[test]
    fn nobody_is_inside_while_it_is_closed() {
        let within = Arc::new(AtomicU32::new(0));
        let running = Arc::new(AtomicU32::new(0));
        let done = Arc::new(AtomicBool::new(false));
        for _ in 0..3 {
            let (within, running, done) = (within.clone(), running.clone(), done.clone());
            running.fetch_add(1, Ordering::SeqCst);
            let work = move || {
                let mut kept = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let inside = inside();
                    within.fetch_add(1, Ordering::SeqCst);
                    kept.push(vec![0u8; 100 + kept.len()]);
                    within.fetch_sub(1, Ordering::SeqCst);
                    drop(inside);
                    kept.truncate(50);
                }
                running.fetch_sub(1, Ordering::SeqCst);
            };
            spawn(1 << 18, work).unwrap();
        }
        let ended = Arc::new(AtomicU32::new(0));
        for n in 0..400 {
            let ended = ended.clone();
            spawn(1 << 18, move || _ = ended.fetch_add(1, Ordering::SeqCst)).unwrap();
            let closed = close();
            for _ in 0..50 {
                assert_eq!(within.load(Ordering::SeqCst), 0, "round {n}");
                let gone = |e: &AtomicI32| !task::thread_exists(e.load(Ordering::SeqCst));
                assert!(ENDING.iter().all(gone), "round {n}");
            }
            drop(closed);
            drop(vec![0u8; 100]);
        }
        done.store(true, Ordering::SeqCst);
        let start = Instant::now();
        let left = || running.load(Ordering::SeqCst) + 400 - ended.load(Ordering::SeqCst);
        while left() != 0 {
            assert!(start.elapsed() < Duration::from_secs(20), "threads wait at an open gate");
            std::thread::yield_now();
        }
    }
}
