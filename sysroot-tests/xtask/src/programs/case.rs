//! The data files: `sysroot-tests/programs/*.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::arch::Arch;

/// One program to run, a `[[program]]` row.
#[derive(Deserialize, Serialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Unique over all files.
    pub(crate) name: String,
    /// Program (absolute path) and arguments; or `script`.
    #[serde(default)]
    pub(crate) argv: Vec<String>,
    /// A bash script, in place of `argv`.
    #[serde(default)]
    pub(crate) script: Option<String>,
    /// Standard input.
    #[serde(default)]
    pub(crate) stdin: String,
    /// Files in the working folder.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// The same from the checkout: name in the working folder = path. Read at once, into `files`.
    #[serde(default, skip_serializing)]
    pub(crate) sources: BTreeMap<String, String>,
    /// Environment beside the fixed one.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// What standard output must be.
    pub(crate) stdout: Expected,
    /// Exit status, or `signal:N`; with `stdout = "as native"` the native run's when left out.
    #[serde(default)]
    pub(crate) status: Option<Status>,
    /// What it exercises: `threads`, `signals`, ...
    #[serde(default)]
    pub(crate) tags: BTreeSet<String>,
    /// Package set of `sysroot.toml` that it needs beside the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set: Option<String>,
    /// The kernel starts the runner whatever the command line says, as setuid programs want it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) binfmt: bool,
    /// Seconds.
    #[serde(default = "default_timeout")]
    pub(crate) timeout: u64,
    /// Only for these architectures; all when empty.
    #[serde(default)]
    pub(crate) arch: Vec<Arch>,
}

/// The tag of rows that take minutes or large packages.
pub(crate) const LONG: &str = "long";

fn default_timeout() -> u64 {
    60
}

/// What standard output must be.
#[derive(Deserialize, Serialize, Clone)]
#[serde(untagged)]
pub(crate) enum Expected {
    /// `"as native"`, or `"as qemu"`: what that run of the same version prints.
    As(Reference),
    /// `{ text = ".." }`: exactly this.
    Text {
        /// The text.
        text: String,
    },
    /// `{ sha256 = ".." }`: output of this SHA-256.
    Sha256 {
        /// In hexadecimal.
        sha256: String,
    },
}

/// A run to compare with.
#[derive(Deserialize, Serialize, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The host's own build of the same version.
    #[serde(rename = "as native")]
    Native,
    /// The same binary under qemu-user.
    #[serde(rename = "as qemu")]
    Qemu,
}

/// How the program must end.
#[derive(Deserialize, Serialize, Clone)]
#[serde(untagged)]
pub(crate) enum Status {
    /// With this exit status.
    Code(i32),
    /// `signal:N`.
    Signal(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    program: Vec<Case>,
}

impl Case {
    /// Whether the row is for this architecture.
    pub(crate) fn runs_on(&self, arch: Arch) -> bool {
        self.arch.is_empty() || self.arch.contains(&arch)
    }

    /// Whether the row only runs when asked for by its tag.
    pub(crate) fn is_long(&self) -> bool {
        self.tags.contains(LONG)
    }

    /// Program and arguments as started.
    pub(crate) fn command(&self) -> Vec<String> {
        match &self.script {
            Some(script) => ["/bin/bash", "-c", script].map(str::to_string).to_vec(),
            None => self.argv.clone(),
        }
    }
}

/// Reads every file of the folder but the list of known failures.
pub(crate) fn load(dir: &Path) -> Result<Vec<Case>> {
    let mut paths: Vec<_> = fs::read_dir(dir)?.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|p| {
        p.extension().is_some_and(|x| x == "toml") && !p.ends_with("known-failures.toml")
    });
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path)?;
        let file: File = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        for mut case in file.program {
            for (name, source) in std::mem::take(&mut case.sources) {
                let text = fs::read_to_string(crate::cache::repository().join(&source))
                    .with_context(|| format!("{source}, of {}", case.name))?;
                case.files.insert(name, text);
            }
            cases.push(case);
        }
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        if !names.insert(&case.name) {
            bail!("two programs are called {}", case.name);
        }
        if case.script.is_some() != case.argv.is_empty() {
            bail!("{}: give either argv or script", case.name);
        }
        if case.set.is_some() && !case.is_long() {
            bail!("{}: rows with a package set of their own are tagged {LONG}", case.name);
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_reads() {
        let cases =
            load(&crate::cache::repository().join("sysroot-tests/programs")).expect("rows read");
        assert!(cases.len() > 50);
    }
}
