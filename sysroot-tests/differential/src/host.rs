//! Memory at a fixed address, and the fault handler.
#![expect(unsafe_code, reason = "maps memory and handles signals for translated code")]

use core::cell::Cell;
use std::sync::Once;

use remu_engine::{Caught, Engine};

/// Memory that guest and host know under the same address.
#[derive(Debug)]
pub(crate) struct Mapping {
    at: *mut u8,
    size: usize,
}

impl Mapping {
    /// Maps `size` bytes at `at`, where nothing may be.
    pub(crate) fn new(at: u64, size: usize) -> std::io::Result<Mapping> {
        // SAFETY: MAP_FIXED_NOREPLACE touches no existing mapping.
        let p = unsafe {
            libc::mmap(
                at as *mut libc::c_void,
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        if p == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Mapping { at: p.cast(), size })
    }
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.size);
        // SAFETY: the mapping is `size` bytes long and no guest code runs.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at, self.size) };
    }
    pub(crate) fn read(&self) -> Vec<u8> {
        let mut v = vec![0; self.size];
        // SAFETY: as in `write`.
        unsafe { core::ptr::copy_nonoverlapping(self.at, v.as_mut_ptr(), self.size) };
        v
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `new`; no guest code runs.
        unsafe { libc::munmap(self.at.cast(), self.size) };
    }
}

thread_local! {
    static ENGINE: Cell<*const Engine> = const { Cell::new(core::ptr::null()) };
}

/// Runs `f` while faults on this thread are the engine's.
pub(crate) fn with_faults<T>(engine: &Engine, f: impl FnOnce() -> T) -> T {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(install);
    thread_local! {
        static STACK: Box<[u8]> = vec![0; 256 << 10].into_boxed_slice();
    }
    STACK.with(|s| {
        let stack =
            libc::stack_t { ss_sp: s.as_ptr().cast_mut().cast(), ss_flags: 0, ss_size: s.len() };
        // SAFETY: the stack lives as long as the thread, and only signals use it.
        unsafe { libc::sigaltstack(&raw const stack, core::ptr::null_mut()) };
    });
    ENGINE.set(engine);
    let r = f();
    ENGINE.set(core::ptr::null());
    r
}

fn install() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: a zeroed sigaction is a valid one; the handler has the
        // signature that SA_SIGINFO asks for.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, core::ptr::null_mut());
        }
    }
}

extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let engine = ENGINE.get();
    // SAFETY: the kernel passes valid pointers; `with_faults` keeps the engine
    // alive while it is set, on this thread.
    let handled = !engine.is_null()
        && unsafe {
            let context = &mut *context.cast::<libc::ucontext_t>();
            (*engine).on_fault(&mut context.uc_mcontext.gregs, (*info).si_addr() as u64)
                != Caught::Foreign
        };
    if !handled {
        // SAFETY: back to the default, which ends the process on return.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Words as bytes.
pub(crate) fn bytes_of(words: &mut [u128]) -> &mut [u8] {
    // SAFETY: the same memory; any bytes are valid in both.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}
