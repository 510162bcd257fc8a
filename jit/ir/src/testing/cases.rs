//! Case files: regions in text, and under each what running it does.
//!
//! ```text
//! ; case addition wraps
//! block 0x1000:
//!   a = get.i64 x0
//!   b = get.i64 x1
//!   c = add.i64 a, b
//!   set.i64 c, x2
//!   goto 0x2000
//! ; run x0=-1 x1=3 => x2=0x2
//! ```
//!
//! Left of the arrow are slots and memory that are not zero, right of it what
//! has changed, and the outcome if it is not to continue at 0x2000.

use crate::interp::{FlatMemory, Outcome};
use crate::text::{Names, parse};
use crate::{ExitKind, Region, Slot, Type, verify};

/// Bytes of the state struct that cases use.
pub const STATE_SIZE: usize = 1024;
/// Guest address and size of the memory that cases use.
pub const MEMORY: (u64, usize) = (0x8000, 64);
/// Where cases go on when nothing else is said.
const END: u64 = 0x2000;

/// Slots by name: 8 of each bank; narrow ones are views of the low bytes.
const BANKS: [(&str, u16, Type); 6] = [
    ("x", 256, Type::I64),
    ("d", 320, Type::F64),
    ("v", 512, Type::V128),
    ("w", 256, Type::I32),
    ("s", 320, Type::F32),
    ("h", 320, Type::F16),
];
const SINGLE: [(&str, u16, Type); 4] = [
    ("nzcv", 768, Type::Flags),
    ("cpsr", 772, Type::Flags),
    ("fpstat", 32, Type::I32),
    ("fpmode", 36, Type::I32),
];

/// Every slot with its name.
pub fn names() -> Vec<(String, Slot)> {
    let banks = BANKS.iter().flat_map(|&(name, offset, ty)| {
        // Views are as far apart as what they are views of.
        let step = if ty == Type::V128 { 16 } else { 8 };
        (0..8).map(move |n| (format!("{name}{n}"), Slot { offset: offset + n * step, ty }))
    });
    let single = SINGLE.iter().map(|&(n, offset, ty)| (n.to_owned(), Slot { offset, ty }));
    banks.chain(single).collect()
}

/// A region and its runs.
#[derive(Debug)]
pub struct Case {
    /// Text behind `; case`.
    pub name: String,
    /// The region.
    pub region: Region,
    /// Runs.
    pub runs: Vec<Run>,
}

/// One run of a case.
#[derive(Debug)]
pub struct Run {
    /// Line in the file, counted from 0.
    pub line: usize,
    /// Text left of the arrow.
    pub input: String,
    /// Text right of the arrow.
    pub expect: String,
    /// State before.
    pub state: Vec<u8>,
    /// Memory before.
    pub memory: FlatMemory,
}

/// The cases of a file.
///
/// # Errors
/// What cannot be parsed or is no valid region.
pub fn cases(text: &str) -> Result<Vec<Case>, String> {
    let all = names();
    let slots: Vec<(&str, Slot)> = all.iter().map(|(n, s)| (n.as_str(), *s)).collect();
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> =
        (0..lines.len()).filter(|&n| lines[n].starts_with("; case ")).collect();
    let mut out = Vec::new();
    for (k, &start) in starts.iter().enumerate() {
        let end = starts.get(k + 1).copied().unwrap_or(lines.len());
        let name = lines[start]["; case ".len()..].to_owned();
        let body = lines[start..end].join("\n");
        let region = parse(&body, &Names { slots: &slots, helpers: &[] })
            .map_err(|e| format!("{name}: {e}"))?;
        verify(&region, STATE_SIZE).map_err(|e| format!("{name}: {e}"))?;
        let runs = (start..end).filter_map(|n| Some((n, lines[n].strip_prefix("; run")?)));
        let runs = runs.map(|(n, text)| run(n, text).map_err(|e| format!("{name}: {e}")));
        let runs = runs.collect::<Result<_, _>>()?;
        out.push(Case { name, region, runs });
    }
    Ok(out)
}

fn run(line: usize, text: &str) -> Result<Run, String> {
    let (input, expect) = text.split_once("=>").unwrap_or((text, ""));
    let mut state = vec![0; STATE_SIZE];
    let mut memory = FlatMemory::new(MEMORY.0, MEMORY.1);
    let all = names();
    for token in input.split_whitespace() {
        let (name, value) = token.split_once('=').ok_or_else(|| format!("`{token}`"))?;
        if name == "mem" {
            for (to, n) in memory.bytes.iter_mut().zip(0..value.len() / 2) {
                *to =
                    u8::from_str_radix(&value[2 * n..2 * n + 2], 16).map_err(|e| e.to_string())?;
            }
            continue;
        }
        let slot = all.iter().find(|(n, _)| n == name).ok_or_else(|| format!("no slot {name}"))?;
        write(&mut state, slot.1, number(value, slot.1.ty)?);
    }
    Ok(Run {
        line,
        input: input.trim().to_owned(),
        expect: expect.trim().to_owned(),
        state,
        memory,
    })
}

fn number(text: &str, ty: Type) -> Result<u128, String> {
    let bad = || format!("`{text}` is no {ty}");
    if !text.contains("0x") {
        match ty {
            Type::F32 => return Ok(text.parse::<f32>().map_err(|_| bad())?.to_bits().into()),
            Type::F64 => return Ok(text.parse::<f64>().map_err(|_| bad())?.to_bits().into()),
            _ => {}
        }
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
    let v = match digits.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(&hex.replace('_', ""), 16).map_err(|_| bad())?,
        None => digits.parse().map_err(|_| bad())?,
    };
    Ok(if negative { v.wrapping_neg() } else { v })
}

fn write(state: &mut [u8], s: Slot, v: u128) {
    let (at, n) = (usize::from(s.offset), s.ty.bytes() as usize);
    state[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
}
fn read(state: &[u8], s: Slot) -> u128 {
    let (at, n) = (usize::from(s.offset), s.ty.bytes() as usize);
    let mut v = [0; 16];
    v[..n].copy_from_slice(&state[at..at + n]);
    u128::from_le_bytes(v)
}

/// What a run has changed, as case files write it.
pub fn describe(run: &Run, state: &[u8], memory: &[u8], outcome: Outcome) -> String {
    let mut out = Vec::new();
    for (name, slot) in names() {
        let view = matches!(slot.ty, Type::F16 | Type::F32) || name.starts_with('w');
        let (old, new) = (read(&run.state, slot), read(state, slot));
        if !view && old != new {
            out.push(format!("{name}={new:#x}"));
        }
    }
    if memory != run.memory.bytes {
        let used = memory.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
        let bytes: String = memory[..used].iter().map(|b| format!("{b:02x}")).collect();
        out.push(format!("mem={bytes}"));
    }
    match outcome {
        Outcome::Continue(END) => {}
        Outcome::Continue(pc) => out.push(format!("continue:{pc:#x}")),
        Outcome::Exit(kind, pc) => out.push(format!("{}:{pc:#x}", kind.name())),
        Outcome::Fault { pc, fault } => {
            let kind = if fault.misaligned { ExitKind::Misaligned } else { ExitKind::Fault };
            let access = if fault.write { "write" } else { "read" };
            out.push(format!("{}:{pc:#x}:{access}:{:#x}", kind.name(), fault.addr));
        }
    }
    if out.is_empty() { "nothing".to_owned() } else { out.join(" ") }
}
