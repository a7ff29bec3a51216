//! Lists that a configuration decides on: its features and its segments.

use sextant_segmenter_abi::{SEG_E_INTERNAL, SEG_OK, SegError, SegInstance, SegSink, SegStatus};

use crate::entry::Instance;
use crate::entry::guard::{Failure, guard};
use crate::{SegmentSpec, Segmenter, Wanted};

pub(super) unsafe extern "C" fn requirements<S: Segmenter>(
    instance: *mut SegInstance,
    sink: *const SegSink,
    err: *mut SegError,
) -> SegStatus {
    // SAFETY: made by `create::<S>`; the contract marks requirements [serial].
    let instance = unsafe { &*instance.cast::<Instance<S>>() };
    // SAFETY: the host's sink is valid during the call.
    let body = || unsafe { write(sink, Wanted::list(&instance.wanted).as_bytes()) };
    // SAFETY: the host's error record is valid for writes during the call.
    unsafe { guard(err, Some(&instance.poisoned), body) }
}

pub(super) unsafe extern "C" fn segments<S: Segmenter>(
    instance: *mut SegInstance,
    sink: *const SegSink,
    err: *mut SegError,
) -> SegStatus {
    // SAFETY: made by `create::<S>`; the contract marks segments [serial].
    let instance = unsafe { &*instance.cast::<Instance<S>>() };
    let body = || {
        if !instance.segmenter.is_fitted() {
            return Err(super::not_fitted());
        }
        let list = SegmentSpec::list(&instance.segmenter.segments());
        // SAFETY: the host's sink is valid during the call.
        unsafe { write(sink, list.as_bytes()) }
    };
    // SAFETY: the host's error record is valid for writes during the call.
    unsafe { guard(err, Some(&instance.poisoned), body) }
}

/// Gives bytes to the host.
///
/// # Safety
///
/// The sink is valid.
pub(super) unsafe fn write(sink: *const SegSink, bytes: &[u8]) -> Result<(), Failure> {
    // SAFETY: by the promise of the caller.
    let sink = unsafe { &*sink };
    let Some(write) = sink.write else {
        return Err(Failure::new(SEG_E_INTERNAL, "", "the sink takes nothing"));
    };
    // SAFETY: the bytes are valid during the call, and copied.
    match unsafe { write(sink.ctx, bytes.as_ptr().cast(), bytes.len()) } {
        SEG_OK => Ok(()),
        code => Err(Failure::new(code, "", "the host takes no more bytes")),
    }
}
