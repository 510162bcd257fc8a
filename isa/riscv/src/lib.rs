//! The riscv instruction set.

pub mod features;
pub mod fmt;
mod pred;

/// Decoder, disassembler and encoder, generated from the tables.
pub mod decode {
    include!(concat!(env!("OUT_DIR"), "/decode.rs"));
}
