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
        let mut rest = text.as_str();
        for want in script.lines().filter_map(|l| l.strip_prefix("#= ")) {
            let Some(at) = rest.find(want) else { panic!("no '{want}' in {all}") };
            rest = &rest[at + want.len()..];
        }
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

scripts! { calls watch catch threads signals pass forks child both exec interrupt detach sum crash kill }
