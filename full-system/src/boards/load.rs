//! Images into memory: kernels, firmware, initial file systems.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use vm_memory::{Bytes, GuestAddress};

use crate::bus::Ram;

/// Why an image cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {what} '{path}': {source}")]
    Read {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{what} '{path}': {reason}")]
    Format {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It does not fit.
    #[error("{what} of {size} bytes does not fit into the machine's memory at {address:#x}")]
    Room {
        /// What was to be loaded.
        what: &'static str,
        /// Its size.
        size: u64,
        /// Where it was to go.
        address: u64,
    },
    /// No firmware was named and none is installed.
    #[error("{0}")]
    Firmware(String),
}

/// Files to start from.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// `-bios`: a path, `none`, `default`, or nothing said.
    pub bios: Option<String>,
    /// `-kernel`.
    pub kernel: Option<PathBuf>,
    /// `-initrd`.
    pub initrd: Option<PathBuf>,
    /// `-append`.
    pub append: Option<String>,
    /// `-dtb`.
    pub dtb: Option<PathBuf>,
    /// `-L`: folders to look for firmware in.
    pub data: Vec<PathBuf>,
    /// Images of flash, for firmware and for what can be programmed.
    pub flash: [Option<FlashImage>; 2],
}

/// An image of flash.
#[derive(Clone, Debug)]
pub struct FlashImage {
    /// The file.
    pub path: PathBuf,
    /// Nothing is written to it.
    pub read_only: bool,
}

impl FlashImage {
    /// Opens the file; and whether nothing is written to it.
    pub fn open(&self) -> Result<(File, bool), LoadError> {
        let file = File::options().read(true).write(!self.read_only).open(&self.path);
        let failed = |source| {
            let (what, path) = ("the flash image", self.path.clone());
            LoadError::Read { what, path, source }
        };
        Ok((file.map_err(failed)?, self.read_only))
    }
}

impl Files {
    /// Where firmware of this name is: itself, or a file in one of the folders to look in.
    pub(super) fn firmware(&self, name: &str) -> PathBuf {
        let path = Path::new(name);
        let found = self.data.iter().map(|d| d.join(name)).find(|p| p.is_file());
        found.filter(|_| !path.is_file()).unwrap_or_else(|| path.into())
    }
}

/// What is in memory when a machine starts.
#[derive(Debug)]
pub struct Boot {
    /// Everything that is loaded.
    pub blobs: Vec<Blob>,
    /// The device tree, also among the blobs.
    pub tree: Vec<u8>,
    /// Where processors start.
    pub entry: u64,
    /// Items of the firmware configuration device.
    pub items: Vec<crate::devices::fw_cfg::Item>,
}

/// First word of a device tree as a file (Devicetree Specification 0.4, section 5.2).
const TREE_MAGIC: u32 = 0xd00d_feed;

/// A word as device trees have them.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The device tree: the file that was named, or what `make` writes.
pub(super) fn tree(
    files: &Files,
    make: impl FnOnce() -> Result<Vec<u8>, super::fdt::Error>,
) -> Result<Vec<u8>, LoadError> {
    let what = "the device tree";
    match &files.dtb {
        Some(path) => {
            let tree = read(what, path)?;
            let reason = match (word(&tree, 0), word(&tree, 4)) {
                (Some(TREE_MAGIC), Some(size)) if size as usize <= tree.len() => return Ok(tree),
                (Some(TREE_MAGIC), _) => "its header says that it is longer".into(),
                _ => "it is not a device tree".into(),
            };
            Err(LoadError::Format { what, path: path.clone(), reason })
        }
        None => make().map_err(|e| {
            let (path, reason) = (PathBuf::new(), e.to_string());
            LoadError::Format { what, path, reason }
        }),
    }
}

/// The next multiple of `to`, a power of two, or the last one there is: what lies there does not fit into memory.
pub(super) fn align(address: u64, to: u64) -> u64 {
    address.checked_next_multiple_of(to).unwrap_or(u64::MAX & !(to - 1))
}

/// Refuses parts that share bytes.
pub(super) fn apart(blobs: &[Blob]) -> Result<(), LoadError> {
    for (b, a) in blobs.iter().enumerate().flat_map(|(i, a)| blobs[..i].iter().map(move |b| (a, b)))
    {
        if a.address < b.end() && b.address < a.end() {
            let (size, address) = (b.bytes.len() as u64, b.address);
            return Err(LoadError::Room { what: b.what, size, address });
        }
    }
    Ok(())
}

/// Largest image read; what is larger would not fit into memory anyway.
const MOST: u64 = 8 << 30;

/// Bytes that lie at an address when the machine starts, and again after each reset.
#[derive(Clone, Debug)]
pub struct Blob {
    /// What it is, for messages.
    pub what: &'static str,
    /// Where it lies.
    pub address: u64,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl Blob {
    /// The first byte after it.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.bytes.len() as u64)
    }

    /// Writes the bytes to memory.
    pub fn write(&self, ram: &Ram) -> Result<(), LoadError> {
        ram.write_slice(&self.bytes, GuestAddress(self.address)).map_err(|_| LoadError::Room {
            what: self.what,
            size: self.bytes.len() as u64,
            address: self.address,
        })
    }
}

/// The bytes of a file.
pub fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { what, path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The first bytes of a file, as many as there are; none if it cannot be read.
pub fn first_bytes(path: &Path, count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        // What cannot be read is reported by whoever opens the file in earnest.
        let _ = file.take(count).read_to_end(&mut bytes);
    }
    bytes
}

/// As [`read`], unpacked if it is packed: gzip, or an EFI image that unpacks itself with gzip inside.
pub fn unpacked(what: &'static str, path: &Path) -> Result<Vec<u8>, LoadError> {
    let bytes = read(what, path)?;
    let format = |reason: String| LoadError::Format { what, path: path.to_path_buf(), reason };
    let packed = match zboot(&bytes) {
        Some(Ok(payload)) => payload,
        Some(Err(reason)) => return Err(format(reason)),
        None if bytes.starts_with(&[0x1f, 0x8b]) => &bytes[..],
        None => return Ok(bytes),
    };
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(packed)
        .take(MOST)
        .read_to_end(&mut out)
        .map_err(|e| format(format!("cannot unpack it: {e}")))?;
    Ok(out)
}

/// The packed kernel in an EFI image that unpacks itself (Linux's `drivers/firmware/efi/libstub/zboot-header.S`).
fn zboot(bytes: &[u8]) -> Option<Result<&[u8], String>> {
    if !bytes.starts_with(b"MZ") || bytes.get(4..8) != Some(b"zimg") {
        return None;
    }
    let word = |at: usize| {
        bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
    };
    if !bytes.get(24..).is_some_and(|b| b.starts_with(b"gzip\0")) {
        return Some(Err("it is packed, but not with gzip".into()));
    }
    let payload = word(8).zip(word(12)).and_then(|(at, len)| bytes.get(at..at.checked_add(len)?));
    Some(payload.ok_or_else(|| "its header points past its end".into()))
}

/// An image ready to be put in memory.
#[derive(Debug)]
pub struct Image {
    /// Its parts.
    pub blobs: Vec<Blob>,
    /// Where it begins to run.
    pub entry: u64,
}

impl Image {
    /// The first byte after all of it.
    pub fn end(&self) -> u64 {
        self.blobs.iter().map(Blob::end).max().unwrap_or(self.entry)
    }
}

/// An ELF file at the physical addresses it names, or any other file at `address`; segments have at most `room` bytes.
pub fn image(
    what: &'static str,
    path: &Path,
    bytes: Vec<u8>,
    machine: u16,
    address: u64,
    room: u64,
) -> Result<Image, LoadError> {
    if !bytes.starts_with(b"\x7fELF") {
        let blob = Blob { what, address, bytes: bytes.into() };
        return Ok(Image { blobs: vec![blob], entry: address });
    }
    let format = |reason: String| LoadError::Format { what, path: path.to_path_buf(), reason };
    let elf = Elf::parse(&bytes).map_err(|e| format(format!("damaged ELF file: {e}")))?;
    if elf.header.e_machine != machine {
        let found = goblin::elf::header::machine_to_str(elf.header.e_machine);
        return Err(format(format!("it is for another processor ({found})")));
    }
    let (mut blobs, mut size) = (Vec::new(), 0u64);
    for p in elf.program_headers.iter().filter(|p| p.p_type == PT_LOAD && p.p_memsz > 0) {
        let part = usize::try_from(p.p_offset).ok().zip(usize::try_from(p.p_filesz).ok());
        let part = part.and_then(|(at, len)| bytes.get(at..at.checked_add(len)?));
        let part = part.ok_or_else(|| format("a segment passes the end of the file".into()))?;
        if p.p_memsz < p.p_filesz {
            return Err(format("a segment has an impossible size".into()));
        }
        // Of all together, else a table of many segments that lie upon each other would take the host's memory.
        size = size.saturating_add(p.p_memsz);
        if size > room {
            return Err(LoadError::Room { what, size, address: p.p_paddr });
        }
        let mut part = part.to_vec();
        part.resize(p.p_memsz as usize, 0);
        blobs.push(Blob { what, address: p.p_paddr, bytes: part.into() });
    }
    if blobs.is_empty() {
        return Err(format("an ELF file with nothing to load".into()));
    }
    // An entry is a virtual address: the segment that holds it says where that is in memory.
    let entry = elf.program_headers.iter().find_map(|p| {
        let inside = elf.entry.checked_sub(p.p_vaddr).filter(|&o| o < p.p_memsz)?;
        (p.p_type == PT_LOAD).then(|| p.p_paddr.wrapping_add(inside))
    });
    Ok(Image { blobs, entry: entry.unwrap_or(elf.entry) })
}
