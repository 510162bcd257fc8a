//! What `-d` and `-D` choose.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// An item of `-d`: name, log target, what it shows.
struct Item(&'static str, &'static str, &'static str);

#[rustfmt::skip]
const ITEMS: &[Item] = &[
    Item("guest_errors", "guest_errors", "what a guest does wrong to a device"),
    Item("unimp",        "unimp",        "what a guest asks for and remu lacks"),
    Item("int",          "int",          "exceptions and interrupts"),
    Item("mmu",          "mmu",          "page walks that fail"),
    Item("in_asm",       "remu::in_asm", "guest code, when it is translated"),
    Item("op",           "remu::op",     "its meaning in the translator's own terms"),
    Item("out_asm",      "remu::out_asm", "host code made from it"),
];

struct Logger {
    targets: Vec<&'static str>,
    file: Option<Mutex<File>>,
}

impl Log for Logger {
    fn enabled(&self, m: &Metadata<'_>) -> bool {
        m.level() <= Level::Warn || self.targets.iter().any(|t| m.target().starts_with(t))
    }

    fn log(&self, r: &Record<'_>) {
        if !self.enabled(r.metadata()) {
            return;
        }
        let line = format!("{}\n", r.args());
        // A log that cannot be written must not stop the guest.
        let _ = match &self.file {
            Some(file) => {
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
            }
            None => std::io::stderr().write_all(line.as_bytes()),
        };
    }

    fn flush(&self) {}
}

/// The text of `-d help`.
pub(super) fn help() -> String {
    let items = ITEMS.iter().map(|Item(name, _, about)| format!("  {name:<14} {about}\n"));
    std::iter::once("Items of -d:\n".to_string()).chain(items).collect()
}

/// Sets logging up.
///
/// # Errors
/// A sentence, for an unknown item or a file that cannot be made.
pub(super) fn start(items: &[String], file: Option<&Path>) -> Result<(), String> {
    let mut targets = Vec::new();
    for name in items.iter().flat_map(|i| i.split(',')).filter(|i| !i.is_empty()) {
        let known = ITEMS.iter().find(|i| i.0 == name);
        targets.push(known.ok_or_else(|| format!("-d: unknown item '{name}'; try -d help"))?.1);
    }
    let create = |path: &Path| {
        File::create(path).map(Mutex::new).map_err(|e| format!("-D {}: {e}", path.display()))
    };
    let file = file.map(create).transpose()?;
    let level = if targets.is_empty() { LevelFilter::Warn } else { LevelFilter::Trace };
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    if log::set_logger(LOGGER.get_or_init(|| Logger { targets, file })).is_ok() {
        log::set_max_level(level);
    }
    Ok(())
}
