//! Random regions: valid, textual, and the same with dead code left out.

use std::collections::HashSet;

use remu_ir::interp::{FlatMemory, run};
use remu_ir::passes::{Liveness, analyse};
use remu_ir::testing::{MEMORY, Random, STATE_SIZE, Spec, block, names, takes_part};
use remu_ir::text::{Names, parse, print};
use remu_ir::{Builder, Inst, NanRule, Op, Region, Slot, Type, Val, verify};

/// Slots that do not overlap.
fn slots() -> Vec<Slot> {
    let wide = [Type::I64, Type::F64, Type::V128, Type::Flags];
    let all = names().into_iter().map(|(_, s)| s);
    all.filter(|s| wide.contains(&s.ty)).collect()
}

fn region(seed: u64, slots: &[Slot]) -> Region {
    let mut rng = Random::new(seed);
    let spec = Spec {
        slots,
        ops: Op::ALL,
        nan: &[NanRule::Arm, NanRule::Default, NanRule::ArmDefault],
        memory: Some((MEMORY.0, MEMORY.1 as u32)),
        len: 20,
    };
    let b = Builder::new();
    block(&b, &mut rng, &spec, 0x1000, 0x1010);
    block(&b, &mut rng, &spec, 0x1010, 0x2000);
    b.take(Region::default())
}

fn execute(r: &Region, seed: u64) -> (Vec<u8>, Vec<u8>, remu_ir::interp::Outcome) {
    let mut rng = Random::new(seed);
    let mut state = vec![0; STATE_SIZE];
    for slot in slots() {
        let (at, n) = (usize::from(slot.offset), slot.ty.bytes() as usize);
        let v = u128::from(rng.number()) << 64 | u128::from(rng.number());
        let v = if slot.ty == Type::Flags { v & 0xf000_0000 } else { v };
        state[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
    }
    let mut memory = FlatMemory::new(MEMORY.0, MEMORY.1);
    for b in &mut memory.bytes {
        *b = rng.bits() as u8;
    }
    let outcome = run(r, 0, &mut state, &mut memory, 10);
    (state, memory.bytes, outcome)
}

/// The region with only its live instructions.
fn without_dead(r: &Region) -> Region {
    let mut live = Liveness::default();
    analyse(r, None, &mut live);
    let mut out = Region { insts: Vec::new(), ..r.clone() };
    let mut moved = vec![Val::NONE_ID; r.insts.len()];
    for (b, to) in r.blocks.iter().zip(&mut out.blocks) {
        to.start = out.insts.len() as u16;
        for id in (b.start..b.end).filter(|&id| live.is_live(id)) {
            let mut i: Inst = r.insts[usize::from(id)];
            let n = i.op.arity();
            for a in i.args[..n].iter_mut().filter(|a| **a != Val::NONE_ID) {
                *a = moved[usize::from(*a)];
            }
            moved[usize::from(id)] = out.insts.len() as u16;
            out.insts.push(i);
        }
        to.end = out.insts.len() as u16;
    }
    out
}

#[test]
fn regions_are_valid_and_survive_text() {
    let slots = slots();
    let all = names();
    let known: Vec<(&str, Slot)> = all.iter().map(|(n, s)| (n.as_str(), *s)).collect();
    let names = Names { slots: &known, helpers: &[] };
    let mut ops = HashSet::new();
    for seed in 0..1500 {
        let r = region(seed, &slots);
        assert_eq!(verify(&r, STATE_SIZE), Ok(()), "seed {seed}");
        assert_eq!(parse(&print(&r, &names), &names).as_ref(), Ok(&r), "seed {seed}");
        ops.extend(r.insts.iter().map(|i| i.op));
    }
    let missing: Vec<Op> =
        Op::ALL.iter().copied().filter(|op| takes_part(*op) && !ops.contains(op)).collect();
    assert_eq!(missing, [], "ops that never came up");
}

#[test]
fn dead_code_does_nothing() {
    let slots = slots();
    let mut dropped = 0;
    for seed in 0..1500 {
        let r = region(seed, &slots);
        let less = without_dead(&r);
        assert_eq!(verify(&less, STATE_SIZE), Ok(()), "seed {seed}");
        dropped += r.insts.len() - less.insts.len();
        assert_eq!(execute(&r, seed), execute(&less, seed), "seed {seed}");
    }
    assert!(dropped > 1500, "{dropped} instructions dropped in all");
}
