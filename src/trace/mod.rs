//! ptrace(2) of guests by guests.
//!
//! The host kernel knows who traces whom, stops threads, and tells tracers by wait(2). But it stops a
//! thread wherever that is, also inside the runner, and of its registers it knows the host's. So the
//! two runners share the work:
//!
//! - The tracee's makes the stops that a guest sees, where the guest's registers are whole: it sends
//!   its own thread a signal of a special code, which the kernel reports ([`tracee`], [`block`]).
//! - The tracer's judges every stop the kernel reports: one that the tracee's runner made, or that
//!   came inside a call that sleeps, is shown to the guest; any other signal is handed to the
//!   tracee's runner to be shown later; what concerns the runner alone goes on at once
//!   ([`judge`]). Requests read and write the tracee's guest registers in its memory ([`request`]).
//!
//! Both must be the same program file: the tracer's runner knows the other's data by its own layout.
//! The host's programs, and runners of another build, are traced as far as stops and memory go.

mod block;
mod judge;
mod points;
mod remote;
mod request;
pub(crate) mod server;
mod table;
mod tracee;

pub(crate) use block::{Block, CHANGED, kind, mode};
pub(crate) use judge::{untold, waited};
pub(crate) use points::{POINTS, Points, access};
pub(crate) use remote::forwarded;
pub(crate) use request::{is_for_self, perform, traces, wrote};
pub(crate) use table::hold;
pub(crate) use tracee::{Heard, Kick};

/// Set by a tracer in the `AT_FLAGS` that a new program finds: the runner makes the stop for execve(2).
pub(crate) const EXEC_FLAG: u64 = 1 << 31;

/// `si_code` of the `SIGTRAP` by which a thread stops itself for its tracer. Negative, as only
/// processes may send.
pub(crate) const CODE_STOP: i32 = -0x52_454d;
/// `si_code` of a `SIGTRAP` by which a tracer asks for a stop.
pub(crate) const CODE_KICK: i32 = CODE_STOP - 1;
/// `si_code` of a `SIGTRAP` that stands for the signal noted in the block.
pub(crate) const CODE_NOTED: i32 = CODE_STOP - 2;

/// `si_code` of a `SIGTRAP` by which a thread that is about to dump the process calls the others.
pub(crate) const CODE_REST: i32 = CODE_STOP - 3;

/// `PTRACE_O_*` as bits by the number of their event (ptrace(2)).
pub(crate) mod option {
    pub(crate) const SYSGOOD: u32 = 1;
    pub(crate) const FORK: u32 = 1 << super::event::FORK;
    pub(crate) const VFORK: u32 = 1 << super::event::VFORK;
    pub(crate) const CLONE: u32 = 1 << super::event::CLONE;
    pub(crate) const EXEC: u32 = 1 << super::event::EXEC;
    pub(crate) const VFORK_DONE: u32 = 1 << super::event::VFORK_DONE;
    pub(crate) const SECCOMP: u32 = 1 << super::event::SECCOMP;
    /// `PTRACE_O_SUSPEND_SECCOMP`: the filters are not the kernel's.
    pub(crate) const SUSPEND_SECCOMP: u32 = 1 << 21;
}

/// `PTRACE_EVENT_*`.
pub(crate) mod event {
    pub(crate) const FORK: u32 = 1;
    pub(crate) const VFORK: u32 = 2;
    pub(crate) const CLONE: u32 = 3;
    pub(crate) const EXEC: u32 = 4;
    pub(crate) const VFORK_DONE: u32 = 5;
    pub(crate) const EXIT: u32 = 6;
    pub(crate) const SECCOMP: u32 = 7;
    pub(crate) const STOP: u32 = 128;
}
