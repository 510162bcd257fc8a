//! Every vector row on random states and settings: the interpreter of the
//! lifted code against qemu-user, registers, memory and status, and which
//! instances are illegal.
//!
//! qemu is that of `qemu.rs`; `REMU_CASES` sets the number of cases per row (200).
//! Without cross binutils or qemu the test says so, and fails under `CI=true`.

#[path = "vectors/oracle.rs"]
mod oracle;

use oracle::{After, Case, Random, Side};
use remu_ir::interp::{FlatMemory, Outcome};
use remu_ir::{Builder, ExitKind, Region};
use remu_isa::{Isa, Lift};
use remu_riscv::decode::{Insn, PATTERNS, Pattern, decode};
use remu_riscv::{Hart, Riscv64, features, fmt, state};
use std::collections::BTreeMap;

const SLOT: u64 = 0x2_0000;
/// What the harness keeps in x31.
const CASE: u64 = 0x3_0000;
const WINDOW: u64 = 0x5_0000;

/// A random instance of a row.
fn case(p: &Pattern, r: &mut Random) -> Option<Case> {
    let free = p.fields.iter().fold(0, |m, f| m | f.bits) & !p.mask;
    let mut word = r.next() as u32 & free | p.value;
    // Often whole groups, so that more is legal.
    if r.below(4) != 0 {
        let align = !(r.pick(&[0, 1, 3, 7]) as u32);
        let group = align << 7 & 0xf80 | align << 20 & 0x1f0_0000 | align << 15 & 0xf_8000;
        let vectors = free & 0x1ff_8f80;
        word &= !vectors | group;
    }
    let insn = decode(word, &features::MAX).filter(|i| i.name() == p.name)?;
    let mut c = Case::random(word, r);
    let memory = matches!(word & 0x7f, 0x07 | 0x27);
    if memory {
        let base = word >> 15 & 31;
        if base == 0 || base == 31 {
            return None;
        }
        c.x[base as usize] = WINDOW + 160 + r.below(16);
        let by = (word >> 20 & 31) as usize;
        match word >> 26 & 3 {
            2 if by as u32 == base || by == 31 => return None,
            2 => c.x[by] = r.below(3).wrapping_sub(1),
            // Offsets inside the window.
            1 | 3 => c.small_elements(by, word >> 12 & 7, r),
            _ => {}
        }
    }
    // qemu has an assertion that whole registers fail with a start behind their end.
    let whole = memory && word >> 20 & 31 == 8 && word >> 26 & 3 == 0;
    if whole {
        c.vstart = c.vstart.min(1);
    }
    // Settings are not under test here, and take any vector length.
    if insn.name().starts_with("vset") {
        c.vstart = 0;
        // qemu knows a format by a bit that is reserved to us.
        if p.name != "vsetvl" && word >> 28 & 1 != 0 {
            return None;
        }
    }
    c.x[31] = CASE;
    c.x[0] = 0;
    Some(c)
}

#[repr(C, align(64))]
struct State([u8; size_of::<Hart>()]);

impl State {
    fn get(&self, at: u16) -> u64 {
        let at = usize::from(at);
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("8 bytes"))
    }
    fn set(&mut self, at: u16, v: u64) {
        let at = usize::from(at);
        self.0[at..at + 8].copy_from_slice(&v.to_le_bytes());
    }
}

/// Lifts and interprets a case, under the key that the state asks for and the
/// keys that translations ask for.
fn interpret(c: &Case) -> Result<After, String> {
    use state::slots;
    let isa = Riscv64::new(features::MAX);
    let mut s = State([0; size_of::<Hart>()]);
    for n in 0..32 {
        s.set(slots::x(n).offset, c.x[n]);
        s.set(slots::f(n).offset, c.f[n]);
        s.set(slots::v(n).offset, c.v[2 * n]);
        s.set(slots::v(n).offset + 8, c.v[2 * n + 1]);
    }
    state::set_fcsr(&mut s.0, c.fcsr as u32);
    s.set(slots::vtype(0).offset, c.vtype);
    s.set(slots::vl(0).offset, c.vl);
    s.set(slots::vstart(0).offset, c.vstart);
    s.set(slots::vxrm(0).offset, c.vcsr >> 1);
    s.set(slots::vxsat(0).offset, c.vcsr & 1);
    let mut memory = FlatMemory::new(WINDOW, 512);
    for (to, from) in memory.bytes.chunks_mut(8).zip(c.window) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    let mut illegal = false;
    for turn in 0.. {
        if turn > 300 {
            return Err("does not end".to_owned());
        }
        let b = Builder::new();
        b.block(SLOT, false);
        b.insn(SLOT);
        isa.lift(&Lift::new(&b, SLOT, 4, isa.key(&s.0)), &c.word.to_le_bytes());
        if b.is_open() {
            b.goto(SLOT + 4);
        }
        let region = b.take(Region::default());
        remu_ir::verify(&region, size_of::<Hart>()).map_err(|e| format!("{e}"))?;
        let outcome = remu_ir::interp::run(&region, 0, &mut s.0, &mut memory, 1);
        if let Outcome::Exit(ExitKind::KeyChanged, _) = outcome {
            isa.key_changed(&mut s.0);
        }
        match outcome {
            Outcome::Continue(pc) | Outcome::Exit(ExitKind::KeyChanged, pc) if pc == SLOT => {}
            Outcome::Continue(_) | Outcome::Exit(ExitKind::KeyChanged, _) => break,
            Outcome::Exit(ExitKind::Illegal, _) => {
                illegal = true;
                break;
            }
            other => return Err(format!("{other:?}")),
        }
    }
    let words = memory.bytes.chunks(8).map(|b| u64::from_le_bytes(b.try_into().expect("8")));
    let mut window = [0; 64];
    window.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    Ok(After {
        fcsr: state::fcsr(&s.0).into(),
        illegal: illegal.into(),
        vtype: s.get(slots::vtype(0).offset),
        vl: s.get(slots::vl(0).offset),
        vstart: s.get(slots::vstart(0).offset),
        vcsr: s.get(slots::vxrm(0).offset) << 1 | s.get(slots::vxsat(0).offset),
        window,
        x: std::array::from_fn(|n| if n % 31 == 0 { 0 } else { s.get(slots::x(n).offset) }),
        f: std::array::from_fn(|n| s.get(slots::f(n).offset)),
        v: std::array::from_fn(|n| s.get(slots::v(n / 2).offset + n as u16 % 2 * 8)),
    })
}

fn text(c: &Case) -> String {
    let insn = decode(c.word, &features::MAX);
    insn.map(|i: Insn| i.display(&fmt::Ctx { pc: SLOT }).to_string()).unwrap_or_default()
}

fn describe(name: &str, c: &Case, ours: &After, theirs: &After) -> String {
    let mut out = format!(
        "{name}: {:#010x} `{}` fcsr {:#x} vtype {:#x} vl {} vstart {} vcsr {}\n",
        c.word,
        text(c),
        c.fcsr,
        c.vtype,
        c.vl,
        c.vstart,
        c.vcsr
    );
    let before = c.before();
    for ((what, ours), ((_, theirs), (_, before))) in
        ours.named().into_iter().zip(theirs.named().into_iter().zip(before.named()))
    {
        if ours != theirs {
            out.push_str(&format!("    {what}: {before:#x} became {ours:#x}, qemu {theirs:#x}\n"));
        }
    }
    out
}

#[test]
fn interpreter_agrees_with_qemu_on_every_vector_row() {
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    let Some(side) = Side::new() else {
        assert!(!ci, "qemu-riscv64 or cross binutils are missing");
        eprintln!("qemu-riscv64 or cross binutils are missing: nothing compared");
        return;
    };
    let each: usize = std::env::var("REMU_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let only = std::env::var("REMU_ROW").unwrap_or_default();
    let mut random = Random::new();
    let mut bad: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let (mut compared, mut executed) = (0, 0);
    for p in PATTERNS.iter().filter(|p| matches!(p.module, "rv_v" | "rv_zvk")) {
        if !p.name.starts_with(&only) {
            continue;
        }
        let mut list = Vec::new();
        let mut tries = 0;
        while list.len() < each && tries < 20 * each {
            tries += 1;
            let Some(c) = case(p, &mut random) else { continue };
            match interpret(&c) {
                Ok(after) => list.push((c, after)),
                Err(why) => {
                    let what = || (0, format!("{}: {:#x} `{}` {why}\n", p.name, c.word, text(&c)));
                    bad.entry(p.name).or_insert_with(what).0 += 1;
                }
            }
        }
        let legal = list.iter().filter(|(_, a)| a.illegal == 0).count();
        executed += legal;
        if legal == 0 {
            bad.entry(p.name).or_insert_with(|| (0, format!("{} was never legal", p.name)));
        }
        let results = side.run(list.iter().map(|(c, _)| c));
        if results.len() < list.len() {
            let c = &list[results.len()].0;
            let what = || (0, format!("{}: qemu gave up at {:#x} `{}`", p.name, c.word, text(c)));
            bad.entry(p.name).or_insert_with(what).0 += 1;
        }
        for ((c, ours), theirs) in list.iter().zip(&results) {
            compared += 1;
            if ours != theirs {
                bad.entry(p.name).or_insert_with(|| (0, describe(p.name, c, ours, theirs))).0 += 1;
            }
        }
    }
    eprintln!("{compared} cases compared, {executed} of them legal");
    let lines: Vec<String> = bad.values().map(|(n, text)| format!("{n} times {text}")).collect();
    assert!(lines.is_empty(), "{} rows differ:\n{}", lines.len(), lines.join("\n"));
}
