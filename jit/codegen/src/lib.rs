//! Lowers IR regions to host machine code.
//!
//! Knows no guest: which state slots live in host registers, and where the
//! header's fields are, comes in a [`Layout`].

mod layout;
pub mod x64;

pub use layout::Layout;

/// What the lowering of a region produced besides bytes.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Offset of each block's entry, in the order of the region's blocks.
    pub entries: Vec<u32>,
    /// Jumps that leave the region to a known guest address.
    pub links: Vec<Link>,
    /// (offset, guest pc) where the code of instructions that can fault
    /// starts, by ascending offset.
    pub faults: Vec<(u32, u64)>,
    /// Offsets of the code that guest returns come back to.
    pub landings: Vec<u32>,
    /// Bytes of code.
    pub len: usize,
    /// Ops lowered by calling the interpreter's meaning.
    pub fallbacks: u32,
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
