//! Exits of translated code, and the instructions that it leaves to this module.

use remu_ir::ExitKind;
use remu_isa::{After, Flush, Surroundings, Trap};

use super::csr::{self, Access};
use super::key::uses_fp;
use super::regs::{M, Regs, S, U, mstatus};
use super::trap::{self, raise};
use crate::decode::{Insn, decode};
use crate::features::Features;

pub(crate) fn exit(
    r: &mut Regs<'_>,
    features: Features,
    kind: ExitKind,
    trap: Option<Trap>,
    around: &dyn Surroundings,
) -> After {
    let mut after = After::default();
    match kind {
        ExitKind::Syscall => {
            // Of 4 bytes; the exit has the next instruction's address.
            r.set_pc(r.pc().wrapping_sub(4));
            raise(r, Trap { cause: trap::ECALL_U + r.privilege(), value: 0 }, around);
        }
        ExitKind::Breakpoint => {
            let value = r.pc();
            raise(r, Trap { cause: trap::BREAKPOINT, value }, around);
        }
        ExitKind::Illegal => raise(r, Trap { cause: trap::ILLEGAL, value: 0 }, around),
        ExitKind::Fault | ExitKind::Misaligned => {
            // Code outside of memory is all that nobody has refused before.
            let value = r.pc();
            raise(r, trap.unwrap_or(Trap { cause: trap::INSN_ACCESS, value }), around);
        }
        ExitKind::InvalidateCode => after.code_changed = true,
        ExitKind::Wait => after.rest = true,
        ExitKind::Special => {
            let word = r.info() as u32;
            match emulate(r, features, word, around) {
                Ok(done) => after = done,
                Err(Illegal) => raise(r, Trap { cause: trap::ILLEGAL, value: word.into() }, around),
            }
        }
        ExitKind::Continue | ExitKind::Poll | ExitKind::KeyChanged => {}
    }
    after
}

/// The instruction is illegal here.
#[derive(Debug)]
pub(crate) struct Illegal;

/// Executes the instruction at the pc.
fn emulate(
    r: &mut Regs<'_>,
    features: Features,
    word: u32,
    around: &dyn Surroundings,
) -> Result<After, Illegal> {
    let mut after = After::default();
    let insn = decode(word, &features).ok_or(Illegal)?;
    if uses_fp(word) {
        if r.mstatus() & mstatus::FS == 0 {
            return Err(Illegal);
        }
        // Lifted anew under the key of dirty state.
        r.set_mstatus(r.mstatus() | mstatus::FS);
        return Ok(after);
    }
    let (mode, status) = (r.privilege(), r.mstatus());
    let on = |bit: u64| status & bit != 0;
    match insn {
        Insn::Mret(_) => {
            if mode != M {
                return Err(Illegal);
            }
            trap::mret(r);
            return Ok(after);
        }
        Insn::Sret(_) => {
            if mode == U || mode == S && on(mstatus::TSR) {
                return Err(Illegal);
            }
            trap::sret(r);
            return Ok(after);
        }
        Insn::Wfi(_) => {
            if mode == U || mode == S && on(mstatus::TW) {
                return Err(Illegal);
            }
            after.wait = true;
        }
        Insn::SfenceVma(a) | Insn::SinvalVma(a) => {
            if mode == U || mode == S && on(mstatus::TVM) {
                return Err(Illegal);
            }
            after.flush = if a.rs1 == 0 { Flush::All } else { Flush::Page(r.x(a.rs1)) };
        }
        Insn::SfenceWInval(_) | Insn::SfenceInvalIr(_) => {
            if mode == U {
                return Err(Illegal);
            }
        }
        Insn::Csrrw(a) => {
            let access = Access { number: a.csr, rd: a.rd, read: a.rd != 0, write: true };
            after.flush = csr::execute(r, features, access, around, |_, x| x, r.x(a.rs1))?;
        }
        Insn::Csrrs(a) => {
            let access = Access { number: a.csr, rd: a.rd, read: true, write: a.rs1 != 0 };
            after.flush = csr::execute(r, features, access, around, |old, x| old | x, r.x(a.rs1))?;
        }
        Insn::Csrrc(a) => {
            let access = Access { number: a.csr, rd: a.rd, read: true, write: a.rs1 != 0 };
            after.flush = csr::execute(r, features, access, around, |old, x| old & !x, r.x(a.rs1))?;
        }
        Insn::Csrrwi(a) => {
            let access = Access { number: a.csr, rd: a.rd, read: a.rd != 0, write: true };
            after.flush = csr::execute(r, features, access, around, |_, x| x, a.uimm.into())?;
        }
        Insn::Csrrsi(a) => {
            let access = Access { number: a.csr, rd: a.rd, read: true, write: a.uimm != 0 };
            after.flush =
                csr::execute(r, features, access, around, |old, x| old | x, a.uimm.into())?;
        }
        Insn::Csrrci(a) => {
            let access = Access { number: a.csr, rd: a.rd, read: true, write: a.uimm != 0 };
            after.flush =
                csr::execute(r, features, access, around, |old, x| old & !x, a.uimm.into())?;
        }
        _ => return Err(Illegal),
    }
    r.set_pc(r.pc().wrapping_add(4));
    Ok(after)
}
