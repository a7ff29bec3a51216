//! The functions of a segmenter that learns.

use std::ffi::c_void;
use std::slice;
use std::sync::atomic::AtomicBool;

use sextant_segmenter_abi::{
    ArrowArray, SEG_CAP_FIT, SEG_E_CANCELLED, SEG_E_INTERNAL, SEG_E_INVALID_INPUT, SEG_E_STATE,
    SegCall, SegError, SegInstance, SegPlugin, SegSink, SegStatus,
};

use crate::entry::guard::{Failure, guard};
use crate::entry::{Instance, ROWS_PER_POLL, lists, open_rows, table};
use crate::{Call, Fit, Pass};

/// The table of a segmenter that learns.
pub const fn fitted_table<S: Fit>(descriptor: &'static [u8]) -> SegPlugin {
    let plain = table::<S>(descriptor);
    SegPlugin {
        caps: plain.caps | SEG_CAP_FIT,
        fit_begin: Some(fit_begin::<S>),
        fit_batch: Some(fit_batch::<S>),
        fit_end: Some(fit_end::<S>),
        state_save: Some(state_save::<S>),
        state_load: Some(state_load::<S>),
        ..plain
    }
}

/// Runs a function of a fit, which is the only one of its instance now.
///
/// # Safety
///
/// The instance was made by `create::<S>`, nobody else looks at it, and the record is valid for writes.
unsafe fn alone<S: Fit>(
    instance: *mut SegInstance,
    err: *mut SegError,
    body: impl FnOnce(&mut Instance<S>) -> Result<(), Failure>,
) -> SegStatus {
    // SAFETY: by the promise of the caller.
    let instance = unsafe { &mut *instance.cast::<Instance<S>>() };
    // `guard` looks at the flag while the body has the whole instance.
    let poisoned = AtomicBool::new(*instance.poisoned.get_mut());
    // SAFETY: by the promise of the caller.
    let status = unsafe { guard(err, Some(&poisoned), || body(&mut *instance)) };
    instance.poisoned = poisoned;
    status
}

fn learning<S: Fit>(instance: &mut Instance<S>) -> Result<Box<S::Learning>, Failure> {
    let learning = instance.learning.take();
    let learning = learning.and_then(|learning| learning.downcast().ok());
    learning.ok_or_else(|| Failure::new(SEG_E_INTERNAL, "", "called before fit_begin"))
}

unsafe extern "C" fn fit_begin<S: Fit>(
    instance: *mut SegInstance,
    call: *const SegCall,
    rows: u64,
    err: *mut SegError,
) -> SegStatus {
    let body = |instance: &mut Instance<S>| {
        // SAFETY: the host's record is valid during the call.
        let call = unsafe { &*call };
        // SAFETY: the host keeps the pointers of its records valid during the call.
        let call = unsafe { Call::open(call, instance.host) };
        instance.learning = Some(Box::new(instance.segmenter.begin(&call, rows)));
        Ok(())
    };
    // SAFETY: the contract marks fit_begin [serial]; the rest is the host's promise.
    unsafe { alone::<S>(instance, err, body) }
}

unsafe extern "C" fn fit_batch<S: Fit>(
    instance: *mut SegInstance,
    call: *const SegCall,
    input: *mut ArrowArray,
    err: *mut SegError,
) -> SegStatus {
    let body = |instance: &mut Instance<S>| {
        // SAFETY: the host's record is valid during the call.
        let call = unsafe { &*call };
        // SAFETY: the host keeps the pointers of its records valid during the call.
        let call = unsafe { Call::open(call, instance.host) };
        let mut learning = learning(instance)?;
        // SAFETY: the host's batch is valid during the call; it is left for the host to release.
        let input = unsafe { &*input };
        // SAFETY: the host sends what it announced in `bind`.
        let (rows, count) = unsafe { open_rows(instance, input) }?;
        for row in 0..count {
            if row % ROWS_PER_POLL == 0 && call.cancelled() {
                return Err(Failure::new(SEG_E_CANCELLED, "", "cancelled"));
            }
            instance.segmenter.learn(&mut learning, &call, &rows, row);
        }
        drop(rows);
        instance.learning = Some(learning);
        Ok(())
    };
    // SAFETY: as in `fit_begin`.
    unsafe { alone::<S>(instance, err, body) }
}

unsafe extern "C" fn fit_end<S: Fit>(
    instance: *mut SegInstance,
    call: *const SegCall,
    again: *mut u32,
    err: *mut SegError,
) -> SegStatus {
    let body = |instance: &mut Instance<S>| {
        // SAFETY: the host's record is valid during the call.
        let call = unsafe { &*call };
        // SAFETY: the host keeps the pointers of its records valid during the call.
        let call = unsafe { Call::open(call, instance.host) };
        let learning = learning(instance)?;
        let ended = instance.segmenter.end(*learning, &call);
        let ended = ended.map_err(|error| Failure::new(SEG_E_INVALID_INPUT, "", error.0))?;
        let more = match ended {
            Pass::Again(learning) => {
                instance.learning = Some(Box::new(learning));
                1
            },
            Pass::Done => 0,
        };
        // SAFETY: valid for a write during the call.
        unsafe { again.write(more) };
        Ok(())
    };
    // SAFETY: as in `fit_begin`.
    unsafe { alone::<S>(instance, err, body) }
}

unsafe extern "C" fn state_save<S: Fit>(
    instance: *mut SegInstance,
    sink: *const SegSink,
    err: *mut SegError,
) -> SegStatus {
    let body = |instance: &mut Instance<S>| {
        let state = instance.segmenter.save().ok_or_else(super::not_fitted)?;
        // SAFETY: the host's sink is valid during the call.
        unsafe { lists::write(sink, &state) }
    };
    // SAFETY: as in `fit_begin`.
    unsafe { alone::<S>(instance, err, body) }
}

unsafe extern "C" fn state_load<S: Fit>(
    instance: *mut SegInstance,
    bytes: *const c_void,
    length: usize,
    err: *mut SegError,
) -> SegStatus {
    let body = |instance: &mut Instance<S>| {
        let state = if length == 0 {
            &[]
        } else {
            // SAFETY: the host passes `length` bytes, valid during the call; bytes need no alignment.
            unsafe { slice::from_raw_parts(bytes.cast::<u8>(), length) }
        };
        let loaded = instance.segmenter.load(state);
        loaded.map_err(|error| Failure::new(SEG_E_STATE, "", error.0))
    };
    // SAFETY: as in `fit_begin`.
    unsafe { alone::<S>(instance, err, body) }
}
