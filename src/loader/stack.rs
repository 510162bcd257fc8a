//! The initial stack: strings, argument and environment pointers, auxiliary vector
//! (System V ABI, "Process Initialization"; order of the entries as the kernel's `create_elf_tables`).

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU64, Ordering};

use remu_syscalls::{Errno, GuestMemory, MmapArgs, SysResult};

use super::{LoadError, Program};
use crate::mm::{AddressSpace, PAGE, page_down, page_up};

/// `AT_*` numbers that the C library's headers for the host may lack.
const AT_MINSIGSTKSZ: u64 = 51;

/// What the auxiliary vector says beyond the program's own headers.
#[derive(Clone, Debug, Default)]
pub struct AuxInfo {
    /// `AT_HWCAP`, `AT_HWCAP2`.
    pub hwcap: [u64; 2],
    /// `AT_PLATFORM`.
    pub platform: Option<&'static str>,
    /// `AT_MINSIGSTKSZ`.
    pub min_signal_stack: u64,
    /// `AT_SECURE`.
    pub secure: bool,
    /// `AT_EXECFN`: the path the program was started by.
    pub exec_path: CString,
    /// `AT_FLAGS`.
    pub flags: u64,
    /// `AT_SYSINFO_EHDR`; 0 leaves it out.
    pub vdso: u64,
}

/// The initial stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Initial stack pointer.
    pub pointer: u64,
    /// Highest address of the mapping.
    pub top: u64,
    /// Lowest address of the mapping.
    pub low: u64,
    /// Bytes of the auxiliary vector, for `/proc/self/auxv`.
    pub auxv: Vec<u8>,
    /// Where the argument strings begin and end.
    pub args: (u64, u64),
    /// Where the environment strings begin and end.
    pub env: (u64, u64),
}

/// State of the generator that `-seed` chooses; 0 asks the kernel each time.
static SEED: AtomicU64 = AtomicU64::new(0);

/// Makes [`random_bytes`] repeatable.
pub fn set_seed(seed: u64) {
    SEED.store(seed | 1 << 63, Ordering::Relaxed);
}

/// Random bytes from the kernel, or from the seed of `-seed`.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    if SEED.load(Ordering::Relaxed) == 0 && host_random(&mut out) {
        return out;
    }
    for chunk in out.chunks_mut(8) {
        // SplitMix64.
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut z = SEED.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
    }
    out
}

#[expect(unsafe_code, reason = "getrandom(2) has no safe wrapper here")]
fn host_random(out: &mut [u8]) -> bool {
    // SAFETY: out is a live, exclusive slice of the given length.
    let n = unsafe { libc::getrandom(out.as_mut_ptr().cast(), out.len(), libc::GRND_NONBLOCK) };
    n == out.len() as isize
}

/// Maps a stack of `size` bytes and fills it.
pub fn build(
    mm: &AddressSpace,
    size: u64,
    program: &Program,
    info: &AuxInfo,
    args: &[CString],
    env: &[CString],
) -> Result<Stack, LoadError> {
    let strings: usize = args.iter().chain(env).map(|s| s.as_bytes_with_nul().len() + 8).sum();
    let need = size.max(strings as u64 + 64 * PAGE);
    let len = page_up(need).ok_or(LoadError::Malformed("stack size"))?;
    let mut prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    if program.exec_stack {
        prot |= libc::PROT_EXEC as u64;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    let no_room = |errno| LoadError::NoRoom { addr: 0, len, errno };
    let map = MmapArgs { addr: 0, len: len + PAGE, prot, flags: flags as u64, fd: -1, offset: 0 };
    let (guard, _) = mm.mmap(map).map_err(no_room)?;
    let _ = mm.mprotect(guard, PAGE, 0).map_err(no_room)?;
    let low = guard + PAGE;
    let top = low + len;
    let mut w = Writer { memory: GuestMemory::default(), at: top - 8 };
    w.fill(program, info, args, env, low, top).map_err(no_room)
}

/// Writes downwards.
struct Writer {
    memory: GuestMemory,
    at: u64,
}

impl Writer {
    fn push(&mut self, bytes: &[u8]) -> SysResult<u64> {
        self.at = self.at.checked_sub(bytes.len() as u64).ok_or(Errno::E2BIG)?;
        self.memory.write_bytes(self.at, bytes)?;
        Ok(self.at)
    }

    fn string(&mut self, s: &CStr) -> SysResult<u64> {
        self.push(s.to_bytes_with_nul())
    }

    /// Pushes strings so that the first is lowest; their addresses.
    fn strings(&mut self, all: &[CString]) -> SysResult<Vec<u64>> {
        let mut at = all.iter().rev().map(|s| self.string(s)).collect::<SysResult<Vec<_>>>()?;
        at.reverse();
        Ok(at)
    }

    fn fill(
        &mut self,
        program: &Program,
        info: &AuxInfo,
        args: &[CString],
        env: &[CString],
        low: u64,
        top: u64,
    ) -> SysResult<Stack> {
        let exec_path = self.string(&info.exec_path)?;
        let env_end = self.at;
        let env_at = self.strings(env)?;
        let args_end = self.at;
        let args_at = self.strings(args)?;
        let args_start = self.at;
        self.at = page_align_random(self.at);
        let platform = match info.platform {
            Some(p) => self.push(&[p.as_bytes(), b"\0"].concat())?,
            None => 0,
        };
        let random = self.push(&random_bytes::<16>())?;
        let auxv = auxv(program, info, exec_path, platform, random);
        let mut words = vec![args.len() as u64];
        words.extend(&args_at);
        words.push(0);
        words.extend(&env_at);
        words.push(0);
        words.extend(auxv.iter().flatten());
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.at = (self.at.checked_sub(bytes.len() as u64).ok_or(Errno::E2BIG)?) & !15;
        self.memory.write_bytes(self.at, &bytes)?;
        Ok(Stack {
            pointer: self.at,
            top,
            low,
            auxv: auxv.iter().flatten().flat_map(|w| w.to_le_bytes()).collect(),
            args: (args_start, args_end),
            env: (args_end, env_end),
        })
    }
}

/// Moves down by up to 8 KiB, as the kernel's `arch_align_stack`, to a multiple of 16.
fn page_align_random(at: u64) -> u64 {
    (at - u64::from(u16::from_le_bytes(random_bytes()) & 0x1fff)) & !15
}

fn auxv(
    program: &Program,
    info: &AuxInfo,
    exec_path: u64,
    platform: u64,
    random: u64,
) -> Vec<[u64; 2]> {
    let id = |f: nix::unistd::Uid| u64::from(f.as_raw());
    let gid = |f: nix::unistd::Gid| u64::from(f.as_raw());
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    let mut v = vec![
        [libc::AT_SYSINFO_EHDR, info.vdso],
        [AT_MINSIGSTKSZ, info.min_signal_stack],
        [libc::AT_HWCAP, info.hwcap[0]],
        [libc::AT_PAGESZ, PAGE],
        [libc::AT_CLKTCK, ticks.ok().flatten().unwrap_or(100) as u64],
        [libc::AT_PHDR, program.placed.phdr],
        [libc::AT_PHENT, 56],
        [libc::AT_PHNUM, program.placed.phnum],
        [libc::AT_BASE, program.base],
        [libc::AT_FLAGS, info.flags],
        [libc::AT_ENTRY, program.placed.entry],
        [libc::AT_UID, id(nix::unistd::getuid())],
        [libc::AT_EUID, id(nix::unistd::geteuid())],
        [libc::AT_GID, gid(nix::unistd::getgid())],
        [libc::AT_EGID, gid(nix::unistd::getegid())],
        [libc::AT_SECURE, u64::from(info.secure)],
        [libc::AT_RANDOM, random],
        [libc::AT_HWCAP2, info.hwcap[1]],
        [libc::AT_EXECFN, exec_path],
    ];
    v.retain(|entry| *entry != [libc::AT_SYSINFO_EHDR, 0]);
    if platform != 0 {
        v.push([libc::AT_PLATFORM, platform]);
    }
    v.push([libc::AT_NULL, 0]);
    v
}

/// Bytes of stack to map: `-s`, else what the limit allows within reason. The whole size is
/// reserved at once but only touched pages take memory.
pub fn stack_size(option: Option<u64>) -> u64 {
    const LEAST: u64 = 8 << 20;
    const MOST: u64 = 1 << 30;
    if let Some(size) = option {
        return page_down(size.clamp(16 * PAGE, 1 << 40));
    }
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_STACK);
    match limit {
        Ok((libc::RLIM_INFINITY, _)) => 64 << 20,
        Ok((soft, _)) => page_down(soft.clamp(LEAST, MOST)),
        Err(_) => LEAST,
    }
}
