//! Descriptors: the ones the runner keeps for itself, and commands looked up in their tables.

use crate::context::Context;
use crate::table::fcntls::{self, FcntlHow};
use crate::table::ioctls::{self, Found, IoctlArg};
use crate::table::kinds;
use crate::{Errno, SysResult, notify, stats};

/// close(2). Dispatch has refused the runner's own descriptors.
pub(crate) fn close(cx: &mut Context<'_>, kinds::Fd(fd): kinds::Fd) -> SysResult<u64> {
    super::rings::closed(fd as u32, fd as u32);
    cx.blocking(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0])
}

/// close_range(2): in pieces around the runner's own descriptors.
pub(crate) fn close_range(
    cx: &mut Context<'_>,
    first: kinds::Uint,
    last: kinds::Uint,
    flags: kinds::CloseRange,
) -> SysResult<u64> {
    if first.0 > last.0 {
        return Err(Errno::EINVAL);
    }
    let host = |from: u32, to: u32| {
        crate::host::forward(
            libc::SYS_close_range,
            &[from.into(), to.into(), flags.0.into(), 0, 0, 0],
        )
    };
    if flags.0 & libc::CLOSE_RANGE_CLOEXEC == 0 {
        super::rings::closed(first.0, last.0);
    }
    let own = private_fds(cx, first.0, last.0);
    let mut from = Some(first.0);
    for fd in own {
        if let Some(start) = from
            && start < fd
        {
            host(start, fd - 1)?;
        }
        from = fd.checked_add(1);
    }
    match from {
        Some(start) if start <= last.0 => host(start, last.0),
        _ => Ok(0),
    }
}

/// The runner's descriptors within a range, ascending.
fn private_fds(cx: &Context<'_>, first: u32, last: u32) -> Vec<u32> {
    let all = cx.process.private_fds().into_iter().flatten().filter_map(|fd| fd.try_into().ok());
    let mut own: Vec<u32> = all.filter(|fd| (first..=last).contains(fd)).collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// dup3(2).
pub(crate) fn dup3(
    cx: &mut Context<'_>,
    old: kinds::Fd,
    new: kinds::Fd,
    flags: kinds::FdFlags,
) -> SysResult<u64> {
    if old.0 != new.0 {
        super::rings::closed(new.0 as u32, new.0 as u32);
    }
    cx.host(libc::SYS_dup3, [old.0 as u64, new.0 as u64, flags.0.into(), 0, 0, 0])
}

/// pipe2(2): `O_DIRECT` differs between processors.
pub(crate) fn pipe2(
    cx: &mut Context<'_>,
    fds: kinds::Out,
    flags: kinds::FdFlags,
) -> SysResult<u64> {
    let flags = cx.abi.open_flags_to_host(flags.0);
    cx.host(libc::SYS_pipe2, [cx.mem().host(fds.0), flags.into(), 0, 0, 0, 0])
}

/// fcntl(2).
pub(crate) fn fcntl(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    cmd: kinds::FcntlCmd,
    arg: kinds::FcntlArg,
) -> SysResult<u64> {
    let Some(row) = fcntls::find(cmd.0) else {
        stats::missed(stats::Kind::Fcntl, cmd.0);
        return Err(Errno::EINVAL);
    };
    let arg = if row.arg == fcntls::FcntlArg::Ptr { cx.mem().host(arg.0) } else { arg.0 };
    let args = |arg| [fd.0 as u64, cmd.0.into(), arg, 0, 0, 0];
    match row.how {
        FcntlHow::Forward => cx.host(libc::SYS_fcntl, args(arg)),
        FcntlHow::Wait => cx.blocking(libc::SYS_fcntl, args(arg)),
        FcntlHow::GetFlags => {
            let flags = cx.host(libc::SYS_fcntl, args(arg))?;
            Ok(cx.abi.open_flags_to_guest(flags as u32).into())
        }
        FcntlHow::SetFlags => {
            cx.host(libc::SYS_fcntl, args(cx.abi.open_flags_to_host(arg as u32).into()))
        }
    }
}

/// ioctl(2): only requests whose layout is known.
pub(crate) fn ioctl(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    request: kinds::IoctlReq,
    arg: kinds::IoctlArg,
) -> SysResult<u64> {
    let Some(found) = ioctls::find(request.0) else {
        stats::missed(stats::Kind::Ioctl, request.0);
        // A bad descriptor is reported first, as the kernel does.
        cx.host(libc::SYS_fcntl, [fd.0 as u64, libc::F_GETFD as u64, 0, 0, 0, 0])?;
        return Err(Errno::ENOTTY);
    };
    let pointer = match found {
        Found::Row(row) => matches!(row.arg, IoctlArg::In | IoctlArg::Out | IoctlArg::InOut),
        Found::Family(_) => request.0 >> 30 != 0,
    };
    let arg = if pointer { cx.mem().host(arg.0) } else { arg.0 };
    if [notify::RECV, notify::SEND].contains(&request.0) {
        return listener(cx, fd.0, request.0, arg);
    }
    let args = [fd.0 as u64, request.0.into(), arg, 0, 0, 0];
    match cx.blocking(libc::SYS_ioctl, args) {
        Err(Errno::EFAULT) if pointer && cx.process.unprotect(arg, 4096) => {
            cx.blocking(libc::SYS_ioctl, args)
        }
        r => r,
    }
}

/// Requests of a seccomp listener that carry a call's number or say what becomes of it.
fn listener(cx: &Context<'_>, fd: i32, request: u32, arg: u64) -> SysResult<u64> {
    let make = |arg| cx.blocking(libc::SYS_ioctl, [fd as u64, request.into(), arg, 0, 0, 0]);
    if request == notify::SEND
        && let Some(instead) = notify::answer(cx.mem(), arg)?
    {
        return make(instead.as_ptr() as u64);
    }
    let done = make(arg)?;
    if request == notify::RECV {
        notify::received(cx.mem(), cx.abi, arg)?;
    }
    Ok(done)
}
