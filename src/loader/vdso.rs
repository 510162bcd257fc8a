//! The guest's vdso: a small shared object in memory whose functions make system calls, which the
//! runner answers as the host's own vdso does. C libraries, Go and unwinders look it up by
//! `AT_SYSINFO_EHDR` (vdso(7)); signal handlers return through it.

/// What one guest's vdso holds.
#[derive(Debug)]
pub struct Vdso {
    /// Version of every symbol, as the guest's kernel names it.
    pub version: &'static str,
    /// Functions by name, and the call each makes.
    pub functions: &'static [(&'static str, &'static str)],
    /// The function that returns from a signal handler; it is the call and nothing else.
    pub sigreturn: &'static str,
    /// Machine code that loads a call's number and makes it.
    pub call: fn(u16) -> Vec<u8>,
    /// Machine code that returns to the caller.
    pub ret: &'static [u8],
    /// `e_flags`.
    pub elf_flags: u32,
}

/// Name under which the object records itself (`DT_SONAME`).
const SONAME: &str = "linux-vdso.so.1";
const EHDR: usize = 64;
const PHDR: usize = 56;
const SYM: usize = 24;
/// Functions begin at multiples of this.
const ALIGN: usize = 16;

/// The image of a vdso, and where in it the return from signal handlers is.
#[derive(Debug)]
pub struct VdsoImage {
    /// The file, loaded as it is at any page.
    pub bytes: Vec<u8>,
    /// Offset of [`Vdso::sigreturn`].
    pub sigreturn: u64,
}

/// Bytes under construction.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn u16(&mut self, v: u16) {
        self.0.extend(v.to_le_bytes());
    }
    fn u32(&mut self, v: u32) {
        self.0.extend(v.to_le_bytes());
    }
    fn u64(&mut self, v: u64) {
        self.0.extend(v.to_le_bytes());
    }
    fn align(&mut self, to: usize) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self.0.len() as u64
    }
    /// Adds a string and its end; where it is.
    fn string(&mut self, s: &str) -> u32 {
        let at = self.0.len() as u32;
        self.0.extend(s.as_bytes());
        self.0.push(0);
        at
    }
}

/// The hash function of the System V ABI ("Hash Table").
fn hash(name: &str) -> u32 {
    name.bytes().fold(0u32, |h, b| {
        let h = (h << 4).wrapping_add(b.into());
        let high = h & 0xf000_0000;
        (h ^ high >> 24) & !high
    })
}

/// Builds the image for a machine (`e_machine`); `number` gives the number of a call.
///
/// Layout: header, program headers, `.hash`, `.dynsym`, `.dynstr`, `.gnu.version`, `.gnu.version_d`,
/// `.dynamic`, code; one read-only executable segment. Numbers not found leave their function out.
pub fn build(vdso: &Vdso, machine: u16, number: impl Fn(&str) -> Option<u64>) -> VdsoImage {
    let mut code = Out::default();
    let mut sigreturn = 0;
    let mut symbols = Vec::new();
    for (name, call) in vdso.functions {
        let Some(number) = number(call).and_then(|n| u16::try_from(n).ok()) else { continue };
        let at = code.align(ALIGN);
        code.0.extend((vdso.call)(number));
        if *name == vdso.sigreturn {
            sigreturn = at;
        } else {
            code.0.extend(vdso.ret);
        }
        symbols.push((*name, at, code.0.len() as u64 - at));
    }

    let mut strings = Out(vec![0]);
    let soname = strings.string(SONAME);
    let version = strings.string(vdso.version);
    let names: Vec<u32> = symbols.iter().map(|s| strings.string(s.0)).collect();

    let mut out = Out::default();
    out.0.resize(EHDR + 2 * PHDR, 0);
    // One bucket: the chain is every symbol in turn.
    let hash_at = out.align(8);
    let count = symbols.len() as u32 + 1;
    out.u32(1);
    out.u32(count);
    out.u32(if count > 1 { 1 } else { 0 });
    out.u32(0);
    (1..count).for_each(|n| out.u32(if n + 1 < count { n + 1 } else { 0 }));
    let symbols_at = out.align(8);
    let strings_at = symbols_at + (count as usize * SYM) as u64;
    let versions_at = (strings_at + strings.0.len() as u64).next_multiple_of(8);
    let definitions_at = (versions_at + 2 * u64::from(count)).next_multiple_of(8);
    // Two definitions: the object itself and the one version.
    let dynamic_at = definitions_at + 2 * (20 + 8);
    let dynamic = [
        (14, u64::from(soname)),
        (4, hash_at),
        (5, strings_at),
        (6, symbols_at),
        (10, strings.0.len() as u64),
        (11, SYM as u64),
        (0x6fff_fffc, definitions_at),
        (0x6fff_fffd, 2),
        (0x6fff_fff0, versions_at),
        (0, 0),
    ];
    let code_at = (dynamic_at + 16 * dynamic.len() as u64).next_multiple_of(ALIGN as u64);
    let size = code_at + code.0.len() as u64;

    out.0.resize(out.0.len() + SYM, 0);
    for ((_, at, len), name) in symbols.iter().zip(&names) {
        out.u32(*name);
        // STB_GLOBAL, STT_FUNC; default visibility; a section that is not 0: defined.
        out.0.extend([0x12, 0]);
        out.u16(1);
        out.u64(code_at + at);
        out.u64(*len);
    }
    out.0.extend(&strings.0);
    out.align(8);
    out.u16(0);
    (1..count).for_each(|_| out.u16(2));
    out.align(8);
    for (flags, index, name, text, next) in
        [(1, 1, soname, SONAME, 28), (0, 2, version, vdso.version, 0)]
    {
        out.u16(1);
        out.u16(flags);
        out.u16(index);
        out.u16(1);
        out.u32(hash(text));
        out.u32(20);
        out.u32(next);
        out.u32(name);
        out.u32(0);
    }
    for (tag, value) in dynamic {
        out.u64(tag);
        out.u64(value);
    }
    out.align(ALIGN);
    out.0.extend(&code.0);

    let mut head = Out::default();
    head.0.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.u16(3);
    head.u16(machine);
    head.u32(1);
    head.u64(0);
    head.u64(EHDR as u64);
    head.u64(0);
    head.u32(vdso.elf_flags);
    [EHDR, PHDR, 2, 64, 0, 0].iter().for_each(|&v| head.u16(v as u16));
    // PT_LOAD, readable and executable; PT_DYNAMIC, readable.
    let dynamic_len = 16 * dynamic.len() as u64;
    for (kind, flags, at, len, align) in
        [(1, 5, 0, size, 0x1000), (2, 4, dynamic_at, dynamic_len, 8)]
    {
        head.u32(kind);
        head.u32(flags);
        [at, at, at, len, len, align].iter().for_each(|&v| head.u64(v));
    }
    out.0[..head.0.len()].copy_from_slice(&head.0);
    VdsoImage { bytes: out.0, sigreturn: code_at + sigreturn }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Vdso = Vdso {
        version: "LINUX_1",
        functions: &[("f", "one"), ("absent", "none"), ("back", "two")],
        sigreturn: "back",
        call: |n| vec![n as u8; 4],
        ret: &[0xee],
        elf_flags: 5,
    };

    #[test]
    fn image_has_every_known_function() {
        let number = |name: &str| ["zero", "one", "two"].iter().position(|n| *n == name);
        let image = build(&TWO, 243, |n| number(n).map(|n| n as u64));
        let at = image.sigreturn as usize;
        assert_eq!(image.bytes[at..], [2, 2, 2, 2]);
        assert_eq!(image.bytes[at - ALIGN..at - ALIGN + 5], [1, 1, 1, 1, 0xee]);
        let text = String::from_utf8_lossy(&image.bytes).into_owned();
        assert!(text.contains("\0f\0back\0") && !text.contains("absent"));
        assert_eq!(image.bytes[18..20], [243, 0]);
    }

    #[test]
    fn hash_is_the_abi_s() {
        // The System V ABI's function of these names, as glibc's and the kernel's tools give it.
        assert_eq!(hash("printf"), 0x077905a6);
        assert_eq!(hash("LINUX_2.6.39"), 0x075fcb89);
    }
}
