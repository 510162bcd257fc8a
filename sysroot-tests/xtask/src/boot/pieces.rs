//! What a machine boots from: packages of the guest, and an initial file system made of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::row::{Boot, Piece, Root};
use crate::arch::Arch;
use crate::{apt, cache, cmd};

/// Debian's suite that machines boot.
pub(super) const SUITE: &str = "trixie";

/// Files to boot from.
pub(super) struct Pieces {
    pub(super) kernel: Option<PathBuf>,
    pub(super) firmware: Option<PathBuf>,
    pub(super) initrd: Option<PathBuf>,
    pub(super) root: Option<PathBuf>,
}

/// Makes everything that is missing.
pub(super) fn ensure(boot: &Boot, roots: &[Root]) -> Result<Pieces> {
    let tree = boot.kernel.as_ref().map(|name| kernel(boot.arch, name)).transpose()?;
    let mut kernel = match &tree {
        Some(tree) => Some(find(&tree.join("boot"), "vmlinu")?),
        None => None,
    };
    if let Some(image) = &boot.image {
        kernel = Some(piece(boot.arch, image)?);
    }
    let firmware = boot.firmware.as_ref().map(|f| piece(boot.arch, f)).transpose()?;
    let initrd = match &tree {
        Some(tree) if !boot.packages.is_empty() => Some(initrd(boot, tree)?),
        _ => None,
    };
    let root = boot.root.as_ref().map(|name| -> Result<PathBuf> {
        let root = roots.iter().find(|r| r.name == *name);
        super::root::ensure(boot.arch, root.with_context(|| format!("there is no root {name}"))?)
    });
    Ok(Pieces { kernel, firmware, initrd, root: root.transpose()? })
}

/// A file of a package.
fn piece(arch: Arch, piece: &Piece) -> Result<PathBuf> {
    let path = package(arch, &piece.package)?.join(&piece.file);
    if !path.is_file() {
        bail!("package {} has no {}", piece.package, piece.file);
    }
    Ok(path)
}

/// The first file in `dir` whose name begins so.
fn find(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let files = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut found = files.filter_map(|f| Some(f.ok()?.path()));
    let named =
        |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix));
    found.find(named).with_context(|| format!("{} has no {prefix}*", dir.display()))
}

/// A package, unpacked in the cache.
fn package(arch: Arch, name: &str) -> Result<PathBuf> {
    let dir = cache::root()?.join("boot").join(format!("{SUITE}-{arch}-{name}"));
    cache::ensure_dir(&dir, |part| {
        eprintln!("fetching {name} for {arch} from Debian {SUITE}");
        let (deb, _) = apt::download(SUITE, arch.row().debian, name, part)?;
        cmd::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(part))?;
        Ok(fs::remove_file(deb)?)
    })?;
    Ok(dir)
}

/// The kernel that a package of Debian's depends on, which changes its name with every version.
fn kernel(arch: Arch, meta: &str) -> Result<PathBuf> {
    let dir = cache::root()?.join("boot").join(format!("{SUITE}-{arch}-{meta}"));
    cache::ensure_dir(&dir, |part| {
        eprintln!("fetching {meta} for {arch} from Debian {SUITE}");
        let (deb, _) = apt::download(SUITE, arch.row().debian, meta, part)?;
        let depends = cmd::output(Command::new("dpkg-deb").arg("-f").arg(&deb).arg("Depends"))?;
        fs::remove_file(deb)?;
        let names = depends.split([',', ' ', '(']).map(str::trim);
        let real = names.into_iter().find(|n| n.starts_with("linux-image-"));
        let real = real.with_context(|| format!("{meta} depends on no kernel: {depends}"))?;
        let (deb, _) = apt::download(SUITE, arch.row().debian, real, part)?;
        cmd::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(part))?;
        Ok(fs::remove_file(deb)?)
    })?;
    Ok(dir)
}

/// The first program: it mounts what a shell wants and loads the modules. Then it becomes a shell on the console, or
/// starts the system on the disk that the kernel's command line names.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mkdir -p /proc /sys /dev /tmp /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
echo reached init
while read -r module; do insmod \"/modules/$module\"; done </modules/list
disk=$(sed -n 's/.*root=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
if [ -n \"$disk\" ]; then
    mkdir /disk
    mount \"$disk\" /disk
    umount /proc /sys
    mount --move /dev /disk/dev
    exec switch_root /disk /sbin/init
fi
cd /root
exec setsid cttyhack sh
";

/// What udhcpc calls when it has an address.
const UDHCPC: &str = "#!/bin/sh
[ \"$1\" = bound ] || exit 0
ip addr add \"$ip/$mask\" dev \"$interface\"
ip route add default via \"$router\"
";

fn initrd(boot: &Boot, kernel: &Path) -> Result<PathBuf> {
    let mut files: BTreeMap<String, (u32, Vec<u8>)> = BTreeMap::new();
    for name in &boot.packages {
        add_tree(&mut files, &package(boot.arch, name)?)?;
    }
    if let Some(busybox) = files.remove("usr/bin/busybox") {
        files.insert("bin/busybox".into(), busybox);
    }
    for source in &boot.programs {
        let program = fs::read(crate::bench::compiled(source, true, boot.arch)?)?;
        files.insert(format!("bin/{}", source.trim_end_matches(".c")), (0o100_755, program));
    }
    files.insert("init".into(), (0o100_755, INIT.into()));
    files.insert("udhcpc".into(), (0o100_755, UDHCPC.into()));
    let modules = find(&kernel.join("usr/lib/modules"), "")?.join("kernel");
    let mut list = String::new();
    for path in &boot.modules {
        let packed = modules.join(format!("{path}.ko.xz"));
        let out = Command::new("xz").arg("-dc").arg(&packed).output().context("cannot start xz")?;
        if !out.status.success() {
            bail!("cannot unpack {}", packed.display());
        }
        let name = format!("{}.ko", path.rsplit('/').next().unwrap_or(path));
        list += &format!("{name}\n");
        files.insert(format!("modules/{name}"), (0o100_644, out.stdout));
    }
    files.insert("modules/list".into(), (0o100_644, list.into()));
    let bytes = archive(&files);
    let name = format!("initrd-{}-{}-{}", boot.arch, boot.name, cache::hash(&bytes, 12));
    let path = cache::root()?.join("boot").join(name);
    if !path.is_file() {
        let part = path.with_extension(format!("part{}", std::process::id()));
        fs::write(&part, bytes)?;
        fs::rename(part, &path)?;
    }
    Ok(path)
}

/// The regular files below `bin` and `usr/bin` of an unpacked package.
fn add_tree(files: &mut BTreeMap<String, (u32, Vec<u8>)>, root: &Path) -> Result<()> {
    for dir in ["bin", "usr/bin"] {
        let Ok(list) = fs::read_dir(root.join(dir)) else { continue };
        for entry in list {
            let path = entry?.path();
            let meta = fs::symlink_metadata(&path)?;
            if meta.is_file() {
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                files.insert(name, (meta.mode(), fs::read(&path)?));
            }
        }
    }
    Ok(())
}

/// An archive in the form the kernel unpacks: cpio, "newc" (Linux's `driver-api/early-userspace/buffer-format`).
fn archive(files: &BTreeMap<String, (u32, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut number = 0u32;
    let mut add = |name: &str, mode: u32, device: (u32, u32), bytes: &[u8]| {
        number += 1;
        let fields = [
            number,
            mode,
            0,
            0,
            1,
            0,
            bytes.len() as u32,
            0,
            0,
            device.0,
            device.1,
            name.len() as u32 + 1,
            0,
        ];
        out.extend(b"070701");
        fields.iter().for_each(|f| out.extend(format!("{f:08x}").bytes()));
        out.extend(name.bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
    };
    let mut folders: Vec<&str> = vec!["dev"];
    for name in files.keys() {
        folders.extend(name.match_indices('/').map(|(at, _)| &name[..at]));
    }
    folders.sort_unstable();
    folders.dedup();
    folders.iter().for_each(|f| add(f, 0o040_755, (0, 0), &[]));
    add("dev/console", 0o020_600, (5, 1), &[]);
    for (name, (mode, bytes)) in files {
        add(name, *mode, (0, 0), bytes);
    }
    add("TRAILER!!!", 0, (0, 0), &[]);
    out
}

/// An empty disk of this size in a new file.
pub(super) fn disk(size: &str, path: &Path) -> Result<()> {
    let (digits, unit) = size.split_at(size.len().saturating_sub(1));
    let shift = match unit {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => bail!("'{size}' is not a size with a unit"),
    };
    let bytes = digits.parse::<u64>().context("size of a disk")? << shift;
    let file = fs::File::create(path)?;
    file.set_len(bytes)?;
    Ok(file.set_permissions(fs::Permissions::from_mode(0o600))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_hold_folders_before_files() {
        let files = BTreeMap::from([("a/b/c".to_string(), (0o100_644, b"xyz".to_vec()))]);
        let text = String::from_utf8_lossy(&archive(&files)).into_owned();
        let at = |name: &str| text.find(&format!("{name}\0")).expect("there");
        assert!(at("00000000a") < at("00000000a/b") && at("a/b") < at("a/b/c"));
        assert!(text.contains("xyz\0") && text.contains("TRAILER!!!"));
        assert_eq!(text.len() % 4, 0);
    }
}
