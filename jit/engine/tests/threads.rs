//! Threads that run, link, fault and make calls while others empty code memory and forget
//! translations: every one must go where the program says.
#![expect(unsafe_code, reason = "installs a handler for the faults that the program makes")]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use remu_engine::{Calls, Caught, CodeSource, Cpu, Engine, ExitKind, Options, Registers};
use remu_ir::{Addr, Cond, MemOp, Type};
use remu_isa::{Flow, Isa, Key, Lift, Scan, StateDesc, cpu_state};

cpu_state! {
    /// Toy state.
    pub struct Toy {
    /// Integers.
    x[4]: I64 = ["x0", "x1", "x2", "x3"];
    }
    pinned_int: [(x, 0), (x, 1)];
    pinned_vec: [];
}

/// An instruction is 4 bytes: its upper half is a block to jump to, its lower half what it does.
const STEP: u32 = 1;
const JUMP: u32 = 2;
const LOAD: u32 = 3;
const CALL: u32 = 4;

const CODE: u64 = 0x10_0000;
/// Bytes between blocks: too far apart for one region.
const APART: u64 = 0x4000;
const BLOCKS: u64 = 512;

struct ToyIsa;

fn target(word: u32) -> u64 {
    CODE + u64::from(word >> 16) * APART
}

impl Isa for ToyIsa {
    fn state(&self) -> &'static StateDesc {
        &STATE
    }
    fn scan(&self, code: &[u8], _: u64, _: Key) -> Option<Scan> {
        let word = u32::from_le_bytes(code.get(..4)?.try_into().ok()?);
        let flow = match word & 0xffff {
            JUMP => Flow::Jump,
            STEP | LOAD => Flow::Next,
            CALL => Flow::Exit,
            _ => Flow::Stop,
        };
        Some(Scan { len: 4, flow, target: target(word) })
    }
    fn lift(&self, l: &Lift<'_>, code: &[u8]) {
        let word = u32::from_le_bytes([code[0], code[1], code[2], code[3]]);
        match word & 0xffff {
            STEP => {
                // x0 names the way so far; x1 counts down to the end.
                let way = l.mul(l.get(slots::x(0)), l.c64(31));
                l.set(slots::x(0), l.add(way, l.c64(u64::from(word >> 16))));
                let left = l.sub(l.get(slots::x(1)), l.c64(1));
                l.set(slots::x(1), left);
                let end = l.icmp(left, l.c64(0), Cond::Eq);
                l.exit_if(end, ExitKind::Syscall, l.next_pc());
            }
            JUMP => l.goto(target(word)),
            CALL => l.exit(ExitKind::Syscall, l.next_pc()),
            LOAD => {
                let v = l.load(l.get(slots::x(2)), Type::I64, Addr::at(MemOp::U64));
                l.set(slots::x(3), v);
            }
            _ => l.illegal(),
        }
    }
    fn disassemble(&self, _: &[u8], _: u64) -> (String, usize) {
        ("toy".into(), 4)
    }
}

/// What follows block `n`.
fn next(n: u64) -> u64 {
    (n * 197 + 61) % BLOCKS
}

/// Whether block `n` makes a call.
fn calls(n: u64) -> bool {
    n % 4 == 2
}

/// What a call makes of the way so far.
fn called(way: u64) -> u64 {
    way.rotate_left(7) ^ 0x5a5a
}

/// Makes calls, and has code forgotten meanwhile: sometimes that which calls.
struct Caller<'a> {
    engine: &'a Engine,
    here: Cell<u64>,
    left: Cell<u64>,
}

impl Calls for Caller<'_> {
    fn call(&self, registers: &Registers<'_>) -> bool {
        let n = self.here.get() + 1;
        // The program's end, and now and then a call that is left to who runs it.
        if registers.get(slots::x(1).offset) == 0 || n % 97 == 96 {
            self.left.set(self.left.get() + 1);
            return false;
        }
        self.here.set(n);
        let way = slots::x(0).offset;
        registers.set(way, called(registers.get(way)));
        if n.is_multiple_of(61) {
            std::thread::yield_now();
        } else if n.is_multiple_of(53) {
            let block = n % BLOCKS;
            self.engine.invalidate(CODE + block * APART, CODE + block * APART + 8);
        }
        true
    }
}

struct Program;

impl CodeSource for Program {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        for (n, byte) in buf.iter_mut().enumerate() {
            let off = addr + n as u64 - CODE;
            let block = off / APART;
            let word = match off % APART / 4 {
                0 => STEP | (block as u32) << 16,
                1 if block.is_multiple_of(16) => LOAD,
                1 if calls(block) => CALL,
                1 | 2 => JUMP | (next(block) as u32) << 16,
                _ => 0,
            };
            *byte = word.to_le_bytes()[(off % 4) as usize];
        }
        buf.len()
    }
}

static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn on_fault(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel's arguments; the engine is leaked; this is the interrupted thread.
    let handled = unsafe {
        let regs = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        (*ENGINE.load(Ordering::Acquire)).on_fault(regs, (*info).si_addr() as u64)
            != Caught::Foreign
    };
    if !handled {
        std::process::abort();
    }
}

#[test]
fn threads_keep_their_way_while_translations_go() {
    // Room for a part of the program: segments of code memory are emptied all the time.
    let options = Options { code_size: 24 << 10, segments: 3, ..Options::default() };
    let engine: &'static Engine =
        Box::leak(Box::new(Engine::new(Box::new(ToyIsa), Arc::new(Program), options).unwrap()));
    ENGINE.store(std::ptr::from_ref(engine).cast_mut(), Ordering::Release);
    // SAFETY: the handler only touches the interrupted context and the engine.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()), 0);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|t| scope.spawn(move || way(engine, t))).collect();
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n = next(n);
                engine.invalidate(CODE + n * APART, CODE + n * APART + 8);
                std::thread::yield_now();
            }
        });
        let ended: Vec<_> = runs.into_iter().map(|r| r.join()).collect();
        stop.store(true, Ordering::Relaxed);
        for e in ended {
            e.unwrap();
        }
    });
    let stats = engine.stats();
    assert!(stats.flushes > 100 && stats.invalidated > 100, "{stats}");
}

/// Guests choose the range, its ends too.
#[test]
fn an_empty_range_of_changed_code_forgets_nothing() {
    let engine = Engine::new(Box::new(ToyIsa), Arc::new(Program), Options::default()).unwrap();
    let mut cpu = Cpu::new(&engine).unwrap();
    let mut step = || {
        cpu.set(slots::x(1), 1);
        cpu.set_pc(CODE);
        assert_eq!(engine.run(&mut cpu), ExitKind::Syscall);
        engine.stats().regions
    };
    let translated = step();
    for (start, end) in
        [(0, 0), (CODE, CODE), (CODE + 2, CODE + 2), (CODE + 8, CODE), (u64::MAX, 0)]
    {
        engine.code_changed(start, end);
    }
    assert_eq!(step(), translated);
    assert_eq!(engine.stats().invalidated, 0);
}

/// Walks from a block of its own and compares with the way that the program says.
fn way(engine: &Engine, thread: u64) {
    let mut cpu = Cpu::new(engine).unwrap();
    // On a busy host the thread that invalidates gets its turn late.
    let seen = |engine: &Engine| engine.stats().invalidated > 100;
    for round in 0..6000u64 {
        if round >= 60 && seen(engine) {
            break;
        }
        let start = (thread * 131 + round * 7) % BLOCKS;
        let steps = 1500 + round;
        cpu.set(slots::x(0), 0);
        cpu.set(slots::x(1), u128::from(steps));
        cpu.set(slots::x(2), 8); // nothing is mapped there
        cpu.set_pc(CODE + start * APART);
        let (mut want, mut block, mut faults, mut made) = (0u64, start, 0u64, 0u64);
        for step in 0..steps {
            want = want.wrapping_mul(31).wrapping_add(block);
            faults += u64::from(block.is_multiple_of(16) && step + 1 < steps);
            if calls(block) && step + 1 < steps {
                want = called(want);
                made += 1;
            }
            block = next(block);
        }
        let caller = Caller { engine, here: Cell::new(0), left: Cell::new(0) };
        loop {
            match engine.run_with(&mut cpu, &caller) {
                ExitKind::Fault => {
                    let pc = cpu.pc();
                    assert_eq!((pc - CODE) % (16 * APART), 4, "a fault at {pc:#x}");
                    faults = faults.checked_sub(1).expect("one fault too many");
                    cpu.set_pc(pc + 4);
                }
                ExitKind::Syscall if cpu.get(slots::x(1)) == 0 => break,
                ExitKind::Syscall => {
                    assert!(calls((cpu.pc() - CODE) / APART), "a call at {:#x}", cpu.pc());
                    let way = cpu.get(slots::x(0)) as u64;
                    cpu.set(slots::x(0), called(way).into());
                    // The next one is not left again.
                    caller.here.set(caller.here.get() + 1);
                }
                ExitKind::Poll => {}
                other => panic!("{other:?} at {:#x}", cpu.pc()),
            }
        }
        assert_eq!((cpu.get(slots::x(0)), faults), (u128::from(want), 0), "round {round}");
        assert_eq!(caller.here.get(), made, "round {round}");
        assert!(caller.left.get() > 1 || made < 200, "round {round}");
    }
}
