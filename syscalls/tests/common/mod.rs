//! A guest thread without a guest: enough of the runner to drive the system call layer.
#![expect(
    unsafe_code,
    reason = "maps raw guest memory and installs the fault handler that the runner would install"
)]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU32, Ordering};

use remu_syscalls::{
    Abi, AltStack, CloneArgs, Errno, GuestMemory, MaskEnd, MmapArgs, Outcome, ProcFile, Process,
    SigAction, SysResult, dispatch,
};

/// Set by the signal handler for [`SIGNAL`], as the runner would.
pub(crate) static PENDING: AtomicU32 = AtomicU32::new(0);

/// What the mock was asked to do, and how it answers.
#[derive(Default)]
pub(crate) struct Mock {
    pub(crate) strace: Option<String>,
    pub(crate) sysroot: Option<(String, String)>,
    pub(crate) cloned: Option<CloneArgs>,
    pub(crate) executed: Option<(CString, Vec<CString>, Vec<CString>)>,
    pub(crate) action: SigAction,
    pub(crate) mask: u64,
    pub(crate) masks: Vec<(u64, Option<MaskEnd>)>,
    pub(crate) private_fd: Option<i32>,
    pub(crate) protected: Option<(u64, u64)>,
    pub(crate) altstack: AltStack,
    pub(crate) flushed: Option<(u64, u64)>,
    pub(crate) release: Option<CString>,
}

impl Mock {
    pub(crate) fn call(&mut self, abi: &'static Abi, name: &str, args: &[u64]) -> Outcome {
        let mut regs = [0; 6];
        regs[..args.len()].copy_from_slice(args);
        let nr = abi.number(name).unwrap_or_else(|| panic!("{} has no {name}", abi.name));
        dispatch(self, abi, nr, regs)
    }

    /// The value of a call that must succeed.
    pub(crate) fn ok(&mut self, abi: &'static Abi, name: &str, args: &[u64]) -> u64 {
        match self.call(abi, name, args) {
            Outcome::Return(v) if (v as i64) >= 0 || (v as i64) < -4095 => v,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The error of a call that must fail.
    pub(crate) fn err(&mut self, abi: &'static Abi, name: &str, args: &[u64]) -> Errno {
        match self.call(abi, name, args) {
            Outcome::Return(v) => Errno::from_raw(v as i64).expect_err(name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

impl Process for Mock {
    fn pending_flag(&self) -> &AtomicU32 {
        &PENDING
    }
    fn unprotect(&mut self, addr: u64, _len: u64) -> bool {
        match self.protected {
            Some((page, len)) if (page..page + len).contains(&addr) => {
                // SAFETY: the page belongs to a Guest area.
                let opened = unsafe {
                    libc::mprotect(page as *mut _, len as usize, libc::PROT_READ | libc::PROT_WRITE)
                };
                assert_eq!(opened, 0);
                self.protected = None;
                true
            }
            _ => false,
        }
    }
    fn mmap(&mut self, a: MmapArgs) -> SysResult<u64> {
        Ok(a.addr)
    }
    fn munmap(&mut self, _: u64, _: u64) -> SysResult<u64> {
        Ok(0)
    }
    fn mprotect(&mut self, _: u64, _: u64, _: u64) -> SysResult<u64> {
        Ok(0)
    }
    fn mremap(&mut self, old: u64, _: u64, _: u64, _: u64, _: u64) -> SysResult<u64> {
        Ok(old)
    }
    fn brk(&mut self, addr: u64) -> u64 {
        addr
    }
    fn madvise(&mut self, _: u64, _: u64, _: u64) -> SysResult<u64> {
        Ok(0)
    }
    fn mseal(&mut self, _: u64, _: u64, _: u64) -> SysResult<u64> {
        Ok(0)
    }
    fn remap_file_pages(&mut self, _: u64, _: u64, _: u64, _: u64, _: u64) -> SysResult<u64> {
        Ok(0)
    }
    fn shmat(&mut self, _: i32, addr: u64, _: u64) -> SysResult<u64> {
        Ok(addr)
    }
    fn shmdt(&mut self, _: u64) -> SysResult<u64> {
        Ok(0)
    }
    fn flush_icache(&mut self, start: u64, end: u64) {
        self.flushed = Some((start, end));
    }
    fn clone(&mut self, args: CloneArgs) -> SysResult<u64> {
        self.cloned = Some(args);
        Ok(4711)
    }
    fn execve(
        &mut self,
        _: i32,
        path: CString,
        argv: Vec<CString>,
        envp: Vec<CString>,
        _: u64,
    ) -> SysResult<()> {
        self.executed = Some((path, argv, envp));
        Ok(())
    }
    fn set_tid_address(&mut self, _: u64) -> u64 {
        1
    }
    fn sigaction(&mut self, _: i32, new: Option<SigAction>) -> SysResult<SigAction> {
        let old = self.action;
        self.action = new.unwrap_or(old);
        Ok(old)
    }
    fn sigprocmask(&mut self, _: i32, set: Option<u64>) -> SysResult<u64> {
        let old = self.mask;
        self.mask = set.unwrap_or(old);
        Ok(old)
    }
    fn sigpending(&mut self) -> SysResult<u64> {
        Ok(0x0102_0304_0506_0708)
    }
    fn sigaltstack(&mut self, new: Option<AltStack>) -> SysResult<AltStack> {
        let old = self.altstack;
        self.altstack = new.unwrap_or(old);
        Ok(old)
    }
    fn sigreturn(&mut self) -> Outcome {
        Outcome::Replaced
    }
    fn begin_temporary_mask(&mut self, set: u64) {
        self.masks.push((set, None));
    }
    fn end_temporary_mask(&mut self, end: MaskEnd) {
        self.masks.last_mut().expect("a mask was begun").1 = Some(end);
    }
    fn resolve(&mut self, _: i32, path: &CStr, _: bool) -> Option<CString> {
        let (from, to) = self.sysroot.as_ref()?;
        (path.to_str() == Ok(from)).then(|| CString::new(to.as_str()).expect("no zero"))
    }
    fn has_sysroot(&self) -> bool {
        self.sysroot.is_some()
    }
    fn proc_file(&mut self, file: ProcFile) -> Option<Vec<u8>> {
        (file == ProcFile::Cpuinfo).then(|| b"isa : guest\n".to_vec())
    }
    fn exe_path(&self) -> &CStr {
        c"/bin/true"
    }
    fn private_fds(&self) -> [Option<i32>; 3] {
        [self.private_fd, None, None]
    }
    fn uname_release(&self) -> Option<&CStr> {
        self.release.as_deref()
    }
    fn hwprobe(&self, key: i64) -> Option<u64> {
        (key == 3).then_some(1)
    }
    fn strace_enabled(&self) -> bool {
        self.strace.is_some()
    }
    fn strace(&mut self, text: &str) {
        if let Some(s) = &mut self.strace {
            s.push_str(text);
        }
    }
}

/// Guest memory at a fixed place: pages of data followed by one that is not mapped.
pub(crate) struct Guest {
    pub(crate) base: u64,
    pub(crate) len: u64,
}

impl Guest {
    pub(crate) fn new(base: u64, pages: u64) -> Guest {
        let len = pages * 4096;
        // SAFETY: a fixed place that nothing uses, or failure.
        let got = unsafe {
            libc::mmap(
                base as *mut _,
                len as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        assert_eq!(got as u64, base);
        install_handlers();
        Guest { base, len }
    }

    /// First address behind the data.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.len
    }

    /// Stores bytes at an offset and gives their address.
    pub(crate) fn put(&self, offset: u64, bytes: &[u8]) -> u64 {
        let at = self.base + offset;
        GuestMemory::default().write_bytes(at, bytes).expect("inside the area");
        at
    }

    pub(crate) fn get<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut out = [0; N];
        GuestMemory::default().read_bytes(self.base + offset, &mut out).expect("inside the area");
        out
    }

    pub(crate) fn u64(&self, offset: u64) -> u64 {
        u64::from_le_bytes(self.get(offset))
    }

    pub(crate) fn u32(&self, offset: u64) -> u32 {
        u32::from_le_bytes(self.get(offset))
    }

    /// Write-protects the whole area, as the runner does with translated code.
    pub(crate) fn protect(&self) {
        // SAFETY: the area is ours.
        let protected =
            unsafe { libc::mprotect(self.base as *mut _, self.len as usize, libc::PROT_READ) };
        assert_eq!(protected, 0);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // SAFETY: the area is ours and nobody refers to it.
        unsafe { libc::munmap(self.base as *mut _, self.len as usize) };
    }
}

extern "C" fn on_fault(sig: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a ucontext to SA_SIGINFO handlers.
    let regs = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let rip = &mut regs[libc::REG_RIP as usize];
    match remu_syscalls::fault_fixup(*rip as usize) {
        Some(to) => *rip = to as i64,
        // SAFETY: gives the fault back to the system: the test dies by it.
        None => unsafe {
            libc::signal(sig, libc::SIG_DFL);
        },
    }
}

extern "C" fn on_signal(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    PENDING.store(1, Ordering::SeqCst);
    // SAFETY: as in `on_fault`.
    let regs = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let rip = &mut regs[libc::REG_RIP as usize];
    if let Some(to) = remu_syscalls::signal_fixup(*rip as usize) {
        *rip = to as i64;
    }
}

/// The guest signal of the tests.
pub(crate) const SIGNAL: i32 = libc::SIGUSR1;

fn install(
    sig: i32,
    handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void),
    flags: i32,
) {
    // SAFETY: a zeroed sigaction is valid; the handlers are async-signal-safe.
    unsafe {
        let mut sa: libc::sigaction = std::mem::zeroed();
        sa.sa_sigaction = handler as usize;
        sa.sa_flags = libc::SA_SIGINFO | flags;
        assert_eq!(libc::sigaction(sig, &raw const sa, std::ptr::null_mut()), 0);
    }
}

fn install_handlers() {
    install(libc::SIGSEGV, on_fault, libc::SA_NODEFER);
}

/// Installs the handler of [`SIGNAL`] with or without `SA_RESTART`.
pub(crate) fn install_signal(restart: bool) {
    install(SIGNAL, on_signal, if restart { libc::SA_RESTART } else { 0 });
}

/// Sends [`SIGNAL`] to one thread of this process.
pub(crate) fn send_signal(tid: i32) {
    // SAFETY: a signal with a handler.
    assert_eq!(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, SIGNAL) }, 0);
}

/// Kernel id of the calling thread.
pub(crate) fn gettid() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::gettid() }
}
