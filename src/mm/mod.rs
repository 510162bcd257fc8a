//! The guest's address space: guest addresses are host addresses.
//!
//! The host kernel picks addresses where the guest leaves the choice, so guest mappings and the
//! runner's own never meet. Where the guest insists on an address, pages it does not own yet are
//! first taken with `MAP_FIXED_NOREPLACE`: the runner's own memory can never be replaced.
//!
//! No guest page is executable on the host. Guest code is data to the translator, so `PROT_EXEC`
//! exists in the [`Table`] only.

mod host;
mod modules;
mod shown;
mod table;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use remu_engine::Module;
use remu_syscalls::{Errno, GuestMemory, MmapArgs, SysResult};

use modules::Modules;
pub(crate) use modules::identity;
pub(crate) use shown::View;
pub use table::{Area, Table};

/// Bytes of a page, guest and host.
pub const PAGE: u64 = 4096;
const READ: u64 = libc::PROT_READ as u64;
const WRITE: u64 = libc::PROT_WRITE as u64;
const EXEC: u64 = libc::PROT_EXEC as u64;
/// Applies the change down to the start of a stack mapping (mprotect(2)).
const PROT_GROWSDOWN: u64 = 0x0100_0000;

/// `addr` rounded up to a page, or `None` past the end.
pub fn page_up(addr: u64) -> Option<u64> {
    addr.checked_add(PAGE - 1).map(page_down)
}

/// `addr` rounded down to a page.
pub fn page_down(addr: u64) -> u64 {
    addr & !(PAGE - 1)
}

/// Guest code in this range may have changed: its translations must go.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale(pub Option<(u64, u64)>);

#[derive(Debug, Default)]
struct Inner {
    table: Table,
    brk_start: u64,
    brk: u64,
    modules: Modules,
    /// Attached System V segments: address and bytes.
    shm: BTreeMap<u64, u64>,
}

/// The address space of one guest process.
#[derive(Debug, Default)]
pub struct AddressSpace {
    inner: RwLock<Inner>,
}

/// Keeps every other thread from changing the address space, around fork(2).
pub struct Held<'a>(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, Inner>);

impl AddressSpace {
    /// Nothing mapped.
    pub fn new() -> AddressSpace {
        AddressSpace::default()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the address space.
    pub fn hold(&self) -> Held<'_> {
        Held(self.write())
    }

    /// The mapped areas inside `[start, end)`.
    pub fn areas(&self, start: u64, end: u64) -> Vec<Area> {
        self.read().table.within(start, end)
    }

    /// Everything, as it is shown in `/proc`.
    pub(crate) fn view(&self) -> View {
        let inner = self.read();
        inner.table.writer().view(inner.table.within(0, u64::MAX))
    }

    /// Says where the main thread's stack begins and ends and an address in the vdso; where other
    /// processes find [`AddressSpace::view`].
    pub(crate) fn show(&self, stack: (u64, u64), vdso: u64) -> u64 {
        let inner = self.read();
        inner.table.writer().stack_and_vdso(stack, vdso);
        inner.table.writer().address()
    }

    /// The area around an address.
    pub fn area_at(&self, addr: u64) -> Option<Area> {
        self.read().table.at(addr)
    }

    /// Copies executable bytes at `addr`; how many there were. Breakpoints of a debugger outside are
    /// in them, not in memory.
    pub fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let inner = self.read();
        let mut have = 0;
        for a in inner.table.within(addr, addr.saturating_add(buf.len() as u64)) {
            if !a.executable() || a.start != addr + have as u64 {
                break;
            }
            let part = &mut buf[have..have + (a.end - a.start) as usize];
            if GuestMemory::default().read_bytes(a.start, part).is_err() {
                break;
            }
            have += part.len();
        }
        crate::trace::POINTS.lay_over(addr, &mut buf[..have]);
        have
    }

    /// The file that code at `addr` is mapped from, as far as nobody can write to it there.
    pub fn module(&self, addr: u64) -> Option<Module> {
        let inner = self.read();
        let area = inner.table.at(addr).filter(|a| u64::from(a.prot) & (EXEC | WRITE) == EXEC)?;
        let m = inner.modules.at(addr)?;
        let start = m.start.max(area.start);
        let offset = m.offset + (start - m.start);
        Some(Module { start, end: m.end.min(area.end), offset, ..m })
    }

    /// Somebody else wrote here past the page tables: it is no longer what its file holds.
    pub fn written(&self, start: u64, end: u64) {
        let end = page_up(end).unwrap_or(u64::MAX);
        self.write().modules.remove(page_down(start), end);
    }

    /// mmap(2).
    pub fn mmap(&self, a: MmapArgs) -> SysResult<(u64, Stale)> {
        let len = page_up(a.len).filter(|&l| l != 0).ok_or(if a.len == 0 {
            Errno::EINVAL
        } else {
            Errno::ENOMEM
        })?;
        let flags = a.flags as i32 & !(libc::MAP_32BIT | libc::MAP_GROWSDOWN);
        let fixed = flags & libc::MAP_FIXED != 0 && flags & libc::MAP_FIXED_NOREPLACE == 0;
        let mut inner = self.write();
        let taken = if fixed { inner.take(a.addr, len)? } else { Vec::new() };
        let done = host::mmap(a.addr, len, host_prot(a.prot), flags, a.fd, a.offset);
        let Ok(at) = done else {
            for (s, e) in taken {
                host::munmap(s, e - s)?;
            }
            return done.map(|at| (at, Stale(None)));
        };
        let stale = inner.replaced(at, at + len);
        inner.table.insert(at, at + len, guest_prot(a.prot));
        let kind = flags & (libc::MAP_TYPE | libc::MAP_ANONYMOUS);
        if a.prot & (EXEC | WRITE) == EXEC && kind == libc::MAP_PRIVATE {
            host::with_fd(a.fd, |fd| inner.modules.insert(at, at + len, fd, a.offset));
        }
        Ok((at, stale))
    }

    /// munmap(2). Only pages of the guest go.
    pub fn munmap(&self, addr: u64, len: u64) -> SysResult<Stale> {
        let end = range_end(addr, len)?;
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.write();
        let stale = inner.replaced(addr, end);
        for a in inner.table.within(addr, end) {
            host::munmap(a.start, a.end - a.start)?;
            inner.table.remove(a.start, a.end);
        }
        Ok(stale)
    }

    /// mprotect(2): applies up to the first gap, as the kernel does.
    pub fn mprotect(&self, addr: u64, len: u64, prot: u64) -> SysResult<Stale> {
        let end = range_end(addr, len)?;
        let mut inner = self.write();
        let mut start = addr;
        if prot & PROT_GROWSDOWN != 0 {
            start = inner.table.at(addr).ok_or(Errno::ENOMEM)?.start;
        }
        let run = inner.table.run(start, end);
        let stale = inner.stale(start, run);
        if run > start {
            host::mprotect(start, run - start, host_prot(prot))?;
            inner.table.insert(start, run, guest_prot(prot));
        }
        if run < end { Err(Errno::ENOMEM) } else { Ok(stale) }
    }

    /// mremap(2). The new address and what became stale.
    pub fn mremap(
        &self,
        old: u64,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new: u64,
    ) -> SysResult<(u64, Stale)> {
        let f = flags as i32;
        let fixed = f & libc::MREMAP_FIXED != 0;
        let old_end = range_end(old, old_len)?;
        let size = page_up(new_len).filter(|&l| l != 0).ok_or(Errno::EINVAL)?;
        let mut inner = self.write();
        let area = inner.table.at(old).ok_or(Errno::EFAULT)?;
        if inner.table.run(old, old_end) < old_end {
            return Err(Errno::EFAULT);
        }
        let to = new..new.checked_add(size).ok_or(Errno::EINVAL)?;
        if fixed && to.start < old_end && old < to.end {
            return Err(Errno::EINVAL);
        }
        let taken = if fixed { inner.take(new, size)? } else { Vec::new() };
        let done = host::mremap(old, old_len, new_len, flags, new);
        let Ok(at) = done else {
            for (s, e) in taken {
                host::munmap(s, e - s)?;
            }
            return done.map(|at| (at, Stale(None)));
        };
        let mut stale = inner.replaced(old, old_end);
        if stale.0.is_none() {
            stale = inner.replaced(at, at + size);
        } else if at != old {
            // Both places may hold translated code; one range is reported, so it spans them.
            let (s, e) = (old.min(at), old_end.max(at + size));
            stale = Stale(Some((s, e)));
        }
        if f & libc::MREMAP_DONTUNMAP == 0 {
            inner.table.remove(old, old_end);
        }
        inner.table.insert(at, at + size, area.prot);
        Ok((at, stale))
    }

    /// Where the heap begins; called once by the loader.
    pub fn set_brk(&self, start: u64) {
        let mut inner = self.write();
        inner.brk_start = start;
        inner.table.writer().heap(start);
        inner.brk = start;
    }

    /// Where the heap begins and ends.
    pub fn brk_range(&self) -> (u64, u64) {
        let inner = self.read();
        (inner.brk_start, inner.brk)
    }

    /// brk(2): the new break, or the old one when it cannot move.
    pub fn brk(&self, addr: u64) -> u64 {
        let mut inner = self.write();
        let (Some(have), Some(want)) = (page_up(inner.brk), page_up(addr)) else {
            return inner.brk;
        };
        if addr < inner.brk_start {
            return inner.brk;
        }
        if want > have {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
            match host::mmap(have, want - have, READ | WRITE, flags, -1, 0) {
                Ok(at) if at == have => {}
                Ok(at) => {
                    // A kernel without MAP_FIXED_NOREPLACE took the address as a hint.
                    let _ = host::munmap(at, want - have);
                    return inner.brk;
                }
                Err(_) => return inner.brk,
            }
            inner.table.insert(have, want, (READ | WRITE) as u8);
        } else if want < have {
            if host::munmap(want, have - want).is_err() {
                return inner.brk;
            }
            inner.table.remove(want, have);
        }
        inner.brk = addr;
        addr
    }

    /// madvise(2).
    pub fn madvise(&self, addr: u64, len: u64, advice: u64) -> SysResult<Stale> {
        let end = range_end(addr, len)?;
        let inner = self.write();
        // Advice that drops or replaces content drops code with it.
        const DROPS: [i32; 3] = [libc::MADV_DONTNEED, libc::MADV_FREE, libc::MADV_REMOVE];
        let stale =
            if DROPS.contains(&(advice as i32)) { inner.stale(addr, end) } else { Stale(None) };
        let areas = inner.table.within(addr, end);
        if areas.is_empty() {
            // Lets the kernel judge the advice; a page the guest does not own is never touched.
            host::madvise(addr, 0, advice)?;
        }
        for a in areas {
            host::madvise(a.start, a.end - a.start, advice)?;
        }
        if inner.table.gaps(addr, end).is_empty() { Ok(stale) } else { Err(Errno::ENOMEM) }
    }

    /// mseal(2). The kernel keeps the seals: every change goes through its calls.
    pub fn mseal(&self, addr: u64, len: u64, flags: u64) -> SysResult<u64> {
        let end = range_end(addr, len)?;
        let inner = self.write();
        if inner.table.run(addr, end) < end {
            return Err(Errno::ENOMEM);
        }
        host::mseal(addr, len, flags)
    }

    /// remap_file_pages(2): another part of the same shared file; `prot` must be 0.
    pub fn remap_file_pages(
        &self,
        addr: u64,
        len: u64,
        prot: u64,
        pgoff: u64,
        flags: u64,
    ) -> SysResult<Stale> {
        let (start, len) = (page_down(addr), page_down(len));
        let end = start.checked_add(len).filter(|&e| e > start && prot == 0);
        let end = end.ok_or(Errno::EINVAL)?;
        let mut inner = self.write();
        let area = inner.table.at(start).ok_or(Errno::EINVAL)?;
        if inner.table.run(start, end) < end {
            return Err(Errno::EINVAL);
        }
        host::remap_file_pages(start, len, pgoff, flags)?;
        let stale = inner.replaced(start, end);
        inner.table.insert(start, end, area.prot);
        Ok(stale)
    }

    /// shmat(2).
    pub fn shmat(&self, id: i32, addr: u64, flags: u64) -> SysResult<(u64, Stale)> {
        let size = page_up(host::shm_size(id)?).ok_or(Errno::EINVAL)?;
        let f = flags as i32;
        let mut inner = self.write();
        let mut wanted = addr;
        let mut taken = Vec::new();
        if addr != 0 {
            if f & libc::SHM_RND != 0 {
                wanted = page_down(addr);
            } else if !addr.is_multiple_of(PAGE) {
                return Err(Errno::EINVAL);
            }
            if f & libc::SHM_REMAP != 0 {
                taken = inner.take(wanted, size)?;
            }
        }
        let host_flags = f & !libc::SHM_EXEC;
        let done = host::shmat(id, wanted, host_flags as u64);
        let Ok(at) = done else {
            for (s, e) in taken {
                host::munmap(s, e - s)?;
            }
            return done.map(|at| (at, Stale(None)));
        };
        let mut prot = READ;
        prot |= if f & libc::SHM_RDONLY == 0 { WRITE } else { 0 };
        prot |= if f & libc::SHM_EXEC != 0 { EXEC } else { 0 };
        let stale = inner.replaced(at, at + size);
        inner.table.insert(at, at + size, prot as u8);
        inner.shm.insert(at, size);
        Ok((at, stale))
    }

    /// shmdt(2).
    pub fn shmdt(&self, addr: u64) -> SysResult<Stale> {
        let mut inner = self.write();
        let size = *inner.shm.get(&addr).ok_or(Errno::EINVAL)?;
        host::shmdt(addr)?;
        inner.shm.remove(&addr);
        let stale = inner.stale(addr, addr + size);
        inner.table.remove(addr, addr + size);
        Ok(stale)
    }
}

impl Inner {
    /// Makes `[addr, addr + len)` the guest's so that it may be replaced: the parts that are free
    /// are reserved and returned; where the runner itself lives the guest gets `ENOMEM`.
    fn take(&mut self, addr: u64, len: u64) -> SysResult<Vec<(u64, u64)>> {
        if !addr.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let end = addr.checked_add(len).ok_or(Errno::ENOMEM)?;
        let flags = libc::MAP_PRIVATE
            | libc::MAP_ANONYMOUS
            | libc::MAP_NORESERVE
            | libc::MAP_FIXED_NOREPLACE;
        let mut taken: Vec<(u64, u64)> = Vec::new();
        for (s, e) in self.table.gaps(addr, end) {
            let got = host::mmap(s, e - s, 0, flags, -1, 0);
            if got == Ok(s) {
                taken.push((s, e));
                continue;
            }
            if let Ok(at) = got {
                host::munmap(at, e - s)?;
            }
            for (s, e) in taken {
                host::munmap(s, e - s)?;
            }
            return Err(match got {
                Err(Errno::EPERM) => Errno::EPERM,
                _ => Errno::ENOMEM,
            });
        }
        Ok(taken)
    }

    /// What it makes stale that something else is mapped at `[start, end)`, or nothing.
    fn replaced(&mut self, start: u64, end: u64) -> Stale {
        self.modules.remove(start, end);
        self.stale(start, end)
    }

    /// What a change of `[start, end)` makes stale.
    fn stale(&self, start: u64, end: u64) -> Stale {
        Stale(self.table.any_executable(start, end).then_some((start, end)))
    }
}

/// End of a page-aligned range.
fn range_end(addr: u64, len: u64) -> SysResult<u64> {
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    page_up(len).and_then(|l| addr.checked_add(l)).ok_or(Errno::EINVAL)
}

/// What the host pages get: never execution, and always reading where there is code, because the
/// translator reads it.
fn host_prot(prot: u64) -> u64 {
    let mut p = prot & (READ | WRITE);
    if prot & (EXEC | WRITE) != 0 {
        p |= READ;
    }
    p
}

/// The protection bits the table keeps.
fn guest_prot(prot: u64) -> u8 {
    (prot & (READ | WRITE | EXEC)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anon(addr: u64, len: u64, prot: i32, flags: i32) -> MmapArgs {
        MmapArgs {
            addr,
            len,
            prot: prot as u64,
            flags: (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags) as u64,
            fd: -1,
            offset: 0,
        }
    }

    #[test]
    fn mmap_fixed_over_the_runner_is_refused() {
        let mm = AddressSpace::new();
        let own = vec![7u8; 3 * PAGE as usize];
        let at = page_up(own.as_ptr() as u64).unwrap();
        let got = mm.mmap(anon(at, PAGE, libc::PROT_READ, libc::MAP_FIXED));
        assert_eq!(got, Err(Errno::ENOMEM));
        assert_eq!(mm.munmap(at, PAGE), Ok(Stale(None)));
        assert_eq!(mm.mprotect(at, PAGE, 0), Err(Errno::ENOMEM));
        assert_eq!(mm.mremap(at, PAGE, 2 * PAGE, 1, 0), Err(Errno::EFAULT));
        assert!(own.iter().all(|&b| b == 7));
    }

    #[test]
    fn code_pages_become_stale_when_they_change() {
        let mm = AddressSpace::new();
        let rx = libc::PROT_READ | libc::PROT_EXEC;
        let (at, stale) = mm.mmap(anon(0, 4 * PAGE, rx, 0)).unwrap();
        assert_eq!(stale, Stale(None));
        let mut buf = [1u8; 8];
        assert_eq!(mm.fetch(at + 4 * PAGE - 4, &mut buf), 4);
        let stale = mm.mprotect(at + PAGE, PAGE, 1).unwrap();
        assert_eq!(stale, Stale(Some((at + PAGE, at + 2 * PAGE))));
        assert_eq!(mm.fetch(at + PAGE, &mut buf), 0);
        assert_eq!(mm.munmap(at + PAGE, PAGE), Ok(Stale(None)));
        assert_eq!(mm.munmap(at, 4 * PAGE), Ok(Stale(Some((at, at + 4 * PAGE)))));
    }

    #[test]
    fn brk_grows_shrinks_and_stops_at_a_mapping() {
        let mm = AddressSpace::new();
        let (at, _) = mm.mmap(anon(0, 16 * PAGE, 0, 0)).unwrap();
        assert_eq!(mm.munmap(at, 8 * PAGE), Ok(Stale(None)));
        mm.set_brk(at);
        assert_eq!(mm.brk(0), at);
        assert_eq!(mm.brk(at + 100), at + 100);
        assert_eq!(mm.brk(at + 2 * PAGE), at + 2 * PAGE);
        assert_eq!(mm.brk(at + 9 * PAGE), at + 2 * PAGE);
        assert_eq!(mm.brk(at + 1), at + 1);
        assert_eq!(mm.area_at(at).map(|a| a.end), Some(at + PAGE));
    }

    #[test]
    fn mremap_moves_protection_with_the_pages() {
        let mm = AddressSpace::new();
        let (at, _) = mm.mmap(anon(0, PAGE, 3, 0)).unwrap();
        let (to, _) = mm.mremap(at, PAGE, 64 * PAGE, libc::MREMAP_MAYMOVE as u64, 0).unwrap();
        assert_eq!(mm.area_at(to).map(|a| (a.end - to, a.prot)), Some((64 * PAGE, 3)));
        if to != at {
            assert_eq!(mm.area_at(at), None);
        }
    }
}
