//! Character devices of the host: where the bytes of serial ports and of the monitor come from and go to.

#[cfg(test)]
pub(crate) mod memory;
mod mux;
mod open;
mod stream;
mod terminal;

use std::sync::{Arc, Weak};

pub use mux::{Controls, Mux};
pub(crate) use open::backend;
pub use open::{Spec, open};
pub use stream::Stream;
pub use terminal::Terminal;

/// The device at the guest's end.
pub trait Receiver: Send + Sync {
    /// How many bytes it can take now.
    fn room(&self) -> usize;
    /// Takes bytes, no more than there is room for.
    fn receive(&self, bytes: &[u8]);
    /// Sees a break condition on the line.
    fn send_break(&self) {}
    /// Has the keyboard from now on.
    fn focus(&self) {}
}

/// The host's end.
///
/// It never calls the receiver from within [`Backend::write`] or [`Backend::accept_input`], during which the device
/// holds its lock.
pub trait Backend: Send + Sync {
    /// Sends bytes.
    fn write(&self, bytes: &[u8]);
    /// Sets who receives. Once.
    fn connect(&self, receiver: Weak<dyn Receiver>);
    /// Says that there may be room again.
    fn accept_input(&self);
}

/// A device's connection to a back end.
pub struct Port(Arc<dyn Backend>);

impl Port {
    /// A connection to `backend`.
    pub fn new(backend: Arc<dyn Backend>) -> Arc<Port> {
        Arc::new(Port(backend))
    }

    /// A connection to nothing: what is written is lost, and nothing comes.
    pub fn null() -> Arc<Port> {
        Port::new(Arc::new(Null))
    }

    /// Sends bytes.
    pub fn write(&self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// Sets who receives. Once.
    pub fn connect(&self, receiver: Weak<dyn Receiver>) {
        self.0.connect(receiver);
    }

    /// Says that there may be room again.
    pub fn accept_input(&self) {
        self.0.accept_input();
    }
}

/// Nothing.
struct Null;

impl Backend for Null {
    fn write(&self, _bytes: &[u8]) {}
    fn connect(&self, _receiver: Weak<dyn Receiver>) {}
    fn accept_input(&self) {}
}
