//! Between cache files and code memory.

use std::time::Instant;

use remu_codegen::Link;
use remu_isa::Key;

use crate::Engine;
use crate::cache::{Batch, Cache, CacheOptions, Head, Origin, Parts, write};
use crate::regions::{Faults, NewRegion};
use crate::space::Space;
use crate::translate::Inner;

/// So many new regions are written while the program runs.
const MANY: usize = 4096;

/// What a region that no file has yet needs besides what the engine keeps.
#[derive(Debug)]
pub(crate) struct Unsaved {
    origin: Origin,
    entry: u64,
    insns: u32,
    fixed: bool,
}

/// Host functions are counted from this one.
fn anchor() -> u64 {
    remu_ir::interp::eval_shim as *const () as usize as u64
}

impl Engine {
    /// The cache for an engine's settings.
    pub(crate) fn make_cache(&self, options: CacheOptions) -> Cache {
        let l = self.limits();
        let layout = self.layout();
        let settings = format!(
            "{} {} {} {:?} {:?} {:?} {} {}",
            l.blocks,
            l.insns,
            l.ops,
            layout.host,
            layout.pinned_int,
            layout.pinned_vec,
            layout.size,
            layout.insn_align,
        );
        Cache::new(options, settings.as_bytes())
    }

    /// Copies the region with an entry at `pc` from a cache file, if one has it.
    pub(crate) fn load(&self, s: &mut Inner, pc: u64, key: Key) -> Option<u64> {
        let begin = Instant::now();
        let Inner { cache, code, builder, .. } = s;
        // What is in the files may have been made before a joint load there faulted.
        let usable = |start, end| !builder.0.keeps_apart(start, end);
        let (m, r, place) = cache.as_mut()?.find(self.source(), pc, key.0, usable)?;
        let host_base = code.base();
        let used = code.used().next_multiple_of(16) as u64;
        let delta = m.base().wrapping_sub(r.head.base);
        code.prepare(r.code.len());
        // Full code memory is left to the translator, which empties it.
        let len = r.place(code.tail(), used, delta, anchor())?;
        let host = host_base + used;
        code.publish(len);
        let start = m.base().wrapping_add(r.head.start);
        let guest = (start, start.wrapping_add(u64::from(r.head.span)));
        let entries: Vec<(u64, u32)> =
            r.entries().map(|(g, h)| (start.wrapping_add(u64::from(g)), h)).collect();
        let landings: Vec<u32> = r.landings().collect();
        let links: Vec<Link> =
            r.links().map(|l| Link { target: l.target.wrapping_add(delta), ..l }).collect();
        let new = NewRegion {
            host,
            space: Space::user(key),
            guest,
            entries: &entries,
            faults: Faults::Saved(place),
            landings: &landings,
            links: &links,
            relocs: &[],
            len,
            unsaved: None,
        };
        s.stats.served += 1;
        s.stats.served_insns += u64::from(r.head.insns);
        s.stats.served_bytes += len as u64;
        let found = self.publish(s, new, pc);
        s.stats.load_nanos += begin.elapsed().as_nanos() as u64;
        Some(found)
    }

    /// Notes where a translated region came from, so that it can be saved.
    pub(crate) fn unsaved(
        &self,
        s: &mut Inner,
        host: u64,
        pc: u64,
        guest: (u64, u64),
        insns: usize,
        fixed: bool,
    ) -> Option<Unsaved> {
        let cache = s.cache.as_mut().filter(|_| insns > 0)?;
        let origin = cache.origin(self.source(), pc, guest)?;
        cache.unsaved.push(host);
        Some(Unsaved { origin, entry: pc, insns: insns as u32, fixed })
    }

    /// Lays out what was translated since the last time for its files.
    fn batches(&self, s: &mut Inner) -> Vec<Batch> {
        let mut batches: Vec<(usize, Batch)> = Vec::new();
        let Inner { cache, code, regions, .. } = s;
        let Some(cache) = cache else { return Vec::new() };
        for host in core::mem::take(&mut cache.unsaved) {
            let Some(n) = regions.at(host) else { continue };
            let Some(u) = regions.get_mut(n).and_then(|r| r.unsaved.take()) else { continue };
            // Retired: the guest bytes are gone.
            let Some(r) = regions.get(n).filter(|r| !r.is_retired()) else { continue };
            let (first, relative) = (r.guest.0, |pc: u64| pc.wrapping_sub(r.guest.0) as u32);
            let entries: Vec<(u32, u32)> =
                regions.entries(r).iter().map(|e| (relative(e.0), e.1)).collect();
            let parts = Parts {
                head: Head {
                    key: r.space.key.0,
                    fixed: u.fixed,
                    base: u.origin.base,
                    start: first.wrapping_sub(u.origin.base),
                    span: (r.guest.1 - first) as u32,
                    entry: relative(u.entry),
                    content: u.origin.content,
                    host: host - code.base(),
                    anchor: anchor(),
                    insns: u.insns,
                },
                entries: &entries,
                faults: regions.faults(r),
                landings: regions.landings(r),
                links: regions.links(r),
                relocs: regions.relocs(r),
                code: code.published(host, r.len as usize),
            };
            let mut record = Vec::new();
            parts.write(&mut record);
            let n = batches.iter().position(|b| b.0 == u.origin.store);
            match (n, cache.id(u.origin.store)) {
                (Some(n), _) => batches[n].1.records.push(record),
                (None, Some(id)) => {
                    batches.push((u.origin.store, Batch { id, records: vec![record] }));
                }
                (None, None) => {}
            }
        }
        batches.into_iter().map(|b| b.1).collect()
    }

    /// Saves what was translated in cache files. Call when the process ends or
    /// executes another program.
    pub fn save(&self) {
        let mut s = self.lock();
        self.save_locked(&mut s);
    }
    pub(crate) fn save_locked(&self, s: &mut Inner) {
        let batches = self.batches(s);
        if let Some(cache) = &s.cache
            && !batches.is_empty()
        {
            s.stats.saved += write(cache.options(), &batches);
        }
    }
    /// Saves while the program runs if there is much to save.
    pub(crate) fn save_some(&self, s: &mut Inner) {
        if s.cache.as_ref().is_some_and(|c| c.unsaved.len() >= MANY) {
            self.save_locked(s);
        }
    }
}
