//! Where translations are kept between runs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use remu_engine::CacheOptions;

use crate::cli::Invocation;
use crate::mm::identity;

/// Most bytes in the folder.
const LIMIT: u64 = 2 << 30;
/// Opening and locking a file costs as much as translating a few regions.
const LEAST: usize = 4;

/// The settings of the engine's cache; `None` turns it off. A program that is executed gets the
/// same folder, whatever environment it is given.
pub(crate) fn options(guest: &str, model: &str, inv: &mut Invocation) -> Option<CacheOptions> {
    let folder = match inv.options.cache.take() {
        Some(dir) if dir == "off" => None,
        Some(dir) => std::path::absolute(dir).ok(),
        None => default_folder(),
    };
    hand_on(&mut inv.replay, folder.as_deref().map_or(OsStr::new("off"), Path::as_os_str));
    let mut build = identity(File::open("/proc/self/exe").ok()?.as_fd())?.to_le_bytes().to_vec();
    build.extend_from_slice(format!("\0{guest}\0{model}").as_bytes());
    Some(CacheOptions { folder: folder?, make: true, build, limit: LIMIT, least: LEAST })
}

/// Replaces the option among those for the next runner.
fn hand_on(replay: &mut Vec<OsString>, folder: &OsStr) {
    if let Some(n) = replay.iter().position(|a| a == "--cache" || a == "-cache") {
        replay.drain(n..replay.len().min(n + 2));
    }
    replay.extend(["--cache".into(), folder.to_owned()]);
}

/// `$XDG_CACHE_HOME/remu/translations`, or the same in `~/.cache` (XDG base directory
/// specification).
fn default_folder() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join(OsStr::new("remu/translations")))
}
