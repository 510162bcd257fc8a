//! Guest io_uring: the rings are the kernel's own pages, mapped into the guest, whose layouts equal the
//! host's. What differs is put right in the entries between the guest's io_uring_enter(2) and the
//! kernel's: flags of openat, the packed `epoll_event`, paths under `-L`, the runner's descriptors.
//! The kernel copies an entry and all that these point to before the call returns; then the entries
//! are the guest's again. Where a kernel thread takes entries without a call (`IORING_SETUP_SQPOLL`),
//! the ring is restricted to opcodes that need nothing of this.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::rings::{self, Name, P_FLAGS, Params, Ring, long, word};
use crate::context::{Context, HostPath};
use crate::structs::{EpollEvent, OpenHow};
use crate::table::kinds;
use crate::uring::{self, op};
use crate::{Errno, Plain, SysResult};

/// Flags of io_uring_setup(2).
const SETUP_SQPOLL: u32 = 1 << 1;
const SETUP_R_DISABLED: u32 = 1 << 6;
const SETUP_SQE128: u32 = 1 << 10;
const SETUP_REGISTERED_FD_ONLY: u32 = 1 << 15;
const SETUP_NO_SQARRAY: u32 = 1 << 16;
/// Flags of io_uring_enter(2).
const ENTER_EXT_ARG: u64 = 1 << 3;
const ENTER_REGISTERED_RING: u64 = 1 << 4;
const ENTER_EXT_ARG_REG: u64 = 1 << 6;
/// Operations of io_uring_register(2).
const REGISTER_PROBE: u32 = 8;
const REGISTER_RESTRICTIONS: u32 = 11;
const REGISTER_ENABLE_RINGS: u32 = 12;
const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;
const REGISTER_RESIZE_RINGS: u32 = 33;
/// The operation names a registered ring instead of a descriptor.
const REGISTER_USE_REGISTERED_RING: u32 = 1 << 31;
/// Bytes of `struct io_uring_rsrc_update`: index or all ones, reserved, descriptor.
const UPDATE: u64 = 16;
/// The descriptor of an entry is an index of registered files.
const SQE_FIXED_FILE: u8 = 1;
/// No opcode.
const NONE: u8 = 0xff;
/// Bytes of an entry, as far as anything here looks.
const SQE: usize = 64;
/// Offsets in an entry (`struct io_uring_sqe`).
const FD: usize = 4;
const OFF: usize = 8;
const ADDR: usize = 16;
const LEN: usize = 24;
const FLAGS: usize = 28;

/// io_uring_setup(2).
pub(crate) fn setup(
    cx: &mut Context<'_>,
    entries: kinds::Uint,
    params: kinds::Addr,
) -> SysResult<u64> {
    let mut p: Params = [0; 120];
    cx.mem().read_bytes(params.0, &mut p)?;
    let asked = word(&p, P_FLAGS);
    let polled = asked & SETUP_SQPOLL != 0;
    // A guest that starts its ring disabled may restrict it itself, which happens once only.
    let restrict = polled && asked & SETUP_R_DISABLED == 0;
    if restrict {
        p[P_FLAGS..P_FLAGS + 4].copy_from_slice(&(asked | SETUP_R_DISABLED).to_le_bytes());
    }
    let indexed = asked & SETUP_REGISTERED_FD_ONLY != 0;
    if indexed && uring::is_lent() {
        return Err(Errno::EINVAL);
    }
    let at = p.as_mut_ptr() as u64;
    let made = cx.host(libc::SYS_io_uring_setup, [entries.0.into(), at, 0, 0, 0, 0])?;
    let name = if indexed { Name::Index(made as u32) } else { Name::Fd(made as i32) };
    let done = if restrict { restricted(cx, name) } else { Ok(()) };
    p[P_FLAGS..P_FLAGS + 4].copy_from_slice(&asked.to_le_bytes());
    let done = done
        .and_then(|()| cx.mem().write_bytes(params.0, &p))
        .and_then(|()| rings::note(name, &p).ok_or(Errno::ENFILE));
    if let Err(e) = done {
        match name {
            Name::Fd(_) => cx.host(libc::SYS_close, [made, 0, 0, 0, 0, 0])?,
            Name::Index(index) => {
                let update = [u64::from(index), 0];
                operate(cx, name, UNREGISTER_RING_FDS, update.as_ptr() as u64, 1)?
            }
        };
        return Err(e);
    }
    Ok(made)
}

/// io_uring_register(2) by the runner itself.
fn operate(cx: &Context<'_>, ring: Name, what: u32, arg: u64, n: u64) -> SysResult<u64> {
    let (fd, what) = match ring {
        Name::Fd(fd) => (fd as u64, what),
        Name::Index(index) => (index.into(), what | REGISTER_USE_REGISTERED_RING),
    };
    cx.host(libc::SYS_io_uring_register, [fd, what.into(), arg, n, 0, 0])
}

/// True for opcodes that are never right without a look at the entry.
fn needs_care(cx: &Context<'_>, code: u8) -> bool {
    match code {
        op::EPOLL_CTL | op::EPOLL_WAIT => true,
        op::OPENAT | op::OPENAT2 => !cx.abi.open_flags.is_empty() || cx.process.has_sysroot(),
        op::STATX => cx.process.has_sysroot(),
        _ => false,
    }
}

/// Lets a ring do what needs no care, and starts it.
fn restricted(cx: &Context<'_>, ring: Name) -> SysResult<()> {
    const REGISTER_OP: u16 = 0;
    const SQE_OP: u16 = 1;
    const SQE_FLAGS_ALLOWED: u16 = 2;
    let row = |kind: u16, what: u8| {
        let mut r = [0u8; 16];
        r[..2].copy_from_slice(&kind.to_le_bytes());
        r[2] = what;
        r
    };
    let register = |what: u32, list: &[[u8; 16]]| {
        let (at, n) = (list.as_ptr() as u64, list.len() as u64);
        let at = if n == 0 { 0 } else { at };
        operate(cx, ring, what, at, n)
    };
    // Kernels refuse numbers that they do not know yet: the most that this one takes.
    let mut done = Err(Errno::EINVAL);
    'found: for ops in (op::EPOLL_CTL..op::NAMES.len() as u8).rev() {
        for registers in [36u8, 34, 30, 26, 20, 13] {
            let mut list = vec![row(SQE_FLAGS_ALLOWED, 0xff)];
            list.extend((0..=ops).filter(|&o| !needs_care(cx, o)).map(|o| row(SQE_OP, o)));
            list.extend((0..registers).map(|r| row(REGISTER_OP, r)));
            done = register(REGISTER_RESTRICTIONS, &list);
            if done.is_ok() {
                break 'found;
            }
        }
    }
    done?;
    register(REGISTER_ENABLE_RINGS, &[]).map(drop)
}

/// io_uring_register(2).
pub(crate) fn register(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    what: kinds::Uint,
    arg: kinds::Addr,
    n: kinds::Uint,
) -> SysResult<u64> {
    let registered = what.0 & REGISTER_USE_REGISTERED_RING != 0;
    let ring = if registered { Name::Index(fd.0 as u32) } else { Name::Fd(fd.0) };
    let operation = what.0 & !REGISTER_USE_REGISTERED_RING;
    if operation == REGISTER_RING_FDS && uring::is_lent() {
        // Its indices could not be told from the lender's; programs go on without.
        return Err(Errno::EINVAL);
    }
    let arg_host = if arg.0 == 0 { 0 } else { cx.mem().host(arg.0) };
    let args = [fd.0 as u64, what.0.into(), arg_host, n.0.into(), 0, 0];
    let done = cx.blocking(libc::SYS_io_uring_register, args)?;
    match operation {
        REGISTER_PROBE if n.0 > u32::from(op::EPOLL_WAIT) => {
            // Its events would be written in the host's layout after the call.
            let flags = arg.0.wrapping_add(16 + 8 * u64::from(op::EPOLL_WAIT) + 2);
            cx.mem().write::<u16>(flags, &0)?;
        }
        REGISTER_RING_FDS | UNREGISTER_RING_FDS if !uring::is_lent() => {
            for i in 0..done.min(rings::REGISTERED as u64) {
                let mut update = [0; UPDATE as usize];
                cx.mem().read_bytes(arg.0.wrapping_add(i * UPDATE), &mut update)?;
                match operation {
                    REGISTER_RING_FDS => rings::register(word(&update, 0), word(&update, 8) as i32),
                    _ => rings::unregister(word(&update, 0)),
                }
            }
        }
        REGISTER_RESIZE_RINGS => {
            let mut p: Params = [0; 120];
            if let Some(ring) = ring.ring() {
                cx.mem().read_bytes(arg.0, &mut p)?;
                ring.lies(&p);
            }
        }
        _ => {}
    }
    Ok(done)
}

/// io_uring_enter(2).
pub(crate) fn enter(
    cx: &mut Context<'_>,
    fd: kinds::Fd,
    submit: kinds::Uint,
    complete: kinds::Uint,
    flags: kinds::Hex,
    arg: kinds::Addr,
    size: kinds::Size,
) -> SysResult<u64> {
    let registered = flags.0 & ENTER_REGISTERED_RING != 0;
    let ring = if registered { Name::Index(fd.0 as u32) } else { Name::Fd(fd.0) };
    let changed = match ring.ring() {
        Some(ring) if submit.0 > 0 => translate(cx, ring, submit.0),
        _ => Changed::default(),
    };
    let call = |m: u64, s: u64| {
        [fd.0 as u64, submit.0.into(), complete.0.into(), flags.0 & 0xffff_ffff, m, s]
    };
    let nr = libc::SYS_io_uring_enter;
    let arg_host = if arg.0 == 0 { 0 } else { cx.mem().host(arg.0) };
    let result = wait(cx, flags.0, arg.0, arg_host, size.0, nr, call);
    changed.put_back(cx);
    result
}

/// The call itself, with the mask in the form that the flags say.
fn wait(
    cx: &mut Context<'_>,
    flags: u64,
    arg: u64,
    arg_host: u64,
    size: u64,
    nr: i64,
    call: impl Fn(u64, u64) -> [u64; 6],
) -> SysResult<u64> {
    if flags & ENTER_EXT_ARG_REG != 0 || arg == 0 {
        return cx.blocking(nr, call(arg_host, size));
    }
    if flags & ENTER_EXT_ARG == 0 {
        let mask = cx.read_mask(arg, size)?;
        return cx.blocking_masked(nr, mask, |m| call(m, size));
    }
    // struct io_uring_getevents_arg: sigmask, sigmask_sz, min_wait_usec, ts.
    let mut ext = [0u8; 24];
    if size != ext.len() as u64 {
        return cx.blocking(nr, call(arg_host, size));
    }
    cx.mem().read_bytes(arg, &mut ext)?;
    let mask = cx.read_mask(long(&ext, 0), word(&ext, 8).into())?;
    let at = ext.as_mut_ptr() as u64;
    cx.blocking_masked(nr, mask, |m| {
        ext[..8].copy_from_slice(&m.to_le_bytes());
        call(at, size)
    })
}

/// Entries that were changed, and what they point to meanwhile.
#[derive(Default)]
struct Changed {
    /// Address, the guest's entry, the one in its place.
    entries: Vec<(u64, [u8; SQE], [u8; SQE])>,
    _paths: Vec<HostPath>,
    _data: Vec<Vec<u8>>,
}

impl Changed {
    fn put_back(self, cx: &Context<'_>) {
        for (at, old, new) in self.entries {
            let mut now = [0; SQE];
            // One that the guest has filled anew stays.
            if cx.mem().read_bytes(at, &mut now).is_ok() && now == new {
                let _ = cx.mem().write_bytes(at, &old);
            }
        }
    }
}

/// Puts the entries right that the kernel is about to take.
fn translate(cx: &mut Context<'_>, r: &Ring, submit: u32) -> Changed {
    let mut changed = Changed::default();
    let at = |part: &AtomicU64| Some(part.load(Ordering::Acquire)).filter(|&a| a != 0);
    let (Some(ring), Some(sqes)) = (at(&r.ring), at(&r.sqes)) else { return changed };
    let mem = cx.mem();
    let field = |f: &AtomicU32| {
        mem.read::<u32>(ring.wrapping_add(f.load(Ordering::Relaxed).into())).unwrap_or(0)
    };
    let (head, tail, mask) = (field(&r.head), field(&r.tail), field(&r.mask));
    let setup = r.setup.load(Ordering::Relaxed);
    let stride = if setup & SETUP_SQE128 != 0 { 128 } else { SQE as u64 };
    for n in 0..submit.min(tail.wrapping_sub(head)).min(mask.saturating_add(1)) {
        let slot = head.wrapping_add(n) & mask;
        let index = if setup & SETUP_NO_SQARRAY != 0 {
            slot
        } else {
            let array = u64::from(r.array.load(Ordering::Relaxed));
            let Ok(i) = mem.read::<u32>(ring.wrapping_add(array + 4 * u64::from(slot))) else {
                break;
            };
            i & mask
        };
        let at = sqes.wrapping_add(u64::from(index) * stride);
        let mut old = [0; SQE];
        if mem.read_bytes(at, &mut old).is_err() {
            break;
        }
        let mut new = old;
        entry(cx, &mut new, &mut changed);
        if new != old && mem.write_bytes(at, &new).is_ok() {
            changed.entries.push((at, old, new));
        }
    }
    changed
}

/// Puts one entry right.
fn entry(cx: &mut Context<'_>, e: &mut [u8; SQE], changed: &mut Changed) {
    let put32 =
        |e: &mut [u8; SQE], at: usize, v: u32| e[at..at + 4].copy_from_slice(&v.to_le_bytes());
    let put64 =
        |e: &mut [u8; SQE], at: usize, v: u64| e[at..at + 8].copy_from_slice(&v.to_le_bytes());
    let fd = word(e, FD) as i32;
    if e[1] & SQE_FIXED_FILE == 0 && fd > libc::STDERR_FILENO && cx.process.is_private_fd(fd) {
        put32(e, FD, u32::MAX);
        return;
    }
    if !needs_care(cx, e[0]) {
        return;
    }
    let mut path = |cx: &mut Context<'_>, e: &mut [u8; SQE], follow: bool| {
        let p = cx.host_path(fd, long(e, ADDR), follow);
        put64(e, ADDR, p.ptr);
        changed._paths.push(p);
    };
    match e[0] {
        op::OPENAT => {
            let flags = cx.abi.open_flags_to_host(word(e, FLAGS));
            put32(e, FLAGS, flags);
            path(cx, e, flags as i32 & libc::O_NOFOLLOW == 0);
        }
        op::OPENAT2 => {
            let Ok(mut how) = cx.mem().read::<OpenHow>(long(e, OFF)) else { return };
            let low = cx.abi.open_flags_to_host(how.flags as u32);
            how.flags = how.flags >> 32 << 32 | u64::from(low);
            if word(e, LEN) as usize != OpenHow::SIZE {
                return;
            }
            if how.resolve == 0 {
                path(cx, e, low as i32 & libc::O_NOFOLLOW == 0);
            }
            let mut raw = vec![0; OpenHow::SIZE];
            how.store(&mut raw[..]);
            put64(e, OFF, raw.as_ptr() as u64);
            changed._data.push(raw);
        }
        op::STATX => {
            let follow = word(e, FLAGS) & libc::AT_SYMLINK_NOFOLLOW as u32 == 0;
            path(cx, e, follow);
        }
        op::EPOLL_CTL => {
            if word(e, LEN) == libc::EPOLL_CTL_DEL as u32 {
                return;
            }
            let Ok(event) = cx.mem().read::<EpollEvent>(long(e, ADDR)) else { return };
            let mut raw = vec![0; OpenHow::SIZE];
            raw[..4].copy_from_slice(&event.events.to_le_bytes());
            raw[4..12].copy_from_slice(&event.data.to_le_bytes());
            put64(e, ADDR, raw.as_ptr() as u64);
            changed._data.push(raw);
        }
        _ => e[0] = NONE,
    }
}
