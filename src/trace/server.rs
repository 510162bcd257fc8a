//! What a debugger in a process of the runner's own does with the guests it traces: requests as in
//! [`super::request`], without a guest that makes them.

use std::mem::offset_of;

use remu_syscalls::{Errno, SysResult};

use super::block::{Block, mode};
use super::points::{breaks_as_bytes, watches_as_bytes};
use super::request::{self, number};
use super::table::{CallStop, From, Stop, Tracee, lock};
use super::{event, remote};
use crate::signal::host::Info;
use crate::task::Shared;

/// A stop that [`super::waited`] has shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Signal, and event above it.
    pub(crate) code: u32,
    /// Why the thread stopped itself ([`super::kind`]), 0 when it did not.
    pub(crate) kind: u32,
    /// `PTRACE_GETEVENTMSG`.
    pub(crate) message: u64,
    /// Before or after a call: its number, and whether it is before.
    pub(crate) call: Option<(u64, bool)>,
}

/// How a thread runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Go {
    /// One instruction.
    pub(crate) step: bool,
    /// Stopping before and after calls.
    pub(crate) calls: bool,
    /// Stopping at watchpoints.
    pub(crate) watch: bool,
}

/// `PTRACE_SEIZE`.
pub(crate) fn seize(tid: i32, options: u32) -> SysResult<()> {
    request::attach(number::SEIZE, tid, 0, u64::from(options)).map(drop)
}

/// Asks a running thread to stop.
pub(crate) fn interrupt(tid: i32) -> SysResult<()> {
    remote::ask(libc::PTRACE_INTERRUPT, tid, 0)
}

/// The wait status of a thread that changed state, if it has.
pub(crate) fn changed(tid: i32) -> SysResult<Option<i32>> {
    match remote::take_stop(tid) {
        Ok(status) => Ok(Some(status)),
        Err(Errno::ESRCH) => Ok(None),
        Err(e) => Err(e),
    }
}

fn stopped<R>(tid: i32, f: impl FnOnce(&mut Tracee, Stop) -> SysResult<R>) -> SysResult<R> {
    let mut table = lock();
    let t = table.get_mut(&tid).ok_or(Errno::ESRCH)?;
    let stop = t.stop.ok_or(Errno::ESRCH)?;
    f(t, stop)
}

/// The stop that a thread is in.
pub(crate) fn seen(shared: &Shared, tid: i32) -> SysResult<Seen> {
    stopped(tid, |t, stop| {
        let own = stop.from == From::Tracee;
        let number = match (stop.number, stop.asleep) {
            (Some(n), _) => n,
            (None, Some(_)) => request::call_number(shared, t, &stop)?,
            (None, None) => t.get64(offset_of!(Block, number)),
        };
        Ok(Seen {
            code: stop.code,
            kind: if own { t.get32(offset_of!(Block, kind)) } else { 0 },
            message: stop.message,
            call: match stop.call {
                CallStop::Enter => Some((number, true)),
                CallStop::Exit => Some((number, false)),
                CallStop::None | CallStop::Seccomp => None,
            },
        })
    })
}

/// True when the thread's registers are known: it runs a guest, in a runner of this build.
pub(crate) fn is_guest(tid: i32) -> bool {
    let found = stopped(tid, |t, _| {
        if t.block == 0 {
            let at = t.place()?;
            t.find_block(&at);
        }
        Ok(t.block != 0)
    });
    found == Ok(true)
}

/// A register set, by its note type.
pub(crate) fn registers(shared: &Shared, tid: i32, which: u64) -> SysResult<Vec<u8>> {
    stopped(tid, |t, stop| request::register_set(shared, t, &stop, which)).map(|r| r.1)
}

/// Sets all of one.
pub(crate) fn set_registers(shared: &Shared, tid: i32, which: u64, bytes: &[u8]) -> SysResult<()> {
    stopped(tid, |t, stop| request::set_register_set(shared, t, &stop, which, bytes))
}

/// `PTRACE_GETSIGINFO`.
pub(crate) fn siginfo(tid: i32) -> SysResult<Info> {
    stopped(tid, |_, stop| match (stop.info, stop.from) {
        (Some(info), _) => Ok(info),
        (None, From::Tracee) => Err(Errno::EINVAL),
        (None, _) => remote::info(tid),
    })
}

/// `PTRACE_SETSIGINFO`.
pub(crate) fn set_siginfo(tid: i32, info: &Info) -> SysResult<()> {
    stopped(tid, |t, stop| request::change_siginfo(t, &stop, info))
}

/// Lets a thread run on with a signal, 0 for none.
pub(crate) fn go(tid: i32, go: Go, signal: i32) -> SysResult<()> {
    let bit = |on, bit| if on { bit } else { 0 };
    let bits = mode::TRACED
        | bit(go.step, mode::STEP)
        | bit(go.calls, mode::CALLS)
        | bit(go.watch, mode::WATCH);
    stopped(tid, |t, stop| request::resume(t, stop, number::CONT, bits, signal as u64)).map(drop)
}

/// Leaves a thread stopped with its process until that goes on (`PTRACE_LISTEN`).
pub(crate) fn listen(tid: i32) -> SysResult<()> {
    stopped(tid, |t, stop| request::resume(t, stop, number::LISTEN, mode::TRACED, 0)).map(drop)
}

/// Lets a thread run on without a debugger.
pub(crate) fn detach(tid: i32, signal: i32) -> SysResult<()> {
    let done = stopped(tid, |t, stop| {
        t.next.clear();
        request::resume(t, stop, number::DETACH, 0, signal as u64)
    });
    lock().remove(&tid);
    done.map(drop)
}

/// Forgets a thread that is gone.
pub(crate) fn forget(tid: i32) {
    lock().remove(&tid);
}

/// A thread that need not have stopped.
fn known<R>(tid: i32, f: impl FnOnce(&mut Tracee) -> SysResult<R>) -> SysResult<R> {
    f(lock().get_mut(&tid).ok_or(Errno::ESRCH)?)
}

/// Replaces the breakpoints of a process, of which this is a thread: addresses and
/// instructions. `changed` are the addresses of those that came or went.
pub(crate) fn set_breaks<'a>(
    tid: i32,
    breaks: impl Iterator<Item = (u64, &'a [u8])>,
    changed: &[u64],
) -> SysResult<()> {
    known(tid, |t| {
        t.put_points(&breaks_as_bytes(breaks))?;
        changed.iter().for_each(|&at| t.note_written(at, 4));
        Ok(())
    })
}

/// Replaces its watchpoints: start, end, [`super::access`] bits.
pub(crate) fn set_watches(tid: i32, watches: impl Iterator<Item = [u64; 3]>) -> SysResult<()> {
    known(tid, |t| t.put_points(&watches_as_bytes(watches)))
}

/// Notes that a process's memory was written.
pub(crate) fn wrote(tid: i32, addr: u64, len: u64) {
    // A thread that was killed meanwhile has no translations to drop.
    let _ = known(tid, |t| {
        t.note_written(addr, len);
        Ok(())
    });
}

/// The event of a stop's code, 0 for none.
pub(crate) fn event_of(code: u32) -> u32 {
    code >> 8
}

/// True for a thread that stands still with its process, by a signal.
pub(crate) fn is_group_stop(code: u32) -> bool {
    event_of(code) == event::STOP && code & 0xff != libc::SIGTRAP as u32
}
