//! What is known of the io_uring rings of this process: where the guest has mapped them, and by which
//! descriptors and indices of its threads it names them.
//!
//! No lock: a fork at any moment leaves it usable.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::{host, uring};

/// `IORING_SETUP_NO_MMAP`: the rings lie in memory of the guest's.
pub(super) const SETUP_NO_MMAP: u32 = 1 << 14;
/// Offsets at which the parts of a ring are mapped.
const OFF_SQ_RING: u64 = 0;
const OFF_SQES: u64 = 0x1000_0000;
/// Rings that a thread can register (`IO_RINGFD_REG_MAX`).
pub(super) const REGISTERED: usize = 16;

/// One ring. It is forgotten when it has neither descriptor nor index.
pub(super) struct Ring {
    /// Descriptor and 1; 0 is none, -1 a ring that is being noted.
    fd: AtomicI32,
    /// Threads that have registered it, once for each index.
    indices: AtomicU32,
    /// Flags of io_uring_setup(2).
    pub(super) setup: AtomicU32,
    /// Guest addresses of the mapped parts, 0 before that.
    pub(super) ring: AtomicU64,
    pub(super) sqes: AtomicU64,
    /// Offsets in the first part.
    pub(super) head: AtomicU32,
    pub(super) tail: AtomicU32,
    pub(super) mask: AtomicU32,
    pub(super) array: AtomicU32,
}

const RINGS: usize = 256;
static TABLE: [Ring; RINGS] = [const {
    Ring {
        fd: AtomicI32::new(0),
        indices: AtomicU32::new(0),
        setup: AtomicU32::new(0),
        ring: AtomicU64::new(0),
        sqes: AtomicU64::new(0),
        head: AtomicU32::new(0),
        tail: AtomicU32::new(0),
        mask: AtomicU32::new(0),
        array: AtomicU32::new(0),
    }
}; RINGS];
/// There was a ring.
static ANY: AtomicBool = AtomicBool::new(false);

/// Place and 1 in the table by index of the thread; 0 is none.
struct Indices([Cell<u16>; REGISTERED]);

impl Drop for Indices {
    fn drop(&mut self) {
        (0..REGISTERED).for_each(|at| self.set(at, 0));
    }
}

impl Indices {
    fn set(&self, index: usize, place: u16) {
        let ring = |place: u16| TABLE.get(usize::from(place).wrapping_sub(1));
        if let Some(r) = ring(place) {
            r.indices.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(r) = self.0.get(index).and_then(|cell| ring(cell.replace(place))) {
            r.indices.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

thread_local! {
    static INDICES: Indices = const { Indices([const { Cell::new(0) }; REGISTERED]) };
}

/// How a call names a ring.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    /// By descriptor.
    Fd(i32),
    /// By an index of the thread's registered rings.
    Index(u32),
}

impl Name {
    /// The ring, if it was made by this process.
    pub(super) fn ring(self) -> Option<&'static Ring> {
        TABLE.get(self.place()?)
    }
    fn place(self) -> Option<usize> {
        if !ANY.load(Ordering::Acquire) {
            return None;
        }
        match self {
            Name::Fd(fd) if fd < 0 => None,
            Name::Fd(fd) => by_fd(fd).or_else(|| by_file(fd, |_| true)),
            // The indices of a thread whose storage is lent are the lender's.
            Name::Index(_) if uring::is_lent() => None,
            Name::Index(at) => {
                INDICES.with(|own| usize::from(own.0.get(at as usize)?.get()).checked_sub(1))
            }
        }
    }
}

fn by_fd(fd: i32) -> Option<usize> {
    TABLE.iter().position(|r| r.fd.load(Ordering::Acquire) == fd + 1)
}

/// The ring that a descriptor of another number leads to: a copy by dup(2), or sent over a socket.
fn by_file(fd: i32, among: impl Fn(&Ring) -> bool) -> Option<usize> {
    TABLE.iter().position(|r| {
        let other = r.fd.load(Ordering::Acquire);
        other > 0 && among(r) && host::is_same_file(fd, other - 1)
    })
}

/// Notes where the guest has mapped a part of a ring.
pub(crate) fn mapped(fd: i32, offset: u64, at: u64) {
    if fd < 0 || !ANY.load(Ordering::Acquire) {
        return;
    }
    let part: fn(&Ring) -> &AtomicU64 = match offset {
        OFF_SQ_RING => |r| &r.ring,
        OFF_SQES => |r| &r.sqes,
        _ => return,
    };
    let unmapped = |r: &Ring| part(r).load(Ordering::Relaxed) == 0;
    if let Some(place) = by_fd(fd).or_else(|| by_file(fd, unmapped)) {
        part(&TABLE[place]).store(at, Ordering::Release);
    }
}

/// Forgets descriptors that are closed.
pub(crate) fn closed(first: u32, last: u32) {
    if !ANY.load(Ordering::Acquire) {
        return;
    }
    for r in &TABLE {
        let fd = r.fd.load(Ordering::Acquire);
        if fd > 0 && (first..=last).contains(&(fd as u32 - 1)) {
            let _ = r.fd.compare_exchange(fd, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

/// In a forked child: the registered rings of the parent's threads are not the child's.
pub(crate) fn forked() {
    if !ANY.load(Ordering::Acquire) {
        return;
    }
    INDICES.with(|own| own.0.iter().for_each(|cell| cell.set(0)));
    for r in &TABLE {
        r.indices.store(0, Ordering::Relaxed);
        // Another thread of the parent was about to note it.
        let _ = r.fd.compare_exchange(-1, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Notes that the calling thread has given a ring an index.
pub(super) fn register(index: u32, fd: i32) {
    let place = Name::Fd(fd).place().map_or(0, |at| at as u16 + 1);
    INDICES.with(|own| own.set(index as usize, place));
}

/// Notes that an index of the calling thread is free.
pub(super) fn unregister(index: u32) {
    INDICES.with(|own| own.set(index as usize, 0));
}

/// `struct io_uring_params`, of which 32-bit words are named by their place.
pub(super) type Params = [u8; 120];
pub(super) const P_FLAGS: usize = 8;
/// `sq_off`: head, tail, ring_mask, ring_entries, flags, dropped, array, resv1, user_addr.
const P_SQ_OFF: usize = 40;
/// `cq_off.user_addr`.
const P_CQ_USER: usize = 112;

/// Keeps what `params` says about a new ring; `None` if there are too many.
pub(super) fn note(name: Name, p: &Params) -> Option<()> {
    if let Name::Fd(fd) = name {
        // One that was closed without close(2) had the same number.
        closed(fd as u32, fd as u32);
    }
    let place = TABLE.iter().position(|r| {
        let take = r.fd.compare_exchange(0, -1, Ordering::AcqRel, Ordering::Relaxed);
        // One with indices lives on.
        let free = take.is_ok() && r.indices.load(Ordering::Acquire) == 0;
        if take.is_ok() && !free {
            r.fd.store(0, Ordering::Release);
        }
        free
    })?;
    let r = &TABLE[place];
    r.setup.store(word(p, P_FLAGS), Ordering::Relaxed);
    r.lies(p);
    ANY.store(true, Ordering::Release);
    match name {
        Name::Fd(fd) => r.fd.store(fd + 1, Ordering::Release),
        Name::Index(at) => {
            INDICES.with(|own| own.set(at as usize, place as u16 + 1));
            r.fd.store(0, Ordering::Release);
        }
    }
    Some(())
}

impl Ring {
    /// Keeps where things are, as `params` says; mapped parts are mapped afterwards.
    pub(super) fn lies(&self, p: &Params) {
        let own = self.setup.load(Ordering::Relaxed) & SETUP_NO_MMAP != 0;
        let user = |at| if own { long(p, at) } else { 0 };
        self.head.store(word(p, P_SQ_OFF), Ordering::Relaxed);
        self.tail.store(word(p, P_SQ_OFF + 4), Ordering::Relaxed);
        self.mask.store(word(p, P_SQ_OFF + 8), Ordering::Relaxed);
        self.array.store(word(p, P_SQ_OFF + 24), Ordering::Relaxed);
        self.sqes.store(user(P_SQ_OFF + 32), Ordering::Release);
        self.ring.store(user(P_CQ_USER), Ordering::Release);
    }
}

/// A 32-bit word of a structure, 0 outside it.
pub(super) fn word(p: &[u8], at: usize) -> u32 {
    p.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// A 64-bit word of a structure, 0 outside it.
pub(super) fn long(p: &[u8], at: usize) -> u64 {
    p.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}
