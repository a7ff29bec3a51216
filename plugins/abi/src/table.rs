//! The plugin's table of functions.

use std::ffi::{c_char, c_void};
use std::marker::{PhantomData, PhantomPinned};

use crate::records::size_u32;
use crate::{
    ABI_MAJOR, ABI_MINOR, ArrowArray, ArrowSchema, SegCall, SegError, SegHost, SegSink, SegStatus,
};

/// `seg_instance`: defined by the plugin, opaque to everybody else.
#[repr(C)]
#[derive(Debug)]
pub struct SegInstance {
    opaque: [u8; 0],
    marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// Signature of the exported symbol; the argument is the host's minor version, NULL means "this host is too old".
pub type SegPluginEntry = unsafe extern "C" fn(u16) -> *const SegPlugin;

/// `create`: services, config, its length, new instance, error.
pub type SegCreate = unsafe extern "C" fn(
    *const SegHost,
    *const c_char,
    usize,
    *mut *mut SegInstance,
    *mut SegError,
) -> SegStatus;
/// `bind`: instance, input schema, output schema, error.
pub type SegBind = unsafe extern "C" fn(
    *mut SegInstance,
    *const ArrowSchema,
    *mut ArrowSchema,
    *mut SegError,
) -> SegStatus;
/// `segment`: instance, call, input, output, error.
pub type SegSegment = unsafe extern "C" fn(
    *mut SegInstance,
    *const SegCall,
    *mut ArrowArray,
    *mut ArrowArray,
    *mut SegError,
) -> SegStatus;
/// `destroy`: instance.
pub type SegDestroy = unsafe extern "C" fn(*mut SegInstance);
/// `requirements`, `segments`, `state_save`: instance, sink, error.
pub type SegToSink =
    unsafe extern "C" fn(*mut SegInstance, *const SegSink, *mut SegError) -> SegStatus;
/// `explain`: instance, call, top k, input, output, error.
pub type SegExplain = unsafe extern "C" fn(
    *mut SegInstance,
    *const SegCall,
    u32,
    *mut ArrowArray,
    *mut ArrowArray,
    *mut SegError,
) -> SegStatus;
/// `fit_begin`: instance, call, rows of the population, error.
pub type SegFitBegin =
    unsafe extern "C" fn(*mut SegInstance, *const SegCall, u64, *mut SegError) -> SegStatus;
/// `fit_batch`: instance, call, input, error.
pub type SegFitBatch = unsafe extern "C" fn(
    *mut SegInstance,
    *const SegCall,
    *mut ArrowArray,
    *mut SegError,
) -> SegStatus;
/// `fit_end`: instance, call, again, error.
pub type SegFitEnd =
    unsafe extern "C" fn(*mut SegInstance, *const SegCall, *mut u32, *mut SegError) -> SegStatus;
/// `state_load`: instance, bytes, length, error.
pub type SegStateLoad =
    unsafe extern "C" fn(*mut SegInstance, *const c_void, usize, *mut SegError) -> SegStatus;
/// `get_extension` of a plugin: id.
pub type SegExtension = unsafe extern "C" fn(*const c_char) -> *const c_void;

/// `seg_plugin`: constant, valid until the process ends. The functions up to `destroy` are set in every valid table;
/// the type cannot promise that for memory that another compiler wrote, so they are options here.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SegPlugin {
    /// Bytes of the table as the plugin was compiled.
    pub struct_size: u32,
    /// Major version of the plugin's header.
    pub abi_major: u16,
    /// Minor version of the plugin's header.
    pub abi_minor: u16,
    /// `SEG_CAP_…` bits.
    pub caps: u64,
    /// The bytes of the descriptor section up to its first NUL.
    pub descriptor_json: *const c_char,
    /// Their number.
    pub descriptor_len: usize,
    /// Required.
    pub create: Option<SegCreate>,
    /// Required.
    pub bind: Option<SegBind>,
    /// Required.
    pub segment: Option<SegSegment>,
    /// Required.
    pub destroy: Option<SegDestroy>,
    /// Set exactly when the descriptor says `dynamic_features`.
    pub requirements: Option<SegToSink>,
    /// Set exactly when the descriptor says `dynamic_segments`.
    pub segments: Option<SegToSink>,
    /// `SEG_CAP_EXPLAIN`.
    pub explain: Option<SegExplain>,
    /// `SEG_CAP_FIT`.
    pub fit_begin: Option<SegFitBegin>,
    /// `SEG_CAP_FIT`.
    pub fit_batch: Option<SegFitBatch>,
    /// `SEG_CAP_FIT`.
    pub fit_end: Option<SegFitEnd>,
    /// `SEG_CAP_FIT`.
    pub state_save: Option<SegToSink>,
    /// `SEG_CAP_FIT`.
    pub state_load: Option<SegStateLoad>,
    /// Optional.
    pub get_extension: Option<SegExtension>,
}

impl SegPlugin {
    /// A table of this header's version without descriptor, capabilities or functions.
    pub const fn blank() -> Self {
        Self {
            struct_size: size_u32::<Self>(),
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            caps: 0,
            descriptor_json: std::ptr::null(),
            descriptor_len: 0,
            create: None,
            bind: None,
            segment: None,
            destroy: None,
            requirements: None,
            segments: None,
            explain: None,
            fit_begin: None,
            fit_batch: None,
            fit_end: None,
            state_save: None,
            state_load: None,
            get_extension: None,
        }
    }
}

// SAFETY: the contract makes a table constant for the life of the process; its only pointer that is not a function
// points to the equally constant descriptor, so any thread may read both.
#[expect(unsafe_code, reason = "a table is shared between threads by contract")]
unsafe impl Sync for SegPlugin {}

// SAFETY: as for `Sync`: nothing in a table belongs to a thread.
#[expect(unsafe_code, reason = "a table is shared between threads by contract")]
unsafe impl Send for SegPlugin {}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    std::mem::offset_of!(SegPlugin, create) == 32
        && std::mem::offset_of!(SegPlugin, destroy) == 56
        && size_of::<SegPlugin>() == 136
);
