//! Argument kinds: what a register holds, the type a handler gets, and how strace shows it.

use super::names;
use crate::strace::Show;

/// Which way data behind a pointer argument moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Not a pointer, or one the kernel does not follow.
    None,
    /// The call reads it.
    In,
    /// The call writes it; the parameter names the argument with the length.
    Out,
    /// The call writes through a vector of buffers.
    OutVec,
    /// The call writes through a message header.
    OutMsg,
    /// A path.
    Path,
    /// A path looked up for reading: the `-L` prefix applies.
    SysrootPath,
}

/// What dispatch and strace know about a kind.
#[derive(Clone, Copy)]
pub struct KindInfo {
    /// Name as rows spell it.
    pub name: &'static str,
    /// Data movement.
    pub dir: Direction,
    /// Writes strace text for a register value; the third argument is the row's parameter.
    pub show: fn(&mut Show<'_>, u64, &'static str),
}

impl KindInfo {
    /// The argument is an open file descriptor.
    pub(crate) const fn is_descriptor(&self) -> bool {
        matches!(self.name.as_bytes(), b"Fd" | b"DirFd")
    }
}

impl std::fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A kind as a type: a handler's parameter must be of the type its row names.
pub trait ArgKind: Sized {
    /// Facts about the kind.
    const INFO: KindInfo;
    /// Takes the value from a register as the kernel does: narrower types drop the upper bits.
    fn import(register: u64) -> Self;
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $name:ident($t:ty) $dir:ident = $show:expr; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $t);
        impl ArgKind for $name {
            const INFO: KindInfo = KindInfo { name: stringify!($name), dir: Direction::$dir, show: $show };
            fn import(register: u64) -> Self { $name(register as $t) }
        }
    )* };
}

#[rustfmt::skip]
kinds! {
    // numbers
    /// Signed 32-bit number.
    Int(i32) None = |s, v, _| s.dec(i64::from(v as i32));
    /// Unsigned 32-bit number.
    Uint(u32) None = |s, v, _| s.udec(u64::from(v as u32));
    /// Signed 64-bit number.
    Long(i64) None = |s, v, _| s.dec(v as i64);
    /// Byte or element count.
    Size(u64) None = |s, v, _| s.udec(v);
    /// File offset.
    Off(i64) None = |s, v, _| s.dec(v as i64);
    /// Bits without names.
    Hex(u64) None = |s, v, _| s.hex(v);
    /// Open file descriptor.
    Fd(i32) None = |s, v, _| s.dec(i64::from(v as i32));
    /// Directory descriptor or `AT_FDCWD`.
    DirFd(i32) None = |s, v, _| s.dirfd(v as i32);
    /// Process, thread or group id.
    Pid(i32) None = |s, v, _| s.dec(i64::from(v as i32));
    /// User or group id.
    Uid(u32) None = |s, v, _| s.dec(i64::from(v as i32));
    /// Permission bits.
    Mode(u32) None = |s, v, _| s.octal(u64::from(v as u32));
    /// Permission bits of a file that the flags may create; the parameter names the flags.
    CreateMode(u32) None = |s, v, flags| s.create_mode(v as u32, flags);
    /// Signal number.
    Sig(i32) None = |s, v, _| s.signal(v as i32);
    /// Device number.
    Dev(u64) None = |s, v, _| s.hex(v);

    // pointers
    /// Guest address the kernel does not follow, or whose content is not shown.
    Addr(u64) None = |s, v, _| s.ptr(v);
    /// Path that is created, changed or removed.
    Path(u64) Path = |s, v, _| s.string(v);
    /// Path that is looked up for reading.
    PathRead(u64) SysrootPath = |s, v, _| s.string(v);
    /// Other C string.
    Str(u64) In = |s, v, _| s.string(v);
    /// Null-ended vector of strings.
    Strings(u64) In = |s, v, _| s.strings(v);
    /// Bytes the call reads; the parameter is the length argument.
    InBuf(u64) In = |s, v, len| s.buffer(v, len);
    /// Bytes the call fills.
    OutBuf(u64) Out = |s, v, _| s.ptr(v);
    /// Structure or array the call reads.
    In(u64) In = |s, v, what| s.structure(v, what);
    /// Structure or array the call fills.
    Out(u64) Out = |s, v, _| s.ptr(v);
    /// Structure or array the call reads and changes.
    InOut(u64) Out = |s, v, what| s.structure(v, what);
    /// I/O vector that is read from.
    InVec(u64) In = |s, v, _| s.ptr(v);
    /// I/O vector that is filled.
    OutVec(u64) OutVec = |s, v, _| s.ptr(v);
    /// Message header of recvmsg(2).
    OutMsg(u64) OutMsg = |s, v, _| s.ptr(v);
    /// Socket address; the parameter is the length argument.
    Sockaddr(u64) In = |s, v, len| s.sockaddr(v, len);
    /// Array of pollfd; the parameter is the count.
    PollFds(u64) Out = |s, v, n| s.pollfds(v, n);
    /// Array of 32-bit numbers; the parameter is the count.
    Ints(u64) In = |s, v, _| s.ptr(v);
    /// The io_event, iocb and similar arrays of Linux AIO.
    AioCtx(u64) None = |s, v, _| s.ptr(v);

    // flag words
    /// open(2) flags in the guest's numbering.
    OpenFlags(u32) None = |s, v, _| s.open_flags(v as u32);
    /// *at(2) flags.
    AtFlags(u32) None = |s, v, _| s.flags(names::AT, v);
    /// faccessat2(2) flags.
    AtAccess(u32) None = |s, v, _| s.flags(names::AT_ACCESS, v);
    /// access(2) mode.
    Access(u32) None = |s, v, _| if v as u32 == 0 { s.text("F_OK") } else { s.flags(names::ACCESS, v) };
    /// Page protection.
    Prot(u64) None = |s, v, _| if v == 0 { s.text("PROT_NONE") } else { s.flags(names::PROT, v) };
    /// Mapping flags.
    MapFlags(u64) None = |s, v, _| s.flags(names::MAP, v);
    /// mremap(2) flags.
    MremapFlags(u64) None = |s, v, _| s.flags(names::MREMAP, v);
    /// msync(2) flags.
    MsyncFlags(u32) None = |s, v, _| s.flags(names::MSYNC, v);
    /// mlockall(2) flags.
    MclFlags(u32) None = |s, v, _| s.flags(names::MCL, v);
    /// madvise(2) advice.
    Madv(u32) None = |s, v, _| s.choice(names::MADV, v);
    /// fadvise64(2) advice.
    Fadv(u32) None = |s, v, _| s.choice(names::FADV, v);
    /// clone(2) flags with the exit signal in the low byte.
    CloneFlags(u64) None = |s, v, _| s.clone_flags(v);
    /// unshare(2), setns(2).
    NsFlags(u64) None = |s, v, _| s.flags(names::CLONE, v);
    /// Socket domain.
    SockDomain(u32) None = |s, v, _| s.choice(names::PF, v);
    /// Socket type and flags.
    SockType(u32) None = |s, v, _| s.choice_and_flags(names::SOCK, 0xf, names::SOCK_FLAGS, v);
    /// Socket protocol.
    SockProto(u32) None = |s, v, _| s.sock_proto(v);
    /// accept4(2) flags.
    SockFlags(u32) None = |s, v, _| s.flags(names::SOCK_FLAGS, v);
    /// send and receive flags.
    MsgFlags(u32) None = |s, v, _| s.flags(names::MSG, v);
    /// shutdown(2).
    Shut(u32) None = |s, v, _| s.choice(names::SHUT, v);
    /// Socket option level.
    SockLevel(u32) None = |s, v, _| s.choice(names::SOL, v);
    /// Socket option; its names depend on the level before it.
    SockOpt(u32) None = |s, v, level| s.sock_opt(v, level);
    /// fcntl(2) command.
    FcntlCmd(u32) None = |s, v, _| s.fcntl_cmd(v as u32);
    /// fcntl(2) argument; its meaning depends on the command.
    FcntlArg(u64) None = |s, v, cmd| s.fcntl_arg(v, cmd);
    /// ioctl(2) request.
    IoctlReq(u32) None = |s, v, _| s.ioctl_req(v as u32);
    /// ioctl(2) argument.
    IoctlArg(u64) None = |s, v, req| s.ioctl_arg(v, req);
    /// prctl(2) operation.
    PrctlOp(u32) None = |s, v, _| s.prctl_op(v as u32);
    /// futex(2) operation.
    FutexOp(u32) None = |s, v, _| s.choice_and_flags(names::FUTEX, 0x7f, names::FUTEX_FLAGS, v);
    /// Clock.
    Clock(i32) None = |s, v, _| s.choice(names::CLOCK, v);
    /// clock_nanosleep(2), timer_settime(2) flags.
    TimerFlags(u32) None = |s, v, _| s.flags(names::TIMER_FLAGS, v);
    /// timerfd_settime(2) flags.
    TfdTimerFlags(u32) None = |s, v, _| s.flags(names::TFD_TIMER, v);
    /// lseek(2) whence.
    Whence(u32) None = |s, v, _| s.choice(names::SEEK, v);
    /// epoll_ctl(2) operation.
    EpollOp(u32) None = |s, v, _| s.choice(names::EPOLL_CTL, v);
    /// `O_CLOEXEC`-like flags of calls that make descriptors.
    FdFlags(u32) None = |s, v, _| s.fd_flags(v as u32);
    /// eventfd2(2) flags.
    EfdFlags(u32) None = |s, v, _| s.flags(names::EFD, v);
    /// inotify event mask.
    InotifyMask(u32) None = |s, v, _| s.flags(names::IN, v);
    /// wait options.
    WaitFlags(u32) None = |s, v, _| s.flags(names::WAIT, v);
    /// waitid(2) id type.
    IdType(u32) None = |s, v, _| s.choice(names::IDTYPE, v);
    /// rt_sigprocmask(2) how.
    SigHow(u32) None = |s, v, _| s.choice(names::SIG_HOW, v);
    /// renameat2(2) flags.
    RenameFlags(u32) None = |s, v, _| s.flags(names::RENAME, v);
    /// mount(2) flags.
    MountFlags(u64) None = |s, v, _| s.flags(names::MS, v);
    /// umount2(2) flags.
    UmountFlags(u32) None = |s, v, _| s.flags(names::UMOUNT, v);
    /// setxattr(2) flags.
    XattrFlags(u32) None = |s, v, _| s.flags(names::XATTR, v);
    /// getrandom(2) flags.
    GrndFlags(u32) None = |s, v, _| s.flags(names::GRND, v);
    /// memfd_create(2) flags.
    MfdFlags(u32) None = |s, v, _| s.flags(names::MFD, v);
    /// Resource limit.
    Rlimit(u32) None = |s, v, _| s.choice(names::RLIMIT, v);
    /// getrusage(2) who.
    RusageWho(i32) None = |s, v, _| s.choice(names::RUSAGE, v);
    /// Interval timer.
    Itimer(u32) None = |s, v, _| s.choice(names::ITIMER, v);
    /// getpriority(2) which.
    Prio(u32) None = |s, v, _| s.choice(names::PRIO, v);
    /// Scheduling policy.
    Sched(u32) None = |s, v, _| s.choice(names::SCHED, v);
    /// splice(2) flags.
    SpliceFlags(u32) None = |s, v, _| s.flags(names::SPLICE, v);
    /// statx(2) mask.
    StatxMask(u32) None = |s, v, _| s.flags(names::STATX, v);
    /// fallocate(2) mode.
    FallocFlags(u32) None = |s, v, _| s.flags(names::FALLOC, v);
    /// flock(2) operation.
    FlockOp(u32) None = |s, v, _| s.flags(names::FLOCK, v);
    /// sync_file_range(2) flags.
    SyncFlags(u32) None = |s, v, _| s.flags(names::SYNC_RANGE, v);
    /// SysV IPC creation flags with mode.
    IpcFlags(u32) None = |s, v, _| s.ipc_flags(v);
    /// SysV IPC control command.
    IpcCmd(u32) None = |s, v, _| s.ipc_cmd(v);
    /// shmat(2) flags.
    ShmFlags(u32) None = |s, v, _| s.flags(names::SHM, v);
    /// membarrier(2) command.
    Membarrier(u32) None = |s, v, _| s.choice(names::MEMBARRIER, v);
    /// close_range(2) flags.
    CloseRange(u32) None = |s, v, _| s.flags(names::CLOSE_RANGE, v);
    /// preadv2(2) flags.
    RwFlags(u32) None = |s, v, _| s.flags(names::RWF, v);
    /// ptrace(2) request.
    PtraceReq(u64) None = |s, v, _| s.choice(names::PTRACE, v);
    /// pidfd_open(2) flags.
    PidfdFlags(u32) None = |s, v, _| s.flags(names::PIDFD, v);
}
