//! The one list of guests.

use remu_isa::Guest;

/// Every guest.
pub static GUESTS: [&Guest; 2] = [&remu_aarch64::GUEST, &remu_riscv::GUEST];

/// The guest of a name, spelled as QEMU spells it.
pub fn by_name(name: &str) -> Option<&'static Guest> {
    GUESTS.into_iter().find(|g| g.name == name)
}

/// The guest of an ELF header: `e_machine`, 64-bit class, little-endian.
pub fn by_elf(machine: u16, elf64: bool, little: bool) -> Option<&'static Guest> {
    GUESTS.into_iter().find(|g| (g.elf_machine, g.elf64, g.little) == (machine, elf64, little))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_found_and_make_their_default_model() {
        for g in GUESTS {
            assert!(core::ptr::eq(by_name(g.name).unwrap(), g));
            assert!(core::ptr::eq(by_elf(g.elf_machine, g.elf64, g.little).unwrap(), g));
            assert!((g.make)("").is_ok() && (g.make)(g.models[0].name).is_ok());
        }
    }
}
