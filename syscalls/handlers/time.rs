//! Clocks, read through the host's vdso.

use crate::context::Context;
use crate::structs::{Timespec, Timeval, Timezone};
use crate::table::kinds;
use crate::{SysResult, host};

/// clock_gettime(2).
pub(crate) fn clock_gettime(
    cx: &mut Context<'_>,
    clock: kinds::Clock,
    time: kinds::Out,
) -> SysResult<u64> {
    let [tv_sec, tv_nsec] = host::clock_gettime(clock.0)?;
    cx.mem().write(time.0, &Timespec { tv_sec, tv_nsec })?;
    Ok(0)
}

/// gettimeofday(2); the time zone is the kernel's own, which nobody sets.
pub(crate) fn gettimeofday(
    cx: &mut Context<'_>,
    time: kinds::Out,
    zone: kinds::Out,
) -> SysResult<u64> {
    if time.0 != 0 {
        let [tv_sec, nsec] = host::clock_gettime(libc::CLOCK_REALTIME)?;
        cx.mem().write(time.0, &Timeval { tv_sec, tv_usec: nsec / 1000 })?;
    }
    if zone.0 != 0 {
        let mut raw = [0u8; 8];
        cx.host(libc::SYS_gettimeofday, [0, raw.as_mut_ptr() as u64, 0, 0, 0, 0])?;
        cx.mem().write(zone.0, &<Timezone as crate::Plain>::load(&raw))?;
    }
    Ok(0)
}
