//! `cargo xtask check-tree`: rules about the repository that no compiler checks.

mod crates;
mod strip;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cache;

/// `sysroot-tests/tree.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    forbidden: Vec<Forbidden>,
    unsafe_code: Files,
    host_processor: Places,
    length: Length,
    words: Words,
    rooms: Rooms,
}

/// Dependencies that may not be, directly or through others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forbidden {
    from: Vec<String>,
    to: Vec<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    files: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    places: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Length {
    most: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    refused: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rooms {
    folders: Vec<String>,
}

/// One file under version control.
struct Source {
    /// Path from the repository's root.
    path: String,
    text: String,
}

/// Checks everything, prints what is wrong, and fails if anything is.
pub(crate) fn run() -> Result<()> {
    let root = cache::repository();
    let rules_path = root.join("sysroot-tests/tree.toml");
    let rules: Rules = toml::from_str(&fs::read_to_string(&rules_path)?).context("in tree.toml")?;
    let sources = sources(&root)?;
    let metadata = crates::metadata(&root)?;
    let mut wrong = Vec::new();
    wrong.extend(crates::forbidden_edges(&metadata, &rules.forbidden)?);
    wrong.extend(crates::licences(&metadata, &root)?);
    wrong.extend(crates::orphans(&metadata, &root, &sources)?);
    wrong.extend(unsafe_files(&sources, &rules.unsafe_code.files));
    wrong.extend(host_processor(&sources, &rules.host_processor.places));
    wrong.extend(length_and_words(&sources, &rules));
    for room in &rules.rooms.folders {
        if !root.join(room).join("README.md").is_file() {
            wrong.push(format!("{room}/README.md is missing"));
        }
    }
    if wrong.is_empty() {
        println!("check-tree: {} files in order", sources.len());
        return Ok(());
    }
    wrong.iter().for_each(|w| println!("check-tree: {w}"));
    bail!("the tree breaks {} rules", wrong.len())
}

/// Every text file that git tracks or would track.
fn sources(root: &Path) -> Result<Vec<Source>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut sources = Vec::new();
    for path in crate::cmd::output(&mut git)?.lines() {
        let known = ["rs", "toml", "md", "decode", "inc", "tbl", "ins"];
        let full = root.join(path);
        let wanted = full.extension().is_some_and(|x| known.iter().any(|k| x == *k));
        if wanted && full.is_file() {
            let text = fs::read_to_string(&full).with_context(|| format!("{path} is not text"))?;
            sources.push(Source { path: path.to_string(), text });
        }
    }
    Ok(sources)
}

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|s| s.path.ends_with(".rs"))
}

/// Unsafe code only where listed, with a reason at the top; a listed file that needs it no more is an error.
fn unsafe_files(sources: &[Source], listed: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in rust(sources) {
        // A pointer to an unsafe function is no unsafe code.
        let code = strip::code(&source.text.replace("unsafe extern \"C\" fn(", "fn("));
        let found = strip::has_word(&code, "unsafe");
        match (found, listed.contains(&source.path)) {
            (true, false) => wrong
                .push(format!("{} holds unsafe code and is not listed in tree.toml", source.path)),
            (false, true) => {
                wrong.push(format!("{} is listed for unsafe code and holds none", source.path))
            }
            (true, true) if !says_why(&source.text) => {
                wrong.push(format!("{} does not say why it needs unsafe code", source.path));
            }
            _ => {}
        }
    }
    wrong
}

/// Whether a file, or the item in it, opens unsafe code for itself with a reason.
fn says_why(text: &str) -> bool {
    let text: String = text.split_whitespace().collect();
    text.contains("#![expect(unsafe_code,reason=") || text.contains("#[expect(unsafe_code,reason=")
}

/// `target_arch` only where host code lives.
fn host_processor(sources: &[Source], places: &[String]) -> Vec<String> {
    let asks = |s: &&Source| strip::has_word(&strip::code(&s.text), "target_arch");
    let outside = |s: &&Source| !places.iter().any(|p| s.path.starts_with(p.as_str()));
    let found = rust(sources).filter(asks).filter(outside);
    found.map(|s| format!("{} asks for the host's processor", s.path)).collect()
}

fn length_and_words(sources: &[Source], rules: &Rules) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        let hand_written = source.path.ends_with(".rs") || source.path.ends_with(".md");
        if hand_written && lines > rules.length.most {
            wrong.push(format!(
                "{} has {lines} lines; {} are the most",
                source.path, rules.length.most
            ));
        }
        // The rules themselves have to name the words.
        if source.path == "sysroot-tests/tree.toml" {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            if let Some(word) = rules.words.refused.iter().find(|w| strip::has_word(line, w)) {
                wrong.push(format!("{}:{} says {word}", source.path, number + 1));
            }
        }
    }
    wrong
}

/// A path relative to the root, as git writes it.
fn relative(root: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn unsafe_code_is_found_and_comments_are_not() {
        let listed = BTreeSet::from(["c.rs".to_string()]);
        let a = source("a.rs", "fn f() { unsafe { g() } }");
        let b = source("b.rs", "// unsafe is a word\nconst S: &str = \"unsafe {\";");
        assert_eq!(unsafe_files(&[a, b], &BTreeSet::new()).len(), 1);
        let stale = source("c.rs", "fn f() {}");
        assert_eq!(unsafe_files(&[stale], &listed).len(), 1);
        let unexplained = source("c.rs", "unsafe fn f() {}");
        assert_eq!(unsafe_files(&[unexplained], &listed).len(), 1);
        let good =
            source("c.rs", "#![expect(unsafe_code, reason = \"maps memory\")]\nunsafe fn f() {}");
        assert!(unsafe_files(&[good], &listed).is_empty());
    }

    #[test]
    fn the_host_is_asked_for_only_in_its_places() {
        let s = [
            source("isa/x.rs", "#[cfg(target_arch = \"x86_64\")]"),
            source("h/y.rs", "cfg!(target_arch)"),
        ];
        assert_eq!(
            host_processor(&s, &["h/".to_string()]),
            ["isa/x.rs asks for the host's processor"]
        );
    }
}
