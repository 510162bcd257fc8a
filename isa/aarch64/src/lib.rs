//! The aarch64 instruction set.
