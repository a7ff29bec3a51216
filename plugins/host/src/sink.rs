//! Where a plugin writes bytes of a length that nobody knows before.
#![expect(unsafe_code, reason = "a function that a plugin calls with pointers")]

use std::ffi::c_void;
use std::slice;

use sextant_segmenter_abi::{SEG_E_RESOURCE, SEG_OK, SegSink, SegStatus};

/// Takes at most so many bytes.
#[derive(Debug)]
pub(crate) struct Sink {
    bytes: Vec<u8>,
    most: usize,
}

impl Sink {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
        }
    }

    /// What was written by a function that was given the sink.
    pub(crate) fn taken<T>(mut self, give: impl FnOnce(*const SegSink) -> T) -> (T, Vec<u8>) {
        let record = SegSink {
            struct_size: u32::try_from(size_of::<SegSink>()).unwrap_or(u32::MAX),
            reserved: 0,
            ctx: (&raw mut self).cast(),
            write: Some(write),
        };
        let given = give(&raw const record);
        (given, self.bytes)
    }
}

unsafe extern "C" fn write(ctx: *mut c_void, bytes: *const c_void, length: usize) -> SegStatus {
    // SAFETY: `ctx` is the sink of `taken`, which nobody else looks at during the call.
    let sink = unsafe { &mut *ctx.cast::<Sink>() };
    if length == 0 {
        return SEG_OK;
    }
    if bytes.is_null() || length > sink.most.saturating_sub(sink.bytes.len()) {
        return SEG_E_RESOURCE;
    }
    // SAFETY: not NULL, with `length` bytes that are valid during the call, by contract.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), length) };
    if sink.bytes.try_reserve(length).is_err() {
        return SEG_E_RESOURCE;
    }
    sink.bytes.extend_from_slice(bytes);
    SEG_OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_fits_and_refuses_the_rest() {
        let (given, bytes) = Sink::new(5).taken(|sink| {
            // SAFETY: the record is valid during this function.
            let sink = unsafe { &*sink };
            let write = sink.write.unwrap();
            let give = |text: &[u8]| {
                // SAFETY: the bytes are valid during the call.
                unsafe { write(sink.ctx, text.as_ptr().cast(), text.len()) }
            };
            [give(b"abc"), give(b""), give(b"def"), give(b"de")]
        });
        assert_eq!(given, [SEG_OK, SEG_OK, SEG_E_RESOURCE, SEG_OK]);
        assert_eq!(bytes, b"abcde");
    }
}
