//! `cargo xtask ci`: every check of the project in turn, which is README's test command.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::programs::{self, RunnerKind};
use crate::{boot, cache, cmd, direct, fuzz, hostile, oracle, setup, sysroot, tree};

/// A stage: its name, what must exist in the repository for it to apply, and what it does.
struct Stage {
    name: &'static str,
    needs: &'static str,
    run: fn() -> Result<()>,
}

#[rustfmt::skip]
const STAGES: &[Stage] = &[
    Stage { name: "setup",        needs: "",                               run: setup::run },
    Stage { name: "format",       needs: "",                               run: format },
    Stage { name: "lints",        needs: "",                               run: lints },
    Stage { name: "tree",         needs: "",                               run: tree::run },
    Stage { name: "sysroots",     needs: "",                               run: sysroots },
    Stage { name: "tests",        needs: "",                               run: tests },
    Stage { name: "build",        needs: "src/bin",                        run: build },
    Stage { name: "differential", needs: "src/bin",                        run: differential },
    Stage { name: "programs",     needs: "src/bin",                        run: programs },
    Stage { name: "least host",   needs: "src/bin",                        run: least_host },
    Stage { name: "binfmt",       needs: "src/bin",                        run: binfmt },
    Stage { name: "bad input",    needs: "src/bin",                        run: bad_input },
    Stage { name: "boot",         needs: "full-system/src/bin",            run: boot::short },
    Stage { name: "hostile",      needs: "src/bin",                        run: hostile },
];

/// Runs the stages; a failed one does not keep the later ones from running.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let root = cache::repository();
    let (mut passed, mut failed) = (0, Vec::new());
    let mut summary = Vec::new();
    for stage in STAGES.iter().filter(|s| only.is_none_or(|o| o == s.name)) {
        if !root.join(stage.needs).exists() {
            summary.push(format!("{:<12} not yet: {} does not exist", stage.name, stage.needs));
            continue;
        }
        println!("== {}", stage.name);
        let start = Instant::now();
        let result = (stage.run)();
        let seconds = start.elapsed().as_secs();
        match result {
            Ok(()) => {
                passed += 1;
                summary.push(format!("{:<12} ok, {seconds} s", stage.name));
            }
            Err(error) => {
                println!("{}: {error:#}", stage.name);
                failed.push(stage.name);
                summary.push(format!("{:<12} FAILED, {seconds} s", stage.name));
            }
        }
    }
    println!("== summary");
    summary.iter().for_each(|line| println!("{line}"));
    println!("{passed} passed, {} failed", failed.len());
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(cache::repository()).args(arguments);
    // Tests that compare with a sysroot or the independent emulator find them here.
    for &guest in Arch::GUESTS {
        if let Ok(sysroot) = sysroot::ensure(guest, &["base"], &[], None) {
            cargo.env(format!("REMU_TEST_SYSROOT_{}", guest.name().to_uppercase()), sysroot.path);
        }
        if let Ok(qemu) = oracle::qemu(guest) {
            cargo.env(format!("REMU_TEST_QEMU_{}", guest.name().to_uppercase()), qemu);
        }
    }
    cmd::run(&mut cargo)
}

fn format() -> Result<()> {
    cmd::run(
        Command::new("cargo").current_dir(cache::repository()).args(["fmt", "--all", "--check"]),
    )
}

fn lints() -> Result<()> {
    let mut clippy = Command::new("cargo");
    clippy.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    cmd::run(clippy.current_dir(cache::repository()))
}

fn sysroots() -> Result<()> {
    for &guest in Arch::GUESTS {
        let pair = sysroot::pair(guest, &["base"])?;
        println!("{guest}: Debian {}, {}", pair.guest.suite, pair.guest.path.display());
    }
    oracle::print()
}

fn tests() -> Result<()> {
    cargo(&["test", "--workspace", "--no-fail-fast"])
}

fn build() -> Result<()> {
    cargo(&["build", "--release", "--workspace", "--bins", "--exclude", "xtask"])
}

fn differential() -> Result<()> {
    every_guest(|guest| direct::differential(guest, 200, 1, None))
}

/// Calls `check` for each guest, also after one has failed.
fn every_guest(check: impl Fn(Arch) -> Result<()>) -> Result<()> {
    let failed: Vec<_> = Arch::GUESTS
        .iter()
        .filter_map(|&g| check(g).err().map(|e| format!("{g}: {e:#}")))
        .collect();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

fn programs() -> Result<()> {
    programs::run(&programs::Options::with_runner(RunnerKind::Remu))
}

/// What computes with vectors and floating point, on the instructions that every host has.
fn least_host() -> Result<()> {
    for filter in [" in C", "openssl", "python test_float"] {
        let mut options = programs::Options::with_runner(RunnerKind::Remu);
        options.host = Some("least".to_string());
        options.filter = Some(filter.to_string());
        programs::run(&options)?;
    }
    Ok(())
}

/// A few programs started by the kernel, in a root that does not hold the runner.
fn binfmt() -> Result<()> {
    let mut options = programs::Options::with_runner(RunnerKind::Remu);
    options.binfmt = true;
    options.tag = Some("binfmt".to_string());
    programs::run(&options)
}

fn hostile() -> Result<()> {
    every_guest(|guest| hostile::run(guest, 20, 1, None))
}

fn bad_input() -> Result<()> {
    every_guest(|guest| fuzz::bad_input(guest, 300, 1, None))
}
