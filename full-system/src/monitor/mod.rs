//! The monitor: lines that people type to look at the machine and to control it.

mod commands;

pub(crate) use commands::run;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::chardev::{Port, Receiver};
use crate::machine::Machine;

/// Scripts that drive QEMU's monitor wait for this.
const PROMPT: &str = "(qemu) ";
/// Longest line.
const LONGEST: usize = 4096;

/// A monitor on a character device.
pub struct Monitor {
    port: Arc<Port>,
    machine: Weak<Machine>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    text: Vec<u8>,
    greeted: bool,
    /// Bytes of an escape sequence (a cursor key) that is being skipped.
    escape: usize,
}

impl Monitor {
    /// A monitor for `machine` on `port`. With `greet` it prompts at once, without it when it gets the keyboard.
    pub fn new(port: Arc<Port>, machine: &Arc<Machine>, greet: bool) -> Arc<Monitor> {
        let machine = Arc::downgrade(machine);
        let monitor = Arc::new(Monitor { port, machine, line: Mutex::default() });
        let receiver: Arc<dyn Receiver> = monitor.clone();
        monitor.port.connect(Arc::downgrade(&receiver));
        if greet {
            monitor.greet();
        }
        monitor
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, text: &str) {
        self.port.write(text.replace('\n', "\r\n").as_bytes());
    }

    fn greet(&self) {
        let first = !std::mem::replace(&mut self.line().greeted, true);
        if first {
            self.say(&format!("remu {} monitor - type 'help'\n", env!("CARGO_PKG_VERSION")));
        }
        self.say(PROMPT);
    }

    fn key(&self, key: u8) {
        let mut line = self.line();
        if line.escape > 0 {
            // ESC, then '[' or 'O', then one letter after any digits.
            let more = line.escape == 1 && matches!(key, b'[' | b'O')
                || key.is_ascii_digit()
                || key == b';';
            line.escape = if more { 2 } else { 0 };
            return;
        }
        match key {
            b'\r' | b'\n' => {
                let text = std::mem::take(&mut line.text);
                drop(line);
                self.say("\n");
                let text = String::from_utf8_lossy(&text);
                if let Some(machine) = self.machine.upgrade() {
                    self.say(&commands::run(&machine, text.trim()));
                }
                self.say(PROMPT);
            }
            0x08 | 0x7f => {
                let erased = line.text.pop().is_some();
                drop(line);
                if erased {
                    self.say("\x08 \x08");
                }
            }
            // Ctrl-C and Ctrl-U begin the line anew.
            0x03 | 0x15 => {
                line.text.clear();
                drop(line);
                self.say("\n");
                self.say(PROMPT);
            }
            0x1b => line.escape = 1,
            0x20..=0x7e if line.text.len() < LONGEST => {
                line.text.push(key);
                drop(line);
                self.port.write(&[key]);
            }
            _ => {}
        }
    }
}

impl Receiver for Monitor {
    fn room(&self) -> usize {
        LONGEST
    }
    fn receive(&self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.key(b));
    }
    fn focus(&self) {
        self.say("\n");
        self.greet();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;
    use crate::chardev::memory;
    use crate::clock::Clock;
    use crate::event_loop::{EventLoop, Kind};

    #[test]
    fn lines_are_edited_and_run() {
        let events = EventLoop::new(Arc::new(Clock::new()), Kind::Epoll).expect("a loop");
        let mut map = Bus::builder();
        map.ram("ram", 0x8000_0000, 0x1000);
        let bus = Arc::new(map.build().expect("a map"));
        let (clock, handle) = (events.handle().clock().clone(), events.handle().clone());
        let machine = Machine::new(bus, clock, handle, Vec::new(), Vec::new(), Vec::new());
        let machine = machine.expect("a machine");
        let (port, end) = memory::port();
        let _monitor = Monitor::new(port, &machine, true);
        assert!(String::from_utf8_lossy(&end.written()).ends_with("type 'help'\r\n(qemu) "));
        let ask = |keys: &[u8]| {
            end.type_in(keys);
            String::from_utf8_lossy(&end.written()).into_owned()
        };
        assert!(ask(b"info mtreex\x7f\r").contains("(prio 0, ram): ram"));
        assert!(ask(b"info status\r").contains("VM status: paused"));
        assert!(ask(b"\x1b[Acont\r").ends_with("cont\r\n(qemu) "));
        assert!(machine.is_running());
        assert!(ask(b"stop\r").ends_with("(qemu) ") && !machine.is_running());
        assert!(ask(b"explode\r").contains("unknown command: 'explode'"));
        assert!(ask(b"info\r").contains("info mtree"));
        assert!(ask(b"help\r").contains("system_reset"));
        ask(b"quit\r");
        assert_eq!(events.run().expect("a run"), 0);
    }
}
