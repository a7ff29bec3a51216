//! What a plugin produced, read with every check that is possible from outside, and released exactly once.
#![expect(unsafe_code, reason = "reads and releases what a plugin produced")]

use std::ffi::{CStr, c_char};
use std::slice;

use sextant_segmenter_abi::{ArrowArray, ArrowSchema};

use crate::CallError;

/// Numbers for which every bit pattern is a value.
pub(crate) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for i32 {}
impl Plain for f32 {}

/// A schema that the host has to release.
#[derive(Debug)]
pub(crate) struct OwnedSchema(pub(crate) ArrowSchema);

/// An array that the host has to release.
#[derive(Debug)]
pub(crate) struct OwnedArray(pub(crate) ArrowArray);

impl Drop for OwnedSchema {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: produced by the plugin, which is never unloaded, and not released yet.
            unsafe { release(&raw mut self.0) };
        }
    }
}

impl Drop for OwnedArray {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: produced by the plugin, which is never unloaded, and not released yet.
            unsafe { release(&raw mut self.0) };
        }
    }
}

/// Name and format of every child of a plugin's output schema.
pub(crate) fn output_columns(schema: &OwnedSchema) -> Result<Vec<(String, String)>, CallError> {
    let schema = &schema.0;
    if schema.release.is_none() {
        return Err(CallError::output("bind returned OK and no schema"));
    }
    // SAFETY: a schema that is not released has a NUL-terminated format, by contract.
    if unsafe { text(schema.format) } != "+s" {
        return Err(CallError::output("the output schema is not a struct"));
    }
    let count = usize::try_from(schema.n_children).unwrap_or(0);
    if count == 0 || schema.children.is_null() {
        return Err(CallError::output("the output schema has no columns"));
    }
    // SAFETY: not NULL, with `n_children` pointers, by contract.
    let children = unsafe { slice::from_raw_parts(schema.children, count) };
    let mut columns = Vec::new();
    for child in children {
        // SAFETY: NULL or a valid schema that lives as long as its parent, by contract.
        let Some(child) = (unsafe { child.as_ref() }) else {
            return Err(CallError::output("a column of the output schema is NULL"));
        };
        // SAFETY: NULL or NUL-terminated, by contract.
        let name = unsafe { text(child.name) };
        // SAFETY: as above.
        let format = unsafe { text(child.format) };
        columns.push((name, format));
    }
    Ok(columns)
}

/// # Safety
///
/// NULL, or NUL-terminated and valid during the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by the promise of the caller.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

/// An array of a plugin's output: a shape that was checked, over pointers that have to be trusted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    array: &'a ArrowArray,
    pub(crate) rows: usize,
    offset: usize,
}

impl<'a> View<'a> {
    /// The root of an output: a struct of `columns` columns with `rows` rows, offset 0, no nulls.
    pub(crate) fn root(
        output: &'a OwnedArray,
        columns: usize,
        rows: usize,
    ) -> Result<Self, CallError> {
        if output.0.release.is_none() {
            return Err(CallError::output("it returned OK and no array"));
        }
        let view = Self::new(&output.0)?;
        if view.rows != rows {
            return Err(CallError::output(format!(
                "it has {} rows, the input has {rows}",
                view.rows
            )));
        }
        if view.offset != 0 {
            return Err(CallError::output("its root has an offset"));
        }
        if usize::try_from(output.0.n_children) != Ok(columns) {
            let found = output.0.n_children;
            return Err(CallError::output(format!(
                "it has {found} columns, {columns} were announced"
            )));
        }
        view.no_nulls("its root")?;
        Ok(view)
    }

    fn new(array: &'a ArrowArray) -> Result<Self, CallError> {
        let (Ok(rows), Ok(offset)) = (usize::try_from(array.length), usize::try_from(array.offset))
        else {
            return Err(CallError::output("a length or offset is negative"));
        };
        let view = Self {
            array,
            rows,
            offset,
        };
        // -1: not counted.
        if array.null_count > 0 && view.buffer(0)?.is_null() {
            return Err(CallError::output(
                "a column counts nulls and does not say which they are",
            ));
        }
        Ok(view)
    }

    /// A child. Children of a struct must be as long as the struct.
    pub(crate) fn child(&self, index: usize) -> Result<Self, CallError> {
        let count = usize::try_from(self.array.n_children).unwrap_or(0);
        if index >= count || self.array.children.is_null() {
            return Err(CallError::output("a nested column is missing"));
        }
        // SAFETY: not NULL, with `n_children` pointers, by contract.
        let children = unsafe { slice::from_raw_parts(self.array.children, count) };
        // SAFETY: NULL or a valid array that lives as long as its parent, by contract.
        let child = unsafe { children[index].as_ref() };
        Self::new(child.ok_or_else(|| CallError::output("a nested column is NULL"))?)
    }

    /// The values of a fixed-width column.
    pub(crate) fn values<T: Plain>(&self) -> Result<&'a [T], CallError> {
        self.slice(1, self.offset, self.rows)
    }

    /// The `rows + 1` offsets of a list or text column, checked to ascend from 0 or more; empty without rows.
    pub(crate) fn offsets(&self) -> Result<&'a [i32], CallError> {
        if self.rows == 0 {
            return Ok(&[]);
        }
        let offsets: &[i32] = self.slice(1, self.offset, self.rows + 1)?;
        if offsets[0] < 0 || !offsets.is_sorted() {
            return Err(CallError::output("its offsets do not ascend"));
        }
        Ok(offsets)
    }

    /// `count` bytes of the text buffer.
    pub(crate) fn bytes(&self, count: usize) -> Result<&'a [u8], CallError> {
        self.slice(2, 0, count)
    }

    /// Whether a row has a value.
    pub(crate) fn is_valid(&self, row: usize) -> Result<bool, CallError> {
        if self.array.null_count == 0 || self.buffer(0)?.is_null() {
            return Ok(true);
        }
        let bit = self.offset + row;
        let byte: &[u8] = self.slice(0, bit / 8, 1)?;
        Ok(byte[0] >> (bit % 8) & 1 == 1)
    }

    pub(crate) fn no_nulls(&self, what: &str) -> Result<(), CallError> {
        for row in 0..if self.array.null_count == 0 {
            0
        } else {
            self.rows
        } {
            if !self.is_valid(row)? {
                return Err(CallError::output(format!("{what} is null in row {row}")));
            }
        }
        Ok(())
    }

    fn slice<T: Plain>(
        &self,
        buffer: usize,
        start: usize,
        count: usize,
    ) -> Result<&'a [T], CallError> {
        if count == 0 {
            return Ok(&[]);
        }
        let pointer = self.buffer(buffer)?.cast::<T>();
        if pointer.is_null() || !pointer.is_aligned() {
            return Err(CallError::output("a buffer is NULL or not aligned"));
        }
        // SAFETY: the buffer holds at least `start + count` items, by contract.
        let first = unsafe { pointer.add(start) };
        // SAFETY: not NULL, aligned, initialised and not written to until release, by contract; the caller copies.
        Ok(unsafe { slice::from_raw_parts(first, count) })
    }

    fn buffer(&self, index: usize) -> Result<*const u8, CallError> {
        let count = usize::try_from(self.array.n_buffers).unwrap_or(0);
        if index >= count || self.array.buffers.is_null() {
            return Err(CallError::output("a column has too few buffers"));
        }
        // SAFETY: not NULL, with `n_buffers` pointers, by contract.
        let buffers = unsafe { slice::from_raw_parts(self.array.buffers, count) };
        Ok(buffers[index].cast())
    }
}
