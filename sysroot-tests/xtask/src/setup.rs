//! `cargo xtask setup`: the tools the checks need, from the machine's own archive.

use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::Uid;

use crate::cmd;

/// A program the checks start, and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

#[rustfmt::skip]
const TOOLS: &[Tool] = &[
    Tool { program: "gcc",                        package: "gcc" },
    Tool { program: "objdump",                    package: "binutils" },
    Tool { program: "gdb-multiarch",              package: "gdb-multiarch" },
    Tool { program: "mmdebstrap",                 package: "mmdebstrap" },
    Tool { program: "mke2fs",                     package: "e2fsprogs" },
    Tool { program: "xz",                         package: "xz-utils" },
    Tool { program: "ip",                         package: "iproute2" },
    Tool { program: "dpkg-deb",                   package: "dpkg" },
    Tool { program: "riscv64-linux-gnu-gcc",      package: "gcc-riscv64-linux-gnu" },
    Tool { program: "riscv64-linux-gnu-g++",      package: "g++-riscv64-linux-gnu" },
    Tool { program: "riscv64-linux-gnu-objdump",  package: "binutils-riscv64-linux-gnu" },
    Tool { program: "aarch64-linux-gnu-gcc",      package: "gcc-aarch64-linux-gnu" },
    Tool { program: "aarch64-linux-gnu-g++",      package: "g++-aarch64-linux-gnu" },
    Tool { program: "qemu-aarch64-static",        package: "qemu-user-static" },
    Tool { program: "aarch64-linux-gnu-objdump",  package: "binutils-aarch64-linux-gnu" },
];

/// As [`run`], without a word if nothing is missing.
pub(crate) fn run_quietly() -> Result<()> {
    if missing().is_empty() { Ok(()) } else { run() }
}

/// Packages of the tools that are not on the search path.
fn missing() -> Vec<&'static str> {
    TOOLS.iter().filter(|t| !cmd::on_path(t.program)).map(|t| t.package).collect()
}

/// Installs what is missing when root; otherwise says what to install.
pub(crate) fn run() -> Result<()> {
    let missing: Vec<_> =
        TOOLS.iter().filter(|t| !cmd::on_path(t.program)).map(|t| t.package).collect();
    if missing.is_empty() {
        println!("setup: every tool is there");
        return Ok(());
    }
    if !Uid::effective().is_root() {
        bail!("these packages are missing; as root run: apt-get install {}", missing.join(" "));
    }
    println!("setup: installing {}", missing.join(" "));
    let apt = || {
        let mut c = Command::new("apt-get");
        c.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        c
    };
    // A list that is merely old may still do, so only the installation decides.
    if let Err(error) = cmd::run(apt().arg("update")) {
        eprintln!("setup: {error:#}; trying with the lists at hand");
    }
    cmd::run(apt().args(["install", "-y", "--no-install-recommends"]).args(&missing))?;
    // The cross compilers only recommend their C libraries, which programs need to link.
    let libs = ["libc6-dev", "libc6-dev-riscv64-cross", "libc6-dev-arm64-cross"];
    cmd::run(apt().args(["install", "-y", "--no-install-recommends"]).args(libs))?;
    let still: Vec<_> =
        TOOLS.iter().filter(|t| !cmd::on_path(t.program)).map(|t| t.program).collect();
    if !still.is_empty() {
        bail!("installed, yet not on the search path: {}", still.join(" "));
    }
    Ok(())
}
