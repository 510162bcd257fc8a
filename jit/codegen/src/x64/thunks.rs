//! Fixed sequences at the start of code memory: entry, exit, lookups that
//! miss, and calls into Rust. Written with dynasm through the same buffer.

use dynasmrt::{DynasmApi, dynasm};
use remu_ir::{ExitKind, Type};

use super::enc::{CodeBuf, RBP, Rm, W, at, cc};
use super::vector::{MOVQ_X, MOVSD_ST, MOVUPS, MOVUPS_ST};
use super::{PIN_INT, PIN_VEC, X};
use crate::Layout;

/// Host addresses of the thunks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thunks {
    /// `extern "C" fn(state + BIAS, code) -> ExitKind number`.
    pub enter: u64,
    /// Leaves; eax is the exit kind, the guest pc is in the header.
    pub exit: u64,
    /// The end of `exit`: registers are saved, the host's stack and
    /// floating-point mode are in place, rbp is the state pointer.
    pub exit_tail: u64,
    /// Replaces the landings of a retired region: goes on at the guest address
    /// on top of the return stack.
    pub stale_landing: u64,
    /// Leaves for the engine to resolve a link; rax is the end of its site.
    pub link: u64,
    /// Leaves for the engine to look up the guest address in rax.
    pub lookup: u64,
    /// Leaves with a poll exit at the guest address in rax.
    pub poll: u64,
    /// A return to the guest address in rax that does not match its call.
    pub return_miss: u64,
    /// Where a return that matched the empty return stack's sentinel lands: the
    /// guest address is [`Layout::NOWHERE`].
    pub nowhere: u64,
    /// Calls the guest helper in rax with arguments in rsi, rdx, rcx.
    pub helper: u64,
    /// Calls the evaluator for the instruction rax points to.
    pub eval: u64,
    /// Calls the vector helper in rax.
    pub vhelper: u64,
    /// Calls the handler of [`crate::Access`]es for the one in eax at the guest address
    /// in r15. Comes back with "equal" if it is done and "not equal" if the TLB helps now.
    pub access: u64,
    /// Calls the handler of system calls, with the guest pc behind the instruction in the header. Comes back if the
    /// call was made there.
    pub call: u64,
}

/// Makes a system call: `fn(state)`. Gives one of these numbers.
pub type CallHandler = unsafe extern "C" fn(*mut u8) -> u32;

/// The call was made.
pub const CALL_DONE: u32 = 0;
/// Leave: the handler has set exit kind and pc.
pub const CALL_LEAVE: u32 = 1;

/// Carries out an access: `fn(state, guest address, Access as a number, result and operands)`.
/// Gives one of these numbers.
pub type AccessHandler = unsafe extern "C" fn(*mut u8, u64, u32, *mut [u128; 4]) -> u32;

/// The access is done.
pub const ACCESS_DONE: u32 = 0;
/// The TLB has an entry for it now.
pub const ACCESS_RETRY: u32 = 1;
/// Leave: the handler has set exit kind, pc and return stack as an exit would.
pub const ACCESS_LEAVE: u32 = 2;

/// `fn(instruction, operands and result, fpstat and fpmode)`.
pub type Evaluator =
    unsafe extern "C" fn(*const remu_ir::interp::Packed, *mut [u128; 4], *mut [u32; 2]);

/// The sticky flags of MXCSR.
const STICKY: i32 = 0x3f;

const fn disp(offset: i32) -> i32 {
    Layout::disp(offset)
}

/// Moves every pinned slot between its register and its memory.
fn pins(a: &mut CodeBuf<'_>, lay: &Layout, load: bool) {
    for (s, h) in lay.pinned_int.iter().zip(PIN_INT) {
        let m = at(RBP, disp(i32::from(s.offset)));
        if load {
            a.ld(W::Q, h, m);
        } else {
            a.st(W::Q, m, h);
        }
    }
    for (s, h) in lay.pinned_vec.iter().zip(PIN_VEC) {
        let m = Rm::M(at(RBP, disp(i32::from(s.offset))));
        let (x, wide) = (h - X, s.ty == Type::V128);
        match (load, wide) {
            (true, true) => a.vex(MOVUPS, x, 0, m),
            (true, false) => a.vex(MOVQ_X, x, 0, m),
            (false, true) => a.vex(MOVUPS_ST, x, 0, m),
            (false, false) => a.vex(MOVSD_ST, x, 0, m),
        }
    }
}

/// Changes the order of flags slots in memory, from or to the host's. Changes
/// only rdi and r8.
fn order_flags(a: &mut CodeBuf<'_>, lay: &Layout, raw: bool) {
    for &offset in &lay.flags {
        let m = disp(offset.into());
        dynasm!(a ; .arch x64 ; mov edi, [rbp + m] ; mov r8d, Layout::RAW_NZCV);
        if raw {
            dynasm!(a ; .arch x64 ; shr edi, 28 ; pdep edi, edi, r8d);
        } else {
            dynasm!(a ; .arch x64 ; pext edi, edi, r8d ; shl edi, 28);
        }
        dynasm!(a ; .arch x64 ; mov [rbp + m], edi);
    }
}

/// Registers of a block that a pure call must keep, on the host stack.
fn scratch(a: &mut CodeBuf<'_>, load: bool) {
    for (n, r) in [1u8, 2, 6].into_iter().enumerate() {
        let m = at(super::enc::RSP, n as i32 * 8);
        if load { a.ld(W::Q, r, m) } else { a.st(W::Q, m, r) }
    }
    for x in 0..6u8 {
        let m = Rm::M(at(super::enc::RSP, 32 + i32::from(x) * 16));
        a.vex(if load { MOVUPS } else { MOVUPS_ST }, x, 0, m);
    }
}

/// Switches to the host's stack and floating-point mode. Pinned registers are in memory.
fn to_host(a: &mut CodeBuf<'_>) {
    let same = a.label();
    // Loading the mode is slow, and sticky flags do not matter to the host.
    dynasm!(a
        ; .arch x64
        ; mov [rbp + disp(Layout::GUEST_RSP)], rsp
        ; mov rsp, [rbp + disp(Layout::HOST_RSP)]
        ; stmxcsr [rbp + disp(Layout::MXCSR)]
        ; mov r11d, [rbp + disp(Layout::MXCSR)]
        ; xor r11d, [rbp + disp(Layout::MXCSR + 4)]
        ; test r11d, !STICKY
    );
    a.jcc(cc::E, same);
    dynasm!(a ; .arch x64 ; ldmxcsr [rbp + disp(Layout::MXCSR + 4)]);
    a.bind(same);
}

/// Back to the host's floating-point mode; the guest's was stored.
fn host_mode(a: &mut CodeBuf<'_>) {
    let same = a.label();
    dynasm!(a
        ; .arch x64
        ; mov ecx, [rbp + disp(Layout::MXCSR)]
        ; cmp ecx, [rbp + disp(Layout::MXCSR + 4)]
    );
    a.jcc(cc::E, same);
    dynasm!(a ; .arch x64 ; ldmxcsr [rbp + disp(Layout::MXCSR + 4)]);
    a.bind(same);
}

/// Back to the guest's floating-point mode and flags. Pinned registers are still in memory.
fn guest_mode(a: &mut CodeBuf<'_>) {
    let same = a.label();
    dynasm!(a
        ; .arch x64
        ; stmxcsr [rsp - 8]
        ; mov r11d, [rsp - 8]
        ; cmp r11d, [rbp + disp(Layout::MXCSR)]
    );
    a.jcc(cc::E, same);
    dynasm!(a ; .arch x64 ; ldmxcsr [rbp + disp(Layout::MXCSR)]);
    a.bind(same);
}

/// Jumps to the cache's entry for the guest address in rax, or leaves.
fn probe(a: &mut CodeBuf<'_>, lay: &Layout, lookup: u64) {
    let mask = (Layout::CACHE_ENTRIES as i32 - 1) << 4;
    dynasm!(a
        ; .arch x64
        ; mov ecx, eax
        ; shl ecx, (4 - lay.insn_align) as i8
        ; and ecx, mask
        ; add rcx, [rbp + disp(Layout::CACHE)]
        ; cmp [rcx], rax
    );
    a.jcc_far(cc::NE, lookup);
    dynasm!(a ; .arch x64 ; jmp QWORD [rcx + 8]);
}

/// A call into Rust that changes no guest state; `arguments` sets rdi, rsi
/// and rdx from rax, which holds what to call or to evaluate.
fn pure_call(a: &mut CodeBuf<'_>, lay: &Layout, arguments: impl FnOnce(&mut CodeBuf<'_>)) {
    pins(a, lay, false);
    to_host(a);
    dynasm!(a ; .arch x64 ; sub rsp, 144);
    scratch(a, false);
    arguments(a);
    dynasm!(a ; .arch x64 ; call rax);
    guest_mode(a);
    scratch(a, true);
    pins(a, lay, true);
    dynasm!(a ; .arch x64 ; mov rsp, [rbp + disp(Layout::GUEST_RSP)] ; ret);
}

/// What [`Thunks::enter`] leaves on the host's stack, by which a debugger goes on from anywhere in translated
/// code to who entered it.
#[derive(Clone, Copy, Debug)]
pub struct EnterFrame {
    /// Where the host's stack pointer is kept: bytes from the state pointer.
    pub stack: i32,
    /// Bytes between it and the last saved register.
    pub below: u8,
    /// The saved registers by their numbers in DWARF (System V ABI, table 3.36), first pushed first.
    pub saved: [u8; 6],
}

/// The state pointer's register, rbp, by its number in DWARF.
pub const STATE_POINTER: u8 = 6;

/// As `enter` below does it.
pub const ENTER_FRAME: EnterFrame = EnterFrame {
    stack: Layout::HOST_RSP - Layout::BIAS,
    below: 8,
    saved: [3, STATE_POINTER, 12, 13, 14, 15],
};

/// Writes the thunks into `a`, whose memory must be executed where it is.
pub fn emit_thunks(
    a: &mut CodeBuf<'_>,
    lay: &Layout,
    evaluator: Evaluator,
    handler: AccessHandler,
    calls: CallHandler,
) -> Thunks {
    let mut t = Thunks::default();
    let here = |a: &mut CodeBuf<'_>| {
        a.align(16, 0);
        a.address(a.pos())
    };

    t.enter = here(a);
    dynasm!(a
        ; .arch x64
        ; push rbx
        ; push rbp
        ; push r12
        ; push r13
        ; push r14
        ; push r15
        ; sub rsp, 8
        ; mov rbp, rdi
        ; mov [rbp + disp(Layout::HOST_RSP)], rsp
        ; stmxcsr [rbp + disp(Layout::MXCSR + 4)]
    );
    dynasm!(a ; .arch x64 ; mov rax, rsi);
    order_flags(a, lay, true);
    pins(a, lay, true);
    // Most often the guest's mode is the host's, and loading it is slow.
    let same = a.label();
    dynasm!(a
        ; .arch x64
        ; mov ecx, [rbp + disp(Layout::MXCSR)]
        ; mov rsp, [rbp + disp(Layout::GUEST_RSP)]
        ; cmp ecx, [rbp + disp(Layout::MXCSR + 4)]
    );
    a.jcc(cc::E, same);
    dynasm!(a ; .arch x64 ; ldmxcsr [rbp + disp(Layout::MXCSR)]);
    a.bind(same);
    dynasm!(a ; .arch x64 ; jmp rax);

    t.exit = here(a);
    dynasm!(a ; .arch x64 ; mov [rbp + disp(Layout::EXIT_KIND)], eax);
    pins(a, lay, false);
    order_flags(a, lay, false);
    dynasm!(a
        ; .arch x64
        ; mov [rbp + disp(Layout::GUEST_RSP)], rsp
        ; mov rsp, [rbp + disp(Layout::HOST_RSP)]
        ; stmxcsr [rbp + disp(Layout::MXCSR)]
    );
    host_mode(a);
    t.exit_tail = a.address(a.pos());
    dynasm!(a
        ; .arch x64
        ; mov eax, [rbp + disp(Layout::EXIT_KIND)]
        ; add rsp, 8
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbp
        ; pop rbx
        ; ret
    );

    t.link = here(a);
    dynasm!(a
        ; .arch x64
        ; mov [rbp + disp(Layout::LINK)], rax
        ; mov eax, ExitKind::Continue as i32
    );
    a.far(false, t.exit);

    t.lookup = here(a);
    if lay.softmmu.is_none() {
        // Empty entries are those of this address, and lead here.
        let leave = a.label();
        dynasm!(a ; .arch x64 ; cmp eax, Layout::NOWHERE as i32);
        a.jcc(cc::E, leave);
        dynasm!(a
            ; .arch x64
            ; imul ecx, eax, Layout::SECOND as i32
            ; shr ecx, Layout::SECOND_SHIFT as i8
            ; shl ecx, 4
            ; add rcx, [rbp + disp(Layout::CACHE)]
            ; cmp [rcx], rax
        );
        a.jcc(cc::NE, leave);
        dynasm!(a ; .arch x64 ; jmp QWORD [rcx + 8]);
        a.bind(leave);
    }
    dynasm!(a
        ; .arch x64
        ; mov [rbp + disp(Layout::PC)], rax
        ; mov QWORD [rbp + disp(Layout::LINK)], 0
        ; mov eax, ExitKind::Continue as i32
    );
    a.far(false, t.exit);

    t.poll = here(a);
    dynasm!(a
        ; .arch x64
        ; mov [rbp + disp(Layout::PC)], rax
        ; mov eax, ExitKind::Poll as i32
    );
    a.far(false, t.exit);

    t.stale_landing = here(a);
    dynasm!(a
        ; .arch x64
        ; pop rax
        ; cmp DWORD [rbp + disp(Layout::EXIT_REQUEST)], 0
    );
    a.jcc_far(cc::NE, t.poll);
    probe(a, lay, t.lookup);

    // Frames may have been skipped (longjmp): look a few frames up. Else the
    // guest has changed stacks: start over with an empty return stack.
    t.return_miss = here(a);
    dynasm!(a ; .arch x64 ; mov ecx, 8);
    let again = a.label();
    let (reset, found) = (a.label(), a.label());
    a.bind(again);
    dynasm!(a
        ; .arch x64
        ; cmp rsp, [rbp + disp(Layout::STACK_TOP)]
    );
    a.jcc(cc::AE, reset);
    dynasm!(a
        ; .arch x64
        ; lea rsp, [rsp + 16]
        ; cmp [rsp + 8], rax
    );
    a.jcc(cc::E, found);
    dynasm!(a ; .arch x64 ; dec ecx);
    a.jcc(cc::NE, again);
    a.bind(reset);
    dynasm!(a
        ; .arch x64
        ; mov rsp, [rbp + disp(Layout::STACK_TOP)]
        ; cmp DWORD [rbp + disp(Layout::EXIT_REQUEST)], 0
    );
    a.jcc_far(cc::NE, t.poll);
    probe(a, lay, t.lookup);
    a.bind(found);
    dynasm!(a ; .arch x64 ; ret);

    t.nowhere = here(a);
    dynasm!(a
        ; .arch x64
        ; lea rsp, [rsp - 8]
        ; mov eax, Layout::NOWHERE as i32
    );
    a.far(false, t.return_miss);

    t.helper = here(a);
    pins(a, lay, false);
    order_flags(a, lay, false);
    to_host(a);
    dynasm!(a
        ; .arch x64
        ; mov DWORD [rbp + disp(Layout::IN_HELPER)], 1
        ; lea rdi, [rbp - Layout::BIAS]
        ; call rax
        ; mov DWORD [rbp + disp(Layout::IN_HELPER)], 0
    );
    guest_mode(a);
    order_flags(a, lay, true);
    pins(a, lay, true);
    dynasm!(a ; .arch x64 ; mov rsp, [rbp + disp(Layout::GUEST_RSP)] ; ret);

    t.eval = here(a);
    pure_call(a, lay, |a| {
        dynasm!(a
            ; .arch x64
            ; mov rdi, rax
            ; lea rsi, [rbp + lay.fallback()]
            ; lea rdx, [rbp + disp(Layout::FPSTAT)]
            ; mov rax, QWORD evaluator as usize as i64
        );
    });

    t.vhelper = here(a);
    pure_call(a, lay, |a| {
        dynasm!(a
            ; .arch x64
            ; lea rdi, [rbp + lay.fallback()]
            ; mov rsi, [rdi]
            ; xor edx, edx
            ; xor ecx, ecx
        );
    });
    if lay.softmmu.is_some() {
        t.access = here(a);
        access(a, lay, handler, t.exit_tail);
    } else {
        t.call = here(a);
        system_call(a, lay, calls, t.exit_tail);
    }
    a.fix();
    t
}

fn access(a: &mut CodeBuf<'_>, lay: &Layout, handler: AccessHandler, exit_tail: u64) {
    pins(a, lay, false);
    order_flags(a, lay, false);
    to_host(a);
    dynasm!(a ; .arch x64 ; sub rsp, 144);
    scratch(a, false);
    dynasm!(a
        ; .arch x64
        ; lea rdi, [rbp - Layout::BIAS]
        ; mov rsi, r15
        ; mov edx, eax
        ; lea rcx, [rbp + lay.fallback()]
        ; mov rax, QWORD handler as usize as i64
        ; call rax
    );
    let leave = a.label();
    dynasm!(a ; .arch x64 ; cmp eax, ACCESS_LEAVE as i32);
    a.jcc(cc::E, leave);
    guest_mode(a);
    scratch(a, true);
    order_flags(a, lay, true);
    pins(a, lay, true);
    dynasm!(a ; .arch x64 ; mov rsp, [rbp + disp(Layout::GUEST_RSP)] ; test eax, eax ; ret);
    a.bind(leave);
    dynasm!(a ; .arch x64 ; add rsp, 144);
    a.far(false, exit_tail);
}

fn system_call(a: &mut CodeBuf<'_>, lay: &Layout, handler: CallHandler, exit_tail: u64) {
    pins(a, lay, false);
    order_flags(a, lay, false);
    // The return stack is as behind the call from here on: code memory may be emptied, and the stack with it, while
    // the call sleeps.
    dynasm!(a
        ; .arch x64
        ; pop rbx
        ; mov [rbp + disp(Layout::GUEST_RSP)], rsp
        ; mov rsp, [rbp + disp(Layout::HOST_RSP)]
        ; stmxcsr [rbp + disp(Layout::MXCSR)]
        ; lea rdi, [rbp - Layout::BIAS]
        ; mov rax, QWORD handler as usize as i64
        ; call rax
        ; test eax, eax
    );
    let leave = a.label();
    a.jcc(cc::NE, leave);
    order_flags(a, lay, true);
    dynasm!(a ; .arch x64 ; mov rax, rbx ; mov rsp, [rbp + disp(Layout::GUEST_RSP)]);
    pins(a, lay, true);
    // A pair with the call that led here, for the host's prediction.
    dynasm!(a ; .arch x64 ; push rax ; ret);
    a.bind(leave);
    host_mode(a);
    a.far(false, exit_tail);
}
