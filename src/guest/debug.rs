//! A processor as debuggers see it: registers in gdb's standard features, each a part of a register
//! set that the kernel's debugging interface has ("Standard Target Features" in gdb's manual).

/// What gdb must know of a guest.
#[derive(Debug)]
pub(crate) struct Debug {
    /// gdb's name of the architecture.
    pub(crate) arch: &'static str,
    /// The features, in the order that numbers their registers. The first 32 registers have the
    /// numbers that unwind tables give them.
    pub(crate) features: fn() -> Vec<Feature>,
    /// The instruction of a breakpoint of this many bytes.
    pub(crate) breakpoint: fn(len: u64) -> Option<&'static [u8]>,
    /// The processor stops at a watchpoint before the access, not after it.
    pub(crate) watches_before: bool,
    /// The register sets of a core dump, general registers first.
    pub(crate) core_sets: &'static [u64],
    /// Numbers of the stack pointer and of the register that holds a return address.
    pub(crate) stack_register: usize,
    pub(crate) return_register: usize,
    /// How frames are linked (the processor's ELF psABI).
    pub(crate) frame_link: FrameLink,
    /// The bits of a return address that are one.
    pub(crate) code_mask: u64,
    /// gdb's names of the stack pointer and the program counter.
    pub(crate) always: [&'static str; 2],
}

/// Where functions that keep a frame pointer keep what they return to: distances from where it points.
#[derive(Debug)]
pub(crate) struct FrameLink {
    /// Number of the frame pointer.
    pub(crate) register: usize,
    /// To the caller's frame pointer.
    pub(crate) frame: i64,
    /// To the return address.
    pub(crate) back: i64,
    /// To the caller's stack pointer.
    pub(crate) stack: i64,
}

/// Registers of one of gdb's features.
#[derive(Debug)]
pub(crate) struct Feature {
    /// Its standard name.
    pub(crate) name: &'static str,
    /// Types that its registers name, as XML.
    pub(crate) types: String,
    /// The registers.
    pub(crate) regs: Vec<Reg>,
}

/// One register.
#[derive(Debug)]
pub(crate) struct Reg {
    /// gdb's name.
    pub(crate) name: String,
    /// Bits that gdb gets.
    pub(crate) bits: u32,
    /// Type for gdb.
    pub(crate) ty: &'static str,
    /// Where it is; `None` is always zero.
    pub(crate) place: Option<Place>,
}

/// A part of a register set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Note type of the set.
    pub(crate) set: u64,
    /// Distance of its first byte from the set's start.
    pub(crate) offset: usize,
    /// The register is only these bits of the word there: lowest, and how many.
    pub(crate) field: Option<(u32, u32)>,
}

impl Reg {
    /// A register of whole bytes.
    pub(crate) fn new(
        name: impl Into<String>,
        bits: u32,
        ty: &'static str,
        set: u64,
        offset: usize,
    ) -> Reg {
        let place = Some(Place { set, offset, field: None });
        Reg { name: name.into(), bits, ty, place }
    }

    /// The bytes that gdb gets, from a function that reads register sets; `None` where one is missing.
    pub(crate) fn read(&self, sets: &mut dyn FnMut(u64) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let len = self.bits as usize / 8;
        let Some(place) = self.place else { return Some(vec![0; len]) };
        let set = sets(place.set)?;
        match place.field {
            None => set.get(place.offset..place.offset + len).map(<[u8]>::to_vec),
            Some((low, width)) => {
                let word = word_at(&set, place.offset)?;
                let value = word >> low & ((1 << width) - 1);
                Some(value.to_le_bytes()[..len].to_vec())
            }
        }
    }

    /// Puts gdb's bytes into the register set; `None` where they do not fit.
    pub(crate) fn write(&self, set: &mut [u8], bytes: &[u8]) -> Option<()> {
        let place = self.place?;
        match place.field {
            None => set.get_mut(place.offset..place.offset + bytes.len())?.copy_from_slice(bytes),
            Some((low, width)) => {
                let mask = ((1u32 << width) - 1) << low;
                let mut new = [0; 4];
                new[..bytes.len().min(4)].copy_from_slice(&bytes[..bytes.len().min(4)]);
                let word =
                    word_at(set, place.offset)? & !mask | u32::from_le_bytes(new) << low & mask;
                set.get_mut(place.offset..place.offset + 4)?.copy_from_slice(&word.to_le_bytes());
            }
        }
        Some(())
    }
}

fn word_at(set: &[u8], offset: usize) -> Option<u32> {
    let bytes = set.get(offset..offset + 4)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

/// The target description for gdb.
pub(crate) fn description(debug: &Debug, features: &[Feature]) -> String {
    let all = features.iter().map(|f| {
        let regs = f.regs.iter().map(|r| (r.name.as_str(), r.bits, r.ty));
        (f.name, f.types.as_str(), regs.collect())
    });
    remu_gdb::describe::description(debug.arch, Some("GNU/Linux"), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_word_are_read_and_written() {
        let place = Some(Place { set: 2, offset: 4, field: Some((5, 3)) });
        let r = Reg { name: "frm".into(), bits: 32, ty: "int", place };
        let mut set = vec![0, 0, 0, 0, 0x7f, 0, 0, 0];
        assert_eq!(r.read(&mut |_| Some(set.clone())), Some(vec![3, 0, 0, 0]));
        assert_eq!(r.write(&mut set, &[4, 0, 0, 0]), Some(()));
        assert_eq!(set[4], 0x9f);
        assert_eq!(r.write(&mut set[..6], &[4, 0, 0, 0]), None);
    }

    /// Every register lies inside its set, and no two features share a name.
    #[test]
    fn every_guests_registers_are_there() {
        for os in super::super::ALL {
            let guest = remu_registry::by_name(os.name).unwrap();
            let isa = (guest.make)(guest.models[0].name).unwrap();
            let regs = super::super::Regs::find(&os.regs, isa.state()).unwrap();
            let engine = engine(isa);
            let cpu = remu_engine::Cpu::new(&engine).unwrap();
            let mut names = Vec::new();
            for f in (os.debug.features)() {
                for r in f.regs {
                    let mut sets = |set| (os.get_registers)(&cpu, &regs, set).map(|s| s.1);
                    let bytes = r.read(&mut sets);
                    assert_eq!(bytes.map(|b| b.len() * 8), Some(r.bits as usize), "{}", r.name);
                    assert!(!names.contains(&r.name), "{}", r.name);
                    names.push(r.name);
                }
            }
            assert!(os.debug.always.iter().all(|a| names.iter().any(|n| n == a)));
            for len in [2, 4] {
                let code = (os.debug.breakpoint)(len);
                assert!(code.is_none_or(|c| c.len() as u64 == len));
            }
        }
    }

    fn engine(isa: Box<dyn remu_isa::Isa>) -> remu_engine::Engine {
        struct None;
        impl remu_engine::CodeSource for None {
            fn fetch(&self, _: u64, _: &mut [u8]) -> usize {
                0
            }
        }
        remu_engine::Engine::new(isa, std::sync::Arc::new(None), Default::default()).unwrap()
    }
}
