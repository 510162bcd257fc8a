//! What instructions cost: the host code of typical ones, held against blessed files, so that a
//! change in generated code is seen in review. `BLESS=1` rewrites; read the difference.
//!
//! Without a cross assembler a test says so, and fails under `CI=true`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use remu_engine::{CodeSource, Engine, Host, Options};
use remu_isa::{Guest, Key};

/// Where every case lies: within reach of short forms of constants, as in a program
/// linked for its address.
const CODE: u64 = 0x10_0000;

/// What the code may use, wherever it is made: nothing runs it.
const HOST: Host = Host { sha: true, gfni: true };

/// The code of one case, with an instruction behind it that leaves translated code.
struct Case {
    name: String,
    code: Vec<u8>,
}

impl CodeSource for Case {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let at = usize::try_from(addr.wrapping_sub(CODE)).unwrap_or(usize::MAX);
        let bytes = self.code.get(at..).unwrap_or_default();
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        n
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cost")
}

/// Output of a cross tool; `None` where it is not installed.
fn tool(name: &str, args: &[&str]) -> Option<Vec<u8>> {
    let out = Command::new(name).args(args).output().ok()?;
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    Some(out.stdout)
}

/// The cases of a guest's source file: what stands between two labels.
fn cases(guest: &Guest, march: &str, stop: &[u8]) -> Option<Vec<Case>> {
    let triplet = format!("{}-linux-gnu", guest.name);
    let source = folder().join(format!("{}.s", guest.name));
    let scratch =
        std::env::temp_dir().join(format!("remu-cost-{}-{}", guest.name, std::process::id()));
    fs::create_dir_all(&scratch).expect("a scratch folder");
    let (object, binary) = (scratch.join("o"), scratch.join("b"));
    let text = |p: &Path| p.to_string_lossy().into_owned();
    let assemble = [march, "-c", &text(&source), "-o", &text(&object)];
    tool(&format!("{triplet}-gcc"), &assemble)?;
    tool(
        &format!("{triplet}-objcopy"),
        &["-O", "binary", "-j", ".text", &text(&object), &text(&binary)],
    )?;
    let symbols = tool(&format!("{triplet}-nm"), &["-n", &text(&object)])?;
    let bytes = fs::read(&binary).expect("objcopy wrote it");
    fs::remove_dir_all(&scratch).expect("the scratch folder goes away");
    let symbols = String::from_utf8(symbols).expect("names are ASCII");
    let labels: Vec<(usize, &str)> = (symbols.lines())
        .filter_map(|l| l.split_once(" t "))
        .filter(|(_, name)| !name.starts_with(['$', '.']))
        .map(|(at, name)| (usize::from_str_radix(at, 16).expect("an address"), name))
        .collect();
    let pairs = labels.windows(2);
    Some(
        pairs
            .map(|w| Case {
                name: w[0].1.to_owned(),
                code: [&bytes[w[0].0..w[1].0], stop].concat(),
            })
            .collect(),
    )
}

/// Lines of a listing without addresses and bytes. Addresses in the region's own code become
/// distances from its start, others of host code the word `thunk`.
fn plain(listing: &str, at: u64, len: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in listing.lines() {
        let Some((_, text)) = line.split_once(":  ") else {
            if !line.starts_with("  --") {
                continue;
            }
            lines.push(line.trim().to_owned());
            continue;
        };
        let text = text.split_once("  ").map_or(text, |t| t.1).trim();
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let mut line = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
            match word.strip_suffix('h').and_then(|w| u64::from_str_radix(w, 16).ok()) {
                Some(n) if n.wrapping_sub(at) < len as u64 => line += &format!("+{:#x}", n - at),
                Some(n) if n >> 32 != 0 && n.abs_diff(at) < 1 << 31 => line += "thunk",
                _ => line += word,
            }
            rest = &rest[word.len()..];
            let other = &rest[..rest.find(is_word).unwrap_or(rest.len())];
            line += other;
            rest = &rest[other.len()..];
        }
        lines.push(line);
    }
    lines
}

fn check(guest: &'static Guest, march: &str, stop: &[u8]) {
    let Some(cases) = cases(guest, march, stop) else {
        assert!(std::env::var_os("CI").is_none(), "no cross assembler for {}", guest.name);
        eprintln!("skipped: no cross assembler for {}", guest.name);
        return;
    };
    assert!(cases.len() > 20, "{}: {} cases", guest.name, cases.len());
    let mut made = String::from(
        "case: guest instructions, host instructions, bytes; the last two less what `nothing` has\n",
    );
    let stop_len = stop.len();
    let mut frame = None;
    let nothing = Case { name: "nothing".to_owned(), code: stop.to_vec() };
    for case in std::iter::once(nothing).chain(cases) {
        let (name, guest_len) = (case.name.clone(), case.code.len() - stop_len);
        let options = Options { code_size: 1 << 20, host: HOST, ..Options::default() };
        let isa =
            (guest.make)("").or_else(|_| (guest.make)(guest.models[0].name)).expect("a model");
        let engine = Engine::new(isa, Arc::new(case), options).expect("an engine");
        let l = engine.listing(CODE, Key::default());
        let ours: Vec<&str> = (l.guest.lines())
            .filter_map(|line| line.split_once(":  "))
            .filter(|(pc, _)| {
                let pc = u64::from_str_radix(pc.trim_start_matches("0x"), 16).expect("an address");
                pc < CODE + guest_len as u64
            })
            .filter_map(|(_, text)| text.split_once("  "))
            .map(|t| t.1.trim())
            .collect();
        let host = plain(&l.host, l.at, l.len);
        let count = host.iter().filter(|line| !line.starts_with("--")).count().cast_signed();
        let len = l.len.cast_signed();
        let (insns, bytes) = frame.unwrap_or((0, 0));
        frame = frame.or(Some((count, len)));
        let _ = writeln!(made, "\n{name}: {}, {}, {}", ours.len(), count - insns, len - bytes);
        ours.iter().for_each(|line| made += &format!("  {line}\n"));
        host.iter().for_each(|line| made += &format!("      {line}\n"));
    }
    let golden = folder().join(format!("{}.cost", guest.name));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&golden, made).expect("the golden file can be written");
        return;
    }
    let blessed = fs::read_to_string(&golden).unwrap_or_default();
    let first = made.lines().zip(blessed.lines()).find(|(a, b)| a != b);
    assert!(made == blessed, "{} differs, first at {first:?}; BLESS=1", golden.display());
}

#[test]
fn riscv64_costs_what_it_did() {
    check(&remu_riscv::GUEST, "-march=rv64gc_zba_zbb", &[0x73, 0, 0, 0]);
}

#[test]
fn aarch64_costs_what_it_did() {
    check(&remu_aarch64::GUEST, "-march=armv8.6-a+crypto", &[1, 0, 0, 0xd4]);
}
