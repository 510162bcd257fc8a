//! Options, from the environment and the command line.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;

use remu_syscalls::Io;

use super::table::{ROWS, Row, usage};
use super::{Command, UsageError};

/// Form of a printed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// For programs.
    Json,
}

/// A list that an option asks for instead of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `--syscalls`: the system calls of the guest.
    Calls(Form),
    /// `-cpu help`: the processor models.
    Models,
    /// `-d help`: what can be logged.
    LogItems,
}

/// Every option, as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub(super) show_help: bool,
    pub(super) show_version: bool,
    pub(super) show_calls: Option<Form>,
    /// `-L`.
    pub prefix: Option<OsString>,
    /// `-E` (true, `VAR=VALUE`) and `-U` (false, `VAR`), in order.
    pub env_changes: Vec<(OsString, bool)>,
    /// `-0`.
    pub argv0: Option<OsString>,
    /// `-s`.
    pub stack_size: Option<u64>,
    /// `-cpu`.
    pub cpu: Option<String>,
    /// `-r`.
    pub release: Option<OsString>,
    /// `-d`, each as given.
    pub log_items: Vec<String>,
    /// `-dfilter`: guest addresses whose translation is logged; none means all.
    pub dfilter: Vec<RangeInclusive<u64>>,
    /// `-D`.
    pub log_file: Option<OsString>,
    /// `-g`: where gdb connects.
    pub gdb: Option<String>,
    /// `-one-insn-per-tb`.
    pub one_insn: bool,
    /// `-tb-size`, MiB.
    pub code_size: Option<usize>,
    /// `-strace`.
    pub strace: bool,
    /// `-seed`.
    pub seed: Option<u64>,
    /// `-perfmap`.
    pub perfmap: bool,
    /// `-jitdump`.
    pub jitdump: bool,
    /// `--stats`.
    pub stats: bool,
    /// `--host least`.
    pub least_host: bool,
    /// `--cache`: a folder, or `off`.
    pub cache: Option<OsString>,
    /// `--io`.
    pub io: Io,
    /// Descriptor of the runner's own file, from the runner that became this one.
    pub runner_fd: Option<i32>,
    /// Descriptor of the program, likewise.
    pub program_fd: Option<i32>,
    /// Descriptor of what limits the program's calls, if anything does.
    pub limits_fd: Option<i32>,
    /// Resource limits that the program before this one has set: resource, soft, hard.
    pub resource_limits: Vec<[u64; 3]>,
}

impl Options {
    fn list(&self) -> Option<List> {
        let models = || matches!(self.cpu.as_deref(), Some("help" | "?")).then_some(List::Models);
        let items = || self.log_items.iter().any(|i| i == "help").then_some(List::LogItems);
        self.show_calls.map(List::Calls).or_else(models).or_else(items)
    }
}

/// A program to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// Options.
    pub options: Options,
    /// Path of the program.
    pub program: OsString,
    /// Its arguments, `argv[0]` included.
    pub args: Vec<OsString>,
    /// The kernel started this runner through binfmt_misc.
    pub binfmt: bool,
    /// Arguments that make a runner of the same options.
    pub replay: Vec<OsString>,
}

/// What the kernel says about how the runner was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Startup {
    /// `AT_FLAGS` has `AT_FLAGS_PRESERVE_ARGV0`: `argv` holds path, then the program's own `argv[0]`.
    pub preserves_argv0: bool,
    /// `AT_EXECFD` is present.
    pub has_exec_fd: bool,
    /// `AT_SECURE`: the environment is the caller's, but the privileges are not.
    pub secure: bool,
}

impl Command {
    /// Reads the arguments (with the runner's own name first) and the environment.
    pub fn parse(
        args: &[OsString],
        env: &dyn Fn(&str) -> Option<OsString>,
        startup: Startup,
    ) -> Result<Command, UsageError> {
        let mut options = Options::default();
        if !startup.secure {
            from_environment(&mut options, env)?;
        }
        let name = args.first().map_or("remu", |a| base_name(a));
        if startup.preserves_argv0 || startup.has_exec_fd {
            return binfmt(options, args, startup);
        }
        let mut at = 1;
        while let Some(arg) = args.get(at) {
            let Some(row) = option(arg, name)? else { break };
            at += 1;
            let mut value = OsStr::new("");
            if !row.arg.is_empty() {
                value = args.get(at).ok_or_else(|| missing(row))?;
                at += 1;
            }
            (row.apply)(&mut options, value)
                .map_err(|e| UsageError(format!("-{}: {e}", row.name)))?;
        }
        if options.show_help {
            return Ok(Command::Print(usage(name)));
        }
        if options.show_version {
            let version = env!("CARGO_PKG_VERSION");
            return Ok(Command::Print(format!("{name} version {version}\n")));
        }
        if let Some(list) = options.list() {
            return Ok(Command::List(list));
        }
        let Some(program) = args.get(at) else {
            return Err(UsageError(format!("no program given; try '{name} -h'")));
        };
        let mut guest_args = args[at..].to_vec();
        if let Some(argv0) = &options.argv0 {
            guest_args[0].clone_from(argv0);
        }
        let replay = replay(&args[1..at]);
        let program = program.clone();
        let inv = Invocation { options, program, args: guest_args, binfmt: false, replay };
        Ok(Command::Run(Box::new(inv)))
    }
}

/// The options that hold for a program this one executes as well: all but those about this one.
fn replay(args: &[OsString]) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let row = option(arg, "").ok().flatten();
        let len = if row.is_some_and(|r| !r.arg.is_empty()) { 2 } else { 1 };
        // The environment was changed already and is handed on.
        let own = ["0", "remu-exec", "remu-limits", "E", "U", "g"];
        let drop = row.is_some_and(|r| own.contains(&r.name));
        if !drop {
            out.extend(args[at..args.len().min(at + len)].iter().cloned());
        }
        at += len;
    }
    out
}

/// Under binfmt_misc no argument is an option.
fn binfmt(options: Options, args: &[OsString], startup: Startup) -> Result<Command, UsageError> {
    if let Some(list) = options.list() {
        return Ok(Command::List(list));
    }
    let Some(program) = args.get(1).cloned() else {
        return Err(UsageError("the kernel gave no program".into()));
    };
    let first = if startup.preserves_argv0 { 2 } else { 1 };
    let mut guest_args = args.get(first..).unwrap_or_default().to_vec();
    if let Some(argv0) = &options.argv0 {
        match guest_args.first_mut() {
            Some(first) => first.clone_from(argv0),
            None => guest_args.push(argv0.clone()),
        }
    }
    let inv = Invocation { options, program, args: guest_args, binfmt: true, replay: Vec::new() };
    Ok(Command::Run(Box::new(inv)))
}

fn from_environment(
    options: &mut Options,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(), UsageError> {
    for row in ROWS.iter().filter(|r| !r.env.is_empty()) {
        for prefix in ["REMU_", "QEMU_"] {
            let name = format!("{prefix}{}", row.env);
            let Some(value) = env(&name) else { continue };
            (row.apply)(options, &value).map_err(|e| UsageError(format!("{name}: {e}")))?;
            break;
        }
    }
    if options.prefix.is_none()
        && let Some(v) = env("REMU_SYSROOT")
    {
        options.prefix = Some(v);
    }
    Ok(())
}

/// The row an argument names; `None` when the program begins here.
fn option(arg: &OsStr, program: &str) -> Result<Option<&'static Row>, UsageError> {
    let Some(name) = arg.as_bytes().strip_prefix(b"-") else { return Ok(None) };
    if name.is_empty() {
        return Ok(None);
    }
    let name = name.strip_prefix(b"-").unwrap_or(name);
    let found = ROWS.iter().find(|r| r.name.as_bytes() == name || r.long.as_bytes() == name);
    found.map(Some).ok_or_else(|| {
        UsageError(format!("unknown option '{}'; try '{program} -h'", arg.to_string_lossy()))
    })
}

fn missing(row: &Row) -> UsageError {
    UsageError(format!("-{} needs an argument: {}", row.name, row.arg))
}

/// The last component of a path, as text.
pub fn base_name(path: &OsStr) -> &str {
    std::path::Path::new(path).file_name().and_then(OsStr::to_str).unwrap_or("remu")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str], startup: Startup) -> Result<Command, UsageError> {
        parse_env(args, &[], startup)
    }

    fn parse_env(
        args: &[&str],
        env: &[(&str, &str)],
        startup: Startup,
    ) -> Result<Command, UsageError> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let get = |n: &str| env.iter().find(|e| e.0 == n).map(|e| OsString::from(e.1));
        Command::parse(&args, &get, startup)
    }

    fn run(c: Result<Command, UsageError>) -> Invocation {
        match c {
            Ok(Command::Run(i)) => *i,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_end_at_the_program() {
        let i = run(parse(
            &[
                "r", "-L", "/root", "--strace", "-0", "me", "-s", "16M", "-g", "1234", "prog",
                "-h", "x",
            ],
            Startup::default(),
        ));
        assert_eq!(i.options.prefix, Some("/root".into()));
        assert!(i.options.strace);
        assert_eq!(i.options.stack_size, Some(16 << 20));
        assert_eq!(i.options.gdb.as_deref(), Some("1234"));
        assert_eq!(i.program, "prog");
        assert_eq!(i.args, ["me", "-h", "x"]);
        assert_eq!(i.replay, ["-L", "/root", "--strace", "-s", "16M"]);
    }

    #[test]
    fn binfmt_arguments_are_never_options() {
        let startup = Startup { preserves_argv0: true, ..Startup::default() };
        let i = run(parse(&["r", "-strace", "-L", "x"], startup));
        assert_eq!(i.program, "-strace");
        assert_eq!(i.args, ["-L", "x"]);
        assert!(i.binfmt && !i.options.strace);
        let startup = Startup { has_exec_fd: true, ..Startup::default() };
        assert_eq!(run(parse(&["r", "/p", "x"], startup)).args, ["/p", "x"]);
    }

    #[test]
    fn environment_counts_unless_secure() {
        let env = [("QEMU_STRACE", "1"), ("REMU_LD_PREFIX", "/a"), ("QEMU_LD_PREFIX", "/b")];
        let i = run(parse_env(&["r", "p"], &env, Startup::default()));
        assert!(i.options.strace);
        assert_eq!(i.options.prefix, Some("/a".into()));
        let secure = Startup { secure: true, ..Startup::default() };
        assert_eq!(run(parse_env(&["r", "p"], &env, secure)).options, Options::default());
    }

    #[test]
    fn mistakes_name_the_option() {
        let text = |args: &[&str]| parse(args, Startup::default()).unwrap_err().0;
        assert_eq!(text(&["r", "-zap", "p"]), "unknown option '-zap'; try 'r -h'");
        assert_eq!(text(&["r", "-L"]), "-L needs an argument: PATH");
        assert_eq!(text(&["r", "-s", "big", "p"]), "-s: 'big' is not a size");
        assert_eq!(
            text(&["r", "-tb-size", "4", "p"]),
            "-tb-size: '4' is not a number from 8 to 1024"
        );
        assert_eq!(text(&["r"]), "no program given; try 'r -h'");
        assert_eq!(text(&["r", "--io", "fast", "p"]), "-io: 'fast' is none of auto, uring, direct");
    }

    #[test]
    fn lists_need_no_program() {
        let list = |args: &[&str]| parse(args, Startup::default());
        assert_eq!(list(&["r", "-cpu", "help"]), Ok(Command::List(List::Models)));
        assert_eq!(list(&["r", "-d", "help"]), Ok(Command::List(List::LogItems)));
        assert_eq!(list(&["r", "-syscalls"]), Ok(Command::List(List::Calls(Form::Text))));
    }

    #[test]
    fn dfilter_takes_the_three_forms() {
        let i = run(parse(
            &["r", "-dfilter", "0x100+0x10,0x200-0x20,0x300..0x30f", "p"],
            Startup::default(),
        ));
        assert_eq!(i.options.dfilter, [0x100..=0x10f, 0x1e1..=0x200, 0x300..=0x30f]);
        let bad = parse(&["r", "-dfilter", "0x100", "p"], Startup::default());
        assert_eq!(
            bad.unwrap_err().0,
            "-dfilter: '0x100' is none of FIRST..LAST, START+SIZE, LAST-SIZE"
        );
        assert!(parse(&["r", "-dfilter", "0x20..0x10", "p"], Startup::default()).is_err());
    }

    #[test]
    fn help_lists_every_shown_option() {
        let Ok(Command::Print(text)) = parse(&["remu", "-h"], Startup::default()) else {
            panic!("no text")
        };
        for r in ROWS.iter().filter(|r| !r.help.is_empty()) {
            assert!(text.contains(&format!("  -{}", r.name)), "{}", r.name);
        }
    }
}
