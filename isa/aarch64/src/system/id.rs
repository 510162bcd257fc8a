//! Identification registers, as EL1 sees them: what programs see (`sysreg`), and what belongs to
//! machines.

use crate::features::{self, Features};
use crate::sysreg;

/// CLIDR_EL1: separate instruction and data caches, then a unified one, where code and data meet.
pub(crate) const CLIDR: u64 = 2 << 24 | 1 << 27 | 1 << 21 | 4 << 3 | 3;

/// CCSIDR_EL1 of the cache that CSSELR_EL1 selects: sets, ways and log2 of 16 bytes of a line.
pub(crate) fn ccsidr(select: u64) -> u64 {
    let of = |kib: u64, ways: u64| (kib * 1024 / 64 / ways - 1) << 13 | (ways - 1) << 3 | 2;
    match select {
        0 => of(32, 4),
        1 => of(48, 3),
        2 => of(1024, 16),
        _ => 0,
    }
}

/// MPIDR_EL1: sixteen processors share the lowest affinity, as far as one interrupt of a GICv3
/// reaches.
pub(crate) fn affinity(number: u64) -> u64 {
    number & 15 | (number >> 4 & 0xff) << 8 | (number >> 12 & 0xff) << 16
}

/// Value of a register. `gic`: the interrupt controller has system registers.
pub(crate) fn value(f: &Features, reg: u16, number: u64, gic: bool) -> u64 {
    let if_has = |feature, value: u64| if f.has(feature) { value } else { 0 };
    // As `sysreg` numbers them.
    let reg = reg & 0x7fff;
    let base = sysreg::constant(f, reg).unwrap_or(0);
    match reg {
        sysreg::MPIDR_EL1 => 1 << 31 | affinity(number),
        // No speculation reaches what it should not (CSV2 with SCXTNUM_ELx and for branch
        // history, CSV3), so that kernels need not work around it.
        sysreg::ID_AA64PFR0_EL1 => base | u64::from(gic) << 24 | 3 << 56 | 1 << 60,
        // Version 8 of debug, two breakpoints and two watchpoints.
        sysreg::ID_AA64DFR0_EL1 => 6 | 1 << 12 | 1 << 20,
        sysreg::ID_AA64ISAR0_EL1 => base | if_has(features::TLBIRANGE, 2 << 56),
        // 48 bits of physical address, 16 of ASID, every granule.
        sysreg::ID_AA64MMFR0_EL1 => 5 | 2 << 4 | 1 << 20,
        sysreg::ID_AA64MMFR1_EL1 => {
            if_has(features::HAFDBS, 2)
                | if_has(features::HPDS, 1 << 12)
                | if_has(features::LOR, 1 << 16)
                | if_has(features::PAN, 2 << 20)
        }
        sysreg::ID_AA64MMFR2_EL1 => {
            base | if_has(features::CNP, 1) | if_has(features::E0PD, 1 << 60)
        }
        _ => base,
    }
}
