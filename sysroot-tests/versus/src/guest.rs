//! What the comparison needs of a guest: its rows, its disassembler, its frame and the layout of a state.

use anyhow::{Result, bail};
use remu_isa::{Flow, Isa, Key};

use crate::random::Random;

/// An instruction chosen for a test.
#[derive(Clone)]
pub(crate) struct Chosen {
    /// Its row.
    pub(crate) row: &'static str,
    /// Its bits.
    pub(crate) word: u32,
    /// Its text.
    pub(crate) text: String,
}

/// A row as both guests' tables have it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) mask: u32,
    pub(crate) value: u32,
    pub(crate) width: u32,
}

/// One guest.
pub(crate) struct Guest {
    /// QEMU's and our spelling.
    pub(crate) name: &'static str,
    /// Prefix of the cross tools.
    pub(crate) triplet: &'static str,
    /// The reference's processor: all that the guest here has, and nothing that gives an encoding
    /// another meaning.
    pub(crate) model: &'static str,
    /// Assembly frame.
    pub(crate) frame: &'static str,
    /// Bytes of a state.
    pub(crate) state_size: usize,
    /// Every row.
    pub(crate) rows: fn() -> Vec<Row>,
    /// Row name and text of a word.
    pub(crate) decode: fn(u32, u32) -> Option<(&'static str, String)>,
    /// Its instruction set, for how instructions go on.
    pub(crate) isa: &'static remu_isa::Guest,
    /// What the test needs set up; none if this instance cannot be compared.
    pub(crate) operands: fn(&str) -> Option<Operands>,
    /// The register an indirect jump takes its address from, if that can be set.
    pub(crate) landing: fn(u32, u32) -> Option<String>,
    /// A random state.
    pub(crate) state: fn(&mut Random) -> Vec<u8>,
    /// What a byte of the state belongs to.
    pub(crate) part: fn(usize) -> String,
}

/// Registers to prepare.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Operands {
    /// Points into the scratch memory.
    pub(crate) base: Option<String>,
    /// Is added to the base.
    pub(crate) index: Option<String>,
    /// Points at the place that jumps are to reach.
    pub(crate) landing: Option<String>,
}

/// How far taken jumps go.
const JUMP: u64 = 8;

impl Guest {
    /// The instruction set.
    pub(crate) fn make(&self) -> Result<Box<dyn Isa>> {
        (self.isa.make)("").map_err(anyhow::Error::msg)
    }
    /// What the test of a word needs set up; none if it cannot be compared.
    pub(crate) fn prepare(
        &self,
        isa: &dyn Isa,
        word: u32,
        width: u32,
        text: &str,
    ) -> Option<Operands> {
        let pc = 0x1000;
        let scan = isa.scan(&word.to_le_bytes(), pc, Key(0))?;
        let operands = (self.operands)(text)?;
        match scan.flow {
            Flow::Next | Flow::Exit | Flow::Stop => Some(operands),
            Flow::Cond | Flow::Jump | Flow::Call => (scan.target == pc + JUMP).then_some(operands),
            Flow::Indirect | Flow::CallIndirect | Flow::Ret => Some(Operands {
                landing: Some((self.landing)(word, width)?),
                ..Operands::default()
            }),
        }
    }
}

/// The guest of a name.
pub(crate) fn by_name(name: &str) -> Result<&'static Guest> {
    match GUESTS.iter().find(|g| g.name == name) {
        Some(guest) => Ok(guest),
        None => bail!("no guest is called {name}"),
    }
}

static GUESTS: [Guest; 2] = [
    Guest {
        name: "riscv64",
        triplet: "riscv64-linux-gnu",
        // Zvfbfa has a bit of vtype of its own.
        model: "max,zvfbfa=off",
        frame: include_str!("../riscv64.S"),
        state_size: 560,
        rows: || {
            let rows = remu_riscv::decode::PATTERNS.iter();
            rows.map(|p| Row {
                name: p.name,
                mask: p.mask,
                value: p.value,
                width: u32::from(p.width),
            })
            .collect()
        },
        decode: |word, width| {
            let insn = if width == 16 {
                remu_riscv::decode::decode16(word, &remu_riscv::features::MAX)
            } else {
                remu_riscv::decode::decode32(word, &remu_riscv::features::MAX)
            }?;
            let ctx = remu_riscv::fmt::Ctx { pc: 0 };
            Some((insn.name(), insn.display(&ctx).to_string()))
        },
        isa: &remu_riscv::GUEST,
        operands: riscv_operands,
        landing: |word, width| {
            let n = if width == 16 { word >> 7 } else { word >> 15 } & 31;
            (![0, 30, 31].contains(&n)).then(|| format!("x{n}"))
        },
        state: riscv_state,
        part: |at| match at {
            0..256 => format!("x{}", at / 8),
            256..512 => format!("f{}", (at - 256) / 8),
            512..520 => "fcsr".to_string(),
            _ => other((at - 520) / 8).to_string(),
        },
    },
    Guest {
        name: "aarch64",
        triplet: "aarch64-linux-gnu",
        model: "max",
        frame: include_str!("../aarch64.S"),
        state_size: 832,
        rows: || {
            let rows = remu_aarch64::decode::PATTERNS.iter();
            rows.map(|p| Row {
                name: p.name,
                mask: p.mask,
                value: p.value,
                width: u32::from(p.width),
            })
            .collect()
        },
        decode: |word, _| {
            let insn =
                remu_aarch64::decode::decode32(word, &remu_aarch64::features::Features::MAX)?;
            let ctx = remu_aarch64::fmt::Ctx { pc: 0 };
            Some((insn.name(), insn.display(&ctx).to_string()))
        },
        isa: &remu_aarch64::GUEST,
        operands: arm_operands,
        landing: |word, _| {
            let n = word >> 5 & 31;
            (![27, 28, 31].contains(&n)).then(|| format!("x{n}"))
        },
        state: arm_state,
        part: |at| match at {
            248..256 => "sp".to_string(),
            0..248 => format!("x{}", at / 8),
            256..768 => format!("v{}", (at - 256) / 16),
            768..776 => "nzcv".to_string(),
            776..784 => "fpcr".to_string(),
            784..792 => "fpsr".to_string(),
            _ => other((at - 792) / 8).to_string(),
        },
    },
];

/// What both guests' reports have behind the registers.
fn other(n: usize) -> &'static str {
    ["memory", "signal", "signal's address", "signal's pc"].get(n).unwrap_or(&"jump taken")
}

/// The words of an instruction's text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty())
}

fn riscv_operands(text: &str) -> Option<Operands> {
    // x30 and x31 belong to the frame.
    if words(text).any(|w| w == "t5" || w == "t6") {
        return None;
    }
    let base = text.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_string());
    let base = base.filter(|b| b != "zero");
    // A pair of registers as source or result may reach into the frame's.
    if text.contains("amocas.q") && words(text).any(|w| w == "t4") {
        return None;
    }
    Some(Operands { base, ..Operands::default() })
}

fn arm_operands(text: &str) -> Option<Operands> {
    if words(text).any(|w| ["x27", "x28", "w27", "w28"].contains(&w)) {
        return None;
    }
    // The address is in the brackets that begin with a general register.
    let Some(at) = text.rfind("[x").or_else(|| text.rfind("[sp")) else {
        return Some(Operands::default());
    };
    let (before, inner) = (&text[..at], &text[at + 1..]);
    let mut parts = inner[..inner.find(']')?].split(", ");
    let base = parts.next()?.to_string();
    let index = parts.next().filter(|p| p.starts_with(['x', 'w'])).map(str::to_string);
    // Architecturally unpredictable: the base written back and used otherwise, a register loaded twice, a
    // status register that is also an operand.
    let number = |r: &str| r.trim_start_matches(['x', 'w']).to_string();
    let general: Vec<_> = words(before)
        .filter(|w| w.starts_with(['x', 'w']) && w[1..].parse::<u8>().is_ok())
        .map(number)
        .collect();
    let again = general.iter().any(|r| *r == number(&base)) || index.as_ref() == Some(&base);
    let twice = general.len() > 1 && general[0] == general[1];
    let same_index = index.as_deref().is_some_and(|i| number(i) == number(&base));
    if again || twice || same_index || general.len() > 2 && general[0] == general[2] {
        return None;
    }
    // Vector pairs loaded twice.
    let vectors: Vec<_> = words(before).skip(1).collect();
    if text.starts_with("ld") && vectors.len() == 2 && vectors[0] == vectors[1] {
        return None;
    }
    let index = index.filter(|i| !i.ends_with("zr"));
    Some(Operands { base: Some(base), index, landing: None })
}

fn riscv_state(random: &mut Random) -> Vec<u8> {
    let mut words: Vec<u64> = (0..32).map(|_| random.integer()).collect();
    words.extend((0..32).map(|_| random.float()));
    // Rounding mode and flags; modes 5 to 7 are reserved.
    words.push((random.next() % 5) << 5 | random.next() % 32);
    words.resize(70, 0);
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn arm_state(random: &mut Random) -> Vec<u8> {
    let mut words: Vec<u64> = (0..31).map(|_| random.integer()).collect();
    words.push(random.integer() & !15);
    words.extend((0..64).map(|_| random.float()));
    words.push((random.next() % 16) << 28);
    // Rounding mode, and now and then flush to zero or the default NaN.
    let rare = random.next() % 8;
    let mode = (random.next() % 4) << 22 | u64::from(rare == 0) << 24 | u64::from(rare == 1) << 25;
    words.push(mode);
    words.resize(104, 0);
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(base: &str, index: Option<&str>) -> Option<Operands> {
        let index = index.map(str::to_string);
        Some(Operands { base: Some(base.into()), index, landing: None })
    }

    #[test]
    fn riscv_addresses_are_found_in_the_text() {
        assert_eq!(riscv_operands("lw a0,-4(s1)"), memory("s1", None));
        assert_eq!(riscv_operands("add a0,a1,t6"), None);
        assert_eq!(riscv_operands("add a0,a1,a2"), Some(Operands::default()));
    }

    #[test]
    fn arm_addresses_are_found_in_the_text() {
        assert_eq!(arm_operands("ldr x1, [x2, w3, uxtw #3]"), memory("x2", Some("w3")));
        assert_eq!(arm_operands("ldr x2, [x2], #8"), None);
        assert_eq!(arm_operands("stp x1, x2, [sp, #16]!"), memory("sp", None));
        assert_eq!(arm_operands("add x1, x2, x28"), None);
        assert_eq!(arm_operands("fadd d0, d1, d2"), Some(Operands::default()));
        assert_eq!(arm_operands("ld1 {v1.s}[2], [x4]"), memory("x4", None));
        assert_eq!(arm_operands("mov v1.s[2], w4"), Some(Operands::default()));
    }
}
