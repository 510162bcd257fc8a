//! Which guest code comes from which file: what translations may be kept for. Whether the guest has
//! changed its copy since is found out by looking at the bytes.

use std::os::fd::BorrowedFd;

use remu_engine::Module;

/// Bytes read from the start of a file to find its build id.
const START: usize = 4096;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;

/// Private mappings of files that were executable and read-only at first.
#[derive(Debug, Default)]
pub(super) struct Modules(Vec<Module>);

impl Modules {
    /// Enters a new mapping of a file at an offset.
    pub(super) fn insert(&mut self, start: u64, end: u64, file: BorrowedFd<'_>, offset: u64) {
        if let Some(id) = identity(file) {
            self.0.push(Module { id, start, end, offset });
        }
    }
    /// The mapping around an address.
    pub(super) fn at(&self, addr: u64) -> Option<Module> {
        self.0.iter().copied().find(|m| (m.start..m.end).contains(&addr))
    }
    /// `[start, end)` changes: what was there is not a known file any more.
    pub(super) fn remove(&mut self, start: u64, end: u64) {
        if !self.0.iter().any(|m| m.start < end && start < m.end) {
            return;
        }
        let parts = core::mem::take(&mut self.0).into_iter().flat_map(|m| {
            let below = Module { end: m.end.min(start), ..m };
            let from = m.start.max(end);
            let above = Module { start: from, offset: m.offset.wrapping_add(from - m.start), ..m };
            [below, above]
        });
        self.0 = parts.filter(|m| m.start < m.end).collect();
    }
}

/// Names a file's content: its build id and size, or which file it is and when it last changed.
/// Translations are compared with the code they were made from as well, so that a file whose name
/// lies costs time only.
pub(crate) fn identity(file: BorrowedFd<'_>) -> Option<u128> {
    let stat = nix::sys::stat::fstat(file).ok()?;
    let mut start = [0; START];
    let have = nix::sys::uio::pread(file, &mut start, 0).ok()?;
    let mut h = Hash::default();
    h.word(stat.st_size as u64);
    match build_id(&start[..have]) {
        Some(id) => h.bytes(id),
        None => {
            let words = [stat.st_dev, stat.st_ino, stat.st_mtime as u64, stat.st_mtime_nsec as u64];
            words.into_iter().for_each(|w| h.word(w));
            h.word(stat.st_ctime as u64);
            h.word(stat.st_ctime_nsec as u64);
        }
    }
    Some(h.0)
}

/// FNV-1a, 128 bits.
struct Hash(u128);

impl Default for Hash {
    fn default() -> Hash {
        Hash(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 =
                (self.0 ^ u128::from(b)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
    fn word(&mut self, w: u64) {
        self.bytes(&w.to_le_bytes());
    }
}

/// The build id of an ELF file (`NT_GNU_BUILD_ID`) if it lies in the file's first bytes, as linkers
/// place it.
fn build_id(b: &[u8]) -> Option<&[u8]> {
    let wide = *b.get(4)? == 2;
    if !b.starts_with(b"\x7fELF") || *b.get(5)? != 1 {
        return None;
    }
    let u16_at = |at: usize| b.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
    let u32_at = |at: usize| b.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes);
    // The fields below 4 GiB are enough: the rest of the file was not read.
    let (table, size, count) = if wide {
        (u32_at(32)?, u16_at(54)?, u16_at(56)?)
    } else {
        (u32_at(28)?, u16_at(42)?, u16_at(44)?)
    };
    for n in 0..usize::from(count) {
        let h = (table as usize).checked_add(n * usize::from(size))?;
        if u32_at(h)? != PT_NOTE {
            continue;
        }
        let (offset, length) = if wide { (8, 32) } else { (4, 16) };
        let mut at = u32_at(h + offset)? as usize;
        let end = at.checked_add(u32_at(h + length)? as usize)?;
        while at + 12 <= end {
            let (name, desc) = (u32_at(at)? as usize, u32_at(at + 4)? as usize);
            let from = (at + 12).checked_add(name.checked_next_multiple_of(4)?)?;
            let to = from.checked_add(desc)?;
            if u32_at(at + 8)? == NT_GNU_BUILD_ID && b.get(at + 12..at + 16)? == b"GNU\0" {
                return b.get(from..to);
            }
            at = to.checked_next_multiple_of(4)?;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_build_id_is_found_and_rubbish_is_not_one() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let start = &own[..START];
        assert!(build_id(start).is_none_or(|id| id.len() >= 8));
        for n in 0..200 {
            let mut bad = start.to_vec();
            bad[n] ^= 0xff;
            let _ = build_id(&bad);
            let _ = build_id(&start[..n]);
        }
        let mut file = vec![0; 0x100];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (file[32], file[54], file[56]) = (0x40, 56, 1);
        (file[0x40], file[0x48], file[0x60]) = (4, 0x80, 0x24);
        (file[0x80], file[0x84], file[0x88]) = (4, 20, 3);
        file[0x8c..0x90].copy_from_slice(b"GNU\0");
        file[0x90..0xa4].copy_from_slice(&[7; 20]);
        assert_eq!(build_id(&file), Some(&[7; 20][..]));
    }

    #[test]
    fn changed_parts_of_a_mapping_are_cut_out() {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let mut m = Modules::default();
        m.insert(0x1000, 0x9000, file.as_fd(), 0x3000);
        m.remove(0x9000, 0xa000);
        m.remove(0x4000, 0x5000);
        let cut = m.at(0x5000).unwrap();
        assert_eq!((cut.start, cut.end, cut.offset), (0x5000, 0x9000, 0x7000));
        assert_eq!(m.at(0x3fff).unwrap().end, 0x4000);
        assert_eq!(m.at(0x4000), None);
        m.remove(0, u64::MAX);
        assert_eq!(m.at(0x1000), None);
    }
}
