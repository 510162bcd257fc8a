//! The event loop: descriptors that become ready, timers on the machine's clock, disk requests, and work that other
//! threads hand over. One thread turns it; every thread may submit to it.
//!
//! Two back ends do the waiting: io_uring, where everything is a submission of one ring, and epoll with threads for
//! disk requests, for kernels and containers that refuse io_uring.

mod buffers;
mod epoll;
mod host;
#[cfg(test)]
mod tests;
mod timers;
mod uring;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use crate::clock::Clock;

pub use buffers::Buffers;
pub use timers::Timer;
use timers::Timers;

/// Which back end waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// io_uring, or epoll where the kernel refuses it.
    #[default]
    Auto,
    /// io_uring or an error.
    Uring,
    /// epoll.
    Epoll,
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// It can be read, or its peer is gone.
    Read,
    /// It can be written, or its peer is gone.
    Write,
}

/// Whether to go on watching after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Call again when it is ready (again).
    Again,
    /// Only after [`Watch::arm`].
    Wait,
}

/// A request to a disk image.
#[derive(Debug)]
pub struct Disk {
    /// The image.
    pub file: Arc<File>,
    /// What to do.
    pub what: What,
    /// Byte in the file at which to begin.
    pub offset: u64,
}

/// What a request to a disk image does.
#[derive(Debug)]
pub enum What {
    /// Fills guest memory.
    Read(Buffers),
    /// Takes from guest memory.
    Write(Buffers),
    /// Makes what was written durable.
    Flush,
    /// Makes bytes zero and gives their space back where the file system can (fallocate(2), `PUNCH_HOLE`).
    Discard(u64),
}

/// Called once with the number of bytes moved, on the loop's thread or, where the kernel was done at once, later there.
pub type Completion = Box<dyn FnOnce(io::Result<usize>) + Send>;

/// What the kernel said of one submission.
struct Done {
    token: u64,
    /// As a system call returns it: negative for an error.
    result: i32,
}

/// The part of the loop that talks to the kernel.
trait Backend: Send + Sync {
    /// Has one [`Done`] delivered when the descriptor is ready.
    fn poll(&self, token: u64, fd: &OwnedFd, interest: Interest) -> io::Result<()>;
    /// Takes [`Backend::poll`] back; a `Done` that is on its way may still come.
    fn cancel(&self, token: u64, fd: &OwnedFd);
    /// Starts a request. `disk` stays where it is until its `Done` was delivered.
    fn disk(&self, token: u64, disk: &Arc<Disk>) -> io::Result<()>;
    /// Ends a wait, from any thread.
    fn wake(&self);
    /// Waits for something, no longer than until `deadline`.
    fn wait(&self, deadline: Option<Instant>, done: &mut Vec<Done>) -> io::Result<()>;
    /// Name, for messages.
    fn name(&self) -> &'static str;
}

struct Watched {
    fd: OwnedFd,
    interest: Interest,
    armed: AtomicBool,
    callback: Mutex<Box<dyn FnMut() -> Next + Send>>,
}

type Work = Box<dyn FnOnce() + Send>;

struct Shared {
    clock: Arc<Clock>,
    backend: Box<dyn Backend>,
    thread: OnceLock<ThreadId>,
    tokens: AtomicU64,
    watches: Mutex<HashMap<u64, Arc<Watched>>>,
    disks: Mutex<HashMap<u64, (Arc<Disk>, Completion)>>,
    timers: Mutex<Timers>,
    work: Mutex<Vec<Work>>,
    quit: OnceLock<i32>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loop, owned by the thread that turns it.
pub struct EventLoop {
    handle: Handle,
}

/// Access to the loop from any thread.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// Tokens that are nobody's.
const WAKE: u64 = 0;
const TIMEOUT: u64 = 1;
const FIRST: u64 = 2;

impl EventLoop {
    /// A loop whose timers follow `clock`.
    pub fn new(clock: Arc<Clock>, kind: Kind) -> io::Result<EventLoop> {
        let backend: Box<dyn Backend> = match kind {
            Kind::Uring => Box::new(uring::Uring::new()?),
            Kind::Epoll => Box::new(epoll::Epoll::new()?),
            Kind::Auto => match uring::Uring::new() {
                Ok(ring) => Box::new(ring),
                Err(error) => {
                    log::info!("io_uring is refused ({error}); using epoll");
                    Box::new(epoll::Epoll::new()?)
                }
            },
        };
        let shared = Shared {
            clock,
            backend,
            thread: OnceLock::new(),
            tokens: AtomicU64::new(FIRST),
            watches: Mutex::default(),
            disks: Mutex::default(),
            timers: Mutex::default(),
            work: Mutex::default(),
            quit: OnceLock::new(),
        };
        Ok(EventLoop { handle: Handle(Arc::new(shared)) })
    }

    /// Access for other threads and for devices.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Turns until [`Handle::quit`]; returns its status.
    pub fn run(&self) -> io::Result<i32> {
        loop {
            if let Some(status) = self.handle.0.quit.get() {
                return Ok(*status);
            }
            self.turn()?;
        }
    }

    /// Does what is due, waits for one thing more, and does that.
    pub fn turn(&self) -> io::Result<()> {
        let shared = &self.handle.0;
        // Turned by one thread; the first to come is it.
        let _ = shared.thread.set(std::thread::current().id());
        let work = std::mem::take(&mut *lock(&shared.work));
        let busy = !work.is_empty();
        work.into_iter().for_each(|f| f());
        self.expire();
        let next = lock(&shared.timers).next();
        let deadline = match next {
            // Something was done that may have left more to do: look, but do not sleep.
            _ if busy => Some(Instant::now()),
            Some(ns) => shared.clock.host_time(ns),
            None => None,
        };
        let mut done = Vec::new();
        shared.backend.wait(deadline, &mut done)?;
        done.into_iter().for_each(|d| self.dispatch(d));
        self.expire();
        Ok(())
    }

    fn expire(&self) {
        let shared = &self.handle.0;
        // Callbacks set timers, so the lock is free while they run.
        while let Some(callback) = {
            let now = shared.clock.now_ns();
            let paused = shared.clock.host_time(now).is_none();
            if paused { None } else { lock(&shared.timers).pop(now) }
        } {
            callback();
        }
    }

    fn dispatch(&self, done: Done) {
        let shared = &self.handle.0;
        if done.token < FIRST {
            return;
        }
        let disk = lock(&shared.disks).remove(&done.token);
        if let Some((disk, completion)) = disk {
            let moved = usize::try_from(done.result)
                .map_err(|_| io::Error::from_raw_os_error(-done.result));
            if let (What::Read(buffers), Ok(len)) = (&disk.what, &moved) {
                buffers.filled(*len);
            }
            completion(moved);
            return;
        }
        let watched = lock(&shared.watches).get(&done.token).cloned();
        let Some(watched) = watched else { return };
        watched.armed.store(false, Ordering::SeqCst);
        if lock(&watched.callback)() == Next::Again {
            self.handle.arm(done.token, &watched);
        }
    }
}

impl Handle {
    /// Calls `work` on the loop's thread, soon.
    pub fn post(&self, work: impl FnOnce() + Send + 'static) {
        lock(&self.0.work).push(Box::new(work));
        self.wake();
    }

    /// Ends the loop; the first status counts.
    pub fn quit(&self, status: i32) {
        let _ = self.0.quit.set(status);
        self.wake();
    }

    /// Whether the loop is about to end, or has.
    pub fn is_quitting(&self) -> bool {
        self.0.quit.get().is_some()
    }

    /// Has the loop look at its timers again, after the clock was paused or resumed.
    pub fn wake(&self) {
        // The loop's own thread is not asleep.
        if self.0.thread.get() != Some(&std::thread::current().id()) {
            self.0.backend.wake();
        }
    }

    /// Calls `callback` on the loop's thread when a descriptor is ready, first after [`Watch::arm`].
    pub fn watch(
        &self,
        fd: impl AsFd,
        interest: Interest,
        callback: impl FnMut() -> Next + Send + 'static,
    ) -> io::Result<Watch> {
        // A copy, so that the watch lives as long as it is wanted, and epoll tells it from others.
        let fd = fd.as_fd().try_clone_to_owned()?;
        let token = self.0.tokens.fetch_add(1, Ordering::Relaxed);
        let callback: Mutex<Box<dyn FnMut() -> Next + Send>> = Mutex::new(Box::new(callback));
        let watched = Arc::new(Watched { fd, interest, armed: AtomicBool::new(false), callback });
        lock(&self.0.watches).insert(token, watched.clone());
        Ok(Watch { handle: self.clone(), token, watched })
    }

    fn arm(&self, token: u64, watched: &Watched) {
        if watched.armed.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.0.backend.poll(token, &watched.fd, watched.interest) {
            log::warn!("cannot watch a descriptor: {error}");
        }
    }

    /// A timer that calls `callback` on the loop's thread.
    pub fn timer(&self, callback: Box<dyn Fn() + Send + Sync>) -> Timer {
        let id = self.0.tokens.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.timers).add(id, callback.into());
        Timer::new(self.clone(), id)
    }

    fn set_timer(&self, id: u64, deadline: Option<u64>) {
        let earlier = lock(&self.0.timers).set(id, deadline);
        if earlier {
            self.wake();
        }
    }

    fn remove_timer(&self, id: u64) {
        lock(&self.0.timers).remove(id);
    }

    /// Starts a request to a disk image.
    pub fn disk(&self, disk: Disk, completion: Completion) {
        let token = self.0.tokens.fetch_add(1, Ordering::Relaxed);
        let disk = Arc::new(disk);
        lock(&self.0.disks).insert(token, (disk.clone(), completion));
        if let Err(error) = self.0.backend.disk(token, &disk) {
            let refused = lock(&self.0.disks).remove(&token);
            if let Some((_, completion)) = refused {
                self.post(move || completion(Err(error)));
            }
        }
    }

    /// The machine's clock.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.0.clock
    }

    /// Which back end waits: `io_uring` or `epoll`.
    pub fn backend(&self) -> &'static str {
        self.0.backend.name()
    }
}

/// A descriptor that is watched until this is dropped.
pub struct Watch {
    handle: Handle,
    token: u64,
    watched: Arc<Watched>,
}

impl Watch {
    /// Has the callback called when the descriptor is ready; nothing, if that is already so.
    pub fn arm(&self) {
        self.handle.arm(self.token, &self.watched);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.handle.0.watches).remove(&self.token);
        if self.watched.armed.load(Ordering::SeqCst) {
            self.handle.0.backend.cancel(self.token, &self.watched.fd);
        }
    }
}
