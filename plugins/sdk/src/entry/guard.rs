//! Every entry runs inside [`guard`]: errors go into the host's record, panics become `SEG_E_PANIC`.

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_char;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use sextant_segmenter_abi::{SEG_E_INTERNAL, SEG_E_PANIC, SEG_OK, SegError, SegStatus};

thread_local! {
    /// Where the last panic of this thread happened, and what it said.
    static LAST_PANIC: Cell<Option<String>> = const { Cell::new(None) };
}

/// Why an entry did not do what it promises.
#[derive(Debug)]
pub(crate) struct Failure {
    code: SegStatus,
    field: String,
    message: String,
}

impl Failure {
    pub(crate) fn new(
        code: SegStatus,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Makes panics of this shared object remember their location, and keeps them off the host's standard error. A shared
/// object has its own copy of the standard library, so the host's panic hook is not touched.
pub fn record_panic_locations() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("panic without a message");
        let text = match info.location() {
            Some(location) => format!("{message} ({}:{})", location.file(), location.line()),
            None => message.to_owned(),
        };
        LAST_PANIC.set(Some(text));
    }));
}

/// Runs an entry.
///
/// # Safety
///
/// `err` is valid for writes.
pub(crate) unsafe fn guard(
    err: *mut SegError,
    poisoned: Option<&AtomicBool>,
    body: impl FnOnce() -> Result<(), Failure>,
) -> SegStatus {
    if poisoned.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        let failure = Failure::new(SEG_E_INTERNAL, "", "the instance failed before; destroy it");
        // SAFETY: by the promise of the caller.
        return unsafe { report(err, &failure) };
    }
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return SEG_OK,
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::new(SEG_E_PANIC, "", panic_text(payload)),
    };
    if let (Some(flag), SEG_E_PANIC | SEG_E_INTERNAL) = (poisoned, failure.code) {
        flag.store(true, Ordering::Relaxed);
    }
    // SAFETY: by the promise of the caller.
    unsafe { report(err, &failure) }
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let said = payload
        .downcast::<String>()
        .map(|text| *text)
        .or_else(|payload| payload.downcast::<&str>().map(|text| (*text).to_owned()));
    let said = said.unwrap_or_else(|payload| {
        // A payload of another type may panic when dropped; leaking it is the one thing that cannot fail.
        std::mem::forget(payload);
        "panic without a message".to_owned()
    });
    LAST_PANIC.take().unwrap_or(said)
}

/// # Safety
///
/// `err` is valid for writes.
unsafe fn report(err: *mut SegError, failure: &Failure) -> SegStatus {
    // SAFETY: by the promise of the caller.
    let record = unsafe { &mut *err };
    record.code = failure.code;
    write_text(&mut record.field, &failure.field);
    write_text(&mut record.message, &failure.message);
    failure.code
}

/// Copies text and a NUL, cut at a character if it is too long.
fn write_text(target: &mut [c_char], text: &str) {
    let room = target.len().saturating_sub(1);
    let end = text.floor_char_boundary(room);
    let (copied, rest) = target.split_at_mut(end);
    for (to, from) in copied.iter_mut().zip(text.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    if let Some(end) = rest.first_mut() {
        *end = 0;
    }
}

#[cfg(test)]
mod tests;
