//! riscv64: `arch/riscv/kernel/signal.c`, `asm/sigcontext.h`, `asm/ptrace.h`; the calling convention
//! of syscall(2).

use remu_engine::Cpu;
use remu_isa::ir::{Slot, Type};
use remu_isa::{Isa, StateDesc};
use remu_syscalls::{Errno, GuestMemory, SysResult};

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
/// The first `struct __riscv_ctx_hdr`: magic number and size of what follows, at the end of `sc_fpregs`.
const EXTENSION: usize = FP + 520;
/// `struct rt_sigframe` without extensions but for the header that ends them.
const SIZE: usize = FP + 528;
const V_MAGIC: u32 = 0x5346_5457;
/// `struct __sc_riscv_v_state` and 32 registers, with their header.
const V_SIZE: usize = 8 + 48 + 32 * VLENB;
/// Bytes of a vector register.
const VLENB: usize = 16;
/// `vtype` while the vector unit was not used.
const VILL: u64 = 1 << 63;

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
    frame_size: (SIZE + V_SIZE) as u64 + 16,
    min_signal_stack: 2048,
    platform: None,
    // The processor model says.
    hwcap: [0; 2],
    cpuinfo: |isa, i| {
        format!("processor\t: {i}\nhart\t\t: {i}\nisa\t\t: {}\nmmu\t\t: sv48\n\n", isa_string(isa))
    },
    start: |cpu, regs| {
        set_fp(cpu, 0, Some(1));
        put(cpu, regs.desc, "vtype", VILL);
        regs.clear_monitor(cpu);
    },
    prctl: |_, _, isa, op, args| match op {
        // Every fence.i reaches every thread here, so that no context needs preparing.
        PR_RISCV_SET_ICACHE_FLUSH_CTX => Some(Ok(0)),
        PR_RISCV_V_SET_CONTROL | PR_RISCV_V_GET_CONTROL if !isa.features().contains(&"v") => {
            Some(Err(Errno::EINVAL))
        }
        PR_RISCV_V_SET_CONTROL => Some(vector_control(args[0])),
        PR_RISCV_V_GET_CONTROL => Some(Ok(V_ON)),
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

const PR_RISCV_V_SET_CONTROL: u64 = 69;
const PR_RISCV_V_GET_CONTROL: u64 = 70;
const PR_RISCV_SET_ICACHE_FLUSH_CTX: u64 = 71;
const V_OFF: u64 = 1;
const V_ON: u64 = 2;

/// `PR_RISCV_V_SET_CONTROL` (Documentation/arch/riscv/vector.rst): the unit is on in every thread, and
/// what is on cannot be turned off; nor are programs to be started without it.
fn vector_control(control: u64) -> SysResult<u64> {
    let (now, next) = (control & 3, control >> 2 & 3);
    match (now, next) {
        _ if control >> 5 != 0 || now == 3 || next == 3 => Err(Errno::EINVAL),
        (V_OFF, _) => Err(Errno::EPERM),
        (_, V_OFF) => Err(Errno::EINVAL),
        _ => Ok(0),
    }
}

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
        ("v", 2),
        ("zba", 3),
        ("zbb", 4),
        ("zbs", 5),
        ("zicboz", 6),
        ("zbc", 7),
        ("zbkb", 8),
        ("zbkc", 9),
        ("zbkx", 10),
        ("zknd", 11),
        ("zkne", 12),
        ("zknh", 13),
        ("zksed", 14),
        ("zksh", 15),
        ("zkt", 16),
        ("zvbb", 17),
        ("zvbc", 18),
        ("zvkb", 19),
        ("zvkg", 20),
        ("zvkned", 21),
        ("zvknha", 22),
        ("zvknhb", 23),
        ("zvksed", 24),
        ("zvksh", 25),
        ("zvkt", 26),
        ("zfh", 27),
        ("zfhmin", 28),
        ("zihintntl", 29),
        ("zvfh", 30),
        ("zvfhmin", 31),
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
    /// Zve32x, Zve32f, Zve64x, Zve64f, Zve64d: parts of V.
    const ZVE: u64 = 31 << 37;
    const VECTOR_UNSUPPORTED: u64 = 4;
    const CACHE_BLOCK: u64 = 64;
    let features = isa.features();
    let vector = features.contains(&"v");
    Some(match key {
        // Vendor, architecture and implementation: an open one without number.
        0..=2 => 0,
        // RISCV_HWPROBE_BASE_BEHAVIOR_IMA.
        3 => 1,
        4 => EXTENSIONS
            .iter()
            .filter(|(name, _)| features.contains(name))
            .fold(ZICNTR | if vector { ZVE } else { 0 }, |bits, (_, n)| bits | 1 << n),
        5 | 9 => MISALIGNED_FAST,
        6 | 12 | 15 => CACHE_BLOCK,
        // The highest address of 47 bits, as hosts give it.
        7 => (1 << 47) - 4096 - 1,
        10 => {
            if vector {
                MISALIGNED_FAST
            } else {
                VECTOR_UNSUPPORTED
            }
        }
        11 | 13 | 14 | 16 => 0,
        _ => return None,
    })
}

/// elf.h; with `sizeof(struct __riscv_v_regset_state)` of 40 bytes before the registers.
const NT_RISCV_VECTOR: u64 = 0x901;

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

/// Value of a register by name; 0 for one that the state does not have.
fn named(cpu: &Cpu, desc: &StateDesc, name: &str) -> u64 {
    desc.reg(name).map_or(0, |r| get(cpu, r.slot))
}
fn put(cpu: &mut Cpu, desc: &StateDesc, name: &str, v: u64) {
    if let Some(r) = desc.reg(name) {
        set(cpu, r.slot, v);
    }
}
/// The halves of a vector register.
fn v(desc: &StateDesc, n: usize) -> Option<[Slot; 2]> {
    let Slot { offset, .. } = desc.reg(&format!("v{n}"))?.slot;
    Some([offset, offset + 8].map(|offset| Slot { offset, ty: Type::I64 }))
}

/// `vstart`, `vl`, `vtype`, `vcsr`, `vlenb`, as `struct __riscv_v_ext_state` and the vector register
/// set of debuggers begin.
fn put_vector_unit(b: &mut Bytes, at: usize, cpu: &Cpu, desc: &StateDesc) {
    let of = |name| named(cpu, desc, name);
    let vcsr = of("vxrm") << 1 | of("vxsat");
    let all = [of("vstart"), of("vl"), of("vtype"), vcsr, VLENB as u64];
    (0..).zip(all).for_each(|(n, x)| b.put64(at + n * 8, x));
}
fn set_vector_unit(cpu: &mut Cpu, desc: &StateDesc, b: &Bytes, at: usize) {
    let of = |n: usize| b.get64(at + n * 8);
    // Lengths that no setting gives do not get in.
    put(cpu, desc, "vstart", of(0) & 127);
    put(cpu, desc, "vl", of(1).min(8 * VLENB as u64));
    put(cpu, desc, "vtype", of(2) & (VILL | 0xff));
    put(cpu, desc, "vxrm", of(3) >> 1 & 3);
    put(cpu, desc, "vxsat", of(3) & 1);
    // Nothing is known of the unit: it is looked at before it is used.
    put(cpu, desc, "vunit", 0);
}
fn put_vectors(b: &mut Bytes, at: usize, cpu: &Cpu, desc: &StateDesc) {
    for n in 0..32 {
        for (half, slot) in (0..).zip(v(desc, n).into_iter().flatten()) {
            b.put64(at + n * VLENB + half * 8, get(cpu, slot));
        }
    }
}
fn set_vectors(cpu: &mut Cpu, desc: &StateDesc, b: &Bytes, at: usize) {
    for n in 0..32 {
        for (half, slot) in (0..).zip(v(desc, n).into_iter().flatten()) {
            set(cpu, slot, b.get64(at + n * VLENB + half * 8));
        }
    }
}
/// Whether the program has used the vector unit.
fn uses_vectors(cpu: &Cpu, desc: &StateDesc) -> bool {
    named(cpu, desc, "vtype") != VILL
        || (0..32).filter_map(|n| v(desc, n)).flatten().any(|slot| get(cpu, slot) != 0)
}

fn push_frame(cpu: &mut Cpu, regs: &Regs, frame: &Frame) -> SysResult<()> {
    let desc = regs.desc;
    let vectors = uses_vectors(cpu, desc);
    let size = if vectors { SIZE + V_SIZE } else { SIZE };
    let at = frame.stack.wrapping_sub(size as u64) & !15;
    let mut b = Bytes::zeroed(size);
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
    if vectors {
        let state = EXTENSION + 8;
        b.put32(EXTENSION, V_MAGIC);
        b.put32(EXTENSION + 4, V_SIZE as u32);
        put_vector_unit(&mut b, state, cpu, desc);
        b.put64(state + 40, at + state as u64 + 48);
        put_vectors(&mut b, state + 48, cpu, desc);
        // An instruction that was interrupted goes on after the handler, not in it.
        put(cpu, desc, "vstart", 0);
        put(cpu, desc, "vunit", 0);
    }
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
    let frame = get(cpu, regs.stack);
    GuestMemory::default().read_bytes(frame, &mut b.0)?;
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
    if b.get32(EXTENSION) == V_MAGIC && b.get32(EXTENSION + 4) == V_SIZE as u32 {
        let mut state = Bytes::zeroed(48);
        let at = frame.wrapping_add(EXTENSION as u64 + 8);
        GuestMemory::default().read_bytes(at, &mut state.0)?;
        let mut data = Bytes::zeroed(32 * VLENB);
        GuestMemory::default().read_bytes(state.get64(40), &mut data.0)?;
        set_vector_unit(cpu, desc, &state, 0);
        set_vectors(cpu, desc, &data, 0);
    }
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

/// `struct user_regs_struct`, `struct __riscv_d_ext_state`, `struct __riscv_v_regset_state`.
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
        NT_RISCV_VECTOR if named(cpu, desc, "vtype") != VILL => {
            let mut b = Bytes::zeroed(40 + 32 * VLENB);
            put_vector_unit(&mut b, 0, cpu, desc);
            put_vectors(&mut b, 40, cpu, desc);
            Some((1, b.0))
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
        NT_RISCV_VECTOR if bytes.len() == 40 + 32 * VLENB => {
            set_vector_unit(cpu, desc, &b, 0);
            set_vectors(cpu, desc, &b, 40);
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
