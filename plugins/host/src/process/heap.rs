//! What is allocated in this process: of a segmenter that leaks it grows with every call, whatever its pages do.

use tonic::metadata::{MetadataMap, MetadataValue};

/// Metadata of what a host process says of itself: bytes that are allocated and not freed, by the allocator of C.
const HEADER: &str = "sextant-heap-bytes";

/// Says it.
pub(crate) fn tell(metadata: &mut MetadataMap) {
    metadata.insert(HEADER, MetadataValue::from(allocated()));
}

/// What was said.
pub(crate) fn told(metadata: &MetadataMap) -> Option<u64> {
    metadata.get(HEADER)?.to_str().ok()?.parse().ok()
}

#[expect(unsafe_code, reason = "only the allocator knows")]
fn allocated() -> u64 {
    // SAFETY: it takes no arguments and the locks that it needs.
    let told = unsafe { libc::mallinfo2() };
    told.uordblks.saturating_add(told.hblkhd) as u64
}
