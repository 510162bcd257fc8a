//! Loads and stores. One function per row of `ldst.decode`: the accesses are
//! said once, each addressing mode wraps them.

use remu_isa::ir::{Addr, Lane, MemOp, Type, Val};

use super::dp_reg::extend_reg;
use super::pac;
use super::{Lift, Regs, access, plain};
use crate::decode::args;
use crate::system::MachineKey;

/// Where an access goes: base, index, facts.
#[derive(Clone, Copy)]
struct Place {
    base: Val,
    index: Val,
    addr: Addr,
}

impl Place {
    fn at(base: Val, sz: u8, disp: i64) -> Place {
        // Displacements have at most 16 bits.
        Place { base, index: Val::NONE, addr: plain(sz, disp as i32) }
    }
    fn sign(self) -> Place {
        Place { addr: Addr { mem: self.addr.mem.sign(), ..self.addr }, ..self }
    }
    fn sz(self) -> u8 {
        self.addr.mem.size
    }
    fn load(self, l: &Lift, t: Type) -> Val {
        l.load_indexed(self.base, self.index, t, self.addr)
    }
    fn store(self, l: &Lift, v: Val) {
        l.store_indexed(self.base, self.index, v, self.addr);
    }
    /// The same place `n` bytes further.
    fn next(self, n: i32) -> Place {
        Place { addr: Addr { disp: self.addr.disp + n, ..self.addr }, ..self }
    }
}

/// Load of a general register: plain, sign-extended to 64 or to 32 bits.
fn ldr(l: &Lift, p: Place) -> Val {
    p.load(l, access(p.sz()))
}
fn ldrsx(l: &Lift, p: Place) -> Val {
    p.sign().load(l, Type::I64)
}
fn ldrsw(l: &Lift, p: Place) -> Val {
    p.sign().load(l, Type::I32)
}
/// Scalar SIMD load: the rest of the register is zero.
fn ldrv(l: &Lift, p: Place) -> Val {
    match p.sz() {
        0 | 1 => l.vfromf(l.bitcast(p.load(l, Type::I32), Type::F32)),
        2 => l.vfromf(p.load(l, Type::F32)),
        3 => l.vfromf(p.load(l, Type::F64)),
        _ => p.load(l, Type::V128),
    }
}
fn str(l: &Lift, p: Place, rt: u8) {
    p.store(l, l.r(rt, u8::from(p.sz() >= 3)));
}
fn strv(l: &Lift, p: Place, rt: u8) {
    let v = l.v(rt);
    match p.sz() {
        0 => p.store(l, l.lane(v, Lane::B, 0)),
        1 => p.store(l, l.lane(v, Lane::H, 0)),
        2 => p.store(l, l.vtof(v, Type::F32)),
        3 => p.store(l, l.vtof(v, Type::F64)),
        _ => p.store(l, v),
    }
}
/// Access of a SIMD register of 2^sz bytes at an address, for other tables.
pub(crate) fn load_simd(l: &Lift, base: Val, addr: Addr) -> Val {
    ldrv(l, Place { base, index: Val::NONE, addr })
}
/// Likewise, a store.
pub(crate) fn store_simd(l: &Lift, base: Val, addr: Addr, rt: u8) {
    strv(l, Place { base, index: Val::NONE, addr }, rt);
}

fn scaled(l: &Lift, a: args::Imm) -> Place {
    Place::at(l.xsp(a.rn), a.sz, i64::from(a.imm) << a.sz)
}
fn unscaled(l: &Lift, a: args::Imm) -> Place {
    Place::at(l.xsp(a.rn), a.sz, a.imm.into())
}
/// With the rights of EL0.
fn unprivileged(l: &Lift, a: args::Imm) -> Place {
    let p = unscaled(l, a);
    let user = MachineKey::of_key(l.key()).is_some_and(|key| key.el() == 1);
    Place { addr: Addr { mem: MemOp { user, ..p.addr.mem }, ..p.addr }, ..p }
}
fn post(l: &Lift, a: args::Imm) -> Place {
    Place::at(l.xsp(a.rn), a.sz, 0)
}
fn write_back(l: &Lift, a: args::Imm) {
    l.set_rsp(a.rn, l.add_imm(l.xsp(a.rn), a.imm.into()));
}
fn no_write_back(_: &Lift, _: args::Imm) {}
fn indexed(l: &Lift, a: args::Reg) -> Place {
    let index = extend_reg(l, a.rm, a.option, 0, 1);
    let shift = if a.s == 1 { a.sz } else { 0 };
    let (index, scale) =
        if shift > 3 { (l.shl_imm(index, shift.into()), 0) } else { (index, shift) };
    let addr = Addr { scale, ..plain(a.sz, 0) };
    Place { base: l.xsp(a.rn), index, addr }
}
fn no_write_back_reg(_: &Lift, _: args::Reg) {}

/// Rows of one addressing mode: place, write-back, and the six accesses.
macro_rules! mode {
    ($set:ident $place:ident $back:ident: $str:ident $ldr:ident $ldrsx:ident $ldrsw:ident $($strv:ident $ldrv:ident)?) => {
        #[doc = concat!("`", stringify!($str), "`.")]
        pub fn $str(l: &Lift, a: args::$set) {
            str(l, $place(l, a), a.rt);
            $back(l, a);
        }
        mode!(@load $set $place $back ldr set_r $ldr);
        mode!(@load $set $place $back ldrsx set_r $ldrsx);
        mode!(@load $set $place $back ldrsw set_r $ldrsw);
        $(
        #[doc = concat!("`", stringify!($strv), "`.")]
        pub fn $strv(l: &Lift, a: args::$set) {
            strv(l, $place(l, a), a.rt);
            $back(l, a);
        }
        mode!(@load $set $place $back ldrv set_v $ldrv);
        )?
    };
    (@load $set:ident $place:ident $back:ident $how:ident $write:ident $name:ident) => {
        #[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::$set) {
            let v = $how(l, $place(l, a));
            $back(l, a);
            l.$write(a.rt, v);
        }
    };
}
mode!(Imm scaled no_write_back: str_ui ldr_ui ldrsx_ui ldrsw_ui strv_ui ldrv_ui);
mode!(Imm unscaled no_write_back: str_ur ldr_ur ldrsx_ur ldrsw_ur strv_ur ldrv_ur);
mode!(Imm unprivileged no_write_back: str_tr ldr_tr ldrsx_tr ldrsw_tr);
mode!(Imm post write_back: str_post ldr_post ldrsx_post ldrsw_post strv_post ldrv_post);
mode!(Imm unscaled write_back: str_pre ldr_pre ldrsx_pre ldrsw_pre strv_pre ldrv_pre);
mode!(Reg indexed no_write_back_reg: str_reg ldr_reg ldrsx_reg ldrsw_reg strv_reg ldrv_reg);

/// Bits 4:3 of a prefetch operation say data for loads, instructions, data for
/// stores: instructions are left to the host.
fn prefetch(l: &Lift, p: Place, operation: u8) {
    if matches!(operation >> 3, 0 | 2) {
        l.prefetch(p.base, p.index, p.addr);
    }
}
/// PRFM (immediate).
pub fn prfm(l: &Lift, a: args::Imm) {
    prefetch(l, scaled(l, a), a.rt);
}
/// PRFUM.
pub fn prfum(l: &Lift, a: args::Imm) {
    prefetch(l, unscaled(l, a), a.rt);
}
/// PRFM (register).
pub fn prfm_reg(l: &Lift, a: args::Reg) {
    prefetch(l, indexed(l, a), a.rt);
}
/// RPRFM: a hint.
pub fn rprfm(_: &Lift, _: args::Rprfm) {}
/// PRFM (literal): a hint.
pub fn prfm_lit(_: &Lift, _: args::Lit) {}

fn literal(l: &Lift, a: args::Lit) -> Place {
    Place::at(l.pcconst(l.pc().wrapping_add_signed(a.imm)), a.sz, 0)
}
/// LDR (literal).
pub fn ldr_lit(l: &Lift, a: args::Lit) {
    l.set_r(a.rt, ldr(l, literal(l, a)));
}
/// LDRSW (literal).
pub fn ldrsw_lit(l: &Lift, a: args::Lit) {
    l.set_r(a.rt, ldrsx(l, literal(l, a)));
}
/// LDR (literal, SIMD&FP).
pub fn ldrv_lit(l: &Lift, a: args::Lit) {
    l.set_v(a.rt, ldrv(l, literal(l, a)));
}

fn pair_offset(a: args::Pair) -> i64 {
    i64::from(a.imm) << a.sz
}
fn pair_at(l: &Lift, a: args::Pair) -> Place {
    Place::at(l.xsp(a.rn), a.sz, pair_offset(a))
}
fn pair_post(l: &Lift, a: args::Pair) -> Place {
    Place::at(l.xsp(a.rn), a.sz, 0)
}
fn pair_back(l: &Lift, a: args::Pair) {
    l.set_rsp(a.rn, l.add_imm(l.xsp(a.rn), pair_offset(a)));
}
fn no_pair_back(_: &Lift, _: args::Pair) {}

macro_rules! pairs {
    ($place:ident $back:ident: $stp:ident $ldp:ident $stpv:ident $ldpv:ident $($ldpsw:ident)?) => {
        pairs!(@store $place $back str $stp);
        pairs!(@store $place $back strv $stpv);
        pairs!(@load $place $back ldr set_r $ldp);
        pairs!(@load $place $back ldrv set_v $ldpv);
        $(pairs!(@load $place $back ldrsx set_r $ldpsw);)?
    };
    (@store $place:ident $back:ident $how:ident $name:ident) => {
        #[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Pair) {
            let p = $place(l, a);
            $how(l, p, a.rt);
            $how(l, p.next(1 << a.sz), a.rt2);
            $back(l, a);
        }
    };
    (@load $place:ident $back:ident $how:ident $write:ident $name:ident) => {
        #[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, a: args::Pair) {
            let p = $place(l, a);
            let first = $how(l, p);
            // If the second half faults, what the first half is loaded to is unknown,
            // unless that is where the address comes from.
            let at_once = a.rt != a.rn;
            if at_once {
                l.$write(a.rt, first);
            }
            let second = $how(l, p.next(1 << a.sz));
            $back(l, a);
            if !at_once {
                l.$write(a.rt, first);
            }
            l.$write(a.rt2, second);
        }
    };
}
pairs!(pair_at no_pair_back: stp_np ldp_np stpv_np ldpv_np);
pairs!(pair_at no_pair_back: stp_off ldp_off stpv_off ldpv_off ldpsw_off);
pairs!(pair_post pair_back: stp_post ldp_post stpv_post ldpv_post ldpsw_post);
pairs!(pair_at pair_back: stp_pre ldp_pre stpv_pre ldpv_pre ldpsw_pre);

/// LDRAA, LDRAB.
pub fn ldra(l: &Lift, a: args::Ldra) {
    let base = pac::sign(l, l.xsp(a.rn), l.c64(0), 2 + a.key);
    let addr = l.add_imm(base, a.imm.into());
    let v = l.load(addr, Type::I64, Addr::at(MemOp::U64));
    if a.wb == 1 {
        l.set_rsp(a.rn, addr);
    }
    l.set_r(a.rt, v);
}
