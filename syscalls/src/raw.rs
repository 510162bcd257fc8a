//! The host's trap instruction, the interruptible call, and copies that survive a fault.
//!
//! Three assembly routines with known address ranges. The runner's signal handlers ask
//! [`signal_fixup`] and [`fault_fixup`] where to continue when a signal lands inside one.
#![expect(unsafe_code, reason = "host system calls and raw guest memory copies live here only")]

use std::sync::atomic::AtomicU32;

// remu_blocking_syscall(flag, nr, args): tests the flag and traps, with no window between them in
// which a signal goes unnoticed: a handler that interrupts [begin, end) moves rip to `interrupted`.
// When the kernel restarts a call (SA_RESTART) it puts rip back on the trap, inside the range.
//
// remu_copy(dst, src, len) -> bytes left: on a fault rcx holds what was not copied.
// remu_strnlen(src, max) -> length, or -1 - (bytes before the fault).
// remu_load64(src, out) -> 0 or 1: one aligned word, no tearing.
// remu_cas32(ptr, old, new, out) -> 0 or 1: compare and exchange, previous value in *out.
std::arch::global_asm!(
    ".pushsection .text.remu_raw,\"ax\",@progbits",
    ".p2align 4",
    ".globl remu_blocking_syscall",
    ".type remu_blocking_syscall,@function",
    "remu_blocking_syscall:",
    ".cfi_startproc",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "mov rbx, rdi",
    "mov rax, rsi",
    "mov r11, rdx",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    ".globl remu_blocking_begin",
    "remu_blocking_begin:",
    "cmp dword ptr [rbx], 0",
    "jne remu_blocking_interrupted",
    "syscall",
    ".globl remu_blocking_end",
    "remu_blocking_end:",
    "pop rbx",
    ".cfi_remember_state",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "ret",
    ".cfi_restore_state",
    ".globl remu_blocking_interrupted",
    "remu_blocking_interrupted:",
    "mov rax, -512",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "ret",
    ".cfi_endproc",
    ".size remu_blocking_syscall, . - remu_blocking_syscall",
    ".p2align 4",
    ".globl remu_copy",
    ".type remu_copy,@function",
    "remu_copy:",
    "mov rcx, rdx",
    ".globl remu_copy_access",
    "remu_copy_access:",
    "rep movsb",
    ".globl remu_copy_done",
    "remu_copy_done:",
    "mov rax, rcx",
    "ret",
    ".size remu_copy, . - remu_copy",
    ".p2align 4",
    ".globl remu_strnlen",
    ".type remu_strnlen,@function",
    "remu_strnlen:",
    "xor eax, eax",
    "2: cmp rax, rsi",
    "jae 3f",
    ".globl remu_strnlen_access",
    "remu_strnlen_access:",
    "cmp byte ptr [rdi + rax], 0",
    "je 3f",
    "inc rax",
    "jmp 2b",
    "3: ret",
    ".globl remu_strnlen_fault",
    "remu_strnlen_fault:",
    "not rax",
    "ret",
    ".size remu_strnlen, . - remu_strnlen",
    ".p2align 4",
    ".globl remu_load64",
    ".type remu_load64,@function",
    "remu_load64:",
    ".globl remu_load64_access",
    "remu_load64_access:",
    "mov rax, [rdi]",
    "mov [rsi], rax",
    "xor eax, eax",
    "ret",
    ".size remu_load64, . - remu_load64",
    ".p2align 4",
    ".globl remu_cas32",
    ".type remu_cas32,@function",
    "remu_cas32:",
    "mov eax, esi",
    ".globl remu_cas32_access",
    "remu_cas32_access:",
    "lock cmpxchg dword ptr [rdi], edx",
    "mov [rcx], eax",
    "xor eax, eax",
    "ret",
    ".globl remu_one_fault",
    "remu_one_fault:",
    "mov eax, 1",
    "ret",
    ".size remu_cas32, . - remu_cas32",
    ".popsection",
);

unsafe extern "C" {
    fn remu_blocking_syscall(flag: *const u32, nr: u64, args: *const [u64; 6]) -> i64;
    fn remu_copy(dst: u64, src: u64, len: u64) -> u64;
    fn remu_strnlen(src: u64, max: u64) -> i64;
    fn remu_load64(src: u64, out: *mut u64) -> u32;
    fn remu_cas32(ptr: u64, old: u32, new: u32, out: *mut u32) -> u32;
    static remu_blocking_begin: u8;
    static remu_blocking_end: u8;
    static remu_blocking_interrupted: u8;
    static remu_copy_access: u8;
    static remu_copy_done: u8;
    static remu_strnlen_access: u8;
    static remu_strnlen_fault: u8;
    static remu_load64_access: u8;
    static remu_cas32_access: u8;
    static remu_one_fault: u8;
}

/// Where the runner's SIGSEGV and SIGBUS handler must continue when the fault hit one of this
/// crate's guest accesses; `None` when `rip` is not one of them.
///
/// Async-signal-safe. A page the runner itself write-protected must be opened and the access
/// retried *before* asking here, or the guest sees `EFAULT` for its own memory.
pub fn fault_fixup(rip: usize) -> Option<usize> {
    let at = |p: *const u8| p as usize;
    let copy = at(&raw const remu_copy_access);
    let scan = at(&raw const remu_strnlen_access);
    let load = at(&raw const remu_load64_access);
    let cas = at(&raw const remu_cas32_access);
    if rip == copy {
        Some(at(&raw const remu_copy_done))
    } else if rip == scan {
        Some(at(&raw const remu_strnlen_fault))
    } else if rip == load || rip == cas {
        Some(at(&raw const remu_one_fault))
    } else {
        None
    }
}

/// Where the runner's handler of an asynchronous guest signal must continue when it interrupted
/// [`blocking_syscall`] before the call took effect (or after the kernel decided to restart it);
/// `None` when `rip` is elsewhere. The call then returns `ERESTARTSYS`. Async-signal-safe.
pub fn signal_fixup(rip: usize) -> Option<usize> {
    let begin = (&raw const remu_blocking_begin) as usize;
    let end = (&raw const remu_blocking_end) as usize;
    (begin..end).contains(&rip).then_some((&raw const remu_blocking_interrupted) as usize)
}

/// Where a thread is right after the trap of [`blocking_syscall`], and where it must go on for the
/// call to count as not made. Of a thread that a debugger stopped inside the call.
pub fn blocking_addresses() -> (u64, u64) {
    ((&raw const remu_blocking_end) as u64, (&raw const remu_blocking_interrupted) as u64)
}

/// One host system call by number, raw kernel result (negative error numbers).
///
/// # Safety
/// The call must not damage memory that Rust owns: its pointer arguments name guest memory or
/// buffers that live and are large enough for the call.
#[inline(always)]
pub unsafe fn syscall(nr: u64, a: &[u64; 6]) -> i64 {
    let ret: i64;
    // SAFETY: the kernel preserves all registers but rax, rcx and r11; memory effects are the
    // caller's contract.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") nr as i64 => ret,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    ret
}

/// One host system call that may sleep. Returns `-512` (`ERESTARTSYS`) when `flag` was non-zero
/// or a signal came before the call took effect, see [`signal_fixup`].
///
/// # Safety
/// As for [`syscall`].
pub unsafe fn blocking_syscall(flag: &AtomicU32, nr: u64, a: &[u64; 6]) -> i64 {
    // SAFETY: flag and args are live for the call; the rest is the caller's contract.
    unsafe { remu_blocking_syscall(flag.as_ptr(), nr, a) }
}

/// Copies host bytes to guest memory at host address `dst`; false on a fault (part may be written).
pub(crate) fn copy_out(dst: u64, src: &[u8]) -> bool {
    // SAFETY: a fault at dst is caught by the fixup; src is a live slice. Guest memory is never
    // memory that Rust owns, which the caller's address space layout guarantees.
    unsafe { remu_copy(dst, src.as_ptr() as u64, src.len() as u64) == 0 }
}

/// Copies guest memory at host address `src` to `dst`; false on a fault.
pub(crate) fn copy_in(dst: &mut [u8], src: u64) -> bool {
    // SAFETY: a fault at src is caught by the fixup; dst is a live, exclusive slice.
    unsafe { remu_copy(dst.as_mut_ptr() as u64, src, dst.len() as u64) == 0 }
}

/// Length of a C string in guest memory: `Some(n <= max)`, or `None` on a fault before its end.
pub(crate) fn strnlen(src: u64, max: u64) -> Option<u64> {
    // SAFETY: reads only, faults are caught by the fixup.
    let n = unsafe { remu_strnlen(src, max) };
    u64::try_from(n).ok()
}

/// One 64-bit load that other guest threads see as single; `None` on a fault.
pub(crate) fn load64(src: u64) -> Option<u64> {
    let mut out = 0;
    // SAFETY: reads only, faults are caught by the fixup; out is live.
    (unsafe { remu_load64(src, &raw mut out) } == 0).then_some(out)
}

/// Compare and exchange of a guest futex word; the previous value, or `None` on a fault.
pub(crate) fn cas32(ptr: u64, old: u32, new: u32) -> Option<u32> {
    let mut out = 0;
    // SAFETY: a fault at ptr is caught by the fixup; guest memory is not memory Rust owns.
    (unsafe { remu_cas32(ptr, old, new, &raw mut out) } == 0).then_some(out)
}
