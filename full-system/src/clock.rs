//! The machine's time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the machine started, which stand still while it is paused.
#[derive(Debug)]
pub struct Clock(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Time passed before `running` began.
    passed: Duration,
    /// Since when it runs; `None` while paused.
    running: Option<Instant>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

impl Clock {
    /// A clock that starts now.
    pub fn new() -> Clock {
        Clock(Mutex::new(State { passed: Duration::ZERO, running: Some(Instant::now()) }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the start, pauses left out.
    pub fn now_ns(&self) -> u64 {
        let s = self.state();
        let passed = s.passed + s.running.map_or(Duration::ZERO, |since| since.elapsed());
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment on the host at which the clock will show `ns`; `None` while paused.
    pub fn host_time(&self, ns: u64) -> Option<Instant> {
        let s = self.state();
        let since = s.running?;
        let left = Duration::from_nanos(ns).saturating_sub(s.passed);
        // A moment too far away to write down is never reached either.
        Some(since.checked_add(left).unwrap_or_else(|| since + Duration::from_secs(1 << 32)))
    }

    /// Stops the clock.
    pub fn pause(&self) {
        let mut s = self.state();
        if let Some(since) = s.running.take() {
            s.passed += since.elapsed();
        }
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.state().running.get_or_insert_with(Instant::now);
    }
}

/// Nanoseconds since 1970 on the host.
pub fn since_epoch_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_still_while_paused() {
        let clock = Clock::new();
        clock.pause();
        let at = clock.now_ns();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.now_ns(), at);
        assert_eq!(clock.host_time(at + 1), None);
        clock.resume();
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.now_ns() >= at + 5_000_000);
        assert!(clock.host_time(at + 5_000_000).is_some_and(|t| t <= Instant::now()));
        assert!(clock.host_time(u64::MAX).is_some());
    }
}
