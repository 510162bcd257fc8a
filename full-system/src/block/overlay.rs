//! `-snapshot`: an image that is only read, under a temporary file that takes what is written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Done, Image, Raw, Request};
use crate::event_loop::{Buffers, Handle};

/// Bytes that move into the temporary file together.
const CLUSTER: u64 = 1 << 16;

/// The image.
pub struct Overlay {
    base: Raw,
    top: Raw,
    /// Which clusters the temporary file has, one bit each.
    present: Mutex<Vec<u64>>,
    size: u64,
}

impl Overlay {
    /// Puts a temporary file, which has no name, over `base`.
    pub fn new(base: Raw, events: &Handle) -> io::Result<Overlay> {
        let size = base.size();
        let top = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_TMPFILE)
            .open(std::env::var_os("TMPDIR").unwrap_or_else(|| "/var/tmp".into()))?;
        top.set_len(size)?;
        let top = Raw::new(top, false, events)?;
        let words = size.div_ceil(CLUSTER).div_ceil(64) as usize;
        Ok(Overlay { base, top, present: Mutex::new(vec![0; words]), size })
    }

    fn present(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts a range where it passes from one file to the other: length, and whether the upper one has it.
    fn runs(&self, offset: u64, len: u64) -> Vec<(u64, bool)> {
        let present = self.present();
        let mut runs: Vec<(u64, bool)> = Vec::new();
        let mut at = offset;
        while at < offset + len {
            let end = ((at / CLUSTER + 1) * CLUSTER).min(offset + len);
            let on_top = has(&present, at / CLUSTER);
            match runs.last_mut() {
                Some((run, top)) if *top == on_top => *run += end - at,
                _ => runs.push((end - at, on_top)),
            }
            at = end;
        }
        runs
    }

    /// Has the temporary file hold every cluster that the range touches.
    fn raise(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut present = self.present();
        let mut buffer = vec![0; CLUSTER as usize];
        for cluster in offset / CLUSTER..(offset + len).div_ceil(CLUSTER) {
            if has(&present, cluster) {
                continue;
            }
            let from = cluster * CLUSTER;
            let whole = from >= offset && from + CLUSTER <= offset + len;
            if !whole {
                let part = &mut buffer[..CLUSTER.min(self.size - from) as usize];
                read(self.base.file(), part, from)?;
                self.top.file().write_all_at(part, from)?;
            }
            present[(cluster / 64) as usize] |= 1 << (cluster % 64);
        }
        Ok(())
    }
}

fn has(present: &[u64], cluster: u64) -> bool {
    present.get((cluster / 64) as usize).is_some_and(|w| w >> (cluster % 64) & 1 != 0)
}

/// Fills `bytes`; what lies past the end of the file is zero.
fn read(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => {
                bytes[done..].fill(0);
                return Ok(());
            }
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Several requests that end as one, with the first error.
struct Join(Mutex<(usize, io::Result<()>, Option<Done>)>);

impl Join {
    fn new(parts: usize, done: Done) -> Arc<Join> {
        Arc::new(Join(Mutex::new((parts, Ok(()), Some(done)))))
    }

    fn part(self: &Arc<Self>) -> Done {
        let join = self.clone();
        Box::new(move |result| {
            let mut state = join.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 -= 1;
            if state.1.is_ok() {
                state.1 = result;
            }
            if state.0 == 0
                && let Some(done) = state.2.take()
            {
                let all = std::mem::replace(&mut state.1, Ok(()));
                drop(state);
                done(all);
            }
        })
    }
}

/// The `len` bytes of `buffers` after the first `skip`.
fn piece(buffers: &Buffers, skip: u64, len: u64) -> Buffers {
    buffers.after(skip as usize).first(len as usize)
}

impl Image for Overlay {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        false
    }

    fn submit(&self, request: Request, done: Done) {
        match request {
            Request::Read { offset, buffers } => {
                let runs = self.runs(offset, buffers.len() as u64);
                let join = Join::new(runs.len().max(1), done);
                if runs.is_empty() {
                    self.top.submit(Request::Read { offset, buffers }, join.part());
                    return;
                }
                let mut at = 0;
                for (len, on_top) in runs {
                    let image = if on_top { &self.top } else { &self.base };
                    let buffers = piece(&buffers, at, len);
                    image.submit(Request::Read { offset: offset + at, buffers }, join.part());
                    at += len;
                }
            }
            Request::Write { offset, buffers } => match self.raise(offset, buffers.len() as u64) {
                Ok(()) => self.top.submit(Request::Write { offset, buffers }, done),
                Err(error) => self.top.fail(error, done),
            },
            Request::Discard { offset, len } => match self.raise(offset, len) {
                Ok(()) => self.top.submit(Request::Discard { offset, len }, done),
                Err(error) => self.top.fail(error, done),
            },
            // Nothing here outlives the emulator.
            Request::Flush => self.top.succeed(done),
        }
    }
}
