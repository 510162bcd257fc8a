//! Calls to the host kernel on the guest's behalf.
#![expect(
    unsafe_code,
    reason = "the pointers of forwarded calls are guest addresses, checked by the kernel"
)]

use std::sync::atomic::AtomicU32;

use crate::{Errno, SysResult, raw};

/// Makes a host call with guest arguments.
#[inline]
pub(crate) fn forward(nr: i64, a: &[u64; 6]) -> SysResult<u64> {
    // SAFETY: pointers name guest memory or buffers the calling handler owns; the kernel checks them.
    Errno::from_raw(unsafe { raw::syscall(nr as u64, a) })
}

/// Makes a host call that may sleep and must notice guest signals.
#[inline]
pub(crate) fn forward_blocking(flag: &AtomicU32, nr: i64, a: &[u64; 6]) -> SysResult<u64> {
    // SAFETY: as for `forward`.
    Errno::from_raw(unsafe { raw::blocking_syscall(flag, nr as u64, a) })
}
