//! From rows to devices on a bus.

use std::sync::Arc;

use super::{Row, Setup, What};
use crate::bus::{Bus, MapError, Mmio, PAGE, Ram};
use crate::chardev::Port;
use crate::clock::Clock;
use crate::devices::cfi_flash::CfiFlash;
use crate::devices::fw_cfg::{FwCfg, Item};
use crate::devices::gicv2::Gicv2;
use crate::devices::gicv3::{Gicv3, Target};
use crate::devices::virtio::{Kind, Slot};
use crate::devices::{
    Device, clint::Clint, goldfish_rtc::GoldfishRtc, ns16550::Ns16550, pl011::Pl011, pl031::Pl031,
    pl061::Pl061, plic::Plic, syscon::Syscon,
};
use crate::event_loop::Handle;
use crate::irq::{CpuLines, Inputs, Line, PrivateInputs};
use crate::power::{Button, Power};

/// What a board's devices are wired to.
pub struct Wiring {
    /// Interrupt lines of each processor.
    pub cpus: Vec<Arc<CpuLines>>,
    /// What each processor is called ([`super::fdt::Cpu::numbers`]).
    pub numbers: Vec<u64>,
    /// The machine's clock.
    pub clock: Arc<Clock>,
    /// The event loop.
    pub events: Handle,
    /// Takes power off and reset.
    pub power: Arc<dyn Power>,
    /// Serial ports in order; a board has nothing at a port that is not given.
    pub serial: Vec<Option<Arc<Port>>>,
    /// Image of the flash that can be programmed, and whether it is only read.
    pub flash: Option<(std::fs::File, bool)>,
    /// Items of the firmware configuration device.
    pub items: Vec<Item>,
    /// Virtio devices, the place of each, or any.
    pub virtio: Vec<(Arc<dyn Kind>, Option<u32>)>,
}

/// The parts of a machine beside its processors.
pub struct Parts {
    /// The address space.
    pub bus: Bus,
    /// Every device, for reset and saving, in the order of the rows.
    pub devices: Vec<(String, Arc<dyn Device>)>,
    /// What the processors' own timers end in, and system registers of the interrupt controller are.
    pub private: Option<Arc<dyn PrivateInputs>>,
    /// The power button.
    pub button: Option<Arc<dyn Button>>,
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
    /// The image of the flash.
    #[error("the flash image cannot be used: {0}")]
    Flash(std::io::Error),
    /// A place that does not exist or is taken.
    #[error("virtio-mmio-bus.{0} does not exist or is taken")]
    Place(u32),
}

/// The interrupt controller that devices' lines end in.
enum Controller {
    Plic(Arc<Plic>),
    Gicv2(Arc<Gicv2>),
    Gicv3(Arc<Gicv3>),
}

impl Controller {
    fn new(setup: &Setup, wiring: &Wiring) -> Option<Controller> {
        let cpus = wiring.cpus.clone();
        setup.rows().find_map(|r| match r.what {
            What::Plic { sources } => Some(Controller::Plic(Plic::new(sources, cpus.clone()))),
            What::GicDistributor { shared } if setup.gic == 2 => {
                Some(Controller::Gicv2(Gicv2::new(shared, cpus.clone())))
            }
            What::GicDistributor { shared } => {
                let both = cpus.iter().zip(&wiring.numbers);
                let target = |(lines, &affinity): (&Arc<CpuLines>, &u64)| Target {
                    lines: lines.clone(),
                    affinity,
                };
                Some(Controller::Gicv3(Gicv3::new(shared, both.map(target).collect())))
            }
            _ => None,
        })
    }

    fn inputs(&self) -> Arc<dyn Inputs> {
        match self {
            Controller::Plic(c) => c.clone(),
            Controller::Gicv2(c) => c.clone(),
            Controller::Gicv3(c) => c.clone(),
        }
    }

    fn private(&self) -> Option<Arc<dyn PrivateInputs>> {
        match self {
            Controller::Plic(_) => None,
            Controller::Gicv2(c) => Some(c.clone()),
            Controller::Gicv3(c) => Some(c.clone()),
        }
    }

    fn device(&self) -> (&'static str, Arc<dyn Device>) {
        match self {
            Controller::Plic(c) => ("plic", c.clone()),
            Controller::Gicv2(c) => ("gicv2", c.clone()),
            Controller::Gicv3(c) => ("gicv3", c.clone()),
        }
    }

    /// The registers of one of its rows.
    fn registers(&self, what: What) -> Option<(&'static str, Arc<dyn Mmio>)> {
        match (self, what) {
            (Controller::Plic(c), What::Plic { .. }) => Some(("plic", c.clone())),
            (Controller::Gicv2(c), What::GicDistributor { .. }) => {
                Some(("gicv2_dist", c.distributor()))
            }
            (Controller::Gicv2(c), What::GicInterfaces) => Some(("gicv2_cpu", c.interfaces())),
            (Controller::Gicv3(c), What::GicDistributor { .. }) => {
                Some(("gicv3_dist", c.distributor()))
            }
            (Controller::Gicv3(c), What::GicRedistributors) => {
                Some(("gicv3_redist", c.redistributors()))
            }
            _ => None,
        }
    }
}

/// Makes a board's devices and its bus.
pub fn assemble(setup: &Setup, mut wiring: Wiring) -> Result<Parts, AssembleError> {
    let mut bus = Bus::builder();
    bus.ram("ram", setup.board.ram, setup.ram.next_multiple_of(PAGE));
    for row in setup.rows() {
        match row.what {
            What::ResetRom => bus.rom("reset-rom", row.base, row.size),
            What::FirmwareFlash => bus.rom("flash0", row.base, row.size),
            _ => {}
        }
    }
    let ram = bus.allocate()?;
    let controller = Controller::new(setup, &wiring);
    let inputs = controller.as_ref().map(Controller::inputs);
    let mut places = places(setup.board, &wiring)?;
    let mut serial = wiring.serial.iter();
    let mut button: Option<Arc<dyn Button>> = None;
    let mut devices: Vec<(String, Arc<dyn Device>)> = Vec::new();
    for (row, n) in setup.rows().flat_map(|r| (0..r.count).map(move |n| (r, n))) {
        let line = || match &inputs {
            Some(inputs) if row.irq != 0 => Line::new(inputs.clone(), row.irq + n),
            _ => Line::unconnected(),
        };
        let base = row.base + u64::from(n) * row.size;
        let mut put = |name: &str, mmio: Arc<dyn crate::devices::MmioDevice>| {
            bus.device(name, base, row.size, mmio.clone());
            devices.push((format!("{name}@{base:x}"), mmio));
        };
        match row.what {
            What::ResetRom | What::FirmwareFlash => {}
            What::Flash => {
                let flash = CfiFlash::new(row.size as usize, wiring.flash.take());
                put("flash1", flash.map_err(AssembleError::Flash)?);
            }
            What::FwCfg => {
                put("fw_cfg", FwCfg::new(std::mem::take(&mut wiring.items), ram.clone()))
            }
            What::Syscon => put("syscon", Syscon::new(wiring.power.clone())),
            What::GoldfishRtc => {
                put("goldfish_rtc", GoldfishRtc::new(line(), wiring.clock.clone(), &wiring.events));
            }
            What::Clint => {
                let (cpus, clock) = (wiring.cpus.clone(), wiring.clock.clone());
                put("clint", Clint::new(cpus, clock, &wiring.events));
            }
            What::Plic { .. }
            | What::GicDistributor { .. }
            | What::GicInterfaces
            | What::GicRedistributors => {
                let controller = controller.as_ref();
                if let Some((name, registers)) = controller.and_then(|c| c.registers(row.what)) {
                    bus.device(name, base, row.size, registers);
                }
            }
            What::Ns16550 { .. } => {
                if let Some(Some(port)) = serial.next() {
                    put("serial", Ns16550::new(line(), port.clone()));
                }
            }
            What::Pl011 => {
                if let Some(Some(port)) = serial.next() {
                    put("pl011", Pl011::new(line(), port.clone()));
                }
            }
            What::Pl031 => put("pl031", Pl031::new(line(), wiring.clock.clone(), &wiring.events)),
            What::Pl061 => {
                let gpio = Pl061::new(line(), wiring.clock.clone(), &wiring.events);
                button = Some(gpio.clone());
                put("pl061", gpio);
            }
            What::Virtio => put("virtio-mmio", virtio(&ram, line(), places.get_mut(n as usize))),
        }
    }
    // The last: what the others do to their lines at a reset is forgotten with it.
    if let Some((name, device)) = controller.as_ref().map(Controller::device) {
        devices.push((name.to_string(), device));
    }
    let private = controller.as_ref().and_then(Controller::private);
    Ok(Parts { bus: bus.build()?, devices, private, button })
}

fn virtio(ram: &Arc<Ram>, line: Line, place: Option<&mut Option<Arc<dyn Kind>>>) -> Arc<Slot> {
    Slot::new(line, ram.clone(), place.and_then(Option::take))
}

/// Which virtio device sits where: where it asks to be, else at the last free place, as on QEMU's boards.
fn places(
    board: &super::Board,
    wiring: &Wiring,
) -> Result<Vec<Option<Arc<dyn Kind>>>, AssembleError> {
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
