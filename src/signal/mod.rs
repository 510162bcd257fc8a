//! Guest signals: actions, masks, delivery.
//!
//! The host's dispositions and masks follow the guest's, so the host kernel decides what is ignored,
//! restarted, queued or fatal. Only handlers are the runner's own; see [`host`].

pub(crate) mod host;

use std::sync::{Mutex, MutexGuard, PoisonError};

use remu_engine::Cpu;
use remu_syscalls::{AltStack, Errno, SigAction, SysResult};

use crate::guest::{Frame, GuestOs, Regs, get, set};
use crate::trace::{Kick, kind, mode};
use host::{FAULT_BITS, FAULTS, Info, Kept, bit};

/// Signals are numbered 1 to 64.
const SIGNALS: usize = 64;
/// `SIG_DFL`.
const DEFAULT: u64 = 0;
/// `SIG_IGN`.
const IGNORE: u64 = 1;
/// `SIGCANCEL` and `SIGSETXID` of the host's C library (nptl(7)).
const HOST_LIBRARY: [i32; 2] = [32, 33];
/// Signals that no mask blocks.
const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);
/// `SS_AUTODISARM`.
const SS_AUTODISARM: i32 = 1 << 31;

/// What a signal does by default (signal(7)).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Default {
    Ignore,
    Stop,
    Die,
}

fn default_action(signal: i32) -> Default {
    match signal {
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT => Default::Ignore,
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU | libc::SIGSTOP => Default::Stop,
        _ => Default::Die,
    }
}

/// What a process does about one signal.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry {
    /// The action now.
    now: SigAction,
    /// The last action with a handler. A signal that was taken came when there was one: it is
    /// delivered to it even when the guest has returned to the default meanwhile.
    handled: SigAction,
}

/// The actions of one process.
pub(crate) struct Actions {
    table: Mutex<[Entry; SIGNALS + 1]>,
}

impl Actions {
    /// The actions a program starts with: ignored signals stay ignored, the rest is default. The
    /// runner's own handlers for faults are in place afterwards.
    pub(crate) fn inherit() -> SysResult<Actions> {
        let mut table = [Entry::default(); SIGNALS + 1];
        for signal in 1..=SIGNALS as i32 {
            if host::is_ignored(signal) {
                table[signal as usize].now.handler = IGNORE;
            }
        }
        for signal in FAULTS {
            host::install(signal, 0)?;
        }
        for signal in (1..=SIGNALS as i32).filter(|&s| crate::dump::dumps(s)) {
            apply(signal, &table[signal as usize].now)?;
        }
        Ok(Actions { table: Mutex::new(table) })
    }

    /// A copy for a process that shares memory but not actions.
    pub(crate) fn copy(&self) -> Actions {
        Actions { table: Mutex::new(*self.lock()) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, [Entry; SIGNALS + 1]> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, signal: i32) -> SigAction {
        self.lock()[signal as usize].now
    }

    /// rt_sigaction(2).
    pub(crate) fn set(&self, signal: i32, new: Option<SigAction>) -> SysResult<SigAction> {
        if !(1..=SIGNALS as i32).contains(&signal) {
            return Err(Errno::EINVAL);
        }
        let mut table = self.lock();
        let old = table[signal as usize].now;
        if let Some(new) = new {
            if UNBLOCKABLE & bit(signal) != 0 {
                return Err(Errno::EINVAL);
            }
            let entry = &mut table[signal as usize];
            entry.now = SigAction { mask: new.mask & !UNBLOCKABLE, ..new };
            if new.handler > IGNORE {
                entry.handled = entry.now;
            }
            apply(signal, &new)?;
        }
        Ok(old)
    }

    /// Whether a call that the signal interrupted is made again (`SA_RESTART`).
    pub(crate) fn restarts(&self, signal: i32) -> bool {
        let table = self.lock();
        let action = table
            .get(signal as usize)
            .map(|e| if e.now.handler > IGNORE { e.now } else { e.handled });
        action.is_some_and(|a| a.flags & libc::SA_RESTART as u64 != 0)
    }

    /// Takes back the signals for which the host's C library installs handlers of its own when it
    /// makes its first thread; the guest's C library uses the same two numbers.
    pub(crate) fn after_first_thread(&self) {
        let table = self.lock();
        for signal in HOST_LIBRARY {
            // Refused only for signals that do not exist.
            let _ = apply(signal, &table[signal as usize].now);
        }
    }

    /// Makes every handled signal default again (`CLONE_CLEAR_SIGHAND`).
    pub(crate) fn clear(&self) {
        for signal in 1..=SIGNALS as i32 {
            if self.get(signal).handler > IGNORE {
                let _ = self.set(signal, Some(SigAction::default()));
            }
        }
    }

    /// Gives fault signals the dispositions that the next program inherits.
    pub(crate) fn before_exec(&self) {
        let table = self.lock();
        for signal in FAULTS {
            let ignored = table[signal as usize].now.handler == IGNORE;
            // Plain dispositions of valid signals are never refused.
            let _ = host::set_disposition(signal, u64::from(ignored), 0);
        }
    }

    /// Takes back what [`Actions::before_exec`] did, when there was no new program.
    pub(crate) fn after_failed_exec(&self) {
        for signal in FAULTS {
            let _ = host::install(signal, 0);
        }
    }
}

/// Makes the host's disposition follow the guest's action.
fn apply(signal: i32, action: &SigAction) -> SysResult<()> {
    if FAULT_BITS & bit(signal) != 0 {
        return Ok(());
    }
    match action.handler {
        // The kernel would dump the runner.
        DEFAULT if crate::dump::dumps(signal) => host::install(signal, 0),
        DEFAULT | IGNORE => host::set_disposition(signal, action.handler, action.flags),
        _ => host::install(signal, action.flags),
    }
}

/// The signal state of one guest thread.
pub(crate) struct Signals {
    /// What the handlers write.
    pub(crate) state: Kept,
    /// Guest mask.
    mask: u64,
    /// Mask to return to after a call with a temporary one.
    saved: Option<u64>,
    alt: AltStack,
    /// The signal that ends the process.
    fatal: Info,
}

/// What became of the waiting signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Go on running the guest.
    Continue,
    /// A signal ends the process.
    Die(i32),
}

/// What delivery needs of the thread.
pub(crate) struct Target<'a> {
    pub(crate) cpu: &'a mut Cpu,
    pub(crate) os: &'static GuestOs,
    pub(crate) regs: &'a Regs,
    pub(crate) actions: &'a Actions,
    /// Address of the code that calls `rt_sigreturn`.
    pub(crate) trampoline: u64,
}

impl Signals {
    /// For the thread that runs `cpu`, with a guest mask.
    pub(crate) fn new(cpu: &Cpu, mask: u64) -> Signals {
        let alt = AltStack { sp: 0, flags: libc::SS_DISABLE, size: 0 };
        Signals { state: Kept::new(cpu), mask, saved: None, alt, fatal: [0; 128] }
    }

    /// For a new thread or process that continues this one on `cpu`.
    pub(crate) fn inherit(&self, cpu: &Cpu, keep_alt: bool) -> Signals {
        let mut new = Signals::new(cpu, self.mask);
        if keep_alt {
            new.alt = self.alt;
        }
        new
    }

    /// `siginfo_t` of the signal that ends the process.
    pub(crate) fn fatal(&self) -> Info {
        self.fatal
    }

    /// The guest mask.
    pub(crate) fn mask(&self) -> u64 {
        self.mask
    }

    /// The host mask follows the guest's.
    pub(crate) fn apply_mask(&self) {
        host::set_mask(self.mask & !FAULT_BITS);
    }

    /// rt_sigprocmask(2). A signal that came before the new mask holds is delivered first.
    pub(crate) fn change_mask(&mut self, how: i32, set: Option<u64>) -> SysResult<u64> {
        let old = self.mask;
        let Some(set) = set else { return Ok(old) };
        if self.state.taken().is_some() {
            return Err(Errno::RESTART);
        }
        let new = match how {
            libc::SIG_BLOCK => old | set,
            libc::SIG_UNBLOCK => old & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        } & !UNBLOCKABLE;
        host::set_mask(new & !FAULT_BITS);
        if let Some(n) = self.state.taken()
            && new & bit(n) != 0
        {
            host::block();
            return Err(Errno::RESTART);
        }
        self.mask = new;
        if self.state.taken().is_some() {
            // Taken between the two calls: nothing more may be until it is delivered.
            host::block();
        }
        if self.state.sent() & !new != 0 {
            self.state.request();
        }
        Ok(old)
    }

    /// rt_sigpending(2).
    pub(crate) fn pending(&self) -> u64 {
        (host::pending() | self.state.sent()) & self.mask
    }

    /// The mask of one call begins.
    pub(crate) fn begin_temporary(&mut self, set: u64) {
        self.saved = Some(self.mask);
        self.mask = set & !UNBLOCKABLE;
        if self.state.sent() & !self.mask != 0 {
            self.state.request();
        }
    }

    /// It ends: at once, or with the delivery that follows.
    pub(crate) fn end_temporary(&mut self, now: bool) {
        if now && let Some(old) = self.saved.take() {
            self.mask = old;
        }
        if self.saved.is_some() {
            self.state.request();
        }
    }

    /// sigaltstack(2).
    pub(crate) fn alt_stack(&mut self, new: Option<AltStack>, sp: u64) -> SysResult<AltStack> {
        let on = self.on_alt_stack(sp);
        let mut old = self.alt;
        if on {
            old.flags |= libc::SS_ONSTACK;
        }
        if let Some(new) = new {
            if on {
                return Err(Errno::EPERM);
            }
            self.alt = if new.flags & libc::SS_DISABLE != 0 {
                AltStack { sp: 0, flags: libc::SS_DISABLE, size: 0 }
            } else {
                AltStack { flags: new.flags & SS_AUTODISARM, ..new }
            };
        }
        Ok(old)
    }

    fn on_alt_stack(&self, sp: u64) -> bool {
        self.alt.flags & (libc::SS_DISABLE | SS_AUTODISARM) == 0
            && sp > self.alt.sp
            && sp - self.alt.sp <= self.alt.size
    }

    /// Delivers what waits. Returns with the host mask set so that the next signal can come.
    pub(crate) fn deliver(&mut self, t: &mut Target<'_>) -> Delivery {
        self.state.begin(t.cpu.header());
        if self.state.trace.traced() {
            self.asked_stop(t);
        }
        while let Some((signal, info)) = self.next() {
            let Some((signal, info)) = self.state.trace.show(signal, &info, self.mask) else {
                continue;
            };
            let done = self.one(t, signal, &info, false);
            if done != Delivery::Continue {
                return done;
            }
        }
        if let Some(old) = self.saved.take() {
            self.mask = old;
        }
        self.apply_mask();
        Delivery::Continue
    }

    /// Makes the stop that the thread owes its tracer.
    #[cold]
    fn asked_stop(&mut self, t: &mut Target<'_>) {
        let trace = &self.state.trace;
        match trace.take_kick() {
            None => {}
            Some(Kick::Start) => trace.stop_and_send(kind::START, 0, self.mask),
            Some(Kick::Interrupt) => trace.stop_and_send(kind::INTERRUPT, 0, self.mask),
            Some(Kick::Exec) => {
                let signal = trace.stop(kind::EXEC, 0, self.mask).unwrap_or(0);
                set(t.cpu, t.regs.result, 0);
                if trace.mode() & mode::CALLS != 0 {
                    trace.stop_and_send(kind::EXIT, 0, self.mask);
                }
                if signal != 0 {
                    host::send_own(signal as i32);
                }
            }
        }
    }

    /// The asynchronous signal, or a sent fault signal that is not blocked.
    fn next(&mut self) -> Option<(i32, Info)> {
        let open = !self.mask & FAULT_BITS;
        self.state.take(open | !FAULT_BITS)
    }

    /// Raises a fault of the guest's processor. A guest that blocks or ignores it dies of it.
    pub(crate) fn fault(
        &mut self,
        t: &mut Target<'_>,
        signal: i32,
        code: i32,
        addr: u64,
    ) -> Delivery {
        let mut info = [0; 128];
        info[0..4].copy_from_slice(&signal.to_le_bytes());
        info[8..12].copy_from_slice(&code.to_le_bytes());
        info[16..24].copy_from_slice(&addr.to_le_bytes());
        self.force(t, signal, &info)
    }

    /// `SIGSYS` of a filter that refused call `nr` (seccomp(2)).
    pub(crate) fn filtered(
        &mut self,
        t: &mut Target<'_>,
        errno: i32,
        nr: u32,
        arch: u32,
    ) -> Delivery {
        let mut info = [0; 128];
        info[0..4].copy_from_slice(&libc::SIGSYS.to_le_bytes());
        info[4..8].copy_from_slice(&errno.to_le_bytes());
        info[8..12].copy_from_slice(&SYS_SECCOMP.to_le_bytes());
        info[16..24].copy_from_slice(&t.cpu.pc().to_le_bytes());
        info[24..28].copy_from_slice(&nr.to_le_bytes());
        info[28..32].copy_from_slice(&arch.to_le_bytes());
        self.force(t, libc::SIGSYS, &info)
    }

    fn force(&mut self, t: &mut Target<'_>, signal: i32, info: &Info) -> Delivery {
        let (signal, info) = match self.state.trace.show(signal, info, self.mask) {
            None => return Delivery::Continue,
            Some((same, info)) if same == signal => (same, info),
            Some((other, info)) => return self.one(t, other, &info, false),
        };
        let action = t.actions.get(signal);
        if self.mask & bit(signal) != 0 || action.handler <= IGNORE {
            self.fatal = info;
            return Delivery::Die(signal);
        }
        let done = self.one(t, signal, &info, true);
        if done == Delivery::Continue && self.state.taken().is_none() {
            self.apply_mask();
        }
        done
    }

    /// Acts on one signal.
    fn one(&mut self, t: &mut Target<'_>, signal: i32, info: &Info, is_fault: bool) -> Delivery {
        let action = t.actions.get(signal);
        match (action.handler, default_action(signal)) {
            (IGNORE, _) | (DEFAULT, Default::Ignore) => return Delivery::Continue,
            (DEFAULT, Default::Stop) => {
                host::stop(signal);
                return Delivery::Continue;
            }
            (DEFAULT, Default::Die) => {
                self.fatal = *info;
                return Delivery::Die(signal);
            }
            _ => {}
        }
        let flags = action.flags as i32;
        let sp = get(t.cpu, t.regs.stack);
        let on = self.on_alt_stack(sp);
        let switch = flags & libc::SA_ONSTACK != 0 && !on && self.alt.flags & libc::SS_DISABLE == 0;
        let stack = if switch { self.alt.sp.wrapping_add(self.alt.size) } else { sp };
        let overflow = on && !self.on_alt_stack(stack.wrapping_sub(t.os.frame_size));
        let alt_flags = self.alt.flags | if on { libc::SS_ONSTACK } else { 0 };
        let restorer = if flags & SA_RESTORER != 0 && action.restorer != 0 {
            action.restorer
        } else {
            t.trampoline
        };
        let frame = Frame {
            signal,
            info: *info,
            wants_info: flags & libc::SA_SIGINFO != 0,
            handler: action.handler,
            restorer,
            mask: self.saved.take().unwrap_or(self.mask),
            alt_stack: (self.alt.sp, alt_flags, self.alt.size),
            stack,
            fault_address: if is_fault { field64(info, 16) } else { 0 },
            is_fault,
        };
        if overflow || (t.os.push_frame)(t.cpu, t.regs, &frame).is_err() {
            // No room for the frame: the thread gets SIGSEGV, which it dies of when that was it.
            if signal == libc::SIGSEGV {
                self.fatal = *info;
                return Delivery::Die(signal);
            }
            return self.fault(t, libc::SIGSEGV, SI_KERNEL, 0);
        }
        t.regs.clear_monitor(t.cpu);
        log::debug!(target: "remu::signal", "signal {signal} to {:#x}", action.handler);
        if self.alt.flags & SS_AUTODISARM != 0 {
            self.alt = AltStack { sp: 0, flags: libc::SS_DISABLE, size: 0 };
        }
        self.mask |= action.mask;
        if flags & libc::SA_NODEFER == 0 {
            self.mask |= bit(signal);
        }
        if flags & libc::SA_RESETHAND != 0 && t.actions.get(signal) == action {
            let _ = t.actions.set(signal, Some(SigAction { handler: DEFAULT, ..action }));
        }
        if self.state.trace.mode() & mode::STEP != 0 {
            // The first instruction of the handler is where the step leads.
            self.state.trace.stop_and_send(kind::STEP, 0, self.mask);
        }
        Delivery::Continue
    }

    /// rt_sigreturn(2): `Err` is a frame that cannot be read.
    pub(crate) fn restore(&mut self, t: &mut Target<'_>) -> SysResult<()> {
        let back = (t.os.pop_frame)(t.cpu, t.regs)?;
        t.regs.clear_monitor(t.cpu);
        self.mask = back.mask & !UNBLOCKABLE;
        let (sp, flags, size) = back.alt_stack;
        let sp_now = get(t.cpu, t.regs.stack);
        if !self.on_alt_stack(sp_now) {
            // As do_sigaltstack: nonsense in the frame is ignored.
            let new = AltStack { sp, flags: flags & !libc::SS_ONSTACK, size };
            let _ = self.alt_stack(Some(new), sp_now);
        }
        if self.state.taken().is_none() {
            self.apply_mask();
            if self.state.taken().is_some() {
                host::block();
            }
        }
        if self.state.sent() & !self.mask != 0 {
            self.state.request();
        }
        Ok(())
    }
}

/// `SA_RESTORER`.
const SA_RESTORER: i32 = 0x0400_0000;
/// `si_code` of signals the kernel makes itself.
pub(crate) const SI_KERNEL: i32 = 0x80;
/// `si_code` of a filter's `SIGSYS`.
const SYS_SECCOMP: i32 = 1;

fn field64(info: &Info, at: usize) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&info[at..at + 8]);
    u64::from_le_bytes(b)
}
