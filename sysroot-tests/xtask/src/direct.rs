//! Commands that start the runner on this machine itself, outside a jail.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::{cache, cmd, oracle, programs, setup, sysroot};

/// `cargo`, at the root of this checkout.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(cache::repository()).args(arguments);
    cargo
}

/// Where release builds of this checkout are.
fn release_folder() -> PathBuf {
    cache::target().join("x86_64-unknown-linux-gnu/release")
}

/// The folder of this checkout's release build, which is made anew if the source has changed: a run of an old one
/// would say nothing.
pub(crate) fn release() -> Result<PathBuf> {
    let arguments =
        ["build", "--quiet", "--release", "--workspace", "--bins", "--exclude", "xtask"];
    cmd::run(&mut cargo(&arguments))?;
    Ok(release_folder())
}

/// `cargo xtask run`: becomes the runner; tools, sysroot and runner are made first.
pub(crate) fn run(arch: Arch, program: &[String]) -> Result<()> {
    let Some((name, arguments)) = program.split_first() else { bail!("no program given") };
    setup::run_quietly()?;
    let root = sysroot::ensure(arch, &["base"], &[], None)?.path;
    cmd::run(&mut cargo(&["build", "--quiet", "--release", "--package", "remu", "--bins"]))?;
    let runner = programs::remu(arch, Some(release_folder()), false)?.binary;
    let inside = root.join(name.trim_start_matches('/'));
    if !inside.is_file() {
        bail!("{} has no {name}", root.display());
    }
    let error = Command::new(runner).arg("-L").arg(&root).arg(inside).args(arguments).exec();
    Err(error.into())
}

/// `cargo xtask differential`: the comparison itself is a program of its own, as it knows every guest.
pub(crate) fn differential(arch: Arch, count: usize, seed: u64, row: Option<&str>) -> Result<()> {
    let (reference, runner) = (oracle::qemu(arch)?, programs::remu(arch, None, false)?.binary);
    let mut versus = cargo(&["run", "--quiet", "--package", "remu-versus", "--", arch.name()]);
    versus.arg("--reference").arg(reference).arg("--runner").arg(runner);
    versus.args(["--count", &count.to_string(), "--seed", &seed.to_string()]);
    versus.arg("--work").arg(cache::root()?.join("versus"));
    versus.args(row.map(|r| format!("--row={r}")));
    cmd::run(&mut versus)
}
