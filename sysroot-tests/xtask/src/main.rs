//! Development commands: sysroots, checks, benchmarks.

mod apt;
mod arch;
mod bench;
mod boot;
mod cache;
mod ci;
mod cmd;
mod direct;
mod fuzz;
mod hostile;
mod install;
mod jail;
mod oracle;
mod programs;
mod setup;
mod support;
mod sysroot;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::arch::Arch;

/// Development commands of remu.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the tools the checks need (Debian, as root), or say what is missing.
    Setup,
    /// Make a sysroot of Debian packages in the cache and print where it is.
    Sysroot {
        /// Whose programs.
        arch: Arch,
        /// Also the large language packages that some benchmarks use.
        #[arg(long)]
        large: bool,
        /// Further packages; the result is a sysroot of its own.
        #[arg(long, value_delimiter = ',')]
        packages: Vec<String>,
        /// Debian suite, instead of the first usable one of sysroot.toml.
        #[arg(long)]
        suite: Option<String>,
    },
    /// Fetch the newest qemu-user that Debian serves and print path and version.
    Oracle,
    /// Run a program of a sysroot under remu: everything it needs is made when missing.
    Run {
        /// Guest architecture.
        arch: Arch,
        /// Program, as a path inside the sysroot, and its arguments.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
    /// Compare random instructions with qemu-user.
    Differential {
        /// Guest architecture.
        arch: Arch,
        /// Instances per row.
        #[arg(long, default_value_t = 200)]
        count: usize,
        /// Names the run.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only rows whose name contains this.
        #[arg(long)]
        row: Option<String>,
    },
    /// Run real programs and compare output and exit status.
    Programs(programs::Options),
    /// Install Debian for the guest with all its scripts, the kernel starting the runner; takes minutes.
    Install(install::Options),
    /// Run broken programs, which must end in a clear message.
    BadInput {
        /// Guest architecture.
        arch: Arch,
        /// Randomly broken files beside the fixed ones.
        #[arg(long, default_value_t = 300)]
        rounds: usize,
        /// Names the random files.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The folder that holds `remu-user-<arch>`; default: the release build of this checkout.
        #[arg(long)]
        bin: Option<PathBuf>,
    },
    /// Make random system calls with hostile arguments, which must not break the runner.
    Hostile {
        /// Guest architecture.
        arch: Arch,
        /// How long.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// Names the calls.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The folder that holds `remu-user-<arch>`; default: the release build of this checkout.
        #[arg(long)]
        bin: Option<PathBuf>,
    },
    /// Write the table of system calls beside qemu-user's, syscalls/SUPPORT.md.
    Support {
        /// The folder that holds `remu-user-<arch>`; default: the release build of this checkout.
        #[arg(long)]
        bin: Option<PathBuf>,
    },
    /// Time native, qemu and remu over the work list and write the table.
    Bench(bench::Options),
    /// Boot machines and talk to their consoles.
    Boot(boot::Options),
    /// Check dependencies between crates, unsafe code, file length and the like.
    CheckTree,
    /// Every check of the project: the test command of README.md.
    Ci {
        /// Only the stage of this name.
        #[arg(long)]
        stage: Option<String>,
    },
    /// First stage of running a program in a sysroot.
    #[command(hide = true)]
    JailOuter { spec: PathBuf },
    /// Second stage of `install`.
    #[command(hide = true)]
    InstallInner { plan: PathBuf },
    /// Second stage of running a program in a sysroot.
    #[command(hide = true)]
    JailInner { spec: PathBuf },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Cli::parse().command {
        Command::Setup => setup::run(),
        Command::Sysroot { arch, large, packages, suite } => {
            sysroot::print(arch, large, &packages, suite.as_deref())
        }
        Command::Oracle => oracle::print(),
        Command::Programs(options) => programs::run(&options),
        Command::BadInput { arch, rounds, seed, bin } => fuzz::bad_input(arch, rounds, seed, bin),
        Command::Install(options) => install::run(&options),
        Command::InstallInner { plan } => install::inner(&plan),
        Command::Hostile { arch, seconds, seed, bin } => hostile::run(arch, seconds, seed, bin),
        Command::Support { bin } => support::run(bin),
        Command::Bench(options) => bench::run(&options),
        Command::Boot(options) => boot::run(&options),
        Command::Run { arch, program } => direct::run(arch, &program),
        Command::Differential { arch, count, seed, row } => {
            direct::differential(arch, count, seed, row.as_deref())
        }
        Command::CheckTree => tree::run(),
        Command::Ci { stage } => ci::run(stage.as_deref()),
        Command::JailOuter { spec } => jail::outer(&spec),
        Command::JailInner { spec } => jail::inner(&spec),
    }
}
