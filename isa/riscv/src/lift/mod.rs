//! Meaning of the instructions: one module per `module` line of the tables,
//! one function per row. Chapters are those of the unprivileged manual.

mod float;
pub mod rv_a;
pub mod rv_d;
pub mod rv_f;
pub mod rv_i;
pub mod rv_m;
pub mod rv_priv;
pub mod rv_v;
pub mod rv_zabha;
pub mod rv_zacas;
pub mod rv_zb;
pub mod rv_zfa;
pub mod rv_zfh;
pub mod rv_zicbo;
pub mod rv_zicsr;
pub mod rv_zk;
pub mod rv_zvk;

pub use remu_isa::Lift;

use remu_ir::{Type, Val};

use crate::state::slots;

/// Integer registers.
pub(crate) trait Regs {
    /// Value of `x[n]`.
    fn x(&self, n: u8) -> Val;
    /// Low 32 bits of `x[n]`.
    fn w(&self, n: u8) -> Val;
    /// Writes `x[n]` unless that is `x0`.
    fn set_x(&self, n: u8, v: Val);
    /// Writes a 32-bit result, sign-extended.
    fn set_w(&self, n: u8, v: Val);
}

impl Regs for Lift<'_> {
    fn x(&self, n: u8) -> Val {
        if n == 0 { self.c64(0) } else { self.get(slots::x(n.into())) }
    }
    fn w(&self, n: u8) -> Val {
        self.trunc(self.x(n))
    }
    fn set_x(&self, n: u8, v: Val) {
        if n != 0 {
            self.set(slots::x(n.into()), v);
        }
    }
    fn set_w(&self, n: u8, v: Val) {
        debug_assert_eq!(v.ty, Type::I32);
        if n != 0 {
            self.set_x(n, self.sext(v));
        }
    }
}
