//! The shared map from guest pc and key to host code.

use core::sync::atomic::{AtomicU64, Ordering};

use remu_isa::Key;

/// Marks a removed entry; odd, so no guest pc equals it.
const REMOVED: u64 = 1;

/// Open addressing with linear probing. Writers hold the engine's lock.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[(AtomicU64, AtomicU64)]>,
    used: usize,
}

fn name(pc: u64, key: Key) -> u64 {
    // User addresses leave the upper byte free; 0 marks an empty slot.
    (pc ^ u64::from(key.0) << 56).wrapping_add(2)
}

fn hash(n: u64) -> usize {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize
}

impl Table {
    pub(crate) fn new(size: usize) -> Table {
        let slots = (0..size.next_power_of_two()).map(|_| (AtomicU64::new(0), AtomicU64::new(0))).collect();
        Table { slots, used: 0 }
    }
    /// Host address of a guest pc.
    pub(crate) fn get(&self, pc: u64, key: Key) -> Option<u64> {
        let n = name(pc, key);
        let mask = self.slots.len() - 1;
        let mut i = hash(n) & mask;
        loop {
            let (k, v) = &self.slots[i];
            match k.load(Ordering::Acquire) {
                0 => return None,
                k if k == n => return Some(v.load(Ordering::Relaxed)),
                _ => i = (i + 1) & mask,
            }
        }
    }
    /// Adds an entry unless there is one.
    pub(crate) fn insert(&mut self, pc: u64, key: Key, host: u64) {
        if self.used * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.add(name(pc, key), host);
    }
    fn add(&mut self, n: u64, host: u64) {
        let mask = self.slots.len() - 1;
        let mut i = hash(n) & mask;
        loop {
            let (k, v) = &self.slots[i];
            match k.load(Ordering::Relaxed) {
                0 => {
                    v.store(host, Ordering::Relaxed);
                    k.store(n, Ordering::Release);
                    self.used += 1;
                    return;
                }
                k if k == n => return,
                _ => i = (i + 1) & mask,
            }
        }
    }
    /// Twice the size, without what was removed. No reader is in the old one:
    /// `&mut self` means that the table's lock is held for writing.
    fn grow(&mut self) {
        let old = core::mem::replace(self, Table::new(self.slots.len() * 2));
        for (k, v) in &old.slots {
            let n = k.load(Ordering::Relaxed);
            if n != 0 && n != REMOVED {
                self.add(n, v.load(Ordering::Relaxed));
            }
        }
    }
    /// Removes an entry if it leads to `host`.
    pub(crate) fn remove(&mut self, pc: u64, key: Key, host: u64) {
        let n = name(pc, key);
        let mask = self.slots.len() - 1;
        let mut i = hash(n) & mask;
        loop {
            let (k, v) = &self.slots[i];
            match k.load(Ordering::Relaxed) {
                0 => return,
                k if k == n => {
                    if v.load(Ordering::Relaxed) == host {
                        self.slots[i].0.store(REMOVED, Ordering::Release);
                    }
                    return;
                }
                _ => i = (i + 1) & mask,
            }
        }
    }
    /// Empties the table.
    pub(crate) fn clear(&mut self) {
        for (k, _) in &self.slots {
            k.store(0, Ordering::Relaxed);
        }
        self.used = 0;
    }
}
