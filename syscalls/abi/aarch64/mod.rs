//! aarch64 (`arch/arm64/include/uapi/asm`).

pub mod numbers;

use super::Abi;

/// The aarch64 ABI.
pub static ABI: Abi = Abi {
    name: "aarch64",
    audit_arch: 0xc000_00b7,
    machine: "aarch64",
    calls: numbers::calls(),
    // fcntl.h: O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_LARGEFILE keep the values of 32-bit Arm.
    open_flags: &[
        (0o40000, 0o200000),
        (0o100000, 0o400000),
        (0o200000, 0o40000),
        (0o400000, 0o100000),
    ],
    sa_restorer: true,
    min_sigstack: 5120,
};
