//! Region formation: discovers the control flow from an entry along direct
//! branches, then lifts it block by block.

use remu_ir::{Builder, ExitKind};

use crate::{Flow, Isa, Key, Lift, Scan};

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
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { blocks: 64, insns: 512, ops: 24_000 }
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
/// Positions in the window, at 2-byte steps.
const WINDOW: usize = (2 * REACH / 2) as usize;

/// Code bytes around the entry, fetched page by page.
struct Window<'a> {
    source: &'a mut dyn Fetch,
    base: u64,
    bytes: Vec<u8>,
    /// Valid bytes of each page, `None` before it was fetched.
    pages: Vec<Option<usize>>,
}

const PAGE: u64 = 4096;

impl Window<'_> {
    /// Up to `n` bytes at `pc`.
    fn at(&mut self, pc: u64, n: usize) -> &[u8] {
        let off = pc.wrapping_sub(self.base) as usize;
        let mut end = off;
        while end < off + n && end < self.bytes.len() {
            let page = end / PAGE as usize;
            let start = page * PAGE as usize;
            let have = match self.pages[page] {
                Some(have) => have,
                None => {
                    let buf = &mut self.bytes[start..start + PAGE as usize];
                    let have = self.source.fetch(self.base + start as u64, buf);
                    self.pages[page] = Some(have);
                    have
                }
            };
            let stop = start + have;
            if stop <= end {
                break;
            }
            end = stop.min(off + n);
            if have < PAGE as usize {
                break;
            }
        }
        self.bytes.get(off..end).unwrap_or(&[])
    }
}

const SEEN: u8 = 1;
const LEADER: u8 = 2;
const POLL: u8 = 4;

/// Forms the region that starts at `entry` and lifts it into `b`, which the
/// caller has reset. A first instruction that cannot be fetched becomes a
/// fault exit.
pub fn form(
    isa: &dyn Isa,
    b: &Builder,
    source: &mut dyn Fetch,
    entry: u64,
    key: Key,
    limits: Limits,
) -> Shape {
    let base = (entry & !(PAGE - 1)).saturating_sub(REACH - PAGE);
    let size = (2 * REACH) as usize;
    let mut win =
        Window { source, base, bytes: vec![0; size], pages: vec![None; size / PAGE as usize] };
    let mut marks = [0u8; WINDOW];
    let found = discover(isa, &mut win, &mut marks, entry, key, limits);
    lift_all(isa, b, &mut win, &marks, &found, entry, key, limits)
}

/// Finds the instructions of the region, sorted by address.
fn discover(
    isa: &dyn Isa,
    win: &mut Window<'_>,
    marks: &mut [u8],
    entry: u64,
    key: Key,
    limits: Limits,
) -> Vec<(u64, Scan)> {
    let index = |base: u64, pc: u64| -> Option<usize> {
        let off = pc.wrapping_sub(base);
        (off < 2 * REACH && off & 1 == 0).then_some((off / 2) as usize)
    };
    let base = win.base;
    let mut found: Vec<(u64, Scan)> = Vec::with_capacity(128);
    let mut work = vec![entry];
    let mut blocks = 1;
    if let Some(i) = index(base, entry) {
        marks[i] |= LEADER | POLL;
    }
    let mut next_work = 0;
    while next_work < work.len() {
        let mut pc = work[next_work];
        next_work += 1;
        while let Some(i) = index(base, pc) {
            if marks[i] & SEEN != 0 || found.len() >= limits.insns {
                break;
            }
            let Some(scan) = isa.scan(win.at(pc, isa.max_insn_len()), pc, key) else { break };
            marks[i] |= SEEN;
            found.push((pc, scan));
            let next = pc.wrapping_add(u64::from(scan.len));
            let mut lead = |to: u64, poll: bool| {
                if let Some(t) = index(base, to) {
                    if marks[t] & LEADER == 0 {
                        if blocks >= limits.blocks {
                            return;
                        }
                        blocks += 1;
                        work.push(to);
                    }
                    marks[t] |= LEADER | if poll { POLL } else { 0 };
                }
            };
            match scan.flow {
                Flow::Next => {}
                Flow::Cond => lead(scan.target, scan.target <= pc),
                Flow::Jump => {
                    lead(scan.target, scan.target <= pc);
                    break;
                }
                Flow::Call | Flow::CallIndirect | Flow::Exit => {
                    if !win.source.translated(next) {
                        lead(next, false);
                    }
                    break;
                }
                Flow::Indirect | Flow::Ret | Flow::Stop => break,
            }
            pc = next;
        }
    }
    found.sort_unstable_by_key(|f| f.0);
    found
}

/// Lifts the discovered instructions in address order.
fn lift_all(
    isa: &dyn Isa,
    b: &Builder,
    win: &mut Window<'_>,
    marks: &[u8],
    found: &[(u64, Scan)],
    entry: u64,
    key: Key,
    limits: Limits,
) -> Shape {
    let Some(&(start, _)) = found.first() else {
        b.block(entry, false);
        b.insn(entry);
        b.exit(ExitKind::Fault, entry);
        return Shape { insns: 0, start: entry, end: entry.wrapping_add(1) };
    };
    let mut shape = Shape { insns: 0, start, end: start };
    let mut expect = start;
    for &(pc, scan) in found {
        let mark = marks[(pc.wrapping_sub(win.base) / 2) as usize];
        if b.is_open() && (pc != expect || mark & LEADER != 0) {
            b.goto(expect);
        }
        expect = pc.wrapping_add(u64::from(scan.len));
        if !b.is_open() {
            // The entry is always lifted; past the limit the rest is left to other regions.
            if b.len() > limits.ops && pc != entry {
                continue;
            }
            b.block(pc, mark & POLL != 0);
        }
        b.insn(pc);
        isa.lift(&Lift::new(b, pc, scan.len, key), win.at(pc, isa.max_insn_len()));
        shape.insns += 1;
        shape.end = shape.end.max(expect);
    }
    if b.is_open() {
        b.goto(expect);
    }
    shape
}
