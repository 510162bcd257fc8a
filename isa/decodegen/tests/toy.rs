//! The toy tables: the generated code is as blessed, compiles, and does what the tables say.
#![expect(missing_docs, reason = "a test")]

/// Features of the toy processor.
pub mod features {
    pub const BRANCHES: u32 = 1;
    pub const EXT: u32 = 2;
    pub const OLD: u32 = 4;
    pub struct Features(pub u32);
    impl Features {
        pub fn has(&self, feature: u32) -> bool {
            self.0 & feature != 0
        }
    }
}

/// Formatters.
pub mod fmt {
    use crate::decode::args;
    use std::fmt::{Formatter, Result};
    #[derive(Default)]
    pub struct Ctx {
        pub pc: u64,
    }
    pub fn reg(f: &mut Formatter<'_>, n: i64, _: &Ctx) -> Result {
        write!(f, "r{n}")
    }
    pub fn label(f: &mut Formatter<'_>, address: i64, _: &Ctx) -> Result {
        write!(f, "{address:#x}")
    }
    pub fn hexpair(f: &mut Formatter<'_>, a: i64, b: i64, _: &Ctx) -> Result {
        write!(f, "{a:#x}:{b}")
    }
    pub fn hexed(f: &mut Formatter<'_>, a: &args::Big, _: &Ctx) -> Result {
        write!(f, "big {:#x}", a.val)
    }
    pub fn hexed16(f: &mut Formatter<'_>, a: &args::Brk, _: &Ctx) -> Result {
        write!(f, "{:04x}", a.code)
    }
}

/// Predicates.
pub mod pred {
    pub fn small(value: i64) -> bool {
        (-8..8).contains(&value)
    }
}

/// Lifters, which say what they were called with.
pub mod lift {
    use std::cell::RefCell;
    use std::marker::PhantomData;
    #[derive(Default)]
    pub struct Lift<'a>(pub RefCell<String>, pub PhantomData<&'a ()>);
    impl Lift<'_> {
        fn note(&self, text: String) {
            *self.0.borrow_mut() = text;
        }
    }
    pub mod base {
        use super::Lift;
        use crate::decode::args;
        pub fn nop(b: &Lift<'_>, _: args::Empty) {
            b.note("nop".to_owned())
        }
        pub fn addi(b: &Lift<'_>, a: args::Ri) {
            b.note(format!("addi {a:?}"))
        }
        pub fn add(b: &Lift<'_>, a: args::Rr) {
            b.note(format!("add {a:?}"))
        }
        pub fn sub_s(b: &Lift<'_>, a: args::Rr) {
            b.note(format!("sub_s {a:?}"))
        }
        pub fn b(b: &Lift<'_>, a: args::B) {
            b.note(format!("b {a:?}"))
        }
        pub fn jr(b: &Lift<'_>, a: args::Jr) {
            b.note(format!("jr {a:?}"))
        }
    }
    pub mod ext {
        use super::Lift;
        use crate::decode::args;
        pub fn shl(b: &Lift<'_>, a: args::Ri) {
            b.note(format!("shl {a:?}"))
        }
        pub fn big(b: &Lift<'_>, a: args::Big) {
            b.note(format!("big {a:?}"))
        }
        pub fn brk(b: &Lift<'_>, a: args::Brk) {
            b.note(format!("brk {a:?}"))
        }
        pub fn r#yield(b: &Lift<'_>, _: args::Empty) {
            b.note("yield".to_owned())
        }
    }
}

/// The generated code, as `build.rs` and `include!` would bring it in.
pub mod decode {
    include!("ok/toy.rs");
    include!("ok/toy_lift.rs");
}

use decode::{FlowClass, Insn, PATTERNS, args, decode};
use features::{BRANCHES, EXT, Features, OLD};

const ALL: Features = Features(BRANCHES | EXT);

fn text(word: u32) -> String {
    match decode(word, &ALL) {
        Some(insn) => insn.display(&fmt::Ctx { pc: 0x1000 }).to_string(),
        None => "-".to_owned(),
    }
}

#[test]
fn display_follows_templates() {
    assert_eq!(text(0x0100_0000), "nop");
    assert_eq!(text(0x0112_0000), "mov r1, r2");
    assert_eq!(text(0x0110_ff00), "li r1, -256");
    assert_eq!(text(0x0110_0007), "addi r1, r0, 7");
    assert_eq!(text(0x0212_3fff), "add r1, r2, r3");
    assert_eq!(text(0x0312_3000), "add r1, r2, r3");
    assert_eq!(text(0x0312_3001), "-");
    assert_eq!(text(0x0412_3000), "sub r1, r2, r3");
    assert_eq!(text(0x0500_0203), "b.2 0x1006");
    assert_eq!(text(0x0500_810f), "b.1 0xffe");
    assert_eq!(text(0x06e0_0000), "ret");
    assert_eq!(text(0x0630_0000), "jr r3");
    assert_eq!(text(0x0712_0001), "shl r1, r2, 15");
    assert_eq!(text(0x8012_3456), "big 0x123456");
    assert_eq!(text(0x8100_00ab), "brk 0xab:24 {00ab}");
    assert_eq!(text(0x2086), "addi r9, r9, 1");
    assert_eq!(text(0x2016), "addi r9, r9, -32");
    assert_eq!(text(0x3002), "yield");
}

#[test]
fn decode_obeys_guards_and_features() {
    assert_eq!(decode(0x0500_0f03, &ALL), None, "cond 15 is excluded by `where`");
    assert_eq!(decode(0x0500_0203, &Features(EXT)), None);
    assert_eq!(decode(0x0712_0001, &Features(EXT | OLD)), None);
    assert_eq!(decode(0xf000_0000, &ALL), None);
}

#[test]
fn flow_and_target_come_from_the_row() {
    let insn = |word| decode(word, &ALL).expect("decodes");
    assert_eq!(insn(0x0100_0000).flow(), FlowClass::Next);
    assert_eq!(insn(0x0500_0003).flow(), FlowClass::Jump);
    assert_eq!(insn(0x0500_0203).flow(), FlowClass::Cond);
    assert_eq!(insn(0x0500_0203).target(0x1000), Some(0x1006));
    assert_eq!(insn(0x06e0_0000).flow(), FlowClass::Ret);
    assert_eq!(insn(0x0630_0000).flow(), FlowClass::Indirect);
    assert_eq!(insn(0x0630_0000).target(0), None);
    assert_eq!(insn(0x8100_0000).flow(), FlowClass::Stop);
}

#[test]
fn encode_undoes_decode_for_every_pattern() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for pattern in &PATTERNS {
        for _ in 0..200 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let fields = pattern.fields.iter().fold(0, |m, f| m | f.bits) & !pattern.mask;
            let word = random as u32 & fields | pattern.value;
            if let Some(insn) = decode(word, &ALL) {
                let again = insn.encode().expect("a decoded instruction has an encoding");
                assert_eq!(decode(again, &ALL), Some(insn), "{word:#x} {again:#x}");
            } else {
                assert_eq!(pattern.name, "b");
            }
        }
    }
    let wide = Insn::Addi(args::Ri { rd: 1, rs: 2, imm: 0x8000 });
    assert_eq!(wide.encode(), None, "the constant does not fit");
    let odd = Insn::B(args::B { cond: 1, imm: 3 });
    assert_eq!(odd.encode(), None, "branch distances are even");
}

#[test]
fn dispatcher_calls_the_lifter_and_expands_short_forms() {
    let lift = |word| {
        let b = lift::Lift::default();
        decode::lift(&b, &decode(word, &ALL).expect("decodes"));
        b.0.into_inner()
    };
    assert_eq!(lift(0x0112_0005), "addi Ri { rd: 1, rs: 2, imm: 5 }");
    assert_eq!(lift(0x2086), "addi Ri { rd: 9, rs: 9, imm: 1 }");
    assert_eq!(lift(0x3002), "yield");
    let short = decode(0x2086, &ALL).expect("decodes");
    assert_eq!(short.expand().name(), "addi");
}
