//! Programs without an operating system against what the privileged manual says of them.
//!
//! They are assembled with the cross compiler; without one the tests say so, and fail under `CI=true`.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use remu_isa::{FirmwareAnswer, FirmwareCall};

use super::model;
use crate::bus::{Bus, Mmio};
use crate::clock::Clock;
use crate::irq::{CpuLines, PrivateInputs};
use crate::machine::{Firmware, Hardware, Processor};
use crate::power::Power;

mod aarch64;
mod riscv64;

const RAM: u64 = 0x8000_0000;

/// Remembers the words written to it.
#[derive(Default)]
struct Reports(Mutex<Vec<u64>>);

impl Mmio for Reports {
    fn read(&self, _: u64, _: u8) -> u64 {
        0
    }
    fn write(&self, _: u64, _: u8, value: u64) {
        let mut all = self.0.lock().expect("not poisoned");
        // A program that runs wild shall not fill the host's memory.
        if all.len() < 1000 {
            all.push(value);
        }
    }
    fn widest(&self) -> u8 {
        8
    }
}

/// Told that the program is over.
#[derive(Default)]
struct End(Mutex<bool>, Condvar);

impl Mmio for End {
    fn read(&self, _: u64, _: u8) -> u64 {
        0
    }
    fn write(&self, _: u64, _: u8, _: u64) {
        *self.0.lock().expect("not poisoned") = true;
        self.1.notify_all();
    }
    fn widest(&self) -> u8 {
        8
    }
}

struct NoPower;

impl Power for NoPower {
    fn off(&self, _: i32) {}
    fn reset(&self) {}
}

/// Timers whose lines lead straight to a processor's first line.
struct Wires(Vec<Arc<CpuLines>>, Mutex<Vec<u64>>);

impl PrivateInputs for Wires {
    fn set_private(&self, cpu: usize, number: u32, level: bool) {
        let mut all = self.1.lock().expect("not poisoned");
        let high = &mut all[cpu];
        *high = *high & !(1 << number) | u64::from(level) << number;
        self.0[cpu].set(0, *high != 0);
    }
}

/// CPU_ON and CPU_OFF of PSCI, and nothing else.
#[derive(Default)]
struct Psci(Mutex<Vec<Arc<dyn Processor>>>);

impl Firmware for Psci {
    fn call(&self, _: usize, call: FirmwareCall) -> FirmwareAnswer {
        const ALREADY_ON: i64 = -4;
        match call.function {
            0x8400_0002 => FirmwareAnswer::Off,
            0xc400_0003 => {
                let [target, entry, argument] = call.args;
                let cpus = self.0.lock().expect("not poisoned");
                let started = cpus[target as usize].start(entry, argument);
                FirmwareAnswer::Return(if started { 0 } else { ALREADY_ON as u64 })
            }
            _ => FirmwareAnswer::None,
        }
    }
}

/// The code of a guest's program, with symbols defined; `None` without a cross compiler.
fn assemble(guest: &str, name: &str, symbols: &[&str]) -> Option<Vec<u8>> {
    let (gcc, objcopy) = (format!("{guest}-linux-gnu-gcc"), format!("{guest}-linux-gnu-objcopy"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vcpu/programs").join(guest);
    let of = format!("remu-vcpu-{}-{guest}-{name}{}", std::process::id(), symbols.concat());
    let out = std::env::temp_dir().join(of);
    let (object, binary) = (out.with_extension("o"), out.with_extension("bin"));
    let text = ["prelude", name]
        .map(|n| std::fs::read_to_string(folder.join(n).with_extension("s")).expect("a program"));
    let source = out.with_extension("s");
    std::fs::write(&source, text.concat()).expect("written");
    let built = Command::new(&gcc)
        .args([
            "-nostdlib",
            "-static",
            "-Wl,-Ttext=0x80000000",
            "-fno-pic",
            "-no-pie",
            "-Wl,--no-relax",
        ])
        .args(symbols.iter().map(|s| format!("-Wa,--defsym,{s}")))
        .arg("-o")
        .args([&object, &source])
        .status();
    if built.is_err() {
        assert!(std::env::var_os("CI").is_none(), "no {gcc}");
        println!("not tested: there is no {gcc}");
        return None;
    }
    assert!(built.expect("runs").success(), "{name} does not assemble");
    let copied = Command::new(&objcopy)
        .args(["-O", "binary", "-j", ".text"])
        .args([&object, &binary])
        .status();
    assert!(copied.expect("runs").success());
    let code = std::fs::read(&binary).expect("a binary");
    for path in [&source, &object, &binary] {
        std::fs::remove_file(path).expect("removed");
    }
    Some(code)
}

struct Machine {
    cpus: Vec<Arc<dyn Processor>>,
    reports: Arc<Reports>,
    end: Arc<End>,
    psci: Arc<Psci>,
}

impl Machine {
    fn new(guest: &str, code: &[u8], cpus: usize, one_insn: bool) -> Machine {
        let (reports, end) = (Arc::new(Reports::default()), Arc::new(End::default()));
        let mut map = Bus::builder();
        map.ram("ram", RAM, 1 << 20);
        map.device("reports", 0x1000_0000, 0x1000, reports.clone());
        map.device("end", 0x1000_1000, 0x1000, end.clone());
        let bus = Arc::new(map.build().expect("a map"));
        for (n, &byte) in code.iter().enumerate() {
            bus.write(RAM + n as u64, 1, byte.into()).expect("memory");
        }
        let lines: Vec<_> = (0..cpus).map(|_| Arc::new(CpuLines::new())).collect();
        let private = Arc::new(Wires(lines.clone(), Mutex::new(vec![0; cpus])));
        let psci = Arc::new(Psci::default());
        // Processors that know of it wait for firmware.
        let arm = guest == "aarch64";
        let hardware = Hardware {
            bus,
            clock: Arc::new(Clock::new()),
            power: Arc::new(NoPower),
            lines,
            private: Some(private),
            firmware: arm.then(|| psci.clone() as Arc<dyn Firmware>),
            first_only: arm,
            reset: RAM,
            points: Arc::default(),
            one_insn,
        };
        let cpus = model(guest, None).expect("a model").start(hardware).expect("processors");
        psci.0.lock().expect("not poisoned").clone_from(&cpus);
        Machine { cpus, reports, end, psci }
    }
    fn run(&self) -> Vec<u64> {
        self.cpus.iter().for_each(|c| c.resume());
        let over = self.end.0.lock().expect("not poisoned");
        let wait = self.end.1.wait_timeout_while(over, Duration::from_secs(60), |over| !*over);
        let over = *wait.expect("not poisoned").0;
        self.cpus.iter().for_each(|c| c.pause());
        let dump: String = self.cpus.iter().map(|c| c.dump()).collect();
        let reports = std::mem::take(&mut *self.reports.0.lock().expect("not poisoned"));
        assert!(over, "does not end: {reports:x?}\n{dump}");
        reports
    }
}

/// A debugger sees memory as the processor does, and changes also what that may not.
#[test]
fn debuggers_see_guest_addresses() {
    for (guest, symbol) in [("riscv64", "STAY=1"), ("aarch64", "GRAIN=12")] {
        let Some(code) = assemble(guest, "paging", &[symbol]) else { continue };
        let machine = Machine::new(guest, &code, 1, false);
        machine.run();
        let cpu = machine.cpus[0].debuggee().expect("one that debuggers can handle");
        // Page 1 is read-only and page 2 is user mode's; both are the same memory.
        let [at1, at2, none] = [1, 2, 5].map(|n| 0x4000_0000 + n * 0x1000);
        assert_eq!(cpu.read(at1 + 8, 8), 0x1111u64.to_le_bytes(), "{guest}");
        assert!(cpu.write(at1 + 16, vec![7, 6, 5]), "{guest}");
        assert_eq!(cpu.read(at2 + 16, 4), [7, 6, 5, 0], "{guest}");
        assert_eq!(cpu.read(RAM, 16), code[..16], "{guest}");
        assert_eq!((cpu.read(none, 4), cpu.write(none, vec![1])), (vec![], false), "{guest}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cpus.iter().for_each(|c| c.quit());
        self.psci.0.lock().expect("not poisoned").clear();
    }
}
