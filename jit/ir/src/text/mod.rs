//! The textual form: `block 0x1000 poll:` and under it one instruction per
//! line, `v3 = add.i64 v1, v2`. Operands come first, then attributes in the
//! order of the op's row. What is printed can be parsed again.

mod attrs;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use parse::{ParseError, parse};
pub use print::{print, print_inst};

use crate::{Helper, ResultRule, Slot, Type};

/// Names that a region does not hold itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// State slots; one without a name is printed as `[offset]`.
    pub slots: &'a [(&'a str, Slot)],
    /// Helpers that text may call.
    pub helpers: &'a [Helper],
}

impl Names<'_> {
    fn slot(&self, offset: u16, ty: Type) -> Option<&str> {
        let at = Slot { offset, ty };
        self.slots.iter().find(|(_, s)| *s == at).map(|(n, _)| *n)
    }
}

/// Whether the type is written behind the op: where the row does not fix it.
fn shows_type(result: ResultRule) -> bool {
    match result {
        ResultRule::SameX | ResultRule::SameY | ResultRule::Attr => true,
        ResultRule::Is(_) => false,
    }
}
