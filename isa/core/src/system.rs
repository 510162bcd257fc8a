//! What a guest provides for whole machines: privileged state, address translation, exceptions.
//! Pure logic over the state struct; whoever runs the machine brings memory, lines and time.

use remu_ir::{ExitKind, Slot};

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
    /// Physical memory.
    fn memory(&self) -> &dyn PhysMem;
    /// The machine's time counter.
    fn time(&self) -> u64;
    /// Levels of the processor's interrupt lines.
    fn lines(&self) -> u64;
    /// Reads a system register that the machine keeps for this processor: those of an interrupt
    /// controller. `reg` is the register's number as the architecture encodes it. `None` if there
    /// is no such register, or it cannot be read.
    ///
    /// Arm: op0 in bits 15:14, op1 in 13:11, CRn in 10:7, CRm in 6:3, op2 in 2:0, as DDI 0487 has
    /// them from bit 5 of MRS and MSR on. Asked for are the `ICC_*` registers that EL1 can reach.
    fn register(&self, reg: u16) -> Option<u64> {
        let _ = reg;
        None
    }
    /// Writes such a register; whether there is one that can be written. Lines may have changed
    /// when it returns.
    fn set_register(&self, reg: u16, value: u64) -> bool {
        let _ = (reg, value);
        false
    }
    /// Calls the firmware that the machine itself plays. Without any, [`FirmwareAnswer::None`].
    fn firmware(&self, call: FirmwareCall) -> FirmwareAnswer {
        let _ = call;
        FirmwareAnswer::None
    }
    /// Tells processors that wait for an event of one (SEV of Arm).
    fn event(&self) {}
    /// Is told of each exception and interrupt, before the first instruction of its handler.
    fn entered(&self, entry: &Entry) {
        let _ = entry;
    }
}

/// An exception or interrupt that a processor enters the handler of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it is, for people.
    pub name: &'static str,
    /// The cause as the handler sees it (`scause`, ESR_EL1); 0 where an interrupt has none.
    pub cause: u64,
    /// What comes with it: faulting address or instruction.
    pub value: u64,
    /// Where the processor was.
    pub pc: u64,
    /// Privilege before, and that of the handler, as the architecture numbers it.
    pub levels: [u8; 2],
    /// First instruction of the handler.
    pub handler: u64,
}

/// How firmware is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conduit {
    /// HVC of Arm, without an EL2 that takes it.
    Hvc,
    /// SMC of Arm, without an EL3 that takes it.
    Smc,
}

/// A call to firmware: "SMC Calling Convention", DEN 0028; PSCI is DEN 0022.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirmwareCall {
    /// The instruction.
    pub conduit: Conduit,
    /// Function, of 32 bits. Calls of the 32-bit convention have their arguments cut to that already.
    pub function: u32,
    /// Arguments.
    pub args: [u64; 3],
}

/// What firmware does with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirmwareAnswer {
    /// It does not listen to this conduit: the instruction is undefined.
    None,
    /// Returns this.
    Return(u64),
    /// Returns 0 after the processor has waited for an interrupt.
    Wait,
    /// Does not return: the processor is off, until somebody starts it by [`System::start`]; or the
    /// machine is about to be reset or switched off.
    Off,
}

/// What remains to be done after an exit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct After {
    /// What translations of addresses are void.
    pub flush: Flush,
    /// The same for all other processors, which may take its time until [`After::settle`].
    pub others: Flush,
    /// Wait until the other processors have forgotten what they were told to.
    pub settle: bool,
    /// Code may have changed: see the engine's `sync_code`.
    pub code_changed: bool,
    /// Wait for an event: until [`System::awake`].
    pub wait: bool,
    /// Let others run.
    pub rest: bool,
    /// The processor is off: until [`System::start`].
    pub off: bool,
}

/// Translations of addresses that are void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flush {
    /// None.
    #[default]
    None,
    /// Those of the page of this guest address.
    Page(u64),
    /// Those of a guest address and of so many bytes from it on.
    Range(u64, u64),
    /// All.
    All,
}

/// The privileged architecture of a guest. `state` is always its state struct, header included.
pub trait System: Send + Sync {
    /// State after power-on of processor number `cpu`, which starts at `entry`.
    fn reset(&self, state: &mut [u8], cpu: u64, entry: u64);
    /// State of processor number `cpu` when firmware starts it: as after power-on, but `argument`
    /// is in the first argument register, and it is where firmware leaves to an operating system
    /// (CPU_ON of PSCI: EL2, or EL1 where there is none).
    fn start(&self, state: &mut [u8], cpu: u64, entry: u64, argument: u64);
    /// What device trees and firmware call processor number `cpu` (Arm: affinity fields of MPIDR_EL1).
    fn affinity(&self, cpu: u64) -> u64 {
        cpu
    }
    /// Ticks of [`Surroundings::time`] in a second.
    fn hertz(&self) -> u64;
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
    /// The time at which an interrupt becomes pending by itself, or what [`System::timers`] says
    /// changes.
    fn deadline(&self, state: &mut [u8]) -> Option<u64>;
    /// Levels of the lines that the processor's own timers drive, which end in an interrupt
    /// controller of the machine: bit n is the controller's private input n. To be asked before
    /// [`System::interrupt`] and [`System::awake`], and brought there where they have changed.
    ///
    /// Arm: interrupt numbers of the GIC, 30 physical timer of EL1, 27 virtual timer, 26 of EL2,
    /// 29 physical timer of secure EL1.
    fn timers(&self, state: &mut [u8], around: &dyn Surroundings) -> u64 {
        let _ = (state, around);
        0
    }
    /// What debuggers are told of it.
    fn debug(&self) -> Debugged;
    /// The bytes of a register that debuggers know, lowest first; `None` for one that is not there now.
    fn debug_register(
        &self,
        state: &mut [u8],
        place: DebugPlace,
        around: &dyn Surroundings,
    ) -> Option<Vec<u8>>;
    /// Sets such a register, to as many bytes as it has; whether that is possible.
    fn set_debug_register(
        &self,
        state: &mut [u8],
        place: DebugPlace,
        bytes: &[u8],
        around: &dyn Surroundings,
    ) -> bool;
    /// The registers as text.
    fn dump(&self, state: &mut [u8], around: &dyn Surroundings) -> String;
}

/// A processor as gdb is told of it ("Standard Target Features" in gdb's manual).
pub struct Debugged {
    /// gdb's name of the architecture.
    pub arch: &'static str,
    /// Registers, in the order that numbers them.
    pub features: Vec<DebugFeature>,
    /// The instruction of a breakpoint of so many bytes. It ends with [`ExitKind::Breakpoint`],
    /// [`ExitKind::Special`] or [`ExitKind::Illegal`].
    pub breakpoint: fn(len: u64) -> Option<&'static [u8]>,
    /// Watchpoints stop the processor before the access, not behind it.
    pub watches_before: bool,
    /// gdb's names of the stack pointer and the program counter.
    pub always: [&'static str; 2],
}

/// Registers of one of gdb's features.
pub struct DebugFeature {
    /// Its name.
    pub name: &'static str,
    /// Types that its registers name, as XML.
    pub types: &'static str,
    /// The registers.
    pub regs: Vec<DebugReg>,
}

/// A register as debuggers see it.
pub struct DebugReg {
    /// gdb's name.
    pub name: String,
    /// Bits.
    pub bits: u32,
    /// gdb's type.
    pub ty: &'static str,
    /// Where it is.
    pub place: DebugPlace,
}

/// Where a register that debuggers see is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DebugPlace {
    /// Always zero.
    Zero,
    /// A slot of the state.
    Slot(Slot),
    /// What the guest numbers so.
    Other(u32),
}

impl DebugPlace {
    /// The bytes of a register that is a slot, or zero.
    pub fn read(self, state: &[u8]) -> Option<Vec<u8>> {
        match self {
            DebugPlace::Zero => Some(vec![0; 8]),
            DebugPlace::Slot(slot) => {
                let at = usize::from(slot.offset);
                state.get(at..at + slot.ty.bytes() as usize).map(<[u8]>::to_vec)
            }
            DebugPlace::Other(_) => None,
        }
    }
    /// Sets a register that is a slot; zero stays so.
    pub fn write(self, state: &mut [u8], bytes: &[u8]) -> bool {
        match self {
            DebugPlace::Zero => true,
            DebugPlace::Slot(slot) => {
                let at = usize::from(slot.offset);
                let to = state.get_mut(at..at + slot.ty.bytes() as usize);
                let to = to.filter(|to| to.len() == bytes.len());
                to.map(|to| to.copy_from_slice(bytes)).is_some()
            }
            DebugPlace::Other(_) => false,
        }
    }
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
    /// The model as device trees name it.
    pub compatible: String,
}

impl core::fmt::Debug for Processor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Processor").field("extensions", &self.extensions).finish_non_exhaustive()
    }
}
