//! The Debian archive: which mirror this machine uses, and single packages from it.
//!
//! Everything here goes through apt with signatures checked; nothing is fetched another way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, cmd};

/// The keys Debian signs its suites with; also on Debian derivatives as `debian-archive-keyring`.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The address of the Debian archive this machine is configured for (`REMU_MIRROR` overrides).
pub(crate) fn mirror() -> Result<String> {
    if let Ok(own) = std::env::var("REMU_MIRROR") {
        return Ok(own);
    }
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename =
        release.lines().find_map(|l| l.strip_prefix("VERSION_CODENAME=")).unwrap_or("sid");
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(dir) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(dir.filter_map(|e| Some(e.ok()?.path())));
    }
    let texts = files.iter().filter_map(|f| Some((f, fs::read_to_string(f).ok()?)));
    for (file, text) in texts {
        let deb822 = file.extension().is_some_and(|x| x == "sources");
        let found =
            if deb822 { from_deb822(&text, codename) } else { from_one_line(&text, codename) };
        if let Some(uri) = found {
            return Ok(uri);
        }
    }
    bail!(
        "no apt source for Debian {codename} found under /etc/apt; set REMU_MIRROR to a Debian mirror"
    )
}

/// The first address in deb822 text whose stanza offers `codename` with component `main`.
fn from_deb822(text: &str, codename: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza| {
        let field = |name: &str| {
            let lines = stanza.lines().filter(|l| !l.starts_with('#'));
            lines.filter_map(|l| l.split_once(':')).find(|(n, _)| *n == name).map(|(_, v)| v.trim())
        };
        let has = |name: &str, word: &str| {
            field(name).is_some_and(|v| v.split_whitespace().any(|w| w == word))
        };
        let fits = has("Types", "deb") && has("Suites", codename) && has("Components", "main");
        if fits { Some(field("URIs")?.split_whitespace().next()?.to_string()) } else { None }
    })
}

/// The first address in one-line-style text that offers `codename` with component `main`.
fn from_one_line(text: &str, codename: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
        let mut words = rest.split_whitespace();
        let uri = words.next()?;
        (words.next()? == codename && words.any(|w| w == "main")).then(|| uri.to_string())
    })
}

/// A deb822 source for one suite of the Debian archive.
pub(crate) fn source(suite: &str) -> Result<String> {
    Ok(format!(
        "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n",
        mirror()?
    ))
}

/// This machine's own rules on the age of an archive's index, as `Name=value` for apt.
///
/// A tool that starts apt with a configuration of its own must be told them: a machine whose mirror is a
/// snapshot says that an index may be old. Nothing is loosened here; signatures and hashes always count.
pub(crate) fn age_rules() -> Result<Vec<String>> {
    let dump = cmd::output(Command::new("apt-config").args(["dump", "--format", "%F=%v%n"]))?;
    let names = ["Acquire::Check-Valid-Until=", "Acquire::Check-Date="];
    Ok(dump
        .lines()
        .filter(|l| names.iter().any(|n| l.starts_with(n)))
        .map(str::to_string)
        .collect())
}

/// Fetches the newest `package` of `suite` for Debian architecture `arch` into `dir`; returns file and version.
///
/// Uses an apt tree of its own, so the machine's package lists stay as they are.
pub(crate) fn download(
    suite: &str,
    arch: &str,
    package: &str,
    dir: &Path,
) -> Result<(PathBuf, String)> {
    let tree = cache::root()?.join(format!("apt-{suite}-{arch}"));
    for sub in
        ["etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial"]
    {
        fs::create_dir_all(tree.join(sub))?;
    }
    fs::write(tree.join("etc/debian.sources"), source(suite)?)?;
    fs::write(tree.join("state/status"), "")?;
    let apt = |program: &str| {
        let mut c = Command::new(program);
        let path = |sub: &str| tree.join(sub).display().to_string();
        for (key, value) in [
            ("APT::Architecture", arch.to_string()),
            ("APT::Architectures", arch.to_string()),
            ("Dir::Etc", path("etc")),
            ("Dir::Etc::SourceList", path("etc/debian.sources")),
            ("Dir::Etc::SourceParts", "/dev/null".to_string()),
            ("Dir::State", path("state")),
            ("Dir::State::Status", path("state/status")),
            ("Dir::Cache", path("cache")),
            ("Acquire::Languages", "none".to_string()),
            ("APT::Update::Error-Mode", "any".to_string()),
            ("APT::Sandbox::User", "root".to_string()),
        ] {
            c.arg("-o").arg(format!("{key}={value}"));
        }
        c.current_dir(dir);
        c
    };
    cmd::output(apt("apt-get").args(["-q", "update"]))?;
    cmd::output(apt("apt-get").args(["-q", "download", package]))?;
    let policy = cmd::output(apt("apt-cache").args(["show", "--no-all-versions", package]))?;
    let version = policy
        .lines()
        .find_map(|l| l.strip_prefix("Version: "))
        .context("package has no version")?;
    let deb = fs::read_dir(dir)?.filter_map(|e| Some(e.ok()?.path()));
    let deb = deb.into_iter().find(|p| p.extension().is_some_and(|x| x == "deb"));
    Ok((deb.context("apt-get download left no file")?, version.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deb822_takes_the_stanza_of_the_release() {
        let text = "Types: deb\nURIs: http://a/security\nSuites: x-security\nComponents: main\n\n\
                    Types: deb\n# URIs: http://c\nURIs: http://b/debian\nSuites: x x-updates\nComponents: main\n";
        assert_eq!(from_deb822(text, "x").as_deref(), Some("http://b/debian"));
        assert_eq!(from_deb822(text, "y"), None);
    }

    #[test]
    fn one_line_skips_options_and_other_components() {
        let text = "# deb http://no x main\ndeb http://z x contrib\ndeb [arch=amd64 signed-by=/k] http://b/debian x main\n";
        assert_eq!(from_one_line(text, "x").as_deref(), Some("http://b/debian"));
    }
}
