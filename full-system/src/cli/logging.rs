//! What `-d` and `-D` choose.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use env_logger::{Builder, Target};
use log::LevelFilter;

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

/// The text of `-d help`.
pub(super) fn help() -> String {
    let items = ITEMS.iter().map(|Item(name, _, about)| format!("  {name:<14} {about}\n"));
    std::iter::once("Items of -d:\n".to_string()).chain(items).collect()
}

/// Sets logging up: warnings, and all of the items, to standard error or the file.
///
/// # Errors
/// A sentence, for an unknown item or a file that cannot be made.
pub(super) fn start(items: &[String], file: Option<&Path>) -> Result<(), String> {
    let mut log = Builder::new();
    log.filter_level(LevelFilter::Warn).format(|line, r| writeln!(line, "{}", r.args()));
    for name in items.iter().flat_map(|i| i.split(',')).filter(|i| !i.is_empty()) {
        let item = ITEMS.iter().find(|i| i.0 == name);
        let Item(_, target, _) =
            item.ok_or_else(|| format!("-d: unknown item '{name}'; try -d help"))?;
        log.filter_module(target, LevelFilter::Trace);
    }
    if let Some(path) = file {
        let file = File::create(path).map_err(|e| format!("-D {}: {e}", path.display()))?;
        log.target(Target::Pipe(Box::new(file)));
    }
    // A second machine in one process, as in tests, goes on with the first one's.
    let _ = log.try_init();
    Ok(())
}
