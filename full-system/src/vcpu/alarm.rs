//! Wakes processors at points in time: their timers have nobody else.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

type Ring = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    alarms: Vec<(Option<Instant>, Ring)>,
    quit: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Alarms of a machine's processors, and the thread that rings them.
pub(super) struct Alarms {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Alarms {
    /// No alarms yet.
    pub(super) fn new() -> std::io::Result<Alarms> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread =
            std::thread::Builder::new().name("alarms".into()).spawn(move || run(&theirs))?;
        Ok(Alarms { shared, thread: Some(thread) })
    }
    /// A further alarm, by number, which calls `ring`.
    pub(super) fn add(&self, ring: Ring) -> usize {
        let mut s = self.shared.lock();
        s.alarms.push((None, ring));
        s.alarms.len() - 1
    }
    /// Has an alarm ring once at a moment, or never.
    pub(super) fn set(&self, number: usize, at: Option<Instant>) {
        let mut s = self.shared.lock();
        let next = s.alarms.iter().filter_map(|a| a.0).min();
        if let Some(a) = s.alarms.get_mut(number) {
            a.0 = at;
        }
        if at.is_some_and(|at| next.is_none_or(|next| at < next)) {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        self.shared.lock().quit = true;
        self.shared.changed.notify_one();
        if let Some(t) = self.thread.take() {
            // It ends by itself; a panic there has been printed.
            let _ = t.join();
        }
    }
}

fn run(shared: &Shared) {
    let mut s = shared.lock();
    while !s.quit {
        let now = Instant::now();
        for (at, ring) in &mut s.alarms {
            if at.is_some_and(|t| t <= now) {
                *at = None;
                ring();
            }
        }
        s = match s.alarms.iter().filter_map(|a| a.0).min() {
            Some(next) => {
                let wait = next.saturating_duration_since(Instant::now());
                let waited = shared.changed.wait_timeout(s, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => shared.changed.wait(s).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn alarms_ring_in_order_of_time() {
        let alarms = Alarms::new().expect("a thread");
        let (tell, heard) = mpsc::channel();
        for n in 0..3 {
            let tell = tell.clone();
            alarms.add(Box::new(move || tell.send(n).expect("heard")));
        }
        let now = Instant::now();
        alarms.set(0, Some(now + Duration::from_millis(60)));
        alarms.set(1, Some(now + Duration::from_millis(20)));
        alarms.set(2, Some(now + Duration::from_millis(1)));
        alarms.set(2, None);
        let got = [0; 2].map(|_| heard.recv_timeout(Duration::from_secs(20)).expect("rings"));
        assert_eq!(got, [1, 0]);
        assert!(now.elapsed() >= Duration::from_millis(60));
        assert!(heard.try_recv().is_err());
    }
}
