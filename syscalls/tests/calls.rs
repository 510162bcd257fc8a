//! Handlers against the host kernel, on both ABIs where they differ.

mod common;

use std::os::unix::fs::MetadataExt;

use common::{Guest, Mock};
use remu_syscalls::{Abi, Errno, Outcome, Plain, abi, stats, structs};

const AT_FDCWD: u64 = libc::AT_FDCWD as u64;

fn riscv() -> &'static Abi {
    abi("riscv64").expect("known")
}

fn arm() -> &'static Abi {
    abi("aarch64").expect("known")
}

#[test]
fn pipe_write_read_close() {
    let g = Guest::new(0x20_0000_0000, 1);
    let mut m = Mock::default();
    m.ok(riscv(), "pipe2", &[g.base, libc::O_CLOEXEC as u64]);
    let (r, w) = (u64::from(g.u32(0)), u64::from(g.u32(4)));
    let text = g.put(64, b"through the pipe");
    assert_eq!(m.ok(riscv(), "write", &[w, text, 16]), 16);
    assert_eq!(m.ok(riscv(), "read", &[r, g.base + 128, 100]), 16);
    assert_eq!(&g.get::<16>(128), b"through the pipe");
    assert_eq!(m.err(riscv(), "write", &[w, g.end(), 1]), Errno::EFAULT);
    m.ok(riscv(), "close", &[r]);
    m.ok(riscv(), "close", &[w]);
    // A number that no other test of this process can get meanwhile.
    assert_eq!(m.err(riscv(), "close", &[599]), Errno::EBADF);
}

#[test]
fn aarch64_open_flags_are_translated_both_ways() {
    let g = Guest::new(0x20_1000_0000, 1);
    let mut m = Mock::default();
    let dir = g.put(0, b"/proc/self\0");
    let file = g.put(32, b"/etc/passwd\0");
    // O_DIRECTORY of Arm is 040000; of riscv64 that value is O_DIRECT.
    let fd = m.ok(arm(), "openat", &[AT_FDCWD, dir, 0o40000, 0]);
    assert_eq!(m.err(arm(), "openat", &[AT_FDCWD, file, 0o40000, 0]), Errno::ENOTDIR);
    assert_eq!(m.err(riscv(), "openat", &[AT_FDCWD, file, 0o200000, 0]), Errno::ENOTDIR);
    assert_eq!(m.err(arm(), "openat", &[AT_FDCWD, dir, 0o100000, 0]), Errno::ELOOP);
    let got = m.ok(arm(), "fcntl", &[fd, libc::F_GETFL as u64]);
    assert_eq!(got & 0o740000, 0o440000, "O_LARGEFILE|O_DIRECTORY in Arm's numbering");
    m.ok(arm(), "close", &[fd]);
    // openat2 takes the same numbering.
    let mut how = [0; 24];
    structs::OpenHow { flags: 0o40000, mode: 0, resolve: 0 }.store(&mut how);
    let how = g.put(64, &how);
    assert_eq!(m.err(arm(), "openat2", &[AT_FDCWD, file, how, 24]), Errno::ENOTDIR);
    assert_eq!(m.err(arm(), "openat2", &[AT_FDCWD, file, how, 20]), Errno::EINVAL);
    g.put(64 + 24, &[1]);
    assert_eq!(m.err(arm(), "openat2", &[AT_FDCWD, file, how, 32]), Errno::E2BIG);
}

#[test]
fn stat_has_the_generic_layout() {
    let g = Guest::new(0x20_2000_0000, 1);
    let mut m = Mock::default();
    let path = g.put(0, b"/etc/passwd\0");
    let real = std::fs::metadata("/etc/passwd").expect("exists");
    m.ok(riscv(), "newfstatat", &[AT_FDCWD, path, g.base + 256, 0]);
    let st = structs::Stat::load(&g.get::<128>(256));
    assert_eq!((st.st_ino, st.st_size, st.st_mode), (real.ino(), real.size() as i64, real.mode()));
    assert_eq!((st.st_mtime, st.st_mtime_nsec as i64), (real.mtime(), real.mtime_nsec()));
    assert_eq!(
        (u64::from(st.st_nlink), st.st_blocks, st.st_blksize),
        (real.nlink(), real.blocks() as i64, real.blksize() as i32)
    );
    assert_eq!(m.err(riscv(), "newfstatat", &[AT_FDCWD, path, g.end(), 0]), Errno::EFAULT);
    assert_eq!(m.err(riscv(), "newfstatat", &[AT_FDCWD, g.end(), g.base, 0]), Errno::EFAULT);
}

#[test]
fn epoll_events_are_not_packed() {
    let g = Guest::new(0x20_3000_0000, 1);
    let mut m = Mock::default();
    let ep = m.ok(riscv(), "epoll_create1", &[0]);
    let ev = m.ok(riscv(), "eventfd2", &[1, 0]);
    let mut raw = [0; 16];
    structs::EpollEvent { events: libc::EPOLLIN as u32, _pad: 0, data: 0x1122_3344_5566_7788 }
        .store(&mut raw);
    let event = g.put(0, &raw);
    m.ok(riscv(), "epoll_ctl", &[ep, libc::EPOLL_CTL_ADD as u64, ev, event]);
    assert_eq!(m.ok(riscv(), "epoll_pwait", &[ep, g.base + 64, 10, 0, 0, 8]), 1);
    let got = structs::EpollEvent::load(&g.get::<16>(64));
    assert_eq!((got.events, got.data), (libc::EPOLLIN as u32, 0x1122_3344_5566_7788));
    assert_eq!(m.err(riscv(), "epoll_pwait", &[ep, g.base, 0, 0, 0, 8]), Errno::EINVAL);
    m.ok(riscv(), "epoll_ctl", &[ep, libc::EPOLL_CTL_DEL as u64, ev, 0]);
    m.ok(riscv(), "close", &[ev]);
    m.ok(riscv(), "close", &[ep]);
}

#[test]
fn semaphore_state_drops_the_hosts_spare_words() {
    let g = Guest::new(0x20_4000_0000, 1);
    let mut m = Mock::default();
    let id = match m.call(riscv(), "semget", &[0, 3, 0o600]) {
        Outcome::Return(v) if (v as i64) < 0 => {
            return eprintln!("skipped: no SysV semaphores here");
        }
        Outcome::Return(v) => v,
        other => panic!("{other:?}"),
    };
    m.ok(riscv(), "semctl", &[id, 0, libc::IPC_STAT as u64, g.base]);
    let st = structs::SemidDs::load(&g.get::<88>(0));
    assert_eq!((st.sem_nsems, st.sem_perm.mode & 0o777, st.sem_otime), (3, 0o600, 0));
    assert!(st.sem_ctime > 1_600_000_000);
    m.ok(riscv(), "semctl", &[id, 1, 16, 5]);
    assert_eq!(m.ok(riscv(), "semctl", &[id, 1, 12, 0]), 5);
    m.ok(riscv(), "semctl", &[id, 0, libc::IPC_RMID as u64, 0]);
}

#[test]
fn uname_tells_the_guest_machine_and_wanted_release() {
    let g = Guest::new(0x20_5000_0000, 1);
    let mut m = Mock { release: Some(c"6.1.0-guest".into()), ..Mock::default() };
    m.ok(arm(), "uname", &[g.base]);
    assert!(g.get::<8>(0).starts_with(b"Linux\0"));
    assert!(g.get::<65>(130).starts_with(b"6.1.0-guest\0"));
    assert!(g.get::<65>(260).starts_with(b"aarch64\0"));
}

#[test]
fn write_protected_pages_of_the_runner_are_opened_and_the_call_repeated() {
    let g = Guest::new(0x20_6000_0000, 1);
    let mut m = Mock::default();
    m.ok(riscv(), "pipe2", &[g.base, 0]);
    let (r, w) = (u64::from(g.u32(0)), u64::from(g.u32(4)));
    let text = g.put(64, b"code");
    m.ok(riscv(), "write", &[w, text, 4]);
    g.protect();
    assert_eq!(m.err(riscv(), "read", &[r, g.base + 128, 4]), Errno::EFAULT);
    m.protected = Some((g.base, g.len));
    assert_eq!(m.ok(riscv(), "read", &[r, g.base + 128, 4]), 4);
    assert_eq!(&g.get::<4>(128), b"code");
}

#[test]
fn clone_arguments_reach_the_runner_in_one_form() {
    let g = Guest::new(0x20_7000_0000, 1);
    let mut m = Mock::default();
    let thread =
        (libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD | libc::CLONE_SETTLS) as u64;
    assert_eq!(m.ok(riscv(), "clone", &[thread, 0x1000, 0x2000, 0x3000, 0x4000]), 4711);
    let a = m.cloned.expect("called");
    assert_eq!(
        (a.flags, a.stack_pointer, a.parent_tid, a.tls, a.child_tid, a.exit_signal),
        (thread, 0x1000, 0x2000, 0x3000, 0x4000, 0)
    );
    m.ok(riscv(), "clone", &[libc::SIGCHLD as u64]);
    assert_eq!(m.cloned.expect("called").exit_signal, libc::SIGCHLD as u64);
    assert_eq!(m.err(riscv(), "clone", &[libc::CLONE_THREAD as u64]), Errno::EINVAL);

    let mut raw = [0; 88];
    structs::CloneArgs3 {
        flags: thread,
        stack: 0x1000,
        stack_size: 0x500,
        tls: 9,
        ..Default::default()
    }
    .store(&mut raw);
    let args = g.put(0, &raw);
    m.ok(riscv(), "clone3", &[args, 88]);
    assert_eq!(m.cloned.expect("called").stack_pointer, 0x1500);
    m.ok(riscv(), "clone3", &[args, 64]);
    assert_eq!(m.err(riscv(), "clone3", &[args, 63]), Errno::EINVAL);
    assert_eq!(m.err(riscv(), "clone3", &[g.end(), 88]), Errno::EFAULT);
    g.put(90, &[1]);
    assert_eq!(m.err(riscv(), "clone3", &[args, 96]), Errno::E2BIG);
}

#[test]
fn execve_reads_strings_and_limits_them() {
    let g = Guest::new(0x20_8000_0000, 2);
    let mut m = Mock::default();
    let path = g.put(0, b"/bin/ls\0");
    let arg = g.put(32, b"-l\0");
    let argv = g.put(64, [path, arg, 0].map(u64::to_le_bytes).as_flattened());
    assert_eq!(m.call(riscv(), "execve", &[path, argv, 0]), Outcome::Replaced);
    let (p, v, e) = m.executed.take().expect("called");
    assert_eq!((p.as_c_str(), v, e), (c"/bin/ls", vec![c"/bin/ls".into(), c"-l".into()], vec![]));
    // A vector that runs off the end of memory.
    let open = g.put(8192 - 8, &path.to_le_bytes());
    assert_eq!(m.err(riscv(), "execve", &[path, open, 0]), Errno::EFAULT);
    assert!(m.executed.is_none());
}

#[test]
fn proc_files_show_the_guest() {
    let g = Guest::new(0x20_9000_0000, 1);
    let mut m = Mock::default();
    let cpuinfo = g.put(0, b"/proc/cpuinfo\0");
    let fd = m.ok(riscv(), "openat", &[AT_FDCWD, cpuinfo, libc::O_CLOEXEC as u64, 0]);
    assert_eq!(m.ok(riscv(), "read", &[fd, g.base + 256, 100]), 12);
    assert_eq!(&g.get::<12>(256), b"isa : guest\n");
    assert_eq!(m.ok(riscv(), "fcntl", &[fd, libc::F_GETFD as u64]), 1);
    m.ok(riscv(), "close", &[fd]);
    let exe = g.put(32, b"/proc/self/exe\0");
    assert_eq!(m.ok(riscv(), "readlinkat", &[AT_FDCWD, exe, g.base + 256, 100]), 9);
    assert_eq!(&g.get::<9>(256), b"/bin/true");
    assert_eq!(m.ok(riscv(), "readlinkat", &[AT_FDCWD, exe, g.base + 256, 4]), 4);
    m.ok(riscv(), "newfstatat", &[AT_FDCWD, exe, g.base + 256, 0]);
    let ino = structs::Stat::load(&g.get::<128>(256)).st_ino;
    assert_eq!(ino, std::fs::metadata("/bin/true").expect("exists").ino());
}

#[test]
fn sysroot_redirects_lookups_only() {
    let g = Guest::new(0x20_a000_0000, 1);
    let mut m = Mock {
        sysroot: Some(("/lib/only-in-sysroot".into(), "/etc/passwd".into())),
        ..Mock::default()
    };
    let path = g.put(0, b"/lib/only-in-sysroot\0");
    let fd = m.ok(riscv(), "openat", &[AT_FDCWD, path, 0, 0]);
    m.ok(riscv(), "close", &[fd]);
    m.ok(riscv(), "faccessat", &[AT_FDCWD, path, 4]);
    m.ok(riscv(), "statx", &[AT_FDCWD, path, 0, 0x7ff, g.base + 512]);
    assert_eq!(m.err(riscv(), "unlinkat", &[AT_FDCWD, path, 0]), Errno::ENOENT);
}

#[test]
fn own_program_is_found_however_it_is_named() {
    let g = Guest::new(0x21_3000_0000, 1);
    let mut m = Mock::default();
    let name = g.put(0, b"exe\0");
    let link = std::env::temp_dir().join(format!("remu-own-program-{}", std::process::id()));
    std::os::unix::fs::symlink("/proc/self/exe", &link).expect("link");
    let by_link = g.put(16, &[link.to_str().expect("text").as_bytes(), b"\0"].concat());
    let folder = std::fs::File::open("/proc/self").expect("proc");
    let folder = std::os::fd::AsRawFd::as_raw_fd(&folder) as u64;
    assert_eq!(m.ok(riscv(), "readlinkat", &[folder, name, g.base + 256, 100]), 9);
    assert_eq!(&g.get::<9>(256), b"/bin/true");
    let want = std::fs::metadata("/bin/true").expect("exists").ino();
    for (dir, path) in [(folder, name), (AT_FDCWD, by_link)] {
        let fd = m.ok(riscv(), "openat", &[dir, path, 0, 0]);
        m.ok(riscv(), "fstat", &[fd, g.base + 256]);
        assert_eq!(structs::Stat::load(&g.get::<128>(256)).st_ino, want);
        m.ok(riscv(), "close", &[fd]);
    }
    assert_eq!(m.call(riscv(), "execveat", &[folder, name, 0, 0, 0]), Outcome::Replaced);
    assert_eq!(m.executed.take().expect("called").0.as_c_str(), c"/bin/true");
    std::fs::remove_file(link).expect("link");
}

#[test]
fn epoll_gives_more_events_than_fit_on_the_stack() {
    let g = Guest::new(0x21_4000_0000, 2);
    let mut m = Mock::default();
    let ep = m.ok(riscv(), "epoll_create1", &[0]);
    let event = g.put(0, &[[1u8, 0, 0, 0, 0, 0, 0, 0], 77u64.to_le_bytes()].concat());
    let ready: Vec<u64> = (0..300).map(|_| m.ok(riscv(), "eventfd2", &[1, 0])).collect();
    for &fd in &ready {
        m.ok(riscv(), "epoll_ctl", &[ep, libc::EPOLL_CTL_ADD as u64, fd, event]);
    }
    let out = g.base + 512;
    assert_eq!(m.ok(riscv(), "epoll_pwait", &[ep, out, 400, 0, 0, 0]), 300);
    assert_eq!(&g.get::<16>(512 + 299 * 16)[8..], 77u64.to_le_bytes());
    for fd in ready {
        m.ok(riscv(), "close", &[fd]);
    }
}

#[test]
fn private_descriptors_do_not_exist_for_the_guest() {
    let g = Guest::new(0x20_b000_0000, 1);
    let mut m = Mock::default();
    // Far above what the other tests of this process open meanwhile.
    for n in 600..604 {
        m.ok(riscv(), "dup3", &[0, n, 0]);
    }
    m.private_fd = Some(601);
    assert_eq!(m.err(riscv(), "close", &[601]), Errno::EBADF);
    assert_eq!(m.err(riscv(), "dup3", &[0, 601, 0]), Errno::EBADF);
    assert_eq!(m.err(riscv(), "fcntl", &[601, libc::F_GETFD as u64]), Errno::EBADF);
    let listed = |m: &mut Mock| {
        let path = g.put(0, b"/proc/self/fd\0");
        let dir = m.ok(riscv(), "openat", &[AT_FDCWD, path, libc::O_DIRECTORY as u64, 0]);
        let mut names = Vec::new();
        loop {
            // Room for few entries at a time.
            let n = m.ok(riscv(), "getdents64", &[dir, g.base + 512, 64]) as usize;
            if n == 0 {
                break;
            }
            let raw = g.get::<64>(512);
            let mut at = 0;
            while at < n {
                let name = raw[at + 19..].split(|&b| b == 0).next().unwrap_or_default();
                names.push(String::from_utf8_lossy(name).into_owned());
                at += usize::from(raw[at + 16]);
            }
        }
        m.ok(riscv(), "close", &[dir]);
        names
    };
    let names = listed(&mut m);
    assert!(names.contains(&"600".to_owned()) && !names.contains(&"601".to_owned()), "{names:?}");
    m.ok(riscv(), "close_range", &[600, 603, 0]);
    m.private_fd = None;
    let open: Vec<bool> =
        (600..604).map(|n| m.call(riscv(), "fcntl", &[n, 1]) == Outcome::Return(0)).collect();
    assert_eq!(open, [false, true, false, false]);
    m.ok(riscv(), "close", &[601]);
    drop(g);
}

#[test]
fn sigaction_layout_depends_on_the_restorer() {
    let g = Guest::new(0x20_c000_0000, 1);
    let mut m = Mock::default();
    let words = [0x1000u64, 4, 0x2000, 0xffff].map(u64::to_le_bytes);
    let act = g.put(0, words.as_flattened());
    m.ok(arm(), "rt_sigaction", &[10, act, 0, 8]);
    assert_eq!((m.action.restorer, m.action.mask), (0x2000, 0xffff & !(1 << 8)));
    m.ok(riscv(), "rt_sigaction", &[10, act, g.base + 64, 8]);
    assert_eq!((m.action.restorer, m.action.mask), (0, 0x2000));
    // The old action is written in three words, the fourth stays.
    assert_eq!((g.u64(64), g.u64(72), g.u64(80), g.u64(88)), (0x1000, 4, 0xffff & !(1 << 8), 0));
    assert_eq!(m.err(riscv(), "rt_sigaction", &[10, act, 0, 16]), Errno::EINVAL);
    assert_eq!(m.err(riscv(), "rt_sigaction", &[9, act, 0, 8]), Errno::EINVAL);
    assert_eq!(m.err(riscv(), "rt_sigaction", &[65, 0, 0, 8]), Errno::EINVAL);
    m.ok(riscv(), "rt_sigpending", &[g.base, 4]);
    assert_eq!(g.u32(0), 0x0506_0708);
}

#[test]
fn alternate_stack_is_checked_against_the_abi() {
    let g = Guest::new(0x20_d000_0000, 1);
    let mut m = Mock::default();
    let mut raw = [0; 24];
    structs::StackT { ss_sp: 0x1000, ss_flags: 0, _pad: 0, ss_size: 4096 }.store(&mut raw);
    let new = g.put(0, &raw);
    m.ok(riscv(), "sigaltstack", &[new, g.base + 64]);
    assert_eq!(m.altstack.size, 4096);
    assert_eq!(m.err(arm(), "sigaltstack", &[new, 0]), Errno::ENOMEM);
}

#[test]
fn memory_limits_are_remembered_not_enforced() {
    let g = Guest::new(0x20_e000_0000, 1);
    let mut m = Mock::default();
    m.ok(riscv(), "prlimit64", &[0, libc::RLIMIT_AS.into(), 0, g.base]);
    let hard = g.u64(8);
    let new = g.put(64, [1 << 20, hard].map(u64::to_le_bytes).as_flattened());
    m.ok(riscv(), "prlimit64", &[0, libc::RLIMIT_AS.into(), new, 0]);
    m.ok(riscv(), "prlimit64", &[0, libc::RLIMIT_AS.into(), 0, g.base]);
    assert_eq!((g.u64(0), g.u64(8)), (1 << 20, hard));
    assert!(vec![1u8; 4 << 20].iter().all(|&b| b == 1), "this process can still allocate");
    let bad = g.put(64, [2u64, 1].map(u64::to_le_bytes).as_flattened());
    assert_eq!(m.err(riscv(), "setrlimit", &[libc::RLIMIT_AS.into(), bad]), Errno::EINVAL);
}

#[test]
fn clocks_and_processor_calls_answer() {
    let g = Guest::new(0x20_f000_0000, 1);
    let mut m = Mock::default();
    m.ok(riscv(), "clock_gettime", &[libc::CLOCK_REALTIME as u64, g.base]);
    assert!(g.u64(0) > 1_700_000_000 && g.u64(8) < 1_000_000_000);
    m.ok(riscv(), "gettimeofday", &[g.base, 0]);
    assert!(g.u64(8) < 1_000_000);
    assert_eq!(m.err(riscv(), "clock_gettime", &[99, g.base]), Errno::EINVAL);
    g.put(0, [3u64, 0, 77, 5].map(u64::to_le_bytes).as_flattened());
    m.ok(riscv(), "riscv_hwprobe", &[g.base, 2, 0, 0, 0]);
    assert_eq!([g.u64(0), g.u64(8), g.u64(16), g.u64(24)], [3, 1, u64::MAX, 0]);
    m.ok(riscv(), "riscv_flush_icache", &[0x1000, 0x2000, 0]);
    assert_eq!(m.flushed, Some((0x1000, 0x2000)));
    assert_eq!(arm().number("riscv_hwprobe"), None);
}

#[test]
fn what_is_missing_is_refused_and_counted() {
    let g = Guest::new(0x21_0000_0000, 1);
    let mut m = Mock::default();
    assert_eq!(m.err(riscv(), "kexec_load", &[1, 0, g.base, 0]), Errno::ENOSYS);
    assert_eq!(m.err(riscv(), "ioctl", &[0, 0x0000_dead, 0]), Errno::ENOTTY);
    assert_eq!(m.err(riscv(), "ioctl", &[9999, 0x0000_dead, 0]), Errno::EBADF);
    assert_eq!(m.err(riscv(), "fcntl", &[0, 4242, 0]), Errno::EINVAL);
    assert_eq!(m.err(riscv(), "prctl", &[65, 0, 0, 0, 0]), Errno::EINVAL);
    assert_eq!(
        remu_syscalls::dispatch(&mut m, riscv(), 9_999_999, [0; 6]),
        Outcome::Return(Errno::ENOSYS.to_raw())
    );
    assert_eq!(
        remu_syscalls::dispatch(&mut m, riscv(), u64::MAX, [0; 6]),
        Outcome::Return(Errno::ENOSYS.to_raw())
    );
    let report = stats::report();
    for line in [
        "kexec_load: ",
        "ioctl request 0xdead",
        "fcntl command 0x1092",
        "prctl operation 0x41",
        "system call number 0x98967f",
    ] {
        assert!(report.contains(line), "{line} not in\n{report}");
    }
}

#[test]
fn counters_are_those_of_the_kernel() {
    const SOFTWARE: u64 = 1;
    const PAGE_FAULTS: u64 = 2;
    /// exclude_kernel, which needs no rights.
    const USER: u64 = 1 << 5;
    const MMAP: u64 = 1 << 8;
    let g = Guest::new(0x21_1000_0000, 1);
    let mut m = Mock::default();
    // An attribute of `size` bytes.
    let open = |m: &mut Mock, kind: u64, size: u64, period: u64, flags: u64| {
        g.put(
            0,
            [kind | size << 32, PAGE_FAULTS, period, 0, 0, flags]
                .map(u64::to_le_bytes)
                .as_flattened(),
        );
        m.call(arm(), "perf_event_open", &[g.base, 0, u64::MAX, u64::MAX, 0])
    };
    let failed = |e: Errno| Outcome::Return(e.to_raw());
    // The processor's cycles, samples, and records of mappings.
    assert_eq!(open(&mut m, 0, 64, 0, USER), failed(Errno::ENOENT));
    assert_eq!(open(&mut m, SOFTWARE, 64, 1000, USER), failed(Errno::EOPNOTSUPP));
    assert_eq!(open(&mut m, SOFTWARE, 64, 0, USER | MMAP), failed(Errno::EOPNOTSUPP));
    assert_eq!(m.err(arm(), "perf_event_open", &[g.end(), 0, 0, 0, 0]), Errno::EFAULT);
    // An attribute that ends behind the readable page.
    g.put(0xfc0, [SOFTWARE | 72 << 32].map(u64::to_le_bytes).as_flattened());
    assert_eq!(
        m.err(arm(), "perf_event_open", &[g.base + 0xfc0, 0, u64::MAX, u64::MAX, 0]),
        Errno::EFAULT
    );
    g.put(0xfc0, &[0; 8]);
    // No size is that of the first version; a newer one is zero behind what the kernel knows.
    let fd = match open(&mut m, SOFTWARE, 0, 0, USER) {
        Outcome::Return(v) if v == Errno::ENOSYS.to_raw() || v == Errno::EACCES.to_raw() => {
            return eprintln!("skipped: this machine opens no counters");
        }
        Outcome::Return(fd) => fd,
        other => panic!("{other:?}"),
    };
    assert!((fd as i64) >= 0, "{fd:#x}");
    for size in [64, 136, 256, 4096] {
        let Outcome::Return(fd) = open(&mut m, SOFTWARE, size, 0, USER) else { panic!() };
        assert!((fd as i64) >= 0, "{size}: {fd:#x}");
        m.ok(arm(), "close", &[fd]);
    }
    // Sizes that the kernel refuses, and what it knows beside: it says how much that is.
    for size in [8, 63, 4097] {
        assert_eq!(open(&mut m, SOFTWARE, size, 0, USER), failed(Errno::E2BIG));
        let known = g.u64(0) >> 32;
        assert!((64..4096).contains(&known) && known != size, "{size} gives {known}");
    }
    g.put(1000, &[1]);
    assert_eq!(open(&mut m, SOFTWARE, 1024, 0, USER), failed(Errno::E2BIG));
    assert!((64..1000).contains(&(g.u64(0) >> 32)));
    let pages = vec![1u8; 1 << 20];
    assert!(pages.iter().all(|&b| b == 1));
    assert_eq!(m.ok(arm(), "read", &[fd, g.base + 64, 8]), 8);
    assert!(g.u64(64) > 0);
    // A count is reset and stopped; its page would tell how to read the host's processor.
    const RESET: u64 = 0x2403;
    const DISABLE: u64 = 0x2401;
    m.ok(arm(), "ioctl", &[fd, DISABLE, 0]);
    m.ok(arm(), "ioctl", &[fd, RESET, 0]);
    assert_eq!(m.ok(arm(), "read", &[fd, g.base + 64, 8]), 8);
    assert_eq!(g.u64(64), 0);
    let (read, shared) = (1, 1);
    assert_eq!(m.err(arm(), "mmap", &[0, 4096, read, shared, fd, 0]), Errno::EINVAL);
    m.ok(arm(), "close", &[fd]);
}

#[test]
fn exits_and_returns_tell_the_runner() {
    let mut m = Mock::default();
    assert_eq!(m.call(riscv(), "exit", &[0x107]), Outcome::ExitThread(7));
    assert_eq!(m.call(riscv(), "exit_group", &[3]), Outcome::ExitGroup(3));
    assert_eq!(m.call(riscv(), "rt_sigreturn", &[]), Outcome::Replaced);
}

#[test]
fn support_matrix_has_a_line_per_row() {
    let text = remu_syscalls::support_matrix();
    assert_eq!(text.lines().count(), 2 + remu_syscalls::table::calls::ALL.len());
    assert!(text.contains("| read | 63 | 63 | host | yes | READ |  |"));
    assert!(text.contains("| renameat | | 38 | host |"));
}
