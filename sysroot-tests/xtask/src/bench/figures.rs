//! Figures that do not depend on how fast the machine is, read from what `--stats` prints.

use std::fmt::Write as _;

use serde::Serialize;

/// Sums over the processes of a run.
#[derive(Serialize, Default, Clone, Copy, Debug, PartialEq)]
pub(super) struct Sums {
    /// Processes that printed statistics.
    processes: u64,
    /// Guest instructions translated.
    insns: u64,
    /// Processor time spent on that, nanoseconds.
    nanos: f64,
    /// Host code made, bytes.
    bytes: f64,
    /// Regions translated, and regions from cache files.
    translated: u64,
    served: u64,
    /// Private memory at exit, KiB.
    dirty: u64,
}

/// A row's figures: without cache files of earlier runs, and with them.
#[derive(Serialize, Default, Clone, Copy, Debug)]
pub(super) struct Figures {
    cold: Sums,
    warm: Sums,
}

impl Sums {
    /// Reads every block of statistics in a text.
    pub(super) fn of(text: &str) -> Sums {
        let mut sums = Sums::default();
        let mut insns = 0;
        for line in text.lines() {
            let number = |name: &str| -> Option<f64> {
                line.strip_prefix(name)?.split_whitespace().next()?.parse().ok()
            };
            if let Some(n) = number("regions translated ") {
                sums.processes += 1;
                sums.translated += n as u64;
            } else if let Some(n) = number("guest instructions ") {
                insns = n as u64;
                sums.insns += insns;
            } else if let Some(n) = number("host bytes per insn ") {
                sums.bytes += n * insns as f64;
            } else if let Some(n) = number("cpu ns per instruction ") {
                sums.nanos += n * insns as f64;
            } else if let Some(n) = number("regions from the cache ") {
                sums.served += n as u64;
            } else if let Some(n) = number("private KiB ") {
                sums.dirty += n as u64;
            }
        }
        sums
    }

    /// What `self` has beyond `other`.
    pub(super) fn less(self, other: Sums) -> Sums {
        Sums {
            processes: self.processes.saturating_sub(other.processes),
            insns: self.insns.saturating_sub(other.insns),
            nanos: self.nanos - other.nanos,
            bytes: self.bytes - other.bytes,
            translated: self.translated.saturating_sub(other.translated),
            served: self.served.saturating_sub(other.served),
            dirty: self.dirty.saturating_sub(other.dirty),
        }
    }
}

impl Figures {
    /// From a first run and a second one that found its cache files.
    pub(super) fn new(cold: Sums, warm: Sums) -> Figures {
        Figures { cold, warm }
    }

    /// Names of the columns of [`Figures::row`].
    pub(super) const HEAD: &str = "| work | guest instructions translated | ns each | host bytes each | private KiB a process | regions from files, warm |\n|---|---|---|---|---|---|\n";

    /// A line of the table of figures.
    pub(super) fn row(&self, name: &str) -> String {
        let per = |a: f64, b: u64| if b == 0 { 0.0 } else { a / b as f64 };
        let (c, w) = (&self.cold, &self.warm);
        let mut text = String::new();
        let _ = writeln!(
            text,
            "| {name} | {} | {:.0} | {:.1} | {:.0} | {:.1} % |",
            c.insns,
            per(c.nanos, c.insns),
            per(c.bytes, c.insns),
            per(c.dirty as f64, c.processes),
            100.0 * per(w.served as f64, w.served + w.translated),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "regions translated                10\nguest instructions               200\n\
        host bytes per insn             8.50\ncpu ns per instruction           100  (form 50)\n\
        regions from the cache            30\n  guest instructions             600\nprivate KiB                     1300\n";

    #[test]
    fn blocks_add_up() {
        let one = Sums::of(BLOCK);
        assert_eq!(
            (one.processes, one.insns, one.translated, one.served, one.dirty),
            (1, 200, 10, 30, 1300)
        );
        assert_eq!((one.nanos, one.bytes), (20_000.0, 1700.0));
        let two = Sums::of(&format!("noise\n{BLOCK}{BLOCK}"));
        assert_eq!(two.less(one), one);
        assert_eq!(Figures::new(one, one).row("x"), "| x | 200 | 100 | 8.5 | 1300 | 75.0 % |\n");
    }
}
