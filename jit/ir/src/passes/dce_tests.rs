//! Liveness of small regions.

use super::{KeepsFlags, Kept, Liveness, analyse};
use crate::{Addr, Builder, Cond, ExitKind, FlagCond, MemOp, Op, Region, Slot, Type, Val};

const X: Slot = Slot { offset: 256, ty: Type::I64 };
const Y: Slot = Slot { offset: 264, ty: Type::I64 };
const LOW: Slot = Slot { offset: 256, ty: Type::I32 };
const V: Slot = Slot { offset: 512, ty: Type::V128 };
const FLAGS: Slot = Slot { offset: 520 + 256, ty: Type::Flags };

/// The live instructions of a region, by name, and those that are rare.
fn live(r: &Region) -> (Vec<&'static str>, Vec<usize>) {
    let mut l = Liveness::default();
    analyse(r, None, &mut l);
    let names = (0..r.insts.len())
        .filter(|&i| l.is_live(i as u16))
        .map(|i| r.insts[i].op.info().name)
        .collect();
    (names, (0..r.insts.len()).filter(|&i| l.is_rare(i as u16)).collect())
}

fn build(f: impl FnOnce(&Builder)) -> Region {
    let b = Builder::new();
    b.block(0x1000, true);
    f(&b);
    b.take(Region::default())
}

fn compare(b: &Builder) -> Val {
    let f = b.fl_sub(b.get(X), b.get(Y));
    b.set(FLAGS, f);
    f
}

#[test]
fn unused_values_go() {
    let r = build(|b| {
        let x = b.get(X);
        b.mul(x, b.get(Y));
        b.set(X, b.add_imm(x, 1));
        b.goto(0x2000);
    });
    assert_eq!(live(&r).0, ["get", "iconst", "add", "set", "goto"]);
}

#[test]
fn overwritten_writes_go_unless_seen() {
    let both = |between: fn(&Builder)| {
        let r = build(|b| {
            b.set(X, b.c64(1));
            between(b);
            b.set(X, b.c64(2));
            b.goto(0x2000);
        });
        live(&r).0.iter().filter(|n| **n == "set").count()
    };
    assert_eq!(both(|_| ()), 1);
    assert_eq!(both(|b| b.set(LOW, b.c32(7))), 1, "covered by the wider write");
    let load = |b: &Builder| {
        b.load(b.c64(64), Type::I64, Addr::at(MemOp::U64));
    };
    assert_eq!(both(load), 2, "a fault shows the state");
    assert_eq!(both(|b| b.brcond(b.bool_const(true), 0x3000)), 2, "so does a side exit");
    assert_eq!(both(|b| b.exit_if(b.bool_const(true), ExitKind::Illegal, 0x3000)), 2);
    assert_eq!(both(|b| b.set(Y, b.zext(b.get(LOW)))), 3, "a narrow view reads it");
    assert_eq!(
        both(|b| {
            b.get(LOW);
        }),
        1,
        "an unused read is none"
    );
}

#[test]
fn narrow_write_does_not_kill_wide_one() {
    let r = build(|b| {
        b.set(V, b.vconst(1));
        b.set(Slot { offset: V.offset + 8, ty: Type::I64 }, b.c64(3));
        b.goto(0x2000);
    });
    assert_eq!(live(&r).0, ["vconst", "set", "iconst", "set", "goto"]);
}

#[test]
fn flags_die_across_blocks() {
    let r = build(|b| {
        let f = compare(b);
        b.brcond(b.fl_cond(f, FlagCond::Eq), 0x1100);
        b.goto(0x1200);
        b.block(0x1100, false);
        compare(b);
        b.goto(0x2000);
        b.block(0x1200, false);
        compare(b);
        b.goto(0x2000);
    });
    let sets: Vec<usize> = (0..r.insts.len()).filter(|&i| r.insts[i].op == Op::set).collect();
    let mut l = Liveness::default();
    analyse(&r, None, &mut l);
    assert!(!l.is_live(sets[0] as u16), "both successors overwrite");
    assert!(l.is_live(sets[1] as u16) && l.is_live(sets[2] as u16), "the region's exits show them");
    assert_eq!(l.uses_of(2), 1, "fl_sub is used by fl_cond alone");
}

#[test]
fn flags_needed_by_faults_and_polls_are_rare() {
    let with = |poll: bool, load: bool, read: bool| {
        let r = build(|b| {
            compare(b);
            b.goto(0x1100);
            b.block(0x1100, poll);
            if load {
                b.load(b.get(X), Type::I64, Addr::at(MemOp::U64));
            }
            if read {
                b.set(X, b.zext(b.boolint(b.fl_cond(b.get(FLAGS), FlagCond::Cs), Type::I32)));
            }
            compare(b);
            b.brcond(b.icmp(b.get(X), b.get(Y), Cond::Ne), 0x1100);
            b.goto(0x2000);
        });
        let first = r.insts.iter().position(|i| i.op == Op::set).unwrap();
        let mut l = Liveness::default();
        analyse(&r, None, &mut l);
        (l.is_live(first as u16), l.is_rare(first as u16))
    };
    assert_eq!(with(false, false, false), (false, false));
    assert_eq!(with(false, true, false), (true, true));
    assert_eq!(with(true, false, false), (true, true));
    assert_eq!(with(false, false, true), (true, false));
    assert_eq!(with(true, true, true), (true, false));
}

#[test]
fn flags_that_are_used_behind_a_fault_are_kept() {
    // subs; ldr; b.ne: after the fault of the load the guest branches on what is in the slot.
    let kept = |load_first: bool, keeps: Option<KeepsFlags>| {
        let r = build(|b| {
            let load = |b: &Builder| {
                b.load(b.get(Y), Type::I64, Addr::at(MemOp::U64));
            };
            if load_first {
                load(b);
            }
            let f = compare(b);
            if !load_first {
                load(b);
            }
            b.brcond(b.fl_cond(f, FlagCond::Ne), 0x1100);
            b.goto(0x1100);
            b.block(0x1100, true);
            compare(b);
            b.goto(0x2000);
        });
        let first = r.insts.iter().position(|i| i.op == Op::set).unwrap();
        let mut l = Liveness::default();
        analyse(&r, keeps, &mut l);
        l.kept[first]
    };
    assert_eq!(kept(true, None), Kept::Rarely);
    assert_eq!(kept(false, None), Kept::Yes);
    assert_eq!(kept(false, Some(|_, _| true)), Kept::Yes);
}

#[test]
fn flags_in_a_loop() {
    // subs; b.ne loop: in the loop nobody reads the stored flags.
    let r = build(|b| {
        b.goto(0x1100);
        b.block(0x1100, true);
        b.load(b.get(Y), Type::I64, Addr::at(MemOp::U64));
        let f = compare(b);
        b.set(X, b.add_imm(b.get(X), -1));
        b.brcond(b.fl_cond(f, FlagCond::Ne), 0x1100);
        compare(b);
        b.goto(0x2000);
    });
    let (_, rare) = live(&r);
    assert_eq!(rare.len(), 1);
    assert_eq!(r.insts[rare[0]].op, Op::set);
}

#[test]
fn other_views_of_a_flags_slot_read_it() {
    let r = build(|b| {
        compare(b);
        b.goto(0x1100);
        b.block(0x1100, false);
        b.set(Y, b.zext(b.get(Slot { ty: Type::I32, ..FLAGS })));
        compare(b);
        b.goto(0x2000);
    });
    let mut l = Liveness::default();
    analyse(&r, None, &mut l);
    let first = r.insts.iter().position(|i| i.op == Op::set).unwrap();
    assert!(l.is_live(first as u16) && !l.is_rare(first as u16));
}

#[test]
fn memory_is_reused_between_regions() {
    let mut l = Liveness::default();
    for _ in 0..3 {
        let r = build(|b| {
            let f = compare(b);
            b.brcond(b.fl_cond(f, FlagCond::Ne), 0x1000);
            b.goto(0x2000);
        });
        analyse(&r, None, &mut l);
        assert_eq!(l.uses.len(), r.insts.len());
        let plain = build(|b| b.goto(0x2000));
        analyse(&plain, None, &mut l);
        assert_eq!((l.uses.len(), l.kept.as_slice()), (1, [Kept::Yes].as_slice()));
    }
}
