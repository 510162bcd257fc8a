//! The monitor's commands, one row each.

use crate::machine::Machine;

/// A command: name, what it is, what it does. The result is what is printed.
struct Row(&'static str, &'static str, fn(&Machine) -> String);

#[rustfmt::skip]
const COMMANDS: &[Row] = &[
    Row("help",             "list the commands",                     |_| help()),
    Row("quit",             "end the emulator",                      |m| { m.events().quit(0); String::new() }),
    Row("stop",             "stop the machine",                      |m| { m.stop(); String::new() }),
    Row("cont",             "go on",                                 |m| { m.cont(); String::new() }),
    Row("system_reset",     "start the machine anew",                |m| { m.reset(); String::new() }),
    Row("system_powerdown", "press the power button",                power_button),
    Row("info registers",   "registers of every processor",          |m| m.registers()),
    Row("info mtree",       "what lies at which physical addresses", |m| m.memory_tree()),
    Row("info qtree",       "the devices",                           |m| m.device_list()),
    Row("info status",      "whether the machine runs",              status),
    Row("info version",     "version of the emulator",               |_| concat!(env!("CARGO_PKG_VERSION"), "\n").into()),
];

/// Other spellings.
const ALIASES: &[(&str, &str)] =
    &[("q", "quit"), ("c", "cont"), ("s", "stop"), ("?", "help"), ("h", "help")];

/// Carries out a line.
pub(crate) fn run(machine: &Machine, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    if line.is_empty() {
        return String::new();
    }
    let name = ALIASES.iter().find(|a| a.0 == line).map_or(line.as_str(), |a| a.1);
    // QEMU's options to these say how much to print; there is one form here.
    let name = match name {
        "info registers -a" => "info registers",
        "info mtree -f" => "info mtree",
        other => other,
    };
    match COMMANDS.iter().find(|c| c.0 == name) {
        Some(Row(_, _, act)) => act(machine),
        None if name == "info" => COMMANDS
            .iter()
            .filter(|c| c.0.starts_with("info "))
            .map(|Row(name, about, _)| format!("{name} -- {about}\n"))
            .collect(),
        None => format!("unknown command: '{line}'\n"),
    }
}

fn power_button(machine: &Machine) -> String {
    if machine.press_power() { String::new() } else { "this board has no power button\n".into() }
}

fn help() -> String {
    COMMANDS.iter().map(|Row(name, about, _)| format!("{name} -- {about}\n")).collect()
}

fn status(machine: &Machine) -> String {
    format!("VM status: {}\n", if machine.is_running() { "running" } else { "paused" })
}
