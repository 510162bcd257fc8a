//! ptrace(2) requests.

use std::mem::offset_of;
use std::sync::{Mutex, PoisonError};

use remu_engine::Cpu;
use remu_syscalls::{Errno, GuestMemory, SysResult};

use super::block::{Block, mode};
use super::judge::{again, announce, look, note};
use super::table::{CallStop, From, Stop, Tracee, lock};
use super::{event, option, remote};
use crate::guest::{get, set};
use crate::host::leave_call;
use crate::signal::host::Info;
use crate::task::Shared;

/// The requests that every guest numbers alike (`linux/ptrace.h`, `asm-generic`).
pub(super) mod number {
    pub(in crate::trace) const TRACEME: u64 = 0;
    pub(in crate::trace) const PEEKTEXT: u64 = 1;
    pub(in crate::trace) const PEEKDATA: u64 = 2;
    pub(in crate::trace) const POKETEXT: u64 = 4;
    pub(in crate::trace) const POKEDATA: u64 = 5;
    pub(in crate::trace) const CONT: u64 = 7;
    pub(in crate::trace) const KILL: u64 = 8;
    pub(in crate::trace) const SINGLESTEP: u64 = 9;
    pub(in crate::trace) const ATTACH: u64 = 16;
    pub(in crate::trace) const DETACH: u64 = 17;
    pub(in crate::trace) const SYSCALL: u64 = 24;
    pub(in crate::trace) const SYSEMU: u64 = 31;
    pub(in crate::trace) const SYSEMU_SINGLESTEP: u64 = 32;
    pub(in crate::trace) const SETOPTIONS: u64 = 0x4200;
    pub(in crate::trace) const GETEVENTMSG: u64 = 0x4201;
    pub(in crate::trace) const GETSIGINFO: u64 = 0x4202;
    pub(in crate::trace) const SETSIGINFO: u64 = 0x4203;
    pub(in crate::trace) const GETREGSET: u64 = 0x4204;
    pub(in crate::trace) const SETREGSET: u64 = 0x4205;
    pub(in crate::trace) const SEIZE: u64 = 0x4206;
    pub(in crate::trace) const INTERRUPT: u64 = 0x4207;
    pub(in crate::trace) const LISTEN: u64 = 0x4208;
    pub(in crate::trace) const PEEKSIGINFO: u64 = 0x4209;
    pub(in crate::trace) const GETSIGMASK: u64 = 0x420a;
    pub(in crate::trace) const SETSIGMASK: u64 = 0x420b;
    pub(in crate::trace) const GET_SYSCALL_INFO: u64 = 0x420e;
}
use number::*;

/// `PTRACE_TRACEME`: the request of the tracee.
pub(crate) fn is_for_self(request: u64) -> bool {
    request == TRACEME
}

/// Makes a request of a tracer.
pub(crate) fn perform(
    shared: &Shared,
    request: u64,
    tid: i32,
    addr: u64,
    data: u64,
) -> SysResult<u64> {
    match request {
        ATTACH | SEIZE => return attach(request, tid, addr, data),
        INTERRUPT => {
            let seized = lock().get(&tid).is_some_and(|t| t.seized);
            if !seized {
                return Err(if lock().contains_key(&tid) { Errno::EIO } else { Errno::ESRCH });
            }
            return remote::forwarded(request, tid, addr, data);
        }
        KILL => return remote::forwarded(request, tid, addr, data),
        _ => {}
    }
    if lock().get(&tid).is_none_or(|t| t.stop.is_none()) {
        look(tid);
    }
    let mut table = lock();
    let t = table.get_mut(&tid).ok_or(Errno::ESRCH)?;
    let stop = t.stop.ok_or(Errno::ESRCH)?;
    match request {
        PEEKTEXT | PEEKDATA | PEEKSIGINFO => remote::forwarded(request, tid, addr, data),
        POKETEXT | POKEDATA => {
            let done = remote::forwarded(request, tid, addr, data)?;
            t.note_written(addr, 8);
            Ok(done)
        }
        CONT | SYSCALL | SINGLESTEP | SYSEMU | SYSEMU_SINGLESTEP | DETACH | LISTEN => {
            let bits = match request {
                SINGLESTEP | SYSEMU_SINGLESTEP if !shared.os.steps => return Err(Errno::EIO),
                SYSCALL => mode::TRACED | mode::CALLS,
                SINGLESTEP => mode::TRACED | mode::STEP,
                SYSEMU => mode::TRACED | mode::CALLS | mode::NO_CALL,
                SYSEMU_SINGLESTEP => mode::TRACED | mode::STEP | mode::CALLS | mode::NO_CALL,
                DETACH => 0,
                _ => mode::TRACED,
            };
            let done = resume(t, stop, request, bits, data)?;
            if request == DETACH {
                table.remove(&tid);
            }
            Ok(done)
        }
        SETOPTIONS => set_options(t, data),
        GETEVENTMSG => write(data, &stop.message.to_le_bytes()),
        GETSIGINFO => match stop.info {
            Some(info) => write(data, &info),
            None if stop.from == From::Tracee => Err(Errno::EINVAL),
            None => remote::forwarded(request, tid, addr, data),
        },
        SETSIGINFO => set_siginfo(t, &stop, data),
        GETREGSET => get_registers(shared, t, &stop, addr, data),
        SETREGSET => set_registers(shared, t, &stop, addr, data),
        GETSIGMASK if addr == 8 => {
            let mask = match stop.from {
                From::Tracee => t.get64(offset_of!(Block, mask)),
                _ => return remote::forwarded(request, tid, addr, data),
            };
            write(data, &mask.to_le_bytes())
        }
        GETSIGMASK | SETSIGMASK if addr != 8 => Err(Errno::EINVAL),
        SETSIGMASK if stop.from != From::Tracee => remote::forwarded(request, tid, addr, data),
        GET_SYSCALL_INFO => syscall_info(shared, t, &stop, addr, data),
        _ => Err(Errno::EIO),
    }
}

/// Copies to the guest.
fn write(at: u64, bytes: &[u8]) -> SysResult<u64> {
    GuestMemory::default().write_bytes(at, bytes)?;
    Ok(0)
}

/// The options as the kernel gets them: it must always tell of programs, and knows no filters.
fn host_options(options: u64) -> u64 {
    options & !u64::from(option::SUSPEND_SECCOMP) | u64::from(option::EXEC)
}

pub(super) fn attach(request: u64, tid: i32, addr: u64, data: u64) -> SysResult<u64> {
    let seize = request == SEIZE;
    remote::forwarded(request, tid, addr, if seize { host_options(data) } else { data })?;
    let options = if seize { data as u32 } else { 0 };
    lock().insert(tid, Tracee::new(tid, seize, options));
    Ok(0)
}

fn set_options(t: &mut Tracee, options: u64) -> SysResult<u64> {
    remote::forwarded(SETOPTIONS, t.tid, 0, host_options(options))?;
    t.options = options as u32;
    t.put32(offset_of!(Block, options), t.options);
    Ok(0)
}

fn set_siginfo(t: &mut Tracee, stop: &Stop, from: u64) -> SysResult<u64> {
    let mut info: Info = [0; 128];
    GuestMemory::default().read_bytes(from, &mut info)?;
    change_siginfo(t, stop, &info)?;
    Ok(0)
}

/// Replaces the information of the signal that a thread has stopped for.
pub(super) fn change_siginfo(t: &mut Tracee, stop: &Stop, info: &Info) -> SysResult<()> {
    match (stop.from, stop.info) {
        (From::Tracee, Some(_)) => {
            t.put(offset_of!(Block, info), info);
            if let Some(s) = &mut t.stop {
                s.info = Some(*info);
            }
            Ok(())
        }
        (From::Tracee, None) => Err(Errno::EINVAL),
        _ => remote::set_info(t.tid, info),
    }
}

/// Number of the call that a thread sleeps in.
pub(super) fn call_number(shared: &Shared, t: &mut Tracee, stop: &Stop) -> SysResult<u64> {
    let (mut real, _) = registers(shared, t, stop)?;
    Ok(get(real.cpu()?, shared.regs.number))
}

/// Lets a thread run on, or shows what follows without that.
pub(super) fn resume(
    t: &mut Tracee,
    stop: Stop,
    request: u64,
    bits: u32,
    signal: u64,
) -> SysResult<u64> {
    if request != LISTEN && signal > 64 {
        return Err(Errno::EIO);
    }
    if request == LISTEN && !(t.seized && stop.code >> 8 == event::STOP && stop.from == From::Event)
    {
        return Err(Errno::EIO);
    }
    let ending = request == DETACH;
    if !ending {
        t.mode = bits;
    }
    t.put32(offset_of!(Block, mode), bits);
    if let Some(next) = t.next.pop_front().filter(|_| !ending) {
        t.stop = Some(next);
        t.told = false;
        announce(t);
        return Ok(0);
    }
    // How the kernel is told.
    let host = match request {
        DETACH | LISTEN => request,
        _ => CONT,
    };
    let mut signal = signal as u32;
    match stop.from {
        From::Tracee => {
            t.put32(offset_of!(Block, answer), signal);
            if let Some(later) = t.later.take().filter(|_| t.get32(offset_of!(Block, noted)) == 0) {
                note(t, &later);
            }
            signal = 0;
        }
        From::Signal | From::Event => {
            if let Some(result) = stop.asleep {
                let caught = remote::is_caught(t.tid, signal);
                let replaced = t.get32(offset_of!(Block, replaced)) != 0;
                let calls = bits & mode::CALLS != 0;
                if stop.call != CallStop::Enter && calls && !caught && !replaced && !ending {
                    let mut stop = again(t, result, stop.from);
                    stop.message = u64::from(signal);
                    t.show([stop]);
                    announce(t);
                    return Ok(0);
                }
                // After the virtual beginning of the call the kernel gets the signal kept there.
                if stop.call == CallStop::Enter {
                    signal = stop.message as u32;
                }
                let shown = stop.call != CallStop::Enter && (caught || replaced) && calls;
                t.put32(offset_of!(Block, exit_shown), u32::from(shown));
                let passed = if caught && !ending { signal } else { 0 };
                t.put32(offset_of!(Block, passed), passed);
            }
        }
    }
    t.stop = None;
    t.listens = request == LISTEN;
    remote::forwarded(host, t.tid, 0, u64::from(signal))
}

/// Processors that hold the registers of tracees: making one takes longer than a request.
static SPARE: Mutex<Vec<Cpu>> = Mutex::new(Vec::new());

/// One of them, given back when it is dropped.
struct Scratch(Option<Cpu>);

impl Scratch {
    fn new(shared: &Shared) -> SysResult<Scratch> {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let made = spare.map_or_else(|| Cpu::new(shared.engine), Ok);
        Ok(Scratch(Some(made.map_err(|_| Errno::ENOMEM)?)))
    }
    fn copy(&self, shared: &Shared) -> SysResult<Scratch> {
        let mut new = Scratch::new(shared)?;
        if let (Some(to), Some(from)) = (&mut new.0, &self.0) {
            to.clone_state_from(from);
        }
        Ok(new)
    }
    fn cpu(&mut self) -> SysResult<&mut Cpu> {
        self.0.as_mut().ok_or(Errno::ENOMEM)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SPARE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}

/// The guest's registers of a stopped thread, as they are and as they are shown.
fn registers(shared: &Shared, t: &mut Tracee, stop: &Stop) -> SysResult<(Scratch, Scratch)> {
    if t.block == 0 {
        let at = t.place()?;
        t.find_block(&at);
    }
    let state = t.get64(offset_of!(Block, state));
    if state == 0 {
        return Err(Errno::EIO);
    }
    let desc = shared.regs.desc;
    let mut bytes = vec![0; desc.size];
    if let Err(e) = remote::read(t.tid, state, &mut bytes)
        && !t.place().is_ok_and(|at| t.has_left(&at))
    {
        // Those of a thread whose guest has ended are gone, and read as zeros.
        return Err(e);
    }
    let mut scratch = Scratch::new(shared)?;
    let real = scratch.cpu()?;
    for slot in shared.regs.all() {
        let (from, n) = (usize::from(slot.offset), slot.ty.bytes() as usize);
        let mut value = [0; 16];
        value[..n].copy_from_slice(&bytes[from..from + n]);
        real.set(slot, u128::from_le_bytes(value));
    }
    let mut other = scratch.copy(shared)?;
    let shown = other.cpu()?;
    if stop.rewound {
        shown.set_pc(shown.pc().wrapping_sub(shared.os.syscall_len));
    }
    if let Some(result) = stop.result {
        set(shown, shared.regs.result, result as u64);
    }
    Ok((scratch, other))
}

/// `struct iovec` of the guest.
fn vector(at: u64) -> SysResult<(u64, u64)> {
    let memory = GuestMemory::default();
    Ok((memory.read(at)?, memory.read(at.wrapping_add(8))?))
}

/// Number of the call, as a register set of its own (`NT_ARM_SYSTEM_CALL`).
const NT_ARM_SYSTEM_CALL: u64 = 0x404;

/// A register set, and the size of its parts.
pub(super) fn register_set(
    shared: &Shared,
    t: &mut Tracee,
    stop: &Stop,
    which: u64,
) -> SysResult<(usize, Vec<u8>)> {
    let (_, mut shown) = registers(shared, t, stop)?;
    let shown = shown.cpu()?;
    Ok(match which {
        NT_ARM_SYSTEM_CALL if shared.os.has_call_number => {
            let inside = stop.call != CallStop::None;
            let number = if inside { t.get64(offset_of!(Block, number)) as i32 } else { -1 };
            (4, number.to_le_bytes().to_vec())
        }
        _ => (shared.os.get_registers)(shown, &shared.regs, which).ok_or(Errno::EINVAL)?,
    })
}

fn get_registers(
    shared: &Shared,
    t: &mut Tracee,
    stop: &Stop,
    which: u64,
    at: u64,
) -> SysResult<u64> {
    let (base, len) = vector(at)?;
    let (slot, bytes) = register_set(shared, t, stop, which)?;
    if !len.is_multiple_of(slot as u64) {
        return Err(Errno::EINVAL);
    }
    let len = len.min(bytes.len() as u64);
    GuestMemory::default().write_bytes(base, &bytes[..len as usize])?;
    GuestMemory::default().write(at.wrapping_add(8), &len)?;
    Ok(0)
}

fn set_registers(
    shared: &Shared,
    t: &mut Tracee,
    stop: &Stop,
    which: u64,
    at: u64,
) -> SysResult<u64> {
    let (base, len) = vector(at)?;
    if which == NT_ARM_SYSTEM_CALL && shared.os.has_call_number {
        let number: i32 = GuestMemory::default().read(base)?;
        t.put(offset_of!(Block, number), &i64::from(number).to_le_bytes());
        return Ok(0);
    }
    let (slot, mut bytes) = register_set(shared, t, stop, which)?;
    if !len.is_multiple_of(slot as u64) {
        return Err(Errno::EINVAL);
    }
    let len = len.min(bytes.len() as u64);
    GuestMemory::default().read_bytes(base, &mut bytes[..len as usize])?;
    GuestMemory::default().write(at.wrapping_add(8), &len)?;
    set_register_set(shared, t, stop, which, &bytes)?;
    Ok(0)
}

/// Sets all of a register set.
pub(super) fn set_register_set(
    shared: &Shared,
    t: &mut Tracee,
    stop: &Stop,
    which: u64,
    bytes: &[u8],
) -> SysResult<()> {
    let (mut real, mut shown) = registers(shared, t, stop)?;
    let mut new = shown.copy(shared)?;
    let (real, shown, new) = (real.cpu()?, shown.cpu()?, new.cpu()?);
    let (_, whole) = (shared.os.get_registers)(shown, &shared.regs, which).ok_or(Errno::EINVAL)?;
    if bytes == whole {
        return Ok(());
    }
    (shared.os.set_registers)(new, &shared.regs, which, bytes).ok_or(Errno::EINVAL)?;
    let state = t.get64(offset_of!(Block, state));
    for slot in shared.regs.all() {
        let value = new.get(slot);
        // What is only shown becomes real with the first change inside a call that sleeps.
        let old = if stop.asleep.is_some() { real.get(slot) } else { shown.get(slot) };
        if value != old {
            let bytes = value.to_le_bytes();
            let n = slot.ty.bytes() as usize;
            remote::write(t.tid, state + u64::from(slot.offset), &bytes[..n])?;
        }
    }
    if stop.asleep.is_some() {
        leave_sleep(t, stop)?;
    }
    Ok(())
}

/// Makes the thread leave the call it sleeps in, with the registers it has now.
fn leave_sleep(t: &mut Tracee, stop: &Stop) -> SysResult<()> {
    let mut host = remote::registers(t.tid)?;
    leave_call(&mut host, t.get64(offset_of!(Block, interrupted)));
    remote::set_registers(t.tid, &host)?;
    t.put32(offset_of!(Block, replaced), 1);
    // The registers are what is shown from here on.
    for s in t.next.iter_mut().chain(&mut t.stop) {
        s.rewound = false;
        s.result = s.result.filter(|_| stop.call == CallStop::None);
    }
    Ok(())
}

/// `PTRACE_GET_SYSCALL_INFO`.
fn syscall_info(
    shared: &Shared,
    t: &mut Tracee,
    stop: &Stop,
    room: u64,
    at: u64,
) -> SysResult<u64> {
    const MAX_ERRNO: i64 = 4095;
    let (mut real, mut shown) = registers(shared, t, stop)?;
    let (real, shown) = (real.cpu()?, shown.cpu()?);
    let regs = &shared.regs;
    let mut out = vec![0u8; 4];
    out.extend(shared.abi.audit_arch.to_le_bytes());
    out.extend(shown.pc().to_le_bytes());
    out.extend(get(shown, regs.stack).to_le_bytes());
    let number = stop.number.unwrap_or_else(|| match stop.asleep {
        Some(_) => get(real, regs.number),
        None => t.get64(offset_of!(Block, number)),
    });
    let call = |out: &mut Vec<u8>| {
        out.extend(number.to_le_bytes());
        regs.args.iter().for_each(|&r| out.extend(get(shown, r).to_le_bytes()));
    };
    match stop.call {
        CallStop::None => {}
        CallStop::Enter => {
            out[0] = 1;
            call(&mut out);
        }
        CallStop::Exit => {
            out[0] = 2;
            let result = get(shown, regs.result) as i64;
            out.extend(result.to_le_bytes());
            out.push(u8::from((-MAX_ERRNO..0).contains(&result)));
        }
        CallStop::Seccomp => {
            out[0] = 3;
            call(&mut out);
            out.extend((stop.message as u32).to_le_bytes());
        }
    }
    let len = room.min(out.len() as u64) as usize;
    GuestMemory::default().write_bytes(at, &out[..len])?;
    Ok(out.len() as u64)
}

/// The tracer wrote a tracee's memory by other means than ptrace(2).
pub(crate) fn wrote(process: i32, addr: u64, len: u64) {
    // Threads share what was changed: telling one is telling all.
    if let Some(t) = lock()
        .values()
        .find(|t| t.block != 0 && (t.tid == process || remote::process_of(t.tid) == Some(process)))
    {
        t.note_written(addr, len);
    }
}

/// True when this process traces anything.
pub(crate) fn traces() -> bool {
    !lock().is_empty()
}
