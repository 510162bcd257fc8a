//! The kernel's list, through its file system.

use std::io;
use std::path::{Path, PathBuf};

use crate::{Entry, Flags, entry_name, magic, registration};
use remu_isa::Guest;

/// Where the list is, unless told otherwise.
const DIRECTORY: &str = "/proc/sys/fs/binfmt_misc";

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system is not there and could not be mounted.
    #[error("binfmt_misc is not mounted at {0}: {1}")]
    NotMounted(PathBuf, io::Error),
    /// A file of it could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The runner cannot be registered.
    #[error("{0}")]
    Runner(String),
}

/// What a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it was so already.
    None,
    /// A new entry.
    Added,
    /// An entry of the same name was replaced.
    Replaced,
    /// The entry is gone.
    Removed,
}

/// The kernel's list of formats.
#[derive(Clone, Debug)]
pub struct Kernel {
    directory: PathBuf,
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel { directory: DIRECTORY.into() }
    }
}

impl Kernel {
    /// The list at a mount point.
    pub fn at(directory: impl Into<PathBuf>) -> Kernel {
        Kernel { directory: directory.into() }
    }

    /// The mount point.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path = self.directory.join(name);
        std::fs::read_to_string(&path).map_err(|e| Error::File(path, e))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.directory.join(name);
        let file = std::fs::OpenOptions::new().write(true).open(&path);
        // One write: the kernel reads one line from it.
        let done = file.and_then(|mut f| io::Write::write_all(&mut f, text.as_bytes()));
        done.map_err(|e| Error::File(path, e))
    }

    /// True when the file system is there.
    pub fn is_mounted(&self) -> bool {
        self.directory.join("register").exists()
    }

    /// Mounts the file system where it is missing.
    pub fn mount(&self) -> Result<(), Error> {
        if self.is_mounted() {
            return Ok(());
        }
        let none: Option<&str> = None;
        let flags = nix::mount::MsFlags::MS_NOSUID
            | nix::mount::MsFlags::MS_NODEV
            | nix::mount::MsFlags::MS_NOEXEC;
        nix::mount::mount(Some("binfmt_misc"), &self.directory, Some("binfmt_misc"), flags, none)
            .map_err(|e| Error::NotMounted(self.directory.clone(), e.into()))
    }

    /// True unless all formats are switched off.
    pub fn is_enabled(&self) -> Result<bool, Error> {
        Ok(self.read("status")?.trim() == "enabled")
    }

    /// Every entry, by name.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let bad = |e| Error::File(self.directory.clone(), e);
        let mut all = Vec::new();
        for file in std::fs::read_dir(&self.directory).map_err(bad)? {
            let name = file.map_err(bad)?.file_name().to_string_lossy().into_owned();
            if name != "register" && name != "status" {
                // An entry that went away meanwhile is no entry.
                all.extend(self.entry(&name)?);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// One entry.
    pub fn entry(&self, name: &str) -> Result<Option<Entry>, Error> {
        match self.read(name) {
            Ok(text) => Ok(Some(Entry::parse(name, &text))),
            Err(Error::File(_, e)) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes the kernel start `runner` for a guest's programs. Other entries are left alone.
    pub fn register(&self, guest: &Guest, runner: &Path, flags: Flags) -> Result<Change, Error> {
        let name = entry_name(guest);
        let (magic, mask) = magic(guest);
        let line = registration(&name, &magic, &mask, runner, flags).map_err(Error::Runner)?;
        if !runner.is_file() {
            return Err(Error::Runner(format!("there is no runner at {}", runner.display())));
        }
        let mut change = Change::Added;
        if let Some(old) = self.entry(&name)? {
            let same = old.enabled
                && old.interpreter == runner
                && old.flags == flags
                && old.magic == magic
                && old.mask == mask;
            // With F the kernel keeps the file it opened: a runner that was rebuilt is another file,
            // so that a fixed entry is always made anew.
            if same && !flags.fixed {
                return Ok(Change::None);
            }
            self.write(&name, "-1")?;
            change = if same { Change::None } else { Change::Replaced };
        }
        self.write("register", &line)?;
        Ok(change)
    }

    /// Removes a guest's entry.
    pub fn unregister(&self, guest: &Guest) -> Result<Change, Error> {
        let name = entry_name(guest);
        if self.entry(&name)?.is_none() {
            return Ok(Change::None);
        }
        self.write(&name, "-1")?;
        Ok(Change::Removed)
    }
}
