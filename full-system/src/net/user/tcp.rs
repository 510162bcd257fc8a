//! Connections: each is a socket of the host and an end in the stack, and bytes move between the two.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;

use super::stack::Stack;
use super::{Forward, GATEWAY, Wake};
use crate::event_loop::{Handle, Interest, Next, Watch};

/// Connections at most; what comes on top is refused.
const MOST: usize = 1024;

/// All connections.
pub(super) struct Tcp {
    events: Handle,
    wake: Wake,
    restrict: bool,
    connecting: HashMap<(SocketAddrV4, SocketAddrV4), Connecting>,
    open: Vec<Connection>,
    listeners: Vec<Listener>,
    next_port: u16,
}

/// The host's socket is still connecting; the guest's first packet waits for how that ends.
struct Connecting {
    stream: TcpStream,
    ready: Ready,
    syn: Vec<u8>,
}

/// A forwarded port.
struct Listener {
    listener: TcpListener,
    ready: Ready,
    guest: SocketAddrV4,
}

/// A descriptor, and whether it may be ready.
struct Ready {
    flag: Arc<AtomicBool>,
    watch: Watch,
}

impl Ready {
    fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// It was not ready: says so, and waits for it.
    fn wait(&self) {
        self.flag.store(false, Ordering::SeqCst);
        self.watch.arm();
    }
}

struct Connection {
    host: TcpStream,
    end: SocketHandle,
    readable: Ready,
    writable: Ready,
    /// The host has sent its last byte.
    host_ended: bool,
    /// The guest has, and the host was told.
    guest_ended: bool,
    /// How often it was looked at since it failed: first its reset has to be sent.
    failed: u8,
}

impl Tcp {
    pub(super) fn new(events: Handle, wake: Wake, restrict: bool) -> Tcp {
        Tcp {
            events,
            wake,
            restrict,
            connecting: HashMap::new(),
            open: Vec::new(),
            listeners: Vec::new(),
            next_port: 0,
        }
    }

    fn watch(&self, fd: impl std::os::fd::AsFd, interest: Interest) -> io::Result<Ready> {
        let flag = Arc::new(AtomicBool::new(false));
        let (set, wake) = (flag.clone(), self.wake.clone());
        let watch = self.events.watch(fd, interest, move || {
            set.store(true, Ordering::SeqCst);
            wake.wake();
            Next::Wait
        })?;
        Ok(Ready { flag, watch })
    }

    /// Opens a forwarded port.
    pub(super) fn forward(&mut self, f: &Forward) -> Result<(), String> {
        let open = || -> io::Result<Listener> {
            let listener = TcpListener::bind((f.host, f.host_port))?;
            listener.set_nonblocking(true)?;
            let ready = self.watch(&listener, Interest::Read)?;
            ready.wait();
            Ok(Listener { listener, ready, guest: SocketAddrV4::new(f.guest, f.guest_port) })
        };
        let listener = open();
        let failed = |e| format!("cannot listen at {}:{}: {e}", f.host, f.host_port);
        self.listeners.push(listener.map_err(failed)?);
        Ok(())
    }

    /// The guest begins a connection.
    pub(super) fn syn(
        &mut self,
        stack: &mut Stack,
        syn: Vec<u8>,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) {
        if self.connecting.contains_key(&(from, to)) {
            return;
        }
        let known = |c: &Connection| {
            let s = stack.socket(c.end);
            let is = |e: Option<smoltcp::wire::IpEndpoint>, a: SocketAddrV4| {
                e == Some((*a.ip(), a.port()).into())
            };
            is(s.local_endpoint(), to) && is(s.remote_endpoint(), from)
        };
        let mut known = known;
        if self.open.iter().any(&mut known) {
            stack.input(syn);
            return;
        }
        if self.restrict || self.open.len() + self.connecting.len() >= MOST {
            // Nobody listens, so the stack refuses it.
            stack.input(syn);
            return;
        }
        match self.dial(host_address(to)) {
            Ok((stream, ready)) => {
                self.connecting.insert((from, to), Connecting { stream, ready, syn });
            }
            Err(error) => {
                log::debug!("no connection to {to}: {error}");
                stack.input(syn);
            }
        }
    }

    /// Begins a connection of the host.
    fn dial(&self, to: SocketAddrV4) -> io::Result<(TcpStream, Ready)> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        match connect(fd.as_raw_fd(), &SockaddrIn::from(to)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = self.watch(&fd, Interest::Write)?;
        ready.wait();
        Ok((TcpStream::from(fd), ready))
    }

    /// Moves everything that can move.
    pub(super) fn pump(&mut self, stack: &mut Stack) {
        self.accept(stack);
        self.finish_connecting(stack);
        for c in &mut self.open {
            c.pump(stack);
        }
        self.open.retain(|c| {
            let over = c.is_over(stack);
            if over {
                stack.remove(c.end);
            }
            !over
        });
    }

    /// Connections of the host that are made, or refused, by now.
    fn finish_connecting(&mut self, stack: &mut Stack) {
        let keys: Vec<_> =
            self.connecting.iter().filter(|(_, c)| c.ready.is_set()).map(|(k, _)| *k).collect();
        for key in keys {
            let Some(c) = self.connecting.remove(&key) else { continue };
            let to = key.1;
            if matches!(c.stream.take_error(), Ok(None)) {
                let end = stack.add();
                let listening = stack.socket(end).listen((*to.ip(), to.port())).is_ok();
                match self.connection(c.stream, end) {
                    Ok(connection) if listening => self.open.push(connection),
                    _ => stack.remove(end),
                }
            }
            // The stack answers: it accepts where there is an end now, and refuses otherwise.
            stack.input(c.syn);
        }
    }

    fn connection(&self, host: TcpStream, end: SocketHandle) -> io::Result<Connection> {
        host.set_nodelay(true)?;
        let readable = self.watch(&host, Interest::Read)?;
        let writable = self.watch(&host, Interest::Write)?;
        // Tried first, waited for when that fails.
        readable.flag.store(true, Ordering::SeqCst);
        writable.flag.store(true, Ordering::SeqCst);
        Ok(Connection {
            host,
            end,
            readable,
            writable,
            host_ended: false,
            guest_ended: false,
            failed: 0,
        })
    }

    /// Takes connections to forwarded ports.
    fn accept(&mut self, stack: &mut Stack) {
        for n in 0..self.listeners.len() {
            while self.listeners[n].ready.is_set() && self.open.len() < MOST {
                let guest = self.listeners[n].guest;
                match self.listeners[n].listener.accept() {
                    Ok((stream, _)) => {
                        if let Err(error) = self.inward(stack, stream, guest) {
                            log::debug!("no connection to the guest: {error}");
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(_) => self.listeners[n].ready.wait(),
                }
            }
        }
    }

    fn inward(
        &mut self,
        stack: &mut Stack,
        stream: TcpStream,
        guest: SocketAddrV4,
    ) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let end = stack.add();
        self.next_port = self.next_port.wrapping_add(1) % 16384;
        let connected = stack.connect(end, guest, 49152 + self.next_port);
        match self.connection(stream, end) {
            Ok(connection) if connected.is_ok() => {
                self.open.push(connection);
                Ok(())
            }
            Ok(_) => {
                stack.remove(end);
                Err(io::Error::from(ErrorKind::AddrInUse))
            }
            Err(error) => {
                stack.remove(end);
                Err(error)
            }
        }
    }
}

/// Where the host goes for an address that the guest means: the gateway is the host itself.
pub(super) fn host_address(to: SocketAddrV4) -> SocketAddrV4 {
    let ip = if *to.ip() == GATEWAY { Ipv4Addr::LOCALHOST } else { *to.ip() };
    SocketAddrV4::new(ip, to.port())
}

impl Connection {
    fn pump(&mut self, stack: &mut Stack) {
        if self.failed > 0 {
            self.failed = 2;
            return;
        }
        let result = self.copy_out(stack).and_then(|()| self.copy_in(stack));
        if result.is_err() {
            // What the host's end says by a reset, the guest hears as one.
            stack.socket(self.end).abort();
            self.failed = 1;
        }
    }

    fn copy_out(&mut self, stack: &mut Stack) -> io::Result<()> {
        let end = stack.socket(self.end);
        while self.writable.is_set() && end.can_recv() {
            let mut result = Ok(0);
            let host = &mut self.host;
            let moved = end.recv(|bytes| {
                result = host.write(bytes);
                (*result.as_ref().unwrap_or(&0), ())
            });
            match result {
                Ok(_) if moved.is_ok() => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.writable.wait(),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(_) => break,
            }
        }
        let opening = matches!(end.state(), State::Listen | State::SynSent | State::SynReceived);
        if !opening && !end.may_recv() && !end.can_recv() && !self.guest_ended {
            self.guest_ended = true;
            if end.state() == State::Closed && !self.host_ended {
                // Reset, or given up: the host's end goes with it.
                return Err(io::Error::from(ErrorKind::ConnectionReset));
            }
            self.host.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    fn copy_in(&mut self, stack: &mut Stack) -> io::Result<()> {
        let end = stack.socket(self.end);
        while self.readable.is_set() && end.can_send() && !self.host_ended {
            let mut result = Ok(0);
            let host = &mut self.host;
            let moved = end.send(|room| {
                result = host.read(room);
                (*result.as_ref().unwrap_or(&0), ())
            });
            match result {
                Ok(0) if moved.is_ok() => {
                    self.host_ended = true;
                    end.close();
                }
                Ok(_) if moved.is_ok() => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.readable.wait(),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(_) => break,
            }
        }
        Ok(())
    }

    fn is_over(&self, stack: &mut Stack) -> bool {
        let state = stack.socket(self.end).state();
        let ended = self.failed == 0 && (self.host_ended || self.guest_ended);
        self.failed > 1 || (ended && matches!(state, State::Closed | State::TimeWait))
    }
}
