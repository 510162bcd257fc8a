//! Ops whose meaning a table of cases shows best.

use super::{FlatMemory, Memory, Outcome, Packed, eval, layout, run};
use crate::{
    Addr, Attr, Builder, Cond, CrcAttr, ExitKind, Fp, FpInt, Helper, Inst, Lane, MemOp, NanRule,
    Op, Order, Region, Rm, RmwOp, Slot, Type,
};

fn inst(op: Op, ty: Type) -> Inst {
    Inst { op, ty, aux: 0, args: [0; 4], imm: 0 }
}
fn value(i: Inst, t: Type, args: [u128; 3]) -> u128 {
    eval(&Packed::with_type(i, t), args, &mut 0, 0)
}
fn int(op: Op, x: u64, y: u64) -> u64 {
    value(inst(op, Type::I64), Type::I64, [x.into(), y.into(), 0]) as u64
}
fn int32(op: Op, x: u32, y: u32) -> u32 {
    value(inst(op, Type::I32), Type::I32, [x.into(), y.into(), 0]) as u32
}
fn lanes(op: Op, attr: impl Attr, imm: i32, x: u128, y: u128) -> u128 {
    let mut i = inst(op, Type::V128);
    attr.put(&mut i);
    i.imm = imm;
    value(i, Type::V128, [x, y, 0])
}

#[test]
fn integers_agree_with_rust() {
    let numbers = [0, 1, 2, 63, 64, 0x8000_0000, u64::MAX, i64::MIN as u64, 0x1234_5678_9abc_def0];
    for x in numbers {
        for y in numbers {
            let n = (y % 64) as u32;
            assert_eq!(int(Op::mulhu, x, y), ((u128::from(x) * u128::from(y)) >> 64) as u64);
            let wide = i128::from(x as i64) * i128::from(y as i64);
            assert_eq!(int(Op::mulhs, x, y), (wide >> 64) as u64);
            assert_eq!(
                int(Op::mulhsu, x, y),
                ((i128::from(x as i64) * i128::from(y)) >> 64) as u64
            );
            assert_eq!(int(Op::rotl, x, y), x.rotate_left(n));
            assert_eq!(int(Op::rotr, x, y), x.rotate_right(n));
            assert_eq!(int(Op::sar, x, y), (x as i64 >> n) as u64);
            if y != 0 {
                assert_eq!(int(Op::divs, x, y), (x as i64).wrapping_div(y as i64) as u64);
                assert_eq!(int(Op::rems, x, y), (x as i64).wrapping_rem(y as i64) as u64);
                assert_eq!(int(Op::divu, x, y), x / y);
            } else {
                assert_eq!((int(Op::divs, x, y), int(Op::remu, x, y)), (0, x));
            }
        }
        assert_eq!(int(Op::clz, x, 0), u64::from(x.leading_zeros()));
        assert_eq!(int(Op::ctz, x, 0), u64::from(x.trailing_zeros()));
        assert_eq!(int(Op::bitrev, x, 0), x.reverse_bits());
        assert_eq!(int32(Op::bswap, x as u32, 0), (x as u32).swap_bytes());
        assert_eq!(int32(Op::ctz, x as u32, 0), (x as u32).trailing_zeros());
        assert_eq!(int32(Op::sub, x as u32, 5), (x as u32).wrapping_sub(5));
    }
    assert_eq!(int(Op::orcb, 0x0100_0000_8000_00ff, 0), 0xff00_0000_ff00_00ff);
    assert_eq!(int(Op::bswap16, 0x0102_0304_0506_0708, 0), 0x0201_0403_0605_0807);
}

#[test]
fn bit_fields() {
    let with = |op, b: (u8, u8), x, y| {
        let mut i = inst(op, Type::I64);
        b.put(&mut i);
        value(i, Type::I64, [x, y, 0])
    };
    assert_eq!(with(Op::extract, (8, 12), 0xabcdef, 0), 0xbcd);
    assert_eq!(with(Op::sextract, (8, 12), 0xabcdef, 0), 0xffff_ffff_ffff_fbcd);
    assert_eq!(with(Op::deposit, (4, 8), 0xffff, 0x312), 0xf12f);
}

#[test]
fn checksums() {
    let crc = |castagnoli, acc: u32, x: u64, size| {
        let mut i = inst(Op::crc32, Type::I32);
        CrcAttr { castagnoli, size }.put(&mut i);
        value(i, Type::I32, [acc.into(), x.into(), 0]) as u32
    };
    // The check value of each polynomial: "123456789".
    let all = |castagnoli| {
        let acc = crc(castagnoli, !0, u64::from_le_bytes(*b"12345678"), 3);
        !crc(castagnoli, acc, u64::from(b'9'), 0)
    };
    assert_eq!((all(false), all(true)), (0xcbf4_3926, 0xe306_9283));
}

#[test]
fn aes_rounds() {
    // FIPS 197, appendix B: round 1.
    let bytes = |s: &str| u128::from_str_radix(s, 16).unwrap().swap_bytes();
    let start = bytes("193de3bea0f4e22b9ac68d2ae9f84808");
    let key = bytes("a0fafe1788542cb123a339392a6c7605");
    let v = |op, x, y| value(inst(op, Type::V128), Type::V128, [x, y, 0]);
    let shifted = v(Op::aesenclast, start, 0);
    assert_eq!(shifted, bytes("d4bf5d30e0b452aeb84111f11e2798e5"));
    let mixed = v(Op::aesmc, shifted, 0);
    assert_eq!(mixed ^ key, bytes("a49c7ff2689f352b6b5bea43026a5049"));
    assert_eq!(v(Op::aesimc, mixed, 0), shifted);
    assert_eq!(v(Op::aesdeclast, shifted, 0), start);
}

#[test]
fn lane_shifts() {
    let x = 0x80ff_7f01_8000_0001_u128;
    let by = |n: i8| u128::from(n as u8) * 0x0101_0101_0101_0101;
    assert_eq!(lanes(Op::vushl, Lane::B, 0, x, by(1)), 0x00fe_fe02_0000_0002);
    assert_eq!(lanes(Op::vsshl, Lane::B, 0, x, by(-1)), 0xc0ff_3f00_c000_0000);
    assert_eq!(lanes(Op::vurshl, Lane::B, 0, x, by(-1)), 0x4080_4001_4000_0001);
    assert_eq!(lanes(Op::vurshl, Lane::B, 0, x, by(-8)), 0x0101_0000_0100_0000);
    assert_eq!(lanes(Op::vsrshl, Lane::B, 0, x, by(-8)), 0);
    assert_eq!(lanes(Op::vsshl, Lane::B, 0, x, by(-128)), 0xffff_0000_ff00_0000);
    assert_eq!(lanes(Op::vsrshl, Lane::B, 0, x, by(-128)), 0);
    assert_eq!(lanes(Op::vrsar, Lane::D, 1, 3, 0), 2);
    assert_eq!(lanes(Op::vshr, Lane::D, 64, u128::MAX, 0), 0);
    assert_eq!(lanes(Op::vrshr, Lane::D, 64, u128::MAX, 0), 1 | 1 << 64);
}

#[test]
fn lane_moves() {
    let x = u128::from_le_bytes(core::array::from_fn(|n| n as u8));
    let y = x + u128::MAX / 255 * 16;
    let bytes = |v: u128| v.to_le_bytes();
    assert_eq!(bytes(lanes(Op::vzip1, Lane::B, 0, x, y))[..4], [0, 16, 1, 17]);
    assert_eq!(bytes(lanes(Op::vzip2, Lane::H, 0, x, y))[..4], [8, 9, 24, 25]);
    assert_eq!(bytes(lanes(Op::vuzp2, Lane::B, 0, x, y))[7..10], [15, 17, 19]);
    assert_eq!(bytes(lanes(Op::vtrn2, Lane::S, 0, x, y))[..8], [4, 5, 6, 7, 20, 21, 22, 23]);
    assert_eq!(bytes(lanes(Op::vrev, Lane::B, 2, x, 0))[..5], [3, 2, 1, 0, 7]);
    assert_eq!(bytes(lanes(Op::vext, Lane::B, 3, x, y))[12..], [15, 16, 17, 18]);
    assert_eq!(bytes(lanes(Op::vtbl, Lane::B, 0, y, x))[5], 21);
    assert_eq!(lanes(Op::vtbl, Lane::B, 0, x, y), 0, "indices out of range");
    assert_eq!(bytes(lanes(Op::vmovlane, Lane::H, 1 | 7 << 8, x, y))[..4], [0, 1, 30, 31]);
    assert_eq!(bytes(lanes(Op::vpadd, Lane::B, 0, x, y))[..2], [1, 5]);
    assert_eq!(bytes(lanes(Op::vnarrow, Lane::B, 0, x, 0))[6..10], [12, 14, 0, 0]);
    assert_eq!(
        lanes(Op::vcls, Lane::H, 0, 0xff00_0001_0000_ffff_u128, 0) as u64,
        0x0007_000e_000f_000f
    );
    assert_eq!(lanes(Op::vabs, Lane::B, 0, 0x80ff, 0), 0x8001);
}

#[test]
fn policies_reach_the_arithmetic() {
    let mut flags = 0;
    let mut i = inst(Op::fcvt_int, Type::I32);
    FpInt { fp: Fp::dynamic(NanRule::Default).rounding(Rm::Up), signed: true, nan_max: true }
        .put(&mut i);
    let p = Packed::with_type(i, Type::F32);
    assert_eq!(eval(&p, [u128::from(1.25f32.to_bits()), 0, 0], &mut flags, 0), 2);
    assert_eq!(flags, super::fp_flag::INEXACT);
    let mut i = inst(Op::vfadd, Type::V128);
    Fp::dynamic(NanRule::Arm).lanes(Lane::S).put(&mut i);
    let one = u128::from(1f32.to_bits());
    let two = value(i, Type::V128, [one << 32 | one, one << 64 | one, 0]);
    assert_eq!(two, one << 64 | one << 32 | u128::from(2f32.to_bits()));
}

const X: Slot = Slot { offset: 256, ty: Type::I64 };
const Y: Slot = Slot { offset: 264, ty: Type::I64 };

fn region(f: impl FnOnce(&Builder)) -> Region {
    let b = Builder::new();
    b.block(0x1000, true);
    f(&b);
    b.take(Region::default())
}
fn get(state: &[u8], s: Slot) -> u64 {
    let at = usize::from(s.offset);
    u64::from_le_bytes(state[at..at + 8].try_into().unwrap())
}

#[test]
fn loops_run_to_their_end_or_limit() {
    let r = region(|b| {
        let n = b.add_imm(b.get(X), 1);
        b.set(X, n);
        b.brcond(b.icmp(n, b.c64(10), Cond::Ltu), 0x1000);
        b.goto(0x2000);
    });
    let mut state = vec![0; 512];
    let mut mem = FlatMemory::new(0, 0);
    assert_eq!(run(&r, 0, &mut state, &mut mem, 4), Outcome::Continue(0x1000));
    assert_eq!(get(&state, X), 4);
    assert_eq!(run(&r, 0, &mut state, &mut mem, 100), Outcome::Continue(0x2000));
    assert_eq!(get(&state, X), 10);
}

#[test]
fn faults_name_their_instruction_and_keep_what_was_written() {
    let r = region(|b| {
        b.insn(0x1000);
        b.set(Y, b.c64(7));
        b.insn(0x1004);
        let v = b.load(b.get(X), Type::I64, Addr::at(MemOp::S32.align()));
        b.set(Y, v);
        b.goto(0x2000);
    });
    let mut mem = FlatMemory::new(0x8000, 16);
    mem.store(0x8004, 4, 0xffff_fffe).unwrap();
    let mut at = |x: u64| {
        let mut state = vec![0; 512];
        state[256..264].copy_from_slice(&x.to_le_bytes());
        (run(&r, 0, &mut state, &mut mem, 1), get(&state, Y))
    };
    assert_eq!(at(0x8004), (Outcome::Continue(0x2000), -2i64 as u64));
    for (x, misaligned) in [(0x9000, false), (0x8002, true)] {
        let fault = super::Fault { addr: x, write: false, misaligned };
        assert_eq!(at(x), (Outcome::Fault { pc: 0x1004, fault }, 7));
    }
}

#[test]
fn memory_ops() {
    let r = region(|b| {
        let base = b.get(X);
        let big = MemOp { big: true, ..MemOp::U32 };
        b.store(base, b.c64(0x0102_0304), Addr::at(big));
        let old = b.rmw(RmwOp::Smin, base, b.c64(0xffff_fff0), big);
        let swapped = b.cas(b.add_imm(base, 8), b.c64(0), b.c64(5), MemOp::U64);
        b.set(Y, b.add(old, swapped));
        b.fence(Order::SeqCst);
        b.exit(ExitKind::Syscall, 0x1010);
    });
    let mut mem = FlatMemory::new(0x8000, 16);
    let mut state = vec![0; 512];
    state[256..264].copy_from_slice(&0x8000u64.to_le_bytes());
    let end = run(&r, 0, &mut state, &mut mem, 1);
    assert_eq!(end, Outcome::Exit(ExitKind::Syscall, 0x1010));
    assert_eq!(get(&state, Y), 0x0102_0304);
    assert_eq!(mem.bytes[..9], [0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 5]);
}

#[test]
fn helpers_and_status() {
    extern "C" fn sum(_: *mut u8, a: u64, b: u64, _: u64) -> u64 {
        a + b
    }
    let sum = Helper { name: "sum", func: sum, writes_state: false };
    let r = region(|b| {
        b.set_fpmode(b.c32(Rm::Up as u32));
        b.or_fpstat(b.c32(1));
        let one = b.bitcast(b.c32(0x3f80_0000), Type::F32);
        let tiny = b.bitcast(b.c32(1), Type::F32);
        let next = b.fadd(one, tiny, Fp::dynamic(NanRule::Default));
        b.set(X, b.zext(b.bitcast(next, Type::I32)));
        b.set(Y, b.helper(sum, &[b.zext(b.fpstat()), b.c64(0x100)]));
        b.helper_end(sum, &[b.c64(ExitKind::Wait as u64)]);
    });
    let mut state = vec![0; 512];
    state[layout::PC..layout::PC + 8].copy_from_slice(&0x4444u64.to_le_bytes());
    let end = run(&r, 0, &mut state, &mut FlatMemory::new(0, 0), 1);
    assert_eq!(end, Outcome::Exit(ExitKind::Wait, 0x4444));
    assert_eq!((get(&state, X), get(&state, Y)), (0x3f80_0001, 0x121));
}

/// What has effects is never evaluated alone.
#[test]
fn effects_are_executed() {
    use crate::Effects;
    for &op in Op::ALL {
        let pure = !op.effects().has(Effects(!(Effects::COMMUTES.0 | Effects::FP_FLAGS.0)))
            && !matches!(op, Op::vconst | Op::vhelper);
        let p = Packed::with_type(inst(op, Type::I64), Type::I64);
        let alone = super::eval::value(&p, [1, 1, 1], &mut 0, 0).is_some();
        assert_eq!(alone, pure, "{op:?}");
    }
}
