//! The calling convention of vector helpers.
#![expect(unsafe_code, reason = "vector helpers receive a pointer to their operands")]

/// Runs a helper that the `vhelper` op calls: `v` points at four vectors, of
/// which the first receives the result and the others hold the operands.
pub(super) fn vectors(v: *mut u8, n: u64, f: impl Fn([u128; 3], u16) -> u128) -> u64 {
    let v = v.cast::<[u128; 4]>();
    // SAFETY: the `vhelper` op passes a pointer to four aligned vectors that
    // nothing else uses during the call (jit/ir/src/ops.rs).
    let operands = unsafe { v.read() };
    let result = f([operands[1], operands[2], operands[3]], n as u16);
    // SAFETY: as above; element 0 is the result's place.
    unsafe { v.cast::<u128>().write(result) };
    0
}
