//! The loop on epoll(7), with threads that do disk requests.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll as Set, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Backend, Disk, Done, Interest, WAKE, host, lock};

/// Requests that are under way at the same time.
const WORKERS: usize = 4;

type Request = (u64, Arc<Disk>);

pub(super) struct Epoll {
    set: Set,
    inner: Arc<Inner>,
    requests: Mutex<Sender<Request>>,
}

/// What the worker threads share with the loop.
struct Inner {
    wake: EventFd,
    done: Mutex<Vec<Done>>,
}

impl Inner {
    fn finish(&self, done: Done) {
        lock(&self.done).push(done);
        self.wake();
    }

    fn wake(&self) {
        // Fails only when the counter is full, which wakes as well.
        let _ = self.wake.write(1);
    }
}

impl Epoll {
    pub(super) fn new() -> io::Result<Epoll> {
        let set = Set::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        set.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let inner = Arc::new(Inner { wake, done: Mutex::default() });
        let (requests, queue) = channel::<Request>();
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..WORKERS {
            let (queue, inner) = (queue.clone(), inner.clone());
            let name = format!("disk {n}");
            thread::Builder::new().name(name).spawn(move || work(&queue, &inner))?;
        }
        Ok(Epoll { set, inner, requests: Mutex::new(requests) })
    }
}

/// Does requests until the loop is gone.
fn work(queue: &Mutex<Receiver<Request>>, inner: &Inner) {
    loop {
        let Ok((token, disk)) = lock(queue).recv() else { return };
        inner.finish(Done { token, result: host::perform(&disk) });
    }
}

impl Backend for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn poll(&self, token: u64, fd: &OwnedFd, interest: Interest) -> io::Result<()> {
        let ready = match interest {
            Interest::Read => EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP,
            Interest::Write => EpollFlags::EPOLLOUT,
        };
        let mut event = EpollEvent::new(ready | EpollFlags::EPOLLONESHOT, token);
        let result = match self.set.modify(fd, &mut event) {
            Err(Errno::ENOENT) => self.set.add(fd, event),
            other => other,
        };
        match result {
            // A regular file: epoll refuses it, and it is always ready.
            Err(Errno::EPERM) => {
                self.inner.finish(Done { token, result: 1 });
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn cancel(&self, _token: u64, fd: &OwnedFd) {
        // Not there any more if it was a regular file.
        let _ = self.set.delete(fd);
    }

    fn disk(&self, token: u64, disk: &Arc<Disk>) -> io::Result<()> {
        let sent = lock(&self.requests).send((token, disk.clone()));
        sent.map_err(|_| io::Error::from_raw_os_error(libc::EIO))
    }

    fn wake(&self) {
        self.inner.wake();
    }

    fn wait(&self, deadline: Option<Instant>, done: &mut Vec<Done>) -> io::Result<()> {
        let timeout = deadline.map_or(EpollTimeout::NONE, |at| {
            let left = at.saturating_duration_since(Instant::now());
            // Rounded up: waking early would only mean waiting again.
            let ms = left.as_nanos().div_ceil(1_000_000);
            EpollTimeout::try_from(u32::try_from(ms).unwrap_or(u32::MAX).min(i32::MAX as u32))
                .unwrap_or(EpollTimeout::NONE)
        });
        let mut events = [EpollEvent::empty(); 32];
        let count = match self.set.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &events[..count] {
            if event.data() == WAKE {
                let _ = self.inner.wake.read();
            } else {
                done.push(Done { token: event.data(), result: 1 });
            }
        }
        done.append(&mut lock(&self.inner.done));
        Ok(())
    }
}
