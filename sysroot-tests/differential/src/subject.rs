//! What a guest brings to the comparison.

use remu_isa::{Guest, RegDesc};

use crate::Rng;

/// Row of a decode table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name.
    pub name: &'static str,
    /// Bits that are fixed.
    pub mask: u32,
    /// Values of the fixed bits.
    pub value: u32,
    /// Length of the instruction in bytes.
    pub len: u8,
}

/// A guest under test.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The guest.
    pub guest: &'static Guest,
    /// An instruction that leaves translated code; follows each sequence.
    pub stop: &'static [u8],
    /// Sticky floating-point flags that are the guest's (`fpstat` numbers).
    pub fpstat: u32,
    /// Changes or rejects a random instance of a row: `false` for one whose
    /// result may differ (it reads a clock).
    pub accept: fn(&mut Rng, &Row, &mut u32) -> bool,
    /// A value for a register instead of a random one.
    pub value: fn(&mut Rng, &RegDesc) -> Option<u128>,
    /// Registers that hold guesses of translations: they differ from one way of
    /// running to the other, and are not compared.
    pub guesses: &'static [&'static str],
    /// Rounding mode numbered as the `set_fpmode` op numbers it, for the state
    /// drawn; registers that mirror it are told apart by name.
    pub fpmode: fn(&dyn Fn(&str) -> u128) -> u32,
}

impl Subject {
    /// A random instance of a row; `None` if it may not be compared.
    pub fn instance(&self, rng: &mut Rng, row: &Row) -> Option<u32> {
        let all = if row.len == 2 { 0xffff } else { u32::MAX };
        let mut word = row.value | rng.draw() as u32 & !row.mask & all;
        (self.accept)(rng, row, &mut word).then_some(word)
    }
}
