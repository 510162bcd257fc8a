//! Datagrams: DHCP is answered here, questions for the name server go to the host's, and the rest goes out from a
//! socket of the host for each pair of ends.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::packet::{Datagram, frame};
use super::stack::Stack;
use super::tcp::host_address;
use super::{DNS, GATEWAY, GUEST, Wake};
use crate::event_loop::{Handle, Interest, Next, Watch};

/// Flows at most; the one unused longest makes room.
const MOST: usize = 256;
/// How long a flow is kept without use.
const IDLE: Duration = Duration::from_secs(120);
/// Seconds for which DHCP gives the address.
const LEASE: u32 = 86_400;

/// All flows.
pub(super) struct Nat {
    events: Handle,
    wake: Wake,
    restrict: bool,
    flows: HashMap<(SocketAddrV4, SocketAddrV4), Flow>,
}

struct Flow {
    socket: UdpSocket,
    watch: Watch,
    ready: Arc<AtomicBool>,
    card: [u8; 6],
    used: Instant,
}

impl Nat {
    pub(super) fn new(events: Handle, wake: Wake, restrict: bool) -> Nat {
        Nat { events, wake, restrict, flows: HashMap::new() }
    }

    /// A datagram from the guest.
    pub(super) fn datagram(&mut self, stack: &mut Stack, d: Datagram) {
        if d.to.port() == 67 {
            if let Some(answer) = dhcp(&d) {
                stack.send(frame(&answer));
            }
            return;
        }
        let ip = *d.to.ip();
        if self.restrict || ip.is_broadcast() || ip.is_multicast() {
            return;
        }
        let key = (d.from, d.to);
        if !self.flows.contains_key(&key) {
            let to = if ip == DNS { name_server(d.to.port()) } else { host_address(d.to).into() };
            match self.flow(to, d.card) {
                Ok(flow) => {
                    self.make_room();
                    self.flows.insert(key, flow);
                }
                Err(error) => {
                    log::debug!("no datagrams to {}: {error}", d.to);
                    return;
                }
            }
        }
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.used = Instant::now();
            // Datagrams may be lost.
            let _ = flow.socket.send(&d.bytes);
        }
    }

    fn flow(&self, to: SocketAddr, card: [u8; 6]) -> std::io::Result<Flow> {
        let any: IpAddr = if to.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let ready = Arc::new(AtomicBool::new(false));
        let (set, wake) = (ready.clone(), self.wake.clone());
        let watch = self.events.watch(&socket, Interest::Read, move || {
            set.store(true, Ordering::SeqCst);
            wake.wake();
            Next::Wait
        })?;
        watch.arm();
        Ok(Flow { socket, watch, ready, card, used: Instant::now() })
    }

    fn make_room(&mut self) {
        self.flows.retain(|_, f| f.used.elapsed() < IDLE);
        if self.flows.len() >= MOST
            && let Some(oldest) = self.flows.iter().min_by_key(|(_, f)| f.used).map(|(k, _)| *k)
        {
            self.flows.remove(&oldest);
        }
    }

    /// Hands answers to the guest.
    pub(super) fn pump(&mut self, stack: &mut Stack) {
        let mut bytes = [0; 65_536];
        for (&(guest, far), flow) in &mut self.flows {
            while flow.ready.load(Ordering::SeqCst) {
                match flow.socket.recv(&mut bytes) {
                    // What would need fragments is lost.
                    Ok(n) if n > 1472 => {}
                    Ok(n) => {
                        flow.used = Instant::now();
                        let d = Datagram {
                            card: flow.card,
                            from: far,
                            to: guest,
                            bytes: bytes[..n].to_vec(),
                        };
                        stack.send(frame(&d));
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        flow.ready.store(false, Ordering::SeqCst);
                        flow.watch.arm();
                    }
                    // The far end refuses: reading on finds the end of such errors.
                    Err(_) => {}
                }
            }
        }
    }
}

/// The host's name server, from resolv.conf(5).
fn name_server(port: u16) -> SocketAddr {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let first = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse::<IpAddr>().ok())?
    });
    (first.unwrap_or(Ipv4Addr::LOCALHOST.into()), port).into()
}

/// The answer to a DHCP message (RFC 2131), if it needs one.
fn dhcp(d: &Datagram) -> Option<Datagram> {
    const COOKIE: [u8; 4] = [99, 130, 83, 99];
    let request = &d.bytes;
    let is_request = request.first() == Some(&1) && request.get(236..240) == Some(&COOKIE[..]);
    if !is_request {
        return None;
    }
    let answer = match option(&request[240..], 53)?.first()? {
        1 => 2,     // DISCOVER: OFFER
        3 | 8 => 5, // REQUEST, INFORM: ACK
        _ => return None,
    };
    let mut reply = vec![0; 240];
    reply[..4].copy_from_slice(&[2, 1, 6, 0]);
    reply[4..8].copy_from_slice(&request[4..8]); // the client's number for the exchange
    reply[10..12].copy_from_slice(&request[10..12]); // its flags
    reply[16..20].copy_from_slice(&GUEST.octets());
    reply[20..24].copy_from_slice(&GATEWAY.octets());
    reply[28..44].copy_from_slice(&request[28..44]); // its card
    reply[236..].copy_from_slice(&COOKIE);
    let mut add = |code: u8, value: &[u8]| {
        reply.extend([code, value.len() as u8]);
        reply.extend(value);
    };
    add(53, &[answer]);
    add(54, &GATEWAY.octets());
    add(51, &LEASE.to_be_bytes());
    add(1, &[255, 255, 255, 0]);
    add(3, &GATEWAY.octets());
    add(6, &DNS.octets());
    reply.push(255);
    // Some clients take nothing shorter than BOOTP's messages.
    reply.resize(reply.len().max(300), 0);
    let from = SocketAddrV4::new(GATEWAY, 67);
    let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);
    Some(Datagram { card: [0xff; 6], from, to, bytes: reply })
}

/// The value of an option.
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        match *options.first()? {
            0 => options = &options[1..],
            255 => return None,
            code => {
                let len = usize::from(*options.get(1)?);
                let value = options.get(2..2 + len)?;
                if code == wanted {
                    return Some(value);
                }
                options = &options[2 + len..];
            }
        }
    }
}
