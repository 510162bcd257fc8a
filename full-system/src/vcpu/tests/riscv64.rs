//! Programs for riscv64.

use super::{Machine, RAM, assemble};

const GUEST: &str = "riscv64";

/// What a program reports, with regions and with single instructions.
fn check(name: &str, cpus: usize, want: &[u64]) {
    let Some(code) = assemble(GUEST, name, &[]) else { return };
    for one_insn in [false, true] {
        let got = Machine::new(GUEST, &code, cpus, one_insn).run();
        assert_eq!(got, want, "{name}: {got:x?}, not {want:x?}, one_insn: {one_insn}");
    }
}

const INTERRUPT: u64 = 1 << 63;

#[test]
fn page_tables() {
    #[rustfmt::skip]
    check("paging", 1, &[
        0x1111, 0x47, 0xc7, 0x1111,
        15, 0x4000_1010,
        13, 0x4000_2000,
        0x1111,
        13, 0x4000_3000,
        13, 0x4000_3000,
        0x2222,
        12, 0x4000_4000,
        9,
    ]);
}

#[test]
fn timer() {
    check("timer", 1, &[0x20, INTERRUPT | 5, INTERRUPT | 5, INTERRUPT | 5, 0]);
}

#[test]
fn code_that_changes() {
    check("code", 1, &[0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn physical_memory_protection() {
    check("pmp", 1, &[22, 11, 33, 5, 7, 5, 2, 9]);
}

#[test]
fn harts_count_together() {
    check("harts", 4, &[80_000, 80_000]);
}

#[test]
fn exceptions() {
    let Some(code) = assemble(GUEST, "traps", &[]) else { return };
    for one_insn in [false, true] {
        let got = Machine::new(GUEST, &code, 1, one_insn).run();
        // Cause, place, value; the registers in between are not what a failed load leaves.
        let causes: Vec<u64> = got.to_vec();
        let at = |n: usize| causes[n];
        let start: Vec<(u64, u64)> = (0..5).map(|n| (at(3 * n), at(3 * n + 2))).collect();
        let pc = |n: usize| causes[3 * n + 1];
        assert_eq!(start[0].0, 11);
        assert_eq!(start[1], (2, 0xffff_ffff));
        assert_eq!((start[2].0, start[2].1), (3, RAM + pc(2)));
        assert_eq!((start[3].0, start[3].1 & 0xfff0_007f), (2, 0x7c00_0073));
        assert_eq!(start[4], (6, 0x8000_1002));
        assert_eq!((pc(1) - pc(0), pc(2) - pc(1)), (4, 4));
        let rest = &causes[15..];
        assert_eq!((rest[0], rest[2], rest[3]), (5, 0x4000, 77), "{rest:x?}");
        assert_eq!((rest[4], rest[6]), (7, 0x4008));
        assert_eq!((rest[7], rest[8] as i64, rest[9]), (1, 0x4002 - RAM as i64, 0x4002));
        // Floating point that is off, then on, which makes it dirty.
        assert_eq!((rest[10], rest.len()), (2, 14));
        assert_eq!(rest[13], 1);
    }
}

#[test]
fn paused_processors_answer_and_start_anew() {
    let Some(code) = assemble(GUEST, "timer", &[]) else { return };
    let m = Machine::new(GUEST, &code, 1, false);
    let before = m.cpus[0].dump();
    assert!(before.contains(&format!("{RAM:016x}")), "{before}");
    let first = m.run();
    assert_ne!(m.cpus[0].dump(), before);
    m.cpus[0].reset();
    assert_eq!(m.cpus[0].dump(), before);
    *m.end.0.lock().expect("not poisoned") = false;
    assert_eq!(m.run(), first);
}
