//! Disks with an installed system: packages set up by the guest's own maintainer scripts.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::row::Root;
use crate::arch::Arch;
use crate::install::System;
use crate::programs;
use crate::{cache, cmd};

/// The image of a root, made when missing. The independent user-mode emulator runs the guest's programs meanwhile.
pub(super) fn ensure(arch: Arch, root: &Root) -> Result<PathBuf> {
    let key = cache::hash(format!("{root:?}"), 12);
    let name = format!("root-{}-{arch}-{}-{key}", super::pieces::SUITE, root.name);
    let dir = cache::root()?.join("boot").join(name);
    let image = dir.join("image");
    cache::ensure_dir(&dir, |part| {
        eprintln!("installing the root '{}' for {arch}; this takes minutes", root.name);
        let tree = part.join("tree");
        let system = System {
            arch,
            runner: Some(programs::qemu(arch)?),
            suite: super::pieces::SUITE.into(),
            variant: root.variant.clone(),
            include: root.packages.clone(),
            root: tree.clone(),
            script: root.setup.clone(),
            arguments: Vec::new(),
        };
        system.make(&part.join("plan"))?;
        let mut make = Command::new("mke2fs");
        // Nothing is left for the guest's kernel to fill in.
        make.args([
            "-q",
            "-t",
            "ext4",
            "-L",
            "root",
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
            "-d",
        ]);
        make.arg(&tree).arg(part.join("image")).arg(&root.size);
        cmd::run(&mut make).context("cannot make a file system")?;
        cache::remove_tree(&tree)
    })?;
    Ok(image)
}
