//! Loads the guest program: segments, interpreter, heap, stack and auxiliary vector, as the
//! kernel's `load_elf_binary` does.

mod elf;
mod map;
mod stack;
mod vdso;

use std::ffi::{CStr, CString};
use std::fs::File;

pub use elf::{FileKind, Image, PREFIX, Segment, read_some};
pub use map::{Placed, place};
pub use stack::{AuxInfo, Stack, build as build_stack, random_bytes, set_seed, stack_size};
pub use vdso::{Vdso, VdsoImage, build as build_vdso};

/// Why a program cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not an ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// The file ends inside its headers.
    #[error("truncated ELF file")]
    Truncated,
    /// Another processor's program.
    #[error("built for {}", machine_name(*machine, *is64, *little))]
    WrongMachine {
        /// `e_machine`.
        machine: u16,
        /// 64-bit class.
        is64: bool,
        /// Little-endian.
        little: bool,
    },
    /// An object file, a core dump.
    #[error("not an executable or shared object")]
    NotExecutable,
    /// A header contradicts itself.
    #[error("malformed ELF file: {0}")]
    Malformed(&'static str),
    /// The interpreter is missing.
    #[error("interpreter {} not found", .path.to_string_lossy())]
    NoInterpreter {
        /// Path in the program.
        path: CString,
        /// Path that was tried, when a prefix is set.
        tried: Option<CString>,
    },
    /// The interpreter is not usable.
    #[error("interpreter {}: {error}", .path.to_string_lossy())]
    BadInterpreter {
        /// Path in the program.
        path: CString,
        /// What is wrong with it.
        error: Box<LoadError>,
    },
    /// The segments find no room.
    #[error("no room at {addr:#x} for {len:#x} bytes: {errno}")]
    NoRoom {
        /// Wanted address, 0 for any.
        addr: u64,
        /// Bytes.
        len: u64,
        /// The kernel's reason.
        errno: remu_syscalls::Errno,
    },
    /// Reading failed.
    #[error("{0}")]
    Io(std::io::Error),
}

/// A machine as people name it.
pub fn machine_name(machine: u16, is64: bool, little: bool) -> String {
    let known = match (machine, is64, little) {
        (3, ..) => "i386",
        (62, true, _) => "x86_64",
        (62, false, _) => "x32",
        (40, _, true) => "arm",
        (40, _, false) => "armeb",
        (183, _, true) => "aarch64",
        (183, _, false) => "aarch64_be",
        (243, true, _) => "riscv64",
        (243, false, _) => "riscv32",
        (20, ..) => "ppc",
        (21, _, true) => "ppc64le",
        (21, _, false) => "ppc64",
        (22, ..) => "s390x",
        (258, ..) => "loongarch64",
        (15, ..) => "hppa",
        (8, true, true) => "mips64el",
        (8, true, false) => "mips64",
        (8, false, true) => "mipsel",
        (8, false, false) => "mips",
        (43, ..) => "sparc64",
        (0x9026, ..) => "alpha",
        (42, ..) => "sh4",
        (4, ..) => "m68k",
        _ => return format!("an unknown machine (e_machine {machine})"),
    };
    known.to_owned()
}

/// The loaded program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where execution begins: the interpreter's entry, or the program's own.
    pub start: u64,
    /// What the auxiliary vector says of it.
    pub placed: Placed,
    /// Load address of the interpreter, 0 without one.
    pub base: u64,
    /// The stack is executable.
    pub exec_stack: bool,
}

/// Finds host paths for guest paths.
pub trait Lookup {
    /// Opens a guest file for reading: through the prefix first, then as it is.
    fn open(&self, path: &CStr) -> std::io::Result<File>;
    /// The path that the prefix makes of `path`, for messages.
    fn prefixed(&self, path: &CStr) -> Option<CString>;
}

/// Maps the program in `file` and its interpreter.
pub fn load(
    mm: &crate::mm::AddressSpace,
    file: &File,
    machine: u16,
    lookup: &dyn Lookup,
) -> Result<Program, LoadError> {
    let image = Image::read(file, machine)?;
    // The interpreter is judged before anything is mapped.
    let interpreter = match &image.interpreter {
        Some(path) => Some(open_interpreter(path, machine, lookup)?),
        None => None,
    };
    let placed = place(mm, file, &image, map::Role::Program)?;
    mm.set_brk(placed.brk);
    let mut program =
        Program { start: placed.entry, placed, base: 0, exec_stack: image.exec_stack };
    if let Some((path, file, image)) = interpreter {
        let at = place(mm, &file, &image, map::Role::Interpreter)
            .map_err(|error| LoadError::BadInterpreter { path, error: Box::new(error) })?;
        program.start = at.entry;
        program.base = at.load;
    }
    Ok(program)
}

fn open_interpreter(
    path: &[u8],
    machine: u16,
    lookup: &dyn Lookup,
) -> Result<(CString, File, Image), LoadError> {
    let path = CString::new(path).map_err(|_| LoadError::Malformed("interpreter path"))?;
    let file = lookup.open(&path).map_err(|_| LoadError::NoInterpreter {
        path: path.clone(),
        tried: lookup.prefixed(&path),
    })?;
    match Image::read(&file, machine) {
        Ok(image) => Ok((path, file, image)),
        Err(error) => Err(LoadError::BadInterpreter { path, error: Box::new(error) }),
    }
}
