//! Breakpoints and watchpoints of a machine, and what has come of them. The translator reads code with the
//! breakpoints laid over it; the guest's memory does not change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// Why a processor has stopped by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It is at a breakpoint.
    Break,
    /// It has made its step.
    Step,
    /// It is before or behind an access that a watchpoint looks for.
    Watch(Watch),
}

/// What a watchpoint looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchKind {
    /// Writing.
    Write,
    /// Reading.
    Read,
    /// Both.
    Access,
}

/// A watchpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// First guest address.
    pub addr: u64,
    /// Bytes.
    pub len: u64,
    /// Which accesses.
    pub kind: WatchKind,
}

/// An access to a page with watchpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touched {
    /// Its guest address.
    pub addr: u64,
    /// The watchpoint that looks for it.
    pub watch: Option<Watch>,
}

/// What a debugger looks for in a machine. It changes while the processors stand still.
#[derive(Default)]
pub struct Points {
    has_breaks: AtomicBool,
    has_watches: AtomicBool,
    breaks: RwLock<BTreeMap<u64, &'static [u8]>>,
    watches: RwLock<Vec<Watch>>,
    stops: Mutex<VecDeque<(usize, Stop)>>,
    told: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

const PAGE: u64 = crate::bus::PAGE;

/// Some processors ignore the top byte of an address.
fn plain(va: u64) -> u64 {
    ((va << 8) as i64 >> 8) as u64
}

impl Points {
    /// Replaces all breakpoints: the instruction at each. The addresses where something has changed, whose
    /// translations are void.
    pub fn set_breaks(&self, new: BTreeMap<u64, &'static [u8]>) -> Vec<u64> {
        let mut now = self.breaks.write().unwrap_or_else(PoisonError::into_inner);
        let gone = now.iter().filter(|(at, code)| new.get(at) != Some(code)).map(|(at, _)| *at);
        let come = new.iter().filter(|(at, code)| now.get(at) != Some(code)).map(|(at, _)| *at);
        let changed = gone.chain(come).collect();
        self.has_breaks.store(!new.is_empty(), Ordering::Release);
        *now = new;
        changed
    }
    /// Replaces all watchpoints; whether that changes anything, so that TLBs have to be emptied.
    pub fn set_watches(&self, new: Vec<Watch>) -> bool {
        let mut now = self.watches.write().unwrap_or_else(PoisonError::into_inner);
        self.has_watches.store(!new.is_empty(), Ordering::Release);
        let changed = *now != new;
        *now = new;
        changed
    }
    /// Whether there is a breakpoint at a guest address.
    pub fn is_break(&self, va: u64) -> bool {
        self.has_breaks.load(Ordering::Acquire)
            && self.breaks.read().unwrap_or_else(PoisonError::into_inner).contains_key(&va)
    }
    /// Replaces code read from a guest address by the breakpoints there.
    pub fn lay_over(&self, va: u64, code: &mut [u8]) {
        if !self.has_breaks.load(Ordering::Acquire) {
            return;
        }
        let breaks = self.breaks.read().unwrap_or_else(PoisonError::into_inner);
        // One that begins up to 3 bytes earlier reaches in.
        let last = va.saturating_add(code.len() as u64);
        for (at, insn) in breaks.range(va.saturating_sub(3)..last) {
            for (n, byte) in insn.iter().enumerate() {
                let offset = at.wrapping_add(n as u64).wrapping_sub(va);
                if let Some(to) = usize::try_from(offset).ok().and_then(|o| code.get_mut(o)) {
                    *to = *byte;
                }
            }
        }
    }
    /// What an access of `len` bytes touches: `None` where no page of it has watchpoints.
    pub fn touch(&self, addr: u64, len: u64, reads: bool, writes: bool) -> Option<Touched> {
        if !self.has_watches.load(Ordering::Acquire) {
            return None;
        }
        let watches = self.watches.read().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (plain(addr), plain(addr).saturating_add(len));
        let near = |w: &&Watch| {
            plain(w.addr) & !(PAGE - 1) < to
                && from < (plain(w.addr).saturating_add(w.len) | (PAGE - 1))
        };
        let hit = |w: &&Watch| {
            let kind = match w.kind {
                WatchKind::Write => writes,
                WatchKind::Read => reads,
                WatchKind::Access => true,
            };
            kind && plain(w.addr) < to && from < plain(w.addr).saturating_add(w.len)
        };
        watches.iter().find(near)?;
        Some(Touched { addr, watch: watches.iter().find(hit).copied() })
    }

    /// Notes that a processor has stopped by itself, and tells the debugger.
    pub fn stopped(&self, cpu: usize, why: Stop) {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).push_back((cpu, why));
        if let Some(told) = self.told.get() {
            told();
        }
    }
    /// Takes what has happened since the last time.
    pub fn take_stops(&self) -> VecDeque<(usize, Stop)> {
        std::mem::take(&mut *self.stops.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// Sets what is called when a processor has stopped. The first call counts.
    pub fn on_stop(&self, told: Box<dyn Fn() + Send + Sync>) {
        // A machine has one server.
        let _ = self.told.set(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakpoints_cover_what_is_read_of_them() {
        let p = Points::default();
        let breaks = [(0x1000, &[1u8, 2, 3, 4][..]), (0x100a, &[5, 6])];
        assert_eq!(p.set_breaks(breaks.into()), [0x1000, 0x100a]);
        let mut code = [0; 12];
        p.lay_over(0x1000, &mut code);
        assert_eq!(code, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 5, 6]);
        let mut tail = [0; 4];
        p.lay_over(0x1002, &mut tail);
        assert_eq!(tail, [3, 4, 0, 0]);
        assert!(p.is_break(0x100a) && !p.is_break(0x100b));
        assert_eq!(p.set_breaks([(0x1000, &[1u8, 2, 3, 4][..])].into()), [0x100a]);
        assert_eq!(p.set_breaks(BTreeMap::new()), [0x1000]);
        assert!(!p.is_break(0x1000));
    }

    #[test]
    fn watchpoints_see_accesses_that_overlap() {
        let p = Points::default();
        let watch = Watch { addr: 0x1010, len: 4, kind: WatchKind::Write };
        assert_eq!(p.touch(0x1010, 4, false, true), None);
        assert!(p.set_watches(vec![watch]) && !p.set_watches(vec![watch]));
        let found = |addr, len, writes: bool| p.touch(addr, len, !writes, writes).map(|t| t.watch);
        assert_eq!(found(0x2000, 8, true), None);
        assert_eq!(found(0x1008, 8, true), Some(None));
        assert_eq!(found(0x1008, 9, true), Some(Some(watch)));
        assert_eq!(found(0x1010, 4, false), Some(None));
        assert_eq!(found(0xab << 56 | 0x1013, 1, true), Some(Some(watch)));
        assert_eq!(found(0xfff, 2, true), Some(None));
    }
}
