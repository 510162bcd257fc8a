//! strace text: goldens of typical calls, and every row with hostile arguments. `BLESS=1` rewrites.

mod common;

use std::path::Path;

use common::{Guest, Mock};
use remu_syscalls::table::calls;
use remu_syscalls::{GuestMemory, abi, strace::call_text};

/// Guest memory the calls of the golden file point into: offset and content.
fn fill(g: &Guest) {
    g.put(0x000, b"/etc/passwd\0");
    g.put(0x020, b"/no/\"such\"\n\x01file\0");
    g.put(0x040, b"hello, world\n\0");
    g.put(0x060, &[b'x'; 100]);
    // timespec, sigset, rlimit
    g.put(0x100, [1u64, 500].map(u64::to_le_bytes).as_flattened());
    g.put(0x110, &((1u64 << 1) | (1 << 14) | (1 << 33)).to_le_bytes());
    g.put(0x120, [1024u64, u64::MAX].map(u64::to_le_bytes).as_flattened());
    // sockaddr_in 127.0.0.1:8080, sockaddr_un
    g.put(0x140, &[2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    g.put(0x160, b"\x01\0/run/socket\0");
    // pollfd, epoll_event, sigaction
    g.put(0x180, &[3, 0, 0, 0, 5, 0, 0, 0]);
    g.put(0x190, &[1, 0, 0, 0x80, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    g.put(0x1a0, [1u64, 0x1000_0004, 0, 0].map(u64::to_le_bytes).as_flattened());
    // argv
    g.put(0x200, [g.base, g.base + 0x40, 0].map(u64::to_le_bytes).as_flattened());
    g.put(0x220, &16u32.to_le_bytes());
}

/// Lines `abi call arguments` with `@offset` for addresses in the guest memory above.
#[test]
fn text_of_typical_calls_equals_the_golden_file() {
    let g = Guest::new(0x30_0000_0000, 1);
    fill(&g);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strace.golden");
    let golden = std::fs::read_to_string(&path).expect("golden file");
    let mut made = String::new();
    for line in golden.lines() {
        let Some((question, _)) = line.split_once(" => ") else {
            made.push_str(line);
            made.push('\n');
            continue;
        };
        let mut words = question.split_whitespace();
        let abi = abi(words.next().expect("abi")).expect("known abi");
        let name = words.next().expect("call");
        let mut args = [0; 6];
        for (slot, word) in args.iter_mut().zip(words) {
            *slot = number(word, g.base);
        }
        let call = abi.calls.iter().flatten().find(|c| c.name == name).expect("known call");
        made.push_str(&format!(
            "{question} => {}\n",
            call_text(GuestMemory::default(), abi, call, &args)
        ));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, made).expect("writable");
    } else {
        assert_eq!(made, golden, "BLESS=1 rewrites");
    }
}

fn number(word: &str, base: u64) -> u64 {
    if let Some(offset) = word.strip_prefix('@') {
        return base + u64::from_str_radix(offset, 16).expect("hex offset");
    }
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).expect("hex");
    }
    word.parse::<i64>().expect("number") as u64
}

#[test]
fn every_row_prints_any_arguments() {
    let g = Guest::new(0x31_0000_0000, 1);
    fill(&g);
    let hostile = [
        0,
        1,
        u64::MAX,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        g.base,
        g.end() - 1,
        g.end(),
        1 << 47,
        0x5401,
        0xdead_beef,
    ];
    let mut x = 88_172_645_463_325_252u64;
    for call in calls::ALL {
        assert!(call.args.len() <= 6, "{}", call.name);
        for name in ["riscv64", "aarch64"] {
            for round in 0..200 {
                let args = [0; 6].map(|_: u64| {
                    x ^= x << 13;
                    x ^= x >> 7;
                    x ^= x << 17;
                    if round < 150 { hostile[(x >> 33) as usize % hostile.len()] } else { x }
                });
                let text =
                    call_text(GuestMemory::default(), abi(name).expect("known"), call, &args);
                assert!(
                    text.starts_with(&format!("{}(", call.name)) && text.ends_with(')'),
                    "{text}"
                );
                assert!(!text.contains('\n'), "{text}");
            }
        }
        for arg in call.args.iter().filter(|a| {
            ["OutBuf", "InBuf", "InVec", "OutVec", "Sockaddr", "SockOpt"].contains(&a.kind.name)
        }) {
            assert!(
                call.args.iter().any(|a| a.name == arg.param),
                "{}: {} names no argument",
                call.name,
                arg.name
            );
        }
    }
}

#[test]
fn lines_have_the_form_of_qemu() {
    let g = Guest::new(0x32_0000_0000, 1);
    fill(&g);
    let mut m = Mock { strace: Some(String::new()), ..Mock::default() };
    let riscv = abi("riscv64").expect("known");
    m.call(riscv, "faccessat", &[libc::AT_FDCWD as u64, g.base + 0x20, 4]);
    m.call(riscv, "getppid", &[]);
    m.call(riscv, "brk", &[0x1000]);
    m.call(riscv, "nfsservctl", &[1, 0]);
    m.call(riscv, "exit_group", &[3]);
    remu_syscalls::dispatch(&mut m, riscv, 5000, [1, 2, 3, 4, 5, 6]);
    let text = m.strace.take().expect("traced");
    let tid = common::gettid();
    let parent = std::os::unix::process::parent_id();
    assert_eq!(
        text,
        format!(
            "{tid} faccessat(AT_FDCWD,\"/no/\\\"such\\\"\\n\\001file\",R_OK) = -1 errno=2 (No such file or directory)\n\
             {tid} getppid() = {parent}\n\
             {tid} brk(0x0000000000001000) = 0x0000000000001000\n\
             {tid} nfsservctl(1,NULL,NULL) = -1 errno=38 (Function not implemented)\n\
             {tid} exit_group(3)\n\
             {tid} syscall_5000(0x1,0x2,0x3,0x4,0x5,0x6) = -1 errno=38 (Function not implemented)\n"
        )
    );
}
