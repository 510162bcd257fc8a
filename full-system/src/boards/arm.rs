//! `virt` for 64-bit Arm, and how it starts: in firmware in its flash, or with a few instructions at the beginning of
//! memory that jump to the kernel.

use super::fdt::{self, Chosen, Cpu};
use super::load::{self, Blob, Boot, Files, Image, LoadError};
use super::{Board, Setup, What, rows};
use crate::devices::fw_cfg::{Item, key};

/// The generic board, without PCI.
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
        0x0000_0000, 0x400_0000,   What::FirmwareFlash;
        0x0400_0000, 0x400_0000,   What::Flash;
        0x0800_0000, 0x1_0000,     What::GicDistributor { shared: 256 };
        0x0801_0000, 0x1_0000,     What::GicInterfaces;
        0x080a_0000, 0xf6_0000,    What::GicRedistributors;
        0x0900_0000, 0x1000,       What::Pl011, irq 1;
        0x0901_0000, 0x1000,       What::Pl031, irq 2;
        0x0902_0000, 0x18,         What::FwCfg;
        0x0903_0000, 0x1000,       What::Pl061, irq 7;
        0x0a00_0000, 0x200 x 32,   What::Virtio, irq 16;
    },
};

/// ELF `e_machine` of 64-bit Arm.
const MACHINE: u16 = 183;
const MIB: u64 = 1 << 20;

/// Reads the files and lays them out as QEMU's board does.
fn boot(setup: &Setup, files: &Files, cpu: &Cpu, mut chosen: Chosen) -> Result<Boot, LoadError> {
    let (start, ram) = (setup.board.ram, setup.ram);
    if let Some(firmware) = firmware(files)? {
        return with_firmware(setup, files, cpu, &chosen, firmware);
    }
    let path = files.kernel.as_ref();
    let path =
        path.ok_or_else(|| LoadError::Firmware("nothing to start; give -kernel or -bios".into()))?;
    let bytes = load::unpacked("the kernel", path)?;
    let header = Header::find(&bytes);
    // Other images are loaded where kernels without sizes in their headers were.
    let offset = header.map_or(512 << 10, Header::place);
    let address = start.saturating_add(offset);
    let image = load::image("the kernel", path, bytes, MACHINE, address, ram)?;
    let size = header.map_or(0, |h| h.size);
    let kernel_end = image.end().max(image.entry.saturating_add(size));
    if kernel_end > start + ram {
        let size = size.max(image.end().saturating_sub(image.entry));
        return Err(LoadError::Room { what: "the kernel", size, address: image.entry });
    }
    let Image { mut blobs, entry } = image;
    // Far enough from the kernel to let it clear its data.
    let after = load::align((start + (ram / 2).min(128 * MIB)).max(kernel_end), 4096);
    let mut tree_at = load::align(after, 2 * MIB);
    if let Some(path) = &files.initrd {
        let bytes = load::read("the initial file system", path)?;
        let blob = Blob { what: "the initial file system", address: after, bytes: bytes.into() };
        chosen.initrd = Some((after, blob.end()));
        tree_at = load::align(blob.end(), 2 * MIB);
        blobs.push(blob);
    }
    chosen.bootargs.clone_from(&files.append);
    let tree = load::tree(files, || fdt::arm(setup, cpu, &chosen))?;
    blobs.push(Blob { what: "the device tree", address: tree_at, bytes: tree.clone().into() });
    blobs.push(start_code(start, tree_at, entry));
    load::apart(&blobs)?;
    Ok(Boot { blobs, tree, entry: start, items: Vec::new() })
}

/// The firmware that was named, by either of two options.
fn firmware(files: &Files) -> Result<Option<Blob>, LoadError> {
    let bios = files.bios.as_deref().filter(|&n| n != "none").map(|name| files.firmware(name));
    let Some(path) = bios.or_else(|| files.flash[0].as_ref().map(|f| f.path.clone())) else {
        return Ok(None);
    };
    let what = "the firmware";
    let bytes = load::read(what, &path)?;
    let room = VIRT.rows.iter().find(|r| r.what == What::FirmwareFlash).map_or(0, |r| r.size);
    if bytes.len() as u64 > room {
        return Err(LoadError::Room { what, size: bytes.len() as u64, address: 0 });
    }
    Ok(Some(Blob { what, address: 0, bytes: bytes.into() }))
}

/// Firmware at the beginning of its flash, which finds the device tree at that of memory, and everything else by the
/// configuration device.
fn with_firmware(
    setup: &Setup,
    files: &Files,
    cpu: &Cpu,
    chosen: &Chosen,
    firmware: Blob,
) -> Result<Boot, LoadError> {
    let mut items: Vec<Item> = vec![
        (key::RAM_SIZE, setup.ram.to_le_bytes()[..].into()),
        (key::CPUS, (setup.cpus as u16).to_le_bytes()[..].into()),
    ];
    let mut add = |size: u16, data: u16, bytes: Vec<u8>| {
        items.push((size, (bytes.len() as u32).to_le_bytes()[..].into()));
        items.push((data, bytes.into()));
    };
    if let Some(path) = &files.kernel {
        add(key::KERNEL_SIZE, key::KERNEL_DATA, load::read("the kernel", path)?);
    }
    if let Some(path) = &files.initrd {
        let bytes = load::read("the initial file system", path)?;
        add(key::INITRD_SIZE, key::INITRD_DATA, bytes);
    }
    if let Some(text) = &files.append {
        add(key::CMDLINE_SIZE, key::CMDLINE_DATA, [text.as_bytes(), &[0]].concat());
    }
    let tree = load::tree(files, || fdt::arm(setup, cpu, chosen))?;
    let place = setup.board.ram;
    let blob = Blob { what: "the device tree", address: place, bytes: tree.clone().into() };
    Ok(Boot { blobs: vec![firmware, blob], tree, entry: 0, items })
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
