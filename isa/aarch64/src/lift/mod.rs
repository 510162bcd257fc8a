//! Lifters, one file per table, one function per row.

use remu_isa::ir::{Addr, FlagCond, Fp, MemOp, NanRule, Order, Rm, Type, Val};

pub use remu_isa::Lift;

use crate::isa::KEY_DN;
use crate::state::slots;

pub mod atomics;
pub mod branch_sys;
pub mod crypto;
pub mod dp_imm;
pub mod dp_reg;
pub(crate) mod flush;
pub mod fp_scalar;
pub(crate) mod lanes;
pub mod ldst;
pub mod ldst_simd;
pub mod mops;
pub(crate) mod pac;
pub mod simd_elem;
pub mod simd_fp;
pub mod simd_int;
pub mod simd_long;
pub mod simd_shift;

/// Registers as the manual reads and writes them.
pub(crate) trait Regs {
    /// `X[n, 64]`: 31 is zero.
    fn x(&self, n: u8) -> Val;
    /// `X[n, 32]`.
    fn w(&self, n: u8) -> Val;
    /// `X[n, 64]`, or the stack pointer for 31.
    fn xsp(&self, n: u8) -> Val;
    /// `X[n, 32 << sf]`.
    fn r(&self, n: u8, sf: u8) -> Val;
    /// `X[n, 32 << sf]`, or the stack pointer for 31.
    fn rsp(&self, n: u8, sf: u8) -> Val;
    /// Writes `X[n]`; a 32-bit value is zero-extended.
    fn set_r(&self, n: u8, v: Val);
    /// Writes `X[n]`, or the stack pointer for 31.
    fn set_rsp(&self, n: u8, v: Val);
    /// Integer constant of 32 << sf bits.
    fn imm(&self, v: u64, sf: u8) -> Val;
    /// The condition flags as a condition asks for them.
    fn holds(&self, cond: u8) -> Val;
    /// Writes the flags.
    fn set_flags(&self, flags: Val);
    /// `V[n]`.
    fn v(&self, n: u8) -> Val;
    /// Writes `V[n]`.
    fn set_v(&self, n: u8, v: Val);
    /// Low element of `V[n]` as a float.
    fn f(&self, n: u8, t: Type) -> Val;
    /// Writes a float to `V[n]`, the rest zero.
    fn set_f(&self, n: u8, f: Val);
    /// Floating-point policy: rounding as FPCR says, NaNs as FPCR.DN says.
    fn fp(&self) -> Fp;
}

impl Regs for Lift<'_> {
    fn x(&self, n: u8) -> Val {
        if n == 31 { self.c64(0) } else { self.get(slots::x(n.into())) }
    }
    fn w(&self, n: u8) -> Val {
        if n == 31 { self.c32(0) } else { self.trunc(self.x(n)) }
    }
    fn xsp(&self, n: u8) -> Val {
        self.get(slots::x(n.into()))
    }
    fn r(&self, n: u8, sf: u8) -> Val {
        if sf == 1 { self.x(n) } else { self.w(n) }
    }
    fn rsp(&self, n: u8, sf: u8) -> Val {
        if sf == 1 { self.xsp(n) } else { self.trunc(self.xsp(n)) }
    }
    fn set_r(&self, n: u8, v: Val) {
        if n != 31 {
            self.set_rsp(n, v);
        }
    }
    fn set_rsp(&self, n: u8, v: Val) {
        let v = if v.ty == Type::I32 { self.zext(v) } else { v };
        self.set(slots::x(n.into()), v);
    }
    fn imm(&self, v: u64, sf: u8) -> Val {
        self.iconst(v, int(sf))
    }
    fn holds(&self, cond: u8) -> Val {
        if cond >= 14 {
            return self.bool_const(true);
        }
        self.fl_cond(self.get(slots::nzcv(0)), FlagCond::from_u8(cond))
    }
    fn set_flags(&self, flags: Val) {
        self.set(slots::nzcv(0), flags);
    }
    fn v(&self, n: u8) -> Val {
        self.get(slots::v(n.into()))
    }
    fn set_v(&self, n: u8, v: Val) {
        self.set(slots::v(n.into()), v);
    }
    fn f(&self, n: u8, t: Type) -> Val {
        self.vtof(self.v(n), t)
    }
    fn set_f(&self, n: u8, f: Val) {
        self.set_v(n, self.vfromf(f));
    }
    fn fp(&self) -> Fp {
        let dn = self.key().0 & KEY_DN != 0;
        Fp::dynamic(if dn { NanRule::ArmDefault } else { NanRule::Arm })
    }
}

/// Integer type of 32 << sf bits.
pub(crate) fn int(sf: u8) -> Type {
    if sf == 1 { Type::I64 } else { Type::I32 }
}

/// Floating-point type of the `type` field: 0 single, 1 double, 3 half.
pub(crate) fn float(ty: u8) -> Type {
    match ty {
        0 => Type::F32,
        1 => Type::F64,
        _ => Type::F16,
    }
}

/// Integer type that a register access of 2^sz bytes uses.
pub(crate) fn access(sz: u8) -> Type {
    int(u8::from(sz >= 3))
}

/// Plain access of 2^sz bytes at a displacement.
pub(crate) fn plain(sz: u8, disp: i32) -> Addr {
    Addr { disp, ..Addr::at(MemOp::unsigned(sz)) }
}

/// Aligned access of 2^sz bytes with an order.
pub(crate) fn ordered(sz: u8, order: Order) -> Addr {
    Addr { order, ..Addr::at(MemOp::unsigned(sz).align()) }
}

/// Rounding mode of the `rmode` field: N, P, M, Z.
pub(crate) fn rmode(n: u8) -> Rm {
    [Rm::Ne, Rm::Up, Rm::Dn, Rm::Tz][usize::from(n & 3)]
}
