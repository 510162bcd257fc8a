//! Running programs inside a throw-away copy of a sysroot.
//!
//! Two stages, both this program started again: the first enters new namespaces, the second is process 1
//! of the new process namespace, mounts an overlay of the sysroot and runs the program in it. When process 1
//! ends, so does everything that it started, and every change is gone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

use crate::cmd;

/// What to run, where, and with what in place.
#[derive(Clone, Serialize, Deserialize, Default)]
pub(crate) struct Spec {
    /// The sysroot: never written to.
    pub(crate) sysroot: PathBuf,
    /// Program and arguments as seen inside; the program is an absolute path.
    pub(crate) argv: Vec<String>,
    /// Files to make before the start: path relative to the working folder `/work`, or absolute.
    pub(crate) files: BTreeMap<String, String>,
    /// Files of this machine to copy in, executable: name in the working folder and source.
    pub(crate) copies: BTreeMap<String, PathBuf>,
    /// Environment beside the fixed one.
    pub(crate) env: BTreeMap<String, String>,
    /// An emulator to put in front of the program.
    pub(crate) runner: Option<Runner>,
    /// Commands run and not timed before the program, with the same runner.
    pub(crate) prepare: Vec<String>,
    /// How often to run the program; more than once only for timing.
    pub(crate) repeat: u32,
    /// Where to write the outcome.
    pub(crate) report: PathBuf,
}

/// An emulator as the jail gets it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Runner {
    /// The static binary on this machine; appears inside as `/usr/bin/<file name>`.
    pub(crate) binary: PathBuf,
    /// Register it with the kernel, instead of naming it on the command line.
    pub(crate) register: Option<Register>,
}

/// How an emulator is registered with binfmt_misc.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Register {
    /// For files of this ELF machine number; the emulator stays where it is.
    Machine(u16),
    /// By this `remu-binfmt`, with its own defaults. The runner is deleted from the jail afterwards:
    /// the kernel holds it open.
    Binfmt(PathBuf),
}

/// What became of the program.
#[derive(Clone, Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// Ended by itself with this status.
    Exit(i32),
    /// Killed by this signal.
    Signal(i32),
    /// Still running after its time.
    Timeout,
}

/// Ending, output and time of a run.
pub(crate) struct Outcome {
    /// How the (last) run ended.
    pub(crate) ending: Ending,
    /// Everything written to standard output.
    pub(crate) stdout: Vec<u8>,
    /// Everything written to standard error.
    pub(crate) stderr: Vec<u8>,
    /// Wall-clock seconds of each run.
    pub(crate) seconds: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Report {
    ending: Ending,
    seconds: Vec<f64>,
}

/// Runs `spec` and waits at most `limit`.
pub(crate) fn run(spec: &Spec, stdin: &[u8], limit: Duration) -> Result<Outcome> {
    let spec_file = spec.report.with_extension("spec");
    fs::write(&spec_file, serde_json::to_vec(spec)?)?;
    // Niceness, ignored signals and open files of whoever started the checks must not show
    // in what the programs print.
    let plain = "renice -n 0 $$ >/dev/null 2>&1; \
        for f in /proc/$$/fd/*; do f=${f##*/}; if ((f > 2)); then exec {f}>&-; fi; done; \
        exec env --default-signal \"$@\"";
    let mut child = Command::new("bash")
        .args(["-c", plain, "bash"])
        .arg(std::env::current_exe()?)
        .arg("jail-outer")
        .arg(&spec_file)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (mut input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (status, stdout, stderr) = std::thread::scope(|threads| {
        // A program that reads no input closes the pipe early, which is not an error here.
        threads.spawn(move || input.take().map(|mut i| std::io::Write::write_all(&mut i, stdin)));
        let out = threads.spawn(move || drain(out));
        let err = threads.spawn(move || drain(err));
        let status = wait_or_kill(&mut child, limit);
        (status, out.join().unwrap_or_default(), err.join().unwrap_or_default())
    });
    let outcome = match status? {
        None => Outcome { ending: Ending::Timeout, stdout, stderr, seconds: Vec::new() },
        Some(status) => {
            // Process 1 makes the file before it starts anything and fills it at the end.
            let text = fs::read(&spec.report).unwrap_or_default();
            if text.is_empty() {
                bail!("the jail broke ({status}): {}", String::from_utf8_lossy(&stderr));
            }
            let report: Report = serde_json::from_slice(&text)?;
            Outcome { ending: report.ending, stdout, stderr, seconds: report.seconds }
        }
    };
    let _ = fs::remove_file(&spec_file);
    let _ = fs::remove_file(&spec.report);
    Ok(outcome)
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut data = Vec::new();
    // What arrived before an error is still what the program wrote.
    let _ = pipe.map(|mut p| p.read_to_end(&mut data));
    data
}

/// Waits for `child`; none if it had to be killed after `limit`.
fn wait_or_kill(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            // Process 1 of the jail is told of its parent's death and takes all others with it.
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// First stage: new namespaces.
pub(crate) fn outer(spec_file: &Path) -> Result<()> {
    enter(
        CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWCGROUP,
    )?;
    let status =
        Command::new(std::env::current_exe()?).arg("jail-inner").arg(spec_file).status()?;
    std::process::exit(status.code().unwrap_or(1));
}

/// Enters a user namespace, so that binfmt_misc registrations are its own, and new namespaces of mounts,
/// of processes (which begins with the next child) and `others`.
pub(crate) fn enter(others: CloneFlags) -> Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    let uid = nix::unistd::geteuid();
    let gid = nix::unistd::getegid();
    let mut helper = if uid.is_root() { Some(map_ids_from_outside()?) } else { None };
    unshare(CloneFlags::CLONE_NEWUSER).context("cannot make a user namespace")?;
    match &mut helper {
        Some(child) => {
            drop(child.stdin.take());
            if !child.wait()?.success() {
                bail!("cannot write the identity map of the user namespace");
            }
        }
        None => {
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
            fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
        }
    }
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | others)
        .context("cannot make namespaces")
}

/// A process that stays outside and, when its input closes, maps every identity of this process to itself.
///
/// Writing a map of more than one identity needs privilege in the namespace outside.
fn map_ids_from_outside() -> Result<Child> {
    let pid = std::process::id();
    let script = format!(
        "read x; for f in uid_map gid_map; do echo 0 0 65536 >/proc/{pid}/$f || exit 1; done"
    );
    Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start sh")
}

/// Second stage, process 1: mounts, then runs the program and writes the report.
pub(crate) fn inner(spec_file: &Path) -> Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    let spec: Spec = serde_json::from_slice(&fs::read(spec_file)?)?;
    // Opened before the change of root hides it.
    let mut report = fs::File::create(&spec.report)?;
    cmd::run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let root = mount_root(&spec)?;
    for (name, source) in &spec.copies {
        fs::copy(source, root.join("work").join(name))?;
        fs::set_permissions(root.join("work").join(name), fs::Permissions::from_mode(0o755))?;
    }
    // The kernel gives no user namespace to who sits in a mere chroot.
    std::env::set_current_dir(&root)?;
    nix::unistd::pivot_root(".", ".").context("cannot change root")?;
    nix::mount::umount2(".", nix::mount::MntFlags::MNT_DETACH)
        .context("cannot leave the old root")?;
    std::env::set_current_dir("/work")?;
    nix::unistd::sethostname("guest")?;
    for (name, text) in &spec.files {
        let path = Path::new("/work").join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        fs::write(&path, text)?;
    }
    for line in &spec.prepare {
        let argv = ["/bin/sh", "-c", line].map(str::to_string);
        let status = program(&spec, &argv).status()?;
        if !status.success() {
            bail!("preparation `{line}` failed: {status}");
        }
    }
    let mut seconds = Vec::new();
    let mut ending = Ending::Exit(0);
    for _ in 0..spec.repeat.max(1) {
        let start = Instant::now();
        let status = program(&spec, &spec.argv)
            .status()
            .with_context(|| format!("cannot start {:?}", spec.argv))?;
        seconds.push(start.elapsed().as_secs_f64());
        ending = match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exit(code),
            (None, signal) => Ending::Signal(signal.unwrap_or(0)),
        };
    }
    std::io::Write::write_all(&mut report, &serde_json::to_vec(&Report { ending, seconds })?)?;
    Ok(())
}

/// The program with its environment, behind the runner where that is named on the command line.
fn program(spec: &Spec, argv: &[String]) -> Command {
    let mut words = Vec::new();
    if let Some(Runner { binary, register: None }) = &spec.runner {
        words.push(inside(binary));
    }
    words.extend(argv.iter().cloned());
    let mut command = Command::new(words.first().map_or("", String::as_str));
    command.args(words.iter().skip(1)).env_clear();
    for (name, value) in [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC0"),
        ("TERM", "dumb"),
    ] {
        command.env(name, value);
    }
    command.envs(&spec.env);
    command
}

/// Where the jail shows a runner.
fn inside(binary: &Path) -> String {
    format!("/usr/bin/{}", binary.file_name().unwrap_or_default().to_string_lossy())
}

/// Mounts overlay, devices, proc and the runner; returns the new root.
fn mount_root(spec: &Spec) -> Result<PathBuf> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .context("cannot make mounts private")?;
    // Binaries of the machine are opened before anything covers their folders.
    let scratch = Path::new("/tmp");
    let open = |p: &Path| fs::File::open(p).with_context(|| p.display().to_string());
    let source = spec.runner.as_ref().map(|r| open(&r.binary)).transpose()?;
    let binfmt = match spec.runner.as_ref().and_then(|r| r.register.as_ref()) {
        Some(Register::Binfmt(program)) => Some(open(program)?),
        _ => None,
    };
    let sysroot = fs::canonicalize(&spec.sysroot)?;
    if sysroot.starts_with(scratch) {
        bail!("the cache must not lie under /tmp, which jails cover");
    }
    mount(Some("tmpfs"), scratch, Some("tmpfs"), MsFlags::empty(), Some("size=6g"))?;
    let (upper, work, root) = (scratch.join("upper"), scratch.join("worker"), scratch.join("root"));
    for dir in [&upper, &work, &root] {
        fs::create_dir(dir)?;
    }
    let show = |p: &Path| p.display().to_string();
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        show(&sysroot),
        show(&upper),
        show(&work)
    );
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .context("cannot mount the overlay")?;
    for dir in ["work", "proc", "dev", "sys", "tmp", "root", "var/tmp"] {
        fs::create_dir_all(root.join(dir))?;
    }
    mount(Some("proc"), &root.join("proc"), Some("proc"), MsFlags::empty(), NONE)
        .context("cannot mount proc")?;
    mount_dev(&root.join("dev"))?;
    if let (Some(runner), Some(source)) = (&spec.runner, source) {
        let target = root.join(inside(&runner.binary).trim_start_matches('/'));
        install(source, &target)?;
        if let Some(how) = &runner.register {
            let dir = mount_binfmt(&root)?;
            match (how, binfmt) {
                (Register::Machine(machine), _) => register(&dir, &target, *machine)?,
                (Register::Binfmt(_), Some(program)) => register_remu(program, &dir, &target)?,
                (Register::Binfmt(_), None) => {}
            }
        }
    }
    Ok(root)
}

/// A small `/dev`: this machine's harmless devices, terminals and shared memory.
fn mount_dev(dev: &Path) -> Result<()> {
    const NONE: Option<&str> = None;
    mount(Some("tmpfs"), dev, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let target = dev.join(name);
        fs::File::create(&target)?;
        mount(Some(&Path::new("/dev").join(name)), &target, NONE, MsFlags::MS_BIND, NONE)
            .with_context(|| format!("cannot show /dev/{name}"))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        std::os::unix::fs::symlink(target, dev.join(name))?;
    }
    for name in ["shm", "pts"] {
        fs::create_dir(dev.join(name))?;
    }
    mount(Some("tmpfs"), &dev.join("shm"), Some("tmpfs"), MsFlags::empty(), Some("mode=1777"))?;
    let pts = Some("newinstance,ptmxmode=0666,mode=620");
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), MsFlags::empty(), pts)
        .context("cannot mount devpts")
}

/// Mounts this namespace's own binfmt_misc below `root`, where registrations live as long as the mount does.
fn mount_binfmt(root: &Path) -> Result<PathBuf> {
    let dir = root.join("proc/sys/fs/binfmt_misc");
    mount(Some("binfmt_misc"), &dir, Some("binfmt_misc"), MsFlags::empty(), None::<&str>)
        .context("cannot mount binfmt_misc in a user namespace (needs Linux 6.7)")?;
    Ok(dir)
}

/// Registers a runner where it lies on this machine, in this namespace's own binfmt_misc.
pub(crate) fn register_in_place(runner: &Runner) -> Result<()> {
    let dir = mount_binfmt(Path::new("/"))?;
    match &runner.register {
        None => Ok(()),
        Some(Register::Machine(machine)) => register(&dir, &runner.binary, *machine),
        Some(Register::Binfmt(program)) => {
            let name = runner.binary.file_name().unwrap_or_default().to_string_lossy();
            let guest = name.strip_prefix("remu-user-").context("not a runner's name")?;
            cmd::run(Command::new(program).arg("--directory").arg(dir).args(["register", guest]))
        }
    }
}

/// Registers the runner for 64-bit little-endian ELF files of one machine, in this namespace's own binfmt_misc.
///
/// With the flags that distributions use, which are also those of `remu-binfmt`.
fn register(dir: &Path, runner: &Path, machine: u16) -> Result<()> {
    // Identification, type (ET_EXEC or ET_DYN by the mask) and machine of the ELF header.
    let [low, high] = machine.to_le_bytes();
    let magic =
        format!(r"\x7fELF\x02\x01\x01\x00{}\x02\x00\x{low:02x}\x{high:02x}", r"\x00".repeat(8));
    let mask = format!(r"\xff\xff\xff\xff\xff\xff\xff\x00{}\xfe\xff\xff\xff", r"\xff".repeat(8));
    let row = format!(":guest:M::{magic}:{mask}:{}:FPOC", runner.display());
    fs::write(dir.join("register"), row).context("binfmt_misc refuses the registration")
}

/// Has `remu-binfmt` register the runner, then deletes both.
fn register_remu(program: fs::File, dir: &Path, runner: &Path) -> Result<()> {
    let name = runner.file_name().unwrap_or_default().to_string_lossy();
    let guest = name.strip_prefix("remu-user-").context("not a runner's name")?;
    let binfmt = runner.with_file_name("remu-binfmt");
    install(program, &binfmt)?;
    let mut command = Command::new(&binfmt);
    cmd::run(command.arg("--directory").arg(dir).args(["register", guest]).stdout(Stdio::null()))?;
    for file in [&binfmt, runner] {
        fs::remove_file(file).with_context(|| format!("cannot delete {}", file.display()))?;
    }
    Ok(())
}

/// Copies an open file to `target`, executable.
fn install(mut source: fs::File, target: &Path) -> Result<()> {
    let mut copy = fs::File::create(target)?;
    std::io::copy(&mut source, &mut copy)?;
    Ok(nix::sys::stat::fchmod(&copy, nix::sys::stat::Mode::from_bits_truncate(0o755))?)
}
