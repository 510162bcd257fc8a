//! The queues of a device and its interrupt: what a device's two ends, registers and requests, share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use virtio_queue::{DescriptorChain, Queue, QueueT};

use crate::bus::Ram;
use crate::irq::Line;

/// Reason of an interrupt: a buffer was used.
pub(super) const USED: u32 = 1;
/// Reason of an interrupt: the configuration changed.
pub(super) const CONFIG: u32 = 2;

/// A chain of descriptors as two lists of guest memory, in order: address and length.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Names the chain when it is given back.
    pub head: u16,
    /// What the driver has written.
    pub readable: Vec<(u64, usize)>,
    /// What the device is to write.
    pub writable: Vec<(u64, usize)>,
}

impl Chain {
    fn new(chain: DescriptorChain<&Ram>) -> Chain {
        let mut lists = Chain { head: chain.head_index(), ..Chain::default() };
        for d in chain {
            let list = if d.is_write_only() { &mut lists.writable } else { &mut lists.readable };
            if d.len() > 0 {
                list.push((d.addr().0, d.len() as usize));
            }
        }
        lists
    }
}

/// Splits the first `n` bytes off a list; `None` if it is shorter.
pub fn split(
    list: &[(u64, usize)],
    mut n: usize,
) -> Option<(Vec<(u64, usize)>, Vec<(u64, usize)>)> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for &(at, len) in list {
        let cut = n.min(len);
        n -= cut;
        if cut > 0 {
            first.push((at, cut));
        }
        if cut < len {
            rest.push((at.checked_add(cut as u64)?, len - cut));
        }
    }
    (n == 0).then_some((first, rest))
}

/// Bytes in a list.
pub fn total(list: &[(u64, usize)]) -> usize {
    list.iter().fold(0usize, |n, p| n.saturating_add(p.1))
}

/// The queues, the interrupt, and how many requests are under way.
pub struct Queues {
    ram: Arc<Ram>,
    queues: Vec<Mutex<Queue>>,
    interrupt: Mutex<u32>,
    line: Line,
    /// Counts resets: what was begun before one has nothing to give back after it.
    generation: AtomicU64,
    running: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queues {
    pub(super) fn new(ram: Arc<Ram>, line: Line, sizes: &[u16]) -> Arc<Queues> {
        // Sizes are ours: powers of two.
        let queues = sizes.iter().filter_map(|&s| Queue::new(s).ok()).map(Mutex::new).collect();
        Arc::new(Queues {
            ram,
            queues,
            interrupt: Mutex::new(0),
            line,
            generation: AtomicU64::new(0),
            running: AtomicUsize::new(0),
        })
    }

    /// Guest memory.
    pub fn ram(&self) -> &Arc<Ram> {
        &self.ram
    }

    pub(super) fn queue(&self, index: usize) -> Option<MutexGuard<'_, Queue>> {
        self.queues.get(index).map(lock)
    }

    /// Takes the next chain that the driver has made available.
    pub fn pop(&self, index: usize) -> Option<Chain> {
        let mut queue = self.queue(index)?;
        if !queue.ready() {
            return None;
        }
        // A second look, at what came before notification was on again. What then still cannot be taken is a
        // broken ring.
        for _ in 0..2 {
            let _ = queue.disable_notification(&*self.ram);
            if let Some(chain) = queue.pop_descriptor_chain(&*self.ram) {
                return Some(Chain::new(chain));
            }
            if !queue.enable_notification(&*self.ram).unwrap_or(false) {
                return None;
            }
        }
        log::debug!(target: "guest_errors", "virtio: queue {index} cannot be read");
        None
    }

    /// Puts back the chain taken last.
    pub fn unpop(&self, index: usize) {
        if let Some(mut queue) = self.queue(index) {
            let before = queue.next_avail().wrapping_sub(1);
            queue.set_next_avail(before);
            let _ = queue.enable_notification(&*self.ram);
        }
    }

    /// Gives a chain back, of which the device wrote `len` bytes, and interrupts if the driver wants it.
    pub fn give_back(&self, index: usize, head: u16, len: usize) {
        let Some(mut queue) = self.queue(index) else { return };
        if !queue.ready() {
            return;
        }
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let wanted = match queue.add_used(&*self.ram, head, len) {
            Ok(()) => queue.needs_notification(&*self.ram).unwrap_or(true),
            Err(error) => {
                log::debug!(target: "guest_errors", "virtio: bad used ring: {error}");
                false
            }
        };
        drop(queue);
        if wanted {
            self.interrupt(USED);
        }
    }

    pub(super) fn interrupt(&self, why: u32) {
        let mut status = lock(&self.interrupt);
        *status |= why;
        self.line.set(true);
    }

    pub(super) fn interrupt_status(&self) -> u32 {
        *lock(&self.interrupt)
    }

    pub(super) fn acknowledge(&self, bits: u32) {
        let mut status = lock(&self.interrupt);
        *status &= !bits;
        self.line.set(*status != 0);
    }

    /// Tells the driver that the configuration changed.
    pub fn config_changed(&self) {
        self.interrupt(CONFIG);
    }

    /// Begins a request that ends later.
    pub fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running { queues: self.clone(), generation: self.generation.load(Ordering::SeqCst) }
    }

    /// Whether requests are under way.
    pub(super) fn busy(&self) -> bool {
        self.running.load(Ordering::SeqCst) != 0
    }

    pub(super) fn reset(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.queues.iter().for_each(|q| lock(q).reset());
        self.acknowledge(u32::MAX);
    }
}

/// A request under way.
pub struct Running {
    queues: Arc<Queues>,
    generation: u64,
}

impl Running {
    /// Guest memory.
    pub fn ram(&self) -> &Arc<Ram> {
        self.queues.ram()
    }

    /// Whether the device was not reset since.
    pub fn counts(&self) -> bool {
        self.queues.generation.load(Ordering::SeqCst) == self.generation
    }

    /// Gives the chain back, unless the device was reset meanwhile.
    pub fn finish(self, index: usize, head: u16, len: usize) {
        if self.counts() {
            self.queues.give_back(index, head, len);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.queues.running.fetch_sub(1, Ordering::SeqCst);
    }
}
