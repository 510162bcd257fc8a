//! What differs between guests: call numbers, flag values, structure layouts.
//!
//! One folder per guest. Everything a folder does not say is the generic 64-bit ABI
//! (`include/uapi/asm-generic`), whose layouts the host shares but for the exceptions in `structs`.

pub mod aarch64;
pub mod generic;
pub mod riscv64;
pub mod x86_64;

use crate::table::Call;

/// Numbers below this have a place in a table.
pub const TABLE_LEN: usize = 480;

/// Rows by the guest's number.
pub type CallTable = [Option<&'static Call>; TABLE_LEN];

/// Declares a number table as a function that builds it: `number name;`
macro_rules! table {
    ($(#[$doc:meta])* pub const fn $table:ident($($base:expr)?) { $( $nr:literal $name:ident; )* }) => {
        $(#[$doc])*
        pub const fn $table() -> $crate::abi::CallTable {
            let mut t: $crate::abi::CallTable = table!(@base $($base)?);
            $( t[$nr] = Some(&$crate::table::calls::$name); )*
            t
        }
    };
    (@base) => { [None; $crate::abi::TABLE_LEN] };
    (@base $base:expr) => { $base };
}
pub(crate) use table;

/// One guest's Linux ABI.
#[derive(Debug)]
pub struct Abi {
    /// Name as QEMU spells it.
    pub name: &'static str,
    /// `AUDIT_ARCH_*` (`linux/audit.h`), which filters of calls see.
    pub audit_arch: u32,
    /// `uname -m`.
    pub machine: &'static str,
    /// Rows by number.
    pub calls: CallTable,
    /// open(2) flag bits whose value differs: (guest, host).
    pub open_flags: &'static [(u32, u32)],
    /// `struct sigaction` has the `sa_restorer` field.
    pub sa_restorer: bool,
    /// Smallest `sigaltstack` size accepted (`MINSIGSTKSZ`), in bytes.
    pub min_sigstack: u64,
}

/// Finds the ABI by the guest's name (`riscv64`, `aarch64`).
pub fn abi(name: &str) -> Option<&'static Abi> {
    [&riscv64::ABI, &aarch64::ABI].into_iter().find(|a| a.name == name)
}

impl Abi {
    /// The row of a call number.
    #[inline]
    pub fn call(&self, nr: u64) -> Option<&'static Call> {
        usize::try_from(nr).ok().and_then(|n| self.calls.get(n).copied().flatten())
    }

    /// The guest's number of a row's name.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.calls.iter().position(|c| c.is_some_and(|c| c.name == name)).map(|n| n as u64)
    }

    /// open(2) flags in the host's numbering.
    pub fn open_flags_to_host(&self, flags: u32) -> u32 {
        self.open_flags.iter().fold(flags & !self.mask(|p| p.0), |out, &(guest, host)| {
            if flags & guest != 0 { out | host } else { out }
        })
    }

    /// open(2) flags in the guest's numbering.
    pub fn open_flags_to_guest(&self, flags: u32) -> u32 {
        self.open_flags.iter().fold(flags & !self.mask(|p| p.1), |out, &(guest, host)| {
            if flags & host != 0 { out | guest } else { out }
        })
    }

    fn mask(&self, side: impl Fn(&(u32, u32)) -> u32) -> u32 {
        self.open_flags.iter().map(side).fold(0, |a, b| a | b)
    }
}
