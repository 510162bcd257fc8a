//! Several devices on one character device: keys after Ctrl-A switch between them and control the emulator.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::{Backend, Port, Receiver};
use crate::event_loop::Handle;

/// Ctrl-A.
const ESCAPE: u8 = 0x01;

/// What keys after Ctrl-A do beyond the character device.
pub trait Controls: Send + Sync {
    /// Ends the emulator.
    fn quit(&self);
}

/// The multiplexer.
pub struct Mux {
    backend: Arc<dyn Backend>,
    controls: Arc<dyn Controls>,
    events: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    receivers: Vec<OnceLock<Weak<dyn Receiver>>>,
    focus: usize,
    escaped: bool,
    /// Keys that the focused device had no room for.
    waiting: Vec<u8>,
}

/// One device's place at the multiplexer.
struct Seat {
    mux: Arc<Mux>,
    number: usize,
}

impl Mux {
    /// A multiplexer on `backend`.
    pub fn new(
        backend: Arc<dyn Backend>,
        controls: Arc<dyn Controls>,
        events: &Handle,
    ) -> Arc<Mux> {
        let events = events.clone();
        let mux = Arc::new(Mux { backend, controls, events, state: Mutex::default() });
        let receiver: Arc<dyn Receiver> = mux.clone();
        mux.backend.connect(Arc::downgrade(&receiver));
        mux
    }

    /// A place for a further device. The first has the keyboard at first; all write to the same screen.
    pub fn port(self: &Arc<Self>) -> Arc<Port> {
        let mut s = self.state();
        let number = s.receivers.len();
        s.receivers.push(OnceLock::new());
        Port::new(Arc::new(Seat { mux: self.clone(), number }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn focused(&self) -> Option<Arc<dyn Receiver>> {
        let s = self.state();
        s.receivers.get(s.focus)?.get()?.upgrade()
    }

    /// Hands keys that wait to the focused device, as far as it has room.
    fn deliver(&self) {
        loop {
            let Some(receiver) = self.focused() else { return };
            let room = receiver.room();
            let mut s = self.state();
            let n = room.min(s.waiting.len());
            let keys: Vec<u8> = s.waiting.drain(..n).collect();
            drop(s);
            if keys.is_empty() {
                return;
            }
            receiver.receive(&keys);
        }
    }

    /// The key after Ctrl-A.
    fn command(&self, key: u8) {
        match key {
            b'h' | b'?' => self.backend.write(HELP),
            b'x' => {
                self.backend.write(b"\r\nremu: terminated\r\n");
                self.controls.quit();
            }
            b'c' => {
                let mut s = self.state();
                let all = s.receivers.len();
                let has_device = |n: &usize| {
                    s.receivers
                        .get(*n)
                        .and_then(OnceLock::get)
                        .is_some_and(|r| r.strong_count() > 0)
                };
                // A seat that no device has taken is none.
                let next = (1..=all).map(|n| (s.focus + n) % all).find(has_device);
                s.focus = next.unwrap_or(s.focus);
                // Keys typed for one device are not for another.
                s.waiting.clear();
                drop(s);
                if let Some(receiver) = self.focused() {
                    receiver.focus();
                }
            }
            b'b' => {
                if let Some(receiver) = self.focused() {
                    receiver.send_break();
                }
            }
            _ => {}
        }
    }
}

/// Text of Ctrl-A h.
const HELP: &[u8] = b"\r\n\
    C-a h    print this help\r\n\
    C-a x    exit emulator\r\n\
    C-a b    send break\r\n\
    C-a c    switch between console and monitor\r\n\
    C-a C-a  sends C-a\r\n";

impl Receiver for Mux {
    fn room(&self) -> usize {
        // Keys that switch must get through while the guest reads nothing.
        64usize.saturating_sub(self.state().waiting.len())
    }

    fn receive(&self, bytes: &[u8]) {
        for &byte in bytes {
            let mut s = self.state();
            let escaped = s.escaped;
            s.escaped = byte == ESCAPE && !escaped;
            if !s.escaped && (!escaped || byte == ESCAPE) {
                s.waiting.push(byte);
            }
            drop(s);
            if escaped && byte != ESCAPE {
                self.deliver();
                self.command(byte);
            }
        }
        self.deliver();
    }
}

impl Backend for Seat {
    fn write(&self, bytes: &[u8]) {
        self.mux.backend.write(bytes);
    }

    fn connect(&self, receiver: Weak<dyn Receiver>) {
        if let Some(seat) = self.mux.state().receivers.get(self.number) {
            let _ = seat.set(receiver);
        }
    }

    fn accept_input(&self) {
        let s = self.mux.state();
        if s.focus == self.number && !s.waiting.is_empty() {
            drop(s);
            // Not from here: the device holds its lock.
            let mux = self.mux.clone();
            self.mux.events.post(move || {
                mux.deliver();
                mux.backend.accept_input();
            });
        } else {
            drop(s);
            self.mux.backend.accept_input();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory;
    use super::*;
    use crate::clock::Clock;
    use crate::event_loop::{EventLoop, Kind};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    struct Keys(Mutex<Vec<u8>>, AtomicBool);

    impl Receiver for Keys {
        fn room(&self) -> usize {
            if self.1.load(Ordering::SeqCst) { 0 } else { 3 }
        }
        fn receive(&self, bytes: &[u8]) {
            self.0.lock().expect("not poisoned").extend(bytes);
        }
        fn send_break(&self) {
            self.receive(b"<break>");
        }
    }

    #[derive(Default)]
    struct Quit(AtomicBool);

    impl Controls for Quit {
        fn quit(&self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn escapes_switch_and_control() {
        let events = EventLoop::new(Arc::new(Clock::new()), Kind::Epoll).expect("a loop");
        let (_, screen) = memory::port();
        let quit = Arc::new(Quit::default());
        let mux = Mux::new(screen.clone(), quit.clone(), events.handle());
        let ports = [mux.port(), mux.port()];
        // No device takes this one.
        let _free = mux.port();
        let keys = [Arc::new(Keys::default()), Arc::new(Keys::default())];
        for (port, keys) in ports.iter().zip(&keys) {
            let receiver: Arc<dyn Receiver> = keys.clone();
            port.connect(Arc::downgrade(&receiver));
        }
        let got = |n: usize| std::mem::take(&mut *keys[n].0.lock().expect("not poisoned"));
        screen.type_in(b"ab\x01");
        screen.type_in(b"\x01c\x01b\x01cd\x01ce");
        assert_eq!((got(0), got(1)), (b"ab\x01c<break>e".to_vec(), b"d".to_vec()));
        screen.type_in(b"\x01h");
        assert_eq!(screen.written(), HELP);
        keys[0].1.store(true, Ordering::SeqCst);
        screen.type_in(b"late");
        assert_eq!(got(0), b"");
        keys[0].1.store(false, Ordering::SeqCst);
        ports[0].accept_input();
        assert_eq!(got(0), b"", "never from within the device's call");
        events.turn().expect("a turn");
        assert_eq!(got(0), b"late");
        assert!(!quit.0.load(Ordering::SeqCst));
        screen.type_in(b"\x01x");
        assert!(quit.0.load(Ordering::SeqCst));
    }
}
