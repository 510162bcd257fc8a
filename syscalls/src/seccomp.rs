//! seccomp(2) for the guest: its filters judge the guest's numbers and arguments, here, before a call
//! is made. They bind the guest program, not the runner: like all else that runs in the process, the
//! guest is contained by what the process itself may do.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bpf::{Insn, Program};
use crate::{Abi, Errno, Outcome, Process, SysResult, notify};

/// `SECCOMP_RET_*` (`linux/seccomp.h`).
const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const USER_NOTIF: u32 = 0x7fc0_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;
const ACTION: u32 = 0xffff_0000;
const MAX_ERRNO: u32 = 4095;

/// Most instructions of all filters of a thread; each filter counts four more (`MAX_INSNS_PER_PATH`).
const MOST: usize = (1 << 18) / 8;

/// Modes (`SECCOMP_MODE_*`).
pub(crate) const STRICT: u32 = 1;
pub(crate) const FILTER: u32 = 2;

/// One filter and those before it.
#[derive(Debug)]
struct Filter {
    program: Program,
    /// Has a listener for notifications.
    listens: bool,
    before: Option<Arc<Filter>>,
}

/// In the length of a filter's bytes: it has a listener.
const LISTENS: u32 = 1 << 31;

impl Drop for Filter {
    /// Without recursion: a thread may have thousands.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(f) = next {
            next = Arc::into_inner(f).and_then(|mut f| f.before.take());
        }
    }
}

/// What limits the calls of one guest thread.
#[derive(Debug, Default)]
pub struct Seccomp {
    mode: AtomicU32,
    thread: AtomicI32,
    filters: Mutex<Option<Arc<Filter>>>,
}

/// A thread without limits, for runners that have none.
pub(crate) static NONE: Seccomp =
    Seccomp { mode: AtomicU32::new(0), thread: AtomicI32::new(0), filters: Mutex::new(None) };

impl Seccomp {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Filter>>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a new thread or process of the same limits.
    pub fn inherit(&self) -> Seccomp {
        let filters = self.lock().clone();
        let mode = AtomicU32::new(self.mode());
        Seccomp { mode, thread: AtomicI32::new(0), filters: Mutex::new(filters) }
    }

    /// Says which host thread this is about.
    pub fn set_thread(&self, tid: i32) {
        self.thread.store(tid, Ordering::Relaxed);
    }

    /// `SECCOMP_MODE_*`, 0 without limits.
    #[inline]
    pub fn mode(&self) -> u32 {
        self.mode.load(Ordering::Acquire)
    }

    /// Everything as bytes, for a runner that replaces this one; nothing without limits.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        if self.mode() == 0 {
            return None;
        }
        let mut chain = Vec::new();
        let mut next = self.lock().clone();
        while let Some(f) = next {
            next = f.before.clone();
            chain.push(f);
        }
        let mut out = self.mode().to_le_bytes().to_vec();
        for f in chain.iter().rev() {
            let listens = if f.listens { LISTENS } else { 0 };
            out.extend((f.program.0.len() as u32 | listens).to_le_bytes());
            out.extend(f.program.0.iter().flat_map(|i| i.to_bytes()));
        }
        Some(out)
    }

    /// What [`Seccomp::to_bytes`] gave; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Seccomp> {
        let (mode, mut rest) = bytes.split_first_chunk::<4>()?;
        let mut last = None;
        while let Some((len, more)) = rest.split_first_chunk::<4>() {
            let len = u32::from_le_bytes(*len);
            let listens = len & LISTENS != 0;
            let len = ((len & !LISTENS) as usize).checked_mul(Insn::SIZE)?;
            let program = Program::new(more.get(..len)?).ok()?;
            last = Some(Arc::new(Filter { program, listens, before: last }));
            rest = &more[len..];
        }
        let mode = AtomicU32::new(u32::from_le_bytes(*mode));
        Some(Seccomp { mode, thread: AtomicI32::new(0), filters: Mutex::new(last) })
    }

    /// Allows no more than read, write, exit and rt_sigreturn.
    pub(crate) fn set_strict(&self) -> SysResult<u64> {
        match self.mode.compare_exchange(0, STRICT, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(STRICT) => Ok(0),
            Err(_) => Err(Errno::EINVAL),
        }
    }

    /// Adds a filter to this thread, or with `all` to all threads, which must have no filters that
    /// this one lacks. The result is 0, or the thread that stands against it.
    pub(crate) fn add(
        &self,
        program: Program,
        listens: bool,
        all: Option<&[Arc<Seccomp>]>,
    ) -> SysResult<u64> {
        if self.mode() == STRICT {
            return Err(Errno::EINVAL);
        }
        let before = self.lock().clone();
        let others = || {
            let is_other = |s: &&Arc<Seccomp>| !std::ptr::eq(Arc::as_ptr(s), self);
            all.unwrap_or(&[]).iter().filter(is_other)
        };
        for other in others() {
            if other.mode() == STRICT || !contains(before.as_ref(), other.lock().as_ref()) {
                return Ok(other.thread.load(Ordering::Relaxed) as u64);
            }
        }
        let mut count = program.0.len() + 4;
        let mut next = before.as_ref();
        while let Some(f) = next {
            count += f.program.0.len() + 4;
            next = f.before.as_ref();
        }
        if count > MOST {
            return Err(Errno::ENOMEM);
        }
        let new = Arc::new(Filter { program, listens, before });
        for s in others().map(|s| &**s).chain([self]) {
            *s.lock() = Some(new.clone());
            s.mode.store(FILTER, Ordering::Release);
        }
        Ok(0)
    }

    /// The most restrictive answer of all filters, and whether the filter that gave it has a listener.
    fn judge(&self, data: &[u8; 64]) -> (u32, bool) {
        let mut next = self.lock().clone();
        let mut worst = (ALLOW, false);
        while let Some(f) = next {
            let answer = f.program.run(data);
            // As signed numbers: killing the process comes first.
            if ((answer & ACTION) as i32) < (worst.0 & ACTION) as i32 {
                worst = (answer, f.listens);
            }
            next = f.before.clone();
        }
        worst
    }
}

/// Whether `part` is one of the filters of `all`, or none.
fn contains(all: Option<&Arc<Filter>>, part: Option<&Arc<Filter>>) -> bool {
    let Some(part) = part else { return true };
    let mut next = all;
    while let Some(f) = next {
        if Arc::ptr_eq(f, part) {
            return true;
        }
        next = f.before.as_ref();
    }
    false
}

/// True for an action that filters may give (`SECCOMP_GET_ACTION_AVAIL`).
pub(crate) fn has_action(action: u32) -> bool {
    [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE, LOG, ALLOW].contains(&action)
}

/// What the thread's limits make of a call; `None`: nothing, the call is made.
#[inline]
pub(crate) fn check(
    process: &mut dyn Process,
    abi: &'static Abi,
    nr: u64,
    args: &[u64; 6],
) -> Option<Outcome> {
    let seccomp = process.seccomp();
    if seccomp.mode() == 0 { None } else { limited(process, abi, nr, args, false) }
}

#[cold]
fn limited(
    process: &mut dyn Process,
    abi: &'static Abi,
    nr: u64,
    args: &[u64; 6],
    asked: bool,
) -> Option<Outcome> {
    let pc = process.pc();
    let seccomp = process.seccomp();
    if seccomp.mode() == STRICT {
        let name = abi.call(nr).map_or("", |c| c.name);
        let allowed = ["read", "write", "exit", "rt_sigreturn"].contains(&name);
        return (!allowed).then_some(Outcome::Die(libc::SIGKILL));
    }
    let mut data = [0; 64];
    data[..4].copy_from_slice(&(nr as u32).to_le_bytes());
    data[4..8].copy_from_slice(&abi.audit_arch.to_le_bytes());
    data[8..16].copy_from_slice(&pc.to_le_bytes());
    for (n, a) in args.iter().enumerate() {
        data[16 + 8 * n..24 + 8 * n].copy_from_slice(&a.to_le_bytes());
    }
    let (answer, listens) = seccomp.judge(&data);
    let low = answer & !ACTION;
    match answer & ACTION {
        ALLOW | LOG => None,
        ERRNO => Some(Outcome::Return(Errno(low.min(MAX_ERRNO) as i32).to_raw())),
        USER_NOTIF if !listens => Some(Outcome::Return(Errno::ENOSYS.to_raw())),
        USER_NOTIF => notify::ask(process.pending_flag(), nr, args),
        TRACE if asked => None,
        TRACE => match process.ask_tracer(nr, low) {
            None => Some(Outcome::Return(Errno::ENOSYS.to_raw())),
            // The tracer has left the call out and set its result.
            Some((nr, _)) if nr as i32 == -1 => Some(Outcome::Replaced),
            Some((nr, args)) => match limited(process, abi, nr, &args, true) {
                None => Some(crate::dispatch::unlimited(process, abi, nr, args)),
                refused => refused,
            },
        },
        TRAP => Some(Outcome::Trap { errno: low as i32, nr: nr as u32 }),
        KILL_THREAD => Some(Outcome::DieThread(libc::SIGSYS)),
        _ => Some(Outcome::Die(libc::SIGSYS)),
    }
}
