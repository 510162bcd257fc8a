//! Calls to the host kernel on the guest's behalf.
#![expect(
    unsafe_code,
    reason = "the pointers of forwarded calls are guest addresses, checked by the kernel"
)]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::AtomicU32;

use crate::{Errno, SysResult, raw};

/// Makes a host call with guest arguments.
#[inline]
pub(crate) fn forward(nr: i64, a: &[u64; 6]) -> SysResult<u64> {
    // SAFETY: pointers name guest memory or buffers the calling handler owns; the kernel checks them.
    Errno::from_raw(unsafe { raw::syscall(nr as u64, a) })
}

/// Makes a host call that may sleep and must notice guest signals.
#[inline]
pub(crate) fn forward_blocking(flag: &AtomicU32, nr: i64, a: &[u64; 6]) -> SysResult<u64> {
    // SAFETY: as for `forward`.
    Errno::from_raw(unsafe { raw::blocking_syscall(flag, nr as u64, a) })
}

/// The host's `struct stat` for `newfstatat` arguments; `fstat` is path "" with `AT_EMPTY_PATH`.
pub(crate) fn newfstatat(dirfd: i32, path: u64, flags: u64) -> SysResult<libc::stat> {
    let mut st = MaybeUninit::<libc::stat>::zeroed();
    forward(libc::SYS_newfstatat, &[dirfd as u64, path, st.as_mut_ptr() as u64, flags, 0, 0])?;
    // SAFETY: zeroed, then filled by the kernel; every bit pattern is a valid stat.
    Ok(unsafe { st.assume_init() })
}

/// The host's `struct stat` of a descriptor.
pub(crate) fn fstat(fd: i32) -> SysResult<libc::stat> {
    let mut st = MaybeUninit::<libc::stat>::zeroed();
    forward(libc::SYS_fstat, &[fd as u64, st.as_mut_ptr() as u64, 0, 0, 0, 0])?;
    // SAFETY: as in `newfstatat`.
    Ok(unsafe { st.assume_init() })
}

/// True for a descriptor that leads into a proc file system.
pub(crate) fn is_proc(fd: i32) -> bool {
    let mut fs = MaybeUninit::<libc::statfs>::zeroed();
    forward(libc::SYS_fstatfs, &[fd as u64, fs.as_mut_ptr() as u64, 0, 0, 0, 0]).is_ok()
        // SAFETY: zeroed, then filled by the kernel; every bit pattern is a valid statfs.
        && unsafe { fs.assume_init() }.f_type == libc::PROC_SUPER_MAGIC
}

/// True where two descriptors of this process share an open file (kcmp(2)).
pub(crate) fn is_same_file(a: i32, b: i32) -> bool {
    const KCMP_FILE: u64 = 0;
    let own = u64::from(std::process::id());
    forward(libc::SYS_kcmp, &[own, own, KCMP_FILE, a as u64, b as u64, 0]) == Ok(0)
}

/// A folder, opened to look things up in it.
pub(crate) fn open_folder(dirfd: i32, path: &CStr) -> SysResult<OwnedFd> {
    let flags = (libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;
    let fd = forward(libc::SYS_openat, &[dirfd as u64, path.as_ptr() as u64, flags, 0, 0, 0])?;
    // SAFETY: the kernel made it just now and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A file, opened as a place only.
pub(crate) fn open_path(path: &CStr) -> SysResult<OwnedFd> {
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    let args = [libc::AT_FDCWD as u64, path.as_ptr() as u64, flags, 0, 0, 0];
    let fd = forward(libc::SYS_openat, &args)?;
    // SAFETY: the kernel made it just now and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A file of a folder, opened for reading.
pub(crate) fn open_in(folder: &OwnedFd, name: &CStr) -> SysResult<OwnedFd> {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
    let args = [folder.as_raw_fd() as u64, name.as_ptr() as u64, flags, 0, 0, 0];
    let fd = forward(libc::SYS_openat, &args)?;
    // SAFETY: the kernel made it just now and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The content of a link.
pub(crate) fn readlink(path: &CStr) -> SysResult<Vec<u8>> {
    link(libc::AT_FDCWD, path)
}

/// The content of a link in a folder.
pub(crate) fn readlinkat(folder: &OwnedFd, path: &CStr) -> SysResult<Vec<u8>> {
    link(folder.as_raw_fd(), path)
}

fn link(dirfd: i32, path: &CStr) -> SysResult<Vec<u8>> {
    let mut out = vec![0; libc::PATH_MAX as usize];
    let args =
        [dirfd as u64, path.as_ptr() as u64, out.as_mut_ptr() as u64, out.len() as u64, 0, 0];
    let n = forward(libc::SYS_readlinkat, &args)?;
    out.truncate(n as usize);
    Ok(out)
}

/// A clock through the host's vdso, which costs no trap: seconds and nanoseconds.
pub(crate) fn clock_gettime(clock: i32) -> SysResult<[i64; 2]> {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: ts is live; an unknown clock is an error, not undefined.
    if unsafe { libc::clock_gettime(clock, &raw mut ts) } == 0 {
        Ok([ts.tv_sec, ts.tv_nsec])
    } else {
        Err(Errno::from_io(&std::io::Error::last_os_error()))
    }
}

/// The processor that the thread runs on, as the host's C library knows it.
pub(crate) fn cpu() -> Option<u32> {
    // SAFETY: no arguments.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// The six 65-byte fields of the host's `struct utsname`.
pub(crate) fn uname() -> SysResult<[u8; 390]> {
    let mut buf = [0; 390];
    forward(libc::SYS_uname, &[buf.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    Ok(buf)
}

/// A file that exists in memory only, holding `content`, positioned at its start.
pub(crate) fn memory_file(name: &CStr, content: &[u8], cloexec: bool) -> SysResult<u64> {
    let flags = if cloexec { u64::from(libc::MFD_CLOEXEC) } else { 0 };
    let fd = forward(libc::SYS_memfd_create, &[name.as_ptr() as u64, flags, 0, 0, 0, 0])?;
    let mut done = 0;
    while done < content.len() {
        let rest = &content[done..];
        let n = forward(
            libc::SYS_pwrite64,
            &[fd, rest.as_ptr() as u64, rest.len() as u64, done as u64, 0, 0],
        );
        match n {
            Ok(n) if n > 0 => done += n as usize,
            Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => {
                let _ = forward(libc::SYS_close, &[fd, 0, 0, 0, 0, 0]);
                return Err(n.err().unwrap_or(Errno::EIO));
            }
        }
    }
    Ok(fd)
}
