//! What a lifter writes to: the IR builder, and facts about the instruction.

use core::ops::Deref;

use remu_ir::{Builder, ExitKind};

use crate::Key;

/// The instruction being lifted. Dereferences to the [`Builder`].
#[derive(Clone, Copy)]
pub struct Lift<'a> {
    b: &'a Builder,
    pc: u64,
    len: u8,
    key: Key,
    guess: u32,
}

impl<'a> Lift<'a> {
    /// For the instruction of `len` bytes at `pc`.
    pub fn new(b: &'a Builder, pc: u64, len: u8, key: Key) -> Lift<'a> {
        Lift { b, pc, len, key, guess: key.0 }
    }
    /// The same where discovery guesses this of the state the block begins with
    /// ([`crate::Isa::guess`]).
    pub(crate) fn guessing(self, guess: u32) -> Lift<'a> {
        Lift { guess, ..self }
    }
    /// What [`crate::Isa::guess`] made of the code before the block. Nothing
    /// holds it true: code that uses it checks.
    pub fn guess(&self) -> u32 {
        self.guess
    }
    /// Address of the instruction.
    pub fn pc(&self) -> u64 {
        self.pc
    }
    /// Address of the next instruction.
    pub fn next_pc(&self) -> u64 {
        self.pc.wrapping_add(u64::from(self.len))
    }
    /// Bytes of the instruction.
    pub fn len(&self) -> u8 {
        self.len
    }
    /// Never; an instruction has at least one byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Lift settings.
    pub fn key(&self) -> Key {
        self.key
    }
    /// Ends the block with an illegal-instruction exit at this instruction.
    pub fn illegal(&self) {
        self.exit(ExitKind::Illegal, self.pc);
    }
}

impl Deref for Lift<'_> {
    type Target = Builder;
    fn deref(&self) -> &Builder {
        self.b
    }
}
