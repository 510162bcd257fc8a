//! From the command line to the first guest instruction.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use remu_engine::{CodeSource, Cpu, Engine, Module};
use remu_isa::Guest;
use remu_syscalls::{Errno, GuestMemory, MmapArgs};

use crate::cli::{Command, Form, Invocation, List, Startup, base_name};
use crate::dump::Rest;
use crate::guest::{GuestOs, Regs, set};
use crate::loader::{self, AuxInfo, FileKind, LoadError, VdsoImage, machine_name};
use crate::mm::{AddressSpace, page_up};
use crate::signal::{Actions, host};
use crate::sysroot::Sysroot;
use crate::task::{self, Config, Limits, Resolved, Shared, Task};
use crate::trace::{EXEC_FLAG, Kick};
use crate::{logging, report};

/// Exit status of a mistake on the command line or of the runner's own.
const FAILED: i32 = 1;
/// Exit status of a program that exists but cannot be run, as shells give it.
const CANNOT_RUN: i32 = 126;
/// Exit status of a program that is not there.
const NOT_FOUND: i32 = 127;
/// `AT_FLAGS_PRESERVE_ARGV0` (`linux/binfmts.h`).
const PRESERVE_ARGV0: u64 = 1;

/// A message and the exit status that goes with it.
struct Failure(String, i32);

impl Failure {
    fn own(text: impl ToString) -> Failure {
        Failure(text.to_string(), FAILED)
    }
}

/// Runs the runner for one guest; the exit status where it does not become the guest's.
pub fn main(guest: &str) -> i32 {
    let args: Vec<OsString> = std::env::args_os().collect();
    let name = args.first().map_or("remu", |a| base_name(a)).to_owned();
    match start(guest, &args) {
        Ok(never) => never,
        Err(Failure(text, status)) => {
            logging::complain(&name, &text);
            status
        }
    }
}

fn start(guest: &str, args: &[OsString]) -> Result<i32, Failure> {
    let row = remu_registry::by_name(guest)
        .ok_or_else(|| Failure::own(format!("{guest} is not built in")))?;
    let auxv = host_auxv();
    let startup = Startup {
        preserves_argv0: auxv.flags & PRESERVE_ARGV0 != 0,
        has_exec_fd: auxv.exec_fd.is_some(),
        secure: auxv.secure,
    };
    let env = |name: &str| std::env::var_os(name);
    let command = Command::parse(args, &env, startup).map_err(Failure::own)?;
    let mut inv = match command {
        Command::Print(text) => return Ok(print(&text)),
        Command::List(list) => return Ok(print(&listed(row, list)?)),
        Command::Run(inv) => inv,
    };
    set_up(&mut inv, auxv.secure).map_err(Failure::own)?;
    run(row, &args[0], *inv, &auxv)
}

fn print(text: &str) -> i32 {
    // Not println: a closed pipe must not panic.
    let done = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    if done.is_ok() { 0 } else { FAILED }
}

/// `--syscalls`, `-cpu help` and `-d help`.
fn listed(guest: &Guest, list: List) -> Result<String, Failure> {
    Ok(match list {
        List::Calls(form) => {
            let abi = remu_syscalls::abi(guest.name)
                .ok_or_else(|| Failure::own(format!("no system calls for {}", guest.name)))?;
            match form {
                Form::Text => remu_syscalls::support_text(abi),
                Form::Json => remu_syscalls::support_json(abi),
            }
        }
        List::LogItems => logging::help(),
        List::Models => {
            let models = guest.models.iter();
            let list: String = models.map(|m| format!("  {:<16} {}\n", m.name, m.about)).collect();
            format!("Models of -cpu, the default first; add ,FEATURE=on|off:\n{list}")
        }
    })
}

/// Logging, the seed, and what only concerns this process.
fn set_up(inv: &mut Invocation, secure: bool) -> Result<(), String> {
    let o = &mut inv.options;
    o.strace |= logging::start(&o.log_items, o.log_file.as_deref(), o.runner_fd.is_some())?;
    if let Some(seed) = o.seed {
        loader::set_seed(seed);
    }
    remu_syscalls::set_io(o.io);
    remu_syscalls::remember_limits(&o.resource_limits);
    report::set_crash(!secure && std::env::var_os("REMU_CRASH").is_some_and(|v| v == "1"));
    Ok(())
}

/// What the kernel told the runner about itself (getauxval(3)).
struct HostAuxv {
    flags: u64,
    exec_fd: Option<i32>,
    secure: bool,
}

#[expect(unsafe_code, reason = "getauxval(3) has no safe wrapper")]
fn host_auxv() -> HostAuxv {
    // SAFETY: getauxval has no preconditions.
    let get = |key| unsafe { libc::getauxval(key) };
    // A missing entry and descriptor 0 look alike; the kernel never gives a program descriptor 0
    // unless standard input was closed, so it is taken for missing.
    let fd = get(libc::AT_EXECFD);
    HostAuxv {
        flags: get(libc::AT_FLAGS),
        exec_fd: i32::try_from(fd).ok().filter(|&fd| fd > 0),
        secure: get(libc::AT_SECURE) != 0,
    }
}

/// Reads guest code for the translator.
struct GuestCode(Arc<AddressSpace>);

impl CodeSource for GuestCode {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        self.0.fetch(addr, buf)
    }
    fn module(&self, addr: u64) -> Option<Module> {
        self.0.module(addr)
    }
}

fn run(
    row: &'static Guest,
    runner: &OsStr,
    mut inv: Invocation,
    auxv: &HostAuxv,
) -> Result<i32, Failure> {
    // Signals wait in the kernel until there is a guest to deliver them to.
    let mask = host::block();
    let os = crate::guest::find(row.name)
        .ok_or_else(|| Failure::own(format!("no Linux ABI for {}", row.name)))?;
    let abi = remu_syscalls::abi(row.name)
        .ok_or_else(|| Failure::own(format!("no system calls for {}", row.name)))?;
    let limits = task::adopt_limits(inv.options.limits_fd)
        .ok_or_else(|| Failure::own("the filters of calls handed over are not there"))?;
    let sysroot = Sysroot::open(inv.options.prefix.as_deref());
    let shown = inv.program.to_string_lossy().into_owned();
    let found = find_program(&sysroot, &inv, auxv).map_err(|e| cannot_open(&shown, e))?;
    let mm = Arc::new(AddressSpace::new());
    let engine = engine(row, &mut inv, &mm, auxv.secure)?;
    let program = loader::load(&mm, &found.file, row.elf_machine, &sysroot)
        .map_err(|e| cannot_load(&shown, &found.kind, e))?;
    let exe = task::absolute(&found.file, &found.path);
    let exec_path = c_string(&inv.program)?;
    let number = |call: &str| abi.number(call);
    let vdso = loader::build_vdso(&os.vdso, row.elf_machine, number);
    let vdso_at = map_vdso(&mm, &vdso).map_err(|e| Failure(e.to_string(), CANNOT_RUN))?;
    let info = AuxInfo { vdso: vdso_at, ..aux_info(os, engine, auxv, exec_path) };
    let env = environment(&inv)?;
    let size = loader::stack_size(inv.options.stack_size);
    let stack = loader::build_stack(&mm, size, &program, &info, &found.argv, &env)
        .map_err(|e| cannot_load(&shown, &found.kind, e))?;
    log::info!(target: "remu::elf", "{exe:?} at {:#x}, interpreter at {:#x}, start {:#x}, stack {:#x}",
        program.placed.load, program.base, program.start, stack.pointer);
    for a in mm.areas(0, u64::MAX) {
        log::debug!(target: "remu::mm", "{:#x}-{:#x} prot {}", a.start, a.end, a.prot);
    }
    let regs = Regs::find(&os.regs, engine.isa().state())
        .ok_or_else(|| Failure::own("the processor state lacks a register of the ABI"))?;
    let comm = base_name(OsStr::from_bytes(exec_name(&inv).as_bytes())).as_bytes().to_vec();
    set_comm(&comm);
    let runner_fd = match inv.options.runner_fd {
        Some(fd) => Some(fd),
        None if inv.binfmt => None,
        None => task::open_runner(),
    };
    let config = Config {
        guest: row,
        replay: inv.replay.iter().map(c_string).collect::<Result<_, _>>()?,
        runner_name: c_string(runner)?,
        runner_fd,
        binfmt: inv.binfmt,
        exe,
        stack,
        sysroot,
        release: inv.options.release.as_deref().map(c_string).transpose()?,
        options: inv.options,
    };
    let mut cpu = Cpu::new(engine).map_err(Failure::own)?;
    (os.start)(&mut cpu, &regs);
    cpu.set_pc(program.start);
    set(&mut cpu, regs.stack, config.stack.pointer);
    host::set_engine(engine);
    let path: &CStr = Box::leak(config.exe.clone().into_boxed_c_str());
    let areas = mm.show((config.stack.low, config.stack.top), vdso_at + vdso.sigreturn);
    task::show_guest(&config.stack, Box::leak(Box::new([path.as_ptr() as u64, areas])));
    let actions = Actions::inherit().map_err(Failure::own)?;
    let shared = Arc::new(Shared {
        engine,
        mm,
        os,
        regs,
        abi,
        actions,
        trampoline: vdso_at + vdso.sigreturn,
        config: Arc::new(config),
        live: AtomicUsize::new(1),
        limits: Limits::default(),
        rest: Rest::default(),
    });
    drop(found.file);
    let task = Task::first(shared, cpu, mask, limits);
    if auxv.flags & EXEC_FLAG != 0 {
        task.signals.state.trace.begin(true, Kick::Exec);
        task.signals.state.trace.set_number(abi.number("execve").unwrap_or(0));
        task.signals.state.request();
    } else if let Some(place) = gdb_place(&task.shared.config.options) {
        crate::gdb::start(&task.shared, place, mask).map_err(Failure::own)?;
        task.signals.state.trace.begin(true, Kick::Interrupt);
        task.signals.state.request();
    }
    first_thread(task)
}

/// Where gdb is to connect: a program that a guest executes does not wait for it once more.
fn gdb_place(options: &crate::cli::Options) -> Option<&str> {
    options.gdb.as_deref().filter(|_| options.runner_fd.is_none())
}

/// Runs the first guest thread on this one.
fn first_thread(mut task: Task) -> Result<i32, Failure> {
    let stack = host::HandlerStack::install().map_err(Failure::own)?;
    task.enter();
    task.signals.apply_mask();
    let end = task.run();
    // Handlers may still run while the process ends.
    std::mem::forget(stack);
    task::finish(task, end)
}

/// The name the kernel shows: the last component of what was executed.
fn exec_name(inv: &Invocation) -> OsString {
    inv.program.clone()
}

fn set_comm(name: &[u8]) {
    // The kernel keeps 15 bytes.
    if let Ok(name) = CString::new(&name[..name.len().min(15)]) {
        let _ = nix::sys::prctl::set_name(&name);
    }
}

fn c_string(s: impl AsRef<OsStr>) -> Result<CString, Failure> {
    CString::new(s.as_ref().as_bytes()).map_err(Failure::own)
}

/// Makes the engine. It lives as long as the process: handlers and threads use it to the end.
fn engine(
    row: &Guest,
    inv: &mut Invocation,
    mm: &Arc<AddressSpace>,
    secure: bool,
) -> Result<&'static Engine, Failure> {
    let default = row.models.first().map_or("", |m| m.name);
    let model = inv.options.cpu.clone().unwrap_or_else(|| default.to_owned());
    let isa = (row.make)(&model).map_err(|e| Failure::own(format!("-cpu: {e}")))?;
    let mut options = remu_engine::Options::default();
    options.perf_map = inv.options.perfmap;
    options.jit_dump = inv.options.jitdump;
    options.measure = inv.options.stats;
    if inv.options.least_host {
        options.host = remu_engine::Host::LEAST;
    }
    if inv.options.one_insn {
        options.limits.blocks = 1;
        options.limits.insns = 1;
    }
    if let Some(mib) = inv.options.code_size {
        options.code_size = mib << 20;
    }
    options.shown = core::mem::take(&mut inv.options.dfilter);
    // What is served from files is not translated, and would not be shown.
    if !secure && !logging::shows_translation() {
        options.cache = crate::cache::options(row.name, &model, inv);
    }
    let source = Arc::new(GuestCode(mm.clone()));
    let engine =
        Engine::new(isa, source, options).map_err(|e| Failure(e.to_string(), CANNOT_RUN))?;
    Ok(Box::leak(Box::new(engine)))
}

/// Opens the program: handed over by the kernel or a runner, or by its path.
fn find_program(sysroot: &Sysroot, inv: &Invocation, auxv: &HostAuxv) -> Result<Resolved, Errno> {
    let path = CString::new(inv.program.as_bytes()).map_err(|_| Errno::ENOENT)?;
    let argv: Vec<CString> =
        inv.args.iter().filter_map(|a| CString::new(a.as_bytes()).ok()).collect();
    let handed = auxv.exec_fd.or(inv.options.program_fd).and_then(task::adopt);
    let file = match handed {
        Some(file) => file,
        None => open(sysroot, &path)?,
    };
    task::resolve_program(sysroot, file, path, argv)
}

/// The path as it is first: a program given by a host path is meant as such.
fn open(sysroot: &Sysroot, path: &CString) -> Result<File, Errno> {
    let none = Sysroot::default();
    match task::open_program(&none, libc::AT_FDCWD, path, 0) {
        Err(Errno::ENOENT) => task::open_program(sysroot, libc::AT_FDCWD, path, 0),
        other => other,
    }
}

fn cannot_open(program: &str, errno: Errno) -> Failure {
    let missing = [Errno::ENOENT, Errno::ENOTDIR].contains(&errno);
    Failure(format!("{program}: {errno}"), if missing { NOT_FOUND } else { CANNOT_RUN })
}

/// One line that says what is wrong with the program and what to do.
fn cannot_load(program: &str, kind: &FileKind, error: LoadError) -> Failure {
    let advice = match (&error, kind) {
        (LoadError::WrongMachine { machine, is64, little }, _) => {
            let name = machine_name(*machine, *is64, *little);
            if name.contains(' ') { String::new() } else { format!("; use remu-user-{name}") }
        }
        (LoadError::NoInterpreter { tried: Some(tried), .. }, _) => {
            format!(
                " (looked for {}, then the path itself); does -L name the right directory?",
                tried.to_string_lossy()
            )
        }
        (LoadError::NoInterpreter { .. }, _) => {
            "; give the directory that has the guest's libraries with -L".to_owned()
        }
        _ => String::new(),
    };
    Failure(format!("{program}: {error}{advice}"), CANNOT_RUN)
}

fn aux_info(os: &GuestOs, engine: &Engine, auxv: &HostAuxv, exec_path: CString) -> AuxInfo {
    let hwcap = engine.isa().hwcap();
    AuxInfo {
        hwcap: if hwcap == [0; 2] { os.hwcap } else { hwcap },
        platform: os.platform,
        min_signal_stack: os.min_signal_stack,
        secure: auxv.secure,
        exec_path,
        ..AuxInfo::default()
    }
}

/// The guest's environment: the runner's own, changed by `-E` and `-U` in their order.
fn environment(inv: &Invocation) -> Result<Vec<CString>, Failure> {
    let mut env: Vec<Vec<u8>> = host_environment();
    for (text, set) in &inv.options.env_changes {
        let name = text.as_bytes().split(|&b| b == b'=').next().unwrap_or_default();
        env.retain(|e| e.split(|&b| b == b'=').next() != Some(name));
        if *set {
            env.push(text.as_bytes().to_vec());
        }
    }
    env.into_iter().map(|e| c_string(OsString::from_vec(e))).collect()
}

/// Every entry as it is, also those without `=`, which `std::env` leaves out.
#[expect(unsafe_code, reason = "environ is a C array")]
fn host_environment() -> Vec<Vec<u8>> {
    unsafe extern "C" {
        static environ: *const *const i8;
    }
    let mut out = Vec::new();
    // SAFETY: no other thread exists yet, so the array and its strings do not change.
    unsafe {
        let mut at = environ;
        while !at.is_null() && !(*at).is_null() {
            out.push(CStr::from_ptr(*at).to_bytes().to_vec());
            at = at.add(1);
        }
    }
    out
}

/// Maps the vdso where the kernel likes.
fn map_vdso(mm: &AddressSpace, image: &VdsoImage) -> Result<u64, Errno> {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let len = page_up(image.bytes.len() as u64).ok_or(Errno::ENOMEM)?;
    let args = MmapArgs { addr: 0, len, prot, flags, fd: -1, offset: 0 };
    let (at, _) = mm.mmap(args)?;
    GuestMemory::default().write_bytes(at, &image.bytes)?;
    let _ = mm.mprotect(at, len, (libc::PROT_READ | libc::PROT_EXEC) as u64)?;
    Ok(at)
}
