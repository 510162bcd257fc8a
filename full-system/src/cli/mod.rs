//! The command line of `remu-system-<arch>`: QEMU's options with QEMU's meaning.

mod devices;
mod keyval;
mod logging;
mod options;
mod start;
mod table;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;

use table::{ROWS, boards, usage};

use options::Options;

/// What the command line asks for.
#[derive(Debug)]
enum Command {
    /// Start a machine.
    Run(Box<Options>),
    /// Print a text and end with status 0.
    Print(String),
}

/// The emulator for `guest`, from its command line to its end.
pub fn main(guest: &'static str) -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let name = args.first().map(std::path::Path::new).and_then(|p| p.file_name()?.to_str());
    let name = name.unwrap_or("remu-system").to_string();
    let result = parse(guest, &args).and_then(|command| match command {
        Command::Print(text) => {
            print!("{text}");
            Ok(0)
        }
        Command::Run(options) => start::run(guest, *options),
    });
    match result {
        Ok(status) => ExitCode::from(status as u8),
        Err(text) => {
            eprintln!("{name}: {text}");
            ExitCode::FAILURE
        }
    }
}

fn parse(guest: &str, args: &[OsString]) -> Result<Command, String> {
    let mut texts = Vec::new();
    for arg in args.iter().skip(1) {
        let text =
            arg.to_str().ok_or_else(|| format!("'{}' is not UTF-8", arg.to_string_lossy()))?;
        texts.push(text);
    }
    let program = args.first().map_or("remu-system".into(), |a| a.to_string_lossy().into_owned());
    let program = program.rsplit('/').next().unwrap_or_default();
    let mut o = Options { cpus: 1, ..Options::default() };
    let mut rest = texts.into_iter();
    while let Some(text) = rest.next() {
        let Some(name) = text.strip_prefix('-').filter(|n| !n.is_empty()) else {
            // A disk image by itself.
            (find("hda")?.apply)(&mut o, text).map_err(|e| format!("{text}: {e}"))?;
            continue;
        };
        let name = name.strip_prefix('-').unwrap_or(name);
        let row = find(name).map_err(|_| format!("unknown option '{text}'; try '{program} -h'"))?;
        let value = if row.arg.is_empty() {
            ""
        } else {
            rest.next().ok_or_else(|| format!("-{} needs an argument: {}", row.name, row.arg))?
        };
        (row.apply)(&mut o, value).map_err(|e| format!("-{}: {e}", row.name))?;
    }
    let is_help = |text: &str| ["help", "?"].contains(&text);
    if o.show_help {
        return Ok(Command::Print(usage(program, guest)));
    }
    if o.show_version {
        return Ok(Command::Print(format!("{program} version {}\n", env!("CARGO_PKG_VERSION"))));
    }
    if o.machine.as_deref().is_some_and(is_help) {
        return Ok(Command::Print(boards(guest)));
    }
    if o.devices.iter().any(|d| is_help(d)) {
        return Ok(Command::Print(devices::help()));
    }
    if o.cpu.as_deref().is_some_and(is_help) {
        return Ok(Command::Print(cpus(guest)));
    }
    if o.log_items.iter().any(|i| is_help(i)) {
        return Ok(Command::Print(logging::help()));
    }
    Ok(Command::Run(Box::new(o)))
}

fn find(name: &str) -> Result<&'static table::Row, String> {
    ROWS.iter().find(|r| r.name == name).ok_or_else(|| format!("no option -{name}"))
}

/// The text of `-cpu help`.
fn cpus(guest: &str) -> String {
    let models = remu_registry::by_name(guest).map_or(&[][..], |g| g.models);
    models.iter().map(|m| format!("{:<12} {}\n", m.name, m.about)).collect()
}
