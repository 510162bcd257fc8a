//! The cache folder: what is fetched or made once and kept outside the checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// `$REMU_TEST_CACHE`, else `$XDG_CACHE_HOME/remu`, else `~/.cache/remu`; made when missing.
pub(crate) fn root() -> Result<PathBuf> {
    let dir = match (std::env::var_os("REMU_TEST_CACHE"), std::env::var_os("XDG_CACHE_HOME")) {
        (Some(own), _) => PathBuf::from(own),
        (None, Some(xdg)) => PathBuf::from(xdg).join("remu"),
        (None, None) => {
            let home =
                std::env::var_os("HOME").context("neither REMU_TEST_CACHE nor HOME is set")?;
            PathBuf::from(home).join(".cache/remu")
        }
    };
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Where cargo builds: `$CARGO_TARGET_DIR`, else `target` in the checkout.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The first `digits` hexadecimal digits of the SHA-256 of `data`.
pub(crate) fn hash(data: impl AsRef<[u8]>, digits: usize) -> String {
    let digest = Sha256::digest(data.as_ref());
    let mut text: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    text.truncate(digits);
    text
}

/// Makes `dir` by calling `make` on a temporary sibling, once, however many processes ask.
///
/// A half-made folder is never seen under the final name: it is renamed when `make` has returned.
pub(crate) fn ensure_dir(dir: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().context("a cache entry needs a parent folder")?;
    fs::create_dir_all(parent)?;
    let lock = File::create(dir.with_extension("lock"))?;
    lock.lock().with_context(|| format!("cannot lock {}", dir.display()))?;
    if dir.is_dir() {
        return Ok(());
    }
    let part = dir.with_extension("part");
    remove_tree(&part)?;
    fs::create_dir_all(&part)?;
    if let Err(error) = make(&part) {
        remove_tree(&part)?;
        return Err(error);
    }
    fs::rename(&part, dir).with_context(|| format!("cannot rename to {}", dir.display()))
}

/// Removes a folder and everything below it, if it is there.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    // The manifest of this crate lies two folders below it.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_sha256() {
        assert_eq!(hash("abc", 16), "ba7816bf8f01cfea");
    }

    #[test]
    fn a_failed_make_leaves_nothing_behind() {
        let dir = std::env::temp_dir().join(format!("remu-cache-test-{}", std::process::id()));
        let entry = dir.join("entry");
        assert!(ensure_dir(&entry, |_| anyhow::bail!("no")).is_err());
        assert!(!entry.exists());
        ensure_dir(&entry, |part| Ok(fs::write(part.join("file"), "x")?)).expect("made");
        assert!(entry.join("file").exists());
        remove_tree(&dir).expect("removed");
    }
}
