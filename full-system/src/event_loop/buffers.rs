//! Pieces of guest memory that the kernel fills or reads.

use std::fmt;
use std::sync::Arc;

use vm_memory::{GuestAddress, GuestMemoryBackend};

use crate::bus::{Bus, Ram};

/// One piece, laid out as the kernel's `struct iovec`. Numbers instead of pointers, because they cross threads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) base: usize,
    pub(super) len: usize,
}

/// Pieces of guest memory, kept mapped as long as this lives.
pub struct Buffers {
    ram: Arc<Ram>,
    ranges: Vec<(u64, usize)>,
    pieces: Box<[Piece]>,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffers({:x?})", self.ranges)
    }
}

impl Buffers {
    /// Pieces given by guest physical address and length; `None` if one is not wholly memory.
    pub fn new(ram: &Arc<Ram>, ranges: Vec<(u64, usize)>) -> Option<Buffers> {
        let mut pieces = Vec::with_capacity(ranges.len());
        for &(pa, len) in &ranges {
            let slice = ram.get_slice(GuestAddress(pa), len).ok()?;
            pieces.push(Piece { base: slice.ptr_guard_mut().as_ptr() as usize, len });
        }
        Some(Buffers { ram: ram.clone(), ranges, pieces: pieces.into() })
    }

    /// Bytes in all pieces.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(|r| r.1).sum()
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is left after the first `skip` bytes.
    pub fn after(&self, mut skip: usize) -> Buffers {
        let mut rest = Vec::new();
        for (&(pa, len), p) in self.ranges.iter().zip(&self.pieces) {
            let cut = skip.min(len);
            skip -= cut;
            if cut < len {
                rest.push((pa + cut as u64, Piece { base: p.base + cut, len: len - cut }));
            }
        }
        self.of(rest)
    }

    /// The first `keep` bytes.
    pub fn first(&self, mut keep: usize) -> Buffers {
        let mut first = Vec::new();
        for (&(pa, len), p) in self.ranges.iter().zip(&self.pieces) {
            let part = keep.min(len);
            keep -= part;
            if part > 0 {
                first.push((pa, Piece { base: p.base, len: part }));
            }
        }
        self.of(first)
    }

    /// Parts of these pieces, which therefore lie in memory as well.
    fn of(&self, parts: Vec<(u64, Piece)>) -> Buffers {
        Buffers {
            ram: self.ram.clone(),
            ranges: parts.iter().map(|(pa, p)| (*pa, p.len)).collect(),
            pieces: parts.into_iter().map(|(_, p)| p).collect(),
        }
    }

    /// Guest memory.
    pub fn ram(&self) -> &Arc<Ram> {
        &self.ram
    }

    /// The pieces by guest physical address.
    pub fn ranges(&self) -> &[(u64, usize)] {
        &self.ranges
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Reports that the kernel has written the first `len` bytes.
    pub(super) fn filled(&self, mut len: usize) {
        for &(pa, size) in &self.ranges {
            let part = size.min(len);
            Bus::written(&self.ram, pa, part);
            len -= part;
        }
    }
}
