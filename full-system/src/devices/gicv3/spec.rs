//! System registers of a processor's interface. Arm IHI 0069, section 12.2.

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reg {
    /// Least urgent priority that passes.
    Pmr,
    /// Acknowledges an interrupt of a group.
    Iar(usize),
    /// Ends one.
    Eoir(usize),
    /// The one to be acknowledged.
    Hppir(usize),
    /// Binary point.
    Bpr(usize),
    /// Active priorities; only the first of them is there.
    Apr(usize, u8),
    /// Makes an interrupt inactive.
    Dir,
    /// Running priority.
    Rpr,
    /// Generates interrupts of a group for other processors.
    Sgir(usize),
    /// Control.
    Ctlr,
    /// System registers are used, always.
    Sre,
    /// A group passes.
    Igrpen(usize),
}

/// The number of a register: `op1`, `CRm` and `op2`, where `op0` is 3 and `CRn` given.
const fn number(crn: u16, crm: u16, op2: u16) -> u16 {
    3 << 14 | crn << 7 | crm << 3 | op2
}

/// Every register with its number.
#[rustfmt::skip]
const ROWS: &[(u16, Reg)] = &[
    (number(4, 6, 0),   Reg::Pmr),
    (number(12, 8, 0),  Reg::Iar(0)),
    (number(12, 8, 1),  Reg::Eoir(0)),
    (number(12, 8, 2),  Reg::Hppir(0)),
    (number(12, 8, 3),  Reg::Bpr(0)),
    (number(12, 8, 4),  Reg::Apr(0, 0)),
    (number(12, 8, 5),  Reg::Apr(0, 1)),
    (number(12, 8, 6),  Reg::Apr(0, 2)),
    (number(12, 8, 7),  Reg::Apr(0, 3)),
    (number(12, 9, 0),  Reg::Apr(1, 0)),
    (number(12, 9, 1),  Reg::Apr(1, 1)),
    (number(12, 9, 2),  Reg::Apr(1, 2)),
    (number(12, 9, 3),  Reg::Apr(1, 3)),
    (number(12, 11, 1), Reg::Dir),
    (number(12, 11, 3), Reg::Rpr),
    (number(12, 11, 5), Reg::Sgir(1)),
    // The alias for the other security state, which is not there.
    (number(12, 11, 6), Reg::Sgir(1)),
    (number(12, 11, 7), Reg::Sgir(0)),
    (number(12, 12, 0), Reg::Iar(1)),
    (number(12, 12, 1), Reg::Eoir(1)),
    (number(12, 12, 2), Reg::Hppir(1)),
    (number(12, 12, 3), Reg::Bpr(1)),
    (number(12, 12, 4), Reg::Ctlr),
    (number(12, 12, 5), Reg::Sre),
    (number(12, 12, 6), Reg::Igrpen(0)),
    (number(12, 12, 7), Reg::Igrpen(1)),
];

impl Reg {
    /// The register of this number.
    pub(super) fn find(number: u16) -> Option<Reg> {
        ROWS.iter().find(|r| r.0 == number).map(|r| r.1)
    }

    /// Whether it can be read.
    pub(super) fn reads(self) -> bool {
        !matches!(self, Reg::Eoir(_) | Reg::Dir | Reg::Sgir(_))
    }

    /// Whether it can be written.
    pub(super) fn writes(self) -> bool {
        !matches!(self, Reg::Iar(_) | Reg::Hppir(_) | Reg::Rpr)
    }
}
