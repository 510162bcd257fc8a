//! Interrupt wires: levels that devices set and that controllers and processors see.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What interrupt lines end in: an interrupt controller, or a processor.
pub trait Inputs: Send + Sync {
    /// Sets the level of input `number`; inputs that do not exist are ignored.
    fn set_input(&self, number: u32, level: bool);
}

/// An interrupt controller's inputs and registers that belong to one processor.
pub trait PrivateInputs: Send + Sync {
    /// Sets the level of private input `number` of a processor; inputs that do not exist are ignored.
    fn set_private(&self, cpu: usize, number: u32, level: bool);
    /// Reads a system register of a processor that the controller keeps, by its number in
    /// [`remu_isa::Surroundings::register`]; `None` where there is none that can be read.
    fn register(&self, cpu: usize, reg: u16) -> Option<u64> {
        let _ = (cpu, reg);
        None
    }
    /// Writes such a register; whether there is one that can be written.
    fn set_register(&self, cpu: usize, reg: u16, value: u64) -> bool {
        let _ = (cpu, reg, value);
        false
    }
}

/// One device's end of an interrupt line.
///
/// Changes of one line are made under the lock of the device that owns it, so that their order is the order
/// in which the controller sees them.
#[derive(Default)]
pub struct Line {
    to: Option<(Arc<dyn Inputs>, u32)>,
    level: AtomicBool,
}

impl Line {
    /// A line to input `number` of `to`, low.
    pub fn new(to: Arc<dyn Inputs>, number: u32) -> Line {
        Line { to: Some((to, number)), level: AtomicBool::new(false) }
    }

    /// A line that ends nowhere.
    pub fn unconnected() -> Line {
        Line::default()
    }

    /// Sets the level.
    pub fn set(&self, level: bool) {
        if self.level.swap(level, Ordering::AcqRel) != level
            && let Some((to, number)) = &self.to
        {
            to.set_input(*number, level);
        }
    }

    /// The level last set.
    pub fn level(&self) -> bool {
        self.level.load(Ordering::Acquire)
    }
}

/// The level-triggered input lines of one vcpu, numbered as its architecture says.
///
/// RISC-V: the number of the interrupt in `mip` (privileged manual, "Machine Interrupt Registers"). Arm: 0 is IRQ, 1 FIQ.
#[derive(Default)]
pub struct CpuLines {
    levels: AtomicU64,
    waker: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl CpuLines {
    /// Lines that are all low.
    pub fn new() -> CpuLines {
        CpuLines::default()
    }

    /// Sets line `line` (below 64), from any thread, and tells the vcpu of a change.
    pub fn set(&self, line: u32, level: bool) {
        let Some(bit) = 1u64.checked_shl(line) else { return };
        let before = if level {
            self.levels.fetch_or(bit, Ordering::SeqCst)
        } else {
            self.levels.fetch_and(!bit, Ordering::SeqCst)
        };
        if (before & bit != 0) != level
            && let Some(wake) = self.waker.get()
        {
            wake();
        }
    }

    /// The level of every line, one bit each.
    pub fn levels(&self) -> u64 {
        self.levels.load(Ordering::SeqCst)
    }

    /// Sets what is called after a line has changed, on the thread that changed it. The first call counts.
    pub fn set_waker(&self, waker: Box<dyn Fn() + Send + Sync>) {
        // A vcpu makes its lines its own once; a second waker could only be a mistake of ours.
        let _ = self.waker.set(waker);
    }
}

impl Inputs for CpuLines {
    fn set_input(&self, number: u32, level: bool) {
        self.set(number, level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn only_changes_wake() {
        let lines = Arc::new(CpuLines::new());
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        lines.set_waker(Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let line = Line::new(lines.clone(), 7);
        for level in [false, true, true, false] {
            line.set(level);
            assert_eq!(lines.levels(), u64::from(level) << 7);
        }
        assert_eq!(woken.load(Ordering::SeqCst), 2);
        lines.set(64, true);
        assert_eq!(lines.levels(), 0);
    }
}
