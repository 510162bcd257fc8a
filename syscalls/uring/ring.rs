//! A ring of one thread, for one call at a time.
//!
//! It lies in memory of ours (`IORING_SETUP_NO_MMAP`) and is known to the kernel by an index of the thread
//! (`IORING_SETUP_REGISTERED_FD_ONLY`): there is no descriptor that the guest could see, close or inherit.
#![expect(unsafe_code, reason = "shares two pages with the kernel")]

use std::sync::atomic::{AtomicU32, Ordering};

use super::carry::Entry;
use super::op;
use crate::{Errno, SysResult, raw};

const PAGE: usize = 4096;
const ENTRIES: u64 = 8;
/// Flags of io_uring_setup(2): one thread submits and runs completions; see the top.
const SETUP: u32 = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15;
/// Flags of io_uring_enter(2): wait, ring by index.
const ENTER: u64 = 1 | 1 << 4;
/// `user_data` of the call and of what cancels it.
const CALL: u64 = 1;
const CANCEL: u64 = 2;

/// What became of a call.
pub(super) enum Done {
    /// The kernel's result.
    Result(i64),
    /// A signal was there before the call began.
    NotStarted,
    /// A signal came, and the call has had no effect.
    Interrupted,
    /// The ring does not do it.
    Unable,
}

/// The ring.
pub(super) struct Ring {
    /// Two pages: the queues, the entries.
    memory: *mut u8,
    index: u64,
    sq_head: usize,
    sq_tail: usize,
    sq_mask: u32,
    array: usize,
    cq_head: usize,
    cq_tail: usize,
    cq_mask: u32,
    cqes: usize,
}

impl Ring {
    /// Makes one for the calling thread.
    pub(super) fn new() -> SysResult<Ring> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a fresh mapping touches no existing memory.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), 2 * PAGE, prot, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(Errno::ENOMEM);
        }
        let mut ring = Ring {
            memory: memory.cast(),
            index: 0,
            sq_head: 0,
            sq_tail: 0,
            sq_mask: 0,
            array: 0,
            cq_head: 0,
            cq_tail: 0,
            cq_mask: 0,
            cqes: 0,
        };
        // struct io_uring_params as words: flags 2, sq_off 10 to 19, cq_off 20 to 29.
        let mut params = [0u32; 30];
        params[2] = SETUP;
        let put = |p: &mut [u32; 30], at: usize, v: u64| {
            (p[at], p[at + 1]) = (v as u32, (v >> 32) as u32);
        };
        put(&mut params, 18, memory as u64 + PAGE as u64);
        put(&mut params, 28, memory as u64);
        // SAFETY: params and both pages are live; the kernel pins the pages for the ring's life.
        let made = unsafe {
            let args = [ENTRIES, params.as_mut_ptr() as u64, 0, 0, 0, 0];
            raw::syscall(libc::SYS_io_uring_setup as u64, &args)
        };
        ring.index = Errno::from_raw(made)?;
        let [sq_head, sq_tail, sq_mask, _, _, _, array] =
            [10, 11, 12, 13, 14, 15, 16].map(|n: usize| params[n] as usize);
        let [cq_head, cq_tail, cq_mask, _, _, cqes] =
            [20, 21, 22, 23, 24, 25].map(|n: usize| params[n] as usize);
        let word = |at: usize| at.is_multiple_of(4) && at + 4 <= PAGE;
        let inside = [sq_head, sq_tail, sq_mask, array + 4 * 7, cq_head, cq_tail, cq_mask];
        if !inside.into_iter().all(word) || cqes % 8 != 0 || cqes + 16 * 16 > PAGE {
            return Err(Errno::EINVAL);
        }
        (ring.sq_head, ring.sq_tail, ring.array) = (sq_head, sq_tail, array);
        (ring.cq_head, ring.cq_tail, ring.cqes) = (cq_head, cq_tail, cqes);
        ring.sq_mask = ring.word(sq_mask).load(Ordering::Relaxed) & (ENTRIES as u32 - 1);
        ring.cq_mask = ring.word(cq_mask).load(Ordering::Relaxed) & (2 * ENTRIES as u32 - 1);
        Ok(ring)
    }

    /// A word of the queues that the kernel writes or reads as well.
    fn word(&self, at: usize) -> &AtomicU32 {
        // SAFETY: `new` checked that it is an aligned word of the first page, which lives as long as
        // self; both sides access it as an atomic.
        unsafe { AtomicU32::from_ptr(self.memory.add(at).cast()) }
    }

    /// Queues an entry.
    fn push(&mut self, mut entry: Entry, user_data: u64) {
        entry[32..40].copy_from_slice(&user_data.to_le_bytes());
        let tail = self.word(self.sq_tail).load(Ordering::Relaxed);
        let slot = (tail & self.sq_mask) as usize;
        // SAFETY: a slot of the second page, which the kernel reads only in io_uring_enter, which
        // this thread alone calls.
        unsafe { self.memory.add(PAGE + 64 * slot).cast::<Entry>().write(entry) };
        self.word(self.array + 4 * slot).store(slot as u32, Ordering::Relaxed);
        self.word(self.sq_tail).store(tail.wrapping_add(1), Ordering::Release);
    }

    /// Takes the last entry back if the kernel has not taken it.
    fn unpush(&mut self) -> bool {
        let tail = self.word(self.sq_tail).load(Ordering::Relaxed);
        if self.word(self.sq_head).load(Ordering::Acquire) == tail {
            return false;
        }
        self.word(self.sq_tail).store(tail.wrapping_sub(1), Ordering::Release);
        true
    }

    /// The next completion: whose, and its result.
    fn take(&mut self) -> Option<(u64, i64)> {
        let head = self.word(self.cq_head).load(Ordering::Relaxed);
        if self.word(self.cq_tail).load(Ordering::Acquire) == head {
            return None;
        }
        let at = self.cqes + 16 * (head & self.cq_mask) as usize;
        // SAFETY: `new` checked that all completions lie in the first page; the kernel wrote this one
        // before the tail and does not again before the head moves.
        let (whose, result) = unsafe {
            let cqe = self.memory.add(at);
            (cqe.cast::<u64>().read(), cqe.add(8).cast::<i32>().read())
        };
        self.word(self.cq_head).store(head.wrapping_add(1), Ordering::Release);
        Some((whose, result.into()))
    }

    /// Makes one call; `flag` is non-zero while a signal waits.
    pub(super) fn call(&mut self, flag: &AtomicU32, entry: Entry) -> Done {
        self.push(entry, CALL);
        let mut submit = 1;
        loop {
            let args = [self.index, submit, 1, ENTER, 0, 0];
            // SAFETY: the pointers in the entry name guest memory or live buffers of the handler whose
            // call this is, and the call is over or cancelled before this returns.
            let entered =
                unsafe { raw::blocking_syscall(flag, libc::SYS_io_uring_enter as u64, &args) };
            if submit == 1 && self.unpush() {
                let signal = flag.load(Ordering::Acquire) != 0 || entered == -512;
                return if signal { Done::NotStarted } else { Done::Unable };
            }
            submit = 0;
            while let Some((whose, result)) = self.take() {
                if whose == CALL {
                    return Done::Result(result);
                }
            }
            if flag.load(Ordering::Acquire) != 0 {
                return self.cancel();
            }
        }
    }

    /// Ends the call that sleeps. It may be over meanwhile.
    fn cancel(&mut self) -> Done {
        let mut entry = [0; 64];
        entry[0] = op::ASYNC_CANCEL;
        entry[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        entry[16..24].copy_from_slice(&CALL.to_le_bytes());
        self.push(entry, CANCEL);
        let (mut result, mut cancelled, mut submit) = (None, false, 1);
        while result.is_none() || !cancelled {
            let args = [self.index, submit, 1, ENTER, 0, 0];
            // SAFETY: as in `call`; the entry has no pointers.
            unsafe { raw::syscall(libc::SYS_io_uring_enter as u64, &args) };
            let tail = self.word(self.sq_tail).load(Ordering::Relaxed);
            submit = u64::from(self.word(self.sq_head).load(Ordering::Acquire) != tail);
            while let Some((whose, r)) = self.take() {
                if whose == CALL {
                    result = Some(r);
                } else {
                    cancelled = true;
                }
            }
        }
        let gone = [-libc::ECANCELED, -libc::EINTR].map(i64::from);
        match result {
            Some(r) if !gone.contains(&r) => Done::Result(r),
            _ => Done::Interrupted,
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nothing refers to it; the kernel keeps the pages it pinned.
        unsafe { libc::munmap(self.memory.cast(), 2 * PAGE) };
    }
}
