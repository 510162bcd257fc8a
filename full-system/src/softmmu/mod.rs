//! A processor's way from guest addresses to memory and devices, where the TLB of translated code
//! does not help: page walks, filling the TLB, accesses to devices.

mod amo;
mod host;

use std::sync::Arc;

use remu_engine::{Access, AccessKind, CodeSource, Core, Mmu, Page, Refused, Served};
use remu_isa::{Flush, Intent, Key, Mapping, System, Trap};
use vm_memory::{Bytes, GuestAddress};

pub use self::host::Tables;
use crate::bus::{Bus, BusError, PAGE};
use crate::gdb::{Points, Touched};

/// Guest pages remembered for fetches.
const FETCHES: usize = 256;

/// Where instructions of a guest page come from.
#[derive(Clone, Copy, Default)]
struct Fetch {
    /// The page's number and one; 0 for none.
    page: u64,
    key: Key,
    physical: u64,
}

/// The way of one processor.
pub struct SoftMmu {
    system: Arc<dyn System>,
    bus: Arc<Bus>,
    tables: Tables,
    /// Instructions lie at multiples of this.
    align: u64,
    fetches: Box<[Fetch; FETCHES]>,
    /// Guest addresses of mappings larger than a page: of the lower and the upper half.
    large: [Option<(u64, u64)>; 2],
    trap: Option<Trap>,
    points: Arc<Points>,
    /// Whether watchpoints are looked for.
    watching: bool,
    /// The access that was refused because of watchpoints.
    touched: Option<Touched>,
}

/// What has to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forget {
    /// Nothing.
    Nothing,
    /// The TLB's entries for one page.
    Page(u64),
    /// All, and what code was fetched from.
    All,
}

impl SoftMmu {
    /// A way to what is on the bus.
    pub fn new(system: Arc<dyn System>, bus: Arc<Bus>, align: u64, points: Arc<Points>) -> SoftMmu {
        let fetches = Box::new([Fetch::default(); FETCHES]);
        let tables = Tables(bus.clone());
        SoftMmu {
            system,
            bus,
            tables,
            align,
            fetches,
            large: [None; 2],
            trap: None,
            points,
            watching: true,
            touched: None,
        }
    }

    /// Takes the access that was refused because its page has watchpoints.
    pub fn take_touched(&mut self) -> Option<Touched> {
        self.touched.take()
    }

    /// Refuses accesses to pages with watchpoints, or lets them through.
    pub fn set_watching(&mut self, watching: bool) {
        self.watching = watching;
    }

    /// Takes the exception that an access was refused with.
    pub fn take_trap(&mut self) -> Option<Trap> {
        self.trap.take()
    }

    /// Forgets translations here; what the TLB has to forget.
    pub fn flush(&mut self, flush: Flush) -> Forget {
        match flush {
            Flush::None => Forget::Nothing,
            Flush::Page(va) if !self.is_large(va) && !self.is_fetched(va) => Forget::Page(va),
            // Whoever calls takes the pages of small ranges one by one.
            Flush::Page(_) | Flush::Range(..) | Flush::All => {
                self.fetches.fill(Fetch::default());
                self.large = [None; 2];
                Forget::All
            }
        }
    }

    fn is_large(&self, va: u64) -> bool {
        let va = without_tag(va);
        self.large[(va >> 63) as usize].is_some_and(|(from, to)| (from..=to).contains(&va))
    }

    fn is_fetched(&self, va: u64) -> bool {
        let page = va / PAGE;
        self.fetches[page as usize % FETCHES].page == page + 1
    }

    fn note_span(&mut self, va: u64, span: u64) {
        if span <= PAGE {
            return;
        }
        let va = without_tag(va);
        let (from, to) = (va & !(span - 1), va | (span - 1));
        let range = &mut self.large[(va >> 63) as usize];
        *range = Some(range.map_or((from, to), |(f, t)| (f.min(from), t.max(to))));
    }

    fn refuse(&mut self, trap: Trap) -> Refused {
        self.trap = Some(trap);
        Refused
    }

    fn translate(
        &mut self,
        core: &mut Core<'_>,
        va: u64,
        bytes: u64,
        intent: Intent,
        tlb: u8,
    ) -> Result<Mapping, Refused> {
        let found = self.system.translate(core.state(), &self.tables, va, bytes, intent, tlb);
        match found {
            Ok(m) => {
                self.note_span(va, m.span);
                Ok(m)
            }
            Err(trap) => {
                log::trace!(
                    target: "mmu",
                    "no way to {va:#x} ({bytes} bytes, {intent:?}): cause {:#x}",
                    trap.cause
                );
                Err(self.refuse(trap))
            }
        }
    }

    /// Carries an access out on bytes at `places`, pairs of a physical address and how many bytes are
    /// there. Not in one step: nobody may rely on that for devices or beyond a page.
    fn by_bus(
        &self,
        places: &[(u64, u64)],
        access: Access,
        operands: [u128; 2],
    ) -> Result<u128, BusError> {
        let reads = access.kind != AccessKind::Store;
        let old = if reads { self.read(places)? } else { 0 };
        if let Some(new) = amo::new_value(access, old, operands) {
            self.write(places, new)?;
        }
        Ok(old)
    }

    fn read(&self, places: &[(u64, u64)]) -> Result<u128, BusError> {
        let (mut value, mut shift) = (0, 0);
        for (pa, bytes) in parts(places) {
            value |= u128::from(self.bus.read(pa, bytes)?) << shift;
            shift += 8 * u32::from(bytes);
        }
        Ok(value)
    }

    fn write(&self, places: &[(u64, u64)], mut value: u128) -> Result<(), BusError> {
        for (pa, bytes) in parts(places) {
            self.bus.write(pa, bytes, value as u64)?;
            value >>= 8 * u32::from(bytes);
        }
        Ok(())
    }
}

/// An address as all of those have it that differ in the top byte: some processors ignore that.
fn without_tag(va: u64) -> u64 {
    ((va << 8) as i64 >> 8) as u64
}

/// The accesses that reach given places: whole ones where the size allows that, else single bytes.
fn parts(places: &[(u64, u64)]) -> impl Iterator<Item = (u64, u8)> {
    places.iter().flat_map(|&(pa, bytes)| {
        let step = match bytes {
            1 | 2 | 4 | 8 => bytes,
            16 => 8,
            _ => 1,
        };
        (0..bytes).step_by(step as usize).map(move |at| (pa + at, step as u8))
    })
}

impl Mmu for SoftMmu {
    fn access(
        &mut self,
        core: &mut Core<'_>,
        addr: u64,
        access: Access,
        operands: [u128; 2],
    ) -> Result<Served, Refused> {
        let bytes = u64::from(access.mem.bytes());
        let intent = if access.kind.writes() { Intent::Write } else { Intent::Read };
        if access.mem.aligned && addr & (bytes - 1) != 0 {
            let trap = self.system.misaligned(addr, intent);
            return Err(self.refuse(trap));
        }
        let here = bytes.min(PAGE - addr % PAGE);
        let first = self.translate(core, addr, here, intent, access.tlb)?;
        if self.watching {
            let reads = access.kind != AccessKind::Store;
            self.touched = self.points.touch(addr, bytes, reads, access.kind.writes());
            if self.touched.is_some() {
                return Err(Refused);
            }
        }
        let mut places = [(first.pa, here), (0, 0)];
        if here < bytes {
            let next = addr.wrapping_add(here);
            let second = self.translate(core, next, bytes - here, intent, access.tlb)?;
            places[1] = (second.pa, bytes - here);
        } else if let Some(ram) = self.bus.ram_page(first.pa)
            && first.whole
            && (intent == Intent::Read || ram.writable)
        {
            if intent == Intent::Write {
                core.will_write(first.pa);
            }
            let write = first.write && ram.writable;
            let page = Page { va: addr, pa: first.pa, host: ram.host, read: first.read, write };
            core.fill(access.tlb, page);
            return Ok(Served::Filled);
        }
        match self.by_bus(&places, access, operands) {
            Ok(v) => Ok(Served::Done(v)),
            Err(error) => {
                log::debug!(target: "guest_errors", "{error}");
                let trap = self.system.bus_error(addr, intent);
                Err(self.refuse(trap))
            }
        }
    }

    fn fetch(&mut self, core: &mut Core<'_>, addr: u64, key: Key) -> Result<u64, Refused> {
        if addr & (self.align - 1) != 0 {
            let trap = self.system.misaligned(addr, Intent::Execute);
            return Err(self.refuse(trap));
        }
        let page = addr / PAGE;
        let slot = page as usize % FETCHES;
        let known = self.fetches[slot];
        if known.page == page + 1 && known.key == key {
            return Ok(known.physical);
        }
        let bytes = 4.min(PAGE - addr % PAGE);
        let m = self.translate(core, addr, bytes, Intent::Execute, 0)?;
        if self.bus.ram_page(m.pa).is_none() {
            let trap = self.system.bus_error(addr, Intent::Execute);
            return Err(self.refuse(trap));
        }
        let physical = m.pa / PAGE;
        self.fetches[slot] = Fetch { page: page + 1, key, physical };
        Ok(physical)
    }
}

/// The machine's memory as the translator reads code from it.
pub(crate) struct Code(pub(crate) Arc<Bus>, pub(crate) Arc<Points>);

impl CodeSource for Code {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        match self.0.ram().read_slice(buf, GuestAddress(addr)) {
            Ok(()) => buf.len(),
            // Memory that ends inside the page does not exist.
            Err(_) => 0,
        }
    }
    fn lay_over(&self, va: u64, code: &mut [u8]) {
        self.1.lay_over(va, code);
    }
    fn translating(&self, pa: u64) {
        self.0.watch_code(pa);
    }
}
