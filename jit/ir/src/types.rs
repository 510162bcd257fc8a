//! Types of values and the attributes an op can carry.

use core::fmt;

/// Type of a value. 8- and 16-bit integers exist only in memory and in lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[repr(u8)]
pub enum Type {
    /// No value.
    #[default]
    Void,
    /// A truth value; never stored.
    Bool,
    /// 32-bit integer.
    I32,
    /// 64-bit integer, also guest addresses.
    I64,
    /// IEEE binary16.
    F16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// 128 bits: a vector of lanes, or one 128-bit integer.
    V128,
    /// Condition flags N, Z, C, V. Symbolic until something stores them.
    Flags,
}

impl Type {
    /// All types, in order of their numbers.
    pub const ALL: [Type; 9] = [
        Type::Void,
        Type::Bool,
        Type::I32,
        Type::I64,
        Type::F16,
        Type::F32,
        Type::F64,
        Type::V128,
        Type::Flags,
    ];
    /// Name in the textual form.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Void => "void",
            Type::Bool => "bool",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F16 => "f16",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::V128 => "v128",
            Type::Flags => "flags",
        }
    }
    /// The type with this name.
    pub fn from_name(name: &str) -> Option<Type> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
    /// Bytes the type takes in a state slot. A `Flags` slot is a `u32` with
    /// N, Z, C, V in bits 31 to 28.
    pub const fn bytes(self) -> u32 {
        // In order of their numbers: asked so often that a jump by the type would show.
        const BYTES: [u8; Type::ALL.len()] = [0, 2, 4, 8, 2, 4, 8, 16, 4];
        BYTES[self as usize] as u32
    }
    /// Whether values live in vector registers.
    pub const fn is_vec(self) -> bool {
        matches!(self, Type::F16 | Type::F32 | Type::F64 | Type::V128)
    }
    /// I32 or I64.
    pub const fn is_int(self) -> bool {
        matches!(self, Type::I32 | Type::I64)
    }
    /// F16, F32 or F64.
    pub const fn is_float(self) -> bool {
        matches!(self, Type::F16 | Type::F32 | Type::F64)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value: the index of the instruction that made it, and its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Val {
    /// Index into [`crate::Region::insts`].
    pub id: u16,
    /// Type of the value.
    pub ty: Type,
}

impl Val {
    /// Operand index that means "no operand".
    pub const NONE_ID: u16 = u16::MAX;
    /// "No operand": an absent index register of an address.
    pub const NONE: Val = Val { id: Self::NONE_ID, ty: Type::Void };
}

/// A place in guest state: byte offset from the start of the guest's state
/// struct, and the type it is read and written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Slot {
    /// Byte offset.
    pub offset: u16,
    /// Type.
    pub ty: Type,
}

/// One IR instruction, 16 bytes. `args` are value indices; which are used, and
/// what `aux`, `imm` and spare `args` mean, is the op's row in `ops.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Inst {
    /// Operation.
    pub op: crate::Op,
    /// Type of the result; for ops without result, the type operated on.
    pub ty: Type,
    /// Small attribute.
    pub aux: u8,
    /// Operands. A constant keeps its 64 bits here, low part first.
    pub args: [u16; 4],
    /// Immediate attribute.
    pub imm: i32,
}

impl Inst {
    /// The 64 bits of an `iconst` or `pcconst`.
    pub fn const_bits(&self) -> u64 {
        let [a, b, c, d] = self.args.map(u64::from);
        a | b << 16 | c << 32 | d << 48
    }
    /// Stores the 64 bits of a constant.
    pub fn set_const_bits(&mut self, v: u64) {
        self.args = [v as u16, (v >> 16) as u16, (v >> 32) as u16, (v >> 48) as u16];
    }
}

/// What an attribute means: decides where it is stored and how it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttrKind {
    /// 64-bit constant in `args`.
    Const,
    /// Index into [`crate::Region::vconsts`], in `imm`.
    VConst,
    /// Result type, in `ty`.
    Ty,
    /// State slot: offset in `imm`, type in `ty`.
    Slot,
    /// Integer condition in `aux`.
    Cond,
    /// Flags condition in `aux`.
    FlagCond,
    /// Floating-point condition in `aux`.
    FCond,
    /// Lane size in `aux`.
    Lane,
    /// Floating-point policy in `aux`.
    Fp,
    /// Float to integer policy in `aux` and `imm`.
    FpInt,
    /// Division policy in `aux`.
    DivZero,
    /// Plain number in `imm`.
    Imm,
    /// Bit position and length: `imm` = pos | len << 8.
    Bits,
    /// Memory access: size and extension in `aux`, displacement in `imm`,
    /// scale, order and alignment in `args[3]`.
    Mem,
    /// Atomic operation in the low half of `imm`, memory access in `aux`.
    Rmw,
    /// Checksum in `aux`.
    Crc,
    /// Guest pc: index into [`crate::Region::pcs`], in `imm`.
    Pc,
    /// Return pc: index into [`crate::Region::pcs`], in `args[3]`.
    RetPc,
    /// [`crate::ExitKind`] in `aux`.
    Exit,
    /// Index into [`crate::Region::helpers`], in `imm`.
    Helper,
    /// Plain number in `args[3]`.
    Imm2,
}

/// A typed attribute that knows where in an instruction it goes.
pub trait Attr {
    /// Stores the attribute.
    fn put(self, i: &mut Inst);
}

macro_rules! small_enum {
    ($(#[$m:meta])* $name:ident : $field:ident, $kind:literal { $($(#[$vm:meta])* $v:ident = $text:literal),+ $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vm])* $v),+ }
        impl $name {
            /// Every variant in order of its number.
            pub const ALL: &'static [$name] = &[$($name::$v),+];
            /// Name in the textual form.
            pub const fn name(self) -> &'static str { match self { $($name::$v => $text),+ } }
            /// The variant with this name.
            pub fn from_name(name: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|v| v.name() == name)
            }
            /// The variant with this number; the first one for a number out of range.
            pub const fn from_u8(n: u8) -> $name {
                if (n as usize) < Self::ALL.len() { Self::ALL[n as usize] } else { Self::ALL[0] }
            }
        }
        impl Attr for $name { fn put(self, i: &mut Inst) { i.$field = self as u8; } }
    };
}

small_enum! {
    /// Integer comparison.
    Cond: aux, "cond" {
        /// x == y
        Eq = "eq",
        /// x != y
        Ne = "ne",
        /// signed x < y
        Lt = "lt",
        /// signed x >= y
        Ge = "ge",
        /// signed x <= y
        Le = "le",
        /// signed x > y
        Gt = "gt",
        /// unsigned x < y
        Ltu = "ltu",
        /// unsigned x >= y
        Geu = "geu",
        /// unsigned x <= y
        Leu = "leu",
        /// unsigned x > y
        Gtu = "gtu",
        /// (x & y) == 0
        TstEq = "tsteq",
        /// (x & y) != 0
        TstNe = "tstne",
    }
}

impl Cond {
    /// The condition that holds exactly when this one does not.
    pub const fn negate(self) -> Cond {
        Self::ALL[(self as usize) ^ 1]
    }
    /// The condition for exchanged operands.
    pub const fn swap(self) -> Cond {
        match self {
            Cond::Lt => Cond::Gt,
            Cond::Gt => Cond::Lt,
            Cond::Ge => Cond::Le,
            Cond::Le => Cond::Ge,
            Cond::Ltu => Cond::Gtu,
            Cond::Gtu => Cond::Ltu,
            Cond::Geu => Cond::Leu,
            Cond::Leu => Cond::Geu,
            c => c,
        }
    }
}

// The order pairs each condition with its negation, which `negate` relies on.
const _: () = assert!(
    Cond::Le as u8 == 4 && Cond::Gt as u8 == 5 && Cond::Leu as u8 == 8 && Cond::Gtu as u8 == 9
);

small_enum! {
    /// Condition on N, Z, C, V, numbered as Arm numbers its condition codes
    /// (DDI 0487, C1.2.4). C is the carry of an addition, and "no borrow" of
    /// a subtraction.
    FlagCond: aux, "cc" {
        /// Z
        Eq = "eq",
        /// !Z
        Ne = "ne",
        /// C
        Cs = "cs",
        /// !C
        Cc = "cc",
        /// N
        Mi = "mi",
        /// !N
        Pl = "pl",
        /// V
        Vs = "vs",
        /// !V
        Vc = "vc",
        /// C && !Z
        Hi = "hi",
        /// !C || Z
        Ls = "ls",
        /// N == V
        Ge = "ge",
        /// N != V
        Lt = "lt",
        /// !Z && N == V
        Gt = "gt",
        /// Z || N != V
        Le = "le",
    }
}

impl FlagCond {
    /// The condition that holds exactly when this one does not.
    pub const fn negate(self) -> FlagCond {
        Self::ALL[(self as usize) ^ 1]
    }
}

small_enum! {
    /// Floating-point comparison; all but `Uno` are false when an operand is NaN.
    /// `Eq` and `Uno` are quiet (only a signalling NaN raises invalid),
    /// `Lt` and `Le` raise invalid for any NaN, the `Q` forms are quiet.
    FCond: aux, "fcond" {
        /// x == y
        Eq = "eq",
        /// x < y
        Lt = "lt",
        /// x <= y
        Le = "le",
        /// x < y, quiet
        LtQ = "ltq",
        /// x <= y, quiet
        LeQ = "leq",
        /// x or y is NaN
        Uno = "uno",
        /// x == y, raises invalid for any NaN
        EqS = "eqs",
    }
}

small_enum! {
    /// Size of the lanes of a V128.
    Lane: aux, "lane" {
        /// 16 bytes
        B = "b",
        /// 8 halfwords
        H = "h",
        /// 4 words
        S = "s",
        /// 2 doublewords
        D = "d",
        /// the whole as one 128-bit integer
        Q = "q",
    }
}

impl Lane {
    /// Bytes of a lane.
    pub const fn bytes(self) -> u32 {
        1 << self as u32
    }
    /// Bits of a lane.
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }
    /// Lanes in 128 bits.
    pub const fn count(self) -> u32 {
        16 >> self as u32
    }
    /// The lane twice as wide; `Q` stays.
    pub const fn wider(self) -> Lane {
        Self::from_u8(if (self as u8) < 4 { self as u8 + 1 } else { 4 })
    }
}

small_enum! {
    /// Quotient of a division by zero. MIN / -1 is MIN, its remainder 0.
    DivZero: aux, "divzero" {
        /// 0 (Arm)
        Zero = "zero",
        /// all ones (RISC-V)
        Ones = "ones",
    }
}

small_enum! {
    /// Rounding mode of a floating-point op.
    Rm: aux, "rm" {
        /// what the guest's control register says
        Dyn = "dyn",
        /// to nearest, ties to even
        Ne = "ne",
        /// towards zero
        Tz = "tz",
        /// towards minus infinity
        Dn = "dn",
        /// towards plus infinity
        Up = "up",
        /// to nearest, ties away from zero
        Na = "na",
        /// to odd (Arm FCVTXN)
        Odd = "odd",
    }
}

small_enum! {
    /// Which NaN an operation yields, and with it what else differs between
    /// architectures: `Arm` and `ArmDefault` detect tininess before rounding,
    /// the others after; `Default` lets a signalling NaN lose against a number
    /// in `fminnm` and `fmaxnm`.
    NanRule: aux, "nan" {
        /// Arm with FPCR.DN = 0: the first signalling NaN operand made quiet,
        /// else the first quiet one, else the positive default NaN. Operand
        /// order of `fma(x, y, z)` is z, x, y.
        Arm = "arm",
        /// always the positive default NaN (RISC-V)
        Default = "default",
        /// the first NaN operand made quiet, else the negative default NaN;
        /// minimum and maximum give the second operand where one is NaN or
        /// both are zero (x86 SSE)
        X86 = "x86",
        /// always the positive default NaN, else as `Arm` (FPCR.DN = 1)
        ArmDefault = "armdn",
    }
}

/// Floating-point policy: rounding mode, NaN rule, and the lane for vector
/// ops (`Lane::B` for scalar ones, where the type says the format).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fp {
    /// Rounding mode.
    pub rm: Rm,
    /// NaN rule.
    pub nan: NanRule,
    /// Lane of a vector op.
    pub lane: Lane,
}

impl Fp {
    /// Scalar op with the guest's current rounding mode.
    pub const fn dynamic(nan: NanRule) -> Fp {
        Fp { rm: Rm::Dyn, nan, lane: Lane::B }
    }
    /// The same policy with another rounding mode.
    pub const fn rounding(self, rm: Rm) -> Fp {
        Fp { rm, ..self }
    }
    /// The same policy for a vector of lanes.
    pub const fn lanes(self, lane: Lane) -> Fp {
        Fp { lane, ..self }
    }
    /// As stored in `aux`.
    pub const fn to_u8(self) -> u8 {
        self.rm as u8 | (self.nan as u8) << 3 | (self.lane as u8) << 5
    }
    /// From `aux`.
    pub const fn from_u8(n: u8) -> Fp {
        Fp {
            rm: Rm::from_u8(n & 7),
            nan: NanRule::from_u8(n >> 3 & 3),
            lane: Lane::from_u8(n >> 5),
        }
    }
}

impl Attr for Fp {
    fn put(self, i: &mut Inst) {
        i.aux = self.to_u8();
    }
}

/// Float to integer conversion, saturating: rounding and lane as [`Fp`], the
/// sign of the integer, and the result for NaN (0, or the largest integer).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct FpInt {
    /// Rounding and lane.
    pub fp: Fp,
    /// Signed integer.
    pub signed: bool,
    /// NaN converts to the largest integer (RISC-V), not to 0 (Arm).
    pub nan_max: bool,
}

impl FpInt {
    /// From an instruction.
    pub const fn of(i: &Inst) -> FpInt {
        FpInt { fp: Fp::from_u8(i.aux), signed: i.imm & 1 != 0, nan_max: i.imm & 2 != 0 }
    }
}

impl Attr for FpInt {
    fn put(self, i: &mut Inst) {
        i.aux = self.fp.to_u8();
        i.imm = i32::from(self.signed) | i32::from(self.nan_max) << 1;
    }
}

/// Size, sign and byte order of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct MemOp {
    /// log2 of the bytes, 0 to 4.
    pub size: u8,
    /// Sign-extend to the result type, else zero-extend.
    pub signed: bool,
    /// Big-endian.
    pub big: bool,
    /// Must be aligned to its size, else an alignment fault.
    pub aligned: bool,
    /// With the rights of the least privileged code: through TLB 0 of a machine.
    pub user: bool,
}

#[expect(missing_docs, reason = "the names say it")]
impl MemOp {
    pub const U8: MemOp = Self::unsigned(0);
    pub const U16: MemOp = Self::unsigned(1);
    pub const U32: MemOp = Self::unsigned(2);
    pub const U64: MemOp = Self::unsigned(3);
    pub const U128: MemOp = Self::unsigned(4);
    pub const S8: MemOp = Self::unsigned(0).sign();
    pub const S16: MemOp = Self::unsigned(1).sign();
    pub const S32: MemOp = Self::unsigned(2).sign();
    pub const fn unsigned(size: u8) -> MemOp {
        MemOp { size, signed: false, big: false, aligned: false, user: false }
    }
    pub const fn sign(self) -> MemOp {
        MemOp { signed: true, ..self }
    }
    pub const fn align(self) -> MemOp {
        MemOp { aligned: true, ..self }
    }
    pub const fn bytes(self) -> u32 {
        1 << self.size
    }
    pub const fn to_u8(self) -> u8 {
        self.size
            | (self.signed as u8) << 3
            | (self.big as u8) << 4
            | (self.aligned as u8) << 5
            | (self.user as u8) << 6
    }
    pub const fn from_u8(n: u8) -> MemOp {
        MemOp {
            size: n & 7,
            signed: n & 8 != 0,
            big: n & 16 != 0,
            aligned: n & 32 != 0,
            user: n & 64 != 0,
        }
    }
}

small_enum! {
    /// Ordering of a memory access or fence.
    Order: aux, "order" {
        /// none
        Relaxed = "relaxed",
        /// later accesses stay after
        Acquire = "acquire",
        /// earlier accesses stay before
        Release = "release",
        /// both, and one total order (Arm's RCsc pairs, fences)
        SeqCst = "seqcst",
    }
}

/// Address and access of a load, store or atomic:
/// `base + (index << scale) + disp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Addr {
    /// Access.
    pub mem: MemOp,
    /// Byte displacement.
    pub disp: i32,
    /// Shift of the index, 0 to 3.
    pub scale: u8,
    /// Ordering.
    pub order: Order,
}

impl Addr {
    /// Relaxed access at base.
    pub const fn at(mem: MemOp) -> Addr {
        Addr { mem, disp: 0, scale: 0, order: Order::Relaxed }
    }
    /// From an instruction.
    pub const fn of(i: &Inst) -> Addr {
        let x = i.args[3];
        Addr {
            mem: MemOp::from_u8(i.aux),
            disp: i.imm,
            scale: (x & 3) as u8,
            order: Order::from_u8((x >> 2) as u8 & 3),
        }
    }
}

impl Attr for Addr {
    fn put(self, i: &mut Inst) {
        i.aux = self.mem.to_u8();
        i.imm = self.disp;
        i.args[3] = u16::from(self.scale) | (self.order as u16) << 2;
    }
}

small_enum! {
    /// What an atomic read-modify-write stores. Old value and operand are
    /// taken at the access's size.
    RmwOp: aux, "rmw" {
        /// operand
        Xchg = "xchg",
        /// old + operand
        Add = "add",
        /// old & operand
        And = "and",
        /// old & !operand
        Andc = "andc",
        /// old | operand
        Or = "or",
        /// old ^ operand
        Xor = "xor",
        /// signed minimum
        Smin = "smin",
        /// signed maximum
        Smax = "smax",
        /// unsigned minimum
        Umin = "umin",
        /// unsigned maximum
        Umax = "umax",
    }
}

/// Checksum polynomial and operand size of `crc32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct CrcAttr {
    /// Castagnoli polynomial, else the IEEE 802.3 one (both bit-reflected).
    pub castagnoli: bool,
    /// log2 of the operand's bytes, 0 to 3.
    pub size: u8,
}

impl CrcAttr {
    /// From an instruction.
    pub const fn of(i: &Inst) -> CrcAttr {
        CrcAttr { castagnoli: i.aux & 4 != 0, size: i.aux & 3 }
    }
}

impl Attr for CrcAttr {
    fn put(self, i: &mut Inst) {
        i.aux = self.size | u8::from(self.castagnoli) << 2;
    }
}

/// Plain number.
impl Attr for i32 {
    fn put(self, i: &mut Inst) {
        i.imm = self;
    }
}

impl Attr for Type {
    fn put(self, i: &mut Inst) {
        i.ty = self;
    }
}

/// Bit position and length.
impl Attr for (u8, u8) {
    fn put(self, i: &mut Inst) {
        i.imm = i32::from(self.0) | i32::from(self.1) << 8;
    }
}
