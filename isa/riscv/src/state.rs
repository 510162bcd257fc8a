//! State of a hart, and how its floating-point status registers are kept.

use remu_isa::Header;

/// Declares a hart's state: what user code sees (unprivileged manual, "Programmers' Model"), then
/// further rows.
macro_rules! hart {
    ($(#[$m:meta])* pub struct $name:ident { $($more:tt)* }) => {
        remu_isa::cpu_state! {
            $(#[$m])*
            pub struct $name {
                /// Integer registers; element 0 is never written.
                x[32]: I64 = [
                    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
                    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
                    "t5", "t6",
                ];
                /// Floating-point registers, narrow numbers boxed in NaNs.
                f[32]: F64 = [
                    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
                    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
                    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
                ];
                /// Address reserved by the last load-reserved; all ones if there is none.
                reserved[1]: I64 = ["reserved"];
                /// What that load read.
                reserved_value[1]: I64 = ["reserved_value"];
                /// Rounding mode of `fcsr`. The accrued exceptions are in the header.
                frm[1]: I32 = ["frm"];
                $($more)*
            }
            pinned_int: [
                (x, 10), (x, 11), (x, 12), (x, 13), (x, 14), (x, 15), (x, 2), (x, 1), (x, 8), (x, 9),
            ];
            pinned_vec: [
                (f, 10), (f, 11), (f, 12), (f, 13), (f, 14), (f, 15), (f, 8), (f, 9), (f, 0), (f, 1),
            ];
        }
    };
}
pub(crate) use hart;

hart! {
    /// A hart as user code sees it.
    pub struct Hart {
        /// What translations know of the vector unit, as [`crate::vector::Unit`]
        /// numbers it; follows from `vtype`, `vl` and
        /// `vstart`, and [`crate::vector::ANYTHING`] is never wrong.
        vunit[1]: I64 = ["vunit"];
        /// The unit that translations guess: part of the lift key.
        vguess[1]: I64 = ["vguess"];
        /// Settings in a row that gave the largest vector length, while
        /// translations guess otherwise.
        vstreak[1]: I64 = ["vstreak"];
        /// Fixed-point rounding mode.
        vxrm[1]: I64 = ["vxrm"];
        /// Fixed-point saturation flag.
        vxsat[1]: I64 = ["vxsat"];
        /// Vector type.
        vtype[1]: I64 = ["vtype"];
        /// Vector length.
        vl[1]: I64 = ["vl"];
        /// Element to begin with.
        vstart[1]: I64 = ["vstart"];
        /// Vector registers.
        v[32]: V128 = [
            "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
            "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
            "v27", "v28", "v29", "v30", "v31",
        ];
    }
}

/// `reserved` when nothing is: no aligned address.
pub(crate) const NO_RESERVATION: u64 = u64::MAX;

/// Accrued exceptions as `fflags` numbers them (NX, UF, OF, DZ, NV from bit 0)
/// from the sticky flags as the `fpstat` op numbers them.
pub fn fflags_of(fpstat: u32) -> u32 {
    let reversed = (fpstat & 0x3f).reverse_bits() >> 26;
    reversed & 0xf | reversed >> 1 & 0x10
}

/// Sticky flags as the `fpstat` op numbers them from `fflags`.
pub fn fpstat_of(fflags: u32) -> u32 {
    (fflags & 0xf | (fflags & 0x10) << 1).reverse_bits() >> 26
}

/// The floating-point mode that belongs to a rounding mode of `fcsr`, as the
/// `set_fpmode` op takes it. Modes that are reserved count as to-nearest:
/// instructions that would round by them are illegal.
pub fn fpmode_of(frm: u32) -> u32 {
    if frm > RMM { 1 } else { frm + 1 }
}

/// Rounding mode to nearest, ties away from zero.
pub(crate) const RMM: u32 = 4;

/// `fcsr` of a hart's state, which is at least as long as the state struct.
pub fn fcsr(state: &[u8]) -> u32 {
    fflags_of(word(state, FPSTAT)) | (word(state, FRM) & 7) << 5
}

/// Sets `fcsr` in a hart's state.
pub fn set_fcsr(state: &mut [u8], fcsr: u32) {
    let frm = fcsr >> 5 & 7;
    for (at, v) in [(FPSTAT, fpstat_of(fcsr)), (FPMODE, fpmode_of(frm)), (FRM, frm)] {
        if let Some(to) = state.get_mut(at..at + 4) {
            to.copy_from_slice(&v.to_le_bytes());
        }
    }
}

/// What the state has of the vector unit's settings and of the translator's guesses at them.
pub(crate) const VECTOR_WORDS: [usize; 6] = [
    core::mem::offset_of!(Hart, vtype),
    core::mem::offset_of!(Hart, vl),
    core::mem::offset_of!(Hart, vstart),
    core::mem::offset_of!(Hart, vunit),
    core::mem::offset_of!(Hart, vguess),
    core::mem::offset_of!(Hart, vstreak),
];

const FPSTAT: usize = core::mem::offset_of!(Header, fpstat);
const FPMODE: usize = core::mem::offset_of!(Header, fpmode);
const FRM: usize = core::mem::offset_of!(Hart, frm);

fn word(state: &[u8], at: usize) -> u32 {
    let bytes = state.get(at..at + 4).and_then(|b| b.try_into().ok());
    bytes.map_or(0, u32::from_le_bytes)
}

/// Rounding mode of `fcsr` in a hart's state.
pub(crate) fn frm_of(state: &[u8]) -> u32 {
    word(state, FRM)
}

/// The vector unit that translations guess, in a hart's state.
pub(crate) fn vguess_of(state: &[u8]) -> u32 {
    word(state, core::mem::offset_of!(Hart, vguess))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_converts_both_ways() {
        for fflags in 0..32 {
            assert_eq!(fflags_of(fpstat_of(fflags)), fflags);
        }
        // NV is invalid (bit 0), NX inexact (bit 5), DZ division by zero (bit 2).
        assert_eq!([0x10, 1, 8].map(fpstat_of), [1, 32, 4]);
        // A denormal operand is no exception here.
        assert_eq!(fflags_of(2), 0);
    }

    #[test]
    fn fcsr_reaches_the_mode() {
        let mut state = vec![0; size_of::<Hart>()];
        set_fcsr(&mut state, 3 << 5 | 0x11);
        assert_eq!(fcsr(&state), 3 << 5 | 0x11);
        assert_eq!((word(&state, FPMODE), word(&state, FPSTAT)), (4, 0x21));
        set_fcsr(&mut state, 6 << 5);
        assert_eq!((word(&state, FPMODE), fcsr(&state)), (1, 6 << 5));
    }
}
