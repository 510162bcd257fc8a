//! Files by name, and the structures whose layout is not the host's.

use std::ffi::CStr;

use crate::context::Context;
use crate::handlers::procfs;
use crate::structs::{OpenHow, Stat};
use crate::table::kinds;
use crate::{Errno, Plain, SysResult, host, uring};

/// openat(2): emulated /proc files first, then the sysroot, then the host path.
pub(crate) fn openat(
    cx: &mut Context<'_>,
    dir: kinds::DirFd,
    path: kinds::PathRead,
    flags: kinds::OpenFlags,
    mode: kinds::CreateMode,
) -> SysResult<u64> {
    let flags = cx.abi.open_flags_to_host(flags.0);
    let guest_path = path.0;
    let path = cx.host_path(dir.0, guest_path, flags as i32 & libc::O_NOFOLLOW == 0);
    let open = |path: u64| [dir.0 as u64, path, flags.into(), mode.0.into(), 0, 0];
    let fd = cx.blocking(libc::SYS_openat, open(path.ptr))?;
    emulated(cx, dir.0, guest_path, flags as i32, fd, |cx, path| {
        cx.blocking(libc::SYS_openat, open(path.as_ptr() as u64))
    })
}

/// openat2(2).
pub(crate) fn openat2(
    cx: &mut Context<'_>,
    dir: kinds::DirFd,
    path: kinds::PathRead,
    how: kinds::In,
    size: kinds::Size,
) -> SysResult<u64> {
    let known = OpenHow::SIZE as u64;
    if size.0 < known {
        return Err(Errno::EINVAL);
    }
    if size.0 > PAGE {
        return Err(Errno::E2BIG);
    }
    let mut how_host: OpenHow = cx.mem().read(how.0)?;
    let mut rest = vec![0; (size.0 - known) as usize];
    cx.mem().read_bytes(how.0.wrapping_add(known), &mut rest)?;
    if rest.iter().any(|&b| b != 0) {
        return Err(Errno::E2BIG);
    }
    // Flag bits beyond 32 are errors on the host as well: they stay where they are.
    let low = cx.abi.open_flags_to_host(how_host.flags as u32);
    how_host.flags = how_host.flags >> 32 << 32 | u64::from(low);
    let mut raw = [0; OpenHow::SIZE];
    how_host.store(&mut raw);
    let open = |path: u64| [dir.0 as u64, path, raw.as_ptr() as u64, known, 0, 0];
    if how_host.resolve != 0 {
        // RESOLVE_* restricts where the path may lead, so a restricted lookup keeps the guest's path.
        return cx.blocking(libc::SYS_openat2, open(cx.mem().host(path.0)));
    }
    let guest_path = path.0;
    let path = cx.host_path(dir.0, guest_path, low as i32 & libc::O_NOFOLLOW == 0);
    let fd = cx.blocking(libc::SYS_openat2, open(path.ptr))?;
    emulated(cx, dir.0, guest_path, low as i32, fd, |cx, path| {
        cx.blocking(libc::SYS_openat2, open(path.as_ptr() as u64))
    })
}

const PAGE: u64 = 4096;

/// Puts the guest's file in the place of one just opened that would show the runner: a `/proc` file,
/// or the runner's own program reached through the guest's link to its program.
fn emulated(
    cx: &mut Context<'_>,
    dirfd: i32,
    path: u64,
    flags: i32,
    fd: u64,
    reopen: impl FnOnce(&Context<'_>, &CStr) -> SysResult<u64>,
) -> SysResult<u64> {
    if flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_DIRECTORY != 0 {
        return Ok(fd);
    }
    let Ok(st) = host::fstat(fd as i32) else { return Ok(fd) };
    let close = || host::forward(libc::SYS_close, &[fd, 0, 0, 0, 0, 0]);
    if procfs::is_runner(&st) {
        let Some(exe) = cx.read_path(path).ok().and_then(|p| cx.program_at(dirfd, &p, true)) else {
            return Ok(fd);
        };
        close()?;
        return reopen(cx, &exe);
    }
    // proc has no device of its own: the major number is 0.
    if flags & libc::O_PATH != 0 || libc::major(st.st_dev) != 0 {
        return Ok(fd);
    }
    let content = match procfs::find(fd as i32) {
        Some(procfs::Found::Own(file)) => cx.process.proc_file(file),
        Some(procfs::Found::Other(peer, file)) => cx.process.proc_file_of(&peer, file),
        None => None,
    };
    let Some(content) = content else { return Ok(fd) };
    close()?;
    host::memory_file(c"proc", &content, flags & libc::O_CLOEXEC != 0)
}

/// Bytes of `struct linux_dirent64` before the name.
const DIRENT: usize = 19;

/// getdents64(2): the runner's own descriptors, and threads that the kernel makes for its rings, are
/// left out of the folders that list them.
pub(crate) fn getdents64(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    buf: kinds::OutBuf,
    count: kinds::Size,
) -> SysResult<u64> {
    let read = |cx: &Context<'_>| {
        cx.host(libc::SYS_getdents64, [fd.0 as u64, cx.mem().host(buf.0), count.0, 0, 0, 0])
    };
    let mut have = read(cx)?;
    if have == 0 {
        return Ok(0);
    }
    let Some(listing) = procfs::listing(fd.0) else { return Ok(have) };
    let workers = match listing {
        procfs::Listing::Threads => uring::workers().unwrap_or_default(),
        procfs::Listing::Descriptors => Vec::new(),
    };
    let own = |n| match listing {
        procfs::Listing::Threads => workers.contains(&n),
        procfs::Listing::Descriptors => cx.process.is_private_fd(n),
    };
    // A buffer full of hidden entries must not look like the end.
    loop {
        let mut entries = vec![0; have as usize];
        cx.mem().read_bytes(buf.0, &mut entries)?;
        let shown = without(&entries, own);
        if !shown.is_empty() || have == 0 {
            cx.mem().write_bytes(buf.0, &shown)?;
            return Ok(shown.len() as u64);
        }
        have = read(cx)?;
    }
}

/// Directory entries without those of the runner's own.
fn without(entries: &[u8], own: impl Fn(i32) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while rest.len() > DIRENT {
        let len = usize::from(u16::from_le_bytes([rest[16], rest[17]]));
        if len <= DIRENT || len > rest.len() {
            break;
        }
        let (entry, behind) = rest.split_at(len);
        let name = entry[DIRENT..].split(|&b| b == 0).next().unwrap_or_default();
        if !procfs::entry_number(name).is_some_and(&own) {
            out.extend_from_slice(entry);
        }
        rest = behind;
    }
    out
}

/// open_by_handle_at(2).
pub(crate) fn open_by_handle_at(
    cx: &mut Context<'_>,
    mount: kinds::DirFd,
    handle: kinds::In,
    flags: kinds::OpenFlags,
) -> SysResult<u64> {
    let flags = cx.abi.open_flags_to_host(flags.0);
    cx.blocking(
        libc::SYS_open_by_handle_at,
        [mount.0 as u64, cx.mem().host(handle.0), flags.into(), 0, 0, 0],
    )
}

/// fanotify_init(2): the second argument is open(2) flags.
pub(crate) fn fanotify_init(
    cx: &mut Context<'_>,
    flags: kinds::Hex,
    event_flags: kinds::OpenFlags,
) -> SysResult<u64> {
    let event_flags = cx.abi.open_flags_to_host(event_flags.0);
    cx.host(libc::SYS_fanotify_init, [flags.0, event_flags.into(), 0, 0, 0, 0])
}

/// fstat(2).
pub(crate) fn fstat(cx: &mut Context<'_>, fd: kinds::Fd, buf: kinds::Out) -> SysResult<u64> {
    let st = host::fstat(fd.0)?;
    put_stat(cx, buf.0, &st)
}

/// newfstatat(2), stat(2).
pub(crate) fn newfstatat(
    cx: &mut Context<'_>,
    dir: kinds::DirFd,
    path: kinds::PathRead,
    buf: kinds::Out,
    flags: kinds::AtFlags,
) -> SysResult<u64> {
    let follow = flags.0 as i32 & libc::AT_SYMLINK_NOFOLLOW == 0;
    let path = cx.host_path(dir.0, path.0, follow);
    let st = host::newfstatat(dir.0, path.ptr, flags.0.into())?;
    put_stat(cx, buf.0, &st)
}

fn put_stat(cx: &Context<'_>, buf: u64, st: &libc::stat) -> SysResult<u64> {
    let out = Stat {
        st_dev: st.st_dev,
        st_ino: st.st_ino,
        st_mode: st.st_mode,
        st_nlink: u32::try_from(st.st_nlink).map_err(|_| Errno::EOVERFLOW)?,
        st_uid: st.st_uid,
        st_gid: st.st_gid,
        st_rdev: st.st_rdev,
        st_size: st.st_size,
        st_blksize: st.st_blksize as i32,
        st_blocks: st.st_blocks,
        st_atime: st.st_atime,
        st_atime_nsec: st.st_atime_nsec as u64,
        st_mtime: st.st_mtime,
        st_mtime_nsec: st.st_mtime_nsec as u64,
        st_ctime: st.st_ctime,
        st_ctime_nsec: st.st_ctime_nsec as u64,
        ..Stat::default()
    };
    cx.mem().write(buf, &out)?;
    Ok(0)
}

/// readlinkat(2): `/proc/self/exe` names the guest's program.
pub(crate) fn readlinkat(
    cx: &mut Context<'_>,
    dir: kinds::DirFd,
    path: kinds::PathRead,
    buf: kinds::OutBuf,
    size: kinds::Size,
) -> SysResult<u64> {
    if size.0 as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    let exe = cx
        .read_path(path.0)
        .ok()
        .filter(|p| procfs::may_be_exe(p.to_bytes()))
        .and_then(|p| cx.program_at(dir.0, &p, false));
    if let Some(exe) = exe {
        let exe = exe.to_bytes();
        let n = exe.len().min(size.0 as i32 as usize);
        cx.mem().write_bytes(buf.0, &exe[..n])?;
        return Ok(n as u64);
    }
    let path = cx.host_path(dir.0, path.0, false);
    cx.host(libc::SYS_readlinkat, [dir.0 as u64, path.ptr, cx.mem().host(buf.0), size.0, 0, 0])
}
