//! What a debugger of the runner itself is told of translated code (gdb's manual, "JIT Compilation
//! Interface"): a name for it, and how to go on from any place in it to the function that entered it.
//!
//! One engine at a time is shown: a runner has one that lives as long as it does.
#![expect(unsafe_code, reason = "a list that the debugger reads from this process's memory")]

use core::ptr::{self, null, null_mut};
use core::sync::atomic::{AtomicBool, Ordering};

use remu_codegen::x64::{ENTER_FRAME, STATE_POINTER};

/// `struct jit_code_entry`.
#[repr(C)]
struct Entry {
    next: *const Entry,
    prev: *const Entry,
    file: *const u8,
    size: u64,
}

/// `struct jit_descriptor`.
#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *const Entry,
    first: *const Entry,
}

/// `JIT_REGISTER_FN` and `JIT_UNREGISTER_FN`.
const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

/// What the debugger looks for, by this name.
#[unsafe(export_name = "__jit_debug_descriptor")]
static mut DESCRIPTOR: Descriptor =
    Descriptor { version: 1, action: 0, relevant: null(), first: null() };

/// Where it stops the process to see what has changed, by this name.
#[unsafe(export_name = "__jit_debug_register_code")]
#[inline(never)]
extern "C" fn changed() {
    // A call of a function without effect would be left out.
    core::hint::black_box(());
}

/// Who sets this may write to `DESCRIPTOR`.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// An engine that the debugger is told of, until it is dropped.
#[derive(Debug)]
pub(crate) struct Shown(Option<Box<Told>>);

#[derive(Debug)]
struct Told {
    entry: *mut Entry,
    _file: Vec<u8>,
}

// SAFETY: the entry belongs to this value alone; nothing but the debugger reads it.
unsafe impl Send for Told {}

impl Shown {
    /// Tells of the code memory from `start` up to `end`, unless another engine is shown.
    pub(crate) fn new((start, end): (u64, u64)) -> Shown {
        if TAKEN.swap(true, Ordering::Acquire) {
            return Shown(None);
        }
        let file = object_file(start, end - start);
        let entry =
            Entry { next: null(), prev: null(), file: file.as_ptr(), size: file.len() as u64 };
        let told = Box::new(Told { entry: Box::into_raw(Box::new(entry)), _file: file });
        tell(REGISTER, told.entry, told.entry);
        Shown(Some(told))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let Some(told) = self.0.take() else { return };
        tell(UNREGISTER, told.entry, null_mut());
        // SAFETY: `new` made it from a box, and the list no longer has it.
        drop(unsafe { Box::from_raw(told.entry) });
        TAKEN.store(false, Ordering::Release);
    }
}

fn tell(action: u32, relevant: *const Entry, first: *const Entry) {
    let new = Descriptor { version: 1, action, relevant, first };
    // SAFETY: the caller holds `TAKEN`, so no other thread writes. Volatile, because the debugger reads.
    unsafe { ptr::write_volatile(&raw mut DESCRIPTOR, new) };
    changed();
}

/// Names of the sections and of the symbol, each at its place in the table of strings.
const NAMES: &[u8] = b"\0.text\0.debug_frame\0.symtab\0.strtab\0translated_code\0";

fn name(text: &str) -> u32 {
    NAMES.windows(text.len() + 1).position(|w| w == [text.as_bytes(), b"\0"].concat()).unwrap_or(0)
        as u32
}

/// An ELF file of one function that covers the code memory, which is not part of the file.
fn object_file(start: u64, size: u64) -> Vec<u8> {
    const HEADER: u16 = 64;
    const SECTION: u16 = 64;
    let words = |all: &[u64]| all.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let halves = |all: &[u32]| all.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    // The symbol without a name that every table begins with; then name, STB_GLOBAL and STT_FUNC, section 1.
    let mut symbols = vec![0; 24];
    symbols.extend(halves(&[name("translated_code"), 0x12 | 1 << 16]));
    symbols.extend(words(&[start, size]));
    let frame = frame_section(start, size);

    // name, type, flags, address, bytes, link, info, alignment, entry size; and what it holds.
    let (alloc_exec, none) = (0x2 | 0x4, &[][..]);
    let sections: [(&str, [u64; 8], &[u8]); 5] = [
        ("", [0; 8], none),
        // SHT_NOBITS
        (".text", [8, alloc_exec, start, size, 0, 0, 16, 0], none),
        // SHT_PROGBITS
        (".debug_frame", [1, 0, 0, frame.len() as u64, 0, 0, 8, 0], &frame),
        // SHT_SYMTAB: strings in section 4, and where global symbols begin
        (".symtab", [2, 0, 0, symbols.len() as u64, 4, 1, 8, 24], &symbols),
        // SHT_STRTAB
        (".strtab", [3, 0, 0, NAMES.len() as u64, 0, 0, 1, 0], NAMES),
    ];
    let count = sections.len() as u16;
    let mut content = Vec::new();
    let mut table = Vec::new();
    for (title, [kind, flags, address, bytes, link, info, align, entry], data) in sections {
        content.resize(content.len().next_multiple_of(8), 0);
        let offset = u64::from(HEADER) + content.len() as u64;
        content.extend_from_slice(data);
        let named = if title.is_empty() { 0 } else { name(title) };
        table.extend(halves(&[named, kind as u32]));
        table.extend(words(&[flags, address, if kind == 0 { 0 } else { offset }, bytes]));
        table.extend(halves(&[link as u32, info as u32]));
        table.extend(words(&[align, entry]));
    }
    content.resize(content.len().next_multiple_of(8), 0);

    // 64-bit, little-endian, version 1; ET_EXEC for EM_X86_64.
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(halves(&[2 | 62 << 16, 1]));
    file.extend(words(&[0, 0, u64::from(HEADER) + content.len() as u64]));
    file.extend(halves(&[0]));
    for half in [HEADER, 0, 0, SECTION, count, 4] {
        file.extend(half.to_le_bytes());
    }
    file.extend(content);
    file.extend(table);
    file
}

/// The section `.debug_frame` (DWARF 4, section 6.4): one rule for the whole of the code memory, which
/// holds wherever the state pointer does.
fn frame_section(start: u64, size: u64) -> Vec<u8> {
    const DEF_CFA_EXPRESSION: u8 = 0x0f;
    const OFFSET: u8 = 0x80;
    const BREG0: u8 = 0x70;
    const DEREF: u8 = 0x06;
    const PLUS_UCONST: u8 = 0x23;
    const RETURN_ADDRESS: u8 = 16;
    let saved = ENTER_FRAME.saved;
    // Up from the kept stack pointer: what is below the registers, they, and the return address.
    let up = ENTER_FRAME.below + 8 * (saved.len() as u8 + 1);
    let mut expression = vec![BREG0 + STATE_POINTER];
    put_sleb(&mut expression, ENTER_FRAME.stack);
    expression.extend([DEREF, PLUS_UCONST, up]);
    // Version 1, no augmentation, code in bytes, data in steps of -8.
    let mut common = vec![1, 0, 1, 0x78, RETURN_ADDRESS, DEF_CFA_EXPRESSION];
    common.push(expression.len() as u8);
    common.extend(expression);
    common.extend([OFFSET | RETURN_ADDRESS, 1]);
    for (n, register) in (2..).zip(saved) {
        common.extend([OFFSET | register, n]);
    }
    let mut out = Vec::new();
    let mut put = |head: u32, mut rest: Vec<u8>| {
        // Filled up with DW_CFA_nop.
        rest.resize((rest.len() + 8).next_multiple_of(8) - 4 - 4, 0);
        out.extend((rest.len() as u32 + 4).to_le_bytes());
        out.extend(head.to_le_bytes());
        out.extend(rest);
    };
    // Its mark, and where the other finds it.
    put(u32::MAX, common);
    put(0, [start, size].map(u64::to_le_bytes).concat());
    out
}

fn put_sleb(out: &mut Vec<u8>, mut value: i32) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        let done = (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0);
        out.push(if done { byte } else { byte | 0x80 });
        if done {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_are_as_the_standard_has_them() {
        // DWARF 4, figure 47.
        for (value, bytes) in [
            (2, &[2u8][..]),
            (-2, &[0x7e]),
            (127, &[0xff, 0]),
            (-127, &[0x81, 0x7f]),
            (128, &[0x80, 1]),
            (-128, &[0x80, 0x7f]),
        ] {
            let mut out = Vec::new();
            put_sleb(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }
}
