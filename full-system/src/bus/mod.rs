//! The machine's physical address space: RAM, ROM and the registers of devices.
//!
//! The map is made once and never changes, so that finding what an address belongs to takes no lock; each device
//! has a lock of its own inside.

mod host;
mod memory;
#[cfg(test)]
mod tests;
mod tree;

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use vm_memory::bitmap::Bitmap;
use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion, GuestRegionCollection,
};

pub use memory::{CodeHook, CodeHookCell, CodePages, CodeSlice, PAGE, Ram};

thread_local! {
    static INITIATOR: Cell<u32> = const { Cell::new(0) };
}

/// The processor that makes the accesses of this thread, for devices with registers for each: processor 0 unless
/// [`set_initiator`] has said otherwise.
pub fn initiator() -> u32 {
    INITIATOR.get()
}

/// Makes accesses of this thread those of a processor.
pub fn set_initiator(cpu: u32) {
    INITIATOR.set(cpu);
}

/// Something that answers at addresses: the registers of a device.
pub trait Mmio: Send + Sync {
    /// Reads `size` bytes (1, 2, 4, or 8 where [`Mmio::widest`] says so) at `offset` from the device's base.
    fn read(&self, offset: u64, size: u8) -> u64;
    /// Writes the low `size` bytes of `value`.
    fn write(&self, offset: u64, size: u8, value: u64);
    /// The widest access the device takes in one piece; a wider one reaches it as several, lowest address first.
    fn widest(&self) -> u8 {
        4
    }
}

/// Why an access failed: nothing is there, or it may not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// No RAM, ROM or device at this address.
    #[error("nothing at physical address {0:#x}")]
    Unmapped(u64),
    /// A size that is none of 1, 2, 4, 8, or one that reaches past what is at the address.
    #[error("bad access of {1} bytes at physical address {0:#x}")]
    Size(u64, u8),
}

/// Why an address space cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Two ranges share addresses.
    #[error("'{first}' and '{second}' share addresses")]
    Overlap {
        /// The lower one.
        first: String,
        /// The upper one.
        second: String,
    },
    /// The host gives no memory.
    #[error("cannot allocate {size} bytes of guest memory: {reason}")]
    Memory {
        /// Bytes asked for.
        size: u64,
        /// What the host said.
        reason: String,
    },
    /// A range that is empty or passes the end of the address space, or memory that is not whole pages.
    #[error("'{0}' has an impossible base or size")]
    Shape(String),
}

/// A page of RAM or ROM in the host's memory.
#[derive(Clone, Copy, Debug)]
pub struct RamPage {
    /// Its first byte. It stays there as long as the bus does.
    pub host: *mut u8,
    /// Whether the guest may write it.
    pub writable: bool,
}

/// What lies at a range of addresses.
#[derive(Clone)]
enum Target {
    Ram { host: usize, writable: bool },
    Device(Arc<dyn Mmio>),
}

#[derive(Clone)]
struct Entry {
    range: Range<u64>,
    name: String,
    target: Target,
}

/// The address space. See the module's description.
pub struct Bus {
    entries: Vec<Entry>,
    ram: Arc<Ram>,
    hook: Arc<CodeHookCell>,
}

/// Collects what an address space holds.
#[derive(Default)]
pub struct Builder {
    entries: Vec<(Entry, bool)>,
    memory: Option<(Arc<Ram>, Arc<CodeHookCell>)>,
}

impl Builder {
    /// RAM of `size` bytes at `base`.
    pub fn ram(&mut self, name: &str, base: u64, size: u64) {
        self.memory(name, base, size, true);
    }

    /// Memory that the guest only reads.
    pub fn rom(&mut self, name: &str, base: u64, size: u64) {
        self.memory(name, base, size, false);
    }

    fn memory(&mut self, name: &str, base: u64, size: u64, writable: bool) {
        self.add(name, base, size, Target::Ram { host: 0, writable }, true);
    }

    /// A device's registers.
    pub fn device(&mut self, name: &str, base: u64, size: u64, device: Arc<dyn Mmio>) {
        self.add(name, base, size, Target::Device(device), false);
    }

    fn add(&mut self, name: &str, base: u64, size: u64, target: Target, memory: bool) {
        // An end past the address space makes an empty range, which the checks refuse.
        let range = base..base.checked_add(size).unwrap_or(base);
        self.entries.push((Entry { range, name: name.to_string(), target }, memory));
    }

    /// Checks the map so far and allocates its memory, for the devices still to come. No memory is added after it.
    pub fn allocate(&mut self) -> Result<Arc<Ram>, MapError> {
        self.check()?;
        let hook = Arc::new(CodeHookCell::default());
        let mut regions = Vec::new();
        for (entry, _) in &mut self.entries {
            let size = entry.range.end - entry.range.start;
            if let Target::Ram { host, .. } = &mut entry.target {
                let region = memory::region(entry.range.start, size, &hook)?;
                *host = region.as_ptr() as usize;
                regions.push(region);
            }
        }
        let ram = GuestRegionCollection::from_regions(regions)
            .map_err(|e| MapError::Memory { size: 0, reason: e.to_string() })?;
        let ram = Arc::new(ram);
        self.memory = Some((ram.clone(), hook));
        Ok(ram)
    }

    /// Sorts the ranges and refuses impossible ones.
    fn check(&mut self) -> Result<(), MapError> {
        self.entries.sort_by_key(|(e, _)| e.range.start);
        for (e, memory) in &self.entries {
            let whole = e.range.start % PAGE == 0 && e.range.end % PAGE == 0;
            if e.range.is_empty() || (*memory && !whole) {
                return Err(MapError::Shape(e.name.clone()));
            }
        }
        for pair in self.entries.windows(2) {
            let (first, second) = (&pair[0].0, &pair[1].0);
            if first.range.end > second.range.start {
                let (first, second) = (first.name.clone(), second.name.clone());
                return Err(MapError::Overlap { first, second });
            }
        }
        Ok(())
    }

    /// Checks the map, allocates the memory if that is still to be done, and closes it.
    pub fn build(mut self) -> Result<Bus, MapError> {
        if self.memory.is_none() {
            self.allocate()?;
        }
        self.check()?;
        let (ram, hook) = self.memory.unwrap_or_default();
        let entries = self.entries.into_iter().map(|(e, _)| e).collect();
        Ok(Bus { entries, ram, hook })
    }
}

impl Bus {
    /// An empty address space to fill.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// RAM and ROM by themselves: for devices that reach memory, and for loading.
    pub fn ram(&self) -> &Arc<Ram> {
        &self.ram
    }

    fn find(&self, pa: u64) -> Option<&Entry> {
        let after = self.entries.partition_point(|e| e.range.start <= pa);
        let entry = self.entries.get(after.checked_sub(1)?)?;
        entry.range.contains(&pa).then_some(entry)
    }

    /// The entry that holds all of an access.
    fn access(&self, pa: u64, size: u8) -> Result<&Entry, BusError> {
        let entry = self.find(pa).ok_or(BusError::Unmapped(pa))?;
        let fits = entry.range.end - pa >= u64::from(size);
        if matches!(size, 1 | 2 | 4 | 8) && fits {
            Ok(entry)
        } else {
            Err(BusError::Size(pa, size))
        }
    }

    /// Reads `size` bytes (1, 2, 4, 8), little-endian, from RAM, ROM or a device.
    pub fn read(&self, pa: u64, size: u8) -> Result<u64, BusError> {
        let entry = self.access(pa, size)?;
        match &entry.target {
            Target::Ram { .. } => {
                let mut bytes = [0; 8];
                let part = &mut bytes[..usize::from(size)];
                self.ram.read_slice(part, GuestAddress(pa)).map_err(|_| BusError::Unmapped(pa))?;
                Ok(u64::from_le_bytes(bytes))
            }
            Target::Device(device) => {
                let offset = pa - entry.range.start;
                let step = size.min(device.widest());
                let mut value = 0;
                for at in (0..size).step_by(usize::from(step)) {
                    let part = device.read(offset + u64::from(at), step) & low_bytes(step);
                    value |= part << (8 * at);
                }
                Ok(value)
            }
        }
    }

    /// Writes the low `size` bytes of `value`. What is written to ROM is dropped, as on real buses.
    pub fn write(&self, pa: u64, size: u8, value: u64) -> Result<(), BusError> {
        let entry = self.access(pa, size)?;
        match &entry.target {
            Target::Ram { writable: false, .. } => {
                log::debug!(target: "guest_errors", "write to ROM at {pa:#x}");
                Ok(())
            }
            Target::Ram { .. } => {
                let bytes = value.to_le_bytes();
                self.ram
                    .write_slice(&bytes[..usize::from(size)], GuestAddress(pa))
                    .map_err(|_| BusError::Unmapped(pa))
            }
            Target::Device(device) => {
                let offset = pa - entry.range.start;
                let step = size.min(device.widest());
                for at in (0..size).step_by(usize::from(step)) {
                    let part = (value >> (8 * at)) & low_bytes(step);
                    device.write(offset + u64::from(at), step, part);
                }
                Ok(())
            }
        }
    }

    /// The page of RAM or ROM that holds `pa`.
    pub fn ram_page(&self, pa: u64) -> Option<RamPage> {
        let entry = self.find(pa)?;
        let Target::Ram { host, writable } = entry.target else { return None };
        let offset = usize::try_from((pa & !(PAGE - 1)) - entry.range.start).ok()?;
        // The region's pages were exposed when its pointer was cast to a number.
        let host = std::ptr::with_exposed_provenance_mut(host + offset);
        Some(RamPage { host, writable })
    }

    /// Has the next device write to the page that holds `pa` reported to the hook.
    pub fn watch_code(&self, pa: u64) {
        if let Some((region, offset)) = self.ram.to_region_addr(GuestAddress(pa)) {
            region.get_mmap().bitmap().watch(offset.0);
        }
    }

    /// Sets what is told of writes to watched pages, page by page, on the thread that writes. The first call counts.
    pub fn set_code_hook(&self, hook: CodeHook) {
        self.hook.set(hook);
    }

    /// Reports that `len` bytes at `pa` were written by other means than [`Bus::write`] and [`Bus::ram`].
    pub fn written(ram: &Ram, pa: u64, len: usize) {
        if let Some((region, offset)) = ram.to_region_addr(GuestAddress(pa)) {
            region.bitmap().mark_dirty(offset.0 as usize, len);
        }
    }
}

fn low_bytes(size: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 8)))
}
