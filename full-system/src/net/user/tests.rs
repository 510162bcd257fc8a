//! The network against a guest made of a second smoltcp.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream, UdpSocket};

use smoltcp::iface::{Config as Interfaces, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use super::packet::{Datagram, frame};
use super::*;
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Kind as LoopKind};

/// The guest's card: frames that came.
#[derive(Default)]
struct Card(Mutex<VecDeque<Vec<u8>>>);

impl LinkReceiver for Card {
    fn receive(&self, frame: &[u8]) -> bool {
        let mut frames = lock(&self.0);
        let room = frames.len() < 16;
        if room {
            frames.push_back(frame.to_vec());
        }
        room
    }
}

struct Guest {
    events: EventLoop,
    user: Arc<User>,
    card: Arc<Card>,
    interface: Interface,
    sockets: SocketSet<'static>,
    start: std::time::Instant,
}

struct Wires<'a>(&'a Card, &'a Arc<User>);

struct In(Vec<u8>);
struct Out<'a>(&'a Arc<User>);

impl RxToken for In {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Out<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.send(frame);
        result
    }
}

impl Device for Wires<'_> {
    type RxToken<'a>
        = In
    where
        Self: 'a;
    type TxToken<'a>
        = Out<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(In, Out<'_>)> {
        let frame = lock(&self.0.0).pop_front()?;
        self.1.accept_frames();
        Some((In(frame), Out(self.1)))
    }
    fn transmit(&mut self, _: Instant) -> Option<Out<'_>> {
        Some(Out(self.1))
    }
    fn capabilities(&self) -> DeviceCapabilities {
        let mut c = DeviceCapabilities::default();
        c.medium = Medium::Ethernet;
        c.max_transmission_unit = 1514;
        c
    }
}

const GUEST_MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

impl Guest {
    fn new(config: &Config) -> Guest {
        let events = EventLoop::new(Arc::new(Clock::new()), LoopKind::Auto).expect("a loop");
        let user = User::new(config, events.handle()).expect("a network");
        let card = Arc::new(Card::default());
        let receiver: Arc<dyn LinkReceiver> = card.clone();
        user.connect(Arc::downgrade(&receiver));
        let settings = Interfaces::new(HardwareAddress::Ethernet(EthernetAddress(GUEST_MAC)));
        let mut interface = Interface::new(settings, &mut Wires(&card, &user), Instant::ZERO);
        interface.update_ip_addrs(|a| a.push(IpCidr::new(GUEST.into(), 24)).expect("room"));
        interface.routes_mut().add_default_ipv4_route(GATEWAY).expect("room");
        let sockets = SocketSet::new(Vec::new());
        Guest { events, user, card, interface, sockets, start: std::time::Instant::now() }
    }

    fn turn(&mut self) {
        let now = Instant::from_millis(self.start.elapsed().as_millis() as i64);
        self.interface.poll(now, &mut Wires(&self.card, &self.user), &mut self.sockets);
        assert!(self.start.elapsed().as_secs() < 30, "the network hangs");
        self.events.handle().post(|| {});
        self.events.turn().expect("a turn");
    }

    fn socket(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 65_536]);
        self.sockets.add(tcp::Socket::new(buffer(), buffer()))
    }

    fn at(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    fn dial(&mut self, to: (Ipv4Addr, u16)) -> SocketHandle {
        let handle = self.socket();
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket.connect(self.interface.context(), to, 40_000).expect("begun");
        handle
    }
}

/// Sends a megabyte through a connection that echoes, and ends it.
fn echo(g: &mut Guest, handle: SocketHandle) {
    let data: Vec<u8> = (0..1 << 20).map(|i: u32| (i / 7) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    while got.len() < data.len() {
        g.turn();
        let socket = g.at(handle);
        if socket.can_send() && sent < data.len() {
            sent += socket.send_slice(&data[sent..]).expect("sent");
        }
        if socket.can_recv() {
            let n = socket.recv(|b| (b.len(), got.extend_from_slice(b))).is_ok();
            assert!(n);
        }
    }
    assert!(got == data);
    g.at(handle).close();
    while g.at(handle).may_recv() {
        g.turn();
    }
}

fn serve_echo() -> (u16, std::thread::JoinHandle<()>) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("bound").port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a connection");
        let mut bytes = vec![0; 10_000];
        loop {
            match stream.read(&mut bytes).expect("read") {
                0 => return,
                n => stream.write_all(&bytes[..n]).expect("written"),
            }
        }
    });
    (port, thread)
}

#[test]
fn tcp_reaches_the_host_and_ends() {
    let (port, thread) = serve_echo();
    let mut g = Guest::new(&Config::default());
    let handle = g.dial((GATEWAY, port));
    echo(&mut g, handle);
    thread.join().expect("the server saw the end");
}

#[test]
fn refused_connections_are_refused() {
    // A port that was free a moment ago.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let mut g = Guest::new(&Config::default());
    let handle = g.dial((GATEWAY, port));
    while g.at(handle).state() != tcp::State::Closed {
        g.turn();
    }
    let (port, _thread) = serve_echo();
    let mut g = Guest::new(&Config { restrict: true, ..Config::default() });
    let handle = g.dial((GATEWAY, port));
    while g.at(handle).state() != tcp::State::Closed {
        g.turn();
    }
}

#[test]
fn forwarded_ports_lead_in() {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let forward =
        Forward { host: Ipv4Addr::LOCALHOST, host_port: port, guest: GUEST, guest_port: 22 };
    let mut g = Guest::new(&Config { forwards: vec![forward.clone()], restrict: true });
    let again = User::new(&Config { forwards: vec![forward], restrict: false }, g.events.handle());
    let said = again.err().expect("taken");
    assert!(said.starts_with(&format!("cannot listen at 127.0.0.1:{port}: ")), "{said}");
    let handle = g.socket();
    g.at(handle).listen(22).expect("listening");
    let thread = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.write_all(b"ping").expect("written");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read");
        text
    });
    while g.at(handle).recv_queue() < 4 {
        g.turn();
    }
    g.at(handle).send_slice(b"pong").expect("sent");
    g.at(handle).close();
    while !thread.is_finished() {
        g.turn();
    }
    assert_eq!(thread.join().expect("no panic"), "pong");
}

fn datagram(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), bytes: &[u8]) -> Vec<u8> {
    let end = |e: (Ipv4Addr, u16)| SocketAddrV4::new(e.0, e.1);
    frame(&Datagram { card: GUEST_MAC, from: end(from), to: end(to), bytes: bytes.to_vec() })
}

/// The next datagram for the guest.
fn answer(g: &Guest) -> Datagram {
    loop {
        g.events.handle().post(|| {});
        g.events.turn().expect("a turn");
        assert!(g.start.elapsed().as_secs() < 30, "no answer");
        if let Some(frame) = lock(&g.card.0).pop_front()
            && let Kind::Udp(d) = classify(&frame)
        {
            return d;
        }
    }
}

#[test]
fn dhcp_gives_the_address() {
    let g = Guest::new(&Config::default());
    let mut message = vec![0; 240];
    message[0] = 1;
    message[4..8].copy_from_slice(&[1, 2, 3, 4]);
    message[28..34].copy_from_slice(&GUEST_MAC);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    for (kind, expected) in [(1, 2), (3, 5)] {
        let request = [&message[..], &[12, 1, b'h', 53, 1, kind, 255]].concat();
        g.user.send(datagram((Ipv4Addr::UNSPECIFIED, 68), (Ipv4Addr::BROADCAST, 67), &request));
        let d = answer(&g);
        assert_eq!((*d.from.ip(), d.to.port()), (GATEWAY, 68));
        assert_eq!((&d.bytes[4..8], &d.bytes[16..20]), (&[1, 2, 3, 4][..], &GUEST.octets()[..]));
        assert_eq!(&d.bytes[240..243], &[53, 1, expected]);
    }
}

#[test]
fn datagrams_go_out_and_answers_come_back() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("bound").port();
    let g = Guest::new(&Config::default());
    g.user.send(datagram((GUEST, 5000), (GATEWAY, port), b"question"));
    g.events.turn().expect("a turn");
    let mut bytes = [0; 100];
    let (n, from) = server.recv_from(&mut bytes).expect("it came");
    assert_eq!(&bytes[..n], b"question");
    server.send_to(b"answer", from).expect("sent");
    let d = answer(&g);
    assert_eq!((d.from, d.to), (SocketAddrV4::new(GATEWAY, port), SocketAddrV4::new(GUEST, 5000)));
    assert_eq!(d.bytes, b"answer");
}

#[test]
fn hostile_frames_are_survived() {
    let g = Guest::new(&Config { restrict: true, ..Config::default() });
    let mut seed = 7u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize
    };
    let good = datagram((Ipv4Addr::UNSPECIFIED, 68), (Ipv4Addr::BROADCAST, 67), &[1; 300]);
    for _ in 0..5000 {
        let mut frame = good.clone();
        for _ in 0..1 + random() % 6 {
            let at = random() % frame.len();
            frame[at] = random() as u8;
        }
        frame.truncate(random() % (frame.len() + 1));
        g.user.send(frame);
        if random() % 32 == 0 {
            g.events.turn().expect("a turn");
            lock(&g.card.0).clear();
        }
    }
}
