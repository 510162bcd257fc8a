//! Lowers IR regions to host machine code.
//!
//! Knows no guest: which state slots live in host registers, and where the
//! header's fields are, comes in a [`Layout`].

mod access;
mod layout;
pub mod x64;

pub use access::{Access, AccessKind};
pub use layout::{Host, Layout, SoftMmu};

/// What the lowering of a region produced besides bytes.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Offset of each block's entry, in the order of the region's blocks.
    pub entries: Vec<u32>,
    /// Jumps that leave the region to a known guest address.
    pub links: Vec<Link>,
    /// (offset, guest pc) where the code of instructions that can fault
    /// starts, by ascending offset. An entry that is there twice is that of a
    /// [`remu_ir::Op::load_joint`].
    pub faults: Vec<(u32, u64)>,
    /// Offsets of the code that guest returns come back to.
    pub landings: Vec<u32>,
    /// Bytes of code and the constants behind it.
    pub len: usize,
    /// Offset of the constants.
    pub data: usize,
    /// Ops lowered by calling the interpreter's meaning.
    pub fallbacks: u32,
    /// Places to change when the code is copied elsewhere, or when the guest
    /// code that it is made from lies elsewhere.
    pub relocs: Vec<Reloc>,
    /// A guest address is in the code in a form that cannot be changed: the code
    /// is right for guest code at this address only.
    pub fixed: bool,
}

impl Compiled {
    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.links.clear();
        self.faults.clear();
        self.landings.clear();
        self.relocs.clear();
        (self.len, self.data, self.fallbacks, self.fixed) = (0, 0, 0, false);
    }
}

/// A place in the code that holds an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Offset of the first byte.
    pub at: u32,
    /// What is there.
    pub kind: RelocKind,
}

/// What a [`Reloc`] changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RelocKind {
    /// 8 bytes: a guest address, which moves with the guest code.
    Guest,
    /// 4 bytes: the distance from their end to a thunk.
    Thunk,
    /// 8 bytes: the address of a function of the host program.
    Host,
}

impl RelocKind {
    /// Every kind, in order of its number.
    pub const ALL: [RelocKind; 3] = [RelocKind::Guest, RelocKind::Thunk, RelocKind::Host];
    /// Bytes that it covers.
    pub const fn bytes(self) -> usize {
        match self {
            RelocKind::Thunk => 4,
            RelocKind::Guest | RelocKind::Host => 8,
        }
    }
}

/// A jump or call that a stub resolves and the engine then patches.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Offset of the 4-byte displacement; aligned, so that it can be patched
    /// while other threads execute it.
    pub site: u32,
    /// Offset of the stub the displacement points to at first.
    pub stub: u32,
    /// Guest address to go to.
    pub target: u64,
}
