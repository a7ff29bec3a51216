//! The built-in segmenters, loaded from their `.so` files as the service loads them.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array as _, ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use serde_json::Value;

use sextant_plugin_host::{
    ABSTAIN, CallError, Example, FailureCode, FeatureType, Instance, Plugin, discover,
};

use crate::fixture::{built_in, built_in_folder, call};

const NAMES: [&str; 3] = ["lifecycle", "rfm", "value_tiers"];

#[test]
fn every_built_in_is_discovered_and_passes_every_check() {
    let found: Vec<Plugin> = discover(&built_in_folder())
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let ids: Vec<&str> = found
        .iter()
        .map(|plugin| plugin.descriptor().id.as_str())
        .collect();
    assert_eq!(ids, NAMES.map(|name| format!("sextant.{name}")));
    for plugin in &found {
        assert!(
            plugin.explains()
                && plugin.is_thread_safe()
                && plugin.is_deterministic()
                && plugin.is_row_independent()
        );
        assert_eq!(plugin.digest_hex().len(), 64);
        for segment in &plugin.descriptor().segments {
            assert!(
                !segment.title.get("en").is_empty() && !segment.description.get("en").is_empty()
            );
            assert!(
                segment
                    .color
                    .as_ref()
                    .is_some_and(|color| color.starts_with('#') && color.len() == 7)
            );
        }
    }
}

/// The rows of an example as the service would send them.
fn batch(plugin: &Plugin, example: &Example) -> RecordBatch {
    let features = &plugin.descriptor().features;
    let column = |k: usize| -> ArrayRef {
        let cells = example.rows.iter().map(|row| &row[k]);
        match features[k].kind {
            FeatureType::Int64 => Arc::new(Int64Array::from_iter(cells.map(Value::as_i64))),
            FeatureType::Float64 => Arc::new(Float64Array::from_iter(cells.map(Value::as_f64))),
            FeatureType::Dictionary => Arc::new(
                cells
                    .map(Value::as_str)
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
            other => panic!("no built-in reads {other:?}"),
        }
    };
    let columns = features
        .iter()
        .enumerate()
        .map(|(k, feature)| (feature.name.as_str(), column(k), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn the_examples_of_every_built_in_hold_in_the_host() {
    for name in NAMES {
        let plugin = built_in(name);
        assert!(!plugin.descriptor().examples.is_empty());
        for example in &plugin.descriptor().examples {
            let batch = batch(&plugin, example);
            let mut instance = Instance::create(&plugin, &example.config.to_string()).unwrap();
            instance.bind(batch.schema_ref()).unwrap();
            let answers = instance.segment(&batch, &call()).unwrap();
            let expected: Vec<u16> = example
                .expect
                .iter()
                .map(|key| {
                    key.as_ref().map_or(ABSTAIN, |key| {
                        plugin.descriptor().segment_index(key).unwrap()
                    })
                })
                .collect();
            assert_eq!(answers.segment, expected, "{name}");
            assert_eq!(
                instance.segment(&batch, &call()).unwrap(),
                answers,
                "{name}: a second run differs"
            );
        }
    }
}

#[test]
fn answers_do_not_depend_on_how_a_batch_is_cut() {
    for name in NAMES {
        let plugin = built_in(name);
        let example = &plugin.descriptor().examples[0];
        let batch = batch(&plugin, example);
        let mut instance = Instance::create(&plugin, &example.config.to_string()).unwrap();
        instance.bind(batch.schema_ref()).unwrap();
        let whole = instance.segment(&batch, &call()).unwrap();
        let reasons = instance.explain(&batch, &call(), 9).unwrap();
        for (row, reasons) in reasons.iter().enumerate() {
            let one = batch.slice(row, 1);
            let answer = instance.segment(&one, &call()).unwrap();
            assert_eq!(answer.segment, [whole.segment[row]], "{name} {row}");
            let again = instance.explain(&one, &call(), 9).unwrap();
            assert_eq!(&again[0], reasons, "{name} {row}");
        }
    }
}

fn rfm_batch() -> RecordBatch {
    let column =
        |values: [Option<i64>; 3]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    RecordBatch::try_from_iter_with_nullable([
        ("rfm.recency", column([Some(2), None, Some(5)]), true),
        ("rfm.frequency", column([Some(5), Some(1), Some(5)]), true),
        ("rfm.monetary", column([Some(4), None, Some(5)]), true),
        (
            "purchase.days_since_last",
            column([Some(143), None, None]),
            true,
        ),
    ])
    .unwrap()
}

#[test]
fn reasons_are_sentences_and_missing_features_are_named() {
    let plugin = built_in("rfm");
    let mut instance = Instance::create(&plugin, "").unwrap();
    instance.bind(rfm_batch().schema_ref()).unwrap();
    let reasons = instance.explain(&rfm_batch(), &call(), 2).unwrap();
    let text: Vec<Vec<&str>> = reasons
        .iter()
        .map(|row| {
            row.iter()
                .map(|reason| reason.text.as_deref().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(
        text,
        [
            vec![
                "frequency 5 of 5",
                "recency 2 of 5: last purchase 143 days ago"
            ],
            vec!["no account could be scored at the last day close"],
            vec!["recency 5 of 5", "frequency 5 of 5"],
        ]
    );
    assert_eq!(
        plugin.descriptor().features[usize::from(reasons[0][0].feature_index)].name,
        "rfm.frequency"
    );
    assert_eq!(
        instance.explain(&rfm_batch(), &call(), 1).unwrap()[1].len(),
        1
    );
}

#[test]
fn a_config_is_checked_by_the_schema_and_then_by_the_segmenter() {
    let plugin = built_in("value_tiers");
    match Instance::create(&plugin, r#"{"mode":"guess"}"#).unwrap_err() {
        CallError::Config(faults) => assert_eq!(faults[0].pointer, "/mode"),
        other => panic!("{other}"),
    }
    match Instance::create(&plugin, r#"{"high_percentile":99.5}"#).unwrap_err() {
        CallError::Plugin(failure) => {
            assert_eq!(
                (failure.code, failure.field.as_str()),
                (FailureCode::InvalidConfig, "/high_percentile")
            );
        },
        other => panic!("{other}"),
    }
    assert_eq!(
        built_in("lifecycle")
            .canonical_config(r#"{"onboarding_days":14.0}"#)
            .unwrap(),
        r#"{"established_after_days":120,"established_min_active_days":4,"onboarding_days":14,"paused_churn_days":90,"won_back_days":30}"#
    );
}

#[test]
fn a_stage_follows_from_the_last_one_and_sliced_dictionaries_are_read_right() {
    let text = |values: &[Option<&str>]| -> ArrayRef {
        Arc::new(
            values
                .iter()
                .copied()
                .collect::<DictionaryArray<Int32Type>>(),
        )
    };
    let days = |values: &[Option<i64>]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    let status = [
        Some("none"),
        Some("active"),
        Some("active"),
        None,
        Some("active"),
    ];
    let previous = [
        None,
        Some("churned_voluntary"),
        Some("won_back"),
        None,
        Some("established"),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("subscription.status", text(&status), true),
        (
            "subscription.paying_days",
            days(&[None, Some(1), Some(31), Some(5), Some(500)]),
            true,
        ),
        ("subscription.days_since_churn", days(&[None; 5]), true),
        ("subscription.churn_kind", text(&[None; 5]), true),
        ("account.age_days", days(&[Some(9); 5]), true),
        (
            "usage.active_days_28d",
            days(&[None, None, None, None, Some(0)]),
            true,
        ),
        ("self.previous_segment", text(&previous), true),
    ])
    .unwrap();
    let plugin = built_in("lifecycle");
    let mut instance = Instance::create(&plugin, "").unwrap();
    instance.bind(batch.schema_ref()).unwrap();
    let answers = instance.segment(&batch.slice(1, 4), &call()).unwrap();
    let stage = |index: u16| {
        plugin
            .descriptor()
            .segments
            .get(usize::from(index))
            .map(|segment| segment.key.as_str())
    };
    let stages: Vec<Option<&str>> = answers.segment.iter().map(|index| stage(*index)).collect();
    assert_eq!(
        stages,
        [
            Some("won_back"),
            Some("adopting"),
            None,
            Some("established")
        ]
    );
    let dictionary = batch
        .column(0)
        .as_any()
        .downcast_ref::<DictionaryArray<Int32Type>>()
        .unwrap();
    assert!(dictionary.values().as_any().is::<StringArray>());
}
