//! What perf(1) is told of translated code, as the options ask: names in `/tmp/perf-PID.map`
//! (`-perfmap`), or names and code, with times, in `jit-PID.dump` (`-jitdump`;
//! tools/perf/Documentation/jitdump-specification.txt in the kernel's source), which `perf inject --jit`
//! joins to what `perf record -k mono` wrote.
//!
//! Files are opened for each region: between two of them there is no descriptor that the guest could
//! see or close. What cannot be written only costs names, and is said once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use nix::time::{ClockId, clock_gettime};

use crate::code::{CodeMemory, Marker};

/// `JITHEADER_MAGIC` and version.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER: u32 = 40;
/// `EM_X86_64`: whose code it is.
const MACHINE: u32 = 62;
/// `JIT_CODE_LOAD`, and bytes of its record before the name.
const LOAD: u32 = 0;
const LOAD_HEAD: usize = 56;

/// Where translated code is told of.
#[derive(Debug, Default)]
pub(crate) struct Perf {
    map: Option<PathBuf>,
    dump: Option<Dump>,
    /// Something could not be written.
    failed: bool,
}

#[derive(Debug)]
struct Dump {
    path: PathBuf,
    /// By which perf finds the file.
    _marker: Marker,
    /// Whose code it is. A child that shares memory tells of code as well.
    process: u32,
    /// Records so far.
    count: u64,
}

/// A region, as perf sees it: host address, bytes, guest address.
pub(crate) type Shown = (u64, usize, u64);

impl Perf {
    /// In a forked child: it has files of its own.
    pub(crate) fn in_child(&mut self) {
        *self = Perf::default();
    }

    /// Tells of the last of `regions`, or of all where the process has told of none before.
    pub(crate) fn tell(
        &mut self,
        (map, dump): (bool, bool),
        code: &CodeMemory,
        regions: impl DoubleEndedIterator<Item = Shown> + Clone,
    ) {
        let told = self
            .write_map(map, regions.clone())
            .and_then(|()| self.write_dump(dump, code, regions));
        if let Err(e) = told
            && !self.failed
        {
            self.failed = true;
            log::warn!(target: "remu::perf", "perf is not told of all translated code: {e}");
        }
    }

    fn write_map(
        &mut self,
        wanted: bool,
        regions: impl DoubleEndedIterator<Item = Shown>,
    ) -> io::Result<()> {
        if !wanted {
            return Ok(());
        }
        let line = |(host, len, pc): Shown| format!("{host:x} {len:x} {}\n", name(pc));
        if let Some(path) = &self.map {
            let text: String = regions.last().map(line).unwrap_or_default();
            return OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes());
        }
        let path = PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
        let text: String = regions.map(line).collect();
        File::create(&path)?.write_all(text.as_bytes())?;
        self.map = Some(path);
        Ok(())
    }

    fn write_dump(
        &mut self,
        wanted: bool,
        code: &CodeMemory,
        mut regions: impl DoubleEndedIterator<Item = Shown>,
    ) -> io::Result<()> {
        if !wanted {
            return Ok(());
        }
        let now = now();
        if let Some(dump) = &mut self.dump {
            let Some(last) = regions.next_back() else { return Ok(()) };
            let mut out = Vec::new();
            put_load(&mut out, (now, dump.process, dump.count), code, last);
            dump.count += 1;
            return OpenOptions::new().append(true).open(&dump.path)?.write_all(&out);
        }
        let process = std::process::id();
        // The guest may go to another folder later.
        let path = std::env::current_dir()?.join(format!("jit-{process}.dump"));
        let mut out = Vec::new();
        for word in [MAGIC, VERSION, HEADER, MACHINE, 0, process] {
            out.extend(word.to_le_bytes());
        }
        out.extend(now.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        let mut count = 0;
        for region in regions {
            put_load(&mut out, (now, process, count), code, region);
            count += 1;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.write_all(&out)?;
        self.dump = Some(Dump { path, _marker: Marker::new(&file)?, process, count });
        Ok(())
    }
}

fn name(pc: u64) -> String {
    format!("guest_{pc:x}")
}

/// Nanoseconds of the clock of `perf record -k mono`.
fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}

/// Appends a `JIT_CODE_LOAD` record: when, whose, and its number.
fn put_load(
    out: &mut Vec<u8>,
    (now, process, index): (u64, u32, u64),
    code: &CodeMemory,
    region: Shown,
) {
    let (host, len, pc) = region;
    let (name, bytes) = (name(pc), code.published(host, len));
    let size = LOAD_HEAD + name.len() + 1 + bytes.len();
    out.extend(LOAD.to_le_bytes());
    out.extend((size as u32).to_le_bytes());
    out.extend(now.to_le_bytes());
    out.extend(process.to_le_bytes());
    out.extend(nix::unistd::gettid().as_raw().to_le_bytes());
    for word in [host, host, bytes.len() as u64, index] {
        out.extend(word.to_le_bytes());
    }
    out.extend(name.as_bytes());
    out.push(0);
    out.extend(bytes);
}
