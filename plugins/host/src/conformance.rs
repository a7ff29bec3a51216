//! The conformance check: what a segmenter has to keep to so that the service can live with it, each test in a process of its own;
//! of a server those tests that are about its answers.
//!
//! A test says what it found, why it exists and how to fix the cause. Those that judge the file and its loading have the ids of
//! [`Check`]; the others begin with the letter of their family.

mod culprit;
mod found;
mod rows;
mod subject;
mod tests_of_answers;
mod tests_of_configurations;
mod tests_of_fits;
mod tests_of_instances;
mod tests_of_resources;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::check::ALL;
use crate::conformance::found::{Found, Matter};
use crate::conformance::subject::Subject;
use crate::{Allowance, Check, Deadline, Descriptor, Hosts, LoadError, Server, Verified};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// Works, and should be looked at.
    Warning,
    /// The service cannot live with it.
    Fail,
    /// Not judged: an earlier test failed, or the segmenter does not promise what it is about.
    Skipped,
}

/// What one test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Stable name, for example `D-extremes`.
    pub id: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found.
    pub what: String,
    /// Why the test exists.
    pub why: &'static str,
    /// What the author can do, where it did not pass.
    pub fix: &'static str,
}

/// A test of a segmenter that can be loaded.
struct Test {
    id: &'static str,
    why: &'static str,
    fix: &'static str,
    run: fn(&Subject) -> Found,
}

impl Test {
    /// Whether it is about answers as such: rows of all kinds, reasons, and what a fit answers.
    fn is_of_answers(&self) -> bool {
        let families = ["D-", "C-", "Q-", "F-", "X-explain"];
        families.iter().any(|family| self.id.starts_with(family))
    }
}

/// Fields of a descriptor.
const FIELDS: [&str; 18] = [
    "id",
    "version",
    "abi",
    "title",
    "description",
    "license",
    "requires",
    "optional",
    "dynamic_features",
    "feature_scope",
    "output",
    "segments",
    "dynamic_segments",
    "config_schema",
    "limits",
    "examples",
    "platforms",
    "state_version",
];

/// Why a test is not made of a server.
const OF_A_PROCESS: &str = "it is about a process, and this is a server";

/// How long a server that has failed a test is judged by more of them.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tests that may not be done in time until no more are made.
const MOST_LATE: usize = 2;

/// Judges a file: first without running it, then loaded, then by every test.
#[must_use]
pub fn judge(hosts: &Hosts, path: &Path, allowance: &Allowance) -> Vec<Verdict> {
    match Verified::read(path) {
        Ok(file) => judge_verified(hosts, &Arc::new(file), allowance),
        Err(refused) => refused_by(&refused),
    }
}

/// Judges what was verified: loaded, then by every test.
#[must_use]
pub fn judge_verified(hosts: &Hosts, file: &Arc<Verified>, allowance: &Allowance) -> Vec<Verdict> {
    let subject = match Subject::new(hosts, file, allowance) {
        Ok(subject) => subject,
        Err(refused) => return refused_by(&refused),
    };
    let passed = ALL.into_iter().filter(|check| is_of_a_file(*check));
    let unknown = unknown_fields(file.descriptor_json());
    let mut verdicts: Vec<Verdict> = passed
        .map(|check| match (check, &unknown) {
            (Check::DescriptorSchema, Some(what)) => {
                of_check(check, Outcome::Warning, what.clone())
            },
            _ => of_check(check, Outcome::Pass, String::new()),
        })
        .collect();
    verdicts.extend(by_every_test(&subject));
    verdicts
}

/// Fields of a descriptor that this host does not know: of a later version, or mistyped.
fn unknown_fields(descriptor: &str) -> Option<String> {
    let fields: BTreeMap<String, IgnoredAny> = serde_json::from_str(descriptor).ok()?;
    let unknown = fields
        .keys()
        .filter(|name| !FIELDS.contains(&name.as_str()));
    let unknown: Vec<String> = unknown.map(|name| format!("\"{name}\"")).collect();
    (!unknown.is_empty()).then(|| {
        let (unknown, known) = (unknown.join(", "), FIELDS.join(", "));
        format!("it has {unknown}, which this host leaves alone; it knows {known}")
    })
}

/// Judges what a server answers. Of one that does not answer, or with a descriptor that fails a check, nothing else is judged.
#[must_use]
pub fn judge_server(hosts: &Hosts, server: &Server, allowance: &Allowance) -> Vec<Verdict> {
    let subject = match Subject::server(hosts, server, allowance) {
        Ok(subject) => subject,
        Err(refused) => {
            let failed = of_check(refused.check(), Outcome::Fail, refused.told());
            let untested = tests().map(|test| untested(test, "it is not asked"));
            return [failed].into_iter().chain(untested).collect();
        },
    };
    by_every_test(&subject)
}

/// Makes all tests for as long as that tells more: somebody waits for what is judged, and whatever hangs takes as long as it may in
/// every call.
fn by_every_test(subject: &Subject) -> Vec<Verdict> {
    let patience = Deadline::after(PATIENCE);
    let (mut has_failed, mut n_late, mut is_over) = (false, 0, false);
    let judged = tests().map(|test| {
        if is_over || n_late >= MOST_LATE {
            return untested(test, "earlier tests were not done in time");
        }
        if has_failed && !subject.has_process() && patience.left().is_zero() {
            return untested(test, "an earlier test failed, and time is up");
        }
        let found = subject.in_time().and_then(|()| (test.run)(subject));
        if let Err(wrong) = &found {
            has_failed = true;
            n_late += usize::from(wrong.matter == Matter::Call);
            is_over |= matches!(wrong.matter, Matter::Start | Matter::Tests);
        }
        judged(test, subject, found)
    });
    judged.collect()
}

/// Made up rows of the features of a segmenter, the same ones each time: values as accounts have them, some of them unknown where that
/// may be.
///
/// # Errors
/// There are too many.
pub fn made_up(descriptor: &Descriptor, n_rows: usize) -> Result<RecordBatch, ArrowError> {
    rows::made_up(descriptor, n_rows, rows::Kind::Plain)
}

/// The ids of all tests, in the order in which they are made.
pub fn ids() -> impl Iterator<Item = &'static str> {
    let checks = ALL.into_iter().filter(|check| is_of_a_file(*check));
    checks.map(Check::id).chain(tests().map(|test| test.id))
}

/// First what all others need: processes that start, and, as one that cannot be fitted answers nothing, fits.
fn tests() -> impl Iterator<Item = &'static Test> {
    [&tests_of_resources::START]
        .into_iter()
        .chain(tests_of_fits::TESTS)
        .chain(tests_of_answers::TESTS)
        .chain(tests_of_configurations::TESTS)
        .chain(tests_of_resources::TESTS)
}

fn judged(test: &Test, subject: &Subject, found: Found) -> Verdict {
    let (outcome, what, why, fix) = match found {
        Ok((outcome, what)) => (outcome, what, test.why, test.fix),
        Err(wrong) => {
            let (why, fix) = match wrong.matter {
                Matter::Test | Matter::Refusal | Matter::Start => (test.why, test.fix),
                Matter::Call => (
                    "a call that is not done in time has no answer, and one that goes on after that ends with its process",
                    "in what may take long, look at the flag of the call (cancel), and stop; `sextant plugin run --csv` shows it rows of your own",
                ),
                Matter::Answer if test.is_of_answers() => (test.why, test.fix),
                Matter::Answer => (
                    "without an answer this test has judged nothing: other tests may fail for the same cause",
                    "mend what it fails with, before anything else that failed: `sextant plugin run --csv` shows it rows of your own",
                ),
                Matter::Crash => (
                    "a process that goes down takes all answers of its batch with it, and this test judged none: other tests may fail for the same cause",
                    "mend what brings it down, before anything else that failed: `sextant plugin run --csv` shows it rows of your own",
                ),
                Matter::Tests => (
                    "whoever publishes waits for all tests, and what is not tested is not taken",
                    "make it faster: `sextant plugin bench` says what its calls cost",
                ),
            };
            let mut what = wrong.to_string();
            if wrong.matter == Matter::Call {
                let longest = subject.longest_call();
                what.push_str(&format!("; a call has {longest:?}, whatever is declared"));
            }
            (Outcome::Fail, what, why, fix)
        },
    };
    Verdict {
        id: test.id,
        outcome,
        what,
        why,
        fix,
    }
}

/// Checks that are of one file, and of no folder and no server.
fn is_of_a_file(check: Check) -> bool {
    !matches!(
        check,
        Check::OneOfItsId | Check::Address | Check::Answers | Check::InProcess
    )
}

fn of_check(check: Check, outcome: Outcome, what: String) -> Verdict {
    Verdict {
        id: check.id(),
        outcome,
        what,
        why: check.why(),
        fix: check.fix(),
    }
}

/// The check that failed; those before it have passed, and nothing after it was judged.
#[must_use]
pub fn refused_by(refused: &LoadError) -> Vec<Verdict> {
    let of_file = ALL.into_iter().filter(|check| is_of_a_file(*check));
    let mut verdicts = Vec::new();
    let mut is_before = true;
    for check in of_file {
        let is_it = check == refused.check();
        is_before &= !is_it;
        let (outcome, what) = match (is_it, is_before) {
            (true, _) => (Outcome::Fail, refused.told()),
            (false, true) => (Outcome::Pass, String::new()),
            (false, false) => (Outcome::Skipped, "an earlier check failed".to_owned()),
        };
        verdicts.push(of_check(check, outcome, what));
    }
    verdicts.extend(tests().map(|test| untested(test, "it is not loaded")));
    verdicts
}

fn untested(test: &Test, because: &str) -> Verdict {
    Verdict {
        id: test.id,
        outcome: Outcome::Skipped,
        what: because.to_owned(),
        why: test.why,
        fix: test.fix,
    }
}
