//! A memory barrier that the rare side of two makes for both.
#![expect(unsafe_code, reason = "membarrier(2) has no wrapper")]

use core::sync::atomic::{Ordering, compiler_fence, fence};

/// `MEMBARRIER_CMD_QUERY` (membarrier(2)).
const QUERY: i32 = 0;

/// Orders a store of the often side before its load behind it, as the rare side sees both. Where the kernel lends a
/// hand, the often side pays nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barrier {
    by_kernel: bool,
}

fn membarrier(command: i32) -> i64 {
    // SAFETY: the call touches no memory of this process.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

impl Barrier {
    /// Asks the kernel what it can do.
    pub(crate) fn new() -> Barrier {
        Barrier::from_query(membarrier(QUERY))
    }
    fn from_query(answer: i64) -> Barrier {
        let wanted = i64::from(
            libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED
                | libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
        );
        Barrier { by_kernel: answer > 0 && answer & wanted == wanted }
    }
    /// Between store and load of the side that comes often.
    #[inline]
    pub(crate) fn often(self) {
        if self.by_kernel {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }
    /// Between store and load of the other.
    ///
    /// # Panics
    /// If the kernel refuses what it said it could do.
    pub(crate) fn rare(self) {
        fence(Ordering::SeqCst);
        if self.by_kernel {
            // A forked process has not registered yet.
            let registered = membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
            let done = membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
            assert!(
                registered == 0 && done == 0,
                "membarrier: {}",
                std::io::Error::last_os_error()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;

    #[test]
    fn a_kernel_that_cannot_is_not_asked() {
        assert!(!Barrier::from_query(-1).by_kernel);
        assert!(!Barrier::from_query(i64::from(libc::MEMBARRIER_CMD_GLOBAL)).by_kernel);
    }

    /// Of two threads that store their own word and then load the other's, one sees the other's store.
    #[test]
    fn one_of_both_sees_the_other() {
        for barrier in [Barrier::new(), Barrier { by_kernel: false }] {
            let [often, rare, round, done] = [const { AtomicU32::new(0) }; 4];
            std::thread::scope(|s| {
                s.spawn(|| {
                    for n in 1..=20_000 {
                        while round.load(Ordering::Acquire) < n {
                            core::hint::spin_loop();
                        }
                        often.store(n, Ordering::Relaxed);
                        barrier.often();
                        let seen = rare.load(Ordering::Relaxed);
                        done.store(n << 1 | u32::from(seen == n), Ordering::Release);
                    }
                });
                for n in 1..=20_000 {
                    round.store(n, Ordering::Release);
                    for _ in 0..n % 64 {
                        core::hint::spin_loop();
                    }
                    rare.store(n, Ordering::Relaxed);
                    barrier.rare();
                    let seen = often.load(Ordering::Relaxed) == n;
                    let other = loop {
                        let d = done.load(Ordering::Acquire);
                        if d >> 1 == n {
                            break d & 1 != 0;
                        }
                        std::thread::yield_now();
                    };
                    assert!(seen || other, "round {n}");
                }
            });
        }
    }
}
