//! Maps the segments of an image.

use std::fs::File;
use std::os::fd::AsRawFd;

use remu_syscalls::{Errno, GuestMemory, MmapArgs};

use super::{Image, LoadError, Segment, random_bytes};
use crate::mm::{AddressSpace, PAGE, page_down, page_up};

/// Lowest address of a relocatable program; a random offset of up to [`PIE_SPAN`] is added. Far
/// from where the host kernel puts mappings, so that the heap behind the program has room.
const PIE_BASE: u64 = 0x2aaa_aaaa_a000;
/// Bytes over which relocatable programs are spread: 1 TiB, as the kernel's 28 bits of pages.
const PIE_SPAN: u64 = 1 << 40;
/// The heap starts up to this far behind the program (the kernel's `arch_randomize_brk`).
const BRK_SPAN: u64 = 32 << 20;

/// What kind of image is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The program: at a fixed place or in its own region, a heap behind it.
    Program,
    /// The interpreter: wherever the host kernel has room.
    Interpreter,
}

/// Where an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Added to every address in the file.
    pub bias: u64,
    /// Address of the first segment's page.
    pub load: u64,
    /// Entry point.
    pub entry: u64,
    /// Address of the program headers, 0 when they are not in memory.
    pub phdr: u64,
    /// Number of program headers.
    pub phnum: u64,
    /// Where a heap can start.
    pub brk: u64,
}

/// Maps every segment of `image`.
pub fn place(
    mm: &AddressSpace,
    file: &File,
    image: &Image,
    role: Role,
) -> Result<Placed, LoadError> {
    let (low, high) = image.span()?;
    let size = high - low;
    let load = reserve(mm, image, role, low, size)?;
    let bias = load.wrapping_sub(low);
    for s in &image.segments {
        map_segment(mm, file, s, bias)?;
    }
    let brk = high.wrapping_add(bias).wrapping_add(random_below(BRK_SPAN));
    Ok(Placed {
        bias,
        load,
        entry: image.entry.wrapping_add(bias),
        phdr: if image.phdr == 0 { 0 } else { image.phdr.wrapping_add(bias) },
        phnum: image.phnum,
        brk,
    })
}

/// Takes the address range, so that nothing comes between the segments; holes in it stay
/// inaccessible for a relocatable image, as the kernel leaves them unmapped behind `ld.so`'s back.
fn reserve(
    mm: &AddressSpace,
    image: &Image,
    role: Role,
    low: u64,
    size: u64,
) -> Result<u64, LoadError> {
    let no_room = |addr, errno| LoadError::NoRoom { addr, len: size, errno };
    if !image.relocatable {
        let at =
            anonymous(mm, low, size, 0, libc::MAP_FIXED_NOREPLACE).map_err(|e| no_room(low, e))?;
        if at != low {
            return Err(no_room(low, Errno::EEXIST));
        }
        return Ok(low);
    }
    // The range is taken larger by the alignment, then trimmed.
    let slack = image.align - PAGE;
    let want = match role {
        Role::Program => PIE_BASE + random_below(PIE_SPAN),
        Role::Interpreter => 0,
    };
    let total = size.checked_add(slack).ok_or(LoadError::Malformed("segment size"))?;
    let at = anonymous(mm, want, total, 0, 0).map_err(|e| no_room(0, e))?;
    // The first address keeps its position modulo the alignment.
    let load = at + (low.wrapping_sub(at) & (image.align - 1));
    for (s, e) in [(at, load), (load + size, at + total)] {
        if e > s {
            // Fresh and not executable: nothing can be stale.
            let _ = mm.munmap(s, e - s).map_err(|e| no_room(0, e))?;
        }
    }
    Ok(load)
}

fn anonymous(mm: &AddressSpace, addr: u64, len: u64, prot: u64, flags: i32) -> Result<u64, Errno> {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags) as u64;
    mm.mmap(MmapArgs { addr, len, prot, flags, fd: -1, offset: 0 }).map(|(at, _)| at)
}

/// Maps one segment: its file pages, zeroes to the end of the last one, then zero pages.
fn map_segment(mm: &AddressSpace, file: &File, s: &Segment, bias: u64) -> Result<(), LoadError> {
    let start = s.vaddr.wrapping_add(bias);
    let no_room = |errno| LoadError::NoRoom { addr: start, len: s.mem_size, errno };
    let file_end = start + s.file_size;
    let mem_end = page_up(start + s.mem_size).ok_or(LoadError::Malformed("segment size"))?;
    let mut zero_from = page_down(start);
    if s.file_size != 0 {
        let begin = page_down(start);
        zero_from = page_up(file_end).ok_or(LoadError::Malformed("segment size"))?;
        let args = MmapArgs {
            addr: begin,
            len: zero_from - begin,
            prot: s.prot,
            flags: (libc::MAP_PRIVATE | libc::MAP_FIXED) as u64,
            fd: file.as_raw_fd(),
            offset: page_down(s.offset),
        };
        let _ = mm.mmap(args).map_err(no_room)?;
        if s.mem_size > s.file_size && s.prot & libc::PROT_WRITE as u64 != 0 {
            let zeros = vec![0; (zero_from - file_end) as usize];
            // A page past the end of a truncated file cannot be written: the file is too short.
            GuestMemory::default()
                .write_bytes(file_end, &zeros)
                .map_err(|_| LoadError::Truncated)?;
        }
    }
    if mem_end > zero_from {
        anonymous(mm, zero_from, mem_end - zero_from, s.prot, libc::MAP_FIXED).map_err(no_room)?;
    }
    Ok(())
}

/// A random page-aligned number below `span`.
fn random_below(span: u64) -> u64 {
    page_down(u64::from_le_bytes(random_bytes()) % span)
}
