//! Files that are no programs, and programs that lie about themselves: one line of complaint and the
//! exit status a shell would give, never a panic.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RUNNER: &str = env!("CARGO_BIN_EXE_remu-user-riscv64");
/// `li a0, 7; li a7, 94; ecall`: exit_group(7).
const CODE: [u8; 12] = [0x13, 0x05, 0x70, 0x00, 0x93, 0x08, 0xe0, 0x05, 0x73, 0, 0, 0];
const BASE: u64 = 0x10000;

/// A scratch directory that goes away.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("remu-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
    fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A static program: ELF header, two program headers, code.
fn program() -> Vec<u8> {
    let mut f = Vec::new();
    f.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [2u16, 243] {
        f.extend(half.to_le_bytes());
    }
    f.extend(1u32.to_le_bytes());
    for word in [BASE + 64 + 2 * 56, 64, 0] {
        f.extend(word.to_le_bytes());
    }
    f.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 2, 0, 0, 0] {
        f.extend(half.to_le_bytes());
    }
    let size = 64 + 2 * 56 + CODE.len() as u64;
    segment(&mut f, 5, 0, BASE, size, size);
    segment(&mut f, 6, 0, BASE + 0x1000, 16, 0x3000);
    f.extend(CODE);
    f
}

fn segment(f: &mut Vec<u8>, flags: u32, offset: u64, addr: u64, file: u64, memory: u64) {
    f.extend(1u32.to_le_bytes());
    f.extend(flags.to_le_bytes());
    for word in [offset, addr, addr, file, memory, 0x1000] {
        f.extend(word.to_le_bytes());
    }
}

fn run(args: &[&OsStr]) -> Output {
    Command::new(RUNNER).args(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs a file; the exit status and the complaint without the names before it.
fn complaint(path: &Path) -> (Option<i32>, String) {
    let out = run(&[path.as_os_str()]);
    let text = String::from_utf8(out.stderr).unwrap();
    let prefix = format!("remu-user-riscv64: {}: ", path.display());
    let text = text.strip_prefix(&prefix).unwrap_or_else(|| panic!("{text:?}")).to_owned();
    assert_eq!(text.matches('\n').count(), 1, "{text:?}");
    (out.status.code(), text.trim_end().to_owned())
}

#[test]
fn good_program_runs() {
    let dir = Scratch::new("good");
    assert_eq!(run(&[dir.file("p", &program(), 0o755).as_os_str()]).status.code(), Some(7));
}

#[test]
fn files_that_are_no_programs_are_named_with_the_reason() {
    let dir = Scratch::new("bad");
    let p = program();
    let with = |at: usize, bytes: &[u8]| {
        let mut p = p.clone();
        p[at..at + bytes.len()].copy_from_slice(bytes);
        p
    };
    let cases: &[(&str, Vec<u8>, i32, &str)] = &[
        ("empty", vec![], 126, "not an ELF file"),
        ("text", b"hello".to_vec(), 126, "not an ELF file"),
        ("cut", p[..40].to_vec(), 126, "truncated ELF file"),
        ("cut-table", p[..100].to_vec(), 126, "truncated ELF file"),
        ("arm", with(18, &[183, 0]), 126, "built for aarch64; use remu-user-aarch64"),
        ("big-endian", with(5, &[2]), 126, "built for an unknown machine (e_machine 62208)"),
        ("object", with(16, &[1, 0]), 126, "not an executable or shared object"),
        ("no-headers", with(56, &[0, 0]), 126, "malformed ELF file: program header table"),
        ("phentsize", with(54, &[55, 0]), 126, "malformed ELF file: program header table"),
        ("huge", with(64 + 40, &[0xff; 8]), 126, "malformed ELF file: segment size"),
        ("skewed", with(64 + 8, &[1]), 126, "malformed ELF file: segment alignment"),
        (
            "overlap",
            with(64 + 56 + 16, &BASE.to_le_bytes()),
            126,
            "malformed ELF file: overlapping segments",
        ),
        ("script", b"#!/no/such/interpreter\n".to_vec(), 127, "No such file or directory"),
    ];
    for (name, content, status, text) in cases {
        let path = dir.file(name, content, 0o755);
        assert_eq!(complaint(&path), (Some(*status), (*text).to_owned()), "{name}");
    }
}

#[test]
fn missing_files_and_permissions_are_told_apart() {
    let dir = Scratch::new("perm");
    let missing = dir.0.join("missing");
    assert_eq!(complaint(&missing), (Some(127), "No such file or directory".into()));
    assert_eq!(complaint(&dir.0), (Some(126), "Permission denied".into()));
    let plain = dir.file("plain", &program(), 0o644);
    assert_eq!(complaint(&plain), (Some(126), "Permission denied".into()));
}

#[test]
fn missing_interpreter_names_the_path_and_the_option() {
    let dir = Scratch::new("interp");
    let mut p = program();
    // The second header becomes PT_INTERP over a path at the end.
    let at = p.len() as u64;
    p.extend(b"/lib/no-such-ld.so\0");
    p[64 + 56..64 + 60].copy_from_slice(&3u32.to_le_bytes());
    p[64 + 56 + 8..64 + 56 + 16].copy_from_slice(&at.to_le_bytes());
    p[64 + 56 + 32..64 + 56 + 40].copy_from_slice(&19u64.to_le_bytes());
    let path = dir.file("p", &p, 0o755);
    let (status, text) = complaint(&path);
    assert_eq!(status, Some(126));
    assert_eq!(
        text,
        "interpreter /lib/no-such-ld.so not found; give the directory that has the guest's libraries with -L"
    );
    let out = run(&["-L".as_ref(), dir.0.as_os_str(), path.as_os_str()]);
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(text.contains(&format!("looked for {}/lib/no-such-ld.so", dir.0.display())), "{text}");
}

#[test]
fn too_little_memory_is_said() {
    let dir = Scratch::new("memory");
    let path = dir.file("p", &program(), 0o755);
    let (mut ran, mut refused) = (0, 0);
    // From less than the translator needs to more than enough.
    for kib in (20_000..1_000_000).step_by(20_000) {
        let script = format!("ulimit -v {kib}; exec \"$0\" \"$1\"");
        let out = Command::new("sh").args(["-c", &script, RUNNER]).arg(&path).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        match out.status.code() {
            Some(7) => ran += 1,
            Some(126) => {
                refused += 1;
                assert!(text.starts_with("remu-user-riscv64: "), "{kib} KiB: {text:?}");
            }
            other => panic!("{kib} KiB: {other:?} {text:?}"),
        }
    }
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} refused");
}

#[test]
fn random_headers_never_make_the_runner_panic() {
    let dir = Scratch::new("fuzz");
    let good = program();
    let mut seed = 0x1234_5678_9abc_def1u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let rounds = std::env::var("REMU_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    for round in 0..rounds {
        let mut p = good.clone();
        for _ in 0..1 + random() % 4 {
            // Headers only: random code proves nothing about the loader.
            let at = (random() % (64 + 2 * 56 - 8)) as usize;
            match random() % 3 {
                0 => p[at] = random() as u8,
                1 => p[at..at + 8].copy_from_slice(&random().to_le_bytes()),
                _ => p[at..at + 8].copy_from_slice(&(1u64 << (random() % 64)).to_le_bytes()),
            }
        }
        if random() % 8 == 0 {
            p.truncate(random() as usize % p.len());
        }
        let path = dir.file("p", &p, 0o755);
        let out = Command::new("timeout").args(["20", RUNNER]).arg(&path).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(!text.contains("panicked"), "round {round}: {text}\n{p:02x?}");
        assert_ne!(out.status.code(), Some(124), "round {round} hangs\n{p:02x?}");
    }
}
