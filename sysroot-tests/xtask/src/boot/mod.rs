//! `cargo xtask boot`: machines that boot distribution kernels, under remu or under qemu-system.

mod compare;
mod console;
mod pieces;
mod root;
mod row;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use self::console::Console;
use self::row::{Boot, Step};
use crate::arch::Arch;
use crate::{cache, direct, oracle};

/// Options of `cargo xtask boot`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Guest architecture; every one that has rows when left out.
    #[arg(long)]
    arch: Option<Arch>,
    /// What emulates the machine.
    #[arg(long, value_enum, default_value = "remu")]
    runner: Runner,
    /// Only boots whose name contains this.
    #[arg(long)]
    filter: Option<String>,
    /// Those that take minutes as well. A filter that names one has it run in any case.
    #[arg(long)]
    long: bool,
    /// Runs those that measure something, under both runners in turn, and prints a table.
    #[arg(long)]
    compare: bool,
    /// With `--compare`: how often; the best of each counts.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Only with this number of processors.
    #[arg(long)]
    cpus: Option<u32>,
    /// The folder that holds `remu-system-<arch>`; default: the release build of this checkout.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Further options for the emulator.
    #[arg(last = true)]
    extra: Vec<String>,
}

/// What emulates the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Runner {
    /// This project's emulator.
    Remu,
    /// The newest qemu-system that Debian serves, which proves the rows.
    Qemu,
}

/// Runs the boots; an error if one fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let logs = cache::target().join("boot");
    fs::create_dir_all(&logs)?;
    let wanted = |b: &Boot| {
        options.arch.is_none_or(|a| a == b.arch)
            && options.filter.as_ref().is_none_or(|f| b.name.contains(f.as_str()))
            && (!b.long || options.long || options.filter.is_some())
            && b.compare == options.compare
    };
    if options.compare {
        return compare::run(options, wanted);
    }
    let (mut passed, mut failed) = (0, 0);
    let rows = row::all()?;
    for boot in rows.boots.iter().filter(|b| wanted(b)) {
        let pieces = pieces::ensure(boot, &rows.roots)?;
        for &cpus in boot.cpus.iter().filter(|&&c| options.cpus.is_none_or(|o| o == c)) {
            let name = format!("{}-{}-{cpus}", boot.arch, boot.name);
            let log = logs.join(format!("{name}.log"));
            match one(options, options.runner, boot, &pieces, cpus, &log) {
                Ok(run) => {
                    passed += 1;
                    println!("ok      {name}: {}", run.times.join(", "));
                }
                Err(error) => {
                    failed += 1;
                    println!("FAILED  {name}: {error:#}\n        {}", log.display());
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 || passed == 0 {
        bail!("{failed} boots failed, {passed} passed");
    }
    Ok(())
}

/// The short boots, as they are.
pub(crate) fn short() -> Result<()> {
    run(&Options {
        arch: None,
        runner: Runner::Remu,
        filter: None,
        long: false,
        compare: false,
        runs: 1,
        cpus: None,
        bin: None,
        extra: Vec::new(),
    })
}

fn emulator(options: &Options, runner: Runner, arch: Arch) -> Result<Command> {
    if runner == Runner::Qemu {
        return oracle::system(arch);
    }
    let bin = options.bin.clone().map_or_else(direct::release, Ok)?;
    let path = bin.join(format!("remu-system-{arch}"));
    if !path.is_file() {
        bail!("{} does not exist", path.display());
    }
    Ok(Command::new(path))
}

/// What a run has shown.
#[derive(Default)]
struct Run {
    /// What was reached when.
    times: Vec<String>,
    figures: Vec<Figure>,
}

/// Something that was measured.
struct Figure {
    name: String,
    value: f64,
    /// More is better; else it is seconds.
    rate: bool,
}

/// One run.
fn one(
    options: &Options,
    runner: Runner,
    boot: &Boot,
    pieces: &pieces::Pieces,
    cpus: u32,
    log: &Path,
) -> Result<Run> {
    let disk = log.with_extension("disk");
    if let Some(size) = &boot.disk {
        pieces::disk(size, &disk)?;
    }
    let port = serve("hello from the host\n")?;
    let root = pieces.root.clone().unwrap_or_default();
    let fill = |text: &str| {
        text.replace("{disk}", &disk.display().to_string())
            .replace("{root}", &root.display().to_string())
            .replace("{cpus}", &cpus.to_string())
            .replace("{port}", &port.to_string())
    };
    let mut command = emulator(options, runner, boot.arch)?;
    command.args(["-M", "virt", "-nographic", "-no-reboot", "-m", &boot.memory]);
    command.args(["-smp", &cpus.to_string()]);
    if !boot.append.is_empty() {
        command.args(["-append", &boot.append]);
    }
    let files =
        [("-kernel", &pieces.kernel), ("-initrd", &pieces.initrd), ("-bios", &pieces.firmware)];
    for (option, file) in files {
        if let Some(file) = file {
            command.arg(option).arg(file);
        }
    }
    command.args(boot.args.iter().map(|a| fill(a))).args(&options.extra);
    let mut console = Console::start(&mut command, log, Duration::from_secs(boot.timeout))?;
    let mut run = Run::default();
    let result = steps(&mut console, boot, &fill, &mut run);
    let _ = fs::remove_file(disk);
    result.with_context(|| format!("the last lines were:\n{}\n       ", console.tail()))?;
    Ok(run)
}

fn steps(
    console: &mut Console,
    boot: &Boot,
    fill: &impl Fn(&str) -> String,
    run: &mut Run,
) -> Result<()> {
    let mut expected = 0;
    let mut typed = false;
    for step in &boot.steps {
        let mut figure = |name: &str, value, rate| {
            run.figures.push(Figure { name: name.to_string(), value, rate });
        };
        match step {
            Step::Expect(text) => {
                console.expect(&fill(text))?;
                // The first ones are milestones of the boot; the others follow keys.
                if !typed {
                    run.times.push(format!("{} {:.2} s", text.trim(), console.seconds()));
                }
            }
            Step::Send(text) => console.send(&fill(text))?,
            Step::Time(t) => {
                let start = console.seconds();
                console.send(&fill(&t.send))?;
                console.expect(&fill(&t.expect))?;
                figure(&t.name, console.seconds() - start, false);
            }
            Step::Rate(t) => {
                console.send(&fill(&t.send))?;
                console.expect(&fill(&t.expect))?;
                figure(&t.name, console.number()?, true);
            }
            Step::Since(t) => {
                console.expect(&fill(&t.expect))?;
                figure(&t.name, console.seconds(), false);
            }
            Step::End(status) => expected = *status,
        }
        typed |= matches!(step, Step::Send(_) | Step::Time(_) | Step::Rate(_));
    }
    let status = console.finish()?;
    if status != expected {
        bail!("exit status {status}, not {expected}");
    }
    run.times.push(format!("end {:.2} s", console.seconds()));
    Ok(())
}

/// Serves one text by HTTP on a port of this machine, to whoever asks while the process lives.
fn serve(text: &'static str) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let len = text.len();
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {len}\r\n\r\n");
            let _ = stream.write_all((head + text).as_bytes());
        }
    });
    Ok(port)
}
