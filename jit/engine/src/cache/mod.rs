//! Translations kept in files, one for each guest file and configuration.
//!
//! A region that is wanted and not in memory is looked up by its place in the
//! guest's file, compared with the guest bytes it was made from, copied into
//! code memory and relocated. What was translated is appended when the process
//! ends or executes another program. See `jit/README.md`.

mod file;
mod folder;
mod hash;
mod map;
mod record;

use std::path::PathBuf;

pub(crate) use file::{Id, View, append};
pub(crate) use folder::Folder;
pub(crate) use hash::hash;
pub(crate) use record::{Head, Parts, Record};

use crate::translate::CodeSource;

/// Where translations are kept.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// The folder; used only if nobody else can have written there.
    pub folder: PathBuf,
    /// Make the folder if it is missing.
    pub make: bool,
    /// What else the translations depend on: the program's build, the model.
    pub build: Vec<u8>,
    /// Bytes that the folder may hold.
    pub limit: u64,
    /// Fewer new regions of a guest file are not worth writing.
    pub least: usize,
}

/// A mapping of a file that guest code lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module {
    /// Names the file's content; equal for equal files, as far as is cheap.
    pub id: u128,
    /// First guest address.
    pub start: u64,
    /// One past the last guest address.
    pub end: u64,
    /// Place in the file of the byte at `start`.
    pub offset: u64,
}

impl Module {
    /// Guest address of the file's first byte.
    pub(crate) fn base(&self) -> u64 {
        self.start.wrapping_sub(self.offset)
    }
}

/// The file of one module.
#[derive(Debug)]
struct Store {
    id: u128,
    view: Option<View>,
    /// Not opened yet: done at the first look-up.
    fresh: bool,
}

/// Everything the engine knows of cache files.
#[derive(Debug)]
pub(crate) struct Cache {
    options: CacheOptions,
    config: u64,
    stores: Vec<Store>,
    /// Mappings seen, with the number of their store.
    modules: Vec<(Module, usize)>,
    /// Host addresses of regions that no file has yet.
    pub(crate) unsaved: Vec<u64>,
    guest: Vec<u8>,
}

impl Cache {
    /// `settings`: what the engine adds to the configuration.
    pub(crate) fn new(options: CacheOptions, settings: &[u8]) -> Cache {
        let config = hash(&[&options.build, settings].concat());
        Cache {
            options,
            config,
            stores: Vec::new(),
            modules: Vec::new(),
            unsaved: Vec::new(),
            guest: Vec::new(),
        }
    }

    /// The mapping around a guest address and the number of its store.
    pub(crate) fn module(&mut self, source: &dyn CodeSource, pc: u64) -> Option<(Module, usize)> {
        if let Some(m) = self.modules.iter().find(|(m, _)| (m.start..m.end).contains(&pc)) {
            return Some(*m);
        }
        let m = source.module(pc).filter(|m| (m.start..m.end).contains(&pc))?;
        let n = self.stores.iter().position(|s| s.id == m.id).unwrap_or_else(|| {
            self.stores.push(Store { id: m.id, view: None, fresh: true });
            self.stores.len() - 1
        });
        self.modules.push((m, n));
        Some((m, n))
    }

    /// Guest memory in a range changed: what is mapped there is asked for again.
    pub(crate) fn forget(&mut self, start: u64, end: u64) {
        self.modules.retain(|(m, _)| m.end <= start || end <= m.start);
    }

    /// A saved region that has an entry at `pc` and was made from the bytes
    /// that are there, in a range that is `usable`.
    pub(crate) fn find(
        &mut self,
        source: &dyn CodeSource,
        pc: u64,
        key: u32,
        usable: impl Fn(u64, u64) -> bool,
    ) -> Option<(Module, Record<'_>, Place)> {
        let (m, n) = self.module(source, pc)?;
        let store = &mut self.stores[n];
        if core::mem::take(&mut store.fresh) {
            let id = Id { config: self.config, module: store.id };
            let o = &self.options;
            store.view =
                Folder::open_dir(&o.folder, false, o.limit).and_then(|f| file::open(&f, id));
        }
        let guest = &mut self.guest;
        let accept = |r: &Record<'_>| {
            let from = m.base().wrapping_add(r.head.start);
            let inside = from >= m.start && from.saturating_add(u64::from(r.head.span)) <= m.end;
            inside
                && usable(from, from.saturating_add(u64::from(r.head.span)))
                && (!r.head.fixed || r.head.base == m.base())
                && content(source, guest, from, r.head.span) == Some(r.head.content)
        };
        let view = store.view.as_ref()?;
        let r = view.find(pc.wrapping_sub(m.base()), key, accept)?;
        Some((m, r, Place { store: n as u32, at: view.place(&r) }))
    }

    /// The guest offset of what can fault at or before a host offset of a region, and whether that
    /// is a joint load.
    pub(crate) fn fault(&self, place: Place, host: u32) -> Option<(u32, bool)> {
        let view = self.stores.get(place.store as usize)?.view.as_ref()?;
        let mut before = None;
        let mut last = None;
        for fault in view.at(place.at)?.faults().take_while(|f| f.0 <= host) {
            before = last.replace(fault);
        }
        last.map(|fault| (fault.1, before == Some(fault)))
    }

    /// Hash of guest bytes, if they all belong to the mapping around `pc`.
    pub(crate) fn origin(
        &mut self,
        source: &dyn CodeSource,
        pc: u64,
        guest: (u64, u64),
    ) -> Option<Origin> {
        let (m, store) = self.module(source, pc)?;
        if guest.0 < m.start || guest.1 > m.end {
            return None;
        }
        let span = u32::try_from(guest.1 - guest.0).ok()?;
        let content = content(source, &mut self.guest, guest.0, span)?;
        Some(Origin { store, base: m.base(), content })
    }

    /// The identity of a store's file.
    pub(crate) fn id(&self, store: usize) -> Option<Id> {
        Some(Id { config: self.config, module: self.stores.get(store)?.id })
    }

    /// Bytes of the files in use.
    pub(crate) fn mapped(&self) -> u64 {
        self.stores.iter().filter_map(|s| s.view.as_ref()).map(|v| v.len() as u64).sum()
    }

    pub(crate) fn options(&self) -> &CacheOptions {
        &self.options
    }
}

/// Where in the files a region is. They stay mapped as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    store: u32,
    at: u32,
}

/// Where a translated region came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) store: usize,
    /// Guest address of the file's first byte.
    pub(crate) base: u64,
    /// Hash of the guest bytes.
    pub(crate) content: u64,
}

fn content(source: &dyn CodeSource, buf: &mut Vec<u8>, from: u64, span: u32) -> Option<u64> {
    let span = span as usize;
    if buf.len() < span {
        buf.resize(span, 0);
    }
    let buf = &mut buf[..span];
    (source.fetch(from, buf) == span).then(|| hash(buf))
}

/// Records to write, and the file they belong to.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) id: Id,
    pub(crate) records: Vec<Vec<u8>>,
}

/// Writes what was translated. What cannot be written is lost: it is a cache.
pub(crate) fn write(options: &CacheOptions, batches: &[Batch]) -> u64 {
    let mut written = 0;
    let mut folder = None;
    for b in batches.iter().filter(|b| b.records.len() >= options.least) {
        if folder.is_none() {
            folder = Folder::open_dir(&options.folder, options.make, options.limit);
        }
        let Some(f) = &folder else { break };
        match append(f, b.id, &b.records) {
            Ok(n) => written += n as u64,
            Err(e) => {
                log::debug!(target: "remu::cache", "{}: {e}", b.id.name());
            }
        }
    }
    written
}
