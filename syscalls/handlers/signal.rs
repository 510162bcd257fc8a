//! Signals: state is the runner's, layouts are here.

use crate::context::Context;
use crate::structs::{SigInfo, StackT, Timespec};
use crate::table::kinds;
use crate::{AltStack, Errno, Outcome, Plain, SigAction, SysResult};

/// Bytes of a signal set.
const SIGSET: u64 = 8;
const UNBLOCKABLE: u64 = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);

fn check_size(size: u64) -> SysResult<()> {
    if size == SIGSET { Ok(()) } else { Err(Errno::EINVAL) }
}

/// rt_sigaction(2).
pub(crate) fn rt_sigaction(
    cx: &mut Context<'_>,
    sig: kinds::Sig,
    new: kinds::In,
    old: kinds::Out,
    size: kinds::Size,
) -> SysResult<u64> {
    check_size(size.0)?;
    let new = if new.0 == 0 { None } else { Some(read_action(cx, new.0)?) };
    if !(1..=64).contains(&sig.0)
        || (new.is_some() && (sig.0 == libc::SIGKILL || sig.0 == libc::SIGSTOP))
    {
        return Err(Errno::EINVAL);
    }
    let before = cx.process.sigaction(sig.0, new)?;
    if old.0 != 0 {
        write_action(cx, old.0, &before)?;
    }
    Ok(0)
}

/// `struct sigaction`: handler, flags, the restorer where the ABI has one, mask.
fn read_action(cx: &Context<'_>, addr: u64) -> SysResult<SigAction> {
    let mut words = [0u64; 4];
    for (i, w) in words.iter_mut().enumerate().take(words_of_action(cx)) {
        *w = cx.mem().read(addr.wrapping_add(8 * i as u64))?;
    }
    let [handler, flags, third, fourth] = words;
    let (restorer, mask) = if cx.abi.sa_restorer { (third, fourth) } else { (0, third) };
    Ok(SigAction { handler, flags, restorer, mask: mask & !UNBLOCKABLE })
}

fn write_action(cx: &Context<'_>, addr: u64, a: &SigAction) -> SysResult<()> {
    let words = if cx.abi.sa_restorer {
        [a.handler, a.flags, a.restorer, a.mask]
    } else {
        [a.handler, a.flags, a.mask, 0]
    };
    let mut raw = [0; 32];
    words.store(&mut raw);
    cx.mem().write_bytes(addr, &raw[..8 * words_of_action(cx)])
}

fn words_of_action(cx: &Context<'_>) -> usize {
    if cx.abi.sa_restorer { 4 } else { 3 }
}

/// rt_sigprocmask(2).
pub(crate) fn rt_sigprocmask(
    cx: &mut Context<'_>,
    how: kinds::SigHow,
    new: kinds::In,
    old: kinds::Out,
    size: kinds::Size,
) -> SysResult<u64> {
    check_size(size.0)?;
    let set = cx.mem().read_opt::<u64>(new.0)?.map(|s| s & !UNBLOCKABLE);
    if set.is_some() && how.0 > libc::SIG_SETMASK as u32 {
        return Err(Errno::EINVAL);
    }
    let before = cx.process.sigprocmask(how.0 as i32, set)?;
    cx.mem().write_opt(old.0, &before)?;
    Ok(0)
}

/// rt_sigpending(2): a shorter set than the kernel's is allowed.
pub(crate) fn rt_sigpending(
    cx: &mut Context<'_>,
    set: kinds::Out,
    size: kinds::Size,
) -> SysResult<u64> {
    if size.0 > SIGSET {
        return Err(Errno::EINVAL);
    }
    let pending = cx.process.sigpending()?;
    cx.mem().write_bytes(set.0, &pending.to_le_bytes()[..size.0 as usize])?;
    Ok(0)
}

/// rt_sigsuspend(2).
pub(crate) fn rt_sigsuspend(
    cx: &mut Context<'_>,
    mask: kinds::In,
    size: kinds::Size,
) -> SysResult<u64> {
    check_size(size.0)?;
    let mask = cx.mem().read::<u64>(mask.0)?;
    cx.blocking_masked(libc::SYS_rt_sigsuspend, Some(mask), |m| [m, SIGSET, 0, 0, 0, 0])
}

/// rt_sigtimedwait(2): signals the runner has taken already come first.
pub(crate) fn rt_sigtimedwait(
    cx: &mut Context<'_>,
    set: kinds::In,
    info: kinds::Out,
    timeout: kinds::In,
    size: kinds::Size,
) -> SysResult<u64> {
    check_size(size.0)?;
    let wanted = cx.mem().read::<u64>(set.0)? & !UNBLOCKABLE;
    let timeout = match cx.mem().read_opt::<Timespec>(timeout.0)? {
        Some(t) if t.tv_sec < 0 || !(0..1_000_000_000).contains(&t.tv_nsec) => {
            return Err(Errno::EINVAL);
        }
        Some(_) => cx.mem().host(timeout.0),
        None => 0,
    };
    if let Some(taken) = cx.process.take_pending(wanted) {
        if info.0 != 0 {
            cx.mem().write_bytes(info.0, &taken)?;
        }
        return Ok(SigInfo::load(&taken).si_signo as u64);
    }
    let info = if info.0 == 0 { 0 } else { cx.mem().host(info.0) };
    cx.blocking(libc::SYS_rt_sigtimedwait, [&raw const wanted as u64, info, timeout, SIGSET, 0, 0])
}

/// rt_sigreturn(2).
pub(crate) fn rt_sigreturn(cx: &mut Context<'_>) -> Outcome {
    cx.process.sigreturn()
}

/// sigaltstack(2).
pub(crate) fn sigaltstack(cx: &mut Context<'_>, new: kinds::In, old: kinds::Out) -> SysResult<u64> {
    let new = match cx.mem().read_opt::<StackT>(new.0)? {
        None => None,
        Some(s) => {
            let mode = s.ss_flags & !SS_AUTODISARM;
            if mode != 0 && mode != libc::SS_ONSTACK && mode != libc::SS_DISABLE {
                return Err(Errno::EINVAL);
            }
            if mode != libc::SS_DISABLE && s.ss_size < cx.abi.min_sigstack {
                return Err(Errno::ENOMEM);
            }
            Some(AltStack { sp: s.ss_sp, flags: s.ss_flags, size: s.ss_size })
        }
    };
    let before = cx.process.sigaltstack(new)?;
    cx.mem().write_opt(
        old.0,
        &StackT { ss_sp: before.sp, ss_flags: before.flags, _pad: 0, ss_size: before.size },
    )?;
    Ok(0)
}

/// `SS_AUTODISARM`: forget the stack while a handler runs on it.
const SS_AUTODISARM: i32 = 1 << 31;

/// signalfd4(2).
pub(crate) fn signalfd4(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    mask: kinds::In,
    size: kinds::Size,
    flags: kinds::FdFlags,
) -> SysResult<u64> {
    check_size(size.0)?;
    let mask = cx.mem().read::<u64>(mask.0)? & !UNBLOCKABLE;
    cx.host(
        libc::SYS_signalfd4,
        [fd.0 as u64, &raw const mask as u64, SIGSET, flags.0.into(), 0, 0],
    )
}

/// restart_syscall(2): nothing is ever left to restart, calls are begun again instead.
pub(crate) fn restart_syscall(_: &mut Context<'_>) -> SysResult<u64> {
    Err(Errno::EINTR)
}
