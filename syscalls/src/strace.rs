//! strace text: `PID name(argument,..) = result`, in the manner of `qemu -strace`.
//!
//! The text of a call comes from its row. Input is shown decoded, output buffers as addresses.

use std::fmt::Write;

use crate::errors::{errno_name, errno_text};
use crate::structs::{
    EpollEvent, Itimerspec, Itimerval, OpenHow, PollFd, Rlimit, StackT, Timespec, Timeval,
};
use crate::table::names::{self, Names};
use crate::table::{Arg, Call, Ret, fcntls, ioctls, prctls};
use crate::{Abi, Errno, GuestMemory, Outcome, Plain, Process, host};

/// Bytes of a buffer shown before `...`.
const SHOWN: u64 = 32;

/// `name(argument,..)`, from the row alone. Safe for any argument values.
pub fn call_text(
    mem: GuestMemory,
    abi: &'static Abi,
    call: &'static Call,
    args: &[u64; 6],
) -> String {
    let mut show = Show { out: format!("{}(", call.name), mem, abi, args, row: call.args };
    for (i, (arg, &value)) in call.args.iter().zip(args).enumerate() {
        let end = show.out.len();
        if i > 0 {
            show.out.push(',');
        }
        let start = show.out.len();
        (arg.kind.show)(&mut show, value, arg.param);
        if show.out.len() == start {
            // Unused in this call: not even its comma is shown.
            show.out.truncate(end);
        }
    }
    show.out.push(')');
    show.out
}

/// Traces a call's start.
pub(crate) fn before(
    process: &mut dyn Process,
    abi: &'static Abi,
    call: &'static Call,
    args: &[u64; 6],
) {
    let mut text = format!("{} {}", thread_id(), call_text(process.memory(), abi, call, args));
    if call.result == Ret::Never {
        text.push('\n');
    }
    process.strace(&text);
}

/// Text of a call's result.
pub(crate) fn after(process: &mut dyn Process, call: &'static Call, outcome: Outcome) {
    let text = match outcome {
        Outcome::Return(raw) => result(call.result, raw),
        Outcome::Restart => " = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n".to_string(),
        Outcome::Replaced if call.result == Ret::Never => return,
        Outcome::Replaced => " = 0\n".to_string(),
        Outcome::Trap { .. } => " = ? SIGSYS\n".to_string(),
        Outcome::ExitThread(_)
        | Outcome::ExitGroup(_)
        | Outcome::Die(_)
        | Outcome::DieThread(_) => return,
    };
    process.strace(&text);
}

/// A whole line for a number no row has.
pub(crate) fn unknown(process: &mut dyn Process, nr: u64, args: &[u64; 6]) {
    let mut text = format!("{} syscall_{nr}(", thread_id());
    for (i, a) in args.iter().enumerate() {
        let _ = write!(text, "{}{a:#x}", if i > 0 { "," } else { "" });
    }
    text.push(')');
    text.push_str(&result(Ret::Int, Errno::ENOSYS.to_raw()));
    process.strace(&text);
}

fn thread_id() -> u64 {
    host::forward(libc::SYS_gettid, &[0; 6]).unwrap_or(0)
}

/// ` = value` or ` = -1 errno=2 (No such file or directory)`, with line end.
pub fn result(kind: Ret, raw: u64) -> String {
    match Errno::from_raw(raw as i64) {
        Err(Errno(code)) => match errno_text(code) {
            Some(text) => format!(" = -1 errno={code} ({text})\n"),
            None => {
                format!(" = -1 errno={code} ({})\n", errno_name(code).unwrap_or("Unknown error"))
            }
        },
        Ok(0) if kind == Ret::Addr => " = NULL\n".to_string(),
        Ok(v) if kind == Ret::Addr => format!(" = {v:#018x}\n"),
        Ok(v) => format!(" = {}\n", v as i64),
    }
}

/// Text under construction, with what the kinds need to decode their values.
pub struct Show<'a> {
    pub(crate) out: String,
    pub(crate) mem: GuestMemory,
    pub(crate) abi: &'static Abi,
    pub(crate) args: &'a [u64; 6],
    pub(crate) row: &'static [Arg],
}

impl Show<'_> {
    /// The value of the argument that a parameter names.
    fn arg(&self, name: &str) -> u64 {
        self.row.iter().position(|a| a.name == name).map_or(0, |i| self.args[i])
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn put(&mut self, args: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(args);
    }

    pub(crate) fn dec(&mut self, v: i64) {
        self.put(format_args!("{v}"));
    }

    pub(crate) fn udec(&mut self, v: u64) {
        self.put(format_args!("{v}"));
    }

    pub(crate) fn hex(&mut self, v: u64) {
        if v == 0 { self.text("0") } else { self.put(format_args!("{v:#x}")) }
    }

    pub(crate) fn octal(&mut self, v: u64) {
        if v == 0 { self.text("0") } else { self.put(format_args!("0{v:o}")) }
    }

    pub(crate) fn ptr(&mut self, v: u64) {
        if v == 0 { self.text("NULL") } else { self.put(format_args!("{v:#018x}")) }
    }

    pub(crate) fn dirfd(&mut self, v: i32) {
        if v == libc::AT_FDCWD { self.text("AT_FDCWD") } else { self.dec(v.into()) }
    }

    pub(crate) fn signal(&mut self, v: i32) {
        match names::SIGNAL.iter().find(|n| n.0 == v as u64) {
            Some(n) => self.text(n.1),
            None => self.dec(v.into()),
        }
    }

    /// Or-ed names; bits without a name in hexadecimal; 0 when none is set.
    pub(crate) fn flags(&mut self, set: Names, v: u64) {
        let mut rest = v;
        let start = self.out.len();
        for &(bits, name) in set {
            if bits != 0 && rest & bits == bits {
                rest &= !bits;
                self.bar(start);
                self.text(name);
            }
        }
        if rest != 0 {
            self.bar(start);
            self.hex(rest);
        } else if self.out.len() == start {
            self.text("0");
        }
    }

    fn bar(&mut self, start: usize) {
        if self.out.len() > start {
            self.out.push('|');
        }
    }

    /// One name, or the number.
    pub(crate) fn choice(&mut self, set: Names, v: u64) {
        match set.iter().find(|n| n.0 == v & 0xffff_ffff) {
            Some(n) => self.text(n.1),
            None => self.dec(i64::from(v as i32)),
        }
    }

    /// A choice in the low bits and flags above.
    pub(crate) fn choice_and_flags(&mut self, set: Names, mask: u64, flags: Names, v: u64) {
        self.choice(set, v & mask);
        if v & !mask & 0xffff_ffff != 0 {
            self.out.push('|');
            self.flags(flags, v & !mask & 0xffff_ffff);
        }
    }

    pub(crate) fn open_flags(&mut self, v: u32) {
        let v = self.abi.open_flags_to_host(v);
        self.text(["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][(v & 3) as usize]);
        if v & !3 != 0 {
            self.out.push('|');
            self.flags(names::OPEN, u64::from(v & !3));
        }
    }

    /// The mode of a new file; nothing when the call makes none.
    pub(crate) fn create_mode(&mut self, v: u32, flags: &str) {
        let tmpfile = libc::O_TMPFILE & !libc::O_DIRECTORY;
        if self.arg(flags) & (libc::O_CREAT | tmpfile) as u64 != 0 {
            self.octal(v.into());
        }
    }

    pub(crate) fn fd_flags(&mut self, v: u32) {
        let v = self.abi.open_flags_to_host(v);
        self.flags(names::FD_FLAGS, v.into());
    }

    pub(crate) fn clone_flags(&mut self, v: u64) {
        let start = self.out.len();
        if v & !0xff != 0 {
            self.flags(names::CLONE, v & !0xff & 0xffff_ffff);
        }
        if v & 0xff != 0 || self.out.len() == start {
            self.bar(start);
            self.signal((v & 0xff) as i32);
        }
    }

    pub(crate) fn sock_proto(&mut self, v: u64) {
        match self.args[0] as i32 {
            libc::PF_INET | libc::PF_INET6 => self.choice(names::IPPROTO, v),
            libc::PF_NETLINK => self.choice(names::NETLINK, v),
            _ => self.dec(i64::from(v as i32)),
        }
    }

    pub(crate) fn sock_opt(&mut self, v: u64, level: &str) {
        let set = match self.arg(level) as i32 {
            libc::SOL_SOCKET => names::SO,
            libc::IPPROTO_TCP => names::TCP,
            libc::IPPROTO_IP => names::IP,
            libc::IPPROTO_IPV6 => names::IPV6,
            libc::IPPROTO_UDP => names::UDP,
            libc::SOL_NETLINK => names::NETLINK_OPT,
            libc::SOL_PACKET => names::PACKET,
            _ => &[],
        };
        self.choice(set, v);
    }

    pub(crate) fn fcntl_cmd(&mut self, v: u32) {
        match fcntls::find(v) {
            Some(row) => self.text(row.name),
            None => self.udec(v.into()),
        }
    }

    pub(crate) fn fcntl_arg(&mut self, v: u64, cmd: &str) {
        match fcntls::find(self.arg(cmd) as u32).map(|r| r.arg) {
            Some(fcntls::FcntlArg::None) => {}
            Some(fcntls::FcntlArg::Int) => self.dec(i64::from(v as i32)),
            Some(fcntls::FcntlArg::Flags) => self.open_flags(v as u32),
            Some(fcntls::FcntlArg::FdFlags) => {
                if v == 1 {
                    self.text("FD_CLOEXEC")
                } else {
                    self.hex(v)
                }
            }
            Some(fcntls::FcntlArg::Ptr) | None => self.ptr(v),
        }
    }

    pub(crate) fn ioctl_req(&mut self, v: u32) {
        match ioctls::find(v) {
            Some(ioctls::Found::Row(row)) => self.text(row.name),
            Some(ioctls::Found::Family(_)) | None => self.hex(v.into()),
        }
    }

    pub(crate) fn ioctl_arg(&mut self, v: u64, req: &str) {
        match ioctls::find(self.arg(req) as u32) {
            Some(ioctls::Found::Row(row)) if row.arg == ioctls::IoctlArg::None => {}
            Some(ioctls::Found::Row(row)) if row.arg == ioctls::IoctlArg::Int => self.dec(v as i64),
            _ => self.ptr(v),
        }
    }

    pub(crate) fn prctl_op(&mut self, v: u32) {
        match prctls::find(v) {
            Some(row) => self.text(row.name),
            None => self.udec(v.into()),
        }
    }

    pub(crate) fn ipc_flags(&mut self, v: u64) {
        let flags = v & 0o7000;
        if flags != 0 {
            self.flags(names::IPC, flags);
            self.out.push('|');
        }
        self.octal(v & !0o7000 & 0xffff_ffff);
    }

    pub(crate) fn ipc_cmd(&mut self, v: u64) {
        const IPC_64: u64 = 0x100;
        self.choice(names::IPC_CMD, v & !IPC_64);
        if v & IPC_64 != 0 {
            self.text("|IPC_64");
        }
    }

    /// A C string in quotes, or its address when it cannot be read.
    pub(crate) fn string(&mut self, addr: u64) {
        match if addr == 0 { Err(Errno::EFAULT) } else { self.mem.read_cstr(addr, 4096) } {
            Ok(bytes) => self.quoted(&bytes),
            Err(_) => self.ptr(addr),
        }
    }

    /// Null-ended vector of strings: `{"a","b",NULL}`.
    pub(crate) fn strings(&mut self, addr: u64) {
        const SHOWN_STRINGS: u64 = 64;
        if addr == 0 {
            return self.ptr(addr);
        }
        self.out.push('{');
        for i in 0..SHOWN_STRINGS {
            match self.mem.read::<u64>(addr.wrapping_add(8 * i)) {
                Ok(0) => return self.text("NULL}"),
                Ok(p) => self.string(p),
                Err(_) => return self.text("...}"),
            }
            self.out.push(',');
        }
        self.text("...}");
    }

    /// The first bytes of an input buffer, in quotes.
    pub(crate) fn buffer(&mut self, addr: u64, len: &str) {
        let len = self.arg(len);
        let mut bytes = [0; SHOWN as usize];
        let n = len.min(SHOWN) as usize;
        if addr == 0 || self.mem.read_bytes(addr, &mut bytes[..n]).is_err() {
            return self.ptr(addr);
        }
        self.quoted(&bytes[..n]);
        if len > SHOWN {
            self.text("...");
        }
    }

    fn quoted(&mut self, bytes: &[u8]) {
        self.out.push('"');
        for &b in bytes {
            match b {
                b'"' => self.text("\\\""),
                b'\\' => self.text("\\\\"),
                b'\n' => self.text("\\n"),
                b'\t' => self.text("\\t"),
                b'\r' => self.text("\\r"),
                0x20..=0x7e => self.out.push(char::from(b)),
                _ => self.put(format_args!("\\{b:03o}")),
            }
        }
        self.out.push('"');
    }

    /// A structure the kernel reads, decoded where its kind is known here.
    pub(crate) fn structure(&mut self, addr: u64, what: &str) {
        if addr == 0 || self.known_structure(addr, what).is_err() {
            self.ptr(addr);
        }
    }

    fn known_structure(&mut self, addr: u64, what: &str) -> Result<(), Errno> {
        match what {
            "Timespec" => self.timespec(self.mem.read(addr)?),
            "FutexTimeout" => {
                // Only the waiting operations take a time; for others the argument is a number.
                let waits = [
                    libc::FUTEX_WAIT,
                    libc::FUTEX_LOCK_PI,
                    libc::FUTEX_WAIT_BITSET,
                    libc::FUTEX_WAIT_REQUEUE_PI,
                    libc::FUTEX_LOCK_PI2,
                ];
                if waits.contains(&(self.args[1] as i32 & 0x7f)) {
                    self.timespec(self.mem.read(addr)?)
                } else {
                    self.hex(addr)
                }
            }
            "Timespec2" => {
                let [now, utime]: [[i64; 2]; 2] = self.mem.read(addr)?;
                self.text("{");
                self.timespec(Timespec { tv_sec: now[0], tv_nsec: now[1] });
                self.text(",");
                self.timespec(Timespec { tv_sec: utime[0], tv_nsec: utime[1] });
                self.text("}");
            }
            "Timeval" => self.timeval(self.mem.read(addr)?),
            "Itimerspec" => {
                let v: Itimerspec = self.mem.read(addr)?;
                self.text("{it_interval=");
                self.timespec(v.it_interval);
                self.text(",it_value=");
                self.timespec(v.it_value);
                self.text("}");
            }
            "Itimerval" => {
                let v: Itimerval = self.mem.read(addr)?;
                self.text("{it_interval=");
                self.timeval(v.it_interval);
                self.text(",it_value=");
                self.timeval(v.it_value);
                self.text("}");
            }
            "Sigset" => self.sigset(self.mem.read(addr)?),
            "Sigaction" => {
                let [handler, flags]: [u64; 2] = self.mem.read(addr)?;
                self.text("{sa_handler=");
                match handler {
                    0 => self.text("SIG_DFL"),
                    1 => self.text("SIG_IGN"),
                    h => self.ptr(h),
                }
                self.text(",sa_flags=");
                self.flags(names::SA, flags & 0xffff_ffff);
                self.text("}");
            }
            "RlimitPair" => {
                let v: Rlimit = self.mem.read(addr)?;
                self.text("{rlim_cur=");
                self.limit(v.rlim_cur);
                self.text(",rlim_max=");
                self.limit(v.rlim_max);
                self.text("}");
            }
            "EpollEvent" => {
                let v: EpollEvent = self.mem.read(addr)?;
                self.text("{events=");
                self.flags(names::EPOLL, v.events.into());
                self.put(format_args!(",data={:#x}}}", v.data));
            }
            "OpenHow" => {
                let v: OpenHow = self.mem.read(addr)?;
                self.text("{flags=");
                self.open_flags(v.flags as u32);
                self.put(format_args!(",mode=0{:o},resolve={:#x}}}", v.mode, v.resolve));
            }
            "AltStack" => {
                let v: StackT = self.mem.read(addr)?;
                self.put(format_args!(
                    "{{ss_sp={:#x},ss_flags={:#x},ss_size={}}}",
                    v.ss_sp, v.ss_flags, v.ss_size
                ));
            }
            "Uint" => {
                let v: u32 = self.mem.read(addr)?;
                self.put(format_args!("[{v}]"));
            }
            "Loff" => {
                let v: i64 = self.mem.read(addr)?;
                self.put(format_args!("[{v}]"));
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    fn timespec(&mut self, t: Timespec) {
        self.put(format_args!("{{tv_sec={},tv_nsec={}}}", t.tv_sec, t.tv_nsec));
    }

    fn timeval(&mut self, t: Timeval) {
        self.put(format_args!("{{tv_sec={},tv_usec={}}}", t.tv_sec, t.tv_usec));
    }

    fn limit(&mut self, v: u64) {
        if v == u64::MAX { self.text("RLIM64_INFINITY") } else { self.udec(v) }
    }

    fn sigset(&mut self, set: u64) {
        self.out.push('[');
        let mut first = true;
        for sig in 1..=64 {
            if set & (1 << (sig - 1)) != 0 {
                if !first {
                    self.out.push(',');
                }
                first = false;
                self.signal(sig);
            }
        }
        self.out.push(']');
    }

    pub(crate) fn pollfds(&mut self, addr: u64, n: &str) {
        const SHOWN_FDS: u64 = 16;
        let n = self.arg(n);
        if addr == 0 {
            return self.ptr(addr);
        }
        self.out.push('[');
        for i in 0..n.min(SHOWN_FDS) {
            let Ok(p) = self.mem.read::<PollFd>(addr.wrapping_add(i * PollFd::SIZE as u64)) else {
                break;
            };
            self.put(format_args!("{}{{fd={},events=", if i > 0 { "," } else { "" }, p.fd));
            self.flags(names::POLL, u64::from(p.events as u16));
            self.out.push('}');
        }
        self.text(if n > SHOWN_FDS { ",...]" } else { "]" });
    }

    /// A socket address: family, then what the family says.
    pub(crate) fn sockaddr(&mut self, addr: u64, len: &str) {
        let len = (self.arg(len) as u32 as usize).min(128);
        let mut raw = [0u8; 128];
        if addr == 0 || len < 2 || self.mem.read_bytes(addr, &mut raw[..len]).is_err() {
            return self.ptr(addr);
        }
        let family = u16::from_le_bytes([raw[0], raw[1]]);
        let port = u16::from_be_bytes([raw[2], raw[3]]);
        self.text("{sa_family=");
        self.choice(names::AF, family.into());
        match i32::from(family) {
            libc::AF_INET => {
                let ip = std::net::Ipv4Addr::new(raw[4], raw[5], raw[6], raw[7]);
                self.put(format_args!(",sin_port=htons({port}),sin_addr=inet_addr(\"{ip}\")"));
            }
            libc::AF_INET6 => {
                let mut octets = [0; 16];
                octets.copy_from_slice(&raw[8..24]);
                let ip = std::net::Ipv6Addr::from(octets);
                self.put(format_args!(",sin6_port=htons({port}),sin6_addr=\"{ip}\""));
            }
            libc::AF_UNIX => {
                let path = &raw[2..len];
                self.text(",sun_path=");
                match path.first() {
                    Some(0) => {
                        self.text("@");
                        self.quoted(&path[1..]);
                    }
                    _ => self.quoted(path.split(|&b| b == 0).next().unwrap_or(path)),
                }
            }
            libc::AF_NETLINK => {
                let pid = u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]);
                self.put(format_args!(",nl_pid={pid}"));
            }
            _ => {}
        }
        self.out.push('}');
    }
}
