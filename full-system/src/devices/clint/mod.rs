//! The core-local interruptor: software and timer interrupts of machine mode.

mod spec;

use std::sync::Arc;

use self::spec::{ROWS, Reg};
use super::registers;
use super::{State, device};
use crate::bus::Mmio;
use crate::clock::Clock;
use crate::event_loop::{Handle, Timer};
use crate::irq::CpuLines;
use crate::snapshot::{RestoreError, state};

/// Number of the machine software interrupt line.
const MSIP: u32 = 3;
/// Number of the machine timer interrupt line.
const MTIP: u32 = 7;
/// Nanoseconds of one tick: the timebase is 10 MHz.
pub const TICK_NS: u64 = 100;

state! {
    /// All of it: a software interrupt bit and a compare value for each hart.
    pub struct Harts version 1 {
        msip: Vec<bool>,
        mtimecmp: Vec<u64>,
    }
}

/// The interruptor.
pub struct Clint {
    state: State<Harts>,
    cpus: Vec<Arc<CpuLines>>,
    clock: Arc<Clock>,
    timers: Vec<Timer>,
}

device!(Clint, Harts);

impl Clint {
    /// An interruptor for these harts.
    pub fn new(cpus: Vec<Arc<CpuLines>>, clock: Arc<Clock>, events: &Handle) -> Arc<Clint> {
        Arc::new_cyclic(|me: &std::sync::Weak<Clint>| {
            let timer = |hart: usize| {
                let me = me.clone();
                events.timer(Box::new(move || {
                    if let Some(clint) = me.upgrade() {
                        clint.settle_hart(&clint.state.lock(), hart);
                    }
                }))
            };
            let timers = (0..cpus.len()).map(timer).collect();
            let clint = Clint { state: State::default(), cpus, clock, timers };
            *clint.state.lock() = clint.initial();
            clint
        })
    }

    fn initial(&self) -> Harts {
        let harts = self.cpus.len();
        Harts { msip: vec![false; harts], mtimecmp: vec![u64::MAX; harts] }
    }

    fn check(&self, s: &Harts) -> Result<(), RestoreError> {
        let harts = self.cpus.len();
        let fits = s.msip.len() == harts && s.mtimecmp.len() == harts;
        if fits { Ok(()) } else { Err(RestoreError::Value) }
    }

    fn settle(&self, s: &mut Harts) {
        (0..self.cpus.len()).for_each(|hart| self.settle_hart(s, hart));
    }

    fn time(&self) -> u64 {
        self.clock.now_ns() / TICK_NS
    }

    /// Lines and timer of one hart as its registers say.
    fn settle_hart(&self, s: &Harts, hart: usize) {
        self.cpus[hart].set(MSIP, s.msip[hart]);
        let due = self.time() >= s.mtimecmp[hart];
        self.cpus[hart].set(MTIP, due);
        let deadline = s.mtimecmp[hart].checked_mul(TICK_NS);
        self.timers[hart].set(deadline.filter(|_| !due));
    }
}

impl Mmio for Clint {
    fn widest(&self) -> u8 {
        8
    }

    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, hart, byte)) = registers::access("clint", ROWS, offset, false) else {
            return 0;
        };
        let s = self.state.lock();
        let value = match reg {
            Reg::Msip => s.msip.get(hart).copied().unwrap_or(false).into(),
            Reg::Mtimecmp => s.mtimecmp.get(hart).copied().unwrap_or(0),
            Reg::Mtime => self.time(),
        };
        value >> (8 * byte)
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let Some((reg, hart, byte)) = registers::access("clint", ROWS, offset, true) else {
            return;
        };
        if hart >= self.cpus.len() {
            log::debug!(target: "guest_errors", "clint: hart {hart} does not exist");
            return;
        }
        let s = &mut *self.state.lock();
        match reg {
            Reg::Msip => s.msip[hart] = value & 1 != 0,
            Reg::Mtimecmp => {
                let mask = (u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 8)))) << (8 * byte);
                s.mtimecmp[hart] = s.mtimecmp[hart] & !mask | (value << (8 * byte)) & mask;
            }
            Reg::Mtime => {}
        }
        self.settle_hart(s, hart);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn software_and_timer_interrupts() {
        let clock = Arc::new(Clock::new());
        let events = EventLoop::new(clock.clone(), crate::event_loop::Kind::Epoll).expect("epoll");
        let cpus: Vec<_> = (0..2).map(|_| Arc::new(CpuLines::new())).collect();
        let clint = Clint::new(cpus.clone(), clock.clone(), events.handle());
        clint.write(4, 4, 1);
        assert_eq!((cpus[0].levels(), cpus[1].levels()), (0, 1 << MSIP));
        clint.write(4, 4, 0);
        let soon = clint.read(0xbff8, 8) + 20_000;
        clint.write(0x4000, 4, soon & 0xffff_ffff);
        clint.write(0x4004, 4, soon >> 32);
        assert_eq!(clint.read(0x4000, 8), soon);
        assert_eq!(cpus[0].levels(), 0);
        let start = std::time::Instant::now();
        while cpus[0].levels() == 0 && start.elapsed().as_secs() < 10 {
            events.turn().expect("a turn");
        }
        assert_eq!(cpus[0].levels(), 1 << MTIP);
        assert!(clint.time() >= soon);
        clint.write(0x4000, 8, u64::MAX);
        assert_eq!(cpus[0].levels(), 0);
        clint.write(0x4008 + 8, 8, 0);
        assert_eq!(cpus[1].levels(), 0, "hart 2 does not exist");
    }
}
