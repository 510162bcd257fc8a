//! The host processor's part of a signal context. One module per host.

#![expect(unsafe_code, reason = "the return from a signal handler is one instruction of its own")]

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    /// The general registers of a signal context.
    pub(crate) type Registers = [i64; 23];

    /// The instruction pointer.
    pub(crate) fn pc(regs: &mut Registers) -> &mut i64 {
        &mut regs[libc::REG_RIP as usize]
    }

    /// False for a signal that somebody sent in the shape of a fault, as the end of a child of clone(2)
    /// is told: the processor reports another address. It may report none, and the kernel gives none
    /// with `SI_KERNEL`.
    pub(crate) fn may_be_fault(signal: i32, code: i32, addr: u64, regs: &Registers) -> bool {
        const SI_KERNEL: i32 = 0x80;
        if code == SI_KERNEL {
            return true;
        }
        match signal {
            libc::SIGILL | libc::SIGFPE => addr == regs[libc::REG_RIP as usize] as u64,
            libc::SIGSEGV | libc::SIGBUS => {
                [0, addr].contains(&(regs[libc::REG_CR2 as usize] as u64))
            }
            _ => true,
        }
    }

    /// The registers of a stopped thread (ptrace(2)).
    pub(crate) type Stopped = libc::user_regs_struct;

    /// Where a stopped thread is.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Place {
        /// Instruction pointer.
        pub(crate) pc: u64,
        /// Stack pointer.
        pub(crate) stack: u64,
        /// Thread pointer.
        pub(crate) thread: u64,
        /// The call it is in.
        pub(crate) call: Option<u64>,
        /// Its result so far.
        pub(crate) result: i64,
    }

    /// Reads the registers of a stopped thread.
    pub(crate) fn place(r: &Stopped) -> Place {
        Place {
            pc: r.rip,
            stack: r.rsp,
            thread: r.fs_base,
            call: (r.orig_rax as i64 >= 0).then_some(r.orig_rax),
            result: r.rax as i64,
        }
    }

    /// Makes a stopped thread leave the call it is in and go on elsewhere.
    pub(crate) fn leave_call(r: &mut Stopped, pc: u64) {
        r.rip = pc;
        r.orig_rax = u64::MAX;
        r.rax = 0;
    }

    /// The calling thread's thread pointer.
    pub(crate) fn own_thread_pointer() -> u64 {
        let at;
        // SAFETY: the ABI has the thread pointer point to itself.
        unsafe { std::arch::asm!("mov {}, fs:0", out(reg) at, options(nostack, readonly)) };
        at
    }

    // Returns from a signal handler: the kernel wants the address with every action.
    std::arch::global_asm!(
        ".pushsection .text.remu_restore,\"ax\",@progbits",
        ".p2align 4",
        ".globl remu_restore",
        ".type remu_restore,@function",
        "remu_restore:",
        "mov eax, 15",
        "syscall",
        ".size remu_restore, . - remu_restore",
        ".popsection",
    );
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    Place, Registers, Stopped, leave_call, may_be_fault, own_thread_pointer, pc, place,
};
