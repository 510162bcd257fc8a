//! seccomp(2) and the prctl(2) operations of the same meaning.

use std::sync::Arc;

use crate::bpf::{MOST, Program};
use crate::context::Context;
use crate::seccomp::{FILTER, Seccomp, has_action};
use crate::table::kinds;
use crate::{Errno, SysResult, notify};

/// Operations.
const SET_MODE_STRICT: u32 = 0;
const SET_MODE_FILTER: u32 = 1;
const GET_ACTION_AVAIL: u32 = 2;
const GET_NOTIF_SIZES: u32 = 3;
/// Flags of a filter.
const TSYNC: u64 = 1;
const FLAG_LOG: u64 = 2;
const SPEC_ALLOW: u64 = 4;
const TSYNC_ESRCH: u64 = 16;
/// `CAP_SYS_ADMIN`'s bit.
const ADMIN: u32 = 1 << 21;

/// seccomp(2).
pub(crate) fn seccomp(
    cx: &mut Context<'_>,
    op: kinds::Uint,
    flags: kinds::Hex,
    args: kinds::Addr,
) -> SysResult<u64> {
    match op.0 {
        SET_MODE_STRICT if flags.0 == 0 && args.0 == 0 => cx.process.seccomp().set_strict(),
        SET_MODE_FILTER => filter(cx, flags.0, args.0),
        GET_ACTION_AVAIL if flags.0 == 0 => {
            let action: u32 = cx.mem().read(args.0)?;
            if has_action(action) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        GET_NOTIF_SIZES if flags.0 == 0 => {
            let at = cx.mem().host(args.0);
            cx.host(libc::SYS_seccomp, [GET_NOTIF_SIZES.into(), 0, at, 0, 0, 0])
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `PR_SET_SECCOMP`.
pub(crate) fn set(cx: &mut Context<'_>, mode: u64, program: u64) -> SysResult<u64> {
    match mode {
        1 => cx.process.seccomp().set_strict(),
        2 => filter(cx, 0, program),
        _ => Err(Errno::EINVAL),
    }
}

fn filter(cx: &mut Context<'_>, flags: u64, at: u64) -> SysResult<u64> {
    let listens = flags & notify::NEW_LISTENER != 0;
    let known =
        TSYNC | FLAG_LOG | SPEC_ALLOW | TSYNC_ESRCH | notify::NEW_LISTENER | notify::WAIT_KILLABLE;
    // One result cannot be a descriptor and a thread.
    let both = listens && flags & (TSYNC | TSYNC_ESRCH) == TSYNC;
    let no_listener = !listens && flags & notify::WAIT_KILLABLE != 0;
    if flags & !known != 0 || both || no_listener {
        return Err(Errno::EINVAL);
    }
    // struct sock_fprog: length, padding, address.
    let mut head = [0; 16];
    cx.mem().read_bytes(at, &mut head)?;
    let [l0, l1, .., a0, a1, a2, a3, a4, a5, a6, a7] = head;
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if len == 0 || len > MOST {
        return Err(Errno::EINVAL);
    }
    if !may_restrict(cx)? {
        return Err(Errno::EACCES);
    }
    let mut bytes = vec![0; len * 8];
    cx.mem().read_bytes(u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]), &mut bytes)?;
    let program = Program::new(&bytes)?;
    if !listens {
        return add(cx, program, flags);
    }
    let listener = notify::listen(flags)?;
    let added = add(cx, program, flags);
    if added.is_err() {
        // The host's filter stays: without a filter of the guest's it is never met.
        cx.host(libc::SYS_close, [listener, 0, 0, 0, 0, 0])?;
    }
    added.map(|_| listener)
}

fn add(cx: &mut Context<'_>, program: Program, flags: u64) -> SysResult<u64> {
    let listens = flags & notify::NEW_LISTENER != 0;
    if flags & TSYNC == 0 {
        return cx.process.seccomp().add(program, listens, None);
    }
    let all: Vec<Arc<Seccomp>> = cx.process.threads_seccomp();
    match cx.process.seccomp().add(program, listens, Some(&all))? {
        0 => Ok(0),
        _ if flags & TSYNC_ESRCH != 0 => Err(Errno::ESRCH),
        thread => Ok(thread),
    }
}

/// A process that can gain no privileges, or has them, may set a filter.
fn may_restrict(cx: &Context<'_>) -> SysResult<bool> {
    let no_new = libc::PR_GET_NO_NEW_PRIVS as u64;
    if cx.host(libc::SYS_prctl, [no_new, 0, 0, 0, 0, 0])? == 1 {
        return Ok(true);
    }
    // struct __user_cap_header_struct of version 3, for the caller; two sets of three words.
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut sets = [0u32; 6];
    let (h, s) = (header.as_ptr() as u64, sets.as_mut_ptr() as u64);
    cx.host(libc::SYS_capget, [h, s, 0, 0, 0, 0])?;
    Ok(sets[0] & ADMIN != 0)
}

/// `PR_GET_SECCOMP`: with a filter it is the filter that lets it through.
pub(crate) fn mode(cx: &Context<'_>) -> u64 {
    if cx.process.seccomp().mode() == FILTER { 2 } else { 0 }
}
