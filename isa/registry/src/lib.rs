//! The one list of guests.

use remu_isa::Guest;

/// Every guest that is built in.
pub static GUESTS: &[&Guest] = &[];

/// The guest of a name, spelled as QEMU spells it.
pub fn find(name: &str) -> Option<&'static Guest> {
    GUESTS.iter().copied().find(|g| g.name == name)
}

/// The guest that runs ELF files of a machine.
pub fn by_machine(machine: u16, is64: bool, little: bool) -> Option<&'static Guest> {
    let fits = |g: &&Guest| g.elf_machine == machine && g.elf64 == is64 && g.little == little;
    GUESTS.iter().copied().find(fits)
}
