//! Power off and reset by a register, which the device tree shows as `syscon-poweroff` and `syscon-reboot`.

mod spec;

use std::sync::Arc;

use self::spec::{Finish, ROWS, what};
use super::{Device, registers};
use crate::bus::Mmio;
use crate::power::Power;
use crate::snapshot::{Reader, RestoreError};

/// The register. It has no state.
pub struct Syscon {
    power: Arc<dyn Power>,
}

impl Syscon {
    /// A register that asks `power`.
    pub fn new(power: Arc<dyn Power>) -> Arc<Syscon> {
        Arc::new(Syscon { power })
    }
}

impl Device for Syscon {
    fn reset(&self) {}
    fn save(&self, _to: &mut Vec<u8>) {}
    fn restore(&self, _from: &mut Reader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

impl Mmio for Syscon {
    fn read(&self, _offset: u64, _size: u8) -> u64 {
        0
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        if registers::access("syscon", ROWS, offset, true).is_none() {
            return;
        }
        let value = value as u32;
        match Finish::WHAT.get(value) {
            what::PASS => self.power.off(0),
            what::FAIL => self.power.off(Finish::CODE.get(value) as i32),
            what::RESET => self.power.reset(),
            other => log::debug!(target: "guest_errors", "syscon: {other:#x} means nothing"),
        }
    }
}
