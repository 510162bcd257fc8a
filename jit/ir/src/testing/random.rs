//! Random regions: every op of the table, with operands and attributes that
//! the verifier accepts. What the table says of an op is all that is used, so
//! a new row takes part by itself.

use crate::{
    Addr, Attr, AttrKind, Builder, Class, CrcAttr, Effects, Fp, FpInt, Inst, Lane, MemOp, NanRule,
    Op, ResultRule, Rm, RmwOp, Slot, Type, Val,
};

/// Numbers from a seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From any seed.
    pub fn new(seed: u64) -> Random {
        let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            r.bits();
        }
        r
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// Less than `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 33) as usize % n.max(1)
    }
    /// One of several.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
    /// A number that is often special, as integer or as floating-point number.
    pub fn number(&mut self) -> u64 {
        const SPECIAL: [u64; 20] = [
            0,
            1,
            u64::MAX,
            1 << 63,
            i64::MAX as u64,
            1 << 31,
            0x7fff_ffff,
            0xffff_ffff,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x7ff0_0000_0000_0001,
            0x3ff0_0000_0000_0000,
            0x0010_0000_0000_0000,
            0x7f80_0000_7fc0_0000,
            0xff80_0001_3f80_0000,
            0x0000_0001_0080_0000,
            0x7c00_3c00_7e00_0001,
            0xfc01_8000_0400_7bff,
            0xffff_ffff_bf80_0000,
        ];
        match self.below(6) {
            0 | 1 => self.pick(&SPECIAL),
            2 => (self.bits() as i8) as u64,
            3 => ((self.bits() % 4096) as f64 / 16.0).to_bits(),
            _ => self.bits(),
        }
    }
}

/// What random regions are made of.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    /// Slots read and written; one of type I64 at least.
    pub slots: &'a [Slot],
    /// Ops to choose from; those that only `Builder` methods can write are left out.
    pub ops: &'a [Op],
    /// NaN rules to choose from.
    pub nan: &'a [NanRule],
    /// Memory to use: guest address and size, at least 32 bytes.
    pub memory: Option<(u64, u32)>,
    /// Random ops of a block.
    pub len: usize,
}

/// Ops that random regions can have: those whose value is all they are.
pub fn takes_part(op: Op) -> bool {
    let hidden = !(Effects::COMMUTES.0 | Effects::FP_FLAGS.0);
    !op.effects().has(Effects(hidden)) && op.arity() != 0 && op != Op::vhelper
}

/// Writes a block at `pc` whose every value is seen in some slot at its end,
/// which goes to `next`.
pub fn block(b: &Builder, rng: &mut Random, spec: &Spec<'_>, pc: u64, next: u64) {
    b.block(pc, false);
    b.insn(pc);
    fill(b, rng, spec);
    b.goto(next);
}

/// Writes random ops into the open block, and their values into some slot.
pub fn fill(b: &Builder, rng: &mut Random, spec: &Spec<'_>) {
    let mut g = Writer { b, rng, spec, pool: Vec::new(), seen: 0 };
    for n in [0, 1, 2, 3] {
        g.pool.push(b.c32(n));
    }
    g.seen = g.pool.len();
    for _ in 0..spec.len {
        match g.rng.below(8) {
            0 => g.write_slot(),
            1 if spec.memory.is_some() => g.access(),
            _ => g.op(),
        }
    }
    g.sink();
}

struct Writer<'a> {
    b: &'a Builder,
    rng: &'a mut Random,
    spec: &'a Spec<'a>,
    pool: Vec<Val>,
    /// Values of the pool that need not be seen at the end.
    seen: usize,
}

impl Writer<'_> {
    /// A value of a type: one there is, or a new one.
    fn value(&mut self, t: Type) -> Val {
        let have: Vec<Val> = self.pool.iter().copied().filter(|v| v.ty == t).collect();
        if !have.is_empty() && self.rng.below(4) != 0 {
            return self.rng.pick(&have);
        }
        let slots: Vec<Slot> = self.spec.slots.iter().copied().filter(|s| s.ty == t).collect();
        if !slots.is_empty() && self.rng.below(3) != 0 {
            return self.b.get(self.rng.pick(&slots));
        }
        let n = self.rng.number();
        match t {
            Type::I64 => self.b.c64(n),
            Type::I32 | Type::Void => self.b.c32(n as u32),
            Type::F16 | Type::F32 => {
                let x = self.value(Type::I32);
                self.b.bitcast(x, t)
            }
            Type::F64 => {
                let x = self.value(Type::I64);
                self.b.bitcast(x, t)
            }
            Type::V128 => self.b.vconst(u128::from(n) << 64 | u128::from(self.rng.number())),
            Type::Bool | Type::Flags => {
                let (x, y) = (self.value(Type::I64), self.value(Type::I64));
                if t == Type::Flags {
                    return self.b.fl_sub(x, y);
                }
                let c = self.rng.pick(crate::Cond::ALL);
                self.b.icmp(x, y, c)
            }
        }
    }

    /// A random op; now and then none, where no attributes were found.
    fn op(&mut self) {
        let op = self.rng.pick(self.spec.ops);
        if !takes_part(op) {
            return;
        }
        let mut args = Vec::new();
        for (_, class) in op.info().operands {
            let t = match class {
                Class::Int => self.rng.pick(&[Type::I32, Type::I64]),
                Class::Is(t) => *t,
                Class::Float => self.rng.pick(&[Type::F16, Type::F32, Type::F64]),
                Class::Any => self.rng.pick(&Type::ALL[1..]),
                Class::SameX => args.first().map_or(Type::I64, |v: &Val| v.ty),
                Class::SameY => args.get(1).map_or(Type::I64, |v: &Val| v.ty),
                Class::Index => Type::I64,
            };
            args.push(self.value(t));
        }
        // Where a number must be constant, it is small.
        if matches!(op, Op::vextract | Op::vextract_s | Op::fcvt_fix | Op::fscalb_s | Op::fscalb_u)
        {
            args[1] = self.b.c32(self.rng.below(16) as u32);
        }
        for _ in 0..100 {
            let i = self.attributes(op, &args);
            if let Some(v) = self.b.push_valid(i, &args) {
                return self.pool.push(v);
            }
        }
    }

    fn attributes(&mut self, op: Op, args: &[Val]) -> Inst {
        let mut i = Inst { op, ty: Type::Void, aux: 0, args: [Val::NONE_ID; 4], imm: 0 };
        let row = op.info();
        let vector = args.first().is_some_and(|v| v.ty == Type::V128);
        let rm = if self.rng.below(2) == 0 { Rm::Dyn } else { self.rng.pick(&Rm::ALL[1..6]) };
        let lane = if vector { self.rng.pick(&[Lane::H, Lane::S, Lane::D]) } else { Lane::B };
        let fp = Fp { rm, nan: self.rng.pick(self.spec.nan), lane };
        if row.result == ResultRule::Attr {
            i.ty = self.rng.pick(&Type::ALL[1..]);
        }
        for (_, kind) in row.attrs {
            match kind {
                AttrKind::Cond => self.rng.pick(crate::Cond::ALL).put(&mut i),
                AttrKind::FlagCond => self.rng.pick(crate::FlagCond::ALL).put(&mut i),
                AttrKind::FCond => self.rng.pick(crate::FCond::ALL).put(&mut i),
                AttrKind::Lane => self.rng.pick(Lane::ALL).put(&mut i),
                AttrKind::Fp => fp.put(&mut i),
                AttrKind::FpInt => {
                    let (signed, nan_max) = (self.rng.below(2) == 0, self.rng.below(2) == 0);
                    FpInt { fp, signed, nan_max }.put(&mut i);
                }
                AttrKind::DivZero => self.rng.pick(crate::DivZero::ALL).put(&mut i),
                AttrKind::Imm => {
                    let n = self.rng.below(if op == Op::vmovlane { 4096 } else { 65 });
                    (n as i32).put(&mut i);
                }
                AttrKind::Bits => (self.rng.below(64) as u8, self.rng.below(65) as u8).put(&mut i),
                AttrKind::Crc => {
                    let castagnoli = self.rng.below(2) == 0;
                    CrcAttr { castagnoli, size: self.rng.below(4) as u8 }.put(&mut i);
                }
                AttrKind::Ty
                | AttrKind::Const
                | AttrKind::VConst
                | AttrKind::Slot
                | AttrKind::Mem
                | AttrKind::Rmw
                | AttrKind::Pc
                | AttrKind::RetPc
                | AttrKind::Exit
                | AttrKind::Helper
                | AttrKind::Imm2 => {}
            }
        }
        i
    }

    fn write_slot(&mut self) {
        let slot = self.rng.pick(self.spec.slots);
        let v = self.value(slot.ty);
        self.b.set(slot, v);
    }

    /// A load, store or atomic.
    fn access(&mut self) {
        let Some((base, size)) = self.spec.memory else { return };
        let at = self.rng.below(size as usize - 16);
        let t = self.rng.pick(&[Type::I32, Type::I64, Type::F64, Type::V128]);
        let m = match t {
            Type::I32 => self.rng.pick(&[MemOp::U8, MemOp::S8, MemOp::U16, MemOp::S16, MemOp::U32]),
            Type::V128 => MemOp::U128,
            Type::F64 => MemOp::U64,
            _ => self.rng.pick(&[MemOp::U8, MemOp::S16, MemOp::U32, MemOp::S32, MemOp::U64]),
        };
        let base = self.b.c64(base);
        if t == Type::V128 && self.rng.below(2) == 0 {
            // Any number of bytes from 0 to 16, or far from these.
            let n = (at as i64 - 2 + self.rng.below(20) as i64) as u64;
            let n = if self.rng.below(8) == 0 { self.rng.number() } else { n };
            let n = self.b.c64(n);
            let v = self.value(t);
            if self.rng.below(2) == 0 {
                let v = self.b.vload_part(base, n, v, at as i32);
                self.pool.push(v);
            } else {
                self.b.vstore_part(base, n, v, at as i32);
            }
            return;
        }
        match self.rng.below(4) {
            0 | 1 => {
                let v = self.b.load(base, t, Addr { disp: at as i32, ..Addr::at(m) });
                self.pool.push(v);
            }
            2 => {
                let v = self.value(t);
                self.b.store(base, v, Addr { disp: at as i32, ..Addr::at(m) });
            }
            _ => {
                let t = if t == Type::I32 { t } else { Type::I64 };
                let m = if t == Type::I32 { MemOp::U32 } else { MemOp::U64 };
                let addr = self.b.add_imm(base, (at & !15) as i64);
                let v = self.value(t);
                let old = if self.rng.below(2) == 0 {
                    let op = self.rng.pick(RmwOp::ALL);
                    self.b.rmw(op, addr, v, m)
                } else {
                    let expect = self.value(t);
                    self.b.cas(addr, expect, v, m)
                };
                self.pool.push(old);
            }
        }
    }

    /// Folds all values into one slot, so that none is dead.
    fn sink(&mut self) {
        let b = self.b;
        let mut sum = b.c64(0);
        for v in self.pool.split_off(self.seen) {
            let words = match v.ty {
                Type::I64 => [Some(v), None],
                Type::I32 => [Some(b.zext(v)), None],
                Type::Bool => [Some(b.boolint(v, Type::I64)), None],
                Type::Flags => [Some(b.zext(b.fl_unpack(v))), None],
                Type::F16 | Type::F32 => [Some(b.zext(b.bitcast(v, Type::I32))), None],
                Type::F64 => [Some(b.bitcast(v, Type::I64)), None],
                Type::V128 => [Some(b.lane(v, Lane::D, 0)), Some(b.lane(v, Lane::D, 1))],
                Type::Void => [None, None],
            };
            for w in words.into_iter().flatten() {
                sum = b.add(b.rotl(sum, b.c64(7)), w);
            }
        }
        let ints: Vec<Slot> =
            self.spec.slots.iter().copied().filter(|s| s.ty == Type::I64).collect();
        if !ints.is_empty() {
            let slot = self.rng.pick(&ints);
            b.set(slot, sum);
        }
    }
}
