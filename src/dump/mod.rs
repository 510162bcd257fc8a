//! Core dumps of the guest (core(5), elf(5)): written by the runner as the kernel would write them for
//! a program of the guest's processor, in place of the kernel's own, which would be the runner's.

mod layout;
mod name;
mod notes;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};

use crate::signal::host::{self, Info};
use crate::task::{self, Task};
use layout::{Area, Core};

/// Signals whose default action dumps core (signal(7)).
const CORE_SIGNALS: [i32; 10] = [
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];
/// How long other threads may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(2);
const PAGE: usize = 4096;

/// True for a signal whose default action dumps core.
pub(crate) fn dumps(signal: i32) -> bool {
    CORE_SIGNALS.contains(&signal)
}

/// What is dumped of one thread.
pub(crate) struct Thread {
    tid: i32,
    /// Its signal mask.
    mask: u64,
    /// Register sets by note type.
    sets: Vec<(u64, Vec<u8>)>,
}

impl Thread {
    fn of(task: &Task) -> Thread {
        let (cpu, shared) = (&task.cpu, &task.shared);
        let read = |kind: &u64| {
            (shared.os.get_registers)(cpu, &shared.regs, *kind).map(|(_, bytes)| (*kind, bytes))
        };
        let sets = shared.os.debug.core_sets.iter().filter_map(read).collect();
        Thread { tid: host::tid(), mask: task.signals.mask(), sets }
    }
}

/// Where the threads of a process come to rest that is about to be dumped.
#[derive(Default)]
pub(crate) struct Rest {
    wanted: AtomicBool,
    threads: Mutex<Vec<Thread>>,
    arrived: Condvar,
}

/// Keeps threads from coming to rest, around fork(2).
pub(crate) struct Held<'a>(&'a Rest, #[expect(dead_code, reason = "held, not read")] Threads<'a>);

type Threads<'a> = MutexGuard<'a, Vec<Thread>>;

impl Held<'_> {
    /// In the child, which has one thread and is not about to be dumped.
    pub(crate) fn in_child(self) {
        self.0.wanted.store(false, Ordering::Release);
    }
}

impl Rest {
    fn lock(&self) -> Threads<'_> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Call before fork(2).
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self, self.lock())
    }

    /// For a thread that has looked up from guest code: stays here if the process is about to be
    /// dumped.
    #[inline]
    pub(crate) fn stay(&self, task: &Task) {
        if self.wanted.load(Ordering::Acquire) {
            self.come(task);
        }
    }

    #[cold]
    fn come(&self, task: &Task) -> ! {
        host::set_mask(u64::MAX);
        self.lock().push(Thread::of(task));
        self.arrived.notify_all();
        loop {
            std::thread::park();
        }
    }

    /// Brings the other threads to rest; those that have come.
    fn call(&self, task: &Task) -> Vec<Thread> {
        if self.wanted.swap(true, Ordering::AcqRel) {
            // Another thread dumps.
            self.come(task);
        }
        host::call_threads();
        let others = task.shared.live_threads().saturating_sub(1);
        let end = Instant::now() + PATIENCE;
        let mut threads = self.lock();
        while threads.len() < others {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.arrived.wait_timeout(threads, left);
            threads = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut threads)
    }
}

/// Before a guest dies of a signal: dumps it, if that is wanted, and keeps the kernel from dumping the
/// runner.
pub(crate) fn before_death(task: &Task, signal: i32) {
    if !dumps(signal) {
        return;
    }
    let limit = getrlimit(Resource::RLIMIT_CORE).map_or(0, |l| l.0);
    let dumpable = nix::sys::prctl::get_dumpable().unwrap_or(false);
    let wanted = limit > 0 && dumpable;
    if !wanted || !dump(task, signal, limit) {
        task::forbid_core();
    }
}

/// Dumps the guest. True when the kernel's own dump has been led where it does no harm, so that the
/// kernel may note that there is one.
fn dump(task: &Task, signal: i32, limit: u64) -> bool {
    let threads = task.shared.rest.call(task);
    let name = name::Name::find(task, signal);
    let file = match name.create() {
        Ok(file) => file,
        Err(e) => {
            log::info!(target: "remu", "no core dump: {}: {e}", name.path.display());
            return false;
        }
    };
    if let Err(e) = write(task, signal, threads, &file, limit) {
        log::info!(target: "remu", "core dump: {}: {e}", name.path.display());
    }
    drop(file);
    name.lead_away()
}

/// Writes the dump.
fn write(
    task: &Task,
    signal: i32,
    mut threads: Vec<Thread>,
    file: &File,
    limit: u64,
) -> io::Result<()> {
    threads.insert(0, Thread::of(task));
    let areas = Area::all(task);
    let notes = notes::all(task, signal, &threads, &areas);
    let core = Core::new(task, notes, &areas);
    let head = core.head();
    let limited = |at: u64, bytes: &[u8]| {
        let room = limit.saturating_sub(at).min(bytes.len() as u64) as usize;
        file.write_all_at(&bytes[..room], at)
    };
    limited(0, &head)?;
    let memory = File::open("/proc/self/mem")?;
    let mut page = vec![0; PAGE];
    for (at, area) in core.parts() {
        for offset in (0..area.dumped).step_by(PAGE) {
            if at + offset >= limit {
                return Ok(());
            }
            // A page that cannot be read, or was never touched, is a hole.
            let read = memory.read_exact_at(&mut page, area.start + offset);
            if read.is_ok() && page.iter().any(|b| *b != 0) {
                limited(at + offset, &page)?;
            }
        }
    }
    file.set_len(core.len().min(limit))
}

/// Keeps the kernel's dump as small as it can be.
fn shrink() {
    // Without the file there is no dump to shrink.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
}

fn signal_number(info: &Info, at: usize) -> i32 {
    i32::from_le_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]])
}
