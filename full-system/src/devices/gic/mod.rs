//! What Arm's generic interrupt controllers have in common, whatever their registers look like: interrupts that
//! become pending, active and inactive again, and each processor's priorities. Arm IHI 0048 (version 2) and
//! IHI 0069 (version 3), without the Security Extensions: one security state, two groups.

mod interface;
mod interrupts;
#[cfg(test)]
mod tests;

pub(crate) use interface::Interface;
pub(crate) use interrupts::{Bits, Candidate, Interrupts, Lanes};

use crate::irq::CpuLines;

/// Interrupts of each processor alone.
pub(crate) const PRIVATE: u32 = 32;
/// Interrupts of those that software generates.
pub(crate) const GENERATED: u32 = 16;
/// Number that is read where no interrupt is there to take.
pub(crate) const NONE: u32 = 1023;
/// Bits of a priority that exist: the highest ones.
pub(crate) const PRIORITY_BITS: u32 = 5;

/// Line of a processor for interrupts of group 1.
const IRQ: u32 = 0;
/// Line for those of group 0, where they are told apart.
const FIQ: u32 = 1;

/// Shows a processor what its interface says: an interrupt for its IRQ line, and one for its FIQ line.
pub(crate) fn signal(cpu: &CpuLines, irq: bool, fiq: bool) {
    cpu.set(IRQ, irq);
    cpu.set(FIQ, fiq);
}
