//! execve(2): what a file is, who runs it, and how this process becomes it.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use remu_syscalls::{Errno, Seccomp, SysResult};

use super::{Task, raw};
use crate::loader::{FileKind, PREFIX, read_some};
use crate::signal::host;
use crate::sysroot::Sysroot;

/// Scripts may name scripts as interpreters this deep (execve(2)).
const SCRIPT_DEPTH: usize = 5;

/// A program file found, scripts followed to their interpreter.
pub(crate) struct Resolved {
    /// The file, open for reading.
    pub(crate) file: File,
    /// Path by which it was found.
    pub(crate) path: CString,
    /// Arguments, `argv[0]` included.
    pub(crate) argv: Vec<CString>,
    /// What it is.
    pub(crate) kind: FileKind,
}

/// Opens a program that may be executed and follows `#!` lines.
pub(crate) fn resolve_program(
    sysroot: &Sysroot,
    file: File,
    path: CString,
    argv: Vec<CString>,
) -> SysResult<Resolved> {
    let mut at = Resolved { file, path, argv, kind: FileKind::Other };
    for _ in 0..=SCRIPT_DEPTH {
        let mut start = [0; PREFIX];
        let have = read_some(&at.file, &mut start, 0).map_err(|_| Errno::EIO)?;
        at.kind = FileKind::of(&start[..have]);
        let FileKind::Script { interpreter, argument } = &at.kind else { return Ok(at) };
        let interpreter = CString::new(interpreter.clone()).map_err(|_| Errno::ENOEXEC)?;
        let mut argv = vec![interpreter.clone()];
        if let Some(argument) = argument {
            argv.push(CString::new(argument.clone()).map_err(|_| Errno::ENOEXEC)?);
        }
        argv.push(at.path.clone());
        argv.extend(at.argv.iter().skip(1).cloned());
        let file = open_program(sysroot, libc::AT_FDCWD, &interpreter, 0)?;
        at = Resolved { file, path: interpreter, argv, kind: FileKind::Other };
    }
    Err(Errno::ELOOP)
}

/// Opens a file that the caller may execute: through the prefix first.
pub(crate) fn open_program(
    sysroot: &Sysroot,
    dirfd: i32,
    path: &CStr,
    flags: u64,
) -> SysResult<File> {
    let flags = flags as i32;
    if path.is_empty() {
        if flags & libc::AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        return reopen(dirfd);
    }
    let inside = sysroot.resolve(dirfd, path, flags & libc::AT_SYMLINK_NOFOLLOW == 0);
    let path = inside.as_deref().unwrap_or(path);
    let access = libc::AT_EACCESS | (flags & libc::AT_SYMLINK_NOFOLLOW);
    let open = libc::O_RDONLY
        | libc::O_CLOEXEC
        | libc::O_NONBLOCK
        | if flags & libc::AT_SYMLINK_NOFOLLOW != 0 { libc::O_NOFOLLOW } else { 0 };
    raw::access_execute(dirfd, path, access)?;
    regular(raw::open(dirfd, path, open)?)
}

/// A file that may be a program: a regular one that the kernel would execute.
fn regular(file: OwnedFd) -> SysResult<File> {
    let file = File::from(file);
    if !file.metadata().map_err(|e| Errno::from_io(&e))?.is_file() {
        return Err(Errno::EACCES);
    }
    raw::check_execute(file.as_raw_fd())?;
    Ok(file)
}

/// The file of an open descriptor, for `AT_EMPTY_PATH`.
fn reopen(fd: i32) -> SysResult<File> {
    let link = CString::new(format!("/proc/self/fd/{fd}")).map_err(|_| Errno::ENOENT)?;
    let open = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    raw::access_execute(libc::AT_FDCWD, &link, libc::AT_EACCESS)?;
    let file = match raw::open(libc::AT_FDCWD, &link, open) {
        // Without /proc a descriptor open for reading serves as it is.
        Err(Errno::ENOENT) => raw::duplicate(fd, 0)?,
        other => other?,
    };
    regular(file)
}

/// A copy of the runner's descriptor out of the guest's way.
pub(crate) fn keep_high(fd: OwnedFd) -> Option<i32> {
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let soft = limit.map_or(1024, |l| l.0).min(1024) as i32;
    raw::duplicate(fd.as_raw_fd(), (soft - 16).max(3)).ok().map(IntoRawFd::into_raw_fd)
}

/// Opens the runner's own file.
pub(crate) fn open_runner() -> Option<i32> {
    let open = |path: &CStr| {
        raw::open(libc::AT_FDCWD, path, libc::O_PATH | libc::O_CLOEXEC).ok().and_then(keep_high)
    };
    open(c"/proc/self/exe").or_else(|| open(raw::exec_path()?))
}

impl Task {
    pub(super) fn exec(
        &mut self,
        dirfd: i32,
        path: CString,
        argv: Vec<CString>,
        envp: Vec<CString>,
        flags: u64,
    ) -> Errno {
        if self.signals.state.taken().is_some() {
            return Errno::RESTART;
        }
        let known = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
        if flags & !(known as u64) != 0 {
            return Errno::EINVAL;
        }
        let config = self.shared.config.clone();
        // What limits the calls goes to the next runner by descriptor, which the kernel would not do.
        let limited = self.seccomp.mode() != 0;
        let Some(runner) = config.runner_fd.filter(|_| !config.binfmt || limited) else {
            if limited {
                return Errno::EACCES;
            }
            let (dirfd, path, flags) = match self.by_name(dirfd, path, flags) {
                Ok(place) => place,
                Err(e) => return e,
            };
            return self.replace(dirfd, path, argv, envp, flags);
        };
        let guest_argv = argv.clone();
        let shown = shown_name(dirfd, &path);
        let found = open_program(&config.sysroot, dirfd, &path, flags).and_then(|file| {
            resolve_program(&config.sysroot, file, shown_name(dirfd, &path), argv)
        });
        let found = match found {
            Ok(found) => found,
            Err(Errno::EACCES) if !limited => {
                return self.unreadable(dirfd, path, guest_argv, envp, flags);
            }
            Err(e) => return e,
        };
        if found.path != shown && shown != path && raw::is_cloexec(dirfd) {
            // An interpreter could not open its script: the descriptor is closed by then.
            return Errno::ENOENT;
        }
        let own = FileKind::Elf {
            machine: config.guest.elf_machine,
            is64: config.guest.elf64,
            little: config.guest.little,
        };
        if found.kind == own {
            return self.replace_by_runner(runner, found, shown_name(dirfd, &path), envp);
        }
        if found.kind == FileKind::Other {
            return Errno::ENOEXEC;
        }
        if limited {
            log::info!(target: "remu::unimp", "execve: a filter of calls cannot follow to a program of another processor");
            return Errno::EACCES;
        }
        // Another processor's program: the host's own, or one that binfmt_misc knows.
        let fd = found.file.into_raw_fd();
        let result = self.replace(fd, CString::default(), found.argv, envp, EMPTY_PATH);
        raw::close(fd);
        result
    }

    /// A program given by a descriptor that closes on execve, by a name that the kernel's binfmt_misc
    /// can open for the runner; anything else as it is.
    fn by_name(&self, dirfd: i32, path: CString, flags: u64) -> SysResult<(i32, CString, u64)> {
        if !path.is_empty() || flags as i32 & libc::AT_EMPTY_PATH == 0 || !raw::is_cloexec(dirfd) {
            return Ok((dirfd, path, flags));
        }
        let mut start = [0; PREFIX];
        if let Ok(file) = open_program(&Sysroot::default(), dirfd, &path, flags)
            && let Ok(have) = read_some(&file, &mut start, 0)
            && matches!(FileKind::of(&start[..have]), FileKind::Script { .. })
        {
            // Its interpreter could not open it.
            return Err(Errno::ENOENT);
        }
        let name = CString::new(format!("/proc/self/fd/{dirfd}")).map_err(|_| Errno::ENOENT)?;
        Ok((libc::AT_FDCWD, name, flags & !EMPTY_PATH))
    }

    /// A program that may be executed and not read: binfmt_misc, where it knows the program, opens it
    /// for the runner.
    fn unreadable(
        &mut self,
        dirfd: i32,
        path: CString,
        argv: Vec<CString>,
        envp: Vec<CString>,
        flags: u64,
    ) -> Errno {
        let follow = flags as i32 & libc::AT_SYMLINK_NOFOLLOW == 0;
        let inside = self.shared.config.sysroot.resolve(dirfd, &path, follow);
        match self.replace(dirfd, inside.unwrap_or(path), argv, envp, flags) {
            Errno::ENOEXEC => Errno::EACCES,
            other => other,
        }
    }

    /// Becomes a runner of the same options that loads `found`.
    fn replace_by_runner(
        &mut self,
        runner: i32,
        found: Resolved,
        path: CString,
        envp: Vec<CString>,
    ) -> Errno {
        let config = self.shared.config.clone();
        let Resolved { file, argv: guest_argv, .. } = found;
        let program = file.into_raw_fd();
        let mut argv = vec![config.runner_name.clone()];
        argv.extend(config.replay.iter().cloned());
        let mut guest_argv = guest_argv.into_iter();
        let argv0 = guest_argv.next().unwrap_or_default();
        let limits = match self.seccomp.to_bytes().map(|b| raw::memory_file(c"limits", &b)) {
            None => None,
            Some(Ok(fd)) => Some(fd),
            Some(Err(e)) => {
                raw::close(program);
                return e;
            }
        };
        let more = limits.as_ref().map(|fd| format!(",{}", fd.as_raw_fd())).unwrap_or_default();
        let fds = CString::new(format!("{runner},{program}{more}")).unwrap_or_default();
        argv.extend([c"-remu-exec".to_owned(), fds]);
        let kept = remu_syscalls::remembered_limits();
        if !kept.is_empty() {
            let kept: Vec<String> =
                kept.iter().map(|l| l.map(|n| n.to_string()).join(":")).collect();
            argv.push(c"-remu-limits".to_owned());
            argv.push(CString::new(kept.join(",")).unwrap_or_default());
        }
        argv.extend([c"-0".to_owned(), argv0]);
        // The kernel names a process after the script, not after its interpreter.
        argv.push(no_option(path));
        argv.extend(guest_argv);
        raw::set_cloexec(runner, false);
        raw::set_cloexec(program, false);
        let error = self.replace(runner, CString::default(), argv, envp, EMPTY_PATH);
        raw::set_cloexec(runner, true);
        raw::close(program);
        error
    }

    /// Calls the kernel with the dispositions and the mask that the new program inherits.
    fn replace(
        &mut self,
        dirfd: i32,
        path: CString,
        argv: Vec<CString>,
        envp: Vec<CString>,
        flags: u64,
    ) -> Errno {
        // Kept by the task: a child that shares memory leaves them to its parent to free.
        self.exec_scratch = vec![argv, envp, vec![path]];
        let [argv, envp, path] = &self.exec_scratch[..] else { return Errno::EFAULT };
        self.shared.engine.save();
        self.shared.actions.before_exec();
        host::set_mask(self.signals.mask());
        let error = raw::execveat(dirfd, &path[0], argv, envp, flags);
        self.shared.actions.after_failed_exec();
        self.signals.apply_mask();
        self.exec_scratch = Vec::new();
        error
    }
}

const EMPTY_PATH: u64 = libc::AT_EMPTY_PATH as u64;

/// What a program executed through a descriptor is called (execveat(2)): an interpreter opens its
/// script by that name.
fn shown_name(dirfd: i32, path: &CStr) -> CString {
    let bytes = path.to_bytes();
    if dirfd == libc::AT_FDCWD || bytes.starts_with(b"/") {
        return path.to_owned();
    }
    let mut name = format!("/dev/fd/{dirfd}").into_bytes();
    if !bytes.is_empty() {
        name.push(b'/');
        name.extend(bytes);
    }
    CString::new(name).unwrap_or_default()
}

/// A path that no runner takes for an option.
fn no_option(path: CString) -> CString {
    if !path.as_bytes().starts_with(b"-") {
        return path;
    }
    CString::new([b"./", path.as_bytes()].concat()).unwrap_or(path)
}

/// What limits the program's calls, handed over by the runner that became this one. Whatever was
/// meant to be there and is not forbids everything.
pub(crate) fn adopt_limits(fd: Option<i32>) -> Option<Seccomp> {
    let Some(fd) = fd else { return Some(Seccomp::default()) };
    let mut file = adopt(fd)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Seccomp::from_bytes(&bytes)
}

/// The program file handed over by the runner that became this one.
pub(crate) fn adopt(fd: i32) -> Option<File> {
    raw::is_open(fd).then(|| raw::adopt(fd)).map(File::from)
}

/// The absolute path of an open file, or of a path where `/proc` is missing.
pub(crate) fn absolute(file: &File, path: &CStr) -> CString {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let found = std::fs::read_link(link).ok().filter(|p| p.is_absolute()).or_else(|| {
        std::fs::canonicalize(Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()))).ok()
    });
    found
        .and_then(|p| CString::new(p.as_os_str().as_bytes()).ok())
        .unwrap_or_else(|| path.to_owned())
}

/// [`keep_high`] for a descriptor that stays owned.
pub(crate) fn keep_high_owned(fd: OwnedFd) -> Option<OwnedFd> {
    keep_high(fd).map(raw::adopt)
}
