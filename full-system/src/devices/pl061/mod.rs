//! The PL061: eight lines of general purpose, of which one is the machine's power button.

mod spec;

use std::sync::{Arc, Weak};

use self::spec::{ROWS, Reg};
use super::registers;
use super::{State, device};
use crate::bus::Mmio;
use crate::clock::Clock;
use crate::event_loop::{Handle, Timer};
use crate::irq::Line;
use crate::power::Button;
use crate::snapshot::{RestoreError, state};

/// The line of the button, which is high while it is pressed.
pub const BUTTON: u32 = 3;
/// How long a press lasts, in nanoseconds.
const PRESS: u64 = 100_000_000;

state! {
    /// All of it; a bit for each line.
    pub struct Lines version 1 {
        /// What the guest has written to outputs.
        data: u32,
        outputs: u32,
        by_level: u32,
        both_edges: u32,
        rising: u32,
        passes: u32,
        elsewhere: u32,
        /// Edges that were seen.
        edges: u32,
        /// Levels of the inputs when they were last looked at.
        inputs: u32,
        /// When the button comes up, in machine time; 0 if it is up.
        release: u64,
    }
}

/// The device.
pub struct Pl061 {
    state: State<Lines>,
    line: Line,
    clock: Arc<Clock>,
    timer: Timer,
}

device!(Pl061, Lines);

impl Pl061 {
    /// Eight lines, all low.
    pub fn new(line: Line, clock: Arc<Clock>, events: &Handle) -> Arc<Pl061> {
        Arc::new_cyclic(|me: &Weak<Pl061>| {
            let me = me.clone();
            let timer = events.timer(Box::new(move || {
                if let Some(lines) = me.upgrade() {
                    lines.settle(&mut lines.state.lock());
                }
            }));
            Pl061 { state: State::default(), line, clock, timer }
        })
    }

    fn initial(&self) -> Lines {
        Lines::default()
    }

    fn check(&self, _: &Lines) -> Result<(), RestoreError> {
        Ok(())
    }

    /// Interrupts, passed on or not.
    fn raw(s: &Lines) -> u32 {
        s.by_level & !(s.inputs ^ s.rising) | !s.by_level & s.edges
    }

    fn settle(&self, s: &mut Lines) {
        if s.release != 0 && self.clock.now_ns() >= s.release {
            s.release = 0;
        }
        let inputs = u32::from(s.release != 0) << BUTTON & !s.outputs;
        let changed = inputs ^ std::mem::replace(&mut s.inputs, inputs);
        s.edges |= changed & !s.by_level & (s.both_edges | !(inputs ^ s.rising));
        self.timer.set((s.release != 0).then_some(s.release));
        self.line.set(Pl061::raw(s) & s.passes & 0xff != 0);
    }
}

impl Button for Pl061 {
    fn press(&self) {
        let s = &mut *self.state.lock();
        s.release = self.clock.now_ns() + PRESS;
        self.settle(s);
    }
}

impl Mmio for Pl061 {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, index, _)) = registers::access("pl061", ROWS, offset, false) else {
            return 0;
        };
        let s = self.state.lock();
        let value = match reg {
            Reg::Data => (s.data & s.outputs | s.inputs) & index as u32,
            Reg::Dir => s.outputs,
            Reg::Is => s.by_level,
            Reg::Ibe => s.both_edges,
            Reg::Iev => s.rising,
            Reg::Ie => s.passes,
            Reg::Ris => Pl061::raw(&s),
            Reg::Mis => Pl061::raw(&s) & s.passes,
            Reg::Ic => 0,
            Reg::Afsel => s.elsewhere,
            _ => registers::constant(ROWS, offset),
        };
        (value & 0xff).into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, index, _)) = registers::access("pl061", ROWS, offset, true) else { return };
        let value = value as u32 & 0xff;
        let s = &mut *self.state.lock();
        match reg {
            Reg::Data => {
                let mask = index as u32 & s.outputs;
                s.data = s.data & !mask | value & mask;
            }
            Reg::Dir => s.outputs = value,
            Reg::Is => s.by_level = value,
            Reg::Ibe => s.both_edges = value,
            Reg::Iev => s.rising = value,
            Reg::Ie => s.passes = value,
            Reg::Ic => s.edges &= !value,
            Reg::Afsel => s.elsewhere = value,
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
    fn the_button_is_a_pulse() {
        let clock = Arc::new(Clock::new());
        let events = EventLoop::new(clock.clone(), Kind::Epoll).expect("epoll");
        let (line, wire) = wire();
        let gpio = Pl061::new(line, clock, events.handle());
        // At first a low level is what interrupts, which nothing lets pass.
        check::rows(&*gpio, &ROWS[..6], 4);
        check::rows(&*gpio, &ROWS[9..], 4);
        let data = 4 << BUTTON;
        // Both edges, as Linux asks for.
        gpio.write(0x408, 4, 1 << BUTTON);
        gpio.write(0x410, 4, 1 << BUTTON);
        assert!(!wire.level());
        gpio.press();
        assert!(wire.level());
        assert_eq!((gpio.read(data, 4), gpio.read(4, 4)), (1 << BUTTON, 0));
        assert_eq!((gpio.read(0x414, 4), gpio.read(0x418, 4)), (1 << BUTTON, 1 << BUTTON));
        gpio.write(0x41c, 4, 0xff);
        assert!(!wire.level());
        let start = std::time::Instant::now();
        while !wire.level() && start.elapsed().as_secs() < 10 {
            events.turn().expect("a turn");
        }
        assert!(wire.level(), "it comes up again");
        assert!(start.elapsed().as_millis() >= 50);
        assert_eq!(gpio.read(data, 4), 0);
    }

    #[test]
    fn levels_interrupt_and_outputs_hold_what_is_written() {
        let clock = Arc::new(Clock::new());
        let events = EventLoop::new(clock.clone(), Kind::Epoll).expect("epoll");
        let (line, wire) = wire();
        let gpio = Pl061::new(line, clock, events.handle());
        gpio.write(0x404, 4, 0xff);
        gpio.write(0x40c, 4, 0xff);
        gpio.write(0x410, 4, 0xff);
        assert!(!wire.level());
        gpio.press();
        assert!(wire.level());
        gpio.write(0x41c, 4, 0xff);
        assert!(wire.level(), "a level is not cleared");
        gpio.write(0x400, 4, 0xf0);
        gpio.write(0x3fc, 4, 0xa5);
        assert_eq!(gpio.read(0x3fc, 4), 0xa0 | 1 << BUTTON);
        gpio.write(0x80, 4, 0);
        assert_eq!(gpio.read(0x3fc, 4), 0x80 | 1 << BUTTON);
    }
}
