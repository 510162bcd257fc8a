//! Machine, supervisor and user mode: privileged state, exceptions, address translation.
//! Chapters and names are those of the RISC-V Instruction Set Manual, volume II (privileged),
//! version 20240411.

mod csr;
mod debug;
mod exit;
mod key;
mod mmu;
mod names;
mod pmp;
mod regs;
mod trap;

pub(crate) use key::{MachineKey, is_emulated, plain};
pub use regs::{MachineHart, STATE};

use remu_ir::ExitKind;
use remu_isa::{After, DebugPlace, Debugged, Intent, Mapping, PhysMem, Surroundings, System, Trap};

use crate::features::Features;
use regs::Regs;

/// Ticks of `time` in a second, as on QEMU's boards.
const HERTZ: u64 = 10_000_000;
/// The first argument register.
const A0: u8 = 10;

/// A hart's privileged architecture.
#[derive(Clone, Copy, Debug)]
pub struct Privileged {
    features: Features,
}

impl Privileged {
    /// Of a hart with these extensions.
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
        r.set_x(A0, argument);
    }
    fn hertz(&self) -> u64 {
        HERTZ
    }
    fn translate(
        &self,
        state: &mut [u8],
        mem: &dyn PhysMem,
        va: u64,
        bytes: u64,
        intent: Intent,
        tlb: u8,
    ) -> Result<Mapping, Trap> {
        mmu::translate(&mut Regs(state), self.features, mem, va, bytes, intent, tlb)
    }
    fn bus_error(&self, va: u64, intent: Intent) -> Trap {
        mmu::access_fault(va, intent)
    }
    fn misaligned(&self, va: u64, intent: Intent) -> Trap {
        let cause =
            if intent == Intent::Read { trap::LOAD_MISALIGNED } else { trap::STORE_MISALIGNED };
        Trap { cause, value: va }
    }
    fn exit(
        &self,
        state: &mut [u8],
        kind: ExitKind,
        trap: Option<Trap>,
        around: &dyn Surroundings,
    ) -> After {
        exit::exit(&mut Regs(state), self.features, kind, trap, around)
    }
    fn interrupt(&self, state: &mut [u8], around: &dyn Surroundings) -> bool {
        trap::interrupt(&mut Regs(state), around)
    }
    fn awake(&self, state: &mut [u8], around: &dyn Surroundings) -> bool {
        let r = Regs(state);
        r.mie() & trap::mip(&r, around) != 0
    }
    fn deadline(&self, state: &mut [u8]) -> Option<u64> {
        let r = Regs(state);
        let on = r.menvcfg() & regs::menvcfg::STCE != 0;
        Some(r.stimecmp()).filter(|&t| on && t != u64::MAX)
    }
    fn debug(&self) -> Debugged {
        debug::debugged(self.features)
    }
    fn debug_register(
        &self,
        state: &mut [u8],
        place: DebugPlace,
        around: &dyn Surroundings,
    ) -> Option<Vec<u8>> {
        debug::read(&mut Regs(state), self.features, place, around)
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
    fn dump(&self, state: &mut [u8], around: &dyn Surroundings) -> String {
        names::dump(&Regs(state), self.features, around)
    }
}
