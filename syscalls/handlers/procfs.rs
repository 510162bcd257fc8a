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

/// An emulated file.
pub(crate) enum Found {
    /// Of this process, or of nobody's.
    Own(ProcFile),
    /// Of another emulated process.
    Other(Peer, ProcFile),
}

/// The emulated file that a descriptor leads to, if any.
pub(crate) fn find(fd: i32) -> Option<Found> {
    let path = proc_path(fd)?;
    if let Some(file) = classify(&path) {
        return Some(Found::Own(file));
    }
    find_other(&path).map(|(peer, file)| Found::Other(peer, file))
}

/// The file of another emulated process that shows the runner's memory, by its path in `/proc`.
pub fn find_other(path: &[u8]) -> Option<(Peer, ProcFile)> {
    let (folder, file) = others_entry(path)?;
    let folder = host::open_folder(libc::AT_FDCWD, &CString::new(folder).ok()?).ok()?;
    Some((host::is_proc(folder.as_raw_fd()).then(|| Peer::of(folder))??, file))
}

/// The folder of some process or thread, and which of the files in it that show the runner's memory
/// this is.
fn others_entry(path: &[u8]) -> Option<(&[u8], ProcFile)> {
    let slash = path.iter().rposition(|&b| b == b'/')?;
    let folder = &path[..slash];
    let file = match &path[slash + 1..] {
        b"maps" => ProcFile::Maps,
        b"smaps" => ProcFile::Smaps,
        _ => return None,
    };
    number(folder.rsplit(|&b| b == b'/').next()?)?;
    Some((folder, file))
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
        (b"status", false) => ProcFile::Status,
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

/// A folder of this process whose entries are numbers, some of which are the runner's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    Descriptors,
    Threads,
}

/// Which of these folders a descriptor leads to.
pub(crate) fn listing(fd: i32) -> Option<Listing> {
    match own_entry(&proc_path(fd)?)? {
        (b"fd" | b"fdinfo", _) => Some(Listing::Descriptors),
        (b"task", false) => Some(Listing::Threads),
        _ => None,
    }
}

/// The number an entry of such a folder stands for.
pub(crate) fn entry_number(name: &[u8]) -> Option<i32> {
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
/// `/proc`, where two words lie in its memory: addresses of the path of its guest program and of
/// what it shows of the guest's address space ([`Peer`]).
pub const AUXV_RUNNER: u64 = 0x5245_4d56;

/// Another emulated process, as far as this one may read its memory.
#[derive(Debug)]
pub struct Peer {
    folder: OwnedFd,
    mem: File,
    program: u64,
    areas: u64,
}

impl Peer {
    /// By its number.
    pub fn of_process(pid: i32) -> Option<Peer> {
        let path = CString::new(format!("/proc/{pid}")).ok()?;
        Peer::of(host::open_folder(libc::AT_FDCWD, &path).ok()?)
    }

    /// By its folder in `/proc`.
    fn of(folder: OwnedFd) -> Option<Peer> {
        let open = |name: &CStr| host::open_in(&folder, name).ok().map(File::from);
        let mut auxv = Vec::new();
        open(c"auxv")?.take(4096).read_to_end(&mut auxv).ok()?;
        let words: Vec<u64> = auxv.chunks_exact(8).map(u64::load).collect();
        let at = words.chunks_exact(2).find(|entry| entry[0] == AUXV_RUNNER)?[1];
        let mem = open(c"mem")?;
        let mut told = [0; 16];
        mem.read_exact_at(&mut told, at).ok()?;
        let [program, areas] = [u64::load(&told[..8]), u64::load(&told[8..])];
        Some(Peer { folder, mem, program, areas })
    }

    /// The path of its guest program.
    pub fn program(&self) -> Option<CString> {
        let mut text = vec![0; libc::PATH_MAX as usize];
        let have = self.read(self.program, &mut text);
        let end = text[..have].iter().position(|&b| b == 0)?;
        text.truncate(end);
        CString::new(text).ok()
    }

    /// Where what it shows of its address space lies.
    pub fn areas(&self) -> u64 {
        self.areas
    }

    /// Copies from its memory; how many bytes were there.
    pub fn read(&self, addr: u64, out: &mut [u8]) -> usize {
        let mut have = 0;
        while have < out.len() {
            match self.mem.read_at(&mut out[have..], addr.saturating_add(have as u64)) {
                Ok(0) | Err(_) => break,
                Ok(n) => have += n,
            }
        }
        have
    }

    /// The kernel's file of it in `/proc`.
    pub fn file(&self, name: &CStr) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        File::from(host::open_in(&self.folder, name).ok()?).read_to_end(&mut all).ok()?;
        Some(all)
    }
}

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
                Peer::of(found)?.program().map(Exe::Other)
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
        let own = |p| match find(open(p).as_raw_fd()) {
            Some(Found::Own(file)) => Some(file),
            Some(Found::Other(..)) | None => None,
        };
        assert_eq!(own("/proc/self/maps"), Some(ProcFile::Maps));
        assert_eq!(own("/proc/thread-self/auxv"), Some(ProcFile::Auxv));
        assert!(find(open("/proc/1/stat").as_raw_fd()).is_none());
        let maps = Some((&b"/mnt/17"[..], ProcFile::Maps));
        assert_eq!(others_entry(b"/mnt/17/maps"), maps);
        assert_eq!(others_entry(b"/mnt/17/task/18/smaps").map(|f| f.1), Some(ProcFile::Smaps));
        assert_eq!(others_entry(b"/mnt/17/stat"), None);
        assert_eq!(others_entry(b"/mnt/sys/maps"), None);
        let listing = |p| listing(open(p).as_raw_fd());
        assert_eq!(listing("/proc/self/fd"), Some(Listing::Descriptors));
        assert_eq!(listing("/proc/thread-self/fdinfo"), Some(Listing::Descriptors));
        assert_eq!(listing("/proc/self/task"), Some(Listing::Threads));
        assert_eq!(listing("/proc/thread-self"), None);
        assert_eq!(listing("/proc/self"), None);
        assert_eq!(entry_number(b"17"), Some(17));
        assert_eq!(entry_number(b".."), None);
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
