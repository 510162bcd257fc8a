//! A raw image: a file or block device whose bytes are the disk's.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use vm_memory::{Bytes, GuestAddress};

use super::{Done, Image, Request};
use crate::bus::Ram;
use crate::event_loop::{Buffers, Disk, Handle, What};

/// The image.
pub struct Raw {
    file: Arc<File>,
    size: u64,
    read_only: bool,
    events: Handle,
}

impl Raw {
    /// Opens a file or block device. The image ends with the last whole sector of 512 bytes.
    pub fn open(path: &Path, read_only: bool, events: &Handle) -> io::Result<Raw> {
        let file = OpenOptions::new().read(true).write(!read_only).open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        Raw::new(file, read_only, events)
    }

    /// An image in an open file.
    pub fn new(mut file: File, read_only: bool, events: &Handle) -> io::Result<Raw> {
        let size = file.seek(SeekFrom::End(0))? & !511;
        Ok(Raw { file: Arc::new(file), size, read_only, events: events.clone() })
    }

    /// The file.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }
}

impl Image for Raw {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn submit(&self, request: Request, done: Done) {
        let file = self.file.clone();
        match request {
            Request::Read { offset, buffers } => {
                transfer(self.events.clone(), file, false, offset, buffers, done);
            }
            Request::Write { offset, buffers } => {
                transfer(self.events.clone(), file, true, offset, buffers, done);
            }
            Request::Flush => self.simple(What::Flush, 0, done),
            Request::Discard { offset, len } => self.simple(What::Discard(len), offset, done),
        }
    }
}

impl Raw {
    fn simple(&self, what: What, offset: u64, done: Done) {
        let disk = Disk { file: self.file.clone(), what, offset };
        self.events.disk(disk, Box::new(move |r| done(r.map(drop))));
    }
}

/// Moves all bytes, however many the kernel moves at a time.
fn transfer(
    events: Handle,
    file: Arc<File>,
    write: bool,
    offset: u64,
    buffers: Buffers,
    done: Done,
) {
    if buffers.is_empty() {
        events.post(move || done(Ok(())));
        return;
    }
    let rest = buffers.after(0);
    let what = if write { What::Write(buffers) } else { What::Read(buffers) };
    let disk = Disk { file: file.clone(), what, offset };
    let again = events.clone();
    let completion = move |result: io::Result<usize>| match result {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {
            transfer(again, file, write, offset, rest.after(0), done);
        }
        Err(e) => done(Err(e)),
        // The image is longer than the file, which someone cut: the rest reads as zeros.
        Ok(0) if !write => done(zero(rest.ram(), rest.ranges())),
        Ok(0) => done(Err(io::Error::from_raw_os_error(libc::ENOSPC))),
        Ok(n) if n >= rest.len() => done(Ok(())),
        Ok(n) => transfer(again, file, write, offset + n as u64, rest.after(n), done),
    };
    events.disk(disk, Box::new(completion));
}

fn zero(ram: &Ram, ranges: &[(u64, usize)]) -> io::Result<()> {
    for &(at, len) in ranges {
        ram.write_slice(&vec![0; len], GuestAddress(at)).map_err(io::Error::other)?;
    }
    Ok(())
}

impl Raw {
    /// Ends a request with an error, as if the file had given it.
    pub(super) fn fail(&self, error: io::Error, done: Done) {
        self.events.post(move || done(Err(error)));
    }

    /// Ends a request that needs nothing.
    pub(super) fn succeed(&self, done: Done) {
        self.events.post(move || done(Ok(())));
    }
}
