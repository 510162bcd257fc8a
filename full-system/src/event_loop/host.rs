//! Disk requests as blocking system calls, for the threads of the epoll back end. `unsafe` because the kernel is
//! handed addresses.
#![expect(unsafe_code, reason = "preadv(2) and pwritev(2) take addresses")]

use std::os::fd::AsRawFd;

use super::{Disk, What};

/// Carries a request out; the result is a system call's, with the error as a negative number.
pub(super) fn perform(disk: &Disk) -> i32 {
    let fd = disk.file.as_raw_fd();
    let Ok(offset) = i64::try_from(disk.offset) else { return -libc::EINVAL };
    let result = match &disk.what {
        What::Read(buffers) => {
            let pieces = buffers.pieces();
            // SAFETY: `Piece` is laid out as `iovec`; the pieces lie in guest memory, to which there are no
            // references and which `buffers` keeps mapped.
            unsafe { libc::preadv(fd, pieces.as_ptr().cast(), pieces.len() as i32, offset) }
        }
        What::Write(buffers) => {
            let pieces = buffers.pieces();
            // SAFETY: as above; the kernel reads the pieces.
            unsafe { libc::pwritev(fd, pieces.as_ptr().cast(), pieces.len() as i32, offset) }
        }
        What::Flush => {
            // SAFETY: no addresses are involved.
            unsafe { libc::fdatasync(fd) as isize }
        }
        What::Discard(len) => {
            let Ok(len) = i64::try_from(*len) else { return -libc::EINVAL };
            // SAFETY: no addresses are involved.
            unsafe { libc::fallocate(fd, DISCARD, offset, len) as isize }
        }
    };
    if result < 0 {
        return -std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    }
    i32::try_from(result).unwrap_or(i32::MAX)
}

/// Mode of fallocate(2) that makes a hole.
pub(super) const DISCARD: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
