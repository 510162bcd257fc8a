//! Rare semantics as plain functions that translated code calls.

pub(crate) mod fp;
