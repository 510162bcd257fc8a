//! gdb at a machine (`-gdb`, `-s`): processors are threads. A thread of the emulator's own talks to gdb; the machine
//! is stopped while gdb looks at it.

mod points;
mod session;

use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use remu_gdb::listen::Listener;
use remu_gdb::packet::Link;

use crate::machine::Machine;
pub use points::{Points, Stop, Touched, Watch, WatchKind};
use session::{Over, Session};

/// The server. It listens until [`Server::end`].
pub struct Server {
    wake: Arc<EventFd>,
    /// The machine has ended with this status.
    ended: Arc<OnceLock<i32>>,
    thread: JoinHandle<()>,
}

/// Where `-gdb` says to listen, as [`Listener::open`] takes it; `None` for nowhere.
///
/// # Errors
/// A sentence: it is none of what is known.
pub fn place(device: &str) -> Result<Option<String>, String> {
    let (kind, rest) = device.split_once(':').unwrap_or((device, ""));
    let mut options = rest.split(',');
    let at = options.next().unwrap_or_default();
    // QEMU's: whether it listens, as it does, and waits for gdb, for which there is -S.
    let known = ["server", "server=on", "wait=off", "nowait", "nodelay", "nodelay=on"];
    if let Some(other) = options.find(|o| !known.contains(o)) {
        return Err(format!("'{device}': '{other}' is not supported"));
    }
    let place = match kind {
        "none" if rest.is_empty() => return Ok(None),
        "tcp" => at.strip_prefix(':').unwrap_or(at),
        "unix" => at,
        _ => "",
    };
    if place.is_empty() {
        return Err(format!(
            "'{device}' is not supported; there are none, tcp:[HOST]:PORT and unix:PATH"
        ));
    }
    Ok(Some(place.to_string()))
}

impl Server {
    /// A server at `place` for a machine whose processors look for `points`.
    ///
    /// # Errors
    /// A sentence: it cannot listen there.
    pub fn start(
        place: &str,
        machine: &Arc<Machine>,
        points: Arc<Points>,
    ) -> Result<Server, String> {
        let failed = |e: std::io::Error| format!("-gdb {place}: {e}");
        let listener = Listener::open(place).map_err(failed)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_value_and_flags(0, flags).map_err(|e| failed(e.into()))?;
        let (wake, ended) = (Arc::new(wake), Arc::new(OnceLock::new()));
        let told = wake.clone();
        let tell = Arc::new(move || {
            // A counter that is full is not zero either.
            let _ = told.write(1);
        });
        let also = tell.clone();
        points.on_stop(Box::new(move || tell()));
        machine.on_stop(Box::new(move || also()));
        let (machine, theirs, over) = (machine.clone(), wake.clone(), ended.clone());
        let run = move || {
            while let Some(stream) = connection(&listener, &theirs, &over) {
                machine.stop();
                let mut session =
                    Session::new(Link::new(stream), &machine, &points, &theirs, &over);
                let how = session.serve();
                session.leave();
                if how == Over::Kill {
                    machine.events().quit(0);
                }
            }
            listener.close();
        };
        let thread = std::thread::Builder::new().name("gdb".into()).spawn(run);
        Ok(Server { wake, ended, thread: thread.map_err(failed)? })
    }

    /// Tells gdb that the machine has ended, and ends the server.
    pub fn end(self, status: i32) {
        let _ = self.ended.set(status);
        let _ = self.wake.write(1);
        // A panic there has been printed.
        let _ = self.thread.join();
    }
}

/// The next connection; `None` when the machine has ended.
fn connection(
    listener: &Listener,
    wake: &EventFd,
    ended: &OnceLock<i32>,
) -> Option<remu_gdb::packet::Stream> {
    // The conversation before may have taken the wake-up that told it.
    while ended.get().is_none() {
        let mut fds = [
            PollFd::new(listener.fd(), PollFlags::POLLIN),
            PollFd::new(wake.as_fd(), PollFlags::POLLIN),
        ];
        let waited = poll(&mut fds, PollTimeout::NONE);
        let ready = fds[0].revents().is_some_and(|r| !r.is_empty());
        let _ = wake.read();
        if ended.get().is_some() {
            return None;
        }
        if waited.is_ok() && ready {
            match listener.accept() {
                Ok(stream) => return Some(stream),
                Err(e) => log::warn!("gdb: {e}"),
            }
        }
    }
    None
}
