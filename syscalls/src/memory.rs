//! Raw access to guest memory. No Rust reference to it is ever formed: other guest threads write it.

use crate::{Errno, SysResult, raw};

/// The guest's address space as this process sees it: host address = `base` + guest address.
///
/// 64-bit guests are mapped one to one (`base` 0).
#[derive(Clone, Copy, Debug, Default)]
pub struct GuestMemory {
    /// Added to a guest address to form the host address.
    pub base: u64,
}

/// A type whose every bit pattern is valid and that has no padding: it may be filled from and
/// copied to guest memory byte by byte. Implemented by [`crate::guest_struct!`] and the integers.
pub trait Plain: Copy + Default {
    /// Size in the guest, in bytes.
    const SIZE: usize;
    /// Reads the value from its little-endian bytes; `bytes` is at least `SIZE` long.
    fn load(bytes: &[u8]) -> Self;
    /// Writes the little-endian bytes of the value; `bytes` is at least `SIZE` long.
    fn store(&self, bytes: &mut [u8]);
}

/// Longest value that [`GuestMemory::read`] and [`GuestMemory::write`] move, in bytes.
pub const MAX_PLAIN: usize = 256;

impl GuestMemory {
    /// Host address of a guest address. The memory there may be unmapped.
    pub fn host(self, addr: u64) -> u64 {
        self.base.wrapping_add(addr)
    }

    /// Fills `out` from guest memory; `EFAULT` when any byte is unreadable.
    pub fn read_bytes(self, addr: u64, out: &mut [u8]) -> SysResult<()> {
        if raw::copy_in(out, self.host(addr)) { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Copies `bytes` to guest memory; `EFAULT` when any byte is not writable.
    pub fn write_bytes(self, addr: u64, bytes: &[u8]) -> SysResult<()> {
        if raw::copy_out(self.host(addr), bytes) { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Reads one value.
    pub fn read<T: Plain>(self, addr: u64) -> SysResult<T> {
        const { assert!(T::SIZE <= MAX_PLAIN) };
        let mut buf = [0; MAX_PLAIN];
        self.read_bytes(addr, &mut buf[..T::SIZE])?;
        Ok(T::load(&buf[..T::SIZE]))
    }

    /// Writes one value.
    pub fn write<T: Plain>(self, addr: u64, value: &T) -> SysResult<()> {
        const { assert!(T::SIZE <= MAX_PLAIN) };
        let mut buf = [0; MAX_PLAIN];
        value.store(&mut buf[..T::SIZE]);
        self.write_bytes(addr, &buf[..T::SIZE])
    }

    /// Reads one value, or `None` for a null pointer.
    pub fn read_opt<T: Plain>(self, addr: u64) -> SysResult<Option<T>> {
        if addr == 0 { Ok(None) } else { self.read(addr).map(Some) }
    }

    /// Writes one value unless the pointer is null.
    pub fn write_opt<T: Plain>(self, addr: u64, value: &T) -> SysResult<()> {
        if addr == 0 { Ok(()) } else { self.write(addr, value) }
    }

    /// Reads a C string of at most `max` bytes without its end; `EFAULT`, or `ENAMETOOLONG` when
    /// no end was found.
    pub fn read_cstr(self, addr: u64, max: usize) -> SysResult<Vec<u8>> {
        let host = self.host(addr);
        let len = raw::strnlen(host, max as u64).ok_or(Errno::EFAULT)? as usize;
        if len == max {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut out = vec![0; len];
        self.read_bytes(addr, &mut out)?;
        // Another guest thread may have shortened the string since its length was taken.
        if let Some(end) = out.iter().position(|&b| b == 0) {
            out.truncate(end);
        }
        Ok(out)
    }

    /// One 64-bit load that is not torn; for pointers other threads may write.
    pub fn load64(self, addr: u64) -> SysResult<u64> {
        raw::load64(self.host(addr)).ok_or(Errno::EFAULT)
    }

    /// Atomic compare and exchange of a futex word; gives the previous value.
    pub fn cas32(self, addr: u64, old: u32, new: u32) -> SysResult<u32> {
        raw::cas32(self.host(addr), old, new).ok_or(Errno::EFAULT)
    }
}

macro_rules! plain_int {
    ($($t:ty)*) => { $(
        impl Plain for $t {
            const SIZE: usize = size_of::<$t>();
            fn load(bytes: &[u8]) -> Self {
                let mut b = [0; size_of::<$t>()];
                b.copy_from_slice(&bytes[..Self::SIZE]);
                <$t>::from_le_bytes(b)
            }
            fn store(&self, bytes: &mut [u8]) { bytes[..Self::SIZE].copy_from_slice(&self.to_le_bytes()); }
        }
    )* };
}
plain_int! { u8 i8 u16 i16 u32 i32 u64 i64 }

impl<T: Plain, const N: usize> Plain for [T; N]
where
    [T; N]: Default,
{
    const SIZE: usize = T::SIZE * N;
    fn load(bytes: &[u8]) -> Self {
        let mut out = Self::default();
        for (i, v) in out.iter_mut().enumerate() {
            *v = T::load(&bytes[i * T::SIZE..]);
        }
        out
    }
    fn store(&self, bytes: &mut [u8]) {
        for (i, v) in self.iter().enumerate() {
            v.store(&mut bytes[i * T::SIZE..]);
        }
    }
}
