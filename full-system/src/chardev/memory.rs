//! A back end for tests: a buffer each way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use super::{Backend, Port, Receiver};

/// The buffers.
#[derive(Default)]
pub(crate) struct Memory {
    written: Mutex<Vec<u8>>,
    typed: Mutex<VecDeque<u8>>,
    receiver: OnceLock<Weak<dyn Receiver>>,
}

/// A port and its other end.
pub(crate) fn port() -> (Arc<Port>, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    (Port::new(memory.clone()), memory)
}

impl Memory {
    /// What the device wrote since the last call.
    pub(crate) fn written(&self) -> Vec<u8> {
        std::mem::take(&mut self.written.lock().expect("not poisoned"))
    }

    /// Sends bytes to the device as far as it has room; the rest waits for [`Memory::deliver`].
    pub(crate) fn type_in(&self, bytes: &[u8]) {
        self.typed.lock().expect("not poisoned").extend(bytes);
        self.deliver();
    }

    /// Sends what waits.
    pub(crate) fn deliver(&self) {
        let Some(receiver) = self.receiver.get().and_then(Weak::upgrade) else { return };
        loop {
            let room = receiver.room();
            let mut typed = self.typed.lock().expect("not poisoned");
            let n = room.min(typed.len());
            let bytes: Vec<u8> = typed.drain(..n).collect();
            drop(typed);
            if bytes.is_empty() {
                return;
            }
            receiver.receive(&bytes);
        }
    }
}

impl Backend for Memory {
    fn write(&self, bytes: &[u8]) {
        self.written.lock().expect("not poisoned").extend(bytes);
    }
    fn connect(&self, receiver: Weak<dyn Receiver>) {
        assert!(self.receiver.set(receiver).is_ok(), "connected twice");
    }
    fn accept_input(&self) {}
}
