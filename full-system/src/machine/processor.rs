//! What a machine and its monitor want of processors.

use std::ops::Range;
use std::sync::Arc;

use remu_isa::{DebugPlace, Debugged, FirmwareAnswer, FirmwareCall};

use crate::boards::fdt;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::gdb::Points;
use crate::irq::{CpuLines, PrivateInputs};
use crate::power::Power;

/// One processor, with a thread of its own. It is made paused.
pub trait Processor: Send + Sync {
    /// Runs, or goes on.
    fn resume(&self);
    /// Stops. When this returns, no guest code runs on it.
    fn pause(&self);
    /// Back to the state after power-on. Called while paused.
    fn reset(&self);
    /// Starts it, if it is off, as firmware would: [`remu_isa::System::start`]. Whether it was off.
    /// Any thread may call this at any time.
    fn start(&self, entry: u64, argument: u64) -> bool {
        let _ = (entry, argument);
        false
    }
    /// Whether it is off and waits for [`Processor::start`].
    fn is_off(&self) -> bool {
        false
    }
    /// Ends its thread.
    fn quit(&self);
    /// Its registers as text, for `info registers`. Called while paused.
    fn dump(&self) -> String;
    /// How debuggers handle it, if they can.
    fn debuggee(&self) -> Option<&dyn Debuggee> {
        None
    }
}

/// A processor in a debugger's hands. Everything here is called while it is paused.
pub trait Debuggee {
    /// What debuggers are told of it.
    fn describe(&self) -> Debugged;
    /// The bytes of registers; `None` for one that is not there.
    fn registers(&self, places: Vec<DebugPlace>) -> Vec<Option<Vec<u8>>>;
    /// Sets a register; whether that is possible.
    fn set_register(&self, place: DebugPlace, bytes: Vec<u8>) -> bool;
    /// Bytes at a guest address as the processor sees it, whatever its rights; fewer where nothing is.
    fn read(&self, va: u64, len: usize) -> Vec<u8>;
    /// Writes there, also to memory that the guest may not write.
    fn write(&self, va: u64, bytes: Vec<u8>) -> bool;
    /// Has it stop after one instruction when it goes on, and not before it is outside of the range; `None`: run.
    fn step(&self, range: Option<Range<u64>>);
    /// Forgets translated code at a guest address, for all processors: breakpoints there have changed.
    fn forget_code(&self, va: u64);
    /// Forgets where guest addresses are: watchpoints have changed.
    fn forget_pages(&self);
}

/// Firmware that the machine plays (PSCI of Arm).
pub trait Firmware: Send + Sync {
    /// A call by processor number `cpu`, on its thread.
    fn call(&self, cpu: usize, call: FirmwareCall) -> FirmwareAnswer;
}

/// What processors are wired to.
#[derive(Clone)]
pub struct Hardware {
    /// The address space.
    pub bus: Arc<Bus>,
    /// The machine's clock.
    pub clock: Arc<Clock>,
    /// Takes power off and reset, as firmware interfaces of the processor ask for them.
    pub power: Arc<dyn Power>,
    /// Interrupt lines; as many processors as there are of these are made.
    pub lines: Vec<Arc<CpuLines>>,
    /// What the processors' own timers and system registers of an interrupt controller end in.
    pub private: Option<Arc<dyn PrivateInputs>>,
    /// What they can call.
    pub firmware: Option<Arc<dyn Firmware>>,
    /// All but the first one are off after reset.
    pub first_only: bool,
    /// Where they start after reset.
    pub reset: u64,
    /// What a debugger looks for.
    pub points: Arc<Points>,
    /// `-one-insn-per-tb`.
    pub one_insn: bool,
}

/// A processor model that `-cpu` has chosen.
pub trait Model {
    /// What the device tree says of so many of them.
    fn tree(&self, cpus: u32) -> fdt::Cpu;
    /// Makes the processors.
    ///
    /// # Errors
    /// A sentence.
    fn start(&self, hardware: Hardware) -> Result<Vec<Arc<dyn Processor>>, String>;
}

/// The model of this name, `NAME[,feature=on|off]*`; the guest's default for none.
///
/// # Errors
/// A sentence naming what does not exist.
pub fn model(guest: &str, name: Option<&str>) -> Result<Box<dyn Model>, String> {
    crate::vcpu::model(guest, name)
}
