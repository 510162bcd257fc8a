//! `cargo xtask boot --compare`: what rows measure, under this project's emulator and under qemu-system.

use anyhow::{Result, bail};

use super::row::Boot;
use super::{Figure, Options, Runner, one, pieces, row};
use crate::cache;

/// The runners, in the order of each round.
const RUNNERS: [Runner; 2] = [Runner::Remu, Runner::Qemu];

/// Runs the rows that are wanted and prints the best of each figure.
pub(super) fn run(options: &Options, wanted: impl Fn(&Boot) -> bool) -> Result<()> {
    let logs = cache::target().join("boot");
    std::fs::create_dir_all(&logs)?;
    let rows = row::all()?;
    let mut measured = 0;
    println!("| machine | what | remu | qemu-system | remu is |\n|---|---|---:|---:|---:|");
    for boot in rows.boots.iter().filter(|b| wanted(b)) {
        let pieces = pieces::ensure(boot, &rows.roots)?;
        for &cpus in boot.cpus.iter().filter(|&&c| options.cpus.is_none_or(|o| o == c)) {
            let name = format!("{}-{}-{cpus}", boot.arch, boot.name);
            let mut best: [Vec<Figure>; 2] = [Vec::new(), Vec::new()];
            // In turn, so that what else the machine does falls on both.
            for _ in 0..options.runs.max(1) {
                for (best, runner) in best.iter_mut().zip(RUNNERS) {
                    let log = logs.join(format!("{name}-{runner:?}.log").to_lowercase());
                    keep(best, one(options, runner, boot, &pieces, cpus, &log)?.figures);
                }
            }
            let [ours, theirs] = &best;
            for (ours, theirs) in ours.iter().zip(theirs) {
                println!("{}", line(&name, ours, theirs));
                measured += 1;
            }
        }
    }
    if measured == 0 {
        bail!("no row that measures something is wanted");
    }
    Ok(())
}

/// Keeps the better of each figure.
fn keep(best: &mut Vec<Figure>, found: Vec<Figure>) {
    if best.is_empty() {
        *best = found;
        return;
    }
    for (best, found) in best.iter_mut().zip(found) {
        let better = if best.rate { f64::max } else { f64::min };
        best.value = better(best.value, found.value);
    }
}

/// A line of the table.
fn line(machine: &str, ours: &Figure, theirs: &Figure) -> String {
    let shown = |f: &Figure| match f.rate {
        true => format!("{:.0}/s", f.value),
        false => format!("{:.2} s", f.value),
    };
    let times = if ours.rate { ours.value / theirs.value } else { theirs.value / ours.value };
    let what = &ours.name;
    format!(
        "| {machine} | {what} | {} | {} | {times:.2} times as fast |",
        shown(ours),
        shown(theirs)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, rate: bool) -> Figure {
        Figure { name: "x".into(), value, rate }
    }

    #[test]
    fn the_better_figures_are_kept_and_compared() {
        let mut best = Vec::new();
        keep(&mut best, vec![figure(2.0, false), figure(10.0, true)]);
        keep(&mut best, vec![figure(3.0, false), figure(20.0, true)]);
        assert_eq!((best[0].value, best[1].value), (2.0, 20.0));
        let text = line("m", &best[0], &figure(3.0, false));
        assert_eq!(text, "| m | x | 2.00 s | 3.00 s | 1.50 times as fast |");
        let text = line("m", &best[1], &figure(40.0, true));
        assert_eq!(text, "| m | x | 20/s | 40/s | 0.50 times as fast |");
    }
}
