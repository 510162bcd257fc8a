//! Translation, linking and retirement of regions.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Instant;

use core::sync::atomic::{AtomicU64, Ordering};
use remu_codegen::x64::{CodeBuf, Compiler, Thunks, emit_thunks};
use remu_codegen::{Layout, Link};
use remu_ir::passes::{Liveness, analyse};
use remu_ir::{Builder, Region, Type};
use remu_isa::{Fetch, Isa, Key, Limits, form};

use crate::cache::{Cache, CacheOptions, Module};
use crate::code::CodeMemory;
use crate::cpu::{Cpu, CpuMemory};
use crate::serve::Unsaved;
use crate::stats::Stats;
use crate::table::Table;

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
}

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of code memory.
    pub code_size: usize,
    /// Bounds of regions.
    pub limits: Limits,
    /// Write `/tmp/perf-PID.map`.
    pub perf_map: bool,
    /// Keep translations in files.
    pub cache: Option<CacheOptions>,
}

impl Default for Options {
    fn default() -> Options {
        Options { code_size: 256 << 20, limits: Limits::default(), perf_map: false, cache: None }
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

/// A translated region.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) key: Key,
    host: u64,
    pub(crate) len: u32,
    /// Guest bytes covered.
    pub(crate) guest: (u64, u64),
    /// (guest pc, host address) of its entries.
    pub(crate) entries: Vec<(u64, u64)>,
    pub(crate) faults: Vec<(u32, u64)>,
    pub(crate) landings: Vec<u32>,
    /// (site, stub) of jumps that lead here.
    incoming: Vec<(u64, u64)>,
    /// Set until a cache file has it.
    pub(crate) unsaved: Option<Box<Unsaved>>,
}

/// A region about to be published: its code is in place.
#[derive(Debug)]
pub(crate) struct NewRegion {
    pub(crate) host: u64,
    pub(crate) key: Key,
    pub(crate) guest: (u64, u64),
    pub(crate) entries: Vec<(u64, u64)>,
    pub(crate) faults: Vec<(u32, u64)>,
    pub(crate) landings: Vec<u32>,
    pub(crate) links: Vec<Link>,
    pub(crate) len: usize,
    pub(crate) unsaved: Option<Box<Unsaved>>,
}

#[derive(Clone, Copy, Debug)]
struct PendingLink {
    target: u64,
    key: Key,
    stub: u64,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) code: CodeMemory,
    /// Code before this is thunks and stays.
    thunks_end: usize,
    pub(crate) regions: HashMap<u64, Translated>,
    pub(crate) cache: Option<Cache>,
    /// Host start to region, for faults; the value is the map's key.
    by_host: BTreeMap<u64, u64>,
    /// Guest page to regions that cover it.
    by_page: HashMap<u64, Vec<u64>>,
    /// By address of the end of the site.
    links: HashMap<u64, PendingLink>,
    cpus: Vec<Weak<CpuMemory>>,
    builder: BuilderBox,
    region: Region,
    live: Liveness,
    pub(crate) stats: Stats,
}

struct BuilderBox(Builder);

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
    /// Counts flushes: host code found before one is gone after it.
    pub(crate) generation: AtomicU64,
    inner: Mutex<Inner>,
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
        // What was translated before is the parent's to save.
        if let Some(c) = &mut self.0.cache {
            c.unsaved.clear();
        }
    }
}

/// Guest code, and what of it is translated.
struct Source<'a>(&'a Engine, Key);

impl Fetch for Source<'_> {
    fn fetch(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        self.0.source.fetch(addr, buf)
    }
    fn translated(&self, pc: u64) -> bool {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner).get(pc, self.1).is_some()
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
        let desc = isa.state();
        let layout = Layout {
            pinned_int: desc.pinned_int.to_vec(),
            pinned_vec: desc.pinned_vec.to_vec(),
            flags: (desc.regs.iter())
                .filter(|r| r.slot.ty == Type::Flags)
                .map(|r| r.slot.offset)
                .collect(),
            size: desc.size.next_multiple_of(64),
            insn_align: isa.insn_align(),
            avx512: false,
            sha: std::is_x86_feature_detected!("sha"),
        };
        let mut code = CodeMemory::new(opts.code_size).map_err(Error::Memory)?;
        let mut buf = CodeBuf::new(code.tail());
        let thunks = emit_thunks(&mut buf, &layout, remu_ir::interp::eval_shim);
        let len = buf.pos();
        code.publish(len);
        let code_range = (code.base(), code.base() + code.size() as u64);
        let inner = Inner {
            thunks_end: code.used(),
            code,
            regions: HashMap::new(),
            cache: None,
            by_host: BTreeMap::new(),
            by_page: HashMap::new(),
            links: HashMap::new(),
            cpus: Vec::new(),
            builder: BuilderBox(Builder::new()),
            region: Region::default(),
            live: Liveness::default(),
            stats: Stats::default(),
        };
        let engine = Engine {
            isa,
            source,
            layout,
            thunks,
            opts,
            code_range,
            table: RwLock::new(Table::new(1 << 12)),
            generation: AtomicU64::new(0),
            inner: Mutex::new(inner),
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
        Stats { mapped: s.cache.as_ref().map_or(0, Cache::mapped), ..s.stats }
    }
    /// Call before forking; hold the guard over the fork.
    pub fn before_fork(&self) -> ForkGuard<'_> {
        let inner = self.lock();
        ForkGuard(inner, self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Host code for a guest pc, translated if need be.
    pub(crate) fn host_code(&self, pc: u64, key: Key) -> u64 {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(h) = table.get(pc, key) {
            return h;
        }
        drop(table);
        let mut s = self.lock();
        self.find_or_translate(&mut s, pc, key)
    }
    fn find_or_translate(&self, s: &mut Inner, pc: u64, key: Key) -> u64 {
        let found = self.table.read().unwrap_or_else(PoisonError::into_inner).get(pc, key);
        match found {
            Some(h) => h,
            None => match self.load(s, pc, key) {
                Some(h) => h,
                None => self.translate(s, pc, key),
            },
        }
    }

    fn translate(&self, s: &mut Inner, pc: u64, key: Key) -> u64 {
        let begin = Instant::now();
        s.builder.0.reset();
        let shape =
            form(&*self.isa, &s.builder.0, &mut Source(self, key), pc, key, self.opts.limits);
        s.region = s.builder.0.take(core::mem::take(&mut s.region));
        analyse(&s.region, &mut s.live);
        let mut compiled = loop {
            let tail = s.code.tail();
            let size = tail.len().min(1 << 20);
            match Compiler::compile(
                &s.region,
                &s.live,
                &self.layout,
                &self.thunks,
                &mut tail[..size],
            ) {
                Ok(c) => break c,
                Err(_) => self.flush(s),
            }
        };
        let host = s.code.base() + s.code.used() as u64;
        s.code.publish(compiled.len);
        s.stats.regions += 1;
        s.stats.insns += shape.insns as u64;
        s.stats.ops += s.region.insts.len() as u64;
        s.stats.bytes += compiled.len as u64;
        s.stats.fallbacks += u64::from(compiled.fallbacks);
        let guest = (shape.start, shape.end);
        let unsaved = self.unsaved(s, host, pc, guest, shape.insns, &mut compiled);
        let entries = s.region.blocks.iter().zip(&compiled.entries);
        let new = NewRegion {
            host,
            key,
            guest,
            entries: entries.map(|(b, &o)| (b.pc, host + u64::from(o))).collect(),
            faults: compiled.faults,
            landings: compiled.landings,
            links: compiled.links,
            len: compiled.len,
            unsaved,
        };
        let entry = self.publish(s, new, pc);
        s.stats.nanos += begin.elapsed().as_nanos() as u64;
        self.save_some(s);
        entry
    }

    /// Makes a region findable. Returns the host address of `pc`.
    pub(crate) fn publish(&self, s: &mut Inner, new: NewRegion, pc: u64) -> u64 {
        let NewRegion { host, key, guest, entries, faults, landings, links, len, unsaved } = new;
        for page in guest.0 >> 12..=guest.1.saturating_sub(1).max(guest.0) >> 12 {
            s.by_page.entry(page).or_default().push(host);
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for &(p, h) in &entries {
            table.insert(p, key, h);
        }
        let found = entries.iter().find(|e| e.0 == pc).map_or(host, |e| e.1);
        if self.opts.perf_map {
            crate::run::perf_map(host, len, pc);
        }
        s.by_host.insert(host, host);
        s.regions.insert(
            host,
            Translated {
                key,
                host,
                len: len as u32,
                guest,
                entries,
                faults,
                landings,
                incoming: Vec::new(),
                unsaved,
            },
        );
        for l in links {
            let site_end = host + u64::from(l.site) + 4;
            let stub = host + u64::from(l.stub);
            s.links.insert(site_end, PendingLink { target: l.target, key, stub });
            if let Some(to) = table.get(l.target, key) {
                Self::connect(s, site_end, stub, to);
            }
        }
        found
    }

    /// Points a link at the code of its target.
    fn connect(s: &mut Inner, site_end: u64, stub: u64, to: u64) {
        s.code.patch_rel32(site_end - 4, to);
        s.stats.links += 1;
        let owner = s.by_host.range(..=to).next_back().map(|(_, &r)| r);
        if let Some(r) = owner.and_then(|r| s.regions.get_mut(&r)) {
            r.incoming.push((site_end - 4, stub));
        }
    }

    /// Resolves the link whose site ends at `site_end`: returns the guest pc
    /// to go on at and its host code.
    pub(crate) fn resolve_link(&self, site_end: u64) -> Option<(u64, u64)> {
        let mut s = self.lock();
        let link = *s.links.get(&site_end)?;
        let flushes = s.stats.flushes;
        let host = self.find_or_translate(&mut s, link.target, link.key);
        // A flush has taken the site away.
        if s.stats.flushes == flushes {
            Self::connect(&mut s, site_end, link.stub, host);
        }
        Some((link.target, host))
    }

    /// Forgets translations of guest code in `[start, end)`.
    pub fn invalidate(&self, start: u64, end: u64) {
        let mut s = self.lock();
        if let Some(c) = &mut s.cache {
            c.forget(start, end);
        }
        let mut doomed: Vec<u64> = Vec::new();
        let pages = (start >> 12)..=(end.saturating_sub(1) >> 12);
        if pages.clone().count() > s.by_page.len() {
            doomed.extend(
                s.regions.values().filter(|r| r.guest.0 < end && start < r.guest.1).map(|r| r.host),
            );
        } else {
            for page in pages {
                if let Some(list) = s.by_page.get(&page) {
                    doomed.extend(list.iter().copied());
                }
            }
            doomed.sort_unstable();
            doomed.dedup();
            doomed
                .retain(|h| s.regions.get(h).is_some_and(|r| r.guest.0 < end && start < r.guest.1));
        }
        if doomed.is_empty() {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for h in doomed {
            let Some(r) = s.regions.remove(&h) else { continue };
            for (pc, host) in &r.entries {
                table.remove(*pc, r.key, *host);
            }
            for (site, stub) in &r.incoming {
                s.code.patch_rel32(*site, *stub);
            }
            for l in &r.landings {
                s.code.patch_jump(r.host + u64::from(*l), self.thunks.stale_landing);
            }
            for page in r.guest.0 >> 12..=r.guest.1.saturating_sub(1).max(r.guest.0) >> 12 {
                if let Some(list) = s.by_page.get_mut(&page) {
                    list.retain(|x| *x != h);
                    if list.is_empty() {
                        s.by_page.remove(&page);
                    }
                }
            }
            // The code itself stays until the next flush: a thread may be in
            // it, and its fault table with it.
            s.stats.invalidated += 1;
            s.regions.insert(
                h,
                Translated {
                    entries: Vec::new(),
                    landings: Vec::new(),
                    incoming: Vec::new(),
                    guest: (0, 0),
                    ..r
                },
            );
        }
        drop(table);
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            c.clear_cache();
            // Other threads leave old code at their next poll.
            c.header().exit_request.fetch_or(Engine::REQUEST_SYNC, Ordering::Relaxed);
        }
    }
    /// Bit of the exit-request word that the engine sets; `run` takes it back.
    pub(crate) const REQUEST_SYNC: u32 = 1 << 31;

    /// Empties code memory. Waits until no other thread is in it.
    fn flush(&self, s: &mut Inner) {
        self.save_locked(s);
        self.generation.fetch_add(1, Ordering::SeqCst);
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            c.header().exit_request.fetch_or(Engine::REQUEST_SYNC, Ordering::Relaxed);
        }
        for c in s.cpus.iter().filter_map(Weak::upgrade) {
            // The thread that flushes is here, so its own flag is clear.
            while c.word(Layout::IN_CODE).load(Ordering::SeqCst) != 0 {
                c.header().exit_request.fetch_or(Engine::REQUEST_SYNC, Ordering::Relaxed);
                std::thread::yield_now();
            }
            c.clear_cache();
            c.word(Layout::GUEST_RSP).store(c.stack_top(), Ordering::Relaxed);
        }
        self.table.write().unwrap_or_else(PoisonError::into_inner).clear();
        s.regions.clear();
        s.by_host.clear();
        s.by_page.clear();
        s.links.clear();
        let keep = s.thunks_end;
        s.code.reset(keep);
        s.stats.flushes += 1;
    }

    /// Guest pc of the instruction whose code holds a host address.
    pub(crate) fn guest_pc(&self, host: u64) -> Option<u64> {
        let s = self.lock();
        let (_, start) = s.by_host.range(..=host).next_back()?;
        let r = s.regions.get(start)?;
        let off = u32::try_from(host.checked_sub(r.host)?).ok().filter(|&o| o < r.len)?;
        let n = r.faults.partition_point(|f| f.0 <= off);
        r.faults.get(n.checked_sub(1)?).map(|f| f.1)
    }
}
