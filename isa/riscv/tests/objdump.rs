//! The disassembler against GNU objdump: whole libraries, and random instances of every row.
//!
//! Without a cross objdump the tests say so, and fail under `CI=true`.

#[path = "../../core/tests/objdump/mod.rs"]
mod objdump;

use objdump::{have, whole_libraries};
use remu_riscv::{decode, features, fmt};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const OBJDUMP: &str = "riscv64-linux-gnu-objdump";
const AS: &str = "riscv64-linux-gnu-as";

/// Everything there is, for programs and for machines.
const ALL: features::Features = features::MAX.union(features::MACHINE);

/// Our text of an instruction in the form that `theirs` makes of objdump's.
fn ours(word: u32, pc: u64) -> String {
    let ctx = fmt::Ctx { pc };
    match decode::decode(word, &ALL) {
        Some(insn) => insn.display(&ctx).to_string(),
        None => "undefined".to_owned(),
    }
}

/// Objdump's text without symbols, comments and column padding.
fn theirs(text: &str) -> String {
    let text = text.split(" #").next().unwrap_or(text);
    let text = match text.find(" <") {
        Some(at) => &text[..at],
        None => text,
    };
    let text = text.trim().replace('\t', " ");
    let raw = [".word", ".short", ".2byte", ".4byte", ".insn", ".byte"];
    if raw.iter().any(|r| text.starts_with(r)) { "undefined".to_owned() } else { text }
}

/// Objdump before 2.41 prints immediate forms under the name of the register form (`add` for
/// `addi`); so does this.
fn register_spelling(text: &str) -> String {
    let Some((name, operands)) = text.split_once(' ') else { return text.to_owned() };
    let last = operands.rsplit(',').next().unwrap_or_default();
    if !last.starts_with(|c: char| c.is_ascii_digit() || c == '-') || last.contains('(') {
        return text.to_owned();
    }
    let name = match (name.strip_suffix("iw"), name.strip_suffix('i')) {
        (Some(stem), _) => format!("{stem}w"),
        (_, Some(stem)) => stem.to_owned(),
        _ => name.to_owned(),
    };
    format!("{name} {operands}")
}

/// Differences between objdump's and our text of a file, up to `limit` kinds, and the count of
/// instructions compared.
fn compare(file: &Path, args: &[&str], limit: usize) -> (usize, BTreeMap<String, String>) {
    let out = Command::new(OBJDUMP).args(args).arg(file).output().expect("objdump runs");
    let text = String::from_utf8_lossy(&out.stdout);
    let mut count = 0;
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        let Some((address, rest)) = line.split_once(":\t") else { continue };
        let Ok(pc) = u64::from_str_radix(address.trim(), 16) else { continue };
        let Some((bytes, asm)) = rest.split_once('\t') else { continue };
        let bytes = bytes.trim();
        let Ok(word) = u32::from_str_radix(bytes, 16) else { continue };
        count += 1;
        let (ours, mut theirs) = (ours(word, pc), theirs(asm));
        let insn = decode::decode(word, &ALL);
        if let Some(target) = insn.and_then(|i| i.target(pc)) {
            // Without any symbol in the file, addresses have a prefix.
            if let Some(stem) = theirs.strip_suffix(&format!("0x{target:x}")) {
                theirs = format!("{stem}{target:x}");
            }
        }
        // A file may use, behind a check at run time, extensions that its attributes do not name;
        // objdump then prints data, or the base instruction that a hint is.
        let base = decode::decode(word, &features::RV64GC);
        let as_base =
            base.map_or("undefined".to_owned(), |i| i.display(&fmt::Ctx { pc }).to_string());
        if base != insn && theirs == as_base {
            continue;
        }
        if ours != theirs && register_spelling(&ours) != register_spelling(&theirs) {
            let name = insn.map_or("-", |i| i.name());
            if kinds.len() == limit {
                continue;
            }
            kinds
                .entry(format!("{name} / {}", theirs.split(' ').next().unwrap_or_default()))
                .or_insert_with(|| format!("{bytes}: ours `{ours}`, objdump `{theirs}`"));
        }
    }
    (count, kinds)
}

#[test]
fn libraries_disassemble_as_objdump_says() {
    if have(OBJDUMP) {
        whole_libraries("riscv64", |file| compare(file, &["-d", "-j", ".text"], 20));
    }
}

/// Random instances of every row through the assembler's `.insn`, so that objdump knows the
/// extensions. An assembler that lacks some of them leaves their rows out.
#[test]
fn random_instances_disassemble_as_objdump_says() {
    if !have(OBJDUMP) || !have(AS) {
        return;
    }
    let base = "rv64gcv_zba_zbb_zbc_zbs_zbkb_zbkc_zbkx_zknd_zkne_zknh_zksed_zksh_zfh_zicbom_zicbop_\
                zicboz_zihintpause_zawrs";
    let more = format!(
        "{base}_zicond_zfa_zcb_zacas_zabha_zihintntl_zvbb_zvbc_zvkg_zvkned_zvknhb_zvksed_zvksh"
    );
    let dir = std::env::temp_dir().join(format!("remu-objdump-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("temporary folder");
    let object = dir.join("a.o");
    let source = dir.join("a.s");
    let assemble = |march: &str| {
        let run = Command::new(AS)
            .arg(format!("-march={march}"))
            .args([Path::new("-o"), &object, &source])
            .output()
            .expect("the assembler runs");
        run.status.success()
    };
    std::fs::write(&source, "nop\n").expect("writable");
    let all = assemble(&more);
    let newer = ["zicond", "zfa", "zcb", "zacas", "zabha", "zihintntl", "zv"];
    let mut text = String::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for pattern in &decode::PATTERNS {
        if !all && newer.iter().any(|n| pattern.feature.contains(n)) {
            continue;
        }
        let free = pattern.fields.iter().fold(0, |m, f| m | f.bits) & !pattern.mask;
        for _ in 0..100 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let word = (random >> 11) as u32 & free | pattern.value;
            if excluded(word) {
                continue;
            }
            let size = pattern.width / 8;
            text.push_str(&format!(".insn {size}, {word:#x}\n"));
        }
    }
    std::fs::write(&source, text).expect("writable");
    assert!(assemble(if all { &more } else { base }), "the assembler failed");
    let (count, kinds) = compare(&object, &["-d"], 200);
    let bad: Vec<&str> = kinds.values().map(String::as_str).collect();
    eprintln!("{count} random instructions compared, newer extensions: {all}");
    std::fs::remove_dir_all(&dir).expect("temporary folder");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(count > 10_000);
}

/// Instances on which objdump and we differ on purpose.
fn excluded(word: u32) -> bool {
    let Some(insn) = decode::decode(word, &ALL) else { return true };
    let text = insn.to_string();
    // Registers that user code does not have print as numbers.
    let csr = insn.name().starts_with("csr") && text.contains("0x");
    // Reserved rounding modes are no instructions to us.
    // Objdump does not know exact conversions with a rounding mode other than 0.
    let exact = ["fcvt_d_s", "fcvt_d_h", "fcvt_s_h", "fcvt_d_w", "fcvt_d_wu"];
    let rounded = exact.contains(&insn.name()) && word >> 12 & 7 != 0;
    csr || rounded || text.contains("unknown")
}
