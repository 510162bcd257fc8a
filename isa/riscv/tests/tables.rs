//! The tables as a whole: round trips, models, short forms, and the time that decoding takes.

use remu_isa::Flow;
use remu_riscv::decode::{Insn, PATTERNS, decode};
use remu_riscv::features::{self, MAX, RV64GC};

/// A fixed sequence of numbers without structure (xorshift).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn insn(word: u32) -> Insn {
    decode(word, &MAX).unwrap_or_else(|| panic!("{word:#x} does not decode"))
}

#[test]
fn every_row_decodes_and_encodes_back() {
    // Rows of machines, too.
    let all = MAX.union(features::MACHINE);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for pattern in &PATTERNS {
        let free = pattern.fields.iter().fold(0, |m, f| m | f.bits) & !pattern.mask;
        let mut met = false;
        for _ in 0..2000 {
            let word = (random(&mut state) >> 13) as u32 & free | pattern.value;
            let Some(found) = decode(word, &all) else { continue };
            met |= found.name() == pattern.name;
            let again = found.encode().expect("a decoded instruction has an encoding");
            assert_eq!(decode(again, &all), Some(found), "{word:#x} {again:#x}");
            assert_eq!(again, word, "{}", found.name());
        }
        assert!(met, "{} is never decoded", pattern.name);
    }
}

/// Region discovery's look at an instruction agrees with the tables' flow columns.
#[test]
fn scan_agrees_with_the_tables() {
    use remu_isa::{Isa, Key};
    let isa = remu_riscv::Riscv64::new(MAX);
    let check = |word: u32| {
        let Some(insn) = decode(word, &MAX) else { return };
        let scan = isa.scan(&word.to_le_bytes(), 0x40_0000, Key(0)).expect("four bytes");
        let want = (insn.flow(), insn.target(0x40_0000).unwrap_or(0));
        assert_eq!((scan.flow, scan.target), want, "{word:#x} {}", insn.name());
    };
    (0..=0xffff).filter(|w| w & 3 != 3).for_each(check);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for pattern in PATTERNS.iter().filter(|p| p.width == 32) {
        let free = pattern.fields.iter().fold(0, |m, f| m | f.bits) & !pattern.mask;
        (0..500).for_each(|_| check((random(&mut state) >> 13) as u32 & free | pattern.value));
    }
}

/// Every 16-bit word: what decodes has an encoding, and that is the word itself.
#[test]
fn compressed_words_round_trip_exhaustively() {
    let mut decoded = 0;
    for word in (0..=0xffff).filter(|w| w & 3 != 3) {
        let Some(found) = decode(word, &MAX) else { continue };
        decoded += 1;
        assert_eq!(found.encode(), Some(word), "{word:#06x} {}", found.name());
        assert_ne!(found.expand(), found, "{} is no short form", found.name());
    }
    assert!(decoded > 40_000, "{decoded}");
}

#[test]
fn extensions_switch_rows() {
    let sh1add = 0x20b5_2533;
    assert_eq!(insn(sh1add).to_string(), "sh1add a0,a0,a1");
    assert_eq!(decode(sh1add, &RV64GC), None);
    assert_eq!(decode(sh1add, &features::parse("max,zba=off").expect("known")), None);
    assert!(decode(sh1add, &features::parse("rva22u64").expect("known")).is_some());
    // Without Zicbop a prefetch is what it always was: an `ori` to x0.
    assert_eq!(insn(0x0005_6013).name(), "prefetch_i");
    assert_eq!(decode(0x0005_6013, &RV64GC).map(|i| i.name()), Some("ori"));
}

#[test]
fn models_that_do_not_exist_are_named() {
    assert_eq!(features::parse("z80").unwrap_err(), "no processor model 'z80'");
    assert_eq!(features::parse("max,sse=on").unwrap_err(), "no extension 'sse'");
    assert_eq!(features::parse("max,zba=7").unwrap_err(), "'zba=7' is neither on nor off");
    let vlen = features::parse("max,vlen=256").unwrap_err();
    assert_eq!(vlen, "'vlen=256': vector registers have 128 bits");
    // Without V there is none of what needs it.
    let scalar = features::parse("max,vlen=128,v=off").expect("known");
    assert!(!scalar.has(features::ZVKNED) && scalar.has(features::ZKNE));
    let aes = features::parse("rv64,zkn=on").expect("known");
    assert!(aes.has(features::ZKNE) && !aes.has(features::V));
    for cpu in features::CPUS {
        assert!(features::parse(cpu.name).is_ok());
    }
}

#[test]
fn flow_and_targets_follow_the_link_registers() {
    let cases = [
        (0x0000_0013, Flow::Next, None),
        (0x0080_00ef, Flow::Call, Some(0x1008)), // jal ra
        (0x0080_006f, Flow::Jump, Some(0x1008)), // j
        (0xfe00_0ee3, Flow::Cond, Some(0xffc)),  // beqz zero, .-4
        (0x0000_8067, Flow::Ret, None),          // ret
        (0x0005_0067, Flow::Indirect, None),     // jr a0
        (0x0005_00e7, Flow::CallIndirect, None), // jalr a0
        (0x0000_8082, Flow::Ret, None),          // c.jr ra
        (0x0000_9502, Flow::CallIndirect, None), // c.jalr a0
        (0x0000_a011, Flow::Jump, Some(0x1004)), // c.j
        (0x0000_0073, Flow::Exit, None),         // ecall
        (0xc000_1073, Flow::Stop, None),         // unimp
    ];
    for (word, flow, target) in cases {
        assert_eq!((insn(word).flow(), insn(word).target(0x1000)), (flow, target), "{word:#x}");
    }
}

/// Prints nanoseconds per word; fails only where something is badly wrong.
#[test]
fn decoding_is_fast() {
    let mut state = 1;
    let words: Vec<u32> = (0..4096)
        .map(|_| {
            let p = &PATTERNS[(random(&mut state) >> 20) as usize % PATTERNS.len()];
            (random(&mut state) >> 13) as u32 & !p.mask | p.value
        })
        .collect();
    let start = std::time::Instant::now();
    let mut found = 0u64;
    for _ in 0..200 {
        for word in &words {
            found += u64::from(decode(std::hint::black_box(*word), &MAX).is_some());
        }
    }
    let each = start.elapsed().as_nanos() as f64 / (200.0 * words.len() as f64);
    println!("{each:.1} ns per word, {} bytes per Insn", size_of::<Insn>());
    assert!(found > 0 && each < 1000.0);
}
