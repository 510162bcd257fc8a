//! Atomic access to page tables in guest memory. `unsafe` because processors and devices write that
//! memory at any time, so no reference to it may be formed.
#![expect(unsafe_code, reason = "atomic access to guest memory")]

use std::sync::atomic::{AtomicU64, Ordering};

use remu_isa::PhysMem;

use std::sync::Arc;

use crate::bus::{Bus, PAGE, RamPage};

/// The machine's memory as page walks see it.
pub struct Tables(pub(crate) Arc<Bus>);

/// The word at `pa`, which lies in `page`.
fn word(page: &RamPage, pa: u64) -> &AtomicU64 {
    let offset = (pa % PAGE) as usize & !7;
    // SAFETY: the page is 4096 bytes of a mapping that stays as long as the bus, from which `page` has
    // just come; the offset is a multiple of 8 below 4096. All of the guest's memory is always valid for
    // any bits, and every access through the result is atomic, as are those of the host's instructions.
    unsafe { AtomicU64::from_ptr(page.host.add(offset).cast()) }
}

impl PhysMem for Tables {
    fn read(&self, pa: u64) -> Option<u64> {
        Some(word(&self.0.ram_page(pa)?, pa).load(Ordering::Acquire))
    }
    fn exchange(&self, pa: u64, old: u64, new: u64) -> Option<bool> {
        let page = self.0.ram_page(pa).filter(|p| p.writable)?;
        let result =
            word(&page, pa).compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
        Some(result.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_increment_of_many_threads_counts() {
        let mut map = Bus::builder();
        map.ram("ram", 0x1000, 0x1000);
        map.rom("rom", 0x2000, 0x1000);
        let bus = Arc::new(map.build().expect("a map"));
        let add = |bus: Arc<Bus>| {
            let memory = Tables(bus);
            let mut done = 0;
            while done < 10_000 {
                let old = memory.read(0x1ff8).expect("memory");
                done += u32::from(memory.exchange(0x1ff8, old, old + 1) == Some(true));
            }
        };
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let bus = bus.clone();
                std::thread::spawn(move || add(bus))
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().expect("no panic"));
        assert_eq!(bus.read(0x1ff8, 8), Ok(40_000));
        let memory = Tables(bus);
        assert_eq!((memory.exchange(0x2000, 0, 1), memory.read(0x3000)), (None, None));
    }
}
