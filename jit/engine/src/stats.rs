//! What happened, in machine-independent figures, and what translation cost.

use std::collections::HashSet;
use std::time::Duration;

use remu_ir::{Op, Region};

/// Parts of a translation that are timed on their own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// Discovery, decoding and lifting.
    Form,
    /// Liveness.
    Analyse,
    /// Lowering.
    Compile,
    /// Making the code findable and linking it.
    Publish,
}

const PHASES: [&str; 4] = ["form", "analyse", "compile", "publish"];

/// Counters of an engine.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Regions translated.
    pub regions: u64,
    /// Guest instructions translated.
    pub insns: u64,
    /// IR instructions made.
    pub ops: u64,
    /// Bytes of host code.
    pub bytes: u64,
    /// Ops lowered by calling the interpreter's meaning.
    pub fallbacks: u64,
    /// Links resolved when they were first taken.
    pub links: u64,
    /// Links whose target was there when they were made.
    pub links_early: u64,
    /// Times code memory was emptied because it was full.
    pub flushes: u64,
    /// Regions retired because guest code changed.
    pub invalidated: u64,
    /// Times the guest said that code had changed.
    pub fences: u64,
    /// Regions copied from cache files.
    pub served: u64,
    /// Guest instructions in them.
    pub served_insns: u64,
    /// Bytes of host code in them.
    pub served_bytes: u64,
    /// Nanoseconds spent copying them.
    pub load_nanos: u64,
    /// Regions added to cache files.
    pub saved: u64,
    /// Bytes of cache files mapped.
    pub mapped: u64,
    /// What only [`Options::measure`](crate::Options::measure) finds out.
    pub measured: Option<Box<Measured>>,
}

/// Figures that cost time to collect.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Nanoseconds of processor time per phase.
    nanos: [u64; PHASES.len()],
    /// Addresses of the instructions translated, each once.
    distinct: HashSet<u64>,
    last: u64,
}

/// Processor time of this thread. Wall time would count what other threads
/// and processes do on a busy machine.
fn now() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(0, |t| Duration::from(t).as_nanos() as u64)
}

impl Stats {
    /// Starts the clock of the first phase.
    pub(crate) fn begin(&mut self) {
        if let Some(m) = &mut self.measured {
            m.last = now();
        }
    }
    /// A phase is over; the next begins.
    pub(crate) fn end(&mut self, phase: Phase) {
        if let Some(m) = &mut self.measured {
            let t = now();
            m.nanos[phase as usize] += t.saturating_sub(m.last);
            m.last = t;
        }
    }
    /// Notes which instructions a region has.
    pub(crate) fn note_insns(&mut self, r: &Region) {
        if let Some(m) = &mut self.measured {
            let insns = r.insts.iter().filter(|i| i.op == Op::insn);
            m.distinct.extend(insns.map(|i| r.pcs[i.imm as usize]));
            m.last = now();
        }
    }
    /// Nanoseconds of processor time spent translating; 0 unless measured.
    pub fn nanos(&self) -> u64 {
        self.measured.as_ref().map_or(0, |m| m.nanos.iter().sum())
    }
}

impl core::fmt::Display for Stats {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let per = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        writeln!(f, "regions translated      {:>12}", self.regions)?;
        writeln!(f, "guest instructions      {:>12}", self.insns)?;
        writeln!(f, "ir ops per instruction  {:>12.2}", per(self.ops, self.insns))?;
        writeln!(f, "host bytes per insn     {:>12.2}", per(self.bytes, self.insns))?;
        if let Some(m) = &self.measured {
            let copies = per(self.insns, m.distinct.len() as u64);
            writeln!(f, "copies of an insn       {copies:>12.2}")?;
            write!(f, "cpu ns per instruction  {:>12.0}  (", per(self.nanos(), self.insns))?;
            for (n, name) in PHASES.iter().enumerate() {
                let comma = if n == 0 { "" } else { ", " };
                write!(f, "{comma}{name} {:.0}", per(m.nanos[n], self.insns))?;
            }
            writeln!(f, ")")?;
        }
        writeln!(f, "fallback ops            {:>12}", self.fallbacks)?;
        writeln!(f, "links resolved late     {:>12}", self.links)?;
        writeln!(f, "links resolved early    {:>12}", self.links_early)?;
        writeln!(f, "regions from the cache  {:>12}", self.served)?;
        let all = self.served + self.regions;
        writeln!(f, "  share of all regions  {:>11.1}%", 100.0 * per(self.served, all))?;
        writeln!(f, "  guest instructions    {:>12}", self.served_insns)?;
        writeln!(f, "  host code bytes       {:>12}", self.served_bytes)?;
        writeln!(f, "  ns per region         {:>12.0}", per(self.load_nanos, self.served))?;
        writeln!(f, "regions added to it     {:>12}", self.saved)?;
        writeln!(f, "cache file bytes mapped {:>12}", self.mapped)?;
        writeln!(f, "regions invalidated     {:>12}", self.invalidated)?;
        writeln!(f, "code changes announced  {:>12}", self.fences)?;
        write!(f, "code memory flushes     {:>12}", self.flushes)
    }
}
