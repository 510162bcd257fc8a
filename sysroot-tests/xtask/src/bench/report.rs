//! From measured seconds to ratios, JSON and a Markdown table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;

use super::figures::Figures;
use crate::arch::Arch;
use crate::cmd;

/// Seconds of one emulator (or of none) for one row.
#[derive(Serialize, Default)]
pub(super) struct Series {
    /// First run in each fresh sysroot.
    pub(super) cold: Vec<f64>,
    /// The later ones.
    pub(super) warm: Vec<f64>,
}

/// One row's figures.
#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) goal: f64,
    /// By `native`, `qemu`, `remu`.
    pub(super) series: BTreeMap<String, Series>,
    /// What the runner's statistics say, if it was there.
    pub(super) figures: Option<Figures>,
    /// What went wrong.
    pub(super) notes: Vec<String>,
}

/// All rows of one guest.
#[derive(Serialize)]
pub(super) struct Report {
    arch: Arch,
    date: String,
    machine: String,
    qemu: String,
    pub(super) rows: Vec<Measured>,
}

/// Middle of the values; none of none.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Half the distance between the quartiles, as a share of the median: how far to trust it.
fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quarter = sorted.len() / 4;
    Some((sorted[sorted.len() - 1 - quarter] - sorted[quarter]) / 2.0 / middle)
}

impl Measured {
    fn ratio(&self, who: &str, cold: bool) -> Option<f64> {
        let pick = |s: &Series| if cold { median(&s.cold) } else { median(&s.warm) };
        Some(pick(self.series.get(who)?)? / median(&self.series.get("native")?.warm)?)
    }
}

/// A row in one line, for the terminal.
pub(super) fn line(m: &Measured) -> String {
    let mut text = format!("{:<30}", m.name);
    for (who, series) in &m.series {
        if let (Some(middle), Some(spread)) = (median(&series.warm), spread(&series.warm)) {
            let _ = write!(text, " {who} {middle:.6} s ±{:.0} %", spread * 100.0);
        }
        if let (true, Some(ratio)) = (who != "native", m.ratio(who, false)) {
            let _ = write!(text, " = {ratio:.2}x");
        }
    }
    m.notes.iter().for_each(|n| text.push_str(&format!("\n    {n}")));
    text
}

impl Report {
    /// An empty report of this machine, now.
    pub(super) fn new(arch: Arch, qemu: &str) -> Report {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
        let date = cmd::output(Command::new("date").args(["-u", "+%F"])).unwrap_or_default();
        Report {
            arch,
            date: date.trim().to_string(),
            machine: model.map_or("unknown", |(_, m)| m).to_string(),
            qemu: qemu.to_string(),
            rows: Vec::new(),
        }
    }

    /// The tables of one guest: ratios, and figures that depend less on the machine.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!(
            "{} on {}, {}; times native, median; qemu-user {}\n\n",
            self.arch, self.machine, self.date, self.qemu
        );
        text.push_str("| work | native, ms | qemu | remu cold | remu warm | must reach |\n|---|---|---|---|---|---|\n");
        for row in &self.rows {
            let native = row.series.get("native").and_then(|s| median(&s.warm));
            let show = |x: Option<f64>| x.map_or("-".to_string(), |x| format!("{x:.2}"));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.name,
                native.map_or("-".to_string(), |s| format!("{:.3}", s * 1e3)),
                show(row.ratio("qemu", false)),
                show(row.ratio("remu", true)),
                show(row.ratio("remu", false)),
                row.goal
            );
        }
        if self.rows.iter().any(|r| r.figures.is_some()) {
            text += "\n";
            text += Figures::HEAD;
        }
        for row in &self.rows {
            text += &row.figures.map_or(String::new(), |f| f.row(&row.name));
        }
        text
    }

    /// Writes `bench-<arch>.json` and `.md`.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        fs::write(dir.join(format!("bench-{}.json", self.arch)), serde_json::to_vec_pretty(self)?)?;
        Ok(fs::write(dir.join(format!("bench-{}.md", self.arch)), self.markdown())?)
    }
}

/// README's table: qemu and remu beside native for every guest, and the geometric means.
pub(super) fn summary(reports: &[Report]) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let mut text = String::from("| work |");
    let mut rule = String::from("|---|");
    for report in reports {
        let _ = write!(text, " {0}: qemu | {0}: remu |", report.arch);
        rule += "---|---|";
    }
    let _ = writeln!(text, " remu at most |\n{rule}---|");
    let column = |report: &Report, who| -> Vec<Option<f64>> {
        report.rows.iter().map(|row| row.ratio(who, false)).collect()
    };
    let columns: Vec<_> =
        reports.iter().flat_map(|r| [column(r, "qemu"), column(r, "remu")]).collect();
    for (n, row) in first.rows.iter().enumerate() {
        let cells = columns.iter().map(|c| c.get(n).copied().flatten());
        let _ = writeln!(
            text,
            "| {} |{} {} |",
            row.name,
            cells.map(cell).collect::<String>(),
            row.goal
        );
    }
    let means = columns.iter().map(|c| geometric_mean(c.iter().copied().flatten()));
    text + &format!("| geometric mean |{} |\n", means.map(cell).collect::<String>())
}

/// A ratio as a cell of a table: as many digits as its spread deserves.
fn cell(ratio: Option<f64>) -> String {
    match ratio {
        None => " - |".to_string(),
        Some(x) if x < 9.95 => format!(" {x:.1} |"),
        Some(x) => format!(" {x:.0} |"),
    }
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), x| (sum + x.ln(), count + 1));
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_geometric() {
        let mean = geometric_mean([2.0, 8.0].into_iter()).unwrap();
        assert!((mean - 4.0).abs() < 1e-9 && geometric_mean([].into_iter()).is_none());
        assert_eq!([cell(Some(2.34)), cell(Some(18.6)), cell(None)], [" 2.3 |", " 19 |", " - |"]);
    }

    #[test]
    fn middle_and_spread() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 3.0, 10.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(spread(&[1.0, 2.0, 3.0]), Some(0.5));
    }

    #[test]
    fn ratios_are_to_native() {
        let series = |x: f64| Series { cold: vec![x * 2.0], warm: vec![x] };
        let all = [("native".to_string(), series(2.0)), ("remu".to_string(), series(3.0))];
        let row = Measured {
            name: "x".into(),
            goal: 2.0,
            series: all.into(),
            figures: None,
            notes: Vec::new(),
        };
        assert_eq!((row.ratio("remu", false), row.ratio("remu", true)), (Some(1.5), Some(3.0)));
        assert_eq!(row.ratio("qemu", false), None);
    }
}
