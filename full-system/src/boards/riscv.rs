//! `virt` for 64-bit RISC-V, and how it starts: a few instructions in ROM that jump to OpenSBI or to the kernel.

use std::path::PathBuf;

use super::fdt::{self, Chosen, Cpu};
use super::load::{self, Blob, Boot, Files, LoadError};
use super::{Board, Setup, What, rows};

/// The generic board, without PCI.
pub(super) static VIRT: Board = Board {
    name: "virt",
    about: "RISC-V VirtIO board",
    guest: "riscv64",
    cpus: 512,
    ram: 0x8000_0000,
    ram_default: 128 << 20,
    boot,
    firmware: false,
    #[rustfmt::skip]
    rows: rows! {
        0x0000_1000, 0xf000,       What::ResetRom;
        0x0010_0000, 0x1000,       What::Syscon;
        0x0010_1000, 0x1000,       What::GoldfishRtc, irq 11;
        0x0200_0000, 0x1_0000,     What::Clint;
        0x0c00_0000, 0x60_0000,    What::Plic { sources: 95 };
        0x1000_0000, 0x100,        What::Ns16550 { clock: 3_686_400 }, irq 10;
        0x1000_1000, 0x1000 x 8,   What::Virtio, irq 1;
    },
};

/// Where distributions keep OpenSBI's firmware that jumps to what a structure in memory names.
const OPENSBI: &[&str] = &[
    "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin",
    "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",
    "/usr/share/opensbi/lp64/generic/firmware/fw_dynamic.bin",
];

/// Where harts start: the reset code.
const RESET: u64 = 0x1000;
/// ELF `e_machine` of RISC-V.
const MACHINE: u16 = 243;
const MIB: u64 = 1 << 20;

/// Reads the files and lays them out as QEMU's board does.
fn boot(setup: &Setup, files: &Files, cpu: &Cpu, mut chosen: Chosen) -> Result<Boot, LoadError> {
    let (board, ram) = (setup.board, setup.ram);
    let end = board.ram + ram;
    let mut blobs = Vec::new();
    let firmware = firmware(files)?;
    let mut start = board.ram;
    let mut firmware_end = board.ram;
    if let Some(path) = &firmware {
        let bytes = load::read("the firmware", path)?;
        let image = load::image("the firmware", path, bytes, MACHINE, board.ram, ram)?;
        start = image.entry;
        firmware_end = image.end();
        blobs.extend(image.blobs);
    }
    let mut kernel_entry = 0;
    let mut kernel_end = firmware_end;
    if let Some(path) = &files.kernel {
        let bytes = load::unpacked("the kernel", path)?;
        let address = load::align(firmware_end, 2 * MIB);
        let image = load::image("the kernel", path, bytes, MACHINE, address, ram)?;
        kernel_entry = image.entry;
        kernel_end = image.end().max(kernel_end);
        blobs.extend(image.blobs);
        if firmware.is_none() {
            start = kernel_entry;
        }
    }
    if let Some(path) = &files.initrd {
        let bytes = load::read("the initial file system", path)?;
        // Far enough from the kernel to let it unpack itself and clear its data.
        let gap = (ram / 2).min(128 * MIB);
        let address = kernel_entry.max(board.ram).saturating_add(gap).max(kernel_end);
        let address = load::align(address, 4096);
        let blob = Blob { what: "the initial file system", address, bytes: bytes.into() };
        chosen.initrd = Some((address, blob.end()));
        blobs.push(blob);
    }
    chosen.bootargs.clone_from(&files.append);
    let tree = load::tree(files, || fdt::riscv(setup, cpu, &chosen))?;
    // As high as firmware that sees 32 bits reaches, at a boundary of large pages.
    let below = end.min(3072 * MIB);
    let fdt_at = below.saturating_sub(tree.len() as u64) & !(2 * MIB - 1);
    blobs.push(Blob { what: "the device tree", address: fdt_at, bytes: tree.clone().into() });
    load::apart(&blobs)?;
    blobs.push(reset_code(start, fdt_at, kernel_entry));
    Ok(Boot { blobs, tree, entry: RESET, items: Vec::new() })
}

/// The firmware to load: what was named, or OpenSBI where a distribution keeps it.
fn firmware(files: &Files) -> Result<Option<PathBuf>, LoadError> {
    match files.bios.as_deref() {
        Some("none") => Ok(None),
        Some(name) if name != "default" => Ok(Some(files.firmware(name))),
        _ => {
            let near = files.data.iter().flat_map(|d| {
                let names = ["opensbi-riscv64-generic-fw_dynamic.bin", "fw_dynamic.bin"];
                names.map(|n| d.join(n))
            });
            let mut all = near.chain(OPENSBI.iter().map(PathBuf::from));
            let found = all.find(|p| p.is_file());
            found.map(Some).ok_or_else(|| {
                LoadError::Firmware(format!(
                    "no OpenSBI firmware found at {}; install the package 'opensbi', name a file with -bios, or \
                     give -bios none",
                    OPENSBI[0]
                ))
            })
        }
    }
}

/// The code that every hart runs after reset: `a0` is its number, `a1` the device tree, `a2` what OpenSBI's
/// `struct fw_dynamic_info` says comes next. Then the structure itself.
fn reset_code(start: u64, fdt: u64, next: u64) -> Blob {
    let code: [u32; 6] = [
        0x0000_0297, // auipc t0, 0
        0x0282_8613, // addi  a2, t0, 40
        0xf140_2573, // csrr  a0, mhartid
        0x0202_b583, // ld    a1, 32(t0)
        0x0182_b283, // ld    t0, 24(t0)
        0x0002_8067, // jr    t0
    ];
    /// `FW_DYNAMIC_INFO_MAGIC_VALUE`.
    const MAGIC: u64 = 0x4942_534f;
    /// Supervisor mode.
    const NEXT_MODE: u64 = 1;
    // Version 2 has, after the options, the hart that boots: any, as its number is all ones.
    let info = [MAGIC, 2, next, NEXT_MODE, 0, u64::MAX];
    let mut bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
    [start, fdt].iter().chain(&info).for_each(|w| bytes.extend(w.to_le_bytes()));
    Blob { what: "the reset code", address: RESET, bytes: bytes.into() }
}
