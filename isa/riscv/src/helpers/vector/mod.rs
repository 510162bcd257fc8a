//! Any vector instruction on the state in memory: what translated code calls
//! where it has nothing faster, and what it falls back to where little is
//! known of the unit.

mod crypto;
mod element;
mod float;
mod legal;
mod permute;
mod reduce;

use remu_ir::Helper;

use super::call;
use crate::vector::{CHOSEN, Config, Unit, needed};

pub(crate) use crypto::round_constant;
pub(crate) use legal::legal;

/// The vector unit of a hart.
pub(crate) struct Vectors<'a> {
    pub(crate) v: &'a mut [u128; 32],
    pub(crate) vl: &'a mut u64,
    pub(crate) vstart: &'a mut u64,
    pub(crate) vtype: &'a mut u64,
    pub(crate) vunit: &'a mut u64,
    pub(crate) vguess: &'a mut u64,
    pub(crate) vxsat: &'a mut u64,
    pub(crate) vxrm: u8,
    pub(crate) frm: u32,
}

impl Vectors<'_> {
    /// Element `i`, of 2^eew bytes, of the group that begins at `v[reg]`.
    pub(crate) fn get(&self, reg: u8, eew: u8, i: u64) -> u64 {
        let (at, shift) = place(reg, eew, i);
        (self.v[at] >> shift) as u64 & mask(eew)
    }
    /// Writes an element.
    pub(crate) fn set(&mut self, reg: u8, eew: u8, i: u64, v: u64) {
        let (at, shift) = place(reg, eew, i);
        let mask = u128::from(mask(eew));
        self.v[at] = self.v[at] & !(mask << shift) | (u128::from(v) & mask) << shift;
    }
    /// Bit `i` of a mask register.
    pub(crate) fn bit(&self, reg: u8, i: u64) -> bool {
        self.v[usize::from(reg & 31)] >> (i & 127) & 1 != 0
    }
    /// Writes a bit of a mask register.
    pub(crate) fn set_bit(&mut self, reg: u8, i: u64, v: bool) {
        let r = &mut self.v[usize::from(reg & 31)];
        *r = *r & !(1 << (i & 127)) | u128::from(v) << (i & 127);
    }
    /// Whether element `i` takes part.
    pub(crate) fn active(&self, vm: bool, i: u64) -> bool {
        vm || self.bit(0, i)
    }
    /// Makes `vunit` what the registers that it follows from say.
    fn settle(&mut self) {
        *self.vunit = Unit::of_registers(*self.vtype, *self.vl, *self.vstart).code().into();
    }
}

/// Register and bit of an element.
fn place(reg: u8, eew: u8, i: u64) -> (usize, u32) {
    let byte = i << eew;
    ((usize::from(reg) + (byte / 16) as usize) & 31, (byte % 16 * 8) as u32)
}
/// Ones in the bits of an element.
pub(crate) fn mask(eew: u8) -> u64 {
    u64::MAX >> (64 - (8 << eew))
}
/// Sign-extends an element.
pub(crate) fn extend(v: u64, eew: u8) -> i64 {
    let n = 64 - (8 << eew);
    (v << n) as i64 >> n
}

/// Where the first operand of an instruction comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Src {
    /// Vector register.
    V(u8),
    /// The scalar that is handed over: an integer, sign-extended, or the bits
    /// of a floating-point number of the element's width.
    Scalar,
}

/// An instruction as the helper takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) op: VOp,
    pub(crate) vd: u8,
    pub(crate) vs2: u8,
    pub(crate) src: Src,
    /// Not masked.
    pub(crate) vm: bool,
}

impl Step {
    /// As a number.
    pub(crate) fn pack(self) -> u64 {
        let (vs1, kind) = match self.src {
            Src::V(n) => (n, 0),
            Src::Scalar => (0, 1),
        };
        let bytes = [self.op as u8, self.vd, self.vs2, vs1, kind, self.vm.into(), 0, 0];
        u64::from_le_bytes(bytes)
    }
    fn unpack(n: u64) -> Option<Step> {
        let [op, vd, vs2, vs1, kind, vm, _, _] = n.to_le_bytes();
        let op = *VOp::ALL.get(usize::from(op))?;
        let src = if kind == 0 { Src::V(vs1) } else { Src::Scalar };
        Some(Step { op, vd, vs2, src, vm: vm != 0 })
    }
    fn vs1(self) -> u8 {
        match self.src {
            Src::V(n) => n,
            Src::Scalar => 0,
        }
    }
}

/// How wide operands and result of an operation are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// All of SEW.
    Same,
    /// Result twice as wide.
    Wide,
    /// Result and second operand twice as wide.
    WideWide,
    /// Second operand twice as wide.
    Narrow,
    /// Result is a mask.
    Compare,
    /// Second operand a fraction, 2^n, of the width.
    Extend(u8),
    /// Something else: [`legal`] and the operation know.
    Other,
}

macro_rules! vops {
    ($($shape:expr, $module:ident: $($name:ident)*;)*) => {
        /// What a vector instruction does. Operands are named as in the manual.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(crate) enum VOp { $($($name),*),* }
        impl VOp {
            const ALL: &'static [VOp] = &[$($(VOp::$name),*),*];
            /// Widths of operands and result.
            pub(crate) fn shape(self) -> Shape {
                match self { $($(VOp::$name)|* => $shape,)* }
            }
            fn run(self, u: &mut Vectors<'_>, c: Config, s: Step, x: u64) -> u64 {
                match self { $($(VOp::$name)|* => $module::run(u, c, s, x),)* }
            }
        }
    };
}

use Shape::{Compare, Extend, Narrow, Other, Same, Wide, WideWide};

vops! {
    Same, element: Add Sub Rsub And Or Xor Minu Min Maxu Max Sll Srl Sra
        Mul Mulh Mulhu Mulhsu Divu Div Remu Rem Macc Nmsac Madd Nmsub Adc Sbc Merge Mv
        Saddu Sadd Ssubu Ssub Aaddu Aadd Asubu Asub Smul Ssrl Ssra
        Andn Rol Ror Brev8 Rev8 Brev Clz Ctz Cpop Clmul Clmulh;
    Wide, element: Waddu Wadd Wsubu Wsub Wmulu Wmulsu Wmul Wmaccu Wmacc Wmaccsu Wmaccus Wsll;
    WideWide, element: WadduW WaddW WsubuW WsubW;
    Narrow, element: Nsrl Nsra Nclipu Nclip;
    Compare, element: Mseq Msne Msltu Mslt Msleu Msle Msgtu Msgt Madc Msbc;
    Extend(1), element: ZextF2 SextF2;
    Extend(2), element: ZextF4 SextF4;
    Extend(3), element: ZextF8 SextF8;
    Same, float: Fadd Fsub Frsub Fmul Fdiv Frdiv Fmin Fmax Fsgnj Fsgnjn Fsgnjx
        Fmacc Fnmacc Fmsac Fnmsac Fmadd Fnmadd Fmsub Fnmsub Fmerge Fmv
        Fsqrt Frsqrt7 Frec7 Fclass CvtXuF CvtXF CvtFXu CvtFX CvtRtzXuF CvtRtzXF;
    Wide, float: Fwadd Fwsub Fwmul Fwmacc Fwnmacc Fwmsac Fwnmsac
        WcvtXuF WcvtXF WcvtFXu WcvtFX WcvtFF WcvtRtzXuF WcvtRtzXF;
    WideWide, float: FwaddW FwsubW;
    Narrow, float: NcvtXuF NcvtXF NcvtFXu NcvtFX NcvtFF NcvtRodFF NcvtRtzXuF NcvtRtzXF;
    Compare, float: Mfeq Mfle Mflt Mfne Mfgt Mfge;
    Other, reduce: Redsum Redand Redor Redxor Redminu Redmin Redmaxu Redmax Wredsumu Wredsum
        Fredusum Fredosum Fredmin Fredmax Fwredusum Fwredosum;
    Other, permute: Mandn Mand Mor Mxor Morn Mnand Mnor Mxnor Mcpop Mfirst Msbf Msof Msif
        Iota Id MvR Slideup Slidedown Slide1up Slide1down Gather Gatherei16 Compress MvSx FmvSf
        Fslide1up Fslide1down;
    Other, crypto: AesdmVv AesdmVs AesdfVv AesdfVs AesemVv AesemVs AesefVv AesefVs AeszVs
        Aeskf1 Aeskf2 Ghsh Gmul Sha2ms Sha2ch Sha2cl Sm4k Sm4rVv Sm4rVs Sm3me Sm3c;
}

/// In a result: the instruction is illegal.
pub(crate) const ILLEGAL: u64 = 1 << 63;

/// Executes a [`Step`] that is [`legal`] with a scalar. The result is [`ILLEGAL`], or an integer
/// result, or raised floating-point flags as the `fpstat` op numbers them.
pub(crate) const VECTOR: Helper = Helper { name: "rv_vector", func: vector, writes_state: true };

extern "C" fn vector(state: *mut u8, step: u64, scalar: u64, _: u64) -> u64 {
    let Some(step) = Step::unpack(step) else { return ILLEGAL };
    call::vectors(state, |u| execute(u, step, scalar))
}

fn execute(u: &mut Vectors<'_>, s: Step, scalar: u64) -> u64 {
    let Some(c) = Config::of_vtype(*u.vtype) else { return ILLEGAL };
    let result = s.op.run(u, c, s, scalar);
    if result == ILLEGAL {
        return result;
    }
    *u.vstart = 0;
    u.settle();
    result
}

/// Makes `vunit` follow the registers, and the guess, for the next instruction; [`ILLEGAL`] if
/// `vtype` is illegal.
pub(crate) const SETTLE: Helper = Helper { name: "rv_vsettle", func: settle, writes_state: true };

extern "C" fn settle(state: *mut u8, _: u64, _: u64, _: u64) -> u64 {
    call::vectors(state, |u| {
        u.settle();
        *u.vguess = u64::from(needed(Unit::of_code(*u.vunit as u32)) | CHOSEN);
        if Config::of_vtype(*u.vtype).is_some() { 0 } else { ILLEGAL }
    })
}

/// Index of the first active element from `vstart` on; `vl` or more if there
/// is none. Masked.
pub(crate) const NEXT: Helper = Helper { name: "rv_vnext", func: next, writes_state: false };

extern "C" fn next(state: *mut u8, _: u64, _: u64, _: u64) -> u64 {
    call::vectors(state, |u| {
        let from = *u.vstart;
        if from > 127 {
            return from;
        }
        from + u64::from((u.v[0] >> from).trailing_zeros())
    })
}

/// Element of a group; `a` is register, log2 of the bytes; `b` the index.
pub(crate) const ELEMENT: Helper =
    Helper { name: "rv_velement", func: element, writes_state: false };

extern "C" fn element(state: *mut u8, a: u64, i: u64, _: u64) -> u64 {
    let [reg, eew, ..] = a.to_le_bytes();
    call::vectors(state, |u| u.get(reg & 31, eew & 3, i))
}

/// Writes an element of a group: register and log2 of the bytes, index, value.
pub(crate) const SET_ELEMENT: Helper =
    Helper { name: "rv_vset_element", func: set_element, writes_state: true };

extern "C" fn set_element(state: *mut u8, a: u64, i: u64, v: u64) -> u64 {
    let [reg, eew, ..] = a.to_le_bytes();
    call::vectors(state, |u| u.set(reg & 31, eew & 3, i, v));
    0
}

/// `vsetvl` with `vtype` from a register: sets the unit for `avl` elements and
/// returns `vl`. `keep` is 1 to keep the length that is.
pub(crate) const VSETVL: Helper = Helper { name: "rv_vsetvl", func: vsetvl, writes_state: true };

extern "C" fn vsetvl(state: *mut u8, vtype: u64, avl: u64, keep: u64) -> u64 {
    call::vectors(state, |u| {
        let avl = if keep != 0 { *u.vl } else { avl };
        let c = Config::of_vtype(vtype);
        *u.vtype = if c.is_some() { vtype } else { crate::vector::VILL };
        *u.vl = c.map_or(0, |c| avl.min(c.vlmax()));
        *u.vstart = 0;
        u.settle();
        *u.vl
    })
}
