//! One conversation with gdb: its packets and their answers.

use nix::sys::signalfd::SignalFd;
use remu_gdb::packet::{Link, Message, PACKET_SIZE, ThreadId, hex, number, unhex};
use remu_gdb::resume::{old, pair};

use super::files::Files;
use super::inferior::{Break, Inferiors, Process, State, Watch, WatchKind};
use super::signals::from_gdb;
use super::{Done, Gone};
use crate::guest::debug::{Feature, Reg};
use crate::signal::host::bit;
use crate::task::Shared;
use crate::trace::server;

/// Replaces a signal's information.
const WRITE_SIGINFO: &[u8] = b"qXfer:siginfo:write::";

/// What gdb understands.
#[derive(Debug, Default)]
pub(super) struct Supports {
    pub(super) multiprocess: bool,
    pub(super) swbreak: bool,
    pub(super) hwbreak: bool,
    pub(super) fork: bool,
    pub(super) vfork: bool,
    pub(super) exec: bool,
}

/// The conversation.
pub(super) struct Session<'a> {
    pub(super) link: Link,
    pub(super) shared: &'a Shared,
    /// Tells of changes of state.
    pub(super) children: SignalFd,
    pub(super) all: Inferiors,
    pub(super) features: Vec<Feature>,
    pub(super) supports: Supports,
    /// The thread that requests are about.
    pub(super) general: i32,
    /// gdb waits for a stop.
    pub(super) is_running: bool,
    pub(super) last_stop: String,
    /// Signals that gdb need not hear of.
    pub(super) pass: u64,
    pub(super) files: Files,
}

impl<'a> Session<'a> {
    /// For a process that has been seized.
    pub(super) fn new(link: Link, shared: &'a Shared, children: SignalFd, pid: i32) -> Session<'a> {
        let mut all = Inferiors::default();
        all.add(pid, Process::default());
        Session {
            link,
            shared,
            children,
            all,
            features: (shared.os.debug.features)(),
            supports: Supports::default(),
            general: pid,
            is_running: false,
            last_stop: String::new(),
            pass: 0,
            files: Files::default(),
        }
    }

    /// Serves gdb until it goes; the guests run on then.
    pub(super) fn serve(&mut self) {
        self.await_first_stop();
        while self.turn().is_ok() {}
        self.stop_all();
        let all: Vec<i32> = self.all.processes.keys().copied().collect();
        all.into_iter().for_each(|pid| self.drop_process(pid));
    }

    fn turn(&mut self) -> Done {
        if self.is_running {
            self.running()?;
            if !self.is_running {
                return Ok(());
            }
        } else {
            match self.link.message()? {
                Some(Message::Packet(packet)) => return self.packet(&packet),
                Some(Message::Interrupt) => return Ok(()),
                None => {}
            }
        }
        if self.wait() { Ok(()) } else { Err(Gone) }
    }

    pub(super) fn send(&mut self, text: &str) -> Done {
        log::trace!(target: "remu::gdb", "  {text}");
        Ok(self.link.send(text.as_bytes())?)
    }

    fn send_if(&mut self, done: Option<()>) -> Done {
        self.send(if done.is_some() { "OK" } else { "E01" })
    }

    /// A thread's name for gdb.
    pub(super) fn id(&self, pid: i32, tid: i32) -> String {
        if self.supports.multiprocess { format!("p{pid:x}.{tid:x}") } else { format!("{tid:x}") }
    }

    fn packet(&mut self, packet: &[u8]) -> Done {
        log::trace!(target: "remu::gdb", "{}", String::from_utf8_lossy(packet));
        let Some((&first, rest)) = packet.split_first() else { return self.send("") };
        // Binary data is at the end of these.
        if first == b'X'
            || [&b"vFile:pwrite:"[..], WRITE_SIGINFO].iter().any(|p| packet.starts_with(p))
        {
            return self.binary(packet);
        }
        let Ok(text) = std::str::from_utf8(rest) else { return self.send("") };
        match first {
            b'?' => self.why_stopped(),
            b'!' => self.send("OK"),
            b'g' => match self.all_registers() {
                Some(text) => self.send(&text),
                None => self.send("E01"),
            },
            b'G' => {
                let done = unhex(rest).and_then(|bytes| self.set_all_registers(&bytes));
                self.send_if(done)
            }
            b'p' => match number(text).and_then(|n| self.register(n as usize)) {
                Some(text) => self.send(&text),
                None => self.send("E01"),
            },
            b'P' => {
                let done = self.set_register_text(text);
                self.send_if(done)
            }
            b'm' => match self.read_memory_text(text) {
                Some(bytes) => self.send(&hex(&bytes)),
                None => self.send("E14"),
            },
            b'M' => {
                let done = text.split_once(':').and_then(|(range, data)| {
                    let (addr, len) = pair(range)?;
                    let data = unhex(data.as_bytes())?;
                    (data.len() as u64 == len).then(|| self.write_memory(addr, &data))?
                });
                self.send_if(done)
            }
            b'H' => self.choose_thread(text),
            b'T' => {
                let tid = ThreadId::parse(text).and_then(|id| id.tid);
                let done = tid.filter(|tid| self.all.shows(*tid)).map(drop);
                self.send_if(done)
            }
            b'Z' | b'z' => match self.point(first == b'Z', text) {
                Some(done) => self.send_if(done),
                None => self.send(""),
            },
            b'c' | b's' | b'C' | b'S' => self.resume(&old(first, text, self.general)),
            b'D' => {
                match text.strip_prefix(';').and_then(number) {
                    Some(pid) => self.drop_process(pid as i32),
                    None => {
                        let all: Vec<i32> = self.all.processes.keys().copied().collect();
                        all.into_iter().for_each(|pid| self.drop_process(pid));
                    }
                }
                self.send("OK")
            }
            b'k' => {
                let all: Vec<i32> = self.all.processes.keys().copied().collect();
                all.into_iter().for_each(|pid| self.kill(pid));
                Err(Gone)
            }
            b'v' => self.verb(text),
            b'q' => self.query(text),
            b'Q' => self.set(text),
            _ => self.send(""),
        }
    }

    fn why_stopped(&mut self) -> Done {
        if self.last_stop.is_empty() {
            self.last_stop = self.stop_text(self.general, None);
        }
        let text = self.last_stop.clone();
        self.send(&text)
    }

    fn verb(&mut self, text: &str) -> Done {
        if text == "Cont?" {
            return self.send("vCont;c;C;s;S;r");
        }
        if let Some(actions) = text.strip_prefix("Cont") {
            return self.resume(actions);
        }
        if let Some(pid) = text.strip_prefix("Kill;").and_then(number) {
            let pid = pid as i32;
            if !self.all.processes.contains_key(&pid) {
                return self.send("E01");
            }
            self.kill(pid);
            return self.send("OK");
        }
        if let Some(call) = text.strip_prefix("File:") {
            let answer = self.files.call(call, &self.shared.config.sysroot);
            return Ok(self.link.send(&answer)?);
        }
        self.send("")
    }

    /// Ends a process.
    pub(super) fn kill(&mut self, pid: i32) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
        self.all.remove(pid);
        server::forget(pid);
    }

    fn choose_thread(&mut self, text: &str) -> Done {
        let Some(id) = text.get(1..).and_then(ThreadId::parse) else { return self.send("E01") };
        let now = (self.all.threads.get(&self.general)).map(|t| (t.pid, self.general));
        if now.is_some_and(|(pid, tid)| id.names(pid, tid)) {
            return self.send("OK");
        }
        let found = self.all.threads.iter().find(|(tid, t)| id.names(t.pid, **tid) && !t.zombie);
        match found.map(|(tid, _)| *tid) {
            Some(tid) => {
                self.general = tid;
                self.send("OK")
            }
            None => self.send("E01"),
        }
    }

    fn set(&mut self, text: &str) -> Done {
        if text == "StartNoAckMode" {
            self.send("OK")?;
            self.link.stop_acks();
            return Ok(());
        }
        if let Some(list) = text.strip_prefix("PassSignals:") {
            let signals = list.split(';').filter_map(|s| u8::from_str_radix(s, 16).ok());
            let signals = signals.map(from_gdb).filter(|s| *s != 0);
            self.pass = signals.fold(0, |set, s| set | bit(s));
            return self.send("OK");
        }
        if let Some(what) = text.strip_prefix("CatchSyscalls:") {
            let catch = what
                .strip_prefix('1')
                .map(|list| list.split(';').filter(|n| !n.is_empty()).filter_map(number).collect());
            let pid = self.current_process();
            if let Some(p) = self.all.processes.get_mut(&pid) {
                p.catch = catch;
            }
            return self.send("OK");
        }
        match text {
            "NonStop:0" => self.send("OK"),
            _ => self.send(""),
        }
    }

    /// The process that requests are about.
    pub(super) fn current_process(&self) -> i32 {
        self.all.threads.get(&self.general).map_or(self.general, |t| t.pid)
    }

    fn binary(&mut self, packet: &[u8]) -> Done {
        if let Some(call) = packet.strip_prefix(b"vFile:pwrite:") {
            let answer = self.files.write(call);
            return Ok(self.link.send(&answer)?);
        }
        if let Some(rest) = packet.strip_prefix(WRITE_SIGINFO) {
            return self.write_siginfo(rest);
        }
        let colon = packet.iter().position(|&b| b == b':');
        let done = colon.and_then(|colon| {
            let (addr, len) = pair(std::str::from_utf8(&packet[1..colon]).ok()?)?;
            let data = &packet[colon + 1..];
            (data.len() as u64 == len).then(|| self.write_memory(addr, data))?
        });
        self.send_if(done)
    }

    fn read_memory_text(&self, text: &str) -> Option<Vec<u8>> {
        let (addr, len) = pair(text)?;
        let mut out = vec![0; (len as usize).min(PACKET_SIZE / 2)];
        let have = super::files::read_memory(self.current_process(), addr, &mut out)?;
        out.truncate(have);
        (len == 0 || have > 0).then_some(out)
    }

    fn write_memory(&mut self, addr: u64, data: &[u8]) -> Option<()> {
        let pid = self.current_process();
        super::files::write_memory(pid, addr, data)?;
        if let Some(tid) = self.all.threads_of(pid).next() {
            server::wrote(tid, addr, data.len() as u64);
        }
        Some(())
    }

    /// `Z` and `z`: `None` for a kind that is not known, `Some(None)` for failure.
    fn point(&mut self, insert: bool, text: &str) -> Option<Option<()>> {
        let (kind, rest) = text.split_once(',')?;
        let rest = rest.split_once(';').map_or(rest, |(r, _)| r);
        let Some((addr, len)) = pair(rest) else { return Some(None) };
        let watch = |kind| Watch { addr, len, kind };
        match kind {
            "0" | "1" => {
                let code = (self.shared.os.debug.breakpoint)(len)?;
                Some(self.set_break(insert, addr, Break { code, hardware: kind == "1" }))
            }
            "2" => Some(self.set_watch(insert, watch(WatchKind::Write))),
            "3" => Some(self.set_watch(insert, watch(WatchKind::Read))),
            "4" => Some(self.set_watch(insert, watch(WatchKind::Access))),
            _ => None,
        }
    }

    fn set_break(&mut self, insert: bool, addr: u64, b: Break) -> Option<()> {
        let pid = self.current_process();
        if self.all.has_ended(pid) {
            return Some(());
        }
        let tid = self.all.threads_of(pid).next()?;
        let p = self.all.processes.get_mut(&pid)?;
        if insert {
            if p.breaks.len() == crate::trace::Points::BREAKS && !p.breaks.contains_key(&addr) {
                return None;
            }
            p.breaks.insert(addr, b);
        } else {
            p.breaks.remove(&addr);
        }
        let breaks = p.breaks.iter().map(|(at, b)| (*at, b.code));
        server::set_breaks(tid, breaks, &[addr]).ok()
    }

    fn set_watch(&mut self, insert: bool, watch: Watch) -> Option<()> {
        let pid = self.current_process();
        if self.all.has_ended(pid) {
            return Some(());
        }
        let tid = self.all.threads_of(pid).next()?;
        let p = self.all.processes.get_mut(&pid)?;
        p.watches.retain(|w| *w != watch);
        if insert {
            if p.watches.len() == crate::trace::Points::WATCHES {
                return None;
            }
            p.watches.push(watch);
        }
        server::set_watches(tid, p.watches.iter().map(Watch::words)).ok()
    }

    fn reg(&self, n: usize) -> Option<&Reg> {
        self.features.iter().flat_map(|f| &f.regs).nth(n)
    }

    /// The bytes of registers, of which each set is read once.
    fn read_registers<'r>(
        &self,
        tid: i32,
        regs: impl Iterator<Item = &'r Reg>,
    ) -> Option<Vec<Vec<u8>>> {
        let is_stopped = self.all.threads.get(&tid).is_some_and(|t| t.state == State::Stopped);
        let mut known: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut sets = |set: u64| {
            if let Some((_, bytes)) = known.iter().find(|k| k.0 == set) {
                return Some(bytes.clone());
            }
            let bytes = server::registers(self.shared, tid, set).ok()?;
            known.push((set, bytes.clone()));
            Some(bytes)
        };
        if !is_stopped {
            return None;
        }
        regs.map(|r| r.read(&mut sets)).collect()
    }

    fn all_registers(&self) -> Option<String> {
        self.registers_text(self.features.iter().flat_map(|f| &f.regs))
    }

    fn register(&self, n: usize) -> Option<String> {
        self.registers_text(std::iter::once(self.reg(n)?))
    }

    /// Registers of the chosen thread, as packets have them. Those of a thread that does not stand
    /// still are unavailable; but one whose process has ended has a program counter of 0, for gdb
    /// lets no thread go on that has none, and would not hear of the end.
    fn registers_text<'r>(&self, regs: impl Iterator<Item = &'r Reg>) -> Option<String> {
        let state = self.all.threads.get(&self.general)?.state;
        if state == State::Stopped {
            return Some(hex(&self.read_registers(self.general, regs)?.concat()));
        }
        let pc = self.shared.os.debug.always[1];
        let text = |r: &Reg| {
            let digits = if state == State::Ended && r.name == pc { "00" } else { "xx" };
            digits.repeat(r.bits as usize / 8)
        };
        Some(regs.map(text).collect())
    }

    fn register_number(&self, name: &str) -> Option<usize> {
        self.features.iter().flat_map(|f| &f.regs).position(|r| r.name == name)
    }

    /// The program counter of a stopped thread.
    pub(super) fn pc(&self, tid: i32) -> Option<u64> {
        let r = self.reg(self.register_number(self.shared.os.debug.always[1])?)?;
        let bytes = self.read_registers(tid, std::iter::once(r))?.pop()?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    }

    /// The registers that gdb always wants, as a stop brings them.
    pub(super) fn usual_registers(&self, tid: i32) -> String {
        let numbers = self.shared.os.debug.always.iter().filter_map(|n| self.register_number(n));
        let numbers: Vec<usize> = numbers.collect();
        let regs = numbers.iter().filter_map(|n| self.reg(*n));
        let Some(values) = self.read_registers(tid, regs) else { return String::new() };
        numbers.iter().zip(values).map(|(n, v)| format!("{n:02x}:{};", hex(&v))).collect()
    }

    fn set_register_text(&mut self, text: &str) -> Option<()> {
        let (n, value) = text.split_once('=')?;
        let (n, value) = (number(n)? as usize, unhex(value.as_bytes())?);
        self.set_register(n, &value)
    }

    fn set_register(&self, n: usize, value: &[u8]) -> Option<()> {
        let reg = self.reg(n)?;
        if value.len() * 8 != reg.bits as usize {
            return None;
        }
        // Writing to a register that is always zero changes nothing.
        let Some(place) = reg.place else { return Some(()) };
        let mut set = server::registers(self.shared, self.general, place.set).ok()?;
        let old = set.clone();
        reg.write(&mut set, value)?;
        if set == old {
            return Some(());
        }
        server::set_registers(self.shared, self.general, place.set, &set).ok()
    }

    fn set_all_registers(&mut self, mut bytes: &[u8]) -> Option<()> {
        let sizes: Vec<usize> =
            self.features.iter().flat_map(|f| &f.regs).map(|r| r.bits as usize / 8).collect();
        for (n, size) in sizes.into_iter().enumerate() {
            let (value, rest) = bytes.split_at_checked(size)?;
            self.set_register(n, value)?;
            bytes = rest;
        }
        Some(())
    }
}
