//! System calls that the host's kernel answers as they are, made in the middle of translated code.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use remu_engine::{Calls, Registers};
use remu_syscalls::{Errno, Forwarded, SysResult};

use super::Shared;
use crate::signal::host::State;
use remu_syscalls::Seccomp;

/// Makes a thread's plain calls.
pub(super) struct Quick<'a> {
    shared: &'a Shared,
    state: &'a State,
    seccomp: &'a Seccomp,
    /// What a call gave after which the thread has more to do than to go on.
    done: Cell<Option<SysResult<u64>>>,
}

impl<'a> Quick<'a> {
    pub(super) fn new(shared: &'a Shared, state: &'a State, seccomp: &'a Seccomp) -> Quick<'a> {
        Quick { shared, state, seccomp, done: Cell::new(None) }
    }
    /// The result of the call that the thread left translated code at, if it was made.
    pub(super) fn done(self) -> Option<SysResult<u64>> {
        self.done.get()
    }
}

impl Calls for Quick<'_> {
    #[inline]
    fn call(&self, registers: &Registers<'_>) -> bool {
        let trace = &self.state.trace;
        // A signal came before the call: its handler runs first.
        if self.state.waiting() || self.shared.config.options.strace {
            return false;
        }
        let regs = &self.shared.regs;
        let args = regs.args.map(|r| registers.get(r.offset));
        trace.in_call.store(1, Ordering::Relaxed);
        let done = if trace.traced() {
            None
        } else {
            let private = self.shared.config.private_fds();
            let thread = Forwarded {
                pending: self.state.flag(),
                seccomp: self.seccomp,
                is_private: &|fd| private.contains(&Some(fd)),
            };
            thread.call(self.shared.abi, registers.get(regs.number.offset), &args)
        };
        // A tracer may have come meanwhile.
        if done.is_some() && trace.traced() || done == Some(Err(Errno::RESTART)) {
            self.done.set(done);
            return false;
        }
        trace.in_call.store(0, Ordering::Relaxed);
        let Some(done) = done else { return false };
        registers.set(regs.result.offset, done.unwrap_or_else(Errno::to_raw));
        true
    }
}
