//! What processors tell each other to forget.
//!
//! A processor is inside while it may run guest code or walk page tables, and reads its mail on the
//! way in. So whoever waits until a processor is outside, or has no mail, knows that nothing it does
//! from then on uses what it was told to forget.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use remu_engine::Remote;
use remu_isa::Flush;

/// Bit of the exit-request word that says: there is mail.
const MAIL: u32 = 2;
/// So much is kept apart; more is everything.
const MOST: usize = 16;

/// The mail of one processor.
pub(super) struct Mail {
    remote: Remote,
    letters: Mutex<Vec<Flush>>,
    waiting: AtomicBool,
    inside: AtomicBool,
}

impl Mail {
    pub(super) fn new(remote: Remote) -> Mail {
        let (waiting, inside) = (AtomicBool::new(false), AtomicBool::new(false));
        Mail { remote, letters: Mutex::default(), waiting, inside }
    }
    fn letters(&self) -> MutexGuard<'_, Vec<Flush>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the processor to forget something before it goes inside again, and to come outside.
    pub(super) fn post(&self, flush: Flush) {
        let mut letters = self.letters();
        if letters.len() >= MOST {
            letters.clear();
            letters.push(Flush::All);
        }
        letters.push(flush);
        drop(letters);
        self.waiting.store(true, Ordering::SeqCst);
        // The request may be one for nothing; it must not be missing.
        if self.inside.load(Ordering::SeqCst) {
            self.remote.request(MAIL);
        }
    }
    /// Waits until the processor has come outside since the last [`Mail::post`].
    pub(super) fn settle(&self) {
        let settled =
            || !self.waiting.load(Ordering::SeqCst) || !self.inside.load(Ordering::SeqCst);
        let mut tries = 0_u32;
        while !settled() {
            tries += 1;
            if tries < 100 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }

    /// For the processor's thread: goes inside. What it has to forget before.
    pub(super) fn enter(&self) -> Vec<Flush> {
        self.inside.store(true, Ordering::SeqCst);
        // Before the look at the mail: a request that comes later is seen inside.
        if self.remote.requested() & MAIL != 0 {
            self.remote.take(MAIL);
        }
        if !self.waiting.load(Ordering::SeqCst) {
            return Vec::new();
        }
        let mut letters = self.letters();
        self.waiting.store(false, Ordering::SeqCst);
        std::mem::take(&mut letters)
    }
    /// For the processor's thread: comes outside.
    pub(super) fn leave(&self) {
        self.inside.store(false, Ordering::SeqCst);
    }
}
