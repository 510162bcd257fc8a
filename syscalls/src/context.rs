//! What a handler works with: the thread, its ABI, and the ways to the host kernel.

use std::ffi::{CStr, CString};

use crate::handlers::procfs;
use crate::table::Call;
use crate::{Abi, Errno, GuestMemory, MaskEnd, Process, SysResult, host, uring};

/// Longest path the kernel takes, its end included (`PATH_MAX`).
pub(crate) const PATH_MAX: usize = 4096;

/// One call in progress.
pub struct Context<'a> {
    /// The calling guest thread.
    pub process: &'a mut dyn Process,
    /// Its ABI.
    pub abi: &'static Abi,
    /// The row.
    pub call: &'static Call,
}

/// A path argument ready for the host kernel.
pub(crate) struct HostPath {
    /// Pointer for the host call: the guest's own string, or that of `owned`.
    pub ptr: u64,
    /// Keeps a replaced path alive for the call.
    pub _owned: Option<CString>,
}

impl Context<'_> {
    /// Guest memory.
    pub(crate) fn mem(&self) -> GuestMemory {
        self.process.memory()
    }

    /// A host call that returns soon.
    pub(crate) fn host(&self, nr: i64, args: [u64; 6]) -> SysResult<u64> {
        host::forward(nr, &args)
    }

    /// A host call that may sleep; `Errno::RESTART` when a signal came first.
    pub(crate) fn blocking(&self, nr: i64, args: [u64; 6]) -> SysResult<u64> {
        let flag = self.process.pending_flag();
        uring::carried(flag, nr, &args, || self.process.restarts())
            .unwrap_or_else(|| host::forward_blocking(flag, nr, &args))
    }

    /// A host call that may sleep under a temporary signal mask. `make` gets the address of the
    /// host's form of the mask (0 without one) and gives the call's arguments.
    pub(crate) fn blocking_masked(
        &mut self,
        nr: i64,
        mask: Option<u64>,
        make: impl FnOnce(u64) -> [u64; 6],
    ) -> SysResult<u64> {
        let Some(guest_mask) = mask else {
            return self.blocking(nr, make(0));
        };
        // SIGKILL and SIGSTOP cannot be blocked (sigsuspend(2)).
        let guest_mask = guest_mask & !(1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1));
        self.process.begin_temporary_mask(guest_mask);
        let host_mask = self.process.host_mask(guest_mask);
        let result = match self.blocking(nr, make(&raw const host_mask as u64)) {
            // A restart under the old mask would miss the signal again: it ends the wait instead.
            Err(Errno::RESTART) => Err(Errno::EINTR),
            r => r,
        };
        let end = if result == Err(Errno::EINTR) { MaskEnd::Interrupted } else { MaskEnd::Done };
        self.process.end_temporary_mask(end);
        result
    }

    /// Reads an optional signal set argument of `size` bytes.
    pub(crate) fn read_mask(&self, addr: u64, size: u64) -> SysResult<Option<u64>> {
        if addr == 0 {
            return Ok(None);
        }
        if size != 8 {
            return Err(Errno::EINVAL);
        }
        self.mem().read(addr).map(Some)
    }

    /// Reads a guest path.
    pub(crate) fn read_path(&self, addr: u64) -> SysResult<CString> {
        CString::new(self.mem().read_cstr(addr, PATH_MAX)?).map_err(|_| Errno::EFAULT)
    }

    /// The host's path for a guest path that is looked up for reading: the guest executable for
    /// `/proc/self/exe`, else through the `-L` prefix, else the guest's own pointer.
    pub(crate) fn host_path(&mut self, dirfd: i32, addr: u64, follow: bool) -> HostPath {
        let unchanged = HostPath { ptr: self.mem().host(addr), _owned: None };
        // An unreadable path is the host kernel's error to report.
        let Ok(path) = self.read_path(addr) else { return unchanged };
        let owned = self.replaced_path(dirfd, &path, follow);
        match owned {
            Some(p) => HostPath { ptr: p.as_ptr() as u64, _owned: Some(p) },
            None => unchanged,
        }
    }

    /// The guest program that a path names by a link in `/proc`, or with `follow` leads to by links.
    pub(crate) fn program_at(&self, dirfd: i32, path: &CStr, follow: bool) -> Option<CString> {
        match procfs::leads_to_exe(dirfd, path, follow)? {
            procfs::Exe::Own => Some(self.process.exe_path().to_owned()),
            procfs::Exe::Other(path) => Some(path),
        }
    }

    /// The path to use instead of `path`, if any.
    pub(crate) fn replaced_path(
        &mut self,
        dirfd: i32,
        path: &CStr,
        follow: bool,
    ) -> Option<CString> {
        if follow
            && procfs::may_be_exe(path.to_bytes())
            && let Some(exe) = self.program_at(dirfd, path, follow)
        {
            return Some(exe);
        }
        if self.process.has_sysroot() { self.process.resolve(dirfd, path, follow) } else { None }
    }
}
