//! The traced side: stops of a thread for its tracer.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::block::{Block, NO_ANSWER, get_info, kind, mode, put_info};
use super::{CODE_KICK, CODE_NOTED, CODE_REST, CODE_STOP};
use crate::signal::host::{self, Info};

/// A stop the thread makes before it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kick {
    /// It is new.
    Start,
    /// Its program is.
    Exec,
    /// Its tracer wants it.
    Interrupt,
}

impl Block {
    /// [`mode`] bits.
    #[inline]
    pub(crate) fn mode(&self) -> u32 {
        self.mode.load(Relaxed)
    }

    /// True when somebody traces the thread.
    #[inline]
    pub(crate) fn traced(&self) -> bool {
        self.mode() & mode::TRACED != 0
    }

    /// True when the tracer has set this option.
    pub(crate) fn has_option(&self, option: u32) -> bool {
        self.traced() && self.options.load(Relaxed) & option != 0
    }

    /// Makes the thread traced from its first instruction, or not at all: for new threads, processes
    /// and programs.
    pub(crate) fn begin(&self, traced: bool, stop: Kick) {
        self.mode.store(if traced { mode::TRACED } else { 0 }, Relaxed);
        for word in [
            &self.options,
            &self.passed,
            &self.exit_shown,
            &self.replaced,
            &self.noted,
            &self.in_call,
            &self.alone,
        ] {
            word.store(0, Relaxed);
        }
        let kick = match stop {
            _ if !traced => 0,
            Kick::Start => kind::START,
            Kick::Exec => kind::EXEC,
            Kick::Interrupt => kind::INTERRUPT,
        };
        self.kick.store(kick, Release);
    }

    /// ptrace(2), `PTRACE_TRACEME` has been granted.
    pub(crate) fn traced_by_parent(&self) {
        self.mode.store(mode::TRACED, Relaxed);
        self.options.store(0, Relaxed);
    }

    /// Notes the number of a call.
    pub(crate) fn set_number(&self, number: u64) {
        self.number.store(number, Relaxed);
    }

    /// The number of the call, as the tracer left it.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }

    /// True once when the tracer has seen the end of the call already.
    pub(crate) fn take_exit_shown(&self) -> bool {
        self.exit_shown.swap(0, AcqRel) != 0
    }

    /// True once when the tracer has set registers inside the call.
    pub(crate) fn take_replaced(&self) -> bool {
        self.replaced.swap(0, AcqRel) != 0
    }

    /// The stop that is asked for, if any.
    pub(crate) fn take_kick(&self) -> Option<Kick> {
        match self.kick.swap(0, AcqRel) {
            kind::START => Some(Kick::Start),
            kind::EXEC => Some(Kick::Exec),
            kind::INTERRUPT => Some(Kick::Interrupt),
            _ => None,
        }
    }

    /// Stops until the tracer resumes the thread; the signal it gives, 0 for none. `None` when nobody
    /// traces the thread any more.
    pub(crate) fn stop(&self, why: u32, message: u64, mask: u64) -> Option<u32> {
        self.kind.store(why, Relaxed);
        self.message.store(message, Relaxed);
        self.mask.store(mask, Relaxed);
        self.answer.store(NO_ANSWER, Release);
        // Any stop is the one that was asked for.
        self.kick.store(0, Release);
        host::stop_for_tracer(CODE_STOP, std::ptr::from_ref(self) as u64);
        if self.alone.swap(0, AcqRel) != 0 {
            self.mode.store(0, Relaxed);
            return None;
        }
        let answer = self.answer.load(Acquire);
        (answer != NO_ANSWER).then_some(answer)
    }

    /// A stop at which no signal is pending: one that the tracer gives is sent to the thread.
    pub(crate) fn stop_and_send(&self, why: u32, message: u64, mask: u64) {
        if let Some(signal) = self.stop(why, message, mask).filter(|&s| s != 0) {
            host::send_own(signal as i32);
        }
    }

    /// Shows a signal that is about to be delivered. What to deliver instead, if anything.
    pub(crate) fn show(&self, signal: i32, info: &Info, mask: u64) -> Option<(i32, Info)> {
        let same = Some((signal, *info));
        if !self.traced() || self.passed.swap(0, AcqRel) == signal as u32 {
            return same;
        }
        self.signal.store(signal as u32, Relaxed);
        put_info(&self.info, info);
        match self.stop(kind::SIGNAL, 0, mask) {
            None => same,
            Some(0) => None,
            Some(other) => Some((other as i32, get_info(&self.info))),
        }
    }

    /// The signal that the tracer noted, if it is in `set`.
    pub(crate) fn take_noted(&self, set: u64) -> Option<(i32, Info)> {
        let signal = self.noted.load(Acquire) as i32;
        if signal == 0 || set & host::bit(signal) == 0 {
            return None;
        }
        let info = get_info(&self.noted_info);
        self.noted.store(0, Release);
        Some((signal, info))
    }
}

/// What a `SIGTRAP` of another code means to the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing: it is a signal like any other.
    Signal,
    /// Nobody saw a stop.
    Alone,
    /// A stop is asked for.
    Stop,
    /// A signal was noted.
    Noted,
}

impl Block {
    /// A handler's part: a signal by which the tracer may speak. Async-signal-safe.
    pub(crate) fn hear(&self, code: i32) -> Heard {
        match code {
            CODE_STOP => {
                self.alone.store(1, Release);
                Heard::Alone
            }
            CODE_KICK if self.traced() => {
                self.kick.store(kind::INTERRUPT, Release);
                Heard::Stop
            }
            CODE_NOTED if self.traced() => Heard::Noted,
            CODE_REST => Heard::Stop,
            _ => Heard::Signal,
        }
    }
}
