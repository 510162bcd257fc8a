//! Executes regions: state, memory and control around [`super::eval()`].

use super::eval::value;
use super::memory::{Fault, Memory};
use super::{Packed, int, low, signed, width};
use crate::{Addr, ExitKind, Inst, MemOp, Op, Region, RmwOp, Type};

/// Byte offsets in the state's header that ops without a slot refer to.
pub mod layout {
    /// Guest pc, 8 bytes; written by helpers that end a block.
    pub const PC: usize = 8;
    /// Sticky floating-point flags, 4 bytes.
    pub const FPSTAT: usize = 32;
    /// Floating-point mode, 4 bytes.
    pub const FPMODE: usize = 36;
}

/// Where execution goes on, and why it stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// At this guest address.
    Continue(u64),
    /// The runner has work to do; the guest pc is given.
    Exit(ExitKind, u64),
    /// The guest instruction at `pc` could not make a memory access. State is
    /// as it was written before that access.
    Fault {
        /// Guest address of the instruction.
        pc: u64,
        /// The access.
        fault: Fault,
    },
}

/// Executes from block `block` on, following branches inside the region for
/// at most `limit` blocks. `state` is the guest's state struct, aligned as its
/// type demands. Polls are the caller's: it checks between calls.
pub fn run(
    r: &Region,
    block: usize,
    state: &mut [u8],
    mem: &mut dyn Memory,
    limit: usize,
) -> Outcome {
    let mut run = Run { r, state, mem, values: vec![0; r.insts.len()], pc: 0 };
    let mut block = block;
    let mut left = limit.max(1);
    loop {
        let next = match run.block(block) {
            Ok(next) => next,
            Err(outcome) => return outcome,
        };
        left -= 1;
        match r.block_at(next) {
            Some(b) if left > 0 => block = b,
            _ => return Outcome::Continue(next),
        }
    }
}

struct Run<'a> {
    r: &'a Region,
    state: &'a mut [u8],
    mem: &'a mut dyn Memory,
    values: Vec<u128>,
    /// Guest address of the current instruction.
    pc: u64,
}

impl Run<'_> {
    /// Executes a block; where to go on inside or outside the region.
    fn block(&mut self, index: usize) -> Result<u64, Outcome> {
        let b = self.r.blocks[index];
        self.pc = b.pc;
        for id in b.start..b.end {
            let i = self.r.insts[usize::from(id)];
            match self.step(id, &i)? {
                Step::Value(v) => self.values[usize::from(id)] = low(v, width(i.ty)),
                Step::Go(pc) => return Ok(pc),
            }
        }
        // The verifier sees to it that an op before has ended the block.
        Ok(b.pc)
    }

    fn arg(&self, i: &Inst, n: usize) -> u128 {
        self.values.get(usize::from(i.args[n])).copied().unwrap_or(0)
    }
    fn guest_pc(&self, index: usize) -> u64 {
        self.r.pcs.get(index).copied().unwrap_or(0)
    }
    fn imm_pc(&self, i: &Inst) -> u64 {
        self.guest_pc(i.imm as usize)
    }

    fn step(&mut self, id: u16, i: &Inst) -> Result<Step, Outcome> {
        Ok(Step::Value(match i.op {
            Op::vconst => self.r.vconsts.get(i.imm as usize).copied().unwrap_or(0),
            Op::get => self.read(i.imm as usize, i.ty.bytes()),
            Op::set => {
                self.write(i.imm as usize, i.ty.bytes(), self.arg(i, 0));
                0
            }
            Op::insn => {
                self.pc = self.imm_pc(i);
                0
            }

            Op::load | Op::load_joint => self.load(i)?,
            Op::store => self.store(i)?,
            Op::rmw => self.rmw(i)?,
            Op::cas => self.cas(i)?,
            Op::vload_part => self.load_part(i)?,
            Op::vstore_part => self.store_part(i)?,
            Op::fence | Op::prefetch => 0,

            Op::fpstat => self.read(layout::FPSTAT, 4),
            Op::set_fpstat => {
                self.write(layout::FPSTAT, 4, self.arg(i, 0));
                0
            }
            Op::undo_fcmp => {
                let t = self.r.insts[usize::from(i.args[1])].ty;
                if [1, 2].iter().any(|&n| is_nan(t, self.arg(i, n))) {
                    self.write(layout::FPSTAT, 4, self.arg(i, 0));
                }
                0
            }
            Op::or_fpstat => {
                self.write(layout::FPSTAT, 4, self.read(layout::FPSTAT, 4) | self.arg(i, 0));
                0
            }
            Op::set_fpmode => {
                self.write(layout::FPMODE, 4, self.arg(i, 0));
                0
            }

            Op::brcond => {
                if self.arg(i, 0) != 0 {
                    return Ok(Step::Go(self.imm_pc(i)));
                }
                0
            }
            Op::goto => return Ok(Step::Go(self.imm_pc(i))),
            // A call is a jump here; its pairing with a return is a matter of speed.
            Op::call => return Err(Outcome::Continue(self.imm_pc(i))),
            Op::goto_ptr | Op::call_ptr | Op::ret_ptr => {
                return Err(Outcome::Continue(self.arg(i, 0) as u64));
            }
            Op::exit => return Err(Outcome::Exit(ExitKind::from_u8(i.aux), self.imm_pc(i))),
            Op::exit_if => {
                if self.arg(i, 0) != 0 {
                    return Err(Outcome::Exit(ExitKind::from_u8(i.aux), self.imm_pc(i)));
                }
                0
            }
            Op::helper => self.helper(i),
            Op::helper_end => {
                let kind = ExitKind::from_u8(self.helper(i) as u8);
                let pc = self.read(layout::PC, 8) as u64;
                return Err(match kind {
                    ExitKind::Continue => Outcome::Continue(pc),
                    kind => Outcome::Exit(kind, pc),
                });
            }
            Op::vhelper => self.vhelper(i),

            _ => self.pure(id, i),
        }))
    }

    /// An op that [`value`] knows.
    fn pure(&mut self, id: u16, i: &Inst) -> u128 {
        let mut args = [0; 3];
        for (n, a) in args.iter_mut().enumerate().take(i.op.arity()) {
            *a = self.arg(i, n);
        }
        let mode = self.read(layout::FPMODE, 4) as u32;
        let mut flags = 0;
        let v = value(&Packed::new(self.r, id), args, &mut flags, mode);
        debug_assert!(v.is_some(), "{:?} is executed nowhere", i.op);
        if flags != 0 {
            let all = self.read(layout::FPSTAT, 4) | u128::from(flags);
            self.write(layout::FPSTAT, 4, all);
        }
        v.unwrap_or(0)
    }

    // ---- state

    fn read(&self, offset: usize, bytes: u32) -> u128 {
        let mut v = [0; 16];
        v[..bytes as usize].copy_from_slice(&self.state[offset..offset + bytes as usize]);
        u128::from_le_bytes(v)
    }
    fn write(&mut self, offset: usize, bytes: u32, v: u128) {
        let to = &mut self.state[offset..offset + bytes as usize];
        to.copy_from_slice(&v.to_le_bytes()[..bytes as usize]);
    }

    // ---- memory

    fn fault(&self, fault: Fault) -> Outcome {
        Outcome::Fault { pc: self.pc, fault }
    }
    /// Address of a load or store.
    fn address(&self, i: &Inst) -> u64 {
        let a = Addr::of(i);
        let index = if i.args[1] == crate::Val::NONE_ID { 0 } else { self.arg(i, 1) as u64 };
        let base = self.arg(i, 0) as u64;
        base.wrapping_add(index << a.scale).wrapping_add(i64::from(a.disp) as u64)
    }
    fn check(&self, addr: u64, m: MemOp, write: bool) -> Result<(), Outcome> {
        if m.aligned && !addr.is_multiple_of(u64::from(m.bytes())) {
            return Err(self.fault(Fault { addr, write, misaligned: true }));
        }
        Ok(())
    }
    fn load(&mut self, i: &Inst) -> Result<u128, Outcome> {
        let (addr, m) = (self.address(i), MemOp::from_u8(i.aux));
        self.check(addr, m, false)?;
        let v = self.mem.load(addr, m.bytes()).map_err(|f| self.fault(f))?;
        Ok(extend(ordered(v, m), m))
    }
    fn store(&mut self, i: &Inst) -> Result<u128, Outcome> {
        let (addr, m) = (self.address(i), MemOp::from_u8(i.aux));
        self.check(addr, m, true)?;
        let v = ordered(self.arg(i, 2), m);
        self.mem.store(addr, m.bytes(), v).map_err(|f| self.fault(f))?;
        Ok(0)
    }
    /// Bytes that a partial access makes, and the address of the first.
    fn part(&self, i: &Inst) -> (u64, usize) {
        let d = i64::from(i.imm);
        let bytes = (self.arg(i, 1) as i64).saturating_sub(d).clamp(0, 16);
        ((self.arg(i, 0) as u64).wrapping_add(d as u64), bytes as usize)
    }
    fn load_part(&mut self, i: &Inst) -> Result<u128, Outcome> {
        let (addr, bytes) = self.part(i);
        if bytes == 16 {
            return self.mem.load(addr, 16).map_err(|f| self.fault(f));
        }
        let mut v = self.arg(i, 2).to_le_bytes();
        for (n, b) in v.iter_mut().enumerate().take(bytes) {
            *b = self.mem.load(addr.wrapping_add(n as u64), 1).map_err(|f| self.fault(f))? as u8;
        }
        Ok(u128::from_le_bytes(v))
    }
    fn store_part(&mut self, i: &Inst) -> Result<u128, Outcome> {
        let (addr, bytes) = self.part(i);
        let v = self.arg(i, 2);
        if bytes == 16 {
            self.mem.store(addr, 16, v).map_err(|f| self.fault(f))?;
            return Ok(0);
        }
        for (n, b) in v.to_le_bytes().iter().enumerate().take(bytes) {
            let at = addr.wrapping_add(n as u64);
            self.mem.store(at, 1, u128::from(*b)).map_err(|f| self.fault(f))?;
        }
        Ok(0)
    }
    fn rmw(&mut self, i: &Inst) -> Result<u128, Outcome> {
        let (addr, m) = (self.arg(i, 0) as u64, MemOp::from_u8(i.aux));
        self.check(addr, m, true)?;
        let bits = 8 * m.bytes();
        let operand = low(self.arg(i, 1), bits);
        let op = RmwOp::from_u8(i.imm as u8);
        let mut f = |old| ordered(combine(op, ordered(old, m), operand, bits), m);
        let old = self.mem.rmw(addr, m.bytes(), &mut f).map_err(|f| self.fault(f))?;
        Ok(extend(ordered(old, m), m))
    }
    fn cas(&mut self, i: &Inst) -> Result<u128, Outcome> {
        let (addr, m) = (self.arg(i, 0) as u64, MemOp::from_u8(i.aux));
        self.check(addr, m, true)?;
        let (expect, new) = (ordered(self.arg(i, 1), m), ordered(self.arg(i, 2), m));
        let old = self.mem.cas(addr, m.bytes(), expect, new).map_err(|f| self.fault(f))?;
        Ok(ordered(old, m))
    }

    // ---- helpers

    fn helper(&mut self, i: &Inst) -> u128 {
        let Some(h) = self.r.helpers.get(i.imm as usize) else { return 0 };
        let [a, b, c] = [0, 1, 2].map(|n| self.arg(i, n) as u64);
        u128::from((h.func)(self.state.as_mut_ptr(), a, b, c))
    }
    fn vhelper(&mut self, i: &Inst) -> u128 {
        let Some(h) = self.r.helpers.get(i.imm as usize) else { return 0 };
        let mut buf = [0, self.arg(i, 0), self.arg(i, 1), self.arg(i, 2)];
        (h.func)(buf.as_mut_ptr().cast(), u64::from(i.args[3]), 0, 0);
        buf[0]
    }
}

enum Step {
    Value(u128),
    Go(u64),
}

/// The low bytes of a value as they are in memory, or the other way round.
fn ordered(v: u128, m: MemOp) -> u128 {
    let v = low(v, 8 * m.bytes());
    if m.big { v.swap_bytes() >> (128 - 8 * m.bytes()) } else { v }
}
fn extend(v: u128, m: MemOp) -> u128 {
    if m.signed { signed(v, 8 * m.bytes()) as u128 } else { v }
}
fn combine(op: RmwOp, old: u128, v: u128, bits: u32) -> u128 {
    match op {
        RmwOp::Xchg => v,
        RmwOp::Add => old.wrapping_add(v),
        RmwOp::And => old & v,
        RmwOp::Andc => old & !v,
        RmwOp::Or => old | v,
        RmwOp::Xor => old ^ v,
        RmwOp::Smin => int::smaller(old, v, bits),
        RmwOp::Smax => int::larger(old, v, bits),
        RmwOp::Umin => old.min(v),
        RmwOp::Umax => old.max(v),
    }
}

fn is_nan(t: Type, bits: u128) -> bool {
    let (infinite, sign) = match t {
        Type::F16 => (0x7c00, 15),
        Type::F32 => (0x7f80_0000, 31),
        _ => (0x7ff0_0000_0000_0000, 63),
    };
    bits & ((1 << sign) - 1) > infinite
}
