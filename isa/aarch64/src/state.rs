//! Processor state as EL0 sees it.

use remu_isa::ir::{Slot, Type};

/// Declares a processor's state: what EL0 sees, then further rows.
macro_rules! processor {
    ($(#[$m:meta])* pub struct $name:ident { $($more:tt)* }) => {
        remu_isa::cpu_state! {
            $(#[$m])*
            pub struct $name {
                /// X0 to X30; 31 is the stack pointer.
                x[32]: I64 = [
                    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                    "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
                    "x27", "x28", "x29", "x30", "sp",
                ];
                /// SIMD and floating-point registers.
                v[32]: V128 = [
                    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
                    "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
                    "v27", "v28", "v29", "v30", "v31",
                ];
                /// Non-zero anywhere: a SIMD instruction saturated (FPSR.QC).
                qc[1]: V128 = ["qc"];
                /// Thread pointer.
                tpidr_el0[1]: I64 = ["tpidr_el0"];
                /// Read-only thread pointer.
                tpidrro_el0[1]: I64 = ["tpidrro_el0"];
                /// Address of the exclusive monitor; all ones when it is open.
                excl_addr[1]: I64 = ["excl_addr"];
                /// Value the exclusive load saw.
                excl_val[2]: I64 = ["excl_lo", "excl_hi"];
                /// Keys of pointer authentication: IA, IB, DA, DB, GA.
                pac_key[5]: I64 = ["apia", "apib", "apda", "apdb", "apga"];
                /// Condition flags.
                nzcv[1]: Flags = ["nzcv"];
                /// Floating-point control; modes are also in the header's `fpmode`.
                fpcr[1]: I32 = ["fpcr"];
                /// PSTATE.DIT and PSTATE.SSBS at the bits of their registers.
                pstate[2]: I32 = ["dit", "ssbs"];
                $($more)*
            }
            pinned_int: [
                (x, 0), (x, 1), (x, 2), (x, 3), (x, 8), (x, 19), (x, 20), (x, 21), (x, 29), (x, 31),
            ];
            pinned_vec: [
                (v, 0), (v, 1), (v, 2), (v, 3), (v, 4), (v, 5), (v, 6), (v, 7), (v, 16), (v, 17),
            ];
        }
    };
}
pub(crate) use processor;

processor! {
    /// Registers of a processor at EL0.
    pub struct State {}
}

/// The header's `exit_info` words: range of code to invalidate, end exclusive.
pub(crate) const EXIT_INFO: [Slot; 2] =
    [Slot { offset: 16, ty: Type::I64 }, Slot { offset: 24, ty: Type::I64 }];

const _: () = assert!(core::mem::offset_of!(remu_isa::Header, exit_info) == 16);

/// FPCR bits that can be set: DN, FZ, RMode, FZ16.
pub(crate) const FPCR_MASK: u32 = 0x03c8_0000;
/// FPCR.DN.
pub(crate) const FPCR_DN: u32 = 1 << 25;

/// FPCR.FZ.
pub(crate) const FPCR_FZ: u32 = 1 << 24;

/// FPCR.FZ16.
pub(crate) const FPCR_FZ16: u32 = 1 << 19;

/// Byte offset of FPCR.
pub(crate) const FPCR_OFFSET: usize = slots::fpcr(0).offset as usize;

/// The header's `fpmode` that belongs to an FPCR of zero.
pub(crate) const FPMODE_RESET: u64 = 1;
