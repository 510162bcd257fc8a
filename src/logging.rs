//! Log lines of `-d`, strace text and reports: to standard error or the file of `-D`.
//!
//! Not `env_logger`, which whole machines use: it writes under a lock, and a guest forks while other
//! threads of its write, so that the child would wait for a lock whose holder it does not have.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// An item of `-d`: name, log target, what it shows.
struct Item(&'static str, &'static str, &'static str);

#[rustfmt::skip]
const ITEMS: &[Item] = &[
    Item("page", "remu::mm", "the guest's mappings when it starts"),
    Item("elf", "remu::elf", "what was loaded where"),
    Item("int", "remu::signal", "signals delivered to the guest"),
    Item("signal", "remu::signal", "the same"),
    Item("gdb", "remu::gdb", "packets of gdb's remote protocol (-g)"),
    Item("io", "remu::io", "when the kernel refuses a ring to --io"),
    Item("unimp", "remu::unimp", "what the guest asked for and remu lacks"),
    Item("in_asm", "remu::in_asm", "guest code, when it is translated"),
    Item("op", "remu::op", "its meaning in the translator's own terms, as optimised while lifted"),
    Item("op_opt", "remu::op", "the same"),
    Item("ir", "remu::op", "the same"),
    Item("out_asm", "remu::out_asm", "host code made from it"),
    Item("strace", "remu::strace", "system calls, as -strace"),
];

/// Items of QEMU that this translator has nothing to write for yet: naming one is an error, so that
/// nobody waits for output that does not come.
const MISSING: &[&str] = &["op_ind", "exec"];

/// Descriptor written to.
static OUTPUT: AtomicI32 = AtomicI32::new(libc::STDERR_FILENO);

struct Logger {
    targets: Vec<&'static str>,
}

impl Log for Logger {
    fn enabled(&self, m: &Metadata<'_>) -> bool {
        m.level() <= Level::Warn || self.targets.iter().any(|t| m.target().starts_with(t))
    }
    fn log(&self, r: &Record<'_>) {
        if self.enabled(r.metadata()) {
            write(format!("{}\n", r.args()).as_bytes());
        }
    }
    fn flush(&self) {}
}

/// Writes text at once, as strace does: a line is never split by another thread's. What is longer
/// than a pipe takes at once (pipe(7), `PIPE_BUF`) may be.
pub(crate) fn write(mut text: &[u8]) {
    let fd = OUTPUT.load(Ordering::Relaxed);
    while !text.is_empty() {
        match nix::unistd::write(borrow(fd), text) {
            Ok(n) => text = &text[n..],
            Err(nix::errno::Errno::EINTR) => {}
            // A log that cannot be written must not stop the guest.
            Err(_) => return,
        }
    }
}

#[expect(unsafe_code, reason = "the descriptor is kept as a number for file")]
fn borrow(fd: i32) -> std::os::fd::BorrowedFd<'static> {
    // SAFETY: standard error, or a descriptor that is never closed once it is in OUTPUT.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }
}

/// The descriptor of the log file, which is not the guest's.
pub(crate) fn file() -> Option<i32> {
    Some(OUTPUT.load(Ordering::Relaxed)).filter(|&fd| fd > libc::STDERR_FILENO)
}

/// True where `-d` asks for translations as text.
pub(crate) fn shows_translation() -> bool {
    ["remu::in_asm", "remu::op", "remu::out_asm"]
        .iter()
        .any(|target| log::log_enabled!(target: target, Level::Trace))
}

/// The text of `-d help`.
pub(crate) fn help() -> String {
    let mut out = "Items of -d:\n".to_owned();
    for Item(name, _, about) in ITEMS {
        out += &format!("  {name:<10} {about}\n");
    }
    out + &format!("Not supported yet: {}\n", MISSING.join(", "))
}

/// Sets logging up; an error text for an unknown item or a file that cannot be opened. Returns
/// whether strace was among the items.
pub(crate) fn start(items: &[String], file: Option<&OsStr>, append: bool) -> Result<bool, String> {
    let mut targets = Vec::new();
    for name in items.iter().flat_map(|i| i.split(',')).filter(|i| !i.is_empty()) {
        let known = ITEMS.iter().filter(|i| i.0 == name || name == "all");
        let before = targets.len();
        targets.extend(known.map(|i| i.1));
        if MISSING.contains(&name) {
            return Err(format!("-d: '{name}' is not supported yet; try -d help"));
        }
        // Items that only QEMU has something to say about are taken without effect.
        let quiet = ["cpu", "fpu", "mmu", "pcall", "cpu_reset", "nochain", "plugin", "vpu", "tid"];
        if targets.len() == before && !quiet.contains(&name) {
            return Err(format!("-d: unknown item '{name}'; try -d help"));
        }
    }
    if let Some(file) = file {
        OUTPUT.store(open(file, append)?, Ordering::Relaxed);
    }
    let strace = targets.contains(&"remu::strace");
    let level = if targets.is_empty() { LevelFilter::Warn } else { LevelFilter::Trace };
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    let logger = LOGGER.get_or_init(|| Logger { targets });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(level);
    }
    Ok(strace)
}

/// Opens the log file; `%d` in its name is the process id.
fn open(file: &OsStr, append: bool) -> Result<i32, String> {
    let mut name = file.as_bytes().to_vec();
    if let Some(at) = name.windows(2).position(|w| w == b"%d") {
        name.splice(at..at + 2, std::process::id().to_string().into_bytes());
    }
    let path = OsStr::from_bytes(&name);
    let opened =
        OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path);
    let file = opened.map_err(|e| format!("-D {}: {e}", path.to_string_lossy()))?;
    let fd = OwnedFd::from(file);
    let high = fd.as_fd().try_clone_to_owned().ok().and_then(crate::task::keep_high);
    Ok(high.unwrap_or_else(|| fd.into_raw_fd()))
}

/// Prints one line of complaint, as shells and loaders do: program name first.
pub(crate) fn complain(program: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "{program}: {text}");
}
