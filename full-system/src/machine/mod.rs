//! A machine: a board's devices, its processors, what is in memory when it starts, and what people ask of it.

mod processor;
mod psci;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::boards::load::Blob;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::devices::Device;
use crate::event_loop::Handle;
use crate::power::{Button, Power};

pub use processor::{Debuggee, Firmware, Hardware, Model, Processor, model};
pub use psci::Psci;

/// A machine.
pub struct Machine {
    bus: Arc<Bus>,
    clock: Arc<Clock>,
    events: Handle,
    devices: Vec<(String, Arc<dyn Device>)>,
    blobs: Vec<Blob>,
    cpus: Vec<Arc<dyn Processor>>,
    /// Whether it runs. Held while that changes.
    running: Mutex<bool>,
    /// Told that it has stopped.
    stopped: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Its power button.
    button: OnceLock<Arc<dyn Button>>,
}

impl Machine {
    /// A machine of these parts, paused, with its memory filled.
    ///
    /// # Errors
    /// A sentence: something to load does not fit.
    pub fn new(
        bus: Arc<Bus>,
        clock: Arc<Clock>,
        events: Handle,
        devices: Vec<(String, Arc<dyn Device>)>,
        blobs: Vec<Blob>,
        cpus: Vec<Arc<dyn Processor>>,
    ) -> Result<Arc<Machine>, String> {
        clock.pause();
        let running = Mutex::new(false);
        let (stopped, button) = (OnceLock::new(), OnceLock::new());
        let machine =
            Machine { bus, clock, events, devices, blobs, cpus, running, stopped, button };
        machine.fill()?;
        Ok(Arc::new(machine))
    }

    fn fill(&self) -> Result<(), String> {
        self.blobs.iter().try_for_each(|b| b.write(self.bus.ram())).map_err(|e| e.to_string())
    }

    fn running(&self) -> std::sync::MutexGuard<'_, bool> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on.
    pub fn cont(&self) {
        self.cont_some(|_| true);
    }

    /// Goes on with some of the processors, by number. The others stay where they are until the machine has stopped
    /// and gone on again.
    pub fn cont_some(&self, goes: impl Fn(usize) -> bool) {
        let mut running = self.running();
        if !std::mem::replace(&mut *running, true) {
            self.clock.resume();
            self.events.wake();
            let some = self.cpus.iter().enumerate().filter(|(n, _)| goes(*n));
            some.for_each(|(_, c)| c.resume());
        }
    }

    /// Stops processors and time.
    pub fn stop(&self) {
        let mut running = self.running();
        if std::mem::replace(&mut *running, false) {
            self.cpus.iter().for_each(|c| c.pause());
            self.clock.pause();
            drop(running);
            if let Some(told) = self.stopped.get() {
                told();
            }
        }
    }

    /// Sets what is called after it has stopped, on the thread that stopped it. The first call counts.
    pub fn on_stop(&self, told: Box<dyn Fn() + Send + Sync>) {
        // A machine has one debugger's server.
        let _ = self.stopped.set(told);
    }

    /// Gives it a power button. The first call counts.
    pub fn set_button(&self, button: Arc<dyn Button>) {
        let _ = self.button.set(button);
    }

    /// Presses the power button; whether there is one.
    pub fn press_power(&self) -> bool {
        self.button.get().map(|b| b.press()).is_some()
    }

    /// How many processors it has.
    pub fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// Whether a processor is off and waits for firmware to start it.
    pub fn is_off(&self, cpu: usize) -> bool {
        self.cpus.get(cpu).is_some_and(|c| c.is_off())
    }

    /// A processor for a debugger.
    pub fn debuggee(&self, cpu: usize) -> Option<&dyn Debuggee> {
        self.cpus.get(cpu)?.debuggee()
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        *self.running()
    }

    /// As after power-on: devices, memory that is loaded, processors.
    pub fn reset(&self) {
        let running = self.is_running();
        self.stop();
        self.devices.iter().for_each(|(_, d)| d.reset());
        // It fitted when the machine was made.
        if let Err(error) = self.fill() {
            log::warn!("{error}");
        }
        self.cpus.iter().for_each(|c| c.reset());
        if running {
            self.cont();
        }
    }

    /// Ends the processors' threads.
    pub fn quit(&self) {
        self.stop();
        self.cpus.iter().for_each(|c| c.quit());
    }

    /// The registers of every processor as text.
    pub fn registers(&self) -> String {
        let running = self.is_running();
        self.stop();
        let one = |(n, c): (usize, &Arc<dyn Processor>)| format!("\nCPU#{n}\n{}", c.dump());
        let text = self.cpus.iter().enumerate().map(one).collect();
        if running {
            self.cont();
        }
        text
    }

    /// The address space as text.
    pub fn memory_tree(&self) -> String {
        self.bus.tree()
    }

    /// The devices as text.
    pub fn device_list(&self) -> String {
        self.devices.iter().map(|(name, _)| format!("  {name}\n")).collect()
    }

    /// The event loop.
    pub fn events(&self) -> &Handle {
        &self.events
    }
}

/// Carries out what devices ask for, on the event loop's thread.
pub struct Requests {
    events: Handle,
    machine: OnceLock<Weak<Machine>>,
    /// A reset ends the emulator instead.
    no_reboot: bool,
    /// Power off stops the machine instead.
    no_shutdown: bool,
}

impl Requests {
    /// Requests to a machine that [`Requests::connect`] names later.
    pub fn new(events: &Handle, no_reboot: bool, no_shutdown: bool) -> Arc<Requests> {
        let events = events.clone();
        Arc::new(Requests { events, machine: OnceLock::new(), no_reboot, no_shutdown })
    }

    /// Sets whose requests these are. Once.
    pub fn connect(&self, machine: &Arc<Machine>) {
        let _ = self.machine.set(Arc::downgrade(machine));
    }

    fn with_machine(&self, act: impl FnOnce(&Machine) + Send + 'static) {
        if let Some(machine) = self.machine.get().and_then(Weak::upgrade) {
            self.events.post(move || act(&machine));
        }
    }
}

impl Power for Requests {
    fn off(&self, status: i32) {
        if self.no_shutdown {
            self.with_machine(Machine::stop);
        } else {
            self.events.quit(status);
        }
    }

    fn reset(&self) {
        if self.no_reboot {
            self.off(0);
        } else {
            self.with_machine(Machine::reset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::{EventLoop, Kind};

    /// Writes down what it is told.
    #[derive(Default)]
    struct Diary(Mutex<Vec<&'static str>>);

    impl Diary {
        fn note(&self, what: &'static str) {
            self.0.lock().expect("not poisoned").push(what);
        }
        fn take(&self) -> Vec<&'static str> {
            std::mem::take(&mut self.0.lock().expect("not poisoned"))
        }
    }

    impl Processor for Diary {
        fn resume(&self) {
            self.note("resume");
        }
        fn pause(&self) {
            self.note("pause");
        }
        fn reset(&self) {
            self.note("reset");
        }
        fn quit(&self) {
            self.note("quit");
        }
        fn dump(&self) -> String {
            self.note("dump");
            "pc 0\n".into()
        }
    }

    fn machine(events: &EventLoop, diary: &Arc<Diary>) -> Arc<Machine> {
        let mut map = Bus::builder();
        map.ram("ram", 0, 0x1000);
        let bus = Arc::new(map.build().expect("a map"));
        let blob = Blob { what: "code", address: 0x10, bytes: vec![1, 2].into() };
        let clock = events.handle().clock().clone();
        let cpus: Vec<Arc<dyn Processor>> = vec![diary.clone()];
        let handle = events.handle().clone();
        Machine::new(bus, clock, handle, Vec::new(), vec![blob], cpus).expect("it fits")
    }

    #[test]
    fn stops_goes_on_and_starts_anew() {
        let events = EventLoop::new(Arc::new(Clock::new()), Kind::Epoll).expect("a loop");
        let diary = Arc::new(Diary::default());
        let m = machine(&events, &diary);
        assert!(!m.is_running());
        m.cont();
        m.cont();
        m.bus.write(0x10, 1, 9).expect("ram");
        m.reset();
        assert_eq!(diary.take(), ["resume", "pause", "reset", "resume"]);
        assert_eq!(m.bus.read(0x10, 2), Ok(0x201));
        m.stop();
        assert_eq!(m.registers(), "\nCPU#0\npc 0\n");
        m.reset();
        assert_eq!(diary.take(), ["pause", "dump", "reset"], "still paused");
    }

    #[test]
    fn devices_ask_for_later() {
        let events = EventLoop::new(Arc::new(Clock::new()), Kind::Epoll).expect("a loop");
        let diary = Arc::new(Diary::default());
        let m = machine(&events, &diary);
        let requests = Requests::new(events.handle(), false, false);
        requests.connect(&m);
        Power::reset(&*requests);
        assert!(diary.take().is_empty());
        events.turn().expect("a turn");
        assert_eq!(diary.take(), ["reset"]);
        requests.off(3);
        assert_eq!(events.run().expect("a run"), 3);
    }
}
