//! The Goldfish real-time clock.

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

state! {
    /// All of it.
    pub struct Rtc version 1 {
        /// Wall time less machine time, in nanoseconds, as the guest has set it.
        offset: u64,
        time_high: u32,
        alarm: u64,
        alarm_set: bool,
        irq_enabled: bool,
        irq_pending: bool,
    }
}

/// The clock.
pub struct GoldfishRtc {
    state: State<Rtc>,
    line: Line,
    clock: Arc<Clock>,
    timer: Timer,
}

device!(GoldfishRtc, Rtc);

impl GoldfishRtc {
    /// A clock that shows the host's time.
    pub fn new(line: Line, clock: Arc<Clock>, events: &Handle) -> Arc<GoldfishRtc> {
        Arc::new_cyclic(|me: &Weak<GoldfishRtc>| {
            let me = me.clone();
            let timer = events.timer(Box::new(move || {
                if let Some(rtc) = me.upgrade() {
                    rtc.settle(&mut rtc.state.lock());
                }
            }));
            let rtc = GoldfishRtc { state: State::default(), line, clock, timer };
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

    fn settle(&self, s: &mut Rtc) {
        let now = self.now(s);
        if s.alarm_set && s.alarm <= now {
            s.alarm_set = false;
            s.irq_pending = true;
        }
        let deadline = self.clock.now_ns().saturating_add(s.alarm.saturating_sub(now));
        self.timer.set(s.alarm_set.then_some(deadline));
        self.line.set(s.irq_pending && s.irq_enabled);
    }

    fn now(&self, s: &Rtc) -> u64 {
        self.clock.now_ns().wrapping_add(s.offset)
    }
}

fn with_low(all: u64, low: u32) -> u64 {
    all & !0xffff_ffff | u64::from(low)
}

fn with_high(all: u64, high: u32) -> u64 {
    all & 0xffff_ffff | u64::from(high) << 32
}

impl Mmio for GoldfishRtc {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, ..)) = registers::access("goldfish_rtc", ROWS, offset, false) else {
            return 0;
        };
        let s = &mut *self.state.lock();
        let value = match reg {
            Reg::TimeLow => {
                let now = self.now(s);
                s.time_high = (now >> 32) as u32;
                now as u32
            }
            Reg::TimeHigh => s.time_high,
            Reg::AlarmLow => s.alarm as u32,
            Reg::AlarmHigh => (s.alarm >> 32) as u32,
            Reg::IrqEnabled => s.irq_enabled.into(),
            Reg::AlarmStatus => s.alarm_set.into(),
            Reg::ClearAlarm | Reg::ClearInterrupt => 0,
        };
        value.into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, ..)) = registers::access("goldfish_rtc", ROWS, offset, true) else { return };
        let value = value as u32;
        let s = &mut *self.state.lock();
        match reg {
            Reg::TimeLow => {
                let now = self.now(s);
                s.offset = s.offset.wrapping_add(with_low(now, value).wrapping_sub(now));
            }
            Reg::TimeHigh => {
                let now = self.now(s);
                s.offset = s.offset.wrapping_add(with_high(now, value).wrapping_sub(now));
            }
            Reg::AlarmLow => {
                s.alarm = with_low(s.alarm, value);
                s.alarm_set = true;
            }
            Reg::AlarmHigh => s.alarm = with_high(s.alarm, value),
            Reg::IrqEnabled => s.irq_enabled = value & 1 != 0,
            Reg::ClearAlarm => s.alarm_set = false,
            Reg::ClearInterrupt => s.irq_pending = false,
            Reg::AlarmStatus => {}
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
        let rtc = GoldfishRtc::new(line, clock, events.handle());
        check::rows(&*rtc, ROWS, 4);
        let now = rtc.read(0, 4) | rtc.read(4, 4) << 32;
        assert!(since_epoch_ns().abs_diff(now) < 1_000_000_000);
        let then = now + 30_000_000;
        rtc.write(0x10, 4, 1);
        rtc.write(0x0c, 4, then >> 32);
        rtc.write(0x08, 4, then & 0xffff_ffff);
        assert_eq!(rtc.read(0x18, 4), 1);
        let start = std::time::Instant::now();
        while !wire.level() && start.elapsed().as_secs() < 10 {
            events.turn().expect("a turn");
        }
        assert!(wire.level());
        assert_eq!(rtc.read(0x18, 4), 0);
        rtc.write(0x1c, 4, 1);
        assert!(!wire.level());
    }
}
