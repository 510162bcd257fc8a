//! Branches, exception generation, system. One function per row of
//! `branch_sys.decode`.

use remu_isa::ir::{Addr, Cond, ExitKind, Helper, Lane, MemOp, Order, Type, Val};

use super::pac::{sign, strip};
use super::{Lift, Regs};
use crate::decode::args;
use crate::features::Features;
use crate::state::{EXIT_INFO, FPCR_MASK, slots};
use crate::sysreg;
use crate::system::MachineKey;

fn target(l: &Lift, imm: i64) -> u64 {
    l.pc().wrapping_add_signed(imm)
}
/// B.
pub fn b(l: &Lift, a: args::B) {
    l.goto(target(l, a.imm));
}
/// BL.
pub fn bl(l: &Lift, a: args::B) {
    l.set_r(30, l.pcconst(l.next_pc()));
    l.call(target(l, a.imm), l.next_pc());
}
/// CBZ.
pub fn cbz(l: &Lift, a: args::Cb) {
    l.brcond(l.icmp(l.r(a.rt, a.sf), l.imm(0, a.sf), Cond::Eq), target(l, a.imm));
}
/// CBNZ.
pub fn cbnz(l: &Lift, a: args::Cb) {
    l.brcond(l.icmp(l.r(a.rt, a.sf), l.imm(0, a.sf), Cond::Ne), target(l, a.imm));
}
fn test_bit(l: &Lift, a: args::Tb, c: Cond) {
    let sf = u8::from(a.bit >= 32);
    l.brcond(l.icmp(l.r(a.rt, sf), l.imm(1 << a.bit, sf), c), target(l, a.imm));
}
/// TBZ.
pub fn tbz(l: &Lift, a: args::Tb) {
    test_bit(l, a, Cond::TstEq);
}
/// TBNZ.
pub fn tbnz(l: &Lift, a: args::Tb) {
    test_bit(l, a, Cond::TstNe);
}
/// B.cond.
pub fn b_cond(l: &Lift, a: args::Bcond) {
    if a.cond >= 14 {
        return l.goto(target(l, a.imm));
    }
    l.brcond(l.holds(a.cond), target(l, a.imm));
}
/// BC.cond.
pub fn bc_cond(l: &Lift, a: args::Bcond) {
    b_cond(l, a);
}

fn branch_and_link(l: &Lift, to: Val) {
    l.set_r(30, l.pcconst(l.next_pc()));
    l.call_ptr(to, l.next_pc());
}
/// BR.
pub fn br(l: &Lift, a: args::Br) {
    l.goto_ptr(l.x(a.rn));
}
/// BLR.
pub fn blr(l: &Lift, a: args::Br) {
    branch_and_link(l, l.x(a.rn));
}
/// RET.
pub fn ret(l: &Lift, a: args::Br) {
    l.ret_ptr(l.x(a.rn));
}
fn authenticated(l: &Lift, a: args::Bra) -> Val {
    let modifier = if a.rm == 32 { l.c64(0) } else { l.xsp(a.rm) };
    sign(l, l.x(a.rn), modifier, a.key)
}
/// BRAA, BRAB, BRAAZ, BRABZ.
pub fn bra(l: &Lift, a: args::Bra) {
    l.goto_ptr(authenticated(l, a));
}
/// BLRAA, BLRAB, BLRAAZ, BLRABZ.
pub fn blra(l: &Lift, a: args::Bra) {
    branch_and_link(l, authenticated(l, a));
}
/// RETAA, RETAB.
pub fn reta(l: &Lift, a: args::Reta) {
    l.ret_ptr(sign(l, l.x(30), l.xsp(31), a.key));
}

/// SVC.
pub fn svc(l: &Lift, _: args::Exc) {
    l.exit(ExitKind::Syscall, l.next_pc());
}
/// HLT: undefined without an external debugger.
pub fn hlt(l: &Lift, _: args::Exc) {
    l.illegal();
}
/// HVC: in a machine, left to [`crate::system`], like the next three.
pub fn hvc(l: &Lift, _: args::Exc) {
    l.illegal();
}
/// SMC.
pub fn smc(l: &Lift, _: args::Exc) {
    l.illegal();
}
/// ERET.
pub fn eret(l: &Lift, _: args::Empty) {
    l.illegal();
}
/// ERETAA, ERETAB.
pub fn ereta(l: &Lift, _: args::Reta) {
    l.illegal();
}
/// BRK.
pub fn brk(l: &Lift, _: args::Exc) {
    l.exit(ExitKind::Breakpoint, l.pc());
}
/// UDF.
pub fn udf(l: &Lift, _: args::Exc) {
    l.illegal();
}

macro_rules! no_ops {
    ($($name:ident),*) => {
        $(#[doc = concat!("`", stringify!($name), "`: nothing to do at EL0.")]
        pub fn $name(_: &Lift, _: args::Empty) {})*
    };
}
no_ops!(nop, r#yield, wfe, wfi, sev, sevl, esb, psb, tsb, csdb, clrbhb);
/// HINT: unallocated hints do nothing.
pub fn hint(_: &Lift, _: args::Hint) {}
/// BTI: pages are not guarded.
pub fn bti(_: &Lift, _: args::Hint) {}

macro_rules! pac_hints {
    ($($name:ident $how:ident $reg:literal $modifier:expr, $key:literal;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`.")]
        pub fn $name(l: &Lift, _: args::Empty) {
            let modifier: fn(&Lift) -> Val = $modifier;
            l.set_r($reg, $how(l, l.x($reg), modifier(l), $key));
        })*
    };
}
pac_hints! {
    pacia1716 sign 17 |l| l.x(16), 0;
    pacib1716 sign 17 |l| l.x(16), 1;
    autia1716 sign 17 |l| l.x(16), 0;
    autib1716 sign 17 |l| l.x(16), 1;
    paciaz sign 30 |l| l.c64(0), 0;
    pacibz sign 30 |l| l.c64(0), 1;
    paciasp sign 30 |l| l.xsp(31), 0;
    pacibsp sign 30 |l| l.xsp(31), 1;
    autiaz sign 30 |l| l.c64(0), 0;
    autibz sign 30 |l| l.c64(0), 1;
    autiasp sign 30 |l| l.xsp(31), 0;
    autibsp sign 30 |l| l.xsp(31), 1;
}
/// XPACLRI.
pub fn xpaclri(l: &Lift, _: args::Empty) {
    l.set_r(30, strip(l, l.x(30)));
}

/// CLREX.
pub fn clrex(l: &Lift, _: args::Barrier) {
    l.set(slots::excl_addr(0), l.c64(u64::MAX));
}
/// SSBB.
pub fn ssbb(l: &Lift, _: args::Empty) {
    l.fence(Order::SeqCst);
}
/// PSSBB.
pub fn pssbb(l: &Lift, _: args::Empty) {
    l.fence(Order::SeqCst);
}
/// What a barrier's types order: loads only, stores only, or everything.
fn barrier(l: &Lift, crm: u8) {
    l.fence(match crm & 3 {
        1 => Order::Acquire,
        2 => Order::Release,
        _ => Order::SeqCst,
    });
}
/// DSB.
pub fn dsb(l: &Lift, a: args::Barrier) {
    barrier(l, a.crm);
    if let Some(key) = MachineKey::of_key(l.key()) {
        // What TLBI has told other processors is done behind this.
        let unsettled = l.icmp(l.get(key.unsettled_slot()), l.c64(0), Cond::Ne);
        l.exit_if(unsettled, ExitKind::KeyChanged, l.next_pc());
    }
}
/// DMB.
pub fn dmb(l: &Lift, a: args::Barrier) {
    barrier(l, a.crm);
}
/// ISB: what it makes visible was already made so by IC IVAU.
pub fn isb(_: &Lift, _: args::Barrier) {}
/// SB.
pub fn sb(_: &Lift, _: args::Empty) {}

/// CFINV.
pub fn cfinv(l: &Lift, _: args::Empty) {
    l.set_flags(l.fl_pack(l.xor(super::dp_reg::flags_word(l), l.c32(1 << 29))));
}
/// N, Z, C, V as numbers 0 and 1.
fn flag_bits(l: &Lift) -> [Val; 4] {
    let word = super::dp_reg::flags_word(l);
    [31, 30, 29, 28].map(|n| l.extract(word, (n, 1)))
}
fn set_flag_bits(l: &Lift, bits: [Val; 4]) {
    let [n, z, c, v] = bits;
    let high = l.or(l.shl_imm(n, 31), l.shl_imm(z, 30));
    l.set_flags(l.fl_pack(l.or(high, l.or(l.shl_imm(c, 29), l.shl_imm(v, 28)))));
}
/// XAFLAG.
pub fn xaflag(l: &Lift, _: args::Empty) {
    let [_, z, c, _] = flag_bits(l);
    let not = |x| l.xor(x, l.c32(1));
    set_flag_bits(l, [l.and(not(c), not(z)), l.and(z, c), l.or(c, z), l.and(not(c), z)]);
}
/// AXFLAG.
pub fn axflag(l: &Lift, _: args::Empty) {
    let [_, z, c, v] = flag_bits(l);
    set_flag_bits(l, [l.c32(0), l.or(z, v), l.andc(c, v), l.c32(0)]);
}

/// Writes DAIF in a machine. An interrupt that was held back and is no more is taken at once.
fn write_daif(l: &Lift, key: MachineKey, v: Val) {
    l.set(key.daif_slot(), v);
    let free = l.andc(l.get(key.held_slot()), v);
    l.exit_if(l.icmp(free, l.c64(0), Cond::Ne), ExitKind::KeyChanged, l.next_pc());
}

/// MSR (immediate): DIT and SSBS at EL0, DAIF above.
pub fn msr_imm(l: &Lift, a: args::Pstate) {
    if let Some(key) = MachineKey::of_key(l.key()).filter(|_| a.op1 == 3 && a.op2 >= 6) {
        let (old, mask) = (l.get(key.daif_slot()), l.c64(u64::from(a.crm) << 6));
        return match a.op2 {
            6 => l.set(key.daif_slot(), l.or(old, mask)),
            _ => write_daif(l, key, l.andc(old, mask)),
        };
    }
    match (a.op1, a.op2) {
        (3, 2) => l.set(slots::pstate(0), l.c32(u32::from(a.crm & 1) << 24)),
        (3, 1) => l.set(slots::pstate(1), l.c32(u32::from(a.crm & 1) << 12)),
        _ => l.illegal(),
    }
}

/// SYS: cache maintenance and DC ZVA.
pub fn sys(l: &Lift, a: args::Sys) {
    let addr = l.x(a.rt);
    match (a.op1, a.crn, a.crm, a.op2) {
        (3, 7, 4, 1) => {
            let line = l.and(addr, l.c64(!63));
            let zero = l.vconst(0);
            for disp in [0, 16, 32, 48] {
                l.store(line, zero, Addr { disp, ..Addr::at(MemOp::U128) });
            }
        }
        (3, 7, 5, 1) => {
            let line = l.and(addr, l.c64(!63));
            l.set(EXIT_INFO[0], line);
            l.set(EXIT_INFO[1], l.add_imm(line, 64));
            l.exit(ExitKind::InvalidateCode, l.next_pc());
        }
        // Data caches are coherent; the address must be readable.
        (3, 7, 10..=14, 1) => {
            l.load(addr, Type::I32, Addr::at(MemOp::U8));
        }
        _ => l.illegal(),
    }
}
/// SYSL: none is allocated at EL0.
pub fn sysl(l: &Lift, _: args::Sys) {
    l.illegal();
}

/// Nanoseconds, the same in every process: the virtual counter.
extern "C" fn counter(_: *mut u8, _: u64, _: u64, _: u64) -> u64 {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};
    static START: OnceLock<(Instant, u64)> = OnceLock::new();
    let (start, at) = START.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (Instant::now(), now.as_nanos() as u64)
    });
    at.wrapping_add(start.elapsed().as_nanos() as u64)
}
const COUNTER: Helper = Helper { name: "a64_counter", func: counter, writes_state: false };

/// FPSR out of the sticky flags and QC.
fn read_fpsr(l: &Lift) -> Val {
    // Flags: invalid, input denormal, divide, overflow, underflow, inexact.
    let s = l.fpstat();
    let qc = l.get(slots::qc(0));
    let any = l.or(l.lane(qc, Lane::D, 0), l.lane(qc, Lane::D, 1));
    let qc = l.boolint(l.icmp(any, l.c64(0), Cond::Ne), Type::I32);
    let low = l.or(l.and(s, l.c32(1)), l.and(l.shr_imm(s, 1), l.c32(0x1e)));
    let idc = l.shl_imm(l.extract(s, (1, 1)), 7);
    l.zext(l.or(l.or(low, idc), l.shl_imm(qc, 27)))
}
fn write_fpsr(l: &Lift, v: Val) {
    let low = l.or(l.and(v, l.c32(1)), l.shl_imm(l.and(v, l.c32(0x1e)), 1));
    l.set_fpstat(l.or(low, l.shl_imm(l.extract(v, (7, 1)), 1)));
    let qc = l.zext(l.extract(v, (27, 1)));
    l.set(slots::qc(0), l.vmake(qc, l.c64(0)));
}
/// FPCR: rounding mode and flushing take effect at once, DN by the lift key.
fn write_fpcr(l: &Lift, v: Val) {
    let fpcr = l.and(v, l.c32(FPCR_MASK));
    l.set(slots::fpcr(0), fpcr);
    // RMode N, P, M, Z is Rm 1, 4, 3, 2.
    let rmode = l.extract(fpcr, (22, 2));
    let rm = l.add_imm(l.and(l.neg(rmode), l.c32(3)), 1);
    let fz = l.extract(fpcr, (24, 1));
    let fz16 = l.extract(fpcr, (19, 1));
    let flush = l.or(l.mul(fz, l.c32(0x18)), l.shl_imm(fz16, 5));
    l.set_fpmode(l.or(rm, flush));
    l.exit(ExitKind::KeyChanged, l.next_pc());
}

/// MSR (register) on a processor with every feature.
pub fn msr(l: &Lift, a: args::Sysreg) {
    msr_with(l, a, &Features::MAX);
}
/// MSR (register).
pub(crate) fn msr_with(l: &Lift, a: args::Sysreg, features: &Features) {
    let v = l.x(a.rt);
    if let Some(key) = MachineKey::of_key(l.key()) {
        if a.reg == sysreg::DAIF {
            return write_daif(l, key, l.and(v, l.c64(0xf << 6)));
        }
        if let Some([half, low, high, both]) = key.pac_key(a.reg | OP0, features) {
            // 64 bits, to which every bit that was written counts.
            l.set(half, v);
            let turned = l.rotr(l.get(high), l.c64(29));
            return l.set(both, l.xor(l.get(low), turned));
        }
        if let Some((slot, mask)) = key.plain(a.reg | OP0) {
            return l.set(slot, if mask == u64::MAX { v } else { l.and(v, l.c64(mask)) });
        }
    }
    match a.reg {
        sysreg::NZCV => l.set_flags(l.fl_pack(l.trunc(v))),
        sysreg::TPIDR_EL0 => l.set(slots::tpidr_el0(0), v),
        sysreg::FPCR => write_fpcr(l, l.trunc(v)),
        sysreg::FPSR => write_fpsr(l, l.trunc(v)),
        sysreg::DIT_REG => l.set(slots::pstate(0), l.and(l.trunc(v), l.c32(1 << 24))),
        sysreg::SSBS_REG => l.set(slots::pstate(1), l.and(l.trunc(v), l.c32(1 << 12))),
        _ => l.illegal(),
    }
}
/// MRS on a processor with every feature.
pub fn mrs(l: &Lift, a: args::Sysreg) {
    mrs_with(l, a, &Features::MAX);
}
/// op0 of a system register is at least 2, which instructions leave out.
const OP0: u16 = 1 << 15;

/// MRS.
pub(crate) fn mrs_with(l: &Lift, a: args::Sysreg, features: &Features) {
    if let Some(key) = MachineKey::of_key(l.key()) {
        if a.reg == sysreg::DAIF {
            return l.set_r(a.rt, l.get(key.daif_slot()));
        }
        if let Some((slot, _)) = key.plain(a.reg | OP0) {
            return l.set_r(a.rt, l.get(slot));
        }
    }
    let v = match a.reg {
        sysreg::NZCV => l.zext(super::dp_reg::flags_word(l)),
        sysreg::TPIDR_EL0 => l.get(slots::tpidr_el0(0)),
        sysreg::TPIDRRO_EL0 => l.get(slots::tpidrro_el0(0)),
        sysreg::FPCR => l.zext(l.get(slots::fpcr(0))),
        sysreg::FPSR => read_fpsr(l),
        sysreg::DIT_REG => l.zext(l.get(slots::pstate(0))),
        sysreg::SSBS_REG => l.zext(l.get(slots::pstate(1))),
        sysreg::CNTVCT_EL0 | sysreg::CNTPCT_EL0 => l.helper(COUNTER, &[]),
        r => match sysreg::constant(features, r) {
            Some(v) => l.c64(v),
            None => return l.illegal(),
        },
    };
    l.set_r(a.rt, v);
}
