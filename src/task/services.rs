//! What the system call layer asks of a thread.

use std::ffi::{CStr, CString};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Weak};

use remu_syscalls::{
    AltStack, CloneArgs, MaskEnd, MmapArgs, Outcome, Peer, ProcFile, Process, Seccomp, SigAction,
    SysResult,
};

use super::{Task, raw};
use crate::guest::get;
use crate::signal::{SI_KERNEL, host};
use crate::trace;

impl Process for Task {
    fn pending_flag(&self) -> &AtomicU32 {
        self.signals.state.flag()
    }

    fn unprotect(&mut self, _: u64, _: u64) -> bool {
        // Guest pages keep the protection the guest gave them.
        false
    }

    fn mmap(&mut self, args: MmapArgs) -> SysResult<u64> {
        let (at, stale) = self.shared.mm.mmap(args)?;
        self.stale(stale);
        Ok(at)
    }

    fn munmap(&mut self, addr: u64, len: u64) -> SysResult<u64> {
        let stale = self.shared.mm.munmap(addr, len)?;
        self.stale(stale);
        Ok(0)
    }

    fn mprotect(&mut self, addr: u64, len: u64, prot: u64) -> SysResult<u64> {
        let stale = self.shared.mm.mprotect(addr, len, prot)?;
        self.stale(stale);
        Ok(0)
    }

    fn mremap(
        &mut self,
        old: u64,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new: u64,
    ) -> SysResult<u64> {
        let (at, stale) = self.shared.mm.mremap(old, old_len, new_len, flags, new)?;
        self.stale(stale);
        Ok(at)
    }

    fn brk(&mut self, addr: u64) -> u64 {
        self.shared.mm.brk(addr)
    }

    fn madvise(&mut self, addr: u64, len: u64, advice: u64) -> SysResult<u64> {
        let stale = self.shared.mm.madvise(addr, len, advice)?;
        self.stale(stale);
        Ok(0)
    }

    fn mseal(&mut self, addr: u64, len: u64, flags: u64) -> SysResult<u64> {
        self.shared.mm.mseal(addr, len, flags)
    }

    fn remap_file_pages(
        &mut self,
        addr: u64,
        len: u64,
        prot: u64,
        pgoff: u64,
        flags: u64,
    ) -> SysResult<u64> {
        let stale = self.shared.mm.remap_file_pages(addr, len, prot, pgoff, flags)?;
        self.stale(stale);
        Ok(0)
    }

    fn shmat(&mut self, id: i32, addr: u64, flags: u64) -> SysResult<u64> {
        let (at, stale) = self.shared.mm.shmat(id, addr, flags)?;
        self.stale(stale);
        Ok(at)
    }

    fn shmdt(&mut self, addr: u64) -> SysResult<u64> {
        let stale = self.shared.mm.shmdt(addr)?;
        self.stale(stale);
        Ok(0)
    }

    fn flush_icache(&mut self, start: u64, end: u64) {
        // The kernel looks at neither address and drops everything.
        let (start, end) = if start < end { (start, end) } else { (0, u64::MAX) };
        self.shared.engine.code_changed(start, end);
    }

    fn clone(&mut self, args: CloneArgs) -> SysResult<u64> {
        self.clone_any(args)
    }

    fn execve(
        &mut self,
        dirfd: i32,
        path: CString,
        argv: Vec<CString>,
        envp: Vec<CString>,
        flags: u64,
    ) -> SysResult<()> {
        Err(self.exec(dirfd, path, argv, envp, flags))
    }

    fn set_tid_address(&mut self, addr: u64) -> u64 {
        self.clear_tid = addr;
        host::tid() as u64
    }

    fn tid_address(&self) -> u64 {
        self.clear_tid
    }

    fn set_robust_list(&mut self, head: u64, len: u64) -> SysResult<u64> {
        let done = raw::set_robust_list(head, len)?;
        self.robust = head;
        Ok(done)
    }

    fn sigaction(&mut self, sig: i32, new: Option<SigAction>) -> SysResult<SigAction> {
        self.shared.actions.set(sig, new)
    }

    fn sigprocmask(&mut self, how: i32, set: Option<u64>) -> SysResult<u64> {
        self.signals.change_mask(how, set)
    }

    fn sigpending(&mut self) -> SysResult<u64> {
        Ok(self.signals.pending())
    }

    fn sigaltstack(&mut self, new: Option<AltStack>) -> SysResult<AltStack> {
        let sp = get(&self.cpu, self.shared.regs.stack);
        self.signals.alt_stack(new, sp)
    }

    fn sigreturn(&mut self) -> Outcome {
        match self.with_signals(|s, t| s.restore(t)) {
            Ok(()) => Outcome::Replaced,
            // The kernel's answer to a frame it cannot read.
            Err(_) => match self.fault(libc::SIGSEGV, SI_KERNEL, 0) {
                None => Outcome::Replaced,
                Some(_) => host::die(libc::SIGSEGV),
            },
        }
    }

    fn take_pending(&mut self, set: u64) -> Option<[u8; 128]> {
        let (_, info) = self.signals.state.take(set)?;
        if self.signals.state.taken().is_none() {
            self.signals.apply_mask();
        }
        Some(info)
    }

    fn restarts(&self) -> bool {
        let sent = self.signals.state.sent().trailing_zeros() as i32 + 1;
        let signal = self.signals.state.taken().unwrap_or(sent);
        self.shared.actions.restarts(signal)
    }

    fn begin_temporary_mask(&mut self, set: u64) {
        self.signals.begin_temporary(set);
    }

    fn end_temporary_mask(&mut self, end: MaskEnd) {
        self.signals.end_temporary(end != MaskEnd::Interrupted);
    }

    fn host_mask(&self, set: u64) -> u64 {
        set & !host::FAULT_BITS
    }

    fn resolve(&mut self, dirfd: i32, path: &CStr, follow: bool) -> Option<CString> {
        self.shared.config.sysroot.resolve(dirfd, path, follow)
    }

    fn has_sysroot(&self) -> bool {
        self.shared.config.sysroot.is_set()
    }

    fn proc_file(&mut self, file: ProcFile) -> Option<Vec<u8>> {
        crate::procfs::content(self, file)
    }

    fn proc_file_of(&mut self, peer: &Peer, file: ProcFile) -> Option<Vec<u8>> {
        crate::procfs::content_of(peer, file)
    }

    fn exe_path(&self) -> &CStr {
        &self.shared.config.exe
    }

    fn private_fds(&self) -> [Option<i32>; 3] {
        self.shared.config.private_fds()
    }

    fn uname_release(&self) -> Option<&CStr> {
        self.shared.config.release.as_deref()
    }

    fn arch_prctl(&mut self, op: u64, args: [u64; 4]) -> Option<SysResult<u64>> {
        let shared = self.shared.clone();
        (shared.os.prctl)(&mut self.cpu, &shared.regs, shared.engine.isa(), op, args)
    }

    fn hwprobe(&self, key: i64) -> Option<u64> {
        (self.shared.os.hwprobe)(self.shared.engine.isa(), key)
    }

    fn ptrace(&mut self, request: u64, tid: i32, addr: u64, data: u64) -> SysResult<u64> {
        if !trace::is_for_self(request) {
            return trace::perform(&self.shared, request, tid, addr, data);
        }
        let done = trace::forwarded(request, tid, addr, data)?;
        self.signals.state.trace.traced_by_parent();
        Ok(done)
    }

    fn waited(&mut self, id: i32, status: i32, keep: bool) -> Option<i32> {
        trace::waited(id, status, keep)
    }

    fn untold_stop(&mut self, wanted: &dyn Fn(i32) -> bool, keep: bool) -> Option<(i32, i32)> {
        trace::untold(wanted, keep)
    }

    fn is_tracer(&self) -> bool {
        trace::traces()
    }

    fn wrote_memory(&mut self, process: i32, addr: u64, len: u64) {
        trace::wrote(process, addr, len);
    }

    fn ask_tracer(&mut self, nr: u64, message: u32) -> Option<(u64, [u64; 6])> {
        let trace = &self.signals.state.trace;
        if !trace.has_option(trace::option::SECCOMP) {
            return None;
        }
        trace.set_number(nr);
        trace.stop_and_send(trace::kind::SECCOMP, message.into(), self.signals.mask());
        let nr = self.call_number(nr);
        Some((nr, self.shared.regs.args.map(|r| get(&self.cpu, r))))
    }

    fn seccomp(&self) -> &Seccomp {
        &self.seccomp
    }

    fn threads_seccomp(&self) -> Vec<Arc<Seccomp>> {
        self.shared.limits.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn pc(&self) -> u64 {
        self.cpu.pc()
    }

    fn strace_enabled(&self) -> bool {
        self.shared.config.options.strace
    }

    fn strace(&mut self, text: &str) {
        crate::logging::write(text.as_bytes());
    }
}
