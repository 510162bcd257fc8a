//! User notification of seccomp(2) (seccomp_unotify(2)), by the host's own.
//!
//! The runner sets a host filter with a listener that notifies of calls whose number carries a mark and
//! of nothing else, and makes such a call when the guest's filter asks for a notification. So the
//! descriptor, the queue, identifiers, `ADDFD` and the end of either side are the kernel's. The
//! supervisor, which runs under a runner, too, sees the number without the mark.

use std::sync::atomic::AtomicU32;

use crate::{Abi, Errno, GuestMemory, Outcome, SysResult, host};

/// What the number of a call that the guest's supervisor is asked about carries: no call of the host.
const MARK: u32 = 0x2045_0000;
const MARK_BITS: u32 = 0xffff_0000;
/// Error by which the supervisor's runner says that the call is to be made: the kernel itself would
/// make the marked one, and no error number is as high.
const GO_ON: i32 = 3999;

/// Flags of seccomp(2) for a listener.
pub(crate) const NEW_LISTENER: u64 = 8;
pub(crate) const WAIT_KILLABLE: u64 = 32;
const TSYNC: u64 = 1;
const TSYNC_ESRCH: u64 = 16;
const SET_MODE_FILTER: u64 = 1;
const USER_NOTIF: u32 = 0x7fc0_0000;
const ALLOW: u32 = 0x7fff_0000;

/// ioctl(2) requests of a listener (`linux/seccomp.h`).
pub(crate) const RECV: u32 = 0xc050_2100;
pub(crate) const SEND: u32 = 0xc018_2101;
/// Offset of `seccomp_data` in `struct seccomp_notif`.
const DATA: u64 = 16;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
const CONTINUE: u32 = 1;

/// Makes a listener with the guest's flags; its descriptor.
pub(crate) fn listen(flags: u64) -> SysResult<u64> {
    // struct sock_filter: code, jt, jf, k.
    let insn = |code: u16, jt: u8, jf: u8, k: u32| {
        let (c, k) = (code.to_le_bytes(), k.to_le_bytes());
        [c[0], c[1], jt, jf, k[0], k[1], k[2], k[3]]
    };
    let program = [
        insn(0x20, 0, 0, 0),
        insn(0x54, 0, 0, MARK_BITS),
        insn(0x15, 0, 1, MARK),
        insn(0x06, 0, 0, USER_NOTIF),
        insn(0x06, 0, 0, ALLOW),
    ];
    let head: [u64; 2] = [program.len() as u64, program.as_ptr() as u64];
    let flags = flags & (NEW_LISTENER | WAIT_KILLABLE | TSYNC | TSYNC_ESRCH);
    host::forward(libc::SYS_seccomp, &[SET_MODE_FILTER, flags, head.as_ptr() as u64, 0, 0, 0])
}

/// Asks the supervisor about a call; `None`: it is made.
pub(crate) fn ask(flag: &AtomicU32, nr: u64, args: &[u64; 6]) -> Option<Outcome> {
    let marked = i64::from(MARK | nr as u32 & !MARK_BITS);
    match host::forward_blocking(flag, marked, args) {
        Err(Errno(GO_ON)) => None,
        done => Some(done.into()),
    }
}

/// Puts the guest's number and processor into a notification just received.
pub(crate) fn received(memory: GuestMemory, abi: &Abi, at: u64) -> SysResult<()> {
    let data = at.wrapping_add(DATA);
    let nr: u32 = memory.read(data)?;
    if nr & MARK_BITS != MARK {
        return Ok(());
    }
    memory.write(data, &(nr & !MARK_BITS))?;
    memory.write(data.wrapping_add(4), &abi.audit_arch)?;
    // The host's program counter means nothing to the guest.
    memory.write(data.wrapping_add(8), &0u64)
}

/// What goes to the kernel instead of the guest's answer, if anything: id, value, error and flags.
pub(crate) fn answer(memory: GuestMemory, at: u64) -> SysResult<Option<[u64; 3]>> {
    let [id, value, last]: [u64; 3] = memory.read(at)?;
    // The error is the lower half of the last word, the flags the upper.
    let go_on = value == 0 && last == u64::from(CONTINUE) << 32;
    Ok(go_on.then_some([id, 0, u64::from((-GO_ON) as u32)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_go_on_becomes_an_error_that_no_call_gives() {
        let ask = |v: &[u64; 3]| answer(GuestMemory::default(), v.as_ptr() as u64);
        assert_eq!(ask(&[7, 0, 1 << 32]), Ok(Some([7, 0, 0xffff_f061])));
        assert_eq!(ask(&[7, 5, 1 << 32]), Ok(None));
        assert_eq!(ask(&[7, 5, 0]), Ok(None));
        assert!(crate::errors::errno_text(GO_ON).is_none());
    }

    #[test]
    fn a_notification_shows_the_guests_call() {
        let abi = crate::abi("riscv64").unwrap();
        let mut n = [0u64; 10];
        n[2] = u64::from(MARK | 173) | 0xc000_003e << 32;
        n[3] = 0x1234;
        received(GuestMemory::default(), abi, n.as_mut_ptr() as u64).unwrap();
        assert_eq!((n[2], n[3]), (173 | 0xc000_00f3 << 32, 0));
        n[2] = 39 | 0xc000_003e << 32;
        received(GuestMemory::default(), abi, n.as_mut_ptr() as u64).unwrap();
        assert_eq!(n[2], 39 | 0xc000_003e << 32);
    }
}
