//! gdb at the runners' `-g`: scripts in `gdb/`, each a conversation about `gdb/debuggee.c` with what
//! must appear of it (`#=`), in that order.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const GUESTS: &[(&str, &str, &str)] = &[
    ("riscv64", "riscv64-linux-gnu-gcc", env!("CARGO_BIN_EXE_remu-user-riscv64")),
    ("aarch64", "aarch64-linux-gnu-gcc", env!("CARGO_BIN_EXE_remu-user-aarch64")),
];
const GDB: &str = "gdb-multiarch";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/gdb")
}

/// False where a tool is missing, which continuous integration must not.
fn have(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output();
    if let Err(e) = &found {
        assert!(std::env::var_os("CI").is_none(), "{tool} is missing: {e}");
        eprintln!("skipped: {tool} is missing");
    }
    found.is_ok()
}

/// A folder of its own for one conversation.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("remu-gdb-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Builds the program.
fn build(compiler: &str, scratch: &Scratch) -> PathBuf {
    let out = scratch.0.join("debuggee");
    let built = Command::new(compiler)
        .args(["-g", "-O0", "-static", "-pthread", "-o"])
        .args([&out, &folder().join("debuggee.c")])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    out
}

/// A line `# KEY: VALUE` of a script.
fn setting<'a>(script: &'a str, key: &str) -> Option<&'a str> {
    script.lines().find_map(|l| l.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(": "))
}

/// The runner under gdb: what gdb printed, and how the runner ended.
fn converse(runner: &str, program: &Path, args: &[&str], script: &Path) -> (String, Output) {
    let socket = program.with_extension("socket");
    let mut guest = Command::new(runner)
        .arg("-g")
        .arg(&socket)
        .arg(program)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !socket.exists() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let gdb = Command::new("timeout")
        .args(["100", GDB, "-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off"])
        .args(["-ex", &format!("target remote {}", socket.display())])
        .arg("-x")
        .arg(script)
        .arg(program)
        .output()
        .unwrap();
    let text = [gdb.stdout, gdb.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let deadline = Instant::now() + Duration::from_secs(60);
    while guest.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            guest.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    (text, guest.wait_with_output().unwrap())
}

fn check(name: &str) {
    if !have(GDB) {
        return;
    }
    let path = folder().join(format!("{name}.gdb"));
    let script = std::fs::read_to_string(&path).unwrap();
    let args: Vec<&str> = setting(&script, "run").unwrap().split(' ').collect();
    for (guest, compiler, runner) in GUESTS {
        if setting(&script, "only").is_some_and(|only| only != *guest) || !have(compiler) {
            continue;
        }
        let scratch = Scratch::new(&format!("{name}-{guest}"));
        let program = build(compiler, &scratch);
        let (text, ended) = converse(runner, &program, &args, &path);
        let stdout = String::from_utf8_lossy(&ended.stdout);
        let all = format!("{guest}: {}\n{stdout}\n{text}", ended.status);
        let wanted: Vec<&str> = script.lines().filter_map(|l| l.strip_prefix("#= ")).collect();
        in_order(&text, &wanted, &all);
        assert!(!text.contains("Error in sourced"), "{all}");
        match setting(&script, "ends") {
            None => assert_eq!(ended.status.code(), Some(0), "{all}"),
            Some("by SIGSEGV") => assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{all}"),
            Some("by SIGKILL") => assert_eq!(ended.status.signal(), Some(libc::SIGKILL), "{all}"),
            Some(other) => panic!("{other}?"),
        }
        if setting(&script, "stdout") == Some("same") {
            let plain = Command::new(runner).arg(&program).args(&args).output().unwrap();
            assert_eq!(ended.stdout, plain.stdout, "{all}");
        }
    }
}

#[test]
fn crash_reports_name_the_callers() {
    for (guest, compiler, runner) in GUESTS {
        if !have(compiler) {
            continue;
        }
        let scratch = Scratch::new(&format!("report-{guest}"));
        let program = build(compiler, &scratch);
        let crash = ["signal 11 (code 1, address 0x10)", "sp ", "crash+0x", "main+0x", "r-xp"];
        // How the C library's own functions unwind is its affair.
        let aborts = ["signal 6 (code -6)", "sp ", "raise+0x", "abort+0x", "r-xp"];
        for (what, wanted) in [("crash", crash), ("aborts", aborts)] {
            let mut run = Command::new(runner);
            let out = run.env("REMU_CRASH", "1").arg(&program).arg(what).output().unwrap();
            in_order(&String::from_utf8_lossy(&out.stderr), &wanted, guest);
            let out = Command::new(runner).arg(&program).arg(what).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{guest}");
        }
    }
}

/// Runs the program with core dumps of up to `limit` KiB allowed, in its own folder.
fn dump(runner: &str, program: &Path, what: &str, limit: &str) -> Output {
    let script = format!("ulimit -c {limit}; exec \"$@\"");
    let mut run = Command::new("sh");
    run.args(["-c", &script, "sh", runner]).arg(program).arg(what);
    run.current_dir(program.parent().unwrap()).output().unwrap()
}

/// The only core in the program's folder.
fn core_of(program: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(program.parent().unwrap()).unwrap().map(|e| e.unwrap().path());
    let is_core = |p: &PathBuf| p.file_name().unwrap().to_str().unwrap().contains("core");
    let cores: Vec<PathBuf> = names.filter(is_core).collect();
    assert!(cores.len() < 2, "{cores:?}");
    cores.into_iter().next()
}

/// What gdb says of a program that has dumped core.
fn post_mortem(program: &Path, core: &Path, commands: &[&str]) -> String {
    let mut gdb = Command::new(GDB);
    gdb.args(["-nx", "-batch", "-ex", "set pagination off"]);
    commands.iter().for_each(|c| {
        gdb.args(["-ex", c]);
    });
    let out = gdb.arg(program).arg(core).output().unwrap();
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

#[test]
fn core_dumps_are_the_guests() {
    // A pattern that leads elsewhere leads the dump out of the test's folder.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('/') {
        eprintln!("skipped: cores go to {pattern}");
        return;
    }
    for (guest, compiler, runner) in GUESTS {
        if !have(compiler) || !have(GDB) {
            continue;
        }
        let scratch = Scratch::new(&format!("core-{guest}"));
        let program = build(compiler, &scratch);
        let ended = dump(runner, &program, "crash", "0");
        assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{guest}");
        assert_eq!((core_of(&program), ended.status.core_dumped()), (None, false), "{guest}");

        let ended = dump(runner, &program, "crash", "unlimited");
        assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{guest}");
        // Where the kernel hands dumps to a program it is kept from doing so, and knows of none.
        assert_eq!(ended.status.core_dumped(), !pattern.starts_with(['|', '@']), "{guest}");
        let core = core_of(&program).unwrap();
        let commands = [
            "bt",
            "print counter",
            "print $_siginfo._sifields._sigfault.si_addr",
            "print $pc == 0",
            "print (char *)argv[1]",
            "info auxv",
            "info proc mappings",
        ];
        let text = post_mortem(&program, &core, &commands);
        let wanted = [
            "terminated with signal SIGSEGV",
            "#0  0x",
            "in crash ()",
            "in main (argc=2",
            "= 4",
            "= (void *) 0x10",
            "= 0",
            "AT_ENTRY",
            "debuggee",
        ];
        in_order(&text, &wanted, guest);
        std::fs::remove_file(&core).unwrap();

        let ended = dump(runner, &program, "aborts", "unlimited");
        assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{guest}");
        let core = core_of(&program).unwrap();
        let text =
            post_mortem(&program, &core, &["info threads", "thread apply all bt", "print ratio"]);
        let wanted = ["terminated with signal SIGABRT", "* 1 ", "  2 ", "  3 ", "= 2.5"];
        in_order(&text, &wanted, guest);
        assert_eq!(text.matches("in worker (arg=").count(), 2, "{guest}: {text}");
        assert!(text.contains("in aborts ()"), "{guest}: {text}");
    }
}

fn in_order(text: &str, wanted: &[&str], guest: &str) {
    let mut rest = text;
    for want in wanted {
        let Some(at) = rest.find(want) else { panic!("no '{want}' for {guest} in {text}") };
        rest = &rest[at + want.len()..];
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
        #[test]
        fn every_script_is_run() {
            let names = [$(stringify!($name)),*];
            for entry in std::fs::read_dir(folder()).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|e| e == "gdb") {
                    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                    assert!(names.contains(&name.as_str()), "{name}");
                }
            }
        }
    };
}

scripts! { both calls watch catch threads signals pass forks child exec interrupt detach sum crash kill }

/// A debugger of the runner itself finds its way out of translated code (`jit/engine/src/debugger.rs`).
#[test]
fn host_debugger_sees_who_entered_translated_code() {
    for (guest, compiler, runner) in GUESTS {
        if !have(compiler) || !have(GDB) {
            continue;
        }
        let scratch = Scratch::new(&format!("{guest}-host"));
        let (source, program) = (scratch.0.join("fault.c"), scratch.0.join("fault"));
        std::fs::write(&source, "int main(void) { *(volatile int *)8 = 1; }").unwrap();
        let built =
            Command::new(compiler).arg("-static").arg(&source).arg("-o").arg(&program).status();
        assert!(built.unwrap().success());
        let out = Command::new("timeout")
            .args(["100", GDB, "-nx", "-batch", "-ex", "run", "-ex", "backtrace", "--args"])
            .arg(runner)
            .arg(&program)
            .env("DEBUGINFOD_URLS", "")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let frames: Vec<&str> = text.lines().filter(|l| l.starts_with('#')).collect();
        let at = |name: &str| frames.iter().position(|f| f.contains(name));
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(at(" in translated_code ()"), Some(0), "{guest}: {text}\n{err}");
        // Only with the registers of who entered is there a way to where the runner began.
        assert!(at(" main ()").is_some_and(|main| main > 1), "{guest}: {text}\n{err}");
    }
}
