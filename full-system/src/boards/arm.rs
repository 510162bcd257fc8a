//! `virt` for 64-bit Arm, and how it starts: a few instructions at the beginning of memory that jump to the kernel.

use super::fdt::{self, Chosen, Cpu};
use super::load::{self, Blob, Boot, Files, Image, LoadError};
use super::{Board, Setup, What, rows};

/// The generic board, without PCI and flash.
pub(super) static VIRT: Board = Board {
    name: "virt",
    about: "Arm VirtIO board",
    guest: "aarch64",
    cpus: 123,
    ram: 0x4000_0000,
    ram_default: 128 << 20,
    boot,
    firmware: true,
    #[rustfmt::skip]
    rows: rows! {
        0x0800_0000, 0x1_0000,     What::GicDistributor { shared: 256 };
        0x0801_0000, 0x1_0000,     What::GicInterfaces;
        0x080a_0000, 0xf6_0000,    What::GicRedistributors;
        0x0900_0000, 0x1000,       What::Pl011, irq 1;
        0x0901_0000, 0x1000,       What::Pl031, irq 2;
        0x0a00_0000, 0x200 x 32,   What::Virtio, irq 16;
    },
};

/// ELF `e_machine` of 64-bit Arm.
const MACHINE: u16 = 183;
const MIB: u64 = 1 << 20;

/// Reads the files and lays them out as QEMU's board does.
fn boot(setup: &Setup, files: &Files, cpu: &Cpu, mut chosen: Chosen) -> Result<Boot, LoadError> {
    let (start, ram) = (setup.board.ram, setup.ram);
    if let Some(name) = files.bios.as_deref().filter(|&n| n != "none") {
        let name = files.firmware(name);
        let why = format!("'{}': the board has no flash for firmware", name.display());
        return Err(LoadError::Firmware(why));
    }
    let path = files.kernel.as_ref();
    let path = path.ok_or_else(|| LoadError::Firmware("nothing to start; give -kernel".into()))?;
    let bytes = load::unpacked("the kernel", path)?;
    let header = Header::find(&bytes);
    // Other images are loaded where kernels without sizes in their headers were.
    let offset = header.map_or(512 << 10, Header::place);
    let image = load::image("the kernel", path, bytes, MACHINE, start + offset, ram)?;
    let size = header.map_or(0, |h| h.size);
    let kernel_end = image.end().max(image.entry.saturating_add(size));
    let Image { mut blobs, entry } = image;
    // Far enough from the kernel to let it clear its data.
    let after = (start + (ram / 2).min(128 * MIB)).max(kernel_end).next_multiple_of(4096);
    let mut tree_at = after.next_multiple_of(2 * MIB);
    if let Some(path) = &files.initrd {
        let bytes = load::read("the initial file system", path)?;
        let blob = Blob { what: "the initial file system", address: after, bytes: bytes.into() };
        chosen.initrd = Some((after, blob.end()));
        tree_at = blob.end().next_multiple_of(2 * MIB);
        blobs.push(blob);
    }
    chosen.bootargs.clone_from(&files.append);
    let tree = load::tree(files, || fdt::arm(setup, cpu, &chosen))?;
    blobs.push(Blob { what: "the device tree", address: tree_at, bytes: tree.clone().into() });
    blobs.push(start_code(start, tree_at, entry));
    load::apart(&blobs)?;
    Ok(Boot { blobs, tree, entry: start })
}

/// The header of an `Image` (Linux's `Documentation/arch/arm64/booting.rst`).
#[derive(Clone, Copy)]
struct Header {
    /// Where it wants to be from a boundary of 2 MiB on.
    offset: u64,
    /// Bytes it takes, its cleared data included; 0 in old ones.
    size: u64,
}

impl Header {
    fn find(bytes: &[u8]) -> Option<Header> {
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let here = bytes.get(0x38..0x3c)? == b"ARM\x64";
        let header = Header { offset: word(8)?, size: word(16)? };
        here.then_some(header)
    }

    /// Bytes from the beginning of memory on, which the code that starts it leaves free.
    fn place(self) -> u64 {
        match (self.size, self.offset) {
            // Before sizes were there, the offset was not to be relied on.
            (0, _) => 512 << 10,
            (_, offset @ 0..0x1000) => offset + 2 * MIB,
            (_, offset) => offset,
        }
    }
}

/// The code that the first processor runs after reset: `x0` is the device tree, `x1` to `x3` are 0.
fn start_code(address: u64, tree: u64, entry: u64) -> Blob {
    let code: [u32; 6] = [
        0x5800_00c0, // ldr x0, 24 bytes on
        0xaa1f_03e1, // mov x1, xzr
        0xaa1f_03e2, // mov x2, xzr
        0xaa1f_03e3, // mov x3, xzr
        0x5800_0084, // ldr x4, 16 bytes on
        0xd61f_0080, // br  x4
    ];
    let mut bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
    [tree, entry].iter().for_each(|w| bytes.extend(w.to_le_bytes()));
    Blob { what: "the start code", address, bytes: bytes.into() }
}
