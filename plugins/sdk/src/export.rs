//! Arrays and schemas that this side produces: values move into one block per node, freed by its `release`.
#![expect(unsafe_code, reason = "producer side of the Arrow C Data Interface")]

use std::ffi::{CString, c_void};
use std::ptr;

use sextant_segmenter_abi::{ArrowArray, ArrowSchema};

/// One buffer of an array.
#[derive(Debug)]
pub(crate) enum Buffer {
    /// Not there: a validity bitmap of a column without nulls.
    Absent,
    Bytes(Vec<u8>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Buffer {
    fn pointer(&self) -> *const c_void {
        match self {
            Self::Absent => ptr::null(),
            Self::Bytes(values) => values.as_ptr().cast(),
            Self::U16(values) => values.as_ptr().cast(),
            Self::I32(values) => values.as_ptr().cast(),
            Self::I64(values) => values.as_ptr().cast(),
            Self::F32(values) => values.as_ptr().cast(),
            Self::F64(values) => values.as_ptr().cast(),
        }
    }
}

/// An array before it is exported.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) rows: usize,
    pub(crate) null_count: usize,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) children: Vec<Array>,
    pub(crate) dictionary: Option<Box<Array>>,
}

impl Array {
    /// A column without nulls, children or dictionary.
    pub(crate) fn column(rows: usize, buffers: Vec<Buffer>) -> Self {
        Self {
            rows,
            null_count: 0,
            buffers,
            children: Vec::new(),
            dictionary: None,
        }
    }

    /// A struct (or, with offsets as second buffer, a list) of children.
    pub(crate) fn nested(rows: usize, buffers: Vec<Buffer>, children: Vec<Self>) -> Self {
        Self {
            rows,
            null_count: 0,
            buffers,
            children,
            dictionary: None,
        }
    }

    /// Hands the array over: the consumer calls `release` once.
    pub(crate) fn export(self) -> ArrowArray {
        let n_buffers = length(self.buffers.len());
        let n_children = length(self.children.len());
        let block = Box::into_raw(Box::new(ArrayBlock {
            pointers: self.buffers.iter().map(Buffer::pointer).collect(),
            children: self
                .children
                .into_iter()
                .map(|child| Box::into_raw(Box::new(child.export())))
                .collect(),
            dictionary: self.dictionary.map_or(ptr::null_mut(), |values| {
                Box::into_raw(Box::new(values.export()))
            }),
            _buffers: self.buffers,
        }));
        // SAFETY: made above, not shared yet. Pointers are taken after the block found its place, so none goes stale.
        let fields = unsafe { &mut *block };
        ArrowArray {
            length: length(self.rows),
            null_count: length(self.null_count),
            offset: 0,
            n_buffers,
            n_children,
            buffers: fields.pointers.as_mut_ptr(),
            children: fields.children.as_mut_ptr(),
            dictionary: fields.dictionary,
            release: Some(release_array),
            private_data: block.cast(),
        }
    }
}

#[derive(Debug)]
struct ArrayBlock {
    pointers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    dictionary: *mut ArrowArray,
    _buffers: Vec<Buffer>,
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: the consumer passes the array that `export` made, once, as the interface demands.
    let array = unsafe { &mut *array };
    // SAFETY: `private_data` is the block of this array and is freed only here.
    let block = unsafe { Box::from_raw(array.private_data.cast::<ArrayBlock>()) };
    for pointer in block.children.iter().copied().chain([block.dictionary]) {
        if pointer.is_null() {
            continue;
        }
        // SAFETY: made by `Box::into_raw` in `export` and freed only here.
        let mut child = unsafe { Box::from_raw(pointer) };
        if let Some(release) = child.release {
            // SAFETY: not released yet, so its release is called exactly once.
            unsafe { release(&raw mut *child) };
        }
    }
    array.release = None;
    array.private_data = ptr::null_mut();
}

/// A schema before it is exported.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) format: &'static str,
    pub(crate) name: String,
    pub(crate) flags: i64,
    pub(crate) children: Vec<Schema>,
    pub(crate) dictionary: Option<Box<Schema>>,
}

impl Schema {
    /// A column that is never null.
    pub(crate) fn column(name: &str, format: &'static str) -> Self {
        Self {
            format,
            name: name.to_owned(),
            flags: 0,
            children: Vec::new(),
            dictionary: None,
        }
    }

    /// The root of a batch.
    pub(crate) fn batch(children: Vec<Self>) -> Self {
        Self {
            format: "+s",
            name: String::new(),
            flags: 0,
            children,
            dictionary: None,
        }
    }

    /// Hands the schema over: the consumer calls `release` once.
    pub(crate) fn export(self) -> ArrowSchema {
        let n_children = length(self.children.len());
        let block = Box::into_raw(Box::new(SchemaBlock {
            // A name with a NUL inside cannot be said in C; such a column has no name.
            format: CString::new(self.format).unwrap_or_default(),
            name: CString::new(self.name).unwrap_or_default(),
            children: self
                .children
                .into_iter()
                .map(|child| Box::into_raw(Box::new(child.export())))
                .collect(),
            dictionary: self.dictionary.map_or(ptr::null_mut(), |values| {
                Box::into_raw(Box::new(values.export()))
            }),
        }));
        // SAFETY: made above, not shared yet. Pointers are taken after the block found its place, so none goes stale.
        let fields = unsafe { &mut *block };
        ArrowSchema {
            format: fields.format.as_ptr(),
            name: fields.name.as_ptr(),
            metadata: ptr::null(),
            flags: self.flags,
            n_children,
            children: fields.children.as_mut_ptr(),
            dictionary: fields.dictionary,
            release: Some(release_schema),
            private_data: block.cast(),
        }
    }
}

#[derive(Debug)]
struct SchemaBlock {
    format: CString,
    name: CString,
    children: Vec<*mut ArrowSchema>,
    dictionary: *mut ArrowSchema,
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the consumer passes the schema that `export` made, once, as the interface demands.
    let schema = unsafe { &mut *schema };
    // SAFETY: `private_data` is the block of this schema and is freed only here.
    let block = unsafe { Box::from_raw(schema.private_data.cast::<SchemaBlock>()) };
    for pointer in block.children.iter().copied().chain([block.dictionary]) {
        if pointer.is_null() {
            continue;
        }
        // SAFETY: made by `Box::into_raw` in `export` and freed only here.
        let mut child = unsafe { Box::from_raw(pointer) };
        if let Some(release) = child.release {
            // SAFETY: not released yet, so its release is called exactly once.
            unsafe { release(&raw mut *child) };
        }
    }
    schema.release = None;
    schema.private_data = ptr::null_mut();
}

/// Lengths of memory fit an i64 on every platform.
fn length(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
