//! From a call number to its outcome.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::context::Context;
use crate::structs::{Iovec, Msghdr};
use crate::table::{Call, Direction, Policy};
use crate::{
    Abi, Errno, Outcome, Plain, Process, Seccomp, SysResult, host, seccomp, stats, strace, uring,
};

/// Performs one guest system call: `nr` in the guest's numbering, `args` its six argument registers.
///
/// Afterwards the runner follows the [`Outcome`] and delivers any signal its pending flag announces.
pub fn dispatch(process: &mut dyn Process, abi: &'static Abi, nr: u64, args: [u64; 6]) -> Outcome {
    if let Some(outcome) = seccomp::check(process, abi, nr, &args) {
        return outcome;
    }
    unlimited(process, abi, nr, args)
}

/// What [`Forwarded::call`] needs to know of a thread.
#[derive(Clone, Copy)]
pub struct Forwarded<'a> {
    /// Non-zero while a signal waits.
    pub pending: &'a AtomicU32,
    /// What limits the thread's calls.
    pub seccomp: &'a Seccomp,
    /// Whether a descriptor above standard error is the runner's own.
    pub is_private: &'a dyn Fn(i32) -> bool,
}

impl Forwarded<'_> {
    /// [`dispatch`], and quicker, for a call that goes to the host's kernel as it is, of a thread that nobody watches or
    /// limits. `None`: it is not such a call, and nothing was done. Errors are those of the host's kernel, or
    /// [`Errno::RESTART`].
    ///
    /// Only for runners whose guest memory has the protection that the guest gave it.
    #[inline]
    pub fn call(&self, abi: &'static Abi, nr: u64, args: &[u64; 6]) -> Option<SysResult<u64>> {
        let call = abi.call(nr)?;
        let Policy::Forward(host) = call.policy else { return None };
        if call.path.is_some()
            || self.seccomp.mode() != 0
            || uring::is_on()
            || names_private_fd(self.is_private, call, args)
        {
            return None;
        }
        let host = i64::from(host);
        Some(if call.blocking {
            host::forward_blocking(self.pending, host, args)
        } else {
            host::forward(host, args)
        })
    }
}

impl core::fmt::Debug for Forwarded<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Forwarded").field("pending", self.pending).finish_non_exhaustive()
    }
}

/// The same for a call that no filter of the thread refuses.
pub(crate) fn unlimited(
    process: &mut dyn Process,
    abi: &'static Abi,
    nr: u64,
    args: [u64; 6],
) -> Outcome {
    let Some(call) = abi.call(nr) else {
        stats::missed(stats::Kind::Syscall, nr as u32);
        if process.strace_enabled() {
            strace::unknown(process, nr, &args);
        }
        return Outcome::Return(Errno::ENOSYS.to_raw());
    };
    if !process.strace_enabled() {
        return perform(process, abi, call, &args);
    }
    strace::before(process, abi, call, &args);
    let outcome = perform(process, abi, call, &args);
    strace::after(process, call, outcome);
    outcome
}

const EFAULT: Outcome = Outcome::Return(-(libc::EFAULT as i64) as u64);

fn perform(
    process: &mut dyn Process,
    abi: &'static Abi,
    call: &'static Call,
    args: &[u64; 6],
) -> Outcome {
    if names_private_fd(|fd| process.is_private_fd(fd), call, args) {
        return Outcome::Return(Errno::EBADF.to_raw());
    }
    match call.policy {
        Policy::Forward(nr) => {
            if call.path.is_some() {
                forward_path(&mut Context { process, abi, call }, i64::from(nr), args).into()
            } else {
                forward(process, call, i64::from(nr), args).into()
            }
        }
        Policy::Handler(handler) => {
            let outcome = handler(&mut Context { process: &mut *process, abi, call }, args);
            if outcome == EFAULT && open_outputs(process, call, args) {
                return handler(&mut Context { process, abi, call }, args);
            }
            outcome
        }
        Policy::Enosys(_) => {
            call.missed.fetch_add(1, Ordering::Relaxed);
            Outcome::Return(Errno::ENOSYS.to_raw())
        }
    }
}

/// True when an argument is a descriptor that the runner keeps for itself: to the guest it is closed.
#[inline]
fn names_private_fd(is_private: impl Fn(i32) -> bool, call: &Call, args: &[u64; 6]) -> bool {
    let mut left = call.fds;
    while left != 0 {
        let fd = args[left.trailing_zeros() as usize] as i32;
        if fd > libc::STDERR_FILENO && is_private(fd) {
            return true;
        }
        left &= left - 1;
    }
    false
}

/// The host call with the guest's arguments. Write-protected pages of the runner are opened on the
/// way out of the rare failure, so that the common case pays nothing for them.
#[inline]
fn forward(process: &mut dyn Process, call: &Call, nr: i64, args: &[u64; 6]) -> SysResult<u64> {
    let once = |p: &dyn Process| {
        if call.blocking {
            let flag = p.pending_flag();
            uring::carried(flag, nr, args, || p.restarts())
                .unwrap_or_else(|| host::forward_blocking(flag, nr, args))
        } else {
            host::forward(nr, args)
        }
    };
    match once(process) {
        Err(Errno::EFAULT) if open_outputs(process, call, args) => once(process),
        r => r,
    }
}

/// The same for a call with a path looked up for reading.
fn forward_path(cx: &mut Context<'_>, nr: i64, args: &[u64; 6]) -> SysResult<u64> {
    let at = usize::from(cx.call.path.unwrap_or(0));
    let dirfd = if at > 0 { args[at - 1] as i32 } else { libc::AT_FDCWD };
    let path = cx.host_path(dirfd, args[at], follows(cx.call, args));
    let mut args = *args;
    args[at] = path.ptr;
    forward(cx.process, cx.call, nr, &args)
}

/// False where a link at the end of the path is itself the object: the `l` forms of the extended
/// attribute calls, and `AT_SYMLINK_NOFOLLOW`.
fn follows(call: &Call, args: &[u64; 6]) -> bool {
    let flags = call.args.iter().position(|a| a.name == "flags").map_or(0, |i| args[i]);
    !matches!(call.name, "lgetxattr" | "llistxattr")
        && flags & libc::AT_SYMLINK_NOFOLLOW as u64 == 0
}

/// Asks the runner to open every buffer the call writes; true when that changed anything.
fn open_outputs(process: &mut dyn Process, call: &Call, args: &[u64; 6]) -> bool {
    let mut opened = false;
    for (arg, &addr) in call.args.iter().zip(args) {
        if addr == 0 {
            continue;
        }
        match arg.kind.dir {
            Direction::Out => opened |= process.unprotect(addr, length(call, args, arg.param)),
            Direction::OutVec => {
                let next =
                    call.args.iter().position(|a| a.name == arg.param).map_or(0, |i| args[i]);
                opened |= open_vector(process, addr, next);
            }
            Direction::OutMsg => opened |= open_message(process, addr),
            Direction::None | Direction::In | Direction::Path | Direction::SysrootPath => {}
        }
    }
    opened
}

/// Bytes behind an output argument: what the named argument says, else enough for any structure.
fn length(call: &Call, args: &[u64; 6], param: &str) -> u64 {
    let said = call.args.iter().position(|a| a.name == param).map(|i| args[i]);
    said.unwrap_or(0).clamp(256, 1 << 40)
}

fn open_vector(process: &mut dyn Process, addr: u64, count: u64) -> bool {
    let mut opened = false;
    for i in 0..count.min(1024) {
        let Ok(v) = process.memory().read::<Iovec>(addr.wrapping_add(i * Iovec::SIZE as u64))
        else {
            break;
        };
        opened |= process.unprotect(v.iov_base, v.iov_len);
    }
    opened
}

fn open_message(process: &mut dyn Process, addr: u64) -> bool {
    let Ok(m) = process.memory().read::<Msghdr>(addr) else { return false };
    process.unprotect(addr, Msghdr::SIZE as u64)
        | process.unprotect(m.msg_name, u64::from(m.msg_namelen))
        | process.unprotect(m.msg_control, m.msg_controllen)
        | open_vector(process, m.msg_iov, m.msg_iovlen)
}
