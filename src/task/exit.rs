//! The end of threads and processes.

use std::sync::atomic::Ordering;

use remu_syscalls::GuestMemory;

use super::raw;
use super::{End, Task};
use crate::signal::host;

/// Bits of a futex word that name its owner (`linux/futex.h`).
const TID_MASK: u32 = 0x3fff_ffff;
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;
/// `ROBUST_LIST_LIMIT`.
const LIMIT: usize = 2048;
/// Bytes of `struct robust_list_head`.
const ROBUST_HEAD: u64 = 24;

/// Ends the whole process as the guest asked; never returns. (A value keeps the shape of a child's
/// main function.)
pub(super) fn end_process(task: &Task, end: End) -> i32 {
    match end {
        End::Process(status) | End::Thread(status) => {
            crate::report::at_exit(task);
            host::exit_group(status)
        }
        End::Signal(signal) => {
            crate::report::crash(task, signal);
            crate::report::at_exit(task);
            crate::dump::before_death(task, signal);
            host::die(signal)
        }
    }
}

/// Ends a thread that is not the process's first: returns where only the thread ends.
pub(super) fn end_thread(task: Task, end: End) {
    if task.main {
        // The thread has become the first of a forked process.
        finish(task, end);
    }
    let End::Thread(_) = end else {
        end_process(&task, end);
        return;
    };
    let last = task.shared.live.fetch_sub(1, Ordering::AcqRel) == 1;
    if last {
        // The first thread has ended already: the process's status is that thread's.
        crate::report::at_exit(&task);
    }
    leave(&task);
}

/// Ends the process's first thread, and the process where the guest asked for that or no other
/// thread is left.
pub(super) fn finish(task: Task, end: End) -> ! {
    let End::Thread(status) = end else {
        end_process(&task, end);
        unreachable_exit()
    };
    if task.shared.live.fetch_sub(1, Ordering::AcqRel) == 1 {
        end_process(&task, End::Process(status));
        unreachable_exit()
    }
    leave(&task);
    // The other threads' processors go on using what this one shares with them.
    std::mem::forget(task);
    host::exit_thread(status)
}

/// The guest's thread is over.
fn leave(task: &Task) {
    // Faults stay open: what the guest left as its list of futexes may not be mapped.
    host::block();
    host::leave();
    // A stop that the tracer has asked for since the thread last looked is made by the host's thread.
    if let Some((signal, _)) = task.signals.state.trace.take_noted(u64::MAX) {
        host::send_own(signal);
    }
    task.release_futexes();
}

/// `end_process` does not come back; the type of a child's main function hides that.
fn unreachable_exit() -> ! {
    host::exit_group(libc::EXIT_FAILURE)
}

impl Task {
    /// What the kernel does for a thread that ends: marks its robust futexes, then clears and wakes
    /// the word others join on. The host thread outlives the guest's by a moment, so the kernel's
    /// own turn would come too late.
    pub(super) fn release_futexes(&self) {
        if self.robust != 0 {
            self.walk_robust_list();
            let _ = raw::set_robust_list(0, ROBUST_HEAD);
        }
        if self.clear_tid != 0 {
            let memory = GuestMemory::default();
            if memory.write(self.clear_tid, &0u32).is_ok() {
                raw::futex_wake(self.clear_tid);
            }
        }
    }

    /// `exit_robust_list`: an unreadable list ends the walk.
    fn walk_robust_list(&self) -> Option<()> {
        let memory = GuestMemory::default();
        let word = |at: u64| memory.read::<u64>(at).ok();
        let offset = word(self.robust.wrapping_add(8))?;
        let pending = word(self.robust.wrapping_add(16))?;
        let mut entry = word(self.robust)?;
        for _ in 0..LIMIT {
            // The lowest bit marks a priority-inheritance futex, which the kernel hands on itself.
            if entry & !1 == self.robust {
                break;
            }
            let next = word(entry & !1);
            if entry != pending && entry & 1 == 0 {
                mark_dead((entry & !1).wrapping_add(offset), false);
            }
            entry = next?;
        }
        if pending & !1 != 0 && pending & 1 == 0 {
            mark_dead((pending & !1).wrapping_add(offset), true);
        }
        Some(())
    }
}

/// `handle_futex_death`: the owner is gone, one waiter may go on.
fn mark_dead(at: u64, pending: bool) -> Option<()> {
    let memory = GuestMemory::default();
    if !at.is_multiple_of(4) {
        return None;
    }
    let tid = host::tid() as u32;
    loop {
        let value = memory.read::<u32>(at).ok()?;
        if pending && value == 0 {
            raw::futex_wake(at);
            return Some(());
        }
        if value & TID_MASK != tid {
            return Some(());
        }
        let dead = value & WAITERS | OWNER_DIED;
        if memory.cas32(at, value, dead).ok()? == value {
            if value & WAITERS != 0 {
                raw::futex_wake(at);
            }
            return Some(());
        }
    }
}
