//! The firmware configuration device: what the machine tells its firmware, as items that are read byte by byte or
//! transferred to memory.

mod spec;

use std::sync::Arc;

use vm_memory::{Bytes, GuestAddress};

use self::spec::{ID, ROWS, Reg, control};
use super::registers;
use super::{State, device};
use crate::bus::{Mmio, Ram};
use crate::snapshot::{RestoreError, state};

pub use self::spec::key;

/// An item: its key and its bytes.
pub type Item = (u16, Arc<[u8]>);

/// Most bytes that are copied in one step.
const STEP: usize = 64 << 10;

state! {
    /// All of it.
    pub struct Selected version 1 {
        key: u16,
        at: u64,
        /// Upper half of the address of a transfer, written first.
        high: u32,
    }
}

/// The device.
pub struct FwCfg {
    state: State<Selected>,
    items: Vec<Item>,
    ram: Arc<Ram>,
}

device!(FwCfg, Selected);

impl FwCfg {
    /// A device with these items beside those that it always has.
    pub fn new(items: Vec<Item>, ram: Arc<Ram>) -> Arc<FwCfg> {
        let mut items = items;
        items.push((key::SIGNATURE, b"QEMU"[..].into()));
        items.push((key::ID, ID.to_le_bytes()[..].into()));
        // No names.
        items.push((key::DIRECTORY, [0; 4][..].into()));
        Arc::new(FwCfg { state: State::default(), items, ram })
    }

    fn initial(&self) -> Selected {
        Selected::default()
    }

    fn check(&self, _: &Selected) -> Result<(), RestoreError> {
        Ok(())
    }

    fn settle(&self, _: &mut Selected) {}

    /// The rest of the selected item.
    fn rest(&self, s: &Selected) -> &[u8] {
        let item = self.items.iter().find(|i| i.0 == s.key).map_or(&[][..], |i| &i.1);
        item.get(usize::try_from(s.at).unwrap_or(usize::MAX)..).unwrap_or_default()
    }

    /// The next bytes, zeros after the last.
    fn next(&self, s: &mut Selected, size: u8) -> u64 {
        let mut bytes = [0; 8];
        let rest = self.rest(s);
        let count = rest.len().min(usize::from(size.min(8)));
        bytes[..count].copy_from_slice(&rest[..count]);
        s.at += u64::from(size);
        u64::from_le_bytes(bytes)
    }

    /// Carries out the transfer described at `address`: control and length of 4 bytes, then an address of 8, the
    /// highest byte first.
    fn transfer(&self, s: &mut Selected, address: u64) {
        let mut words = [0; 16];
        if self.ram.read_slice(&mut words, GuestAddress(address)).is_err() {
            log::debug!(target: "guest_errors", "fw_cfg: no memory at {address:#x}");
            return;
        }
        let [control, length] = [0, 4]
            .map(|at| u32::from_be_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]));
        let to = u64::from_be_bytes(std::array::from_fn(|n| words[8 + n]));
        if control & control::SELECT != 0 {
            s.key = (control >> 16) as u16;
            s.at = 0;
        }
        let done = if control & control::READ != 0 {
            self.copy(s, to, length)
        } else if control & control::WRITE != 0 {
            // Nothing can be written.
            false
        } else {
            if control & control::SKIP != 0 {
                s.at += u64::from(length);
            }
            true
        };
        let answer = if done { 0 } else { control::ERROR };
        // The description was read from there.
        let _ = self.ram.write_slice(&answer.to_be_bytes(), GuestAddress(address));
    }

    fn copy(&self, s: &mut Selected, mut to: u64, mut length: u32) -> bool {
        let zeros = [0; STEP];
        while length > 0 {
            let rest = self.rest(s);
            let from = if rest.is_empty() { &zeros[..] } else { rest };
            let count = from.len().min(STEP).min(length as usize);
            if self.ram.write_slice(&from[..count], GuestAddress(to)).is_err() {
                return false;
            }
            s.at += count as u64;
            to = to.wrapping_add(count as u64);
            length -= count as u32;
        }
        true
    }
}

impl Mmio for FwCfg {
    fn widest(&self) -> u8 {
        8
    }

    fn read(&self, offset: u64, size: u8) -> u64 {
        let Some((reg, _, byte)) = registers::access("fw_cfg", ROWS, offset, false) else {
            return 0;
        };
        match reg {
            Reg::Data => self.next(&mut self.state.lock(), size),
            // Tells that transfers are there.
            Reg::Dma => u64::from_le_bytes(*b"QEMU CFG") >> (8 * byte),
            Reg::Selector => 0,
        }
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let Some((reg, _, byte)) = registers::access("fw_cfg", ROWS, offset, true) else { return };
        let s = &mut *self.state.lock();
        match (reg, byte, size) {
            (Reg::Selector, 0, 2..) => {
                s.key = (value as u16).swap_bytes();
                s.at = 0;
            }
            (Reg::Dma, 0, 8) => self.transfer(s, value.swap_bytes()),
            (Reg::Dma, 0, 4) => s.high = (value as u32).swap_bytes(),
            (Reg::Dma, 4, 4) => {
                let high = std::mem::take(&mut s.high);
                let address = u64::from(high) << 32 | u64::from((value as u32).swap_bytes());
                self.transfer(s, address);
            }
            _ => {
                log::debug!(target: "guest_errors", "fw_cfg: write of {size} bytes at {offset:#x}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;

    fn device() -> (Arc<FwCfg>, Arc<Ram>) {
        let mut map = Bus::builder();
        map.ram("ram", 0x1000, 0x2000);
        let ram = map.allocate().expect("memory");
        (FwCfg::new(vec![(0x15, b"hello"[..].into())], ram.clone()), ram)
    }

    fn select(f: &FwCfg, key: u16) {
        f.write(8, 2, key.swap_bytes().into());
    }

    #[test]
    fn items_are_read_in_pieces() {
        let (f, _) = device();
        select(&f, 0);
        assert_eq!(f.read(0, 4), u64::from(u32::from_le_bytes(*b"QEMU")));
        select(&f, 0x15);
        assert_eq!([0; 7].map(|_| f.read(0, 1) as u8), *b"hello\0\0");
        select(&f, 1);
        assert_eq!((f.read(0, 8), f.read(0, 8)), (3, 0));
        select(&f, 0x99);
        assert_eq!(f.read(0, 8), 0);
        assert_eq!(f.read(16, 8), u64::from_le_bytes(*b"QEMU CFG"));
    }

    /// Describes a transfer at 0x1000 and starts it; what is left of its control word.
    fn transfer(f: &FwCfg, ram: &Ram, control: u32, length: u32, to: u64) -> u32 {
        let mut words = control.to_be_bytes().to_vec();
        words.extend(length.to_be_bytes());
        words.extend(to.to_be_bytes());
        ram.write_slice(&words, GuestAddress(0x1000)).expect("memory");
        f.write(16, 4, 0);
        f.write(20, 4, 0x1000u32.swap_bytes().into());
        let mut answer = [0; 4];
        ram.read_slice(&mut answer, GuestAddress(0x1000)).expect("memory");
        u32::from_be_bytes(answer)
    }

    #[test]
    fn items_are_transferred() {
        let (f, ram) = device();
        ram.write_slice(&[9; 8], GuestAddress(0x1800)).expect("memory");
        assert_eq!(transfer(&f, &ram, 0x15 << 16 | 8 | 4, 1, 0), 0);
        assert_eq!(transfer(&f, &ram, 2, 6, 0x1800), 0);
        let mut got = [0; 8];
        ram.read_slice(&mut got, GuestAddress(0x1800)).expect("memory");
        assert_eq!(&got, b"ello\0\0\x09\x09");
        assert_eq!(transfer(&f, &ram, 2, 16, 0x2ff8), 1, "not so much memory");
        assert_eq!(transfer(&f, &ram, 16, 1, 0x1800), 1, "nothing can be written");
        // A description where no memory is: nothing happens.
        f.write(16, 8, 0x10u64.swap_bytes());
    }
}
