//! Checks that a region is what its ops demand.

use crate::{
    Addr, AttrKind, Class, CrcAttr, Effects, FpInt, Inst, Lane, MemOp, Op, Region, ResultRule,
    Type, Val,
};

/// The first thing wrong with a region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// Instruction, if one is to blame.
    pub inst: Option<u16>,
    /// What is wrong.
    pub message: String,
}

impl core::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.inst {
            Some(i) => write!(f, "v{i}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
impl core::error::Error for VerifyError {}

/// Checks operands (class, defined before and in the same block), result
/// types, attributes and block structure. `state_size` is the size of the
/// guest's state struct.
///
/// # Errors
/// The first violation.
pub fn verify(r: &Region, state_size: usize) -> Result<(), VerifyError> {
    blocks(r).map_err(|message| VerifyError { inst: None, message })?;
    for b in &r.blocks {
        for id in b.start..b.end {
            instruction(r, b.start, id, state_size)
                .map_err(|message| VerifyError { inst: Some(id), message })?;
        }
    }
    Ok(())
}

/// Checks one instruction of the block that starts at instruction `start`.
pub(crate) fn instruction(
    r: &Region,
    start: u16,
    id: u16,
    state_size: usize,
) -> Result<(), String> {
    let i = &r.insts[usize::from(id)];
    operands(r, start, id, i)?;
    attributes(r, state_size, i)?;
    special(r, i)
}

fn ensure(ok: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if ok { Ok(()) } else { Err(message()) }
}

fn blocks(r: &Region) -> Result<(), String> {
    let mut next = 0;
    for b in &r.blocks {
        let at = || format!("block {:#x}", b.pc);
        ensure(b.start == next && b.end > b.start, || format!("{} leaves a gap", at()))?;
        ensure(usize::from(b.end) <= r.insts.len(), || format!("{} has no instructions", at()))?;
        next = b.end;
        for id in b.start..b.end {
            let ends = r.insts[usize::from(id)].op.effects().has(Effects::ENDS_BLOCK);
            ensure(ends == (id + 1 == b.end), || format!("{} ends wrongly at v{id}", at()))?;
        }
    }
    ensure(usize::from(next) == r.insts.len(), || "instructions outside blocks".to_owned())?;
    let sorted = r.blocks.is_sorted_by(|a, b| a.pc < b.pc);
    ensure(sorted, || "blocks are not sorted by pc".to_owned())
}

/// Type of the value an operand names.
fn type_of(r: &Region, id: u16) -> Type {
    r.insts.get(usize::from(id)).map_or(Type::Void, |i| {
        if i.op.info().result == ResultRule::Is(Type::Void) { Type::Void } else { i.ty }
    })
}

fn operands(r: &Region, start: u16, id: u16, i: &Inst) -> Result<(), String> {
    let row = i.op.info();
    let ty = |n: usize| type_of(r, i.args[n]);
    for (n, (name, class)) in row.operands.iter().enumerate() {
        let a = i.args[n];
        if a == Val::NONE_ID && *class == Class::Index {
            continue;
        }
        ensure(a >= start && a < id, || format!("{name}: v{a} is not defined before"))?;
        let t = ty(n);
        let fits = match class {
            Class::Int => t.is_int(),
            Class::Is(want) => t == *want,
            Class::Float => t.is_float(),
            Class::Any => t != Type::Void,
            Class::SameX => t == ty(0),
            Class::SameY => t == ty(1),
            Class::Index => t == Type::I64,
        };
        ensure(fits, || format!("{name}: {t} is not {class:?}"))?;
    }
    let want = match row.result {
        ResultRule::SameX => ty(0),
        ResultRule::SameY => ty(1),
        ResultRule::Is(Type::Void) | ResultRule::Attr => i.ty,
        ResultRule::Is(t) => t,
    };
    ensure(i.ty == want, || format!("the result is {want}, not {}", i.ty))
}

fn attributes(r: &Region, state_size: usize, i: &Inst) -> Result<(), String> {
    let row = i.op.info();
    let width = |t: Type| t.bytes() * 8;
    for (name, kind) in row.attrs {
        let imm = i.imm as u32;
        let (imm_index, aux) = (imm as usize, usize::from(i.aux));
        let ok = match kind {
            AttrKind::Const => i.ty != Type::I32 || i.const_bits() <= u64::from(u32::MAX),
            AttrKind::VConst => imm_index < r.vconsts.len(),
            AttrKind::Ty => i.ty != Type::Void,
            AttrKind::Slot => {
                let bytes = i.ty.bytes() as usize;
                bytes != 0
                    && imm_index.is_multiple_of(bytes)
                    && imm_index + bytes <= state_size.min(usize::from(u16::MAX))
            }
            AttrKind::Cond => aux < crate::Cond::ALL.len(),
            AttrKind::FlagCond => aux < crate::FlagCond::ALL.len(),
            AttrKind::FCond => aux < crate::FCond::ALL.len(),
            AttrKind::Lane => aux < Lane::ALL.len(),
            AttrKind::Fp | AttrKind::FpInt => {
                let p = FpInt::of(i).fp;
                let vector = type_of(r, i.args[0]) == Type::V128;
                let lane = if vector {
                    matches!(p.lane, Lane::H | Lane::S | Lane::D)
                } else {
                    p.lane == Lane::B
                };
                lane && i.aux & 7 < 7
            }
            AttrKind::DivZero => aux < crate::DivZero::ALL.len(),
            AttrKind::Imm | AttrKind::Imm2 => true,
            AttrKind::Bits => {
                let (pos, len) = (imm & 0xff, imm >> 8);
                (1..=64).contains(&len) && pos + len <= width(i.ty)
            }
            AttrKind::Mem => i.aux & 0x80 == 0 && Addr::of(i).mem.size <= 4,
            AttrKind::Rmw => {
                i.aux & 0x80 == 0
                    && imm_index < crate::RmwOp::ALL.len()
                    && 8 * MemOp::from_u8(i.aux).bytes() <= width(i.ty)
            }
            AttrKind::Crc => i.aux < 8 && CrcAttr::of(i).size <= 3,
            AttrKind::Pc => imm_index < r.pcs.len(),
            AttrKind::RetPc => usize::from(i.args[3]) < r.pcs.len(),
            AttrKind::Exit => aux < crate::ExitKind::ALL.len(),
            AttrKind::Helper => imm_index < r.helpers.len(),
        };
        ensure(ok, || format!("{name}: {kind:?} out of range"))?;
    }
    Ok(())
}

/// The constant an operand must be.
fn constant(r: &Region, id: u16) -> Result<u64, String> {
    r.const_of(id).ok_or_else(|| format!("v{id} is not a constant"))
}

/// What rows cannot say.
fn special(r: &Region, i: &Inst) -> Result<(), String> {
    let lane = Lane::from_u8(i.aux);
    let imm = i.imm as u32;
    let x = type_of(r, i.args[0]);
    let ok = match i.op {
        Op::iconst | Op::boolint | Op::fcvt_int => i.ty.is_int(),
        Op::fcvt_fix => {
            constant(r, i.args[1])?;
            i.ty.is_int()
        }
        Op::fcvt | Op::fcvt_s | Op::fcvt_u => i.ty.is_float(),
        Op::fscalb_s | Op::fscalb_u => {
            constant(r, i.args[1])?;
            i.ty.is_float()
        }
        Op::extract2 => imm < i.ty.bytes() * 8,
        Op::fl_fcmp => matches!(crate::FCond::from_u8(i.aux), crate::FCond::Eq | crate::FCond::EqS),
        // Truth has `band` and `bor`, flags have `fl_select`.
        Op::movcond => !matches!(i.ty, Type::Bool | Type::Flags),
        Op::get => i.ty != Type::Void && i.ty != Type::Bool,
        Op::set => i.ty == x && i.ty != Type::Bool,
        Op::load | Op::load_joint => access(i.ty, MemOp::from_u8(i.aux)),
        Op::store => access(type_of(r, i.args[2]), MemOp::from_u8(i.aux)),
        Op::cas => {
            let a = Addr::of(i);
            access(i.ty, a.mem) && !i.ty.is_float() && a.disp == 0 && !a.mem.signed
        }
        Op::bitcast => matches!(
            (x, i.ty),
            (Type::I32, Type::F32 | Type::F16)
                | (Type::F32 | Type::F16, Type::I32)
                | (Type::I64, Type::F64)
                | (Type::F64, Type::I64)
        ),
        Op::fbox => i.ty == Type::F64 && x != Type::F64,
        Op::funbox => x == Type::F64 && matches!(i.ty, Type::F16 | Type::F32),
        Op::vtof => i.ty.is_float(),
        Op::vdup => lane.bytes() <= x.bytes(),
        Op::vinsert => imm < lane.count() && lane.bytes() <= type_of(r, i.args[1]).bytes(),
        Op::vextract | Op::vextract_s => {
            let n = constant(r, i.args[1])?;
            i.ty.is_int() && n < u64::from(lane.count()) && lane.bytes() <= i.ty.bytes()
        }
        Op::vmovlane => imm & 0xff < lane.count() && imm >> 8 < lane.count(),
        Op::vduplane => imm < lane.count(),
        Op::vext => imm < 16,
        Op::vrev => imm <= 4 && (1 << imm) >= lane.bytes(),
        Op::vtbx => imm < 16,
        Op::vcmp => imm_below(imm, crate::Cond::ALL.len()),
        Op::vfcmp => imm_below(imm, crate::FCond::ALL.len()) && is_float_lane(lane),
        Op::vfneg | Op::vfabs => is_float_lane(lane),
        Op::vshl => imm < lane.bits(),
        Op::vshr | Op::vsar => imm >= 1 && imm <= lane.bits(),
        Op::vrshr | Op::vrsar => imm >= 1 && imm <= lane.bits() && lane != Lane::Q,
        Op::vpmull => matches!(lane, Lane::B | Lane::D),
        Op::vzip1
        | Op::vzip2
        | Op::vuzp1
        | Op::vuzp2
        | Op::vtrn1
        | Op::vtrn2
        | Op::vmul
        | Op::vushl
        | Op::vsshl
        | Op::vurshl
        | Op::vsrshl
        | Op::vuhadd
        | Op::vshadd
        | Op::vurhadd
        | Op::vsrhadd
        | Op::vuhsub
        | Op::vshsub
        | Op::vuabd
        | Op::vsabd
        | Op::vuwiden
        | Op::vswiden
        | Op::vnarrow
        | Op::vumull
        | Op::vsmull
        | Op::vpadd
        | Op::vuaddlp
        | Op::vmovmask
        | Op::vsaddlp => lane != Lane::Q,
        _ => true,
    };
    ensure(ok, || format!("{}: attribute or type out of range", i.op.info().name))
}

fn imm_below(imm: u32, n: usize) -> bool {
    (imm as usize) < n
}
fn is_float_lane(l: Lane) -> bool {
    matches!(l, Lane::H | Lane::S | Lane::D)
}

/// Whether a value of a type can be accessed so in memory: integers in any
/// size up to theirs, floating-point numbers in their own, a vector in 16
/// bytes, or zero-extended from fewer.
fn access(t: Type, m: MemOp) -> bool {
    match t {
        Type::I32 | Type::I64 => m.bytes() <= t.bytes(),
        Type::F16 | Type::F32 | Type::F64 => m.bytes() == t.bytes() && !m.signed,
        Type::V128 => !m.signed,
        Type::Void | Type::Bool | Type::Flags => false,
    }
}
