//! Programs for aarch64.

use super::{Machine, assemble};

const GUEST: &str = "aarch64";

/// What a program reports, with regions and with single instructions.
fn check(name: &str, symbols: &[&str], cpus: usize, want: &[u64]) {
    let Some(code) = assemble(GUEST, name, symbols) else { return };
    for one_insn in [false, true] {
        let got = Machine::new(GUEST, &code, cpus, one_insn).run();
        assert_eq!(got, want, "{name}: {got:x?}, not {want:x?}, one_insn: {one_insn}");
    }
}

#[test]
fn exceptions() {
    check("traps", &[], 1, &[]);
}

#[test]
fn page_tables() {
    for grain in ["GRAIN=12", "GRAIN=14", "GRAIN=16"] {
        check("paging", &[grain], 1, &[]);
    }
}

#[test]
fn timers() {
    check("timer", &[], 1, &[]);
}

#[test]
fn code_that_changes() {
    check("code", &[], 1, &[0, 1, 2, 0, 1, 2]);
}

#[test]
fn processors_count_together() {
    check("harts", &[], 4, &[-4_i64 as u64, 80_000, 80_000]);
}
