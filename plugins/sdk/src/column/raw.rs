//! The one place that turns the host's pointers into slices.
#![expect(unsafe_code, reason = "reads the buffers of an Arrow array in place")]

use std::ffi::c_void;
use std::ptr;
use std::slice;

use sextant_segmenter_abi::ArrowArray;

use crate::InputError;
use crate::column::Kind;

/// Numbers for which every bit pattern is a value.
pub(crate) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for i32 {}
impl Plain for i64 {}
impl Plain for f32 {}
impl Plain for f64 {}

/// One column as the host handed it over. Only the SDK makes one.
#[derive(Debug, Clone, Copy)]
pub struct RawColumn<'a> {
    array: &'a ArrowArray,
    rows: usize,
    offset: usize,
    /// What the host said that it holds; `None`: it is of this plugin.
    kind: Option<Kind>,
    feature: &'a str,
    position: u16,
}

impl<'a> RawColumn<'a> {
    /// Opens a column.
    ///
    /// # Safety
    ///
    /// The array follows the Arrow C Data Interface for a column of this kind, or for the type that the caller will read, and lives for
    /// `'a`.
    pub(crate) unsafe fn new(
        array: &'a ArrowArray,
        kind: Option<Kind>,
        feature: &'a str,
        position: u16,
    ) -> Result<Self, InputError> {
        let (Ok(rows), Ok(offset)) = (usize::try_from(array.length), usize::try_from(array.offset))
        else {
            return Err(InputError {
                feature: feature.to_owned(),
                message: "its length or offset is negative",
            });
        };
        Ok(Self {
            array,
            rows,
            offset,
            kind,
            feature,
            position,
        })
    }

    /// The same, for somebody who reads a column of this kind: who writes columns by hand may open another one than is there.
    pub(crate) fn of(self, kind: Kind) -> Result<Self, InputError> {
        if self.kind == Some(kind) {
            Ok(self)
        } else {
            Err(self.error("it is opened as a column of another kind than it is"))
        }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) const fn position(&self) -> u16 {
        self.position
    }

    pub(crate) fn error(&self, message: &'static str) -> InputError {
        InputError {
            feature: self.feature.to_owned(),
            message,
        }
    }

    /// The values of a fixed-width column.
    pub(crate) fn values<T: Plain>(&self) -> Result<&'a [T], InputError> {
        self.slice(1, self.offset, self.rows)
    }

    /// The `rows + 1` offsets of a text or list column; empty for a column without rows.
    pub(crate) fn offsets(&self) -> Result<&'a [i32], InputError> {
        if self.rows == 0 {
            return Ok(&[]);
        }
        self.slice(1, self.offset, self.rows + 1)
    }

    /// The validity bitmap; `None` means that every row has a value.
    pub(crate) fn validity(&self) -> Result<Option<Bitmap<'a>>, InputError> {
        if self.array.null_count == 0 {
            return Ok(None);
        }
        self.bits(0)
    }

    /// A bitmap with one bit per row; `None` if the buffer is not there or there are no rows.
    pub(crate) fn bits(&self, buffer: usize) -> Result<Option<Bitmap<'a>>, InputError> {
        if self.rows == 0 || self.buffer(buffer)?.is_null() {
            return Ok(None);
        }
        let bytes = self.slice(
            buffer,
            self.offset / 8,
            (self.offset % 8 + self.rows).div_ceil(8),
        )?;
        Ok(Some(Bitmap {
            bytes,
            offset: self.offset % 8,
        }))
    }

    /// The dictionary of a dictionary column.
    pub(crate) fn dictionary(&self) -> Result<Option<Self>, InputError> {
        // SAFETY: NULL or a valid array that lives as long as its parent, by the promise of `new`.
        let Some(array) = (unsafe { self.array.dictionary.as_ref() }) else {
            return Ok(None);
        };
        // SAFETY: as above.
        unsafe { Self::new(array, self.kind, self.feature, self.position) }.map(Some)
    }

    /// The one child of a list.
    pub(crate) fn item(&self) -> Result<Self, InputError> {
        let children = if self.array.children.is_null() || self.array.n_children != 1 {
            ptr::null_mut()
        } else {
            // SAFETY: an array of one pointer that lives as long as the array, by the promise of `new`.
            unsafe { *self.array.children }
        };
        // SAFETY: NULL or a valid array that lives as long as its parent, by the promise of `new`.
        let Some(array) = (unsafe { children.as_ref() }) else {
            return Err(self.error("its list has no items"));
        };
        // SAFETY: as above.
        unsafe { Self::new(array, self.kind, self.feature, self.position) }
    }

    /// `count` items of a buffer from item `start` on.
    pub(crate) fn slice<T: Plain>(
        &self,
        buffer: usize,
        start: usize,
        count: usize,
    ) -> Result<&'a [T], InputError> {
        if count == 0 {
            return Ok(&[]);
        }
        let pointer = self.buffer(buffer)?.cast::<T>();
        if pointer.is_null() {
            return Err(self.error("a buffer is missing"));
        }
        if !pointer.is_aligned() {
            return Err(self.error("a buffer is not aligned"));
        }
        // SAFETY: the buffer holds at least `start + count` items, by the promise of `new`.
        let first = unsafe { pointer.add(start) };
        // SAFETY: not NULL, aligned, initialised, read-only for `'a`, and long enough, by the promise of `new`.
        Ok(unsafe { slice::from_raw_parts(first, count) })
    }

    fn buffer(&self, index: usize) -> Result<*const c_void, InputError> {
        let count = usize::try_from(self.array.n_buffers).unwrap_or(0);
        if index >= count || self.array.buffers.is_null() {
            return Err(self.error("it has too few buffers"));
        }
        // SAFETY: an array of `n_buffers` pointers that lives as long as the array, by the promise of `new`.
        let buffers = unsafe { slice::from_raw_parts(self.array.buffers, count) };
        Ok(buffers[index])
    }
}

/// Bits in Arrow order: least significant first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bitmap<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Bitmap<'_> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> bool {
        let bit = self.offset + row;
        self.bytes
            .get(bit / 8)
            .is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }
}
