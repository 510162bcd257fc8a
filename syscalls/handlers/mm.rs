//! Memory: the address space is the runner's, so these only shape arguments.

use crate::context::Context;
use crate::table::kinds;
use crate::{Errno, MmapArgs, SysResult};

/// brk(2): never fails, gives the current break instead.
pub(crate) fn brk(cx: &mut Context<'_>, addr: kinds::Addr) -> SysResult<u64> {
    Ok(cx.process.brk(addr.0))
}

/// mmap(2).
pub(crate) fn mmap(
    cx: &mut Context<'_>,
    addr: kinds::Addr,
    len: kinds::Size,
    prot: kinds::Prot,
    flags: kinds::MapFlags,
    fd: kinds::Fd,
    offset: kinds::Hex,
) -> SysResult<u64> {
    if super::perf::is_counter(cx, flags.0, fd.0) {
        return Err(Errno::EINVAL);
    }
    let at = cx.process.mmap(MmapArgs {
        addr: addr.0,
        len: len.0,
        prot: prot.0,
        flags: flags.0,
        fd: fd.0,
        offset: offset.0,
    })?;
    super::rings::mapped(fd.0, offset.0, at);
    Ok(at)
}

/// munmap(2).
pub(crate) fn munmap(cx: &mut Context<'_>, addr: kinds::Addr, len: kinds::Size) -> SysResult<u64> {
    cx.process.munmap(addr.0, len.0)
}

/// mprotect(2).
pub(crate) fn mprotect(
    cx: &mut Context<'_>,
    addr: kinds::Addr,
    len: kinds::Size,
    prot: kinds::Prot,
) -> SysResult<u64> {
    cx.process.mprotect(addr.0, len.0, prot.0)
}

/// pkey_mprotect(2) with key -1 is mprotect; no other key can have been allocated.
pub(crate) fn pkey_mprotect(
    cx: &mut Context<'_>,
    addr: kinds::Addr,
    len: kinds::Size,
    prot: kinds::Prot,
    key: kinds::Int,
) -> SysResult<u64> {
    if key.0 == -1 { cx.process.mprotect(addr.0, len.0, prot.0) } else { Err(Errno::EINVAL) }
}

/// mremap(2).
pub(crate) fn mremap(
    cx: &mut Context<'_>,
    old: kinds::Addr,
    old_len: kinds::Size,
    new_len: kinds::Size,
    flags: kinds::MremapFlags,
    new: kinds::Addr,
) -> SysResult<u64> {
    cx.process.mremap(old.0, old_len.0, new_len.0, flags.0, new.0)
}

/// madvise(2).
pub(crate) fn madvise(
    cx: &mut Context<'_>,
    addr: kinds::Addr,
    len: kinds::Size,
    advice: kinds::Madv,
) -> SysResult<u64> {
    cx.process.madvise(addr.0, len.0, advice.0.into())
}

/// mseal(2).
pub(crate) fn mseal(
    cx: &mut Context<'_>,
    addr: kinds::Addr,
    len: kinds::Size,
    flags: kinds::Hex,
) -> SysResult<u64> {
    cx.process.mseal(addr.0, len.0, flags.0)
}

/// remap_file_pages(2).
pub(crate) fn remap_file_pages(
    cx: &mut Context<'_>,
    addr: kinds::Addr,
    len: kinds::Size,
    prot: kinds::Prot,
    pgoff: kinds::Size,
    flags: kinds::MapFlags,
) -> SysResult<u64> {
    cx.process.remap_file_pages(addr.0, len.0, prot.0, pgoff.0, flags.0)
}

/// shmat(2).
pub(crate) fn shmat(
    cx: &mut Context<'_>,
    id: kinds::Int,
    addr: kinds::Addr,
    flags: kinds::ShmFlags,
) -> SysResult<u64> {
    cx.process.shmat(id.0, addr.0, flags.0.into())
}

/// shmdt(2).
pub(crate) fn shmdt(cx: &mut Context<'_>, addr: kinds::Addr) -> SysResult<u64> {
    cx.process.shmdt(addr.0)
}
