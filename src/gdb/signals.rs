//! gdb numbers signals in its own way, on every system alike (`enum gdb_signal` in its manual's
//! protocol chapter and `include/gdb/signals.def`).

/// The kernel's numbers 1 to 31 as gdb has them.
const GDB: [u8; 31] = [
    1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 143, 20, 19, 17, 18, 21, 22, 16, 24, 25,
    26, 27, 28, 23, 32, 12,
];
/// Signals 32, 33 to 63, and 64.
const SIG32: u8 = 77;
const SIG33: u8 = 45;
const SIG64: u8 = 78;
/// Anything else.
const UNKNOWN: u8 = 143;

/// gdb's number of a kernel's signal.
pub(super) fn to_gdb(signal: i32) -> u8 {
    match signal {
        0 => 0,
        1..=31 => GDB[signal as usize - 1],
        32 => SIG32,
        33..=63 => SIG33 + (signal - 33) as u8,
        64 => SIG64,
        _ => UNKNOWN,
    }
}

/// The kernel's number of gdb's signal; 0 for none and for one that Linux does not have.
pub(super) fn from_gdb(signal: u8) -> i32 {
    match signal {
        0 => 0,
        SIG32 => 32,
        SIG33..=75 => i32::from(signal - SIG33) + 33,
        SIG64 => 64,
        UNKNOWN => 0,
        n => GDB.iter().position(|&g| g == n).map_or(0, |at| at as i32 + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_convert_both_ways() {
        for signal in (1..=64).filter(|&s| s != libc::SIGSTKFLT) {
            assert_eq!(from_gdb(to_gdb(signal)), signal);
        }
        assert_eq!(to_gdb(libc::SIGUSR1), 30);
        assert_eq!(to_gdb(libc::SIGCHLD), 20);
        assert_eq!((from_gdb(0), from_gdb(100), to_gdb(65)), (0, 0, UNKNOWN));
    }
}
