//! SysV semaphores and POSIX queues: the two places where their layouts differ from the host's.

use crate::context::Context;
use crate::structs::SemidDs;
use crate::table::kinds;
use crate::{Errno, Plain, SysResult};

/// `ipc64_perm`, then times each followed by a spare word, then three words (`arch/x86/include/uapi/asm/sembuf.h`).
const HOST_SEMID: usize = 104;
const PERM: usize = 48;

/// semctl(2). The fourth argument is a value, an array, or a `semid_ds`.
pub(crate) fn semctl(
    cx: &mut Context<'_>,
    id: kinds::Int,
    num: kinds::Int,
    cmd: kinds::IpcCmd,
    arg: kinds::Hex,
) -> SysResult<u64> {
    /// `SEM_STAT` and `SEM_STAT_ANY` (linux/sem.h).
    const SEM_STAT: i32 = 18;
    const SEM_STAT_ANY: i32 = 20;
    const SETVAL: i32 = 16;
    /// `IPC_64`, which C libraries of 64-bit ports may or may not pass.
    const IPC_64: u32 = 0x100;
    let args = |arg| [id.0 as u64, num.0 as u64, cmd.0.into(), arg, 0, 0];
    match (cmd.0 & !IPC_64) as i32 {
        libc::IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let mut raw = [0u8; HOST_SEMID];
            let r = cx.host(libc::SYS_semctl, args(raw.as_mut_ptr() as u64))?;
            let mut out = [0u8; SemidDs::SIZE];
            out[..PERM + 8].copy_from_slice(&raw[..PERM + 8]);
            out[PERM + 8..PERM + 16].copy_from_slice(&raw[PERM + 16..PERM + 24]);
            out[PERM + 16..PERM + 24].copy_from_slice(&raw[PERM + 32..PERM + 40]);
            cx.mem().write_bytes(arg.0, &out)?;
            Ok(r)
        }
        libc::IPC_SET => {
            let mut raw = [0u8; HOST_SEMID];
            cx.mem().read_bytes(arg.0, &mut raw[..PERM])?;
            cx.host(libc::SYS_semctl, args(raw.as_ptr() as u64))
        }
        SETVAL => cx.host(libc::SYS_semctl, args(arg.0)),
        _ => {
            let host = if arg.0 == 0 { 0 } else { cx.mem().host(arg.0) };
            match cx.host(libc::SYS_semctl, args(host)) {
                Err(Errno::EFAULT) if cx.process.unprotect(arg.0, 4096) => {
                    cx.host(libc::SYS_semctl, args(host))
                }
                r => r,
            }
        }
    }
}

/// mq_open(2).
pub(crate) fn mq_open(
    cx: &mut Context<'_>,
    name: kinds::Str,
    flags: kinds::OpenFlags,
    mode: kinds::CreateMode,
    attr: kinds::In,
) -> SysResult<u64> {
    let flags = cx.abi.open_flags_to_host(flags.0);
    let attr = if attr.0 == 0 { 0 } else { cx.mem().host(attr.0) };
    cx.host(libc::SYS_mq_open, [cx.mem().host(name.0), flags.into(), mode.0.into(), attr, 0, 0])
}
