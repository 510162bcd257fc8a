//! Random instructions on random state, once in the interpreter and once as
//! translated code: both must end alike, with the same state and memory.
//!
//! [`Subject`] is what differs between guests; [`Bench::check`] judges one
//! sequence of instructions, [`Bench::shrink`] makes a failing one short.

mod bench;
mod host;
mod rng;
mod subject;

pub use bench::{Bench, CODE, Case, DATA, DATA_SIZE, Verdict};
pub use rng::Rng;
pub use subject::{Row, Subject};
