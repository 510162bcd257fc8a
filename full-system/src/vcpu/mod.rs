//! Processors of whole machines: one thread each, which runs guest code in the engine that all share,
//! and deals with its exits, interrupts and orders.
//!
//! Locks: a thread in translated code, and so in a device's registers, never takes the engine's lock,
//! for whoever holds that may wait until the thread is out. Reports of writes to code take a small lock
//! of their own.

mod alarm;
mod control;
mod debug;
mod host;
mod mail;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use remu_engine::{Cpu, Engine, ExitKind, Options};
use remu_isa::{Entry, FirmwareAnswer, FirmwareCall, Flush, Limits, PhysMem, Surroundings, System};

use self::alarm::Alarms;
use self::control::{Control, Next};
use self::mail::Mail;
use crate::boards::fdt;
use crate::bus::{self, PAGE};
use crate::clock::Clock;
use crate::gdb::{Points, Stop};
use crate::irq::{CpuLines, PrivateInputs};
use crate::machine::{Debuggee, Firmware, Hardware, Model, Processor};
use crate::softmmu::{Code, Forget, SoftMmu, Tables};

/// Bytes up to which a range is forgotten page by page.
const SMALL: u64 = 32 * PAGE;

/// A processor's view of lines and time.
struct Around {
    lines: Arc<CpuLines>,
    clock: Arc<Clock>,
    tables: Tables,
    private: Option<Arc<dyn PrivateInputs>>,
    firmware: Option<Arc<dyn Firmware>>,
    number: usize,
    /// Nanoseconds of a tick of the processors' time.
    tick: u64,
}

impl Surroundings for Around {
    fn memory(&self) -> &dyn PhysMem {
        &self.tables
    }
    fn time(&self) -> u64 {
        self.clock.now_ns() / self.tick
    }
    fn lines(&self) -> u64 {
        self.lines.levels()
    }
    fn register(&self, reg: u16) -> Option<u64> {
        self.private.as_ref()?.register(self.number, reg)
    }
    fn set_register(&self, reg: u16, value: u64) -> bool {
        self.private.as_ref().is_some_and(|p| p.set_register(self.number, reg, value))
    }
    fn firmware(&self, call: FirmwareCall) -> FirmwareAnswer {
        match &self.firmware {
            Some(firmware) => firmware.call(self.number, call),
            None => FirmwareAnswer::None,
        }
    }
    fn entered(&self, e: &Entry) {
        let [from, to] = e.levels;
        log::trace!(
            target: "int",
            "{}: {}, cause {:#x}, value {:#x}, at {:#x} of level {from}, to {:#x} of level {to}",
            self.number, e.name, e.cause, e.value, e.pc, e.handler
        );
    }
}

/// What all processors of a machine share.
struct Shared {
    engine: Engine,
    system: Arc<dyn System>,
    points: Arc<Points>,
    alarms: Alarms,
    /// Of all processors, by number.
    mail: OnceLock<Vec<Arc<Mail>>>,
}

/// What a stay in translated code has led to.
enum Turn {
    /// Nothing that keeps it from going on.
    GoOn,
    /// The processor is off.
    Off,
    /// A debugger looks for this.
    Stop(Stop),
}

/// A processor's thread, from inside.
struct Thread {
    shared: Arc<Shared>,
    control: Arc<Control>,
    cpu: Cpu,
    mmu: SoftMmu,
    mail: Arc<Mail>,
    around: Around,
    number: u64,
    reset: u64,
    /// Off after reset.
    starts_off: bool,
    /// Levels of the lines of its own timers.
    timers: u64,
    alarm: usize,
    /// What the alarm was last set to.
    deadline: Option<u64>,
}

impl Thread {
    fn run(&mut self) {
        let shared = self.shared.clone();
        let faults = host::Faults::handle(&shared.engine);
        if let Err(error) = &faults {
            log::error!("processor {}: no signal handler: {error}", self.number);
            return;
        }
        bus::set_initiator(self.number as u32);
        self.power_on();
        loop {
            match self.control.next() {
                Next::Quit => return,
                Next::Obey(order) => {
                    order(self);
                    self.control.done();
                    // What was armed belongs to a clock that has stood still.
                    self.deadline = None;
                }
                Next::Run => self.go(),
            }
        }
    }

    fn power_on(&mut self) {
        let mut core = self.shared.engine.core(&mut self.cpu);
        self.shared.system.reset(core.state(), self.number, self.reset);
        self.shared.engine.sync_code();
        self.flush(Flush::All);
        // The controller's inputs are low after its reset.
        self.timers = 0;
    }

    /// What [`Processor::start`] asks for.
    fn start(&mut self, entry: u64, argument: u64) {
        let mut core = self.shared.engine.core(&mut self.cpu);
        self.shared.system.start(core.state(), self.number, entry, argument);
        self.flush(Flush::All);
    }

    fn reset(&mut self) {
        self.power_on();
        self.control.set_off(self.starts_off);
    }

    fn dump(&mut self) -> String {
        let mut core = self.shared.engine.core(&mut self.cpu);
        self.shared.system.dump(core.state(), &self.around)
    }

    /// Runs until somebody kicks.
    fn go(&mut self) {
        if let Some((entry, argument)) = self.control.take_start() {
            self.start(entry, argument);
        }
        if self.control.is_off() {
            self.control.sleep(None);
            return;
        }
        let step = self.control.step();
        while !self.control.is_kicked() {
            match self.turn(step.is_some()) {
                Turn::GoOn => {}
                Turn::Off => {
                    self.control.set_off(true);
                    break;
                }
                Turn::Stop(why) => {
                    self.stop_for_debugger(why);
                    break;
                }
            }
            if step.as_ref().is_some_and(|range| !range.contains(&self.cpu.pc())) {
                self.stop_for_debugger(Stop::Step);
                break;
            }
        }
        // The clock may stand still before the next time.
        self.deadline = None;
    }

    /// One stay in translated code, and what it ends with. A single instruction is not interrupted.
    fn turn(&mut self, step: bool) -> Turn {
        let shared = self.shared.clone();
        self.drive_timers();
        if !step {
            let mut core = shared.engine.core(&mut self.cpu);
            shared.system.interrupt(core.state(), &self.around);
        }
        self.arm();
        for flush in self.mail.enter() {
            self.flush(flush);
        }
        let mut kind = self.run_code(step);
        let mut watched = None;
        if let Some(touched) = self.mmu.take_touched() {
            if let Some(stop) = self.before_watched(touched) {
                self.mail.leave();
                return Turn::Stop(stop);
            }
            kind = self.past_watched(touched);
            watched = touched.watch;
        }
        self.mail.leave();
        let trap = self.mmu.take_trap();
        if self.is_at_break(kind) {
            return Turn::Stop(Stop::Break);
        }
        let mut core = shared.engine.core(&mut self.cpu);
        let after = shared.system.exit(core.state(), kind, trap, &self.around);
        self.flush(after.flush);
        if after.others != Flush::None {
            self.others().for_each(|m| m.post(after.others));
        }
        if after.settle {
            self.others().for_each(|m| m.settle());
        }
        if after.code_changed {
            shared.engine.sync_code();
        }
        if after.wait && !step {
            self.wait();
        }
        if after.off {
            return Turn::Off;
        }
        if after.rest {
            std::thread::yield_now();
        }
        watched.map_or(Turn::GoOn, |w| Turn::Stop(Stop::Watch(w)))
    }

    fn run_code(&mut self, step: bool) -> ExitKind {
        let engine = &self.shared.engine;
        if step {
            engine.step_machine(&mut self.cpu, &mut self.mmu)
        } else {
            engine.run_machine(&mut self.cpu, &mut self.mmu)
        }
    }

    /// The mail of the other processors.
    fn others(&self) -> impl Iterator<Item = &Arc<Mail>> {
        let all = self.shared.mail.get().into_iter().flatten();
        all.filter(|m| !Arc::ptr_eq(m, &self.mail))
    }

    /// Brings the levels of its own timers to the interrupt controller.
    fn drive_timers(&mut self) {
        let Some(private) = &self.around.private else { return };
        let mut core = self.shared.engine.core(&mut self.cpu);
        let levels = self.shared.system.timers(core.state(), &self.around);
        let mut changed = levels ^ std::mem::replace(&mut self.timers, levels);
        while changed != 0 {
            let line = changed.trailing_zeros();
            private.set_private(self.around.number, line, levels >> line & 1 != 0);
            changed &= changed - 1;
        }
    }

    fn flush(&mut self, what: Flush) {
        match what {
            Flush::Range(from, bytes) if bytes <= SMALL => {
                let last = from.wrapping_add(bytes.saturating_sub(1));
                let pages = (last & !(PAGE - 1)).wrapping_sub(from & !(PAGE - 1)) / PAGE;
                for n in 0..=pages {
                    self.flush(Flush::Page(from.wrapping_add(n * PAGE)));
                }
            }
            what => {
                let forget = self.mmu.flush(what);
                self.forget(forget);
            }
        }
    }

    fn forget(&mut self, what: Forget) {
        match what {
            Forget::Nothing => {}
            Forget::Page(va) => self.shared.engine.flush_tlb_page(&mut self.cpu, va),
            Forget::All => self.shared.engine.flush_tlb(&mut self.cpu),
        }
    }

    /// Sets the alarm to when the next interrupt comes by itself.
    fn arm(&mut self) {
        let mut core = self.shared.engine.core(&mut self.cpu);
        let deadline = self.shared.system.deadline(core.state());
        if deadline != self.deadline {
            self.deadline = deadline;
            let ns = |t: u64| t.saturating_mul(self.around.tick);
            let at = deadline.and_then(|t| self.around.clock.host_time(ns(t)));
            self.shared.alarms.set(self.alarm, at);
        }
    }

    /// Sleeps until an interrupt is pending.
    fn wait(&mut self) {
        loop {
            self.drive_timers();
            self.arm();
            let mut core = self.shared.engine.core(&mut self.cpu);
            let awake = self.shared.system.awake(core.state(), &self.around);
            if awake || self.control.is_kicked() {
                return;
            }
            // The alarm kicks when the time has come.
            self.control.sleep(None);
        }
    }
}

/// A processor, from outside.
pub struct Vcpu {
    shared: Arc<Shared>,
    control: Arc<Control>,
    /// Held by whoever gives an order.
    orders: std::sync::Mutex<()>,
    mail: Arc<Mail>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Tells everybody when the thread ends, also by a panic.
struct Gone(Arc<Control>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.gone();
    }
}

impl Vcpu {
    /// Processor `number`, paused.
    fn start(shared: &Arc<Shared>, hardware: &Hardware, number: usize) -> std::io::Result<Vcpu> {
        let cpu = Cpu::new(&shared.engine)?;
        let starts_off = hardware.first_only && number != 0;
        let control = Arc::new(Control::new(cpu.remote(), starts_off));
        let lines = hardware.lines[number].clone();
        let kicked = control.clone();
        lines.set_waker(Box::new(move || kicked.kick()));
        let kicked = control.clone();
        let alarm = shared.alarms.add(Box::new(move || kicked.kick()));
        let align = 1 << shared.engine.isa().insn_align();
        let (system, bus) = (shared.system.clone(), hardware.bus.clone());
        let mmu = SoftMmu::new(system, bus, align, shared.points.clone());
        let tick = (1_000_000_000 / shared.system.hertz()).max(1);
        let around = Around {
            lines,
            clock: hardware.clock.clone(),
            tables: Tables(hardware.bus.clone()),
            private: hardware.private.clone(),
            firmware: hardware.firmware.clone(),
            number,
            tick,
        };
        let mail = Arc::new(Mail::new(cpu.remote()));
        let mut thread = Thread {
            shared: shared.clone(),
            control: control.clone(),
            cpu,
            mmu,
            mail: mail.clone(),
            around,
            number: number as u64,
            reset: hardware.reset,
            starts_off,
            timers: 0,
            alarm,
            deadline: None,
        };
        let gone = Gone(control.clone());
        let thread = std::thread::Builder::new().name(format!("cpu{number}")).spawn(move || {
            let _gone = gone;
            thread.run();
        })?;
        let (shared, thread) = (shared.clone(), std::sync::Mutex::new(Some(thread)));
        Ok(Vcpu { shared, control, orders: std::sync::Mutex::default(), mail, thread })
    }

    /// Has the thread of a paused processor do something; the result's default if the thread is gone.
    fn ask<T: Default + Send + 'static>(
        &self,
        act: impl FnOnce(&mut Thread) -> T + Send + 'static,
    ) -> T {
        let _one = self.orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (give, take) = std::sync::mpsc::channel();
        self.control.order(Box::new(move |thread| {
            // Nobody has gone: whoever asks waits.
            let _ = give.send(act(thread));
        }));
        take.try_recv().unwrap_or_default()
    }
}

impl Processor for Vcpu {
    fn resume(&self) {
        self.control.resume();
    }
    fn pause(&self) {
        self.control.pause();
    }
    fn reset(&self) {
        self.ask(Thread::reset);
    }
    fn start(&self, entry: u64, argument: u64) -> bool {
        self.control.start(entry, argument)
    }
    fn is_off(&self) -> bool {
        self.control.is_off()
    }
    fn quit(&self) {
        self.control.quit();
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(t) = thread {
            // A panic there has been printed.
            let _ = t.join();
        }
    }
    fn dump(&self) -> String {
        self.ask(Thread::dump)
    }
    fn debuggee(&self) -> Option<&dyn Debuggee> {
        Some(self)
    }
}

/// A processor model of a guest.
struct Chosen {
    guest: &'static remu_isa::Guest,
    name: String,
    made: remu_isa::Processor,
}

impl Model for Chosen {
    fn tree(&self, cpus: u32) -> fdt::Cpu {
        let made = &self.made;
        fdt::Cpu {
            extensions: made.extensions.clone(),
            mmu: made.mmu.clone(),
            compatible: made.compatible.clone(),
            numbers: (0..u64::from(cpus)).map(|n| made.system.affinity(n)).collect(),
        }
    }
    fn start(&self, hardware: Hardware) -> Result<Vec<Arc<dyn Processor>>, String> {
        let made = make(self.guest, &self.name)?;
        let mut options = Options { machine: true, ..Options::default() };
        if hardware.one_insn {
            options.limits = Limits { blocks: 1, insns: 1, ..Limits::default() };
        }
        let points = hardware.points.clone();
        let code = Arc::new(Code(hardware.bus.clone(), points.clone()));
        let engine = Engine::new(made.isa, code, options).map_err(|e| e.to_string())?;
        let alarms = Alarms::new().map_err(|e| format!("cannot start a thread: {e}"))?;
        let (system, mail) = (made.system.into(), OnceLock::new());
        let shared = Arc::new(Shared { engine, system, points, alarms, mail });
        let told = Arc::downgrade(&shared);
        hardware.bus.set_code_hook(Box::new(move |range| {
            if let Some(shared) = told.upgrade() {
                range.step_by(PAGE as usize).for_each(|pa| shared.engine.page_written(pa));
            }
        }));
        let start = |n| {
            Vcpu::start(&shared, &hardware, n)
                .map_err(|e| format!("cannot start processor {n}: {e}"))
        };
        let cpus = (0..hardware.lines.len()).map(start).collect::<Result<Vec<_>, _>>()?;
        // They are all paused until the caller has them.
        let _ = shared.mail.set(cpus.iter().map(|c| c.mail.clone()).collect());
        Ok(cpus.into_iter().map(|c| Arc::new(c) as Arc<dyn Processor>).collect())
    }
}

fn make(guest: &remu_isa::Guest, name: &str) -> Result<remu_isa::Processor, String> {
    let make = guest
        .make_machine
        .ok_or_else(|| format!("there are no processors for whole {} machines yet", guest.name))?;
    make(name)
}

/// The model of this name, `NAME[,feature=on|off]*`; the guest's default for none.
///
/// # Errors
/// A sentence naming what does not exist.
pub fn model(guest: &str, name: Option<&str>) -> Result<Box<dyn Model>, String> {
    let guest = remu_registry::by_name(guest).ok_or_else(|| format!("no guest '{guest}'"))?;
    let name = name.unwrap_or_default().to_string();
    let made = make(guest, &name)?;
    Ok(Box::new(Chosen { guest, name, made }))
}
