//! The riscv64 instruction set at user level: tables, disassembler, lifters,
//! processor models. Chapters and names are those of the RISC-V Instruction
//! Set Manual, volume I (unprivileged), version 20240411.

pub mod features;
pub mod fmt;
mod helpers;
mod isa;
#[expect(missing_docs, reason = "a lifter is documented by its row")]
pub mod lift;
mod pred;
pub mod state;
pub mod system;
pub mod vector;

/// Decoder, disassembler and encoder, generated from the tables.
pub mod decode {
    include!(concat!(env!("OUT_DIR"), "/decode.rs"));
    include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));
}

pub use isa::{GUEST, Riscv64};
pub use state::{Hart, STATE};
