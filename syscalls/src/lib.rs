//! The Linux system call layer: one typed row per call, forwarded to the host kernel or handled here.
//!
//! The runner implements [`Process`] and calls [`dispatch`] with the guest's [`Abi`]. The rows are in
//! [`table`], what differs between guests in [`abi`], structure layouts in [`structs`].
//!
//! **Invariant**: no Rust reference to guest memory is ever formed; [`GuestMemory`] copies.
//! **Invariant**: nothing a guest passes makes this crate panic.

#[path = "../abi/mod.rs"]
pub mod abi;
mod bpf;
mod context;
mod dispatch;
mod errno;
pub mod errors;
#[path = "../handlers/mod.rs"]
mod handlers;
mod host;
pub mod matrix;
mod memory;
mod notify;
mod process;
mod raw;
mod seccomp;
pub mod stats;
pub mod strace;
#[path = "../structs/mod.rs"]
pub mod structs;
#[path = "../table/mod.rs"]
pub mod table;
#[path = "../uring/mod.rs"]
pub mod uring;

pub use abi::{Abi, abi};
pub use context::Context;
pub use dispatch::{Forwarded, dispatch};
pub use errno::{Errno, SysResult};
pub use handlers::procfs::{AUXV_RUNNER, Peer, find_other};
pub use handlers::rlimit::{remember_limits, remembered_limits};
pub use matrix::{support_json, support_matrix, support_text};
pub use memory::{GuestMemory, MAX_PLAIN, Plain};
pub use process::{AltStack, CloneArgs, MaskEnd, MmapArgs, Outcome, ProcFile, Process, SigAction};
pub use raw::{blocking_addresses, blocking_syscall, fault_fixup, signal_fixup, syscall};
pub use seccomp::Seccomp;
pub use uring::{Io, forked, set_io, set_lent, workers};
