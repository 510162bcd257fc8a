//! From options to a running machine.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::devices::Makings;
use super::logging;
use super::options::Options;
use crate::boards::{Board, Files, Setup, What, Wiring, assemble, by_name, fdt::Chosen};
use crate::chardev::{self, Controls, Mux, Port, Spec, Stream, Terminal};
use crate::clock::Clock;
use crate::event_loop::{EventLoop, Handle, Interest, Next, Watch};
use crate::gdb::{Points, Server};
use crate::irq::CpuLines;
use crate::machine::{Firmware, Hardware, Machine, Psci, Requests, model};
use crate::monitor::Monitor;

/// Runs a machine to its end; its exit status.
///
/// # Errors
/// A sentence: what was asked for cannot be had.
pub(super) fn run(guest: &'static str, options: Options) -> Result<i32, String> {
    logging::start(&options.log_items, options.log_file.as_deref())?;
    let name = options.machine.as_deref();
    let name = name.ok_or("no board given; use -M, as in -M virt ('-M help' lists them)")?;
    let board = by_name(guest, name)
        .ok_or_else(|| format!("no board '{name}' for {guest}; '-M help' lists them"))?;
    let ram = options.memory.unwrap_or(board.ram_default);
    let setup = Setup::new(board, options.cpus, ram, &options.properties)
        .map_err(|e| format!("-M: {e}"))?;
    let cpu = model(guest, options.cpu.as_deref()).map_err(|e| format!("-cpu: {e}"))?;

    // Before there are threads, which inherit what is blocked.
    let ending = block_signals()?;
    let clock = Arc::new(Clock::new());
    let events = EventLoop::new(clock.clone(), options.event_loop)
        .map_err(|e| format!("cannot make an event loop: {e}"))?;
    let signals = quit_on_signals(&ending, events.handle())?;
    let power = Requests::new(events.handle(), options.no_reboot, options.no_shutdown);
    let consoles = Consoles::new(&options, events.handle())?;
    let lines: Vec<_> = (0..options.cpus).map(|_| Arc::new(CpuLines::new())).collect();
    let chosen = Chosen { seed: seed(), serial: consoles.serial.is_some(), ..Chosen::default() };
    let tree = cpu.tree(options.cpus);
    let boot = (board.boot)(&setup, &options.files, &tree, chosen).map_err(|e| e.to_string())?;
    if let Some(path) = &options.dump_tree {
        std::fs::write(path, &boot.tree).map_err(|e| format!("{}: {e}", path.display()))?;
        return Ok(0);
    }
    let virtio = Makings::new(&options, events.handle(), consoles.virtio.clone())?.all()?;
    let parts = assemble(
        &setup,
        Wiring {
            cpus: lines.clone(),
            numbers: tree.numbers.clone(),
            clock: clock.clone(),
            events: events.handle().clone(),
            power: power.clone(),
            serial: vec![consoles.serial.clone()],
            flash: flash(board, &options.files)?,
            items: boot.items,
            virtio,
        },
    );
    let parts = parts.map_err(|e| e.to_string())?;
    let bus = Arc::new(parts.bus);
    let psci = board.firmware.then(|| Psci::new(power.clone(), tree.numbers));
    let points = Arc::new(Points::default());
    let cpus = cpu.start(Hardware {
        bus: bus.clone(),
        clock: clock.clone(),
        power: power.clone(),
        lines,
        private: parts.private,
        firmware: psci.clone().map(|p| p as Arc<dyn Firmware>),
        first_only: board.firmware,
        reset: boot.entry,
        points: points.clone(),
        one_insn: options.one_insn,
    })?;
    if let Some(psci) = psci {
        psci.connect(&cpus);
    }
    let handle = events.handle().clone();
    let machine = Machine::new(bus, clock, handle, parts.devices, boot.blobs, cpus)?;
    power.connect(&machine);
    if let Some(button) = parts.button {
        machine.set_button(button);
    }
    let debugger = match &options.gdb {
        Some(place) => Some(Server::start(place, &machine, points)?),
        None => None,
    };
    let terminal = consoles.start(&machine)?;
    if let Some(path) = &options.pidfile {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|e| format!("-pidfile {}: {e}", path.display()))?;
    }
    if !options.paused {
        machine.cont();
    }
    let status = events.run();
    // Before the processors go, which would look like a stop.
    if let Some(debugger) = debugger {
        debugger.end(status.as_ref().map_or(1, |status| *status));
    }
    machine.quit();
    drop((terminal, signals));
    status.map_err(|e| format!("the event loop failed: {e}"))
}

/// Opens the image of the flash that can be programmed.
fn flash(board: &Board, files: &Files) -> Result<Option<(std::fs::File, bool)>, String> {
    let named = files.flash.iter().any(Option::is_some);
    if named && !board.rows.iter().any(|r| r.what == What::Flash) {
        return Err(format!("board '{}' has no flash", board.name));
    }
    files.flash[1].as_ref().map(|f| f.open().map_err(|e| e.to_string())).transpose()
}

/// Random words for the guest's kernel.
fn seed() -> [u32; 8] {
    // Each state is keyed by the system's random numbers.
    std::array::from_fn(|_| RandomState::new().build_hasher().finish() as u32)
}

/// Blocks the signals that ask a program to end.
fn block_signals() -> Result<SigSet, String> {
    let mut set = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().for_each(|s| set.add(s));
    set.thread_block().map_err(|e| format!("cannot block signals: {e}"))?;
    Ok(set)
}

/// Has these signals end the emulator in order, with the terminal set back.
fn quit_on_signals(set: &SigSet, events: &Handle) -> Result<Watch, String> {
    let failed = |e: io::Error| format!("cannot wait for signals: {e}");
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let fd = SignalFd::with_flags(set, flags).map_err(|e| failed(e.into()))?;
    let handle = events.clone();
    let descriptor = fd.as_fd().try_clone_to_owned().map_err(failed)?;
    let watch = events.watch(descriptor, Interest::Read, move || {
        if let Ok(Some(signal)) = fd.read_signal() {
            // As a shell counts a program that a signal has ended.
            handle.quit(128 + signal.ssi_signo as i32);
        }
        Next::Again
    });
    let watch = watch.map_err(failed)?;
    watch.arm();
    Ok(watch)
}

/// The serial port, the console device and the monitor, and what they are connected to.
struct Consoles {
    serial: Option<Arc<Port>>,
    virtio: Option<Arc<Port>>,
    monitor: Option<(Arc<Port>, bool)>,
    streams: Vec<Arc<Stream>>,
    /// The terminal is used; and Ctrl-C ends the emulator.
    terminal: Option<bool>,
}

/// Ctrl-A x.
struct Quit(Handle);

impl Controls for Quit {
    fn quit(&self) {
        self.0.quit(0);
    }
}

impl Consoles {
    fn new(options: &Options, events: &Handle) -> Result<Consoles, String> {
        let default = !options.nodefaults;
        if options.serial.len() > 1 && options.serial[1..].iter().any(|s| *s != Spec::None) {
            return Err("-serial: the board has one serial port".into());
        }
        let serial = match (options.serial.first(), &options.monitor) {
            (Some(spec), _) => spec.clone(),
            (None, Some(Spec::Stdio | Spec::Mon)) if !options.nographic => Spec::Null,
            (None, None) if default || options.nographic => Spec::Mon,
            (None, Some(_)) if default || options.nographic => Spec::Stdio,
            (None, _) => Spec::None,
        };
        let monitor = match &options.monitor {
            Some(spec) => spec.clone(),
            // With -nographic the terminal is the monitor's as well, which `mon:stdio` arranges.
            None if options.nographic && serial != Spec::Mon => Spec::Stdio,
            None => Spec::None,
        };
        let on_terminal = |s: &Spec| matches!(s, Spec::Stdio | Spec::Mon);
        if on_terminal(&serial) && on_terminal(&monitor) {
            return Err("cannot use stdio by multiple character devices".into());
        }
        let mut c = Consoles {
            serial: None,
            virtio: None,
            monitor: None,
            streams: Vec::new(),
            terminal: (on_terminal(&serial) || on_terminal(&monitor))
                .then_some(!options.nographic && serial != Spec::Mon && monitor != Spec::Mon),
        };
        c.connect_serial(&serial, events)?;
        if monitor != Spec::None && monitor != Spec::Null {
            let stream = c.open(&monitor, "compat_monitor0", events)?;
            c.monitor = Some((Port::new(stream), true));
        }
        Ok(c)
    }

    fn connect_serial(&mut self, spec: &Spec, events: &Handle) -> Result<(), String> {
        if *spec == Spec::None {
            return Ok(());
        }
        let backend = self.open(spec, "serial0", events)?;
        if *spec != Spec::Mon {
            self.serial = Some(Port::new(backend));
            return Ok(());
        }
        let mux = Mux::new(backend, Arc::new(Quit(events.clone())), events);
        self.serial = Some(mux.port());
        self.monitor = Some((mux.port(), false));
        self.virtio = Some(mux.port());
        Ok(())
    }

    fn open(
        &mut self,
        spec: &Spec,
        label: &str,
        events: &Handle,
    ) -> Result<Arc<dyn chardev::Backend>, String> {
        let stream = chardev::open(spec, label, events);
        let stream = stream.map_err(|e| format!("cannot open {spec:?} for {label}: {e}"))?;
        self.streams.extend(stream.clone());
        Ok(chardev::backend(stream))
    }

    /// Begins to read, with the terminal raw until what is returned is dropped.
    fn start(self, machine: &Arc<Machine>) -> Result<impl Sized, String> {
        let terminal = match self.terminal {
            Some(signals) => Terminal::raw(io::stdin(), signals)
                .map_err(|e| format!("cannot set the terminal up: {e}"))?,
            None => None,
        };
        let monitor = self.monitor.map(|(port, greet)| Monitor::new(port, machine, greet));
        for stream in &self.streams {
            stream.start().map_err(|e| format!("cannot read from a character device: {e}"))?;
        }
        Ok((terminal, monitor, self.streams))
    }
}
