//! Limits that would bind the runner instead of the guest: remembered, not enforced.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::context::Context;
use crate::structs::Rlimit;
use crate::{Errno, Plain, SysResult};

/// A remembered limit pair. Set and get may race between guest threads as two halves, as long as
/// each half is one of the written values.
struct Remembered {
    resource: u32,
    set: AtomicBool,
    soft: AtomicU64,
    hard: AtomicU64,
}

impl Remembered {
    fn remember(&self, soft: u64, hard: u64) {
        self.soft.store(soft, Ordering::Relaxed);
        self.hard.store(hard, Ordering::Relaxed);
        self.set.store(true, Ordering::Release);
    }
}

const fn remembered(resource: u32) -> Remembered {
    Remembered {
        resource,
        set: AtomicBool::new(false),
        soft: AtomicU64::new(0),
        hard: AtomicU64::new(0),
    }
}

/// The translator's own mappings count against these.
static LIMITS: [Remembered; 2] = [remembered(libc::RLIMIT_AS), remembered(libc::RLIMIT_DATA)];

/// The limits that were set: resource, soft, hard. For the program that replaces this one.
pub fn remembered_limits() -> Vec<[u64; 3]> {
    let set = LIMITS.iter().filter(|l| l.set.load(Ordering::Acquire));
    let value = |a: &AtomicU64| a.load(Ordering::Relaxed);
    set.map(|l| [l.resource.into(), value(&l.soft), value(&l.hard)]).collect()
}

/// Takes over what [`remembered_limits`] gave.
pub fn remember_limits(limits: &[[u64; 3]]) {
    for [resource, soft, hard] in limits {
        if let Some(kept) = LIMITS.iter().find(|l| u64::from(l.resource) == *resource) {
            kept.remember(*soft, *hard);
        }
    }
}

/// Reads and then sets a limit of a process, as prlimit64(2).
pub(super) fn prlimit(
    cx: &mut Context<'_>,
    pid: i32,
    resource: u32,
    new: u64,
    old: u64,
) -> SysResult<u64> {
    let own = pid == 0 || pid.unsigned_abs() == std::process::id();
    let kept = LIMITS.iter().find(|l| own && l.resource == resource);
    let host = |p: u64| if p == 0 { 0 } else { cx.mem().host(p) };
    let Some(kept) = kept else {
        return cx
            .host(libc::SYS_prlimit64, [pid as u64, resource.into(), host(new), host(old), 0, 0]);
    };
    let wanted = cx.mem().read_opt::<Rlimit>(new)?;
    let before = current(cx, kept)?;
    if let Some(w) = wanted {
        if w.rlim_cur > w.rlim_max {
            return Err(Errno::EINVAL);
        }
        if w.rlim_max > before.rlim_max && cx.host(libc::SYS_geteuid, [0; 6]) != Ok(0) {
            return Err(Errno::EPERM);
        }
        kept.remember(w.rlim_cur, w.rlim_max);
    }
    cx.mem().write_opt(old, &before)?;
    Ok(0)
}

fn current(cx: &Context<'_>, kept: &Remembered) -> SysResult<Rlimit> {
    if kept.set.load(Ordering::Acquire) {
        return Ok(Rlimit {
            rlim_cur: kept.soft.load(Ordering::Relaxed),
            rlim_max: kept.hard.load(Ordering::Relaxed),
        });
    }
    let mut raw = [0u8; 16];
    cx.host(libc::SYS_prlimit64, [0, kept.resource.into(), 0, raw.as_mut_ptr() as u64, 0, 0])?;
    Ok(Rlimit::load(&raw))
}
