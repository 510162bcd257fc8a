//! Development commands: sysroots, checks, benchmarks.

mod apt;
mod arch;
mod cache;
mod cmd;
mod jail;
mod oracle;
mod programs;
mod setup;
mod sysroot;

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
    /// Run real programs and compare output and exit status.
    Programs(programs::Options),
    /// First stage of running a program in a sysroot.
    #[command(hide = true)]
    JailOuter { spec: PathBuf },
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
        Command::JailOuter { spec } => jail::outer(&spec),
        Command::JailInner { spec } => jail::inner(&spec),
    }
}
