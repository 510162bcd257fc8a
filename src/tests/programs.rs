//! Guest programs in C, built with the cross compilers of the distribution and run by the runners.
//! Each prints what it observes; the expectation is the comment block at its top.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Programs built so far: tests run at the same time.
static COUNT: AtomicU32 = AtomicU32::new(0);

const GUESTS: &[(&str, &str, &str)] = &[
    ("riscv64", "riscv64-linux-gnu-gcc", env!("CARGO_BIN_EXE_remu-user-riscv64")),
    ("aarch64", "aarch64-linux-gnu-gcc", env!("CARGO_BIN_EXE_remu-user-aarch64")),
];

/// Builds `name`.c for a guest; `None` where its compiler is missing.
fn build(guest: &str, compiler: &str, name: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/guest/{name}.c"));
    let out = std::env::temp_dir().join(format!(
        "remu-{name}-{guest}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    let built = Command::new(compiler)
        .args(["-O2", "-static", "-pthread", "-Wno-all", "-o"])
        .args([&out, &source])
        .arg("-lm")
        .output();
    match built {
        Ok(o) if o.status.success() => Some(out),
        Ok(o) => panic!("{name} for {guest}: {}", String::from_utf8_lossy(&o.stderr)),
        Err(e) => {
            assert!(std::env::var_os("CI").is_none(), "{compiler} is missing: {e}");
            eprintln!("skipped for {guest}: {compiler} is missing");
            None
        }
    }
}

/// The lines between `/* expect` and `*/`.
fn expectation(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/guest/{name}.c"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("/* expect\n").unwrap();
    rest.split_once("*/").unwrap().0.to_owned()
}

fn check(name: &str, args: &[&str]) {
    run_twice(name, args, served);
}

/// Every way to the kernel gives the same (`--io`). The way where nothing goes over a ring is what
/// the other tests take.
#[test]
fn programs_run_the_same_over_a_ring() {
    for name in ["signals", "threads", "processes", "sharing", "memory", "io"] {
        let want = expectation(name);
        for (guest, compiler, runner) in GUESTS {
            let Some(program) = build(guest, compiler, name) else { continue };
            for mode in ["uring", "direct", "auto"] {
                let mut run = Command::new("timeout");
                run.args(["120", runner, "--io", mode]).arg(&program);
                let out = run.output().unwrap();
                let err = String::from_utf8_lossy(&out.stderr);
                assert_eq!(
                    String::from_utf8_lossy(&out.stdout),
                    want,
                    "{name}, {guest}, {mode}: {err}"
                );
                assert_eq!(out.status.code(), Some(0), "{name}, {guest}, {mode}: {err}");
            }
            std::fs::remove_file(&program).unwrap();
        }
    }
}

#[test]
fn signals_in_the_shape_of_faults_meet_starting_threads() {
    // Its processes end before they have anything to save.
    run_twice("beginners", &[], |_, _| {});
}

#[test]
fn processes_cloned_beside_busy_threads_allocate() {
    // Much of its code it writes itself, which no file keeps.
    run_twice("clones", &[], |_, _| {});
}

/// Where the kernel refuses rings, as in containers, calls go directly and the log says so once.
#[test]
fn refused_rings_are_done_without() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/without_rings.c");
    let refusing = std::env::temp_dir().join(format!("remu-no-rings-{}", std::process::id()));
    let built = Command::new("gcc").arg("-o").args([&refusing, &source]).status();
    if !built.is_ok_and(|s| s.success()) {
        assert!(std::env::var_os("CI").is_none(), "gcc is missing");
        return eprintln!("skipped: gcc is missing");
    }
    let want = expectation("io");
    for (guest, compiler, runner) in GUESTS {
        let Some(program) = build(guest, compiler, "io") else { continue };
        for mode in ["uring", "auto"] {
            let mut run = Command::new("timeout");
            run.arg("120").arg(&refusing).args([runner, "-d", "io", "--io", mode]).arg(&program);
            let out = run.output().unwrap();
            let err = String::from_utf8_lossy(&out.stderr);
            assert_eq!(String::from_utf8_lossy(&out.stdout), want, "{guest}, {mode}: {err}");
            assert_eq!(out.status.code(), Some(0), "{guest}, {mode}: {err}");
            let times = err.matches("the kernel refuses a ring").count();
            assert_eq!(times, usize::from(mode == "uring"), "{guest}, {mode}: {err}");
        }
        std::fs::remove_file(&program).unwrap();
    }
    std::fs::remove_file(&refusing).unwrap();
}

/// Runs a program twice on every guest; `second` sees the statistics of the second time.
fn run_twice(name: &str, args: &[&str], second: fn(&str, &str)) {
    let want = expectation(name);
    for (guest, compiler, runner) in GUESTS {
        let Some(program) = build(guest, compiler, name) else { continue };
        let cache = program.with_extension("cache");
        // Translated, then from the cache, which the runner makes.
        for turn in ["first", "second"] {
            let mut run = Command::new("timeout");
            let run = run.env("REMU_STATS", "1").env("REMU_CACHE", &cache).args(["120", runner]);
            let out = run.arg(&program).args(args).output().unwrap();
            let got = String::from_utf8_lossy(&out.stdout);
            let err = String::from_utf8_lossy(&out.stderr);
            assert_eq!(got, want, "{name} for {guest}, {turn} run: {} {err}", out.status);
            assert_eq!(out.status.code(), Some(0), "{name} for {guest}, {turn} run: {err}");
            if turn == "second" {
                second(&err, name);
            }
        }
        std::fs::remove_file(&program).unwrap();
        std::fs::remove_dir_all(&cache).unwrap();
    }
}

/// The statistics of every process say that hardly anything was translated, unless there was hardly
/// anything to do.
fn served(stats: &str, name: &str) {
    let figure = |line: &str| -> Option<f64> {
        line.split_whitespace().last()?.trim_end_matches('%').parse().ok()
    };
    let translated = stats.lines().filter(|l| l.contains("regions translated"));
    let shares = stats.lines().filter(|l| l.contains("share of all regions"));
    let mut seen = 0;
    for (translated, share) in translated.zip(shares) {
        let (translated, share) = (figure(translated).unwrap(), figure(share).unwrap());
        assert!(share > 95.0 || translated < 20.0, "{name}: {share} % served\n{stats}");
        seen += 1;
    }
    assert!(seen > 0, "{name}: no statistics in {stats}");
}

#[test]
fn signals_arrive_as_the_kernel_delivers_them() {
    check("signals", &[]);
}

#[test]
fn faults_have_the_right_signal_code_and_address() {
    check("faults", &[]);
}

#[test]
fn copies_of_any_length_touch_only_what_they_copy() {
    check("vector", &[]);
}

#[test]
fn threads_run_join_and_die() {
    check("threads", &[]);
}

#[test]
fn processes_fork_execute_and_end() {
    check("processes", &[]);
}

#[test]
fn memory_calls_and_proc_files_show_the_guest() {
    check("memory", &[]);
}

#[test]
fn the_program_is_what_processes_see_not_the_runner() {
    check("identity", &[]);
}

#[test]
fn filters_of_calls_see_the_guests_numbers() {
    check("seccomp", &[]);
}

#[test]
fn supervisors_are_notified_of_the_guests_calls() {
    check("notify", &[]);
}

#[test]
fn processes_share_memory_and_run_on() {
    check("sharing", &[]);
}

#[test]
fn limits_and_landlock_hold_over_execve() {
    // Under landlock translations are not found.
    run_twice("limits", &[], |_, _| {});
}

#[test]
fn every_kind_of_file_is_executed_as_the_kernel_does() {
    check("exec", &[]);
}

/// A runner that gains rights looks at no variable (product of `AT_SECURE`), and its program knows.
#[test]
fn a_runner_with_rights_of_its_own_ignores_the_environment() {
    use std::os::unix::fs::PermissionsExt;
    for (guest, compiler, runner) in GUESTS {
        let Some(program) = build(guest, compiler, "secure") else { continue };
        let copy = program.with_extension("runner");
        std::fs::copy(runner, &copy).unwrap();
        let run = || {
            let mut run = Command::new(&copy);
            run.envs([("REMU_STRACE", "1"), ("REMU_LOG", "in_asm"), ("REMU_STATS", "1")]);
            let out = run.arg(&program).output().unwrap();
            (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
        };
        let (out, err) = run();
        assert!(out == "secure 0\n" && err.contains("exit_group"), "{guest}: {out}{err}");
        // A group that is not the caller's: only root may give one away.
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
        if std::os::unix::fs::chown(&copy, None, Some(65534)).is_ok() {
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o2755)).unwrap();
            let (out, err) = run();
            assert_eq!((out.as_str(), err.as_str()), ("secure 1\n", ""), "{guest}");
        } else {
            assert!(std::env::var_os("CI").is_none(), "needs root");
            eprintln!("skipped: needs root");
        }
        std::fs::remove_file(&copy).unwrap();
        std::fs::remove_file(&program).unwrap();
    }
}

#[test]
fn the_vdso_is_found_and_answers() {
    check("vdso", &[]);
}

#[test]
fn guests_trace_guests() {
    // Most of its processes end before they have anything to save.
    run_twice("tracing", &[], |_, _| {});
}

/// `-d` shows the guest's code, the region and the host's code, and `-dfilter` picks of them.
#[test]
fn translations_are_shown_as_text() {
    for (guest, compiler, runner) in GUESTS {
        let Some(program) = build(guest, compiler, "faults") else { continue };
        // To a file: in a pipe the lines of the program's two processes would mix.
        let file = program.with_extension("log");
        let log = |options: &[&str]| {
            let mut runner = Command::new(runner);
            runner.arg("-D").arg(&file).args(options).arg(&program).output().unwrap();
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let _ = std::fs::remove_file(&file);
            text
        };
        let all = log(&["-d", "in_asm,op,out_asm", "-version"]);
        assert_eq!(all, "", "{guest}");
        let all = log(&["-d", "in_asm,op,out_asm"]);
        let count = |text: &str| all.lines().filter(|l| *l == text).count();
        assert!(count("IN:") > 20 && count("IN:") == count("OP:"), "{guest}: {}", count("IN:"));
        assert!(all.contains("OUT: [size=") && !all.contains("(bad)"), "{guest}");
        // The call of the kernel, in the guest's words and in the translator's.
        let (asm, op) =
            if *guest == "riscv64" { ("  ecall", "syscall") } else { ("  svc", "syscall") };
        assert!(all.contains(asm) && all.contains(op), "{guest}");
        // The first block is where the program starts.
        let first = all.lines().nth(1).unwrap().trim_end_matches(':');
        let only = log(&["-d", "in_asm", "-dfilter", &format!("{first}+4")]);
        let (shown, code) = only.split_once('\n').unwrap();
        assert_eq!((shown, code.split_once(':').unwrap().0), ("IN:", first), "{guest}");
        assert!(only.lines().filter(|l| *l == "IN:").count() < 4, "{guest}");
        assert!(!only.contains("OUT:"), "{guest}");
        std::fs::remove_file(&program).unwrap();
    }
}

/// The records of a file for perf: (process, host address, name, code). Its header and their sizes are right.
fn jit_dump(file: &Path) -> Vec<(u32, u64, String, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let head = [0, 4, 8, 12].map(word);
    assert_eq!(head, [0x4a69_5444, 1, 40, 62], "{}", file.display());
    let process = word(20);
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("jit-{process}.dump"));
    let (mut at, mut time, mut records) = (40, long(24), Vec::new());
    while at < bytes.len() {
        let (kind, size) = (word(at), word(at + 4) as usize);
        assert!(kind == 0 && size > 56 && long(at + 8) >= time, "{}, {at}", file.display());
        time = long(at + 8);
        assert_eq!((long(at + 24), long(at + 48)), (long(at + 32), records.len() as u64));
        let rest = &bytes[at + 56..at + size];
        let (name, code) = rest.split_at(rest.iter().position(|b| *b == 0).unwrap());
        assert_eq!(code.len() as u64, 1 + long(at + 40));
        let name = String::from_utf8(name.to_owned()).unwrap();
        records.push((word(at + 16), long(at + 24), name, code[1..].to_vec()));
        at += size;
    }
    assert!(records.iter().all(|r| r.0 == process));
    records
}

/// Two processes have the same code at the same places, if for other processes.
fn starts_alike(a: &[(u32, u64, String, Vec<u8>)], b: &[(u32, u64, String, Vec<u8>)]) -> bool {
    a.iter().zip(b).take(9).all(|(a, b)| (a.1, &a.2) == (b.1, &b.2)) && a.len().min(b.len()) >= 9
}

/// `-perfmap` and `-jitdump` name all translated code, also what a forked child has from its parent.
#[test]
fn perf_is_told_of_translated_code() {
    for (guest, compiler, runner) in GUESTS {
        let Some(program) = build(guest, compiler, "processes") else { continue };
        let folder = program.with_extension("dumps");
        std::fs::create_dir(&folder).unwrap();
        let mut run = Command::new("timeout");
        run.args(["120", runner, "-jitdump", "-perfmap"]).arg(&program).current_dir(&folder);
        let out = run.output().unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(
            String::from_utf8_lossy(&out.stdout),
            expectation("processes"),
            "{guest}: {err}"
        );
        let files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        let mut inherited = 0;
        let mut all = Vec::new();
        for file in files.iter().filter(|f| f.to_string_lossy().ends_with(".dump")) {
            let records = jit_dump(file);
            assert!(records.iter().all(|r| r.2.starts_with("guest_") && !r.3.is_empty()));
            let map = format!("/tmp/perf-{}.map", records[0].0);
            let lines: String =
                records.iter().map(|r| format!("{:x} {:x} {}\n", r.1, r.3.len(), r.2)).collect();
            assert_eq!(std::fs::read_to_string(&map).unwrap(), lines, "{guest}: {map}");
            std::fs::remove_file(map).unwrap();
            all.push(records);
        }
        for records in &all {
            let of_a_parent =
                all.iter().any(|p| p[0].0 != records[0].0 && starts_alike(p, records));
            inherited += usize::from(of_a_parent);
        }
        assert!(all.len() > 5 && err.is_empty(), "{guest}: {} files, {err}", all.len());
        std::fs::remove_file(&program).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(inherited > 0, "{guest}: no child has its parent's code");
    }
}

/// `REMU_STORM_SECONDS=60` is the long form.
#[test]
fn storms_of_signals_processes_threads_and_code_lose_nothing() {
    let seconds = std::env::var("REMU_STORM_SECONDS").unwrap_or_else(|_| "2".into());
    // Most of its code it writes itself, which no file keeps.
    run_twice("storm", &[&seconds], |_, _| {});
}
