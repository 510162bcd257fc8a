//! Waiting on descriptors: temporary signal masks, and the packed `epoll_event` of the host.

use crate::context::Context;
use crate::structs::{EpollEvent, SigsetArg};
use crate::table::kinds;
use crate::{Errno, Plain, SysResult};

/// The host's number of io_pgetevents(2).
const SYS_IO_PGETEVENTS: i64 = 333;
/// Bytes of the host's packed `struct epoll_event`.
const HOST_EVENT: usize = 12;
/// Events that find room on the stack.
const FEW_EVENTS: usize = 128;
/// Most events taken at once. A guest that asks for more gets the rest with its next call, which
/// epoll_wait(2) permits.
const MOST_EVENTS: usize = 1 << 16;

/// epoll_ctl(2).
pub(crate) fn epoll_ctl(
    cx: &mut Context<'_>,
    ep: kinds::Fd,
    op: kinds::EpollOp,
    fd: kinds::Fd,
    event: kinds::In,
) -> SysResult<u64> {
    let mut raw = [0; HOST_EVENT];
    let mut ptr = 0;
    if op.0 != libc::EPOLL_CTL_DEL as u32 {
        let e: EpollEvent = cx.mem().read(event.0)?;
        raw[..4].copy_from_slice(&e.events.to_le_bytes());
        raw[4..].copy_from_slice(&e.data.to_le_bytes());
        ptr = raw.as_ptr() as u64;
    }
    cx.host(libc::SYS_epoll_ctl, [ep.0 as u64, op.0.into(), fd.0 as u64, ptr, 0, 0])
}

/// epoll_pwait(2).
pub(crate) fn epoll_pwait(
    cx: &mut Context<'_>,
    ep: kinds::Fd,
    events: kinds::Out,
    max: kinds::Int,
    timeout: kinds::Int,
    mask: kinds::In,
    size: kinds::Size,
) -> SysResult<u64> {
    epoll(cx, libc::SYS_epoll_pwait, ep.0, events.0, max.0, timeout.0 as u64, mask.0, size.0)
}

/// epoll_pwait2(2): the timeout is a timespec.
pub(crate) fn epoll_pwait2(
    cx: &mut Context<'_>,
    ep: kinds::Fd,
    events: kinds::Out,
    max: kinds::Int,
    timeout: kinds::In,
    mask: kinds::In,
    size: kinds::Size,
) -> SysResult<u64> {
    let timeout = if timeout.0 == 0 { 0 } else { cx.mem().host(timeout.0) };
    epoll(cx, libc::SYS_epoll_pwait2, ep.0, events.0, max.0, timeout, mask.0, size.0)
}

fn epoll(
    cx: &mut Context<'_>,
    nr: i64,
    ep: i32,
    events: u64,
    max: i32,
    timeout: u64,
    mask: u64,
    size: u64,
) -> SysResult<u64> {
    let mask = cx.read_mask(mask, size)?;
    if max <= 0 || max as usize > i32::MAX as usize / EpollEvent::SIZE {
        return Err(Errno::EINVAL);
    }
    let take = (max as usize).min(MOST_EVENTS);
    let mut few = [0u8; HOST_EVENT * FEW_EVENTS];
    let mut many = Vec::new();
    let raw = if take <= FEW_EVENTS {
        &mut few[..]
    } else {
        many.resize(HOST_EVENT * take, 0);
        &mut many[..]
    };
    let buf = raw.as_mut_ptr() as u64;
    let n = cx.blocking_masked(nr, mask, |m| [ep as u64, buf, take as u64, timeout, m, 8])?;
    let mut at = events;
    for host in raw.chunks_exact(HOST_EVENT).take(n as usize) {
        let mut guest = [0u8; EpollEvent::SIZE];
        guest[..4].copy_from_slice(&host[..4]);
        guest[8..].copy_from_slice(&host[4..]);
        cx.mem().write_bytes(at, &guest)?;
        at = at.wrapping_add(EpollEvent::SIZE as u64);
    }
    Ok(n)
}

/// ppoll(2). The kernel writes the remaining time back to the timeout.
pub(crate) fn ppoll(
    cx: &mut Context<'_>,
    fds: kinds::PollFds,
    n: kinds::Uint,
    timeout: kinds::InOut,
    mask: kinds::In,
    size: kinds::Size,
) -> SysResult<u64> {
    let mask = cx.read_mask(mask.0, size.0)?;
    let (fds, timeout) = (cx.mem().host(fds.0), host_opt(cx, timeout.0));
    cx.blocking_masked(libc::SYS_ppoll, mask, |m| [fds, n.0.into(), timeout, m, 8, 0])
}

/// pselect6(2): the mask comes as a pointer and length behind a pointer.
pub(crate) fn pselect6(
    cx: &mut Context<'_>,
    n: kinds::Int,
    readfds: kinds::InOut,
    writefds: kinds::InOut,
    exceptfds: kinds::InOut,
    timeout: kinds::InOut,
    mask: kinds::In,
) -> SysResult<u64> {
    let mask = match cx.mem().read_opt::<SigsetArg>(mask.0)? {
        Some([addr, size]) => cx.read_mask(addr, size)?,
        None => None,
    };
    let [r, w, e, t] = [readfds, writefds, exceptfds, timeout].map(|p| host_opt(cx, p.0));
    let mut pair: SigsetArg = [0, 8];
    let pair_ptr = pair.as_mut_ptr() as u64;
    cx.blocking_masked(libc::SYS_pselect6, mask, |m| {
        pair[0] = m;
        [n.0 as u64, r, w, e, t, pair_ptr]
    })
}

/// io_pgetevents(2): the mask comes as for pselect6. The context is the address of the kernel's ring,
/// which lies where the guest sees it.
pub(crate) fn io_pgetevents(
    cx: &mut Context<'_>,
    ctx: kinds::AioCtx,
    min: kinds::Long,
    n: kinds::Long,
    events: kinds::Addr,
    timeout: kinds::In,
    mask: kinds::In,
) -> SysResult<u64> {
    let mask = match cx.mem().read_opt::<SigsetArg>(mask.0)? {
        Some([addr, size]) => cx.read_mask(addr, size)?,
        None => None,
    };
    let (events, timeout) = (cx.mem().host(events.0), host_opt(cx, timeout.0));
    let mut pair: SigsetArg = [0, 8];
    let pair_ptr = pair.as_mut_ptr() as u64;
    cx.blocking_masked(SYS_IO_PGETEVENTS, mask, |m| {
        pair[0] = m;
        [ctx.0, min.0 as u64, n.0 as u64, events, timeout, pair_ptr]
    })
}

fn host_opt(cx: &Context<'_>, addr: u64) -> u64 {
    if addr == 0 { 0 } else { cx.mem().host(addr) }
}
