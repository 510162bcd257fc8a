//! "Configuration-Setting Instructions".

use remu_ir::{Cond, ExitKind, Val};

use super::key_guess;
use crate::decode::args;
use crate::helpers::vector::VSETVL;
use crate::lift::{Lift, Regs};
use crate::state::slots;
use crate::vector::{Config, HOME, STREAK, Unit, VILL};

/// Application vector length.
enum Avl {
    Max,
    Keep,
    Is(Val),
}

fn avl(l: &Lift<'_>, rd: u8, rs1: u8) -> Avl {
    match (rd, rs1) {
        (0, 0) => Avl::Keep,
        (_, 0) => Avl::Max,
        _ => Avl::Is(l.x(rs1)),
    }
}

/// Whether a setting leaves for home: the guess has served what needed it.
pub(crate) fn goes_home(guess: u32) -> bool {
    guess != HOME && !matches!(Unit::of_code(guess), Unit::Full(_))
}

fn set(l: &Lift<'_>, rd: u8, avl: Avl, vtype: u64) {
    if goes_home(key_guess(l)) {
        return l.exit(ExitKind::KeyChanged, l.pc());
    }
    let full_guess = matches!(Unit::of_code(key_guess(l)), Unit::Full(_));
    let Some(c) = Config::of_vtype(vtype) else {
        l.set(slots::vtype(0), l.c64(VILL));
        l.set(slots::vl(0), l.c64(0));
        l.set(slots::vstart(0), l.c64(0));
        l.set(slots::vunit(0), l.c64(Unit::ODD.into()));
        l.set_x(rd, l.c64(0));
        return l.know(Some(Unit::ODD));
    };
    let max = c.vlmax();
    let avl = match avl {
        Avl::Max => l.c64(max),
        Avl::Keep => l.get(slots::vl(0)),
        Avl::Is(n) => n,
    };
    let (full, part) = (Unit::Full(c).code(), Unit::Part(c).code());
    let is = |vl: Val, code: Val| {
        l.set(slots::vstart(0), l.c64(0));
        l.set(slots::vtype(0), l.c64(vtype));
        l.set(slots::vl(0), vl);
        l.set_x(rd, vl);
        l.set(slots::vunit(0), code);
    };
    if let Some(n) = l.as_const(avl) {
        let code = if n >= max { full } else { part };
        is(l.c64(n.min(max)), l.c64(code.into()));
        return l.know(Some(code));
    }
    if full != part && full_guess {
        // Whoever asks for less than there is gets it at home.
        let less = l.icmp(avl, l.c64(max), Cond::Ltu);
        l.exit_if(less, ExitKind::KeyChanged, l.pc());
        is(l.c64(max), l.c64(full.into()));
        return l.know(Some(full));
    }
    let vl = l.umin(avl, l.c64(max));
    let is_full = l.icmp(vl, l.c64(max), Cond::Eq);
    is(vl, l.movcond(is_full, l.c64(full.into()), l.c64(part.into())));
    if full != part {
        let streak = l.add_imm(l.get(slots::vstreak(0)), 1);
        let streak = l.movcond(is_full, streak, l.c64(0));
        l.set(slots::vstreak(0), streak);
        let enough = l.icmp(streak, l.c64(STREAK), Cond::Eq);
        l.exit_if(enough, ExitKind::KeyChanged, l.next_pc());
    }
    l.know(Some(part));
}

pub fn vsetvli(l: &Lift<'_>, a: args::Vsetvli) {
    set(l, a.rd, avl(l, a.rd, a.rs1), a.vtype.into());
}
pub fn vsetivli(l: &Lift<'_>, a: args::Vsetivli) {
    set(l, a.rd, Avl::Is(l.c64(a.uimm.into())), a.vtype.into());
}
pub fn vsetvl(l: &Lift<'_>, a: args::R) {
    if goes_home(key_guess(l)) {
        return l.exit(ExitKind::KeyChanged, l.pc());
    }
    let (n, keep) = match avl(l, a.rd, a.rs1) {
        Avl::Max => (l.c64(u64::MAX), 0),
        Avl::Keep => (l.c64(0), 1),
        Avl::Is(n) => (n, 0),
    };
    let vl = l.helper(VSETVL, &[l.x(a.rs2), n, l.c64(keep)]);
    l.set_x(a.rd, vl);
    l.know(None);
}

/// Whether an instruction word is a setting: OP-V, OPCFG.
pub(crate) fn is_setting(word: u32) -> bool {
    word & 0x707f == 0x7057
}

/// What the settings of an instruction word make of a guess, and of what the
/// lift key guesses.
pub(crate) fn guess(word: u32, key: Unit, before: u32) -> u32 {
    if !is_setting(word) {
        return before;
    }
    let (rd, rs1) = (word >> 7 & 31, word >> 15 & 31);
    let (vtype, avl) = match word >> 30 {
        // vsetivli
        3 => (word >> 20 & 0x3ff, Some(rs1.into())),
        // vsetvl: the same again.
        2 => return before,
        _ => (word >> 20 & 0x7ff, (rd != 0 && rs1 == 0).then_some(u64::MAX)),
    };
    let Some(c) = Config::of_vtype(vtype.into()) else { return Unit::ODD };
    let full = match avl {
        Some(n) => n >= c.vlmax(),
        None => matches!(key, Unit::Full(_)),
    };
    if full { Unit::Full(c).code() } else { Unit::Part(c).code() }
}
