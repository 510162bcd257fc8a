//! The architectures the checks know, one row each.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A guest architecture, or the host's own for comparison.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arch {
    /// 64-bit RISC-V.
    Riscv64,
    /// 64-bit Arm.
    Aarch64,
    /// The host: the same programs, run directly.
    Native,
}

/// What one architecture is called by the tools the checks use.
pub(crate) struct ArchRow {
    /// The architecture.
    pub(crate) arch: Arch,
    /// QEMU's and our own spelling.
    pub(crate) name: &'static str,
    /// Debian's spelling.
    pub(crate) debian: &'static str,
    /// GNU triplet, also the prefix of the cross tools; none for the host.
    pub(crate) triplet: &'static str,
    /// `e_machine` of its ELF files.
    pub(crate) elf_machine: u16,
}

#[rustfmt::skip]
const ROWS: &[ArchRow] = &[
    ArchRow { arch: Arch::Riscv64, name: "riscv64", debian: "riscv64", triplet: "riscv64-linux-gnu", elf_machine: 243 },
    ArchRow { arch: Arch::Aarch64, name: "aarch64", debian: "arm64",   triplet: "aarch64-linux-gnu", elf_machine: 183 },
    ArchRow { arch: Arch::Native,  name: "native",  debian: "amd64",   triplet: "x86_64-linux-gnu",  elf_machine: 62 },
];

impl Arch {
    /// Every guest, that is all but the host.
    pub(crate) const GUESTS: &[Arch] = &[Arch::Riscv64, Arch::Aarch64];

    /// The row of this architecture.
    pub(crate) fn row(self) -> &'static ArchRow {
        // The table lists every variant; the test below holds it to that.
        ROWS.iter().find(|row| row.arch == self).unwrap_or(&ROWS[0])
    }

    /// QEMU's and our own spelling.
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_row() {
        for &arch in Arch::value_variants() {
            assert_eq!(arch.row().arch, arch);
        }
    }
}
