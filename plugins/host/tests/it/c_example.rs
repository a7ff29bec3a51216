//! `plugins/examples/c/health_groups.c` is compiled as its header says and answers as its descriptor promises.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

use sextant_plugin_host::{ABSTAIN, CallError, FailureCode, Instance, Plugin};

use crate::fixture::{call, compile};

fn load() -> Plugin {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/c/health_groups.c");
    Plugin::load(&compile(
        folder.path(),
        &source,
        "health_groups",
        &["-pedantic"],
    ))
    .unwrap()
}

fn batch() -> RecordBatch {
    let arr: ArrayRef = Arc::new(Int64Array::from(vec![
        9_000_000, 9_000_000, 50_000, 50_000, 1,
    ]));
    let seat_share: ArrayRef = Arc::new(Float64Array::from(vec![0.9, 0.2, 0.9, 0.2, f64::NAN]));
    RecordBatch::try_from_iter([("revenue.arr_minor", arr), ("usage.seat_share", seat_share)])
        .unwrap()
}

#[test]
fn the_c_example_loads_and_segments() {
    let plugin = load();
    assert_eq!(plugin.descriptor().id, "example.health_groups");
    assert!(
        plugin.is_thread_safe()
            && plugin.is_deterministic()
            && plugin.is_row_independent()
            && !plugin.explains()
    );
    let mut instance = Instance::create(&plugin, "").unwrap();
    assert_eq!(
        instance.config(),
        r#"{"arr_min_minor":5000000,"seat_share_min":0.6}"#
    );
    instance.bind(batch().schema_ref()).unwrap();
    assert_eq!(
        instance.segment(&batch(), &call()).unwrap().segment,
        [0, 3, 1, 2, ABSTAIN]
    );
    assert!(matches!(
        instance.explain(&batch(), &call(), 3),
        Err(CallError::ExplainUnsupported)
    ));
}

#[test]
fn the_c_example_takes_its_config_and_stops_when_told() {
    let mut instance =
        Instance::create(&load(), r#"{"arr_min_minor": 1, "seat_share_min": 0.1}"#).unwrap();
    instance.bind(batch().schema_ref()).unwrap();
    assert_eq!(
        instance.segment(&batch(), &call()).unwrap().segment,
        [0, 0, 0, 0, ABSTAIN]
    );
    let raised = std::sync::atomic::AtomicU32::new(1);
    let cancelled = sextant_plugin_host::Call {
        cancel: Some(&raised),
        ..call()
    };
    match instance.segment(&batch(), &cancelled).unwrap_err() {
        CallError::Plugin(failure) => assert_eq!(failure.code, FailureCode::Cancelled),
        other => panic!("{other}"),
    }
}
