//! aarch64: `arch/arm64/kernel/signal.c`, `asm/sigcontext.h`; the calling convention of syscall(2).

use remu_engine::Cpu;
use remu_isa::ir::Slot;
use remu_isa::{Isa, StateDesc};
use remu_syscalls::{Errno, GuestMemory, SysResult};

use crate::loader::{Vdso, random_bytes};

use super::debug::{Debug, Feature, FrameLink, Reg};
use super::{
    Bytes, Frame, GuestOs, MCONTEXT, NT_PRFPREG, NT_PRSTATUS, RegNames, Regs, Returned, SIGINFO,
    get, set, set_fp,
};

/// `fault_address`, then x0 to x30, sp, pc, pstate.
const CONTEXT: usize = SIGINFO + MCONTEXT;
const X: usize = CONTEXT + 8;
const SP: usize = X + 31 * 8;
const PC: usize = SP + 8;
const PSTATE: usize = PC + 8;
/// `__reserved`: a list of records, each with magic and size.
const RECORDS: usize = CONTEXT + 288;
const RECORDS_SIZE: usize = 4096;
const SIZE: usize = RECORDS + RECORDS_SIZE;
/// `struct frame_record` behind the frame: saved x29 and x30.
const FRAME_RECORD: u64 = 16;

const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_SIZE: usize = 0x210;
const ESR_MAGIC: u32 = 0x4553_5201;
const ESR_SIZE: usize = 16;

/// Bits of `FPCR` that a program can set: AHP stays clear; DN, FZ, RMode, FZ16.
const FPCR_MASK: u32 = 0x03c8_0000;
/// N, Z, C and V in `pstate`.
const NZCV: u64 = 0xf000_0000;

pub(super) static OS: GuestOs = GuestOs {
    name: "aarch64",
    regs: RegNames {
        number: &["x8"],
        args: [&["x0"], &["x1"], &["x2"], &["x3"], &["x4"], &["x5"]],
        result: &["x0"],
        stack: &["sp"],
        tls: &["tpidr_el0", "tpidr"],
        monitor: &["excl_addr"],
    },
    syscall_len: 4,
    vdso: Vdso {
        version: "LINUX_2.6.39",
        functions: &[
            ("__kernel_rt_sigreturn", "rt_sigreturn"),
            ("__kernel_gettimeofday", "gettimeofday"),
            ("__kernel_clock_gettime", "clock_gettime"),
            ("__kernel_clock_getres", "clock_getres"),
        ],
        sigreturn: "__kernel_rt_sigreturn",
        // mov x8, #number; svc #0: what unwinders look for.
        call: |n| [0xd280_0008 | u32::from(n) << 5, 0xd400_0001].map(u32::to_le_bytes).concat(),
        ret: &[0xc0, 0x03, 0x5f, 0xd6],
        elf_flags: 0,
    },
    frame_size: SIZE as u64 + FRAME_RECORD + 32,
    min_signal_stack: 4720,
    platform: Some("aarch64"),
    // FP, ASIMD.
    hwcap: [0b11, 0],
    cpuinfo: |isa, i| {
        format!(
            "processor\t: {i}\nBogoMIPS\t: 100.00\nFeatures\t: {}\nCPU implementer\t: 0x00\n\
             CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0x000\nCPU revision\t: 0\n\n",
            feature_names(isa.hwcap())
        )
    },
    start: |cpu, regs| {
        set_fp(cpu, 0, Some(mode(0)));
        regs.clear_monitor(cpu);
        new_keys(cpu, regs, ALL_KEYS);
    },
    prctl,
    hwprobe: |_, _| None,
    push_frame,
    pop_frame,
    get_registers,
    set_registers,
    has_call_number: true,
    steps: true,
    debug: Debug {
        arch: "aarch64",
        features: debug_features,
        // brk #0.
        breakpoint: |len| (len == 4).then_some(&[0x00, 0x00, 0x20, 0xd4]),
        watches_before: true,
        stack_register: 31,
        return_register: 30,
        frame_link: FrameLink { register: 29, frame: 0, back: 8, stack: 16 },
        code_mask: !PAC_MASK,
        core_sets: &[
            NT_PRSTATUS,
            NT_PRFPREG,
            NT_ARM_TLS,
            NT_ARM_HW_BREAK,
            NT_ARM_HW_WATCH,
            NT_ARM_PAC_MASK,
        ],
        always: ["sp", "pc"],
    },
};

/// `org.gnu.gdb.aarch64.core`, `.fpu`, `.pauth`, `.tls`.
fn debug_features() -> Vec<Feature> {
    let mut core: Vec<Reg> =
        (0..31).map(|n| Reg::new(format!("x{n}"), 64, "int", NT_PRSTATUS, n * 8)).collect();
    core.push(Reg::new("sp", 64, "data_ptr", NT_PRSTATUS, 31 * 8));
    core.push(Reg::new("pc", 64, "code_ptr", NT_PRSTATUS, 32 * 8));
    core.push(Reg::new("cpsr", 32, "cpsr_flags", NT_PRSTATUS, 33 * 8));
    let flags = ["V", "C", "Z", "N"].iter().zip(28..);
    let flags = flags.map(|(f, n)| format!("<field name=\"{f}\" start=\"{n}\" end=\"{n}\"/>"));
    let flags: String = flags.collect();
    let mut fpu: Vec<Reg> =
        (0..32).map(|n| Reg::new(format!("v{n}"), 128, "aarch64v", NT_PRFPREG, n * 16)).collect();
    fpu.push(Reg::new("fpsr", 32, "int", NT_PRFPREG, 32 * 16));
    fpu.push(Reg::new("fpcr", 32, "int", NT_PRFPREG, 32 * 16 + 4));
    let pauth = vec![
        Reg::new("pauth_dmask", 64, "int", NT_ARM_PAC_MASK, 0),
        Reg::new("pauth_cmask", 64, "int", NT_ARM_PAC_MASK, 8),
    ];
    let tls = vec![Reg::new("tpidr", 64, "data_ptr", NT_ARM_TLS, 0)];
    vec![
        Feature {
            name: "org.gnu.gdb.aarch64.core",
            types: format!("<flags id=\"cpsr_flags\" size=\"4\">{flags}</flags>"),
            regs: core,
        },
        Feature { name: "org.gnu.gdb.aarch64.fpu", types: vector_types(), regs: fpu },
        Feature { name: "org.gnu.gdb.aarch64.pauth", types: String::new(), regs: pauth },
        Feature { name: "org.gnu.gdb.aarch64.tls", types: String::new(), regs: tls },
    ]
}

/// `aarch64v`: a vector register by the size of its lanes, each as all types of that size.
fn vector_types() -> String {
    let lanes: [(&str, &[(&str, &str)]); 4] = [
        ("d", &[("f", "ieee_double"), ("u", "uint64"), ("s", "int64")]),
        ("s", &[("f", "ieee_single"), ("u", "uint32"), ("s", "int32")]),
        ("h", &[("f", "ieee_half"), ("u", "uint16"), ("s", "int16")]),
        ("b", &[("u", "uint8"), ("s", "int8")]),
    ];
    let mut out = String::new();
    let mut all = String::new();
    for ((lane, types), count) in lanes.iter().zip([2, 4, 8, 16]) {
        let mut fields = String::new();
        for (kind, ty) in *types {
            let id = format!("v{lane}{kind}");
            out += &format!("<vector id=\"{id}\" type=\"{ty}\" count=\"{count}\"/>");
            fields += &format!("<field name=\"{kind}\" type=\"{id}\"/>");
        }
        out += &format!("<union id=\"vn{lane}\">{fields}</union>");
        all += &format!("<field name=\"{lane}\" type=\"vn{lane}\"/>");
    }
    for (kind, ty) in [("u", "uint128"), ("s", "int128")] {
        out += &format!("<vector id=\"vq{kind}\" type=\"{ty}\" count=\"1\"/>");
    }
    out += "<union id=\"vnq\"><field name=\"u\" type=\"vqu\"/><field name=\"s\" type=\"vqs\"/></union>";
    out + &format!("<union id=\"aarch64v\">{all}<field name=\"q\" type=\"vnq\"/></union>")
}

/// Names of the bits of `AT_HWCAP` and `AT_HWCAP2` in `/proc/cpuinfo` (`arch/arm64/kernel/cpuinfo.c`);
/// what no processor here has is left out.
#[rustfmt::skip]
const HWCAP_NAMES: [&[(u32, &str)]; 2] = [
    &[
        (0, "fp"), (1, "asimd"), (2, "evtstrm"), (3, "aes"), (4, "pmull"), (5, "sha1"), (6, "sha2"),
        (7, "crc32"), (8, "atomics"), (9, "fphp"), (10, "asimdhp"), (11, "cpuid"), (12, "asimdrdm"),
        (13, "jscvt"), (14, "fcma"), (15, "lrcpc"), (16, "dcpop"), (17, "sha3"), (18, "sm3"),
        (19, "sm4"), (20, "asimddp"), (21, "sha512"), (23, "asimdfhm"), (24, "dit"), (25, "uscat"),
        (26, "ilrcpc"), (27, "flagm"), (28, "ssbs"), (29, "sb"), (30, "paca"), (31, "pacg"),
    ],
    &[
        (0, "dcpodp"), (7, "flagm2"), (8, "frint"), (13, "i8mm"), (14, "bf16"), (15, "dgh"),
        (16, "rng"), (17, "bti"), (18, "mte"), (19, "ecv"), (20, "afp"), (21, "rpres"),
        (31, "wfxt"), (32, "ebf16"), (34, "cssc"), (43, "mops"), (44, "hbc"), (46, "lrcpc3"),
        (47, "lse128"),
    ],
];

fn feature_names(hwcap: [u64; 2]) -> String {
    let rows = HWCAP_NAMES.iter().zip(hwcap);
    let names: Vec<_> = rows
        .flat_map(|(rows, word)| rows.iter().filter(move |(bit, _)| word >> bit & 1 != 0))
        .map(|(_, name)| *name)
        .collect();
    names.join(" ")
}

/// Keys of pointer authentication, in the order of the bits of `PR_PAC_RESET_KEYS`.
const KEYS: [&str; 5] = ["apia", "apib", "apda", "apdb", "apga"];
const ALL_KEYS: u64 = (1 << KEYS.len()) - 1;
/// The keys whose use a program may switch off: all but the generic one.
const ENABLED_KEYS: u64 = 0xf;
/// `HWCAP_PACA`.
const PACA: u64 = 1 << 30;
const PR_PAC_RESET_KEYS: u64 = 54;
const PR_SET_TAGGED_ADDR_CTRL: u64 = 55;
const PR_GET_TAGGED_ADDR_CTRL: u64 = 56;
const PR_PAC_SET_ENABLED_KEYS: u64 = 60;
const PR_PAC_GET_ENABLED_KEYS: u64 = 61;

/// Gives the keys of a set new random values.
fn new_keys(cpu: &mut Cpu, regs: &Regs, keys: u64) {
    for (n, name) in KEYS.iter().enumerate() {
        if keys >> n & 1 != 0
            && let Some(r) = regs.desc.reg(name)
        {
            set(cpu, r.slot, u64::from_le_bytes(random_bytes()));
        }
    }
}

/// Pointer authentication and tagged addresses (prctl(2), Documentation/arch/arm64).
fn prctl(
    cpu: &mut Cpu,
    regs: &Regs,
    isa: &dyn Isa,
    op: u64,
    args: [u64; 4],
) -> Option<SysResult<u64>> {
    let authenticates = isa.hwcap()[0] & PACA != 0;
    let rest_is_zero = |from: usize| args[from..].iter().all(|&a| a == 0);
    let done = match op {
        PR_PAC_RESET_KEYS if authenticates && args[0] & !ALL_KEYS == 0 && rest_is_zero(1) => {
            new_keys(cpu, regs, if args[0] == 0 { ALL_KEYS } else { args[0] });
            0
        }
        PR_PAC_GET_ENABLED_KEYS if authenticates && rest_is_zero(0) => ENABLED_KEYS,
        // Keys stay enabled: code that signs and authenticates works either way.
        PR_PAC_SET_ENABLED_KEYS
            if authenticates && args[0] & !ENABLED_KEYS == 0 && args[1] & !args[0] == 0 =>
        {
            0
        }
        // Tags in addresses passed to system calls are not taken off.
        PR_SET_TAGGED_ADDR_CTRL | PR_GET_TAGGED_ADDR_CTRL if rest_is_zero(0) => 0,
        _ => return None,
    };
    Some(Ok(done))
}

fn x(desc: &StateDesc, n: usize) -> Option<Slot> {
    let lr = (n == 30).then(|| desc.reg("lr")).flatten();
    desc.reg(&format!("x{n}")).or(lr).map(|r| r.slot)
}

fn v(desc: &StateDesc, n: usize) -> Option<Slot> {
    desc.reg(&format!("v{n}")).or_else(|| desc.reg(&format!("q{n}"))).map(|r| r.slot)
}

/// Condition flags as `pstate` holds them: one packed register, or one per flag.
fn get_nzcv(cpu: &Cpu, regs: &Regs) -> u64 {
    let desc = regs.desc;
    if let Some(r) = desc.reg("nzcv").or_else(|| desc.reg("pstate")) {
        return get(cpu, r.slot) & NZCV;
    }
    let flag = |name, bit: u32| desc.reg(name).map_or(0, |r| (get(cpu, r.slot) & 1) << bit);
    flag("n", 31) | flag("z", 30) | flag("c", 29) | flag("v", 28)
}

fn set_nzcv(cpu: &mut Cpu, regs: &Regs, pstate: u64) {
    let desc = regs.desc;
    if let Some(r) = desc.reg("nzcv").or_else(|| desc.reg("pstate")) {
        set(cpu, r.slot, pstate & NZCV);
        return;
    }
    for (name, bit) in [("n", 31), ("z", 30), ("c", 29), ("v", 28)] {
        if let Some(r) = desc.reg(name) {
            set(cpu, r.slot, pstate >> bit & 1);
        }
    }
}

/// Cumulative exception bits of `FPSR` from the engine's sticky flags, and back.
fn fpsr(sticky: u32) -> u32 {
    // FPSR: 0 IOC, 1 DZC, 2 OFC, 3 UFC, 4 IXC, 7 IDC.
    let bit = |from: u32, to: u32| (sticky >> from & 1) << to;
    bit(0, 0) | bit(2, 1) | bit(3, 2) | bit(4, 3) | bit(5, 4) | bit(1, 7)
}

fn sticky(fpsr: u32) -> u32 {
    let bit = |from: u32, to: u32| (fpsr >> from & 1) << to;
    bit(0, 0) | bit(1, 2) | bit(2, 3) | bit(3, 4) | bit(4, 5) | bit(7, 1)
}

/// The engine's floating-point mode for `FPCR`: RMode (23:22), FZ (24), FZ16 (19).
fn mode(fpcr: u32) -> u32 {
    // Ties to even, up, down, to zero, numbered as the engine numbers rounding modes.
    let rounding = [1, 4, 3, 2][(fpcr >> 22 & 3) as usize];
    let (flush, flush_half) = (fpcr >> 24 & 1, fpcr >> 19 & 1);
    rounding | flush << 3 | flush << 4 | flush_half << 5
}

/// `FPSR` and `FPCR`.
fn status_and_control(cpu: &Cpu, desc: &StateDesc) -> (u32, u32) {
    let qc = desc.reg("qc").map_or(0, |r| u32::from(get(cpu, r.slot) != 0) << 27);
    let control = desc.reg("fpcr").map_or(0, |r| get(cpu, r.slot) as u32);
    (fpsr(cpu.header().fpstat) | qc, control)
}

fn set_status_and_control(cpu: &mut Cpu, desc: &StateDesc, status: u32, control: u32) {
    if let Some(r) = desc.reg("qc") {
        set(cpu, r.slot, u64::from(status >> 27 & 1));
    }
    let control = control & FPCR_MASK;
    if let Some(r) = desc.reg("fpcr") {
        set(cpu, r.slot, u64::from(control));
    }
    set_fp(cpu, sticky(status), Some(mode(control)));
}

fn push_frame(cpu: &mut Cpu, regs: &Regs, frame: &Frame) -> SysResult<()> {
    let desc = regs.desc;
    let mut b = Bytes::zeroed(SIZE);
    b.put(0, &frame.info);
    b.put_ucontext(SIGINFO, frame);
    b.put64(CONTEXT, frame.fault_address);
    for n in 0..31 {
        b.put64(X + n * 8, x(desc, n).map_or(0, |s| get(cpu, s)));
    }
    b.put64(SP, get(cpu, regs.stack));
    b.put64(PC, cpu.pc());
    b.put64(PSTATE, get_nzcv(cpu, regs));
    let mut at = RECORDS;
    b.put32(at, FPSIMD_MAGIC);
    b.put32(at + 4, FPSIMD_SIZE as u32);
    let (status, control) = status_and_control(cpu, desc);
    b.put32(at + 8, status);
    b.put32(at + 12, control);
    for n in 0..32 {
        let value = v(desc, n).map_or(0, |s| cpu.get(s));
        b.put(at + 16 + n * 16, &value.to_le_bytes());
    }
    at += FPSIMD_SIZE;
    if frame.is_fault {
        b.put32(at, ESR_MAGIC);
        b.put32(at + 4, ESR_SIZE as u32);
        // Data abort from a lower exception level, translation fault, level 3.
        b.put64(at + 8, 0x9200_0007);
    }
    let record = frame.stack.wrapping_sub(FRAME_RECORD) & !15;
    let sp = record.wrapping_sub(SIZE as u64) & !15;
    let memory = GuestMemory::default();
    memory.write_bytes(sp, &b.0)?;
    let (fp, lr) = (x(desc, 29).ok_or(Errno::EFAULT)?, x(desc, 30).ok_or(Errno::EFAULT)?);
    memory.write(record, &get(cpu, fp))?;
    memory.write(record + 8, &get(cpu, lr))?;
    set(cpu, fp, record);
    set(cpu, lr, frame.restorer);
    set(cpu, regs.stack, sp);
    set(cpu, regs.args[0], frame.signal as u64);
    if frame.wants_info {
        set(cpu, regs.args[1], sp);
        set(cpu, regs.args[2], sp + SIGINFO as u64);
    }
    cpu.set_pc(frame.handler);
    Ok(())
}

fn pop_frame(cpu: &mut Cpu, regs: &Regs) -> SysResult<Returned> {
    let desc = regs.desc;
    let sp = get(cpu, regs.stack);
    if sp & 15 != 0 {
        return Err(Errno::EFAULT);
    }
    let mut b = Bytes::zeroed(SIZE);
    GuestMemory::default().read_bytes(sp, &mut b.0)?;
    let fpsimd = find_record(&b, FPSIMD_MAGIC, FPSIMD_SIZE)?;
    for n in 0..31 {
        if let Some(s) = x(desc, n) {
            set(cpu, s, b.get64(X + n * 8));
        }
    }
    set(cpu, regs.stack, b.get64(SP));
    cpu.set_pc(b.get64(PC));
    set_nzcv(cpu, regs, b.get64(PSTATE));
    set_status_and_control(cpu, desc, b.get32(fpsimd + 8), b.get32(fpsimd + 12));
    for n in 0..32 {
        if let Some(s) = v(desc, n) {
            cpu.set(s, u128::from_le_bytes(b.array(fpsimd + 16 + n * 16)));
        }
    }
    Ok(b.returned(SIGINFO))
}

/// Walks the records for one kind; the kernel refuses a frame without `fpsimd_context`.
fn find_record(b: &Bytes, magic: u32, size: usize) -> SysResult<usize> {
    let mut at = RECORDS;
    while at + 8 <= SIZE {
        let (m, s) = (b.get32(at), b.get32(at + 4) as usize);
        if m == magic && s == size && at + size <= SIZE {
            return Ok(at);
        }
        if m == 0 || s < 8 || s % 16 != 0 || s > SIZE - at {
            break;
        }
        at += s;
    }
    Err(Errno::EFAULT)
}

const NT_ARM_TLS: u64 = 0x401;
const NT_ARM_HW_BREAK: u64 = 0x402;
const NT_ARM_HW_WATCH: u64 = 0x403;
const NT_ARM_PAC_MASK: u64 = 0x406;
/// The bits of a signed address that hold its code, of data and of code.
const PAC_MASK: u64 = 0x7f << 48;
/// `dbg_info` of a debug architecture of version 8 without breakpoint or watchpoint registers.
const NO_DEBUG_REGISTERS: u32 = 6 << 8;
/// `struct user_hwdebug_state`.
const HWDEBUG_SIZE: usize = 8 + 16 * 16;

/// `struct user_pt_regs`, `struct user_fpsimd_state` and what is only this processor's.
fn get_registers(cpu: &Cpu, regs: &Regs, kind: u64) -> Option<(usize, Vec<u8>)> {
    let desc = regs.desc;
    match kind {
        NT_PRSTATUS => {
            let mut b = Bytes::zeroed(34 * 8);
            (0..31).for_each(|n| b.put64(n * 8, x(desc, n).map_or(0, |s| get(cpu, s))));
            b.put64(31 * 8, get(cpu, regs.stack));
            b.put64(32 * 8, cpu.pc());
            b.put64(33 * 8, get_nzcv(cpu, regs));
            Some((8, b.0))
        }
        NT_PRFPREG => {
            let mut b = Bytes::zeroed(32 * 16 + 16);
            for n in 0..32 {
                b.put(n * 16, &v(desc, n).map_or(0, |s| cpu.get(s)).to_le_bytes());
            }
            let (status, control) = status_and_control(cpu, desc);
            b.put32(32 * 16, status);
            b.put32(32 * 16 + 4, control);
            Some((4, b.0))
        }
        NT_ARM_PAC_MASK => Some((8, [PAC_MASK.to_le_bytes(), PAC_MASK.to_le_bytes()].concat())),
        NT_ARM_TLS => Some((8, get(cpu, regs.tls).to_le_bytes().to_vec())),
        NT_ARM_HW_BREAK | NT_ARM_HW_WATCH => {
            let mut b = Bytes::zeroed(HWDEBUG_SIZE);
            b.put32(0, NO_DEBUG_REGISTERS);
            Some((4, b.0))
        }
        _ => None,
    }
}

fn set_registers(cpu: &mut Cpu, regs: &Regs, kind: u64, bytes: &[u8]) -> Option<()> {
    let desc = regs.desc;
    let b = Bytes(bytes.to_vec());
    match kind {
        NT_PRSTATUS if bytes.len() == 34 * 8 => {
            for n in 0..31 {
                set(cpu, x(desc, n)?, b.get64(n * 8));
            }
            set(cpu, regs.stack, b.get64(31 * 8));
            cpu.set_pc(b.get64(32 * 8));
            set_nzcv(cpu, regs, b.get64(33 * 8));
        }
        NT_PRFPREG if bytes.len() == 32 * 16 + 16 => {
            for n in 0..32 {
                cpu.set(v(desc, n)?, u128::from_le_bytes(b.array(n * 16)));
            }
            set_status_and_control(cpu, desc, b.get32(32 * 16), b.get32(32 * 16 + 4));
        }
        NT_ARM_TLS if bytes.len() == 8 => set(cpu, regs.tls, b.get64(0)),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_has_the_kernel_size() {
        // sizeof(struct rt_sigframe): siginfo 128, ucontext 4560.
        assert_eq!(SIZE, 128 + 4560);
        assert_eq!(PSTATE, CONTEXT + 272);
    }

    #[test]
    fn find_record_stops_at_nonsense() {
        let mut b = Bytes::zeroed(SIZE);
        assert!(find_record(&b, FPSIMD_MAGIC, FPSIMD_SIZE).is_err());
        b.put32(RECORDS, ESR_MAGIC);
        b.put32(RECORDS + 4, 7);
        assert!(find_record(&b, FPSIMD_MAGIC, FPSIMD_SIZE).is_err());
        b.put32(RECORDS + 4, 16);
        b.put32(RECORDS + 16, FPSIMD_MAGIC);
        b.put32(RECORDS + 20, FPSIMD_SIZE as u32);
        assert_eq!(find_record(&b, FPSIMD_MAGIC, FPSIMD_SIZE), Ok(RECORDS + 16));
    }

    #[test]
    fn sticky_flags_round_trip() {
        for f in 0..64 {
            assert_eq!(sticky(fpsr(f)), f);
        }
    }
}
