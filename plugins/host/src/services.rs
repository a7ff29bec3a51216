//! What the host offers to a segmenter while it runs: log lines and measurements, both as `tracing` events, a measurement at the end of a
//! call.
#![expect(unsafe_code, reason = "functions that a plugin calls with pointers")]

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::Arc;

use sextant_segmenter_abi::{
    ABI_MAJOR, ABI_MINOR, SEG_LOG_DEBUG, SEG_LOG_ERROR, SEG_LOG_INFO, SEG_LOG_WARN, SegHost,
};

use crate::Plugin;
use crate::measured::OfCall;

/// The record of services. Shared, because the plugin keeps its address until `destroy` returns.
#[derive(Debug)]
pub(crate) struct Services {
    record: SegHost,
    /// What `record.ctx` points to.
    context: Box<Context>,
}

#[derive(Debug)]
struct Context {
    plugin: Plugin,
    measured: OfCall,
}

impl Context {
    fn id(&self) -> &str {
        &self.plugin.descriptor().id
    }
}

// SAFETY: the record's pointers lead to constants and to the context, which is shared and whose parts may be.
unsafe impl Send for Services {}
// SAFETY: as for `Send`.
unsafe impl Sync for Services {}

impl Services {
    pub(crate) fn new(plugin: &Plugin) -> Arc<Self> {
        let context = Box::new(Context {
            plugin: plugin.clone(),
            measured: OfCall::default(),
        });
        let place: *const Context = &raw const *context;
        let record = SegHost {
            struct_size: u32::try_from(size_of::<SegHost>()).unwrap_or(u32::MAX),
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            ctx: place.cast_mut().cast(),
            name: c"sextant".as_ptr(),
            version: VERSION.as_ptr(),
            log: Some(log),
            metric: Some(metric),
            get_extension: Some(get_extension),
        };
        Arc::new(Self { record, context })
    }

    /// Tells what was measured since the last time.
    pub(crate) fn tell_measured(&self) {
        for measured in self.context.measured.take() {
            measured.tell(self.context.id());
        }
    }

    pub(crate) const fn record(&self) -> *const SegHost {
        &raw const self.record
    }
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// # Safety
///
/// NULL, or `len` bytes that are valid during the call.
unsafe fn text<'a>(bytes: *const c_char, len: usize) -> Cow<'a, str> {
    if bytes.is_null() {
        return "".into();
    }
    // SAFETY: by the promise of the caller.
    String::from_utf8_lossy(unsafe { slice::from_raw_parts(bytes.cast(), len) })
}

unsafe extern "C" fn log(
    ctx: *mut c_void,
    level: i32,
    message: *const c_char,
    message_len: usize,
    details: *const c_char,
    details_len: usize,
) {
    // SAFETY: `ctx` is a context, which `Services` keeps alive and which outlives the instance.
    let plugin = unsafe { &*ctx.cast::<Context>() }.id();
    // SAFETY: valid during the call, by contract.
    let message = unsafe { text(message, message_len) };
    // SAFETY: NULL or valid during the call, by contract.
    let details = unsafe { text(details, details_len) };
    // A subscriber that panics must not unwind into the plugin; the line is lost, as the contract allows.
    let _line_lost = catch_unwind(AssertUnwindSafe(|| match level {
        SEG_LOG_ERROR => {
            tracing::error!(target: "sextant::segmenter", plugin, %details, "{message}")
        },
        SEG_LOG_WARN => tracing::warn!(target: "sextant::segmenter", plugin, %details, "{message}"),
        SEG_LOG_INFO => tracing::info!(target: "sextant::segmenter", plugin, %details, "{message}"),
        SEG_LOG_DEBUG => {
            tracing::debug!(target: "sextant::segmenter", plugin, %details, "{message}")
        },
        _ => tracing::trace!(target: "sextant::segmenter", plugin, %details, "{message}"),
    }));
}

unsafe extern "C" fn metric(ctx: *mut c_void, name: *const c_char, value: f64, kind: i32) {
    if name.is_null() {
        return;
    }
    // SAFETY: as in `log`.
    let context = unsafe { &*ctx.cast::<Context>() };
    // SAFETY: NUL-terminated and valid during the call, by contract.
    let name = unsafe { CStr::from_ptr(name) };
    if let Ok(name) = name.to_str() {
        context.measured.add(name, value, kind);
    }
}

unsafe extern "C" fn get_extension(_ctx: *mut c_void, _id: *const c_char) -> *const c_void {
    ptr::null()
}
