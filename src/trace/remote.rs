//! Host calls about another process.
#![expect(unsafe_code, reason = "ptrace(2) and process_vm_readv(2) take raw addresses")]

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use remu_syscalls::{Errno, SysResult};

use crate::host::Stopped;
use crate::signal::host::Info;

fn call(nr: i64, args: [u64; 6]) -> SysResult<u64> {
    // SAFETY: the callers below pass live buffers of the kernel's layout, addresses in another
    // process, or what the guest passed.
    Errno::from_raw(unsafe { remu_syscalls::syscall(nr as u64, &args) })
}

/// ptrace(2) with what the guest passed: the kernel checks its addresses.
pub(crate) fn forwarded(request: u64, tid: i32, addr: u64, data: u64) -> SysResult<u64> {
    call(libc::SYS_ptrace, [request, tid as u64, addr, data, 0, 0])
}

/// A request without an address.
pub(super) fn ask(request: u32, tid: i32, data: u64) -> SysResult<()> {
    forwarded(u64::from(request), tid, 0, data).map(drop)
}

/// `PTRACE_GETEVENTMSG`: of any stopped tracee of the calling thread.
pub(super) fn message(tid: i32) -> SysResult<u64> {
    let mut out = 0u64;
    ask(libc::PTRACE_GETEVENTMSG, tid, (&raw mut out) as u64)?;
    Ok(out)
}

/// `PTRACE_GETSIGINFO`.
pub(super) fn info(tid: i32) -> SysResult<Info> {
    let mut out: Info = [0; 128];
    ask(libc::PTRACE_GETSIGINFO, tid, out.as_mut_ptr() as u64)?;
    Ok(out)
}

/// `PTRACE_SETSIGINFO`.
pub(super) fn set_info(tid: i32, info: &Info) -> SysResult<()> {
    ask(libc::PTRACE_SETSIGINFO, tid, info.as_ptr() as u64)
}

/// `PTRACE_GETREGS`: the host's.
pub(super) fn registers(tid: i32) -> SysResult<Stopped> {
    // SAFETY: plain integers, for which zero is valid.
    let mut out: Stopped = unsafe { std::mem::zeroed() };
    ask(libc::PTRACE_GETREGS, tid, (&raw mut out) as u64)?;
    Ok(out)
}

/// `PTRACE_SETREGS`.
pub(super) fn set_registers(tid: i32, r: &Stopped) -> SysResult<()> {
    ask(libc::PTRACE_SETREGS, tid, std::ptr::from_ref(r) as u64)
}

/// Fills `out` from another process's memory.
pub(super) fn read(tid: i32, addr: u64, out: &mut [u8]) -> SysResult<()> {
    transfer(libc::SYS_process_vm_readv, tid, addr, out.as_mut_ptr() as u64, out.len())
}

/// Copies `bytes` to another process's memory, where that may be written.
pub(super) fn write(tid: i32, addr: u64, bytes: &[u8]) -> SysResult<()> {
    transfer(libc::SYS_process_vm_writev, tid, addr, bytes.as_ptr() as u64, bytes.len())
}

fn transfer(nr: i64, tid: i32, remote: u64, local: u64, len: usize) -> SysResult<()> {
    let here = libc::iovec { iov_base: local as *mut libc::c_void, iov_len: len };
    let there = libc::iovec { iov_base: remote as *mut libc::c_void, iov_len: len };
    let (here, there) = ((&raw const here) as u64, (&raw const there) as u64);
    let done = call(nr, [tid as u64, here, 1, there, 1, 0])?;
    if done == len as u64 { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Waits for a stop or the end of one thread, which stays to be waited for; with `peek` only if
/// there is one now. True for a stop.
pub(super) fn has_stopped(tid: i32, peek: bool) -> SysResult<bool> {
    let mut info: Info = [0; 128];
    let now = if peek { libc::WNOHANG } else { 0 };
    let what = libc::WSTOPPED | libc::WEXITED | libc::WNOWAIT | libc::__WALL | now;
    let at = info.as_mut_ptr() as u64;
    call(libc::SYS_waitid, [libc::P_PID as u64, tid as u64, at, what as u64, 0, 0])?;
    let code = i32::from_le_bytes([info[8], info[9], info[10], info[11]]);
    Ok(code == libc::CLD_TRAPPED || code == libc::CLD_STOPPED)
}

/// Takes the stop of a thread.
pub(super) fn take_stop(tid: i32) -> SysResult<i32> {
    let mut status = 0i32;
    let what = (libc::WNOHANG | libc::__WALL) as u64;
    match call(libc::SYS_wait4, [tid as u64, (&raw mut status) as u64, what, 0, 0, 0])? {
        0 => Err(Errno::ESRCH),
        _ => Ok(status),
    }
}

/// Sends a thread of another process a signal of a code that processes may send.
pub(super) fn send(process: i32, tid: i32, signal: i32, code: i32) -> SysResult<()> {
    let mut info: Info = [0; 128];
    info[0..4].copy_from_slice(&signal.to_le_bytes());
    info[8..12].copy_from_slice(&code.to_le_bytes());
    let at = info.as_ptr() as u64;
    call(libc::SYS_rt_tgsigqueueinfo, [process as u64, tid as u64, signal as u64, at, 0, 0])
        .map(drop)
}

/// Tells this process that a tracee has stopped, as the kernel does.
pub(super) fn tell_self(tid: i32, code: u32) {
    let mut info: Info = [0; 128];
    info[0..4].copy_from_slice(&libc::SIGCHLD.to_le_bytes());
    info[8..12].copy_from_slice(&libc::CLD_TRAPPED.to_le_bytes());
    info[16..20].copy_from_slice(&tid.to_le_bytes());
    info[24..28].copy_from_slice(&code.to_le_bytes());
    let pid = crate::signal::host::pid() as u64;
    let at = info.as_ptr() as u64;
    // To itself a process may send anything; a SIGCHLD that waits already is enough.
    let _ = call(libc::SYS_rt_sigqueueinfo, [pid, libc::SIGCHLD as u64, at, 0, 0, 0]);
}

/// The process a thread belongs to.
pub(super) fn process_of(tid: i32) -> Option<i32> {
    status_field(tid, "Tgid:")?.parse().ok()
}

/// True when the thread's process has a handler for the signal.
pub(super) fn is_caught(tid: i32, signal: u32) -> bool {
    let set = status_field(tid, "SigCgt:").and_then(|s| u64::from_str_radix(&s, 16).ok());
    set.is_some_and(|s| signal != 0 && s >> (signal - 1) & 1 != 0)
}

fn status_field(tid: i32, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let value = text.lines().find_map(|l| l.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

/// True when a thread runs the same program file as this process: a runner whose data is laid out
/// as this one's.
pub(super) fn is_same_program(tid: i32) -> bool {
    static OWN: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let file = |path: &str| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    let own = OWN.get_or_init(|| file("/proc/self/exe"));
    own.is_some() && *own == file(&format!("/proc/{tid}/exe"))
}
