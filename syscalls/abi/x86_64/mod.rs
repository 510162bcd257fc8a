//! x86-64, as the host: call numbers.

pub mod numbers;
