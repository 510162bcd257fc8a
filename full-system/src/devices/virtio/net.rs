//! The network device, without offloads. Virtio 1.2, section 5.1.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use vm_memory::{Bytes, GuestAddress};

use super::{Chain, Kind, Queues, split, total};
use crate::net::{Link, LinkReceiver};

const RX: usize = 0;
const TX: usize = 1;
/// `struct virtio_net_hdr` with `num_buffers`, as every version 1 device has it.
const HEADER: usize = 12;
/// Largest frame taken from the guest.
const FRAME: usize = 65_550;
/// `VIRTIO_NET_F_MAC`.
const MAC: u64 = 1 << 5;
/// `VIRTIO_NET_F_STATUS`.
const STATUS: u64 = 1 << 16;

/// The device.
pub struct Net {
    mac: [u8; 6],
    link: Arc<dyn Link>,
    queues: Mutex<Weak<Queues>>,
}

impl Net {
    /// A network card on `link`.
    pub fn new(mac: [u8; 6], link: Arc<dyn Link>) -> Arc<Net> {
        let net = Arc::new(Net { mac, link, queues: Mutex::new(Weak::new()) });
        let receiver: Arc<dyn LinkReceiver> = net.clone();
        net.link.connect(Arc::downgrade(&receiver));
        net
    }

    fn queues(&self) -> Option<Arc<Queues>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn set_queues(&self, queues: Weak<Queues>) {
        *self.queues.lock().unwrap_or_else(PoisonError::into_inner) = queues;
    }
}

/// The frame after the header; `None` if there is none or it is not in memory.
fn frame(queues: &Queues, chain: &Chain) -> Option<Vec<u8>> {
    let (_, body) = split(&chain.readable, HEADER)?;
    let mut bytes = vec![0; Some(total(&body)).filter(|&n| n <= FRAME)?];
    let mut at = 0;
    for &(pa, len) in &body {
        queues.ram().read_slice(&mut bytes[at..at + len], GuestAddress(pa)).ok()?;
        at += len;
    }
    Some(bytes)
}

impl Kind for Net {
    fn id(&self) -> u32 {
        1
    }
    fn features(&self) -> u64 {
        MAC | STATUS
    }
    fn queues(&self) -> &'static [u16] {
        &[256, 256]
    }

    fn config(&self) -> Vec<u8> {
        // The address, then status: the link is up.
        let mut config = self.mac.to_vec();
        config.extend(1u16.to_le_bytes());
        config
    }

    fn start(&self, queues: &Arc<Queues>, _features: u64) {
        self.set_queues(Arc::downgrade(queues));
        self.link.accept_frames();
    }

    fn notify(&self, queues: &Arc<Queues>, index: usize) {
        if index == RX {
            self.link.accept_frames();
            return;
        }
        while let Some(chain) = queues.pop(TX) {
            match frame(queues, &chain) {
                Some(frame) => self.link.send(frame),
                None => log::debug!(target: "guest_errors", "virtio-net: a frame that is none"),
            }
            queues.give_back(TX, chain.head, 0);
        }
    }

    fn reset(&self) {
        self.set_queues(Weak::new());
    }
}

impl LinkReceiver for Net {
    fn receive(&self, frame: &[u8]) -> bool {
        let Some(queues) = self.queues() else { return false };
        let Some(chain) = queues.pop(RX) else { return false };
        // The header says: no offload, one buffer.
        let mut packet = vec![0; HEADER];
        packet[HEADER - 2] = 1;
        packet.extend(frame);
        let mut written = 0;
        if total(&chain.writable) >= packet.len() {
            for &(at, len) in &chain.writable {
                let part = &packet[written..][..len.min(packet.len() - written)];
                if queues.ram().write_slice(part, GuestAddress(at)).is_err() {
                    break;
                }
                written += part.len();
            }
        }
        // A buffer that is too short loses the frame, as a wire would.
        queues.give_back(RX, chain.head, written);
        true
    }
}
