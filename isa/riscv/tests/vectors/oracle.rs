//! States of the vector unit, and what qemu-user makes of them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Random numbers (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 32) % n
    }
    pub(crate) fn pick(&mut self, list: &[u64]) -> u64 {
        list[self.below(list.len() as u64) as usize]
    }
    /// A number of a format with `exp` exponent and `man` fraction bits, often a special one.
    fn float(&mut self, exp: u32, man: u32) -> u64 {
        let sign = (self.next() & 1) << (exp + man);
        let top = (1u64 << exp) - 1;
        let bias = top >> 1;
        let fraction = self.next() & ((1 << man) - 1);
        sign | match self.below(12) {
            0 => 0,
            1 => top << man,
            2 => top << man | 1 << (man - 1) | fraction,
            3 => top << man | (fraction >> 1).max(1),
            4 => fraction,
            5 => self.pick(&[1, (1 << man) - 1, 1 << man, (top << man) - 1]),
            6..=8 => (bias + self.below(6)) << man | (fraction >> (man - 4)) << (man - 4),
            _ => self.below(top) << man | fraction,
        }
    }
    /// 64 bits of lanes: integers where something overflows, or numbers.
    fn lanes(&mut self, kind: u64) -> u64 {
        match kind {
            0 => self.next(),
            1 => self.float(11, 52),
            2 => self.float(8, 23) | self.float(8, 23) << 32,
            3 => (0..4).fold(0, |v, _| v << 16 | self.float(5, 10)),
            4 => (0..8).fold(0, |v, _| v << 8 | self.pick(&[0, 1, 0x7f, 0x80, 0x81, 0xff])),
            5 => (0..4).fold(0, |v, _| v << 16 | self.pick(&[0, 1, 0x7fff, 0x8000, 0xffff])),
            _ => self.pick(&[0, 1, 3, 8, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 32]),
        }
    }
}

/// One instruction and the state it runs on.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) word: u32,
    pub(crate) fcsr: u64,
    pub(crate) vtype: u64,
    pub(crate) vl: u64,
    pub(crate) vstart: u64,
    pub(crate) vcsr: u64,
    pub(crate) window: [u64; 64],
    pub(crate) x: [u64; 32],
    pub(crate) f: [u64; 32],
    pub(crate) v: [u64; 64],
}

impl Case {
    /// With a legal `vtype` and a length that it allows.
    pub(crate) fn random(word: u32, r: &mut Random) -> Case {
        let (sew, lmul, vlmax) = loop {
            let (sew, lmul) = (r.below(4), r.below(8));
            let bits = match lmul {
                0..4 => 128 << lmul,
                4 => continue,
                _ => 128 >> (8 - lmul),
            };
            // An element wider than the fraction of the widest is no setting.
            if lmul < 4 || sew + 8 <= 3 + lmul {
                break (sew, lmul, bits >> (3 + sew));
            }
        };
        let vl = match r.below(4) {
            0 => r.below(vlmax + 1),
            1 => (r.below(vlmax + 1) + 3) & !3,
            _ => vlmax,
        };
        let kind = r.below(8);
        Case {
            word,
            fcsr: r.below(5) << 5 | r.below(32),
            // Undisturbed and agnostic alike: the rest stays.
            vtype: sew << 3 | lmul | r.below(4) << 6,
            vl: vl.min(vlmax),
            vstart: if r.below(8) == 0 { r.below(vlmax.max(2)) } else { 0 },
            vcsr: r.below(8),
            window: std::array::from_fn(|_| r.lanes(kind)),
            x: std::array::from_fn(|_| match r.below(3) {
                0 => r.below(20),
                1 => r.lanes(6),
                _ => r.next(),
            }),
            f: std::array::from_fn(|_| match r.below(8) {
                0..=2 => r.float(11, 52),
                3 | 4 => !0 << 32 | r.float(8, 23),
                5 | 6 => !0 << 16 | r.float(5, 10),
                _ => r.next(),
            }),
            v: std::array::from_fn(|_| {
                let kind = if r.below(4) == 0 { r.below(7) } else { kind };
                r.lanes(kind)
            }),
        }
    }
    /// Makes the elements of a width of all registers from `reg` on small.
    pub(crate) fn small_elements(&mut self, reg: usize, width: u32, r: &mut Random) {
        let bits = if width == 0 { 8 } else { 8 << (width - 4) };
        for word in &mut self.v[2 * reg..] {
            *word = (0..64 / bits).fold(0, |v, n| v | r.below(96) << (n * bits));
        }
    }
    /// As a result that changes nothing.
    pub(crate) fn before(&self) -> After {
        After {
            fcsr: self.fcsr,
            illegal: 0,
            vtype: self.vtype,
            vl: self.vl,
            vstart: self.vstart,
            vcsr: self.vcsr,
            window: self.window,
            x: self.x,
            f: self.f,
            v: self.v,
        }
    }
}

/// What became of a case.
#[derive(PartialEq)]
pub(crate) struct After {
    pub(crate) fcsr: u64,
    pub(crate) illegal: u64,
    pub(crate) vtype: u64,
    pub(crate) vl: u64,
    pub(crate) vstart: u64,
    pub(crate) vcsr: u64,
    pub(crate) window: [u64; 64],
    pub(crate) x: [u64; 32],
    pub(crate) f: [u64; 32],
    pub(crate) v: [u64; 64],
}

impl After {
    /// All of it, with names.
    pub(crate) fn named(&self) -> Vec<(String, u64)> {
        let heads = [
            ("fcsr", self.fcsr),
            ("illegal", self.illegal),
            ("vtype", self.vtype),
            ("vl", self.vl),
            ("vstart", self.vstart),
            ("vcsr", self.vcsr),
        ];
        let mut all: Vec<_> = heads.map(|(n, v)| (n.to_owned(), v)).into();
        let list = |name: &str, values: &[u64]| -> Vec<(String, u64)> {
            values.iter().enumerate().map(|(n, v)| (format!("{name}{n}"), *v)).collect()
        };
        all.extend(list("memory ", &self.window));
        all.extend(list("x", &self.x));
        all.extend(list("f", &self.f));
        all.extend(list("v half ", &self.v));
        all
    }
}

/// qemu and the harness.
pub(crate) struct Side {
    qemu: OsString,
    harness: PathBuf,
    dir: PathBuf,
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Side {
    /// None where something is missing.
    pub(crate) fn new() -> Option<Side> {
        let dir = std::env::temp_dir().join(format!("remu-riscv-vectors-{}", std::process::id()));
        fs::create_dir_all(&dir).ok()?;
        let mut side = Side { qemu: find_qemu()?, harness: PathBuf::new(), dir };
        side.harness = link(&side.dir)?;
        Some(side)
    }
    /// Results of as many cases as qemu ran.
    pub(crate) fn run<'a>(&self, cases: impl Iterator<Item = &'a Case>) -> Vec<After> {
        let mut input = Vec::new();
        for c in cases {
            let head = [c.word.into(), super::WINDOW, c.fcsr, c.vtype, c.vl, c.vstart, c.vcsr, 0];
            for v in head.iter().chain(&c.window).chain(&c.x).chain(&c.f).chain(&c.v) {
                input.extend_from_slice(&v.to_le_bytes());
            }
        }
        let (cases, results) = (self.dir.join("cases"), self.dir.join("out"));
        fs::write(&cases, input).expect("writable");
        Command::new(&self.qemu)
            .args(["-cpu", "max,vlen=128"])
            .arg(&self.harness)
            .stdin(File::open(&cases).expect("readable"))
            .stdout(File::create(&results).expect("writable"))
            .status()
            .expect("qemu runs");
        let out = fs::read(&results).expect("readable");
        let words: Vec<u64> =
            out.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8"))).collect();
        let after = |w: &[u64]| After {
            fcsr: w[0],
            illegal: w[1],
            vtype: w[2],
            vl: w[3],
            vstart: w[4],
            vcsr: w[5],
            window: w[8..72].try_into().expect("64"),
            x: std::array::from_fn(|n| if n % 31 == 0 { 0 } else { w[72 + n] }),
            f: w[104..136].try_into().expect("32"),
            v: w[136..200].try_into().expect("64"),
        };
        words.chunks_exact(200).map(after).collect()
    }
}

fn find_qemu() -> Option<OsString> {
    let cache = std::env::var_os("REMU_TEST_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/remu")));
    let oracle = cache.map(|c| c.join("oracle/usr/bin/qemu-riscv64").into_os_string());
    let named = std::env::var_os("REMU_QEMU_RISCV64");
    let path = ["qemu-riscv64", "qemu-riscv64-static"].map(|n| Some(OsString::from(n)));
    // An old qemu knows neither this model nor all that it has.
    let fits = |tool: &OsString| {
        let help = Command::new(tool).args(["-cpu", "help"]).output();
        help.is_ok_and(|o| {
            String::from_utf8_lossy(&o.stdout).split_whitespace().any(|w| w == "max")
        })
    };
    [named, oracle].into_iter().chain(path).flatten().find(fits)
}

/// The harness linked at fixed places; none without cross binutils.
fn link(dir: &Path) -> Option<PathBuf> {
    let (object, program) = (dir.join("vectors.o"), dir.join("harness"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors.s");
    let assembled = Command::new("riscv64-linux-gnu-as")
        .args(["-march=rv64gcv", "-o"])
        .args([&object, &source])
        .status()
        .ok()?;
    let linked = Command::new("riscv64-linux-gnu-ld")
        .args(["-static", "--no-relax", "-Ttext=0x10000", "--section-start=.slot=0x20000"])
        .args(["--section-start=.case=0x30000", "--section-start=.out=0x48000"])
        .arg("--section-start=.window=0x50000")
        .args([Path::new("-o"), &program, &object])
        .status()
        .ok()?;
    assert!(assembled.success() && linked.success(), "the harness does not build");
    Some(program)
}
