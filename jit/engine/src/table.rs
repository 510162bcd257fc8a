//! The shared map from guest pc and key to host code.

use remu_isa::Key;

/// Marks a removed entry.
const REMOVED: u64 = 1;

/// Open addressing with linear probing: pairs of name and host address.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<[u64; 2]>,
    used: usize,
}

/// What a slot holds for a guest pc and key; user addresses leave the upper
/// byte free. 0 and [`REMOVED`] name nothing: two addresses at the end of the
/// address space, which are never found.
fn name(pc: u64, key: Key) -> u64 {
    (pc ^ u64::from(key.0) << 56).wrapping_add(2)
}

fn hash(n: u64) -> usize {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize
}

impl Table {
    pub(crate) fn new(size: usize) -> Table {
        // Zeroed by the allocator: pages that are never used cost nothing.
        Table { slots: vec![[0; 2]; size.next_power_of_two()], used: 0 }
    }
    /// Host address of a guest pc.
    pub(crate) fn get(&self, pc: u64, key: Key) -> Option<u64> {
        let n = name(pc, key);
        if n <= REMOVED {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut i = hash(n) & mask;
        loop {
            match self.slots[i] {
                [0, _] => return None,
                [k, v] if k == n => return Some(v),
                _ => i = (i + 1) & mask,
            }
        }
    }
    /// Adds an entry unless there is one. Grows when few slots are left, and
    /// reuses those of removed entries.
    pub(crate) fn insert(&mut self, pc: u64, key: Key, host: u64) {
        if self.used * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let n = name(pc, key);
        if n > REMOVED {
            self.insert_name(n, host);
        }
    }
    fn insert_name(&mut self, n: u64, host: u64) {
        let mask = self.slots.len() - 1;
        let mut i = hash(n) & mask;
        let mut free = None;
        loop {
            match self.slots[i][0] {
                0 => break,
                k if k == n => return,
                REMOVED if free.is_none() => free = Some(i),
                _ => {}
            }
            i = (i + 1) & mask;
        }
        if free.is_none() {
            self.used += 1;
        }
        self.slots[free.unwrap_or(i)] = [n, host];
    }
    /// Doubles the table and leaves removed entries behind.
    fn grow(&mut self) {
        let bigger = Table::new(self.slots.len() * 2);
        let old = core::mem::replace(self, bigger);
        for [k, v] in old.slots {
            if k != 0 && k != REMOVED {
                self.insert_name(k, v);
            }
        }
    }
    /// Removes an entry if it leads to `host`.
    pub(crate) fn remove(&mut self, pc: u64, key: Key, host: u64) {
        let n = name(pc, key);
        let mask = self.slots.len() - 1;
        let mut i = hash(n) & mask;
        loop {
            match self.slots[i] {
                [0, _] => return,
                [k, v] if k == n => {
                    if n > REMOVED && v == host {
                        self.slots[i][0] = REMOVED;
                    }
                    return;
                }
                _ => i = (i + 1) & mask,
            }
        }
    }
    /// Empties the table.
    pub(crate) fn clear(&mut self) {
        self.slots = vec![[0; 2]; self.slots.len()];
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_reuses() {
        let mut t = Table::new(8);
        for pc in 0..1000 {
            t.insert(pc * 4, Key(0), pc);
        }
        assert!((0..1000).all(|pc| t.get(pc * 4, Key(0)) == Some(pc)));
        assert_eq!((t.get(4, Key(1)), t.get(2, Key(0))), (None, None));
        t.remove(8, Key(0), 2);
        t.insert(u64::MAX, Key(0), 7);
        assert_eq!((t.get(u64::MAX, Key(0)), t.get(u64::MAX - 1, Key(0))), (None, None));
        t.insert(8, Key(0), 2);
        let size = t.slots.len();
        for n in 0..100_000 {
            t.remove(8, Key(0), if n == 0 { 2 } else { n });
            t.insert(8, Key(0), n + 1);
        }
        assert_eq!((t.get(8, Key(0)), t.slots.len()), (Some(100_000), size));
    }
}
