//! Sysroots: Debian packages of one architecture, unpacked but not configured, kept in the cache.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::arch::Arch;
use crate::{apt, cache};

/// `sysroot-tests/sysroot.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    suites: Vec<String>,
    python: BTreeMap<String, String>,
    sets: BTreeMap<String, Vec<String>>,
    links: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    copies: BTreeMap<String, String>,
}

/// A sysroot in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Sysroot {
    /// Its root folder.
    pub(crate) path: PathBuf,
    /// The Debian suite it was made from.
    pub(crate) suite: String,
    /// Changes whenever suite, architecture or contents asked for change.
    pub(crate) key: String,
}

/// A guest's sysroot and the host's own programs of the same suite.
pub(crate) struct Pair {
    /// The guest's.
    pub(crate) guest: Sysroot,
    /// The host's.
    pub(crate) native: Sysroot,
}

fn recipe() -> Result<Recipe> {
    let path = cache::repository().join("sysroot-tests/sysroot.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

/// The sysroot of `arch` with the packages of `sets` (and `extra`), made when missing.
pub(crate) fn ensure(
    arch: Arch,
    sets: &[&str],
    extra: &[String],
    suite: Option<&str>,
) -> Result<Sysroot> {
    let recipe = recipe()?;
    let suites = suite.map_or_else(|| recipe.suites.clone(), |s| vec![s.to_string()]);
    let places: Vec<_> =
        suites.iter().map(|s| place(&recipe, arch, sets, extra, s)).collect::<Result<_>>()?;
    if let Some((sysroot, _)) = places.iter().find(|(s, _)| s.path.is_dir()) {
        name_plainly(arch, sets, extra, sysroot)?;
        return Ok(sysroot.clone());
    }
    let mut refused = String::new();
    for (sysroot, packages) in places {
        let made = cache::ensure_dir(&sysroot.path, |part| {
            eprintln!("making the {arch} sysroot from Debian {}", sysroot.suite);
            unpack(arch, &sysroot.suite, &packages, part)?;
            finish(&recipe, part)
        });
        match made {
            Ok(()) => {
                name_plainly(arch, sets, extra, &sysroot)?;
                return Ok(sysroot);
            }
            Err(error) if is_bad_index(&error) => {
                eprintln!(
                    "the {arch} index of Debian {} cannot be verified; trying the next suite",
                    sysroot.suite
                );
                refused = format!("{error:#}");
            }
            Err(error) => return Err(error),
        }
    }
    bail!("no suite of {suites:?} can be used for {arch}: {refused}")
}

/// Keeps `sysroots/<arch>` pointing at the ordinary sysroot, for tests and people.
fn name_plainly(arch: Arch, sets: &[&str], extra: &[String], sysroot: &Sysroot) -> Result<()> {
    let link = cache::root()?.join("sysroots").join(arch.name());
    if sets != ["base"]
        || !extra.is_empty()
        || fs::read_link(&link).is_ok_and(|to| to == Path::new(&sysroot.key))
    {
        return Ok(());
    }
    let part = link.with_extension(format!("link{}", std::process::id()));
    symlink(&sysroot.key, &part)?;
    fs::rename(part, link).context("cannot name the sysroot")
}

/// The sysroot of `guest` and the host's of the same suite, so that both run the same versions.
pub(crate) fn pair(guest: Arch, sets: &[&str]) -> Result<Pair> {
    let guest = ensure(guest, sets, &[], None)?;
    let native = ensure(Arch::Native, sets, &[], Some(&guest.suite))?;
    Ok(Pair { guest, native })
}

/// Where a sysroot of this description lies in the cache, and its packages.
fn place(
    r: &Recipe,
    arch: Arch,
    sets: &[&str],
    extra: &[String],
    suite: &str,
) -> Result<(Sysroot, Vec<String>)> {
    let python =
        r.python.get(suite).with_context(|| format!("sysroot.toml names no python for {suite}"))?;
    let mut packages = Vec::new();
    for set in sets {
        let rows = r.sets.get(*set).with_context(|| format!("sysroot.toml has no set {set}"))?;
        packages.extend(rows.iter().map(|p| p.replace("{python}", python)));
    }
    packages.extend_from_slice(extra);
    packages.sort();
    packages.dedup();
    let text =
        format!("{suite}\n{arch}\n{packages:?}\n{:?}\n{:?}\n{:?}", r.links, r.files, r.copies);
    let key = format!("{suite}-{arch}-{}", cache::hash(text, 12));
    let path = cache::root()?.join("sysroots").join(&key);
    Ok((Sysroot { path, suite: suite.to_string(), key }, packages))
}

/// Whether apt refused the archive's index, as opposed to a package or the machine being at fault.
fn is_bad_index(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    let index = text.contains("/Packages") || text.contains("InRelease");
    index && ["unexpected size", "Hash Sum mismatch", "404"].iter().any(|sign| text.contains(sign))
}

/// Unpacks packages and what they depend on; no package script runs.
pub(crate) fn unpack(arch: Arch, suite: &str, packages: &[String], root: &Path) -> Result<()> {
    // mmdebstrap wants to make the folder's contents itself, and accepts an empty one.
    let mut child = Command::new("mmdebstrap")
        .args(["--variant=extract", "--skip=check/qemu"])
        .arg(format!("--architectures={}", arch.row().debian))
        .arg(format!("--include={}", packages.join(",")))
        .args(apt::age_rules()?.iter().map(|rule| format!("--aptopt={}", apt_line(rule))))
        .args([suite.as_ref(), root.as_os_str(), "-".as_ref()])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start mmdebstrap; `cargo xtask setup` installs it")?;
    let mut stdin = child.stdin.take().context("mmdebstrap has no standard input")?;
    std::io::Write::write_all(&mut stdin, apt::source(suite)?.as_bytes())?;
    drop(stdin);
    let out = child.wait_with_output()?;
    if !out.status.success() {
        bail!("mmdebstrap failed: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

/// `Name=value` in the syntax of an apt configuration file.
pub(crate) fn apt_line(rule: &str) -> String {
    let (name, value) = rule.split_once('=').unwrap_or((rule, ""));
    format!("{name} \"{value}\"")
}

/// Does what installation scripts would have done, as far as programs need it.
fn finish(recipe: &Recipe, root: &Path) -> Result<()> {
    for (link, target) in &recipe.links {
        let path = root.join(link);
        if fs::symlink_metadata(&path).is_err() {
            symlink(target, &path).with_context(|| format!("cannot link {link}"))?;
        }
    }
    for (name, text) in &recipe.files {
        // A link (resolv.conf may be one) must not be written through.
        let _ = fs::remove_file(root.join(name));
        fs::write(root.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    for (name, source) in &recipe.copies {
        fs::copy(root.join(source), root.join(name))
            .with_context(|| format!("cannot copy {source}"))?;
    }
    // A sysroot without these would fail in every program, with a message about something else.
    for name in ["bin/sh", "usr/bin/awk", "usr/bin/cc", "lib", "etc/passwd"] {
        let path = root.join(name);
        if !path.exists() {
            bail!("the unpacked packages leave {name} missing or dangling");
        }
    }
    Ok(())
}

/// `cargo xtask sysroot`: makes it and prints where it is.
pub(crate) fn print(arch: Arch, large: bool, extra: &[String], suite: Option<&str>) -> Result<()> {
    let sets: &[&str] = if large { &["base", "large"] } else { &["base"] };
    println!("{}", ensure(arch, sets, extra, suite)?.path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_reads_and_keys_differ() {
        let r = recipe().expect("sysroot.toml reads");
        let key = |arch, suite: &str| place(&r, arch, &["base"], &[], suite).expect("place").0.key;
        assert_ne!(key(Arch::Riscv64, "trixie"), key(Arch::Riscv64, "forky"));
        assert_ne!(key(Arch::Riscv64, "trixie"), key(Arch::Aarch64, "trixie"));
    }

    #[test]
    fn only_a_refused_index_lets_the_next_suite_in() {
        let bad = anyhow::anyhow!("Failed to fetch x/Packages.xz File has unexpected size");
        let other = anyhow::anyhow!("Failed to fetch pool/b/bash.deb Hash Sum mismatch");
        assert!(is_bad_index(&bad) && !is_bad_index(&other));
    }
}
