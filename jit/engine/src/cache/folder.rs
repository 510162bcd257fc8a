//! The folder of cache files: who may have written there, and how much.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, futimens};
use nix::sys::time::TimeSpec;

/// A file that was read longer ago than this is marked as used.
const USED: Duration = Duration::from_secs(12 * 3600);

/// A trusted folder.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: File,
    path: PathBuf,
    limit: u64,
}

/// Nobody but the user and root can have changed it.
fn trusted(m: &Metadata) -> bool {
    let user = nix::unistd::geteuid().as_raw();
    (m.uid() == user || m.uid() == 0) && m.mode() & 0o022 == 0
}

impl Folder {
    /// Opens the folder; makes it where that is asked for, up to three levels deep: in a root that has
    /// no home folder, none appears.
    pub(crate) fn open_dir(path: &Path, make: bool, limit: u64) -> Option<Folder> {
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let open = || OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
        let dir = match open() {
            None if make && path.ancestors().nth(3).is_none_or(Path::is_dir) => {
                DirBuilder::new().recursive(true).mode(0o700).create(path).ok()?;
                open()?
            }
            other => other?,
        };
        let own = trusted(&dir.metadata().ok()?);
        own.then(|| Folder { dir, path: path.to_owned(), limit })
    }

    fn open_with(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = File::from(openat(self.dir.as_fd(), name, flags, mode)?);
        let m = file.metadata()?;
        if m.is_file() && trusted(&m) {
            Ok(file)
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    /// Opens a file for reading.
    pub(crate) fn open(&self, name: &str) -> Option<File> {
        self.open_with(name, OFlag::O_RDONLY).ok()
    }
    /// Opens a file for reading and writing, or makes it.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDWR | OFlag::O_CREAT)
    }
    /// Puts a new file in the place of the one of that name.
    pub(crate) fn replace(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let temporary = format!("{name}.{}", std::process::id());
        // Left over from a process of the same number.
        self.remove(&temporary);
        let mut file =
            self.open_with(&temporary, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?;
        let done = parts.iter().try_for_each(|p| io::Write::write_all(&mut file, p));
        let done = done.and_then(|()| {
            Ok(nix::fcntl::renameat(self.dir.as_fd(), &temporary[..], self.dir.as_fd(), name)?)
        });
        if done.is_err() {
            self.remove(&temporary);
        }
        done
    }
    fn remove(&self, name: &str) {
        // Somebody else may have removed it.
        let _ =
            nix::unistd::unlinkat(self.dir.as_fd(), name, nix::unistd::UnlinkatFlags::NoRemoveDir);
    }
    /// Notes that a file is in use.
    pub(crate) fn touch(file: &File) {
        let age = file.metadata().and_then(|m| m.modified()).ok();
        if age.and_then(|t| t.elapsed().ok()).is_some_and(|age| age > USED) {
            // Not the owner: then the owner keeps the time.
            let _ = futimens(file.as_fd(), &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
        }
    }

    /// Deletes the files used longest ago until the rest is below the limit.
    pub(crate) fn bound(&self) {
        let Ok(list) = std::fs::read_dir(&self.path) else { return };
        let mut files: Vec<(SystemTime, u64, String)> = list
            .filter_map(|e| {
                let e = e.ok()?;
                let m = e.metadata().ok().filter(Metadata::is_file)?;
                Some((m.modified().ok()?, m.blocks() * 512, e.file_name().into_string().ok()?))
            })
            .collect();
        let mut total: u64 = files.iter().map(|f| f.1).sum();
        files.sort_unstable();
        for (_, size, name) in files {
            if total <= self.limit {
                break;
            }
            self.remove(&name);
            total -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_is_ours_is_trusted_and_old_files_go() {
        let top = std::env::temp_dir().join(format!("remu-folder-{}", std::process::id()));
        let path = top.join("deep/er");
        assert!(Folder::open_dir(&path, false, 0).is_none());
        assert!(Folder::open_dir(&path.join("too/far"), true, 0).is_none() && !top.exists());
        let f = Folder::open_dir(&path, true, 10_000).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            let file = f.create(name).unwrap();
            io::Write::write_all(&mut &file, &[1; 4096]).unwrap();
            let t = TimeSpec::new(1000 + n as i64, 0);
            futimens(file.as_fd(), &t, &t).unwrap();
        }
        f.bound();
        assert!(f.open("a").is_none() && f.open("b").is_some() && f.open("c").is_some());
        std::fs::set_permissions(path.join("b"), PermissionsExt::from_mode(0o660)).unwrap();
        assert!(f.open("b").is_none());
        std::os::unix::fs::symlink("c", path.join("d")).unwrap();
        assert!(f.open("d").is_none());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o770)).unwrap();
        assert!(Folder::open_dir(&path, true, 0).is_none());
        std::fs::remove_dir_all(top).unwrap();
    }
}
