//! Every row on random states: the interpreter of the lifted code against qemu-user.
//!
//! qemu is `$REMU_QEMU_RISCV64`, or `$REMU_TEST_CACHE/oracle/usr/bin/qemu-riscv64`, or the one in the
//! path. Rows of extensions that it does not know are named and left out. `REMU_CASES` sets the
//! number of cases per row (200). Without cross binutils or qemu the test says so, and fails under
//! `CI=true`.

use remu_ir::{ExitKind, Region};
use remu_isa::{Flow, Isa, Lift};
use remu_riscv::decode::{Insn, PATTERNS, Pattern, decode};
use remu_riscv::{Hart, Riscv64, features, fmt, state};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const SLOT: u64 = 0x2_0000;
const CASE: u64 = 0x3_0000;
const WINDOW: u64 = 0x5_0000;

/// One instruction and the state it runs on.
#[derive(Clone)]
struct Case {
    word: u32,
    name: &'static str,
    len: u64,
    fcsr: u32,
    window: [u64; 8],
    x: [u64; 32],
    f: [u64; 32],
}

/// What became of a case.
#[derive(PartialEq)]
struct After {
    fcsr: u32,
    taken: bool,
    window: [u64; 8],
    x: [u64; 32],
    f: [u64; 32],
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 32) % n
    }
    fn pick(&mut self, list: &[u64]) -> u64 {
        list[self.below(list.len() as u64) as usize]
    }
    /// An integer, often one where something overflows or is counted.
    fn int(&mut self) -> u64 {
        let r = self.next();
        match self.below(6) {
            0 => self.pick(&[0, 1, u64::MAX, 1 << 63, !(1 << 63), 0x8000_0000, 0x7fff_ffff]),
            1 => r as i32 as u64,
            2 => r & 0xff,
            3 => 1 << (r & 63),
            4 => r >> (r & 63),
            _ => r,
        }
    }
    /// A number of a format with `exp` exponent and `man` fraction bits, often a special one.
    fn float(&mut self, exp: u32, man: u32) -> u64 {
        let sign = (self.next() & 1) << (exp + man);
        let top = (1u64 << exp) - 1;
        let bias = top >> 1;
        let fraction = self.next() & ((1 << man) - 1);
        let quiet = 1 << (man - 1);
        sign | match self.below(12) {
            0 => 0,
            1 => top << man,
            2 => top << man | quiet | fraction,
            3 => top << man | (fraction & !quiet).max(1),
            4 => fraction,
            5 => self.pick(&[1, (1 << man) - 1, 1 << man, (top << man) - 1]),
            // Integers and halves, near one another so that comparisons and differences tell.
            6 | 7 => (bias + self.below(6)) << man | (fraction >> (man - 4)) << (man - 4),
            8 => (bias + 28 % bias + self.below(40) % bias) << man | fraction,
            _ => self.below(top) << man | fraction,
        }
    }
    /// A floating-point register: a double, a boxed narrow number, or a badly boxed one.
    fn register(&mut self) -> u64 {
        match self.below(8) {
            0..=2 => self.float(11, 52),
            3 | 4 => !0 << 32 | self.float(8, 23),
            5 | 6 => !0 << 16 | self.float(5, 10),
            _ => self.next(),
        }
    }
}

/// The bits of the field `imm` that make the target of a branch or jump `SLOT + 8`.
fn taken_bits(p: &Pattern) -> Option<(u32, u32)> {
    let bits = p.fields.iter().find(|f| f.name == "imm")?.bits & !p.mask;
    // All values of the field, by counting through its bits; registers stay as in `p.value`.
    let mut at = 0u32;
    loop {
        let found = decode(p.value | at, &features::MAX).and_then(|i| i.target(SLOT));
        if found == Some(SLOT + 8) {
            return Some((bits, at));
        }
        at = at.wrapping_sub(bits) & bits;
        if at == 0 {
            return None;
        }
    }
}

/// A random instance of a row; none where this one cannot be run in isolation.
fn case(p: &Pattern, taken: Option<(u32, u32)>, r: &mut Random) -> Option<Case> {
    let free = p.fields.iter().fold(0, |m, f| m | f.bits) & !p.mask;
    let mut word = r.next() as u32 & free | p.value;
    if let Some((bits, value)) = taken {
        word = word & !bits | value;
    }
    if p.name.starts_with("csr") && p.width == 32 {
        word = word & 0xf_ffff | (1 + r.below(3) as u32) << 20;
    }
    // A word of an earlier row of the group is that row's.
    let insn = decode(word, &features::MAX).filter(|i| i.name() == p.name)?;
    // x31, which the harness keeps, would be the upper half of a pair.
    if matches!(insn, Insn::AmocasQ(a) if a.rd == 30 || a.rs2 == 30) {
        return None;
    }
    let mut c = Case {
        word,
        name: p.name,
        len: u64::from(p.width) / 8,
        fcsr: (r.below(5) << 5 | r.below(32)) as u32,
        window: std::array::from_fn(|_| r.int()),
        x: std::array::from_fn(|_| r.int()),
        f: std::array::from_fn(|_| r.register()),
    };
    if r.below(2) == 0 {
        // Operands that are equal, or that a compare and swap finds.
        let (i, j) = (r.below(32) as usize, r.below(32) as usize);
        c.x[i] = c.x[j];
        c.window.fill(c.x[j]);
    }
    c.x[0] = 0;
    c.x[31] = CASE;
    let mut point = |register: usize, value: u64| {
        if register == 0 || register == 31 {
            return None;
        }
        c.x[register] = value;
        Some(())
    };
    match (insn.flow(), insn.expand()) {
        (Flow::Next | Flow::Exit, _) => {
            let text = insn.to_string();
            if let Some((before, base)) = text.trim_end_matches(')').rsplit_once('(') {
                let base = fmt::X.iter().position(|x| *x == base)?;
                let imm = before.rsplit([',', ' ']).next().unwrap_or_default();
                let imm: i64 = imm.parse().unwrap_or(0);
                let atomic = p.module == "rv_a" || p.module.starts_with("rv_za");
                let offset = if atomic { 16 * r.below(4) } else { r.below(57) };
                point(base, (WINDOW + offset).wrapping_sub(imm as u64))?;
            }
        }
        (_, Insn::Jalr(a)) => {
            point(a.rs1.into(), (SLOT + 8).wrapping_sub(i64::from(a.imm) as u64))?;
        }
        _ => {}
    }
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

/// Lifts and interprets a case; `Err` says why that cannot be compared.
fn interpret(c: &Case) -> Result<After, String> {
    let isa = Riscv64::new(features::MAX);
    let mut s = State([0; size_of::<Hart>()]);
    for n in 0..32 {
        s.set(state::slots::x(n).offset, c.x[n]);
        s.set(state::slots::f(n).offset, c.f[n]);
    }
    state::set_fcsr(&mut s.0, c.fcsr);
    s.set(state::slots::reserved(0).offset, u64::MAX);
    let b = remu_ir::Builder::new();
    b.block(SLOT, false);
    b.insn(SLOT);
    isa.lift(&Lift::new(&b, SLOT, c.len as u8, isa.key(&s.0)), &c.word.to_le_bytes());
    if b.is_open() {
        b.goto(SLOT + c.len);
    }
    let region = b.take(Region::default());
    let mut memory = remu_ir::interp::FlatMemory::new(WINDOW, 64);
    for (to, from) in memory.bytes.chunks_mut(8).zip(c.window) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    use remu_ir::interp::Outcome;
    let pc = match remu_ir::interp::run(&region, 0, &mut s.0, &mut memory, 1) {
        Outcome::Continue(pc) => pc,
        Outcome::Exit(ExitKind::Illegal, _) => return Err("illegal".to_owned()),
        Outcome::Exit(_, pc) => pc,
        Outcome::Fault { fault, .. } => return Err(format!("{fault:?}")),
    };
    if pc != SLOT + c.len && pc != SLOT + 8 {
        return Err(format!("went to {pc:#x}"));
    }
    let words = memory.bytes.chunks(8).map(|b| u64::from_le_bytes(b.try_into().expect("8")));
    let mut window = [0; 8];
    window.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    Ok(After {
        fcsr: state::fcsr(&s.0),
        taken: pc == SLOT + 8,
        window,
        // What the harness cannot keep: x0 is no register, x31 points at the results.
        x: std::array::from_fn(|n| if n % 31 == 0 { 0 } else { s.get(state::slots::x(n).offset) }),
        f: std::array::from_fn(|n| s.get(state::slots::f(n).offset)),
    })
}

/// Results of as many cases as qemu ran before it gave up.
fn emulate(qemu: &OsString, harness: &Path, dir: &Path, cases: &[Case]) -> Vec<After> {
    let mut input = Vec::with_capacity(cases.len() * 600);
    for c in cases {
        // A short instruction is followed by c.nop, so that the harness goes on at slot + 4.
        let code = if c.len == 2 { c.word & 0xffff | 0x1_0000 } else { c.word };
        let head = [u64::from(code), WINDOW, u64::from(c.fcsr)];
        for v in head.iter().chain(&c.window).chain(&c.x).chain(&c.f) {
            input.extend_from_slice(&v.to_le_bytes());
        }
    }
    let (cases_file, out_file) = (dir.join("cases"), dir.join("out"));
    fs::write(&cases_file, input).expect("writable");
    Command::new(qemu)
        .args(["-cpu", cpu(qemu)])
        .arg(harness)
        .current_dir(dir)
        .stdin(File::open(&cases_file).expect("readable"))
        .stdout(File::create(&out_file).expect("writable"))
        .stderr(std::process::Stdio::null())
        .status()
        .expect("qemu runs");
    let out = fs::read(&out_file).expect("readable");
    let words: Vec<u64> =
        out.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8"))).collect();
    words
        .chunks_exact(74)
        .map(|w| After {
            fcsr: w[0] as u32,
            taken: w[1] != 0,
            window: w[2..10].try_into().expect("8"),
            x: std::array::from_fn(|n| if n % 31 == 0 { 0 } else { w[10 + n] }),
            f: w[42..74].try_into().expect("32"),
        })
        .collect()
}

fn describe(c: &Case, ours: &After, theirs: &After) -> String {
    let insn = decode(c.word, &features::MAX);
    let text = insn.map(|i| i.display(&fmt::Ctx { pc: SLOT }).to_string()).unwrap_or_default();
    let mut out = format!("{}: {:#010x} `{text}` fcsr {:#x}\n", c.name, c.word, c.fcsr);
    let mut note = |what: String, ours: u64, theirs: u64, before: u64| {
        if ours != theirs {
            out.push_str(&format!("    {what}: {before:#x} became {ours:#x}, qemu {theirs:#x}\n"));
        }
    };
    note("fcsr".to_owned(), ours.fcsr.into(), theirs.fcsr.into(), c.fcsr.into());
    note("taken".to_owned(), ours.taken.into(), theirs.taken.into(), 0);
    for n in 0..8 {
        note(format!("memory {n}"), ours.window[n], theirs.window[n], c.window[n]);
    }
    for n in 0..32 {
        note(fmt::X[n].to_owned(), ours.x[n], theirs.x[n], c.x[n]);
        note(fmt::F[n].to_owned(), ours.f[n], theirs.f[n], c.f[n]);
    }
    for (n, name) in fmt::F.iter().enumerate() {
        if text.contains(&format!(",{name}")) {
            out.push_str(&format!("    operand {name} = {:#x}\n", c.f[n]));
        }
    }
    for (n, name) in fmt::X.iter().enumerate() {
        if text.contains(&format!(",{name}")) || text.contains(&format!("({name})")) {
            out.push_str(&format!("    operand {name} = {:#x}\n", c.x[n]));
        }
    }
    out
}

/// The processor model with most extensions; old qemu has no `max`.
fn cpu(qemu: &OsString) -> &'static str {
    let help = Command::new(qemu).args(["-cpu", "help"]).output().expect("qemu runs");
    let max = String::from_utf8_lossy(&help.stdout).split_whitespace().any(|w| w == "max");
    if max { "max" } else { "rv64,Zfh=true" }
}

fn find_qemu() -> Option<OsString> {
    let cache = std::env::var_os("REMU_TEST_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/remu")));
    let oracle = cache.map(|c| c.join("oracle/usr/bin/qemu-riscv64").into_os_string());
    let named = std::env::var_os("REMU_QEMU_RISCV64");
    let path = ["qemu-riscv64", "qemu-riscv64-static"].map(|n| Some(OsString::from(n)));
    [named, oracle].into_iter().chain(path).flatten().find(runs)
}

fn runs(tool: &OsString) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

/// The harness linked at fixed places; none without cross binutils.
fn link(dir: &Path) -> Option<PathBuf> {
    let (object, program) = (dir.join("qemu.o"), dir.join("qemu-harness"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qemu.s");
    let assembled = Command::new("riscv64-linux-gnu-as")
        .args(["-march=rv64gc", "-o"])
        .args([&object, &source])
        .status()
        .ok()?;
    let linked = Command::new("riscv64-linux-gnu-ld")
        .args(["-static", "--no-relax", "-Ttext=0x10000", "--section-start=.slot=0x20000"])
        .args(["--section-start=.case=0x30000", "--section-start=.out=0x40000"])
        .arg("--section-start=.window=0x50000")
        .args([Path::new("-o"), &program, &object])
        .status()
        .ok()?;
    assert!(assembled.success() && linked.success(), "the harness does not build");
    Some(program)
}

#[test]
fn interpreter_agrees_with_qemu_on_every_row() {
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    let dir = std::env::temp_dir().join(format!("remu-riscv-qemu-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("temporary folder");
    let (Some(qemu), Some(harness)) = (find_qemu(), link(&dir)) else {
        assert!(!ci, "qemu-riscv64 or cross binutils are missing");
        eprintln!("qemu-riscv64 or cross binutils are missing: nothing compared");
        return;
    };
    let each: usize = std::env::var("REMU_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut groups: BTreeMap<&str, Vec<(Case, After)>> = BTreeMap::new();
    let mut bad: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for p in &PATTERNS {
        // Vectors have a test of their own.
        if matches!(p.module, "rv_v" | "rv_zvk") {
            continue;
        }
        // Programs have no privileged instructions.
        let privileged = decode(p.value, &features::MAX).is_none()
            && decode(p.value, &features::MAX.union(features::MACHINE)).is_some();
        if privileged || EXCLUDED.iter().any(|(name, _)| *name == p.name) {
            continue;
        }
        let branch = decode(p.value, &features::MAX).is_some_and(|i| i.target(0).is_some());
        let taken = if branch { taken_bits(p) } else { None };
        let mut made = 0;
        for _ in 0..each * 8 {
            if made == each {
                break;
            }
            let Some(c) = case(p, taken, &mut random) else { continue };
            match interpret(&c) {
                Ok(after) => {
                    made += 1;
                    groups.entry(p.feature).or_default().push((c, after));
                }
                Err(why) if why == "illegal" => {}
                Err(why) => {
                    bad.entry(p.name)
                        .or_insert((0, format!("{}: {:#x} {why}\n", p.name, c.word)))
                        .0 += 1;
                }
            }
        }
        assert!(made > 0, "{} could not be tried at all", p.name);
    }
    let old = cpu(&qemu) != "max";
    let (mut compared, mut refused) = (0, BTreeSet::new());
    for (_, mut list) in groups {
        loop {
            let cases: Vec<Case> = list.iter().map(|(c, _)| c.clone()).collect();
            let results = emulate(&qemu, &harness, &dir, &cases);
            if results.len() == list.len() {
                compared += list.len();
                for ((c, ours), theirs) in list.iter().zip(&results) {
                    if ours != theirs && !(old && OLD_QEMU.iter().any(|(n, _)| *n == c.name)) {
                        let text = || (0, describe(c, ours, theirs));
                        bad.entry(c.name).or_insert_with(text).0 += 1;
                    }
                }
                break;
            }
            let name = cases[results.len()].name;
            refused.insert(name);
            list.retain(|(c, _)| c.name != name);
        }
    }
    fs::remove_dir_all(&dir).expect("temporary folder");
    let base = |name: &&&str| PATTERNS.iter().any(|p| p.name == **name && p.feature.len() < 2);
    let refused_base: Vec<_> = refused.iter().filter(base).collect();
    eprintln!("{compared} cases compared; qemu does not know: {refused:?}");
    assert!(refused_base.is_empty(), "qemu stops at {refused_base:?}");
    let text: String = bad.values().map(|(n, text)| format!("{n} x {text}")).collect();
    assert!(bad.is_empty(), "{} rows differ\n{text}", bad.len());
    assert!(compared > 10_000);
}

/// Rows that cannot be compared one by one, with the reason.
const EXCLUDED: [(&str, &str); 8] = [
    ("ecall", "leaves for the runner"),
    ("ebreak", "leaves for the runner"),
    ("c_ebreak", "leaves for the runner"),
    ("unimp", "is illegal"),
    ("c_unimp", "is illegal"),
    ("wrs_nto", "may wait for ever"),
    ("wrs_sto", "may wait as long as it likes"),
    ("cbo_inval", "may lose what the window holds"),
];

/// Rows that a qemu without the model `max` gets wrong.
const OLD_QEMU: [(&str, &str); 1] =
    [("ctzw", "7.2 counts zeros of the upper half too where the lower one is zero")];
