//! Segmenters written with the SDK that are not built in: the example of the README, and one that panics.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

use sextant_plugin_host::{ABSTAIN, CallError, FailureCode, Instance, Plugin};

use crate::fixture::{built_in_folder, call};

/// Rows of the segmenter that panics.
fn values<const N: usize>(values: [Option<i64>; N]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("revenue.mrr_minor", column, true)]).unwrap()
}

fn panicking() -> Plugin {
    Plugin::load(&built_in_folder().join("libsextant_fixture_panicking.so")).unwrap()
}

fn bound(batch: &RecordBatch) -> Instance {
    let mut instance = Instance::create(&panicking(), "").unwrap();
    instance.bind(batch.schema_ref()).unwrap();
    instance
}

fn panic_of(error: CallError) -> String {
    match error {
        CallError::Plugin(failure) if failure.code == FailureCode::Panic => failure.message,
        other => panic!("{other}"),
    }
}

#[test]
fn a_panic_is_an_error_with_its_place_and_the_process_lives() {
    let batch = values([Some(1), Some(13)]);
    let instance = bound(&batch);
    let message = panic_of(instance.segment(&batch, &call()).unwrap_err());
    assert!(
        message.starts_with("unlucky row 1 (") && message.contains("lib.rs:"),
        "{message}"
    );
    assert!(instance.is_poisoned());
    assert!(matches!(
        instance.segment(&values([Some(1)]), &call()),
        Err(CallError::Poisoned)
    ));
    assert!(matches!(
        instance.explain(&values([Some(1)]), &call(), 1),
        Err(CallError::Poisoned)
    ));
    drop(instance);
    assert_eq!(
        bound(&batch)
            .segment(&values([Some(1)]), &call())
            .unwrap()
            .segment,
        [1]
    );
}

#[test]
fn a_panic_in_create_is_an_error() {
    let message = panic_of(Instance::create(&panicking(), r#"{"panic":true}"#).unwrap_err());
    assert!(
        message.starts_with("asked to panic in create ("),
        "{message}"
    );
}

#[test]
fn scores_and_confidences_come_back_at_their_rows() {
    let batch = values([None, Some(2), None, Some(3)]);
    let answers = bound(&batch).segment(&batch, &call()).unwrap();
    assert_eq!(answers.segment, [ABSTAIN, 0, ABSTAIN, 1]);
    let bits = |values: Option<Vec<f32>>| {
        values
            .unwrap()
            .into_iter()
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        bits(answers.score),
        [f32::NAN, 0.5, f32::NAN, 0.5].map(f32::to_bits)
    );
    assert_eq!(
        bits(answers.confidence),
        [f32::NAN, 1.0, f32::NAN, 1.0].map(f32::to_bits)
    );
    let nothing = values([None]);
    let answers = bound(&nothing).segment(&nothing, &call()).unwrap();
    assert!(answers.score.unwrap()[0].is_nan() && answers.confidence.unwrap()[0].is_nan());
}

#[test]
fn every_column_type_arrives_also_from_a_slice() {
    let columns: [(&str, ArrayRef); 4] = [
        (
            "revenue.mrr_minor",
            Arc::new(Int64Array::from(vec![0, 4, 6])),
        ),
        (
            "test.text",
            Arc::new(StringArray::from(vec![Some("x"), None, Some("zwölf")])),
        ),
        (
            "test.flag",
            Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
        ),
        (
            "test.at",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1), None, Some(3)]).with_timezone("UTC"),
            ),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let reasons = bound(&batch)
        .explain(&batch.slice(1, 2), &call(), 9)
        .unwrap();
    let text: Vec<Vec<String>> = reasons
        .into_iter()
        .map(|row| row.into_iter().filter_map(|reason| reason.text).collect())
        .collect();
    assert_eq!(
        text,
        [
            ["value Some(4)", "text None", "flag Some(false)", "at None"],
            [
                "value Some(6)",
                "text Some(\"zwölf\")",
                "flag Some(true)",
                "at Some(3)"
            ],
        ]
    );
}

#[test]
fn the_example_of_the_readme_loads_and_answers() {
    let plugin = Plugin::load(&built_in_folder().join("libexample_team_size.so")).unwrap();
    let seats: ArrayRef = Arc::new(Int64Array::from(vec![Some(10), Some(80), None]));
    let share: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 0.25, 0.1]));
    let columns = [("revenue.seats", seats), ("usage.seat_share", share)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut instance = Instance::create(&plugin, "{}").unwrap();
    instance.bind(batch.schema_ref()).unwrap();
    assert_eq!(
        instance.segment(&batch, &call()).unwrap().segment,
        [0, 1, ABSTAIN]
    );
    let reasons = instance.explain(&batch, &call(), 2).unwrap();
    assert_eq!(
        reasons[1][0].text.as_deref(),
        Some("80 seats; large starts at 50")
    );
    assert_eq!(
        reasons[2][0].text.as_deref(),
        Some("revenue.seats is unknown")
    );
}
