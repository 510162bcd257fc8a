//! Disk images.

mod overlay;
mod raw;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::event_loop::{Buffers, Handle};

pub use overlay::Overlay;
pub use raw::Raw;

/// What an image is asked to do. Offsets are in bytes and lie inside the image.
#[derive(Debug)]
pub enum Request {
    /// Fills guest memory.
    Read {
        /// First byte of the image.
        offset: u64,
        /// Where the bytes go.
        buffers: Buffers,
    },
    /// Takes from guest memory.
    Write {
        /// First byte of the image.
        offset: u64,
        /// Where the bytes come from.
        buffers: Buffers,
    },
    /// Makes what was written durable.
    Flush,
    /// Makes bytes zero, giving their space back where that is possible.
    Discard {
        /// First byte.
        offset: u64,
        /// How many.
        len: u64,
    },
}

/// Called once, on the event loop's thread, when a request is done as a whole.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A disk image.
pub trait Image: Send + Sync {
    /// Bytes of the image.
    fn size(&self) -> u64;
    /// Writing is refused.
    fn read_only(&self) -> bool;
    /// Starts a request, from any thread.
    fn submit(&self, request: Request, done: Done);
}

/// How an image is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Nothing may be written.
    pub read_only: bool,
    /// What is written is forgotten at the end; the file stays as it is.
    pub snapshot: bool,
}

/// Opens the raw image at `path`.
///
/// # Errors
/// A sentence with the path.
pub fn open(path: &Path, options: Options, events: &Handle) -> Result<Arc<dyn Image>, String> {
    let shown = path.display();
    let base = Raw::open(path, options.read_only || options.snapshot, events)
        .map_err(|e| format!("cannot open the image '{shown}': {e}"))?;
    if !options.snapshot || options.read_only {
        return Ok(Arc::new(base));
    }
    let overlay = Overlay::new(base, events);
    Ok(Arc::new(overlay.map_err(|e| format!("cannot make a temporary file over '{shown}': {e}"))?))
}
