//! Random instances of every register-to-register row: the lifted IR on the interpreter against
//! an independent emulator, `qemu-aarch64-static`, through a static program made of all of them.
//!
//! Without the emulator or the cross compiler the test says so, and fails under `CI=true`.

use remu_aarch64::{Aarch64, STATE, decode, features::Features, state::slots};
use remu_isa::ir::interp::{FlatMemory, run};
use remu_isa::ir::{Builder, ExitKind, Region};
use remu_isa::{Isa, Lift};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

const QEMU: &str = "qemu-aarch64-static";
const GCC: &str = "aarch64-linux-gnu-gcc";

/// Rows that the program leaves out: they touch memory, control or the system; or QEMU 7.2 lacks
/// them; or differ on purpose.
fn left_out(name: &str, module: &str) -> bool {
    const ROWS: &[&str] = &[
        // Newer than the emulator.
        "smax_imm", "umax_imm", "smin_imm", "umin_imm", "smax_reg", "umax_reg", "smin_reg",
        "umin_reg", "ctz", "cnt", "abs",
        // The authentication code is implementation defined.
        "pacga", "adr", "adrp",
    ];
    matches!(module, "branch_sys" | "ldst" | "atomics" | "mops" | "ldst_simd")
        || ROWS.contains(&name)
        || name.starts_with("pac")
        || name.starts_with("aut")
        || name.starts_with("xpac")
}

/// One test: x0 to x27, v0 to v31, NZCV, FPSR, FPCR, in the order of the program's buffer.
#[derive(Clone, PartialEq)]
struct Registers {
    x: [u64; 28],
    v: [u128; 32],
    nzcv: u64,
    fpsr: u64,
    fpcr: u64,
}
const BYTES: usize = 28 * 8 + 32 * 16 + 32;

impl Registers {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BYTES);
        self.x.iter().for_each(|x| out.extend(x.to_le_bytes()));
        self.v.iter().for_each(|v| out.extend(v.to_le_bytes()));
        [self.nzcv, self.fpsr, self.fpcr, 0].iter().for_each(|x| out.extend(x.to_le_bytes()));
        out
    }
    fn from_bytes(b: &[u8]) -> Registers {
        let word = |at: usize| u64::from_le_bytes(b[at..at + 8].try_into().unwrap_or_default());
        let mut r = Registers { x: [0; 28], v: [0; 32], nzcv: 0, fpsr: 0, fpcr: 0 };
        for (n, x) in r.x.iter_mut().enumerate() {
            *x = word(n * 8);
        }
        for (n, v) in r.v.iter_mut().enumerate() {
            let at = 224 + n * 16;
            *v = u128::from(word(at + 8)) << 64 | u128::from(word(at));
        }
        (r.nzcv, r.fpsr, r.fpcr) = (word(736), word(744), word(752));
        r
    }
}

struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// Values where instructions differ: small, extreme, special floats, anything.
    fn value(&mut self) -> u64 {
        const SPECIAL: [u64; 16] = [
            0,
            1,
            u64::MAX,
            1 << 63,
            i64::MAX as u64,
            0x3ff0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0x7ff8_0000_0000_0000,
            0x3f80_0000_bf80_0000,
            0x7f80_0000_ff80_0000,
            0x7f80_0001_7fc0_0000,
            0x8000_0000_0000_0001,
            0x7fff_8000_3c00_7c00,
            0x4000_0000_c010_0000,
            0x0010_0000_0000_0000,
        ];
        match self.next() % 8 {
            0..=1 => SPECIAL[(self.next() % 16) as usize],
            2 => self.next() % 100,
            3 => {
                // A double near one.
                (0x3f0 + self.next() % 32) << 52 | self.next() >> 12
            }
            4 => {
                // Two singles near one.
                let mut single = || (0x7a + self.next() % 10) << 23 | self.next() & 0x807f_ffff;
                single() << 32 | single()
            }
            _ => self.next(),
        }
    }
}

/// Stays clear of what the program needs for itself: x28 to x30 and the stack pointer.
fn registers_ok(insn: &decode::Insn) -> bool {
    let text = insn.display(&Default::default()).to_string();
    let general = ["x28", "w28", "x29", "w29", "x30", "w30", "sp", "wsp"];
    !text.split(|c: char| !c.is_alphanumeric()).any(|t| general.contains(&t))
}

/// The program: for each word, load the registers, execute it, store them.
fn program(words: &[u32], input: &str) -> String {
    let mut s = String::from(".arch armv8-a\n.text\n.global _start\n_start:\n  ldr x28, =data\n");
    for w in words {
        let _ = writeln!(s, "  bl load\n  .inst {w:#x}\n  bl save");
    }
    s.push_str(
        "  mov x0, #1\n  ldr x1, =data\n  ldr x2, =end\n  sub x2, x2, x1\n1: mov x8, #64\n  \
         mov x0, #1\n  svc #0\n  add x1, x1, x0\n  subs x2, x2, x0\n  b.gt 1b\n  mov x0, #0\n  \
         mov x8, #93\n  svc #0\n",
    );
    for (label, op) in [("load", "ld"), ("save", "st")] {
        let _ = writeln!(s, "{label}:");
        if op == "ld" {
            s.push_str("  add x29, x28, #736\n  ldr x0, [x29]\n  msr nzcv, x0\n");
            s.push_str("  ldr x0, [x29, #8]\n  msr fpsr, x0\n  ldr x0, [x29, #16]\n");
            s.push_str("  msr fpcr, x0\n");
        }
        for n in (0..28).step_by(2) {
            let _ = writeln!(s, "  {op}p x{n}, x{}, [x28, #{}]", n + 1, n * 8);
        }
        s.push_str("  add x29, x28, #224\n");
        for n in (0..32).step_by(2) {
            let _ = writeln!(s, "  {op}p q{n}, q{}, [x29, #{}]", n + 1, n * 16);
        }
        if op == "st" {
            s.push_str("  add x29, x28, #736\n  mrs x0, nzcv\n  str x0, [x29]\n");
            s.push_str("  mrs x0, fpsr\n  str x0, [x29, #8]\n  mrs x0, fpcr\n");
            let _ = writeln!(s, "  str x0, [x29, #16]\n  add x28, x28, #{BYTES}");
        }
        s.push_str("  ret\n");
    }
    let _ = writeln!(s, ".ltorg\n.data\n.balign 16\ndata: .incbin \"{input}\"\nend:");
    s
}

/// Executes a word on the interpreter.
fn interpret(isa: &Aarch64, word: u32, r: &Registers) -> Registers {
    let mut state = vec![0u8; STATE.size];
    let mut put = |slot: remu_isa::ir::Slot, bytes: &[u8]| {
        let at = usize::from(slot.offset);
        state[at..at + bytes.len()].copy_from_slice(bytes);
    };
    for (n, x) in r.x.iter().enumerate() {
        put(slots::x(n), &x.to_le_bytes());
    }
    for (n, v) in r.v.iter().enumerate() {
        put(slots::v(n), &v.to_le_bytes());
    }
    put(slots::nzcv(0), &(r.nzcv as u32).to_le_bytes());
    put(slots::fpcr(0), &(r.fpcr as u32).to_le_bytes());
    let rm = [1u32, 4, 3, 2][(r.fpcr >> 22 & 3) as usize];
    let flush = if r.fpcr >> 24 & 1 == 1 { 0x18 } else { 0 };
    let half = if r.fpcr >> 19 & 1 == 1 { 0x20 } else { 0 };
    state[36..40].copy_from_slice(&(rm | flush | half).to_le_bytes());

    let key = isa.key(&state);
    let b = Builder::new();
    b.block(0x1000, false);
    b.insn(0x1000);
    isa.lift(&Lift::new(&b, 0x1000, 4, key), &word.to_le_bytes());
    if b.is_open() {
        b.exit(ExitKind::Breakpoint, 0x1004);
    }
    let region = b.take(Region::default());
    let mut memory = FlatMemory::new(0, 0);
    run(&region, 0, &mut state, &mut memory, 1);

    let get = |slot: remu_isa::ir::Slot, len: usize| -> u128 {
        let at = usize::from(slot.offset);
        state[at..at + len].iter().rev().fold(0, |v, &b| v << 8 | u128::from(b))
    };
    let stat = u64::from(state[32]);
    let qc = u64::from(get(slots::qc(0), 16) != 0);
    Registers {
        x: core::array::from_fn(|n| get(slots::x(n), 8) as u64),
        v: core::array::from_fn(|n| get(slots::v(n), 16)),
        nzcv: get(slots::nzcv(0), 4) as u64,
        fpsr: stat & 1 | stat >> 1 & 0x1e | (stat & 2) << 6 | qc << 27,
        fpcr: r.fpcr,
    }
}

/// What differs, in one line.
fn difference(input: &Registers, ours: &Registers, theirs: &Registers) -> Option<String> {
    let mut out = String::new();
    for n in 0..28 {
        if ours.x[n] != theirs.x[n] {
            let _ = write!(out, " x{n} {:#x} not {:#x};", ours.x[n], theirs.x[n]);
        }
    }
    for n in 0..32 {
        if ours.v[n] != theirs.v[n] {
            let (o, t, i) = (ours.v[n], theirs.v[n], input.v[n]);
            let _ = write!(out, " v{n} {o:#034x} not {t:#034x} was {i:#x};");
        }
    }
    for (name, o, t) in [("nzcv", ours.nzcv, theirs.nzcv), ("fpsr", ours.fpsr, theirs.fpsr)] {
        if o != t {
            let _ = write!(out, " {name} {o:#x} not {t:#x} (fpcr {:#x});", input.fpcr);
        }
    }
    (!out.is_empty()).then_some(out)
}

#[test]
fn rows_agree_with_an_independent_emulator() {
    for tool in [QEMU, GCC] {
        if Command::new(tool).arg("--version").output().is_err() {
            assert!(std::env::var("CI").map_or(true, |v| v != "true"), "{tool} is missing");
            eprintln!("{tool} is missing: nothing compared");
            return;
        }
    }
    let isa = Aarch64::new(Features::MAX);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut words, mut inputs) = (Vec::new(), Vec::new());
    for p in decode::PATTERNS.iter().filter(|p| !left_out(p.name, p.module)) {
        let mut found = 0;
        for _ in 0..400 {
            let fields = p.fields.iter().fold(0, |m, f| m | f.bits) & !p.mask;
            let word = random.next() as u32 & fields | p.value;
            let Some(insn) = decode::decode(word, &Features::MAX) else { continue };
            if insn.name() != p.name || !registers_ok(&insn) || found >= 24 {
                continue;
            }
            found += 1;
            words.push(word);
            inputs.push(Registers {
                x: core::array::from_fn(|_| random.value()),
                v: core::array::from_fn(|_| {
                    u128::from(random.value()) << 64 | u128::from(random.value())
                }),
                nzcv: random.next() & 0xf000_0000,
                fpsr: 0,
                // Rounding modes and default NaNs; flushing is compared on its own.
                fpcr: match random.next() % 4 {
                    0 => random.next() & 0x02c0_0000,
                    _ => 0,
                },
            });
        }
    }
    let dir = std::env::temp_dir().join(format!("remu-a64-qemu-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("temporary folder");
    let path = |name: &str| dir.join(name).display().to_string();
    let bytes: Vec<u8> = inputs.iter().flat_map(Registers::to_bytes).collect();
    std::fs::write(path("input"), bytes).expect("temporary file");
    std::fs::write(path("test.s"), program(&words, &path("input"))).expect("temporary file");
    let gcc = Command::new(GCC)
        .args(["-nostdlib", "-static", "-o", &path("test"), &path("test.s")])
        .output()
        .expect("compiler runs");
    assert!(gcc.status.success(), "{}", String::from_utf8_lossy(&gcc.stderr));
    let out = Command::new(QEMU).args(["-cpu", "max", &path("test")]).output().expect("it runs");
    assert!(out.status.success(), "{}: {}", out.status, String::from_utf8_lossy(&out.stderr));
    let _ = std::fs::remove_dir_all(&dir);

    let mut bad = BTreeMap::new();
    for (n, (word, input)) in words.iter().zip(&inputs).enumerate() {
        let theirs = Registers::from_bytes(&out.stdout[n * BYTES..][..BYTES]);
        let ours = interpret(&isa, *word, input);
        if let Some(text) = difference(input, &ours, &theirs) {
            let asm = isa.disassemble(&word.to_le_bytes(), 0).0;
            let row = decode::decode(*word, &Features::MAX).map_or("-", |i| i.name());
            let entry = bad.entry(row).or_insert_with(|| (0, format!("{word:08x} {asm}:{text}")));
            entry.0 += 1;
        }
    }
    eprintln!("{} instructions compared", words.len());
    assert!(bad.is_empty(), "{} rows: {bad:#?}", bad.len());
}
