//! One instruction at a time, for a tracer.
//!
//! A second translator sees nothing of memory but the instruction: whatever that leads to has no code.

use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use remu_engine::{CodeSource, Cpu, Engine, ExitKind, Module};
use remu_isa::Flow;
use remu_isa::Header;
use remu_isa::ir::{Slot, Type};

use super::Task;
use crate::mm::AddressSpace;

/// Bytes of translated code: one instruction's, and what every translator has.
const CODE: usize = 1 << 20;

/// A translator and processor for single instructions.
pub(super) struct Stepper {
    code: Arc<OneInsn>,
    cpu: Cpu,
    engine: Engine,
}

/// The guest's memory around one instruction.
struct OneInsn {
    mm: Arc<AddressSpace>,
    /// The instruction.
    at: AtomicU64,
    /// What is being translated.
    wanted: AtomicU64,
    most: usize,
}

impl CodeSource for OneInsn {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let at = self.at.load(Ordering::Relaxed);
        let end = at.saturating_add(self.most as u64);
        if self.wanted.load(Ordering::Relaxed) != at || addr > at {
            return 0;
        }
        let most = buf.len().min((end - addr) as usize);
        self.mm.fetch(addr, &mut buf[..most])
    }
    /// Asked for every translation, before its code is read.
    fn module(&self, pc: u64) -> Option<Module> {
        self.wanted.store(pc, Ordering::Relaxed);
        None
    }
}

impl Task {
    fn stepper(&mut self) -> Option<&mut Stepper> {
        if self.stepper.is_none() {
            let config = &self.shared.config;
            let default = config.guest.models.first().map_or("", |m| m.name);
            let isa = (config.guest.make)(config.options.cpu.as_deref().unwrap_or(default)).ok()?;
            let most = isa.max_insn_len();
            let code = OneInsn {
                mm: self.shared.mm.clone(),
                at: AtomicU64::new(0),
                wanted: AtomicU64::new(1),
                most,
            };
            let code = Arc::new(code);
            let limits = remu_isa::Limits { blocks: 1, insns: 1, ..Default::default() };
            let options =
                remu_engine::Options { code_size: CODE, segments: 1, limits, ..Default::default() };
            let engine = Engine::new(isa, code.clone(), options).ok()?;
            let cpu = Cpu::new(&engine).ok()?;
            self.stepper = Some(Box::new(Stepper { code, cpu, engine }));
        }
        self.stepper.as_deref_mut()
    }

    /// Runs one instruction; `None` when it is done and nothing else happened.
    pub(super) fn step(&mut self) -> Option<ExitKind> {
        let pc = self.cpu.pc();
        let mut insn = [0; 16];
        let isa = self.shared.engine.isa();
        let have = self.shared.mm.fetch(pc, &mut insn[..isa.max_insn_len()]);
        match isa.scan(&insn[..have], pc, isa.key(self.cpu.state())) {
            // No code there: the fault is the same either way.
            None => return Some(self.shared.engine.run(&mut self.cpu)),
            Some(scan) if scan.flow == Flow::Jump && scan.target == pc => return None,
            Some(_) => {}
        }
        if self.stepper().is_none() {
            log::warn!(target: "remu", "no memory to run one instruction at a time");
            return Some(self.shared.engine.run(&mut self.cpu));
        }
        let Task { stepper, cpu, signals, .. } = self;
        let Stepper { code, cpu: one, engine } = stepper.as_deref_mut()?;
        code.at.store(pc, Ordering::Relaxed);
        engine.invalidate(0, u64::MAX);
        one.clone_state_from(cpu);
        let kind = signals.state.with_engine(engine, one, |one| engine.run(one));
        cpu.clone_state_from(one);
        for at in 0..2 {
            let offset = (offset_of!(Header, exit_info) + 8 * at) as u16;
            let slot = Slot { offset, ty: Type::I64 };
            cpu.set(slot, one.get(slot));
        }
        // Led to where it sees no code.
        (kind != ExitKind::Fault || signals.state.has_fault()).then_some(kind)
    }
}
