//! Rules about crates: who may depend on whom, under which licence, and which files belong to one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Forbidden, Source, relative, strip};
use crate::cmd;

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// Asks cargo about this workspace and everything it depends on.
pub(super) fn metadata(root: &Path) -> Result<Metadata> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let text = cmd::output(cargo.current_dir(root).args(["metadata", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata says something unexpected")
}

/// Forbidden dependencies that exist, each with the way they come about.
pub(super) fn forbidden_edges(metadata: &Metadata, rules: &[Forbidden]) -> Result<Vec<String>> {
    let ours: BTreeMap<&str, Vec<&str>> = metadata
        .packages
        .iter()
        .filter(|p| p.source.is_none())
        .map(|p| {
            // What only tests use may cross the rooms.
            let deps = p.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev"));
            (p.name.as_str(), deps.map(|d| d.name.as_str()).collect())
        })
        .collect();
    let mut wrong = Vec::new();
    for rule in rules {
        for from in &rule.from {
            if !ours.contains_key(from.as_str()) {
                continue;
            }
            let reached = reach(&ours, from);
            for (to, way) in reached {
                if rule.to.iter().any(|pattern| matches(pattern, to)) {
                    wrong.push(format!(
                        "{from} reaches {to} ({}): {}",
                        way.join(" -> "),
                        rule.reason
                    ));
                }
            }
        }
    }
    Ok(wrong)
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Every crate of ours that `from` depends on, with a shortest way there.
fn reach<'a>(
    graph: &BTreeMap<&'a str, Vec<&'a str>>,
    from: &'a str,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([vec![from]]);
    while let Some(way) = queue.pop_front() {
        let here = way.last().copied().unwrap_or(from);
        for &next in graph.get(here).into_iter().flatten() {
            if graph.contains_key(next) && next != from && !ways.contains_key(next) {
                let longer = [way.as_slice(), &[next]].concat();
                ways.insert(next, longer.clone());
                queue.push_back(longer);
            }
        }
    }
    ways
}

/// Dependencies whose licence deny.toml does not allow.
pub(super) fn licences(metadata: &Metadata, root: &Path) -> Result<Vec<String>> {
    let deny: Deny =
        toml::from_str(&fs::read_to_string(root.join("deny.toml"))?).context("in deny.toml")?;
    let packages = metadata.packages.iter();
    let refused = packages
        .filter(|p| !p.license.as_deref().is_some_and(|l| allowed(l, &deny.licenses.allow)));
    Ok(refused
        .map(|p| format!("{}: licence {:?} is not allowed by deny.toml", p.name, p.license))
        .collect())
}

/// Whether an SPDX expression can be met; `/` is an old way to write OR.
fn allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // AND binds tighter; with parentheses dropped this can only be too strict for `(A OR B) AND C`, where
    // the branch that contains C decides.
    expression.split(" OR ").any(|way| way.split(" AND ").all(|name| allow.contains(name.trim())))
}

/// Rust files in a crate that no crate root reaches through `mod`.
pub(super) fn orphans(metadata: &Metadata, root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let mut reached = BTreeSet::new();
    for package in metadata.packages.iter().filter(|p| p.source.is_none()) {
        for target in &package.targets {
            visit(root, &target.src_path, true, &mut reached)?;
        }
    }
    let files = sources.iter().map(|s| &s.path).filter(|p| p.ends_with(".rs"));
    // Blessed output of a generator is input of a test, not a module.
    let files = files.filter(|p| !p.contains("/tests/ok/"));
    let lost = files.filter(|p| !reached.contains(*p));
    Ok(lost.map(|p| format!("{p} belongs to no crate")).collect())
}

/// Marks a file and the modules it declares.
fn visit(root: &Path, file: &Path, is_root: bool, reached: &mut BTreeSet<String>) -> Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    // A module may be declared with a path that goes up first.
    let file = &file.canonicalize()?;
    if !reached.insert(relative(root, file)) {
        return Ok(());
    }
    let folder = file.parent().unwrap_or(root);
    let stem = file.file_stem().unwrap_or_default();
    let below = if is_root || stem == "mod" { folder.to_path_buf() } else { folder.join(stem) };
    let code = strip::code(&text);
    for (line, original) in code.lines().zip(text.lines()) {
        if let Some(path) =
            original.trim().strip_prefix("#[path = \"").and_then(|l| l.strip_suffix("\"]"))
        {
            visit_if_there(root, &folder.join(path), reached)?;
        }
        if let Some(path) =
            original.trim().strip_prefix("include!(\"").and_then(|l| l.split('"').next())
        {
            visit_if_there(root, &folder.join(path), reached)?;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let Some(at) = words.iter().position(|w| *w == "mod") else { continue };
        let Some(name) = words.get(at + 1).and_then(|w| w.strip_suffix(';')) else { continue };
        visit_if_there(root, &below.join(format!("{name}.rs")), reached)?;
        visit_if_there(root, &below.join(name).join("mod.rs"), reached)?;
    }
    Ok(())
}

fn visit_if_there(root: &Path, file: &Path, reached: &mut BTreeSet<String>) -> Result<()> {
    // A `#[path]` may lead out of its folder; the name must be the one git knows.
    match file.canonicalize() {
        Ok(file) if file.is_file() => visit(root, &file, false, reached),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions() {
        let allow = BTreeSet::from([
            "MIT".to_string(),
            "Unicode-3.0".to_string(),
            "Apache-2.0".to_string(),
        ]);
        assert!(allowed("MIT OR GPL-3.0", &allow) && allowed("MIT/X11", &allow));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &allow));
        assert!(!allowed("GPL-3.0", &allow) && !allowed("MIT AND GPL-3.0", &allow));
    }

    #[test]
    fn a_way_through_others_is_found() {
        let graph = BTreeMap::from([("a", vec!["b"]), ("b", vec!["c", "libc"]), ("c", vec![])]);
        assert_eq!(reach(&graph, "a")["c"], ["a", "b", "c"]);
    }
}
