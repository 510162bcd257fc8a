//! Breakpoints and watchpoints of a debugger outside. They lie in the tracee, where its debugger writes
//! them while it is stopped: the translator reads code with the breakpoints laid over it, and the
//! guest's memory does not change.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a debugger looks for in one process.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Points {
    break_count: AtomicU64,
    watch_count: AtomicU64,
    /// Address, and what [`Code`] makes of the instruction there.
    breaks: [[AtomicU64; 2]; Points::BREAKS],
    /// Start, end, and [`access`] bits.
    watches: [[AtomicU64; 3]; Points::WATCHES],
}

/// Kinds of access that a watchpoint looks for.
pub(crate) mod access {
    pub(crate) const READ: u64 = 1;
    pub(crate) const WRITE: u64 = 2;
}

/// The instruction of a breakpoint as it is kept: at most 4 bytes, and how many above them.
pub(crate) struct Code;

impl Code {
    fn pack(bytes: &[u8]) -> u64 {
        let word = bytes.iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b));
        word & 0xffff_ffff | (bytes.len() as u64) << 32
    }
    fn unpack(word: u64) -> ([u8; 4], usize) {
        ((word as u32).to_le_bytes(), ((word >> 32) as usize).min(4))
    }
}

impl Points {
    /// Most breakpoints of a process.
    pub(crate) const BREAKS: usize = 4096;
    /// Most watchpoints of a process.
    pub(crate) const WATCHES: usize = 64;

    const fn new() -> Points {
        Points {
            break_count: AtomicU64::new(0),
            watch_count: AtomicU64::new(0),
            breaks: [const { [const { AtomicU64::new(0) }; 2] }; Points::BREAKS],
            watches: [const { [const { AtomicU64::new(0) }; 3] }; Points::WATCHES],
        }
    }

    /// Replaces code read from `addr` by the breakpoints there.
    pub(crate) fn lay_over(&self, addr: u64, code: &mut [u8]) {
        let count = self.break_count.load(Ordering::Acquire) as usize;
        if count == 0 {
            return;
        }
        for [at, word] in &self.breaks[..count.min(Points::BREAKS)] {
            let (bytes, len) = Code::unpack(word.load(Ordering::Relaxed));
            let at = at.load(Ordering::Relaxed);
            for (n, byte) in bytes[..len].iter().enumerate() {
                let offset = at.wrapping_add(n as u64).wrapping_sub(addr);
                if let Some(to) = usize::try_from(offset).ok().and_then(|o| code.get_mut(o)) {
                    *to = *byte;
                }
            }
        }
    }

    /// The first watchpoint that an access of this [`access`] kind concerns.
    pub(crate) fn watched(&self, addr: u64, len: u64, kind: u64) -> Option<u64> {
        let count = self.watch_count.load(Ordering::Acquire) as usize;
        let end = addr.saturating_add(len);
        let found = self.watches[..count.min(Points::WATCHES)].iter().position(|w| {
            let [start, stop, kinds] = [0, 1, 2].map(|n| w[n].load(Ordering::Relaxed));
            kinds & kind != 0 && start < end && addr < stop
        });
        found.map(|n| n as u64)
    }
}

/// This process's.
pub(crate) static POINTS: Points = Points::new();

/// What a debugger writes at the start of a [`Points`] in another process: its bytes, each with its
/// distance from the start.
pub(super) fn breaks_as_bytes<'a>(
    breaks: impl Iterator<Item = (u64, &'a [u8])>,
) -> [(usize, Vec<u8>); 2] {
    let mut count = 0u64;
    let mut entries = Vec::new();
    for (at, code) in breaks.take(Points::BREAKS) {
        entries.extend(at.to_le_bytes());
        entries.extend(Code::pack(code).to_le_bytes());
        count += 1;
    }
    let offset = std::mem::offset_of!(Points, breaks);
    [(offset, entries), (std::mem::offset_of!(Points, break_count), count.to_le_bytes().to_vec())]
}

/// The same for watchpoints: start, end, [`access`] bits.
pub(super) fn watches_as_bytes(watches: impl Iterator<Item = [u64; 3]>) -> [(usize, Vec<u8>); 2] {
    let mut count = 0u64;
    let mut entries = Vec::new();
    for words in watches.take(Points::WATCHES) {
        words.iter().for_each(|w| entries.extend(w.to_le_bytes()));
        count += 1;
    }
    let offset = std::mem::offset_of!(Points, watches);
    [(offset, entries), (std::mem::offset_of!(Points, watch_count), count.to_le_bytes().to_vec())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills in what a debugger would write.
    fn points(breaks: &[(u64, &[u8])], watches: &[[u64; 3]]) -> Box<Points> {
        let p = Box::new(Points::new());
        for (to, (at, code)) in p.breaks.iter().zip(breaks) {
            to[0].store(*at, Ordering::Relaxed);
            to[1].store(Code::pack(code), Ordering::Relaxed);
        }
        for (to, words) in p.watches.iter().zip(watches) {
            to.iter().zip(words).for_each(|(to, w)| to.store(*w, Ordering::Relaxed));
        }
        p.break_count.store(breaks.len() as u64, Ordering::Relaxed);
        p.watch_count.store(watches.len() as u64, Ordering::Relaxed);
        p
    }

    #[test]
    fn breakpoints_cover_what_is_read_of_them() {
        let p = points(&[(0x1000, &[1, 2, 3, 4]), (0x100a, &[5, 6])], &[]);
        let mut code = [0; 12];
        p.lay_over(0x1000, &mut code);
        assert_eq!(code, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 5, 6]);
        let mut tail = [0; 4];
        p.lay_over(0x1002, &mut tail);
        assert_eq!(tail, [3, 4, 0, 0]);
        p.lay_over(u64::MAX - 1, &mut tail);
        assert_eq!(tail, [3, 4, 0, 0]);
    }

    #[test]
    fn watchpoints_see_accesses_that_overlap() {
        let p = points(&[], &[[0x10, 0x14, access::WRITE], [0x20, 0x28, access::READ]]);
        assert_eq!(p.watched(0x8, 8, access::WRITE), None);
        assert_eq!(p.watched(0x8, 9, access::WRITE), Some(0));
        assert_eq!(p.watched(0x13, 1, access::READ), None);
        assert_eq!(p.watched(0x27, 8, access::READ | access::WRITE), Some(1));
    }

    #[test]
    fn the_debuggers_bytes_are_what_the_tracee_reads() {
        let [(at, entries), (count_at, count)] =
            breaks_as_bytes([(0x1000, &[7u8, 8][..])].into_iter());
        assert_eq!((at, count_at), (16, 0));
        assert_eq!(entries[..8], 0x1000u64.to_le_bytes());
        assert_eq!(entries[8..], [7, 8, 0, 0, 2, 0, 0, 0]);
        assert_eq!(count, 1u64.to_le_bytes());
        let [(at, entries), (count_at, _)] = watches_as_bytes([[1, 2, 3]].into_iter());
        assert_eq!((at, count_at, entries.len()), (16 + 16 * Points::BREAKS, 8, 24));
    }
}
