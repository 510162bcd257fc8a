//! One C program that makes the calls, compiled for the host and for each guest: the runner must
//! make the guest's copy print what the host's prints.
//!
//! Needs the cross compilers and the runners built beside the tests (`cargo build -p remu`, or
//! `REMU_USER_<ARCH>`). What is missing is said, and fails under `CI=true`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Exit status of a complete run.
const COMPLETE: i32 = 5;

fn missing(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
    eprintln!("skipped: {what}");
}

/// Compiles the program; `None` without the compiler.
fn compile(gcc: &str, to: &Path) -> Option<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe");
    let mut sources: Vec<PathBuf> = std::fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "c"))
        .collect();
    sources.sort();
    // Results that a program ignores on purpose are no errors here.
    let out = Command::new(gcc)
        .args(["-w", "-O1", "-static", "-o"])
        .arg(to)
        .args(sources)
        .args(["-lutil", "-lrt", "-lpthread"])
        .output()
        .ok()?;
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(())
}

/// Runs a command to its end, or kills it after a minute.
fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("can be started");
    let out = child.stdout.take().expect("piped");
    let err = child.stderr.take().expect("piped");
    let reader = std::thread::spawn(move || std::io::read_to_string(out).unwrap_or_default());
    let errors = std::thread::spawn(move || std::io::read_to_string(err).unwrap_or_default());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("own child") {
            break status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().expect("own child");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output {
        status,
        stdout: reader.join().unwrap_or_default().into_bytes(),
        stderr: errors.join().unwrap_or_default().into_bytes(),
    }
}

/// The runner of a guest: named by the environment, or beside this test.
fn runner(guest: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(format!("REMU_USER_{}", guest.to_uppercase())) {
        return Some(path.into());
    }
    let profile = std::env::current_exe().ok()?.parent()?.parent()?.to_path_buf();
    Some(profile.join(format!("remu-user-{guest}"))).filter(|p| p.exists())
}

#[test]
fn calls_of_a_translated_program_equal_the_hosts() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let native = dir.join("probe");
    if compile("gcc", &native).is_none() {
        return missing("gcc is missing");
    }
    let expected = run(&mut Command::new(&native));
    let expected_text = String::from_utf8_lossy(&expected.stdout);
    assert_eq!(expected.status.code(), Some(COMPLETE), "the host's own run\n{expected_text}");
    for guest in ["riscv64", "aarch64"] {
        let program = dir.join(format!("probe-{guest}"));
        let Some(runner) = runner(guest) else {
            missing(&format!("remu-user-{guest} is not built"));
            continue;
        };
        if compile(&format!("{guest}-linux-gnu-gcc"), &program).is_none() {
            missing(&format!("{guest}-linux-gnu-gcc is missing"));
            continue;
        }
        let got = run(Command::new(&runner).arg(&program));
        if String::from_utf8_lossy(&got.stderr).contains("is not built in") {
            missing(&format!("{} knows no {guest}", runner.display()));
            continue;
        }
        let got_text = String::from_utf8_lossy(&got.stdout);
        for (n, (want, have)) in expected_text.lines().zip(got_text.lines()).enumerate() {
            assert_eq!(have, want, "{guest}, line {}", n + 1);
        }
        assert_eq!(
            got_text.lines().count(),
            expected_text.lines().count(),
            "{guest} stops early: {}",
            got.status
        );
        assert_eq!(got.status.code(), Some(COMPLETE), "{guest}: {}", got.status);
    }
}
