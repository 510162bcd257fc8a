//! Enters and leaves translated code.
#![expect(unsafe_code, reason = "calls translated code")]

use core::cell::RefCell;
use core::sync::atomic::Ordering;

use remu_codegen::{Layout, SoftMmu};
use remu_ir::ExitKind;
use remu_isa::Key;

use crate::cpu::{CURRENT, CpuMemory};
use crate::space::{STEP, Space};
use crate::{Access, Core, Cpu, Engine, Mmu, Refused, Served};

/// MXCSR with all exceptions masked.
const MASKED: u32 = 0x1f80;

/// MXCSR for a floating-point mode (numbered as the `set_fpmode` op has it).
fn mxcsr(mode: u32) -> u32 {
    let rounding = match mode & 7 {
        2 => 3,
        3 => 1,
        4 => 2,
        _ => 0,
    };
    MASKED | rounding << 13 | (mode >> 3 & 1) << 15 | (mode >> 4 & 1) << 6
}

/// The way of translated code to an [`Mmu`].
struct FromCode<'a, 'b>(&'a RefCell<&'b mut dyn Mmu>);

impl Mmu for FromCode<'_, '_> {
    fn access(
        &mut self,
        core: &mut Core<'_>,
        addr: u64,
        access: Access,
        operands: [u128; 2],
    ) -> Result<Served, Refused> {
        self.0.borrow_mut().access(core, addr, access, operands)
    }
    fn fetch(&mut self, core: &mut Core<'_>, addr: u64, key: Key) -> Result<u64, Refused> {
        self.0.borrow_mut().fetch(core, addr, key)
    }
}

impl Engine {
    /// Runs the processor from its pc until something happens that is not the
    /// engine's business. The pc and more are in the header then.
    pub fn run(&self, cpu: &mut Cpu) -> ExitKind {
        self.take_key(cpu);
        let space = Space::user(cpu.key);
        let kind = self.run_in(&cpu.mem, || Some(space));
        if kind == ExitKind::KeyChanged {
            self.isa().key_changed(self.core(cpu).state());
        }
        kind
    }
    /// The same in a machine, whose memory `mmu` knows. It is asked about accesses on this thread
    /// until this returns, with [`ExitKind::Fault`] if it refused one.
    pub fn run_machine(&self, cpu: &mut Cpu, mmu: &mut dyn Mmu) -> ExitKind {
        // Both the look-up of code and code itself ask, one after the other.
        let mmu = RefCell::new(mmu);
        let mem = cpu.mem.clone();
        let mut from_code = FromCode(&mmu);
        self.with_mmu(&mem, &mut from_code, || {
            self.take_key(cpu);
            self.run_in(&mem, || self.space(cpu, &mut **mmu.borrow_mut()))
        })
    }
    /// One instruction of a machine, whatever has been asked of the processor; [`ExitKind::Continue`] when nothing
    /// else came of it.
    pub fn step_machine(&self, cpu: &mut Cpu, mmu: &mut dyn Mmu) -> ExitKind {
        let mmu = RefCell::new(mmu);
        let mem = cpu.mem.clone();
        let mut from_code = FromCode(&mmu);
        self.with_mmu(&mem, &mut from_code, || {
            // Nothing is ever added to the lookup cache of this key, and the return stack is empty: whatever the
            // instruction leads to is not found.
            cpu.change_key(Key(self.isa().key(cpu.state()).0 | STEP));
            let request = &mem.header().exit_request;
            CURRENT.set(core::ptr::from_ref(&*mem));
            let kind = loop {
                request.fetch_and(!Engine::REQUEST_SYNC, Ordering::Relaxed);
                let pc = mem.word(Layout::PC).load(Ordering::Relaxed);
                let generation = self.generation.load(Ordering::SeqCst);
                let Some(space) = self.space(cpu, &mut **mmu.borrow_mut()) else {
                    break ExitKind::Fault;
                };
                let host = self.host_code(pc, space);
                match self.enter(&mem, host, generation) {
                    // Code was forgotten before it was entered: nothing has happened.
                    ExitKind::Poll if self.generation.load(Ordering::SeqCst) != generation => {}
                    ExitKind::Poll => break ExitKind::Continue,
                    ExitKind::Continue => {
                        if mem.word(Layout::LINK).load(Ordering::Acquire) != 0
                            && let Some(pc) = self.peek_link(&mem)
                        {
                            mem.word(Layout::PC).store(pc, Ordering::Relaxed);
                        }
                        break ExitKind::Continue;
                    }
                    other => break other,
                }
            };
            CURRENT.set(core::ptr::null());
            kind
        })
    }
    /// Where the code at a machine's pc is; `None` if it cannot be fetched.
    fn space(&self, cpu: &mut Cpu, mmu: &mut dyn Mmu) -> Option<Space> {
        const PAGE: u64 = 1 << SoftMmu::PAGE_BITS;
        let pc = cpu.pc();
        let mut space = Space::machine(cpu.key, 0);
        let key = space.lift_key();
        let page = mmu.fetch(&mut self.core(cpu), pc, key).ok()?;
        space.pages[0] = page + 1;
        let left = PAGE - pc % PAGE;
        if left < self.isa().max_insn_len() as u64 {
            let mut bytes = [0; 16];
            let bytes = &mut bytes[..left as usize];
            let have = self.source().fetch(page * PAGE + pc % PAGE, bytes);
            self.source().lay_over(pc, &mut bytes[..have]);
            if have == bytes.len() && self.isa().scan(bytes, pc, key).is_none() {
                let second = mmu.fetch(&mut self.core(cpu), pc.wrapping_add(left), key).ok()?;
                space.pages[1] = second + 1;
            }
        }
        Some(space)
    }
    /// Makes the lift key that of the processor's state.
    fn take_key(&self, cpu: &mut Cpu) {
        let key = self.isa().key(cpu.state());
        if cpu.key != key || !cpu.has_cache(key) {
            cpu.change_key(key);
        }
    }
    fn run_in(&self, mem: &CpuMemory, mut space: impl FnMut() -> Option<Space>) -> ExitKind {
        CURRENT.set(core::ptr::from_ref(mem));
        let request = &mem.header().exit_request;
        let kind = loop {
            if request.load(Ordering::Relaxed) != 0 {
                request.fetch_and(!Engine::REQUEST_SYNC, Ordering::Relaxed);
                if request.load(Ordering::Relaxed) != 0 {
                    break ExitKind::Poll;
                }
            }
            let pc = mem.word(Layout::PC).load(Ordering::Relaxed);
            let generation = self.generation.load(Ordering::SeqCst);
            let Some(space) = space() else { break ExitKind::Fault };
            // What translated code would find there is as good.
            let host = mem.recall(self.layout(), pc).unwrap_or_else(|| {
                let host = self.host_code(pc, space);
                mem.remember(self.layout(), pc, host, generation & 1 == 0);
                host
            });
            match self.enter(mem, host, generation) {
                ExitKind::Continue => {
                    if let Some(pc) = mem.take_apart() {
                        self.keep_apart(pc);
                    }
                    // 0 after an exit for a lookup, and when a flush has read the link already.
                    if mem.word(Layout::LINK).load(Ordering::Acquire) != 0
                        && let Some(pc) = self.resolve_link(mem)
                    {
                        mem.word(Layout::PC).store(pc, Ordering::Relaxed);
                    }
                }
                ExitKind::Poll => {}
                other => break other,
            }
        };
        CURRENT.set(core::ptr::null());
        kind
    }

    /// One stay in translated code.
    fn enter(&self, mem: &CpuMemory, host: u64, generation: u64) -> ExitKind {
        let fp = mem.word(Layout::FPSTAT).load(Ordering::Relaxed);
        mem.word(Layout::MXCSR).store(u64::from(mxcsr((fp >> 32) as u32)), Ordering::Relaxed);
        // A barrier, too, and cheaper than a fence of its own: on this host nothing
        // behind it goes before the stores above.
        mem.word(Layout::IN_CODE).swap(1, Ordering::SeqCst);
        // A flush between lookup and here has taken the code away, and one that
        // starts later waits for the flag. Flushes empty table and cache before the
        // count, so that nothing of before is found with the new one. The same for
        // code that was forgotten: whoever does that empties the cache after the
        // count, so that either it or this thread takes back what was remembered.
        if self.generation.load(Ordering::SeqCst) != generation {
            mem.clear_cache();
            mem.word(Layout::IN_CODE).store(0, Ordering::Release);
            return ExitKind::Poll;
        }
        mem.set_entered(generation);
        // SAFETY: the thunk was emitted for this signature and has the C ABI.
        let enter: extern "C" fn(*mut u8, u64) -> u32 =
            unsafe { core::mem::transmute(self.thunks.enter) };
        // In bounds: the state is followed by scratch memory.
        let kind = enter(mem.base().wrapping_add(Layout::BIAS as usize), host);
        mem.word(Layout::IN_CODE).store(0, Ordering::Release);
        mem.gather_status();
        ExitKind::from_u8(kind as u8)
    }
}
