//! Register rows: where a register lies, who may access it, its value after reset, its fields.

/// Who may access a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Ro,
    /// Write only.
    Wo,
    /// Both.
    Rw,
}

impl Access {
    /// May be read.
    pub fn reads(self) -> bool {
        self != Access::Wo
    }
    /// May be written.
    pub fn writes(self) -> bool {
        self != Access::Ro
    }
}

/// A field: bits `low..=high` of its register.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Lowest bit.
    pub low: u8,
    /// Highest bit.
    pub high: u8,
}

impl Field {
    /// The field's bits, all ones, in place.
    pub const fn mask(self) -> u32 {
        (u32::MAX >> (31 - (self.high - self.low) as u32)) << self.low
    }
    /// The field's value in `register`.
    pub const fn get(self, register: u32) -> u32 {
        (register & self.mask()) >> self.low
    }
    /// Whether any bit of the field is set.
    pub const fn is_set(self, register: u32) -> bool {
        register & self.mask() != 0
    }
}

/// A register, or several of one kind at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Row<R> {
    /// Which.
    pub reg: R,
    /// Bytes from the device's base.
    pub offset: u64,
    /// How many.
    pub count: u64,
    /// Bytes from one to the next.
    pub stride: u64,
    /// Name in the manual.
    pub name: &'static str,
    /// Who may access it.
    pub access: Access,
    /// Value after reset, where the row says one.
    pub reset: Option<u32>,
}

/// The register that holds byte `offset`, its number among its kind, and the byte's place in it.
pub fn find<R: Copy>(rows: &[Row<R>], offset: u64) -> Option<(Row<R>, usize, u64)> {
    rows.iter().find_map(|row| {
        let from = offset.checked_sub(row.offset)?;
        (from < row.count * row.stride).then_some((
            *row,
            (from / row.stride) as usize,
            from % row.stride,
        ))
    })
}

/// As [`find`], for an access: what may not be read or written is logged and not found.
pub fn access<R: Copy>(
    device: &str,
    rows: &[Row<R>],
    offset: u64,
    write: bool,
) -> Option<(R, usize, u64)> {
    let verb = if write { "write to" } else { "read of" };
    let Some((row, index, byte)) = find(rows, offset) else {
        log::debug!(target: "guest_errors", "{device}: {verb} offset {offset:#x}, where no register is");
        return None;
    };
    let allowed = if write { row.access.writes() } else { row.access.reads() };
    if !allowed {
        log::debug!(target: "guest_errors", "{device}: {verb} {}, which does not allow it", row.name);
    }
    allowed.then_some((row.reg, index, byte))
}

/// The value that a row gives a register, for those that never change.
pub fn constant<R: Copy>(rows: &[Row<R>], offset: u64) -> u32 {
    find(rows, offset).and_then(|(row, ..)| row.reset).unwrap_or(0)
}

/// Declares a device's registers: `enum Reg`, its rows, and a module of field constants for each register.
///
/// A row is `offset Name access "what it is"`, then optionally `x COUNT by STRIDE`, `= RESET`, `{ FIELD: bits }`.
macro_rules! registers {
    (
        $(#[$meta:meta])*
        bytes $width:literal;
        $(
            $offset:literal $name:ident $access:ident $about:literal
            $(x $count:literal by $stride:literal)?
            $(= $reset:literal)?
            $({ $( $field:ident : $low:literal $(..= $high:literal)? ),* $(,)? })?
            ;
        )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Reg { $( #[doc = $about] $name ),* }

        /// The rows of this device.
        pub(super) static ROWS: &[$crate::devices::registers::Row<Reg>] = &[ $(
            $crate::devices::registers::Row {
                reg: Reg::$name,
                offset: $offset,
                count: $crate::devices::registers::registers!(@or 1 $(, $count)?),
                stride: $crate::devices::registers::registers!(@or $width $(, $stride)?),
                name: stringify!($name),
                access: $crate::devices::registers::registers!(@access $access),
                reset: $crate::devices::registers::registers!(@reset $($reset)?),
            }
        ),* ];

        $($(
            #[doc = $about]
            #[expect(non_snake_case, reason = "named as its register")]
            pub(super) mod $name {
                $(
                    #[doc = concat!(stringify!($field), " of ", stringify!($name))]
                    #[allow(dead_code, reason = "a row lists the manual's fields, used or not")]
                    pub(in super::super) const $field: $crate::devices::registers::Field =
                        $crate::devices::registers::Field {
                            low: $low,
                            high: $crate::devices::registers::registers!(@or $low $(, $high)?),
                        };
                )*
            }
        )?)*
    };
    (@or $default:expr) => { $default };
    (@or $default:expr, $value:expr) => { $value };
    (@access ro) => { $crate::devices::registers::Access::Ro };
    (@access wo) => { $crate::devices::registers::Access::Wo };
    (@access rw) => { $crate::devices::registers::Access::Rw };
    (@reset) => { None };
    (@reset $reset:literal) => { Some($reset) };
}
pub(crate) use registers;

#[cfg(test)]
pub(crate) mod check {
    use super::Row;
    use crate::bus::Mmio;

    /// Rows do not overlap, and what can be read without effect has its value after reset.
    pub(crate) fn rows<R: Copy>(device: &dyn Mmio, rows: &[Row<R>], size: u8) {
        for (i, a) in rows.iter().enumerate() {
            for b in &rows[i + 1..] {
                let apart = a.offset + a.count * a.stride <= b.offset
                    || b.offset + b.count * b.stride <= a.offset;
                // Two registers may share an address when one is only read and the other only written.
                let shared = a.access.reads() != b.access.reads();
                assert!(apart || shared, "{} and {} overlap", a.name, b.name);
            }
            let Some(reset) = a.reset.filter(|_| a.access.reads()) else { continue };
            for n in 0..a.count {
                let found = device.read(a.offset + n * a.stride, size);
                assert_eq!(found, u64::from(reset), "{}[{n}] after reset", a.name);
            }
        }
    }
}
