//! A segmenter in a process of its own answers as it does in this one, and comes back when its process is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use sextant_plugin_host::{
    Allowance, Call, CallError, Crash, Deadline, External, ExternalInstance, Instance, Plugin,
    Trouble, Verified,
};

use crate::fixture::{Fixture, bound, built_in_folder, call, hosts, values};

fn built_in(name: &str) -> (External, Plugin) {
    let path = built_in_folder().join(format!("libsextant_segmenter_{name}.so"));
    let file = Verified::read(&path).unwrap();
    let isolated = External::start(&hosts(), file, Allowance::default()).unwrap();
    (isolated, Plugin::load(&path).unwrap())
}

/// Accounts with gaps, as `rfm` and `value_tiers` read them.
fn accounts(rows: usize) -> RecordBatch {
    let seed = 20_261_130;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut integers = |most: i64| -> ArrayRef {
        let cells = (0..rows)
            .map(|_| (random.random_range(0..20) > 0).then(|| random.random_range(0..most)));
        Arc::new(Int64Array::from(cells.collect::<Vec<_>>()))
    };
    let columns = [
        ("rfm.recency", integers(6)),
        ("rfm.frequency", integers(6)),
        ("rfm.monetary", integers(6)),
        ("purchase.days_since_last", integers(400)),
        ("purchase.count", integers(50)),
        ("purchase.total_minor", integers(1_000_000)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn it_answers_and_explains_as_in_this_process() {
    let (isolated, plugin) = built_in("rfm");
    let batch = accounts(5_000);
    let there = ExternalInstance::create(&isolated, "{}", batch.schema_ref()).unwrap();
    let mut here = Instance::create(&plugin, "{}").unwrap();
    here.bind(batch.schema_ref()).unwrap();
    assert_eq!(there.config(), here.config());
    let answers = there.segment(&batch, &call()).unwrap();
    assert_eq!(answers, here.segment(&batch, &call()).unwrap());
    let kinds: BTreeSet<u16> = answers.segment.iter().copied().collect();
    assert!(kinds.len() > 3, "{kinds:?}");
    let few = batch.slice(100, 50);
    let reasons = there.explain(&few, &call(), 3).unwrap();
    assert_eq!(reasons, here.explain(&few, &call(), 3).unwrap());
    assert!(reasons.iter().any(|of_row| of_row.len() > 1));
    assert_eq!(isolated.losses(), 0);
}

#[test]
fn many_instances_of_one_process_do_not_mix() {
    let (isolated, _) = built_in("value_tiers");
    let mut batches = Vec::new();
    for (config, high) in [("{}", None), (r#"{"mode":"cut_points"}"#, Some(()))] {
        let schema = sextant_schema();
        let instance = ExternalInstance::create(&isolated, config, &schema).unwrap();
        assert_eq!(instance.config().contains("cut_points"), high.is_some());
        batches.push(instance);
    }
    assert_ne!(batches[0].config(), batches[1].config());
}

fn sextant_schema() -> arrow_schema::Schema {
    use arrow_schema::{DataType, Field, Schema};
    Schema::new(vec![
        Field::new("revenue.mrr_minor", DataType::Int64, true),
        Field::new("revenue.arr_minor", DataType::Int64, true),
    ])
}

#[test]
fn a_bad_config_is_refused_by_its_schema_and_by_the_segmenter() {
    let (isolated, _) = built_in("rfm");
    let batch = accounts(1);
    let refused = |config| {
        let created = ExternalInstance::create(&isolated, config, batch.schema_ref());
        created.map(|_| ()).unwrap_err()
    };
    assert!(matches!(refused(r#"{"map": 7}"#), CallError::Config(_)));
    assert!(matches!(refused("{"), CallError::Config(_)));
    let schema = values([]);
    let unknown = ExternalInstance::create(&isolated, "{}", schema.schema_ref()).unwrap_err();
    assert!(
        matches!(unknown, CallError::FeatureUnknown { .. }),
        "{unknown}"
    );
    assert_eq!(isolated.losses(), 0);
}

#[test]
fn scores_come_back_and_gaps_stay_gaps() {
    let (isolated, plugin) = built_in_panicking();
    let batch = seats();
    let there = ExternalInstance::create(&isolated, "{}", batch.schema_ref()).unwrap();
    let mut here = Instance::create(&plugin, "{}").unwrap();
    here.bind(batch.schema_ref()).unwrap();
    let answers = there.segment(&batch, &call()).unwrap();
    let expected = here.segment(&batch, &call()).unwrap();
    assert_eq!(answers.segment, expected.segment);
    assert_eq!(answers.score.is_some(), expected.score.is_some());
}

fn built_in_panicking() -> (External, Plugin) {
    let path = built_in_folder().join("libexample_team_size.so");
    let file = Verified::read(&path).unwrap();
    let isolated = External::start(&hosts(), file, Allowance::default()).unwrap();
    (isolated, Plugin::load(&path).unwrap())
}

fn seats() -> RecordBatch {
    let seats: ArrayRef = Arc::new(Int64Array::from(vec![Some(10), Some(60), None, Some(1)]));
    let share: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(0.5),
        None,
        Some(0.1),
        Some(1.0),
    ]));
    let columns = [("revenue.seats", seats), ("usage.seat_share", share)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn a_segmenter_that_wants_a_process_of_its_own_gets_one() {
    let fixture = Fixture {
        table: ".caps = SEG_CAP_EXPLAIN | SEG_CAP_ISOLATED_ONLY".to_owned(),
        ..Fixture::default()
    };
    assert_eq!(fixture.load().unwrap_err().check_id(), "L-isolated-only");
    let folder = tempfile::tempdir().unwrap();
    let file = Verified::read(&fixture.compile_with(folder.path(), &[])).unwrap();
    let plugin = External::start(&hosts(), file, Allowance::default()).unwrap();
    let answers = bound(&plugin)
        .segment(&values([Some(2), Some(0)]), &call())
        .unwrap();
    assert_eq!(answers.segment, [2, 0]);
}

#[test]
fn checks_of_loading_are_told_by_their_ids() {
    for (table, id, what) in [
        (".abi_major = 2", "L-version", "abi_major is 2"),
        (".segment = NULL", "L-functions", "segment is NULL"),
    ] {
        let fixture = Fixture {
            table: table.to_owned(),
            ..Fixture::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = Verified::read(&fixture.compile_with(folder.path(), &[])).unwrap();
        let refused = External::start(&hosts(), file, Allowance::default()).unwrap_err();
        assert_eq!(refused.check_id(), id, "{refused}");
        assert!(refused.what().contains(what), "{refused}");
    }
}

#[test]
fn the_context_of_a_call_reaches_the_segmenter() {
    let fixture = Fixture {
        segment: "if (call->as_of_unix_us != 77 || call->seed != 5 || strcmp(call->tenant, \"acme\") != 0) return SEG_E_INVALID_INPUT; \
                  if (call->deadline_mono_ns == 0 || call->cancel == NULL) return SEG_E_STATE; \
                  return answer(out, values, rows);"
            .to_owned(),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let context = Call {
        tenant: "acme",
        as_of_us: 77,
        seed: 5,
        deadline: Some(Deadline::after(Duration::from_secs(60))),
        cancel: None,
    };
    let answers = bound(&plugin)
        .segment(&values([Some(1)]), &context)
        .unwrap();
    assert_eq!((answers.segment, answers.unanswered), (vec![1], vec![]));
}

#[test]
fn a_lost_process_costs_no_answer() {
    // It crashes in every second process: the first call of each leaves a mark in the only place that outlives none.
    let fixture = Fixture {
        segment: "static int calls; if (calls++ == 1) *(volatile int *)0 = 1; return answer(out, values, rows);"
            .to_owned(),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let instance = bound(&plugin);
    for call_number in 0..2 {
        let answers = instance
            .segment(&values([Some(1), Some(2)]), &call())
            .unwrap();
        assert_eq!(answers.segment, [1, 2], "{call_number}");
        assert_eq!(answers.unanswered, []);
    }
    assert_eq!(plugin.losses(), 1);
    assert!(!plugin.is_quarantined());
}

#[test]
fn one_poison_row_of_a_thousand_is_found_and_remembered() {
    let fixture = Fixture {
        segment: "for (int64_t k = 0; k < rows; k++) if (values[k] == 13) *(volatile int *)0 = 1; \
                  return answer(out, values, rows);"
            .to_owned(),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let instance = bound(&plugin);
    let mut cells: Vec<Option<i64>> = (0..1_000).map(|k| Some(k % 3)).collect();
    cells[617] = Some(13);
    let batch = batch_of(cells.clone());
    let answers = instance.segment(&batch, &call()).unwrap();
    let [only] = answers.unanswered.as_slice() else {
        panic!("{:?}", answers.unanswered)
    };
    assert_eq!(only.row, 617);
    assert!(
        matches!(&only.trouble, Trouble::Crashed(crash) if crash.signal == Some(11)),
        "{only:?}"
    );
    for (row, segment) in answers
        .segment
        .iter()
        .enumerate()
        .filter(|(row, _)| *row != 617)
    {
        assert_eq!(usize::from(*segment), row % 3, "{row}");
    }
    // The whole twice, then one half of each of at most ten halvings.
    let losses = plugin.losses();
    assert!(losses <= 12, "{losses}");
    let again = instance.segment(&batch, &call()).unwrap();
    assert_eq!((again.unanswered.len(), plugin.losses()), (1, losses));
    // Another row at that place is shown.
    cells[617] = Some(1);
    let changed = instance.segment(&batch_of(cells), &call()).unwrap();
    assert_eq!((changed.unanswered.len(), changed.segment[617]), (0, 1));
}

fn batch_of(cells: Vec<Option<i64>>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(cells));
    RecordBatch::try_from_iter_with_nullable([("test.value", column, true)]).unwrap()
}

#[test]
fn three_incidents_are_too_many_until_an_operator_releases_it() {
    let fixture = Fixture {
        segment: "if (values[0] > 2) *(volatile int *)0 = 1; return answer(out, values, rows);"
            .to_owned(),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let instance = bound(&plugin);
    for bad in [10, 11, 12] {
        assert!(!plugin.is_quarantined());
        let answers = instance
            .segment(&batch_of(vec![Some(bad)]), &call())
            .unwrap();
        assert_eq!(answers.unanswered.len(), 1);
    }
    assert!(plugin.is_quarantined());
    let answers = instance.segment(&batch_of(vec![Some(1)]), &call()).unwrap();
    assert_eq!(answers.unanswered[0].trouble.kind(), "quarantined");
    plugin.release();
    let answers = instance.segment(&batch_of(vec![Some(1)]), &call()).unwrap();
    assert_eq!((answers.unanswered.len(), answers.segment[0]), (0, 1));
}

#[test]
fn who_is_never_done_in_time_is_not_asked_any_more_although_it_stops_when_told() {
    let fixture = Fixture {
        segment: "while (values[0] != 2 && !SEG_CANCELLED(call)) {} return SEG_CANCELLED(call) ? SEG_E_CANCELLED : answer(out, values, rows);"
            .to_owned(),
        ..Fixture::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = fixture.compile_with(folder.path(), &[]);
    let start = |longest_call: Duration| {
        let allowance = Allowance {
            longest_call,
            ..Allowance::default()
        };
        External::start(&hosts(), Verified::read(&path).unwrap(), allowance).unwrap()
    };
    let endless = |instance: &ExternalInstance, patience: Duration| {
        let hurried = Call {
            deadline: Some(Deadline::after(patience)),
            ..call()
        };
        let answers = instance.segment(&batch_of(vec![Some(1)]), &hurried);
        answers.unwrap().unanswered[0].trouble.clone()
    };
    let plugin = start(Duration::from_millis(20));
    let instance = bound(&plugin);
    for _ in 0..3 {
        assert!(!plugin.is_quarantined());
        let trouble = endless(&instance, Duration::from_secs(60));
        assert_eq!(trouble, Trouble::Overran);
    }
    assert_eq!(plugin.failure(), Some(Trouble::Overran));
    assert_eq!(plugin.losses(), 0);
    // Who gives it little time learns nothing of it.
    let plugin = start(Duration::from_secs(60));
    let instance = bound(&plugin);
    for _ in 0..3 {
        let trouble = endless(&instance, Duration::from_millis(20));
        assert_eq!(trouble, Trouble::Overran);
    }
    assert_eq!((plugin.failure(), plugin.losses()), (None, 0));
}

/// How a segmenter crashes that does this about a row, and the newest line that is told of it.
fn crash_of(prelude: &str, segment: &str) -> (Crash, String) {
    let fixture = Fixture {
        prelude: prelude.to_owned(),
        segment: format!("{segment} return answer(out, values, rows);"),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let answers = bound(&plugin)
        .segment(&batch_of(vec![Some(1)]), &call())
        .unwrap();
    let Trouble::Crashed(crash) = &answers.unanswered[0].trouble else {
        panic!("{:?}", answers.unanswered)
    };
    let lines = plugin.lines();
    let mut lines = lines.into_iter().map(|line| line.text);
    // Behind what it cost.
    assert!(lines.next().unwrap().starts_with("no answer for 1 rows"));
    (crash.clone(), lines.next().unwrap())
}

#[test]
fn log_lines_reach_the_service_and_what_it_prints_is_in_the_report_of_its_crash() {
    let (crash, _) = crash_of(
        "",
        "fprintf(stderr, \"last words\\n\"); *(volatile int *)0 = 1;",
    );
    assert_eq!(&*crash.printed, "last words");
    assert_eq!(crash.to_string(), "it crashed (SIGSEGV)");
}

#[test]
fn where_it_crashes_is_told_as_a_place_in_its_file() {
    // The function says where it is: its file begins with the address 0.
    let (crash, line) = crash_of(
        "extern const char __ehdr_start;
         static __attribute__((noinline)) void stumble(void) { __builtin_trap(); }",
        "fprintf(stderr, \"%#lx\", (unsigned long)((const char *)stumble - &__ehdr_start)); stumble();",
    );
    let place = |text: &str| usize::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let begin = place(&crash.printed);
    let fault = crash.fault.as_deref().unwrap();
    let at = fault
        .strip_prefix("at ")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!((begin..begin + 16).contains(&place(at)), "{crash:?}");
    assert!(line.contains(fault), "{line}");

    // A function of nobody, and one of the system's: where its file was left.
    for (prelude, stumbles) in [
        ("", "((void (*volatile)(void))8)()"),
        ("", "abort()"),
        (
            "static const char *volatile nowhere;",
            "n = (int)strlen(nowhere)",
        ),
    ] {
        let (crash, _) = crash_of(
            &format!(
                "extern const char __ehdr_start; {prelude}
                 static __attribute__((noinline)) int stumble(void) {{ volatile int n = 0; {stumbles}; return n; }}"
            ),
            "fprintf(stderr, \"%#lx\", (unsigned long)((const char *)stumble - &__ehdr_start)); stumble();",
        );
        let fault = crash.fault.as_deref().unwrap();
        let at = fault.strip_prefix("outside of its file, which was left at ");
        let begin = place(&crash.printed);
        assert!(
            (begin..begin + 64).contains(&place(at.unwrap())),
            "{crash:?}"
        );
    }
    // Nothing is left of its stack, and a signal that comes from itself is no less of an end.
    let (crash, _) = crash_of(
        "static int deep(volatile int n) { volatile char frame[4096]; frame[0] = n; return n < 0 ? 0 : deep(n + 1) + frame[0]; }",
        "deep(0);",
    );
    assert_eq!(crash.signal, Some(libc::SIGSEGV), "{crash:?}");
    assert!(crash.fault.is_some(), "{crash:?}");
    let (crash, _) = crash_of("#include <signal.h>", "raise(SIGSEGV);");
    assert_eq!(crash.signal, Some(libc::SIGSEGV), "{crash:?}");
}

#[test]
fn a_process_that_is_ended_takes_nothing_until_somebody_asks_again() {
    let plugin = Fixture::default().isolated();
    let instance = bound(&plugin);
    assert!(plugin.usage().is_some());
    plugin.end_process();
    // Once nobody has it any more, there is nothing to look at.
    while plugin.usage().is_some() {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let answers = instance.segment(&values([Some(1)]), &call()).unwrap();
    assert_eq!((answers.unanswered.len(), answers.segment[0]), (0, 1));
}
