//! "Vector Loads and Stores".
//!
//! Whole registers are loaded and stored as such, and the first elements of
//! registers in programs. Everything else is a loop over the instruction itself, one element each time, with `vstart` as its
//! counter: the manual made instructions restartable so.

use remu_ir::{Addr, Cond, ExitKind, MemOp, Type, Val};

use super::{Vu, unit};
use crate::decode::args;
use crate::helpers::vector::{ELEMENT, NEXT, SET_ELEMENT};
use crate::lift::{Lift, Regs};
use crate::state::slots;
use crate::system::MachineKey;
use crate::vector::{ANYTHING, HOME, Unit, VLENB};

#[derive(Clone, Copy, PartialEq)]
enum Dir {
    Load,
    Store,
}

/// Where elements are.
enum Place {
    /// One after the other.
    Unit,
    /// So many bytes apart.
    Stride(Val),
    /// At offsets in elements, 2^eew bytes each, of a register group.
    Index(u8, u8),
}

/// log2 of the bytes that the `width` field says.
fn eew_of(width: u8) -> u8 {
    if width == 0 { 0 } else { width - 4 }
}

fn at(disp: i32, size: u8) -> Addr {
    Addr { disp, ..Addr::at(MemOp::unsigned(size)) }
}

/// Loads or stores registers.
fn whole(l: &Lift<'_>, dir: Dir, base: u8, first: u8, count: u8, eew: u8) {
    let base = l.x(base);
    for k in 0..count {
        if k > 0 {
            // What a fault reports.
            l.set(slots::vstart(0), l.c64((u64::from(k) * VLENB) >> eew));
        }
        let slot = slots::v(usize::from(first + k) & 31);
        let addr = at(i32::from(k) * 16, 4);
        match dir {
            Dir::Load => l.set(slot, l.load(base, Type::V128, addr)),
            Dir::Store => l.store(base, l.get(slot), addr),
        }
    }
    if count > 1 {
        l.set(slots::vstart(0), l.c64(0));
    }
}

/// Loads or stores the first `bytes` bytes of registers. What a partial access reads past them
/// must do no harm, so not in machines ([`reads_on`]).
fn part(l: &Lift<'_>, a: &Access, bytes: Val) {
    let base = l.x(a.base);
    for k in 0..a.regs {
        if k > 0 {
            l.set(slots::vstart(0), l.c64((u64::from(k) * VLENB) >> a.eew));
        }
        let slot = slots::v(usize::from(a.vd + k) & 31);
        let (old, disp) = (l.get(slot), i32::from(k) * 16);
        let here = l.as_const(bytes).map(|n| n.saturating_sub(disp as u64).min(16));
        match (here, a.dir) {
            (Some(0), _) => {}
            (Some(n), Dir::Load) if n.is_power_of_two() => {
                let v = l.load(base, Type::V128, at(disp, n.trailing_zeros() as u8));
                let keep = l.vconst(u128::MAX.checked_shl(8 * n as u32).unwrap_or(0));
                l.set(slot, l.vbitsel(keep, old, v));
            }
            (Some(n), Dir::Store) if n.is_power_of_two() => {
                l.store(base, old, at(disp, n.trailing_zeros() as u8));
            }
            (_, Dir::Load) => l.set(slot, l.vload_part(base, bytes, old, disp)),
            (_, Dir::Store) => _ = l.vstore_part(base, bytes, old, disp),
        }
    }
    if a.regs > 1 {
        l.set(slots::vstart(0), l.c64(0));
    }
}
/// Whether elements side by side may be accessed by [`part`].
fn reads_on(l: &Lift<'_>, u: Vu, a: &Access) -> bool {
    u.inline() && a.vm && a.fields == 1 && MachineKey::of_key(l.key()).is_none()
}
/// Elements side by side from the first to the `count`th.
fn adjacent(l: &Lift<'_>, u: Vu, a: &Access, count: Val) {
    if reads_on(l, u, a) {
        return part(l, a, l.shl_imm(count, a.eew.into()));
    }
    elements(l, u.unit, a, Place::Unit, count);
}

/// Bits of `v0` from `vstart` on decide which element is next.
fn each(l: &Lift<'_>, u: Unit, vm: bool, count: Val, body: impl FnOnce(Val)) {
    let i = if vm { l.get(slots::vstart(0)) } else { l.helper(NEXT, &[]) };
    let done = l.icmp(i, count, Cond::Geu);
    l.set(slots::vstart(0), l.movcond(done, l.c64(0), i));
    if matches!(u, Unit::Started(_)) {
        let unit = l.get(slots::vunit(0));
        l.set(slots::vunit(0), l.movcond(done, l.c64(ANYTHING), unit));
    }
    l.brcond(done, l.next_pc());
    body(i);
    l.set(slots::vstart(0), l.add_imm(i, 1));
    l.goto(l.pc());
}

struct Access {
    dir: Dir,
    vd: u8,
    base: u8,
    vm: bool,
    /// Fields of a segment, and registers from one to the next.
    fields: u8,
    regs: u8,
    eew: u8,
}

/// Element by element.
fn elements(l: &Lift<'_>, u: Unit, a: &Access, place: Place, count: Val) {
    each(l, u, a.vm, count, |i| {
        let bytes = 1u64 << a.eew;
        let offset = match place {
            Place::Unit => l.mul(i, l.c64(bytes * u64::from(a.fields))),
            Place::Stride(n) => l.mul(i, n),
            Place::Index(reg, eew) => element(l, reg, eew, i),
        };
        let base = l.add(l.x(a.base), offset);
        for field in 0..a.fields {
            let reg = a.vd + field * a.regs;
            let addr = at(i32::from(field) << a.eew, a.eew);
            match a.dir {
                Dir::Load => {
                    let v = l.load(base, Type::I64, addr);
                    l.helper(SET_ELEMENT, &[element_of(l, reg, a.eew), i, v]);
                }
                Dir::Store => l.store(base, element(l, reg, a.eew, i), addr),
            }
        }
    });
}
fn element_of(l: &Lift<'_>, reg: u8, eew: u8) -> Val {
    l.c64(u64::from(reg) | u64::from(eew) << 8)
}
fn element(l: &Lift<'_>, reg: u8, eew: u8, i: Val) -> Val {
    l.helper(ELEMENT, &[element_of(l, reg, eew), i])
}

/// The registers of a segment's fields are groups that exist, and no load's
/// result is where its mask is.
fn fits(a: &Access) -> bool {
    let end = a.vd + a.fields * a.regs;
    let total = a.fields * a.regs;
    a.vd & (a.regs - 1) == 0
        && total <= 8
        && end <= 32
        && (a.vm || a.dir == Dir::Store || a.vd != 0)
}

fn unit_stride(l: &Lift<'_>, dir: Dir, a: args::Vmem) {
    let Some(u) = unit(l) else { return };
    let eew = eew_of(a.width);
    let Some(regs) = u.c.regs(eew) else { return l.illegal() };
    let (vm, fields) = (a.vm != 0, a.nf + 1);
    let access = Access { dir, vd: a.vd, base: a.rs1, vm, fields, regs, eew };
    if !fits(&access) {
        return l.illegal();
    }
    let complete = u.c.emul(eew).is_some_and(|n| n >= 0);
    if u.full() && complete && vm && fields == 1 {
        return whole(l, dir, a.rs1, a.vd, regs, eew);
    }
    adjacent(l, u, &access, l.get(slots::vl(0)));
}

/// "Unit-stride Fault-Only-First Loads". A load may process fewer elements
/// than `vl` says for any reason: those up to the end of the page of the first.
fn first_fault(l: &Lift<'_>, a: args::Vmem) {
    let Some(u) = unit(l) else { return };
    let eew = eew_of(a.width);
    let Some(regs) = u.c.regs(eew) else { return l.illegal() };
    let (vm, fields) = (a.vm != 0, a.nf + 1);
    let access = Access { dir: Dir::Load, vd: a.vd, base: a.rs1, vm, fields, regs, eew };
    if !fits(&access) {
        return l.illegal();
    }
    let to_end = l.sub(l.c64(4096), l.and(l.x(a.rs1), l.c64(4095)));
    let there = l.divu(to_end, l.c64(u64::from(fields) << eew), remu_ir::DivZero::Ones);
    let there = l.umax(there, l.c64(1));
    let vl = l.umin(l.get(slots::vl(0)), there);
    l.set(slots::vl(0), vl);
    let (full, part) = (Unit::Full(u.c).code(), Unit::Part(u.c).code());
    if !matches!(u.unit, Unit::Started(_)) {
        let is_full = l.icmp(vl, l.c64(u.c.vlmax()), Cond::Eq);
        let code = l.movcond(is_full, l.c64(full.into()), l.c64(part.into()));
        l.set(slots::vunit(0), code);
    }
    adjacent(l, u, &access, vl);
}

fn strided(l: &Lift<'_>, dir: Dir, a: args::Vstride) {
    let Some(u) = unit(l) else { return };
    let eew = eew_of(a.width);
    let Some(regs) = u.c.regs(eew) else { return l.illegal() };
    let (vm, fields) = (a.vm != 0, a.nf + 1);
    let access = Access { dir, vd: a.vd, base: a.rs1, vm, fields, regs, eew };
    if !fits(&access) {
        return l.illegal();
    }
    elements(l, u.unit, &access, Place::Stride(l.x(a.rs2)), l.get(slots::vl(0)));
}

/// The width is that of the index; data are of SEW.
fn indexed(l: &Lift<'_>, dir: Dir, a: args::Vindex) {
    let Some(u) = unit(l) else { return };
    let index = eew_of(a.width);
    let Some(index_regs) = u.c.regs(index) else { return l.illegal() };
    let (vm, fields) = (a.vm != 0, a.nf + 1);
    let regs = 1 << u.c.lmul.max(0);
    let access = Access { dir, vd: a.vd, base: a.rs1, vm, fields, regs, eew: u.c.sew };
    let legal = fits(&access)
        // The mask is no index.
        && (vm || a.vs2 != 0)
        && a.vs2 & (index_regs - 1) == 0
        && match dir {
            Dir::Load => index_may_overlap(u, &access, a.vs2, index, index_regs),
            // Operands of one width, and the mask has its own.
            Dir::Store => {
                let overlap = a.vd < a.vs2 + index_regs && a.vs2 < a.vd + regs;
                (vm || a.vd != 0) && (!overlap || index == u.c.sew)
            }
        };
    if !legal {
        return l.illegal();
    }
    elements(l, u.unit, &access, Place::Index(a.vs2, index), l.get(slots::vl(0)));
}

/// Whether a load's result may be where its index is.
fn index_may_overlap(u: Vu, a: &Access, vs2: u8, eew: u8, regs: u8) -> bool {
    let (end, index_end) = (a.vd + a.fields * a.regs, vs2 + regs);
    let overlap = a.vd < index_end && vs2 < end;
    if !overlap {
        return true;
    }
    if a.fields > 1 {
        return false;
    }
    match a.eew.cmp(&eew) {
        core::cmp::Ordering::Equal => true,
        // A narrower result: at the index's lowest registers.
        core::cmp::Ordering::Less => a.vd == vs2,
        // A wider one: the index at its highest.
        core::cmp::Ordering::Greater => u.c.emul(eew).is_some_and(|n| n >= 0) && index_end == end,
    }
}

/// `vlm.v`, `vsm.v`: the bytes of a mask of `vl` bits.
fn mask(l: &Lift<'_>, dir: Dir, a: args::Vmem) {
    let Some(u) = unit(l) else { return };
    let access = Access { dir, vd: a.vd, base: a.rs1, vm: true, fields: 1, regs: 1, eew: 0 };
    let vl = l.get(slots::vl(0));
    let bytes = l.shr_imm(l.add_imm(vl, 7), 3);
    if u.full() {
        // A power of two.
        let size = u.c.vlmax().div_ceil(8).trailing_zeros() as u8;
        let slot = slots::v(a.vd.into());
        let old = l.get(slot);
        match dir {
            Dir::Store => return l.store(l.x(a.rs1), old, at(0, size)),
            Dir::Load => {
                let v = l.load(l.x(a.rs1), Type::V128, at(0, size));
                let keep = l.vconst(u128::MAX.checked_shl(8 << size).unwrap_or(0));
                return l.set(slot, l.vbitsel(keep, old, v));
            }
        }
    }
    adjacent(l, u, &access, bytes);
}

/// Whole registers, whatever `vtype` and `vl` say, also where no other instruction is legal.
fn registers(l: &Lift<'_>, dir: Dir, a: args::Vmem) {
    let count = a.nf + 1;
    if a.vd & (count - 1) != 0 {
        return l.illegal();
    }
    let eew = eew_of(a.width);
    let code = l.fact().unwrap_or_else(|| crate::isa::unit_of(l.guess()));
    let guess = Unit::of_code(code);
    let at_home = l.fact().is_none() && code == HOME;
    if at_home || matches!(guess, Unit::Full(_) | Unit::Part(_)) {
        if l.fact().is_none() {
            let started = l.icmp(l.get(slots::vstart(0)), l.c64(0), Cond::Ne);
            l.exit_if(started, ExitKind::KeyChanged, l.pc());
        }
        return whole(l, dir, a.rs1, a.vd, count, eew);
    }
    if guess == Unit::Odd {
        // `vstart` changes on the way, whatever the unit is.
        l.set(slots::vunit(0), l.c64(ANYTHING));
    }
    let access = Access { dir, vd: a.vd, base: a.rs1, vm: true, fields: 1, regs: count, eew };
    let elements_of = l.c64((u64::from(count) * VLENB) >> eew);
    elements(l, guess, &access, Place::Unit, elements_of);
}

/// One function per row: `how(Set, Direction): row ..;`.
macro_rules! rows {
    ($($how:ident $call:tt: $($name:ident)*;)*) => {
        $($(rows!(@one $name $how $call);)*)*
    };
    (@one $name:ident $how:ident ($set:ident $(, $dir:ident)?)) => {
        pub fn $name(l: &Lift<'_>, a: args::$set) {
            $how(l, $(Dir::$dir,)? a);
        }
    };
}
rows! {
    unit_stride(Vmem, Load): vle8_v vle16_v vle32_v vle64_v;
    unit_stride(Vmem, Store): vse8_v vse16_v vse32_v vse64_v;
    first_fault(Vmem): vle8ff_v vle16ff_v vle32ff_v vle64ff_v;
    strided(Vstride, Load): vlse8_v vlse16_v vlse32_v vlse64_v;
    strided(Vstride, Store): vsse8_v vsse16_v vsse32_v vsse64_v;
    indexed(Vindex, Load): vluxei8_v vluxei16_v vluxei32_v vluxei64_v
        vloxei8_v vloxei16_v vloxei32_v vloxei64_v;
    indexed(Vindex, Store): vsuxei8_v vsuxei16_v vsuxei32_v vsuxei64_v
        vsoxei8_v vsoxei16_v vsoxei32_v vsoxei64_v;
    mask(Vmem, Load): vlm_v;
    mask(Vmem, Store): vsm_v;
    registers(Vmem, Load): vl1re8_v vl1re16_v vl1re32_v vl1re64_v vl2re8_v vl2re16_v vl2re32_v
        vl2re64_v vl4re8_v vl4re16_v vl4re32_v vl4re64_v vl8re8_v vl8re16_v vl8re32_v vl8re64_v;
    registers(Vmem, Store): vs1r_v vs2r_v vs4r_v vs8r_v;
}
