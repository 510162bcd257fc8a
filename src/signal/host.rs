//! Host signal handlers and the raw calls around them.
//!
//! An asynchronous signal is only noted: the handler copies `siginfo_t` into the thread's slot, asks
//! translated code to leave, and blocks every further signal in the interrupted context. So at most
//! one signal per thread is ever outside the host kernel, and order, queues and limits of real-time
//! signals are the kernel's own. The run loop delivers it to the guest and only then restores a
//! host mask that lets the next one in.
#![expect(unsafe_code, reason = "signal handlers and raw signal calls")]

use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use remu_engine::{Caught, Cpu, Engine};
use remu_isa::Header;
use remu_syscalls::{Errno, SysResult, fault_fixup, signal_fixup};

use crate::host::{Registers, may_be_fault, own_thread_pointer, pc};
use crate::trace::{Block, CODE_REST, CODE_STOP, Heard};

/// Signals that report faults of the processor. The runner keeps them for itself: they are never
/// blocked on the host and always have its handler.
pub(crate) const FAULTS: [i32; 5] =
    [libc::SIGILL, libc::SIGTRAP, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];
/// Their bits in a signal set.
pub(crate) const FAULT_BITS: u64 = {
    let mut bits = 0;
    let mut i = 0;
    while i < FAULTS.len() {
        bits |= bit(FAULTS[i]);
        i += 1;
    }
    bits
};
/// Bytes of the host stack that handlers run on.
const HANDLER_STACK: usize = 64 << 10;
/// `SA_RESTORER`, which the C library's headers leave out.
const SA_RESTORER: u64 = 0x0400_0000;
/// Bit of the exit request that means a signal waits.
const REQUEST_SIGNAL: u32 = 1;

/// The bit of a signal in a set.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// `siginfo_t` as bytes.
pub(crate) type Info = [u8; 128];

/// A noted signal.
#[derive(Default)]
struct Slot {
    /// Signal number, 0 when free.
    signal: AtomicU32,
    info: UnsafeCell<InfoBytes>,
}

struct InfoBytes(Info);

impl Default for InfoBytes {
    fn default() -> Self {
        InfoBytes([0; 128])
    }
}

/// What the handlers of one guest thread share with its run loop.
#[derive(Default)]
pub(crate) struct State {
    /// Non-zero while a signal waits; what interruptible calls test.
    flag: AtomicU32,
    exit_request: AtomicPtr<AtomicU32>,
    /// The translator that runs, where it is not the process's.
    engine: AtomicPtr<Engine>,
    /// The one asynchronous signal taken from the kernel.
    slot: Slot,
    /// Fault signals sent by somebody: these are not blocked on the host, so each has its slot.
    sent: [Slot; FAULTS.len()],
    fault_signal: AtomicI32,
    fault_code: AtomicI32,
    fault_address: AtomicU64,
    /// Program counter and address of the last signal that looked like a fault of the runner itself.
    odd: [AtomicU64; 2],
    /// What the thread shares with its tracer.
    pub(crate) trace: Block,
}

// SAFETY: a slot's bytes are written only while its number is 0 and read only while it is not, both
// on the one thread (or its handler) that owns the state.
unsafe impl Sync for State {}
// SAFETY: as above; nothing in it is tied to a thread.
unsafe impl Send for State {}

thread_local! {
    static CURRENT: Cell<*const State> = const { Cell::new(std::ptr::null()) };
}

/// The engine, for the fault handler. Set once per process and never freed.
static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

/// Makes the engine known to the fault handler.
pub(crate) fn set_engine(engine: &'static Engine) {
    ENGINE.store(std::ptr::from_ref(engine).cast_mut(), Ordering::Release);
}

/// A state that stays where it is for good once a tracer knows the place: it may write there as long
/// as the host thread exists, which is longer than the guest's.
pub(crate) struct Kept(ManuallyDrop<Box<State>>);

impl Deref for Kept {
    type Target = State;
    fn deref(&self) -> &State {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.trace.traced() {
            // SAFETY: dropped once, here, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

impl Kept {
    /// A state for the thread that runs `cpu`.
    pub(crate) fn new(cpu: &Cpu) -> Kept {
        let state = Box::new(State { trace: Block::new(cpu), ..State::default() });
        let request: *const AtomicU32 = &raw const cpu.header().exit_request;
        state.exit_request.store(request.cast_mut(), Ordering::Release);
        Kept(ManuallyDrop::new(state))
    }
}

impl State {
    /// Makes this the state of the calling thread.
    ///
    /// # Safety
    /// The state and the processor it was made for must live until the thread enters another one
    /// or [`leave`]s.
    pub(crate) unsafe fn enter(&self) {
        CURRENT.set(self);
    }

    /// The flag that interruptible calls test.
    pub(crate) fn flag(&self) -> &AtomicU32 {
        &self.flag
    }

    /// True when a signal waits.
    pub(crate) fn waiting(&self) -> bool {
        self.flag.load(Ordering::Acquire) != 0
    }

    /// Asks the thread to look at its signals. Async-signal-safe.
    pub(crate) fn request(&self) {
        self.flag.store(1, Ordering::Release);
        // SAFETY: `enter`'s contract: the processor lives while handlers run.
        let request = unsafe { self.exit_request.load(Ordering::Acquire).as_ref() };
        if let Some(request) = request {
            request.fetch_or(REQUEST_SIGNAL, Ordering::Release);
        }
    }

    /// Clears the flag and the exit request, before looking at the slots.
    pub(crate) fn begin(&self, header: &Header) {
        header.exit_request.fetch_and(!REQUEST_SIGNAL, Ordering::AcqRel);
        self.flag.store(0, Ordering::Release);
    }

    /// The asynchronous signal that waits, if any.
    pub(crate) fn taken(&self) -> Option<i32> {
        let numbers = [&self.slot.signal, &self.trace.noted];
        numbers.into_iter().map(|n| n.load(Ordering::Acquire) as i32).find(|&n| n != 0)
    }

    /// Fault signals that were sent and wait, as a set.
    pub(crate) fn sent(&self) -> u64 {
        let waiting = |s: &&Slot| s.signal.load(Ordering::Acquire) != 0;
        self.sent.iter().filter(waiting).map(|s| bit(s.signal.load(Ordering::Acquire) as i32)).sum()
    }

    /// Takes a waiting signal of `set`, fault signals first.
    pub(crate) fn take(&self, set: u64) -> Option<(i32, Info)> {
        let slots = self.sent.iter().chain([&self.slot]);
        for slot in slots {
            let n = slot.signal.load(Ordering::Acquire) as i32;
            if n != 0 && set & bit(n) != 0 {
                // SAFETY: the number is not 0, so no handler writes the bytes.
                let info = unsafe { (*slot.info.get()).0 };
                slot.signal.store(0, Ordering::Release);
                return Some((n, info));
            }
        }
        self.trace.take_noted(set)
    }

    /// Forgets everything, as a new process has no pending signal.
    pub(crate) fn clear(&self, header: &Header) {
        self.begin(header);
        self.take(u64::MAX);
        while self.take(u64::MAX).is_some() {}
    }

    /// Runs `run` on another processor of the same thread, whose translator faults and requests
    /// concern meanwhile.
    pub(crate) fn with_engine<R>(
        &self,
        engine: &Engine,
        cpu: &mut Cpu,
        run: impl FnOnce(&mut Cpu) -> R,
    ) -> R {
        let request: *const AtomicU32 = &raw const cpu.header().exit_request;
        let old = self.exit_request.swap(request.cast_mut(), Ordering::AcqRel);
        self.engine.store(std::ptr::from_ref(engine).cast_mut(), Ordering::Release);
        if self.waiting() {
            self.request();
        }
        let done = run(cpu);
        self.engine.store(std::ptr::null_mut(), Ordering::Release);
        self.exit_request.store(old, Ordering::Release);
        if self.waiting() {
            self.request();
        }
        cpu.header().exit_request.fetch_and(!REQUEST_SIGNAL, Ordering::AcqRel);
        done
    }

    /// Notes a signal that looks like a fault of the runner; true when the last one was the same.
    fn is_repeated(&self, pc: u64, addr: u64) -> bool {
        let last =
            [self.odd[0].swap(pc, Ordering::AcqRel), self.odd[1].swap(addr, Ordering::AcqRel)];
        last == [pc, addr]
    }

    /// True when translated code has just faulted.
    pub(crate) fn has_fault(&self) -> bool {
        self.fault_signal.load(Ordering::Acquire) != 0
    }

    /// Host signal, `si_code` and address of the fault that just ended translated code.
    pub(crate) fn take_fault(&self) -> Option<(i32, i32, u64)> {
        let signal = self.fault_signal.swap(0, Ordering::AcqRel);
        let (code, addr) = (&self.fault_code, &self.fault_address);
        (signal != 0).then(|| (signal, code.load(Ordering::Acquire), addr.load(Ordering::Acquire)))
    }

    /// Notes a signal; false when its slot is occupied. Async-signal-safe.
    fn note(&self, slot: &Slot, signal: i32, info: *const libc::siginfo_t) -> bool {
        if slot.signal.load(Ordering::Acquire) != 0 {
            return false;
        }
        // SAFETY: the kernel passed 128 readable bytes; the slot is free and ours.
        unsafe { (*slot.info.get()).0 = info.cast::<Info>().read_unaligned() };
        slot.signal.store(signal as u32, Ordering::Release);
        self.request();
        true
    }
}

/// Takes the calling thread's state away: signals that still come are left to the kernel's queue.
pub(crate) fn leave() {
    CURRENT.set(std::ptr::null());
}

/// Handler of every signal the runner takes.
extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the C library gives each thread its errno; the kernel passed valid pointers.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        let context = &mut *context.cast::<libc::ucontext_t>();
        handle(signal, info, context);
        *errno = saved;
    }
}

/// # Safety
/// Called by a signal handler with what the kernel gave it.
unsafe fn handle(signal: i32, info: *mut libc::siginfo_t, context: &mut libc::ucontext_t) {
    // SAFETY: CURRENT is null or set by `enter`, whose contract keeps the state alive.
    let state = unsafe { CURRENT.get().as_ref() };
    // SAFETY: the kernel's siginfo.
    let code = unsafe { (*info).si_code };
    let regs: &mut Registers = &mut context.uc_mcontext.gregs;
    let fault = FAULTS.iter().position(|&s| s == signal);
    // SAFETY: si_addr is meaningful for these signals, and a part of any other's content.
    let addr = unsafe { (*info).si_addr() } as u64;
    if fault.is_some() && code > 0 && may_be_fault(signal, code, addr, regs) {
        let own = state.map(|s| s.engine.load(Ordering::Acquire)).filter(|e| !e.is_null());
        let engine = own.unwrap_or_else(|| ENGINE.load(Ordering::Acquire));
        // SAFETY: ENGINE is null or a leaked engine; the thread's own is there while it runs.
        let engine = unsafe { engine.as_ref() };
        // SAFETY: this is the handler of the interrupted thread, with its context.
        let caught = engine.map_or(Caught::Foreign, |e| unsafe { e.on_fault(regs, addr) });
        if caught != Caught::Foreign {
            if caught == Caught::Fault
                && let Some(s) = state
            {
                s.fault_code.store(code, Ordering::Release);
                s.fault_address.store(addr, Ordering::Release);
                s.fault_signal.store(signal, Ordering::Release);
            }
            return;
        }
        match fault_fixup(*pc(regs) as usize) {
            Some(to) => *pc(regs) = to as i64,
            // What the kernel sends by a signal that the guest chose (F_SETSIG, the exit signal of
            // clone) looks like a fault. A fault of the runner itself is the same again at once.
            None if state.is_some_and(|s| !s.is_repeated(*pc(regs) as u64, addr)) => {
                if let Some((n, s)) = fault.zip(state) {
                    s.note(&s.sent[n], signal, info);
                }
            }
            None => {
                say_broken(signal, *pc(regs) as u64, addr);
                reset(signal);
            }
        }
        return;
    }
    if signal == libc::SIGTRAP
        && code <= CODE_STOP
        && let Some(state) = state
    {
        match state.trace.hear(code) {
            Heard::Signal => {}
            Heard::Alone => return,
            heard => {
                if let Some(to) = signal_fixup(*pc(regs) as usize) {
                    *pc(regs) = to as i64;
                }
                state.request();
                if heard == Heard::Noted {
                    block_all(context);
                }
                return;
            }
        }
    }
    if let Some(to) = signal_fixup(*pc(regs) as usize) {
        *pc(regs) = to as i64;
    }
    let Some(state) = state else {
        return pass_on(signal, info, context);
    };
    if let Some(n) = fault {
        // A second standard signal of the same number is dropped, as the kernel does.
        state.note(&state.sent[n], signal, info);
    } else if state.note(&state.slot, signal, info) {
        block_all(context);
    } else {
        requeue(signal, info, context);
    }
}

/// Says where the runner broke, on standard error and without allocation.
fn say_broken(signal: i32, pc: u64, addr: u64) {
    let mut text = *b"remu: fault of the runner itself: signal 00, pc 0x0000000000000000, address 0x0000000000000000\n";
    let mut hex = |at: usize, mut v: u64| {
        for digit in text[at..at + 16].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(v & 15) as usize];
            v >>= 4;
        }
    };
    hex(50, pc);
    hex(78, addr);
    (text[41], text[42]) = (b'0' + (signal / 10) as u8, b'0' + (signal % 10) as u8);
    let stderr = libc::STDERR_FILENO as u64;
    // Nobody is left to tell of an error.
    let _ = call(libc::SYS_write, [stderr, text.as_ptr() as u64, text.len() as u64, 0, 0, 0]);
}

/// Leaves the interrupted context with every signal blocked but faults.
fn block_all(context: &mut libc::ucontext_t) {
    // SAFETY: the kernel's part of the mask is its first eight bytes.
    unsafe { (&raw mut context.uc_sigmask).cast::<u64>().write(!FAULT_BITS) };
}

/// Puts a signal that cannot be noted now back into the thread's queue in the kernel.
fn requeue(signal: i32, info: *mut libc::siginfo_t, context: &mut libc::ucontext_t) {
    block_all(context);
    let args = [pid() as u64, tid() as u64, signal as u64, info as u64, 0, 0];
    let _ = call(libc::SYS_rt_tgsigqueueinfo, args);
}

/// Gives a signal that met a thread at its start or end to the other threads. Faults stay open here,
/// but for one that somebody sent.
fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: &mut libc::ucontext_t) {
    // SAFETY: the kernel's part of the mask is its first eight bytes.
    unsafe { (&raw mut context.uc_sigmask).cast::<u64>().write(!FAULT_BITS | bit(signal)) };
    let _ = call(libc::SYS_rt_sigqueueinfo, [pid() as u64, signal as u64, info as u64, 0, 0, 0]);
}

/// Makes a signal call.
fn call(nr: i64, args: [u64; 6]) -> SysResult<u64> {
    // SAFETY: the callers in this file pass live structures of the kernel's layout.
    Errno::from_raw(unsafe { remu_syscalls::syscall(nr as u64, &args) })
}

/// The process id, asked from the kernel: the C library's may be stale after a raw clone.
pub(crate) fn pid() -> i32 {
    call(libc::SYS_getpid, [0; 6]).unwrap_or(0) as i32
}

/// The thread id.
pub(crate) fn tid() -> i32 {
    call(libc::SYS_gettid, [0; 6]).unwrap_or(0) as i32
}

/// The kernel's `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Action {
    handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

unsafe extern "C" {
    fn remu_restore();
}

fn set_action(signal: i32, action: &Action) -> SysResult<()> {
    let new = std::ptr::from_ref(action) as u64;
    call(libc::SYS_rt_sigaction, [signal as u64, new, 0, 8, 0, 0]).map(drop)
}

/// Gives a signal the runner's handler; `flags` are the guest's, of which those count that the
/// kernel acts on when it sends or restarts.
pub(crate) fn install(signal: i32, flags: u64) -> SysResult<()> {
    let keep = libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;
    let own = (libc::SA_SIGINFO | libc::SA_ONSTACK) as u64 | SA_RESTORER;
    let action = Action {
        handler: on_signal as *const () as u64,
        flags: flags & keep as u64 | own,
        restorer: remu_restore as *const () as u64,
        mask: !FAULT_BITS,
    };
    set_action(signal, &action)
}

/// Gives a signal the default disposition (0) or ignores it (1).
pub(crate) fn set_disposition(signal: i32, disposition: u64, flags: u64) -> SysResult<()> {
    let keep = (libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT) as u64;
    set_action(signal, &Action { handler: disposition, flags: flags & keep, ..Action::default() })
}

/// The default disposition; nothing to do when the kernel refuses.
fn reset(signal: i32) {
    let _ = set_disposition(signal, 0, 0);
}

/// True when the runner was started with the signal ignored.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut old = Action::default();
    let at = (&raw mut old) as u64;
    let asked = call(libc::SYS_rt_sigaction, [signal as u64, 0, at, 8, 0, 0]);
    asked.is_ok() && old.handler == libc::SIG_IGN as u64
}

/// Sets the thread's host mask; the old one.
pub(crate) fn set_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    let (new, at) = ((&raw const mask) as u64, (&raw mut old) as u64);
    let how = libc::SIG_SETMASK as u64;
    // The call can only fail for bad arguments.
    let _ = call(libc::SYS_rt_sigprocmask, [how, new, at, 8, 0, 0]);
    old
}

/// Blocks everything but faults; the old mask.
pub(crate) fn block() -> u64 {
    set_mask(!FAULT_BITS)
}

/// The signals pending for this thread or its process.
pub(crate) fn pending() -> u64 {
    let mut set = 0u64;
    let at = (&raw mut set) as u64;
    let _ = call(libc::SYS_rt_sigpending, [at, 8, 0, 0, 0, 0]);
    set
}

/// Sends the calling thread the `SIGTRAP` by which it stops for its tracer.
pub(crate) fn stop_for_tracer(code: i32, value: u64) {
    let mut info: Info = [0; 128];
    info[0..4].copy_from_slice(&libc::SIGTRAP.to_le_bytes());
    info[8..12].copy_from_slice(&code.to_le_bytes());
    info[16..20].copy_from_slice(&pid().to_le_bytes());
    info[24..32].copy_from_slice(&value.to_le_bytes());
    let at = info.as_ptr() as u64;
    let args = [pid() as u64, tid() as u64, libc::SIGTRAP as u64, at, 0, 0];
    // To itself a thread may send anything.
    let _ = call(libc::SYS_rt_tgsigqueueinfo, args);
}

/// Has every other thread of the process look up from guest code.
pub(crate) fn call_threads() {
    let names = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let tids = names.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let own = tid();
    for tid in tids.filter(|t| *t != own) {
        let mut info: Info = [0; 128];
        info[0..4].copy_from_slice(&libc::SIGTRAP.to_le_bytes());
        info[8..12].copy_from_slice(&CODE_REST.to_le_bytes());
        let at = info.as_ptr() as u64;
        let args = [pid() as u64, tid as u64, libc::SIGTRAP as u64, at, 0, 0];
        // One that has ended meanwhile need not come.
        let _ = call(libc::SYS_rt_tgsigqueueinfo, args);
    }
}

/// Sends the calling thread a signal.
pub(crate) fn send_own(signal: i32) {
    let _ = call(libc::SYS_tgkill, [pid() as u64, tid() as u64, signal as u64, 0, 0, 0]);
}

/// Where the calling thread keeps the address of its state, as a distance from its thread pointer:
/// the same in every process of this program file.
pub(crate) fn current_offset() -> u64 {
    let at = CURRENT.with(|c| std::ptr::from_ref(c) as u64);
    at.wrapping_sub(own_thread_pointer())
}

/// Distance from a state to its part for tracers.
pub(crate) const TRACE: u64 = std::mem::offset_of!(State, trace) as u64;

/// Ends the process by a signal as if the runner had never handled it.
pub(crate) fn die(signal: i32) -> ! {
    // SAFETY: CURRENT is null or set by `enter`, whose contract keeps the state alive.
    if let Some(state) = unsafe { CURRENT.get().as_ref() } {
        state.trace.passed.store(signal as u32, Ordering::Release);
    }
    leave();
    reset(signal);
    send_own(signal);
    set_mask(!bit(signal));
    // The first process of a namespace does not die of signals it sends itself.
    exit_group(128 + signal)
}

/// Sends the calling thread a signal whose default action stops it.
pub(crate) fn stop(signal: i32) {
    reset(signal);
    // SAFETY: CURRENT is null or set by `enter`, whose contract keeps the state alive.
    if let Some(state) = unsafe { CURRENT.get().as_ref() } {
        state.trace.passed.store(signal as u32, Ordering::Release);
    }
    send_own(signal);
    let old = set_mask(!bit(signal));
    set_mask(old);
}

/// exit_group(2).
pub(crate) fn exit_group(status: i32) -> ! {
    loop {
        let _ = call(libc::SYS_exit_group, [status as u64, 0, 0, 0, 0, 0]);
    }
}

/// exit(2): ends the calling thread only.
pub(crate) fn exit_thread(status: i32) -> ! {
    loop {
        let _ = call(libc::SYS_exit, [status as u64, 0, 0, 0, 0, 0]);
    }
}

/// The stack that handlers of one thread run on: translated code keeps guest data near the host
/// stack pointer, so a handler never runs there.
pub(crate) struct HandlerStack {
    base: *mut libc::c_void,
}

impl HandlerStack {
    /// Maps one and makes it the calling thread's.
    pub(crate) fn install() -> std::io::Result<HandlerStack> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping touches no existing memory.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), HANDLER_STACK, prot, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let stack = libc::stack_t { ss_sp: base, ss_flags: 0, ss_size: HANDLER_STACK };
        // SAFETY: the mapping lives until `drop` disables it.
        if unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(HandlerStack { base })
    }
}

impl Drop for HandlerStack {
    fn drop(&mut self) {
        let off = libc::stack_t {
            ss_sp: std::ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: HANDLER_STACK,
        };
        // SAFETY: dropped on the thread that installed it, outside a handler; the mapping is ours.
        unsafe {
            libc::sigaltstack(&raw const off, std::ptr::null_mut());
            libc::munmap(self.base, HANDLER_STACK);
        }
    }
}
