//! The loop on io_uring(7): polls, timeouts, disk requests and wake-ups are submissions of one ring, which any
//! thread makes under a lock and which only the loop's thread waits for.
//!
//! `unsafe` because submissions carry addresses that the kernel uses later.
#![expect(unsafe_code, reason = "submissions carry addresses")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use io_uring::{IoUring, opcode, squeue, types};

use super::{Backend, Disk, Done, Interest, TIMEOUT, WAKE, What, host, lock};

const ENTRIES: u32 = 256;

pub(super) struct Uring {
    ring: IoUring,
    /// Held while the submission queue is written and submitted.
    submission: Mutex<()>,
    /// The moment of the earliest timeout that was submitted and has not come.
    armed: Mutex<Option<Instant>>,
}

impl Uring {
    pub(super) fn new() -> io::Result<Uring> {
        let ring = IoUring::builder().setup_clamp().build(ENTRIES)?;
        // Without this a full completion queue would lose what the loop waits for.
        if !ring.params().is_feature_nodrop() {
            return Err(io::Error::from_raw_os_error(libc::ENOSYS));
        }
        Ok(Uring { ring, submission: Mutex::new(()), armed: Mutex::new(None) })
    }

    /// Queues and submits one entry.
    ///
    /// # Safety
    /// What the entry points at stays valid until its completion, or until this returns where the kernel copies it.
    unsafe fn submit(&self, entry: &squeue::Entry) -> io::Result<()> {
        let _guard = lock(&self.submission);
        loop {
            // SAFETY: `submission` is held, so there is no other submission queue in use; the caller vouches for
            // what the entry points at.
            let pushed = unsafe { self.ring.submission_shared().push(entry) };
            self.flush()?;
            if pushed.is_ok() {
                return Ok(());
            }
        }
    }

    /// Has the kernel take everything that is queued; called with `submission` held.
    fn flush(&self) -> io::Result<()> {
        loop {
            match self.ring.submit() {
                Ok(_) => {}
                Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
                // The kernel is short of room until completions are taken: the loop does so meanwhile.
                Err(e) if matches!(e.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN)) => {
                    std::thread::yield_now();
                }
                Err(e) => return Err(e),
            }
            if self.is_submitted() {
                return Ok(());
            }
        }
    }

    /// Whether the kernel has taken everything; called with `submission` held.
    fn is_submitted(&self) -> bool {
        // SAFETY: `submission` is held, so there is no other submission queue in use.
        unsafe { self.ring.submission_shared() }.is_empty()
    }

    fn arm(&self, deadline: Instant) -> io::Result<()> {
        let mut armed = lock(&self.armed);
        if armed.is_some_and(|at| at <= deadline) {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let time = types::Timespec::from(left);
        let entry = opcode::Timeout::new(&time).build().user_data(TIMEOUT);
        // SAFETY: the kernel copies the time while it takes the submission, before `submit` returns.
        unsafe { self.submit(&entry)? };
        *armed = Some(deadline);
        Ok(())
    }
}

impl Backend for Uring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn poll(&self, token: u64, fd: &OwnedFd, interest: Interest) -> io::Result<()> {
        let mask = match interest {
            Interest::Read => libc::POLLIN | libc::POLLRDHUP,
            Interest::Write => libc::POLLOUT,
        };
        let entry = opcode::PollAdd::new(types::Fd(fd.as_raw_fd()), mask as u32).build();
        // SAFETY: the entry points at nothing.
        unsafe { self.submit(&entry.user_data(token)) }
    }

    fn cancel(&self, token: u64, _fd: &OwnedFd) {
        let entry = opcode::PollRemove::new(token).build().user_data(WAKE);
        // SAFETY: the entry points at nothing. What fails leaves a poll that nobody hears.
        let _ = unsafe { self.submit(&entry) };
    }

    fn disk(&self, token: u64, disk: &Arc<Disk>) -> io::Result<()> {
        let fd = types::Fd(disk.file.as_raw_fd());
        let offset = disk.offset;
        let entry = match &disk.what {
            What::Read(buffers) => {
                let p = buffers.pieces();
                opcode::Readv::new(fd, p.as_ptr().cast(), p.len() as u32).offset(offset).build()
            }
            What::Write(buffers) => {
                let p = buffers.pieces();
                opcode::Writev::new(fd, p.as_ptr().cast(), p.len() as u32).offset(offset).build()
            }
            What::Flush => opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build(),
            What::Discard(len) => {
                opcode::Fallocate::new(fd, *len).offset(offset).mode(host::DISCARD).build()
            }
        };
        // SAFETY: the pieces are laid out as `iovec`s; they, the file and the guest memory they describe live in
        // `disk`, which the loop keeps until the completion was delivered.
        unsafe { self.submit(&entry.user_data(token)) }
    }

    fn wake(&self) {
        let entry = opcode::Nop::new().build().user_data(WAKE);
        // SAFETY: the entry points at nothing.
        if let Err(error) = unsafe { self.submit(&entry) } {
            log::warn!("cannot wake the event loop: {error}");
        }
    }

    fn wait(&self, deadline: Option<Instant>, done: &mut Vec<Done>) -> io::Result<()> {
        let expired = deadline.is_some_and(|at| at <= Instant::now());
        if let Some(at) = deadline.filter(|_| !expired) {
            self.arm(at)?;
        }
        // SAFETY: only the loop's thread takes completions.
        let mut queue = unsafe { self.ring.completion_shared() };
        if queue.is_empty() && !expired {
            // Waits only: entries are submitted under the lock, never here.
            // SAFETY: no argument is passed.
            let waited = unsafe {
                self.ring.submitter().enter::<libc::sigset_t>(0, 1, ENTER_GETEVENTS, None)
            };
            match waited {
                Err(e) if !matches!(e.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => {
                    return Err(e);
                }
                _ => queue.sync(),
            }
        }
        for entry in &mut queue {
            match entry.user_data() {
                TIMEOUT => *lock(&self.armed) = None,
                WAKE => {}
                token => done.push(Done { token, result: entry.result() }),
            }
        }
        Ok(())
    }
}

/// `IORING_ENTER_GETEVENTS` of io_uring_enter(2).
const ENTER_GETEVENTS: u32 = 1;
