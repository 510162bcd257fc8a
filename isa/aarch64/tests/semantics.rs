//! What the emulators at hand lack: memory copies, 128-bit atomics, CSSC, pointer authentication,
//! and the exits that user programs depend on. On the interpreter.

use remu_aarch64::{Aarch64, STATE, features::Features, state::slots};
use remu_isa::ir::interp::{FlatMemory, Outcome, run};
use remu_isa::ir::{Builder, ExitKind, Region, Slot};
use remu_isa::{Isa, Lift};

const PC: u64 = 0x1000;
const DATA: u64 = 0x8000;

/// A processor with a little memory.
struct Machine {
    isa: Aarch64,
    state: Vec<u8>,
    memory: FlatMemory,
}

impl Machine {
    fn new() -> Machine {
        let memory = FlatMemory::new(DATA, 4096);
        Machine { isa: Aarch64::new(Features::MAX), state: vec![0; STATE.size], memory }
    }
    fn get(&self, s: Slot) -> u64 {
        let at = usize::from(s.offset);
        let len = s.ty.bytes() as usize;
        self.state[at..at + len.min(8)].iter().rev().fold(0, |v, &b| v << 8 | u64::from(b))
    }
    fn x(&self, n: usize) -> u64 {
        self.get(slots::x(n))
    }
    fn set_x(&mut self, n: usize, v: u64) {
        self.set(slots::x(n), v);
    }
    fn set(&mut self, s: Slot, v: u64) {
        let at = usize::from(s.offset);
        self.state[at..at + 8].copy_from_slice(&v.to_le_bytes());
    }
    /// Executes a word until it stops branching to itself.
    fn step(&mut self, word: u32) -> Outcome {
        let key = self.isa.key(&self.state);
        let b = Builder::new();
        b.block(PC, false);
        b.insn(PC);
        self.isa.lift(&Lift::new(&b, PC, 4, key), &word.to_le_bytes());
        if b.is_open() {
            b.goto(PC + 4);
        }
        let region = b.take(Region::default());
        run(&region, 0, &mut self.state, &mut self.memory, 10_000)
    }
    fn next(&mut self, word: u32) {
        assert_eq!(self.step(word), Outcome::Continue(PC + 4), "{word:#010x}");
    }
}

/// The three parts of a copy or set: bits 23:22, or 15:14 for a set.
fn copy(m: &mut Machine, base: u32, to: u64, from: u64, n: u64) {
    (0..3).zip([to, from, n]).for_each(|(r, v)| m.set_x(r, v));
    for part in 0..3 {
        // [x0]!, [x1]!, x2!
        m.next(base | part << 22 | 1 << 16 | 2 << 5);
    }
    assert_eq!(m.x(2), 0);
}

#[test]
fn copies_handle_overlap_both_ways() {
    for (to, from, n) in
        [(100u64, 300u64, 77u64), (300, 310, 200), (310, 300, 200), (5, 5, 40), (0, 64, 0)]
    {
        let mut m = Machine::new();
        for (i, b) in m.memory.bytes.iter_mut().enumerate() {
            *b = (i * 7 % 251) as u8;
        }
        let mut expected = m.memory.bytes.clone();
        expected.copy_within(from as usize..(from + n) as usize, to as usize);
        copy(&mut m, 0x1d00_0400, DATA + to, DATA + from, n);
        assert_eq!(m.memory.bytes, expected, "{to} {from} {n}");
        if to < from {
            // Forwards, with the forward-only form: the registers point behind the copy.
            assert_eq!(m.x(0), DATA + to + n);
            assert_eq!(m.x(1), DATA + from + n);
        }
    }
    let mut m = Machine::new();
    m.memory.bytes[..50].fill(9);
    copy(&mut m, 0x1900_0400, DATA + 1000, DATA, 50);
    assert_eq!(&m.memory.bytes[1000..1051], [[9; 50].as_slice(), &[0]].concat());
}

#[test]
fn sets_fill_and_stop() {
    let mut m = Machine::new();
    m.set_x(0, DATA + 3);
    m.set_x(2, 37);
    m.set_x(1, 0x1234_56ab);
    for part in 0..3 {
        m.next(0x19c0_0400 | part << 14 | 1 << 16 | 2 << 5);
    }
    assert_eq!(m.memory.bytes[2], 0);
    assert!(m.memory.bytes[3..40].iter().all(|&b| b == 0xab));
    assert_eq!(m.memory.bytes[40], 0);
    assert_eq!((m.x(0), m.x(2)), (DATA + 40, 0));
}

#[test]
fn pairs_of_doublewords_are_exchanged() {
    let mut m = Machine::new();
    m.memory.bytes[..8].copy_from_slice(&0xf0f0u64.to_le_bytes());
    m.memory.bytes[8..16].copy_from_slice(&7u64.to_le_bytes());
    m.set_x(0, DATA);
    m.set_x(1, 0x0ff0);
    m.set_x(2, 5);
    m.next(0x1922_1001); // ldclrp x1, x2, [x0]
    assert_eq!((m.x(1), m.x(2)), (0xf0f0, 7));
    let memory = |m: &Machine, at: usize| {
        u64::from_le_bytes(m.memory.bytes[at..at + 8].try_into().unwrap_or_default())
    };
    assert_eq!((memory(&m, 0), memory(&m, 8)), (0xf000, 2));
    m.set_x(1, 1);
    m.set_x(2, 8);
    m.next(0x1922_3001); // ldsetp x1, x2, [x0]
    assert_eq!((memory(&m, 0), memory(&m, 8)), (0xf001, 10));
    m.set_x(1, 11);
    m.set_x(2, 12);
    m.next(0x1922_8001); // swpp x1, x2, [x0]
    assert_eq!((m.x(1), m.x(2), memory(&m, 0), memory(&m, 8)), (0xf001, 10, 11, 12));
}

#[test]
fn short_common_sequences() {
    let mut m = Machine::new();
    m.set_x(1, (-5i64) as u64);
    m.next(0xdac0_2020); // abs x0, x1
    assert_eq!(m.x(0), 5);
    m.next(0xdac0_1c20); // cnt x0, x1
    assert_eq!(m.x(0), 63);
    m.set_x(1, 0x50);
    m.next(0xdac0_1820); // ctz x0, x1
    assert_eq!(m.x(0), 4);
    m.next(0x91c0_fc20 | 0x8_0000); // smin x0, x1, #0x3f
    assert_eq!(m.x(0), 0x3f);
}

#[test]
fn authentication_undoes_signing_and_refuses_others() {
    let mut m = Machine::new();
    let pointer = 0x0000_7fff_1234_5670;
    // The runner gives every key a random value.
    m.set(slots::pac_key(0), 0x3fa9_12c4_77d0_5b1e);
    m.set_x(30, pointer);
    m.set_x(31, 0x7ff0);
    m.next(0xd503_233f); // paciasp
    let signed = m.x(30);
    assert_eq!(signed & 0xff80_ffff_ffff_ffff, pointer);
    m.next(0xd503_23bf); // autiasp
    assert_eq!(m.x(30), pointer);
    m.set_x(30, signed ^ 1 << 48);
    m.next(0xd503_23bf);
    assert_eq!(m.x(30), pointer | 1 << 48, "not canonical");
    m.set_x(30, pointer | 1 << 50);
    m.next(0xd503_233f);
    m.next(0xd503_23bf);
    assert_ne!(m.x(30), pointer, "it was not canonical");
    m.set_x(30, signed);
    m.set_x(31, 0x7fe0);
    m.next(0xd503_23bf);
    assert_ne!(m.x(30), pointer, "another modifier");
    m.set_x(31, 0x7ff0);
    m.set_x(30, signed);
    m.next(0xd503_20ff); // xpaclri
    assert_eq!(m.x(30), pointer);
}

#[test]
fn exits_say_what_the_runner_needs() {
    let mut m = Machine::new();
    assert_eq!(m.step(0xd400_0001), Outcome::Exit(ExitKind::Syscall, PC + 4));
    assert_eq!(m.step(0xd420_0000), Outcome::Exit(ExitKind::Breakpoint, PC));
    assert_eq!(m.step(0x0000_0000), Outcome::Exit(ExitKind::Illegal, PC));
    assert_eq!(m.step(0x0420_e3e0), Outcome::Exit(ExitKind::Illegal, PC), "SVE is undefined");
    m.set_x(3, 0x5678);
    assert_eq!(m.step(0xd50b_7523), Outcome::Exit(ExitKind::InvalidateCode, PC + 4)); // ic ivau
    let word = |at: usize| u64::from_le_bytes(m.state[at..at + 8].try_into().unwrap_or_default());
    assert_eq!((word(16), word(24)), (0x5640, 0x5680));
    m.set_x(3, 0x02c0_0000); // default NaN, towards zero
    assert_eq!(m.step(0xd51b_4403), Outcome::Exit(ExitKind::KeyChanged, PC + 4)); // msr fpcr
    assert_eq!(m.isa.key(&m.state).0, 1);
    assert_eq!(m.state[36], 2);
}

#[test]
fn zeroing_a_line_clears_sixty_four_bytes() {
    let mut m = Machine::new();
    m.memory.bytes.fill(0xff);
    m.set_x(0, DATA + 100);
    m.next(0xd50b_7420); // dc zva, x0
    assert!(m.memory.bytes[64..128].iter().all(|&b| b == 0));
    assert_eq!((m.memory.bytes[63], m.memory.bytes[128]), (0xff, 0xff));
}

#[test]
fn without_keys_pointers_stay_as_they_are() {
    let mut m = Machine::new();
    m.isa = Aarch64::new(Features::parse("max").expect("a model"));
    m.set(slots::pac_key(0), 0x3fa9_12c4_77d0_5b1e);
    for insn in [0xd503_233f, 0xd503_23bf, 0xdac1_0bfe] {
        // paciasp, autiasp, pacda x30, sp
        m.set_x(30, 0x1234_5678);
        m.next(insn);
        assert_eq!(m.x(30), 0x1234_5678, "{insn:#x}");
    }
}

#[test]
fn models_announce_what_they_have() {
    let max = Features::parse("max").expect("a model");
    assert_eq!(max.hwcap()[0] >> 30, 0, "no keys");
    let signs = ["max,pauth=on", "max,pac-keys=on", "neoverse-n2"];
    for model in signs.map(|m| Features::parse(m).expect("a model")) {
        assert_eq!(model.hwcap()[0] >> 30, 3);
    }
    assert_eq!(max.hwcap()[0] & 0b11, 0b11);
    let a53 = Features::parse("cortex-a53").expect("a model");
    assert_eq!(a53.hwcap()[0] >> 8 & 1, 0, "no LSE");
    let more = Features::parse("cortex-a53,lse=on").expect("a feature");
    assert_eq!(more.hwcap()[0] >> 8 & 1, 1);
    assert!(Features::parse("cortex-z80").is_err());
    assert!(Features::parse("max,flux=on").is_err());
    let isa = Aarch64::new(a53);
    assert!(isa.disassemble(&0xf820_0020u32.to_le_bytes(), 0).0.contains("undefined"));
}
