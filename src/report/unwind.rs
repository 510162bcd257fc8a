//! The callers of a guest function, by the unwind tables of the files it comes from (DWARF 5, section
//! 6.4; LSB, "Exception Frames").

use gimli::{
    BaseAddresses, CfaRule, DebugFrame, EhFrame, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindOffset, UnwindSection,
};
use remu_engine::Cpu;
use remu_syscalls::GuestMemory;

use super::modules::Modules;
use crate::guest::debug::Debug;
use crate::task::Task;

/// Registers that unwind tables number from 0.
const REGS: usize = 32;

/// One frame.
pub(super) struct Frame {
    pub(super) pc: u64,
    /// `pc` is where a call returns to.
    pub(super) called: bool,
}

/// The registers of a frame.
#[derive(Clone)]
struct Registers {
    pc: u64,
    values: [u64; REGS],
}

impl Registers {
    fn of(task: &Task, cpu: &Cpu) -> Registers {
        let shared = &task.shared;
        let mut sets = |set| (shared.os.get_registers)(cpu, &shared.regs, set).map(|s| s.1);
        let mut values = [0; REGS];
        let features = (shared.os.debug.features)();
        // gdb's first registers are numbered as the tables number them.
        let first = features.iter().flat_map(|f| &f.regs);
        for (to, reg) in values.iter_mut().zip(first) {
            let bytes = reg.read(&mut sets).and_then(|b| b.try_into().ok());
            *to = bytes.map_or(0, u64::from_le_bytes);
        }
        Registers { pc: cpu.pc(), values }
    }

    fn get(&self, register: Register) -> Option<u64> {
        self.values.get(usize::from(register.0)).copied()
    }
}

/// The frame the thread is in, and those that called it.
pub(super) fn frames(task: &Task, modules: &mut Modules, most: usize) -> Vec<Frame> {
    let shared = &task.shared;
    let mut regs = Registers::of(task, &task.cpu);
    let mut out = vec![Frame { pc: regs.pc, called: false }];
    let mut called = false;
    while out.len() < most {
        let next = if regs.pc == shared.trampoline {
            called = false;
            interrupted(task, &regs)
        } else {
            let up = caller(modules, &regs, called, &shared.os.debug);
            let up = up.or_else(|| without_table(task, modules, &regs));
            called = true;
            up
        };
        let Some(next) = next.filter(|n| n.pc != 0) else { break };
        let sp = shared.os.debug.stack_register;
        if next.pc == regs.pc && next.values[sp] == regs.values[sp] {
            break;
        }
        out.push(Frame { pc: next.pc, called: called && next.pc != shared.trampoline });
        regs = next;
    }
    out
}

/// The registers that a signal has interrupted, from the frame its handler returns to.
fn interrupted(task: &Task, regs: &Registers) -> Option<Registers> {
    let shared = &task.shared;
    let mut cpu = Cpu::new(shared.engine).ok()?;
    let sp = regs.values[shared.os.debug.stack_register];
    crate::guest::set(&mut cpu, shared.regs.stack, sp);
    (shared.os.pop_frame)(&mut cpu, &shared.regs).ok()?;
    Some(Registers::of(task, &cpu))
}

/// Without a table: a function that has called none yet returns to where the register says; one that
/// has keeps that in its frame.
fn without_table(task: &Task, modules: &mut Modules, regs: &Registers) -> Option<Registers> {
    let debug = &task.shared.os.debug;
    let back = regs.values[debug.return_register] & debug.code_mask;
    let here = modules.function(regs.pc);
    if back != regs.pc && modules.find(back).is_some() && modules.function(back) != here {
        return Some(Registers { pc: back, ..regs.clone() });
    }
    let link = &debug.frame_link;
    let frame = regs.values[link.register];
    let memory = GuestMemory::default();
    let word = |n: i64| memory.read::<u64>(frame.wrapping_add_signed(n)).ok();
    let sp = regs.values[debug.stack_register];
    if frame < sp || !frame.is_multiple_of(8) {
        return None;
    }
    let mut up = regs.clone();
    up.values[link.register] = word(link.frame)?;
    up.values[debug.stack_register] = frame.wrapping_add_signed(link.stack);
    up.pc = word(link.back)? & debug.code_mask;
    up.values[debug.return_register] = up.pc;
    Some(up)
}

/// The registers of the caller, by a table.
fn caller(
    modules: &mut Modules,
    regs: &Registers,
    called: bool,
    debug: &Debug,
) -> Option<Registers> {
    let place = regs.pc.checked_sub(u64::from(called))?;
    let (module, bias, _) = modules.find(place)?;
    let address = place.wrapping_sub(bias);
    let by_eh = module.eh_frame.as_ref().and_then(|(at, bytes)| {
        let bases = BaseAddresses::default().set_eh_frame(*at);
        by_table(&EhFrame::new(bytes, LittleEndian), &bases, address, regs, debug)
    });
    by_eh.or_else(|| {
        let bytes = module.debug_frame.as_ref()?;
        let mut table = DebugFrame::new(bytes, LittleEndian);
        table.set_address_size(8);
        by_table(&table, &BaseAddresses::default(), address, regs, debug)
    })
}

fn by_table<'b, T>(
    table: &T,
    bases: &BaseAddresses,
    address: u64,
    regs: &Registers,
    debug: &Debug,
) -> Option<Registers>
where
    T: UnwindSection<EndianSlice<'b, LittleEndian>>,
    T::Offset: UnwindOffset<usize>,
{
    let fde = table.fde_for_address(bases, address, T::cie_from_offset).ok()?;
    let mut context = UnwindContext::new();
    let row = fde.unwind_info_for_address(table, bases, &mut context, address).ok()?;
    let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else { return None };
    let cfa = regs.get(*register)?.wrapping_add_signed(*offset);
    let memory = GuestMemory::default();
    let back = fde.cie().return_address_register();
    let mut up = regs.clone();
    for (register, rule) in row.registers() {
        let Some(to) = up.values.get_mut(usize::from(register.0)) else { continue };
        match rule {
            RegisterRule::Offset(n) => *to = memory.read(cfa.wrapping_add_signed(*n)).ok()?,
            RegisterRule::ValOffset(n) => *to = cfa.wrapping_add_signed(*n),
            RegisterRule::Register(from) => *to = regs.get(*from)?,
            // The outermost function has no caller.
            RegisterRule::Undefined if *register == back => *to = 0,
            _ => {}
        }
    }
    up.pc = up.get(back)? & debug.code_mask;
    up.values[debug.stack_register] = cfa;
    Some(up)
}
