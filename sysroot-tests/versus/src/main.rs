//! Random instances of every row under a reference emulator and under remu: every register, vector,
//! flag, floating-point status, the memory touched, and the signal of a fault must come out alike.
//!
//! Tests are gathered into static programs. For each test a program loads a random state, runs the one
//! instruction and writes all state to standard output; a signal's handler makes a report of it too.

mod guest;
mod program;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::Parser;
use serde::Deserialize;

use guest::{Chosen, Guest};
use program::{Complaints, STATES, TESTS, Test, compare};
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
struct Exceptions {
    exclude: Vec<Exclusion>,
    fix: Vec<Fix>,
}

/// Rows that are not compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    guest: String,
    row: String,
    reason: String,
}

/// Rows that are compared with some bits set to a value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fix {
    guest: String,
    row: String,
    mask: u32,
    value: u32,
    reason: String,
}

/// Whether a name is that of a pattern, which may end in `*`.
fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
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
    let exceptions: Exceptions =
        toml::from_str(include_str!("../exceptions.toml")).context("in exceptions.toml")?;
    let mut random = Random(cli.seed);
    let (mut tests, untested) = choose(guest, cli, &exceptions, &mut random)?;
    let rows: BTreeSet<_> = tests.iter().map(|t| t.chosen.row).collect();
    let total = tests.len();
    let mut batches = Vec::new();
    while !tests.is_empty() {
        let rest = tests.split_off(tests.len().min(TESTS));
        batches.push((batches.len(), tests));
        tests = rest;
    }
    let mut bad: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (row, what) in in_parallel(guest, cli, batches)? {
        bad.entry(row).or_default().push(what);
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

/// Compares all batches on all processors.
fn in_parallel(guest: &Guest, cli: &Cli, batches: Vec<(usize, Vec<Test>)>) -> Result<Complaints> {
    let queue = Mutex::new(batches);
    let work = || -> Result<Complaints> {
        let mut bad = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((batch, tests)) = next else { return Ok(bad) };
            bad.extend(compare(guest, cli, tests, batch)?);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut bad = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(part) => bad.extend(part?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(bad)
    })
}

/// Random instances of every row that is not excluded; and rows that yielded none.
fn choose(
    guest: &Guest,
    cli: &Cli,
    exceptions: &Exceptions,
    random: &mut Random,
) -> Result<(Vec<Test>, BTreeSet<&'static str>)> {
    let isa = guest.make()?;
    let out = exceptions.exclude.iter().filter(|e| e.guest == guest.name);
    let excluded = |name: &str| out.clone().any(|e| !e.reason.is_empty() && fits(&e.row, name));
    let fix = |name: &str, word: u32| {
        let fixes = exceptions.fix.iter().filter(|f| f.guest == guest.name && !f.reason.is_empty());
        fixes.filter(|f| fits(&f.row, name)).fold(word, |word, f| word & !f.mask | f.value)
    };
    let (mut tests, mut untested) = (Vec::new(), BTreeSet::new());
    for row in (guest.rows)() {
        if excluded(row.name) || cli.row.as_ref().is_some_and(|r| !row.name.contains(r.as_str())) {
            continue;
        }
        let before = tests.len();
        let mut decodes = false;
        // Most words of a row can be used; some rows have conditions that few words meet.
        for _ in 0..cli.count * 20 {
            if tests.len() - before == cli.count {
                break;
            }
            let ones = if row.width == 16 { 0xffff } else { u32::MAX };
            let word = (row.value | random.next() as u32 & !row.mask) & ones;
            let word = fix(row.name, word);
            let Some((name, text)) = (guest.decode)(word, row.width) else { continue };
            // Another row may come first for this word.
            if name != row.name {
                continue;
            }
            decodes = true;
            let Some(operands) = guest.prepare(&*isa, word, row.width, &text) else { continue };
            let state = (random.next() % STATES as u64) as usize;
            let line = format!(
                "test {state}, {}, {word:#x}, {}, {}, {}",
                row.width,
                operands.base.unwrap_or_default(),
                operands.index.unwrap_or_default(),
                operands.landing.unwrap_or_default(),
            );
            let line = line.trim_end_matches([',', ' ']).to_string();
            tests.push(Test { chosen: Chosen { row: row.name, word, text }, state, line });
        }
        if tests.len() == before && decodes {
            untested.insert(row.name);
        }
    }
    Ok((tests, untested))
}
