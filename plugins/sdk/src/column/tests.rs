#![expect(unsafe_code, reason = "opens exported arrays as a host's batch")]

use super::*;
use crate::export::{Array, Buffer};

/// An exported array, released at the end of the test.
struct Owned(ArrowArray);

impl Owned {
    fn new(array: Array) -> Self {
        Self(array.export())
    }

    /// The same buffers, seen from row `offset` on.
    fn sliced(array: Array, offset: i64, length: i64) -> Self {
        let mut owned = Self::new(array);
        owned.0.offset = offset;
        owned.0.length = length;
        owned
    }

    fn open<'a, C: Column<'a>>(&'a self) -> Result<C, InputError> {
        // SAFETY: exported above with buffers of the type that the test reads.
        C::open(unsafe { RawColumn::new(&self.0, Some(C::KIND), "test.feature", 3) }?)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: not released yet.
            unsafe { release(&raw mut self.0) };
        }
    }
}

fn nullable(rows: usize, validity: u8, values: Buffer) -> Array {
    Array {
        null_count: 1,
        ..Array::column(rows, vec![Buffer::Bytes(vec![validity]), values])
    }
}

#[test]
fn integers_are_read_in_place_and_null_is_none() {
    let owned = Owned::new(nullable(3, 0b101, Buffer::I64(vec![7, 0, -1])));
    let column: I64<'_> = owned.open().unwrap();
    assert_eq!(
        [column.get(0), column.get(1), column.get(2), column.get(3)],
        [Some(7), None, Some(-1), None]
    );
    assert_eq!(column.position(), 3);
}

#[test]
fn a_column_of_another_kind_is_not_opened() {
    let owned = Owned::new(Array::column(
        64,
        vec![Buffer::Absent, Buffer::Bytes(vec![0; 8])],
    ));
    // SAFETY: exported above with the buffers of this kind.
    let raw = unsafe { RawColumn::new(&owned.0, Some(Kind::Bool), "test.feature", 3) }.unwrap();
    let error = I64::open(raw).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column \"test.feature\": it is opened as a column of another kind than it is"
    );
    assert!(Bool::open(raw).is_ok());
}

#[test]
fn an_offset_moves_values_and_validity_together() {
    let owned = Owned::sliced(nullable(4, 0b1011, Buffer::I64(vec![1, 2, 3, 4])), 1, 3);
    let column: I64<'_> = owned.open().unwrap();
    assert_eq!(
        [column.get(0), column.get(1), column.get(2), column.get(3)],
        [Some(2), None, Some(4), None]
    );
}

#[test]
fn booleans_are_bits_from_any_offset() {
    let bits = Array::column(
        20,
        vec![
            Buffer::Absent,
            Buffer::Bytes(vec![0b1010_1010, 0b0000_1111, 0b1]),
        ],
    );
    let owned = Owned::sliced(bits, 9, 8);
    let column: Bool<'_> = owned.open().unwrap();
    let values: Vec<Option<bool>> = (0..9).map(|row| column.get(row)).collect();
    let expected = [true, true, true, false, false, false, false, true].map(Some);
    assert_eq!(values, [&expected[..], &[None]].concat());
}

fn words(texts: &[&str]) -> Array {
    let mut ends = vec![0];
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        ends.push(i32::try_from(bytes.len()).unwrap());
    }
    Array::column(
        texts.len(),
        vec![Buffer::Absent, Buffer::I32(ends), Buffer::Bytes(bytes)],
    )
}

#[test]
fn plain_text_is_cut_at_its_offsets() {
    let owned = Owned::sliced(words(&["ab", "é", "", "xyz"]), 1, 3);
    let column: Text<'_> = owned.open().unwrap();
    assert_eq!(
        [column.get(0), column.get(1), column.get(2), column.get(3)],
        [Some("é"), Some(""), Some("xyz"), None]
    );
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Light {
    Red,
    Green,
}

impl Decode for Light {
    fn decode(text: &str) -> Option<Self> {
        match text {
            "red" => Some(Self::Red),
            "green" => Some(Self::Green),
            _ => None,
        }
    }
}

#[test]
fn dictionaries_are_decoded_once_per_entry() {
    let keys = nullable(5, 0b1_1011, Buffer::I32(vec![1, 0, 0, 2, 9]));
    let dictionary = Some(Box::new(words(&["red", "green", "blue"])));
    let owned = Owned::new(Array { dictionary, ..keys });
    let column: Choice<'_, Light> = owned.open().unwrap();
    let values: Vec<Option<Light>> = (0..5).map(|row| column.get(row)).collect();
    assert_eq!(
        values,
        [Some(Light::Green), Some(Light::Red), None, None, None]
    );
    assert_eq!(column.text(3), Some("blue"));
}

#[test]
fn damaged_columns_are_errors_that_name_the_feature() {
    let too_few = Owned::new(Array::column(1, vec![Buffer::Absent]));
    assert_eq!(
        too_few.open::<I64<'_>>().unwrap_err().to_string(),
        "column \"test.feature\": it has too few buffers"
    );
    let missing = Owned::new(Array::column(1, vec![Buffer::Absent, Buffer::Absent]));
    assert_eq!(
        missing.open::<F64<'_>>().unwrap_err().message,
        "a buffer is missing"
    );
    let binary = Array::column(
        1,
        vec![
            Buffer::Absent,
            Buffer::I32(vec![0, 1]),
            Buffer::Bytes(vec![0xFF]),
        ],
    );
    assert_eq!(
        Owned::new(binary).open::<Text<'_>>().unwrap_err().message,
        "its text is not UTF-8"
    );
    let negative = Owned::sliced(words(&["a"]), -1, 1);
    assert_eq!(
        negative.open::<Text<'_>>().unwrap_err().message,
        "its length or offset is negative"
    );
}

#[test]
fn columns_without_rows_need_no_buffers() {
    let empty = Owned::new(Array::column(
        0,
        vec![Buffer::Absent, Buffer::Absent, Buffer::Absent],
    ));
    assert_eq!(empty.open::<I64<'_>>().unwrap().get(0), None);
    assert_eq!(empty.open::<Bool<'_>>().unwrap().get(0), None);
    assert_eq!(empty.open::<Text<'_>>().unwrap().get(0), None);
}
