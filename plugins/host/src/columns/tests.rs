use super::*;

fn is_laid_out(data: &ArrayData) -> bool {
    let fits = |buffer: &Buffer| buffer.as_ptr().addr().is_multiple_of(ALIGNMENT);
    data.buffers().iter().all(fits)
        && data.nulls().is_none_or(|nulls| fits(nulls.buffer()))
        && data.child_data().iter().all(is_laid_out)
}

#[test]
fn aligned_buffers_are_passed_on_and_others_copied() {
    let mut buffer = MutableBuffer::with_capacity(128);
    buffer.extend_from_slice(&(0..16_i64).collect::<Vec<_>>());
    let array = Int64Array::new(Buffer::from(buffer).into(), None);
    let passed = laid_out(array.to_data());
    assert_eq!(
        passed.buffers()[0].as_ptr(),
        array.values().inner().as_ptr()
    );
    let slice = array.slice(1, 15);
    let copied = laid_out(slice.to_data());
    assert!(is_laid_out(&copied));
    assert_eq!(Int64Array::from(copied), slice);
}

#[test]
fn dictionaries_and_validity_are_laid_out_too() {
    let array: DictionaryArray<Int32Type> = [Some("a"), None, Some("b"), Some("a")]
        .into_iter()
        .collect();
    let slice = array.slice(1, 3);
    let data = laid_out(slice.to_data());
    assert!(is_laid_out(&data));
    assert_eq!(DictionaryArray::<Int32Type>::from(data), slice);
}

#[test]
fn a_bitmap_without_nulls_is_dropped() {
    let array = Int64Array::new(vec![1, 2].into(), Some(NullBuffer::new_valid(2)));
    assert!(laid_out(array.to_data()).nulls().is_none());
}

#[test]
fn defaults_replace_nulls_in_every_type() {
    let check = |column: ArrayRef, default: DefaultValue, expected: ArrayRef| {
        assert_eq!(&filled(&column, &default), &expected);
    };
    check(
        Arc::new(Int64Array::from(vec![None, Some(2)])),
        DefaultValue::Int64(7),
        Arc::new(Int64Array::from(vec![7, 2])),
    );
    check(
        Arc::new(Float64Array::from(vec![None, Some(2.0)])),
        DefaultValue::Float64(0.5),
        Arc::new(Float64Array::from(vec![0.5, 2.0])),
    );
    check(
        Arc::new(BooleanArray::from(vec![None, Some(false)])),
        DefaultValue::Bool(true),
        Arc::new(BooleanArray::from(vec![true, false])),
    );
    check(
        Arc::new(StringArray::from(vec![None, Some("b")])),
        DefaultValue::Text("a".to_owned()),
        Arc::new(StringArray::from(vec!["a", "b"])),
    );
    check(
        Arc::new(
            [None, Some("b")]
                .into_iter()
                .collect::<DictionaryArray<Int32Type>>(),
        ),
        DefaultValue::Text("a".to_owned()),
        Arc::new(
            ["a", "b"]
                .into_iter()
                .collect::<DictionaryArray<Int32Type>>(),
        ),
    );
    check(
        Arc::new(TimestampMicrosecondArray::from(vec![None, Some(2)]).with_timezone("UTC")),
        DefaultValue::Int64(1),
        Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC")),
    );
}
