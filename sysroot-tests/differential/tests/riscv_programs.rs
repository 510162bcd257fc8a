//! Small riscv64 programs with known results, as translated code.

use core::mem::offset_of;
use std::sync::Arc;

use remu_engine::{CodeSource, Cpu, Engine, ExitKind, Options};
use remu_isa::Header;
use remu_riscv::state::{fcsr, set_fcsr, slots};

const BASE: u64 = 0x1_0000;

struct Code(Vec<u8>);

impl CodeSource for Code {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let Some(from) = addr.checked_sub(BASE).and_then(|at| self.0.get(at as usize..)) else {
            return 0;
        };
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        n
    }
}

fn machine(words: &[u32]) -> (Engine, Cpu) {
    let code = Code(words.iter().flat_map(|w| w.to_le_bytes()).collect());
    let isa = (remu_riscv::GUEST.make)("").unwrap();
    let options = Options { code_size: 1 << 20, ..Options::default() };
    let engine = Engine::new(isa, Arc::new(code), options).unwrap();
    let cpu = Cpu::new(&engine).unwrap();
    (engine, cpu)
}

/// Runs from the start to the system call.
fn run(engine: &Engine, cpu: &mut Cpu) {
    cpu.set_pc(BASE);
    loop {
        match engine.run(cpu) {
            ExitKind::KeyChanged => {}
            kind => return assert_eq!(kind, ExitKind::Syscall),
        }
    }
}

/// Writes `fcsr` as a signal handler's return would.
fn write_fcsr(cpu: &mut Cpu, v: u32) {
    let mut state = cpu.state().to_vec();
    set_fcsr(&mut state, v);
    let header = [offset_of!(Header, fpstat), offset_of!(Header, fpmode)];
    for offset in header.into_iter().chain([slots::frm(0).offset.into()]) {
        let slot = remu_ir::Slot { offset: offset as u16, ty: remu_ir::Type::I32 };
        let word = state[offset..offset + 4].try_into().map_or(0, u32::from_le_bytes);
        cpu.set(slot, word.into());
    }
}

#[test]
fn a_callee_changes_the_rounding_mode() {
    let (engine, mut cpu) = machine(&[
        0xf205_8553, // fmv.d.x fa0, a1
        0xf206_05d3, // fmv.d.x fa1, a2
        0x02b5_7653, // fadd.d fa2, fa0, fa1
        0x0100_00ef, // jal f
        0x02b5_76d3, // fadd.d fa3, fa0, fa1
        0x0030_26f3, // frcsr a3
        0x0000_0073, // ecall
        0x0000_8493, // f: mv s1, ra
        0x00c0_00ef, // jal g
        0x0004_8093, // mv ra, s1
        0x0000_8067, // ret
        0x0022_5073, // g: fsrmi 4
        0x02b5_7753, // fadd.d fa4, fa0, fa1
        0x0000_8067, // ret
    ]);
    // Half of one's last place: a tie, which goes to even or away from zero.
    let (one, half, above) = (1f64.to_bits(), 2f64.powi(-53).to_bits(), 1f64.to_bits() + 1);
    for _ in 0..3 {
        write_fcsr(&mut cpu, 0);
        cpu.set(slots::x(11), one.into());
        cpu.set(slots::x(12), half.into());
        run(&engine, &mut cpu);
        let sums = [12, 14, 13].map(|n| cpu.get(slots::f(n)) as u64);
        assert_eq!(sums, [one, above, above]);
        // Inexact, mode 4.
        assert_eq!((cpu.get(slots::x(13)), fcsr(cpu.state())), (0x81, 0x81));
        assert_eq!(cpu.pc(), BASE + 0x1c);
    }
}

#[test]
fn sum_of_a_loop() {
    let (engine, mut cpu) = machine(&[
        0x0000_0513, // li a0, 0
        0x00b5_0533, // 1: add a0, a0, a1
        0xfff5_8593, // addi a1, a1, -1
        0xfe05_9ce3, // bnez a1, 1b
        0x0000_0073, // ecall
    ]);
    cpu.set(slots::x(11), 1_000_000);
    run(&engine, &mut cpu);
    assert_eq!(cpu.get(slots::x(10)), 500_000_500_000);
}
