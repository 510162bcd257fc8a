//! Damaged images: whatever a file holds, it is loaded, or refused in one line.

use std::io::Write;

use super::super::load::Files;
use super::*;

/// A random number generator (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// A number that somebody's arithmetic may stumble over.
    fn extreme(&mut self) -> u64 {
        match self.next() % 6 {
            0 => u64::MAX - self.next() % 0x2000,
            1 => (1 << 63) - 0x1000 + self.next() % 0x2000,
            2 => 1 << (self.next() % 64),
            3 => self.next() % 0x1000,
            4 => 0x4000_0000 + self.next() % (96 << 20),
            _ => self.next(),
        }
    }
    /// Changes some bytes or words, and sometimes cuts.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.next() % 4 {
            let at = self.next() as usize % bytes.len().min(0x200);
            if self.next().is_multiple_of(2) {
                bytes[at] = self.next() as u8;
                continue;
            }
            let word = self.extreme().to_le_bytes();
            let at = at & !7;
            let end = (at + 8).min(bytes.len());
            bytes[at..end].copy_from_slice(&word[..end - at]);
        }
        if self.next().is_multiple_of(8) {
            bytes.truncate(1 + self.next() as usize % bytes.len());
        }
    }
}

/// An ELF file of a few segments in memory from `base` on.
fn elf(machine: u16, base: u64) -> Vec<u8> {
    const SEGMENTS: u16 = 3;
    let mut f = b"\x7fELF\x02\x01\x01".to_vec();
    f.resize(16, 0);
    f.extend([2, 0]);
    f.extend(machine.to_le_bytes());
    f.extend(1u32.to_le_bytes());
    // Entry, program headers, section headers.
    f.extend([base + 0x100, 64, 0].iter().flat_map(|w| w.to_le_bytes()));
    f.extend(0u32.to_le_bytes());
    f.extend([64, 56, SEGMENTS, 0, 0, 0].iter().flat_map(|w: &u16| w.to_le_bytes()));
    for n in 0..u64::from(SEGMENTS) {
        let at = base + n * 0x10_0000;
        f.extend([1, 7].iter().flat_map(|w: &u32| w.to_le_bytes()));
        f.extend([0x200, at, at, 0x40, 0x2000, 8].iter().flat_map(|w| w.to_le_bytes()));
    }
    f.resize(0x300, 0x5a);
    f
}

/// An arm64 `Image`.
fn arm_image() -> Vec<u8> {
    let mut image = vec![0x1f; 0x300];
    image[8..16].fill(0);
    image[16..24].copy_from_slice(&0x10_0000u64.to_le_bytes());
    image[0x38..0x3c].copy_from_slice(b"ARM\x64");
    image
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("packed");
    gzip.finish().expect("packed")
}

/// An EFI image that unpacks itself.
fn zboot(bytes: &[u8]) -> Vec<u8> {
    let payload = gzip(bytes);
    let mut image = b"MZ\0\0zimg".to_vec();
    image.extend(64u32.to_le_bytes());
    image.extend((payload.len() as u32).to_le_bytes());
    image.resize(24, 0);
    image.extend(b"gzip\0");
    image.resize(64, 0);
    image.extend(payload);
    image
}

/// Lays a machine's files out and puts them into its memory; what is said if that fails.
fn load(setup: &Setup, files: &Files) -> Result<(), String> {
    let cpu = fdt::Cpu {
        compatible: "arm,armv8".into(),
        extensions: vec!["i".into()],
        mmu: "sv48".into(),
        numbers: vec![0],
    };
    let boot = (setup.board.boot)(setup, files, &cpu, fdt::Chosen::default());
    let boot = boot.map_err(|e| e.to_string())?;
    let parts = assemble(setup, wiring(&events())).map_err(|e| e.to_string())?;
    let inside = |b: &&load::Blob| b.address >= setup.board.ram;
    for blob in boot.blobs.iter().filter(inside) {
        blob.write(parts.bus.ram()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[test]
fn damaged_images_are_loaded_or_refused_in_one_line() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let arm = Setup::new(by_name("aarch64", "virt").expect("a board"), 1, 64 << 20, &[]);
    let boards = [(virt(1, 64 << 20), 243), (arm.expect("a board"), 183)];
    let (mut loaded, mut refused) = (0, 0);
    for round in 0..1500 {
        let (setup, machine) = &boards[round % 2];
        let plain = match random.next() % 3 {
            0 => arm_image(),
            1 => elf(*machine, setup.board.ram + 0x20_0000),
            _ => (0..0x300).map(|_| random.next() as u8).collect(),
        };
        // Damage within what is packed, and to the packing.
        let mut kernel = plain;
        random.damage(&mut kernel);
        match random.next() % 4 {
            0 => kernel = gzip(&kernel),
            1 => kernel = zboot(&kernel),
            _ => {}
        }
        if random.next().is_multiple_of(3) {
            random.damage(&mut kernel);
        }
        let mut tree = b"\xd0\x0d\xfe\xed\0\0\0\x30".to_vec();
        tree.resize(0x30, 0);
        random.damage(&mut tree);
        let with_tree = random.next().is_multiple_of(4);
        let files = Files {
            bios: Some("none".into()),
            kernel: Some(file("damaged", &kernel)),
            initrd: random.next().is_multiple_of(2).then(|| file("whole", &[3; 5000])),
            dtb: with_tree.then(|| file("tree", &tree)),
            ..Files::default()
        };
        match load(setup, &files) {
            Ok(()) => loaded += 1,
            Err(said) => {
                refused += 1;
                assert!(!said.is_empty() && !said.contains('\n'), "{said:?}");
                assert!(said.starts_with("the ") || said.starts_with("cannot read"), "{said}");
            }
        }
    }
    // Both happen, or nothing is tested.
    assert!(loaded > 100 && refused > 100, "{loaded} loaded, {refused} refused");
}

#[test]
fn what_headers_claim_is_not_believed() {
    let arm = by_name("aarch64", "virt").expect("a board");
    let arm = Setup::new(arm, 1, 64 << 20, &[]).expect("a board");
    let say = |setup: &Setup, kernel: &[u8], tree: Option<&[u8]>| {
        let files = Files {
            bios: Some("none".into()),
            kernel: Some(file("claims", kernel)),
            dtb: tree.map(|t| file("claims-tree", t)),
            ..Files::default()
        };
        load(setup, &files).expect_err("refused")
    };
    let mut image = arm_image();
    image[16..24].fill(0xff);
    let said = say(&arm, &image, None);
    assert!(said.starts_with("the kernel of 18446744073709551615 bytes does not fit"), "{said}");
    // Segments that would each fit, and together would take far more than the machine has.
    let mut many = elf(243, 0x8020_0000);
    for n in 0..3 {
        let at = 64 + n * 56 + 40;
        many[at..at + 8].copy_from_slice(&(40u64 << 20).to_le_bytes());
    }
    let said = say(&virt(1, 64 << 20), &many, None);
    assert!(said.starts_with("the kernel of 83886080 bytes does not fit"), "{said}");
    let whole = elf(243, 0x8020_0000);
    let said = say(&virt(1, 64 << 20), &whole, Some(b"\xd0\x0d\xfe\xed\0\0\x10\0"));
    assert!(said.ends_with("its header says that it is longer"), "{said}");
    let said = say(&virt(1, 64 << 20), &whole, Some(b"/dts-v1/;"));
    assert!(said.ends_with("it is not a device tree"), "{said}");
}
