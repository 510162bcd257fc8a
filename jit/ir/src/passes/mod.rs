//! Analyses over a region. They leave the region as it is: what they find is
//! kept beside it, in memory that is used again for the next region.

mod dce;
#[cfg(test)]
mod dce_tests;

pub use dce::{KeepsFlags, Kept, Liveness, Use, analyse, condition_on};
