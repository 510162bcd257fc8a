//! One region in a cache file.
//!
//! Little-endian, a multiple of 16 bytes: the fields of [`Head`], then the
//! entries (guest, host), faults (host, guest), landings, links (site, stub,
//! target), relocations (offset << 2 | kind), zeros up to a multiple of 16,
//! code. "guest" is counted from the region's first guest byte, "host" from
//! its first byte of code.

use remu_codegen::{Link, Reloc, RelocKind};

use super::hash::hash;

/// Bytes before the tables.
const HEAD: usize = 96;

/// The plain fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Lift key.
    pub(crate) key: u32,
    /// Right for guest code at the same address only.
    pub(crate) fixed: bool,
    /// Guest address of the file's first byte when this was made.
    pub(crate) base: u64,
    /// Place of the first guest byte in the guest's file.
    pub(crate) start: u64,
    /// Guest bytes covered.
    pub(crate) span: u32,
    /// The entry that was asked for, as a guest offset.
    pub(crate) entry: u32,
    /// Hash of the guest bytes.
    pub(crate) content: u64,
    /// Where the code lay, counted from the thunks.
    pub(crate) host: u64,
    /// A host function's address, from which others are counted.
    pub(crate) anchor: u64,
    /// Guest instructions.
    pub(crate) insns: u32,
}

/// A region to write.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) head: Head,
    /// (guest, host)
    pub(crate) entries: &'a [(u32, u32)],
    /// (host, guest address)
    pub(crate) faults: &'a [(u32, u64)],
    pub(crate) landings: &'a [u32],
    pub(crate) links: &'a [Link],
    pub(crate) relocs: &'a [Reloc],
    pub(crate) code: &'a [u8],
}

impl Parts<'_> {
    /// Appends the record. Links that were resolved lead to their stubs again.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        let h = &self.head;
        let guest_start = h.base.wrapping_add(h.start);
        let counts = [
            self.entries.len(),
            self.faults.len(),
            self.landings.len(),
            self.links.len(),
            self.relocs.len(),
            self.code.len(),
        ];
        out.resize(from + 16, 0);
        for v in [h.base, h.start, h.content, h.host, h.anchor] {
            out.extend(v.to_le_bytes());
        }
        for v in [h.key, u32::from(h.fixed), h.span, h.entry] {
            out.extend(v.to_le_bytes());
        }
        for v in counts {
            out.extend((v as u32).to_le_bytes());
        }
        for (a, b) in self.entries {
            out.extend(a.to_le_bytes());
            out.extend(b.to_le_bytes());
        }
        for (at, pc) in self.faults {
            out.extend(at.to_le_bytes());
            out.extend((pc.wrapping_sub(guest_start) as u32).to_le_bytes());
        }
        for l in self.landings {
            out.extend(l.to_le_bytes());
        }
        for l in self.links {
            out.extend(l.site.to_le_bytes());
            out.extend(l.stub.to_le_bytes());
            out.extend(l.target.to_le_bytes());
        }
        for r in self.relocs {
            out.extend((r.at << 2 | r.kind as u32).to_le_bytes());
        }
        out.resize(from + (out.len() - from).next_multiple_of(16), 0);
        let code = out.len();
        out.extend(self.code);
        for l in self.links {
            let site = code + l.site as usize;
            if let Some(p) = out.get_mut(site..site + 4) {
                p.copy_from_slice(&l.stub.wrapping_sub(l.site + 4).to_le_bytes());
            }
        }
        out.resize(from + (out.len() - from).next_multiple_of(16), 0);
        let len = (out.len() - from) as u32;
        out[from + 8..from + 12].copy_from_slice(&len.to_le_bytes());
        out[from + 12..from + 16].copy_from_slice(&h.insns.to_le_bytes());
        let sum = hash(&out[from + 8..]);
        out[from..from + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// A region read in place; everything in it was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) head: Head,
    /// The whole record.
    pub(crate) bytes: &'a [u8],
    entries: &'a [[u8; 8]],
    faults: &'a [[u8; 8]],
    landings: &'a [[u8; 4]],
    links: &'a [[u8; 16]],
    relocs: &'a [[u8; 4]],
    pub(crate) code: &'a [u8],
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    b.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn pair(b: &[u8]) -> (u32, u32) {
    (u32_at(b, 0), u32_at(b, 4))
}

/// Takes `n` items of `N` bytes from the front of `rest`.
fn take<'a, const N: usize>(rest: &mut &'a [u8], n: u32) -> Option<&'a [[u8; N]]> {
    let (items, after) = rest.split_at_checked(N.checked_mul(n as usize)?)?;
    *rest = after;
    Some(items.as_chunks().0)
}

impl<'a> Record<'a> {
    /// The fields of the record at the start of `bytes`, unchecked but for
    /// bounds.
    pub(crate) fn peek(bytes: &[u8]) -> Option<Head> {
        (bytes.len() >= HEAD).then(|| Head {
            base: u64_at(bytes, 16),
            start: u64_at(bytes, 24),
            content: u64_at(bytes, 32),
            host: u64_at(bytes, 40),
            anchor: u64_at(bytes, 48),
            key: u32_at(bytes, 56),
            fixed: u32_at(bytes, 60) != 0,
            span: u32_at(bytes, 64),
            entry: u32_at(bytes, 68),
            insns: u32_at(bytes, 12),
        })
    }

    /// Reads the record at the start of `bytes`; `None` unless it is whole.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Record<'a>> {
        let head = Record::peek(bytes)?;
        let bytes = bytes.get(..u32_at(bytes, 8) as usize).filter(|b| b.len() >= HEAD)?;
        if hash(&bytes[8..]) != u64_at(bytes, 0) {
            return None;
        }
        let count = |n: usize| u32_at(bytes, 72 + 4 * n);
        let mut rest = &bytes[HEAD..];
        let entries = take(&mut rest, count(0))?;
        let faults = take(&mut rest, count(1))?;
        let landings = take(&mut rest, count(2))?;
        let links = take(&mut rest, count(3))?;
        let relocs = take(&mut rest, count(4))?;
        let pad = (bytes.len() - rest.len()).next_multiple_of(16) - (bytes.len() - rest.len());
        let code = rest.get(pad..)?.get(..count(5) as usize)?;
        let r = Record { head, bytes, entries, faults, landings, links, relocs, code };
        r.is_sound().then_some(r)
    }

    /// Every offset stays inside the code, and is aligned where code is patched.
    fn is_sound(&self) -> bool {
        let size = self.code.len();
        let inside = |at: u32, n: usize| at as usize + n <= size;
        self.entries().all(|(_, host)| inside(host, 1))
            && self.landings().all(|l| inside(l, 8) && l.is_multiple_of(8))
            && self
                .links()
                .all(|l| inside(l.site, 4) && inside(l.stub, 1) && l.site.is_multiple_of(4))
            && self.relocs.iter().all(|r| {
                let v = u32_at(r, 0);
                RelocKind::ALL.get(v as usize & 3).is_some_and(|k| inside(v >> 2, k.bytes()))
            })
    }

    /// (guest, host)
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + 'a {
        self.entries.iter().map(|e| pair(e))
    }
    /// (host, guest), by ascending host offset.
    pub(crate) fn faults(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + Clone + 'a {
        self.faults.iter().map(|e| pair(e))
    }
    pub(crate) fn landings(&self) -> impl ExactSizeIterator<Item = u32> + 'a {
        self.landings.iter().map(|e| u32_at(e, 0))
    }
    /// Targets are guest addresses as of `head.base`.
    pub(crate) fn links(&self) -> impl ExactSizeIterator<Item = Link> + 'a {
        self.links.iter().map(|e| {
            let (site, stub) = pair(e);
            Link { site, stub, target: u64_at(e, 8) }
        })
    }
    pub(crate) fn relocs(&self) -> impl ExactSizeIterator<Item = Reloc> + 'a {
        self.relocs.iter().map(|e| {
            let v = u32_at(e, 0);
            Reloc { at: v >> 2, kind: RelocKind::ALL[(v & 3) as usize % RelocKind::ALL.len()] }
        })
    }

    /// Copies the code to the start of `to`, whose address counted from the
    /// thunks is `host`, for guest code that lies `delta` bytes further on and
    /// a program whose functions are counted from `anchor`.
    pub(crate) fn place(&self, to: &mut [u8], host: u64, delta: u64, anchor: u64) -> Option<usize> {
        let to = to.get_mut(..self.code.len())?;
        to.copy_from_slice(self.code);
        let moved = host.wrapping_sub(self.head.host) as u32;
        let shift = anchor.wrapping_sub(self.head.anchor);
        for r in self.relocs() {
            let p = &mut to[r.at as usize..r.at as usize + r.kind.bytes()];
            match r.kind {
                RelocKind::Thunk => {
                    let v = u32_at(p, 0).wrapping_sub(moved);
                    p.copy_from_slice(&v.to_le_bytes());
                }
                RelocKind::Guest => {
                    let v = u64_at(p, 0).wrapping_add(delta);
                    p.copy_from_slice(&v.to_le_bytes());
                }
                RelocKind::Host => {
                    let v = u64_at(p, 0).wrapping_add(shift);
                    p.copy_from_slice(&v.to_le_bytes());
                }
            }
        }
        Some(self.code.len())
    }
}
