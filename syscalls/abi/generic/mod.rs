//! What all guests of the generic 64-bit ABI share.

pub mod numbers;
