//! From rows to devices on a bus.

use std::sync::Arc;

use super::{Board, Row, What};
use crate::bus::{Bus, MapError, PAGE, Ram};
use crate::chardev::Port;
use crate::clock::Clock;
use crate::devices::virtio::{Kind, Slot};
use crate::devices::{
    Device, clint::Clint, goldfish_rtc::GoldfishRtc, ns16550::Ns16550, plic::Plic, syscon::Syscon,
};
use crate::event_loop::Handle;
use crate::irq::{CpuLines, Inputs, Line};
use crate::power::Power;

/// What a board's devices are wired to.
pub struct Wiring {
    /// Bytes of memory.
    pub ram_size: u64,
    /// Interrupt lines of each processor.
    pub cpus: Vec<Arc<CpuLines>>,
    /// The machine's clock.
    pub clock: Arc<Clock>,
    /// The event loop.
    pub events: Handle,
    /// Takes power off and reset.
    pub power: Arc<dyn Power>,
    /// Serial ports in order; a board has nothing at a port that is not given.
    pub serial: Vec<Option<Arc<Port>>>,
    /// Virtio devices, the place of each, or any.
    pub virtio: Vec<(Arc<dyn Kind>, Option<u32>)>,
}

/// The parts of a machine beside its processors.
pub struct Parts {
    /// The address space.
    pub bus: Bus,
    /// Every device, for reset and saving, in the order of the rows.
    pub devices: Vec<(String, Arc<dyn Device>)>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.bus.tree())
    }
}

/// Why a board cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The address space.
    #[error(transparent)]
    Map(#[from] MapError),
    /// More virtio devices than places.
    #[error("board '{0}' has no place for {1} virtio devices")]
    Virtio(&'static str, usize),
    /// A place that does not exist or is taken.
    #[error("virtio-mmio-bus.{0} does not exist or is taken")]
    Place(u32),
}

/// Makes a board's devices and its bus.
pub fn assemble(board: &Board, wiring: Wiring) -> Result<Parts, AssembleError> {
    let mut bus = Bus::builder();
    bus.ram("ram", board.ram, wiring.ram_size.next_multiple_of(PAGE));
    for row in board.rows.iter().filter(|r| r.what == What::ResetRom) {
        bus.rom("reset-rom", row.base, row.size);
    }
    let ram = bus.allocate()?;
    let plic = board.rows.iter().find_map(|r| match r.what {
        What::Plic { sources } => Some(Plic::new(sources, wiring.cpus.clone())),
        _ => None,
    });
    let mut places = places(board, &wiring)?;
    let mut serial = wiring.serial.iter();
    let mut devices: Vec<(String, Arc<dyn Device>)> = Vec::new();
    for (row, n) in board.rows.iter().flat_map(|r| (0..r.count).map(move |n| (r, n))) {
        let line = || match &plic {
            Some(plic) if row.irq != 0 => Line::new(plic.clone() as Arc<dyn Inputs>, row.irq + n),
            _ => Line::unconnected(),
        };
        let base = row.base + u64::from(n) * row.size;
        let mut put = |name: &str, mmio: Arc<dyn crate::devices::MmioDevice>| {
            bus.device(name, base, row.size, mmio.clone());
            devices.push((format!("{name}@{base:x}"), mmio));
        };
        match row.what {
            What::ResetRom => {}
            What::Syscon => put("syscon", Syscon::new(wiring.power.clone())),
            What::GoldfishRtc => {
                put("goldfish_rtc", GoldfishRtc::new(line(), wiring.clock.clone(), &wiring.events));
            }
            What::Clint => {
                let (cpus, clock) = (wiring.cpus.clone(), wiring.clock.clone());
                put("clint", Clint::new(cpus, clock, &wiring.events));
            }
            What::Plic { .. } => {
                if let Some(plic) = plic.clone() {
                    put("plic", plic);
                }
            }
            What::Ns16550 { .. } => {
                if let Some(Some(port)) = serial.next() {
                    put("serial", Ns16550::new(line(), port.clone()));
                }
            }
            What::Virtio => put("virtio-mmio", virtio(&ram, line(), places.get_mut(n as usize))),
        }
    }
    Ok(Parts { bus: bus.build()?, devices })
}

fn virtio(ram: &Arc<Ram>, line: Line, place: Option<&mut Option<Arc<dyn Kind>>>) -> Arc<Slot> {
    Slot::new(line, ram.clone(), place.and_then(Option::take))
}

/// Which virtio device sits where: where it asks to be, else at the last free place, as on QEMU's boards.
fn places(board: &Board, wiring: &Wiring) -> Result<Vec<Option<Arc<dyn Kind>>>, AssembleError> {
    let is_virtio = |r: &&Row| r.what == What::Virtio;
    let count = board.rows.iter().find(is_virtio).map_or(0, |r| r.count as usize);
    let mut places: Vec<Option<Arc<dyn Kind>>> = vec![None; count];
    for (kind, wanted) in &wiring.virtio {
        if let Some(wanted) = *wanted {
            let place = places.get_mut(wanted as usize).filter(|p| p.is_none());
            *place.ok_or(AssembleError::Place(wanted))? = Some(kind.clone());
        }
    }
    for (kind, _) in wiring.virtio.iter().filter(|v| v.1.is_none()) {
        let free = places.iter_mut().rev().find(|p| p.is_none());
        let full = AssembleError::Virtio(board.name, wiring.virtio.len());
        *free.ok_or(full)? = Some(kind.clone());
    }
    Ok(places)
}
