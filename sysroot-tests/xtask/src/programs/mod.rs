//! `cargo xtask programs`: real programs as data, run natively, under remu or under qemu, and compared.

mod case;
mod known;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

pub(crate) use run::{qemu, remu};

use crate::arch::Arch;
use crate::{cache, sysroot};

/// Options of `cargo xtask programs`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Guest architecture; every guest when left out.
    #[arg(long)]
    pub(crate) arch: Option<Arch>,
    /// What runs the guest's programs.
    #[arg(long, value_enum, default_value = "remu")]
    pub(crate) runner: RunnerKind,
    /// Let the kernel start the runner (binfmt_misc) instead of naming it on the command line.
    #[arg(long)]
    pub(crate) binfmt: bool,
    /// Only programs whose name contains this.
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// Only programs with this tag; those tagged `long` run only so.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Only programs with this package set of `sysroot.toml`.
    #[arg(long)]
    pub(crate) set: Option<String>,
    /// How remu's calls that may sleep reach the kernel: auto, uring or direct (`REMU_IO`).
    #[arg(long)]
    pub(crate) io: Option<String>,
    /// What remu's translated code uses of the host's instructions: all or least (`REMU_HOST`).
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Programs run side by side.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// The folder that holds `remu-user-<arch>`; default: the release build of this checkout.
    #[arg(long)]
    pub(crate) bin: Option<PathBuf>,
    /// Multiplies every time limit.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) patience: f64,
    /// Print the names and stop.
    #[arg(long)]
    pub(crate) list: bool,
}

impl Options {
    /// Everything, under this runner.
    pub(crate) fn with_runner(runner: RunnerKind) -> Options {
        Options {
            arch: None,
            runner,
            binfmt: false,
            filter: None,
            tag: None,
            set: None,
            io: None,
            host: None,
            jobs: 2,
            bin: None,
            patience: 1.0,
            list: false,
        }
    }
}

/// What runs the guest's programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum RunnerKind {
    /// This project's runner.
    Remu,
    /// Debian's newest qemu-user, registered with the kernel inside the jail.
    Qemu,
    /// No emulator: the host's own programs, which proves the expectations.
    Native,
}

impl RunnerKind {
    /// As written on the command line and in the list of known failures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RunnerKind::Remu => "remu",
            RunnerKind::Qemu => "qemu",
            RunnerKind::Native => "native",
        }
    }
}

/// Runs what the options select; an error unless everything went as expected.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cases = case::load(&cache::repository().join("sysroot-tests/programs"))?;
    let selected: Vec<_> = cases.iter().filter(|c| wanted(c, options)).collect();
    if options.list {
        selected.iter().for_each(|c| println!("{}", c.name));
        return Ok(());
    }
    if selected.is_empty() {
        bail!("no program matches");
    }
    let arches = match (options.runner, options.arch) {
        (_, Some(arch)) => vec![arch],
        (RunnerKind::Native, None) => vec![Arch::Native],
        (_, None) => Arch::GUESTS.to_vec(),
    };
    let known = known::load(
        &cache::repository().join("sysroot-tests/programs/known-failures.toml"),
        &cases,
    )?;
    let mut bad = 0;
    for arch in arches {
        // Rows that need the same packages share a sysroot.
        let mut sets: BTreeMap<Option<&str>, Vec<&case::Case>> = BTreeMap::new();
        for case in selected.iter().filter(|c| c.runs_on(arch)) {
            sets.entry(case.set.as_deref()).or_default().push(case);
        }
        for (set, cases) in sets {
            bad += run_arch(arch, set, &cases, &known, options)?;
        }
    }
    if bad > 0 {
        bail!("{bad} programs did not do as expected");
    }
    Ok(())
}

fn wanted(case: &case::Case, options: &Options) -> bool {
    options.filter.as_ref().is_none_or(|f| case.name.contains(f.as_str()))
        && options.tag.as_ref().is_none_or(|t| case.tags.contains(t))
        && options.set.as_ref().is_none_or(|s| case.set.as_ref() == Some(s))
        && (!case.is_long() || options.tag.as_deref() == Some(case::LONG))
}

/// Runs all of `cases`, which need the packages of `set`, for one architecture; returns how many went against expectation.
fn run_arch(
    arch: Arch,
    set: Option<&str>,
    cases: &[&case::Case],
    known: &[known::Entry],
    options: &Options,
) -> Result<usize> {
    let sets: Vec<&str> = ["base"].into_iter().chain(set).collect();
    let pair = sysroot::pair(arch, &sets)?;
    let ground = run::Ground::new(arch, pair, options)?;
    let (next, passed, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let expected_failures = Mutex::new(BTreeSet::new());
    let runner = options.runner.name();
    let packages = set.map(|s| format!(" with {s}")).unwrap_or_default();
    println!("programs: {arch} under {runner}, Debian {}{packages}", ground.suite());
    std::thread::scope(|threads| {
        for _ in 0..options.jobs.max(1) {
            threads.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let entry = known::find(known, &case.name, arch, runner);
                    match (ground.check(case), entry) {
                        (Ok(seconds), None) => {
                            println!("ok      {} ({seconds:.1} s)", case.name);
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                        (Err(_), Some(entry)) => {
                            println!("known   {}: {}", case.name, entry.reason);
                            expected_failures
                                .lock()
                                .map(|mut s| s.insert(case.name.clone()))
                                .unwrap_or_default();
                        }
                        (Ok(_), Some(_)) => {
                            println!(
                                "FAILED  {}: passes now; take it off known-failures.toml",
                                case.name
                            );
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        (Err(error), None) => {
                            println!("FAILED  {}: {error:#}", case.name);
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let known_count = expected_failures.lock().map(|s| s.len()).unwrap_or_default();
    if known_count > 0 {
        println!("{known_count} known failures, as listed");
    }
    let (passed, failed) = (passed.into_inner(), failed.into_inner());
    println!("{passed} passed, {failed} failed");
    Ok(failed)
}
