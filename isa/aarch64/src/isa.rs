//! The [`Isa`] of aarch64 and its registry row.

use remu_ir::ExitKind;
use remu_isa::{Flow, Guest, Isa, Key, Lift, Processor, Scan, StateDesc};

use crate::features::{Features, MODELS, PAC_KEYS};
use crate::system::{self, MachineKey, is_emulated};
use crate::{decode, fmt, lift, scan, state};

/// The aarch64 instruction set with its features chosen.
#[derive(Clone, Copy, Debug)]
pub struct Aarch64 {
    features: Features,
    /// A machine is run, not a program.
    machine: bool,
}

impl Aarch64 {
    /// A processor with these features.
    pub fn new(features: Features) -> Aarch64 {
        Aarch64 { features, machine: false }
    }
    /// The same in a machine.
    pub fn in_machine(features: Features) -> Aarch64 {
        Aarch64 { features, machine: true }
    }
    /// Whether translated code leaves the instruction to [`crate::system`].
    fn is_emulated(&self, word: u32, key: Key) -> bool {
        self.machine
            && MachineKey::of_key(key).is_some_and(|key| is_emulated(word, &self.features, key))
    }
    /// The features.
    pub fn chosen(&self) -> &Features {
        &self.features
    }
}

fn word(code: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(code.get(..4)?.try_into().ok()?))
}

/// Lift key bit: FPCR.DN.
pub(crate) const KEY_DN: u32 = 1;
/// Lift key bit: FPCR.FZ. Flushing has rules of its own (DDI 0487, "Flushing
/// denormalized numbers to zero"): a flushed input is told by FPSR.IDC, a
/// flushed result by UFC without IXC, and it is flushed if it was tiny before
/// it was rounded.
pub(crate) const KEY_FZ: u32 = 2;
/// Lift key bit: FPCR.FZ16.
pub(crate) const KEY_FZ16: u32 = 4;
/// Lift key bit of programs: pointers are not signed.
pub(crate) const KEY_UNSIGNED: u32 = 8;
/// Bits of the lift key that belong to FPCR and to programs.
pub(crate) const KEY_BITS: u32 = 4;

impl Isa for Aarch64 {
    fn state(&self) -> &'static StateDesc {
        if self.machine { &system::STATE } else { &state::STATE }
    }
    fn scan(&self, code: &[u8], pc: u64, key: Key) -> Option<Scan> {
        let w = word(code)?;
        if self.is_emulated(w, key) {
            return Some(Scan { len: 4, flow: Flow::Exit, target: 0 });
        }
        Some(scan::scan(w, pc))
    }
    fn lift(&self, l: &Lift<'_>, code: &[u8]) {
        if l.key().0 & KEY_FZ != 0 {
            l.soft_float();
        }
        let insn = word(code).and_then(|w| decode::decode(w, &self.features));
        if let Some(w) = word(code).filter(|w| insn.is_some() && self.is_emulated(*w, l.key())) {
            l.set(state::EXIT_INFO[0], l.c64(w.into()));
            return l.exit(ExitKind::Special, l.pc());
        }
        match insn {
            Some(decode::Insn::Mrs(a)) => lift::branch_sys::mrs_with(l, a, &self.features),
            Some(decode::Insn::Msr(a)) => lift::branch_sys::msr_with(l, a, &self.features),
            Some(insn) => decode::lift(l, &insn),
            None => l.illegal(),
        }
    }
    fn disassemble(&self, code: &[u8], pc: u64) -> (String, usize) {
        let Some(w) = word(code) else { return (".byte".to_owned(), code.len()) };
        match decode::decode(w, &self.features) {
            Some(insn) => (insn.display(&fmt::Ctx { pc }).to_string(), 4),
            None => (format!(".inst {w:#010x} ; undefined"), 4),
        }
    }
    fn hwcap(&self) -> [u64; 2] {
        self.features.hwcap()
    }
    fn features(&self) -> Vec<&'static str> {
        self.features.names()
    }
    fn key(&self, state: &[u8]) -> Key {
        let at = state::FPCR_OFFSET;
        let fpcr =
            state.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let bit = |of: u32, key: u32| if fpcr & of != 0 { key } else { 0 };
        let more = if self.machine {
            MachineKey::of_state(state).bits()
        } else if self.features.has(PAC_KEYS) {
            0
        } else {
            KEY_UNSIGNED
        };
        Key(bit(state::FPCR_DN, KEY_DN)
            | bit(state::FPCR_FZ, KEY_FZ)
            | bit(state::FPCR_FZ16, KEY_FZ16)
            | more)
    }
    fn tlb(&self, key: Key) -> u8 {
        MachineKey::of_key(key).map_or(0, MachineKey::tlb)
    }
}

fn make(model: &str) -> Result<Box<dyn Isa>, String> {
    let model = if model.is_empty() { "max" } else { model };
    Ok(Box::new(Aarch64::new(Features::parse(model)?)))
}

fn make_machine(model: &str) -> Result<Processor, String> {
    let model = if model.is_empty() { "max" } else { model };
    let features = Features::parse(model)?.of_machine();
    let isa = Aarch64::in_machine(features);
    let extensions = isa.features().into_iter().map(str::to_owned).collect();
    let system = Box::new(system::Privileged::new(features));
    let name = model.split(',').next().unwrap_or_default();
    let compatible = if name == "max" { "arm,armv8".to_owned() } else { format!("arm,{name}") };
    Ok(Processor { isa: Box::new(isa), system, extensions, mmu: String::new(), compatible })
}

/// Registry row.
pub static GUEST: Guest = Guest {
    name: "aarch64",
    elf_machine: 183,
    elf64: true,
    little: true,
    models: &MODELS,
    make,
    make_machine: Some(make_machine),
};
