//! gdb at machines: scripts in `debugger/`, each a conversation about `debuggee.c` with what must appear of it (`#=`), in
//! that order.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

struct Guest {
    name: &'static str,
    emulator: &'static str,
    /// What the compiler needs for code that runs by itself.
    flags: &'static [&'static str],
    /// What the emulator needs to start it.
    options: &'static [&'static str],
}

const GUESTS: [Guest; 2] = [
    Guest {
        name: "riscv64",
        emulator: env!("CARGO_BIN_EXE_remu-system-riscv64"),
        flags: &["-mcmodel=medany", "-Wl,-Ttext=0x80010000"],
        options: &["-bios", "none"],
    },
    Guest {
        name: "aarch64",
        emulator: env!("CARGO_BIN_EXE_remu-system-aarch64"),
        flags: &["-mgeneral-regs-only", "-mno-outline-atomics", "-Wl,-Ttext=0x40080000"],
        options: &[],
    },
];
const GDB: &str = "gdb-multiarch";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/debugger")
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

/// Builds the program; `None` without a compiler.
fn build(guest: &Guest, scratch: &Scratch) -> Option<PathBuf> {
    let compiler = format!("{}-linux-gnu-gcc", guest.name);
    if !have(&compiler) {
        return None;
    }
    let out = scratch.0.join("debuggee");
    let built = Command::new(compiler)
        .args(["-g", "-O0", "-nostdlib", "-static", "-no-pie", "-fno-pic", "-ffreestanding"])
        .args(["-fno-asynchronous-unwind-tables", "-Wl,--build-id=none"])
        .args(guest.flags)
        .arg("-o")
        .args([&out, &folder().join("debuggee.c")])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(out)
}

/// A machine with two processors that waits for gdb at a socket.
fn start(guest: &Guest, program: &Path, socket: &Path, one_insn: bool) -> Child {
    let mut emulator = Command::new(guest.emulator);
    emulator.args(["-M", "virt", "-smp", "2", "-m", "64", "-display", "none", "-serial", "null"]);
    emulator.args(["-monitor", "none", "-S", "-gdb"]).arg(format!("unix:{}", socket.display()));
    emulator.args(guest.options).arg("-kernel").arg(program);
    if one_insn {
        emulator.arg("-one-insn-per-tb");
    }
    let child = emulator.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !socket.exists() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn gdb(program: &Path, socket: &Path, commands: &[&str]) -> String {
    // What machines say by `monitor` comes by the other stream, and is to be in its place.
    let mut gdb = Command::new("sh");
    gdb.args(["-c", "exec timeout 60 \"$@\" 2>&1", "sh", GDB]);
    gdb.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off"]);
    gdb.args(["-ex", &format!("target remote {}", socket.display())]);
    gdb.args(commands).arg(program);
    let out = gdb.output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Waits for the emulator's end, not for ever.
fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn in_order(text: &str, wanted: &[&str], guest: &str) {
    let mut rest = text;
    for want in wanted {
        let Some(at) = rest.find(want) else { panic!("no '{want}' for {guest} in {text}") };
        rest = &rest[at + want.len()..];
    }
}

#[test]
fn gdb_is_led_through_a_program() {
    if !have(GDB) {
        return;
    }
    let script = folder().join("machine.gdb");
    let text = std::fs::read_to_string(&script).unwrap();
    let wanted: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("#= ")).collect();
    for guest in &GUESTS {
        for one_insn in [false, true] {
            let scratch = Scratch::new(&format!("{}-{one_insn}", guest.name));
            let Some(program) = build(guest, &scratch) else { continue };
            let socket = scratch.0.join("socket");
            let child = start(guest, &program, &socket, one_insn);
            let said = gdb(&program, &socket, &["-x", script.to_str().unwrap()]);
            let ended = end(child);
            let all = format!("{} {}: {said}", guest.name, ended.status);
            in_order(&said, &wanted, &all);
            assert!(!said.contains("Error in sourced"), "{all}");
            assert_eq!(ended.status.code(), Some(0), "{all}");
        }
    }
}

/// Sends a packet, and reads until an answer comes; its content.
fn ask(link: &mut UnixStream, content: &str) -> String {
    let sum = content.bytes().fold(0u8, u8::wrapping_add);
    write!(link, "${content}#{sum:02x}").unwrap();
    answer(link)
}

fn answer(link: &mut UnixStream) -> String {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with('#') {
        link.read_exact(&mut byte).unwrap();
        text.push(byte[0].into());
    }
    // The digits of the sum.
    link.read_exact(&mut [0; 2]).unwrap();
    text.trim_end_matches('#').rsplit('$').next().unwrap().to_string()
}

/// Without gdb, which would have to be told when to interrupt.
#[test]
fn a_machine_that_runs_is_interrupted() {
    for guest in &GUESTS {
        let scratch = Scratch::new(&format!("{}-interrupt", guest.name));
        let Some(program) = build(guest, &scratch) else { continue };
        let socket = scratch.0.join("socket");
        let child = start(guest, &program, &socket, false);
        let mut link = UnixStream::connect(&socket).unwrap();
        link.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(ask(&mut link, "QStartNoAckMode"), "OK");
        assert!(ask(&mut link, "?").starts_with("T05"));
        // The second processor alone waits for ever: on aarch64 to be started, on riscv64 for a variable.
        for _ in 0..3 {
            write!(link, "$vCont;c:2#{:02x}", "vCont;c:2".bytes().fold(0u8, u8::wrapping_add))
                .unwrap();
            std::thread::sleep(Duration::from_millis(50));
            link.write_all(&[3]).unwrap();
            let stop = answer(&mut link);
            assert!(stop.starts_with("T02"), "{}: {stop}", guest.name);
        }
        assert!(ask(&mut link, "vCont;s:1").starts_with("T05"));
        assert!(ask(&mut link, "vCont;x").starts_with('E'));
        assert_eq!(ask(&mut link, "m0,0"), "");
        // Nothing is there.
        assert_eq!(ask(&mut link, "mffff00000000,4"), "E14");
        assert_eq!(ask(&mut link, "Mffff00000000,1:00"), "E01");
        assert_eq!(ask(&mut link, "p7fffffff"), "E01");
        assert_eq!(ask(&mut link, "vKill;1"), "OK");
        assert_eq!(end(child).status.code(), Some(0), "{}", guest.name);
    }
}

#[test]
fn gdb_comes_and_goes() {
    if !have(GDB) {
        return;
    }
    for guest in &GUESTS {
        let scratch = Scratch::new(&format!("{}-again", guest.name));
        let Some(program) = build(guest, &scratch) else { continue };
        let socket = scratch.0.join("socket");
        let child = start(guest, &program, &socket, false);
        // A breakpoint that is left behind must not stop anybody.
        let first = gdb(&program, &socket, &["-ex", "break leaf", "-ex", "stepi", "-ex", "detach"]);
        assert!(first.contains("detached"), "{first}");
        let ended = end(child);
        assert_eq!(ended.status.code(), Some(0), "{}: {first}", guest.name);

        let child = start(guest, &program, &scratch.0.join("another"), false);
        let said = gdb(&program, &scratch.0.join("another"), &["-ex", "kill"]);
        assert_eq!(end(child).status.code(), Some(0), "{said}");
    }
}
