//! The calling convention of helpers that work on the vector unit.
#![expect(unsafe_code, reason = "helpers receive a pointer to the state")]

use super::vector::Vectors;
use crate::state::Hart;

/// The vector unit and floating-point settings of the hart at `state`, for the
/// time of a helper's call.
pub(super) fn vectors<T>(state: *mut u8, f: impl FnOnce(&mut Vectors<'_>) -> T) -> T {
    let hart = state.cast::<Hart>();
    // SAFETY: helpers are called with a pointer to the aligned state struct of
    // this crate, and nobody else touches these fields during the call
    // (`HelperFn` in jit/ir/src/region.rs). Only the header's exit request,
    // which is not among them, belongs to other threads too.
    let mut vectors = unsafe {
        Vectors {
            v: &mut (*hart).v,
            vl: &mut (*hart).vl[0],
            vstart: &mut (*hart).vstart[0],
            vtype: &mut (*hart).vtype[0],
            vunit: &mut (*hart).vunit[0],
            vguess: &mut (*hart).vguess[0],
            vxsat: &mut (*hart).vxsat[0],
            vxrm: (*hart).vxrm[0] as u8 & 3,
            frm: (*hart).frm[0],
        }
    };
    f(&mut vectors)
}
