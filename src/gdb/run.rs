//! Letting threads run, stopping them all, and what gdb hears of it.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use remu_gdb::packet::{Message, hex};
use remu_gdb::resume::Action;

use super::inferior::{Event, Process, State, Thread, Watch};
use super::session::Session;
use super::signals::{from_gdb, to_gdb};
use super::{Done, inferior::WatchKind};
use crate::trace::server::{self, Go, Seen};
use crate::trace::{self, event, kind};

/// How long a thread may take to stop before gdb is told without it: it may be in a wait of the
/// kernel that nothing interrupts.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether a thread has ended that does not stop.
const LOOK: Duration = Duration::from_millis(50);
/// `si_code` of a breakpoint.
const TRAP_BRKPT: i32 = 1;

impl Session<'_> {
    /// Waits for gdb or the guests. False when gdb is gone.
    pub(super) fn wait(&mut self) -> bool {
        let (gdb, guests) = {
            let mut fds = [
                PollFd::new(self.link.fd(), PollFlags::POLLIN),
                PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
            ];
            if poll(&mut fds, PollTimeout::NONE).is_err() {
                return true;
            }
            let any = |fd: &PollFd<'_>| fd.revents().is_some_and(|r| !r.is_empty());
            (any(&fds[0]), any(&fds[1]))
        };
        if guests {
            self.collect();
        }
        !gdb || self.link.fill()
    }

    /// Waits for the stop that the guest makes before its first instruction.
    pub(super) fn await_first_stop(&mut self) {
        for t in self.all.threads.values_mut() {
            t.resumed = false;
        }
        self.collect();
        while self.all.threads.values().any(Thread::is_awaited) {
            let mut fds = [PollFd::new(self.children.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::NONE);
            self.collect();
        }
    }

    /// While guests run: tells gdb of what has happened, or stops for it.
    pub(super) fn running(&mut self) -> Done {
        if self.has_news() {
            self.stop_all();
            return self.report();
        }
        match self.link.message()? {
            Some(Message::Interrupt) => {
                self.stop_all();
                if !self.has_news() {
                    let awake = |tid: &i32| self.all.threads.get(tid).is_some_and(|t| t.resumed);
                    let first = || self.all.threads.iter().find(|(_, t)| t.resumed).map(|t| *t.0);
                    let tid = Some(self.general).filter(awake).or_else(first);
                    if let Some(t) = tid.and_then(|tid| self.all.threads.get_mut(&tid)) {
                        t.event = Some(Event::Signal(libc::SIGINT));
                    }
                }
                self.report()
            }
            // gdb says nothing else before it has heard of a stop.
            Some(Message::Packet(_)) | None => Ok(()),
        }
    }

    fn has_news(&self) -> bool {
        let news = |t: &Thread| t.resumed && t.event.is_some();
        !self.all.ended.is_empty() || self.all.threads.values().any(news)
    }

    /// Tells gdb of one thing that has happened.
    fn report(&mut self) -> Done {
        let reply = if let Some((pid, status)) = self.all.take_end() {
            self.end_text(pid, status)
        } else {
            let news = |t: &&Thread| t.resumed && t.event.is_some();
            let found = self.all.threads.iter().find(|(_, t)| news(t)).map(|(tid, _)| *tid);
            let Some(tid) = found else {
                // Whoever had something to tell is gone: on with the others.
                return if self.all.threads.values().any(|t| t.resumed) {
                    self.run_resumed();
                    Ok(())
                } else {
                    self.is_running = false;
                    self.send("N")
                };
            };
            let event = self.all.threads.get_mut(&tid).and_then(|t| t.event.take());
            self.general = tid;
            self.stop_text(tid, event.as_ref())
        };
        self.is_running = false;
        for t in self.all.threads.values_mut() {
            t.resumed = false;
        }
        self.last_stop.clone_from(&reply);
        self.send(&reply)
    }

    /// How a process ended.
    fn end_text(&self, pid: i32, status: i32) -> String {
        let what = if libc::WIFSIGNALED(status) {
            format!("X{:02x}", to_gdb(libc::WTERMSIG(status)))
        } else {
            format!("W{:02x}", libc::WEXITSTATUS(status))
        };
        if self.supports.multiprocess { format!("{what};process:{pid:x}") } else { what }
    }

    /// Why a thread stands still.
    pub(super) fn stop_text(&mut self, tid: i32, event: Option<&Event>) -> String {
        let signal = match event {
            Some(Event::Signal(signal)) => *signal,
            _ => libc::SIGTRAP,
        };
        let mut out = format!("T{:02x}", to_gdb(signal));
        out += &match event {
            None | Some(Event::Signal(_)) => String::new(),
            Some(Event::Break(at)) => {
                let at = self.all.process_of(tid).and_then(|p| p.breaks.get(at));
                match at.is_some_and(|b| b.hardware) {
                    true if self.supports.hwbreak => "hwbreak:;".into(),
                    false if self.supports.swbreak => "swbreak:;".into(),
                    _ => String::new(),
                }
            }
            Some(Event::Watch(w)) => {
                let name = match w.kind {
                    WatchKind::Write => "watch",
                    WatchKind::Read => "rwatch",
                    WatchKind::Access => "awatch",
                };
                format!("{name}:{:x};", w.addr)
            }
            Some(Event::Fork(child)) => format!("fork:{};", self.id(*child, *child)),
            Some(Event::Vfork(child)) => format!("vfork:{};", self.id(*child, *child)),
            Some(Event::VforkDone) => "vforkdone:;".into(),
            Some(Event::Exec) => {
                format!("exec:{};", hex(&self.exec_file(tid).unwrap_or_default()))
            }
            Some(Event::Call(n, true)) => format!("syscall_entry:{n:x};"),
            Some(Event::Call(n, false)) => format!("syscall_return:{n:x};"),
        };
        out += &self.usual_registers(tid);
        let pid = self.all.threads.get(&tid).map_or(tid, |t| t.pid);
        out + &format!("thread:{};", self.id(pid, tid))
    }

    /// Takes every change of state there is.
    pub(super) fn collect(&mut self) {
        // Cleared before it is looked, so that nothing is missed.
        while let Ok(Some(_)) = self.children.read_signal() {}
        loop {
            let mut any = false;
            let there = self.all.threads.iter().filter(|(_, t)| t.state != State::Ended);
            let known: Vec<i32> = there.map(|(tid, _)| *tid).collect();
            for tid in known {
                match server::changed(tid) {
                    Ok(None) => {}
                    Ok(Some(status)) => {
                        any = true;
                        if let Some(status) = trace::waited(tid, status, false) {
                            self.changed(tid, status);
                        }
                    }
                    Err(_) => self.gone(tid),
                }
            }
            while let Some((tid, status)) = trace::untold(|_| true, false) {
                any = true;
                self.changed(tid, status);
            }
            if !any {
                return;
            }
        }
    }

    /// A thread is not there any more.
    fn gone(&mut self, tid: i32) {
        server::forget(tid);
        if let Some(t) = self.all.threads.remove(&tid)
            && t.pid == tid
        {
            self.all.remove(tid);
        }
    }

    fn changed(&mut self, tid: i32, status: i32) {
        if !libc::WIFSTOPPED(status) && status & 0xff != 0x7f {
            server::forget(tid);
            let process = self.all.threads.remove(&tid).filter(|t| t.pid == tid);
            if process.is_some() {
                match self.all.processes.get(&tid) {
                    Some(p) if !p.unwanted => self.all.end(tid, status),
                    _ => self.all.remove(tid),
                }
            }
            return;
        }
        let Ok(seen) = server::seen(self.shared, tid) else { return };
        let Some(t) = self.all.threads.get_mut(&tid) else { return };
        t.state = State::Stopped;
        t.group_stop = server::is_group_stop(seen.code);
        let pid = t.pid;
        if self.all.processes.get(&pid).is_some_and(|p| p.unwanted) {
            return self.drop_process(pid);
        }
        let signal = match self.judge(tid, &seen) {
            Judged::Tell(event) => {
                if let Some(t) = self.all.threads.get_mut(&tid) {
                    t.event = Some(event);
                }
                return;
            }
            Judged::Stay => return,
            Judged::GoOn(signal) => signal,
        };
        self.go_on(tid, signal);
    }

    /// What a stop means.
    fn judge(&mut self, tid: i32, seen: &Seen) -> Judged {
        let signal = (seen.code & 0xff) as i32;
        match server::event_of(seen.code) {
            0 => {}
            event::CLONE => {
                let pid = self.all.threads.get(&tid).map_or(tid, |t| t.pid);
                let new = Thread::new(pid);
                self.all.threads.insert(seen.message as i32, new);
                return Judged::GoOn(0);
            }
            event @ (event::FORK | event::VFORK) => {
                let vfork = event == event::VFORK;
                return self.forked(tid, seen.message as i32, vfork);
            }
            event::VFORK_DONE => {
                if let Some(t) = self.all.threads.get_mut(&tid) {
                    t.in_vfork = false;
                }
                return if self.supports.vfork {
                    Judged::Tell(Event::VforkDone)
                } else {
                    Judged::GoOn(0)
                };
            }
            event::EXEC => return self.executed(tid),
            _ => {
                let t = self.all.threads.get(&tid);
                let asked = t.is_some_and(|t| t.asked || !t.resumed);
                return if asked { Judged::Stay } else { Judged::GoOn(0) };
            }
        }
        match seen.kind {
            kind::STEP => return self.stepped(tid),
            kind::WATCH => {
                let watches = self.all.process_of(tid).map(|p| &p.watches);
                let hit = watches.and_then(|w| w.get(seen.message as usize)).copied();
                return hit.map_or(Judged::GoOn(0), |w| Judged::Tell(Event::Watch(w)));
            }
            _ => {}
        }
        if let Some((number, before)) = seen.call {
            let catch = self.all.process_of(tid).and_then(|p| p.catch.as_ref());
            let told = catch.is_some_and(|c| c.is_empty() || c.contains(&number));
            return if told { Judged::Tell(Event::Call(number, before)) } else { Judged::GoOn(0) };
        }
        if signal == libc::SIGTRAP
            && let Some(at) = self.breakpoint_hit(tid)
        {
            return Judged::Tell(Event::Break(at));
        }
        if self.pass & crate::signal::host::bit(signal) != 0 {
            return Judged::GoOn(signal);
        }
        Judged::Tell(Event::Signal(signal))
    }

    /// The breakpoint that a thread has stopped at by a trap.
    fn breakpoint_hit(&mut self, tid: i32) -> Option<u64> {
        let info = server::siginfo(tid).ok()?;
        let code = i32::from_le_bytes([info[8], info[9], info[10], info[11]]);
        let pc = self.pc(tid)?;
        let known = self.all.process_of(tid)?.breaks.contains_key(&pc);
        (code == TRAP_BRKPT && known).then_some(pc)
    }

    fn stepped(&mut self, tid: i32) -> Judged {
        let range = self.all.threads.get(&tid).map_or(0..0, |t| t.range.clone());
        let inside = !range.is_empty() && self.pc(tid).is_some_and(|pc| range.contains(&pc));
        if inside { Judged::GoOn(0) } else { Judged::Tell(Event::Signal(libc::SIGTRAP)) }
    }

    fn forked(&mut self, tid: i32, child: i32, vfork: bool) -> Judged {
        let parent = self.all.process_of(tid).cloned().unwrap_or_default();
        let wanted = if vfork { self.supports.vfork } else { self.supports.fork };
        self.all.add(child, Process { unwanted: !wanted, ..parent });
        if let Some(t) = self.all.threads.get_mut(&tid) {
            t.in_vfork = vfork;
        }
        if !wanted {
            return Judged::GoOn(0);
        }
        // It stays where it stops first, until gdb says what becomes of it.
        if let Some(t) = self.all.threads.get_mut(&child) {
            t.resumed = false;
        }
        Judged::Tell(if vfork { Event::Vfork(child) } else { Event::Fork(child) })
    }

    /// A new program: the process has one thread, which was never told to look for anything.
    fn executed(&mut self, tid: i32) -> Judged {
        let Some(pid) = self.all.threads.get(&tid).map(|t| t.pid) else { return Judged::Stay };
        let others: Vec<i32> = self.all.threads_of(pid).filter(|t| *t != tid).collect();
        for other in others {
            self.all.threads.remove(&other);
        }
        let catch = self.all.processes.remove(&pid).and_then(|p| p.catch);
        self.all.processes.insert(pid, Process { catch, ..Process::default() });
        if !server::is_guest(tid) {
            log::info!(target: "remu::gdb", "process {pid} executes a program of another processor");
            self.drop_process(pid);
            self.all.add(pid, Process::default());
            self.all.end(pid, 0);
            return Judged::Stay;
        }
        if self.supports.exec { Judged::Tell(Event::Exec) } else { Judged::GoOn(0) }
    }

    /// Lets a thread run on as before.
    fn go_on(&mut self, tid: i32, signal: i32) {
        let Some(p) = self.all.process_of(tid) else { return };
        let (calls, watch) = (p.catch.is_some(), !p.watches.is_empty());
        let Some(t) = self.all.threads.get_mut(&tid) else { return };
        if t.state != State::Stopped {
            return;
        }
        let done = if t.group_stop && signal == 0 {
            server::listen(tid)
        } else {
            server::go(tid, Go { calls, watch, ..t.go }, signal)
        };
        // One that was killed meanwhile is collected later.
        if done.is_ok() {
            t.state = State::Running;
        }
    }

    /// Stops every thread that runs.
    pub(super) fn stop_all(&mut self) {
        for (tid, t) in &mut self.all.threads {
            if t.is_awaited() {
                t.asked = true;
                // One that has just ended is collected below.
                let _ = server::interrupt(*tid);
            }
        }
        let start = Instant::now();
        self.collect();
        while self.all.threads.values().any(Thread::is_awaited) && start.elapsed() < PATIENCE {
            let mut fds = [PollFd::new(self.children.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut fds, timeout);
            self.collect();
            for (tid, t) in &mut self.all.threads {
                t.zombie |= t.is_awaited() && is_zombie(t.pid, *tid);
            }
        }
        for t in self.all.threads.values_mut() {
            t.asked = false;
        }
    }

    /// `vCont`: the actions, each for some threads; the first that names a thread counts.
    pub(super) fn resume(&mut self, text: &str) -> Done {
        let Some(actions) = Action::all(text) else { return self.send("E01") };
        let mut signals = Vec::new();
        for (tid, t) in &mut self.all.threads {
            let found = actions.iter().find(|a| a.who.names(t.pid, *tid));
            let Some(action) = found else { continue };
            t.resumed = true;
            t.go.step = action.step;
            t.range = action.range.clone();
            if action.signal != 0 && t.event.is_none() {
                signals.push((*tid, from_gdb(action.signal)));
            }
        }
        self.drop_stale_breaks();
        self.is_running = true;
        if self.has_news() {
            return self.report();
        }
        if !self.all.threads.values().any(|t| t.resumed) {
            self.is_running = false;
            return self.send("N");
        }
        for (tid, signal) in signals {
            self.go_on(tid, signal);
        }
        self.run_resumed();
        Ok(())
    }

    /// Lets every thread run that gdb has let run.
    fn run_resumed(&mut self) {
        let quiet = |t: &Thread| t.resumed && t.event.is_none();
        let list: Vec<i32> =
            self.all.threads.iter().filter(|(_, t)| quiet(t)).map(|(tid, _)| *tid).collect();
        list.into_iter().for_each(|tid| self.go_on(tid, 0));
    }

    /// A breakpoint that is gone has not been hit.
    fn drop_stale_breaks(&mut self) {
        let Self { all, .. } = self;
        for t in all.threads.values_mut() {
            if let Some(Event::Break(at)) = t.event
                && all.processes.get(&t.pid).is_none_or(|p| !p.breaks.contains_key(&at))
            {
                t.event = None;
            }
        }
    }

    /// Lets a process run without a debugger.
    pub(super) fn drop_process(&mut self, pid: i32) {
        if let Some(p) = self.all.processes.get_mut(&pid) {
            let stale: Vec<u64> = p.breaks.keys().copied().collect();
            (p.breaks, p.watches, p.catch) = Default::default();
            p.unwanted = true;
            if let Some(tid) = self.all.threads_of(pid).next() {
                // What cannot be written belongs to a process that is gone.
                let _ = server::set_breaks(tid, std::iter::empty(), &stale);
                let _ = server::set_watches(tid, std::iter::empty());
            }
        }
        if self.all.has_ended(pid) {
            return self.all.remove(pid);
        }
        let list: Vec<i32> = self.all.threads_of(pid).collect();
        for tid in list {
            let Some(t) = self.all.threads.get(&tid) else { continue };
            if t.state == State::Stopped {
                let signal = match t.event {
                    Some(Event::Signal(signal)) if signal != libc::SIGTRAP => signal,
                    _ => 0,
                };
                let _ = server::detach(tid, signal);
                self.all.threads.remove(&tid);
            }
        }
        // Those that run are let go when they stop.
        if self.all.threads_of(pid).next().is_none() {
            self.all.remove(pid);
        }
    }
}

/// What becomes of a thread that has stopped.
enum Judged {
    /// gdb hears of it.
    Tell(Event),
    /// It stays where it is.
    Stay,
    /// It runs on with a signal, 0 for none.
    GoOn(i32),
}

impl Watch {
    /// As the tracee keeps it.
    pub(super) fn words(&self) -> [u64; 3] {
        let kinds = match self.kind {
            WatchKind::Write => trace::access::WRITE,
            WatchKind::Read => trace::access::READ,
            WatchKind::Access => trace::access::READ | trace::access::WRITE,
        };
        [self.addr, self.addr.saturating_add(self.len), kinds]
    }
}

/// True for a thread that has ended.
fn is_zombie(pid: i32, tid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat"));
    let state = |text: &String| Some(text.rsplit_once(") ")?.1.starts_with(['Z', 'X']));
    text.map_or_else(|e| e.kind() == io::ErrorKind::NotFound, |t| state(&t).unwrap_or(false))
}
