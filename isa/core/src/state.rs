//! Guest processor state: a common header, then the ISA's registers.

use core::sync::atomic::AtomicU32;

use remu_ir::Slot;

/// Start of every guest's state struct: what the engine and the runner share
/// with translated code. The ISA's registers follow at [`Header::SIZE`].
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Header {
    /// Non-zero asks translated code to leave at its next poll.
    pub exit_request: AtomicU32,
    /// [`remu_ir::ExitKind`] of the last exit.
    pub exit_kind: u32,
    /// Guest program counter; valid outside translated code.
    pub pc: u64,
    /// More about the last exit: fault address, code range to invalidate.
    pub exit_info: [u64; 2],
    /// Sticky floating-point flags, numbered as the `fpstat` op numbers them;
    /// valid outside translated code.
    pub fpstat: u32,
    /// Floating-point mode as the `set_fpmode` op takes it; valid outside
    /// translated code.
    pub fpmode: u32,
    /// Private to the engine.
    pub engine: [u64; 26],
}

impl Header {
    /// Bytes of the header, and the offset of the ISA's first register.
    pub const SIZE: usize = 256;
}

const _: () = assert!(size_of::<Header>() == Header::SIZE);

/// A register, for dumps, debuggers and the textual form of the IR.
#[derive(Clone, Copy, Debug)]
pub struct RegDesc {
    /// Name.
    pub name: &'static str,
    /// Where it is and its type.
    pub slot: Slot,
}

/// Layout of a guest's state struct.
#[derive(Debug)]
pub struct StateDesc {
    /// Bytes of the whole struct, header included.
    pub size: usize,
    /// Every register.
    pub regs: &'static [RegDesc],
    /// I64 slots that should live in host registers, most used first. A back
    /// end takes as many as it has room for.
    pub pinned_int: &'static [Slot],
    /// F64 or V128 slots that should live in host vector registers.
    pub pinned_vec: &'static [Slot],
}

impl StateDesc {
    /// The register at an offset.
    pub fn reg_at(&self, offset: u16) -> Option<&RegDesc> {
        self.regs.iter().find(|r| r.slot.offset == offset)
    }
    /// The register with a name.
    pub fn reg(&self, name: &str) -> Option<&RegDesc> {
        self.regs.iter().find(|r| r.name == name)
    }
}

/// Declares a guest's state `struct Name { rows }` from rows
/// `name [count]: Type = ["printed name", ..];` — the struct, `slots::name(n)`
/// and the register descriptions follow.
#[macro_export]
macro_rules! cpu_state {
    (
        $(#[$m:meta])* $vis:vis struct $name:ident {
        $( $(#[$rm:meta])* $reg:ident [$n:literal] : $ty:ident = [$($text:literal),* $(,)?]; )*
        }
        pinned_int: [$(($pi:ident, $pin:literal)),* $(,)?];
        pinned_vec: [$(($pv:ident, $pvn:literal)),* $(,)?];
    ) => {
        $(#[$m])*
        #[repr(C, align(64))]
        #[derive(Debug, Default)]
        $vis struct $name {
            /// Shared with the engine.
            pub header: $crate::Header,
            $( $(#[$rm])* pub $reg: [$crate::cpu_state!(@rust $ty); $n], )*
        }
        /// Slots of the registers.
        #[allow(dead_code, reason = "a lifter need not touch every register")]
        $vis mod slots {
            use super::$name;
            $( $(#[$rm])* pub const fn $reg(n: usize) -> $crate::ir::Slot {
                let ty = $crate::ir::Type::$ty;
                $crate::ir::Slot {
                    offset: (core::mem::offset_of!($name, $reg) + n * ty.bytes() as usize) as u16, ty,
                }
            } )*
        }
        /// Layout of the state.
        $vis static STATE: $crate::StateDesc = $crate::StateDesc {
            size: size_of::<$name>(),
            regs: {
                const COUNT: usize = 0 $(+ $n)*;
                const REGS: [$crate::RegDesc; COUNT] = {
                    let mut out = [$crate::RegDesc { name: "", slot: $crate::ir::Slot { offset: 0, ty: $crate::ir::Type::Void } }; COUNT];
                    let mut k = 0;
                    $( {
                        let names: [&'static str; $n] = [$($text),*];
                        let mut i = 0;
                        while i < $n {
                            out[k] = $crate::RegDesc { name: names[i], slot: slots::$reg(i) };
                            i += 1;
                            k += 1;
                        }
                    } )*
                    let _ = k;
                    out
                };
                &REGS
            },
            pinned_int: &[$(slots::$pi($pin)),*],
            pinned_vec: &[$(slots::$pv($pvn)),*],
        };
    };
    (@rust I32) => { u32 };
    (@rust I64) => { u64 };
    (@rust F64) => { u64 };
    (@rust V128) => { u128 };
    (@rust Flags) => { u32 };
}
