//! Boards against their own rows, and booting's layout.

mod images;

use std::sync::Arc;

use super::load::Files;
use super::riscv::VIRT;
use super::*;
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Kind};
use crate::irq::CpuLines;
use crate::power::Power;

struct NoPower;

impl Power for NoPower {
    fn off(&self, _: i32) {}
    fn reset(&self) {}
}

fn wiring(events: &EventLoop) -> Wiring {
    Wiring {
        cpus: vec![Arc::new(CpuLines::new())],
        numbers: vec![0],
        clock: events.handle().clock().clone(),
        events: events.handle().clone(),
        power: Arc::new(NoPower),
        serial: vec![Some(crate::chardev::Port::null())],
        flash: None,
        items: Vec::new(),
        virtio: Vec::new(),
    }
}

/// Every board, in every form.
fn setups() -> Vec<Setup> {
    let forms: [&[(String, String)]; 2] = [&[], &[("gic-version".into(), "3".into())]];
    let of = |b: &&'static Board| forms.map(|p| Setup::new(b, 1, 64 << 20, p).ok());
    BOARDS.iter().flat_map(of).flatten().collect()
}

fn virt(cpus: u32, ram: u64) -> Setup {
    Setup::new(&VIRT, cpus, ram, &[]).expect("a board")
}

fn events() -> EventLoop {
    EventLoop::new(Arc::new(Clock::new()), Kind::Epoll).expect("a loop")
}

#[test]
fn every_board_has_its_rows_on_the_bus() {
    assert_eq!(setups().len(), 3);
    for setup in &setups() {
        let board = setup.board;
        let parts = assemble(setup, wiring(&events())).expect("assembled");
        for row in setup.rows() {
            let name = format!("{:016x}-", row.base);
            assert!(parts.bus.tree().contains(&name), "{} at {:#x}", board.name, row.base);
        }
        let irqs = board.rows.iter().flat_map(|r| (0..r.count).map(|n| r.irq + n));
        let mut irqs: Vec<_> = irqs.filter(|&i| i != 0).collect();
        // Rows without an interrupt count from 0 and have one place each.
        let all = irqs.len();
        irqs.sort_unstable();
        irqs.dedup();
        assert_eq!(irqs.len(), all, "{}: an interrupt number twice", board.name);
    }
}

#[test]
fn virtio_devices_take_places_from_the_last() {
    let rng = || crate::devices::virtio::rng::Rng::new().expect("random");
    let events = events();
    let mut w = wiring(&events);
    w.virtio = vec![(rng(), None), (rng(), Some(2)), (rng(), None)];
    let parts = assemble(&virt(1, 64 << 20), w).expect("assembled");
    let id = |n: u64| parts.bus.read(0x1000_1008 + n * 0x1000, 4).expect("a place");
    assert_eq!((0..8).map(id).collect::<Vec<_>>(), [0, 0, 4, 0, 0, 0, 4, 4]);
    let mut w = wiring(&events);
    w.virtio = vec![(rng(), Some(8))];
    let said = assemble(&virt(1, 64 << 20), w).expect_err("no such place").to_string();
    assert_eq!(said, "virtio-mmio-bus.8 does not exist or is taken");
    let mut w = wiring(&events);
    w.virtio = (0..9).map(|_| (rng() as Arc<dyn crate::devices::virtio::Kind>, None)).collect();
    let said = assemble(&virt(1, 64 << 20), w).expect_err("full").to_string();
    assert_eq!(said, "board 'virt' has no place for 9 virtio devices");
}

#[test]
fn properties_are_the_boards_own() {
    let arm = by_name("aarch64", "virt").expect("a board");
    let set = |key: &str, value: &str| vec![(key.to_string(), value.to_string())];
    let gic = |cpus, p: &[(String, String)]| Setup::new(arm, cpus, 64 << 20, p).map(|s| s.gic);
    assert_eq!((gic(8, &[]), gic(9, &[])), (Ok(2), Ok(3)));
    assert_eq!(gic(1, &set("gic-version", "max")), Ok(3));
    let said = gic(9, &set("gic-version", "2")).expect_err("too many");
    assert_eq!(said, "gic-version=2 has at most 8 processors");
    let said = gic(124, &[]).expect_err("too many");
    assert_eq!(said, "board 'virt' has at most 123 processors");
    let said = gic(1, &set("secure", "on")).expect_err("not there");
    assert_eq!(said, "'secure=on' is not supported");
    let said = Setup::new(&VIRT, 1, 64 << 20, &set("gic-version", "3")).expect_err("not there");
    assert_eq!(said, "board 'virt' has no property 'gic-version'");
}

#[test]
fn arm_kernels_lie_where_their_headers_say() {
    let arm = by_name("aarch64", "virt").expect("a board");
    let setup = Setup::new(arm, 2, 512 << 20, &[]).expect("a board");
    let cpu =
        fdt::Cpu { compatible: "arm,armv8".into(), numbers: vec![0, 1], ..Default::default() };
    let boot = |files: &Files| (arm.boot)(&setup, files, &cpu, fdt::Chosen::default());
    let mut image = vec![0; 100];
    image[8..16].copy_from_slice(&0x8_0000u64.to_le_bytes());
    image[16..24].copy_from_slice(&0x1000_0000u64.to_le_bytes());
    image[0x38..0x3c].copy_from_slice(b"ARM\x64");
    let with = |image: &[u8]| Files {
        kernel: Some(file("image", image)),
        initrd: Some(file("initrd", &[3; 100])),
        ..Files::default()
    };
    let at = |b: &Boot| b.blobs.iter().map(|b| b.address).collect::<Vec<_>>();
    let found = boot(&with(&image)).expect("loaded");
    // The initial file system comes after all that the kernel takes.
    assert_eq!(at(&found), [0x4008_0000, 0x5008_0000, 0x5020_0000, 0x4000_0000]);
    assert_eq!(found.entry, 0x4000_0000);
    let code = &found.blobs[3].bytes;
    let word = |at: usize| u64::from_le_bytes(code[at..at + 8].try_into().expect("8 bytes"));
    assert_eq!((word(24), word(32)), (0x5020_0000, 0x4008_0000));
    // Today's kernels want no offset; the start code has the first bytes.
    image[8..16].fill(0);
    assert_eq!(at(&boot(&with(&image)).expect("loaded"))[0], 0x4020_0000);
    image[16..24].fill(0);
    let found = boot(&with(&image)).expect("loaded");
    assert_eq!(at(&found), [0x4008_0000, 0x4800_0000, 0x4820_0000, 0x4000_0000]);
    let said = boot(&Files::default()).expect_err("nothing").to_string();
    assert_eq!(said, "nothing to start; give -kernel or -bios");
    let firmware = Files {
        bios: Some(file("efi", &[4; 100]).display().to_string()),
        append: Some("quiet".into()),
        ..with(&image)
    };
    let found = boot(&firmware).expect("loaded");
    assert_eq!((at(&found), found.entry), (vec![0, 0x4000_0000], 0));
    use crate::devices::fw_cfg::key;
    let item = |key| found.items.iter().find(|i| i.0 == key).expect("an item").1.to_vec();
    assert_eq!(
        (item(key::KERNEL_SIZE), item(key::CMDLINE_DATA)),
        (vec![100, 0, 0, 0], b"quiet\0".to_vec())
    );
    assert_eq!((item(key::INITRD_DATA), item(key::CPUS)), (vec![3; 100], vec![2, 0]));
}

fn file(name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("remu-boards-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).expect("a file");
    path
}

#[test]
fn images_lie_where_firmware_expects_them() {
    let files = Files {
        bios: Some(file("bios", &[1; 5000]).display().to_string()),
        kernel: Some(file("kernel", &[2; 100])),
        initrd: Some(file("initrd", &[3; 100])),
        append: Some("console=ttyS0".into()),
        ..Files::default()
    };
    let extensions = vec!["i".into(), "m".into()];
    let cpu = fdt::Cpu { extensions, mmu: "sv48".into(), ..fdt::Cpu::default() };
    let boot_riscv = |files: &Files, cpus, ram| {
        (VIRT.boot)(&virt(cpus, ram), files, &cpu, fdt::Chosen::default())
    };
    let boot = boot_riscv(&files, 2, 256 << 20).expect("loaded");
    let at: Vec<_> = boot.blobs.iter().map(|b| (b.what, b.address)).collect();
    assert_eq!(
        at[..3],
        [
            ("the firmware", 0x8000_0000),
            ("the kernel", 0x8020_0000),
            ("the initial file system", 0x8820_0000),
        ]
    );
    assert_eq!(at[3], ("the device tree", 0x8fe0_0000));
    let rom = &boot.blobs[4].bytes;
    let word = |at: usize| u64::from_le_bytes(rom[at..at + 8].try_into().expect("8 bytes"));
    assert_eq!((word(24), word(32), word(40)), (0x8000_0000, 0x8fe0_0000, 0x4942_534f));
    assert_eq!(word(56), 0x8020_0000);
    let too_small = boot_riscv(&files, 2, 3 << 20);
    assert!(too_small.is_err() || too_small.is_ok_and(|b| b.blobs[1].end() > VIRT.ram + (3 << 20)));
    let missing = Files { bios: Some("/no/such".into()), ..Files::default() };
    let said = boot_riscv(&missing, 1, 64 << 20);
    let said = said.expect_err("missing").to_string();
    assert!(said.starts_with("cannot read the firmware '/no/such': No such file"), "{said}");
}

#[test]
fn packed_kernels_are_unpacked_and_damaged_ones_named() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"kernel").expect("packed");
    let gzip = gzip.finish().expect("packed");
    let read = |bytes: &[u8]| load::unpacked("the kernel", &file("packed", bytes));
    assert_eq!(read(&gzip).expect("unpacked"), b"kernel");
    let said = read(&gzip[..gzip.len() - 9]).expect_err("cut").to_string();
    assert!(said.contains("cannot unpack it"), "{said}");
    let mut zboot = b"MZ\0\0zimg".to_vec();
    zboot.extend(64u32.to_le_bytes());
    zboot.extend((gzip.len() as u32).to_le_bytes());
    zboot.resize(24, 0);
    zboot.extend(b"gzip\0");
    zboot.resize(64, 0);
    zboot.extend(&gzip);
    assert_eq!(read(&zboot).expect("unpacked"), b"kernel");
    zboot[8] = 0xff;
    assert!(read(&zboot).is_err());
}

#[test]
fn broken_elf_files_are_errors() {
    let path = std::path::Path::new("x");
    let mut elf = vec![0u8; 200];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut seed = 1u64;
    for _ in 0..20_000 {
        for byte in &mut elf[7..] {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if seed >> 60 == 0 {
                *byte = (seed >> 40) as u8;
            }
        }
        elf[18..20].copy_from_slice(&243u16.to_le_bytes());
        // Whatever it holds: an error or an image, never a panic.
        let _ = load::image("the kernel", path, elf.clone(), 243, 0, 1 << 20);
    }
}

#[test]
fn random_accesses_to_every_register_are_survived() {
    let events = events();
    // Alarms that ring between saving and restoring would be a difference.
    events.handle().clock().pause();
    for setup in &setups() {
        let rows: Vec<_> = setup.rows().collect();
        let mut seed = 0x1234_5678_9abc_def0u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..40 {
            let mut w = wiring(&events);
            w.virtio = vec![(crate::devices::virtio::rng::Rng::new().expect("random"), None)];
            let parts = assemble(setup, w).expect("assembled");
            for _ in 0..5000 {
                let row = rows[random() as usize % rows.len()];
                // Low offsets are where registers are; the rest is looked at as well.
                let reach = if random() % 4 == 0 { row.size } else { row.size.min(0x200) };
                let at = row.base + random() % (reach + 4);
                let size = 1 << (random() % 4);
                let value = if random() % 2 == 0 { random() } else { random() % 16 };
                if random() % 2 == 0 {
                    let _ = parts.bus.write(at, size, value);
                } else {
                    let _ = parts.bus.read(at, size);
                }
            }
            // A saved state comes back, whatever the registers hold; a damaged one is an error, not a panic.
            for (name, device) in &parts.devices {
                let mut bytes = Vec::new();
                device.save(&mut bytes);
                let whole = device.restore(&mut crate::snapshot::Reader::new(&bytes));
                assert_eq!(whole, Ok(()), "{name}");
                let mut again = Vec::new();
                device.save(&mut again);
                assert_eq!(bytes, again, "{name}");
                if let Some(byte) = bytes.get_mut(4) {
                    *byte ^= 0xff;
                }
                let cut = bytes.len() - (random() as usize % (bytes.len() + 1));
                let _ = device.restore(&mut crate::snapshot::Reader::new(&bytes[..cut]));
                device.reset();
            }
        }
    }
}
