//! Power state coordination: the firmware of Arm machines that switches processors on and off. Arm DEN 0022, version
//! 1.1 of the interface.

use std::sync::{Arc, OnceLock};

use remu_isa::{Conduit, FirmwareAnswer, FirmwareCall};

use super::{Firmware, Processor};
use crate::power::Power;

/// Functions. Those with bit 30 take arguments of 64 bits, and are the same otherwise.
mod function {
    pub(super) const VERSION: u32 = 0x8400_0000;
    pub(super) const CPU_SUSPEND: u32 = 0x8400_0001;
    pub(super) const CPU_OFF: u32 = 0x8400_0002;
    pub(super) const CPU_ON: u32 = 0x8400_0003;
    pub(super) const AFFINITY_INFO: u32 = 0x8400_0004;
    pub(super) const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
    pub(super) const SYSTEM_OFF: u32 = 0x8400_0008;
    pub(super) const SYSTEM_RESET: u32 = 0x8400_0009;
    pub(super) const FEATURES: u32 = 0x8400_000a;
    /// Those that exist with arguments of 64 bits as well.
    pub(super) const WIDE: [u32; 3] = [CPU_SUSPEND, CPU_ON, AFFINITY_INFO];
    /// Bit of a function with such arguments.
    pub(super) const WIDE_BIT: u32 = 1 << 30;
    pub(super) const ALL: [u32; 9] = [
        VERSION,
        CPU_SUSPEND,
        CPU_OFF,
        CPU_ON,
        AFFINITY_INFO,
        MIGRATE_INFO_TYPE,
        SYSTEM_OFF,
        SYSTEM_RESET,
        FEATURES,
    ];
}

/// What is returned.
mod answer {
    pub(super) const SUCCESS: i64 = 0;
    pub(super) const NOT_SUPPORTED: i64 = -1;
    pub(super) const INVALID_PARAMETERS: i64 = -2;
    pub(super) const ALREADY_ON: i64 = -4;
    /// States of `AFFINITY_INFO`.
    pub(super) const ON: i64 = 0;
    pub(super) const OFF: i64 = 1;
    /// There is no trusted system that would have to be moved.
    pub(super) const NO_MIGRATION: i64 = 2;
}

/// Version 1.1.
const VERSION: i64 = 1 << 16 | 1;

/// The firmware.
pub struct Psci {
    power: Arc<dyn Power>,
    /// What each processor is called.
    affinities: Vec<u64>,
    cpus: OnceLock<Vec<Arc<dyn Processor>>>,
}

impl Psci {
    /// Firmware for processors of these affinities, which [`Psci::connect`] names later.
    pub fn new(power: Arc<dyn Power>, affinities: Vec<u64>) -> Arc<Psci> {
        Arc::new(Psci { power, affinities, cpus: OnceLock::new() })
    }

    /// Sets whose firmware it is. Once, before they run.
    pub fn connect(&self, cpus: &[Arc<dyn Processor>]) {
        let _ = self.cpus.set(cpus.to_vec());
    }

    /// The processor of an affinity.
    fn find(&self, affinity: u64) -> Option<&Arc<dyn Processor>> {
        let at = self.affinities.iter().position(|&a| a == affinity)?;
        self.cpus.get()?.get(at)
    }
}

impl Firmware for Psci {
    fn call(&self, _cpu: usize, call: FirmwareCall) -> FirmwareAnswer {
        if call.conduit != Conduit::Hvc {
            return FirmwareAnswer::None;
        }
        let wide = call.function & function::WIDE_BIT != 0;
        let plain = call.function & !function::WIDE_BIT;
        let exists = |plain, wide| {
            let list: &[u32] = if wide { &function::WIDE } else { &function::ALL };
            list.contains(&plain)
        };
        let [first, second, third] = call.args;
        let value = match plain {
            _ if !exists(plain, wide) => answer::NOT_SUPPORTED,
            function::VERSION => VERSION,
            function::CPU_SUSPEND => return FirmwareAnswer::Wait,
            function::CPU_OFF => return FirmwareAnswer::Off,
            function::CPU_ON => match self.find(first) {
                None => answer::INVALID_PARAMETERS,
                Some(cpu) if cpu.start(second, third) => answer::SUCCESS,
                Some(_) => answer::ALREADY_ON,
            },
            function::AFFINITY_INFO => match self.find(first) {
                // No level above that of processors has a state of its own.
                None => answer::INVALID_PARAMETERS,
                Some(_) if second != 0 => answer::INVALID_PARAMETERS,
                Some(cpu) if cpu.is_off() => answer::OFF,
                Some(_) => answer::ON,
            },
            function::MIGRATE_INFO_TYPE => answer::NO_MIGRATION,
            function::SYSTEM_OFF => {
                self.power.off(0);
                return FirmwareAnswer::Off;
            }
            function::SYSTEM_RESET => {
                self.power.reset();
                return FirmwareAnswer::Off;
            }
            function::FEATURES => {
                let asked = first as u32;
                let wide = asked & function::WIDE_BIT != 0;
                let there = exists(asked & !function::WIDE_BIT, wide);
                if there { answer::SUCCESS } else { answer::NOT_SUPPORTED }
            }
            _ => answer::NOT_SUPPORTED,
        };
        FirmwareAnswer::Return(value as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A processor that is off until it is started.
    #[derive(Default)]
    struct Cpu(Mutex<Option<(u64, u64)>>);

    impl Processor for Cpu {
        fn resume(&self) {}
        fn pause(&self) {}
        fn reset(&self) {}
        fn start(&self, entry: u64, argument: u64) -> bool {
            let mut at = self.0.lock().expect("not poisoned");
            let was_off = at.is_none();
            at.get_or_insert((entry, argument));
            was_off
        }
        fn is_off(&self) -> bool {
            self.0.lock().expect("not poisoned").is_none()
        }
        fn quit(&self) {}
        fn dump(&self) -> String {
            String::new()
        }
    }

    #[derive(Default)]
    struct Asked(Mutex<Vec<&'static str>>);

    impl Power for Asked {
        fn off(&self, _: i32) {
            self.0.lock().expect("not poisoned").push("off");
        }
        fn reset(&self) {
            self.0.lock().expect("not poisoned").push("reset");
        }
    }

    fn call(psci: &Psci, function: u32, args: [u64; 3]) -> FirmwareAnswer {
        psci.call(0, FirmwareCall { conduit: Conduit::Hvc, function, args })
    }

    #[test]
    fn processors_are_started_once() {
        let psci = Psci::new(Arc::new(Asked::default()), vec![0, 0x100]);
        let cpus = [Arc::new(Cpu::default()), Arc::new(Cpu::default())];
        let dynamic: Vec<Arc<dyn Processor>> = cpus.iter().map(|c| c.clone() as _).collect();
        psci.connect(&dynamic);
        let returned = |function, args| match call(&psci, function, args) {
            FirmwareAnswer::Return(v) => v as i64,
            other => panic!("{other:?}"),
        };
        assert_eq!(returned(0x8400_0000, [0; 3]), 0x1_0001);
        assert_eq!(returned(0xc400_0004, [0x100, 0, 0]), 1);
        assert_eq!(returned(0xc400_0003, [0x100, 0x4000_0000, 7]), 0);
        assert_eq!(*cpus[1].0.lock().expect("not poisoned"), Some((0x4000_0000, 7)));
        assert_eq!(returned(0xc400_0003, [0x100, 0, 0]), -4);
        assert_eq!(returned(0xc400_0003, [2, 0, 0]), -2);
        assert_eq!(returned(0x8400_0004, [0x100, 0, 0]), 0);
        assert_eq!(returned(0x8400_000a, [0xc400_0003, 0, 0]), 0);
        assert_eq!(returned(0x8400_000a, [0xc400_0002, 0, 0]), -1);
        assert_eq!(returned(0x8000_0000, [0; 3]), -1);
        let call = FirmwareCall { conduit: Conduit::Smc, function: 0x8400_0000, args: [0; 3] };
        assert_eq!(psci.call(0, call), FirmwareAnswer::None);
    }

    #[test]
    fn the_machine_is_switched_off_and_reset() {
        let asked = Arc::new(Asked::default());
        let psci = Psci::new(asked.clone(), vec![0]);
        assert_eq!(call(&psci, 0x8400_0009, [0; 3]), FirmwareAnswer::Off);
        assert_eq!(call(&psci, 0x8400_0008, [0; 3]), FirmwareAnswer::Off);
        assert_eq!(*asked.0.lock().expect("not poisoned"), ["reset", "off"]);
        assert_eq!(call(&psci, 0x8400_0002, [0; 3]), FirmwareAnswer::Off);
        assert_eq!(call(&psci, 0xc400_0001, [0; 3]), FirmwareAnswer::Wait);
    }
}
