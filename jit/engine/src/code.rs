//! Memory that holds translated code.
#![expect(unsafe_code, reason = "maps executable memory and patches published code")]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Pages are asked for up to a multiple of so many bytes.
const AHEAD: usize = 64 << 10;

/// A page of a file, mapped so that perf(1) sees which file it is. Never accessed.
#[derive(Debug)]
pub(crate) struct Marker(*mut u8);

/// Bytes of it.
const MARKER: usize = 4096;

// SAFETY: only an address, which nothing is read or written by.
unsafe impl Send for Marker {}

impl Marker {
    pub(crate) fn new(file: &std::fs::File) -> std::io::Result<Marker> {
        use std::os::fd::AsRawFd;
        // perf looks at mappings of code alone.
        let prot = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: a fresh mapping touches no existing memory.
        let p = unsafe {
            let fd = file.as_raw_fd();
            libc::mmap(core::ptr::null_mut(), MARKER, prot, libc::MAP_PRIVATE, fd, 0)
        };
        if p == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Marker(p.cast()))
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new`, and nothing refers to it.
        unsafe { libc::munmap(self.0.cast(), MARKER) };
    }
}

/// One private mapping, readable, writable and executable. Private, so that a
/// forked child goes on with a copy; untouched pages cost nothing.
#[derive(Debug)]
pub(crate) struct CodeMemory {
    base: *mut u8,
    size: usize,
    /// The segment that is filled has code before this offset and ends at the other.
    used: usize,
    end: usize,
    /// Pages before this offset were asked for.
    ready: usize,
}

// SAFETY: the mapping belongs to this value; `base` is only an address.
unsafe impl Send for CodeMemory {}

impl CodeMemory {
    pub(crate) fn new(size: usize) -> std::io::Result<CodeMemory> {
        // SAFETY: a fresh anonymous mapping touches no existing memory.
        let p = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if p == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(CodeMemory { base: p.cast(), size, used: 0, end: size, ready: 0 })
    }
    pub(crate) fn base(&self) -> u64 {
        self.base as u64
    }
    pub(crate) fn size(&self) -> usize {
        self.size
    }
    pub(crate) fn used(&self) -> usize {
        self.used
    }
    /// Has the kernel make the next pages at once: a fault for each takes longer
    /// than filling it.
    pub(crate) fn prepare(&mut self, len: usize) {
        let end = self.used.saturating_add(len).next_multiple_of(AHEAD).min(self.end);
        if end > self.ready {
            // SAFETY: the range lies in the mapping; populating changes no content.
            // A kernel that cannot (before 5.14) leaves it to faults.
            unsafe {
                libc::madvise(
                    self.base.add(self.ready).cast(),
                    end - self.ready,
                    libc::MADV_POPULATE_WRITE,
                )
            };
            self.ready = end;
        }
    }
    /// The part of the segment that no code was published in, from the next aligned position.
    pub(crate) fn tail(&mut self) -> &mut [u8] {
        self.used = self.used.next_multiple_of(16).min(self.end);
        // SAFETY: nothing executes or references bytes of the segment behind `used`, and the
        // slice borrows `self` mutably.
        unsafe { core::slice::from_raw_parts_mut(self.base.add(self.used), self.end - self.used) }
    }
    /// Published bytes. Links in them may be patched meanwhile.
    pub(crate) fn published(&self, at: u64, len: usize) -> &[u8] {
        let from = ((at - self.base()) as usize).min(self.size);
        // SAFETY: inside the mapping, which begins as zeros; only displacements of links
        // are ever written there, whole, and only under the engine's lock,
        // which whoever has `self` holds.
        unsafe { core::slice::from_raw_parts(self.base.add(from), len.min(self.size - from)) }
    }
    /// Publishes the first `len` bytes of the tail.
    pub(crate) fn publish(&mut self, len: usize) {
        self.used += len;
    }
    /// Fills the segment between two offsets from now on. No thread may be in its code, nor anything lead there.
    pub(crate) fn fill(&mut self, start: usize, end: usize) {
        (self.used, self.end) = (start, end.min(self.size));
    }
    /// Replaces a 4-byte displacement of published code.
    pub(crate) fn patch_rel32(&self, site: u64, to: u64) {
        debug_assert!(site.is_multiple_of(4) && site - self.base() < self.size as u64);
        let rel = to.wrapping_sub(site + 4) as u32;
        // SAFETY: the site is an aligned displacement inside this mapping; an
        // aligned 4-byte store is seen whole by a fetching processor.
        unsafe { AtomicU32::from_ptr(site as *mut u32) }.store(rel, Ordering::Release);
    }
    /// Replaces the 5-byte instruction at an 8-aligned address by `jmp to`.
    pub(crate) fn patch_jump(&self, at: u64, to: u64) {
        debug_assert!(at.is_multiple_of(8) && at - self.base() < self.size as u64);
        let rel = to.wrapping_sub(at + 5) as u32;
        // SAFETY: as above, 8 bytes. The landing's instruction is exactly as
        // long as the jump, so no thread is between its bytes.
        let cell = unsafe { AtomicU64::from_ptr(at as *mut u64) };
        let old = cell.load(Ordering::Relaxed);
        let new = (old & !0xff_ffff_ffff) | 0xe9 | u64::from(rel) << 8;
        cell.store(new, Ordering::Release);
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and no thread runs in it: the
        // engine that owns it is being dropped.
        unsafe { libc::munmap(self.base.cast(), self.size) };
    }
}
