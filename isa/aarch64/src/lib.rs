//! The aarch64 instruction set at user level: tables, disassembler, lifters,
//! processor models. Sections and names are those of the Arm Architecture
//! Reference Manual, DDI 0487.

mod bits;
pub mod features;
pub mod fmt;
mod helpers;
mod isa;
pub mod lift;
pub mod pred;
mod scan;
pub mod state;
mod sysreg;
pub mod system;

/// Decoder, disassembler and encoder, generated from the tables.
#[allow(clippy::all, reason = "generated")]
pub mod decode {
    include!(concat!(env!("OUT_DIR"), "/decode.rs"));
    include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));
}

pub use isa::{Aarch64, GUEST};
pub use state::{STATE, State};
