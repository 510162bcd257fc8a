//! The run loop: translated code until it exits, then whatever the exit asks for.

use std::sync::atomic::Ordering;

use remu_engine::ExitKind;
use remu_syscalls::{Outcome, SysResult, dispatch};

use super::Task;
use super::quick::Quick;
use crate::guest::{get, set};
use crate::signal::{Delivery, SI_KERNEL};
use crate::trace::{CHANGED, kind, mode};

/// `si_code` values (sigaction(2)).
const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRALN: i32 = 1;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;

/// How a guest thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The thread, with a status.
    Thread(i32),
    /// The process, with a status.
    Process(i32),
    /// The process, by a signal.
    Signal(i32),
}

impl Task {
    /// Runs the thread until it ends.
    pub(crate) fn run(&mut self) -> End {
        loop {
            if self.signals.state.waiting() {
                self.shared.rest.stay(self);
                if let Delivery::Die(signal) = self.deliver() {
                    return End::Signal(signal);
                }
            }
            if CHANGED.any() {
                self.written_by_tracer();
            }
            let how = self.signals.state.trace.mode() & (mode::STEP | mode::WATCH);
            let mut done = None;
            let kind = match how {
                0 => {
                    let quick = Quick::new(&self.shared, &self.signals.state, &self.seccomp);
                    let kind = self.shared.engine.run_with(&mut self.cpu, &quick);
                    done = quick.done();
                    Some(kind)
                }
                mode::STEP => self.step(),
                _ => self.watched_step(),
            };
            let steps = how & mode::STEP != 0;
            let end = match kind {
                Some(ExitKind::Syscall) => self.system_call(done),
                Some(kind) => self.exit(kind),
                None => None,
            };
            if let Some(end) = end {
                return end;
            }
            if steps && matches!(kind, None | Some(ExitKind::Syscall)) {
                self.signals.state.trace.stop_and_send(kind::STEP, 0, self.signals.mask());
            }
        }
    }

    /// Acts on one exit that is not a system call.
    #[inline(never)]
    fn exit(&mut self, kind: ExitKind) -> Option<End> {
        match kind {
            ExitKind::Syscall | ExitKind::Continue | ExitKind::Poll | ExitKind::KeyChanged => {}
            ExitKind::Wait => std::thread::yield_now(),
            ExitKind::InvalidateCode => {
                let [start, end] = self.cpu.exit_info();
                self.shared.engine.code_changed(start, end);
            }
            ExitKind::Illegal | ExitKind::Special => {
                self.log_illegal();
                return self.fault(libc::SIGILL, ILL_ILLOPC, self.cpu.pc());
            }
            ExitKind::Breakpoint => return self.fault(libc::SIGTRAP, TRAP_BRKPT, self.cpu.pc()),
            ExitKind::Misaligned => {
                return self.fault(libc::SIGBUS, BUS_ADRALN, self.cpu.exit_info()[0]);
            }
            ExitKind::Fault => return self.memory_fault(),
        }
        None
    }

    /// Makes the call that translated code has left at, unless it was made there and gave `done`.
    fn system_call(&mut self, done: Option<SysResult<u64>>) -> Option<End> {
        let regs = self.shared.regs;
        if done.is_none() && self.signals.state.waiting() {
            // It came before the call: its handler runs first.
            self.cpu.set_pc(self.cpu.pc().wrapping_sub(self.shared.os.syscall_len));
            return None;
        }
        let number = get(&self.cpu, regs.number);
        let arg = |n: usize| get(&self.cpu, regs.args[n]);
        let args = [arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)];
        let abi = self.shared.abi;
        let trace = &self.signals.state.trace;
        trace.in_call.store(1, Ordering::Relaxed);
        let traced = trace.traced();
        let outcome = match done {
            Some(done) => done.into(),
            None if traced => self.traced_system_call(number),
            None => dispatch(self, abi, number, args),
        };
        // A tracer may have come meanwhile.
        let outcome = if (done.is_some() || !traced) && self.signals.state.trace.traced() {
            self.after_traced_call(outcome)
        } else {
            outcome
        };
        self.signals.state.trace.in_call.store(0, Ordering::Relaxed);
        self.follow(outcome)
    }

    /// Does what a system call asks for.
    fn follow(&mut self, outcome: Outcome) -> Option<End> {
        let (regs, abi) = (self.shared.regs, self.shared.abi);
        match outcome {
            Outcome::Return(value) => set(&mut self.cpu, regs.result, value),
            Outcome::Restart => {
                self.cpu.set_pc(self.cpu.pc().wrapping_sub(self.shared.os.syscall_len));
            }
            Outcome::Replaced => {}
            Outcome::ExitThread(status) => return Some(End::Thread(status)),
            Outcome::ExitGroup(status) => return Some(End::Process(status)),
            Outcome::Trap { errno, nr } => {
                let end = self.with_signals(|s, t| s.filtered(t, errno, nr, abi.audit_arch));
                if let Delivery::Die(signal) = end {
                    return Some(End::Signal(signal));
                }
            }
            Outcome::Die(signal) => return Some(End::Signal(signal)),
            Outcome::DieThread(signal) => {
                let last = self.shared.live.load(Ordering::Acquire) == 1;
                return Some(if last { End::Signal(signal) } else { End::Thread(signal) });
            }
        }
        None
    }

    /// A load, store or fetch that the host or the mapping table refused.
    fn memory_fault(&mut self) -> Option<End> {
        match self.signals.state.take_fault() {
            // An address the host processor cannot even form has no si_addr.
            Some((signal, SI_KERNEL, _)) => {
                self.fault(signal, SEGV_MAPERR, self.cpu.exit_info()[0])
            }
            Some((signal, code, addr)) => self.fault(signal, code, addr),
            None => {
                let pc = self.cpu.pc();
                let mapped = self.shared.mm.area_at(pc).is_some();
                let code = if mapped { SEGV_ACCERR } else { SEGV_MAPERR };
                self.fault(libc::SIGSEGV, code, pc)
            }
        }
    }

    /// Raises a fault signal.
    pub(super) fn fault(&mut self, signal: i32, code: i32, addr: u64) -> Option<End> {
        let done = self.with_signals(|s, t| s.fault(t, signal, code, addr));
        match done {
            Delivery::Continue => None,
            Delivery::Die(signal) => Some(End::Signal(signal)),
        }
    }

    /// Says which instruction was not known, at `-d unimp`.
    fn log_illegal(&self) {
        let pc = self.cpu.pc();
        let mut code = [0; 16];
        let isa = self.shared.engine.isa();
        let have = self.shared.mm.fetch(pc, &mut code[..isa.max_insn_len()]);
        let (text, len) = isa.disassemble(&code[..have], pc);
        let bytes = &code[..len.clamp(1, have.max(1))];
        log::info!(target: "remu::unimp", "illegal instruction at {pc:#x}: {bytes:02x?} {text}");
    }
}
