//! Timers on the machine's clock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Handle;

type Callback = Arc<dyn Fn() + Send + Sync>;

/// Every timer, and those that are set in the order they ring.
#[derive(Default)]
pub(super) struct Timers {
    set: BTreeSet<(u64, u64)>,
    all: HashMap<u64, (Callback, Option<u64>)>,
}

impl Timers {
    pub(super) fn add(&mut self, id: u64, callback: Callback) {
        self.all.insert(id, (callback, None));
    }

    /// Sets or clears a timer; true if it became the first to ring.
    pub(super) fn set(&mut self, id: u64, deadline: Option<u64>) -> bool {
        let Some((_, at)) = self.all.get_mut(&id) else { return false };
        let before = std::mem::replace(at, deadline);
        if before == deadline {
            return false;
        }
        if let Some(old) = before {
            self.set.remove(&(old, id));
        }
        let Some(new) = deadline else { return false };
        self.set.insert((new, id));
        self.set.first() == Some(&(new, id))
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.set(id, None);
        self.all.remove(&id);
    }

    /// When the first one rings.
    pub(super) fn next(&self) -> Option<u64> {
        self.set.first().map(|&(at, _)| at)
    }

    /// The callback of the first one that rings at `now` or before; it is clear from then on.
    pub(super) fn pop(&mut self, now: u64) -> Option<Callback> {
        let &(at, id) = self.set.first()?;
        if at > now {
            return None;
        }
        self.set(id, None);
        self.all.get(&id).map(|(callback, _)| callback.clone())
    }
}

/// A timer, which is gone when this is dropped.
pub struct Timer {
    handle: Handle,
    id: u64,
}

impl Timer {
    pub(super) fn new(handle: Handle, id: u64) -> Timer {
        Timer { handle, id }
    }

    /// Has the timer ring once when the machine's clock shows `deadline` nanoseconds, or never.
    pub fn set(&self, deadline: Option<u64>) {
        self.handle.set_timer(self.id, deadline);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.handle.remove_timer(self.id);
    }
}
