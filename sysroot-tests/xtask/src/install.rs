//! `cargo xtask install`: a whole Debian system of the guest's, installed by its own dpkg, apt and
//! maintainer scripts, which the kernel starts under the runner.
//!
//! Everything happens in a namespace whose binfmt_misc is its own, on the machine's network, and in a
//! folder of the cache that is gone afterwards.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::programs::{self, RunnerKind};
use crate::{apt, cache, cmd, jail, sysroot};

/// Options of `cargo xtask install`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Guest architecture; every guest when left out.
    #[arg(long)]
    arch: Option<Arch>,
    /// What runs the guest's programs.
    #[arg(long, value_enum, default_value = "remu")]
    runner: RunnerKind,
    /// The variant of mmdebstrap: minbase, important, standard, ...
    #[arg(long, default_value = "standard")]
    variant: String,
    /// Debian suite.
    #[arg(long, default_value = "trixie")]
    suite: String,
    /// Packages installed at once, by mmdebstrap.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "openssh-server,postgresql,emacs-nox,nginx"
    )]
    include: Vec<String>,
    /// Packages installed afterwards by the guest's apt-get, then removed by it.
    #[arg(long, value_delimiter = ',', default_value = "mariadb-server,default-jre-headless")]
    later: Vec<String>,
    /// The folder that holds `remu-user-<arch>`; default: the release build of this checkout.
    #[arg(long)]
    bin: Option<PathBuf>,
}

/// A system to be installed, and what its own programs do when it is there.
#[derive(Serialize, Deserialize)]
pub(crate) struct System {
    pub(crate) arch: Arch,
    pub(crate) runner: Option<jail::Runner>,
    /// Debian's suite.
    pub(crate) suite: String,
    /// The variant of mmdebstrap.
    pub(crate) variant: String,
    /// Packages beside those of the variant.
    pub(crate) include: Vec<String>,
    /// Where it goes.
    pub(crate) root: PathBuf,
    /// What its bash runs inside, and with which arguments.
    pub(crate) script: String,
    pub(crate) arguments: Vec<String>,
}

/// What the guest's own tools are asked once the system is there. Starting services is for a booted system.
const AFTER: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
whole() {
    test -z "$(dpkg --audit)" || { dpkg --audit; exit 1; }
    bad=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | grep -v '^ii' || true)
    test -z "$bad" || { echo "not installed: $bad"; exit 1; }
    apt-get -q check
    echo "$1: $(dpkg-query -W | wc -l) packages of $(dpkg --print-architecture), $(uname -m)"
}
whole "after mmdebstrap"
if [ $# -gt 0 ]; then
    apt-get -q update
    apt-get -q -y install "$@"
    whole "after apt-get install"
    ldconfig -p | wc -l
    dpkg --verify "$@"
    apt-get -q -y purge --autoremove "$@"
    whole "after apt-get purge"
fi
"#;

/// Installs for each guest asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let arches = match (options.runner, options.arch) {
        (_, Some(arch)) => vec![arch],
        (RunnerKind::Native, None) => vec![Arch::Native],
        (_, None) => Arch::GUESTS.to_vec(),
    };
    for arch in arches {
        let runner = match options.runner {
            RunnerKind::Native => None,
            RunnerKind::Qemu => Some(programs::qemu(arch)?),
            RunnerKind::Remu => Some(programs::remu(arch, options.bin.clone(), true)?),
        };
        let place = cache::root()?.join("installs").join(format!("{arch}-{}", std::process::id()));
        fs::create_dir_all(&place)?;
        let system = System {
            arch,
            runner,
            suite: options.suite.clone(),
            variant: options.variant.clone(),
            include: options.include.clone(),
            root: place.join("root"),
            script: AFTER.into(),
            arguments: options.later.clone(),
        };
        let start = Instant::now();
        let done = system.make(&place.join("plan"));
        cache::remove_tree(&place)?;
        done?;
        println!("install: {arch} done in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

impl System {
    /// Installs it, in namespaces of its own, whose first process reads `file`.
    pub(crate) fn make(&self, file: &Path) -> Result<()> {
        fs::write(file, serde_json::to_vec(self)?)?;
        cmd::run(Command::new(std::env::current_exe()?).arg("install-inner").arg(file))
    }
}

/// In namespaces of its own: registers the runner and installs.
pub(crate) fn inner(file: &Path) -> Result<()> {
    let plan: System = serde_json::from_slice(&fs::read(file)?)?;
    if std::process::id() != 1 {
        jail::enter(CloneFlags::empty())?;
        let again =
            Command::new(std::env::current_exe()?).arg("install-inner").arg(file).status()?;
        std::process::exit(again.code().unwrap_or(1));
    }
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .context("cannot make mounts private")?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), NONE)
        .context("cannot mount proc")?;
    plan.runner.as_ref().map_or(Ok(()), jail::register_in_place)?;
    debootstrap(&plan)?;
    let mut after = Command::new("chroot");
    after.arg(&plan.root).args(["/bin/bash", "-c", &plan.script, "bash"]).args(&plan.arguments);
    for sub in ["proc", "dev"] {
        let (from, kind) = if sub == "proc" { ("proc", Some("proc")) } else { ("/dev", NONE) };
        let flags =
            if sub == "proc" { MsFlags::empty() } else { MsFlags::MS_BIND | MsFlags::MS_REC };
        mount(Some(from), &plan.root.join(sub), kind, flags, NONE)
            .with_context(|| format!("cannot mount {sub} inside"))?;
    }
    // The address book of the machine's network.
    fs::copy("/etc/resolv.conf", plan.root.join("etc/resolv.conf"))?;
    cmd::run(&mut after)
}

fn debootstrap(plan: &System) -> Result<()> {
    let mut command = Command::new("mmdebstrap");
    command.args(["--mode=root", "--skip=check/qemu"]);
    command.arg(format!("--variant={}", plan.variant));
    command.arg(format!("--architectures={}", plan.arch.row().debian));
    if !plan.include.is_empty() {
        command.arg(format!("--include={}", plan.include.join(",")));
    }
    for rule in apt::age_rules()? {
        command.arg(format!("--aptopt={}", sysroot::apt_line(&rule)));
    }
    command.args([plan.suite.as_ref(), plan.root.as_os_str(), "-".as_ref()]);
    let mut child = command.stdin(Stdio::piped()).spawn().context("cannot start mmdebstrap")?;
    let mut stdin = child.stdin.take().context("mmdebstrap has no standard input")?;
    stdin.write_all(apt::source(&plan.suite)?.as_bytes())?;
    drop(stdin);
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", cmd::shown(&command));
    }
    Ok(())
}
