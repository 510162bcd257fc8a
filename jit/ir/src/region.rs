//! A region: the arena of instructions and the tables they index.

use crate::{Inst, Op, Type};

/// Function that translated code calls for rare semantics:
/// `(state, a, b, c) -> result`. `state` points at the guest's state struct,
/// which holds every register's current value during the call.
pub type HelperFn = extern "C" fn(state: *mut u8, a: u64, b: u64, c: u64) -> u64;

/// A helper and what it may do.
#[derive(Clone, Copy)]
pub struct Helper {
    /// Name in the textual form.
    pub name: &'static str,
    /// The function.
    pub func: HelperFn,
    /// Changes guest state slots: builders forget what they know of them.
    pub writes_state: bool,
}

impl core::fmt::Debug for Helper {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Helper {
    fn eq(&self, other: &Helper) -> bool {
        self.name == other.name
    }
}

/// Why translated code left for the runner. The guest pc is in the state's
/// header when it happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum ExitKind {
    /// Continue at the pc: look the next region up.
    Continue,
    /// System call (or environment call); pc is that of the next instruction.
    Syscall,
    /// Illegal instruction at pc.
    Illegal,
    /// Breakpoint instruction at pc.
    Breakpoint,
    /// The exit-request word was set; pc is where to go on.
    Poll,
    /// Memory fault at pc; made by the fault handler.
    Fault,
    /// Misaligned access at pc.
    Misaligned,
    /// Instruction memory changed; pc is that of the next instruction. The
    /// state's header holds the byte range, 0 and MAX for all.
    InvalidateCode,
    /// The lift key (floating-point mode, privilege, …) changed; pc is that of
    /// the next instruction.
    KeyChanged,
    /// The processor waits for an event; pc is that of the next instruction.
    Wait,
    /// ISA-specific exit; the header's `exit_info` has more.
    Special,
}

impl ExitKind {
    /// Every kind, in order of its number.
    pub const ALL: [ExitKind; 11] = [
        ExitKind::Continue,
        ExitKind::Syscall,
        ExitKind::Illegal,
        ExitKind::Breakpoint,
        ExitKind::Poll,
        ExitKind::Fault,
        ExitKind::Misaligned,
        ExitKind::InvalidateCode,
        ExitKind::KeyChanged,
        ExitKind::Wait,
        ExitKind::Special,
    ];
    /// Name in the textual form.
    pub const fn name(self) -> &'static str {
        match self {
            ExitKind::Continue => "continue",
            ExitKind::Syscall => "syscall",
            ExitKind::Illegal => "illegal",
            ExitKind::Breakpoint => "breakpoint",
            ExitKind::Poll => "poll",
            ExitKind::Fault => "fault",
            ExitKind::Misaligned => "misaligned",
            ExitKind::InvalidateCode => "invalidate",
            ExitKind::KeyChanged => "key",
            ExitKind::Wait => "wait",
            ExitKind::Special => "special",
        }
    }
    /// The kind with this number.
    pub fn from_u8(n: u8) -> ExitKind {
        Self::ALL.get(usize::from(n)).copied().unwrap_or(ExitKind::Special)
    }
}

impl crate::Attr for ExitKind {
    fn put(self, i: &mut Inst) {
        i.aux = self as u8;
    }
}

/// An extended block: one entry at its first instruction, side exits by
/// `brcond`, ended by an op with the `ends_block` effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Guest address of the entry.
    pub pc: u64,
    /// First instruction.
    pub start: u16,
    /// One past the last instruction.
    pub end: u16,
    /// Poll for an exit request on entry: set for the region's entry and targets
    /// of conditional backward branches. A `goto` back polls itself.
    pub poll: bool,
}

/// The unit of translation. Every block is an entry; blocks are sorted by pc.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Region {
    /// Instructions of all blocks.
    pub insts: Vec<Inst>,
    /// Blocks; together they cover `insts` without gaps, in order.
    pub blocks: Vec<Block>,
    /// Guest addresses that `Pc` and `RetPc` attributes index.
    pub pcs: Vec<u64>,
    /// 128-bit constants.
    pub vconsts: Vec<u128>,
    /// Helpers called.
    pub helpers: Vec<Helper>,
    /// Floating-point ops differ from the host's under the current mode, as
    /// where Arm flushes denormal numbers: back ends call their meaning.
    pub soft_float: bool,
    /// Number of the TLB that memory accesses go through; 0 where there are none.
    pub mmu: u8,
}

impl Region {
    /// Empties the region, keeping its memory.
    pub fn clear(&mut self) {
        self.insts.clear();
        self.blocks.clear();
        self.pcs.clear();
        self.vconsts.clear();
        self.helpers.clear();
        self.soft_float = false;
        self.mmu = 0;
    }
    /// The value a constant instruction has, if `id` is one. Looks through
    /// nothing: the builder folds.
    pub fn const_of(&self, id: u16) -> Option<u64> {
        let i = self.insts.get(usize::from(id))?;
        match (i.op, i.ty) {
            (Op::iconst, Type::I32) => Some(i.const_bits() & 0xffff_ffff),
            (Op::iconst, _) => Some(i.const_bits()),
            _ => None,
        }
    }
    /// Index of the block that starts at a guest address.
    pub fn block_at(&self, pc: u64) -> Option<usize> {
        self.blocks.iter().position(|b| b.pc == pc)
    }
}
