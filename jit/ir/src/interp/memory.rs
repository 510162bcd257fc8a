//! Guest memory as the interpreter sees it.

/// An access that could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Guest address.
    pub addr: u64,
    /// The access was a write.
    pub write: bool,
    /// The address was not aligned to the access; else nothing is there, or
    /// not with the rights needed.
    pub misaligned: bool,
}

/// Guest memory. Values are little-endian, in the low `size` bytes (1, 2, 4,
/// 8 or 16), the rest zero.
pub trait Memory {
    /// Reads.
    ///
    /// # Errors
    /// A fault, with nothing read.
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault>;
    /// Writes.
    ///
    /// # Errors
    /// A fault, with nothing written.
    fn store(&mut self, addr: u64, size: u32, v: u128) -> Result<(), Fault>;
    /// Writes `new` if the old value is `expect`, in one step; the old value.
    ///
    /// # Errors
    /// A fault, with nothing written.
    fn cas(&mut self, addr: u64, size: u32, expect: u128, new: u128) -> Result<u128, Fault>;
    /// Replaces the old value by `f` of it, in one step; the old value.
    ///
    /// # Errors
    /// A fault, with nothing written.
    fn rmw(
        &mut self,
        addr: u64,
        size: u32,
        f: &mut dyn FnMut(u128) -> u128,
    ) -> Result<u128, Fault> {
        let mut old = self.load(addr, size)?;
        loop {
            match self.cas(addr, size, old, f(old))? {
                seen if seen == old => return Ok(old),
                seen => old = seen,
            }
        }
    }
}

/// One stretch of memory that nobody shares.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatMemory {
    /// Guest address of the first byte.
    pub base: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl FlatMemory {
    /// `size` bytes of zero at `base`.
    pub fn new(base: u64, size: usize) -> FlatMemory {
        FlatMemory { base, bytes: vec![0; size] }
    }
    fn at(&mut self, addr: u64, size: u32, write: bool) -> Result<&mut [u8], Fault> {
        let fault = Fault { addr, write, misaligned: false };
        let start = usize::try_from(addr.wrapping_sub(self.base)).map_err(|_| fault)?;
        let end = start.checked_add(size as usize).ok_or(fault)?;
        self.bytes.get_mut(start..end).ok_or(fault)
    }
}

impl Memory for FlatMemory {
    fn load(&mut self, addr: u64, size: u32) -> Result<u128, Fault> {
        let mut v = [0; 16];
        v[..size as usize].copy_from_slice(self.at(addr, size, false)?);
        Ok(u128::from_le_bytes(v))
    }
    fn store(&mut self, addr: u64, size: u32, v: u128) -> Result<(), Fault> {
        let to = self.at(addr, size, true)?;
        to.copy_from_slice(&v.to_le_bytes()[..size as usize]);
        Ok(())
    }
    fn cas(&mut self, addr: u64, size: u32, expect: u128, new: u128) -> Result<u128, Fault> {
        self.at(addr, size, true)?;
        let old = self.load(addr, size)?;
        if old == expect {
            self.store(addr, size, new)?;
        }
        Ok(old)
    }
}
