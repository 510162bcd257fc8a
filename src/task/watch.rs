//! One instruction at a time under watchpoints: the interpreter says which memory an instruction
//! reaches, before it does.

use std::collections::HashMap;

use remu_engine::ExitKind;
use remu_isa::ir::interp::{Fault, Memory, Outcome, run};
use remu_isa::ir::{Builder, Region};
use remu_isa::{Isa, Key, Lift};
use remu_syscalls::GuestMemory;

use super::Task;
use crate::trace::{POINTS, access, kind};

/// Regions kept of single instructions; all are forgotten when there are more.
const MOST: usize = 1 << 16;
/// Bytes of state that helpers may expect to be aligned.
const ALIGN: usize = 64;

/// What single instructions need to be interpreted.
#[derive(Default)]
pub(super) struct Watcher {
    /// By address and key: the instruction's bytes and its meaning.
    known: HashMap<(u64, Key), (Vec<u8>, Region)>,
    /// The state as the interpreter has it, somewhere in here.
    state: Vec<u8>,
}

/// What an instruction would do to memory.
#[derive(Default)]
struct Recorder {
    memory: GuestMemory,
    /// The first watchpoint that is hit.
    hit: Option<u64>,
    /// Only translated code does it as the processor does: stores are seen whole by other threads.
    by_translator: bool,
}

impl Recorder {
    fn touch(&mut self, addr: u64, size: u32, kind: u64) {
        self.hit = self.hit.or_else(|| POINTS.watched(addr, size.into(), kind));
    }
}

impl Memory for Recorder {
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        self.touch(addr, size, access::READ);
        let fault = |_| Fault { addr, write: false, misaligned: false };
        let at = addr & 7;
        if at + u64::from(size) <= 8 {
            let word = self.memory.load64(addr - at).map_err(fault)? >> (8 * at);
            return Ok(u128::from(word) & (u128::MAX >> (128 - 8 * size)));
        }
        self.by_translator = true;
        let mut bytes = [0; 16];
        self.memory.read_bytes(addr, &mut bytes[..size as usize]).map_err(fault)?;
        Ok(u128::from_le_bytes(bytes))
    }
    fn store(&mut self, addr: u64, size: u32, _: u128) -> Result<(), Fault> {
        self.touch(addr, size, access::WRITE);
        self.by_translator = true;
        Ok(())
    }
    fn cas(&mut self, addr: u64, size: u32, expect: u128, _: u128) -> Result<u128, Fault> {
        self.touch(addr, size, access::READ | access::WRITE);
        self.by_translator = true;
        // The exchange seems to take place, so that what follows it is looked at.
        Ok(expect)
    }
    fn rmw(
        &mut self,
        addr: u64,
        size: u32,
        _: &mut dyn FnMut(u128) -> u128,
    ) -> Result<u128, Fault> {
        self.cas(addr, size, 0, 0)
    }
}

impl Task {
    /// Runs one instruction, and stops for a watchpoint that it hits; what [`Task::step`] gives.
    pub(super) fn watched_step(&mut self) -> Option<ExitKind> {
        let pc = self.cpu.pc();
        let shared = self.shared.clone();
        let isa = shared.engine.isa();
        let mut code = [0; 16];
        let have = shared.mm.fetch(pc, &mut code[..isa.max_insn_len()]);
        let key = isa.key(self.cpu.state());
        let Some(scan) = isa.scan(&code[..have], pc, key) else { return self.step() };
        let watcher = self.watcher.get_or_insert_default();
        let mut memory = Recorder::default();
        let outcome =
            watcher.interpret(isa, self.cpu.state(), pc, (&code[..have], scan.len), &mut memory);
        if memory.hit.is_some() && shared.os.debug.watches_before {
            self.stop_watched(memory.hit);
            return None;
        }
        let done = match outcome {
            Outcome::Continue(next) if !memory.by_translator => {
                let state = watcher.state(shared.regs.desc.size);
                for slot in shared.regs.all() {
                    let (from, n) = (usize::from(slot.offset), slot.ty.bytes() as usize);
                    let mut value = [0; 16];
                    value[..n].copy_from_slice(&state[from..from + n]);
                    self.cpu.set(slot, u128::from_le_bytes(value));
                }
                self.cpu.set_pc(next);
                None
            }
            _ => self.step(),
        };
        if done.is_none() {
            self.stop_watched(memory.hit);
        }
        done
    }

    fn stop_watched(&mut self, hit: Option<u64>) {
        if let Some(number) = hit {
            self.signals.state.trace.stop_and_send(kind::WATCH, number, self.signals.mask());
        }
    }
}

impl Watcher {
    /// The state, aligned as its struct is.
    fn state(&mut self, size: usize) -> &mut [u8] {
        self.state.resize(size + ALIGN, 0);
        let from = self.state.as_ptr().align_offset(ALIGN);
        &mut self.state[from..from + size]
    }

    /// What the instruction `code` at `pc` does to a copy of a processor's state.
    fn interpret(
        &mut self,
        isa: &dyn Isa,
        state: &[u8],
        pc: u64,
        (code, len): (&[u8], u8),
        memory: &mut Recorder,
    ) -> Outcome {
        let key = isa.key(state);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let size = isa.state().size;
        self.state(size).copy_from_slice(&state[..size]);
        let Watcher { known, state } = self;
        let entry = known.entry((pc, key)).or_default();
        if entry.0 != code {
            let builder = Builder::new();
            builder.block(pc, false);
            builder.insn(pc);
            let insn = Lift::new(&builder, pc, len, key);
            isa.lift(&insn, code);
            if builder.is_open() {
                builder.goto(insn.next_pc());
            }
            *entry = (code.to_vec(), builder.take(Region::default()));
        }
        let from = state.as_ptr().align_offset(ALIGN);
        run(&entry.1, 0, &mut state[from..from + size], memory, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_take_their_part_of_a_word() {
        let words = [0x8877_6655_4433_2211u64, 0x1122_3344_5566_7788];
        let at = words.as_ptr() as u64;
        let mut r = Recorder::default();
        assert_eq!(r.load(at + 1, 2), Ok(0x3322));
        assert_eq!(r.load(at, 8), Ok(words[0].into()));
        assert!(!r.by_translator);
        assert_eq!(r.load(at + 7, 2), Ok(0x8888));
        assert!(r.by_translator);
    }
}
