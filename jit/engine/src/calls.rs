//! System calls from the middle of translated code, for programs.
#![expect(
    unsafe_code,
    reason = "what translated code calls, with a pointer kept for the time of a run"
)]

use core::cell::Cell;
use core::sync::atomic::Ordering;

use remu_codegen::Layout;
use remu_codegen::x64::{CALL_DONE, CALL_LEAVE};
use remu_ir::ExitKind;

use crate::cpu::{CURRENT, CpuMemory};
use crate::{Cpu, Engine};

/// Makes system calls while the thread stays in translated code.
pub trait Calls {
    /// The call that the guest's registers describe; its pc is behind the instruction. True: it was made and its result
    /// is in the registers. False: the thread leaves with [`ExitKind::Syscall`].
    ///
    /// State is whole meanwhile, as outside of translated code. No host exception in here is taken for the guest's, and
    /// the host's floating-point mode is the guest's.
    fn call(&self, registers: &Registers<'_>) -> bool;
}

/// The 64-bit registers of a thread that makes a call.
#[derive(Clone, Copy, Debug)]
pub struct Registers<'a>(&'a CpuMemory, usize);

impl Registers<'_> {
    /// One, by its offset in the state.
    ///
    /// # Panics
    /// If it lies outside the state.
    #[inline]
    pub fn get(self, offset: u16) -> u64 {
        // SAFETY: in bounds (checked), and nobody writes registers but this thread, which is here.
        unsafe { self.at(offset).read_unaligned() }
    }
    /// Sets it.
    ///
    /// # Panics
    /// If it lies outside the state.
    #[inline]
    pub fn set(self, offset: u16, value: u64) {
        // SAFETY: as above.
        unsafe { self.at(offset).write_unaligned(value) }
    }
    #[inline(always)]
    fn at(self, offset: u16) -> *mut u64 {
        assert!(usize::from(offset) + 8 <= self.1);
        self.0.base().wrapping_add(offset.into()).cast()
    }
}

/// What a thread needs when it comes out for a call.
struct Context {
    engine: *const Engine,
    calls: *const (dyn Calls + 'static),
}

thread_local! {
    static CONTEXT: Cell<*const Context> = const { Cell::new(core::ptr::null()) };
}

/// What [`Thunks::call`](remu_codegen::x64::Thunks) calls.
pub(crate) unsafe extern "C" fn on_call(_state: *mut u8) -> u32 {
    // SAFETY: set for the time in which this thread may be in translated code (`run_in`, `run_with`), and what they
    // point to outlives that time.
    let (mem, context) = unsafe { (&*CURRENT.get(), CONTEXT.get().as_ref()) };
    let leave = |kind| {
        mem.set_exit_kind(kind);
        CALL_LEAVE
    };
    let Some(context) = context else { return leave(ExitKind::Syscall) };
    // SAFETY: as above.
    let (engine, calls) = unsafe { (&*context.engine, &*context.calls) };
    mem.gather_status();
    let before = [Layout::PC, Layout::FPSTAT].map(|w| mem.word(w).load(Ordering::Relaxed));
    // It may sleep, and nobody who empties code memory shall wait for that.
    mem.word(Layout::IN_CODE).store(0, Ordering::Release);
    if !calls.call(&Registers(mem, engine.layout().size)) {
        return leave(ExitKind::Syscall);
    }
    mem.word(Layout::IN_CODE).store(1, Ordering::Relaxed);
    engine.barrier.often();
    let generation = engine.generation.load(Ordering::SeqCst);
    let after = [Layout::PC, Layout::FPSTAT].map(|w| mem.word(w).load(Ordering::Relaxed));
    // Code that was forgotten or thrown away meanwhile may be that which called; a debugger may have moved the guest.
    if generation == mem.entered()
        && before == after
        && mem.header().exit_request.load(Ordering::Relaxed) == 0
    {
        return CALL_DONE;
    }
    mem.word(Layout::IN_CODE).store(0, Ordering::Release);
    leave(ExitKind::Continue)
}

impl Engine {
    /// [`Engine::run`], with those system calls made on the way that `calls` makes.
    pub fn run_with(&self, cpu: &mut Cpu, calls: &dyn Calls) -> ExitKind {
        // SAFETY: only the lifetime changes; the pointer is gone from CONTEXT when `calls` ends.
        let calls = unsafe { core::mem::transmute::<&dyn Calls, &'static dyn Calls>(calls) };
        let context = Context { engine: self, calls };
        CONTEXT.set(&raw const context);
        let kind = self.run(cpu);
        CONTEXT.set(core::ptr::null());
        kind
    }
}
