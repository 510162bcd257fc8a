//! Every row of every guest, alone and in sequences.
#![expect(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use remu_differential::{Bench, Rng, Row, Subject, Verdict};
use remu_isa::RegDesc;

/// The data has one address.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn factor() -> usize {
    std::env::var("REMU_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1)
}

/// Checks each row `each` times alone, then sequences.
fn compare(subject: Subject, rows: &[Row], each: usize, sequences: usize) {
    let _guard = ONE_AT_A_TIME.lock().unwrap();
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
                    failures.entry(row.name).or_insert(report);
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
            FRM if rng.below(4) == 0 => rng.below(8) as u128,
            FRM => rng.below(4) as u128,
            _ => return None,
        })
    }
    fn fpmode(reg: &dyn Fn(&str) -> u128) -> u32 {
        remu_riscv::state::fpmode_of(reg(FRM) as u32)
    }

    #[test]
    fn translated_code_is_as_interpreted() {
        let rows: Vec<Row> = remu_riscv::decode::PATTERNS
            .iter()
            .map(|p| Row { name: p.name, mask: p.mask, value: p.value, len: p.width / 8 })
            .collect();
        let subject = Subject {
            guest: &remu_riscv::GUEST,
            stop: &[0x73, 0, 0, 0],
            fpstat: 0x3d,
            accept,
            value,
            fpmode,
        };
        compare(subject, &rows, 40, 4000);
    }
}
