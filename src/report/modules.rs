//! The files that guest code comes from: their symbols and how to unwind them.

use std::collections::HashMap;

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};

/// One mapping of a file.
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    file: String,
}

/// What is known of a file.
#[derive(Default)]
pub(super) struct Module {
    /// By address: size and name.
    symbols: Vec<(u64, u64, String)>,
    /// Addresses and bytes in the file of its segments.
    segments: Vec<(u64, u64, u64)>,
    /// `.eh_frame`: its address and content.
    pub(super) eh_frame: Option<(u64, Vec<u8>)>,
    /// The content of `.debug_frame`.
    pub(super) debug_frame: Option<Vec<u8>>,
}

/// The mappings, and the files as far as they were looked at.
pub(super) struct Modules {
    mappings: Vec<Mapping>,
    known: HashMap<String, Module>,
}

impl Modules {
    /// From the text of `/proc/PID/maps` (proc_pid_maps(5)).
    pub(super) fn new(maps: &str) -> Modules {
        Modules { mappings: maps.lines().filter_map(mapping).collect(), known: HashMap::new() }
    }

    /// The file mapped at an address, and what to take off an address there to get the file's own.
    pub(super) fn find(&mut self, pc: u64) -> Option<(&Module, u64, &str)> {
        let m = self.mappings.iter().find(|m| (m.start..m.end).contains(&pc))?;
        if !self.known.contains_key(&m.file) {
            // A file that cannot be read any more has no names.
            let module = std::fs::read(&m.file).ok().and_then(|b| Module::read(&b));
            self.known.insert(m.file.clone(), module.unwrap_or_default());
        }
        let module = self.known.get(&m.file)?;
        let offset = m.offset + (pc - m.start);
        let found =
            module.segments.iter().find(|(_, at, len)| (*at..at + len).contains(&offset))?;
        let address = found.0 + (offset - found.1);
        Some((module, pc.wrapping_sub(address), &m.file))
    }

    /// Where the function around an address starts.
    pub(super) fn function(&mut self, place: u64) -> Option<u64> {
        let (module, bias, _) = self.find(place)?;
        let (start, _) = module.symbol(place.wrapping_sub(bias))?;
        Some(start.wrapping_add(bias))
    }

    /// Where `place` is, as text; `shown` is the address to count from the symbol.
    pub(super) fn name(&mut self, place: u64, shown: u64) -> String {
        let Some((module, bias, file)) = self.find(place) else { return "?".into() };
        let file = file.rsplit('/').next().unwrap_or(file);
        match module.symbol(place.wrapping_sub(bias)) {
            Some((start, name)) => {
                format!("{name}+{:#x} ({file})", shown.wrapping_sub(bias).wrapping_sub(start))
            }
            None => format!("{file}+{:#x}", shown.wrapping_sub(bias)),
        }
    }
}

impl Module {
    fn read(bytes: &[u8]) -> Option<Module> {
        let file = object::File::parse(bytes).ok()?;
        let mut symbols: Vec<_> = file
            .symbols()
            .chain(file.dynamic_symbols())
            .filter(|s| s.kind() == SymbolKind::Text && s.address() != 0)
            .filter_map(|s| Some((s.address(), s.size(), s.name().ok()?.to_owned())))
            .collect();
        symbols.sort();
        let segments = file.segments().map(|s| {
            let (at, len) = s.file_range();
            (s.address(), at, len)
        });
        let section = |name| {
            let s = file.section_by_name(name)?;
            Some((s.address(), s.uncompressed_data().ok()?.into_owned()))
        };
        let (eh_frame, debug_frame) = (section(".eh_frame"), section(".debug_frame"));
        let debug_frame = debug_frame.map(|(_, bytes)| bytes);
        Some(Module { segments: segments.collect(), symbols, eh_frame, debug_frame })
    }

    /// The symbol around an address: where it starts and its name.
    fn symbol(&self, address: u64) -> Option<(u64, &str)> {
        let after = self.symbols.partition_point(|s| s.0 <= address);
        let (start, size, name) = self.symbols.get(after.checked_sub(1)?)?;
        (*size == 0 || address < start + size).then_some((*start, name))
    }
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let offset = hex(words.nth(1)?)?;
    let file = words.nth(2)?.trim();
    file.starts_with('/').then_some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        offset,
        file: file.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_symbols_are_found() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut modules = Modules::new(&maps);
        let here = own_symbols_are_found as fn() as usize as u64;
        let name = modules.name(here, here);
        assert!(name.contains("own_symbols_are_found") && name.contains("+0x0"), "{name}");
        assert_eq!(modules.name(16, 16), "?");
    }
}
