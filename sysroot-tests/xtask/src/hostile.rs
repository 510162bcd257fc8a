//! `cargo xtask hostile`: random system calls with hostile arguments must not break the runner.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::{cache, cmd, programs};

/// What the runner writes when it breaks.
const SIGNS: [&str; 2] = ["panicked at", "fault of the runner itself"];

/// Namespaces, empty folders for temporary files, nobody's identity: arguments runner, program, seed,
/// seconds. The program makes itself a user namespace, which a changed root would not permit.
const SHELL: &str = "exec 3<\"$1\" 4<\"$2\" && mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/tmp && \
    mount -t tmpfs tmpfs /dev/shm && chmod 1777 /tmp /var/tmp /dev/shm && \
    cat <&3 >/tmp/runner && cat <&4 >/tmp/hostile && exec 3<&- 4<&- && chmod 755 /tmp/runner /tmp/hostile && cd /tmp && \
    exec setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/runner /tmp/hostile \"$3\" \"$4\"";

/// Runs the program in `sysroot-tests/fuzz/hostile.c` for a time. Needs root, which it gives up.
pub(crate) fn run(guest: Arch, seconds: u64, seed: u64, bin: Option<PathBuf>) -> Result<()> {
    let runs = cache::root()?.join("runs");
    fs::create_dir_all(&runs)?;
    let program = runs.join(format!("hostile-{guest}-{}", std::process::id()));
    let mut gcc = Command::new(format!("{}-gcc", guest.row().triplet));
    gcc.args(["-O1", "-w", "-static", "-o"]).arg(&program);
    cmd::run(gcc.arg(cache::repository().join("sysroot-tests/fuzz/hostile.c")))?;
    let runner = fs::canonicalize(programs::remu(guest, bin, false)?.binary)?;
    let mut unshare = Command::new("timeout");
    unshare.args(["-s", "KILL", &(seconds + 60).to_string(), "unshare", "--mount", "--net"]);
    unshare.args(["--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare.args(["sh", "-c", SHELL, "sh"]).arg(runner).arg(&program);
    unshare.args([seed.to_string(), seconds.to_string()]);
    let outcome = unshare.stdin(Stdio::null()).output();
    fs::remove_file(&program)?;
    let outcome = outcome?;
    // The calls write there, too.
    let text = |bytes: &[u8]| -> String {
        let shown = bytes.iter().filter(|b| matches!(b, b'\n' | b' '..=b'~'));
        shown.map(|&b| char::from(b)).collect()
    };
    let (out, err) = (text(&outcome.stdout), text(&outcome.stderr));
    print!("hostile calls, {guest}, seed {seed}: {out}");
    let broken: Vec<&str> =
        err.lines().filter(|l| SIGNS.iter().any(|sign| l.contains(sign))).collect();
    if !broken.is_empty() {
        let at = err.lines().position(|l| l == broken[0]).unwrap_or(0);
        let shown: Vec<&str> = err.lines().skip(at).take(3).collect();
        bail!("the runner broke {} times, first: {}", broken.len(), shown.join("\n"));
    }
    if !outcome.status.success() {
        let last: String = err.lines().last().unwrap_or_default().chars().take(200).collect();
        bail!("ended with {}: {last}", outcome.status);
    }
    let rounds = out.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    let rounds = rounds.context("the program did not say how many rounds it made")?;
    // A round takes milliseconds, at most three seconds.
    if rounds < seconds / 3 { bail!("only {rounds} rounds") } else { Ok(()) }
}
