//! The independent emulator that results are compared with: the newest qemu-user Debian serves.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::{apt, cache, cmd, sysroot};

/// Debian's suite with the newest versions.
const SUITE: &str = "sid";

/// Where qemu-user is unpacked, and its version.
pub(crate) struct Oracle {
    dir: PathBuf,
    /// Debian's version of the package.
    pub(crate) version: String,
}

impl Oracle {
    /// The statically linked emulator for a guest.
    pub(crate) fn binary(&self, guest: Arch) -> PathBuf {
        self.dir.join("usr/bin").join(format!("qemu-{guest}"))
    }
}

/// Unpacks qemu-user into the cache, unless it is there already.
pub(crate) fn fetch() -> Result<Oracle> {
    let dir = cache::root()?.join("oracle");
    cache::ensure_dir(&dir, |part| {
        eprintln!("fetching qemu-user from Debian {SUITE}");
        let (deb, version) = apt::download(SUITE, Arch::Native.row().debian, "qemu-user", part)?;
        cmd::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(part))?;
        fs::remove_file(deb)?;
        Ok(fs::write(part.join("version"), version)?)
    })?;
    let version = fs::read_to_string(dir.join("version")).context("the oracle's version file")?;
    Ok(Oracle { dir, version })
}

/// The emulator for `guest`, made ready when missing.
pub(crate) fn qemu(guest: Arch) -> Result<PathBuf> {
    let path = fetch()?.binary(guest);
    if !path.is_file() {
        bail!("the qemu-user package holds no {}", path.display());
    }
    Ok(path)
}

/// qemu-system for `guest`, made ready when missing: the newest one, on the libraries of its own suite.
pub(crate) fn system(guest: Arch) -> Result<Command> {
    let dir = cache::root()?.join("oracle-system");
    cache::ensure_dir(&dir, |part| {
        eprintln!("fetching qemu-system from Debian {SUITE}");
        let packages = ["qemu-system-riscv", "qemu-system-arm"].map(String::from);
        sysroot::unpack(Arch::Native, SUITE, &packages, part)
    })?;
    let program = dir.join("usr/bin").join(format!("qemu-system-{guest}"));
    if !program.is_file() {
        bail!("the qemu-system packages hold no {}", program.display());
    }
    let mut command = Command::new(dir.join("usr/lib64/ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(dir.join("usr/lib/x86_64-linux-gnu")).arg(program);
    command.arg("-L").arg(dir.join("usr/share/qemu"));
    Ok(command)
}

/// `cargo xtask oracle`: prints path and version for every guest.
pub(crate) fn print() -> Result<()> {
    let oracle = fetch()?;
    for &guest in Arch::GUESTS {
        let path = oracle.binary(guest);
        let said = cmd::output(Command::new(&path).arg("--version"))?;
        println!(
            "{}\t{}\t{}",
            path.display(),
            oracle.version,
            said.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}
