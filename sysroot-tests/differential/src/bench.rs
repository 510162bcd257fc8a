//! Runs a sequence both ways.

use std::sync::{Arc, Mutex, PoisonError};

use remu_engine::{CodeSource, Cpu, Engine, ExitKind, Host, Options};
use remu_ir::interp::{FlatMemory, Outcome, layout, run};
use remu_ir::{Builder, Region, Slot, Type};
use remu_isa::{Fetch, Isa, Limits, form};

use crate::host::{Mapping, with_faults};
use crate::{Rng, Row, Subject};

/// Guest address of the data that instructions may reach.
pub const DATA: u64 = 0x2000_0000;
/// Bytes of it.
pub const DATA_SIZE: usize = 8192;
/// Guest address of the first instruction.
pub const CODE: u64 = 0x4000_0000;
const CODE_SIZE: usize = 4096;
/// Most blocks that the interpreter executes before a sequence counts as endless.
const PATIENCE: usize = 200;

/// The code of the moment.
#[derive(Debug)]
struct Code(Mutex<Vec<u8>>);

impl Code {
    fn copy(&self, addr: u64, buf: &mut [u8]) -> usize {
        let code = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = addr.wrapping_sub(CODE - CODE_SIZE as u64 / 2);
        let Some(bytes) = usize::try_from(at).ok().and_then(|at| code.get(at..)) else { return 0 };
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        n
    }
}

impl CodeSource for Code {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        // Pages are asked for whole; the code starts in the middle of one.
        let low = CODE - CODE_SIZE as u64 / 2;
        if addr < low && low < addr + buf.len() as u64 {
            let skip = (low - addr) as usize;
            buf[..skip].fill(0);
            return skip + self.copy(low, &mut buf[skip..]);
        }
        self.copy(addr, buf)
    }
}

struct Source<'a>(&'a Code);

impl Fetch for Source<'_> {
    fn fetch(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        self.0.fetch(addr, buf)
    }
}

/// A sequence, and the state and memory it starts with.
#[derive(Clone, Debug)]
pub struct Case {
    /// Instructions: word and length.
    pub code: Vec<(u32, u8)>,
    /// Registers in the order of the state's description.
    pub regs: Vec<u128>,
    /// Floating-point mode and sticky flags.
    pub fp: (u32, u32),
    /// Data.
    pub data: Vec<u8>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
struct End {
    kind: ExitKind,
    pc: u64,
    regs: Vec<u128>,
    fpstat: u32,
    data: Vec<u8>,
}

/// What became of a case.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// Both alike.
    Same,
    /// It never ends; not run as translated code.
    Endless,
    /// A description of the differences.
    Differs(String),
}

/// A guest with everything needed to run it both ways.
pub struct Bench {
    subject: Subject,
    isa: Box<dyn Isa>,
    worlds: [World; 2],
    code: Arc<Code>,
    data: Mapping,
    builder: Builder,
}

/// A way to translate.
struct World {
    name: &'static str,
    engine: Engine,
    cpu: Cpu,
}

impl World {
    fn new(
        name: &'static str,
        isa: Box<dyn Isa>,
        code: &Arc<Code>,
        options: Options,
    ) -> Result<World, String> {
        let options = Options { code_size: 64 << 20, ..options };
        let engine = Engine::new(isa, code.clone(), options).map_err(|e| e.to_string())?;
        let cpu = Cpu::new(&engine).map_err(|e| e.to_string())?;
        Ok(World { name, engine, cpu })
    }
}

impl core::fmt::Debug for Bench {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bench").field("subject", &self.subject).finish_non_exhaustive()
    }
}

fn word(offset: usize) -> Slot {
    Slot { offset: offset as u16, ty: Type::I32 }
}

impl Bench {
    /// For a model of the subject's guest. One at a time: the data has one address.
    ///
    /// # Errors
    /// A description of what the host or the model lacks.
    pub fn new(subject: Subject, model: &str) -> Result<Bench, String> {
        let code = Arc::new(Code(Mutex::new(Vec::new())));
        let make = || (subject.guest.make)(model);
        // As lifted, an instruction at a time: nothing is folded, forwarded, fused or left out.
        let limits = Limits { insns: 1, ..Limits::default() };
        let plain = Options { limits, fold: false, host: Host::LEAST, ..Options::default() };
        let worlds = [
            World::new("translated", make()?, &code, Options::default())?,
            World::new("translated without optimising, for the least host", make()?, &code, plain)?,
        ];
        let data = Mapping::new(DATA, DATA_SIZE).map_err(|e| e.to_string())?;
        Ok(Bench { subject, isa: make()?, worlds, code, data, builder: Builder::new() })
    }

    /// Random state for a sequence.
    pub fn case(&self, rng: &mut Rng, code: Vec<(u32, u8)>) -> Case {
        let desc = self.isa.state();
        let regs: Vec<u128> = desc
            .regs
            .iter()
            .map(|r| {
                (self.subject.value)(rng, r).unwrap_or_else(|| match r.slot.ty {
                    // Half of the registers can serve as addresses.
                    Type::I64 if rng.below(2) == 0 => {
                        let at = DATA as usize + DATA_SIZE / 2;
                        let off = rng.below(2048) & !(rng.pick(&[0, 3, 7, 15, 15, 15, 15]));
                        (at + off) as u128
                    }
                    Type::I64 => rng.integer().into(),
                    Type::V128 => u128::from(rng.float()) | u128::from(rng.float()) << 64,
                    Type::Flags => (rng.draw() as u32 & 0xf000_0000).into(),
                    Type::I32 => (rng.integer() as u32).into(),
                    _ => rng.float().into(),
                })
            })
            .collect();
        let by_name =
            |name: &str| desc.regs.iter().position(|r| r.name == name).map_or(0, |n| regs[n]);
        let fp = ((self.subject.fpmode)(&by_name), rng.draw() as u32 & self.subject.fpstat);
        let mut data = vec![0; DATA_SIZE];
        for chunk in data.chunks_mut(8) {
            let v = if rng.below(2) == 0 { rng.integer() } else { rng.float() };
            chunk.copy_from_slice(&v.to_le_bytes());
        }
        Case { code, regs, fp, data }
    }

    /// Places in a case's registers of those with names that are wanted.
    pub fn registers(&self, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
        let regs = self.isa.state().regs.iter().enumerate();
        regs.filter(|(_, r)| wanted(r.name)).map(|(n, _)| n).collect()
    }

    /// A sequence of random instances of rows.
    pub fn sequence(&self, rng: &mut Rng, rows: &[Row], len: usize) -> Vec<(u32, u8)> {
        let mut code = Vec::new();
        while code.len() < len {
            let row = rng.pick(rows);
            if let Some(w) = self.subject.instance(rng, &row) {
                code.push((w, row.len));
            }
        }
        code
    }

    /// Whether a change of the lift key is no end: keys are guesses too.
    fn follows(&self) -> bool {
        !self.subject.guesses.is_empty()
    }

    fn place(&self, case: &Case) {
        let mut bytes = Vec::new();
        while bytes.len() < CODE_SIZE / 2 {
            bytes.extend_from_slice(self.subject.stop);
        }
        for (w, len) in &case.code {
            bytes.extend_from_slice(&w.to_le_bytes()[..usize::from(*len)]);
        }
        while bytes.len() < CODE_SIZE {
            bytes.extend_from_slice(self.subject.stop);
        }
        *self.code.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        for world in &self.worlds {
            world.engine.invalidate(0, u64::MAX);
        }
    }

    /// Runs a case every way.
    pub fn check(&mut self, case: &Case) -> Verdict {
        self.place(case);
        let Some(want) = self.interpret(case) else { return Verdict::Endless };
        for n in 0..self.worlds.len() {
            let mut got = self.translate(case, n);
            // Back ends may leave out flags that only a fault would show.
            if matches!(want.kind, ExitKind::Fault | ExitKind::Misaligned) {
                for (n, r) in self.isa.state().regs.iter().enumerate() {
                    if r.slot.ty == Type::Flags {
                        got.regs[n] = want.regs[n];
                    }
                }
            }
            for (n, r) in self.isa.state().regs.iter().enumerate() {
                if self.subject.guesses.contains(&r.name) {
                    got.regs[n] = want.regs[n];
                }
            }
            if want != got {
                return Verdict::Differs(self.report(case, &want, &got, self.worlds[n].name));
            }
        }
        Verdict::Same
    }

    fn interpret(&mut self, case: &Case) -> Option<End> {
        let desc = self.isa.state();
        // Aligned as helpers expect the state to be.
        let mut words = vec![0u128; desc.size.div_ceil(16) + 4];
        let skip = (64 - words.as_ptr() as usize % 64) % 64 / 16;
        let mut state: Vec<u8> = vec![0; desc.size];
        let put = |state: &mut [u8], s: Slot, v: u128| {
            let (at, n) = (usize::from(s.offset), s.ty.bytes() as usize);
            state[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
        };
        for (r, v) in desc.regs.iter().zip(&case.regs) {
            put(&mut state, r.slot, *v);
        }
        put(&mut state, word(layout::FPMODE), case.fp.0.into());
        put(&mut state, word(layout::FPSTAT), case.fp.1.into());
        let mut key = self.isa.key(&state);
        let mut mem = FlatMemory { base: DATA, bytes: case.data.clone() };
        let state = aligned(&mut words[skip..], &state);
        let mut pc = CODE;
        let mut region = Region::default();
        let mut end = None;
        for _ in 0..PATIENCE {
            self.builder.reset();
            form(&*self.isa, &self.builder, &mut Source(&self.code), pc, key, Limits::default());
            region = self.builder.take(region);
            let block = region.block_at(pc)?;
            match run(&region, block, state, &mut mem, PATIENCE) {
                Outcome::Continue(next) => pc = next,
                Outcome::Exit(ExitKind::KeyChanged, next) if self.follows() => {
                    pc = next;
                    self.isa.key_changed(state);
                    key = self.isa.key(state);
                }
                Outcome::Exit(kind, pc) => {
                    end = Some((kind, pc));
                    break;
                }
                Outcome::Fault { pc, fault } => {
                    let kind =
                        if fault.misaligned { ExitKind::Misaligned } else { ExitKind::Fault };
                    end = Some((kind, pc));
                    break;
                }
            }
        }
        let (kind, pc) = end?;
        let get = |s: Slot| {
            let (at, n) = (usize::from(s.offset), s.ty.bytes() as usize);
            let mut b = [0; 16];
            b[..n].copy_from_slice(&state[at..at + n]);
            u128::from_le_bytes(b)
        };
        let regs = desc.regs.iter().map(|r| get(r.slot)).collect();
        let fpstat = get(word(layout::FPSTAT)) as u32 & self.subject.fpstat;
        Some(End { kind, pc, regs, fpstat, data: mem.bytes })
    }

    fn translate(&mut self, case: &Case, world: usize) -> End {
        let desc = self.isa.state();
        let follows = self.follows();
        let World { engine, cpu, .. } = &mut self.worlds[world];
        for (r, v) in desc.regs.iter().zip(&case.regs) {
            cpu.set(r.slot, *v);
        }
        cpu.set(word(layout::FPMODE), case.fp.0.into());
        cpu.set(word(layout::FPSTAT), case.fp.1.into());
        cpu.set_pc(CODE);
        self.data.write(&case.data);
        let mut kind = with_faults(engine, || engine.run(cpu));
        for _ in 0..PATIENCE {
            if kind != ExitKind::KeyChanged || !follows {
                break;
            }
            kind = with_faults(engine, || engine.run(cpu));
        }
        let fpstat = cpu.get(word(layout::FPSTAT)) as u32 & self.subject.fpstat;
        let regs = desc.regs.iter().map(|r| cpu.get(r.slot)).collect();
        End { kind, pc: cpu.pc(), regs, fpstat, data: self.data.read() }
    }

    fn report(&self, case: &Case, want: &End, got: &End, how: &str) -> String {
        let mut s = String::from("differs:\n");
        let mut pc = CODE;
        for (w, len) in &case.code {
            let text = self.isa.disassemble(&w.to_le_bytes(), pc).0;
            s += &format!("  {pc:x}: {w:08x} {text}\n");
            pc += u64::from(*len);
        }
        s += &format!("  fp mode {:#x}, flags {:#x}\n", case.fp.0, case.fp.1);
        let ends = |e: &End| (e.kind, e.pc, e.fpstat);
        if ends(want) != ends(got) {
            s += &format!("  interpreter {:x?}, {how} {:x?}\n", ends(want), ends(got));
        }
        for (n, r) in self.isa.state().regs.iter().enumerate() {
            let (before, w, g) = (case.regs[n], want.regs[n], got.regs[n]);
            if w != g {
                s += &format!("  {}: {before:#x}, interpreter {w:#x}, {how} {g:#x}\n", r.name);
            }
        }
        let bytes = want.data.iter().zip(&got.data).enumerate();
        for (n, (w, g)) in bytes.filter(|(_, (w, g))| w != g).take(4) {
            s += &format!("  [{:#x}]: interpreter {w:#x}, {how} {g:#x}\n", DATA + n as u64);
        }
        s
    }

    /// Removes instructions from a failing case as long as it fails; the
    /// shortest report.
    pub fn shrink(&mut self, mut case: Case, mut report: String) -> String {
        let mut at = 0;
        while at < case.code.len() {
            let mut shorter = case.clone();
            shorter.code.remove(at);
            match self.check(&shorter) {
                Verdict::Differs(r) => {
                    case = shorter;
                    report = r;
                    at = 0;
                }
                _ => at += 1,
            }
        }
        report += "  registers:";
        for (r, v) in self.isa.state().regs.iter().zip(&case.regs) {
            report += &format!(" {}={v:x}", r.name);
        }
        report + "\n"
    }
}

/// Copies bytes into words and gives the words as bytes.
fn aligned<'a>(words: &'a mut [u128], bytes: &[u8]) -> &'a mut [u8] {
    for (to, from) in words.iter_mut().zip(bytes.chunks(16)) {
        let mut b = [0; 16];
        b[..from.len()].copy_from_slice(from);
        *to = u128::from_le_bytes(b);
    }
    let len = bytes.len();
    &mut crate::host::bytes_of(words)[..len]
}
