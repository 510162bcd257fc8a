//! The system's identity, and calls of one processor.

use crate::context::Context;
use crate::structs::HwprobePair;
use crate::table::kinds;
use crate::{Errno, Plain, SysResult, host};

/// Bytes of each field of `struct utsname`.
const FIELD: usize = 65;

/// uname(2): the guest's machine, and the release of `-r`.
pub(crate) fn uname(cx: &mut Context<'_>, buf: kinds::Out) -> SysResult<u64> {
    let mut raw = host::uname()?;
    if let Some(release) = cx.process.uname_release() {
        put_field(&mut raw[2 * FIELD..3 * FIELD], release.to_bytes());
    }
    put_field(&mut raw[4 * FIELD..5 * FIELD], cx.abi.machine.as_bytes());
    cx.mem().write_bytes(buf.0, &raw)?;
    Ok(0)
}

fn put_field(field: &mut [u8], text: &[u8]) {
    let n = text.len().min(FIELD - 1);
    field.fill(0);
    field[..n].copy_from_slice(&text[..n]);
}

/// getcpu(2): what programs ask often, the processor alone, without entering the kernel. Where the
/// thread's storage is lent, what the C library knows there is about the lender.
pub(crate) fn getcpu(
    cx: &mut Context<'_>,
    cpu: kinds::Out,
    node: kinds::Out,
    cache: kinds::Addr,
) -> SysResult<u64> {
    match host::cpu() {
        Some(n) if node.0 == 0 && !crate::uring::is_lent() => {
            cx.mem().write_opt(cpu.0, &n).map(|()| 0)
        }
        _ => cx.host(libc::SYS_getcpu, [cpu.0, node.0, cache.0, 0, 0, 0]),
    }
}

/// riscv_hwprobe(2) (Documentation/arch/riscv/hwprobe.rst): all processors are alike.
pub(crate) fn riscv_hwprobe(
    cx: &mut Context<'_>,
    pairs: kinds::InOut,
    n: kinds::Size,
    cpu_size: kinds::Size,
    cpus: kinds::Addr,
    flags: kinds::Hex,
) -> SysResult<u64> {
    const WHICH_CPUS: u64 = 1;
    // Without a set the count must be zero, and the reverse; asking which processors have a value is refused.
    if flags.0 & !WHICH_CPUS != 0 || (cpus.0 == 0) != (cpu_size.0 == 0) {
        return Err(Errno::EINVAL);
    }
    if flags.0 & WHICH_CPUS != 0 {
        return Err(Errno::EINVAL);
    }
    if cpus.0 != 0 {
        let mut set = vec![0u8; cpu_size.0.min(1024) as usize];
        cx.mem().read_bytes(cpus.0, &mut set)?;
        if set.iter().all(|&b| b == 0) {
            return Err(Errno::EINVAL);
        }
    }
    for i in 0..n.0 {
        let at = pairs.0.wrapping_add(i.wrapping_mul(HwprobePair::SIZE as u64));
        let asked: HwprobePair = cx.mem().read(at)?;
        let answer = match cx.process.hwprobe(asked.key) {
            Some(value) => HwprobePair { key: asked.key, value },
            None => HwprobePair { key: -1, value: 0 },
        };
        cx.mem().write(at, &answer)?;
    }
    Ok(0)
}

/// riscv_flush_icache(2): flag 1 limits it to this thread, which is never wrong to exceed.
pub(crate) fn riscv_flush_icache(
    cx: &mut Context<'_>,
    start: kinds::Addr,
    end: kinds::Addr,
    flags: kinds::Hex,
) -> SysResult<u64> {
    if flags.0 & !1 != 0 {
        return Err(Errno::EINVAL);
    }
    cx.process.flush_icache(start.0, end.0);
    Ok(0)
}
