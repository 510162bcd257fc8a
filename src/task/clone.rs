//! clone(2), clone3(2), fork(2), vfork(2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use remu_syscalls::{CloneArgs, Errno, GuestMemory, SysResult};

use super::raw::{self, CloneCall, Handshake};
use super::{End, Shared, Task, exit};
use crate::gate;
use crate::guest::set;
use crate::signal::host;
use crate::trace::{self, Kick};

/// Host stack of a guest thread: the run loop and the translator use it, guest code does not.
const HOST_STACK: usize = 1 << 20;

const VM: u64 = libc::CLONE_VM as u64;
const VFORK: u64 = libc::CLONE_VFORK as u64;
const THREAD: u64 = libc::CLONE_THREAD as u64;
const SIGHAND: u64 = libc::CLONE_SIGHAND as u64;
const FILES: u64 = libc::CLONE_FILES as u64;
const FS: u64 = libc::CLONE_FS as u64;
const SYSVSEM: u64 = libc::CLONE_SYSVSEM as u64;
const SETTLS: u64 = libc::CLONE_SETTLS as u64;
const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
const CHILD_SETTID: u64 = libc::CLONE_CHILD_SETTID as u64;
const CHILD_CLEARTID: u64 = libc::CLONE_CHILD_CLEARTID as u64;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;
/// Nothing acts on these: history.
const IGNORED: u64 = (libc::CLONE_DETACHED | libc::CLONE_IO) as u64;
/// What the kernel does with the tracer of a thread that makes another.
const TRACING: u64 = (libc::CLONE_PTRACE | libc::CLONE_UNTRACED) as u64;
/// Flags that the runner itself carries out.
const OWN: u64 = VM | THREAD | SETTLS | PARENT_SETTID | CHILD_SETTID | CHILD_CLEARTID | IGNORED;
/// `CLONE_CLEAR_SIGHAND` (clone3 only).
const CLEAR_SIGHAND: u64 = 1 << 32;

impl Task {
    pub(super) fn clone_any(&mut self, a: CloneArgs) -> SysResult<u64> {
        let has = |flag| a.flags & flag != 0;
        if (has(THREAD) && !has(SIGHAND)) || (has(SIGHAND) && !has(VM)) {
            return Err(Errno::EINVAL);
        }
        // The caller must not lose a signal in its copy, nor the child see one that is not its own.
        if self.signals.state.taken().is_some() {
            return Err(Errno::RESTART);
        }
        match (has(THREAD), has(VM), has(VFORK)) {
            (true, ..) => self.new_thread(&a),
            (false, true, true) => self.vfork(&a),
            (false, false, _) => self.fork(&a),
            (false, true, false) => self.share(&a),
        }
    }

    /// What every kind of child gets, in the child or before it exists.
    fn prepare(&mut self, a: &CloneArgs) {
        let regs = self.shared.regs;
        set(&mut self.cpu, regs.result, 0);
        if a.stack_pointer != 0 {
            set(&mut self.cpu, regs.stack, a.stack_pointer);
        }
        if a.flags & SETTLS != 0 {
            set(&mut self.cpu, regs.tls, a.tls);
        }
        self.clear_tid = if a.flags & CHILD_CLEARTID != 0 { a.child_tid } else { 0 };
    }

    fn new_thread(&mut self, a: &CloneArgs) -> SysResult<u64> {
        let namespaces = a.flags & !(OWN | SIGHAND | FILES | FS | SYSVSEM | VFORK | TRACING);
        if namespaces & !(libc::CLONE_NEWNS as u64) != 0 || a.set_tid.1 != 0 {
            return Err(Errno::EINVAL);
        }
        let mut task = self.sibling(self.shared.clone(), false).map_err(|_| Errno::EAGAIN)?;
        task.prepare(a);
        task.begin_traced(self.traces_child(a));
        let a = *a;
        let ready = Arc::new(Handshake::default());
        let told = ready.clone();
        self.shared.live.fetch_add(1, Ordering::AcqRel);
        // The new thread starts with everything blocked but faults, which a word of the guest's may
        // cause, and opens its own mask when it is ready.
        let old = host::block();
        let spawned = gate::spawn(HOST_STACK, move || thread_main(task, &a, &told));
        if spawned.is_err() {
            host::set_mask(old);
            self.shared.live.fetch_sub(1, Ordering::AcqRel);
            return Err(Errno::EAGAIN);
        }
        let tid = ready.wait();
        self.first_thread_made();
        host::set_mask(old);
        if tid < 0 { Err(Errno(-tid)) } else { Ok(tid as u64) }
    }

    fn fork(&mut self, a: &CloneArgs) -> SysResult<u64> {
        let shared = self.shared.clone();
        let kernel = a.flags & !(OWN | CLEAR_SIGHAND);
        let plain = kernel == 0 && a.exit_signal == libc::SIGCHLD as u64 && a.set_tid.1 == 0;
        // In this order, which is also the translator's: it reads guest code while it holds its lock.
        let changes = trace::CHANGED.hold();
        let engine = shared.engine.before_fork();
        let space = shared.mm.hold();
        let actions = shared.actions.lock();
        let limits = shared.limits.lock();
        let rest = shared.rest.hold();
        let tracees = trace::hold();
        let traced = self.traces_child(a);
        let closed = (!plain).then(gate::close);
        let pid = if plain {
            raw::fork()
        } else {
            raw::clone_process(&CloneCall {
                flags: kernel,
                pidfd: a.pidfd,
                exit_signal: a.exit_signal,
                set_tid: a.set_tid.0,
                set_tid_size: a.set_tid.1,
                cgroup: a.cgroup,
                ..CloneCall::default()
            })
        };
        let pid = match pid {
            Ok(0) => {
                gate::in_child();
                drop(closed);
                engine.in_child(&self.cpu);
                tracees.in_child();
                rest.in_child();
                drop((changes, space, actions, limits));
                return self.in_forked_child(a, traced);
            }
            other => other?,
        };
        drop((closed, tracees, rest, limits, actions, space, engine, changes));
        if a.flags & PARENT_SETTID != 0 {
            // As the kernel: an address that cannot be written changes nothing.
            let _ = GuestMemory::default().write(a.parent_tid, &(pid as u32));
        }
        Ok(pid)
    }

    fn in_forked_child(&mut self, a: &CloneArgs, traced: bool) -> SysResult<u64> {
        self.signals.state.clear(self.cpu.header());
        remu_syscalls::forked();
        self.begin_traced(traced);
        self.shared.live.store(1, Ordering::Release);
        // The calling thread is the new process's first, whatever it was before.
        self.main = true;
        self.robust = 0;
        self.seccomp.set_thread(host::tid());
        *self.shared.limits.lock() = vec![Arc::downgrade(&self.seccomp)];
        self.prepare(a);
        if a.flags & CLEAR_SIGHAND != 0 {
            self.shared.actions.clear();
        }
        self.write_tids(a);
        Ok(0)
    }

    /// A new thread or process stops before its first instruction if it has a tracer.
    fn begin_traced(&self, traced: bool) {
        let state = &self.signals.state;
        state.trace.begin(traced, Kick::Start);
        if traced {
            state.request();
        }
    }

    /// `CLONE_PARENT_SETTID` and `CLONE_CHILD_SETTID` as the child sees them.
    fn write_tids(&self, a: &CloneArgs) {
        let tid = host::tid() as u32;
        let memory = GuestMemory::default();
        // As the kernel: an address that cannot be written changes nothing.
        if a.flags & PARENT_SETTID != 0 {
            let _ = memory.write(a.parent_tid, &tid);
        }
        if a.flags & CHILD_SETTID != 0 {
            let _ = memory.write(a.child_tid, &tid);
        }
    }

    /// A child that shares memory until it executes another program or ends.
    fn vfork(&mut self, a: &CloneArgs) -> SysResult<u64> {
        let shared: Arc<Shared> = Arc::new(self.shared.share_memory());
        let mut child = self.sibling(shared, true).map_err(|_| Errno::EAGAIN)?;
        child.prepare(a);
        child.begin_traced(self.traces_child(a));
        // Nothing runs when a process that shares the memory of another ends: the caller's word
        // for joining is not the child's.
        child.clear_tid = 0;
        let pid_address = if a.flags & PIDFD != 0 { a.pidfd } else { a.parent_tid };
        let kernel = a.flags & !(OWN | SIGHAND | CLEAR_SIGHAND);
        let old = host::block();
        let pid = raw::vfork(kernel, a.exit_signal, pid_address, &mut || {
            remu_syscalls::set_lent(true);
            child.write_tids(a);
            child.enter();
            // Only now: the host's dispositions are the child's own here.
            if a.flags & CLEAR_SIGHAND != 0 {
                child.shared.actions.clear();
            }
            child.signals.apply_mask();
            let end = child.run();
            exit::end_process(&child, end)
        });
        // The child ran with this thread's storage.
        remu_syscalls::set_lent(false);
        self.enter();
        if let Ok(pid) = pid
            && a.flags & PARENT_SETTID != 0
        {
            let _ = GuestMemory::default().write(a.parent_tid, &(pid as u32));
        }
        host::set_mask(old);
        pid
    }

    /// A process that shares memory and runs beside this one: the child of a vfork by a host thread of
    /// its own, whose stack and thread-local storage are the child's while the kernel keeps it asleep.
    fn share(&mut self, a: &CloneArgs) -> SysResult<u64> {
        let shared: Arc<Shared> = Arc::new(self.shared.share_memory());
        let mut child = self.sibling(shared, false).map_err(|_| Errno::EAGAIN)?;
        child.prepare(a);
        child.begin_traced(false);
        if a.flags & SIGHAND != 0 {
            log::info!(target: "remu::unimp", "clone: actions are copied, not shared");
        }
        let a = *a;
        let ready = Arc::new(Handshake::default());
        let told = ready.clone();
        let old = host::block();
        let spawned = gate::spawn(HOST_STACK, move || sharing_main(child, &a, &told));
        let pid = if spawned.is_ok() { ready.wait() } else { -libc::EAGAIN };
        self.first_thread_made();
        host::set_mask(old);
        u64::try_from(pid).map_err(|_| Errno(-pid))
    }

    /// The host's C library has just made a thread, maybe its first.
    fn first_thread_made(&self) {
        static FIRST: AtomicBool = AtomicBool::new(true);
        if FIRST.swap(false, Ordering::AcqRel) {
            self.shared.actions.after_first_thread();
        }
    }

    /// Makes the calling host thread this task's.
    #[expect(unsafe_code, reason = "signal handlers find the task through its host thread")]
    pub(crate) fn enter(&self) {
        // SAFETY: a task lives in the frame that runs it: it enters when it starts, or when a vfork
        // child that used the thread is gone, and leaves when it ends.
        unsafe { self.signals.state.enter() };
        self.seccomp.set_thread(host::tid());
    }
}

/// Body of a host thread that runs a guest thread.
fn thread_main(mut task: Task, a: &CloneArgs, ready: &Handshake) {
    let stack = host::HandlerStack::install();
    let apart = (!a.flags & (FILES | FS)) | (a.flags & libc::CLONE_NEWNS as u64);
    let unshared = if apart == 0 { Ok(0) } else { raw::unshare(apart) };
    if let (Ok(stack), Ok(_)) = (stack, unshared) {
        task.write_tids(a);
        task.enter();
        ready.set(host::tid());
        task.signals.apply_mask();
        let end = task.run();
        exit::end_thread(task, end);
        drop(stack);
    } else {
        task.shared.live.fetch_sub(1, Ordering::AcqRel);
        ready.set(-libc::EAGAIN);
    }
}

/// Body of the host thread behind a process that shares memory and runs beside its parent.
fn sharing_main(mut child: Task, a: &CloneArgs, ready: &Handshake) {
    let Ok(stack) = host::HandlerStack::install() else { return ready.set(-libc::EAGAIN) };
    remu_syscalls::set_lent(true);
    // The kernel gives the number that the parent sees, unless the place for it holds a pidfd.
    let seen = AtomicI32::new(0);
    let (more, place) = match a.flags & PIDFD {
        0 => (PARENT_SETTID, seen.as_ptr() as u64),
        _ => (PIDFD, a.pidfd),
    };
    let kernel = a.flags & !(OWN | SIGHAND | CLEAR_SIGHAND) | more;
    let done = raw::vfork(kernel, a.exit_signal, place, &mut || {
        let seen = Some(seen.load(Ordering::Acquire)).filter(|&n| n != 0).unwrap_or_else(host::pid);
        child.write_tids(&CloneArgs { flags: a.flags & !PARENT_SETTID, ..*a });
        if a.flags & PARENT_SETTID != 0 {
            let _ = GuestMemory::default().write(a.parent_tid, &(seen as u32));
        }
        child.enter();
        ready.set(seen);
        if a.flags & CLEAR_SIGHAND != 0 {
            child.shared.actions.clear();
        }
        child.signals.apply_mask();
        let end = child.run();
        child.release_futexes();
        exit::end_process(&child, end)
    });
    host::leave();
    if let Err(e) = done {
        ready.set(-e.0);
    }
    drop(stack);
}

/// Ends the process or thread that ran `task` on the thread it started with.
pub(crate) fn finish(task: Task, end: End) -> ! {
    exit::finish(task, end)
}
