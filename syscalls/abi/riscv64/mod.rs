//! riscv64 (`arch/riscv/include/uapi/asm`).

pub mod numbers;

use super::Abi;

/// The riscv64 ABI.
pub static ABI: Abi = Abi {
    name: "riscv64",
    audit_arch: 0xc000_00f3,
    machine: "riscv64",
    calls: numbers::calls(),
    open_flags: &[],
    sa_restorer: false,
    min_sigstack: 2048,
};
