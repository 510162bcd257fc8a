//! Known failures: each with a reason, and an error once it passes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::case::Case;
use crate::arch::Arch;

/// One program that is known to fail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Its name.
    program: String,
    /// For these architectures; all when empty.
    #[serde(default)]
    arch: Vec<Arch>,
    /// Under this runner.
    runner: String,
    /// Why.
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    failure: Vec<Entry>,
}

/// Reads the list; every entry must name a program and say why.
pub(crate) fn load(path: &Path, cases: &[Case]) -> Result<Vec<Entry>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    for entry in &file.failure {
        if !cases.iter().any(|c| c.name == entry.program) {
            bail!("known-failures.toml names {}, which no file has", entry.program);
        }
        if entry.reason.trim().is_empty() {
            bail!("known-failures.toml gives no reason for {}", entry.program);
        }
    }
    Ok(file.failure)
}

/// The entry that covers this run.
pub(crate) fn find<'a>(
    known: &'a [Entry],
    program: &str,
    arch: Arch,
    runner: &str,
) -> Option<&'a Entry> {
    known.iter().find(|e| {
        e.program == program && e.runner == runner && (e.arch.is_empty() || e.arch.contains(&arch))
    })
}
