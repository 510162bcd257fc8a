//! Random instances of every row under a reference emulator and under remu: every register, vector,
//! flag, floating-point status and the memory touched must come out alike.
//!
//! Tests are gathered into static programs. For each test a program loads a random state, runs the one
//! instruction and writes all state to standard output.

mod guest;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Deserialize;

use guest::{Chosen, Guest};
use random::Random;

/// Compare remu with another emulator over random instructions.
#[derive(Parser)]
struct Cli {
    /// Guest architecture.
    guest: String,
    /// The emulator to be right.
    #[arg(long)]
    reference: PathBuf,
    /// The emulator to be judged.
    #[arg(long)]
    runner: PathBuf,
    /// Instances per row.
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Names the run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only rows whose name contains this.
    #[arg(long)]
    row: Option<String>,
    /// A folder for the programs; they stay there.
    #[arg(long)]
    work: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusions {
    exclude: Vec<Exclusion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    guest: String,
    row: String,
    reason: String,
}

/// States that tests start from, in each program.
const STATES: usize = 64;
/// Tests in one program: its jumps must reach.
const TESTS: usize = 1500;

/// One test of a program.
struct Test {
    chosen: Chosen,
    state: usize,
    /// Its line for the assembler.
    line: String,
}

fn main() -> std::process::ExitCode {
    match run(&Cli::parse()) {
        Ok(0) => std::process::ExitCode::SUCCESS,
        Ok(_) => std::process::ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Runs everything; returns how many rows differ.
fn run(cli: &Cli) -> Result<usize> {
    let guest = guest::by_name(&cli.guest)?;
    fs::create_dir_all(&cli.work)?;
    let exclusions: Exclusions =
        toml::from_str(include_str!("../exclude.toml")).context("in exclude.toml")?;
    let mut random = Random(cli.seed);
    let (mut tests, untested) = choose(guest, cli, &exclusions.exclude, &mut random);
    let rows: BTreeSet<_> = tests.iter().map(|t| t.chosen.row).collect();
    let total = tests.len();
    let mut bad: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut batch = 0;
    while !tests.is_empty() {
        let rest = tests.split_off(tests.len().min(TESTS));
        compare(guest, cli, tests, batch, &mut random, &mut bad)?;
        tests = rest;
        batch += 1;
    }
    for (row, complaints) in &bad {
        println!(
            "FAILED  {} {row}: {} instances, such as {}",
            guest.name,
            complaints.len(),
            complaints[0]
        );
    }
    for row in &untested {
        println!("none    {} {row}: no instance can be compared", guest.name);
    }
    println!(
        "differential, {}: {total} instances of {} rows, seed {}",
        guest.name,
        rows.len(),
        cli.seed
    );
    println!("{} passed, {} failed", rows.len() - bad.len(), bad.len());
    Ok(bad.len())
}

/// Random instances of every row that is not excluded; and rows that yielded none.
fn choose(
    guest: &Guest,
    cli: &Cli,
    out: &[Exclusion],
    random: &mut Random,
) -> (Vec<Test>, BTreeSet<&'static str>) {
    let excluded = |name: &str| {
        out.iter().any(|e| {
            let fits =
                e.row.strip_suffix('*').map_or(e.row == name, |start| name.starts_with(start));
            e.guest == guest.name && !e.reason.is_empty() && fits
        })
    };
    let (mut tests, mut untested) = (Vec::new(), BTreeSet::new());
    for row in (guest.rows)() {
        if excluded(row.name) || cli.row.as_ref().is_some_and(|r| !row.name.contains(r.as_str())) {
            continue;
        }
        let before = tests.len();
        let mut goes_on = false;
        // Most words of a row can be used; some rows have conditions that few words meet.
        for _ in 0..cli.count * 20 {
            if tests.len() - before == cli.count {
                break;
            }
            let ones = if row.width == 16 { 0xffff } else { u32::MAX };
            let word = (row.value | random.next() as u32 & !row.mask) & ones;
            let Some((name, text)) = (guest.decode)(word, row.width) else { continue };
            // Another row may come first for this word.
            if name != row.name {
                continue;
            }
            goes_on = true;
            let Some(operands) = (guest.operands)(&text) else { continue };
            let state = (random.next() % STATES as u64) as usize;
            let line = format!(
                "test {state}, {}, {word:#x}, {}, {}",
                row.width,
                operands.base.unwrap_or_default(),
                operands.index.unwrap_or_default()
            );
            let line = line.trim_end_matches([',', ' ']).to_string();
            tests.push(Test { chosen: Chosen { row: row.name, word, text }, state, line });
        }
        // Rows that jump are compared as programs.
        if tests.len() == before && goes_on {
            untested.insert(row.name);
        }
    }
    (tests, untested)
}

/// Runs one program's worth under both and notes what differs.
fn compare(
    guest: &Guest,
    cli: &Cli,
    mut tests: Vec<Test>,
    batch: usize,
    random: &mut Random,
    bad: &mut BTreeMap<&'static str, Vec<String>>,
) -> Result<()> {
    let states: Vec<Vec<u8>> = (0..STATES).map(|_| (guest.state)(random)).collect();
    while !tests.is_empty() {
        let program = cli.work.join(format!("{}-{batch}", guest.name));
        assemble(guest, &tests, &states, &program)?;
        let reference = output(Command::new(&cli.reference).args(["-cpu", "max"]).arg(&program))?;
        let judged = output(Command::new(&cli.runner).arg(&program))?;
        let size = guest.state_size;
        for (index, test) in tests.iter().enumerate() {
            let piece = |all: &[u8]| all.get(index * size..(index + 1) * size).map(<[u8]>::to_vec);
            let (Some(right), Some(seen)) = (piece(&reference), piece(&judged)) else { break };
            if right != seen {
                let what = difference(guest, test, &states[test.state], &right, &seen);
                bad.entry(test.chosen.row).or_default().push(what);
            }
        }
        // A test that ended one of the programs takes the later ones with it: judge it, leave it out, go on.
        let (right, seen) = (reference.len() / size, judged.len() / size);
        let done = right.min(seen);
        if done >= tests.len() {
            break;
        }
        if right != seen {
            let who = if seen < right { "remu" } else { "the reference" };
            let Chosen { row, text, word, .. } = &tests[done].chosen;
            bad.entry(row)
                .or_default()
                .push(format!("{text} ({word:#010x}): {who} ends the program"));
        }
        tests.drain(..=done);
    }
    Ok(())
}

/// Assembles and links a program of these tests.
fn assemble(guest: &Guest, tests: &[Test], states: &[Vec<u8>], program: &Path) -> Result<()> {
    let mut text = guest.frame.to_string();
    for test in tests {
        text.push_str(&test.line);
        text.push('\n');
    }
    if guest.name == "aarch64" {
        text.push_str("b finish\n");
    } else {
        text.push_str("lla x31, finish\njr x31\n");
    }
    text.push_str(".data\n.balign 16\nstates:\n");
    for word in states.concat().chunks(8) {
        let word = word.iter().rev().fold(0u64, |w, &b| w << 8 | u64::from(b));
        let _ = writeln!(text, ".quad {word:#x}");
    }
    let source = program.with_extension("S");
    fs::write(&source, text)?;
    let mut gcc = Command::new(format!("{}-gcc", guest.triplet));
    gcc.args(["-nostdlib", "-static", "-no-pie", "-o"]).arg(program).arg(&source);
    let out =
        gcc.output().context("cannot start the cross compiler; `cargo xtask setup` installs it")?;
    if !out.status.success() {
        bail!("assembling {} failed:\n{}", source.display(), String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

/// Standard output of a program, however it ends.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    Ok(out.stdout)
}

/// A test and the first parts of the state in which the results differ.
fn difference(guest: &Guest, test: &Test, start: &[u8], right: &[u8], seen: &[u8]) -> String {
    let mut text = format!("{} ({:#010x})", test.chosen.text, test.chosen.word);
    let differing = (0..right.len()).step_by(8).filter(|&at| right[at..at + 8] != seen[at..at + 8]);
    let show = |bytes: &[u8], at: usize| {
        bytes[at..at + 8].iter().rev().map(|b| format!("{b:02x}")).collect::<String>()
    };
    for at in differing.take(3) {
        let part = (guest.part)(at);
        let _ = write!(
            text,
            "; {part}: expected {}, got {}, was {}",
            show(right, at),
            show(seen, at),
            show(start, at)
        );
    }
    text
}
