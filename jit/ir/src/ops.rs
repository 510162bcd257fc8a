//! The op table. One row = enum variant, builder method, verifier signature,
//! printer, parser and documentation. Names follow TCG where TCG has a name.
//!
//! Row: `auto|hand name (operand: Class, ..) {attribute: Kind, ..} -> Result, EFFECTS, "meaning";`
//! `auto` rows get their builder method from the macro, `hand` rows have it
//! written in `builder.rs`, because an attribute needs a table of the region
//! or because the builder folds.

use crate::{AttrKind, Type};

/// What an operand may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// I32 or I64.
    Int,
    /// Exactly this type.
    Is(Type),
    /// F16, F32 or F64.
    Float,
    /// Any type but Void.
    Any,
    /// The type of operand 0.
    SameX,
    /// The type of operand 1.
    SameY,
    /// I64 or absent.
    Index,
}

/// What type the result has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultRule {
    /// The type of operand 0.
    SameX,
    /// The type of operand 1.
    SameY,
    /// This type.
    Is(Type),
    /// What the `Ty` or `Slot` attribute says.
    Attr,
}

/// Effects of an op, a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effects(pub u16);

impl Effects {
    /// No effect: may be removed, merged and moved.
    pub const PURE: Effects = Effects(0);
    /// Operands may be exchanged.
    pub const COMMUTES: Effects = Effects(1);
    /// May leave the region with a fault at the current guest instruction.
    pub const MAY_FAULT: Effects = Effects(2);
    /// Reads guest memory.
    pub const READS_MEM: Effects = Effects(4);
    /// Writes guest memory.
    pub const WRITES_MEM: Effects = Effects(8);
    /// Last op of its block.
    pub const ENDS_BLOCK: Effects = Effects(16);
    /// Reads guest state.
    pub const READS_STATE: Effects = Effects(32);
    /// Writes guest state.
    pub const WRITES_STATE: Effects = Effects(64);
    /// Raises sticky floating-point flags; removable all the same only when
    /// the flags are known to be dead, so in practice it stays.
    pub const FP_FLAGS: Effects = Effects(128);
    /// Has an effect that none of the above names; never removed.
    pub const SIDE: Effects = Effects(256);
    /// May leave the block in the middle.
    pub const SIDE_EXIT: Effects = Effects(512);

    /// Union.
    pub const fn or(self, o: Effects) -> Effects {
        Effects(self.0 | o.0)
    }
    /// Whether any bit of `o` is set.
    pub const fn has(self, o: Effects) -> bool {
        self.0 & o.0 != 0
    }
    /// May be removed when its result is not used.
    pub const fn removable(self) -> bool {
        !self.has(Effects(2 | 8 | 16 | 64 | 128 | 256 | 512))
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// Name in the textual form.
    pub name: &'static str,
    /// Operands: name and class.
    pub operands: &'static [(&'static str, Class)],
    /// Attributes: name and kind.
    pub attrs: &'static [(&'static str, AttrKind)],
    /// Result type.
    pub result: ResultRule,
    /// Effects.
    pub effects: Effects,
    /// Meaning.
    pub doc: &'static str,
}

/// Class and result names as rows write them.
#[expect(non_upper_case_globals, reason = "rows read as types")]
mod class {
    use super::{Class, Type};
    pub(super) const Int: Class = Class::Int;
    pub(super) const I32: Class = Class::Is(Type::I32);
    pub(super) const I64: Class = Class::Is(Type::I64);
    pub(super) const Bool: Class = Class::Is(Type::Bool);
    pub(super) const V128: Class = Class::Is(Type::V128);
    pub(super) const Flags: Class = Class::Is(Type::Flags);
    pub(super) const Float: Class = Class::Float;
    pub(super) const Any: Class = Class::Any;
    pub(super) const SameX: Class = Class::SameX;
    pub(super) const SameY: Class = Class::SameY;
    pub(super) const Index: Class = Class::Index;
}
#[expect(non_upper_case_globals, reason = "rows read as types")]
mod result {
    use super::{ResultRule, Type};
    pub(super) const Void: ResultRule = ResultRule::Is(Type::Void);
    pub(super) const I32: ResultRule = ResultRule::Is(Type::I32);
    pub(super) const I64: ResultRule = ResultRule::Is(Type::I64);
    pub(super) const Bool: ResultRule = ResultRule::Is(Type::Bool);
    pub(super) const V128: ResultRule = ResultRule::Is(Type::V128);
    pub(super) const Flags: ResultRule = ResultRule::Is(Type::Flags);
    pub(super) const SameX: ResultRule = ResultRule::SameX;
    pub(super) const SameY: ResultRule = ResultRule::SameY;
    pub(super) const Attr: ResultRule = ResultRule::Attr;
}

/// The Rust type of each attribute kind in builder methods.
mod attr {
    pub(super) use crate::{DivZero, FCond, FlagCond, Fp, FpInt, Lane};
    pub(super) type Ty = crate::Type;
    pub(super) type Imm = i32;
    pub(super) type Bits = (u8, u8);
    pub(super) type Crc = crate::CrcAttr;
}

macro_rules! method {
    (hand $($rest:tt)*) => {};
    (auto $name:ident ($($x:ident)*) ($($a:ident : $k:ident)*) $doc:literal) => {
        impl crate::Builder {
            #[doc = $doc]
            pub fn $name(&self $(, $x: crate::Val)* $(, $a: attr::$k)*) -> crate::Val {
                #[allow(unused_mut, reason = "rows without attributes")]
                let mut i = crate::Inst { op: Op::$name, ty: Type::Void, aux: 0, args: [crate::Val::NONE_ID; 4], imm: 0 };
                $(crate::Attr::put($a, &mut i);)*
                self.push_op(i, &[$($x),*])
            }
        }
    };
}

macro_rules! ir_ops {
    ($($how:ident $name:ident ($($x:ident : $c:ident),*) {$($a:ident : $k:ident),*} -> $r:ident, $($e:ident)|+, $doc:literal;)+) => {
        /// Operation of an instruction; the rows are in `ops.rs`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[expect(non_camel_case_types, reason = "ops are named as the textual form names them")]
        pub enum Op { $(#[doc = $doc] $name),+ }
        impl Op {
            /// Every op, in order of its number.
            pub const ALL: &'static [Op] = &[$(Op::$name),+];
            /// The op with this name.
            pub fn from_name(name: &str) -> Option<Op> {
                Self::ALL.iter().copied().find(|o| o.info().name == name)
            }
            /// The op's row.
            pub fn info(self) -> &'static OpInfo { &INFO[self as usize] }
            /// Effects of the op.
            pub fn effects(self) -> Effects { EFFECTS[self as usize] }
            /// Number of value operands.
            pub fn arity(self) -> usize { ARITY[self as usize] as usize }
        }
        static EFFECTS: [Effects; Op::ALL.len()] = [$(Effects(0 $(| Effects::$e.0)+)),+];
        static ARITY: [u8; Op::ALL.len()] = [$({ const N: &[&str] = &[$(stringify!($x)),*]; N.len() as u8 }),+];
        static INFO: [OpInfo; Op::ALL.len()] = [$(OpInfo {
            name: stringify!($name),
            operands: &[$((stringify!($x), class::$c)),*],
            attrs: &[$((stringify!($a), AttrKind::$k)),*],
            result: result::$r,
            effects: Effects(0 $(| Effects::$e.0)+),
            doc: $doc,
        }),+];
        $(method!{$how $name ($($x)*) ($($a : $k)*) $doc})+
    };
}

#[rustfmt::skip]
ir_ops! {
    // ---- constants and state
    hand iconst   () {v: Const, t: Ty} -> Attr, PURE, "integer constant";
    hand pcconst  () {v: Const} -> I64, PURE, "guest address in or near the translated module; kept apart from plain constants so that code can be made position-independent";
    hand vconst   () {v: VConst} -> V128, PURE, "128-bit constant";
    hand get      () {s: Slot} -> Attr, READS_STATE, "value of a state slot";
    hand set      (v: Any) {s: Slot} -> Void, WRITES_STATE, "write a state slot";
    hand insn     () {pc: Pc} -> Void, SIDE, "start of the guest instruction at pc; faults of the ops behind it are faults of this instruction";

    // ---- integers
    hand add      (x: Int, y: SameX) {} -> SameX, COMMUTES, "x + y";
    hand sub      (x: Int, y: SameX) {} -> SameX, PURE, "x - y";
    auto mul      (x: Int, y: SameX) {} -> SameX, COMMUTES, "low half of x * y";
    auto mulhu    (x: Int, y: SameX) {} -> SameX, COMMUTES, "high half of the unsigned product";
    auto mulhs    (x: Int, y: SameX) {} -> SameX, COMMUTES, "high half of the signed product";
    auto mulhsu   (x: Int, y: SameX) {} -> SameX, PURE, "high half of signed x * unsigned y";
    auto divu     (x: Int, y: SameX) {z: DivZero} -> SameX, PURE, "unsigned quotient";
    auto divs     (x: Int, y: SameX) {z: DivZero} -> SameX, PURE, "signed quotient; MIN / -1 is MIN";
    auto remu     (x: Int, y: SameX) {} -> SameX, PURE, "unsigned remainder; x for y = 0";
    auto rems     (x: Int, y: SameX) {} -> SameX, PURE, "signed remainder; x for y = 0, 0 for MIN by -1";
    hand and      (x: Int, y: SameX) {} -> SameX, COMMUTES, "x & y";
    hand or       (x: Int, y: SameX) {} -> SameX, COMMUTES, "x | y";
    hand xor      (x: Int, y: SameX) {} -> SameX, COMMUTES, "x ^ y";
    auto andc     (x: Int, y: SameX) {} -> SameX, PURE, "x & !y";
    auto orc      (x: Int, y: SameX) {} -> SameX, PURE, "x | !y";
    auto eqv      (x: Int, y: SameX) {} -> SameX, COMMUTES, "!(x ^ y)";
    hand neg      (x: Int) {} -> SameX, PURE, "0 - x";
    hand not      (x: Int) {} -> SameX, PURE, "!x";
    hand shl      (x: Int, n: SameX) {} -> SameX, PURE, "x << n, n modulo the width";
    hand shr      (x: Int, n: SameX) {} -> SameX, PURE, "x >> n unsigned, n modulo the width";
    hand sar      (x: Int, n: SameX) {} -> SameX, PURE, "x >> n signed, n modulo the width";
    auto rotr     (x: Int, n: SameX) {} -> SameX, PURE, "rotate right, n modulo the width";
    auto rotl     (x: Int, n: SameX) {} -> SameX, PURE, "rotate left, n modulo the width";
    hand extract  (x: Int) {b: Bits} -> SameX, PURE, "bits [pos, pos+len), zero-extended";
    hand sextract (x: Int) {b: Bits} -> SameX, PURE, "bits [pos, pos+len), sign-extended";
    auto deposit  (x: Int, y: SameX) {b: Bits} -> SameX, PURE, "x with bits [pos, pos+len) replaced by the low bits of y";
    auto extract2 (lo: Int, hi: SameX) {n: Imm} -> SameX, PURE, "low half of (hi:lo) >> n, 0 <= n < width";
    hand sext     (x: I32) {} -> I64, PURE, "sign-extend 32 to 64";
    hand zext     (x: I32) {} -> I64, PURE, "zero-extend 32 to 64";
    hand trunc    (x: I64) {} -> I32, PURE, "low 32 bits";
    auto clz      (x: Int) {} -> SameX, PURE, "leading zeros; width for 0";
    auto ctz      (x: Int) {} -> SameX, PURE, "trailing zeros; width for 0";
    auto ctpop    (x: Int) {} -> SameX, PURE, "bits set";
    auto bswap    (x: Int) {} -> SameX, PURE, "bytes reversed";
    auto bswap16  (x: Int) {} -> SameX, PURE, "bytes reversed in each halfword";
    auto bitrev   (x: Int) {} -> SameX, PURE, "bits reversed";
    auto orcb     (x: Int) {} -> SameX, PURE, "each byte 0xff where it was not zero";
    auto smin     (x: Int, y: SameX) {} -> SameX, COMMUTES, "signed minimum";
    auto smax     (x: Int, y: SameX) {} -> SameX, COMMUTES, "signed maximum";
    auto umin     (x: Int, y: SameX) {} -> SameX, COMMUTES, "unsigned minimum";
    auto umax     (x: Int, y: SameX) {} -> SameX, COMMUTES, "unsigned maximum";
    auto clmul    (x: I64, y: I64) {} -> I64, COMMUTES, "carry-less product, low half";
    auto clmulh   (x: I64, y: I64) {} -> I64, COMMUTES, "carry-less product, high half";
    auto crc32    (acc: I32, x: I64) {c: Crc} -> I32, PURE, "bit-reflected CRC-32 of the low bytes of x, without pre- and post-inversion";

    // ---- truth
    hand icmp     (x: Int, y: SameX) {c: Cond} -> Bool, PURE, "integer comparison";
    auto band     (x: Bool, y: Bool) {} -> Bool, COMMUTES, "both";
    auto bor      (x: Bool, y: Bool) {} -> Bool, COMMUTES, "either";
    auto bxor     (x: Bool, y: Bool) {} -> Bool, COMMUTES, "one of the two";
    hand bnot     (x: Bool) {} -> Bool, PURE, "not x";
    auto boolint  (x: Bool) {t: Ty} -> Attr, PURE, "1 or 0";
    hand movcond  (c: Bool, t: Any, f: SameY) {} -> SameY, PURE, "c ? t : f, neither truth nor flags";

    // ---- flags: tokens with N, Z, C, V
    auto fl_add   (x: Int, y: SameX) {} -> Flags, PURE, "flags of x + y";
    auto fl_sub   (x: Int, y: SameX) {} -> Flags, PURE, "flags of x - y; C means no borrow";
    auto fl_adc   (x: Int, y: SameX, c: Bool) {} -> Flags, PURE, "flags of x + y + c";
    auto fl_sbc   (x: Int, y: SameX, c: Bool) {} -> Flags, PURE, "flags of x + !y + c";
    auto adc      (x: Int, y: SameX, c: Bool) {} -> SameX, PURE, "x + y + c";
    auto sbc      (x: Int, y: SameX, c: Bool) {} -> SameX, PURE, "x + !y + c";
    auto fl_logic (x: Int) {} -> Flags, PURE, "N and Z of x, C = V = 0";
    auto fl_fcmp  (x: Float, y: SameX) {c: FCond} -> Flags, FP_FLAGS, "Arm comparison: less 1000, equal 0110, greater 0010, unordered 0011; c = eq quiet, eqs signalling";
    auto fl_pack  (x: I32) {} -> Flags, PURE, "flags from bits 31 to 28";
    auto fl_unpack (f: Flags) {} -> I32, PURE, "flags in bits 31 to 28, the rest 0";
    auto fl_cond  (f: Flags) {c: FlagCond} -> Bool, PURE, "condition on flags";
    auto fl_select (c: Bool, t: Flags, f: Flags) {} -> Flags, PURE, "c ? t : f";

    // ---- memory
    hand load     (base: I64, index: Index) {t: Ty, m: Mem} -> Attr, MAY_FAULT | READS_MEM, "load from base + (index << scale) + disp; integers are extended to the result type";
    hand load_joint (base: I64, index: Index) {t: Ty, m: Mem} -> Attr, MAY_FAULT | READS_MEM, "a load that stands for narrower ones behind it; where it faults, the guest instruction is to be run by code without it";
    hand store    (base: I64, index: Index, v: Any) {m: Mem} -> Void, MAY_FAULT | WRITES_MEM, "store the low bytes of v";
    hand rmw      (base: I64, v: Int) {r: Rmw} -> SameY, MAY_FAULT | READS_MEM | WRITES_MEM, "atomic read-modify-write, sequentially consistent; old value extended as the access says";
    hand cas      (base: I64, expect: Any, new: SameY) {m: Mem} -> SameY, MAY_FAULT | READS_MEM | WRITES_MEM, "atomic compare and swap of the low bytes; old value, zero-extended";
    auto vload_part (base: I64, n: I64, old: V128) {d: Imm} -> V128, MAY_FAULT | READS_MEM, "old with each byte i replaced by that at base + d + i for which d + i < n, signed; nothing else is read, in the sense that nothing else can fault; not for machines";
    auto vstore_part (base: I64, n: I64, v: V128) {d: Imm} -> Void, MAY_FAULT | WRITES_MEM, "store each byte i of v for which d + i < n, signed, to base + d + i; not for machines";
    hand prefetch (base: I64, index: Index) {m: Mem} -> Void, SIDE, "hint: base + (index << scale) + disp will be read; never faults, and may be ignored";
    hand fence    () {m: Mem} -> Void, SIDE, "fence of the given order; only seqcst needs code on a TSO host";

    // ---- scalar floating point
    auto fadd     (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "x + y";
    auto fsub     (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "x - y";
    auto fmul     (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "x * y";
    auto fdiv     (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "x / y";
    auto fsqrt    (x: Float) {p: Fp} -> SameX, FP_FLAGS, "square root";
    auto fma      (x: Float, y: SameX, z: SameX) {p: Fp} -> SameX, FP_FLAGS, "x * y + z, rounded once; (inf * 0) + quiet NaN raises invalid and gives the default NaN under rule arm";
    auto fmin     (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "minimum; -0 < +0; NaN if either is";
    auto fmax     (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "maximum; -0 < +0; NaN if either is";
    auto fminnm   (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "minimumNumber (2008 minNum for arm): the other operand where one is a quiet NaN; RISC-V also where it is signalling";
    auto fmaxnm   (x: Float, y: SameX) {p: Fp} -> SameX, FP_FLAGS, "maximumNumber, likewise";
    auto fneg     (x: Float) {} -> SameX, PURE, "sign bit flipped";
    auto fabs     (x: Float) {} -> SameX, PURE, "sign bit cleared";
    auto fcmp     (x: Float, y: SameX) {c: FCond} -> Bool, FP_FLAGS, "comparison";
    auto fcvt     (x: Float) {t: Ty, p: Fp} -> Attr, FP_FLAGS, "between floating-point formats";
    auto fcvt_int (x: Float) {t: Ty, p: FpInt} -> Attr, FP_FLAGS, "to integer, saturating";
    auto fcvt_fix (x: Float, n: I32) {t: Ty, p: FpInt} -> Attr, FP_FLAGS, "x * 2^n to integer, saturating, rounded once; n is a constant";
    auto fcvt_s   (x: Int) {t: Ty, p: Fp} -> Attr, FP_FLAGS, "from signed integer";
    auto fcvt_u   (x: Int) {t: Ty, p: Fp} -> Attr, FP_FLAGS, "from unsigned integer";
    auto fscalb_s (x: Int, n: I32) {t: Ty, p: Fp} -> Attr, FP_FLAGS, "signed x * 2^-n, rounded once; n is a constant";
    auto fscalb_u (x: Int, n: I32) {t: Ty, p: Fp} -> Attr, FP_FLAGS, "unsigned x * 2^-n, rounded once; n is a constant";
    auto fround   (x: Float) {p: Fp} -> SameX, FP_FLAGS, "to an integral value, inexact not raised";
    auto froundx  (x: Float) {p: Fp} -> SameX, FP_FLAGS, "to an integral value, inexact raised";
    auto bitcast  (x: Any) {t: Ty} -> Attr, PURE, "same bits: i32/f32, i64/f64, i32 (low 16)/f16, f16 to i32 zero-extended";
    auto fbox     (x: Float) {t: Ty} -> Attr, PURE, "narrow float in the low bits of an f64, all upper bits one (RISC-V NaN boxing)";
    auto funbox   (x: Float) {t: Ty} -> Attr, PURE, "low bits of an f64 if its upper bits are all one, else the default NaN";
    auto fpstat   () {} -> I32, SIDE, "sticky flags: bit 0 invalid, 1 input denormal, 2 divide by zero, 3 overflow, 4 underflow, 5 inexact";
    auto set_fpstat (x: I32) {} -> Void, SIDE, "replace the sticky flags";
    auto undo_fcmp (x: I32, a: Float, b: SameY) {} -> Void, SIDE, "replace the sticky flags by x if a or b is NaN: x are the flags before the two were compared";
    auto or_fpstat (x: I32) {} -> Void, SIDE, "raise sticky flags";
    auto set_fpmode (x: I32) {} -> Void, SIDE, "bits 2:0 rounding mode numbered as Rm (not dyn, odd), bit 3 flush results to zero, bit 4 denormal inputs are zero, bit 5 both for f16 (which bits 3 and 4 leave alone)";

    // ---- vectors: movement
    auto vdup     (x: Int) {l: Lane} -> V128, PURE, "low bits of x in every lane";
    auto vextract (v: V128, i: I32) {t: Ty, l: Lane} -> Attr, PURE, "lane i (a constant), zero-extended";
    auto vextract_s (v: V128, i: I32) {t: Ty, l: Lane} -> Attr, PURE, "lane i (a constant), sign-extended";
    auto vmovmask (v: V128) {l: Lane} -> I32, PURE, "top bit of each lane, that of lane 0 lowest";
    auto vinsert  (v: V128, x: Int) {l: Lane, i: Imm} -> V128, PURE, "v with lane i replaced by the low bits of x";
    auto vmovlane (v: V128, w: V128) {l: Lane, i: Imm} -> V128, PURE, "v with lane (i & 0xff) replaced by lane (i >> 8) of w";
    auto vduplane (v: V128) {l: Lane, i: Imm} -> V128, PURE, "lane i in every lane";
    auto vlow     (v: V128) {} -> V128, PURE, "low 64 bits, the rest zero";
    auto vhigh    (v: V128) {} -> V128, PURE, "high 64 bits moved down, the rest zero";
    auto vconcat  (lo: V128, hi: V128) {} -> V128, PURE, "low 64 bits of lo, low 64 bits of hi above";
    auto vmake    (lo: I64, hi: I64) {} -> V128, PURE, "128 bits from two halves";
    auto vfromf   (x: Float) {} -> V128, PURE, "float in the low lane, the rest zero";
    auto vtof     (v: V128) {t: Ty} -> Attr, PURE, "low lane as float";
    auto vext     (lo: V128, hi: V128) {i: Imm} -> V128, PURE, "bytes i to i+15 of hi:lo";
    auto vrev     (v: V128) {l: Lane, c: Imm} -> V128, PURE, "lanes reversed inside each container of 2^c bytes";
    auto vzip1    (x: V128, y: V128) {l: Lane} -> V128, PURE, "low halves interleaved";
    auto vzip2    (x: V128, y: V128) {l: Lane} -> V128, PURE, "high halves interleaved";
    auto vuzp1    (x: V128, y: V128) {l: Lane} -> V128, PURE, "even lanes of y:x";
    auto vuzp2    (x: V128, y: V128) {l: Lane} -> V128, PURE, "odd lanes of y:x";
    auto vtrn1    (x: V128, y: V128) {l: Lane} -> V128, PURE, "even lanes interleaved";
    auto vtrn2    (x: V128, y: V128) {l: Lane} -> V128, PURE, "odd lanes interleaved";
    auto vtbl     (t: V128, i: V128) {} -> V128, PURE, "table of 16 bytes; 0 for an index out of range";
    auto vtbx     (d: V128, t: V128, i: V128) {n: Imm} -> V128, PURE, "byte of t at index - 16 n where that is 0 to 15, else byte of d";

    // ---- vectors: bits
    auto vand     (x: V128, y: V128) {} -> V128, COMMUTES, "x & y";
    auto vor      (x: V128, y: V128) {} -> V128, COMMUTES, "x | y";
    hand vxor     (x: V128, y: V128) {} -> V128, COMMUTES, "x ^ y";
    auto vandc    (x: V128, y: V128) {} -> V128, PURE, "x & !y";
    auto vorc     (x: V128, y: V128) {} -> V128, PURE, "x | !y";
    auto vnot     (x: V128) {} -> V128, PURE, "!x";
    auto vbitsel  (m: V128, x: V128, y: V128) {} -> V128, PURE, "(m & x) | (!m & y)";
    auto vctpop   (x: V128) {l: Lane} -> V128, PURE, "bits set in each lane";
    auto vclz     (x: V128) {l: Lane} -> V128, PURE, "leading zeros of each lane";
    auto vcls     (x: V128) {l: Lane} -> V128, PURE, "leading sign bits of each lane, less the sign";
    auto vbitrev  (x: V128) {} -> V128, PURE, "bits reversed in each byte";

    // ---- vectors: integer lanes
    auto vadd     (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "x + y";
    auto vsub     (x: V128, y: V128) {l: Lane} -> V128, PURE, "x - y";
    auto vmul     (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "low half of the product";
    auto vneg     (x: V128) {l: Lane} -> V128, PURE, "0 - x";
    auto vabs     (x: V128) {l: Lane} -> V128, PURE, "absolute value, MIN stays";
    auto vsmin    (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "signed minimum";
    auto vsmax    (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "signed maximum";
    auto vumin    (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "unsigned minimum";
    auto vumax    (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "unsigned maximum";
    auto vcmp     (x: V128, y: V128) {l: Lane, c: Imm} -> V128, PURE, "all ones where the Cond numbered c holds, else 0";
    auto vshl     (x: V128) {l: Lane, n: Imm} -> V128, PURE, "x << n, 0 <= n < lane";
    auto vshr     (x: V128) {l: Lane, n: Imm} -> V128, PURE, "x >> n unsigned, 0 < n <= lane";
    auto vsar     (x: V128) {l: Lane, n: Imm} -> V128, PURE, "x >> n signed, 0 < n <= lane";
    auto vrshr    (x: V128) {l: Lane, n: Imm} -> V128, PURE, "x >> n unsigned, rounded, 0 < n <= lane";
    auto vrsar    (x: V128) {l: Lane, n: Imm} -> V128, PURE, "x >> n signed, rounded, 0 < n <= lane";
    auto vushl    (x: V128, n: V128) {l: Lane} -> V128, PURE, "unsigned shift by the signed low byte of each lane of n; right where negative";
    auto vsshl    (x: V128, n: V128) {l: Lane} -> V128, PURE, "signed shift, likewise";
    auto vurshl   (x: V128, n: V128) {l: Lane} -> V128, PURE, "unsigned rounding shift, likewise";
    auto vsrshl   (x: V128, n: V128) {l: Lane} -> V128, PURE, "signed rounding shift, likewise";
    auto vuhadd   (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "(x + y) >> 1 unsigned";
    auto vshadd   (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "(x + y) >> 1 signed";
    auto vurhadd  (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "(x + y + 1) >> 1 unsigned";
    auto vsrhadd  (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "(x + y + 1) >> 1 signed";
    auto vuhsub   (x: V128, y: V128) {l: Lane} -> V128, PURE, "(x - y) >> 1 unsigned";
    auto vshsub   (x: V128, y: V128) {l: Lane} -> V128, PURE, "(x - y) >> 1 signed";
    auto vuabd    (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "|x - y| unsigned";
    auto vsabd    (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "|x - y| signed";
    auto vuwiden  (x: V128) {l: Lane} -> V128, PURE, "low half's lanes (l is the narrow lane) zero-extended";
    auto vswiden  (x: V128) {l: Lane} -> V128, PURE, "low half's lanes sign-extended";
    auto vnarrow  (x: V128) {l: Lane} -> V128, PURE, "low halves of the lanes (l is the narrow lane) in the low 64 bits, the rest zero";
    auto vumull   (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "low half's lanes multiplied to double width, unsigned";
    auto vsmull   (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "low half's lanes multiplied to double width, signed";
    auto vpmul    (x: V128, y: V128) {} -> V128, COMMUTES, "carry-less product of bytes, low 8 bits";
    auto vpmull   (x: V128, y: V128) {l: Lane} -> V128, COMMUTES, "carry-less product of the low half's lanes (B or D) to double width";
    auto vpadd    (x: V128, y: V128) {l: Lane} -> V128, PURE, "sums of adjacent lanes of y:x";
    auto vuaddlp  (x: V128) {l: Lane} -> V128, PURE, "sums of adjacent lanes, zero-extended to double width";
    auto vsaddlp  (x: V128) {l: Lane} -> V128, PURE, "sums of adjacent lanes, sign-extended to double width";

    // ---- vectors: floating-point lanes (lane in the policy)
    auto vfadd    (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "x + y";
    auto vfsub    (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "x - y";
    auto vfmul    (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "x * y";
    auto vfdiv    (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "x / y";
    auto vfsqrt   (x: V128) {p: Fp} -> V128, FP_FLAGS, "square root";
    auto vfma     (x: V128, y: V128, z: V128) {p: Fp} -> V128, FP_FLAGS, "x * y + z, rounded once";
    auto vfmin    (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "minimum";
    auto vfmax    (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "maximum";
    auto vfminnm  (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "minimumNumber";
    auto vfmaxnm  (x: V128, y: V128) {p: Fp} -> V128, FP_FLAGS, "maximumNumber";
    auto vfneg    (x: V128) {l: Lane} -> V128, PURE, "sign bits flipped";
    auto vfabs    (x: V128) {l: Lane} -> V128, PURE, "sign bits cleared";
    auto vfcmp    (x: V128, y: V128) {l: Lane, c: Imm} -> V128, FP_FLAGS, "all ones where the FCond numbered c holds, else 0";
    auto vfround  (x: V128) {p: Fp} -> V128, FP_FLAGS, "to integral values, inexact not raised";
    auto vfroundx (x: V128) {p: Fp} -> V128, FP_FLAGS, "to integral values, inexact raised";
    auto vfcvt_int (x: V128) {p: FpInt} -> V128, FP_FLAGS, "to integers of the same width, saturating";
    auto vfcvt_s  (x: V128) {p: Fp} -> V128, FP_FLAGS, "from signed integers of the same width";
    auto vfcvt_u  (x: V128) {p: Fp} -> V128, FP_FLAGS, "from unsigned integers of the same width";

    // ---- vectors: anything rarer, by a pure function of the interpreter's
    hand vhelper  (x: V128, y: V128, z: V128) {h: Helper, i: Imm2} -> V128, FP_FLAGS, "rare lane semantics by a pure function of three vectors and a number; the function writes only its result";

    // ---- crypto
    auto aesenclast (s: V128, k: V128) {} -> V128, PURE, "AES ShiftRows, SubBytes, then xor k";
    auto aesdeclast (s: V128, k: V128) {} -> V128, PURE, "AES inverse ShiftRows, inverse SubBytes, then xor k";
    auto aesenc   (s: V128, k: V128) {} -> V128, PURE, "AES ShiftRows, SubBytes, MixColumns, then xor k";
    auto aesdec   (s: V128, k: V128) {} -> V128, PURE, "AES inverse ShiftRows, inverse SubBytes, inverse MixColumns, then xor k";
    hand aesmc    (s: V128) {} -> V128, PURE, "AES MixColumns";
    hand aesimc   (s: V128) {} -> V128, PURE, "AES inverse MixColumns";
    auto sha1c    (x: V128, e: V128, w: V128) {} -> V128, PURE, "SHA-1: a to d of x after four rounds with choose, e in the low lane of e, words plus constant in w";
    auto sha1p    (x: V128, e: V128, w: V128) {} -> V128, PURE, "the same with parity";
    auto sha1m    (x: V128, e: V128, w: V128) {} -> V128, PURE, "the same with majority";
    auto sha1su1  (x: V128, y: V128) {} -> V128, PURE, "SHA-1: second half of the schedule update; y are the latest four words";
    auto sha256h  (x: V128, y: V128, w: V128) {} -> V128, PURE, "SHA-256: a to d after four rounds from a to d in x, e to h in y, words plus constants in w";
    auto sha256h2 (y: V128, x: V128, w: V128) {} -> V128, PURE, "SHA-256: e to h after them";
    auto sha256su0 (x: V128, y: V128) {} -> V128, PURE, "SHA-256: first half of the schedule update: x plus sigma 0 of the words that follow x0";
    auto sha256su1 (x: V128, y: V128, z: V128) {} -> V128, PURE, "SHA-256: second half, from the first in x and the latest eight words in y and z";
    auto sha256r2 (x: V128, y: V128, w: V128) {} -> V128, PURE, "SHA-256: f, e, b, a from the low lane up after two rounds from h, g, d, c in x and f, e, b, a in y, words plus constants in the low lanes of w";

    // ---- control
    hand brcond   (c: Bool) {pc: Pc} -> Void, SIDE_EXIT, "go to the block or region at pc if c, else fall through";
    hand goto     () {pc: Pc} -> Void, ENDS_BLOCK, "continue at pc";
    hand goto_ptr (a: I64) {} -> Void, ENDS_BLOCK, "continue at guest address a";
    hand call     () {pc: Pc, ret: RetPc} -> Void, ENDS_BLOCK, "continue at pc and expect a return to ret; the lifter has written the link register";
    hand call_ptr (a: I64) {ret: RetPc} -> Void, ENDS_BLOCK, "continue at a and expect a return to ret";
    hand ret_ptr  (a: I64) {} -> Void, ENDS_BLOCK, "return to a";
    hand exit     () {e: Exit, pc: Pc} -> Void, ENDS_BLOCK, "leave translated code with pc in the state";
    hand exit_if  (c: Bool) {e: Exit, pc: Pc} -> Void, SIDE_EXIT, "leave if c";
    hand helper   (a: I64, b: I64, c: I64) {h: Helper} -> I64, SIDE | MAY_FAULT, "call a helper; it may read and, if declared, write guest state and memory";
    hand helper_end (a: I64, b: I64, c: I64) {h: Helper} -> Void, ENDS_BLOCK, "call a helper that writes the header's pc and returns an ExitKind; leave with it";
}
