//! Packets of gdb's remote protocol ("Remote Serial Protocol" in gdb's manual): framing, checksums,
//! acknowledgements and the ways of writing bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Bytes that a packet may have, as gdb is told.
pub const PACKET_SIZE: usize = 0x2_0000;
/// What asks for a stop while the program runs.
const INTERRUPT: u8 = 3;

/// A connection to gdb.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// By a socket in the file system.
    Unix(UnixStream),
}

impl Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(buf),
            Stream::Unix(s) => s.read(buf),
        }
    }
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(s) => s.write_all(bytes),
            Stream::Unix(s) => s.write_all(bytes),
        }
    }
}

/// What came from gdb.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A packet's content, unescaped.
    Packet(Vec<u8>),
    /// A request to stop.
    Interrupt,
}

/// The connection with what was read of it and not yet used.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    input: Vec<u8>,
    /// Packets are acknowledged.
    acks: bool,
    /// Sent last, for when gdb did not understand it.
    last: Vec<u8>,
}

impl Link {
    /// A new connection.
    pub fn new(stream: Stream) -> Link {
        Link { stream, input: Vec::new(), acks: true, last: Vec::new() }
    }

    /// For poll(2).
    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(s) => s.as_fd(),
            Stream::Unix(s) => s.as_fd(),
        }
    }

    /// `QStartNoAckMode`.
    pub fn stop_acks(&mut self) {
        self.acks = false;
    }

    /// Reads what there is; false when gdb is gone.
    pub fn fill(&mut self) -> bool {
        let mut buf = [0; 4096];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => return false,
                Ok(n) => {
                    self.input.extend(&buf[..n]);
                    return true;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// The next message that was read whole. Bad packets are asked for again.
    pub fn message(&mut self) -> io::Result<Option<Message>> {
        loop {
            match take(&mut self.input) {
                Taken::Nothing => return Ok(None),
                Taken::Interrupt => return Ok(Some(Message::Interrupt)),
                Taken::Again if self.acks => {
                    let last = std::mem::take(&mut self.last);
                    self.stream.write_all(&last)?;
                    self.last = last;
                }
                Taken::Again => {}
                Taken::Bad if self.acks => self.stream.write_all(b"-")?,
                Taken::Bad => {}
                Taken::Packet(content) => {
                    if self.acks {
                        self.stream.write_all(b"+")?;
                    }
                    return Ok(Some(Message::Packet(content)));
                }
            }
        }
    }

    /// Sends a packet.
    pub fn send(&mut self, content: &[u8]) -> io::Result<()> {
        let escaped = escape(content);
        let mut packet = vec![b'$'];
        packet.extend(&escaped);
        packet.extend(format!("#{:02x}", sum(&escaped)).bytes());
        self.stream.write_all(&packet)?;
        self.last = packet;
        Ok(())
    }
}

enum Taken {
    Nothing,
    Packet(Vec<u8>),
    Interrupt,
    /// gdb did not understand the last packet.
    Again,
    Bad,
}

/// Takes the first thing from what was read.
fn take(input: &mut Vec<u8>) -> Taken {
    let Some(&first) = input.first() else { return Taken::Nothing };
    if first != b'$' {
        input.remove(0);
        return match first {
            INTERRUPT => Taken::Interrupt,
            b'-' => Taken::Again,
            // Acknowledgements, and noise.
            _ => take(input),
        };
    }
    let Some(end) = input.iter().position(|&b| b == b'#').filter(|end| end + 2 < input.len())
    else {
        if input.len() > 2 * PACKET_SIZE {
            input.clear();
            return Taken::Bad;
        }
        return Taken::Nothing;
    };
    let packet: Vec<u8> = input.drain(..end + 3).collect();
    let content = &packet[1..end];
    match unhex(&packet[end + 1..]) {
        Some(given) if given == [sum(content)] => Taken::Packet(unescape(content)),
        _ => Taken::Bad,
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |s, b| s.wrapping_add(*b))
}

/// Bytes that mean something else in a packet stand behind `}`, with bit 5 turned over.
pub fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &b in bytes {
        if b"$#}*".contains(&b) {
            out.extend([b'}', b ^ 0x20]);
        } else {
            out.push(b);
        }
    }
    out
}

fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(&b) = bytes.next() {
        match b {
            b'}' => out.extend(bytes.next().map(|b| b ^ 0x20)),
            b => out.push(b),
        }
    }
    out
}

/// Two digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// The bytes of [`hex`]; `None` for anything else.
pub fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2).map(|c| Some(digit(c[0])? << 4 | digit(c[1])?)).collect()
}

/// A number in hexadecimal.
pub fn number(text: &str) -> Option<u64> {
    // The standard library would take a sign.
    if text.starts_with(['+', '-']) { None } else { u64::from_str_radix(text, 16).ok() }
}

/// Some of a process's threads, as gdb names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadId {
    /// `None` without multiprocess extensions, or for all.
    pub pid: Option<i32>,
    /// `None` for all.
    pub tid: Option<i32>,
}

impl ThreadId {
    /// `TID`, `pPID` or `pPID.TID`; -1 means all and 0 any, which is as good.
    pub fn parse(text: &str) -> Option<ThreadId> {
        let one = |text: &str| match text {
            "-1" | "0" => Some(None),
            n => number(n).and_then(|n| i32::try_from(n).ok()).map(Some),
        };
        let Some(rest) = text.strip_prefix('p') else {
            return Some(ThreadId { pid: None, tid: one(text)? });
        };
        match rest.split_once('.') {
            Some((pid, tid)) => Some(ThreadId { pid: one(pid)?, tid: one(tid)? }),
            None => Some(ThreadId { pid: one(rest)?, tid: None }),
        }
    }

    /// True for a thread that it names.
    pub fn names(self, pid: i32, tid: i32) -> bool {
        self.pid.is_none_or(|p| p == pid) && self.tid.is_none_or(|t| t == tid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(bytes: &[u8]) -> Vec<String> {
        let mut input = bytes.to_vec();
        let mut out = Vec::new();
        loop {
            out.push(match take(&mut input) {
                Taken::Nothing => return out,
                Taken::Packet(p) => String::from_utf8_lossy(&p).into_owned(),
                Taken::Interrupt => "interrupt".into(),
                Taken::Again => "again".into(),
                Taken::Bad => "bad".into(),
            });
        }
    }

    #[test]
    fn packets_are_taken_apart() {
        assert_eq!(packets(b"+$g#67+\x03$?#3f$m0"), ["g", "interrupt", "?"]);
        assert_eq!(packets(b"-$g#68$?#3f"), ["again", "bad", "?"]);
        assert_eq!(packets(b"$g#6"), [""; 0]);
        // "}\x03" is '#'.
        assert_eq!(packets(b"$a}\x03#e1"), ["a#"]);
        assert_eq!(packets(b"$g#zz$}#7d"), ["bad", ""]);
    }

    #[test]
    fn escapes_and_digits_are_undone() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&all)), all);
        assert!(!escape(&all).contains(&b'#'));
        assert_eq!(unhex(hex(&all).as_bytes()), Some(all));
        assert_eq!((unhex(b"0"), unhex(b"0g")), (None, None));
    }

    #[test]
    fn threads_are_named_both_ways() {
        let id = |pid, tid| Some(ThreadId { pid, tid });
        assert_eq!(ThreadId::parse("p1f.-1"), id(Some(0x1f), None));
        assert_eq!(ThreadId::parse("p1f.20"), id(Some(0x1f), Some(0x20)));
        assert_eq!(ThreadId::parse("p1f"), id(Some(0x1f), None));
        assert_eq!(ThreadId::parse("-1"), id(None, None));
        assert_eq!(ThreadId::parse("20"), id(None, Some(0x20)));
        assert_eq!(ThreadId::parse("p1.x"), None);
        assert!(id(Some(1), None).is_some_and(|t| t.names(1, 5) && !t.names(2, 5)));
    }
}
