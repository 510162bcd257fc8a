//! Programs without an operating system against what the privileged manual says of them.
//!
//! They are assembled with the cross compiler; without one the tests say so, and fail under `CI=true`.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::model;
use crate::bus::{Bus, Mmio};
use crate::clock::Clock;
use crate::irq::CpuLines;
use crate::machine::{Hardware, Processor};
use crate::power::Power;

const RAM: u64 = 0x8000_0000;
const GCC: &str = "riscv64-linux-gnu-gcc";
const OBJCOPY: &str = "riscv64-linux-gnu-objcopy";

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

/// The code of a program; `None` without a cross compiler.
fn assemble(name: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vcpu/programs");
    let out = std::env::temp_dir().join(format!("remu-vcpu-{}-{name}", std::process::id()));
    let (object, binary) = (out.with_extension("o"), out.with_extension("bin"));
    let text = ["prelude", name]
        .map(|n| std::fs::read_to_string(folder.join(n).with_extension("s")).expect("a program"));
    let source = out.with_extension("s");
    std::fs::write(&source, text.concat()).expect("written");
    let built = Command::new(GCC)
        .args([
            "-nostdlib",
            "-static",
            "-Wl,-Ttext=0x80000000",
            "-fno-pic",
            "-no-pie",
            "-Wl,--no-relax",
            "-o",
        ])
        .args([&object, &source])
        .status();
    if built.is_err() {
        assert!(std::env::var_os("CI").is_none(), "no {GCC}");
        println!("not tested: there is no {GCC}");
        return None;
    }
    assert!(built.expect("runs").success(), "{name} does not assemble");
    let copied = Command::new(OBJCOPY)
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
}

impl Machine {
    fn new(code: &[u8], cpus: usize, one_insn: bool) -> Machine {
        let (reports, end) = (Arc::new(Reports::default()), Arc::new(End::default()));
        let mut map = Bus::builder();
        map.ram("ram", RAM, 1 << 20);
        map.device("reports", 0x1000_0000, 0x1000, reports.clone());
        map.device("end", 0x1000_1000, 0x1000, end.clone());
        let bus = Arc::new(map.build().expect("a map"));
        for (n, &byte) in code.iter().enumerate() {
            bus.write(RAM + n as u64, 1, byte.into()).expect("memory");
        }
        let hardware = Hardware {
            bus,
            clock: Arc::new(Clock::new()),
            power: Arc::new(NoPower),
            lines: (0..cpus).map(|_| Arc::new(CpuLines::new())).collect(),
            private: None,
            firmware: None,
            first_only: false,
            reset: RAM,
            one_insn,
        };
        let cpus = model("riscv64", None).expect("a model").start(hardware).expect("processors");
        Machine { cpus, reports, end }
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

impl Drop for Machine {
    fn drop(&mut self) {
        self.cpus.iter().for_each(|c| c.quit());
    }
}

/// What a program reports, with regions and with single instructions.
fn check(name: &str, cpus: usize, want: &[u64]) {
    let Some(code) = assemble(name) else { return };
    for one_insn in [false, true] {
        let got = Machine::new(&code, cpus, one_insn).run();
        assert_eq!(got, want, "{name}: {got:x?}, not {want:x?}, one_insn: {one_insn}");
    }
}

const INTERRUPT: u64 = 1 << 63;

#[test]
fn page_tables() {
    #[rustfmt::skip]
    check("paging", 1, &[
        0x1111, 0x47, 0xc7, 0x1111,
        15, 0x4000_1010,
        13, 0x4000_2000,
        0x1111,
        13, 0x4000_3000,
        13, 0x4000_3000,
        0x2222,
        12, 0x4000_4000,
        9,
    ]);
}

#[test]
fn timer() {
    check("timer", 1, &[0x20, INTERRUPT | 5, INTERRUPT | 5, INTERRUPT | 5, 0]);
}

#[test]
fn code_that_changes() {
    check("code", 1, &[0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn physical_memory_protection() {
    check("pmp", 1, &[22, 11, 33, 5, 7, 5, 2, 9]);
}

#[test]
fn harts_count_together() {
    check("harts", 4, &[80_000, 80_000]);
}

#[test]
fn exceptions() {
    let Some(code) = assemble("traps") else { return };
    for one_insn in [false, true] {
        let got = Machine::new(&code, 1, one_insn).run();
        // Cause, place, value; the registers in between are not what a failed load leaves.
        let causes: Vec<u64> = got.to_vec();
        let at = |n: usize| causes[n];
        let start: Vec<(u64, u64)> = (0..5).map(|n| (at(3 * n), at(3 * n + 2))).collect();
        let pc = |n: usize| causes[3 * n + 1];
        assert_eq!(start[0].0, 11);
        assert_eq!(start[1], (2, 0xffff_ffff));
        assert_eq!((start[2].0, start[2].1), (3, RAM + pc(2)));
        assert_eq!((start[3].0, start[3].1 & 0xfff0_007f), (2, 0x7c00_0073));
        assert_eq!(start[4], (6, 0x8000_1002));
        assert_eq!((pc(1) - pc(0), pc(2) - pc(1)), (4, 4));
        let rest = &causes[15..];
        assert_eq!((rest[0], rest[2], rest[3]), (5, 0x4000, 77), "{rest:x?}");
        assert_eq!((rest[4], rest[6]), (7, 0x4008));
        assert_eq!((rest[7], rest[8] as i64, rest[9]), (1, 0x4002 - RAM as i64, 0x4002));
        // Floating point that is off, then on, which makes it dirty.
        assert_eq!((rest[10], rest.len()), (2, 14));
        assert_eq!(rest[13], 1);
    }
}

#[test]
fn paused_processors_answer_and_start_anew() {
    let Some(code) = assemble("timer") else { return };
    let m = Machine::new(&code, 1, false);
    let before = m.cpus[0].dump();
    assert!(before.contains(&format!("{RAM:016x}")), "{before}");
    let first = m.run();
    assert_ne!(m.cpus[0].dump(), before);
    m.cpus[0].reset();
    assert_eq!(m.cpus[0].dump(), before);
    *m.end.0.lock().expect("not poisoned") = false;
    assert_eq!(m.run(), first);
}
