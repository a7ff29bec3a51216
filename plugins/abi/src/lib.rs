//! The binary contract between Sextant and a segmenter: `include/segmenter.h` and its `repr(C)` mirror.
//!
//! The header is the contract; every item here repeats one of its items under the same name in Rust spelling
//! (`seg_plugin` is [`SegPlugin`]). Meaning, ownership and call order are written in the header and hold unchanged.

mod arrow;
mod constants;
mod records;
mod table;

pub use arrow::{ArrowArray, ArrowSchema};
pub use constants::{
    ABI_MAJOR, ABI_MINOR, ARROW_FLAG_NULLABLE, DESCRIPTOR_MAX_BYTES, DESCRIPTOR_SECTION,
    ENTRY_SYMBOL, SEG_ABSTAIN, SEG_CAP_DETERMINISTIC, SEG_CAP_EXPLAIN, SEG_CAP_FIT,
    SEG_CAP_ISOLATED_ONLY, SEG_CAP_MUST_UNDERSTAND, SEG_CAP_ROW_INDEPENDENT, SEG_CAP_THREAD_SAFE,
    SEG_E_CANCELLED, SEG_E_DEADLINE, SEG_E_INTERNAL, SEG_E_INVALID_CONFIG, SEG_E_INVALID_INPUT,
    SEG_E_NOT_FITTED, SEG_E_PANIC, SEG_E_RESOURCE, SEG_E_STATE, SEG_E_UNSUPPORTED,
    SEG_ERROR_RETRYABLE, SEG_LOG_DEBUG, SEG_LOG_ERROR, SEG_LOG_INFO, SEG_LOG_TRACE, SEG_LOG_WARN,
    SEG_METRIC_COUNTER, SEG_METRIC_GAUGE, SEG_METRIC_HISTOGRAM, SEG_NO_SEGMENT, SEG_OK, SegStatus,
};
pub use records::{
    SegCall, SegError, SegHost, SegHostExtension, SegLog, SegMetric, SegSink, SegWrite,
};
pub use table::{
    SegBind, SegCreate, SegDestroy, SegExplain, SegExtension, SegFitBatch, SegFitBegin, SegFitEnd,
    SegInstance, SegPlugin, SegPluginEntry, SegSegment, SegStateLoad, SegToSink,
};
