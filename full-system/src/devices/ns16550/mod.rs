//! The 16550 UART. Transmission takes no time, so that the transmitter is always empty.

mod spec;

use std::collections::VecDeque;
use std::sync::Arc;

use self::spec::{Ier, IirFcr, Lcr, Lsr, Mcr, Msr, ROWS, Reg, cause};
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
        rx: VecDeque<u8>,
        ier: u8,
        fcr: u8,
        lcr: u8,
        mcr: u8 = 0x08,
        scr: u8,
        divisor: u16 = 0x0c,
        /// Bits of LSR that stay until it is read.
        errors: u8,
        /// The transmitter became empty and nobody has read so yet.
        thre_pending: bool,
    }
}

/// A 16550 UART.
pub struct Ns16550 {
    state: State<Uart>,
    line: Line,
    port: Arc<Port>,
}

device!(Ns16550, Uart);

impl Ns16550 {
    /// A UART with its interrupt line, on `port`.
    pub fn new(line: Line, port: Arc<Port>) -> Arc<Ns16550> {
        let uart = Arc::new(Ns16550 { state: State::default(), line, port });
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
        self.line.set(s.cause() != cause::NONE);
        if s.rx.len() < s.depth() {
            self.port.accept_input();
        }
    }

    fn transmit(&self, s: &mut Uart, byte: u8) {
        if Mcr::LOOP.is_set(s.mcr.into()) {
            s.receive(byte);
        } else {
            self.port.write(&[byte]);
        }
        s.thre_pending = true;
    }
}

impl Uart {
    fn depth(&self) -> usize {
        if IirFcr::FIFO.is_set(self.fcr.into()) { FIFO } else { 1 }
    }

    fn receive(&mut self, byte: u8) {
        if self.rx.len() < self.depth() {
            self.rx.push_back(byte);
        } else {
            self.errors |= Lsr::OE.mask() as u8;
        }
    }

    fn lsr(&self) -> u8 {
        let ready = if self.rx.is_empty() { 0 } else { Lsr::DR.mask() as u8 };
        ready | self.errors | (Lsr::THRE.mask() | Lsr::TEMT.mask()) as u8
    }

    /// The modem's lines: what a connected one shows, or our own outputs while looped back.
    fn msr(&self) -> u8 {
        let mcr = u32::from(self.mcr);
        if !Mcr::LOOP.is_set(mcr) {
            return (Msr::CTS.mask() | Msr::DSR.mask() | Msr::DCD.mask()) as u8;
        }
        let pairs = [
            (Mcr::RTS, Msr::CTS),
            (Mcr::DTR, Msr::DSR),
            (Mcr::OUT1, Msr::RI),
            (Mcr::OUT2, Msr::DCD),
        ];
        pairs.iter().filter(|(from, _)| from.is_set(mcr)).fold(0, |m, (_, to)| m | to.mask() as u8)
    }

    fn cause(&self) -> u8 {
        let ier = u32::from(self.ier);
        let trigger = [1, 4, 8, 14][IirFcr::TRIGGER.get(self.fcr.into()) as usize];
        if Ier::LINE.is_set(ier) && self.errors != 0 {
            cause::LINE
        } else if Ier::RX.is_set(ier) && !self.rx.is_empty() {
            // Bytes below the trigger level time out at once: no more of them are on the way.
            let full = self.depth() == 1 || self.rx.len() >= trigger;
            if full { cause::RX } else { cause::RX_TIMEOUT }
        } else if Ier::THRE.is_set(ier) && self.thre_pending {
            cause::THRE
        } else {
            cause::NONE
        }
    }
}

impl Mmio for Ns16550 {
    fn widest(&self) -> u8 {
        // A wide access reaches one register: the neighbours are not data of it.
        8
    }

    fn read(&self, offset: u64, _size: u8) -> u64 {
        let Some((reg, ..)) = registers::access("ns16550", ROWS, offset, false) else { return 0 };
        let s = &mut *self.state.lock();
        let divisor = Lcr::DLAB.is_set(s.lcr.into());
        let value = match reg {
            Reg::RbrThr if divisor => s.divisor as u8,
            Reg::RbrThr => s.rx.pop_front().unwrap_or(0),
            Reg::Ier if divisor => (s.divisor >> 8) as u8,
            Reg::Ier => s.ier,
            Reg::IirFcr => {
                let cause = s.cause();
                if cause == cause::THRE {
                    s.thre_pending = false;
                }
                let fifo = if s.depth() > 1 { 0xc0 } else { 0 };
                cause | fifo
            }
            Reg::Lcr => s.lcr,
            Reg::Mcr => s.mcr,
            Reg::Lsr => {
                let lsr = s.lsr();
                s.errors = 0;
                lsr
            }
            Reg::Msr => s.msr(),
            Reg::Scr => s.scr,
        };
        self.settle(s);
        value.into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let Some((reg, ..)) = registers::access("ns16550", ROWS, offset, true) else { return };
        let value = value as u8;
        let s = &mut *self.state.lock();
        let divisor = Lcr::DLAB.is_set(s.lcr.into());
        match reg {
            Reg::RbrThr if divisor => s.divisor = s.divisor & 0xff00 | u16::from(value),
            Reg::RbrThr => self.transmit(s, value),
            Reg::Ier if divisor => s.divisor = s.divisor & 0x00ff | u16::from(value) << 8,
            Reg::Ier => {
                // Enabling the interrupt of an empty transmitter raises it.
                let rises = value & !s.ier & Ier::THRE.mask() as u8 != 0;
                s.ier = value & 0x0f;
                s.thre_pending |= rises;
            }
            Reg::IirFcr => {
                let toggled = (s.fcr ^ value) & IirFcr::FIFO.mask() as u8 != 0;
                if toggled || IirFcr::CLEAR_RX.is_set(value.into()) {
                    s.rx.clear();
                }
                s.fcr = value & (IirFcr::FIFO.mask() | IirFcr::TRIGGER.mask()) as u8;
            }
            Reg::Lcr => s.lcr = value,
            Reg::Mcr => s.mcr = value & 0x1f,
            Reg::Scr => s.scr = value,
            Reg::Lsr | Reg::Msr => {}
        }
        self.settle(s);
    }
}

impl Receiver for Ns16550 {
    fn room(&self) -> usize {
        let s = self.state.lock();
        s.depth().saturating_sub(s.rx.len())
    }

    fn receive(&self, bytes: &[u8]) {
        let s = &mut *self.state.lock();
        bytes.iter().for_each(|&b| s.receive(b));
        self.line.set(s.cause() != cause::NONE);
    }

    fn send_break(&self) {
        let s = &mut *self.state.lock();
        s.errors |= Lsr::BI.mask() as u8;
        s.receive(0);
        self.line.set(s.cause() != cause::NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::check;
    use super::super::tests::{Wire, wire};
    use super::*;
    use crate::chardev::memory;

    fn uart() -> (Arc<Ns16550>, Arc<memory::Memory>, Wire) {
        let (port, end) = memory::port();
        let (line, wire) = wire();
        (Ns16550::new(line, port), end, wire)
    }

    #[test]
    fn rows_hold() {
        check::rows(&*uart().0, ROWS, 1);
    }

    #[test]
    fn transmits_and_interrupts() {
        let (u, end, wire) = uart();
        u.write(1, 1, 0x02);
        assert!(wire.level());
        assert_eq!(u.read(2, 1), 0x02);
        assert!(!wire.level(), "reading the cause clears it");
        b"hi".iter().for_each(|&b| u.write(0, 1, b.into()));
        assert!(wire.level());
        assert_eq!(end.written(), b"hi");
    }

    #[test]
    fn receives_with_fifo_and_stops_when_full() {
        let (u, end, wire) = uart();
        u.write(2, 1, 0xc7);
        u.write(1, 1, 0x01);
        end.type_in(&[b'x'; 20]);
        assert!(wire.level());
        assert_eq!(u.read(2, 1), 0xc4, "trigger level of 14 reached");
        let mut got = 0;
        while u.read(5, 1) & 1 != 0 {
            assert_eq!(u.read(0, 1), u64::from(b'x'));
            got += 1;
            end.deliver();
        }
        assert_eq!(got, 20, "the rest came as room was made");
        assert!(!wire.level());
        end.type_in(b"y");
        assert_eq!(u.read(2, 1), 0xcc, "below the trigger level");
    }

    #[test]
    fn loopback_and_divisor() {
        let (u, end, _) = uart();
        u.write(3, 1, 0x80);
        u.write(0, 1, 0x34);
        u.write(1, 1, 0x12);
        assert_eq!((u.read(0, 1), u.read(1, 1)), (0x34, 0x12));
        u.write(3, 1, 0x03);
        assert_eq!(u.read(1, 1), 0);
        u.write(4, 1, 0x12);
        u.write(0, 1, 0x55);
        assert_eq!(u.read(6, 1), 0x10, "RTS comes back as CTS");
        assert_eq!(u.read(0, 1), 0x55);
        assert_eq!(end.written(), b"");
    }
}
