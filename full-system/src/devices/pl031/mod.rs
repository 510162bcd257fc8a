//! The PL031 real-time clock, which counts seconds.

mod spec;

use std::sync::{Arc, Weak};

use self::spec::{ROWS, Reg};
use super::registers;
use super::{State, device};
use crate::bus::Mmio;
use crate::clock::{Clock, since_epoch_ns};
use crate::event_loop::{Handle, Timer};
use crate::irq::Line;
use crate::snapshot::{RestoreError, state};

const SECOND: u64 = 1_000_000_000;

state! {
    /// All of it.
    pub struct Rtc version 1 {
        /// Wall time less machine time, in nanoseconds, as the guest has set it.
        offset: u64,
        /// When it interrupts, in seconds.
        matching: u32,
        /// The time last set.
        load: u32,
        /// Whether the time to interrupt is still to come.
        armed: bool,
        passes: bool,
        pending: bool,
    }
}

/// The clock.
pub struct Pl031 {
    state: State<Rtc>,
    line: Line,
    clock: Arc<Clock>,
    timer: Timer,
}

device!(Pl031, Rtc);

impl Pl031 {
    /// A clock that shows the host's time.
    pub fn new(line: Line, clock: Arc<Clock>, events: &Handle) -> Arc<Pl031> {
        Arc::new_cyclic(|me: &Weak<Pl031>| {
            let me = me.clone();
            let timer = events.timer(Box::new(move || {
                if let Some(rtc) = me.upgrade() {
                    rtc.settle(&mut rtc.state.lock());
                }
            }));
            let rtc = Pl031 { state: State::default(), line, clock, timer };
            *rtc.state.lock() = rtc.initial();
            rtc
        })
    }

    fn initial(&self) -> Rtc {
        Rtc { offset: since_epoch_ns().wrapping_sub(self.clock.now_ns()), ..Rtc::default() }
    }

    fn check(&self, _: &Rtc) -> Result<(), RestoreError> {
        Ok(())
    }

    fn now_ns(&self, s: &Rtc) -> u64 {
        self.clock.now_ns().wrapping_add(s.offset)
    }

    fn now(&self, s: &Rtc) -> u32 {
        (self.now_ns(s) / SECOND) as u32
    }

    /// Nanoseconds until the counter shows the time to interrupt. It counts in 32 bits.
    fn left(&self, s: &Rtc) -> u64 {
        let seconds = u64::from(s.matching.wrapping_sub(self.now(s)));
        (seconds * SECOND).saturating_sub(self.now_ns(s) % SECOND)
    }

    fn settle(&self, s: &mut Rtc) {
        if s.armed && s.matching == self.now(s) {
            s.armed = false;
            s.pending = true;
        }
        let deadline = self.clock.now_ns().saturating_add(self.left(s));
        self.timer.set(s.armed.then_some(deadline));
        self.line.set(s.pending && s.passes);
    }
}

impl Mmio for Pl031 {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, ..)) = registers::access("pl031", ROWS, offset, false) else { return 0 };
        let s = self.state.lock();
        let value = match reg {
            Reg::Dr => self.now(&s),
            Reg::Mr => s.matching,
            Reg::Lr => s.load,
            Reg::Cr => 1,
            Reg::Imsc => s.passes.into(),
            Reg::Ris => s.pending.into(),
            Reg::Mis => (s.pending && s.passes).into(),
            Reg::Icr => 0,
            _ => registers::constant(ROWS, offset),
        };
        value.into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, ..)) = registers::access("pl031", ROWS, offset, true) else { return };
        let value = value as u32;
        let s = &mut *self.state.lock();
        match reg {
            Reg::Mr => {
                s.matching = value;
                s.armed = true;
            }
            Reg::Lr => {
                s.load = value;
                let ahead = (u64::from(value) * SECOND).wrapping_sub(self.now_ns(s));
                s.offset = s.offset.wrapping_add(ahead);
            }
            Reg::Imsc => s.passes = value & 1 != 0,
            Reg::Icr => s.pending &= value & 1 == 0,
            _ => {}
        }
        self.settle(s);
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::check;
    use super::super::tests::wire;
    use super::*;
    use crate::event_loop::{EventLoop, Kind};

    #[test]
    fn shows_the_time_and_rings() {
        let clock = Arc::new(Clock::new());
        let events = EventLoop::new(clock.clone(), Kind::Epoll).expect("epoll");
        let (line, wire) = wire();
        let rtc = Pl031::new(line, clock, events.handle());
        check::rows(&*rtc, ROWS, 4);
        let now = rtc.read(0, 4);
        assert!((since_epoch_ns() / SECOND).abs_diff(now) <= 1);
        rtc.write(0x08, 4, 1000);
        assert_eq!((rtc.read(0, 4), rtc.read(8, 4)), (1000, 1000));
        rtc.write(0x10, 4, 1);
        rtc.write(0x04, 4, 1001);
        assert!(!wire.level());
        let start = std::time::Instant::now();
        while !wire.level() && start.elapsed().as_secs() < 10 {
            events.turn().expect("a turn");
        }
        assert!(wire.level());
        assert_eq!((rtc.read(0, 4), rtc.read(0x14, 4), rtc.read(0x18, 4)), (1001, 1, 1));
        rtc.write(0x1c, 4, 1);
        assert!(!wire.level());
        rtc.write(0x04, 4, 1001);
        assert!(wire.level(), "now is the time");
    }
}
