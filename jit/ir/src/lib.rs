//! The intermediate representation: what lifters write, what the optimiser
//! rewrites, what the interpreter executes and what back ends lower.
//!
//! The unit is a [`Region`]: a control-flow graph of guest blocks. Values are
//! SSA inside an *extended block* (one entry, side exits by `brcond`); between
//! blocks only guest state, reached through typed slots, is live.

mod builder;
pub mod interp;
mod ops;
pub mod passes;
mod region;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
mod types;
mod verify;

pub use builder::Builder;
pub use ops::{Class, Effects, Op, OpInfo, ResultRule};
pub use region::{Block, ExitKind, Helper, HelperFn, Region};
pub use types::{
    Addr, Attr, AttrKind, Cond, CrcAttr, DivZero, FCond, FlagCond, Fp, FpInt, Inst, Lane, MemOp,
    NanRule, Order, Rm, RmwOp, Slot, Type, Val,
};
pub use verify::{VerifyError, verify};
