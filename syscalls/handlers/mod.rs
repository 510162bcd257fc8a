//! The calls that need more than forwarding. One file per subject, one function per row.
//!
//! Order of work in a handler: arguments are checked in the kernel's order, all of guest memory is read
//! once before anything changes, results are written last.

pub(crate) mod fd;
pub(crate) mod fs;
pub(crate) mod ipc;
pub(crate) mod landlock;
pub(crate) mod mm;
pub(crate) mod perf;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod procfs;
pub(crate) mod rings;
pub(crate) mod rlimit;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod system;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod uring;
