//! EL1 and EL0 of a machine: privileged state, exceptions, address translation, timers. Chapters
//! and names are those of the Arm Architecture Reference Manual, DDI 0487.

mod debug;
mod exception;
mod exit;
mod id;
mod key;
mod mmu;
mod names;
mod ops;
mod regs;
mod sysregs;
#[cfg(test)]
mod tests;
mod timer;

pub(crate) use key::{MachineKey, is_emulated};
pub use regs::{MachineState, STATE};

use remu_ir::ExitKind;
use remu_isa::{After, DebugPlace, Debugged, Intent, Mapping, PhysMem, Surroundings, System, Trap};

use crate::features::Features;
use crate::sysreg;
use exception::{ec, syndrome};
use regs::Regs;

/// A processor's privileged architecture.
#[derive(Clone, Copy, Debug)]
pub struct Privileged {
    features: Features,
}

impl Privileged {
    /// Of a processor with these features.
    pub fn new(features: Features) -> Privileged {
        Privileged { features }
    }
}

impl System for Privileged {
    fn reset(&self, state: &mut [u8], cpu: u64, entry: u64) {
        Regs(state).reset(cpu, entry);
    }
    fn start(&self, state: &mut [u8], cpu: u64, entry: u64, argument: u64) {
        let mut r = Regs(state);
        r.reset(cpu, entry);
        r.set_x(0, argument);
    }
    fn affinity(&self, cpu: u64) -> u64 {
        id::affinity(cpu)
    }
    fn hertz(&self) -> u64 {
        sysreg::COUNTER_HZ
    }
    fn translate(
        &self,
        state: &mut [u8],
        mem: &dyn PhysMem,
        va: u64,
        _: u64,
        intent: Intent,
        tlb: u8,
    ) -> Result<Mapping, Trap> {
        mmu::translate(&Regs(state), &self.features, mem, va, intent, tlb)
    }
    fn bus_error(&self, va: u64, intent: Intent) -> Trap {
        mmu::abort(va, intent, mmu::status::EXTERNAL)
    }
    fn misaligned(&self, va: u64, intent: Intent) -> Trap {
        match intent {
            Intent::Execute => Trap { cause: syndrome(ec::PC_ALIGNMENT, 0), value: va },
            _ => mmu::abort(va, intent, mmu::status::ALIGNMENT),
        }
    }
    fn exit(
        &self,
        state: &mut [u8],
        kind: ExitKind,
        trap: Option<Trap>,
        around: &dyn Surroundings,
    ) -> After {
        exit::exit(&mut Regs(state), &self.features, kind, trap, around)
    }
    fn interrupt(&self, state: &mut [u8], around: &dyn Surroundings) -> bool {
        exception::interrupt(&mut Regs(state), &self.features, around)
    }
    fn awake(&self, _: &mut [u8], around: &dyn Surroundings) -> bool {
        exception::pending(around) != 0
    }
    fn deadline(&self, state: &mut [u8]) -> Option<u64> {
        timer::deadline(&Regs(state))
    }
    fn timers(&self, state: &mut [u8], around: &dyn Surroundings) -> u64 {
        timer::levels(&mut Regs(state), around)
    }
    fn debug(&self) -> Debugged {
        debug::debugged(&self.features)
    }
    fn debug_register(
        &self,
        state: &mut [u8],
        place: DebugPlace,
        around: &dyn Surroundings,
    ) -> Option<Vec<u8>> {
        debug::read(&mut Regs(state), place, around)
    }
    fn set_debug_register(
        &self,
        state: &mut [u8],
        place: DebugPlace,
        bytes: &[u8],
        _: &dyn Surroundings,
    ) -> bool {
        debug::write(&mut Regs(state), place, bytes)
    }
    fn dump(&self, state: &mut [u8], _: &dyn Surroundings) -> String {
        names::dump(&Regs(state))
    }
}
