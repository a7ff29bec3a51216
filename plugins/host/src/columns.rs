//! Preparing single columns: defaults for missing values, and the memory layout that the ABI promises.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;

use crate::DefaultValue;

/// Alignment and padding of every buffer, in bytes.
const ALIGNMENT: usize = 64;

/// The column with a value in place of every null. A default of another type than the column leaves it as it is; the
/// descriptor's judge lets none through.
pub(crate) fn filled(column: &ArrayRef, default: &DefaultValue) -> ArrayRef {
    match (default, column.data_type()) {
        (DefaultValue::Float64(value), DataType::Float64) => {
            let values = column
                .as_primitive::<Float64Type>()
                .iter()
                .map(|cell| cell.unwrap_or(*value));
            Arc::new(Float64Array::from_iter_values(values))
        },
        (DefaultValue::Int64(value), DataType::Int64) => {
            let values = column
                .as_primitive::<Int64Type>()
                .iter()
                .map(|cell| cell.unwrap_or(*value));
            Arc::new(Int64Array::from_iter_values(values))
        },
        (DefaultValue::Int64(value), DataType::Timestamp(..)) => {
            let values = column
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .map(|cell| cell.unwrap_or(*value));
            Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
        },
        (DefaultValue::Bool(value), DataType::Boolean) => {
            let values: Vec<bool> = column
                .as_boolean()
                .iter()
                .map(|cell| cell.unwrap_or(*value))
                .collect();
            Arc::new(BooleanArray::from(values))
        },
        (DefaultValue::Text(value), DataType::Utf8) => {
            let values = column
                .as_string::<i32>()
                .iter()
                .map(|cell| cell.unwrap_or(value));
            Arc::new(StringArray::from_iter_values(values))
        },
        (DefaultValue::Text(value), DataType::Dictionary(..)) => {
            let keys = column.as_dictionary::<Int32Type>();
            let Some(texts) = keys.downcast_dict::<StringArray>() else {
                return Arc::clone(column);
            };
            let values = texts.into_iter().map(|cell| Some(cell.unwrap_or(value)));
            Arc::new(values.collect::<DictionaryArray<Int32Type>>())
        },
        _ => Arc::clone(column),
    }
}

/// The column as the ABI promises it: buffers aligned and padded to 64 bytes (copied only where they are not), and a
/// validity bitmap only where there are nulls.
#[expect(
    unsafe_code,
    reason = "checking every value again would cost more than the call"
)]
pub(crate) fn laid_out(data: ArrayData) -> ArrayData {
    let nulls = data
        .nulls()
        .filter(|nulls| nulls.null_count() > 0)
        .map(aligned_nulls);
    let buffers = data.buffers().iter().map(aligned).collect();
    let children = data.child_data().iter().cloned().map(laid_out).collect();
    let builder = data
        .into_builder()
        .nulls(nulls)
        .buffers(buffers)
        .child_data(children);
    // SAFETY: type, length and offset are those of a valid array, and every buffer has the same bytes.
    unsafe { builder.build_unchecked() }
}

/// All bytes of a column, of values that are unknown, too.
pub(crate) fn contents(data: &ArrayData) -> Vec<Box<[u8]>> {
    let nulls = data.nulls().map(|nulls| nulls.inner().inner());
    let own = data.buffers().iter().chain(nulls);
    let own = own.map(|buffer| Box::from(buffer.as_slice()));
    own.chain(data.child_data().iter().flat_map(contents))
        .collect()
}

fn aligned_nulls(nulls: &NullBuffer) -> NullBuffer {
    let bits = nulls.inner();
    NullBuffer::new(BooleanBuffer::new(
        aligned(bits.inner()),
        bits.offset(),
        bits.len(),
    ))
}

fn aligned(buffer: &Buffer) -> Buffer {
    let padded = buffer.len().next_multiple_of(ALIGNMENT);
    let reachable = buffer.capacity().saturating_sub(buffer.ptr_offset());
    if buffer.as_ptr().addr().is_multiple_of(ALIGNMENT) && padded <= reachable {
        return buffer.clone();
    }
    let mut copy = MutableBuffer::with_capacity(padded);
    copy.extend_from_slice(buffer.as_slice());
    copy.into()
}

#[cfg(test)]
mod tests;
