//! One row per call, grouped by subject; numbers are in `abi/<arch>/numbers.rs`.
#![expect(non_upper_case_globals, reason = "rows carry the kernel's names")]

use super::{Arg, ArgKind, Call, Policy, Ret, kinds, syscalls};
use crate::uring::op::*;

#[rustfmt::skip]
syscalls! {
    // call (arguments) -> result = policy, attributes

    // ---- descriptors ----
    read (fd: Fd, buf: OutBuf<count>, count: Size) -> Size = forward, blocking, uring(READ);
    write (fd: Fd, buf: InBuf<count>, count: Size) -> Size = forward, blocking, uring(WRITE);
    readv (fd: Fd, iov: OutVec<n>, n: Size) -> Size = forward, blocking, uring(READV);
    writev (fd: Fd, iov: InVec<n>, n: Size) -> Size = forward, blocking, uring(WRITEV);
    pread64 (fd: Fd, buf: OutBuf<count>, count: Size, offset: Off) -> Size = forward, blocking, uring(READ);
    pwrite64 (fd: Fd, buf: InBuf<count>, count: Size, offset: Off) -> Size = handler(trace::pwrite64), blocking, uring(WRITE);
    preadv (fd: Fd, iov: OutVec<n>, n: Size, pos_l: Off, pos_h: Off) -> Size = forward, blocking, uring(READV);
    pwritev (fd: Fd, iov: InVec<n>, n: Size, pos_l: Off, pos_h: Off) -> Size = forward, blocking, uring(WRITEV);
    preadv2 (fd: Fd, iov: OutVec<n>, n: Size, pos_l: Off, pos_h: Off, flags: RwFlags) -> Size = forward, blocking, uring(READV);
    pwritev2 (fd: Fd, iov: InVec<n>, n: Size, pos_l: Off, pos_h: Off, flags: RwFlags) -> Size = forward, blocking, uring(WRITEV);
    lseek (fd: Fd, offset: Off, whence: Whence) -> Size = forward;
    close (fd: Fd) -> Zero = handler(fd::close), blocking;
    close_range (first: Uint, last: Uint, flags: CloseRange) -> Zero = handler(fd::close_range);
    dup (fd: Fd) -> Fd = forward;
    dup3 (old: Fd, new: Fd, flags: FdFlags) -> Fd = handler(fd::dup3);
    fcntl (fd: Fd, cmd: FcntlCmd, arg: FcntlArg<cmd>) -> Int = handler(fd::fcntl), blocking;
    ioctl (fd: Fd, request: IoctlReq, arg: IoctlArg<request>) -> Int = handler(fd::ioctl), blocking;
    flock (fd: Fd, op: FlockOp) -> Zero = forward, blocking;
    fsync (fd: Fd) -> Zero = forward;
    fdatasync (fd: Fd) -> Zero = forward;
    sync () -> Zero = forward;
    syncfs (fd: Fd) -> Zero = forward;
    sync_file_range (fd: Fd, offset: Off, len: Off, flags: SyncFlags) -> Zero = forward;
    pipe2 (fds: Out<Fds>, flags: FdFlags) -> Zero = handler(fd::pipe2);
    splice (in_fd: Fd, in_off: InOut<Loff>, out_fd: Fd, out_off: InOut<Loff>, len: Size, flags: SpliceFlags) -> Size = forward, blocking;
    tee (in_fd: Fd, out_fd: Fd, len: Size, flags: SpliceFlags) -> Size = forward, blocking;
    vmsplice (fd: Fd, iov: InVec<n>, n: Size, flags: SpliceFlags) -> Size = forward, blocking;
    sendfile (out_fd: Fd, in_fd: Fd, offset: InOut<Loff>, count: Size) -> Size = forward, blocking;
    copy_file_range (in_fd: Fd, in_off: InOut<Loff>, out_fd: Fd, out_off: InOut<Loff>, len: Size, flags: Hex) -> Size = forward, blocking;
    readahead (fd: Fd, offset: Off, count: Size) -> Zero = forward;
    fadvise64 (fd: Fd, offset: Off, len: Off, advice: Fadv) -> Zero = forward;
    fallocate (fd: Fd, mode: FallocFlags, offset: Off, len: Off) -> Zero = forward;
    ftruncate (fd: Fd, length: Off) -> Zero = forward;
    cachestat (fd: Fd, range: In<CachestatRange>, stat: Out<Cachestat>, flags: Hex) -> Zero = forward;
    memfd_create (name: Str, flags: MfdFlags) -> Fd = forward;
    memfd_secret (flags: Hex) -> Fd = forward;

    // ---- files by name ----
    openat (dirfd: DirFd, path: PathRead, flags: OpenFlags, mode: CreateMode<flags>) -> Fd = handler(fs::openat), blocking;
    openat2 (dirfd: DirFd, path: PathRead, how: In<OpenHow>, size: Size) -> Fd = handler(fs::openat2), blocking;
    name_to_handle_at (dirfd: DirFd, path: Path, handle: InOut<FileHandle>, mount_id: Out<Int>, flags: AtFlags) -> Zero = forward;
    open_by_handle_at (mount_fd: DirFd, handle: In<FileHandle>, flags: OpenFlags) -> Fd = handler(fs::open_by_handle_at);
    faccessat (dirfd: DirFd, path: PathRead, mode: Access) -> Zero = forward;
    faccessat2 (dirfd: DirFd, path: PathRead, mode: Access, flags: AtAccess) -> Zero = forward;
    newfstatat (dirfd: DirFd, path: PathRead, buf: Out<Stat>, flags: AtFlags) -> Zero = handler(fs::newfstatat);
    fstat (fd: Fd, buf: Out<Stat>) -> Zero = handler(fs::fstat);
    statx (dirfd: DirFd, path: PathRead, flags: AtFlags, mask: StatxMask, buf: Out<Statx>) -> Zero = forward;
    readlinkat (dirfd: DirFd, path: PathRead, buf: OutBuf<size>, size: Size) -> Size = handler(fs::readlinkat);
    statfs (path: PathRead, buf: Out<Statfs>) -> Zero = forward;
    fstatfs (fd: Fd, buf: Out<Statfs>) -> Zero = forward;
    getdents64 (fd: Fd, buf: OutBuf<count>, count: Size) -> Size = handler(fs::getdents64);
    mkdirat (dirfd: DirFd, path: Path, mode: Mode) -> Zero = forward;
    mknodat (dirfd: DirFd, path: Path, mode: Mode, dev: Dev) -> Zero = forward;
    unlinkat (dirfd: DirFd, path: Path, flags: AtFlags) -> Zero = forward;
    symlinkat (content: Str, dirfd: DirFd, path: Path) -> Zero = forward;
    linkat (old_dirfd: DirFd, old: Path, new_dirfd: DirFd, new: Path, flags: AtFlags) -> Zero = forward;
    renameat (old_dirfd: DirFd, old: Path, new_dirfd: DirFd, new: Path) -> Zero = forward;
    renameat2 (old_dirfd: DirFd, old: Path, new_dirfd: DirFd, new: Path, flags: RenameFlags) -> Zero = forward;
    truncate (path: Path, length: Off) -> Zero = forward;
    fchmod (fd: Fd, mode: Mode) -> Zero = forward;
    fchmodat (dirfd: DirFd, path: Path, mode: Mode) -> Zero = forward;
    fchmodat2 (dirfd: DirFd, path: Path, mode: Mode, flags: AtFlags) -> Zero = forward;
    fchown (fd: Fd, uid: Uid, gid: Uid) -> Zero = forward;
    fchownat (dirfd: DirFd, path: Path, uid: Uid, gid: Uid, flags: AtFlags) -> Zero = forward;
    utimensat (dirfd: DirFd, path: PathRead, times: In<Timespec2>, flags: AtFlags) -> Zero = forward;
    umask (mask: Mode) -> Int = forward;
    getcwd (buf: OutBuf<size>, size: Size) -> Size = forward;
    chdir (path: Path) -> Zero = forward;
    fchdir (fd: Fd) -> Zero = forward;
    chroot (path: Path) -> Zero = forward;
    file_getattr (dirfd: DirFd, path: Path, attr: OutBuf<size>, size: Size, flags: AtFlags) -> Zero = forward;
    file_setattr (dirfd: DirFd, path: Path, attr: Addr, size: Size, flags: AtFlags) -> Zero = forward;

    // ---- extended attributes ----
    setxattr (path: Path, name: Str, value: InBuf<size>, size: Size, flags: XattrFlags) -> Zero = forward;
    lsetxattr (path: Path, name: Str, value: InBuf<size>, size: Size, flags: XattrFlags) -> Zero = forward;
    fsetxattr (fd: Fd, name: Str, value: InBuf<size>, size: Size, flags: XattrFlags) -> Zero = forward;
    getxattr (path: PathRead, name: Str, value: OutBuf<size>, size: Size) -> Size = forward;
    lgetxattr (path: PathRead, name: Str, value: OutBuf<size>, size: Size) -> Size = forward;
    fgetxattr (fd: Fd, name: Str, value: OutBuf<size>, size: Size) -> Size = forward;
    listxattr (path: PathRead, list: OutBuf<size>, size: Size) -> Size = forward;
    llistxattr (path: PathRead, list: OutBuf<size>, size: Size) -> Size = forward;
    flistxattr (fd: Fd, list: OutBuf<size>, size: Size) -> Size = forward;
    removexattr (path: Path, name: Str) -> Zero = forward;
    lremovexattr (path: Path, name: Str) -> Zero = forward;
    fremovexattr (fd: Fd, name: Str) -> Zero = forward;
    setxattrat (dirfd: DirFd, path: Path, flags: AtFlags, name: Str, args: Addr, size: Size) -> Zero = forward;
    getxattrat (dirfd: DirFd, path: Path, flags: AtFlags, name: Str, args: Addr, size: Size) -> Size = forward;
    listxattrat (dirfd: DirFd, path: Path, flags: AtFlags, list: OutBuf<size>, size: Size) -> Size = forward;
    removexattrat (dirfd: DirFd, path: Path, flags: AtFlags, name: Str) -> Zero = forward;

    // ---- mounts, quotas, namespaces of files ----
    mount (source: Str, path: Path, fstype: Str, flags: MountFlags, data: Addr) -> Zero = forward;
    umount2 (path: Path, flags: UmountFlags) -> Zero = forward;
    pivot_root (new_root: Path, put_old: Path) -> Zero = forward;
    open_tree (dirfd: DirFd, path: Path, flags: Hex) -> Fd = forward;
    open_tree_attr (dirfd: DirFd, path: Path, flags: Hex, attr: Addr, size: Size) -> Fd = forward;
    move_mount (from_dirfd: DirFd, from: Path, to_dirfd: DirFd, to: Path, flags: Hex) -> Zero = forward;
    fsopen (fstype: Str, flags: Hex) -> Fd = forward;
    fsconfig (fd: Fd, cmd: Uint, key: Str, value: Addr, aux: Int) -> Zero = forward;
    fsmount (fd: Fd, flags: Hex, attr: Hex) -> Fd = forward;
    fspick (dirfd: DirFd, path: Path, flags: Hex) -> Fd = forward;
    mount_setattr (dirfd: DirFd, path: Path, flags: Hex, attr: Addr, size: Size) -> Zero = forward;
    statmount (request: Addr, buf: OutBuf<size>, size: Size, flags: Hex) -> Zero = forward;
    listmount (request: Addr, ids: Out<Ids>, count: Size, flags: Hex) -> Size = forward;
    listns (request: Addr, ids: Out<Ids>, count: Size, flags: Hex) -> Size = forward;
    quotactl (cmd: Hex, special: Str, id: Int, addr: Addr) -> Zero = forward;
    quotactl_fd (fd: Fd, cmd: Hex, id: Int, addr: Addr) -> Zero = forward;
    swapon (path: Path, flags: Hex) -> Zero = forward;
    swapoff (path: Path) -> Zero = forward;
    acct (path: Path) -> Zero = forward;
    unshare (flags: NsFlags) -> Zero = forward;
    setns (fd: Fd, flags: NsFlags) -> Zero = forward;
    landlock_create_ruleset (attr: Addr, size: Size, flags: Hex) -> Fd = forward;
    landlock_add_rule (fd: Fd, rule: Uint, attr: Addr, flags: Hex) -> Zero = forward;
    landlock_restrict_self (fd: Fd, flags: Hex) -> Zero = handler(landlock::restrict_self), note("the runner's program stays executable");
    lsm_get_self_attr (attr: Uint, ctx: OutBuf<size>, size: InOut<Uint>, flags: Hex) -> Int = forward;
    lsm_set_self_attr (attr: Uint, ctx: Addr, size: Size, flags: Hex) -> Zero = forward;
    lsm_list_modules (ids: Out<Ids>, size: InOut<Uint>, flags: Hex) -> Int = forward;

    // ---- change notification ----
    inotify_init1 (flags: FdFlags) -> Fd = forward;
    inotify_add_watch (fd: Fd, path: PathRead, mask: InotifyMask) -> Int = forward;
    inotify_rm_watch (fd: Fd, wd: Int) -> Zero = forward;
    fanotify_init (flags: Hex, event_flags: OpenFlags) -> Fd = handler(fs::fanotify_init);
    fanotify_mark (fd: Fd, flags: Hex, mask: Hex, dirfd: DirFd, path: Path) -> Zero = forward;

    // ---- waiting on descriptors ----
    eventfd2 (count: Uint, flags: EfdFlags) -> Fd = forward;
    signalfd4 (fd: Fd, mask: In<Sigset>, size: Size, flags: FdFlags) -> Fd = handler(signal::signalfd4);
    epoll_create1 (flags: FdFlags) -> Fd = forward;
    epoll_ctl (epfd: Fd, op: EpollOp, fd: Fd, event: In<EpollEvent>) -> Zero = handler(poll::epoll_ctl);
    epoll_pwait (epfd: Fd, events: Out<EpollEvents>, max: Int, timeout: Int, mask: In<Sigset>, size: Size) -> Int = handler(poll::epoll_pwait), blocking;
    epoll_pwait2 (epfd: Fd, events: Out<EpollEvents>, max: Int, timeout: In<Timespec>, mask: In<Sigset>, size: Size) -> Int = handler(poll::epoll_pwait2), blocking;
    ppoll (fds: PollFds<n>, n: Uint, timeout: InOut<Timespec>, mask: In<Sigset>, size: Size) -> Int = handler(poll::ppoll), blocking;
    pselect6 (n: Int, readfds: InOut<FdSet>, writefds: InOut<FdSet>, exceptfds: InOut<FdSet>, timeout: InOut<Timespec>, mask: In<SigsetArg>) -> Int = handler(poll::pselect6), blocking;

    // ---- sockets ----
    socket (domain: SockDomain, kind: SockType, protocol: SockProto) -> Fd = forward;
    socketpair (domain: SockDomain, kind: SockType, protocol: SockProto, fds: Out<Fds>) -> Zero = forward;
    bind (fd: Fd, addr: Sockaddr<len>, len: Uint) -> Zero = forward;
    listen (fd: Fd, backlog: Int) -> Zero = forward;
    accept (fd: Fd, addr: Out<SockaddrBuf>, len: InOut<Uint>) -> Fd = forward, blocking, uring(ACCEPT);
    accept4 (fd: Fd, addr: Out<SockaddrBuf>, len: InOut<Uint>, flags: SockFlags) -> Fd = forward, blocking, uring(ACCEPT);
    connect (fd: Fd, addr: Sockaddr<len>, len: Uint) -> Zero = forward, blocking;
    getsockname (fd: Fd, addr: Out<SockaddrBuf>, len: InOut<Uint>) -> Zero = forward;
    getpeername (fd: Fd, addr: Out<SockaddrBuf>, len: InOut<Uint>) -> Zero = forward;
    sendto (fd: Fd, buf: InBuf<count>, count: Size, flags: MsgFlags, addr: Sockaddr<len>, len: Uint) -> Size = forward, blocking, uring(SEND);
    recvfrom (fd: Fd, buf: OutBuf<count>, count: Size, flags: MsgFlags, addr: Out<SockaddrBuf>, len: InOut<Uint>) -> Size = forward, blocking, uring(RECV);
    setsockopt (fd: Fd, level: SockLevel, option: SockOpt<level>, value: In<SockValue>, len: Uint) -> Zero = forward;
    getsockopt (fd: Fd, level: SockLevel, option: SockOpt<level>, value: Out<SockValue>, len: InOut<Uint>) -> Zero = forward;
    shutdown (fd: Fd, how: Shut) -> Zero = forward;
    sendmsg (fd: Fd, msg: In<Msghdr>, flags: MsgFlags) -> Size = forward, blocking, uring(SENDMSG);
    recvmsg (fd: Fd, msg: OutMsg, flags: MsgFlags) -> Size = forward, blocking, uring(RECVMSG);
    sendmmsg (fd: Fd, msgs: Out<Mmsghdr>, n: Uint, flags: MsgFlags) -> Int = forward, blocking;
    recvmmsg (fd: Fd, msgs: Out<Mmsghdr>, n: Uint, flags: MsgFlags, timeout: InOut<Timespec>) -> Int = forward, blocking;

    // ---- memory ----
    brk (addr: Addr) -> Addr = handler(mm::brk);
    mmap (addr: Addr, len: Size, prot: Prot, flags: MapFlags, fd: Fd, offset: Hex) -> Addr = handler(mm::mmap);
    munmap (addr: Addr, len: Size) -> Zero = handler(mm::munmap);
    mprotect (addr: Addr, len: Size, prot: Prot) -> Zero = handler(mm::mprotect);
    pkey_mprotect (addr: Addr, len: Size, prot: Prot, key: Int) -> Zero = handler(mm::pkey_mprotect), note("only key -1: no protection keys");
    pkey_alloc (flags: Hex, rights: Hex) -> Int = enosys("no protection keys");
    pkey_free (key: Int) -> Zero = enosys("no protection keys");
    mremap (old: Addr, old_len: Size, new_len: Size, flags: MremapFlags, new: Addr) -> Addr = handler(mm::mremap);
    madvise (addr: Addr, len: Size, advice: Madv) -> Zero = handler(mm::madvise);
    process_madvise (pidfd: Fd, iov: InVec<n>, n: Size, advice: Madv, flags: Hex) -> Size = forward;
    process_mrelease (pidfd: Fd, flags: Hex) -> Zero = forward;
    msync (addr: Addr, len: Size, flags: MsyncFlags) -> Zero = forward;
    mincore (addr: Addr, len: Size, vec: Out<Pages>) -> Zero = forward;
    mlock (addr: Addr, len: Size) -> Zero = forward;
    mlock2 (addr: Addr, len: Size, flags: Hex) -> Zero = forward;
    munlock (addr: Addr, len: Size) -> Zero = forward;
    mlockall (flags: MclFlags) -> Zero = forward;
    munlockall () -> Zero = forward;
    mseal (addr: Addr, len: Size, flags: Hex) -> Zero = handler(mm::mseal);
    map_shadow_stack (addr: Addr, size: Size, flags: Hex) -> Addr = enosys("no shadow stacks");
    remap_file_pages (addr: Addr, len: Size, prot: Prot, pgoff: Size, flags: MapFlags) -> Zero = handler(mm::remap_file_pages);
    mbind (addr: Addr, len: Size, mode: Int, mask: In<Mask>, bits: Size, flags: Hex) -> Zero = forward;
    get_mempolicy (mode: Out<Int>, mask: Out<Mask>, bits: Size, addr: Addr, flags: Hex) -> Zero = forward;
    set_mempolicy (mode: Int, mask: In<Mask>, bits: Size) -> Zero = forward;
    set_mempolicy_home_node (addr: Addr, len: Size, node: Size, flags: Hex) -> Zero = forward;
    migrate_pages (pid: Pid, bits: Size, from: In<Mask>, to: In<Mask>) -> Int = forward;
    move_pages (pid: Pid, count: Size, pages: Addr, nodes: Ints<count>, status: Out<Ints>, flags: Hex) -> Int = forward;
    process_vm_readv (pid: Pid, local: OutVec<ln>, ln: Size, remote: Addr, rn: Size, flags: Hex) -> Size = forward;
    process_vm_writev (pid: Pid, local: InVec<ln>, ln: Size, remote: Addr, rn: Size, flags: Hex) -> Size = handler(trace::process_vm_writev);
    userfaultfd (flags: FdFlags) -> Fd = forward;
    membarrier (cmd: Membarrier, flags: Hex, cpu: Int) -> Int = forward;

    // ---- SysV and POSIX IPC ----
    shmget (key: Hex, size: Size, flags: IpcFlags) -> Int = forward;
    shmat (id: Int, addr: Addr, flags: ShmFlags) -> Addr = handler(mm::shmat);
    shmdt (addr: Addr) -> Zero = handler(mm::shmdt);
    shmctl (id: Int, cmd: IpcCmd, buf: Out<ShmidDs>) -> Int = forward;
    semget (key: Hex, n: Int, flags: IpcFlags) -> Int = forward;
    semop (id: Int, ops: In<Sembuf>, n: Size) -> Zero = forward, blocking;
    semtimedop (id: Int, ops: In<Sembuf>, n: Size, timeout: In<Timespec>) -> Zero = forward, blocking;
    semctl (id: Int, num: Int, cmd: IpcCmd, arg: Hex) -> Int = handler(ipc::semctl);
    msgget (key: Hex, flags: IpcFlags) -> Int = forward;
    msgsnd (id: Int, msg: In<Msgbuf>, size: Size, flags: IpcFlags) -> Zero = forward, blocking;
    msgrcv (id: Int, msg: OutBuf<size>, size: Size, kind: Long, flags: IpcFlags) -> Size = forward, blocking;
    msgctl (id: Int, cmd: IpcCmd, buf: Out<MsqidDs>) -> Int = forward;
    mq_open (name: Str, flags: OpenFlags, mode: CreateMode<flags>, attr: In<MqAttr>) -> Fd = handler(ipc::mq_open);
    mq_unlink (name: Str) -> Zero = forward;
    mq_timedsend (fd: Fd, msg: InBuf<len>, len: Size, prio: Uint, timeout: In<Timespec>) -> Zero = forward, blocking;
    mq_timedreceive (fd: Fd, msg: OutBuf<len>, len: Size, prio: Out<Uint>, timeout: In<Timespec>) -> Size = forward, blocking;
    mq_notify (fd: Fd, event: In<Sigevent>) -> Zero = forward;
    mq_getsetattr (fd: Fd, new: In<MqAttr>, old: Out<MqAttr>) -> Zero = forward;

    // ---- futexes ----
    futex (addr: Addr, op: FutexOp, val: Hex, timeout: In<FutexTimeout>, addr2: Addr, val3: Hex) -> Int = forward, blocking;
    futex_waitv (waiters: Addr, n: Uint, flags: Hex, timeout: In<Timespec>, clock: Clock) -> Int = forward, blocking;
    futex_wake (addr: Addr, mask: Hex, n: Int, flags: Hex) -> Int = forward;
    futex_wait (addr: Addr, val: Hex, mask: Hex, flags: Hex, timeout: In<Timespec>, clock: Clock) -> Zero = forward, blocking;
    futex_requeue (waiters: Addr, flags: Hex, wake: Int, requeue: Int) -> Int = forward;
    set_robust_list (head: Addr, len: Size) -> Zero = handler(process::set_robust_list);
    get_robust_list (pid: Pid, head: Out<Addr>, len: Out<Size>) -> Zero = forward;
    set_tid_address (addr: Addr) -> Pid = handler(process::set_tid_address);

    // ---- time ----
    clock_gettime (clock: Clock, time: Out<Timespec>) -> Zero = handler(time::clock_gettime);
    clock_settime (clock: Clock, time: In<Timespec>) -> Zero = forward;
    clock_getres (clock: Clock, res: Out<Timespec>) -> Zero = forward;
    clock_nanosleep (clock: Clock, flags: TimerFlags, request: In<Timespec>, left: Out<Timespec>) -> Zero = forward, blocking;
    clock_adjtime (clock: Clock, timex: InOut<Timex>) -> Int = forward;
    adjtimex (timex: InOut<Timex>) -> Int = forward;
    nanosleep (request: In<Timespec>, left: Out<Timespec>) -> Zero = forward, blocking;
    gettimeofday (time: Out<Timeval>, zone: Out<Timezone>) -> Zero = handler(time::gettimeofday);
    settimeofday (time: In<Timeval>, zone: In<Timezone>) -> Zero = forward;
    times (buf: Out<Tms>) -> Int = forward;
    getitimer (which: Itimer, value: Out<Itimerval>) -> Zero = forward;
    setitimer (which: Itimer, new: In<Itimerval>, old: Out<Itimerval>) -> Zero = forward;
    timer_create (clock: Clock, event: In<Sigevent>, id: Out<Int>) -> Zero = forward;
    timer_gettime (id: Int, value: Out<Itimerspec>) -> Zero = forward;
    timer_getoverrun (id: Int) -> Int = forward;
    timer_settime (id: Int, flags: TimerFlags, new: In<Itimerspec>, old: Out<Itimerspec>) -> Zero = forward;
    timer_delete (id: Int) -> Zero = forward;
    timerfd_create (clock: Clock, flags: FdFlags) -> Fd = forward;
    timerfd_settime (fd: Fd, flags: TfdTimerFlags, new: In<Itimerspec>, old: Out<Itimerspec>) -> Zero = forward;
    timerfd_gettime (fd: Fd, value: Out<Itimerspec>) -> Zero = forward;

    // ---- signals ----
    rt_sigaction (sig: Sig, new: In<Sigaction>, old: Out<Sigaction>, size: Size) -> Zero = handler(signal::rt_sigaction);
    rt_sigprocmask (how: SigHow, new: In<Sigset>, old: Out<Sigset>, size: Size) -> Zero = handler(signal::rt_sigprocmask);
    rt_sigpending (set: Out<Sigset>, size: Size) -> Zero = handler(signal::rt_sigpending);
    rt_sigsuspend (mask: In<Sigset>, size: Size) -> Zero = handler(signal::rt_sigsuspend), blocking;
    rt_sigtimedwait (set: In<Sigset>, info: Out<Siginfo>, timeout: In<Timespec>, size: Size) -> Int = handler(signal::rt_sigtimedwait), blocking;
    rt_sigqueueinfo (pid: Pid, sig: Sig, info: In<Siginfo>) -> Zero = forward;
    rt_tgsigqueueinfo (pid: Pid, tid: Pid, sig: Sig, info: In<Siginfo>) -> Zero = forward;
    rt_sigreturn () -> Never = handler(signal::rt_sigreturn);
    sigaltstack (new: In<AltStack>, old: Out<AltStack>) -> Zero = handler(signal::sigaltstack);
    kill (pid: Pid, sig: Sig) -> Zero = forward;
    tkill (tid: Pid, sig: Sig) -> Zero = forward;
    tgkill (pid: Pid, tid: Pid, sig: Sig) -> Zero = forward;
    restart_syscall () -> Int = handler(signal::restart_syscall);

    // ---- processes and threads ----
    clone (flags: CloneFlags, stack: Addr, parent_tid: Addr, tls: Addr, child_tid: Addr) -> Pid = handler(process::clone);
    clone3 (args: In<CloneArgs>, size: Size) -> Pid = handler(process::clone3);
    execve (path: PathRead, argv: Strings, envp: Addr) -> Zero = handler(process::execve);
    execveat (dirfd: DirFd, path: PathRead, argv: Strings, envp: Addr, flags: AtFlags) -> Zero = handler(process::execveat);
    exit (status: Int) -> Never = handler(process::exit);
    exit_group (status: Int) -> Never = handler(process::exit_group);
    wait4 (pid: Pid, status: Out<Int>, options: WaitFlags, usage: Out<Rusage>) -> Pid = handler(trace::wait4), blocking;
    waitid (kind: IdType, id: Pid, info: Out<Siginfo>, options: WaitFlags, usage: Out<Rusage>) -> Zero = handler(trace::waitid), blocking;
    getpid () -> Pid = forward;
    getppid () -> Pid = forward;
    gettid () -> Pid = forward;
    getpgid (pid: Pid) -> Pid = forward;
    setpgid (pid: Pid, group: Pid) -> Zero = forward;
    getsid (pid: Pid) -> Pid = forward;
    setsid () -> Pid = forward;
    pidfd_open (pid: Pid, flags: PidfdFlags) -> Fd = forward;
    pidfd_send_signal (pidfd: Fd, sig: Sig, info: In<Siginfo>, flags: Hex) -> Zero = forward;
    pidfd_getfd (pidfd: Fd, fd: Fd, flags: Hex) -> Fd = forward;
    kcmp (pid1: Pid, pid2: Pid, kind: Int, idx1: Size, idx2: Size) -> Int = forward;
    prctl (op: PrctlOp, arg2: Hex, arg3: Hex, arg4: Hex, arg5: Hex) -> Int = handler(process::prctl);
    personality (persona: Hex) -> Int = forward;
    ptrace (request: PtraceReq, pid: Pid, addr: Addr, data: Addr) -> Int = handler(trace::ptrace), note("of programs under the same runner; of others stops and memory only");
    seccomp (op: Uint, flags: Hex, args: Addr) -> Int = handler(seccomp::seccomp), note("binds the guest, not the runner; notifications have no program counter");
    rseq (area: Addr, len: Size, flags: Hex, sig: Hex) -> Zero = enosys("only the kernel can end a sequence when the thread is preempted, and it does not see the guest's program counter; C libraries fall back");
    rseq_slice_yield () -> Int = enosys("no restartable sequences");

    // ---- identity ----
    getuid () -> Int = forward;
    geteuid () -> Int = forward;
    getgid () -> Int = forward;
    getegid () -> Int = forward;
    getresuid (real: Out<Uid>, effective: Out<Uid>, saved: Out<Uid>) -> Zero = forward;
    getresgid (real: Out<Uid>, effective: Out<Uid>, saved: Out<Uid>) -> Zero = forward;
    setuid (uid: Uid) -> Zero = forward;
    setgid (gid: Uid) -> Zero = forward;
    setreuid (real: Uid, effective: Uid) -> Zero = forward;
    setregid (real: Uid, effective: Uid) -> Zero = forward;
    setresuid (real: Uid, effective: Uid, saved: Uid) -> Zero = forward;
    setresgid (real: Uid, effective: Uid, saved: Uid) -> Zero = forward;
    setfsuid (uid: Uid) -> Int = forward;
    setfsgid (gid: Uid) -> Int = forward;
    getgroups (n: Int, list: Out<Uids>) -> Int = forward;
    setgroups (n: Int, list: In<Uids>) -> Zero = forward;
    capget (header: InOut<CapHeader>, data: Out<CapData>) -> Zero = forward;
    capset (header: InOut<CapHeader>, data: In<CapData>) -> Zero = forward;
    add_key (kind: Str, description: Str, payload: InBuf<len>, len: Size, ring: Int) -> Int = forward;
    request_key (kind: Str, description: Str, callout: Str, ring: Int) -> Int = forward, blocking;
    keyctl (op: Int, arg2: Hex, arg3: Hex, arg4: Hex, arg5: Hex) -> Int = forward, blocking;

    // ---- scheduling and limits ----
    sched_yield () -> Zero = forward;
    sched_setparam (pid: Pid, param: In<Int>) -> Zero = forward;
    sched_getparam (pid: Pid, param: Out<Int>) -> Zero = forward;
    sched_setscheduler (pid: Pid, policy: Sched, param: In<Int>) -> Zero = forward;
    sched_getscheduler (pid: Pid) -> Int = forward;
    sched_get_priority_max (policy: Sched) -> Int = forward;
    sched_get_priority_min (policy: Sched) -> Int = forward;
    sched_rr_get_interval (pid: Pid, time: Out<Timespec>) -> Zero = forward;
    sched_setaffinity (pid: Pid, size: Size, mask: In<Mask>) -> Zero = forward;
    sched_getaffinity (pid: Pid, size: Size, mask: OutBuf<size>) -> Int = forward;
    sched_setattr (pid: Pid, attr: In<SchedAttr>, flags: Hex) -> Zero = forward;
    sched_getattr (pid: Pid, attr: OutBuf<size>, size: Size, flags: Hex) -> Zero = forward;
    getpriority (which: Prio, who: Pid) -> Int = forward;
    setpriority (which: Prio, who: Pid, prio: Int) -> Zero = forward;
    ioprio_get (which: Int, who: Pid) -> Int = forward;
    ioprio_set (which: Int, who: Pid, prio: Int) -> Zero = forward;
    getcpu (cpu: Out<Uint>, node: Out<Uint>, cache: Addr) -> Zero = handler(system::getcpu);
    getrusage (who: RusageWho, usage: Out<Rusage>) -> Zero = forward;
    getrlimit (resource: Rlimit, limit: Out<RlimitPair>) -> Zero = handler(process::getrlimit), note("address space and data limits are remembered, not enforced");
    setrlimit (resource: Rlimit, limit: In<RlimitPair>) -> Zero = handler(process::setrlimit), note("address space and data limits are remembered, not enforced");
    prlimit64 (pid: Pid, resource: Rlimit, new: In<RlimitPair>, old: Out<RlimitPair>) -> Zero = handler(process::prlimit64), note("address space and data limits are remembered, not enforced");

    // ---- the system ----
    uname (buf: Out<Utsname>) -> Zero = handler(system::uname);
    sethostname (name: InBuf<len>, len: Size) -> Zero = forward;
    setdomainname (name: InBuf<len>, len: Size) -> Zero = forward;
    sysinfo (info: Out<Sysinfo>) -> Zero = forward;
    syslog (op: Int, buf: OutBuf<len>, len: Size) -> Int = forward, blocking;
    getrandom (buf: OutBuf<count>, count: Size, flags: GrndFlags) -> Size = forward, blocking;
    vhangup () -> Zero = forward;
    reboot (magic1: Hex, magic2: Hex, cmd: Hex, arg: Addr) -> Zero = forward;
    bpf (cmd: Int, attr: Addr, size: Size) -> Int = forward;
    perf_event_open (attr: Addr, pid: Pid, cpu: Int, group: Fd, flags: Hex) -> Fd = handler(perf::perf_event_open), note("counts that the kernel itself keeps, such as time, faults and switches: the processor's and samples would be the host's");
    init_module (image: Addr, len: Size, params: Str) -> Zero = enosys("a guest's kernel module does not fit the host kernel");
    finit_module (fd: Fd, params: Str, flags: Hex) -> Zero = enosys("a guest's kernel module does not fit the host kernel");
    delete_module (name: Str, flags: Hex) -> Zero = forward;
    kexec_load (entry: Addr, n: Size, segments: Addr, flags: Hex) -> Zero = enosys("a guest's kernel does not run on the host");
    kexec_file_load (kernel: Fd, initrd: Fd, len: Size, cmdline: Str, flags: Hex) -> Zero = enosys("a guest's kernel does not run on the host");
    lookup_dcookie (cookie: Hex, buf: OutBuf<len>, len: Size) -> Int = enosys("removed in Linux 6.7");
    nfsservctl (cmd: Int, arg: Addr, result: Addr) -> Int = enosys("removed in Linux 3.1");

    // ---- asynchronous I/O ----
    io_setup (n: Uint, ctx: Out<AioCtx>) -> Zero = forward;
    io_destroy (ctx: AioCtx) -> Zero = forward, blocking;
    io_submit (ctx: AioCtx, n: Long, iocbs: Addr) -> Int = forward, blocking;
    io_cancel (ctx: AioCtx, iocb: Addr, result: Addr) -> Zero = forward;
    io_getevents (ctx: AioCtx, min: Long, n: Long, events: Addr, timeout: In<Timespec>) -> Int = forward, blocking;
    io_pgetevents (ctx: AioCtx, min: Long, n: Long, events: Addr, timeout: In<Timespec>, mask: In<SigsetArg>) -> Int = handler(poll::io_pgetevents), blocking;
    io_uring_setup (entries: Uint, params: Addr) -> Fd = handler(uring::setup), note("a ring with a polling thread refuses opcodes that need translation");
    io_uring_enter (fd: Fd, submit: Uint, complete: Uint, flags: Hex, mask: Addr, size: Size) -> Int = handler(uring::enter), blocking, note("IORING_OP_EPOLL_WAIT is refused");
    io_uring_register (fd: Fd, op: Uint, arg: Addr, n: Uint) -> Int = handler(uring::register), blocking;

    // ---- one processor only ----
    riscv_hwprobe (pairs: InOut<HwprobePairs>, n: Size, cpu_size: Size, cpus: Addr, flags: Hex) -> Zero = handler(system::riscv_hwprobe);
    riscv_flush_icache (start: Addr, end: Addr, flags: Hex) -> Zero = handler(system::riscv_flush_icache);
}
