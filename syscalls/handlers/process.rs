//! Processes and threads: arguments in one form for the runner.

use std::ffi::CString;

use super::{procfs, rlimit, seccomp};
use crate::context::{Context, PATH_MAX};
use crate::structs::CloneArgs3;
use crate::table::kinds;
use crate::table::prctls::{self, PrctlHow};
use crate::{CloneArgs, Errno, Outcome, Plain, ProcFile, SysResult, host, stats};

const CSIGNAL: u64 = 0xff;
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// clone(2), argument order of the generic ABI (`CONFIG_CLONE_BACKWARDS`).
pub(crate) fn clone(
    cx: &mut Context<'_>,
    flags: kinds::CloneFlags,
    stack: kinds::Addr,
    parent_tid: kinds::Addr,
    tls: kinds::Addr,
    child_tid: kinds::Addr,
) -> SysResult<u64> {
    // The legacy call takes a 32-bit flag word; a pidfd goes where the parent's copy of the id would.
    let low = flags.0 & 0xffff_ffff;
    let pidfd = low & libc::CLONE_PIDFD as u64 != 0;
    if pidfd && low & libc::CLONE_PARENT_SETTID as u64 != 0 {
        return Err(Errno::EINVAL);
    }
    let args = CloneArgs {
        flags: low & !CSIGNAL,
        pidfd: if pidfd { parent_tid.0 } else { 0 },
        child_tid: child_tid.0,
        parent_tid: parent_tid.0,
        exit_signal: low & CSIGNAL,
        stack_pointer: stack.0,
        tls: tls.0,
        ..CloneArgs::default()
    };
    start(cx, args)
}

/// clone3(2).
pub(crate) fn clone3(cx: &mut Context<'_>, args: kinds::In, size: kinds::Size) -> SysResult<u64> {
    let (first_version, known) = (64, CloneArgs3::SIZE as u64);
    if size.0 > 4096 {
        return Err(Errno::E2BIG);
    }
    if size.0 < first_version {
        return Err(Errno::EINVAL);
    }
    let mut raw = vec![0; size.0.max(known) as usize];
    cx.mem().read_bytes(args.0, &mut raw[..size.0 as usize])?;
    if raw[known as usize..].iter().any(|&b| b != 0) {
        return Err(Errno::E2BIG);
    }
    let a = CloneArgs3::load(&raw);
    let bad = a.flags & (CSIGNAL | libc::CLONE_DETACHED as u64) != 0
        || a.exit_signal > 64
        || (a.stack == 0) != (a.stack_size == 0)
        || (a.set_tid == 0) != (a.set_tid_size == 0)
        || a.set_tid_size > 32
        || (a.exit_signal != 0 && a.flags & (libc::CLONE_THREAD | libc::CLONE_PARENT) as u64 != 0)
        || (a.flags & CLONE_INTO_CGROUP != 0 && a.cgroup > i32::MAX as u64)
        || a.flags & (CLONE_CLEAR_SIGHAND | libc::CLONE_SIGHAND as u64)
            == CLONE_CLEAR_SIGHAND | libc::CLONE_SIGHAND as u64;
    if bad {
        return Err(Errno::EINVAL);
    }
    let args = CloneArgs {
        flags: a.flags,
        pidfd: a.pidfd,
        child_tid: a.child_tid,
        parent_tid: a.parent_tid,
        exit_signal: a.exit_signal,
        stack_pointer: a.stack.wrapping_add(a.stack_size),
        tls: a.tls,
        set_tid: (a.set_tid, a.set_tid_size),
        cgroup: a.cgroup,
    };
    start(cx, args)
}

/// The combinations the kernel refuses before anything is made (`copy_process`).
fn start(cx: &mut Context<'_>, args: CloneArgs) -> SysResult<u64> {
    let has = |bit: libc::c_int| args.flags & (bit as u32 as u64) != 0;
    let bad = (has(libc::CLONE_NEWNS) && has(libc::CLONE_FS))
        || (has(libc::CLONE_NEWUSER) && has(libc::CLONE_FS))
        || (has(libc::CLONE_THREAD) && !has(libc::CLONE_SIGHAND))
        || (has(libc::CLONE_SIGHAND) && !has(libc::CLONE_VM))
        || (has(libc::CLONE_THREAD) && (has(libc::CLONE_NEWUSER) || has(libc::CLONE_NEWPID)));
    if bad { Err(Errno::EINVAL) } else { cx.process.clone(args) }
}

/// Longest single argument or environment string, its end included (`MAX_ARG_STRLEN`).
const MAX_STRING: usize = 128 << 10;
/// All strings and pointers together: three quarters of the kernel's default 8 MiB stack (execve(2)).
const MAX_STRINGS: usize = 6 << 20;

/// execve(2).
pub(crate) fn execve(
    cx: &mut Context<'_>,
    path: kinds::PathRead,
    argv: kinds::Strings,
    envp: kinds::Addr,
) -> Outcome {
    exec(cx, libc::AT_FDCWD, path.0, argv.0, envp.0, 0)
}

/// execveat(2).
pub(crate) fn execveat(
    cx: &mut Context<'_>,
    dir: kinds::DirFd,
    path: kinds::PathRead,
    argv: kinds::Strings,
    envp: kinds::Addr,
    flags: kinds::AtFlags,
) -> Outcome {
    exec(cx, dir.0, path.0, argv.0, envp.0, flags.0.into())
}

fn exec(cx: &mut Context<'_>, dirfd: i32, path: u64, argv: u64, envp: u64, flags: u64) -> Outcome {
    let mut room = MAX_STRINGS;
    let read = |cx: &Context<'_>, room: &mut usize| {
        let path = cx
            .mem()
            .read_cstr(path, PATH_MAX)
            .and_then(|p| CString::new(p).map_err(|_| Errno::EFAULT))?;
        let path = own_program(cx, dirfd, path);
        Ok((path, strings(cx, argv, room)?, strings(cx, envp, room)?))
    };
    match read(cx, &mut room)
        .and_then(|(path, argv, envp)| cx.process.execve(dirfd, path, argv, envp, flags))
    {
        Ok(()) => Outcome::Replaced,
        Err(e) => Err(e).into(),
    }
}

/// The guest's name for its own program leads to the program, not to the runner.
fn own_program(cx: &Context<'_>, dirfd: i32, path: CString) -> CString {
    let runner = host::newfstatat(dirfd, path.as_ptr() as u64, 0);
    if runner.is_ok_and(|st| procfs::is_runner(&st)) {
        return cx.program_at(dirfd, &path, true).unwrap_or(path);
    }
    path
}

/// Reads a vector of strings ended by a null pointer; a null vector is empty.
fn strings(cx: &Context<'_>, vector: u64, room: &mut usize) -> SysResult<Vec<CString>> {
    let mut out = Vec::new();
    if vector == 0 {
        return Ok(out);
    }
    for i in 0u64.. {
        let ptr: u64 = cx.mem().read(vector.wrapping_add(8 * i))?;
        if ptr == 0 {
            break;
        }
        let text = cx
            .mem()
            .read_cstr(ptr, MAX_STRING)
            .map_err(|e| if e == Errno::ENAMETOOLONG { Errno::E2BIG } else { e })?;
        *room = room.checked_sub(text.len() + 9).ok_or(Errno::E2BIG)?;
        out.push(CString::new(text).map_err(|_| Errno::EFAULT)?);
    }
    Ok(out)
}

/// _exit(2) of one thread.
pub(crate) fn exit(_: &mut Context<'_>, status: kinds::Int) -> Outcome {
    Outcome::ExitThread(status.0 & 0xff)
}

/// exit_group(2).
pub(crate) fn exit_group(_: &mut Context<'_>, status: kinds::Int) -> Outcome {
    Outcome::ExitGroup(status.0 & 0xff)
}

/// set_tid_address(2).
pub(crate) fn set_tid_address(cx: &mut Context<'_>, addr: kinds::Addr) -> SysResult<u64> {
    Ok(cx.process.set_tid_address(addr.0))
}

/// set_robust_list(2).
pub(crate) fn set_robust_list(
    cx: &mut Context<'_>,
    head: kinds::Addr,
    len: kinds::Size,
) -> SysResult<u64> {
    cx.process.set_robust_list(head.0, len.0)
}

/// prctl(2).
pub(crate) fn prctl(
    cx: &mut Context<'_>,
    op: kinds::PrctlOp,
    arg2: kinds::Hex,
    arg3: kinds::Hex,
    arg4: kinds::Hex,
    arg5: kinds::Hex,
) -> SysResult<u64> {
    let args = [arg2.0, arg3.0, arg4.0, arg5.0];
    match prctls::find(op.0).map(|row| row.how) {
        Some(PrctlHow::Forward) => {
            cx.host(libc::SYS_prctl, [op.0.into(), args[0], args[1], args[2], args[3], 0])
        }
        Some(PrctlHow::Processor) => {
            cx.process.arch_prctl(op.0.into(), args).unwrap_or(Err(Errno::EINVAL))
        }
        Some(PrctlHow::Seccomp) if op.0 == libc::PR_SET_SECCOMP as u32 => {
            seccomp::set(cx, args[0], args[1])
        }
        Some(PrctlHow::Seccomp) => Ok(seccomp::mode(cx)),
        Some(PrctlHow::TidAddress) => {
            cx.mem().write(args[0], &cx.process.tid_address())?;
            Ok(0)
        }
        Some(PrctlHow::Auxv) => auxv(cx, args),
        Some(PrctlHow::Zero) => Ok(0),
        Some(PrctlHow::Refuse(_)) | None => {
            stats::missed(stats::Kind::Prctl, op.0);
            Err(Errno::EINVAL)
        }
    }
}

/// `PR_GET_AUXV`: as much as fits; the size of all.
fn auxv(cx: &mut Context<'_>, [at, room, rest @ ..]: [u64; 4]) -> SysResult<u64> {
    if rest != [0, 0] {
        return Err(Errno::EINVAL);
    }
    let all = cx.process.proc_file(ProcFile::Auxv).ok_or(Errno::EINVAL)?;
    let n = (room as usize).min(all.len());
    cx.mem().write_bytes(at, &all[..n])?;
    Ok(all.len() as u64)
}

/// prlimit64(2).
pub(crate) fn prlimit64(
    cx: &mut Context<'_>,
    pid: kinds::Pid,
    resource: kinds::Rlimit,
    new: kinds::In,
    old: kinds::Out,
) -> SysResult<u64> {
    rlimit::prlimit(cx, pid.0, resource.0, new.0, old.0)
}

/// getrlimit(2).
pub(crate) fn getrlimit(
    cx: &mut Context<'_>,
    resource: kinds::Rlimit,
    limit: kinds::Out,
) -> SysResult<u64> {
    if limit.0 == 0 {
        return Err(Errno::EFAULT);
    }
    rlimit::prlimit(cx, 0, resource.0, 0, limit.0)
}

/// setrlimit(2).
pub(crate) fn setrlimit(
    cx: &mut Context<'_>,
    resource: kinds::Rlimit,
    limit: kinds::In,
) -> SysResult<u64> {
    if limit.0 == 0 {
        return Err(Errno::EFAULT);
    }
    rlimit::prlimit(cx, 0, resource.0, limit.0, 0)
}
