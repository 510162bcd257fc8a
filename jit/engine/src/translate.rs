//! Translation, linking and retirement of regions.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, TryLockError, Weak,
};

use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use remu_codegen::x64::{CodeBuf, Compiler, Scratch, Thunks, emit_thunks};
use remu_codegen::{Compiled, Host, Layout, SoftMmu};
use remu_ir::passes::{KeepsFlags, Liveness, analyse};
use remu_ir::{Builder, Region, Type};
use remu_isa::{Fetch, Former, Isa, Key, Limits, Shape};

use crate::barrier::Barrier;
use crate::cache::{Cache, CacheOptions, Module};
use crate::calls::on_call;
use crate::changes::{Seen, Watched};
use crate::code::CodeMemory;
use crate::cpu::{Cpu, CpuMemory, FaultAt};
use crate::debugger::Shown;
use crate::machine::on_access;
use crate::perf::Perf;
use crate::regions::{Faults, NewRegion, Regions};
use crate::show;
use crate::space::{Mapped, Space};
use crate::stats::{Measured, Phase, Stats};
use crate::table::Table;
use crate::tlb::CodePages;

/// Where guest code comes from.
pub trait CodeSource: Send + Sync {
    /// Copies executable guest memory at `addr`; returns how many bytes were
    /// there before memory that is not executable.
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize;
    /// The private, executable and read-only mapping of a file around an
    /// address. When that changes, [`Engine::invalidate`] must be told. Pages of
    /// it may differ from the file: saved translations are compared with memory.
    fn module(&self, addr: u64) -> Option<Module> {
        let _ = addr;
        None
    }
    /// Replaces code that was fetched in a machine, for a guest address, by a debugger's breakpoints there. When
    /// those change, [`Engine::forget_at`] must be told.
    fn lay_over(&self, va: u64, code: &mut [u8]) {
        let _ = (va, code);
    }
    /// Code is about to be read from the physical page at an address, in a machine: from now on
    /// [`Engine::page_written`] must be told before it is written past the processors.
    fn translating(&self, pa: u64) {
        let _ = pa;
    }
}

/// Bytes of code that most regions need at most.
const USUAL: usize = 8 << 10;

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of code memory.
    pub code_size: usize,
    /// Segments of it, each with room for the largest region. When all are full, the one filled longest ago is emptied.
    pub segments: usize,
    /// Bounds of regions.
    pub limits: Limits,
    /// Fold constants and forward values of registers while lifting; off only for tests.
    pub fold: bool,
    /// Write `/tmp/perf-PID.map`.
    pub perf_map: bool,
    /// Write `jit-PID.dump` to the working folder.
    pub jit_dump: bool,
    /// Collect the figures of [`Stats`] that cost time.
    pub measure: bool,
    /// What translated code uses of the host.
    pub host: Host,
    /// Keep translations in files.
    pub cache: Option<CacheOptions>,
    /// A machine: guest addresses are looked up ([`crate::Mmu`]), and [`CodeSource`] is asked by
    /// physical address.
    pub machine: bool,
    /// Guest addresses whose translation is logged where the log asks for it;
    /// none means all.
    pub shown: Vec<RangeInclusive<u64>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            code_size: 256 << 20,
            segments: 8,
            limits: Limits::default(),
            fold: true,
            perf_map: false,
            jit_dump: false,
            measure: false,
            host: Host::detect(),
            cache: None,
            machine: false,
            shown: Vec::new(),
        }
    }
}

/// Why an engine could not be made.
#[derive(Debug)]
pub enum Error {
    /// The host lacks an instruction set extension that translated code uses.
    Host(&'static str),
    /// Code memory could not be mapped.
    Memory(std::io::Error),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Host(what) => write!(f, "this processor lacks {what}; x86-64-v3 is needed"),
            Error::Memory(_) => f.write_str("no memory for translated code"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Error::Memory(e) => Some(e),
            Error::Host(_) => None,
        }
    }
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) code: CodeMemory,
    /// Code before this, in the first segment, is thunks and stays.
    thunks_end: usize,
    pub(crate) regions: Regions,
    pub(crate) cache: Option<Cache>,
    pub(crate) watched: Watched,
    cpus: Vec<Weak<CpuMemory>>,
    former: Former,
    pub(crate) builder: BuilderBox,
    region: Region,
    live: Liveness,
    scratch: Scratch,
    compiled: Compiled,
    entries: Vec<(u64, u32)>,
    pub(crate) stats: Stats,
    perf: Perf,
    /// Told to a debugger of this process.
    _shown: Shown,
}

pub(crate) struct BuilderBox(pub(crate) Builder);

impl BuilderBox {
    fn new(opts: &Options) -> BuilderBox {
        let b = if opts.fold { Builder::new() } else { Builder::plain() };
        // A machine's accesses cannot be made again by other code: devices notice.
        b.join_loads(!opts.machine);
        BuilderBox(b)
    }
}

impl core::fmt::Debug for BuilderBox {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Builder")
    }
}

/// Translates and runs code of one guest program or machine.
pub struct Engine {
    isa: Box<dyn Isa>,
    source: Arc<dyn CodeSource>,
    layout: Layout,
    pub(crate) thunks: Thunks,
    opts: Options,
    pub(crate) code_range: (u64, u64),
    table: RwLock<Table>,
    /// Counts how often code was forgotten, twice each: before and after. Host code found
    /// before may be gone after it.
    pub(crate) generation: AtomicU64,
    /// Between the count and the flags of threads in translated code.
    pub(crate) barrier: Barrier,
    inner: Mutex<Inner>,
    /// Taken alone or with `inner` held.
    pub(crate) code_pages: Mutex<CodePages>,
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine").field("code", &self.code_range).finish_non_exhaustive()
    }
}

/// Keeps the engine still while the process forks: a lock that another thread
/// held would never be free in the child. The table has a lock of its own, which
/// threads that look for code hold alone.
#[derive(Debug)]
pub struct ForkGuard<'a>(
    MutexGuard<'a, Inner>,
    #[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, Table>,
);

impl ForkGuard<'_> {
    /// In the child: only this processor's thread exists there.
    pub fn in_child(mut self, cpu: &Cpu) {
        self.0.cpus = vec![Arc::downgrade(&cpu.mem)];
        self.0.perf.in_child();
        // What was translated before is the parent's to save.
        if let Some(c) = &mut self.0.cache {
            c.unsaved.clear();
        }
    }
}

/// A region's code at the end of code memory.
struct Made {
    shape: Shape,
    host: u64,
    compiled: Compiled,
}

/// A region as text.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The guest's instructions by block.
    pub guest: String,
    /// The host's instructions, and the constants.
    pub host: String,
    /// Host address of the code.
    pub at: u64,
    /// Its bytes.
    pub len: usize,
}

/// Guest code around an entry, and what of it is translated. Bytes that may change are noted.
struct Source<'a> {
    engine: &'a Engine,
    space: Space,
    entry: u64,
    seen: Option<Seen>,
}

impl Fetch for Source<'_> {
    fn fetch(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        let have = self.space.fetch(&*self.engine.source, self.entry, addr, buf);
        if let Some(seen) = &mut self.seen {
            seen.add(addr, &buf[..have]);
        }
        have
    }
    fn translated(&self, pc: u64) -> bool {
        let table = self.engine.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(pc, self.space).is_some()
    }
}

fn check_host() -> Result<(), Error> {
    for (have, what) in [
        (std::is_x86_feature_detected!("avx2"), "AVX2"),
        (std::is_x86_feature_detected!("bmi2"), "BMI2"),
        (std::is_x86_feature_detected!("fma"), "FMA"),
        (std::is_x86_feature_detected!("lzcnt"), "LZCNT"),
        (std::is_x86_feature_detected!("aes"), "AES"),
        (std::is_x86_feature_detected!("pclmulqdq"), "PCLMULQDQ"),
    ] {
        if !have {
            return Err(Error::Host(what));
        }
    }
    Ok(())
}

impl Engine {
    /// An engine for an ISA.
    ///
    /// # Errors
    /// The host is not supported, or has no memory.
    pub fn new(
        isa: Box<dyn Isa>,
        source: Arc<dyn CodeSource>,
        opts: Options,
    ) -> Result<Engine, Error> {
        check_host()?;
        let insn_align = isa.insn_align();
        let desc = isa.state();
        let size = desc.size.next_multiple_of(64);
        let softmmu = opts.machine.then(|| SoftMmu {
            tlb: CpuMemory::tlb_offset(size) as i32 - Layout::BIAS,
            longest: isa.max_insn_len() as u8,
        });
        let pinned = if opts.machine { SoftMmu::PINNED } else { desc.pinned_int.len() };
        let layout = Layout {
            pinned_int: desc.pinned_int.iter().copied().take(pinned).collect(),
            pinned_vec: desc.pinned_vec.to_vec(),
            flags: (desc.regs.iter())
                .filter(|r| r.slot.ty == Type::Flags)
                .map(|r| r.slot.offset)
                .collect(),
            size,
            insn_align,
            host: opts.host,
            softmmu,
        };
        let mut code = CodeMemory::new(opts.code_size).map_err(Error::Memory)?;
        code.prepare(USUAL);
        let mut buf = CodeBuf::new(code.tail());
        let thunks = emit_thunks(&mut buf, &layout, remu_ir::interp::eval_shim, on_access, on_call);
        let len = buf.pos();
        code.publish(len);
        let code_range = (code.base(), code.base() + code.size() as u64);
        let regions = Regions::new(code.base(), code.size(), opts.segments);
        let thunks_end = code.used();
        code.fill(thunks_end, regions.end());
        let inner = Inner {
            thunks_end,
            code,
            regions,
            cache: None,
            watched: Watched::default(),
            cpus: Vec::new(),
            former: Former::default(),
            builder: BuilderBox::new(&opts),
            region: Region::default(),
            live: Liveness::default(),
            scratch: Scratch::default(),
            compiled: Compiled::default(),
            entries: Vec::new(),
            stats: Stats {
                measured: opts.measure.then(Box::<Measured>::default),
                ..Stats::default()
            },
            perf: Perf::default(),
            _shown: Shown::new(code_range),
        };
        let engine = Engine {
            isa,
            source,
            layout,
            thunks,
            opts,
            code_range,
            table: RwLock::new(Table::new(insn_align)),
            generation: AtomicU64::new(0),
            barrier: Barrier::new(),
            inner: Mutex::new(inner),
            code_pages: Mutex::default(),
        };
        let cache = engine.opts.cache.clone().map(|o| engine.make_cache(o));
        engine.lock().cache = cache;
        Ok(engine)
    }
    /// The ISA that is translated.
    pub fn isa(&self) -> &dyn Isa {
        &*self.isa
    }
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
    pub(crate) fn limits(&self) -> Limits {
        self.opts.limits
    }
    pub(crate) fn source(&self) -> &dyn CodeSource {
        &*self.source
    }
    pub(crate) fn lookup_thunk(&self) -> u64 {
        self.thunks.lookup
    }
    /// A panic while translating leaves tables usable: go on.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn register(&self, cpu: &Arc<CpuMemory>) {
        let mut s = self.lock();
        s.cpus.retain(|c| c.strong_count() > 0);
        s.cpus.push(Arc::downgrade(cpu));
    }
    /// Counters so far.
    pub fn stats(&self) -> Stats {
        let s = self.lock();
        Stats { mapped: s.cache.as_ref().map_or(0, Cache::mapped), ..s.stats.clone() }
    }
    /// Call before forking; hold the guard over the fork.
    pub fn before_fork(&self) -> ForkGuard<'_> {
        let inner = self.lock();
        ForkGuard(inner, self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Host code for a guest pc, translated if need be.
    pub(crate) fn host_code(&self, pc: u64, space: Space) -> u64 {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = table.get(pc, space) {
            return self.code_range.0 + u64::from(at);
        }
        drop(table);
        let mut s = self.lock();
        self.find_or_translate(&mut s, pc, space)
    }
    fn find_or_translate(&self, s: &mut Inner, pc: u64, space: Space) -> u64 {
        let found = self.table.read().unwrap_or_else(PoisonError::into_inner).get(pc, space);
        match found {
            Some(at) => self.code_range.0 + u64::from(at),
            None => match self.load(s, pc, space.key) {
                Some(h) => h,
                None => self.translate(s, pc, space),
            },
        }
    }

    /// Makes the code of a region at the end of code memory; nothing refers to it yet.
    fn compile(&self, s: &mut Inner, pc: u64, source: &mut Source<'_>) -> Made {
        let (key, pages) = (source.space.lift_key(), source.space.pages);
        s.stats.begin();
        s.builder.0.reset();
        let mut limits = Limits { within_page: self.opts.machine, ..self.opts.limits };
        if pages[1] != 0 || source.space.is_step() {
            // The rest of the first page is another space.
            limits.insns = 1;
        }
        let shape = s.former.form(&*self.isa, &s.builder.0, source, pc, key, limits);
        s.region = s.builder.0.take(core::mem::take(&mut s.region));
        s.region.mmu = self.isa.tlb(key);
        s.stats.end(Phase::Form);
        s.stats.note_insns(&s.region);
        // The way to a machine's memory changes the host's flags.
        let keeps = self.layout.softmmu.is_none().then_some(Compiler::keeps_flags as KeepsFlags);
        analyse(&s.region, keeps, &mut s.live);
        s.stats.end(Phase::Analyse);
        let mut compiled = core::mem::take(&mut s.compiled);
        s.code.prepare(USUAL);
        loop {
            let tail = s.code.tail();
            let size = tail.len().min(1 << 20);
            let done = Compiler::compile(
                &s.region,
                &s.live,
                &self.layout,
                &self.thunks,
                &mut s.scratch,
                &mut compiled,
                &mut tail[..size],
            );
            match done {
                Ok(()) => break,
                Err(_) => self.flush(s),
            }
        }
        s.stats.end(Phase::Compile);
        let host = s.code.base() + s.code.used() as u64;
        Made { shape, host, compiled }
    }

    /// The region that would be made at a guest pc, as text. Makes nothing findable.
    pub fn listing(&self, pc: u64, key: Key) -> Listing {
        let s = &mut *self.lock();
        let space = Space::user(key);
        let mut source = Source { engine: self, space, entry: pc, seen: None };
        let made = self.compile(s, pc, &mut source);
        let code = &s.code.tail()[..made.compiled.len];
        let listing = Listing {
            guest: show::guest_code(&*self.isa, &*self.source, &s.region),
            host: show::host_code((made.host, code), &s.region, &made.compiled),
            at: made.host,
            len: made.compiled.len,
        };
        s.compiled = made.compiled;
        listing
    }

    /// Sees to it that writes to the pages of a space are noticed.
    fn watch_pages(&self, s: &Inner, space: Space) {
        for page in space.pages.into_iter().filter_map(|p| p.checked_sub(1)) {
            let mut pages = self.code_pages.lock().unwrap_or_else(PoisonError::into_inner);
            if !pages.watched.insert(page) {
                continue;
            }
            let pa = page << SoftMmu::PAGE_BITS;
            let mut any = false;
            for c in s.cpus.iter().filter_map(Weak::upgrade) {
                any |= c.tlbs().protect(pa);
            }
            // A store that has passed the look-up may come after the code was read.
            if any && s.cpus.len() > 1 {
                pages.written.insert(page);
            }
            drop(pages);
            self.source.translating(pa);
        }
    }

    fn translate(&self, s: &mut Inner, pc: u64, space: Space) -> u64 {
        let machine = space.is_machine();
        let module = if machine { None } else { self.source.module(pc) };
        self.watch_pages(s, space);
        let seen = (module.is_none() && !machine).then(Seen::default);
        let mut source = Source { engine: self, space, entry: pc, seen };
        let Made { shape, host, compiled } = self.compile(s, pc, &mut source);
        let seen = source.seen.take();
        if show::wanted(&self.opts.shown, (shape.start, shape.end)) {
            let code = &s.code.tail()[..compiled.len];
            let mapped = Mapped { source: &*self.source, space, entry: pc };
            show::region(&*self.isa, &mapped, &s.region, &compiled, (host, code));
        }
        s.code.publish(compiled.len);
        s.stats.regions += 1;
        s.stats.insns += shape.insns as u64;
        s.stats.ops += s.region.insts.len() as u64;
        s.stats.bytes += compiled.len as u64;
        s.stats.fallbacks += u64::from(compiled.fallbacks);
        let guest = space.place(shape.start, shape.end);
        let unsaved = self.unsaved(s, host, pc, guest, shape.insns, compiled.fixed);
        let mut entries = core::mem::take(&mut s.entries);
        entries.clear();
        entries.extend(s.region.blocks.iter().zip(&compiled.entries).map(|(b, &o)| (b.pc, o)));
        let new = NewRegion {
            host,
            space,
            guest,
            entries: &entries,
            faults: Faults::Own(&compiled.faults),
            landings: &compiled.landings,
            links: &compiled.links,
            relocs: &compiled.relocs,
            len: compiled.len,
            unsaved,
        };
        let entry = self.publish(s, new, pc);
        s.entries = entries;
        s.compiled = compiled;
        if !machine
            && module.is_none_or(|m| guest.0 < m.start || m.end < guest.1)
            && let Some(n) = s.regions.at(host)
        {
            s.watched.add(n, guest, &seen.unwrap_or_default());
        }
        s.stats.end(Phase::Publish);
        self.save_some(s);
        entry
    }

    /// Makes a region findable. Returns the host address of `pc`.
    pub(crate) fn publish(&self, s: &mut Inner, new: NewRegion<'_>, pc: u64) -> u64 {
        let NewRegion { host, space, entries, links, .. } = new;
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(space, (host - s.code.base()) as u32, entries);
        let found = entries.iter().find(|e| e.0 == pc).map_or(host, |e| host + u64::from(e.1));
        s.regions.push(new);
        if self.opts.perf_map || self.opts.jit_dump {
            s.perf.tell((self.opts.perf_map, self.opts.jit_dump), &s.code, s.regions.shown());
        }
        for l in links.iter().filter(|_| !space.is_step()) {
            if let Some(to) = table.get(l.target, space.of_page()) {
                let (site, to) = (host + u64::from(l.site), s.code.base() + u64::from(to));
                s.code.patch_rel32(site, to);
                s.regions.note_incoming(to, site, host + u64::from(l.stub));
                s.stats.links_early += 1;
            }
        }
        found
    }

    /// Resolves the link that a processor has left translated code at, if a flush
    /// has not: the guest pc to go on at.
    pub(crate) fn resolve_link(&self, mem: &CpuMemory) -> Option<u64> {
        let mut s = self.lock();
        let site_end = mem.word(Layout::LINK).swap(0, Ordering::Relaxed);
        let link = s.regions.link_ending_at(site_end)?;
        let flushes = s.stats.flushes;
        let host = self.find_or_translate(&mut s, link.target, link.space);
        // A flush has taken the site away.
        if s.stats.flushes == flushes {
            s.code.patch_rel32(site_end - 4, host);
            s.regions.note_incoming(host, site_end - 4, link.stub);
            s.stats.links += 1;
        }
        Some(link.target)
    }

    /// The guest pc at which a processor goes on that has left translated code at a link, which stays as it is.
    pub(crate) fn peek_link(&self, mem: &CpuMemory) -> Option<u64> {
        let s = self.lock();
        let site_end = mem.word(Layout::LINK).swap(0, Ordering::Relaxed);
        s.regions.link_ending_at(site_end).map(|link| link.target)
    }

    /// Forgets translations of the page of a guest address, and of code that reaches into it, wherever that is in
    /// memory.
    pub fn forget_at(&self, va: u64) {
        let mut s = self.lock();
        let page = va >> SoftMmu::PAGE_BITS;
        let doomed = s.regions.with_entry(|pc, two_pages| {
            let first = pc >> SoftMmu::PAGE_BITS;
            first == page || two_pages && first.wrapping_add(1) == page
        });
        self.retire(&mut s, doomed);
    }

    /// Forgets translations of guest code in `[start, end)`.
    pub fn invalidate(&self, start: u64, end: u64) {
        let mut s = self.lock();
        if let Some(c) = &mut s.cache {
            c.forget(start, end);
        }
        s.builder.0.forget_apart(start, end);
        let doomed = s.regions.covering(start, end);
        self.retire(&mut s, doomed);
    }

    /// Forgets code in which the guest instruction at `pc` reads more than it should, and makes no such
    /// code again: that has faulted.
    pub(crate) fn keep_apart(&self, pc: u64) {
        let mut s = self.lock();
        s.builder.0.keep_apart(pc);
        let doomed = s.regions.covering(pc, pc.saturating_add(1));
        self.retire(&mut s, doomed);
    }

    /// Makes sure that regions are not entered any more.
    pub(crate) fn retire(&self, s: &mut Inner, doomed: Vec<u32>) {
        if doomed.is_empty() {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut gone = Vec::new();
        for n in doomed {
            let Some(r) = s.regions.get(n) else { continue };
            s.watched.remove(n);
            for &(pc, at) in s.regions.entries(r) {
                gone.push(pc);
                table.remove(pc, r.space, (r.host - s.code.base()) as u32 + at);
            }
            for (site, stub) in s.regions.incoming(r) {
                s.code.patch_rel32(site, stub);
            }
            for &l in s.regions.landings(r) {
                s.code.patch_jump(r.host + u64::from(l), self.thunks.stale_landing);
            }
            s.regions.retire(n);
            s.stats.invalidated += 1;
        }
        drop(table);
        // A thread that has found such code but not entered it looks again.
        self.generation.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            if gone.len() < Layout::CACHE_ENTRIES / 8 {
                c.forget(&self.layout, &gone);
            } else {
                c.clear_cache();
            }
            // Other threads leave old code at their next poll.
            c.header().exit_request.fetch_or(Engine::REQUEST_SYNC, Ordering::Relaxed);
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
    /// Bit of the exit-request word that the engine sets; `run` takes it back.
    pub(crate) const REQUEST_SYNC: u32 = 1 << 31;

    /// Empties the segment of code memory that was filled longest ago, to fill it anew. Waits until no other thread is in
    /// translated code.
    fn flush(&self, s: &mut Inner) {
        self.save_locked(s);
        let (doomed, place) = s.regions.oldest();
        let start = place.start.max(s.thunks_end);
        if doomed.is_empty() {
            s.regions.turn();
            return s.code.fill(start, place.end);
        }
        // First: a thread that has been waited for must not find what is about to go.
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for &n in &doomed {
            let Some(r) = s.regions.get(n) else { continue };
            for &(pc, at) in s.regions.entries(r) {
                table.remove(pc, r.space, (r.host - s.code.base()) as u32 + at);
            }
        }
        table.shrink();
        drop(table);
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            c.clear_cache();
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            c.header().exit_request.fetch_or(Engine::REQUEST_SYNC, Ordering::Relaxed);
        }
        self.barrier.rare();
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            // The thread that flushes is here, so its own flag is clear.
            while c.word(Layout::IN_CODE).load(Ordering::SeqCst) != 0 {
                c.header().exit_request.fetch_or(Engine::REQUEST_SYNC, Ordering::Relaxed);
                // It may wait for this lock in the handler of a fault.
                c.answer(|host| s.fault_at(host));
                std::thread::yield_now();
            }
            // It left at a link that may be about to go: where that leads is its pc.
            let link = c.word(Layout::LINK).load(Ordering::Acquire);
            if let Some(l) = s.regions.link_ending_at(link) {
                c.word(Layout::PC).store(l.target, Ordering::Relaxed);
            }
            c.word(Layout::LINK).store(0, Ordering::Release);
            c.clear_cache();
            // Landings go, too.
            c.word(Layout::GUEST_RSP).store(c.stack_top(), Ordering::Relaxed);
        }
        for &n in &doomed {
            s.watched.remove(n);
            let Some(r) = s.regions.get(n) else { continue };
            for (site, stub) in s.regions.incoming(r) {
                s.code.patch_rel32(site, stub);
            }
        }
        s.regions.turn();
        s.code.fill(start, place.end);
        s.stats.flushes += 1;
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The guest instruction whose code holds a host address, for a fault
    /// handler. A thread that empties code memory holds the lock and waits for
    /// this one: then it answers.
    pub(crate) fn fault_at(&self, mem: &CpuMemory, host: u64) -> Option<FaultAt> {
        mem.ask(host);
        loop {
            let got = match self.inner.try_lock() {
                Ok(s) => {
                    mem.answer(|host| s.fault_at(host));
                    mem.answered()
                }
                Err(TryLockError::Poisoned(s)) => {
                    mem.answer(|host| s.get_ref().fault_at(host));
                    mem.answered()
                }
                Err(TryLockError::WouldBlock) => mem.answered(),
            };
            match got {
                Some(at) => return at,
                None => std::thread::yield_now(),
            }
        }
    }
}

impl Inner {
    /// The same for whoever has the lock.
    fn fault_at(&self, host: u64) -> Option<FaultAt> {
        let r = self.regions.get(self.regions.at(host)?)?;
        let off = u32::try_from(host.checked_sub(r.host)?).ok()?;
        if let Some(place) = r.saved {
            let (fault, joint) = self.cache.as_ref()?.fault(place, off)?;
            return Some(FaultAt { pc: r.guest_start.wrapping_add(u64::from(fault)), joint });
        }
        let faults = self.regions.faults(r);
        let n = faults.partition_point(|f| f.0 <= off).checked_sub(1)?;
        let joint = n > 0 && faults[n - 1] == faults[n];
        Some(FaultAt { pc: faults[n].1, joint })
    }
}
