//! What the ISAs' comparisons with GNU objdump share: the tool, and the files to disassemble.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files whose whole `.text` is compared unless `REMU_ALL` is set, which takes many minutes: the
/// starts of their names.
const SAMPLE: [&str; 18] = [
    "ld-linux",
    "libc.so",
    "libm.so",
    "libstdc++",
    "libcrypto",
    "libssl",
    "libpython3",
    "libperl",
    "libgcrypt",
    "libsqlite3",
    "libgomp",
    "libgmp",
    "libmpfr",
    "libzstd",
    "liblzma",
    "perl5",
    "bash",
    "cc1",
];

/// The least number of whole files that must have been compared.
const LEAST: usize = 10;

/// Whether the tool exists; under `CI=true` it must.
pub(crate) fn have(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "{tool} is missing");
        eprintln!("{tool} is missing: nothing compared");
    }
    found
}

/// Compares the `.text` of the sample with `compare`, which gives the count of instructions and
/// the differences by kind; panics on any difference, and under `CI=true` if files are missing.
pub(crate) fn whole_libraries(
    guest: &str,
    compare: impl Fn(&Path) -> (usize, BTreeMap<String, String>) + Sync,
) {
    let list = files(guest);
    if list.len() < LEAST {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "{} files found for {guest}, {LEAST} needed", list.len());
        eprintln!("only {} files found for {guest}", list.len());
    }
    let (next, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let bad = Mutex::new(String::new());
    let work = || {
        while let Some(file) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (count, kinds) = compare(file);
            assert!(count > 0, "{} has no .text", file.display());
            total.fetch_add(count, Ordering::Relaxed);
            let mut bad = bad.lock().expect("no comparison panicked");
            bad.extend(kinds.values().map(|kind| format!("{}: {kind}\n", file.display())));
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(work);
        }
    });
    eprintln!("{} instructions of {} files compared", total.into_inner(), list.len());
    let bad = bad.into_inner().expect("no comparison panicked");
    assert!(bad.is_empty(), "{bad}");
}

/// The sample's files in the cross compiler's folder and in `$REMU_TEST_CACHE/sysroots/GUEST`
/// (default `~/.cache/remu`), the largest first, each name once.
fn files(guest: &str) -> Vec<PathBuf> {
    let cache = std::env::var_os("REMU_TEST_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/remu")));
    let mut folders = Vec::new();
    if let Some(cache) = cache {
        let root = cache.join("sysroots").join(guest);
        folders.push(root.join(format!("usr/lib/{guest}-linux-gnu")));
        folders.push(root.join("usr/bin"));
        let gcc = root.join(format!("usr/libexec/gcc/{guest}-linux-gnu"));
        folders.extend(std::fs::read_dir(gcc).into_iter().flatten().flatten().map(|e| e.path()));
    }
    folders.push(PathBuf::from(format!("/usr/{guest}-linux-gnu/lib")));
    let all = std::env::var_os("REMU_ALL").is_some();
    let mut found = BTreeMap::new();
    for folder in folders {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let chosen = all || SAMPLE.iter().any(|start| name.starts_with(start));
            if chosen && !path.is_symlink() && is_elf(&path) {
                found.entry(name).or_insert(path);
            }
        }
    }
    let mut list: Vec<_> = found.into_values().collect();
    list.sort_by_key(|path| std::cmp::Reverse(path.metadata().map_or(0, |m| m.len())));
    list
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    std::fs::File::open(path).is_ok_and(|mut f| f.read_exact(&mut magic).is_ok())
        && magic == *b"\x7fELF"
}
