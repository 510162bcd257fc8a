//! What the runner must know of a guest's Linux ABI: which registers carry a system call, the
//! signal frame, the auxiliary vector. One row per guest.

mod aarch64;
pub(crate) mod debug;
mod riscv64;

use std::mem::offset_of;

use remu_engine::Cpu;
use remu_isa::ir::{Slot, Type};
use remu_isa::{Header, Isa, StateDesc};
use remu_syscalls::SysResult;

use crate::loader::Vdso;

/// Names of the registers that the kernel's ABI gives a meaning. The first name of each list that
/// the state has is taken.
#[derive(Debug)]
pub(crate) struct RegNames {
    /// System call number.
    pub number: &'static [&'static str],
    /// System call arguments.
    pub args: [&'static [&'static str]; 6],
    /// System call result.
    pub result: &'static [&'static str],
    /// Stack pointer.
    pub stack: &'static [&'static str],
    /// Thread pointer.
    pub tls: &'static [&'static str],
    /// Address that a load-exclusive or load-reserved watches; all ones when it watches none.
    pub monitor: &'static [&'static str],
}

/// The registers of [`RegNames`], found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regs {
    /// Every register, for signal frames.
    pub desc: &'static StateDesc,
    /// System call number.
    pub number: Slot,
    /// System call arguments.
    pub args: [Slot; 6],
    /// System call result.
    pub result: Slot,
    /// Stack pointer.
    pub stack: Slot,
    /// Thread pointer.
    pub tls: Slot,
    /// See [`RegNames::monitor`].
    pub monitor: Option<Slot>,
}

/// What a signal frame holds besides the registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Signal number.
    pub signal: i32,
    /// `siginfo_t`.
    pub info: [u8; 128],
    /// `SA_SIGINFO` was given.
    pub wants_info: bool,
    /// Handler address.
    pub handler: u64,
    /// Return address for the handler.
    pub restorer: u64,
    /// Mask that `rt_sigreturn` restores.
    pub mask: u64,
    /// `uc_stack`: address, flags, bytes.
    pub alt_stack: (u64, i32, u64),
    /// Where the frame's end may lie: the interrupted or the alternate stack pointer.
    pub stack: u64,
    /// Address of the last fault.
    pub fault_address: u64,
    /// The signal reports a fault of the processor.
    pub is_fault: bool,
}

/// What a signal frame gives back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Returned {
    /// Mask to restore.
    pub mask: u64,
    /// Alternate stack to restore: address, flags, bytes.
    pub alt_stack: (u64, i32, u64),
}

/// One guest's Linux ABI, as the runner needs it.
pub(crate) struct GuestOs {
    /// Name, spelled as QEMU spells it.
    pub name: &'static str,
    /// Registers.
    pub regs: RegNames,
    /// Bytes of the system call instruction.
    pub syscall_len: u64,
    /// The vdso.
    pub vdso: Vdso,
    /// Bytes that a signal frame takes from the stack, all paddings included.
    pub frame_size: u64,
    /// `AT_MINSIGSTKSZ`.
    pub min_signal_stack: u64,
    /// `AT_PLATFORM`.
    pub platform: Option<&'static str>,
    /// `AT_HWCAP` and `AT_HWCAP2` where the processor model does not say.
    pub hwcap: [u64; 2],
    /// `/proc/cpuinfo` for one processor.
    pub cpuinfo: fn(&dyn Isa, index: usize) -> String,
    /// Sets the registers that do not start as zero in a new program, but for the stack pointer.
    pub start: fn(&mut Cpu, &Regs),
    /// prctl(2) operations of the processor; `None` for one that is not its own.
    pub prctl: fn(&mut Cpu, &Regs, &dyn Isa, op: u64, args: [u64; 4]) -> Option<SysResult<u64>>,
    /// Value of a key of riscv_hwprobe(2); `None` for a key that is not known.
    pub hwprobe: fn(&dyn Isa, key: i64) -> Option<u64>,
    /// Writes a signal frame and sets the registers for the handler.
    pub push_frame: fn(&mut Cpu, &Regs, &Frame) -> SysResult<()>,
    /// Reads the frame at the stack pointer back.
    pub pop_frame: fn(&mut Cpu, &Regs) -> SysResult<Returned>,
    /// A register set for a debugger, by its note type (`PTRACE_GETREGSET`); `None` for one that the
    /// processor does not have. With the size of its parts, of which a request takes whole ones.
    pub get_registers: fn(&Cpu, &Regs, kind: u64) -> Option<(usize, Vec<u8>)>,
    /// Sets all of one (`PTRACE_SETREGSET`).
    pub set_registers: fn(&mut Cpu, &Regs, kind: u64, &[u8]) -> Option<()>,
    /// The number of a call is a register set of its own (`NT_ARM_SYSTEM_CALL`).
    pub has_call_number: bool,
    /// The kernel single-steps.
    pub steps: bool,
    /// For debuggers outside.
    pub debug: debug::Debug,
}

/// Every guest's row.
static ALL: [&GuestOs; 2] = [&riscv64::OS, &aarch64::OS];

/// The row of a guest.
pub(crate) fn find(name: &str) -> Option<&'static GuestOs> {
    ALL.into_iter().find(|g| g.name == name)
}

fn slot(desc: &StateDesc, names: &[&str]) -> Option<Slot> {
    names.iter().find_map(|n| desc.reg(n)).map(|r| r.slot)
}

impl Regs {
    /// Finds the registers in a state; `None` when one is missing.
    pub(crate) fn find(names: &RegNames, desc: &'static StateDesc) -> Option<Regs> {
        let mut args = [Slot { offset: 0, ty: Type::I64 }; 6];
        for (to, from) in args.iter_mut().zip(&names.args) {
            *to = slot(desc, from)?;
        }
        Some(Regs {
            desc,
            number: slot(desc, names.number)?,
            args,
            result: slot(desc, names.result)?,
            stack: slot(desc, names.stack)?,
            tls: slot(desc, names.tls)?,
            monitor: slot(desc, names.monitor),
        })
    }

    /// Every slot that belongs to a guest: its registers and what of the header is theirs.
    pub(crate) fn all(&self) -> impl Iterator<Item = Slot> + use<> {
        let header = [
            (offset_of!(Header, pc), Type::I64),
            (offset_of!(Header, fpstat), Type::I32),
            (offset_of!(Header, fpmode), Type::I32),
        ];
        let header = header.into_iter().map(|(at, ty)| Slot { offset: at as u16, ty });
        self.desc.regs.iter().map(|r| r.slot).chain(header)
    }

    /// Ends a load-exclusive or load-reserved, as entering and leaving the kernel does.
    pub(crate) fn clear_monitor(&self, cpu: &mut Cpu) {
        if let Some(s) = self.monitor {
            set(cpu, s, u64::MAX);
        }
    }
}

/// A register as 64 bits.
pub(crate) fn get(cpu: &Cpu, slot: Slot) -> u64 {
    cpu.get(slot) as u64
}

/// Sets a register of at most 64 bits, or the low half of a wider one and zeroes the rest.
pub(crate) fn set(cpu: &mut Cpu, slot: Slot, value: u64) {
    cpu.set(slot, u128::from(value));
}

/// Sets the floating-point status and mode words of the header.
fn set_fp(cpu: &mut Cpu, sticky: u32, mode: Option<u32>) {
    let word = |offset: usize| Slot { offset: offset as u16, ty: Type::I32 };
    set(cpu, word(offset_of!(Header, fpstat)), u64::from(sticky));
    if let Some(mode) = mode {
        set(cpu, word(offset_of!(Header, fpmode)), u64::from(mode));
    }
}

/// Writes integers and byte runs at fixed offsets of a frame under construction.
struct Bytes(Vec<u8>);

impl Bytes {
    fn zeroed(len: usize) -> Bytes {
        Bytes(vec![0; len])
    }
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
    fn put64(&mut self, at: usize, v: u64) {
        self.put(at, &v.to_le_bytes());
    }
    fn put32(&mut self, at: usize, v: u32) {
        self.put(at, &v.to_le_bytes());
    }
    fn get64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }
    fn get32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.0[at..at + N]);
        out
    }
    /// `uc_flags`, `uc_link`, `uc_stack`, `uc_sigmask` of a 64-bit `ucontext` at `at`: the same in
    /// every guest that uses the kernel's `asm-generic/ucontext.h`.
    fn put_ucontext(&mut self, at: usize, f: &Frame) {
        self.put64(at + 16, f.alt_stack.0);
        self.put32(at + 24, f.alt_stack.1 as u32);
        self.put64(at + 32, f.alt_stack.2);
        self.put64(at + 40, f.mask);
    }
    fn returned(&self, at: usize) -> Returned {
        Returned {
            mask: self.get64(at + 40),
            alt_stack: (self.get64(at + 16), self.get32(at + 24) as i32, self.get64(at + 32)),
        }
    }
}

/// The register sets that every processor has (`linux/elf.h`).
const NT_PRSTATUS: u64 = 1;
const NT_PRFPREG: u64 = 2;

/// Offset of `uc_mcontext` in `ucontext` (`asm-generic/ucontext.h`, 16-byte aligned context).
const MCONTEXT: usize = 176;
/// Bytes of `siginfo_t`.
const SIGINFO: usize = 128;
