//! One conversation with gdb: its packets and their answers.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use remu_gdb::describe;
use remu_gdb::packet::{Link, Message, PACKET_SIZE, ThreadId, hex, number, unhex};
use remu_gdb::resume::{Action, old, pair};
use remu_isa::{DebugReg, Debugged};

use super::{Points, Stop, Watch, WatchKind};
use crate::machine::{Debuggee, Machine};

/// How a conversation has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Over {
    /// gdb is gone.
    Gone,
    /// gdb wants the machine to end.
    Kill,
    /// gdb lets the machine go.
    Detach,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Over {
        Over::Gone
    }
}

type Done = Result<(), Over>;

/// gdb's numbers of signals: a request to stop, and anything a debugger does.
const SIGINT: u8 = 2;
const SIGTRAP: u8 = 5;

/// A breakpoint.
#[derive(Clone, Copy)]
struct Break {
    code: &'static [u8],
    hardware: bool,
}

/// The conversation.
pub(super) struct Session<'a> {
    link: Link,
    machine: &'a Arc<Machine>,
    points: &'a Points,
    wake: &'a EventFd,
    ended: &'a OnceLock<i32>,
    about: Debugged,
    breaks: BTreeMap<u64, Break>,
    watches: Vec<Watch>,
    /// Number of the processor that requests are about.
    general: usize,
    /// gdb waits for a stop.
    is_running: bool,
    last_stop: String,
    /// gdb knows of breakpoints that do not move the program counter.
    swbreak: bool,
    hwbreak: bool,
    detached: bool,
}

impl<'a> Session<'a> {
    /// With a machine that is stopped.
    pub(super) fn new(
        link: Link,
        machine: &'a Arc<Machine>,
        points: &'a Points,
        wake: &'a EventFd,
        ended: &'a OnceLock<i32>,
    ) -> Session<'a> {
        let about = machine.debuggee(0).map(Debuggee::describe).unwrap_or(Debugged {
            arch: "",
            features: Vec::new(),
            breakpoint: |_| None,
            watches_before: false,
            always: ["", ""],
        });
        points.take_stops();
        Session {
            link,
            machine,
            points,
            wake,
            ended,
            about,
            breaks: BTreeMap::new(),
            watches: Vec::new(),
            general: 0,
            is_running: false,
            last_stop: String::new(),
            swbreak: false,
            hwbreak: false,
            detached: false,
        }
    }

    /// Serves gdb until one of the two goes.
    pub(super) fn serve(&mut self) -> Over {
        loop {
            if let Err(over) = self.turn() {
                return over;
            }
        }
    }

    /// Takes back what gdb has set; a machine that gdb has let go runs on.
    pub(super) fn leave(&mut self) {
        self.machine.stop();
        self.breaks.clear();
        self.watches.clear();
        self.apply_points();
        for n in 0..self.machine.cpus() {
            if let Some(cpu) = self.machine.debuggee(n) {
                cpu.step(None);
            }
        }
        if self.detached {
            self.machine.cont();
        }
    }

    fn turn(&mut self) -> Done {
        while let Some(message) = self.link.message()? {
            match message {
                Message::Interrupt if self.is_running && !self.machine.events().is_quitting() => {
                    self.machine.stop();
                    self.report(self.general, SIGINT, None)?;
                }
                // gdb says nothing else before it has heard of a stop.
                Message::Packet(packet) if !self.is_running => self.packet(&packet)?,
                _ => {}
            }
        }
        let mut fds = [
            PollFd::new(self.link.fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            return Ok(());
        }
        let any = |fd: &PollFd<'_>| fd.revents().is_some_and(|r| !r.is_empty());
        let (gdb, woken) = (any(&fds[0]), any(&fds[1]));
        if woken {
            let _ = self.wake.read();
            self.look()?;
        }
        if gdb && !self.link.fill() { Err(Over::Gone) } else { Ok(()) }
    }

    /// Looks at what has become of the machine.
    fn look(&mut self) -> Done {
        if let Some(status) = self.ended.get() {
            self.send(&format!("W{:02x}", *status as u8))?;
            return Err(Over::Gone);
        }
        // After switching the machine off a processor goes on until it is told not to, and may stop by itself. gdb
        // waits for the end, which comes.
        if !self.is_running || self.machine.events().is_quitting() {
            return Ok(());
        }
        if let Some((cpu, why)) = self.points.take_stops().pop_front() {
            self.machine.stop();
            // Another that has stopped meanwhile does so again when it goes on.
            self.points.take_stops();
            return self.report(cpu, SIGTRAP, Some(why));
        }
        if !self.machine.is_running() {
            return self.report(self.general, SIGINT, None);
        }
        Ok(())
    }

    fn send(&mut self, text: &str) -> Done {
        log::trace!(target: "remu::gdb", "  {text}");
        Ok(self.link.send(text.as_bytes())?)
    }
    fn send_if(&mut self, done: bool) -> Done {
        self.send(if done { "OK" } else { "E01" })
    }

    fn report(&mut self, cpu: usize, signal: u8, why: Option<Stop>) -> Done {
        self.is_running = false;
        self.general = cpu;
        let mut text = format!("T{signal:02x}");
        match why {
            Some(Stop::Break) => {
                let at = self.pc(cpu).and_then(|pc| self.breaks.get(&pc));
                match at.is_some_and(|b| b.hardware) {
                    true if self.hwbreak => text += "hwbreak:;",
                    false if self.swbreak => text += "swbreak:;",
                    _ => {}
                }
            }
            Some(Stop::Watch(w)) => {
                let name = match w.kind {
                    WatchKind::Write => "watch",
                    WatchKind::Read => "rwatch",
                    WatchKind::Access => "awatch",
                };
                text += &format!("{name}:{:x};", w.addr);
            }
            Some(Stop::Step) | None => {}
        }
        text += &self.usual_registers(cpu);
        text += &format!("thread:{:x};", cpu + 1);
        self.last_stop.clone_from(&text);
        self.send(&text)
    }

    fn packet(&mut self, packet: &[u8]) -> Done {
        log::trace!(target: "remu::gdb", "{}", String::from_utf8_lossy(packet));
        let Some((&first, rest)) = packet.split_first() else { return self.send("") };
        if first == b'X' {
            let done = self.write_binary(rest).unwrap_or(false);
            return self.send_if(done);
        }
        let Ok(text) = std::str::from_utf8(rest) else { return self.send("") };
        match first {
            b'?' => {
                if self.last_stop.is_empty() {
                    return self.report(self.general, SIGTRAP, None);
                }
                let text = self.last_stop.clone();
                self.send(&text)
            }
            b'g' => {
                let text = self.registers(0..self.count());
                self.send(&text)
            }
            b'G' => {
                let done = unhex(rest).is_some_and(|bytes| self.set_registers(&bytes));
                self.send_if(done)
            }
            b'p' => match number(text).map(|n| n as usize).filter(|&n| n < self.count()) {
                Some(n) => {
                    let text = self.registers(n..n + 1);
                    self.send(&text)
                }
                None => self.send("E01"),
            },
            b'P' => {
                let parts = text.split_once('=');
                let parts = parts.and_then(|(n, v)| Some((number(n)?, unhex(v.as_bytes())?)));
                let done = parts.is_some_and(|(n, v)| self.set_register(n as usize, v));
                self.send_if(done)
            }
            b'm' => {
                let bytes = pair(text).map(|(at, len)| (self.read(at, len), len));
                match bytes {
                    Some((bytes, len)) if len == 0 || !bytes.is_empty() => self.send(&hex(&bytes)),
                    _ => self.send("E14"),
                }
            }
            b'M' => {
                let done = text.split_once(':').and_then(|(range, data)| {
                    let ((at, len), data) = (pair(range)?, unhex(data.as_bytes())?);
                    (data.len() as u64 == len).then(|| self.write(at, data))
                });
                self.send_if(done == Some(true))
            }
            b'H' => {
                let chosen = text.get(1..).and_then(|t| self.choose(t));
                if let Some(n) = chosen {
                    self.general = n;
                }
                self.send_if(chosen.is_some())
            }
            b'T' => {
                let found = self.choose(text).is_some();
                self.send_if(found)
            }
            b'Z' | b'z' => match self.point(first == b'Z', text) {
                Some(done) => self.send_if(done),
                None => self.send(""),
            },
            b'c' | b's' | b'C' | b'S' => {
                let tid = self.general as i32 + 1;
                self.resume(&old(first, text, tid))
            }
            b'D' => {
                self.detached = true;
                self.send("OK")?;
                Err(Over::Detach)
            }
            b'k' => Err(Over::Kill),
            b'v' => self.verb(text),
            b'q' => self.query(text),
            b'Q' if text == "StartNoAckMode" => {
                self.send("OK")?;
                self.link.stop_acks();
                Ok(())
            }
            _ => self.send(""),
        }
    }

    fn verb(&mut self, text: &str) -> Done {
        if text == "Cont?" {
            return self.send("vCont;c;C;s;S;r");
        }
        if let Some(actions) = text.strip_prefix("Cont") {
            return self.resume(actions);
        }
        if text.starts_with("Kill;") {
            self.send("OK")?;
            return Err(Over::Kill);
        }
        self.send("")
    }

    fn query(&mut self, text: &str) -> Done {
        let (name, args) = text.split_once([':', ',']).unwrap_or((text, ""));
        match name {
            "Supported" => {
                let has = |name: &str| args.split(';').any(|f| f.strip_suffix('+') == Some(name));
                (self.swbreak, self.hwbreak) = (has("swbreak"), has("hwbreak"));
                let text = format!(
                    "PacketSize={PACKET_SIZE:x};QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+;\
                     qXfer:features:read+;qXfer:threads:read+"
                );
                self.send(&text)
            }
            "Attached" => self.send("1"),
            "C" => {
                let text = format!("QC{:x}", self.general + 1);
                self.send(&text)
            }
            "fThreadInfo" => {
                let all = (1..=self.machine.cpus()).map(|n| format!("{n:x}"));
                let text = format!("m{}", all.collect::<Vec<_>>().join(","));
                self.send(&text)
            }
            "sThreadInfo" => self.send("l"),
            "ThreadExtraInfo" => {
                let name = self.choose(args).map(|n| self.name(n)).unwrap_or_default();
                self.send(&hex(name.as_bytes()))
            }
            "Xfer" => self.transfer(args),
            "Rcmd" => {
                let line = unhex(args.as_bytes()).unwrap_or_default();
                let text = crate::monitor::run(self.machine, &String::from_utf8_lossy(&line));
                if text.is_empty() {
                    return self.send("OK");
                }
                self.send(&hex(text.as_bytes()))
            }
            _ => self.send(""),
        }
    }

    /// `qXfer`: objects that gdb reads piece by piece.
    fn transfer(&mut self, args: &str) -> Done {
        let Some((object, annex, offset, len)) = describe::wanted(args) else {
            return self.send("E00");
        };
        let content = match object {
            "features" if annex == "target.xml" => {
                let features = self.about.features.iter().map(|f| {
                    (
                        f.name,
                        f.types,
                        f.regs.iter().map(|r| (r.name.as_str(), r.bits, r.ty)).collect(),
                    )
                });
                describe::description(self.about.arch, None, features)
            }
            "threads" => {
                let all = (0..self.machine.cpus()).map(|n| (format!("{:x}", n + 1), self.name(n)));
                describe::threads(all)
            }
            _ => return self.send(""),
        };
        Ok(self.link.send(&describe::piece(content.as_bytes(), offset, len))?)
    }

    fn name(&self, cpu: usize) -> String {
        let state = if self.machine.is_off(cpu) { "off" } else { "on" };
        format!("CPU#{cpu} [{state}]")
    }

    /// The processor that `text` names: that which requests are about for any.
    fn choose(&self, text: &str) -> Option<usize> {
        let id = ThreadId::parse(text)?;
        match id.tid {
            None => Some(self.general),
            Some(tid) => usize::try_from(tid - 1).ok().filter(|&n| n < self.machine.cpus()),
        }
    }

    /// `Z` and `z`: `None` for a kind that is not known.
    fn point(&mut self, insert: bool, text: &str) -> Option<bool> {
        let (kind, rest) = text.split_once(',')?;
        let rest = rest.split_once(';').map_or(rest, |(r, _)| r);
        let Some((addr, len)) = pair(rest) else { return Some(false) };
        let kind = match kind {
            "0" | "1" => {
                let code = (self.about.breakpoint)(len)?;
                if insert {
                    self.breaks.insert(addr, Break { code, hardware: kind == "1" });
                } else {
                    self.breaks.remove(&addr);
                }
                return Some(true);
            }
            "2" => WatchKind::Write,
            "3" => WatchKind::Read,
            "4" => WatchKind::Access,
            _ => return None,
        };
        let watch = Watch { addr, len, kind };
        self.watches.retain(|w| *w != watch);
        if insert {
            self.watches.push(watch);
        }
        Some(true)
    }

    /// Has the processors look for what gdb wants. Not before they go on: gdb takes everything out at each stop.
    fn apply_points(&mut self) {
        let breaks = self.breaks.iter().map(|(at, b)| (*at, b.code)).collect();
        let changed = self.points.set_breaks(breaks);
        let watches = self.points.set_watches(self.watches.clone());
        if let Some(cpu) = self.machine.debuggee(0) {
            changed.into_iter().for_each(|va| cpu.forget_code(va));
        }
        if watches {
            let all = (0..self.machine.cpus()).filter_map(|n| self.machine.debuggee(n));
            all.for_each(Debuggee::forget_pages);
        }
    }

    /// `vCont`: the actions, each for some processors; the first that names a processor counts.
    fn resume(&mut self, text: &str) -> Done {
        let Some(actions) = Action::all(text) else { return self.send("E01") };
        self.apply_points();
        let mut going = Vec::new();
        for n in 0..self.machine.cpus() {
            let action = actions.iter().find(|a| a.who.names(1, n as i32 + 1));
            going.push(action.is_some());
            if let (Some(action), Some(cpu)) = (action, self.machine.debuggee(n)) {
                cpu.step(action.step.then(|| action.range.clone()));
            }
        }
        self.points.take_stops();
        self.is_running = true;
        self.machine.cont_some(|n| going.get(n) == Some(&true));
        Ok(())
    }

    fn debuggee(&self) -> Option<&dyn Debuggee> {
        self.machine.debuggee(self.general)
    }
    fn count(&self) -> usize {
        self.about.features.iter().map(|f| f.regs.len()).sum()
    }
    fn regs(&self) -> impl Iterator<Item = &DebugReg> {
        self.about.features.iter().flat_map(|f| &f.regs)
    }

    /// Registers as packets have them.
    fn registers(&self, numbers: Range<usize>) -> String {
        let regs: Vec<&DebugReg> = self.regs().skip(numbers.start).take(numbers.len()).collect();
        let places = regs.iter().map(|r| r.place).collect();
        let values = self.debuggee().map(|d| d.registers(places)).unwrap_or_default();
        let all = regs.iter().enumerate().map(|(n, r)| {
            let value = values.get(n).and_then(Option::as_ref);
            let len = r.bits as usize / 8;
            value.filter(|v| v.len() >= len).map_or("xx".repeat(len), |v| hex(&v[..len]))
        });
        all.collect()
    }

    fn set_register(&self, n: usize, value: Vec<u8>) -> bool {
        let Some(reg) = self.regs().nth(n) else { return false };
        let fits = value.len() * 8 == reg.bits as usize;
        fits && self.debuggee().is_some_and(|d| d.set_register(reg.place, value))
    }

    /// Those that keep their value need not be ones that can be written.
    fn set_registers(&self, mut bytes: &[u8]) -> bool {
        let mut all = true;
        for (n, reg) in self.regs().enumerate() {
            let Some((value, rest)) = bytes.split_at_checked(reg.bits as usize / 8) else { break };
            all &= self.registers(n..n + 1) == hex(value) || self.set_register(n, value.to_vec());
            bytes = rest;
        }
        all
    }

    fn pc(&self, cpu: usize) -> Option<u64> {
        let reg = self.regs().find(|r| r.name == self.about.always[1])?;
        let value = self.machine.debuggee(cpu)?.registers(vec![reg.place]).pop()??;
        value.try_into().ok().map(u64::from_le_bytes)
    }

    /// The registers that gdb always wants, as a stop brings them.
    fn usual_registers(&self, cpu: usize) -> String {
        let Some(debuggee) = self.machine.debuggee(cpu) else { return String::new() };
        let named =
            self.regs().enumerate().filter(|(_, r)| self.about.always.contains(&r.name.as_str()));
        let (numbers, places): (Vec<_>, Vec<_>) = named.map(|(n, r)| (n, r.place)).unzip();
        let values = debuggee.registers(places).into_iter();
        let all = numbers.into_iter().zip(values);
        all.filter_map(|(n, v)| Some(format!("{n:02x}:{};", hex(&v?)))).collect()
    }

    fn read(&self, addr: u64, len: u64) -> Vec<u8> {
        let len = (len as usize).min(PACKET_SIZE / 2);
        self.debuggee().map(|d| d.read(addr, len)).unwrap_or_default()
    }
    fn write(&self, addr: u64, bytes: Vec<u8>) -> bool {
        self.debuggee().is_some_and(|d| d.write(addr, bytes))
    }
    /// `ADDR,LENGTH:BYTES`.
    fn write_binary(&self, packet: &[u8]) -> Option<bool> {
        let colon = packet.iter().position(|&b| b == b':')?;
        let (addr, len) = pair(std::str::from_utf8(&packet[..colon]).ok()?)?;
        let data = &packet[colon + 1..];
        (data.len() as u64 == len).then(|| self.write(addr, data.to_vec()))
    }
}
