//! The support matrix, printed from the rows.

use std::fmt::Write;

use crate::table::{Policy, calls};
use crate::uring::op;

/// A Markdown table of every call: how it is carried out on which guest, and what to know about it.
pub fn support_matrix() -> String {
    let abis = [&crate::abi::riscv64::ABI, &crate::abi::aarch64::ABI];
    let mut out = String::from(
        "| call | riscv64 | aarch64 | support | may sleep | io_uring | note |\n|---|---|---|---|---|---|---|\n",
    );
    for call in calls::ALL {
        let support = match call.policy {
            Policy::Forward(_) => "host",
            Policy::Handler(_) => "handled",
            Policy::Enosys(_) => "ENOSYS",
        };
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
