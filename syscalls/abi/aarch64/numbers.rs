//! Numbers aarch64 has beyond the generic table (`arch/arm64/include/uapi/asm/unistd.h`).

use crate::abi::{generic, table};

table! {
    /// The generic table and the calls it keeps for old ports.
    pub const fn calls(generic::numbers::calls()) {
        38 renameat;
    }
}
