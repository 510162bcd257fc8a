//! The tracees of this process, and how their stops look to the guest.

use std::collections::{BTreeMap, VecDeque};
use std::mem::offset_of;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remu_syscalls::{Errno, SysResult};

use super::block::{Block, Changed, mode};
use super::{CODE_KICK, event, remote};
use crate::host::{Place, place};
use crate::signal::host::{self, Info};

/// What the kernel's stop was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The tracee stopped itself.
    Tracee,
    /// A signal is about to be delivered, in a place where the guest's registers are whole.
    Signal,
    /// Anything else: events, the process's stop.
    Event,
}

/// What `PTRACE_GET_SYSCALL_INFO` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallStop {
    None,
    Enter,
    Exit,
    Seccomp,
}

/// One stop as the guest sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// Signal, and event above it: the upper part of a wait status.
    pub(super) code: u32,
    pub(super) from: From,
    pub(super) call: CallStop,
    /// `PTRACE_GETEVENTMSG`.
    pub(super) message: u64,
    /// `PTRACE_GETSIGINFO`, where the kernel does not know it.
    pub(super) info: Option<Info>,
    /// Inside a call that sleeps: the kernel's result so far, which asks for a restart.
    pub(super) asleep: Option<i64>,
    /// The guest's instruction pointer is shown on the call.
    pub(super) rewound: bool,
    /// Shown in the result register.
    pub(super) result: Option<i64>,
    /// The number shown, where the call is not the one the thread is in.
    pub(super) number: Option<u64>,
}

impl Stop {
    pub(super) fn new(code: u32, from: From) -> Stop {
        Stop {
            code,
            from,
            call: CallStop::None,
            message: 0,
            info: None,
            asleep: None,
            rewound: false,
            result: None,
            number: None,
        }
    }
}

/// One traced thread.
#[derive(Debug)]
pub(super) struct Tracee {
    pub(super) tid: i32,
    pub(super) seized: bool,
    pub(super) options: u32,
    /// Its [`Block`], 0 where not known.
    pub(super) block: u64,
    /// It is no runner of this build; not known yet.
    pub(super) foreign: Option<bool>,
    /// Attached by the kernel when it was made: its first stop means nothing.
    pub(super) expected: bool,
    /// Has executed a program, which has not started: the message for that event.
    pub(super) executed: Option<u64>,
    pub(super) mode: u32,
    /// `PTRACE_LISTEN`.
    pub(super) listens: bool,
    /// A signal came while another was noted.
    pub(super) later: Option<Info>,
    pub(super) stop: Option<Stop>,
    /// wait(2) has told of the stop.
    pub(super) told: bool,
    /// Stops that follow without the thread running in between.
    pub(super) next: VecDeque<Stop>,
}

impl Tracee {
    pub(super) fn new(tid: i32, seized: bool, options: u32) -> Tracee {
        Tracee {
            tid,
            seized,
            options,
            block: 0,
            foreign: None,
            expected: false,
            executed: None,
            mode: mode::TRACED,
            listens: false,
            later: None,
            stop: None,
            told: false,
            next: VecDeque::new(),
        }
    }

    pub(super) fn is_foreign(&mut self) -> bool {
        let tid = self.tid;
        *self.foreign.get_or_insert_with(|| !remote::is_same_program(tid))
    }

    /// Finds the block through the thread's own variable, and tells it what the tracer wants.
    pub(super) fn find_block(&mut self, at: &Place) {
        if self.block != 0 || at.thread == 0 || self.is_foreign() {
            return;
        }
        let mut state = [0; 8];
        let variable = at.thread.wrapping_add(host::current_offset());
        if remote::read(self.tid, variable, &mut state).is_ok() {
            match u64::from_le_bytes(state) {
                0 => {}
                state => self.set_block(state + host::TRACE),
            }
        }
    }

    /// True where only the host's thread is left of the guest's: that goes on for a while, longer if another thread
    /// has been stopped that holds what it waits for.
    pub(super) fn has_left(&self, at: &Place) -> bool {
        let mut state = [0; 8];
        let variable = at.thread.wrapping_add(host::current_offset());
        self.block != 0
            && at.thread != 0
            && remote::read(self.tid, variable, &mut state).is_ok()
            && state == [0; 8]
    }

    pub(super) fn set_block(&mut self, at: u64) {
        if self.block != at {
            self.block = at;
            self.tell_mode();
            self.put32(offset_of!(Block, options), self.options);
        }
    }

    pub(super) fn tell_mode(&self) {
        self.put32(offset_of!(Block, mode), self.mode);
    }

    /// A field of the block; 0 where there is none.
    pub(super) fn get32(&self, field: usize) -> u32 {
        let mut out = [0; 4];
        let have =
            self.block != 0 && remote::read(self.tid, self.block + field as u64, &mut out).is_ok();
        if have { u32::from_le_bytes(out) } else { 0 }
    }

    pub(super) fn get64(&self, field: usize) -> u64 {
        let mut out = [0; 8];
        let have =
            self.block != 0 && remote::read(self.tid, self.block + field as u64, &mut out).is_ok();
        if have { u64::from_le_bytes(out) } else { 0 }
    }

    pub(super) fn get_info(&self, field: usize) -> Info {
        let mut out = [0; 128];
        // A thread that was killed meanwhile has nothing to say.
        let _ = remote::read(self.tid, self.block + field as u64, &mut out);
        out
    }

    /// Sets a field of the block, if there is one. A thread that was killed does not need it.
    pub(super) fn put(&self, field: usize, bytes: &[u8]) {
        if self.block != 0 {
            let _ = remote::write(self.tid, self.block + field as u64, bytes);
        }
    }

    pub(super) fn put32(&self, field: usize, value: u32) {
        self.put(field, &value.to_le_bytes());
    }

    /// Where the host thread is.
    pub(super) fn place(&self) -> SysResult<Place> {
        remote::registers(self.tid).map(|r| place(&r))
    }

    /// The kernel's result, where the thread sleeps in a call that the kernel would restart.
    pub(super) fn asleep(&self, at: &Place) -> Option<i64> {
        /// `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`.
        const RESTART: [i64; 4] = [-512, -513, -514, -516];
        let inside = at.call.is_some()
            && self.block != 0
            && at.pc == self.get64(offset_of!(Block, after_call))
            && self.get32(offset_of!(Block, in_call)) != 0;
        (inside && RESTART.contains(&at.result)).then_some(at.result)
    }

    /// Asks the thread to stop where its registers are whole.
    pub(super) fn kick(&self) -> SysResult<()> {
        let process = remote::process_of(self.tid).ok_or(Errno::ESRCH)?;
        remote::send(process, self.tid, libc::SIGTRAP, CODE_KICK)
    }

    /// Notes that guest memory was written: its translations may have to go.
    pub(super) fn note_written(&self, addr: u64, len: u64) {
        let changed = self.get64(offset_of!(Block, changed));
        if changed == 0 {
            return;
        }
        let mut count = [0; 8];
        if remote::read(self.tid, changed, &mut count).is_err() {
            return;
        }
        let n = u64::from_le_bytes(count);
        if n < Changed::ROOM as u64 {
            let at = changed + offset_of!(Changed, ranges) as u64 + 16 * n;
            let range = [addr.to_le_bytes(), addr.saturating_add(len).to_le_bytes()].concat();
            let _ = remote::write(self.tid, at, &range);
        }
        let _ = remote::write(self.tid, changed, &(n + 1).to_le_bytes());
    }

    /// Writes parts of the process's [`super::POINTS`].
    pub(super) fn put_points(&self, parts: &[(usize, Vec<u8>)]) -> SysResult<()> {
        let at = self.get64(offset_of!(Block, points));
        if at == 0 {
            return Err(Errno::EIO);
        }
        parts.iter().try_for_each(|(offset, bytes)| {
            if bytes.is_empty() {
                Ok(())
            } else {
                remote::write(self.tid, at + *offset as u64, bytes)
            }
        })
    }

    /// Makes the first of `stops` the thread's, to be told of.
    pub(super) fn show(&mut self, stops: impl IntoIterator<Item = Stop>) -> Option<u32> {
        self.next = stops.into_iter().collect();
        self.stop = self.next.pop_front();
        self.told = false;
        self.stop.map(|s| s.code)
    }

    /// The code of a stop before or after a call.
    pub(super) fn call_code(&self) -> u32 {
        let good = self.options & super::option::SYSGOOD != 0;
        libc::SIGTRAP as u32 | if good { 0x80 } else { 0 }
    }

    /// The code of a stop without a signal, for this way of attaching.
    pub(super) fn stop_code(&self) -> u32 {
        if self.seized { libc::SIGTRAP as u32 | event::STOP << 8 } else { libc::SIGSTOP as u32 }
    }
}

/// By thread.
pub(super) type Table = BTreeMap<i32, Tracee>;

static TABLE: Mutex<Table> = Mutex::new(BTreeMap::new());

pub(super) fn lock() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds the table over fork(2), after which the child empties it: its parent traces, it does not.
pub(crate) struct Held(MutexGuard<'static, Table>);

/// Call before fork(2).
pub(crate) fn hold() -> Held {
    Held(lock())
}

impl Held {
    /// In the child.
    pub(crate) fn in_child(mut self) {
        self.0.clear();
    }
}
