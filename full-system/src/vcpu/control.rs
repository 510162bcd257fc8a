//! What others want of a processor's thread, and how they wait for it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use remu_engine::Remote;

use super::Thread;

/// Bit of the exit-request word that says: look here, and at the interrupt lines.
const KICK: u32 = 1;

/// What a paused processor's thread is told to do.
pub(super) type Order = Box<dyn FnOnce(&mut Thread) + Send>;

/// What the thread does next.
pub(super) enum Next {
    /// Runs guest code.
    Run,
    /// Carries out an order and comes back.
    Obey(Order),
    /// Ends.
    Quit,
}

#[derive(Default)]
struct State {
    wanted: bool,
    quit: bool,
    order: Option<Order>,
    /// The processor does not run guest code until somebody starts it.
    off: bool,
    /// Where it has been started, and with what argument.
    start: Option<(u64, u64)>,
    /// The order has been carried out.
    done: bool,
    /// What to stop after, for a debugger.
    step: Option<Range<u64>>,
    /// The thread waits here, or has ended.
    stands: bool,
}

/// Shared by a processor's thread and everybody else.
pub(super) struct Control {
    remote: Remote,
    state: Mutex<State>,
    changed: Condvar,
    /// The thread sleeps, or is about to.
    sleeping: AtomicBool,
}

impl Control {
    /// Of a processor that is off, or not.
    pub(super) fn new(remote: Remote, off: bool) -> Control {
        let state = Mutex::new(State { off, ..State::default() });
        let changed = Condvar::new();
        Control { remote, state, changed, sleeping: AtomicBool::new(false) }
    }
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn wait<'a>(&self, s: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(s).unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the processor look at its interrupt lines and orders soon.
    pub(super) fn kick(&self) {
        self.remote.request(KICK);
        if self.sleeping.load(Ordering::SeqCst) {
            // With the lock: the sleeper has either seen the request or waits by now.
            drop(self.lock());
            self.changed.notify_all();
        }
    }
    /// Lets the processor run.
    pub(super) fn resume(&self) {
        self.lock().wanted = true;
        self.changed.notify_all();
    }
    /// Stops the processor and waits until it stands.
    pub(super) fn pause(&self) {
        let mut s = self.lock();
        s.wanted = false;
        self.remote.request(KICK);
        self.changed.notify_all();
        while !s.stands {
            s = self.wait(s);
        }
    }
    /// Has a paused processor's thread do something, and waits for it. One caller at a time.
    pub(super) fn order(&self, order: Order) {
        let mut s = self.lock();
        if s.quit {
            return;
        }
        s.done = false;
        s.order = Some(order);
        self.changed.notify_all();
        while !s.done {
            s = self.wait(s);
        }
    }
    /// Has it stop after its next instruction, once it is outside of a range; or run.
    pub(super) fn set_step(&self, step: Option<Range<u64>>) {
        self.lock().step = step;
    }
    /// For the thread: the range that it stops outside of, after an instruction.
    pub(super) fn step(&self) -> Option<Range<u64>> {
        self.lock().step.clone()
    }
    /// For the thread: stops by itself.
    pub(super) fn halt(&self) {
        self.lock().wanted = false;
    }
    /// Starts a processor that is off; whether it was.
    pub(super) fn start(&self, entry: u64, argument: u64) -> bool {
        let mut s = self.lock();
        if !s.off {
            return false;
        }
        s.off = false;
        s.start = Some((entry, argument));
        drop(s);
        self.kick();
        true
    }
    /// Whether it is off.
    pub(super) fn is_off(&self) -> bool {
        self.lock().off
    }
    /// For the thread: whether the processor is off from now on.
    pub(super) fn set_off(&self, off: bool) {
        let mut s = self.lock();
        s.off = off;
        s.start = None;
    }
    /// For the thread: where it has been started.
    pub(super) fn take_start(&self) -> Option<(u64, u64)> {
        self.lock().start.take()
    }
    /// Ends the thread.
    pub(super) fn quit(&self) {
        self.lock().quit = true;
        self.remote.request(KICK);
        self.changed.notify_all();
    }

    /// For the thread: what to do now; waits while that is nothing.
    pub(super) fn next(&self) -> Next {
        self.remote.take(KICK);
        let mut s = self.lock();
        loop {
            if s.quit {
                s.stands = true;
                self.changed.notify_all();
                return Next::Quit;
            }
            if s.wanted {
                s.stands = false;
                return Next::Run;
            }
            if !s.stands {
                s.stands = true;
                self.changed.notify_all();
            }
            if let Some(order) = s.order.take() {
                return Next::Obey(order);
            }
            s = self.wait(s);
        }
    }
    /// For the thread: an order has been carried out.
    pub(super) fn done(&self) {
        self.lock().done = true;
        self.changed.notify_all();
    }
    /// For the thread: sleeps until it is kicked or a moment comes.
    pub(super) fn sleep(&self, until: Option<Instant>) {
        let s = self.lock();
        self.sleeping.store(true, Ordering::SeqCst);
        if self.remote.requested() & KICK == 0 && s.wanted && !s.quit {
            match until.map(|t| t.saturating_duration_since(Instant::now())) {
                Some(time) => drop(self.changed.wait_timeout(s, time)),
                None => drop(self.changed.wait(s)),
            }
        }
        self.sleeping.store(false, Ordering::SeqCst);
    }
    /// For the thread: whether somebody has kicked since [`Control::next`].
    pub(super) fn is_kicked(&self) -> bool {
        self.remote.requested() & KICK != 0
    }
    /// For the thread, as its last act, however it ends: nobody waits for it any more.
    pub(super) fn gone(&self) {
        let mut s = self.lock();
        s.quit = true;
        s.stands = true;
        s.done = true;
        self.changed.notify_all();
    }
}
