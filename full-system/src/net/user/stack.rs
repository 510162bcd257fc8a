//! smoltcp on two queues of frames.

use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use super::{DNS, GATEWAY, MAC, WAITING};

/// Bytes of an Ethernet frame without its checksum.
const FRAME: usize = 1514;
/// Bytes of each connection's buffers.
const BUFFER: usize = 256 << 10;

/// The stack and its connections.
pub(super) struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    queues: Queues,
    started: std::time::Instant,
}

#[derive(Default)]
struct Queues {
    input: VecDeque<Vec<u8>>,
    output: VecDeque<Vec<u8>>,
}

impl Stack {
    pub(super) fn new() -> Stack {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(MAC)));
        config.random_seed = u64::from(std::process::id());
        let mut interface = Interface::new(config, &mut queues, Instant::ZERO);
        interface.update_ip_addrs(|list| {
            for address in [GATEWAY, DNS] {
                // There is room for two.
                let _ = list.push(IpCidr::new(address.into(), 24));
            }
        });
        // Every other address is reached through here as well.
        interface.set_any_ip(true);
        let _ = interface.routes_mut().add_default_ipv4_route(GATEWAY);
        let sockets = SocketSet::new(Vec::new());
        Stack { interface, sockets, queues, started: std::time::Instant::now() }
    }

    fn now(&self) -> Instant {
        let passed = self.started.elapsed().as_micros();
        Instant::from_micros(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// Hands a frame from the guest to the stack.
    pub(super) fn input(&mut self, frame: Vec<u8>) {
        self.queues.input.push_back(frame);
    }

    /// Sends a frame that was made elsewhere.
    pub(super) fn send(&mut self, frame: Vec<u8>) {
        // Datagrams may be lost, and are when the guest does not keep up.
        if self.queues.output.len() < WAITING {
            self.queues.output.push_back(frame);
        }
    }

    /// Frames for the guest.
    pub(super) fn output(&mut self) -> &mut VecDeque<Vec<u8>> {
        &mut self.queues.output
    }

    /// Processes frames that came and sends what is to be sent.
    pub(super) fn poll(&mut self) {
        let now = self.now();
        self.interface.poll(now, &mut self.queues, &mut self.sockets);
    }

    /// Milliseconds until there is something to do by itself.
    pub(super) fn next(&mut self) -> Option<u64> {
        // A full queue is emptied by the card, not by time.
        if self.queues.output.len() >= WAITING {
            return None;
        }
        let now = self.now();
        let delay = self.interface.poll_delay(now, &self.sockets)?;
        Some(delay.total_micros().div_ceil(1000).max(1))
    }

    /// A new connection's end.
    pub(super) fn add(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        self.sockets.add(socket)
    }

    /// A connection's end.
    pub(super) fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Begins a connection to the guest.
    pub(super) fn connect(
        &mut self,
        handle: SocketHandle,
        to: std::net::SocketAddrV4,
        port: u16,
    ) -> Result<(), tcp::ConnectError> {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket.connect(self.interface.context(), (*to.ip(), to.port()), (GATEWAY, port))
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, handle: SocketHandle) {
        self.sockets.remove(handle);
    }
}

impl Device for Queues {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.input.pop_front()?;
        Some((Received(frame), Sending(&mut self.output)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        (self.output.len() < WAITING).then_some(Sending(&mut self.output))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut c = DeviceCapabilities::default();
        c.medium = Medium::Ethernet;
        c.max_transmission_unit = FRAME;
        c
    }
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Sending<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}
