//! The entropy device. Virtio 1.2, section 5.4.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use vm_memory::{Bytes, GuestAddress};

use super::{Kind, Queues};

/// Bytes of one buffer that are filled at most; a driver asks again for more.
const MOST: usize = 1 << 16;

/// The device.
pub struct Rng(File);

impl Rng {
    /// A device that hands on the host's random bytes.
    pub fn new() -> io::Result<Arc<Rng>> {
        Ok(Arc::new(Rng(File::open("/dev/urandom")?)))
    }
}

impl Kind for Rng {
    fn id(&self) -> u32 {
        4
    }
    fn features(&self) -> u64 {
        0
    }
    fn queues(&self) -> &'static [u16] {
        &[8]
    }
    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn notify(&self, queues: &Arc<Queues>, index: usize) {
        while let Some(chain) = queues.pop(index) {
            let mut filled = 0;
            for &(at, len) in &chain.writable {
                let mut bytes = vec![0; len.min(MOST - filled)];
                let whole = (&self.0).read_exact(&mut bytes).is_ok();
                if !whole || queues.ram().write_slice(&bytes, GuestAddress(at)).is_err() {
                    break;
                }
                filled += bytes.len();
            }
            queues.give_back(index, chain.head, filled);
        }
    }
}
