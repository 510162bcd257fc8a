//! perf_event_open(2): counters that the kernel itself keeps.
//!
//! The processor's would count the host's instructions, and samples would name the runner's code. So a
//! guest finds a machine without a unit that counts events: software events, and those not sampled.

use crate::context::Context;
use crate::table::kinds;
use crate::{Errno, SysResult, host};

/// Places and values of `struct perf_event_attr` (perf_event_open(2)), which is alike on guest and host.
mod attr {
    pub(super) const TYPE: usize = 0;
    pub(super) const SIZE: usize = 4;
    pub(super) const SAMPLE_PERIOD: usize = 16;
    pub(super) const FLAGS: usize = 40;
    /// Bytes of the first version, the least that the kernel takes, and of a page, the most.
    pub(super) const VERSION_0: usize = 64;
    pub(super) const MOST: usize = 4096;
    pub(super) const TYPE_SOFTWARE: u32 = 1;
    /// mmap, mmap_data and mmap2.
    pub(super) const FLAGS_OF_MAPPINGS: u64 = 1 << 8 | 1 << 17 | 1 << 23;
}

/// perf_event_open(2).
pub(crate) fn perf_event_open(
    cx: &mut Context<'_>,
    attr: kinds::Addr,
    pid: kinds::Pid,
    cpu: kinds::Int,
    group: kinds::Fd,
    flags: kinds::Hex,
) -> SysResult<u64> {
    let open = |attr| {
        cx.host(
            libc::SYS_perf_event_open,
            [attr, pid.0 as u64, cpu.0 as u64, group.0 as u64, flags.0, 0],
        )
    };
    let size = match cx.mem().read::<u32>(attr.0.wrapping_add(attr::SIZE as u64))? {
        0 => attr::VERSION_0,
        size => size as usize,
    };
    if !(attr::VERSION_0..=attr::MOST).contains(&size) {
        // The kernel refuses it, and writes there the size that it knows.
        return open(cx.mem().host(attr.0));
    }
    // Judged and opened from one copy, which no other thread can change between.
    let mut copy = [0; attr::MOST];
    let copy = &mut copy[..size];
    cx.mem().read_bytes(attr.0, copy)?;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| copy[at + i]));
    if word(attr::TYPE) as u32 != attr::TYPE_SOFTWARE {
        return Err(Errno::ENOENT);
    }
    // Records of mappings in which code may run would be those of the translator's.
    if word(attr::SAMPLE_PERIOD) != 0 || word(attr::FLAGS) & attr::FLAGS_OF_MAPPINGS != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let opened = open(copy.as_ptr() as u64);
    if opened == Err(Errno::E2BIG) {
        cx.mem().write_bytes(attr.0.wrapping_add(attr::SIZE as u64), &copy[attr::SIZE..][..4])?;
    }
    opened
}

/// Whether a mapping would be of a counter, whose first page tells how to read the host's processor for
/// the count and the time. Who may not map it reads the descriptor.
pub(crate) fn is_counter(cx: &Context<'_>, flags: u64, fd: i32) -> bool {
    const IOC_ID: u64 = 0x8008_2407;
    let shared = flags & libc::MAP_TYPE as u64 != libc::MAP_PRIVATE as u64;
    if !shared || flags & libc::MAP_ANONYMOUS as u64 != 0 {
        return false;
    }
    // Its file has no type. Of such files only a counter has a number to tell.
    let untyped = host::fstat(fd).is_ok_and(|s| s.st_mode & libc::S_IFMT == 0);
    let mut id = 0u64;
    untyped && cx.host(libc::SYS_ioctl, [fd as u64, IOC_ID, &raw mut id as u64, 0, 0, 0]).is_ok()
}
