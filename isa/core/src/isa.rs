//! The interface between an ISA and everything that uses it.

use crate::{Lift, StateDesc};

/// Lift settings that select between translations of the same code:
/// floating-point mode, privilege, single-stepping. The meaning of the bits is
/// the ISA's own; equal keys mean interchangeable translations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Key(pub u32);

/// How an instruction goes on: what region discovery needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// To `target`.
    Jump,
    /// To `target` or the next instruction.
    Cond,
    /// To `target`, and the callee returns to the next instruction.
    Call,
    /// To an address in a register, and the callee returns.
    CallIndirect,
    /// To an address in a register.
    Indirect,
    /// Returns to a caller.
    Ret,
    /// Leaves translated code and usually comes back to the next instruction.
    Exit,
    /// Nothing sensible follows.
    Stop,
}

/// What discovery learns of one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scan {
    /// Bytes of the instruction.
    pub len: u8,
    /// How it goes on.
    pub flow: Flow,
    /// Target of a direct branch or call, else 0.
    pub target: u64,
}

/// A guest instruction set with its features chosen.
pub trait Isa: Send + Sync {
    /// Layout of the state.
    fn state(&self) -> &'static StateDesc;
    /// Bytes that decoding may look at.
    fn max_insn_len(&self) -> usize {
        4
    }
    /// log2 of the alignment of instructions.
    fn insn_align(&self) -> u8 {
        2
    }
    /// Looks at the instruction at `pc`. `code` holds its bytes, fewer than
    /// [`Isa::max_insn_len`] where memory ends; `None` if even the shortest
    /// reading does not fit in them.
    fn scan(&self, code: &[u8], pc: u64, key: Key) -> Option<Scan>;
    /// Whether [`Isa::guess`] is to be asked.
    fn guesses(&self) -> bool {
        false
    }
    /// What state the instruction in `code` probably leaves, if it probably
    /// begins with `before`; a region's entry begins with its key. Lifters get
    /// the guess that was made for the start of their block ([`Lift::guess`]).
    fn guess(&self, code: &[u8], key: Key, before: u32) -> u32 {
        let _ = (code, key);
        before
    }
    /// Brings state up to date after an exit with
    /// [`ExitKind::KeyChanged`](remu_ir::ExitKind::KeyChanged), before [`Isa::key`] is asked. `state`
    /// is the whole state struct.
    fn key_changed(&self, state: &mut [u8]) {
        let _ = state;
    }
    /// Lifts the instruction at `l.pc()`. Encodings that are not implemented
    /// lift to an illegal-instruction exit.
    fn lift(&self, l: &Lift<'_>, code: &[u8]);
    /// Disassembles one instruction: text without address, and its length.
    fn disassemble(&self, code: &[u8], pc: u64) -> (String, usize);
    /// The lift key a processor with this state runs under. `state` is the
    /// guest's state struct, at least [`StateDesc::size`] bytes.
    fn key(&self, state: &[u8]) -> Key {
        let _ = state;
        Key(0)
    }
    /// Number of the TLB that memory accesses of code under this key go through, in a machine.
    fn tlb(&self, key: Key) -> u8 {
        let _ = key;
        0
    }
    /// What Linux tells user programs of this processor: `AT_HWCAP` and
    /// `AT_HWCAP2` (getauxval(3)). Zeros leave the choice to the runner.
    fn hwcap(&self) -> [u64; 2] {
        [0; 2]
    }
    /// The optional features that the processor has, as `-cpu` spells them.
    fn features(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// A processor model a user can name.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Name as `-cpu` takes it.
    pub name: &'static str,
    /// One line of description.
    pub about: &'static str,
}

/// A guest: one row of the registry.
pub struct Guest {
    /// Name, spelled as QEMU spells it.
    pub name: &'static str,
    /// ELF `e_machine`.
    pub elf_machine: u16,
    /// 64-bit ELF class.
    pub elf64: bool,
    /// Little-endian.
    pub little: bool,
    /// Models of `-cpu`, the default first.
    pub models: &'static [Model],
    /// Makes the ISA for a model, `NAME[,feature=on|off]*`; an error text for
    /// a model or feature that does not exist.
    pub make: fn(model: &str) -> Result<Box<dyn Isa>, String>,
    /// The same for a whole machine, where that is possible.
    pub make_machine: Option<fn(model: &str) -> Result<crate::Processor, String>>,
}

impl core::fmt::Debug for Guest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}
