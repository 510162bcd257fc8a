//! The riscv instruction set.
