//! The machine's memory, and which of its pages hold code that was translated.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use vm_memory::bitmap::{Bitmap, BitmapSlice, WithBitmapSlice};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{GuestAddress, GuestMemoryMmap, GuestRegionMmap};

use super::MapError;

/// Bytes in a page of guest memory, the unit in which code is watched.
pub const PAGE: u64 = 4096;

/// RAM and ROM, for everything that reads and writes it by guest physical address.
pub type Ram = GuestMemoryMmap<CodePages>;

/// Told the guest physical addresses of code that is about to be stale.
pub type CodeHook = Box<dyn Fn(Range<u64>) + Send + Sync>;

/// Makes one region of anonymous memory, zeroed.
///
/// Chosen: private anonymous memory. Rejected: a memfd, because the kernel gives shared memory no huge pages
/// unless the administrator says so, and the guest's speed hangs on the host's TLB.
pub(super) fn region(
    base: u64,
    size: u64,
    code: &Arc<CodeHookCell>,
) -> Result<GuestRegionMmap<CodePages>, MapError> {
    let failed = |reason: String| MapError::Memory { size, reason };
    let len = usize::try_from(size).map_err(|e| failed(e.to_string()))?;
    let mapping = MmapRegionBuilder::new_with_bitmap(len, CodePages::new(base, len, code))
        .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
        .with_mmap_flags(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    super::host::prefer_huge_pages(&mapping);
    GuestRegionMmap::new(mapping, GuestAddress(base))
        .ok_or_else(|| failed("past the end of the address space".into()))
}

/// Where the hook lies that all regions share.
#[derive(Default)]
pub struct CodeHookCell(OnceLock<CodeHook>);

impl CodeHookCell {
    pub(super) fn set(&self, hook: CodeHook) {
        // A machine has one translator, set up once.
        let _ = self.0.set(hook);
    }
}

struct Watch {
    base: u64,
    pages: Vec<AtomicU64>,
    hook: Arc<CodeHookCell>,
}

/// One bit for each page of a region that holds translated code. As vm-memory's bitmap it is told of every write
/// by a device, so that no device has to think of code.
pub struct CodePages(Arc<Watch>);

impl CodePages {
    fn new(base: u64, len: usize, hook: &Arc<CodeHookCell>) -> CodePages {
        let words = (len as u64).div_ceil(PAGE).div_ceil(64);
        let pages = (0..words).map(|_| AtomicU64::new(0)).collect();
        CodePages(Arc::new(Watch { base, pages, hook: hook.clone() }))
    }

    /// Has the next write to the page at `offset` reported.
    pub(super) fn watch(&self, offset: u64) {
        let page = offset / PAGE;
        if let Some(word) = self.0.pages.get((page / 64) as usize) {
            word.fetch_or(1 << (page % 64), Ordering::SeqCst);
        }
    }
}

impl Watch {
    fn written(&self, offset: usize, len: usize) {
        if len == 0 {
            return;
        }
        let (first, last) = (offset as u64 / PAGE, (offset as u64 + len as u64 - 1) / PAGE);
        for page in first..=last {
            let Some(word) = self.pages.get((page / 64) as usize) else { return };
            let bit = 1 << (page % 64);
            // Cleared before the hook runs: what is translated from then on is watched anew.
            if word.load(Ordering::SeqCst) & bit != 0
                && word.fetch_and(!bit, Ordering::SeqCst) & bit != 0
                && let Some(hook) = self.hook.0.get()
            {
                let at = self.base + page * PAGE;
                hook(at..at + PAGE);
            }
        }
    }

    fn watched(&self, offset: usize) -> bool {
        let page = offset as u64 / PAGE;
        let word = self.pages.get((page / 64) as usize);
        word.is_some_and(|w| w.load(Ordering::SeqCst) & (1 << (page % 64)) != 0)
    }
}

/// The bits from some offset on.
#[derive(Clone, Copy)]
pub struct CodeSlice<'a> {
    watch: &'a Watch,
    offset: usize,
}

impl fmt::Debug for CodeSlice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeSlice({:#x}+{:#x})", self.watch.base, self.offset)
    }
}

impl fmt::Debug for CodePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodePages({:#x})", self.0.base)
    }
}

impl<'a> WithBitmapSlice<'a> for CodePages {
    type S = CodeSlice<'a>;
}

impl Bitmap for CodePages {
    fn mark_dirty(&self, offset: usize, len: usize) {
        self.0.written(offset, len);
    }
    fn dirty_at(&self, offset: usize) -> bool {
        self.0.watched(offset)
    }
    fn slice_at(&self, offset: usize) -> CodeSlice<'_> {
        CodeSlice { watch: &self.0, offset }
    }
}

impl<'a> WithBitmapSlice<'_> for CodeSlice<'a> {
    type S = CodeSlice<'a>;
}

impl BitmapSlice for CodeSlice<'_> {}

impl<'a> Bitmap for CodeSlice<'a> {
    fn mark_dirty(&self, offset: usize, len: usize) {
        self.watch.written(self.offset.saturating_add(offset), len);
    }
    fn dirty_at(&self, offset: usize) -> bool {
        self.watch.watched(self.offset.saturating_add(offset))
    }
    fn slice_at(&self, offset: usize) -> CodeSlice<'a> {
        CodeSlice { watch: self.watch, offset: self.offset.saturating_add(offset) }
    }
}
