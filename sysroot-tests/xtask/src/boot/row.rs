//! Boots as data: `sysroot-tests/boot/*.toml`.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::arch::Arch;
use crate::cache;

/// A file of boots.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    boot: Vec<Boot>,
    #[serde(default)]
    root: Vec<Root>,
}

/// A system installed on a disk, whatever the architecture.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    /// Name.
    pub(super) name: String,
    /// The variant of mmdebstrap.
    pub(super) variant: String,
    /// Packages beside those of the variant.
    pub(super) packages: Vec<String>,
    /// What the system's own shell runs when they are installed.
    pub(super) setup: String,
    /// Size of the disk.
    pub(super) size: String,
}

/// All rows.
pub(super) struct Rows {
    /// Boots.
    pub(super) boots: Vec<Boot>,
    /// Roots.
    pub(super) roots: Vec<Root>,
}

/// A machine and what is seen and typed at its console.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Boot {
    /// Name.
    pub(super) name: String,
    /// Whose machine.
    pub(super) arch: Arch,
    /// Numbers of processors; one run for each.
    pub(super) cpus: Vec<u32>,
    /// `-m`.
    pub(super) memory: String,
    /// Debian package whose kernel is booted.
    pub(super) kernel: Option<String>,
    /// A file that is booted instead.
    pub(super) image: Option<Piece>,
    /// What `-bios` names.
    pub(super) firmware: Option<Piece>,
    /// The kernel's command line.
    #[serde(default)]
    pub(super) append: String,
    /// Packages unpacked into the initial file system; without any there is none.
    #[serde(default)]
    pub(super) packages: Vec<String>,
    /// Modules of the kernel that are loaded before the shell, in this order, as paths without suffix.
    #[serde(default)]
    pub(super) modules: Vec<String>,
    /// Size of an empty disk, which `{disk}` in `args` names.
    pub(super) disk: Option<String>,
    /// A root, whose image `{root}` in `args` names. Nothing is to be written to that: `snapshot=on`.
    pub(super) root: Option<String>,
    /// C files of the bench folder that are compiled for it, `/bin/NAME` in the initial file system.
    #[serde(default)]
    pub(super) programs: Vec<String>,
    /// Run by `--compare` alone, for what it measures.
    #[serde(default)]
    pub(super) compare: bool,
    /// Takes more than a few seconds: run only when asked for by name, or by `--long`.
    #[serde(default)]
    pub(super) long: bool,
    /// Further options.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Seconds for all of it.
    pub(super) timeout: u64,
    /// What happens at the console.
    pub(super) steps: Vec<Step>,
}

/// A file of a Debian package.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Piece {
    /// The package.
    pub(super) package: String,
    /// The file in it.
    pub(super) file: String,
}

/// A figure.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timed {
    /// What it is called.
    pub(super) name: String,
    /// What is typed.
    #[serde(default)]
    pub(super) send: String,
    /// What then appears.
    pub(super) expect: String,
}

/// One thing that happens at the console. `{cpus}` and `{port}` stand for numbers of the run.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(super) enum Step {
    /// This text appears, after what was seen before.
    Expect(String),
    /// This is typed.
    Send(String),
    /// This is typed, and how long a text takes to appear is a figure.
    Time(Timed),
    /// This is typed, and the number that follows a text is a figure, of which more is better.
    Rate(Timed),
    /// The time since the start is a figure, if this text appears.
    Since(Timed),
    /// The emulator ends with this status. At the end of every boot it ends with 0 in any case.
    End(i32),
}

/// Every row.
pub(super) fn all() -> Result<Rows> {
    let dir = cache::repository().join("sysroot-tests/boot");
    let mut boots: Vec<Boot> = Vec::new();
    let mut roots: Vec<Root> = Vec::new();
    let files = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for file in files {
        let path = file?.path();
        if path.extension().is_none_or(|x| x != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let file: File = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        boots.extend(file.boot);
        roots.extend(file.root);
    }
    boots.sort_by(|a, b| (a.arch, &a.name).cmp(&(b.arch, &b.name)));
    for pair in boots.windows(2) {
        if (pair[0].arch, &pair[0].name) == (pair[1].arch, &pair[1].name) {
            bail!("two boots are called {}", pair[0].name);
        }
    }
    Ok(Rows { boots, roots })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_read() {
        let rows = all().expect("rows");
        assert!(rows.boots.iter().all(|b| !b.cpus.is_empty() && !b.steps.is_empty()));
        let named = |b: &Boot| b.root.clone();
        for root in rows.boots.iter().filter_map(named) {
            assert!(rows.roots.iter().any(|r| r.name == root), "{root}");
        }
    }
}
