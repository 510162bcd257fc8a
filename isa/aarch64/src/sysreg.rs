//! System registers and system instructions a user program may use, by their
//! encodings (DDI 0487, chapter D24), and the identification values.

use crate::features::*;

/// Encoding of a register as MRS and MSR hold it: op0 - 2, op1, CRn, CRm, op2.
const fn reg(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> u16 {
    (op0 - 2) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

macro_rules! registers {
    ($($id:ident $name:literal ($($n:literal),*);)*) => {
        $(#[doc = $name] pub(crate) const $id: u16 = reg($($n),*);)*
        const NAMES: &[(u16, &str)] = &[$(($id, $name)),*];
    };
}

#[rustfmt::skip]
registers! {
    NZCV "nzcv" (3, 3, 4, 2, 0);
    DAIF "daif" (3, 3, 4, 2, 1);
    DIT_REG "dit" (3, 3, 4, 2, 5);
    SSBS_REG "ssbs" (3, 3, 4, 2, 6);
    FPCR "fpcr" (3, 3, 4, 4, 0);
    FPSR "fpsr" (3, 3, 4, 4, 1);
    TPIDR_EL0 "tpidr_el0" (3, 3, 13, 0, 2);
    TPIDRRO_EL0 "tpidrro_el0" (3, 3, 13, 0, 3);
    CTR_EL0 "ctr_el0" (3, 3, 0, 0, 1);
    DCZID_EL0 "dczid_el0" (3, 3, 0, 0, 7);
    CNTFRQ_EL0 "cntfrq_el0" (3, 3, 14, 0, 0);
    CNTPCT_EL0 "cntpct_el0" (3, 3, 14, 0, 1);
    CNTVCT_EL0 "cntvct_el0" (3, 3, 14, 0, 2);
    MIDR_EL1 "midr_el1" (3, 0, 0, 0, 0);
    MPIDR_EL1 "mpidr_el1" (3, 0, 0, 0, 5);
    REVIDR_EL1 "revidr_el1" (3, 0, 0, 0, 6);
    ID_AA64PFR0_EL1 "id_aa64pfr0_el1" (3, 0, 0, 4, 0);
    ID_AA64PFR1_EL1 "id_aa64pfr1_el1" (3, 0, 0, 4, 1);
    ID_AA64ZFR0_EL1 "id_aa64zfr0_el1" (3, 0, 0, 4, 4);
    ID_AA64DFR0_EL1 "id_aa64dfr0_el1" (3, 0, 0, 5, 0);
    ID_AA64ISAR0_EL1 "id_aa64isar0_el1" (3, 0, 0, 6, 0);
    ID_AA64ISAR1_EL1 "id_aa64isar1_el1" (3, 0, 0, 6, 1);
    ID_AA64ISAR2_EL1 "id_aa64isar2_el1" (3, 0, 0, 6, 2);
    ID_AA64MMFR0_EL1 "id_aa64mmfr0_el1" (3, 0, 0, 7, 0);
    ID_AA64MMFR1_EL1 "id_aa64mmfr1_el1" (3, 0, 0, 7, 1);
    ID_AA64MMFR2_EL1 "id_aa64mmfr2_el1" (3, 0, 0, 7, 2);
}

/// Name of a register.
pub(crate) fn name(r: u16) -> Option<&'static str> {
    NAMES.iter().find(|n| n.0 == r).map(|n| n.1)
}

/// Name of a system instruction, and whether it takes a register.
pub(crate) fn operation(op1: u8, crn: u8, crm: u8, op2: u8) -> Option<(&'static str, bool)> {
    Some(match (op1, crn, crm, op2) {
        (0, 7, 1, 0) => ("ic ialluis", false),
        (0, 7, 5, 0) => ("ic iallu", false),
        (3, 7, 5, 1) => ("ic ivau", true),
        (0, 7, 6, 1) => ("dc ivac", true),
        (0, 7, 6, 2) => ("dc isw", true),
        (0, 7, 10, 2) => ("dc csw", true),
        (0, 7, 14, 2) => ("dc cisw", true),
        (3, 7, 4, 1) => ("dc zva", true),
        (3, 7, 4, 3) => ("dc gva", true),
        (3, 7, 4, 4) => ("dc gzva", true),
        (3, 7, 10, 1) => ("dc cvac", true),
        (3, 7, 11, 1) => ("dc cvau", true),
        (3, 7, 12, 1) => ("dc cvap", true),
        (3, 7, 13, 1) => ("dc cvadp", true),
        (3, 7, 14, 1) => ("dc civac", true),
        _ => return None,
    })
}

/// Nominal frequency of the virtual counter, in Hz.
pub(crate) const COUNTER_HZ: u64 = 1_000_000_000;

/// CTR_EL0: 64-byte lines, data caches coherent with instruction fetch to the
/// point of unification (IDC); instruction caches need IC IVAU.
const CTR: u64 = 1 << 31 | 1 << 28 | 4 << 24 | 4 << 20 | 4 << 16 | 3 << 14 | 4;

/// Value of a register that never changes, if a user program may read it. The
/// kernel emulates reads of the identification registers (Documentation/
/// arch/arm64/cpu-feature-registers.rst): unallocated ones read as zero.
pub(crate) fn constant(f: &Features, r: u16) -> Option<u64> {
    let if_has = |feature, value: u64| if f.has(feature) { value } else { 0 };
    Some(match r {
        CTR_EL0 => CTR,
        // DC ZVA clears 64 bytes.
        DCZID_EL0 => 4,
        CNTFRQ_EL0 => COUNTER_HZ,
        MIDR_EL1 => f.midr,
        MPIDR_EL1 => 0x8000_0000,
        REVIDR_EL1 => 0,
        ID_AA64PFR0_EL1 => {
            0x11 | if_has(FP16, 1 << 16) | if_has(FP16, 1 << 20) | if_has(DIT, 1 << 48)
        }
        ID_AA64PFR1_EL1 => if_has(BTI, 1) | if_has(SSBS, 2 << 4),
        ID_AA64ISAR0_EL1 => {
            if_has(AES, 2 << 4)
                | if_has(SHA1, 1 << 8)
                | if_has(SHA256, 1 << 12)
                | if_has(SHA512, 1 << 13) & !if_has(SHA512, 1 << 12)
                | if_has(CRC32, 1 << 16)
                | if_has(LSE, 2 << 20)
                | if_has(LSE128, 1 << 20)
                | if_has(RDM, 1 << 28)
                | if_has(SHA3, 1 << 32)
                | if_has(SM3, 1 << 36)
                | if_has(SM4, 1 << 40)
                | if_has(DOTPROD, 1 << 44)
                | if_has(FHM, 1 << 48)
                | if_has(FLAGM, 1 << 52)
                | if_has(FLAGM2, 2 << 52) & !if_has(FLAGM2, 1 << 52)
        }
        ID_AA64ISAR1_EL1 => {
            if_has(DPB, 1)
                | if_has(DPB2, 2)
                | if f.has(PAUTH) { if_has(PAC_KEYS, 3 << 8 | 1 << 28) } else { 0 }
                | if_has(JSCVT, 1 << 12)
                | if_has(FCMA, 1 << 16)
                | if_has(RCPC, 1 << 20)
                | if_has(RCPC2, 2 << 20)
                | if_has(FRINTTS, 1 << 32)
                | if_has(SB, 1 << 36)
                | if_has(BF16, 1 << 44)
                | if_has(I8MM, 1 << 52)
        }
        ID_AA64ISAR2_EL1 => {
            if_has(MOPS, 1 << 16)
                | if_has(HBC, 1 << 20)
                | if_has(RPRFM, 1 << 48)
                | if_has(CSSC, 1 << 52)
        }
        ID_AA64MMFR2_EL1 => if_has(LSE2, 1 << 32),
        // The rest of op1 = 0, CRn = 0, CRm = 0 to 7.
        _ if r >> 14 == 1 && r >> 6 & 0xff == 0 => 0,
        _ => return None,
    })
}
