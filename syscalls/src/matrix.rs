//! The support matrix, printed from the rows.

use std::fmt::Write;

use crate::Abi;
use crate::table::{Call, Policy, calls};
use crate::uring::op;

/// A Markdown table of every call: how it is carried out on which guest, and what to know about it.
pub fn support_matrix() -> String {
    let abis = [&crate::abi::riscv64::ABI, &crate::abi::aarch64::ABI];
    let mut out = String::from(
        "| call | riscv64 | aarch64 | support | may sleep | io_uring | note |\n|---|---|---|---|---|---|---|\n",
    );
    for call in calls::ALL {
        let support = support(call);
        let _ = write!(out, "| {} |", call.name);
        for abi in abis {
            match abi.number(call.name) {
                Some(n) => _ = write!(out, " {n} |"),
                None => out.push_str(" |"),
            }
        }
        let uring = call.uring.and_then(|n| op::NAMES.get(usize::from(n))).copied().unwrap_or("");
        let _ = writeln!(
            out,
            " {support} | {} | {uring} | {} |",
            if call.blocking { "yes" } else { "" },
            call.note
        );
    }
    out
}

/// How a call is carried out, in one word.
fn support(call: &Call) -> &'static str {
    match call.policy {
        Policy::Forward(_) => "host",
        Policy::Handler(_) => "handled",
        Policy::Enosys(_) => "ENOSYS",
    }
}

fn rows(abi: &Abi) -> impl Iterator<Item = (usize, &'static Call)> {
    abi.calls.iter().enumerate().filter_map(|(n, call)| call.map(|c| (n, c)))
}

/// A line for every call of one guest, in the order of its numbers: number, name, how it is carried
/// out, and what to know about it.
pub fn support_text(abi: &Abi) -> String {
    let mut out = format!("{:>6}  {:<26} {:<8} note\n", "number", "call", "support");
    for (n, call) in rows(abi) {
        let line = format!("{n:>6}  {:<26} {:<8} {}", call.name, support(call), call.note);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The same as a JSON array of objects.
pub fn support_json(abi: &Abi) -> String {
    let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let objects: Vec<String> = rows(abi)
        .map(|(n, call)| {
            format!(
                r#"{{"number":{n},"name":"{}","support":"{}","may_sleep":{},"note":"{}"}}"#,
                call.name,
                support(call),
                call.blocking,
                quote(call.note)
            )
        })
        .collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The column of qemu-user is by trial and no matter of the rows.
    #[test]
    fn support_md_agrees_with_the_rows() {
        let text = include_str!("../SUPPORT.md");
        let mut lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|l| l.starts_with("| ") && !l.starts_with("| call "))
            .map(|l| l.split('|').map(str::trim).collect())
            .collect();
        lines.sort_unstable();
        let number =
            |abi: &Abi, call: &Call| abi.number(call.name).map_or(String::new(), |n| n.to_string());
        let mut rows: Vec<_> = calls::ALL
            .iter()
            .map(|c| {
                let numbers = [&crate::abi::riscv64::ABI, &crate::abi::aarch64::ABI];
                let [riscv64, aarch64] = numbers.map(|abi| number(abi, c));
                (c.name, riscv64, aarch64, support(c), c.note)
            })
            .filter(|r| !r.1.is_empty() || !r.2.is_empty())
            .collect();
        rows.sort_unstable();
        assert_eq!(lines.len(), rows.len(), "run `cargo xtask support`");
        for (line, row) in lines.iter().zip(&rows) {
            let shown = (line[1], line[2], line[3], line[4], line[6]);
            let wanted = (row.0, row.1.as_str(), row.2.as_str(), row.3, row.4);
            assert_eq!(shown, wanted, "run `cargo xtask support`");
        }
    }

    #[test]
    fn what_is_missing_says_why() {
        for call in calls::ALL {
            assert!(support(call) != "ENOSYS" || !call.note.is_empty(), "{}", call.name);
        }
        let abi = &crate::abi::riscv64::ABI;
        let (text, json) = (support_text(abi), support_json(abi));
        assert_eq!(text.lines().count(), rows(abi).count() + 1);
        assert!(text.contains("    63  read                       host"));
        assert_eq!(json.matches("\"number\":").count(), rows(abi).count());
        assert!(json.contains(
            r#"{"number":63,"name":"read","support":"host","may_sleep":true,"note":""}"#
        ));
    }
}
