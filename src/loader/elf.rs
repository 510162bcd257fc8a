//! Reads ELF headers (System V ABI, chapters 4 and 5). Nothing here trusts the file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR};
use goblin::elf::{Elf, ProgramHeader};

use super::LoadError;
use crate::mm::{PAGE, page_down, page_up};

/// Bytes of a 64-bit program header.
const PHENT: u64 = 56;
/// Longest interpreter path, PATH_MAX.
const PATH_MAX: u64 = 4096;

/// What the first bytes of a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// An ELF file: `e_machine`, 64-bit, little-endian.
    Elf {
        /// `e_machine`.
        machine: u16,
        /// 64-bit class.
        is64: bool,
        /// Little-endian.
        little: bool,
    },
    /// A script: interpreter and its one optional argument.
    Script {
        /// Path after `#!`.
        interpreter: Vec<u8>,
        /// The rest of the line.
        argument: Option<Vec<u8>>,
    },
    /// Anything else.
    Other,
}

/// Bytes of a file that [`FileKind::of`] looks at (`BINPRM_BUF_SIZE`).
pub const PREFIX: usize = 256;

impl FileKind {
    /// Judges the first [`PREFIX`] bytes of a file, fewer where it is shorter.
    pub fn of(start: &[u8]) -> FileKind {
        if start.starts_with(b"\x7fELF") && start.len() >= 20 {
            let little = start[EI_DATA] == ELFDATA2LSB;
            let m = [start[18], start[19]];
            let machine = if little { u16::from_le_bytes(m) } else { u16::from_be_bytes(m) };
            return FileKind::Elf { machine, is64: start[EI_CLASS] == ELFCLASS64, little };
        }
        script(start).unwrap_or(FileKind::Other)
    }
}

/// Parses a `#!` line as the kernel does (execve(2), "Interpreter scripts").
fn script(start: &[u8]) -> Option<FileKind> {
    let line = start.get(..PREFIX.min(start.len()))?.strip_prefix(b"#!")?;
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let (line, complete) = match line.iter().position(|&b| b == b'\n' || b == 0) {
        Some(n) => (&line[..n], true),
        None => (line, start.len() < PREFIX),
    };
    let line = line.trim_ascii();
    let end = line.iter().position(blank);
    // A path cut off by the end of the buffer would name another file.
    if line.is_empty() || (!complete && end.is_none()) {
        return None;
    }
    let (interpreter, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_ascii();
    Some(FileKind::Script {
        interpreter: interpreter.to_vec(),
        argument: (!rest.is_empty()).then(|| rest.to_vec()),
    })
}

/// A loadable segment, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address in the file's own terms.
    pub vaddr: u64,
    /// Offset in the file; congruent to `vaddr` modulo the page size.
    pub offset: u64,
    /// Bytes from the file.
    pub file_size: u64,
    /// Bytes in memory, at least `file_size`.
    pub mem_size: u64,
    /// `PROT_*` bits.
    pub prot: u64,
}

/// The part of an ELF file that loading needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Loaded anywhere (`ET_DYN`) or where it says (`ET_EXEC`).
    pub relocatable: bool,
    /// Entry point, before relocation.
    pub entry: u64,
    /// Segments by address.
    pub segments: Vec<Segment>,
    /// Largest alignment a segment asks for, at least a page.
    pub align: u64,
    /// Program headers: address before relocation (0 when not loaded) and number.
    pub phdr: u64,
    /// Number of program headers.
    pub phnum: u64,
    /// `PT_INTERP`.
    pub interpreter: Option<Vec<u8>>,
    /// `PT_GNU_STACK` asks for an executable stack.
    pub exec_stack: bool,
}

impl Image {
    /// Reads and checks the headers of a file for machine `machine`.
    pub fn read(file: &File, machine: u16) -> Result<Image, LoadError> {
        let mut start = [0; 64];
        let have = read_some(file, &mut start, 0)?;
        if have < 4 || !start.starts_with(b"\x7fELF") {
            return Err(LoadError::NotElf);
        }
        if have < 64 {
            return Err(LoadError::Truncated);
        }
        let header = Elf::parse_header(&start).map_err(|_| LoadError::Malformed("header"))?;
        let little = start[EI_DATA] == ELFDATA2LSB;
        if header.e_machine != machine || start[EI_CLASS] != ELFCLASS64 || !little {
            return Err(LoadError::WrongMachine {
                machine: header.e_machine,
                is64: start[EI_CLASS] == ELFCLASS64,
                little,
            });
        }
        let relocatable = match header.e_type {
            ET_EXEC => false,
            ET_DYN => true,
            _ => return Err(LoadError::NotExecutable),
        };
        let phnum = u64::from(header.e_phnum);
        if u64::from(header.e_phentsize) != PHENT || phnum == 0 || phnum * PHENT > 65536 {
            return Err(LoadError::Malformed("program header table"));
        }
        let mut table = vec![0; (phnum * PHENT) as usize];
        if read_some(file, &mut table, header.e_phoff)? < table.len() {
            return Err(LoadError::Truncated);
        }
        let ctx = header.container().and_then(|c| Ok((c, header.endianness()?)));
        let (container, endian) = ctx.map_err(|_| LoadError::Malformed("header"))?;
        let headers = ProgramHeader::parse(
            &table,
            0,
            phnum as usize,
            goblin::container::Ctx::new(container, endian),
        )
        .map_err(|_| LoadError::Malformed("program header table"))?;
        let mut image = Image {
            relocatable,
            entry: header.e_entry,
            segments: Vec::new(),
            align: PAGE,
            phdr: 0,
            phnum,
            interpreter: None,
            exec_stack: false,
        };
        let mut phdr_from_segment = 0;
        for p in &headers {
            match p.p_type {
                PT_LOAD if p.p_memsz != 0 => {
                    let s = segment(p)?;
                    let end = s.offset.checked_add(s.file_size);
                    if s.offset <= header.e_phoff
                        && end.is_some_and(|e| header.e_phoff < e)
                        && phdr_from_segment == 0
                    {
                        phdr_from_segment = s.vaddr.wrapping_add(header.e_phoff - s.offset);
                    }
                    if p.p_align.is_power_of_two() && p.p_align < 1 << 40 {
                        image.align = image.align.max(p.p_align);
                    }
                    image.segments.push(s);
                }
                PT_INTERP if image.interpreter.is_none() => {
                    image.interpreter = Some(interpreter(file, p)?);
                }
                PT_PHDR => image.phdr = p.p_vaddr,
                PT_GNU_STACK => image.exec_stack = p.p_flags & PF_X != 0,
                _ => {}
            }
        }
        if image.phdr == 0 {
            image.phdr = phdr_from_segment;
        }
        if image.segments.is_empty() {
            return Err(LoadError::Malformed("no loadable segment"));
        }
        check_order(&image.segments)?;
        Ok(image)
    }

    /// First and last page-aligned address the segments cover.
    pub fn span(&self) -> Result<(u64, u64), LoadError> {
        let bad = LoadError::Malformed("segment");
        let (Some(first), Some(last)) = (self.segments.first(), self.segments.last()) else {
            return Err(bad);
        };
        let end = last.vaddr.checked_add(last.mem_size).and_then(page_up).ok_or(bad)?;
        Ok((page_down(first.vaddr), end))
    }
}

/// Checks one `PT_LOAD` header.
fn segment(p: &ProgramHeader) -> Result<Segment, LoadError> {
    let end = p.p_vaddr.checked_add(p.p_memsz).and_then(page_up);
    // The host gives user space 47 bits.
    if p.p_filesz > p.p_memsz || end.is_none_or(|e| e >= 1 << 47) {
        return Err(LoadError::Malformed("segment size"));
    }
    if p.p_offset.checked_add(p.p_filesz).is_none_or(|e| e > i64::MAX as u64) {
        return Err(LoadError::Malformed("segment offset"));
    }
    if p.p_filesz != 0 && p.p_vaddr % PAGE != p.p_offset % PAGE {
        return Err(LoadError::Malformed("segment alignment"));
    }
    let bit = |flag, prot: i32| if p.p_flags & flag != 0 { prot as u64 } else { 0 };
    let prot = bit(4, libc::PROT_READ) | bit(2, libc::PROT_WRITE) | bit(1, libc::PROT_EXEC);
    Ok(Segment {
        vaddr: p.p_vaddr,
        offset: p.p_offset,
        file_size: p.p_filesz,
        mem_size: p.p_memsz,
        prot,
    })
}

/// Segments come in ascending order and do not overlap (System V ABI, "Program Header").
fn check_order(segments: &[Segment]) -> Result<(), LoadError> {
    for pair in segments.windows(2) {
        if pair[1].vaddr < pair[0].vaddr + pair[0].mem_size {
            return Err(LoadError::Malformed("overlapping segments"));
        }
    }
    Ok(())
}

/// Reads the path in `PT_INTERP`.
fn interpreter(file: &File, p: &ProgramHeader) -> Result<Vec<u8>, LoadError> {
    if p.p_filesz < 2 || p.p_filesz > PATH_MAX {
        return Err(LoadError::Malformed("interpreter path"));
    }
    let mut path = vec![0; p.p_filesz as usize];
    if read_some(file, &mut path, p.p_offset)? < path.len() {
        return Err(LoadError::Truncated);
    }
    if path.pop() != Some(0) {
        return Err(LoadError::Malformed("interpreter path"));
    }
    let end = path.iter().position(|&b| b == 0).unwrap_or(path.len());
    path.truncate(end);
    Ok(path)
}

/// Reads until `buf` is full or the file ends; how many bytes came.
pub fn read_some(file: &File, buf: &mut [u8], offset: u64) -> Result<usize, LoadError> {
    let mut have = 0;
    while have < buf.len() {
        let Some(at) = offset.checked_add(have as u64).filter(|&o| o <= i64::MAX as u64) else {
            return Ok(have);
        };
        match file.read_at(&mut buf[have..], at) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(LoadError::Io(e)),
        }
    }
    Ok(have)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_line_gives_interpreter_and_one_argument() {
        let kind = FileKind::of(b"#! /bin/sh  -e x \nrest");
        let want =
            FileKind::Script { interpreter: b"/bin/sh".to_vec(), argument: Some(b"-e x".to_vec()) };
        assert_eq!(kind, want);
    }

    #[test]
    fn script_line_without_path_or_cut_off_is_refused() {
        assert_eq!(FileKind::of(b"#!\n"), FileKind::Other);
        let mut long = b"#!/".to_vec();
        long.resize(400, b'a');
        assert_eq!(FileKind::of(&long[..PREFIX]), FileKind::Other);
        assert_eq!(FileKind::of(b"\x7fELF"), FileKind::Other);
    }
}
