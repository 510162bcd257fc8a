//! The host calls that change the address space.
#![expect(unsafe_code, reason = "mapping calls take addresses the guest chose")]

use std::os::fd::BorrowedFd;

use remu_syscalls::{Errno, SysResult};

/// Makes a mapping call. The callers in this folder pass either ranges the guest owns by the
/// mapping table, or ranges the host kernel is told not to replace, or leave the choice to it.
fn call(nr: i64, args: [u64; 6]) -> SysResult<u64> {
    // SAFETY: see above: no page that Rust or the C library owns is unmapped, moved or replaced.
    Errno::from_raw(unsafe { remu_syscalls::syscall(nr as u64, &args) })
}

/// mmap(2).
pub(super) fn mmap(
    addr: u64,
    len: u64,
    prot: u64,
    flags: i32,
    fd: i32,
    off: u64,
) -> SysResult<u64> {
    call(libc::SYS_mmap, [addr, len, prot, flags as u32 as u64, fd as i64 as u64, off])
}

/// Lends a descriptor that was just mapped.
pub(super) fn with_fd(fd: i32, f: impl FnOnce(BorrowedFd<'_>)) {
    if fd >= 0 {
        // SAFETY: never the value -1; a descriptor that another guest thread closes meanwhile makes
        // the calls on it fail or name another file, which touches no memory.
        f(unsafe { BorrowedFd::borrow_raw(fd) });
    }
}

/// munmap(2) of guest pages.
pub(super) fn munmap(addr: u64, len: u64) -> SysResult<u64> {
    call(libc::SYS_munmap, [addr, len, 0, 0, 0, 0])
}

/// mprotect(2) of guest pages.
pub(super) fn mprotect(addr: u64, len: u64, prot: u64) -> SysResult<u64> {
    call(libc::SYS_mprotect, [addr, len, prot, 0, 0, 0])
}

/// mremap(2) of guest pages.
pub(super) fn mremap(old: u64, old_len: u64, new_len: u64, flags: u64, new: u64) -> SysResult<u64> {
    call(libc::SYS_mremap, [old, old_len, new_len, flags, new, 0])
}

/// madvise(2) of guest pages.
pub(super) fn madvise(addr: u64, len: u64, advice: u64) -> SysResult<u64> {
    call(libc::SYS_madvise, [addr, len, advice, 0, 0, 0])
}

/// mseal(2) of guest pages.
pub(super) fn mseal(addr: u64, len: u64, flags: u64) -> SysResult<u64> {
    call(libc::SYS_mseal, [addr, len, flags, 0, 0, 0])
}

/// remap_file_pages(2) within guest pages.
pub(super) fn remap_file_pages(addr: u64, len: u64, pgoff: u64, flags: u64) -> SysResult<u64> {
    call(libc::SYS_remap_file_pages, [addr, len, 0, pgoff, flags, 0])
}

/// shmat(2).
pub(super) fn shmat(id: i32, addr: u64, flags: u64) -> SysResult<u64> {
    call(libc::SYS_shmat, [id as u64, addr, flags, 0, 0, 0])
}

/// shmdt(2) of a segment the guest attached.
pub(super) fn shmdt(addr: u64) -> SysResult<u64> {
    call(libc::SYS_shmdt, [addr, 0, 0, 0, 0, 0])
}

/// Bytes of a shared memory segment (shmctl(2), `IPC_STAT`).
pub(super) fn shm_size(id: i32) -> SysResult<u64> {
    // SAFETY: shmid_ds is plain data for which zero is valid.
    let mut ds: libc::shmid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: ds is a live shmid_ds, which IPC_STAT fills.
    if unsafe { libc::shmctl(id, libc::IPC_STAT, &raw mut ds) } < 0 {
        return Err(Errno::from_io(&std::io::Error::last_os_error()));
    }
    Ok(ds.shm_segsz as u64)
}
