//! Numbers, layouts and constants against the C compiler and kernel headers of each guest.
//!
//! Everything is a `_Static_assert`, so nothing has to run. A missing cross compiler is said, and
//! fails when `CI=true`.

use std::fmt::Write;
use std::io::Write as _;
use std::process::{Command, Stdio};

use remu_syscalls::structs::layouts;
use remu_syscalls::table::{fcntls, ioctls, prctls};
use remu_syscalls::{Abi, abi};

const GUESTS: [&str; 2] = ["riscv64", "aarch64"];

/// Headers that define a structure.
fn headers(c_name: &str) -> &'static [&'static str] {
    match c_name {
        "struct stat" => &["asm/stat.h"],
        "struct epoll_event" => &["linux/types.h", "linux/eventpoll.h"],
        "struct timespec" | "struct timeval" | "struct timezone" | "struct itimerspec"
        | "struct itimerval" => &["linux/time.h"],
        "struct rlimit" => &["linux/resource.h"],
        "struct pollfd" => &["asm/poll.h"],
        "struct iovec" => &["linux/uio.h"],
        "struct msghdr" => &["sys/socket.h"],
        "stack_t" => &["asm/signal.h"],
        "siginfo_t" => &["asm/siginfo.h"],
        "struct clone_args" => &["linux/sched.h"],
        "struct open_how" => &["linux/openat2.h"],
        "struct ipc64_perm" => &["linux/posix_types.h", "asm/ipcbuf.h"],
        "struct semid64_ds" => &["linux/posix_types.h", "asm/ipcbuf.h", "asm/sembuf.h"],
        // Newer than the headers of the distribution; spelled out from the manual instead.
        "struct riscv_hwprobe" => &[],
        other => panic!("no header known for {other}"),
    }
}

fn compiler(guest: &str) -> Option<String> {
    let gcc = format!("{guest}-linux-gnu-gcc");
    let found = Command::new(&gcc)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{gcc} is missing");
        eprintln!("skipped: {gcc} is missing");
    }
    found.then_some(gcc)
}

/// Feeds C text to the guest's compiler.
fn compile(gcc: &str, args: &[&str], text: &str) -> (bool, String) {
    let mut child = Command::new(gcc)
        .args(args)
        .args(["-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("compiler was found");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("compiler reads");
    let out = child.wait_with_output().expect("compiler ends");
    let text = if out.status.success() { out.stdout } else { out.stderr };
    (out.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn assert_compiles(gcc: &str, text: &str) {
    let (ok, message) = compile(gcc, &["-fsyntax-only", "-w"], text);
    let errors: Vec<_> = message.lines().filter(|l| l.contains("error")).take(20).collect();
    assert!(ok, "{gcc}:\n{}", errors.join("\n"));
}

#[test]
fn structs_equal_the_c_compilers_layout() {
    for guest in GUESTS {
        let Some(gcc) = compiler(guest) else { continue };
        for l in layouts() {
            let headers = headers(l.c_name);
            if headers.is_empty() {
                continue;
            }
            let mut c = String::from("#define _GNU_SOURCE\n#include <stddef.h>\n");
            for h in headers {
                let _ = writeln!(c, "#include <{h}>");
            }
            let _ = writeln!(c, "_Static_assert(sizeof({}) == {}, \"size\");", l.c_name, l.size);
            for (name, offset, size) in l.fields.iter().filter(|f| !f.0.starts_with('_')) {
                // siginfo_t's value words are members of a union with several names.
                let name = if l.c_name == "siginfo_t" && *name == "si_value" {
                    "_sifields._rt._sigval"
                } else {
                    name
                };
                let _ = writeln!(
                    c,
                    "_Static_assert(offsetof({}, {name}) == {offset}, \"{name}\");",
                    l.c_name
                );
                let _ = writeln!(
                    c,
                    "_Static_assert(sizeof((({} *)0)->{name}) == {size}, \"size of {name}\");",
                    l.c_name
                );
            }
            assert_compiles(&gcc, &c);
        }
    }
}

#[test]
fn constants_equal_the_guest_headers() {
    for guest in GUESTS {
        let Some(gcc) = compiler(guest) else { continue };
        let abi = abi(guest).expect("known guest");
        let mut c = String::from(
            "#include <asm/fcntl.h>\n#include <asm/signal.h>\n#include <linux/prctl.h>\n#include <linux/fcntl.h>\n",
        );
        let mut check = |name: &str, value: u64| {
            let _ = writeln!(
                c,
                "#ifdef {name}\n_Static_assert((unsigned){name} == {value}u, \"{name}\");\n#endif"
            );
        };
        for (name, host) in [
            ("O_CREAT", libc::O_CREAT),
            ("O_EXCL", libc::O_EXCL),
            ("O_TRUNC", libc::O_TRUNC),
            ("O_APPEND", libc::O_APPEND),
            ("O_NONBLOCK", libc::O_NONBLOCK),
            ("O_DIRECT", libc::O_DIRECT),
            ("O_LARGEFILE", 0o100000),
            ("O_DIRECTORY", libc::O_DIRECTORY),
            ("O_NOFOLLOW", libc::O_NOFOLLOW),
            ("O_NOATIME", libc::O_NOATIME),
            ("O_CLOEXEC", libc::O_CLOEXEC),
            ("O_SYNC", libc::O_SYNC),
            ("O_DSYNC", libc::O_DSYNC),
            ("O_PATH", libc::O_PATH),
            ("O_TMPFILE", libc::O_TMPFILE),
            ("FASYNC", libc::O_ASYNC),
        ] {
            check(name, abi.open_flags_to_guest(host as u32).into());
            assert_eq!(abi.open_flags_to_host(abi.open_flags_to_guest(host as u32)), host as u32);
        }
        for row in fcntls::ALL {
            check(row.name, row.cmd.into());
        }
        for row in prctls::ALL {
            check(row.name, row.op.into());
        }
        check("MINSIGSTKSZ", abi.min_sigstack);
        check("SA_RESTART", libc::SA_RESTART as u64);
        check("SA_ONSTACK", libc::SA_ONSTACK as u64);
        let size = if abi.sa_restorer { 32 } else { 24 };
        let mask = size - 8;
        let _ = writeln!(c, "_Static_assert(sizeof(struct sigaction) == {size}, \"sigaction\");");
        let _ = writeln!(
            c,
            "_Static_assert(__builtin_offsetof(struct sigaction, sa_mask) == {mask}, \"sa_mask\");"
        );
        assert_compiles(&gcc, &c);
    }
}

#[test]
fn ioctl_requests_equal_the_guest_headers() {
    const HEADERS: &str = "sys/ioctl.h linux/sockios.h asm/sockios.h linux/fs.h linux/fiemap.h linux/msdos_fs.h linux/fscrypt.h linux/fsverity.h \
        linux/blkpg.h linux/blkzoned.h linux/hdreg.h linux/cdrom.h linux/loop.h scsi/sg.h linux/kd.h linux/vt.h linux/userfaultfd.h linux/nsfs.h \
        linux/random.h linux/if_tun.h";
    for guest in GUESTS {
        let Some(gcc) = compiler(guest) else { continue };
        let mut c = String::new();
        for h in HEADERS.split_whitespace() {
            let _ = writeln!(c, "#include <{h}>");
        }
        for row in ioctls::ALL {
            // The termios2 requests need a header that clashes with the C library's.
            if !row.name.ends_with("S2") && !["TCSETSW2", "TCSETSF2"].contains(&row.name) {
                let _ = writeln!(
                    c,
                    "#ifdef {0}\n_Static_assert((unsigned){0} == {1:#x}, \"{0}\");\n#endif",
                    row.name, row.request
                );
            }
        }
        assert_compiles(&gcc, &c);
        let termios2: String = ioctls::ALL
            .iter()
            .filter(|r| r.name.ends_with("S2") || r.name.ends_with("W2") || r.name.ends_with("F2"))
            .map(|r| {
                format!("_Static_assert((unsigned){0} == {1:#x}, \"{0}\");\n", r.name, r.request)
            })
            .collect();
        assert_compiles(
            &gcc,
            &format!("#include <asm/termbits.h>\n#include <asm/ioctls.h>\n{termios2}"),
        );
    }
}

/// `__NR_` names and values of the guest's kernel headers.
fn header_numbers(gcc: &str) -> Vec<(String, u64)> {
    let (ok, macros) = compile(gcc, &["-E", "-dM"], "#include <asm/unistd.h>\n");
    assert!(ok, "{macros}");
    let names: Vec<&str> = macros
        .lines()
        .filter_map(|l| l.strip_prefix("#define __NR_")?.split_whitespace().next())
        .filter(|n| !["syscalls", "arch_specific_syscall"].contains(n))
        .collect();
    let mut c = String::from("#include <asm/unistd.h>\n");
    for n in &names {
        let _ = writeln!(c, "NUMBER {n}= __NR_{n}");
    }
    let (ok, text) = compile(gcc, &["-E", "-P"], &c);
    assert!(ok, "{text}");
    let sum = |v: &str| -> Option<u64> {
        v.trim_matches(['(', ')', ' ']).split('+').map(|t| t.trim().parse::<u64>().ok()).sum()
    };
    text.lines()
        .filter_map(|l| l.strip_prefix("NUMBER ")?.split_once('='))
        .filter_map(|(n, v)| Some((n.to_string(), sum(v)?)))
        .collect()
}

#[test]
fn numbers_equal_the_guest_headers() {
    for guest in GUESTS {
        let Some(gcc) = compiler(guest) else { continue };
        let abi: &Abi = abi(guest).expect("known guest");
        let header = header_numbers(&gcc);
        assert!(header.len() > 290, "only {} numbers in the header", header.len());
        for (name, nr) in &header {
            let row = abi.call(*nr).unwrap_or_else(|| panic!("{guest}: no row for {nr} {name}"));
            assert_eq!(row.name, name, "{guest} number {nr}");
        }
        // The other way round: a row that the header lacks must be newer than the header.
        let newest = header.iter().map(|h| h.1).max().unwrap_or(0);
        for (nr, row) in abi.calls.iter().enumerate().filter_map(|(n, c)| Some((n as u64, (*c)?))) {
            let known =
                header.iter().any(|h| h.1 == nr) || nr > newest || row.name == "riscv_hwprobe";
            assert!(known, "{guest}: {nr} {} is not in the header", row.name);
        }
    }
}

#[test]
fn newer_numbers_equal_the_hosts() {
    // Since Linux 5.1 new calls get one number on all processors.
    for guest in GUESTS {
        let abi = abi(guest).expect("known guest");
        for (nr, row) in abi
            .calls
            .iter()
            .enumerate()
            .filter_map(|(n, c)| Some((n, (*c)?)))
            .filter(|(n, _)| *n >= 424)
        {
            if let remu_syscalls::table::Policy::Forward(host) = row.policy {
                assert_eq!(usize::from(host), nr, "{}", row.name);
            }
        }
    }
}
