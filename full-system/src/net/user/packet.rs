//! Frames taken apart, and datagrams put into frames.

use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpPacket, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol,
    Ipv4Packet, Ipv4Repr, TcpPacket, UdpPacket, UdpRepr,
};

use super::{DNS, GATEWAY, MAC};

/// What is done with a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For the network's own addresses: smoltcp answers.
    Own,
    /// The first packet of a TCP connection: from, to.
    Syn(SocketAddrV4, SocketAddrV4),
    /// A packet of a connection.
    Tcp,
    /// A datagram.
    Udp(Datagram),
    /// Nothing.
    Other,
}

/// A UDP datagram with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    /// The card that sent it, or that it is for.
    pub(super) card: [u8; 6],
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) bytes: Vec<u8>,
}

/// Looks at a frame from the guest.
pub(super) fn classify(frame: &[u8]) -> Kind {
    parse(frame).unwrap_or(Kind::Other)
}

fn parse(frame: &[u8]) -> Option<Kind> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    match frame.ethertype() {
        EthernetProtocol::Arp => {
            // Only for the network's own addresses: a guest that asks whether its address is taken must hear nothing.
            let arp = ArpPacket::new_checked(frame.payload()).ok()?;
            let target: [u8; 4] = arp.target_protocol_addr().try_into().ok()?;
            let own = [GATEWAY, DNS].contains(&Ipv4Addr::from(target));
            own.then_some(Kind::Own)
        }
        EthernetProtocol::Ipv4 => {
            let card = frame.src_addr().0;
            let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
            if ip.more_frags() || ip.frag_offset() != 0 {
                return None;
            }
            let (from, to) = (ip.src_addr(), ip.dst_addr());
            match ip.next_header() {
                IpProtocol::Icmp => [GATEWAY, DNS].contains(&to).then_some(Kind::Own),
                IpProtocol::Tcp => {
                    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
                    let ends = |a, port| SocketAddrV4::new(a, port);
                    let (from, to) = (ends(from, tcp.src_port()), ends(to, tcp.dst_port()));
                    Some(if tcp.syn() && !tcp.ack() { Kind::Syn(from, to) } else { Kind::Tcp })
                }
                IpProtocol::Udp => {
                    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
                    Some(Kind::Udp(Datagram {
                        card,
                        from: SocketAddrV4::new(from, udp.src_port()),
                        to: SocketAddrV4::new(to, udp.dst_port()),
                        bytes: udp.payload().to_vec(),
                    }))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The frame of a datagram to the guest.
pub(super) fn frame(d: &Datagram) -> Vec<u8> {
    let udp = UdpRepr { src_port: d.from.port(), dst_port: d.to.port() };
    let ip = Ipv4Repr {
        src_addr: *d.from.ip(),
        dst_addr: *d.to.ip(),
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + d.bytes.len(),
        hop_limit: 64,
    };
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(MAC),
        dst_addr: EthernetAddress(d.card),
        ethertype: EthernetProtocol::Ipv4,
    };
    let head = ethernet.buffer_len() + ip.buffer_len();
    let mut bytes = vec![0; head + ip.payload_len];
    let sums = ChecksumCapabilities::default();
    ethernet.emit(&mut EthernetFrame::new_unchecked(&mut bytes[..]));
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[ethernet.buffer_len()..]), &sums);
    let mut packet = UdpPacket::new_unchecked(&mut bytes[head..]);
    let (from, to) = ((*d.from.ip()).into(), (*d.to.ip()).into());
    let fill = |payload: &mut [u8]| payload.copy_from_slice(&d.bytes);
    udp.emit(&mut packet, &from, &to, d.bytes.len(), fill, &sums);
    bytes
}
