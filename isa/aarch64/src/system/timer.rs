//! "The Generic Timer in AArch64 state": the physical timer of EL1 and the virtual timer. The
//! counters show the machine's time; there is no offset between them.

use remu_isa::Surroundings;

use super::regs::{Regs, slots};

/// A timer: index of its registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    Physical,
    Virtual,
}

/// Bits of CNTx_CTL.
const ENABLE: u64 = 1;
const IMASK: u64 = 1 << 1;
const ISTATUS: u64 = 1 << 2;

/// Interrupt numbers of the lines.
const LINES: [u32; 2] = [30, 27];

/// Bits of CNTKCTL_EL1 that let EL0 at counters and timers.
pub(crate) mod cntkctl {
    pub(crate) const PCTEN: u64 = 1;
    pub(crate) const VCTEN: u64 = 1 << 1;
    pub(crate) const VTEN: u64 = 1 << 8;
    pub(crate) const PTEN: u64 = 1 << 9;
    /// All that are stored: those, and the event stream's.
    pub(crate) const ALL: u64 = 0x3ff;
}

fn is_due(r: &Regs<'_>, n: usize, now: u64) -> bool {
    now >= r.get(slots::cnt_cval(n))
}

/// CNTx_CTL as it is read.
pub(crate) fn control(r: &Regs<'_>, t: Timer, around: &dyn Surroundings) -> u64 {
    let v = r.get(slots::cnt_ctl(t as usize));
    let due = v & ENABLE != 0 && is_due(r, t as usize, around.time());
    v | if due { ISTATUS } else { 0 }
}
pub(crate) fn set_control(r: &mut Regs<'_>, t: Timer, v: u64) {
    r.set(slots::cnt_ctl(t as usize), v & (ENABLE | IMASK));
}
/// CNTx_TVAL as it is read.
pub(crate) fn value(r: &Regs<'_>, t: Timer, around: &dyn Surroundings) -> u64 {
    r.get(slots::cnt_cval(t as usize)).wrapping_sub(around.time()) & 0xffff_ffff
}
pub(crate) fn set_value(r: &mut Regs<'_>, t: Timer, v: u64, around: &dyn Surroundings) {
    let after = v as u32 as i32 as i64 as u64;
    r.set(slots::cnt_cval(t as usize), around.time().wrapping_add(after));
}

fn fires(r: &Regs<'_>, n: usize) -> bool {
    r.get(slots::cnt_ctl(n)) & (ENABLE | IMASK) == ENABLE
}

/// Levels of the timers' lines: see [`remu_isa::System::timers`].
pub(crate) fn levels(r: &mut Regs<'_>, around: &dyn Surroundings) -> u64 {
    let mut levels = 0;
    if (0..2).any(|n| fires(r, n)) {
        let now = around.time();
        for (n, line) in LINES.into_iter().enumerate() {
            levels |= u64::from(fires(r, n) && is_due(r, n, now)) << line;
        }
    }
    r.set_timer_levels(levels);
    levels
}

/// When a level changes by itself. A line that is high stays so.
pub(crate) fn deadline(r: &Regs<'_>) -> Option<u64> {
    let levels = r.timer_levels();
    let waiting = |&n: &usize| fires(r, n) && levels >> LINES[n] & 1 == 0;
    (0..2).filter(waiting).map(|n| r.get(slots::cnt_cval(n))).min()
}
