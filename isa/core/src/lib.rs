//! What every guest instruction set provides, and what it may use.
//!
//! An ISA crate decodes, describes its state and lifts instructions to IR. It
//! knows nothing of hosts, operating systems or memory layouts.

mod form;
mod isa;
mod lift;
mod sm4;
mod state;
mod system;

pub use form::{Fetch, Former, Limits, Shape, form};
pub use isa::{Flow, Guest, Isa, Key, Model, Scan};
pub use lift::Lift;
pub use sm4::sm4_sub;
pub use state::{Header, RegDesc, StateDesc};
pub use system::{
    After, Conduit, DebugFeature, DebugPlace, DebugReg, Debugged, Entry, FirmwareAnswer,
    FirmwareCall, Flush, Intent, Mapping, PhysMem, Processor, Surroundings, System, Trap,
};

#[doc(hidden)]
pub use remu_ir as ir;
