//! The x86-64 back end.
//!
//! Register use: rbp is the state pointer, rsp the return stack, rax and xmm0
//! are temporaries inside one op, rcx, rdx, rsi and xmm1 to xmm5 hold values of
//! a block, the rest hold pinned state slots. State is written through: when a
//! guest instruction's `set` is lowered, the slot's host register or memory
//! has the value. So at every instruction boundary the state is exact without
//! a map, and what a fault needs is only the guest pc.

mod alloc;
mod atomic;
mod carryless;
mod control;
mod enc;
mod fallback;
mod flags;
mod float;
mod int;
mod kept;
mod lower;
mod memory;
mod partial;
mod settle;
mod softmmu;
mod thunks;
mod truth;
mod vector;

pub use enc::CodeBuf;
pub use lower::{Compiler, OutOfSpace, Scratch};
pub use thunks::{
    ACCESS_DONE, ACCESS_LEAVE, ACCESS_RETRY, AccessHandler, CALL_DONE, CALL_LEAVE, CallHandler,
    ENTER_FRAME, EnterFrame, Evaluator, STATE_POINTER, Thunks, emit_thunks,
};

/// Host registers 0 to 15 are general-purpose, 16 to 31 vector registers.
type Host = u8;

/// First vector register.
const X: Host = 16;

/// General-purpose registers for pinned slots, best first.
const PIN_INT: [Host; 10] = [3, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Vector registers for pinned slots.
const PIN_VEC: [Host; 10] =
    [X + 6, X + 7, X + 8, X + 9, X + 10, X + 11, X + 12, X + 13, X + 14, X + 15];
/// Registers that hold values of a block.
const SCRATCH_INT: [Host; 3] = [1, 2, 6];
const SCRATCH_VEC: [Host; 5] = [X + 1, X + 2, X + 3, X + 4, X + 5];
/// Temporary vector register.
const XT: u8 = 0;
