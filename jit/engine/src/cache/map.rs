//! A cache file in memory.
#![expect(unsafe_code, reason = "maps a file")]

use std::fs::File;

/// The content of a cache file, read in place.
#[derive(Debug)]
pub(super) struct Map(memmap2::Mmap);

impl Map {
    /// Maps the first `len` bytes.
    pub(super) fn new(file: &File, len: usize) -> std::io::Result<Map> {
        // SAFETY: published bytes of a cache file never change (`file.rs`) and
        // nothing shortens it; the folder belongs to the user alone, who can
        // break his own processes in simpler ways. What is read is checked
        // before use, so that a wrong byte is a missing region.
        unsafe { memmap2::MmapOptions::new().len(len).map(file) }.map(Map)
    }
}

impl core::ops::Deref for Map {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
