//! What the check finds of servers whose answers break the contract.

use std::time::Duration;

use sextant_plugin_host::conformance::{Outcome, Verdict, ids, judge_server};
use sextant_plugin_host::{Allowance, Server};

use super::{Model, Running, Way};
use crate::fixture::{DESCRIPTOR, hosts};

/// A descriptor whose configurations have features and segments of their own.
fn dynamic() -> String {
    let segments = r#""segments":[{"key":"zero"},{"key":"one"},{"key":"two"}]"#;
    let dynamic =
        r#""dynamic_features":true,"feature_scope":["test.*"],"dynamic_segments":{"max":4}"#;
    DESCRIPTOR.replace(segments, dynamic)
}

fn judged(descriptor: &str, way: Way) -> Vec<Verdict> {
    let model = Model::new();
    descriptor.clone_into(&mut model.descriptor.lock().unwrap());
    model.go(way);
    let running = Running::start(&model, "127.0.0.1:0");
    let mut allowance = Allowance::default();
    if way == Way::Hangs {
        allowance.longest_call = Duration::from_millis(50);
    }
    judge_server(&hosts(), &running.server(), &allowance)
}

fn failed(verdicts: &[Verdict]) -> Vec<&Verdict> {
    let failed = verdicts.iter().filter(|one| one.outcome == Outcome::Fail);
    failed.collect()
}

#[test]
fn a_right_server_fails_no_test_and_what_is_about_processes_is_skipped() {
    for descriptor in [DESCRIPTOR.to_owned(), dynamic()] {
        let verdicts = judged(&descriptor, Way::Right);
        assert_eq!(failed(&verdicts), Vec::<&Verdict>::new());
        let of_answers: Vec<&str> = verdicts.iter().map(|one| one.id).collect();
        assert!(ids().collect::<Vec<_>>().ends_with(&of_answers));
        for one in &verdicts {
            let is_of_a_process = one.id == "D-offset"
                || (one.id.starts_with(['R', 'P', 'B', 'F']) && one.id != "P-explain");
            if !one.id.starts_with('Q') && one.id != "C-segments" {
                assert_eq!(one.outcome == Outcome::Skipped, is_of_a_process, "{one:?}");
            }
        }
    }
}

#[test]
fn a_server_whose_answers_break_the_contract_fails_the_test_of_it() {
    let plain = DESCRIPTOR.to_owned();
    for (descriptor, way, id, what) in [
        (&plain, Way::Hangs, "D-one", "it did not answer in time"),
        (&plain, Way::OtherType, "D-one", "its columns are not"),
        (&plain, Way::OneRowLess, "D-one", "it has 0 rows"),
        (&plain, Way::FarSegment, "D-one", "is in segment 7"),
        (&plain, Way::NoBatch, "D-empty", "it is no Arrow stream"),
        (&plain, Way::ManyReasons, "C-explain", "has 9 reasons"),
        (&plain, Way::NoReasons, "C-explain", "there is no reason"),
        (&plain, Way::Counts, "X-again", "give other answers"),
        (&plain, Way::FirstRow, "X-order", "the rows around it"),
        (
            &dynamic(),
            Way::OutsideScope,
            "Q-lists",
            "outside of feature_scope",
        ),
        (
            &dynamic(),
            Way::ManySegments,
            "Q-lists",
            "must list 1 to 4 segments",
        ),
        (&dynamic(), Way::OtherSegments, "Q-stable", "other segments"),
    ] {
        let verdicts = judged(descriptor, way);
        let failed = failed(&verdicts);
        let found = failed.iter().find(|one| one.id == id);
        let found = found.unwrap_or_else(|| panic!("{way:?}: not by {id}, but by {failed:#?}"));
        assert!(found.what.contains(what), "{way:?}: {found:?}");
    }
}

#[test]
fn a_server_that_is_away_or_says_nothing_sound_is_told_by_one_check() {
    let away = Server {
        address: "http://127.0.0.1:1".to_owned(),
        token: None,
    };
    let away = judge_server(&hosts(), &away, &Allowance::default());
    let unsound = judged(r#"{"id":"test.fixture"}"#, Way::Right);
    for (verdicts, id) in [(away, "R-answers"), (unsound, "V-descriptor-schema")] {
        let failed: Vec<&str> = failed(&verdicts).iter().map(|one| one.id).collect();
        assert_eq!(failed, [id]);
        let mut others = verdicts.iter().filter(|one| one.id != id);
        assert!(others.all(|one| one.outcome == Outcome::Skipped));
    }
}
