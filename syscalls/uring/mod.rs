//! io_uring: opcode numbers, and calls that the runner itself sends over a ring (`--io`).
//!
//! A guest's own rings are in `handlers/uring.rs`.

mod carry;
pub mod op;
mod ring;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use crate::{Errno, SysResult};
use ring::{Done, Ring};

/// How calls that may sleep reach the kernel (`--io`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Io {
    /// Over a ring where that is faster. Measured, it never is for one call at a time, so today this
    /// is the same as [`Io::Direct`]; see the README.
    #[default]
    Auto,
    /// Every call that a ring can carry without a difference that the guest sees.
    Uring,
    /// No ring.
    Direct,
}

static MODE: AtomicU8 = AtomicU8::new(Io::Auto as u8);
/// The kernel has refused a ring: it is not asked again.
static REFUSED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static RING: RefCell<Option<Ring>> = const { RefCell::new(None) };
    /// The thread's storage is in use by another process: no ring.
    static LENT: Cell<bool> = const { Cell::new(false) };
}

/// Chooses the mode, before the guest starts.
pub fn set_io(io: Io) {
    MODE.store(io as u8, Ordering::Relaxed);
}

/// In a forked child: the parent's ring is not the child's.
pub fn forked() {
    crate::handlers::rings::forked();
    RING.with_borrow_mut(|r| *r = None);
}

/// Says that the calling thread's storage belongs to a process that shares memory with it, or no
/// longer does. Such a process uses no ring.
pub fn set_lent(lent: bool) {
    LENT.set(lent);
}

/// Threads of this process that the kernel has made for work of the runner's rings, by number. It counts
/// and lists them among the guest's. `None` in a mode that has no rings.
pub fn workers() -> Option<Vec<i32>> {
    if MODE.load(Ordering::Relaxed) != Io::Uring as u8 {
        return None;
    }
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let is_worker = |path: &std::path::Path| {
        std::fs::read(path.join("comm")).is_ok_and(|name| name.starts_with(b"iou-"))
    };
    let workers = threads.flatten().filter(|thread| is_worker(&thread.path()));
    Some(workers.filter_map(|thread| thread.file_name().to_str()?.parse().ok()).collect())
}

/// True while the calling thread's storage is another process's.
pub(crate) fn is_lent() -> bool {
    LENT.get()
}

/// Whether calls go over rings where they can.
#[inline]
pub(crate) fn is_on() -> bool {
    MODE.load(Ordering::Relaxed) == Io::Uring as u8
}

/// Makes a host call over the thread's ring. `None`: make it directly. `restarts` says whether a call
/// that the waiting signal interrupted is made again.
#[inline]
pub(crate) fn carried(
    flag: &AtomicU32,
    nr: i64,
    args: &[u64; 6],
    restarts: impl FnOnce() -> bool,
) -> Option<SysResult<u64>> {
    if !is_on() {
        return None;
    }
    over_ring(flag, nr, args, restarts)
}

#[cold]
fn over_ring(
    flag: &AtomicU32,
    nr: i64,
    args: &[u64; 6],
    restarts: impl FnOnce() -> bool,
) -> Option<SysResult<u64>> {
    if REFUSED.load(Ordering::Relaxed) || LENT.get() {
        return None;
    }
    let entry = carry::entry(nr, args)?;
    let done = RING.with_borrow_mut(|slot| {
        if slot.is_none() {
            match Ring::new() {
                Ok(r) => *slot = Some(r),
                Err(e) => {
                    REFUSED.store(true, Ordering::Relaxed);
                    log::info!(target: "remu::io", "the kernel refuses a ring: {e}; calls go directly");
                }
            }
        }
        slot.as_mut().map_or(Done::Unable, |r| r.call(flag, entry))
    });
    match done {
        Done::Result(raw) => Some(Errno::from_raw(raw)),
        Done::NotStarted => Some(Err(Errno::RESTART)),
        Done::Interrupted => Some(Err(if restarts() { Errno::RESTART } else { Errno::EINTR })),
        Done::Unable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::carry::CARRIED;
    use crate::table::{Policy, calls};

    #[test]
    fn rows_say_what_is_carried() {
        let number = |name: &str| {
            let row = calls::ALL.iter().find(|c| c.name == name)?;
            match row.policy {
                Policy::Forward(nr) => Some(i64::from(nr)),
                _ => [("pwrite64", libc::SYS_pwrite64)].iter().find(|p| p.0 == name).map(|p| p.1),
            }
        };
        let rows = calls::ALL.iter().filter_map(|c| Some((number(c.name)?, c.uring?)));
        let mut rows: Vec<_> = rows.collect();
        let mut carried = CARRIED.to_vec();
        rows.sort_unstable();
        carried.sort_unstable();
        assert_eq!(rows, carried);
        assert!(calls::ALL.iter().all(|c| c.uring.is_none() || c.blocking));
    }
}
