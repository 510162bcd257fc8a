//! The server that gdb connects to (`-g`).
//!
//! It is a process of its own, a fork of the runner from before the guest's first instruction, and
//! debugs the guest as a guest's debugger would: by `crate::trace`. So threads that sleep in calls,
//! signals, new threads, processes and programs are what the kernel makes of them, and a guest that
//! nobody debugs pays nothing. Breakpoints and watchpoints lie in the debugged process, where the
//! translator sees them and the guest does not (`crate::trace::POINTS`).

mod files;
mod inferior;
mod query;
mod run;
mod session;
mod signals;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::signal::host;
use crate::task::{self, Shared};
use crate::trace::{option, server};
use remu_gdb::listen::Listener;
use remu_gdb::packet::Link;
use session::Session;

/// gdb has closed the connection.
struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Gone {
        Gone
    }
}

type Done = Result<(), Gone>;

/// What the kernel is asked to tell of.
const OPTIONS: u32 = option::SYSGOOD
    | option::FORK
    | option::VFORK
    | option::CLONE
    | option::EXEC
    | option::VFORK_DONE;

/// Starts the server for this process, whose signals are blocked, and waits until gdb has connected;
/// `mask` is the mask to wait with. The caller stops then, for gdb.
pub(crate) fn start(shared: &Shared, place: &str, mask: u64) -> Result<(), String> {
    let say = |e: io::Error| format!("-g {place}: {e}");
    let listener = Listener::open(place).map_err(say)?;
    let (mut ours, theirs) = UnixStream::pair().map_err(say)?;
    let pid = host::pid();
    let apart = task::fork_apart().map_err(|e| format!("-g: fork: {e}"))?;
    if apart {
        drop(ours);
        serve(shared, &listener, theirs, pid);
        host::exit_group(0)
    }
    drop((theirs, listener));
    let mut word = [0; 4];
    ours.read_exact(&mut word).map_err(say)?;
    task::allow_tracer(i32::from_le_bytes(word));
    let _ = ours.write_all(&[1]);
    let blocked = host::set_mask(mask);
    let answer = ours.read_exact(&mut word);
    host::set_mask(blocked);
    match (answer, i32::from_le_bytes(word)) {
        (Ok(()), 0) => Ok(()),
        (Ok(()), errno) => {
            let e = io::Error::from_raw_os_error(errno);
            Err(format!("-g: the server may not trace the program (ptrace(2)): {e}"))
        }
        (Err(e), _) => Err(format!("-g: the server ended: {e}")),
    }
}

/// The server's process.
fn serve(shared: &Shared, listener: &Listener, mut guest: UnixStream, pid: i32) {
    let kept = [listener.fd().as_raw_fd(), guest.as_raw_fd()];
    let own = [shared.config.sysroot.fd(), crate::logging::file()].into_iter().flatten();
    let kept: Vec<i32> = kept.into_iter().chain(own).collect();
    task::close_others(|fd| kept.contains(&fd));
    // A SIGCHLD that is ignored never comes.
    let _ = host::set_disposition(libc::SIGCHLD, 0, 0);
    let mut chld = SigSet::empty();
    chld.add(Signal::SIGCHLD);
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let Ok(children) = SignalFd::with_flags(&chld, flags) else { return };
    let mut go = [0];
    if guest.write_all(&host::pid().to_le_bytes()).is_err() || guest.read_exact(&mut go).is_err() {
        return;
    }
    let mut fds = [
        PollFd::new(listener.fd(), PollFlags::POLLIN),
        PollFd::new(guest.as_fd(), PollFlags::POLLIN),
    ];
    while let Ok(0) | Err(nix::errno::Errno::EINTR) = poll(&mut fds, PollTimeout::NONE) {}
    if fds[1].revents().is_some_and(|r| !r.is_empty()) {
        // The guest was killed while it waited.
        listener.close();
        return;
    }
    let accepted = listener.accept();
    listener.close();
    let stream = match accepted {
        Ok(stream) => stream,
        Err(e) => {
            let _ = guest.write_all(&e.raw_os_error().unwrap_or(libc::EIO).to_le_bytes());
            return;
        }
    };
    if let Err(e) = server::seize(pid, OPTIONS) {
        let _ = guest.write_all(&e.0.to_le_bytes());
        return;
    }
    if guest.write_all(&0i32.to_le_bytes()).is_err() {
        return;
    }
    drop(guest);
    Session::new(Link::new(stream), shared, children, pid).serve();
}
