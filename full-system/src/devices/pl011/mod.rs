//! The PL011 UART. Transmission takes no time, so that the transmitter is always empty.

mod spec;

use std::collections::VecDeque;
use std::sync::Arc;

use self::spec::{Cr, Dr, Fr, Ifls, LcrH, ROWS, Reg, Ris};
use super::registers;
use super::{State, device};
use crate::bus::Mmio;
use crate::chardev::{Port, Receiver};
use crate::irq::Line;
use crate::snapshot::{RestoreError, state};

const FIFO: usize = 16;

state! {
    /// All of a UART.
    pub struct Uart version 1 {
        /// Bytes received, each with what went wrong above it.
        rx: VecDeque<u16>,
        /// What went wrong with the byte last read.
        errors: u32,
        ilpr: u32,
        ibrd: u32,
        fbrd: u32,
        lcr: u32,
        cr: u32 = 0x300,
        ifls: u32 = 0x12,
        imsc: u32,
        /// Interrupts that have happened.
        ris: u32,
        dmacr: u32,
        /// The next byte could not be taken.
        overrun: bool,
    }
}

/// A PL011 UART.
pub struct Pl011 {
    state: State<Uart>,
    line: Line,
    port: Arc<Port>,
}

device!(Pl011, Uart);

impl Pl011 {
    /// A UART with its interrupt line, on `port`.
    pub fn new(line: Line, port: Arc<Port>) -> Arc<Pl011> {
        let uart = Arc::new(Pl011 { state: State::default(), line, port });
        let receiver: Arc<dyn Receiver> = uart.clone();
        uart.port.connect(Arc::downgrade(&receiver));
        uart
    }

    fn initial(&self) -> Uart {
        Uart::default()
    }

    fn check(&self, s: &Uart) -> Result<(), RestoreError> {
        if s.rx.len() <= FIFO { Ok(()) } else { Err(RestoreError::Value) }
    }

    fn settle(&self, s: &mut Uart) {
        self.line.set(s.ris & s.imsc != 0);
        if s.rx.len() < s.depth() {
            self.port.accept_input();
        }
    }

    fn transmit(&self, s: &mut Uart, byte: u8) {
        if Cr::LBE.is_set(s.cr) {
            s.receive(byte.into());
        } else {
            self.port.write(&[byte]);
        }
        // Below every level at once: there is room again.
        s.ris |= Ris::TX.mask();
    }
}

impl Uart {
    fn depth(&self) -> usize {
        if LcrH::FEN.is_set(self.lcr) { FIFO } else { 1 }
    }

    /// Bytes received that interrupt.
    fn trigger(&self) -> usize {
        let levels = [2, 4, 8, 12, 14];
        let level = levels.get(Ifls::RX.get(self.ifls) as usize).copied().unwrap_or(8);
        if self.depth() == 1 { 1 } else { level }
    }

    fn receive(&mut self, entry: u16) {
        if self.rx.len() >= self.depth() {
            self.overrun = true;
            self.ris |= Ris::OE.mask();
            return;
        }
        self.rx.push_back(entry);
        if u32::from(entry) & Dr::BE.mask() != 0 {
            self.ris |= Ris::BE.mask();
        }
        // Bytes below the level time out at once: no more of them are on the way.
        let full = self.rx.len() >= self.trigger();
        self.ris |= if full { Ris::RX.mask() } else { Ris::RT.mask() };
    }

    fn take(&mut self) -> u32 {
        let Some(entry) = self.rx.pop_front() else { return 0 };
        let mut value = u32::from(entry);
        if self.rx.is_empty() && std::mem::take(&mut self.overrun) {
            value |= Dr::OE.mask();
        }
        self.errors = value >> 8 & 0xf;
        if self.rx.len() < self.trigger() {
            self.ris &= !Ris::RX.mask();
        }
        if self.rx.is_empty() {
            self.ris &= !Ris::RT.mask();
        }
        value
    }

    fn flags(&self) -> u32 {
        let full = if self.rx.len() >= self.depth() { Fr::RXFF.mask() } else { 0 };
        let empty = if self.rx.is_empty() { Fr::RXFE.mask() } else { 0 };
        Fr::TXFE.mask() | full | empty
    }
}

impl Mmio for Pl011 {
    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, ..)) = registers::access("pl011", ROWS, offset, false) else { return 0 };
        let s = &mut *self.state.lock();
        let value = match reg {
            Reg::Dr => {
                let value = s.take();
                self.settle(s);
                value
            }
            Reg::RsrEcr => s.errors,
            Reg::Fr => s.flags(),
            Reg::Ilpr => s.ilpr,
            Reg::Ibrd => s.ibrd,
            Reg::Fbrd => s.fbrd,
            Reg::LcrH => s.lcr,
            Reg::Cr => s.cr,
            Reg::Ifls => s.ifls,
            Reg::Imsc => s.imsc,
            Reg::Ris => s.ris,
            Reg::Mis => s.ris & s.imsc,
            Reg::Dmacr => s.dmacr,
            Reg::Icr => 0,
            _ => registers::constant(ROWS, offset),
        };
        value.into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, ..)) = registers::access("pl011", ROWS, offset, true) else { return };
        let value = value as u32;
        let s = &mut *self.state.lock();
        match reg {
            // Boot loaders and early consoles write before they enable anything.
            Reg::Dr => self.transmit(s, value as u8),
            Reg::RsrEcr => s.errors = 0,
            Reg::Ilpr => s.ilpr = value & 0xff,
            Reg::Ibrd => s.ibrd = value & 0xffff,
            Reg::Fbrd => s.fbrd = value & 0x3f,
            Reg::LcrH => {
                if (s.lcr ^ value) & LcrH::FEN.mask() != 0 {
                    s.rx.clear();
                    s.ris &= !(Ris::RX.mask() | Ris::RT.mask());
                }
                s.lcr = value & 0xff;
            }
            Reg::Cr => s.cr = value & 0xff87,
            Reg::Ifls => s.ifls = value & 0x3f,
            Reg::Imsc => s.imsc = value & 0x7ff,
            Reg::Icr => s.ris &= !value,
            Reg::Dmacr => s.dmacr = value & 7,
            _ => {}
        }
        self.settle(s);
    }
}

impl Receiver for Pl011 {
    fn room(&self) -> usize {
        let s = self.state.lock();
        s.depth().saturating_sub(s.rx.len())
    }

    fn receive(&self, bytes: &[u8]) {
        let s = &mut *self.state.lock();
        bytes.iter().for_each(|&b| s.receive(b.into()));
        self.line.set(s.ris & s.imsc != 0);
    }

    fn send_break(&self) {
        let s = &mut *self.state.lock();
        s.receive(Dr::BE.mask() as u16);
        self.line.set(s.ris & s.imsc != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::check;
    use super::super::tests::{Wire, wire};
    use super::*;
    use crate::chardev::memory;

    fn uart() -> (Arc<Pl011>, Arc<memory::Memory>, Wire) {
        let (port, end) = memory::port();
        let (line, wire) = wire();
        (Pl011::new(line, port), end, wire)
    }

    #[test]
    fn rows_hold() {
        check::rows(&*uart().0, ROWS, 4);
    }

    #[test]
    fn transmits_and_interrupts() {
        let (u, end, wire) = uart();
        u.write(0x38, 4, 0x20);
        assert!(!wire.level(), "nothing has been sent");
        b"hi".iter().for_each(|&b| u.write(0, 1, b.into()));
        assert!(wire.level());
        assert_eq!((u.read(0x3c, 4), u.read(0x18, 4)), (0x20, 0x90));
        u.write(0x44, 4, 0x20);
        assert!(!wire.level());
        assert_eq!(end.written(), b"hi");
    }

    #[test]
    fn receives_with_fifo_and_stops_when_full() {
        let (u, end, wire) = uart();
        u.write(0x2c, 4, 0x70);
        u.write(0x38, 4, 0x50);
        end.type_in(&[b'x'; 20]);
        assert!(wire.level());
        assert_eq!(u.read(0x40, 4), 0x50, "level of 8 reached");
        assert_eq!(u.read(0x18, 4), 0xc0);
        let mut got = 0;
        while u.read(0x18, 4) & 0x10 == 0 {
            assert_eq!(u.read(0, 4), u64::from(b'x'));
            got += 1;
            end.deliver();
        }
        assert_eq!(got, 20, "the rest came as room was made");
        assert!(!wire.level());
        end.type_in(b"y");
        assert_eq!(u.read(0x40, 4), 0x40, "below the level");
    }

    #[test]
    fn loopback_and_breaks() {
        let (u, end, wire) = uart();
        u.write(0x30, 4, 0x381);
        u.write(0x38, 4, 0x7ff);
        u.write(0, 4, 0x55);
        assert_eq!(u.read(0, 4), 0x55);
        assert_eq!(end.written(), b"");
        u.write(0x44, 4, 0x7ff);
        u.send_break();
        assert!(wire.level());
        assert_eq!((u.read(0x40, 4) & 0x200, u.read(0, 4), u.read(4, 4)), (0x200, 0x400, 4));
        u.write(4, 4, 0);
        assert_eq!(u.read(4, 4), 0);
        u.receive(b"ab");
        assert_eq!(u.read(0x3c, 4) & 0x400, 0x400, "no room for the second");
        assert_eq!(u.read(0, 4), 0x800 | u64::from(b'a'));
    }
}
