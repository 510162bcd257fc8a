//! Rare semantics as plain functions that translated code calls.

mod call;
pub(crate) mod estimate;
pub(crate) mod fp;
pub(crate) mod hash;
pub(crate) mod lanes;

/// Declares helpers of three vectors and a number by safe functions.
macro_rules! vector_helper {
    ($($id:ident $name:literal $f:path;)*) => {
        $(pub(crate) const $id: remu_isa::ir::Helper = {
            extern "C" fn call(v: *mut u8, n: u64, _: u64, _: u64) -> u64 {
                crate::helpers::call::vectors(v, n, $f)
            }
            remu_isa::ir::Helper { name: $name, func: call, writes_state: false }
        };)*
    };
}
pub(crate) use vector_helper;
