//! Devices. Each has its registers as rows in `spec.rs`, its behaviour beside them, and one state struct that is
//! saved and restored whole. What a device is wired to is given when it is made and is no part of its state.

pub mod cfi_flash;
pub mod clint;
pub mod fw_cfg;
mod gic;
pub mod gicv2;
pub mod gicv3;
pub mod goldfish_rtc;
pub mod ns16550;
pub mod pl011;
pub mod pl031;
pub mod pl061;
pub mod plic;
pub mod registers;
pub mod syscon;
#[cfg(test)]
mod tests;
pub mod virtio;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bus::Mmio;
use crate::snapshot::{Reader, RestoreError, Saved};

/// What the machine does with every device, beside accesses to its registers.
pub trait Device: Send + Sync {
    /// Back to the state after power-on. Lines fall.
    fn reset(&self);
    /// Appends the state.
    fn save(&self, to: &mut Vec<u8>);
    /// Takes over a saved state.
    fn restore(&self, from: &mut Reader<'_>) -> Result<(), RestoreError>;
}

/// A device with registers.
pub trait MmioDevice: Device + Mmio {}
impl<T: Device + Mmio> MmioDevice for T {}

/// A device's state and its lock. A panic elsewhere does not make it unusable: every write leaves it whole.
#[derive(Debug, Default)]
pub(crate) struct State<T>(Mutex<T>);

impl<T> State<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Saved> State<T> {
    pub(crate) fn save(&self, to: &mut Vec<u8>) {
        self.lock().save(to);
    }
}

/// Implements [`Device`] for a type whose `state` is a [`State`], which has `fn settle(&self, &mut StateType)` to
/// bring lines and timers in step with a state that changed as a whole.
macro_rules! device {
    ($type:ty, $state:ty) => {
        impl $crate::devices::Device for $type {
            fn reset(&self) {
                let mut state = self.state.lock();
                *state = self.initial();
                self.settle(&mut state);
            }
            fn save(&self, to: &mut Vec<u8>) {
                self.state.save(to);
            }
            fn restore(
                &self,
                from: &mut $crate::snapshot::Reader<'_>,
            ) -> Result<(), $crate::snapshot::RestoreError> {
                let restored = <$state as $crate::snapshot::Saved>::restore(from)?;
                self.check(&restored)?;
                let mut state = self.state.lock();
                *state = restored;
                self.settle(&mut state);
                Ok(())
            }
        }
    };
}
pub(crate) use device;
