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
pub(crate) use x86_64::{Registers, pc};
