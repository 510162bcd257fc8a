//! What a machine adds to a program: memory that is looked up, and somebody to ask where the
//! look-up fails.
#![expect(unsafe_code, reason = "translated code calls in with raw pointers")]

use core::cell::Cell;
use core::sync::atomic::Ordering;
use std::sync::PoisonError;

use remu_codegen::x64::{ACCESS_DONE, ACCESS_LEAVE, ACCESS_RETRY};
use remu_codegen::{Access, Layout, SoftMmu};
use remu_ir::ExitKind;
use remu_isa::Key;

use crate::cpu::CpuMemory;
use crate::tlb::Target;
use crate::{Cpu, Engine};

/// The access or fetch cannot be made. Whoever says so remembers why: [`Engine::run_machine`]
/// ends with [`ExitKind::Fault`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

/// How an access was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Served {
    /// With this result: the bytes that memory held, the first one lowest.
    Done(u128),
    /// The TLB has an entry for it now: it is to be tried again.
    Filled,
}

/// A processor's way to memory.
pub trait Mmu {
    /// Makes an access at a guest address that the TLB did not help with.
    ///
    /// # Errors
    /// There is an exception instead; no state may have changed.
    fn access(
        &mut self,
        core: &mut Core<'_>,
        addr: u64,
        access: Access,
        operands: [u128; 2],
    ) -> Result<Served, Refused>;
    /// Number of the physical page that an instruction's byte at a guest address is fetched from,
    /// by code under a lift key.
    ///
    /// # Errors
    /// There is an exception instead.
    fn fetch(&mut self, core: &mut Core<'_>, addr: u64, key: Key) -> Result<u64, Refused>;
}

/// A processor while its code stands still: its state and TLBs.
#[derive(Debug)]
pub struct Core<'a> {
    engine: &'a Engine,
    mem: &'a CpuMemory,
}

/// A page of memory as a TLB is to have it.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Guest address in it.
    pub va: u64,
    /// Physical address in it.
    pub pa: u64,
    /// Where it is in the host's memory, which stays there as long as the engine.
    pub host: *mut u8,
    /// Whether it may be read.
    pub read: bool,
    /// Whether it may be written.
    pub write: bool,
}

impl Core<'_> {
    /// The state struct as bytes, header included.
    pub fn state(&mut self) -> &mut [u8] {
        // SAFETY: the state part of the mapping, which lives as long as `mem`. The processor's
        // thread is here and not in translated code, and there is one `Core` at a time. Other
        // threads write the exit-request word, which nobody reads or writes through this view.
        unsafe { core::slice::from_raw_parts_mut(self.mem.base(), self.engine.layout().size) }
    }
    /// Lets accesses of a TLB to a page through. The right to write a page of translated code is
    /// left out, unless [`Core::will_write`] was called before.
    pub fn fill(&mut self, tlb: u8, page: Page) {
        let pages = self.engine.code_pages.lock().unwrap_or_else(PoisonError::into_inner);
        let write = page.write && !pages.watched.contains(&(page.pa >> SoftMmu::PAGE_BITS));
        let to = Target { pa: page.pa, host: page.host as u64, read: page.read, write };
        // With the lock: who makes the page one of code looks at the TLBs after that.
        self.mem.tlbs().fill(tlb, page.va, to);
        drop(pages);
    }
    /// Notes that the physical page at `pa` is about to be written.
    pub fn will_write(&mut self, pa: u64) {
        self.engine.page_written(pa);
    }
}

/// What a thread in translated code needs when it comes out for an access.
struct Context {
    engine: *const Engine,
    mem: *const CpuMemory,
    mmu: *mut (dyn Mmu + 'static),
}

thread_local! {
    static CONTEXT: Cell<*const Context> = const { Cell::new(core::ptr::null()) };
}

/// What [`Thunks::access`](remu_codegen::x64::Thunks) calls.
pub(crate) unsafe extern "C" fn on_access(
    _state: *mut u8,
    addr: u64,
    access: u32,
    operands: *mut [u128; 4],
) -> u32 {
    let context = CONTEXT.get();
    // SAFETY: `with_mmu` has set it for the time in which this thread may be in translated code
    // that has such accesses, and what it points to outlives that time.
    let (engine, mem, mmu) =
        unsafe { (&*(*context).engine, &*(*context).mem, &mut *(*context).mmu) };
    let words = operands.cast::<u128>();
    // SAFETY: scratch memory of this processor, of four words, two of which were written; the
    // rest held what another access left. Translated code aligns them to 16.
    let given = unsafe { [words.add(1).read_unaligned(), words.add(2).read_unaligned()] };
    match mmu.access(&mut Core { engine, mem }, addr, Access::from_u32(access), given) {
        Ok(Served::Done(v)) => {
            // SAFETY: as above.
            unsafe { words.write_unaligned(v) };
            ACCESS_DONE
        }
        Ok(Served::Filled) => ACCESS_RETRY,
        Err(Refused) => {
            let rsp = mem.word(Layout::GUEST_RSP).load(Ordering::Relaxed);
            // SAFETY: the thunk was called, so the return stack holds its return address.
            let back = unsafe { (rsp as *const u64).read() };
            let pc = engine.fault_at(mem, back - 1).map_or(0, |at| at.pc);
            mem.word(Layout::GUEST_RSP).store(rsp + 8, Ordering::Relaxed);
            mem.word(Layout::PC).store(pc, Ordering::Relaxed);
            mem.set_exit_kind(ExitKind::Fault);
            ACCESS_LEAVE
        }
    }
}

impl Engine {
    /// Runs `f`, in which translated code may ask `mmu`.
    pub(crate) fn with_mmu<T>(
        &self,
        mem: &CpuMemory,
        mmu: &mut (dyn Mmu + '_),
        f: impl FnOnce() -> T,
    ) -> T {
        // SAFETY: only the lifetime changes; the pointer is gone from CONTEXT when `mmu` ends.
        let mmu = unsafe { core::mem::transmute::<&mut dyn Mmu, &'static mut dyn Mmu>(mmu) };
        let context = Context { engine: self, mem, mmu };
        CONTEXT.set(&raw const context);
        let result = f();
        CONTEXT.set(core::ptr::null());
        result
    }

    /// A view of a processor that is not running.
    pub fn core<'a>(&'a self, cpu: &'a mut Cpu) -> Core<'a> {
        Core { engine: self, mem: &cpu.mem }
    }
    /// Empties a processor's TLBs, and what follows from them: after a change of address spaces.
    pub fn flush_tlb(&self, cpu: &mut Cpu) {
        cpu.mem.tlbs().empty();
        self.forget_fetches(cpu);
    }
    /// The same for one guest page from which no code was fetched.
    pub fn flush_tlb_page(&self, cpu: &mut Cpu, va: u64) {
        cpu.mem.tlbs().forget(va);
    }
    fn forget_fetches(&self, cpu: &mut Cpu) {
        cpu.mem.clear_cache();
        cpu.mem.word(Layout::GUEST_RSP).store(cpu.mem.stack_top(), Ordering::Relaxed);
    }

    /// Notes that the physical page at `pa` is about to be written, by whomever. What was
    /// translated from it stays until [`Engine::sync_code`].
    pub fn page_written(&self, pa: u64) {
        self.code_pages.lock().unwrap_or_else(PoisonError::into_inner).note_write(pa);
    }
    /// Forgets translations of pages that were written.
    pub fn sync_code(&self) {
        let written = {
            let mut pages = self.code_pages.lock().unwrap_or_else(PoisonError::into_inner);
            core::mem::take(&mut pages.written)
        };
        for page in written {
            self.invalidate(page << SoftMmu::PAGE_BITS, (page + 1) << SoftMmu::PAGE_BITS);
        }
    }
}
