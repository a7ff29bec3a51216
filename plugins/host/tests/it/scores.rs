//! Segmenters that answer scores, and columns of lists.

use std::path::Path;

use serde_json::{Value, json};

use sextant_plugin_host::{
    ABSTAIN, CallError, External, Plugin, Segmenter, Verified, conformance, rows,
};

use crate::fixture::{call, compile, hosts};

fn built(folder: &Path, format: &str) -> std::path::PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scores.c");
    compile(
        folder,
        &source,
        "scores",
        &[&format!("-DFORMAT=\"{format}\"")],
    )
}

fn both(folder: &Path, format: &str) -> [Segmenter; 2] {
    let path = built(folder, format);
    let external = External::start(
        &hosts(),
        Verified::read(&path).unwrap(),
        sextant_plugin_host::Allowance::default(),
    );
    [
        Plugin::load(&path).unwrap().into(),
        external.unwrap().into(),
    ]
}

#[test]
fn scores_are_cut_into_segments_by_what_each_takes_at_least() {
    let folder = tempfile::tempdir().unwrap();
    let lists: [(Value, &str); 8] = [
        (json!([10.0]), "high"),
        (json!([9.0, 10.9]), "middle"),
        (json!([2.5, 2.5]), "middle"),
        (json!([2.0, 2.0, 2.0]), "rest"),
        (json!([-1e30]), "rest"),
        (json!([]), ""),
        (json!([1.0, null]), ""),
        (Value::Null, ""),
    ];
    let values: Vec<Vec<Value>> = lists.iter().map(|(list, _)| vec![list.clone()]).collect();
    for segmenter in both(folder.path(), "f") {
        let descriptor = segmenter.descriptor().clone();
        let batch = rows::of_values(&descriptor, &values).unwrap();
        let bound = segmenter.bind("{}", None, batch.schema_ref()).unwrap();
        // Lists also where they begin in the middle of a buffer.
        for start in [0, 3] {
            let answers = bound
                .segment(&batch.slice(start, 8 - start), &call())
                .unwrap();
            for (answer, (list, expected)) in answers.segment.iter().zip(&lists[start..]) {
                let found = match *answer {
                    ABSTAIN => "",
                    index => descriptor.segments[usize::from(index)].key.as_str(),
                };
                assert_eq!(found, *expected, "{list}");
            }
            let scores = answers.score.unwrap();
            assert!(scores[scores.len() - 1].is_nan());
            assert_eq!(answers.missing.len(), 1);
        }
    }
}

#[test]
fn a_column_of_another_type_is_no_score() {
    let folder = tempfile::tempdir().unwrap();
    for segmenter in both(folder.path(), "g") {
        let schema = rows::schema(segmenter.descriptor());
        match segmenter.bind("{}", None, &schema).unwrap_err() {
            CallError::Output { what } => {
                assert!(what.contains("expected: score float32"), "{what}");
            },
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_segmenter_of_scores_and_lists_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = built(folder.path(), "f");
    let allowance = sextant_plugin_host::Allowance::default();
    let verdicts = conformance::judge(&hosts(), &path, &allowance);
    let failed = verdicts.iter().filter(|one| {
        one.outcome == conformance::Outcome::Fail && !["P-time", "R-cancel"].contains(&one.id)
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
