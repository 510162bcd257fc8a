//! binfmt_misc: makes the kernel start a runner for another processor's programs
//! (Documentation/admin-guide/binfmt-misc.rst).

mod entry;
mod kernel;

pub use entry::{Entry, Flags, FlagsError, registration};
pub use kernel::{Change, Error, Kernel};

use remu_isa::Guest;

/// Bytes of an ELF header that tell the machine: up to `e_machine`.
pub const LEN: usize = 20;

/// The bytes a program of a guest begins with, and which of their bits count.
pub fn magic(guest: &Guest) -> ([u8; LEN], [u8; LEN]) {
    let mut magic = [0; LEN];
    magic[..4].copy_from_slice(b"\x7fELF");
    magic[4] = if guest.elf64 { 2 } else { 1 };
    magic[5] = if guest.little { 1 } else { 2 };
    magic[6] = 1;
    let half = |v: u16| if guest.little { v.to_le_bytes() } else { v.to_be_bytes() };
    magic[16..18].copy_from_slice(&half(2));
    magic[18..20].copy_from_slice(&half(guest.elf_machine));
    let mut mask = [0xff; LEN];
    // Any operating system ABI; programs and position-independent programs.
    mask[7] = 0;
    mask[16..18].copy_from_slice(&half(0xfffe));
    (magic, mask)
}

/// Name of a guest's entry.
pub fn entry_name(guest: &Guest) -> String {
    format!("remu-{}", guest.name)
}

/// File name of a guest's runner.
pub fn runner_name(guest: &Guest) -> String {
    format!("remu-user-{}", guest.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_matches_programs_of_the_guest_only() {
        for guest in remu_registry::GUESTS {
            let (magic, mask) = magic(guest);
            let matches = |head: &[u8; LEN]| (0..LEN).all(|i| (head[i] ^ magic[i]) & mask[i] == 0);
            let mut head = magic;
            assert!(matches(&head));
            head[16] ^= 1; // ET_DYN
            assert!(matches(&head));
            head[7] = 3; // ELFOSABI_LINUX
            assert!(matches(&head));
            head[16] = 1; // ET_REL
            assert!(!matches(&head));
            head = magic;
            head[18] ^= 1;
            assert!(!matches(&head));
        }
    }
}
