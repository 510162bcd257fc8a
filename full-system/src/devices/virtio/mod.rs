//! Virtio devices on the memory-mapped transport, version 2 (virtio 1.2). The rings are rust-vmm's `virtio-queue`.

pub mod block;
pub mod console;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod fuzz;
pub mod net;
mod queues;
pub mod rng;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use virtio_queue::QueueT;

use self::spec::{ROWS, Reg, Status};
use super::registers::{self, access};
use super::{Device, State};
use crate::bus::{Mmio, Ram};
use crate::irq::Line;
use crate::snapshot::{Reader, RestoreError, Saved, state};

pub use queues::{Chain, Queues, Running, split, total};

/// `VIRTIO_F_VERSION_1`: the only kind of device there is here.
const VERSION_1: u64 = 1 << 32;
/// `VIRTIO_F_EVENT_IDX`.
const EVENT_IDX: u64 = 1 << 29;
/// `VIRTIO_F_INDIRECT_DESC`.
const INDIRECT_DESC: u64 = 1 << 28;

/// A kind of device, as the transport sees it. It is told of everything with no lock of the transport's held.
pub trait Kind: Send + Sync {
    /// Number of the kind (virtio 1.2, chapter 5).
    fn id(&self) -> u32;
    /// Features of the kind.
    fn features(&self) -> u64;
    /// Greatest size of each queue: powers of two.
    fn queues(&self) -> &'static [u16];
    /// The configuration as bytes.
    fn config(&self) -> Vec<u8>;
    /// The driver writes to the configuration; most kinds have nothing to write.
    fn write_config(&self, _offset: u64, _bytes: &[u8]) {}
    /// The driver is ready.
    fn start(&self, _queues: &Arc<Queues>, _features: u64) {}
    /// There are new buffers in queue `index`.
    fn notify(&self, queues: &Arc<Queues>, index: usize);
    /// The driver starts over.
    fn reset(&self) {}
}

state! {
    /// The transport's registers. Those of the queues live with the queues.
    pub struct Transport version 1 {
        device_select: u32,
        driver_select: u32,
        driver_features: u64,
        queue_select: u32,
        status: u32,
    }
}

/// A place for a device, which may be empty.
pub struct Slot {
    state: State<Transport>,
    ram: Arc<Ram>,
    device: Option<(Arc<dyn Kind>, Arc<Queues>)>,
}

impl Slot {
    /// A place with this interrupt line and device.
    pub fn new(line: Line, ram: Arc<Ram>, kind: Option<Arc<dyn Kind>>) -> Arc<Slot> {
        let device = kind.map(|kind| {
            let queues = Queues::new(ram.clone(), line, kind.queues());
            (kind, queues)
        });
        Arc::new(Slot { state: State::default(), ram, device })
    }

    fn offered(kind: &dyn Kind) -> u64 {
        kind.features() | VERSION_1 | EVENT_IDX | INDIRECT_DESC
    }

    /// Status as the driver writes it; returns what is to be done without the lock.
    fn set_status(&self, kind: &Arc<dyn Kind>, queues: &Arc<Queues>, value: u32) {
        let mut s = self.state.lock();
        if value == 0 {
            *s = Transport::default();
            drop(s);
            queues.reset();
            kind.reset();
            return;
        }
        let rises = value & !s.status;
        s.status |= value & 0xff;
        if Status::FEATURES_OK.is_set(rises)
            && (s.driver_features & !Self::offered(&**kind) != 0
                || s.driver_features & VERSION_1 == 0)
        {
            log::debug!(target: "guest_errors", "virtio: features {:#x} are refused", s.driver_features);
            s.status &= !Status::FEATURES_OK.mask();
        }
        if Status::DRIVER_OK.is_set(rises) {
            let features = s.driver_features;
            drop(s);
            for index in 0..kind.queues().len() {
                if let Some(mut queue) = queues.queue(index) {
                    queue.set_event_idx(features & EVENT_IDX != 0);
                }
            }
            kind.start(queues, features);
        }
    }

    fn set_ready(&self, queues: &Queues, select: u32, ready: bool) {
        let Some(mut queue) = queues.queue(select as usize) else { return };
        queue.set_ready(ready);
        if ready && !queue.is_valid(&*self.ram) {
            log::debug!(target: "guest_errors", "virtio: queue {select} does not lie in memory");
            queue.set_ready(false);
        }
    }

    fn write_register(&self, kind: &Arc<dyn Kind>, queues: &Arc<Queues>, reg: Reg, value: u32) {
        let select = self.state.lock().queue_select;
        let queue = || queues.queue(select as usize);
        match reg {
            Reg::DeviceSelect => self.state.lock().device_select = value,
            Reg::DriverSelect => self.state.lock().driver_select = value,
            Reg::DriverFeatures => {
                let mut s = self.state.lock();
                if s.driver_select < 2 && !Status::FEATURES_OK.is_set(s.status) {
                    let shift = 32 * s.driver_select;
                    s.driver_features &= !(0xffff_ffff << shift);
                    s.driver_features |= u64::from(value) << shift;
                }
            }
            Reg::QueueSelect => self.state.lock().queue_select = value,
            Reg::QueueSize => {
                let size = u16::try_from(value).unwrap_or(0);
                queue().into_iter().for_each(|mut q| q.set_size(size));
            }
            Reg::QueueReady => self.set_ready(queues, select, value & 1 != 0),
            Reg::QueueNotify => {
                let ok = Status::DRIVER_OK.is_set(self.state.lock().status);
                if ok && (value as usize) < kind.queues().len() {
                    kind.notify(queues, value as usize);
                }
            }
            Reg::InterruptAck => queues.acknowledge(value),
            Reg::Status => self.set_status(kind, queues, value),
            Reg::DescLow => {
                queue().into_iter().for_each(|mut q| q.set_desc_table_address(Some(value), None))
            }
            Reg::DescHigh => {
                queue().into_iter().for_each(|mut q| q.set_desc_table_address(None, Some(value)))
            }
            Reg::DriverLow => {
                queue().into_iter().for_each(|mut q| q.set_avail_ring_address(Some(value), None))
            }
            Reg::DriverHigh => {
                queue().into_iter().for_each(|mut q| q.set_avail_ring_address(None, Some(value)))
            }
            Reg::DeviceLow => {
                queue().into_iter().for_each(|mut q| q.set_used_ring_address(Some(value), None))
            }
            Reg::DeviceHigh => {
                queue().into_iter().for_each(|mut q| q.set_used_ring_address(None, Some(value)))
            }
            _ => {}
        }
    }
}

impl Mmio for Slot {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let Some((reg, ..)) = access("virtio-mmio", ROWS, offset, false) else { return 0 };
        let fixed = registers::find(ROWS, offset).and_then(|(row, ..)| row.reset);
        let Some((kind, queues)) = &self.device else {
            // An empty place shows what it is, and that it is empty.
            let shown = matches!(reg, Reg::Magic | Reg::Version | Reg::VendorId);
            return if shown { fixed.unwrap_or(0).into() } else { 0 };
        };
        if reg == Reg::Config {
            let (config, at) = (kind.config(), (offset - 0x100) as usize);
            let bytes = (0..usize::from(size)).map(|i| config.get(at + i).copied().unwrap_or(0));
            return bytes.rev().fold(0, |v, b| v << 8 | u64::from(b));
        }
        let s = self.state.lock();
        let queue = || queues.queue(s.queue_select as usize);
        let value = match reg {
            Reg::DeviceId => kind.id(),
            Reg::DeviceFeatures if s.device_select < 2 => {
                (Self::offered(&**kind) >> (32 * s.device_select)) as u32
            }
            Reg::QueueMax => queue().map_or(0, |q| q.max_size().into()),
            Reg::QueueReady => queue().is_some_and(|q| q.ready()).into(),
            Reg::InterruptStatus => queues.interrupt_status(),
            // A reset takes until requests under way are done (section 2.4.2: the driver waits for 0).
            Reg::Status if s.status == 0 && queues.busy() => Status::NEEDS_RESET.mask(),
            Reg::Status => s.status,
            Reg::DeviceFeatures | Reg::ConfigGeneration => 0,
            _ => fixed.unwrap_or(0),
        };
        value.into()
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let Some((reg, ..)) = access("virtio-mmio", ROWS, offset, true) else { return };
        let Some((kind, queues)) = &self.device else { return };
        if reg == Reg::Config {
            kind.write_config(offset - 0x100, &value.to_le_bytes()[..usize::from(size.min(8))]);
        } else {
            self.write_register(kind, queues, reg, value as u32);
        }
    }
}

impl Device for Slot {
    fn reset(&self) {
        if let Some((kind, queues)) = &self.device {
            self.set_status(kind, queues, 0);
        }
    }

    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
        let Some((kind, queues)) = &self.device else { return };
        for index in 0..kind.queues().len() {
            let Some(q) = queues.queue(index) else { continue };
            (q.size(), q.next_avail(), q.next_used()).save(to);
            (q.ready(), q.event_idx_enabled()).save(to);
            (q.desc_table(), q.avail_ring(), q.used_ring()).save(to);
        }
        queues.interrupt_status().save(to);
    }

    fn restore(&self, from: &mut Reader<'_>) -> Result<(), RestoreError> {
        let state = Transport::restore(from)?;
        if let Some((kind, queues)) = &self.device {
            queues.reset();
            for index in 0..kind.queues().len() {
                let (size, next_avail, next_used) = <(u16, u16, u16)>::restore(from)?;
                let (ready, event_idx) = <(bool, bool)>::restore(from)?;
                let (desc, avail, used) = <(u64, u64, u64)>::restore(from)?;
                let Some(mut q) = queues.queue(index) else { continue };
                let halves = |at: u64| (Some(at as u32), Some((at >> 32) as u32));
                q.set_size(size);
                let (low, high) = halves(desc);
                q.set_desc_table_address(low, high);
                let (low, high) = halves(avail);
                q.set_avail_ring_address(low, high);
                let (low, high) = halves(used);
                q.set_used_ring_address(low, high);
                q.set_next_avail(next_avail);
                q.set_next_used(next_used);
                q.set_event_idx(event_idx);
                q.set_ready(ready);
            }
            let pending = u32::restore(from)?;
            if pending != 0 {
                queues.interrupt(pending);
            }
            if Status::DRIVER_OK.is_set(state.status) {
                kind.start(queues, state.driver_features);
            }
        }
        *self.state.lock() = state;
        Ok(())
    }
}
