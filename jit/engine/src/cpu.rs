//! A guest thread's processor: state, return stack, lookup cache.
#![expect(unsafe_code, reason = "owns a raw mapping that translated code works in")]

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use remu_codegen::{Layout, SoftMmu};
use remu_ir::{Slot, Type};
use remu_isa::{Header, Key};

use crate::Engine;
use crate::tlb::{Marks, Tlbs};

/// Bytes of the return stack; 16 for each guest call.
const STACK: usize = 64 << 10;
const PAGE: usize = 4096;
/// Lookup caches of a machine's processor: one for each of the keys that alternate.
const CACHES: usize = 4;
/// Entries of each that have marks.
const MARKED: usize = Layout::CACHE_ENTRIES;
/// Bytes of a lookup cache.
const CACHE: usize = ((Layout::CACHE_ENTRIES + 1) * 16).next_multiple_of(PAGE);
/// Mapping: state and scratch, TLBs, caches, guard page, return stack, sentinel page.
#[derive(Debug)]
pub(crate) struct CpuMemory {
    base: *mut u8,
    size: usize,
    /// 0 if there are none.
    tlbs: usize,
    tlb_marks: Marks,
    cache: usize,
    caches: usize,
    /// Of all caches of a machine's processor: such are emptied often.
    cache_marks: Option<Marks>,
    stack: usize,
    /// Host address whose guest pc the fault handler wants to know, 0 for none.
    question: AtomicU64,
    /// The answer, [`NO_ANSWER`] if there is no such instruction, and whether it is a joint load.
    answer: AtomicU64,
    answer_joint: AtomicBool,
    /// Guest pc of a joint load that has faulted, [`NO_ANSWER`] for none.
    apart: AtomicU64,
    /// [`Engine::generation`] when this thread entered translated code.
    entered: AtomicU64,
}

/// An instruction that may fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FaultAt {
    pub(crate) pc: u64,
    /// The access stands for those of other instructions, too.
    pub(crate) joint: bool,
}

/// No guest instruction has this address: its last byte would be outside memory.
const NO_ANSWER: u64 = u64::MAX;

// SAFETY: the mapping is plain memory. Other threads only touch the
// exit-request word and the cache's keys, both atomically.
unsafe impl Send for CpuMemory {}
// SAFETY: as above.
unsafe impl Sync for CpuMemory {}

impl CpuMemory {
    fn new(layout: &Layout) -> std::io::Result<CpuMemory> {
        let state = CpuMemory::tlb_offset(layout.size);
        let machine = layout.softmmu.is_some();
        let tlbs = if machine { Tlbs::COUNT * SoftMmu::ENTRY } else { 0 };
        let caches = if machine { CACHES } else { 1 };
        let cache = state + tlbs;
        let stack = cache + caches * CACHE;
        let size = stack + PAGE + STACK + PAGE;
        // SAFETY: a fresh anonymous mapping touches no existing memory.
        let p = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if p == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let m = CpuMemory {
            base: p.cast(),
            size,
            tlbs: if machine { state } else { 0 },
            tlb_marks: Marks::new(if machine { Tlbs::COUNT } else { 0 }),
            cache,
            caches,
            cache_marks: machine.then(|| Marks::new(CACHES * MARKED)),
            stack,
            question: AtomicU64::new(0),
            answer: AtomicU64::new(NO_ANSWER),
            answer_joint: AtomicBool::new(false),
            apart: AtomicU64::new(NO_ANSWER),
            entered: AtomicU64::new(0),
        };
        // SAFETY: the guard page lies inside the mapping just made.
        let r = unsafe { libc::mprotect(m.base.add(m.stack).cast(), PAGE, libc::PROT_NONE) };
        if r != 0 {
            return Err(std::io::Error::last_os_error());
        }
        m.tlbs().initialise();
        Ok(m)
    }
    /// Where the TLBs are, for a state of `size` bytes.
    pub(crate) fn tlb_offset(size: usize) -> usize {
        (size + Layout::SCRATCH).next_multiple_of(PAGE)
    }
    /// The TLBs, none of which a program has.
    pub(crate) fn tlbs(&self) -> Tlbs<'_> {
        let count = if self.tlbs == 0 { 0 } else { Tlbs::COUNT };
        // SAFETY: that part of the mapping is aligned to pages and as long as said; translated
        // code reads it, and every access from Rust is atomic.
        let all = unsafe { core::slice::from_raw_parts(self.base.add(self.tlbs).cast(), count) };
        Tlbs(all, &self.tlb_marks)
    }
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }
    /// The header; only atomics may be used while the thread runs guest code.
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the state starts with a header (StateDesc); the mapping is
        // zeroed, page-aligned and lives as long as `self`.
        unsafe { &*self.base.cast::<Header>() }
    }
    /// Empty position of the return stack. The sentinels lie at and above it.
    pub(crate) fn stack_top(&self) -> u64 {
        self.base as u64 + (self.stack + PAGE + STACK) as u64
    }
    /// Whether an address is in the guard page below the return stack.
    pub(crate) fn is_guard(&self, addr: u64) -> bool {
        let g = self.base as u64 + self.stack as u64;
        (g..g + PAGE as u64).contains(&addr)
    }
    /// Lookup cache number `n`.
    fn cache(&self, n: usize) -> &[(AtomicU64, AtomicU64)] {
        assert!(n < self.caches);
        // SAFETY: the cache part of the mapping is aligned, as long as said,
        // and every access to it from Rust is atomic.
        unsafe {
            let start = self.base.add(self.cache + n * CACHE);
            core::slice::from_raw_parts(start.cast(), Layout::CACHE_ENTRIES + 1)
        }
    }
    /// Number of the one that translated code uses now.
    fn current_cache(&self) -> usize {
        let at = self.word(Layout::CACHE).load(Ordering::Relaxed) as usize;
        (at - self.base as usize - self.cache) / CACHE
    }
    /// Has translated code use another lookup cache.
    fn use_cache(&self, n: usize) {
        let at = self.cache(n).as_ptr() as u64;
        self.word(Layout::CACHE).store(at, Ordering::Relaxed);
    }
    /// Empties the lookup caches; any thread may do so.
    pub(crate) fn clear_cache(&self) {
        match &self.cache_marks {
            Some(marks) => marks.take(|n| {
                let cache = self.cache(n / MARKED);
                let lookup = cache[Layout::CACHE_ENTRIES].1.load(Ordering::Relaxed);
                let (k, v) = &cache[n % MARKED];
                k.store(Layout::NOWHERE, Ordering::Release);
                v.store(lookup, Ordering::Relaxed);
            }),
            None => (0..self.caches).for_each(|n| self.clear_one(n)),
        }
    }
    /// Takes what leads to guest addresses out of the lookup caches; any thread may do so.
    pub(crate) fn forget(&self, layout: &Layout, pcs: &[u64]) {
        for cache in (0..self.caches).map(|n| self.cache(n)) {
            let lookup = cache[Layout::CACHE_ENTRIES].1.load(Ordering::Relaxed);
            for &pc in pcs {
                for i in [layout.cache_entry(pc), Layout::second_entry(pc)] {
                    let (k, v) = &cache[i];
                    if k.load(Ordering::Relaxed) == pc {
                        k.store(Layout::NOWHERE, Ordering::Release);
                        v.store(lookup, Ordering::Relaxed);
                    }
                }
            }
        }
    }
    fn clear_one(&self, n: usize) {
        let cache = self.cache(n);
        let lookup = cache[Layout::CACHE_ENTRIES].1.load(Ordering::Relaxed);
        for (k, v) in &cache[..Layout::CACHE_ENTRIES] {
            k.store(Layout::NOWHERE, Ordering::Release);
            v.store(lookup, Ordering::Relaxed);
        }
    }
    /// Adds an entry to the current cache. `keep`: what it displaces stays, if there is
    /// a place for one of the two; nobody may be forgetting code meanwhile.
    pub(crate) fn remember(&self, layout: &Layout, pc: u64, host: u64, keep: bool) {
        let n = self.current_cache();
        let cache = self.cache(n);
        let i = layout.cache_entry(pc);
        let put = |i: usize, pc: u64, host: u64| {
            let (k, v) = &cache[i];
            k.store(Layout::NOWHERE, Ordering::Relaxed);
            v.store(host, Ordering::Relaxed);
            k.store(pc, Ordering::Release);
        };
        if let Some(marks) = &self.cache_marks {
            put(i, pc, host);
            marks.set(n * MARKED + i);
            return;
        }
        let there = cache[i].0.load(Ordering::Relaxed);
        if keep && there != pc && there != Layout::NOWHERE {
            let free = |pc| cache[Layout::second_entry(pc)].0.load(Ordering::Relaxed);
            if free(pc) == Layout::NOWHERE {
                return put(Layout::second_entry(pc), pc, host);
            }
            if i == layout.cache_entry(there) {
                put(Layout::second_entry(there), there, cache[i].1.load(Ordering::Relaxed));
            }
        }
        put(i, pc, host);
    }
    /// The host address that the current cache has for a pc.
    pub(crate) fn recall(&self, layout: &Layout, pc: u64) -> Option<u64> {
        let cache = self.cache(self.current_cache());
        // Whoever empties the cache meanwhile makes the address that of the look-up.
        let lookup = cache[Layout::CACHE_ENTRIES].1.load(Ordering::Relaxed);
        [layout.cache_entry(pc), Layout::second_entry(pc)].into_iter().find_map(|i| {
            let (k, v) = &cache[i];
            let host = (k.load(Ordering::Acquire) == pc).then(|| v.load(Ordering::Relaxed));
            host.filter(|&host| host != lookup)
        })
    }
    /// Asks whoever has the engine's lock for the guest instruction of a host address.
    pub(crate) fn ask(&self, host: u64) {
        self.question.store(host, Ordering::Release);
    }
    /// Answers the question, if there is one. With the engine's lock.
    pub(crate) fn answer(&self, find: impl FnOnce(u64) -> Option<FaultAt>) {
        let host = self.question.load(Ordering::Acquire);
        if host != 0 {
            let found = find(host);
            self.answer.store(found.map_or(NO_ANSWER, |f| f.pc), Ordering::Relaxed);
            self.answer_joint.store(found.is_some_and(|f| f.joint), Ordering::Relaxed);
            self.question.store(0, Ordering::Release);
        }
    }
    /// The answer to the last question, if it was given.
    pub(crate) fn answered(&self) -> Option<Option<FaultAt>> {
        let given = self.question.load(Ordering::Acquire) == 0;
        let pc = self.answer.load(Ordering::Relaxed);
        let joint = self.answer_joint.load(Ordering::Relaxed);
        given.then(|| (pc != NO_ANSWER).then_some(FaultAt { pc, joint }))
    }
    /// Notes that the joint load of the instruction at `pc` has faulted.
    pub(crate) fn note_apart(&self, pc: u64) {
        self.apart.store(pc, Ordering::Relaxed);
    }
    /// Takes what was noted.
    pub(crate) fn take_apart(&self) -> Option<u64> {
        let pc = self.apart.load(Ordering::Relaxed);
        if pc == NO_ANSWER {
            return None;
        }
        self.apart.store(NO_ANSWER, Ordering::Relaxed);
        Some(pc)
    }
    /// Notes the generation of code that the thread enters.
    pub(crate) fn set_entered(&self, generation: u64) {
        self.entered.store(generation, Ordering::Relaxed);
    }
    pub(crate) fn entered(&self) -> u64 {
        self.entered.load(Ordering::Relaxed)
    }
    /// Adds the flags that translated code has left in the host's register to the guest's. Not
    /// bit 1: guests see flushed inputs there, not denormal ones.
    pub(crate) fn gather_status(&self) {
        let sticky = self.word(Layout::MXCSR).load(Ordering::Relaxed) & 0x3d;
        // Only this thread writes the word: no atomic step is needed.
        let fp = self.word(Layout::FPSTAT).load(Ordering::Relaxed);
        self.word(Layout::FPSTAT).store(fp | sticky, Ordering::Relaxed);
    }
    pub(crate) fn set_exit_kind(&self, k: remu_ir::ExitKind) {
        // The word holds the exit request below the kind.
        let w = self.word(Layout::EXIT_REQUEST);
        let kind = (k as u64) << 32;
        let _ =
            w.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| Some(v & 0xffff_ffff | kind));
    }
    /// A 64-bit word of the state at a header offset.
    pub(crate) fn word(&self, offset: i32) -> &AtomicU64 {
        debug_assert!(offset >= 0 && offset as usize + 8 <= Header::SIZE && offset % 8 == 0);
        // SAFETY: inside the header, aligned; the mapping lives as long as `self`.
        unsafe { AtomicU64::from_ptr(self.base.add(offset as usize).cast()) }
    }
}

impl Drop for CpuMemory {
    fn drop(&mut self) {
        // SAFETY: made by `new`; the owning thread has left translated code.
        unsafe { libc::munmap(self.base.cast(), self.size) };
    }
}

thread_local! {
    /// Processor that runs on this thread, for the fault handler.
    pub(crate) static CURRENT: Cell<*const CpuMemory> = const { Cell::new(core::ptr::null()) };
}

/// Makes a processor leave translated code, from any thread.
#[derive(Clone, Debug)]
pub struct Remote(Arc<CpuMemory>);

impl Remote {
    /// Sets bits of the exit-request word, of which the highest is the engine's: the processor
    /// leaves with [`remu_ir::ExitKind::Poll`] at its next poll.
    pub fn request(&self, bits: u32) {
        self.0.header().exit_request.fetch_or(bits & !Engine::REQUEST_SYNC, Ordering::SeqCst);
    }
    /// Takes them back; which of them were set.
    pub fn take(&self, bits: u32) -> u32 {
        let bits = bits & !Engine::REQUEST_SYNC;
        self.0.header().exit_request.fetch_and(!bits, Ordering::SeqCst) & bits
    }
    /// The bits that are set.
    pub fn requested(&self) -> u32 {
        self.0.header().exit_request.load(Ordering::SeqCst)
    }
}

/// One guest thread's processor.
#[derive(Debug)]
pub struct Cpu {
    pub(crate) mem: Arc<CpuMemory>,
    pub(crate) key: Key,
    state_size: usize,
    /// Key of each lookup cache, and the one to give up next.
    cache_keys: Vec<Option<Key>>,
    oldest: usize,
}

impl Cpu {
    /// A processor with all state zero.
    ///
    /// # Errors
    /// No memory.
    pub fn new(engine: &Engine) -> std::io::Result<Cpu> {
        let layout = engine.layout();
        let mem = Arc::new(CpuMemory::new(layout)?);
        mem.use_cache(0);
        for n in 0..mem.caches {
            let (last, target) = &mem.cache(n)[Layout::CACHE_ENTRIES];
            last.store(0, Ordering::Relaxed);
            target.store(engine.lookup_thunk(), Ordering::Relaxed);
            mem.clear_one(n);
        }
        let top = mem.stack_top();
        mem.word(Layout::STACK_TOP).store(top, Ordering::Relaxed);
        mem.word(Layout::GUEST_RSP).store(top, Ordering::Relaxed);
        // Sentinels: a return that matches the empty stack leads back here.
        for (n, v) in [engine.thunks.nowhere, Layout::NOWHERE].repeat(2).into_iter().enumerate() {
            // SAFETY: the page above the return stack belongs to the mapping.
            unsafe { (top as *mut u64).add(n).write(v) };
        }
        engine.register(&mem);
        let cache_keys = vec![None; mem.caches];
        Ok(Cpu { mem, key: Key(0), state_size: layout.size, cache_keys, oldest: 0 })
    }
    /// Whether a lookup cache belongs to the key.
    pub(crate) fn has_cache(&self, key: Key) -> bool {
        self.cache_keys.contains(&Some(key))
    }
    /// Goes on under another key: lookup cache and return stack lead to code for the old one.
    pub(crate) fn change_key(&mut self, key: Key) {
        self.key = key;
        let n = match self.cache_keys.iter().position(|k| *k == Some(key)) {
            Some(n) => n,
            None => {
                let n = self.oldest;
                self.oldest = (n + 1) % self.cache_keys.len();
                self.cache_keys[n] = Some(key);
                self.mem.clear_one(n);
                n
            }
        };
        self.mem.use_cache(n);
        self.mem.word(Layout::GUEST_RSP).store(self.mem.stack_top(), Ordering::Relaxed);
    }
    /// A way to it from other threads.
    pub fn remote(&self) -> Remote {
        Remote(self.mem.clone())
    }
    /// The header of the state.
    pub fn header(&self) -> &Header {
        self.mem.header()
    }
    /// The guest program counter.
    pub fn pc(&self) -> u64 {
        self.mem.word(Layout::PC).load(Ordering::Relaxed)
    }
    /// Sets the guest program counter.
    pub fn set_pc(&mut self, pc: u64) {
        self.mem.word(Layout::PC).store(pc, Ordering::Relaxed);
    }
    /// Extra words of the last exit.
    pub fn exit_info(&self) -> [u64; 2] {
        [0, 8].map(|n| self.mem.word(Layout::EXIT_INFO + n).load(Ordering::Relaxed))
    }
    /// Start of the state struct. Valid while the processor lives.
    pub fn state_ptr(&self) -> *mut u8 {
        self.mem.base
    }
    /// The state as bytes, header included.
    #[inline]
    pub fn state(&self) -> &[u8] {
        // SAFETY: the state part of the mapping; `&self` means that guest code
        // is not running on it, and other threads write only the exit-request
        // word, which a byte view may see at any value.
        unsafe { core::slice::from_raw_parts(self.mem.base, self.state_size) }
    }
    /// Value of a slot, zero-extended to 128 bits.
    ///
    /// # Panics
    /// If the slot lies outside the state.
    #[inline]
    pub fn get(&self, slot: Slot) -> u128 {
        let n = slot.ty.bytes() as usize;
        let bytes = &self.state()[usize::from(slot.offset)..][..n];
        // The usual size, without a copy of unknown length.
        if let Ok(b) = bytes.try_into() {
            return u64::from_le_bytes(b).into();
        }
        let mut b = [0; 16];
        b[..n].copy_from_slice(bytes);
        u128::from_le_bytes(b)
    }
    /// Sets a slot to the low bytes of `v`.
    ///
    /// # Panics
    /// If the slot lies outside the state.
    pub fn set(&mut self, slot: Slot, v: u128) {
        let n = slot.ty.bytes() as usize;
        assert!(slot.ty != Type::Void && usize::from(slot.offset) + n <= self.state_size);
        // SAFETY: in bounds (checked); guest code is not running (`&mut self`).
        unsafe {
            let p = self.mem.base.add(usize::from(slot.offset));
            if n == 8 {
                return p.cast::<[u8; 8]>().write((v as u64).to_le_bytes());
            }
            core::ptr::copy_nonoverlapping(v.to_le_bytes().as_ptr(), p, n);
        }
    }
    /// Takes over another processor's registers and pc, not its private words.
    pub fn clone_state_from(&mut self, other: &Cpu) {
        let n = self.state_size.min(other.state_size);
        // SAFETY: both states are at least `n` bytes and not running; the
        // header's own words are skipped but for pc and floating-point state.
        unsafe {
            let (from, to) = (other.mem.base, self.mem.base);
            core::ptr::copy_nonoverlapping(
                from.add(Header::SIZE),
                to.add(Header::SIZE),
                n - Header::SIZE,
            );
            core::ptr::copy_nonoverlapping(from.add(8), to.add(8), 8);
            core::ptr::copy_nonoverlapping(from.add(32), to.add(32), 8);
        }
        self.key = other.key;
    }
}
