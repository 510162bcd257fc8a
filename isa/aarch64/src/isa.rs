//! The [`Isa`] of aarch64 and its registry row.

use remu_isa::{Guest, Isa, Key, Lift, Scan, StateDesc};

use crate::features::{Features, MODELS};
use crate::{decode, fmt, lift, scan, state};

/// The aarch64 instruction set with its features chosen.
#[derive(Clone, Copy, Debug)]
pub struct Aarch64 {
    features: Features,
}

impl Aarch64 {
    /// A processor with these features.
    pub fn new(features: Features) -> Aarch64 {
        Aarch64 { features }
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

impl Isa for Aarch64 {
    fn state(&self) -> &'static StateDesc {
        &state::STATE
    }
    fn scan(&self, code: &[u8], pc: u64, _: Key) -> Option<Scan> {
        Some(scan::scan(word(code)?, pc))
    }
    fn lift(&self, l: &Lift<'_>, code: &[u8]) {
        let insn = word(code).and_then(|w| decode::decode(w, &self.features));
        match insn {
            Some(decode::Insn::Mrs(a)) => lift::branch_sys::mrs_with(l, a, &self.features),
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
        Key(if fpcr & state::FPCR_DN != 0 { KEY_DN } else { 0 })
    }
}

fn make(model: &str) -> Result<Box<dyn Isa>, String> {
    let model = if model.is_empty() { "max" } else { model };
    Ok(Box::new(Aarch64::new(Features::parse(model)?)))
}

/// Registry row.
pub static GUEST: Guest =
    Guest { name: "aarch64", elf_machine: 183, elf64: true, little: true, models: &MODELS, make };
