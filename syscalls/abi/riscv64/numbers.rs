//! Numbers only riscv64 has (`arch/riscv/include/uapi/asm/unistd.h`).

use crate::abi::{generic, table};

table! {
    /// The generic table and the processor's own calls.
    pub const fn calls(generic::numbers::calls()) {
        258 riscv_hwprobe;
        259 riscv_flush_icache;
    }
}
