//! The console device with one port. Virtio 1.2, section 5.3.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use vm_memory::{Bytes, GuestAddress};

use super::{Chain, Kind, Queues, total};
use crate::chardev::{Port, Receiver};

const RX: usize = 0;
const TX: usize = 1;
/// Bytes of a buffer that are looked at in one piece.
const PIECE: usize = 4096;

/// The device.
pub struct Console {
    port: Arc<Port>,
    queues: Mutex<Weak<Queues>>,
}

impl Console {
    /// A console on `port`.
    pub fn new(port: Arc<Port>) -> Arc<Console> {
        let console = Arc::new(Console { port, queues: Mutex::new(Weak::new()) });
        let receiver: Arc<dyn Receiver> = console.clone();
        console.port.connect(Arc::downgrade(&receiver));
        console
    }

    fn queues(&self) -> Option<Arc<Queues>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn set_queues(&self, queues: Weak<Queues>) {
        *self.queues.lock().unwrap_or_else(PoisonError::into_inner) = queues;
    }

    fn transmit(&self, queues: &Queues, chain: &Chain) {
        let mut bytes = [0; PIECE];
        for &(at, len) in &chain.readable {
            for done in (0..len).step_by(PIECE) {
                let part = &mut bytes[..PIECE.min(len - done)];
                let from = GuestAddress(at.saturating_add(done as u64));
                if queues.ram().read_slice(part, from).is_err() {
                    return;
                }
                self.port.write(part);
            }
        }
    }
}

impl Kind for Console {
    fn id(&self) -> u32 {
        3
    }
    fn features(&self) -> u64 {
        0
    }
    fn queues(&self) -> &'static [u16] {
        &[64, 64]
    }
    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn start(&self, queues: &Arc<Queues>, _features: u64) {
        self.set_queues(Arc::downgrade(queues));
        self.port.accept_input();
    }

    fn notify(&self, queues: &Arc<Queues>, index: usize) {
        if index == RX {
            self.port.accept_input();
            return;
        }
        while let Some(chain) = queues.pop(TX) {
            self.transmit(queues, &chain);
            queues.give_back(TX, chain.head, 0);
        }
    }

    fn reset(&self) {
        self.set_queues(Weak::new());
    }
}

impl Receiver for Console {
    fn room(&self) -> usize {
        let Some(queues) = self.queues() else { return 0 };
        // Without buffers that may be written nothing would fit; such chains are given back by `receive`.
        let Some(chain) = queues.pop(RX) else { return 0 };
        queues.unpop(RX);
        total(&chain.writable).clamp(1, PIECE)
    }

    fn receive(&self, bytes: &[u8]) {
        let Some(queues) = self.queues() else { return };
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(chain) = queues.pop(RX) else { return };
            let mut written = 0;
            for &(at, len) in &chain.writable {
                let part = &rest[..len.min(rest.len())];
                if queues.ram().write_slice(part, GuestAddress(at)).is_err() {
                    break;
                }
                written += part.len();
                rest = &rest[part.len()..];
            }
            queues.give_back(RX, chain.head, written);
        }
    }
}
