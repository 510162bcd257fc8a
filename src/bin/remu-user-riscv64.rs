//! Runs riscv64 Linux programs.
#![no_main]

remu::runner!("riscv64");
