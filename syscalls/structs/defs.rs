//! The structures that handlers and strace read or write.

use super::guest_struct;

guest_struct! {
    /// stat(2), `asm-generic/stat.h`.
    pub struct Stat "struct stat" {
        /// Device.
        pub st_dev: u64,
        /// Inode.
        pub st_ino: u64,
        /// Type and permissions.
        pub st_mode: u32,
        /// Links.
        pub st_nlink: u32,
        /// Owner.
        pub st_uid: u32,
        /// Group.
        pub st_gid: u32,
        /// Device number of a special file.
        pub st_rdev: u64,
        /// Padding.
        pub _pad1: u64,
        /// Bytes.
        pub st_size: i64,
        /// Preferred block size.
        pub st_blksize: i32,
        /// Padding.
        pub _pad2: i32,
        /// 512-byte blocks.
        pub st_blocks: i64,
        /// Access time: seconds.
        pub st_atime: i64,
        /// Nanoseconds.
        pub st_atime_nsec: u64,
        /// Modification time: seconds.
        pub st_mtime: i64,
        /// Nanoseconds.
        pub st_mtime_nsec: u64,
        /// Change time: seconds.
        pub st_ctime: i64,
        /// Nanoseconds.
        pub st_ctime_nsec: u64,
        /// Unused.
        pub _unused: u64,
    }
    /// epoll_event; unlike on x86-64 it is not packed.
    pub struct EpollEvent "struct epoll_event" {
        /// `EPOLL*`.
        pub events: u32,
        /// Padding.
        pub _pad: u32,
        /// The user's value.
        pub data: u64,
    }
    /// timespec with 64-bit time.
    pub struct Timespec "struct timespec" {
        /// Seconds.
        pub tv_sec: i64,
        /// Nanoseconds.
        pub tv_nsec: i64,
    }
    /// timeval with 64-bit time.
    pub struct Timeval "struct timeval" {
        /// Seconds.
        pub tv_sec: i64,
        /// Microseconds.
        pub tv_usec: i64,
    }
    /// timezone.
    pub struct Timezone "struct timezone" {
        /// Minutes west of Greenwich.
        pub tz_minuteswest: i32,
        /// Kind of correction.
        pub tz_dsttime: i32,
    }
    /// itimerspec.
    pub struct Itimerspec "struct itimerspec" {
        /// Period.
        pub it_interval: Timespec,
        /// First expiry.
        pub it_value: Timespec,
    }
    /// itimerval.
    pub struct Itimerval "struct itimerval" {
        /// Period.
        pub it_interval: Timeval,
        /// First expiry.
        pub it_value: Timeval,
    }
    /// rlimit64.
    pub struct Rlimit "struct rlimit" {
        /// Soft limit.
        pub rlim_cur: u64,
        /// Hard limit.
        pub rlim_max: u64,
    }
    /// pollfd.
    pub struct PollFd "struct pollfd" {
        /// Descriptor.
        pub fd: i32,
        /// Wanted.
        pub events: i16,
        /// Happened.
        pub revents: i16,
    }
    /// iovec.
    pub struct Iovec "struct iovec" {
        /// Address.
        pub iov_base: u64,
        /// Bytes.
        pub iov_len: u64,
    }
    /// msghdr.
    pub struct Msghdr "struct msghdr" {
        /// Address.
        pub msg_name: u64,
        /// Its length.
        pub msg_namelen: u32,
        /// Padding.
        pub _pad1: u32,
        /// Vector.
        pub msg_iov: u64,
        /// Its length.
        pub msg_iovlen: u64,
        /// Control data.
        pub msg_control: u64,
        /// Its length.
        pub msg_controllen: u64,
        /// Result flags.
        pub msg_flags: u32,
        /// Padding.
        pub _pad2: u32,
    }
    /// stack_t (sigaltstack(2)).
    pub struct StackT "stack_t" {
        /// Lowest address.
        pub ss_sp: u64,
        /// Flags.
        pub ss_flags: i32,
        /// Padding.
        pub _pad: i32,
        /// Bytes.
        pub ss_size: u64,
    }
    /// The fixed fields of siginfo_t with the two words most senders fill.
    pub struct SigInfo "siginfo_t" {
        /// Signal.
        pub si_signo: i32,
        /// Errno.
        pub si_errno: i32,
        /// Cause.
        pub si_code: i32,
        /// Padding.
        pub _pad: i32,
        /// Process id, or the low half of an address.
        pub si_pid: i32,
        /// User id, or the high half of an address.
        pub si_uid: u32,
        /// Value or status.
        pub si_value: u64,
        /// The rest.
        pub _rest: [u64; 12],
    }
    /// clone_args (clone3(2)), all versions.
    pub struct CloneArgs3 "struct clone_args" {
        /// `CLONE_*`.
        pub flags: u64,
        /// Where a pidfd goes.
        pub pidfd: u64,
        /// Where the child's id goes in the child.
        pub child_tid: u64,
        /// Where the child's id goes in the parent.
        pub parent_tid: u64,
        /// Signal at the child's end.
        pub exit_signal: u64,
        /// Lowest byte of the stack.
        pub stack: u64,
        /// Bytes.
        pub stack_size: u64,
        /// Thread pointer.
        pub tls: u64,
        /// Wanted ids.
        pub set_tid: u64,
        /// Their number.
        pub set_tid_size: u64,
        /// Control group descriptor.
        pub cgroup: u64,
    }
    /// open_how (openat2(2)).
    pub struct OpenHow "struct open_how" {
        /// `O_*`.
        pub flags: u64,
        /// Mode of a new file.
        pub mode: u64,
        /// `RESOLVE_*`.
        pub resolve: u64,
    }
    /// ipc64_perm.
    pub struct IpcPerm "struct ipc64_perm" {
        /// Key.
        pub key: i32,
        /// Owner.
        pub uid: u32,
        /// Group.
        pub gid: u32,
        /// Creator.
        pub cuid: u32,
        /// Creator's group.
        pub cgid: u32,
        /// Permissions.
        pub mode: u32,
        /// Sequence.
        pub seq: u16,
        /// Padding.
        pub _pad2: u16,
        /// Padding.
        pub _pad3: u32,
        /// Unused.
        pub _unused1: u64,
        /// Unused.
        pub _unused2: u64,
    }
    /// semid64_ds; the host's has a spare word after each time.
    pub struct SemidDs "struct semid64_ds" {
        /// Owner and permissions.
        pub sem_perm: IpcPerm,
        /// Last operation.
        pub sem_otime: i64,
        /// Last change.
        pub sem_ctime: i64,
        /// Semaphores.
        pub sem_nsems: u64,
        /// Unused.
        pub _unused3: u64,
        /// Unused.
        pub _unused4: u64,
    }
    /// riscv_hwprobe(2).
    pub struct HwprobePair "struct riscv_hwprobe" {
        /// Question, -1 when the kernel does not know it.
        pub key: i64,
        /// Answer.
        pub value: u64,
    }
}

/// The pair that pselect6(2) and io_pgetevents(2) take as their last argument.
pub type SigsetArg = [u64; 2];
