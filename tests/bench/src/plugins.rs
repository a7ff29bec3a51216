//! What a process of its own costs a segmenter, and how soon there is an answer where it crashes or does not end.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use tokio::time::Instant;

use sextant_plugin_host::{
    Allowance, Bound, Call, Deadline, External, Hosts, Plugin, Segmenter, Trouble, Verified,
};

use crate::program::beside;
use crate::report::{Report, Row, Target, median};

const SOURCE: &str = include_str!("segmenter.c");
const COLUMNS: usize = 32;
const BATCH: usize = 1_000;
/// Calls of a round, and how many of them something goes wrong in.
const CALLS: usize = 1_001;
const FAULTS: usize = 100;
/// Batches of a million rows.
const LARGEST_BATCH: usize = 16_384;
const MILLION: usize = 1_000_000;
const DEADLINE: Duration = Duration::from_millis(5);
/// The row that something happens with.
const POISON: usize = 617;

fn column(k: usize) -> String {
    format!("bench.column_{k:02}")
}

/// Compiles a segmenter that does something on its way.
fn compile(folder: &Path, name: &str, does: &str) -> PathBuf {
    let mut requires = String::new();
    for k in 0..COLUMNS {
        let comma = if k == 0 { "" } else { "," };
        let feature = column(k);
        write!(
            requires,
            r#"{comma}{{"feature":"{feature}","type":"float64","on_missing":"skip_row"}}"#
        )
        .unwrap();
    }
    let descriptor = format!(
        r#"{{"id":"bench.{name}","version":"1.0.0","abi":"1.0","title":"Bench","output":"single","requires":[{requires}],"segments":[{{"key":"low"}},{{"key":"high"}}]}}"#
    );
    let source = SOURCE
        .replace("@DESCRIPTOR@", &descriptor.replace('"', "\\\""))
        .replace("@DOES@", does);
    let (file, object) = (
        folder.join(format!("{name}.c")),
        folder.join(format!("{name}.so")),
    );
    fs::write(&file, source).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/abi/include");
    let compiled = Command::new("cc")
        .args([
            "-O2",
            "-std=c11",
            "-fvisibility=hidden",
            "-shared",
            "-fPIC",
            "-I",
        ])
        .arg(include)
        .arg("-o")
        .args([&object, &file])
        .status();
    assert!(compiled.unwrap().success());
    object
}

/// Rows of which every second one is high; one of them may have a sign in its first column.
fn rows(n_rows: usize, sign: Option<usize>) -> RecordBatch {
    let cell = |row: usize, k: usize| match sign {
        Some(at) if at == row && k == 0 => -1.0,
        _ if row % 2 == 1 => 1.0,
        _ => 0.25,
    };
    let columns = (0..COLUMNS).map(|k| {
        let cells = (0..n_rows).map(|row| cell(row, k));
        let cells: ArrayRef = Arc::new(Float64Array::from_iter_values(cells));
        (column(k), cells, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn call(deadline: Option<Duration>) -> Call<'static> {
    Call {
        tenant: "bench",
        as_of_us: 0,
        seed: 0,
        deadline: deadline.map(Deadline::after),
        cancel: None,
    }
}

/// Checks the answers of all rows but one, and returns how long they took, in milliseconds.
fn ask(bound: &Bound, rows: &RecordBatch, deadline: Option<Duration>) -> (f64, Vec<Trouble>) {
    let begun = Instant::now();
    let answers = bound.segment(rows, &call(deadline)).unwrap();
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    let is_answered = |row: usize| answers.unanswered.iter().all(|one| one.row != row);
    let mut answered = answers.segment.iter().enumerate();
    assert!(answered.all(|(row, segment)| usize::from(*segment) == row % 2 || !is_answered(row)));
    let troubles = answers.unanswered.into_iter().map(|one| one.trouble);
    (ms, troubles.collect())
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

fn isolated(hosts: &Hosts, file: &Path) -> (External, Bound) {
    let file = Verified::read(file).unwrap();
    let plugin = External::start(hosts, file, Allowance::default()).unwrap();
    let schema = rows(0, None);
    let bound = Segmenter::from(plugin.clone()).bind("{}", None, schema.schema_ref());
    (plugin, bound.unwrap())
}

/// What a process of its own adds to a call, in microseconds at the median, and to a million rows, in seconds.
fn added(here: &Bound, there: &Bound) -> (f64, f64) {
    let batch = rows(BATCH, None);
    let us = |bound: &Bound| {
        let times: Vec<f64> = (0..CALLS)
            .map(|_| ask(bound, &batch, None).0 * 1e3)
            .collect();
        median(&times)
    };
    let batches: Vec<RecordBatch> = (0..MILLION.div_ceil(LARGEST_BATCH))
        .map(|k| rows(LARGEST_BATCH.min(MILLION - k * LARGEST_BATCH), None))
        .collect();
    let seconds = |bound: &Bound| {
        let times = batches.iter().map(|batch| ask(bound, batch, None).0 / 1e3);
        times.sum::<f64>()
    };
    (us(there) - us(here), seconds(there) - seconds(here))
}

pub(crate) fn measure(report: &mut Report, n_rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let hosts = Hosts::new(&beside("sextant")).unwrap();
    let path = compile(folder.path(), "good", "");
    let plugin = Segmenter::from(Plugin::load(&path).unwrap());
    let here = plugin.bind("{}", None, rows(0, None).schema_ref()).unwrap();
    let (_, there) = isolated(&hosts, &path);
    // Every second call of a process.
    let crash = "static int calls; if (calls++ == 1) *(volatile int *)0 = 1;";
    let (crashing, crashes) = isolated(&hosts, &compile(folder.path(), "crash", crash));
    let at_sign = |does: &str| {
        format!("for (int64_t k = 0; k < rows; k++) if (columns[0][k] < 0) {{ {does} }}")
    };
    let poison = at_sign("*(volatile int *)0 = 1;");
    let (poisoned, has_poison) = isolated(&hosts, &compile(folder.path(), "poison", &poison));
    let endless = at_sign("volatile int spin = 1; while (spin) {}");
    let (looping, loops) = isolated(&hosts, &compile(folder.path(), "endless", &endless));
    let (good, bad) = (rows(BATCH, None), rows(BATCH, Some(POISON)));
    let mut measured: [Vec<f64>; 5] = Default::default();
    for _ in 0..n_rounds {
        let (call_us, million_s) = added(&here, &there);
        measured[0].push(call_us);
        measured[1].push(million_s);
        let (mut after_crash, mut after_loop, mut with_poison) =
            (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..FAULTS {
            let losses = crashing.losses();
            let (ms, troubles) = ask(&crashes, &good, None);
            assert_eq!(troubles, []);
            if crashing.losses() > losses {
                after_crash.push(ms);
            }
            crashing.release();
            let (ms, troubles) = ask(&loops, &bad, Some(DEADLINE));
            assert_eq!(troubles, vec![Trouble::Overran; BATCH]);
            after_loop.push(ms);
            let (_, troubles) = ask(&loops, &good, None);
            assert_eq!(troubles, []);
            looping.release();
            let (ms, troubles) = ask(&has_poison, &bad, None);
            assert_eq!(troubles.len(), 1);
            with_poison.push(ms);
            poisoned.release();
        }
        assert!(after_crash.len() > FAULTS / 3);
        measured[2].push(percentile(after_crash, 99));
        measured[3].push(percentile(after_loop, 99));
        measured[4].push(percentile(with_poison, 99));
    }
    let [call_us, million_s, crash_ms, loop_ms, poison_ms] = measured;
    let most = Target::AtMost;
    report.add(
        Row::new(
            "process of its own, added to 1,000 x 32, p50",
            "us",
            call_us,
        )
        .should_be(most(500.0)),
    );
    report.add(
        Row::new(
            "process of its own, added to 1,000,000 x 32",
            "s",
            million_s,
        )
        .should_be(most(0.2)),
    );
    report.add(Row::new("SIGSEGV to the right answer, p99", "ms", crash_ms).should_be(most(25.0)));
    report.add(
        Row::new(
            "endless loop, deadline 5 ms, to an answer, p99",
            "ms",
            loop_ms,
        )
        .should_be(most(30.0)),
    );
    report.add(Row::new("1 poison row in 1,000, p99", "ms", poison_ms).should_be(most(250.0)));
}
