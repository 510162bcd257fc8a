// Generated from toy.decode; do not edit.

/// Arguments of instructions.
pub mod args {
    /// No arguments.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Empty;
    /// toy.decode:9
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Rr {
        /// Field `rd`.
        pub rd: u8,
        /// Field `rs`.
        pub rs: u8,
        /// Field `rt`.
        pub rt: u8,
    }
    /// toy.decode:10
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Ri {
        /// Field `rd`.
        pub rd: u8,
        /// Field `rs`.
        pub rs: u8,
        /// Field `imm`.
        pub imm: i32,
    }
    /// toy.decode:27
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct B {
        /// Field `cond`.
        pub cond: u8,
        /// Field `imm`.
        pub imm: i32,
    }
    /// toy.decode:25
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Jr {
        /// Field `rs`.
        pub rs: u8,
    }
    /// toy.decode:31
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Big {
        /// Field `val`.
        pub val: u32,
    }
    /// toy.decode:32
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Brk {
        /// Field `code`.
        pub code: u16,
    }
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Insn {
    /// `nop`, toy.decode:14
    Nop(args::Empty),
    /// `addi`, toy.decode:15
    Addi(args::Ri),
    /// `add`, toy.decode:20
    Add(args::Rr),
    /// `sub_s`, toy.decode:22
    SubS(args::Rr),
    /// `b`, toy.decode:23
    B(args::B),
    /// `jr`, toy.decode:25
    Jr(args::Jr),
    /// `shl`, toy.decode:30
    Shl(args::Ri),
    /// `big`, toy.decode:31
    Big(args::Big),
    /// `brk`, toy.decode:32
    Brk(args::Brk),
    /// `c_addi`, toy.decode:35
    CAddi(args::Ri),
    /// `yield`, toy.decode:36
    Yield(args::Empty),
}


/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowClass {
    /// To the next instruction.
    Next,
    /// To a fixed place.
    Jump,
    /// To a fixed place or to the next instruction.
    Cond,
    /// To a fixed place, which returns to the next instruction.
    Call,
    /// To a place in a register, which returns to the next instruction.
    CallIndirect,
    /// To a place in a register.
    Indirect,
    /// Back to a caller.
    Ret,
    /// Out of translated code, usually coming back to the next instruction.
    Exit,
    /// Nothing sensible follows.
    Stop,
}

/// One encoding, for fuzzing and coverage.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Name of the row.
    pub name: &'static str,
    /// Bits that are fixed.
    pub mask: u32,
    /// Values of the fixed bits.
    pub value: u32,
    /// Length of the instruction in bits: 16 or 32.
    pub width: u8,
    /// Arguments and where they stand.
    pub fields: &'static [Field],
    /// Feature predicate as in the table; empty if there is none.
    pub feature: &'static str,
    /// Lift module.
    pub module: &'static str,
    /// Table.
    pub file: &'static str,
    /// Line in the table.
    pub line: u32,
}

/// An argument of an encoding.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name of the argument.
    pub name: &'static str,
    /// Bits of the instruction it is made of; 0 if it is constant.
    pub bits: u32,
}
static FIELDS_1: [Field; 3] = [Field { name: "rd", bits: 0xf00000 }, Field { name: "rs", bits: 0xf0000 }, Field { name: "imm", bits: 0xffff }];
static FIELDS_2: [Field; 3] = [Field { name: "rd", bits: 0xf00000 }, Field { name: "rs", bits: 0xf0000 }, Field { name: "rt", bits: 0xf000 }];
static FIELDS_3: [Field; 2] = [Field { name: "cond", bits: 0xf00 }, Field { name: "imm", bits: 0x800f }];
static FIELDS_4: [Field; 1] = [Field { name: "rs", bits: 0xf00000 }];
static FIELDS_5: [Field; 3] = [Field { name: "rd", bits: 0xf00000 }, Field { name: "rs", bits: 0xf0000 }, Field { name: "imm", bits: 0xf }];
static FIELDS_6: [Field; 1] = [Field { name: "val", bits: 0xffffff }];
static FIELDS_7: [Field; 1] = [Field { name: "code", bits: 0xffff }];
static FIELDS_8: [Field; 3] = [Field { name: "rd", bits: 0xc }, Field { name: "rs", bits: 0xc }, Field { name: "imm", bits: 0xf90 }];

/// Every encoding, in order of the tables.
pub static PATTERNS: [Pattern; 12] = [
    Pattern { name: "nop", mask: 0xffffffff, value: 0x1000000, width: 32, fields: &[], feature: "", module: "base", file: "toy.decode", line: 14 },
    Pattern { name: "addi", mask: 0xff000000, value: 0x1000000, width: 32, fields: &FIELDS_1, feature: "", module: "base", file: "toy.decode", line: 15 },
    Pattern { name: "add", mask: 0xff000000, value: 0x2000000, width: 32, fields: &FIELDS_2, feature: "", module: "base", file: "toy.decode", line: 20 },
    Pattern { name: "add", mask: 0xff000fff, value: 0x3000000, width: 32, fields: &FIELDS_2, feature: "", module: "base", file: "toy.decode", line: 21 },
    Pattern { name: "sub_s", mask: 0xff000000, value: 0x4000000, width: 32, fields: &FIELDS_2, feature: "", module: "base", file: "toy.decode", line: 22 },
    Pattern { name: "b", mask: 0xff000000, value: 0x5000000, width: 32, fields: &FIELDS_3, feature: "branches", module: "base", file: "toy.decode", line: 23 },
    Pattern { name: "jr", mask: 0xff000000, value: 0x6000000, width: 32, fields: &FIELDS_4, feature: "", module: "base", file: "toy.decode", line: 25 },
    Pattern { name: "shl", mask: 0xff000000, value: 0x7000000, width: 32, fields: &FIELDS_5, feature: "ext & !old", module: "ext", file: "toy.decode", line: 30 },
    Pattern { name: "big", mask: 0xff000000, value: 0x80000000, width: 32, fields: &FIELDS_6, feature: "ext & !old", module: "ext", file: "toy.decode", line: 31 },
    Pattern { name: "brk", mask: 0xffff0000, value: 0x81000000, width: 32, fields: &FIELDS_7, feature: "ext & !old", module: "ext", file: "toy.decode", line: 32 },
    Pattern { name: "c_addi", mask: 0xf003, value: 0x2002, width: 16, fields: &FIELDS_8, feature: "", module: "ext", file: "toy.decode", line: 35 },
    Pattern { name: "yield", mask: 0xffff, value: 0x3002, width: 16, fields: &[], feature: "", module: "ext", file: "toy.decode", line: 36 },
];

#[inline]
fn get_1(w: u32) -> args::Ri {
    args::Ri {
        rd: ((w >> 20) & 0xf) as u8,
        rs: ((w >> 16) & 0xf) as u8,
        imm: ((w & 0xffff) << 16) as i32 >> 16,
    }
}
fn put_1(a: &args::Ri) -> u32 {
    (i64::from(a.rd) as u32 & 0xf) << 20
        | (i64::from(a.rs) as u32 & 0xf) << 16
        | i64::from(a.imm) as u32 & 0xffff
}
#[inline]
fn get_2(w: u32) -> args::Rr {
    args::Rr {
        rd: ((w >> 20) & 0xf) as u8,
        rs: ((w >> 16) & 0xf) as u8,
        rt: ((w >> 12) & 0xf) as u8,
    }
}
fn put_2(a: &args::Rr) -> u32 {
    (i64::from(a.rd) as u32 & 0xf) << 20
        | (i64::from(a.rs) as u32 & 0xf) << 16
        | (i64::from(a.rt) as u32 & 0xf) << 12
}
#[inline]
fn get_3(w: u32) -> args::B {
    args::B {
        cond: ((w >> 8) & 0xf) as u8,
        imm: ((((((w >> 15) & 0x1) << 4) | (w & 0xf)) << 27) as i32 >> 27) << 1,
    }
}
fn put_3(a: &args::B) -> u32 {
    (i64::from(a.cond) as u32 & 0xf) << 8
        | (((i64::from(a.imm) >> 1) >> 4) as u32 & 0x1) << 15 | (i64::from(a.imm) >> 1) as u32 & 0xf
}
#[inline]
fn get_4(w: u32) -> args::Jr {
    args::Jr {
        rs: ((w >> 20) & 0xf) as u8,
    }
}
fn put_4(a: &args::Jr) -> u32 {
    (i64::from(a.rs) as u32 & 0xf) << 20
}
#[inline]
fn get_5(w: u32) -> args::Ri {
    args::Ri {
        rd: ((w >> 20) & 0xf) as u8,
        rs: ((w >> 16) & 0xf) as u8,
        imm: (-((w & 0xf) as i32)) + 16,
    }
}
fn put_5(a: &args::Ri) -> u32 {
    (i64::from(a.rd) as u32 & 0xf) << 20
        | (i64::from(a.rs) as u32 & 0xf) << 16
        | (-(i64::from(a.imm) - 16)) as u32 & 0xf
}
#[inline]
fn get_6(w: u32) -> args::Big {
    args::Big {
        val: w & 0xffffff,
    }
}
fn put_6(a: &args::Big) -> u32 {
    i64::from(a.val) as u32 & 0xffffff
}
#[inline]
fn get_7(w: u32) -> args::Brk {
    args::Brk {
        code: (w & 0xffff) as u16,
    }
}
fn put_7(a: &args::Brk) -> u32 {
    i64::from(a.code) as u32 & 0xffff
}
#[inline]
fn get_8(w: u32) -> args::Ri {
    args::Ri {
        rd: ((((w >> 2) & 0x3) as i32) + 8) as u8,
        rs: ((((w >> 2) & 0x3) as i32) + 8) as u8,
        imm: (((((w >> 4) & 0x1) << 5) | ((w >> 7) & 0x1f)) << 26) as i32 >> 26,
    }
}
fn put_8(a: &args::Ri) -> u32 {
    ((i64::from(a.rd) - 8) as u32 & 0x3) << 2
        | ((i64::from(a.rs) - 8) as u32 & 0x3) << 2
        | ((i64::from(a.imm) >> 5) as u32 & 0x1) << 4 | (i64::from(a.imm) as u32 & 0x1f) << 7
}
static NODES_16: [u16; 5] = [
    0, 3073, 0, 49162, 49163,
];
static LEAVES_16: [u16; 0] = [
];

/// Decodes a 16-bit instruction.
#[must_use]
pub fn decode16(word: u32, features: &crate::features::Features) -> Option<Insn> {
    search(1, &NODES_16, &LEAVES_16, word, features)
}
static NODES_32: [u16; 19] = [
    0, 6147, 7937, 0, 32768, 49154, 49155, 49156, 49157, 49158, 49159, 49160, 49161, 0, 0, 0,
    0, 0, 0,
];
static LEAVES_32: [u16; 3] = [
    0, 1, 65535,
];

/// Decodes a 32-bit instruction.
#[must_use]
pub fn decode32(word: u32, features: &crate::features::Features) -> Option<Insn> {
    search(1, &NODES_32, &LEAVES_32, word, features)
}

/// Fixed bits of each pattern: which, and their values.
static FIXED: [(u32, u32); 12] = [
    (0xffffffff, 0x1000000),
    (0xff000000, 0x1000000),
    (0xff000000, 0x2000000),
    (0xff000fff, 0x3000000),
    (0xff000000, 0x4000000),
    (0xff000000, 0x5000000),
    (0xff000000, 0x6000000),
    (0xff000000, 0x7000000),
    (0xff000000, 0x80000000),
    (0xffff0000, 0x81000000),
    (0xf003, 0x2002),
    (0xffff, 0x3002),
];

/// Walks the decision tree: see the tables' generator for their layout.
#[inline]
fn search(
    root: u16,
    nodes: &[u16],
    leaves: &[u16],
    word: u32,
    features: &crate::features::Features,
) -> Option<Insn> {
    let mut entry = root;
    while entry < 0x8000 {
        if entry == 0 {
            return None;
        }
        let at = usize::from(entry);
        let (low, high) = (u32::from(nodes[at]), u32::from(nodes[at + 1]));
        let first = (word >> (low >> 8)) & ((1 << (low & 0xff)) - 1);
        let second = (word >> (high >> 8)) & ((1 << (high & 0xff)) - 1);
        entry = nodes[at + 2 + (first | second << (low & 0xff)) as usize];
    }
    if entry >= 0xc000 {
        let pattern = entry & 0x3fff;
        let (mask, value) = FIXED[usize::from(pattern)];
        return if word & mask == value { make(pattern, word, features) } else { None };
    }
    for &pattern in &leaves[usize::from(entry & 0x3fff)..] {
        if pattern == 0xffff {
            break;
        }
        let (mask, value) = FIXED[usize::from(pattern)];
        if word & mask == value
            && let Some(insn) = make(pattern, word, features)
        {
            return Some(insn);
        }
    }
    None
}
fn make(pattern: u16, w: u32, f: &crate::features::Features) -> Option<Insn> {
    Some(match pattern {
        0 => Insn::Nop(args::Empty),
        1 => Insn::Addi(get_1(w)),
        2 => Insn::Add(get_2(w)),
        3 => Insn::Add(get_2(w)),
        4 => Insn::SubS(get_2(w)),
        5 => {
            let known = f.has(crate::features::BRANCHES);
            if !known { return None; }
            let a = get_3(w);
            let exists = i64::from(a.cond) != 15;
            if !exists { return None; }
            Insn::B(a)
        }
        6 => Insn::Jr(get_4(w)),
        7 => {
            let known = f.has(crate::features::EXT) && !f.has(crate::features::OLD);
            if !known { return None; }
            let a = get_5(w);
            Insn::Shl(a)
        }
        8 => {
            let known = f.has(crate::features::EXT) && !f.has(crate::features::OLD);
            if !known { return None; }
            let a = get_6(w);
            Insn::Big(a)
        }
        9 => {
            let known = f.has(crate::features::EXT) && !f.has(crate::features::OLD);
            if !known { return None; }
            let a = get_7(w);
            Insn::Brk(a)
        }
        10 => Insn::CAddi(get_8(w)),
        11 => Insn::Yield(args::Empty),
        _ => return None,
    })
}

/// Decodes the instruction in `word`.
#[must_use]
pub fn decode(word: u32, features: &crate::features::Features) -> Option<Insn> {
    if word > 0xffff { decode32(word, features) } else { decode16(word & 0xffff, features) }
}

impl Insn {
    /// The word that decodes to this instruction with the right features; none
    /// if an argument does not fit. Ignored bits are 0.
    #[must_use]
    pub fn encode(&self) -> Option<u32> {
        match *self {
            Insn::Nop(_) => Some(0x1000000),
            Insn::Addi(a) => {
                let w = put_1(&a) & 0xffffff | 0x1000000;
                if get_1(w) == a { return Some(w); }
                None
            }
            Insn::Add(a) => {
                let w = put_2(&a) & 0xffffff | 0x2000000;
                if get_2(w) == a { return Some(w); }
                let w = put_2(&a) & 0xfff000 | 0x3000000;
                if get_2(w) == a { return Some(w); }
                None
            }
            Insn::SubS(a) => {
                let w = put_2(&a) & 0xffffff | 0x4000000;
                if get_2(w) == a { return Some(w); }
                None
            }
            Insn::B(a) => {
                let w = put_3(&a) & 0xffffff | 0x5000000;
                if get_3(w) == a && (i64::from(a.cond) != 15) { return Some(w); }
                None
            }
            Insn::Jr(a) => {
                let w = put_4(&a) & 0xffffff | 0x6000000;
                if get_4(w) == a { return Some(w); }
                None
            }
            Insn::Shl(a) => {
                let w = put_5(&a) & 0xffffff | 0x7000000;
                if get_5(w) == a { return Some(w); }
                None
            }
            Insn::Big(a) => {
                let w = put_6(&a) & 0xffffff | 0x80000000;
                if get_6(w) == a { return Some(w); }
                None
            }
            Insn::Brk(a) => {
                let w = put_7(&a) & 0xffff | 0x81000000;
                if get_7(w) == a { return Some(w); }
                None
            }
            Insn::CAddi(a) => {
                let w = put_8(&a) & 0xffc | 0x2002;
                if get_8(w) == a { return Some(w); }
                None
            }
            Insn::Yield(_) => Some(0x3002),
        }
    }
}

impl Insn {
    /// Name of the row.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Insn::Nop(_) => "nop",
            Insn::Addi(_) => "addi",
            Insn::Add(_) => "add",
            Insn::SubS(_) => "sub_s",
            Insn::B(_) => "b",
            Insn::Jr(_) => "jr",
            Insn::Shl(_) => "shl",
            Insn::Big(_) => "big",
            Insn::Brk(_) => "brk",
            Insn::CAddi(_) => "c_addi",
            Insn::Yield(_) => "yield",
        }
    }

    /// The instruction that this one is a short form of, or itself.
    #[must_use]
    pub fn expand(self) -> Self {
        match self {
            Insn::CAddi(a) => Insn::Addi(a),
            other => other,
        }
    }

    /// Where control goes afterwards.
    #[must_use]
    pub fn flow(&self) -> FlowClass {
        match *self {
            Insn::B(a) => if a.cond == 0 { FlowClass::Jump } else { FlowClass::Cond },
            Insn::Jr(a) => if i64::from(a.rs) == 14 { FlowClass::Ret } else { FlowClass::Indirect },
            Insn::Brk(_) => FlowClass::Stop,
            _ => FlowClass::Next,
        }
    }

    /// Where a direct jump, branch or call at `pc` goes.
    #[must_use]
    pub fn target(&self, pc: u64) -> Option<u64> {
        let offset = match *self {
            Insn::B(a) => i64::from(a.imm),
            _ => return None,
        };
        Some(pc.wrapping_add_signed(offset))
    }
}

fn print_0(_: &args::Empty, f: &mut core::fmt::Formatter<'_>, _: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("nop")
}
fn print_1(a: &args::Ri, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    if a.imm == 0 { f.write_str("mov ")?; crate::fmt::reg(f, i64::from(a.rd), c)?; f.write_str(", ")?; return crate::fmt::reg(f, i64::from(a.rs), c); }
    if a.rs == 0 && !crate::pred::small(i64::from(a.imm)) { f.write_str("li ")?; crate::fmt::reg(f, i64::from(a.rd), c)?; f.write_str(", ")?; return core::fmt::Display::fmt(&i64::from(a.imm), f); }
    f.write_str("addi ")?; crate::fmt::reg(f, i64::from(a.rd), c)?; f.write_str(", ")?; crate::fmt::reg(f, i64::from(a.rs), c)?; f.write_str(", ")?; core::fmt::Display::fmt(&i64::from(a.imm), f)
}
fn print_2(a: &args::Rr, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("add ")?; crate::fmt::reg(f, i64::from(a.rd), c)?; f.write_str(", ")?; crate::fmt::reg(f, i64::from(a.rs), c)?; f.write_str(", ")?; crate::fmt::reg(f, i64::from(a.rt), c)
}
fn print_3(a: &args::Rr, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("sub ")?; crate::fmt::reg(f, i64::from(a.rd), c)?; f.write_str(", ")?; crate::fmt::reg(f, i64::from(a.rs), c)?; f.write_str(", ")?; crate::fmt::reg(f, i64::from(a.rt), c)
}
fn print_4(a: &args::B, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("b.")?; core::fmt::Display::fmt(&i64::from(a.cond), f)?; f.write_str(" ")?; crate::fmt::label(f, (c.pc as i64).wrapping_add(i64::from(a.imm)), c)
}
fn print_5(a: &args::Jr, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    if i64::from(a.rs) == 14 { return f.write_str("ret"); }
    f.write_str("jr ")?; crate::fmt::reg(f, i64::from(a.rs), c)
}
fn print_6(a: &args::Ri, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("shl ")?; crate::fmt::reg(f, i64::from(a.rd), c)?; f.write_str(", ")?; crate::fmt::reg(f, i64::from(a.rs), c)?; f.write_str(", ")?; core::fmt::Display::fmt(&i64::from(a.imm), f)
}
fn print_7(a: &args::Big, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    crate::fmt::hexed(f, a, c)
}
fn print_8(a: &args::Brk, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("brk ")?; crate::fmt::hexpair(f, i64::from(a.code), 24, c)?; f.write_str(" {")?; crate::fmt::hexed16(f, a, c)?; f.write_str("}")
}
fn print_10(_: &args::Empty, f: &mut core::fmt::Formatter<'_>, _: &crate::fmt::Ctx) -> core::fmt::Result {
    f.write_str("yield")
}

/// An instruction with what its text depends on.
#[derive(Clone, Copy)]
pub struct Assembly<'a> {
    insn: &'a Insn,
    ctx: &'a crate::fmt::Ctx,
}

impl core::fmt::Display for Assembly<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.insn.print(f, self.ctx)
    }
}

impl core::fmt::Display for Insn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.print(f, &crate::fmt::Ctx::default())
    }
}

impl Insn {
    /// Writes the instruction as assembly.
    ///
    /// # Errors
    /// Those of the formatter.
    pub fn print(&self, f: &mut core::fmt::Formatter<'_>, c: &crate::fmt::Ctx) -> core::fmt::Result {
        match self {
            Insn::Nop(a) => print_0(a, f, c),
            Insn::Addi(a) => print_1(a, f, c),
            Insn::Add(a) => print_2(a, f, c),
            Insn::SubS(a) => print_3(a, f, c),
            Insn::B(a) => print_4(a, f, c),
            Insn::Jr(a) => print_5(a, f, c),
            Insn::Shl(a) => print_6(a, f, c),
            Insn::Big(a) => print_7(a, f, c),
            Insn::Brk(a) => print_8(a, f, c),
            Insn::CAddi(a) => print_1(a, f, c),
            Insn::Yield(a) => print_10(a, f, c),
        }
    }

    /// The instruction as assembly, for `format!`.
    #[must_use]
    pub fn display<'a>(&'a self, ctx: &'a crate::fmt::Ctx) -> Assembly<'a> {
        Assembly { insn: self, ctx }
    }
}
