//! What a segmenter says of its work: lines of a log, and measurements.

use std::ffi::{CStr, c_char};
use std::ptr;

use sextant_segmenter_abi::{
    SEG_LOG_DEBUG, SEG_LOG_ERROR, SEG_LOG_INFO, SEG_LOG_WARN, SEG_METRIC_COUNTER, SEG_METRIC_GAUGE,
    SEG_METRIC_HISTOGRAM, SegHost,
};

/// The host of a call. A line is written at once: log per call and not per row. What is measured is told at the end of the call: counters
/// are added up, of a gauge the last value counts, and of a histogram the first 1,000.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    record: Option<&'a SegHost>,
}

impl<'a> Host<'a> {
    pub(crate) const fn new(record: Option<&'a SegHost>) -> Self {
        Self { record }
    }

    /// Something failed, and somebody has to look.
    pub fn error(self, message: &str) {
        self.log(SEG_LOG_ERROR, message);
    }

    /// Something is not as it should be.
    pub fn warn(self, message: &str) {
        self.log(SEG_LOG_WARN, message);
    }

    /// Something that an operator wants to know.
    pub fn info(self, message: &str) {
        self.log(SEG_LOG_INFO, message);
    }

    /// Something that its author wants to know.
    pub fn debug(self, message: &str) {
        self.log(SEG_LOG_DEBUG, message);
    }

    /// Adds to a counter. Names are of `[a-z0-9_]`, at most 64 characters, such as `c"unpriced_accounts"`.
    pub fn count(self, name: &CStr, more: f64) {
        self.measure(name, more, SEG_METRIC_COUNTER);
    }

    /// Sets a level.
    pub fn gauge(self, name: &CStr, value: f64) {
        self.measure(name, value, SEG_METRIC_GAUGE);
    }

    /// Adds a value to a distribution.
    pub fn histogram(self, name: &CStr, value: f64) {
        self.measure(name, value, SEG_METRIC_HISTOGRAM);
    }

    #[expect(unsafe_code, reason = "calls a function of the host")]
    fn log(self, level: i32, message: &str) {
        let Some((record, log)) = self.record.and_then(|record| Some((record, record.log?))) else {
            return;
        };
        let text: *const c_char = message.as_ptr().cast();
        // SAFETY: the host's function and what it asks for, with a text that is valid during the call.
        unsafe { log(record.ctx, level, text, message.len(), ptr::null(), 0) };
    }

    #[expect(unsafe_code, reason = "calls a function of the host")]
    fn measure(self, name: &CStr, value: f64, kind: i32) {
        let measured = self
            .record
            .and_then(|record| Some((record, record.metric?)));
        let Some((record, metric)) = measured else {
            return;
        };
        // SAFETY: the host's function and what it asks for, with a name that is valid during the call.
        unsafe { metric(record.ctx, name.as_ptr(), value, kind) };
    }
}

#[cfg(test)]
mod tests {
    #![expect(unsafe_code, reason = "functions of a host")]

    use std::ffi::c_void;
    use std::sync::Mutex;

    use sextant_segmenter_abi::{ABI_MAJOR, ABI_MINOR};

    use super::*;

    type Said = Mutex<Vec<(String, f64, i32)>>;

    unsafe extern "C" fn log(
        said: *mut c_void,
        level: i32,
        text: *const c_char,
        length: usize,
        _details: *const c_char,
        _details_length: usize,
    ) {
        // SAFETY: as the record of the test has it.
        let said = unsafe { &*said.cast::<Said>() };
        // SAFETY: a text of this length.
        let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        let text = String::from_utf8_lossy(text);
        said.lock()
            .unwrap()
            .push((text.into_owned(), f64::NAN, level));
    }

    unsafe extern "C" fn metric(said: *mut c_void, name: *const c_char, value: f64, kind: i32) {
        // SAFETY: as the record of the test has it.
        let said = unsafe { &*said.cast::<Said>() };
        // SAFETY: it ends with NUL.
        let name = unsafe { CStr::from_ptr(name) };
        let name = name.to_string_lossy().into_owned();
        said.lock().unwrap().push((name, value, kind));
    }

    #[test]
    fn what_is_said_reaches_the_host() {
        let said = Said::default();
        let record = SegHost {
            struct_size: u32::try_from(size_of::<SegHost>()).unwrap(),
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            ctx: (&raw const said).cast_mut().cast(),
            name: c"test".as_ptr(),
            version: c"1".as_ptr(),
            log: Some(log),
            metric: Some(metric),
            get_extension: None,
        };
        for host in [Host::new(Some(&record)), Host::new(None)] {
            host.error("an error");
            host.warn("");
            host.info("some words");
            host.debug("more");
            host.count(c"unpriced", 2.0);
            host.gauge(c"largest", -1.0);
            host.histogram(c"seats", 0.5);
        }
        let said = said.into_inner().unwrap();
        let told: Vec<_> = said
            .iter()
            .map(|(text, _, kind)| (text.as_str(), *kind))
            .collect();
        assert_eq!(
            told,
            [
                ("an error", SEG_LOG_ERROR),
                ("", SEG_LOG_WARN),
                ("some words", SEG_LOG_INFO),
                ("more", SEG_LOG_DEBUG),
                ("unpriced", SEG_METRIC_COUNTER),
                ("largest", SEG_METRIC_GAUGE),
                ("seats", SEG_METRIC_HISTOGRAM),
            ]
        );
        let values: Vec<f64> = said.iter().skip(4).map(|(_, value, _)| *value).collect();
        assert_eq!(values, [2.0, -1.0, 0.5]);
    }
}
