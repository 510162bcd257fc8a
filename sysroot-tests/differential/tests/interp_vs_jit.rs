//! Every row of every guest, alone and in sequences.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use remu_differential::{Bench, DATA, DATA_SIZE, Rng, Row, Subject, Verdict};
use remu_isa::RegDesc;

/// The data has one address.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `REMU_DIFFERENTIAL` multiplies the number of cases.
fn factor() -> usize {
    std::env::var("REMU_DIFFERENTIAL").ok().and_then(|v| v.parse().ok()).unwrap_or(1)
}

/// Checks each row `each` times alone, then sequences.
fn compare(subject: Subject, rows: &[Row], each: usize, sequences: usize) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bench = Bench::new(subject, "").unwrap();
    let mut failures: BTreeMap<&str, String> = BTreeMap::new();
    let mut rng = Rng::new(1);
    let (mut compared, mut endless) = (0, 0);
    for row in rows {
        for _ in 0..each * factor() {
            let Some(w) = subject.instance(&mut rng, row) else { continue };
            let case = bench.case(&mut rng, vec![(w, row.len)]);
            compared += 1;
            match bench.check(&case) {
                Verdict::Same => {}
                Verdict::Endless => endless += 1,
                Verdict::Differs(report) => {
                    failures.insert(row.name, bench.shrink(case, report));
                    break;
                }
            }
        }
    }
    if failures.is_empty() {
        for n in 0..sequences * factor() {
            let len = 2 + rng.below(30);
            let code = bench.sequence(&mut rng, rows, len);
            let case = bench.case(&mut rng, code);
            compared += 1;
            match bench.check(&case) {
                Verdict::Same => {}
                Verdict::Endless => endless += 1,
                Verdict::Differs(report) => {
                    let report = bench.shrink(case, report);
                    failures.insert("sequence", format!("sequence {n} {report}"));
                    break;
                }
            }
        }
    }
    eprintln!("{}: {compared} compared, {endless} of them endless", subject.guest.name);
    let text: String = failures.iter().map(|(n, r)| format!("{n} {r}")).collect();
    assert!(failures.is_empty(), "{} rows differ\n{text}", failures.len());
    assert!(endless * 4 < compared, "most cases must end");
}

/// Sequences of few instructions over few registers, which find what random ones do not: values that
/// are used again. `places` names registers that hold addresses of data.
fn compare_dense(subject: Subject, places: &[&str], one: impl Fn(&mut Rng) -> u32) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bench = Bench::new(subject, "").unwrap();
    let mut rng = Rng::new(11);
    let places = bench.registers(|name| places.contains(&name));
    for n in 0..3000 * factor() {
        let code = (0..4 + rng.below(60)).map(|_| (one(&mut rng), 4)).collect();
        let mut case = bench.case(&mut rng, code);
        for &x in &places {
            // Not all of the data is in reach now and then.
            let end = if rng.below(8) == 0 { 40 } else { 64 };
            case.regs[x] = u128::from(DATA + DATA_SIZE as u64 - end);
        }
        if let Verdict::Differs(report) = bench.check(&case) {
            panic!("sequence {n} {}", bench.shrink(case, report));
        }
    }
}

mod riscv64 {
    use super::*;

    const FRM: &str = "frm";

    fn accept(rng: &mut Rng, row: &Row, word: &mut u32) -> bool {
        if row.name.starts_with("csrr") {
            // The status registers, or one that is not there.
            let csr = rng.pick(&[1, 1, 2, 2, 3, 3, 0xc03]);
            *word = *word & 0xf_ffff | csr << 20;
        }
        // Rounding modes: mostly those that are not reserved.
        let rm = *word >> 12 & 7;
        let rounds = row.len == 4 && *word & 0x60 == 0x40 && row.mask & 0x7000 == 0;
        if rounds && (rm == 5 || rm == 6) && rng.below(8) != 0 {
            *word |= 0x7000;
        }
        true
    }
    fn value(rng: &mut Rng, r: &RegDesc) -> Option<u128> {
        Some(match r.name {
            "zero" => 0,
            FRM if rng.below(3) == 0 => rng.below(8) as u128,
            FRM if rng.below(2) == 0 => rng.below(4) as u128,
            FRM => 0,
            // The vector unit: e8 to e64, fractions and groups, any length; mostly from the start.
            "vtype" => {
                let vtype = rng.draw() & 0xdf;
                u128::from(if vtype & 7 == 4 { vtype & !4 } else { vtype })
            }
            "vl" => rng.pick(&[128, 64, 32, 16, 16, 8, 4, 2, 1, 0, 3, 7]),
            "vstart" if rng.below(16) == 0 => rng.below(8) as u128,
            "vxrm" => rng.below(4) as u128,
            "vxsat" => rng.below(2) as u128,
            "vguess" => rng.below(64) as u128,
            "vstreak" => rng.pick(&[0, 31, 32]),
            "vunit" | "vstart" => 0,
            _ => return None,
        })
    }
    fn fpmode(reg: &dyn Fn(&str) -> u128) -> u32 {
        remu_riscv::state::fpmode_of(reg(FRM) as u32)
    }

    const SUBJECT: Subject = Subject {
        guest: &remu_riscv::GUEST,
        stop: &[0x73, 0, 0, 0],
        fpstat: 0x3d,
        accept,
        value,
        guesses: &["vguess", "vstreak"],
        fpmode,
    };

    /// Long multiplication: halves of products, sums and their carries, and scaled indices, in registers
    /// that are pinned and such that are not.
    #[test]
    fn dense_arithmetic_is_as_interpreted() {
        compare_dense(SUBJECT, &["sp"], |rng| {
            let reg = |rng: &mut Rng| rng.pick(&[10, 11, 12, 15, 22, 23, 24, 25]);
            let (rd, x, y) = (reg(rng) << 7, reg(rng) << 15, reg(rng) << 20);
            let of = |funct: u32| funct | rd | x | y | 0x33;
            match rng.below(16) {
                0..4 => of(0x0200_0000),
                4..8 => of(0x0200_3000),
                8 => of(0x0200_1000),
                9 | 10 => of(0),
                // slli and slliw by 0 to 3
                11 => rng.pick(&[0x13, 0x1b]) | 0x1000 | rd | x | (rng.below(4) as u32) << 20,
                12 | 13 => of(0x3000),
                // ld, sd from 0 to 56(sp)
                14 => (rng.below(8) as u32) << 23 | 2 << 15 | 0x3003 | rd,
                _ => (rng.below(4) as u32) << 10 | y | 2 << 15 | 0x3023,
            }
        });
    }

    /// Numbers that are read byte by byte, mostly the usual way, some of them where memory ends.
    #[test]
    fn numbers_read_in_parts_fault_as_interpreted() {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bench = Bench::new(SUBJECT, "").unwrap();
        let mut rng = Rng::new(7);
        let xs = bench.registers(|name| name == "sp" || name == "tp");
        let mut faults = 0;
        for n in 0..1500 * factor() {
            let code = in_parts(&mut rng);
            let mut case = bench.case(&mut rng, code);
            let end = DATA + DATA_SIZE as u64;
            for &x in &xs {
                let at = if rng.below(3) == 0 { rng.below(24) } else { 64 + rng.below(999) };
                faults += usize::from(at < 8);
                case.regs[x] = u128::from(end - at as u64);
            }
            if let Verdict::Differs(report) = bench.check(&case) {
                panic!("sequence {n} {}", bench.shrink(case, report));
            }
        }
        assert!(faults > 300, "{faults}");
    }

    /// Loads, shifts and `or` of numbers at sp and tp, which nothing here changes. Registers
    /// 8 to 15 hold the parts.
    fn in_parts(rng: &mut Rng) -> Vec<(u32, u8)> {
        let (load, shift, or) = (0x3, 0x13, 0x33);
        let i = |op: u32, f: u32, rd: u32, rs: u32, imm: u32| {
            imm << 20 | rs << 15 | f << 12 | rd << 7 | op
        };
        let mut groups = Vec::new();
        for base in [2, 4] {
            let size = rng.pick(&[2, 4, 4, 8, 8, 3]);
            let big = rng.below(3) == 0;
            let unit = if size > 3 && rng.below(4) == 0 { 2 } else { 1 };
            let (low, first) = (rng.below(8) as u32, 8 + 4 * (base / 4));
            let mut code = Vec::new();
            for n in 0..size / unit {
                let at = if big { size - unit * (n + 1) } else { unit * n };
                let rd = first + u32::from(n > 0);
                code.push(i(load, if unit == 2 { 5 } else { 4 }, rd, base, low + at));
                // A shift of 32 bits sign-extends.
                let narrow = n == 3 && size == 4 && rng.below(2) == 0;
                if n > 0 {
                    let op = if narrow { 0x1b } else { shift };
                    code.push(i(op, 1, rd, rd, 8 * unit * n));
                    code.push(i(or, 6, first, first, rd));
                }
            }
            groups.push(code);
        }
        // Interleaved, with something else in between now and then.
        let mut code = Vec::new();
        while let Some(n) = groups.iter().position(|g| !g.is_empty()) {
            let n = if rng.below(2) == 0 { n } else { rng.below(groups.len()) };
            let g = &mut groups[n];
            if g.is_empty() {
                continue;
            }
            code.push((g.remove(0), 4));
            match rng.below(60) {
                // sb x9, -60(sp); bnez x9, over the next; ld x11, 0(tp); add x9, x9, x8
                0 => code.push((0xfc91_0223, 4)),
                1 => code.push((0x0004_9463, 4)),
                2 => code.push((0x0002_3583, 4)),
                3 => code.push((0x0084_84b3, 4)),
                _ => {}
            }
        }
        code
    }

    #[test]
    fn translated_code_is_as_interpreted() {
        let rows: Vec<Row> = remu_riscv::decode::PATTERNS
            .iter()
            .map(|p| Row { name: p.name, mask: p.mask, value: p.value, len: p.width / 8 })
            .collect();
        compare(SUBJECT, &rows, 200, 10_000);
    }
}

mod aarch64 {
    use super::*;

    /// NZCV, FPCR, FPSR, TPIDR_EL0 as MRS and MSR encode them (bits 19 to 5).
    const SYSTEM: [u32; 4] = [0x5a10, 0x5a20, 0x5a21, 0x5e82];

    fn accept(rng: &mut Rng, row: &Row, word: &mut u32) -> bool {
        if matches!(row.name, "mrs" | "msr") {
            *word = *word & !(0x7fff << 5) | rng.pick(&SYSTEM) << 5;
        }
        if matches!(row.name, "blr" | "br" | "ret") && rng.below(8) == 0 {
            // An address whose value is special to the engine.
            *word = *word & !(31 << 5) | 9 << 5;
        }
        true
    }
    fn value(rng: &mut Rng, r: &RegDesc) -> Option<u128> {
        Some(match r.name {
            // DN, FZ, RMode, FZ16.
            "fpcr" if rng.below(2) == 0 => u128::from(rng.draw() as u32 & 0x03c8_0000),
            "fpcr" => 0,
            "x9" if rng.below(4) == 0 => [1, u64::MAX, u64::MAX - 1][rng.below(3)].into(),
            "dit" => u128::from(rng.draw() as u32 & 1 << 24),
            "ssbs" => u128::from(rng.draw() as u32 & 1 << 12),
            _ => return None,
        })
    }
    fn fpmode(reg: &dyn Fn(&str) -> u128) -> u32 {
        let fpcr = reg("fpcr") as u32;
        // RMode N, P, M, Z.
        let rm = [1, 4, 3, 2][fpcr as usize >> 22 & 3];
        rm | (fpcr >> 24 & 1) * 0x18 | (fpcr >> 19 & 1) << 5
    }

    const SUBJECT: Subject = Subject {
        guest: &remu_aarch64::GUEST,
        stop: &[1, 0, 0, 0xd4],
        fpstat: 0x3d,
        accept,
        value,
        guesses: &[],
        fpmode,
    };

    /// The same for this guest, whose carries are flags.
    #[test]
    fn dense_arithmetic_is_as_interpreted() {
        compare_dense(SUBJECT, &["sp"], |rng| {
            let reg = |rng: &mut Rng| rng.pick(&[0, 1, 2, 3, 14, 15, 24, 25, 31]);
            let (rd, x, y) = (reg(rng), reg(rng) << 5, reg(rng) << 16);
            let of = |word: u32| word | rd | x | y;
            match rng.below(16) {
                0..4 => of(0x9b00_7c00),
                4..8 => of(0x9bc0_7c00),
                8 => of(0x9b40_7c00),
                9 => of(0xab00_0000),
                10 => of(0xba00_0000),
                // add shifted by 0 to 3
                11 => of(rng.pick(&[0x8b00_0000, 0x0b00_0000])) | (rng.below(4) as u32) << 10,
                12 => of(0x9a00_0000),
                13 => of(0xeb00_0000),
                // ldr, str from 0 to 56(sp)
                14 => 0xf940_03e0 | (rng.below(8) as u32) << 10 | rd,
                _ => 0xf900_03e0 | (rng.below(8) as u32) << 10 | rd,
            }
        });
    }

    #[test]
    fn translated_code_is_as_interpreted() {
        let rows: Vec<Row> = remu_aarch64::decode::PATTERNS
            .iter()
            .map(|p| Row { name: p.name, mask: p.mask, value: p.value, len: p.width / 8 })
            .collect();
        compare(SUBJECT, &rows, 200, 10_000);
    }
}
