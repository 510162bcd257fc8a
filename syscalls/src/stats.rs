//! What guests asked for and did not get, counted for `--stats` and `-d unimp`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::table::calls;

/// What was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A call number no row has.
    Syscall = 1,
    /// An ioctl request no row has.
    Ioctl,
    /// An fcntl command.
    Fcntl,
    /// A prctl operation.
    Prctl,
}

const SLOTS: usize = 128;
/// Open-addressed; a slot's key never changes once set. Lock-free, because a lock held by another
/// thread at fork would stay held in the child.
static KEYS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
static COUNTS: [AtomicU32; SLOTS] = [const { AtomicU32::new(0) }; SLOTS];

/// Counts one refusal. When the table is full, further kinds of refusal go uncounted.
pub(crate) fn missed(kind: Kind, value: u32) {
    let key = (kind as u64) << 32 | u64::from(value);
    let start = (value.wrapping_mul(0x9e37_79b9) >> 25) as usize;
    for i in 0..SLOTS {
        let slot = (start + i) % SLOTS;
        let seen = KEYS[slot].compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed);
        if seen.is_ok() || seen == Err(key) {
            if COUNTS[slot].fetch_add(1, Ordering::Relaxed) == 0 {
                log::debug!(target: "remu::syscall", "{kind:?} {value:#x} is not provided");
            }
            return;
        }
    }
}

/// One line per thing refused so far: `count what`.
pub fn report() -> String {
    let mut out = String::new();
    for call in calls::ALL {
        let n = call.missed.load(Ordering::Relaxed);
        if n > 0 {
            let _ = writeln!(out, "{n} {}: {}", call.name, call.note);
        }
    }
    for (key, count) in KEYS.iter().zip(&COUNTS) {
        let (key, count) = (key.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
        let name = match key >> 32 {
            1 => "system call number",
            2 => "ioctl request",
            3 => "fcntl command",
            4 => "prctl operation",
            _ => continue,
        };
        let _ = writeln!(out, "{count} {name} {:#x}", key as u32);
    }
    out
}
