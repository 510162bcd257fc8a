//! A cache file: a header, then segments, each with its own index.
//!
//! Segments are appended under a lock: first the bytes, then the length in the
//! header, so a reader that maps what the header says sees whole segments
//! without locking. Published bytes never change; a file of many segments is
//! written anew and renamed into place. A file that was damaged costs what
//! was damaged: segments and records carry checksums, and every offset is
//! checked before use.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::folder::Folder;
use super::hash::hash;
use super::map::Map;
use super::record::Record;

const MAGIC: [u8; 16] = *b"remu code cache\n";
/// Header: magic, format, what the file is for, published length.
const HEADER: usize = 64;
const PUBLISHED: usize = 48;
const FORMAT: u64 = 1;
/// Segment header: magic, length, place of the index, slots, regions, checksum.
const SEGMENT: usize = 32;
const SEGMENT_MAGIC: u32 = 0x7367_6d31;
/// Index slot: name, place of the record in the segment divided by 16.
const SLOT: usize = 16;
/// A file of more segments is written anew as one.
const SEGMENTS: usize = 12;
/// Largest file.
const MOST: usize = 384 << 20;

/// What a file holds translations of, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    /// Translator, host and settings.
    pub(crate) config: u64,
    /// Guest file.
    pub(crate) module: u128,
}

impl Id {
    pub(crate) fn name(self) -> String {
        format!("{:016x}-{:032x}", self.config, self.module)
    }
    fn header(self, published: usize) -> [u8; HEADER] {
        let mut h = [0; HEADER];
        h[..16].copy_from_slice(&MAGIC);
        h[16..24].copy_from_slice(&FORMAT.to_le_bytes());
        h[24..32].copy_from_slice(&self.config.to_le_bytes());
        h[32..48].copy_from_slice(&self.module.to_le_bytes());
        h[PUBLISHED..PUBLISHED + 8].copy_from_slice(&(published as u64).to_le_bytes());
        h
    }
    /// Published length of the file of `size` bytes that begins with `h`.
    fn published(self, h: &[u8; HEADER], size: usize) -> Option<usize> {
        let len = u64_at(h, PUBLISHED) as usize;
        let same = h[..PUBLISHED] == self.header(0)[..PUBLISHED];
        (same && len >= HEADER && len <= size && len <= MOST).then_some(len)
    }
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    b.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// What an index slot holds for an entry at a place in the guest's file; never 0.
fn name(place: u64, key: u32) -> u64 {
    let p = u128::from(place ^ u64::from(key) << 40)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ((p >> 64) as u64 ^ p as u64) | 1
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    start: usize,
    len: usize,
    index: usize,
    slots: usize,
}

/// The readable part of a file.
#[derive(Debug)]
pub(crate) struct View {
    map: Map,
    /// Newest first.
    segments: Vec<Segment>,
    /// The chain of segments reaches the published end.
    whole: bool,
}

impl View {
    fn new(map: Map) -> View {
        let mut segments = Vec::new();
        let mut at = HEADER;
        while let Some(s) = segment(&map, at) {
            at += s.len;
            segments.insert(0, s);
        }
        View { whole: at == map.len(), map, segments }
    }

    /// The records that the index names for an entry, newest first, unchecked.
    fn places(&self, place: u64, key: u32) -> impl Iterator<Item = &[u8]> {
        let name = name(place, key);
        self.segments.iter().flat_map(move |s| {
            let index = &self.map[s.index..s.index + s.slots * SLOT];
            let first = ((u128::from(name) * s.slots as u128) >> 64) as usize;
            (0..s.slots)
                .map(move |n| &index[(first + n) % s.slots * SLOT..][..SLOT])
                .take_while(|slot| u64_at(slot, 0) != 0)
                .filter(move |slot| u64_at(slot, 0) == name)
                .filter_map(move |slot| {
                    let at = u32_at(slot, 8) as usize * 16;
                    self.map.get(s.start + at..s.index)
                })
        })
    }

    /// The newest sound record with this entry that `accept` takes.
    pub(crate) fn find<'a>(
        &'a self,
        place: u64,
        key: u32,
        mut accept: impl FnMut(&Record<'a>) -> bool,
    ) -> Option<Record<'a>> {
        self.places(place, key).find_map(|bytes| {
            let r = Record::read(bytes)?;
            let guest = place.checked_sub(r.head.start).and_then(|g| u32::try_from(g).ok())?;
            let has = r.head.key == key && r.entries().any(|e| e.0 == guest);
            (has && accept(&r)).then_some(r)
        })
    }

    /// Where in the file a record lies.
    pub(crate) fn place(&self, r: &Record<'_>) -> u32 {
        (r.bytes.as_ptr() as usize).wrapping_sub(self.map.as_ptr() as usize) as u32
    }
    /// The record at such a place.
    pub(crate) fn at(&self, place: u32) -> Option<Record<'_>> {
        Record::read(self.map.get(place as usize..)?)
    }

    /// A record with this entry is there.
    fn has(&self, place: u64, key: u32) -> bool {
        self.find(place, key, |_| true).is_some()
    }

    /// Every sound record, oldest first.
    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.segments.iter().rev().flat_map(|s| {
            let mut rest = &self.map[s.start + SEGMENT..s.index];
            core::iter::from_fn(move || {
                while rest.len() >= 16 {
                    let len = (u32_at(rest, 8) as usize).max(16).min(rest.len());
                    let (this, after) = rest.split_at(len);
                    rest = after;
                    if let Some(r) = Record::read(this) {
                        return Some(r);
                    }
                }
                None
            })
        })
    }
    /// Bytes mapped.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}

/// The segment at a position, if it is one.
fn segment(map: &[u8], start: usize) -> Option<Segment> {
    let h = map.get(start..start + SEGMENT)?;
    let len = u32_at(h, 4) as usize;
    let (index, slots) = (u32_at(h, 8) as usize, u32_at(h, 12) as usize);
    let sound = u32_at(h, 0) == SEGMENT_MAGIC
        && u64_at(h, 24) == hash(&h[..24])
        && len.is_multiple_of(16)
        && start + len <= map.len()
        && index >= SEGMENT
        && slots > 0
        && index.checked_add(slots.checked_mul(SLOT)?)? == len;
    sound.then_some(Segment { start, len, index: start + index, slots })
}

/// Lays records out as a segment.
fn build<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![0; SEGMENT];
    let mut names: Vec<(u64, u32)> = Vec::new();
    let mut regions = 0u32;
    for bytes in records {
        let Some(r) = Record::read(bytes) else { continue };
        let at = (out.len() / 16) as u32;
        for (guest, _) in r.entries() {
            names.push((name(r.head.start + u64::from(guest), r.head.key), at));
        }
        out.extend(r.bytes);
        regions += 1;
    }
    let index = out.len();
    let slots = names.len() * 4 / 3 + 1;
    out.resize(index + slots * SLOT, 0);
    for (name, at) in names {
        let mut n = ((u128::from(name) * slots as u128) >> 64) as usize;
        while u64_at(&out, index + n * SLOT) != 0 {
            n = (n + 1) % slots;
        }
        let slot = &mut out[index + n * SLOT..][..SLOT];
        slot[..8].copy_from_slice(&name.to_le_bytes());
        slot[8..12].copy_from_slice(&at.to_le_bytes());
    }
    let fields = [SEGMENT_MAGIC, out.len() as u32, index as u32, slots as u32, regions, 0];
    for (n, v) in fields.into_iter().enumerate() {
        out[4 * n..4 * n + 4].copy_from_slice(&v.to_le_bytes());
    }
    let sum = hash(&out[..24]);
    out[24..32].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Maps the published part of an open file.
fn view(file: &File, id: Id) -> Option<View> {
    let size = usize::try_from(file.metadata().ok()?.len()).ok()?;
    let mut h = [0; HEADER];
    file.read_exact_at(&mut h, 0).ok()?;
    let len = id.published(&h, size)?;
    Map::new(file, len).ok().map(View::new)
}

/// Opens the file of a module for reading.
pub(crate) fn open(folder: &Folder, id: Id) -> Option<View> {
    let file = folder.open(&id.name())?;
    Folder::touch(&file);
    view(&file, id)
}

/// Adds records to the file of a module, but for those it has meanwhile.
/// Returns how many were added.
///
/// # Errors
/// The file could not be made or written.
pub(crate) fn append(folder: &Folder, id: Id, new: &[Vec<u8>]) -> io::Result<usize> {
    let name = id.name();
    let (file, made) = locked(folder, &name)?;
    let old = view(&file, id);
    let fresh: Vec<&[u8]> = new
        .iter()
        .map(|r| &r[..])
        .filter(|r| {
            let known = |h: super::record::Head| {
                let place = h.start + u64::from(h.entry);
                old.as_ref().is_some_and(|v| v.has(place, h.key))
            };
            Record::peek(r).is_some_and(|h| !known(h))
        })
        .collect();
    if fresh.is_empty() {
        return Ok(0);
    }
    let added: usize = fresh.iter().map(|r| r.len()).sum();
    match &old {
        Some(v) if v.len() + added > MOST / 2 => return Ok(0),
        Some(v) if v.whole && v.segments.len() < SEGMENTS => {
            let segment = build(fresh.iter().copied());
            let end = v.len() + segment.len();
            file.write_all_at(&segment, v.len() as u64)?;
            file.write_all_at(&(end as u64).to_le_bytes(), PUBLISHED as u64)?;
        }
        _ if made => {
            let segment = build(fresh.iter().copied());
            file.write_all_at(&segment, HEADER as u64)?;
            file.write_all_at(&id.header(HEADER + segment.len()), 0)?;
        }
        _ => {
            let records = old.iter().flat_map(View::records).map(|r| r.bytes);
            let segment = build(records.chain(fresh.iter().copied()));
            let header = id.header(HEADER + segment.len());
            folder.replace(&name, &[&header, &segment])?;
        }
    }
    if made {
        folder.bound();
    }
    Ok(fresh.len())
}

/// Opens and locks a file that is still the one of that name; true where it is
/// new and empty. Each turn that fails is another writer's that got through.
fn locked(folder: &Folder, name: &str) -> io::Result<(File, bool)> {
    for _ in 0..64 {
        let file = folder.create(name)?;
        file.lock()?;
        let own = file.metadata()?;
        // A writer that came before may have replaced the file.
        if own.nlink() > 0 {
            return Ok((file, own.len() == 0));
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

#[cfg(test)]
mod tests {
    use super::super::record::{Head, Parts};
    use super::*;
    use remu_codegen::{Link, Reloc, RelocKind};

    const ID: Id = Id { config: 1, module: 2 };

    /// A region of guest bytes `place..place + 64` with entries at both ends.
    fn record(place: u64) -> Vec<u8> {
        let code: Vec<u8> = (0..200).map(|n| (place as u8).wrapping_mul(n)).collect();
        let mut out = Vec::new();
        Parts {
            head: Head { key: 3, start: place, span: 64, content: place, ..Head::default() },
            entries: &[(0, 0), (60, 100)],
            faults: &[(4, place + 8)],
            landings: &[16],
            links: &[Link { site: 32, stub: 80, target: 5 }],
            relocs: &[Reloc { at: 40, kind: RelocKind::Guest }],
            code: &code,
        }
        .write(&mut out);
        out
    }

    struct Temporary(std::path::PathBuf);

    impl Temporary {
        fn new(name: &str) -> (Temporary, Folder) {
            let path = std::env::temp_dir().join(format!("remu-{name}-{}", std::process::id()));
            let folder = Folder::open_dir(&path, true, 1 << 30).unwrap();
            (Temporary(path), folder)
        }
        fn file(&self) -> std::path::PathBuf {
            self.0.join(ID.name())
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// How many of the places 0, 64, ... below 64 * n the file serves, rightly.
    fn count(folder: &Folder, n: u64) -> u64 {
        let Some(view) = open(folder, ID) else { return 0 };
        let right = |place: u64, guest: u64| {
            view.find(place + guest, 3, |_| true).is_some_and(|r| {
                assert_eq!(r.bytes, record(place), "a wrong record was served");
                true
            })
        };
        (0..n).filter(|p| right(p * 64, 0) | right(p * 64, 60)).count() as u64
    }

    #[test]
    fn what_was_appended_is_found_once_and_in_one_piece() {
        let (_t, folder) = Temporary::new("append");
        assert!(open(&folder, ID).is_none());
        for n in 0..40 {
            // Each time one that is known and two that are not.
            let new: Vec<Vec<u8>> = (2 * n..2 * n + 3).map(|p| record(p * 64)).collect();
            assert_eq!(append(&folder, ID, &new).unwrap(), if n == 0 { 3 } else { 2 });
            assert_eq!(count(&folder, 100), 2 * n + 3);
        }
        let view = open(&folder, ID).unwrap();
        assert!(view.whole && view.segments.len() <= SEGMENTS);
        assert_eq!(view.records().count(), 81);
        assert!(view.find(0, 4, |_| true).is_none());
        assert!(view.find(0, 3, |_| false).is_none());
        assert!(view.find(4, 3, |_| true).is_none());
        let other = Id { config: 9, ..ID };
        assert!(super::view(&folder.open(&ID.name()).unwrap(), other).is_none());
    }

    #[test]
    fn damage_costs_regions_and_nothing_else() {
        let (t, folder) = Temporary::new("damage");
        for n in 0..4 {
            let new: Vec<Vec<u8>> = (8 * n..8 * n + 8).map(|p| record(p * 64)).collect();
            append(&folder, ID, &new).unwrap();
        }
        let good = std::fs::read(t.file()).unwrap();
        let mut random = 0x1234_5678_9abc_def1u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (random >> 33) as usize % below
        };
        let mut hurt = 0;
        for turn in 0..600 {
            let mut bad = good.clone();
            match turn % 4 {
                0 => bad.truncate(next(good.len())),
                1 => {
                    let at = next(good.len() - 64);
                    bad[at..at + 64].fill(next(256) as u8);
                }
                2 => {
                    let at = next(good.len() / 4) * 4;
                    bad[at..at + 4].copy_from_slice(&(next(1 << 24) as u32 * 16).to_le_bytes());
                }
                _ => {
                    let at = next(good.len());
                    bad[at] ^= 1 << next(8);
                }
            }
            std::fs::write(t.file(), &bad).unwrap();
            let served = count(&folder, 32);
            hurt += u64::from(served < 32);
            if turn % 10 == 0 {
                // A writer mends what it can, and loses nothing that was good.
                let new = [record(100 * 64)];
                append(&folder, ID, &new).unwrap();
                assert!(count(&folder, 101) > served, "turn {turn}");
            }
        }
        assert!(hurt > 100, "{hurt} of 600 noticed");
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let (t, folder) = Temporary::new("writers");
        std::thread::scope(|s| {
            for n in 0..8u64 {
                let path = &t.0;
                s.spawn(move || {
                    let folder = Folder::open_dir(path, true, 1 << 30).unwrap();
                    for k in 0..20 {
                        let both = [record((n * 20 + k) * 64), record((200 + k) * 64)];
                        append(&folder, ID, &both).unwrap();
                    }
                });
            }
        });
        assert_eq!(count(&folder, 220), 180);
        assert_eq!(open(&folder, ID).unwrap().records().count(), 180);
    }
}
