//! The data file: `sysroot-tests/bench/rows.toml`, whose head explains the fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// One piece of work.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    #[serde(default)]
    argv: Vec<String>,
    script: Option<String>,
    pub(super) compile: Option<Compile>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) files_from: BTreeMap<String, String>,
    pub(super) data: Option<usize>,
    pub(super) set: Option<String>,
    pub(super) measure: Option<Measure>,
    #[serde(default = "two")]
    pub(super) repeat: u32,
    pub(super) goal: f64,
}

/// A C source to build first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compile {
    pub(super) source: String,
    pub(super) r#static: bool,
}

/// Where the program's own figure stands in its output.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measure {
    /// How the line begins.
    pub(super) line: String,
    /// Which field of it, colons between, counted from zero.
    pub(super) field: usize,
    pub(super) kind: Kind,
}

/// What a figure of the program means.
#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// More is better.
    Rate,
    /// Seconds for one piece of work.
    Seconds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

fn two() -> u32 {
    2
}

impl Row {
    /// Program and arguments as started.
    pub(super) fn command(&self) -> Vec<String> {
        match &self.script {
            Some(script) => ["/bin/bash", "-c", script].map(str::to_string).to_vec(),
            None => self.argv.clone(),
        }
    }
}

/// Reads the rows.
pub(super) fn load(path: &Path) -> Result<Vec<Row>> {
    let file: File = toml::from_str(&fs::read_to_string(path)?)
        .with_context(|| format!("in {}", path.display()))?;
    if let Some(row) = file.row.iter().find(|r| r.script.is_some() != r.argv.is_empty()) {
        bail!("{}: give either argv or script", row.name);
    }
    Ok(file.row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_read() {
        let rows = load(&crate::cache::repository().join("sysroot-tests/bench/rows.toml"))
            .expect("rows read");
        assert!(rows.len() >= 20 && rows.iter().all(|r| r.goal >= 1.0));
    }
}
