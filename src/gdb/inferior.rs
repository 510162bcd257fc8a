//! The processes and threads being debugged, and what has happened to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use crate::trace::server::Go;

/// One process.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// Breakpoints: bytes of each one's instruction, and whether gdb calls it a hardware one.
    pub(super) breaks: BTreeMap<u64, Break>,
    pub(super) watches: Vec<Watch>,
    /// Calls that gdb wants to hear of: none, all (empty set), or these.
    pub(super) catch: Option<BTreeSet<u64>>,
    /// It goes as soon as it stops: gdb does not want it.
    pub(super) unwanted: bool,
}

/// A breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    pub(super) code: &'static [u8],
    pub(super) hardware: bool,
}

/// A watchpoint as gdb asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) addr: u64,
    pub(super) len: u64,
    pub(super) kind: WatchKind,
}

/// What a watchpoint looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchKind {
    Write,
    Read,
    Access,
}

/// What gdb is to be told of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A signal, by the kernel's number.
    Signal(i32),
    /// A breakpoint at this address.
    Break(u64),
    /// A watchpoint.
    Watch(Watch),
    /// A new process.
    Fork(i32),
    /// The same, and the caller waits for it.
    Vfork(i32),
    /// That wait is over.
    VforkDone,
    /// A new program.
    Exec,
    /// Before (`true`) or after a call.
    Call(u64, bool),
}

/// Whether a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Stopped,
    /// Its process has ended, of which gdb has not heard: until then gdb may ask about it.
    Ended,
}

/// One thread.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub(super) pid: i32,
    pub(super) state: State,
    /// gdb has let it run.
    pub(super) resumed: bool,
    /// What gdb has not heard yet.
    pub(super) event: Option<Event>,
    /// How it runs.
    pub(super) go: Go,
    /// Stepping goes on while the thread is in here.
    pub(super) range: Range<u64>,
    /// It was asked to stop.
    pub(super) asked: bool,
    /// Its process stands still by a signal.
    pub(super) group_stop: bool,
    /// It waits for a child that shares its memory: nothing stops it there.
    pub(super) in_vfork: bool,
    /// It has ended, but not its process.
    pub(super) zombie: bool,
}

impl Thread {
    /// A thread that nothing is known of yet.
    pub(super) fn new(pid: i32) -> Thread {
        Thread {
            pid,
            state: State::Running,
            resumed: true,
            event: None,
            go: Go::default(),
            range: 0..0,
            asked: false,
            group_stop: false,
            in_vfork: false,
            zombie: false,
        }
    }

    /// True when it can be made to stop, and has not stopped.
    pub(super) fn is_awaited(&self) -> bool {
        self.state == State::Running && !self.in_vfork && !self.zombie
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Inferiors {
    pub(super) processes: BTreeMap<i32, Process>,
    pub(super) threads: BTreeMap<i32, Thread>,
    /// Processes that have ended, by their wait status, of which gdb has not heard.
    pub(super) ended: VecDeque<(i32, i32)>,
}

impl Inferiors {
    /// A process with its first thread.
    pub(super) fn add(&mut self, pid: i32, process: Process) {
        self.processes.insert(pid, process);
        self.threads.insert(pid, Thread::new(pid));
    }

    /// The threads of a process.
    pub(super) fn threads_of(&self, pid: i32) -> impl Iterator<Item = i32> {
        self.threads.iter().filter(move |(_, t)| t.pid == pid).map(|(tid, _)| *tid)
    }

    /// A process has ended: it stays as it was, with its first thread, until gdb hears of that.
    pub(super) fn end(&mut self, pid: i32, status: i32) {
        self.threads.retain(|_, t| t.pid != pid);
        self.threads.insert(pid, Thread { state: State::Ended, ..Thread::new(pid) });
        self.ended.push_back((pid, status));
    }

    /// The end that gdb is to hear of next; the process is forgotten.
    pub(super) fn take_end(&mut self) -> Option<(i32, i32)> {
        let (pid, status) = *self.ended.front()?;
        self.remove(pid);
        Some((pid, status))
    }

    /// True for a process that has ended, of which gdb has not heard.
    pub(super) fn has_ended(&self, pid: i32) -> bool {
        self.ended.iter().any(|e| e.0 == pid)
    }

    /// Forgets a process.
    pub(super) fn remove(&mut self, pid: i32) {
        self.ended.retain(|e| e.0 != pid);
        self.processes.remove(&pid);
        self.threads.retain(|_, t| t.pid != pid);
    }

    /// The process of a thread.
    pub(super) fn process_of(&self, tid: i32) -> Option<&Process> {
        self.processes.get(&self.threads.get(&tid)?.pid)
    }

    /// True when gdb shows the thread. A process is shown once gdb has heard of the fork that made it.
    pub(super) fn shows(&self, tid: i32) -> bool {
        let Some(thread) = self.threads.get(&tid) else { return false };
        let made = |t: &Thread| match t.event {
            Some(Event::Fork(child) | Event::Vfork(child)) => child == thread.pid,
            _ => false,
        };
        !thread.zombie
            && self.processes.get(&thread.pid).is_some_and(|p| !p.unwanted)
            && !self.threads.values().any(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_shown_when_its_fork_was_told() {
        let mut all = Inferiors::default();
        all.add(10, Process::default());
        all.add(20, Process::default());
        assert!(all.shows(20) && !all.shows(30));
        all.threads.get_mut(&10).unwrap().event = Some(Event::Vfork(20));
        assert!(all.shows(10) && !all.shows(20));
        all.threads.get_mut(&10).unwrap().event = None;
        assert!(all.shows(20));
        all.end(20, 0);
        assert!(all.shows(20) && all.has_ended(20) && !all.threads[&20].is_awaited());
        assert_eq!((all.take_end(), all.take_end()), (Some((20, 0)), None));
        assert!(!all.shows(20) && all.shows(10));
        all.add(40, Process { unwanted: true, ..Process::default() });
        assert!(!all.shows(40));
    }
}
