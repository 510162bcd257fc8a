//! The disassembler against GNU objdump: whole libraries, and random instances of every row.
//!
//! Without a cross objdump the tests say so, and fail under `CI=true`.

#[path = "../../core/tests/objdump/mod.rs"]
mod objdump;

use objdump::{have, whole_libraries};
use remu_aarch64::{decode, features::Features, fmt};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const OBJDUMP: &str = "aarch64-linux-gnu-objdump";

/// Rows that binutils 2.40 does not know yet: they came with 2.41 to 2.43.
const NEWER: &[&str] = &[
    "stilp",
    "ldiapp",
    "stlr_pre",
    "ldapr_post",
    "stl1",
    "ldap1",
    "stlurv",
    "ldapurv",
    "ldclrp",
    "ldsetp",
    "swpp",
    "smax_imm",
    "umax_imm",
    "smin_imm",
    "umin_imm",
    "smax_reg",
    "umax_reg",
    "smin_reg",
    "umin_reg",
    "ctz",
    "cnt",
    "abs",
    "rprfm",
    "clrbhb",
];

/// Rows whose random instances name things of higher exception levels.
const PRIVILEGED: &[&str] = &["msr", "mrs", "sys", "msr_imm"];

/// What is not implemented: SVE and SME, by their places in the top-level table; memory tagging,
/// transactions, 64-byte stores; what user programs may not execute; and FMLAL with a reserved
/// size, which objdump takes.
fn other_extension(word: u32, theirs: &str) -> bool {
    const OTHER: &[&str] = &[
        "dcps1", "dcps2", "dcps3", "hvc", "smc", "mrs", "msr", "smstart", "smstop", "tcancel",
        "fmlal", "fmlal2", "fmlsl", "fmlsl2", "st64b", "st64bv", "st64bv0", "ld64b", "tstart",
        "ttest", "tcommit", "wfet", "wfit", "eret", "drps", "eretaa", "eretab", "addg", "gmi",
        "irg", "ldg", "ldgm", "st2g", "stg", "stgm", "stgp", "stz2g", "stzg", "stzgm", "subg",
        "subp", "subps", "cmpp",
    ];
    let name = theirs.split(' ').next().unwrap_or_default();
    matches!(word >> 25 & 15, 0 | 2) || OTHER.contains(&name) || name.starts_with("setg")
}

fn ours(word: u32, pc: u64) -> String {
    match decode::decode(word, &Features::MAX) {
        Some(insn) => insn.display(&fmt::Ctx { pc }).to_string(),
        None => "undefined".to_owned(),
    }
}

/// Objdump's text without symbols, comments and column padding.
fn theirs(text: &str) -> String {
    let text = text.split("//").next().unwrap_or(text);
    let text = match text.find(" <") {
        Some(at) => &text[..at],
        None => text,
    };
    let text = text.trim().replace('\t', " ");
    if text.contains(".inst") || text.contains("undefined") { "undefined".to_owned() } else { text }
}

/// Differences between objdump's and our text of a file, by row, and the count of
/// instructions compared.
fn compare(file: &Path, args: &[&str]) -> (usize, BTreeMap<String, String>) {
    let out = Command::new(OBJDUMP).args(args).arg(file).output().expect("objdump runs");
    let text = String::from_utf8_lossy(&out.stdout);
    let mut count = 0;
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        let Some((address, rest)) = line.split_once(":\t") else { continue };
        let Ok(pc) = u64::from_str_radix(address.trim(), 16) else { continue };
        let Some((bytes, asm)) = rest.split_once('\t') else { continue };
        let Ok(word) = u32::from_str_radix(bytes.trim(), 16) else { continue };
        if asm.starts_with(".word") {
            continue;
        }
        count += 1;
        let (ours, theirs) = (ours(word, pc), theirs(asm));
        // In an ELF file objdump writes the addresses of symbols without 0x; it calls a
        // constrained unpredictable LDPSW undefined.
        let unpredictable = theirs == "undefined" && ours.starts_with("ldpsw");
        if ours.replace("0x", "") != theirs.replace("0x", "")
            && !unpredictable
            && !other_extension(word, &theirs)
        {
            let name = decode::decode(word, &Features::MAX).map_or("-", |i| i.name());
            kinds
                .entry(format!("{name} / {}", theirs.split(' ').next().unwrap_or_default()))
                .or_insert_with(|| format!("{word:08x}: ours `{ours}`, objdump `{theirs}`"));
        }
    }
    (count, kinds)
}

#[test]
fn libraries_disassemble_as_objdump_says() {
    if have(OBJDUMP) {
        whole_libraries("aarch64", |file| compare(file, &["-d", "-j", ".text"]));
    }
}

/// Random instances of every row. What only we decode is listed in `NEWER`.
#[test]
fn random_instances_disassemble_as_objdump_says() {
    if !have(OBJDUMP) {
        return;
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut code = Vec::new();
    for pattern in decode::PATTERNS
        .iter()
        .filter(|p| !NEWER.contains(&p.name) && !PRIVILEGED.contains(&p.name))
    {
        for _ in 0..64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let fields = pattern.fields.iter().fold(0, |m, f| m | f.bits) & !pattern.mask;
            let word = random as u32 & fields | pattern.value;
            let row = decode::decode(word, &Features::MAX).map(|i| i.name());
            if row == Some(pattern.name) {
                code.extend_from_slice(&word.to_le_bytes());
            }
        }
    }
    let file = std::env::temp_dir().join(format!("remu-a64-{}", std::process::id()));
    std::fs::write(&file, &code).expect("temporary file");
    let args = ["-D", "-b", "binary", "-m", "aarch64"];
    let (count, kinds) = compare(&file, &args);
    let _ = std::fs::remove_file(&file);
    eprintln!("{count} instructions compared");
    assert!(kinds.is_empty(), "{} kinds: {kinds:#?}", kinds.len());
}

/// Random words that objdump knows and that no row decodes: privileged or unimplemented ones only.
#[test]
fn random_words_are_not_missing() {
    if !have(OBJDUMP) {
        return;
    }
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut code = Vec::new();
    for _ in 0..400_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let word = random as u32;
        if decode::decode(word, &Features::MAX).is_none() {
            code.extend_from_slice(&word.to_le_bytes());
        }
    }
    let file = std::env::temp_dir().join(format!("remu-a64-words-{}", std::process::id()));
    std::fs::write(&file, &code).expect("temporary file");
    let (count, kinds) = compare(&file, &["-D", "-b", "binary", "-m", "aarch64"]);
    let _ = std::fs::remove_file(&file);
    eprintln!("{count} words compared");
    assert!(kinds.is_empty(), "{} kinds: {kinds:#?}", kinds.len());
}

/// Decoding undoes encoding, and region discovery's `scan` agrees with the tables' flow columns.
#[test]
fn scan_agrees_with_the_tables() {
    use remu_isa::{Isa, Key};
    let isa = remu_aarch64::Aarch64::new(Features::MAX);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for pattern in &decode::PATTERNS {
        for _ in 0..200 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let fields = pattern.fields.iter().fold(0, |m, f| m | f.bits) & !pattern.mask;
            let word = random as u32 & fields | pattern.value;
            let Some(insn) = decode::decode(word, &Features::MAX) else { continue };
            let again = insn.encode().expect("a decoded instruction has an encoding");
            assert_eq!(decode::decode(again, &Features::MAX), Some(insn), "{word:#x} {again:#x}");
            let scan = isa.scan(&word.to_le_bytes(), 0x40_0000, Key(0)).expect("four bytes");
            assert_eq!(scan.flow, insn.flow(), "{word:#x} {}", insn.name());
            if let Some(target) = insn.target(0x40_0000) {
                assert_eq!(scan.target, target, "{word:#x} {}", insn.name());
            }
        }
    }
}
