//! Region formation: discovers the control flow from an entry along direct
//! branches, then lifts it block by block.

use remu_ir::{Builder, ExitKind};

use crate::{Flow, Isa, Key, Lift};

/// Reads guest code.
pub trait Fetch {
    /// Copies executable bytes at `addr` into `buf`; returns how many were
    /// there, less than asked for where they end.
    fn fetch(&mut self, addr: u64, buf: &mut [u8]) -> usize;
    /// Whether code at `pc` was translated before. Where a call returns to such
    /// code, the region ends there: lifting it again would save nothing.
    fn translated(&self, pc: u64) -> bool {
        let _ = pc;
        false
    }
}

/// Bounds of a region.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most blocks.
    pub blocks: usize,
    /// Most guest instructions.
    pub insns: usize,
    /// Most IR instructions.
    pub ops: usize,
    /// Nothing beyond the page of the entry, but for an instruction there that reaches into
    /// the next.
    pub within_page: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { blocks: 64, insns: 512, ops: 24_000, within_page: false }
    }
}

/// What was formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Guest instructions lifted.
    pub insns: usize,
    /// Lowest guest address covered.
    pub start: u64,
    /// One past the highest guest address covered.
    pub end: u64,
}

/// Bytes before and behind the entry that a region may reach.
const REACH: u64 = 8192;
/// Bytes of the window around the entry.
const WINDOW: usize = 2 * REACH as usize;
/// Bytes fetched at once.
const CHUNK: usize = 1024;
const PAGE: u64 = 4096;

/// What is known of a place where an instruction may begin, two bytes apart:
/// how long the instruction there is (0: none was found), and these.
const LENGTH: u8 = 15;
const LEADER: u8 = 1 << 4;
const POLL: u8 = 1 << 5;

/// Forms regions. Holds memory that is used for one after the other.
#[derive(Debug)]
pub struct Former {
    /// Guest address of the window's start.
    base: u64,
    /// Start and length of the part of the window that instructions may begin in.
    part: (u64, u64),
    bytes: Box<[u8; WINDOW]>,
    /// Bytes there are of each chunk, counted from its start, if it was fetched.
    chunks: [Option<u16>; WINDOW / CHUNK],
    marks: Box<[u8; WINDOW / 2]>,
    /// The marks that may be set.
    dirty: (usize, usize),
    work: Vec<u64>,
    /// What is guessed of each entry of `work`, and of each block by its mark.
    guesses: Vec<u32>,
    blocks: Vec<(usize, u32)>,
}

impl Default for Former {
    fn default() -> Former {
        Former {
            base: 0,
            part: (0, 0),
            bytes: Box::new([0; WINDOW]),
            chunks: [None; WINDOW / CHUNK],
            marks: Box::new([0; WINDOW / 2]),
            dirty: (0, 0),
            work: Vec::new(),
            guesses: Vec::new(),
            blocks: Vec::new(),
        }
    }
}

/// Forms one region; see [`Former::form`].
pub fn form(
    isa: &dyn Isa,
    b: &Builder,
    source: &mut dyn Fetch,
    entry: u64,
    key: Key,
    limits: Limits,
) -> Shape {
    Former::default().form(isa, b, source, entry, key, limits)
}

/// The lowest mark and the one behind the highest that discovery found.
struct Found {
    first: usize,
    end: usize,
}

impl Former {
    /// Forms the region that starts at `entry` and lifts it into `b`, which the
    /// caller has reset. A first instruction that cannot be fetched becomes a
    /// fault exit.
    pub fn form(
        &mut self,
        isa: &dyn Isa,
        b: &Builder,
        source: &mut dyn Fetch,
        entry: u64,
        key: Key,
        limits: Limits,
    ) -> Shape {
        self.base = (entry & !(PAGE - 1)).saturating_sub(REACH - PAGE);
        self.part = (self.base, WINDOW as u64);
        if limits.within_page {
            self.part = (entry & !(PAGE - 1), PAGE);
        }
        self.chunks = [None; WINDOW / CHUNK];
        let (first, end) = core::mem::replace(&mut self.dirty, (WINDOW, 0));
        if let Some(old) = self.marks.get_mut(first..end) {
            old.fill(0);
        }
        let found = self.discover(isa, source, entry, key, limits);
        self.lift(isa, b, source, found, entry, key, limits)
    }

    /// Number of the mark for an address.
    fn index(&self, pc: u64) -> Option<usize> {
        let inside = pc.wrapping_sub(self.part.0) < self.part.1 && pc & 1 == 0;
        inside.then_some((pc.wrapping_sub(self.base) / 2) as usize)
    }

    fn mark(&mut self, n: usize, with: u8) {
        self.marks[n] |= with;
        self.dirty = (self.dirty.0.min(n), self.dirty.1.max(n + 1));
    }

    /// Up to `n` bytes at `pc`, which is in the window.
    #[inline]
    fn at(&mut self, source: &mut dyn Fetch, pc: u64, n: usize) -> &[u8] {
        let off = pc.wrapping_sub(self.base) as usize;
        let end = (off + n).min(WINDOW);
        let have = self.chunks.get(off / CHUNK).copied().flatten().map_or(0, usize::from);
        if off % CHUNK + n > have {
            return self.at_edge(source, off, end);
        }
        self.bytes.get(off..end).unwrap_or(&[])
    }
    /// The same where a chunk ends or was not fetched.
    #[cold]
    fn at_edge(&mut self, source: &mut dyn Fetch, off: usize, want: usize) -> &[u8] {
        let mut end = off;
        while end < want {
            let chunk = end / CHUNK;
            let start = chunk * CHUNK;
            let have = match self.chunks[chunk] {
                Some(have) => usize::from(have),
                None => {
                    let buf = &mut self.bytes[start..start + CHUNK];
                    let have = source.fetch(self.base.wrapping_add(start as u64), buf);
                    self.chunks[chunk] = Some(have as u16);
                    have
                }
            };
            let stop = (start + have).min(want);
            if stop <= end {
                break;
            }
            end = stop;
        }
        self.bytes.get(off..end).unwrap_or(&[])
    }

    /// Finds the instructions of the region and marks them.
    fn discover(
        &mut self,
        isa: &dyn Isa,
        source: &mut dyn Fetch,
        entry: u64,
        key: Key,
        limits: Limits,
    ) -> Found {
        let max_len = isa.max_insn_len();
        let mut found = Found { first: WINDOW, end: 0 };
        let mut insns = 0;
        let mut blocks = 1;
        let guesses = isa.guesses();
        self.blocks.clear();
        self.guesses.clear();
        self.guesses.push(key.0);
        self.work.clear();
        self.work.push(entry);
        if let Some(i) = self.index(entry) {
            self.mark(i, LEADER | POLL);
        }
        let mut next_work = 0;
        while let Some(&(mut pc)) = self.work.get(next_work) {
            let mut guess = self.guesses[next_work];
            next_work += 1;
            while let Some(i) = self.index(pc) {
                if self.marks[i] & LENGTH != 0 || insns >= limits.insns {
                    break;
                }
                let Some(scan) = isa.scan(self.at(source, pc, max_len), pc, key) else { break };
                self.mark(i, scan.len & LENGTH);
                insns += 1;
                found.first = found.first.min(i);
                found.end = found.end.max(i + 1);
                let next = pc.wrapping_add(u64::from(scan.len));
                if guesses {
                    if self.marks[i] & LEADER != 0 && self.blocks.iter().all(|b| b.0 != i) {
                        self.blocks.push((i, guess));
                    }
                    guess = isa.guess(self.at(source, pc, max_len), key, guess);
                }
                let (to, more) = match scan.flow {
                    Flow::Next => (None, true),
                    Flow::Cond => (Some(scan.target), true),
                    Flow::Jump => (Some(scan.target), false),
                    Flow::Call | Flow::CallIndirect | Flow::Exit => {
                        ((!source.translated(next)).then_some(next), false)
                    }
                    Flow::Indirect | Flow::Ret | Flow::Stop => (None, false),
                };
                if let Some(to) = to
                    && let Some(t) = self.index(to)
                    && (self.marks[t] & LEADER != 0 || blocks < limits.blocks)
                {
                    if self.marks[t] & LEADER == 0 {
                        blocks += 1;
                        self.work.push(to);
                        self.guesses.push(guess);
                        if guesses {
                            self.blocks.push((t, guess));
                        }
                    }
                    // A jump back polls by itself: often it is a cold path's way
                    // back to code that does not loop.
                    let poll = to <= pc && matches!(scan.flow, Flow::Cond);
                    self.mark(t, LEADER | if poll { POLL } else { 0 });
                }
                if !more {
                    break;
                }
                pc = next;
            }
        }
        found
    }

    /// Lifts the marked instructions in address order.
    fn lift(
        &mut self,
        isa: &dyn Isa,
        b: &Builder,
        source: &mut dyn Fetch,
        found: Found,
        entry: u64,
        key: Key,
        limits: Limits,
    ) -> Shape {
        if found.first >= found.end {
            b.block(entry, false);
            b.insn(entry);
            b.exit(ExitKind::Fault, entry);
            return Shape { insns: 0, start: entry, end: entry.wrapping_add(1) };
        }
        let max_len = isa.max_insn_len();
        let start = self.base + found.first as u64 * 2;
        let mut shape = Shape { insns: 0, start, end: start };
        let mut expect = start;
        let mut open = false;
        // Guesses for the open block's start, and for where lifting is.
        let (mut guess, mut running) = (key.0, key.0);
        for n in found.first..found.end {
            let mark = self.marks[n];
            let len = mark & LENGTH;
            if len == 0 {
                continue;
            }
            let pc = self.base + n as u64 * 2;
            if open && (pc != expect || mark & LEADER != 0) {
                b.goto(expect);
                open = false;
            }
            expect = pc.wrapping_add(u64::from(len));
            if !open {
                // The entry is always lifted; past the limit the rest is left to other regions.
                if b.len() > limits.ops && pc != entry {
                    continue;
                }
                b.block(pc, mark & POLL != 0);
                let known = self.blocks.iter().find(|b| b.0 == n);
                guess = known.map_or(running, |b| b.1);
                running = guess;
            }
            b.insn(pc);
            isa.lift(&Lift::new(b, pc, len, key).guessing(guess), self.at(source, pc, max_len));
            if isa.guesses() {
                running = isa.guess(self.at(source, pc, max_len), key, running);
            }
            open = b.is_open();
            shape.insns += 1;
            shape.end = shape.end.max(expect);
        }
        if open {
            b.goto(expect);
        }
        shape
    }
}
