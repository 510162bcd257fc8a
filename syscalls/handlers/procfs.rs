//! `/proc` files that would show the runner: recognised by what a descriptor leads to, however the
//! guest named it; content asked from the runner.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crate::{Plain, ProcFile, host};

/// Links followed before a path counts as endless (`MAXSYMLINKS` is 40; chains to `exe` are short).
const LINKS: usize = 8;

/// The part of a canonical path below the folder of this process or one of its threads, and whether
/// it is a thread's.
fn own_entry(path: &[u8]) -> Option<(&[u8], bool)> {
    let mut parts = path.split(|&b| b == b'/').rev().filter(|p| !p.is_empty());
    let (entry, owner) = (parts.next()?, parts.next()?);
    if is_own_id(owner) {
        return Some((entry, false));
    }
    (parts.next()? == b"task" && is_own_id(parts.next()?)).then_some((entry, true))
}

fn is_own_id(name: &[u8]) -> bool {
    number(name) == Some(std::process::id())
}

fn number(name: &[u8]) -> Option<u32> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The canonical path of a descriptor that leads into a proc file system.
fn proc_path(fd: i32) -> Option<Vec<u8>> {
    if !host::is_proc(fd) {
        return None;
    }
    host::readlink(&CString::new(format!("/proc/self/fd/{fd}")).ok()?).ok()
}

/// The emulated file that a descriptor leads to, if any.
pub(crate) fn find(fd: i32) -> Option<ProcFile> {
    classify(&proc_path(fd)?)
}

fn classify(path: &[u8]) -> Option<ProcFile> {
    // Only the root of the file system has an entry of this name.
    if path.ends_with(b"/cpuinfo") {
        return Some(ProcFile::Cpuinfo);
    }
    Some(match own_entry(path)? {
        (b"maps", _) => ProcFile::Maps,
        (b"smaps", _) => ProcFile::Smaps,
        (b"auxv", _) => ProcFile::Auxv,
        (b"cmdline", _) => ProcFile::Cmdline,
        (b"environ", _) => ProcFile::Environ,
        (b"stat", false) => ProcFile::Stat,
        _ => return None,
    })
}

/// The process whose memory a descriptor is (`/proc/pid/mem`).
pub(crate) fn memory_of(fd: i32) -> Option<i32> {
    let path = proc_path(fd)?;
    let mut parts = path.split(|&b| b == b'/').rev();
    if parts.next()? != b"mem" {
        return None;
    }
    i32::try_from(number(parts.next()?)?).ok()
}

/// True for a folder that lists the descriptors of this process.
pub(crate) fn lists_descriptors(fd: i32) -> bool {
    proc_path(fd).is_some_and(|p| matches!(own_entry(&p), Some((b"fd" | b"fdinfo", _))))
}

/// The number an entry of such a folder stands for.
pub(crate) fn descriptor(name: &[u8]) -> Option<i32> {
    number(name).and_then(|n| i32::try_from(n).ok())
}

/// True when the last part of a path may be the link to this process's program.
pub(crate) fn may_be_exe(path: &[u8]) -> bool {
    path.strip_suffix(b"exe").is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
}

/// Whose program a link leads to.
pub(crate) enum Exe {
    /// This process's.
    Own,
    /// That of another emulated process, by its path.
    Other(CString),
}

/// The key under which a runner tells the others, in the auxiliary vector that they see of it in
/// `/proc`, where the path of its guest program lies in its memory.
pub const AUXV_PROGRAM: u64 = 0x5245_4d55;

/// Whose program a path names the link to, or with `follow` leads to by links.
pub(crate) fn leads_to_exe(dirfd: i32, path: &CStr, follow: bool) -> Option<Exe> {
    let mut at = path.to_bytes().to_vec();
    let mut dir = None;
    for _ in 0..LINKS {
        let slash = at.iter().rposition(|&b| b == b'/').map_or(0, |n| n + 1);
        let (parent, last) = at.split_at(slash);
        let parent = if parent.is_empty() { b"." } else { parent };
        let (parent, last) = (CString::new(parent).ok()?, CString::new(last).ok()?);
        let from = dir.as_ref().map_or(dirfd, AsRawFd::as_raw_fd);
        let found = host::open_folder(from, &parent).ok()?;
        if last.to_bytes() == b"exe"
            && let Some(owner) = proc_path(found.as_raw_fd())
        {
            // A name behind the folder makes it the entry of `own_entry`.
            return if own_entry(&[&owner[..], b"/exe"].concat()).is_some() {
                Some(Exe::Own)
            } else {
                program(&found).map(Exe::Other)
            };
        }
        if !follow {
            return None;
        }
        let target = host::readlinkat(&found, &last).ok()?;
        dir = Some(found);
        at = target;
    }
    None
}

/// The guest program of the emulated process whose folder in `/proc` this is.
fn program(folder: &OwnedFd) -> Option<CString> {
    let open = |name: &CStr| host::open_in(folder, name).ok().map(File::from);
    let mut auxv = Vec::new();
    open(c"auxv")?.take(4096).read_to_end(&mut auxv).ok()?;
    let words: Vec<u64> = auxv.chunks_exact(8).map(u64::load).collect();
    let at = words.chunks_exact(2).find(|entry| entry[0] == AUXV_PROGRAM)?[1];
    let mut text = vec![0; libc::PATH_MAX as usize];
    let have = open(c"mem")?.read_at(&mut text, at).ok()?;
    text.truncate(have);
    let end = text.iter().position(|&b| b == 0)?;
    text.truncate(end);
    CString::new(text).ok()
}

/// True when a file is the runner's own program: what `exe` leads to on the host.
pub(crate) fn is_runner(file: &libc::stat) -> bool {
    static RUNNER: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let runner = RUNNER.get_or_init(|| {
        let at = c"/proc/self/exe".as_ptr() as u64;
        host::newfstatat(libc::AT_FDCWD, at, 0).ok().map(|s| (s.st_dev, s.st_ino))
    });
    *runner == Some((file.st_dev, file.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_files_are_known_by_any_mount_and_thread() {
        let pid = std::process::id();
        let own = |rest: &str| classify(format!("/mnt/proc/{pid}/{rest}").as_bytes());
        assert_eq!(own("maps"), Some(ProcFile::Maps));
        assert_eq!(own("task/17/maps"), Some(ProcFile::Maps));
        assert_eq!(own("fd"), None);
        assert_eq!(classify(b"/proc/cpuinfo"), Some(ProcFile::Cpuinfo));
        assert_eq!(classify(b"/proc/1/maps"), None);
        assert_eq!(classify(b"/proc"), None);
    }

    #[test]
    fn descriptors_tell_what_they_lead_to() {
        let open = |p: &str| std::fs::File::open(p).unwrap();
        assert_eq!(find(open("/proc/self/maps").as_raw_fd()), Some(ProcFile::Maps));
        assert_eq!(find(open("/proc/thread-self/auxv").as_raw_fd()), Some(ProcFile::Auxv));
        assert_eq!(find(open("/proc/1/stat").as_raw_fd()), None);
        assert!(lists_descriptors(open("/proc/self/fd").as_raw_fd()));
        assert!(!lists_descriptors(open("/proc/self").as_raw_fd()));
        assert_eq!(descriptor(b"17"), Some(17));
        assert_eq!(descriptor(b".."), None);
    }

    #[test]
    fn exe_is_found_by_folder_and_by_link() {
        let own = std::fs::File::open("/proc/self").unwrap();
        let leads = |dir, path, follow| matches!(leads_to_exe(dir, path, follow), Some(Exe::Own));
        assert!(leads(libc::AT_FDCWD, c"/proc/self/exe", false));
        assert!(leads(own.as_raw_fd(), c"exe", false));
        assert!(leads(own.as_raw_fd(), c"../self/exe", false));
        assert!(leads_to_exe(libc::AT_FDCWD, c"/proc/1/exe", true).is_none());
        let link = std::env::temp_dir().join(format!("remu-exe-link-{}", std::process::id()));
        std::os::unix::fs::symlink("/proc/self/exe", &link).unwrap();
        let path = CString::new(link.to_str().unwrap()).unwrap();
        assert!(leads(libc::AT_FDCWD, &path, true));
        assert!(!leads(libc::AT_FDCWD, &path, false));
        std::fs::remove_file(link).unwrap();
        assert!(may_be_exe(b"exe") && may_be_exe(b"a/exe") && !may_be_exe(b"a.exe"));
    }
}
