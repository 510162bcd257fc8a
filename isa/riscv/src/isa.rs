//! The [`Isa`] of riscv64 and its registry row.

use remu_ir::{ExitKind, Slot, Type};
use remu_isa::{Flow, Guest, Isa, Key, Lift, Model, Processor, Scan, StateDesc};

use crate::features::{self, CPUS, Features};
use crate::system::{self, MachineKey, is_emulated};
use crate::vector::{self, Unit};
use crate::{decode, fmt, state};

/// RV64 with its extensions chosen.
#[derive(Clone, Copy, Debug)]
pub struct Riscv64 {
    features: Features,
    /// A machine is run, not a program.
    machine: bool,
}

impl Riscv64 {
    /// A hart with these extensions.
    pub fn new(features: Features) -> Riscv64 {
        Riscv64 { features, machine: false }
    }
    /// The same in a machine, without vectors: their privileged state is not there yet.
    pub fn in_machine(features: Features) -> Riscv64 {
        Riscv64 { features: features.without_vectors(), machine: true }
    }
    /// Whether translated code leaves the instruction to [`crate::system`].
    fn is_emulated(word: u32, key: Key) -> bool {
        MachineKey::of_key(key).is_some_and(|key| is_emulated(word, key))
    }
    /// The extensions.
    pub fn extensions(&self) -> Features {
        self.features
    }
}

/// Lift key: what translations know of the rounding mode of `fcsr`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// To nearest, ties to even: instructions that round so by themselves need
    /// no change of mode.
    Nearest,
    /// One of the directed modes.
    Directed,
    /// To nearest, ties away from zero, which hosts do not have.
    Away,
    /// A reserved one: instructions that would use it are illegal.
    Reserved,
}

impl Mode {
    /// Of a rounding mode of `fcsr`.
    pub(crate) fn of_frm(frm: u32) -> Mode {
        match frm {
            0 => Mode::Nearest,
            1..state::RMM => Mode::Directed,
            state::RMM => Mode::Away,
            _ => Mode::Reserved,
        }
    }
    /// Of a lift key.
    pub(crate) fn of_key(key: Key) -> Mode {
        match key.0 & 3 {
            0 => Mode::Nearest,
            1 => Mode::Directed,
            2 => Mode::Away,
            _ => Mode::Reserved,
        }
    }
}

/// Bits of a lift key, or of a guess, below the vector unit's number.
const UNIT_AT: u32 = 8;

/// Number where there is no vector unit.
const NO_UNIT: u32 = 62;

/// Whether there is a vector unit: in a machine there is none.
pub(crate) fn has_unit(key: Key) -> bool {
    MachineKey::of_key(key).is_none() && unit_of(key.0) != NO_UNIT
}

/// Number of the vector unit that a lift key, or a guess, stands for.
pub(crate) fn unit_of(key: u32) -> u32 {
    key >> UNIT_AT & 63
}

/// The instruction at the start of `code` and its length; shorter ones have
/// their upper half zero. `None` if `code` ends inside it.
#[inline]
fn fetch(code: &[u8]) -> Option<(u32, u8)> {
    let low = u16::from_le_bytes(code.get(..2)?.try_into().ok()?);
    if low & 3 != 3 {
        return Some((u32::from(low), 2));
    }
    Some((u32::from_le_bytes(code.get(..4)?.try_into().ok()?), 4))
}

/// Whether only the next instruction can follow, told by the opcode: region
/// discovery asks this of every instruction, and most need not be decoded for
/// it. Encodings that are not implemented may pass.
#[inline]
fn always_goes_on(word: u32) -> bool {
    match (word & 3, word >> 13 & 7) {
        // LOAD-FP, STORE-FP: vectors are those of widths that scalars do not have.
        (3, _) if matches!(word & 0x7f, 0x07 | 0x27) => (1..=4).contains(&(word >> 12 & 7)),
        // BRANCH, JALR, JAL, SYSTEM and MISC-MEM.
        (3, _) => !matches!(word & 0x7f, 0x63 | 0x67 | 0x6f | 0x73 | 0x0f),
        // c.j, c.beqz, c.bnez.
        (1, n) => n < 5,
        // c.jr, c.jalr, c.ebreak have no second register.
        (2, n) => n != 4 || word & 0x7c != 0,
        // c.unimp
        _ => word != 0,
    }
}

impl Isa for Riscv64 {
    fn state(&self) -> &'static StateDesc {
        if self.machine { &system::STATE } else { &state::STATE }
    }
    fn insn_align(&self) -> u8 {
        1
    }
    fn scan(&self, code: &[u8], pc: u64, key: Key) -> Option<Scan> {
        let (word, len) = fetch(code)?;
        if self.machine && Self::is_emulated(word, key) {
            return Some(Scan { len, flow: Flow::Exit, target: 0 });
        }
        if crate::lift::rv_v::is_setting(word)
            && has_unit(key)
            && crate::lift::rv_v::goes_home(unit_of(key.0))
        {
            return Some(Scan { len, flow: Flow::Exit, target: 0 });
        }
        if always_goes_on(word) {
            return Some(Scan { len, flow: Flow::Next, target: 0 });
        }
        let Some(insn) = decode::decode(word, &self.features) else {
            return Some(Scan { len, flow: Flow::Stop, target: 0 });
        };
        Some(Scan { len, flow: insn.flow(), target: insn.target(pc).unwrap_or(0) })
    }
    fn guesses(&self) -> bool {
        self.features.has(features::V)
    }
    fn guess(&self, code: &[u8], key: Key, before: u32) -> u32 {
        match fetch(code) {
            Some((word, 4)) => {
                let of_key = Unit::of_code(unit_of(key.0));
                let unit = crate::lift::rv_v::guess(word, of_key, unit_of(before));
                before & !(63 << UNIT_AT) | unit << UNIT_AT
            }
            _ => before,
        }
    }
    fn lift(&self, l: &Lift<'_>, code: &[u8]) {
        let Some((word, _)) = fetch(code) else { return l.illegal() };
        let insn = decode::decode(word, &self.features);
        // What does not exist goes the same way, to be named in `mtval`.
        if self.machine && (insn.is_none() || Self::is_emulated(word, l.key())) {
            const INFO: usize = core::mem::offset_of!(remu_isa::Header, exit_info);
            let info = Slot { offset: INFO as u16, ty: Type::I64 };
            l.set(info, l.c64(word.into()));
            return l.exit(ExitKind::Special, l.pc());
        }
        match insn {
            Some(insn) => decode::lift(l, &insn),
            None => l.illegal(),
        }
    }
    fn disassemble(&self, code: &[u8], pc: u64) -> (String, usize) {
        let Some((word, len)) = fetch(code) else {
            return (".byte".to_owned(), code.len());
        };
        match decode::decode(word, &self.features) {
            Some(insn) => (insn.display(&fmt::Ctx { pc }).to_string(), len.into()),
            None => (format!(".insn {len}, {word:#x}"), len.into()),
        }
    }
    fn hwcap(&self) -> [u64; 2] {
        let letters = "imafdcv".chars().filter(|c| {
            let mut name =
                features::ALL.iter().filter(|(name, _)| name.starts_with(*c) && name.len() == 1);
            *c == 'i' || name.any(|(_, f)| self.features.has(*f))
        });
        [letters.fold(0, |bits, c| bits | 1 << (c as u8 - b'a')), 0]
    }
    fn features(&self) -> Vec<&'static str> {
        features::ALL.iter().filter(|(_, f)| self.features.has(*f)).map(|(name, _)| *name).collect()
    }
    fn key(&self, state: &[u8]) -> Key {
        let mode = Mode::of_frm(state::frm_of(state)) as u32;
        if self.machine {
            return Key(mode | MachineKey::of_state(state).bits());
        }
        let vectors = self.features.has(features::V);
        let unit = if vectors { state::vguess_of(state) & 63 } else { NO_UNIT };
        Key(mode | unit << UNIT_AT)
    }
    fn key_changed(&self, state: &mut [u8]) {
        if !self.machine && self.features.has(features::V) {
            vector::follow(state);
        }
    }
    fn tlb(&self, key: Key) -> u8 {
        MachineKey::of_key(key).map_or(0, |k| k.tlb)
    }
}

fn make(model: &str) -> Result<Box<dyn Isa>, String> {
    let model = if model.is_empty() { CPUS[0].name } else { model };
    Ok(Box::new(Riscv64::new(features::parse(model)?)))
}

fn make_machine(model: &str) -> Result<Processor, String> {
    let model = if model.is_empty() { CPUS[0].name } else { model };
    let features = features::parse_with(model, features::MACHINE)?;
    let isa = Riscv64::in_machine(features);
    // What has no letter or is not an extension's name is left out.
    let mut extensions = vec!["i".to_owned()];
    extensions.extend(isa.features().into_iter().filter(|n| *n != "s").map(str::to_owned));
    extensions.extend(["zicsr", "zifencei", "zicntr"].map(str::to_owned));
    let system = Box::new(system::Privileged::new(features));
    Ok(Processor {
        isa: Box::new(isa),
        system,
        extensions,
        mmu: "sv57".to_owned(),
        compatible: "riscv".to_owned(),
    })
}

static MODELS: [Model; CPUS.len()] = {
    let mut models = [Model { name: "", about: "" }; CPUS.len()];
    let mut i = 0;
    while i < models.len() {
        models[i] = Model { name: CPUS[i].name, about: CPUS[i].about };
        i += 1;
    }
    models
};

/// Registry row.
pub static GUEST: Guest = Guest {
    name: "riscv64",
    elf_machine: 243,
    elf64: true,
    little: true,
    models: &MODELS,
    make,
    make_machine: Some(make_machine),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_tells_length_flow_and_target() {
        let isa = Riscv64::new(features::MAX);
        let scan = |word: u32| isa.scan(&word.to_le_bytes(), 0x1000, Key(0));
        let want = |len, flow, target| Some(Scan { len, flow, target });
        assert_eq!(scan(0x0080_00ef), want(4, Flow::Call, 0x1008)); // jal ra, 8
        assert_eq!(scan(0xffdf_f06f), want(4, Flow::Jump, 0xffc)); // j -4
        assert_eq!(scan(0x0000_8067), want(4, Flow::Ret, 0)); // ret
        assert_eq!(scan(0x8082), want(2, Flow::Ret, 0)); // c.jr ra
        assert_eq!(scan(0x0005_00e7), want(4, Flow::CallIndirect, 0)); // jalr a0
        assert_eq!(scan(0x0005_0067), want(4, Flow::Indirect, 0)); // jr a0
        assert_eq!(scan(0x00b5_0463), want(4, Flow::Cond, 0x1008)); // beq a0, a1, 8
        assert_eq!(scan(0), want(2, Flow::Stop, 0));
        assert_eq!(isa.scan(&[0x13, 0, 0], 0, Key(0)), None);
        assert_eq!(isa.scan(&[1, 0], 0, Key(0)), want(2, Flow::Next, 0));
    }

    #[test]
    fn keys_tell_modes_apart() {
        use Mode::{Away, Directed, Nearest, Reserved};
        let modes = [0, 1, 2, 3, 4, 5, 6, 7].map(Mode::of_frm);
        let want = [Nearest, Directed, Directed, Directed, Away, Reserved, Reserved, Reserved];
        assert_eq!(modes, want);
        assert!(modes.into_iter().all(|m| Mode::of_key(Key(m as u32)) == m));
    }

    #[test]
    fn models_are_made_by_name() {
        assert!(make("").is_ok() && make("rv64,zba=off").is_ok());
        assert!(make("z80").is_err());
    }
}
