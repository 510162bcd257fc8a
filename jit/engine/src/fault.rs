//! Turns host faults in translated code into fault exits.
#![expect(unsafe_code, reason = "works on the interrupted context inside a signal handler")]

use core::sync::atomic::Ordering;

use remu_codegen::Layout;
use remu_ir::ExitKind;

use crate::Engine;
use crate::cpu::{CURRENT, FaultAt};

/// Indices into the general registers of a signal context (`sys/ucontext.h`).
const RAX: usize = libc::REG_RAX as usize;
const RBP: usize = libc::REG_RBP as usize;
const RSP: usize = libc::REG_RSP as usize;
const RIP: usize = libc::REG_RIP as usize;

/// What a synchronous host signal was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caught {
    /// Not the engine's.
    Foreign,
    /// A fault of the guest's. The thread leaves [`Engine::run`] with [`ExitKind::Fault`], the
    /// guest pc in the header and the address in `exit_info[0]`.
    Fault,
    /// Nothing that the guest did: its code goes on.
    GoesOn,
}

impl Engine {
    /// Handles a synchronous host signal. `gregs` is the interrupted context,
    /// `addr` the fault address. Unless the signal is [`Caught::Foreign`],
    /// return from the handler.
    ///
    /// # Safety
    /// Must be called in a signal handler on the thread that was interrupted,
    /// with that signal's context.
    pub unsafe fn on_fault(&self, gregs: &mut [i64; 23], addr: u64) -> Caught {
        let current = CURRENT.get();
        if current.is_null() {
            return Caught::Foreign;
        }
        // SAFETY: `run` keeps the processor alive while CURRENT is set, and
        // this is the same thread.
        let mem = unsafe { &*current };
        let rip = gregs[RIP] as u64;
        if (self.code_range.0..self.code_range.1).contains(&rip) {
            if mem.is_guard(addr) {
                // The return stack is full: it is only a prediction, start over.
                gregs[RSP] = mem.stack_top() as i64;
                return Caught::GoesOn;
            }
            let Some(at) = self.fault_at(mem, rip) else { return Caught::Foreign };
            mem.word(Layout::PC).store(at.pc, Ordering::Relaxed);
            gregs[RIP] = self.thunks.exit as i64;
            if at.joint {
                // The state is that before the instruction: run it again by other code.
                mem.note_apart(at.pc);
                gregs[RAX] = ExitKind::Continue as i64;
                return Caught::GoesOn;
            }
            mem.word(Layout::EXIT_INFO).store(addr, Ordering::Relaxed);
            gregs[RAX] = ExitKind::Fault as i64;
            return Caught::Fault;
        }
        if mem.word(Layout::IN_HELPER).load(Ordering::Relaxed) & 0xffff_ffff == 0 {
            return Caught::Foreign;
        }
        // A helper touched guest memory: leave its frames behind. The guest's
        // registers are in memory, the call's return address says the pc.
        let rsp = mem.word(Layout::GUEST_RSP).load(Ordering::Relaxed);
        // SAFETY: the helper thunk stored the return stack pointer, at which
        // its own return address lies.
        let back = unsafe { (rsp as *const u64).read() };
        let Some(FaultAt { pc, .. }) = self.fault_at(mem, back - 1) else { return Caught::Foreign };
        mem.word(Layout::IN_HELPER).store(0, Ordering::Relaxed);
        mem.word(Layout::GUEST_RSP).store(rsp + 8, Ordering::Relaxed);
        mem.word(Layout::PC).store(pc, Ordering::Relaxed);
        mem.word(Layout::EXIT_INFO).store(addr, Ordering::Relaxed);
        mem.set_exit_kind(ExitKind::Fault);
        gregs[RBP] = mem.base() as i64 + i64::from(Layout::BIAS);
        gregs[RSP] = mem.word(Layout::HOST_RSP).load(Ordering::Relaxed) as i64;
        gregs[RIP] = self.thunks.exit_tail as i64;
        Caught::Fault
    }
}
