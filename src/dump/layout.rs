//! What lies where in a core dump: the ELF header, one program header per area, notes, memory.

use remu_syscalls::{ProcFile, Process};

use crate::task::Task;

const PAGE: u64 = 4096;
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const ET_CORE: u16 = 4;

/// Bits of `/proc/PID/coredump_filter` (core(5)).
mod filter {
    pub(super) const ANONYMOUS_PRIVATE: u64 = 1;
    pub(super) const ANONYMOUS_SHARED: u64 = 2;
    pub(super) const FILE_PRIVATE: u64 = 4;
    pub(super) const FILE_SHARED: u64 = 8;
    pub(super) const ELF_HEADERS: u64 = 16;
}

/// An area of guest memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) start: u64,
    pub(super) end: u64,
    /// `r`, `w`, `x` as `PF_R` (4), `PF_W` (2), `PF_X` (1).
    flags: u32,
    shared: bool,
    /// Byte offset in its file.
    pub(super) offset: u64,
    /// The file, empty for none.
    pub(super) file: String,
    /// The file has been removed.
    deleted: bool,
    /// Pages of its own.
    anonymous: bool,
    /// `madvise(2)`, `MADV_DONTDUMP`.
    dont_dump: bool,
    /// Bytes that are dumped.
    pub(super) dumped: u64,
}

impl Area {
    /// Every area of the guest, with what is dumped of it.
    pub(super) fn all(task: &Task) -> Vec<Area> {
        let text = crate::procfs::content(task, ProcFile::Smaps).unwrap_or_default();
        let wanted = std::fs::read_to_string("/proc/self/coredump_filter").unwrap_or_default();
        let wanted = u64::from_str_radix(wanted.trim(), 16).unwrap_or(0x33);
        let is_elf = |at: u64| {
            let mut magic = [0; 4];
            remu_syscalls::GuestMemory::default().read_bytes(at, &mut magic).is_ok()
                && magic == *b"\x7fELF"
        };
        let mut areas = Area::parse(&String::from_utf8_lossy(&text));
        for a in &mut areas {
            a.dumped = a.dumped_bytes(wanted, is_elf);
        }
        areas
    }

    /// The text of `smaps` (proc_pid_smaps(5)).
    fn parse(text: &str) -> Vec<Area> {
        let mut out: Vec<Area> = Vec::new();
        for line in text.lines() {
            if let Some(area) = Area::first_line(line) {
                out.push(area);
                continue;
            }
            let Some(area) = out.last_mut() else { continue };
            if let Some(size) = line.strip_prefix("Anonymous:") {
                area.anonymous = size.trim() != "0 kB";
            } else if let Some(flags) = line.strip_prefix("VmFlags:") {
                area.dont_dump = flags.split_ascii_whitespace().any(|f| f == "dd" || f == "io");
            }
        }
        out
    }

    fn first_line(line: &str) -> Option<Area> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (hex(start)?, hex(end)?);
        let perms = words.next()?;
        let offset = hex(words.next()?)?;
        let inode = words.nth(1)?;
        let name = words.next().unwrap_or("").trim();
        let bit = |c, value| if perms.contains(c) { value } else { 0 };
        let file = if inode == "0" { "" } else { name };
        Some(Area {
            start,
            end,
            flags: bit('r', 4) | bit('w', 2) | bit('x', 1),
            shared: perms.ends_with('s'),
            offset,
            deleted: file.ends_with(" (deleted)"),
            file: file.to_owned(),
            ..Area::default()
        })
    }

    /// `vma_dump_size` of the kernel.
    fn dumped_bytes(&self, wanted: u64, is_elf: impl Fn(u64) -> bool) -> u64 {
        let whole = self.end - self.start;
        let if_wanted = |bit| if wanted & bit != 0 { whole } else { 0 };
        if self.dont_dump {
            return 0;
        }
        if self.shared {
            let anonymous = self.file.is_empty() || self.deleted;
            let bit = if anonymous { filter::ANONYMOUS_SHARED } else { filter::FILE_SHARED };
            return if_wanted(bit);
        }
        if (self.anonymous || self.file.is_empty()) && wanted & filter::ANONYMOUS_PRIVATE != 0 {
            return whole;
        }
        if self.file.is_empty() {
            return 0;
        }
        if wanted & filter::FILE_PRIVATE != 0 {
            return whole;
        }
        let head = wanted & filter::ELF_HEADERS != 0 && self.offset == 0 && self.flags & 4 != 0;
        if head && is_elf(self.start) { PAGE } else { 0 }
    }
}

/// The dump but for memory.
pub(super) struct Core<'a> {
    machine: u16,
    flags: u32,
    notes: Vec<u8>,
    areas: &'a [Area],
}

impl<'a> Core<'a> {
    pub(super) fn new(task: &Task, notes: Vec<u8>, areas: &'a [Area]) -> Core<'a> {
        let machine = task.shared.config.guest.elf_machine;
        let mut flags = [0; 4];
        // As its program has them: the floating-point convention is among them.
        let program =
            std::fs::File::open(std::ffi::OsStr::new(&*task.exe_path().to_string_lossy()));
        if let Ok(program) = program {
            use std::os::unix::fs::FileExt;
            let _ = program.read_exact_at(&mut flags, 48);
        }
        Core { machine, flags: u32::from_le_bytes(flags), notes, areas }
    }

    fn notes_at(&self) -> u64 {
        (HEADER + PROGRAM_HEADER * (1 + self.areas.len())) as u64
    }

    fn memory_at(&self) -> u64 {
        (self.notes_at() + self.notes.len() as u64).next_multiple_of(PAGE)
    }

    /// Everything before the memory.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
        out.resize(16, 0);
        let count = 1 + self.areas.len();
        out.extend(ET_CORE.to_le_bytes());
        out.extend(self.machine.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        for word in [0u64, HEADER as u64, 0] {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.flags.to_le_bytes());
        for half in [HEADER, PROGRAM_HEADER, count.min(0xfffe), 0, 0, 0] {
            out.extend((half as u16).to_le_bytes());
        }
        program_header(&mut out, [PT_NOTE, 0], [self.notes_at(), 0, self.notes.len() as u64, 0, 4]);
        for (at, a) in self.parts() {
            let words = [at, a.start, a.dumped, a.end - a.start, PAGE];
            program_header(&mut out, [PT_LOAD, a.flags], words);
        }
        out.extend(&self.notes);
        out
    }

    /// Where each area's memory goes.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u64, &'a Area)> {
        let mut at = self.memory_at();
        self.areas.iter().map(move |a| {
            let here = at;
            at += a.dumped;
            (here, a)
        })
    }

    /// Bytes of the whole file.
    pub(super) fn len(&self) -> u64 {
        self.memory_at() + self.areas.iter().map(|a| a.dumped).sum::<u64>()
    }
}

/// Type and flags; offset, address, bytes in the file, bytes in memory, alignment.
fn program_header(out: &mut Vec<u8>, kind: [u32; 2], words: [u64; 5]) {
    let [offset, addr, file, memory, align] = words;
    kind.iter().for_each(|k| out.extend(k.to_le_bytes()));
    for word in [offset, addr, 0, file, memory, align] {
        out.extend(word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_rules_say_what_is_dumped() {
        let text = "1000-3000 r-xp 00000000 08:01 42   /bin/a b\nAnonymous:   0 kB\n\
            3000-4000 rw-p 00002000 08:01 42   /bin/a b\nAnonymous:   4 kB\nVmFlags: rd wr\n\
            5000-6000 rw-p 00000000 00:00 0\nVmFlags: rd wr dd\n\
            6000-7000 rw-s 00000000 00:01 7   /dev/zero (deleted)\n\
            8000-9000 r--s 00000000 08:01 9   /data\n\
            9000-a000 ---p 00000000 00:00 0   [heap]\n";
        let areas = Area::parse(text);
        assert_eq!(areas.len(), 6);
        assert_eq!(
            (areas[0].file.as_str(), areas[0].flags, areas[1].offset),
            ("/bin/a b", 5, 0x2000)
        );
        let dumped = |wanted| -> Vec<u64> {
            areas.iter().map(|a| a.dumped_bytes(wanted, |_| true)).collect()
        };
        assert_eq!(dumped(0x33), [PAGE, PAGE, 0, PAGE, 0, PAGE]);
        assert_eq!(dumped(0x0), [0; 6]);
        assert_eq!(dumped(0x7f), [2 * PAGE, PAGE, 0, PAGE, PAGE, PAGE]);
    }

    #[test]
    fn headers_lead_to_memory() {
        let area = Area { start: 0x1000, end: 0x3000, flags: 6, dumped: 0x2000, ..Area::default() };
        let areas = [area.clone(), Area { start: 0x9000, end: 0xa000, dumped: 0x1000, ..area }];
        let core = Core { machine: 243, flags: 5, notes: vec![1; 20], areas: &areas };
        let head = core.head();
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        assert_eq!(head.len(), HEADER + 3 * PROGRAM_HEADER + 20);
        assert_eq!((word(HEADER + 8), word(HEADER + 32)), (HEADER as u64 + 168, 20));
        let (first, second) = (HEADER + PROGRAM_HEADER, HEADER + 2 * PROGRAM_HEADER);
        assert_eq!((word(first + 8), word(first + 16)), (PAGE, 0x1000));
        assert_eq!((word(second + 8), word(second + 16)), (PAGE + 0x2000, 0x9000));
        assert_eq!(core.len(), PAGE + 0x3000);
    }
}
