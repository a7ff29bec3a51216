//! Segmenters that are fitted, and whose configurations have features and segments of their own.

use std::path::Path;
use std::time::Duration;

use arrow_array::RecordBatch;
use serde_json::{Value, json};

use sextant_plugin_host::{
    Allowance, Assignments, CallError, External, ExternalInstance, FailureCode, Plugin, Segmenter,
    State, Trouble, Verified, rows,
};

use crate::fixture::{built_in_folder, call, compile, hosts};

/// Levels by the mean of the population; with a defect.
fn levels(defect: u32, allowance: Allowance) -> External {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mutants_fit.c");
    let path = compile(
        folder.path(),
        &source,
        "levels",
        &[&format!("-DDEFECT={defect}"), "-lm"],
    );
    External::start(&hosts(), Verified::read(&path).unwrap(), allowance).unwrap()
}

fn batch(plugin: &External, config: &str, values: &[Vec<Value>]) -> RecordBatch {
    let canonical = plugin.descriptor().config_schema.canonical(config).unwrap();
    let descriptor = plugin.configured(&canonical, None).unwrap();
    rows::of_values(&descriptor, values).unwrap()
}

fn amounts(amounts: &[i64]) -> Vec<Vec<Value>> {
    amounts
        .iter()
        .map(|one| vec![json!(one), Value::Null])
        .collect()
}

fn keys(instance: &ExternalInstance, answers: &Assignments) -> Vec<String> {
    let segments = &instance.descriptor().segments;
    let keys = answers.segment.iter();
    keys.map(|index| segments[usize::from(*index)].key.clone())
        .collect()
}

#[test]
fn a_fit_leaves_a_state_from_which_every_process_answers() {
    let plugin = levels(0, Allowance::default());
    let population = [
        batch(&plugin, "{}", &amounts(&[10, 20])),
        batch(&plugin, "{}", &amounts(&[30])),
    ];
    let state = plugin.fit("{}", &population, &call()).unwrap();
    assert_eq!(state, plugin.fit("{}", &population, &call()).unwrap());
    let rows = batch(&plugin, "{}", &amounts(&[1, 20, 100]));
    let config = r#"{"levels": 2}"#;
    for (config, expected) in [
        ("{}", ["level_0", "level_1", "level_2"]),
        (config, ["level_0", "level_1", "level_1"]),
    ] {
        let setup = (config, Some(&state));
        let instance = ExternalInstance::with_state(&plugin, setup, rows.schema_ref()).unwrap();
        let answers = instance.segment(&rows, &call()).unwrap();
        assert_eq!(keys(&instance, &answers), expected);
    }
    let other = levels(0, Allowance::default());
    let instance = ExternalInstance::with_state(&other, ("{}", Some(&state)), rows.schema_ref());
    let instance = instance.unwrap();
    let answers = instance.segment(&rows, &call()).unwrap();
    assert_eq!(keys(&instance, &answers), ["level_0", "level_1", "level_2"]);
}

#[test]
fn a_process_that_is_lost_gets_the_state_again() {
    let plugin = levels(98, Allowance::default());
    let state = plugin
        .fit("{}", &[batch(&plugin, "{}", &amounts(&[20]))], &call())
        .unwrap();
    let rows = batch(&plugin, "{}", &amounts(&[1, 666, 100]));
    let setup = ("{}", Some(&state));
    let instance = ExternalInstance::with_state(&plugin, setup, rows.schema_ref()).unwrap();
    let answers = instance.segment(&rows, &call()).unwrap();
    assert!(plugin.losses() > 1);
    assert_eq!(answers.unanswered.len(), 1);
    assert!(matches!(answers.trouble_of(1), Some(Trouble::Crashed(_))));
    let segments = &instance.descriptor().segments;
    let key = |row: usize| segments[usize::from(answers.segment[row])].key.as_str();
    assert_eq!((key(0), key(2)), ("level_0", "level_2"));
}

#[test]
fn what_was_not_fitted_says_so() {
    let plugin = levels(0, Allowance::default());
    let rows = batch(&plugin, "{}", &amounts(&[1]));
    let instance = ExternalInstance::create(&plugin, "{}", rows.schema_ref()).unwrap();
    match instance.segment(&rows, &call()).unwrap_err() {
        CallError::Plugin(failure) => assert_eq!(failure.code, FailureCode::NotFitted),
        other => panic!("{other}"),
    }
    let foreign = State::new(&b"another model's"[..]);
    let setup = ("{}", Some(&foreign));
    match ExternalInstance::with_state(&plugin, setup, rows.schema_ref()).unwrap_err() {
        CallError::Plugin(failure) => assert_eq!(failure.code, FailureCode::State),
        other => panic!("{other}"),
    }
}

#[test]
fn a_fit_that_crashes_or_takes_too_long_is_one_that_failed() {
    let plugin = levels(93, Allowance::default());
    let many = batch(&plugin, "{}", &amounts(&[7; 200]));
    match plugin
        .fit("{}", std::slice::from_ref(&many), &call())
        .unwrap_err()
    {
        CallError::Lost(Trouble::Crashed(crash)) => assert_eq!(crash.signal, Some(6)),
        other => panic!("{other}"),
    }
    // The process that serves is another one.
    assert_eq!(plugin.losses(), 0);
    let passes = levels(88, Allowance::default()).fit("{}", std::slice::from_ref(&many), &call());
    let CallError::Output { what } = passes.unwrap_err() else {
        panic!("32 passes are the most");
    };
    assert!(what.contains("more than 32 passes"), "{what}");
    let hasty = Allowance {
        longest_fit: Duration::from_nanos(1),
        ..Allowance::default()
    };
    let late = levels(0, hasty).fit("{}", &[many], &call());
    assert!(
        matches!(late, Err(CallError::Lost(Trouble::Overran))),
        "{late:?}"
    );
}

#[test]
fn features_outside_of_the_scope_are_refused() {
    let refused = levels(71, Allowance::default())
        .configured("{\"feature\":\"test.share\",\"levels\":3}", None);
    let CallError::Output { what } = refused.unwrap_err() else {
        panic!("it is the plugin's fault");
    };
    assert!(
        what.contains("\"other.share\" is outside of feature_scope"),
        "{what}"
    );
}

#[test]
fn clusters_answer_the_same_in_the_service_and_in_a_process_of_their_own() {
    let path = built_in_folder().join("libexample_clusters.so");
    let external = External::start(
        &hosts(),
        Verified::read(&path).unwrap(),
        Allowance::default(),
    );
    let external = external.unwrap();
    let config = r#"{"counts": ["revenue.seats"], "shares": ["usage.seat_share"], "clusters": 3}"#;
    let population: Vec<Vec<Value>> = (0..9_000)
        .map(|k| {
            let (seats, share) = [(10, 0.1), (12, 0.9), (500, 0.5)][k % 3];
            vec![
                json!(seats + k / 3 % 7),
                json!(share + (k % 5) as f64 / 100.0),
            ]
        })
        .collect();
    let rows = batch(&external, config, &population);
    let halves = [rows.slice(0, 4_500), rows.slice(4_500, 4_500)];
    let state = external.fit(config, &halves, &call()).unwrap();
    let here = Segmenter::from(Plugin::load(&path).unwrap());
    assert!(matches!(
        here.fit(config, &halves, &call()),
        Err(CallError::FitUnsupported)
    ));
    let there = Segmenter::from(external);
    let asked = [here, there].map(|segmenter| {
        let bound = segmenter
            .bind(config, Some(&state), rows.schema_ref())
            .unwrap();
        assert_eq!(bound.descriptor().segments.len(), 3);
        let reasons = bound.explain(&rows.slice(0, 3), &call(), 2).unwrap();
        (bound.segment(&rows, &call()).unwrap(), reasons)
    });
    assert_eq!(asked[0], asked[1]);
    // Three groups that are far apart are three clusters.
    let found = &asked[0].0.segment;
    for k in 0..population.len() {
        assert_eq!(found[k], found[k % 3], "row {k}");
    }
    assert_eq!(
        found[2], 0,
        "clusters are in the order of their first feature"
    );
}
