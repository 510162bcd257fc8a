//! ptrace(2), and waiting for what a tracer must not see (wait(2)).

use super::procfs;
use crate::context::Context;
use crate::structs::Iovec;
use crate::table::kinds;
use crate::{Errno, Plain, SysResult, host};

/// Bytes of `struct rusage` and `siginfo_t`.
const RUSAGE: usize = 144;
const SIGINFO: usize = 128;

/// ptrace(2).
pub(crate) fn ptrace(
    cx: &mut Context<'_>,
    request: kinds::PtraceReq,
    pid: kinds::Pid,
    addr: kinds::Addr,
    data: kinds::Addr,
) -> SysResult<u64> {
    cx.process.ptrace(request.0, pid.0, addr.0, data.0)
}

/// Whether wait(2) for `id` means a thread. `kind` is that of waitid(2).
fn accepts(kind: u32, id: i32, tid: i32) -> bool {
    match kind {
        libc::P_ALL => true,
        libc::P_PID => id == tid,
        libc::P_PGID => {
            let group = |of: i32| host::forward(libc::SYS_getpgid, &[of as u64, 0, 0, 0, 0, 0]);
            let wanted = if id == 0 { group(0) } else { Ok(id as u64) };
            wanted.is_ok() && wanted == group(tid)
        }
        _ => false,
    }
}

/// wait4(2).
pub(crate) fn wait4(
    cx: &mut Context<'_>,
    pid: kinds::Pid,
    status: kinds::Out,
    options: kinds::WaitFlags,
    usage: kinds::Out,
) -> SysResult<u64> {
    let (kind, id) = match pid.0 {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => (libc::P_ALL, 0),
        id @ ..=0 => (libc::P_PGID, -id),
        id => (libc::P_PID, id),
    };
    if let Some((tid, shown)) = cx.process.untold_stop(&|tid| accepts(kind, id, tid), false) {
        cx.mem().write_opt(status.0, &shown)?;
        cx.mem().write_opt(usage.0, &[0u64; RUSAGE / 8])?;
        return Ok(tid as u64);
    }
    loop {
        let (mut found, mut used) = (0i32, [0u8; RUSAGE]);
        let found_at = (&raw mut found) as u64;
        let used_at = if usage.0 == 0 { 0 } else { used.as_mut_ptr() as u64 };
        let args = [pid.0 as u64, found_at, options.0.into(), used_at, 0, 0];
        let got = cx.blocking(libc::SYS_wait4, args)?;
        if got == 0 {
            return Ok(0);
        }
        if let Some(shown) = cx.process.waited(got as i32, found, false) {
            cx.mem().write_opt(status.0, &shown)?;
            if usage.0 != 0 {
                cx.mem().write_bytes(usage.0, &used)?;
            }
            return Ok(got);
        }
    }
}

/// waitid(2).
pub(crate) fn waitid(
    cx: &mut Context<'_>,
    kind: kinds::IdType,
    id: kinds::Pid,
    info: kinds::Out,
    options: kinds::WaitFlags,
    usage: kinds::Out,
) -> SysResult<u64> {
    let keep = options.0 & libc::WNOWAIT as u32 != 0;
    let stops = options.0 & libc::WSTOPPED as u32 != 0;
    let wanted = |tid| stops && accepts(kind.0, id.0, tid);
    if let Some((tid, shown)) = cx.process.untold_stop(&wanted, keep) {
        return tell(cx, info.0, tid, shown);
    }
    loop {
        let (mut found, mut used) = ([0u8; SIGINFO], [0u8; RUSAGE]);
        let found_at = found.as_mut_ptr() as u64;
        let used_at = if usage.0 == 0 { 0 } else { used.as_mut_ptr() as u64 };
        let args = [kind.0.into(), id.0 as u64, found_at, options.0.into(), used_at, 0];
        cx.blocking(libc::SYS_waitid, args)?;
        let word = |at: usize| i32::load(&found[at..]);
        let (code, tid, value) = (word(8), word(16), word(24));
        let status = match code {
            _ if tid == 0 => None,
            libc::CLD_TRAPPED | libc::CLD_STOPPED => Some(value << 8 | 0x7f),
            // The ends of processes; continued ones are nobody's stop.
            libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED => Some(0),
            _ => None,
        };
        if let Some(status) = status
            && (!keep || code == libc::CLD_TRAPPED)
        {
            if keep {
                take(tid)?;
            }
            match cx.process.waited(tid, status, keep) {
                None => continue,
                Some(shown) if code == libc::CLD_TRAPPED => {
                    found[24..28].copy_from_slice(&(shown >> 8).to_le_bytes());
                }
                Some(_) => {}
            }
        }
        if usage.0 != 0 {
            cx.mem().write_bytes(usage.0, &used)?;
        }
        if info.0 != 0 {
            // What the kernel fills of it: all but the padding.
            cx.mem().write_bytes(info.0, &found[..12])?;
            cx.mem().write_bytes(info.0.wrapping_add(16), &found[16..28])?;
        }
        return Ok(0);
    }
}

/// Takes a stop from the kernel that waitid(2) has left there.
fn take(tid: i32) -> SysResult<u64> {
    let options = (libc::WNOHANG | libc::__WALL) as u64;
    host::forward(libc::SYS_wait4, &[tid as u64, 0, options, 0, 0, 0])
}

/// Fills `siginfo_t` with a stop.
fn tell(cx: &mut Context<'_>, info: u64, tid: i32, status: i32) -> SysResult<u64> {
    if info != 0 {
        let head = [libc::SIGCHLD, 0, libc::CLD_TRAPPED];
        cx.mem().write(info, &head)?;
        cx.mem().write(info.wrapping_add(16), &[tid, 0, status >> 8])?;
    }
    Ok(0)
}

/// pwrite64(2): a debugger writes its tracees' memory so.
pub(crate) fn pwrite64(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    buf: kinds::InBuf,
    count: kinds::Size,
    offset: kinds::Off,
) -> SysResult<u64> {
    let args = [fd.0 as u64, buf.0, count.0, offset.0 as u64, 0, 0];
    let done = cx.blocking(libc::SYS_pwrite64, args)?;
    if cx.process.is_tracer()
        && let Some(process) = procfs::memory_of(fd.0)
    {
        cx.process.wrote_memory(process, offset.0 as u64, done);
    }
    Ok(done)
}

/// process_vm_writev(2).
pub(crate) fn process_vm_writev(
    cx: &mut Context<'_>,
    pid: kinds::Pid,
    local: kinds::InVec,
    ln: kinds::Size,
    remote: kinds::Addr,
    rn: kinds::Size,
    flags: kinds::Hex,
) -> SysResult<u64> {
    let args = [pid.0 as u64, local.0, ln.0, remote.0, rn.0, flags.0];
    let done = cx.host(libc::SYS_process_vm_writev, args)?;
    if cx.process.is_tracer() {
        for n in 0..rn.0 {
            let v: Iovec = cx.mem().read(remote.0.wrapping_add(n * Iovec::SIZE as u64))?;
            cx.process.wrote_memory(pid.0, v.iov_base, v.iov_len);
        }
    }
    Ok(done)
}
