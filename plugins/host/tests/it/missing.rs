//! What happens to rows without a value, by the descriptor's `on_missing`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use sextant_plugin_host::{CallError, Instance};

use crate::fixture::{DESCRIPTOR, Fixture, call, values};

fn with_policy(policy: &str) -> Fixture {
    let descriptor = DESCRIPTOR.replace("\"on_missing\":\"skip_row\"", policy);
    Fixture {
        descriptor,
        ..Fixture::default()
    }
}

#[test]
fn a_default_stands_in_for_a_missing_value() {
    let instance = with_policy(r#""on_missing":"default","default":2"#).instance();
    let answers = instance
        .segment(&values([Some(0), None, Some(1)]), &call())
        .unwrap();
    assert_eq!(
        (answers.segment.as_slice(), answers.missing.len()),
        (&[0, 2, 1][..], 0)
    );
}

#[test]
fn fail_names_the_feature_and_the_row() {
    let instance = with_policy(r#""on_missing":"fail""#).instance();
    let error = instance
        .segment(&values([Some(0), None]), &call())
        .unwrap_err();
    assert!(
        matches!(&error, CallError::ValueMissing { feature, row: 1 } if feature == "test.value"),
        "{error}"
    );
    assert_eq!(
        instance
            .segment(&values([Some(0)]), &call())
            .unwrap()
            .segment,
        [0]
    );
}

#[test]
fn null_reaches_the_segmenter_with_its_bitmap() {
    let body = "const uint8_t *valid = in->children[0]->buffers[0]; \
                if (in->children[0]->null_count != 1 || valid == NULL || (valid[0] & 7) != 5) return SEG_E_INVALID_INPUT; \
                static const int64_t seen[3] = {1, 1, 1}; return answer(out, seen, rows);";
    let fixture = Fixture {
        segment: body.to_owned(),
        ..with_policy(r#""on_missing":"null""#)
    };
    let answers = fixture
        .instance()
        .segment(&values([Some(0), None, Some(0)]), &call())
        .unwrap();
    assert_eq!(answers.segment, [1, 1, 1]);
}

#[test]
fn only_null_columns_carry_a_bitmap_and_buffers_are_aligned() {
    let body = "if (in->children[0]->buffers[0] != NULL || (uintptr_t)in->children[0]->buffers[1] % 64 != 0) \
                return SEG_E_INVALID_INPUT; return answer(out, values, rows);";
    let instance = Fixture {
        segment: body.to_owned(),
        ..Fixture::default()
    }
    .instance();
    let batch = values([Some(0), Some(1), None, Some(2)]);
    assert_eq!(
        instance
            .segment(&batch.slice(1, 1), &call())
            .unwrap()
            .segment,
        [1]
    );
    assert_eq!(
        instance
            .segment(&batch.slice(1, 3), &call())
            .unwrap()
            .segment[2],
        2
    );
}

#[test]
fn an_optional_feature_that_is_not_there_is_all_null() {
    let optional = r#""segments":["#;
    let declared =
        r#""optional":[{"feature":"test.other","type":"dictionary<int32, utf8>"}],"segments":["#;
    let body = "struct ArrowArray *other = in->children[1]; \
                if (in->n_children != 2 || other->length != rows || other->null_count != rows) return SEG_E_INVALID_INPUT; \
                return answer(out, values, rows);";
    let descriptor = DESCRIPTOR.replace(optional, declared);
    let fixture = Fixture {
        segment: body.to_owned(),
        descriptor,
        ..Fixture::default()
    };
    assert_eq!(
        fixture
            .instance()
            .segment(&values([Some(1), Some(2)]), &call())
            .unwrap()
            .segment,
        [1, 2]
    );
}

#[test]
fn columns_are_found_by_name_and_checked_by_type() {
    let plugin = Fixture::default().load().unwrap();
    let mut instance = Instance::create(&plugin, "{}").unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    let wrong = RecordBatch::try_from_iter([("test.value", Arc::clone(&text))]).unwrap();
    let error = instance.bind(wrong.schema_ref()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "feature \"test.value\" has type Utf8, the segmenter declares Int64"
    );
    let none = RecordBatch::try_from_iter([("test.text", Arc::clone(&text))]).unwrap();
    let error = instance.bind(none.schema_ref()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the segmenter requires feature \"test.value\", which is not among the columns"
    );
    let wide = RecordBatch::try_from_iter([("test.text", text), ("test.value", number)]).unwrap();
    instance.bind(wide.schema_ref()).unwrap();
    assert_eq!(instance.segment(&wide, &call()).unwrap().segment, [2]);
    let error = instance.segment(&values([Some(1)]), &call()).unwrap_err();
    assert!(
        matches!(&error, CallError::BatchChanged { feature } if feature == "test.value"),
        "{error}"
    );
}

#[test]
fn a_config_that_breaks_the_schema_never_reaches_the_segmenter() {
    let plugin = Fixture::default().load().unwrap();
    let error = Instance::create(&plugin, r#"{"speed":9}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration breaks rules of the segmenter; \
         config \"/speed\": is not known; this segmenter has no configuration"
    );
}
