//! `q` packets: what gdb asks about the stub and its guests.

use std::ffi::CString;
use std::io::Read;

use remu_gdb::describe;
use remu_gdb::packet::{PACKET_SIZE, ThreadId, hex, number, unhex};
use remu_syscalls::{AUXV_RUNNER, Peer};

use super::Done;
use super::session::Session;
use crate::guest::debug;
use crate::trace::server;

/// `monitor help`.
const HELP: &str = "help    this list\npids    the processes being debugged\nexit    end them\n";

impl Session<'_> {
    pub(super) fn query(&mut self, text: &str) -> Done {
        let (name, args) = text.split_once([':', ',']).unwrap_or((text, ""));
        match name {
            "Supported" => self.supported(args),
            "Attached" => self.send("1"),
            "C" => {
                let text = format!("QC{}", self.id(self.current_process(), self.general));
                self.send(&text)
            }
            "fThreadInfo" => {
                let list: Vec<String> = self.shown().map(|(pid, tid)| self.id(pid, tid)).collect();
                let text = format!("m{}", list.join(","));
                self.send(if list.is_empty() { "l" } else { &text })
            }
            "sThreadInfo" => self.send("l"),
            "ThreadExtraInfo" => {
                let tid = ThreadId::parse(args).and_then(|id| id.tid).unwrap_or(self.general);
                let name = self.thread_name(tid);
                self.send(&hex(name.as_bytes()))
            }
            "Xfer" => self.transfer(args),
            "Rcmd" => {
                let text = unhex(args.as_bytes()).unwrap_or_default();
                self.monitor(&String::from_utf8_lossy(&text))
            }
            _ => self.send(""),
        }
    }

    /// The threads that gdb shows, with their processes.
    fn shown(&self) -> impl Iterator<Item = (i32, i32)> {
        let all = self.all.threads.iter().filter(|(tid, _)| self.all.shows(**tid));
        all.map(|(tid, t)| (t.pid, *tid))
    }

    fn supported(&mut self, theirs: &str) -> Done {
        let has = |name: &str| theirs.split(';').any(|f| f.strip_suffix('+') == Some(name));
        self.supports.multiprocess = has("multiprocess");
        self.supports.swbreak = has("swbreak");
        self.supports.hwbreak = has("hwbreak");
        // A new process needs a name of its own.
        self.supports.fork = has("fork-events") && has("multiprocess");
        self.supports.vfork = has("vfork-events") && has("multiprocess");
        self.supports.exec = has("exec-events");
        let text = format!(
            "PacketSize={PACKET_SIZE:x};QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;\
             fork-events+;vfork-events+;exec-events+;no-resumed+;vContSupported+;QPassSignals+;\
             QCatchSyscalls+;qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:read+;\
             qXfer:threads:read+;qXfer:siginfo:read+;qXfer:siginfo:write+"
        );
        self.send(&text)
    }

    fn thread_name(&self, tid: i32) -> String {
        let pid = self.all.threads.get(&tid).map_or(tid, |t| t.pid);
        let name = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm"));
        name.unwrap_or_default().trim_end().to_owned()
    }

    /// `qXfer`: objects that gdb reads piece by piece.
    fn transfer(&mut self, args: &str) -> Done {
        let Some((object, annex, offset, len)) = describe::wanted(args) else {
            return self.send("E00");
        };
        let content = match object {
            "features" if annex == "target.xml" => {
                Some(debug::description(&self.shared.os.debug, &self.features).into_bytes())
            }
            "auxv" => self.auxv(self.current_process()),
            "exec-file" => {
                let pid = number(annex).map_or(self.current_process(), |pid| pid as i32);
                self.exec_file(pid)
            }
            "threads" => Some(self.thread_list().into_bytes()),
            "siginfo" => server::siginfo(self.general).ok().map(|i| i.to_vec()),
            _ => return self.send(""),
        };
        let Some(content) = content else { return self.send("E01") };
        Ok(self.link.send(&describe::piece(&content, offset, len))?)
    }

    /// `OFFSET:DATA`.
    pub(super) fn write_siginfo(&mut self, rest: &[u8]) -> Done {
        let colon = rest.iter().position(|&b| b == b':');
        let done = colon.and_then(|colon| {
            let data = &rest[colon + 1..];
            let from = number(std::str::from_utf8(&rest[..colon]).ok()?)? as usize;
            let mut info = server::siginfo(self.general).ok()?;
            info.get_mut(from..from.checked_add(data.len())?)?.copy_from_slice(data);
            server::set_siginfo(self.general, &info).ok()?;
            Some(data.len())
        });
        match done {
            Some(len) => self.send(&format!("{len:x}")),
            None => self.send("E01"),
        }
    }

    fn thread_list(&self) -> String {
        describe::threads(self.shown().map(|(pid, tid)| (self.id(pid, tid), self.thread_name(tid))))
    }

    /// The auxiliary vector as the guest has it.
    fn auxv(&self, pid: i32) -> Option<Vec<u8>> {
        let bytes = host_auxv(pid)?;
        let entries = bytes.chunks_exact(16).filter(|e| key(e) != AUXV_RUNNER);
        let guest: Vec<u8> = entries.flatten().copied().collect();
        if guest.len() != bytes.len() {
            return Some(guest);
        }
        // A kernel that keeps the runner's own vector there.
        Some(self.shared.config.stack.auxv.clone())
    }

    /// The path of the guest's program.
    pub(super) fn exec_file(&self, pid: i32) -> Option<Vec<u8>> {
        match Peer::of_process(pid) {
            Some(peer) => peer.program().map(CString::into_bytes),
            None => Some(self.shared.config.exe.as_bytes().to_vec()),
        }
    }

    /// `monitor`.
    fn monitor(&mut self, command: &str) -> Done {
        let text = match command.trim() {
            "help" => HELP.to_owned(),
            "pids" => self.all.processes.keys().map(|pid| format!("{pid}\n")).collect(),
            "exit" => {
                self.send("OK")?;
                let all: Vec<i32> = self.all.processes.keys().copied().collect();
                all.into_iter().for_each(|pid| self.kill(pid));
                return Ok(());
            }
            other => format!("no command '{other}'; try 'monitor help'\n"),
        };
        self.send(&hex(text.as_bytes()))
    }
}

fn key(entry: &[u8]) -> u64 {
    entry[..8].try_into().map_or(0, u64::from_le_bytes)
}

/// The auxiliary vector that the kernel shows of a process.
fn host_auxv(pid: i32) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    std::fs::File::open(format!("/proc/{pid}/auxv")).ok()?.take(8192).read_to_end(&mut out).ok()?;
    Some(out)
}
