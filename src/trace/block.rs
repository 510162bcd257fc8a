//! What a traced thread and its tracer's runner share: read and written in the tracee's memory, from
//! the other side while the thread is stopped.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use remu_engine::Cpu;
use remu_syscalls::blocking_addresses;

use crate::signal::host::Info;

/// Bits of [`Block::mode`].
pub(crate) mod mode {
    /// Somebody traces the thread.
    pub(crate) const TRACED: u32 = 1;
    /// It stops before and after calls.
    pub(crate) const CALLS: u32 = 2;
    /// It stops after one instruction.
    pub(crate) const STEP: u32 = 4;
    /// Calls are not made (`PTRACE_SYSEMU`).
    pub(crate) const NO_CALL: u32 = 8;
    /// It stops where an access concerns a watchpoint.
    pub(crate) const WATCH: u32 = 16;
}

/// Why a thread stopped itself.
pub(crate) mod kind {
    /// A new thread or process, before its first instruction.
    pub(crate) const START: u32 = 1;
    /// A new program.
    pub(crate) const EXEC: u32 = 2;
    /// A signal is about to be delivered.
    pub(crate) const SIGNAL: u32 = 3;
    /// Before a call.
    pub(crate) const ENTER: u32 = 4;
    /// After a call.
    pub(crate) const EXIT: u32 = 5;
    /// After a call that will be made again (`ERESTARTSYS`).
    pub(crate) const AGAIN: u32 = 6;
    /// A filter of calls asked for the tracer.
    pub(crate) const SECCOMP: u32 = 7;
    /// The tracer asked for it.
    pub(crate) const INTERRUPT: u32 = 8;
    /// One instruction is done.
    pub(crate) const STEP: u32 = 9;
    /// A watchpoint was hit, whose number is the message.
    pub(crate) const WATCH: u32 = 10;
}

/// In [`Block::answer`] until the tracer has spoken.
pub(crate) const NO_ANSWER: u32 = u32::MAX;

/// `siginfo_t` in memory that another process reads and writes.
pub(crate) type SharedInfo = [AtomicU64; 16];

pub(crate) fn put_info(to: &SharedInfo, from: &Info) {
    for (word, bytes) in to.iter().zip(from.chunks_exact(8)) {
        let mut b = [0; 8];
        b.copy_from_slice(bytes);
        word.store(u64::from_le_bytes(b), Ordering::Relaxed);
    }
}

pub(crate) fn get_info(from: &SharedInfo) -> Info {
    let mut out = [0; 128];
    for (bytes, word) in out.chunks_exact_mut(8).zip(from) {
        bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
    }
    out
}

/// One thread's.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// [`mode`]. Set by the tracer.
    pub(crate) mode: AtomicU32,
    /// `PTRACE_O_*`. Set by the tracer.
    pub(crate) options: AtomicU32,
    /// The thread is inside a system call.
    pub(crate) in_call: AtomicU32,
    /// Signal that the tracer has seen and let pass.
    pub(crate) passed: AtomicU32,
    /// The tracer has seen the end of the call that the thread is in.
    pub(crate) exit_shown: AtomicU32,
    /// The tracer has set registers inside a call: its result changes nothing more.
    pub(crate) replaced: AtomicU32,
    /// [`kind`] of the stop.
    pub(crate) kind: AtomicU32,
    /// Signal that is about to be delivered.
    pub(crate) signal: AtomicU32,
    /// Signal the tracer resumes with, 0 for none.
    pub(crate) answer: AtomicU32,
    /// Signal that the tracer noted for delivery, with [`Block::noted_info`].
    pub(crate) noted: AtomicU32,
    /// Stop that is asked for: [`kind`], 0 for none.
    pub(crate) kick: AtomicU32,
    /// A stop went unseen: nobody traces the thread any more.
    pub(crate) alone: AtomicU32,
    /// `PTRACE_GETEVENTMSG`.
    pub(crate) message: AtomicU64,
    /// Number of the call.
    pub(crate) number: AtomicU64,
    /// The guest's signal mask.
    pub(crate) mask: AtomicU64,
    /// The signal's information.
    pub(crate) info: SharedInfo,
    /// That of [`Block::noted`].
    pub(crate) noted_info: SharedInfo,
    /// Where the guest's registers are.
    pub(crate) state: u64,
    /// Where a thread is after a call that may sleep.
    pub(crate) after_call: u64,
    /// Where it must go on for the call to count as not made.
    pub(crate) interrupted: u64,
    /// The process's [`CHANGED`].
    pub(crate) changed: u64,
    /// The process's [`super::POINTS`].
    pub(crate) points: u64,
}

impl Block {
    /// For the thread that runs `cpu`.
    pub(crate) fn new(cpu: &Cpu) -> Block {
        let (after_call, interrupted) = blocking_addresses();
        Block {
            state: cpu.state_ptr() as u64,
            after_call,
            interrupted,
            changed: (&raw const CHANGED) as u64,
            points: (&raw const super::POINTS) as u64,
            ..Block::default()
        }
    }
}

/// Ranges of guest memory that tracers have written since the process last looked.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Changed {
    /// How many; more than there is room for means anywhere.
    pub(crate) count: AtomicU64,
    pub(crate) ranges: [[AtomicU64; 2]; Changed::ROOM],
}

impl Changed {
    pub(crate) const ROOM: usize = 32;

    /// True when there is anything.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) != 0
    }

    /// Keeps other threads from acting on changes, around fork(2).
    pub(crate) fn hold(&self) -> MutexGuard<'static, ()> {
        static ONE: Mutex<()> = Mutex::new(());
        ONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the ranges acted on, if there are any; `None` stands for anywhere. Every thread that sees
    /// them comes back when that is done.
    pub(crate) fn act(&self, act: impl FnOnce(Option<Vec<(u64, u64)>>)) {
        let _one = self.hold();
        let count = self.count.load(Ordering::Acquire);
        if count == 0 {
            return;
        }
        let get = |r: &[AtomicU64; 2]| (r[0].load(Ordering::Relaxed), r[1].load(Ordering::Relaxed));
        act(self.ranges.get(..count as usize).map(|all| all.iter().map(get).collect()));
        // More has come meanwhile: all of it once more.
        let _ = self.count.compare_exchange(count, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// This process's.
pub(crate) static CHANGED: Changed = Changed {
    count: AtomicU64::new(0),
    ranges: [const { [const { AtomicU64::new(0) }; 2] }; Changed::ROOM],
};
