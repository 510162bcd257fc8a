//! Where gdb connects: a TCP port or a socket in the file system.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::packet::Stream;

/// An open socket that waits for one connection.
#[derive(Debug)]
pub enum Listener {
    /// On a TCP port.
    Tcp(TcpListener),
    /// At a path.
    Unix(UnixListener, String),
}

impl Listener {
    /// Opens what `-g` names: `PORT` on every address as QEMU has it, `ADDRESS:PORT`, or a path in
    /// which `%d` is the process id.
    pub fn open(place: &str) -> io::Result<Listener> {
        if let Ok(port) = place.parse::<u16>() {
            return TcpListener::bind(("0.0.0.0", port)).map(Listener::Tcp);
        }
        if let Some((host, port)) = place.rsplit_once(':')
            && !place.contains('/')
            && let Ok(port) = port.parse::<u16>()
        {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            return TcpListener::bind((host, port)).map(Listener::Tcp);
        }
        let path = place.replace("%d", &std::process::id().to_string());
        let bound = match UnixListener::bind(&path) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && is_left_over(&path) => {
                std::fs::remove_file(&path)?;
                UnixListener::bind(&path)
            }
            other => other,
        };
        Ok(Listener::Unix(bound?, path))
    }

    /// For poll(2).
    pub fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(l) => l.as_fd(),
            Listener::Unix(l, _) => l.as_fd(),
        }
    }

    /// Takes the connection that came.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(l) => {
                let (stream, _) = l.accept()?;
                // Packets are small and each waits for an answer.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(l, _) => l.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }

    /// No more connections: a path goes.
    pub fn close(&self) {
        if let Listener::Unix(_, path) = self {
            // Whoever removed it first has done the same.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// True for a socket that nobody listens at.
fn is_left_over(path: &str) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    is_socket
        && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_nobody_listens_at_are_replaced() {
        let path = std::env::temp_dir().join(format!("remu-listen-%d-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let first = Listener::open(path).unwrap();
        assert!(Listener::open(path).is_err());
        drop(first);
        let second = Listener::open(path).unwrap();
        second.close();
        let real = path.replace("%d", &std::process::id().to_string());
        assert!(!std::path::Path::new(&real).exists());
        assert!(matches!(Listener::open("127.0.0.1:0"), Ok(Listener::Tcp(_))));
    }
}
