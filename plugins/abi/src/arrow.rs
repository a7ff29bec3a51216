//! Arrow C Data Interface, frozen by Apache Arrow.

use std::ffi::{c_char, c_void};
use std::ptr;

/// Type of a column or batch. `release == None` means released.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    /// Format string, for example `l` for int64.
    pub format: *const c_char,
    /// Name of the column, or NULL.
    pub name: *const c_char,
    /// Binary metadata, or NULL.
    pub metadata: *const c_char,
    /// `ARROW_FLAG_…` bits.
    pub flags: i64,
    /// Number of children.
    pub n_children: i64,
    /// Children of a nested type, or NULL.
    pub children: *mut *mut ArrowSchema,
    /// Value type of a dictionary, or NULL.
    pub dictionary: *mut ArrowSchema,
    /// Frees what the producer owns and sets itself to NULL.
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    /// The producer's own data.
    pub private_data: *mut c_void,
}

/// Values of a column or batch. `release == None` means released.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    /// Number of rows.
    pub length: i64,
    /// Number of nulls, -1 when not computed.
    pub null_count: i64,
    /// First row within the buffers.
    pub offset: i64,
    /// Number of buffers.
    pub n_buffers: i64,
    /// Number of children.
    pub n_children: i64,
    /// Buffers in the order of the Arrow format; the validity bitmap comes first.
    pub buffers: *mut *const c_void,
    /// Children of a nested type, or NULL.
    pub children: *mut *mut ArrowArray,
    /// Values of a dictionary, or NULL.
    pub dictionary: *mut ArrowArray,
    /// Frees what the producer owns and sets itself to NULL.
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    /// The producer's own data.
    pub private_data: *mut c_void,
}

impl ArrowSchema {
    /// A zeroed schema: the state of an output before it is filled and after it is released.
    pub const fn released() -> Self {
        Self {
            format: ptr::null(),
            name: ptr::null(),
            metadata: ptr::null(),
            flags: 0,
            n_children: 0,
            children: ptr::null_mut(),
            dictionary: ptr::null_mut(),
            release: None,
            private_data: ptr::null_mut(),
        }
    }
}

impl ArrowArray {
    /// A zeroed array: the state of an output before it is filled and after it is released.
    pub const fn released() -> Self {
        Self {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: ptr::null_mut(),
            children: ptr::null_mut(),
            dictionary: ptr::null_mut(),
            release: None,
            private_data: ptr::null_mut(),
        }
    }
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<ArrowSchema>() == 72 && size_of::<ArrowArray>() == 80);
