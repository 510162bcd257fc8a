//! Programs for aarch64. Expected values follow from DDI 0487, "ESR_EL1" and "PAR_EL1".

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

const UNDEFINED: u64 = 0x0200_0000;
/// SPSR of EL1 with its own stack pointer or EL0's, and of EL0.
const EL1H: u64 = 0x3c5;

#[test]
fn exceptions() {
    const N: u64 = 1 << 31;
    #[rustfmt::skip]
    check("traps", &[], 1, &[
        4, 0x3c0,
        0x5600_0123, EL1H,
        0xf200_0042, EL1H,
        UNDEFINED, EL1H,
        UNDEFINED, EL1H,
        0,
        0x5600_0001, N | 4, N, 0x100, 0x100,
        0x1fe0_0000, N | 5, 0x3ff0_0000_0000_0000,
        0x9600_0010, N | 5, 0x4000_0008, 77,
        0x9600_0050, N | 5, 0x4000_0010,
        0x8600_0010, N | 5, 0x4000_0000,
        0x8a00_0000, N | 5, 2,
        0x9600_0021, N | 5, 0x8000_0001,
        0x5600_0005, 0,
        UNDEFINED, 0,
        0x6232_c001, 0,
        0x620c_d3e4, 0,
        0x6212_dc28, 0,
        0x07e0_0000, 0,
        0x6234_f801, 0,
        UNDEFINED, 0,
        0x3ff0_0000_0000_0000,
        0x5600_600d, 0,
    ]);
}

#[test]
fn page_tables() {
    for grain in [12, 14, 16] {
        let page = 1 << grain;
        let at = |n: u64| 0x4000_0000 + n * page;
        let beyond = [1 << 39, 1 << 36, 1 << 42][(grain - 12) / 2];
        #[rustfmt::skip]
        check("paging", &[&format!("GRAIN={grain}")], 1, &[
            0x9600_000b, at(0) + 8, 0x1111, 0x400,
            0x1111,
            0x1111, 0x9600_004f, at(1) + 8,
            0,
            0x1111, 0x9600_000f, at(2) + 8, 0x1111,
            0x9600_000f, at(0) + 8, 0x9600_004f, at(0) + 8,
            0x8600_000f, at(2),
            0x9600_0007, at(3),
            0x9600_0004, beyond,
            0x9600_0047, at(3),
            0x1111,
            0, 0x80f,
            0x2222, 0x2222,
        ]);
    }
}

#[test]
fn pointer_authentication() {
    check("pac", &[], 1, &[1, 1, 1, 1, 1, 0x3fa9_12c4_77d0_5b1e, 1, 1]);
}

#[test]
fn timers() {
    check("timer", &[], 1, &[1_000_000_000, 7, 0, 1, 0, 1, 0x80, 2, 1, 0]);
}

#[test]
fn code_that_changes() {
    check("code", &[], 1, &[0, 1, 2, 0, 1, 2]);
}

#[test]
fn processors_count_together() {
    const ALREADY_ON: u64 = -4_i64 as u64;
    check("harts", &[], 4, &[ALREADY_ON, 80_000, 80_000]);
}
