//! `cargo xtask bench`: native, qemu-user and remu over the same work, in turn, as a table of ratios.

mod figures;
mod report;
mod row;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::fuzz::Random;
use crate::jail::{self, Ending, Runner, Spec};
use crate::{cache, cmd, oracle, programs, sysroot};

use figures::{Figures, Sums};
use report::{Measured, Report, Series};
use row::{Kind, Row};

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Guest architecture; every guest when left out.
    #[arg(long)]
    arch: Option<Arch>,
    /// Only rows whose name contains this.
    #[arg(long)]
    row: Option<String>,
    /// One round, qemu once in it, none of the rows that need large packages, and no figures of translation.
    #[arg(long)]
    quick: bool,
    /// Rounds of native, qemu and remu in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The folder that holds `remu-user-<arch>`; default: the release build of this checkout.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Where the JSON and Markdown files go.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Native,
    Qemu,
    Remu,
}

/// Measures what the options select and writes the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let out = options.out.clone().unwrap_or_else(|| cache::target().join("bench"));
    fs::create_dir_all(&out)?;
    let rows = row::load(&cache::repository().join("sysroot-tests/bench/rows.toml"))?;
    let wanted = |r: &&Row| {
        options.row.as_ref().is_none_or(|f| r.name.contains(f.as_str()))
            && !(options.quick && r.set.is_some())
    };
    let rows: Vec<_> = rows.iter().filter(wanted).collect();
    if rows.is_empty() {
        bail!("no row matches");
    }
    let arches = options.arch.map_or_else(|| Arch::GUESTS.to_vec(), |a| vec![a]);
    let mut reports = Vec::new();
    for arch in arches {
        let remu = programs::remu(arch, options.bin.clone(), false);
        if let Err(error) = &remu {
            println!("without remu: {error:#}");
        }
        let mut report = Report::new(arch, &oracle::fetch()?.version);
        for row in &rows {
            let result = measure(row, arch, remu.as_ref().ok(), options);
            let measured = result.with_context(|| format!("row {}", row.name))?;
            println!("{}", report::line(&measured));
            report.rows.push(measured);
            // Written after every row: an interrupted run leaves what it has.
            report.write(&out)?;
        }
        println!("\n{}", report.markdown());
        reports.push(report);
    }
    let summary = report::summary(&reports);
    println!("{summary}");
    fs::write(out.join("bench.md"), summary)?;
    println!("written to {}", out.display());
    Ok(())
}

/// One row, all rounds.
fn measure(row: &Row, arch: Arch, remu: Option<&Runner>, options: &Options) -> Result<Measured> {
    let sets: Vec<&str> = ["base"].into_iter().chain(row.set.as_deref()).collect();
    let pair = sysroot::pair(arch, &sets)?;
    let mut series: BTreeMap<&str, Series> = BTreeMap::new();
    let mut notes = Vec::new();
    let rounds = if options.quick { 1 } else { options.rounds.max(1) };
    for _ in 0..rounds {
        for who in [Who::Native, Who::Qemu, Who::Remu] {
            let (name, root, runner, built_for) = match (who, remu) {
                (Who::Native, _) => ("native", &pair.native, None, Arch::Native),
                (Who::Qemu, _) => ("qemu", &pair.guest, Some(programs::qemu(arch)?), arch),
                (Who::Remu, Some(runner)) => ("remu", &pair.guest, Some(runner.clone()), arch),
                (Who::Remu, None) => continue,
            };
            // qemu keeps nothing from one run to the next.
            let repeat = if options.quick && who == Who::Qemu { 1 } else { row.repeat };
            match once(row, repeat, root, runner, built_for) {
                Ok((cold, warm)) => {
                    let series = series.entry(name).or_default();
                    series.cold.extend(cold);
                    series.warm.extend(warm);
                }
                // A native failure is the row's fault; an emulator's is a result.
                Err(error) if who == Who::Native => return Err(error),
                Err(error) => notes.push(format!("{name}: {error:#}")),
            }
        }
    }
    notes.dedup();
    let figures = match remu {
        Some(runner) if !options.quick => Some(figures(row, &pair.guest, runner, arch)?),
        _ => None,
    };
    Ok(Measured {
        figures,
        name: row.name.clone(),
        goal: row.goal,
        series: series.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
        notes,
    })
}

/// Has the runner print statistics: once without cache files, and then with those of a run before.
fn figures(row: &Row, root: &sysroot::Sysroot, runner: &Runner, arch: Arch) -> Result<Figures> {
    let run = |repeat| -> Result<Sums> {
        let mut spec = prepare(row, root, Some(runner.clone()), arch)?;
        spec.repeat = repeat;
        spec.env.insert("REMU_STATS".to_string(), "1".to_string());
        let outcome = jail::run(&spec, b"", Duration::from_secs(900))?;
        Ok(Sums::of(&String::from_utf8_lossy(&outcome.stderr)))
    };
    let cold = run(1)?;
    Ok(Figures::new(cold, run(2)?.less(cold)))
}

/// One jail; returns the cold figure (none if the program times itself) and the warm ones, in seconds.
fn once(
    row: &Row,
    repeat: u32,
    root: &sysroot::Sysroot,
    runner: Option<Runner>,
    built_for: Arch,
) -> Result<(Option<f64>, Vec<f64>)> {
    let mut spec = prepare(row, root, runner, built_for)?;
    spec.repeat = repeat;
    let outcome = jail::run(&spec, b"", Duration::from_secs(900))?;
    if outcome.ending != Ending::Exit(0) {
        let error = String::from_utf8_lossy(&outcome.stderr);
        bail!("ended with {:?}: {}", outcome.ending, error.lines().last().unwrap_or_default());
    }
    match &row.measure {
        None => {
            let (cold, warm) = outcome.seconds.split_first().context("no run was timed")?;
            let warm = if warm.is_empty() { vec![*cold] } else { warm.to_vec() };
            Ok((Some(*cold), warm))
        }
        Some(measure) => {
            // `openssl speed -mr` writes its figures to either stream, depending on the version.
            let text = [outcome.stdout, outcome.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines = text.lines().filter(|l| l.starts_with(&measure.line));
            let figures =
                lines.filter_map(|l| l.split(':').nth(measure.field)?.trim().parse::<f64>().ok());
            let seconds: Vec<_> =
                figures.map(|x| if measure.kind == Kind::Rate { 1.0 / x } else { x }).collect();
            if seconds.is_empty() {
                bail!("no figure in the output");
            }
            Ok((None, seconds))
        }
    }
}

/// What the jail is to run for a row.
fn prepare(
    row: &Row,
    root: &sysroot::Sysroot,
    runner: Option<Runner>,
    built_for: Arch,
) -> Result<Spec> {
    let runs = cache::root()?.join("runs");
    fs::create_dir_all(&runs)?;
    let here = cache::repository().join("sysroot-tests/bench");
    let mut copies = BTreeMap::new();
    if let Some(compile) = &row.compile {
        copies.insert("program".to_string(), build(compile, built_for)?);
    }
    for (name, source) in &row.files_from {
        copies.insert(name.clone(), here.join(source));
    }
    if let Some(bytes) = row.data {
        copies.insert("data".to_string(), made_up_text(bytes)?);
    }
    Ok(Spec {
        sysroot: root.path.clone(),
        argv: row.command(),
        files: row.files.clone(),
        copies,
        runner,
        repeat: row.repeat,
        report: runs.join(format!("bench-{}.report", std::process::id())),
        ..Spec::default()
    })
}

/// Compiles a source of the bench folder for guest or host; kept in the cache by content and compiler.
fn build(compile: &row::Compile, arch: Arch) -> Result<PathBuf> {
    compiled(&compile.source, compile.r#static, arch)
}

/// As [`build`], by the source's name.
pub(crate) fn compiled(source: &str, linked: bool, arch: Arch) -> Result<PathBuf> {
    let compiler = match arch {
        Arch::Native => "gcc".to_string(),
        guest => format!("{}-gcc", guest.row().triplet),
    };
    let version = |c: &str| cmd::output(Command::new(c).arg("-dumpfullversion"));
    let (ours, host) = (version(&compiler)?, version("gcc")?);
    if ours != host {
        bail!(
            "{compiler} is {} and gcc is {}: the comparison needs the same",
            ours.trim(),
            host.trim()
        );
    }
    let source = cache::repository().join("sysroot-tests/bench").join(source);
    let text = fs::read_to_string(&source)?;
    let key = cache::hash(format!("{text}{compiler}{ours}{linked}"), 16);
    let dir = cache::root()?.join("bench").join(key);
    cache::ensure_dir(&dir, |part| {
        let mut cc = Command::new(&compiler);
        cc.args(["-O2", "-o"]).arg(part.join("program")).arg(&source).arg("-lm");
        if linked {
            cc.arg("-static");
        }
        cmd::run(&mut cc)
    })?;
    Ok(dir.join("program"))
}

/// Text of words in uneven frequency, the same on every machine.
fn made_up_text(bytes: usize) -> Result<PathBuf> {
    let dir = cache::root()?.join("bench").join(format!("text-{bytes}"));
    cache::ensure_dir(&dir, |part| {
        let mut random = Random(bytes as u64);
        let words: Vec<String> = (0..4000)
            .map(|_| {
                (0..2 + random.below(9))
                    .map(|_| char::from(b'a' + random.below(26) as u8))
                    .collect()
            })
            .collect();
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            // The product of two draws favours the words at the front, as languages do.
            let rank = random.below(words.len()) * random.below(words.len()) / words.len();
            text.push_str(&words[rank]);
            text.push(if random.below(12) == 0 { '\n' } else { ' ' });
        }
        text.truncate(bytes);
        Ok(fs::write(part.join("data"), text)?)
    })?;
    Ok(dir.join("data"))
}
