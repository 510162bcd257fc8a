//! The shared map from guest pc and key to host code.
//!
//! Guest code is dense, so each stretch of it that has translations gets a
//! plain array with a cell for every place an instruction can begin at. One
//! look-up by hash finds the array; the entries of a region then lie beside
//! each other, where a hash of every pc would scatter them over as many cache
//! lines and pages as there are entries.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::space::Space;

/// Cells of one array.
const CELLS: usize = 128;

/// Hashes addresses and numbers. They are no secret and nobody gains from a
/// collision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26)
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(b));
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26) ^ n;
    }
}

/// A map whose keys are numbers.
pub(crate) type NumberMap<V> = HashMap<u64, V, BuildHasherDefault<NumberHasher>>;

/// Name of a stretch of guest code, with its key and its physical pages.
type Stretch = (u64, u64, u64, u64);

/// Offsets in code memory by guest pc and space; 0 is none, for code memory
/// begins with thunks.
#[derive(Debug)]
pub(crate) struct Table {
    /// log2 of the alignment of guest instructions.
    align: u8,
    /// Stretch of guest code to number of its array.
    arrays: HashMap<Stretch, u32, BuildHasherDefault<NumberHasher>>,
    /// Each on its own: growing moves none of them.
    cells: Vec<[u32; CELLS]>,
}

impl Table {
    pub(crate) fn new(insn_align: u8) -> Table {
        Table { align: insn_align, arrays: HashMap::default(), cells: Vec::new() }
    }
    /// Name of the stretch and cell in it. None where no instruction can begin.
    fn place(&self, pc: u64, space: Space) -> Option<(Stretch, usize)> {
        let n = pc >> self.align;
        let name = (n / CELLS as u64, space.key.0.into(), space.pages[0], space.pages[1]);
        (n << self.align == pc).then_some((name, n as usize % CELLS))
    }
    /// Offset of the code for a guest pc.
    pub(crate) fn get(&self, pc: u64, space: Space) -> Option<u32> {
        let (name, cell) = self.place(pc, space)?;
        let array = self.cells.get(*self.arrays.get(&name)? as usize)?;
        Some(array[cell]).filter(|&at| at != 0)
    }
    /// Adds entries, guest pc and offset behind `base`, each unless there is one.
    pub(crate) fn insert(&mut self, space: Space, base: u32, entries: &[(u64, u32)]) {
        let mut last = None;
        for &(pc, at) in entries {
            let Some((name, cell)) = self.place(pc, space) else { continue };
            let array = match last {
                Some((n, a)) if n == name => a,
                _ => self.array(name),
            };
            last = Some((name, array));
            let to = &mut self.cells[array][cell];
            if *to == 0 {
                *to = base + at;
            }
        }
    }
    fn array(&mut self, name: Stretch) -> usize {
        let new = self.cells.len() as u32;
        let n = *self.arrays.entry(name).or_insert(new);
        if n == new {
            self.cells.push([0; CELLS]);
        }
        n as usize
    }
    /// Removes an entry if it leads to `offset`.
    pub(crate) fn remove(&mut self, pc: u64, space: Space, offset: u32) {
        let Some((name, cell)) = self.place(pc, space) else { return };
        let array = self.arrays.get(&name).and_then(|&n| self.cells.get_mut(n as usize));
        if let Some(to) = array.map(|a| &mut a[cell]).filter(|to| **to == offset) {
            *to = 0;
        }
    }
    /// Gives the memory of stretches back that have no entries any more.
    pub(crate) fn shrink(&mut self) {
        let old = core::mem::take(&mut self.cells);
        self.arrays.retain(|_, n| {
            let array = old[*n as usize];
            *n = self.cells.len() as u32;
            let any = array != [0; CELLS];
            if any {
                self.cells.push(array);
            }
            any
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remu_isa::Key;

    const ZERO: Space = Space { key: Key(0), pages: [0; 2] };

    #[test]
    fn entries_come_and_go() {
        let mut t = Table::new(1);
        let all: Vec<(u64, u32)> = (0..1000).map(|n| (n * 6, n as u32)).collect();
        t.insert(ZERO, 16, &all);
        assert!(all.iter().all(|&(pc, at)| t.get(pc, ZERO) == Some(16 + at)));
        assert_eq!(
            (t.get(6, Space::user(Key(1))), t.get(2, ZERO), t.get(1 << 40, ZERO)),
            (None, None, None)
        );
        assert_eq!(t.get(6, Space::user(Key(1 << 19))), None);
        // The first stays.
        t.insert(ZERO, 5000, &[(12, 0), (14, 0)]);
        assert_eq!((t.get(12, ZERO), t.get(14, ZERO)), (Some(18), Some(5000)));
        t.remove(12, ZERO, 5000);
        assert_eq!(t.get(12, ZERO), Some(18));
        t.remove(12, ZERO, 18);
        assert_eq!(t.get(12, ZERO), None);
        assert_eq!((t.get(6, ZERO), t.cells.len()), (Some(17), 24));
    }

    #[test]
    fn stretches_without_entries_are_given_back() {
        let mut t = Table::new(1);
        let all: Vec<(u64, u32)> = (0..1000).map(|n| (n * 6, n as u32)).collect();
        t.insert(ZERO, 16, &all);
        let before = t.cells.len();
        for &(pc, at) in &all[..500] {
            t.remove(pc, ZERO, 16 + at);
        }
        t.shrink();
        assert_eq!((before, t.cells.len(), t.arrays.len()), (24, 13, 13));
        let left = |&(pc, at): &(u64, u32)| t.get(pc, ZERO) == Some(16 + at);
        assert!(all[500..].iter().all(left) && !all[..500].iter().any(left));
    }

    #[test]
    fn physical_pages_tell_code_apart() {
        let mut t = Table::new(1);
        let spaces = [Space::machine(Key(0), 7), Space::machine(Key(0), 8), ZERO];
        for (n, space) in spaces.into_iter().enumerate() {
            t.insert(space, 16, &[(0x1000, n as u32)]);
        }
        assert_eq!(spaces.map(|s| t.get(0x1000, s)), [Some(16), Some(17), Some(18)]);
        t.remove(0x1000, spaces[1], 17);
        assert_eq!(spaces.map(|s| t.get(0x1000, s)), [Some(16), None, Some(18)]);
    }

    #[test]
    fn no_instruction_begins_between_cells() {
        let mut t = Table::new(2);
        t.insert(ZERO, 16, &[(0x1000, 0), (0x1002, 0), (u64::MAX - 3, 1), (u64::MAX, 2)]);
        assert_eq!(
            [0x1000, 0x1002, u64::MAX - 3, u64::MAX].map(|pc| t.get(pc, ZERO)),
            [Some(16), None, Some(17), None]
        );
    }
}
