//! Calls of a thread that another guest traces.

use remu_syscalls::{CloneArgs, Outcome, dispatch};

use super::Task;
use crate::guest::{get, set};
use crate::trace::{kind, mode, option};

impl Task {
    /// A call with the stops before and after it that the tracer has asked for.
    pub(super) fn traced_system_call(&mut self, number: u64) -> Outcome {
        let regs = self.shared.regs;
        let trace = &self.signals.state.trace;
        let before = trace.mode();
        trace.set_number(number);
        if before & mode::CALLS != 0 {
            trace.stop_and_send(kind::ENTER, 0, self.signals.mask());
        }
        let number = self.call_number(number);
        let args = regs.args.map(|r| get(&self.cpu, r));
        let outcome = if before & mode::NO_CALL != 0 || number as i32 == -1 {
            // The tracer has put the result where it belongs.
            Outcome::Return(get(&self.cpu, regs.result))
        } else {
            let abi = self.shared.abi;
            dispatch(self, abi, number, args)
        };
        self.after_traced_call(outcome)
    }

    /// What the tracer made of a call's number: a register of its own, or the guest's.
    pub(super) fn call_number(&self, number: u64) -> u64 {
        match self.signals.state.trace.number() {
            same if same == number => get(&self.cpu, self.shared.regs.number),
            other => other,
        }
    }

    /// The stop after a call, and what becomes of its outcome.
    pub(super) fn after_traced_call(&mut self, outcome: Outcome) -> Outcome {
        let trace = &self.signals.state.trace;
        let (shown, replaced) = (trace.take_exit_shown(), trace.take_replaced());
        let stops = trace.mode() & (mode::CALLS | mode::NO_CALL) == mode::CALLS && !shown;
        let mask = self.signals.mask();
        match outcome {
            // The tracer has set all registers meanwhile.
            Outcome::Return(_) | Outcome::Restart if replaced => Outcome::Replaced,
            Outcome::Return(value) => {
                set(&mut self.cpu, self.shared.regs.result, value);
                if stops {
                    self.signals.state.trace.stop_and_send(kind::EXIT, 0, mask);
                }
                Outcome::Replaced
            }
            Outcome::Restart if stops => {
                self.signals.state.trace.stop_and_send(kind::AGAIN, 0, mask);
                Outcome::Restart
            }
            Outcome::Replaced if stops => {
                self.signals.state.trace.stop_and_send(kind::EXIT, 0, mask);
                Outcome::Replaced
            }
            other => other,
        }
    }

    /// Whether the kernel attaches the tracer of this thread to the child that a call makes.
    pub(super) fn traces_child(&self, a: &CloneArgs) -> bool {
        let trace = &self.signals.state.trace;
        let has = |flag: i32| a.flags & flag as u64 != 0;
        if !trace.traced() || has(libc::CLONE_UNTRACED) {
            return false;
        }
        let event = if has(libc::CLONE_VFORK) {
            option::VFORK
        } else if a.exit_signal == libc::SIGCHLD as u64 {
            option::FORK
        } else {
            option::CLONE
        };
        has(libc::CLONE_PTRACE) || trace.has_option(event)
    }

    /// Drops what was known of code that a tracer has written.
    #[cold]
    pub(super) fn written_by_tracer(&mut self) {
        let shared = &self.shared;
        crate::trace::CHANGED.act(|ranges| match ranges {
            Some(ranges) => {
                for (start, end) in ranges {
                    shared.mm.written(start, end);
                    shared.engine.code_changed(start, end);
                }
            }
            None => {
                shared.mm.written(0, u64::MAX);
                shared.engine.invalidate(0, u64::MAX);
            }
        });
    }
}
