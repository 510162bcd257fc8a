//! The guest's areas as other processes read them: a runner that is asked for `/proc/PID/maps` of another
//! emulated process finds the kernel's list of that runner's memory there, and here which of it is the
//! guest's and with which protection.
//!
//! The address of [`Shown`] stands in the auxiliary vector that others see ([`Peer`]). One thread at a
//! time writes, under the lock of the address space; readers are processes of the same build.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use remu_syscalls::Peer;

use super::{Area, PAGE};

/// Areas of one [`Chunk`].
const AREAS: usize = 127;
/// Words of [`Shown`] before its first chunk.
const HEAD: usize = 5;
/// Words of a chunk.
const WORDS: usize = 1 + 2 * AREAS;
/// Chunks at most: more areas than the kernel gives a process.
const CHUNKS: usize = 1 << 16;
/// Times that a reader begins again when the areas have changed meanwhile. What it has then is some of
/// the old and some of the new, as in the kernel's file.
const TURNS: usize = 20;

/// Unordered areas.
#[repr(C)]
#[derive(Debug)]
struct Chunk {
    /// Address of the next one, or 0.
    next: AtomicU64,
    /// Start; end and protection in one word. Zeros where there is none.
    areas: [[AtomicU64; 2]; AREAS],
}

impl Chunk {
    const fn empty() -> Chunk {
        Chunk {
            next: AtomicU64::new(0),
            areas: [const { [AtomicU64::new(0), AtomicU64::new(0)] }; AREAS],
        }
    }
}

/// What is shown of one address space.
#[repr(C)]
#[derive(Debug)]
struct Shown {
    /// Odd while areas change.
    changes: AtomicU64,
    heap: AtomicU64,
    stack: [AtomicU64; 2],
    vdso: AtomicU64,
    first: Chunk,
}

const _: () = assert!(size_of::<Shown>() == (HEAD + WORDS) * 8);

/// The writer's side.
#[derive(Debug)]
pub(super) struct Writer {
    shown: &'static Shown,
    chunks: Vec<&'static Chunk>,
    free: Vec<u32>,
    /// Slots that were ever used.
    used: u32,
}

impl Default for Writer {
    fn default() -> Writer {
        let shown: &Shown = Box::leak(Box::new(Shown {
            changes: AtomicU64::new(0),
            heap: AtomicU64::new(0),
            stack: [const { AtomicU64::new(0) }; 2],
            vdso: AtomicU64::new(0),
            first: Chunk::empty(),
        }));
        Writer { shown, chunks: vec![&shown.first], free: Vec::new(), used: 0 }
    }
}

impl Writer {
    /// Before and after a change.
    pub(super) fn turn(&self) {
        fence(Ordering::Release);
        self.shown.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn slot(&self, slot: u32) -> &[AtomicU64; 2] {
        &self.chunks[slot as usize / AREAS].areas[slot as usize % AREAS]
    }

    /// A slot for an area to come.
    pub(super) fn take(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        if self.used as usize == self.chunks.len() * AREAS {
            let chunk: &Chunk = Box::leak(Box::new(Chunk::empty()));
            if let Some(last) = self.chunks.last() {
                last.next.store(std::ptr::from_ref(chunk) as u64, Ordering::Release);
            }
            self.chunks.push(chunk);
        }
        self.used += 1;
        self.used - 1
    }

    /// Shows an area in a slot.
    pub(super) fn put(&self, slot: u32, area: Area) {
        let [start, end] = self.slot(slot);
        start.store(area.start, Ordering::Relaxed);
        end.store(area.end | u64::from(area.prot), Ordering::Relaxed);
    }

    /// Shows nothing in a slot any more.
    pub(super) fn give(&mut self, slot: u32) {
        self.slot(slot).iter().for_each(|word| word.store(0, Ordering::Relaxed));
        self.free.push(slot);
    }

    /// Says where the heap begins.
    pub(super) fn heap(&self, start: u64) {
        self.shown.heap.store(start, Ordering::Relaxed);
    }

    /// Says where the stack lies and an address in the vdso.
    pub(super) fn stack_and_vdso(&self, stack: (u64, u64), vdso: u64) {
        self.shown.stack[0].store(stack.0, Ordering::Relaxed);
        self.shown.stack[1].store(stack.1, Ordering::Relaxed);
        self.shown.vdso.store(vdso, Ordering::Relaxed);
    }

    /// Where it is shown.
    pub(super) fn address(&self) -> u64 {
        std::ptr::from_ref(self.shown) as u64
    }

    /// All of it but the areas.
    pub(super) fn view(&self, areas: Vec<Area>) -> View {
        let get = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let Shown { heap, stack, vdso, .. } = self.shown;
        View { areas, heap: get(heap), stack: (get(&stack[0]), get(&stack[1])), vdso: get(vdso) }
    }
}

/// A guest's address space, seen from outside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// By address.
    pub(crate) areas: Vec<Area>,
    /// Where the heap begins.
    pub(crate) heap: u64,
    /// Where the main thread's stack begins and ends.
    pub(crate) stack: (u64, u64),
    /// An address in the vdso.
    pub(crate) vdso: u64,
}

impl View {
    /// That of another emulated process.
    pub(crate) fn of(peer: &Peer) -> Option<View> {
        let read = |at, words: &mut [u64]| {
            let mut bytes = vec![0; words.len() * 8];
            let all = peer.read(at, &mut bytes) == bytes.len();
            for (word, b) in words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*b);
            }
            all.then_some(())
        };
        View::read(peer.areas(), read)
    }

    fn read(at: u64, read: impl Fn(u64, &mut [u64]) -> Option<()>) -> Option<View> {
        let mut view = View::default();
        for _ in 0..TURNS {
            let mut words = [0; HEAD + WORDS];
            read(at, &mut words)?;
            let [changes, heap, low, top, vdso, mut next, ..] = words;
            let mut areas = areas(&words[HEAD..]);
            for _ in 1..CHUNKS {
                if next == 0 {
                    break;
                }
                let mut chunk = [0; WORDS];
                read(next, &mut chunk)?;
                next = chunk[0];
                areas.extend(self::areas(&chunk));
            }
            areas.sort_unstable_by_key(|a| a.start);
            view = View { areas, heap, stack: (low, top), vdso };
            let mut after = [0];
            read(at, &mut after)?;
            if after[0] == changes && changes % 2 == 0 {
                break;
            }
        }
        Some(view)
    }

    /// The parts of areas inside `[start, end)`, in order.
    pub(crate) fn within(&self, start: u64, end: u64) -> impl Iterator<Item = Area> {
        let first = self.areas.partition_point(|a| a.end <= start);
        let inside = self.areas[first..].iter().take_while(move |a| a.start < end);
        inside.map(move |a| Area { start: a.start.max(start), end: a.end.min(end), ..*a })
    }
}

/// The areas in the words of a chunk.
fn areas(chunk: &[u64]) -> Vec<Area> {
    let pairs = chunk[1..].as_chunks().0.iter();
    let used = pairs.filter(|[_, end]| *end != 0);
    used.map(|&[start, end]| Area { start, end: end & !(PAGE - 1), prot: (end & (PAGE - 1)) as u8 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    #[test]
    fn what_is_shown_is_what_the_table_holds() {
        let peer = Peer::of_process(std::process::id() as i32);
        assert!(peer.is_none(), "a test is no runner");
        let mem = std::fs::File::open("/proc/self/mem").unwrap();
        let read = |at, words: &mut [u64]| {
            let mut bytes = vec![0; words.len() * 8];
            std::os::unix::fs::FileExt::read_exact_at(&mem, &mut bytes, at).ok()?;
            let chunks = bytes.as_chunks().0.iter();
            words.iter_mut().zip(chunks).for_each(|(w, b)| *w = u64::from_le_bytes(*b));
            Some(())
        };
        let mut table = Table::default();
        table.writer().heap(0x5000);
        table.writer().stack_and_vdso((1, 2), 3);
        // More than a chunk, with holes, joined and split in every way.
        let mut x = 1u64;
        for n in 0..5000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let start = (x >> 33) % 900 * PAGE;
            let end = start + (1 + (x >> 50) % 3) * PAGE;
            if n % 3 == 0 {
                table.remove(start, end);
            } else {
                table.insert(start, end, (n % 8) as u8);
            }
            if n % 500 == 0 || n == 4999 {
                let view = View::read(table.writer().address(), read).unwrap();
                assert_eq!(view.areas, table.within(0, u64::MAX));
                assert_eq!((view.heap, view.stack, view.vdso), (0x5000, (1, 2), 3));
            }
        }
        let all = table.within(0, u64::MAX);
        assert!(all.len() > 2 * AREAS, "{}", all.len());
        let view = View { areas: all, ..View::default() };
        let (start, end) = (123 * PAGE + 8, 456 * PAGE + 8);
        assert_eq!(view.within(start, end).collect::<Vec<_>>(), table.within(start, end));
    }
}
