//! Loads that are joined read what the loads of their own would read.

use remu_ir::interp::{FlatMemory, run};
use remu_ir::passes::{Liveness, analyse};
use remu_ir::{Addr, Builder, ExitKind, MemOp, Op, Order, Region, Slot, Type, Val};

const OUT: u16 = 64;
const BASE: u64 = 0x1000;
const BYTES: [u8; 16] =
    [0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8, 9, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e, 0x6f, 0x70];

fn part(b: &Builder, disp: i32, mem: MemOp) -> Val {
    b.load_part(b.get(Slot { offset: 80, ty: Type::I64 }), Addr { disp, ..Addr::at(mem) })
}
fn byte(b: &Builder, disp: i32) -> Val {
    part(b, disp, MemOp::U8)
}
/// `size` bytes from `at`, put together from the first or the last one on.
fn number(b: &Builder, at: i32, size: i32, big: bool) -> Val {
    let place = |n: i32| if big { at + size - 1 - n } else { at + n };
    (1..size).fold(byte(b, place(0)), |v, n| {
        let next = b.shl_imm(byte(b, place(n)), 8 * n as u32);
        b.or(next, v)
    })
}

/// What `f` makes, and which loads are left of it.
fn made(b: &Builder, f: impl Fn(&Builder) -> Val) -> (u64, Vec<(Op, u32)>) {
    b.reset();
    b.block(0, false);
    b.insn(0);
    let v = f(b);
    b.set(Slot { offset: OUT, ty: Type::I64 }, v);
    b.exit(ExitKind::Syscall, 4);
    let region = b.take(Region::default());
    remu_ir::verify(&region, 128).unwrap();
    let mut state = [0u8; 128];
    state[80..88].copy_from_slice(&BASE.to_le_bytes());
    let mut memory = FlatMemory { base: BASE, bytes: BYTES.to_vec() };
    let _ = run(&region, 0, &mut state, &mut memory, 10);
    let mut live = Liveness::default();
    analyse(&region, None, &mut live);
    let loads = (0..region.insts.len() as u16)
        .filter(|&n| live.is_live(n))
        .map(|n| region.insts[usize::from(n)])
        .filter(|i| matches!(i.op, Op::load | Op::load_joint))
        .map(|i| (i.op, MemOp::from_u8(i.aux).bytes()));
    let out = usize::from(OUT);
    (u64::from_le_bytes(state[out..out + 8].try_into().unwrap()), loads.collect())
}

fn joining() -> Builder {
    let b = Builder::new();
    b.join_loads(true);
    b
}

fn bytes(at: usize, size: usize, big: bool) -> u64 {
    let all = BYTES[at..at + size].iter();
    let add = |v: u64, b: &u8| v << 8 | u64::from(*b);
    if big { all.fold(0, add) } else { all.rev().fold(0, add) }
}

#[test]
fn bytes_in_a_row_are_one_load() {
    let b = joining();
    for (size, big) in [(2, false), (4, false), (8, false), (4, true), (8, true)] {
        for at in 0..8 {
            let got = made(&b, |b| number(b, at, size, big));
            let want = bytes(at as usize, size as usize, big);
            assert_eq!(got, (want, vec![(Op::load_joint, size as u32)]), "{size} {big} {at}");
        }
    }
}

#[test]
fn halves_are_put_together() {
    let b = joining();
    let got = made(&b, |b| {
        let (high, low) = (number(b, 4, 4, false), number(b, 0, 4, false));
        b.or(low, b.shl_imm(high, 32))
    });
    assert_eq!(got, (bytes(0, 8, false), vec![(Op::load_joint, 8)]));
    let got = made(&b, |b| b.or(part(b, 2, MemOp::U16), b.shl_imm(part(b, 4, MemOp::U16), 16)));
    assert_eq!(got, (bytes(2, 4, false), vec![(Op::load_joint, 4)]));
}

#[test]
fn the_highest_byte_may_be_a_sign() {
    let b = joining();
    let signed = |b: &Builder, places: [i32; 4]| {
        let [low @ .., top] = places.map(|n| byte(b, n));
        let low = low
            .iter()
            .enumerate()
            .skip(1)
            .fold(low[0], |v, (n, &x)| b.or(v, b.shl_imm(x, 8 * n as u32)));
        b.or(b.sext(b.shl_imm(b.trunc(top), 24)), low)
    };
    let extended = |v: u64| v as u32 as i32 as i64 as u64;
    let got = made(&b, |b| signed(b, [4, 5, 6, 7]));
    assert_eq!(got, (extended(bytes(4, 4, false)), vec![(Op::load_joint, 4)]));
    let got = made(&b, |b| signed(b, [3, 2, 1, 0]));
    assert_eq!(got, (extended(bytes(0, 4, true)), vec![(Op::load_joint, 4)]));
}

#[test]
fn numbers_may_share_bytes() {
    let b = joining();
    for first in 0..6 {
        for second in 0..6 {
            for (size, other) in [(4, 4), (8, 2), (2, 4), (4, 8)] {
                let (v, _) = made(&b, |b| {
                    let (x, y) = (number(b, first, size, false), number(b, second, other, false));
                    b.xor(x, b.mul(y, b.c64(3)))
                });
                let want = bytes(first as usize, size as usize, false)
                    ^ bytes(second as usize, other as usize, false).wrapping_mul(3);
                assert_eq!(v, want, "{size} at {first}, {other} at {second}");
            }
        }
    }
}

#[test]
fn what_comes_between_keeps_loads_apart() {
    let b = joining();
    let with = |between: &dyn Fn(&Builder)| {
        let (v, loads) = made(&b, |b| {
            let low = byte(b, 0);
            between(b);
            b.or(low, b.shl_imm(byte(b, 1), 8))
        });
        (v, loads.iter().filter(|l| l.0 == Op::load_joint).count())
    };
    let base = Slot { offset: 80, ty: Type::I64 };
    assert_eq!(with(&|_| {}), (0x9281, 1));
    let store =
        |b: &Builder| b.store(b.get(base), b.c64(0x55), Addr { disp: 1, ..Addr::at(MemOp::U8) });
    assert_eq!(with(&store), (0x5581, 0));
    assert_eq!(with(&|b| b.fence(Order::Acquire)), (0x9281, 0));
    let flag = |b: &Builder, order| {
        b.load(b.get(base), Type::I64, Addr { disp: 8, order, ..Addr::at(MemOp::U64) });
    };
    assert_eq!(with(&|b| flag(b, Order::Relaxed)), (0x9281, 1));
    assert_eq!(with(&|b| flag(b, Order::Acquire)), (0x9281, 0));
    assert_eq!(with(&|b| b.brcond(b.bool_const(false), 0x40)), (0x9281, 0));
    assert_eq!(with(&|b| b.set(base, b.add_imm(b.get(base), 1))), (0xa381, 0));
}

#[test]
fn a_load_that_has_faulted_is_kept_apart() {
    let b = joining();
    b.keep_apart(0);
    assert!(b.keeps_apart(0, 4) && !b.keeps_apart(4, 8) && !b.keeps_apart(0, 0));
    assert_eq!(made(&b, |b| number(b, 0, 2, false)).1, [(Op::load, 1); 2]);
    b.forget_apart(0, 4);
    assert_eq!(made(&b, |b| number(b, 0, 2, false)).1, [(Op::load_joint, 2)]);
    let plain = Builder::plain();
    plain.join_loads(true);
    assert_eq!(made(&plain, |b| number(b, 0, 2, false)).1, [(Op::load, 1); 2]);
}
