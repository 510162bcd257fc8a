//! For tests of this crate and of back ends: case files and random regions.

mod cases;
mod random;

pub use cases::{Case, MEMORY, Run, STATE_SIZE, cases, describe, names};
pub use random::{Random, Spec, block, fill, takes_part};
