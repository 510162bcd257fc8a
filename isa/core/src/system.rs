//! What a guest provides for whole machines: privileged state, address translation, exceptions.
//! Pure logic over the state struct; whoever runs the machine brings memory, lines and time.

use remu_ir::ExitKind;

use crate::Isa;

/// Why memory is accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    /// Data is read.
    Read,
    /// Data is written, or read and written.
    Write,
    /// Instructions are fetched.
    Execute,
}

/// Where a page of guest addresses lies, and what may be done with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// Physical address that belongs to the guest address asked about.
    pub pa: u64,
    /// Reading is allowed.
    pub read: bool,
    /// Writing is allowed, and needs no change of tables.
    pub write: bool,
    /// This holds for all of the 4 KiB page, else for the bytes asked about.
    pub whole: bool,
    /// Bytes of guest addresses that one entry of the page tables maps, a power of two.
    pub span: u64,
}

/// An exception: its number and what comes with it, as the architecture has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trap {
    /// Number of the cause, or syndrome.
    pub cause: u64,
    /// Faulting address or instruction.
    pub value: u64,
}

/// Physical memory, as page tables are read from it.
pub trait PhysMem {
    /// The aligned 8 bytes at `pa`; `None` if no memory is there.
    fn read(&self, pa: u64) -> Option<u64>;
    /// Replaces `old` there by `new` in one step; whether `old` was there. `None` if no memory
    /// that can be written is.
    fn exchange(&self, pa: u64, old: u64, new: u64) -> Option<bool>;
}

/// What privileged state depends on besides the state struct.
pub trait Surroundings {
    /// The machine's time counter.
    fn time(&self) -> u64;
    /// Levels of the processor's interrupt lines.
    fn lines(&self) -> u64;
}

/// What remains to be done after an exit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct After {
    /// What translations of addresses are void.
    pub flush: Flush,
    /// Code may have changed: see the engine's `sync_code`.
    pub code_changed: bool,
    /// Wait for an event: until [`System::awake`].
    pub wait: bool,
    /// Let others run.
    pub rest: bool,
}

/// Translations of addresses that are void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flush {
    /// None.
    #[default]
    None,
    /// Those of the page of this guest address.
    Page(u64),
    /// All.
    All,
}

/// The privileged architecture of a guest. `state` is always its state struct, header included.
pub trait System: Send + Sync {
    /// State after power-on of processor number `cpu`, which starts at `entry`.
    fn reset(&self, state: &mut [u8], cpu: u64, entry: u64);
    /// Where `bytes` bytes at a guest address are. Code under the TLB number `tlb`
    /// ([`Isa::tlb`]) asks, or for [`Intent::Execute`] the processor as it is.
    ///
    /// # Errors
    /// The exception that the access raises.
    fn translate(
        &self,
        state: &mut [u8],
        mem: &dyn PhysMem,
        va: u64,
        bytes: u64,
        intent: Intent,
        tlb: u8,
    ) -> Result<Mapping, Trap>;
    /// The exception of an access that nothing answers.
    fn bus_error(&self, va: u64, intent: Intent) -> Trap;
    /// The exception of an access that must be aligned.
    fn misaligned(&self, va: u64, intent: Intent) -> Trap;
    /// Deals with an exit of translated code; the pc is in the header. `trap` is the exception
    /// that an access or fetch was refused with, for [`ExitKind::Fault`].
    fn exit(
        &self,
        state: &mut [u8],
        kind: ExitKind,
        trap: Option<Trap>,
        around: &dyn Surroundings,
    ) -> After;
    /// Takes the most urgent interrupt that is pending and enabled; whether there was one.
    fn interrupt(&self, state: &mut [u8], around: &dyn Surroundings) -> bool;
    /// Whether a waiting processor goes on.
    fn awake(&self, state: &mut [u8], around: &dyn Surroundings) -> bool;
    /// The time at which an interrupt becomes pending by itself.
    fn deadline(&self, state: &mut [u8]) -> Option<u64>;
    /// The registers as text.
    fn dump(&self, state: &mut [u8], around: &dyn Surroundings) -> String;
}

/// A processor for a whole machine.
pub struct Processor {
    /// Its instructions.
    pub isa: Box<dyn Isa>,
    /// Its privileged state.
    pub system: Box<dyn System>,
    /// Extensions as device trees name them.
    pub extensions: Vec<String>,
    /// The largest address space, as device trees name it.
    pub mmu: String,
}

impl core::fmt::Debug for Processor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Processor").field("extensions", &self.extensions).finish_non_exhaustive()
    }
}
