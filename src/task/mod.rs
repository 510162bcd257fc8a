//! Guest threads and processes.

mod clone;
mod exec;
mod exit;
mod quick;
mod raw;
mod run;
mod services;
mod step;
mod traced;
mod watch;

use std::ffi::CString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use remu_engine::{Cpu, Engine};
use remu_isa::Guest;
use remu_syscalls::{Abi, Seccomp};

use crate::cli::Options;
use crate::dump::Rest;
use crate::guest::{GuestOs, Regs};
use crate::loader::Stack;
use crate::mm::{AddressSpace, Stale};
use crate::signal::{Actions, Delivery, Signals, Target};
use crate::sysroot::Sysroot;

pub(crate) use clone::finish;
pub(crate) use exec::{
    Resolved, absolute, adopt, adopt_limits, keep_high, keep_high_owned, open_program, open_runner,
    resolve_program,
};
pub(crate) use raw::{
    allow_tracer, close_others, forbid_core, fork_apart, futex_wait, futex_wake_all, memory_file,
    remove_after_end, show_guest, thread_exists,
};
pub(crate) use run::End;

/// What stays the same for all threads and forks of a program.
pub(crate) struct Config {
    /// Registry row.
    pub(crate) guest: &'static Guest,
    /// Command line options.
    pub(crate) options: Options,
    /// Options for a runner that replaces this one.
    pub(crate) replay: Vec<CString>,
    /// The runner's own `argv[0]`.
    pub(crate) runner_name: CString,
    /// The runner's own file, kept open so that it can execute itself anywhere.
    pub(crate) runner_fd: Option<i32>,
    /// The kernel starts guest programs: execve needs no help.
    pub(crate) binfmt: bool,
    /// Absolute path of the program.
    pub(crate) exe: CString,
    /// Initial stack.
    pub(crate) stack: Stack,
    /// `-L`.
    pub(crate) sysroot: Sysroot,
    /// `-r`.
    pub(crate) release: Option<CString>,
}

impl Config {
    /// Descriptors that the runner keeps for itself.
    #[inline]
    fn private_fds(&self) -> [Option<i32>; 3] {
        [self.runner_fd, self.sysroot.fd(), crate::logging::file()]
    }
}

/// What the threads of one process share.
pub(crate) struct Shared {
    pub(crate) engine: &'static Engine,
    pub(crate) mm: Arc<AddressSpace>,
    pub(crate) os: &'static GuestOs,
    pub(crate) regs: Regs,
    pub(crate) abi: &'static Abi,
    pub(crate) actions: Actions,
    /// Address of the code that calls `rt_sigreturn`.
    pub(crate) trampoline: u64,
    pub(crate) config: Arc<Config>,
    /// Threads that still run.
    pub(crate) live: AtomicUsize,
    /// What limits their calls.
    pub(crate) limits: Limits,
    /// Where they come to rest before the process is dumped.
    pub(crate) rest: Rest,
}

/// What limits the calls of every thread of a process. A fork holds the lock.
#[derive(Default)]
pub(crate) struct Limits(Mutex<Vec<Weak<Seccomp>>>);

impl Limits {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Weak<Seccomp>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Adds a thread's, made while no other thread can set one for all.
    fn add(&self, make: impl FnOnce() -> Seccomp) -> Arc<Seccomp> {
        let mut all = self.lock();
        all.retain(|s| s.strong_count() > 0);
        let new = Arc::new(make());
        all.push(Arc::downgrade(&new));
        new
    }
}

impl Shared {
    /// How many threads still run.
    pub(crate) fn live_threads(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// For a process that shares memory with this one: only the actions are its own.
    fn share_memory(&self) -> Shared {
        Shared {
            engine: self.engine,
            mm: self.mm.clone(),
            os: self.os,
            regs: self.regs,
            abi: self.abi,
            actions: self.actions.copy(),
            trampoline: self.trampoline,
            config: self.config.clone(),
            live: AtomicUsize::new(1),
            limits: Limits::default(),
            rest: Rest::default(),
        }
    }
}

/// One guest thread.
pub(crate) struct Task {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cpu: Cpu,
    pub(crate) signals: Signals,
    /// Cleared and woken when the thread ends (set_tid_address(2)).
    clear_tid: u64,
    /// Head of the list of robust futexes (set_robust_list(2)).
    robust: u64,
    /// What limits its calls.
    pub(super) seccomp: Arc<Seccomp>,
    /// Runs on the host thread the process started with.
    main: bool,
    /// What a failed or never-returning execve allocated; freed with the task.
    exec_scratch: Vec<Vec<CString>>,
    /// Runs it instruction by instruction.
    stepper: Option<Box<step::Stepper>>,
    /// Says which memory an instruction reaches.
    watcher: Option<Box<watch::Watcher>>,
}

impl Task {
    /// The first thread of a program.
    pub(crate) fn first(shared: Arc<Shared>, cpu: Cpu, mask: u64, limits: Seccomp) -> Task {
        let signals = Signals::new(&cpu, mask);
        let seccomp = shared.limits.add(|| limits);
        Task {
            shared,
            cpu,
            signals,
            clear_tid: 0,
            robust: 0,
            seccomp,
            main: true,
            exec_scratch: Vec::new(),
            stepper: None,
            watcher: None,
        }
    }

    /// A thread that continues this one with its own processor state.
    fn sibling(&self, shared: Arc<Shared>, keep_alt: bool) -> std::io::Result<Task> {
        let mut cpu = Cpu::new(self.shared.engine)?;
        cpu.clone_state_from(&self.cpu);
        let signals = self.signals.inherit(&cpu, keep_alt);
        let seccomp = shared.limits.add(|| self.seccomp.inherit());
        Ok(Task {
            shared,
            cpu,
            signals,
            clear_tid: 0,
            robust: 0,
            seccomp,
            main: false,
            exec_scratch: Vec::new(),
            stepper: None,
            watcher: None,
        })
    }

    /// Drops the translations of code that changed.
    fn stale(&self, stale: Stale) {
        if let Some((start, end)) = stale.0 {
            self.shared.engine.invalidate(start, end);
        }
    }

    /// Runs a step of signal handling with what it needs of the thread.
    fn with_signals<R>(&mut self, step: impl FnOnce(&mut Signals, &mut Target<'_>) -> R) -> R {
        let shared = &self.shared;
        let mut target = Target {
            cpu: &mut self.cpu,
            os: shared.os,
            regs: &shared.regs,
            actions: &shared.actions,
            trampoline: shared.trampoline,
        };
        step(&mut self.signals, &mut target)
    }

    fn deliver(&mut self) -> Delivery {
        self.with_signals(Signals::deliver)
    }
}
