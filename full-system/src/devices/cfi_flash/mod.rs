//! Flash with Intel's command set: two chips of 16 bits side by side. Nothing takes time, so that it is always ready.

mod spec;

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use self::spec::{ID, SECTOR, command, query, status};
use super::{Device, State};
use crate::bus::Mmio;
use crate::snapshot::{Reader, RestoreError, Saved, state};

state! {
    /// What a command has begun, beside the contents.
    pub struct Chips version 1 {
        /// What reads show, and what the next write belongs to.
        command: u8 = command::READ_ARRAY,
        /// Writes of the command so far.
        cycle: u8,
        status: u8 = status::READY,
        /// Words still to come for the buffer.
        left: u32,
    }
}

/// Contents and chips.
#[derive(Default)]
struct Inner {
    /// Contents, turned over: what was never written takes no memory.
    inverse: Vec<u8>,
    chips: Chips,
}

/// A flash.
pub struct CfiFlash {
    inner: State<Inner>,
    file: Option<std::fs::File>,
    /// Nothing can be programmed.
    read_only: bool,
}

impl CfiFlash {
    /// A flash of `bytes` bytes, a multiple of 256 KiB, which holds what `file` does; what is programmed is written to
    /// that, unless it is read-only. Without a file it is empty.
    ///
    /// # Errors
    /// The file cannot be read, or holds more.
    pub fn new(bytes: usize, file: Option<(std::fs::File, bool)>) -> io::Result<Arc<CfiFlash>> {
        assert!(bytes > 0 && bytes.is_multiple_of(SECTOR), "the board sees to that");
        let mut inverse = vec![0; bytes];
        if let Some((file, _)) = &file {
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            let room = inverse.get_mut(..length).ok_or_else(|| {
                io::Error::other(format!("{length} bytes do not fit into a flash of {bytes}"))
            })?;
            file.read_exact_at(room, 0)?;
            room.iter_mut().for_each(|b| *b = !*b);
        }
        let read_only = file.as_ref().is_some_and(|f| f.1);
        let inner = State::default();
        *inner.lock() = Inner { inverse, chips: Chips::default() };
        Ok(Arc::new(CfiFlash { inner, file: file.map(|f| f.0), read_only }))
    }

    /// Writes a part of the contents to the file.
    fn keep(&self, inverse: &[u8], at: usize, len: usize) -> bool {
        let Some(file) = &self.file else { return true };
        let Some(part) = inverse.get(at..at + len) else { return false };
        let part: Vec<u8> = part.iter().map(|b| !b).collect();
        let kept = file.write_all_at(&part, at as u64);
        if let Err(error) = &kept {
            log::warn!("flash: cannot write to its image: {error}");
        }
        kept.is_ok()
    }
}

impl Inner {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let start = offset as usize;
        let part = self.inverse.get(start..start + usize::from(size)).unwrap_or_default();
        part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(!byte))
    }

    /// Clears the bits of the contents that are 0 in `value`: only an erasure sets them.
    fn program(&mut self, offset: u64, size: u8, value: u64) {
        let start = offset as usize;
        let part = self.inverse.get_mut(start..start + usize::from(size)).unwrap_or_default();
        part.iter_mut().zip(value.to_le_bytes()).for_each(|(byte, v)| *byte |= !v);
    }

    fn back_to(&mut self, command: u8) {
        self.chips.command = command;
        self.chips.cycle = 0;
    }
}

/// The same byte from both chips, as far as an access sees them: bytes 0 and 2 of four.
fn both(value: u8, offset: u64, size: u8) -> u64 {
    let all = u64::from(value) * 0x0001_0001;
    let shifted = all >> (8 * (offset & 3));
    shifted & (u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 4))))
}

impl Mmio for CfiFlash {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let s = self.inner.lock();
        match s.chips.command {
            command::READ_ARRAY => s.read(offset, size),
            command::READ_ID => {
                // Then whether a sector is locked: never.
                let id = ID.get((offset / 4) as usize & 0xff).copied().unwrap_or(0);
                both(id, offset, size)
            }
            command::QUERY => both(query(offset / 4 & 0xff, s.inverse.len()), offset, size),
            _ => both(s.chips.status, offset, size),
        }
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let s = &mut *self.inner.lock();
        let low = value as u8;
        match (s.chips.command, s.chips.cycle) {
            (command::ERASE, 1) => {
                if low == command::CONFIRM && !self.read_only {
                    let start = offset as usize / SECTOR * SECTOR;
                    s.inverse[start..start + SECTOR].fill(0);
                    if !self.keep(&s.inverse, start, SECTOR) {
                        s.chips.status |= status::ERASE_ERROR;
                    }
                } else {
                    s.chips.status |= status::ERASE_ERROR;
                }
                s.back_to(command::READ_STATUS);
            }
            (command::PROGRAM, 1) => {
                if self.read_only {
                    s.chips.status |= status::PROGRAM_ERROR;
                } else {
                    s.program(offset, size, value);
                    if !self.keep(&s.inverse, offset as usize, size.into()) {
                        s.chips.status |= status::PROGRAM_ERROR;
                    }
                }
                s.back_to(command::READ_STATUS);
            }
            (command::PROGRAM_BUFFER, 1) => {
                s.chips.left = (value & 0xffff) as u32 + 1;
                s.chips.cycle = 2;
            }
            (command::PROGRAM_BUFFER, 2) if s.chips.left > 0 => {
                s.chips.left -= 1;
                if self.read_only {
                    s.chips.status |= status::PROGRAM_ERROR;
                } else {
                    // Programmed at once instead of at the end: nobody can look between.
                    s.program(offset, size, value);
                    if !self.keep(&s.inverse, offset as usize, size.into()) {
                        s.chips.status |= status::PROGRAM_ERROR;
                    }
                }
            }
            (command::PROGRAM_BUFFER, 2) => {
                if low != command::CONFIRM {
                    s.chips.status |= status::PROGRAM_ERROR;
                }
                s.back_to(command::READ_STATUS);
            }
            // Locks of sectors are not kept: every sector can be programmed.
            (command::LOCK, 1) => s.back_to(command::READ_STATUS),
            _ => match low {
                command::PROGRAM_OLD | command::PROGRAM => {
                    s.chips.command = command::PROGRAM;
                    s.chips.cycle = 1;
                }
                command::ERASE | command::LOCK | command::PROGRAM_BUFFER => {
                    s.chips.command = low;
                    s.chips.cycle = 1;
                }
                command::CLEAR_STATUS => {
                    s.chips.status = status::READY;
                    s.back_to(command::READ_ARRAY);
                }
                command::READ_STATUS | command::READ_ID | command::QUERY => s.back_to(low),
                _ => s.back_to(command::READ_ARRAY),
            },
        }
    }
}

impl Device for CfiFlash {
    fn reset(&self) {
        // Contents outlive it.
        self.inner.lock().chips = Chips::default();
    }
    fn save(&self, to: &mut Vec<u8>) {
        let s = self.inner.lock();
        s.chips.save(to);
        // What is empty at the end is left out, in steps that compare fast.
        let empty = [0; 4096];
        let mut steps = s.inverse.chunks(empty.len());
        let used = steps.rposition(|c| *c != empty[..c.len()]).map_or(0, |last| last + 1);
        let used = (used * empty.len()).min(s.inverse.len());
        s.inverse[..used].to_vec().save(to);
    }
    fn restore(&self, from: &mut Reader<'_>) -> Result<(), RestoreError> {
        let chips = Chips::restore(from)?;
        let used = Vec::<u8>::restore(from)?;
        let s = &mut *self.inner.lock();
        // New memory, which takes none where nothing is written.
        let mut inverse = vec![0; s.inverse.len()];
        inverse.get_mut(..used.len()).ok_or(RestoreError::Value)?.copy_from_slice(&used);
        *s = Inner { inverse, chips };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flash() -> Arc<CfiFlash> {
        CfiFlash::new(4 * SECTOR, None).expect("no file")
    }

    fn both_chips(command: u8) -> u64 {
        u64::from(command) * 0x0001_0001
    }

    #[test]
    fn words_are_programmed_and_sectors_erased() {
        let f = flash();
        let at = SECTOR as u64 + 8;
        assert_eq!(f.read(at, 4), 0xffff_ffff);
        f.write(at, 4, both_chips(0x40));
        f.write(at, 4, 0x1234_5678);
        assert_eq!(f.read(at, 4), 0x0080_0080, "the status, which says ready");
        f.write(at, 4, both_chips(0xff));
        assert_eq!((f.read(at, 4), f.read(at + 1, 2)), (0x1234_5678, 0x3456));
        f.write(at, 4, both_chips(0x10));
        f.write(at, 4, 0xffff_0000);
        f.write(at, 4, both_chips(0xff));
        assert_eq!(f.read(at, 4), 0x1234_0000, "bits are only cleared");
        f.write(SECTOR as u64, 4, both_chips(0x20));
        f.write(SECTOR as u64, 4, both_chips(0xd0));
        f.write(0, 4, both_chips(0x50));
        assert_eq!(f.read(at, 4), 0xffff_ffff);
        f.write(0, 4, both_chips(0x20));
        f.write(0, 4, 0);
        assert_eq!(f.read(0, 4), 0x00a0_00a0, "not confirmed");
    }

    #[test]
    fn buffers_are_programmed() {
        let f = flash();
        f.write(0, 4, both_chips(0xe8));
        assert_eq!(f.read(0, 4), 0x0080_0080);
        f.write(0, 4, both_chips(2));
        for n in 0..3 {
            f.write(4 * n, 4, 0x1111_1111 * (n + 1));
        }
        f.write(0, 4, both_chips(0xd0));
        f.write(0, 4, both_chips(0xff));
        assert_eq!(
            [0, 4, 8, 12].map(|at| f.read(at, 4)),
            [0x1111_1111, 0x2222_2222, 0x3333_3333, 0xffff_ffff]
        );
    }

    #[test]
    fn queries_describe_it() {
        let f = flash();
        f.write(0x55 * 4, 4, both_chips(0x98));
        assert_eq!([0x40, 0x44, 0x48].map(|at| f.read(at, 4)), [0x51_0051, 0x52_0052, 0x59_0059]);
        let byte = |at: u64| f.read(4 * at, 1);
        assert_eq!(1u64 << byte(0x27), 2 * SECTOR as u64, "bytes of one chip");
        assert_eq!((byte(0x2d) | byte(0x2e) << 8) + 1, 4);
        assert_eq!((byte(0x2f) | byte(0x30) << 8) * 256 * 2, SECTOR as u64);
        f.write(0, 4, both_chips(0x90));
        assert_eq!((f.read(0, 4), f.read(4, 4)), (0x0089_0089, 0x0018_0018));
    }

    #[test]
    fn images_are_kept() {
        let path = std::env::temp_dir().join(format!("remu-flash-{}", std::process::id()));
        std::fs::write(&path, [7; 100]).expect("a file");
        let open = || std::fs::File::options().read(true).write(true).open(&path).expect("it");
        let f = CfiFlash::new(SECTOR, Some((open(), false))).expect("a flash");
        assert_eq!((f.read(96, 4), f.read(100, 4)), (0x0707_0707, 0xffff_ffff));
        f.write(200, 4, both_chips(0x40));
        f.write(200, 4, 0xabcd);
        let kept = std::fs::read(&path).expect("it");
        assert_eq!((kept.len(), &kept[200..]), (204, &[0xcd, 0xab, 0, 0][..]));
        let f = CfiFlash::new(SECTOR, Some((open(), true))).expect("a flash");
        f.write(200, 4, both_chips(0x40));
        f.write(200, 4, 0);
        assert_eq!(f.read(0, 4), 0x0090_0090, "it is read-only");
        std::fs::write(&path, vec![0; SECTOR + 1]).expect("a file");
        assert!(CfiFlash::new(SECTOR, Some((open(), true))).is_err());
        std::fs::remove_file(path).expect("removed");
    }
}
