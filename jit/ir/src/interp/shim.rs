//! Entry for translated code.
#![expect(unsafe_code, reason = "called from translated code with raw pointers")]

use super::{Packed, eval, low, width};
use crate::Type;

/// Evaluates an op that a back end has no rule for. Element 0 of `buf`
/// receives the result, elements 1 to 3 hold the operands; `fp` holds the
/// sticky floating-point flags and the mode.
///
/// # Safety
///
/// The pointers are aligned and valid, `buf` and `fp` also for writing, and
/// nothing else uses what they point at during the call.
pub unsafe extern "C" fn eval_shim(inst: *const Packed, buf: *mut [u128; 4], fp: *mut [u32; 2]) {
    // SAFETY: the caller vouches for all three pointers.
    let (inst, buf, fp) = unsafe { (&*inst, &mut *buf, &mut *fp) };
    let [_, x, y, z] = *buf;
    let mode = fp[1];
    // A half in a vector register has whatever bits above it.
    let halves = inst.operand_type() == Type::F16;
    let args = [x, y, z].map(|v| if halves { low(v, 16) } else { v });
    buf[0] = low(eval(inst, args, &mut fp[0], mode), width(inst.inst().ty));
}
