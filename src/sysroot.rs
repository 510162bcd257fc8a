//! `-L`: a directory whose files come before the host's.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlink};
use nix::sys::stat::Mode;

use crate::loader::Lookup;

/// The directory of `-L`, or none.
#[derive(Debug, Default)]
pub(crate) struct Sysroot {
    prefix: Option<Vec<u8>>,
    root: Option<OwnedFd>,
}

impl Sysroot {
    /// Opens the directory; one that is missing makes every look-up fall through to the host.
    pub(crate) fn open(prefix: Option<&OsStr>) -> Sysroot {
        let Some(prefix) = prefix.filter(|p| !p.is_empty() && *p != "/") else {
            return Sysroot::default();
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // Absolute, so that it means the same after chdir.
        let absolute =
            std::path::absolute(prefix).map_or_else(|_| prefix.to_owned(), |p| p.into_os_string());
        let mut bytes = absolute.into_vec();
        while bytes.last() == Some(&b'/') {
            bytes.pop();
        }
        let root = nix::fcntl::open(OsStr::from_bytes(&bytes), flags, Mode::empty()).ok();
        let root = root.and_then(crate::task::keep_high_owned);
        Sysroot { prefix: Some(bytes), root }
    }

    /// True when look-ups may find something.
    pub(crate) fn is_set(&self) -> bool {
        self.root.is_some()
    }

    /// The descriptor of the directory.
    pub(crate) fn fd(&self) -> Option<i32> {
        self.root.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The host path of a guest path that exists inside the prefix. Links are followed inside it.
    pub(crate) fn resolve(&self, _dirfd: i32, path: &CStr, follow: bool) -> Option<CString> {
        let root = self.root.as_ref()?;
        let prefix = self.prefix.as_ref()?;
        let bytes = path.to_bytes();
        if !bytes.starts_with(b"/")
            || outside(bytes)
            || is_scratch(bytes)
            || bytes.starts_with(prefix)
        {
            return None;
        }
        let mut flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        flags.set(OFlag::O_NOFOLLOW, !follow);
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        match openat2(root, path, how) {
            Ok(fd) => {
                let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
                let found = readlink(link.as_str()).ok();
                let found = found.filter(|p| p.as_bytes().starts_with(b"/"));
                let mut found =
                    found.map_or_else(|| [prefix, bytes].concat(), OsStringExt::into_vec);
                if bytes.ends_with(b"/") && !found.ends_with(b"/") {
                    found.push(b'/');
                }
                CString::new(found).ok()
            }
            Err(nix::errno::Errno::ENOSYS) => self.plain(bytes),
            Err(_) => None,
        }
    }

    /// Without openat2(2): the path behind the prefix, if it exists.
    fn plain(&self, path: &[u8]) -> Option<CString> {
        let joined = [self.prefix.as_deref()?, path].concat();
        let exists = std::fs::symlink_metadata(OsStr::from_bytes(&joined)).is_ok();
        exists.then(|| CString::new(joined).ok()).flatten()
    }
}

/// Directories that describe the running machine are always the host's.
fn outside(path: &[u8]) -> bool {
    [&b"/proc"[..], b"/sys", b"/dev"].iter().any(|d| {
        path.strip_prefix(*d).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

/// Folders for passing files: the folders themselves are the machine's, so that what a program makes
/// by a path is also there by a descriptor of the folder. A file that the prefix has in one is found.
fn is_scratch(path: &[u8]) -> bool {
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |n| n + 1);
    [&b"/tmp"[..], b"/var/tmp", b"/run", b"/home", b"/root", b"/mnt"].contains(&&path[..end])
}

impl Lookup for Sysroot {
    fn open(&self, path: &CStr) -> std::io::Result<File> {
        let inside = self.resolve(libc::AT_FDCWD, path, true);
        let path = inside.as_deref().unwrap_or(path);
        File::open(OsStr::from_bytes(path.to_bytes()))
    }

    fn prefixed(&self, path: &CStr) -> Option<CString> {
        CString::new([self.prefix.as_deref()?, path.to_bytes()].concat()).ok()
    }
}
