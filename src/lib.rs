//! The user-mode runner: loads a Linux program built for another processor and runs it.
//!
//! The translator is `remu-engine`, the system calls are `remu-syscalls`; here are the command
//! line, the ELF loader, the address space, threads, signals and the loop that ties them together.

mod cache;
pub mod cli;
mod dump;
mod gate;
mod gdb;
mod guest;
mod host;
pub mod loader;
mod logging;
pub mod mm;
mod procfs;
mod report;
mod signal;
mod start;
mod sysroot;
mod task;
mod trace;

pub use start::main;

/// Defines the `main` of a runner. The C library calls it directly: Rust's own start-up code would
/// change the disposition of `SIGPIPE` and install a handler for stack overflows, both of which the
/// guest would see.
#[macro_export]
macro_rules! runner {
    ($guest:literal) => {
        /// Called by the C library.
        #[expect(unsafe_code, reason = "the C library finds main by its name")]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            $crate::main($guest)
        }
    };
}
