//! Exits of translated code, and the instructions that it leaves to this module.

use remu_ir::ExitKind;
use remu_isa::{After, Conduit, FirmwareAnswer, FirmwareCall, Intent, Surroundings, Trap};

use super::exception::{self, ec, raise, syndrome};
use super::key::{MachineKey, needs_fp};
use super::mmu;
use super::ops::{self, Op};
use super::regs::{Regs, sctlr, slots, spsr};
use super::sysregs::{self, Refusal};
use crate::decode::{Insn, args, decode};
use crate::features::Features;
use crate::lift::pac;

pub(crate) fn exit(
    r: &mut Regs<'_>,
    features: &Features,
    kind: ExitKind,
    trap: Option<Trap>,
    around: &dyn Surroundings,
) -> After {
    let mut after = After::default();
    match kind {
        // Code outside of memory is all that nobody has refused before.
        ExitKind::Fault => {
            let va = r.pc();
            let fallback = mmu::abort(va, Intent::Execute, mmu::status::EXTERNAL);
            raise(r, features, trap.unwrap_or(fallback), around);
        }
        ExitKind::Misaligned => {
            let va = r.info();
            raise(r, features, mmu::abort(va, Intent::Read, mmu::status::ALIGNMENT), around);
        }
        ExitKind::Illegal => undefined(r, features, around),
        ExitKind::InvalidateCode => after.code_changed = true,
        ExitKind::Special => {
            let word = r.info() as u32;
            match emulate(r, features, word, around) {
                Ok(done) => after = done,
                Err(cause) => raise(r, features, Trap { cause, value: 0 }, around),
            }
        }
        ExitKind::KeyChanged if r.unsettled() != 0 => {
            r.set_unsettled(0);
            after.settle = true;
        }
        // Those of programs, of which code for machines has none.
        ExitKind::Syscall | ExitKind::Breakpoint | ExitKind::Wait => {}
        ExitKind::Continue | ExitKind::Poll | ExitKind::KeyChanged => {}
    }
    after
}

fn undefined(r: &mut Regs<'_>, features: &Features, around: &dyn Surroundings) {
    raise(r, features, Trap { cause: UNDEFINED, value: 0 }, around);
}

/// Syndrome of an undefined instruction.
const UNDEFINED: u64 = syndrome(ec::UNKNOWN, 0);

/// Executes the instruction at the pc, or says with what syndrome it is trapped.
fn emulate(
    r: &mut Regs<'_>,
    features: &Features,
    word: u32,
    around: &dyn Surroundings,
) -> Result<After, u64> {
    let mut after = After::default();
    let insn = decode(word, features).ok_or(UNDEFINED)?;
    let next = r.pc().wrapping_add(4);
    if needs_fp(word) {
        return Err(syndrome(ec::FP, 1 << 24 | 0xe << 20));
    }
    match insn {
        Insn::Svc(a) => {
            r.set_pc(next);
            return Err(syndrome(ec::SVC, a.imm16.into()));
        }
        Insn::Brk(a) => return Err(syndrome(ec::BRK, a.imm16.into())),
        Insn::Hvc(_) => return firmware(r, Conduit::Hvc, around),
        Insn::Smc(_) => return firmware(r, Conduit::Smc, around),
        Insn::Eret(_) | Insn::Ereta(_) if r.el() == 0 => return Err(UNDEFINED),
        Insn::Eret(_) => {
            let to = r.get(slots::elr(r.el() as usize - 1));
            exception::exception_return(r, features, to, around);
            return Ok(after);
        }
        Insn::Ereta(a) => {
            let (to, modifier) = (r.get(slots::elr(r.el() as usize - 1)), r.get(slots::x(31)));
            let code = r.get(slots::pac_key(a.key.into()));
            let signs = MachineKey::of_state(r.0).signs(a.key);
            let to = if signs { pac::signed(to, modifier, code) } else { to };
            exception::exception_return(r, features, to, around);
            return Ok(after);
        }
        Insn::Wfi(_) => {
            user_needs(r, sctlr::NTWI, 0)?;
            after.wait = true;
        }
        Insn::Wfe(_) => {
            // Nobody sends events for a monitor that is a value: others go first, and the waiter
            // looks again.
            user_needs(r, sctlr::NTWE, 1)?;
            after.rest = true;
        }
        Insn::MsrImm(a) => set_pstate(r, features, a)?,
        Insn::Mrs(a) => {
            let v =
                sysregs::read(r, features, a.reg | 0x8000, around).map_err(|e| refused(e, word))?;
            r.set_x(a.rt, v);
        }
        Insn::Msr(a) => {
            let v = r.x(a.rt);
            after.flush = sysregs::write(r, features, a.reg | 0x8000, v, around)
                .map_err(|e| refused(e, word))?;
        }
        Insn::Sys(a) => after = system(r, features, a, word, around)?,
        _ => return Err(UNDEFINED),
    }
    r.set_pc(next);
    Ok(after)
}

/// WFI and WFE at EL0, which a bit of SCTLR_EL1 lets execute.
fn user_needs(r: &Regs<'_>, bit: u64, which: u64) -> Result<(), u64> {
    if r.el() == 0 && r.sctlr() & bit == 0 {
        return Err(syndrome(ec::WFX, 1 << 24 | 0xe << 20 | which));
    }
    Ok(())
}

/// Syndrome of MSR, MRS and SYS that are not executed.
fn refused(why: Refusal, word: u32) -> u64 {
    if why == Refusal::Undefined {
        return UNDEFINED;
    }
    let field = |at: u32, len: u32| u64::from(word >> at & ((1 << len) - 1));
    // op0, op2, op1, CRn, Rt, CRm, whether it reads.
    let iss = field(19, 2) << 20
        | field(5, 3) << 17
        | field(16, 3) << 14
        | field(12, 4) << 10
        | field(0, 5) << 5
        | field(8, 4) << 1
        | field(21, 1);
    syndrome(ec::SYSREG, iss)
}

/// MSR (immediate) of what translated code does not do by itself.
fn set_pstate(r: &mut Regs<'_>, features: &Features, a: args::Pstate) -> Result<(), u64> {
    let el = r.el();
    let mask = u64::from(a.crm) << 6;
    match (a.op1, a.op2) {
        (3, 6 | 7) if el == 0 && r.sctlr() & sctlr::UMA == 0 => {
            let iss = 4 << 10 | u64::from(a.op2) << 17 | 3 << 14 | 31 << 5 | u64::from(a.crm) << 1;
            return Err(syndrome(ec::SYSREG, iss));
        }
        (3, 6) => r.set_daif(r.daif() | mask),
        (3, 7) => r.set_daif(r.daif() & !mask),
        (0, _) if el == 0 => return Err(UNDEFINED),
        (0, 4) if features.has(crate::features::PAN) => {
            r.set_pan(if a.crm & 1 != 0 { spsr::PAN } else { 0 });
        }
        (0, 5) => r.go(el, u64::from(a.crm & 1)),
        _ => return Err(UNDEFINED),
    }
    Ok(())
}

/// HVC and SMC where no exception level takes them: firmware that the machine plays.
fn firmware(r: &mut Regs<'_>, conduit: Conduit, around: &dyn Surroundings) -> Result<After, u64> {
    let mut after = After::default();
    if r.el() == 0 {
        return Err(UNDEFINED);
    }
    let function = r.x(0) as u32;
    // "Bits in function identifiers": the 64-bit convention.
    let wide = function >> 30 & 1 != 0;
    let args = [1, 2, 3].map(|n| if wide { r.x(n) } else { r.x(n) & 0xffff_ffff });
    let answer = around.firmware(FirmwareCall { conduit, function, args });
    let result = match answer {
        FirmwareAnswer::None => return Err(UNDEFINED),
        FirmwareAnswer::Return(v) => v,
        FirmwareAnswer::Wait => {
            after.wait = true;
            0
        }
        FirmwareAnswer::Off => {
            after.off = true;
            0
        }
    };
    r.set_x(0, result);
    // Behind HVC and SMC, where an exception would come back to.
    r.set_pc(r.pc().wrapping_add(4));
    Ok(after)
}

/// SYS: address translation, maintenance of caches and TLBs.
fn system(
    r: &mut Regs<'_>,
    features: &Features,
    a: args::Sys,
    word: u32,
    around: &dyn Surroundings,
) -> Result<After, u64> {
    let mut after = After::default();
    let op = ops::decode(features, a).ok_or(UNDEFINED)?;
    let trapped_by = match op {
        Op::Zero => sctlr::DZE,
        Op::CleanByAddress | Op::InvalidateCodeByAddress => sctlr::UCI,
        _ if r.el() == 0 => return Err(UNDEFINED),
        _ => 0,
    };
    if r.el() == 0 && r.sctlr() & trapped_by == 0 {
        return Err(refused(Refusal::Trapped, word));
    }
    if r.el() < ops::least_el(a) {
        return Err(UNDEFINED);
    }
    let operand = r.x(a.rt);
    match op {
        // Data caches are coherent with memory and with each other. Zeroing is translated code's
        // where it is not trapped.
        Op::Zero | Op::CleanByAddress | Op::Clean => {}
        Op::InvalidateCodeByAddress | Op::InvalidateCode => after.code_changed = true,
        Op::Translate { write, who } => {
            let par = ops::translate(r, features, operand, write, who, around);
            r.set(slots::par(0), par);
        }
        Op::Forget { what, everywhere } => {
            after.flush = ops::forgotten(what, operand);
            if everywhere {
                after.others = after.flush;
                r.set_unsettled(1);
            }
        }
    }
    Ok(after)
}
