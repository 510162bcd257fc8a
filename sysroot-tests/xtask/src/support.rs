//! `cargo xtask support`: the table of system calls beside qemu-user's, from the rows and by trial.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::arch::Arch;
use crate::{cache, cmd, oracle, programs};

/// One row, as `remu-user-<arch> --syscalls-json` prints it.
#[derive(Deserialize)]
struct Row {
    number: usize,
    name: String,
    support: String,
    note: String,
}

/// What was found of one call.
#[derive(Default)]
struct Call {
    numbers: BTreeMap<&'static str, usize>,
    support: String,
    note: String,
    /// Guests under which remu and qemu-user answered `ENOSYS`.
    remu: BTreeSet<&'static str>,
    qemu: BTreeSet<&'static str>,
}

/// Writes `syscalls/SUPPORT.md`.
pub(crate) fn run(bin: Option<PathBuf>) -> Result<()> {
    let oracle = oracle::fetch()?;
    let mut calls: BTreeMap<String, Call> = BTreeMap::new();
    for &guest in Arch::GUESTS {
        let remu = programs::remu(guest, bin.clone(), false)?.binary;
        let json = cmd::output(Command::new(&remu).arg("--syscalls-json"))?;
        let rows: Vec<Row> = serde_json::from_str(&json)?;
        let program = build(guest)?;
        let count = rows.iter().map(|r| r.number).max().unwrap_or(0) + 1;
        let by_remu = missing(&remu, &program, count)?;
        let by_qemu = missing(&oracle.binary(guest), &program, count)?;
        fs::remove_file(program)?;
        for row in rows {
            let call = calls.entry(row.name).or_default();
            call.numbers.insert(guest.name(), row.number);
            (call.support, call.note) = (row.support, row.note);
            if by_remu.contains(&row.number) {
                call.remu.insert(guest.name());
            }
            if by_qemu.contains(&row.number) {
                call.qemu.insert(guest.name());
            }
        }
    }
    let file = cache::repository().join("syscalls/SUPPORT.md");
    fs::write(&file, table(&calls, &oracle.version)?)?;
    println!("{}", file.display());
    Ok(())
}

fn build(guest: Arch) -> Result<PathBuf> {
    let runs = cache::root()?.join("runs");
    fs::create_dir_all(&runs)?;
    let program = runs.join(format!("every-call-{guest}-{}", std::process::id()));
    let mut gcc = Command::new(format!("{}-gcc", guest.row().triplet));
    gcc.args(["-O1", "-w", "-static", "-o"]).arg(&program);
    cmd::run(gcc.arg(cache::repository().join("sysroot-tests/fuzz/every_call.c")))?;
    Ok(program)
}

/// The numbers that an emulator answers with `ENOSYS`. As nobody in namespaces of its own: the
/// arguments are nonsense, but some calls take none.
fn missing(emulator: &Path, program: &Path, count: usize) -> Result<BTreeSet<usize>> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "--net", "--ipc", "--uts", "--pid"]);
    unshare.args(["--fork", "--kill-child"]).arg(emulator).arg(program).arg(count.to_string());
    let text = cmd::output(&mut unshare)?;
    text.lines().map(|l| l.parse().context("a number expected")).collect()
}

fn table(calls: &BTreeMap<String, Call>, qemu: &str) -> Result<String> {
    let total = calls.len();
    let there = |c: &&Call| c.qemu.is_empty();
    let (remu, theirs) = (
        calls.values().filter(|c| c.support != "ENOSYS").count(),
        calls.values().filter(there).count(),
    );
    let mut out = format!(
        "# System calls\n\n\
         Written by `cargo xtask support` from the rows of `table/calls.rs` and by trial: a program makes every \
         call with arguments that no call accepts and looks for `ENOSYS`, under remu and under qemu-user \
         {qemu} (Debian).\n\n\
         Of {total} calls remu has {remu}, qemu-user {theirs}. *host*: the host's kernel gets the guest's arguments; *handled*: \
         layout or meaning differ, or the runner keeps the state. A call that is there may still lack an option; the notes say \
         what is known of remu.\n\n\
         | call | riscv64 | aarch64 | remu | qemu-user | note |\n|---|---|---|---|---|---|\n"
    );
    for (name, call) in calls {
        // By trial a host kernel without the call looks the same.
        if call.remu.is_empty() && call.support == "ENOSYS" {
            bail!("{name}: refused by its row, and yet made");
        }
        let number = |guest: &str| call.numbers.get(guest).map_or(String::new(), usize::to_string);
        let qemu = match call.qemu.len() {
            0 => "yes".to_owned(),
            n if n == call.numbers.len() => "ENOSYS".to_owned(),
            _ => format!("ENOSYS on {}", call.qemu.iter().copied().collect::<Vec<_>>().join(", ")),
        };
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {qemu} | {} |",
            number("riscv64"),
            number("aarch64"),
            call.support,
            call.note
        );
    }
    Ok(out)
}
