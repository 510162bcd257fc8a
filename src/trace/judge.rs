//! What a stop that the kernel reports means to the guest.

use std::mem::offset_of;

use super::block::{Block, kind, mode};
use super::table::{CallStop, From, Stop, Table, Tracee, lock};
use super::{CODE_NOTED, CODE_STOP, EXEC_FLAG, event, option, remote};
use crate::signal::host::{FAULTS, Info};

/// What the kernel numbers restart_syscall(2) on every generic ABI.
const RESTART_SYSCALL: u64 = 128;
/// `ERESTART_RESTARTBLOCK`: the rest of a wait is made by restart_syscall(2).
const RESTART_BLOCK: i64 = -516;
/// `ERESTARTSYS`.
const RESTART_SYS: i64 = -512;

const CONT: u32 = libc::PTRACE_CONT;
const TRAP: u32 = libc::SIGTRAP as u32;

/// True for the wait status of a stop (wait(2)).
fn is_stop(status: i32) -> bool {
    status & 0xff == 0x7f
}

/// A child or tracee changed state: its wait status as the guest sees it, `None` for a change that
/// it does not see, after which the thread runs already.
pub(crate) fn waited(tid: i32, status: i32, keep: bool) -> Option<i32> {
    let mut table = lock();
    if !is_stop(status) {
        if status != 0xffff {
            table.remove(&tid);
        }
        return Some(status);
    }
    let Ok(message) = remote::message(tid) else {
        // Stopped for its parent, or the tracee of another thread of this process.
        return Some(status);
    };
    let code = judge(&mut table, tid, (status as u32) >> 8, message)?;
    if let Some(t) = table.get_mut(&tid) {
        t.told = !keep;
    }
    Some(status & 0xff | (code << 8) as i32)
}

/// A stop that wait(2) has yet to tell of, of a thread that `wanted` accepts; `keep` leaves it there.
pub(crate) fn untold(wanted: impl Fn(i32) -> bool, keep: bool) -> Option<(i32, i32)> {
    let mut table = lock();
    let t = table.values_mut().find(|t| !t.told && t.stop.is_some() && wanted(t.tid))?;
    t.told |= !keep;
    t.stop.map(|s| (t.tid, (s.code << 8) as i32 | 0x7f))
}

/// Takes a stop that the kernel has to tell of, so that the guest's requests find it.
pub(super) fn look(tid: i32) {
    if remote::has_stopped(tid, true) != Ok(true) || remote::message(tid).is_err() {
        return;
    }
    let Ok(status) = remote::take_stop(tid) else { return };
    let mut table = lock();
    if let Ok(message) = remote::message(tid) {
        judge(&mut table, tid, (status as u32) >> 8, message);
    }
}

/// The code of the stop for the guest; otherwise the thread runs again.
fn judge(table: &mut Table, tid: i32, code: u32, message: u64) -> Option<u32> {
    let t = table.entry(tid).or_insert_with(|| {
        // A child that asked for it: of its programs the runner must know.
        let _ = remote::ask(libc::PTRACE_SETOPTIONS, tid, u64::from(option::EXEC));
        Tracee::new(tid, false, 0)
    });
    t.stop = None;
    t.next.clear();
    match code >> 8 {
        0 => signal(t, code),
        event::EXEC => {
            if message as i32 != tid {
                table.remove(&(message as i32));
            }
            executed(table.get_mut(&tid)?, message)
        }
        event::STOP => stopped(t, code),
        event => {
            let mut stop = Stop::new(code, From::Event);
            stop.message = message;
            if event == event::EXIT {
                // Of a guest thread that has ended only its host thread is left: its block is gone.
                t.block = 0;
                if let Ok(at) = t.place() {
                    t.find_block(&at);
                }
            }
            if [event::FORK, event::VFORK, event::CLONE].contains(&event) {
                let mut child = Tracee::new(message as i32, t.seized, t.options);
                child.expected = true;
                if let Ok(at) = t.place() {
                    t.find_block(&at);
                }
                let shown = t.show([stop]);
                meet(table, child);
                return shown;
            }
            t.show([stop])
        }
    }
}

/// Brings a new thread past the stop that the kernel makes for it, to the one that its runner will
/// make: its maker may have to wait for it, and the tracer need not.
fn meet(table: &mut Table, child: Tracee) {
    let tid = child.tid;
    let met = table.entry(tid).or_insert(child);
    if !met.expected {
        return;
    }
    if remote::has_stopped(tid, false) == Ok(true)
        && let Ok(status) = remote::take_stop(tid)
        && let Ok(message) = remote::message(tid)
    {
        judge(table, tid, (status as u32) >> 8, message);
    }
}

/// Resumes a thread of whose stop the guest does not hear.
fn go_on(t: &Tracee, signal: u32) -> Option<u32> {
    // A thread that was killed meanwhile ends as it would.
    let _ = remote::ask(CONT, t.tid, u64::from(signal));
    None
}

/// `PTRACE_EVENT_STOP`: the process has stopped, or somebody asked for it.
fn stopped(t: &mut Tracee, code: u32) -> Option<u32> {
    if std::mem::take(&mut t.expected) && !t.is_foreign() {
        return go_on(t, 0);
    }
    let listened = std::mem::take(&mut t.listens);
    let at = t.place().ok()?;
    t.find_block(&at);
    let stop = Stop::new(code, From::Event);
    if code & 0xff != TRAP || listened || t.block == 0 || t.has_left(&at) {
        return group_stop(t, stop);
    }
    match t.asleep(&at) {
        Some(result) => asleep(t, stop, result),
        None => match t.kick() {
            Ok(()) => go_on(t, 0),
            Err(_) => t.show([stop]),
        },
    }
}

/// The process has stopped. The end of the call that this thread is in comes later here than in the
/// kernel: a tracer that has not seen its beginning must not see it.
fn group_stop(t: &mut Tracee, stop: Stop) -> Option<u32> {
    if t.mode & mode::CALLS == 0 && t.get32(offset_of!(Block, in_call)) != 0 {
        t.put32(offset_of!(Block, exit_shown), 1);
    }
    t.show([stop])
}

/// A new program. The runner that executes it makes the stop when the program is there.
fn executed(t: &mut Tracee, message: u64) -> Option<u32> {
    t.block = 0;
    t.foreign = None;
    t.executed = Some(message);
    if !t.is_foreign() && mark_executed(t).is_some() {
        return go_on(t, 0);
    }
    let shown = executed_stop(t, From::Event)?;
    t.show([shown])
}

/// How execve(2) shows, if it does.
fn executed_stop(t: &mut Tracee, from: From) -> Option<Stop> {
    let message = t.executed.take().unwrap_or(0);
    if t.options & option::EXEC != 0 {
        let mut stop = Stop::new(TRAP | event::EXEC << 8, from);
        stop.message = message;
        return Some(stop);
    }
    (!t.seized).then(|| Stop::new(TRAP, from))
}

/// Tells the new program's runner, by the auxiliary vector on its stack, that it is traced.
fn mark_executed(t: &Tracee) -> Option<()> {
    const AT_NULL: u64 = 0;
    let mut at = t.place().ok()?.stack;
    let mut next = || {
        let mut word = [0; 8];
        remote::read(t.tid, at, &mut word).ok()?;
        at += 8;
        Some((u64::from_le_bytes(word), at - 8))
    };
    let (count, _) = next()?;
    for _ in 0..=count {
        next()?;
    }
    while next()?.0 != 0 {}
    loop {
        let ((key, _), (value, at)) = (next()?, next()?);
        match key {
            libc::AT_FLAGS => {
                return remote::write(t.tid, at, &(value | EXEC_FLAG).to_le_bytes()).ok();
            }
            AT_NULL => return None,
            _ => {}
        }
    }
}

/// A stop without event: a signal, or the process's stop.
fn signal(t: &mut Tracee, code: u32) -> Option<u32> {
    let Ok(info) = remote::info(t.tid) else {
        if let Ok(at) = t.place() {
            t.find_block(&at);
        }
        return group_stop(t, Stop::new(code, From::Event));
    };
    let number = code & 0xff;
    let from_code = i32::from_le_bytes([info[8], info[9], info[10], info[11]]);
    if number == TRAP && from_code == CODE_STOP && !t.is_foreign() {
        let mut at = [0; 8];
        at.copy_from_slice(&info[24..32]);
        t.set_block(u64::from_le_bytes(at));
        return own_stop(t);
    }
    if std::mem::take(&mut t.expected) && number == libc::SIGSTOP as u32 && !t.is_foreign() {
        return go_on(t, 0);
    }
    let at = t.place().ok()?;
    if number == TRAP && at.thread == 0 && t.executed.is_none() && t.block == 0 {
        // No option was set when it executed its first program.
        return executed(t, t.tid as u64);
    }
    if t.is_foreign() {
        return t.show([Stop::new(code, From::Signal)]);
    }
    t.find_block(&at);
    // The runner's own faults, words between runners, and threads that no longer run a guest.
    let is_fault = FAULTS.contains(&(number as i32));
    if is_fault || t.block == 0 {
        return go_on(t, number);
    }
    if t.get32(offset_of!(Block, passed)) == number {
        if !remote::is_caught(t.tid, number) {
            t.put32(offset_of!(Block, passed), 0);
        }
        return go_on(t, number);
    }
    if t.has_left(&at) {
        // It has blocked all that it can, and gives what comes all the same to the other threads.
        let stops = number == libc::SIGSTOP as u32;
        return if stops { t.show([Stop::new(number, From::Signal)]) } else { go_on(t, number) };
    }
    if let Some(result) = t.asleep(&at) {
        return asleep(t, Stop::new(number, From::Signal), result);
    }
    hand_over(t, &info)
}

/// Gives a signal to the tracee's runner, which shows it where the registers are whole.
fn hand_over(t: &mut Tracee, info: &Info) -> Option<u32> {
    if t.get32(offset_of!(Block, noted)) != 0 {
        // While one is noted the thread has all others blocked but SIGSTOP.
        t.later = Some(*info);
        return go_on(t, 0);
    }
    note(t, info);
    let mut word: Info = [0; 128];
    word[0..4].copy_from_slice(&libc::SIGTRAP.to_le_bytes());
    word[8..12].copy_from_slice(&CODE_NOTED.to_le_bytes());
    let _ = remote::set_info(t.tid, &word);
    go_on(t, TRAP)
}

/// Notes a signal in the block.
pub(super) fn note(t: &Tracee, info: &Info) {
    t.put(offset_of!(Block, noted_info), info);
    t.put(offset_of!(Block, noted), &info[0..4]);
}

/// A stop inside a call that sleeps. Under a tracer of calls the end of the call comes first: the
/// kernel restarts it later, as a new one.
fn asleep(t: &mut Tracee, mut stop: Stop, result: i64) -> Option<u32> {
    stop.asleep = Some(result);
    stop.rewound = true;
    if t.mode & mode::CALLS == 0 || t.get32(offset_of!(Block, exit_shown)) != 0 {
        return t.show([stop]);
    }
    let mut end = Stop::new(t.call_code(), stop.from);
    end.call = CallStop::Exit;
    end.asleep = Some(result);
    end.result = Some(result);
    end.info = Some(trap_info(t, end.code));
    if stop.from == From::Event {
        // Any stop is the one that was asked for.
        return t.show([end]);
    }
    t.show([end, stop])
}

/// The beginning of a call that the kernel restarts after such a stop.
pub(super) fn again(t: &Tracee, result: i64, from: From) -> Stop {
    let mut stop = Stop::new(t.call_code(), from);
    stop.call = CallStop::Enter;
    stop.asleep = Some(result);
    stop.number = (result == RESTART_BLOCK).then_some(RESTART_SYSCALL);
    stop.info = Some(trap_info(t, stop.code));
    stop
}

/// `siginfo_t` of a stop that is no signal's.
fn trap_info(t: &Tracee, code: u32) -> Info {
    let mut info: Info = [0; 128];
    info[0..4].copy_from_slice(&libc::SIGTRAP.to_le_bytes());
    info[8..12].copy_from_slice(&code.to_le_bytes());
    info[16..20].copy_from_slice(&t.tid.to_le_bytes());
    info
}

/// A stop that the tracee's runner made.
fn own_stop(t: &mut Tracee) -> Option<u32> {
    let kind = t.get32(offset_of!(Block, kind));
    let message = t.get64(offset_of!(Block, message));
    let mut stop = match kind {
        kind::START => Stop::new(t.stop_code(), From::Tracee),
        kind::EXEC => match executed_stop(t, From::Tracee) {
            Some(stop) if stop.code >> 8 != 0 => stop,
            shown => {
                // The signal comes after the end of the call.
                let signal = if shown.is_some() { TRAP } else { 0 };
                t.tell_mode();
                t.put32(offset_of!(Block, answer), signal);
                return go_on(t, 0);
            }
        },
        kind::SIGNAL => {
            let mut stop = Stop::new(t.get32(offset_of!(Block, signal)), From::Tracee);
            stop.info = Some(t.get_info(offset_of!(Block, info)));
            stop
        }
        kind::ENTER | kind::EXIT | kind::AGAIN => Stop::new(t.call_code(), From::Tracee),
        kind::SECCOMP => Stop::new(TRAP | event::SECCOMP << 8, From::Tracee),
        kind::INTERRUPT => Stop::new(t.stop_code(), From::Tracee),
        _ => Stop::new(TRAP, From::Tracee),
    };
    if kind != kind::EXEC {
        stop.message = message;
    }
    stop.call = match kind {
        kind::ENTER => CallStop::Enter,
        kind::EXIT | kind::AGAIN => CallStop::Exit,
        kind::SECCOMP => CallStop::Seccomp,
        _ => CallStop::None,
    };
    stop.result = (kind == kind::AGAIN).then_some(RESTART_SYS);
    if stop.info.is_none() {
        let mut info = trap_info(t, stop.code);
        match kind {
            kind::STEP => info[8..12].copy_from_slice(&TRAP_TRACE.to_le_bytes()),
            kind::WATCH => info[8..12].copy_from_slice(&TRAP_HWBKPT.to_le_bytes()),
            _ => {}
        }
        info[0..4].copy_from_slice(&((stop.code & 0x7f) as i32).to_le_bytes());
        stop.info = Some(info);
    }
    t.show([stop])
}

/// `si_code` of a step.
const TRAP_TRACE: i32 = 2;
/// `si_code` of a watchpoint.
const TRAP_HWBKPT: i32 = 4;

/// Sends this process the signal of a stop that no kernel announces.
pub(super) fn announce(t: &Tracee) {
    if let Some(s) = t.stop {
        remote::tell_self(t.tid, s.code);
    }
}
