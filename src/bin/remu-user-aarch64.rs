//! Runs aarch64 Linux programs.
#![no_main]

remu::runner!("aarch64");
