//! Signals of processors' threads. Translated code keeps guest return addresses on a stack of its own,
//! and the host's fault at its end is how it learns that the stack is full. `unsafe` because handlers
//! are installed and a handler changes the interrupted context.
#![expect(unsafe_code, reason = "installs a signal handler and works on its context")]

use std::cell::Cell;
use std::io;
use std::sync::OnceLock;

use remu_engine::{Caught, Engine};

/// Bytes of the stack that the handler runs on.
const STACK: usize = 64 << 10;

thread_local! {
    static ENGINE: Cell<*const Engine> = const { Cell::new(std::ptr::null()) };
}

/// While this lives, faults in translated code of the engine are handled on this thread.
pub(super) struct Faults<'a> {
    stack: *mut libc::c_void,
    engine: std::marker::PhantomData<&'a Engine>,
}

extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let engine = ENGINE.get();
    // SAFETY: the kernel hands over both for a handler with SA_SIGINFO.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    if !engine.is_null() {
        // SAFETY: `Faults` keeps the engine borrowed while the pointer is set. The context is that of
        // the signal which interrupted this thread.
        let caught = unsafe {
            let addr = info.si_addr() as u64;
            (*engine).on_fault(&mut context.uc_mcontext.gregs, addr)
        };
        if caught != Caught::Foreign {
            return;
        }
    }
    // A mistake of ours: die of it, when the instruction is tried again.
    // SAFETY: the default action needs no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

fn install() -> io::Result<()> {
    static DONE: OnceLock<Result<(), i32>> = OnceLock::new();
    let result = DONE.get_or_init(|| {
        // SAFETY: all zeros are a valid sigaction; the handler has the signature SA_SIGINFO asks for.
        let ok = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut())
        };
        if ok == 0 { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
    });
    result.map_err(io::Error::from_raw_os_error)
}

impl Faults<'_> {
    /// Starts handling them.
    pub(super) fn handle(engine: &Engine) -> io::Result<Faults<'_>> {
        install()?;
        // SAFETY: a fresh anonymous mapping touches no existing memory.
        let stack = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                STACK,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if stack == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let new = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: STACK };
        // SAFETY: the mapping lives until `drop` has disabled it.
        if unsafe { libc::sigaltstack(&raw const new, std::ptr::null_mut()) } != 0 {
            let error = io::Error::last_os_error();
            // SAFETY: the mapping is ours and not in use.
            unsafe { libc::munmap(stack, STACK) };
            return Err(error);
        }
        ENGINE.set(engine);
        Ok(Faults { stack, engine: std::marker::PhantomData })
    }
}

impl Drop for Faults<'_> {
    fn drop(&mut self) {
        ENGINE.set(std::ptr::null());
        let off = libc::stack_t {
            ss_sp: std::ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: STACK,
        };
        // SAFETY: the pointer in `self` makes it stay on the thread that installed the stack, which is
        // outside of a handler here; the mapping is ours.
        unsafe {
            libc::sigaltstack(&raw const off, std::ptr::null_mut());
            libc::munmap(self.stack, STACK);
        }
    }
}
