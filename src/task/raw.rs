//! Host calls that make processes and replace them.
#![expect(unsafe_code, reason = "fork, clone and exec duplicate or replace the whole process")]

use std::ffi::{CStr, CString};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use remu_syscalls::{AUXV_RUNNER, Errno, SysResult};

use crate::loader::Stack;

/// Bytes of host stack for a child that shares memory while its parent waits.
const VFORK_STACK: usize = 1 << 20;

fn call(nr: i64, args: [u64; 6]) -> SysResult<u64> {
    // SAFETY: the callers below pass live structures of the kernel's layout, or guest addresses.
    Errno::from_raw(unsafe { remu_syscalls::syscall(nr as u64, &args) })
}

/// fork(2) through the C library, which keeps its own locks usable in the child. 0 in the child.
pub(super) fn fork() -> SysResult<u64> {
    // SAFETY: only this thread exists in the child; every lock that its code takes is either the
    // C library's, which it releases, or held by the caller (address space, engine).
    let pid = unsafe { libc::fork() };
    u64::try_from(pid).map_err(|_| Errno::from_io(&std::io::Error::last_os_error()))
}

/// Makes a process that is no child of this one, and that no tracer of this one sees. True in the new
/// process, in a session of its own. Where other threads run, it must not allocate.
pub(crate) fn fork_apart() -> SysResult<bool> {
    let quiet = CloneCall { flags: libc::CLONE_UNTRACED as u64, ..CloneCall::default() };
    let between = clone_process(&quiet)?;
    if between == 0 {
        match clone_process(&quiet) {
            Ok(0) => {
                let _ = call(libc::SYS_setsid, [0; 6]);
                return Ok(true);
            }
            done => crate::signal::host::exit_group(i32::from(done.is_err())),
        }
    }
    let mut status = 0i32;
    let at = (&raw mut status) as u64;
    let what = libc::__WALL as u64;
    while call(libc::SYS_wait4, [between, at, what, 0, 0, 0]) == Err(Errno::EINTR) {}
    if status == 0 { Ok(false) } else { Err(Errno::EAGAIN) }
}

/// Makes a process that removes a file and its folder when this process has ended.
pub(crate) fn remove_after_end(folder: &CStr, file: &CStr) -> SysResult<()> {
    let pid = call(libc::SYS_getpid, [0; 6])?;
    if !fork_apart()? {
        return Ok(());
    }
    // From here on no allocation: another thread may have stopped inside the allocator.
    let _ = call(libc::SYS_close_range, [0, u64::from(u32::MAX), 0, 0, 0, 0]);
    if let Ok(fd) = call(libc::SYS_pidfd_open, [pid, 0, 0, 0, 0, 0]) {
        let mut poll = libc::pollfd { fd: fd as i32, events: libc::POLLIN, revents: 0 };
        let at = (&raw mut poll) as u64;
        while call(libc::SYS_ppoll, [at, 1, 0, 0, 0, 0]) == Err(Errno::EINTR) {}
    }
    let here = libc::AT_FDCWD as i64 as u64;
    let _ = call(libc::SYS_unlinkat, [here, file.as_ptr() as u64, 0, 0, 0, 0]);
    let flags = libc::AT_REMOVEDIR as u64;
    let _ = call(libc::SYS_unlinkat, [here, folder.as_ptr() as u64, flags, 0, 0, 0]);
    crate::signal::host::exit_group(0)
}

/// Lets a process trace this one that is not among its parents (prctl(2), `PR_SET_PTRACER`).
pub(crate) fn allow_tracer(pid: i32) {
    // Kernels without Yama do not know the call, and do not need it.
    let _ = call(libc::SYS_prctl, [libc::PR_SET_PTRACER as u64, pid as u64, 0, 0, 0, 0]);
}

/// Keeps the kernel from dumping this process (prctl(2), `PR_SET_DUMPABLE`).
pub(crate) fn forbid_core() {
    let _ = call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 0, 0, 0, 0, 0]);
}

/// Closes every descriptor but those wanted; standard input, output and error lead nowhere then.
pub(crate) fn close_others(wanted: impl Fn(i32) -> bool) {
    let names = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = names.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    open.into_iter().filter(|fd| !wanted(*fd)).for_each(close);
    if let Ok(null) = open_null() {
        for fd in 0..3 {
            if fd != null && !wanted(fd) {
                let _ = call(libc::SYS_dup3, [null as u64, fd as u64, 0, 0, 0, 0]);
            }
        }
        if null > 2 {
            close(null);
        }
    }
}

fn open_null() -> SysResult<i32> {
    let args = [libc::AT_FDCWD as i64 as u64, c"/dev/null".as_ptr() as u64, libc::O_RDWR as u64];
    call(libc::SYS_openat, [args[0], args[1], args[2], 0, 0, 0]).map(|fd| fd as i32)
}

/// `struct clone_args` (clone3(2)).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CloneCall {
    pub(super) flags: u64,
    pub(super) pidfd: u64,
    pub(super) child_tid: u64,
    pub(super) parent_tid: u64,
    pub(super) exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    pub(super) tls: u64,
    pub(super) set_tid: u64,
    pub(super) set_tid_size: u64,
    pub(super) cgroup: u64,
}

/// A new process with its own copy of memory and flags that fork(2) does not have. A lock of the C
/// library that another thread holds stays held in the child, unless the gate before the allocator is
/// closed ([`crate::gate`]).
pub(super) fn clone_process(args: &CloneCall) -> SysResult<u64> {
    debug_assert!(args.flags & libc::CLONE_VM as u64 == 0 && args.stack == 0);
    let size = size_of::<CloneCall>() as u64;
    match call(libc::SYS_clone3, [std::ptr::from_ref(args) as u64, size, 0, 0, 0, 0]) {
        // Sandboxes refuse clone3 and expect the older call.
        Err(Errno::ENOSYS) if args.set_tid == 0 && args.flags >> 32 == 0 => {
            let flags = args.flags | args.exit_signal;
            call(libc::SYS_clone, [flags, 0, args.parent_tid, args.child_tid, 0, 0])
        }
        other => other,
    }
}

/// Runs `child` in a new process that shares this one's memory, and waits until it executes another
/// program or ends (vfork(2)). The child's process id.
///
/// The child runs on its own stack with this thread's thread-local storage; the kernel keeps this
/// thread asleep meanwhile. All signals must be blocked.
pub(super) fn vfork(
    flags: u64,
    exit_signal: u64,
    parent_tid: u64,
    child: &mut dyn FnMut() -> i32,
) -> SysResult<u64> {
    struct Arg<'a>(&'a mut dyn FnMut() -> i32);
    extern "C" fn start(arg: *mut libc::c_void) -> i32 {
        // SAFETY: arg is the Arg below, alive because the parent sleeps in clone.
        (unsafe { &mut *arg.cast::<Arg<'_>>() }.0)()
    }
    let map = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping touches no existing memory.
    let stack = unsafe { libc::mmap(std::ptr::null_mut(), VFORK_STACK, prot, map, -1, 0) };
    if stack == libc::MAP_FAILED {
        return Err(Errno::ENOMEM);
    }
    let mut arg = Arg(child);
    let flags = (flags | exit_signal) as i32 | libc::CLONE_VM | libc::CLONE_VFORK;
    // SAFETY: the stack is as large as said and unmapped only after clone returned, which CLONE_VFORK
    // delays until the child no longer uses this memory. `parent_tid` is a guest address, used when
    // the guest set CLONE_PARENT_SETTID or CLONE_PIDFD; the kernel checks it.
    let pid = unsafe {
        let top = stack.cast::<u8>().add(VFORK_STACK).cast();
        libc::clone(start, top, flags, (&raw mut arg).cast(), parent_tid as *mut i32)
    };
    let error = std::io::Error::last_os_error();
    // SAFETY: as above, nobody runs on it any more.
    unsafe { libc::munmap(stack, VFORK_STACK) };
    u64::try_from(pid).map_err(|_| Errno::from_io(&error))
}

/// `struct prctl_mm_map` (`linux/prctl.h`).
#[repr(C)]
struct MmMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Tells the kernel where the guest's stack, arguments, environment and auxiliary vector are: what
/// every process sees of this one in `/proc`. `told` goes to other runners ([`AUXV_RUNNER`]).
pub(crate) fn show_guest(stack: &Stack, told: &'static [u64; 2]) {
    const PR_SET_MM_MAP: u64 = 14;
    let heap = call(libc::SYS_brk, [0; 6]).unwrap_or(0);
    // One entry more than the guest has, before the last.
    let (entries, end) = stack.auxv.split_at(stack.auxv.len().saturating_sub(16));
    let own = [AUXV_RUNNER.to_le_bytes(), (told.as_ptr() as u64).to_le_bytes()].concat();
    let auxv = [entries, &own, end].concat();
    // Nothing but `/proc` looks at where code and data are.
    let code = show_guest as *const () as u64;
    let map = MmMap {
        start_code: code,
        end_code: code + 1,
        start_data: code,
        end_data: code + 1,
        start_brk: heap,
        brk: heap,
        start_stack: stack.pointer,
        arg_start: stack.args.0,
        arg_end: stack.args.1,
        env_start: stack.env.0,
        env_end: stack.env.1,
        auxv: auxv.as_ptr() as u64,
        auxv_size: auxv.len() as u32,
        exe_fd: u32::MAX,
    };
    let at = (&raw const map) as u64;
    let args = [libc::PR_SET_MM as u64, PR_SET_MM_MAP, at, size_of::<MmMap>() as u64, 0, 0];
    if let Err(e) = call(libc::SYS_prctl, args) {
        // A kernel without CONFIG_CHECKPOINT_RESTORE: others see the runner's arguments.
        log::info!(target: "remu::unimp", "/proc shows the runner's arguments: {e}");
    }
}

/// execveat(2). Returns only the error.
pub(super) fn execveat(
    dirfd: i32,
    path: &CStr,
    argv: &[CString],
    envp: &[CString],
    flags: u64,
) -> Errno {
    let pointers = |all: &[CString]| {
        let mut p: Vec<*const i8> = all.iter().map(|s| s.as_ptr()).collect();
        p.push(std::ptr::null());
        p
    };
    let (argv, envp) = (pointers(argv), pointers(envp));
    let args = [
        dirfd as i64 as u64,
        path.as_ptr() as u64,
        argv.as_ptr() as u64,
        envp.as_ptr() as u64,
        flags,
        0,
    ];
    call(libc::SYS_execveat, args).err().unwrap_or(Errno::ENOEXEC)
}

/// Gives up sharing what a thread shares otherwise (unshare(2)).
pub(super) fn unshare(flags: u64) -> SysResult<u64> {
    call(libc::SYS_unshare, [flags, 0, 0, 0, 0, 0])
}

/// Wakes one waiter of a futex that processes may share.
pub(super) fn futex_wake(addr: u64) {
    // A guest address that is gone wakes nobody.
    let _ = call(libc::SYS_futex, [addr, libc::FUTEX_WAKE as u64, 1, 0, 0, 0]);
}

/// Sleeps while a word of this process has the value; may return without that.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    let _ = call(libc::SYS_futex, [word.as_ptr() as u64, PRIVATE_WAIT, value.into(), 0, 0, 0]);
}

/// Wakes all that sleep on a word of this process.
pub(crate) fn futex_wake_all(word: &AtomicU32) {
    let _ = call(libc::SYS_futex, [word.as_ptr() as u64, PRIVATE_WAKE, i32::MAX as u64, 0, 0, 0]);
}

/// True for the number of a thread that the kernel has; never for 0.
pub(crate) fn thread_exists(tid: i32) -> bool {
    tid > 0 && call(libc::SYS_tkill, [tid as u64, 0, 0, 0, 0, 0]) != Err(Errno::ESRCH)
}

/// Hands the kernel the thread's list of robust futexes.
pub(super) fn set_robust_list(head: u64, len: u64) -> SysResult<u64> {
    call(libc::SYS_set_robust_list, [head, len, 0, 0, 0, 0])
}

/// Keeps a descriptor open over execve, or not.
pub(super) fn set_cloexec(fd: i32, on: bool) {
    let flag = if on { libc::FD_CLOEXEC } else { 0 };
    // A descriptor that is gone makes the exec fail with its own error.
    let _ = call(libc::SYS_fcntl, [fd as u64, libc::F_SETFD as u64, flag as u64, 0, 0, 0]);
}

/// True when a descriptor closes on execve.
pub(super) fn is_cloexec(fd: i32) -> bool {
    let flags = call(libc::SYS_fcntl, [fd as u64, libc::F_GETFD as u64, 0, 0, 0, 0]);
    flags.is_ok_and(|f| f as i32 & libc::FD_CLOEXEC != 0)
}

/// A word a starting thread and its creator wait on.
#[derive(Debug, Default)]
pub(super) struct Handshake(AtomicI32);

impl Handshake {
    /// Publishes a value other than 0.
    pub(super) fn set(&self, value: i32) {
        self.0.store(value, Ordering::Release);
        let at = self.0.as_ptr() as u64;
        let _ = call(libc::SYS_futex, [at, PRIVATE_WAKE, i32::MAX as u64, 0, 0, 0]);
    }
    /// Waits for it.
    pub(super) fn wait(&self) -> i32 {
        loop {
            let value = self.0.load(Ordering::Acquire);
            if value != 0 {
                return value;
            }
            let at = self.0.as_ptr() as u64;
            let _ = call(libc::SYS_futex, [at, PRIVATE_WAIT, 0, 0, 0, 0]);
        }
    }
}

const PRIVATE_WAKE: u64 = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u64;
const PRIVATE_WAIT: u64 = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as u64;

/// faccessat2(2): may this be executed.
pub(super) fn access_execute(dirfd: i32, path: &CStr, flags: i32) -> SysResult<()> {
    let at = path.as_ptr() as u64;
    let args = [dirfd as i64 as u64, at, libc::X_OK as u64, flags as u64, 0, 0];
    match call(libc::SYS_faccessat2, args) {
        // Kernels before 5.8; the real ids are what is left to ask by.
        Err(Errno::ENOSYS) => call(libc::SYS_faccessat, args).map(drop),
        other => other.map(drop),
    }
}

/// Whether the kernel would execute an open file, as mounts and security modules see it
/// (`AT_EXECVE_CHECK`, Linux 6.14; older kernels are not asked).
pub(super) fn check_execute(fd: i32) -> SysResult<()> {
    let flags = (libc::AT_EMPTY_PATH | libc::AT_EXECVE_CHECK) as u64;
    let (argv, envp) = ([c"".as_ptr(), std::ptr::null()], [std::ptr::null::<i8>()]);
    let (argv, envp) = (argv.as_ptr() as u64, envp.as_ptr() as u64);
    let args = [fd as u64, c"".as_ptr() as u64, argv, envp, flags, 0];
    match call(libc::SYS_execveat, args) {
        Err(Errno::EINVAL) => Ok(()),
        done => done.map(drop),
    }
}

/// openat(2).
pub(super) fn open(dirfd: i32, path: &CStr, flags: i32) -> SysResult<OwnedFd> {
    let args = [dirfd as i64 as u64, path.as_ptr() as u64, flags as u64, 0, 0, 0];
    call(libc::SYS_openat, args).map(|fd| adopt(fd as i32))
}

/// A file in memory that holds `content`, kept open over execve.
pub(crate) fn memory_file(name: &CStr, content: &[u8]) -> SysResult<OwnedFd> {
    let fd = call(libc::SYS_memfd_create, [name.as_ptr() as u64, 0, 0, 0, 0, 0])?;
    let file = adopt(fd as i32);
    let mut done = 0;
    while done < content.len() {
        let rest = &content[done..];
        let args = [fd, rest.as_ptr() as u64, rest.len() as u64, done as u64, 0, 0];
        match call(libc::SYS_pwrite64, args)? {
            0 => return Err(Errno::EIO),
            n => done += n as usize,
        }
    }
    Ok(file)
}

/// A second descriptor of the same file, not below `least`.
pub(super) fn duplicate(fd: i32, least: i32) -> SysResult<OwnedFd> {
    let args = [fd as u64, libc::F_DUPFD_CLOEXEC as u64, least as u64, 0, 0, 0];
    call(libc::SYS_fcntl, args).map(|fd| adopt(fd as i32))
}

/// close(2) of a descriptor that this module's callers own as a number.
pub(super) fn close(fd: i32) {
    let _ = call(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
}

/// True when the descriptor is open.
pub(super) fn is_open(fd: i32) -> bool {
    call(libc::SYS_fcntl, [fd as u64, libc::F_GETFD as u64, 0, 0, 0, 0]).is_ok()
}

/// Takes over a descriptor that nothing else in this process owns.
pub(super) fn adopt(fd: i32) -> OwnedFd {
    // SAFETY: the callers got it from the kernel just now, or from the runner that became this one.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The path the kernel started the runner by (`AT_EXECFN`).
pub(super) fn exec_path() -> Option<&'static CStr> {
    // SAFETY: getauxval has no preconditions.
    let at = unsafe { libc::getauxval(libc::AT_EXECFN) };
    // SAFETY: when not null, the kernel put a C string there that lives as long as the process.
    (at != 0).then(|| unsafe { CStr::from_ptr(at as *const i8) })
}
