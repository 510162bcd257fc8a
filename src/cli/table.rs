//! The rows of the command line. Parsing, the environment variables and `-h` follow from them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use remu_syscalls::Io;

use super::options::{Form, Options};

/// What a row does with its argument; an error text for a bad one.
pub(super) type Apply = fn(&mut Options, &OsStr) -> Result<(), String>;

/// One option.
pub(super) struct Row {
    /// Name without the hyphen; a second hyphen is accepted.
    pub(super) name: &'static str,
    /// Longer spelling, or the same.
    pub(super) long: &'static str,
    /// Name of the argument, empty for none.
    pub(super) arg: &'static str,
    /// Environment variable after `REMU_` or `QEMU_`, empty for none.
    pub(super) env: &'static str,
    /// One line of help; empty hides the row.
    pub(super) help: &'static str,
    /// What it does.
    pub(super) apply: Apply,
}

const fn row(
    name: &'static str,
    long: &'static str,
    arg: &'static str,
    env: &'static str,
    help: &'static str,
    apply: Apply,
) -> Row {
    Row { name, long, arg, env, help, apply }
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    row("h", "help", "", "", "print this help", |o, _| { o.show_help = true; Ok(()) }),
    row("version", "version", "", "VERSION", "print the version", |o, _| { o.show_version = true; Ok(()) }),
    row("L", "sysroot", "PATH", "LD_PREFIX", "look for absolute paths in PATH first", |o, a| { o.prefix = Some(a.to_owned()); Ok(()) }),
    row("E", "set-env", "VAR=VALUE,...", "SET_ENV", "set variables of the guest's environment", set_env),
    row("U", "unset-env", "VAR,...", "UNSET_ENV", "remove variables from the guest's environment", unset_env),
    row("0", "argv0", "ARGV0", "ARGV0", "the guest's argv[0]", |o, a| { o.argv0 = Some(a.to_owned()); Ok(()) }),
    row("s", "stack-size", "SIZE", "STACK_SIZE", "bytes of stack; suffixes K, M, G", |o, a| { o.stack_size = Some(size(a)?); Ok(()) }),
    row("cpu", "cpu", "MODEL", "CPU", "processor model; 'help' lists them", |o, a| { o.cpu = Some(text(a)?); Ok(()) }),
    row("r", "uname", "RELEASE", "UNAME", "kernel release that uname shows", |o, a| { o.release = Some(a.to_owned()); Ok(()) }),
    row("B", "guest-base", "ADDRESS", "GUEST_BASE", "accepted; guest addresses are host addresses", |_, a| size(a).map(drop)),
    row("R", "reserved-va", "SIZE", "RESERVED_VA", "accepted; no address space is set aside", |_, a| size(a).map(drop)),
    row("g", "gdb", "PORT|PATH", "GDB", "wait for gdb at [ADDRESS:]PORT or a socket; '%d' is the process id", |o, a| { o.gdb = Some(text(a)?); Ok(()) }),
    row("d", "debug", "ITEM,...", "LOG", "what to log; 'help' lists the items", |o, a| { o.log_items.push(text(a)?); Ok(()) }),
    row("dfilter", "dfilter", "RANGE,...", "DFILTER", "log translation of these guest addresses only", dfilter),
    row("D", "log-file", "FILE", "LOG_FILENAME", "log to FILE, '%d' is the process id", |o, a| { o.log_file = Some(a.to_owned()); Ok(()) }),
    row("p", "page-size", "SIZE", "PAGESIZE", "accepted; pages have the host's size", |_, a| size(a).map(drop)),
    row("one-insn-per-tb", "one-insn-per-tb", "", "ONE_INSN_PER_TB", "translate one instruction at a time", |o, _| { o.one_insn = true; Ok(()) }),
    row("singlestep", "singlestep", "", "SINGLESTEP", "", |o, _| { o.one_insn = true; Ok(()) }),
    row("tb-size", "tb-size", "SIZE", "TB_SIZE", "MiB of memory for translated code, 8 to 1024", tb_size),
    row("strace", "strace", "", "STRACE", "print system calls", |o, _| { o.strace = true; Ok(()) }),
    row("seed", "seed", "SEED", "RAND_SEED", "make AT_RANDOM and the layout repeatable", |o, a| { o.seed = Some(size(a)?); Ok(()) }),
    row("perfmap", "perfmap", "", "PERFMAP", "write /tmp/perf-PID.map", |o, _| { o.perfmap = true; Ok(()) }),
    row("jitdump", "jitdump", "", "JITDUMP", "write jit-PID.dump to the working folder, for perf inject", |o, _| { o.jitdump = true; Ok(()) }),
    row("trace", "trace", "EVENTS", "TRACE", "", |_, _| Err("trace events are not supported: see -d help".into())),
    row("plugin", "plugin", "FILE", "PLUGIN", "", |_, _| Err("plugins are not supported".into())),
    row("syscalls", "syscalls", "", "", "print which system calls are supported, and how", |o, _| { o.show_calls = Some(Form::Text); Ok(()) }),
    row("syscalls-json", "syscalls-json", "", "", "the same as JSON", |o, _| { o.show_calls = Some(Form::Json); Ok(()) }),
    row("stats", "stats", "", "STATS", "print statistics at exit", |o, _| { o.stats = true; Ok(()) }),
    row("host", "host", "all|least", "HOST", "what translated code uses of the host's instructions", host),
    row("cache", "cache", "DIR|off", "CACHE", "where translations are kept", |o, a| { o.cache = Some(a.to_owned()); Ok(()) }),
    row("io", "io", "auto|uring|direct", "IO", "how calls that may block reach the kernel", io),
    row("remu-exec", "remu-exec", "FDS", "", "", exec_state),
    row("remu-limits", "remu-limits", "LIMITS", "", "", resource_limits),
];

fn text(arg: &OsStr) -> Result<String, String> {
    arg.to_str().map(str::to_owned).ok_or_else(|| "not UTF-8".into())
}

fn pairs(arg: &OsStr) -> impl Iterator<Item = OsString> {
    arg.as_bytes().split(|&b| b == b',').map(|p| OsString::from_vec(p.to_vec()))
}

fn set_env(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    for p in pairs(arg) {
        if !p.as_bytes().contains(&b'=') {
            return Err(format!("'{}' has no '='", p.to_string_lossy()));
        }
        o.env_changes.push((p, true));
    }
    Ok(())
}

fn unset_env(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    for p in pairs(arg) {
        if p.is_empty() || p.as_bytes().contains(&b'=') {
            return Err(format!("'{}' is not a variable name", p.to_string_lossy()));
        }
        o.env_changes.push((p, false));
    }
    Ok(())
}

/// Guest addresses as QEMU writes them: `FIRST..LAST`, `START+SIZE`, `LAST-SIZE`.
fn dfilter(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    let arg = text(arg)?;
    for part in arg.split(',') {
        let bad = || format!("'{part}' is none of FIRST..LAST, START+SIZE, LAST-SIZE");
        let both = |separator| {
            let (a, b) = part.split_once(separator)?;
            Some((size(OsStr::new(a)).ok()?, size(OsStr::new(b)).ok()?))
        };
        let range = if let Some((first, last)) = both("..") {
            Some(first..=last)
        } else if let Some((start, size)) = both("+") {
            size.checked_sub(1).and_then(|n| start.checked_add(n)).map(|last| start..=last)
        } else if let Some((last, size)) = both("-") {
            size.checked_sub(1).and_then(|n| last.checked_sub(n)).map(|first| first..=last)
        } else {
            None
        };
        o.dfilter.push(range.filter(|r| !r.is_empty()).ok_or_else(bad)?);
    }
    Ok(())
}

fn io(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    o.io = match text(arg)?.as_str() {
        "auto" => Io::Auto,
        "uring" => Io::Uring,
        "direct" => Io::Direct,
        mode => return Err(format!("'{mode}' is none of auto, uring, direct")),
    };
    Ok(())
}

fn host(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    o.least_host = match text(arg)?.as_str() {
        "all" => false,
        "least" => true,
        host => return Err(format!("'{host}' is neither all nor least")),
    };
    Ok(())
}

/// `RUNNER,PROGRAM`: descriptors that a runner hands to the runner it becomes on execve.
fn exec_state(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    let arg = text(arg)?;
    let fds: Vec<Option<i32>> =
        arg.split(',').map(|fd| fd.parse().ok().filter(|&fd| fd >= 0)).collect();
    let [runner, program, limits @ ..] = &fds[..] else {
        return Err("two descriptors expected".into());
    };
    (o.runner_fd, o.program_fd) = (*runner, *program);
    o.limits_fd = limits.first().copied().flatten();
    Ok(())
}

/// `RESOURCE:SOFT:HARD,...`: limits that a runner hands to the runner it becomes on execve.
fn resource_limits(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    for one in text(arg)?.split(',') {
        let parts: Result<Vec<u64>, _> = one.split(':').map(str::parse).collect();
        let parts = parts.ok().and_then(|p| p.try_into().ok());
        o.resource_limits.push(parts.ok_or_else(|| format!("'{one}' is no limit"))?);
    }
    Ok(())
}

/// Less would not hold the largest translations, and jumps reach no further than some 2 GiB.
fn tb_size(o: &mut Options, arg: &OsStr) -> Result<(), String> {
    let all = text(arg)?;
    let size = all.parse().ok().filter(|mib| (8..=1024).contains(mib));
    o.code_size = Some(size.ok_or_else(|| format!("'{all}' is not a number from 8 to 1024"))?);
    Ok(())
}

/// A number with an optional suffix; `0x` means hexadecimal.
fn size(arg: &OsStr) -> Result<u64, String> {
    let all = text(arg)?;
    let bad = || format!("'{all}' is not a size");
    let (digits, shift) = match all.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => (&all[..all.len() - 1], 10),
        Some(b'M') => (&all[..all.len() - 1], 20),
        Some(b'G') => (&all[..all.len() - 1], 30),
        _ => (&all[..], 0),
    };
    let n = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    n.ok().and_then(|n| n.checked_mul(1 << shift)).ok_or_else(bad)
}

/// The text of `-h`.
pub fn usage(program: &str) -> String {
    let mut out = format!(
        "usage: {program} [options] program [arguments...]\n\
         Runs a Linux program built for another processor.\n\n\
         Options, and the environment variables they may come from:\n"
    );
    for r in ROWS.iter().filter(|r| !r.help.is_empty()) {
        let mut left = format!("-{}", r.name);
        if r.long != r.name {
            left += &format!(", --{}", r.long);
        }
        if !r.arg.is_empty() {
            left += &format!(" {}", r.arg);
        }
        let env = if r.env.is_empty() { String::new() } else { format!("REMU_{}", r.env) };
        out += &format!("  {left:<28} {env:<21} {}\n", r.help);
    }
    out + "\nEach variable may also begin with QEMU_. An option overrides its variable.\n"
}
