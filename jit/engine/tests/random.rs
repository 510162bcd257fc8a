//! Random programs of a toy ISA whose instructions are random IR: translated
//! code must leave the state that the interpreter leaves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use remu_engine::{
    Access, AccessKind, CacheOptions, CodeSource, Core, Cpu, Engine, Mmu, Module, Options, Page,
    Refused, Served, Stats,
};
use remu_ir::interp::{FlatMemory, Outcome, run};
use remu_ir::{Builder, CrcAttr, *};
use remu_isa::{Fetch, Flow, Isa, Key, Lift, Limits, Scan, StateDesc, cpu_state, form};

cpu_state! {
    /// Toy state.
    pub struct Toy {
    /// Integers.
    x[16]: I64 = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15"];
    /// Vectors.
    v[16]: V128 = ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15"];
    /// Doubles.
    d[8]: F64 = ["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"];
    /// Words.
    w[4]: I32 = ["w0", "w1", "w2", "w3"];
    /// Flags.
    n[2]: Flags = ["n0", "n1"];
    }
    pinned_int: [(x, 0), (x, 1), (x, 2), (x, 3), (x, 4), (x, 5), (x, 6), (x, 7), (x, 8), (x, 9)];
    pinned_vec: [(v, 0), (v, 1), (v, 2), (v, 3), (v, 4), (v, 5), (d, 0), (d, 1), (d, 2), (d, 3)];
}

/// xorshift64*.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
    /// A 64-bit number that is often special.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => self.pick(&[
                0,
                1,
                u64::MAX,
                1 << 63,
                i64::MAX as u64,
                1 << 31,
                0x7fff_ffff,
                0xffff_ffff,
            ]),
            1 => self.pick(&[
                0x7ff0_0000_0000_0000,
                0xfff0_0000_0000_0000,
                0x7ff8_0000_0000_0000,
                0x7ff0_0000_0000_0001,
                0x3ff0_0000_0000_0000,
                0xbff0_0000_0000_0000,
                // The product of these rounds to the least normal number.
                0x3fef_ffff_ffff_ffff,
                0x0010_0000_0000_0000,
                1,
                0x000f_ffff_ffff_ffff,
                0x8000_0000_0000_0000,
            ]),
            2 => (self.next() as i8) as u64,
            3 => ((self.next() % 4096) as f64 / 16.0).to_bits(),
            4 => 0xffff_ffff_0000_0000 | u64::from((self.next() as i8 as f32).to_bits()),
            _ => self.next(),
        }
    }
}

const TYPES: [Type; 6] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128, Type::Flags];
/// Registers of the state that addresses are made from are not used: memory
/// accesses take the base of the buffer as a constant.
const BUFFER: usize = 4096;

/// Makes a random value of a type from the values there are.
fn value(b: &Lift<'_>, rng: &mut Rng, pool: &mut Vec<Val>, t: Type) -> Val {
    let have: Vec<Val> = pool.iter().copied().filter(|v| v.ty == t).collect();
    if !have.is_empty() && rng.below(4) != 0 {
        return rng.pick(&have);
    }
    let v = match t {
        Type::I64 if rng.below(4) == 0 => b.c64(rng.number()),
        Type::I64 if rng.below(6) == 0 => b.pcconst(b.pc().wrapping_add(rng.next() >> 40)),
        Type::I64 => b.get(slots::x(rng.below(16))),
        Type::I32 if rng.below(4) == 0 => b.c32(rng.number() as u32),
        Type::I32 if rng.below(2) == 0 => b.get(slots::w(rng.below(4))),
        Type::I32 => {
            let x = value(b, rng, pool, Type::I64);
            b.trunc(x)
        }
        Type::F64 => b.get(slots::d(rng.below(8))),
        Type::F32 => {
            let x = value(b, rng, pool, Type::I32);
            b.bitcast(x, Type::F32)
        }
        Type::V128 if rng.below(5) == 0 => {
            b.vconst(u128::from(rng.number()) << 64 | u128::from(rng.number()))
        }
        Type::V128 => b.get(slots::v(rng.below(16))),
        Type::Flags if rng.below(2) == 0 => b.get(slots::n(rng.below(2))),
        Type::Flags => {
            let x = value(b, rng, pool, Type::I64);
            let y = value(b, rng, pool, Type::I64);
            b.fl_sub(x, y)
        }
        _ => {
            let x = value(b, rng, pool, Type::I64);
            let y = value(b, rng, pool, Type::I64);
            b.icmp(x, y, rng.pick(Cond::ALL))
        }
    };
    pool.push(v);
    v
}

/// Appends a random op with random operands.
fn random_op(b: &Lift<'_>, rng: &mut Rng, pool: &mut Vec<Val>) {
    let op = rng.pick(Op::ALL);
    let info = op.info();
    let takes_part = info.effects.0 & !(Effects::COMMUTES.0 | Effects::FP_FLAGS.0) == 0
        && !info.operands.is_empty();
    if !takes_part
        || matches!(
            op,
            Op::vhelper
                | Op::fcvt_fix
                | Op::fscalb_s
                | Op::fscalb_u
                | Op::vextract
                | Op::vextract_s
        )
    {
        return memory_op(b, rng, pool);
    }
    let mut operands: Vec<Val> = Vec::new();
    for (n, (_, class)) in info.operands.iter().enumerate() {
        let t = match class {
            Class::Int => rng.pick(&[Type::I32, Type::I64]),
            Class::Is(t) => *t,
            Class::Float => rng.pick(&[Type::F32, Type::F64]),
            Class::Any => rng.pick(&TYPES[..5]),
            Class::SameX => operands[0].ty,
            Class::SameY => operands[1].ty,
            Class::Index => Type::I64,
        };
        let _ = n;
        // A narrow integer has no bits for a wide lane.
        let t = if matches!(op, Op::vdup | Op::vinsert) && t == Type::I32 { Type::I64 } else { t };
        operands.push(value(b, rng, pool, t));
    }
    let x = operands[0].ty;
    let mut i = Inst { op, ty: Type::Void, aux: 0, args: [Val::NONE_ID; 4], imm: 0 };
    let lane = match op {
        Op::vpmull => rng.pick(&[Lane::B, Lane::D]),
        Op::vfneg | Op::vfabs | Op::vfcmp => rng.pick(&[Lane::H, Lane::S, Lane::D]),
        Op::vnarrow
        | Op::vuwiden
        | Op::vswiden
        | Op::vumull
        | Op::vsmull
        | Op::vuaddlp
        | Op::vsaddlp => rng.pick(&[Lane::B, Lane::H, Lane::S]),
        Op::vctpop => Lane::B,
        Op::vclz | Op::vcls => rng.pick(&[Lane::B, Lane::H, Lane::S]),
        _ => rng.pick(&[Lane::B, Lane::H, Lane::S, Lane::D]),
    };
    let fp = Fp {
        rm: if rng.below(3) == 0 { rng.pick(&Rm::ALL[..6]) } else { Rm::Dyn },
        nan: rng.pick(&[NanRule::Arm, NanRule::Default]),
        lane: if op.name_starts("vf") { rng.pick(&[Lane::S, Lane::D]) } else { Lane::B },
    };
    for (_, kind) in info.attrs {
        match kind {
            AttrKind::Ty => {
                i.ty = match op {
                    Op::boolint | Op::fcvt_int => rng.pick(&[Type::I32, Type::I64]),
                    Op::fcvt if x == Type::F32 => Type::F64,
                    Op::fcvt => Type::F32,
                    Op::fcvt_s | Op::fcvt_u => rng.pick(&[Type::F32, Type::F64]),
                    Op::bitcast => match x {
                        Type::I32 => Type::F32,
                        Type::F32 => Type::I32,
                        Type::I64 => Type::F64,
                        Type::F64 => Type::I64,
                        _ => return,
                    },
                    Op::fbox if x == Type::F32 => Type::F64,
                    Op::funbox if x == Type::F64 => Type::F32,
                    Op::vtof => rng.pick(&[Type::F32, Type::F64]),
                    _ => return,
                }
            }
            AttrKind::Cond => rng.pick(Cond::ALL).put(&mut i),
            AttrKind::FlagCond => rng.pick(FlagCond::ALL).put(&mut i),
            AttrKind::FCond if op == Op::fl_fcmp => rng.pick(&[FCond::Eq, FCond::EqS]).put(&mut i),
            AttrKind::FCond => rng.pick(FCond::ALL).put(&mut i),
            AttrKind::Lane => lane.put(&mut i),
            AttrKind::Fp => fp.put(&mut i),
            AttrKind::FpInt => {
                FpInt { fp, signed: rng.below(2) == 0, nan_max: rng.below(2) == 0 }.put(&mut i)
            }
            AttrKind::DivZero => rng.pick(DivZero::ALL).put(&mut i),
            AttrKind::Crc => {
                CrcAttr { castagnoli: rng.below(2) == 0, size: rng.below(4) as u8 }.put(&mut i)
            }
            AttrKind::Bits => {
                let width = x.bytes() as usize * 8;
                let pos = rng.below(width);
                (pos as u8, 1 + rng.below(width - pos) as u8).put(&mut i);
            }
            AttrKind::Imm => {
                i.imm = match op {
                    Op::extract2 => rng.below(x.bytes() as usize * 8) as i32,
                    Op::vcmp => rng.below(Cond::ALL.len()) as i32,
                    Op::vfcmp => rng.below(5) as i32,
                    Op::vshl => rng.below(lane.bits() as usize) as i32,
                    Op::vshr | Op::vsar | Op::vrshr | Op::vrsar => {
                        1 + rng.below(lane.bits() as usize - 1) as i32
                    }
                    Op::vinsert | Op::vduplane => rng.below(lane.count() as usize) as i32,
                    Op::vmovlane => {
                        (rng.below(lane.count() as usize) | rng.below(lane.count() as usize) << 8)
                            as i32
                    }
                    Op::vext => rng.below(16) as i32,
                    Op::vrev => {
                        (lane as usize
                            + 1
                            + rng.below(4 - lane as usize).min(3 - (lane as usize).min(3)))
                            as i32
                    }
                    Op::vtbx => rng.below(4) as i32,
                    _ => 0,
                }
            }
            _ => return,
        }
    }
    if op == Op::vrev && (i.imm > 4 || i.imm <= lane as i32) {
        return;
    }
    let v = b.push_op(i, &operands);
    if v.ty != Type::Void {
        pool.push(v);
    }
}

trait NameStarts {
    fn name_starts(self, p: &str) -> bool;
}
impl NameStarts for Op {
    fn name_starts(self, p: &str) -> bool {
        self.info().name.starts_with(p)
    }
}

/// A load, store or atomic in the buffer, or a write to a register.
fn memory_op(b: &Lift<'_>, rng: &mut Rng, pool: &mut Vec<Val>) {
    let base = b.get(slots::x(15));
    let off = (rng.below(BUFFER - 64) & !15) as i32;
    match rng.below(12) {
        0 | 1 => {
            let t = rng.pick(&[Type::I32, Type::I64, Type::F64, Type::V128]);
            let m = match t {
                Type::F64 => MemOp::U64,
                Type::V128 => rng.pick(&[MemOp::U128, MemOp::U64, MemOp::U32]),
                Type::I32 => rng.pick(&[MemOp::U8, MemOp::S8, MemOp::U16, MemOp::S16, MemOp::U32]),
                _ => rng.pick(&[
                    MemOp::U8,
                    MemOp::S8,
                    MemOp::U16,
                    MemOp::S16,
                    MemOp::U32,
                    MemOp::S32,
                    MemOp::U64,
                ]),
            };
            let a = Addr { disp: off + rng.below(8) as i32, ..Addr::at(m) };
            pool.push(b.load(base, t, a));
        }
        2 | 3 => {
            let t = rng.pick(&[Type::I32, Type::I64, Type::F64, Type::V128]);
            let v = value(b, rng, pool, t);
            let m = match t {
                Type::F64 => MemOp::U64,
                Type::V128 => rng.pick(&[MemOp::U128, MemOp::U64, MemOp::U32]),
                Type::I32 => rng.pick(&[MemOp::U8, MemOp::U16, MemOp::U32]),
                _ => rng.pick(&[MemOp::U8, MemOp::U16, MemOp::U32, MemOp::U64]),
            };
            b.store(base, v, Addr { disp: off + rng.below(8) as i32, ..Addr::at(m) });
        }
        4 => {
            let wide = rng.below(2) == 0;
            let t = if wide { Type::I64 } else { Type::I32 };
            let v = value(b, rng, pool, t);
            let m = if wide {
                rng.pick(&[MemOp::U64, MemOp::U32, MemOp::S32])
            } else {
                rng.pick(&[MemOp::U8, MemOp::S16, MemOp::U32])
            };
            let addr = b.add_imm(base, i64::from(off));
            pool.push(b.rmw(rng.pick(RmwOp::ALL), addr, v, m));
        }
        5 => {
            let t = rng.pick(&[Type::I64, Type::V128]);
            let (e, n) = (value(b, rng, pool, t), value(b, rng, pool, t));
            let addr = b.add_imm(base, i64::from(off));
            pool.push(b.cas(
                addr,
                e,
                n,
                if t == Type::V128 {
                    MemOp::U128
                } else {
                    rng.pick(&[MemOp::U64, MemOp::U32, MemOp::U16])
                },
            ));
        }
        6 | 7 => {
            let v = value(b, rng, pool, Type::I64);
            b.set(slots::x(rng.below(15)), v);
        }
        8 => {
            let v = value(b, rng, pool, Type::V128);
            b.set(slots::v(rng.below(16)), v);
        }
        9 => {
            let v = value(b, rng, pool, Type::F64);
            b.set(slots::d(rng.below(8)), v);
        }
        10 => {
            let v = value(b, rng, pool, Type::I32);
            b.set(slots::w(rng.below(4)), v);
        }
        _ => {
            let v = value(b, rng, pool, Type::Flags);
            b.set(slots::n(rng.below(2)), v);
        }
    }
}

/// An op of the kind that additions over many words are made of: arithmetic
/// with its flags, what leaves the host's flags alone, and what does not.
fn chain_op(b: &Lift<'_>, rng: &mut Rng, pool: &mut Vec<Val>, flags: &mut Val) {
    let t = if rng.below(4) == 0 { Type::I32 } else { Type::I64 };
    let (x, y) = (value(b, rng, pool, t), value(b, rng, pool, t));
    let y = if rng.below(6) == 0 && t == Type::I64 { b.c64(rng.below(5) as u64) } else { y };
    let carry = |rng: &mut Rng, f: Val| {
        b.fl_cond(f, if rng.below(4) == 0 { FlagCond::Cc } else { FlagCond::Cs })
    };
    let v = match rng.below(24) {
        0..=2 => {
            let v = b.add(x, y);
            *flags = b.fl_add(x, y);
            v
        }
        3 | 4 => {
            let v = b.sub(x, y);
            *flags = b.fl_sub(x, y);
            v
        }
        5..=8 => {
            let c = carry(rng, *flags);
            let v = b.adc(x, y, c);
            *flags = b.fl_adc(x, y, c);
            v
        }
        9 | 10 => {
            let c = carry(rng, *flags);
            let v = b.sbc(x, y, c);
            *flags = b.fl_sbc(x, y, c);
            v
        }
        11 => {
            let v = if rng.below(2) == 0 { b.and(x, y) } else { b.andc(x, y) };
            *flags = b.fl_logic(v);
            v
        }
        12 => {
            *flags = b.get(slots::n(rng.below(2)));
            return;
        }
        13 => {
            let c = carry(rng, *flags);
            if rng.below(2) == 0 { b.adc(x, y, c) } else { b.sbc(x, y, c) }
        }
        14 => b.mul(x, y),
        15 => b.mulhu(x, y),
        16 => b.add(x, y),
        17 => b.sub(x, y),
        18 => {
            let n = b.iconst(rng.below(63) as u64, t);
            let n = if rng.below(2) == 0 { n } else { y };
            [b.shl(x, n), b.shr(x, n), b.sar(x, n)][rng.below(3)]
        }
        19 => {
            let c = b.fl_cond(*flags, rng.pick(FlagCond::ALL));
            b.movcond(c, x, y)
        }
        20 => {
            let c = b.fl_cond(*flags, rng.pick(FlagCond::ALL));
            b.boolint(c, t)
        }
        21 => {
            b.set(slots::n(rng.below(2)), *flags);
            return;
        }
        22 => b.not(x),
        _ => return memory_op(b, rng, pool),
    };
    pool.push(v);
    if rng.below(2) == 0 {
        b.set(slots::n(rng.below(2)), *flags);
    }
    if v.ty == Type::I64 && rng.below(2) == 0 {
        b.set(slots::x(rng.below(15)), v);
    }
}

/// An op of the kind that sums of products are made of: arithmetic with one NaN, what
/// passes its results on, and what somebody sees of them.
fn sum_op(b: &Lift<'_>, rng: &mut Rng, pool: &mut Vec<Val>) {
    let rule = match rng.below(4) {
        0 => Fp::dynamic(rng.pick(&[NanRule::Arm, NanRule::ArmDefault])),
        _ => Fp::dynamic(NanRule::Default),
    };
    let t = if rng.below(5) == 0 { Type::F32 } else { Type::F64 };
    let (x, y, z) = (value(b, rng, pool, t), value(b, rng, pool, t), value(b, rng, pool, t));
    let v = match rng.below(20) {
        0..=2 => b.fadd(x, y, rule),
        3 | 4 => b.fsub(x, y, rule),
        5 | 6 => b.fmul(x, y, rule),
        7 => b.fdiv(x, y, rule),
        8 => b.fsqrt(x, rule),
        9..=11 => b.fma(x, y, z, rule),
        12 => b.fma(b.fneg(x), y, z, rule),
        13 => b.fneg(x),
        14 => {
            let (i, j) = (value(b, rng, pool, Type::I64), value(b, rng, pool, Type::I64));
            b.add(i, j)
        }
        15 => {
            let (i, j) = (value(b, rng, pool, Type::I64), value(b, rng, pool, Type::I64));
            let less = b.fcmp(x, y, FCond::Lt);
            b.movcond(less, i, j)
        }
        16 if t == Type::F64 => b.bitcast(x, Type::I64),
        17 => b.vfromf(x),
        _ => return memory_op(b, rng, pool),
    };
    pool.push(v);
    match v.ty {
        Type::F64 if rng.below(3) != 0 => b.set(slots::d(rng.below(8)), v),
        Type::I64 if rng.below(2) == 0 => b.set(slots::x(rng.below(15)), v),
        _ => {}
    }
}

struct ToyIsa;

impl Isa for ToyIsa {
    fn state(&self) -> &'static StateDesc {
        &STATE
    }
    fn scan(&self, code: &[u8], pc: u64, _: Key) -> Option<Scan> {
        let word = u32::from_le_bytes(code.get(..4)?.try_into().ok()?);
        let flow = if word == 0 {
            Flow::Stop
        } else if word % 5 == 0 {
            Flow::Cond
        } else {
            Flow::Next
        };
        Some(Scan { len: 4, flow, target: pc + 12 })
    }
    fn lift(&self, l: &Lift<'_>, code: &[u8]) {
        let word = u32::from_le_bytes([code[0], code[1], code[2], code[3]]);
        if word == 0 {
            return l.illegal();
        }
        let mut rng = Rng(u64::from(word) << 20 | 0x9_1234_5679);
        for _ in 0..4 {
            rng.next();
        }
        let mut pool = Vec::new();
        let mut last = None;
        if word % 7 < 3 {
            let mut flags = l.get(slots::n(0));
            for _ in 0..14 {
                chain_op(l, &mut rng, &mut pool, &mut flags);
            }
            pool.push(flags);
            last = Some(flags);
        } else if word % 7 == 3 {
            for _ in 0..14 {
                sum_op(l, &mut rng, &mut pool);
            }
        } else {
            for _ in 0..10 {
                random_op(l, &mut rng, &mut pool);
            }
        }
        // Everything computed is written somewhere.
        for v in pool.clone() {
            match v.ty {
                Type::I64 => l.set(slots::x(rng.below(15)), v),
                Type::I32 if rng.below(2) == 0 => l.set(slots::w(rng.below(4)), v),
                Type::I32 => {
                    let z = if rng.below(2) == 0 { l.zext(v) } else { l.sext(v) };
                    l.set(slots::x(rng.below(15)), z);
                }
                Type::F64 => l.set(slots::d(rng.below(8)), v),
                Type::F32 => {
                    let f = l.fbox(v, Type::F64);
                    l.set(slots::d(rng.below(8)), f);
                }
                Type::V128 => l.set(slots::v(rng.below(16)), v),
                Type::Flags => l.set(slots::n(rng.below(2)), v),
                Type::Bool => {
                    let (t, f) = (
                        value(l, &mut rng, &mut pool, Type::I64),
                        value(l, &mut rng, &mut pool, Type::I64),
                    );
                    let m = l.movcond(v, t, f);
                    l.set(slots::x(rng.below(15)), m);
                }
                _ => {}
            }
        }
        if word.is_multiple_of(5) {
            let c = match last {
                // As compilers do: set the flags, branch on them.
                Some(f) => {
                    l.set(slots::n(rng.below(2)), f);
                    l.fl_cond(f, rng.pick(FlagCond::ALL))
                }
                None => value(l, &mut rng, &mut pool, Type::Bool),
            };
            l.brcond(c, l.pc() + 12);
        }
    }
    fn disassemble(&self, _: &[u8], _: u64) -> (String, usize) {
        ("toy".into(), 4)
    }
}

/// Guest address, code, and what it is called in the cache.
struct Program(u64, Vec<u8>, u128);

impl CodeSource for Program {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let Some(off) = addr.checked_sub(self.0) else { return 0 };
        let from = self.1.get(off as usize..).unwrap_or(&[]);
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        n
    }
    fn module(&self, _: u64) -> Option<Module> {
        let end = self.0 + self.1.len() as u64;
        Some(Module { id: self.2, start: self.0, end, offset: 0x1000 })
    }
}

struct Bytes<'a>(&'a Program);

impl Fetch for Bytes<'_> {
    fn fetch(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        self.0.fetch(addr, buf)
    }
}

const CODE: u64 = 0x10000;

/// Runs a program on the interpreter: how it ends, and where.
fn interpret(
    program: &Program,
    code: u64,
    state: &mut [u8],
    memory: &mut FlatMemory,
) -> Result<(ExitKind, u64), String> {
    let mut pc = code;
    let b = Builder::new();
    loop {
        b.reset();
        form(&ToyIsa, &b, &mut Bytes(program), pc, Key(0), Limits::default());
        let region = b.take(Region::default());
        let block = region.block_at(pc).ok_or("no block")?;
        match run(&region, block, state, memory, 1000) {
            Outcome::Continue(next) => pc = next,
            Outcome::Exit(kind, at) => {
                return Ok((kind, at));
            }
            Outcome::Fault { .. } => return Err("interpreter faulted".into()),
        }
    }
}

/// Says where registers differ.
fn compare_states(cpu: &Cpu, state: &[u8]) -> Result<(), String> {
    for r in STATE.regs {
        let at = usize::from(r.slot.offset);
        let n = r.slot.ty.bytes() as usize;
        let mut want = [0; 16];
        want[..n].copy_from_slice(&state[at..at + n]);
        let want = u128::from_le_bytes(want);
        if cpu.get(r.slot) != want {
            return Err(format!("{} = {:x}, expected {want:x}", r.name, cpu.get(r.slot)));
        }
    }
    let stat = u32::from_le_bytes([state[32], state[33], state[34], state[35]]);
    // Bit 1, denormal input, is the host's own business.
    if (cpu.header().fpstat ^ stat) & !2 != 0 {
        return Err(format!("fpstat = {:x}, expected {stat:x}", cpu.header().fpstat));
    }
    Ok(())
}

/// Runs one program both ways; an error text where they differ.
fn compare(words: &[u32], seed: u64) -> Result<(), String> {
    compare_at(words, seed, CODE, None).map(drop)
}

/// The same for code at an address, with a cache in a folder.
fn compare_at(words: &[u32], seed: u64, code: u64, folder: Option<&Path>) -> Result<Stats, String> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    // A branch may skip the last instruction.
    bytes.extend([0; 16]);
    let program = Arc::new(Program(code, bytes, u128::from(seed)));
    let cache = folder.map(|folder| CacheOptions {
        folder: folder.to_owned(),
        make: true,
        build: b"test".to_vec(),
        limit: 1 << 30,
        least: 1,
    });
    let engine = Engine::new(
        Box::new(ToyIsa),
        program.clone(),
        Options { code_size: 4 << 20, cache, ..Options::default() },
    )
    .map_err(|e| e.to_string())?;
    let mut cpu = Cpu::new(&engine).map_err(|e| e.to_string())?;
    let mut rng = Rng(seed | 1);
    let mut buffer = vec![0u64; BUFFER / 8];
    for w in &mut buffer {
        *w = rng.number();
    }
    let base = buffer.as_ptr() as u64;
    for r in STATE.regs {
        let v = u128::from(rng.number()) << 64 | u128::from(rng.number());
        let v = if r.slot.ty == Type::Flags { v & 0xf000_0000 } else { v };
        cpu.set(r.slot, v);
    }
    cpu.set(slots::x(15), u128::from(base));
    cpu.set_pc(code);
    let mut state = cpu.state().to_vec();
    let mut memory =
        FlatMemory { base, bytes: buffer.iter().flat_map(|w| w.to_le_bytes()).collect() };

    let (kind, pc) = interpret(&program, code, &mut state, &mut memory)?;
    let got = engine.run(&mut cpu);
    if (got, cpu.pc()) != (kind, pc) {
        return Err(format!("exit {got:?} at {:x}, expected {kind:?} at {pc:x}", cpu.pc()));
    }
    compare_states(&cpu, &state)?;
    let after: Vec<u8> = buffer.iter().flat_map(|w| w.to_le_bytes()).collect();
    if after != memory.bytes {
        return Err("memory differs".into());
    }
    engine.save();
    Ok(engine.stats())
}

/// The memory of a machine: two guest pages in a row, whose places are exchanged.
struct Exchanged {
    bytes: Vec<AtomicU8>,
    /// Index of the first page's first byte.
    first: usize,
    rng: Rng,
    /// Accesses made in the handler, and entries made for the TLB.
    served: [u64; 2],
}

impl Exchanged {
    const PAGE: usize = 4096;
    /// Where the first page is for the guest, and the buffer: half in each page.
    const BASE: u64 = 0x7_1234_5000;
    const BUFFER: u64 = Self::BASE + (Self::PAGE - BUFFER / 2) as u64;

    fn new(rng: Rng) -> Exchanged {
        let bytes: Vec<AtomicU8> = (0..3 * Self::PAGE).map(|_| AtomicU8::new(0)).collect();
        let first = bytes.as_ptr().align_offset(Self::PAGE);
        Exchanged { bytes, first, rng, served: [0; 2] }
    }
    fn byte(&self, addr: u64) -> &AtomicU8 {
        let off = (addr - Self::BASE) as usize;
        assert!(off < 2 * Self::PAGE, "{addr:x} is no memory");
        &self.bytes[self.first + (off ^ Self::PAGE)]
    }
    fn buffer(&self) -> Vec<u8> {
        let all = Self::BUFFER..Self::BUFFER + BUFFER as u64;
        all.map(|a| self.byte(a).load(Ordering::Relaxed)).collect()
    }
}

impl Mmu for Exchanged {
    fn access(
        &mut self,
        core: &mut Core<'_>,
        addr: u64,
        access: Access,
        operands: [u128; 2],
    ) -> Result<Served, Refused> {
        let n = u64::from(access.mem.bytes());
        let crosses = addr as usize % Self::PAGE + n as usize > Self::PAGE;
        let simple = matches!(access.kind, AccessKind::Load | AccessKind::Store);
        assert!(simple || !crosses);
        if !crosses && (!simple || self.rng.below(2) == 0) {
            self.served[1] += 1;
            let page = addr & !(Self::PAGE as u64 - 1);
            let host = self.byte(page).as_ptr();
            let write = access.kind.writes() || self.rng.below(2) == 0;
            let read = !access.kind.writes() || self.rng.below(2) == 0;
            core.fill(access.tlb, Page { va: addr, pa: addr, host, read, write });
            return Ok(Served::Filled);
        }
        self.served[0] += 1;
        let mut old = 0;
        for k in 0..n {
            let byte = self.byte(addr + k);
            if access.kind == AccessKind::Load {
                old |= u128::from(byte.load(Ordering::Relaxed)) << (8 * k);
            } else {
                byte.store((operands[0] >> (8 * k)) as u8, Ordering::Relaxed);
            }
        }
        Ok(Served::Done(old))
    }
    fn fetch(&mut self, _: &mut Core<'_>, addr: u64, _: Key) -> Result<u64, Refused> {
        // Another page of the program each time would be the same code.
        Ok(addr / Self::PAGE as u64)
    }
}

/// Runs one program on the interpreter and in a machine, where its code crosses a page's end.
fn compare_machine(words: &[u32], seed: u64) -> Result<[u64; 2], String> {
    let code = CODE + Exchanged::PAGE as u64 - 8;
    let mut bytes = vec![0; Exchanged::PAGE - 8];
    bytes.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    bytes.extend([0; 16]);
    let program = Arc::new(Program(CODE, bytes, 0));
    let options = Options { code_size: 4 << 20, machine: true, ..Options::default() };
    let engine =
        Engine::new(Box::new(ToyIsa), program.clone(), options).map_err(|e| e.to_string())?;
    let mut cpu = Cpu::new(&engine).map_err(|e| e.to_string())?;
    let mut rng = Rng(seed | 1);
    let mut mmu = Exchanged::new(Rng(seed << 1 | 1));
    for a in 0..BUFFER as u64 {
        mmu.byte(Exchanged::BUFFER + a).store(rng.number() as u8, Ordering::Relaxed);
    }
    for r in STATE.regs {
        let v = u128::from(rng.number()) << 64 | u128::from(rng.number());
        let v = if r.slot.ty == Type::Flags { v & 0xf000_0000 } else { v };
        cpu.set(r.slot, v);
    }
    cpu.set(slots::x(15), Exchanged::BUFFER.into());
    cpu.set_pc(code);
    let mut state = cpu.state().to_vec();
    let mut memory = FlatMemory { base: Exchanged::BUFFER, bytes: mmu.buffer() };
    let (kind, pc) = interpret(&program, code, &mut state, &mut memory)?;
    let got = engine.run_machine(&mut cpu, &mut mmu);
    if (got, cpu.pc()) != (kind, pc) {
        return Err(format!("exit {got:?} at {:x}, expected {kind:?} at {pc:x}", cpu.pc()));
    }
    compare_states(&cpu, &state)?;
    if mmu.buffer() != memory.bytes {
        return Err("memory differs".into());
    }
    Ok(mmu.served)
}

#[test]
fn random_programs_leave_the_interpreters_state_in_machines_too() {
    let count = std::env::var("REMU_RANDOM").ok().and_then(|s| s.parse().ok()).unwrap_or(3000u64);
    let (mut failures, mut served) = (Vec::new(), [0; 2]);
    for n in 1..=count {
        let mut rng = Rng(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let len = 1 + rng.below(8);
        let words: Vec<u32> = (0..len).map(|_| rng.next() as u32 | 1).collect();
        match compare_machine(&words, n) {
            Ok([done, filled]) => served = [served[0] + done, served[1] + filled],
            Err(e) => failures.push(format!("seed {n}: {e}; words {words:?}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures[..failures.len().min(5)].join("\n"));
    assert!(count < 1000 || served[0] > 100 && served[1] > 100, "{served:?}");
}

/// Code comes from the cache wherever the guest's file is mapped, unless it
/// holds short guest addresses, and does what it did.
#[test]
fn saved_programs_run_at_other_addresses() {
    let folder = std::env::temp_dir().join(format!("remu-random-{}", std::process::id()));
    let mut moved = 0;
    for n in 1..400 {
        let mut rng = Rng(n * 77);
        let words: Vec<u32> = (0..2 + rng.below(4)).map(|_| rng.next() as u32 | 1).collect();
        let low = n % 8 == 0;
        let first = if low { CODE } else { 0x5_0000_0000 };
        for (turn, at) in [first, first, 0x7f71_2345_6000, first].into_iter().enumerate() {
            let s = compare_at(&words, n, at, Some(&folder)).unwrap();
            // Ops that take a guest address as a number fix the code.
            let told = format!("program {n}, turn {turn}: {s}");
            match turn {
                0 => assert_eq!(s.served, 0, "{told}"),
                2 if low => assert_eq!(s.served, 0, "{told}"),
                2 => moved += u32::from(s.regions == 0),
                _ => assert_eq!(s.regions, 0, "{told}"),
            }
            assert_eq!(s.regions == 0, s.served != 0, "{told}");
            assert!(s.saved >= if turn == 0 { s.regions } else { 0 }, "{told}");
        }
    }
    assert!(moved > 200, "{moved} of 350 programs moved");
    std::fs::remove_dir_all(folder).unwrap();
}

/// With `REMU_WORD`, shows what one instruction lifts to and how it fares.
#[test]
fn one_word_on_request_is_shown() {
    let Some(word) = std::env::var("REMU_WORD").ok().and_then(|s| s.parse::<u32>().ok()) else {
        return;
    };
    let seed = std::env::var("REMU_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1u64);
    let b = Builder::new();
    let mut words: Vec<u32> = std::env::var("REMU_WORDS")
        .unwrap_or_default()
        .split(',')
        .filter_map(|s| s.parse().ok())
        .collect();
    words.push(word);
    let program = Program(
        CODE,
        words.iter().chain(&[0, 0, 0]).copied().flat_map(|w| w.to_le_bytes()).collect(),
        0,
    );
    form(&ToyIsa, &b, &mut Bytes(&program), CODE, Key(0), Limits::default());
    let region = b.take(Region::default());
    for (n, i) in region.insts.iter().enumerate() {
        println!(
            "v{n} = {}.{} {:?} aux {} imm {}",
            i.op.info().name,
            i.ty,
            &i.args[..i.op.arity().max(1)],
            i.aux,
            i.imm
        );
    }
    let result = compare(&words, seed);
    assert!(result.is_ok(), "{result:?}");
}

#[test]
fn random_programs_leave_the_interpreters_state() {
    let count = std::env::var("REMU_RANDOM").ok().and_then(|s| s.parse().ok()).unwrap_or(3000u64);
    let first = std::env::var("REMU_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1u64);
    let mut failures = Vec::new();
    for n in first..first + count {
        let mut rng = Rng(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let len = 1 + rng.below(6);
        let words: Vec<u32> = (0..len).map(|_| rng.next() as u32 | 1).collect();
        if let Err(e) = compare(&words, n) {
            // The shortest failing part says more.
            let single = words.iter().find(|&&w| compare(&[w], n).is_err());
            let prefix = (1..=words.len()).find(|&k| compare(&words[..k], n).is_err());
            failures.push(format!(
                "seed {n}: {e}; words {words:?}; alone: {single:?}; prefix: {prefix:?}"
            ));
            if failures.len() >= 5 {
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
