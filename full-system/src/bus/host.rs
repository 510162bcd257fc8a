//! The one call about guest memory that vm-memory does not make. `unsafe` because a wrong range would change
//! memory that is not the guest's.
#![expect(unsafe_code, reason = "madvise(2) takes an address")]

use vm_memory::bitmap::Bitmap;
use vm_memory::mmap::MmapRegion;

/// Asks the kernel for huge pages behind guest memory, which make the guest's accesses cheaper.
pub(super) fn prefer_huge_pages<B: Bitmap>(region: &MmapRegion<B>) {
    // SAFETY: pointer and size are those of a mapping that `region` owns and keeps; the advice changes no contents.
    let result =
        unsafe { libc::madvise(region.as_ptr().cast(), region.size(), libc::MADV_HUGEPAGE) };
    if result != 0 {
        log::debug!("no huge pages for guest memory: {}", std::io::Error::last_os_error());
    }
}
