//! riscv64: `arch/riscv/kernel/signal.c`, `asm/sigcontext.h`, `asm/ptrace.h`; the calling convention
//! of syscall(2).

use remu_engine::Cpu;
use remu_isa::ir::Slot;
use remu_isa::{Isa, StateDesc};
use remu_syscalls::{GuestMemory, SysResult};

use crate::loader::Vdso;

use super::debug::{Debug, Feature, FrameLink, Place, Reg};
use super::{
    Bytes, Frame, GuestOs, MCONTEXT, NT_PRFPREG, NT_PRSTATUS, RegNames, Regs, Returned, SIGINFO,
    get, set, set_fp,
};

/// `sc_regs`: pc and x1 to x31.
const REGS: usize = SIGINFO + MCONTEXT;
/// `sc_fpregs`: f0 to f31 as doubles, then `fcsr`.
const FP: usize = REGS + 32 * 8;
/// `struct rt_sigframe`.
const SIZE: usize = FP + 528;

/// A letter of the ISA string as its `AT_HWCAP` bit.
const fn letter(c: u8) -> u64 {
    1 << (c - b'A')
}

pub(super) static OS: GuestOs = GuestOs {
    name: "riscv64",
    regs: RegNames {
        number: &["x17", "a7"],
        args: [
            &["x10", "a0"],
            &["x11", "a1"],
            &["x12", "a2"],
            &["x13", "a3"],
            &["x14", "a4"],
            &["x15", "a5"],
        ],
        result: &["x10", "a0"],
        stack: &["x2", "sp"],
        tls: &["x4", "tp"],
        monitor: &["reserved"],
    },
    syscall_len: 4,
    vdso: Vdso {
        version: "LINUX_4.15",
        functions: &[
            ("__vdso_rt_sigreturn", "rt_sigreturn"),
            ("__vdso_gettimeofday", "gettimeofday"),
            ("__vdso_clock_gettime", "clock_gettime"),
            ("__vdso_clock_getres", "clock_getres"),
            ("__vdso_getcpu", "getcpu"),
            ("__vdso_flush_icache", "riscv_flush_icache"),
            ("__vdso_riscv_hwprobe", "riscv_hwprobe"),
        ],
        sigreturn: "__vdso_rt_sigreturn",
        // li a7, number; ecall: what unwinders look for.
        call: |n| [0x893 | u32::from(n) << 20, 0x73].map(u32::to_le_bytes).concat(),
        ret: &[0x67, 0x80, 0x00, 0x00],
        // Compressed instructions, arguments in floating-point registers of 64 bits.
        elf_flags: 0b101,
    },
    frame_size: SIZE as u64 + 16,
    min_signal_stack: 2048,
    platform: None,
    hwcap: [
        letter(b'I') | letter(b'M') | letter(b'A') | letter(b'F') | letter(b'D') | letter(b'C'),
        0,
    ],
    cpuinfo: |isa, i| {
        format!("processor\t: {i}\nhart\t\t: {i}\nisa\t\t: {}\nmmu\t\t: sv48\n\n", isa_string(isa))
    },
    start: |cpu, regs| {
        set_fp(cpu, 0, Some(1));
        regs.clear_monitor(cpu);
    },
    prctl: |_, _, _, op, _| match op {
        // Every fence.i reaches every thread here, so that no context needs preparing.
        PR_RISCV_SET_ICACHE_FLUSH_CTX => Some(Ok(0)),
        _ => None,
    },
    hwprobe,
    push_frame,
    pop_frame,
    get_registers,
    set_registers,
    has_call_number: false,
    steps: false,
    debug: Debug {
        arch: "riscv:rv64",
        features: debug_features,
        // c.ebreak, ebreak.
        breakpoint: |len| match len {
            2 => Some(&[0x02, 0x90]),
            4 => Some(&[0x73, 0x00, 0x10, 0x00]),
            _ => None,
        },
        watches_before: false,
        stack_register: 2,
        return_register: 1,
        frame_link: FrameLink { register: 8, frame: -16, back: -8, stack: 0 },
        code_mask: u64::MAX,
        core_sets: &[NT_PRSTATUS, NT_PRFPREG],
        always: ["sp", "pc"],
    },
};

/// `org.gnu.gdb.riscv.cpu`, `.fpu`.
fn debug_features() -> Vec<Feature> {
    let mut cpu = vec![Reg { name: NAMES[0].into(), bits: 64, ty: "int", place: None }];
    for (n, name) in NAMES.iter().enumerate().skip(1) {
        let ty = match *name {
            "ra" => "code_ptr",
            "sp" | "gp" | "tp" | "s0" => "data_ptr",
            _ => "int",
        };
        cpu.push(Reg::new(*name, 64, ty, NT_PRSTATUS, n * 8));
    }
    cpu.push(Reg::new("pc", 64, "code_ptr", NT_PRSTATUS, 0));
    let mut fpu: Vec<Reg> = FNAMES
        .iter()
        .enumerate()
        .map(|(n, name)| Reg::new(*name, 64, "riscv_double", NT_PRFPREG, n * 8))
        .collect();
    let fcsr = |name: &str, field| {
        let place = Some(Place { set: NT_PRFPREG, offset: 32 * 8, field });
        Reg { name: name.into(), bits: 32, ty: "int", place }
    };
    fpu.extend([fcsr("fflags", Some((0, 5))), fcsr("frm", Some((5, 3))), fcsr("fcsr", None)]);
    let double = "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>\
                  <field name=\"double\" type=\"ieee_double\"/></union>";
    vec![
        Feature { name: "org.gnu.gdb.riscv.cpu", types: String::new(), regs: cpu },
        Feature { name: "org.gnu.gdb.riscv.fpu", types: double.into(), regs: fpu },
    ]
}

const PR_RISCV_SET_ICACHE_FLUSH_CTX: u64 = 71;

/// The extensions in the order and spelling of `/proc/cpuinfo`: single letters first.
fn isa_string(isa: &dyn Isa) -> String {
    let features = isa.features();
    let (letters, mut names): (Vec<_>, Vec<_>) = features.into_iter().partition(|n| n.len() == 1);
    names.extend(["zicntr", "zicsr", "zifencei"]);
    names.sort_unstable();
    format!("rv64i{}_{}", letters.concat(), names.join("_"))
}

/// riscv_hwprobe(2) (Documentation/arch/riscv/hwprobe.rst, `asm/hwprobe.h`).
fn hwprobe(isa: &dyn Isa, key: i64) -> Option<u64> {
    /// Bits of `RISCV_HWPROBE_KEY_IMA_EXT_0` by extension.
    const EXTENSIONS: &[(&str, u32)] = &[
        ("d", 0),
        ("c", 1),
        ("zba", 3),
        ("zbb", 4),
        ("zbs", 5),
        ("zicboz", 6),
        ("zbc", 7),
        ("zfh", 27),
        ("zfhmin", 28),
        ("zihintntl", 29),
        ("zfa", 32),
        ("zacas", 34),
        ("zicond", 35),
        ("zihintpause", 36),
        ("zcb", 44),
        ("zawrs", 48),
        ("zicbom", 55),
        ("zabha", 58),
        ("zicbop", 60),
    ];
    const ZICNTR: u64 = 1 << 50;
    const MISALIGNED_FAST: u64 = 3;
    const VECTOR_UNSUPPORTED: u64 = 4;
    const CACHE_BLOCK: u64 = 64;
    let features = isa.features();
    Some(match key {
        // Vendor, architecture and implementation: an open one without number.
        0..=2 => 0,
        // RISCV_HWPROBE_BASE_BEHAVIOR_IMA.
        3 => 1,
        4 => EXTENSIONS
            .iter()
            .filter(|(name, _)| features.contains(name))
            .fold(ZICNTR, |bits, (_, n)| bits | 1 << n),
        5 | 9 => MISALIGNED_FAST,
        6 | 12 | 15 => CACHE_BLOCK,
        // The highest address of 47 bits, as hosts give it.
        7 => (1 << 47) - 4096 - 1,
        10 => VECTOR_UNSUPPORTED,
        11 | 13 | 14 | 16 => 0,
        _ => return None,
    })
}

/// ABI names by number, for states that print those.
const NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];
const FNAMES: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

fn x(desc: &StateDesc, n: usize) -> Option<Slot> {
    desc.reg(&format!("x{n}")).or_else(|| desc.reg(NAMES[n])).map(|r| r.slot)
}

fn f(desc: &StateDesc, n: usize) -> Option<Slot> {
    desc.reg(&format!("f{n}")).or_else(|| desc.reg(FNAMES[n])).map(|r| r.slot)
}

/// `fflags` in the order of the `fcsr` register from the engine's sticky flags, and back.
fn fflags(sticky: u32) -> u32 {
    // Engine: 0 invalid, 2 divide by zero, 3 overflow, 4 underflow, 5 inexact.
    let bit = |from: u32, to: u32| (sticky >> from & 1) << to;
    bit(0, 4) | bit(2, 3) | bit(3, 2) | bit(4, 1) | bit(5, 0)
}

fn sticky(fflags: u32) -> u32 {
    let bit = |from: u32, to: u32| (fflags >> from & 1) << to;
    bit(4, 0) | bit(3, 2) | bit(2, 3) | bit(1, 4) | bit(0, 5)
}

fn push_frame(cpu: &mut Cpu, regs: &Regs, frame: &Frame) -> SysResult<()> {
    let desc = regs.desc;
    let mut b = Bytes::zeroed(SIZE);
    b.put(0, &frame.info);
    b.put_ucontext(SIGINFO, frame);
    b.put64(REGS, cpu.pc());
    for n in 1..32 {
        b.put64(REGS + n * 8, x(desc, n).map_or(0, |s| get(cpu, s)));
    }
    for n in 0..32 {
        b.put64(FP + n * 8, f(desc, n).map_or(0, |s| get(cpu, s)));
    }
    let frm = desc.reg("frm").map_or(0, |r| get(cpu, r.slot) as u32);
    b.put32(FP + 32 * 8, frm << 5 | fflags(cpu.header().fpstat));
    let at = frame.stack.wrapping_sub(SIZE as u64) & !15;
    GuestMemory::default().write_bytes(at, &b.0)?;
    if let Some(ra) = x(desc, 1) {
        set(cpu, ra, frame.restorer);
    }
    set(cpu, regs.stack, at);
    set(cpu, regs.args[0], frame.signal as u64);
    set(cpu, regs.args[1], at);
    set(cpu, regs.args[2], at + SIGINFO as u64);
    cpu.set_pc(frame.handler);
    Ok(())
}

fn pop_frame(cpu: &mut Cpu, regs: &Regs) -> SysResult<Returned> {
    let desc = regs.desc;
    let mut b = Bytes::zeroed(SIZE);
    GuestMemory::default().read_bytes(get(cpu, regs.stack), &mut b.0)?;
    cpu.set_pc(b.get64(REGS) & !1);
    for n in 1..32 {
        if let Some(s) = x(desc, n) {
            set(cpu, s, b.get64(REGS + n * 8));
        }
    }
    for n in 0..32 {
        if let Some(s) = f(desc, n) {
            set(cpu, s, b.get64(FP + n * 8));
        }
    }
    set_fcsr(cpu, desc, b.get32(FP + 32 * 8));
    Ok(b.returned(SIGINFO))
}

fn set_fcsr(cpu: &mut Cpu, desc: &StateDesc, fcsr: u32) {
    let mode = fcsr >> 5 & 7;
    if let Some(r) = desc.reg("frm") {
        set(cpu, r.slot, u64::from(mode));
    }
    // An invalid rounding mode makes instructions that use it illegal; the host keeps a valid one.
    set_fp(cpu, sticky(fcsr), Some(if mode < 5 { mode + 1 } else { 1 }));
}

/// `struct user_regs_struct`, `struct __riscv_d_ext_state`.
fn get_registers(cpu: &Cpu, regs: &Regs, kind: u64) -> Option<(usize, Vec<u8>)> {
    let desc = regs.desc;
    let value = |s: Option<Slot>| s.map_or(0, |s| get(cpu, s));
    match kind {
        NT_PRSTATUS => {
            let mut b = Bytes::zeroed(32 * 8);
            b.put64(0, cpu.pc());
            (1..32).for_each(|n| b.put64(n * 8, value(x(desc, n))));
            Some((8, b.0))
        }
        NT_PRFPREG => {
            let mut b = Bytes::zeroed(33 * 8);
            (0..32).for_each(|n| b.put64(n * 8, value(f(desc, n))));
            let frm = value(desc.reg("frm").map(|r| r.slot)) as u32;
            b.put32(32 * 8, frm << 5 | fflags(cpu.header().fpstat));
            Some((8, b.0))
        }
        _ => None,
    }
}

fn set_registers(cpu: &mut Cpu, regs: &Regs, kind: u64, bytes: &[u8]) -> Option<()> {
    let desc = regs.desc;
    let b = Bytes(bytes.to_vec());
    match kind {
        NT_PRSTATUS if bytes.len() == 32 * 8 => {
            cpu.set_pc(b.get64(0) & !1);
            for n in 1..32 {
                set(cpu, x(desc, n)?, b.get64(n * 8));
            }
        }
        NT_PRFPREG if bytes.len() == 33 * 8 => {
            for n in 0..32 {
                set(cpu, f(desc, n)?, b.get64(n * 8));
            }
            set_fcsr(cpu, desc, b.get32(32 * 8));
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_has_the_kernel_size() {
        // sizeof(struct rt_sigframe): siginfo 128, ucontext 960.
        assert_eq!(SIZE, 128 + 960);
        assert_eq!(FP + 256 - SIGINFO, 688);
    }

    #[test]
    fn sticky_flags_round_trip() {
        for f in 0..32 {
            assert_eq!(fflags(sticky(f)), f);
        }
    }
}
