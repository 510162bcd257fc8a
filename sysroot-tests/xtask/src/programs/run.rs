//! Running one row and judging it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::case::{Case, Expected, Reference, Status};
use super::{Options, RunnerKind};
use crate::arch::Arch;
use crate::jail::{self, Ending, Register, Runner, Spec};
use crate::sysroot::{Pair, Sysroot};
use crate::{cache, direct, oracle};

/// Raised when jails change in a way that programs see, so that kept results are made again.
const JAIL: u32 = 4;

/// What every run of one architecture shares.
pub(crate) struct Ground {
    arch: Arch,
    pair: Pair,
    runner: Option<Runner>,
    /// The same, started by the kernel.
    registered: Option<Runner>,
    /// `REMU_IO` for the guest's programs.
    io: Option<String>,
    /// `REMU_HOST` for the guest's programs.
    host: Option<String>,
    patience: f64,
}

/// A run's visible result, kept in the cache for runs that others are compared with.
#[derive(Serialize, Deserialize)]
struct Seen {
    ending: Ending,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ground {
    /// Finds the runner; an error if it has not been built.
    pub(crate) fn new(arch: Arch, pair: Pair, options: &Options) -> Result<Ground> {
        let runner = |binfmt| match options.runner {
            RunnerKind::Native => Ok(None),
            RunnerKind::Qemu => qemu(arch).map(Some),
            RunnerKind::Remu => remu(arch, options.bin.clone(), binfmt).map(Some),
        };
        let (runner, registered) = (runner(options.binfmt)?, runner(true)?);
        Ok(Ground {
            arch,
            pair,
            runner,
            registered,
            io: options.io.clone(),
            host: options.host.clone(),
            patience: options.patience,
        })
    }

    /// The Debian suite both sysroots are of.
    pub(crate) fn suite(&self) -> &str {
        &self.pair.guest.suite
    }

    /// Runs the row and compares; returns how long it took.
    pub(crate) fn check(&self, case: &Case) -> Result<f64> {
        let start = Instant::now();
        let runner = if case.binfmt { &self.registered } else { &self.runner };
        let seen = self.run(case, &self.pair.guest, runner.clone())?;
        let seconds = start.elapsed().as_secs_f64();
        let reference = match case.stdout {
            Expected::As(reference) => Some(self.reference(case, reference)?),
            _ => None,
        };
        judge(case, &seen, reference.as_ref()).map_err(|e| with_stderr(e, &seen))?;
        Ok(seconds)
    }

    fn run(&self, case: &Case, sysroot: &Sysroot, runner: Option<Runner>) -> Result<Seen> {
        static SERIAL: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = cache::root()?.join("runs");
        fs::create_dir_all(&dir)?;
        let mut env = case.env.clone();
        for (name, mode) in [("REMU_IO", &self.io), ("REMU_HOST", &self.host)] {
            if let (Some(mode), Some(_)) = (mode, &runner) {
                env.insert(name.to_string(), mode.clone());
            }
        }
        let spec = Spec {
            sysroot: sysroot.path.clone(),
            argv: case.command(),
            files: case.files.clone(),
            env,
            runner,
            report: dir.join(format!("{}-{serial}.report", std::process::id())),
            ..Spec::default()
        };
        let limit = Duration::from_secs_f64(case.timeout as f64 * self.patience);
        let outcome = jail::run(&spec, case.stdin.as_bytes(), limit)?;
        Ok(Seen { ending: outcome.ending, stdout: outcome.stdout, stderr: outcome.stderr })
    }

    /// The result to compare with, from the cache if the same row ran in the same sysroot before.
    fn reference(&self, case: &Case, reference: Reference) -> Result<Seen> {
        let (sysroot, runner, who) = match reference {
            Reference::Qemu if self.arch != Arch::Native => {
                (&self.pair.guest, Some(qemu(self.arch)?), oracle::fetch()?.version)
            }
            _ => (&self.pair.native, None, "native".to_string()),
        };
        let row = serde_json::to_string(case)?;
        let key = cache::hash(format!("{JAIL}{row}{}{who}", sysroot.key), 20);
        let path = cache::root()?.join("expected").join(&key);
        if let Ok(text) = fs::read(&path) {
            return serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()));
        }
        let seen = self.run(case, sysroot, runner)?;
        if seen.ending == Ending::Timeout {
            bail!("the run to compare with takes too long");
        }
        fs::create_dir_all(path.parent().context("no parent")?)?;
        // Written whole or not at all: another process may be reading.
        let part = path.with_extension(format!("part{}", std::process::id()));
        fs::write(&part, serde_json::to_vec(&seen)?)?;
        fs::rename(part, path)?;
        Ok(seen)
    }
}

/// Debian's qemu-user, started by the kernel so that the programs' children run under it as well.
pub(crate) fn qemu(arch: Arch) -> Result<Runner> {
    Ok(Runner {
        binary: oracle::qemu(arch)?,
        register: Some(Register::Machine(arch.row().elf_machine)),
    })
}

/// This project's runner in a folder, or as this checkout builds it.
pub(crate) fn remu(arch: Arch, bin: Option<PathBuf>, binfmt: bool) -> Result<Runner> {
    let folder = bin.map_or_else(direct::release, Ok)?;
    let binary = folder.join(format!("remu-user-{arch}"));
    if !binary.is_file() {
        bail!("{} is missing", binary.display());
    }
    let register = binfmt.then(|| Register::Binfmt(folder.join("remu-binfmt")));
    Ok(Runner { binary, register })
}

/// An error that says how the run differs from what the row expects.
fn judge(case: &Case, seen: &Seen, reference: Option<&Seen>) -> Result<()> {
    let ending = match (&case.status, reference) {
        (Some(Status::Code(code)), _) => Ending::Exit(*code),
        (Some(Status::Signal(text)), _) => {
            let number = text.strip_prefix("signal:").and_then(|n| n.parse().ok());
            Ending::Signal(number.with_context(|| format!("status {text:?} is not signal:N"))?)
        }
        (None, Some(reference)) => reference.ending.clone(),
        (None, None) => Ending::Exit(0),
    };
    if let Some(reference) = reference
        && reference.ending != ending
    {
        bail!(
            "the row expects {ending:?} and the run to compare with gives {:?}",
            reference.ending
        );
    }
    let same = match (&case.stdout, reference) {
        (Expected::Text { text }, _) => seen.stdout == text.as_bytes(),
        (Expected::Sha256 { sha256 }, _) => cache::hash(&seen.stdout, 64) == *sha256,
        (Expected::As(_), reference) => reference.is_some_and(|r| r.stdout == seen.stdout),
    };
    if seen.ending != ending {
        bail!("ended with {:?}, expected {ending:?}", seen.ending);
    }
    if !same {
        let expected = match (&case.stdout, reference) {
            (Expected::Text { text }, _) => text.as_bytes(),
            (_, Some(reference)) => &reference.stdout,
            _ => b"",
        };
        bail!("standard output differs: {}", first_difference(expected, &seen.stdout));
    }
    Ok(())
}

/// The first line in which two texts differ.
fn first_difference(expected: &[u8], seen: &[u8]) -> String {
    let (a, b) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(seen));
    let (mut a, mut b) = (a.lines(), b.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) if x != y => {
                return format!(
                    "line {line}: expected {:?}, got {:?}",
                    x.unwrap_or("<end>"),
                    y.unwrap_or("<end>")
                );
            }
            _ => {}
        }
    }
    "only in line ends or bytes outside UTF-8".to_string()
}

fn with_stderr(error: anyhow::Error, seen: &Seen) -> anyhow::Error {
    let text = String::from_utf8_lossy(&seen.stderr);
    let tail: Vec<_> = text.lines().rev().take(8).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    if tail.is_empty() {
        error
    } else {
        anyhow::anyhow!("{error:#}\n        {}", tail.join("\n        "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(stdout: Expected) -> Case {
        let row = "name = \"x\"\nargv = [\"/bin/true\"]\nstdout = { text = \"\" }";
        Case { stdout, ..toml::from_str(row).expect("row") }
    }

    fn seen(ending: Ending, stdout: &str) -> Seen {
        Seen { ending, stdout: stdout.into(), stderr: Vec::new() }
    }

    #[test]
    fn judge_compares_text_and_ending() {
        let row = case(Expected::Text { text: "a\n".into() });
        assert!(judge(&row, &seen(Ending::Exit(0), "a\n"), None).is_ok());
        assert!(judge(&row, &seen(Ending::Exit(0), "b\n"), None).is_err());
        assert!(judge(&row, &seen(Ending::Exit(1), "a\n"), None).is_err());
        assert!(judge(&row, &seen(Ending::Signal(11), "a\n"), None).is_err());
    }

    #[test]
    fn judge_takes_the_ending_of_the_reference() {
        let row = case(Expected::As(Reference::Native));
        let reference = seen(Ending::Exit(3), "a");
        assert!(judge(&row, &seen(Ending::Exit(3), "a"), Some(&reference)).is_ok());
        assert!(judge(&row, &seen(Ending::Exit(0), "a"), Some(&reference)).is_err());
        assert!(judge(&row, &seen(Ending::Exit(3), "b"), Some(&reference)).is_err());
    }
}
