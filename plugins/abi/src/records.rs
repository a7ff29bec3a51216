//! Records that the host owns: error, call context, services, byte sink.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::AtomicU32;

use crate::{SEG_OK, SegStatus};

/// `seg_error`: zeroed by the host (row -1) before a call, written by the plugin when the call fails.
#[repr(C)]
#[derive(Debug, Clone)]
pub struct SegError {
    /// Bytes of this record.
    pub struct_size: u32,
    /// The code that the function returned.
    pub code: SegStatus,
    /// `SEG_ERROR_…` bits.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// First bad row of the batch, -1 when not about one row.
    pub row: i64,
    /// Feature name or JSON pointer into the config, NUL-terminated.
    pub field: [c_char; 96],
    /// What happened, NUL-terminated.
    pub message: [c_char; 904],
}

impl SegError {
    /// The record as the host hands it to a plugin.
    pub const fn blank() -> Self {
        Self {
            struct_size: size_u32::<Self>(),
            code: SEG_OK,
            flags: 0,
            reserved: 0,
            row: -1,
            field: [0; 96],
            message: [0; 904],
        }
    }
}

/// `seg_call`: context of one call, the only source of time and randomness of a model.
#[repr(C)]
#[derive(Debug)]
pub struct SegCall {
    /// Bytes of this record.
    pub struct_size: u32,
    /// Zero in 1.0.
    pub flags: u32,
    /// CLOCK_MONOTONIC in nanoseconds, 0 = none.
    pub deadline_mono_ns: i64,
    /// Turns non-zero once when the call should stop, or NULL.
    pub cancel: *const AtomicU32,
    /// The model's "now", microseconds since 1970-01-01 UTC.
    pub as_of_unix_us: i64,
    /// Seed of the model's randomness.
    pub seed: u64,
    /// Tenant id, NUL-terminated.
    pub tenant: *const c_char,
    /// W3C trace context, NUL-terminated, or NULL.
    pub traceparent: *const c_char,
}

/// Receives one log line: context, level, message, its length, key-value JSON, its length.
pub type SegLog =
    unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize, *const c_char, usize);
/// Receives one measurement: context, name, value, kind.
pub type SegMetric = unsafe extern "C" fn(*mut c_void, *const c_char, f64, i32);
/// Looks up an extension of the host: context, id.
pub type SegHostExtension = unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void;
/// Takes bytes: context, bytes, length.
pub type SegWrite = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> SegStatus;

/// `seg_host`: services of the host, valid from `create` until `destroy` returns.
#[repr(C)]
#[derive(Debug)]
pub struct SegHost {
    /// Bytes of this record.
    pub struct_size: u32,
    /// Major version of the host's header.
    pub abi_major: u16,
    /// Minor version of the host's header.
    pub abi_minor: u16,
    /// First argument of the functions below.
    pub ctx: *mut c_void,
    /// Name of the host, NUL-terminated.
    pub name: *const c_char,
    /// Version of the host, NUL-terminated.
    pub version: *const c_char,
    /// Any thread; never blocks.
    pub log: Option<SegLog>,
    /// Any thread; never blocks.
    pub metric: Option<SegMetric>,
    /// Inside `create` only.
    pub get_extension: Option<SegHostExtension>,
}

/// `seg_sink`: a byte sink of the host, valid during the call.
#[repr(C)]
#[derive(Debug)]
pub struct SegSink {
    /// Bytes of this record.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// First argument of `write`.
    pub ctx: *mut c_void,
    /// Copies the bytes; a result other than `SEG_OK` is returned unchanged by the plugin.
    pub write: Option<SegWrite>,
}

impl SegCall {
    /// A call without deadline, cancel flag or tenant; `struct_size` is set.
    pub const fn blank() -> Self {
        Self {
            struct_size: size_u32::<Self>(),
            flags: 0,
            deadline_mono_ns: 0,
            cancel: ptr::null(),
            as_of_unix_us: 0,
            seed: 0,
            tenant: c"".as_ptr(),
            traceparent: ptr::null(),
        }
    }
}

/// Size of a record of this contract as its `struct_size` says it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "asserted below: every record is far smaller than 4 GiB"
)]
pub(crate) const fn size_u32<T>() -> u32 {
    assert!(size_of::<T>() <= 4096, "records of the contract are small");
    size_of::<T>() as u32
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    size_of::<SegError>() == 1024
        && size_of::<SegCall>() == 56
        && size_of::<SegHost>() == 56
        && size_of::<SegSink>() == 24
);
