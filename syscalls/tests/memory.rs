//! Copies that meet unmapped pages give errors, never a dead process.

mod common;

use common::Guest;
use remu_syscalls::{Errno, GuestMemory};

const MEM: GuestMemory = GuestMemory { base: 0 };

#[test]
fn copies_across_the_end_of_memory_fail_cleanly() {
    let guest = Guest::new(0x10_0000_0000, 2);
    let end = guest.end();
    for len in 1..=300u64 {
        for over in [0, 1, len / 2, len] {
            let at = end - len + over;
            let mut buf = vec![0; len as usize];
            let expected = if over == 0 { Ok(()) } else { Err(Errno::EFAULT) };
            assert_eq!(
                MEM.read_bytes(at, &mut buf),
                expected,
                "read {len} bytes, {over} beyond the end"
            );
            assert_eq!(
                MEM.write_bytes(at, &buf),
                expected,
                "write {len} bytes, {over} beyond the end"
            );
        }
    }
}

#[test]
fn addresses_that_cannot_exist_give_efault() {
    let _guest = Guest::new(0x10_1000_0000, 1);
    for addr in [0, 1, 0xfff, 0x8000_0000_0000, u64::MAX, u64::MAX - 7, 0xffff_8000_0000_0000] {
        assert_eq!(MEM.read::<u64>(addr), Err(Errno::EFAULT), "{addr:#x}");
        assert_eq!(MEM.write(addr, &1u32), Err(Errno::EFAULT), "{addr:#x}");
        assert_eq!(MEM.read_cstr(addr, 100), Err(Errno::EFAULT), "{addr:#x}");
        assert_eq!(MEM.load64(addr), Err(Errno::EFAULT), "{addr:#x}");
        assert_eq!(MEM.cas32(addr, 0, 1), Err(Errno::EFAULT), "{addr:#x}");
    }
}

#[test]
fn strings_end_at_zero_at_the_limit_or_at_a_fault() {
    let guest = Guest::new(0x10_2000_0000, 1);
    let at = guest.put(4096 - 6, b"hello\0");
    assert_eq!(MEM.read_cstr(at, 4096), Ok(b"hello".to_vec()));
    assert_eq!(MEM.read_cstr(at, 6), Ok(b"hello".to_vec()));
    assert_eq!(MEM.read_cstr(at, 5), Err(Errno::ENAMETOOLONG));
    guest.put(4096 - 1, b"!");
    assert_eq!(MEM.read_cstr(at, 4096), Err(Errno::EFAULT));
}

#[test]
fn compare_and_exchange_changes_only_the_expected_value() {
    let guest = Guest::new(0x10_3000_0000, 1);
    guest.put(0, &7u32.to_le_bytes());
    assert_eq!(MEM.cas32(guest.base, 8, 9), Ok(7));
    assert_eq!(guest.u32(0), 7);
    assert_eq!(MEM.cas32(guest.base, 7, 9), Ok(7));
    assert_eq!(guest.u32(0), 9);
    assert_eq!(MEM.load64(guest.base), Ok(9));
}

#[test]
fn many_threads_fault_at_once() {
    let guest = Guest::new(0x10_4000_0000, 16);
    let (base, end) = (guest.base, guest.end());
    std::thread::scope(|s| {
        for seed in 1..=4u64 {
            s.spawn(move || {
                let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mut buf = vec![0; 9000];
                let mut faults = 0;
                for _ in 0..20_000 {
                    // xorshift64
                    x ^= x << 13;
                    x ^= x >> 7;
                    x ^= x << 17;
                    let len = x % 9000;
                    let at = base + (x >> 20) % (end - base + 4096);
                    let inside = at + len <= end || len == 0;
                    let got = if x & 1 == 0 {
                        MEM.read_bytes(at, &mut buf[..len as usize])
                    } else {
                        MEM.write_bytes(at, &buf[..len as usize])
                    };
                    assert_eq!(got.is_ok(), inside, "{len} bytes at {at:#x}");
                    faults += usize::from(!inside);
                }
                assert!(faults > 100, "the walk met only {faults} faults");
            });
        }
    });
}
