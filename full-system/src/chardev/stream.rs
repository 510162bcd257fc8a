//! A character device on file descriptors: standard input and output, files, pipes, pseudo-terminals.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Backend, Receiver};
use crate::event_loop::{Handle, Interest, Next, Watch};

/// Descriptors to read from and to write to.
pub struct Stream {
    output: Option<OwnedFd>,
    input: Option<OwnedFd>,
    watch: Mutex<Option<Watch>>,
    receiver: OnceLock<Weak<dyn Receiver>>,
    /// The receiver had no room, and nothing is read until it says otherwise.
    full: AtomicBool,
    events: Handle,
    /// What an end of input does.
    at_end: Box<dyn Fn() + Send + Sync>,
}

/// Bytes read at once.
const CHUNK: usize = 4096;

impl Stream {
    /// A device on these descriptors; `at_end` is called on the loop's thread when input ends.
    pub fn new(
        events: &Handle,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
        at_end: Box<dyn Fn() + Send + Sync>,
    ) -> Arc<Stream> {
        Arc::new_cyclic(|_: &Weak<Stream>| Stream {
            output,
            input,
            watch: Mutex::new(None),
            receiver: OnceLock::new(),
            full: AtomicBool::new(false),
            events: events.clone(),
            at_end,
        })
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read. Called once, when everything is connected.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        let Some(input) = &self.input else { return Ok(()) };
        let me = Arc::downgrade(self);
        let watch = self.events.watch(input, Interest::Read, move || {
            me.upgrade().map_or(Next::Wait, |stream| stream.readable())
        })?;
        watch.arm();
        *self.watch() = Some(watch);
        Ok(())
    }

    fn readable(&self) -> Next {
        let Some(receiver) = self.receiver.get().and_then(Weak::upgrade) else { return Next::Wait };
        self.full.store(true, Ordering::SeqCst);
        let room = receiver.room();
        if room == 0 {
            // Whoever makes room finds `full` set and arms the watch again.
            return Next::Wait;
        }
        self.full.store(false, Ordering::SeqCst);
        let Some(input) = &self.input else { return Next::Wait };
        let mut bytes = [0; CHUNK];
        match nix::unistd::read(input, &mut bytes[..room.min(CHUNK)]) {
            // EIO: nobody has the other end of the pseudo-terminal open.
            Ok(0) | Err(Errno::EIO) => {
                (self.at_end)();
                Next::Wait
            }
            Ok(n) => {
                receiver.receive(&bytes[..n]);
                Next::Again
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Next::Again,
            Err(error) => {
                log::warn!("cannot read from a character device: {error}");
                Next::Wait
            }
        }
    }
}

impl Backend for Stream {
    fn write(&self, mut bytes: &[u8]) {
        let Some(output) = &self.output else { return };
        while !bytes.is_empty() {
            match nix::unistd::write(output, bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::EINTR) => {}
                // The terminal is shared with programs that may have made it non-blocking.
                Err(Errno::EAGAIN) => {
                    let mut fds = [PollFd::new(output.as_fd(), PollFlags::POLLOUT)];
                    let _ = poll(&mut fds, PollTimeout::NONE);
                }
                // Nobody listens: the guest goes on, as with an unplugged cable.
                Err(_) => return,
            }
        }
    }

    fn connect(&self, receiver: Weak<dyn Receiver>) {
        let _ = self.receiver.set(receiver);
    }

    fn accept_input(&self) {
        if self.full.swap(false, Ordering::SeqCst)
            && let Some(watch) = &*self.watch()
        {
            watch.arm();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::event_loop::{EventLoop, Kind};
    use std::io::{Read, Write};

    /// Takes one byte at a time, when told to.
    struct Picky(Mutex<Vec<u8>>, AtomicBool);

    impl Receiver for Picky {
        fn room(&self) -> usize {
            usize::from(self.1.load(Ordering::SeqCst))
        }
        fn receive(&self, bytes: &[u8]) {
            self.0.lock().expect("not poisoned").extend(bytes);
            self.1.store(false, Ordering::SeqCst);
        }
    }

    #[test]
    fn nothing_is_lost_when_the_receiver_is_full() {
        let events = EventLoop::new(Arc::new(Clock::new()), Kind::Auto).expect("a loop");
        let (input, mut typist) = std::io::pipe().expect("a pipe");
        let (mut screen, output) = std::io::pipe().expect("a pipe");
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let at_end = Box::new(move || end.store(true, Ordering::SeqCst));
        let (input, output) = (Some(OwnedFd::from(input)), Some(OwnedFd::from(output)));
        let stream = Stream::new(events.handle(), input, output, at_end);
        let picky = Arc::new(Picky(Mutex::new(Vec::new()), AtomicBool::new(false)));
        let receiver: Arc<dyn Receiver> = picky.clone();
        stream.connect(Arc::downgrade(&receiver));
        stream.start().expect("watched");
        typist.write_all(b"abc").expect("typed");
        for n in 0..3 {
            events.turn().expect("found it full");
            assert_eq!(picky.0.lock().expect("not poisoned").len(), n);
            picky.1.store(true, Ordering::SeqCst);
            stream.accept_input();
            events.turn().expect("read");
        }
        assert_eq!(*picky.0.lock().expect("not poisoned"), b"abc");
        drop(typist);
        picky.1.store(true, Ordering::SeqCst);
        stream.accept_input();
        while !ended.load(Ordering::SeqCst) {
            events.turn().expect("a turn");
        }
        stream.write(b"out");
        let mut text = [0; 3];
        screen.read_exact(&mut text).expect("written");
        assert_eq!(&text, b"out");
    }
}
