//! "Zicsr", and the registers that user code can reach: the floating-point
//! status and the counters.

use remu_ir::{Cond, ExitKind, Type, Val};

use super::{Lift, Regs};
use crate::decode::args;
use crate::helpers::TIME;
use crate::isa::{Mode, has_unit};
use crate::state::{RMM, fpmode_of, slots};
use crate::system::{MachineKey, plain};
use crate::vector;

const FFLAGS: u16 = 0x001;
const FRM: u16 = 0x002;
const FCSR: u16 = 0x003;
const VSTART: u16 = 0x008;
const VXSAT: u16 = 0x009;
const VXRM: u16 = 0x00a;
const VCSR: u16 = 0x00f;
const VL: u16 = 0xc20;
const VTYPE: u16 = 0xc21;
const VLENB: u16 = 0xc22;
const CYCLE: u16 = 0xc00;
const TIMER: u16 = 0xc01;
const INSTRET: u16 = 0xc02;

const SSTATUS: u16 = 0x100;
/// Interrupts are enabled, in `sstatus`.
const SIE: u64 = 1 << 1;

/// Bits of each 4-bit number in reverse: nibble n is that of n.
const REVERSED: u64 = 0xf7b3_d591_e6a2_c480;

// `fflags` has NX, UF, OF, DZ, NV from bit 0, the `fpstat` op NV, a flag that
// is not ours, DZ, OF, UF, NX: four bits in reverse and one apart.

fn fflags(l: &Lift<'_>) -> Val {
    let raw = l.fpstat();
    let stat = l.zext(raw);
    let four = l.shr(l.c64(REVERSED), l.and(stat, l.c64(0x3c)));
    let seen = l.or(l.extract(four, (0, 4)), l.shl_imm(l.extract(stat, (0, 1)), 4));
    l.saw_status(seen, raw);
    seen
}
fn set_fflags(l: &Lift<'_>, v: Val) {
    // How compilers make comparisons quiet.
    if l.restores_status(v) {
        return;
    }
    let four = l.shr(l.c64(REVERSED), l.shl_imm(l.extract(v, (0, 4)), 2));
    let stat = l.or(l.shl_imm(l.extract(four, (0, 4)), 2), l.extract(v, (4, 1)));
    l.set_fpstat(l.trunc(stat));
}
fn frm(l: &Lift<'_>) -> Val {
    l.zext(l.get(slots::frm(0)))
}
/// Sets the rounding mode to a number below 8. [`follow`] must come after.
fn set_frm(l: &Lift<'_>, v: Val) {
    let v = l.trunc(v);
    l.set(slots::frm(0), v);
    let mode = match l.as_const(v) {
        Some(c) => l.c32(fpmode_of(c as u32)),
        None => {
            let reserved = l.icmp(v, l.c32(RMM), Cond::Gtu);
            l.movcond(reserved, l.c32(fpmode_of(RMM + 1)), l.add_imm(v, 1))
        }
    };
    l.set_fpmode(mode);
}
/// Leaves if translations for the new rounding mode differ.
fn follow(l: &Lift<'_>, frm: Val) {
    let mode = Mode::of_key(l.key());
    if let Some(frm) = l.as_const(frm) {
        if Mode::of_frm(frm as u32) != mode {
            l.exit(ExitKind::KeyChanged, l.next_pc());
        }
        return;
    }
    let than = |n: u32, c| l.icmp(frm, l.c64(n.into()), c);
    let differs = match mode {
        Mode::Nearest => than(0, Cond::Ne),
        Mode::Directed => l.icmp(l.add_imm(frm, -1), l.c64(3), Cond::Geu),
        Mode::Away => than(RMM, Cond::Ne),
        Mode::Reserved => than(RMM, Cond::Leu),
    };
    l.exit_if(differs, ExitKind::KeyChanged, l.next_pc());
}

/// Value of a register; `None` where there is none.
fn read(l: &Lift<'_>, csr: u16) -> Option<Val> {
    Some(match csr {
        FFLAGS => fflags(l),
        FRM => frm(l),
        FCSR => l.or(fflags(l), l.shl_imm(frm(l), 5)),
        CYCLE | TIMER | INSTRET => l.helper(TIME, &[]),
        _ => return None,
    })
}

/// How an instruction changes a register.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    None,
    Write,
    Set,
    Clear,
}

/// The registers of the vector unit.
fn is_vector(csr: u16) -> bool {
    matches!(csr, VSTART | VXSAT | VXRM | VCSR | VL | VTYPE | VLENB)
}

/// "Vector Extension Programmer's Model".
fn vector_register(l: &Lift<'_>, csr: u16, rd: u8, operand: Val, change: Change) {
    let get = |slot| l.get(slot);
    let old = match csr {
        VSTART => get(slots::vstart(0)),
        VXSAT => get(slots::vxsat(0)),
        VXRM => get(slots::vxrm(0)),
        VCSR => l.or(get(slots::vxsat(0)), l.shl_imm(get(slots::vxrm(0)), 1)),
        VL => get(slots::vl(0)),
        VTYPE => get(slots::vtype(0)),
        _ => l.c64(vector::VLENB),
    };
    let new = match change {
        Change::None => None,
        Change::Write => Some(operand),
        Change::Set => Some(l.or(old, operand)),
        Change::Clear => Some(l.andc(old, operand)),
    };
    if let Some(new) = new {
        match csr {
            VSTART => {
                // As many bits as the largest index has.
                l.set(slots::vstart(0), l.extract(new, (0, 7)));
                l.set(slots::vunit(0), l.c64(vector::ANYTHING));
                l.know(Some(vector::ANYTHING as u32));
            }
            VXSAT => l.set(slots::vxsat(0), l.extract(new, (0, 1))),
            VXRM => l.set(slots::vxrm(0), l.extract(new, (0, 2))),
            VCSR => {
                l.set(slots::vxsat(0), l.extract(new, (0, 1)));
                l.set(slots::vxrm(0), l.extract(new, (1, 2)));
            }
            _ => return l.illegal(),
        }
    }
    l.set_x(rd, old);
}

/// `sstatus` in a machine: reading, and setting or clearing bits 4:0, of which only SIE can be
/// written. What does more is left to [`crate::system`]. Whether this is that register.
fn sstatus(l: &Lift<'_>, csr: u16, rd: u8, set: u8, clear: u8) -> bool {
    let Some(key) = MachineKey::of_key(l.key()).filter(|_| csr == SSTATUS) else { return false };
    let old = l.get(key.status_slot());
    if rd != 0 {
        let seen = l.and(old, l.c64(key.sstatus_mask()));
        l.set_x(rd, l.or(seen, l.c64(key.sstatus_fixed())));
    }
    let sie = l.c64(SIE);
    if u64::from(clear) & SIE != 0 {
        l.set(key.status_slot(), l.andc(old, sie));
    }
    if u64::from(set) & SIE != 0 {
        l.set(key.status_slot(), l.or(old, sie));
        // An interrupt that was held back is taken at once.
        let held = l.icmp(l.get(key.held_slot()), l.c64(0), Cond::Ne);
        l.exit_if(held, ExitKind::KeyChanged, l.next_pc());
    }
    true
}

fn access(l: &Lift<'_>, csr: u16, rd: u8, operand: Val, change: Change) {
    if is_vector(csr) && has_unit(l.key()) {
        return vector_register(l, csr, rd, operand, change);
    }
    if let Some((slot, mask)) = MachineKey::of_key(l.key()).and_then(|key| plain(csr, key)) {
        let old = l.get(slot);
        let new = match change {
            Change::None => None,
            Change::Write => Some(operand),
            Change::Set => Some(l.or(old, operand)),
            Change::Clear => Some(l.andc(old, operand)),
        };
        if let Some(new) = new {
            l.set(slot, l.and(new, l.c64(mask)));
        }
        return l.set_x(rd, old);
    }
    let status = matches!(csr, FFLAGS | FRM | FCSR);
    let counter = matches!(csr, CYCLE | TIMER | INSTRET);
    let readable = counter && change == Change::None;
    if !(status || readable) {
        return l.illegal();
    }
    // A write whose old value nobody wants does not read.
    let old = if change == Change::Write && rd == 0 { None } else { read(l, csr) };
    let new = match (change, old) {
        (Change::None, _) => None,
        (Change::Set, Some(old)) => Some(l.or(old, operand)),
        (Change::Clear, Some(old)) => Some(l.andc(old, operand)),
        (_, _) => Some(operand),
    };
    let mode = new.and_then(|new| {
        if csr != FRM {
            set_fflags(l, new);
        }
        let mode = match csr {
            FRM => l.extract(new, (0, 3)),
            FCSR => l.extract(new, (5, 3)),
            _ => return None,
        };
        set_frm(l, mode);
        Some(mode)
    });
    if let Some(old) = old {
        l.set_x(rd, old);
    }
    if let Some(mode) = mode {
        follow(l, mode);
    }
}

pub fn unimp(l: &Lift<'_>, _: args::Empty) {
    l.illegal();
}
pub fn csrrw(l: &Lift<'_>, a: args::Csr) {
    access(l, a.csr, a.rd, l.x(a.rs1), Change::Write);
}
pub fn csrrs(l: &Lift<'_>, a: args::Csr) {
    if sstatus(l, a.csr, a.rd, 0, 0) {
        return;
    }
    let change = if a.rs1 == 0 { Change::None } else { Change::Set };
    access(l, a.csr, a.rd, l.x(a.rs1), change);
}
pub fn csrrc(l: &Lift<'_>, a: args::Csr) {
    if sstatus(l, a.csr, a.rd, 0, 0) {
        return;
    }
    let change = if a.rs1 == 0 { Change::None } else { Change::Clear };
    access(l, a.csr, a.rd, l.x(a.rs1), change);
}
fn immediate(l: &Lift<'_>, a: args::Csri) -> Val {
    l.iconst(a.uimm.into(), Type::I64)
}
pub fn csrrwi(l: &Lift<'_>, a: args::Csri) {
    access(l, a.csr, a.rd, immediate(l, a), Change::Write);
}
pub fn csrrsi(l: &Lift<'_>, a: args::Csri) {
    if sstatus(l, a.csr, a.rd, a.uimm, 0) {
        return;
    }
    let change = if a.uimm == 0 { Change::None } else { Change::Set };
    access(l, a.csr, a.rd, immediate(l, a), change);
}
pub fn csrrci(l: &Lift<'_>, a: args::Csri) {
    if sstatus(l, a.csr, a.rd, 0, a.uimm) {
        return;
    }
    let change = if a.uimm == 0 { Change::None } else { Change::Clear };
    access(l, a.csr, a.rd, immediate(l, a), change);
}
