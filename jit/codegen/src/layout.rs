//! Where guest state is, as translated code sees it.

use remu_ir::Slot;

/// Layout of guest state relative to the state pointer. Translated code keeps
/// `state + bias` in a register, so that the integer registers behind the
/// header are in reach of one-byte displacements.
#[derive(Clone, Debug)]
pub struct Layout {
    /// I64 slots kept in host registers, best first.
    pub pinned_int: Vec<Slot>,
    /// V128 or F64 slots kept in host vector registers, best first.
    pub pinned_vec: Vec<Slot>,
    /// Offsets of `Flags` slots. Inside translated code they have another order
    /// than N, Z, C, V in bits 31 to 28: see [`Layout::RAW_NZCV`].
    pub flags: Vec<u16>,
    /// Bytes of guest state; scratch memory of translated code follows.
    pub size: usize,
    /// log2 of the alignment of guest instructions: how lookups hash.
    pub insn_align: u8,
    /// What of the host's instructions may be used.
    pub host: Host,
    /// How guest addresses become host addresses: by this, or they are the same.
    pub softmmu: Option<SoftMmu>,
}

/// The memory strategy of whole machines: each access looks its page up in a table
/// of the processor's, the TLB, and asks [`crate::Access`]'s handler where that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoftMmu {
    /// Displacement of the first TLB's first entry from the state pointer.
    pub tlb: i32,
    /// Bytes of the longest instruction: one that may reach into the next page is
    /// never linked to.
    pub longest: u8,
}

impl SoftMmu {
    /// Entries of a TLB.
    pub const ENTRIES: usize = 1024;
    /// Bytes of an entry, a power of two: the words below, then one of the engine's.
    pub const ENTRY: usize = 32;
    /// TLBs of a processor; [`remu_ir::Region::mmu`] says which one code uses.
    pub const TLBS: usize = 4;
    /// Pinned integer slots that this strategy leaves room for.
    pub const PINNED: usize = 9;
    /// Offset in an entry of the guest page that may be read.
    pub const READ: i32 = 0;
    /// Offset of the guest page that may be written.
    pub const WRITE: i32 = 8;
    /// Offset of the host address of the page.
    pub const HOST: i32 = 16;
    /// log2 of the bytes of a page.
    pub const PAGE_BITS: u8 = 12;
    /// What the page words of entry `n` hold where there is none: a page that is
    /// never looked up there.
    pub const fn nothing(n: usize) -> u64 {
        ((n ^ 1) as u64) << Self::PAGE_BITS
    }
    /// Entry of a guest address.
    pub const fn entry_of(va: u64) -> usize {
        (va >> Self::PAGE_BITS) as usize & (Self::ENTRIES - 1)
    }
    /// Whether code of the page of `from` may jump straight to the code at `to`.
    pub(crate) const fn same_page(self, from: u64, to: u64) -> bool {
        const OFFSET: u64 = (1 << SoftMmu::PAGE_BITS) - 1;
        (from ^ to) & !OFFSET == 0 && (to & OFFSET) + self.longest as u64 <= OFFSET + 1
    }
}

impl Layout {
    /// The state pointer points this far behind the start of the state.
    pub const BIAS: i32 = 384;
    /// Offsets in the header, which `isa/core` lays out; the engine checks
    /// them against it.
    pub const EXIT_REQUEST: i32 = 0;
    /// See [`Layout::EXIT_REQUEST`].
    pub const EXIT_KIND: i32 = 4;
    /// See [`Layout::EXIT_REQUEST`].
    pub const PC: i32 = 8;
    /// See [`Layout::EXIT_REQUEST`].
    pub const EXIT_INFO: i32 = 16;
    /// See [`Layout::EXIT_REQUEST`].
    pub const FPSTAT: i32 = 32;
    /// See [`Layout::EXIT_REQUEST`].
    pub const FPMODE: i32 = 36;
    /// Private words of the engine: first one.
    pub const ENGINE: i32 = 40;
    /// Host stack pointer while in translated code.
    pub const HOST_RSP: i32 = Self::ENGINE;
    /// Return stack pointer while outside.
    pub const GUEST_RSP: i32 = Self::ENGINE + 8;
    /// The thread's lookup cache: pairs of guest pc and host address.
    pub const CACHE: i32 = Self::ENGINE + 16;
    /// MXCSR of the guest, then of the host.
    pub const MXCSR: i32 = Self::ENGINE + 24;
    /// Empty position of the return stack.
    pub const STACK_TOP: i32 = Self::ENGINE + 32;
    /// Host address of the link that missed: end of its displacement.
    pub const LINK: i32 = Self::ENGINE + 40;
    /// Non-zero while a helper runs.
    pub const IN_HELPER: i32 = Self::ENGINE + 48;

    /// Non-zero while the thread is in translated code.
    pub const IN_CODE: i32 = Self::ENGINE + 56;

    /// The guest address of empty entries of the lookup cache and of the empty
    /// return stack; their host addresses lead to the engine, because a guest
    /// may well jump there.
    pub const NOWHERE: u64 = 1;
    /// N, Z, C, V in flags slots while translated code runs, as `lahf` and `seto al`
    /// leave them in eax. Bits 7 to 1 are 0, others mean nothing. The thunks
    /// between translated code and others change the order.
    pub const RAW_NZCV: i32 = 0xc101;
    /// The bit of C among them.
    pub const RAW_C: u8 = 8;
    /// Entries of the lookup cache.
    pub const CACHE_ENTRIES: usize = 4096;
    /// Bytes behind the state that translated code uses: spill slots, then
    /// the operands of a fallback.
    pub const SCRATCH: usize = Self::SPILLS * 16 + 64;
    /// Spill slots.
    pub const SPILLS: usize = 256;

    /// Entry of the lookup cache for a guest address.
    pub const fn cache_entry(&self, pc: u64) -> usize {
        (pc >> self.insn_align) as usize & (Self::CACHE_ENTRIES - 1)
    }
    /// The entry to look at where that one is another address's. Programs only: a
    /// machine's caches are emptied too often.
    pub const fn second_entry(pc: u64) -> usize {
        ((pc as u32).wrapping_mul(Self::SECOND) >> Self::SECOND_SHIFT) as usize
    }
    /// Factor and shift of [`Layout::second_entry`]: the top bits of a product.
    pub(crate) const SECOND: u32 = 0x9e37_79b1;
    /// See [`Layout::SECOND`].
    pub(crate) const SECOND_SHIFT: u32 = 32 - Self::CACHE_ENTRIES.ilog2();

    /// Displacement of a state offset from the state pointer.
    pub const fn disp(offset: i32) -> i32 {
        offset - Self::BIAS
    }
    /// Displacement of a spill slot.
    pub const fn spill(&self, n: usize) -> i32 {
        self.size as i32 + n as i32 * 16 - Self::BIAS
    }
    /// Displacement of the fallback's operands: result, then up to three.
    pub const fn fallback(&self) -> i32 {
        self.spill(Self::SPILLS)
    }
}

/// Extensions of the host's instruction set that translated code uses besides those of every
/// host that is supported: AVX2, BMI2, FMA, LZCNT, AES and PCLMULQDQ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Host {
    /// SHA extensions.
    pub sha: bool,
    /// Galois-field instructions.
    pub gfni: bool,
}

impl Host {
    /// A host that has none of them.
    pub const LEAST: Host = Host { sha: false, gfni: false };

    /// Those of this host.
    pub fn detect() -> Host {
        Host {
            sha: std::is_x86_feature_detected!("sha"),
            gfni: std::is_x86_feature_detected!("gfni"),
        }
    }
}
