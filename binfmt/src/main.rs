//! `remu-binfmt`: registers the runners with the kernel, and shows what is registered.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use remu_binfmt::{Change, Entry, Flags, Kernel, entry_name, magic, registration, runner_name};
use remu_isa::Guest;

/// Makes the kernel run other processors' programs with remu.
///
/// Flags of an entry: F opens the runner now, so that it serves chroots and containers that do not
/// hold it; P keeps the program's argv[0]; O hands programs over opened, so that they need not be
/// readable; C gives set-user-ID programs their privileges (and the runner with them).
#[derive(Parser)]
#[command(name = "remu-binfmt", version)]
struct Cli {
    /// Mount point of binfmt_misc.
    #[arg(long, default_value = "/proc/sys/fs/binfmt_misc", global = true)]
    directory: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register runners; changes only remu's own entries, and may be repeated.
    Register {
        /// Guests, or `all`.
        #[arg(required = true)]
        guests: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Remove remu's entries.
    Unregister {
        /// Guests, or `all`.
        #[arg(required = true)]
        guests: Vec<String>,
    },
    /// Show the kernel's entries for the guests remu knows, and what is wrong with them.
    Status,
    /// Print the lines for a file in /usr/lib/binfmt.d.
    Print {
        /// Guests, or `all`.
        #[arg(required = true)]
        guests: Vec<String>,
        #[command(flatten)]
        how: How,
    },
}

#[derive(clap::Args)]
struct How {
    /// Letters of F, P, O, C.
    #[arg(long, default_value = "FPOC")]
    flags: Flags,
    /// Directory of the runners; default: that of this program.
    #[arg(long)]
    runners: Option<PathBuf>,
}

impl How {
    fn runner(&self, guest: &Guest) -> Result<PathBuf> {
        let directory = match &self.runners {
            Some(d) => std::path::absolute(d)?,
            None => {
                let own = std::env::current_exe().context("where is this program?")?;
                own.parent().unwrap_or(Path::new("/")).to_owned()
            }
        };
        Ok(directory.join(runner_name(guest)))
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("remu-binfmt: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let kernel = Kernel::at(&cli.directory);
    match &cli.command {
        Command::Register { guests, how } => {
            kernel.mount()?;
            for guest in find(guests)? {
                let runner = how.runner(guest)?;
                let change = kernel.register(guest, &runner, how.flags)?;
                let name = entry_name(guest);
                match change {
                    Change::None => println!("{name}: registered already"),
                    Change::Replaced => println!("{name}: replaced, now {}", runner.display()),
                    _ => println!("{name}: {}", runner.display()),
                }
            }
            if !kernel.is_enabled()? {
                println!(
                    "all formats are switched off: write 1 to {}/status",
                    cli.directory.display()
                );
            }
        }
        Command::Unregister { guests } => {
            for guest in find(guests)? {
                let gone = kernel.is_mounted() && kernel.unregister(guest)? == Change::Removed;
                println!(
                    "{}: {}",
                    entry_name(guest),
                    if gone { "removed" } else { "was not there" }
                );
            }
        }
        Command::Status => return status(&kernel),
        Command::Print { guests, how } => {
            for guest in find(guests)? {
                let (magic, mask) = magic(guest);
                let line =
                    registration(&entry_name(guest), &magic, &mask, &how.runner(guest)?, how.flags);
                println!("{}", line.map_err(anyhow::Error::msg)?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The guests of a list of names.
fn find(names: &[String]) -> Result<Vec<&'static Guest>> {
    if names.iter().any(|n| n == "all") {
        return Ok(remu_registry::GUESTS.to_vec());
    }
    names
        .iter()
        .map(|name| {
            remu_registry::by_name(name).with_context(|| {
                let known: Vec<&str> = remu_registry::GUESTS.iter().map(|g| g.name).collect();
                format!("no guest '{name}'; there are: {}", known.join(", "))
            })
        })
        .collect()
}

/// Fails unless every guest has a working entry.
fn status(kernel: &Kernel) -> Result<ExitCode> {
    if !kernel.is_mounted() {
        bail!("binfmt_misc is not mounted at {}", kernel.directory().display());
    }
    if !kernel.is_enabled()? {
        println!("all formats are switched off");
    }
    let entries = kernel.entries()?;
    let mut good = true;
    for guest in remu_registry::GUESTS {
        let own = entry_name(guest);
        match entries.iter().find(|e| e.name == own) {
            Some(e) => {
                println!("{own}: {}", describe(e));
                good &= e.enabled && e.interpreter.is_file();
            }
            None => {
                println!("{own}: not registered");
                good = false;
            }
        }
        let head = magic(guest).0;
        for e in entries.iter().filter(|e| e.name != own && e.matches(&head)) {
            println!("  also for {}: {}: {}", guest.name, e.name, describe(e));
        }
    }
    println!("Of several entries for one guest the kernel takes the one registered last.");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(e: &Entry) -> String {
    let mut text = format!("{}, flags {}", e.interpreter.display(), e.flags);
    if !e.enabled {
        text += ", switched off";
    }
    if !e.interpreter.is_file() {
        text += if e.flags.fixed {
            ", the file is gone (the kernel still has it)"
        } else {
            ", the file is missing"
        };
    }
    text
}
