//! What the builder folds while writing has the value of what was written.

use remu_ir::interp::{FlatMemory, run};
use remu_ir::{Builder, ExitKind, Op, Region, Slot, Type, Val};

const IN: u16 = 64;
const OUT: u16 = 80;

fn slot(offset: u16, ty: Type) -> Slot {
    Slot { offset, ty }
}

/// What `f` makes of a value, and the region it wrote.
fn made(ty: Type, x: u128, f: impl Fn(&Builder, Val) -> Val) -> (u128, Region) {
    let b = Builder::new();
    b.block(0, false);
    b.insn(0);
    let v = f(&b, b.get(slot(IN, ty)));
    b.set(slot(OUT, v.ty), v);
    b.exit(ExitKind::Syscall, 4);
    let region = b.take(Region::default());
    let mut state = [0u8; 128];
    let at = |offset: u16| usize::from(offset)..usize::from(offset) + 16;
    state[at(IN)].copy_from_slice(&x.to_le_bytes());
    let _ = run(&region, 0, &mut state, &mut FlatMemory::new(0x1000, 16), 10);
    let out = u128::from_le_bytes(state[at(OUT)].try_into().expect("16 bytes"));
    (out, region)
}

#[test]
fn two_shifts_extend() {
    for x in [0x8000_0000_8000_8080u64, 0x7fff_ffff_7fff_7f7f, 0x1234_5678_9abc_def0, u64::MAX] {
        for left in 1..64u32 {
            for right in 1..64u32 {
                let (v, _) = made(Type::I64, x.into(), |b, v| b.shr_imm(b.shl_imm(v, left), right));
                assert_eq!(v, u128::from(x << left >> right), "{x:#x} << {left} >> {right}");
                let (v, _) = made(Type::I64, x.into(), |b, v| b.sar_imm(b.shl_imm(v, left), right));
                let want = ((x << left) as i64 >> right) as u64;
                assert_eq!(v, want.into(), "{x:#x} << {left} >> {right}, signed");
                if left < 32 && right < 32 {
                    let (v, _) = made(Type::I32, (x as u32).into(), |b, v| {
                        b.shr_imm(b.shl_imm(v, left), right)
                    });
                    assert_eq!(v, (x as u32).wrapping_shl(left).wrapping_shr(right).into());
                    let (v, _) = made(Type::I32, (x as u32).into(), |b, v| {
                        b.sar_imm(b.shl_imm(v, left), right)
                    });
                    let want = ((x as u32) << left) as i32 >> right;
                    assert_eq!(v, (want as u32).into());
                }
            }
        }
    }
}

#[test]
fn two_shifts_are_one_operation_where_there_is_one() {
    let shifts = |r: &Region| {
        let live = |o: &u16| r.insts[usize::from(*o)].op;
        let last = r.insts.iter().rev().find(|i| i.op == Op::set).expect("a set");
        live(&last.args[0])
    };
    for (bits, signed, op) in [
        (32, false, Op::zext),
        (32, true, Op::sext),
        (16, false, Op::extract),
        (8, true, Op::sextract),
    ] {
        let (_, r) = made(Type::I64, 5, |b, v| {
            let up = b.shl_imm(v, 64 - bits);
            if signed { b.sar_imm(up, 64 - bits) } else { b.shr_imm(up, 64 - bits) }
        });
        assert_eq!(shifts(&r), op);
    }
}

#[test]
fn a_key_joins_the_round_before_it() {
    // FIPS 197, appendix B: round 1.
    let bytes = |s: &str| u128::from_str_radix(s, 16).expect("hexadecimal").swap_bytes();
    let start = bytes("193de3bea0f4e22b9ac68d2ae9f84808");
    let key = bytes("a0fafe1788542cb123a339392a6c7605");
    for turned in [false, true] {
        let (v, r) = made(Type::V128, start, |b, v| {
            let mixed = b.aesmc(b.aesenclast(v, b.vconst(0)));
            if turned { b.vxor(b.vconst(key), mixed) } else { b.vxor(mixed, b.vconst(key)) }
        });
        assert_eq!(v, bytes("a49c7ff2689f352b6b5bea43026a5049"));
        assert!(r.insts.iter().all(|i| i.op != Op::vxor));
    }
}
