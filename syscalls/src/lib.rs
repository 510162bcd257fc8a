//! The Linux system call layer: one typed row per call, forwarded to the host kernel or handled here.
//!
//! The runner implements [`Process`] and calls [`dispatch`] with the guest's [`Abi`].

mod errno;
mod host;
mod memory;
mod process;
mod raw;
pub mod strace;

pub use errno::{Errno, SysResult};
pub use memory::{GuestMemory, MAX_PLAIN, Plain};
pub use process::{AltStack, CloneArgs, MaskEnd, MmapArgs, Outcome, ProcFile, Process, SigAction};
pub use raw::{blocking_syscall, fault_fixup, signal_fixup, syscall};

/// What differs between guests: numbers, layouts, constants.
#[derive(Debug)]
pub struct Abi {
    /// Name as QEMU spells it, and `uname -m`.
    pub name: &'static str,
}

/// Finds the ABI by the guest's name (`riscv64`, `aarch64`).
pub fn abi(name: &str) -> Option<&'static Abi> {
    [&RISCV64, &AARCH64].into_iter().find(|a| a.name == name)
}

static RISCV64: Abi = Abi { name: "riscv64" };
static AARCH64: Abi = Abi { name: "aarch64" };

/// Performs one guest system call: `nr` in the guest's numbering, `args` its six argument registers.
pub fn dispatch(process: &mut dyn Process, abi: &'static Abi, nr: u64, args: [u64; 6]) -> Outcome {
    let _ = (process, abi, nr, args);
    Outcome::Return(Errno::ENOSYS.to_raw())
}
