//! What the handlers need from the runner.
//!
//! The runner implements [`Process`] once per guest thread and calls [`crate::dispatch`] for each
//! guest system call. Everything that touches the address space, threads, guest registers or signal
//! delivery goes through the trait; everything else is a host system call made by this crate.
//!
//! Rules for the implementer:
//! - Host signal handlers for asynchronous guest signals: first set the flag of
//!   [`Process::pending_flag`], then move rip by [`crate::signal_fixup`]. Install them with the guest's
//!   own `SA_RESTART`, so that the host kernel decides restart or `EINTR` exactly as the guest's would.
//! - SIGSEGV/SIGBUS handler: first faults of translated code and pages the runner write-protected
//!   itself (open and retry), then [`crate::fault_fixup`].
//! - The host signal mask equals the guest's, apart from what [`Process::host_mask`] removes.

use std::ffi::{CStr, CString};
use std::sync::atomic::AtomicU32;

use crate::{Errno, GuestMemory, Peer, Seccomp, SysResult};

/// What the runner does after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Put this in the result register (errors are negative error numbers already) and go on
    /// after the call instruction.
    Return(u64),
    /// A signal came before the call took effect: put the program counter back on the call
    /// instruction (argument registers unchanged), deliver the signal, go on.
    Restart,
    /// The guest registers already are what the guest must see (`rt_sigreturn`, in-place
    /// `execve`): change nothing.
    Replaced,
    /// The calling thread ends with this status (`exit`).
    ExitThread(i32),
    /// The whole process ends with this status (`exit_group`).
    ExitGroup(i32),
    /// The call was not made: the thread gets `SIGSYS` of a filter, which cannot be blocked.
    Trap {
        /// What the filter said (`si_errno`).
        errno: i32,
        /// The call's number (`si_syscall`).
        nr: u32,
    },
    /// The process ends by a signal.
    Die(i32),
    /// The thread ends by a signal, and the process if it was the last one.
    DieThread(i32),
}

/// Arguments of `clone` and `clone3` in one form (clone(2), `struct clone_args`). Addresses are guest addresses, 0 = absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneArgs {
    /// `CLONE_*` flags without the exit signal.
    pub flags: u64,
    /// Where to store a pidfd (`CLONE_PIDFD`).
    pub pidfd: u64,
    /// `CLONE_CHILD_SETTID` / `CLONE_CHILD_CLEARTID` address.
    pub child_tid: u64,
    /// `CLONE_PARENT_SETTID` address.
    pub parent_tid: u64,
    /// Signal sent to the parent when the child ends; 0 for none.
    pub exit_signal: u64,
    /// Initial stack pointer of the child (for `clone3`: `stack + stack_size`); 0 keeps the caller's.
    pub stack_pointer: u64,
    /// Thread pointer of the child (`CLONE_SETTLS`).
    pub tls: u64,
    /// `set_tid` array and its length (clone3 only).
    pub set_tid: (u64, u64),
    /// cgroup file descriptor (`CLONE_INTO_CGROUP`).
    pub cgroup: u64,
}

/// A guest signal action (rt_sigaction(2)); `restorer` is 0 on ABIs without that field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigAction {
    /// Handler address, or 0 = `SIG_DFL`, 1 = `SIG_IGN`.
    pub handler: u64,
    /// `SA_*` flags.
    pub flags: u64,
    /// Return trampoline (`SA_RESTORER`).
    pub restorer: u64,
    /// Signals blocked while the handler runs; bit n-1 is signal n.
    pub mask: u64,
}

/// A guest alternate signal stack (sigaltstack(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AltStack {
    /// Lowest address.
    pub sp: u64,
    /// `SS_*` flags.
    pub flags: i32,
    /// Bytes.
    pub size: u64,
}

/// Arguments of mmap(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MmapArgs {
    /// Wanted address or 0.
    pub addr: u64,
    /// Bytes.
    pub len: u64,
    /// `PROT_*` as the guest gave it, ABI-specific bits included.
    pub prot: u64,
    /// `MAP_*`; generic numbering, equal to the host's.
    pub flags: u64,
    /// File descriptor or -1.
    pub fd: i32,
    /// Byte offset in the file.
    pub offset: u64,
}

/// A `/proc` file whose host content would show the runner instead of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcFile {
    /// `/proc/self/maps`: guest mappings only.
    Maps,
    /// `/proc/self/smaps`.
    Smaps,
    /// `/proc/self/auxv`: the guest's auxiliary vector.
    Auxv,
    /// `/proc/self/cmdline`: the guest's arguments, each ended by a zero byte.
    Cmdline,
    /// `/proc/self/environ`: the guest's initial environment, each ended by a zero byte.
    Environ,
    /// `/proc/self/stat`: the guest's stack start and count of threads.
    Stat,
    /// `/proc/self/status`: the guest's count of threads.
    Status,
    /// `/proc/cpuinfo` of the guest processor.
    Cpuinfo,
}

/// Why a temporary signal mask ends, see [`Process::end_temporary_mask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskEnd {
    /// The call finished: the old mask applies again at once.
    Done,
    /// A signal ended the call (`EINTR`): deliver it under the temporary mask; the old mask is what
    /// the signal frame saves and `rt_sigreturn` restores.
    Interrupted,
}

/// One guest thread, as the system call layer sees it.
///
/// Methods with a default body are optional services; the default is what the host kernel does.
pub trait Process {
    /// The guest address space.
    fn memory(&self) -> GuestMemory {
        GuestMemory { base: 0 }
    }

    /// Set non-zero by the runner's signal handlers when a guest signal waits for delivery to this
    /// thread; cleared by the runner when it delivers. Tested by every call that may sleep.
    fn pending_flag(&self) -> &AtomicU32;

    /// The guest could not be written at `[addr, addr + len)` by the host kernel. When the runner
    /// itself write-protected pages there (translated code), open them, drop the translations and return
    /// true: the call is then made again.
    fn unprotect(&mut self, addr: u64, len: u64) -> bool;

    // ---- memory ----
    /// mmap(2).
    fn mmap(&mut self, args: MmapArgs) -> SysResult<u64>;
    /// munmap(2).
    fn munmap(&mut self, addr: u64, len: u64) -> SysResult<u64>;
    /// mprotect(2); `prot` as the guest gave it.
    fn mprotect(&mut self, addr: u64, len: u64, prot: u64) -> SysResult<u64>;
    /// mremap(2).
    fn mremap(
        &mut self,
        old: u64,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new: u64,
    ) -> SysResult<u64>;
    /// brk(2) as the kernel does it: the new break, or the current one when it cannot move.
    fn brk(&mut self, addr: u64) -> u64;
    /// madvise(2).
    fn madvise(&mut self, addr: u64, len: u64, advice: u64) -> SysResult<u64>;
    /// mseal(2).
    fn mseal(&mut self, addr: u64, len: u64, flags: u64) -> SysResult<u64>;
    /// remap_file_pages(2).
    fn remap_file_pages(
        &mut self,
        addr: u64,
        len: u64,
        prot: u64,
        pgoff: u64,
        flags: u64,
    ) -> SysResult<u64>;
    /// shmat(2).
    fn shmat(&mut self, id: i32, addr: u64, flags: u64) -> SysResult<u64>;
    /// shmdt(2).
    fn shmdt(&mut self, addr: u64) -> SysResult<u64>;
    /// Guest code in the range changed (`riscv_flush_icache`).
    fn flush_icache(&mut self, start: u64, end: u64);

    // ---- threads and processes ----
    /// clone(2), clone3(2), fork and vfork forms included. In a new process both sides return (child: 0);
    /// a new thread starts with result 0 on its own.
    fn clone(&mut self, args: CloneArgs) -> SysResult<u64>;
    /// execve(2), execveat(2). `path` is what the guest gave, unresolved. `Ok` means the guest state was replaced
    /// in place; replacing the host process does not return at all.
    fn execve(
        &mut self,
        dirfd: i32,
        path: CString,
        argv: Vec<CString>,
        envp: Vec<CString>,
        flags: u64,
    ) -> SysResult<()>;
    /// set_tid_address(2): the address cleared and woken at thread exit. Returns the thread id.
    fn set_tid_address(&mut self, addr: u64) -> u64;
    /// What [`Process::set_tid_address`] or clone(2) set; 0 for nothing.
    fn tid_address(&self) -> u64 {
        0
    }
    /// set_robust_list(2). The default hands the list to the host kernel, whose layout it shares.
    fn set_robust_list(&mut self, head: u64, len: u64) -> SysResult<u64> {
        crate::host::forward(libc::SYS_set_robust_list, &[head, len, 0, 0, 0, 0])
    }

    // ---- signals ----
    /// rt_sigaction(2). `new` is `None` to only ask.
    fn sigaction(&mut self, sig: i32, new: Option<SigAction>) -> SysResult<SigAction>;
    /// rt_sigprocmask(2): `how` is checked already; returns the old mask.
    fn sigprocmask(&mut self, how: i32, set: Option<u64>) -> SysResult<u64>;
    /// rt_sigpending(2).
    fn sigpending(&mut self) -> SysResult<u64>;
    /// sigaltstack(2): returns the old state; `EPERM` while running on it, `ENOMEM` when too small.
    fn sigaltstack(&mut self, new: Option<AltStack>) -> SysResult<AltStack>;
    /// rt_sigreturn(2): reloads the guest registers from the frame at the guest's stack pointer.
    fn sigreturn(&mut self) -> Outcome;
    /// A signal of `set` already taken from the host but not delivered to the guest, as the 128 bytes of its
    /// `siginfo_t`; asked by rt_sigtimedwait before the host kernel.
    fn take_pending(&mut self, set: u64) -> Option<[u8; 128]> {
        let _ = set;
        None
    }
    /// The signal that waits has an action with `SA_RESTART`: a call that it interrupted is made again.
    fn restarts(&self) -> bool {
        false
    }
    /// `set` becomes the guest mask for the length of one call (ppoll, pselect6, epoll_pwait, rt_sigsuspend). The host's
    /// own mask stays as it is: the host call gets the temporary one as its argument. When a signal already taken from the
    /// host becomes deliverable, set the pending flag: the call then ends with `EINTR` at once.
    fn begin_temporary_mask(&mut self, set: u64);
    /// That call ended.
    fn end_temporary_mask(&mut self, end: MaskEnd);
    /// The mask the host must use for a guest mask; the runner removes the signals it needs itself.
    fn host_mask(&self, set: u64) -> u64 {
        set
    }

    // ---- files and identity ----
    /// Host path for a guest path that is looked up for reading, through the `-L` prefix;
    /// `None`: use the guest's path as it is. `follow` is false where a link itself is meant.
    fn resolve(&mut self, dirfd: i32, path: &CStr, follow: bool) -> Option<CString> {
        let _ = (dirfd, path, follow);
        None
    }
    /// True when [`Process::resolve`] can ever answer; lets path calls skip reading the path.
    fn has_sysroot(&self) -> bool {
        false
    }
    /// Content of an emulated `/proc` file; `None` lets the host's file through.
    fn proc_file(&mut self, file: ProcFile) -> Option<Vec<u8>>;
    /// The same for another emulated process: `maps` and `smaps`.
    fn proc_file_of(&mut self, peer: &Peer, file: ProcFile) -> Option<Vec<u8>> {
        let _ = (peer, file);
        None
    }
    /// Absolute host path of the guest executable (`/proc/self/exe`).
    fn exe_path(&self) -> &CStr;
    /// The runner's own descriptors (log file, sysroot, ...), which the guest must not close or see.
    fn private_fds(&self) -> [Option<i32>; 3] {
        [None; 3]
    }
    /// True for one of [`Process::private_fds`].
    fn is_private_fd(&self, fd: i32) -> bool {
        self.private_fds().contains(&Some(fd))
    }
    /// Kernel release shown by uname(2) instead of the host's (`-r`).
    fn uname_release(&self) -> Option<&CStr> {
        None
    }

    // ---- limits of calls ----
    /// What limits this thread's calls (seccomp(2)).
    fn seccomp(&self) -> &Seccomp {
        &crate::seccomp::NONE
    }
    /// The same of all threads of the process.
    fn threads_seccomp(&self) -> Vec<std::sync::Arc<Seccomp>> {
        Vec::new()
    }
    /// The guest's program counter: behind the call instruction.
    fn pc(&self) -> u64 {
        0
    }

    // ---- debuggers ----
    /// ptrace(2), in the guest's numbering and layouts.
    fn ptrace(&mut self, request: u64, tid: i32, addr: u64, data: u64) -> SysResult<u64> {
        let _ = (request, tid, addr, data);
        Err(Errno::ENOSYS)
    }
    /// The kernel has told of a change of a child or tracee: its wait status as the guest sees it, or
    /// `None` for one that the guest does not see. `keep` leaves a stop to be told of again.
    fn waited(&mut self, id: i32, status: i32, keep: bool) -> Option<i32> {
        let _ = (id, keep);
        Some(status)
    }
    /// A stop, as id and wait status, that the kernel does not tell of, of a tracee that `wanted`
    /// accepts. `keep` leaves it to be told of again.
    fn untold_stop(&mut self, wanted: &dyn Fn(i32) -> bool, keep: bool) -> Option<(i32, i32)> {
        let _ = (wanted, keep);
        None
    }
    /// True when this process traces another.
    fn is_tracer(&self) -> bool {
        false
    }
    /// The guest wrote the memory of another process by other means than ptrace(2).
    fn wrote_memory(&mut self, process: i32, addr: u64, len: u64) {
        let _ = (process, addr, len);
    }
    /// A filter wants the tracer asked about call `nr`: number and arguments to go on with, `None`
    /// without a tracer that wants to know.
    fn ask_tracer(&mut self, nr: u64, message: u32) -> Option<(u64, [u64; 6])> {
        let _ = (nr, message);
        None
    }

    // ---- processor-specific ----
    /// prctl(2) operations of the guest processor (vector length, tagged addresses, pointer authentication); `None`: not
    /// one of this processor's, `EINVAL`.
    fn arch_prctl(&mut self, op: u64, args: [u64; 4]) -> Option<SysResult<u64>> {
        let _ = (op, args);
        None
    }
    /// Value of one riscv_hwprobe(2) key; `None` for a key this processor does not know.
    fn hwprobe(&self, key: i64) -> Option<u64> {
        let _ = key;
        None
    }

    // ---- tracing ----
    /// True when `-strace` is on.
    fn strace_enabled(&self) -> bool {
        false
    }
    /// Takes strace text: a call's start without line end, or its result with one. Written at once.
    fn strace(&mut self, text: &str) {
        let _ = text;
    }
}

/// Error of a forwarded call as a value for [`Outcome::Return`].
impl From<SysResult<u64>> for Outcome {
    fn from(r: SysResult<u64>) -> Outcome {
        match r {
            Ok(v) => Outcome::Return(v),
            Err(Errno::RESTART) => Outcome::Restart,
            Err(e) => Outcome::Return(e.to_raw()),
        }
    }
}
